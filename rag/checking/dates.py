"""Dates, times, quarters and years as they are written → quantities."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.checking.patterns import (
    BARE_YEAR,
    DATES,
    DECADE,
    FY,
    MONTH_ALONE,
    MONTHS,
    NTH,
    QUARTERS,
    SCALE,
    TIME,
    UNIT_WORDS,
    WEEKDAY,
    YEARS_RANGE,
    free,
)
from rag.checking.quantity import Quantity


def dates(text: str, taken: bytearray) -> Iterator[Quantity]:
    for pattern in DATES:
        for m in free(pattern, text, taken):
            groups = m.groupdict()
            month, day = groups["month"].lower(), groups.get("day")
            number = int(month) if month.isdigit() else MONTHS.index(month[:3]) + 1
            if not 1 <= number <= 12 or (day and not 1 <= int(day) <= 31):
                continue
            year = groups.get("year")
            parts = (_full_year(year) if year else None, number, int(day) if day else None)
            either = "/" in m.group() and int(day or 99) <= 12 and int(day or 0) != number
            # 5/6/2019 is in May or in June: both readings, as month and day in one number
            swapped = 100.0 * int(day or 0) + number
            readings = (100.0 * number + int(day or 0), swapped) if either else ()
            yield Quantity("date", m.start(), m.end(), readings, parts=parts)
    for m in free(MONTH_ALONE, text, taken):
        number = MONTHS.index(m["month"][:3].lower()) + 1
        yield Quantity("date", m.start(), m.end(), parts=(None, number, None))
    for m in free(WEEKDAY, text, taken):
        day = "mtwtfss".index(m.group()[0].lower()) if m.group()[1] != "h" else 3
        day = {"Sa": 5, "Su": 6}.get(m.group()[:2], day)
        yield Quantity("weekday", m.start(), m.end(), (float(day),))


def times(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(TIME, text, taken):
        hour = int(m["hour"] or m["hour24"] or m["hour_zone"])
        minute = int(m["minute"] or m["minute24"] or m["minute_zone"] or 0)
        if m["half"]:
            hour = hour % 12 + 12 * (m["half"][0].lower() == "p")
        yield Quantity("time", m.start(), m.end(), (60.0 * hour + minute,))


def quarters(text: str, taken: bytearray) -> Iterator[Quantity]:
    for pattern in QUARTERS:
        for m in free(pattern, text, taken):
            groups = m.groupdict()
            nth = groups.get("nth")
            quarter = NTH[nth.lower()] if nth else int(groups["quarter"])
            year = _full_year(groups["year"]) if groups.get("year") else None
            yield Quantity("quarter", m.start(), m.end(), parts=(year, quarter))


def years(text: str, taken: bytearray) -> Iterator[Quantity]:
    for m in free(FY, text, taken):
        yield Quantity("date", m.start(), m.end(), parts=(_full_year(m["year"]), None, None))
    for m in free(DECADE, text, taken):
        yield Quantity("decade", m.start(), m.end(), (float(m["decade"]),))
    for m in free(YEARS_RANGE, text, taken):
        first, last = int(m["first"]), m["last"]
        end = int(last) if len(last) == 4 else first // 100 * 100 + int(last)
        if not 0 < end - first < 200:
            continue
        yield Quantity("date", m.start("first"), m.end("first"), parts=(first, None, None))
        yield Quantity("date", m.start("last"), m.end("last"), parts=(end, None, None))
    for m in free(BARE_YEAR, text, taken):
        if _is_count(text[m.end() : m.end() + 14]):
            continue
        yield Quantity("date", m.start(), m.end(), parts=(int(m["year"]), None, None))


def _is_count(after: str) -> bool:
    """Whether «2000» before ``after`` counts something measured, and is no year."""
    return bool(re.match(rf"[\s-]{{0,2}}(?:{SCALE}|(?:{UNIT_WORDS})s?|percent)\b", after))


def _full_year(digits: str) -> int:
    """«22» → 2022, «87» → 1987."""
    year = int(digits)
    return year if len(digits) > 2 else year + (2000 if year < 70 else 1900)
