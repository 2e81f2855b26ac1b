"""Every run and its results, in one SQLite file beside the index."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eval.history_burial import bury
from eval.history_file import HistoryFile
from eval.history_rows import COLUMNS, result_of, result_row, run_of, to_json
from eval.records import EvaluationRun, Provenance, Result, RunState
from rag.errors import IndexLocked, UsageError
from rag.settings import Settings
from rag.store.owner import this_process

FILE = "history.sqlite"


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
                bury(self._db)
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

    def earlier(self, run_id: str) -> Iterator[EvaluationRun]:
        """Runs that were done before this one, without their results, the newest first: of the
        same questions, or of a file of the same name of which somebody edited some and left
        others."""
        run = self.find(run_id)
        digest, file = run.provenance.questions_digest, Path(run.provenance.questions_file).name
        runs = self.runs()
        at = next(i for i, other in enumerate(runs) if other.run_id == run.run_id)
        for past in (r for r in runs[at + 1 :] if r.state == "done"):
            asked = past.provenance
            if asked.questions_digest == digest or (
                file and Path(asked.questions_file).name == file
                and self._share(past.run_id, run.run_id)
            ):  # fmt: skip
                yield past

    def before(self, run_id: str) -> EvaluationRun | None:
        """The run that this one is compared with, without its results: of the `earlier` ones the
        newest of the same questions, else the newest."""
        digest, newest = self.find(run_id).provenance.questions_digest, None
        for past in self.earlier(run_id):
            if past.provenance.questions_digest == digest:
                return past
            newest = newest or past
        return newest

    def baseline(self, run: EvaluationRun, name: str | None, given: str) -> EvaluationRun | None:
        """The run to compare ``run`` with, with its results: by its id, «last» for the one `before`
        it, «none» or None for none. Raises UsageError for a run that shows nothing, naming the
        option ``given``."""
        if name is None or name == "none":
            return None
        if name == "last":
            found = self.before(run.run_id)
            return self.load(found.run_id) if found else None
        return as_baseline(self.load(name), f"{given} {name}", run)

    def _share(self, run_id: str, other: str) -> bool:
        """Whether two runs asked a question of the same id."""
        with self._file.told():
            return bool(
                self._db.execute(
                    "SELECT EXISTS (SELECT 1 FROM results AS one JOIN results AS other"
                    " USING (question_id) WHERE one.run_id = ? AND other.run_id = ?)",
                    (run_id, other),
                ).fetchone()[0]
            )

    def summary(self, run_id: str, made_by: str) -> dict[str, Any] | None:
        """The figures kept of a run, if they were made by what ``made_by`` names."""
        with self._file.told():
            row = self._db.execute(
                "SELECT data FROM summaries WHERE run_id = ? AND made_by = ?", (run_id, made_by)
            ).fetchone()
            return dict(json.loads(row[0])) if row else None

    def keep_summary(self, run_id: str, made_by: str, summary: Mapping[str, Any]) -> None:
        """Keep a run's figures in the place of those kept before; whoever may only read the history
        works them out again each time."""
        if not os.access(self.path, os.W_OK):
            return
        with self._file.told():
            self._db.execute(
                "REPLACE INTO summaries VALUES (?, ?, ?)", (run_id, made_by, to_json(summary))
            )

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


def as_baseline(
    before: EvaluationRun, given: str, run: EvaluationRun | None = None
) -> EvaluationRun:
    """The run to compare with, which ``given`` («--baseline ID») names. Raises UsageError for one
    that shows nothing: it was not done, or is ``run`` itself."""
    problem = f"is {before.state} and not done" if before.state != "done" else ""
    if run and before.run_id == run.run_id:
        problem = "is the run that is held against it"
    if problem:
        raise UsageError(
            f"{given}: run {before.run_id} {problem}",
            "name another run; rag eval history lists them",
        )
    return before
