"""Sixty simulated days of a schedule, many times over: is every due time settled once?

    python bench/schedule_days.py [--histories 40] [--days 60] [--seed N]

The real scheduler, ledger, locks and SQLite file; simulated are the clock and the evaluations. A
history starts shortly before its time zone's spring or autumn change and has kills at random
moments and between any two statements to the database, machines that stay down for hours, runs
that fail, runs longer than their interval, a second scheduler that looks while a run is going on,
and clocks that are set forward and back, by hours, to 1970 and a year ahead. What should have been
due is worked out minute by minute from the time zone alone. Prints a Markdown table; ends with 1
when a due time has no final record, one was run again without a kill between, two runs overlapped,
the ledger has a line that was never due, or more was caught up than kills and set clocks explain.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from eval.cron import Schedule, next_due
from eval.ledger import Ledger, Line
from eval.schedule import CUT_OFF, MISSED, STILL_GOING, run_due, run_forever
from eval.testing import FakeClock
from rag.errors import ModelUnavailable

#: Column of the table → why a due time was skipped.
REASONS = {"missed": MISSED, "cut off": CUT_OFF, "still going": STILL_GOING}
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule, as cron has it and as (hours, minutes, weekdays) a person would have it."""

    name: str
    cron: str
    zone: str
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    start: datetime
    weekdays: tuple[int, ...] = tuple(range(7))


SPRING, AUTUMN = datetime(2026, 3, 2, 11, 7, tzinfo=UTC), datetime(2026, 10, 3, 11, 7, tzinfo=UTC)
ALL = tuple(range(24))
PLANS = (
    Plan("03:00, spring", "0 3 * * *", "Europe/Berlin", (3,), (0,), SPRING),
    Plan("02:30, in the gap", "30 2 * * *", "Europe/Berlin", (2,), (30,), SPRING),
    Plan("02:30, in the hour twice", "30 2 * * *", "Europe/Berlin", (2,), (30,), AUTUMN),
    Plan("01:30, in the hour twice", "30 1 * * *", "America/New_York", (1,), (30,), AUTUMN),
    Plan("02:15, 02:45, in the gap", "15,45 2 * * *", "America/New_York", (2,), (15, 45), SPRING),
    Plan("weekdays 07:00 and 19:00", "0 7,19 * * 1-5", "Europe/London", (7, 19), (0,), AUTUMN,
         tuple(range(5))),
    Plan("every hour, spring", "0 * * * *", "Europe/Berlin", ALL, (0,), SPRING),
    Plan("every hour, autumn", "0 * * * *", "America/New_York", ALL, (0,), AUTUMN),
)  # fmt: skip


def expected(plan: Plan, after: datetime, until: datetime) -> list[datetime]:
    """Due times by the letter, without cron: of each day and each wall-clock time the first
    instant that shows it, or the first after the gap that swallows it. A schedule of every hour
    has every hour that passes."""
    zone = ZoneInfo(plan.zone)
    moments = []
    minute = after.replace(second=0, microsecond=0) - 26 * HOUR
    seen: set[datetime] = set()  # wall-clock times that have been, in any order
    previous = minute.astimezone(zone).replace(tzinfo=None)
    while minute <= until:
        wall = minute.astimezone(zone).replace(tzinfo=None)
        swallowed = [previous + n * MINUTE for n in range(1, int((wall - previous) / MINUTE))]
        for shown in [*swallowed, wall]:
            if _matches(plan, shown) and (plan.hours == ALL or shown not in seen):
                if not (plan.hours == ALL and shown in swallowed):
                    moments.append(minute)
                seen.add(shown)
        previous = wall
        minute += MINUTE
    return sorted({m for m in moments if after < m <= until})


def _matches(plan: Plan, wall: datetime) -> bool:
    return (
        wall.hour in plan.hours and wall.minute in plan.minutes and wall.weekday() in plan.weekdays
    )


class Killed(BaseException):
    """The process is gone; nothing it would have done afterwards is done."""


class Over(BaseException):
    """The days are over."""


