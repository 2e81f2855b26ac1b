"""Word (.docx, .docm, .dotx): headings, paragraphs, tables, notes and text boxes in document order.

python-docx opens the package and knows the styles. The body is walked here, because its own
iteration leaves out tracked insertions, content controls and text boxes without a word. Its
parser keeps entities unresolved and fetches nothing, so entity bombs stay small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean
from ingest.readers.outline import Outline
from ingest.readers.package import open_package
from ingest.readers.table import line_of, table_text
from rag.records import Document

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"

#: Not part of the text as it stands: deleted or moved away, formatting, a duplicate for old
#: programs; what is in a box or a note is written after its paragraph.
_LEFT_OUT = {
    f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}rPr", f"{_W}txbxContent", _FALLBACK,
}  # fmt: skip
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


def read(path: Path, *, title: str) -> Document:
    """One section for each heading; table rows are lines of «cell | cell», in groups under the
    header row where the table is long.

    Page headers and footers are left out: they repeat on every page. Word files have no pages
    before they are printed, so ``page`` is None. Raises Unreadable.
    """
    document = _opened(path)
    body = document.element.body
    notes = _notes(document.part)
    levels = _heading_levels(document.styles)
    outline = Outline()
    for block in _blocks(body):
        if block.tag == f"{_W}tbl":
            outline.add(table_text(_rows(block, notes)) + "\n")
            continue
        text = clean(_text(block)).strip()
        level = levels.get(_style(block)) or _outline_level(block)
        if text and level:
            outline.heading(level, " ".join(text.split()), text + "\n\n")
        elif text:
            outline.add(text + "\n\n")
        for extra in _beside(block, notes):
            outline.add(extra + "\n\n")
    sections = outline.sections()
    if not sections:
        if any(element.tag in _FOREIGN for element in body.iter()):
            raise Unreadable("no_text", "pictures or embedded files, but no text")
        raise Unreadable("empty", "a document without text")
    return Document(title, sections, "word")


def _opened(path: Path) -> Any:
    """python-docx's document. Raises Unreadable for what is none, and a bomb before unpacking."""
    open_package(path, "a Word file", holds="[Content_Types].xml").close()
    from docx.opc.part import PartFactory
    from docx.package import Package
    from docx.parts.document import DocumentPart

    PartFactory.part_type_for.update(dict.fromkeys(_OTHER_MAIN, DocumentPart))
    main = Package.open(str(path)).main_document_part
    if not isinstance(main, DocumentPart):
        raise Unreadable("unreadable", "not a Word file: another kind of Office file")
    return main.document


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
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}moveTo",
                           f"{_W}customXml", f"{_W}smartTag"):  # fmt: skip
            yield from _blocks(child)


# ------------------------------------------------------------------ text


def _text(element: Any) -> str:
    """The text of a paragraph as it reads with all changes accepted."""
    if element.tag in (f"{_W}t", _MATH_TEXT):
        return element.text or ""
    if element.tag in _SIGNS:
        return _SIGNS[element.tag]
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
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml"):
            yield from _inside(child, name)


def _cell(cell: Any, notes: dict[str, str]) -> str:
    parts = []
    for block in _blocks(cell):
        if block.tag == f"{_W}tbl":
            parts += [line_of(row) for row in _rows(block, notes)]
        else:
            parts += [clean(_text(block)), *_beside(block, notes)]
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
        elif element.tag not in (f"{_W}del", f"{_W}moveFrom", _FALLBACK):
            waiting.extend(reversed(element))
    yield from filter(None, referred)


def _notes(part: Any) -> dict[str, str]:
    """«footnote2» → its text."""
    from docx.oxml.parser import parse_xml

    notes = {}
    for relation in part.rels.values():
        kind = str(relation.reltype).removeprefix(_RELATIONS).removesuffix("s")
        if kind in ("footnote", "endnote") and not relation.is_external:
            for note in parse_xml(relation.target_part.blob):
                text = " ".join(clean(_text(note)).split())
                notes[kind + str(note.get(f"{_W}id"))] = text
    return notes
