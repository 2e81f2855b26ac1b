"""Numbers, amounts, dates: in the evidence at all, and there about the same thing?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.checking.base import Finding
from rag.checking.contest import Contest, Occurrence, contest, context, spanned
from rag.checking.material import Material
from rag.checking.patterns import BOUND
from rag.checking.quantities import Quantity
from rag.checking.reading import Reading

#: A whole number up to this is often counted by the writer and not written in the source.
SMALL = 12

#: A rival figure fits the claim's words better by so much: the claim's figure belongs to something
#: else. Less is enough where the evidence has most of the claim otherwise (`features.REST_FOUND`).
#: Between .10 and .15 (.05 and .12) one planted swap in ten and one false alarm in 150.
CONFLICT, CONFLICT_REST_FOUND = 0.12, 0.08

#: Room for a figure given in another unit than the source's. Set by hand: «three months» and
#: «90 days» are one, «a mile» and «two kilometres» are not.
CONVERTED = 0.03

#: Room for «about», and how far from a bound the figure may lie that it rounds: «more than
#: 250,000» for 263,412. Set by hand.
ROUGHLY = 0.06

#: A rival in a unit so many times larger or smaller measures something else, unless the claim's own
#: figure is nowhere. Set by hand.
_UNITS_APART = 4.0

#: Share of the words around an absent figure that must stand around another one before we say
#: that the evidence has that one instead. Right .90 and .99 of the time on WiCE dev and SummEdits.
INSTEAD = 0.2


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one quantity of the claim. ``small``: its absence alone says little."""

    quantity: Quantity
    text: str
    state: str  # found, absent, ambiguous, reversed
    contest: Contest

    @property
    def small(self) -> bool:
        q = self.quantity
        whole = q.kind == "number" and not q.unit and all(
            v == int(v) and v <= SMALL for v in q.values
        )  # fmt: skip
        return (
            whole
            or q.kind in ("weekday", "factor", "period")
            or (q.kind == "ordinal" and q.values[0] <= 2)
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
        checked.append(
            Checked(quantity, _shown(claim.text, quantity), _state(quantity, material), found)
        )
    return [_in_order(c, claim, material) for c in checked]


def _places(material: Material) -> dict[Quantity, list[Occurrence]]:
    """Each quantity of the evidence, wherever it stands in its sentence → its occurrences."""
    number = {id(s): i for i, s in enumerate(material.stretches)}
    found: dict[Quantity, list[Occurrence]] = {}
    for q, stretch, place in material.quantities:
        at = Occurrence(number[id(stretch)], place, _shown(stretch.text, q))
        found.setdefault(replace(q, start=0, end=0), []).append(at)
    return found


def _shown(text: str, quantity: Quantity) -> str:
    """A quantity as it stands in its text, with its bound and its sign."""
    before = text[max(0, quantity.start - 24) : quantity.start]
    start, end = quantity.start, quantity.end
    if quantity.bound and (bound := BOUND.search(before)):
        start -= len(before) - bound.start()
    elif quantity.minus:
        start -= len(before) - before.rfind(before.split()[-1])
        end += before.endswith("(")
    return text[start:end]


def _in_order(checked: Checked, claim: Reading, material: Material) -> Checked:
    """«From 5% to 3%» where the source has «from 3% to 5%»: the figures are there, and reversed."""
    for first, second, how in _ordered(claim):
        if checked.quantity != first or checked.state != "found":
            continue
        turned = -1
        for i, stretch in enumerate(material.stretches):
            for one, other, way in _ordered(stretch.reading):
                if way != how:
                    continue
                if agree(first, one) and agree(second, other):
                    return checked
                if agree(first, other) and agree(second, one):
                    turned = i
        if turned >= 0:
            fit = Contest(checked.contest.own, 1.0, checked.text, turned)
            return replace(checked, state="reversed", contest=fit)
    return checked


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


def findings(checked: Sequence[Checked], material: Material, *, rest_found: bool) -> list[Finding]:
    """Absent, ambiguous and misattached quantities."""
    found = []
    conflict = CONFLICT_REST_FOUND if rest_found else CONFLICT
    for c in checked:
        rival = c.contest
        shown = spanned(material.stretches[rival.sentence]) if rival.sentence >= 0 else ""
        if c.state == "ambiguous":
            found.append(Finding(
                "ambiguous number", "ambiguous",
                f"«{c.text}» may be read in two ways, and the source has one of them", c.text,
            ))  # fmt: skip
        elif c.state == "reversed":
            found.append(Finding(
                "order of numbers", "contradicts",
                f"«{c.text}» and the figure after it stand the other way round in the source",
                c.text, shown,
            ))  # fmt: skip
        elif c.state == "absent" and rival.rival >= (2 * INSTEAD if c.small else INSTEAD):
            found.append(Finding(
                "other number", "contradicts",
                f"«{c.text}» is not in the source, which has «{rival.label}» there", c.text, shown,
            ))  # fmt: skip
        elif c.state == "absent" and not c.small:
            found.append(Finding(
                "absent number", "unsupported", f"«{c.text}» is not in the source", c.text
            ))  # fmt: skip
        elif c.state == "found" and rival.margin >= conflict:
            found.append(Finding(
                "number of something else", "contradicts",
                f"«{c.text}» belongs to something else in the source, which has «{rival.label}» "
                "there", c.text, shown,
            ))  # fmt: skip
    return found


def agree(claim: Quantity, source: Quantity, scales: Sequence[float] = ()) -> bool:
    """Whether a quantity of the source says what the claim's says, at the claim's precision."""
    if {claim.bound, source.bound} in _OPPOSED:
        return False
    if claim.kind in ("date", "quarter"):
        return _same_date(claim, source)
    if claim.kind == "factor" and source.kind == "number":
        return claim.values == source.values  # «two times as many»
    if {"weekday", "factor", "period", "version"} & {claim.kind, source.kind}:
        told = (claim.values, claim.parts) == (source.values, source.parts)
        return claim.kind == source.kind and told
    if claim.kind == "decade":
        decade = claim.values[0]
        year = source.year
        return source.values == claim.values or (year is not None and year // 10 * 10 == decade)
    if source.kind == "date" and claim.kind in ("number", "money"):
        # «1577» without a separator looks like a year
        return source.parts == (_whole(claim), None, None)
    if claim.kind == "time" and source.kind == "number":
        return 60 * source.values[0] % 720 == claim.values[0] % 720  # «at 7» for «7 pm»
    if not _comparable(claim, source):
        return False
    factors = [1.0, *([] if source.scaled or claim.kind == "percent" else scales)]
    if claim.dimension and claim.dimension == source.dimension:
        factors = [source.size / claim.size]  # «90 days» for «three months»
    return any(
        _near(value, other * factor, claim, source, converted=bool(claim.dimension) and factor != 1)
        for value in claim.values
        for other in _in_degrees_of(claim, source)
        for factor in factors
    )


#: Bounds of one figure that exclude each other.
_UP, _DOWN = ("more", "least"), ("less", "most")
_OPPOSED = [{"before", "after"}, *({up, down} for up in _UP for down in _DOWN)]


def _in_degrees_of(claim: Quantity, source: Quantity) -> tuple[float, ...]:
    if {claim.unit, source.unit} != {"celsius", "fahrenheit"}:
        return source.values
    if source.unit == "fahrenheit":
        return tuple(float(round((v - 32) / 1.8)) for v in source.values)
    return tuple(float(round(v * 1.8 + 32)) for v in source.values)


def _same_date(claim: Quantity, source: Quantity) -> bool:
    if source.kind == "number" and claim.kind == "date" and claim.parts[1] is None:
        return source.values == (float(claim.parts[0] or 0),)
    if source.kind == "quarter" and claim.kind == "date":
        return claim.parts[1:] == (None, None) and claim.parts[0] == source.parts[0]
    if claim.kind != source.kind:
        return False
    if claim.values or source.values:  # 5/6/2019, month and day in either order
        one = set(claim.values) or {100.0 * (claim.parts[1] or 0) + (claim.parts[2] or 0)}
        other = set(source.values) or {100.0 * (source.parts[1] or 0) + (source.parts[2] or 0)}
        return bool(one & other) and claim.parts[0] in (None, source.parts[0])
    return all(p is None or p == s for p, s in zip(claim.parts, source.parts, strict=True))


def _comparable(claim: Quantity, source: Quantity) -> bool:
    """Whether signs and units allow the comparison; a bare figure of the source may have any."""
    if source.kind not in ("number", "percent", "money", "ordinal", "time"):
        return False
    if claim.minus != source.minus and not (claim.unsigned or source.unsigned):
        return False
    if claim.of and source.of and claim.of != source.of:
        return False  # «per month» for «per year», «business» for «calendar» days
    if claim.kind != source.kind:
        if {claim.unit, source.unit} == {"gbp", _POUND}:
            return True
        bare = {claim.kind: claim.unit, source.kind: source.unit}.get("number", "x") == ""
        return bare and "time" not in (claim.kind, source.kind) and not source.counted
    if claim.kind == "percent":
        return True
    if claim.unit and source.unit:
        degrees = {claim.unit, source.unit} == {"celsius", "fahrenheit"}
        same = claim.unit == source.unit or degrees
        return same or claim.dimension == source.dimension != ""
    return True


_POUND = "mass:0.4536"  # of money as well


def _near(
    value: float, other: float, claim: Quantity, source: Quantity, *, converted: bool = False
) -> bool:
    step = claim.step
    if value >= 10_000 and value == int(value) and step == 1.0:
        zeros = len(str(int(value))) - len(str(int(value)).rstrip("0"))
        step = float(10 ** min(zeros, len(str(int(value))) - 2))
    room = step / 2 if step != 1.0 else 0.0
    if converted:
        room = max(room, CONVERTED * abs(value))
    least = most = room + 1e-9 * max(1.0, abs(value))  # below and above the claim's figure
    if claim.loose:
        wide = max(room, ROUGHLY * abs(value))
        if claim.bound == "about":
            # two that are about something differ when their figures do
            least = most = least if source.bound == "about" and _exact(value) else wide
        elif claim.bound in _UP:
            most = wide
        else:
            least = wide
        strict = claim.bound in ("more", "less") and not source.loose
        if strict and value == other:
            return False
    return -least <= other - value <= most


def _exact(value: float) -> bool:
    """Whether a figure is no round one: 57, and not 60 or 1,500."""
    return value != int(value) or bool(int(value) % 10)


def _whole(quantity: Quantity) -> int | None:
    value = quantity.values[0]
    return int(value) if value == int(value) else None


def _state(quantity: Quantity, material: Material) -> str:
    sources = [q for q, _, _ in material.quantities] + material.title_quantities
    same = [q for q in sources if agree(quantity, q, material.table_scales)]
    if not same:
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


def absence(checked: Sequence[Checked]) -> float:
    """How many quantities are absent, small counts for a third."""
    return math.fsum(0.33 if c.small else 1.0 for c in checked if c.state == "absent")
