"""Variants of the pipeline on the same questions, paired: pick prompt, model or k by measurement.

One thing is varied at a time. The product of several would need many times the questions, and a
difference could not be laid at anything's door.

The variants are asked one after another, all questions each. Taking turns question by question
would make a model server load another model, or read the whole prompt anew, at every question,
and the seconds told would be those of that. So a machine that is busy meanwhile falls on one
variant alone; ``repeats`` does not mend that, a second trial does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from eval.asking import Asking
from eval.compare import MARGIN, compare, is_time, needed
from eval.figures import change
from eval.history import History
from eval.records import Comparison, Difference, EvaluationRun, Question
from eval.report_headline import telling
from eval.report_words import name
from eval.rubric import Rubric, load_rubric
from eval.run import Watch, evaluate
from eval.summary import summarise
from rag.errors import UsageError
from rag.prompting import load_template
from rag.render import one_line
from rag.settings import Settings

#: The settings that may be varied, by their names.
Varied = Literal["prompt", "model", "ask_k"]
#: What a person calls them.
_CALLED = {"prompt": "prompt", "model": "model", "ask_k": "k"}
#: Runs of trials stand beside the history and not in it, so that no night is compared with one.
FILE = "trials.sqlite"
#: Figures that decide how many questions a conclusion asks for, the first that is known.
_DECISIVE = ("task_completion", "flagged", "groundedness")


@dataclass(frozen=True, slots=True)
class Variant:
    """The pipeline with one setting changed; ``name`` says which, as «k = 3»."""

    name: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Tried:
    """A variant's run. Beside the first variant: the comparison, and `eval.compare.needed`."""

    name: str
    run: EvaluationRun
    summary: dict[str, Any]
    comparison: Comparison | None
    needed: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Trial:
    """All variants on the same questions, the first being what the others are compared with."""

    tried: tuple[Tried, ...]

    @property
    def conclusion(self) -> str:
        """What can be said, and what cannot, a sentence for each further variant."""
        first, *others = self.tried
        return " ".join(_concluded(first, other) for other in others)

    def _repr_html_(self) -> str:
        from eval.trial_display import trial_html

        return trial_html(self)


def variants(settings: Settings, varied: Varied, values: Sequence[Any]) -> list[Variant]:
    """``settings`` with each of the values. Raises UsageError for fewer than two different ones
    and for a prompt that cannot be read."""
    if len({str(value) for value in values}) < max(2, len(values)):
        raise UsageError(
            f"{_CALLED[varied]} is to be varied over {', '.join(map(str, values)) or 'nothing'}",
            "give two or more that differ",
        )
    if varied == "prompt":
        for value in values:
            load_template(str(value))
    return [
        Variant(one_line(f"{_CALLED[varied]} = {value}"), _with(settings, varied, value))
        for value in values
    ]


def _with(settings: Settings, varied: Varied, value: Any) -> Settings:
    if varied == "prompt":
        return replace(settings, prompt=str(value))
    if varied == "model":
        return replace(settings, model=str(value))
    return replace(settings, ask_k=int(value))


