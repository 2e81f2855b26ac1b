"""PDF: streaming, passwords, take-up after a crash, OCR text, and text that nobody can see."""

from __future__ import annotations

import zlib
from pathlib import Path

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers import Options, Page, Unreadable, read, stream
from ingest.readers.pdf_bytes import survey
from ingest.readers.pdf_pdfium import PdfiumFile
from ingest.readers.pdf_pypdf import PypdfFile
from ingest.readers.pdf_text import Hyphens, PageText, better, glyphs
from rag.records import Ending, Opening, Section

DATA = Path(__file__).parents[2] / "shared" / "data"


def pdf(folder: Path, *contents: bytes, catalog: bytes = b"", box: bytes = b"") -> Path:
    """A PDF in plain syntax, one page a content stream. Fonts /F and /T (drawn), a layer /Off and
    a shown layer /On, states /Clear (no alpha) and a form /X, an image /I with letters («ink») are
    there; 8 and 9 are forms with white and with black text."""
    kids = b" ".join(b"%d 0 R" % (20 + 2 * n) for n in range(len(contents)))
    ink = zlib.compress(bytes(0 if (x // 3 + y // 3) % 3 == 0 else 255 for y in range(60)
                              for x in range(200)))  # fmt: skip
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        2: b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(contents)),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: b"<< /Font << /F 3 0 R /T 10 0 R >> /Properties << /Off 5 0 R /On 6 0 R >> "
        b"/ExtGState << /Clear << /ca 0 /CA 0 >> >> /XObject << /I 7 0 R /X 8 0 R >> >>",
        5: b"<< /Type /OCG /Name (Off) >>",
        6: b"<< /Type /OCG /Name (On) >>",
        7: b"<< /Type /XObject /Subtype /Image /Width 200 /Height 60 /BitsPerComponent 8 "
        b"/ColorSpace /DeviceGray /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
        % (len(ink), ink),
    }
    objects[10] = (
        b"<< /Type /Font /Subtype /Type3 /FontMatrix [1 0 0 1 0 0] /FontBBox [0 0 1 1] "
        b"/CharProcs << >> /FirstChar 65 /LastChar 66 /Widths [1 1] "
        b"/Encoding << /Differences [65 /A /B] >> >>"
    )
    for number, colour in ((8, b"1 1 1 rg"), (9, b"0 g")):
        inner = b"BT /F 10 Tf %s 0 0 Td (within a form) Tj ET" % colour
        objects[number] = (
            b"<< /Type /XObject /Subtype /Form /BBox [-9 -9 900 900] /Resources << /Font "
            b"<< /F 3 0 R >> >> /Length %d >>\nstream\n%s\nendstream" % (len(inner), inner)
        )
    for n, content in enumerate(contents):
        objects[20 + 2 * n] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] %s /Resources 4 0 R "
            b"/Contents %d 0 R >>" % (box, 21 + 2 * n)
        )
        objects[21 + 2 * n] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    body, places = b"%PDF-1.7\n", {}
    for number, value in sorted(objects.items()):
        places[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    table = b"".join(b"%d 1\n%010d 00000 n \n" % item for item in sorted(places.items()))
    tail = b"xref\n0 1\n0000000000 65535 f \n%strailer\n<< /Root 1 0 R /Size %d >>\n" % (
        table, max(objects) + 1,
    )  # fmt: skip
    path = folder / "x.pdf"
    path.write_bytes(body + tail + b"startxref\n%d\n%%%%EOF\n" % len(body))
    return path


def show(text: str, y: int = 700, *, before: str = "", size: float = 12, x: int = 72) -> bytes:
    return f"q {before} BT /F {size} Tf {x} {y} Td ({text}) Tj ET Q\n".encode("cp1252")


def page(*texts: str) -> bytes:
    return b"".join(show(text, 700 - 20 * n) for n, text in enumerate(texts))


PICTURE = b"q 400 0 0 500 50 150 cm /I Do Q\n"
LAYERS = b"/OCProperties << /OCGs [5 0 R 6 0 R] /D << /OFF [5 0 R] >> >>"


def numbers(parts) -> list[int]:
    return [part.page for part in parts if isinstance(part, Section)]


# ------------------------------------------------------------------ streaming


def test_parts_come_in_order_with_a_sign_before_each_page(tmp_path):
    """Opening, then pages announced before their sections, then Ending; blocks of 64 pages."""
    path = pdf(tmp_path, *(page(f"Page {n}") for n in range(1, 131)))
    parts = list(stream(path, title="Report"))
    assert parts[0] == Opening("Report", "pdf", 130)
    assert isinstance(parts[-1], Ending)
    assert numbers(parts) == list(range(1, 131))
    assert [part.number for part in parts if isinstance(part, Page)] == list(range(1, 131))
    for part in parts[1:-1]:
        if isinstance(part, Section):
            assert parts.index(Page(part.page)) < parts.index(part)
    assert parts.index(Page(65)) > parts.index(Section("Page 64\n", page=64))


def test_reading_goes_on_behind_a_page_that_killed_the_reader(tmp_path):
    """Pages given before are not given again, the killer is lost, the account is of all pages."""
    path = pdf(tmp_path, page("One"), PICTURE, page("Three"), page("Four"), page("Five"))
    parts = list(stream(path, title="t", options=Options(after=3, skip=(4,))))
    assert numbers(parts) == [5]
    assert Page(4) not in parts
    assert parts[-1].lost_pages == (2, 4)
    assert "2 of 5 pages" in parts[-1].detail


def test_a_skipped_page_is_touched_by_neither_engine(tmp_path, monkeypatch):
    """A page to be skipped is opened by nobody."""
    asked = []
    for engine in (PdfiumFile, PypdfFile):
        real = engine.page
        monkeypatch.setattr(
            engine, "page", lambda self, n, real=real: asked.append(n) or real(self, n)
        )
    read(pdf(tmp_path, page("One"), PICTURE, PICTURE), title="t", options=Options(skip=(2,)))
    assert asked == [1, 3, 3]


def test_text_by_ocr_stands_in_where_a_page_has_none(tmp_path):
    """OCR text becomes the section of a page without text; a page's own text is never replaced."""
    path = pdf(tmp_path, page("Own"), PICTURE, PICTURE)
    document = read(path, title="t", options=Options(texts=((1, "wrong"), (2, "Scan\r\ntext "))))
    assert document.reader == "pdf + OCR"
    assert document.sections == (Section("Own\n", page=1), Section("Scan\ntext\n", page=2))
    assert document.lost_pages == (3,)


def test_a_file_whose_every_page_was_lost_has_no_text(tmp_path):
    """When all pages are skipped the file is «no_text», with the pages."""
    with pytest.raises(Unreadable) as caught:
        read(pdf(tmp_path, page("One"), PICTURE), title="t", options=Options(skip=(1,)))
    assert (caught.value.status, caught.value.pages) == ("no_text", (1, 2))


def test_running_out_of_memory_is_not_taken_for_a_bad_page(tmp_path, monkeypatch):
    """The limit on memory ends the reading and does not turn into a lost page."""

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PdfiumFile, "_text", full)
    with pytest.raises(Unreadable) as caught:
        read(pdf(tmp_path, page("One")), title="t")
    assert caught.value.status == "too_large"


