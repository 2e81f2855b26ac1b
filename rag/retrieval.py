"""Question → passages: dense + BM25, fused, weighed by document, without repeats.

Every default was chosen with ``bench/retrieval.py``; its table is ``bench/retrieval.md``.
"""

from __future__ import annotations

import fnmatch
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from rag.embedder import Embedder
from rag.errors import UsageError
from rag.records import Passage
from rag.reranker import Reranker
from rag.settings import Settings
from rag.store.base import Candidate, Reader, StoredChunk, Vector, chunk_id
from rag.words import name_query_words, query_words

#: Longest question, in characters. A page of text is not a question, and each window of one costs
#: another run of the model.
LONGEST_QUESTION = 4000

#: Documents ranked by their card, and best chunks that speak for a document.
_CARDS = 50
_CHUNKS_FOR_A_DOCUMENT = 5

#: On a server a file may be replaced between finding its chunks and loading them.
_SEARCHES = 3

#: Chunks looked at for each one wanted, so that repeats and further chunks of a page can give way.
_LOOK_AHEAD = 5

#: Share of equal words from which a passage repeats an earlier one, if its numbers are equal too.
#: Set by hand, high: a passage wrongly dropped costs more than one shown twice.
_REPEATS = 0.9


@dataclass(frozen=True, slots=True)
class Retriever:
    """Answers searches on one open index."""

    reader: Reader
    embedder: Embedder
    settings: Settings
    reranker: Reranker | None = None

    def search(self, question: str, k: int, files: str | None = None) -> list[Passage]:
        """The ``k`` chunks that answer best; ``files`` is a glob over relative file names.

        Raises UsageError for an empty or overlong question and for a glob that matches nothing.
        """
        chunks, scores = self._best(question, k, files)
        return [_passage(rank, [chunk], scores) for rank, chunk in enumerate(chunks, 1)]

    def gather(self, question: str, k: int, files: str | None = None) -> list[Passage]:
        """The ``k`` best chunks as material for an answer, adjacent ones joined into one passage,
        each with as many chunks before and after it as the setting ``neighbours`` says."""
        chunks, scores = self._best(question, k, files)
        groups = joined(chunks, self._neighbours(chunks))
        return [_passage(rank, group, scores) for rank, group in enumerate(groups, 1)]

    def _best(
        self, question: str, k: int, files: str | None
    ) -> tuple[list[StoredChunk], dict[str, Score]]:
        check_question(question)
        only = self.matching(files)
        vector = self.embedder.embed_query(question)
        for _ in range(_SEARCHES):
            order, fused, similarity = self._ranked(question, vector, only)
            wanted = order[: max(_LOOK_AHEAD * k, self.settings.rerank_top)]
            loaded = self.reader.chunks(wanted)
            if len(loaded) == len(wanted):
                break  # else a file was replaced between the two calls: look again
        if self.reranker:
            top = self.settings.rerank_top
            loaded = self.reranker.rerank(question, loaded[:top]) + loaded[top:]
        distinct = page_by_page(without_repeats(loaded))  # lazy: looks no further than it must
        chosen = list(islice(_capped(distinct, self.settings.max_per_file), k))
        return chosen, {
            c.chunk_id: Score(fused[c.chunk_id], similarity.get(c.chunk_id)) for c in chosen
        }

    def _ranked(
        self, question: str, vector: Vector, only: list[str] | None
    ) -> tuple[list[str], dict[str, float], dict[str, float]]:
        """Chunk ids best first, their fused scores, and the cosines of the dense list."""
        depth = self.settings.candidates
        dense = self.reader.by_vector(vector, limit=depth, files=only)
        words = self.reader.by_words(query_words(question), limit=depth, files=only)
        fused = fuse_by_distribution([dense, words])
        if self.settings.document_prior:
            cards = self.reader.by_card(name_query_words(question), limit=_CARDS, files=only)
            fused = favour_documents(fused, dense + words, cards, self.settings.document_prior)
        order = sorted(fused, key=lambda name: (-round(fused[name], 6), name))
        return order, fused, {c.id: c.score for c in dense}

    def matching(self, pattern: str | None) -> list[str] | None:
        """Indexed files a glob names, None for all. Raises UsageError when it names none."""
        if not pattern:
            return None
        glob = pattern.casefold()
        known = [r.file for r in self.reader.files() if r.searchable]
        found = [f for f in known if f == pattern or fnmatch.fnmatchcase(f.casefold(), glob)]
        if not found:
            raise UsageError(
                f"--filter file={pattern} matches none of {len(known)} indexed files",
                "rag status --json lists them",
            )
        return found

    def _neighbours(self, chunks: Sequence[StoredChunk]) -> list[StoredChunk]:
        reach = self.settings.neighbours
        if not reach:
            return []
        fingerprint = self.reader.meta().fingerprint
        wanted = {
            chunk_id(c.file, c.content, n, fingerprint): None
            for c in chunks
            for n in range(max(0, c.ordinal - reach), c.ordinal + reach + 1)
        }
        return self.reader.chunks(list(wanted))


class Score(NamedTuple):
    """``fused`` orders passages; ``similarity`` is the cosine, None outside the dense list."""

    fused: float
    similarity: float | None


