"""The store on a Qdrant server: the same records, ids and vectors as the embedded engine.

All that is needed to ask and to sync is on the server; nothing is left behind on this machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from rag.failpoints import failpoint
from rag.records import FileRecord
from rag.settings import Settings
from rag.store.base import (
    FileWrite,
    Fingerprint,
    IndexMeta,
    Lent,
    chunk_id,
)
from rag.store.points import batches, sane_vectors
from rag.store.server_lease import Lease, locked
from rag.store.server_points import Collection, Filter, Point, dense_name
from rag.store.server_reader import ServerReader
from rag.store.server_records import (
    check_counts,
    check_kinds,
    lines_of,
    missing,
    points_of,
    records_where,
)
from rag.store.server_state import arriving, read_state, visible
from rag.store.server_steps import settle, take_up, turn

__all__ = ["ServerReader", "ServerWriter", "drop_collection"]

#: Points of one request: 256 of 1,024 dimensions are some 6 MB, and a server takes 32 at most.
_POINTS_A_CALL = 256
_FILES_A_CALL = 1000

#: Points to store, made for the epoch they are to be shown from.
Incoming = Callable[[int], Iterable[Point]]


def drop_collection(settings: Settings) -> None:
    """Delete the index and its collection, if there is one.

    Raises IndexMismatch when the collection is not ours, IndexLocked while it is being written.
    """
    collection = Collection(settings)
    try:
        if collection.widths() is None:
            return
        state = read_state(collection)
        if state is None and collection.count(Filter()):
            raise collection.foreign()
        if state and state.held:
            raise locked(collection, state.owner)
        collection.drop()
    finally:
        collection.close()


class ServerWriter:
    """The one writer of an index; each `put`, `note` and `remove` shows whole when it returns.

    After `reset` nothing shows before the next `publish`: until then the old index answers.
    """

    def __init__(self, collection: Collection) -> None:
        """Use `connect`."""
        self._collection = collection
        self._widths: set[int] | None = None  # of the vectors kept; None without a collection
        self._lease: Lease | None = None
        self._fresh: IndexMeta | None = None  # of the index that is to replace the old one
        self._tidy = True  # nothing half done is on the server

    @classmethod
    def connect(cls, settings: Settings) -> ServerWriter:
        """Become the writer and clear away what a dead one left half done.

        Raises IndexLocked, IndexMismatch or StoreUnavailable. Where no index is yet, `set_meta`
        takes the lock.
        """
        writer = cls(Collection(settings))
        try:
            writer._take_over()
        except BaseException:
            writer.close()
            raise
        return writer

    def meta(self) -> IndexMeta | None:
        if self._fresh or not self._lease:
            return self._fresh
        return self._lease.state.meta()

    def set_meta(self, meta: IndexMeta) -> None:
        """Raises IndexLocked when another run has just begun the index, IndexMismatch when the
        collection holds another program's points."""
        if self._fresh:
            self._writing().write(unfinished=meta.to_dict())
            self._fresh = meta
        elif self._lease:
            self._give_up_rebuild()
            self._lease.write(meta=meta.to_dict())
        else:
            self._begin(meta)

    def reset(self, meta: IndexMeta) -> None:
        if not self._lease:
            self._begin(meta)
            return
        self._settle()
        if not take_up(self._collection, self._lease.state, meta):
            self._give_up_rebuild()
            self._make_room(meta)
            self._lease.write(unfinished=meta.to_dict())
        self._fresh = meta

    def files(self) -> list[FileRecord]:
        if not self._lease:
            return []
        if not self._fresh:
            check_kinds(self._collection, self._lease.state)
        return records_where(self._collection, self._shown(kind=["file"]))

    def put(self, items: Sequence[FileWrite]) -> None:
        fingerprint = self._fingerprint()
        for item in items:
            sane_vectors(item, fingerprint.dimension)
        for group in batches(items, _FILES_A_CALL):
            names = [item.record.file for item in group]
            self._change(partial(points_of, group, fingerprint), file=names)

    def note(self, records: Sequence[FileRecord]) -> None:
        for group in batches(records, _FILES_A_CALL):
            names = [record.file for record in group]
            self._change(partial(lines_of, group), file=names, kind=["file"])

    def remove(self, files: Sequence[str]) -> None:
        for group in batches(files, _FILES_A_CALL):
            self._change(lambda _born: (), file=group)

    def lend(self, file: str, content: str, ordinals: Sequence[int]) -> dict[int, Lent]:
        fingerprint = self._fingerprint()
        dense = dense_name(fingerprint.dimension)
        found: dict[int, Lent] = {}
        for asked in batches(ordinals, _POINTS_A_CALL):
            places = {chunk_id(file, content, n, fingerprint): n for n in asked}
            where = self._shown(kind=["chunk"], id=list(places))
            for payload, vector in self._collection.scroll(where, ["id", "text"], dense=dense):
                found[places[payload["id"]]] = (payload["text"], vector)
        return found

    def publish(self) -> None:
        """Compare ledger and chunks; after `reset`, put the new index in the old one's place.

        Raises IndexDamaged when they disagree.
        """
        if not self._lease:
            return
        stored = self._collection.count(self._shown(kind=["chunk"]))
        check_counts(self._collection, self.files(), stored)
        if self._fresh:
            meta, old = self._fresh, self._lease.state.epoch
            self._lease.write(epoch=old + 1, floor=old, meta=meta.to_dict(), unfinished={})
            failpoint("server.turned")
            self._settle()

    def checkpoint(self) -> None:
        if not self._fresh:  # the points of a rebuild are as durable as they will be
            self.publish()

    def close(self) -> None:
        with contextlib.closing(self._collection):
            if self._lease:
                self._lease.release()

    # ------------------------------------------------------------------ steps

    def _change(self, incoming: Incoming, **outgoing: Sequence[str]) -> None:
        """Let ``incoming`` take the place of all points with the fields ``outgoing``, at once."""
        lease = self._writing()
        if not self._tidy and not self._fresh:
            self._settle()  # an earlier change failed half way
        if not self._fresh:
            self._give_up_rebuild()
        self._tidy = False
        if self._fresh:  # nobody sees the new index yet: its points may simply go
            self._collection.delete(arriving(lease.state, **outgoing))
        for batch in batches(incoming(lease.state.epoch + 1), _POINTS_A_CALL):
            lease.write()  # a writer that was taken over sends nothing more
            self._collection.upsert(batch)
        failpoint("server.arrived")
        if not self._fresh:
            turn(self._collection, lease, outgoing)
        self._tidy = True

    def _settle(self) -> None:
        """Finish or undo whatever is half done, but for a rebuild that may go on."""
        state = self._writing().write()
        settle(self._collection, state)
        for width in (self._widths or set()) - state.dimensions:
            self._collection.drop_width(width)
        self._widths = set(state.dimensions)
        self._fresh = None
        self._tidy = True

    def _give_up_rebuild(self) -> None:
        """Whoever changes the old index, or begins another rebuild, does not go on with this."""
        lease = self._writing()
        if lease.state.unfinished is not None:
            lease.write(unfinished={})
            self._settle()

    def _take_over(self) -> None:
        self._widths = self._collection.widths()
        state = None if self._widths is None else read_state(self._collection)
        if state:
            self._lease = Lease.acquire(self._collection, state)
            self._settle()

    def _begin(self, meta: IndexMeta) -> None:
        if self._widths is None:
            self._collection.create(meta.fingerprint.dimension)
            self._widths = {meta.fingerprint.dimension}
        elif self._collection.count(Filter()):
            raise self._collection.foreign()
        self._make_room(meta)  # a run killed right here left the collection of another model
        self._collection.index_fields()
        self._lease = Lease.begin(self._collection, meta)

    def _make_room(self, meta: IndexMeta) -> None:
        widths = self._widths or set()
        if meta.fingerprint.dimension not in widths:
            self._collection.add_width(meta.fingerprint.dimension)
            self._widths = widths | {meta.fingerprint.dimension}

    def _writing(self) -> Lease:
        if not self._lease:
            raise missing(self._collection)
        return self._lease

    def _fingerprint(self) -> Fingerprint:
        return (self._fresh or self._writing().state.meta()).fingerprint

    def _shown(self, **fields: Sequence[str]) -> Filter:
        """What belongs to the index being written."""
        only = arriving if self._fresh else visible
        return only(self._writing().state, **fields)
