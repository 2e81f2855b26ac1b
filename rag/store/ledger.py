"""The ledger of the embedded engine: one SQLite file beside the vectors, one row a file.

It is the truth about the folder; the vectors are its rebuildable servant.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path

from rag.errors import IndexDamaged
from rag.records import FileRecord
from rag.store.base import IndexMeta

_COLUMNS = tuple(f.name for f in fields(FileRecord))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS files ({", ".join(_COLUMNS)}, PRIMARY KEY (file)) WITHOUT ROWID;
"""
REBUILD = "rebuild it: rag ingest FOLDER --reindex"


class Ledger:
    """Opened for writing, or immutable for reading; every failure of SQLite is IndexDamaged."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path = path
        if write:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript("PRAGMA journal_mode=MEMORY;" + _SCHEMA)
            self._db.execute("BEGIN")
        else:
            try:
                uri = f"{path.absolute().as_uri()}?immutable=1"
                self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
                self._db.execute("SELECT COUNT(*) FROM files").fetchone()
            except sqlite3.Error as error:
                raise IndexDamaged(f"index ledger {path}: {error}", REBUILD) from error

    def meta(self) -> IndexMeta | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = 'index'").fetchone()
        return IndexMeta.from_dict(json.loads(row[0])) if row else None

    def set_meta(self, meta: IndexMeta) -> None:
        self._db.execute("REPLACE INTO meta VALUES ('index', ?)", [json.dumps(meta.to_dict())])

    def files(self) -> list[FileRecord]:
        try:
            rows = self._db.execute(f"SELECT {', '.join(_COLUMNS)} FROM files ORDER BY file")  # noqa: S608 - our own column names
            return [_record(row) for row in rows]
        except (sqlite3.Error, ValueError) as error:
            raise IndexDamaged(f"index ledger {self.path}: {error}", REBUILD) from error

    def put(self, records: Iterable[FileRecord]) -> None:
        marks = ", ".join("?" * len(_COLUMNS))
        self._db.executemany(f"REPLACE INTO files VALUES ({marks})", map(_row, records))  # noqa: S608 - only marks

    def remove(self, files: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM files WHERE file = ?", ([f] for f in files))

    def close(self, *, commit: bool = False) -> None:
        if commit:
            self._db.execute("COMMIT")
        self._db.close()


def _row(record: FileRecord) -> list[object]:
    return [json.dumps(v) if isinstance(v, tuple) else v for v in astuple(record)]


def _record(row: tuple[object, ...]) -> FileRecord:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["lost_pages"] = tuple(json.loads(str(values["lost_pages"])))
    return FileRecord(**values)  # type: ignore[arg-type] # columns come from the record itself
