"""Office files: what a person sees, with its place, and a named reason for whatever is refused."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers import Options, Unreadable, read, stream
from ingest.readers.table import groups, number, table_text
from rag.records import Document, Section

HOSTILE = Path(__file__).parents[2] / "shared" / "data" / "hostile"


def zipped(path: Path, entries: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return path


def given_by(path: Path) -> Document:
    return read(path, title="t")


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(path, title="t")
    assert "\n" not in str(caught.value)
    return caught.value


# ------------------------------------------------------------------ tables as text


def test_a_long_table_repeats_its_title_and_header():
    """Rows are whole, and every group begins with the title and the header row."""
    rows = [["Staff"], ["Name", "Days"], *([f"Person {n}", str(n)] for n in range(60))]
    found = list(groups(rows))
    assert len(found) > 1
    assert all(group.text.startswith("Staff\nName | Days\nPerson") for group in found)
    assert (found[0].first, found[-1].last) == (1, 62)


def test_a_wide_header_is_written_before_each_value():
    """A header too long to repeat stands once in full, then as names before the values."""
    names = [f"A rather long column name {n}" for n in range(9)]
    first, *rest = groups([names, ["1", "", "3"], ["4"]])
    assert first.text == " | ".join(names) + "\n"
    assert [group.text for group in rest] == [
        f"{names[0]}: 1; {names[2]}: 3\n{names[0]}: 4\n",
    ]


def test_prose_in_a_table_is_not_repeated():
    """Cells that hold paragraphs are no header: each is given once."""
    text = table_text([["Some long paragraph. " * 20, "x"], ["Another", "y"]])
    assert text.count("Some long") == 20
    assert text.endswith("\nAnother | y\n")


@given(st.lists(st.lists(st.text(st.sampled_from("ab |\n\t1é"), max_size=90), max_size=6)))
def test_groups_lose_no_row(rows):
    """Every cell's words appear, each row in one group, and the groups tile the filled rows."""
    found = list(groups(rows))
    words = [[w for cell in row for w in re.findall(r"\w+", cell)] for row in rows]
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    full = [number for number, row in enumerate(cells, 1) if any(row)]
    covered = [n for group in found for n in range(group.first, group.last + 1) if n in full]
    assert covered == full
    for group in found:
        for n in range(group.first, group.last + 1):
            assert any(set(words[n - 1]) <= set(re.findall(r"\w+", line)) for line in
                       group.text.split("\n"))  # fmt: skip
        assert group.text.endswith("\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(4711.0, "4711"), (0.1 + 0.2, "0.3"), (-0.0, "0"), (2.5e-7, "2.5e-07"), (1e300, "1e+300")],
)
def test_numbers_are_shown_without_binary_leavings(value, shown):
    """A whole number has no «.0», and no digits that only its binary form has."""
    assert number(value) == shown


# ------------------------------------------------------------------ PowerPoint

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_NAMES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    f'xmlns:r="{_OFFICE}"'
)
PICTURE = "<p:pic><p:nvPicPr><p:cNvPr/></p:nvPicPr><p:blipFill><a:blip/></p:blipFill></p:pic>"


def rels(**targets: str) -> str:
    """Relations: «slide1» is the id, and without its digits the kind."""
    inner = "".join(
        f'<Relationship Id="{i}" Type="{_OFFICE}/{i.rstrip("0123456789")}" Target="{target}"/>'
        for i, target in targets.items()
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{space}">{inner}</Relationships>'


def box(text: str, role: str = "", *, hidden: bool = False) -> str:
    ph = f'<p:ph type="{role}"/>' if role else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr hidden="{int(hidden)}"/><p:nvPr>{ph}</p:nvPr></p:nvSpPr>'
        f"<p:txBody>{lines}</p:txBody></p:sp>"
    )


def tree(kind: str, shapes: str, more: str = "") -> str:
    return f"<p:{kind} {_NAMES} {more}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{kind}>"


def frame(inner: str) -> str:
    return f"<p:graphicFrame><a:graphic><a:graphicData>{inner}</a:graphicData></a:graphic></p:graphicFrame>"  # noqa: E501


def pptx(folder: Path, *slides: str, more: dict[str, str | bytes] | None = None) -> Path:
    """A presentation whose slide files are numbered backwards, as after moving slides about."""
    last = len(slides)
    ids = "".join(f'<p:sldId id="{n}" r:id="slide{n}"/>' for n in range(1, last + 1))
    targets = {f"slide{n}": f"slides/slide{last + 1 - n}.xml" for n in range(1, last + 1)}
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": rels(officeDocument="ppt/presentation.xml"),
        "ppt/presentation.xml": f"<p:presentation {_NAMES}><p:sldIdLst>{ids}</p:sldIdLst>"
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": rels(**targets),
    }
    for n, content in enumerate(slides, 1):
        entries[f"ppt/slides/slide{last + 1 - n}.xml"] = content
    return zipped(folder / "x.pptx", entries | (more or {}))


def test_slides_come_in_the_order_of_the_presentation(tmp_path):
    """Each slide is a section: its number, its title as heading, then text in reading order."""
    one = tree("sld", box("Body\ntwo lines") + box("Welcome", "ctrTitle") + box("7", "sldNum"))
    grouped = f"<p:grpSp><p:nvGrpSpPr><p:cNvPr/></p:nvGrpSpPr>{box('In a group')}</p:grpSp>"
    two = tree("sld", grouped + box("Last"), 'show="0"')
    document = given_by(pptx(tmp_path, one, two))
    assert (document.reader, document.pages, document.lost_pages) == ("slides", 2, ())
    assert document.sections == (
        Section("Welcome\n\nBody\ntwo lines\n\n", page=1, heading="Welcome"),
        Section("In a group\n\nLast\n\n", page=2, heading="(hidden slide)"),
    )


