"""OpenDocument: texts (.odt), presentations (.odp) and the sheets of `spreadsheet` (.ods)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean
from ingest.readers.opendocument_file import BASE, DRAW, OFFICE, SHOW, TABLE, TEXT, content_of
from ingest.readers.opendocument_looks import prepare, styles_with, title_styles
from ingest.readers.outline import Outline
from ingest.readers.raised import written
from ingest.readers.slides import Slide, assembled
from ingest.readers.table import table_text
from rag.records import Document

#: Not part of the text as it stands: what was deleted, remarks, forms, words for the blind that
#: only a screen reader speaks.
_LEFT_OUT = {
    f"{TEXT}tracked-changes", f"{OFFICE}annotation", f"{TEXT}note-citation",
    f"{OFFICE}forms", f"{SHOW}settings",
    f"{BASE}svg-compatible:1.0}}title", f"{BASE}svg-compatible:1.0}}desc",
}  # fmt: skip
_PARAGRAPHS = {f"{TEXT}p", f"{TEXT}h"}
_NO_RUN = _LEFT_OUT | _PARAGRAPHS | {f"{TEXT}note"}
_GROUPS = {
    f"{TABLE}table-header-rows", f"{TABLE}table-rows", f"{TABLE}table-row-group",
}  # fmt: skip
_PICTURES = (f"{DRAW}image", f"{DRAW}object", f"{DRAW}object-ole")
_SPACE = re.compile("[ \t\r\n]+")
_REPEATED = frozenset({"date-time", "footer", "header", "page-number", "page"})
#: Cells that the repeat attributes of one table may stand for; a real sheet says so of empty
#: cells, which are not kept [set by hand].
_MOST_CELLS = 2_000_000
#: Spaces that one element may stand for [set by hand].
_MOST_SPACES = 100


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a spreadsheet: every row from the first, each a list of what its cells show."""

    name: str
    rows: Iterable[list[str]]
    hidden: bool = False
    beside: str = ""  # what is drawn and noted on the sheet
    pictures: bool = False  # something is drawn there that may hold text


def read(path: Path, *, title: str) -> Document:
    """Texts: one section for each heading, no pages; text formatted or marked as hidden is left
    out and counted. Presentations: one section for each slide.

    Raises Unreadable: ``password``, ``too_large``, ``empty``, ``no_text``, ``unreadable``.
    """
    content = content_of(path, "an OpenDocument file")
    body = content.find(f"{OFFICE}body")
    show = body.find(f"{OFFICE}presentation") if body is not None else None
    if show is not None:
        hidden = styles_with(content, f"{SHOW}visibility", "hidden")
        prepare(content, show)
        slides = [_slide(page, hidden) for page in show.iterfind(f"{DRAW}page")]
        for slide in slides[:1]:  # with the first, because it is the same on every slide
            footers = map(_inline, show.iterfind(f"{SHOW}footer-decl"))
            slide.blocks += filter(None, footers)
        return assembled(slides, title, "opendocument")
    text = body.find(f"{OFFICE}text") if body is not None else None
    if text is None:
        raise Unreadable("unreadable", "neither a text nor a presentation inside")
    hidden_words = prepare(content, text)
    return _text_document(text, title_styles(content), title, hidden_words)


def open_sheets(path: Path) -> list[Sheet]:
    """The sheets of an .ods file in order. Raises Unreadable, its rows ``too_large``."""
    content = content_of(path, "an OpenDocument spreadsheet")
    book = content.find(f"{OFFICE}body/{OFFICE}spreadsheet")
    if book is None:
        raise Unreadable("unreadable", "no spreadsheet inside")
    hidden = styles_with(content, f"{TABLE}display", "false")
    return [
        Sheet(
            clean(table.get(f"{TABLE}name", "")),
            _rows(table),
            hidden=table.get(f"{TABLE}style-name") in hidden,
            pictures=next(table.iter(*_PICTURES), None) is not None,
        )
        for table in book.iterfind(f"{TABLE}table")
    ]


# ------------------------------------------------------------------ texts


def _text_document(text: Any, titles: set[str], title: str, hidden: int) -> Document:
    outline = Outline()
    for block in _blocks(text):
        if block.tag == f"{TABLE}table":
            outline.add(table_text(_rows(block)) + "\n")
        else:
            level = _level(block, titles)
            shown = _inline(block)
            if shown and level:
                outline.heading(level, " ".join(shown.split()), shown + "\n\n")
            elif shown:
                outline.add(shown + "\n\n")
    sections = outline.sections()
    if not sections:
        if hidden:
            raise Unreadable("no_text", f"only text that nobody sees, {hidden} words")
        if next(text.iter(*_PICTURES), None) is not None:
            raise Unreadable("no_text", "pictures or embedded files, but no text")
        raise Unreadable("empty", "a document without text")
    return Document(title, sections, "opendocument", hidden=hidden)


