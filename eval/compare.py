"""A run beside the one before: what differs, question by question, and whether that is more than
chance.

Only questions that both runs scored are compared, repeats averaged first. «Worse» takes two things:
the 95 % interval of the paired difference, by drawing documents, excludes zero (it would hold on
other documents like these); and the difference is not what two runs of the same system show, by a
test question by question, corrected by Tarone's and Holm's method for the number of figures looked
at. Times are tested apart, and must leave a margin: no two nights are equally quick.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eval.changes import changed
from eval.flips import flips
from eval.paired import (
    deviation_of_pairs,
    difference,
    difference_of_shares,
    questions_needed,
    swapped,
    tarone,
)
from eval.records import CHECKS, Comparison, Difference, EvaluationRun, Provenance, Result
from eval.samples import SHARES, STAGES, samples, seconds
from eval.statistics import Chance, Sample, mcnemar, sample
from eval.summary import POINTS

#: Figure → whether more of it is better. What is told of a comparison, in this order.
QUALITY = {
    "groundedness": True,
    "flagged": False,
    "unverified": False,
    "factual_accuracy": True,
    "task_completion": True,
    "formatting": True,
    "consistency": True,
    "context_hit": True,
    "hit@5": True,
    "ndcg@10": True,
    "false_answers": False,
    "false_refusals": False,
    "refused": False,
    "unscored": False,
}
#: What the figures rest on: a change of it makes them incomparable.
_BY_JUDGE = (*SHARES, "factual_accuracy")
#: The most that the chance may be of calling any of these figures worse when nothing changed but
#: the dice of a sampled model. What it comes to is measured in bench/eval_regressions.md.
LEVEL = 0.05
#: A time is worse only if the whole interval lies beyond this ratio: the same machine, busy with
#: something else, is as much slower. Set by hand; bench/eval_regressions.md has unchanged runs.
MARGIN = 1.5
#: Of each stage's time, the most that the chance of a false alarm may be.
_LEVEL_OF_TIMES = LEVEL / len(STAGES)
#: Why a figure is not comparable that only the run before has, of questions that both asked.
LOST = "nothing in this run to take it over"

Told = Literal["better", "worse", "no difference seen", "not comparable"]


def compare(baseline: EvaluationRun, run: EvaluationRun) -> Comparison:
    """``run`` against ``baseline``: figures and questions whose outcome changed, worst first.

    Of a time, before and after are geometric means in seconds, and the change is relative: .25
    is a quarter slower. Raises nothing for runs that share no question: nothing is comparable.
    """
    return Comparison(
        run_id=run.run_id,
        baseline_id=baseline.run_id,
        changed=tuple(changed(baseline.provenance, run.provenance)),
        differences=(*_qualities(baseline, run), *_times(baseline, run)),
        flips=tuple(flips(baseline, run, set(_same_questions(baseline, run)))),
    )


def is_time(metric: str) -> bool:
    """Whether a figure of a comparison is a time, so that its change is relative."""
    return metric in STAGES.values()


def too_few(difference: Difference) -> bool:
    """Whether a figure was compared on so few questions that it could not have been called worse,
    had each of them become worse: the least chance, 2^-(pairs + 1), is above the level."""
    level = _LEVEL_OF_TIMES if is_time(difference.metric) else LEVEL
    return difference.change is not None and 0.5 ** (difference.pairs + 1) > level


def needed(baseline: EvaluationRun, run: EvaluationRun) -> dict[str, dict[str, int]]:
    """Figure → difference («5%») → how many questions it takes to see it with 80 % power, from the
    spread of the paired differences of these two runs."""
    before, after = samples(baseline), samples(run)
    found = {}
    for metric in QUALITY:
        pair = _paired(before.get(metric), after.get(metric), _same_questions(baseline, run))
        deviation = deviation_of_pairs(*pair) if pair else None
        if deviation:
            found[metric] = {f"{p:.0%}": questions_needed(p, deviation) for p in POINTS}
    return found


# ---------------------------------------------------------------------- figures


@dataclass(frozen=True, slots=True)
class _Seen:
    """One figure of both runs on the same questions, and how likely by chance."""

    metric: str
    before: Sample
    after: Sample
    left_out: int
    chance: Chance
    test: str


def _qualities(baseline: EvaluationRun, run: EvaluationRun) -> list[Difference]:
    before, after = samples(baseline), samples(run)
    same = _same_questions(baseline, run)
    no_use = dict(_incomparable(baseline.provenance, run.provenance))
    seen, told = [], []
    for metric in QUALITY:
        one, other = before.get(metric), after.get(metric)
        pair = None if metric in no_use else _paired(one, other, same)
        if pair is None:
            gone = bool(one and set(one.ids) & set(same))
            reason = no_use.get(metric, LOST if gone else "no question that both runs scored")
            told.append(_not_comparable(metric, one, other, reason))
        else:
            left_out = len(set(one.ids if one else ()) | set(other.ids if other else ()))
            seen.append(_Seen(metric, *pair, left_out - len(pair[0].ids), *_test(*pair)))
    told += [_difference(s, moved) for s, moved in zip(seen, _moved(seen), strict=True)]
    order = list(QUALITY)
    return sorted(told, key=lambda d: order.index(d.metric))


def _moved(seen: Sequence[_Seen]) -> list[Told]:
    """What each figure did beyond chance, all of them looked at together. Better and worse are two
    families: an improvement raises no alarm."""
    attainable = [s.chance.attainable for s in seen]
    bad = [s.chance.fall if QUALITY[s.metric] else s.chance.rise for s in seen]
    good = [s.chance.rise if QUALITY[s.metric] else s.chance.fall for s in seen]
    return [
        "worse" if worse else "better" if better else "no difference seen"
        for worse, better in zip(
            tarone(bad, attainable, LEVEL), tarone(good, attainable, LEVEL), strict=True
        )
    ]


def _difference(seen: _Seen, moved: Told) -> Difference:
    change, low, high = difference_of_shares(seen.before, seen.after)
    chance = min(seen.chance.fall, seen.chance.rise)
    return Difference(
        metric=seen.metric,
        before=seen.before.value,
        after=seen.after.value,
        change=change,
        low=low,
        high=high,
        pairs=len(seen.before.ids),
        verdict=moved if low > 0 or high < 0 else "no difference seen",
        test=f"{seen.test}, p = {chance:.2g} one-sided; interval by drawing documents"
        f"{_left(seen.left_out)}",
    )


def _left(count: int) -> str:
    return f"; {count} questions not comparable" if count else ""


def _test(before: Sample, after: Sample) -> tuple[Chance, str]:
    """How likely by chance, and the name of the test."""
    if all(set(s.top.tolist()) <= {0.0, 1.0} and set(s.bottom.tolist()) == {1.0}
           for s in (before, after)):  # fmt: skip
        fallen = int((before.top > after.top).sum())
        risen = int((before.top < after.top).sum())
        return mcnemar(fallen, risen), f"McNemar's mid-p ({fallen} down, {risen} up)"
    return swapped(before, after), "runs swapped at random"


def _times(baseline: EvaluationRun, run: EvaluationRun) -> Iterator[Difference]:
    """Seconds of each stage, of warm replies, as ratios."""
    same = _same_questions(baseline, run)
    elsewhere = baseline.provenance.machine != run.provenance.machine
    for stage, name in STAGES.items():
        before, after = (_seconds(r, stage) for r in (baseline, run))
        pair = None if elsewhere else _paired(before, after, same)
        if pair is None:
            if before.ids or after.ids:
                reason = "another machine" if elsewhere else "no question that both runs timed"
                yield _not_comparable(name, None, None, reason)
            continue
        shift, low, high = difference(*pair)
        verdict: Told = "no difference seen"
        chance = swapped(*pair)
        if low > math.log(MARGIN) and chance.rise <= _LEVEL_OF_TIMES:
            verdict = "worse"
        elif high < -math.log(MARGIN) and chance.fall <= _LEVEL_OF_TIMES:
            verdict = "better"
        yield Difference(
            metric=name,
            before=math.exp(pair[0].value or 0.0),
            after=math.exp(pair[1].value or 0.0),
            change=math.expm1(shift),
            low=math.expm1(low) if math.isfinite(low) else None,
            high=math.expm1(high) if math.isfinite(high) else None,
            pairs=len(pair[0].ids),
            verdict=verdict,
            test=f"ratio of warm replies by drawing documents, told from × {MARGIN} on",
        )


def _seconds(run: EvaluationRun, stage: str) -> Sample:
    """Mean logarithm of the seconds of each question's warm replies."""
    found: dict[str, tuple[str, list[float]]] = {}
    for reply in run.replies:
        spent = seconds(reply, stage)
        if not reply.cold and spent:
            found.setdefault(reply.question.id, (reply.question.cluster, []))[1].append(
                math.log(spent)
            )
    return sample([(i, c, sum(v) / len(v), 1.0) for i, (c, v) in found.items()])


