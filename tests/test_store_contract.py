"""One suite over both engines: what an index promises, whichever engine holds it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.errors import IndexMissing
from rag.records import Chunk, FileRecord
from rag.settings import Settings
from rag.store import open_reader, open_writer
from rag.store.base import FileWrite, Fingerprint, IndexMeta, Reader, chunk_id
from rag.words import name_query_words, query_words

FINGERPRINT = Fingerprint("tiny", "0" * 64, 8, "", "", "test", "test")
META = IndexMeta(FINGERPRINT, ("/docs",))


def vector(seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return made / np.linalg.norm(made)


def write(file: str, texts: list[str], *, content: str = "", status: str = "indexed") -> FileWrite:
    chunks, start = [], 0
    for ordinal, text in enumerate(texts):
        chunks.append(Chunk(ordinal, 0, start, text, ordinal + 1, "Top", f"{file}\n"))
        start += len(text)
    record = FileRecord(
        file=file, root="/docs", bytes=start, mtime_ns=1, content=content or f"sha-{file}-{texts}",
        status=status, title=file, reader="text", pages=len(texts), chunks=len(texts),
    )  # fmt: skip
    vectors = np.stack([vector(hash_of(t)) for t in texts]) if texts else None
    return FileWrite(record, tuple(chunks), vectors)


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[:8].ljust(8, b"."), "big") % 2**31


def engines() -> list[str]:
    return ["embedded", "server"] if os.environ.get("QDRANT_URL") else ["embedded", "memory"]


@pytest.fixture(params=engines())
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an index that does not exist yet, on each engine."""
    if request.param == "embedded":
        yield Settings(index=str(tmp_path / "index"))
        return
    url = os.environ.get("QDRANT_URL", "") if request.param == "server" else f"memory://{tmp_path}"
    key = os.environ.get("QDRANT_API_KEY", "")
    chosen = Settings(qdrant_url=url, qdrant_api_key=key, collection=f"test-{uuid.uuid4().hex[:8]}")
    yield chosen
    from rag.store.server import drop_collection

    drop_collection(chosen)


def fill(settings: Settings, *items: FileWrite) -> None:
    with closing(open_writer(settings)) as writer:
        if writer.meta() is None:
            writer.set_meta(META)
        writer.put(items)
        writer.publish()


def ids(reader: Reader, question: str, like: str) -> list[str]:
    dense = reader.by_vector(vector(hash_of(like)), limit=10, files=None)
    words = reader.by_words(query_words(question), limit=10, files=None)
    return [c.id for c in dense + words]


def test_an_index_that_was_never_made_is_missing(settings: Settings) -> None:
    with pytest.raises(IndexMissing):
        open_reader(settings)


def test_what_was_put_is_found_by_words_and_by_vector(settings: Settings) -> None:
    fill(settings, write("a.txt", ["apples are red", "pears are green"]), write("b.txt", ["ships"]))
    with closing(open_reader(settings)) as reader:
        (by_words,) = reader.by_words(query_words("pears"), limit=10, files=None)
        assert by_words.file == "a.txt"
        assert [c.text for c in reader.chunks([by_words.id])] == ["pears are green"]
        by_vector = reader.by_vector(vector(hash_of("ships")), limit=10, files=None)
        assert len(by_vector) == 3
        assert by_vector[0].score == pytest.approx(1.0, abs=1e-3)
        (ships,) = reader.chunks([by_vector[0].id])
        assert (ships.text, ships.file, ships.page, ships.heading) == ("ships", "b.txt", 1, "Top")


def test_the_same_query_gives_the_same_list(settings: Settings) -> None:
    fill(settings, *[write(f"{i}.txt", [f"same words {i % 3}", "same words"]) for i in range(12)])
    with closing(open_reader(settings)) as reader:
        first = ids(reader, "same words", "same words")
        assert len(first) == 20
        assert all(ids(reader, "same words", "same words") == first for _ in range(20))


