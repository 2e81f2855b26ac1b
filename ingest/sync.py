"""Make the index equal the folder: discover → plan → read → chunk → embed → put → publish."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingest.chunker import CHUNKER_VERSION, Chunker
from ingest.discover import Found
from ingest.lines import failed_line, known_line, named_line, read_line, touched_line
from ingest.plan import Plan, Task, make_plan
from ingest.readers import Unreadable, read
from ingest.report import IngestReport, Problem, Progress, Silent
from rag.embedder import Embedder
from rag.errors import ConfirmationNeeded, IndexDamaged, IndexMismatch, IndexMissing, UsageError
from rag.fingerprint import fingerprint_of, must_match
from rag.records import HARMLESS, Chunk, FileRecord
from rag.settings import Settings
from rag.store import open_writer
from rag.store.base import FileWrite, IndexMeta, Vector, Writer, embedded_text

#: Chunks embedded together: enough to sort by length, few enough to show progress.
_EMBED_TOGETHER = 256

#: A long run publishes what it has this often, so that it can be asked and a kill costs a minute.
_CHECKPOINT_SECONDS = 60.0

#: More than this share of the indexed files gone looks like a disk that is not mounted.
_VANISHED = 0.5


def ingest(
    folder: str | Path | None,
    settings: Settings,
    *,
    add: bool = False,
    dry_run: bool = False,
    retry_failed: bool = False,
    reindex: bool = False,
    yes: bool = False,
    progress: Progress | None = None,
) -> IngestReport:
    """Sync ``folder`` (or every folder the index knows) into the index the settings name.

    Raises UsageError for a missing, empty or foreign folder, IndexMismatch when the index was
    built with another model or chunker, ConfirmationNeeded when more than half of the indexed
    files are gone. With ``reindex`` an index of other settings, or a damaged one, is replaced.
    """
    started = time.monotonic()
    _must_exist(folder)
    with closing(open_writer(settings)) as writer:
        meta, ledger = _as_it_is(writer, spare=reindex and folder is not None)
        roots = _roots(folder, meta, add=add)
        embedder = Embedder(settings)
        fingerprint = fingerprint_of(embedder, f"{CHUNKER_VERSION}-{settings.chunk_tokens}")
        if meta and not reindex:
            must_match(meta.fingerprint, fingerprint, settings)
        plan = make_plan(
            roots,
            [] if reindex else ledger,
            skip=Path(settings.index),
            retry_failed=retry_failed,
        )
        _must_be_meant(plan, ledger, roots, new=meta is None, sure=yes or dry_run)
        report = IngestReport()
        if not dry_run:
            if reindex:
                writer.reset(IndexMeta(fingerprint, roots))
            elif meta is None or meta.roots != roots:
                writer.set_meta(IndexMeta(fingerprint, roots))
            _Run(writer, embedder, settings, report, progress or Silent()).carry_out(plan)
            writer.publish()
            ledger = writer.files()
        _count(plan, ledger, report, dry_run=dry_run)
    report.seconds = time.monotonic() - started
    return report


def _as_it_is(writer: Writer, *, spare: bool) -> tuple[IndexMeta | None, list[FileRecord]]:
    """Meta and ledger of the index; with ``spare`` nothing of one that cannot be read, since it
    is going to be replaced."""
    try:
        return writer.meta(), writer.files()
    except (IndexDamaged, IndexMismatch):
        if not spare:
            raise
        return None, []


def _must_be_meant(
    plan: Plan, ledger: list[FileRecord], roots: tuple[str, ...], *, new: bool, sure: bool
) -> None:
    """Stop before an index is made of nothing, or emptied because a disk is not mounted."""
    folders = ", ".join(roots)
    if new and not plan.found:
        raise UsageError(f"folder {folders} holds no files", "give a folder of documents")
    indexed = sum(r.searchable for r in ledger)
    gone = indexed if not plan.found else sum(r.searchable for r in plan.remove)
    if gone > indexed * _VANISHED and not sure:
        raise ConfirmationNeeded(
            f"{gone} of {indexed} indexed files have vanished from {folders}",
            "is the folder mounted? If they are meant to go: --yes",
        )


def _must_exist(folder: str | Path | None) -> None:
    """Say so before a model is loaded or a lock taken."""
    if folder is not None and not Path(folder).is_dir():
        what = "is not a folder" if Path(folder).exists() else "does not exist"
        raise UsageError(f"folder {folder} {what}", "give a folder of documents")


def _roots(folder: str | Path | None, meta: IndexMeta | None, *, add: bool) -> tuple[str, ...]:
    """The folders to sync. An index remembers its folders and is not fed another by accident."""
    known = meta.roots if meta else ()
    if folder is None:
        if not known:
            raise IndexMissing("no folder given and no index that knows one", "rag ingest FOLDER")
        for root in known:
            _must_exist(root)
        return known
    wanted = str(Path(folder).resolve())
    if wanted.encode(errors="replace").decode() != wanted:
        raise UsageError(f"folder {wanted!a} has a name that is not UTF-8", "rename it")
    if not known or wanted in known:
        return known or (wanted,)
    if not add:
        raise UsageError(
            f"this index belongs to {', '.join(known)}, not to {wanted}",
            "add the folder with --add, or give it another --index",
        )
    for root in known:
        if Path(wanted).is_relative_to(root) or Path(root).is_relative_to(wanted):
            raise UsageError(
                f"folder {wanted} overlaps with {root}: files would be in the index twice",
                "give it an index of its own",
            )
    return (*known, wanted)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A file read and chunked, waiting to be embedded."""

    task: Task
    record: FileRecord
    chunks: tuple[Chunk, ...]


