"""One sentence that a person can act on: what became worse, or how large a drop would have been
seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

from eval.compare import LEVEL, is_time
from eval.figures import change
from eval.records import Comparison, Difference, EvaluationRun
from eval.report_words import moment, name
from eval.statistics import student, unseen

Tone = Literal["worse", "better", "level", "first", "unfinished"]
#: Figures that a headline names. Set by hand: as many as a sentence carries.
_NAMED = 3


def headline(
    run: EvaluationRun, comparison: Comparison | None, since: str | None
) -> tuple[Tone, str]:
    """How a run compares, in a word and in a sentence; ``since`` is when the baseline started."""
    asked = len({r.question.id for r in run.results})
    if run.state != "done":
        state = "still running" if run.state == "running" else run.state
        return "unfinished", (
            f"This run is {state}: {asked} of {run.questions} questions were asked, so its"
            " figures are of those alone."
        )
    if comparison is None or since is None:
        return "first", f"Nothing to compare with: {asked} questions, and no run of them before."
    when = f"the run of {moment(since)}"
    worse = [d for d in comparison.differences if d.verdict == "worse"]
    better = [d for d in comparison.differences if d.verdict == "better"]
    if worse:
        return "worse", f"Worse since {when}: {_told(worse)}."
    if better:
        return "better", f"Better since {when}: {_told(better)}; nothing got worse."
    return "level", _nothing_worse(run, comparison, when)


def _told(differences: Sequence[Difference]) -> str:
    """The first few figures with their changes."""
    kept = telling(differences)
    told = [f"{name(d.metric)} {change(d)}" for d in kept[:_NAMED]]
    if len(kept) > _NAMED:
        told.append(f"and {len(kept) - _NAMED} more")
    return "; ".join(told)


def telling(differences: Sequence[Difference]) -> list[Difference]:
    """Without the stages of an answer where the time for the whole is among them."""
    whole = any(d.metric == "total_s" for d in differences)
    return [d for d in differences if not (whole and is_time(d.metric) and d.metric != "total_s")]


def _nothing_worse(run: EvaluationRun, comparison: Comparison, when: str) -> str:
    pairs = max((d.pairs for d in comparison.differences), default=0)
    if not pairs:
        return f"Nothing of this run can be compared with {when}."
    documents = len({r.question.cluster for r in run.results})
    drops = (visible_drop(comparison, m, documents) for m in ("task_completion", "flagged"))
    seen = next((drop for drop in drops if drop is not None), None)
    text = f"Nothing got worse since {when} that {pairs} questions could show"
    if seen is None:
        return f"{text}; they are too few to show a drop of any size."
    spread = " over several documents" if documents < run.questions else ""
    return f"{text}; a drop of {seen * 100:.0f} points{spread} would have been seen."


def visible_drop(comparison: Comparison, metric: str, documents: int) -> float | None:
    """The smallest drop, as a share, that would have been called worse if it were spread over the
    documents; None where the questions are too few for any, or the figure was not compared.

    So many whole answers gone wrong that McNemar's test would call it more than chance even if
    every other figure had moved as well, that drawing documents would hardly ever miss them all,
    and that it is more than half of the interval that was seen, unless nothing moved at all.
    """
    tests = [d for d in comparison.differences if d.change is not None and not is_time(d.metric)]
    found = next((d for d in tests if d.metric == metric), None)
    if found is None or found.low is None or found.high is None or documents < 2:
        return None
    still = found.high == -found.low == unseen(documents)  # the bound of documents that are alike
    noise = 0.0 if still else (found.high - found.low) / 2
    widened = math.sqrt(documents / (documents - 1)) * student(documents - 1)
    tail = NormalDist().cdf(-widened)  # as `eval.statistics.bootstrap` takes it
    for lost in range(1, found.pairs + 1):
        by_chance = 0.5 ** (lost + 1) * len(tests)  # mid-p of so many falls and no rise
        missed = (1 - min(lost, documents) / documents) ** documents
        if by_chance <= LEVEL and missed < tail:
            return min(1.0, max(lost / found.pairs, noise))
    return None
