"""Encodings, RTF, JSON and books: exact text, places, and a named reason for the rest."""

from __future__ import annotations

import json
import random
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import refused, save, shown

from ingest.readers import Unreadable, read
from ingest.readers import json as json_reader
from ingest.readers.rtf import parse
from ingest.readers.text import decode

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
HOSTILE = Path(__file__).parents[2] / "shared" / "data" / "hostile"


# ------------------------------------------------------------------ encodings

PROSE = {
    "French": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ça va là.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Größe, Maß, Ärger.",
    "Polish": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "Czech": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti. Příliš žluťoučký.",
    "Hungarian": "Minden emberi lény szabadon születik, egyenlő méltósága van. Őszi gyümölcsök.",
    "Turkish": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Çığlık, şöyle.",
    "Icelandic": "Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum. Það er æði.",
    "Latvian": "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās. Ļoti šķiet.",
    "Russian": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены "
    "разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Japanese": "すべての人間は、生まれながらにして自由であり、"
    "かつ、尊厳と権利とについて平等である。",
    "Korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. "
    "인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
    "Chinese": "人人生而自由,在尊严和权利上一律平等。"
    "他们赋有理性和良心,并应以兄弟关系的精神互相对待。",
    "Taiwan": "人人生而自由,在尊嚴和權利上一律平等。"
    "他們賦有理性和良心,並應以兄弟關係的精神互相對待。",
}
ENCODINGS = [
    ("French", "cp1252"), ("French", "mac_roman"), ("French", "cp850"), ("German", "cp1252"),
    ("German", "iso8859_15"), ("Polish", "cp1250"), ("Polish", "iso8859_2"), ("Czech", "cp1250"),
    ("Czech", "iso8859_2"), ("Hungarian", "cp1250"), ("Turkish", "cp1254"),
    ("Icelandic", "cp1252"), ("Latvian", "cp1257"), ("Russian", "cp1251"), ("Russian", "koi8_r"),
    ("Russian", "iso8859_5"), ("Russian", "cp866"), ("Greek", "cp1253"), ("Greek", "iso8859_7"),
    ("Japanese", "shift_jis"), ("Japanese", "euc_jp"), ("Japanese", "iso2022_jp"),
    ("Korean", "euc_kr"), ("Chinese", "gb18030"), ("Taiwan", "big5"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "encoding"), ENCODINGS)
def test_the_encoding_of_prose_is_found_without_a_declaration(language, encoding):
    text = PROSE[language] + "\n"
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("language", PROSE)
def test_wide_text_without_a_mark_is_read_in_every_script(language, encoding):
    text = f"{PROSE[language]}\nNo 1, «x».\n" * 3
    assert decode(text.encode(encoding)) == text


def test_a_stray_zero_or_padding_does_not_make_a_text_binary():
    """A zero between fields and a last block filled up with zeros are dropped."""
    assert decode(b"name\0value and some more text\n") == "namevalue and some more text\n"
    assert decode(b"The end.\n" + bytes(500)) == "The end.\n"


def test_a_few_control_characters_do_not_make_a_text_binary():
    assert decode(b"\x1b[1mbold\x1b[0m \x07 text, and \x01 more of it to read\n").endswith("read\n")


def test_random_bytes_are_no_text():
    """Of 300 blocks of 200 random bytes none is taken for text."""
    source = random.Random(5)
    for _ in range(300):
        with pytest.raises(Unreadable, match=r"binary|encoding"):
            decode(source.randbytes(200))


def test_text_with_a_damaged_letter_keeps_all_the_others():
    """UTF-8 cut inside a letter is still UTF-8."""
    text = PROSE["Russian"]
    assert decode(text.encode()[:-2]) == text[:-2] + "�"


SHORT = [
    ("Notice period\nСрок: 30 дней\n", ("cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic")),
    ("Contact: Мария, договор № 5\n", ("cp1251", "cp866")),
    ("СРОК: 30 ДНЕЙ", ("cp1251", "cp866")),
    ("Offer\nСрок на доставка: 5 дни\n", ("cp1251", "koi8_r", "cp866", "mac_cyrillic")),
    ("Notice period\nΠερίοδος: 30 ημέρες\n", ("cp1253", "iso8859_7", "cp737")),
    ("Der Preis beträgt 30 Euro.\n", ("cp437", "cp850", "cp852", "cp1252", "mac_roman")),
    ("Prix: 30 euros, déjà payé, voilà un café\n", ("cp437", "cp850", "cp1252")),
    ("“Paris–London” – don’t… MENÜ “x”", ("cp1252",)),
    ("«CAFÉ» à Paris, É»", ("cp1252",)),
    ("Notice period\n契約期間:30日です\n", ("cp932", "euc_jp")),
]


