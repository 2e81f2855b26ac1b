"""Chunks and vectors on their way: what goes in comes out, in memory or on disk."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import spool as spool_module
from ingest.spool import Spool
from rag.errors import DiskFull
from rag.records import Chunk


def chunk(number: int, text: str = "text", heading: str = "") -> Chunk:
    return Chunk(number, 3, number * 10, text, number or None, heading, "prefix\n")


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=12),
    kept=st.integers(1, 12),
)
@settings(deadline=None)
def test_what_goes_in_comes_out_wherever_it_was_kept(texts: list[str], kept: int) -> None:
    """Any text, on either side of the border between memory and disk, by index, slice and all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool_module, "_IN_MEMORY", kept)
        spool = Spool(2, None)
        chunks = [chunk(n, text, heading=text) for n, text in enumerate(texts)]
        for each in chunks:
            spool.add(each, np.array([each.ordinal, 0.5], dtype=np.float32))
        assert len(spool) == len(spool.chunks) == len(chunks)
        assert list(spool.chunks) == chunks
        assert list(spool.chunks[1:3]) == chunks[1:3]
        assert not chunks or spool.chunks[-1] == chunks[-1]
        assert spool.vectors.shape == (len(chunks), 2)
        assert spool.vectors[:, 0].tolist() == list(range(len(chunks)))
        spool.close()


def test_chunks_may_be_added_while_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_IN_MEMORY", 1)
    spool = Spool(1, None)
    for number in range(5):
        spool.add(chunk(number), np.zeros(1, dtype=np.float32))
        assert [c.ordinal for c in spool.chunks] == list(range(number + 1))
    spool.close()


def test_its_files_have_no_name_and_go_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run leaves nothing behind."""
    monkeypatch.setattr(spool_module, "_IN_MEMORY", 1)
    spool = Spool(1, tmp_path)
    for number in range(3):
        spool.add(chunk(number), np.zeros(1, dtype=np.float32))
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_a_full_disk_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool_module, "_IN_MEMORY", 1)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = Spool(1, tmp_path)
    spool.add(chunk(0), np.zeros(1, dtype=np.float32))
    with pytest.raises(DiskFull):
        spool.add(chunk(1), np.zeros(1, dtype=np.float32))
