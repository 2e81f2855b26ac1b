"""The ledger of a schedule: what became of each due time, in the history's SQLite file.

A line is begun as `running`, and ends for good as `done`, `failed` or `skipped`. Two locks of the
kernel keep runs apart, so a dead owner never blocks: one a schedule, whose holder alone writes
lines of runs, and one a history, because two evaluations at once would spoil each other's figures.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal, Self

import portalocker

from eval.cron import Schedule
from rag.errors import DiskFull, UsageError

#: `running` and `interrupted` are open: a later look at the clock settles them.
LineState = Literal["running", "interrupted", "done", "failed", "skipped"]

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS schedule_version (version INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS schedules (
    id TEXT PRIMARY KEY, questions TEXT NOT NULL, cron TEXT NOT NULL, timezone TEXT NOT NULL,
    options TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedule_began (
    schedule TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (schedule, at)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedule_lines (
    schedule TEXT NOT NULL, due TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'interrupted', 'done', 'failed', 'skipped')),
    run_id TEXT, reason TEXT NOT NULL, attempts INTEGER NOT NULL, written TEXT NOT NULL,
    PRIMARY KEY (schedule, due)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS schedule_open ON schedule_lines (schedule)
    WHERE state IN ('running', 'interrupted');
"""
_LINE = "due, state, run_id, reason, attempts, written"
#: Seconds to wait for another process's transaction; they take milliseconds. Set by hand.
_BUSY = 30.0
_POLL = 0.5  # seconds between two looks at a lock that another holds; set by hand


@dataclass(frozen=True, slots=True)
class Line:
    """One due time. Times are UTC; ``attempts`` counts starts that ended without a word."""

    due: datetime
    state: LineState
    run_id: str | None = None
    reason: str = ""
    attempts: int = 0
    written: datetime | None = None  # None before it is


