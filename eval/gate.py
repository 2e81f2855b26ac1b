"""A run against the limits it must keep, for CI: every breach with its numbers.

Limits are held against the figure itself, so that what passes and what fails can be read off the
report; where the 95 % interval lies on both sides, a note says so. «No worse than» is the paired
comparison of `eval.compare` and not a look at two figures. What a limit asks for and cannot be
measured is a breach as well, and so is what the run before had and this one lost: a gate that sees
nothing must not open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.compare import LOST, is_time, too_few
from eval.records import Comparison, Difference

#: Limit → the figure of the summary it holds, whether it is the most allowed, and its option.
_RATES = {
    "max_flagged": ("flagged", True),
    "min_groundedness": ("groundedness", False),
    "min_completed": ("task_completion", False),
    "min_formatting": ("formatting", False),
    "min_consistency": ("consistency", False),
    "min_factual": ("factual_accuracy", False),
    "max_unscored": ("unscored", True),
}
#: Limits that rest on a judge's verdicts.
_JUDGED = ("max_flagged", "min_groundedness", "min_factual")
#: Figures of a comparison that do.
JUDGED_FIGURES = ("groundedness", "flagged", "unverified", "factual_accuracy")
#: The most claims a judge may have failed on where something rests on its verdicts. Set by hand,
#: as `Limits.max_unscored`: more lost claims, and the rest says little.
_NOT_JUDGED = 0.1
#: What to do where a figure has nothing to be taken over.
_MISSING = {
    "max_flagged": "no answer claims anything",
    "min_groundedness": "no answer claims anything",
    "min_consistency": "ask each question again with --repeats 3",
    "max_p95": "no question but the first was answered",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run must keep. Shares in [0, 1], ``max_p95`` in seconds of a whole answer,
    ``min_hit`` as (k, share). None: not asked for."""

    max_flagged: float | None = None
    min_groundedness: float | None = None
    min_completed: float | None = None
    min_formatting: float | None = None
    min_consistency: float | None = None
    min_factual: float | None = None
    max_p95: float | None = None
    min_hit: tuple[tuple[int, float], ...] = ()
    max_unscored: float = 0.1  # set by hand: more lost questions, and the rest says little

    @property
    def judged(self) -> bool:
        """Whether one of them rests on a judge's verdicts."""
        return any(getattr(self, name) is not None for name in _JUDGED)


