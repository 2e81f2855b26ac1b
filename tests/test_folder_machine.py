"""Whatever happens to a folder, an ingest afterwards makes the index equal to it.

About 150 steps as they stand; more than a thousand with ``AFFIDAVIT_LONG=1`` in the environment.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingest import ingest_folder
from rag.records import FileRecord
from rag.store.base import chunk_id
from rag.store.embedded import EmbeddedReader
from rag.words import query_words

LONG = bool(os.environ.get("AFFIDAVIT_LONG"))
#: Changes of a folder in all histories together.
CHANGES = 1000 if LONG else 150
#: After so many changes the folder is ingested; sooner where the machine says so. Set by hand: an
#: ingest takes 0.3 to 1 s, most of it the start of a reading process.
_INGEST_AFTER = 5

NAMES = ["a.txt", "b.txt", "notes/c.md", "notes/d.txt", "e.html", "deep/er/f.txt", "g.pdf"]
#: Found in every version of every file.
COMMON = "orchards"
_numbers = itertools.count(1)

#: Any file of those there are.
CHOICES = st.integers(0, 99)

#: One for each change of a folder.
performed: list[int] = []


def new_version(paragraphs: int) -> tuple[str, str]:
    """(a word that no other version has, a text that has it in every paragraph)."""
    word = f"zq{next(_numbers):05d}"
    body = "\n\n".join(f"Paragraph {n} on {COMMON} says {word}." for n in range(paragraphs))
    return word, body + "\n"


class Folder(RuleBasedStateMachine):
    """The folder, the version each file was last read in, and every word ever written."""

    contents = Bundle("contents")

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.docs, self.index = self.base / "docs", str(self.base / "index")
        self.docs.mkdir()
        self.words: dict[str, str] = {}  # content's sha256 → the word only it has
        self.answers: dict[str, str] = {}  # file → content that answers for it
        self.waiting = 0  # changes that no ingest has seen
        (self.docs / "keep.txt").write_text(f"This one stays, beside the {COMMON}.\n")

    def teardown(self) -> None:
        if hasattr(self, "base"):
            shutil.rmtree(self.base)

    # -------------------------------------------------------------- what people do to folders

    def _put(self, name: str, data: bytes) -> None:
        """Write a file, whatever stands in its place or in that of its folders."""
        path = self.docs / name
        for ancestor in reversed(path.relative_to(self.docs).parents[:-1]):
            if (self.docs / ancestor).is_file():
                (self.docs / ancestor).unlink()
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._step()

    def _step(self) -> None:
        performed.append(1)
        self.waiting += 1
        if self.waiting == _INGEST_AFTER:
            self._sync(retry=len(performed) % 2 == 0)

    def _pick(self, choice: int) -> str:
        """Any file there is."""
        files = sorted(p for p in self.docs.rglob("*") if p.is_file() and p.name != "keep.txt")
        return files[choice % len(files)].relative_to(self.docs).as_posix() if files else ""

    @rule(target=contents, name=st.sampled_from(NAMES), paragraphs=st.integers(1, 30))
    def write(self, name: str, paragraphs: int) -> bytes:
        """Create a file or change it; the content may come back later."""
        word, text = new_version(paragraphs)
        data = text.encode()
        self.words[hashlib.sha256(data).hexdigest()] = word
        self._put(name, data)
        return data

    @rule(name=st.sampled_from(NAMES), data=contents)
    def revert_or_copy(self, name: str, data: bytes) -> None:
        """A content that was there before, or is there under another name."""
        self.words[hashlib.sha256(data).hexdigest()] = next(
            part for part in data.decode().replace(".", " ").split() if part.startswith("zq")
        )
        self._put(name, data)

    @rule(name=st.sampled_from(NAMES), data=st.sampled_from([b"\0\1\2" * 99, b""]))
    def spoil(self, name: str, data: bytes) -> None:
        """A content that no reader can read, or nothing at all."""
        self._put(name, data)

    @rule(choice=CHOICES, new=st.sampled_from(NAMES))
    def rename(self, choice: int, new: str) -> None:
        if (old := self._pick(choice)) and not (self.docs / new).is_dir():
            data = (self.docs / old).read_bytes()
            (self.docs / old).unlink()
            self._put(new, data)

    @rule(choice=CHOICES)
    def delete(self, choice: int) -> None:
        if name := self._pick(choice):
            (self.docs / name).unlink()
            self._step()

    @rule(choice=CHOICES, within=st.sampled_from(["x.txt", "y.md"]))
    def replace_by_folder(self, choice: int, within: str) -> None:
        if (name := self._pick(choice)) and name.count("/") < 4:
            data = (self.docs / name).read_bytes()
            (self.docs / name).unlink()
            self._put(f"{name}/{within}", data)

    @rule(choice=CHOICES, when=st.integers(1, 10**9))
    def touch(self, choice: int, when: int) -> None:
        if name := self._pick(choice):
            os.utime(self.docs / name, ns=(when, when))
            self._step()

    @precondition(lambda self: self.waiting)
    @rule(retry=st.booleans())
    def ingest(self, retry: bool) -> None:
        self._sync(retry=retry)

    # -------------------------------------------------------------- what the index must be

    def _sync(self, *, retry: bool) -> None:
        """Sync, then compare the index with the folder, file by file."""
        ingest_folder(self.docs, index=self.index, yes=True, retry_failed=retry, workers=1)
        self.waiting = 0
        with closing(EmbeddedReader(Path(self.index))) as reader:
            ledger = {record.file: record for record in reader.files()}
            self._ledger_is_the_folder(ledger)
            self._engine_is_the_ledger(reader, ledger)
            self._no_removed_word_is_found(reader, ledger)

    def _ledger_is_the_folder(self, ledger: dict[str, FileRecord]) -> None:
        files = {p.relative_to(self.docs).as_posix(): p for p in self.docs.rglob("*")}
        files = {name: path for name, path in files.items() if path.is_file()}
        assert set(ledger) == set(files)
        answers = {}
        for name, record in ledger.items():
            content = hashlib.sha256(files[name].read_bytes()).hexdigest()
            if record.status == "indexed":
                assert record.content == content
            elif record.chunks:  # the last version that could be read answers on
                assert record.status not in ("empty", "unsupported")
                assert record.content == self.answers[name]
            readable = content in self.words and not name.endswith(".pdf")
            if name != "keep.txt":
                assert readable == (record.status == "indexed"), (name, record)
            if record.chunks:
                answers[name] = record.content
        self.answers = answers

    def _engine_is_the_ledger(self, reader: EmbeddedReader, ledger: dict[str, FileRecord]) -> None:
        fingerprint = reader.meta().fingerprint
        expected = {
            chunk_id(r.file, r.content, n, fingerprint): r
            for r in ledger.values()
            for n in range(r.chunks)
        }
        anything = np.ones(384, dtype=np.float32)
        found = {c.id for c in reader.by_vector(anything, limit=5000, files=None)}
        assert found == set(expected)
        for chunk in reader.chunks(list(found)):
            record = expected[chunk.chunk_id]
            assert (chunk.file, chunk.content) == (record.file, record.content)
            if record.content in self.words:
                assert self.words[record.content] in chunk.text or "Paragraph" not in chunk.text

    def _no_removed_word_is_found(
        self, reader: EmbeddedReader, ledger: dict[str, FileRecord]
    ) -> None:
        """Each word ever written finds the files that have it now and no other."""
        standing: dict[str, set[str]] = {}
        for record in ledger.values():
            if record.chunks and record.content in self.words:
                standing.setdefault(self.words[record.content], set()).add(record.file)
        for word in set(self.words.values()):
            for search in (reader.by_words, reader.by_card):
                found = {c.file for c in search(query_words(word), limit=500, files=None)}
                assert found == standing.get(word, set()), (word, search)

    @invariant()
    def an_index_stays_one_generation(self) -> None:
        """Nothing piles up on disk, however often the folder is ingested."""
        generations = Path(getattr(self, "index", "nowhere")) / "generations"
        if generations.exists():
            assert len(list(generations.iterdir())) == 1


def test_after_any_history_of_a_folder_the_index_equals_it() -> None:
    """Ledger, chunk ids and search agree with the folder after every ingest: created, changed,
    renamed, deleted, reverted, copied, replaced by a folder, touched, spoilt and mended files."""
    while len(performed) < CHANGES:
        run_state_machine_as_test(
            Folder,
            settings=settings(
                max_examples=5,
                stateful_step_count=25,
                deadline=None,
                phases=[Phase.generate],  # to shrink a history takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
