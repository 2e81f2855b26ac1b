"""Text → tokens with offsets and comparable forms; the word lists the rules share.

Two tokens count as the same word when their ``stem`` is equal: case, accents, possessives,
inflection and the commonest derivations do not count. English only.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

#: What is typed and typeset for an apostrophe; U+02BC is a letter to Unicode.
_APOSTROPHES = "'’‘ʼ＇`´"
_WORD = re.compile(
    r"(?:[A-Za-z]\.){2,}"  # U.S.
    # N50DS, MH370, A-320 are one word; Q3, FY22 and 45kg are not
    r"|\b(?!(?:FY|Q|H|CY)-?\d)[A-Z]{1,3}-?\d+(?:[A-Z]+\d*)*\b"
    rf"|[nN][{_APOSTROPHES}][tT]\b|[^\W\d_]+(?=[nN][{_APOSTROPHES}][tT]\b)"  # does|n't
    r"|\d+(?:[.,]\d+)*|[^\W\d_ʼ]+"
)
_ONE_APOSTROPHE = str.maketrans(dict.fromkeys(_APOSTROPHES, "'"))
_DOTTED = re.compile(r"(?:[A-Za-z]\.){2,}")

#: Spellings of one thing that no stemming brings together.
_ALIASES = {"usa": "usa", "uk": "uk", "gb": "uk", "ussr": "ussr", "programme": "program"}


class Token(NamedTuple):
    """``start``, ``end``: characters of the text. ``content``: it is no function word."""

    text: str
    start: int
    end: int
    stem: str
    content: bool
    capital: bool


@cache
def wordlists() -> dict[str, Any]:
    """``wordlists.toml`` as it stands in the package."""
    raw = files(__package__).joinpath("wordlists.toml").read_text(encoding="utf-8")
    return tomllib.loads(raw)


@cache
def _stop() -> frozenset[str]:
    return words(wordlists()["stop"])


@cache
def _irregular() -> dict[str, str]:
    lines = [line.split() for line in wordlists()["irregular"].strip().splitlines()]
    return {form: base for base, *forms in lines for form in forms}


def words(text: str) -> frozenset[str]:
    """The words of a list written as running text."""
    return frozenset(text.split())


def folded(word: str) -> str:
    """Lower case without accents, every apostrophe as «'»."""
    if word.isascii() and "`" not in word:
        return word.lower()
    word = word.translate(_ONE_APOSTROPHE)
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def tokens(text: str) -> list[Token]:
    """The words and numbers of a text, in order; hyphenated words fall into their parts."""
    found = []
    for match in _WORD.finditer(text):
        word = match.group()
        capital = word[0].isupper()
        if _DOTTED.fullmatch(word):
            plain = word.replace(".", "").lower()
            plain = {"us": "usa"}.get(plain, plain)
            found.append(
                Token(word, match.start(), match.end(), plain, content=True, capital=capital)
            )
            continue
        lower = folded(word).replace("-", "")
        if word == "US":
            lower = "usa"
        content = lower not in _stop() and lower != "n't"
        found.append(Token(word, match.start(), match.end(), stem(lower), content, capital))
    return found


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The comparable form of a folded word; a light stemmer of our own, fitted to nothing."""
    word = _ALIASES.get(word, word)
    word = _irregular().get(word, word)
    if len(word) < 4 or not word.isalpha():
        return word
    word = _without_plural(word)
    for ending in ("ing", "edly", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and any(c in "aeiouy" for c in rest):
            word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    word = _irregular().get(word, word)
    return _without_derivation(word)


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_derivation(word: str) -> str:
    for ending, keep, least in (
        ("fully", "", 4), ("ically", "ic", 3), ("ical", "ic", 3), ("ally", "al", 3),
        ("ily", "y", 3), ("ly", "", 4), ("ness", "", 4), ("ment", "", 4), ("izer", "iz", 3),
        ("ation", "at", 3), ("ator", "at", 3),
        ("tion", "t", 3), ("sion", "s", 3),
    ):  # fmt: skip
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= least:
            word = rest + keep
            break
    word = word.rstrip("e") if len(word) > 3 else word
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


@cache
def _antonyms() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    same: dict[str, set[str]] = {}
    opposite: dict[str, set[str]] = {}
    for line in wordlists()["antonyms"].strip().splitlines():
        left, right = ({stem(w) for w in side.split()} for side in line.split("|"))
        for one, other in ((left, right), (right, left)):
            for word in one:
                same.setdefault(word, set()).update(one)
                opposite.setdefault(word, set()).update(other - one)
    return {w: (frozenset(same[w]), frozenset(opposite[w] - same[w])) for w in same}


@cache
def _only_as() -> dict[tuple[str, str], frozenset[str]]:
    """(stem, opposite stem) → the only forms of the first that are meant: «left» and «right» are
    opposites, «leave» and «right» are none."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for line in wordlists()["antonyms"].strip().splitlines():
        left, right = (words(side) for side in line.split("|"))
        for one, other in ((left, right), (right, left)):
            for word in one:
                for opposite in other if word in words(wordlists()["homographs"]) else ():
                    found[stem(word), stem(opposite)] = frozenset((word,))
    return found


def opposed(one: Token, other: Token) -> bool:
    """Whether two tokens on opposite sides of the list stand there in these forms."""
    for token, against in ((one, other), (other, one)):
        forms = _only_as().get((token.stem, against.stem))
        if forms is not None and folded(token.text) not in forms:
            return False
    return True


@lru_cache(maxsize=8192)
def common(word: str) -> bool:
    """Whether a capitalised word is none of a name's, by the word lists or by its ending."""
    lower = folded(word)
    own = stem(lower)
    listed = own in _antonyms() or own in _irregular().values() or lower in _stop()
    return listed or lower.endswith(("ly", "ing", "ed", "tion", "ment", "ness", "ity"))


@cache
def light() -> frozenset[str]:
    """Stems of the words that may stand for many others."""
    return frozenset(stem(w) for w in words(wordlists()["light"]))


def past(word: str) -> bool:
    """Whether a folded word looks like a past form: «exploded», «stole»."""
    return word in _irregular() or (word.endswith("ed") and len(word) > 4)


_NOTHING: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())


def sides(word: str) -> tuple[frozenset[str], frozenset[str]]:
    """(stems on a stem's own side, stems that contradict it) of the list of opposites."""
    return _antonyms().get(word, _NOTHING)


_ABLE = re.compile(r"e?[ai]bl")


@lru_cache(maxsize=65536)
def able(one: str, other: str) -> bool:
    """Whether one stem is what the other can be done to: «rechargeable»."""
    short, long = sorted((one, other), key=len)
    return len(short) > 3 and bool(long.startswith(short) and _ABLE.fullmatch(long[len(short) :]))


@lru_cache(maxsize=65536)
def denies(one: str, other: str) -> bool:
    """Whether one stem is the other with a prefix that denies: «unsupervised»."""
    short, long = sorted((one, other), key=len)
    prefix = long.removesuffix(short)
    if prefix in ("un", "dis", "non", "mis"):
        return len(short) > 3 and long not in _no_denials()
    return prefix in ("in", "im", "il", "ir") and len(short) > 4 and short not in _NO_DENIAL


@cache
def _no_denials() -> frozenset[str]:
    """Stems that only look denied: «display» is no denial of «play», nor «mistake» of «take»."""
    return frozenset(stem(w) for w in words(wordlists()["no_denials"]))


#: What «in-» and «im-» do not deny: to impress, to incorporate.
_NO_DENIAL = frozenset(("press", "corporat", "struct", "creas"))
