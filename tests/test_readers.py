"""Reading files: exact text, places, and a named reason for whatever cannot be read."""

from __future__ import annotations

import io
import pickle
import random
import re
import zipfile
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject

from ingest.readers import Unreadable, cause, clean, read, supported
from rag.records import Section

DATA = Path(__file__).parents[2] / "shared" / "data"


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def outcome(path: Path) -> str:
    """The text of a file, or the status it was refused with; any other error goes through."""
    try:
        return "".join(section.text for section in read(path, title="t").sections)
    except Unreadable as failure:
        return f"refused: {failure.status}"


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(path, title="t")
    assert "\n" not in str(caught.value)
    return caught.value


# ------------------------------------------------------------------ PDF


def pdf(*contents: str) -> pypdf.PdfWriter:
    """A PDF with one page for each content stream; fonts and a picture are there to be used."""
    writer = pypdf.PdfWriter()
    font = writer._add_object(DictionaryObject({
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
        NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
    }))  # fmt: skip
    picture = DecodedStreamObject()
    picture.set_data(b"\x80")
    picture.update({
        NameObject("/Type"): NameObject("/XObject"),
        NameObject("/Subtype"): NameObject("/Image"),
        NameObject("/Width"): pypdf.generic.NumberObject(1),
        NameObject("/Height"): pypdf.generic.NumberObject(1),
        NameObject("/BitsPerComponent"): pypdf.generic.NumberObject(8),
        NameObject("/ColorSpace"): NameObject("/DeviceGray"),
    })  # fmt: skip
    image = writer._add_object(picture)
    for content in contents:
        page = writer.add_blank_page(612, 792)
        page[NameObject("/Resources")] = DictionaryObject({
            NameObject("/Font"): DictionaryObject({NameObject("/F"): font}),
            NameObject("/XObject"): DictionaryObject({NameObject("/I"): image}),
        })  # fmt: skip
        stream = DecodedStreamObject()
        stream.set_data(content.encode("cp1252"))
        if content:
            page[NameObject("/Contents")] = writer._add_object(stream)
    return writer


def lines(*shown: str) -> str:
    parts = [f"BT /F 12 Tf 72 {720 - 20 * n} Td ({line}) Tj ET" for n, line in enumerate(shown)]
    return "\n".join(parts)


OWNER = "of the file"
PICTURE = "q 400 0 0 500 50 50 cm /I Do Q"


def written(folder: Path, writer: pypdf.PdfWriter, name: str = "x.pdf") -> Path:
    path = folder / name
    writer.write(path)
    return path


def test_pdf_text_comes_page_by_page(tmp_path):
    """Each page with text is a section with its number, ending in a newline."""
    path = written(tmp_path, pdf(lines("First line", "second – line"), lines("Page two")))
    document = read(path, title="Report")
    assert document.title == "Report"
    assert (document.reader, document.pages, document.lost_pages) == ("pdf", 2, ())
    assert document.sections == (
        Section("First line\nsecond – line\n", page=1),
        Section("Page two\n", page=2),
    )


def test_pdf_scanned_pages_are_named_and_blank_pages_are_not(tmp_path):
    """A page that is a picture counts as lost, by number; a page with nothing on it does not."""
    rule = "0 0 m 500 0 l S"
    path = written(tmp_path, pdf(lines("Text"), PICTURE, "", rule, PICTURE))
    document = read(path, title="t")
    assert (document.pages, document.lost_pages) == (5, (2, 5))
    assert document.detail == "no text on 2 of 5 pages: scanned, drawn or damaged"


def test_pdf_letters_drawn_as_outlines_are_lost(tmp_path):
    """A page full of shapes may be text turned to outlines: it counts as lost."""
    path = written(tmp_path, pdf(lines("Text"), "0 0 m 5 5 l 9 0 l h f\n" * 60))
    assert read(path, title="t").lost_pages == (2,)


def test_pdf_without_any_text_names_its_pages(tmp_path):
    """A PDF of pictures alone is «no_text», with the pages."""
    failure = refused(written(tmp_path, pdf(PICTURE, "", PICTURE)))
    assert (failure.status, failure.pages) == ("no_text", (1, 2, 3))


