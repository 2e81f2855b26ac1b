"""Which retrieval settings answer best: the given sets, our own index, one table.

    python bench/retrieval.py SHARED_DATA WORK_FOLDER [--quick]

Indexes are built once in WORK_FOLDER by the product's own code; each row of the table changes
settings of `rag.retrieval` alone. Prints Markdown; bench/retrieval.md keeps the last run.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import random
import statistics
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest import ingest_folder
from ingest.chunker import Chunker
from rag.embedder import Embedder
from rag.fingerprint import fingerprint_of
from rag.records import Document, FileRecord, Passage, Section
from rag.retrieval import Retriever
from rag.settings import Settings
from rag.store import open_reader, open_writer
from rag.store.base import FileWrite, IndexMeta, embedded_text

Row = dict[str, Any]
Measure = Callable[[Retriever, list[Row]], dict[str, list[float]]]


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


# ------------------------------------------------------------------ indexes


def index_of_texts(texts: Iterable[tuple[str, str, str]], settings: Settings) -> None:
    """One file a text: (id, title, text)."""
    if Path(settings.index).exists():
        return
    embedder = Embedder(settings)
    chunker = Chunker(
        embedder.count_tokens, chunk_tokens=settings.chunk_tokens, limit=embedder.text_limit
    )
    writes, batch = [], []
    for name, title, text in texts:
        document = Document(title, (Section(text, heading=""),), "bench")
        batch.append((name, title, chunker.chunk(document, title)))
    vectors = embedder.embed_passages([embedded_text(c) for _, _, cs in batch for c in cs])
    at = 0
    for name, title, chunks in batch:
        record = FileRecord(name, "/bench", 1, 1, name, "indexed", title=title, chunks=len(chunks))
        writes.append(FileWrite(record, tuple(chunks), vectors[at : at + len(chunks)]))
        at += len(chunks)
    with closing(open_writer(settings)) as writer:
        writer.set_meta(IndexMeta(fingerprint_of(embedder, "bench"), ("/bench",)))
        writer.put(writes)
        writer.publish()


# ------------------------------------------------------------------ measures: a list of values each


def files_of(passages: Iterable[Passage]) -> list[str]:
    return list(dict.fromkeys(p.file for p in passages))


def anthropic(retriever: Retriever, questions: list[Row]) -> dict[str, list[float]]:
    out: dict[str, list[float]] = {"recall@3": [], "MRR@3": [], "nDCG@10": []}
    for row in questions:
        found = files_of(retriever.search(row["question"], 30))
        gold = set(row["sections"])
        top = found[:3]
        out["recall@3"].append(len(gold & set(top)) / len(gold))
        out["MRR@3"].append(next((1 / r for r, f in enumerate(top, 1) if f in gold), 0.0))
        out["nDCG@10"].append(ndcg(found[:10], gold))
    return out


def clapnq(retriever: Retriever, questions: list[Row]) -> dict[str, list[float]]:
    out: dict[str, list[float]] = {"nDCG@10": [], "recall@3": []}
    for row in questions:
        if not row["answerable"]:
            continue
        found = files_of(retriever.search(row["question"], 20))
        gold = set(row["passages"])
        out["nDCG@10"].append(ndcg(found[:10], gold))
        out["recall@3"].append(len(gold & set(found[:3])) / len(gold))
    return out


def financebench(retriever: Retriever, questions: list[Row]) -> dict[str, list[float]]:
    out: dict[str, list[float]] = {"page@5": [], "page@10": [], "document@5": []}
    for row in questions:
        found = retriever.search(row["question"], 10)
        gold = {(e["file"], e["page"]) for e in row["evidence"]}
        for k in (5, 10):
            pages = {(p.file, p.page) for p in found[:k]}
            out[f"page@{k}"].append(float(bool(gold & pages)))
        out["document@5"].append(float(bool({f for f, _ in gold} & {p.file for p in found[:5]})))
    return out


def ten_q(retriever: Retriever, questions: list[Row]) -> dict[str, list[float]]:
    out: dict[str, list[float]] = {"document recall@10": []}
    names = [r.file for r in retriever.reader.files()]
    for row in questions:
        gold = set(fnmatch.filter(names, row["files"]))
        if gold:
            found = {p.file for p in retriever.search(row["question"], 10)}
            out["document recall@10"].append(len(gold & found) / min(len(gold), 10))
    return out


def ndcg(found: list[str], gold: set[str]) -> float:
    gain = sum(1 / math.log2(r + 1) for r, f in enumerate(found, 1) if f in gold)
    best = sum(1 / math.log2(r + 1) for r in range(1, min(len(gold), len(found) or 1) + 1))
    return gain / best if best else 0.0


# ------------------------------------------------------------------ table


VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no document prior": {"document_prior": 0.0},
    "document prior .3": {"document_prior": 0.3},
    "document prior 1": {"document_prior": 1.0},
    "candidates 50": {"candidates": 50},
    "candidates 100": {"candidates": 100},
    "at most 2 passages a file": {"max_per_file": 2},
    "dense only": {"only": "dense", "document_prior": 0.0},
    "BM25 only": {"only": "words", "document_prior": 0.0},
}


class OneList:
    """A reader whose other list is empty: what dense or BM25 does alone."""

    def __init__(self, reader: Any, only: str) -> None:
        self._reader, self._only = reader, only

    def __getattr__(self, name: str) -> Any:
        if name == {"dense": "by_words", "words": "by_vector"}[self._only]:
            return lambda *_, **__: []
        return getattr(self._reader, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--variants", default="")
    options = parser.parse_args()
    data, work = options.shared, options.work
    sets: dict[str, tuple[Measure, list[Row], Settings]] = {}

    settings = Settings(index=str(work / "anthropic"))
    rows = lines(data / "anthropic-docs" / "sections.jsonl")
    index_of_texts([(r["id"], r["heading"], r["text"]) for r in rows], settings)
    sets["Anthropic docs"] = (
        anthropic,
        lines(data / "anthropic-docs" / "questions.jsonl"),
        settings,
    )

    settings = Settings(index=str(work / "clapnq"))
    rows = lines(data / "clapnq" / "passages.jsonl")
    index_of_texts([(r["id"], r["title"], r["text"]) for r in rows], settings)
    sets["CLAPNQ"] = (clapnq, lines(data / "clapnq" / "questions.jsonl"), settings)

    for name, folder, measure in (
        ("FinanceBench", "financebench", financebench),
        ("10-Q", "sec-10-q", ten_q),
    ):
        settings = Settings(index=str(work / folder))
        if not Path(settings.index).exists():
            ingest_folder(data / folder / "pdfs", index=settings.index)
        sets[name] = (measure, lines(data / folder / "questions.jsonl"), settings)

    base: dict[tuple[str, str], list[float]] = {}
    for name, (measure, questions, settings) in sets.items():
        if options.only and options.only not in name:
            continue
        print(f"\n### {name}\n")
        with closing(open_reader(settings)) as reader:
            embedder = Embedder(settings)
            for label, change in VARIANTS.items():
                if options.variants and not fnmatch.fnmatch(label, options.variants):
                    continue
                chosen = dict(change)
                only = chosen.pop("only", None)
                source = OneList(reader, only) if only else reader
                retriever = Retriever(source, embedder, replace(settings, **chosen))  # type: ignore[arg-type]
                values = measure(retriever, questions)
                if label == "default":
                    print("| settings | " + " | ".join(values) + " |")
                    print("| --- |" + " --- |" * len(values))
                    base = {(name, m): v for m, v in values.items()}
                cells = [
                    cell(v, base.get((name, m)) if label != "default" else None)
                    for m, v in values.items()
                ]
                print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def cell(values: list[float], default: list[float] | None) -> str:
    mean = statistics.fmean(values)
    if not default:
        return f"**{mean:.3f}** (n {len(values)})"
    low, high = paired_interval([v - d for v, d in zip(values, default, strict=True)])
    mark = "" if low <= 0 <= high else " *"
    return f"{mean:.3f} [{low:+.3f}, {high:+.3f}]{mark}"


def paired_interval(differences: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean difference from the default, by question."""
    rng = random.Random(7)
    n = len(differences)
    means = sorted(statistics.fmean(rng.choices(differences, k=n)) for _ in range(2000))
    return means[49], means[1949]


if __name__ == "__main__":
    main()
