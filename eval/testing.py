"""Test doubles, shipped as product: a clock that is told what time it is."""

from __future__ import annotations

from datetime import datetime, timedelta


class FakeClock:
    """A clock for `eval.schedule` that moves only when somebody moves it, or sleeps by it.

    ``true`` is the time that passes and only grows; what the clock says is that plus an offset,
    which `set` changes, as a person, a time server or a flat battery does.
    """

    def __init__(self, start: datetime) -> None:
        self.true = start
        self._offset = timedelta()

    def now(self) -> datetime:
        return self.true + self._offset

    def set(self, moment: datetime) -> None:
        """The clock says ``moment`` from now on; no time passes."""
        self._offset = moment - self.true

    def advance(self, span: timedelta) -> None:
        """Time passes, for the world and the clock."""
        self.true += span

    def sleep_until(self, moment: datetime) -> None:
        """At once the clock says ``moment``."""
        self.advance(max(timedelta(), moment - self.now()))
