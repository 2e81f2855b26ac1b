"""Carrying out a plan: files read in child processes, chunked, embedded in groups, put whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.chunker import Chunker, Cutter
from ingest.discover import Found
from ingest.lines import failed_line, named_line, read_line, touched_line
from ingest.ocr import Ocr
from ingest.plan import Plan, Task
from ingest.pool import Pool, worker_count
from ingest.readers import Options, Page, Part, Unreadable
from ingest.report import Problem, Progress
from ingest.sandbox import Limits, Request
from ingest.spool import Spool
from rag.embedder import Embedder
from rag.errors import UsageError
from rag.failpoints import failpoint
from rag.records import HARMLESS, Chunk, Ending, FileRecord, Opening, Section
from rag.settings import Settings
from rag.store.base import FileWrite, Vector, Writer, embedded_text

#: Chunks embedded together: enough to sort by length, few enough to show progress.
_EMBED_TOGETHER = 256

#: A long run keeps what it has this often, so that it can be asked and a kill costs a minute.
_CHECKPOINT_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class _File:
    """A file on its way into the index."""

    task: Task
    cutter: Cutter
    spool: Spool
    opening: Opening
    record: FileRecord | None = None  # once it is read to the end

    @property
    def content(self) -> str:
        return self.task.content

    @property
    def renamed_from(self) -> str:
        former = self.task.former
        return former.file if former and self.task.change == "renamed" else ""


@dataclass(slots=True)
class _Clock:
    """Seconds spent on a file in this process, beside those of its reader."""

    seconds: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.monotonic() - self._since


class Run:
    """One pass over a plan. Chunks are embedded in groups, across files; a file is put whole."""

    def __init__(
        self, writer: Writer, embedder: Embedder, settings: Settings, progress: Progress
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._settings = settings
        self._progress = progress
        self._chunker = Chunker(
            embedder.count_tokens, chunk_tokens=settings.chunk_tokens, limit=embedder.text_limit
        )
        self._options = Options(_passwords(settings.passwords), settings.hidden_text)
        self._ocr = Ocr.of(settings)
        self._spool_folder = Path(settings.index) if not settings.qdrant_url else None
        self._waiting: list[tuple[_File, Chunk]] = []  # to be embedded
        self._whole: list[_File] = []  # read to the end
        self._stored = {r.content: r.file for r in writer.files() if r.chunks and r.content}
        self._embedded = 0
        self._kept = time.monotonic()

    def carry_out(self, plan: Plan) -> int:
        """Returns how many chunks were embedded."""
        self._progress.start(len(plan.read), sum(t.found.bytes for t in plan.read))
        self._name(plan.name)
        self._writer.note([touched_line(t) for t in plan.touch])
        requests = [
            Request(t.found.path, Path(t.file).stem, Path(t.root), self._options) for t in plan.read
        ]
        roots = tuple({t.root for t in plan.read})
        with closing(self._pool(roots)) as pool:  # starts no child before it is needed
            for task, parts in zip(plan.read, pool.read_all(requests, self._keep), strict=True):
                self._progress.file(task.file)
                self._take(task, parts)
                self._keep()
        self._flush()
        self._writer.remove([r.file for r in plan.remove])
        return self._embedded

    def _pool(self, roots: tuple[str, ...]) -> Pool:
        memory = self._settings.read_memory << 20
        limits = Limits(self._settings.read_timeout, memory, roots)
        return Pool(limits, worker_count(self._settings.workers), ocr=self._ocr)

    def _name(self, tasks: list[Task]) -> None:
        """Ledger lines of files that are not read, where they are not there already."""
        changed = [line for task in tasks if (line := named_line(task)) != task.former]
        self._writer.put([FileWrite(line) for line in changed if not line.chunks])
        self._writer.note([line for line in changed if line.chunks])

    # ------------------------------------------------------------------ one file

    def _take(self, task: Task, parts: Iterator[Part]) -> None:
        """All parts of a file, which is put with its group or has failed when this returns."""
        if any(other.content == task.content and len(other.spool) for other in self._whole):
            self._flush()  # a copy of it: its vectors can be lent once it is stored
        clock = _Clock()
        file: _File | None = None
        shown = 0.0
        try:
            for part in parts:
                if isinstance(part, Opening):
                    self._forget(file)
                    file = self._begin(task, part)
                elif isinstance(part, Page):
                    shown += self._show_page(task, file, shown)
                elif isinstance(part, Section) and file:
                    with clock:
                        self._waiting += [(file, chunk) for chunk in file.cutter.cut(part)]
                    if len(self._waiting) >= _EMBED_TOGETHER:
                        self._flush()
                elif isinstance(part, Ending) and file:
                    self._end(file, part, clock.seconds)
        except Unreadable as failure:
            self._forget(file)
            self._fail(task, failure, clock.seconds)
        self._progress.advance(task.found.bytes - shown, 0)

    def _begin(self, task: Task, opening: Opening) -> _File:
        cutter = self._chunker.cutter(opening.title, task.file)
        return _File(task, cutter, Spool(self._embedder.dimension, self._spool_folder), opening)

    def _show_page(self, task: Task, file: _File | None, shown: float) -> float:
        """Tells the watcher of one page; returns its share of the file's bytes."""
        pages = file.opening.pages if file else None
        share = min(task.found.bytes / pages if pages else 0.0, task.found.bytes - shown)
        self._progress.advance(share, 0)
        return share

    def _end(self, file: _File, ending: Ending, seconds: float) -> None:
        if not _as_found(file.task.found):  # changed meanwhile: the next run reads it again
            file.task = replace(file.task, content="")
        waiting = sum(other is file for other, _ in self._waiting)
        chunks = len(file.spool) + waiting
        file.record = read_line(file.task, file.opening, ending, chunks, ending.seconds + seconds)
        self._whole.append(file)
        if file.record.status not in HARMLESS:
            self._progress.problem(Problem.of(file.record))
        failpoint("ingest.read")

    def _forget(self, file: _File | None) -> None:
        """What was read of a file that failed, or begins anew."""
        if file:
            self._waiting = [(other, chunk) for other, chunk in self._waiting if other is not file]
            file.spool.close()

    def _fail(self, task: Task, failure: Unreadable, seconds: float) -> None:
        line = failed_line(
            task, failure.status, failure.detail, failure.pages, failure.seconds + seconds
        )
        if line.chunks:
            self._writer.note([line])
        else:
            self._writer.put([FileWrite(line)])
        if task.change == "renamed" and task.former:
            self._writer.remove([task.former.file])
        if line.status not in HARMLESS:
            self._progress.problem(Problem.of(line))

    # ------------------------------------------------------------------ groups

    def _flush(self) -> None:
        """Embed what waits, put what is whole."""
        if not self._waiting and not self._whole:
            return
        for (file, chunk), vector in zip(self._waiting, self._vectors(), strict=True):
            file.spool.add(chunk, vector)
        self._waiting = []
        failpoint("ingest.embedded")
        whole, self._whole = self._whole, []
        self._writer.put(
            [FileWrite(f.record, f.spool.chunks, f.spool.vectors) for f in whole if f.record]
        )
        renamed = [
            f.task.former.file for f in whole if f.task.change == "renamed" and f.task.former
        ]
        self._writer.remove(renamed)
        for file in whole:
            file.spool.close()
            if file.content:
                self._stored[file.content] = file.task.file

    def _keep(self) -> None:
        """Once a minute make sure of what there is. Called after each file, and while a slow one
        is waited for."""
        if time.monotonic() - self._kept > _CHECKPOINT_SECONDS:
            self._flush()
            self._writer.checkpoint()
            self._kept = time.monotonic()

    def _vectors(self) -> list[Vector]:
        """Vectors of all waiting chunks, in order; equal content is embedded once."""
        known = self._lent()
        # A prefix names file and page: equal text elsewhere in a document is another chunk.
        keys = [(f.content or f.task.file, c.ordinal, c.text) for f, c in self._waiting]
        fresh = {
            key: c for key, (_, c) in zip(keys, self._waiting, strict=True) if key not in known
        }
        self._progress.advance(0, len(keys) - len(fresh))
        if fresh:  # else the runtime need not even be loaded
            made = self._embedder.embed_passages(
                [embedded_text(chunk) for chunk in fresh.values()],
                on_done=lambda n: self._progress.advance(0, n),
            )
            known |= dict(zip(fresh, made, strict=True))
        self._embedded += len(fresh)
        return [known[key] for key in keys]

    def _lent(self) -> dict[tuple[str, int, str], Vector]:
        """Vectors that the index has already for waiting chunks: of renamed files and copies."""
        wanted: dict[str, set[int]] = {}
        for file, chunk in self._waiting:
            if file.content in self._stored:
                wanted.setdefault(file.content, set()).add(chunk.ordinal)
        return {
            (content, ordinal, text): vector
            for content, ordinals in wanted.items()
            for ordinal, (text, vector) in self._writer.lend(
                self._stored[content], content, sorted(ordinals)
            ).items()
        }


def _as_found(found: Found) -> bool:
    """Whether the file is still the one that was listed."""
    try:
        now = found.path.stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (found.bytes, found.mtime_ns)


def _passwords(file: str) -> tuple[str, ...]:
    """The lines of the passwords file. Raises UsageError when it cannot be read."""
    if not file:
        return ()
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"passwords file {file} cannot be read: {reason}", "a password a line, in UTF-8"
        ) from error
    return tuple(line.rstrip("\r") for line in lines if line.rstrip("\r"))
