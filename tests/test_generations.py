"""Readers beside a writer, kills, locks and damage: the embedded index as processes meet it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import qdrant_edge as edge

from ingest import ingest_folder
from rag import failpoints
from rag.errors import (
    DiskFull,
    IndexDamaged,
    IndexLocked,
    IndexMismatch,
    IndexMissing,
    UsageError,
)
from rag.records import Chunk, FileRecord
from rag.store import generations as generations_module
from rag.store.base import FileWrite, Fingerprint, IndexMeta, chunk_id
from rag.store.embedded import EmbeddedReader, EmbeddedWriter
from rag.store.folders import copy_sparse, sizes
from rag.store.generations import Generations
from rag.words import query_words

FINGERPRINT = Fingerprint("tiny", "0" * 64, 8, "", "", "test", "test")
META = IndexMeta(FINGERPRINT, ("/docs",))
TIMEOUT = 120  # seconds; only a hang takes that long


def write(file: str, version: int, chunks: int = 4) -> FileWrite:
    """A file whose every chunk says which version it is of."""
    texts = [f"version {version} of {file}, part {n}\n" for n in range(chunks)]
    made = [Chunk(n, 0, n * 40, text, None, "", f"{file}\n") for n, text in enumerate(texts)]
    record = FileRecord(
        file=file, root="/docs", bytes=1, mtime_ns=version, content=f"{file} {version}",
        status="indexed", chunks=chunks,
    )  # fmt: skip
    vectors = np.random.default_rng(version).normal(size=(chunks, 8)).astype(np.float32)
    return FileWrite(record, tuple(made), vectors)


def fill(index: Path, *items: FileWrite) -> None:
    with closing(EmbeddedWriter(index)) as writer:
        if writer.meta() is None:
            writer.set_meta(META)
        writer.put(items)
        writer.publish()


def versions(reader: EmbeddedReader) -> dict[str, set[str]]:
    """File → the versions its searchable chunks are of; fails when a file has too few of them."""
    found = reader.by_words(query_words("version"), limit=500, files=None)
    seen: dict[str, set[str]] = {}
    counted: dict[str, int] = {}
    for chunk in reader.chunks([c.id for c in found]):
        for version in re.findall(r"version (\d+)", chunk.text):
            seen.setdefault(chunk.file, set()).add(version)
        counted[chunk.file] = counted.get(chunk.file, 0) + 1
    assert counted == {r.file: r.chunks for r in reader.files() if r.chunks}
    return seen


def state(index: Path) -> list[tuple[str, str, str]]:
    """(content, chunk id, text) of everything stored."""
    with closing(EmbeddedReader(index)) as reader:
        fingerprint = reader.meta().fingerprint
        lines = {
            chunk_id(r.file, r.content, n, fingerprint): r.content
            for r in reader.files()
            for n in range(r.chunks)
        }
        stored = reader.chunks(list(lines))
        assert len(stored) == reader.counts().chunks
        return sorted((lines[c.chunk_id], c.chunk_id, c.text) for c in stored)


def numbered(index: Path) -> list[str]:
    """The generations on disk."""
    return sorted(p.name for p in (index / "generations").iterdir())


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to end when the test ends, however it ends."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(
    started: list[subprocess.Popen[str]], code: str, *arguments: object, failpoint: str = ""
) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": here, "RAG_FAILPOINT": failpoint},
    )
    started.append(process)
    return process


def result(process: subprocess.Popen[str]) -> dict[str, object]:
    """The JSON a process printed at its end; its error output where it failed."""
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


# ------------------------------------------------------------------ readers beside a writer

#: Opens the index again and again, like one `rag ask` after the other, until «stop» appears.
ASKING = """
import json, sys, time
from contextlib import closing
from pathlib import Path
from rag.store.embedded import EmbeddedReader
from test_generations import versions
index, stop, files = Path(sys.argv[1]), Path(sys.argv[2]), set(sys.argv[3].split(","))
opened, seen = 0, set()
while not stop.exists():
    with closing(EmbeddedReader(index)) as reader:
        found = versions(reader)
    assert set(found) == files, f"a file is absent: {found}"
    assert all(len(v) == 1 for v in found.values()), f"versions are mixed: {found}"
    opened += 1
    time.sleep(0.02)  # two processors are enough for this test
    seen.update(*found.values())
