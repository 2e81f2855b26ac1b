"""What a source says only to take it back: as a lie, a denial, an accusation, or next door.

«It is a lie that Acme paid bribes» has all the words of «Acme paid bribes». So the words of a claim
that stand behind «a lie that», or in a sentence that the next one withdraws, count for nothing, and
where no other sentence has as many of them the label stays at «unverified» (`verdict`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.checking.base import Finding
from rag.checking.contest import spanned
from rag.checking.material import Material, Stretch, coverage
from rag.checking.neighbours import (
    DID_NOT,
    SAID,
    UNTRUE,
    UNTRUE_WORDS,
    WITHDRAWN,
    WITHDRAWN_WORDS,
    beside,
)
from rag.checking.reading import Reading, read

#: Words that take what follows them for untrue or leave it open …
_DOUBTED = (
    r"(?:(?:an?|the|this|his|her|their|outright)\s+lies?|false(?:ly|hoods?)?"
    r"|un(?:true|truths?|founded|proven|likely)|(?:not|n[o’']t)\s+(?:true|so|correct|the\s+case)"
    r"|wrong(?:ly|\s+to\s+\w+)|in(?:correct|accurate)(?:ly)?|mis(?:taken(?:ly)?|conceptions?"
    r"|beliefs?)|myths?|legends?|superstitions?|fallac(?:y|ies)|hoax(?:es)?|fiction|baseless"
    r"|groundless|rumou?r(?:s|ed)?|alleg(?:ations?|e[sd]?|edly|ing)|accusations?|insinuat\w+"
    r"|suspicions?|speculation|hypothe(?:sis|tically)|suppos(?:e|ing)|imagin(?:e|ing)|pretend\w*"
    r"|absurd|contrary\s+to)"
)
#: … that deny what is said, …
_DENIED = (
    r"(?:den(?:y|ies|ied|ying|ials?)|disput(?:e[sd]?|ing)|refut(?:e[sd]?|ing)|rebut\w*|reject\w*"
    r"|dismiss\w*|disprov\w+|debunk\w*|doubt\w*|retract\w*|with(?:drew|drawn|draws?|drawing)"
    r"|rul(?:e[sd]?|ing)\s+out|contradict\w*)"
)
#: … and what a thing said is called between them and its words.
_NAMED = (
    rf"(?:{SAID}|ideas?|notions?|suggestions?|theor(?:y|ies)|views?|admissions?|confessions?"
    r"|possibilit(?:y|ies)|arguments?|findings?|fact)"
)
_ACCUSED = (
    r"(?:accus(?:e[sd]?|ing)|acquitt(?:ed|ing|al)|suspect(?:ed|s)?|clear(?:ed|s)|exonerat\w+)"
    r"(?:\W+\w+){0,3}?\W+of|charg(?:ed|es|ing)(?:\W+\w+){0,3}?\W+with"
)
_OPENS = re.compile(
    rf"\b(?:{_DOUBTED}(?:\W+\w+){{0,3}}?\W+(?:that|of|about)"
    rf"|{_DENIED}\W+(?:(?:\w+\W+){{0,3}}?{_NAMED}\W+(?:that|of|about)|that)|{_ACCUSED}"
    r"|(?:alleged|supposed|purported|reputed)ly"
    r"|it (?:is|was|has been) (?:\w+ly )?(?:claimed|alleged|rumou?red),)"
    rf"(?!\w)|\A\W*(?:\w+\W+){{0,2}}?{_DOUBTED}\s*[:—–]",
    re.IGNORECASE,
)
_UNBELIEVED = (
    r"\b(?:nobody|no one|none|not|n[’']t|never|few|hardly anyone)\W+(?:\w+\W+){0,3}?"
    r"(?:believ|accept|agree|think|say|said|claim|support)\w*\b"
)
_VERDICT = rf"(?:\W+\w+){{0,3}}?\W+(?:{UNTRUE_WORDS}|{WITHDRAWN_WORDS})"
#: «The claim that … was withdrawn», «That … is untrue», «…, which was a lie», «… (false)».
_JUDGED = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        (
            rf"(?:\b{_NAMED}\s+that|\AThat)\b(?P<told>.+?)"
            rf"\b(?:is|was|are|were|has|have|had|proved|turned){_VERDICT}"
        ),
        (
            rf"\A(?P<told>.+),\s(?:which|but\s(?:this|that|it)|an?\s{_NAMED}|though\sthis)"
            rf"{_VERDICT}"
        ),
        rf"\A(?P<told>.+)\s[(–—-]\s?{_DOUBTED}\W*\Z",
        (
            r"\A(?P<told>.+)\s[(\[](?:[^()\[\]]*\W)?"
            rf"(?:{UNTRUE_WORDS}|{WITHDRAWN_WORDS}|\b(?:drafts?|obsolete|void|cancell?ed)\b)"
            r"[^()\[\]]*[)\]]\W*\Z"
        ),
        (
            rf"\A(?=[^:]*\b(?:following|next|this|these|{SAID})\b)"
            r"(?![^:]*\b(?:is|are|was|were|indeed)\s(?:true|correct|confirmed)\b)"
            rf"[^:]*(?:{UNTRUE_WORDS}|{WITHDRAWN_WORDS}|{_UNBELIEVED})[^:]*:\s+(?P<told>.+)\Z"
        ),
        rf"\A(?P<told>.+),\s(?:but|though|although|yet)\s(?:in\s\w+\s)?{DID_NOT}",
    )
)
#: What turns a word of doubt round: «nobody denies that», «it is no lie that».
_UNDOUBTED = re.compile(
    r"(?:\b(?:no|not|never|nobody|none|cannot|without|hardly)|n[’']t)(?:\s+\w+){0,2}\s*\Z",
    re.IGNORECASE,
)

#: Where what is doubted ends, and the text speaks for itself again.
_TURNS = re.compile(r";|, (?:but|although|though|while|whereas)\b", re.IGNORECASE)

#: Share of a claim's words, the rare ones weighing more, that what is taken back must hold. Set by
#: hand: with less it is about something else.
_HELD = 0.5
#: Fewest such words for «the same thing» to mean anything. Set by hand.
_FEWEST = 2
#: Sentences looked at, so that a text that repeats itself costs no more. Set by hand.
_MOST = 20

_INSIDE = "the source tells it as untrue, denied or alleged, and nowhere as a fact"
_BESIDE = "what stands beside it in the source takes it back or calls it untrue"


def taken_back(claim: Reading, material: Material) -> list[Finding]:
    """That the source has the claim's words only where it takes them back, if it is so.

    A claim that speaks of a lie or a denial itself says what such a source says.
    """
    stems = list(dict.fromkeys(stem for _, stem in claim.marks))
    if len(stems) < _FEWEST or UNTRUE.search(claim.text) or WITHDRAWN.search(claim.text):
        return []
    shares = [coverage(stems, frozenset(s.reading.places), material) for s in material.stretches]
    close = [n for n, share in enumerate(shares) if share >= _HELD]
    stated, doubted = 0.0, _HELD
    found: list[Finding] = []
    for n in sorted(close, key=lambda n: -shares[n])[:_MOST]:
        stretch = material.stretches[n]
        reason, inside, outside = _divided(stretch, material)
        stated = max(stated, _share(stems, outside, material))
        share = _share(stems, inside, material)
        if share >= doubted:
            doubted = share
            found = [Finding("taken back", "ambiguous", reason, claim.text, spanned(stretch))]
    return found if stated < doubted else []


def _share(stems: Sequence[str], text: str, material: Material) -> float:
    return coverage(stems, frozenset(read(text).places), material) if text else 0.0


def _divided(stretch: Stretch, material: Material) -> tuple[str, str, str]:
    """(why, the words of a sentence that are doubted, those that are not)."""
    own = [s for s in material.stretches if s.index == stretch.index]
    at = own.index(stretch)
    if beside(material, own, at, at):
        return _BESIDE, stretch.text, ""
    for start, end in _embedded(stretch.text):
        return _INSIDE, stretch.text[start:end], stretch.text[:start] + " " + stretch.text[end:]
    return "", "", stretch.text


def _embedded(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of what a sentence tells as a lie, a denial or an accusation."""
    for opened in _OPENS.finditer(text):
        if not _UNDOUBTED.search(text[: opened.start()]):
            turn = _TURNS.search(text, opened.end())
            yield opened.end(), turn.start() if turn else len(text)
    for pattern in _JUDGED:
        for judged in pattern.finditer(text):
            yield judged.span("told")
