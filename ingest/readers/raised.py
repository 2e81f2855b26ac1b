"""How every reader writes raised and lowered text, so that no number grows by its footnote."""

from __future__ import annotations

import re

from ingest.readers import clean

#: Around raised and around lowered text while a line is collected; `written` takes them out. No
#: text may hold these characters: Unicode keeps them for use inside a program.
RAISED, LOWERED = ("\ufdd0", "\ufdd1"), ("\ufdd2", "\ufdd3")
_MARK = re.compile("[\ufdd0-\ufdd3]")
_MARKED = re.compile("([\ufdd0\ufdd2])([^\ufdd0-\ufdd3]*)(?:[\ufdd1\ufdd3]|\\Z)")


def written(line: str) -> str:
    """A clean line whose raised and lowered text, between the marks of RAISED and LOWERED, cannot
    be read as part of the number or word before it.

    Raised text follows «^», and brackets where it is not one number or word: «10^6», «1,234^1»,
    «10^(-6)». After a letter lowered text stays as it is («H2O»), else it follows «_» («101_2»).
    Ordinals («21st»), signs («®»), what has brackets of its own («[1]») and what opens a line stay
    too. Unicode's own «⁶» and «₂» would not do: whoever normalises a text (NFKC) makes them the
    next digit of the number again.
    """
    for start, end in (RAISED, LOWERED):
        line = line.replace(end + start, "")
    return clean(_MARK.sub("", _MARKED.sub(_set_off, line)))


def _set_off(found: re.Match[str]) -> str:
    """One stretch of raised or lowered text, as `written` says."""
    raised, text, line = found[1] == RAISED[0], found[2], found.string
    # More spaces than this before it, and it reads as the beginning of a line.
    before = line[max(found.start() - 20, 0) : found.start()]
    after = line[found.end() : found.end() + 1]
    if not text.strip() or not any(map(str.isalnum, text)):
        return text
    if not before.strip() or (not raised and before[-1].isspace()):
        return text + " " * after.isalnum()
    ordinal = raised and before[-1].isdigit() and text in ("st", "nd", "rd", "th")
    index = not raised and before[-1].isalpha() and not (text[-1].isdigit() and after.isdigit())
    if ordinal or index or text[0] in "([{" or text[0].isspace():
        return text
    if len(text.split()) > 1:
        return f" {text} "
    text = text.strip()
    plain = text.isalnum() and not after.isalnum()
    return ("^" if raised else "_") + (text if plain else f"({text})")
