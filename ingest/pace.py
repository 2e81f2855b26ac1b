"""How fast an ingest goes, and how long it may take."""

from __future__ import annotations

import math

#: Seconds over which a rate is taken: long enough to span reading and embedding a group of files,
#: which alternate. Like the next two, set by hand with 10,000 files on a terminal.
_RATE_SPAN = 60.0
#: Seconds in which the time left takes up two thirds of a change in the estimate.
_CALM = 20.0
#: Seconds after the first progress before there is anything to estimate from.
_WARM_UP = 5.0


class Pace:
    """Counts what is done and tells how fast it goes and how long it may take.

    Times are seconds of any clock that never goes back. Rates forget: what was counted
    `_RATE_SPAN` seconds ago weighs a third of what is counted now.
    """

    def __init__(self) -> None:
        self.total_files = self.files = self.problems = 0
        self._total_bytes = self._bytes = 0.0
        self._recent = (0.0, 0.0, 0.0, 0.0)  # files, chunks, bytes; and the seconds they took
        self._started = self._now = self._left_at = 0.0
        self._left: float | None = None

    def start(self, files: int, total_bytes: int, now: float) -> None:
        self.total_files, self._total_bytes = files, total_bytes
        self._started = self._now = now

    def count(self, now: float, *, files: int = 0, chunks: int = 0, size: float = 0.0) -> None:
        if not (self.files or self._bytes or files or chunks or size):
            # Nothing is done while the model loads: at that pace twelve files take half an hour.
            self._started = self._now = now
            return
        self.files += files
        self._bytes += size
        fading = math.exp((self._now - now) / _RATE_SPAN)
        counted = (files, chunks, size, _RATE_SPAN * (1 - fading))
        recent = [old * fading + new for old, new in zip(self._recent, counted, strict=True)]
        self._recent = (recent[0], recent[1], recent[2], recent[3])
        self._now = now

    @property
    def share(self) -> float:
        """Share of the bytes that is done, from 0 to 1."""
        return min(1.0, self._bytes / self._total_bytes) if self._total_bytes else 0.0

    @property
    def rates(self) -> tuple[float, float, float]:
        """Files, chunks and bytes a second."""
        files, chunks, size, seconds = self._recent
        return (files / seconds, chunks / seconds, size / seconds) if seconds else (0.0, 0.0, 0.0)

    def left(self, now: float) -> float | None:
        """Seconds it may still take; None when that cannot be said. Follows a change of the
        estimate slowly: one large file that fails is no reason to promise the end."""
        self.count(now)
        by_files, by_bytes = 1 / max(1, self.total_files), 1 / max(1.0, self._total_bytes)
        # Half by files and half by bytes, since both take time.
        speed = self.rates[0] * by_files + self.rates[2] * by_bytes
        if now - self._started < _WARM_UP or not speed:
            return None
        estimate = max(0.0, 2 - self.files * by_files - self._bytes * by_bytes) / speed
        passed = now - self._left_at
        counted = estimate if self._left is None else max(0.0, self._left - passed)
        self._left = counted + (estimate - counted) * (1 - math.exp(-passed / _CALM))
        self._left_at = now
        return self._left


def duration(seconds: float | None) -> str:
    """«about 40 min left», in steps coarse enough to stand still for a while; None is «»."""
    if seconds is None:
        return ""
    if seconds < 60:
        return "less than a minute left"
    minutes = seconds / 60
    if minutes < 10:
        return f"about {minutes:.0f} min left"
    if minutes < 90:
        return f"about {5 * round(minutes / 5)} min left"
    return f"about {round(minutes / 30) / 2:g} h left"
