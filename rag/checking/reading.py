"""One sentence or claim taken apart: tokens, quantities, names."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rag.checking.quantities import quantities
from rag.checking.quantity import Quantity
from rag.checking.tokens import Token, folded, tokens, words

_CONNECTORS = words("of de la van von der del di al bin")
_CALENDAR = words(
    "january february march april may june july august september october november december "
    "monday tuesday wednesday thursday friday saturday sunday q fy "
    "today yesterday tomorrow"
)
_PARTICIPLES = ("ed", "en", "wn", "ught", "old", "und", "ade", "ung", "one", "nt", "id", "um")
PRONOUNS = words(
    "he she it they his her its their him them himself herself itself themselves who which"
)


@dataclass(frozen=True, slots=True)
class Name:
    """A run of capitalised words. ``first``, ``last``: its tokens, both included."""

    text: str
    first: int
    last: int
    stems: tuple[str, ...]
    #: A single capitalised word where a sentence begins may be no name at all.
    doubtful: bool = False


@dataclass(frozen=True, eq=False)
class Reading:
    """One sentence or claim."""

    text: str

    @cached_property
    def tokens(self) -> list[Token]:
        return tokens(self.text)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Stem → positions of its tokens; figures stand under their value as well."""
        found: dict[str, list[int]] = {}
        for i, token in enumerate(self.tokens):
            found.setdefault(token.stem, []).append(i)
        for quantity, place in zip(self.quantities, self.quantity_places, strict=True):
            found.setdefault(_mark(quantity), []).append(place)
        return found

    @cached_property
    def marks(self) -> list[tuple[int, str]]:
        """(position, stem) of the content words and figures: what other words are near to."""
        figures = zip(self.quantity_places, map(_mark, self.quantities), strict=True)
        return [*((i, self.tokens[i].stem) for i in self.content), *figures]

    @cached_property
    def lower(self) -> list[str]:
        """The tokens as written, folded."""
        return [folded(t.text) for t in self.tokens]

    @cached_property
    def content(self) -> list[int]:
        """Positions of content words, those inside quantities left out."""
        free = self.outside_quantities
        return [i for i, t in enumerate(self.tokens) if t.content and free[i]]

    @cached_property
    def outside_quantities(self) -> list[bool]:
        """For each token whether it begins outside every quantity."""
        starts = [q.start for q in self.quantities]
        before = [bisect_right(starts, t.start) for t in self.tokens]
        return [
            not n or t.start >= self.quantities[n - 1].end
            for n, t in zip(before, self.tokens, strict=True)
        ]

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        return quantities(self.text)

    @cached_property
    def quantity_places(self) -> list[int]:
        """For each quantity the position of the last token that begins before it or with it."""
        starts = [t.start for t in self.tokens]
        return [bisect_right(starts, q.start) - 1 for q in self.quantities]

    @cached_property
    def names(self) -> list[Name]:
        return _names(self)

    @cached_property
    def passive(self) -> frozenset[int]:
        """Positions of verbs whose doer stands after them: «was bought by», «written by»."""
        words = self.lower
        return frozenset(
            v
            for i, word in enumerate(words)
            if word == "by"
            for v in range(max(0, i - 3), i)
            if words[v].endswith(_PARTICIPLES) and self.tokens[v].content
        )

    @cached_property
    def pronoun(self) -> int | None:
        """Position of a pronoun among the first tokens, which may stand for someone before."""
        return next((i for i, w in enumerate(self.lower[:6]) if w in PRONOUNS), None)


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """The reading of a text; texts met again are not read again."""
    return Reading(text)


def _mark(quantity: Quantity) -> str:
    """A figure as a word that equal figures share."""
    return f"#{quantity.values or quantity.parts}"


def _names(reading: Reading) -> list[Name]:
    found: list[Name] = []
    words, text = reading.tokens, reading.text
    free = reading.outside_quantities
    i = 0
    while i < len(words):
        if not (free[i] and _starts_name(words[i], reading.lower[i])):
            i += 1
            continue
        last = i
        for j in range(i + 1, len(words)):
            gap = text[words[j - 1].end : words[j].start]
            if gap not in (" ", "-", ". ", ".", " - ", "’s ", "\n"):
                break
            if free[j] and _starts_name(words[j], reading.lower[j]):
                last = j
            elif reading.lower[j] not in _CONNECTORS:
                break
        stems = tuple(words[k].stem for k in range(i, last + 1) if words[k].content)
        opening = i == 0 or text[: words[i].start].rstrip()[-1:] in tuple(".!?:\n•*-“\"'")
        shown = text[words[i].start : words[last].end]
        found.append(Name(shown, i, last, stems, doubtful=opening and i == last))
        i = last + 1
    return found


def _starts_name(token: Token, lower: str) -> bool:
    return token.capital and token.content and lower not in _CALENDAR
