"""Proper names: in the evidence at all, and there about the same thing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from rag.checking.base import Effect, Finding
from rag.checking.contest import (
    Contest,
    Context,
    Occurrence,
    contest,
    context,
    fit,
    holding,
    spanned,
)
from rag.checking.material import Material
from rag.checking.reading import Name, Reading
from rag.checking.tokens import common, words

#: A rival name fits the claim's words better by so much. From .17 on two true claims of WiCE dev
#: and no CLAPNQ answer are flagged, from .13 on seven; it finds half of the names that were moved.
CONFLICT = 0.17

#: A name is an alarm when so many of its words are nowhere in the evidence. With names of a single
#: word the alarms together would be false on 16 % of the supported WiCE claims instead of 10 %.
ALARM_WORDS = 2

#: Another name stands in an absent one's place where its sentence has so much of what the claim
#: says around the name, and so near to it (`contest.fit`). Set by hand.
PLACE_SHARE, PLACE_FIT = 0.7, 0.4

#: Names whose letters agree so far may be spellings of one: «Meyer», «Meier». Set by hand.
SPELT_ALIKE = 0.7

#: Words of the longest name, as of a person with two middle names. Set by hand.
_LONGEST = 4

#: What may go before a name and be left out.
_HONORIFICS = words("mr mrs ms dr prof sir")

#: Beginnings that make two names one: «Australia», «Australian». Set by hand.
_SHARED_BEGINNING = 5


@dataclass(frozen=True, slots=True)
class CheckedName:
    """What became of one name of the claim: the words the evidence lacks, and its contest.

    ``instead``: where words are missing, the name that stands in this one's place in the evidence.
    """

    name: Name
    missing: tuple[str, ...]
    contest: Contest
    instead: Occurrence | None = None


def check_names(claim: Reading, material: Material, extra: Sequence[str] = ()) -> list[CheckedName]:
    """Every name of the claim with what is missing of it and its contest in the evidence."""
    checked = []
    names = [n for n in claim.names if not (n.doubtful and set(n.stems) & material.lowercase)]
    others = [
        (o, n) for o, n in mentions(material)
        if not _of_claim(n, claim)
        and (material.talk or not _label(n, material.stretches[o.sentence].reading))
    ]  # fmt: skip
    for name in names:
        missing = tuple(s for s in name.stems if s not in _HONORIFICS and not known(s, material))
        short = _initials(name)
        if short in material.initials | material.stems or name.text.lower() in material.initials:
            missing = ()
        around = context(claim, name.first, name.last, material, extra)
        instead = _in_its_place(name, missing, around, claim, material) if missing else None
        against = Contest(0.0, 0.0)  # words that stand here and there are nobody's name
        if named := _named(name, material):
            whole = _whole_names(name, material)
            rivals = [o for o, n in others if not any(w >= set(n.stems) for w in whole)]
            own = named + _by_pronoun(name, material)
            against = contest(around, own, rivals, material)
        checked.append(CheckedName(name, missing, against, instead))
    return checked


def _of_claim(other: Name, claim: Reading) -> bool:
    """Whether the claim has a word of a name of the evidence, or one is the other's initials.

    «DNNs» is «Deep Neural Networks», and «CA» no rival of «Philippines» in «the Court of Appeals of
    the Philippines».
    """
    if set(other.stems) & claim.places.keys():
        return True
    plain, short = other.text.lower().removesuffix("s"), _initials(other)
    return any(
        plain == _initials(n) or short == n.text.lower().removesuffix("s") for n in claim.names
    )


def _label(name: Name, reading: Reading) -> bool:
    """Whether it is the label of a field, «Registered Owner: | Acme»; in a talk, who speaks."""
    return reading.text[reading.tokens[name.last].end :].lstrip().startswith(":")


def _whole_names(name: Name, material: Material) -> list[frozenset[str]]:
    """The names of the evidence that a name is part of: «Marion Smith» of «Smith».

    What else is part of them is called so too. Longer ones are headlines in capitals.
    """
    stems = set(name.stems)
    return [
        frozenset(n.stems)
        for _, n in mentions(material)
        if 1 < len(n.stems) <= _LONGEST and stems & set(n.stems)
    ]


def _in_its_place(
    name: Name, missing: Sequence[str], around: Context, claim: Reading, material: Material
) -> Occurrence | None:
    """The name that the evidence has where the claim has one that it lacks.

    «Robert Smith» for «John Smith», «Venice» for «Tampa». A word that only begins a sentence may be
    no name, on either side; what the claim names itself, it does not leave out.
    """
    if name.doubtful:
        return None
    for place, other in mentions(material):
        own = set(other.stems) - set(name.stems)
        if other.doubtful or own & claim.places.keys() or not _alike(name, other, missing):
            continue
        share = holding(around, material.stretches[place.sentence])
        if share >= PLACE_SHARE and fit(around, place, material) >= PLACE_FIT:
            return place
    return None


def _alike(name: Name, other: Name, missing: Sequence[str]) -> bool:
    """Whether two names differ in nothing but words that the evidence lacks.

    Initials are no other word, nor is another spelling.
    """
    if len(name.stems) != len(other.stems):
        return False
    apart = [(a, b) for a, b in zip(name.stems, other.stems, strict=True) if a != b]
    return bool(apart) and all(
        a in missing and not a.startswith(b) and not b.startswith(a)
        and SequenceMatcher(None, a, b).ratio() < SPELT_ALIKE
        for a, b in apart
    )  # fmt: skip


def findings(checked: Sequence[CheckedName], material: Material) -> list[Finding]:
    """Absent names of several words, or of letters and digits, leave the claim unsupported, and a
    name in another's place contradicts; everything else is a note, and so are names in a
    conversation. A note on an absent name keeps the label at «unverified» (`verdict`)."""
    found = []
    for c in checked:
        rival = c.contest
        if c.instead and not material.talk:
            found.append(Finding(
                "other name", "contradicts",
                f"the source says this of «{c.instead.label}», not of «{c.name.text}»",
                c.name.text, spanned(material.stretches[c.instead.sentence]),
            ))  # fmt: skip
        elif c.missing and not (c.name.doubtful and common(c.name.text)):
            sure = not c.name.doubtful and len(c.missing) >= ALARM_WORDS
            sure = sure or any(map(_identifier, c.missing))
            effect: Effect = "unsupported" if sure else "note"
            found.append(Finding(
                "absent name", effect, f"«{c.name.text}» is not named in the source", c.name.text
            ))  # fmt: skip
        elif not c.missing and rival.margin >= CONFLICT:
            found.append(Finding(
                "name of something else",
                "note" if material.talk else "contradicts",
                f"the source seems to say this of «{rival.label}», not of «{c.name.text}»",
                c.name.text, spanned(material.stretches[rival.sentence]),
            ))  # fmt: skip
    return found


def known(stem: str, material: Material) -> bool:
    """Whether a name's word stands in the evidence, as itself or with another ending."""
    if stem in material.stems or (_identifier(stem) and stem in material.squeezed):
        return True
    return akin(stem, material.stems)


