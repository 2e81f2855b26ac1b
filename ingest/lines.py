"""Ledger lines: what is written down about a file, whatever became of it."""

from __future__ import annotations

from dataclasses import replace

from ingest.plan import Task
from rag.records import Ending, FileRecord, FileStatus, Opening

#: Statuses with which a former version stops answering.
_ERASING = ("empty", "unsupported", "outside_folder")


def known_line(task: Task) -> FileRecord:
    """What is known of a file without reading it."""
    return FileRecord(
        file=task.file,
        root=task.root,
        bytes=task.found.bytes,
        mtime_ns=task.found.mtime_ns,
        content=task.content,
        status="indexed",
    )


def named_line(task: Task) -> FileRecord:
    """The line of a file that is not to be read."""
    status, detail = task.found.problem or ("unsupported", "no reader for this kind of file")
    return failed_line(task, status, detail, (), 0.0)


def failed_line(
    task: Task, status: FileStatus, detail: str, pages: tuple[int, ...], seconds: float
) -> FileRecord:
    """The line of a file that could not be read. Its former version stays and answers, unless the
    file is known to hold no text now, to be none of ours, or to be a link that leads nowhere."""
    former = task.former
    ours = status not in _ERASING and (status != "vanished" or not task.found.problem)
    line = replace(
        known_line(task), status=status, detail=detail, lost_pages=pages, seconds=round(seconds, 3)
    )
    if not former or not former.chunks or task.change == "renamed" or not ours:
        return line
    return replace(
        former,
        bytes=line.bytes,
        # Bytes that nobody could read are tried again by the next run, whatever their date.
        mtime_ns=line.mtime_ns if task.content else 0,
        status=status,
        detail=f"{detail} (its former version still answers)",
        lost_pages=pages,
    )


def touched_line(task: Task) -> FileRecord:
    """The line of a file whose time stamp alone has changed."""
    assert task.former is not None  # noqa: S101 - only known files are touched
    return replace(task.former, bytes=task.found.bytes, mtime_ns=task.found.mtime_ns)


def read_line(
    task: Task, opening: Opening, ending: Ending, chunks: int, seconds: float
) -> FileRecord:
    """The line of a file that was read. ``seconds``: reading and chunking."""
    return replace(
        known_line(task),
        status="partial" if ending.lost_pages else "indexed",
        detail=ending.detail,
        title=opening.title,
        reader=opening.reader,
        pages=opening.pages,
        lost_pages=ending.lost_pages,
        chunks=chunks,
        seconds=round(seconds, 3),
        hidden=ending.hidden,
    )
