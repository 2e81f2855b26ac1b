"""What a report says about a run, and that nothing in it can act."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import html5lib
import pytest
from conftest import one_error_line, rag_here
from eval_runs import (
    HOSTILE,
    HOSTILE_TEXTS,
    hostile_run,
    make_provenance,
    make_run,
    must_be_inert,
    put,
    question,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt

import eval.summary
from eval.compare import compare
from eval.history import History
from eval.markup import element
from eval.records import CHECKS, EvaluationRun
from eval.report import Report, build_report
from eval.report_charts import Point, forest, interval, shares, trend
from eval.report_headline import visible_drop
from eval.report_html import html_report
from eval.report_junit import junit_report
from eval.report_markdown import code, markdown_report
from eval.report_words import unbroken
from eval.summary import figures_of, kept_figures
from rag.errors import UsageError

#: What JUnit XML is, as both common schemas (Ant's and Jenkins') allow it.
JUNIT = etree.RelaxNG(
    etree.fromstring("""
<element name="testsuites" xmlns="http://relaxng.org/ns/structure/1.0"
         datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <zeroOrMore><element name="testsuite">
    <attribute name="name"><data type="token"><param name="minLength">1</param></data></attribute>
    <attribute name="package"><data type="token"/></attribute>
    <attribute name="id"><data type="int"/></attribute>
    <attribute name="tests"><data type="int"/></attribute>
    <attribute name="failures"><data type="int"/></attribute>
    <attribute name="errors"><data type="int"/></attribute>
    <attribute name="skipped"><data type="int"/></attribute>
    <attribute name="time"><data type="decimal"/></attribute>
    <attribute name="timestamp"><data type="dateTime">
      <param name="pattern">[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}</param>
    </data></attribute>
    <attribute name="hostname"><data type="token"/></attribute>
    <element name="properties"><zeroOrMore><element name="property">
      <attribute name="name"><data type="token"/></attribute><attribute name="value"/><empty/>
    </element></zeroOrMore></element>
    <zeroOrMore><element name="testcase">
      <attribute name="name"><data type="token"/></attribute>
      <attribute name="classname"><data type="token"/></attribute>
      <attribute name="time"><data type="decimal"/></attribute>
      <optional><choice>
        <element name="skipped"><attribute name="message"/><empty/></element>
        <element name="error">
          <attribute name="type"/><attribute name="message"/><text/>
        </element>
        <element name="failure">
          <attribute name="type"/><attribute name="message"/><text/>
        </element>
      </choice></optional>
    </element></zeroOrMore>
    <element name="system-out"><text/></element>
    <element name="system-err"><text/></element>
  </element></zeroOrMore>