def test_slide_tables_charts_diagrams_and_notes_are_read(tmp_path):
    """Tables and charts become rows, diagrams lines, and the speaker's notes come last."""
    table = "<a:tbl>" + "".join(
        "<a:tr>" + "".join(f"<a:tc><a:p><a:r><a:t>{c}</a:t></a:r></a:p></a:tc>" for c in row)
        + "</a:tr>" for row in ("ab", "cd")) + "</a:tbl>"  # fmt: skip
    shapes = frame(table) + frame('<c:chart r:id="chart1"/>') + frame('<dgm:relIds r:dm="d1"/>')
    points = "".join(f'<c:pt idx="{n}"><c:v>{v}</c:v></c:pt>' for n, v in enumerate(("Q1", "Q2")))
    values = '<c:pt idx="0"><c:v>4.4000000000000004</c:v></c:pt><c:pt idx="1"><c:v>5</c:v></c:pt>'
    more: dict[str, str | bytes] = {
        "ppt/slides/_rels/slide1.xml.rels": rels(
            chart1="../charts/c.xml", d1="../diagrams/d.xml", notesSlide1="../notes/n.xml"
        ),
        "ppt/charts/c.xml": f"<c:chartSpace {_NAMES}><c:title>"
        "<a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:title><c:ser><c:tx><c:v>North</c:v></c:tx>"
        f"<c:cat>{points}</c:cat><c:val>{values}</c:val></c:ser></c:chartSpace>",
        "ppt/diagrams/d.xml": f"<dgm:dataModel {_NAMES}><a:p><a:r><a:t>Plan</a:t></a:r></a:p>"
        "<a:p><a:r><a:t>Do</a:t></a:r></a:p></dgm:dataModel>",
        "ppt/notes/n.xml": tree("notes", box("Say this", "body") + box("3", "sldNum")),
    }
    (section,) = given_by(pptx(tmp_path, tree("sld", shapes), more=more)).sections
    assert section.text == (
        "a | b\nc | d\n\nSales\n| North\nQ1 | 4.4\nQ2 | 5\n\nPlan\nDo\n\nNotes: Say this\n\n"
    )


def test_slide_masters_and_footers_are_given_once(tmp_path):
    """What stands on every slide comes with the first; placeholders of a master never."""
    more: dict[str, str | bytes] = {
        f"ppt/slides/_rels/slide{n}.xml.rels": rels(slideLayout1="../layouts/l.xml") for n in (1, 2)
    } | {
        "ppt/layouts/l.xml": tree("sldLayout", box("Click to edit", "title")),
        "ppt/layouts/_rels/l.xml.rels": rels(slideMaster1="../masters/m.xml"),
        "ppt/masters/m.xml": tree("sldMaster", box("Acme plc")),
    }
    slide = tree("sld", box("Text") + box("Confidential", "ftr"))
    first, second = given_by(pptx(tmp_path, slide, slide, more=more)).sections
    assert first.text == "Text\n\nConfidential\n\nAcme plc\n\n"
    assert second.text == "Text\n\n"


def test_slides_with_only_a_picture_are_lost_and_hidden_shapes_counted(tmp_path):
    """A picture without text and a damaged slide are lost pages; an empty slide is not."""
    text = tree("sld", box("Text") + box("not to be seen", hidden=True))
    path = pptx(tmp_path, text, tree("sld", PICTURE), tree("sld", ""), "<broken")
    document = given_by(path)
    assert (document.pages, document.lost_pages, document.hidden) == (4, (2, 4), 4)
    assert document.detail == "no text on 2 of 4 slides: pictures only, or damaged"
    failure = refused(pptx(tmp_path, tree("sld", PICTURE), tree("sld", "")))
    assert (failure.status, failure.pages) == ("no_text", (1,))
    assert refused(pptx(tmp_path, tree("sld", ""))).status == "empty"


# ------------------------------------------------------------------ Excel

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def cell(place: str, value: str | float) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    kind = ' t="b"' if isinstance(value, bool) else ""
    return f'<c r="{place}"{kind}><v>{value:n}</v></c>'


def rows_of(*rows: tuple[str | float, ...], first: int = 1) -> str:
    return "".join(
        f'<row r="{n}">'
        + "".join(cell(f"{'ABCDEFGH'[i]}{n}", value) for i, value in enumerate(row))
        + "</row>"
        for n, row in enumerate(rows, first)
    )


def xlsx(
    folder: Path, *sheets: tuple[str, str, str], more: dict[str, str | bytes] | None = None
) -> Path:
    """A workbook of (name, state, rows)."""
    ids = range(1, len(sheets) + 1)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" {f"state={state!r}" if state else ""} '
        f'r:id="worksheet{n}"/>' for n, (name, state, _) in zip(ids, sheets, strict=True)
    )  # fmt: skip
    part = "application/vnd.openxmlformats-officedocument.spreadsheetml."
    kinds = f'<Override PartName="/xl/workbook.xml" ContentType="{part}sheet.main+xml"/>' + "".join(
        f'<Override PartName="/xl/worksheets/s{n}.xml" ContentType="{part}worksheet+xml"/>'
        for n in ids
    )
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{types}">{kinds}</Types>',
        "_rels/.rels": rels(officeDocument="xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": rels(
            **{f"worksheet{n}": f"worksheets/s{n}.xml" for n in ids}
        ),
    }
    for n, (_, _, rows) in zip(ids, sheets, strict=True):
        entries[f"xl/worksheets/s{n}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
        )
    return zipped(folder / "x.xlsx", entries | (more or {}))


