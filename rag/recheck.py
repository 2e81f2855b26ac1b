"""A saved answer against the index as it is now: where its quotes stand, which sentences hold."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from rag.checking.claims import claim_of, marked
from rag.quotes import locate
from rag.records import Coverage, Evidence, FileRecord, Passage, Sentence
from rag.retrieval import LONGEST_QUESTION, Retriever
from rag.saved import SavedAnswer, SavedPassage
from rag.store.base import StoredChunk, chunk_id

if TYPE_CHECKING:
    from rag.checking.answers import Checking

#: Where a quote stands now: as saved; on another page; its file gone and the words in another;
#: its file changed and the words in another; nowhere, its file changed; nowhere, its file gone.
Standing = Literal["same", "moved", "renamed", "elsewhere", "changed", "missing"]

#: Passages searched for a sentence, and for a quote that has left its file. Set by hand.
_FOR_SENTENCE = 3
_FOR_QUOTE = 8

#: How much a verdict says; a flagged sentence never holds.
_WORTH = {"supported": 3, "no_mismatch": 2, "unverified": 1, None: 1}


@dataclass(frozen=True, slots=True)
class QuoteNow:
    """A saved quote and where its words stand now; ``file`` is None where they stand nowhere."""

    saved: Evidence
    standing: Standing
    file: str | None = None
    page: int | None = None

    def to_dict(self) -> dict[str, Any]:
        was = {"file": self.saved.file, "page": self.saved.page}
        now = {"file": self.file, "page": self.page} if self.file is not None else None
        return {"quote": self.saved.quote, "standing": self.standing, "was": was, "now": now}


@dataclass(frozen=True, slots=True)
class SentenceNow:
    """One saved sentence: its verdict then (``saved``) and, checked afresh, now (``now``)."""

    saved: Sentence
    now: Sentence
    quotes: tuple[QuoteNow, ...]

    @property
    def holds(self) -> bool | None:
        """Not flagged, and no worse than when it was saved; None when it claims nothing."""
        if self.now.verdict is None:
            return None
        return _WORTH.get(self.now.verdict, 0) >= max(1, _WORTH.get(self.saved.verdict, 0))

    def to_dict(self) -> dict[str, Any]:
        evidence = [{"quote": e.quote, "file": e.file, "page": e.page} for e in self.now.evidence]
        return {
            "text": self.saved.text,
            "holds": self.holds,
            "was": self.saved.verdict,
            "verdict": self.now.verdict,
            "score": self.now.score,
            "reasons": list(self.now.reasons),
            "quotes": [q.to_dict() for q in self.quotes],
            "evidence": evidence,
        }


@dataclass(frozen=True, slots=True)
class Recheck:
    """What became of a saved answer."""

    question: str
    refused: bool
    sentences: tuple[SentenceNow, ...]
    verifier: dict[str, Any]
    saved_verifier: dict[str, Any]
    coverage: Coverage
    notices: tuple[str, ...] = field(default=())

    @property
    def summary(self) -> dict[str, int]:
        """Sentences that hold, and that do not; those that claim nothing are in neither."""
        held = [s.holds for s in self.sentences]
        return {"hold": held.count(True), "do_not_hold": held.count(False)}

    def to_dict(self) -> dict[str, Any]:
        """The document that ``rag verify --record FILE --json`` prints."""
        return {
            "question": self.question,
            "refused": self.refused,
            "sentences": [s.to_dict() for s in self.sentences],
            "summary": self.summary,
            "verifier": self.verifier,
            "saved_verifier": self.saved_verifier,
            "coverage": asdict(self.coverage),
            "notices": list(self.notices),
        }


def recheck(
    saved: SavedAnswer, retriever: Retriever, checking: Checking, k: int
) -> Iterator[SentenceNow]:
    """Each sentence as soon as it is checked.

    It is read against the saved passages that still stand, the passages its quotes have gone to,
    and what a search for the question (``k``) finds now: from an index that has not changed the
    same evidence, and so the same verdict. Where that is worse than the saved one, a search for
    the sentence itself may find what it rests on now.
    """
    finder = _Finder(retriever)
    standing = [p for old in saved.passages if (p := finder.standing(old))]
    asked = retriever.gather(saved.question, k)
    for sentence in saved.sentences:
        found = [finder.find(e) for e in sentence.evidence]
        gone_to = [p for q, p in found if p and not _stands(q.saved.quote, standing)]
        fresh = [*gone_to, *asked]
        quotes = tuple(q for q, _ in found)

        def checked(fresh: list[Passage], sentence: Sentence = sentence) -> Sentence:
            passages = _with_fresh(standing, fresh)
            new = [p.rank for p in passages[len(standing) :]]
            old = [p.rank for p in standing if p.rank in sentence.citations]
            # What is fresh has no number that anybody knows; it counts as cited, where it was
            # cited or claims something by itself: a heading stays one.
            claims = claim_of(marked(sentence.text, sentence.citations))
            bare = Sentence(sentence.text, (*old, *new) if claims else ())
            return next(checking.sentences([bare], passages, saved.question))

        now = SentenceNow(sentence, checked(fresh), quotes)
        if now.holds is False and any(c.isalnum() for c in sentence.text):
            searched = retriever.gather(sentence.text[:LONGEST_QUESTION], _FOR_SENTENCE)
            again = SentenceNow(sentence, checked([*fresh, *searched]), quotes)
            now = again if again.holds else now
        yield now


def _stands(quote: str, passages: Sequence[Passage]) -> bool:
    return any(quote in p.text for p in passages)


def _with_fresh(standing: Sequence[Passage], fresh: Iterable[Passage]) -> list[Passage]:
    """The standing passages, and those fresh ones that say more, numbered on from them."""
    kept = list(standing)
    for p in fresh:
        if not any(p.file == k.file and p.text in k.text for k in kept):
            kept.append(replace(p, rank=1 + max((k.rank for k in kept), default=0)))
    return kept


def notices_of(saved: SavedAnswer, checking: Checking) -> list[str]:
    """Why an outcome may be other than the documents alone would make it."""
    told = []
    if saved.refused:
        told.append("the saved answer is a refusal and claims nothing: rag ask asks again")
    if saved.verifier["kind"] == "none" and not saved.refused:
        told.append("the answer was not checked when it was saved")
    elif saved.sentences and saved.verifier != checking.verifier and not saved.refused:
        was, now = (" ".join(filter(None, v.values())) for v in (saved.verifier, checking.verifier))
        told.append(f"checked by {was} when saved, by {now} now: that alone may change a verdict")
    return told


class _Finder:
    """Looks for saved quotes; a file's text is loaded once."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._files = {r.file: r for r in retriever.reader.files() if r.searchable}
        self._texts: dict[str, _FileText] = {}

    def standing(self, saved: SavedPassage) -> Passage | None:
        """A saved passage as the index has it now; None where its text has changed or gone."""
        record = self._files.get(saved.file)
        return self._text(record).passage(saved) if record else None

    def find(self, quote: Evidence) -> tuple[QuoteNow, Passage | None]:
        """Where the words stand now, and the passage that holds them."""
        record = self._files.get(quote.file)
        if record and (place := self._text(record).place_of(quote)):
            page, passage = place
            standing: Standing = "same" if page == quote.page else "moved"
            return QuoteNow(quote, standing, quote.file, page), passage
        for passage in self._searched(quote.quote):
            at = locate(quote.quote, passage.text) if passage.file != quote.file else None
            if at:
                standing = "elsewhere" if record else "renamed"
                return QuoteNow(quote, standing, passage.file, passage.page_at(at[0])), passage
        return QuoteNow(quote, "changed" if record else "missing"), None

    def _searched(self, quote: str) -> list[Passage]:
        if not any(c.isalnum() for c in quote):
            return []
        return self._retriever.gather(quote[:LONGEST_QUESTION], _FOR_QUOTE)

    def _text(self, record: FileRecord) -> _FileText:
        if record.file not in self._texts:
            reader = self._retriever.reader
            fingerprint = reader.meta().fingerprint
            ids = [
                chunk_id(record.file, record.content, n, fingerprint) for n in range(record.chunks)
            ]
            self._texts[record.file] = _FileText(reader.chunks(ids))
        return self._texts[record.file]


