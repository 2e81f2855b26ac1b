"""Citations of the writer that quotes: gold sentences on CLAPNQ, pages on FinanceBench, and time.

    python bench/citations.py [--data ../shared/data] [--work FOLDER] [--pages 2000]
    taskset -c 0 python bench/citations.py --work FOLDER --only time

Questions go through `Pipeline.ask` as shipped, against real indexes made in a temporary folder, or
in FOLDER, where they stay for another run. Of FinanceBench the shortest reports are ingested whole,
as many as PAGES allows, and the questions all of whose evidence lies in them are asked. Pages are
looked up again by pdfium alone, in letters and digits. Prints Markdown.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
from retrieval import Row, index_of_texts, lines
from verification import interval, share

from ingest import ingest_folder
from rag import Pipeline
from rag.checking.answers import Checking
from rag.checking.curve import share as wilson
from rag.checking.material import material
from rag.checking.reading import read
from rag.citations import cite
from rag.embedder import Embedder
from rag.quotes import locate
from rag.records import Answer, Evidence
from rag.retrieval import Retriever
from rag.sentences import sentences
from rag.settings import Settings
from rag.store import open_reader

PARTS = ("quotes", "pages", "time")
#: Share of a quote that must lie in gold sentences to be right, and of a gold sentence that must
#: lie in quotes to be found. Set by hand: sentences are cut differently by the data and by us, and
#: a neighbour that shares a comma is no hit.
HALF = 0.5
#: What is looked for on a page: sentences of evidence that say something. Set by hand.
WORDS, LONGEST, MOST = 8, 350, 3
#: Sentences of the answer whose check is timed, and passages it is checked against.
SIX, PASSAGES = 6, 5


# ------------------------------------------------------------------ gold sentences


@dataclass(frozen=True)
class Span:
    """Characters ``start`` to ``end`` of a whole stored text."""

    file: str
    start: int
    end: int

    def share_in(self, others: Iterable[Span]) -> float:
        """The share of its characters that lie in any of the others."""
        inside = {
            at
            for o in others
            if o.file == self.file
            for at in range(max(self.start, o.start), min(self.end, o.end))
        }
        return len(inside) / (self.end - self.start)


@dataclass(frozen=True)
class Cited:
    """An answerable question: where its gold sentences and the quotes of its answer stand."""

    title: str
    refused: bool
    retrieved: bool  # the gold passage is among those that the answer could quote
    gold: tuple[Span, ...]
    quotes: tuple[Span, ...]

    @property
    def right(self) -> list[bool]:
        return [q.share_in(self.gold) >= HALF for q in self.quotes]

    @property
    def found(self) -> list[bool]:
        return [g.share_in(self.quotes) >= HALF for g in self.gold]


def shown(answer: Answer) -> list[Evidence]:
    """The quotes of an answer that stand for a citation of their sentence, each once."""
    cited = (e for s in answer.sentences for e in s.evidence if e.passage in s.citations)
    return list(dict.fromkeys(cited))


def span(quote: str, file: str, texts: dict[str, str]) -> Span:
    place = locate(quote, texts[file])
    assert place, f"a quote that stands nowhere in {file}: {quote[:80]}"
    return Span(file, *place)


def cited(rag: Pipeline, row: Row, passages: dict[str, Row]) -> Cited:
    texts = {name: p["text"] for name, p in passages.items()}
    (gold,) = row["passages"]
    answer = rag.ask(row["question"])
    return Cited(
        passages[gold]["title"],
        answer.refused,
        gold in {p.file for p in answer.passages},
        tuple(span(s, gold, texts) for s in row["selected_sentences"]),
        tuple(dict.fromkeys(span(e.quote, e.file, texts) for e in shown(answer))),
    )


def quotes_table(data: Path, work: Path) -> None:
    """Precision and recall of the quotes against CLAPNQ's gold sentences."""
    passages = {p["id"]: p for p in lines(data / "clapnq" / "passages.jsonl")}
    index = str(work / "clapnq")
    index_of_texts(
        [(p["id"], p["title"], p["text"]) for p in passages.values()], Settings(index=index)
    )
    rows = [r for r in lines(data / "clapnq" / "questions.jsonl") if r["answerable"]]
    with Pipeline.open(index, generator="extractive", verifier="rules") as rag:
        asked = [cited(rag, row, passages) for row in rows]
    answered = [a for a in asked if not a.refused]
    scopes = {
        "answered": answered,
        "answered, gold passage retrieved": [a for a in answered if a.retrieved],
        "all answerable": asked,
    }
    print("| CLAPNQ | " + " | ".join(f"{k}, n {len(v)}" for k, v in scopes.items()) + " |")
    print("| --- |" + " --- |" * len(scopes))
    measures = {
        "precision: quotes that are gold": lambda a: a.right,
        "recall: gold sentences quoted": lambda a: a.found,
        "answers with a gold quote": lambda a: [any(a.right)],
        "answers whose quotes are all gold": lambda a: [bool(a.right) and all(a.right)],
        "answers that quote every gold sentence": lambda a: [all(a.found)],
    }
    for name, of in measures.items():
        cells = [counted([(a.title, of(a)) for a in among]) for among in scopes.values()]
        print(f"| {name} | {' | '.join(cells)} |")
    sizes = [len(a.quotes) for a in answered]
    print(f"\n{np.mean(sizes):.2f} quotes an answer; {len(asked) - len(answered)} refused.")