@given(st.lists(st.lists(st.sampled_from(["ab", "a-b", "a\ufffeb", "c\ufffed", "x"])), max_size=12))
def test_healing_leaves_no_sign_and_no_letter_out(pages):
    """Whatever is broken is joined, with or without a hyphen, and nothing else changes."""
    texts = [PageText(" ".join(words), lost=False) for words in pages]
    for before, after in zip(texts, Hyphens().healed(texts), strict=True):
        assert "\ufffe" not in after.text
        assert after.text.replace("-", "") == before.text.replace("\ufffe", "").replace("-", "")


def test_words_seen_in_earlier_blocks_decide():
    """A broken word is joined as the words of the blocks before it are spelt."""
    hyphens = Hyphens()
    hyphens.healed([PageText("an example", lost=False)])
    (page_,) = hyphens.healed([PageText("ex\ufffeample", lost=False)])
    assert page_.text == "example"


# ------------------------------------------------------------------ passwords


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_passwords_are_tried_by_both_engines(tmp_path, algorithm):
    """The password that fits opens the file; the wrong ones appear in no error."""
    writer = pypdf.PdfWriter(clone_from=pdf(tmp_path, page("Sealed words")))
    writer.encrypt("open sesame", algorithm=algorithm)
    path = tmp_path / "locked.pdf"
    writer.write(path)
    keys = ("wrong-one", "open sesame")
    assert read(path, title="t", options=Options(passwords=keys)).sections[0].text == (
        "Sealed words\n"
    )
    assert PypdfFile(path, keys).page(1).text == "Sealed words\n"
    with pytest.raises(Unreadable) as caught:
        read(path, title="t", options=Options(passwords=("wrong-one", "кључ")))
    assert caught.value.status == "password"
    assert "wrong" not in str(caught.value)
    assert "wrong" not in repr(caught.value.__cause__)


