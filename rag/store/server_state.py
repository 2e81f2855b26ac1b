"""Which state of a collection is the current one, and who may make the next.

Qdrant has no transactions, so points are never changed in place. Each carries the epoch it was
born in and, once replaced, the one it died in; a single point holds the number of the current
epoch. While that is 7:

    born 7             shown
    born 8             on its way in: hidden until the epoch becomes 8
    born 5, died 8     on its way out: shown until the epoch becomes 8
    born 5, died 7     gone, about to be deleted

So one write of one point shows any number of new files and hides their former versions; and one
more number in it, the floor, hides a whole old index at once: what was born at or below it is
gone. What a killed writer left is told by the same numbers.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.errors import IndexLocked, IndexMismatch, IndexMissing, StoreUnavailable
from rag.store.base import IndexMeta
from rag.store.server_points import (
    Collection,
    Condition,
    Filter,
    Point,
    above,
    any_of,
    is_point,
    up_to,
)

#: The one point that is no part of a file.
STATE_ID = "a0c5e6de-0000-4000-8000-000000000000"

#: A writer that has not been heard of for so long is taken for dead.
LEASE_SECONDS = 60.0
_RENEW_SECONDS = 20.0  # two renewals may fail before the lease runs out


# ---------------------------------------------------------------------- the state


@dataclass(frozen=True, slots=True)
class State:
    epoch: int
    floor: int
    token: str  # of the writer, or of nobody when ``expires`` is past
    owner: str
    expires: float  # seconds since 1970, by the writer's clock
    dimension: int
    stored_meta: dict[str, Any]

    @property
    def held(self) -> bool:
        return self.expires > time.time()

    def meta(self) -> IndexMeta:
        """Raises IndexMismatch for an index of another format."""
        return IndexMeta.from_dict(self.stored_meta)


def read_state(collection: Collection) -> State | None:
    """None where the collection holds no index (yet). Raises IndexMissing without a collection,
    IndexMismatch for a state of another format."""
    payload = collection.payload_of(STATE_ID)
    if payload is None:
        return None
    try:
        return State(
            epoch=int(payload["epoch"]),
            floor=int(payload["floor"]),
            token=str(payload["token"]),
            owner=str(payload["owner"]),
            expires=float(payload["expires"]),
            dimension=int(payload["meta"]["fingerprint"]["dimension"]),
            stored_meta=dict(payload["meta"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IndexMismatch(
            f"collection {collection.name} at {collection.url} was written by another version "
            "of Affidavit",
            "build a new one with --collection NAME",
        ) from error


def locked(collection: Collection, owner: str) -> IndexLocked:
    return IndexLocked(
        f"collection {collection.name} at {collection.url} is being written by "
        f"{owner or 'another run'}",
        f"wait for it to end (a dead writer is forgotten after {LEASE_SECONDS:.0f} s)",
    )


# ---------------------------------------------------------------------- which points


def visible(state: State, **fields: Sequence[str]) -> Filter:
    """Points shown now whose fields hold one of the given values."""
    alive = [above("born", state.floor), up_to("born", state.epoch)]
    return Filter(must=alive + _fields(fields), must_not=[up_to("died", state.epoch)])


def arriving(state: State, **fields: Sequence[str]) -> Filter:
    """Points that are to be shown later."""
    return Filter(must=[above("born", state.epoch), *_fields(fields)])


def departing(state: State) -> Filter:
    """Points that are to be hidden later."""
    return Filter(must=[above("died", state.epoch)])


def departed(state: State) -> Filter:
    return Filter(should=[up_to("died", state.epoch), up_to("born", state.floor)])


def unsettled(state: State) -> Filter:
    """Points that a writer did not finish with, whichever way."""
    unfinished = [above("born", state.epoch), above("died", 0), up_to("born", state.floor)]
    return Filter(should=unfinished)


def _fields(fields: Mapping[str, Sequence[str]]) -> list[Condition]:
    return [any_of(key, values) for key, values in fields.items()]


# ---------------------------------------------------------------------- the lease


class Lease:
    """The right to write, kept in the state point and renewed by a thread until it is released.

    Qdrant's compare-and-swap is this: it applies the updates of one point one after another and
    takes a filter with each, so «set it where the token is still mine, then read it back» shows
    who won. A writer that was taken over can therefore not move the state. One request on other
    points may still be under way from it; it changes nothing that is shown then, and should it
    matter to a later epoch, the check of the counts at `publish` finds it. Expiry compares two
    machines' clocks: they should agree to a few seconds.
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
        free = {"token": uuid.uuid4().hex, "owner": "", "expires": 0.0}
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
        "expires": time.time() + LEASE_SECONDS,
    }


def _where_token(token: str) -> Filter:
    must: list[Condition] = [is_point(STATE_ID), any_of("token", [token])]
    return Filter(must=must)
