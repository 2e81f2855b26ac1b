"""Which sentences of an answer claim something, and what exactly they claim."""

from __future__ import annotations

import re
import unicodedata

from prompts import MARKER, REFUSAL
from rag.quotes import NO_SPACES_FROM

_BULLET = re.compile(r"\A\s*(?:[-*•·–‣▪]|\(?\d{1,2}[.)]|\(?[a-z]\))\s+")
_EMPHASIS = re.compile(r"(\*\*|__|`)")
_REFUSED = re.compile(rf"\W*{REFUSAL}\s*(?:[.:;—–-].*)?\W*\Z", re.IGNORECASE | re.DOTALL)
_ASKS = re.compile(
    r"\W*(?:who|whom|whose|what|when|where|why|how|which|is|are|was|were|do|does|did|has|have|had"
    r"|can|could|will|would|shall|should|may|might)\b.*\?\W*\Z",
    re.IGNORECASE | re.DOTALL,
)
_GREETING = re.compile(
    r"\W*(?:hi|hello|hey|dear \w+|good (?:morning|afternoon|evening|day)|thanks?|thank you"
    r"|you(?:['’]re| are) welcome|sure|certainly|of course|ok(?:ay)?|yes|no|great question"
    r"|i hope (?:this|that) helps|let me know\b.*|please (?:let me know|feel free)\b.*"
    r"|here (?:is|are) (?:the|an?|my) (?:answer|summary|key points?|list)\b.*"
    r"|(?:best|kind) regards|sincerely)(?:[ ,]+(?:there|everyone|all|again|so much|very much|yes"
    r"|certainly|of course))*\W*\Z",
    re.IGNORECASE,
)
#: Verbs by which a short line without a full stop is told from a heading.
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|does|do|did|will|would|can|could|may|must|shall"
    r"|should|\w{2,}(?:ed|es|ing|ns|ts|ds|ks|ls|rs|ys))\b",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe]")


def claim_of(sentence: str) -> str | None:
    """The claim of one sentence without markers, bullets and emphasis; None if it claims nothing.

    Questions, greetings, headings, the refusal phrase and lines without a letter claim nothing. A
    line that ends in a colon introduces what follows and is a heading too.
    """
    text = MARKER.sub(" ", _INVISIBLE.sub("", unicodedata.normalize("NFC", sentence)))
    text = _EMPHASIS.sub("", _BULLET.sub("", text, count=1))
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split())).strip()
    if not any(c.isalpha() for c in text):
        return None
    nothing = _REFUSED.match(text) or _ASKS.match(text) or _GREETING.match(text)
    return None if nothing or _heading(text) else text


def _heading(text: str) -> bool:
    """«Key findings», «## Results», «The main points are:»; a figure makes a line a claim."""
    if text.startswith("#"):
        return True
    if any(c.isdigit() for c in text) or max(text) >= NO_SPACES_FROM:
        return False
    if text.endswith(":"):
        return True
    return len(text.split()) <= 6 and text[-1] not in ".!?”\"'»)" and not _VERB.search(text)