def test_sheets_give_their_rows_in_groups_under_the_header(tmp_path):
    """A section's heading names the sheet and its rows, as the sheet numbers them."""
    people = [(f"Person number {n}", n * 1.5, n % 2 == 0) for n in range(40)]
    path = xlsx(tmp_path, ("Pay", "", rows_of(("Name", "Days", "Paid"), *people, first=3)))
    document = given_by(path)
    first, second = document.sections[:2]
    assert first.text.startswith(
        "Name | Days | Paid\nPerson number 0 | 0 | TRUE\nPerson number 1 | "
    )
    assert first.heading.startswith("Pay › rows 3–")
    assert second.text.startswith("Name | Days | Paid\nPerson number ")
    assert "Person number 39 | 58.5 | FALSE\n" in document.sections[-1].text
    assert document.sections[-1].heading.endswith("–43")


def test_hidden_sheets_are_counted_and_given_only_on_request(tmp_path):
    """Hidden and very hidden sheets stay out unless hidden text is asked for."""
    path = xlsx(
        tmp_path,
        ("Open", "", rows_of(("seen",))),
        ("A", "hidden", rows_of(("secret one",))),
        ("B", "veryHidden", rows_of(("two",))),
    )
    document = given_by(path)
    assert (document.sections, document.hidden) == ((Section("seen\n", heading="Open › row 1"),), 3)
    parts = stream(path, title="t", options=Options(hidden_text=True))
    assert [p.text for p in parts if isinstance(p, Section)] == ["seen\n", "secret one\n", "two\n"]
    failure = refused(xlsx(tmp_path, ("A", "hidden", rows_of(("secret",)))))
    assert (failure.status, "hidden" in failure.detail) == ("no_text", True)


def test_boxes_and_notes_on_a_sheet_follow_its_rows(tmp_path):
    """Text boxes and notes are given after the rows of their sheet."""
    drawing = f'<d:wsDr xmlns:d="d" {_NAMES}><d:sp><a:p><a:r><a:t>In a box</a:t></a:r></a:p></d:sp></d:wsDr>'  # noqa: E501
    note = f'<comments xmlns="{_MAIN}"><commentList><comment><text><r><t>Check!</t></r></text>'
    more: dict[str, str | bytes] = {
        "xl/worksheets/_rels/s1.xml.rels": rels(drawing1="../d.xml", comments1="../n.xml"),
        "xl/d.xml": drawing,
        "xl/n.xml": note + "</comment></commentList></comments>",
    }
    _, beside = given_by(xlsx(tmp_path, ("S", "", rows_of(("x",))), more=more)).sections
    assert beside == Section("In a box\n\nNote: Check!\n", heading="S")


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm"])
def test_a_sheet_too_large_to_hold_is_refused_before_it_is_loaded(tmp_path, suffix):
    """One value in the last row and column of a sheet is «too_large», whatever it would take."""
    last = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576">' + cell("XFD1048576", 2)
    path = xlsx(tmp_path, ("S", "", last + "</row>"))
    failure = refused(path.rename(path.with_suffix(suffix)))
    assert (failure.status, failure.detail) == (
        "too_large",
        "a sheet of 1,048,576 × 16,384 cells, the limit is 10,000,000 cells",
    )
    styled = last.replace("<v>2</v></c>", "</c>").replace('"XFD1048576"></c>', '"XFD1048576"/>')
    assert len(given_by(xlsx(tmp_path, ("S", "", styled + "</row>"))).sections) == 1


def test_a_binary_sheet_is_measured_as_well():
    """The records of .xlsb tell the same rectangle, with empty cells left out."""
    from ingest.readers.spreadsheet import _binary_extent

    def record(kind: int, place: int) -> bytes:
        return bytes([kind, 8]) + place.to_bytes(4, "little") + bytes(4)

    filled = record(0, 999_999) + record(2, 16_000) + record(1, 16_383)
    start = bytes([0x81, 0x01, 0])  # a kind of two bytes, without content
    assert _binary_extent(io.BytesIO(start + filled + b"\x95")) == (1_000_000, 16_001)


def test_a_workbook_without_a_value_says_what_is_there(tmp_path):
    """A blank workbook is empty; one with only a picture has no text; a damaged one is named."""
    assert refused(xlsx(tmp_path, ("S", "", ""))).status == "empty"
    only = xlsx(tmp_path, ("S", "", ""), more={"xl/media/image1.png": b"x"})
    assert refused(only).status == "no_text"
    assert refused(xlsx(tmp_path, ("S", "", "<row><c"))).status == "unreadable"
    ancient = tmp_path / "x.xls"
    ancient.write_bytes(b"\x09\x04\x06\x00" + bytes(60))
    assert "Excel 4" in refused(ancient).detail


# ------------------------------------------------------------------ text files


def delimited(folder: Path, text: str | bytes, name: str = "x.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return "".join(section.text for section in given_by(path).sections)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        pytest.param('a,b\n"x, y",2\n', "a | b\nx, y | 2\n", id="commas inside quotes"),
        pytest.param("a;b;c\n1,5;2,5;3\n", "a | b | c\n1,5 | 2,5 | 3\n", id="decimal commas"),
        pytest.param("1,5;2,5\n3,5;4,5\n", "1,5 | 2,5\n3,5 | 4,5\n", id="nothing but decimals"),
        pytest.param("a\tb\n1,2\t3;4\n", "a | b\n1,2 | 3;4\n", id="tabs"),
        pytest.param("a|b\nc|d\n", "a | b\nc | d\n", id="bars"),
        pytest.param("Dear all\nyours, me\nend\n", "Dear all\nyours, me\nend\n", id="one column"),
        pytest.param("T\na,b,c\n1,2,3\n4,5,6\n7,8,9\n8,8,8\n", "T\na | b | c\n1 | 2 | 3\n4 | 5 | 6"
                     "\n7 | 8 | 9\n8 | 8 | 8\n", id="title above"),
        pytest.param("sep=:\na:b,c\n", "a | b,c\n", id="named delimiter"),
        pytest.param('a,b\n"one\ntwo",3\n', "a | b\none two | 3\n", id="line break in a cell"),
        pytest.param("a,b\n" + "x" * 300_000 + ",2\n", "a | b\n" + "x" * 300_000 + " | 2\n",
                     id="very long cell"),
        pytest.param(b"a,b\n" + b"1,2\n" * 99 + b"\0", None, id="zero bytes"),
        pytest.param("Größe,b\n1,2\n".encode("utf-16"), "Größe | b\n1 | 2\n", id="UTF-16"),
    ],
)  # fmt: skip
def test_delimited_files_are_divided_as_their_writer_meant(tmp_path, source, shown):
    """The delimiter is found whatever else the cells hold."""
    text = delimited(tmp_path, source)
    assert text.startswith("a | b\n1 | 2\n") if shown is None else text == shown