def test_pdf_words_broken_at_a_line_end_are_joined_the_way_the_file_spells_them(tmp_path):
    """A hyphen at a line end stays in a compound and goes in a divided word."""
    from ingest.readers.pdf_text import Hyphens, PageText

    def healed(*texts: str) -> list[str]:
        return [page.text for page in Hyphens().healed([PageText(t, lost=False) for t in texts])]

    assert healed("forward\ufffelooking Rule 13a\ufffe15", "a forward-looking view") == [
        "forward-looking Rule 13a-15",
        "a forward-looking view",
    ]
    assert healed("in\ufffecluding ex\ufffeample", "including this") == [
        "including example",
        "including this",
    ]
    assert healed("anti\ufffedilutive") == ["anti-dilutive"]


def test_pdf_opened_by_a_blank_password_is_read(tmp_path):
    """A PDF encrypted with a blank user password is read like any other."""
    for algorithm in ("RC4-128", "AES-128", "AES-256"):
        writer = pdf(lines("Open to all"))
        writer.encrypt("", OWNER, algorithm=algorithm)
        path = written(tmp_path, writer, f"{algorithm}.pdf")
        assert read(path, title="t").sections[0].text == "Open to all\n"


def test_pdf_behind_a_password_is_named(tmp_path):
    """A PDF that needs a password has the status «password»."""
    for algorithm in ("RC4-128", "AES-256"):
        writer = pdf(lines("Secret"))
        writer.encrypt(OWNER, algorithm=algorithm)
        path = written(tmp_path, writer, f"{algorithm}.pdf")
        assert refused(path).status == "password"


def test_pdf_notes_typed_onto_a_page_are_read(tmp_path):
    """Text of form fields and typed-in notes is part of the page, though not of its content."""
    writer = pdf(lines("Name:"), "")
    for page in writer.pages:
        look = DecodedStreamObject()
        look.set_data(b"BT /F 12 Tf 2 5 Td (Ada Lovelace) Tj ET")
        numbers = [pypdf.generic.NumberObject(n) for n in (200, 700, 400, 720)]
        box = [pypdf.generic.NumberObject(n) for n in (0, 0, 200, 20)]
        look.update({
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Form"),
            NameObject("/BBox"): ArrayObject(box),
            NameObject("/Resources"): page["/Resources"],
        })  # fmt: skip
        note = DictionaryObject({
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/FreeText"),
            NameObject("/Rect"): ArrayObject(numbers),
            NameObject("/F"): pypdf.generic.NumberObject(4),  # printed
            NameObject("/AP"): DictionaryObject({NameObject("/N"): writer._add_object(look)}),
        })  # fmt: skip
        page[NameObject("/Annots")] = ArrayObject([writer._add_object(note)])
    document = read(written(tmp_path, writer), title="t")
    assert [section.text.split() for section in document.sections] == [
        ["Name:", "Ada", "Lovelace"],
        ["Ada", "Lovelace"],
    ]


def test_pdf_that_pdfium_refuses_is_read_by_pypdf(tmp_path):
    """pypdf takes over where pdfium cannot open the file, and the reader's name says so."""
    from ingest.readers.pdf_pypdf import PypdfFile

    second = PypdfFile(written(tmp_path, pdf(lines("Hello"), PICTURE, "")))
    assert [(p.text, p.lost) for p in map(second.page, (1, 2, 3))] == [
        ("Hello\n", False),
        ("", True),
        ("", False),
    ]
    odd = DATA / "hostile" / "pypdf-resources" / "resources__encryption__r6-user-password.pdf"
    if odd.exists():
        assert read(odd, title="t").reader == "pdf (pypdf)"


def test_pdf_page_in_single_glyphs_is_read_again(tmp_path, monkeypatch):
    """A page whose words fell into single letters is taken from pypdf when that is better."""
    from ingest.readers.pdf_pdfium import PdfiumFile
    from ingest.readers.pdf_text import PageText

    split = "\n".join("Quarterly report of the") + "\n"
    texts = {1: "One\n", 2: split}
    monkeypatch.setattr(PdfiumFile, "page", lambda _, number: PageText(texts[number], lost=False))
    document = read(written(tmp_path, pdf(lines("One"), lines("Quarterly report"))), title="t")
    assert [section.text for section in document.sections] == ["One\n", "Quarterly report\n"]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        pytest.param(b"PK\x03\x04 word file", "mark %PDF- is missing", id="other kind"),
        pytest.param(b"%PDF-1.7\n" + bytes(range(256)) * 40, "damaged PDF", id="junk"),
        pytest.param(b"%PDF-1.4\n", "damaged PDF", id="only the mark"),
    ],
)
def test_pdf_that_is_none_is_unreadable(tmp_path, content, detail):
    """What is called .pdf and is not, or is cut off, is unreadable, and the detail says why."""
    failure = refused(save(tmp_path, "x.pdf", content))
    assert failure.status == "unreadable"
    assert detail in failure.detail


