"""The steps from one state of a collection to the next, each of which a kill may cut off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.errors import IndexDamaged, IndexMismatch
from rag.failpoints import failpoint
from rag.store.base import IndexMeta
from rag.store.server_lease import Lease
from rag.store.server_points import Collection
from rag.store.server_records import records_where
from rag.store.server_state import (
    State,
    arriving,
    arriving_without,
    departed,
    departing,
    unsettled,
    visible,
)


def turn(collection: Collection, lease: Lease, outgoing: Mapping[str, Sequence[str]]) -> None:
    """To the next epoch: what has arrived is shown; ``outgoing`` is hidden, then deleted."""
    state = lease.write()  # a writer that was taken over marks nothing
    collection.set_payload({"died": state.epoch + 1}, visible(state, **outgoing))
    failpoint("server.marked")
    state = lease.write(epoch=state.epoch + 1)
    failpoint("server.turned")
    collection.delete(departed(state), wait=False)  # nobody sees them any more


def settle(collection: Collection, state: State) -> None:
    """Finish or undo whatever is half done: what the current epoch shows is what counts, and
    what has arrived of an unfinished rebuild."""
    if not collection.count(unsettled(state)):
        return
    if state.unfinished is None:
        collection.delete(arriving(state))
    collection.delete(departed(state), wait=False)
    collection.unset_payload("died", departing(state))


def take_up(collection: Collection, state: State, meta: IndexMeta) -> bool:
    """Whether there is an unfinished rebuild of this meta to go on with; what had arrived of a
    file that is not whole is deleted."""
    if state.unfinished != meta.to_dict():
        return False
    try:
        lines = records_where(collection, arriving(state, kind=["file"]))
    except (IndexDamaged, IndexMismatch):
        return False
    chunks, expected = arriving(state, kind=["chunk"]), sum(line.chunks for line in lines)
    if collection.count(chunks) != expected:  # a file's line arrives after its chunks
        collection.delete(arriving_without(state, [line.file for line in lines]))
    return collection.count(chunks) == expected