def test_chunk_ids_follow_from_file_content_place_and_settings(settings: Settings) -> None:
    item = write("a.txt", ["one", "two"])
    fill(settings, item)
    expected = [chunk_id("a.txt", item.record.content, n, FINGERPRINT) for n in (0, 1)]
    with closing(open_reader(settings)) as reader:
        assert [h.text for h in reader.chunks(expected)] == ["one", "two"]
        assert reader.chunks([str(uuid.uuid4())]) == []


def test_replacing_a_file_leaves_nothing_of_its_former_version(settings: Settings) -> None:
    fill(settings, write("a.txt", ["old text one", "old text two", "old text three"]))
    fill(settings, write("a.txt", ["new text"], content="second"))
    with closing(open_reader(settings)) as reader:
        hits = reader.by_words(query_words("old text"), limit=10, files=None)
        assert [c.text for c in reader.chunks([h.id for h in hits])] == ["new text"]
        assert len(reader.by_vector(vector(1), limit=10, files=None)) == 1
        assert reader.counts().chunks == 1
        assert [r.content for r in reader.files()] == ["second"]


def test_a_note_changes_the_ledger_and_leaves_the_chunks(settings: Settings) -> None:
    item = write("a.txt", ["apples"])
    fill(settings, item)
    with closing(open_writer(settings)) as writer:
        writer.note([replace(item.record, status="unreadable", detail="torn", mtime_ns=2)])
        writer.publish()
    with closing(open_reader(settings)) as reader:
        (record,) = reader.files()
        assert (record.status, record.detail, record.mtime_ns) == ("unreadable", "torn", 2)
        assert len(reader.by_words(query_words("apples"), limit=9, files=None)) == 1


def test_a_removed_file_is_gone_from_ledger_search_and_cards(settings: Settings) -> None:
    fill(settings, write("a.txt", ["apples"]), write("b.txt", ["apples too"]))
    with closing(open_writer(settings)) as writer:
        writer.remove(["a.txt"])
        writer.publish()
    with closing(open_reader(settings)) as reader:
        assert [r.file for r in reader.files()] == ["b.txt"]
        assert [h.file for h in reader.by_words(query_words("apples"), limit=9, files=None)] == [
            "b.txt"
        ]
        assert [c.file for c in reader.by_card(query_words("apples"), limit=9, files=None)] == [
            "b.txt"
        ]


def test_cards_find_a_document_by_its_name(settings: Settings) -> None:
    fill(settings, write("BESTBUY_2017_10K.pdf", ["filing"]), write("3M_2018_10K.pdf", ["filing"]))
    with closing(open_reader(settings)) as reader:
        words = name_query_words("What was Best Buy's income in FY2017?")
        found = reader.by_card(words, limit=5, files=None)
        assert found[0].file == "BESTBUY_2017_10K.pdf"


def test_a_filter_restricts_chunks_and_cards(settings: Settings) -> None:
    fill(settings, write("a.txt", ["apples"]), write("b.txt", ["apples"]))
    with closing(open_reader(settings)) as reader:
        words = query_words("apples")
        for found in (
            reader.by_words(words, limit=9, files=["b.txt"]),
            reader.by_vector(vector(1), limit=9, files=["b.txt"]),
            reader.by_card(words, limit=9, files=["b.txt"]),
        ):
            assert [c.file for c in found] == ["b.txt"]
        assert reader.by_words(words, limit=9, files=[]) == []


def test_failed_files_stand_in_the_ledger_without_chunks(settings: Settings) -> None:
    failed = write("c.pdf", [], status="password")
    fill(settings, write("a.txt", ["apples"]), failed)
    with closing(open_reader(settings)) as reader:
        counts = reader.counts()
        assert (counts.files, counts.searchable, counts.failed, counts.chunks) == (2, 1, 1, 1)
        assert counts.by_status == {"indexed": 1, "password": 1}