def check_question(question: str) -> None:
    """Raise UsageError for a question that cannot be one."""
    if not question.strip():
        raise UsageError("the question is empty", 'ask one: rag ask "What changed in 2022?"')
    if len(question) > LONGEST_QUESTION:
        raise UsageError(
            f"the question has {len(question):,} characters, the limit is {LONGEST_QUESTION:,}",
            "ask a shorter one; documents go in with rag ingest",
        )


def fuse_by_distribution(lists: Iterable[Sequence[Candidate]]) -> dict[str, float]:
    """Distribution-based score fusion: each list's scores scaled so that its mean ± 3 standard
    deviations becomes 0…1, then summed. Gives id → fused score.

    As in Qdrant's DBSF, but over lists that are the same every time (`settled`).
    """
    fused: dict[str, float] = defaultdict(float)
    for found in lists:
        scores = [c.score for c in found]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        low = statistics.fmean(scores) - 3 * spread if scores else 0.0
        for c in found:
            fused[c.id] += (c.score - low) / (6 * spread) if spread else 0.5
    return dict(fused)


def favour_documents(
    fused: dict[str, float],
    candidates: Iterable[Candidate],
    cards: Sequence[Candidate],
    weight: float,
) -> dict[str, float]:
    """Add to each chunk's score ``weight`` times how well its document fits as a whole, 0…2.

    Two voices, each relative to its best document: the five best chunks of a document together,
    and its card (name and opening). Among look-alike reports the right document is the larger half
    of the right page. Shares and not ranks, because the reports of one company over four
    quarters are all the right document.
    """
    homes = {c.id: c.file for c in candidates}
    best: dict[str, list[float]] = defaultdict(list)
    for name, score in fused.items():
        best[homes[name]].append(score)
    by_chunks = {
        home: sum(sorted(scores, reverse=True)[:_CHUNKS_FOR_A_DOCUMENT])
        for home, scores in best.items()
    }
    by_card = {card.file: card.score for card in cards}
    fit = dict.fromkeys(by_chunks, 0.0)
    for voice in (by_chunks, by_card):
        most = max(voice.values(), default=0.0)
        for home in fit:
            fit[home] += voice.get(home, 0.0) / most if most > 0 else 0.0
    return {name: score + weight * fit[homes[name]] for name, score in fused.items()}


def page_by_page(chunks: Iterable[StoredChunk]) -> Iterator[StoredChunk]:
    """The best chunk of each page first, in order; then the others, in order.

    A page has three or four chunks, and when one of them is found the others often are: five
    results would be two pages. Text without pages stays as it is.
    """
    seen: set[tuple[str, int]] = set()
    later: list[StoredChunk] = []
    for chunk in chunks:
        page = (chunk.file, chunk.page) if chunk.page is not None else None
        if page in seen:
            later.append(chunk)
            continue
        if page:
            seen.add(page)
        yield chunk
    yield from later


def without_repeats(chunks: Iterable[StoredChunk]) -> Iterator[StoredChunk]:
    """Chunks that say something new: nearly the same words *and* the same numbers are a repeat.

    Two years' reports share whole pages that differ in the figures alone; those are no repeats.
    """
    kept: list[tuple[set[str], list[str]]] = []
    for chunk in chunks:
        words = re.findall(r"\w+", chunk.text.casefold())
        numbers = sorted(w for w in words if w[0].isdigit())
        bag = set(words)
        if not any(
            numbers == other_numbers and len(bag & other) >= _REPEATS * len(bag | other)
            for other, other_numbers in kept
        ):
            kept.append((bag, numbers))
            yield chunk


def joined(
    chunks: Sequence[StoredChunk], neighbours: Iterable[StoredChunk] = ()
) -> list[list[StoredChunk]]:
    """Runs of consecutive chunks of one file, each in reading order; the runs in the order of
    their best chunk. Neighbours fill runs and never start one."""
    pool = {(c.file, c.ordinal): c for c in (*neighbours, *chunks)}
    runs: list[list[StoredChunk]] = []
    placed: set[tuple[str, int]] = set()
    for chunk in chunks:
        if (chunk.file, chunk.ordinal) in placed:
            continue
        first = last = chunk.ordinal
        while (chunk.file, first - 1) in pool:
            first -= 1
        while (chunk.file, last + 1) in pool:
            last += 1
        run = [(chunk.file, n) for n in range(first, last + 1)]
        placed.update(run)
        runs.append([pool[place] for place in run])
    return runs


def _capped(chunks: Iterable[StoredChunk], per_file: int) -> Iterator[StoredChunk]:
    seen: dict[str, int] = defaultdict(int)
    for chunk in chunks:
        seen[chunk.file] += 1
        if not per_file or seen[chunk.file] <= per_file:
            yield chunk


def _passage(rank: int, run: Sequence[StoredChunk], scores: dict[str, Score]) -> Passage:
    found = [c for c in run if c.chunk_id in scores]
    best = max(found, key=lambda c: (scores[c.chunk_id].fused, c.chunk_id))
    whole = "".join(c.text for c in run)
    text = whole.strip()
    shift = run[0].start + len(whole) - len(whole.lstrip())
    starts = [(max(0, c.start - shift), c.page) for c in run]
    return Passage(
        rank=rank,
        file=best.file,
        page=run[0].page,
        page_end=run[-1].page,
        heading=best.heading,
        text=text,
        score=round(scores[best.chunk_id].fused, 6),
        chunk_id=best.chunk_id,
        title=best.title,
        similarity=max((s for c in found if (s := scores[c.chunk_id].similarity)), default=None),
        page_starts=tuple(starts),
    )
