"""The sentences of the passages that can stand as a quote, with their cosines to the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.quotes import NO_SPACES_FROM
from rag.records import Passage
from rag.sentences import spans
from rag.words import document_words

#: A quote has at least so many words, stop words aside.
_SHORTEST_WORDS = 3


class SentenceVectors(Protocol):
    """The part of `rag.embedder.Embedder` that is needed here."""

    def embed_query(self, question: str) -> NDArray[np.float32]: ...
    def embed_sentences(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Quotable:
    """A sentence: its passage, its words as the index counts them, its cosine with the question."""

    passage: Passage
    text: str
    words: frozenset[int]
    similarity: float


def quotable(
    question: str, passages: Sequence[Passage], vectors: SentenceVectors
) -> list[Quotable]:
    """All sentences worth quoting, in the order of the passages. Questions answer nothing."""
    found = []
    for passage in passages:
        for start, end in spans(passage.text):
            text = passage.text[start:end]
            words = frozenset(document_words(text).indices)
            # a script without spaces makes one «word» of a sentence
            enough = len(words) >= _SHORTEST_WORDS or max(text) >= NO_SPACES_FROM
            if enough and not text.endswith(("?", "？")):
                found.append((passage, text, words))
    if not found:
        return []
    cosines = vectors.embed_sentences([text for _, text, _ in found]) @ vectors.embed_query(
        question
    )
    return [Quotable(*parts, float(c)) for parts, c in zip(found, cosines, strict=True)]