print(json.dumps({"opened": opened, "seen": sorted(seen)}))
"""

#: Opens the index once and asks it again and again, like a notebook.
NOTEBOOK = """
import json, sys, time
from contextlib import closing
from pathlib import Path
from rag.store.embedded import EmbeddedReader
from test_generations import versions
index, stop = Path(sys.argv[1]), Path(sys.argv[2])
asked = 0
with closing(EmbeddedReader(index)) as reader:
    first = versions(reader)
    print("open", flush=True)
    while not stop.exists():
        assert versions(reader) == first, "an open reader saw a change"
        asked += 1
        time.sleep(0.05)
print(json.dumps({"asked": asked, "seen": sorted({v for f in first.values() for v in f})}))
"""

#: Changes both files and syncs the folder, again and again.
INGESTING = """
import json, sys
from pathlib import Path
from ingest import ingest_folder
from test_generations import put_version
folder, index, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for version in range(2, 2 + rounds):
    put_version(folder, version)
    report = ingest_folder(folder, index=index, chunk_tokens=32)
    assert (report.files["updated"], report.chunks) == (2, 8), report
print(json.dumps({"rounds": rounds}))
"""


def put_version(folder: Path, version: int) -> None:
    """Two documents of four chunks; each says which version it is of."""
    for name in ("apples.md", "pears.txt"):
        text = "\n\n".join(
            f"This is version {version}, part {part}: orchards, harvests, weather and fruit."
            for part in range(4)
        )
        (folder / name).write_text(text + "\n", encoding="utf-8")


def test_readers_and_an_ingest_never_disturb_each_other(
    tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """Two asking processes and an open notebook see whole versions all through five updates."""
    folder, index, stop = tmp_path / "docs", tmp_path / "index", tmp_path / "stop"
    folder.mkdir()
    put_version(folder, 1)
    ingest_folder(folder, index=str(index), chunk_tokens=32)
    notebook = start(processes, NOTEBOOK, index, stop)
    assert notebook.stdout is not None
    assert notebook.stdout.readline() == "open\n"
    asking = [start(processes, ASKING, index, stop, "apples.md,pears.txt") for _ in range(2)]

    ingesting = start(processes, INGESTING, folder, index, 5)
    assert result(ingesting) == {"rounds": 5}
    time.sleep(0.5)  # let them ask the last version, too
    assert "1" in numbered(index), "the notebook's generation went while it was open"
    stop.touch()

    answers = [result(process) for process in asking]
    assert all(a["opened"] > 1 for a in answers)
    assert all("6" in a["seen"] for a in answers)
    assert result(notebook)["seen"] == ["1"]
    # With every reader gone, the next run leaves the current generation alone.
    ingest_folder(folder, index=str(index), chunk_tokens=32)
    assert numbered(index) == [str(Generations(index).current())]


def test_a_generation_stays_while_it_is_read_and_goes_afterwards(tmp_path: Path) -> None:
    """Old generations are kept for their readers, and removed by the next run without them."""
    fill(tmp_path, write("a.txt", 1))
    first = EmbeddedReader(tmp_path)
    fill(tmp_path, write("a.txt", 2))
    second = EmbeddedReader(tmp_path)
    fill(tmp_path, write("a.txt", 3))
    assert numbered(tmp_path) == ["1", "2", "3"]
    assert (versions(first), versions(second)) == ({"a.txt": {"1"}}, {"a.txt": {"2"}})
    first.close()
    EmbeddedWriter(tmp_path).close()  # a run that finds nothing to do
    assert numbered(tmp_path) == ["2", "3"]
    second.close()
    fill(tmp_path, write("a.txt", 4))
    assert numbered(tmp_path) == ["4"]


def test_reading_changes_no_file_of_a_generation(tmp_path: Path) -> None:
    """Published files keep their bytes, opened and asked as often as one likes; the engine's
    configuration, which it writes anew, keeps its place."""

    def content() -> dict[str, bytes]:
        data = [f for f in files if not f.endswith(".json")]
        return {f: (tmp_path / "generations/1" / f).read_bytes() for f in data}

    fill(tmp_path, *[write(f"{n}.txt", 1) for n in range(9)])
    files = list(sizes(tmp_path / "generations/1"))
    before = content()
    for _ in range(3):
        with closing(EmbeddedReader(tmp_path)) as reader:
            assert len(versions(reader)) == 9
    assert content() == before
    assert list(sizes(tmp_path / "generations/1")) == files


def test_a_small_index_is_small_on_disk_after_many_updates(tmp_path: Path) -> None:
    """Private copies leave out the holes of the engine's files."""
    for version in range(1, 4):
        fill(tmp_path, write("a.txt", version))
    stats = [p.stat() for p in tmp_path.rglob("*") if p.is_file()]
    # 0.5 MB of 156 on ext4; a file system in memory keeps larger blocks
    assert sum(s.st_blocks * 512 for s in stats) < sum(s.st_size for s in stats) / 2


