"""The syntax of RTF: its tokens, and what the groups between its braces limit."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?"  # a control word with its number
    rb"|\\'([0-9a-fA-F]{2})"  # a byte
    rb"|\\([^a-zA-Z])"  # a control sign
    rb"|([{}])"
    rb"|([^\\{}\r\n\0]+)",
    re.DOTALL,
)

#: (control word, its number, a byte in hex, a control sign, a brace, plain bytes): one is there,
#: or the first two.
Token = tuple[bytes | None, ...]


def tokens(data: bytes, at: int) -> Iterator[Token]:
    """The tokens from ``at``; line ends, zeros and the binary data behind \\bin are left out."""
    match = _TOKEN.match
    while at < len(data):
        token = match(data, at)
        if token is None:  # a line end, a zero, or a backslash at the end
            at += 1
            continue
        at = token.end()
        if token[1] == b"bin":
            at += max(0, int(token[2] or 0))
        else:
            yield token.groups()


class Group:
    """What a pair of braces limits; a copy is made when a word changes it."""

    __slots__ = ("deleted", "destination", "font", "hidden", "note", "script", "skipped")

    def __init__(self) -> None:
        self.destination = b""  # fonttbl or stylesheet: text that names things
        self.skipped = b""  # the word that made this group invisible
        self.note = False
        self.hidden = False
        self.deleted = False
        self.font = -1
        self.script: tuple[str, str] | None = None  # the marks around raised or lowered text

    def but(self, **changes: object) -> Group:
        other = Group()
        for name in Group.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other
