"""Evaluations on a schedule: none missed without a record, none overlapping.

    clock ─▶ which due time? ─▶ ledger: running ─▶ the run ─▶ ledger: done, failed or skipped

Whoever asks (`rag eval schedule`, or a timer that calls `rag eval run --due`), the answer comes
from the ledger alone, so a kill at any moment is only a line left open, which the next look at the
clock settles: the latest due time is run, the ones before it are put down as skipped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from eval.cron import Schedule, dues_between, latest_due, next_due
from eval.ledger import Ledger, Line
from rag.errors import RagError

__all__ = ["WALL_CLOCK", "Clock", "Due", "Schedule", "run_due", "run_forever"]

#: So often a run may die without a word before its due time is given up; set by hand. One death is
#: an accident, three are a run that kills its machine.
MAX_DEATHS = 3

MISSED = "missed while nothing ran; caught up by the run of {}"
CUT_OFF = "its run was cut off; caught up by the run of {}"
STILL_GOING = "the run before was still going"
GIVEN_UP = f"its run was cut off {MAX_DEATHS} times, by crashes or kills"

#: Runs the evaluation of one due time, or takes up what is left of it; returns the run's id.
StartRun = Callable[[datetime], str]
Say = Callable[[str], None]


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def sleep_until(self, moment: datetime) -> None:
        """Return at ``moment``, or before it when the clock was set back meanwhile."""


class _WallClock:
    """The machine's clock. It looks up every few seconds, because a sleeping process is told
    neither of a clock that was set nor of a laptop that was closed."""

    _LOOK = 5.0  # seconds; set by hand

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep_until(self, moment: datetime) -> None:
        before = self.now()
        while before < moment:
            time.sleep(min(self._LOOK, (moment - before).total_seconds()))
            now = self.now()
            if now < before:
                return
            before = now


WALL_CLOCK: Clock = _WallClock()


@dataclass(frozen=True, slots=True)
class Due:
    """What `run_due` found: ``done`` it ran, ``skipped`` and ``nothing`` it did not, and why."""

    state: Literal["done", "skipped", "nothing"]
    due: datetime | None
    run_id: str | None = None
    reason: str = ""


def run_due(
    schedule: Schedule,
    ledger: Ledger,
    start_run: StartRun,
    clock: Clock = WALL_CLOCK,
    say: Say = lambda _: None,
) -> Due:
    """Run the latest due time, unless that is settled or being run by another process.

    Earlier ones without a record are put down as skipped. A schedule that is new begins with its
    latest due time. What ``start_run`` raises is put down as failed and raised again; a
    KeyboardInterrupt leaves the line open, for the next call to take up.
    """
    with contextlib.ExitStack() as lock:
        with ledger.transaction():
            held = ledger.lock(schedule)
            if held is None:
                return _leave_to_the_other(schedule, ledger, clock.now())
            lock.enter_context(held)
            line = _claim(schedule, ledger, clock.now())
            if line is None:
                lock.close()
                return Due("nothing", latest_due(schedule, clock.now()), reason="it is settled")
        say(f"due {shown(line.due, schedule)}: started")
        began = clock.now()
        run_id = _run(schedule, ledger, line, start_run, clock, lock)
    seconds = max(0.0, (clock.now() - began).total_seconds())
    say(f"due {shown(line.due, schedule)}: done in {seconds:.0f} s, run {run_id}")
    return Due("done", line.due, run_id)


def run_forever(
    schedule: Schedule,
    ledger: Ledger,
    look: Callable[[], None],
    clock: Clock = WALL_CLOCK,
    say: Say = lambda _: None,
) -> None:
    """Let ``look`` do what `run_due` does, now and at each due time, until a KeyboardInterrupt.
    A new schedule begins now: nothing was missed before."""
    while True:
        if ledger.floor(schedule, clock.now()) is None:
            ledger.begin(schedule, clock.now())
        look()
        coming = next_due(schedule, clock.now())
        say(f"next at {shown(coming, schedule)}")
        clock.sleep_until(coming)


def _claim(schedule: Schedule, ledger: Ledger, now: datetime) -> Line | None:
    """Settle what lies behind, and open the line of the due time that is to be run."""
    left = {line.due: line for line in ledger.open_lines(schedule)}
    for line in [line for line in left.values() if line.attempts >= MAX_DEATHS]:
        ledger.write(schedule, replace(line, state="failed", reason=GIVEN_UP), now)
        del left[line.due]
    waiting = sorted({*left, *_without_record(schedule, ledger, now)})
    if not waiting:
        return None
    *earlier, target = waiting
    for due in earlier:
        reason = (CUT_OFF if due in left else MISSED).format(_iso(target))
        ledger.write(schedule, replace(_line(left, due), state="skipped", reason=reason), now)
    line = _line(left, target)
    # counted as a death until it says otherwise
    line = replace(line, state="running", reason="", attempts=line.attempts + 1)
    ledger.write(schedule, line, now)
    return line


def _without_record(schedule: Schedule, ledger: Ledger, now: datetime) -> list[datetime]:
    """Due times up to now that have no line. A skip that was written later than now was written
    by a clock that ran ahead, and holds for the latest due time no longer."""
    latest = latest_due(schedule, now)
    if latest is None:
        return []
    floor = ledger.floor(schedule, now)
    if floor is None:
        # a clock that says less than when it began: it was set back, and nothing is missed yet
        floor = now if ledger.knows(schedule) else latest - timedelta(seconds=1)
        ledger.begin(schedule, floor)
    line = ledger.line(schedule, latest)
    if line and line.state == "skipped" and line.written and line.written > now:
        return [latest]
    return [due for due in dues_between(schedule, floor, now) if ledger.line(schedule, due) is None]


def _run(
    schedule: Schedule,
    ledger: Ledger,
    line: Line,
    start_run: StartRun,
    clock: Clock,
    lock: contextlib.ExitStack,
) -> str:
    def end(line: Line) -> None:
        """Put down how it ended, and that what became due meanwhile was not run."""
        now = clock.now()
        with ledger.transaction():
            if line.state != "interrupted":
                _skip_since(schedule, ledger, line.due, now)
            ledger.write(schedule, line, now)
            lock.close()

    try:
        with ledger.only_run():
            run_id = start_run(line.due)
    except Exception as error:
        # errors of others may hold an address with its password; ours do not
        reason = str(error) if isinstance(error, RagError) else type(error).__name__
        end(replace(line, state="failed", reason=reason))
        raise
    except BaseException:
        end(replace(line, state="interrupted", attempts=line.attempts - 1))
        raise
    end(replace(line, state="done", run_id=run_id))
    return run_id


def _skip_since(schedule: Schedule, ledger: Ledger, running: datetime, now: datetime) -> None:
    """Put down as skipped what became due during a run. Where the clock was set forward meanwhile,
    say from 1970, that is what has been due since the last record, and not since 1970."""
    settled = ledger.floor(schedule, now)
    for due in dues_between(schedule, max(running, settled or running), now):
        ledger.add(schedule, Line(due, "skipped", reason=STILL_GOING), now)


def _leave_to_the_other(schedule: Schedule, ledger: Ledger, now: datetime) -> Due:
    """Another process runs: what is due after its own due time is put down as skipped."""
    running = max((line.due for line in ledger.open_lines(schedule)), default=None)
    if running is None:  # it could not write its line, and is about to say so
        return Due("nothing", None, reason="another process has just failed to begin")
    _skip_since(schedule, ledger, running, now)
    latest = latest_due(schedule, now)
    if latest is None or latest <= running:
        return Due("nothing", running, reason="another process runs it")
    return Due("skipped", latest, reason=STILL_GOING)


def _line(known: dict[datetime, Line], due: datetime) -> Line:
    return known.get(due, Line(due, "running"))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def shown(moment: datetime, schedule: Schedule) -> str:
    """In the schedule's own time zone, which is how its cron expression was meant."""
    local = moment.astimezone(ZoneInfo(schedule.timezone))
    return f"{local:%Y-%m-%d %H:%M} {schedule.timezone}"
