"""An answer's sentences → the same sentences with verdicts.

Each claim is checked against the passages it cites and the ones that match it best besides. A
sentence without a citation gets that of the passage that says it; where a sentence cites another,
that is said, and where a passage of another file says otherwise, that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.checking.base import ModelChecker, ModelOpinion, Quote, Verdict
from rag.checking.calibration import Calibration
from rag.checking.check import checked
from rag.checking.claims import claim_of, marked
from rag.checking.conflicts import conflict
from rag.checking.trust import without_forgeries
from rag.checking.verdict import WORD_FOR_WORD
from rag.citations import INVENTED, invented_quotations
from rag.errors import RagError
from rag.records import Evidence, Passage, Sentence
from rag.words import document_words

#: Passages that a claim does not cite and is checked against as well. Set by hand: an answer is
#: written from five.
_OTHERS = 3
_ATTACHED = "cites no passage; [{}] attached by the check"
_ELSEWHERE = "what it rests on stands in [{}], which it does not cite"
_CONFLICT = "[{}] says otherwise: “{}”"
_GOOD = ("supported", "no_mismatch")


@dataclass(frozen=True, slots=True)
class Checking:
    """How answers are checked: by code alone, or with a model's opinion as well."""

    model: ModelChecker | None = None
    calibration: Calibration | None = None

    @property
    def verifier(self) -> dict[str, Any]:
        """The ``verifier`` entry of an answer."""
        if self.model is None:
            return {"kind": "rules", "model": None}
        return {"kind": self.model.kind, "model": self.model.model}

    def sentences(
        self, sentences: Sequence[Sentence], passages: Sequence[Passage], question: str
    ) -> Iterator[Sentence]:
        """Each sentence as soon as it is checked, in order; where a model checks, one of them waits
        for no other. Never raises for what a sentence or a passage contains; a model that fails
        leaves sentences unverified, with the reason."""
        claims = [claim_of(_cited(s)) if s.verdict is not None else None for s in sentences]
        read = [_to_read(s, passages) for s in sentences]
        opinions = self._opinions([(c, r) for c, r in zip(claims, read, strict=True) if c])
        for sentence, claim, chosen in zip(sentences, claims, read, strict=True):
            if claim is None:
                yield replace(sentence, verdict=None, reasons=())
            else:
                yield self._checked(sentence, chosen, question, next(opinions))

    def _opinions(
        self, claims: Sequence[tuple[str, Sequence[Passage]]]
    ) -> Iterator[ModelOpinion | None]:
        """What the model says of each claim, asked when it is wanted. From the first opinion that
        cannot be used the rest is asked in one call, because a checker tries a server that is gone
        only once a call, and each try may last as long as the settings let it."""
        if self.model is None:
            yield from [None] * len(claims)
            return
        pairs = [(claim, [p.text for p in chosen]) for claim, chosen in claims]
        for n, pair in enumerate(pairs):
            (opinion,) = _asked(self.model, [pair])
            yield opinion
            if opinion.supported is None:
                yield from _asked(self.model, pairs[n + 1 :])
                return

    def _checked(
        self,
        sentence: Sentence,
        passages: Sequence[Passage],
        question: str,
        opinion: ModelOpinion | None,
    ) -> Sentence:
        yes = bool(opinion and self.calibration and self.calibration.says_supported(opinion))
        verdict = checked(
            _cited(sentence),
            [p.text for p in passages],
            question=question,
            titles=[_title(p) for p in passages],
            opinion=opinion,
            calibrated=yes,
        )
        cited = [p for p in passages if p.rank in sentence.citations]
        if invented := invented_quotations(sentence.text, cited):
            # it says it quotes, and does not: whatever else is said for it
            reasons = tuple(INVENTED.format(quoted[:60]) for quoted in invented)
            verdict = replace(verdict, label="not_supported", accept=False, reasons=reasons)
        told = _told(sentence, verdict, passages)
        return replace(told, reasons=(*told.reasons, *_conflicts(told, passages, question)))


def _cited(sentence: Sentence) -> str:
    return marked(sentence.text, sentence.citations)


def _conflicts(told: Sentence, passages: Sequence[Passage], question: str) -> list[str]:
    """What passages of other files say against a sentence that holds by its own."""
    if told.verdict not in _GOOD:
        return []
    own = {e.file for e in told.evidence}
    others = [p for p in passages if p.file not in own]
    found = [(p, conflict(told.text, p.text, question=question, title=_title(p))) for p in others]
    return [_CONFLICT.format(p.rank, quote.text) for p, quote in found if quote]


def _asked(model: ModelChecker, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[ModelOpinion]:
    if not pairs:
        return []
    try:
        return list(model.check(pairs))
    except RagError as error:
        return [ModelOpinion(None, None, None, error.problem)] * len(pairs)


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
    """The passages it cites, then those that share most of its words. Words in what a passage says
    to its checker do not count: a flood of forged verdicts must not crowd out the source."""
    cited = [p for p in passages if p.rank in sentence.citations]
    wanted = set(document_words(sentence.text).indices)

    def shared(passage: Passage) -> int:
        return len(wanted & set(document_words(without_forgeries(passage.text)).indices))

    others = [p for p in passages if p.rank not in sentence.citations]
    return [*cited, *sorted(others, key=lambda p: (-shared(p), p.rank))[:_OTHERS]]


def _title(passage: Passage) -> str:
    return " · ".join(filter(None, (passage.file, passage.title, passage.heading)))
