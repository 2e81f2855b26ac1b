"""Quantifiers, modality and small added words: how much, how sure, how exclusive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.checking.base import Effect, Finding
from rag.checking.bounds import opposed_bounds
from rag.checking.contest import Occurrence, context, fit, holders, holding, spanned
from rag.checking.material import Material
from rag.checking.reading import Reading

#: «above» and «below» measure where a figure follows; elsewhere they are places.
_BEFORE_FIGURE = r"(?=\s+(?:the |an? |its )?[$€£]?\d)"
_QUANTIFIERS = {
    "all": r"all|every(?:one|body|thing)?|each|entire(?:ly)?|whole|always|any(?:one|body|thing)?",
    "most": r"most|majority|mostly|mainly|largely|predominantly|usually|often|frequently|generally",
    "some": r"some|several|certain|partly|partially|sometimes|occasionally|many of|numerous|many"
    r"|a (?:few|number|minority|portion|part) of",
    "few": r"few|rare(?:ly)?|seldom|hardly any|minority",
    "none": r"no|none|never|neither|nobody|nothing|no one",
    "not only": r"not (?:only|just|merely|solely)",
    "one of": r"one of",
    "only": r"only|solely|exclusively|sole|alone|nothing but|merely",
    "least": r"at least|no (?:less|fewer) than|minimum(?: of)?|or more|more than|(?:over|above"
    rf"|greater than|exceed(?:s|ed|ing)?|in excess of){_BEFORE_FIGURE}",
    "at most": r"at most|no more than|up to|maximum(?: of)?|or less|or fewer|less than|fewer than|"
    rf"(?:under|below){_BEFORE_FIGURE}",
    "exactly": r"exactly|precisely",
    "about": r"about|approximately|around|roughly|nearly|almost|some(?= \d)|estimated",
    "both": r"both",
    "either": r"either",
}
_PATTERNS = {
    kind: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for kind, pattern in _QUANTIFIERS.items()
}

#: Kinds that cannot both be said of one thing. Set by hand.
_CONFLICTS = {
    "all": {"some", "most", "few", "none", "only", "either"},
    "most": {"all", "few", "none", "some"},
    "some": {"all", "none", "most", "few"},
    "few": {"all", "most", "some", "none"},
    "none": {"all", "most", "some", "few"},
    "only": {"all", "not only", "one of"},
    "not only": {"only"},
    "one of": {"only"},
    "least": {"at most", "exactly"},
    "at most": {"least", "exactly"},
    "exactly": {"least", "at most", "about"},
    "about": {"exactly"},
    "both": {"either", "none"},
    "either": {"both", "all"},
}

#: A word of the claim that narrows or widens what the source says, when the source has none of
#: its kind.
_STRENGTHENS = re.compile(
    r"\b(?:only|solely|exclusively|sole|always|never|all|every|entire(?:ly)?|completely|same|both"
    r"|exactly|none|immediately|permanently|first|main(?:ly)?|primar(?:y|ily)|most|must|any)\b",
    re.IGNORECASE,
)

_PLANNED = re.compile(
    r"\b(?:plan(?:s|ned|ning)?|announc\w+|propos\w+|intend(?:s|ed)?|expect(?:s|ed)?|anticipat\w+"
    r"|will|would|may|might|could|possibl[ey]|potential(?:ly)?|likely|probably|perhaps|scheduled"
    r"|aim(?:s|ed)?|hop(?:e|es|ed|ing)|seek(?:s|ing)?|consider(?:s|ed|ing)?|suggest(?:s|ed)?"
    r"|alleged(?:ly)?|reportedly|rumou?red|should|want(?:s|ed)?|try|tries|tried|going to|if)\b",
    re.IGNORECASE,
)
_MAYBE = re.compile(
    r"\b(?:may|might|could|possibl[ey]|potential(?:ly)?|perhaps|alleged(?:ly)?|reportedly)\b",
    re.IGNORECASE,
)

#: How well the source's sentence must fit before its quantifier or modality is held against the
#: claim's. Set by hand.
ALIGNED = 0.45
#: The same for a quantifier, whose place is compared by nearness and not by presence.
QUANTIFIED = 0.2

#: And before it is an alarm, in general and where the evidence has most of the claim otherwise
#: (`features.REST_FOUND`): no true claim of WiCE, CLAPNQ or the two prose sets of SummEdits was
#: flagged between these and .4, and one planted flip in forty.
QUANTIFIER_ALARM, QUANTIFIER_ALARM_REST_FOUND = 0.3, 0.2
_REACH = 5  # tokens between a quantifier and what it counts


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One word of measure or sureness that differs. ``weight``: how well its place fits."""

    kind: str  # quantifier, bound, limited, added, certainty
    word: str
    other: str
    weight: float
    sentence: int


def mismatches(claim: Reading, material: Material) -> list[Mismatch]:
    """What differs in measure, sureness or exclusiveness."""
    return [
        *_quantifiers(claim, material), *_limited(claim, material),
        *(Mismatch("bound", *told) for told in opposed_bounds(claim, material)),
        *_added(claim, material), *_certainty(claim, material),
    ]  # fmt: skip


