"""Who did what to whom: two names, or two figures, of the claim in each other's place.

Without a parser: the words around each of the two in the claim are looked for around both in the
evidence. If each one's surroundings stand around the other one, they have changed places. On
which side of a word a name stands counts, and for a passive verb («was bought by») the other side.

And what it is that someone did or was: the predicate, found by its place after an auxiliary or at
the end of the first words that stand together. A source that has neither the predicate nor any
word of its family may well be silent about it, so the label stays at «unverified» (`verdict`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from rag.checking.base import Finding
from rag.checking.contest import Context, Occurrence, context, fit, spanned
from rag.checking.material import Material
from rag.checking.names import akin
from rag.checking.names import occurrences as name_occurrences
from rag.checking.numbers import occurrences as number_occurrences
from rag.checking.reading import PRONOUNS, Reading, read
from rag.checking.tokens import able, denies, light, past, sides, words

#: By how much the exchanged arrangement fits better, for an alarm: right 1.00 of the time on WiCE
#: dev, .83 on SummEdits. Less is enough where the evidence has most of the claim otherwise
#: (`features.REST_FOUND`): there it finds half of the swaps in CLAPNQ answers.
EXCHANGED, EXCHANGED_REST_FOUND = 0.12, 0.11

#: «Aircraft Explosion: None», in a table too.
_EMPTY_FIELD = re.compile(r"^[^\n]*:[ \t|]*(?:none|no|n/?a)[ \t|.]*$", re.IGNORECASE | re.MULTILINE)
_AUXILIARIES = words(
    "is are was were be been being am has have had do does did will would can could may might must "
    "shall should become becomes became remain remains remained"
)
#: What may stand between an auxiliary and the word it belongs to.
_BETWEEN = _AUXILIARIES | words(
    "a an the this that these those its his her their our my your not n't no also very so more most"
)
_SUBJECTS = PRONOUNS | words("i we you there this that")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two participants and by how much better the evidence fits with their places exchanged."""

    one: str
    other: str
    margin: float
    sentence: int


@dataclass(frozen=True, slots=True)
class _Participant:
    text: str
    first: int
    last: int
    stems: frozenset[str]
    found: tuple[Occurrence, ...]


def exchanges(claim: Reading, material: Material, extra: Sequence[str] = ()) -> list[Exchange]:
    """Pairs that fit the evidence better the other way round, the surest first."""
    found = []
    for kind in (_named(claim, material), _figures(claim, material)):
        for one, other in combinations(kind, 2):
            if one.stems & other.stems or not one.found or not other.found:
                continue
            both = one.stems | other.stems
            here = context(claim, one.first, one.last, material, extra, both)
            there = context(claim, other.first, other.last, material, extra, both)
            own = _best(here, one, material)[0] + _best(there, other, material)[0]
            mixed, at = _best(here, other, material)
            margin = (mixed + _best(there, one, material)[0] - own) / 2
            if margin > 0:
                found.append(Exchange(one.text, other.text, margin, at))
    return sorted(found, key=lambda e: -e.margin)


def findings(found: Sequence[Exchange], material: Material, *, rest_found: bool) -> list[Finding]:
    """The surest exchange, if it is sure enough."""
    return [
        Finding(
            "roles swapped", "note" if material.talk else "contradicts",
            f"the source has «{e.one}» and «{e.other}» the other way round",
            f"{e.one} … {e.other}", spanned(material.stretches[e.sentence]),
        )
        for e in found[:1] if e.margin >= (EXCHANGED_REST_FOUND if rest_found else EXCHANGED)
    ]  # fmt: skip


def unsaid(claim: Reading, material: Material, extra: Sequence[str] = ()) -> list[Finding]:
    """The predicates that have neither themselves nor a word of their family in the evidence."""
    found = []
    for i in _predicates(claim):
        stem, word = claim.tokens[i].stem, claim.tokens[i].text
        if stem in light() or stem in extra or _related(stem, material):
            continue
        found.append(
            Finding("absent predicate", "note", f"nothing in the source says «{word}»", word)
        )
    return found


def _related(stem: str, material: Material) -> bool:
    """Whether the evidence has a word or one of its family, those that deny it included."""
    said = _said(material)
    if stem in said or akin(stem, said) or said & frozenset().union(*sides(stem)):
        return True
    return any(denies(stem, other) or able(stem, other) for other in said)


@lru_cache(maxsize=64)
def _said(material: Material) -> frozenset[str]:
    """Stems of the evidence without the fields of forms that say there was nothing of the kind."""
    told = (read(_EMPTY_FIELD.sub("", s.text)).places for s in material.stretches)
    return material.title_stems.union(*told)


def _predicates(claim: Reading) -> list[int]:
    """Positions of what a sentence says of its subject: «stolen», «exploded», «old» and «blind»."""
    runs = list(_runs(claim))
    # «May» and «Will» within a sentence are none
    start = next(
        (i for i, w in enumerate(claim.lower)
         if w in _AUXILIARIES and not (i and claim.tokens[i].capital)), None
    )  # fmt: skip
    if start is None:
        spoken = (_verb(claim, run) for run in runs if _holds_verb(claim, run))
        return [i for i in spoken if not claim.tokens[i].capital][:1]
    while start + 1 < len(claim.tokens) and claim.lower[start + 1] in _BETWEEN:
        start += 1
    found: list[int] = []
    end = None
    for run in runs:
        if run[0] <= start:
            continue
        if end is not None and claim.lower[end + 1 : run[0]] not in (["and"], ["or"]):
            break
        found.append(run[0] if past(claim.lower[run[0]]) else _last(claim, run))
        end = run[-1]
    return [i for i in found if not claim.tokens[i].capital]


def _runs(claim: Reading) -> Iterator[list[int]]:
    """Content words that stand together, with no function word, figure or sign between."""
    run: list[int] = []
    for i in claim.content:
        together = run and i == run[-1] + 1
        if together:
            gap = claim.text[claim.tokens[i - 1].end : claim.tokens[i].start]
            together = not any(c in gap for c in ",.;:()—")
        if run and not together:
            yield run
            run = []
        run.append(i)
    if run:
        yield run


def _holds_verb(claim: Reading, run: list[int]) -> bool:
    """Whether subject and verb may both be in it, or its subject is the pronoun before it."""
    return len(run) > 1 or (run[0] > 0 and claim.lower[run[0] - 1] in _SUBJECTS)


def _verb(claim: Reading, run: list[int]) -> int:
    verbs = (i for i in run if past(claim.lower[i]) and not claim.tokens[i].capital)
    return next(verbs, _last(claim, run))


def _last(claim: Reading, run: list[int]) -> int:
    """The last word that is no adverb."""
    return next((i for i in reversed(run) if not claim.lower[i].endswith("ly")), run[-1])


def _best(around: Context, who: _Participant, material: Material) -> tuple[float, int]:
    return max(((fit(around, o, material), o.sentence) for o in who.found), default=(0.0, -1))


def _named(claim: Reading, material: Material) -> list[_Participant]:
    return [
        _Participant(n.text, n.first, n.last, frozenset(n.stems),
                     tuple(name_occurrences(n, material)))
        for n in claim.names if n.stems
    ]  # fmt: skip


def _figures(claim: Reading, material: Material) -> list[_Participant]:
    found = []
    for quantity, place in zip(claim.quantities, claim.quantity_places, strict=True):
        text = claim.text[quantity.start : quantity.end]
        marks = frozenset(stem for i, stem in claim.marks if i == place)
        at = tuple(number_occurrences(quantity, material))
        found.append(_Participant(text, place, place, marks, at))
    return found
