"""What has to happen so that the index equals the folder: found files against the ledger."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from ingest.discover import Found, discover
from ingest.readers import largest, supported
from rag.errors import UsageError
from rag.records import HARMLESS, FileRecord

Change = Literal["new", "updated", "renamed", "unchanged"]


@dataclass(frozen=True, slots=True)
class Task:
    """One found file and what is to be done with it.

    ``content`` is its sha256 where it had to be read to tell; ``former`` the ledger's line for the
    same name (or, for a renamed file, for its old name).
    """

    found: Found
    root: str
    file: str
    change: Change
    content: str = ""
    former: FileRecord | None = None


@dataclass
class Plan:
    """Disjoint lists; together ``read``, ``touch``, ``keep`` and ``name`` are all files found.

    What lies below a folder that cannot be listed is in none of them: nothing is known about it,
    and its lines stay.
    """

    read: list[Task] = field(default_factory=list)  # parse, and embed what is new
    touch: list[Task] = field(default_factory=list)  # same content, another time stamp
    keep: list[Task] = field(default_factory=list)  # nothing to do
    name: list[Task] = field(default_factory=list)  # not to be read: only a ledger line
    remove: list[FileRecord] = field(default_factory=list)

    @property
    def found(self) -> int:
        return len(self.read) + len(self.touch) + len(self.keep) + len(self.name)

    def accounts_for(self, file: str) -> bool:
        """Whether an indexed file is still there: under its name or another, or in a folder that
        cannot be listed."""
        return file in self._names or file.startswith(self._closed)

    @cached_property
    def _names(self) -> set[str]:
        tasks = (*self.read, *self.touch, *self.keep, *self.name)
        renamed = {t.former.file for t in self.read if t.change == "renamed" and t.former}
        return {t.file for t in tasks} | renamed

    @cached_property
    def _closed(self) -> tuple[str, ...]:
        return tuple(t.file for t in self.name if t.file.endswith("/"))


def make_plan(
    roots: Sequence[str], ledger: Iterable[FileRecord], *, skip: Path, retry_failed: bool = False
) -> Plan:
    """Compare the folders with the ledger. Reads the bytes of new and changed files alone."""
    known = {record.file: record for record in ledger}
    plan = Plan()
    fresh: list[Task] = []
    closed: list[str] = []  # folders that cannot be listed, with «/»
    for root, file, found in _walk(roots, skip):
        former = known.pop(file, None)
        if not found.problem and found.bytes > largest(file):
            size = f"{found.bytes:,} bytes, the limit is {largest(file):,}"
            found = replace(found, problem=("too_large", size))
        task = Task(found, root, file, "updated" if former else "new", "", former)
        if found.problem or not supported(file):
            plan.name.append(task)
            if file.endswith("/"):
                closed.append(file)
        elif former and _looks_same(found, former) and _settled(former, retry_failed):
            plan.keep.append(replace(task, change="unchanged", content=former.content))
        else:
            fresh.append(task)
    gone = {f: r for f, r in known.items() if not f.startswith(tuple(closed))}
    gone_by_content: dict[str, list[FileRecord]] = defaultdict(list)
    for record in gone.values():
        if record.content and record.searchable:
            gone_by_content[record.content].append(record)
    for task in fresh:
        _decide(task, gone_by_content, gone, plan, retry_failed=retry_failed)
    plan.remove = sorted(gone.values(), key=lambda record: record.file)
    return plan


def _decide(
    task: Task,
    gone_by_content: dict[str, list[FileRecord]],
    gone: dict[str, FileRecord],
    plan: Plan,
    *,
    retry_failed: bool,
) -> None:
    """Where a file goes whose content has to be looked at."""
    task = replace(task, content=sha256(task.found.path))
    former = task.former
    # The line of a failed update keeps the content of the version that still answers: it says
    # nothing about the bytes that are there now.
    whole = former and former.status in ("indexed", "partial", "empty")
    if former and whole and former.content == task.content and _settled(former, retry_failed):
        plan.touch.append(replace(task, change="unchanged"))
        return
    if not former and gone_by_content.get(task.content):
        former = gone_by_content[task.content].pop(0)
        del gone[former.file]
        task = replace(task, change="renamed", former=former)
    plan.read.append(task)


def _settled(former: FileRecord, retry_failed: bool) -> bool:
    """Whether a file whose bytes are the same needs no second reading."""
    return former.status in HARMLESS or not retry_failed


def _walk(roots: Sequence[str], skip: Path) -> Iterator[tuple[str, str, Found]]:
    """(root, name in the index, found); with several folders the folder's name comes first."""
    names = [Path(root).name for root in roots]
    if len(set(names)) < len(names):
        raise UsageError(
            f"two ingested folders are both called «{max(names, key=names.count)}»",
            "rename one, or give it an index of its own",
        )
    for root, name in zip(roots, names, strict=True):
        for found in discover(Path(root), skip=[skip]):
            yield root, f"{name}/{found.file}" if len(roots) > 1 else found.file, found


def _looks_same(found: Found, former: FileRecord) -> bool:
    return (found.bytes, found.mtime_ns) == (former.bytes, former.mtime_ns) and bool(former.content)


def sha256(path: Path) -> str:
    """Digest of the file's bytes; "" when it cannot be read (reading it will say why)."""
    digest = hashlib.sha256()
    try:
        # A pipe that has taken the file's place since it was listed would hold us here for ever.
        with open(path, "rb", opener=_without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return ""
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
