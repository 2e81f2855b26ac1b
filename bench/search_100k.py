"""How fast one search is in an index of 100,000 chunks, stage by stage.

    python bench/search_100k.py [--chunks N] [--files N] [--queries N] > bench/search_100k.md

Texts are drawn from 21,719 English words in Zipf's proportions, vectors lie around one centre a
file; both go through the product's own writer, and the questions through its own retriever. Only
the embedder is a stand-in, which knows the vector of each question: what is timed is the store and
the fusion. Writing and searching are processes of their own, so that memory is the reader's alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
from numpy.typing import NDArray

from rag.embedder import Embedder
from rag.errors import RagError
from rag.hardware import inspect
from rag.prepared_model import prepare
from rag.records import Chunk, FileRecord
from rag.retrieval import Retriever
from rag.settings import Settings
from rag.store import open_reader, open_writer
from rag.store.base import FileWrite, Fingerprint, IndexMeta
from rag.words import WORDS_VERSION

Vectors = NDArray[np.float32]

DIMENSION = 384
WORDS_A_CHUNK = 120  # 200 tokens of MiniLM, the default chunk, are about that many words of prose
CHUNKS_A_PAGE = 4
FILES_A_PUT = 20  # about 1,000 chunks a call
NOISE = 0.5  # of a question's vector beside its chunk's: cosine .89
CENTRE = 1.0  # of a chunk's vector: its file's centre and as much of its own, cosine .5 in a file
WARM_UP = 20
FILTERS = ("*0.pdf", "*-report-0000.pdf")  # a tenth of the files, and one of them

#: The promise, in seconds, for the median search.
TARGET = 0.020


@dataclass(frozen=True, slots=True)
class Size:
    chunks: int
    files: int
    queries: int


# ------------------------------------------------------------------ what is written


def vocabulary() -> list[str]:
    """English words, most frequent first: BERT's vocabulary is in that order."""
    tokenizer = json.loads((prepare() / "tokenizer.json").read_text("utf-8"))
    pieces = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    return [w for w, _ in pieces if w.isascii() and w.isalpha() and len(w) > 1]


def zipf(words: int) -> NDArray[np.float64]:
    """Zipf–Mandelbrot proportions of English prose: weight 1 / (rank + 2.7)."""
    weights = 1.0 / (np.arange(words) + 3.7)
    return np.asarray(weights / weights.sum(), np.float64)


def text_of(rng: np.random.Generator, words: list[str], shares: NDArray[np.float64]) -> str:
    """One chunk: sentences of 15 words, one word in twenty a figure."""
    drawn = [words[i] for i in rng.choice(len(words), size=WORDS_A_CHUNK, p=shares)]
    for at in np.flatnonzero(rng.random(WORDS_A_CHUNK) < 0.05):
        drawn[at] = f"{rng.integers(1, 100_000):,}"
    sentences = [" ".join(drawn[i : i + 15]) for i in range(0, WORDS_A_CHUNK, 15)]
    return ". ".join(sentences) + "."


def unit(vectors: NDArray[np.floating[Any]]) -> Vectors:
    """Rows of length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def file_writes(size: Size) -> Iterator[FileWrite]:
    """The files, the same ones every time."""
    words = vocabulary()
    shares = zipf(len(words))
    rng = np.random.default_rng(7)
    for number in range(size.files):
        first, end = (size.chunks * n // size.files for n in (number, number + 1))
        name = f"{words[100 + number % 500]}-report-{number:04}.pdf"
        chunks = tuple(
            Chunk(
                ordinal=n,
                section=n // CHUNKS_A_PAGE,
                start=n * 700,
                text=text_of(rng, words, shares),
                page=n // CHUNKS_A_PAGE + 1,
                heading="",
                prefix=f"{name[:-4]} · page {n // CHUNKS_A_PAGE + 1}\n",
            )
            for n in range(end - first)
        )
        centre = unit(rng.standard_normal(DIMENSION))
        own = unit(rng.standard_normal((len(chunks), DIMENSION)))
        record = FileRecord(
            name, "/bench", 1, 1, f"{number:064x}", "indexed", title=name[:-4], chunks=len(chunks)
        )
        yield FileWrite(record, chunks, unit(CENTRE * centre + own))


def write(folder: str, size: Size) -> dict[str, float]:
    """Build the index; return seconds and MiB. Questions go to ``questions.npz`` beside it."""
    rng = np.random.default_rng(11)
    questions: list[str] = []
    vectors: list[Vectors] = []
    per_file = size.queries / size.files
    spent = 0.0
    with closing(open_writer(_settings(folder))) as writer:
        writer.set_meta(IndexMeta(_fingerprint(), ("/bench",)))
        batch: list[FileWrite] = []
        for number, item in enumerate(file_writes(size), 1):
            assert item.vectors is not None
            while len(questions) < per_file * number:
                at = int(rng.integers(len(item.chunks)))
                questions.append(question_about(item.chunks[at].text, rng))
                noise = unit(rng.standard_normal(DIMENSION))
                vectors.append(unit(item.vectors[at] + NOISE * noise))
            batch.append(item)
            if len(batch) == FILES_A_PUT or number == size.files:
                spent += _seconds(lambda: writer.put(batch))
                batch.clear()
        published = _seconds(writer.publish)
    np.savez(Path(folder) / "questions.npz", questions=questions, vectors=np.array(vectors))
    disk = sum(f.stat().st_blocks * 512 for f in (Path(folder) / "index").rglob("*") if f.is_file())
    return {"write_s": spent + published, "publish_s": published, "disk_mib": disk / 2**20}


def question_about(text: str, rng: np.random.Generator) -> str:
    """Eight words in a row of the chunk, asked for."""
    words = text.split()
    at = int(rng.integers(len(words) - 8))
    return f"What was the {' '.join(words[at : at + 8])}?"


def _fingerprint() -> Fingerprint:
    return Fingerprint("bench", "", DIMENSION, "", "", "bench", WORDS_VERSION)


def _settings(folder: str) -> Settings:
    return Settings(index=str(Path(folder) / "index"))


# ------------------------------------------------------------------ what is timed


class KnownVectors:
    """Stands in for the embedder: the vector of each question is known beforehand."""

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        self._vectors = vectors

    def embed_query(self, question: str) -> Vectors:
        return self._vectors[question]


class Clocked:
    """A reader that notes how long each of its searches took."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._reader, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            result = method(*arguments, **named)
            self.seconds[name].append(time.perf_counter() - started)
            return result

        return timed