def _level(paragraph: Any, titles: set[str]) -> int:
    """1 for the document's title, 2 and more for headings, 0 for other paragraphs."""
    if paragraph.tag == f"{TEXT}h":
        return _count(paragraph, f"{TEXT}outline-level", 10) + 1
    return int(paragraph.get(f"{TEXT}style-name") in titles)


def _blocks(container: Any) -> Iterator[Any]:
    """Headings, paragraphs and tables in order, out of lists and sections too; the notes and
    boxes inside a paragraph come after it."""
    for child in container:
        if child.tag == f"{TABLE}table":
            yield child
        elif child.tag in _PARAGRAPHS:
            yield child
            yield from _blocks(child)
        elif child.tag not in _LEFT_OUT:
            yield from _blocks(child)


def _flat(container: Any) -> str:
    """Everything inside as lines, tables too."""
    lines = []
    for block in _blocks(container):
        if block.tag in _PARAGRAPHS:
            lines.append(_inline(block))
        elif block.tag == f"{TABLE}table":
            lines.append(table_text(_rows(block)).strip())
    return "\n".join(filter(None, lines))


def _inline(paragraph: Any) -> str:
    """The text of one paragraph without its notes and boxes."""
    return written("".join(_runs(paragraph))).strip()


def _runs(element: Any) -> Iterator[str]:
    yield _SPACE.sub(" ", element.text or "")
    for child in element:
        if child.tag == f"{TEXT}s":
            yield " " * _count(child, f"{TEXT}c", _MOST_SPACES)
        elif child.tag == f"{TEXT}tab":
            yield "\t"
        elif child.tag == f"{TEXT}line-break":
            yield "\n"
        elif child.tag not in _NO_RUN and not str(child.tag).startswith(DRAW):
            yield from _runs(child)
        yield _SPACE.sub(" ", child.tail or "")


# ------------------------------------------------------------------ tables


def _rows(table: Any) -> Iterator[list[str]]:
    """Every row from the first; what is empty to the end is left away.

    Sheets are written as repeated cells up to the last column, and bombs as well: a row or cell
    that is repeated counts as often as it stands there, and a table with too many is refused.
    """
    left, waiting = _MOST_CELLS, 0
    for row in _inside(table, f"{TABLE}table-row"):
        times = _count(row, f"{TABLE}number-rows-repeated", 2 * _MOST_CELLS)
        cells, left = _cells(row, left)
        if not cells:
            waiting += times
            continue
        left = _less(left, (times - 1) * len(cells) + waiting)
        yield from ([] for _ in range(waiting))
        yield from (cells for _ in range(times))
        waiting = 0


def _cells(row: Any, left: int) -> tuple[list[str], int]:
    """What the cells of a row show, up to the last that shows something, and how many repeated
    cells are left to the table."""
    cells: list[str] = []
    waiting = 0
    for cell in _inside(row, f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
        times = _count(cell, f"{TABLE}number-columns-repeated", 2 * _MOST_CELLS)
        text = " ".join(_flat(cell).split())
        if not text:
            waiting += times
            continue
        left = _less(left, waiting + times - 1)
        cells += [""] * waiting + [text] * times
        waiting = 0
    return cells, left


def _less(left: int, cells: int) -> int:
    if cells > left:
        raise Unreadable("too_large", f"a table of more than {_MOST_CELLS:,} repeated cells")
    return left - cells


def _inside(element: Any, *names: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, out of groups and header rows too."""
    for child in element:
        if child.tag in names:
            yield child
        elif child.tag in _GROUPS:
            yield from _inside(child, *names)


def _count(element: Any, name: str, most: int) -> int:
    """A positive number in an attribute, 1 where there is none, and no more than ``most``."""
    value = element.get(name, "1")
    return min(max(int(value), 1), most) if value.isdecimal() and len(value) < 20 else 1


# ------------------------------------------------------------------ presentations


def _slide(page: Any, hidden: set[str]) -> Slide:
    slide = Slide(hidden=page.get(f"{DRAW}style-name") in hidden)
    for shape in page:
        role = shape.get(f"{SHOW}class", "")
        if role in _REPEATED or shape.tag in _LEFT_OUT:
            continue
        if shape.tag == f"{SHOW}notes":
            notes = (_flat(s) for s in shape if s.get(f"{SHOW}class") == "notes")
            slide.notes = "\n".join(filter(None, notes))
            continue
        text = _flat(shape)
        if role == "title" and text and not slide.title:
            slide.title = text
        elif text:
            slide.blocks.append(text)
        slide.pictures = slide.pictures or next(shape.iter(*_PICTURES), None) is not None
    return slide
