"""How quantities are written: the patterns that `quantities` reads with, widest first."""

from __future__ import annotations

import re

from rag.checking.units import ORDINALS, SMALL, UNITS

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
YEAR = r"(?P<year>1[0-9]\d\d|20\d\d)"
DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{MONTH}\s+{DAY}\s*,?\s+{YEAR}\b",
        rf"\b{DAY}(?:\s+of)?\s+{MONTH}\s*,?\s+{YEAR}\b",
        rf"\b{MONTH}\s*,?\s+(?:of\s+)?{YEAR}\b",
        rf"\b{MONTH}\s+{DAY}(?!\d|[.,:]\d|\s*(?:%|percent|million|billion))",
        rf"\b{DAY}(?:\s+of)?\s+{MONTH}(?![a-z])",
        r"\b(?P<year>1[0-9]\d\d|20\d\d)-(?P<month>[01]?\d)-(?P<day>[0-3]?\d)(?:\b|(?=T\d))",
        r"\b(?P<month>[01]?\d)/(?P<day>[0-3]?\d)/(?P<year>\d{4}|\d\d)\b",
        r"\b(?P<day>[0-3]?\d)\.(?P<month>[01]?\d)\.(?P<year>\d{4})\b",
    )
)
#: A month alone counts with a capital; «May» only where a time is meant.
MONTH_ALONE = re.compile(
    r"\b(?P<month>January|February|March|April|June|July|August|September|October|November|December"
    r"|(?:(?<=in )|(?<=of )|(?<=by )|(?<=since )|(?<=until )|(?<=from )|(?<=through )|(?<=to )"
    r"|(?<=late )|(?<=early )|(?<=and )|(?<=last )|(?<=next ))May)\b"
)
WEEKDAY = re.compile(r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b")
NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
FISCAL_YEAR = r"(?:(?:of\s+)?(?:the\s+)?(?:fiscal(?:\s+year)?|FY|CY)?\s*['’]?(?P<year>\d{4}|\d\d))"
QUARTERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bQ(?P<quarter>[1-4])(?:[ ,'’-]*{FISCAL_YEAR})?(?![\w%]|[.,]\d)",
        r"\b(?P<quarter>[1-4])Q(?:[ '’]?(?P<year>\d{4}|\d\d))?\b",
        r"\b(?P<year>\d{4})\s?Q(?P<quarter>[1-4])\b",
        (
            r"\b(?P<nth>first|second|third|fourth|1st|2nd|3rd|4th)[ -](?:fiscal )?quarters?\b"
            r"(?:\s+(?:of\s+|in\s+|for\s+)?(?:the\s+)?(?:(?:fiscal|financial|calendar)\s+"
            r"(?:year\s+)?|FY\s?|year\s+)?"
            r"['’]?(?P<year>(?:19|20)\d\d|(?<=FY)\d\d|(?<=['’])\d\d))?"
        ),
    )
)
FY = re.compile(
    r"\b(?:FY|CY|fiscal(?:\s+year)?|financial\s+year)\s?['’]?(?P<year>\d{4}|\d\d)\b", re.IGNORECASE
)
DECADE = re.compile(r"\b(?P<decade>1[0-9]\d0|20\d0)['’]?s\b")
TIME = re.compile(
    r"\b(?P<hour>[01]?\d|2[0-3])(?::(?P<minute>[0-5]\d))?\s?(?P<half>[ap]\.?m\b\.?)"
    r"|\b(?P<hour24>[01]?\d|2[0-3]):(?P<minute24>[0-5]\d)\b"
    r"|\b(?P<hour_zone>[01]\d|2[0-3])(?P<minute_zone>[0-5]\d)"
    r"(?=\s?(?:UTC|GMT|[ECMP][SD]T|hours?\b|hrs\b|local\b|eastern\b|central\b|pacific\b))",
    re.IGNORECASE,
)
BARE_YEAR = re.compile(r"(?<![\w$€£.,/-])(?P<year>1[0-9]\d\d|20\d\d)(?![\w%/]|[.,]\d)")
YEARS_RANGE = re.compile(
    r"(?<![\w$€£.,])(?P<first>1[0-9]\d\d|20\d\d)\s*[-–—/]\s*(?P<last>\d{4}|\d\d)(?![\w%]|[.,]\d)"
)

WORD_NUMBER = "|".join(sorted((*SMALL, "hundred", "dozen"), key=len, reverse=True))
SCALE = (
    r"(?:hundred|thousand|million|billion|trillion|dozen|mln|mil|mn|mm|bn|tn|(?<=\d)[kmb](?![\w]))"
)
_NAMED = (
    "dollar", "buck", "euro", "rupee", "yen", "yuan", "won", "usd", "eur", "gbp", "chf", "cad",
    "aud",
)  # fmt: skip
UNIT_WORDS = "|".join(sorted(map(re.escape, (*UNITS, *_NAMED)), key=len, reverse=True))
SIGN = r"(?:US\$|C\$|A\$|[$€£¥₹₩]|(?:USD|EUR|GBP|CHF|CNY|INR|JPY|CAD|AUD|Rs\.?)\s?)"
DIGITS = (
    r"\d{1,3}(?:(?:,\d{2,3})+,\d{3}|(?:,\d{3})+)(?:\.\d+)?"  # 1,234,567.8 and 12,34,567
    r"|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}\.\d{3},\d+"  # 1.234.567,8
    r"|\d{1,3}(?:['’\u00a0\u202f\u2009 ]\d{3})+(?!\d)(?:[.,]\d+)?"  # 1 234 567
    r"|\d+(?:[.,]\d+)?|[.]\d+"
)
NUMBER = re.compile(
    rf"(?P<sign>{SIGN}\s?)?"
    rf"(?:(?<![\w.])(?P<word>(?:{WORD_NUMBER})(?:[ -](?:and )?(?:{WORD_NUMBER}))*)\b"
    rf"|(?<![A-Za-z\d_.])(?<![A-Za-z]-)(?P<digits>{DIGITS}))"
    rf"(?P<ordinal>(?:st|nd|rd|th)\b)?"
    rf"(?:[\s-]?(?P<scale>{SCALE}))?"
    rf"(?:\s?(?P<percent>%|percent(?:age points?)?|per cent|pct|bps\b|basis points?)"
    rf"|[\s-]{{0,2}}(?P<unit>(?:{UNIT_WORDS}))(?:e?s)?\b)?",
    re.IGNORECASE,
)
FRACTION = re.compile(
    r"\b(?:(?P<top>one|two|three|four|a)[ -])?(?P<part>half|thirds?|quarters?|fifths?|tenths?)\b"
    r"(?:\s+(?:an?\s+)?(?P<scale>million|billion|dozen))?",
    re.IGNORECASE,
)
#: «first» and «second» are adverbs and units of time more often than places in an order.
NTH_WORD = re.compile(r"\b(?:" + "|".join(list(ORDINALS)[2:]) + r")\b", re.IGNORECASE)
LOOSE = re.compile(
    r"(?:\b(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|more than|less than"
    r"|fewer than|under|up to|at least|at most|some|estimated|close to|exceed(?:s|ed|ing)?|above"
    r"|below|circa|c\.|as (?:many|much|few) as)|[~≈<>])\s*(?:the\s+|a\s+)?$",
    re.IGNORECASE,
)
