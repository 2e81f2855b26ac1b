"""The chunks and vectors of one document until it is whole: in memory while it is short, in two
unnamed files beyond that, so that memory does not follow the document."""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import IO, overload

import numpy as np

from rag.errors import DiskFull
from rag.records import Chunk
from rag.store.base import Vector

#: Chunks kept in memory: some 3 MB with their vectors, more than nearly every document has.
_IN_MEMORY = 1024


class Spool:
    """Filled with `add`, then read through ``chunks`` and ``vectors``; to be closed.

    ``folder``: where the files go; None for the system's own place.
    """

    def __init__(self, dimension: int, folder: Path | None) -> None:
        self._dimension = dimension
        self._folder = folder
        self._chunks: list[Chunk] = []
        self._vectors: list[Vector] = []
        self._disk: _Disk | None = None

    def __len__(self) -> int:
        return len(self._disk.lines) if self._disk else len(self._chunks)

    def add(self, chunk: Chunk, vector: Vector) -> None:
        """The next chunk in order. Raises DiskFull."""
        if self._disk is None and len(self._chunks) == _IN_MEMORY:
            self._disk = _Disk(self._folder)
            for earlier in zip(self._chunks, self._vectors, strict=True):
                self._disk.add(*earlier)
            self._chunks, self._vectors = [], []
        if self._disk:
            self._disk.add(chunk, vector)
        else:
            self._chunks.append(chunk)
            self._vectors.append(vector)

    @property
    def chunks(self) -> Sequence[Chunk]:
        return self._disk.lines if self._disk else self._chunks

    @property
    def vectors(self) -> Vector:
        """Shape (chunks, dimension), float32."""
        if self._disk:
            return self._disk.vectors(self._dimension)
        return np.array(self._vectors, dtype=np.float32).reshape(-1, self._dimension)

    def close(self) -> None:
        if self._disk:
            self._disk.close()
        self._chunks, self._vectors, self._disk = [], [], None


class _Disk:
    """Chunks as lines of JSON, vectors as they lie in memory."""

    def __init__(self, folder: Path | None) -> None:
        with _room():
            self._texts: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
            self._numbers: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.lines = _Lines(self._texts)

    def add(self, chunk: Chunk, vector: Vector) -> None:
        with _room():
            self.lines.add(chunk)
            self._numbers.write(np.asarray(vector, dtype=np.float32).tobytes())

    def vectors(self, dimension: int) -> Vector:
        with _room():
            self._numbers.flush()
        return np.memmap(self._numbers, np.float32, "r", shape=(len(self.lines), dimension))

    def close(self) -> None:
        self._texts.close()
        self._numbers.close()


class _Lines(Sequence[Chunk]):
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._starts = [0]

    def add(self, chunk: Chunk) -> None:
        line = json.dumps(astuple(chunk)).encode() + b"\n"
        self._stream.seek(self._starts[-1])
        self._stream.write(line)
        self._starts.append(self._starts[-1] + len(line))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Chunk: ...
    @overload
    def __getitem__(self, index: slice) -> list[Chunk]: ...
    def __getitem__(self, index: int | slice) -> Chunk | list[Chunk]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        self._stream.seek(self._starts[at])
        return Chunk(*json.loads(self._stream.readline()))

    def __iter__(self) -> Iterator[Chunk]:
        return (self[i] for i in range(len(self)))


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise DiskFull("no room for the chunks of a large file", "free some disk") from error
