"""Negation with its scope, and opposites: does the evidence say the reverse?

A word of the claim agrees with one of the evidence when both are the same or on the same side of
the list of opposites and both are denied or neither is. «Did not fall» agrees with «rose».
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from rag.checking.base import Effect, Finding
from rag.checking.contest import Context, Occurrence, context, fit, holders, spanned
from rag.checking.material import Material
from rag.checking.reading import Reading
from rag.checking.tokens import able, denies, opposed, sides, words

_NEGATORS = words(
    "not n't never no none nothing nobody nowhere neither nor without cannot hardly barely "
    "scarcely fail fails failed failing failure unable refuse refuses refused refusing deny denies "
    "denied neglect neglects neglected neglecting forget forgets forgot forgotten lack lacks "
    "lacked lacking absence absent avoid avoids avoided avoiding unlikely rarely seldom cease "
    "ceased impossible false dont didnt doesnt isnt wasnt cant wont couldnt wouldnt arent werent"
)
#: Negators that deny and do nothing else.
_PLAIN = words("not n't never no none nothing nobody neither without cannot")
#: Verbs that say in the source what a claim may put as a denial: «lost contact», «had no contact».
_LOSSES = words(
    "lose loses lost losing stop stops stopped end ends ended prevent prevents prevented reject "
    "rejects rejected exclude excludes excluded decline declines declined little few instead unlike"
)
#: «not only», «no doubt», «not just»: no denial.
_HARMLESS_AFTER = words("only just merely necessarily least matter doubt")
#: Words that end what a negator reaches.
_ENDS_SCOPE = words("but although though however which because while whereas and")
_REACH = 5  # content words; set by hand
#: Prefixes that deny the one word they stand before with a hyphen: «non-flammable», «anti-war».
_PREFIXES = words("non un anti")
#: Negators that are no title even with a capital: «was Not injured».
_NEVER_TITLE = words("not n't cannot")
#: Words of time, which a denial beside them leaves as they are.
_TIMES = words("after befor before sinc since until during while")
_HE, _SHE = words("he him his himself"), words("she her hers herself")

#: Tokens within which a word stands beside another one.
_BESIDE = 3

#: A word of the claim's side that is not the claim's own agrees by so much of its fit.
_KIN = 0.75

#: Alarms and not only features: from what fit on, and by how much better than any word that agrees.
#: On SummEdits opposites are right .99 of the time, negations .90, on WiCE dev opposites .4 (five
#: cases). Negations that only the source has are right .6 of the time below .25.
ALARM_FIT = 0.2
ALARM_MARGIN = {"opposite": 0.12, "added": 0.1, "dropped": 0.25}

#: Share of the words around a denial that its closest sentence must hold, for an alarm. Between .1
#: and .25 one planted negation in thirty is at stake, and no true claim of any set in prose.
DENIED_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Reversal:
    """One word on which claim and evidence say the reverse.

    ``weight``: how well the reversed word fits the claim's place; ``margin``: by how much better
    than any that agrees.
    """

    kind: str  # added, dropped, opposite, gender
    word: str
    other: str
    weight: float
    margin: float
    sentence: int

    @property
    def alarm(self) -> bool:
        if self.kind == "gender":
            return True
        if self.kind == "denial":
            return self.weight >= DENIED_SHARE
        return self.weight >= ALARM_FIT and self.margin >= ALARM_MARGIN[self.kind]


def reversals(claim: Reading, material: Material) -> list[Reversal]:
    """Negations that one side has only, and opposites, best fitting first."""
    found = [*_reversed_words(claim, material), *_denials(claim, material)]
    found += _genders(claim, material)
    return sorted(found, key=lambda r: -r.weight)


def findings(found: list[Reversal], material: Material) -> list[Finding]:
    """The reversals that are sure enough to say so, one of a kind."""
    said = {
        "added": "the claim denies what the source says («{}»)",
        "denial": "the claim says «{}», and nothing like it is in the source",
        "dropped": "the source denies what the claim says («{}»)",
        "opposite": "the claim says «{}» where the source says «{}»",
        "gender": "the claim says «{}» where the source says «{}»",
    }
    shown: dict[str, Finding] = {}
    for r in found:
        if r.alarm and r.kind not in shown:
            span = spanned(material.stretches[r.sentence]) if r.sentence >= 0 else ""
            rule = r.kind if r.kind in ("opposite", "gender") else "negation"
            effect: Effect = "note" if r.kind == "gender" else "contradicts"
            reason = said[r.kind].format(r.word, r.other)
            shown[r.kind] = Finding(rule, effect, reason, r.word, span)
    return list(shown.values())


@lru_cache(maxsize=8192)
def negated(reading: Reading) -> dict[int, int]:
    """Position of each token in the scope of a negator → how many negators reach it."""
    scope: dict[int, int] = {}
    words = reading.lower
    for i in range(len(words)):
        reach = 1 if _prefix(reading, i) else _REACH if _negates(reading, i) else 0
        for j in range(i + 1, len(words)):
            if not reach or _ends_scope(reading, j):
                break
            if reading.tokens[j].content:
                scope[j] = scope.get(j, 0) + 1
                reach -= 1
    return scope


def _ends_scope(reading: Reading, j: int) -> bool:
    """Whether what a negator before token ``j`` reaches ends there; «nor» denies anew."""
    between = reading.text[reading.tokens[j - 1].end : reading.tokens[j].start]
    if reading.lower[j] in _ENDS_SCOPE or reading.lower[j] == "nor":
        return True
    return any(c in between for c in ".;:!?—") or " - " in between or " – " in between


def _prefix(reading: Reading, i: int) -> bool:
    end = reading.tokens[i].end
    return reading.lower[i] in _PREFIXES and reading.text[end : end + 1] in ("-", "‐", "‑")


def _negates(reading: Reading, i: int) -> bool:
    """Whether a token denies; «Now or Never» is a title, and «No. 5» a number."""
    words = reading.lower
    after = words[i + 1] if i + 1 < len(words) else ""
    if words[i] not in _NEGATORS or after in _HARMLESS_AFTER or _in_title(reading, i):
        return False
    return not (words[i] == "no" and after[:1].isdigit())


def _in_title(reading: Reading, i: int) -> bool:
    """Whether a negator is a word of a title: a capital of its own and one of a neighbour's.

    A word all in capitals is stress, «was NOT injured», and so is «Not» in a sentence.
    """
    token = reading.tokens[i]
    if i == 0 or not token.capital or token.text.isupper() or reading.lower[i] in _NEVER_TITLE:
        return False
    before = next((t for t in reversed(reading.tokens[:i]) if t.content), None)
    behind = next((t for t in reading.tokens[i + 1 :] if t.content), None)
    beside = (before, behind, *reading.tokens[i + 1 : i + 2])
    return any(t is not None and t.capital for t in beside)


def _reversed_words(claim: Reading, material: Material) -> Iterator[Reversal]:
    mine = negated(claim)
    for i, token in enumerate(claim.tokens):
        denial = mine.get(i, 0) % 2
        # a claim that denies something else may well leave this word undenied
        may_be_denied = token.stem not in _TIMES and token.content and (denial or not mine)
        around: Context = []
        agreeing, best = 0.0, Reversal("", "", "", 0.0, 0.0, -1)
        for s, p, side in _told(claim, i, material):
            around = around or context(claim, i, i, material)
            reading = material.stretches[s].reading
            value = fit(around, Occurrence(s, p, ""), material)
            if side and reading.tokens[p].stem != token.stem:
                value *= _KIN
            theirs = negated(reading).get(p, 0) % 2
            if (theirs == denial) == side:
                agreeing = max(agreeing, value)
            elif value > best.weight and (may_be_denied or not side):
                kind = "opposite" if not side else "added" if denial else "dropped"
                best = Reversal(kind, token.text, reading.tokens[p].text, value, 0.0, s)
        if best.weight > agreeing:
            yield replace(best, margin=best.weight - agreeing)


def _told(claim: Reading, i: int, material: Material) -> Iterator[tuple[int, int, bool]]:
    """(sentence, position, whether it is on the same side) of the words that answer to a token.

    An opposite that the claim itself has elsewhere counts only where it stands in the token's own
    place, and the evidence lacks the token.
    """
    token = claim.tokens[i]
    same, opposite = sides(token.stem)
    if (token.capital and i > 0) or token.stem[0].isdigit() or not (token.content or opposite):
        return
    near = _neighbours(claim, i)
    lacking = token.stem not in material.stems
    for s, stretch in enumerate(material.stretches):
        places = stretch.reading.places
        for stem in places:
            side = stem == token.stem or stem in same or able(stem, token.stem)
            if not side and not (stem in opposite or denies(token.stem, stem)):
                continue
            claimed = not side and stem in claim.places
            for p in places[stem]:
                if not side and not opposed(token, stretch.reading.tokens[p]):
                    continue
                if not claimed or (lacking and _beside(p, near, places)):
                    yield s, p, side


def _beside(place: int, near: set[str], places: Mapping[str, list[int]]) -> bool:
    return any(abs(q - place) <= _BESIDE for stem in near for q in places.get(stem, ()))


def _neighbours(claim: Reading, i: int) -> set[str]:
    """Stems of the nearest content word or figure on either side of a token."""
    left = [(p, s) for p, s in claim.marks if i - _BESIDE <= p < i]
    right = [(p, s) for p, s in claim.marks if i < p <= i + _BESIDE]
    return {s for _, s in (*sorted(left)[-1:], *sorted(right)[:1])}


def _denials(claim: Reading, material: Material) -> Iterator[Reversal]:
    """Each denial of the claim that no sentence about the same thing shares."""
    for i, word in enumerate(claim.lower):
        if word not in _PLAIN or not _negates(claim, i):
            continue
        around = context(claim, i, i, material)
        close = holders(around, material)
        if not close:
            continue
        reached = {claim.tokens[j].stem for j in negated(claim) if i < j <= i + 12}
        if not reached or any(_shares_denial(reached, st.reading) for st in material.stretches):
            continue
        nearby = {w for _, s in close[:2] for w in material.stretches[s].reading.lower}
        if nearby & (_NEGATORS | _LOSSES):
            continue
        share, s = close[0]
        yield Reversal("denial", word, "", share, share, s)


def _shares_denial(reached: set[str], source: Reading) -> bool:
    """Whether a sentence denies one of these words, or says its opposite."""
    if any(source.tokens[j].stem in reached for j in negated(source)):
        return True
    if not any(stem in source.places for stem in reached):
        return any(denies(stem, other) for stem in reached for other in source.places)
    if any(w in _NEGATORS for w in source.lower):
        return sum(stem in source.places for stem in reached) * 2 >= len(reached)
    return any(o in source.places for stem in reached for o in sides(stem)[1])


def _genders(claim: Reading, material: Material) -> Iterator[Reversal]:
    """«She» in the claim where the evidence knows «he» only."""
    mine = set(claim.lower)
    theirs = material.pronouns
    for own, other in ((_HE, _SHE), (_SHE, _HE)):
        if mine & own and not theirs & own and theirs & other:
            word, instead = min(mine & own), min(theirs & other)
            yield Reversal("gender", word, instead, 1.0, 1.0, -1)
