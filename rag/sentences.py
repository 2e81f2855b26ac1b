"""Text → sentences with their offsets, in prose and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

Span = tuple[int, int]

#: A «sentence» longer than this is a table or a list that lost its full stops: its lines are the
#: units then.
_LONGEST = 350

_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|cf|approx|fig|figs|no|nos|art|sec|para|pp|vol|al|vs|st|mt|jan|feb|mar"
    r"|apr|jun|jul|aug|sept?|oct|nov|dec|inc|corp|ltd|co|mr|mrs|ms|dr|prof|gen|col|capt|lt|rev)\.\s*$",
    re.IGNORECASE,
)
_TRUE_END = re.compile(r"(?:^|[\s(])(?:inc|corp|ltd|co|al|etc)\.\s*$", re.IGNORECASE)


def spans(text: str) -> list[Span]:
    """(start, end) of each sentence, white space trimmed, in order, never overlapping."""
    found = []
    for start, end in _rejoined(text):
        pieces = _lines(text, start, end) if end - start > _LONGEST else [(start, end)]
        found += [span for piece in pieces if (span := _trimmed(text, *piece))]
    return found


def sentences(text: str) -> list[str]:
    """The sentences themselves, inner white space as it stands."""
    return [text[start:end] for start, end in spans(text)]


def _rejoined(text: str) -> Iterator[Span]:
    """The segmenter's boundaries without those after an abbreviation."""
    begun: int | None = None
    for boundary in sentencex.get_sentence_boundaries("en", text):
        start = boundary["start_index"] if begun is None else begun
        end = boundary["end_index"]
        following = text[end : end + 1]
        broken = _ABBREVIATION.search(text[max(start, end - 12) : end]) and not (
            _TRUE_END.search(text[max(start, end - 12) : end]) and following.isupper()
        )
        if broken and following and "\n\n" not in text[start:end]:
            begun = start
            continue
        begun = None
        yield start, end
    if begun is not None:
        yield begun, len(text)


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    """The lines of a stretch; one that goes on in lower case belongs to the line before it."""
    begun: Span | None = None
    for match in re.finditer(r"[^\n]+", text[start:end]):
        line = match.group().lstrip()
        if begun and line[:1].islower():
            begun = (begun[0], start + match.end())
            continue
        if begun:
            yield begun
        begun = (start + match.start(), start + match.end())
    if begun:
        yield begun


def _trimmed(text: str, start: int, end: int) -> Span | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not any(c.isalnum() for c in stripped):
        return None
    start += len(piece) - len(piece.lstrip())
    return start, start + len(stripped)
