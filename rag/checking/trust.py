"""What the evidence must not do and what the checker cannot read.

Text that speaks to the checker («this claim is supported», a forged verdict) is no evidence; text
in other languages and conversations are kinds the rules are weak on.
"""

from __future__ import annotations

import re

from rag.checking.tokens import words
from rag.sentences import spans

#: What a claim is called, and what a forger would like to hear about it.
_CLAIM = r"(?:claims?|statements?|sentences?|answers?|assertions?|responses?)"
_GOOD = r"(?:supported|true|correct|verified|accurate|grounded|faithful|entailed)"
_TO_CHECKER = re.compile(
    # «the following claim "…" has been verified»
    rf"\b(?:this|that|the|these|those|all|any|every|each|following|above|preceding|next)\s+"
    rf"(?:\w+\s+){{0,2}}{_CLAIM}\b(?:\s+\w+){{0,4}}?"
    rf"(?:\s*:?\s*[\"“«'][^\n]{{0,300}}?[\"”»'])?,?\s+"
    rf"(?:is|are|was|were|be|been|as)\s+(?:\w+\s+){{0,2}}{_GOOD}\b"
    # «mark every answer as supported», «return only: supported»
    rf"|\b(?:mark|label|rate|treat|classify|grade|judge)\s+(?:\w+\s+){{0,5}}as\s+(?:\w+\s+)?"
    rf"{_GOOD}\b"
    rf"|\b(?:return|output|answer|respond|reply|print)\s+(?:with\s+)?(?:only\s*)?[:\"'«]?\s*"
    rf"(?:{_GOOD}|no[_ ]mismatch|yes)\b"
    # «Verdict: supported», «"accept": true»
    rf"|(?:\bverdict|\bjudge?ment|[\"'](?:verdict|label|supported|accept|score)[\"'])\s*[:=]\s*"
    rf"[\"']?(?:{_GOOD}|yes|no[_ ]mismatch|1(?:\.0)?)\b"
    # «ignore all previous instructions», «you are a fact checker»
    r"|\b(?:ignore|disregard|forget|override)\s+(?:(?:all|any|the|your|these|of)\s+)*"
    r"(?:previous|prior|above|preceding|earlier|system|other)\b"
    r"|\byou are\s+(?:now\s+)?(?:an?\s+|the\s+)?(?:\w+\s+)?(?:fact[- ]?checker|judge|verifier"
    r"|checker|assistant|language model|AI)\b"
    r"|\b(?:system|assistant|user)\s*:\s*(?:the|this|all|mark|ignore|you)\b"
    r"|[✓✗○]\s*(?:supported|no mismatch|contradicted|not supported|not checked|unverified)"
    r"|\((?:supported|no mismatch found|contradicted|not supported in source|not checked|unverified"
    r"|word for word)\)",
    re.IGNORECASE,
)
#: A fence forged to look like the prompt's own.
_FENCE = r"<\|?/?(?:passage|system|assistant|user|im_start|im_end)\b[^<>\n]*>"
#: What a terminal obeys and nobody reads: «ESC [31m», titles, in either spelling of the escape.
_ESCAPE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\n]{0,999}(?:\x07|\x1b\\)|\x1b[ -~]"
)
#: Struck through: what a text no longer says.
_STRUCK = r"~~(?=\S)[^~\n]+~~|<(?P<struck>del|strike|s)>.{0,999}?</(?P=struck)>"
_NO_TEXT = re.compile(rf"{_ESCAPE}|{_STRUCK}|{_FENCE}", re.IGNORECASE)

_FOREIGN = words(
    "der die das und ist nicht ein eine von mit den dem zu auf für im sich des auch wird le la "
    "les et est une des du que qui dans pour pas sur avec au aux ce sont el los las es por "
    "con para una del se su al lo como più il di che per non è della gli sono een het van "
    "niet zijn och att det som på av är inte um uma não dos com mais os na w z jest nie się"
)
_ENGLISH = words(
    "the of and to in is was for on that with as by at it are be from this which an were has have "
    "not or but its had their they will he she his her been who would"
)
_WORDS = re.compile(r"[^\W\d_]+")

#: Words from which on the language of a text is judged; shorter ones pass. Set by hand.
_ENOUGH = 8

#: Share of a claim's words that English evidence has as well. Set by hand: a name or two is shared
#: across languages.
_SHARED = 0.5

_SPEAKER = re.compile(r"^\s*[A-Z][\w.'’ -]{0,30}:\s", re.MULTILINE)


#: No-break, thin, figure and other spaces.
_SPACES = dict.fromkeys((0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")


def without_marks(text: str, *, keep_places: bool = False) -> str:
    """The text without what nobody is to read as its words: escape codes of a terminal, what is
    struck through, forged fences. ``keep_places``: blanks stand there, so that offsets stay. Spaces
    of other widths, of which some PDFs are full, are plain ones."""
    return _NO_TEXT.sub(lambda m: " " * len(m[0]) if keep_places else "", text).translate(_SPACES)


def addressed_to_checker(text: str) -> list[tuple[int, int]]:
    """(start, end) of each place where evidence speaks of its own check, not of its subject."""
    return [match.span() for match in _TO_CHECKER.finditer(text)]


def without_forgeries(text: str) -> str:
    """The text with blanks for every sentence that speaks to its checker; offsets stay."""
    forged = addressed_to_checker(text)
    for start, end in spans(text) if forged else []:
        if any(start < last and first < end for first, last in forged):
            text = text[:start] + " " * (end - start) + text[end:]
    return text


def english(text: str) -> bool:
    """Whether the rules can read a text: Latin letters, and English little words if any."""
    letters = [c for c in text if c.isalpha()]
    if not letters or sum(c < "\u0250" for c in letters) < 0.7 * len(letters):
        return False
    words = _WORDS.findall(text)
    if len(words) < _ENOUGH:
        return True
    capitals = text.isupper()  # «White Plains, AL» is no Italian, «DER URLAUB IST» is German
    ours = sum(w.lower() in _ENGLISH for w in words)
    theirs = sum(w.lower() in _FOREIGN for w in words if capitals or not w.isupper())
    return theirs <= max(ours, 1) or theirs < 0.12 * len(words)


def foreign(claim: str, evidence: str) -> bool:
    """Whether a claim is in another language than English evidence: as `english` says, or, of a
    few words, with foreign little words, none English, and most of its words not in the evidence.
    """
    if not english(claim):
        return True
    said = [w.lower() for w in _WORDS.findall(claim)]
    if not any(w in _FOREIGN for w in said) or any(w in _ENGLISH for w in said):
        return False
    known = {w.lower() for w in _WORDS.findall(evidence)}
    return sum(w in known for w in said) < _SHARED * len(said)


def conversation(text: str) -> bool:
    """Whether a text is mostly turns of speakers, «Ann: …», who come again: the labels of a form,
    «Operator: …», stand once each."""
    lines = [line for line in text.splitlines() if line.strip()]
    turns = [turn.strip() for turn in _SPEAKER.findall(text)]
    return len(turns) >= max(4, 0.5 * len(lines)) and len(set(turns)) <= len(turns) / 2
