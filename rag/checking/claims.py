"""Which sentences of an answer claim something, and what exactly they claim."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from prompts import MARKER, REFUSAL
from rag.checking.tokens import words
from rag.checking.trust import without_marks
from rag.checking.verbs import finite, says
from rag.quotes import NO_SPACES_FROM

#: Signs that open a list item, as a pattern.
BULLET_SIGN = r"\s*(?:[-*•·–‣▪]|\(?\d{1,2}[.)]|\(?[a-z]\))\s+"
BULLET = re.compile(rf"\A{BULLET_SIGN}")
_EMPHASIS = re.compile(r"(\*\*|__|`)")
#: The phrase alone, or with what is missing behind it: «not supported in source: who approves it».
_REFUSED = re.compile(
    rf"\W*{REFUSAL}\W*(?:\s*[.:;—–-]\s*(?P<missing>.*))?\Z", re.IGNORECASE | re.DOTALL
)
#: Where what is missing falls into parts, of which each has to name something.
_PARTS_OF_IT = re.compile(
    r"[;:!.](?=\s|\Z)|\s[—–-]\s|,|\b(?:but|while|although|though|because|since|so|however)\b"
    r"|\band\s+(?=(?:the|an?|he|she|it|they|his|her)\b)",
    re.IGNORECASE,
)
#: What opens an indirect question or a relative clause: it asks or names, and may hold one verb.
_ASKED = re.compile(
    r"\b(?:who|whom|whose|what|when|where|why|how|which|whether|if|that)\b", re.IGNORECASE
)
_ASKS = re.compile(
    r"\W*(?:who|whom|whose|what|when|where|why|how|which|is|are|was|were|do|does|did|has|have|had"
    r"|can|could|will|would|shall|should|may|might)\b(?:(?![.!?]\s).)*\?\W*\Z",
    re.IGNORECASE | re.DOTALL,
)
#: What an offer of help is made of; with any other word in it, it says something.
_OFFER = (
    r"(?:[ ,]+(?:if|whether|when|how|you|i|we|there|is|are|it|this|that|the|an?|any|anything|more"
    r"|other|further|else|need|needs?|want|wants?|have|has|like|would|can|should|may|help|assist"
    r"|assistance|information|info|details?|questions?|clarification|explanation|to|ask|know|me|us"
    r"|reach|out|contact|with|about|on|for|of|or|and|in|be|glad|happy|free|feel|please|your|answer"
    r"|summary|points?|key|list|below|question|request))*"
)
_GREETING = re.compile(
    r"\W*(?:hi|hello|hey|dear \w+|good (?:morning|afternoon|evening|day)|thanks?|thank you"
    r"|you(?:['’]re| are) welcome|sure|certainly|of course|ok(?:ay)?|yes|no|great question"
    rf"|i hope (?:this|that) helps|let me know{_OFFER}|please (?:let me know|feel free){_OFFER}"
    rf"|here (?:is|are){_OFFER}|(?:best|kind) regards|sincerely)"
    r"(?:[ ,]+(?:there|everyone|all|again|so much|very much|yes|certainly|of course))*\W*\Z",
    re.IGNORECASE,
)
#: What the parts of an answer are called: a line of nothing else heads what follows. A line of any
#: other words may be the answer itself: «Paris», «The left engine».
_PARTS = words(
    "the of and to in a an key main short brief final other further additional overall general "
    "summary overview conclusion conclusions result results finding findings point points fact "
    "facts answer answers introduction background context detail details note notes source sources "
    "reference references evidence analysis discussion method methods recommendation "
    "recommendations highlight highlights timeline takeaway takeaways limitation limitations step "
    "steps example examples definition definitions explanation reason reasons next"
)
#: What leads to what follows a colon.
_LEADS_ON = re.compile(
    r"(?P<subject>[^,;:]*?)\b(?:is|are|was|were|be|include[sd]?|follows?|says?|states?|reads?|lists?)"
    r"(?: as follows| the following)?:\Z",
    re.IGNORECASE,
)
#: A number of a section or a year says nothing in a heading.
_NUMBERING = re.compile(r"\A#*\s*\d+(?:\.\d+)*[.):]?\s|\b(?:19|20)\d\d\b")
#: Words of the longest heading. Set by hand.
_HEADING = 8
#: The line under the header of a Markdown table: «|---|:--:|».
_RULED = re.compile(r"\s*\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?)?\s*")
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe]")


def claim_of(sentence: str) -> str | None:
    """The claim of one sentence without markers, bullets and emphasis; None if it claims nothing.

    Questions, the refusal phrase and lines without a letter claim nothing; neither do greetings,
    headings and lines that lead to what follows, unless they carry a marker.
    """
    text = without_marks(_INVISIBLE.sub("", unicodedata.normalize("NFC", sentence)))
    cited = MARKER.search(text) is not None
    text = _EMPHASIS.sub("", BULLET.sub("", MARKER.sub(" ", text), count=1))
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split())).strip()
    if not any(c.isalpha() for c in text) or is_refusal(text) or _ASKS.match(text):
        return None
    return text if cited or not (_GREETING.match(text) or _heading(text)) else None


def marked(sentence: str, citations: Sequence[int]) -> str:
    """A sentence of an answer with its citations behind it, as `claim_of` and `verify` want it."""
    return sentence + "".join(f" [{n}]" for n in citations)


def _heading(text: str) -> bool:
    """«Key findings», «## Results», «The main points are:»; a figure makes a line a claim."""
    named = text.startswith("#")
    bare = _NUMBERING.sub(" ", text).strip("# ") if named else text
    if any(c.isdigit() for c in bare) or max(text) >= NO_SPACES_FROM:
        return False
    if text.endswith(":") and (leading := _LEADS_ON.fullmatch(text)):
        return len(leading["subject"].split()) <= _HEADING and not says(leading["subject"])
    if named or text.endswith(":"):
        return len(text.split()) <= _HEADING and not says(bare) and ":" not in text[:-1]
    return set(re.findall(r"[^\W\d_]+", text.lower())) <= _PARTS and text[-1] not in ".!?"


def heads_table(line: str, following: str) -> bool:
    """Whether a line is the header of a Markdown table and only names its columns."""
    if "|" not in line or not _RULED.fullmatch(following) or MARKER.search(line):
        return False
    cells = [_NUMBERING.sub(" ", cell).strip("* _") for cell in line.split("|")]
    return not any(
        any(c.isdigit() for c in cell) or says(cell) or len(cell.split()) > _HEADING
        for cell in cells
    )


def is_refusal(text: str) -> bool:
    """Whether a sentence is the fixed phrase, alone or with what is missing named behind it.

    «Not supported in source code, …» is a claim like any other, and so is «not supported in source;
    the CEO stole nine million».
    """
    refused = _REFUSED.match(text)
    return refused is not None and all(map(_names, _PARTS_OF_IT.split(refused["missing"] or "")))


def _names(part: str) -> bool:
    """Whether a part of what is missing names it: «the price», «who approves it», «whether it was
    paid»; each question or relative clause has its one verb, and the rest has none."""
    first, *clauses = _ASKED.split(part)
    verbs = [finite(clause) for clause in clauses]
    return not finite(first) and all(n <= 1 for n in verbs)