def run_trial(
    questions: Sequence[Question],
    asked: Sequence[Variant],
    history: str | Path,
    *,
    rubric: Rubric | None = None,
    repeats: int = 1,
    questions_file: str = "",
    watching: Callable[[str], AbstractContextManager[Watch | None]] | None = None,
    model_named: bool = False,
    notice: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Ask every variant all questions; ``history`` is the SQLite file that keeps their runs, best
    not that of the nights. ``watching`` gives what watches the variant of a name; ``model_named``
    and ``notice`` are those of `eval.run.evaluate`.

    Raises what `eval.run.evaluate` raises, and UsageError where prompts or models are varied and
    no model writes; all variants are opened before the first is asked. Where a model writes for
    one, quotes stand in for none: ModelUnavailable where it has gone away meanwhile.
    """
    criteria = rubric or load_rubric()
    writers = {_writer(v, asked[0], criteria, model_needed=model_named) for v in asked}
    needed = model_named or writers != {"extractive"}
    once = functools.cache(notice)  # a line is told once and not for each variant
    runs: list[EvaluationRun] = []
    with History(history) as kept:
        for variant in asked:
            with (watching or _unwatched)(variant.name) as watch:
                runs.append(
                    evaluate(
                        questions, variant.settings, criteria, kept, repeats=repeats,
                        watch=watch, questions_file=questions_file, model_named=needed,
                        notice=once,
                    )
                )  # fmt: skip
    return Trial(
        tuple(
            _tried(variant.name, run, None if run is runs[0] else runs[0])
            for variant, run in zip(asked, runs, strict=True)
        )
    )


def _unwatched(_: str) -> AbstractContextManager[Watch | None]:
    return nullcontext()


def _writer(variant: Variant, first: Variant, rubric: Rubric, *, model_needed: bool) -> str:
    """Who writes for a variant, which is opened for that: a wrong name is told before an hour of
    asking, and two variants that would answer alike as well."""
    s, f = variant.settings, first.settings
    with Asking.open(s, rubric, (), model_needed=model_needed) as asking:
        kind = str(asking.writer["kind"])
    if kind == "extractive" and s.ask_k == f.ask_k and variant is not first:
        raise UsageError(
            f"{first.name} and {variant.name} would answer alike: no model writes here, the sources"
            " are quoted",
            "start a model server (rag doctor tells how), or vary --k",
        )
    return kind


def _tried(called: str, run: EvaluationRun, first: EvaluationRun | None) -> Tried:
    comparison = compare(first, run) if first else None
    counts = needed(first, run) if first else {}
    return Tried(called, run, summarise(run, comparison=comparison), comparison, counts)


# ---------------------------------------------------------------------- the conclusion


def _concluded(first: Tried, other: Tried) -> str:
    differences = other.comparison.differences if other.comparison else ()
    pairs = max((d.pairs for d in differences), default=0)
    if not pairs:
        return f"{first.name} and {other.name} cannot be compared: no question both answered."
    quality = _verdicts([d for d in differences if not is_time(d.metric)], "better", "worse")
    timed = telling([d for d in differences if is_time(d.metric) and d.change is not None])
    times = _verdicts(timed, "quicker", "slower")
    parts = f"{quality or _alike(other, pairs)}; {times or _as_quick(timed)}"
    if quality or times:
        return f"{other.name} against {first.name}: {parts}."
    return f"{first.name} and {other.name}: {parts}."


def _as_quick(times: Sequence[Difference]) -> str:
    """What the intervals of times say of which none is told to be quicker or slower."""
    if not times:
        return "times cannot be compared"
    leaning = [d for d in times if (d.low or 0) > 0 or (d.high or 0) < 0]
    if leaning:
        told = ", ".join(f"{name(d.metric)} {change(d)}" for d in leaning)
        word = "slower" if (leaning[0].change or 0) > 0 else "quicker"
        return f"perhaps {word}, not beyond doubt: {told}"
    if all(_within_margin(d) for d in times):
        return "no quicker and no slower"
    return "times cannot be told apart"


def _within_margin(d: Difference) -> bool:
    """Whether the whole interval lies where a busy machine may put it."""
    known = d.low is not None and d.high is not None
    return known and (d.low or 0) >= 1 / MARGIN - 1 and (d.high or 0) <= MARGIN - 1


def _verdicts(differences: Sequence[Difference], better: str, worse: str) -> str:
    """«better in task completion +12 points [3, 20]»; empty where nothing is told."""
    told = []
    for verdict, word in (("better", better), ("worse", worse)):
        lines = [f"{name(d.metric)} {change(d)}" for d in differences if d.verdict == verdict]
        if lines:
            told.append(f"{word} in {', '.join(lines)}")
    return "; ".join(told)


def _alike(other: Tried, pairs: int) -> str:
    """That quality cannot be told apart, and how many questions it would take."""
    if not other.needed:
        return f"all {pairs} questions came out alike"
    apart = f"the answers cannot be told apart on {pairs} questions"
    counts = {m: other.needed[m]["5%"] for m in _DECISIVE if m in other.needed}
    metric = next((m for m, count in counts.items() if count > pairs), None)
    if metric is None:  # so little differs that the formula for large samples says nothing
        flips = len(other.comparison.flips) if other.comparison else 0
        return f"{apart}, {flips} of which ended otherwise"
    return f"{apart} (to see 5 points of {name(metric)} takes about {_about(counts[metric]):,})"


def _about(count: int) -> int:
    """Two figures of it, upwards: more would be false precision."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // unit) * unit
