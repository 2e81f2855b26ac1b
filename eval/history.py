"""Every run and its results, in one SQLite file beside the index."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from eval.history_file import HistoryFile
from eval.history_rows import COLUMNS, result_of, result_row, run_of, to_json
from eval.records import EvaluationRun, Provenance, Result, RunState
from rag.errors import IndexLocked, UsageError
from rag.settings import Settings
from rag.store.owner import is_dead, this_process

FILE = "history.sqlite"
#: A run of another machine or container, whose process cannot be looked at, counts as interrupted
#: when it wrote nothing for so long. Set by hand: longer than any question takes.
_SILENT = timedelta(hours=2)


def history_path(settings: Settings) -> Path:
    """``.rag-eval/history.sqlite`` beside the index ``.rag``; with a server in the working
    folder."""
    index = Path(".rag" if settings.qdrant_url else settings.index)
    return index.with_name(f"{index.name}-eval") / FILE


def now() -> str:
    """This moment: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class History:
    """The runs of one SQLite file, made when it does not exist. Several processes may share it.

    Raises UsageError when the file cannot be opened, is no history or one of a newer version,
    DiskFull when there is no room.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = HistoryFile(self.path)
        self._db = self._file.db
        try:
            with self._file.told():
                self._bury()
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------ writing

    def begin(
        self, provenance: Provenance, *, repeats: int, questions: int, due: str | None = None
    ) -> str:
        """Record a run that begins now; gives its id."""
        started = now()
        stamp = started[:19].translate(str.maketrans("", "", "-:")).replace("T", "-")
        run_id = f"{stamp}-{secrets.token_hex(2)}"
        with self._file.told():
            self._db.execute(
                "INSERT INTO runs (run_id, started, state, due, repeats, questions,"
                " questions_digest, provenance, process, seen)"
                " VALUES (?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)",
                (run_id, started, due, repeats, questions, provenance.questions_digest,
                 to_json(asdict(provenance)), to_json(this_process()), started),
            )  # fmt: skip
        return run_id

    def reopen(self, run_id: str, due: str | None = None) -> None:
        """An interrupted run goes on, in this process, and for ``due`` where that is given.
        Raises IndexLocked where it is interrupted no longer: another process was first."""
        with self._file.told():
            reopened = self._db.execute(
                "UPDATE runs SET state = 'running', finished = NULL, reason = '', process = ?,"
                " seen = ?, due = coalesce(?, due) WHERE run_id = ? AND state = 'interrupted'",
                (to_json(this_process()), now(), due, run_id),
            )
        if reopened.rowcount != 1:
            raise IndexLocked(
                f"run {run_id} is not interrupted any more: another process goes on with it",
                "wait for it, or start a new run without --resume",
            )

    def add(self, run_id: str, results: Sequence[Result]) -> None:
        """Write results, all or none of them; one written before is replaced."""
        rows = [result_row(run_id, result) for result in results]
        with self._file.told(), self._file.transaction():
            self._db.executemany("REPLACE INTO results VALUES (?, ?, ?, ?, ?)", rows)
            self._db.execute("UPDATE runs SET seen = ? WHERE run_id = ?", (now(), run_id))

    def finish(self, run_id: str, state: RunState, reason: str = "") -> None:
        """Record how a run ended, and why where it did not end well."""
        with self._file.told():
            self._db.execute(
                "UPDATE runs SET state = ?, finished = ?, reason = ? WHERE run_id = ?",
                (state, now(), reason, run_id),
            )

    # ------------------------------------------------------------------ reading

    def runs(self, limit: int | None = None) -> list[EvaluationRun]:
        """The newest runs first, without their results."""
        with self._file.told():
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM runs ORDER BY started DESC, rowid DESC LIMIT ?",  # noqa: S608 - our own column names
                (-1 if limit is None else limit,),
            )
            return [run_of(row) for row in rows]

    def reason(self, run_id: str) -> str:
        """Why a run failed or was interrupted; empty for one that did not."""
        with self._file.told():
            row = self._db.execute("SELECT reason FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return str(row[0]) if row else ""

    def load(self, run_id: str) -> EvaluationRun:
        """A run with its results, in the order in which they were given.

        ``run_id`` may be «last», or the beginning of one run's id. Raises UsageError when no run
        or several answer to it.
        """
        run = self.find(run_id)
        return replace(run, results=tuple(self.results(run.run_id)))

    def find(self, run_id: str) -> EvaluationRun:
        """As `load`, without the results."""
        with self._file.told():
            query = "WHERE ?1 = 'last' ORDER BY started DESC, rowid DESC LIMIT 1"
            if run_id != "last":
                query = "WHERE ?1 != '' AND substr(run_id, 1, length(?1)) = ?1 LIMIT 2"
            rows = self._db.execute(f"SELECT {COLUMNS} FROM runs {query}", (run_id,)).fetchall()  # noqa: S608 - our own column names
        if len(rows) != 1:
            what = "several runs begin with" if rows else "no run is"
            raise UsageError(
                f"{what} «{run_id}» in {self.path}", "rag eval history lists them by their ids"
            )
        with self._file.told():
            return run_of(rows[0])

    def results(self, run_id: str) -> Iterator[Result]:
        """The results of one run, one at a time."""
        with self._file.told():
            rows = self._db.execute(
                "SELECT kind, data FROM results WHERE run_id = ? ORDER BY rowid", (run_id,)
            )
            for kind, data in rows:
                yield result_of(kind, json.loads(data))

    def done(self, run_id: str, to_be_repeated: Sequence[str] = ()) -> dict[str, int]:
        """Question id → how many results of it a run has; failures of the named kinds count as
        none."""
        counts: dict[str, int] = {}
        with self._file.told():
            rows = self._db.execute(
                "SELECT question_id, CASE kind WHEN 'failure' THEN json_extract(data, '$.kind') END"
                " FROM results WHERE run_id = ?",
                (run_id,),
            )
            for question, failed in rows:
                counts[question] = counts.get(question, 0) + (failed not in to_be_repeated)
        return counts

    def last(self, questions_digest: str, before: str | None = None) -> EvaluationRun | None:
        """The newest run of these questions that was done, with its results; with ``before`` the
        newest that began before that run. Where there is none, the newest done run before it of a
        file of the same name that shares a question: somebody edited the others."""
        clause = "" if before is None else (
            " AND (started, rowid) < (SELECT started, rowid FROM runs WHERE run_id = ?)"
        )  # fmt: skip
        values = (questions_digest,) if before is None else (questions_digest, before)
        with self._file.told():
            row = self._db.execute(
                "SELECT run_id FROM runs WHERE questions_digest = ? AND state = 'done'"  # noqa: S608 - our own clause
                f"{clause} ORDER BY started DESC, rowid DESC LIMIT 1",
                values,
            ).fetchone()
        if row:
            return self.load(row[0])
        return self._edited(before) if before else None

    def _edited(self, run_id: str) -> EvaluationRun | None:
        file = Path(self.find(run_id).provenance.questions_file).name
        with self._file.told():
            rows = self._db.execute(
                "SELECT run_id, json_extract(provenance, '$.questions_file') FROM runs"
                " WHERE state = 'done'"
                " AND (started, rowid) < (SELECT started, rowid FROM runs WHERE run_id = ?1)"
                " AND EXISTS (SELECT 1 FROM results AS was JOIN results AS now USING (question_id)"
                " WHERE was.run_id = runs.run_id AND now.run_id = ?1)"
                " ORDER BY started DESC, rowid DESC",
                (run_id,),
            ).fetchall()
        found = next((name for name, asked in rows if file and Path(asked).name == file), None)
        return self.load(found) if found else None

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ within

    def _bury(self) -> None:
        """A run whose process is gone was interrupted."""
        silent = (datetime.now(UTC) - _SILENT).isoformat(timespec="milliseconds")
        rows = self._db.execute(
            "SELECT run_id, process, seen FROM runs WHERE state = 'running'"
        ).fetchall()
        for run_id, process, seen in rows:
            if _gone(json.loads(process)) or seen < silent:
                self._db.execute(
                    "UPDATE runs SET state = 'interrupted', finished = seen,"
                    " reason = 'its process ended without a word'"
                    " WHERE run_id = ? AND state = 'running' AND process = ?",
                    (run_id, process),
                )


def _gone(process: dict[str, str]) -> bool:
    """Whether the process has certainly ended, be it that the machine was started anew since."""
    here = this_process()
    rebooted = bool(here and process) and process.get("host") == here["host"]
    return is_dead(process) or (rebooted and process.get("boot") != here["boot"])
