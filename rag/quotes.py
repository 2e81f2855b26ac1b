"""Where a quote stands in a stored text. Pure: strings in, offsets out.

Two texts count as the same when they differ only in what typesetting does to words: white space,
also before a comma or a full stop, hyphenation at line ends, ligatures, the shapes of quote marks
and dashes, invisible characters.
Letters, digits, case and every other sign must be equal; a quote begins and ends where words do.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_SHAPES = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'", "ʼ": "'",
        "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"',
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-",
    }
)  # fmt: skip
#: Chinese, Japanese and Korean signs begin here; they are written without spaces.
NO_SPACES_FROM = "\u2e80"
_STOPS = frozenset(",.;:!?")
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe")


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """(start, end) in ``text`` of the first place where ``quote`` stands, None if nowhere."""
    return next(places(quote, text), None)


def places(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """(start, end) in ``text`` of each place where ``quote`` stands, in order."""
    wanted = _plain(quote)
    blank = len(wanted.text) - len(wanted.text.lstrip())
    needle = wanted.text.strip()
    if not any(c.isalnum() for c in needle):
        return
    found = _plain(text)
    at = found.text.find(needle)
    while at >= 0:
        end = at + len(needle)
        cut = _cuts_a_word(found.text, at) or _cuts_a_word(found.text, end)
        if not cut and _hyphens_fit(wanted, blank, found, at, len(needle)):
            yield found.origins[at], found.origins[end - 1] + 1
        at = found.text.find(needle, at + 1)


def same(one: str, other: str) -> bool:
    """Whether two texts differ only in typesetting."""
    first, second = _plain(one), _plain(other)
    blanks = [len(p.text) - len(p.text.lstrip()) for p in (first, second)]
    stripped = first.text.strip()
    return stripped == second.text.strip() and _hyphens_fit(
        first, blanks[0], second, blanks[1], len(stripped)
    )


@dataclass(frozen=True, slots=True)
class _Plain:
    """A text without typesetting; for each of its characters the offset it came from. Before which
    characters a hyphen between letters was left out: within a line, and at a line's end."""

    text: str
    origins: list[int]
    within: list[int]
    at_end: list[int]


def _hyphens_fit(one: _Plain, start: int, other: _Plain, at: int, length: int) -> bool:
    """Whether two equal stretches have the same hyphens: «resigned» is not «re-signed», and only
    a hyphen at a line's end may belong to the word or not."""
    ours = _inside(one.within, start, length)
    theirs = _inside(other.within, at, length)
    return ours - theirs <= _inside(other.at_end, at, length) and (
        theirs - ours <= _inside(one.at_end, start, length)
    )


def _inside(places: list[int], start: int, length: int) -> set[int]:
    """The places inside a stretch, counted from its beginning."""
    inside = places[bisect_right(places, start) : bisect_left(places, start + length)]
    return {place - start for place in inside}


def _cuts_a_word(plain: str, at: int) -> bool:
    """Whether a cut at ``at`` falls inside a word or a number: «1 day» stands in no «21 days»,
    «5 %» in no «-5 %» or «1.5 %». Scripts that write no spaces may be cut anywhere."""
    before, after = plain[at - 1 : at] if at else "", plain[at : at + 1]
    if before.isalnum() and after.isalnum():
        return max(before, after) < NO_SPACES_FROM
    if after.isdigit() and before and before in "-.,":
        return before == "-" or plain[at - 2 : at - 1].isdigit()
    return before.isdigit() and bool(after) and after in ".,-" and plain[at + 1 : at + 2].isdigit()


def _plain(text: str) -> _Plain:
    """The text as `_Plain`."""
    characters: list[str] = []
    origins: list[int] = []
    for offset, original in enumerate(text):
        if original in _INVISIBLE:
            continue
        for char in _unligatured(original).translate(_SHAPES):
            if char.isspace():
                if characters and characters[-1] == " ":
                    continue
                char = " "
            elif char in _STOPS and characters[-1:] == [" "] and _ends_a_word(text, offset):
                characters.pop()  # «the federal government .», as some texts are taken apart
                origins.pop()
            characters.append(char)
            origins.append(offset)
    return _without_hyphenation(characters, origins, text)


def _ends_a_word(text: str, offset: int) -> bool:
    """Whether nothing is glued to the sign at ``offset``: «$ .16» is a number."""
    return not text[offset + 1 : offset + 2].strip()


def _unligatured(char: str) -> str:
    """Ligatures and width forms as plain letters; «10²» and «5½» do not become 102 and 51/2."""
    if unicodedata.decomposition(char).startswith(("<super>", "<sub>", "<fraction>")):
        return char
    return unicodedata.normalize("NFKC", char)


def _without_hyphenation(characters: list[str], origins: list[int], text: str) -> _Plain:
    """Leave out hyphens between letters, with the line break after them, and say where:
    «exam-\\nple», «well-known» and «well-\\nknown» have equal letters then; «-5», «10-15» and
    « - » stay."""
    kept: list[str] = []
    places: list[int] = []
    within: list[int] = []
    at_end: list[int] = []
    i = 0
    while i < len(characters):
        if characters[i] == "-" and kept and kept[-1].isalpha():
            after = i + 1
            if (
                after < len(characters)
                and characters[after] == " "
                and text[origins[after]] in "\r\n"
            ):
                after += 1
            if after < len(characters) and characters[after].isalpha():
                (within if after == i + 1 else at_end).append(len(kept))
                i = after
                continue
        kept.append(characters[i])
        places.append(origins[i])
        i += 1
    return _Plain("".join(kept), places, within, at_end)
