"""Proper names: in the evidence at all, and there about the same thing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.checking.base import Effect, Finding
from rag.checking.contest import Contest, Occurrence, contest, context, spanned
from rag.checking.material import Material
from rag.checking.reading import Name, Reading

#: A rival name fits the claim's words better by so much. Where the evidence has most of the claim
#: otherwise (`features.REST_FOUND`) it is an alarm, and finds half of the names that were moved
#: within a passage in CLAPNQ answers. Elsewhere it would be false on a tenth of the supported
#: claims: a note, and weighed in the score. docs/verification.md has its precision.
CONFLICT = 0.17

#: A name is an alarm when so many of its words are nowhere in the evidence. With names of a single
#: word the alarms together would be false on 16 % of the supported WiCE claims instead of 10 %.
ALARM_WORDS = 2

#: Beginnings that make two names one: «Australia», «Australian». Set by hand.
_SHARED_BEGINNING = 5


@dataclass(frozen=True, slots=True)
class CheckedName:
    """What became of one name of the claim: the words the evidence lacks, and its contest."""

    name: Name
    missing: tuple[str, ...]
    contest: Contest


def check_names(claim: Reading, material: Material, extra: Sequence[str] = ()) -> list[CheckedName]:
    """Every name of the claim with what is missing of it and its contest in the evidence."""
    checked = []
    names = [n for n in claim.names if not (n.doubtful and set(n.stems) & material.lowercase)]
    places = mentions(material)
    for name in names:
        missing = tuple(s for s in name.stems if not known(s, material))
        short = _initials(name)
        if short in material.initials | material.stems or name.text.lower() in material.initials:
            missing = ()
        own = occurrences(name, material)
        rivals = [
            o for o, n in places
            if not set(n.stems) & claim.places.keys() and not _short_for(n, name)
        ]  # fmt: skip
        around = context(claim, name.first, name.last, material, extra)
        checked.append(CheckedName(name, missing, contest(around, own, rivals, material)))
    return checked


def findings(
    checked: Sequence[CheckedName], material: Material, *, rest_found: bool
) -> list[Finding]:
    """Absent names of several words, or of letters and digits, leave the claim unsupported, and a
    name in another's place contradicts where the rest of the claim is found; everything else is a
    note."""
    found = []
    for c in checked:
        rival = c.contest
        if c.missing and not c.name.doubtful:
            sure = len(c.missing) >= ALARM_WORDS or any(map(_identifier, c.missing))
            effect: Effect = "unsupported" if sure else "note"
            found.append(Finding(
                "absent name", effect, f"«{c.name.text}» is not named in the source", c.name.text
            ))  # fmt: skip
        elif not c.missing and rival.margin >= CONFLICT:
            sure = rest_found and not material.talk
            found.append(Finding(
                "name of something else",
                "contradicts" if sure else "note",
                f"the source seems to say this of «{rival.label}», not of «{c.name.text}»",
                c.name.text, spanned(material.stretches[rival.sentence]),
            ))  # fmt: skip
    return found


def known(stem: str, material: Material) -> bool:
    """Whether a name's word stands in the evidence, as itself or with another ending."""
    if stem in material.stems or (_identifier(stem) and stem in material.squeezed):
        return True
    if _identifier(stem) or len(stem) < _SHARED_BEGINNING:
        return False
    beginning = stem[: max(_SHARED_BEGINNING, len(stem) - 3)]
    return any(other.startswith(beginning) for other in material.stems)


def _identifier(stem: str) -> bool:
    """«n50ds», «a320»: one digit or letter more is another thing."""
    return stem.isalnum() and not stem.isalpha() and not stem.isdigit()


def _short_for(one: Name, other: Name) -> bool:
    """Whether either is the other's initials: «DNNs», «Deep Neural Networks»."""
    plain = one.text.lower().removesuffix("s"), other.text.lower().removesuffix("s")
    return _initials(other) == plain[0] or _initials(one) == plain[1]


def _initials(name: Name) -> str:
    return (
        "".join(w[0] for w in name.text.split() if w[0].isupper()).lower()
        if name.last > name.first
        else "-"
    )


def occurrences(name: Name, material: Material) -> list[Occurrence]:
    """Where the evidence speaks of a name, by any of its words or by a pronoun."""
    own = [o for o, n in mentions(material) if set(n.stems) & set(name.stems)]
    return own + _by_pronoun(name, material)


def mentions(material: Material) -> list[tuple[Occurrence, Name]]:
    """The names of the evidence with their places."""
    return [
        (Occurrence(i, (n.first + n.last) // 2, n.text), n)
        for i, s in enumerate(material.stretches)
        for n in s.reading.names
        if not (n.doubtful and set(n.stems) & material.lowercase)
    ]


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
