"""One collection on a Qdrant server and what can be done with its points.

Nothing here knows what an index is. A writing call is done when it returns, unless told not to
wait.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qdrant_client import models

from rag.errors import IndexMismatch, IndexMissing, UsageError
from rag.settings import Settings
from rag.store.base import Vector
from rag.store.server_connection import Connection
from rag.words import SparseVector

#: Names of the sparse vectors. The dense one is named by its width (`dense_name`), so that a
#: rebuild with another model stands beside the old vectors until it is published.
SPARSE = ("words", "card")

_KEYWORDS = ("kind", "file", "content", "id", "token")
_INTEGERS = ("born", "died")

_PAGE = 1000  # points of one scroll; 1,000 ledger records are about half a megabyte of JSON

_UNUSUAL = re.compile(r'[\x00-\x1f<>:"/\\|?*]')  # Qdrant refuses these in a collection's name

Condition = models.Condition
Filter = models.Filter


@dataclass(frozen=True, slots=True)
class Point:
    """A point to store. ``dense`` has shape (dimension,)."""

    id: str
    payload: dict[str, Any]
    dense: Vector | None = None
    sparse: Mapping[str, SparseVector] = field(default_factory=dict)


def dense_name(dimension: int) -> str:
    return f"dense{dimension}"


def any_of(key: str, values: Sequence[str]) -> Condition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))


def above(key: str, number: int) -> Condition:
    return models.FieldCondition(key=key, range=models.Range(gt=number))


def up_to(key: str, number: int) -> Condition:
    return models.FieldCondition(key=key, range=models.Range(lte=number))


def is_point(point_id: str) -> Condition:
    return models.HasIdCondition(has_id=[point_id])


class Collection:
    """A collection by its name, there or not. ``url`` and ``name`` are safe to show.

    Every call raises StoreUnavailable when the server fails and IndexMissing when it has no such
    collection.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = settings.collection
        if not self.name.strip(".") or _UNUSUAL.search(self.name) or len(self.name) > 255:
            raise UsageError(f"«{self.name}» cannot name a collection", "use letters, digits, - _")
        self.connection = Connection(settings)
        self.url = self.connection.url
        self._client = self.connection.client
        self._failures = self.connection.failures
        self._settings = settings

    def close(self) -> None:
        self.connection.close()

    # ------------------------------------------------------------------ the collection itself

    def widths(self) -> set[int] | None:
        """Dimensions of the dense vectors kept, None where there is no such collection.

        Raises IndexMismatch for a collection with other vectors than ours.
        """
        # the in-memory client reports a missing collection as a bare ValueError
        if self.connection.in_memory and not self._client.collection_exists(self.name):
            return None
        try:
            with self._failures():
                params = self._client.get_collection(self.name).config.params
        except IndexMissing:
            return None
        dense = params.vectors if isinstance(params.vectors, dict) else {}
        found = {
            vector.size
            for name, vector in dense.items()
            if vector.distance == models.Distance.COSINE and name == dense_name(vector.size)
        }
        if not found or len(found) < len(dense) or set(params.sparse_vectors or {}) != set(SPARSE):
            raise self.foreign()
        return found

    def foreign(self) -> IndexMismatch:
        return IndexMismatch(
            f"collection {self.name} at {self.url} belongs to another program",
            "choose another with --collection NAME",
        )

    def create(self, dimension: int) -> None:
        """Raises IndexLocked when another run has just made it."""
        cosine = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
        idf = models.SparseVectorParams(modifier=models.Modifier.IDF)
        with self._failures():
            self._client.create_collection(
                self.name,
                vectors_config={dense_name(dimension): cosine},
                sparse_vectors_config=dict.fromkeys(SPARSE, idf),
                shard_number=self._settings.shards,
                replication_factor=self._settings.replicas,
                write_consistency_factor=self._settings.write_consistency,
            )

    def index_fields(self) -> None:
        """Index every field that a filter names: managed servers refuse filters on others."""
        fields = dict.fromkeys(_KEYWORDS, models.PayloadSchemaType.KEYWORD)
        fields |= dict.fromkeys(_INTEGERS, models.PayloadSchemaType.INTEGER)
        with self._failures(), warnings.catch_warnings():
            # the in-memory client has no indexes and says so
            warnings.filterwarnings("ignore", message="Payload indexes have no effect")
            for name, kind in fields.items():
                self._client.create_payload_index(self.name, name, kind, wait=True)

    def add_width(self, dimension: int) -> None:
        """Keep vectors of this dimension too. Needs Qdrant 1.18 or later."""
        cosine = models.DenseVectorConfig(size=dimension, distance=models.Distance.COSINE)
        config = models.DenseVectorNameConfig(dense=cosine)
        with self._failures():
            self._client.create_vector_name(self.name, dense_name(dimension), config, wait=True)

    def drop_width(self, dimension: int) -> None:
        with self._failures():
            self._client.delete_vector_name(self.name, dense_name(dimension), wait=True)

    def drop(self) -> None:
        with self._failures():
            self._client.delete_collection(self.name)

    # ------------------------------------------------------------------ reading

    def payload_of(self, point_id: str) -> dict[str, Any] | None:
        with self._failures():
            found = self._client.retrieve(self.name, [point_id], with_payload=True)
            return found[0].payload or {} if found else None

    def count(self, where: Filter) -> int:
        with self._failures():
            return self._client.count(self.name, where, exact=True).count

    def scroll(
        self, where: Filter, fields: list[str] | bool = True, *, dense: str = ""
    ) -> list[tuple[dict[str, Any], Vector]]:
        """Payload (all of it, or ``fields``) of every such point, and its vector ``dense``,
        which is empty where none is asked for."""
        found: list[tuple[dict[str, Any], Vector]] = []
        offset: models.ExtendedPointId | None = None
        while True:
            with self._failures():
                records, offset = self._client.scroll(
                    self.name, where, limit=_PAGE, offset=offset,
                    with_payload=fields, with_vectors=[dense] if dense else False,
                )  # fmt: skip
                found += [(_payload(r.payload, fields), _vector(r, dense)) for r in records]
            if offset is None:
                return found

    def query(
        self, query: Vector | SparseVector, using: str, where: Filter, limit: int, fields: list[str]
    ) -> list[tuple[dict[str, Any], float]]:
        """(payload, score) of the nearest points, best first."""
        vector = _sparse(query) if isinstance(query, SparseVector) else query.tolist()
        with self._failures():
            points = self._client.query_points(
                self.name, vector, using=using, query_filter=where, limit=limit, with_payload=fields
            ).points
            return [(_payload(p.payload, fields), p.score) for p in points]

    # ------------------------------------------------------------------ writing

    def upsert(self, points: Sequence[Point]) -> None:
        with self._failures(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Local mode is not recommended")
            self._client.upsert(self.name, [_struct(p) for p in points], wait=True)

    def insert(self, point: Point) -> None:
        """Store the point unless one of that id is there."""
        mode = models.UpdateMode.INSERT_ONLY
        with self._failures():
            self._client.upsert(self.name, [_struct(point)], wait=True, update_mode=mode)

    def set_payload(self, payload: dict[str, Any], where: Filter) -> None:
        # one order of updates on all replicas: the writer's lease rests on it
        strong = models.WriteOrdering.STRONG
        with self._failures():
            self._client.set_payload(self.name, payload, where, wait=True, ordering=strong)

    def unset_payload(self, key: str, where: Filter) -> None:
        with self._failures():
            self._client.delete_payload(self.name, [key], where, wait=True)

    def delete(self, where: Filter, *, wait: bool = True) -> None:
        with self._failures():
            self._client.delete(self.name, where, wait=wait)


def _struct(point: Point) -> models.PointStruct:
    vector: dict[str, Any] = {name: _sparse(words) for name, words in point.sparse.items()}
    if point.dense is not None:
        vector[dense_name(len(point.dense))] = point.dense.tolist()
    return models.PointStruct(id=point.id, vector=vector, payload=point.payload)


def _sparse(words: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=list(words.indices), values=list(words.values))


def _payload(payload: dict[str, Any] | None, fields: list[str] | bool) -> dict[str, Any]:
    found = payload or {}
    if isinstance(fields, list) and not all(name in found for name in fields):
        raise ValueError(f"a point without {fields}")
    return found


def _vector(record: models.Record, name: str) -> Vector:
    if not name:
        return np.empty(0, dtype=np.float32)
    vectors = record.vector if isinstance(record.vector, dict) else {}
    if name not in vectors:
        raise ValueError(f"a point without {name}")
    return np.asarray(vectors[name], dtype=np.float32)
