"""What an index is, whichever engine holds it.

A Reader sees one consistent state; a Writer prepares the next one and publishes it. The two
engines (`embedded`, `server`) keep the same records, ids and vectors, and one contract test
suite runs over both.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexMismatch
from rag.records import HARMLESS, Chunk, FileRecord
from rag.words import SparseVector

FORMAT = 1  # raise it when the stored form changes; an index of another format is exit 12

CHUNK_IDS = uuid.UUID("6f2b7b1e-8d0f-4a55-9a0c-2f6f3f1d6a11")

Vector = NDArray[np.float32]

#: A stored chunk that is to be used again: its text and its vector.
Lent = tuple[str, Vector]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Everything that decides what a stored chunk and its vector are."""

    model: str
    weights: str
    dimension: int
    query_prefix: str
    passage_prefix: str
    chunker: str
    words: str
    format: int = FORMAT

    def digest(self) -> str:
        """Short name of the whole; part of every chunk id."""
        return uuid.uuid5(CHUNK_IDS, repr(sorted(asdict(self).items()))).hex[:16]


@dataclass(frozen=True, slots=True)
class IndexMeta:
    fingerprint: Fingerprint
    roots: tuple[str, ...]  # absolute paths of the ingested folders

    def to_dict(self) -> dict[str, Any]:
        return {"fingerprint": asdict(self.fingerprint), "roots": list(self.roots)}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> IndexMeta:
        """Raises IndexMismatch for an index of another format."""
        try:
            fingerprint = Fingerprint(**data["fingerprint"])
        except (KeyError, TypeError) as error:
            raise other_version("this index", f"its meta is unknown: {error}") from error
        return IndexMeta(fingerprint=fingerprint, roots=tuple(data["roots"]))


def other_version(index: str, what: str) -> IndexMismatch:
    """The error for something stored that this version does not know."""
    return IndexMismatch(
        f"{index} was written by another version of Affidavit ({what})",
        "rebuild: rag ingest FOLDER --reindex",
    )


@dataclass(frozen=True, slots=True)
class IndexCounts:
    files: int
    searchable: int
    failed: int
    outdated: int  # failed, and still searchable in a former version
    partial: int
    chunks: int
    by_status: dict[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one search says of one point: its id, its file, its score (higher is better)."""

    id: str
    file: str
    score: float


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as the index holds it."""

    chunk_id: str
    file: str
    content: str
    ordinal: int
    section: int
    start: int
    page: int | None
    heading: str
    title: str
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Reader(Protocol):
    """One published state of an index. Never changes while it is open (embedded engine) and
    never mixes versions of a file (both engines)."""

    def meta(self) -> IndexMeta: ...

    def counts(self) -> IndexCounts: ...

    def files(self) -> list[FileRecord]:
        """The ledger, sorted by file."""
        ...

    def by_vector(
        self, vector: Vector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        """The chunks most similar by cosine; ``files`` restricts the search."""
        ...

    def by_words(
        self, words: SparseVector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        """The chunks that match best by BM25."""
        ...

    def by_card(
        self, words: SparseVector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        """The documents whose name and opening match best by BM25."""
        ...

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, Vector]: ...

    def chunks(self, chunk_ids: Sequence[str]) -> list[StoredChunk]:
        """Those of the chunks that exist, in the order asked for."""
        ...

    def close(self) -> None: ...


class Writer(Protocol):
    """The one writer of an index. Nothing shows before `publish` (embedded) or before the file
    is whole (server)."""

    def meta(self) -> IndexMeta | None:
        """None for an index that does not exist yet."""
        ...

    def set_meta(self, meta: IndexMeta) -> None:
        """Set or change the index's meta; the first call makes the index."""
        ...

    def reset(self, meta: IndexMeta) -> None:
        """Begin a rebuild, or take up the unfinished one of this meta where it was left.

        Readers keep the old index until `publish`. An unfinished rebuild of another meta is thrown
        away, and so is one that is damaged.
        """
        ...

    def files(self) -> list[FileRecord]: ...

    def put(self, items: Sequence[FileWrite]) -> None:
        """Add files or replace their former version, whole."""
        ...

    def note(self, records: Sequence[FileRecord]) -> None:
        """Change ledger lines alone; stored chunks of those files stay as they are."""
        ...

    def remove(self, files: Sequence[str]) -> None: ...

    def lend(self, file: str, content: str, ordinals: Sequence[int]) -> dict[int, Lent]:
        """Text and vector of these chunks of the stored version ``content`` of ``file``, by their
        ordinals; those that are not stored are left out. Equal text is embedded once by it."""
        ...

    def publish(self) -> None:
        """Make everything since the last publish visible at once; this ends a rebuild."""
        ...

    def checkpoint(self) -> None:
        """What a long run calls about every minute, so that a kill costs no more than that.

        Outside a rebuild it is `publish`. A rebuild stays hidden and is made durable: the next
        `reset` of equal meta takes it up. The first change without a `reset` throws it away.
        """
        ...

    def close(self) -> None:
        """Let go; what was not published is forgotten (embedded engine)."""
        ...


@dataclass(frozen=True, slots=True)
class FileWrite:
    """A file as it is to stand in the index. ``vectors`` has shape (len(chunks), dimension).

    Both may lie on disk and be larger than memory (a sequence that reads what is asked for, a
    memory-mapped array): they are only ever read in slices.
    """

    record: FileRecord
    chunks: Sequence[Chunk] = ()
    vectors: Vector | None = None


def chunk_id(file: str, content: str, ordinal: int, fingerprint: Fingerprint) -> str:
    """The same file, content, place and settings always give the same id."""
    return str(uuid.uuid5(CHUNK_IDS, f"{file}\0{content}\0{ordinal}\0{fingerprint.digest()}"))


def embedded_text(chunk: Chunk) -> str:
    """What the model and the word index read: the short prefix, then the text."""
    return f"{chunk.prefix}{chunk.text}"


def settled(search: Callable[[int], list[Candidate]], limit: int) -> list[Candidate]:
    """The ``limit`` best of ``search(n)``, the same ones every time.

    Engines return equal scores in any order and cut a group of equals anywhere. So equals are
    ordered by id, and the search is widened until the cut does not fall inside a group.
    """
    asked = limit + 16
    while True:
        found = sorted(search(asked), key=lambda c: (-round(c.score, 6), c.id))
        whole = len(found) < asked or round(found[-1].score, 6) < round(found[limit - 1].score, 6)
        if whole:
            return found[:limit]
        asked *= 4


def counts_of(records: Sequence[FileRecord]) -> IndexCounts:
    by_status: dict[str, int] = {}
    for record in records:
        by_status[record.status] = by_status.get(record.status, 0) + 1
    return IndexCounts(
        files=len(records),
        searchable=sum(r.searchable for r in records),
        failed=sum(r.status not in HARMLESS and r.status != "partial" for r in records),
        outdated=sum(r.outdated for r in records),
        partial=by_status.get("partial", 0),
        chunks=sum(r.chunks for r in records),
        by_status=by_status,
    )