def test_pdf_damage_never_escapes(tmp_path):
    """A PDF with random bytes overwritten is read or refused; no other error comes out."""
    buffer = io.BytesIO()
    pdf(lines("Some text"), PICTURE).write(buffer)
    chance = random.Random(7)
    for number in range(60):
        data = bytearray(buffer.getvalue())
        for _ in range(chance.randint(1, 40)):
            data[chance.randrange(9, len(data))] = chance.randrange(256)
        path = save(tmp_path, f"{number}.pdf", bytes(data))
        outcome(path)


# ------------------------------------------------------------------ Word


def test_word_headings_tables_and_paragraphs_come_in_order(tmp_path):
    """Headings make the path, table rows are lines, everything in document order."""
    document = docx.Document()
    document.add_paragraph("Before any heading")
    document.add_heading("Terms", 1)
    document.add_heading("Payment", 2)
    document.add_paragraph("Within 30 days.")
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ["Item", "Price", "Pen\nblue", "2.50"], strict=True):
        cell.text = text
    document.add_paragraph("After\tthe table")
    document.add_heading("Notice", 1)
    document.add_paragraph("One month.")
    document.sections[0].header.paragraphs[0].text = "PAGE HEADER"
    document.save(tmp_path / "x.docx")
    found = read(tmp_path / "x.docx", title="Contract")
    assert (found.title, found.reader, found.pages) == ("Contract", "word", None)
    assert found.sections == (
        Section("Before any heading\n\n"),
        Section(
            "Terms\n\nPayment\n\nWithin 30 days.\n\nItem | Price\nPen blue | 2.50\n\n"
            "After\tthe table\n\n",
            heading="Terms › Payment",
        ),
        Section("Notice\n\nOne month.\n\n", heading="Notice"),
    )


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def word(folder: Path, body: str) -> Path:
    """A Word file whose body is the given XML."""
    from docx.oxml.parser import parse_xml

    document = docx.Document()
    element = document.element.body
    for child in parse_xml(f"<w:body {W}>{body}</w:body>"):
        element.insert(len(element) - 1, child)
    document.save(folder / "x.docx")
    return folder / "x.docx"


def test_word_changes_controls_and_boxes_are_not_left_out(tmp_path):
    """Inserted text, content controls and text boxes are read; deleted text is not."""
    body = """
    <w:p><w:r><w:t>Pay </w:t></w:r><w:del><w:r><w:delText>20</w:delText></w:r></w:del>
         <w:ins><w:r><w:t>30</w:t></w:r></w:ins>
         <w:r><w:t xml:space="preserve"> days</w:t></w:r></w:p>
    <w:sdt><w:sdtContent><w:p><w:r><w:t>In a control</w:t></w:r></w:p></w:sdtContent></w:sdt>
    <w:p><w:r><w:t>Beside</w:t></w:r><w:r><w:pict><w:txbxContent>
         <w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>
    <w:tbl><w:tr><w:tc><w:p><w:r><w:t>Outer</w:t></w:r></w:p><w:tbl><w:tr>
         <w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p>
         </w:tc></w:tr></w:tbl><w:p/></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>
    """
    (section,) = read(word(tmp_path, body), title="t").sections
    assert section.text == ("Pay 30 days\n\nIn a control\n\nBeside\n\nIn a box\n\nOuter a | b\n\n")


def test_word_notes_follow_the_paragraph_that_refers_to_them(tmp_path):
    """A footnote is read after its paragraph."""
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    body = (
        '<w:p><w:r><w:t>Claim</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
        "<w:p><w:r><w:t>Next</w:t></w:r></w:p>"
    )
    path = word(tmp_path, body)
    document = docx.Document(str(path))
    notes = (
        f'<w:footnotes {W}><w:footnote w:id="2"><w:p><w:r><w:t>The proof.</w:t></w:r></w:p>'
        "</w:footnote></w:footnotes>"
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, notes.encode(), document.part.package)
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    document.part.relate_to(part, relation)
    document.save(str(path))
    (section,) = read(path, title="t").sections
    assert section.text == "Claim\n\nThe proof.\n\nNext\n\n"


