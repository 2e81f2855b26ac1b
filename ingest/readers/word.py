"""Word (.docx, .docm, .dotx): headings, paragraphs, tables, notes and text boxes in document order.

python-docx opens the package and knows the styles. The body is walked here, because its own
iteration leaves out tracked insertions, content controls and text boxes without a word. Its
parser keeps entities unresolved and fetches nothing, so entity bombs stay small.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ingest.readers import Unreadable
from ingest.readers.html import LOWERED, RAISED, written
from ingest.readers.outline import Outline
from ingest.readers.package import open_package
from ingest.readers.rtf_words import SYMBOL_FONTS, symbol
from ingest.readers.table import line_of, table_text
from rag.records import Document

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_COMPATIBLE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

#: Not part of the text as it stands: deleted or moved away, formatting; what is in a box or a
#: note is written after its paragraph.
_LEFT_OUT = {f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}rPr", f"{_W}txbxContent"}
#: What stands around blocks, rows and cells and changes nothing about them.
_AROUND = {
    *(_W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")),
    *(_COMPATIBLE + name for name in ("AlternateContent", "Choice", "Fallback")),
}
_SIGNS = {
    f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-",
}  # fmt: skip
#: What may hold text that is not in the body as text; altChunk is a whole file put inside.
_FOREIGN = {f"{_W}drawing", f"{_W}pict", f"{_W}object", f"{_W}altChunk"}
#: The main part of files with macros and of templates. python-docx takes only a plain document's,
#: though they are built alike; macros are a part that nothing here opens.
_OTHER_MAIN = (
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
)
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
#: Names of the strict form of the format, which differ in nothing else from those of the usual one.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
_HEX = re.compile("[0-9A-Fa-f]{1,6}")
_SYMBOLS = re.compile("[\uf020-\uf0ff]")
_SCRIPTS = {"superscript": RAISED, "subscript": LOWERED}


def read(path: Path, *, title: str) -> Document:
    """One section for each heading; table rows are lines of «cell | cell», in groups under the
    header row where the table is long.

    Page headers and footers are left out, because they repeat on every page, unless they are all
    the text there is. Word files have no pages before they are printed, so ``page`` is None. Text
    formatted as hidden is left out and counted. Raises Unreadable.
    """
    document = _opened(path)
    part, body = document.part, document.element.body
    looks = _looks(document.styles)
    levels = _heading_levels(document.styles)
    notes, hidden = _notes(part, looks)
    hidden += _prepare(body, looks)
    outline = Outline()
    _add(outline, body, levels, notes)
    sections = outline.sections()
    if not sections:
        for margin in _margins(part):
            hidden += _prepare(margin, looks)
            _add(outline, margin, levels, notes)
        sections = outline.sections()
    if not sections:
        if hidden:
            raise Unreadable("no_text", f"only text that nobody sees, {hidden} words")
        if any(element.tag in _FOREIGN for element in body.iter()):
            raise Unreadable("no_text", "pictures or embedded files, but no text")
        raise Unreadable("empty", "a document without text")
    return Document(title, sections, "word", hidden=hidden)


def _add(outline: Outline, container: Any, levels: dict[str, int], notes: dict[str, str]) -> None:
    """Everything in the body, or in a page header, to the outline."""
    for block in _blocks(container):
        if block.tag == f"{_W}tbl":
            outline.add(table_text(_rows(block, notes)) + "\n")
            continue
        text = written(_text(block)).strip()
        level = levels.get(_style(block)) or _outline_level(block)
        if text and level:
            outline.heading(level, " ".join(text.split()), text + "\n\n")
        elif text:
            outline.add(text + "\n\n")
        for extra in _beside(block, notes):
            outline.add(extra + "\n\n")


# ------------------------------------------------------------------ the file


def _opened(path: Path) -> Any:
    """python-docx's document. Raises Unreadable for what is none, and a bomb before unpacking."""
    with open_package(path, "a Word file", holds="[Content_Types].xml") as package:
        root = "_rels/.rels"
        strict = root in package.NameToInfo and _STRICT.search(package.read(root)) is not None
        source: Any = _usual(package) if strict else str(path)
    from docx.opc.part import PartFactory
    from docx.package import Package
    from docx.parts.document import DocumentPart

    PartFactory.part_type_for.update(dict.fromkeys(_OTHER_MAIN, DocumentPart))
    opened = Package.open(source)
    try:
        main = opened.main_document_part
    except KeyError:
        raise Unreadable("unreadable", "damaged: the file does not say where its text is") from None
    if not isinstance(main, DocumentPart):
        raise Unreadable("unreadable", "not a Word file: another kind of Office file")
    return main.document


