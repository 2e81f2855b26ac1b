"""Make the index equal the folder: discover → plan → read → chunk → embed → put → publish."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from ingest.chunker import CHUNKER_VERSION
from ingest.lines import known_line, named_line
from ingest.plan import Plan, make_plan
from ingest.report import IngestReport, Problem, Progress, Silent
from ingest.run import Run
from rag.embedder import Embedder
from rag.errors import ConfirmationNeeded, IndexDamaged, IndexMismatch, IndexMissing, UsageError
from rag.failpoints import failpoint
from rag.fingerprint import fingerprint_of, must_match
from rag.records import HARMLESS, FileRecord
from rag.settings import Settings
from rag.store import open_writer
from rag.store.base import IndexMeta, Writer

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
        new = IndexMeta(fingerprint, roots)
        known: list[FileRecord] = [] if reindex else ledger
        if reindex and not dry_run:
            writer.reset(new)
            known = writer.files()  # of a rebuild that was stopped
        plan = make_plan(roots, known, skip=Path(settings.index), retry_failed=retry_failed)
        if meta is None and not plan.found:
            raise UsageError(
                f"folder {', '.join(roots)} holds no files", "give a folder of documents"
            )
        doubts = [] if yes else _doubts(plan, ledger, roots)
        if doubts and not dry_run:
            raise doubts[0]
        report = IngestReport(notices=[f"it would stop and ask: {doubt}" for doubt in doubts])
        if not dry_run:
            if not reindex and meta != new:
                writer.set_meta(new)
            failpoint("ingest.planned")
            run = Run(writer, embedder, settings, progress or Silent())
            report.embedded = run.carry_out(plan)
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


def _doubts(
    plan: Plan, ledger: list[FileRecord], roots: tuple[str, ...]
) -> list[ConfirmationNeeded]:
    """Why this may not be meant: a folder has lost most of its files, as when a disk is not
    mounted. Each folder is looked at on its own: a small one is as easily lost as a large one."""
    doubts = []
    for root in roots:
        here = [r for r in ledger if r.root == root and r.searchable]
        gone = sum(not plan.accounts_for(r.file) for r in here)
        if gone > len(here) * _VANISHED:
            problem = f"{gone} of {len(here)} indexed files have vanished from {root}"
            remedy = "is the folder mounted? If they are meant to go: --yes"
            doubts.append(ConfirmationNeeded(problem, remedy))
    return doubts


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
