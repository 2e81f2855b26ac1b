"""The tree of a web page as lines: what a visitor reads, lists and tables in their form."""

from __future__ import annotations

import re
from typing import Any

from ingest.readers.html_tree import (
    HEADINGS,
    NO_CONTENT,
    is_hidden,
    is_layout,
    span,
    tag,
    walk,
    words,
)
from ingest.readers.outline import Outline
from ingest.readers.raised import LOWERED, RAISED, written
from ingest.readers.table import table_text

#: The same on every page of a site. An aside is not: it holds warnings and notes.
_REPEATED = frozenset({"nav", "footer"})
#: Blocks with an empty line around them, and blocks that only begin a line.
_APART = frozenset({
    "p", "table", "pre", "blockquote", "figure", "form", "fieldset", "hr",
})  # fmt: skip
_LINE = frozenset({
    "address", "article", "aside", "body", "caption", "dd", "details", "dialog", "div", "dt",
    "fieldset", "figcaption", "footer", "form", "header", "hgroup", "li", "main", "menu", "nav",
    "ol", "section", "summary", "td", "th", "tr", "ul", "dl", "br",
})  # fmt: skip
_SCRIPTS = {"sup": RAISED, "sub": LOWERED}


class Page:
    """Turns the tree into the lines of an outline and counts the words it leaves out."""

    def __init__(self, *, with_repeated: bool) -> None:
        """``with_repeated``: give menus and footers as well."""
        self.outline = Outline()
        self.hidden = 0  # words that nobody sees
        self.repeated = 0  # words left out because every page of a site has them
        self._left_out = NO_CONTENT if with_repeated else NO_CONTENT | _REPEATED
        self._script = 0  # how many sup and sub are open
        self._line: list[str] = []
        self._blank = True  # the line before is empty, or there is none
        self._bullet = False
        self._heading = ""
        self._pre = 0
        self._in_data = False
        self._rows: list[list[str]] = []  # of the open data table
        self._row: list[str] | None = None  # the open row of it
        self._at = 0  # the column of the open cell, whose text is still the line
        self._spans: dict[int, int] = {}  # column → rows that a cell from above still covers

    def walk(self, root: Any) -> None:
        data_tables = {table for table in root.iter("{*}table") if not is_layout(table)}
        steps = walk(root)
        for event, element in steps:
            name = tag(element)
            shown = bool(name) and name not in self._left_out and not is_hidden(element)
            if event == "start" and not shown:
                self._leave_out(name, element)
                steps.skip_subtree()
            elif event == "start":
                self._in_data = self._in_data or element in data_tables
                self._start(name, element)
                self._add(element.text)
            else:
                if shown:
                    if element in data_tables:
                        self._end_table()
                    self._end(name)
                if element is not root:
                    self._add(element.tail)
        self._flush()

    def _leave_out(self, name: str, element: Any) -> None:
        """Count the words of what is not given."""
        if name in self._left_out:
            self.repeated += words(element) if name in _REPEATED else 0
        elif name:
            self.hidden += words(element)

    def _start(self, name: str, element: Any) -> None:
        if name in _SCRIPTS:
            self._script += 1
            self._line.append(_SCRIPTS[name][0] if self._script == 1 else "")
        elif name in HEADINGS:
            self._break(apart=True)
            self._heading = name
        elif self._in_data and name == "tr":
            self._end_row()
            self._flush()
            self._row = []
        elif self._row is not None and name in ("td", "th"):
            self._cell(self._row, element)
        elif name in _APART or name in _LINE:
            self._break(apart=name in _APART)
            self._pre += name == "pre"
            self._bullet = self._bullet or (name == "li" and self._row is None)

    def _cell(self, row: list[str], element: Any) -> None:
        """Begin a cell, behind the columns that cells from above cover."""
        self._end_cell(row)
        while self._spans.get(len(row), 0):
            self._spans[len(row)] -= 1
            row.append("")
        self._at = len(row)
        row += [""] * span(element, "colspan")
        below = span(element, "rowspan") - 1
        self._spans.update(dict.fromkeys(range(self._at, len(row)), below))

    def _end_cell(self, row: list[str]) -> None:
        text = " ".join(written("".join(self._line)).split())
        self._line = []
        if text and not row:  # text before the first cell
            row.append("")
        if text:
            row[self._at] = f"{row[self._at]} {text}".strip()

    def _end_row(self) -> None:
        if self._row is not None:
            self._end_cell(self._row)
            for column in range(len(self._row), max(self._spans, default=-1) + 1):
                self._spans[column] = max(self._spans.get(column, 0) - 1, 0)
            self._rows.append(self._row)
        self._row, self._at = None, 0

    def _end_table(self) -> None:
        self._end_row()
        self._flush()  # a caption
        if text := table_text(self._rows):
            self.outline.add(text)
            self._blank = False
        self._rows, self._spans, self._in_data = [], {}, False

    def _end(self, name: str) -> None:
        if name in _SCRIPTS:
            self._script -= 1
            self._line.append(_SCRIPTS[name][1] if self._script == 0 else "")
        elif name == self._heading:
            self._flush()
            self._heading = ""
        elif self._in_data and name == "tr":
            self._end_row()
        elif self._row is not None and name in ("td", "th"):
            return
        elif name in _APART or name in _LINE:
            self._break(apart=name in _APART)
            self._pre -= name == "pre"
            self._bullet = self._bullet and name != "li"

    def _break(self, *, apart: bool = False) -> None:
        """End the line, or write a space where a line may not end: in a cell or a heading."""
        if self._row is not None or self._heading:
            self._line.append(" ")
            return
        self._flush()
        if apart and not self._blank:
            self.outline.add("\n")
            self._blank = True

    def _add(self, text: str | None) -> None:
        if text:
            keep = self._pre and self._row is None and not self._heading
            self._line.append(text if keep else re.sub(r"\s+", " ", text))

    def _flush(self) -> None:
        raw = written("".join(self._line))  # character references can name anything
        self._line = []
        line = raw.strip("\n") if self._pre else " ".join(raw.split())
        if not line.strip():
            return
        if self._heading:
            line = " ".join(line.split())
            self.outline.heading(HEADINGS[self._heading], line, line + "\n\n")
        else:
            self.outline.add(("- " if self._bullet else "") + line + "\n")
        self._bullet = False
        self._blank = bool(self._heading)