def test_a_copy_equals_its_original(tmp_path: Path) -> None:
    """Holes, data between them, empty files and folders within come out as they went in."""
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    with (source / "deep" / "holes").open("wb") as stream:
        stream.write(b"start")
        stream.seek(3_000_000)
        stream.write(b"middle" * 700_000)
        stream.truncate(20_000_000)
    (source / "empty").touch()
    (source / "all hole").touch()
    os.truncate(source / "all hole", 1_000_000)
    (source / ".atomicwriteX").mkdir()
    copy_sparse(source, tmp_path / "target")
    for name in ("deep/holes", "empty", "all hole"):
        assert (tmp_path / "target" / name).read_bytes() == (source / name).read_bytes()
    assert not (tmp_path / "target" / ".atomicwriteX").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_index_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    """A read-only index answers, says so when it is to be changed, and stays as it was."""
    fill(tmp_path, write("a.txt", 1))
    places = [tmp_path, *tmp_path.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    try:
        with closing(EmbeddedReader(tmp_path)) as reader:
            assert versions(reader) == {"a.txt": {"1"}}
        with pytest.raises(UsageError, match="cannot be written"):
            EmbeddedWriter(tmp_path)
    finally:
        for place in places:
            place.chmod(0o755)


# ------------------------------------------------------------------ kills

#: Puts version 2 of a.txt and b.txt, as a change or as a rebuild, and is killed on the way.
WRITING = """
import sys
import threading
from pathlib import Path
from rag.store.embedded import EmbeddedWriter
from test_generations import META, write
writer = EmbeddedWriter(Path(sys.argv[1]))
if sys.argv[2] == "rebuild":
    writer.reset(META)
elif writer.meta() is None:
    writer.set_meta(META)
writer.put([write("a.txt", 2)])
if sys.argv[2] == "rebuild":
    writer.checkpoint()
writer.put([write("b.txt", 2)])
writer.publish()
"""
FAILPOINTS = [name for name in failpoints.NAMES if name.startswith("embedded.")]


@pytest.mark.parametrize(
    ("point", "kind"),
    [
        (point, kind)
        for point in FAILPOINTS
        for kind in ("first", "change", "rebuild")
        if kind == "rebuild" or point != "embedded.parked"  # nothing else is parked
    ],
)
def test_a_killed_writer_leaves_what_was_published_and_the_next_run_works(
    tmp_path: Path, processes: list[subprocess.Popen[str]], point: str, kind: str
) -> None:
    """SIGKILL leaves the old state or the new one; the next run ends like an undisturbed one."""
    index = tmp_path / "index"
    if kind != "first":
        fill(index, write("a.txt", 1), write("b.txt", 1))
    killed = start(processes, WRITING, index, kind, failpoint=point)
    killed.wait(TIMEOUT)
    assert killed.returncode == -signal.SIGKILL

    if point == "embedded.switched":
        expected = {"a.txt": {"2"}, "b.txt": {"2"}}
    else:
        expected = None if kind == "first" else {"a.txt": {"1"}, "b.txt": {"1"}}
    if expected:
        with closing(EmbeddedReader(index)) as reader:
            assert versions(reader) == expected
    else:
        with pytest.raises(IndexMissing):
            EmbeddedReader(index)

    again = start(processes, WRITING, index, kind)
    assert again.wait(TIMEOUT) == 0
    fill(tmp_path / "undisturbed", write("a.txt", 2), write("b.txt", 2))
    assert state(index) == state(tmp_path / "undisturbed")
    assert numbered(index) == [str(Generations(index).current())]


def test_a_rebuild_killed_after_a_checkpoint_goes_on_from_it(
    tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """What was put aside is there again, what came after it is not."""
    fill(tmp_path, write("old.txt", 1))
    killed = start(processes, WRITING, tmp_path, "rebuild", failpoint="embedded.upserted:2")
    assert killed.wait(TIMEOUT) == -signal.SIGKILL
    with closing(EmbeddedWriter(tmp_path)) as writer:
        assert [r.file for r in writer.files()] == ["old.txt"]
        writer.reset(META)
        assert [r.file for r in writer.files()] == ["a.txt"]


def test_a_killed_ingest_run_again_gives_the_same_index(
    tmp_path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """`rag ingest` killed while it works, then run again, ends like an undisturbed run."""
    folder, index = tmp_path / "docs", tmp_path / "index"
    folder.mkdir()
    for number in range(40):
        text = "\n\n".join(f"Paragraph {n} of report {number}." * 12 for n in range(5))
        (folder / f"{number}.txt").write_text(text)
    command = "from rag.__main__ import main; main()"
    killed = start(processes, command, "ingest", folder, "--index", index)
    deadline = time.monotonic() + TIMEOUT
    while not (index / "generations" / "work" / "shard").exists():
        assert time.monotonic() < deadline
        assert killed.poll() is None, "the ingest was over before it could be killed"
        time.sleep(0.01)
    killed.kill()
    killed.wait(TIMEOUT)
    with pytest.raises(IndexMissing):
        EmbeddedReader(index)

    ingest_folder(folder, index=str(index))
    ingest_folder(folder, index=str(tmp_path / "undisturbed"))
    assert state(index) == state(tmp_path / "undisturbed")
    assert numbered(index) == ["1"]


def test_work_that_a_killed_run_left_goes_with_a_run_that_has_nothing_to_do(
    tmp_path: Path,
) -> None:
    """Leftovers do not wait for the next change."""
    fill(tmp_path, write("a.txt", 1))
    shutil.copytree(tmp_path / "generations/1", tmp_path / "generations/work")
    (tmp_path / "generations/9").mkdir()  # of a sweep that was killed
    with closing(EmbeddedWriter(tmp_path)) as writer:
        writer.publish()
    assert numbered(tmp_path) == ["1"]
    assert Generations(tmp_path).current() == 1


# ------------------------------------------------------------------ one writer


def test_the_second_writer_is_told_at_once_who_the_first_one_is(tmp_path: Path) -> None:
    """`rag ingest` beside a running one exits 11 naming the process, and asking goes on."""
    folder, index = tmp_path / "docs", tmp_path / "index"
    folder.mkdir()
    (folder / "a.txt").write_text("apples")
    fill(index, write("a.txt", 1))
    with closing(EmbeddedWriter(index)) as writer:
        writer.put([write("a.txt", 2)])
        with pytest.raises(IndexLocked, match=f"process {os.getpid()} on "):
            EmbeddedWriter(index)
        command = [sys.executable, "-c", "from rag.__main__ import main; main()"]
        second = subprocess.run(
            [*command, "ingest", str(folder), "--index", str(index)],
            capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
        assert second.returncode == 11
        assert f"process {os.getpid()} on " in second.stderr
        assert second.stderr.count("\n") == 1
        with closing(EmbeddedReader(index)) as reader:
            assert versions(reader) == {"a.txt": {"1"}}
    EmbeddedWriter(index).close()


def test_a_writer_that_makes_no_index_leaves_nothing(tmp_path: Path) -> None:
    """A run that fails before it stores anything leaves no folder behind, and blocks nobody."""
    index = tmp_path / "index"
    with closing(EmbeddedWriter(index)):
        assert index.exists()
    assert not index.exists()
    with closing(EmbeddedWriter(index)) as writer, suppress(RuntimeError):
        writer.set_meta(META)
        raise RuntimeError("on the way")
    assert not index.exists()
    with pytest.raises(IndexMissing):
        EmbeddedReader(index)


def test_a_lock_on_a_file_that_was_removed_holds_nobody_off(tmp_path: Path) -> None:
    """A writer that took the lock while another tidied it away takes it once more."""
    index = tmp_path / "index"
    original = generations_module._lock
    taken: list[Path] = []

    def lock_after_the_file_went(path: Path, kind: object) -> object:
        held = original(path, kind)
        if not taken:
            path.unlink()
        taken.append(path)
        return held

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generations_module, "_lock", lock_after_the_file_went)
        held = Generations(index).lock_for_writing()
    assert len(taken) == 2
    with pytest.raises(IndexLocked):
        EmbeddedWriter(index)
    held.close()


def test_a_folder_that_cannot_hold_an_index_is_a_usage_error(tmp_path: Path) -> None:
    """A file in the place of the index is named, and nothing is there to be read."""
    (tmp_path / "file").write_text("no index")
    with pytest.raises(UsageError, match="--index"):
        EmbeddedWriter(tmp_path / "file")
    with pytest.raises(IndexMissing):
        EmbeddedReader(tmp_path / "file")


def test_a_disk_without_room_stops_a_writer_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DiskFull comes before the private copy is begun, and the index stays as it was."""
    fill(tmp_path, write("a.txt", 1))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with (
        closing(EmbeddedWriter(tmp_path)) as writer,
        pytest.raises(DiskFull, match="1 MB free"),
    ):
        writer.put([write("a.txt", 2)])
    assert numbered(tmp_path) == ["1"]
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"a.txt": {"1"}}


# ------------------------------------------------------------------ damage


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


def _halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _garbled(path: Path) -> None:
    path.write_bytes(b"\xff" * max(1, path.stat().st_size))


SEGMENT = "generations/1/shard/segments/*"
DAMAGES = [
    pytest.param("CURRENT", Path.unlink, id="CURRENT lost"),
    pytest.param("CURRENT", _emptied, id="CURRENT emptied"),
    pytest.param("CURRENT", _garbled, id="CURRENT garbled"),
    pytest.param("generations/1", shutil.rmtree, id="the generation removed"),
    pytest.param("generations/1/lease", Path.unlink, id="the lease removed"),
    pytest.param("generations/1/ledger.db", Path.unlink, id="the ledger removed"),
    pytest.param("generations/1/ledger.db", _emptied, id="the ledger emptied"),
    pytest.param("generations/1/ledger.db", _halved, id="the ledger cut"),
    pytest.param("generations/1/ledger.db", _garbled, id="the ledger garbled"),
    pytest.param("generations/1/shard", shutil.rmtree, id="the shard removed"),
    pytest.param(SEGMENT, shutil.rmtree, id="a segment removed"),
    pytest.param(f"{SEGMENT}/segment.json", _emptied, id="a segment's description emptied"),
    pytest.param(f"{SEGMENT}/vector_storage-dense/vectors/chunk_0.mmap", _halved, id="vectors cut"),
    pytest.param(f"{SEGMENT}/vector_storage-dense/vectors/status.dat", Path.unlink,
                 id="vectors without their status"),
    pytest.param(f"{SEGMENT}/vector_storage-words/store/page_0.dat", _emptied, id="words emptied"),
    pytest.param(f"{SEGMENT}/payload_storage/page_0.dat", Path.unlink, id="payload removed"),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with «docs» and the «index» of it, to be copied."""
    place = tmp_path_factory.mktemp("whole")
    (place / "docs").mkdir()
    (place / "docs" / "a.txt").write_text("Apples cost 3 euros.")
    ingest_folder(place / "docs", index=str(place / "index"))
    return place


@pytest.mark.parametrize(("target", "damage"), DAMAGES)
def test_damage_is_told_with_its_remedy_which_mends_it(
    whole: Path, tmp_path: Path, target: str, damage: object
) -> None:
    """Asking and syncing a damaged index end with 17 and the command that builds it again."""
    index = tmp_path / "index"
    copy_sparse(whole / "index", index)
    (path,) = index.glob(target)
    damage(path)
    with pytest.raises(IndexDamaged, match="--reindex") as told:
        EmbeddedReader(index)
    assert str(index) in str(told.value)
    with pytest.raises(IndexDamaged, match="--reindex"):  # also with nothing to do
        ingest_folder(whole / "docs", index=str(index))

    report = ingest_folder(whole / "docs", index=str(index), reindex=True)
    assert report.files["new"] == report.files["found"] == 1
    with closing(EmbeddedReader(index)) as reader:
        (found,) = reader.by_words(query_words("apples"), limit=9, files=None)
        assert [c.text for c in reader.chunks([found.id])] == ["Apples cost 3 euros."]
    assert numbered(index) == [str(Generations(index).current())]


def test_content_the_engine_cannot_make_sense_of_is_damage(whole: Path, tmp_path: Path) -> None:
    """The engine's own failures, panics included, come out as IndexDamaged."""
    copy_sparse(whole / "index", tmp_path / "index")
    (page,) = (tmp_path / "index").glob(f"{SEGMENT}/payload_storage/page_0.dat")
    _garbled(page)
    with (
        closing(EmbeddedReader(tmp_path / "index")) as reader,
        pytest.raises(IndexDamaged, match="--reindex"),
    ):
        reader.by_words(query_words("apples"), limit=9, files=None)


def parked(index: Path) -> Path:
    """Where a rebuild of one file waits that was stopped before it was published."""
    with closing(EmbeddedWriter(index)) as writer:
        writer.reset(META)
        writer.put([write("a.txt", 2)])
        writer.checkpoint()
    (folder,) = index.glob("generations/parked-*")
    return folder


def _uncounted(folder: Path) -> None:
    """The ledger says one file more than the engine holds."""
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as ledger:
        ledger.execute("UPDATE files SET chunks = chunks + 1")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda p: (p / "ledger.db").unlink(), id="ledger removed"),
        pytest.param(lambda p: _halved(p / "ledger.db"), id="ledger cut"),
        pytest.param(lambda p: shutil.rmtree(p / "shard"), id="shard removed"),
        pytest.param(lambda p: _halved(next(p.rglob("chunk_0.mmap"))), id="vectors cut"),
        pytest.param(_uncounted, id="counts wrong"),
    ],
)
def test_a_damaged_rebuild_begins_afresh(tmp_path: Path, damage: object) -> None:
    """What was put aside and is not whole is thrown away without an error."""
    fill(tmp_path, write("old.txt", 1))
    damage(parked(tmp_path))
    with closing(EmbeddedWriter(tmp_path)) as writer:
        writer.reset(META)
        assert writer.files() == []
        writer.put([write("b.txt", 3)])
        writer.publish()
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"b.txt": {"3"}}


