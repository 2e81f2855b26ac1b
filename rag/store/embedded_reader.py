"""Reading an index in a folder: one published generation, which never changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge

from rag.errors import IndexDamaged
from rag.records import FileRecord
from rag.store.base import (
    Candidate,
    IndexCounts,
    IndexMeta,
    StoredChunk,
    Vector,
    counts_of,
    settled,
)
from rag.store.generations import Generations
from rag.store.ledger import REBUILD, Ledger
from rag.store.points import stored_chunk
from rag.store.shard import (
    check_counts,
    check_sizes,
    engine_errors,
    match_any,
    open_shard,
    openable,
    sparse_vector,
)
from rag.words import SparseVector


class EmbeddedReader:
    """One published generation. Any number of readers may be open, in any number of processes."""

    def __init__(self, index: Path) -> None:
        self._index = index
        with contextlib.ExitStack() as held:
            folder, lease = Generations(index).lease()
            held.enter_context(lease)
            self._ledger = held.enter_context(closing(Ledger(folder / "ledger.db")))
            self._meta = meta_of(self._ledger, index)
            self._files = self._ledger.files()
            self._counts = counts_of(self._files)
            check_sizes(self._ledger, index)
            shard = held.enter_context(openable(folder / "shard"))
            self._shard = held.enter_context(closing(open_shard(shard, index)))
            check_counts(self._shard, self._counts, index)
            self._held = held.pop_all()

    def meta(self) -> IndexMeta:
        return self._meta

    def counts(self) -> IndexCounts:
        return self._counts

    def files(self) -> list[FileRecord]:
        return list(self._files)

    def by_vector(
        self, vector: Vector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        return self._nearest(edge.Query.Nearest(vector.tolist(), using="dense"), limit, files)

    def by_words(
        self, words: SparseVector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        if not words.indices:
            return []
        return self._nearest(edge.Query.Nearest(sparse_vector(words), using="words"), limit, files)

    def by_card(
        self, words: SparseVector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        if not words.indices:
            return []
        return self._nearest(edge.Query.Nearest(sparse_vector(words), using="card"), limit, files)

    def _nearest(self, query: Any, limit: int, files: Sequence[str] | None) -> list[Candidate]:
        only = None if files is None else edge.Filter(must=[match_any("file", files)])

        def search(n: int) -> list[Candidate]:
            # the whole payload: picking one field of it takes the engine twice as long
            with engine_errors(self._index):
                points = self._shard.query(
                    edge.QueryRequest(limit=n, query=query, filter=only, with_payload=True)
                )
            return [Candidate(str(p.id), p.payload["file"], p.score) for p in points]

        return settled(search, limit)

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, Vector]:
        with engine_errors(self._index):
            records = self._shard.retrieve(
                list(chunk_ids), with_payload=False, with_vector=["dense"]
            )
        return {str(r.id): np.asarray(r.vector["dense"], dtype=np.float32) for r in records}

    def chunks(self, chunk_ids: Sequence[str]) -> list[StoredChunk]:
        with engine_errors(self._index):
            records = self._shard.retrieve(list(chunk_ids), with_payload=True, with_vector=False)
        found = {str(r.id): stored_chunk(r.id, r.payload) for r in records}
        return [found[i] for i in chunk_ids if i in found]

    def close(self) -> None:
        self._held.close()


def meta_of(ledger: Ledger, index: Path) -> IndexMeta:
    """What the ledger of a generation says the index is. Raises IndexDamaged."""
    meta = ledger.meta()
    if meta is None:
        raise IndexDamaged(f"index {index}: its ledger is empty", REBUILD)
    return meta


@contextlib.contextmanager
def reading(index: Path) -> Iterator[Ledger]:
    """The ledger of the current generation, held while it is read."""
    folder, lease = Generations(index).lease()
    with lease:
        ledger = Ledger(folder / "ledger.db")
        try:
            yield ledger
        finally:
            ledger.close()
