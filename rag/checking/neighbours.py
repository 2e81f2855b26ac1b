"""What stands beside a sentence of a source and takes it back: «This is wrong», «Not.», «A: No».

«This was withdrawn» speaks of what stands before it, «The following is untrue» of what comes after;
neither reaches across a blank line. A heading or the title of a document speaks of all below it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.checking.claims import BULLET
from rag.checking.material import Material, Stretch

#: What is said of things that are not so, in a heading or beside them.
UNTRUE_WORDS = (
    r"\b(?:false(?:ly|hoods?)?|un(?:true|truths?|founded|proven)|(?:not|n[o’']t) (?:true|so|correct"
    r"|the case)|wrong(?:ly)?|in(?:correct|accurate)\w*|mis(?:taken|takes?|conceptions?"
    r"|understandings?|beliefs?)|errors?|myths?|legends?|superstitions?|fallac(?:y|ies)|absurd"
    r"|(?:an?|the|this|all|are|were|of|outright) lies?|hoax(?:es)?|fakes?d?|fiction\w*|fictitious"
    r"|(?:none|not a word|nothing) of (?:it|this|that|these|those) (?:is|was|were) (?:true|so)"
    r"|baseless|rumou?rs?|allegations?|accusations?|hypothetical\w*|imagin(?:e|ary|ed)|suppose)\b"
)
UNTRUE = re.compile(UNTRUE_WORDS, re.IGNORECASE)
#: What no longer holds, or never did.
WITHDRAWN_WORDS = (
    r"\b(?:with(?:drawn|drew)|retract\w*|den(?:ied|ies)|reject(?:ed|s)|dismiss(?:ed|es)|refuted?"
    r"|rebutted|dispro\w+|debunk\w*|overturned|annulled|revoked|rescinded|repealed|superseded"
    r"|abolished|no longer|never happened)\b"
)
WITHDRAWN = re.compile(WITHDRAWN_WORDS, re.IGNORECASE)
SAID = (
    r"(?:accusation|allegation|claim|statement|assertion|report|story|stories|rumou?r|charge"
    r"|sentence|announcement|belief|answer|rule|provision|paragraph)s?"
)
PERSON = r"(?:it|he|she|they|this|that|we|you|I)"
#: «It did not.»: what a sentence denies by leaving it out.
DID_NOT = (
    rf"\b{PERSON} (?:did|does|do|was|is|were|are|has|have|had|could|would|will)"
    r"(?: not|n[’']t)\W*\Z"
)
_CLAIMED = r"(?:sa(?:id|ys?)|claim\w*|argu\w+|alleg\w+|assert\w*|maintain\w*|contend\w*|insist\w*)"
#: Leads that leave to others what they lead to: «The prosecution argued as follows».
_ARGUED = re.compile(rf"\b(?!sa(?:id|ys?)\b){_CLAIMED}\b", re.IGNORECASE)

#: How a sentence speaks of the one before it …
_IT = re.compile(
    r"\W*(?:\w+\W+){0,3}?(?:this|that|these|those|it|which|none|both)\b", re.IGNORECASE
)
_STATEMENT = re.compile(rf"\b{SAID}\b", re.IGNORECASE)
#: … and of the one after it.
_FORWARD = re.compile(
    r"\b(?:the following(?! (?:days?|weeks?|months?|years?|quarters?|morning|evening|night)\b)"
    rf"|as follows|next {SAID}|{SAID} below|here (?:is|are|comes?))\b",
    re.IGNORECASE,
)
#: What takes back the sentence before it by itself: «Not.», «A: False.», «No, it is 21 days.», «Or
#: so they said.», «The jury disagreed.», «The opposite is true.», «It did not.»
_BACK = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            r"\A\W*(?:\w+:\s)?(?:(?:not|no|false|wrong|untrue|incorrect|never|nonsense|hardly)\b"
            r"(?:\W+(?:so|true|really|quite|at|all|any|more|longer|yet|correct|way|it|is))*\W*\Z"
            r"|no(?:\s?[,;:!–—]|\s-\s|\.(?!\s?\d)))"
        ),
        (
            r"\A\W*(?:or\W+|at least\W+|but only\W+){0,2}so\b.*"
            rf"\b(?:{_CLAIMED}|believed|thought)\W*\Z"
        ),
        (
            r"\b(?:disagree[sd]?|dissent(?:ed|s)|objected|(?:not|n[’']t) agree|otherwise"
            r"|(?:not|n[’']t|never) (?:convinced|persuaded))"
            r"(?:\W+with (?:this|that|it|him|her|them))?\W*\Z"
        ),
        (
            r"\bon the contrary\b|\bthe (?:very )?(?:opposite|contrary|reverse)"
            r"(?:\W*\Z|\W+(?:is|was|has|held|holds|happen\w*|appl(?:ies|ied)|of (?:this|that))\b)"
        ),
        rf"\A\W*(?:\w+\W+){{0,3}}?{DID_NOT}",
    )
)
_BLANK_LINE = re.compile(r"\n\s*\n")


def beside(material: Material, own: Sequence[Stretch], first: int, last: int) -> bool:
    """Whether the sentence before sentences ``first``…``last`` of one text, the one after, what
    leads to a list, a heading or a title says that they are not so."""
    after = own[last + 1] if last + 1 < len(own) else None
    if after and not _apart(material, own[last], after) and _takes_back(after.text):
        return True
    lead = first - 1
    listed = BULLET.match(own[first].text) is not None
    while listed and lead >= 0 and BULLET.match(own[lead].text):
        lead -= 1
    if lead >= 0 and (listed or not _apart(material, own[lead], own[first])):
        if listed and own[lead].text.endswith("?"):
            return True  # one of the answers somebody may choose
        if _leads_to_untruth(own[lead].text):
            return True
    headings = (s.text for s in reversed(own[:first]) if s.text[-1].isalnum() or s.text[-1] == ":")
    heading = next(headings, "")
    return any(UNTRUE.search(text) for text in (heading, *material.titles))


def _apart(material: Material, one: Stretch, other: Stretch) -> bool:
    """Whether a blank line stands between two sentences of one text."""
    between = material.texts[one.index][one.start + len(one.text) : other.start]
    return _BLANK_LINE.search(between) is not None


def _takes_back(after: str) -> bool:
    if any(pattern.search(after) for pattern in _BACK):
        return True
    refers = _IT.match(after) or (_STATEMENT.search(after) and not _FORWARD.search(after))
    return bool(refers and (UNTRUE.search(after) or WITHDRAWN.search(after)))


def _leads_to_untruth(before: str) -> bool:
    if not (_FORWARD.search(before) or before.endswith(":")):
        return False
    return any(said.search(before) for said in (UNTRUE, WITHDRAWN, _ARGUED))