class _FileText:
    """All stored text of one file, and what stands where."""

    def __init__(self, chunks: list[StoredChunk]) -> None:
        self._chunks = chunks
        self._starts = [0, *accumulate(len(c.text) for c in chunks)]

    @cached_property
    def _whole(self) -> str:
        return "".join(c.text for c in self._chunks)

    def passage(self, saved: SavedPassage) -> Passage | None:
        """The saved passage, if its text stands here to the letter."""
        start = self._whole.find(saved.text) if saved.text.strip() else -1
        if start < 0:
            return None
        end = start + len(saved.text)
        run = self._holding(start, end)
        return self._passage(run, start, end, saved.rank)

    def place_of(self, quote: Evidence) -> tuple[int | None, Passage] | None:
        """(page, passage) of the quote: on its own page if it stands there, else the first."""
        on_page = [i for i, c in enumerate(self._chunks) if c.page == quote.page]
        if on_page and quote.page is not None:
            start, end = self._starts[on_page[0]], self._starts[on_page[-1] + 1]
            # A quote may run on into the next page; no quote is longer than that.
            further = self._starts[min(on_page[-1] + 4, len(self._chunks))]
            at = locate(quote.quote, self._whole[start:further])
            if at and at[0] < end - start:
                return self._at(start + at[0], start + at[1])
        at = locate(quote.quote, self._whole)
        return self._at(*at) if at else None

    def _at(self, start: int, end: int) -> tuple[int | None, Passage]:
        """The page where a stretch begins, and the chunks around it as one passage."""
        holding = self._holding(start, end)
        around = range(max(0, holding[0] - 1), min(len(self._chunks), holding[-1] + 2))
        first, last = self._starts[around[0]], self._starts[around[-1] + 1]
        return self._chunks[holding[0]].page, self._passage(around, first, last, rank=0)

    def _holding(self, start: int, end: int) -> range:
        """The chunks that a stretch touches."""
        return range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end))

    def _passage(self, run: range, start: int, end: int, rank: int) -> Passage:
        chunks = [self._chunks[i] for i in run]
        offsets = [max(0, self._starts[i] - start) for i in run]
        return Passage(
            rank=rank, file=chunks[0].file, page=chunks[0].page, page_end=chunks[-1].page,
            heading=chunks[0].heading, text=self._whole[start:end], score=0.0,
            chunk_id=chunks[0].chunk_id, title=chunks[0].title,
            page_starts=tuple(zip(offsets, (c.page for c in chunks), strict=True)),
        )  # fmt: skip
