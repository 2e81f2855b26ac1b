"""The default store: Qdrant Edge, the real engine in this process, on published generations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np
import qdrant_edge as edge

from rag.errors import IndexDamaged, IndexMissing
from rag.records import FileRecord
from rag.store.base import (
    Candidate,
    FileWrite,
    IndexCounts,
    IndexMeta,
    StoredChunk,
    Vector,
    card_id,
    card_text,
    chunk_id,
    chunk_payload,
    counts_of,
    embedded_text,
    sane_vectors,
    settled,
    stored_chunk,
)
from rag.store.generations import Generations, sizes
from rag.store.ledger import REBUILD, Ledger
from rag.store.shard import (
    check_counts,
    check_sizes,
    create_shard,
    engine_errors,
    match_any,
    open_shard,
    sparse_vector,
    writable,
)
from rag.words import SparseVector, document_words

_POINTS_A_CALL = 1000


class EmbeddedReader:
    """One published generation. Any number of readers may be open, in any number of processes."""

    def __init__(self, index: Path) -> None:
        self._index = index
        with contextlib.ExitStack() as held:
            folder, lease = Generations(index).lease()
            held.enter_context(lease)
            self._ledger = held.enter_context(closing(Ledger(folder / "ledger.db")))
            self._meta = _meta(self._ledger, index)
            self._files = self._ledger.files()
            self._counts = counts_of(self._files)
            check_sizes(self._ledger, index)
            shard = held.enter_context(writable(folder / "shard"))
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


class EmbeddedWriter:
    """The one ingest of an index, working in a private copy of the newest generation."""

    def __init__(self, index: Path) -> None:
        self._index = index
        self._generations = Generations(index)
        self._lock: IO[bytes] = self._generations.lock_for_writing()
        self._ledger: Ledger | None = None
        self._shard: Any = None
        with contextlib.suppress(IndexDamaged):  # which `meta` tells
            self._generations.sweep()

    def meta(self) -> IndexMeta | None:
        if self._ledger:
            return self._ledger.meta()
        try:
            with _reading(self._index) as ledger:
                return _meta(ledger, self._index)
        except IndexMissing:
            return None

    def files(self) -> list[FileRecord]:
        if self._ledger:
            return self._ledger.files()
        try:
            with _reading(self._index) as ledger:
                return ledger.files()
        except IndexMissing:
            return []

    def set_meta(self, meta: IndexMeta) -> None:
        if self._ledger is None:
            self._begin(meta)
        self._open_ledger.set_meta(meta)

    def reset(self, meta: IndexMeta) -> None:
        """Readers keep the old index until the new one is published."""
        self._forget()
        self._begin(meta, afresh=True)
        self._open_ledger.set_meta(meta)

    def put(self, items: Sequence[FileWrite]) -> None:
        if not items:
            return
        self._begin()
        fingerprint = self._fingerprint()
        for item in items:
            sane_vectors(item, fingerprint.dimension)
        self._drop([item.record.file for item in items])
        points = (point for item in items for point in self._points(item))
        for batch in _batches(points, _POINTS_A_CALL):
            self._update(edge.UpdateOperation.upsert_points(batch))
        self._open_ledger.put(item.record for item in items)

    def note(self, records: Sequence[FileRecord]) -> None:
        if records:
            self._open_ledger.put(records)

    def remove(self, files: Sequence[str]) -> None:
        if files:
            self._begin()
            self._drop(files)
            self._open_ledger.remove(files)

    def vectors_of(self, content: str) -> dict[str, Vector]:
        self._begin()
        found: dict[str, Vector] = {}
        offset = None
        while True:
            records, offset = self._shard.scroll(
                edge.ScrollRequest(
                    offset=offset,
                    limit=_POINTS_A_CALL,
                    filter=edge.Filter(
                        must=[match_any("content", [content]), match_any("kind", ["chunk"])]
                    ),
                    with_payload=["text"],
                    with_vector=["dense"],
                )
            )
            for r in records:
                found[r.payload["text"]] = np.asarray(r.vector["dense"], dtype=np.float32)
            if offset is None:
                return found

    def publish(self) -> None:
        if self._ledger is None:  # nothing was written: the newest generation stands, if it can
            with contextlib.suppress(IndexMissing), _reading(self._index) as ledger:
                check_sizes(ledger, self._index)
            return
        folder = self._generations.work / "shard"
        with engine_errors(self._index):
            self._shard.optimize()  # compacts and builds graphs where the thresholds above say so
            self._shard.flush()
            self._shard.close()
        # The engine leaves journals behind, which the next opening works in and removes. Done
        # here, because of two readers that did it at once the second would see a part.
        self._shard = open_shard(folder, self._index)
        check_counts(self._shard, counts_of(self._ledger.files()), self._index)
        self._shard.close()
        self._ledger.set_shard_sizes(sizes(folder))
        self._ledger.close(commit=True)
        self._shard, self._ledger = None, None
        self._generations.publish()

    def close(self) -> None:
        self._forget()
        self._generations.unlock(self._lock)

    def _forget(self) -> None:
        if self._ledger:
            self._ledger.close()
            self._shard.close()
            self._shard, self._ledger = None, None

    @property
    def _open_ledger(self) -> Ledger:
        self._begin()
        assert self._ledger is not None  # noqa: S101 - _begin() opened it
        return self._ledger

    def _begin(self, meta: IndexMeta | None = None, *, afresh: bool = False) -> None:
        if self._ledger is not None:
            return
        folder = self._generations.begin(afresh=afresh)
        ledger = Ledger(folder / "ledger.db", write=True)
        try:
            known = ledger.meta() or meta
            if known is None:
                raise IndexMissing(f"no index at {self._index}", "set_meta() makes one")
            if (folder / "shard").exists():
                check_sizes(ledger, self._index)
                self._shard = open_shard(folder / "shard", self._index)
            else:
                self._shard = create_shard(folder / "shard", known.fingerprint.dimension)
        except BaseException:
            ledger.close()
            raise
        self._ledger = ledger

    def _fingerprint(self) -> Any:
        meta = self._open_ledger.meta()
        assert meta is not None  # noqa: S101 - an index begins with its meta
        return meta.fingerprint

    def _drop(self, files: Sequence[str]) -> None:
        gone = edge.Filter(must=[match_any("file", files)])
        self._update(edge.UpdateOperation.delete_points_by_filter(gone))

    def _update(self, operation: Any) -> None:
        with engine_errors(self._index):
            self._shard.update(operation)

    def _points(self, item: FileWrite) -> Iterator[edge.Point]:
        if not item.chunks or item.vectors is None:
            return
        fingerprint = self._fingerprint()
        for chunk, vector in zip(item.chunks, item.vectors, strict=True):
            yield edge.Point(
                id=chunk_id(item.record.file, item.record.content, chunk.ordinal, fingerprint),
                vector={
                    "dense": vector.tolist(),
                    "words": sparse_vector(document_words(embedded_text(chunk))),
                },
                payload=chunk_payload(item, chunk),
            )
        yield edge.Point(
            id=card_id(item.record.file),
            vector={"card": sparse_vector(document_words(card_text(item)))},
            payload={"kind": "card", "file": item.record.file},
        )


def _meta(ledger: Ledger, index: Path) -> IndexMeta:
    meta = ledger.meta()
    if meta is None:
        raise IndexDamaged(f"index {index}: its ledger is empty", REBUILD)
    return meta


@contextlib.contextmanager
def _reading(index: Path) -> Iterator[Ledger]:
    """The ledger of the current generation, held while it is read."""
    folder, lease = Generations(index).lease()
    with lease:
        ledger = Ledger(folder / "ledger.db")
        try:
            yield ledger
        finally:
            ledger.close()


def _batches(points: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for point in points:
        batch.append(point)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
