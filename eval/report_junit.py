"""A report as JUnit XML, for what shows test results: a case for each question and check.

It keeps to what the two common schemas, Ant's and Jenkins', both allow. A check that is not met is
a failure with its reasons, one that could not be assessed is skipped, and a question that got no
answer is an error of every check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from eval.records import CHECKS, Check, Failure, Mark, Result
from eval.report import Report, checked, problem
from eval.report_words import cut
from rag.render import one_line, plain

_LONGEST, _LONGEST_NAME = 2000, 200
#: What XML 1.0 cannot hold, beside what `plain` takes out.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(report: Report) -> str:
    """The document: a suite for each check that any answer was judged by."""
    root = ET.Element("testsuites")
    for number, check in enumerate(CHECKS):
        root.append(_suite(report, check, number))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def _suite(report: Report, check: Check, number: int) -> ET.Element:
    run = report.run
    cases = [_case(result, check) for result in run.results]
    counts = {
        kind: sum(case.find(tag) is not None for case in cases)
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    suite = ET.Element(
        "testsuite",
        {
            "name": check,
            "package": "affidavit.evaluation",
            "id": str(number),
            "tests": str(len(cases)),
            **{kind: str(count) for kind, count in counts.items()},
            "time": f"{sum(float(case.get('time', 0)) for case in cases):.3f}",
            "timestamp": run.started[:19],
            "hostname": "localhost",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report):
        ET.SubElement(properties, "property", {"name": key, "value": _legal(one_line(value))})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _legal(report.headline)
    ET.SubElement(suite, "system-err")
    return suite


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    p = report.run.provenance
    yield "run", report.run.run_id
    yield "questions", p.questions_file
    yield "generator", " ".join(str(v) for v in p.generator.values() if v)
    yield "verifier", str(p.verifier.get("kind"))
    if report.comparison:
        yield "baseline", report.comparison.baseline_id


def _case(result: Result, check: Check) -> ET.Element:
    question = result.question
    again = f" (repeat {result.repeat + 1})" if result.repeat else ""
    title = _legal(one_line(f"{question.id}: {cut(question.question, _LONGEST_NAME)}{again}"))
    case = ET.Element("testcase", {"name": title, "classname": f"evaluation.{check}"})
    if isinstance(result, Failure):
        case.set("time", f"{result.seconds:.3f}")
        _told(case, "error", result.kind, problem(result), "")
        return case
    # The seconds of an answer belong to one check, so that suites do not sum to five times.
    spent = result.answer["timings"]["total_s"] if check == "speed" else 0.0
    case.set("time", f"{spent:.3f}")
    marks = [m for m in result.marks if m.check == check]
    outcome = checked(marks, check)
    if outcome == "UNMET":
        unmet = [m for m in marks if m.outcome == "UNMET"]
        first = f"{unmet[0].criterion}: {unmet[0].reason}"
        _told(case, "failure", unmet[0].criterion, first, _details(unmet, result.answer["answer"]))
    elif outcome == "CANNOT_ASSESS":
        why = "; ".join(f"{m.criterion}: {m.reason}" for m in marks) or "no criterion of this check"
        ET.SubElement(case, "skipped", {"message": _legal(cut(one_line(why), _LONGEST))})
    return case


def _details(unmet: list[Mark], answer: str) -> str:
    lines = [f"{m.criterion}: {cut(m.reason, _LONGEST)}" for m in unmet]
    return "\n".join([*lines, "", f"answer: {cut(answer, _LONGEST)}"])


def _told(case: ET.Element, tag: str, kind: str, message: str, details: str) -> None:
    short = _legal(cut(one_line(message), _LONGEST))
    ET.SubElement(case, tag, {"type": _legal(kind), "message": short}).text = _legal(details)


def _legal(text: str) -> str:
    """Text that can do nothing to a terminal and that every XML parser takes."""
    return _ILLEGAL.sub("�", plain(text))
