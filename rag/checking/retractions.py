"""What a source says only to take it back: as a lie, a denial, an accusation, or next door.

«It is a lie that Acme paid bribes» has all the words of «Acme paid bribes». So the words of a claim
that stand behind «a lie that», or in a sentence that the next one withdraws, count for nothing, and
where no other sentence has as many of them the label stays at «unverified» (`verdict`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.checking.base import Finding
from rag.checking.claims import BULLET
from rag.checking.contest import spanned
from rag.checking.material import Material, Stretch, coverage
from rag.checking.reading import Reading, read

#: What is said of things that are not so, in a heading or beside them.
_UNTRUE_WORDS = (
    r"\b(?:false(?:ly|hoods?)?|un(?:true|truths?|founded|proven)|(?:not|n[o’']t) (?:true|so|correct"
    r"|the case)|wrong(?:ly)?|in(?:correct|accurate)\w*|mis(?:taken|takes?|conceptions?"
    r"|understandings?|beliefs?)|errors?|myths?|legends?|superstitions?|fallac(?:y|ies)|absurd"
    r"|(?:an?|the|this|all|are|were|of|outright) lies?|hoax(?:es)?|fakes?d?|fiction\w*|fictitious"
    r"|(?:none|not a word|nothing) of (?:it|this|that|these|those) (?:is|was|were) (?:true|so)"
    r"|baseless|rumou?rs?|allegations?|accusations?|hypothetical\w*|imagin(?:e|ary|ed)|suppose)\b"
)
_UNTRUE = re.compile(_UNTRUE_WORDS, re.IGNORECASE)
_SAID = (
    r"(?:accusation|allegation|claim|statement|assertion|report|story|stories|rumou?r|charge"
    r"|sentence|announcement|belief|answer|rule|provision|paragraph)s?"
)
#: How a text speaks of a sentence before or after …
_STATEMENT = re.compile(rf"\b{_SAID}\b", re.IGNORECASE)
_FOLLOWING = re.compile(r"\b(?:following|next|below|this|these|here)\b", re.IGNORECASE)
_IT = re.compile(
    r"\W*(?:\w+\W+){0,3}?(?:this|that|these|those|it|which|none|both)\b", re.IGNORECASE
)
#: … and that it no longer holds, or never did.
_WITHDRAWN_WORDS = (
    r"\b(?:with(?:drawn|drew)|retract\w*|den(?:ied|ies)|reject(?:ed|s)|dismiss(?:ed|es)|refuted?"
    r"|rebutted|dispro\w+|debunk\w*|overturned|annulled|revoked|rescinded|repealed|superseded"
    r"|abolished|no longer|never happened)\b"
)
_WITHDRAWN = re.compile(_WITHDRAWN_WORDS, re.IGNORECASE)
_OPPOSITE = re.compile(r"\b(?:opposite|contrary|reverse)\b", re.IGNORECASE)

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
    rf"(?:{_SAID}|ideas?|notions?|suggestions?|theor(?:y|ies)|views?|admissions?|confessions?"
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
_VERDICT = rf"(?:\W+\w+){{0,3}}?\W+(?:{_UNTRUE_WORDS}|{_WITHDRAWN_WORDS})"
_PERSON = r"(?:it|he|she|they|this|that|we|you|I)"
#: «It did not.»: what a sentence denies by leaving it out.
_DID_NOT = (
    rf"\b{_PERSON} (?:did|does|do|was|is|were|are|has|have|had|could|would|will)"
    r"(?: not|n[’']t)\W*\Z"
)
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
        rf"\A(?P<told>.+),\s(?:but|though|although|yet)\s(?:in\s\w+\s)?{_DID_NOT}",
    )
)
_DENIES = re.compile(rf"\A\W*(?:\w+\W+){{0,3}}?{_DID_NOT}", re.IGNORECASE)
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


def beside(own: Sequence[Stretch], first: int, last: int, titles: Sequence[str]) -> bool:
    """Whether the sentence before sentences ``first``…``last`` of one text, the one after, what
    leads to a list, a heading or a title says that they are not so."""
    if last + 1 < len(own):
        after = own[last + 1].text
        refers = _IT.match(after) or _STATEMENT.search(after)
        if (
            _OPPOSITE.search(after)
            or _DENIES.match(after)
            or (refers and (_UNTRUE.search(after) or _WITHDRAWN.search(after)))
        ):
            return True
    lead = first - 1
    if BULLET.match(own[first].text):
        while lead >= 0 and BULLET.match(own[lead].text):
            lead -= 1
        if lead >= 0 and own[lead].text.endswith("?"):
            return True  # one of the answers somebody may choose
    before = own[lead].text if lead >= 0 else ""
    names = _STATEMENT.search(before) or _FOLLOWING.search(before)
    if names and _UNTRUE.search(before):
        return True
    headings = (s.text for s in reversed(own[:first]) if s.text[-1].isalnum() or s.text[-1] == ":")
    heading = next(headings, "")
    return any(_UNTRUE.search(text) for text in (heading, *titles))


def taken_back(claim: Reading, material: Material) -> list[Finding]:
    """That the source has the claim's words only where it takes them back, if it is so.

    A claim that speaks of a lie or a denial itself says what such a source says.
    """
    stems = list(dict.fromkeys(stem for _, stem in claim.marks))
    if len(stems) < _FEWEST or _UNTRUE.search(claim.text) or _WITHDRAWN.search(claim.text):
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
    if beside(own, at, at, material.titles):
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
