"""What people see of an ingest: a live display on a terminal, plain lines in a log, a summary.

The display is drawn by hand: it stays within the terminal's width and height, and it finds its
own first line again after a narrower terminal has wrapped what stood there.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

from ingest.pace import Pace, duration
from ingest.report import IngestReport, Problem, Progress
from rag.options import say
from rag.render import one_line

#: Seconds between two drawings, and between two lines of a log.
_REDRAW = 0.1
_LOG_EVERY = 30.0
#: Seconds after which the display is drawn again though nothing was heard, and seconds that a file
#: takes before it is told for how long it has been read; set by hand.
_ALIVE = 1.0
_SLOW = 5.0
#: Problems named: the latest below the display, the first in a log and in the summary.
_BELOW = 3
_NAMED = 20


@contextlib.contextmanager
def watch() -> Iterator[Progress]:
    """Progress on standard error: a display on a terminal, lines elsewhere."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Lines()
        return
    bar = Bar(sys.stderr)
    try:
        with _alive(bar):
            yield bar
    finally:
        bar.erase()


@contextlib.contextmanager
def _alive(bar: Bar) -> Iterator[None]:
    """The display goes on while one slow file blocks whoever reports to it."""
    over = threading.Event()

    def redraw() -> None:
        while not over.wait(_ALIVE):
            bar.redraw()

    thread = threading.Thread(target=redraw, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def summary(report: IngestReport, *, dry_run: bool) -> list[str]:
    """What became of it, in lines."""
    counts = report.files
    names = [n for n in counts if n != "found" and counts[n]]
    told = ", ".join(f"{counts[n]:,} {n}" for n in names) or "no files"
    if dry_run:
        return [f"Would sync {counts['found']:,} files: {told}. Nothing was changed."]
    rate = f" ({report.embedded / report.seconds:,.0f} a second)" if report.embedded else ""
    done = f"{report.chunks:,} chunks, {report.embedded:,} embedded in {report.seconds:,.1f} s"
    lines = [f"{counts['found']:,} files: {told}.", f"{done}{rate}."]
    for problem in report.problems[:_NAMED]:
        why = one_line(problem.detail)
        lines.append(f"  {problem.status:<14} {one_line(problem.file)}: {why}")
    if len(report.problems) > _NAMED:
        lines.append(f"  … and {len(report.problems) - _NAMED:,} more: rag status --failed")
    elif report.problems:
        lines.append("What to do about each: rag status --failed")
    return lines


class Lines:
    """Progress for logs: how it begins, then a line now and then, and the first problems."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace()
        self._told = clock()
        self._begun = False

    def start(self, files: int, total_bytes: int) -> None:
        self._told = self._clock()
        self._pace.start(files, total_bytes, self._told)
        if files:
            say(f"reading {files:,} files, {total_bytes / 1e6:,.1f} MB")

    def file(self, name: str) -> None:  # noqa: ARG002 - a log does not name every file
        self._pace.count(self._clock(), files=int(self._begun))  # the one before is done
        self._begun = True
        self._tell()

    def advance(self, done_bytes: float, chunks: int) -> None:
        self._pace.count(self._clock(), chunks=chunks, size=done_bytes)
        self._tell()

    def problem(self, problem: Problem) -> None:
        self._pace.problems += 1
        if self._pace.problems <= _NAMED:
            say(f"{problem.status}: {problem.file}: {problem.detail}")
        if self._pace.problems == _NAMED + 1:
            say("more problems: only counted from here, all of them in rag status --failed")

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told >= _LOG_EVERY:
            self._told = now
            left = duration(self._pace.left(now))
            say(", ".join(filter(None, [*_counts(self._pace), left])))


def _counts(pace: Pace) -> list[str]:
    """«1,200 of 10,000 files», «12 problems», «3.4 files/s», «41 chunks/s»."""
    counts = [f"{pace.files:,} of {pace.total_files:,} files"]
    if pace.problems:
        counts.append(f"{pace.problems:,} problem{'s' if pace.problems > 1 else ''}")
    rates = zip(pace.rates, ("files/s", "chunks/s"), strict=False)
    return counts + [f"{rate:,.{0 if rate >= 10 else 1}f} {unit}" for rate, unit in rates]


# ------------------------------------------------------------------ a terminal


class Bar:
    """Progress for a person: four lines and the latest problems, drawn over again and again.

    Between two drawings the cursor stands at the start of the line below, so that whatever else
    is written begins there, ^C included. One thread reports, another may ask for a drawing.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._pace = Pace()
        self._name = "preparing"
        self._begun: float | None = None  # when the current file was
        self._lock = threading.RLock()
        self._latest: deque[str] = deque(maxlen=_BELOW)
        self._shown: list[str] = []
        self._drawn = -math.inf
        self._draw()

    def start(self, files: int, total_bytes: int) -> None:
        with self._lock:
            self._pace.start(files, total_bytes, self._clock())
            self._name = ""
            self._draw()

    def file(self, name: str) -> None:
        with self._lock:
            now = self._clock()
            self._pace.count(now, files=int(self._begun is not None))  # the one before is done
            self._name, self._begun = one_line(name), now
            self._draw()

    def advance(self, done_bytes: float, chunks: int) -> None:
        with self._lock:
            self._pace.count(self._clock(), chunks=chunks, size=done_bytes)
            self._draw()

    def problem(self, problem: Problem) -> None:
        with self._lock:
            self._pace.problems += 1
            self._latest.append(one_line(f"{problem.status}: {problem.file}"))  # why: the summary
            self._draw()

    def redraw(self) -> None:
        """Draw it as it is now, though nothing was heard."""
        with self._lock:
            self._draw()

    def erase(self) -> None:
        """Leave nothing behind and the cursor where the display began."""
        with self._lock:
            self._stream.write(_over(self._shown, _size(self._stream)[0]))
            self._stream.flush()
            self._shown = []

    def _draw(self) -> None:
        now = self._clock()
        if now - self._drawn < _REDRAW:
            return
        self._drawn = now
        columns, rows = _size(self._stream)
        lines = self._lines(columns - 1, now)[: rows - 1]
        # No wrapping while drawing: a terminal may find a character wider than we do.
        body = "".join(f"{line}\n" for line in lines)
        self._stream.write(f"{_over(self._shown, columns)}\x1b[?7l{body}\x1b[?7h")
        self._stream.flush()
        self._shown = lines

    def _current(self, width: int, now: float) -> str:
        """The file being read; one that takes long with the seconds it has taken."""
        seconds = now - self._begun if self._begun is not None else 0.0
        taken = f" · {math.floor(seconds):,} s" if seconds >= _SLOW else ""
        return middle(self._name, max(0, width - columns(taken))) + taken

    def _lines(self, width: int, now: float) -> list[str]:
        """Lines of at most ``width`` columns."""
        if not self._pace.total_files:
            return [middle(self._name, width)]
        left = duration(self._pace.left(now))
        counts = _counts(self._pace)
        while len(", ".join(counts)) > width and len(counts) > 1:
            counts.pop()
        lines = [
            _bar(self._pace.share, left, width),
            ", ".join(counts),
            self._current(width, now),
            *(f"  {problem}" for problem in self._latest),
        ]
        return [middle(line, width) for line in lines]


def _bar(share: float, left: str, width: int) -> str:
    """«[####------] 41 %, about 40 min left», the bar as wide as there is room for it."""
    words = f"{math.floor(share * 100)} %{', ' if left else ''}{left}"
    room = min(40, width - len(words) - 3)
    if room < 5:
        return words if len(words) <= width else words.partition(",")[0]
    full = round(share * room)
    return f"[{'#' * full}{'-' * (room - full)}] {words}"


def middle(text: str, width: int) -> str:
    """Text of one line in at most ``width`` columns, the end kept as well as the beginning."""
    if columns(text) <= width:
        return text
    head, tail = "", ""
    for first, last in zip(text, reversed(text), strict=True):
        if columns(head + tail + last) >= width:
            break
        tail = last + tail
        if columns(head + tail + first) >= width:
            break
        head += first
    return f"{head}…{tail}" if width > 0 else ""


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    marks = sum(unicodedata.category(c) in ("Mn", "Me") for c in text)
    wide = sum(unicodedata.east_asian_width(c) in ("W", "F") for c in text)
    return len(text) - marks + wide


def _over(shown: list[str], width: int) -> str:
    """To the start of what is shown, and clear it: counted in the rows that it takes in a
    terminal of this width, which may have become narrower since."""
    rows = sum(max(1, math.ceil(columns(line) / width)) for line in shown)
    return f"\r\x1b[{rows}A\x1b[J" if rows else ""


def _size(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of the terminal now."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except OSError:
        size = os.terminal_size((80, 24))
    return size.columns or 80, size.lines or 24
