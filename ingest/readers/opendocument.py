"""OpenDocument: texts (.odt), presentations (.odp) and the sheets of `spreadsheet` (.ods)."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean
from ingest.readers.html import LOWERED, RAISED, written
from ingest.readers.outline import Outline
from ingest.readers.package import open_package, xml
from ingest.readers.slides import Slide, assembled
from ingest.readers.table import table_text
from rag.records import Document

_BASE = "{urn:oasis:names:tc:opendocument:xmlns:"
_TEXT = _BASE + "text:1.0}"
_TABLE = _BASE + "table:1.0}"
_DRAW = _BASE + "drawing:1.0}"
_OFFICE = _BASE + "office:1.0}"
_STYLE = _BASE + "style:1.0}"
_SHOW = _BASE + "presentation:1.0}"

#: Not part of the text as it stands: what was deleted, remarks, forms, words for the blind that
#: only a screen reader speaks.
_LEFT_OUT = {
    f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}note-citation",
    f"{_OFFICE}forms", f"{_SHOW}settings",
    f"{_BASE}svg-compatible:1.0}}title", f"{_BASE}svg-compatible:1.0}}desc",
}  # fmt: skip
_PARAGRAPHS = {f"{_TEXT}p", f"{_TEXT}h"}
_NO_RUN = _LEFT_OUT | _PARAGRAPHS | {f"{_TEXT}note"}
_GROUPS = {
    f"{_TABLE}table-header-rows", f"{_TABLE}table-rows", f"{_TABLE}table-row-group",
}  # fmt: skip
_PICTURES = (f"{_DRAW}image", f"{_DRAW}object", f"{_DRAW}object-ole")
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
    content = _content(path, "an OpenDocument file")
    body = content.find(f"{_OFFICE}body")
    show = body.find(f"{_OFFICE}presentation") if body is not None else None
    if show is not None:
        hidden = _styles_with(content, f"{_SHOW}visibility", "hidden")
        _prepare(content, show)
        slides = [_slide(page, hidden) for page in show.iterfind(f"{_DRAW}page")]
        for slide in slides[:1]:  # with the first, because it is the same on every slide
            footers = map(_inline, show.iterfind(f"{_SHOW}footer-decl"))
            slide.blocks += filter(None, footers)
        return assembled(slides, title, "opendocument")
    text = body.find(f"{_OFFICE}text") if body is not None else None
    if text is None:
        raise Unreadable("unreadable", "neither a text nor a presentation inside")
    hidden_words = _prepare(content, text)
    return _text_document(text, _titles(content), title, hidden_words)


def open_sheets(path: Path) -> list[Sheet]:
    """The sheets of an .ods file in order. Raises Unreadable, its rows ``too_large``."""
    content = _content(path, "an OpenDocument spreadsheet")
    book = content.find(f"{_OFFICE}body/{_OFFICE}spreadsheet")
    if book is None:
        raise Unreadable("unreadable", "no spreadsheet inside")
    hidden = _styles_with(content, f"{_TABLE}display", "false")
    return [
        Sheet(
            clean(table.get(f"{_TABLE}name", "")),
            _rows(table),
            hidden=table.get(f"{_TABLE}style-name") in hidden,
            pictures=next(table.iter(*_PICTURES), None) is not None,
        )
        for table in book.iterfind(f"{_TABLE}table")
    ]


# ------------------------------------------------------------------ the file


def _content(path: Path, kind: str) -> Any:
    """The root of content.xml. Raises Unreadable, ``password`` for an encrypted file."""
    with open_package(path, kind, holds="META-INF/manifest.xml") as package:
        if _encrypted(package):
            raise Unreadable("password", "opens only with a password")
        return xml(package, "content.xml")


def _encrypted(package: zipfile.ZipFile) -> bool:
    """Older files encrypt each entry, newer ones the whole as one entry; the manifest tells."""
    return any(
        entry.get(entry.tag.partition("}")[0] + "}full-path")
        in ("content.xml", "encrypted-package")
        for data in xml(package, "META-INF/manifest.xml").iter("{*}encryption-data")
        if (entry := data.getparent()) is not None
    )


def _styles_with(content: Any, name: str, value: str) -> set[str]:
    """Names of the automatic styles one of whose properties has this value."""
    return {
        style.get(f"{_STYLE}name", "")
        for style in content.iterfind(f"{_OFFICE}automatic-styles/{_STYLE}style")
        if any(properties.get(name) == value for properties in style)
    }


def _prepare(content: Any, root: Any) -> int:
    """Empty everything in the tree that is not shown, mark raised and lowered text, and return how
    many words nobody sees: of hidden styles, sections, paragraphs and fields."""
    unseen = _styles_with(content, f"{_TEXT}display", "none")
    scripts = _scripts(content)
    hidden, waiting = 0, [root]
    while waiting:
        element = waiting.pop()
        if _marked_hidden(element) or element.get(f"{_TEXT}style-name") in unseen:
            texts = (*element.itertext(), element.get(f"{_TEXT}string-value", ""))
            hidden += len(" ".join(texts).split())
            tail = element.tail
            element.clear()
            element.tail = tail
            continue
        if marks := element.tag == f"{_TEXT}span" and scripts.get(
            element.get(f"{_TEXT}style-name")
        ):
            element.text = marks[0] + (element.text or "")
            if len(element):
                element[-1].tail = (element[-1].tail or "") + marks[1]
            else:
                element.text += marks[1]
        waiting.extend(reversed(element))
    return hidden


def _marked_hidden(element: Any) -> bool:
    """True for what says of itself that it is hidden, and a paragraph one of whose fields does."""
    field = f"{_TEXT}hidden-paragraph"
    return (
        element.get(f"{_TEXT}display") == "none"
        or (element.get(f"{_TEXT}is-hidden") == "true" and element.tag != field)
        or any(child.get(f"{_TEXT}is-hidden") == "true" for child in element.iterchildren(field))
    )


def _scripts(content: Any) -> dict[str, tuple[str, str]]:
    """Style name → the marks around what it raises («super 58%», «33% 58%») or lowers («sub»)."""
    found = {}
    for style in content.iterfind(f"{_OFFICE}automatic-styles/{_STYLE}style"):
        for properties in style:
            place = properties.get(f"{_STYLE}text-position", "0%").split()[:1] or ["0%"]
            if place[0] not in ("0", "0%"):
                lowered = place[0] == "sub" or place[0].startswith("-")
                found[style.get(f"{_STYLE}name", "")] = LOWERED if lowered else RAISED
    return found


def _titles(content: Any) -> set[str]:
    """Styles of the document's title: «Title» and what is derived from it on the spot."""
    styles = content.iterfind(f"{_OFFICE}automatic-styles/{_STYLE}style")
    derived = {s.get(f"{_STYLE}name", "") for s in styles
               if s.get(f"{_STYLE}parent-style-name") == "Title"}  # fmt: skip
    return derived | {"Title"}


