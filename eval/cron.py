"""When a schedule is due: cron expression and time zone → instants in UTC.

An expression that names an hour fires once a day whatever the clocks do, as Debian's cron has it:
what falls into the spring gap is due at its end, what the autumn repeats is due the first time.
One with ``*`` in hours or minutes follows the elapsed time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rag.errors import UsageError

if TYPE_CHECKING:
    from cronsim import CronSim

#: Every night at three; what `rag eval run --due` goes by without --cron.
DEFAULT_CRON = "0 3 * * *"

_EXAMPLE = 'write minute hour day month weekday, for example --cron "0 3 * * *"'
#: How far back the latest due time is looked for: from an hour, so that one a minute is found
#: quickly, to fifty years, where cronsim gives up as well.
_LOOK_BACK = tuple(timedelta(hours=h) for h in (1, 24, 24 * 31, 24 * 366, 24 * 366 * 50))
_FIELDS = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """What runs when. ``questions`` is an absolute path, ``timezone`` an IANA name, ``options``
    what else the run is called with, in the order given. Make one with `of`, which checks it."""

    questions: str
    cron: str
    timezone: str
    options: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        questions: Path,
        cron: str = DEFAULT_CRON,
        timezone: str | None = None,
        options: tuple[str, ...] = (),
    ) -> Schedule:
        """``timezone`` None is this machine's. Raises UsageError for an expression that is no
        cron expression or never due, and for an unknown time zone."""
        name = local_timezone() if timezone is None else timezone
        schedule = cls(str(questions.absolute()), " ".join(cron.split()), name, options)
        if next(dues(schedule, datetime(2000, 1, 1, tzinfo=UTC)), None) is None:
            raise UsageError(f"--cron {cron} is never due", _EXAMPLE)
        return schedule

    @property
    def id(self) -> str:
        """The same for the same questions, expression, time zone and options: 16 hex digits."""
        text = json.dumps([self.questions, self.cron, self.timezone, self.options])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def dues(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Due times after an instant, in UTC, rising."""
    last = after
    for local in _parse(schedule.cron, after.astimezone(_zone(schedule.timezone))):
        moment = local.astimezone(UTC)
        if moment > last:  # within a repeated hour cronsim looks back, out of a gap it comes twice
            yield moment
            last = moment


def next_due(schedule: Schedule, after: datetime) -> datetime:
    return next(dues(schedule, after))


def dues_between(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """Due times after one instant and not after the other."""
    found = []
    for moment in dues(schedule, after):
        if moment > until:
            break
        found.append(moment)
    return found


def latest_due(schedule: Schedule, now: datetime) -> datetime | None:
    """The last due time that is not after ``now``; None where fifty years held none."""
    for span in _LOOK_BACK:
        try:
            start = now - span
        except OverflowError:
            return None
        if found := dues_between(schedule, start, now):
            return found[-1]
    return None


@dataclass(frozen=True, slots=True)
class Numbers:
    """What an expression of plain numbers allows; weekdays count from Sunday, 0 to 6. ``both``:
    the day of the month and the weekday have to fit, not one of them."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    both: bool


def numbers(schedule: Schedule) -> Numbers | None:
    """The expression's numbers; None where it holds more than numbers, like the last Friday."""
    cron = _parse(schedule.cron, datetime(2000, 1, 1, tzinfo=UTC))
    days = [day for day in cron.days if isinstance(day, int) and day > 0]
    weekdays = {day % 7 for day in cron.weekdays if isinstance(day, int)}
    if len(days) < len(cron.days) or not all(isinstance(day, int) for day in cron.weekdays):
        return None
    return Numbers(
        minutes=tuple(sorted(cron.minutes)),
        hours=tuple(sorted(cron.hours)),
        days=tuple(sorted(days)),
        months=tuple(sorted(n for n in cron.months if isinstance(n, int))),
        weekdays=tuple(sorted(weekdays)),
        both=cron.day_and,
    )


def _parse(cron: str, start: datetime) -> CronSim:
    from cronsim import CronSim, CronSimError

    if len(cron.split()) != _FIELDS:
        raise UsageError(f"--cron {cron} has {len(cron.split())} fields, not five", _EXAMPLE)
    try:
        return CronSim(cron, start)
    except CronSimError as error:
        raise UsageError(f"--cron {cron} is not understood: {error}", _EXAMPLE) from error


def local_timezone() -> str:
    """The IANA name of this machine's time zone; UTC where it does not tell."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        target = os.path.realpath("/etc/localtime")
        name = target.partition("/zoneinfo/")[2]
    try:
        _zone(name)
    except UsageError:
        return "UTC"
    return "UTC" if name == "Etc/UTC" else name


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # KeyError: its own «not found»
        raise UsageError(
            f"--timezone {name} is unknown here", "name one like Europe/Berlin or UTC"
        ) from error
