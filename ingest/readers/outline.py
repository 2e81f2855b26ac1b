"""The heading path of a document while it is read from top to bottom."""

from __future__ import annotations

from rag.records import Section

SEPARATOR = " › "


class Outline:
    """Collects text under the headings met so far and hands out one Section for each stretch.

    Callers write the newlines; every character added comes out again, in order.
    """

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._sections: list[Section] = []
        self._bare = False  # nothing but headings in the current stretch

    def add(self, text: str) -> None:
        """Append text to the current stretch."""
        self._parts.append(text)
        self._bare = self._bare and not text.strip()

    def heading(self, level: int, name: str, text: str) -> None:
        """Begin a stretch under a heading of ``level`` (1 is the top) that reads ``text``.

        A heading with nothing under it but a deeper heading gets no section of its own: a
        section of three words answers nothing, so its line opens the deeper one.
        """
        if not (self._bare and level > self._path[-1][0]):
            self._close()
        self._path = [step for step in self._path if step[0] < level] + [(level, name)]
        self._parts.append(text)
        self._bare = True

    def sections(self) -> tuple[Section, ...]:
        """Everything collected; white space on its own goes with the section before or after."""
        self._close()
        return tuple(self._sections)

    def _close(self) -> None:
        text = "".join(self._parts)
        if text.strip():
            heading = SEPARATOR.join(name for _, name in self._path)
            self._sections.append(Section(text, heading=heading))
        elif self._sections:
            last = self._sections.pop()
            self._sections.append(Section(last.text + text, heading=last.heading))
        else:
            return  # kept for the first section
        self._parts = []