def test_a_file_that_pypdf_cannot_open_fails_the_same_way_again(tmp_path):
    """The second engine tries a file once and answers from then on with the same refusal."""
    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF-1.4\n" + bytes(200))
    second = PypdfFile(path)
    for _ in range(2):
        with pytest.raises(Unreadable, match="damaged PDF"):
            second.page(1)


def test_a_page_in_single_glyphs_gives_way_to_the_other_engine():
    """Text in single letters is worse than text in words, and any text better than none."""
    split = "\n".join("Quarterly report of the") + "\n"
    assert glyphs(split) > 0.5
    assert better("Quarterly report of the\n", split)
    assert better("text\n", "")
    assert not better("", split)
    assert not better(split, "Quarterly report of the\n")


# ------------------------------------------------------------------ text nobody can see

WORDS = "secret words"
HIDDEN = {
    "white": show(WORDS, 680, before="1 1 1 rg"),
    "nearly white": show(WORDS, 680, before=".99 .98 .99 rg"),
    "white by CMYK": show(WORDS, 680, before="0 0 0 0 k"),
    "white outlines": show(WORDS, 680, before="1 Tr 1 1 1 RG"),
    "colour of the shape beneath": show(WORDS, 660, before=".2 .3 .4 rg 50 650 300 30 re f"),
    "one point": show(WORDS, 680, size=1),
    "one point by a matrix": show(WORDS, 6800, before=".1 0 0 .1 0 0 cm", x=700),
    "tiny and upright": show(WORDS, 300, before="0 1 -1 0 400 0 cm", size=0.9),
    "left of the page": show(WORDS, 680, x=-300),
    "below the page": show(WORDS, -40),
    "invisible": show(WORDS, 680, before="3 Tr"),
    "no alpha": show(WORDS, 680, before="/Clear gs"),
    "layer that is off": b"/OC /Off BDC " + show(WORDS, 680) + b" EMC ",
    "invisible over plain picture": b"q 400 0 0 20 50 675 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x80 EI"
    b" Q " + show(WORDS, 680, before="3 Tr"),
}


@pytest.mark.parametrize("trick", HIDDEN)
def test_text_that_nobody_can_see_is_kept_out_and_counted(tmp_path, trick):
    """Each way of hiding text is found; on request the text is given all the same."""
    path = pdf(tmp_path, page("Before") + HIDDEN[trick] + show("After", 500), catalog=LAYERS)
    document = read(path, title="t")
    assert document.sections[0].text.split() == ["Before", "After"]
    assert document.hidden == (1 if trick == "tiny and upright" else 2)  # pdfium joins those
    shown = read(path, title="t", options=Options(hidden_text=True))
    letters = "".join(shown.sections[0].text.split())
    assert sorted(letters) == sorted("BeforesecretwordsAfter")
    assert shown.hidden == document.hidden


SEEN = {
    "white on dark": show(WORDS, 680, before="0 0 .4 rg 50 670 300 30 re f 1 1 1 rg"),
    "white on a picture": PICTURE + show(WORDS, 400, before="1 1 1 rg"),
    "text layer of a scan": PICTURE + show(WORDS, 400, before="3 Tr"),
    "text layer under the scan": show(WORDS, 400) + PICTURE,
    "white text under the scan": show(WORDS, 400, before="1 1 1 rg") + PICTURE,
    "dark on dark shape's edge": show(WORDS, 680, before=".5 g 0 0 612 792 re f 0 g"),
    "light grey": show(WORDS, 680, before=".85 g"),
    "layer that is on": b"/OC /On BDC " + show(WORDS, 680) + b" EMC ",
    "small print": show(WORDS, 680, size=4),
    "drawn as an outline": show(WORDS, 680, before="1 Tr 1 1 1 rg 0 G"),
}


