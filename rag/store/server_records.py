"""Files as points and points as files: what of an index stands on the server, and how.

Points are of four kinds: ``chunk`` and ``card`` are searched, ``file`` is a line of the ledger,
``meta`` is the one described in `server_state`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

from rag.errors import IndexDamaged, IndexMissing
from rag.records import FileRecord
from rag.store.base import (
    FileWrite,
    Fingerprint,
    StoredChunk,
    chunk_id,
    embedded_text,
    other_version,
)
from rag.store.points import card_id, card_text, chunk_payload, stored_chunk, with_vectors
from rag.store.server_points import Collection, Filter, Point
from rag.store.server_state import State, unknown
from rag.words import document_words

_REBUILD = "rebuild it: rag ingest FOLDER --reindex"

_FIELDS = {field.name for field in fields(FileRecord)}

_VERSIONS = uuid.UUID("d3a8c0de-2f5c-4b51-9a55-6e1d7c4f0b92")

# ---------------------------------------------------------------------- to points


def points_of(items: Sequence[FileWrite], fingerprint: Fingerprint, born: int) -> Iterator[Point]:
    """All points of the files, to be shown from the epoch ``born``."""
    for item in items:
        yield from _searched(item, fingerprint, born)
        yield _line(item.record, born)


def lines_of(records: Sequence[FileRecord], born: int) -> Iterator[Point]:
    """Their ledger lines alone."""
    return (_line(record, born) for record in records)


def _searched(item: FileWrite, fingerprint: Fingerprint, born: int) -> Iterator[Point]:
    if not len(item.chunks):
        return
    record = item.record
    for chunk, vector in with_vectors(item):
        own = chunk_id(record.file, record.content, chunk.ordinal, fingerprint)
        words = document_words(embedded_text(chunk))
        payload = {**chunk_payload(item, chunk), "id": own, "born": born}
        yield Point(_version(own, born), payload, vector, {"words": words})
    own = card_id(record.file)
    payload = {"kind": "card", "file": record.file, "id": own, "born": born}
    yield Point(_version(own, born), payload, None, {"card": document_words(card_text(item))})


def _line(record: FileRecord, born: int) -> Point:
    own = _version(f"file {record.file}", born)
    payload = {"kind": "file", "file": record.file, "born": born, "record": asdict(record)}
    return Point(own, payload)


def _version(name: str, born: int) -> str:
    """The id of the point: old and new version of one chunk stand side by side for a moment."""
    return str(uuid.uuid5(_VERSIONS, f"{born} {name}"))


# ---------------------------------------------------------------------- from points


def chunk_of(collection: Collection, payload: dict[str, Any]) -> StoredChunk:
    try:
        return stored_chunk(payload["id"], payload)
    except KeyError as error:
        raise damaged(collection, f"a chunk without its {error}") from error


def records_where(collection: Collection, where: Filter) -> list[FileRecord]:
    """The ledger lines among the points, sorted by file."""
    records = []
    for payload, _ in collection.scroll(where, ["record"]):
        try:
            records.append(_record(collection, payload["record"]))
        except TypeError as error:
            raise damaged(collection, "a ledger line cannot be read") from error
    return sorted(records, key=lambda record: record.file)


def _record(collection: Collection, line: dict[str, Any]) -> FileRecord:
    """A line as stored; what an older version did not store has its default. Raises IndexMismatch
    for what a newer one stored, TypeError for what is no line."""
    strange = set(line) - _FIELDS
    if strange:
        where = f"collection {collection.name} at {collection.url}"
        raise other_version(where, f"ledger lines with {', '.join(sorted(strange))}")
    return FileRecord(**{**line, "lost_pages": tuple(line.get("lost_pages", ()))})


def check_kinds(collection: Collection, state: State) -> None:
    """Raises IndexMismatch when points are shown that another version made for its own use."""
    if strange := collection.count(unknown(state)):
        where = f"collection {collection.name} at {collection.url}"
        raise other_version(where, f"{strange} points of an unknown kind")


def check_counts(collection: Collection, records: Sequence[FileRecord], stored: int) -> None:
    """A cluster may have lost a shard, or kept only a part of a batch: compare."""
    expected = sum(record.chunks for record in records)
    if stored != expected:
        raise damaged(collection, f"{stored} chunks stored, {expected} in the ledger")


def missing(collection: Collection) -> IndexMissing:
    return IndexMissing(
        f"no index in collection {collection.name} at {collection.url}",
        "make it: rag ingest FOLDER",
    )


def damaged(collection: Collection, what: str) -> IndexDamaged:
    return IndexDamaged(f"collection {collection.name} at {collection.url}: {what}", _REBUILD)
