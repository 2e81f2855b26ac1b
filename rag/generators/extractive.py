"""The writer without a model: the sentences of the passages that answer best, quoted and cited.

It cannot read what it quotes; whether the passages hold an answer is for `rag.gate` to say.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Sequence

from prompts import REFUSAL
from rag.generators.base import OnText
from rag.quotable import Quotable, SentenceVectors, quotable
from rag.records import Draft, Passage, Prompt
from rag.words import query_words

#: Weights of a sentence's signals: cosine with the question, share of the question's words (rarer
#: ones weigh more), cosine of its whole passage, rank of the passage, a figure where the question
#: asks for one, nothing new beside the question's own words. Found by a grid over CLAPNQ, SQuAD
#: and the samples (bench/answers.py): right first sentence .70 / .76 / .31, right within three
#: .95 / .90 / .45; with cosine, words and place alone .67 / .74 / .24 and .91 / .88 / .41.
_MEANING, _WORDS, _PASSAGE, _PLACE, _FIGURE, _NOTHING_NEW = 1.0, 0.6, 0.5, 0.15, 0.1, -0.1

#: A second sentence must come this close to the first; three at most. At .85 a right one is shown
#: for .81 of CLAPNQ and .85 of SQuAD questions with 1.7 to 2 quotes each; at .93 for .76 and .83
#: with 1.3 to 1.5.
_SECOND_AT = 0.85
_MOST = 3

#: A quote says at least so many words, stop words aside, that are not the question's.
_NEW_WORDS = 4

#: Two quotes that share more of their words than this say the same.
_ALIKE = 0.7

_ASKS_FOR_FIGURE = re.compile(
    r"\b(?:how (?:many|much|old|long|big|far|high|fast|cold|hot|large|tall|deep|strong|often)"
    r"|when|what (?:year|date|day|time|percentage|number|amount)|which year|phone number)\b",
    re.IGNORECASE,
)


class ExtractiveGenerator:
    """Quotes instead of writing. Needs no server, no key, no network."""

    kind = "extractive"
    model = ""
    context = 0
    answer_tokens = 0

    def __init__(self, vectors: SentenceVectors) -> None:
        self._vectors = vectors
        self._last: tuple[str, tuple[Passage, ...], list[Quotable]] | None = None

    def check(self) -> str | None:
        return None

    def count_tokens(self, text: str) -> int | None:  # noqa: ARG002 - the protocol's
        """No model reads the prompt, so nothing is counted."""
        return 0

    def generate(self, prompt: Prompt, on_text: OnText) -> Draft:
        """One to three quotes, each with its passage's number, a line each; or the refusal."""
        started = time.monotonic()
        chosen = self._choose(prompt.question, prompt.passages)
        text = "\n".join(f"{_quoted(c.text)} [{c.passage.rank}]" for c in chosen)
        on_text(text or REFUSAL)
        seconds = time.monotonic() - started
        return Draft(
            text or REFUSAL, self.kind, self.model, first_token_s=seconds, generate_s=seconds
        )

    def sentences(self, question: str, passages: Sequence[Passage]) -> list[Quotable]:
        """The sentences to choose from; those of the last question are embedded once."""
        if self._last is None or self._last[:2] != (question, tuple(passages)):
            found = quotable(question, passages, self._vectors)
            self._last = (question, tuple(passages), found)
        return self._last[2]

    def _choose(self, question: str, passages: Sequence[Passage]) -> list[Quotable]:
        candidates = self.sentences(question, passages)
        if not candidates:
            return []
        scores = _scores(question, candidates)
        order = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))
        chosen: list[Quotable] = []
        for i in order:
            new = candidates[i]
            if len(chosen) == _MOST or (chosen and scores[i] < _SECOND_AT * scores[order[0]]):
                break
            if all(len(new.words & c.words) < _ALIKE * len(new.words | c.words) for c in chosen):
                chosen.append(new)
        return chosen


def _scores(question: str, candidates: Sequence[Quotable]) -> list[float]:
    wanted = set(query_words(question).indices)
    spread = Counter(w for c in candidates for w in c.words & wanted)
    rarity = {w: math.log(1 + len(candidates) / (1 + spread[w])) for w in wanted}
    total = sum(rarity.values()) or 1.0
    figure = bool(_ASKS_FOR_FIGURE.search(question))
    return [
        _MEANING * c.similarity
        + _WORDS * sum(rarity[w] for w in c.words & wanted) / total
        + _PASSAGE * (c.passage.similarity or 0.0)
        + _PLACE / c.passage.rank
        + _FIGURE * (figure and any(map(str.isdigit, c.text)))
        + _NOTHING_NEW * (len(c.words - wanted) < _NEW_WORDS)
        for c in candidates
    ]


def _quoted(text: str) -> str:
    """One line between quote marks; curly marks inside become straight, which counts as equal."""
    inner = " ".join(text.split()).replace("“", '"').replace("”", '"')
    return f"“{inner}”"
