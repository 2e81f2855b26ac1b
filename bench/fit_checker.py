"""Fit the offline score's coefficients and write them where the package reads them.

    python bench/fit_checker.py [--data ../shared/data]

Trains on WiCE dev, SummEdits, CLAPNQ gold answers and our paraphrases of the sample documents, and
on flips of the true ones. True and false claims weigh the same, and so do documents. Nothing but
numpy is needed.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from flips import Case, flips
from numpy.typing import NDArray
from verification_sets import everything

from rag.checking.base import Finding
from rag.checking.features import FEATURES, examine
from rag.checking.material import material

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
EDITS = ("ectsum", "samsum", "scitldr")
TARGET = Path(__file__).parents[1] / "rag" / "checking" / "coefficients.toml"

#: Ridge penalty beside the mean loss. Between .002 and .03 no figure moved by more than .01.
RIDGE = 0.008
#: Weight of the planted flips beside each labelled set. Between 1 and 4 balanced accuracy moved by
#: .01, detection of swapped names and roles by .05, upwards.
FLIPS = 2
FOLDS = 5


@dataclass(frozen=True)
class Table:
    """Cases with their features, the rules' findings and seconds, row by row."""

    cases: list[Case]
    values: Floats
    findings: list[tuple[Finding, ...]]
    seconds: Floats

    @property
    def true(self) -> Flags:
        return np.array([c.supported for c in self.cases])

    @property
    def flip(self) -> list[str]:
        return [c.flip for c in self.cases]

    def of(self, *sources: str, flip: str | None = "") -> Flags:
        """Rows of some sources (all without any), of one kind of flip, none at all, or either."""
        return np.array(
            [(not sources or c.source in sources) and flip in (None, c.flip) for c in self.cases]
        )

    @property
    def fold(self) -> NDArray[np.int64]:
        """One of `FOLDS` by document, so that no document is on both sides."""
        return np.array([zlib.crc32(c.document.encode()) % FOLDS for c in self.cases])


def examined(case: Case) -> tuple[list[float], tuple[Finding, ...], float]:
    """Features in order, findings, seconds; evidence that was not met before."""
    started = time.perf_counter()
    result = examine(case.claim, material(case.evidence), "")
    return [result.values[f] for f in FEATURES], result.findings, time.perf_counter() - started


def table(cases: Sequence[Case]) -> Table:
    with Pool() as pool:
        rows = pool.map(examined, cases, chunksize=32)
    return Table(
        list(cases), np.array([r[0] for r in rows]), [r[1] for r in rows],
        np.array([r[2] for r in rows]),
    )  # fmt: skip


def labelled(data: Path) -> Table:
    """Every labelled claim, and the flips of the true ones."""
    cases = [c for some in everything(data).values() for c in some]
    return table([*cases, *flips([c for c in cases if c.supported], seed=1)])


def even(rows: Table, picked: Flags) -> Floats:
    """Weights of the picked rows, 0 for the others: every document alike, summing to 1.

    Of SummEdits a document has a dozen summaries that differ in a word: they are no dozen cases.
    """
    count = Counter(c.document for c, here in zip(rows.cases, picked, strict=True) if here)
    found: Floats = np.array(
        [1 / count[c.document] if here else 0.0 for c, here in zip(rows.cases, picked, strict=True)]
    )
    return found / found.sum() if picked.any() else found


def weights(rows: Table) -> Floats:
    """Each group half true and half false, every document alike; flips twice the labelled sets."""
    true, real = rows.true, rows.of()
    found = np.zeros(len(true))
    for sources in (("WiCE",), EDITS):
        for side in (true, ~true):
            found += even(rows, rows.of(*sources) & side)
    found += FLIPS * (even(rows, real & true) + even(rows, ~real))
    total: Floats = found / found.sum()
    return total


@dataclass(frozen=True)
class Fit:
    mean: Floats
    spread: Floats
    weight: Floats
    intercept: float

    def probability(self, values: Floats) -> Floats:
        logits = ((values - self.mean) / self.spread) @ self.weight + self.intercept
        return np.asarray(1 / (1 + np.exp(-logits)))


def train(values: Floats, true: Flags, weight: Floats) -> Fit:
    """Logistic regression with a ridge penalty, by Newton's method."""
    mean = weight @ values / weight.sum()
    spread = np.sqrt(weight @ (values - mean) ** 2 / weight.sum())
    spread[spread < 1e-9] = 1.0
    x = np.c_[(values - mean) / spread, np.ones(len(values))]
    w, share = np.zeros(x.shape[1]), weight / weight.sum()
    penalty = np.r_[np.full(values.shape[1], RIDGE), 0.0]
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (share * (p - true)) + penalty * w
        hessian = (x.T * (share * p * (1 - p))) @ x + np.diag(penalty + 1e-12)
        w = w - np.linalg.solve(hessian, gradient)
    return Fit(mean, spread, w[:-1], float(w[-1]))


def cross_validated(rows: Table) -> Floats:
    """Probabilities by models that saw neither the document nor, of SummEdits, the domain."""
    weight, true = weights(rows), rows.true
    found = np.zeros(len(true))
    held_out: list[Flags] = [rows.fold == k for k in range(FOLDS)]
    held_out += [rows.of(domain, flip=None) for domain in EDITS]
    for out in held_out:
        fit = train(rows.values[~out], true[~out], weight[~out])
        found[out] = fit.probability(rows.values[out])
    return found


def best_cut(probability: Floats, true: Flags, group: Sequence[Flags]) -> float:
    """The cut of the highest balanced accuracy, the groups' mean."""
    cuts = np.arange(0.3, 0.71, 0.01)
    return float(
        max(cuts, key=lambda c: np.mean([balanced(true[g], probability[g] >= c) for g in group]))
    )


def balanced(true: Flags, said: Flags) -> float:
    """Balanced accuracy: mean of the recalls of both classes."""
    return float((said[true].mean() + (~said)[~true].mean()) / 2)


def lower_cut(probability: Floats, true: Flags, group: Sequence[Flags], precision: float) -> float:
    """The highest cut below which so many claims of every group are unsupported."""
    kept = 0.0
    for cut in np.arange(0.05, 0.5, 0.01):
        below = [g & (probability < cut) for g in group]
        if all(b.sum() > 10 and (~true[b]).mean() >= precision for b in below):
            kept = float(cut)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    rows = labelled(parser.parse_args().data)
    fit = train(rows.values, rows.true, weights(rows))
    held = cross_validated(rows)
    real = [rows.of("WiCE"), rows.of(*EDITS)]
    accept = best_cut(held, rows.true, real)
    reject = lower_cut(held, rows.true, real, 0.88)
    lines = [
        "# Written by bench/fit_checker.py; docs/verification.md has what these numbers reach.",
        "# score = 1 / (1 + exp(-(intercept + sum of weight * (value - mean) / spread)))",
        f"intercept = {fit.intercept:.4f}",
        "",
        "[cuts]",
        "# accept: highest mean balanced accuracy of WiCE dev and SummEdits, documents held out",
        f"accept = {accept:.2f}",
        "# reject: below it at least 88 % of the held-out claims of either set are unsupported",
        f"reject = {reject:.2f}",
        "# model: from here on a calibrated model's yes counts; set by hand",
        "model = 0.50",
        "",
        "[features]",
        *(
            f'"{name}" = {{ mean = {m:.4f}, spread = {s:.4f}, weight = {w:.4f} }}'
            for name, m, s, w in zip(FEATURES, fit.mean, fit.spread, fit.weight, strict=True)
        ),
    ]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(TARGET.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
