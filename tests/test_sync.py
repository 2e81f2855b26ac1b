"""The folder is the truth: what an ingest makes of new, changed, moved, broken and lost files."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import ingest_folder
from ingest import plan as plan_module
from ingest.discover import Found
from ingest.plan import make_plan
from ingest.pool import Pool
from ingest.readers import Unreadable
from ingest.report import IngestReport
from ingest.sandbox import Request
from rag.embedder import Embedder
from rag.errors import ConfirmationNeeded, IndexMismatch, IndexMissing, UsageError
from rag.records import FileRecord
from rag.store.base import chunk_id
from rag.store.embedded import EmbeddedReader

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
COUNTERS = [
    "found", "new", "updated", "renamed", "unchanged", "partial", "failed", "unsupported",
    "removed",
]  # fmt: skip
APPLES = "# Apples\n\nApples cost three euros a kilogram.\n"
PEARS = "Pears are harvested in September.\n"
PLUMS = "Plums are dried in the sun.\n"


class Place:
    """A folder of documents and its index."""

    def __init__(self, base: Path) -> None:
        self.docs = base / "docs"
        self.index = base / "index"
        self.docs.mkdir()

    def put(self, **files: str) -> None:
        """Write files; «__» stands for the dot of a name."""
        for name, text in files.items():
            (self.docs / name.replace("__", ".")).write_text(text, encoding="utf-8")

    def sync(self, folder: Path | None = None, **options) -> IngestReport:
        report = ingest_folder(folder or self.docs, index=str(self.index), **options)
        counts = report.files
        assert counts["found"] == sum(counts.values()) - counts["found"] - counts["removed"]
        return report

    def reader(self) -> closing[EmbeddedReader]:
        return closing(EmbeddedReader(self.index))

    def ledger(self) -> dict[str, FileRecord]:
        with self.reader() as reader:
            return {record.file: record for record in reader.files()}

    def texts(self) -> dict[str, str]:
        """File → all its stored text, found by a search that finds every chunk."""
        anything = np.ones(384, dtype=np.float32)
        with self.reader() as reader:
            found = reader.by_vector(anything, limit=1000, files=None)
            stored = reader.chunks([c.id for c in found])
            assert len(stored) == reader.counts().chunks
        joined: dict[str, str] = {}
        for chunk in sorted(stored, key=lambda c: (c.file, c.start)):
            joined[chunk.file] = joined.get(chunk.file, "") + chunk.text
        return joined

    def published(self) -> str:
        return (self.index / "CURRENT").read_text()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def counted(report: IngestReport) -> dict[str, int]:
    """The counters that are not zero."""
    return {name: count for name, count in report.files.items() if count}


# ------------------------------------------------------------------ what becomes of a file


def test_new_files_are_indexed_and_an_unchanged_folder_costs_nothing(place: Place) -> None:
    """The second run embeds nothing, writes nothing and publishes nothing."""
    place.put(a__md=APPLES, b__txt=PEARS)
    first = place.sync()
    assert counted(first) == {"found": 2, "new": 2}
    assert (first.chunks, first.embedded, first.exit_code) == (2, 2, 0)
    before = place.published(), place.ledger()
    second = place.sync()
    assert counted(second) == {"found": 2, "unchanged": 2}
    assert (second.chunks, second.embedded, second.exit_code) == (2, 0, 0)
    assert (place.published(), place.ledger()) == before
    assert place.texts() == {"a.md": APPLES, "b.txt": PEARS}


def test_an_updated_file_replaces_its_former_version(place: Place) -> None:
    """Only the changed file is embedded, and nothing of the old text is left."""
    place.put(a__md=APPLES, b__txt=PEARS)
    place.sync()
    place.put(b__txt=PLUMS)
    report = place.sync()
    assert counted(report) == {"found": 2, "updated": 1, "unchanged": 1}
    assert report.embedded == 1
    assert place.texts() == {"a.md": APPLES, "b.txt": PLUMS}


def test_a_renamed_file_is_embedded_no_second_time(place: Place) -> None:
    """A rename, also into a subfolder, keeps the vectors and leaves nothing of the old name."""
    place.put(a__md=APPLES, b__txt=PEARS)
    place.sync()
    (place.docs / "sub").mkdir()
    (place.docs / "a.md").rename(place.docs / "sub" / "c.md")
    report = place.sync()
    assert counted(report) == {"found": 2, "renamed": 1, "unchanged": 1}
    assert report.embedded == 0
    assert place.texts() == {"sub/c.md": APPLES, "b.txt": PEARS}


def test_files_that_swap_names_are_embedded_no_second_time(place: Place) -> None:
    """Two names exchanged: both lines change, all vectors stay."""
    place.put(a__txt=PLUMS, b__txt=PEARS)
    place.sync()
    (place.docs / "a.txt").rename(place.docs / "x")
    (place.docs / "b.txt").rename(place.docs / "a.txt")
    (place.docs / "x").rename(place.docs / "b.txt")
    report = place.sync()
    assert counted(report) == {"found": 2, "updated": 2}
    assert report.embedded == 0
    assert place.texts() == {"a.txt": PEARS, "b.txt": PLUMS}


def test_copies_are_indexed_under_each_name_and_embedded_once(place: Place) -> None:
    """Equal content is embedded once, in the same run and in a later one."""
    place.put(a__txt=PEARS, b__txt=PEARS)
    assert place.sync().embedded == 1
    place.put(c__txt=PEARS)
    report = place.sync()
    assert (counted(report), report.embedded) == ({"found": 3, "new": 1, "unchanged": 2}, 0)
    assert place.texts() == {"a.txt": PEARS, "b.txt": PEARS, "c.txt": PEARS}


def test_a_deleted_file_is_gone_and_a_reverted_one_is_back(place: Place) -> None:
    """Deleting removes the text; an older version put back is what is found again."""
    place.put(a__md=APPLES, b__txt=PEARS, c__txt=PLUMS)
    place.sync()
    (place.docs / "c.txt").unlink()
    place.put(b__txt="Something else.\n")
    assert counted(place.sync()) == {"found": 2, "updated": 1, "unchanged": 1, "removed": 1}
    assert place.texts() == {"a.md": APPLES, "b.txt": "Something else.\n"}
    place.put(b__txt=PEARS)
    assert counted(place.sync()) == {"found": 2, "updated": 1, "unchanged": 1}
    assert place.texts() == {"a.md": APPLES, "b.txt": PEARS}


def test_a_touched_file_is_unchanged(place: Place) -> None:
    """Another date alone embeds nothing, for empty files as well, and is read only once."""
    place.put(a__md=APPLES, empty__txt="")
    place.sync()
    for name in ("a.md", "empty.txt"):
        os.utime(place.docs / name, ns=(1, 1))
    report = place.sync()
    assert counted(report) == {"found": 2, "unchanged": 2}
    assert report.embedded == 0
    assert place.ledger()["a.md"].mtime_ns == 1
    published = place.published()
    place.sync()
    assert place.published() == published


def test_a_file_replaced_by_a_folder_is_gone(place: Place) -> None:
    """A folder in the place of a file takes its name, and its files come in."""
    place.put(a__txt=PEARS, b__txt=PLUMS)
    place.sync()
    (place.docs / "a.txt").unlink()
    (place.docs / "a.txt").mkdir()
    (place.docs / "a.txt" / "c.txt").write_text("Cherries ripen in June.\n")
    assert counted(place.sync()) == {"found": 2, "new": 1, "unchanged": 1, "removed": 1}
    assert set(place.texts()) == {"a.txt/c.txt", "b.txt"}


def test_unsupported_and_empty_files_are_named_and_harmless(place: Place) -> None:
    """They stand in the ledger, the exit code stays 0, and no problem is listed."""
    place.put(a__md=APPLES, picture__png="no text", empty__txt=" \n")
    report = place.sync()
    assert counted(report) == {"found": 3, "new": 2, "unsupported": 1}
    assert (report.exit_code, report.problems) == (0, [])
    assert {f: r.status for f, r in place.ledger().items()} == {
        "a.md": "indexed", "empty.txt": "empty", "picture.png": "unsupported",
    }  # fmt: skip


def test_the_index_inside_the_folder_is_no_document(tmp_path: Path) -> None:
    """An index that lies among the documents is not read, nor counted as a change."""
    place = Place(tmp_path)
    place.index = place.docs / "index"
    place.put(a__txt=PEARS)
    assert counted(place.sync()) == {"found": 1, "new": 1}
    assert counted(place.sync()) == {"found": 1, "unchanged": 1}


def test_a_file_that_changes_while_it_is_read_is_read_again_by_the_next_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read and what was hashed may differ; nothing stale survives the next run."""
    place.put(a__txt=PEARS)
    original = Pool.read_all

    def read_another_version(pool: Pool, requests: list[Request], idle: object):
        for request in requests:
            request.path.write_text(PLUMS)
        for request, parts in zip(requests, original(pool, requests, idle), strict=True):
            taken = list(parts)
            request.path.write_text(PEARS)
            yield iter(taken)

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "read_all", read_another_version)
        place.sync()
    assert place.texts() == {"a.txt": PLUMS}
    place.sync()
    assert place.texts() == {"a.txt": PEARS}