def test_word_headings_of_own_styles_are_found_by_their_outline_level(tmp_path):
    """A paragraph with an outline level is a heading, whatever its style is called."""
    body = (
        '<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>Kapitel</w:t></w:r></w:p>'
        '<w:p><w:pPr><w:outlineLvl w:val="9"/></w:pPr><w:r><w:t>Text</w:t></w:r></w:p>'
    )
    (section,) = read(word(tmp_path, body), title="t").sections
    assert section == Section("Kapitel\n\nText\n\n", heading="Kapitel")


def test_word_without_text_says_whether_there_are_pictures(tmp_path):
    """A blank Word file is empty; one that holds only a picture has no text."""
    docx.Document().save(tmp_path / "blank.docx")
    assert refused(tmp_path / "blank.docx").status == "empty"
    assert refused(word(tmp_path, "<w:p><w:r><w:pict/></w:r></w:p>")).status == "no_text"


def zipped(entries: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in entries.items():
            package.writestr(name, content)
    return buffer.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        (b"plain text", "unreadable", "no zip archive"),
        (zipped({"a.txt": "x"}), "unreadable", "another kind of zip archive"),
        (zipped({"[Content_Types].xml": "<x"}), "unreadable", "word reader failed"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "password", "password"),
        (OLE + b"WordDocument", "unreadable", "old Office file"),
        (zipped({"[Content_Types].xml": "", "b.xml": " " * 70_000_000}), "too_large", "unpacked"),
    ],
    ids=["text", "zip", "broken", "locked", "doc", "bomb"],
)
def test_word_that_is_none_is_named(tmp_path, content, status, detail):
    """What is called .docx and is not gets its status, and the detail says what it is."""
    failure = refused(save(tmp_path, "x.docx", content))
    assert failure.status == status
    assert detail in failure.detail


def test_word_entities_are_not_expanded(tmp_path):
    """Entity bombs and entities that name local files put nothing into the text."""
    path = word(tmp_path, "<w:p><w:r><w:t>Real</w:t></w:r></w:p>")
    with zipfile.ZipFile(path) as package:
        entries = {n: package.read(n).decode("latin-1") for n in package.namelist()}
    secret = save(tmp_path, "secret.txt", "TOP SECRET")
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "boom"}">' for n in range(9))
    xml = entries["word/document.xml"].partition("?>")[2].replace("Real", "Real&e8;&file;")
    entries["word/document.xml"] = (
        f'<!DOCTYPE x [{bomb}<!ENTITY file SYSTEM "{secret.as_uri()}">]>' + xml
    )
    path.write_bytes(zipped(entries))
    assert outcome(path) in ("Real\n\n", "refused: unreadable")


# ------------------------------------------------------------------ web pages


def test_html_gives_what_a_visitor_reads(tmp_path):
    """Headings, paragraphs, lists, tables and code come as lines; scripts and menus do not."""
    page = """<!doctype html><html><head><title>Staff
      handbook</title><style>p {}</style></head><body>
    <nav><a href="/">Home</a></nav><script>var x = "<p>no</p>";</script>
    <h1>Leave</h1><p>Employees accrue <b>21</b>&nbsp;days
       a&shy; year.<br>Ask HR.</p>
    <h2>Carry <i>over</i></h2>
    <ul><li>Five days</li><li><p>Until March</p></li></ul>
    <table><tr><th>Year</th><th>Days</th></tr><tr><td><p>2023</p></td><td>21</td></tr></table>
    <pre>a  b
  c</pre>
    <p hidden>secret</p><div style="display: none">secret</div><i aria-hidden="true">seen</i>
    <h1>End</h1>Bare text<aside>Mind!</aside><footer>(c)</footer> and tail</body></html>"""
    document = read(save(tmp_path, "x.html", page), title="t")
    assert (document.title, document.reader, document.hidden) == ("Staff handbook", "html", 2)
    assert document.sections == (
        Section(
            "Leave\n\nEmployees accrue 21 days a year.\nAsk HR.\n\n",
            heading="Leave",
        ),
        Section(
            "Carry over\n\n- Five days\n\n- Until March\n\nYear | Days\n2023 | 21\n\n"
            "a  b\n  c\n\nseen\n\n",
            heading="Leave › Carry over",
        ),
        Section("End\n\nBare text\nMind!\nand tail\n", heading="End"),
    )


