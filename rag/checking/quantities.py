"""The quantities of a text, each with what the words around it say of it.

Order matters: the widest patterns take their characters first (dates before years before numbers),
and what is glued to letters («F-16», «COVID-19», «B2B») is a name and no quantity.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from rag.checking import dates, figures
from rag.checking.patterns import (
    BOUND,
    BOUND_AFTER,
    BRACKETED,
    COUNTED,
    DOWNWARD,
    LIST_MARK,
    MINUS,
    PER,
    SYMBOL_BOUNDS,
    ZONE,
)
from rag.checking.quantity import Quantity
from rag.checking.rates import PERIOD_OF, period

__all__ = ["Quantity", "quantities"]

_READERS = (
    dates.dates, figures.versions, figures.multiples, dates.times, dates.quarters, dates.years,
    figures.fractions, figures.numbers, figures.ordinals, figures.factors,
)  # fmt: skip


@lru_cache(maxsize=8192)
def quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of a text in the order in which they stand."""
    taken = bytearray(len(text))
    found: list[Quantity] = []
    for reader in _READERS:
        for quantity in reader(text, taken):
            taken[quantity.start : quantity.end] = b"\1" * (quantity.end - quantity.start)
            found.append(_placed(quantity, text))
    return tuple(sorted(found, key=lambda q: q.start))


def _placed(quantity: Quantity, text: str) -> Quantity:
    """The quantity with what the text around it says of it."""
    before, after = text[max(0, quantity.start - 24) : quantity.start], text[quantity.end :][:24]
    found = BOUND.search(before) or BOUND_AFTER.match(after)
    name = (found.lastgroup or "") if found else ""
    bound = SYMBOL_BOUNDS.get(name, name)
    if bound == "more" and quantity.dimension == "time":
        bound = "least"  # «over three years» is «for three years»
    placed = replace(
        quantity, bound=bound, loose=bound not in ("", "before", "after"),
        of=f"{quantity.of}{_of(quantity.kind, after)}", every=_every(quantity, text),
        counted=quantity.kind == "number" and not quantity.unit and bool(COUNTED.match(after)),
    )  # fmt: skip
    if quantity.kind not in ("number", "percent", "money"):
        return placed
    signed = "(" in text[quantity.start : quantity.end]  # «$(3.2)»
    closed = before.endswith("(") and after.startswith(")")
    beside = text[max(0, quantity.start - 60) : quantity.end + 40]
    minus = signed or bool(MINUS.search(before)) or (closed and bool(BRACKETED.search(before)))
    unsure = bool(LIST_MARK.search(before)) or bool(DOWNWARD.search(beside)) or closed
    return replace(placed, minus=minus, unsigned=unsure and not (minus and (closed or signed)))


def _every(quantity: Quantity, text: str) -> str:
    rated = quantity.kind in ("number", "percent", "money")
    return period(text, quantity.start, quantity.end) if rated else ""


def _of(kind: str, after: str) -> str:
    """What a figure is counted in besides its unit, comparable: a rate, a zone."""
    if kind == "time":
        zone = ZONE.match(after)
        return (zone["zone"] or "UTC") if zone else ""
    rate = PER.match(after) if kind in ("number", "percent", "money") else None
    if rate is None or rate["unit"].lower() in PERIOD_OF:
        return ""
    return f"/{rate['unit'].lower().removesuffix('s')}"