@pytest.mark.parametrize(
    ("text", "encoding"), [(text, one) for text, encodings in SHORT for one in encodings]
)
def test_the_encoding_of_a_short_text_is_found_without_a_declaration(text, encoding):
    """A few words in another script among English ones, or one accent in an old code page."""
    assert decode(text.encode(encoding)) == text


def test_a_damaged_byte_in_utf_8_with_few_accents_is_one_damaged_letter(tmp_path):
    """The rest is kept as it is, and how many were damaged is said."""
    for text in ("Café at 5 €", "Срок 30"):
        document = read(save(tmp_path, "a.txt", text.encode() + b" \xff end"), title="t")
        assert document.sections[0].text == text + " \ufffd end"
        assert document.detail == "damaged letters, given as «\ufffd»: 1"
    assert read(save(tmp_path, "b.txt", "whole \ufffd"), title="t").detail == ""


@given(
    st.text(
        alphabet=st.characters(
            codec="utf-8", exclude_categories=("Cc",), exclude_characters="\ufeff"
        ),
        min_size=1,
    )
)
def test_utf_8_is_always_read_as_it_is_written(text):
    assert decode(text.encode()) == text


@pytest.mark.skipif(not HOSTILE.exists(), reason="the shared documents are not here")
def test_text_files_of_other_projects_are_read():
    """Their encodings: EBCDIC, cp866, cp1252, UTF-16 and UTF-32 with and without a mark."""
    for part, begins in (
        ("russian.cp866.txt", "Однажды, в студеную зимнюю пору"),
        ("english.cp500.txt", "         IntelliStation POWER"),
        ("testTXT_win-1252.txt", "These smart quotes are the trigger"),
        ("fake-text-utf-16-be.txt", "This is a test document"),
        ("fake-text-utf-32.txt", "This is a test document"),
    ):
        (path,) = HOSTILE.glob(f"*/*{part}")
        assert read(path, title="t").sections[0].text.startswith(begins), part


# ------------------------------------------------------------------ RTF


def rtf(body: str, head: str = "") -> list[tuple[str, str]]:
    sections, _ = parse((r"{\rtf1\ansi\ansicpg1252" + head + body + "}").encode("cp1252"))
    return [(section.heading, section.text) for section in sections]


def test_rtf_letters_come_from_escapes_code_pages_and_unicode():
    """Also those spread over two escapes or two code units, whose stand-ins are not shown."""
    fonts = r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}{\f2\fcharset128 C;}}"
    body = r"\f0 caf\'e9 \f1\'cc\'e8\'f0 \f2\'93\'fa\'96\'7b \f0\u8364? \uc2\u20320??\uc1 "
    body += r"\u-10179?\u-8694? \lquote x\rquote\~\endash"
    assert rtf(body, fonts) == [("", "café Мир 日本 € 你\U0001f60a ‘x’\u00a0–\n\n")]


def test_rtf_hidden_and_deleted_text_is_kept_out_and_hidden_words_are_counted(tmp_path):
    path = save(tmp_path, "a.rtf", r"{\rtf1 Seen {\v not at all }here{\deleted gone}.\v x\v0 !}")
    document = read(path, title="t")
    assert (document.sections[0].text, document.hidden) == ("Seen here.!\n\n", 4)


def test_rtf_raised_and_lowered_text_changes_no_number():
    """Whichever word raises it, up to the word or brace that ends it; letters stay whole."""
    body = (
        r" 1,234{\super 1} 10\super 6\nosupersub , 101{\sub 2}, H{\sub 2}O 5{\up6 2}{\up0 3}"
        r" 9\super\u-10179?\u-8694?a\plain  x{\footnote{\super\chftn}7{\super 8}}"
    )
    assert rtf(body) == [
        ("", "1,234^1 10^6, 101_2, H2O 5^(2)3 9^(\U0001f60aa) x\n\n7^8\n\n"),
    ]