def test_html_tables_that_only_arrange_the_page_are_no_tables(tmp_path):
    """A table with headings or tables inside is layout: its cells are read one after another."""
    page = (
        "<table><tr><td><h1>News</h1><p>One</p></td><td>"
        "<table><tr><td>a</td><td></td><td>b</td></tr></table></td></tr></table>"
    )
    (section,) = read(save(tmp_path, "x.htm", page), title="t").sections
    assert section == Section("News\n\nOne\n\na | | b\n\n", heading="News")


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ('<META http-equiv=x content="text/html; CHARSET=iso-8859-1">', "cp1252"),
        ('<meta charset="windows-1251">', "utf-8"),
        ("", "utf-8-sig"),
        ("", "utf-16"),
    ],
)
def test_html_encodings_are_found(tmp_path, head, encoding):
    """The byte order mark, UTF-8 itself, then the declaration decide the encoding."""
    text = "Привет, мир" if encoding != "cp1252" else "naïve – café"
    page = f"<html><head>{head}</head><body><p>{text}</p></body></html>"
    (section,) = read(save(tmp_path, "x.html", page.encode(encoding)), title="t").sections
    assert section.text == text + "\n\n"


def test_xhtml_is_read_as_xml(tmp_path):
    """An empty script element does not swallow an XHTML page, and its entities stay shut."""
    page = (
        '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/hosts">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title>'
        '<script src="a.js"/></head>'
        "<body><h1>Top</h1><p>Text&x;</p></body></html>"
    )
    document = read(save(tmp_path, "x.xhtml", page), title="t")
    assert (document.title, document.sections) == (
        "T",
        (Section("Top\n\nText\n\n", heading="Top"),),
    )
    loose = read(save(tmp_path, "y.xhtml", '<?xml version="1.0"?><p>a&nbsp;b<br>c'), title="t")
    assert loose.sections[0].text == "a b\nc\n\n"


def test_html_nested_beyond_the_parser_is_refused_and_not_cut(tmp_path):
    """A page the parser would silently cut off is unreadable; deep but legal ones are read."""
    deep = "<div>" * 1500 + "deep" + "</div>" * 1500 + "<p>end</p>"
    assert "end" in read(save(tmp_path, "x.html", deep), title="t").sections[0].text
    failure = refused(save(tmp_path, "y.html", "<p>start" + "<div>" * 5000 + "deep"))
    assert failure.status == "unreadable"
    assert "nested" in failure.detail


def test_html_without_text_says_whether_something_is_there(tmp_path):
    """A page that is only a script has no text; a page with nothing at all is empty."""
    assert (
        refused(save(tmp_path, "x.html", "<div id=app></div><script>1</script>")).status
        == "no_text"
    )
    assert refused(save(tmp_path, "y.html", "<html><body></body></html>")).status == "empty"


def page_text(folder: Path, page: str) -> str:
    return "".join(s.text for s in read(save(folder, "x.html", page), title="t").sections)


@pytest.mark.parametrize("head", ["", '<?xml version="1.0"?><html>'])
def test_html_named_characters_of_the_markup_open_no_tag(tmp_path, head):
    """«&LT;» and its like are signs in the text, whatever parser reads the page."""
    page = (
        head + "<p>Use &LT;script&GT; &AMP;lt; only.</p><p>x &LT;b and c&GT; d &QUOT;&eacute;</p>"
    )
    shown = page_text(tmp_path, page + ("</html>" if head else ""))
    assert shown == 'Use <script> &lt; only.\n\nx <b and c> d "é\n\n'


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("10<sup>6</sup>", "10^6"),
        ("1,234<sup>1</sup> and 5.<sup>2</sup>", "1,234^1 and 5.^2"),
        ("1,234<sup><a href=x>1,2</a></sup> 10 <sup>6</sup>", "1,234^(1,2) 10 ^6"),
        ("10<sup>-6</sup> 1<sup>2</sup>3 x<sub>1</sub><sup>2</sup>", "10^(-6) 1^(2)3 x1^2"),
        ("<sup>1</sup>234 <sup>2</sup> Net", "1 234 ^2 Net"),
        ("21<sup>st</sup> Acme<sup>®</sup> fact<sup>[1]</sup>", "21st Acme® fact[1]"),
        ("H<sub>2</sub>O 101<sub>2</sub> C<sub>1</sub>2", "H2O 101_2 C_(1)2"),
        ("5<sup>see the note</sup>6", "5 see the note 6"),
        ("5<sup>1 <b>6</b> 7", "5 1 6 7"),
        ("5<sup hidden>1</sup>6", "56"),
    ],
)
def test_html_raised_and_lowered_text_changes_no_number(tmp_path, source, shown):
    """A footnote's number or an exponent is never the next digit, in text and in a table."""
    assert " ".join(page_text(tmp_path, f"<div>{source}</div>").split()) == shown
    assert page_text(tmp_path, "<p>5<sup>1<p>6</p>") == "5^1\n\n6\n\n"
    table = f"<table><tr><td>{source}</td><td>7</td></tr></table>"
    assert page_text(tmp_path, table) == f"{shown} | 7\n\n"


