"""How often the checker is wrong: every table of docs/verification.md.

    python bench/verification.py [--data ../shared/data] [--wice FILE] [--summedits FILE …]

Scores are by cross-validation: no document is judged by coefficients that saw it, and of SummEdits
no domain. The rules' thresholds were set on the same sets. Intervals are 95 % bootstrap intervals
over documents. With --wice or --summedits the shipped coefficients judge files of the same shape.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from fit_checker import EDITS, Flags, Floats, Table, balanced, cross_validated, labelled, table
from flips import Case
from numpy.typing import NDArray
from verification_sets import clapnq, financebench, summedits, wice

from rag.checking.check import verify
from rag.checking.claims import claim_of
from rag.checking.evidence import Embed
from rag.checking.score import coefficients, probability
from rag.embedder import Embedder
from rag.sentences import sentences
from rag.settings import Settings

Rows = NDArray[np.intp]
Measure = Callable[[Rows], float]
RESAMPLES = 500
OBJECTIONS = ("contradicts", "unsupported")


def auroc(true: Flags, scores: Floats) -> float:
    """Share of pairs of a true and a false one that the scores order rightly, ties half."""
    if true.all() or not true.any():
        return float("nan")
    order = np.sort(scores[~true])
    below = np.searchsorted(order, scores[true], "left")
    upto = np.searchsorted(order, scores[true], "right")
    return float(((below + upto) / 2).mean() / len(order))


def interval(groups: Sequence[str], measure: Measure) -> str:
    """«value [low, high]»: ``measure`` of row numbers, resampled by group."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    names = sorted(members)
    rng = random.Random(7)
    found = []
    for _ in range(RESAMPLES):
        rows = [i for name in rng.choices(names, k=len(names)) for i in members[name]]
        value = measure(np.array(rows))
        if not np.isnan(value):
            found.append(value)
    value = measure(np.arange(len(groups)))
    if not found or np.isnan(value):
        return "–"
    low, high = np.percentile(found, [2.5, 97.5])
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def share(flags: Flags, among: Flags | None = None) -> Measure:
    """Share of the flagged rows, among some of them; of no rows not a number."""

    def measured(rows: Rows) -> float:
        picked = flags[rows] if among is None else flags[rows][among[rows]]
        return float(picked.mean()) if len(picked) else float("nan")

    return measured


def balanced_of(true: Flags, said: Flags) -> Measure:
    """Balanced accuracy of the rows, where both classes are among them."""

    def measured(rows: Rows) -> float:
        both = 0 < true[rows].sum() < len(rows)
        return balanced(true[rows], said[rows]) if both else float("nan")

    return measured


def auroc_of(true: Flags, scores: Floats) -> Measure:
    """AUROC of the rows."""
    return lambda rows: auroc(true[rows], scores[rows])


def alarms(rows: Table, rule: str = "any") -> Flags:
    """Rows on which a rule objects, or this one."""
    return np.array(
        [
            any(f.effect in OBJECTIONS and rule in ("any", f.rule) for f in findings)
            for findings in rows.findings
        ]
    )


def documents(rows: Table, here: Rows) -> list[str]:
    return [rows.cases[i].document for i in here]


def claims_table(rows: Table, scores: Floats, sets: dict[str, tuple[str, ...]]) -> None:
    """Balanced accuracy, AUROC and recall on unsupported; the rules alone, the score, both."""
    accept, alarm = coefficients().accept, alarms(rows)
    print("| set | n | system | balanced accuracy | AUROC | recall on unsupported |")
    print("| --- | --- | --- | --- | --- | --- |")
    systems = {
        "rules alone": (~alarm, None),
        "score alone": (scores >= accept, scores),
        "offline default": ((scores >= accept) & ~alarm, capped(scores, alarm)),
    }
    for name, sources in sets.items():
        here = np.flatnonzero(rows.of(*sources))
        groups, true = documents(rows, here), rows.true[here]
        for system, (yes, ranked) in systems.items():
            said = yes[here]
            cells = [
                interval(groups, balanced_of(true, said)),
                "–" if ranked is None else interval(groups, auroc_of(true, ranked[here])),
                interval(groups, share(~said, ~true)),
            ]
            print(f"| {name} | {len(here)} | {system} | {' | '.join(cells)} |", flush=True)


