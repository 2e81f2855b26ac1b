"""Tables as text: rows whole, a line each, and the header again above every group of rows.

A chunk holds a few rows. Without the header among them «4,711» says nothing, to a reader of the
quote as little as to a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from ingest.readers import clean

#: Characters of a group: with its prefix it stays under the 200 tokens of a chunk, of which a
#: table of numbers takes one for about three characters [set by hand].
_GROUP = 500
#: A longer header would leave no room for rows: its names are written before each value instead
#: [set by hand].
_WIDE = 200
#: Names longer than this on average are no names but prose, and not repeated [set by hand].
_NAME = 100
#: Rows looked at to find the header: a title with a line of units and a note or two above it
#: takes about five [set by hand].
_LOOK = 10


@dataclass(frozen=True, slots=True)
class Group:
    """Some rows of a table as text that ends in a newline; ``first`` and ``last`` count the rows
    given from 1, header included."""

    first: int
    last: int
    text: str


def groups(rows: Iterable[Sequence[str]]) -> Iterator[Group]:
    """The table's rows in groups, read one by one; empty rows are left out.

    The header is the first row more than half as full as the fullest of the first ten, with the
    title above it and the names of single columns under the names of several («Q1 | Q2» under
    «2024»). Rows of names with a colon beside their values have none. Where it is really data, it
    is only read more often than it stands there.
    But for empty rows ``first`` of a group follows ``last`` of the one before.
    """
    filled = _filled(rows)
    opening = list(islice(filled, _LOOK))
    if not opening:
        return
    most = max(_fullness(cells) for _, cells in opening)
    at = next(n for n, (_, cells) in enumerate(opening) if 2 * _fullness(cells) > most)
    first, (last, names) = opening[0][0], opening[at]
    while at + 1 < len(opening) and _continues(names, opening[at + 1][1]):
        at += 1
        last, names = opening[at][0], _joined(names, opening[at][1])
    if any(name.endswith(":") for name in names):  # «Owner: | Jones»: no header, names in rows
        at, first, last = -1, 0, 0
    top = "".join(line_of(cells) + "\n" for _, cells in opening[: at + 1])
    wide = len(top) > _WIDE
    named = wide and len(top) <= _NAME * _fullness(names)
    if wide:  # once in full: a column without values would not be named again
        yield Group(first, last, top)
        top, first = "", 0
    text = top
    for number, cells in chain(opening[at + 1 :], filled):
        line = (_named(names, cells) if named else line_of(cells)) + "\n"
        if len(text) > len(top) and len(text) + len(line) > _GROUP:
            yield Group(first, last, text)
            text, first = top, 0
        text, first, last = text + line, first or number, number
    if text:
        yield Group(first, last, text)


def rows_named(group: Group) -> str:
    """«rows 2–40», for a heading."""
    return f"rows {group.first}–{group.last}" if group.last > group.first else f"row {group.last}"


def table_text(rows: Iterable[Sequence[str]]) -> str:
    """A table inside a document: its groups with an empty line between them, where a chunk ends.

    A table that fits in one group has its header once.
    """
    return "\n".join(group.text for group in groups(rows))


def line_of(cells: Sequence[str]) -> str:
    """«cell | cell», without the empty cells at the end."""
    filled = len(cells)
    while filled and not cells[filled - 1]:
        filled -= 1
    return " ".join(" | ".join(cells[:filled]).split())


def _filled(rows: Iterable[Sequence[str]]) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something with their numbers, each cell on one line."""
    for number, row in enumerate(rows, 1):
        cells = [" ".join(clean(cell).split()) if cell else "" for cell in row]
        if any(cells):
            yield number, cells


def _fullness(cells: Sequence[str]) -> int:
    return sum(map(bool, cells))


def _continues(names: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether a row under the names names columns too: it leaves the first to the row above, and
    fills one that is still without a name, as under a name that spans several columns."""
    padded = [*names, *[""] * (len(cells) - len(names))]
    new = any(cell and not name for name, cell in zip(padded, cells, strict=False))
    return new and bool(names[0]) and not cells[0]


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """The names of two rows: «2024 Q1», «2024 Q2»."""
    names, spanning = [], ""
    for at in range(max(len(upper), len(lower))):
        above = upper[at] if at < len(upper) else ""
        below = lower[at] if at < len(lower) else ""
        spanning = above or (spanning if at > 1 else "")  # the first column names the rows
        names.append(f"{spanning} {below}" if below else above)
    return names


def _named(names: Sequence[str], cells: Sequence[str]) -> str:
    """«name: value; name: value», of the cells that hold something."""
    padded = [*names, *[""] * (len(cells) - len(names))]
    pairs = zip(padded, cells, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)


def number(value: float) -> str:
    """A number without the digits that only its binary form has: «4711», «0.3», «2.5e-07»."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return f"{value:.15g}"  # the digits that office programs keep
