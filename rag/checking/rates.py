"""The period of a rate: «21 days of leave a year», «every month …», «the daily rate is 45 €»."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.checking.reading import Reading

#: Period → the words that name it.
_WORDS = {
    "second": "second seconds",
    "minute": "minute minutes",
    "hour": "hour hours hourly",
    "day": "day days daily diem",
    "night": "night nights nightly",
    "week": "week weeks weekly",
    "month": "month months monthly",
    "quarter": "quarter quarters quarterly",
    "year": "year years yearly annual annually annum",
}
PERIOD_OF = {word: period for period, said in _WORDS.items() for word in said.split()}
_TIME = r"(?:second|minute|hour|day|diem|night|week|month|quarter|year|annum)s?"
#: «paid monthly», but not the «monthly wage».
_ADVERB = (
    r"(?:annually|(?:hourly|daily|nightly|weekly|monthly|quarterly|yearly)"
    r"(?!\s(?!to|for|in|by|and|or|from|on|until|since|as|if|when|with|at)[a-z]))"
)
_ADJECTIVE = r"(?:hourly|daily|nightly|weekly|monthly|quarterly|yearly|annual)"
#: Words that end what a figure counts: a verb or a clause begins.
_ENDS = (
    r"(?:and|or|but|that|which|who|when|while|where|if|is|are|was|were|be|been|has|have|had|will"
    r"|would|than|to|from|until|after|before|since|within|over|ago|later|earlier)\b"
)
#: «45 € per day», «21 days of leave a year», «9 reports monthly»; «for a year» and «a year ago» are
#: stretches of time.
_BEHIND = re.compile(
    rf"(?:\s+(?!{_ENDS}|(?:an?|per|each|every|{_ADVERB})\b)[a-z][a-z’'-]*){{0,6}}"
    rf"(?:\s*(?:/|\bper)\s?(?P<per>{_TIME})\b"
    rf"|(?<!\bfor)(?<!\bin)(?<!\bof)(?<!\bhalf)\s+an?\s(?P<one>{_TIME})\b"
    rf"(?!\s(?:ago|later|earlier|before|after|old|long|from|in|of)\b)"
    rf"|\s+(?:each|every)\s(?P<each>{_TIME})\b|\s+(?P<adverb>{_ADVERB})\b)",
    re.IGNORECASE,
)
#: «Every month employees accrue 21 days», «Annually, …», «the monthly fee is 45 €».
_AHEAD = (
    re.compile(
        rf"(?:\A|[.;!?]\s+)\W*(?:(?:each|every|per)\s(?P<each>{_TIME})|(?P<adverb>{_ADVERB}))\b"
        r"[^.;:!?\d]*\Z",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?P<adjective>{_ADJECTIVE})(?:\s[a-z’'-]+){{1,4}}:?\s*\Z", re.IGNORECASE),
)
#: Characters before a figure that are looked at. Set by hand, about a line.
_LINE = 100


def period(text: str, start: int, end: int) -> str:
    """The period that the figure at ``start``…``end`` is said for: «day», «year»; empty if none."""
    found = _BEHIND.match(text, end)
    if not found:
        before = text[:start] if start <= _LINE else "…" + text[start - _LINE : start]
        found = next((m for pattern in _AHEAD if (m := pattern.search(before))), None)
    return PERIOD_OF[_singular(found[found.lastgroup or 0])] if found else ""


def names_period(reading: Reading, wanted: str) -> bool:
    """Whether a sentence speaks of a period in any form, dates included: «annual», «in 2020»."""
    if not set(_WORDS[wanted].split()).isdisjoint(reading.lower):
        return True
    place = {"year": 0, "month": 1, "day": 2}.get(wanted)
    if place is None:
        return wanted == "quarter" and any(q.kind == "quarter" for q in reading.quantities)
    dates = (q.parts for q in reading.quantities if q.kind == "date")
    return any(parts[place] is not None for parts in dates)


def _singular(word: str) -> str:
    lower = word.lower()
    return lower if lower in PERIOD_OF else lower.removesuffix("s")
