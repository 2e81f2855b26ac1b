"""The part of the HTML report that shows answers: those that flipped, those that need a look, and
one line for every question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eval.figures import seconds
from eval.flips import outcome
from eval.markup import Child, Markup, element, joined, table
from eval.records import CHECKS, Flip, Question, Reply, Result
from eval.report import Look, Report, checked, problem
from eval.report_words import counted, cut, name
from rag.quotes import same
from rag.render import MARKS, WORDS

#: Answers of each kind that are shown, and how many of them at once, the others folded away. Set by
#: hand: more are not read, and the page stays small.
MOST, AT_ONCE = 20, 5
#: Characters that are shown of an answer, of a quote or question, of a name or reason. Set by hand:
#: a long answer takes a screen.
LONGEST, LONGEST_QUOTE, LONGEST_NAME = 1200, 600, 200
_SIGNS = {"MET": "✓", "UNMET": "✗", "CANNOT_ASSESS": "–"}


def anchors(report: Report) -> dict[str, str]:
    """Question id → where on the page its answer is shown. Ids of questions stay out of it: they
    are anybody's text."""
    found = {look.question.id: f"look-{i}" for i, look in enumerate(report.looks[:MOST])}
    flips = report.comparison.flips if report.comparison else ()
    return found | {flip.question.id: f"flip-{i}" for i, flip in enumerate(flips[:MOST])}


def answers(report: Report) -> Iterator[tuple[str, Markup]]:
    """The sections on single answers, each with its title."""
    if report.comparison:
        yield "Answers that flipped", _flips(report)
    yield "Answers that need a look", _looks(report)
    yield "Every question", _every(report)


def _flips(report: Report) -> Markup:
    flips = report.comparison.flips if report.comparison else ()
    worse = sum(flip.worse for flip in flips)
    told = "No question ended otherwise than before."
    if flips:
        ended = counted(len(flips), "question")
        told = f"{ended} ended otherwise than before; {worse or 'none'} became worse."
    still = {look.question.id: look.why for look in report.looks}
    shown = [_flip(f, f"flip-{i}", still.get(f.question.id)) for i, f in enumerate(flips[:MOST])]
    return _shown(told, len(flips), shown)


def _looks(report: Report) -> Markup:
    to = anchors(report)
    shown = [
        _look(look, f"look-{i}")
        for i, look in enumerate(report.looks[:MOST])
        if to[look.question.id] == f"look-{i}"
    ]
    told = f"Something is wrong with {counted(len(report.looks), 'answer')} of this run"
    above = len(report.looks[:MOST]) - len(shown)
    told += f"; {above} of them flipped, shown above." if above else "."
    return _shown(told, len(report.looks), shown)


def _shown(told: str, count: int, shown: list[Markup]) -> Markup:
    left = f" The {MOST} worst are shown." if count > MOST else ""
    more = shown[AT_ONCE:]
    folded = element("details", element("summary", f"{len(more)} more"), *more) if more else None
    return joined(element("p", told + left), *shown[:AT_ONCE], folded)


def _flip(flip: Flip, anchor: str, still: str | None) -> Markup:
    """``still``: what is wrong with the answer as it is now, be it better than it was."""
    sign = "▼ worse" if flip.worse else "▲ better"
    wrong = still if still and not flip.worse else None
    return element(
        "article",
        element("h3", cut(flip.question.question, LONGEST_QUOTE)),
        element("p", f"{sign}: {flip.what}", class_="alarm" if flip.worse else None),
        element("p", f"Still: {cut(wrong, LONGEST_NAME)}", class_="alarm") if wrong else None,
        _expected(flip.question),
        element(
            "div", _side("Before", flip.before), _side("Now", flip.after), class_="sides"
        ),
        id=anchor,
    )  # fmt: skip


