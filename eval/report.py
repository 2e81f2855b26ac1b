"""Everything that a report says about a run, worked out before any of it is written in a format.

run, its figures, the comparison, the runs before ─▶ Report ─▶ HTML, Markdown, JUnit XML
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from eval.compare import compare
from eval.corrections import JudgeRecord, record_for
from eval.flips import outcome
from eval.history import History
from eval.records import Comparison, EvaluationRun, Failure, Mark, Question, Result
from eval.report_headline import Tone, headline
from eval.report_words import name
from eval.summary import complete, kept_figures
from rag.errors import UsageError

#: Runs in a trend. Set by hand: a month of nights.
TREND = 30
#: Answers that a headline points to. Set by hand: as many as a person looks at before coffee.
FIRST = 3


@dataclass(frozen=True, slots=True)
class Look:
    """An answer that a person should look at, and why; ``result`` is of this run."""

    question: Question
    why: str
    result: Result


@dataclass(frozen=True, slots=True)
class Past:
    """A run of the same file of questions, with its figures as `eval.summary.figures_of` gives
    them. ``edited``: its questions are not all those of the run before it."""

    run_id: str
    started: str
    summary: dict[str, Any]
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What is shown of a run. ``trend`` ends with the run itself; ``looks`` are the answers of
    this run that something is wrong with, worst first; ``headline`` a sentence to act on."""

    run: EvaluationRun
    summary: dict[str, Any]
    comparison: Comparison | None
    baseline_started: str | None
    trend: tuple[Past, ...]
    looks: tuple[Look, ...]
    tone: Tone
    headline: str
    judge: JudgeRecord | None

    @property
    def first(self) -> tuple[Question, ...]:
        """The questions to look at first: those that became worse, else those that are bad."""
        worse = [f.question for f in self.comparison.flips if f.worse] if self.comparison else []
        return tuple(worse or [look.question for look in self.looks])[:FIRST]


def build_report(history: History, run_id: str = "last", baseline: str | None = "last") -> Report:
    """The report on a run of the history.

    ``baseline``: «last» for the run that `History.before` gives, an id, or None for no comparison.
    Raises UsageError for a run that is not there or has no results.
    """
    run = history.load(run_id)
    if not run.results:
        raise UsageError(
            f"run {run.run_id} is {run.state} and answered nothing: {history.reason(run.run_id)}",
            "rag eval history lists the runs",
        )
    before = history.baseline(run, baseline, "--baseline")
    comparison = compare(before, run) if before else None
    judge = record_for(run.provenance.verifier, history.path)
    figures = kept_figures(history, run)
    tone, sentence = headline(run, comparison, before.started if before else None)
    return Report(
        run=run,
        summary=complete(figures, run, judge, comparison),
        comparison=comparison,
        baseline_started=before.started if before else None,
        trend=tuple(_trend(history, run, figures)),
        looks=tuple(_looks(run)),
        tone=tone,
        headline=sentence,
        judge=judge,
    )


def _trend(history: History, run: EvaluationRun, figures: dict[str, Any]) -> Iterator[Past]:
    """The runs before this one and itself, oldest first."""
    earlier = list(islice(history.earlier(run.run_id), TREND - 1))
    digest = None
    for past in (*reversed(earlier), run):
        asked = past.provenance.questions_digest
        edited = digest not in (None, asked)
        shown = figures if past is run else kept_figures(history, past)
        yield Past(past.run_id, past.started, shown, edited)
        digest = asked


# ---------------------------------------------------------------------- answers to look at

_ANSWERED = ("unverified", "no mismatch found", "supported")


def _wrong(result: Result) -> tuple[int, str] | None:
    """What is wrong with an answer: (0 for the worst kind, in words); None where nothing is."""
    came, answerable = outcome(result), result.question.answerable
    if isinstance(result, Failure):
        return 0, "no answer"
    if came == "flagged":
        return 1, "a claim is contradicted or not supported"
    if came in _ANSWERED and answerable is False:
        return 2, "answered though unanswerable"
    if came not in _ANSWERED and answerable is True:
        return 3, "refused though answerable" if came == "refused" else came
    unmet = [
        m for m in result.marks
        if m.outcome == "UNMET" and m.check in ("factual_accuracy", "task_completion")
    ]  # fmt: skip
    return (4, f"{name(unmet[0].check)}: {unmet[0].reason}") if unmet else None


def _looks(run: EvaluationRun) -> list[Look]:
    """One look a question, at its worst reply."""
    worst: dict[str, tuple[int, Look]] = {}
    for result in run.results:
        found = _wrong(result)
        known = worst.get(result.question.id)
        if found and (known is None or found[0] < known[0]):
            worst[result.question.id] = (found[0], Look(result.question, found[1], result))
    return [look for _, look in sorted(worst.values(), key=lambda w: w[0])]


# ---------------------------------------------------------------------- shared by the formats


def reasons(run: EvaluationRun, criterion: str, most: int = 3) -> list[tuple[str, int]]:
    """The commonest reasons for which a criterion was not met, with how often."""
    told = Counter(
        m.reason
        for r in run.replies
        for m in r.marks
        if m.criterion == criterion and m.outcome == "UNMET"
    )
    return told.most_common(most)


def checked(marks: Sequence[Mark], check: str) -> Literal["MET", "UNMET", "CANNOT_ASSESS"]:
    """A check of one reply as a whole: unmet when any of its criteria is."""
    outcomes = {m.outcome for m in marks if m.check == check}
    if "UNMET" in outcomes:
        return "UNMET"
    return "MET" if "MET" in outcomes else "CANNOT_ASSESS"


def problem(result: Result) -> str:
    """Why there is no answer; empty where there is one."""
    return f"{result.kind}: {result.problem}" if isinstance(result, Failure) else ""
