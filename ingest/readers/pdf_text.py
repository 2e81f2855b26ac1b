"""The text of a PDF page once an engine has given it: cleaned, judged, words made whole again."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from ingest.readers import clean

#: pdfium's sign for a hyphen at the end of a line; the line break after it is gone.
HYPHEN = "\ufffe"
_BROKEN_WORD = re.compile(f"([^\\W\\d_]+){HYPHEN}([^\\W\\d_]+)")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
#: Words of a file that are remembered; an annual report has 10,000 [measured]. Set by hand, so
#: that a file of noise does not fill the memory.
_MOST_WORDS = 200_000


@dataclass(frozen=True, slots=True)
class PageText:
    """What a page gave. ``lost``: it shows something, but no text came out of it, or it failed;
    ``hidden``: words that nobody can see, in the text only if they were asked for."""

    text: str
    lost: bool
    hidden: int = 0


def page_text(raw: str, keep: str = "") -> str:
    """Cleaned text that ends in a newline, or nothing. ``keep`` is a sign still needed."""
    text = keep.join(clean(part) for part in raw.split(keep)) if keep else clean(raw)
    text = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return text + "\n" if text else ""


def taken_out(whole: str, left: str) -> int:
    """How many words were taken out of a text; one if a part of a word was."""
    before, after = whole.split(), left.split()
    return max(len(before) - len(after), int(before != after))


def glyphs(text: str) -> float:
    """The share of lines of at most two characters: high where words fell into glyphs."""
    lines = [line.strip() for line in text.split("\n")]
    short = [line for line in lines if len(line) <= 2]
    return len(short) / len(lines) if len(lines) >= 20 else 0.0


def better(new: str, old: str) -> bool:
    """Whether a second engine's text of a page is to be taken instead of the first one's."""
    return bool(new) and (not old or glyphs(new) < glyphs(old))


class Hyphens:
    """Joins words broken at a line end: with a hyphen or without, as the file does it.

    pdfium gives the same sign for «for-ward» and «forward-looking». The file's own other words
    decide, as far as it has been read; without any, its majority; without that, the hyphen,
    which loses nothing. On 20 quarterly and 20 annual reports the words known either way were
    273 : 3 for the hyphen, on typeset papers 4 : 19 against it.
    """

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self._broken: Counter[tuple[str, str]] = Counter()

    def healed(self, pages: list[PageText]) -> list[PageText]:
        """The next pages of the file, each word in one piece."""
        for page in pages:
            text = page.text.lower()
            if len(self._words) < _MOST_WORDS:
                self._words.update(_WORD.findall(text))
            if HYPHEN in text and len(self._broken) < _MOST_WORDS:
                self._broken.update(_BROKEN_WORD.findall(text))
        if not any(HYPHEN in page.text for page in pages):
            return pages
        surplus = {(a, b): self._words[a + b] - self._words[f"{a}-{b}"] for a, b in self._broken}
        trend = sum(
            times * ((surplus[pair] > 0) - (surplus[pair] < 0))
            for pair, times in self._broken.items()
        )

        def mend(match: re.Match[str]) -> str:
            joined = (surplus.get((match[1].lower(), match[2].lower())) or trend) > 0
            return match[1] + ("" if joined else "-") + match[2]

        return [
            replace(page, text=_BROKEN_WORD.sub(mend, page.text).replace(HYPHEN, "-"))
            for page in pages
        ]