def capped(scores: Floats, alarm: Flags) -> Floats:
    """Scores as they are ranked: whatever raises an alarm below whatever raises none."""
    return np.where(alarm, scores / 10 - 1, scores)


def alarms_table(rows: Table, sets: dict[str, tuple[str, ...]]) -> None:
    """Precision, recall and false-alarm share of the hard alarms, all and one by one."""
    rules = sorted({f.rule for fs in rows.findings for f in fs if f.effect in OBJECTIONS})
    print("| alarm | set | precision | recall on unsupported | false on supported |")
    print("| --- | --- | --- | --- | --- |")
    for rule in ("any", *rules):
        fired = alarms(rows, rule)
        for name, sources in sets.items():
            here = np.flatnonzero(rows.of(*sources))
            if not fired[here].any():
                continue
            groups, true, raised = documents(rows, here), rows.true[here], fired[here]
            cells = [
                interval(groups, measure)
                for measure in (share(~true, raised), share(raised, ~true), share(raised, true))
            ]
            print(f"| {rule} | {name} | {' | '.join(cells)} |", flush=True)


def flips_table(rows: Table, scores: Floats) -> None:
    """Detection of planted flips where 5 % of the same claims untouched are flagged.

    Claims are ranked by alarm, then by score; the cut is set on the untouched claims of the
    column. Beside it what is flagged as shipped: an alarm, or a score below the lower cut.
    """
    alarm = alarms(rows)
    ranked, shown = capped(scores, alarm), alarm | (scores < coefficients().reject)
    columns = {"all": (), "CLAPNQ": ("CLAPNQ",), "WiCE": ("WiCE",), "SummEdits": EDITS}
    lines: dict[str, list[str]] = {
        k: [] for k in ("untouched", *sorted({k for k in rows.flip if k}))
    }
    for sources in columns.values():
        untouched = rows.of(*sources) & rows.true
        cut = float(np.quantile(ranked[untouched], 0.05))
        for kind, cells in lines.items():
            picked = untouched if kind == "untouched" else rows.of(*sources, flip=kind)
            here = np.flatnonzero(picked)
            groups = documents(rows, here)
            cells.append(interval(groups, share(ranked[here] < cut)))
            cells.append(f"{shown[here].mean():.2f}" + f" (n {len(here)})")
    print("| flip | " + " | ".join(f"{c}, at 5 % | as shipped" for c in columns) + " |")
    print("| --- |" + " --- |" * 2 * len(columns))
    for kind, cells in lines.items():
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


def shipped_table(cases: Sequence[Case]) -> None:
    """The shipped coefficients on a file: what `accept` and the alarms say."""
    rows = table(cases)
    names = list(coefficients().weights)
    scores = np.array([probability(dict(zip(names, v, strict=True))) for v in rows.values])
    sources = {s: (s,) for s in dict.fromkeys(c.source for c in cases)}
    claims_table(rows, scores, sources)
    alarms_table(rows, sources)


def judged(case: Case) -> tuple[float, float]:
    """(share of an answer's claims that are flagged, lowest score)."""
    claims = [claim for s in sentences(case.claim) if (claim := claim_of(s))]
    verdicts = [
        verify(c, case.evidence, question=case.question, titles=case.titles) for c in claims
    ]
    if not verdicts:
        return 0.0, 0.5
    flagged = [v.label in ("contradicted", "not_supported") for v in verdicts]
    scores = [v.score if v.score is not None else 0.5 for v in verdicts]
    return float(np.mean(flagged)), float(np.mean(scores))


