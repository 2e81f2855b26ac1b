"""What has to happen so that the index equals the folder: found files against the ledger."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingest.discover import Found, discover
from ingest.readers import supported
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


@dataclass(slots=True)
class Plan:
    """Disjoint lists; together ``read``, ``touch``, ``keep`` and ``name`` are all files found."""

    read: list[Task] = field(default_factory=list)  # parse, and embed what is new
    touch: list[Task] = field(default_factory=list)  # same content, another time stamp
    keep: list[Task] = field(default_factory=list)  # nothing to do
    name: list[Task] = field(default_factory=list)  # not to be read: only a ledger line
    remove: list[FileRecord] = field(default_factory=list)

    def vanished_share(self, ledger: Sequence[FileRecord]) -> float:
        """Share of the indexed files that are gone."""
        indexed = sum(r.searchable for r in ledger)
        return sum(r.searchable for r in self.remove) / indexed if indexed else 0.0


def make_plan(
    roots: Sequence[str], ledger: Iterable[FileRecord], *, skip: Path, retry_failed: bool = False
) -> Plan:
    """Compare the folders with the ledger. Reads the bytes of new and changed files, nothing else."""
    known = {record.file: record for record in ledger}
    plan = Plan()
    fresh: list[Task] = []
    for root, file, found in _walk(roots, skip):
        former = known.pop(file, None)
        if found.problem or not supported(file):
            plan.name.append(Task(found, root, file, "updated" if former else "new", "", former))
        elif former and _looks_same(found, former):
            again = retry_failed and former.status not in HARMLESS
            task = Task(found, root, file, "unchanged", former.content, former)
            (plan.read if again else plan.keep).append(task)
        else:
            fresh.append(Task(found, root, file, "updated" if former else "new", "", former))
    gone_by_content: dict[str, list[FileRecord]] = defaultdict(list)
    for record in known.values():
        if record.content and record.searchable:
            gone_by_content[record.content].append(record)
    for task in fresh:
        _decide(task, gone_by_content, known, plan)
    plan.remove = sorted(known.values(), key=lambda record: record.file)
    return plan


def _decide(
    task: Task, gone: dict[str, list[FileRecord]], known: dict[str, FileRecord], plan: Plan
) -> None:
    content = sha256(task.found.path)
    former = task.former
    if former and content and former.content == content and former.searchable:
        plan.touch.append(Task(task.found, task.root, task.file, "unchanged", content, former))
    elif not former and gone.get(content):
        old = gone[content].pop(0)
        known.pop(old.file)
        plan.read.append(Task(task.found, task.root, task.file, "renamed", content, old))
    else:
        plan.read.append(Task(task.found, task.root, task.file, task.change, content, former))


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
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()