# ------------------------------------------------------------------ files that fail


def put_broken(place: Place) -> None:
    place.put(good__txt=PEARS, broken__pdf="%PDF-1.7 that is all")
    (place.docs / "binary.txt").write_bytes(bytes(range(256)) * 20)
    locked = pypdf.PdfWriter()
    locked.add_blank_page(100, 100)
    locked.encrypt("secret")
    locked.write(place.docs / "locked.pdf")


def failing(status: str, detail: str):
    """A pool in which every file fails."""

    def fails(parts: object):
        raise Unreadable(status, detail)
        yield parts

    return lambda _pool, requests, _idle: (fails(request) for request in requests)


def test_failed_files_are_listed_by_every_run_and_read_again_when_asked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failed file has one line with status and reason, and makes the exit code 3."""
    read: list[str] = []

    def noted(pool: Pool, requests: list[Request], idle: object, do=Pool.read_all):
        read.extend(request.path.name for request in requests)
        return do(pool, requests, idle)

    monkeypatch.setattr(Pool, "read_all", noted)
    put_broken(place)
    first = place.sync()
    assert counted(first) == {"found": 4, "new": 1, "failed": 3}
    assert first.exit_code == 3
    assert {p.file: p.status for p in first.problems} == {
        "binary.txt": "unreadable", "broken.pdf": "unreadable", "locked.pdf": "password",
    }  # fmt: skip
    assert len(first.problems) == 3
    assert all(p.detail for p in first.problems)

    read.clear()
    second = place.sync()
    assert read == []
    assert second.problems == first.problems
    assert (counted(second), second.exit_code) == ({"found": 4, "unchanged": 1, "failed": 3}, 3)
    third = place.sync(retry_failed=True)
    assert sorted(read) == ["binary.txt", "broken.pdf", "locked.pdf"]
    assert third.problems == first.problems


def test_a_failed_update_leaves_the_former_version_answering(place: Place) -> None:
    """A broken new version is told, the old text stays until there is a good one."""
    place.put(a__txt=PEARS, b__txt=PLUMS)
    place.sync()
    (place.docs / "a.txt").write_bytes(bytes(range(256)) * 20)
    report = place.sync()
    assert counted(report) == {"found": 2, "unchanged": 1, "failed": 1}
    (problem,) = report.problems
    assert (problem.file, problem.status) == ("a.txt", "unreadable")
    assert "former version still answers" in problem.detail
    assert place.texts() == {"a.txt": PEARS, "b.txt": PLUMS}
    assert place.sync().problems == [problem]
    assert place.texts() == {"a.txt": PEARS, "b.txt": PLUMS}

    place.put(a__txt=PEARS)  # the old version is put back
    report = place.sync()
    assert (counted(report), report.embedded) == ({"found": 2, "updated": 1, "unchanged": 1}, 0)
    assert place.ledger()["a.txt"].status == "indexed"


def test_an_emptied_file_stops_answering(place: Place) -> None:
    """A file without text now is no failed update: what it said before is gone."""
    place.put(a__txt=PEARS, b__txt=PLUMS)
    place.sync()
    place.put(a__txt="")
    report = place.sync()
    assert (counted(report), report.exit_code) == ({"found": 2, "updated": 1, "unchanged": 1}, 0)
    assert place.texts() == {"b.txt": PLUMS}


def test_a_failed_update_that_succeeds_when_tried_again_is_known_by_its_own_content(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After --retry-failed the line carries the new bytes' digest, so a revert is noticed."""

    place.put(a__txt=PEARS)
    place.sync()
    place.put(a__txt=PLUMS)
    with monkeypatch.context() as patch:
        patch.setattr(Pool, "read_all", failing("timeout", "took too long"))
        assert counted(place.sync()) == {"found": 1, "failed": 1}
    assert counted(place.sync(retry_failed=True)) == {"found": 1, "updated": 1}
    assert place.texts() == {"a.txt": PLUMS}
    assert place.ledger()["a.txt"].content == plan_module.sha256(place.docs / "a.txt")
    place.put(a__txt=PEARS)
    place.sync()
    assert place.texts() == {"a.txt": PEARS}


