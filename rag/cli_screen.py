"""An answer on a screen while it is made: sources, words as they come, marks as they are known."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TextIO

import click

from rag.options import as_typed
from rag.records import Answer, Passage, Sentence
from rag.render import (
    MARKS,
    author_line,
    coverage_line,
    evidence_lines,
    one_line,
    plain,
    source_lines,
    width,
)

_SIGNS = {mark for mark in MARKS.values() if mark.strip()}


class LiveText:
    """Streams text to a terminal, wrapped by itself, so that it can be struck out afterwards
    together with the lines that were put below it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._text = ""
        self._shown: list[str] = []
        self._below: list[str] = []
        self._ended = False

    @property
    def text(self) -> str:
        return self._text

    def write(self, piece: str) -> None:
        """Add a piece; only what changed since the last piece is written."""
        self._text += plain(piece)
        lines = _wrapped(self._text)
        same = 0
        while same < min(len(lines), len(self._shown)) - 1 and lines[same] == self._shown[same]:
            same += 1
        if self._shown:
            self._back(_rows(self._shown[same:]) - 1)
        self._stream.write("\n".join(lines[same:]))
        self._stream.flush()
        self._shown = lines

    def end(self) -> None:
        """Leave the text as it is and go to a new line."""
        if self._shown and not self._ended:
            self._ended = True
            self._stream.write("\n")
            self._stream.flush()

    def add(self, lines: Sequence[str]) -> None:
        """Lines below the text."""
        self.end()
        self._below += lines
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def strike(self) -> None:
        """Show that what stands here is void: the same text crossed out, nothing below it.

        What has left the screen cannot be reached, and stays as it is.
        """
        if not self._shown:
            return
        lines = [*self._shown, *self._below]
        while len(lines) > 1 and _rows(lines) > _screen().lines - 1:
            lines.pop(0)
        left = lines[: max(0, len(lines) - len(self._below))]
        crossed = "".join(f"\x1b[9;2m{line}\x1b[0m\n" for line in left)
        self._back(_rows(lines) - (0 if self._ended else 1))
        self._stream.write(crossed)
        self._stream.flush()

    def _back(self, rows: int) -> None:
        """Up so many rows, and all from there on erased."""
        self._stream.write(f"\x1b[{rows}A\r\x1b[J" if rows else "\r\x1b[J")


class Screen:
    """Watches an answer being made (`rag.stages.Watcher`) and shows it.

    ``live``: a terminal, where words appear as they are written and marks as sentences are
    checked; elsewhere the answer is printed once it is final. ``silent``: only notices, for JSON.
    """

    def __init__(self, *, live: bool, silent: bool, whole: bool) -> None:
        self._live: LiveText | None = LiveText() if live else None
        self._silent = silent
        self._whole = whole
        self._checked: list[Sentence] = []

    def passages(self, passages: list[Passage]) -> None:
        if not self._silent and passages:
            lines = source_lines(passages)
            if self._live:
                lines = [row for line in lines for row in _hanging(line, "      ")]
            click.echo("\n".join(["Sources", *lines, ""]))

    def notice(self, text: str) -> None:
        lines = _hanging(one_line(text)) if sys.stderr.isatty() else [one_line(text)]
        click.echo("\n".join(lines), err=True)

    def text(self, piece: str) -> None:
        if self._live:
            self._live.write(piece)

    def written(self, answer: str) -> None:
        if self._live and self._live.text != plain(answer):
            self._live = self._replaced(self._live)
            self._live.write(answer)
        if self._live:
            self._live.end()

    def checked(self, sentence: Sentence) -> None:
        if self._live and (lines := evidence_lines([sentence], whole=self._whole)):
            first = not evidence_lines(self._checked)
            self._live.add(["", "Evidence", *lines] if first else lines)
        self._checked.append(sentence)

    def revising(self, flagged: int) -> None:
        if self._live:
            self._live = self._replaced(self._live)
        self._checked = []
        self.notice(f"{flagged} flagged; the model is asked for one revision:")

    def void(self) -> None:
        """Whatever has been shown is no answer."""
        if self._live:
            self._live.strike()

    def finish(self, answer: Answer) -> None:
        """The final answer, where it does not stand there already, and what belongs below it."""
        standing = self._live and self._live.text == plain(answer.answer)
        if not standing or tuple(self._checked) != answer.sentences:
            if self._live and self._live.text:
                self._live = self._replaced(self._live)
            click.echo("\n".join(_wrapped(plain(answer.answer)) if self._live else _as_is(answer)))
            lines = evidence_lines(answer.sentences, whole=self._whole)
            click.echo("\n".join(["", "Evidence", *lines]) if lines else "", nl=bool(lines))
        click.echo("")
        if answer.refusal_reason:
            click.echo(f"Refused: {one_line(answer.refusal_reason)}.")
        for notice in answer.notices:
            self.notice(notice)
        last = as_typed(f"{author_line(answer)} {coverage_line(answer.coverage)}")
        click.echo("\n".join(_hanging(last) if self._live else [last]))

    def _replaced(self, void: LiveText) -> LiveText:
        void.strike()
        click.echo("")
        return LiveText()


def _as_is(answer: Answer) -> list[str]:
    return [f"  {_unmarked(one_line(line))}" for line in answer.answer.splitlines()]


def _unmarked(line: str) -> str:
    """A line of an answer that begins like one of ours, «✓ …», shown so that it does not."""
    return f"| {line.lstrip()}" if line.lstrip()[:1] in _SIGNS else line


def _hanging(line: str, indent: str = "") -> list[str]:
    """A line for people within the width of the terminal, the rest of it below."""
    start = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.strip(), width(), initial_indent=start, subsequent_indent=indent,
        break_on_hyphens=False,
    )  # fmt: skip


def _wrapped(text: str) -> list[str]:
    lines = []
    for paragraph in text.split("\n"):
        lines += textwrap.wrap(
            _unmarked(paragraph), width() - 2, initial_indent="  ", subsequent_indent="  "
        ) or [""]
    return lines


def _rows(lines: Sequence[str]) -> int:
    """Rows that lines take on the terminal: wide signs take two cells, long lines go on below."""
    columns = _screen().columns
    cells = (sum(_cells(c) for c in line) for line in lines)
    return sum(max(1, -(-n // columns)) for n in cells)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _screen() -> os.terminal_size:
    return shutil.get_terminal_size((88, 24))
