"""Which state of a collection is the current one, and which points belong to it.

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

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag.errors import IndexMismatch
from rag.store.base import IndexMeta
from rag.store.owner import is_dead
from rag.store.server_points import (
    Collection,
    Condition,
    Filter,
    above,
    any_of,
    up_to,
)

#: What the points of an index can be, beside the state itself.
KINDS = ("chunk", "card", "file")

#: The one point that is no part of a file.
STATE_ID = "a0c5e6de-0000-4000-8000-000000000000"


# ---------------------------------------------------------------------- the state


@dataclass(frozen=True, slots=True)
class State:
    epoch: int
    floor: int
    token: str  # of the writer, or of nobody when ``expires`` is past
    owner: str
    expires: float  # seconds since 1970, by the writer's clock
    process: dict[str, str]  # the owner's, see `rag.store.owner`
    dimensions: set[int]  # of the vectors in use: the index's, and an unfinished rebuild's
    stored_meta: dict[str, Any]
    unfinished: dict[str, Any] | None  # the meta of a rebuild whose points are arriving

    @property
    def held(self) -> bool:
        return self.expires > time.time() and not is_dead(self.process)

    def meta(self) -> IndexMeta:
        """Raises IndexMismatch for an index of another format."""
        return IndexMeta.from_dict(self.stored_meta)


def read_state(collection: Collection) -> State | None:
    """None where the collection holds no index (yet). Raises IndexMissing without a collection,
    IndexMismatch for a state of another format."""
    payload = collection.payload_of(STATE_ID)
    if payload is None:
        return None
    unfinished = payload.get("unfinished") or None  # stored as {}: clients drop a null
    try:
        return State(
            epoch=int(payload["epoch"]),
            floor=int(payload["floor"]),
            token=str(payload["token"]),
            owner=str(payload["owner"]),
            expires=float(payload["expires"]),
            process=dict(payload.get("process") or {}),
            dimensions={_dimension(meta) for meta in (payload["meta"], unfinished) if meta},
            stored_meta=dict(payload["meta"]),
            unfinished=unfinished,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IndexMismatch(
            f"collection {collection.name} at {collection.url} was written by another version "
            "of Affidavit",
            "build a new one with --collection NAME",
        ) from error


def _dimension(meta: dict[str, Any]) -> int:
    return int(meta["fingerprint"]["dimension"])


# ---------------------------------------------------------------------- which points


def visible(state: State, **fields: Sequence[str]) -> Filter:
    """Points shown now whose fields hold one of the given values."""
    alive = [above("born", state.floor), up_to("born", state.epoch)]
    return Filter(must=alive + _fields(fields), must_not=[up_to("died", state.epoch)])


def unknown(state: State) -> Filter:
    """Points shown now of which this version cannot know what they are."""
    return Filter(must=[visible(state)], must_not=[any_of("kind", KINDS)])


def arriving(state: State, **fields: Sequence[str]) -> Filter:
    """Points that are to be shown later."""
    return Filter(must=[above("born", state.epoch), *_fields(fields)])


def departing(state: State) -> Filter:
    """Points that are to be hidden later."""
    return Filter(must=[above("died", state.epoch)])


def departed(state: State) -> Filter:
    return Filter(should=[up_to("died", state.epoch), up_to("born", state.floor)])


def unsettled(state: State) -> Filter:
    """Points that a writer did not finish with, but for those of a rebuild that may go on."""
    halfway = [above("died", 0), up_to("born", state.floor)]
    if state.unfinished is None:
        halfway.append(above("born", state.epoch))
    return Filter(should=halfway)


def arriving_without(state: State, files: Sequence[str]) -> Filter:
    """Points that are to be shown later, of other files than these."""
    others = [any_of("file", files)] if files else []
    return Filter(must=[above("born", state.epoch)], must_not=others)


def _fields(fields: Mapping[str, Sequence[str]]) -> list[Condition]:
    return [any_of(key, values) for key, values in fields.items()]