def test_a_rebuild_of_a_damaged_index_is_taken_up(tmp_path: Path) -> None:
    """Also where the number of the current generation is lost."""
    fill(tmp_path, write("old.txt", 1))
    (tmp_path / "CURRENT").write_text("garbage")
    parked(tmp_path)
    with closing(EmbeddedWriter(tmp_path)) as writer:
        writer.reset(META)
        assert [r.file for r in writer.files()] == ["a.txt"]
        writer.publish()
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"a.txt": {"2"}}
    assert numbered(tmp_path) == ["2"]


def test_a_rebuild_of_what_is_no_longer_current_goes(tmp_path: Path) -> None:
    """One that was put aside before another run published is never taken up."""
    fill(tmp_path, write("old.txt", 1))
    kept = tmp_path.with_name("kept")
    copy_sparse(place := parked(tmp_path), kept)
    fill(tmp_path, write("old.txt", 2))
    assert numbered(tmp_path) == ["2"]
    copy_sparse(kept, place)
    EmbeddedWriter(tmp_path).close()
    assert numbered(tmp_path) == ["2"]


# ------------------------------------------------------------------ other versions


def altered(index: Path, *statements: str) -> None:
    """Change the ledger of the current generation as another version would have it."""
    path = index / "generations" / str(Generations(index).current()) / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as ledger:
        for statement in statements:
            ledger.execute(statement)