def test_rtf_signs_of_symbol_fonts_are_what_they_show():
    """As bytes, as Unicode's private codes, and whether or not each font has its own braces."""
    body = r"\f1 \'b3\f0  5 mg \f1\u-3917?\f0\'e9 {\f2 \'fe\'01}"
    own = r"{\fonttbl{\f0 A;}{\f1{\*\panose 05}Symbol;}{\f2\fcharset2 Wingdings;}}"
    shared = r"{\fonttbl\f0 A;\f1\fcharset2 Symbol;\f2 Wingdings;}"
    for fonts in (own, shared):
        assert rtf(body, fonts) == [("", "≥ 5 mg ≥é ☑\n\n")]


def test_rtf_leaves_out_what_is_not_the_text():
    """Page headers, pictures with raw bytes, embedded files, field codes, comments, tables."""
    body = (
        r"{\info{\author Nobody}}{\header Top}{\footer Page}{\colortbl;\red0;}"
        r"{\*\generator X;}{\*\unknown {\b y}}{\pict\bin5 }}}}}}{\object{\*\objdata 0102}}"
        r"Text{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}{\*\annotation note}.\par"
    )
    assert rtf(body) == [("", "Textlink.\n\n")]


def test_rtf_headings_open_sections_and_notes_follow_their_paragraph():
    head = r"{\stylesheet{\s0 Normal;}{\s1 heading 1;}{\s2 heading 2;}}"
    body = (
        r"\pard\s1 Terms\par\pard\s2 Payment\par\pard Due{\footnote In full.} now.\par"
        r"\pard\outlinelevel0 End\par\pard Bye\par"
    )
    assert rtf(body, head) == [
        ("Terms › Payment", "Terms\n\nPayment\n\nDue now.\n\nIn full.\n\n"),
        ("End", "End\n\nBye\n\n"),
    ]


def test_rtf_table_rows_are_lines_of_cells():
    row = r"\trowd\pard\intbl %s\cell %s\cell\row"
    body = r"Before\par" + row % ("Name", "Due") + row % (r"A\par B", "5") + r"\pard After\par"
    assert rtf(body) == [("", "Before\n\nName | Due\nA B | 5\n\nAfter\n\n")]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"no rtf at all", "unreadable", id="other"),
        pytest.param(rb"{\rtf1 }", "empty", id="empty"),
        pytest.param(rb"{\rtf1{\pict 00ff}}", "no_text", id="picture"),
        pytest.param(rb"{\rtf1" + b"{" * 200_000, "unreadable", id="nesting bomb"),
        pytest.param(rb"{\rtf1{\header " + b'{\\field{HYPERLINK "a"' * 3000, "empty", id="fields"),
    ],
)
def test_rtf_without_text_is_refused_with_the_reason(tmp_path, content, status):
    assert refused(save(tmp_path, "a.rtf", content)).status == status


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=50))
def test_rtf_gives_back_every_letter_written_as_unicode(text):
    units = text.encode("utf-16-le")
    codes = (
        int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)
    )
    body = "".join(f"\\u{code}?" for code in codes)
    assert rtf(body) == [("", text + "\n\n")]


# ------------------------------------------------------------------ JSON


def test_json_objects_become_paths_and_values_as_written(tmp_path):
    """Numbers keep their digits, a name given twice keeps both values."""
    text = '{"total": 1.10, "id": 12345678901234567890123, "ok": true, "a": 1, "a": NaN, "n": null}'
    assert shown(save(tmp_path, "a.json", text)) == [
        ("", "total: 1.10\nid: 12345678901234567890123\nok: true\na: 1\na (2): NaN\nn: null\n")
    ]


def test_json_large_entries_get_sections_of_their_own(tmp_path):
    """The path counts list entries from 1."""
    orders = [
        {"customer": f"C{n}", "lines": [{"item": "x" * 90, "parts": ["a", {"b": n}]}] * 5}
        for n in range(3)
    ]
    found = shown(save(tmp_path, "a.json", json.dumps({"shop": "Y", "orders": orders})))
    assert [heading for heading, _ in found] == ["", "orders › 1", "orders › 2", "orders › 3"]
    assert found[3][1].startswith("orders › 3 › customer: C2\norders › 3 › lines › 1 › item: xxx")
    assert "orders › 3 › lines › 3 › parts › 2 › b: 2\n" in found[3][1]