</element>""")
)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / "history.sqlite") as kept:
        yield kept


def reported(history: History, *runs: EvaluationRun, baseline: str | None = "last") -> Report:
    """The report on the last of these runs."""
    for run in runs:
        put(history, run)
    return build_report(history, "last", baseline)


@pytest.fixture
def hostile(history: History) -> Report:
    """Hostile texts everywhere, before and after, some of them flipped."""
    provenance = make_provenance(
        questions_file=HOSTILE[0], generator={"kind": HOSTILE[1], "model": HOSTILE[5]}
    )
    before = hostile_run()
    after = make_run(texts=HOSTILE_TEXTS, usual="contradicted", provenance=provenance)
    return reported(history, before, after)


def page(report: Report) -> ET.Element:
    """The page as a browser parses it."""
    return html5lib.parse(html_report(report), namespaceHTMLElements=False)


def text(node: ET.Element) -> str:
    return " ".join("".join(node.itertext()).split())


# ---------------------------------------------------------------------- what it says


def test_a_run_that_became_worse_says_by_how_much_and_names_three_answers(
    history: History,
) -> None:
    after = make_run(questions=43, kinds=dict.fromkeys(range(18), "contradicted"))
    report = reported(history, make_run(questions=43), after)
    assert report.tone == "worse"
    assert re.search(r"claims flagged \+4\d points \[\+\d+, \+\d+\]", report.headline)
    assert [q.id for q in report.first] == ["q00", "q01", "q02"]


def test_a_run_without_a_change_says_how_large_a_drop_would_have_been_seen(
    history: History,
) -> None:
    report = reported(history, make_run(questions=43), make_run(questions=43))
    assert report.tone == "level"
    assert "43 questions could show" in report.headline
    assert re.search(
        r"a drop of \d+ points over several documents would have been seen\.$", report.headline
    )


def test_so_few_questions_that_no_drop_could_be_told_are_said_to_be_too_few(
    history: History,
) -> None:
    report = reported(history, make_run(questions=3), make_run(questions=3))
    assert "too few to show a drop of any size" in report.headline


def test_two_equal_nights_of_few_documents_are_charged_with_no_noise() -> None:
    """Ten questions about each of five documents: that nothing moved leaves a wide interval, but
    eight of fifty answers lost over all of them would be called worse all the same."""

    def of_five(run: EvaluationRun) -> EvaluationRun:
        about = [replace(r.question, file=f"{int(r.question.id[1:]) % 5}.pdf") for r in run.results]
        return replace(
            run,
            results=tuple(replace(r, question=q) for r, q in zip(run.results, about, strict=True)),
        )

    before = of_five(make_run(questions=50))
    drop = visible_drop(compare(before, before), "task_completion", documents=5)
    assert drop is not None
    assert drop < 0.2
    lost = [n for n in range(50) if n % 5 != 4][: round(drop * 50)]
    after = of_five(make_run(questions=50, kinds=dict.fromkeys(lost, "refused")))
    found = {d.metric: d.verdict for d in compare(before, after).differences}
    assert found["task_completion"] == "worse"


@pytest.mark.parametrize("questions", [30, 43, 90])
def test_the_drop_that_would_have_been_seen_is_seen_and_a_third_of_it_is_not(
    history: History, questions: int
) -> None:
    run = make_run(questions=questions)
    report = reported(history, run, run)
    assert report.comparison is not None
    drop = visible_drop(report.comparison, "flagged", documents=questions // 3)
    assert drop is not None
    claiming = [n for n in range(questions) if n % 5 != 4]
    by_document = sorted(claiming, key=lambda n: (n % 3, n))  # one of each document first
    lost = round(drop * len(claiming))
    for count, verdict in ((lost, "worse"), (lost // 3, "no difference seen")):
        kinds = dict.fromkeys(by_document[:count], "contradicted")
        found = compare(run, make_run(questions=questions, kinds=kinds))
        assert {d.metric: d.verdict for d in found.differences}["flagged"] == verdict


def test_a_run_that_became_better_says_so(history: History) -> None:
    before = make_run(questions=43, kinds=dict.fromkeys(range(18), "contradicted"))
    report = reported(history, before, make_run(questions=43))
    assert report.tone == "better"
    assert report.headline.endswith("nothing got worse.")


def test_the_first_run_has_nothing_to_be_compared_with(history: History) -> None:
    report = reported(history, make_run())
    assert (report.tone, report.comparison) == ("first", None)


def test_an_interrupted_run_says_of_how_many_questions_its_figures_are(history: History) -> None:
    half = replace(make_run(questions=8), questions=20, state="interrupted")
    report = reported(history, make_run(), half)
    assert report.headline.startswith("This run is interrupted: 8 of 20 questions were asked")


def test_without_a_drop_the_answers_with_something_wrong_are_to_be_looked_at(
    history: History,
) -> None:
    kinds = {1: "refused", 2: "contradicted", 3: "failed", 4: "supported"}
    report = reported(history, make_run(kinds=kinds), baseline=None)
    assert [(look.question.id, look.why) for look in report.looks] == [
        ("q03", "no answer"),
        ("q02", "a claim is contradicted or not supported"),
        ("q04", "answered though unanswerable"),
        ("q01", "refused though answerable"),
    ]


def test_the_trend_follows_the_file_of_questions_and_marks_where_it_was_edited(
    history: History,
) -> None:
    elsewhere = make_provenance(questions_digest="other", questions_file="others.jsonl")
    edited = make_provenance(questions_digest="edited", questions_file="moved/questions.jsonl")
    runs = [
        make_run(),
        make_run(provenance=elsewhere),
        replace(make_run(), state="failed"),
        make_run(),
        make_run(questions=21, provenance=edited),
        make_run(questions=21, provenance=edited),
    ]
    ids = [put(history, run) for run in runs]
    report = build_report(history)
    assert [(p.run_id, p.edited) for p in report.trend] == [
        (ids[0], False), (ids[3], False), (ids[4], True), (ids[5], False),
    ]  # fmt: skip
    assert [p.summary for p in report.trend] == [
        figures_of(history.load(p.run_id)) for p in report.trend
    ]


def test_figures_are_worked_out_once_and_anew_when_other_code_makes_them(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = put(history, make_run(kinds={2: "contradicted"}))
    first = build_report(history, run_id).summary
    monkeypatch.setattr(eval.summary, "figures_of", lambda _: {"made": "anew"})
    assert build_report(history, run_id).summary == first
    monkeypatch.setattr(eval.summary, "_made_by", lambda: "the next version")
    assert kept_figures(history, history.find(run_id)) == {"made": "anew"}


def test_who_may_only_read_the_history_gets_the_report_all_the_same(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = put(history, make_run())
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, who may write all
    history._db.execute("PRAGMA query_only = ON")
    assert build_report(history, run_id).summary["task_completion"]["n"] == 20


def test_figures_of_a_run_that_may_still_go_on_are_not_kept(history: History) -> None:
    run = make_run()
    run_id = put(history, replace(run, state="interrupted", results=run.results[:8]))
    assert build_report(history, run_id).summary["task_completion"]["n"] == 8
    history.reopen(run_id)
    history.add(run_id, run.results[8:])
    history.finish(run_id, "done")
    assert build_report(history, run_id).summary["task_completion"]["n"] == 20


def test_a_run_that_answered_nothing_has_no_report(history: History) -> None:
    empty = replace(make_run(), results=(), state="failed")
    with pytest.raises(UsageError, match="is failed and answered nothing"):
        reported(history, empty)


# ---------------------------------------------------------------------- the page


def test_the_page_shows_checks_claims_changes_flips_and_provenance(history: History) -> None:
    changed = make_provenance(generator={"kind": "ollama", "model": "qwen3:8b", "digest": "bb"})
    after = make_run(kinds={2: "contradicted", 5: "failed"}, provenance=changed)
    shown = text(page(reported(history, make_run(), after)))
    for expected in (
        "factual accuracy",
        "generator model: qwen3:4b-instruct → qwen3:8b",
        "another writer: every figure may move",
        "▼ worse: supported → flagged",
        "! the figure 2 is not in the passage",
        "“runway 2 (1002 feet long)” — [1] report-0.pdf, page 3",
        "No answer: the model server closed the connection",
        "ReplyInvalid 1 times",
        "digest 9e57",
        "sensitivity",
    ):
        assert expected in shown, expected


def test_each_answer_to_look_at_first_is_a_step_away_on_the_same_page(history: History) -> None:
    kinds = dict.fromkeys(range(12), "contradicted")
    found = page(reported(history, make_run(), make_run(kinds=kinds)))
    links = [a.get("href") for a in found.findall(".//ol//a")]
    assert len(links) == 3
    ids = [node.get("id") for node in found.iter() if node.get("id")]
    assert {link[1:] for link in links} <= set(ids)
    assert len(ids) == len(set(ids))


def test_every_section_is_a_step_away(history: History) -> None:
    found = page(reported(history, make_run(), make_run()))
    links = [a.get("href") for a in found.findall(".//details[@class='contents']//a")]
    sections = [f"#{section.get('id')}" for section in found.iter("section")]
    assert links == sections
    assert len(links) == len(found.findall(".//h2")) == 13


def test_a_better_answer_that_is_still_wrong_says_so(history: History) -> None:
    before = make_run(kinds={4: "contradicted", 6: "contradicted"})
    found = page(reported(history, before, make_run(kinds={4: "supported"})))
    told = {
        a.findtext("h3"): [p.text for p in a.findall("p[@class='alarm']")]
        for a in found.iter("article")
    }
    still = ["Still: answered though unanswerable"]
    assert told == {question(4).question: still, question(6).question: []}


def test_what_produced_a_run_stands_there_in_words(history: History) -> None:
    odd = make_provenance(
        verifier={"kind": "rules", "model": None, "digest": None, "calibrated": True},
        settings={"verify": False, "judges": ["rules", "own"]},
        machine={"gpus": [{"name": "one", "memory": 8}]},
    )
    defined = {}
    for names in page(reported(history, make_run(provenance=odd))).iter("dl"):
        defined |= dict(
            zip((n.text for n in names[::2]), (n.text for n in names[1::2]), strict=True)
        )
    assert defined["calibrated"] == "yes"
    assert defined["settings verify"] == "no"
    assert defined["settings judges"] == "rules, own"
    assert defined["machine gpus"] == "name one, memory 8"
    assert defined["model"] == "–"


def test_the_page_may_use_its_own_style_and_nothing_else(hostile: Report) -> None:
    found = page(hostile)
    style = found.find(".//style").text
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = found.find(".//meta[@http-equiv]").get("content")
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_texts_stand_on_the_page_as_the_characters_they_are(hostile: Report) -> None:
    found = page(hostile)
    must_be_inert(found)
    shown = "".join(found.itertext())
    assert "<script>alert(1)</script>" in shown
    assert "]]>&lt;/failure>" in shown
    assert "\x1b" not in html_report(hostile)


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1), st.sampled_from(["contradicted", "refused", "failed", "unverified"]))
def test_no_text_of_a_question_a_document_or_a_model_can_act(said: str, kind: str) -> None:
    run = make_run(questions=2, texts={0: said}, kinds={0: kind})
    with History(":memory:") as history:
        report = reported(history, make_run(questions=2, texts={0: said}), run)
    must_be_inert(page(report))
    assert JUNIT.validate(etree.fromstring(junit_report(report).encode())), JUNIT.error_log
    must_be_plain(markdown_report(report))


def test_a_long_answer_is_cut_and_says_by_how_much(hostile: Report) -> None:
    shown = text(page(hostile))
    assert re.search(r"… \([89],\d{3} more characters\)", shown)


def test_an_element_escapes_children_and_attributes_but_not_other_elements() -> None:
    inner = element("b", "a < b")
    assert element("p", inner, "<i>", None, title='"x"') == (
        '<p title="&quot;x&quot;"><b>a &lt; b</b>&lt;i&gt;</p>'
    )


def test_a_figure_that_is_not_known_is_drawn_as_a_gap_and_not_as_zero() -> None:
    assert "polygon" not in interval(None, None, None, "speed")
    drawn = trend("speed", [Point("a", None), Point("b", 0.5, 0.4, 0.6, "this")])
    assert drawn.count("<polygon") == 1
    assert "<circle" not in drawn


def test_the_line_of_a_trend_breaks_where_the_questions_were_edited() -> None:
    shares = [0.5, 0.6, None, 0.7, 0.8, 0.9]
    points = [Point("a", share, edited=i == 4) for i, share in enumerate(shares)]
    drawn = trend("flagged", points)
    lines = [len(line.split()) for line in re.findall('<polyline points="([^"]+)"', drawn)]
    assert lines == [2, 1, 2]
    assert trend("flagged", points[:4]).count("<line") < drawn.count("<line")


@pytest.mark.parametrize("digests", [("a", "a"), ("a", "b")])
def test_an_edit_of_the_questions_is_explained_where_there_is_one(
    history: History, digests: tuple[str, str]
) -> None:
    runs = [make_run(provenance=make_provenance(questions_digest=d)) for d in digests]
    shown = text(page(reported(history, *runs)))
    assert ("questions edited" in shown) is (digests[0] != digests[1])


def test_a_figure_in_a_headline_is_not_torn_at_the_end_of_a_line() -> None:
    assert unbroken("time −48 % [−55, ∞], and [no, figures in it]") == (
        "time −48\u00a0% [−55,\u00a0∞], and [no, figures in it]"
    )


def test_the_scale_of_a_trend_starts_at_zero_and_holds_every_interval() -> None:
    drawn = trend("flagged", [Point("a", 0.02, 0.01, 0.08), Point("b", 0.03, 0.02, 0.3, "this")])
    assert {">0 %<", ">20 %<", ">40 %<"} <= set(re.findall(">[0-9]+ %<", drawn))


def test_shares_fill_the_bar_and_each_is_marked_by_more_than_its_colour() -> None:
    drawn = shares([("✓", "a", 0.5), ("○", "b", 0.25), ("✗", "c", 0.25), ("?", "d", 0.0)])
    widths = [float(w) for w in re.findall(r'<rect x="[^"]+" y="1" width="([^"]+)"', drawn)]
    assert widths == [300, 150, 150]
    assert re.findall("[✓○✗?]", drawn) == ["✓", "○", "✗"]


def test_of_a_difference_the_line_is_thick_where_it_leaves_out_zero() -> None:
    rows = [("a", 0.2, 0.1, 0.3, "+20"), ("b", 0.1, -0.1, 0.3, "+10"), ("c", -0.2, -1.0, -0.1, "")]
    assert re.findall(r'stroke-width="(5|1.5)"', forest("moved", rows)) == ["5", "1.5", "5"]


# ---------------------------------------------------------------------- other formats


def must_be_plain(markdown: str) -> None:
    """Rendered with HTML allowed, Markdown makes nothing that acts."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    inline = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inline)}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "fence", "code_block"}
    assert "://" not in "".join(t.content for t in inline if t.type == "text")
    assert "@everyone" not in "".join(t.content for t in inline if t.type == "text")


