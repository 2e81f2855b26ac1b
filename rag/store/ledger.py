"""The ledger of the embedded engine: one SQLite file beside the vectors, one row a file.

It is the truth about the folder; the vectors are its rebuildable servant.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, astuple, fields
from pathlib import Path
from typing import Any

from rag.errors import DiskFull, IndexDamaged
from rag.records import FileRecord
from rag.store.base import IndexMeta, other_version

_COLUMNS = tuple(f.name for f in fields(FileRecord))
#: What a line of an older ledger, written before there was such a column, has in it.
_DEFAULTS = {f.name: f.default for f in fields(FileRecord) if f.default is not MISSING}
_TABLES = {"meta", "files"}
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS files ({", ".join(_COLUMNS)}, PRIMARY KEY (file)) WITHOUT ROWID;
"""
REBUILD = "rebuild it: rag ingest FOLDER --reindex"


class Ledger:
    """Opened for writing, or immutable for reading; every failure of SQLite is IndexDamaged, but
    a full disk, which is DiskFull."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path = path
        # What is published never changes, and may lie where nobody can write a lock.
        uri = path.absolute().as_uri() + ("" if write else "?immutable=1")
        with self._told():
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            with self._told():
                if write:
                    self._db.executescript("PRAGMA journal_mode=MEMORY;" + _SCHEMA)
                    self._db.execute("BEGIN")
                self._db.execute("SELECT COUNT(*) FROM files").fetchone()
                self._columns = self._known_columns()
                if write:
                    self._add_columns()
        except BaseException:
            self._db.close()
            raise

    def meta(self) -> IndexMeta | None:
        """None before `set_meta`. Raises IndexMismatch for an index of another version."""
        data = self._value("index")
        return IndexMeta.from_dict(data) if data else None

    def set_meta(self, meta: IndexMeta) -> None:
        self._set_value("index", meta.to_dict())

    def shard_sizes(self) -> dict[str, int]:
        """File of the shard → bytes, as published; see `rag.store.generations.sizes`."""
        return self._value("shard") or {}

    def set_shard_sizes(self, sizes: dict[str, int]) -> None:
        self._set_value("shard", sizes)

    def files(self) -> list[FileRecord]:
        with self._told():
            rows = self._db.execute(f"SELECT {', '.join(self._columns)} FROM files ORDER BY file")  # noqa: S608 - our own column names
            return [_record(dict(zip(self._columns, row, strict=True))) for row in rows]

    def put(self, records: Iterable[FileRecord]) -> None:
        marks = ", ".join("?" * len(_COLUMNS))
        with self._told():
            self._db.executemany(
                f"REPLACE INTO files ({', '.join(_COLUMNS)}) VALUES ({marks})",  # noqa: S608 - our own column names
                map(_row, records),
            )

    def remove(self, files: Iterable[str]) -> None:
        with self._told():
            self._db.executemany("DELETE FROM files WHERE file = ?", ([f] for f in files))

    def close(self, *, commit: bool = False) -> None:
        if commit:
            with self._told():
                self._db.execute("COMMIT")
        self._db.close()

    def _known_columns(self) -> tuple[str, ...]:
        """The columns there are. Raises IndexMismatch where this version cannot know what they
        or other tables mean, or misses one that it needs."""
        tables = {name for (name,) in self._db.execute("SELECT name FROM pragma_table_list")}
        columns = [
            name for (name,) in self._db.execute("SELECT name FROM pragma_table_info('files')")
        ]
        tables = {name for name in tables if not name.startswith("sqlite_")}
        missing = set(_COLUMNS) - set(columns) - set(_DEFAULTS)
        strange = (tables - _TABLES) | (set(columns) - set(_COLUMNS)) | missing
        if strange:
            raise other_version(f"index ledger {self.path}", ", ".join(sorted(strange)))
        return tuple(columns)

    def _add_columns(self) -> None:
        """Bring a ledger of an older version up to this one."""
        for name in _COLUMNS:
            if name not in self._columns:
                default = self._db.execute("SELECT quote(?)", [_stored(_DEFAULTS[name])]).fetchone()
                self._db.execute(f"ALTER TABLE files ADD COLUMN {name} DEFAULT {default[0]}")
        self._columns = _COLUMNS

    def _value(self, key: str) -> Any:
        with self._told():
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
            return json.loads(row[0]) if row else None

    def _set_value(self, key: str, value: dict[str, Any]) -> None:
        with self._told():
            self._db.execute("REPLACE INTO meta VALUES (?, ?)", [key, json.dumps(value)])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors, and lines that hold what we never wrote, as ours."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no room for index ledger {self.path}", "free some disk") from error
            raise IndexDamaged(f"index ledger {self.path}: {error}", REBUILD) from error


def _row(record: FileRecord) -> list[object]:
    return [_stored(value) for value in astuple(record)]


def _stored(value: object) -> object:
    return json.dumps(value) if isinstance(value, tuple) else value


def _record(values: dict[str, Any]) -> FileRecord:
    if "lost_pages" in values:
        values["lost_pages"] = tuple(json.loads(str(values["lost_pages"])))
    return FileRecord(**values)
