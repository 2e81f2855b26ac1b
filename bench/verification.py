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
from fit_checker import (
    EDITS,
    Flags,
    Floats,
    Table,
    balanced,
    cross_validated,
    even,
    labelled,
    table,
)
from flips import Case
from numpy.typing import NDArray
from verification_sets import clapnq, financebench, samples, summedits, wice
from verification_sets import rows as rows_of

from rag.checking.check import verify
from rag.checking.claims import claim_of
from rag.checking.evidence import Embed
from rag.checking.material import material
from rag.checking.quantities import quantities
from rag.checking.reading import read
from rag.checking.score import coefficients, probability
from rag.embedder import Embedder
from rag.sentences import sentences
from rag.settings import Settings

Rows = NDArray[np.intp]
Measure = Callable[[Rows], float]
RESAMPLES = 500
OBJECTIONS = ("contradicts", "unsupported")
FLAGGED = ("contradicted", "not_supported")


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
    column. Every document counts the same, except in the column that says otherwise. As shipped:
    an alarm, or a score below the lower cut.
    """
    alarm = alarms(rows)
    ranked, shown = capped(scores, alarm), alarm | (scores < coefficients().reject)
    talk = np.array([material(c.evidence).talk for c in rows.cases])
    everywhere = np.ones(len(talk), dtype=bool)
    columns = {
        "all": everywhere, "without conversations": ~talk, "all, every claim alike": everywhere,
        **{s: rows.of(s, flip=None) for s in ("CLAPNQ", "WiCE", "samples")},
        "SummEdits": rows.of(*EDITS, flip=None), "its prose": rows.of(*EDITS, flip=None) & ~talk,
    }  # fmt: skip
    kinds = ("", *sorted({k for k in rows.flip if k}))
    lines: dict[str, list[str]] = {k: [] for k in kinds}
    flip = np.array(rows.flip)
    for name, column in columns.items():
        alike = "claim" in name
        untouched = column & (flip == "") & rows.true
        cut = threshold(ranked[untouched], evened(rows, untouched, alike=alike)[untouched], 0.05)
        for kind, cells in lines.items():
            picked = untouched if kind == "" else column & (flip == kind)
            here, weight = np.flatnonzero(picked), evened(rows, picked, alike=alike)[picked]
            cells.append(interval(documents(rows, here), weighted(ranked[here] < cut, weight)))
            if name == "without conversations":
                every = np.arange(len(here))
                cells.append(f"{weighted(shown[here], weight)(every):.2f} (n {len(here)})")
    heads = [
        f"{c}, at 5 %" + (" | as shipped" if c == "without conversations" else "") for c in columns
    ]
    print("| flip | " + " | ".join(heads) + " |")
    print("| --- |" + " --- |" * (len(columns) + 1))
    for kind, cells in lines.items():
        print(f"| {kind or 'untouched'} | " + " | ".join(cells) + " |", flush=True)


def evened(rows: Table, picked: Flags, *, alike: bool) -> Floats:
    """Weights of the picked rows: every claim alike, or every document."""
    return picked / max(1, picked.sum()) if alike else even(rows, picked)


def weighted(flags: Flags, weight: Floats) -> Measure:
    """Weighted share of the flagged rows; of no rows not a number."""
    return lambda rows: (
        float(np.average(flags[rows], weights=weight[rows])) if len(rows) else float("nan")
    )


def threshold(ranked: Floats, weight: Floats, share: float) -> float:
    """The cut below which at most this share of the weight lies."""
    order = np.argsort(ranked)
    below = np.cumsum(weight[order]) / weight.sum()
    first = int(np.searchsorted(below, share, "right"))
    return float(ranked[order[min(first, len(order) - 1)]])


def shipped_table(cases: Sequence[Case]) -> None:
    """The shipped coefficients on a file: what `accept` and the alarms say."""
    rows = table(cases)
    names = list(coefficients().weights)
    scores = np.array([probability(dict(zip(names, v, strict=True))) for v in rows.values])
    sources: dict[str, tuple[str, ...]] = {s: (s,) for s in dict.fromkeys(c.source for c in cases)}
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


def verbatim_table(texts: dict[str, list[str]]) -> None:
    """Whole sentences of the sources, one a text, checked against the text they stand in: whatever
    the checker says against them, or leaves in doubt, is its own mistake."""
    print("| sentences of | n | supported | no mismatch found | in doubt | objected to |")
    print("| --- | --- | --- | --- | --- | --- |")
    rng = random.Random(5)
    for name, some in texts.items():
        picked = []
        for text in dict.fromkeys(some):
            whole = [s for s in sentences(text) if claim_of(s) and 5 <= len(s.split()) <= 40]
            if whole:
                picked.append((rng.choice(whole), text))
        labels = [verify(sentence, [text]).label for sentence, text in picked[:400]]
        each = [str(n) for n in range(len(labels))]
        shares = [
            interval(each, share(np.array([label in kinds for label in labels])))
            for kinds in (("supported",), ("no_mismatch",), ("unverified",), FLAGGED)
        ]
        print(f"| {name} | {len(labels)} | {' | '.join(shares)} |")


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
    """Milliseconds of processor time a claim: evidence met for the first time, met before, and
    with embeddings. On an idle core that is the time one waits."""
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
            started = time.process_time()
            verify(case.claim, evidence, embed=embed)
            spent.append(1000 * (time.process_time() - started))
        p50, p95 = np.percentile(spent, [50, 95])
        print(f"| {name} | {p50:.1f} | {p95:.1f} |", flush=True)


def answer_table(cases: Sequence[Case]) -> None:
    """The same for an answer of six sentences against five passages that were never read."""
    spent = []
    for number in range(40):
        some = cases[5 * number % len(cases) :][:5]
        passages = tuple(text for case in some for text in case.evidence)[:5]
        said = [s for case in some for s in sentences(case.claim) if claim_of(s)][:6]
        if len(said) < 6:
            continue
        for cache in (material, read, quantities):
            cache.cache_clear()
        started = time.process_time()
        for sentence in said:
            verify(sentence, passages)
        spent.append(1000 * (time.process_time() - started))
    p50, p95 = np.percentile(spent, [50, 95])
    print(f"| {len(spent)} answers of six sentences, five passages read once | "
          f"{p50:.1f} | {p95:.1f} |")  # fmt: skip


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
    print("\n### Sentences as they stand\n")
    reports = [
        text for case, _ in financebench(options.data / "financebench") for text in case.evidence
    ]
    verbatim_table({
        "CLAPNQ passages": [r["text"] for r in rows_of(options.data / "clapnq" / "passages.jsonl")],
        "FinanceBench evidence": reports,
        "SummEdits documents": [t for c in rows.cases if c.source in EDITS for t in c.evidence],
        "samples": [t for case in samples() for t in case.evidence],
    })  # fmt: skip
    print("\n### Evidence shown\n")
    evidence_table([c for c in rows.cases if c.source == "WiCE" and not c.flip][::3])
    print("\n### Time\n")
    some = [c for c in rows.cases if not c.flip][::40] + clapnq(options.data / "clapnq")[:40]
    speed_table(some)
    answer_table(clapnq(options.data / "clapnq"))


if __name__ == "__main__":
    main()
