"""Text of a PDF page that a person cannot see, told by drawing the page with and without it.

Suspicious is text in a colour close to white or to a shape beneath it, transparent, in the
invisible mode, on a layer, smaller than 2 points or off the page. Tiny and off-page text is
hidden. Of the rest the page decides: what leaves no trace when it is taken away was not to be seen
— unless a picture or drawing shows letters in its place, as under the text layer of a scan.

Not noticed: text covered by something, and text that is clipped away.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from ingest.readers.pdf_calls import function
from ingest.readers.pdf_objects import Box, Scan, Suspect, has_words

#: Drawn at this many pixels an inch, fewer where the page would have more than four million.
#: This and what follows is set by hand.
_DPI, _PIXELS = 100, 4_000_000
#: A pixel's grey (of 255) must change by this when text is taken away that was seen.
_SEEN = 16
#: Letters in a picture: this share of the pixels differs by this much from the middle one.
_INK, _INK_SHARE = 48, 0.05


def conceal(page: Any, layer: Any, *, layers: bool) -> bool:
    """Switch off the page's text that nobody sees; True when there is any.

    ``page`` and ``layer`` are pdfium's page and its text page, ``layers`` says whether the file may
    have layers to switch off. A page without size cannot be looked at: ValueError.
    """
    scan = Scan(page, layers=layers)
    suspects = [text for text in scan.suspects if has_words(text.handle, layer)]
    hidden = [text for text in suspects if text.why == "gone"]
    if doubtful := [text for text in suspects if text.why != "gone"]:
        hidden += _unseen(page, doubtful, scan.texts)
    _switch((text.handle for text in hidden), on=False)
    return bool(hidden)


def _unseen(page: Any, doubtful: list[Suspect], texts: list[int]) -> list[Suspect]:
    view, handles = _View(page), [text.handle for text in doubtful]
    whole = view.draw()
    _switch(handles, on=False)
    without = view.draw()
    _switch(handles, on=True)
    unseen = [text for text in doubtful if not view.differ(whole, without, text.box)]
    if not any(text.why == "pale" for text in unseen):
        return unseen
    _switch(texts, on=False)
    pictures = view.draw()
    _switch(texts, on=True)
    pale = [text for text in unseen if text.why == "pale"]
    bare = [text for text in pale if not view.has_letters(pictures, text.box)]
    if 2 * len(bare) < len(pale):  # the text layer of a scan, some words of it out of place
        bare = []
    return bare + [text for text in unseen if text.why == "layer"]


def _switch(handles: Iterable[int], *, on: bool) -> None:
    """An object that is off is neither drawn nor part of the text."""
    set_active = function("FPDFPageObj_SetIsActive")
    for handle in handles:
        set_active(handle, on)


class _View:
    """The page as a grey picture, one byte a pixel, and where a box of the page lies in it."""

    def __init__(self, page: Any) -> None:
        self._page = page
        width, height = (max(side, 1.0) for side in page.get_size())
        self._scale = min(_DPI / 72, math.sqrt(_PIXELS / (width * height)))
        self._width = self._height = self._stride = 0
        self._place: Any = None

    def draw(self) -> bytes:
        bitmap = self._page.render(
            scale=self._scale, grayscale=True, may_draw_forms=False, draw_annots=False
        )
        with closing(bitmap):
            self._width, self._height, self._stride = bitmap.width, bitmap.height, bitmap.stride
            self._place = bitmap.get_posconv(self._page)
            return bytes(bitmap.buffer)

    def differ(self, one: bytes, other: bytes, box: Box) -> bool:
        """Whether the two pictures show anything different in the box."""
        for row in self._rows(box):
            a, b = one[row], other[row]
            if a != b and any(abs(x - y) >= _SEEN for x, y in zip(a, b, strict=True)):
                return True
        return False

    def has_letters(self, picture: bytes, box: Box) -> bool:
        """Whether the picture shows something as uneven as letters in the box."""
        shades = Counter[int]()
        for row in self._rows(box):
            shades.update(picture[row])
        total, below, middle = shades.total(), 0, 0
        for middle in sorted(shades):
            below += shades[middle]
            if 2 * below >= total:
                break
        ink = sum(count for shade, count in shades.items() if abs(shade - middle) >= _INK)
        return ink > _INK_SHARE * total

    def _rows(self, box: Box) -> Iterable[slice]:
        """The bytes of each row of the box, at least one pixel wide and high."""
        left, bottom, right, top = box
        corners = [self._place.to_bitmap(x, y) for x in (left, right) for y in (bottom, top)]
        west, east = (pick(x for x, _ in corners) for pick in (min, max))
        north, south = (pick(y for _, y in corners) for pick in (min, max))
        west, east = max(0, west - 1), min(self._width, east + 2)
        for y in range(max(0, north - 1), min(self._height, south + 2)):
            yield slice(y * self._stride + west, y * self._stride + max(west, east))