def _usual(package: zipfile.ZipFile) -> io.BytesIO:
    """A strict file as the usual form, the only one python-docx knows; without its pictures, which
    nothing here reads."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as usual:
        for name in package.NameToInfo:
            data = package.read(name) if name.lower().endswith((".xml", ".rels")) else b""
            usual.writestr(
                name, _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", data)
            )
    copy.seek(0)
    return copy


def _margins(part: Any) -> list[Any]:
    """The page headers and footers that any section refers to, each once."""
    wanted = (f"{_W}headerReference", f"{_W}footerReference")
    parts = part.related_parts
    found = [
        parts.get(next((v for k, v in ref.attrib.items() if k.endswith("}id")), ""))
        for ref in part.element.body.iter(*wanted)
    ]
    return [margin.element for margin in dict.fromkeys(found) if hasattr(margin, "element")]


# ------------------------------------------------------------------ what is seen


class _Look(NamedTuple):
    """How a run of text is shown; None where that is left to something farther out."""

    hidden: bool | None = None
    script: str | None = None

    def over(self, outer: _Look) -> _Look:
        hidden = outer.hidden if self.hidden is None else self.hidden
        return _Look(hidden, outer.script if self.script is None else self.script)


def _look(element: Any) -> _Look:
    """What a run or a style itself says."""
    vanish = element.find(f"{_W}rPr/{_W}vanish")
    align = element.find(f"{_W}rPr/{_W}vertAlign")
    return _Look(
        None if vanish is None else vanish.get(f"{_W}val", "1") not in ("0", "false", "off"),
        None if align is None else align.get(f"{_W}val", ""),
    )


def _looks(styles: Any) -> dict[str, _Look]:
    """Style id → how it shows text, with what it inherits."""
    looks = {}
    for style in styles:
        step, seen, look = style, set(), _Look()
        while step is not None and step.style_id not in seen:
            seen.add(step.style_id)
            look = look.over(_look(step.element))
            step = getattr(step, "base_style", None)
        looks[style.style_id] = look
    return looks


def _prepare(root: Any, looks: dict[str, _Look]) -> int:
    """Leave in the tree what is seen, with the marks of raised and lowered text in its runs, and
    count the words of the rest: hidden runs, and all but one form of what is there twice."""
    for element in list(root.iter(f"{_COMPATIBLE}AlternateContent")):
        forms = [f for f in element if f.tag in _AROUND]
        shown = [
            f for f in forms if next(f.iter(f"{_W}t", f"{_W}sym", _MATH_TEXT), None) is not None
        ]
        for form in forms:
            if form is not (shown or forms)[0]:
                element.remove(form)
    hidden, gone = 0, set()
    for run in list(root.iter(f"{_W}r")):
        if run in gone:  # in a box that is anchored in a hidden run
            continue
        look = _run_look(run, looks)
        texts = list(run.iter(f"{_W}t"))
        if look.hidden:
            hidden += len("".join(text.text or "" for text in texts).split())
            gone.update(run.iter(f"{_W}r"))
            run.getparent().remove(run)
            continue
        start, end = _SCRIPTS.get(look.script or "", ("", ""))
        fonts = run.find(f"{_W}rPr/{_W}rFonts")
        font = "Symbol" if fonts is None else fonts.get(f"{_W}ascii", "Symbol")
        for text in run.iterchildren(f"{_W}t"):
            text.text = start + _letters(text.text or "", font) + end
    return hidden


def _letters(text: str, font: str) -> str:
    """Text in which the codes of a symbol font are what they show."""
    if font.lower() not in SYMBOL_FONTS:
        return text
    return _SYMBOLS.sub(lambda found: symbol(font, ord(found[0])), text)


def _run_look(run: Any, looks: dict[str, _Look]) -> _Look:
    """A run's own look over that of its style over that of its paragraph's style."""
    named = run.find(f"{_W}rPr/{_W}rStyle")
    own = looks.get("" if named is None else named.get(f"{_W}val", ""), _Look())
    paragraph = next(run.iterancestors(f"{_W}p"), None)
    outer = _Look() if paragraph is None else looks.get(_style(paragraph), _Look())
    return _look(run).over(own).over(outer)


# ------------------------------------------------------------------ structure


def _heading_levels(styles: Any) -> dict[str, int]:
    """Style id → heading level. Style ids are translated, the names of headings are not."""
    levels: dict[str, int] = {}
    for style in styles:
        step, seen = style, set()
        while step is not None and step.style_id not in seen:
            seen.add(step.style_id)
            level = _named_level(step.name or "") or _outline_level(step.element)
            if level:
                levels[style.style_id] = level
                break
            step = getattr(step, "base_style", None)
    return levels


def _named_level(name: str) -> int:
    """1 for the document's title, 2 to 10 for headings 1 to 9, 0 for other styles."""
    if name.lower() == "title":
        return 1
    found = _HEADING.fullmatch(name)
    return int(found[1]) + 1 if found else 0


