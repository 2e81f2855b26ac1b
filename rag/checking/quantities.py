"""Numbers, amounts, dates and quarters as they are written, read into comparable values.

Order matters: the widest patterns take their characters first (dates before years before numbers),
and what is glued to letters («F-16», «COVID-19», «B2B») is a name and no quantity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from rag.checking.patterns import (
    BARE_YEAR,
    BOUND,
    BOUND_AFTER,
    BRACKETED,
    COUNTED,
    DATES,
    DECADE,
    DOWNWARD,
    FACTOR,
    FRACTION,
    FY,
    LIST_MARK,
    MINUS,
    MONTH_ALONE,
    MONTHS,
    NTH,
    NTH_WORD,
    NUMBER,
    PER,
    PERIOD,
    QUARTERS,
    SCALE,
    SYMBOL_BOUNDS,
    TIME,
    UNIT_WORDS,
    VERSION,
    WEEKDAY,
    YEARS_RANGE,
    ZONE,
)
from rag.checking.units import (
    CURRENCIES,
    FACTORS,
    FRACTIONS,
    ORDINALS,
    PERIODS,
    SCALES,
    SMALL,
    UNITS,
)  # fmt: skip

Kind = Literal[
    "number", "percent", "money", "date", "quarter", "decade", "ordinal", "time", "weekday",
    "factor", "period", "version",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity of a text.

    ``values`` are its possible readings, more than one where the writing is ambiguous; of a range,
    both ends are quantities of their own. ``step`` is the size of the last digit written. Dates
    have ``parts`` (year, month, day), quarters (year, quarter), each None where it is not said.
    """

    kind: Kind
    start: int
    end: int
    values: tuple[float, ...] = ()
    step: float = 0.0
    unit: str = ""  # «dimension:size of the unit in the dimension's base», a currency, «%»
    parts: tuple[int | None, ...] = ()
    loose: bool = False  # «about», «more than», «up to»: another figure may be meant
    scaled: bool = False  # «million» stands beside it
    bound: str = ""  # about, more, least, less, most; before or after a time
    minus: bool = False  # a minus or accounting brackets; ``values`` are without the sign
    unsigned: bool = False  # the sign may be said in words («a loss of»), or be no sign
    of: str = ""  # «per month», «business» days, the zone of a time
    counted: bool = False  # a plural follows: «50 million users»

    @property
    def ambiguous(self) -> bool:
        return len(self.values) > 1

    @property
    def dimension(self) -> str:
        """«length», «time», …; empty without a unit of measure."""
        return self.unit.partition(":")[0] if ":" in self.unit else ""

    @property
    def size(self) -> float:
        """Of its unit, in the dimension's base."""
        return float(self.unit.partition(":")[2]) if ":" in self.unit else 1.0

    @property
    def year(self) -> int | None:
        """The year it names, also as a bare «2018»."""
        if self.kind in ("date", "quarter"):
            return self.parts[0]
        return None


@lru_cache(maxsize=8192)
def quantities(text: str) -> tuple[Quantity, ...]:
    """The quantities of a text in the order in which they stand."""
    taken = bytearray(len(text))
    found: list[Quantity] = []
    for reader in (
        _dates,
        _versions,
        _times,
        _quarters,
        _years,
        _fractions,
        _numbers,
        _ordinals,
        _factors,
    ):
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
        of=f"{quantity.of}{_of(quantity.kind, after)}",
        counted=quantity.kind == "number" and not quantity.unit and bool(COUNTED.match(after)),
    )  # fmt: skip
    if quantity.kind not in ("number", "percent", "money"):
        return placed
    closed = before.endswith("(") and after.startswith(")")
    beside = text[max(0, quantity.start - 60) : quantity.end + 40]
    minus = bool(MINUS.search(before)) or (closed and bool(BRACKETED.search(before)))
    unsure = bool(LIST_MARK.search(before)) or bool(DOWNWARD.search(beside)) or closed
    return replace(placed, minus=minus, unsigned=unsure and not (closed and minus))


def _of(kind: str, after: str) -> str:
    """What a figure is counted in besides its unit, comparable: a rate, a zone."""
    if kind == "time":
        zone = ZONE.match(after)
        return (zone["zone"] or "UTC") if zone else ""
    rate = PER.match(after) if kind in ("number", "percent", "money") else None
    if rate is None:
        return ""
    if rate["period"]:
        return f"/{PERIODS[rate['period'].lower()]:g}"
    word = (rate["unit"] or rate["time"]).lower()
    unit = UNITS.get(word) or UNITS.get(word.removesuffix("s"))
    return f"/{unit[1]:g}" if unit and unit[0] == "time" else f"/{word.removesuffix('s')}"


