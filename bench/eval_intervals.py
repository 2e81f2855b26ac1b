"""How often the intervals of an evaluation hold the truth, by simulation.

    python bench/eval_intervals.py > bench/eval_intervals.md

Each data set: so many documents with questions of their own, each document with a rate of its own
(beta-distributed, with the intraclass correlation given), each question with one to three claims.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from eval.paired import difference
from eval.statistics import Floats, Sample, rate, sample

SETS = 1000
DRAWS = 600  # of the two bootstraps that are not used
#: documents, questions a document, true share, intraclass correlation, most claims a question
RATES = (
    (6, (2, 6), 0.5, 0.2, 3), (10, (2, 6), 0.9, 0.2, 1), (10, (2, 6), 0.5, 0.2, 3),
    (10, (2, 6), 0.95, 0.1, 3), (20, (1, 5), 0.05, 0.2, 3), (20, (1, 5), 0.9, 0.2, 3),
    (40, (1, 3), 0.9, 0.2, 1), (40, (1, 3), 0.97, 0.1, 3), (40, (1, 3), 0.5, 0.3, 3),
    (60, (1, 1), 0.9, 0.001, 1),
)  # fmt: skip
#: documents, questions a document, share before, factor after, share of answers drawn anew
PAIRS = (
    (10, (2, 6), 0.8, 1.0, 0.3), (10, (2, 6), 0.8, 0.75, 0.5), (30, (1, 3), 0.8, 0.75, 0.5),
    (60, (1, 1), 0.8, 0.875, 0.5),
)  # fmt: skip
_NORMAL = NormalDist()


def simulated(
    random: np.random.Generator, documents: int, questions: tuple[int, int], share: float,
    alike: float, claims: int,
) -> Sample:  # fmt: skip
    """One data set."""
    strength = (1 - alike) / alike
    rows = []
    for d, own in enumerate(random.beta(share * strength, (1 - share) * strength, documents)):
        for q in range(random.integers(questions[0], questions[1] + 1)):
            n = random.integers(1, claims + 1)
            rows.append((f"{d}.{q}", str(d), float(random.binomial(n, own)), float(n)))
    return sample(rows)


def changed(
    random: np.random.Generator, before: Sample, share: float, factor: float, anew: float
) -> Sample:
    """The same questions, some answered anew with another rate; claims stay as many as one."""
    drawn = random.random(len(before.ids)) < anew
    hit = random.random(len(before.ids)) < share * factor
    return Sample(before.ids, before.clusters, np.where(drawn, hit, before.top), before.bottom)


def sums(counted: Sample) -> tuple[Floats, Floats]:
    _, where = np.unique(np.array(counted.clusters), return_inverse=True)
    return (
        np.bincount(where, weights=counted.top),
        np.bincount(where, weights=counted.bottom),
    )


def percentile(random: np.random.Generator, counted: Sample) -> tuple[float, float]:
    """The plain percentile bootstrap of documents."""
    low, high = np.quantile(_drawn(random, counted), [0.025, 0.975])
    return float(low), float(high)


def bca(random: np.random.Generator, counted: Sample) -> tuple[float, float]:
    """Efron's bias-corrected and accelerated one."""
    top, bottom = sums(counted)
    drawn, value = _drawn(random, counted), top.sum() / bottom.sum()
    below = np.mean(drawn < value) + np.mean(drawn == value) / 2
    shift = _NORMAL.inv_cdf(float(np.clip(below, 1 / DRAWS, 1 - 1 / DRAWS)))
    left_out = (top.sum() - top) / (bottom.sum() - bottom)
    u = left_out.mean() - left_out
    spread = float((u**2).sum())
    bend = float((u**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    at = [
        _NORMAL.cdf(shift + (shift + z) / (1 - bend * (shift + z)))
        for z in (-_NORMAL.inv_cdf(0.975), _NORMAL.inv_cdf(0.975))
    ]
    low, high = np.quantile(drawn, at)
    return float(low), float(high)


def _drawn(random: np.random.Generator, counted: Sample) -> Floats:
    top, bottom = sums(counted)
    n = len(top)
    weights = random.multinomial(n, np.full(n, 1 / n), size=DRAWS)
    return np.asarray((weights @ top) / (weights @ bottom))


def shipped(_: np.random.Generator, counted: Sample) -> tuple[float, float]:
    found = rate(counted)
    return found.low or 0.0, found.high or 0.0


def covered(case: tuple, method: Callable[..., tuple[float, float]]) -> tuple[float, float]:
    """(share of intervals that hold the truth, mean width)."""
    random = np.random.default_rng(1)
    found = [method(random, simulated(random, *case)) for _ in range(SETS)]
    share = case[2]
    hits = [low - 1e-9 <= share <= high + 1e-9 for low, high in found]
    return float(np.mean(hits)), float(np.mean([high - low for low, high in found]))


def covered_difference(case: tuple) -> float:
    documents, questions, share, factor, anew = case
    random = np.random.default_rng(2)
    truth, hits = anew * share * (factor - 1), 0
    for _ in range(SETS):
        before = simulated(random, documents, questions, share, 0.1, 1)
        _, low, high = difference(before, changed(random, before, share, factor, anew))
        hits += low - 1e-9 <= truth <= high + 1e-9
    return hits / SETS


def main() -> None:
    print("| documents | questions each | rate | correlation | Wilson, effective size | percentile "
          "bootstrap | BCa bootstrap |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for case in RATES:
        cells = [covered(case, method) for method in (shipped, percentile, bca)]
        told = " | ".join(f"{hit:.3f} (width {width:.2f})" for hit, width in cells)
        asked = f"{case[1][0]}–{case[1][1]}"
        print(f"| {case[0]} | {asked} | {case[2]} | {case[3]} | {told} |", flush=True)
    print("\n| documents | questions each | true difference | bootstrap, widened |")
    print("| --- | --- | --- | --- |", flush=True)
    for case in PAIRS:
        truth = case[4] * case[2] * (case[3] - 1)
        asked = f"{case[1][0]}–{case[1][1]}"
        print(
            f"| {case[0]} | {asked} | {truth:+.2f} | {covered_difference(case):.3f} |", flush=True
        )


if __name__ == "__main__":
    main()
