"""The order of two figures: «from 5% to 3%» where the source has «from 3% to 5%»."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.checking.agreement import agree
from rag.checking.material import Material
from rag.checking.quantity import Quantity
from rag.checking.reading import Reading


def turned_round(quantity: Quantity, claim: Reading, material: Material) -> int:
    """The number of a sentence of the evidence that has a figure of the claim and the one beside it
    the other way round; -1 if none has, or one has them in the claim's order."""
    for first, second, how in _ordered(claim):
        if quantity != first:
            continue
        turned = -1
        for i, stretch in enumerate(material.stretches):
            for one, other, way in _ordered(stretch.reading):
                if way != how:
                    continue
                if agree(first, one) and agree(second, other):
                    return -1
                if agree(first, other) and agree(second, one):
                    turned = i
        if turned >= 0:
            return turned
    return -1


def _ordered(reading: Reading) -> Iterator[tuple[Quantity, Quantity, str]]:
    """Neighbours whose order is told: (from, to) and the two sides of a ratio or a score."""
    text = reading.text
    for a, b in zip(reading.quantities, reading.quantities[1:], strict=False):
        before, gap = text[max(0, a.start - 8) : a.start], text[a.end : b.start]
        if re.fullmatch(r"\s?[-–:]\s?", gap) and a.kind == b.kind == "number":
            if not _SIDES.search(text):
                yield a, b, "ratio"
        elif re.search(r"\bfrom $", before) and _TO.fullmatch(gap):
            yield a, b, "from"
        elif re.search(r"\bto $", before) and _FROM.fullmatch(gap):
            yield b, a, "from"


_TO = re.compile(r"[^.;]{0,40}\bto (?:about |around |nearly |just )?")
_FROM = re.compile(r"[^.;]{0,40}\bfrom (?:about |around |nearly |just )?")
#: Words that say whose side of a score comes first: 2-1 for one is 1-2 for the other. Set by hand.
_SIDES = re.compile(
    r"\b(?:wins?|won|winning|los[et]|loses|losing|beat\w*|defeat\w*|victor\w*|lead\w*|led"
    r"|trail\w*|against|over|draw\w*)\b",
    re.IGNORECASE,
)