def test_markdown_shows_hostile_texts_in_code_spans_alone(hostile: Report) -> None:
    written = markdown_report(hostile)
    must_be_plain(written)
    assert "<script>" in written
    assert len(written) < 65_536


@given(st.text())
def test_no_text_ends_its_code_span_or_its_table_cell(said: str) -> None:
    tokens = (
        MarkdownIt("commonmark").enable("table").parse(f"| a | b |\n|-|-|\n| {code(said)} | c |")
    )
    cells = [t for t in tokens if t.type == "inline"]
    assert [t.content for t in cells][-1] == "c"
    assert [child.type for child in cells[2].children or ()] == ["code_inline"]


def test_junit_has_a_case_for_each_question_and_check(history: History) -> None:
    run = make_run(kinds={2: "contradicted", 3: "failed"}, repeats=2)
    root = etree.fromstring(junit_report(reported(history, run)).encode())
    assert JUNIT.validate(root), JUNIT.error_log
    suites = {s.get("name"): s for s in root}
    assert list(suites) == list(CHECKS)
    counts = {name: tuple(int(s.get(k)) for k in ("tests", "failures", "errors", "skipped"))
              for name, s in suites.items()}  # fmt: skip
    assert counts["factual_accuracy"] == (40, 2, 2, 8)
    assert counts["speed"] == (40, 0, 2, 38)
    failure = suites["factual_accuracy"].find(".//failure")
    assert failure.get("message") == "no_flag: contradicted on q02"
    assert suites["factual_accuracy"].find(".//error").get("type") == "ReplyInvalid"