class World(FakeClock):
    """A clock that meets what is planned for its way: kills, and steps of what it says."""

    def __init__(self, start: datetime, days: int, chance: random.Random) -> None:
        super().__init__(start)
        self.end = start + timedelta(days=days)
        self.dead = False
        self.fuse = 0  # statements until the process is killed; 0: none is planned
        self.counts: Counter[str] = Counter()
        self._chance = chance
        self._events = sorted([*self._kills(days), *self._steps(days)], key=lambda event: event[0])

    def _kills(self, days: int) -> list[tuple[datetime, timedelta | None]]:
        moments = [self._moment(days) for _ in range(self._chance.randint(0, days // 4))]
        return [(moment, None) for moment in moments]

    def _steps(self, days: int) -> list[tuple[datetime, timedelta | None]]:
        found: list[tuple[datetime, timedelta | None]] = []
        for _ in range(self._chance.randint(0, 5)):
            moment = self._moment(days)
            wrong = self._chance.choice(
                [timedelta(seconds=self._chance.randint(-9, 9) * 3600 + 17),
                 timedelta(days=self._chance.randint(-20, 20)),
                 datetime(1970, 1, 1, tzinfo=UTC) - moment, timedelta(days=400)]
            )  # fmt: skip
            found += [(moment, wrong), (moment + self._span(1 / 60, 20), timedelta())]
        return found

    def _moment(self, days: int) -> datetime:
        """Some time before the last three days, which are left to settle in."""
        return self.true + timedelta(days=self._chance.uniform(0, days - 3))

    def _span(self, low: float, high: float) -> timedelta:
        return self._chance.uniform(low, high) * HOUR

    # ------------------------------------------------------------------ what the scheduler sees

    def sleep_until(self, moment: datetime) -> None:
        while self.now() < moment and not self.dead:
            if self.true + (moment - self.now()) > self.end:
                raise Over
            before = self.now() - self.true
            event = self._events[0][0] if self._events else self.end
            self.advance(max(timedelta(), min(moment - self.now(), event - self.true)))
            if self.now() - self.true < before:
                return

    def advance(self, span: timedelta) -> None:
        """Also through what happens on the way; a kill ends it there."""
        until = self.true + span
        while self._events and self._events[0][0] <= until:
            self.true, step = max(self.true, self._events[0][0]), self._events.pop(0)[1]
            if step is None:
                self.kill()
            else:
                self.set(self.true + step)
                self.counts["clock steps"] += 1
        self.true = until

    def statement(self) -> None:
        """Before each statement to the database."""
        if self.dead:
            raise Killed
        self.fuse -= 1
        if self.fuse == 0:
            self.kill()

    def kill(self) -> None:
        self.dead = True
        self.counts["kills"] += 1
        raise Killed

    def reboot(self) -> None:
        """Down for a moment or for hours; what would have killed meanwhile finds nobody."""
        back = self.true + (
            self._span(0, 0.01) if self._chance.random() < 0.5 else self._span(0, 60)
        )
        back = max(self.true, min(back, self.end - timedelta(days=2)))
        while self._events and self._events[0][0] <= back:
            self.true, step = max(self.true, self._events[0][0]), self._events.pop(0)[1]
            if step is not None:
                self.set(self.true + step)
                self.counts["clock steps"] += 1
        self.true = back
        self.dead = False
        calm = self.true > self.end - timedelta(days=3)
        self.fuse = 0 if calm or self._chance.random() < 0.7 else self._chance.randint(1, 60)


class _Mortal:
    """A connection whose process may be killed before any statement."""

    def __init__(self, db: sqlite3.Connection, world: World) -> None:
        self._db, self._world = db, world

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self._world.statement()
        return self._db.execute(*statement)

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        self._db.close()  # what was not committed is gone, as after a kill


class MortalLedger(Ledger):
    def __init__(self, path: Path, world: World) -> None:
        super().__init__(path)
        self._db: Any = _Mortal(self._db, world)


class Story:
    """One simulated history of a schedule, in the file ``path``."""

    def __init__(self, plan: Plan, days: int, chance: random.Random, path: Path) -> None:
        self.plan, self.chance, self.path = plan, chance, path
        self.schedule = Schedule.of(Path("/questions.jsonl"), plan.cron, plan.zone)
        self.world = World(plan.start, days, chance)
        self.counts = self.world.counts
        self.finished: dict[datetime, int] = {}  # due time → kills until then
        self.running = False

    def play(self) -> None:
        """The scheduler, started again whenever it was killed, until the days are over."""
        while True:
            self.running = False
            ledger = MortalLedger(self.path, self.world)
            try:
                run_forever(self.schedule, ledger, partial(self.look, ledger), self.world)
            except Over:
                return
            except Killed:
                self.world.reboot()
            finally:
                ledger.close()

    def look(self, ledger: Ledger) -> None:
        with contextlib.suppress(ModelUnavailable):
            run_due(self.schedule, ledger, self.evaluate, self.world)

    def evaluate(self, due: datetime) -> str:
        """As an evaluation does: takes its time, may fail, is there at once when it is done."""
        self.counts["overlaps"] += self.running
        # only a kill between a run's end and its record may lead to the same run again
        self.counts["run again"] += self.finished.get(due) == self.counts["kills"]
        self.running = True
        self.counts["caught up"] += abs(self.world.now() - due) > 2 * MINUTE
        self.while_it_runs(self.length(due))
        if self.chance.random() < 0.05:
            self.running = False
            raise ModelUnavailable("no model server", "start it")
        self.finished[due] = self.counts["kills"]
        self.running = False
        return f"run of {due}"

    def length(self, due: datetime) -> timedelta:
        if self.chance.random() < 0.06:
            return (next_due(self.schedule, due) - due) * self.chance.uniform(1.1, 3.3)
        return self.chance.uniform(2, 40) * MINUTE

    def while_it_runs(self, length: timedelta) -> None:
        """Another process of the same schedule, such as a timer's, looks at some due times."""
        end = self.world.true + length
        while self.world.true < end:
            coming = next_due(self.schedule, self.world.now()) - self.world.now()
            self.world.advance(min(end - self.world.true, max(coming, MINUTE)))
            if self.chance.random() < 0.5:
                with Ledger(self.path) as ledger:
                    run_due(self.schedule, ledger, self.evaluate, self.world)

    def settle(self) -> Counter[str]:
        """What the ledger holds in the end, against what was due."""
        with Ledger(self.path) as ledger:
            lines = {line.due: line for line in ledger.lines(self.schedule)}
        due_times = expected(self.plan, self.plan.start, self.world.true)
        self.counts["due"] = len(due_times)
        for due in due_times:
            self.counts[outcome(lines.get(due))] += 1
        past = {due for due in lines if self.plan.start < due <= self.world.true}
        self.counts["not due"] = len(past - set(due_times))
        causes = self.counts["kills"] + self.counts["clock steps"]
        self.counts["caught up too often"] = max(0, self.counts["caught up"] - causes)
        return self.counts


def outcome(line: Line | None) -> str:
    """The column that a due time counts in."""
    if line is None or line.state in ("running", "interrupted"):
        return "without a record"
    for name, reason in REASONS.items():
        if line.state == "skipped" and line.reason.startswith(reason.partition("{")[0]):
            return name
    return line.state


WRONG = ("without a record", "run again", "overlaps", "not due", "caught up too often")
COLUMNS = ("due", "done", "failed", *REASONS, "caught up", "kills", "clock steps", *WRONG)


def history(plan: Plan, days: int, seed: int, folder: Path) -> Counter[str]:
    """One simulated history; ``folder`` holds its file."""
    path = folder / f"{PLANS.index(plan)}-{seed}.sqlite"
    story = Story(plan, days, random.Random(f"{seed} {plan.name}"), path)
    story.play()
    return story.settle()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=40, help="of each schedule")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began, total = time.perf_counter(), Counter[str]()
    print("| schedule | " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * len(COLUMNS))
    for plan in PLANS:
        counts: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(options.seed, options.seed + options.histories):
                counts.update(history(plan, options.days, seed, Path(folder)))
        total.update(counts)
        print(
            f"| {plan.name}, {plan.zone} | " + " | ".join(f"{counts[c]:,}" for c in COLUMNS) + " |"
        )
    print("| all | " + " | ".join(f"{total[c]:,}" for c in COLUMNS) + " |")
    seconds = time.perf_counter() - began
    print(f"\n{options.histories} histories of {options.days} days for each schedule, seeds from "
          f"{options.seed}; {seconds:.0f} s.")  # fmt: skip
    return int(any(total[c] for c in WRONG))


if __name__ == "__main__":
    sys.exit(main())
