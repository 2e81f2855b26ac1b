"""Words for sizes: scales, currencies, units, numbers, ordinals, fractions."""

from __future__ import annotations

SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mln": 1e6, "mil": 1e6, "mn": 1e6,
    "mm": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12, "tn": 1e12, "dozen": 12.0,
}  # fmt: skip
CURRENCIES = {
    "$": "usd", "us$": "usd", "usd": "usd", "dollar": "usd", "buck": "usd", "€": "eur",
    "eur": "eur", "euro": "eur", "£": "gbp", "gbp": "gbp", "¥": "jpy", "yen": "jpy", "jpy": "jpy",
    "₹": "inr", "inr": "inr", "rupee": "inr", "rs": "inr", "chf": "chf", "cny": "cny",
    "yuan": "cny", "rmb": "cny", "₩": "krw", "won": "krw", "cad": "cad", "c$": "cad",
    "aud": "aud", "a$": "aud",
}  # fmt: skip
#: Unit → (dimension, size in the dimension's base).
UNITS = {
    "km": ("length", 1000.0), "kilometer": ("length", 1000.0), "kilometre": ("length", 1000.0),
    "meter": ("length", 1.0), "metre": ("length", 1.0), "cm": ("length", 0.01),
    "centimeter": ("length", 0.01), "centimetre": ("length", 0.01), "mm": ("length", 0.001),
    "millimeter": ("length", 0.001), "millimetre": ("length", 0.001), "mile": ("length", 1609.344),
    "foot": ("length", 0.3048), "feet": ("length", 0.3048), "ft": ("length", 0.3048),
    "inch": ("length", 0.0254), "inche": ("length", 0.0254), "yard": ("length", 0.9144),
    "kg": ("mass", 1.0), "kilogram": ("mass", 1.0), "gram": ("mass", 0.001), "ton": ("mass", 907.0),
    "tonne": ("mass", 1000.0), "lb": ("mass", 0.4536), "pound": ("mass", 0.4536),
    "ounce": ("mass", 0.02835), "second": ("time", 1.0), "minute": ("time", 60.0),
    "hour": ("time", 3600.0), "day": ("time", 86400.0), "week": ("time", 604800.0),
    "month": ("time", 2629800.0), "year": ("time", 31557600.0), "decade": ("time", 315576000.0),
    "century": ("time", 3155760000.0), "acre": ("area", 4046.86), "hectare": ("area", 10000.0),
    "liter": ("volume", 1.0), "litre": ("volume", 1.0), "gallon": ("volume", 3.785),
    "barrel": ("volume", 158.99), "mph": ("speed", 1.609), "knot": ("speed", 1.852),
    "megawatt": ("power", 1e6), "mw": ("power", 1e6), "gigawatt": ("power", 1e9),
    "kilowatt": ("power", 1e3),
}  # fmt: skip

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = {
    **{word: i for i, word in enumerate(_ONES.split())},
    **{word: 10 * i for i, word in enumerate(_TENS.split(), 2)},
}
_NTHS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
ORDINALS = {word: i for i, word in enumerate(_NTHS.split(), 1)}
FRACTIONS = {
    "half": 0.5, "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25,
    "fifth": 0.2, "fifths": 0.2, "tenth": 0.1, "tenths": 0.1,
}  # fmt: skip
