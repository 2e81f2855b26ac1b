"""What people see of a run in a terminal: a compact table, what got worse, where to look first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any

from eval import figures
from eval.changes import changed
from eval.records import CHECKS, Comparison, EvaluationRun, Question, Reply
from rag.render import one_line, width

#: Answers named to be looked at first. Set by hand: as many as are looked at.
_FIRST = 3
_CHECK_NAMES = {
    "factual_accuracy": "factual accuracy",
    "task_completion": "task completion",
    "formatting": "formatting",
    "speed_check": "speed",
    "consistency": "consistency",
}
_SHARE_NAMES = {
    "groundedness": "supported",
    "no_mismatch": "no mismatch found",
    "flagged": "flagged",
    "unverified": "not checked",
}
_OTHER_NAMES = {
    "hit@5": "right file among five",
    "page_hit@5": "right page among five",
    "false_answers": "answered, though unanswerable",
    "false_refusals": "refused, though answerable",
    "refused": "refused, where nobody said",
    "unscored": "questions without an answer",
    "claims_not_judged": "claims that no judge could score",
}


def run_lines(
    run: EvaluationRun, summary: Mapping[str, Any], comparison: Comparison | None, report: str
) -> list[str]:
    """A finished run, for a terminal; every text in it is inert. ``report``: the command that
    shows all of it."""
    return [
        _title(run),
        "",
        *_table(summary),
        "",
        *_compared(run, comparison),
        *_needed(summary),
        *_first_looks(run, comparison),
        f"All of it: {report}",
    ]


def _title(run: EvaluationRun) -> str:
    times = f", asked {run.repeats} times" if run.repeats > 1 else ""
    ended = "" if run.state == "done" else f" · {run.state}"
    return f"Run {run.run_id}{ended} · {run.questions:,} questions{times} · {_writer(run)}"


def _writer(run: EvaluationRun) -> str:
    writer = run.provenance.generator
    return one_line(writer.get("model") or writer["kind"])


def _table(summary: Mapping[str, Any]) -> Iterator[str]:
    """Rates with their 95 % intervals, and of how many."""
    yield f"{'':34}{'rate, 95 % interval':24}of"
    for name, shown in _CHECK_NAMES.items():
        yield _row(shown, summary[name], "questions")
    yield f"claims ({summary['claims']:,})"
    for name, shown in _SHARE_NAMES.items():
        yield _row(f"  {shown}", summary[name], "claims")
    rates = {
        **summary["retrieval"],
        **summary["abstention"],
        "unscored": summary["unscored"],
        "claims_not_judged": summary["not_judged"]["claims_not_judged"],
    }
    if summary["refused"]["n"]:
        rates["refused"] = summary["refused"]
    for name, shown in _OTHER_NAMES.items():
        if name in rates:
            yield _row(shown, rates[name], "claims" if name.startswith("claims") else "questions")
    if total := summary["speed"].get("total"):
        half, most = figures.seconds(total["p50"]), figures.seconds(total["p95"])
        yield f"{'seconds for an answer':34}{half} median, {most} for the slowest 5 %"


def _row(name: str, rate: Mapping[str, Any], what: str) -> str:
    told = figures.rate(rate)
    count = f"{rate['n']:,} {what}" if rate["n"] else "nothing to judge it by"
    return f"{name:34}{told:24}{count}"


def _compared(run: EvaluationRun, comparison: Comparison | None) -> Iterator[str]:
    """What became better or worse, and on how many questions that stands."""
    if comparison is None:
        yield "No earlier run of these questions to compare with."
        return
    asked = max((d.pairs for d in comparison.differences), default=0)
    yield (
        f"Compared with run {comparison.baseline_id} on {asked:,} of {run.questions:,} questions: "
        f"{_what_changed(comparison.changed)}"
    )
    if not asked:
        return
    told = [d for d in comparison.differences if d.verdict in ("worse", "better")]
    for d in told:
        before, after = figures.before_after(d)
        name = d.metric.replace("_", " ")
        of = "" if d.pairs == asked else f", of {d.pairs:,}"
        yield f"  {d.verdict}: {name} {before} → {after}, {figures.change(d)}{of}"
    if not told:
        yield "  nothing better or worse by more than chance"
    worse = sum(f.worse for f in comparison.flips)
    if comparison.flips:
        yield f"  {len(comparison.flips)} answers came out differently, {worse} of them worse"


def _what_changed(names: Sequence[str]) -> str:
    return shorten("; ".join(map(one_line, names)), 300) if names else "nothing was changed"


def _needed(summary: Mapping[str, Any]) -> Iterator[str]:
    """How many questions it takes to see 5 points."""
    for name in ("task_completion", "flagged"):
        count = summary["questions_needed"].get(name, {}).get("5%")
        if count:
            shown = name.replace("_", " ")
            yield f"To see a change of 5 points in {shown}: up to {count:,} questions"


def _first_looks(run: EvaluationRun, comparison: Comparison | None) -> Iterator[str]:
    looks = list(_looks(run, comparison))[:_FIRST]
    if looks:
        yield "Look at these first:"
    for question, why in looks:
        told = one_line(question.question)
        yield "  " + shorten(f"{one_line(question.id)}: {told}", width() - 4, placeholder=" …")
        yield "      " + shorten(one_line(why), width() - 8, placeholder=" …")


def _looks(run: EvaluationRun, comparison: Comparison | None) -> Iterator[tuple[Question, str]]:
    """Answers that became worse, then those without an answer, then those that miss most."""
    seen: set[str] = set()
    for flip in comparison.flips if comparison else ():
        if flip.worse and flip.question.id not in seen:
            seen.add(flip.question.id)
            yield flip.question, flip.what
    for failure in run.failures:
        if failure.question.id not in seen:
            seen.add(failure.question.id)
            yield failure.question, f"no answer: {failure.problem}"
    for reply in sorted(run.replies, key=lambda r: -_missed(r)):
        if reply.question.id not in seen and _missed(reply):
            seen.add(reply.question.id)
            worst = max((m for m in reply.marks if m.outcome == "UNMET"), key=_weight)
            yield reply.question, f"{worst.criterion.replace('_', ' ')}: {worst.reason}"


def _missed(reply: Reply) -> float:
    return sum(_weight(m) for m in reply.marks if m.outcome == "UNMET")


def _weight(mark: Any) -> float:
    """By the order of the checks where weights are equal: what is said before how it is said."""
    return float(mark.weight) + 0.01 * (len(CHECKS) - CHECKS.index(mark.check))


# ------------------------------------------------------------------ history


def history_lines(entry: Mapping[str, Any]) -> list[str]:
    """One run of the history, as `history_entry` gives it: a line, and what else is to be said of
    it below."""
    when, writer = entry["started"][:16].replace("T", " "), entry["generator"]
    figures_of_run = entry["figures"]
    parts = [
        f"{entry['questions']:,} questions",
        *(_told(figures_of_run) if figures_of_run else ()),
    ]
    parts.append(one_line(writer.get("model") or writer["kind"]))
    lines = [f"{entry['run_id']}  {when}  {entry['state']:11}  {' · '.join(parts)}"]
    if entry["reason"]:
        lines.append(f"    {one_line(entry['reason'])}")
    if entry["changed"]:
        lines.append(f"    changed: {_what_changed(entry['changed'])}")
    return lines


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    names = {"groundedness": "grounded", "flagged": "flagged", "task_completion": "completed"}
    for name, shown in names.items():
        yield f"{shown} {figures.percent(found[name]['value'])}"
    if found["p50_s"] is not None:
        yield f"{figures.seconds(found['p50_s'])} an answer"


def history_entry(
    run: EvaluationRun,
    summary: Mapping[str, Any] | None,
    before: EvaluationRun | None,
    reason: str,
) -> dict[str, Any]:
    """The same as a document; figures None for a run that was not done."""
    told: dict[str, Any] | None = None
    if summary:
        told = {n: summary[n] for n in ("groundedness", "flagged", "task_completion")}
        told["p50_s"] = summary["speed"].get("total", {}).get("p50")
    return {
        "run_id": run.run_id,
        "started": run.started,
        "finished": run.finished,
        "state": run.state,
        "reason": reason,
        "due": run.due,
        "questions": run.questions,
        "repeats": run.repeats,
        "questions_digest": run.provenance.questions_digest,
        "generator": run.provenance.generator,
        "figures": told,
        "changed": list(changed(before.provenance, run.provenance)) if before else None,
    }
