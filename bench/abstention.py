"""Refusing with the writer that cannot read: fit what decides, and measure how often it is wrong.

    python bench/abstention.py WORK_FOLDER [--data ../shared/data] [--write]

Fits rag/answerable.toml on CLAPNQ, SQuAD mini and the Anthropic docs (--write stores it), then
prints the tables of bench/abstention.md. Every question is asked of the index of its whole set, so
an unanswerable one finds the near miss it was written for. Questions of the Anthropic docs count
twice: as they are, and with their gold sections taken out of what was found. The samples and the
questions that are off topic are never fitted on. Nothing but numpy is needed.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from fit_checker import Fit, Flags, Floats, balanced, train
from numpy.typing import NDArray
from retrieval import Row, index_of_texts, lines

from ingest import ingest_folder
from rag.answerable import SIGNALS, read_signals
from rag.embedder import Embedder
from rag.gate import too_weak
from rag.quotable import quotable
from rag.records import Passage
from rag.retrieval import Retriever
from rag.settings import Settings
from rag.store import open_reader

TARGET = Path(__file__).parents[1] / "rag" / "answerable.toml"
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
FOLDS = 5
CUTS = np.arange(0.1, 0.9, 0.01)

#: A cut counts as good as the best when its mean balanced accuracy is so close; of those the lowest
#: is taken, because a wrong refusal hides what the folder has.
AS_GOOD = 0.01


@dataclass(frozen=True)
class Judged:
    """One question: its signals, best cosine, the gate's no, seconds of CPU to read it."""

    answerable: bool
    group: str
    signals: tuple[float, ...] | None
    cosine: float
    gated: bool
    seconds: float


@dataclass(frozen=True)
class Set:
    name: str
    rows: tuple[Judged, ...]

    @property
    def true(self) -> Flags:
        return np.array([r.answerable for r in self.rows])

    @property
    def values(self) -> Floats:
        return np.array([r.signals or [0.0] * len(SIGNALS) for r in self.rows])

    @property
    def fold(self) -> NDArray[np.int64]:
        """One of `FOLDS` by passage, so that no passage is on both sides."""
        return np.array([zlib.crc32(r.group.encode()) % FOLDS for r in self.rows])

    @property
    def passed(self) -> Flags:
        return np.array([not r.gated for r in self.rows])


