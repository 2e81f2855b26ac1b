"""Files as points and points as files, as both engines do it: ids, payloads, cards, checks."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from rag.records import Chunk
from rag.store.base import CHUNK_IDS, FileWrite, StoredChunk, Vector

T = TypeVar("T")

#: Points that go to or come from the embedded engine in one call: 1,000 chunks of a page each are
#: some 4 MB, and more at once are not quicker [measured].
POINTS_A_CALL = 1000


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``, the last one shorter."""
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def with_vectors(write: FileWrite) -> Iterator[tuple[Chunk, Vector]]:
    """Each chunk of the file with its vector, read a stretch at a time."""
    if write.vectors is None:
        return
    for start in range(0, len(write.chunks), POINTS_A_CALL):
        stretch = slice(start, start + POINTS_A_CALL)
        block = np.asarray(write.vectors[stretch], dtype=np.float32)
        yield from zip(write.chunks[stretch], block, strict=True)


def card_id(file: str) -> str:
    return str(uuid.uuid5(CHUNK_IDS, f"card\0{file}"))


#: Characters of a document's opening that its card holds beside the file name.
CARD_CHARACTERS = 2000


def card_text(write: FileWrite) -> str:
    """What a document is found by as a whole: its name, its title and its first page."""
    opening = "".join(c.text for c in write.chunks[:12])[:CARD_CHARACTERS]
    stem = write.record.file.rsplit(".", 1)[0].replace("/", " ")
    return f"{stem} {write.record.title}\n{opening}"


def sane_vectors(write: FileWrite, dimension: int) -> None:
    """Refuse what would poison every search: NaN, Inf, zero length, wrong shape."""
    if not len(write.chunks):
        return
    vectors = write.vectors
    if vectors is None or vectors.shape != (len(write.chunks), dimension):
        shape = None if vectors is None else vectors.shape
        raise ValueError(f"{write.record.file}: vectors of shape {shape}, not {dimension} wide")
    for start in range(0, len(vectors), POINTS_A_CALL):
        block = np.asarray(vectors[start : start + POINTS_A_CALL], dtype=np.float32)
        lengths = np.linalg.norm(block, axis=1)
        if not np.isfinite(lengths).all() or (lengths < 1e-6).any():
            raise ValueError(f"{write.record.file}: a vector is zero or not finite")


def chunk_payload(write: FileWrite, chunk: Chunk) -> dict[str, Any]:
    return {
        "kind": "chunk",
        "file": write.record.file,
        "content": write.record.content,
        "ordinal": chunk.ordinal,
        "section": chunk.section,
        "start": chunk.start,
        "page": chunk.page,
        "heading": chunk.heading,
        "title": write.record.title,
        "text": chunk.text,
    }


def stored_chunk(point_id: object, payload: dict[str, Any]) -> StoredChunk:
    return StoredChunk(
        chunk_id=str(point_id),
        file=payload["file"],
        content=payload["content"],
        ordinal=payload["ordinal"],
        section=payload["section"],
        start=payload["start"],
        page=payload["page"],
        heading=payload["heading"],
        title=payload["title"],
        text=payload["text"],
    )