def test_delimited_rows_are_numbered_and_binary_content_refused(tmp_path):
    """Headings name the rows; empty files and binary content get their status."""
    path = tmp_path / "x.tsv"
    path.write_text("Name\tDays\n" + "".join(f"Person {n}\t{n}\n" for n in range(100)))
    sections = given_by(path).sections
    assert sections[0].heading.startswith("rows 1–")
    assert all(section.text.startswith("Name | Days\nPerson ") for section in sections)
    assert sections[-1].heading.endswith("–101")
    path.write_text(",,\n,,\n")
    assert refused(path).status == "empty"
    path.write_bytes(bytes(range(256)) * 9)
    assert refused(path).status == "unreadable"


_CELLS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12)


@given(st.lists(st.lists(_CELLS, min_size=3, max_size=3), min_size=1, max_size=20))
def test_delimited_files_lose_no_word(tmp_path_factory, rows):
    """Every word that was written as a cell is read."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    words = {w for row in rows for cell in row for w in re.findall(r"\w+", cell)}
    if words:
        text = "".join(section.text for section in given_by(path).sections)
        assert words <= set(re.findall(r"\w+", text))


# ------------------------------------------------------------------ OpenDocument

_ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
    for name, long in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
        ("style", "style"), ("presentation", "presentation"), ("manifest", "manifest"),
    )
)  # fmt: skip


def odf(folder: Path, name: str, body: str, styles: str = "", manifest: str = "") -> Path:
    content = (
        f"<office:document-content {_ODF}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body>{body}</office:body></office:document-content>"
    )
    listed = f"<manifest:manifest {_ODF}>{manifest}</manifest:manifest>"
    return zipped(folder / name, {"META-INF/manifest.xml": listed, "content.xml": content})


def odt(folder: Path, body: str, styles: str = "") -> Path:
    return odf(folder, "x.odt", f"<office:text>{body}</office:text>", styles)


def test_opendocument_texts_keep_headings_lists_tables_and_notes(tmp_path):
    """Outline levels make the path; notes and boxes follow their paragraph; deletions are out."""
    body = """
    <text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion>
    </text:tracked-changes>
    <text:p text:style-name="P1">Contract</text:p>
    <text:h text:outline-level="1">Terms</text:h><text:p>Pay<text:s text:c="2"/>in
      <text:span>30</text:span><text:tab/>days<text:note><text:note-citation>1</text:note-citation>
      <text:note-body><text:p>or less</text:p></text:note-body></text:note>.</text:p>
    <text:list><text:list-item><text:p>One</text:p><text:list><text:list-item>
      <text:p>Two</text:p></text:list-item></text:list></text:list-item></text:list>
    <text:p>Beside<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box>
      </draw:frame></text:p>
    <table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Item</text:p>
      </table:table-cell><table:table-cell><text:p>Price</text:p></table:table-cell>
      </table:table-row></table:table-header-rows><table:table-row><table:table-cell
      table:number-columns-repeated="2"><text:p>Pen</text:p></table:table-cell></table:table-row>
    </table:table>
    <text:section text:display="none"><text:p>not to be seen</text:p></text:section>"""
    style = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    document = given_by(odt(tmp_path, body, style))
    assert (document.reader, document.hidden) == ("opendocument", 4)
    assert document.sections == (
        Section(
            "Contract\n\nTerms\n\nPay  in 30\tdays.\n\nor less\n\nOne\n\nTwo\n\nBeside\n\n"
            "In a box\n\nItem | Price\nPen | Pen\n\n",
            heading="Contract › Terms",
        ),
    )


def test_opendocument_hidden_text_is_counted_and_raised_text_set_off(tmp_path):
    """Hidden by style, by field or by paragraph: left out, with nothing around it lost."""
    body = """<text:p>1,234<text:span text:style-name="T1">1</text:span> and
      <text:span text:style-name="T2">not this</text:span>10<text:span
      text:style-name="T3">6<text:s/></text:span>, 101<text:span
      text:style-name="T4">2</text:span>.<text:hidden-text
      text:is-hidden="true" text:string-value="nor this"/> End</text:p>
      <text:p>Out<text:hidden-paragraph text:is-hidden="true"/></text:p>
      <text:p text:style-name="T2">out <text:span text:style-name="T2">too</text:span></text:p>
      <text:p><text:hidden-text text:is-hidden="false">shown</text:hidden-text></text:p>"""
    looks = {"T1": 'text-position="super 58%"', "T3": 'text-position="33% 58%"',
             "T4": 'text-position="sub 58%"'}  # fmt: skip
    styles = (
        "".join(
            f'<style:style style:name="{name}"><style:text-properties style:{look}/></style:style>'
            for name, look in looks.items()
        )
        + '<style:style style:name="T2"><style:text-properties text:display="none"/></style:style>'
    )
    document = given_by(odt(tmp_path, body, styles))
    assert document.sections[0].text == "1,234^1 and 10^6, 101_2. End\n\nshown\n\n"
    assert document.hidden == 7
    failure = refused(odt(tmp_path, '<text:p text:display="none">a b</text:p>'))
    assert (failure.status, failure.detail) == ("no_text", "only text that nobody sees, 2 words")


def test_opendocument_slides_come_with_their_notes(tmp_path):
    """Each slide of an .odp is a section with its number, title and notes."""
    frame = "<draw:frame {}><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
    pages = (
        "<draw:page>" + frame.format("", "Body") + frame.format(
            'presentation:class="title"', "Top") + "<presentation:notes>" + frame.format(
            'presentation:class="notes"', "Say this") + "</presentation:notes></draw:page>"
        '<draw:page draw:style-name="D1">' + frame.format("", "Later") + "</draw:page>"
        "<draw:page><draw:frame><draw:image/></draw:frame></draw:page>"
    )  # fmt: skip
    style = (
        '<style:style style:name="D1"><style:drawing-page-properties '
        'presentation:visibility="hidden"/></style:style>'
    )
    footer = "<presentation:footer-decl>Acme plc</presentation:footer-decl>"
    body = f"<office:presentation>{footer}{pages}</office:presentation>"
    document = given_by(odf(tmp_path, "x.odp", body, style))
    assert (document.pages, document.lost_pages) == (3, (3,))
    assert document.sections == (
        Section("Top\n\nBody\n\nAcme plc\n\nNotes: Say this\n\n", page=1, heading="Top"),
        Section("Later\n\n", page=2, heading="(hidden slide)"),
    )


def ods(folder: Path, rows: str, styles: str = "", more: str = "") -> Path:
    body = f'<table:table table:name="S">{rows}</table:table>{more}'
    return odf(folder, "x.ods", f"<office:spreadsheet>{body}</office:spreadsheet>", styles)


def odf_row(*texts: str, times: int = 1) -> str:
    cells = "".join(f"<table:table-cell><text:p>{t}</text:p></table:table-cell>" for t in texts)
    repeat = 'table:number-columns-repeated="16380"'
    return (
        f'<table:table-row table:number-rows-repeated="{times}">{cells}'
        f"<table:table-cell {repeat}/></table:table-row>"
    )


def test_opendocument_sheets_number_their_rows_and_leave_empty_ones_out(tmp_path):
    """Repeated empty cells take nothing; repeated rows count; hidden sheets are kept out."""
    hidden = (
        '<style:style style:name="H"><style:table-properties table:display="false"/></style:style>'
    )
    more = f'<table:table table:style-name="H">{odf_row("secret")}</table:table>'
    rows = odf_row("a", "b") + odf_row(times=1000) + odf_row("1 %", times=2) + odf_row(times=10**6)
    document = given_by(ods(tmp_path, rows, hidden, more))
    assert document.sections == (Section("a | b\n1 %\n1 %\n", heading="S › rows 1–1003"),)
    assert document.hidden == 1


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(odf_row("x", times=10**9), id="rows"),
        pytest.param(
            '<table:table-row><table:table-cell table:number-columns-repeated="99999999">'
            "<text:p>x</text:p></table:table-cell></table:table-row>", id="columns"),
        pytest.param(odf_row("a", times=10**6) * 3, id="many rows"),
    ],
)  # fmt: skip
def test_opendocument_repeats_do_not_blow_up(tmp_path, rows):
    """A table whose repeat attributes stand for millions of values is «too_large»."""
    assert refused(ods(tmp_path, rows)).status == "too_large"


def test_opendocument_files_that_give_no_text_are_named(tmp_path):
    """Encrypted, blank and picture-only files get their status."""
    locked = (
        '<manifest:file-entry manifest:full-path="{}"><manifest:encryption-data/>'
        "</manifest:file-entry>"
    )
    for entry in ("content.xml", "encrypted-package"):
        path = odf(tmp_path, "x.odt", "", manifest=locked.format(entry))
        assert refused(path).status == "password"
    assert refused(odt(tmp_path, "<text:p/>")).status == "empty"
    picture = "<text:p><draw:frame><draw:image/></draw:frame></text:p>"
    assert refused(odt(tmp_path, picture)).status == "no_text"


# ------------------------------------------------------------------ Word


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".docm", "application/vnd.ms-word.document.macroEnabled.main+xml"),
        (".dotx",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"),
    ],
)  # fmt: skip
def test_word_files_with_macros_and_templates_are_read(tmp_path, suffix, kind):
    """.docm and .dotx are read like .docx."""
    document = docx.Document()
    document.add_paragraph("Text")
    buffer = io.BytesIO()
    document.save(buffer)
    plain = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    with zipfile.ZipFile(buffer) as package:
        entries: dict[str, str | bytes] = {n: package.read(n) for n in package.namelist()}
    types = entries["[Content_Types].xml"]
    assert isinstance(types, bytes)
    entries["[Content_Types].xml"] = types.replace(plain.encode(), kind.encode())
    assert given_by(zipped(tmp_path / f"x{suffix}", entries)).sections == (Section("Text\n\n"),)


_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx_with(folder: Path, body: str, footer: str = "") -> Path:
    """A Word file whose body, and page footer where given, is the given XML."""
    from docx.oxml.parser import parse_xml

    document = docx.Document()
    element = document.element.body
    names = f'xmlns:w="{_W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    for child in parse_xml(f"<w:body {names}>{body}</w:body>"):
        element.insert(len(element) - 1, child)
    if footer:
        document.sections[0].footer.paragraphs[0].text = footer
    document.save(str(folder / "x.docx"))
    return folder / "x.docx"


def run(text: str, look: str = "") -> str:
    return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_word_hidden_runs_are_left_out_and_counted(tmp_path):
    """Hidden by the run or by its style, and shown again by the run; boxes in it count once."""
    box_in = f"<w:r><w:rPr><w:vanish/></w:rPr><w:pict><w:txbxContent><w:p>{run('in a box')}</w:p>"
    body = (
        f"<w:p>{run('Seen ')}{run('two words', '<w:vanish/>')}"
        f"{run('here', '<w:vanish w:val=&quot;0&quot;/>').replace('&quot;', chr(34))}"
        f"{box_in}</w:txbxContent></w:pict></w:r></w:p>"
    )
    document = given_by(docx_with(tmp_path, body))
    assert (document.sections[0].text, document.hidden) == ("Seen here\n\n", 5)
    styled = docx.Document()
    secret = styled.styles.add_style("Secret", 1)
    secret.font.hidden = True
    derived = styled.styles.add_style("Derived", 1)
    derived.base_style = secret
    styled.add_paragraph("nobody sees this", style="Derived")
    styled.save(str(tmp_path / "y.docx"))
    failure = refused(tmp_path / "y.docx")
    assert (failure.status, failure.detail) == ("no_text", "only text that nobody sees, 3 words")


def test_word_raised_and_lowered_text_changes_no_number(tmp_path):
    """Also over several runs, by the style of the run, and in a table."""
    up, down = '<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>'
    line = (
        f"<w:p>{run('1,234')}{run('1', up)}{run(',2', up)}{run(' H')}{run('2', down)}"
        f"{run('O 10')}{run('6', up)}{run('3')}</w:p>"
    )
    table = f"<w:tbl><w:tr><w:tc>{line}</w:tc><w:tc>{line}</w:tc></w:tr></w:tbl>"
    shown = "1,234^(1,2) H2O 10^(6)3"
    (section,) = given_by(docx_with(tmp_path, line + table)).sections
    assert section.text == f"{shown}\n\n{shown} | {shown}\n\n"
    styled = docx.Document()
    styled.styles.add_style("Note", 2).font.superscript = True
    styled.add_paragraph("90").add_run("7", style="Note")
    styled.save(str(tmp_path / "y.docx"))
    assert given_by(tmp_path / "y.docx").sections[0].text == "90^7\n\n"


def test_word_signs_of_symbol_fonts_are_written_as_what_they_show(tmp_path):
    """An inserted sign is never lost without a trace, and a bullet never a private code."""
    signs = (("Symbol", "F0B3"), ("Symbol", "006D"), ("Wingdings", "F0FE"), ("MS Gothic", "2610"),
             ("Wingdings 3", "F041"), ("Arial", "no hex"), ("Symbol", "D800"))  # fmt: skip
    body = "".join(f'<w:r><w:sym w:font="{f}" w:char="{c}"/></w:r>' for f, c in signs)
    typed = run("\uf0a3 5", '<w:rFonts w:ascii="Symbol"/>')
    (section,) = given_by(docx_with(tmp_path, f"<w:p>{body}{run(' 5 mg ')}{typed}</w:p>")).sections
    assert section.text == "≥μ☑☐\ufffd\ufffd\ufffd 5 mg ≤ 5\n\n"


def test_word_alternatives_are_given_once(tmp_path):
    """Of a part that is there in several forms the first that has text is read."""
    form = "<mc:{0}><w:p>" + run("{1}") + "</w:p></mc:{0}>"
    old = form.format("Fallback", "old")
    both = form.format("Choice", "new") + old
    body = "".join(
        f"<mc:AlternateContent>{forms}</mc:AlternateContent>"
        for forms in (both, form.format("Fallback", "only"), "<mc:Choice/>" + old)
    )
    inline = both.replace("<w:p>", "").replace("</w:p>", "")
    body += f"<w:p><mc:AlternateContent>{inline}</mc:AlternateContent></w:p>"
    assert given_by(docx_with(tmp_path, body)).sections[0].text == "new\n\nonly\n\nold\n\nnew\n\n"


def test_word_page_footers_are_read_when_there_is_nothing_else(tmp_path):
    """A letterhead alone is text; beside a body it is left out."""
    alone = given_by(docx_with(tmp_path, "<w:p/>", "Acme, 5 Main Street"))
    assert alone.sections == (Section("Acme, 5 Main Street\n\n"),)
    beside = given_by(docx_with(tmp_path, f"<w:p>{run('Dear all')}</w:p>", "Acme"))
    assert beside.sections == (Section("Dear all\n\n"),)


def test_word_files_of_the_strict_kind_are_read(tmp_path):
    """Other names for the same things, as «Strict Open XML Document» saves them; a package that
    names no text at all says so."""
    path = docx_with(tmp_path, f"<w:p>{run('Strict ')}{run('h', '<w:vanish/>')}{run('text')}</w:p>")
    with zipfile.ZipFile(path) as package:
        entries: dict[str, str | bytes] = {
            n: re.sub(rb"http://schemas.openxmlformats.org/(officeDocument|wordprocessingml|"
                      rb"drawingml)/2006/", rb"http://purl.oclc.org/ooxml/\1/", package.read(n))
            for n in package.namelist()
        }  # fmt: skip
    assert b"purl.oclc.org" in bytes(entries["word/document.xml"])  # type: ignore[arg-type]
    document = given_by(zipped(tmp_path / "strict.docx", entries))
    assert (document.sections, document.hidden) == ((Section("Strict text\n\n"),), 1)
    entries["_rels/.rels"] = rels(other="word/document.xml")
    failure = refused(zipped(tmp_path / "lost.docx", entries))
    assert (failure.status, "does not say where its text is" in failure.detail) == (
        "unreadable",
        True,
    )


def test_long_tables_of_texts_and_pages_repeat_their_header(tmp_path):
    """A table of forty rows in Word or on a web page has its header above every group."""
    document = docx.Document()
    table = document.add_table(40, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Item name", "Price"
    for n in range(1, 40):
        table.cell(n, 0).text = f"Thing number {n}"
        table.cell(n, 1).text = str(n)
    document.save(tmp_path / "x.docx")
    rows = "".join(f"<tr><td>Thing number {n}<td>{n}" for n in range(1, 40))
    (tmp_path / "x.html").write_text(f"<table><tr><th>Item name<th>Price{rows}</table>")
    for name in ("x.docx", "x.html"):
        (section,) = given_by(tmp_path / name).sections
        tables = section.text.strip().split("\n\n")
        assert len(tables) == 2
        assert all(part.startswith("Item name | Price\nThing number ") for part in tables)
        assert section.text.endswith("Thing number 39 | 39\n\n")


def test_cells_over_several_columns_and_rows_keep_the_others_in_place(tmp_path):
    """What is right of or below a cell that spans stays under its own heading."""
    page = (
        "<table><caption>Rates</caption><tr><th>A<th>B<th>C</tr>"
        "<tr><td rowspan=2>x<td colspan=2>y</tr><tr><td>p<td>q</tr><tr><td>1<td>2<td>3</tr></table>"
    )
    (tmp_path / "x.html").write_text(page)
    (section,) = given_by(tmp_path / "x.html").sections
    assert section.text == "Rates\nA | B | C\nx | y\n| p | q\n1 | 2 | 3\n\n"
    document = docx.Document()
    table = document.add_table(2, 3)
    for at, text in enumerate("ABC"):
        table.cell(0, at).text = text
    table.cell(1, 0).merge(table.cell(1, 1)).text = "x"
    table.cell(1, 2).text = "y"
    document.save(tmp_path / "x.docx")
    assert given_by(tmp_path / "x.docx").sections[0].text == "A | B | C\nx | | y\n\n"


# ------------------------------------------------------------------ every kind

KINDS = (".pptx", ".pptm", ".xlsx", ".xlsm", ".xlsb", ".ods", ".odt", ".odp", ".docx", ".docm")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize("suffix", KINDS)
def test_what_is_no_such_file_is_named(tmp_path, suffix):
    """Other content under an office name is unreadable, a bomb too large: nothing else escapes."""
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"plain text")
    assert refused(path).status == "unreadable"
    zipped(path, {"a.txt": "x"})
    assert "another kind of zip archive" in refused(path).detail
    holds = {"[Content_Types].xml": "<x", "META-INF/manifest.xml": "<x"}
    zipped(path, dict(holds))
    assert refused(path).status == "unreadable"
    zipped(path, {**holds, "b.xml": b" " * 140_000_000})
    assert refused(path).status == "too_large"
    if suffix not in (".ods", ".odt", ".odp"):
        path.write_bytes(OLE + bytes(504) + "EncryptedPackage".encode("utf-16-le"))
        assert refused(path).status in ("password", "unreadable")


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "boom"}">' for n in range(9))


def test_entities_are_neither_expanded_nor_fetched(tmp_path):
    """Entity bombs and entities that name local files put nothing into the text."""
    (tmp_path / "secret.txt").write_text("TOP SECRET")
    secret = f'<!ENTITY file SYSTEM "{(tmp_path / "secret.txt").as_uri()}">'
    mark = f"<!DOCTYPE x [{BOMB}{secret}]>"
    slide = mark + tree("sld", box("Real&e8;&file;"))
    path = odt(tmp_path, "<text:p>Real&e8;&file;</text:p>")
    with zipfile.ZipFile(path) as package:
        content = package.read("content.xml").decode()
    manifest = f"<manifest:manifest {_ODF}/>"
    zipped(path, {"META-INF/manifest.xml": manifest, "content.xml": mark + content})
    for file in (pptx(tmp_path, slide), path):
        try:
            text = "".join(section.text for section in given_by(file).sections)
        except Unreadable:
            continue
        assert "boom" not in text
        assert "SECRET" not in text


def test_hostile_office_files_are_read_or_refused_for_a_reason():
    """Of the shared office files nine in ten are read, and the encrypted ones are all named."""
    kinds = (*KINDS, ".xls", ".csv", ".tsv", ".dotx")
    paths = [p for p in sorted(HOSTILE.glob("*/*")) if p.suffix.lower() in kinds]
    if not paths:
        pytest.skip("the shared hostile files are not here")
    statuses = {}
    for path in paths:
        try:
            statuses[path.name] = "read" if given_by(path).sections else "nothing"
        except Unreadable as failure:
            statuses[path.name] = failure.status
    assert set(statuses.values()) <= {"read", "empty", "no_text", "password", "unreadable"}
    locked = {n for n in statuses if re.search(r"(?i)passtika|password|encrypted", n)}
    assert {statuses[n] for n in locked} == {"password"}
    unreadable = [n for n, status in statuses.items() if status == "unreadable"]
    assert len(unreadable) <= 5, unreadable


# ------------------------------------------------------------------ tables as people write them


def test_a_header_of_two_rows_is_repeated_whole():
    """Names of single columns under a name that spans several belong to the header."""
    rows = [["Region", "2024", ""], ["", "Q1", "Q2"]]
    found = list(groups([*rows, *([f"Region number {n}", str(n), "7"] for n in range(60))]))
    assert len(found) > 1
    assert all(group.text.startswith("Region | 2024\n| Q1 | Q2\nRegion number") for group in found)
    assert (found[0].first, found[-1].last) == (1, 62)


def test_a_wide_header_of_two_rows_names_each_value_by_both():
    """The name that spans several columns stands before each of theirs, but a row's name."""
    upper, lower = "A rather long name of a year " * 4, "A rather long name of a quarter " * 4
    upper, lower = upper.strip(), lower.strip()
    _, group = groups([["Region", upper, ""], ["", lower, "Q2"], ["North", "5", "6"]])
    assert group.text == f"Region: North; {upper} {lower}: 5; {upper} Q2: 6\n"


