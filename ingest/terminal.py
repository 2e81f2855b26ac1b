"""Text within the width of a terminal, and the codes that draw it there."""

from __future__ import annotations

import math
import os
import unicodedata
from typing import TextIO


def meter(share: float, left: str, width: int) -> str:
    """«[####------] 41 %, about 40 min left», the bar as wide as there is room for it."""
    words = f"{math.floor(share * 100)} %{', ' if left else ''}{left}"
    room = min(40, width - len(words) - 3)
    if room < 5:
        return words if len(words) <= width else words.partition(",")[0]
    full = round(share * room)
    return f"[{'#' * full}{'-' * (room - full)}] {words}"


def middle(text: str, width: int) -> str:
    """Text of one line in at most ``width`` columns, the end kept as well as the beginning."""
    if columns(text) <= width:
        return text
    head, tail = "", ""
    for first, last in zip(text, reversed(text), strict=True):
        if columns(head + tail + last) >= width:
            break
        tail = last + tail
        if columns(head + tail + first) >= width:
            break
        head += first
    return f"{head}…{tail}" if width > 0 else ""


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    marks = sum(unicodedata.category(c) in ("Mn", "Me") for c in text)
    wide = sum(unicodedata.east_asian_width(c) in ("W", "F") for c in text)
    return len(text) - marks + wide


def wiped(shown: list[str], width: int) -> str:
    """To the start of what is shown, and clear it: counted in the rows that it takes in a
    terminal of this width, which may have become narrower since."""
    rows = sum(max(1, math.ceil(columns(line) / width)) for line in shown)
    return f"\r\x1b[{rows}A\x1b[J" if rows else ""


def terminal_size(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of the terminal now."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except OSError:
        size = os.terminal_size((80, 24))
    return size.columns or 80, size.lines or 24
