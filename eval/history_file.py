"""The SQLite file of the history: opened, brought up to this version, its errors told as ours."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rag.errors import DiskFull, UsageError

#: One step a version; `PRAGMA user_version` counts those taken. Steps are added, never changed.
_MIGRATIONS = (
    """
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT, state TEXT NOT NULL,
        due TEXT, repeats INTEGER NOT NULL, questions INTEGER NOT NULL,
        questions_digest TEXT NOT NULL, provenance TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
        process TEXT NOT NULL, seen TEXT NOT NULL
    ) STRICT;
    CREATE TABLE results (
        run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, question_id TEXT NOT NULL,
        repeat INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
        PRIMARY KEY (run_id, question_id, repeat)
    ) STRICT;
    CREATE INDEX runs_by_questions ON runs (questions_digest, started);
    """,
    """
    CREATE TABLE summaries (
        run_id TEXT PRIMARY KEY REFERENCES runs ON DELETE CASCADE, made_by TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
    """,
)
#: Seconds another process may hold the file before a writer gives up.
_PATIENCE = 30.0


class HistoryFile:
    """An open file; several processes may have it open. Raises what `told` says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        try:
            with self.told():
                self.db.execute("PRAGMA journal_mode=WAL")
                self.db.execute("PRAGMA foreign_keys=ON")
                self._migrate()
        except BaseException:
            self.db.close()
            raise

    def _migrate(self) -> None:
        """Bring an older file up to this version. Raises UsageError for a newer one."""
        if (version := self._version()) > len(_MIGRATIONS):
            raise UsageError(
                f"history {self.path} is of a newer version ({version})",
                "update Affidavit, or name another file with --history",
            )
        if version == len(_MIGRATIONS):
            return
        with self.transaction():
            for step in _MIGRATIONS[self._version() :]:  # another process may have been quicker
                for statement in filter(str.strip, step.split(";")):
                    self.db.execute(statement)
            self.db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _version(self) -> int:
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or none."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:  # a full disk ends it by itself
                self.db.execute("ROLLBACK")

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """SQLite's errors, the system's, and rows that hold what we never wrote, as ours:
        UsageError, and DiskFull for a full disk."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no room for history {self.path}", "free some disk") from error
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"history {self.path} cannot be used: {reason}",
                "name another file with --history, or move this one away",
            ) from error
