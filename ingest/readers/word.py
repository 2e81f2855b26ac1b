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

from ingest.readers import Unreadable
from ingest.readers.outline import Outline
from ingest.readers.raised import written
from ingest.readers.symbols import symbol
from ingest.readers.table import line_of, table_text
from ingest.readers.word_file import AROUND, MATH_TEXT, W, margins_of, notes_of, open_word
from ingest.readers.word_looks import Look, looks_of, prepare, style_of
from rag.records import Document

#: Not part of the text as it stands: deleted or moved away, formatting; what is in a box or a
#: note is written after its paragraph.
_LEFT_OUT = {f"{W}del", f"{W}moveFrom", f"{W}pPr", f"{W}rPr", f"{W}txbxContent"}
_SIGNS = {
    f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-",
}  # fmt: skip
#: What may hold text that is not in the body as text; altChunk is a whole file put inside.
_FOREIGN = {f"{W}drawing", f"{W}pict", f"{W}object", f"{W}altChunk"}
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_HEX = re.compile("[0-9A-Fa-f]{1,6}")


def read(path: Path, *, title: str) -> Document:
    """One section for each heading; table rows are lines of «cell | cell», in groups under the
    header row where the table is long.

    Page headers and footers are left out, because they repeat on every page, unless they are all
    the text there is. Word files have no pages before they are printed, so ``page`` is None. Text
    formatted as hidden is left out and counted. Raises Unreadable.
    """
    document = open_word(path)
    part, body = document.part, document.element.body
    looks = looks_of(document.styles)
    levels = _heading_levels(document.styles)
    notes, hidden = _notes(part, looks)
    hidden += prepare(body, looks)
    outline = Outline()
    _add(outline, body, levels, notes)
    sections = outline.sections()
    if not sections:
        for margin in margins_of(part):
            hidden += prepare(margin, looks)
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
        if block.tag == f"{W}tbl":
            outline.add(table_text(_rows(block, notes)) + "\n")
            continue
        text = written(_text(block)).strip()
        level = levels.get(style_of(block)) or _outline_level(block)
        if text and level:
            outline.heading(level, " ".join(text.split()), text + "\n\n")
        elif text:
            outline.add(text + "\n\n")
        for extra in _beside(block, notes):
            outline.add(extra + "\n\n")


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
    found = element.find(f"{W}pPr/{W}outlineLvl")
    value = found.get(f"{W}val", "9") if found is not None else "9"
    return int(value) + 2 if value in "012345678" else 0


def _blocks(container: Any) -> Iterator[Any]:
    """Paragraphs and tables in order, out of content controls and tracked changes too."""
    for child in container:
        if child.tag in (f"{W}p", f"{W}tbl"):
            yield child
        elif child.tag in AROUND:
            yield from _blocks(child)


# ------------------------------------------------------------------ text


def _text(element: Any) -> str:
    """The text of a paragraph as it reads with all changes accepted."""
    if element.tag in (f"{W}t", MATH_TEXT):
        return element.text or ""
    if element.tag in _SIGNS:
        return _SIGNS[element.tag]
    if element.tag == f"{W}sym":
        code = element.get(f"{W}char", "")
        known = _HEX.fullmatch(code)
        return symbol(element.get(f"{W}font", ""), int(code, 16)) if known else "\ufffd"
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
    found = element.find(f"{W}{properties}/{W}{name}")
    value = found.get(f"{W}val", "") if found is not None else ""
    return min(int(value), 63) if value.isdecimal() and len(value) < 10 else usual


def _inside(element: Any, name: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, out of content controls and tracked changes too."""
    for child in element:
        if child.tag == W + name:
            yield child
        elif child.tag in AROUND:
            yield from _inside(child, name)


def _cell(cell: Any, notes: dict[str, str]) -> str:
    parts = []
    for block in _blocks(cell):
        if block.tag == f"{W}tbl":
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
        if element.tag == f"{W}txbxContent":
            yield from filter(None, [_cell(element, notes)])
        elif element.tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            kind = element.tag[len(W) :].removesuffix("Reference")
            referred.append(notes.get(kind + str(element.get(f"{W}id")), ""))
        elif element.tag not in (f"{W}del", f"{W}moveFrom"):
            waiting.extend(reversed(element))
    yield from filter(None, referred)


def _notes(part: Any, looks: dict[str, Look]) -> tuple[dict[str, str], int]:
    """«footnote2» → its text, and how many words in all of them nobody sees."""
    notes, hidden = {}, 0
    for name, note in notes_of(part):
        hidden += prepare(note, looks)
        notes[name] = " ".join(written(_text(note)).split())
    return notes, hidden
