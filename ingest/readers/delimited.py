"""Tables in text files (.csv, .tsv): the delimiter found by trying, the header kept with rows."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from itertools import chain, islice
from pathlib import Path

from ingest.readers import LARGEST_TEXT, Unreadable, clean, read_bytes
from ingest.readers.table import groups, rows_named
from ingest.readers.text import decode
from rag.records import Document, Section

#: In this order: where two divide the rows equally well, the later one is more often a part of
#: the values (a decimal comma in a file with semicolons) than the other way round.
_DELIMITERS = "\t;|,"
#: No text holds it after cleaning, so that a line is one cell.
_NONE = "\x1f"
#: Rows tried, and the part of them that must have the same number of cells [set by hand]: titles
#: and remarks above and below a table have another.
_TRIED = 100
_AGREE = 0.8
#: Lines in a cell that are whole rows, by their delimiters, and show that the quote before them is
#: none [set by hand]: a remark over several lines has other numbers of commas.
_SWALLOWED = 3
#: Excel's own way to name the delimiter.
_NAMED = re.compile(r"sep=([\t;|,:])\n", re.IGNORECASE)
#: Zeros among the bytes of a text in single bytes: leavings of fixed-length fields. Binary content
#: has more than one in a hundred [set by hand].
_FEW = 100


def read(path: Path, *, title: str) -> Document:
    """A section for each group of rows under the header row, headed «rows 2–40».

    Rows are counted as a spreadsheet counts them: one with a line break inside is one.
    Raises Unreadable: ``empty``, ``too_large``, ``unreadable``.
    """
    text = clean(_decoded(read_bytes(path)))
    csv.field_size_limit(LARGEST_TEXT)  # the default refuses cells of more than 131,072
    named = _NAMED.match(text)
    delimiter = named[1] if named else _delimiter(text)
    rows = _rows(text[named.end() :] if named else text, delimiter)
    sections = tuple(Section(group.text, heading=rows_named(group)) for group in groups(rows))
    if not sections:
        raise Unreadable("empty", "a table without a value")
    return Document(title, sections, "delimited")


def _decoded(data: bytes) -> str:
    try:
        return decode(data)
    except Unreadable:
        if not 0 < data.count(0) * _FEW <= len(data):
            raise
        return decode(data.replace(b"\0", b""))


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows as their quotes say, or line by line where a quote is only a stray one."""
    if '"' in text and _swallowed(text, delimiter):
        return chain.from_iterable(_line(line, delimiter) for line in StringIO(text))
    return _quoted(text, delimiter)


def _quoted(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _line(line: str, delimiter: str) -> Iterator[list[str]]:
    """One line as a row; without quoting where it opens a quote that it does not close."""
    if line.count('"') % 2:
        return iter([line.rstrip("\n").split(delimiter)])
    return _quoted(line, delimiter)


def _swallowed(text: str, delimiter: str) -> bool:
    """Whether a cell that begins with a quote holds whole rows: a stray one goes on to the next
    quote in the file or to its end."""
    width, inside = 0, False
    for row in _quoted(text, delimiter):
        width = width or (len(row) if len(row) > 1 else 0)
        for cell in row:
            _, *lines = cell.split("\n")
            # Who writes a table with tabs cannot have written one into a cell.
            if lines and delimiter == "\t" and delimiter in cell:
                return True
            rows = [line.count(delimiter) == width - 1 for line in lines] if width else []
            if sum(rows[:-1]) >= max(_SWALLOWED, _AGREE * len(rows[:-1])):
                return True
            inside = any(rows)
    open_end = text.count('"') % 2 == 1 and not text.rstrip().endswith('"')
    return open_end and inside  # of the last cell


def _delimiter(text: str) -> str:
    """The first that divides the header and most rows into the same number of cells; where none
    does, as under a title, the one that divides most rows so; `_NONE` for one column."""
    tried = {}
    for delimiter in _DELIMITERS:
        rows = [len(row) for row in islice(_quoted(text, delimiter), _TRIED) if any(row)]
        cells, times = Counter(rows).most_common(1)[0] if rows else (0, 0)
        if cells > 1 and times >= _AGREE * len(rows):
            if rows[0] == cells:
                return delimiter
            tried[delimiter] = times / len(rows)
    return max(tried, key=lambda d: tried[d]) if tried else _likeliest(text)


def _likeliest(text: str) -> str:
    """For rows of uneven length: the delimiter that stands in most of the rows, if in half."""
    lines = [line for line in islice(text.split("\n"), _TRIED) if line.strip()]
    found = {d: sum(d in line for line in lines) for d in _DELIMITERS}
    best = max(found, key=lambda d: found[d])
    return best if found[best] > len(lines) / 2 else _NONE
