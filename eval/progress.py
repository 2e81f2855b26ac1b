"""Progress of an evaluation on standard error: one line that changes on a terminal, else a line
now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self, TextIO

from eval.records import Failure, Result
from rag.options import say
from rag.render import one_line, width

#: Seconds between two lines of a log. Set by hand.
_LOG_EVERY = 30.0
#: The pace follows the latest questions: each new one weighs so much. Set by hand.
_NEWEST = 0.1


class Progress:
    """Counts questions and tells how long the rest may take. Use it in a ``with`` block, which
    leaves nothing behind on a terminal."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._clock = clock
        self._total = self._done = self._failed = 0
        self._last = self._told = clock()
        self._pace: float | None = None  # seconds a question

    def start(self, total: int, done: int) -> None:
        self._total, self._done = total, done
        self._last = self._told = self._clock()
        gone_on = f", {done:,} of them already" if done else ""
        self._tell(f"asking {total:,} questions{gone_on}")

    def result(self, results: Sequence[Result]) -> None:
        now = self._clock()
        took, self._last = now - self._last, now
        self._pace = took if self._pace is None else self._pace + _NEWEST * (took - self._pace)
        self._done += 1
        self._failed += any(isinstance(r, Failure) for r in results)
        if self._live or now - self._told >= _LOG_EVERY:
            self._told = now
            self._tell(self._line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self) -> str:
        failed = f", {self._failed:,} without an answer" if self._failed else ""
        left = time_left((self._total - self._done) * (self._pace or 0.0))
        return f"{self._done:,} of {self._total:,} questions{failed}, {left}"

    def _tell(self, line: str) -> None:
        if not self._live:
            say(line)
            return
        self._stream.write(f"\r\x1b[K{one_line(line)[: width() - 1]}")
        self._stream.flush()


def time_left(seconds: float) -> str:
    """«about 40 min left», in steps coarse enough to stand still for a while."""
    if seconds < 60:
        return "less than a minute left"
    minutes = seconds / 60
    if minutes < 90:
        return f"about {minutes:.0f} min left"
    return f"about {round(minutes / 30) / 2:g} h left"