@given(
    st.text("0123456789.,", min_size=1), st.text("0123456789", min_size=1), st.text("0123456789")
)
def test_raised_digits_never_join_the_digits_around_them(before, raised, after):
    """Whatever digits meet, those on the line and those above it stay apart."""
    from ingest.readers.raised import LOWERED, RAISED, written

    for start, end in (RAISED, LOWERED):
        line = written(before + start + raised + end + after)
        assert re.fullmatch(r"(.+?)[\^_]\(?(\d+)\)?(\d*)", line)
        assert re.sub(r"[\^_()]", "", line) == before + raised + after
        assert line.startswith(before + ("^" if start == RAISED[0] else "_"))


def test_html_in_a_menu_that_nobody_closed_is_still_read(tmp_path):
    """Menus and footers are left out, but not when they hold (nearly) the whole page."""
    menu = "<nav><a href=/>Home</a> <a href=/x>All</a>"
    text = "<p>" + "The fee is 90 euro. " * 9 + "</p>"
    assert "Home" not in page_text(tmp_path, menu + "</nav>" + text)
    assert page_text(tmp_path, menu + text).count("90 euro") == 9
    assert page_text(tmp_path, "<h1>Fees</h1><footer>" + text).count("90 euro") == 9


def test_html_that_shows_nothing_of_its_text_says_so(tmp_path):
    """Words in hidden elements are counted once, scripts are not; a page of nothing else has no
    text to see."""
    page = "<div hidden>a b<p style='display:none'>c</p><script>d</script> e</div>"
    failure = refused(save(tmp_path, "x.html", page))
    assert (failure.status, failure.detail) == ("no_text", "only text that nobody sees, 4 words")


# ------------------------------------------------------------------ Markdown and text


def test_markdown_sections_are_the_source_itself(tmp_path):
    """Sections follow the headings, code is never taken for one, and the text is the source."""
    source = (
        '---\ntitle: "My guide"\ntags: [a]\n---\n\nIntro *text*.\n\n# Setup `x` & **more**\n\n'
        "## Linux\n```sh\n# not a heading\n```\nUnder\n-----\n> # quoted\n\n# Last #\nend"
    )
    document = read(save(tmp_path, "x.md", source.replace("\n", "\r\n")), title="t")
    assert (document.title, document.reader) == ("My guide", "markdown")
    assert "".join(section.text for section in document.sections) == source
    assert [(s.heading, s.text.split("\n")[0]) for s in document.sections] == [
        ("", "---"),
        ("Setup x & more › Linux", "# Setup `x` & **more**"),
        ("Setup x & more › Under", "Under"),
        ("Last", "# Last #"),
    ]


def test_markdown_takes_its_title_from_the_first_heading(tmp_path):
    """Without front matter the first heading of level 1 is the title, else the file's name."""
    assert read(save(tmp_path, "a.md", "# Top\ntext"), title="t").title == "Top"
    assert read(save(tmp_path, "b.markdown", "## Sub\ntext"), title="t").title == "t"


@given(st.text(alphabet="# \n-`>~ab\t=*[]|", max_size=120))
def test_markdown_loses_no_character(tmp_path_factory, source):
    """Whatever the source, its sections join to it again."""
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_text(source, newline="")
    if source.strip():
        document = read(path, title="t")
        assert "".join(section.text for section in document.sections) == source
        assert all(section.text.strip() for section in document.sections)
    else:
        assert refused(path).status == "empty"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_encodings_are_found(tmp_path, encoding):
    """Plain text is one section, whatever Unicode encoding it was saved in."""
    path = save(tmp_path, "x.TXT", "Straße – 5 €\r\nend\n".encode(encoding))
    document = read(path, title="x")
    assert (document.title, document.reader) == ("x", "text")
    assert document.sections == (Section("Straße – 5 €\nend\n"),)


