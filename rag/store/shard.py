"""One folder of Qdrant Edge: made, opened, and never trusted to notice that it is damaged."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from rag.errors import DiskFull, IndexDamaged
from rag.store.base import IndexCounts
from rag.store.generations import copy_sparse, sizes
from rag.store.ledger import REBUILD, Ledger
from rag.words import SparseVector

#: Above this many kilobytes of vectors a segment gets an HNSW graph. Brute force answers in 4 ms
#: at 100,000 chunks (150 MB) and the graph takes 3 minutes to build, so it starts at four times
#: that.
_GRAPH_FROM_KB = 600_000

#: Share of deleted points at which a generation is compacted before it is published.
_COMPACT_AT = 0.2


def create_shard(folder: Path, dimension: int) -> Any:
    """A new, empty shard for vectors of this width."""
    folder.mkdir(parents=True)
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
                )
            },
            sparse_vectors={"words": idf, "card": idf},
            optimizers=edge.EdgeOptimizersConfig(
                indexing_threshold=_GRAPH_FROM_KB, deleted_threshold=_COMPACT_AT
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
def writable(shard: Path) -> Iterator[Path]:
    """The shard, or a private copy where it may not be written: the engine opens no other."""
    if os.access(shard, os.W_OK):
        yield shard
        return
    with tempfile.TemporaryDirectory(prefix="affidavit-") as folder:
        copy_sparse(shard, Path(folder) / "shard")
        yield Path(folder) / "shard"


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
    """The engine opens silently with fewer points when a segment is missing: compare."""
    chunks = edge.Filter(must=[match_any("kind", ["chunk"])])
    with engine_errors(index):
        stored = shard.count(edge.CountRequest(exact=True, filter=chunks))
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
