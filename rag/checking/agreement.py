"""Whether two quantities agree: values at the claim's precision, units, dates, bounds."""

from __future__ import annotations

from collections.abc import Sequence

from rag.checking.quantity import Quantity

#: Room for a figure given in another unit than the source's. Set by hand: «three months» and
#: «90 days» are one, «a mile» and «two kilometres» are not.
CONVERTED = 0.03

#: Room for «about», and how far from a bound the figure may lie that it rounds: «more than
#: 250,000» for 263,412. Set by hand.
ROUGHLY = 0.06


def agree(claim: Quantity, source: Quantity, scales: Sequence[float] = ()) -> bool:
    """Whether a quantity of the source says what the claim's says, at the claim's precision."""
    if {claim.bound, source.bound} in _OPPOSED:
        return False
    if claim.kind in ("date", "quarter"):
        return _same_date(claim, source)
    if "factor" in (claim.kind, source.kind):
        return _multiple(claim) == _multiple(source) is not None
    if {"weekday", "period", "version"} & {claim.kind, source.kind}:
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


def _multiple(quantity: Quantity) -> float | None:
    """Times as much: «twice», «2 times», «200 percent»; None for what is no multiple."""
    if quantity.kind == "percent":
        return round(quantity.values[0] / 100, 4)
    bare = quantity.kind == "number" and not quantity.unit
    return round(quantity.values[0], 4) if bare or quantity.kind == "factor" else None


def _comparable(claim: Quantity, source: Quantity) -> bool:
    """Whether signs and units allow the comparison; a bare figure of the source may have any."""
    if source.kind not in ("number", "percent", "money", "ordinal", "time"):
        return False
    if claim.minus != source.minus and not (claim.unsigned or source.unsigned):
        return False
    if claim.of and source.of and claim.of != source.of:
        return False  # «per person», «business» for «calendar» days
    if claim.every and source.every and claim.every != source.every:
        return False
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