def counted(rows: Sequence[tuple[str, list[bool]]]) -> str:
    """The share of what is true, «value [low, high] of n», resampled by group."""
    groups = [group for group, flags in rows for _ in flags]
    flags = np.array([flag for _, flags in rows for flag in flags], dtype=bool)
    return f"{interval(groups, share(flags))} of {len(flags)}"


# ------------------------------------------------------------------ pages


def letters(text: str) -> str:
    """Letters and digits alone: what no two readers of a page disagree on."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


@cache
def pages_of(path: Path) -> tuple[str, ...]:
    """The letters of each page, by pdfium, without any of our code."""
    with pypdfium2.PdfDocument(path) as pdf:
        return tuple(letters(page.get_textpage().get_text_range()) for page in pdf)


def stands(text: str, path: Path, page: int | None) -> bool:
    """Whether a text stands on a page, counted from 1."""
    pages = pages_of(path)
    return page is not None and 1 <= page <= len(pages) and letters(text) in pages[page - 1]


def exact(flags: Iterable[bool]) -> str:
    """«hits of n: share [Wilson's interval]»."""
    hits = np.array(list(flags), dtype=bool)
    s = wilson(hits)
    return f"{hits.sum()} of {s.n}: {s.value or 0:.3f} [{s.low or 0:.3f}, {s.high or 0:.3f}]"


def ingested(data: Path, work: Path, most: int) -> tuple[Path, list[Row]]:
    """A folder of the shortest reports, indexed, and the questions that they hold."""
    folder = work / "pages" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {p: len(pages_of(p)) for p in (data / "pdfs").glob("*.pdf")}
    total, kept = 0, set[str]()
    for path in sorted(sizes, key=lambda p: (sizes[p], p.name)):
        if total + sizes[path] > most:
            break
        total += sizes[path]
        kept.add(path.name)
        if not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)
    ingest_folder(folder, index=str(folder.parent / "index"))
    rows = lines(data / "questions.jsonl")
    held = [r for r in rows if {e["file"] for e in r["evidence"]} <= kept]
    print(
        f"{len(kept)} of {len(sizes)} reports, {total} pages, {len(held)} of {len(rows)} questions"
    )
    return folder, held


