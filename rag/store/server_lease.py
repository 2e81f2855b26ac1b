"""Who may make the next state of a collection: a lease, kept in the state point."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from typing import Any

from rag.errors import IndexLocked, IndexMissing, StoreUnavailable
from rag.store.base import IndexMeta
from rag.store.owner import this_process
from rag.store.server_points import Collection, Condition, Filter, Point, any_of, is_point
from rag.store.server_state import STATE_ID, State, read_state

#: A writer that has not been heard of for so long is taken for dead.
LEASE_SECONDS = 60.0
_RENEW_SECONDS = 20.0  # two renewals may fail before the lease runs out


def locked(collection: Collection, owner: str) -> IndexLocked:
    return IndexLocked(
        f"collection {collection.name} at {collection.url} is being written by "
        f"{owner or 'another run'}",
        "wait for it to end (if it died on another machine, it is forgotten after "
        f"{LEASE_SECONDS:.0f} s)",
    )


class Lease:
    """The right to write, kept in the state point and renewed by a thread until it is released.

    Qdrant's compare-and-swap is this: it applies the updates of one point one after another and
    takes a filter with each, so «set it where the token is still mine, then read it back» shows
    who won. A writer that was taken over can therefore not move the state. One request on other
    points may still be under way from it; it changes nothing that is shown then, and should it
    matter to a later epoch, the check of the counts at `publish` finds it. Expiry compares two
    machines' clocks: they should agree to a few seconds. On one machine it is not waited for: a
    process that is gone holds nothing.
    """

    def __init__(self, collection: Collection, state: State) -> None:
        """Use `acquire` or `begin`. ``state`` is the index as this writer last left it."""
        self._collection = collection
        self.state = state
        self._released = threading.Event()
        # embedding a long document takes longer than a lease lasts
        self._keeper = threading.Thread(target=self._keep, name="affidavit-lease", daemon=True)
        self._keeper.start()

    @classmethod
    def acquire(cls, collection: Collection, seen: State) -> Lease:
        """Become the writer of an index. Raises IndexLocked, naming the one who is."""
        if seen.held:
            raise locked(collection, seen.owner)
        values = _held()
        collection.set_payload(values, _where_token(seen.token))
        return cls._confirmed(collection, values["token"])

    @classmethod
    def begin(cls, collection: Collection, meta: IndexMeta) -> Lease:
        """Write the first state of a new index and become its writer."""
        values = _held()
        # by the clock, so that a reader of a dropped index never takes its successor for it
        epoch = time.time_ns() // 1_000_000
        payload = {"kind": "meta", "epoch": epoch, "floor": epoch, "meta": meta.to_dict()}
        payload["unfinished"] = {}
        collection.insert(Point(STATE_ID, payload | values))
        return cls._confirmed(collection, values["token"])

    @classmethod
    def _confirmed(cls, collection: Collection, token: str) -> Lease:
        state = read_state(collection)
        if state is None or state.token != token:
            raise locked(collection, state.owner if state else "")
        return cls(collection, state)

    def write(self, **changes: Any) -> State:
        """Change the state point, or nothing but its expiry, and return it as it is now.

        Raises IndexLocked, and changes nothing, when another writer took over.
        """
        self.state = self._swap(**changes)
        return self.state

    def release(self) -> None:
        """Let the next writer in at once; if the server cannot be told, it waits for the expiry."""
        self._released.set()
        if self._collection.connection.silent:
            return  # waiting for a second timeout would only delay the report of the first
        free = {"token": uuid.uuid4().hex, "owner": "", "expires": 0.0, "process": {}}
        try:
            self._collection.set_payload(free, _where_token(self.state.token))
        except (StoreUnavailable, IndexMissing):
            return  # nothing is lost: all that was written stands, and the lease runs out

    def _swap(self, **changes: Any) -> State:
        values = {"expires": time.time() + LEASE_SECONDS, **changes}
        self._collection.set_payload(values, _where_token(self.state.token))
        state = read_state(self._collection)
        if state is None or state.token != self.state.token:
            raise locked(self._collection, state.owner if state else "")
        return state

    def _keep(self) -> None:
        while not self._released.wait(_RENEW_SECONDS):
            try:
                self._swap()
            except StoreUnavailable:
                continue  # perhaps it is back next time; else the writer meets it, and says so
            except (IndexLocked, IndexMissing):
                return  # likewise


def _held() -> dict[str, Any]:
    return {
        "token": uuid.uuid4().hex,
        "owner": f"process {os.getpid()} on {socket.gethostname()}",
        "process": this_process(),
        "expires": time.time() + LEASE_SECONDS,
    }


def _where_token(token: str) -> Filter:
    must: list[Condition] = [is_point(STATE_ID), any_of("token", [token])]
    return Filter(must=must)