def test_a_row_without_its_first_value_is_no_header():
    """It names no column that is without a name."""
    rows = [["Name", "Days"], ["", "5"], *([f"Person {n}", str(n)] for n in range(60))]
    assert "\n| 5\n" not in list(groups(rows))[1].text


SEMICOLONS = [f'{n},"Smith, J.; Doe, A.",200' for n in range(9)]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        pytest.param("\n".join(["id,authors,amount", *SEMICOLONS]),
                     "0 | Smith, J.; Doe, A. | 200\n", id="quoted"),
        pytest.param("id,authors,amount\n" + "1,Smith; John,200\n" * 9,
                     "1 | Smith; John | 200\n", id="unquoted"),
        pytest.param("id,authors,amount\n1,Smith; John,200\n", "1 | Smith; John | 200\n", id="one"),
        pytest.param("a;b\n" + "1,5;2,5\n" * 9, "a | b\n1,5 | 2,5\n", id="decimal commas"),
        pytest.param("Sales, May\na;b\n" + "1,5;2,5\n" * 9, "a | b\n1,5 | 2,5\n", id="titled"),
    ],
)  # fmt: skip
def test_a_delimiter_divides_the_header_as_it_divides_the_rows(tmp_path, source, shown):
    """A sign that stands once in each value is no delimiter."""
    assert shown in delimited(tmp_path, source)


