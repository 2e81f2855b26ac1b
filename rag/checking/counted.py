"""What a bare figure counts: «500 widgets» is not said by «500 gadgets»."""

from __future__ import annotations

from rag.checking.agreement import agree
from rag.checking.material import Material
from rag.checking.names import akin
from rag.checking.quantity import Quantity
from rag.checking.reading import Reading
from rag.checking.tokens import Token, light, sides

#: Words behind a figure among which the noun is looked for: «500 large red widgets». Set by hand.
_REACH = 3


def other_noun(claim: Reading, quantity: Quantity, material: Material) -> tuple[str, str] | None:
    """(what the claim counts, what the evidence counts) if every agreeing figure of the evidence
    counts something else, and the claim's noun and its kin are nowhere there."""
    noun = _noun(claim, quantity)
    if noun is None or _known(noun.stem, material):
        return None
    other = ""
    for found, stretch, _ in material.quantities:
        if found.kind == quantity.kind and agree(quantity, found, material.table_scales):
            theirs = _noun(stretch.reading, found)
            if theirs is None or theirs.stem in claim.places or theirs.stem in light():
                return None  # «two types of pigment» are «two pigments»
            other = other or theirs.text
    return (noun.text, other) if other else None


def _noun(reading: Reading, quantity: Quantity) -> Token | None:
    """The first plural among the words that stand together behind a bare figure."""
    if quantity.kind != "number" or quantity.unit:
        return None
    end = quantity.end
    behind = (t for t in reading.tokens if t.start >= quantity.end)
    for token, _ in zip(behind, range(_REACH), strict=False):
        if reading.text[end : token.start].strip() or not token.content or token.capital:
            return None
        if token.text.endswith("s") and not token.text.endswith(("ss", "us", "is")):
            return token
        end = token.end
    return None


def _known(stem: str, material: Material) -> bool:
    said = material.stems
    return stem in said or stem in light() or akin(stem, said) or bool(sides(stem)[0] & said)
