"""The offline judge beside people: FinanceBench answers of 16 systems, marked by hand.

    python bench/human_verdicts.py [--data ../shared/data]
    python bench/human_verdicts.py --ship    # eval/offline_calibration.json anew

Each answer is checked, claim by claim, against the evidence pages that people named for its
question. Refusals are left out: they claim nothing. Intervals draw whole questions, since the
answers of 16 systems to one question are not independent.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from flips import Case
from verification_sets import financebench

from eval.agreement import Agreement, Labelled, agreement, judge
from eval.corrections import make_record, shipped_labels, stored, told

SHIPPED = Path(__file__).parents[1] / "eval" / "offline_calibration.json"


def labels(cases: Sequence[Case]) -> list[Labelled]:
    """Answers as `rag eval calibrate` takes them, one group a question."""
    return [
        Labelled("answer", c.claim, c.evidence, c.supported, c.document, c.question) for c in cases
    ]


def claims_of(label: Labelled) -> list[Labelled]:
    """The claims of an answer, each labelled as the answer was."""
    from rag.checking.claims import claim_of
    from rag.sentences import sentences

    found = [claim for s in sentences(label.text) if (claim := claim_of(s))]
    return [
        Labelled("claim", c, label.evidence, label.supported, label.group, label.question)
        for c in found
    ]


def row(name: str, found: Agreement) -> str:
    cells = [told(found.kappa), told(found.sensitivity), told(found.specificity)]
    lost = f"{found.not_judged.value or 0:.1%}"
    return f"| {name} | {found.n} | {lost} | {' | '.join(cells)} |"


def ship() -> None:
    """Write down what the offline rules make of the labelled claims that ship."""
    known = shipped_labels()
    found = agreement(known, list(judge(known, None)))
    record = make_record(None, "the labelled claims that ship", found)
    SHIPPED.write_text(stored(record), encoding="utf-8")
    print("\n".join(record.lines()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    options = parser.parse_args()
    if options.ship:
        ship()
        return
    marked = financebench(options.data / "financebench")
    known = labels([case for case, mark in marked if mark != "Refusal"])
    parts = [claims_of(label) for label in known]
    flags = iter(list(judge([c for claims in parts for c in claims], None)))
    by_answer = [[next(flags) for _ in claims] for claims in parts]
    judged = [[f for f in claims if f is not None] for claims in by_answer]
    any_flag = [any(f) if f else None for f in judged]
    most = [sum(f) / len(f) > 0.5 if f else None for f in judged]
    short = [i for i, claims in enumerate(parts) if len(claims) == 1]
    print(
        f"{len(marked)} answers, {len(marked) - len(known)} refusals left out; "
        f"{sum(not label.supported for label in known)} of the rest marked wrong.\n"
    )
    print("| an answer counts as flagged if | n | not judged | κ | sensitivity | specificity |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(row("any claim of it is", agreement(known, any_flag)))
    print(row("more than half of its claims are", agreement(known, most)))
    few = agreement([known[i] for i in short], [any_flag[i] for i in short])
    print(row("its only claim is (answers of one claim)", few))


if __name__ == "__main__":
    main()