@pytest.mark.parametrize(
    ("name", "source", "shown"),
    [
        pytest.param("x.tsv", 'id\tname\tn\n1\t"stray\t5\n2\tb\t6\n3\t"c ""x"""\t7\n',
                     '1 | "stray | 5\n2 | b | 6\n3 | c "x" | 7\n', id="closed by a real one"),
        pytest.param("x.tsv", 'id\tname\n1\t"stray\n2\tb\n', '1 | "stray\n2 | b\n', id="open"),
        pytest.param("x.csv", 'id,name,n\n1,"stray,5\n2,b,6\n3,c,6', '1 | "stray | 5\n2 | b | 6\n',
                     id="commas"),
        pytest.param("x.csv", 'id,name,n\n1,"stray,5\n2,b,6\n3,c,6\n4,d,6\n5,"f, g",7\n',
                     '1 | "stray | 5\n2 | b | 6\n3 | c | 6\n4 | d | 6\n5 | f, g | 7\n', id="rows"),
        pytest.param("x.csv", 'id,name,n\n1,"Dear Sir, thanks,\nfoo, bar\nbaz, x\n\nbye",5\n',
                     "1 | Dear Sir, thanks, foo, bar baz, x bye | 5\n", id="a real long cell"),
        pytest.param("x.csv", 'id,name,n\n1,"a\nb\n",5\n2,"c\nd\n\n"\n', "1 | a b | 5\n2 | c d\n",
                     id="cells that end in line breaks"),
        pytest.param("x.csv", 'id,name,n\n1,"x\ny",5\n2,"cut off\nby the', "2 | cut off by the\n",
                     id="file cut inside a cell"),
    ],
)  # fmt: skip
def test_a_stray_quote_does_not_swallow_the_rows_after_it(tmp_path, name, source, shown):
    """A cell that opens a quote and then holds whole rows is read as it stands."""
    assert shown in delimited(tmp_path, source, name)


