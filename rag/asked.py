"""What a question asks for, what it names and what it denies, read without a model. English only.

A question names things by name («Wausau», «N1458U») and by figure («28 December 2007»); the passage
that answers it has all of them, whatever the cosine says. A small whole number («two examples»)
counts what is asked for and need not stand in the source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from rag.checking.material import Material
from rag.checking.names import known
from rag.checking.numbers import SMALL, agree
from rag.checking.polarity import negated
from rag.checking.quantities import Quantity
from rag.checking.reading import Reading, read
from rag.checking.tokens import Token, denies, words
from rag.sentences import sentences


def _what(nouns: str) -> str:
    """«what was the highest speed of it», «which speeds»; not «what was the speed limit»."""
    be, own = "(?:is|was|were|are|will be|would be)", "(?:(?:the|its|his|her|their|our) )?"
    ends = r"(?= (?:of|for|in|on|at|to|from|that|when|between|during|after|before)\b|\W*$|[?,])"
    return rf"\bwhat {be} {own}(?:[\w-]+ ){{0,2}}?(?:{nouns}){ends}|\b(?:what|which) (?:{nouns})\b"


#: What kind of thing would answer → how a question asks for it; the first that fits counts. Set by
#: hand: words of measure, none of them looked for in a set.
_ASKS_FOR = {
    "age": rf"\bhow old\b|{_what('ages?')}",
    "time of day": r"\b(?:what|which) (?:(?:local|exact) )?(?:time|hour)\b"
    r"(?! (?:of|zones?|periods?|frames?|spans?|series))",
    "date": r"\bwhen (?:was|were|did|do|does|is|are|will|would|has|have|had)\b"
    r"|\bhow long ago\b"
    rf"|{_what('(?:year|date|day|month|century|decade|time of (?:the )?year)s?')}",
    "percentage": rf"\bhow many per ?cent\b|{_what('per ?cent(?:age)?s?|proportions?')}",
    "temperature": rf"\bhow (?:cold|hot|warm)\b|{_what('temperatures?')}",
    "speed": rf"\bhow fast\b|{_what('speeds?|velocity|velocities')}",
    "duration": r"\bhow long\b(?! ago)|\bwhat (?:is|was) (?:the|its) duration\b",
    "length": r"\bhow (?:far|high|tall|deep|wide|thick)\b"
    rf"|{_what('lengths?|heights?|widths?|depths?|distances?|altitudes?|elevations?')}",
    "weight": rf"\bhow heavy\b|\bhow much (?:\w+ ){{1,5}}weigh|{_what('weights?|mass')}",
    "sum of money": r"\b(?:how much|what) (?:do|does|did|will|would) (?:\w+ ){1,5}?cost\b"
    rf"|\bhow much money\b|{_what('prices?')}",
    "number": r"\bhow (?:many|much|big|large|strong|often)\b"
    rf"|{_what('numbers?|phone number|amounts?|populations?|size')}",
    "name": r"^\W*who(?:m|se)?\b|\bwho (?:was|were|is|are|did|has|had|wrote|plays?|played|sings?"
    r"|sang)\b|^\W*where\b|\b(?:what|which) (?:country|city|state|town|region|island)\b",
}
_ASKING = re.compile(r"\b(?:what|which|who(?:m|se)?|where|when|why|how)\b", re.IGNORECASE)
_KINDS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _ASKS_FOR.items()}

#: Kind of thing → whether a figure can be one. Bare figures count for money: tables leave it out.
_FITS: Mapping[str, Callable[[Quantity], bool]] = {
    "age": lambda q: q.kind == "number" and q.dimension in ("", "time"),
    "time of day": lambda q: q.kind == "time",
    "date": lambda q: q.kind in ("date", "quarter", "decade", "time", "weekday"),
    "percentage": lambda q: q.kind == "percent",
    "temperature": lambda q: q.unit in ("celsius", "fahrenheit"),
    "speed": lambda q: q.dimension == "speed",
    "duration": lambda q: q.dimension in ("time", "length") or q.kind == "period",
    "length": lambda q: q.dimension in ("length", "area"),
    "weight": lambda q: q.dimension == "mass",
    "sum of money": lambda q: q.kind == "money" or (q.kind == "number" and not q.unit),
    "number": lambda q: q.kind in ("number", "percent", "money", "factor", "period"),
}
#: A number of years is an age where one of these stands by it.
_AGED = re.compile(r"\b(?:age|aged|years? old|years?-old|born)\b", re.IGNORECASE)

#: Words that deny and do nothing else; «lack» and «fail» are often what is asked about.
_DENY = words(
    "not n't n’t never no none nothing nobody neither without cannot dont doesnt isnt cant"
)
_DENIES_NOT = words("only matter")  # «not only», «no matter»

#: «N1458U», «PA-28»: letters and digits in one; «FY2018» and «Q3» are times.
_IDENTIFIER = re.compile(
    r"\b(?!(?:FY|Q|H)\d)(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
)
_ASIDE = re.compile(r"\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing a question names: ``stems`` of a name, a figure, or an identifier as it is."""

    text: str
    stems: tuple[str, ...] = ()
    figure: Quantity | None = None

    def missing(self, material: Material) -> bool:
        """Whether the evidence, its titles counted, has it nowhere or only in part."""
        if self.stems:
            return not all(known(stem, material) for stem in self.stems)
        if self.figure is None:
            wanted = self.text.lower()
            return not any(wanted in text.lower() for text in (*material.texts, *material.titles))
        held = [*(q for q, _, _ in material.quantities), *material.title_quantities]
        if any(agree(self.figure, q) for q in held):
            return False
        # «Global 5000»: there it may be part of a name
        return not any(f"{value:.0f}" in material.stems for value in self.figure.values)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart. ``kind``: what would answer it (a key of `_FITS`, or «name»), empty
    where anything may; ``by_name``: at least one of its things is a name or an identifier."""

    reading: Reading
    kind: str
    things: tuple[Thing, ...]
    denial: str

    @property
    def by_name(self) -> bool:
        return any(thing.figure is None for thing in self.things)

    def found(self, material: Material) -> bool:
        """Whether it names something by name and this evidence has everything it names."""
        return self.by_name and not any(thing.missing(material) for thing in self.things)

    def missing(self, material: Material) -> tuple[Thing, ...]:
        return tuple(thing for thing in self.things if thing.missing(material))

    def unanswered_kind(self, sentences: Iterable[Reading]) -> bool:
        """Whether no sentence holds a thing of the kind asked for that is not in the question."""
        return bool(self.kind) and not any(self._offers(sentence) for sentence in sentences)

    def _offers(self, sentence: Reading) -> bool:
        if self.kind == "name":
            own = set(self.reading.places)
            return any(not n.doubtful and not set(n.stems) <= own for n in sentence.names)
        if self.kind == "date" and not {"century", "centuries"}.isdisjoint(sentence.lower):
            return True
        if self.kind == "age" and not _AGED.search(sentence.text):
            return False
        return any(map(_FITS[self.kind], sentence.quantities))

    def denies_alone(self, sentence: Reading, material: Material) -> bool:
        """Whether it denies something while the sentence closest to it denies nothing, and no
        sentence of the evidence denies one of the same words."""
        if not self.denial or negated(sentence):
            return False
        own = _denied(self.reading)
        return not any(own & _denied(s.reading) for s in material.stretches)

    def denied_word(self, material: Material) -> str:
        """A word of the question that the evidence has only with, or without, a prefix that denies:
        «inadequate» where it says «adequate». Empty when there is none."""
        for token in self.reading.tokens:
            unknown = token.content and token.stem not in material.stems
            if unknown and any(denies(token.stem, stem) for stem in material.stems):
                return token.text
        return ""


@lru_cache(maxsize=64)
def asked(question: str) -> Asked:
    """A question taken apart; the same question is taken apart once.

    Sentences around it that ask nothing («Answer in USD. If it is not a useful figure, say so.»)
    are for who answers: what they name or deny need not stand in the source.
    """
    asks = [s for s in sentences(question) if s.rstrip(' "”»)').endswith("?")]
    asking = " ".join(asks) or question
    reading = read(asking)
    return Asked(reading, _kind(asking), tuple(_things(reading)), denial(reading))


def _kind(asking: str) -> str:
    """The kind asked for first: of «Why did it turn, and how old was the pilot?» none, for an
    answer to either half may be what is found."""
    first = _ASKING.search(asking)
    if not first:
        return ""
    matches = ((kind, pattern.search(asking)) for kind, pattern in _KINDS.items())
    return next((kind for kind, m in matches if m and m.start() <= first.start()), "")


def denial(reading: Reading) -> str:
    """The word that denies in a text, as it is written; empty where none does."""
    lower = reading.lower
    for i, word in enumerate(lower):
        if word in _DENY and not (i + 1 < len(lower) and lower[i + 1] in _DENIES_NOT):
            return reading.tokens[i].text
    return ""


def _denied(reading: Reading) -> set[str]:
    return {reading.tokens[i].stem for i in negated(reading)}


def _things(reading: Reading) -> list[Thing]:
    """Names and figures; what stands in brackets explains itself and is left out."""
    aside = [match.span() for match in _ASIDE.finditer(reading.text)]

    def outside(place: int) -> bool:
        return not any(start <= place < end for start, end in aside)

    found = []
    for name in reading.names:
        kept = [t for t in reading.tokens[name.first : name.last + 1] if _names(t)]
        if kept and not name.doubtful and outside(kept[0].start):
            text = reading.text[kept[0].start : kept[-1].end]
            found.append(Thing(text, tuple(t.stem for t in kept)))
    for figure in reading.quantities:
        if outside(figure.start) and not _counts(figure):
            start = _name_before(reading, figure.start)
            found.append(Thing(reading.text[start : figure.end], figure=figure))
    spans = [(q.start, q.end) for q in reading.quantities]
    for match in _IDENTIFIER.finditer(reading.text):
        free = not any(s < match.end() and match.start() < e for s, e in spans)
        if free and outside(match.start()):
            found.append(Thing(match.group()))
    return found


def _names(token: Token) -> bool:
    """Whether a word of a name counts: the letter of «N1458U» does not."""
    return token.content and len(token.text) > 1 and token.text.isalpha()


def _name_before(reading: Reading, start: int) -> int:
    """Where the name begins that a figure follows, «Cessna 182», else the figure itself."""
    begins = {reading.tokens[n.last].end + 1: reading.tokens[n.first].start for n in reading.names}
    return begins.get(start, start)


def _counts(figure: Quantity) -> bool:
    """Whether a figure counts or orders what is asked for: «two examples», «the third»."""
    small = figure.kind == "number" and not figure.unit and max(figure.values, default=0) <= SMALL
    return small or figure.kind in ("ordinal", "weekday")
