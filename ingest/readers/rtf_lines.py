"""What the words of an RTF file make: paragraphs, headings, tables and notes in their order."""

from __future__ import annotations

from ingest.readers.outline import Outline
from ingest.readers.raised import written
from ingest.readers.table import table_text


class Lines:
    """Text in, an outline out. ``levels``: number of a style → heading level."""

    def __init__(self) -> None:
        self.outline = Outline()
        self.levels: dict[int, int] = {}
        self._now: list[str] = []  # the text being collected, of the paragraph or cell
        self._unseen: list[str] = []
        self._note: list[str] = []
        self._level = self._style = 0
        self._in_table = False
        self._cells: list[str] = []
        self._rows: list[list[str]] = []

    @property
    def hidden(self) -> int:
        """How many words nobody sees."""
        return len("".join(self._unseen).split())

    def add(self, text: str, marks: tuple[str, str] | None, *, note: bool) -> None:
        """Text of the paragraph or cell, or of its note; ``marks`` stand around what is raised or
        lowered."""
        into = self._note if note else self._now
        if marks is None:
            into.append(text)
        elif into[-1:] == [marks[1]]:
            into[-1:] = [text, marks[1]]  # no mark between the halves of a letter
        else:
            into += [marks[0], text, marks[1]]

    def hide(self, text: str) -> None:
        self._unseen.append(text)

    def reset(self) -> None:
        """What follows is a plain paragraph, in no table."""
        self._in_table, self._level, self._style = False, 0, 0

    def style(self, number: int) -> None:
        self._style = number

    def level(self, level: int) -> None:
        """The heading level of this paragraph, 0 for body text."""
        self._level = level

    def in_table(self) -> None:
        self._in_table = True

    def cell(self) -> None:
        self._cells.append(_line(self._now))
        self._now = []

    def row(self) -> None:
        if any(self._cells):
            self._rows.append(self._cells)
        self._cells = []

    def end(self) -> None:
        """The end of a paragraph; in a cell it is only a space."""
        if self._in_table:
            self._now.append(" ")
        else:
            self._paragraph()

    def finish(self) -> None:
        self._paragraph()
        self._table()

    def _paragraph(self) -> None:
        text = _line(self._now)
        self._now = []
        if self._cells:  # a row that nothing ended
            self._cells.append(text)
            self.row()
            text = ""
        if text:
            self._table()
        level = self._level or self.levels.get(self._style, 0)
        if text and level:
            self.outline.heading(level, " ".join(text.split()), text + "\n\n")
        elif text:
            self.outline.add(text + "\n\n")
        self._notes()

    def _notes(self) -> None:
        if note := _line(self._note):
            self.outline.add(note + "\n\n")
        self._note = []

    def _table(self) -> None:
        """Write the rows met so far, which no text has parted."""
        if self._rows:
            self.outline.add(table_text(self._rows) + "\n")
            self._rows = []
            self._notes()


def _line(parts: list[str]) -> str:
    """Joined text; letters outside the basic plane came as two halves."""
    halves = "".join(parts).encode("utf-16-le", "surrogatepass")
    return written(halves.decode("utf-16-le", "replace")).strip()