@pytest.mark.parametrize("way", SEEN)
def test_text_that_can_be_seen_is_kept(tmp_path, way):
    """What a reader sees stays, however unusual its colour or mode."""
    document = read(pdf(tmp_path, page("Before") + SEEN[way], catalog=LAYERS), title="t")
    assert sorted(document.sections[0].text.split()) == ["Before", "secret", "words"]
    assert document.hidden == 0


def test_hidden_text_within_a_form_is_found(tmp_path):
    """Text drawn by a form is judged by where and how the form draws it."""
    white = pdf(tmp_path, page("Before") + b"q 1 0 0 1 72 500 cm /X Do Q")
    assert read(white, title="t").hidden == 3
    dark = pdf(tmp_path, b"0 g 0 400 612 200 re f q 1 0 0 1 72 500 cm /X Do Q")
    assert read(dark, title="t").sections[0].text == "within a form\n"
    tiny = pdf(tmp_path, page("Before") + b"0 g 0 400 612 200 re f q .1 0 0 .1 72 500 cm /X Do Q")
    assert read(tiny, title="t").sections[0].text == "Before\n"


def test_a_cropped_page_shows_what_is_within_its_box(tmp_path):
    """Text outside the crop box is hidden, and a page turned on its side changes nothing."""
    content = page("Inside") + show("Outside", 100)
    path = pdf(tmp_path, content, box=b"/CropBox [0 400 612 792] /Rotate 90")
    document = read(path, title="t")
    assert (document.sections[0].text, document.hidden) == ("Inside\n", 1)


def test_a_page_with_hidden_text_is_not_read_by_the_engine_that_gives_it(tmp_path):
    """A page of nothing but white text gives nothing and is not lost: a person sees a blank."""
    white = show(WORDS, before="1 1 1 rg")
    document = read(pdf(tmp_path, page("One"), white), title="t")
    assert (numbers(document.sections), document.lost_pages, document.hidden) == ([1], (), 2)
    with pytest.raises(Unreadable) as caught:
        read(pdf(tmp_path, white), title="t")
    assert caught.value.status == "no_text"
    assert "2 words that nobody can see" in caught.value.detail


def test_a_crop_box_beside_the_page_is_passed_over(tmp_path):
    """Where the boxes do not meet the media box is shown, and what it hides is found."""
    content = page("Inside") + show(WORDS, 600, before="1 1 1 rg") + show("Outside", 900)
    path = pdf(tmp_path, content, box=b"/CropBox [1000 1000 1200 1200]")
    document = read(path, title="t")
    assert (document.sections[0].text, document.hidden) == ("Inside\n", 3)
    assert PypdfFile(path).page(1) == PageText("Inside\n", lost=False, hidden=3)


def test_a_page_without_size_is_read_as_letter_paper(tmp_path):
    """An empty media box hides nothing, in either engine."""
    path = pdf(tmp_path, page("Inside") + show(WORDS, 900))
    path.write_bytes(path.read_bytes().replace(b"[0 0 612 792]", b"[0 0 000 000]"))
    assert PdfiumFile.opened(path, (), hide=True).page(1) == PageText(
        "Inside\n", lost=False, hidden=2
    )
    assert PypdfFile(path).page(1) == PageText("Inside\n", lost=False, hidden=2)


def note(form: int, flags: int) -> bytes:
    """A typed-in note that looks like the form."""
    return (
        b"/Annots [<< /Type /Annot /Subtype /FreeText /Rect [63 491 972 1400] /F %d "
        b"/AP << /N %d 0 R >> >>]" % (flags, form)
    )


