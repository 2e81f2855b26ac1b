"""The writer without a model: the sentences of the passages that answer best, quoted and cited.

It cannot read what it quotes; whether the passages hold an answer is for `rag.gate` to say.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence

from prompts import REFUSAL
from rag.generators.base import OnText
from rag.quotable import Quotable, SentenceVectors, quotable
from rag.records import Draft, Passage, Prompt
from rag.words import document_words, query_words

#: Weights of a sentence's signals: cosine with the question, share of the question's words that it
#: or its passage's titles have (rarer ones weigh more), cosine of its whole passage, rank of the
#: passage, nothing new beside the question's own words, no name where one is asked for. By listwise
#: regression on CLAPNQ and SQuAD mini, then rounded; held out by fifths of the passages they reach
#: the same within .03. At -.6 for whatever is asked CLAPNQ has .02 fewer questions with a right
#: quote, where mostly names are asked for: people are also told by what they do.
_MEANING, _WORDS, _PASSAGE, _PLACE, _NOTHING_NEW, _NO_NAME = 1.0, 0.8, 1.0, 0.25, -0.1, -0.3

#: A further sentence must come so close to the first; three at most. Share of quotes that are right
#: and of questions with a right one: at .09 .65 and .78 (CLAPNQ), .65 and .80 (SQuAD mini); at .12
#: .65 and .81, .62 and .82; at .15 .62 and .82, .59 and .82.
_CLOSE = 0.12
_MOST = 3

#: A quote says at least so many words, stop words aside, that are not the question's.
_NEW_WORDS = 4

#: Two quotes that share more of their words than this say the same.
_ALIKE = 0.7


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
        candidates = _with_figure(question, self.sentences(question, passages))
        if not candidates:
            return []
        scores = _scores(question, candidates)
        order = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))
        chosen: list[Quotable] = []
        for i in order:
            new = candidates[i]
            if len(chosen) == _MOST or (chosen and scores[i] < scores[order[0]] - _CLOSE):
                break
            if all(len(new.words & c.words) < _ALIKE * len(new.words | c.words) for c in chosen):
                chosen.append(new)
        return chosen


def _with_figure(question: str, candidates: list[Quotable]) -> list[Quotable]:
    """The sentences with a figure of the kind asked for, an age or a date, where there are any: the
    others are about the thing and answer nothing."""
    from rag.asked import asked
    from rag.checking.reading import read

    told = asked(question)
    if told.kind in ("", "name"):
        return candidates
    carrying = [c for c in candidates if not told.unanswered_kind((read(c.text),))]
    return carrying or candidates


def _scores(question: str, candidates: Sequence[Quotable]) -> list[float]:
    from rag.asked import asked
    from rag.checking.reading import read

    told = asked(question)
    wanted = set(query_words(question).indices)
    spread = Counter(w for c in candidates for w in c.words & wanted)
    rarity = {w: math.log(1 + len(candidates) / (1 + spread[w])) for w in wanted}
    total = sum(rarity.values()) or 1.0
    by_name = told.kind == "name"
    titles = {c.passage: _title_words(c.passage) for c in candidates}
    return [
        _MEANING * c.similarity
        + _WORDS * sum(rarity[w] for w in (c.words | titles[c.passage]) & wanted) / total
        + _PASSAGE * (c.passage.similarity or 0.0)
        + _PLACE / c.passage.rank
        + _NO_NAME * (by_name and told.unanswered_kind((read(c.text),)))
        + _NOTHING_NEW * (len(c.words - wanted) < _NEW_WORDS)
        for c in candidates
    ]


def _title_words(passage: Passage) -> frozenset[int]:
    """What a passage is about, by its file's name, title and heading: sentences say «it»."""
    titles = " ".join((passage.file, passage.title, passage.heading))
    return frozenset(document_words(titles).indices)


def _quoted(text: str) -> str:
    """One line between quote marks; curly marks inside become straight, which counts as equal."""
    inner = " ".join(text.split()).replace("“", '"').replace("”", '"')
    return f"“{inner}”"