def test_a_renamed_file_that_cannot_be_read_leaves_nothing_under_its_old_name(
    place: Place,
) -> None:
    """Renaming a text to .pdf makes it unreadable; its old name is gone all the same."""
    place.put(a__txt=PEARS, b__txt=PLUMS)
    place.sync()
    (place.docs / "a.txt").rename(place.docs / "a.pdf")
    report = place.sync()
    assert counted(report) == {"found": 2, "unchanged": 1, "failed": 1}
    assert place.texts() == {"b.txt": PLUMS}
    assert set(place.ledger()) == {"a.pdf", "b.txt"}


def test_bytes_that_nobody_could_read_are_tried_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file closed to us for a while is read by the first run that may, with no date changed."""
    place.put(a__txt=PEARS)
    place.sync()
    place.put(a__txt=PLUMS)

    with monkeypatch.context() as patch:  # root may read everything
        patch.setattr(plan_module, "sha256", lambda _: "")
        patch.setattr(Pool, "read_all", failing("unreadable", "cannot be read: Permission denied"))
        assert counted(place.sync()) == {"found": 1, "failed": 1}
    assert place.texts() == {"a.txt": PEARS}
    assert counted(place.sync()) == {"found": 1, "updated": 1}
    assert place.texts() == {"a.txt": PLUMS}


def listing(*found: Found):
    """A walk that finds just these."""
    return lambda *_, **__: iter(found)


def test_files_below_a_folder_that_cannot_be_listed_stay_indexed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known about them, so nothing is removed; the folder is named as a problem."""
    (place.docs / "sub").mkdir()
    (place.docs / "sub" / "b.txt").write_text(PLUMS)
    place.put(a__txt=PEARS)
    place.sync()
    stat = (place.docs / "a.txt").stat()
    closed = Found("sub/", place.docs / "sub", problem=("unreadable", "folder cannot be listed"))
    a = Found("a.txt", place.docs / "a.txt", stat.st_size, stat.st_mtime_ns)
    with monkeypatch.context() as patch:  # root may list everything
        patch.setattr(plan_module, "discover", listing(a, closed))
        report = place.sync()
    assert counted(report) == {"found": 2, "unchanged": 1, "failed": 1}
    assert [(p.file, p.status) for p in report.problems] == [("sub/", "unreadable")]
    assert place.texts() == {"a.txt": PEARS, "sub/b.txt": PLUMS}
    report = place.sync()
    assert (report.files["unchanged"], report.exit_code) == (2, 0)
    assert set(place.ledger()) == {"a.txt", "sub/b.txt"}


