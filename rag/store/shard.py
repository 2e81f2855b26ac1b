"""One folder of Qdrant Edge: made, opened, and never trusted to notice that it is damaged."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from rag.errors import DiskFull, IndexDamaged
from rag.store.base import (
    FileWrite,
    Fingerprint,
    IndexCounts,
    chunk_id,
    embedded_text,
    other_version,
)
from rag.store.compaction import COMPACT_AT, GRAPH_FROM_KB
from rag.store.folders import PASSING, copy_sparse, sizes
from rag.store.ledger import REBUILD, Ledger
from rag.store.points import card_id, card_text, chunk_payload, with_vectors
from rag.store.room import disk_full_told, free_bytes
from rag.words import SparseVector, document_words

#: The configuration has 400 bytes [measured]; what is left beside may go meanwhile.
_TO_OPEN = 2**20
_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it


def create_shard(folder: Path, dimension: int, index: Path) -> Any:
    """A new, empty shard for vectors of this width. Raises DiskFull."""
    with disk_full_told(index):
        folder.mkdir(parents=True)
    with engine_errors(index):
        return _created(folder, dimension)


def _created(folder: Path, dimension: int) -> Any:
    idf = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
    shard = edge.EdgeShard.create(
        str(folder),
        edge.EdgeConfig(
            vectors={
                "dense": edge.EdgeVectorParams(
                    size=dimension,
                    distance=edge.Distance.Cosine,
                    # half the memory to scan: 9.0 → 5.9 ms at 100,000 chunks; cosines move by
                    # less than .001, which is what AGREEMENT allows two runtimes to differ by
                    datatype=edge.VectorStorageDatatype.Float16,
                    # read where they lie: opening 100,000 chunks and the first search take .14 s
                    # instead of .29, and what is written does not fill memory with empty room
                    on_disk=True,
                )
            },
            sparse_vectors={"words": idf, "card": idf},
            optimizers=edge.EdgeOptimizersConfig(
                indexing_threshold=GRAPH_FROM_KB, deleted_threshold=COMPACT_AT
            ),
            wal_enabled=False,  # a closed shard without a log may have many readers at once
        ),
    )
    for name in ("kind", "file", "content"):
        shard.update(edge.UpdateOperation.create_field_index(name, edge.PayloadSchemaType.Keyword))
    return shard


def open_shard(folder: Path, index: Path) -> Any:
    """The shard in ``folder``. Raises IndexDamaged."""
    with engine_errors(index):
        return edge.EdgeShard.load(str(folder))


def leave_open(shard: Any) -> None:
    """Let go of a shard without what closing it writes, which on a full disk ends the process by
    SIGBUS; what it holds goes with the process."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(shard))  # or its destructor would write


@contextlib.contextmanager
def engine_errors(index: Path) -> Iterator[None]:
    """The engine's errors as ours. It raises bare Exception for everything, and what its code
    did not foresee comes as a BaseException called PanicException."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = (str(error).splitlines() or ["unknown"])[0][:160]
        if "No space left" in str(error):
            raise DiskFull(f"no room for index {index} ({reason})", "free some disk") from error
        raise IndexDamaged(f"index {index}: the engine fails ({reason})", REBUILD) from error


@contextlib.contextmanager
def openable(shard: Path) -> Iterator[Path]:
    """The shard, or a stand-in for it: the engine opens none whose configuration it cannot write
    anew. So one that may not be written is copied, and on a full disk a folder in memory holds
    the configuration and leads to the rest."""
    if not os.access(shard, os.W_OK):
        with tempfile.TemporaryDirectory(prefix="affidavit-") as folder:
            copy_sparse(shard, Path(folder) / "shard")
            yield Path(folder) / "shard"
    elif free_bytes(shard) < _TO_OPEN and os.access(_MEMORY, os.W_OK):
        with tempfile.TemporaryDirectory(prefix="affidavit-", dir=_MEMORY) as folder:
            for place in shard.iterdir():
                if place.is_file():
                    shutil.copy(place, folder)
                elif not place.name.startswith(PASSING):
                    (Path(folder) / place.name).symlink_to(place.absolute())
            yield Path(folder)
    else:
        yield shard


def check_sizes(ledger: Ledger, index: Path) -> None:
    """The engine opens silently without some of its files, or with half of one: compare.

    Of 171 damages (each file of a small shard removed, emptied, halved) the engine reported 48,
    panicked at 20, and opened without a word after the others [measured].
    """
    kept = ledger.shard_sizes()
    if not kept:
        raise IndexDamaged(f"index {index}: the list of its files is lost", REBUILD)
    damaged = sorted(kept.items() - sizes(ledger.path.parent / "shard").items())
    if damaged:
        raise IndexDamaged(f"index {index}: {damaged[0][0]} is missing or was cut", REBUILD)


def check_counts(shard: Any, counts: IndexCounts, index: Path) -> None:
    """The engine opens silently with fewer points when a segment is missing: compare. Points of
    a kind that this version does not know are not damage but another version's."""
    known = edge.Filter(must=[match_any("kind", ["chunk"])])
    strange = edge.Filter(must_not=[match_any("kind", ["chunk", "card"])])
    with engine_errors(index):
        stored = shard.count(edge.CountRequest(exact=True, filter=known))
        others = shard.count(edge.CountRequest(exact=True, filter=strange))
    if others:
        raise other_version(f"index {index}", f"{others} points of an unknown kind")
    if stored != counts.chunks:
        raise IndexDamaged(
            f"index {index}: {stored} chunks stored, {counts.chunks} in the ledger", REBUILD
        )


def match_any(key: str, values: Sequence[str]) -> edge.FieldCondition:
    """True for points whose ``key`` is one of the values."""
    return edge.FieldCondition(key=key, match=edge.MatchAny(list(values)))


def sparse_vector(words: SparseVector) -> edge.SparseVector:
    """Our words in the engine's form."""
    return edge.SparseVector(indices=list(words.indices), values=list(words.values))


def points_of(item: FileWrite, fingerprint: Fingerprint) -> Iterator[edge.Point]:
    """The file's chunks in the engine's form, then its card; nothing for one without chunks."""
    for chunk, vector in with_vectors(item):
        yield edge.Point(
            id=chunk_id(item.record.file, item.record.content, chunk.ordinal, fingerprint),
            vector={
                "dense": vector.tolist(),
                "words": sparse_vector(document_words(embedded_text(chunk))),
            },
            payload=chunk_payload(item, chunk),
        )
    if len(item.chunks):
        yield edge.Point(
            id=card_id(item.record.file),
            vector={"card": sparse_vector(document_words(card_text(item)))},
            payload={"kind": "card", "file": item.record.file},
        )
