"""The default store: Qdrant Edge, the real engine in this process, on published generations."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np
import qdrant_edge as edge

from rag.errors import DiskFull, IndexDamaged, IndexMismatch, IndexMissing
from rag.failpoints import failpoint
from rag.records import FileRecord
from rag.store.base import FileWrite, Fingerprint, IndexMeta, Lent, chunk_id, counts_of
from rag.store.compaction import compact, is_due
from rag.store.embedded_reader import EmbeddedReader, meta_of, reading
from rag.store.folders import apparent, fill_holes, punch_holes, sizes
from rag.store.generations import Generations
from rag.store.ledger import Ledger
from rag.store.points import POINTS_A_CALL, batches, sane_vectors
from rag.store.room import MARGIN, disk_full_told, free_bytes, must_have_room
from rag.store.shard import (
    check_counts,
    check_sizes,
    create_shard,
    engine_errors,
    leave_open,
    match_any,
    open_shard,
    points_of,
)

__all__ = ["EmbeddedReader", "EmbeddedWriter"]


class EmbeddedWriter:
    """The one ingest of an index, working in a private copy of the newest generation.

    Every change raises DiskFull when the disk is too full to be sure of it; nothing is lost by
    it but what was not published or put aside.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._generations = Generations(index)
        self._lock: IO[bytes] = self._generations.lock_for_writing()
        self._ledger: Ledger | None = None  # with the shard, while a private copy is open
        self._shard: Any = None
        self._rebuilding = False  # the private copy is of a rebuild, not of what is published
        with contextlib.suppress(IndexDamaged):  # which `meta` tells
            self._generations.sweep()

    def meta(self) -> IndexMeta | None:
        if self._at_work:
            return self._open_ledger.meta()
        try:
            with reading(self._index) as ledger:
                return meta_of(ledger, self._index)
        except IndexMissing:
            return None

    def files(self) -> list[FileRecord]:
        if self._at_work:
            return self._open_ledger.files()
        try:
            with reading(self._index) as ledger:
                return ledger.files()
        except IndexMissing:
            return []

    def set_meta(self, meta: IndexMeta) -> None:
        self._begin(meta)
        self._open_ledger.set_meta(meta)

    def reset(self, meta: IndexMeta) -> None:
        self._forget()
        self._rebuilding = True
        if not self._take_up(meta):
            self._generations.drop_parked()
            self._open(None, meta)
            self._open_ledger.set_meta(meta)

    def put(self, items: Sequence[FileWrite]) -> None:
        if not items:
            return
        fingerprint = self._fingerprint()
        for item in items:
            sane_vectors(item, fingerprint.dimension)
        self._drop([item.record.file for item in items])
        failpoint("embedded.dropped")
        points = (point for item in items for point in points_of(item, fingerprint))
        for batch in batches(points, POINTS_A_CALL):
            self._update(edge.UpdateOperation.upsert_points(batch))
        failpoint("embedded.upserted")
        self._open_ledger.put(item.record for item in items)
        failpoint("embedded.noted")

    def note(self, records: Sequence[FileRecord]) -> None:
        if records:
            self._open_ledger.put(records)

    def remove(self, files: Sequence[str]) -> None:
        if files:
            ledger = self._open_ledger
            self._drop(files)
            ledger.remove(files)

    def lend(self, file: str, content: str, ordinals: Sequence[int]) -> dict[int, Lent]:
        fingerprint = self._fingerprint()
        found: dict[int, Lent] = {}
        for asked in batches(ordinals, POINTS_A_CALL):
            places = {chunk_id(file, content, n, fingerprint): n for n in asked}
            with engine_errors(self._index):
                records = self._shard.retrieve(
                    list(places), with_payload=["text"], with_vector=["dense"]
                )
            for r in records:
                vector = np.asarray(r.vector["dense"], dtype=np.float32)
                found[places[str(r.id)]] = (r.payload["text"], vector)
        return found

    def publish(self) -> None:
        if not self._at_work:  # nothing was written: the newest generation stands, if it can
            with contextlib.suppress(IndexMissing), reading(self._index) as ledger:
                check_sizes(ledger, self._index)
            return
        self._begin()
        self._seal(compacted=True)
        self._generations.publish()
        self._rebuilding = False

    def checkpoint(self) -> None:
        if not self._rebuilding:
            self.publish()
        elif self._ledger:
            self._seal(compacted=False)
            self._generations.park()

    def close(self) -> None:
        self._forget()
        self._generations.unlock(self._lock)

    # ------------------------------------------------------------------ the private copy

    @property
    def _at_work(self) -> bool:
        """Whether there is more to this writer than what is published."""
        return self._rebuilding or self._ledger is not None

    @property
    def _open_ledger(self) -> Ledger:
        self._begin()
        assert self._ledger is not None  # noqa: S101 - _begin() opened it
        return self._ledger

    def _begin(self, meta: IndexMeta | None = None) -> None:
        """Open a private copy of what this writer last published or put aside."""
        if self._ledger is not None:
            return
        if self._rebuilding:
            self._open(self._generations.parked(), meta)
            return
        number = self._generations.current()
        source = self._generations.folder(number) if number else None
        if source is None and meta is None:
            raise IndexMissing(f"no index at {self._index}", "set_meta() makes one")
        self._generations.drop_parked()  # whoever changes the old index has given up the rebuild
        self._open(source, meta)

    def _open(self, source: Path | None, meta: IndexMeta | None = None) -> None:
        folder = self._generations.begin(source)
        with contextlib.ExitStack() as opened:
            ledger = opened.enter_context(closing(Ledger(folder / "ledger.db", write=True)))
            self._make_sure()
            if source:
                check_sizes(ledger, self._index)
                self._shard = open_shard(folder / "shard", self._index)
            else:
                assert meta is not None  # noqa: S101 - an index begins with its meta
                self._shard = create_shard(
                    folder / "shard", meta.fingerprint.dimension, self._index
                )
            self._ledger = ledger
            opened.pop_all()

    def _take_up(self, meta: IndexMeta) -> bool:
        """Open the parked rebuild, if there is a whole one of this meta."""
        parked = self._generations.parked()
        if parked is None:
            return False
        try:
            with closing(Ledger(parked / "ledger.db")) as ledger:
                if ledger.meta() != meta:
                    return False
            self._open(parked)
            check_counts(self._shard, counts_of(self._open_ledger.files()), self._index)
        except (IndexDamaged, IndexMismatch):
            self._forget()
            self._rebuilding = True
            return False
        return True

    def _seal(self, *, compacted: bool) -> None:
        """Close the private copy, whole, counted and with a list of its files."""
        ledger, folder = self._open_ledger, self._generations.work / "shard"
        self._make_sure()
        with engine_errors(self._index):
            due = compacted and is_due(self._shard, self._fingerprint().dimension)
            self._shard.flush()
            self._shard.close()
        # a disk too full for new files beside the old ones still takes the index as it is
        if due and free_bytes(self._index) > 2 * apparent(folder) + MARGIN:
            compact(folder, self._index, self._lock)
        # The engine leaves journals behind, which the next opening works in and removes. Done
        # here, because of two readers that did it at once the second would see a part.
        self._make_sure()
        self._shard = open_shard(folder, self._index)
        check_counts(self._shard, counts_of(ledger.files()), self._index)
        self._shard.close()
        punch_holes(folder)
        failpoint("embedded.flushed")
        ledger.set_shard_sizes(sizes(folder))
        ledger.close(commit=True)
        self._shard, self._ledger = None, None
        failpoint("embedded.committed")

    def _forget(self) -> None:
        """Throw away what was neither published nor put aside."""
        self._rebuilding = False
        if self._ledger:
            self._ledger.close()
            try:
                self._make_sure()
            except DiskFull:
                leave_open(self._shard)
            else:
                with contextlib.suppress(DiskFull, IndexDamaged), engine_errors(self._index):
                    self._shard.close()  # it writes, to files that are about to go
            self._shard, self._ledger = None, None

    def _make_sure(self) -> None:
        """Before each step of the engine: what it writes to is there, and some room beside."""
        with disk_full_told(self._index):
            fill_holes(self._generations.work)
        must_have_room(self._index, MARGIN)

    def _update(self, operation: Any) -> None:
        self._make_sure()
        with engine_errors(self._index):
            self._shard.update(operation)

    def _drop(self, files: Sequence[str]) -> None:
        gone = edge.Filter(must=[match_any("file", files)])
        self._update(edge.UpdateOperation.delete_points_by_filter(gone))

    def _fingerprint(self) -> Fingerprint:
        meta = self._open_ledger.meta()
        assert meta is not None  # noqa: S101 - an index begins with its meta
        return meta.fingerprint