def _look(look: Look, anchor: str) -> Markup:
    result = look.result
    shown = result.answer if isinstance(result, Reply) else {"failure": problem(result)}
    unmet = [
        f"{name(m.check)}: {m.reason}"
        for m in (result.marks if isinstance(result, Reply) else ())
        if m.outcome == "UNMET"
    ]
    further = [element("li", cut(u, LONGEST_NAME)) for u in unmet if u != look.why]
    return element(
        "article",
        element("h3", cut(look.question.question, LONGEST_QUOTE)),
        element("p", cut(look.why, LONGEST_NAME), class_="alarm"),
        _expected(look.question),
        element("div", _side("Answer", shown), class_="sides"),
        element("ul", *further) if further else None,
        id=anchor,
    )


def _expected(question: Question) -> Markup:
    parts: list[str] = []
    if question.answerable is False:
        parts.append("that it is refused: the documents do not say")
    if question.answer:
        parts.append(cut(question.answer, LONGEST_QUOTE))
    if question.file:
        page = f", page {question.page}" if question.page else ""
        parts.append(f"from {cut(question.file, LONGEST_NAME)}{page}")
    if question.quote:
        parts.append(f"“{cut(question.quote, LONGEST_QUOTE)}”")
    told = "Expected: " + " · ".join(parts) if parts else "Nobody said what is expected."
    return element("p", told, class_="soft")


def _side(title: str, answer: dict[str, Any]) -> Markup:
    return element("div", element("h4", title), *_body(answer), class_="side")


def _body(answer: dict[str, Any]) -> Iterator[Child]:
    if answer.get("failure"):
        yield element("p", "No answer: ", cut(answer["failure"], LONGEST), class_="why")
        return
    if answer["refused"] or not answer["sentences"]:
        yield element("p", cut(answer["answer"], LONGEST), class_="said")
    if answer["refused"]:
        yield element(
            "p", f"Refused: {cut(answer['refusal_reason'] or '', LONGEST_NAME)}", class_="soft"
        )
    for sentence in answer["sentences"]:
        yield _sentence(sentence)


def _sentence(sentence: dict[str, Any]) -> Markup:
    verdict = sentence["verdict"]
    told = f" ({WORDS[verdict]})" if verdict else ""
    doubts = sentence["reasons"] if verdict != "supported" else ()
    return joined(
        element(
            "p",
            element("span", MARKS[verdict], class_="mark"), " ",
            cut(sentence["text"], LONGEST),
            element("span", told, class_="soft"),
            class_="said",
        ),
        *(element("p", f"! {cut(r, LONGEST_QUOTE)}", class_="why") for r in doubts),
        *(_quote(evidence, sentence["text"]) for evidence in sentence["evidence"]),
    )  # fmt: skip


def _quote(evidence: dict[str, Any], said: str) -> Markup:
    """A quote with its place; the place alone where the sentence is the quote."""
    page = f", page {evidence['page']}" if evidence["page"] is not None else ""
    where = f"[{evidence['passage']}] {cut(evidence['file'], LONGEST_NAME)}{page}"
    if same(said.strip("“”"), evidence["quote"]):
        return element("blockquote", f"word for word in {where}", class_="soft")
    quote = f"“{cut(evidence['quote'], LONGEST_QUOTE)}”"
    return element("blockquote", quote, element("span", f" — {where}", class_="soft"))


def _every(report: Report) -> Markup:
    headers = ["Question", "Outcome", *(name(check) for check in CHECKS), "Seconds"]
    rows = [_row(r) for r in report.run.results]
    key = element("p", "✓ met, ✗ not met, – could not be assessed", class_="soft")
    return element(
        "details", element("summary", counted(len(rows), "answer")), key, table(headers, rows)
    )


def _row(result: Result) -> list[Child]:
    answered = isinstance(result, Reply)
    again = f" (repeat {result.repeat + 1})" if result.repeat else ""
    spent = result.answer["timings"]["total_s"] if isinstance(result, Reply) else result.seconds
    signs: list[Child] = [
        _SIGNS[checked(result.marks, check)] if isinstance(result, Reply) else "–"
        for check in CHECKS
    ]
    told = outcome(result) if answered else cut(problem(result), LONGEST_NAME)
    asked = cut(result.question.question, LONGEST_NAME) + again
    words = [element("span", text, class_="said") for text in (asked, told)]
    return [*words, *signs, seconds(spent)]