class Remembered:
    """An embedder that embeds no sentence twice: passages come again from question to question."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, NDArray[np.float32]] = {}

    def embed_query(self, question: str) -> NDArray[np.float32]:
        return self._embedder.embed_query(question)

    def embed_sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = list(dict.fromkeys(t for t in texts if t not in self._known))
        if new:
            self._known.update(zip(new, self._embedder.embed_sentences(new), strict=True))
        return np.stack([self._known[t] for t in texts])


# ------------------------------------------------------------------ the sets

#: The passages that are shown for a question, and whether they hold its answer.
Shown = Callable[[Row, Retriever], Iterator[tuple[bool, list[Passage]]]]


def as_they_are(row: Row, retriever: Retriever) -> Iterator[tuple[bool, list[Passage]]]:
    yield row["answerable"], retriever.gather(row["question"], Settings().ask_k)


def without_gold(row: Row, retriever: Retriever) -> Iterator[tuple[bool, list[Passage]]]:
    """As found, if a gold section is among it; then without the gold sections."""
    wanted, gold = Settings().ask_k, set(row["sections"])
    found = retriever.gather(row["question"], wanted)
    if any(p.file in gold for p in found):
        yield True, found
    more = retriever.gather(row["question"], wanted + len(gold) + wanted)
    others = [p for p in more if p.file not in gold][:wanted]
    yield False, [replace(p, rank=rank) for rank, p in enumerate(others, 1)]


def judged(name: str, settings: Settings, rows: Sequence[Row], shown: Shown) -> Set:
    embedder = Embedder(settings)
    vectors = Remembered(embedder)
    found = []
    with closing(open_reader(settings)) as reader:
        retriever = Retriever(reader, embedder, settings)
        for row in rows:
            question = row["question"]
            group = str(row.get("passage") or (row.get("passages") or [question])[0])
            for answerable, passages in shown(row, retriever):
                sentences = quotable(question, passages, vectors)
                started = time.process_time()
                signals = read_signals(question, passages, sentences)
                seconds = time.process_time() - started
                found.append(Judged(
                    answerable, group,
                    tuple(signals.values[s] for s in SIGNALS) if signals else None,
                    max((p.similarity or 0.0 for p in passages), default=0.0),
                    too_weak(question, passages, embedder.identity, settings) is not None,
                    seconds,
                ))  # fmt: skip
    return Set(name, tuple(found))


def everything(data: Path, work: Path) -> dict[str, Set]:
    """The sets by name; indexes are built once in the work folder."""
    samples, clapnq, squad, docs = (
        Settings(index=str(work / name)) for name in ("samples", "clapnq", "squad", "anthropic")
    )
    ingest_folder(SAMPLES, index=samples.index)
    for settings, path in ((clapnq, "clapnq/passages"), (squad, "squad-mini/passages")):
        rows = lines(data / f"{path}.jsonl")
        index_of_texts([(r["id"], r.get("title", ""), r["text"]) for r in rows], settings)
    rows = lines(data / "anthropic-docs" / "sections.jsonl")
    index_of_texts([(r["id"], r["heading"], r["text"]) for r in rows], docs)
    asked = {n: lines(data / n / "questions.jsonl") for n in ("clapnq", "squad-mini")}
    of_docs = lines(data / "anthropic-docs" / "questions.jsonl")
    off = [{**r, "answerable": False, "passages": None} for r in (*asked["clapnq"], *of_docs)]
    found = (
        judged("CLAPNQ", clapnq, asked["clapnq"], as_they_are),
        judged("SQuAD mini", squad, asked["squad-mini"], as_they_are),
        judged("Anthropic docs", docs, of_docs, without_gold),
        judged("samples", samples, lines(SAMPLES / "questions.jsonl"), as_they_are),
        judged("off topic", samples, off, as_they_are),
    )
    return {s.name: s for s in found}


# ------------------------------------------------------------------ fitting


def fitted(sets: Sequence[Set], keep: Callable[[Set], Flags]) -> Fit:
    """Coefficients from the rows that ``keep`` says; each set weighs the same, and each answer."""
    values, true, weight = [], [], []
    for s in sets:
        rows = keep(s) & np.array([r.signals is not None for r in s.rows])
        mine = s.true[rows]
        values.append(s.values[rows])
        true.append(mine)
        weight.append(np.where(mine, 0.5 / mine.sum(), 0.5 / (~mine).sum()))
    return train(np.concatenate(values), np.concatenate(true), np.concatenate(weight))


def _others(rows: Set, fold: int) -> Flags:
    return np.asarray(rows.fold != fold)


def held_out(sets: Sequence[Set]) -> dict[str, Floats]:
    """Probabilities by coefficients that saw none of the question's passages."""
    found = {s.name: np.zeros(len(s.rows)) for s in sets}
    for k in range(FOLDS):
        fit = fitted(sets, partial(_others, fold=k))
        for s in sets:
            out = s.fold == k
            found[s.name][out] = probability(fit, s)[out]
    return found


def probability(fit: Fit, rows: Set) -> Floats:
    """Where the signals mean nothing the reader refuses nothing."""
    unread = np.array([r.signals is None for r in rows.rows])
    return np.where(unread, 1.0, fit.probability(rows.values))


def best_cut(scores: Sequence[Floats], sets: Sequence[Set]) -> float:
    means = np.array([
        np.mean([balanced(s.true, score >= c) for s, score in zip(sets, scores, strict=True)])
        for c in CUTS
    ])  # fmt: skip
    return float(CUTS[np.flatnonzero(means >= means.max() - AS_GOOD)[0]])


# ------------------------------------------------------------------ tables


def rate(part: int, whole: int) -> str:
    """A share with its 95 % Wilson interval."""
    if not whole:
        return "–"
    z, p = 1.96, part / whole
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    reach = z * np.sqrt(p * (1 - p) / whole + z * z / (4 * whole**2)) / (1 + z * z / whole)
    return f"{p:.3f} [{max(0.0, middle - reach):.2f}, {min(1.0, middle + reach):.2f}]"


