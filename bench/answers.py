"""Refusing and quoting without a model: where the gate stands, and how often the quote is right.

    python bench/answers.py SHARED_DATA WORK_FOLDER

Sets: data/samples, CLAPNQ (answerable, unanswerable with near passages in the pool), SQuAD mini,
and off-topic questions (each set's questions asked of the samples). Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval import index_of_texts, lines

from ingest import ingest_folder
from rag.embedder import Embedder
from rag.gate import WORDS_ENOUGH, all_named, words_share
from rag.generators.extractive import ExtractiveGenerator
from rag.quotes import locate, same
from rag.records import Passage, Prompt
from rag.retrieval import Retriever
from rag.settings import Settings
from rag.store import open_reader

Row = dict[str, Any]
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
GATES = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


@dataclass(frozen=True)
class Asked:
    answerable: bool
    similarity: float
    words: float  # largest share of the question's words in one passage
    named: bool  # one passage has all that the question names by name
    right: bool  # a quote that overlaps a gold one


def ask(
    settings: Settings, rows: list[Row], gold: Callable[[Row, Passage, str], bool]
) -> Iterator[Asked]:
    embedder = Embedder(settings)
    with closing(open_reader(settings)) as reader:
        retriever = Retriever(reader, embedder, settings)
        writer = ExtractiveGenerator(embedder)
        for row in rows:
            passages = retriever.gather(row["question"], settings.ask_k)
            best = max((p.similarity or 0.0 for p in passages), default=0.0)
            prompt = Prompt(row["question"], tuple(passages), "", "", "", "", 0, 0)
            chosen = writer._choose(row["question"], prompt.passages)  # noqa: SLF001
            right = row["answerable"] and any(gold(row, c.passage, c.text) for c in chosen)
            words = words_share(row["question"], passages)
            named = all_named(row["question"], passages)
            yield Asked(row["answerable"], best, words, named, right)


def overlaps(gold: str, quote: str) -> bool:
    return same(gold, quote) or locate(gold, quote) is not None or locate(quote, gold) is not None


def gold_sample(row: Row, passage: Passage, quote: str) -> bool:
    return passage.file == row["file"] and overlaps(row["quote"], quote)


def gold_clapnq(row: Row, passage: Passage, quote: str) -> bool:
    return any(overlaps(s, quote) for s in row["selected_sentences"])


def gold_squad(row: Row, passage: Passage, quote: str) -> bool:
    answers = row.get("answers") or [row.get("answer") or "\0"]
    return any(locate(a, quote) for a in answers if len(a) > 1)


def table(name: str, asked: list[Asked]) -> None:
    yes = [a for a in asked if a.answerable]
    no = [a for a in asked if not a.answerable]
    right = sum(a.right for a in yes) / max(1, len(yes))
    print(
        f"| {name} | {len(yes)} | {len(no)} | {right:.3f} |"
        + "".join(f" {kept(yes, g)} / {kept(no, g, False)} |" for g in GATES),
        flush=True,
    )


def kept(asked: list[Asked], gate: float, above: bool = True) -> str:
    if not asked:
        return "–"
    passed = [a.similarity >= gate or a.words >= WORDS_ENOUGH or a.named for a in asked]
    return f"{passed.count(above) / len(asked):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    print(
        "| set | answerable | not | right quote | " + " | ".join(f"gate {g}" for g in GATES) + " |"
    )
    print("| --- |" * 1 + " --- |" * (3 + len(GATES)))
    samples = Settings(index=str(options.work / "samples"))
    ingest_folder(SAMPLES, index=samples.index)
    table("samples", list(ask(samples, lines(SAMPLES / "questions.jsonl"), gold_sample)))
    clapnq = Settings(index=str(options.work / "clapnq"))
    rows = lines(options.shared / "clapnq" / "passages.jsonl")
    index_of_texts([(r["id"], r["title"], r["text"]) for r in rows], clapnq)
    table(
        "CLAPNQ",
        list(ask(clapnq, lines(options.shared / "clapnq" / "questions.jsonl"), gold_clapnq)),
    )
    squad = Settings(index=str(options.work / "squad"))
    folder = options.shared / "squad-mini"
    paragraphs = lines(folder / "passages.jsonl")
    index_of_texts([(str(r["id"]), r.get("title", ""), r["text"]) for r in paragraphs], squad)
    table("SQuAD mini", list(ask(squad, lines(folder / "questions.jsonl"), gold_squad)))
    off = [
        {**r, "answerable": False}
        for name in ("clapnq", "anthropic-docs")
        for r in lines(options.shared / name / "questions.jsonl")
    ]
    table("off topic (asked of the samples)", list(ask(samples, off, gold_sample)))
    print("\nEach gate: share of answerable questions kept / share of others refused.")


if __name__ == "__main__":
    main()
