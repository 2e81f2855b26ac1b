"""All evidence of one check, sentence by sentence, taken apart once."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from prompts import MARKER
from rag.checking.base import Quote
from rag.checking.quantities import quantities
from rag.checking.quantity import Quantity
from rag.checking.reading import PRONOUNS, Reading, read
from rag.checking.tokens import tokens
from rag.checking.trust import addressed_to_checker, conversation, without_marks
from rag.sentences import spans

_TITLE_LINE = re.compile(r"\s*(?:\(meta data\)\s*)?(?:TITLE:|#{1,6}\s)", re.IGNORECASE)

#: Where a speaker's turn begins in a conversation that stands on one line: «… at six. Ann: …».
_TURN = re.compile(r"(?<=[.!?)])\s+(?=[A-Z][\w'’-]{0,20}:\s)")


#: A «sentence» longer than this is a table or a list on one line and is cut at white space: what
#: the rules compare within a sentence would take time by the square of its length. Characters,
#: set by hand; far longer than a sentence of prose.
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A sentence of the evidence: ``index`` is its evidence text, ``start`` its place there."""

    reading: Reading
    index: int
    start: int

    @property
    def text(self) -> str:
        return self.reading.text


@dataclass(frozen=True, eq=False)
class Material:
    """All evidence of one check, sentence by sentence, and the titles that stand over it."""

    texts: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    titles: tuple[str, ...]
    _rarity: dict[str, float] = field(default_factory=dict, repr=False)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Every stem of evidence and titles."""
        own = (s.reading.places for s in self.stretches)
        return frozenset(stem for places in own for stem in places) | self.title_stems

    def quote(self, number: int) -> Quote:
        """A sentence as it stands in its evidence text."""
        stretch = self.stretches[number]
        end = stretch.start + len(stretch.text)
        return Quote(self.texts[stretch.index][stretch.start : end], stretch.index)

    @cached_property
    def squeezed(self) -> str:
        """All letters and digits in one: «A-320» and «A 320» hold «a320»."""
        return "".join(c for t in (*self.texts, *self.titles) for c in t.lower() if c.isalnum())

    @cached_property
    def title_stems(self) -> frozenset[str]:
        headings = [s.text for s in self.stretches if _TITLE_LINE.match(s.text)]
        titles = [re.sub(r"[_\W]+", " ", t) for t in self.titles]
        return frozenset(t.stem for text in (*titles, *headings) for t in tokens(text) if t.content)

    @cached_property
    def _spread(self) -> Counter[str]:
        return Counter(stem for s in self.stretches for stem in s.reading.places)

    def rarity(self, stem: str) -> float:
        """Inverse document frequency over the evidence's sentences; unknown words weigh most."""
        known = self._rarity.get(stem)
        if known is None:
            known = math.log(1 + (len(self.stretches) + 1) / (0.5 + self._spread[stem]))
            self._rarity[stem] = known
        return known

    @cached_property
    def quantities(self) -> list[tuple[Quantity, Stretch, int]]:
        """(quantity, its sentence, its token's position), titles' quantities left out."""
        return [
            (q, s, place)
            for s in self.stretches
            for q, place in zip(s.reading.quantities, s.reading.quantity_places, strict=True)
        ]

    @cached_property
    def title_quantities(self) -> list[Quantity]:
        return [q for t in self.titles for q in quantities(re.sub(r"[_]+", " ", t))]

    @cached_property
    def table_scales(self) -> list[float]:
        """What bare figures of a table may stand for: «(in millions)»."""
        whole = " ".join(self.texts).lower()
        named = {"thousands": 1e3, "millions": 1e6, "billions": 1e9}
        return [v for k, v in named.items() if re.search(rf"\b(?:in )?{k}\b", whole)]

    @cached_property
    def initials(self) -> frozenset[str]:
        """Initials of the evidence's names and capitalised runs: «World Health Organization»."""
        runs = (n for s in self.stretches for n in s.reading.names if n.last > n.first)
        return frozenset(
            "".join(w[0] for w in n.text.split() if w[0].isupper()).lower() for n in runs
        )

    @cached_property
    def talk(self) -> bool:
        """Whether any of it is a conversation, where names stand for whoever speaks."""
        return any(conversation(_TURN.sub("\n", text)) for text in self.texts)

    @cached_property
    def pronouns(self) -> frozenset[str]:
        """Personal pronouns of the evidence."""
        return frozenset(
            w for s in self.stretches for w in s.reading.lower if w in PRONOUNS or w == "hers"
        )

    @cached_property
    def lowercase(self) -> frozenset[str]:
        """Stems that stand somewhere without a capital: no names by themselves."""
        return frozenset(t.stem for s in self.stretches for t in s.reading.tokens if not t.capital)


@lru_cache(maxsize=64)
def material(texts: tuple[str, ...], titles: tuple[str, ...] = ()) -> Material:
    """The evidence taken apart; the same evidence is taken apart once.

    Numbers in brackets are references and no figures of the text, whoever wrote them; what is
    struck through and sentences that speak to the checker are left out.
    """
    found = []
    for index, original in enumerate(texts):
        text = MARKER.sub(lambda m: " " * len(m.group()), original)
        text = without_marks(text, keep_places=True)
        forged = addressed_to_checker(text)
        for start, end in spans(text):
            if not any(start < last and first < end for first, last in forged):
                found += [
                    Stretch(read(text[a:b]), index, a)
                    for a, b in _cut(text, start, end)
                    if text[a:b].strip()
                ]
    return Material(texts, tuple(found), titles)


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A span in pieces of at most `_LONGEST` characters, at white space where there is any."""
    while end - start > _LONGEST:
        space = max(text.rfind(c, start + 1, start + _LONGEST) for c in " \n\t")
        cut = space if space > start else start + _LONGEST
        yield start, cut
        start = cut + (space > start)
    yield start, end


def coverage(stems: Sequence[str], stretch_stems: frozenset[str], material: Material) -> float:
    """Share of the stems, weighed by rarity, that a set of stems holds; 1.0 for no stems."""
    total = sum(material.rarity(s) for s in stems)
    return sum(material.rarity(s) for s in stems if s in stretch_stems) / total if total else 1.0