def _not_comparable(
    metric: str, before: Sample | None, after: Sample | None, reason: str
) -> Difference:
    values = [s.value if s else None for s in (before, after)]
    return Difference(metric, values[0], values[1], None, None, None, 0, "not comparable", reason)


def _paired(
    before: Sample | None, after: Sample | None, same: Sequence[str]
) -> tuple[Sample, Sample] | None:
    """Both on the questions that both scored; None where there are none."""
    if before is None or after is None:
        return None
    both = set(before.ids) & set(after.ids) & set(same)
    ids = [i for i in after.ids if i in both]
    return (before.of(ids), after.of(ids)) if ids else None


def _same_questions(baseline: EvaluationRun, run: EvaluationRun) -> list[str]:
    """Ids that mean the same question, with the same expectations, in both runs."""
    before = {r.question.id: _asked(r) for r in baseline.results}
    return [
        i for i, asked in {r.question.id: _asked(r) for r in run.results}.items()
        if before.get(i) == asked
    ]  # fmt: skip


def _asked(result: Result) -> tuple[Any, ...]:
    q = result.question
    return q.question, q.answerable, q.answer, q.file, q.page, q.quote


def _incomparable(before: Provenance, after: Provenance) -> Iterator[tuple[str, str]]:
    """Figures that two runs cannot share, and why."""
    if before.rubric_digest != after.rubric_digest:
        yield from ((check, "another rubric") for check in CHECKS)
    if _judging(before.verifier) != _judging(after.verifier):
        yield from ((name, "another judge") for name in _BY_JUDGE)


def _judging(verifier: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who judged. Of which family a model is does not make it another, whether told or not."""
    own = {k: v for k, v in verifier.items() if k != "judges"}
    voices = [own, *(verifier.get("judges") or [])]
    return [{k: v for k, v in voice.items() if k != "family"} for voice in voices]