def test_json_lists_of_flat_records_become_tables_with_their_header(tmp_path):
    records = [{"sku": f"GRD-{n}", "price": n} for n in range(100)]
    for name, text in (
        ("a.json", json.dumps(records)),
        ("a.jsonl", "\n".join(map(json.dumps, records))),
    ):
        found = shown(save(tmp_path, name, text))
        assert found[0][0].startswith("records 1–")
        assert all(text.startswith("sku | price\n") for _, text in found)
        assert "".join(text for _, text in found).count("GRD-") == 100
        assert found[-1][0].endswith("–100")


def test_json_lines_are_grouped_by_whole_records(tmp_path):
    records = [{"title": f"T{n}", "text": "One.\nTwo." * 10, "tags": ["a"]} for n in range(7)]
    found = shown(save(tmp_path, "a.jsonl", "\n".join(map(json.dumps, records))))
    assert [heading for heading, _ in found] == ["records 1–4", "records 5–7"]
    assert found[1][1].startswith("title: T4\ntext: One.")


def test_json_is_told_by_its_content_and_not_by_its_name(tmp_path):
    one, lines, several = '{\n "a": 1\n}', '{"a": 1}\n{"a": 2}\n', '{\n"a": 1\n}\n{\n"a": 2\n}'
    assert shown(save(tmp_path, "one.jsonl", one)) == [("", "a: 1\n")]
    for name, text in (("lines.json", lines), ("several.json", several)):
        assert shown(save(tmp_path, name, text)) == [("records 1–2", "a\n1\n2\n")]


def test_json_in_other_encodings_is_read(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"):
        path = save(tmp_path, "a.json", '{"name": "Größe"}'.encode(encoding))
        assert shown(path) == [("", "name: Größe\n")]


def test_json_lines_keep_a_damaged_line_as_it_stands(tmp_path):
    path = save(tmp_path, "a.jsonl", '{"a": ["x"]}\n{"a": [broken\n{"a": ["z"]}\n')
    assert shown(path) == [("records 1–3", 'a: x\n\n{"a": [broken\n\na: z\n')]


@pytest.mark.parametrize(
    ("content", "status", "detail"),
    [
        pytest.param("[" * 100_000, "unreadable", "nested too deeply", id="depth bomb"),
        pytest.param('{"a":' * 100_000, "unreadable", "nested too deeply", id="object bomb"),
        pytest.param('{"a": 1,\n "b": ', "unreadable", "line 2, column 7", id="cut"),
        pytest.param("<html></html>", "unreadable", "not valid JSON", id="other"),
        pytest.param("{}", "empty", "no values", id="empty"),
        pytest.param(" \n", "empty", "white space", id="blank"),
    ],
)
def test_json_without_values_is_refused_with_the_reason(tmp_path, content, status, detail):
    failure = refused(save(tmp_path, "a.json", content))
    assert failure.status == status
    assert detail in failure.detail


def test_evaluation_questions_are_no_document(tmp_path):
    """Nor are they when only one of them says whether it has an answer, or in one list."""
    assert refused(SAMPLES / "questions.jsonl").status == "unsupported"
    for name, text in (
        ("q.jsonl", '{"question": "Why?"}\n{"question": "How?", "answerable": true}\n'),
        ("q.json", '[{"id": 1, "question": "Why?", "answerable": false}]'),
        ("one.jsonl", '{"question": "Why?"}'),
        ("place.jsonl", '{"question": "Why?", "answer": "So.", "file": "a.pdf", "page": 3}'),
    ):
        failure = refused(save(tmp_path, name, text))
        assert str(failure) == "unsupported: evaluation questions, not a document"


def test_saved_answers_are_no_document(tmp_path):
    record = {"question": "Why?", "answer": "So.", "sentences": [], "passages": [], "summary": {}}
    record["timings"] = {}
    failure = refused(save(tmp_path, "a.json", json.dumps(record)))
    assert str(failure) == "unsupported: a saved answer, not a document"


def test_ordinary_records_that_have_a_question_are_read(tmp_path):
    path = save(tmp_path, "a.json", '[{"question": "Why?", "answer": "So.", "author": "Ann"}]')
    assert shown(path) == [("record 1", "question: Why?\nanswer: So.\nauthor: Ann\n")]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('{"question": "Why?", "answer": "So."}', id="one question"),
        pytest.param('[{"question": "Why?", "reply": "So."}]', id="another word for it"),
        pytest.param('[{"id": 1, "question": "Why?", "answer": "So.", "tags": ["a"]}]', id="tags"),
        pytest.param('[{"question": "Why?", "answerable": "in part"}]', id="other meaning"),
        pytest.param('[{"question": "Why?", "answerable": true}, {"text": "x"}]', id="mixed"),
    ],
)
def test_frequent_questions_are_a_document(tmp_path, content):
    """Ours say whether they have an answer, or where it stands, or have none with them."""
    assert "Why?" in shown(save(tmp_path, "faq.json", content))[0][1]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.from_regex(r"[a-z]{1,30}", fullmatch=True),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.from_regex(r"k[0-9]{1,3}", fullmatch=True), inner, max_size=5)
    ),
    max_leaves=60,
)


