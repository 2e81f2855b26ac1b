"""Questions that came out differently in two runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from eval.records import EvaluationRun, Failure, Flip, Reply, Result

#: What became of a question, from bad to good, if it has an answer in the documents…
_ANSWERABLE = (
    "no answer", "flagged", "refused", "nothing claimed", "unverified", "no mismatch found",
    "supported",
)  # fmt: skip
#: …and if it has none: whatever was answered is wrong, and the more so where it was flagged.
_UNANSWERABLE = (
    "no answer", "flagged", "unverified", "no mismatch found", "supported", "nothing claimed",
    "refused",
)  # fmt: skip


def flips(baseline: EvaluationRun, run: EvaluationRun, same: Collection[str]) -> list[Flip]:
    """Questions, of those with the ids ``same``, whose commonest outcome differs, worst first."""
    before, after = (_outcomes(r) for r in (baseline, run))
    found = []
    for name in (i for i in after if i in same):
        (was, shown), (is_, now) = before[name], after[name]
        if was == is_:
            continue
        order = _UNANSWERABLE if now.question.answerable is False else _ANSWERABLE
        steps = order.index(is_) - order.index(was)
        flip = Flip(now.question, _answer(shown), _answer(now), f"{was} → {is_}", steps < 0)
        found.append((steps, name, flip))
    return [flip for _, _, flip in sorted(found, key=lambda f: f[:2])]


def _outcomes(run: EvaluationRun) -> dict[str, tuple[str, Result]]:
    """Question id → its commonest outcome over the repeats, and the first result that shows it."""
    asked: dict[str, list[tuple[str, Result]]] = {}
    for result in run.results:
        asked.setdefault(result.question.id, []).append((outcome(result), result))
    return {
        name: max(told, key=lambda t: sum(t[0] == other for other, _ in told))
        for name, told in asked.items()
    }


def outcome(result: Result) -> str:
    """What became of a question, in words; of several claims the worst decides."""
    if isinstance(result, Failure):
        return "no answer"
    if result.answer["refused"]:
        return "refused"
    summary = result.answer["summary"]
    worst = (
        ("flagged", "flagged"),
        ("unverified", "unverified"),
        ("no_mismatch", "no mismatch found"),
        ("supported", "supported"),
    )
    return next((word for verdict, word in worst if summary[verdict]), "nothing claimed")


def _answer(result: Result) -> dict[str, Any]:
    """What is shown of a question: its answer, or in the same form why there is none."""
    if isinstance(result, Reply):
        return result.answer
    return {
        "question": result.question.question,
        "answer": "",
        "refused": False,
        "refusal_reason": None,
        "sentences": [],
        "passages": [],
        "summary": {"supported": 0, "no_mismatch": 0, "flagged": 0, "unverified": 0},
        "failure": result.problem,
        "notices": [],
    }
