"""A disk that fills up while an ingest runs: DiskFull or success, and the old index answers.

The engine works in memory-mapped, sparse files and ends with SIGBUS when one of their holes cannot
be filled. So a small file system is really filled here, while a real writer runs in a process of
its own. Where none may be mounted, only the tests that need none run.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from test_generations import META, TIMEOUT, fill, numbered, versions, write

from rag.errors import DiskFull, IndexDamaged, RagError
from rag.records import Chunk, FileRecord
from rag.store import compaction
from rag.store.base import FileWrite
from rag.store.embedded import EmbeddedReader, EmbeddedWriter
from rag.store.folders import apparent, copy_sparse, fill_holes, punch_holes
from rag.words import query_words

MOUNTED_MB = 700


def large(file: str, version: int, chunks: int = 1000) -> FileWrite:
    """A file of some 800 kB in chunks as long as ordinary ones."""
    pick = random.Random(f"{file} {version}")
    made = [
        Chunk(n, 0, n * 800, f"version {version} " + str(pick.getrandbits(2600)), 1, "", "")
        for n in range(chunks)
    ]
    record = FileRecord(
        file=file, root="/docs", bytes=1, mtime_ns=version, content=f"{file} {version}",
        status="indexed", chunks=chunks,
    )  # fmt: skip
    vectors = np.random.default_rng(version).normal(size=(chunks, 8)).astype(np.float32)
    return FileWrite(record, tuple(made), vectors)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of `MOUNTED_MB`."""
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as stream:
        stream.truncate(MOUNTED_MB * 2**20)
    commands = (
        ["mkfs.ext4", "-q", "-F", "-m", "0", str(image)],
        ["mount", "-o", "loop", str(image), str(place)],
    )
    for command in commands:
        if not shutil.which(command[0]) or os.geteuid():
            pytest.skip("only root may mount a file system here")
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this machine mounts no file system from a file")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


#: Puts version 2 of six large files, checkpointing on the way, and says how it ended.
WRITING = """
import sys
from contextlib import closing
from pathlib import Path
from rag.errors import DiskFull, IndexDamaged, RagError
from rag.store.embedded import EmbeddedWriter
from test_disk_full import META, large
print("begun", flush=True)
try:
    with closing(EmbeddedWriter(Path(sys.argv[1]))) as writer:
        if sys.argv[2] == "rebuild":
            writer.reset(META)
        for number in range(6):
            writer.put([large(f"{number}.txt", 2)])
            if number % 2:
                writer.checkpoint()
        writer.publish()
except DiskFull as error:
    assert error.exit_code == 16 and "free some" in str(error), error
    print("disk full")
else:
    print("success")
"""


def occupy(file: Path) -> None:
    """Fill the disk to the last block, and keep it full whatever is freed meanwhile."""
    with file.open("ab", buffering=0) as stream:
        for size in (2**22, 2**16, 2**10):
            with suppress(OSError):
                while True:
                    stream.write(b"x" * size)


def answered(index: Path) -> set[str]:
    """The versions found in the index, each file of which has to be whole."""
    with closing(EmbeddedReader(index)) as reader:
        found = reader.by_words(query_words("version"), limit=9, files=None)
        seen = {chunk.text.split()[1] for chunk in reader.chunks([c.id for c in found])}
        assert reader.counts().chunks == sum(r.chunks for r in reader.files())
        return seen


