"""Numbers, amounts, dates: in the evidence at all, and there about the same thing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.checking.agreement import agree
from rag.checking.base import Finding
from rag.checking.contest import Contest, Occurrence, contest, context, spanned
from rag.checking.counted import other_noun
from rag.checking.material import Material
from rag.checking.order import turned_round
from rag.checking.patterns import BOUND
from rag.checking.quantity import Quantity
from rag.checking.rates import names_period
from rag.checking.reading import Reading

__all__ = ["SMALL", "Checked", "agree", "check_numbers", "findings", "occurrences"]

#: A whole number up to this is often counted by the writer and not written in the source.
SMALL = 12

#: A rival figure fits the claim's words better by so much: the claim's figure belongs to something
#: else. Less is enough where the evidence has most of the claim otherwise (`features.REST_FOUND`).
#: Between .10 and .15 (.05 and .12) one planted swap in ten and one false alarm in 150.
CONFLICT, CONFLICT_REST_FOUND = 0.12, 0.08

#: A rival in a unit so many times larger or smaller measures something else, unless the claim's own
#: figure is nowhere. Set by hand.
_UNITS_APART = 4.0

#: Share of the words around an absent figure that must stand around another one before we say
#: that the evidence has that one instead. Right .90 and .99 of the time on WiCE dev and SummEdits.
INSTEAD = 0.2


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one quantity of the claim. ``small``: its absence alone says little.

    ``counts``: (what it counts in the claim, what in the evidence), where the evidence has the
    figure and knows nothing of the claim's noun.
    """

    quantity: Quantity
    text: str
    state: str  # found, absent, ambiguous, reversed; period: there, for another or for none
    contest: Contest
    counts: tuple[str, str] | None = None

    @property
    def small(self) -> bool:
        q = self.quantity
        bare = (q.kind == "number" and not q.unit) or q.kind == "factor"
        whole = bare and all(v == int(v) and v <= SMALL for v in q.values)
        return (
            whole or q.kind in ("weekday", "period") or (q.kind == "ordinal" and q.values[0] <= 2)
        )


def check_numbers(claim: Reading, material: Material, extra: Sequence[str] = ()) -> list[Checked]:
    """Every quantity of the claim with its state and its contest in the evidence."""
    checked = []
    mine = claim.quantities
    sources = _places(material)
    claimed = {
        key for key in sources if any(agree(m, key, material.table_scales) for m in mine)
    }  # fmt: skip
    for quantity, place in zip(mine, claim.quantity_places, strict=True):
        own, rivals = _divided(quantity, claimed, sources, material)
        last = _last_token(claim, quantity, place)
        around = context(claim, place, last, material, extra)
        found = contest(around, own, rivals, material)
        state = _state(quantity, material)
        counts = other_noun(claim, quantity, material) if state == "found" else None
        checked.append(Checked(quantity, _shown(claim.text, quantity), state, found, counts))
    return [_in_order(c, claim, material) for c in checked]


def _in_order(checked: Checked, claim: Reading, material: Material) -> Checked:
    turned = turned_round(checked.quantity, claim, material) if checked.state == "found" else -1
    if turned < 0:
        return checked
    return replace(
        checked, state="reversed", contest=Contest(checked.contest.own, 1.0, checked.text, turned)
    )


def _places(material: Material) -> dict[Quantity, list[Occurrence]]:
    """Each quantity of the evidence, wherever it stands in its sentence → its occurrences."""
    number = {id(s): i for i, s in enumerate(material.stretches)}
    found: dict[Quantity, list[Occurrence]] = {}
    for q, stretch, place in material.quantities:
        at = Occurrence(number[id(stretch)], place, _shown(stretch.text, q))
        found.setdefault(replace(q, start=0, end=0), []).append(at)
    return found


def _shown(text: str, quantity: Quantity) -> str:
    """A quantity as it stands in its text, with its bound, its sign and the period of a rate."""
    before = text[max(0, quantity.start - 24) : quantity.start]
    start, end = quantity.start, quantity.end
    if quantity.bound and (bound := BOUND.search(before)):
        start -= len(before) - bound.start()
    elif quantity.minus and "(" not in text[start:end]:
        start -= len(before) - before.rfind(before.split()[-1])
        end += before.endswith("(")
    return text[start:end] + (f" per {quantity.every}" if quantity.every else "")


def findings(checked: Sequence[Checked], material: Material, *, rest_found: bool) -> list[Finding]:
    """Absent, ambiguous and misattached quantities, and those that count something else."""
    conflict = CONFLICT_REST_FOUND if rest_found else CONFLICT
    found = (_finding(c, material, conflict) for c in checked)
    return [finding for finding in found if finding]