@pytest.mark.parametrize(
    ("form", "flags"),
    [
        pytest.param(8, 4, id="white"),
        pytest.param(9, 2, id="hidden"),
        pytest.param(9, 32, id="not for the screen"),
    ],
)
def test_a_note_that_nobody_can_see_is_kept_out_and_counted(tmp_path, form, flags):
    """White words of a note and notes that are not shown are found; on request they are given."""
    path = pdf(tmp_path, page("Before"), box=note(form, flags))
    document = read(path, title="t")
    assert (document.sections[0].text, document.hidden) == ("Before\n", 3)
    shown = read(path, title="t", options=Options(hidden_text=True))
    assert shown.sections[0].text == "Before\nwithin a form\n"
    assert shown.hidden == 3


def test_a_note_that_is_shown_is_read(tmp_path):
    """Black words of a note that is shown and printed are text of the page."""
    document = read(pdf(tmp_path, page("Before"), box=note(9, 4)), title="t")
    assert document.sections[0].text == "Before\nwithin a form\n"
    assert document.hidden == 0


# ------------------------------------------------------------------ the second engine alone

#: What pypdf cannot tell from the operators alone.
UNTOLD = {"colour of the shape beneath", "layer that is off", "invisible over plain picture"}


@pytest.mark.parametrize("trick", sorted(HIDDEN.keys() - UNTOLD))
def test_the_second_engine_keeps_hidden_text_out_too(tmp_path, trick):
    """A file that only pypdf opens hides nothing from us; on request the text is given."""
    path = pdf(tmp_path, page("Before") + HIDDEN[trick] + show("After", 500))
    path.write_bytes(path.read_bytes().replace(b"/Root 1 0 R", b"/Rxxt 1 0 R"))
    document = read(path, title="t")
    assert document.reader == "pdf (pypdf)"
    assert document.sections[0].text.split() == ["Before", "After"]
    assert document.hidden == 2
    shown = read(path, title="t", options=Options(hidden_text=True))
    assert sorted(shown.sections[0].text.split()) == ["After", "Before", "secret", "words"]
    assert shown.hidden == 2


@pytest.mark.parametrize("way", SEEN)
def test_the_second_engine_keeps_what_can_be_seen(tmp_path, way):
    """What pypdf gives of text that a person sees stays whole."""
    found = PypdfFile(pdf(tmp_path, page("Before") + SEEN[way], catalog=LAYERS)).page(1)
    assert sorted(found.text.split()) == ["Before", "secret", "words"]
    assert found.hidden == 0


OPERATORS = {
    "in a row": (b"BT /F 12 Tf 1 g 72 600 Td [(secret) -300 (words)] TJ ET", 2),
    "on the next line": (b"BT /F 12 Tf 14 TL 1 g 72 600 Td (secret) ' 1 0 (words) \" ET", 2),
    "in a colour space": (b"/DeviceRGB cs 1 1 1 sc BT /F 12 Tf 72 600 Td (secret) Tj ET", 1),
    "in a space not looked into": (b"/Spot cs 1 scn BT /F 12 Tf 72 600 Td (seen) Tj ET", 0),
    "in a pattern": (b"/Pattern cs /P scn BT /F 12 Tf 72 600 Td (seen) Tj ET", 0),
    "on a shading": (b"/S sh 1 g BT /F 12 Tf 72 600 Td (seen) Tj ET", 0),
    "on a thick line": (b"20 w 0 605 m 612 605 l S 1 g BT /F 12 Tf 72 600 Td (seen) Tj ET", 0),
    "colour put back": (b"q 1 g Q BT /F 12 Tf 72 600 Td (seen) Tj ET", 0),
    "on white": (b"1 g 0 590 612 40 re f BT /F 12 Tf 72 600 Td (secret) Tj ET", 1),
    "white in a form": (b"q 1 0 0 1 72 600 cm /X Do Q BT /F 12 Tf 72 500 Td (seen) Tj ET", 3),
    "form on dark": (b"0 590 612 40 re f q 1 0 0 1 72 600 cm /X Do Q", 0),
    "form off the page": (b"q 1 0 0 1 72 900 cm 0 g 0 0 500 50 re f /X Do Q", 3),
    "in a drawn font": (b"BT /T 1 Tf 20 0 0 20 72 600 Tm (AB) Tj ET", 0),
    "the same, tiny": (b"BT /T 1 Tf .001 0 0 .001 72 600 Tm (AB) Tj ET", 1),
    "spaces": (b"BT /F 12 Tf 1 g 72 600 Td (   ) Tj ET", 0),
    "operands that are none": (b"(a) Tr /N g [1] cm q Q Q 3 re BT /F 12 Tf (b) Td (seen) Tj ET", 0),
}