def test_junit_takes_hostile_texts_and_no_character_that_xml_forbids(hostile: Report) -> None:
    written = junit_report(hostile)
    assert JUNIT.validate(etree.fromstring(written.encode())), JUNIT.error_log
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800]", written)
    assert "\u202e" not in written


# ---------------------------------------------------------------------- the command


@pytest.fixture
def kept(tmp_path: Path) -> list[str]:
    """Options that name a history of two runs."""
    path = tmp_path / "kept.sqlite"
    with History(path) as history:
        put(history, make_run())
        put(history, make_run(kinds={2: "contradicted"}))
    return ["--history", str(path)]


@pytest.mark.parametrize(
    ("options", "file", "begins"),
    [
        ([], "report.html", "<!doctype html>"),
        (["--format", "markdown"], "report.md", "## ⚫ Nothing got worse"),
        (["--format", "junit"], "report.xml", "<?xml"),
        (["-o", "morning.md"], "morning.md", "## ⚫"),
        (["-o", "tests.XML"], "tests.XML", "<?xml"),
        (["-o", "page.md", "--format", "html"], "page.md", "<!doctype html>"),
        (["--baseline", "none"], "report.html", "<!doctype html>"),
    ],
)
def test_the_command_writes_each_format(
    kept: list[str], tmp_path: Path, options: list[str], file: str, begins: str
) -> None:
    done = rag_here("eval", "report", *kept, *options, cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"{file}: N")
    assert (tmp_path / file).read_text(encoding="utf-8").startswith(begins)


