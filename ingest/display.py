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
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

from ingest.pace import Pace, duration
from ingest.report import IngestReport, Problem, Progress
from ingest.terminal import columns, meter, middle, terminal_size, wiped
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
        would = f"Would sync {counts['found']:,} files: {told}. Nothing was changed."
        return [would, *(f"But {one_line(notice)}" for notice in report.notices)]
    speed = report.embedded / report.seconds if report.embedded else 0.0
    rate = f" ({speed:,.{0 if speed >= 10 else 1}f} a second)" if speed else ""
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
            self._stream.write(wiped(self._shown, terminal_size(self._stream)[0]))
            self._stream.flush()
            self._shown = []

    def _draw(self) -> None:
        now = self._clock()
        if now - self._drawn < _REDRAW:
            return
        self._drawn = now
        width, rows = terminal_size(self._stream)
        lines = self._lines(width - 1, now)[: rows - 1]
        # No wrapping while drawing: a terminal may find a character wider than we do.
        body = "".join(f"{line}\n" for line in lines)
        self._stream.write(f"{wiped(self._shown, width)}\x1b[?7l{body}\x1b[?7h")
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
            meter(self._pace.share, left, width),
            ", ".join(counts),
            self._current(width, now),
            *(f"  {problem}" for problem in self._latest),
        ]
        return [middle(line, width) for line in lines]
