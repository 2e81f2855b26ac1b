"""Text → sentences with their offsets, in prose and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

Span = tuple[int, int]

#: A «sentence» longer than this is a table or a list that lost its full stops: its lines are the
#: units then.
_LONGEST = 350

#: Characters of the longest unit: what has neither sentences nor lines is cut at a blank, because
#: the time of a check grows with the square of a unit's length. Set by hand.
_MOST = 2000

#: Characters that the segmenter gets at once: its own time grows with their square where quote
#: marks never close (1 MB of «“»: over 200 seconds in one piece). Set by hand.
_BLOCK = 20_000

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
        short = (cut for piece in pieces for cut in _cuts(text, *piece, _MOST))
        found += [span for piece in short if (span := _trimmed(text, *piece))]
    return found


def sentences(text: str) -> list[str]:
    """The sentences themselves, inner white space as it stands."""
    return [text[start:end] for start, end in spans(text)]


def _rejoined(text: str) -> Iterator[Span]:
    """The segmenter's boundaries without those after an abbreviation."""
    begun: int | None = None
    for first, end in _segmented(text):
        start = first if begun is None else begun
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


def _segmented(text: str) -> Iterator[Span]:
    """The segmenter's own boundaries."""
    for first, last in _cuts(text, 0, len(text), _BLOCK):
        for boundary in sentencex.get_sentence_boundaries("en", text[first:last]):
            yield first + boundary["start_index"], first + boundary["end_index"]


def _cuts(text: str, start: int, end: int, most: int) -> Iterator[Span]:
    """A stretch in pieces of at most ``most`` characters, cut behind a blank line, else a line,
    else a word where the second half of a piece has one."""
    while end - start > most:
        half, limit = start + most // 2, start + most
        found = (text.rfind(blank, half, limit) + len(blank) for blank in ("\n\n", "\n", " "))
        cut = next((at for at in found if at > half), limit)
        yield start, cut
        start = cut
    yield start, end


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