def search(folder: str, k: int) -> dict[str, Any]:
    """Open the index and ask every question; seconds and MiB."""
    with np.load(Path(folder) / "questions.npz", allow_pickle=False) as stored:
        questions = [str(q) for q in stored["questions"]]
        vectors = dict(zip(questions, stored["vectors"], strict=True))
    before = psutil.Process().memory_info()
    busy = os.getloadavg()[0]
    settings = _settings(folder)
    import rag.store.embedded  # noqa: F401 - importing the engine is start-up, not opening

    started = time.perf_counter()
    reader = open_reader(settings)
    opened = time.perf_counter() - started
    with closing(reader):
        clocked = Clocked(reader)
        embedder = cast(Embedder, KnownVectors(vectors))
        retriever = Retriever(cast(Any, clocked), embedder, settings)
        first = times(retriever, questions[:1], k)[0]
        times(retriever, questions[:WARM_UP], k)
        clocked.seconds.clear()
        total = times(retriever, questions, k)
        stages = {name: list(values) for name, values in clocked.seconds.items()}
        rest = [t - sum(parts) for t, *parts in zip(total, *stages.values(), strict=True)]
        filtered = {glob: times(retriever, questions[:100], k, glob) for glob in FILTERS}
    memory = psutil.Process().memory_info()
    return {
        "busy": busy,
        "open": opened,
        "first": first,
        "total": total,
        "stages": {**stages, "fusion, repeats, glue": rest},
        "filtered": filtered,
        "before_mib": before.rss / 2**20,
        "rss_mib": memory.rss / 2**20,
        "own_mib": (memory.rss - memory.shared) / 2**20,
    }


def times(
    retriever: Retriever, questions: list[str], k: int, files: str | None = None
) -> list[float]:
    """Seconds of each search."""
    spent = []
    for question in questions:
        started = time.perf_counter()
        retriever.search(question, k, files)
        spent.append(time.perf_counter() - started)
    return spent


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


# ------------------------------------------------------------------ report


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def report(size: Size, written: dict[str, float], found: dict[str, Any]) -> str:
    machine = inspect(Path())
    met = "met" if statistics.median(found["total"]) <= TARGET else "missed"
    stages = [row(f"– {name}", values) for name, values in found["stages"].items()]
    filters = [row(f"search, filter file={g}", values) for g, values in found["filtered"].items()]
    return f"""# Searching {size.chunks:,} chunks of {size.files:,} files

{datetime.now(UTC):%Y-%m-%d}, {machine.cpu}, {machine.cores} cores \
({", ".join(machine.features) or "no features known"}); qdrant-edge-py \
{version("qdrant-edge-py")}; {DIMENSION} dimensions, settings as shipped \
({Settings().candidates} candidates a list); load before the searches {found["busy"]:.1f}.

| milliseconds over {size.queries} questions | p50 | p95 |
| --- | ---: | ---: |
{row("**search, k = 10** (without embedding the question)", found["total"])}
{lines(stages + filters)}

Target: p50 of at most {TARGET * 1000:.0f} ms, **{met}**.

| | |
| --- | ---: |
| write, {FILES_A_PUT} files a call (s) | {written["write_s"]:.1f} |
| of which publish (s) | {written["publish_s"]:.1f} |
| on disk (MiB) | {written["disk_mib"]:.0f} |
| open (s) | {found["open"]:.2f} |
| first search (ms) | {found["first"] * 1000:.0f} |
| resident before opening (MiB) | {found["before_mib"]:.0f} |
| resident after the searches (MiB) | {found["rss_mib"]:.0f} |
| of which the process's own, not pages of files (MiB) | {found["own_mib"]:.0f} |"""


def row(name: str, values: list[float]) -> str:
    middle, slow = statistics.median(values) * 1000, percentile(values, 0.95) * 1000
    return f"| {name} | {middle:.1f} | {slow:.1f} |"


def lines(rows: list[str]) -> str:
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args(arguments)
    size = Size(options.chunks, options.files, options.queries)
    if not (size.files >= 1 and size.chunks >= size.files and size.queries >= 1):
        parser.error("every file needs a chunk, and a bench a file and a question")
    try:
        with tempfile.TemporaryDirectory(prefix="search-bench-") as folder:
            print(f"writing {size.chunks:,} chunks", file=sys.stderr)
            written = _alone(write, folder, size)
            print(f"asking {size.queries} questions", file=sys.stderr)
            print(report(size, written, _alone(search, folder, 10)))
    except RagError as error:
        print(f"search_100k: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _alone(act: Callable[..., Any], *arguments: Any) -> Any:
    """Run in a fresh process, so that memory is that of this one act."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(act, *arguments).result()


if __name__ == "__main__":
    sys.exit(main())
