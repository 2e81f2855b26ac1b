"""Who did what to whom: two names, or two figures, of the claim in each other's place.

Without a parser: the words around each of the two in the claim are looked for around both in the
evidence. If each one's surroundings stand around the other one, they have changed places. On
which side of a word a name stands counts, and for a passive verb («was bought by») the other side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from rag.checking.base import Finding
from rag.checking.contest import Context, Occurrence, context, fit, spanned
from rag.checking.material import Material
from rag.checking.names import occurrences as name_occurrences
from rag.checking.numbers import occurrences as number_occurrences
from rag.checking.reading import Reading

#: By how much the exchanged arrangement fits better, for an alarm: right 1.00 of the time on WiCE
#: dev, .83 on SummEdits. Less is enough where the evidence has most of the claim otherwise
#: (`features.REST_FOUND`): there it finds half of the swaps in CLAPNQ answers.
EXCHANGED, EXCHANGED_REST_FOUND = 0.12, 0.11


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