class Ledger:
    """One connection for one process. Raises UsageError for a file that is no history or cannot
    be written, and DiskFull."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
        try:
            with self._told():
                # FULL: after a power cut a line that was written is there
                self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
                self._migrate()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ lines

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or none, and nobody else's between."""
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def floor(self, schedule: Schedule, now: datetime) -> datetime | None:
        """Up to where everything not after ``now`` is settled: the last line or beginning."""
        with self._told():
            row = self._db.execute(
                "SELECT max(t) FROM (SELECT max(due) AS t FROM schedule_lines WHERE schedule = ?1"
                " AND due <= ?2 AND state NOT IN ('running', 'interrupted') UNION ALL"
                " SELECT max(at) FROM schedule_began WHERE schedule = ?1 AND at <= ?2)",
                [schedule.id, _text(now)],
            ).fetchone()
        return datetime.fromisoformat(row[0]) if row[0] else None

    def begin(self, schedule: Schedule, at: datetime) -> None:
        """Due times up to ``at`` are none of this schedule's."""
        with self._told():
            self._db.execute(
                "INSERT OR IGNORE INTO schedules VALUES (?, ?, ?, ?, ?)",
                [
                    schedule.id, schedule.questions, schedule.cron, schedule.timezone,
                    json.dumps(schedule.options),
                ],
            )  # fmt: skip
            self._db.execute(
                "INSERT OR IGNORE INTO schedule_began VALUES (?, ?)", [schedule.id, _text(at)]
            )

    def knows(self, schedule: Schedule) -> bool:
        """Whether it ever began."""
        return any(known.id == schedule.id for known in self.schedules())

    def line(self, schedule: Schedule, due: datetime) -> Line | None:
        return next(iter(self._lines("schedule = ? AND due = ?", schedule.id, _text(due))), None)

    def open_lines(self, schedule: Schedule) -> list[Line]:
        where = "schedule = ? AND state IN ('running', 'interrupted')"
        return self._lines(where, schedule.id)

    def lines(self, schedule: Schedule) -> list[Line]:
        """Every line of a schedule, in the order of their due times."""
        return self._lines("schedule = ?", schedule.id)

    def schedules(self) -> list[Schedule]:
        with self._told():
            rows = self._db.execute(
                "SELECT questions, cron, timezone, options FROM schedules ORDER BY id"
            )
            return [Schedule(q, cron, zone, tuple(json.loads(o))) for q, cron, zone, o in rows]

    def write(self, schedule: Schedule, line: Line, now: datetime) -> None:
        """Set the line of a due time, whatever it was. For the holder of the schedule's lock."""
        self._put("REPLACE", schedule, line, now)

    def add(self, schedule: Schedule, line: Line, now: datetime) -> bool:
        """Write a line where there is none yet; False where there is one, which stays."""
        return self._put("INSERT OR IGNORE", schedule, line, now)

    def _put(self, verb: str, schedule: Schedule, line: Line, now: datetime) -> bool:
        values = [
            schedule.id, _text(line.due), line.state, line.run_id, line.reason, line.attempts,
            _text(now),
        ]  # fmt: skip
        with self._told():
            written = self._db.execute(
                f"{verb} INTO schedule_lines VALUES (?, ?, ?, ?, ?, ?, ?)", values
            )
            return written.rowcount == 1

    def _lines(self, where: str, *values: str) -> list[Line]:
        with self._told():
            rows = self._db.execute(
                f"SELECT {_LINE} FROM schedule_lines WHERE {where} ORDER BY due",  # noqa: S608 - our own text
                values,
            )
            return [_read(*row) for row in rows]

    # ------------------------------------------------------------------ locks

    def lock(self, schedule: Schedule) -> IO[bytes] | None:
        """The right to run a schedule, until it is closed; None while another process has it.

        Taken in the transaction that opens a line and given back in the one that ends it, so that
        whoever finds the lock taken finds the line as well.
        """
        return self._try_lock(f".{schedule.id}.lock")

    @contextlib.contextmanager
    def only_run(self) -> Iterator[None]:
        """The right to evaluate, among all runs of this history; waited for."""
        while (held := self.try_run()) is None:
            time.sleep(_POLL)
        with held:
            yield

    def try_run(self) -> IO[bytes] | None:
        """The same right, until it is closed; None while another process has it."""
        return self._try_lock(".lock")

    def _try_lock(self, suffix: str) -> IO[bytes] | None:
        path = self.path.with_name(self.path.name + suffix)
        with self._told(), contextlib.ExitStack() as stack:
            stream: IO[bytes] = stack.enter_context(path.open("ab"))
            try:
                portalocker.lock(
                    stream, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
                )
            except portalocker.LockException:
                return None
            stack.pop_all()
            return stream

    # ------------------------------------------------------------------ the file

    def _migrate(self) -> None:
        """Make the tables. The version of the file itself belongs to the runs in it."""
        with self.transaction():
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._db.execute(statement)
            row = self._db.execute("SELECT version FROM schedule_version").fetchone()
            if row is None:
                self._db.execute("INSERT INTO schedule_version VALUES (?)", [VERSION])
            elif row[0] > VERSION:
                raise UsageError(
                    f"history {self.path} holds a schedule of a newer version ({row[0]})",
                    "use that version, or another file: --history FILE",
                )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's and the system's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no room for history {self.path}", "free some disk") from error
            raise UsageError(
                f"history {self.path} cannot be used: {error}", "name another: --history FILE"
            ) from error
        except OSError as error:
            raise UsageError(
                f"history {self.path} cannot be used: {error.strerror}",
                "name another: --history FILE, or mend its folder",
            ) from error


def _read(
    due: str, state: LineState, run_id: str | None, reason: str, attempts: int, written: str
) -> Line:
    at = datetime.fromisoformat
    return Line(at(due), state, run_id, reason, attempts, at(written))


def _text(moment: datetime) -> str:
    """ISO 8601 in UTC to the microsecond, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
