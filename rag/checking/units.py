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
    "aud": "aud", "a$": "aud", "peso": "peso", "franc": "franc", "krona": "krona", "krone": "krone",
    "ruble": "rub", "rouble": "rub", "rupiah": "idr", "ringgit": "myr", "baht": "thb",
    "rand": "zar", "dirham": "aed", "dinar": "dinar", "shekel": "ils", "zloty": "pln",
    "lira": "lira", "forint": "huf",
}  # fmt: skip
#: Unit → (dimension, size in the dimension's base: metre, kilogram, second, litre, km/h, …).
UNITS = {
    "m": ("length", 1.0), "nautical mile": ("length", 1852.0),
    "statute mile": ("length", 1609.344), "g": ("mass", 1e-3), "mg": ("mass", 1e-6),
    "milligram": ("mass", 1e-6), "mcg": ("mass", 1e-9), "ug": ("mass", 1e-9),
    "µg": ("mass", 1e-9), "μg": ("mass", 1e-9), "microgram": ("mass", 1e-9),
    "ng": ("mass", 1e-12), "nanogram": ("mass", 1e-12), "ms": ("time", 1e-3),
    "millisecond": ("time", 1e-3), "sec": ("time", 1.0), "min": ("time", 60.0),
    "h": ("time", 3600.0), "hr": ("time", 3600.0), "annum": ("time", 31557600.0),
    "l": ("volume", 1.0), "ml": ("volume", 1e-3), "milliliter": ("volume", 1e-3),
    "millilitre": ("volume", 1e-3), "cl": ("volume", 1e-2), "dl": ("volume", 0.1),
    "cc": ("volume", 1e-3), "m/s": ("speed", 3.6), "km/h": ("speed", 1.0), "kph": ("speed", 1.0),
    "kt": ("speed", 1.852), "watt": ("power", 1.0), "kw": ("power", 1e3), "gw": ("power", 1e9),
    "hp": ("power", 745.7), "horsepower": ("power", 745.7), "kwh": ("energy", 1.0),
    "kilowatt-hour": ("energy", 1.0), "mwh": ("energy", 1e3), "gwh": ("energy", 1e6),
    "joule": ("energy", 1 / 3.6e6), "kj": ("energy", 1 / 3600), "calorie": ("energy", 1.163e-6),
    "kcal": ("energy", 1.163e-3), "psi": ("pressure", 6.895), "bar": ("pressure", 100.0),
    "mbar": ("pressure", 0.1), "hpa": ("pressure", 0.1), "kpa": ("pressure", 1.0),
    "mpa": ("pressure", 1e3), "atm": ("pressure", 101.325), "kb": ("data", 1e3),
    "kilobyte": ("data", 1e3), "mb": ("data", 1e6), "megabyte": ("data", 1e6),
    "gb": ("data", 1e9), "gigabyte": ("data", 1e9), "tb": ("data", 1e12),
    "terabyte": ("data", 1e12), "hz": ("frequency", 1.0), "hertz": ("frequency", 1.0),
    "khz": ("frequency", 1e3), "kilohertz": ("frequency", 1e3), "mhz": ("frequency", 1e6),
    "megahertz": ("frequency", 1e6), "ghz": ("frequency", 1e9), "gigahertz": ("frequency", 1e9),
    "volt": ("voltage", 1.0), "kv": ("voltage", 1e3), "kilovolt": ("voltage", 1e3),
    "millivolt": ("voltage", 1e-3), "ampere": ("current", 1.0), "amp": ("current", 1.0),
    "milliampere": ("current", 1e-3), "ohm": ("resistance", 1.0), "rpm": ("rotation", 1.0),
    "decibel": ("loudness", 1.0), "db": ("loudness", 1.0),
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

_LENGTHS = {word: size for word, (dimension, size) in UNITS.items() if dimension == "length"}
UNITS |= {f"{s} {w}": ("area", size**2) for w, size in _LENGTHS.items() for s in ("square", "sq")}
UNITS |= {f"{w}{mark}": ("area", _LENGTHS[w] ** 2) for w in ("m", "km", "cm") for mark in "²2"}
UNITS |= {
    f"{c} {w}": ("volume", 1e3 * size**3) for w, size in _LENGTHS.items() for c in ("cubic", "cu")
}
#: How often something happens → seconds between.
PERIODS = {
    "hourly": 3600.0, "daily": 86400.0, "weekly": 604800.0, "monthly": 2629800.0,
    "quarterly": 7889400.0, "annually": 31557600.0, "yearly": 31557600.0,
}  # fmt: skip
#: Words that multiply.
FACTORS = {"doubl": 2.0, "twice": 2.0, "twofold": 2.0, "tripl": 3.0, "thrice": 3.0,
           "threefold": 3.0, "quadrupl": 4.0, "fourfold": 4.0, "fivefold": 5.0,
           "tenfold": 10.0}  # fmt: skip

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