def findings(found: list[Mismatch], material: Material, *, rest_found: bool) -> list[Finding]:
    """Sure quantifiers contradict; a limit that the source does not set leaves it open. Added words
    and lost «may» are right half the time: notes."""
    texts = {
        "bound": "the claim says «{}» where the source says «{}»",
        "quantifier": "the claim says «{}» where the source says «{}»",
        "limited": "the claim says «{}» where the source says «{}» without a limit",
        "added": "the source does not say «{}»",
        "certainty": "the source puts it as «{1}», the claim as fact",
    }
    shown = []
    least = QUANTIFIER_ALARM_REST_FOUND if rest_found else QUANTIFIER_ALARM
    for m in found:
        sure = m.kind == "bound" or (m.kind == "quantifier" and m.weight >= least)
        effect: Effect = "contradicts" if sure else "note"
        if m.kind == "limited":
            effect = "ambiguous"
        span = spanned(material.stretches[m.sentence]) if m.sentence >= 0 else ""
        rule = "quantifier" if m.kind == "bound" else m.kind
        shown.append(Finding(rule, effect, texts[m.kind].format(m.word, m.other), m.word, span))
    return shown


def _quantified(reading: Reading) -> Iterator[tuple[str, str, int, list[int]]]:
    """(kind, words, position, positions of the content words it counts)."""
    seen: set[int] = set()
    order = ("least", "at most", "exactly", "about", "not only", "only", "one of", "most", "none",
             "few", "both", "either", "all", "some")  # fmt: skip
    for kind in order:
        for m in _PATTERNS[kind].finditer(reading.text):
            if any(p in seen for p in range(m.start(), m.end())):
                continue
            seen.update(range(m.start(), m.end()))
            place = sum(t.start < m.end() for t in reading.tokens) - 1
            after = [
                i for i in range(place + 1, min(place + 1 + _REACH, len(reading.tokens)))
                if reading.tokens[i].content
            ]  # fmt: skip
            if after:
                yield kind, m.group(), place, after[:2]


def _quantifiers(claim: Reading, material: Material) -> Iterator[Mismatch]:
    mine = list(_quantified(claim))
    if not mine:
        return
    theirs = [
        (kind, words, Occurrence(s, place, words), {st.reading.tokens[i].stem for i in counted})
        for s, st in enumerate(material.stretches)
        for kind, words, place, counted in _quantified(st.reading)
    ]
    own_kinds = {kind for kind, *_ in mine}
    for kind, words, place, counted in mine:
        scope = {claim.tokens[i].stem for i in counted}
        around = context(claim, place, place, material)
        same = best = 0.0
        other, where = "", -1
        for their_kind, their_words, at, their_scope in theirs:
            if not scope & their_scope:
                continue
            value = fit(around, at, material)
            if their_kind == kind and scope <= their_scope:
                # of the same thing: what counts is the sentence, and not how near its words stand
                value = max(value, holding(around, material.stretches[at.sentence]))
            if their_kind == kind or their_kind in own_kinds:
                same = max(same, value)
            elif their_kind in _CONFLICTS[kind] and value > best:
                best, other, where = value, their_words, at.sentence
        if best >= QUANTIFIED and best > same:
            yield Mismatch("quantifier", words, other, best, where)


def _limited(claim: Reading, material: Material) -> Iterator[Mismatch]:
    """«Few employees» where the source says «employees» and nowhere how many of them."""
    for kind, words, place, counted in _quantified(claim):
        noun = claim.tokens[counted[0]]
        if kind != "few" or not noun.text.endswith("s"):
            continue
        around = context(claim, place, counted[0], material)
        best, where = 0.0, -1
        for s, stretch in enumerate(material.stretches):
            reading = stretch.reading
            told = {reading.tokens[i].stem for *_, own in _quantified(reading) for i in own}
            if noun.stem in told:
                return
            for p in reading.places.get(noun.stem, ()):
                value = fit(around, Occurrence(s, p, ""), material)
                if reading.tokens[p].text.endswith("s") and value > best:
                    best, where = value, s
        if best >= ALIGNED:
            yield Mismatch("limited", words, noun.text, best, where)


def _added(claim: Reading, material: Material) -> Iterator[Mismatch]:
    kinds = {
        k: p
        for k, p in _PATTERNS.items()
        if k in ("all", "only", "none", "most", "both", "exactly")
    }
    bounds = [m.span() for k in ("least", "at most") for m in _PATTERNS[k].finditer(claim.text)]
    for m in _STRENGTHENS.finditer(claim.text):
        if any(start <= m.start() < end for start, end in bounds):
            continue  # «at most»
        pattern = next((p for p in kinds.values() if p.fullmatch(m.group())), None)
        place = sum(t.start < m.end() for t in claim.tokens) - 1
        around = context(claim, place, place, material)
        best, where = (holders(around, material) or [(0.0, -1)])[0]
        if where < 0 or best < ALIGNED:
            continue
        near = " ".join(
            material.stretches[i].text
            for i in range(max(0, where - 1), min(len(material.stretches), where + 2))
        )
        if (pattern and pattern.search(near)) or re.search(rf"\b{m.group()}", near, re.IGNORECASE):
            continue
        yield Mismatch("added", m.group(), "", best, where)


def _certainty(claim: Reading, material: Material) -> Iterator[Mismatch]:
    around = context(claim, -1, -1, material)
    best, where = (holders(around, material) or [(0.0, -1)])[0]
    if where < 0 or best < ALIGNED:
        return
    text = material.stretches[where].text
    found, softened = _planned(material.stretches[where].reading), _planned(claim)
    if found and not softened:
        yield Mismatch("certainty", claim.text, found.group(), best, where)
    elif softened and not _MAYBE.search(claim.text):
        maybe = _MAYBE.search(text)
        if maybe and re.search(r"\bwill\b", claim.text, re.IGNORECASE):
            yield Mismatch("certainty", "will", maybe.group(), best, where)


def _planned(reading: Reading) -> re.Match[str] | None:
    """The first word that puts a thing as planned or possible; the month of May is none."""
    dates = [(q.start, q.end) for q in reading.quantities if q.kind == "date"]
    found = _PLANNED.finditer(reading.text)
    return next((m for m in found if not any(a <= m.start() < b for a, b in dates)), None)