def test_a_sheet_too_large_to_hold_is_lost_alone(tmp_path):
    """The other sheets are read, and its number and extent are told."""
    stray = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576">' + cell("XFD1048576", 2)
    sheets = ("Good", "", rows_of(("seen",))), ("Bad", "", stray + "</row>")
    document = given_by(xlsx(tmp_path, *sheets))
    assert [section.text for section in document.sections] == ["seen\n"]
    assert document.lost_pages == (2,)
    assert document.detail == (
        "1 of 2 sheets cannot be read: a sheet of 1,048,576 × 16,384 cells, "
        "the limit is 10,000,000 cells"
    )


@pytest.mark.parametrize(
    ("style", "value", "shown"),
    [
        pytest.param("[h]:mm:ss", 1.25, "30:00:00", id="hours beyond a day"),
        pytest.param("[h]:mm:ss", -0.25, "-6:00:00", id="negative"),
        pytest.param("[h]:mm:ss", 0.0000115, "0:00:01", id="fraction of a second"),
        pytest.param("h:mm:ss", 0.3958333, "09:30:00", id="time"),
        pytest.param("yyyy-mm-dd h:mm", 45000.3958333, "2023-03-15 09:30:00", id="moment"),
        pytest.param("yyyy-mm-dd", 44999.99999999, "2023-03-15", id="day"),
    ],
)
def test_times_are_rounded_to_seconds_and_durations_counted_in_hours(tmp_path, style, value, shown):
    """30 hours are 30:00:00, and 9:30 kept as a fraction of a day is 09:30:00."""
    styles = (
        f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" formatCode="{style}"/>'
        '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>'
    )
    row = f'<row r="1"><c r="A1" s="1"><v>{value!r}</v></c></row>'
    more: dict[str, str | bytes] = {
        "xl/styles.xml": styles,
        "xl/_rels/workbook.xml.rels": rels(worksheet1="worksheets/s1.xml", styles1="styles.xml"),
    }
    assert given_by(xlsx(tmp_path, ("S", "", row), more=more)).sections[0].text == shown + "\n"


def test_rows_of_names_beside_their_values_have_no_header() -> None:
    """«Owner: | Jones» above each group of rows would be noise, and wrong."""
    rows = [[f"Name {n}:", f"value {n} " * 6] for n in range(30)]
    text = table_text(rows)
    assert text.count("Name 0:") == 1
    assert [text.count(f"Name {n}:") for n in range(30)] == [1] * 30
    assert next(g.first for g in groups(rows)) == 1