def test_stored_chunks_are_lent_by_their_places(settings: Settings) -> None:
    """Text and vector of one version of one file; what is not stored is left out."""
    item = write("a.txt", ["one", "two"])
    fill(settings, item, write("copy.txt", ["one"], content=item.record.content))
    with closing(open_writer(settings)) as writer:
        lent = writer.lend("a.txt", item.record.content, [1, 7])
        assert list(lent) == [1]
        text, vector = lent[1]
        assert text == "two"
        assert np.allclose(vector, item.vectors[1], atol=1e-3)
        assert list(writer.lend("copy.txt", item.record.content, [0, 1])) == [0]
        assert writer.lend("a.txt", "never seen", [0]) == {}
        assert writer.lend("gone.txt", item.record.content, [0]) == {}


@pytest.mark.parametrize("poison", [np.nan, np.inf, 0.0])
def test_a_vector_that_is_not_sane_is_refused(settings: Settings, poison: float) -> None:
    item = write("a.txt", ["one"])
    with closing(open_writer(settings)) as writer:
        writer.set_meta(META)
        with pytest.raises(ValueError, match=r"a\.txt"):
            writer.put([replace(item, vectors=np.full((1, 8), poison, dtype=np.float32))])
        with pytest.raises(ValueError, match=r"a\.txt"):
            writer.put([replace(item, vectors=np.ones((1, 7), dtype=np.float32))])


def test_meta_comes_back_as_it_was_set(settings: Settings) -> None:
    fill(settings, write("a.txt", ["one"]))
    with closing(open_reader(settings)) as reader:
        assert reader.meta() == META


def test_a_reset_index_begins_empty_with_its_new_meta(settings: Settings) -> None:
    fill(settings, write("a.txt", ["one"]))
    other = IndexMeta(replace(FINGERPRINT, chunker="other"), ("/docs",))
    with closing(open_writer(settings)) as writer:
        writer.reset(other)
        writer.put([write("b.txt", ["two", "three"])])
        writer.publish()
    with closing(open_reader(settings)) as reader:
        assert reader.meta() == other
        assert [r.file for r in reader.files()] == ["b.txt"]
        assert reader.counts().chunks == 2


def test_many_files_in_many_batches_all_arrive(settings: Settings) -> None:
    fill(settings, *[write(f"{i:03}.txt", [f"text {i} {j}" for j in range(9)]) for i in range(150)])
    with closing(open_reader(settings)) as reader:
        assert reader.counts().chunks == 1350
        stored = reader.by_words(query_words("text"), limit=2000, files=None)
        assert len({c.id for c in stored}) == 1350


def test_publishing_without_a_change_keeps_the_index(settings: Settings) -> None:
    fill(settings, write("a.txt", ["one"]))
    with closing(open_writer(settings)) as writer:
        writer.publish()
    with closing(open_reader(settings)) as reader:
        assert reader.counts().chunks == 1


class Listed(Sequence[Chunk]):
    """Chunks on disk: only those asked for are made, and never more than ``most`` at once."""

    def __init__(self, count: int, most: int) -> None:
        self._count, self._most = count, most

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place):  # type: ignore[no-untyped-def, override]
        if isinstance(place, slice):
            asked = range(*place.indices(self._count))
            assert len(asked) <= self._most
            return [self[n] for n in asked]
        if not 0 <= place < self._count:
            raise IndexError(place)
        return Chunk(place, 0, place * 9, f"part {place:04}", None, "", "")


def test_a_file_larger_than_memory_is_stored_by_the_stretch(
    settings: Settings, tmp_path: Path
) -> None:
    """Chunks and vectors may lie on disk: nothing asks for more than 1,000 of them at once."""
    count = 2300
    vectors = np.memmap(tmp_path / "vectors", dtype=np.float32, mode="w+", shape=(count, 8))
    vectors[:] = np.random.default_rng(1).normal(size=(count, 8))
    record = replace(write("large.txt", []).record, chunks=count)
    fill(settings, FileWrite(record, Listed(count, 1000), vectors))
    with closing(open_reader(settings)) as reader:
        assert reader.counts().chunks == count
        stored = [chunk_id("large.txt", record.content, n, FINGERPRINT) for n in (0, 999, 2299)]
        assert [c.text for c in reader.chunks(stored)] == ["part 0000", "part 0999", "part 2299"]
        assert [c.file for c in reader.by_card(query_words("0011"), limit=9, files=None)]
        assert not reader.by_card(query_words("0012"), limit=9, files=None)
    vectors[2299, 3] = np.nan
    with closing(open_writer(settings)) as writer, pytest.raises(ValueError, match=r"large\.txt"):
        writer.put([FileWrite(record, Listed(count, 1000), vectors)])


