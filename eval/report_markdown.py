"""A report as Markdown, short enough for a comment on a pull request.

Whatever comes from questions, documents or models stands in code spans: there nothing is a link, a
mention, an image, HTML or a table's border, whoever renders it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from eval.figures import before_after, change, rate, seconds
from eval.records import CHECKS, Failure, Flip
from eval.report import Look, Report, problem
from eval.report_words import cut, moment, name, why
from eval.summary import SHARES
from rag.render import one_line

#: Answers of each kind that are shown, and characters of each text. Set by hand: forges cut
#: comments at 65,536 characters, people much earlier.
_MOST, _LONGEST = 5, 300
_SIGNS = {"worse": "🔻", "better": "🔺", "level": "⚫", "first": "⚪", "unfinished": "⚠️"}


def markdown_report(report: Report) -> str:
    """The headline, the checks, what is different and why, the answers to look at."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    run = report.run
    yield f"## {_SIGNS[report.tone]} {report.headline}"
    yield ""
    yield from _checks(report)
    if report.comparison:
        yield from _differences(report)
    yield from _answers(report)
    p = run.provenance
    made = " ".join(str(p.generator.get(k)) for k in ("kind", "model") if p.generator.get(k))
    yield (
        f"Run {code(run.run_id)} of {moment(run.started)} on {code(p.questions_file)}:"
        f" {run.questions} questions, written by {code(made)}, judged by"
        f" {code(str(p.verifier.get('kind')))}."
    )


def _checks(report: Report) -> Iterator[str]:
    s = report.summary
    yield "| check | met, with 95 % interval | taken over |"
    yield "| --- | --- | --- |"
    for check in CHECKS:
        figure = s["speed_check"] if check == "speed" else s[check]
        yield f"| {name(check)} | {rate(figure)} | {figure['n']} questions |"
    yield ""
    shares = ", ".join(f"{name(share)} {rate(s[share])}" for share in SHARES)
    yield f"{s['claims']} claims: {shares}."
    yield ""
    yield from _other(s)


def _other(s: dict[str, Any]) -> Iterator[str]:
    told = [f"{name(key)} {rate(f)}" for key, f in s["retrieval"].items() if key in _RETRIEVAL]
    told.append(f"{name('unscored')} {rate(s['unscored'])}")
    if total := s["speed"].get("total"):
        told.append(f"whole answer {seconds(total['p50'])} (median), {seconds(total['p95'])} (p95)")
    yield "; ".join(told) + "."
    yield ""


#: The figures of retrieval that are told in a comment.
_RETRIEVAL = ("context_hit", "hit@5", "page_hit@5")


def _differences(report: Report) -> Iterator[str]:
    comparison = report.comparison
    if comparison is None:
        return
    told = [d for d in comparison.differences if d.verdict in ("worse", "better")]
    if told:
        yield "| figure | before | now | change | verdict |"
        yield "| --- | --- | --- | --- | --- |"
        for d in told:
            before, now = before_after(d)
            yield f"| {name(d.metric)} | {before} | {now} | {change(d)} | {d.verdict} |"
        yield ""
    if comparison.changed:
        yield "What changed, and why it counts:"
        yield ""
        yield from (f"- {code(line)}: {why(line)}" for line in comparison.changed)
        yield ""


def _answers(report: Report) -> Iterator[str]:
    worse = [f for f in report.comparison.flips if f.worse] if report.comparison else []
    if worse:
        yield f"### Answers that became worse ({len(worse)})"
        yield ""
        for flip in worse[:_MOST]:
            yield from _flip(flip)
    elif report.looks:
        yield f"### Answers that need a look ({len(report.looks)})"
        yield ""
        for look in report.looks[:_MOST]:
            yield from _look(look)
    yield ""


def _flip(flip: Flip) -> Iterator[str]:
    yield f"- {code(flip.question.question)}: **{flip.what}**"
    yield f"  - before: {_said(flip.before)}"
    yield f"  - now: {_said(flip.after)}"


def _look(look: Look) -> Iterator[str]:
    yield f"- {code(look.question.question)}: {code(look.why)}"
    result = look.result
    told = code(problem(result)) if isinstance(result, Failure) else _said(result.answer)
    yield f"  - {told}"


def _said(answer: dict[str, Any]) -> str:
    """An answer with where it comes from, in one line."""
    if answer.get("failure"):
        return f"no answer, {code(answer['failure'])}"
    places = {
        f"{e['file']}, page {e['page']}" if e["page"] else e["file"]
        for s in answer["sentences"]
        for e in s["evidence"]
    }
    source = f" — {code('; '.join(sorted(places)))}" if places else ""
    wrong = [reason for s in answer["sentences"] for reason in s["reasons"]]
    return code(answer["answer"]) + source + (f" — ! {code(wrong[0])}" if wrong else "")


def code(text: str) -> str:
    """A code span that the text cannot end: its fence is longer than any run of backticks in it.
    «|» would still end a table's cell, so it is written as the character that looks like it."""
    shown = cut(one_line(text), _LONGEST).replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