def _free(pattern: re.Pattern[str], text: str, taken: bytearray) -> Iterator[re.Match[str]]:
    for match in pattern.finditer(text):
        if not any(taken[match.start() : match.end()]):
            yield match


def _dates(text: str, taken: bytearray) -> Iterator[Quantity]:
    for pattern in DATES:
        for m in _free(pattern, text, taken):
            groups = m.groupdict()
            month, day = groups["month"].lower(), groups.get("day")
            number = int(month) if month.isdigit() else MONTHS.index(month[:3]) + 1
            if not 1 <= number <= 12 or (day and not 1 <= int(day) <= 31):
                continue
            year = groups.get("year")
            parts = (full_year(year) if year else None, number, int(day) if day else None)
            either = "/" in m.group() and int(day or 99) <= 12 and int(day or 0) != number
            # 5/6/2019 is in May or in June: both readings, as month and day in one number
            swapped = 100.0 * int(day or 0) + number
            readings = (100.0 * number + int(day or 0), swapped) if either else ()
            yield Quantity("date", m.start(), m.end(), readings, parts=parts)
    for m in _free(MONTH_ALONE, text, taken):
        number = MONTHS.index(m["month"][:3].lower()) + 1
        yield Quantity("date", m.start(), m.end(), parts=(None, number, None))
    for m in _free(WEEKDAY, text, taken):
        day = "mtwtfss".index(m.group()[0].lower()) if m.group()[1] != "h" else 3
        day = {"Sa": 5, "Su": 6}.get(m.group()[:2], day)
        yield Quantity("weekday", m.start(), m.end(), (float(day),))