def _outline_level(element: Any) -> int:
    """The level set directly on a paragraph or style; 9 means body text."""
    found = element.find(f"{_W}pPr/{_W}outlineLvl")
    value = found.get(f"{_W}val", "9") if found is not None else "9"
    return int(value) + 2 if value in "012345678" else 0


def _style(paragraph: Any) -> str:
    found = paragraph.find(f"{_W}pPr/{_W}pStyle")
    return str(found.get(f"{_W}val", "")) if found is not None else ""


def _blocks(container: Any) -> Iterator[Any]:
    """Paragraphs and tables in order, out of content controls and tracked changes too."""
    for child in container:
        if child.tag in (f"{_W}p", f"{_W}tbl"):
            yield child
        elif child.tag in _AROUND:
            yield from _blocks(child)


# ------------------------------------------------------------------ text


def _text(element: Any) -> str:
    """The text of a paragraph as it reads with all changes accepted."""
    if element.tag in (f"{_W}t", _MATH_TEXT):
        return element.text or ""
    if element.tag in _SIGNS:
        return _SIGNS[element.tag]
    if element.tag == f"{_W}sym":
        code = element.get(f"{_W}char", "")
        known = _HEX.fullmatch(code)
        return symbol(element.get(f"{_W}font", ""), int(code, 16)) if known else "\ufffd"
    return "".join(_text(child) for child in element if child.tag not in _LEFT_OUT)


def _rows(table: Any, notes: dict[str, str]) -> Iterator[list[str]]:
    """The rows of a table; a cell over several columns is followed by empty ones."""
    for row in _inside(table, "tr"):
        cells: list[str] = [""] * _span(row, "trPr", "gridBefore", 0)
        for cell in _inside(row, "tc"):
            cells += [_cell(cell, notes), *[""] * (_span(cell, "tcPr", "gridSpan", 1) - 1)]
        yield cells


def _span(element: Any, properties: str, name: str, usual: int) -> int:
    """How many columns something spans; Word has at most 63."""
    found = element.find(f"{_W}{properties}/{_W}{name}")
    value = found.get(f"{_W}val", "") if found is not None else ""
    return min(int(value), 63) if value.isdecimal() and len(value) < 10 else usual


def _inside(element: Any, name: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, out of content controls and tracked changes too."""
    for child in element:
        if child.tag == _W + name:
            yield child
        elif child.tag in _AROUND:
            yield from _inside(child, name)


def _cell(cell: Any, notes: dict[str, str]) -> str:
    parts = []
    for block in _blocks(cell):
        if block.tag == f"{_W}tbl":
            parts += [line_of(row) for row in _rows(block, notes)]
        else:
            parts += [written(_text(block)), *_beside(block, notes)]
    return " ".join(" ".join(parts).split())


def _beside(paragraph: Any, notes: dict[str, str]) -> Iterator[str]:
    """Text boxes anchored in a paragraph, then the foot- and endnotes it refers to."""
    referred = []
    waiting = [paragraph]
    while waiting:
        element = waiting.pop()
        if element.tag == f"{_W}txbxContent":
            yield from filter(None, [_cell(element, notes)])
        elif element.tag in (f"{_W}footnoteReference", f"{_W}endnoteReference"):
            kind = element.tag[len(_W) :].removesuffix("Reference")
            referred.append(notes.get(kind + str(element.get(f"{_W}id")), ""))
        elif element.tag not in (f"{_W}del", f"{_W}moveFrom"):
            waiting.extend(reversed(element))
    yield from filter(None, referred)


def _notes(part: Any, looks: dict[str, _Look]) -> tuple[dict[str, str], int]:
    """«footnote2» → its text, and how many words in all of them nobody sees."""
    from docx.oxml.parser import parse_xml

    notes, hidden = {}, 0
    for relation in part.rels.values():
        kind = str(relation.reltype).removeprefix(_RELATIONS).removesuffix("s")
        if kind in ("footnote", "endnote") and not relation.is_external:
            for note in parse_xml(relation.target_part.blob):
                hidden += _prepare(note, looks)
                text = " ".join(written(_text(note)).split())
                notes[kind + str(note.get(f"{_W}id"))] = text
    return notes, hidden