@pytest.mark.parametrize(
    ("problem", "answers"),
    [
        (("unreadable", "cannot be examined: Permission denied"), True),
        (("outside_folder", "link to outside the folder"), False),
        (("unsupported", "not a regular file"), False),
        (("vanished", "link that leads nowhere"), False),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_known_file_that_must_not_be_read_any_more(
    place: Place, monkeypatch: pytest.MonkeyPatch, problem: tuple[str, str], answers: bool
) -> None:
    """It answers on only where it may still be the same file, closed to us for now."""
    place.put(a__txt=PEARS, b__txt=PLUMS)
    place.sync()
    stat = (place.docs / "b.txt").stat()
    b = Found("b.txt", place.docs / "b.txt", stat.st_size, stat.st_mtime_ns)
    changed = Found("a.txt", place.docs / "a.txt", problem=problem)
    with monkeypatch.context() as patch:
        patch.setattr(plan_module, "discover", listing(changed, b))
        place.sync()
        assert ("a.txt" in place.texts()) == answers
        published = place.published()
        place.sync()
        assert place.published() == published
    place.sync()
    assert place.texts() == {"a.txt": PEARS, "b.txt": PLUMS}


def test_insane_vectors_are_refused_and_change_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model gone wrong stops the run; what was published stays."""
    place.put(a__txt=PEARS)
    place.sync()
    place.put(a__txt=PLUMS)
    insane = np.full((1, 384), np.nan)
    monkeypatch.setattr(Embedder, "embed_passages", lambda *_, **__: insane)
    with pytest.raises(ValueError, match=r"a\.txt"):
        place.sync()
    assert place.texts() == {"a.txt": PEARS}


# ------------------------------------------------------------------ folders and indexes


def test_an_empty_folder_makes_no_index(place: Place) -> None:
    """Nothing to index is a usage error, and no index is left behind."""
    with pytest.raises(UsageError, match="holds no files") as told:
        place.sync()
    assert str(place.docs) in str(told.value)
    assert not place.index.exists()


def test_a_missing_folder_is_named(place: Place) -> None:
    """A folder that is not there, or is a file, is a usage error before anything is made."""
    for wrong in (place.docs / "none", Path(__file__)):
        with pytest.raises(UsageError, match=wrong.name):
            place.sync(wrong)
    assert not place.index.exists()


def test_without_a_folder_the_known_ones_are_synced(place: Place) -> None:
    """`rag ingest` alone goes over the index's own folders; a new index knows none."""
    with pytest.raises(IndexMissing):
        ingest_folder(index=str(place.index))
    place.put(a__txt=PEARS)
    place.sync()
    place.put(b__txt=PLUMS)
    assert counted(ingest_folder(index=str(place.index))) == {"found": 2, "new": 1, "unchanged": 1}


def test_another_folder_needs_add_and_the_first_one_is_embedded_no_second_time(
    place: Place, tmp_path: Path
) -> None:
    """With two folders the folder's name comes first, and both are synced from then on."""
    place.put(a__txt=PEARS)
    place.sync()
    other = tmp_path / "more"
    other.mkdir()
    (other / "a.txt").write_text(PLUMS)
    with pytest.raises(UsageError, match="--add"):
        place.sync(other)
    report = place.sync(other, add=True)
    assert counted(report) == {"found": 2, "new": 1, "renamed": 1}
    assert report.embedded == 1
    assert place.texts() == {"docs/a.txt": PEARS, "more/a.txt": PLUMS}
    with place.reader() as reader:
        assert reader.meta().roots == (str(place.docs), str(other))
    (other / "a.txt").write_text(APPLES)
    assert counted(place.sync(place.docs)) == {"found": 2, "updated": 1, "unchanged": 1}


def test_a_folder_within_a_known_one_cannot_be_added(place: Place) -> None:
    """Its files would be in the index twice."""
    (place.docs / "sub").mkdir()
    place.put(a__txt=PEARS)
    place.sync()
    for overlapping in (place.docs / "sub", place.docs.parent):
        with pytest.raises(UsageError, match="overlaps"):
            place.sync(overlapping, add=True)


def test_a_folder_whose_name_is_no_text_is_refused(place: Place) -> None:
    """Bytes that are not UTF-8 cannot be kept as the name of a folder; files may have them."""
    odd = Path(os.fsdecode(os.fsencode(place.docs) + b"\xff"))
    try:
        odd.mkdir()
        (odd / "a.txt").write_text(PEARS)
        Path(os.fsdecode(os.fsencode(place.docs) + b"/n\xff.txt")).write_text(PLUMS)
    except OSError:
        pytest.skip("this file system takes text alone")
    with pytest.raises(UsageError, match="rename it"):
        place.sync(odd)
    place.sync()
    assert place.texts() == {r"n\xff.txt": PLUMS}


def test_when_most_files_have_vanished_the_run_asks(place: Place) -> None:
    """More than half of the indexed files gone looks like a disk that is not mounted."""
    place.put(a__txt=PEARS, b__txt=PLUMS, c__md=APPLES)
    place.sync()
    (place.docs / "a.txt").unlink()
    (place.docs / "b.txt").unlink()
    with pytest.raises(ConfirmationNeeded, match="2 of 3"):
        place.sync()
    assert len(place.texts()) == 3
    assert counted(place.sync(dry_run=True)) == {"found": 1, "unchanged": 1, "removed": 2}
    assert counted(place.sync(yes=True)) == {"found": 1, "unchanged": 1, "removed": 2}
    assert place.texts() == {"c.md": APPLES}


def test_a_small_folder_beside_a_large_one_is_not_lost_unasked(place: Place) -> None:
    """Two of five files are less than half of the index and all of what was on the other disk."""
    place.put(a__txt=PEARS, b__txt=PLUMS, c__txt=PEARS + "c")
    other = place.docs.parent / "stick"
    other.mkdir()
    (other / "d.txt").write_text(PEARS + "d")
    (other / "e.txt").write_text(PLUMS + "e")
    place.sync()
    ingest_folder(other, index=place.index, add=True)
    for name in ("d.txt", "e.txt"):
        (other / name).unlink()
    with pytest.raises(ConfirmationNeeded, match=f"2 of 2 indexed files.*{other}"):
        ingest_folder(index=place.index)
    assert ingest_folder(index=place.index, yes=True).files["removed"] == 2


@pytest.mark.parametrize("reindex", [False, True])
def test_a_folder_that_lost_all_its_files_empties_an_index_only_when_told_so(
    place: Place, reindex: bool
) -> None:
    """An unmounted folder is empty; neither a sync nor a rebuild throws the index away for it."""
    place.put(a__txt=PEARS)
    place.sync()
    (place.docs / "a.txt").unlink()
    with pytest.raises(ConfirmationNeeded, match="1 of 1"):
        place.sync(reindex=reindex)
    assert place.texts() == {"a.txt": PEARS}
    place.sync(reindex=reindex, yes=True)
    assert (place.texts(), place.ledger()) == ({}, {})
    assert counted(place.sync()) == {}


def test_another_chunk_size_or_model_needs_another_index_or_a_rebuild(place: Place) -> None:
    """The error names what differs; --reindex builds the index with the new settings."""
    place.put(a__txt=PEARS)
    place.sync()
    with pytest.raises(IndexMismatch, match="chunker is «1-200», here «1-64»"):
        place.sync(chunk_tokens=64)
    with pytest.raises(IndexMismatch, match="passage_prefix is «», here «passage: »"):
        place.sync(passage_prefix="passage: ")
    report = place.sync(chunk_tokens=64, reindex=True)
    assert (counted(report), report.embedded) == ({"found": 1, "new": 1}, 1)
    assert counted(place.sync(chunk_tokens=64)) == {"found": 1, "unchanged": 1}


def test_an_index_of_another_version_is_refused_and_can_be_rebuilt(place: Place) -> None:
    """What an older program wrote is exit 12 with the remedy, and the remedy works."""
    place.put(a__txt=PEARS)
    place.sync()
    with closing(sqlite3.connect(place.index / "generations/1/ledger.db")) as ledger:
        old = json.dumps({"fingerprint": {"model": "old"}, "roots": [str(place.docs)]})
        ledger.execute("UPDATE meta SET value = ? WHERE key = 'index'", [old])
        ledger.commit()
    with pytest.raises(IndexMismatch, match="--reindex"):
        place.sync()
    assert counted(place.sync(reindex=True)) == {"found": 1, "new": 1}
    assert place.texts() == {"a.txt": PEARS}


def test_a_rebuild_keeps_the_folders_and_reads_all_again(place: Place, tmp_path: Path) -> None:
    """--reindex without a folder builds the index of all its folders from nothing."""
    other = tmp_path / "more"
    other.mkdir()
    (other / "b.txt").write_text(PLUMS)
    place.put(a__txt=PEARS)
    place.sync()
    place.sync(other, add=True)
    before = place.texts()
    report = ingest_folder(index=str(place.index), reindex=True)
    assert (counted(report), report.embedded) == ({"found": 2, "new": 2}, 2)
    assert place.texts() == before


def test_a_dry_run_tells_and_changes_nothing(place: Place) -> None:
    """Neither a new index nor an existing one is touched; the counters are those of the sync."""
    place.put(a__txt=PEARS, picture__png="x")
    assert counted(place.sync(dry_run=True)) == {"found": 2, "new": 1, "unsupported": 1}
    assert not place.index.exists()
    place.put(c__txt=APPLES)
    place.sync()
    place.put(a__txt="New pears.\n", b__txt=PLUMS, bad__pdf="%PDF")
    (place.docs / "c.txt").rename(place.docs / "d.txt")
    before = place.published(), place.ledger(), place.texts()
    report = place.sync(dry_run=True)
    assert counted(report) == {"found": 5, "new": 2, "updated": 1, "renamed": 1, "unsupported": 1}
    assert report.embedded == 0
    assert (place.published(), place.ledger(), place.texts()) == before


# ------------------------------------------------------------------ the report and the command


def test_the_report_is_the_document_of_the_interface(place: Place) -> None:
    """to_dict() has the documented keys, no others, and survives JSON."""
    put_broken(place)
    document = place.sync().to_dict()
    assert list(document) == [
        "files", "chunks", "embedded", "seconds", "problems", "notices",
    ]  # fmt: skip
    assert list(document["files"]) == COUNTERS
    assert [list(p) for p in document["problems"]] == [["file", "status", "detail", "pages"]] * 3
    assert json.loads(json.dumps(document)) == document


def rag_command(*arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
    start = "from rag.__main__ import main\ntry:\n    main()\nfinally:\n    "
    code = f"import sys\n{start}{code or 'pass'}"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_command_prints_one_document_and_its_exit_code_tells(place: Place) -> None:
    """`rag ingest --json` is one JSON document; 3 failed files, 2 no files, 5 needs --yes."""
    empty = rag_command("ingest", place.docs, "--index", place.index)
    assert (empty.returncode, empty.stderr.count("\n")) == (2, 1)
    put_broken(place)
    failed = rag_command("ingest", place.docs, "--index", place.index, "--json")
    assert failed.returncode == 3
    assert json.loads(failed.stdout)["files"]["failed"] == 3
    assert "password: locked.pdf" in failed.stderr
    (place.docs / "good.txt").unlink()
    gone = rag_command("ingest", "--index", place.index)
    assert (gone.returncode, gone.stderr.count("\n")) == (5, 1)
    assert "--yes" in gone.stderr


def test_an_unchanged_run_is_free(tmp_path: Path) -> None:
    """The second run over the samples loads no splitter, no runtime and no torch."""
    started = time.monotonic()
    first = rag_command("ingest", SAMPLES, "--index", tmp_path / "index", "--json")
    middle = time.monotonic()
    heavy = "llama_index", "torch", "openvino", "onnxruntime", "sentence_transformers", "pypdf"
    second = rag_command(
        "ingest", SAMPLES, "--index", tmp_path / "index", "--json",
        code=f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr)",
    )  # fmt: skip
    ended = time.monotonic()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert second.stderr.strip() == "[]"
    report, former = json.loads(second.stdout), json.loads(first.stdout)
    assert (report["embedded"], report["files"]["unchanged"]) == (0, former["files"]["new"])
    print(  # noqa: T201 - the promise is 5 % of a first run; seconds are never asserted
        f"\nunchanged run: {ended - middle:.2f} s of {middle - started:.2f} s as processes, "
        f"{report['seconds']:.2f} s of {former['seconds']:.2f} s without start-up"
    )


# ------------------------------------------------------------------ any history at all

NAMES = ["a.txt", "b.txt", "sub/c.md", "sub/d.txt", "e.pdf", "f.png"]
TEXTS = [
    PEARS, PLUMS, APPLES, "", "\x00\x01\x02" * 50,
    "One paragraph of the long one.\n\n" * 40,
]  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("touch"), st.sampled_from(NAMES), st.integers(1, 10**9)),
)
ROUNDS = st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=1, max_size=3)