def test_the_command_prints_to_standard_output_when_asked(kept: list[str], tmp_path: Path) -> None:
    done = rag_here("eval", "report", *kept, "-o", "-", "--format", "junit", cwd=tmp_path)
    assert JUNIT.validate(etree.fromstring(done.out.encode()))
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--history", "nowhere.sqlite"], "no history at nowhere.sqlite; make the first run"),
        (["2020"], "no run is «2020»"),
        (["-o", "r.pdf"], r".pdf is no ending of a report: r.pdf"),
        (["last", "--baseline", "last-week"], "no run is «last-week»"),
        (["-o", "missing/report.html"], "report missing/report.html cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_one_line_and_exit_2(
    kept: list[str], tmp_path: Path, options: list[str], said: str
) -> None:
    done = rag_here("eval", "report", *kept, *options, cwd=tmp_path)
    assert done.code == 2
    assert said in one_error_line(done.err)


def test_a_link_stays_and_its_file_is_written(kept: list[str], tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "report.html").symlink_to(Path("pages") / "tonight.html")
    for _ in range(2):
        assert rag_here("eval", "report", *kept, cwd=tmp_path).code == 0
    assert (tmp_path / "report.html").is_symlink()
    page = tmp_path / "pages" / "tonight.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(page.parent.iterdir()) == [page]


