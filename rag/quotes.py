"""Where a quote stands in a stored text. Pure: strings in, offsets out.

Two texts count as the same when they differ only in what typesetting does to words: white space,
hyphenation at line ends, ligatures, the shapes of quote marks and dashes, invisible characters.
Letters, digits, case and every other sign must be equal; a quote begins and ends where words do.
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
#: Chinese, Japanese and Korean signs begin here; they are written without spaces.
NO_SPACES_FROM = "\u2e80"
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffe")


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """(start, end) in ``text`` of the first place where ``quote`` stands, None if nowhere."""
    needle, _ = _plain(quote)
    needle = needle.strip()
    if not any(c.isalnum() for c in needle):
        return None
    plain, origins = _plain(text)
    at = plain.find(needle)
    while at >= 0:
        end = at + len(needle)
        if not _cuts_a_word(plain, at) and not _cuts_a_word(plain, end):
            return origins[at], origins[end - 1] + 1
        at = plain.find(needle, at + 1)
    return None


def same(one: str, other: str) -> bool:
    """Whether two texts differ only in typesetting."""
    return _plain(one)[0].strip() == _plain(other)[0].strip()


def _cuts_a_word(plain: str, at: int) -> bool:
    """Whether a cut at ``at`` falls inside a word or a number: «1 day» stands in no «21 days»,
    «5 %» in no «-5 %» or «1.5 %». Scripts that write no spaces may be cut anywhere."""
    before, after = plain[at - 1 : at] if at else "", plain[at : at + 1]
    if before.isalnum() and after.isalnum():
        return max(before, after) < NO_SPACES_FROM
    if after.isdigit() and before and before in "-.,":
        return before == "-" or plain[at - 2 : at - 1].isdigit()
    return before.isdigit() and bool(after) and after in ".,-" and plain[at + 1 : at + 2].isdigit()


def _plain(text: str) -> tuple[str, list[int]]:
    """The text without typesetting, and for each of its characters the offset it came from."""
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
            characters.append(char)
            origins.append(offset)
    return _without_hyphenation(characters, origins, text)


def _unligatured(char: str) -> str:
    """Ligatures and width forms as plain letters; «10²» and «5½» do not become 102 and 51/2."""
    if unicodedata.decomposition(char).startswith(("<super>", "<sub>", "<fraction>")):
        return char
    return unicodedata.normalize("NFKC", char)


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