@pytest.mark.parametrize("moment", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("kind", ["change", "rebuild"])
def test_a_disk_that_fills_up_during_an_ingest_kills_nothing(
    small_disk: Path, kind: str, moment: float
) -> None:
    """At whatever moment it fills: exit 16 or success, and the index opens on the full disk."""
    index, filler = small_disk / "index", small_disk / "filler"
    with closing(EmbeddedWriter(index)) as writer:
        writer.set_meta(META)
        writer.put([large("0.txt", 1), large("1.txt", 1)])
        writer.publish()
    child = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(index), kind],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    time.sleep(moment)
    deadline = time.monotonic() + TIMEOUT
    while child.poll() is None:
        assert time.monotonic() < deadline
        occupy(filler)
        time.sleep(0.001)
    out, err = child.communicate()
    assert child.returncode == 0, (child.returncode, err)
    assert out in ("disk full\n", "success\n"), out
    assert answered(index) <= {"1", "2"}

    filler.unlink()
    with closing(EmbeddedWriter(index)) as writer:
        writer.put([large("0.txt", 3), large("1.txt", 3)])
        writer.publish()
    assert "3" in answered(index)


@pytest.mark.parametrize("call", ["posix_fallocate", "replace", "rename", "mkdir"])
@pytest.mark.parametrize("kind", ["change", "rebuild"])
def test_a_full_disk_met_by_any_call_is_told_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, call: str
) -> None:
    """Exit 16, the private copy is gone, and what was published answers."""
    fill(tmp_path, write("a.txt", 1))

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def work(writer: EmbeddedWriter) -> None:
        if kind == "rebuild":
            writer.reset(META)
        writer.put([write("a.txt", 2)])
        writer.checkpoint()
        writer.publish()

    with closing(EmbeddedWriter(tmp_path)) as writer, monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(DiskFull) as told:
            work(writer)
    assert told.value.exit_code == 16
    assert str(tmp_path) in str(told.value)
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"a.txt": {"1"}}
    with closing(EmbeddedWriter(tmp_path)) as writer:
        work(writer)
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"a.txt": {"2"}}
    assert len(numbered(tmp_path)) == 1


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="keeps no blocks")
def test_files_at_work_have_all_their_blocks_and_give_them_back(tmp_path: Path) -> None:
    """Holes are filled and punched again, and no byte changes by it."""
    place, before = tmp_path / "shard", tmp_path / "before"
    place.mkdir()
    with (place / "page").open("wb") as stream:
        for start in (0, 2_000_000, 5_000_000):
            stream.seek(start)
            stream.write(random.Random(start).randbytes(70_000))
        stream.truncate(8_000_000)
    copy_sparse(place, before)

    def stored() -> int:
        return (place / "page").stat().st_blocks * 512

    sparse = stored()
    fill_holes(place)
    assert stored() >= 8_000_000
    os.sync()  # what is only in memory is told from a hole, too, but not by every file system
    punch_holes(place)
    assert stored() <= max(sparse, 1_000_000)
    assert (place / "page").read_bytes() == (before / "page").read_bytes()
    assert apparent(place) == 8_000_000


def test_much_that_is_deleted_is_compacted_by_a_process_of_its_own(tmp_path: Path) -> None:
    """Replaced chunks do not stay on disk, and the compacted index answers."""
    with closing(EmbeddedWriter(tmp_path)) as writer:
        writer.set_meta(META)
        writer.put([large("a.txt", 1)])
        writer.publish()
        (first,) = tmp_path.glob("generations/*/shard/segments/*")
        writer.put([large("a.txt", 2)])
        writer.publish()
        (second,) = tmp_path.glob("generations/*/shard/segments/*")
    assert first.name != second.name
    assert answered(tmp_path) == {"2"}


@pytest.mark.parametrize(
    ("child", "error"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", DiskFull),
        ("raise OSError('No space left on device')", DiskFull),
        ("raise ValueError('a segment makes no sense')", IndexDamaged),
    ],
)
def test_a_compaction_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, error: type[RagError]
) -> None:
    """A full disk is told from damage, and what was published answers."""
    monkeypatch.setattr(compaction, "_CHILD", child)
    fill(tmp_path, write("a.txt", 1))
    with closing(EmbeddedWriter(tmp_path)) as writer:
        writer.put([write("a.txt", 2)])
        with pytest.raises(error, match="compact"):
            writer.publish()
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"a.txt": {"1"}}
