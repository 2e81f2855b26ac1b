"""Which of several fillers fits a place in the claim best, by the words around it in the evidence.

A figure or a name may stand in the passage and yet belong to something else. So each one competes
with the others of its kind: how many of the claim's words around it stand around its occurrences
in the evidence, near ones counting more, and how many around each rival's?
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from rag.checking.material import Material, Stretch
from rag.checking.reading import Reading

#: How quickly a neighbour loses weight with distance, in tokens, in the claim and in the evidence.
#: Set by hand; halving or doubling either moved detection of same-passage swaps by under .02.
_CLAIM_REACH = 4.0
_FAR = 0.04
_EVIDENCE_REACH = 4.0

#: Credit for a neighbour that stands in the same sentence at any distance, in a sentence beside
#: it, or in a title. Set by hand.
_SAME_SENTENCE = 0.3
_NEXT_SENTENCE = 0.2
_IN_TITLE = 0.2

#: Credit for nearness of a neighbour on the other side than in the claim. Set by hand.
_OTHER_SIDE = 0.5


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A filler's place: the sentence's number in the material and the token's position in it."""

    sentence: int
    position: int
    label: str


@dataclass(frozen=True, slots=True)
class Contest:
    """How well a claim's own filler fits, and its best rival; fits are in [0, 1]."""

    own: float
    rival: float
    label: str = ""
    sentence: int = -1

    @property
    def margin(self) -> float:
        """By how much the rival fits better; negative when the claim's own does."""
        return self.rival - self.own


#: Words of a context that are compared, the heaviest: the weight of a neighbour falls to a tenth
#: within ten tokens, so only sentences of more words than any set here has lose some. With
#: `_NEAREST` it keeps the time of a check in step with the length of its texts. Set by hand.
_HEAVIEST = 60
#: Places of one word in a sentence that are tried on each side; the nearest decide.
_NEAREST = 3

#: (stem, weight, whether it stands before the place) of each word around a place.
Context = list[tuple[str, float, bool]]


def context(
    claim: Reading,
    first: int,
    last: int,
    material: Material,
    extra: Sequence[str] = (),
    without: Collection[str] = (),
) -> Context:
    """The claim's words and figures around tokens ``first``…``last``; weights sum to 1.

    ``extra`` are stems of the question, which surround every place alike; those that the evidence
    has nowhere tell no place from another and do not count. Nor do the stems of ``without``.
    """
    own = {claim.tokens[i].stem for i in range(first, last + 1)} | set(without)
    weights: dict[str, tuple[float, bool]] = {}
    for i, stem in claim.marks:
        if first <= i <= last or stem in own:
            continue
        distance = min(abs(i - first), abs(i - last))
        weight = material.rarity(stem) * (_FAR + math.exp(-distance / _CLAIM_REACH))
        if weight > weights.get(stem, (0.0, False))[0]:
            weights[stem] = (weight, (i < first) != (i in claim.passive))
    for stem in extra:
        if stem not in own and stem in material.stems:
            weights.setdefault(stem, (0.5 * material.rarity(stem), True))
    kept = list(weights.items())
    if len(kept) > _HEAVIEST:
        kept = sorted(kept, key=lambda item: -item[1][0])[:_HEAVIEST]
    total = sum(weight for _, (weight, _) in kept)
    return [(s, weight / total, before) for s, (weight, before) in kept] if total else []


def fit(around: Context, at: Occurrence, material: Material) -> float:
    """How much of a context stands around an occurrence, 0…1."""
    stretches = material.stretches
    here = stretches[at.sentence].reading.places
    passive = stretches[at.sentence].reading.passive
    before = stretches[at.sentence - 1].reading.places if at.sentence else {}
    after = stretches[at.sentence + 1].reading.places if at.sentence + 1 < len(stretches) else {}
    total = 0.0
    for stem, weight, left in around:
        if stem in here:
            near = max(
                math.exp(-abs(p - at.position) / _EVIDENCE_REACH)
                * (1.0 if ((p < at.position) != (p in passive)) == left else _OTHER_SIDE)
                for p in _nearest(here[stem], at.position)
            )
            total += weight * (_SAME_SENTENCE + (1 - _SAME_SENTENCE) * near)
        elif stem in before or stem in after:
            total += weight * _NEXT_SENTENCE
        elif stem in material.title_stems:
            total += weight * _IN_TITLE
    return total


def _nearest(places: list[int], position: int) -> list[int]:
    """Those of a word's places, in order, that are next to a position on either side."""
    if len(places) <= 2 * _NEAREST:
        return places
    middle = bisect_left(places, position)
    return places[max(0, middle - _NEAREST) : middle + _NEAREST]


def contest(
    around: Context, own: Iterable[Occurrence], rivals: Iterable[Occurrence], material: Material
) -> Contest:
    """The claim's own filler against its rivals in the same context."""
    best_own = max((fit(around, o, material) for o in own), default=0.0)
    best = Contest(best_own, 0.0)
    for rival in rivals:
        value = fit(around, rival, material)
        if value > best.rival:
            best = Contest(best_own, value, rival.label, rival.sentence)
    return best


def holders(around: Context, material: Material) -> list[tuple[float, int]]:
    """(share of the context it holds, number) of the sentences that hold any, best first."""
    shares = ((holding(around, st), -i) for i, st in enumerate(material.stretches))
    return [(share, -i) for share, i in sorted((p for p in shares if p[0] > 0), reverse=True)]


def holding(around: Context, stretch: Stretch) -> float:
    """Share of a context that stands in a sentence, at any distance."""
    places = stretch.reading.places
    return sum(weight for stem, weight, _ in around if stem in places)


def spanned(stretch: Stretch, limit: int = 160) -> str:
    """The sentence as it is shown in a reason."""
    text = " ".join(stretch.text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