def carry_out(folder: Path, step: tuple[str, str, object]) -> None:
    what, name, value = step
    path = folder / name
    if what == "write":
        path.write_text(str(value))
    elif not path.exists():
        return
    elif what == "rename":
        path.replace(folder / str(value))
    elif what == "delete":
        path.unlink()
    else:
        os.utime(path, ns=(int(str(value)), int(str(value))))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rounds=ROUNDS)
def test_after_any_history_the_index_equals_the_folder(rounds) -> None:
    """Whatever is written, renamed, deleted and touched: ledger, chunks and search agree with
    the folder, an index made afresh would be the same, and the next run finds nothing to do."""
    with tempfile.TemporaryDirectory() as base:
        place = Place(Path(base))
        (place.docs / "sub").mkdir()
        place.put(keep__txt="This one stays.\n")
        answering: dict[str, str] = {}
        for steps in rounds:
            for step in steps:
                carry_out(place.docs, step)
            place.sync(yes=True)
            answering = check(place, answering)
        published = place.published()
        report = place.sync()
        assert (report.embedded, place.published()) == (0, published)


def check(place: Place, before: dict[str, str]) -> dict[str, str]:
    """The stored text of every file is that of the folder or, where the new version failed, the
    one stored before. Returns what is stored."""
    files = {str(p.relative_to(place.docs)): p for p in place.docs.rglob("*") if p.is_file()}
    ledger, stored = place.ledger(), place.texts()
    assert set(ledger) == set(files)
    assert {f: len(t) > 0 for f, t in stored.items()} == {
        f: True for f, r in ledger.items() if r.chunks
    }
    for file, record in ledger.items():
        assert (record.bytes, record.mtime_ns) == (
            files[file].stat().st_size, files[file].stat().st_mtime_ns,
        )  # fmt: skip
        if record.status == "indexed":
            assert stored[file] == files[file].read_text()
        elif record.chunks:
            assert record.status == "unreadable"
            assert stored[file] == before[file]
    return stored