def akin(stem: str, stems: frozenset[str]) -> bool:
    """Whether any of the stems begins as this one does: «Australia», «Australian»."""
    if _identifier(stem) or len(stem) < _SHARED_BEGINNING:
        return False
    beginning = stem[: max(_SHARED_BEGINNING, len(stem) - 3)]
    return any(other.startswith(beginning) for other in stems)


def _identifier(stem: str) -> bool:
    """«n50ds», «a320»: one digit or letter more is another thing."""
    return stem.isalnum() and not stem.isalpha() and not stem.isdigit()


def _initials(name: Name) -> str:
    return (
        "".join(w[0] for w in name.text.split() if w[0].isupper()).lower()
        if name.last > name.first
        else "-"
    )


def occurrences(name: Name, material: Material) -> list[Occurrence]:
    """Where the evidence speaks of a name, by any of its words or by a pronoun."""
    return _named(name, material) + _by_pronoun(name, material)


def _named(name: Name, material: Material) -> list[Occurrence]:
    """Where the evidence names it, by one of its words or by another of the same whole name."""
    stems, whole = set(name.stems), _whole_names(name, material)
    return [
        o for o, n in mentions(material)
        if stems & set(n.stems) or any(w >= set(n.stems) for w in whole)
    ]  # fmt: skip


@lru_cache(maxsize=64)
def mentions(material: Material) -> tuple[tuple[Occurrence, Name], ...]:
    """The names of the evidence with their places."""
    return tuple(
        (Occurrence(i, (n.first + n.last) // 2, n.text), n)
        for i, s in enumerate(material.stretches)
        for n in s.reading.names
        if not (n.doubtful and set(n.stems) & material.lowercase)
    )


def _by_pronoun(name: Name, material: Material) -> list[Occurrence]:
    """Sentences that speak of the name without naming it: by pronoun, or under its title."""
    stems = set(name.stems)
    found: list[Occurrence] = []
    titled = bool(stems & material.title_stems)
    carried = False
    for i, stretch in enumerate(material.stretches):
        reading = stretch.reading
        if any(s in reading.places for s in stems):
            carried = True
        elif reading.pronoun is not None and (carried or titled):
            found.append(Occurrence(i, reading.pronoun, name.text))
        else:
            carried = False
            if titled:
                found.append(Occurrence(i, 0, name.text))
    return found
