"""An answer's sentences → the same sentences with verdicts.

Each claim is checked against the passages it cites and the ones that match it best besides. A
sentence without a citation gets that of the passage that says it; where a sentence cites another,
that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.checking.base import ModelChecker, ModelOpinion, Quote, Verdict
from rag.checking.calibration import Calibration
from rag.checking.check import verify
from rag.checking.claims import claim_of
from rag.checking.verdict import WORD_FOR_WORD
from rag.errors import RagError
from rag.records import Evidence, Passage, Sentence
from rag.words import document_words

#: Passages that a claim does not cite and is checked against as well. Set by hand: an answer is
#: written from five.
_OTHERS = 3
_ATTACHED = "cites no passage; [{}] attached by the check"
_ELSEWHERE = "what it rests on stands in [{}], which it does not cite"
_GOOD = ("supported", "no_mismatch")


@dataclass(frozen=True, slots=True)
class Checking:
    """How answers are checked: by code alone, or with a model's opinion as well."""

    model: ModelChecker | None = None
    calibration: Calibration | None = None

    def sentences(
        self, sentences: Sequence[Sentence], passages: Sequence[Passage], question: str
    ) -> Iterator[Sentence]:
        """Each sentence as soon as it is checked, in order. Never raises for what a sentence or a
        passage contains; a model that fails leaves sentences unverified, with the reason."""
        claims = [claim_of(s.text) if s.verdict is not None else None for s in sentences]
        read = [_to_read(s, passages) for s in sentences]
        opinions = iter(self._opinions([(c, r) for c, r in zip(claims, read, strict=True) if c]))
        for sentence, claim, chosen in zip(sentences, claims, read, strict=True):
            if claim is None:
                yield replace(sentence, verdict=None, reasons=())
            else:
                yield self._checked(sentence, chosen, question, next(opinions))

    def _opinions(
        self, claims: Sequence[tuple[str, Sequence[Passage]]]
    ) -> list[ModelOpinion | None]:
        """What the model says, asked once for all claims so that it can read them in one batch."""
        if self.model is None or not claims:
            return [None] * len(claims)
        try:
            return list(self.model.check([(c, [p.text for p in chosen]) for c, chosen in claims]))
        except RagError as error:
            return [ModelOpinion(None, None, None, error.problem)] * len(claims)

    def _checked(
        self,
        sentence: Sentence,
        passages: Sequence[Passage],
        question: str,
        opinion: ModelOpinion | None,
    ) -> Sentence:
        yes = bool(opinion and self.calibration and self.calibration.says_supported(opinion))
        verdict = verify(
            sentence.text,
            [p.text for p in passages],
            question=question,
            titles=[_title(p) for p in passages],
            opinion=opinion,
            calibrated=yes,
        )
        invented = [r for r in sentence.reasons if r.startswith("the quoted words")]
        if invented:  # it says it quotes, and does not: whatever else is said for it
            verdict = Verdict("not_supported", verdict.score, accept=False, reasons=tuple(invented))
        return _told(sentence, verdict, passages)


def _told(sentence: Sentence, verdict: Verdict, passages: Sequence[Passage]) -> Sentence:
    """The sentence with its verdict, evidence as places in passages, citations attached."""
    quotes = [_evidence(quote, passages[quote.index]) for quote in verdict.evidence]
    found = tuple(dict.fromkeys(e.passage for e in quotes))
    citations, reasons = sentence.citations, list(verdict.reasons)
    if verdict.label in _GOOD and found and not set(found) & set(citations):
        reasons.append((_ELSEWHERE if citations else _ATTACHED).format(found[0]))
        citations = citations or found[:1]
    if verdict.label == "supported" and verdict.reasons[:1] == (WORD_FOR_WORD,):
        quotes = quotes[:1]  # the words themselves; any other sentence says less
    shown = [e for e in quotes if e.passage in citations] or quotes[:1] or list(sentence.evidence)
    return replace(
        sentence,
        citations=citations,
        verdict=verdict.label,
        score=verdict.score,
        reasons=tuple(reasons),
        evidence=tuple(shown),
    )


def _evidence(quote: Quote, passage: Passage) -> Evidence:
    page = passage.page_at(max(0, passage.text.find(quote.text)))
    return Evidence(passage.rank, quote.text, passage.file, page)


def _to_read(sentence: Sentence, passages: Sequence[Passage]) -> list[Passage]:
    """The passages it cites, then those that share most of its words."""
    cited = [p for p in passages if p.rank in sentence.citations]
    wanted = set(document_words(sentence.text).indices)
    others = sorted(
        (p for p in passages if p.rank not in sentence.citations),
        key=lambda p: (-len(wanted & set(document_words(p.text).indices)), p.rank),
    )
    return [*cited, *others[:_OTHERS]]


def _title(passage: Passage) -> str:
    return " · ".join(filter(None, (passage.file, passage.title, passage.heading)))
