"""How quantities are written: the patterns that `dates` and `figures` read with, widest first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.checking.units import CURRENCIES, FACTORS, ORDINALS, PERIODS, SMALL, UNITS

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
SCALE = r"(?:hundred|thousand|million|billion|trillion|dozen|mln|mil|mn|mm|bn|tn|(?<=\d)[kmb])"
#: A letter alone is a unit in lower case only («5 m», «5 M» is something else); litres in both.
_NAMED = [word for word in (*UNITS, *CURRENCIES) if len(word) > 2 and word.isalpha()]
_SPELT = sorted({*_NAMED, *(w for w in UNITS if len(w) > 1)}, key=len, reverse=True)
UNIT_WORDS = "|".join((*map(re.escape, _SPELT), "(?-i:[mglLh])"))
SIGN = r"(?:US\$|C\$|A\$|[$€£¥₹₩]|(?:USD|EUR|GBP|CHF|CNY|INR|JPY|CAD|AUD|Rs\.?)\s?)"
DIGITS = (
    r"\d{1,3}(?:(?:,\d{2,3})+,\d{3}|(?:,\d{3})+)(?:\.\d+)?"  # 1,234,567.8 and 12,34,567
    r"|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}\.\d{3},\d+"  # 1.234.567,8
    r"|\d{1,3}(?:['’\u00a0\u202f\u2009 ]\d{3})+(?!\d)(?:[.,]\d+)?"  # 1 234 567
    r"|(?:\d+\s?)?[¼-¾⅐-⅞]"  # 2½
    r"|\d+(?:[.,]\d+)?|[.]\d+"
)
_RAISED = "[⁻⁰¹²³⁴-⁹]+"
#: A footnote mark is raised as well, so a power is read after a ten only.
_POWER = rf"(?:\s?[×x·*]\s?10(?:\^-?\d+|{_RAISED})|(?<=\b10){_RAISED})"
_DEGREES = r"(?:°\s?|degrees?\s)(?:celsius|centigrade|fahrenheit|[CF]\b)"
NUMBER = re.compile(
    rf"(?:(?P<sign>{SIGN}\s?)(?P<open>\()?)?"
    rf"(?:(?<![\w.])(?P<word>(?:{WORD_NUMBER})(?:[ -](?:and )?(?:{WORD_NUMBER}))*)\b"
    rf"|(?<![A-Za-z\d_.])(?<![A-Za-z]-)(?P<digits>{DIGITS}))"
    rf"(?P<ordinal>(?:st|nd|rd|th)\b)?"
    rf"(?P<power>{_POWER})?(?(open)\))"
    rf"(?:[\s-]?(?P<scale>{SCALE})(?=s?(?![^\W_])))?"
    r"(?:\s?(?P<behind>[$€£¥₹₩])(?!\s?\d)"
    r"|\s?(?P<percent>%|percent(?:age points?)?|per cent|pct|bps\b|basis points?)"
    rf"|\s?(?P<degrees>{_DEGREES})"
    rf"|[\s-]{{0,2}}(?:(?P<which>business|working|calendar|trading)\s)?"
    rf"(?P<unit>(?:{UNIT_WORDS}))(?:e?s)?\b"
    # «kPa», «mAh»: a symbol that UNITS lacks shows by its capital in the middle
    r"|\s?(?P<symbol>(?-i:[a-zµμ]{1,3}[A-Z]{1,2}[a-z]?)\b))?",
    re.IGNORECASE,
)
FRACTION = re.compile(
    r"\b(?:(?P<top>one|two|three|four|a)[ -])?(?P<part>half|thirds?|quarters?|fifths?|tenths?)\b"
    r"(?:\s+(?:an?\s+)?(?P<scale>million|billion|dozen))?",
    re.IGNORECASE,
)
#: «first» and «second» are adverbs and units of time more often than places in an order.
NTH_WORD = re.compile(
    r"\b(?:" + "|".join(list(ORDINALS)[2:]) + r"|(?<=in )(?:first|second)(?= place\b|[.,;]|$))\b",
    re.IGNORECASE,
)
#: What bounds a figure, before it; the first that fits counts.
BOUND = re.compile(
    r"(?:\b(?:(?P<most>(?:no|not) (?:more|greater|higher) than|at most|up to|as (?:many|much) as)"
    r"|(?P<least>(?:no|not) (?:less|fewer|lower) than|at least)"
    r"|(?P<more>more than|greater than|over|above|exceed(?:s|ed|ing)?|in excess of)"
    r"|(?P<less>less than|fewer than|under|below|as few as)"
    r"|(?P<about>about|around|approximately|approx\.?|roughly|nearly|almost|some|estimated"
    r"|close to|circa|c\.)"
    r"|(?P<before>within|before)|(?P<after>after|since))"
    r"|(?P<tilde>[~≈])|(?P<gt>>)|(?P<lt><)|(?P<ge>≥|>=)|(?P<le>≤|<=))\s*(?:the\s+|a\s+)?$",
    re.IGNORECASE,
)
SYMBOL_BOUNDS = {"tilde": "about", "gt": "more", "lt": "less", "ge": "least", "le": "most"}
#: What bounds it from behind.
BOUND_AFTER = re.compile(
    r"\s?(?:(?P<least>\+|or (?:more|above|over|higher|greater)\b|plus\b)"
    r"|(?P<most>or (?:less|fewer|under|below|lower)\b))",
    re.IGNORECASE,
)
#: A minus is glued to its figure, and nothing that counts stands before it: «10-15», «10 -15».
MINUS = re.compile(
    r"(?:(?:^|(?<![\d\s])\s|[(\[=:|~<>≤≥])[-−]|[=(:|]\s?–|\b(?:minus|negative)\s)[$€£]?$",
    re.IGNORECASE,
)
#: At the start of a line the same stroke may be the mark of a list.
LIST_MARK = re.compile(r"(?:^|\n)\s*[-–−]$")
#: Accounting brackets, where a figure is due; after a noun they may hold an aside.
BRACKETED = re.compile(
    r"(?:\b(?:was|were|is|are|of|to|at|from|totall?ed)|[:=|])\s*\($", re.IGNORECASE
)
#: Words near a figure that say the minus in words. Set by hand.
DOWNWARD = re.compile(
    r"\b(?:loss(?:es)?|los[et]|losing|declin\w*|decreas\w*|drop\w*|f[ae]ll(?:en|s|ing)?|down"
    r"|below|under|deficit\w*|negative\w*(?!\s[$€£]?\d)|reduc\w*|cuts?|lower\w*|shr[aiu]nk\w*|slump\w*"
    r"|contract\w*|outflow\w*|expens\w*|costs?|paid|pay\w*|used|spent|purchas\w*|worse\w*|less"
    r"|fewer|slid\w*|plung\w*|sank|debt\w*|charge\w*|short\w*|impair\w*)\b",
    re.IGNORECASE,
)
#: «per person», «/kg», right after a figure; `rates` reads the periods.
PER = re.compile(r"\s?(?:per\s|/\s?)(?P<unit>[a-zµμ]+)", re.IGNORECASE)
ZONE = re.compile(r"\s?(?:(?P<zone>[ECMP])[SD]?T|(?P<utc>UTC|GMT|Z))\b")
#: A plural right after a bare figure says what it counts; these words are none.
COUNTED = re.compile(
    r"\s(?!was|has|his|this|does|plus|less|points|times|thus|across|always|perhaps|towards|versus)"
    r"[a-z]{2,}[a-rt-z]s\b"
)
#: «1.5 times the wage», «two and a half times as many», «3x»; «three times» alone counts events.
MULTIPLE = re.compile(
    rf"(?<![\w.,$€£])(?:(?P<digits>{DIGITS})|(?P<word>{WORD_NUMBER})(?P<half> and a half)?)"
    r"(?=[\s-]times\s(?:the|as|more|less|higher|larger|greater|lower|smaller|bigger|faster|longer"
    r"|what|that|its|their|his|her|our|your|my|current|normal|usual|average|basic|base)\b"
    r"|(?<=[.,]\d)[\s-]times\b|\s?[x×](?![\w×])(?!\s?\d))",
    re.IGNORECASE,
)
VERSION = re.compile(r"(?<![\d.,])\d+(?:\.\d+){2,}(?![\w]|\.\d)")
FACTOR = re.compile(
    rf"\b(?P<word>{'|'.join(FACTORS)})"
    r"(?:(?:ed|es|ing)?\b|e(?=\s(?:the|its|their|his|her|our|your|my|that|this|what|as)\b))",
    re.IGNORECASE,
)
PERIOD = re.compile(rf"\b(?:{'|'.join(PERIODS)})\b", re.IGNORECASE)


def free(pattern: re.Pattern[str], text: str, taken: bytearray) -> Iterator[re.Match[str]]:
    """The matches of a pattern on characters that no quantity has taken yet."""
    for match in pattern.finditer(text):
        if not any(taken[match.start() : match.end()]):
            yield match