def prose(text: str) -> list[str]:
    """The first, the middle and the last sentence that say something."""
    whole = [s for s in sentences(text) if len(s.split()) >= WORDS and len(s) <= LONGEST]
    return [whole[at] for at in (0, len(whole) // 2, -1)] if whole else []


def sentences_table(rows: list[Row], folder: Path, settings: Settings) -> None:
    """Sentences of the evidence, cited as an answer would: is the page named theirs?"""
    items = {
        (e["file"], e["page"], s) for r in rows for e in r["evidence"] for s in prose(e["text"])
    }
    for shift, where in ((0, "that the data name"), (1, "after it"), (-1, "before it")):
        there = [stands(s, folder / file, page + shift) for file, page, s in items]
        print(f"- Evidence sentences on the page {where}, by pdfium: {exact(there)}.")
    known = sorted((f, p, s) for f, p, s in items if stands(s, folder / f, p))
    for neighbours in (0, 1):
        reading = replace(settings, neighbours=neighbours)
        told = [(f, p, s, named(s, f, reading)) for f, p, s in known]
        found = [row for row in told if row[3] is not None]
        print(f"- Cited with {neighbours} neighbours: {exact(row in found for row in told)}.")
        here = exact(stands(s, folder / f, page) for f, _, s, page in found)
        same = exact(page == p for _, p, _, page in found)
        print(f"  - The sentence stands on the page named: {here}.")
        print(f"  - It is the page of the data, and no other that says the same: {same}.")


def named(sentence: str, file: str, settings: Settings) -> int | None:
    """The page that a citation of this sentence names; None if no passage of ten holds it."""
    with closing(open_reader(settings)) as reader:
        passages = Retriever(reader, embedder(), settings).gather(sentence, 10, file)
    for passage in passages:
        if own := stretch(sentence, passage.text):
            (one, *_) = cite(f"“{' '.join(own.split())}” [{passage.rank}]", passages).sentences
            return one.evidence[0].page if one.evidence else None
    return None


def stretch(sentence: str, text: str) -> str:
    """The stretch of our text with the letters of a sentence: the data's own text lacks spaces and
    quote marks that stand on the page."""
    offsets = [at for at, char in enumerate(text) for _ in letters(char)]
    at = letters(text).find(letters(sentence))
    return text[offsets[at] : offsets[at + len(letters(sentence)) - 1] + 1] if at >= 0 else ""


@cache
def embedder() -> Embedder:
    return Embedder(Settings())


def answers_table(rows: list[Row], folder: Path, settings: Settings) -> None:
    """Every quote of the answers looked up on its page; how often that is an evidence page."""
    with Pipeline.from_settings(settings) as rag:
        asked = [(row, rag.ask(row["question"])) for row in rows]
    answered = [(row, answer) for row, answer in asked if not answer.refused]
    quotes = [e for _, answer in answered for e in shown(answer)]
    lost = [e for e in quotes if not stands(e.quote, folder / e.file, e.page)]
    print(f"- {len(asked)} questions, {len(asked) - len(answered)} refused.")
    print(f"- Quotes shown that stand on the page named: {exact(e not in lost for e in quotes)}.")
    for e in lost:
        print(f"  - not found: {e.file}, page {e.page}: `{' '.join(e.quote.split())[:160]}`")
    hits: dict[str, list[tuple[str, list[bool]]]] = defaultdict(list)
    for row, answer in answered:
        gold = {(e["file"], e["page"]) for e in row["evidence"]}
        files, cites = {f for f, _ in gold}, shown(answer)
        offered = {(p.file, p.page) for p in answer.passages}
        for name, hit in (
            ("a quote on an evidence page", gold & {(e.file, e.page) for e in cites}),
            ("a quote from an evidence document", files & {e.file for e in cites}),
            ("an evidence page among the passages", gold & offered),
        ):  # fmt: skip
            hits[name].append((row["company"], [bool(hit)]))
    for name, found in hits.items():
        print(f"- Answers with {name}: {counted(found)}.")


# ------------------------------------------------------------------ time


@dataclass
class Clock:
    """Milliseconds of each call, of the clock and of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def __call__(self, work: Callable[[], Any]) -> Any:
        """What the work gives."""
        wall, cpu = time.perf_counter(), time.process_time()
        made = work()
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.cpu.append(1000 * (time.process_time() - cpu))
        return made


def time_table(rows: list[Row], data: Path, settings: Settings) -> None:
    """Milliseconds to check six sentences against five passages, beside a whole `ask`."""
    written = {v["id"]: v["answer"] for v in reversed(lines(data / "human_verdicts.jsonl"))
               if len(sentences(v["answer"])) >= SIX}  # fmt: skip
    ask, first, again = Clock(), Clock(), Clock()
    with Pipeline.from_settings(settings) as rag:
        rag.ask(rows[0]["question"])  # loads what there is to load
        for row in rows:
            question = row["question"]
            answer = ask(partial(rag.ask, question))
            if row["id"] not in written or len(answer.passages) < PASSAGES:
                continue
            made = sentences(written[row["id"]])[:SIX]
            # two citations a sentence, so that with the three best others all five are read
            pairs = [(n % PASSAGES + 1, (n + 1) % PASSAGES + 1) for n in range(SIX)]
            marked = [f"{s} [{one}][{two}]" for s, (one, two) in zip(made, pairs, strict=True)]
            drafted = cite("\n".join(marked), answer.passages).sentences
            read.cache_clear()  # a passage met for the first time
            material.cache_clear()
            for clock in (first, again):
                check = Checking().sentences(drafted, answer.passages, question)
                clock(partial(list, check))
    print("| | n | ms p50 | p95 | of the processor p50 | p95 | its share of ask, p50 |")
    print("| --- |" + " --- |" * 6)
    for name, clock in (
        ("ask with the extractive writer, its own check included", ask),
        ("six sentences, passages met first", first),
        ("six sentences, passages met before", again),
    ):
        cells = [f"{x:.0f}" for c in (clock.wall, clock.cpu) for x in np.percentile(c, [50, 95])]
        of_ask = np.median(clock.cpu) / np.median(ask.cpu)
        print(f"| {name} | {len(clock.cpu)} | {' | '.join(cells)} | {of_ask:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--work", type=Path, help="keep the indexes here for another run")
    parser.add_argument("--pages", type=int, default=2000, help="pages of reports at most")
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        reports = options.data / "financebench"
        if options.only in (None, "quotes"):
            print("\n## Gold sentences\n")
            quotes_table(options.data, work)
        if options.only == "quotes":
            return
        settings = Settings(
            index=str(work / "pages" / "index"), generator="extractive", verifier="rules"
        )
        folder, rows = ingested(reports, work, options.pages)
        if options.only in (None, "pages"):
            print("\n## Pages\n")
            sentences_table(rows, folder, settings)
            answers_table(rows, folder, settings)
        if options.only in (None, "time"):
            print("\n## Time\n")
            time_table(rows, reports, settings)


if __name__ == "__main__":
    main()
