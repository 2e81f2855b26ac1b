"""Where a quote stands in a stored text. Pure: strings in, offsets out.

Two texts count as the same when they differ only in what typesetting does to words: white space,
hyphenation at line ends, ligatures, the shapes of quote marks and dashes, invisible characters.
Letters, digits, case and every other sign must be equal.
"""

from __future__ import annotations

import unicodedata

_SHAPES = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'",
        "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"',
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-",
    }
)  # fmt: skip
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe")


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """(start, end) in ``text`` of the first place where ``quote`` stands, None if nowhere."""
    needle, _ = _plain(quote)
    needle = needle.strip()
    if not any(c.isalnum() for c in needle):
        return None
    plain, origins = _plain(text)
    at = plain.find(needle)
    if at < 0:
        return None
    return origins[at], origins[at + len(needle) - 1] + 1


def same(one: str, other: str) -> bool:
    """Whether two texts differ only in typesetting."""
    return _plain(one)[0].strip() == _plain(other)[0].strip()


def _plain(text: str) -> tuple[str, list[int]]:
    """The text without typesetting, and for each of its characters the offset it came from."""
    characters: list[str] = []
    origins: list[int] = []
    for offset, original in enumerate(text):
        if original in _INVISIBLE:
            continue
        for char in unicodedata.normalize("NFKC", original).translate(_SHAPES):
            if char.isspace():
                if characters and characters[-1] == " ":
                    continue
                char = " "
            characters.append(char)
            origins.append(offset)
    return _without_hyphenation(characters, origins, text)


def _without_hyphenation(
    characters: list[str], origins: list[int], text: str
) -> tuple[str, list[int]]:
    """Drop hyphens between letters, with the line break after them: «exam-\\nple», «well-known»
    and «well-\\nknown» then read alike on both sides; «-5», «10-15» and « - » stay."""
    kept: list[str] = []
    places: list[int] = []
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
                i = after
                continue
        kept.append(characters[i])
        places.append(origins[i])
        i += 1
    return "".join(kept), places
