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
    r"|word for word)\)"
    r"|<\|?/?(?:passage|system|assistant|user|im_start|im_end)\b[^>]*>",
    re.IGNORECASE,
)

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

_SPEAKER = re.compile(r"^\s*[A-Z][\w.'’ -]{0,30}:\s", re.MULTILINE)


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


def conversation(text: str) -> bool:
    """Whether a text is mostly turns of speakers, «Ann: …», who come again: the labels of a form,
    «Operator: …», stand once each."""
    lines = [line for line in text.splitlines() if line.strip()]
    turns = [turn.strip() for turn in _SPEAKER.findall(text)]
    return len(turns) >= max(4, 0.5 * len(lines)) and len(set(turns)) <= len(turns) / 2