@dataclass(frozen=True, slots=True)
class Breach:
    """One limit that is not kept, and the line that says so."""

    limit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """How a run stands to its limits: kept ones by name, breaches, and what is worth knowing."""

    run_id: str
    kept: tuple[str, ...]
    breaches: tuple[Breach, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return not self.breaches

    def to_dict(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "passed": self.passed,
            "kept": list(self.kept),
            "breaches": [{"limit": b.limit, "reason": b.reason} for b in self.breaches],
            "notes": list(self.notes),
        }


def hold(
    summary: Mapping[str, Any],
    limits: Limits,
    *,
    uncalibrated: Sequence[str] = (),
    damaged: Sequence[str] = (),
    comparison: Comparison | None = None,
) -> Gate:
    """Hold the summary of a run against limits, and against the run before it.

    ``uncalibrated``: judges of the run that nobody has held against people's labels; what rests on
    them is a breach, whatever the figure. ``damaged``: a line for each of their records that cannot
    be read, so that nobody can tell.
    """
    kept: list[str] = []
    breaches: list[Breach] = []
    notes: list[str] = []
    if summary["state"] != "done":
        breaches.append(Breach("state", f"the run is {summary['state']} and not done"))
    if limits.judged or comparison is not None:
        breaches += _judge(summary, uncalibrated, damaged)
    for limit, figure, bound, most in _asked(summary, limits):
        if uncalibrated and limit in _JUDGED:
            continue
        reason = _breach(limit, figure, bound, most=most)
        if reason:
            breaches.append(Breach(limit, reason))
        else:
            kept.append(limit)
        notes += _straddles(limit, figure, bound)
    if comparison is not None:
        worse, same, said = _compared(comparison, believed=not uncalibrated)
        breaches += worse
        kept += same
        notes += said
    return Gate(summary["run_id"], tuple(kept), tuple(breaches), tuple(notes))


def option(limit: str) -> str:
    """«--max-flagged»."""
    return "--" + limit.replace("_", "-")


def _asked(
    summary: Mapping[str, Any], limits: Limits
) -> Iterator[tuple[str, Mapping[str, Any], float, bool]]:
    """(limit, figure, bound, whether it is the most allowed) of each limit that is asked for."""
    for limit, (figure, most) in _RATES.items():
        bound = getattr(limits, limit)
        if bound is not None:
            yield limit, summary[figure], bound, most
    for k, bound in limits.min_hit:
        yield f"min_hit {k}", summary["retrieval"].get(f"hit@{k}", _NOTHING), bound, False
    if limits.max_p95 is not None:
        total = summary["speed"].get("total")
        yield "max_p95", {"value": total["p95"]} if total else _NOTHING, limits.max_p95, True


_NOTHING: dict[str, Any] = {"value": None}


def _breach(limit: str, figure: Mapping[str, Any], bound: float, *, most: bool) -> str:
    """Why a limit is not kept; empty when it is."""
    value = figure["value"]
    if value is None:
        why = _MISSING.get(limit, "no question it could be measured on")
        return f"{option(limit)} {bound:g} cannot be measured: {why}"
    if (value <= bound) if most else (value >= bound):
        return ""
    than = "above" if most else "below"
    return f"{_told(limit, figure)} is {than} {option(limit)} {bound:g}"


def _told(limit: str, figure: Mapping[str, Any]) -> str:
    """«flagged .071 [.02, .18] of 84»."""
    name = _RATES[limit][0] if limit in _RATES else limit.removeprefix("min_")
    if limit == "max_p95":
        return f"p95 of a whole answer, {figure['value']:.2f} s,"
    value, low, high = figure["value"], figure["low"], figure["high"]
    return f"{name.replace('_', ' ')} {value:.3f} [{low:.3f}, {high:.3f}] of {figure['n']}"


def _straddles(limit: str, figure: Mapping[str, Any], bound: float) -> list[str]:
    """A note where the interval lies on both sides of the limit."""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None or not low < bound < high or limit == "max_unscored":
        return []
    return [f"{_told(limit, figure)}: so few questions do not settle {option(limit)} {bound:g}"]


def _judge(
    summary: Mapping[str, Any], uncalibrated: Sequence[str], damaged: Sequence[str]
) -> Iterator[Breach]:
    """Why the judge's verdicts are not to be gone by."""
    lost = summary["not_judged"]["claims_not_judged"]
    if damaged:
        yield Breach("judge", f"judge {', '.join(uncalibrated)} opens no gate: {damaged[0]}")
    elif list(uncalibrated) == ["none"]:
        yield Breach("judge", "the answers were not checked; run again without --no-verify")
    elif uncalibrated:
        yield Breach(
            "judge",
            f"judge {', '.join(uncalibrated)} opens no gate: no labels of people show that it tells"
            " supported claims from others; rag eval calibrate LABELS.jsonl, or rag verify"
            " --calibrate",
        )
    elif (lost["value"] or 0) > _NOT_JUDGED:
        yield Breach(
            "judge",
            f"the judge failed on {lost['value']:.3f} of {lost['n']} claims, and with more than"
            f" {_NOT_JUDGED:g} its figures say little; rag doctor tells whether it answers",
        )


def _compared(
    comparison: Comparison, *, believed: bool
) -> tuple[list[Breach], list[str], list[str]]:
    """(breaches, kept, notes) of the paired comparison."""
    limit, before = "no_worse_than", comparison.baseline_id
    looked = [d for d in comparison.differences if believed or d.metric not in JUDGED_FIGURES]
    apart = [d for d in looked if d.verdict == "not comparable"]
    reasons = [_worse(d, comparison) for d in looked if d.verdict == "worse"]
    reasons += [_lost(d, comparison) for d in apart if d.test == LOST]
    reasons += [
        f"another kind of writer than in {before}: {line}"
        for line in comparison.changed
        if line.startswith("generator kind: ")
    ]
    if len(apart) == len(looked):
        reasons.append(f"nothing is comparable with run {before}")
    elif all(too_few(d) for d in looked if d not in apart):
        reasons.append(f"the questions shared with {before} are too few to call anything worse")
    notes = [
        f"{d.metric} is not comparable with {before}: {d.test}"
        for d in apart
        if is_time(d.metric) or d.before is not None or d.after is not None
    ]
    return [Breach(limit, r) for r in reasons], [] if reasons else [limit], [
        *notes, *_blind(comparison, looked)
    ]  # fmt: skip


def _blind(comparison: Comparison, looked: Sequence[Difference]) -> Iterator[str]:
    """What the comparison did not, or could not, look at."""
    if any(line.startswith("questions: ") for line in comparison.changed):
        pairs = max((d.pairs for d in looked), default=0)
        yield (
            f"other questions than in {comparison.baseline_id}: compared on the {pairs} that both"
            " asked"
        )
    few = ", ".join(f"{d.metric} ({d.pairs})" for d in looked if too_few(d))
    if few:
        yield f"on too few questions to be called worse, whatever they came to: {few}"


def _lost(d: Difference, comparison: Comparison) -> str:
    why = _MISSING.get(f"min_{d.metric}") or _MISSING.get(f"max_{d.metric}") or d.test
    return (
        f"{d.metric.replace('_', ' ')} was {d.before or 0:.3f} in {comparison.baseline_id} and"
        f" cannot be measured in this run: {why}"
    )


def _worse(d: Difference, comparison: Comparison) -> str:
    change, low, high = d.change or 0.0, d.low or 0.0, d.high or 0.0
    if is_time(d.metric):
        moved = f"{d.before or 0:.2f} s → {d.after or 0:.2f} s ({change:+.0%}"
        interval = f" [{low:+.0%}, {high:+.0%}]"
    else:
        moved = f"{d.before or 0:.3f} → {d.after or 0:.3f} ({change:+.3f}"
        interval = f" [{low:+.3f}, {high:+.3f}]"
    return (
        f"{d.metric.replace('_', ' ')} is worse than in {comparison.baseline_id}: "
        f"{moved}{interval}, {d.pairs} questions)"
    )