def human_table(folder: Path) -> None:
    """Do answers that people marked wrong get more flags than those they marked right?"""
    rows = [(case, label) for case, label in financebench(folder) if label != "Refusal"]
    true = np.array([label == "Correct Answer" for _, label in rows])
    told = [judged(case) for case, _ in rows]
    questions = [case.document for case, _ in rows]
    print(
        "| FinanceBench, refusals left out | AUROC | share flagged, wrong | share flagged, right |"
    )
    print("| --- | --- | --- | --- |")
    for name, risk in (
        ("share of flagged sentences", -np.array([f for f, _ in told])),
        ("mean score", np.array([s for _, s in told])),
    ):
        flagged = np.array([f > 0 for f, _ in told])
        print(
            f"| {name}, n {len(rows)} | {interval(questions, auroc_of(true, risk))} "
            f"| {flagged[~true].mean():.2f} | {flagged[true].mean():.2f} |"
        )


def evidence_table(cases: Sequence[Case]) -> None:
    """How often a sentence that people marked as support is among those shown."""
    known = [c for c in cases if c.needed and c.supported]
    groups = [c.document for c in known]
    print(
        f"| WiCE dev, {len(known)} supported claims | a marked sentence is shown |\n| --- | --- |"
    )
    for name, vectors in (("by words", None), ("by words and vectors", stored(known))):
        shown = [
            {q.text for q in verify(c.claim, c.evidence, embed=vectors).evidence} for c in known
        ]
        held = [
            any(n.strip() in q or q in n for n in c.needed for q in quotes)
            for c, quotes in zip(known, shown, strict=True)
        ]
        print(f"| {name} | {interval(groups, share(np.array(held)))} |", flush=True)


def stored(cases: Sequence[Case]) -> Embed:
    """Vectors as an index keeps them: every sentence of the evidence embedded beforehand."""
    embed = Embedder(Settings()).embed_sentences
    texts = sorted({s for c in cases for e in c.evidence for s in sentences(e)})
    kept = dict(zip(texts, embed(texts), strict=True))

    def look_up(wanted: Sequence[str]) -> Floats:
        new = [t for t in wanted if t not in kept]
        fresh = dict(zip(new, embed(new), strict=True)) if new else {}
        return np.array([kept[t] if t in kept else fresh[t] for t in wanted])

    return look_up


def speed_table(cases: Sequence[Case]) -> None:
    """Milliseconds a claim: evidence met for the first time, met before, and with embeddings."""
    vectors = stored(cases)
    print("| | p50 ms | p95 ms |\n| --- | --- | --- |")
    for name, again, embed in (
        ("evidence met first", False, None),
        ("evidence met before", True, None),
        ("met before, its vectors stored, the claim embedded", True, vectors),
    ):
        spent = []
        for number, case in enumerate(cases):
            evidence = case.evidence if again else (*case.evidence, f"Note {number} of the clerk.")
            if again:
                verify(case.claim, evidence)
            started = time.perf_counter()
            verify(case.claim, evidence, embed=embed)
            spent.append(1000 * (time.perf_counter() - started))
        p50, p95 = np.percentile(spent, [50, 95])
        print(f"| {name} | {p50:.1f} | {p95:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--wice", type=Path)
    parser.add_argument("--summedits", type=Path, nargs="*")
    options = parser.parse_args()
    if options.wice or options.summedits:
        cases = wice(options.wice) if options.wice else []
        shipped_table([*cases, *(c for p in options.summedits or () for c in summedits(p))])
        return
    rows = labelled(options.data)
    scores = cross_validated(rows)
    sets = {"WiCE dev": ("WiCE",), "SummEdits": EDITS, **{e: (e,) for e in EDITS}}
    print("\n### Labelled claims\n")
    claims_table(rows, scores, sets)
    print("\n### Hard alarms\n")
    alarms_table(rows, {"WiCE dev": ("WiCE",), "SummEdits": EDITS})
    print("\n### Planted flips in true paraphrases, at 5 % false alarms\n")
    flips_table(rows, scores)
    print("\n### Human verdicts\n")
    human_table(options.data / "financebench")
    print("\n### Evidence shown\n")
    evidence_table([c for c in rows.cases if c.source == "WiCE" and not c.flip][::3])
    print("\n### Time a claim\n")
    some = [c for c in rows.cases if not c.flip][::40] + clapnq(options.data / "clapnq")[:40]
    speed_table(some)


if __name__ == "__main__":
    main()