@pytest.mark.parametrize("way", OPERATORS)
def test_the_second_engine_follows_the_operators(tmp_path, way):
    """Colour, size and place are those in force where the text is shown."""
    content, hidden = OPERATORS[way]
    path = pdf(tmp_path, page("Before") + content)
    found, whole = (PypdfFile(path, hide=hide).page(1) for hide in (True, False))
    assert found.hidden == whole.hidden == hidden
    assert len(whole.text.split()) - len(found.text.split()) == hidden


NAMES = ("q", "Q", "cm", "Tf", "Tr", "w", "gs", "g", "rg", "k", "cs", "scn", "re", "m", "l", "c",
         "f", "S", "n", "sh", "Do", "BT", "ET", "Td")  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.lists(st.sampled_from(["1", "0", "-7.5", "/X", "/F", "(x)", "[1 (y)]"]), max_size=6),
        ),
        max_size=30,
    )
)
def test_nothing_that_is_read_changes_what_pypdf_gives(tmp_path_factory, operations):
    """Whatever the operators, no page fails for being looked at, and no text is made up."""
    content = " ".join(" ".join((*operands, operator)) for operator, operands in operations)
    path = pdf(tmp_path_factory.mktemp("pdf"), content.encode() + b" " + page("Words to see"))
    plain = pypdf.PdfReader(path).pages[0].extract_text()
    assert PypdfFile(path, hide=False).page(1).text.split() == plain.split()
    assert len(PypdfFile(path).page(1).text.split()) <= len(plain.split())


# ------------------------------------------------------------------ before a file is opened


@pytest.mark.parametrize("claimed", [1, 2])
def test_pages_that_the_page_tree_does_not_count_are_read(tmp_path, claimed):
    """A tree that claims fewer pages than it has loses none, and hides nothing with them."""
    white = show(WORDS, 600, before="1 1 1 rg")
    path = pdf(tmp_path, *(page(f"Page {n}") + white for n in (1, 2, 3)))
    path.write_bytes(path.read_bytes().replace(b"/Count 3", b"/Count %d" % claimed))
    document = read(path, title="t")
    assert [section.text for section in document.sections] == ["Page 1\n", "Page 2\n", "Page 3\n"]
    assert (document.pages, document.lost_pages, document.hidden) == (3, (), 6)


def test_former_versions_of_a_page_are_no_pages(tmp_path):
    """A file with more page objects than pages, as after an edit, is read by the fast engine."""
    path = pdf(tmp_path, page("One"))
    path.write_bytes(path.read_bytes() + b"\n99 0 obj\n<< /Type /Page >>\nendobj\n")
    assert survey(path).pages == 2
    assert (read(path, title="t").reader, read(path, title="t").pages) == ("pdf", 1)


def test_layers_and_pages_are_noticed_in_packed_objects(tmp_path):
    """A file is suspected of layers when its catalog is compressed, or cannot be unpacked."""
    path = tmp_path / "packed.pdf"
    catalog = b"<< /Type /Catalog /Pages 2 0 R " + LAYERS + b" >> << /Type /Page >> << /Type /Pages"
    packed = zlib.compress(b"1 0 " + catalog)
    stream_ = b"9 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\n" % len(
        packed
    )
    path.write_bytes(b"%PDF-1.7\n" + stream_ + b"stream\n" + packed + b"\nendstream\nendobj\n")
    assert survey(path).layers
    assert survey(path).pages == 1
    path.write_bytes(b"%PDF-1.7\n" + b"/ObjStm stream\nnot compressed")
    assert survey(path).layers
    path.write_bytes(b"%PDF-1.7\n" + page("No layers"))
    assert not survey(path).layers


def test_real_reports_hide_next_to_nothing():
    """In the twenty quarterly and accident reports hardly a word is taken for hidden."""
    paths = sorted(DATA.glob("ntsb/pdfs/*.pdf")) + sorted(DATA.glob("sec-10-q/pdfs/*INTC*.pdf"))
    if not paths:
        pytest.skip("the shared reports are not here")
    assert sum(read(path, title="t").hidden for path in paths) <= 2