def test_text_in_an_old_encoding_is_guessed(tmp_path):
    """Text in a single-byte encoding is decoded by the likeliest one."""
    text = "Die Prüfung der Verträge über größere Beträge dürfte später nötig werden. " * 5
    path = save(tmp_path, "x.txt", text.encode("cp1252"))
    assert read(path, title="x").sections[0].text == text


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("x.txt", b"", "empty"),
        ("x.txt", b" \n\t ", "empty"),
        ("x.pdf", b"", "empty"),
        ("x.txt", b"\x7fELF\x00\x01", "unreadable"),
        ("x.md", bytes(range(1, 32)) * 20, "unreadable"),
        ("x.txt", random.Random(1).randbytes(5000).replace(b"\0", b""), "unreadable"),
        ("x.exe", b"MZ", "unsupported"),
        ("README", b"text", "unsupported"),
        ("x.doc", b"text", "unsupported"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, name, content, status):
    """Empty, binary and unknown files get their status and are never indexed as text."""
    assert refused(save(tmp_path, name, content)).status == status


def test_a_file_that_is_gone_or_too_large_is_named(tmp_path):
    """A missing file is «vanished», a text beyond the limit «too_large»: it is not read."""
    assert refused(tmp_path / "x.txt").status == "vanished"
    with (tmp_path / "big.txt").open("wb") as file:
        file.truncate(70_000_000)
    assert refused(tmp_path / "big.txt").status == "too_large"
    (tmp_path / "folder.txt").mkdir()
    assert refused(tmp_path / "folder.txt").status == "unreadable"


def test_endings_decide_whatever_their_case():
    """A file is supported by its ending, in capitals too."""
    assert all(supported(f) for f in ("a.PDF", "b/c.docx", "d.Md", "e.htm", "f.rst"))
    assert not any(supported(f) for f in ("a", "b.doc", ".txt", "d.pdf.zip", "e.log"))


@given(st.text(st.characters()))
def test_cleaned_text_can_be_stored_and_shown(text):
    """Cleaned text is valid UTF-8 without control characters, and stays as it is."""
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in cleaned)
    assert clean(cleaned) == cleaned


def test_causes_are_short_and_visible():
    """A library's error is shown in one short line without control characters."""
    shown = cause(ValueError("bad\n\x1b[31m" + "x" * 500))
    assert shown.startswith("ValueError: bad")
    assert len(shown) <= 120
    assert shown.isprintable()


def test_the_same_file_gives_the_same_document_and_travels(tmp_path):
    """Reading twice gives equal documents, and they and the refusals can go between processes."""
    path = written(tmp_path, pdf(lines("Hello")))
    document = read(path, title="t")
    assert read(path, title="t") == document
    assert pickle.loads(pickle.dumps(document)) == document  # noqa: S301
    failure = pickle.loads(pickle.dumps(Unreadable("no_text", "scan", (1, 2))))  # noqa: S301
    assert (failure.status, failure.detail, failure.pages) == ("no_text", "scan", (1, 2))


# ------------------------------------------------------------------ real files


@pytest.mark.parametrize("name", ["ntsb", "sec-10-q"])
def test_real_reports_are_read_to_the_last_page(name):
    """Every page of the twenty reports gives text, but for two that are blank."""
    paths = sorted((DATA / name / "pdfs").glob("*.pdf"))
    if not paths:
        pytest.skip("the shared reports are not here")
    assert len(paths) == 20
    blank = 0
    for path in paths:
        document = read(path, title=path.stem)
        assert (document.reader, document.lost_pages) == ("pdf", ())
        blank += (document.pages or 0) - len(document.sections)
    assert blank <= 2


def test_hostile_files_are_read_or_refused():
    """Fuzzed, damaged and odd files of every kind are read or refused; no error escapes."""
    paths = [path for path in sorted(DATA.glob("hostile/*/*")) if supported(path.name)]
    if not paths:
        pytest.skip("the shared hostile files are not here")
    outcomes = [outcome(path) for path in paths]
    assert not any(any(ord(c) < 32 and c not in "\n\t" for c in text) for text in outcomes)
    statuses = {text for text in outcomes if text.startswith("refused: ")}
    assert statuses == {f"refused: {s}" for s in ("no_text", "unreadable", "password", "empty")}
    assert len([text for text in outcomes if text not in statuses]) > 0.7 * len(outcomes)