class _Run:
    """One pass over a plan. Files are embedded in groups; a group is written whole."""

    def __init__(
        self,
        writer: Writer,
        embedder: Embedder,
        settings: Settings,
        report: IngestReport,
        progress: Progress,
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._report = report
        self._progress = progress
        self._chunker = Chunker(
            embedder.count_tokens, chunk_tokens=settings.chunk_tokens, limit=embedder.text_limit
        )
        self._ready: list[_Ready] = []
        self._stored = {r.content for r in writer.files() if r.chunks}
        self._published = time.monotonic()

    def carry_out(self, plan: Plan) -> None:
        self._progress.start(len(plan.read), sum(t.found.bytes for t in plan.read))
        self._name(plan.name)
        self._writer.note([touched_line(t) for t in plan.touch])
        for task in plan.read:
            self._progress.file(task.file)
            self._take(task)
            if sum(len(r.chunks) for r in self._ready) >= _EMBED_TOGETHER:
                self._write()
        self._write()
        self._writer.remove([r.file for r in plan.remove])

    def _name(self, tasks: list[Task]) -> None:
        """Ledger lines of files that are not read, where they are not there already."""
        changed = [line for task in tasks if (line := named_line(task)) != task.former]
        self._writer.put([FileWrite(line) for line in changed if not line.chunks])
        self._writer.note([line for line in changed if line.chunks])

    def _take(self, task: Task) -> None:
        started = time.monotonic()
        try:
            document = read(task.found.path, title=Path(task.file).stem)
            chunks = tuple(self._chunker.chunk(document, task.file))
        except Unreadable as failure:
            self._fail(task, failure, time.monotonic() - started)
            return
        if not _as_found(task.found):
            task = replace(task, content="")  # changed meanwhile: the next run reads it again
        record = read_line(task, document, chunks, time.monotonic() - started)
        if record.content in {r.record.content for r in self._ready}:
            self._write()  # a copy within the group: let the first one be embedded
        self._ready.append(_Ready(task, record, chunks))

    def _fail(self, task: Task, failure: Unreadable, seconds: float) -> None:
        self._progress.advance(task.found.bytes, 0)
        line = failed_line(task, failure.status, failure.detail, failure.pages, seconds)
        if line.chunks:
            self._writer.note([line])
        else:
            self._writer.put([FileWrite(line)])
        if task.change == "renamed" and task.former:
            self._writer.remove([task.former.file])
        if line.status not in HARMLESS:
            self._progress.problem(Problem.of(line))

    def _write(self) -> None:
        if not self._ready:
            return
        vectors = self._vectors()
        writes = []
        offset = 0
        for ready in self._ready:
            own = vectors[offset : offset + len(ready.chunks)]
            offset += len(ready.chunks)
            writes.append(FileWrite(ready.record, ready.chunks, own if len(own) else None))
            if ready.record.status not in HARMLESS:
                self._progress.problem(Problem.of(ready.record))
        self._writer.put(writes)
        renamed = [
            r.task.former.file for r in self._ready if r.task.change == "renamed" and r.task.former
        ]
        self._writer.remove(renamed)
        self._stored.update(r.record.content for r in self._ready)
        self._ready = []
        if time.monotonic() - self._published > _CHECKPOINT_SECONDS:
            self._writer.publish()
            self._published = time.monotonic()

    def _vectors(self) -> Vector:
        """Vectors of all waiting chunks, in order; equal text of equal content is embedded once."""
        known: dict[tuple[str, str], Vector] = {}  # by content and text: a prefix tells files apart
        for content in {r.record.content for r in self._ready} & self._stored:
            known |= {(content, t): v for t, v in self._writer.vectors_of(content).items()}
        chunks = [c for r in self._ready for c in r.chunks]
        keys = [(r.record.content, c.text) for r in self._ready for c in r.chunks]
        fresh = [i for i, key in enumerate(keys) if key not in known]
        weight = sum(r.task.found.bytes for r in self._ready) / max(1, len(chunks))
        self._progress.advance(weight * (len(chunks) - len(fresh)), len(chunks) - len(fresh))
        made = self._embedder.embed_passages(
            [embedded_text(chunks[i]) for i in fresh],
            on_done=lambda n: self._progress.advance(weight * n, n),
        )
        self._report.embedded += len(fresh)
        vectors = np.zeros((len(chunks), self._embedder.dimension), dtype=np.float32)
        vectors[fresh] = made
        for i, key in enumerate(keys):
            if key in known:
                vectors[i] = known[key]
        return vectors


def _as_found(found: Found) -> bool:
    """Whether the file is still the one that was listed."""
    try:
        now = found.path.stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (found.bytes, found.mtime_ns)


def _count(plan: Plan, ledger: list[FileRecord], report: IngestReport, *, dry_run: bool) -> None:
    """Fill in the disjoint counters, the chunks and the problems, old and new. A dry run has not
    read the files that it would read, and takes them for readable."""
    lines = {record.file: record for record in ledger}
    report.chunks = sum(record.chunks for record in ledger)
    if dry_run:
        lines |= {t.file: known_line(t) for t in plan.read} | {
            t.file: named_line(t) for t in plan.name
        }
    for task in (*plan.read, *plan.touch, *plan.keep, *plan.name):
        record = lines[task.file]
        if record.status in HARMLESS:
            counter: str = "unsupported" if record.status == "unsupported" else task.change
        else:
            counter = "partial" if record.status == "partial" else "failed"
            report.problems.append(Problem.of(record))
        report.files[counter] += 1
    report.files["found"] = plan.found
    report.files["removed"] = len(plan.remove)
    report.problems.sort(key=lambda p: p.file)
