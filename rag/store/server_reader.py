"""Reading an index on a Qdrant server: every answer from one whole state of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from rag.errors import IndexMismatch
from rag.records import FileRecord
from rag.settings import Settings
from rag.store.base import (
    Candidate,
    IndexCounts,
    IndexMeta,
    StoredChunk,
    Vector,
    counts_of,
    settled,
)
from rag.store.server_points import Collection, dense_name
from rag.store.server_records import check_counts, check_kinds, chunk_of, missing, records_where
from rag.store.server_state import State, read_state, visible
from rag.words import SparseVector

T = TypeVar("T")


class ServerReader:
    """The index as it is now: a long-lived reader sees each change, and sees it whole.

    One call never mixes two versions of a file and never misses it between two. Two calls may
    see different states: then `chunks` returns fewer than it was asked for.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._state = self._current()
        self._meta = self._state.meta()
        self._dense = dense_name(self._meta.fingerprint.dimension)
        self._ledger: tuple[int, list[FileRecord]] = (-1, [])  # with its epoch
        check_kinds(collection, self._state)
        records, stored = self._steady(lambda state: (self._records(state), self._chunks(state)))
        check_counts(collection, records, stored)

    @classmethod
    def connect(cls, settings: Settings) -> ServerReader:
        """Raises IndexMissing, IndexMismatch, IndexDamaged or StoreUnavailable."""
        collection = Collection(settings)
        try:
            if collection.widths() is None:
                raise missing(collection)
            return cls(collection)
        except BaseException:
            collection.close()
            raise

    def meta(self) -> IndexMeta:
        return self._state.meta()

    def counts(self) -> IndexCounts:
        return counts_of(self.files())

    def files(self) -> list[FileRecord]:
        return list(self._steady(self._records))

    def by_vector(
        self, vector: Vector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        return self._nearest(vector, self._dense, limit, files)

    def by_words(
        self, words: SparseVector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        return self._nearest(words, "words", limit, files) if words.indices else []

    def by_card(
        self, words: SparseVector, *, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        return self._nearest(words, "card", limit, files) if words.indices else []

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, Vector]:
        def read(state: State) -> dict[str, Vector]:
            where = visible(state, kind=["chunk"], id=chunk_ids)
            rows = self._collection.scroll(where, ["id"], dense=self._dense)
            return {payload["id"]: vector for payload, vector in rows}

        return self._steady(read) if chunk_ids else {}

    def chunks(self, chunk_ids: Sequence[str]) -> list[StoredChunk]:
        def read(state: State) -> dict[str, StoredChunk]:
            rows = self._collection.scroll(visible(state, kind=["chunk"], id=chunk_ids))
            return {payload["id"]: chunk_of(self._collection, payload) for payload, _ in rows}

        found = self._steady(read) if chunk_ids else {}
        return [found[i] for i in chunk_ids if i in found]

    def close(self) -> None:
        self._collection.close()

    def _nearest(
        self, query: Vector | SparseVector, using: str, limit: int, files: Sequence[str] | None
    ) -> list[Candidate]:
        only = {} if files is None else {"file": files}

        def search(state: State) -> list[Candidate]:
            where = visible(state, **only)

            def nearest(n: int) -> list[Candidate]:
                rows = self._collection.query(query, using, where, n, ["id", "file"])
                return [Candidate(p["id"], p["file"], score) for p, score in rows]

            return settled(nearest, limit)

        return [] if files is not None and not files else self._steady(search)

    def _steady(self, read: Callable[[State], T]) -> T:
        """What ``read`` finds at one epoch.

        A writer deletes what an epoch showed only after it has moved on to the next. So if the
        epoch is the same after reading, all that it shows was there; if not, read again.
        """
        patience = time.monotonic() + self._collection.connection.timeout
        while True:
            before = self._state
            found = read(before)
            self._state = self._current()
            if self._state.epoch == before.epoch:
                return found
            if self._state.meta().fingerprint != self._meta.fingerprint:
                raise IndexMismatch(
                    f"collection {self._collection.name} at {self._collection.url} was rebuilt "
                    "with other settings since it was opened",
                    "open it again",
                )
            if time.monotonic() > patience:
                raise self._collection.connection.unavailable(
                    f"changes {self._collection.name} faster than it can be read",
                    "ask again when the ingest is done",
                )

    def _current(self) -> State:
        state = read_state(self._collection)
        if state is None:
            raise missing(self._collection)
        return state

    def _records(self, state: State) -> list[FileRecord]:
        if self._ledger[0] != state.epoch:
            where = visible(state, kind=["file"])
            self._ledger = (state.epoch, records_where(self._collection, where))
        return self._ledger[1]

    def _chunks(self, state: State) -> int:
        return self._collection.count(visible(state, kind=["chunk"]))
