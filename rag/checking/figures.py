"""Numbers, amounts, fractions, ordinals and versions as they are written → quantities."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from rag.checking.patterns import (
    FACTOR,
    FRACTION,
    MULTIPLE,
    NTH_WORD,
    NUMBER,
    PERIOD,
    VERSION,
    free,
)
from rag.checking.quantity import Kind, Quantity
from rag.checking.units import (
    CURRENCIES,
    FACTORS,
    FRACTIONS,
    ORDINALS,
    PERIODS,
    SCALES,
    SMALL,
    UNITS,
)


def numbers(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(NUMBER, text, taken):
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
    if m["sign"] or m["behind"]:
        sign = "".join((m["sign"] or m["behind"]).split()).rstrip(".").lower()
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


def multiples(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(MULTIPLE, text, taken):
        if m["digits"]:
            values, _ = _written(m["digits"], decimal=False)
        else:
            values = (_spoken(m["word"]) + 0.5 * bool(m["half"]),)
        yield Quantity("factor", m.start(), m.end(), values, 1.0)


def fractions(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(FRACTION, text, taken):
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


def ordinals(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(NTH_WORD, text, taken):
        yield Quantity("ordinal", m.start(), m.end(), (float(ORDINALS[m.group().lower()]),), 1.0)


def versions(text: str, taken: bytearray) -> Iterator[Quantity]:
    """«3.2.1», unless its dots may be those of thousands."""
    for m in free(VERSION, text, taken):
        if not re.fullmatch(r"\d{1,3}(?:\.\d{3})+", m.group()):
            yield Quantity("version", m.start(), m.end(), parts=tuple(map(int, m[0].split("."))))


def factors(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(FACTOR, text, taken):
        value = FACTORS[m["word"].lower()]
        yield Quantity("factor", m.start(), m.end(), (value,), 1.0)
    for m in free(PERIOD, text, taken):
        yield Quantity("period", m.start(), m.end(), (PERIODS[m.group().lower()],), 1.0)
