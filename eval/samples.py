"""A run → what each of its rates is taken from, a row a question, repeats averaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from eval.records import CHECKS, EvaluationRun, Failure, Reply, Result
from eval.statistics import Sample, sample

#: Shares of claims; they sum to one.
SHARES = ("groundedness", "no_mismatch", "flagged", "unverified")
_VERDICTS = dict(zip(SHARES, ("supported", "no_mismatch", "flagged", "unverified"), strict=True))
#: Stages of an answer → where its seconds stand.
STAGES = {
    "retrieve": "retrieve_s",
    "first_token": "first_token_s",
    "generate": "generate_s",
    "verify": "verify_s",
    "total": "total_s",
}
#: How a sentence with a score says that the judge gave nothing to go by (rag.checking.verdict).
#: Without a score nothing looked at it at all.
_NOT_JUDGED = re.compile(r"(?:[a-z]+: )?the model's verdict could not be used")


def samples(run: EvaluationRun) -> dict[str, Sample]:
    """Every rate of a run as what it is taken from, a row a question; metrics by their names."""
    asked = _by_question(run.results)
    found = {name: _sample(asked, partial(_share, verdict)) for name, verdict in _VERDICTS.items()}
    for check in CHECKS:
        found[check] = _sample(asked, partial(_check, check), each=True)
    for name in retrieval_names(run.replies):
        found[name] = _sample(asked, partial(_retrieved, name))
    found["context_hit"] = _sample(asked, _context_hit)
    found["false_answers"] = _sample(asked, _false_answer)
    found["false_refusals"] = _sample(asked, _false_refusal)
    found["refused"] = _sample(asked, _refused)
    found["flagged_of_judged"] = _sample(asked, _flagged_of_judged)
    found["answers_flagged"] = _sample(asked, _answer_flagged)
    found["claims_not_judged"] = _sample(asked, _claims_not_judged)
    found["criteria_not_assessed"] = _sample(asked, _not_assessed)
    found["unscored"] = sample(
        [
            (name, results[0].question.cluster,
             sum(isinstance(r, Failure) for r in results) / len(results), 1.0)
            for name, results in asked.items()
        ]
    )  # fmt: skip
    return found


def _by_question(results: Iterable[Result]) -> dict[str, list[Result]]:
    asked: dict[str, list[Result]] = {}
    for result in results:
        asked.setdefault(result.question.id, []).append(result)
    return asked


def _sample(
    asked: Mapping[str, Sequence[Result]],
    count: Callable[[Reply], tuple[float, float]],
    *,
    each: bool = False,
) -> Sample:
    """``count`` gives (top, bottom) of one reply. They are averaged over the question's replies;
    with ``each`` the reply's own share is, over the replies that have one."""
    rows = []
    for name, results in asked.items():
        parts = [count(r) for r in results if isinstance(r, Reply)]
        if each:
            parts = [(top / bottom, 1.0) for top, bottom in parts if bottom]
        if parts:
            top, bottom = (sum(column) / len(parts) for column in zip(*parts, strict=True))
            rows.append((name, results[0].question.cluster, top, bottom))
    return sample(rows)


def claims(reply: Reply) -> int:
    """How many claims an answer makes."""
    return int(sum(reply.answer["summary"].values()))


def _share(verdict: str, reply: Reply) -> tuple[float, float]:
    return float(reply.answer["summary"][verdict]), float(claims(reply))


def _retrieved(name: str, reply: Reply) -> tuple[float, float]:
    return reply.retrieval.get(name, 0.0), float(name in reply.retrieval)


def _context_hit(reply: Reply) -> tuple[float, float]:
    """Whether the expected file, and where one is expected the page, is among the passages the
    answer was written from. Retrieval figures look at the search instead, to rank 10."""
    asked = reply.question
    here = any(
        p["file"] == asked.file
        and (
            asked.page is None
            or (p["page"] or 0) <= asked.page <= (p["page_end"] or p["page"] or 0)
        )
        for p in reply.answer["passages"]
    )
    return float(here), float(asked.file is not None)


def _check(check: str, reply: Reply) -> tuple[float, float]:
    """Weight of what is met, and of what could be assessed."""
    assessed = [m for m in reply.marks if m.check == check and m.outcome != "CANNOT_ASSESS"]
    met = sum(m.weight for m in assessed if m.outcome == "MET")
    return met, sum(m.weight for m in assessed)


def _false_answer(reply: Reply) -> tuple[float, float]:
    return float(not reply.answer["refused"]), float(reply.question.answerable is False)


def _false_refusal(reply: Reply) -> tuple[float, float]:
    return float(reply.answer["refused"]), float(reply.question.answerable is True)


def _refused(reply: Reply) -> tuple[float, float]:
    """Of questions that nobody said are answerable or not: the two figures before know those."""
    return float(reply.answer["refused"]), float(reply.question.answerable is None)


def _claims_not_judged(reply: Reply) -> tuple[float, float]:
    lost = sum(
        s["verdict"] == "unverified"
        and (s["score"] is None or any(_NOT_JUDGED.match(r) for r in s["reasons"]))
        for s in reply.answer["sentences"]
    )
    return float(lost), float(claims(reply))


def _flagged_of_judged(reply: Reply) -> tuple[float, float]:
    lost, claims = _claims_not_judged(reply)
    return float(reply.answer["summary"]["flagged"]), claims - lost


def _answer_flagged(reply: Reply) -> tuple[float, float]:
    """Whether the answer has a flagged claim, where a claim of it was judged."""
    flagged, judged = _flagged_of_judged(reply)
    return float(flagged > 0), float(judged > 0)


def _not_assessed(reply: Reply) -> tuple[float, float]:
    lost = sum(m.outcome == "CANNOT_ASSESS" for m in reply.marks)
    return float(lost), float(len(reply.marks))


def retrieval_names(replies: Iterable[Reply]) -> list[str]:
    """The retrieval measures of a run, in the order in which they are told."""
    return list(dict.fromkeys(name for r in replies for name in r.retrieval))


def seconds(reply: Reply, stage: str) -> float | None:
    """What one stage of an answer took; None where it did not take place."""
    timings = reply.answer["timings"]
    value = timings.get(STAGES[stage])
    ran = stage in ("retrieve", "total") or value
    return float(value) if value is not None and ran else None