def _finding(c: Checked, material: Material, conflict: float) -> Finding | None:
    rival = c.contest
    shown = spanned(material.stretches[rival.sentence]) if rival.sentence >= 0 else ""
    if c.state == "ambiguous":
        told = f"«{c.text}» may be read in two ways, and the source has one of them"
        return Finding("ambiguous number", "ambiguous", told, c.text)
    if c.state == "reversed":
        told = f"«{c.text}» and the figure after it stand the other way round in the source"
        return Finding("order of numbers", "contradicts", told, c.text, shown)
    if c.state in ("absent", "period") and rival.rival >= (2 * INSTEAD if c.small else INSTEAD):
        told = f"«{c.text}» is not in the source, which has «{rival.label}» there"
        return Finding("other number", "contradicts", told, c.text, shown)
    if c.state == "period":
        told = f"«{c.text}»: the source has the figure for another period"
        return Finding("period", "ambiguous", told, c.text)
    if c.state == "absent":
        told = f"«{c.text}» is not in the source"
        return None if c.small else Finding("absent number", "unsupported", told, c.text)
    if rival.margin >= conflict:
        told = (
            f"«{c.text}» belongs to something else in the source, which has «{rival.label}» there"
        )
        return Finding("number of something else", "contradicts", told, c.text, shown)
    if c.state == "found" and _for_no_period(c.quantity, material):
        told = f"«{c.text}»: the source has the figure and does not say for what period"
        return Finding("period", "ambiguous", told, c.text)
    if c.counts:
        own, other = c.counts
        told = f"«{c.text}» counts «{other}» in the source, which has no «{own}»"
        return Finding("other noun", "ambiguous", told, own)
    return None


def _state(quantity: Quantity, material: Material) -> str:
    sources = [q for q, _, _ in material.quantities] + material.title_quantities
    same = [q for q in sources if agree(quantity, q, material.table_scales)]
    if not same:
        if quantity.every and any(
            agree(replace(quantity, every=""), q, material.table_scales) for q in sources
        ):
            return "period"
        return "found" if _composed(quantity, sources) else "absent"
    readings = quantity.values
    if (
        quantity.ambiguous
        and quantity.kind != "date"
        and not any(q.values == readings for q in same)
    ):
        return "ambiguous"
    if quantity.kind != "date" and all(q.ambiguous and q.values != readings for q in same):
        return "ambiguous"
    return "found"


def _for_no_period(quantity: Quantity, material: Material) -> bool:
    """Whether a rate's figure stands in the evidence only where no period is spoken of, in its
    sentence or the one on either side."""
    if not quantity.every:
        return False
    sentences = material.stretches
    for at in occurrences(quantity, material):
        nearby = sentences[max(0, at.sentence - 1) : at.sentence + 2]
        if any(names_period(s.reading, quantity.every) for s in nearby):
            return False
    return not any(agree(quantity, q) for q in material.title_quantities)


def _composed(quantity: Quantity, sources: Sequence[Quantity]) -> bool:
    """A date whose parts the source says apart: «27 July» under a headline of 2018."""
    if quantity.kind not in ("date", "quarter"):
        return False
    year, *rest = quantity.parts
    if year is None or all(p is None for p in rest):
        return False
    return any(q.year == year for q in sources) and any(
        q.kind == quantity.kind
        and q.parts[0] in (None, year)
        and all(p is None or p == s for p, s in zip(rest, q.parts[1:], strict=True))
        for q in sources
    )


def occurrences(quantity: Quantity, material: Material) -> list[Occurrence]:
    """Where the evidence has a quantity."""
    number = {id(s): i for i, s in enumerate(material.stretches)}
    return [
        Occurrence(number[id(stretch)], place, stretch.text[q.start : q.end])
        for q, stretch, place in material.quantities
        if agree(quantity, q, material.table_scales)
    ]


def _divided(
    quantity: Quantity,
    claimed: set[Quantity],
    sources: dict[Quantity, list[Occurrence]],
    material: Material,
) -> tuple[list[Occurrence], list[Occurrence]]:
    """(the claim's own quantity in the evidence, others of its kind that the claim lacks)."""
    held = {
        q for q in sources
        if agree(quantity, q, material.table_scales)
        or (quantity.kind == "date" and _partly(quantity, q))
    }  # fmt: skip
    others = (q for q in sources if q not in held and q not in claimed)
    rivals = [q for q in others if _rival(quantity, q, found=bool(held))]
    return [o for q in sources if q in held for o in sources[q]], [
        o for q in rivals for o in sources[q]
    ]


def _partly(claim: Quantity, source: Quantity) -> bool:
    """A date of the source that says less than the claim's and nothing else."""
    return source.kind == "date" and all(
        s is None or p is None or p == s for p, s in zip(claim.parts, source.parts, strict=True)
    )


def _rival(claim: Quantity, source: Quantity, *, found: bool) -> bool:
    if {claim.kind, source.kind} == {"factor", "percent"}:
        return any(q.unit == "fraction" or q.values[0] > 100 for q in (claim, source))
    if claim.kind != source.kind:
        return {claim.kind, source.kind} == {"money", "number"} and claim.scaled and source.scaled
    if claim.kind == "date":
        return sum(p is not None for p in claim.parts) == sum(p is not None for p in source.parts)
    if claim.kind == "number" and claim.dimension == source.dimension:
        apart = max(claim.size / source.size, source.size / claim.size)
        return not found or apart <= _UNITS_APART
    return claim.kind != "number"


def _last_token(claim: Reading, quantity: Quantity, place: int) -> int:
    inside = (i for i, t in enumerate(claim.tokens) if quantity.start <= t.start < quantity.end)
    return max(inside, default=place)
