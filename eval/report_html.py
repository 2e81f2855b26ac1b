"""A report as one HTML file that needs nothing else: no script, no address, no picture from
anywhere. Its policy allows its own style sheet, by hash, and nothing besides."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from eval.figures import percent
from eval.figures import rate as written
from eval.markup import Markup, definitions, element, joined
from eval.report import Report
from eval.report_answers import anchors, answers
from eval.report_figures import checks, claims, criteria, differences, rates, speed, trends
from eval.report_words import cut, moment, unbroken, why
from eval.standing import kin

#: Sign before a headline, so that it is not told by colour alone.
_SIGNS = {"worse": "▼", "better": "▲", "level": "●", "first": "○", "unfinished": "!"}
#: Characters of a question that a link shows.
_LONGEST_LINK = 160


def html_report(report: Report) -> str:
    """The whole page."""
    style = files("eval").joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"Evaluation {report.run.run_id}"),
        element("style", Markup(style)),
    )
    sections = list(_sections(report))
    parts = [
        element("section", element("h2", title), content, id=f"part-{i}")
        for i, (title, content) in enumerate(sections)
    ]
    contents = _contents([title for title, _ in sections])
    body = element("body", element("main", _top(report), contents, *parts))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _sections(report: Report) -> Iterator[tuple[str, Markup]]:
    """Title and content of each, what a person needs first before the rest."""
    figures = report.summary
    yield "The five checks", checks(report)
    if report.comparison:
        yield "What is different", joined(*differences(report.comparison, _since(report)))
        yield "What changed, and why it counts", _changes(report.comparison.changed)
    yield "Trend", trends(report)
    yield from answers(report)
    yield "Claims", claims(figures)
    yield "Retrieval, abstention, what was not scored", rates(figures)
    yield "Speed", speed(figures)
    yield "Criteria", criteria(report)
    yield "What judged", joined(*_judge(report))
    yield "What produced it", _provenance(report)


def _contents(titles: Sequence[str]) -> Markup:
    """A way to each section: on a phone the page is many screens long."""
    links = [
        element("li", element("a", title, href=f"#part-{i}")) for i, title in enumerate(titles)
    ]
    return element(
        "details", element("summary", "On this page"), element("ul", *links), class_="contents"
    )


def _since(report: Report) -> str:
    return moment(report.baseline_started or "")


def _top(report: Report) -> Markup:
    run = report.run
    what = Path(run.provenance.questions_file).name or "questions"
    kicker = f"Evaluation of {what} · {moment(run.started)} · run {run.run_id}"
    headline = element("h1", f"{_SIGNS[report.tone]} {unbroken(report.headline)}")
    return joined(
        element("p", kicker, class_="kicker"),
        element("div", headline, _first(report), class_=f"headline {report.tone}"),
    )


def _first(report: Report) -> Markup:
    """The answers to look at first, each a step away on the same page."""
    if not report.first:
        return element("p", "Nothing is wrong with any answer that the checks could see.")
    to = anchors(report)
    links = [
        element(
            "li", element("a", cut(question.question, _LONGEST_LINK), href=f"#{to[question.id]}")
        )
        for question in report.first
    ]
    many = f"these {len(links)} answers" if len(links) > 1 else "this answer"
    return joined(element("p", f"Look at {many} first:"), element("ol", *links))


def _changes(lines: tuple[str, ...]) -> Markup:
    if not lines:
        return element("p", "Nothing that produced the two runs differs.")
    items = [element("li", line, element("div", why(line), class_="soft")) for line in lines]
    return element("ul", *items)


# ---------------------------------------------------------------------- where it comes from


def _judge(report: Report) -> Iterator[Markup]:
    verifier = dict(report.run.provenance.verifier)
    judges = verifier.pop("judges", None) or []
    yield _defined(verifier)
    if judges:
        votes = [" ".join(f"{key} {value}" for key, value in j.items() if value) for j in judges]
        yield element("p", "Besides, with a vote each: " + "; ".join(votes) + ".")
    for line in kin(report.run.provenance.generator, report.run.provenance.verifier):
        yield element("p", f"{line[0].upper()}{line[1:]}.")
    if report.judge is None:
        yield element("p", "How well it agrees with people is not known: rag eval calibrate LABELS")
        return
    yield element("p", "Measured against people:")
    yield element("ul", *(element("li", line) for line in report.judge.lines()))
    corrected = report.summary["corrected"]
    if corrected["unsupported"]:
        yield element(
            "p",
            f"Corrected for these error rates, {written(corrected['unsupported'])} of"
            f" {corrected['unit']}s are not supported;"
            f" {percent(report.summary['flagged']['value'])} of claims were flagged.",
        )
    else:
        yield element("p", f"No corrected rate: {corrected['why_not']}.")


def _provenance(report: Report) -> Markup:
    run, p = report.run, report.run.provenance
    shown: dict[str, Any] = {
        "run": run.run_id,
        "state": run.state,
        "started": moment(run.started),
        "finished": moment(run.finished) if run.finished else None,
        "due": moment(run.due) if run.due else "started by a person",
        "repeats": run.repeats,
        "questions": f"{p.questions_file}, digest {p.questions_digest}",
        "rubric": f"digest {p.rubric_digest}",
        "corpus": f"{p.files} files, {p.chunks} passages, digest {p.corpus}",
        "index": f"fingerprint {p.index}",
    }
    shown |= {f"generator {key}": value for key, value in p.generator.items()}
    shown |= {f"prompt {key}": value for key, value in p.prompt.items()}
    rest = {
        f"{group} {key}": value
        for group in ("settings", "machine", "versions")
        for key, value in getattr(p, group).items()
    }
    folded = element("details", element("summary", "Settings, machine, versions"), _defined(rest))
    return joined(_defined(shown), folded)


def _defined(values: Mapping[str, Any]) -> Markup:
    """Names and values as a person would write them: no «True», no brackets."""
    return definitions({key: _in_words(value) for key, value in values.items()})


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_in_words(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value))
    return "" if value is None else str(value)
