"""What bounds a figure, right before it: «at least 12» where the source has «at most 12»."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from rag.checking.agreement import agree
from rag.checking.material import Material
from rag.checking.reading import Reading

#: The words that bound a figure, where they stand right before it.
_BOUNDS = {
    kind: re.compile(rf"\b(?P<words>{pattern})\s*(?:the |an? |its )?[$€£]?$", re.IGNORECASE)
    for kind, pattern in {
        "least": r"at least|no (?:less|fewer) than|minimum(?: of)?|more than|over|above"
        r"|greater than|exceed(?:s|ed|ing)?|in excess of",
        "at most": r"at most|no more than|up to|maximum(?: of)?|less than|fewer than|under|below",
        "exactly": r"exactly|precisely",
        "nearly": r"nearly|almost|just under",
        "about": r"about|approximately|around|roughly|some|estimated",
    }.items()
}
_BOUND_CONFLICTS = {
    "least": {"at most", "exactly", "nearly"},
    "at most": {"least", "exactly"},
    "exactly": {"least", "at most", "about", "nearly"},
    "nearly": {"least", "exactly"},
    "about": {"exactly"},
}
#: Characters before a figure that are looked at. Set by hand.
_BEFORE = 24


def opposed_bounds(claim: Reading, material: Material) -> Iterator[tuple[str, str, float, int]]:
    """(the claim's words, the source's, share of the figure's places that say so, a sentence's
    number) of each figure that the source bounds the other way, or «exactly» where it has «about».
    """
    for quantity in claim.quantities:
        kind, words = _bound(claim.text, quantity.start)
        if not kind:
            continue
        held = [
            (*_bound(stretch.text, q.start), i)
            for i, stretch in enumerate(material.stretches)
            for q in stretch.reading.quantities
            if agree(replace(quantity, loose=False), q, material.table_scales)
        ]
        against = [(other, i) for bound, other, i in held if bound in _BOUND_CONFLICTS[kind]]
        if against and not any(bound == kind for bound, *_ in held):
            other, where = against[0]
            yield words, other, len(against) / len(held), where


def _bound(text: str, start: int) -> tuple[str, str]:
    """(kind, words) of the bound that stands before a figure, both empty for none."""
    before = text[max(0, start - _BEFORE) : start]
    for kind, pattern in _BOUNDS.items():
        if m := pattern.search(before):
            return kind, m["words"]
    return "", ""