def test_a_plan_without_a_change_reads_no_file(tmp_path: Path) -> None:
    """Files that look the same are not opened."""
    (tmp_path / "a.txt").write_text(PEARS)
    stat = (tmp_path / "a.txt").stat()
    line = FileRecord("a.txt", str(tmp_path), stat.st_size, stat.st_mtime_ns, "sha", "indexed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "sha256", lambda _: pytest.fail("opened"))
        plan = make_plan([str(tmp_path)], [line], skip=tmp_path / ".rag")
    assert [t.file for t in plan.keep] == ["a.txt"]
    other = replace(line, bytes=1)
    assert [t.file for t in make_plan([str(tmp_path)], [other], skip=tmp_path).read] == ["a.txt"]


def test_a_copy_beside_it_does_not_lend_another_file_its_vector(tmp_path: Path) -> None:
    """A vector is made with the file's own title; equal text elsewhere in a run changes nothing."""
    body = "<html><head><title>{}</title></head><body><p>Payment is due soon.</p></body></html>"
    docs, fresh = tmp_path / "docs", tmp_path / "fresh"
    for folder in (docs, fresh):
        folder.mkdir()
        (folder / "zebra.html").write_text(body.format("Zebra hire"))
    ingest_folder(docs, index=str(tmp_path / "grown"))
    for folder in (docs, fresh):
        shutil.copy(folder / "zebra.html", folder / "zebra2.html")
        (folder / "mango.html").write_text(body.format("Mango deliveries"))
    grown = ingest_folder(docs, index=str(tmp_path / "grown"))
    assert grown.embedded == 1  # the mango; the second zebra is a copy
    ingest_folder(fresh, index=str(tmp_path / "whole"))
    vectors = []
    for name in ("grown", "whole"):
        with closing(EmbeddedReader(tmp_path / name)) as reader:
            (record,) = [r for r in reader.files() if r.file == "mango.html"]
            place = chunk_id(record.file, record.content, 0, reader.meta().fingerprint)
            vectors.append(reader.vectors([place])[place])
    assert float(vectors[0] @ vectors[1]) > 0.999


def test_a_pipe_in_a_files_place_holds_nobody_up(tmp_path: Path) -> None:
    """Opening one to read waits for a writer that never comes."""
    os.mkfifo(tmp_path / "a.txt")
    assert plan_module.sha256(tmp_path / "a.txt") == ""


def test_a_stopped_rebuild_reads_no_file_again_that_it_has(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With scans among them reading is what takes hours."""
    monkeypatch.setattr("ingest.run._EMBED_TOGETHER", 1)
    monkeypatch.setattr("ingest.run._CHECKPOINT_SECONDS", 0.0)
    place.put(a__txt=PEARS, b__txt=PLUMS, c__txt=PEARS + "c", d__txt=PLUMS + "d")
    place.sync()
    read: list[str] = []

    def stopped(pool: Pool, requests: list[Request], idle: object, do=Pool.read_all):
        for request, parts in zip(requests, do(pool, requests, idle), strict=True):
            if len(read) == 2:
                raise KeyboardInterrupt
            read.append(request.path.name)
            yield parts

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "read_all", stopped)
        with pytest.raises(KeyboardInterrupt):
            place.sync(reindex=True, chunk_tokens=100)
    assert read == ["a.txt", "b.txt"]
    assert place.ledger().keys() == {"a.txt", "b.txt", "c.txt", "d.txt"}, "the old one answers"

    def noted(pool: Pool, requests: list[Request], idle: object, do=Pool.read_all):
        read.extend(request.path.name for request in requests)
        return do(pool, requests, idle)

    monkeypatch.setattr(Pool, "read_all", noted)
    report = place.sync(reindex=True, chunk_tokens=100)
    assert read == ["a.txt", "b.txt", "c.txt", "d.txt"]
    assert counted(report) == {"found": 4, "new": 2, "unchanged": 2}
    assert len(place.ledger()) == 4
    assert counted(place.sync(chunk_tokens=100)) == {"found": 4, "unchanged": 4}


def test_a_dry_run_says_that_the_real_one_would_ask(place: Place) -> None:
    place.put(a__txt=PEARS, b__txt=PLUMS, c__txt=PEARS + "c")
    place.sync()
    for name in ("a.txt", "b.txt"):
        (place.docs / name).unlink()
    report = place.sync(dry_run=True)
    assert "2 of 3 indexed files have vanished" in report.notices[0]
    assert place.sync(dry_run=True, yes=True).notices == []
    assert report.to_dict()["notices"] == report.notices