# ---------------------------------------------------------------------- rebuilds

OTHER = IndexMeta(replace(FINGERPRINT, chunker="other"), ("/docs",))


def files(settings: Settings) -> list[str]:
    with closing(open_reader(settings)) as reader:
        assert reader.counts().chunks == len(reader.by_vector(vector(1), limit=99, files=None))
        return [r.file for r in reader.files()]


def stopped(settings: Settings, *items: FileWrite) -> None:
    """A rebuild that ends before it is published; each of the files has its checkpoint."""
    with closing(open_writer(settings)) as writer:
        writer.reset(OTHER)
        for item in items:
            writer.put([item])
            writer.checkpoint()


def test_a_stopped_rebuild_is_taken_up_where_it_was(settings: Settings) -> None:
    """Until it is published the old index answers; then the new one is whole."""
    fill(settings, write("old.txt", ["old"]))
    stopped(settings, write("a.txt", ["one"]))
    stopped(settings, write("b.txt", ["two", "three"]))
    assert files(settings) == ["old.txt"]
    with closing(open_writer(settings)) as writer:
        assert [r.file for r in writer.files()] == ["old.txt"]
        writer.reset(OTHER)
        assert writer.meta() == OTHER
        assert [r.file for r in writer.files()] == ["a.txt", "b.txt"]
        assert writer.lend("b.txt", write("b.txt", ["two", "three"]).record.content, [1])
        writer.put([write("c.txt", ["four"])])
        writer.publish()
    assert files(settings) == ["a.txt", "b.txt", "c.txt"]
    with closing(open_writer(settings)) as writer:
        writer.reset(OTHER)
        assert writer.files() == [], "what was published is not taken up again"


def test_a_checkpoint_outside_a_rebuild_is_shown(settings: Settings) -> None:
    with closing(open_writer(settings)) as writer:
        writer.set_meta(META)
        writer.put([write("a.txt", ["one"])])
        writer.checkpoint()
        assert files(settings) == ["a.txt"]


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param(META, id="another fingerprint"),
        pytest.param(replace(OTHER, roots=("/other",)), id="other folders"),
    ],
)
def test_a_rebuild_of_something_else_begins_afresh(settings: Settings, meta: IndexMeta) -> None:
    fill(settings, write("old.txt", ["old"]))
    stopped(settings, write("a.txt", ["one"]))
    with closing(open_writer(settings)) as writer:
        writer.reset(meta)
        assert writer.files() == []
        writer.publish()
    with closing(open_writer(settings)) as writer:
        writer.reset(OTHER)
        assert writer.files() == []


CHANGES = {
    "set_meta": lambda w: w.set_meta(replace(META, roots=("/docs", "/more"))),
    "put": lambda w: w.put([write("b.txt", ["two"])]),
    "note": lambda w: w.note([replace(write("old.txt", ["old"]).record, detail="seen")]),
    "remove": lambda w: w.remove(["old.txt"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_first_change_of_the_old_index_gives_the_rebuild_up(
    settings: Settings, change: str
) -> None:
    """Looking at the index, or publishing nothing, does not."""
    fill(settings, write("old.txt", ["old"]))
    stopped(settings, write("a.txt", ["one"]))
    with closing(open_writer(settings)) as writer:
        assert writer.meta() == META
        writer.publish()
    with closing(open_writer(settings)) as writer:
        writer.reset(OTHER)
        assert [r.file for r in writer.files()] == ["a.txt"]
    with closing(open_writer(settings)) as writer:
        CHANGES[change](writer)
        writer.publish()
    assert "a.txt" not in files(settings)
    with closing(open_writer(settings)) as writer:
        writer.reset(OTHER)
        assert writer.files() == []