def accuracy(true: Flags, said: Flags) -> str:
    """Balanced accuracy with its 95 % bootstrap interval, both kinds of questions drawn apart."""
    if not true.any():
        return "–"
    rng = np.random.default_rng(7)
    yes, no = said[true], ~said[~true]
    drawn = [
        (rng.choice(yes, len(yes)).mean() + rng.choice(no, len(no)).mean()) / 2 for _ in range(2000)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"**{balanced(true, said):.3f}** [{low:.2f}, {high:.2f}]"


def line(label: str, rows: Set, said: Flags) -> None:
    yes, no = said[rows.true], said[~rows.true]
    cells = (
        accuracy(rows.true, said), rate(int(no.sum()), len(no)), rate(int((~yes).sum()), len(yes))
    )  # fmt: skip
    print(f"| {rows.name} | {label} | " + " | ".join(cells) + " |", flush=True)


def tables(sets: dict[str, Set], fit: Fit, cut: float, scores: dict[str, Floats]) -> None:
    print("| set | refuses by | balanced accuracy | false answers | false refusals |")
    print("| --- | --- | --- | --- | --- |")
    clapnq, squad = sets["CLAPNQ"], sets["SQuAD mini"]
    for rows, other in ((clapnq, squad), (squad, clapnq)):
        cosines = np.array([r.cosine for r in rows.rows])
        theirs = best_cut([np.array([r.cosine for r in other.rows])], [other])
        line(f"cosine alone, cut {theirs:.2f} set on {other.name}", rows, cosines >= theirs)
        own = best_cut([cosines], [rows])
        line(f"cosine alone, cut {own:.2f} set on itself", rows, cosines >= own)
        line("gate alone", rows, rows.passed)
        theirs = best_cut([scores[other.name]], [other])
        said = rows.passed & (scores[rows.name] >= theirs)
        line(f"gate and reader, cut {theirs:.2f} set on {other.name}", rows, said)
        line(f"gate and reader, cut {cut:.2f} shipped", rows,
             rows.passed & (scores[rows.name] >= cut))  # fmt: skip
        alone = (other, sets["Anthropic docs"])
        strange = fitted(alone, lambda s: np.ones(len(s.rows), dtype=bool))
        theirs = best_cut([probability(strange, other)], [other])
        said = rows.passed & (probability(strange, rows) >= theirs)
        line(f"gate and reader, all of it fitted without {rows.name}, cut {theirs:.2f}", rows, said)
    for name in ("Anthropic docs", "samples", "off topic"):
        rows = sets[name]
        score = scores.get(name, probability(fit, rows))
        line("gate alone", rows, rows.passed)
        line(f"gate and reader, cut {cut:.2f} shipped", rows, rows.passed & (score >= cut))
    seconds = np.array([r.seconds for s in sets.values() for r in s.rows]) * 1000
    print(f"\nReading, without embedding: {np.median(seconds):.0f} ms of the processor a question, "
          f"95 % within {np.quantile(seconds, 0.95):.0f} ms.\n")  # fmt: skip
    print("| cut | " + " | ".join(sets) + " |\n| --- |" + " --- |" * len(sets))
    for c in np.arange(0.2, 0.61, 0.05):
        cells = []
        for name, rows in sets.items():
            said = rows.passed & (scores.get(name, probability(fit, rows)) >= c)
            yes = f"{(~said[rows.true]).mean():.2f}" if rows.true.any() else "–"
            cells.append(f"{yes} / {(~said[~rows.true]).mean():.2f}")
        print(f"| {c:.2f} | " + " | ".join(cells) + " |")
    print("\nEach cut: share of answerable questions refused / share of the others refused.")


def written(fit: Fit, cut: float) -> str:
    return "\n".join([
        "# Written by bench/abstention.py --write; bench/abstention.md has what it reaches.",
        "# p(answerable) = 1 / (1 + exp(-(intercept + sum of weight * (value - mean) / spread)))",
        f"intercept = {fit.intercept:.4f}",
        "",
        "# The lowest cut within .01 of the best mean balanced accuracy of CLAPNQ and SQuAD mini,",
        "# passages held out.",
        f"cut = {cut:.2f}",
        "",
        "[signals]",
        *(
            f'"{name}" = {{ mean = {m:.4f}, spread = {s:.4f}, weight = {w:.4f} }}'
            for name, m, s, w in zip(SIGNALS, fit.mean, fit.spread, fit.weight, strict=True)
        ),
        "",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--write", action="store_true", help="store the coefficients")
    options = parser.parse_args()
    sets = everything(options.data, options.work)
    learned = [sets["CLAPNQ"], sets["SQuAD mini"], sets["Anthropic docs"]]
    fit = fitted(learned, lambda s: np.ones(len(s.rows), dtype=bool))
    scores = held_out(learned)
    cut = best_cut([scores[s.name] for s in learned[:2]], learned[:2])
    if options.write:
        TARGET.write_text(written(fit, cut), encoding="utf-8")
    print(written(fit, cut))
    tables(sets, fit, cut, scores)


if __name__ == "__main__":
    main()