def test_a_named_pipe_is_written_to_and_not_replaced(kept: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    done = rag_here("eval", "report", *kept, "-o", "pipe", "--format", "markdown", cwd=tmp_path)
    assert (done.code, pipe.is_fifo()) == (0, True)
    reader.join(60)
    assert read
    assert read[0].startswith("## ")


def test_a_full_disk_is_exit_16_and_leaves_the_page_of_yesterday(
    kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").write_text("yesterday")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    before = set(tmp_path.iterdir())
    done = rag_here("eval", "report", *kept, cwd=tmp_path)
    assert done.code == 16
    assert "no room for report report.html" in one_error_line(done.err)
    assert (tmp_path / "report.html").read_text() == "yesterday"
    assert set(tmp_path.iterdir()) == before


def test_a_run_is_not_its_own_baseline(history: History) -> None:
    run_id = put(history, make_run())
    with pytest.raises(UsageError, match="is the run that is held against it"):
        build_report(history, run_id, run_id)


# ---------------------------------------------------------------------- a DataFrame


def test_a_dataframe_has_a_row_for_each_question_and_repeat() -> None:
    frame = make_run(kinds={0: "failed", 1: "refused"}, repeats=2).to_dataframe()
    assert len(frame) == 40
    assert frame["id"].nunique() == 20
    failed = frame[frame["id"] == "q00"].iloc[0]
    assert failed["error"].startswith("ReplyInvalid")
    assert failed[["refused", "supported", "retrieval.hit@5"]].isna().all()
    assert frame["factual_accuracy.no_flag"].value_counts()["MET"] == 28
    assert frame[frame["id"] == "q01"]["refused"].all()


def test_without_pandas_the_dataframe_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r'pip install "affidavit\[notebook\]"'):
        make_run().to_dataframe()


def test_figures_of_nothing_are_dashes(history: History) -> None:
    """A run in which everything was refused has no claims, and says so."""
    report = reported(history, make_run(kinds=dict.fromkeys(range(20), "refused")))
    assert "No answer of this run claims anything." in text(page(report))