def test_a_ledger_of_the_version_before_is_read_and_brought_up_to_this_one(
    tmp_path: Path,
) -> None:
    """A column it lacks has its default, and is there once something is written."""
    old = write("a.txt", 1)
    fill(tmp_path, old)
    altered(tmp_path, "ALTER TABLE files DROP COLUMN hidden")
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert reader.files() == [old.record]
    new = write("b.txt", 1)
    new = replace(new, record=replace(new.record, hidden=7))
    fill(tmp_path, new)
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert [(r.file, r.hidden) for r in reader.files()] == [("a.txt", 0), ("b.txt", 7)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE files ADD COLUMN mood",
        "ALTER TABLE files DROP COLUMN content",
        "CREATE TABLE moods (name TEXT)",
    ],
)
def test_a_ledger_that_this_version_does_not_know_is_refused(
    tmp_path: Path, statement: str
) -> None:
    """Exit 12, not damage, for asking and for syncing; a rebuild makes it ours."""
    fill(tmp_path, write("a.txt", 1))
    altered(tmp_path, statement)
    with pytest.raises(IndexMismatch, match="another version"):
        EmbeddedReader(tmp_path)
    with closing(EmbeddedWriter(tmp_path)) as writer:
        for look in (writer.meta, writer.files, lambda: writer.put([write("a.txt", 2)])):
            with pytest.raises(IndexMismatch, match="another version"):
                look()
        writer.reset(META)
        writer.put([write("a.txt", 3)])
        writer.publish()
    with closing(EmbeddedReader(tmp_path)) as reader:
        assert versions(reader) == {"a.txt": {"3"}}


def test_points_of_a_kind_unknown_are_another_version_s(tmp_path: Path) -> None:
    fill(tmp_path, write("a.txt", 1))
    with closing(EmbeddedWriter(tmp_path)) as writer:
        writer.note([write("a.txt", 1).record])
        strange = edge.Point(id=7, vector={}, payload={"kind": "picture", "file": "a.txt"})
        writer._shard.update(edge.UpdateOperation.upsert_points([strange]))
        with pytest.raises(IndexMismatch, match="unknown kind"):
            writer.publish()


def test_a_refusal_waits_for_the_name_of_an_owner_who_has_just_come(tmp_path: Path) -> None:
    """The lock is taken an instant before its owner is written down."""
    generations = Generations(tmp_path / "index")
    held = generations.lock_for_writing()
    lock = tmp_path / "index" / "writer.lock"
    named = lock.read_text()
    lock.write_text("")
    writing = threading.Timer(0.1, lock.write_text, [named])
    writing.start()
    with pytest.raises(IndexLocked, match=f"written by process {os.getpid()} on "):
        Generations(tmp_path / "index").lock_for_writing()
    writing.join()
    generations.unlock(held)