@given(VALUES)
def test_every_string_of_a_json_file_is_in_its_text(value):
    """As often as it stands there."""

    def strings(inside):
        if isinstance(inside, dict):
            inside = list(inside.values())
        if isinstance(inside, list):
            return [found for one in inside for found in strings(one)]
        return [inside] if isinstance(inside, str) else []

    text = "".join(section.text for section in json_reader._entries(value, ""))
    words = Counter(text.replace(",", " ").split())
    assert not Counter(strings(value)) - words


# ------------------------------------------------------------------ books

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
OPF = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>A Book</dc:title></metadata>
<manifest><item id="two" href="two.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="the%20first.xhtml" media-type="application/xhtml+xml"/>
<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/></spine></package>"""
NAV = """<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol>
<li><a href="the%20first.xhtml">The First</a></li><li><a href="two.xhtml#x">Two</a></li>
</ol></nav></body></html>"""
ONE = "<html><body><p>In the caf&eacute;.</p></body></html>"
TWO = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Two</h1><p>x</p><h2>Deeper</h2><p>y</p></body></html>'


def book(folder: Path, **changes: str | None) -> Path:
    parts: dict[str, str | None] = {
        "META-INF/container.xml": CONTAINER, "OPS/book.opf": OPF, "OPS/nav.xhtml": NAV,
        "OPS/two.xhtml": TWO, "OPS/the first.xhtml": ONE,
    }  # fmt: skip
    parts |= changes
    path = folder / "book.epub"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            if content is not None:
                package.writestr(name, content)
    return path


def test_a_book_is_read_in_the_order_of_its_spine_under_the_names_of_its_chapters(tmp_path):
    path = book(tmp_path)
    assert read(path, title="t").title == "A Book"
    assert [(heading, text.split()) for heading, text in shown(path)] == [
        ("The First", ["In", "the", "café."]),
        ("Two", ["Two", "x"]),
        ("Two › Deeper", ["Deeper", "y"]),
    ]


def test_words_of_a_book_that_nobody_sees_are_counted(tmp_path):
    page = "<html><body><p hidden='x'>not this</p><p>10<sup>6</sup></p></body></html>"
    document = read(book(tmp_path, **{"OPS/the first.xhtml": page}), title="t")
    assert (document.sections[0].text, document.hidden) == ("10^6\n\n", 2)


def encryption(algorithm: str) -> str:
    return (
        '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
        f'<e:EncryptionMethod Algorithm="{algorithm}"/></e:EncryptedData></encryption>'
    )


def test_a_protected_book_says_so_and_scrambled_fonts_do_not_matter(tmp_path):
    name = "META-INF/encryption.xml"
    failure = refused(book(tmp_path, **{name: encryption("http://www.w3.org/2001/04/xmlenc#aes")}))
    assert failure.status == "password"
    assert "DRM" in failure.detail
    fonts = encryption("http://www.idpf.org/2008/embedding")
    assert len(shown(book(tmp_path, **{name: fonts}))) == 3


def test_a_missing_chapter_is_named(tmp_path):
    document = read(book(tmp_path, **{"OPS/two.xhtml": None}), title="t")
    assert document.detail == "1 of 2 chapters unreadable: 2 («OPS/two.xhtml» missing or damaged)"


def test_a_book_without_text_is_refused_with_the_reason(tmp_path):
    picture = "<html><body><img src='x.png'/></body></html>"
    images = {"OPS/two.xhtml": picture, "OPS/the first.xhtml": picture}
    assert refused(book(tmp_path, **images)).status == "no_text"
    assert refused(book(tmp_path, **{"META-INF/container.xml": None})).status == "unreadable"
    gone = {"OPS/two.xhtml": None, "OPS/the first.xhtml": None}
    assert refused(book(tmp_path, **gone)).status == "unreadable"