# ------------------------------------------------------------------ texts


def _text_document(text: Any, titles: set[str], title: str, hidden: int) -> Document:
    outline = Outline()
    for block in _blocks(text):
        if block.tag == f"{_TABLE}table":
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
    if paragraph.tag == f"{_TEXT}h":
        return _count(paragraph, f"{_TEXT}outline-level", 10) + 1
    return int(paragraph.get(f"{_TEXT}style-name") in titles)


def _blocks(container: Any) -> Iterator[Any]:
    """Headings, paragraphs and tables in order, out of lists and sections too; the notes and
    boxes inside a paragraph come after it."""
    for child in container:
        if child.tag == f"{_TABLE}table":
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
        elif block.tag == f"{_TABLE}table":
            lines.append(table_text(_rows(block)).strip())
    return "\n".join(filter(None, lines))


def _inline(paragraph: Any) -> str:
    """The text of one paragraph without its notes and boxes."""
    return written("".join(_runs(paragraph))).strip()


def _runs(element: Any) -> Iterator[str]:
    yield _SPACE.sub(" ", element.text or "")
    for child in element:
        if child.tag == f"{_TEXT}s":
            yield " " * _count(child, f"{_TEXT}c", _MOST_SPACES)
        elif child.tag == f"{_TEXT}tab":
            yield "\t"
        elif child.tag == f"{_TEXT}line-break":
            yield "\n"
        elif child.tag not in _NO_RUN and not str(child.tag).startswith(_DRAW):
            yield from _runs(child)
        yield _SPACE.sub(" ", child.tail or "")


# ------------------------------------------------------------------ tables


def _rows(table: Any) -> Iterator[list[str]]:
    """Every row from the first; what is empty to the end is left away.

    Sheets are written as repeated cells up to the last column, and bombs as well: a row or cell
    that is repeated counts as often as it stands there, and a table with too many is refused.
    """
    left, waiting = _MOST_CELLS, 0
    for row in _inside(table, f"{_TABLE}table-row"):
        times = _count(row, f"{_TABLE}number-rows-repeated", 2 * _MOST_CELLS)
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
    for cell in _inside(row, f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
        times = _count(cell, f"{_TABLE}number-columns-repeated", 2 * _MOST_CELLS)
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
    slide = Slide(hidden=page.get(f"{_DRAW}style-name") in hidden)
    for shape in page:
        role = shape.get(f"{_SHOW}class", "")
        if role in _REPEATED or shape.tag in _LEFT_OUT:
            continue
        if shape.tag == f"{_SHOW}notes":
            notes = (_flat(s) for s in shape if s.get(f"{_SHOW}class") == "notes")
            slide.notes = "\n".join(filter(None, notes))
            continue
        text = _flat(shape)
        if role == "title" and text and not slide.title:
            slide.title = text
        elif text:
            slide.blocks.append(text)
        slide.pictures = slide.pictures or next(shape.iter(*_PICTURES), None) is not None
    return slide
