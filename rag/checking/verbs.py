"""Finite verbs by the form of words: whether a few words say something or only name it.

Without a parser: an auxiliary, a past form, an «-s» in a verb's place. `says` errs towards seeing a
verb, so that what says something is not taken for a heading; `finite` errs the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rag.checking.reading import PRONOUNS
from rag.checking.tokens import Token, folded, tokens, words

_AUXILIARIES = words(
    "is are was were am be been has have had does do did will would can could may might must shall "
    "should n't"
)
#: Past forms without «-ed»; those that are nouns as well («cost», «cut», «left») are left out.
_PAST = words(
    "arose ate became began bent bit bled blew bought bound broke brought built came caught chose "
    "clung crept dealt drank drew drove dug fed fell felt fled flew forbade forgot forgave fought "
    "found froze gave got grew heard held hid hit hung hurt kept knelt knew laid led lent lit lost "
    "made meant met overcame paid put quit ran rang rode rose said sang sank sat saw sent shook "
    "shone shot shut slept slid sold sought spent spoke sprang spun stole stood struck stuck swam "
    "swept swore swung taught thought threw told took tore understood undertook underwent went "
    "wept withdrew withheld woke won wore wove wrote "
    "beaten bitten blown borne broken chosen done drawn driven drunk eaten fallen flown forbidden "
    "forgotten forgiven frozen given gone grown hidden known mistaken ridden risen rung seen "
    "shaken shown shrunk spoken stolen sunk sung sworn swum taken thrown torn undergone undertaken "
    "worn woven written"
)
#: How far an auxiliary reaches to the participle that is one verb with it. Tokens; set by hand.
_REACH = 3
#: «days of leave», «days and hours»: nouns.
_AFTER_NOUN = words("of for and or")
_SUBJECTS = PRONOUNS | words("i we you")
#: What a past form acts on; before anything else it may be a participle: «the fee charged to».
_OBJECTS = words("a an the this that these those his her its their our my your him them us me it")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word with its neighbours; None where a sign or the end stands between."""

    lower: str
    before: Token | None
    after: Token | None
    content: bool

    @property
    def past(self) -> bool:
        return self.lower in _PAST or (self.lower.endswith("ed") and len(self.lower) > 4)

    @property
    def subject_before(self) -> bool:
        before = self.before
        return before is not None and (before.content or folded(before.text) in _SUBJECTS)


def finite(text: str) -> int:
    """How many finite verbs a text surely has, an auxiliary and its participle being one."""
    return sum(1 for word in _verbal(text) if _auxiliary(word) or _acts(word))


def says(text: str) -> bool:
    """Whether a short line may say something, and not only name it."""
    return any(_auxiliary(w) or _acts(w) or _told(w) or _tells(w) for w in _verbal(text))


def _verbal(text: str) -> Iterator[_Word]:
    """The words of a text without those that an auxiliary before them makes one verb with it."""
    found = tokens(text)
    auxiliary = -_REACH - 1
    for i, token in enumerate(found):
        lower = folded(token.text)
        word = _Word(lower, _beside(text, found, i, -1), _beside(text, found, i, 1), token.content)
        if i - auxiliary <= _REACH and (word.past or lower in _AUXILIARIES):
            continue
        if lower in _AUXILIARIES:
            if i and token.capital and not token.text.isupper():
                continue  # «in May»
            auxiliary = i
        yield word


def _beside(text: str, found: list[Token], i: int, step: int) -> Token | None:
    if not 0 <= i + step < len(found):
        return None
    one, other = sorted((found[i], found[i + step]), key=lambda t: t.start)
    return None if text[one.end : other.start].strip() else found[i + step]


def _auxiliary(word: _Word) -> bool:
    return word.lower in _AUXILIARIES


def _acts(word: _Word) -> bool:
    """«The CEO stole nine million», «who paid bribes»: a past form between subject and object."""
    if not (word.past and word.subject_before and word.after):
        return False
    after = folded(word.after.text)
    return word.after.content or after in _OBJECTS or after[0].isdigit()


def _told(word: _Word) -> bool:
    """«The pilot flew into the ocean», «drove the car»: a past form that is no adjective."""
    opens = word.before is None and word.after is not None and not word.after.content
    return word.past and (word.subject_before or (opens and word.lower != "based"))


def _tells(word: _Word) -> bool:
    """«The pilot drinks vodka», «employees accrue leave», «drinks in the cockpit»."""
    if not word.content or not word.lower.endswith("s") or word.lower.endswith(("ss", "us", "is")):
        return False
    if word.after is None:
        return word.before is not None and folded(word.before.text) in _SUBJECTS
    if word.after.content:
        return True
    return word.subject_before and folded(word.after.text) not in _AFTER_NOUN
