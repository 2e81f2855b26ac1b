"""A run → its figures: the JSON of ``rag eval run --json``, every rate with its interval.

Repeats of a question are averaged first; then the question counts once. Rates over claims divide
by claims, checks and retrieval by questions. What got no answer, could not be assessed or was not
judged is counted apart and enters no other rate.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from eval.corrections import JudgeRecord, corrected
from eval.paired import deviation_of_one, questions_needed
from eval.records import Comparison, EvaluationRun, Mark, Question, Rate, Reply
from eval.samples import SHARES, STAGES, claims, retrieval_names, samples, seconds
from eval.statistics import Sample, quantiles, rate, sample

if TYPE_CHECKING:
    from eval.history import History

__all__ = ["POINTS", "SHARES", "STAGES", "complete", "figures_of", "kept_figures", "summarise"]

#: Differences for which the number of questions it takes is told.
POINTS = (0.02, 0.05, 0.1)
#: The modules that decide what a figure is.
_MAKERS = ("paired.py", "records.py", "samples.py", "statistics.py", "summary.py")


def summarise(
    run: EvaluationRun,
    correction: JudgeRecord | None = None,
    comparison: Comparison | None = None,
) -> dict[str, Any]:
    """The figures of a run, as a document that equals its own JSON.

    ``correction`` adds the share of claims that are truly unsupported, as far as the judge's error
    rates tell; ``comparison`` what is better or worse than in the run before.
    """
    return complete(figures_of(run), run, correction, comparison)


def complete(
    figures: Mapping[str, Any],
    run: EvaluationRun,
    correction: JudgeRecord | None,
    comparison: Comparison | None,
) -> dict[str, Any]:
    """As `summarise`, of figures that are known already: by `kept_figures`."""
    return {
        **figures,
        "corrected": corrected(run, correction) if correction else None,
        "compared_with": _compared(comparison) if comparison else None,
    }


def kept_figures(history: History, run: EvaluationRun) -> dict[str, Any]:
    """As `figures_of`, of a run with or without its results. The figures of a run that is done are
    worked out once and kept in the history: a month of nights is a trend in no time."""
    made_by = _made_by()
    if run.state == "done" and (known := history.summary(run.run_id, made_by)):
        return known
    found = figures_of(run if run.results else history.load(run.run_id))
    if run.state == "done":
        history.keep_summary(run.run_id, made_by, found)
    return found


@cache
def _made_by() -> str:
    """Names the code that works figures out, so that no figure outlives its definition. Rubric and
    judge are not in it: what they said of a run stands in its results."""
    folder = files("eval")
    return hashlib.sha256(b"".join(folder.joinpath(n).read_bytes() for n in _MAKERS)).hexdigest()


def figures_of(run: EvaluationRun) -> dict[str, Any]:
    """The figures that a run has by itself, as a document that equals its own JSON."""
    figures = samples(run)
    shown = {name: rate(counted).to_dict() for name, counted in figures.items()}
    return {
        "run_id": run.run_id,
        "state": run.state,
        "questions": run.questions,
        "repeats": run.repeats,
        "claims": sum(claims(r) for r in run.replies),
        **{name: shown[name] for name in SHARES},
        "factual_accuracy": shown["factual_accuracy"],
        "task_completion": shown["task_completion"],
        "formatting": shown["formatting"],
        "speed": _speed(run.replies, cold=False),
        "speed_cold": _speed(run.replies, cold=True),
        "speed_check": shown["speed"],
        "tokens_per_second": _tokens_per_second(run.replies),
        "consistency": shown["consistency"],
        "retrieval": {n: shown[n] for n in ("context_hit", *retrieval_names(run.replies))},
        "abstention": {n: shown[n] for n in ("false_answers", "false_refusals")},
        "refused": shown["refused"],
        "unscored": {**shown["unscored"], "kinds": dict(Counter(f.kind for f in run.failures))},
        "not_judged": {n: shown[n] for n in ("claims_not_judged", "criteria_not_assessed")},
        "criteria": _criteria(run.replies),
        "questions_needed": _needed(figures),
    }


# ---------------------------------------------------------------------- further figures


def _speed(replies: Sequence[Reply], *, cold: bool) -> dict[str, dict[str, float | int]]:
    """Stage → p50 and p95 in seconds over single replies: repeats are no average here, since who
    waits waits for each."""
    found: dict[str, dict[str, float | int]] = {}
    for stage in STAGES:
        taken = [seconds(r, stage) for r in replies if r.cold is cold]
        known = [s for s in taken if s is not None]
        if both := quantiles(known):
            found[stage] = {"p50": both[0], "p95": both[1], "n": len(known)}
    return found


def _tokens_per_second(replies: Sequence[Reply]) -> dict[str, float | int] | None:
    """Tokens written a second, where the generator told how many; None where none did. A slow
    reply is one with few, so p5 stands in p95's place."""
    speeds = []
    for reply in replies:
        tokens = reply.answer["generator"].get("completion_tokens")
        spent = seconds(reply, "generate")
        if tokens and spent:
            speeds.append(-tokens / spent)
    both = quantiles(speeds)
    return {"p50": -both[0], "p5": -both[1], "n": len(speeds)} if both else None


def _criteria(replies: Sequence[Reply]) -> dict[str, dict[str, Any]]:
    """Criterion → its check, the outcomes counted, and the share met of what was assessed."""
    marks: dict[tuple[str, str], list[tuple[Question, Mark]]] = {}
    for reply in replies:
        for mark in reply.marks:
            marks.setdefault((mark.check, mark.criterion), []).append((reply.question, mark))
    return {name: _criterion(check, here) for (check, name), here in marks.items()}


def _criterion(check: str, here: Sequence[tuple[Question, Mark]]) -> dict[str, Any]:
    counts = Counter(mark.outcome for _, mark in here)
    met: dict[str, tuple[str, list[float]]] = {}
    for question, mark in here:
        if mark.outcome != "CANNOT_ASSESS":
            told = met.setdefault(question.id, (question.cluster, []))[1]
            told.append(float(mark.outcome == "MET"))
    rows = [(i, cluster, sum(v) / len(v), 1.0) for i, (cluster, v) in met.items()]
    return {
        "check": check,
        "met": counts["MET"],
        "unmet": counts["UNMET"],
        "cannot_assess": counts["CANNOT_ASSESS"],
        "rate": (rate(sample(rows)) if rows else Rate(None, None, None, 0)).to_dict(),
    }


def _needed(figures: Mapping[str, Sample]) -> dict[str, dict[str, int]]:
    """Metric → how many questions it takes to see a difference of so many points, at most: a
    second run of the same questions is correlated with this one and needs fewer."""
    found = {}
    for name in ("flagged", "groundedness", "task_completion", "hit@5"):
        deviation = deviation_of_one(figures[name]) if name in figures else None
        if deviation:
            found[name] = {f"{p:.0%}": questions_needed(p, deviation) for p in POINTS}
    return found


def _compared(comparison: Comparison) -> dict[str, Any]:
    """The other run, what differs in what produced it, and what became worse or better."""
    verdicts = {d.metric: d.verdict for d in comparison.differences}
    return {
        "run_id": comparison.baseline_id,
        "changed": list(comparison.changed),
        "worse": [m for m, v in verdicts.items() if v == "worse"],
        "better": [m for m, v in verdicts.items() if v == "better"],
        "flips": len(comparison.flips),
    }