def _times(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in _free(TIME, text, taken):
        hour = int(m["hour"] or m["hour24"] or m["hour_zone"])
        minute = int(m["minute"] or m["minute24"] or m["minute_zone"] or 0)
        if m["half"]:
            hour = hour % 12 + 12 * (m["half"][0].lower() == "p")
        yield Quantity("time", m.start(), m.end(), (60.0 * hour + minute,))


def _quarters(text: str, taken: bytearray) -> Iterator[Quantity]:
    for pattern in QUARTERS:
        for m in _free(pattern, text, taken):
            groups = m.groupdict()
            nth = groups.get("nth")
            quarter = NTH[nth.lower()] if nth else int(groups["quarter"])
            year = full_year(groups["year"]) if groups.get("year") else None
            yield Quantity("quarter", m.start(), m.end(), parts=(year, quarter))


def _years(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in _free(FY, text, taken):
        yield Quantity("date", m.start(), m.end(), parts=(full_year(m["year"]), None, None))
    for m in _free(DECADE, text, taken):
        yield Quantity("decade", m.start(), m.end(), (float(m["decade"]),))
    for m in _free(YEARS_RANGE, text, taken):
        first, last = int(m["first"]), m["last"]
        end = int(last) if len(last) == 4 else first // 100 * 100 + int(last)
        if not 0 < end - first < 200:
            continue
        yield Quantity("date", m.start("first"), m.end("first"), parts=(first, None, None))
        yield Quantity("date", m.start("last"), m.end("last"), parts=(end, None, None))
    for m in _free(BARE_YEAR, text, taken):
        if _is_count(text[m.end() : m.end() + 14]):
            continue
        yield Quantity("date", m.start(), m.end(), parts=(int(m["year"]), None, None))


def _is_count(after: str) -> bool:
    """Whether «2000» before ``after`` counts something measured, and is no year."""
    return bool(re.match(rf"[\s-]{{0,2}}(?:{SCALE}|(?:{UNIT_WORDS})s?|percent)\b", after))


def full_year(digits: str) -> int:
    """«22» → 2022, «87» → 1987."""
    year = int(digits)
    return year if len(digits) > 2 else year + (2000 if year < 70 else 1900)


def _numbers(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in _free(NUMBER, text, taken):
        if m["digits"] is None and m["word"].lower() == "one" and not (m["scale"] or m["unit"]):
            continue  # a pronoun more often than a number
        after = text[m.end() : m.end() + 1]
        known = m["ordinal"] or m["scale"] or m["unit"] or m["symbol"] or m["degrees"]
        if m["digits"] and not known and after.isalpha():
            continue  # glued to letters: a name
        values, step = _written(m["digits"], bool(m["scale"] or m["percent"])) if m["digits"] else (
            (_spoken(m["word"]),), 1.0)  # fmt: skip
        kind, unit, factor = _nature(m)
        scale = _scale(m)
        factor *= SCALES.get(scale, 1.0) * _power(m)
        yield Quantity(
            kind, m.start(), m.end(), tuple(v * factor for v in values), step * factor, unit,
            scaled=bool(scale), of=(m["which"] or "").lower(),
        )  # fmt: skip


def _scale(m: re.Match[str]) -> str:
    """«m» and «mm» are millions of money and lengths of anything else."""
    if m["scale"]:
        scale = m["scale"].lower()
        return "" if scale == "mm" and not m["sign"] else scale
    return "m" if m["sign"] and m["unit"] == "m" else ""


def _power(m: re.Match[str]) -> float:
    """«× 10⁵» → 100,000; a ten that is raised itself counts as the first of its factors."""
    if not m["power"]:
        return 1.0
    raised = re.split(r"10\^?", m["power"])[-1]
    exponent = int(unicodedata.normalize("NFKC", raised).replace("−", "-").strip("-") or 0)
    exponent *= -1 if raised[:1] in "-⁻" else 1
    return 10.0 ** min(300, exponent if raised != m["power"] else exponent - 1)


def _nature(m: re.Match[str]) -> tuple[Kind, str, float]:
    """(kind, unit, factor to the unit's base) of a matched number."""
    if m["percent"]:
        return "percent", "%", 0.01 if m["percent"].lower().startswith(("bp", "bas")) else 1.0
    if m["sign"]:
        sign = "".join(m["sign"].split()).rstrip(".").lower()
        return "money", CURRENCIES[sign], 1.0
    if m["ordinal"]:
        return "ordinal", "", 1.0
    if m["degrees"]:
        return "number", "fahrenheit" if "f" in m["degrees"].lower() else "celsius", 1.0
    if m["scale"] and m["scale"].lower() == "mm":
        return "number", "length:0.001", 1.0
    if m["symbol"]:
        return "number", m["symbol"], 1.0
    if m["unit"]:
        unit = m["unit"].lower()
        if unit in CURRENCIES:
            return "money", CURRENCIES[unit], 1.0
        dimension, factor = UNITS[unit]
        return "number", f"{dimension}:{factor:g}", 1.0
    return "number", "", 1.0


def _written(digits: str, decimal: bool) -> tuple[tuple[float, ...], float]:
    """Readings of a number in digits and the size of its last digit."""
    if not digits[-1].isdecimal():
        whole, part = digits[:-1].strip(), unicodedata.numeric(digits[-1])
        return (float(whole or 0) + part,), 0.01  # «2½»
    plain = re.sub(r"['’\u00a0\u202f\u2009 ]", "", digits)
    if re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", plain) and not decimal:
        return (float(plain), float(plain.replace(".", ""))), 0.001
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}\.\d{3},\d+", plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d+,\d+", plain) and not re.fullmatch(r"[1-9]\d{0,2},\d{3}", plain):
        plain = plain.replace(",", ".")
    else:
        plain = plain.replace(",", "")
    places = len(plain.partition(".")[2])
    return (float(plain),), 10.0**-places


def _spoken(words: str) -> float:
    """«two hundred and five» → 205."""
    total = 0.0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            total = max(total, 1) * 100
        elif word == "dozen":
            total = max(total, 1) * 12
        elif word != "and":
            total += SMALL[word]
    return total


def _fractions(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in _free(FRACTION, text, taken):
        part, top = m["part"].lower(), (m["top"] or "").lower()
        if part not in ("half", "thirds", "quarters", "fifths", "tenths") and not top:
            continue  # «the third», «a quarter» without a count: an ordinal or a period
        if top == "a" and part != "half" and not re.match(r"\s+of\b|\s+million", text[m.end() :]):
            continue  # «a third cousin», «a quarter later»
        value = FRACTIONS[part] * (SMALL.get(top, 1) if top else 1)
        if m["scale"]:
            scaled = value * SCALES[m["scale"].lower()]
            yield Quantity("number", m.start(), m.end(), (scaled,), scaled, scaled=True)
        else:
            yield Quantity("percent", m.start(), m.end(), (100 * value,), 1.0, "fraction")


def _ordinals(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in _free(NTH_WORD, text, taken):
        yield Quantity("ordinal", m.start(), m.end(), (float(ORDINALS[m.group().lower()]),), 1.0)


def _versions(text: str, taken: bytearray) -> Iterator[Quantity]:
    """«3.2.1», unless its dots may be those of thousands."""
    for m in _free(VERSION, text, taken):
        if not re.fullmatch(r"\d{1,3}(?:\.\d{3})+", m.group()):
            yield Quantity("version", m.start(), m.end(), parts=tuple(map(int, m[0].split("."))))


def _factors(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in _free(FACTOR, text, taken):
        value = FACTORS[m["word"].lower()]
        yield Quantity("factor", m.start(), m.end(), (value,), 1.0)
    for m in _free(PERIOD, text, taken):
        yield Quantity("period", m.start(), m.end(), (PERIODS[m.group().lower()],), 1.0)
