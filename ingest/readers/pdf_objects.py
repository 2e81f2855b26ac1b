"""The objects of a PDF page, looked at one by one for text that a person may not see."""

from __future__ import annotations

import ctypes
import math
from ctypes import c_float, c_int, c_ulong, c_ushort
from dataclasses import dataclass
from itertools import repeat
from operator import sub
from typing import Any, Literal

from ingest.readers.pdf_calls import address, asked, function

#: Text of a smaller size in points is not to be read. This and what follows is set by hand.
TINY = 2.0
#: Letters of that size are lower than this, or, written upwards, narrower than that; so are dots
#: and strokes of any size.
_LOW, _NARROW = 3.0, 1.0
#: A colour whose red, green and blue are all at least this (of 255) may vanish on white.
_LIGHT = 230
#: Less alpha than this (of 255) is no paint; colours that differ less than this are alike.
_FAINT = 16
#: A shape can stand behind text if it is as wide and high, in points; with so many of one colour
#: all text of that colour is suspicious, which is quicker than comparing each with each.
_GROUND, _GROUNDS = 4.0, 1_000
#: Forms within forms are followed so far down.
_DEEPEST = 16
#: Kinds of objects and of painting text, by pdfium's and the specification's numbers.
_PATH, _FORM = 2, 5
_STROKED, _INVISIBLE = (1, 5), 3

Box = tuple[float, float, float, float]  # left, bottom, right, top in points
Colour = tuple[int, int, int]
Paint = tuple[int, int, int, int]  # with alpha
Matrix = tuple[float, float, float, float, float, float]
_HERE: Matrix = (1, 0, 0, 1, 0, 0)
Why = Literal["gone", "pale", "layer"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A text object worth a second look. ``why``: «gone» needs none; «pale» is seen, or letters
    of a picture show in its place, or it is hidden; on a «layer» it is seen or hidden."""

    handle: int
    box: Box
    why: Why


class Scan:
    """One pass over a page: ``texts`` are the handles of its text objects, ``suspects`` those
    among them that may be hidden."""

    def __init__(self, page: Any, *, layers: bool) -> None:
        self.texts: list[int] = []
        self.suspects: list[Suspect] = []
        self._layers = layers
        #: Shapes that text may stand on, by colour.
        self._grounds: dict[Colour, list[Box]] = {}
        self._page_box: Box = page.get_bbox()
        handle = address(page)
        every = range(function("FPDFPage_CountObjects")(handle))
        self._look("FPDFPage_GetObject", handle, every, _HERE, 0)

    def _look(self, get: str, whole: int, part: range, matrix: Matrix, depth: int) -> None:
        """The objects of a page or form. Most of what hidden text costs: filings draw 2,000 text
        objects a page, one for every letter or two [measured], so pdfium is asked in rows."""
        things = list(map(function(get), repeat(whole), part))
        modes = list(map(function("FPDFTextObj_GetTextRenderMode"), things))
        others = [thing for thing, mode in zip(things, modes, strict=True) if mode < 0]
        kinds = list(map(function("FPDFPageObj_GetType"), others))
        self._note_grounds([o for o, k in zip(others, kinds, strict=True) if k == _PATH], matrix)
        for form in (o for o, k in zip(others, kinds, strict=True) if k == _FORM):
            if depth < _DEEPEST:
                every = range(function("FPDFFormObj_CountObjects")(form))
                inner = product(_matrix(form), matrix)
                self._look("FPDFFormObj_GetObject", form, every, inner, depth + 1)
        if len(others) < len(things):
            texts = [n for n, mode in enumerate(modes) if mode >= 0]
            self._judge([things[n] for n in texts], [modes[n] for n in texts], matrix, depth)

    def _judge(self, texts: list[int], modes: list[int], matrix: Matrix, depth: int) -> None:
        """Text objects and the modes they are painted in. Nearly all of them are told to be sound
        column by column, without a look at any one."""
        self.texts += texts
        _, corners = asked(texts, "FPDFPageObj_GetBounds", "f")
        if depth:
            moved = [placed(box, matrix) for box in zip(*corners, strict=True)]
            corners = list(zip(*moved, strict=True))
        painted, colours = asked(texts, "FPDFPageObj_GetFillColor", "I")
        doubtful = {paint for paint in set(zip(*colours, strict=True)) if self._doubt(paint)}
        gone = self._outside(corners) | _tiny(texts, corners, matrix)
        odd = set(gone)
        if doubtful:
            odd.update(n for n, c in enumerate(zip(*colours, strict=True)) if c in doubtful)
        if self._layers or any(modes):
            odd.update(n for n, mode in enumerate(modes) if mode or self._layers)
        for n in sorted(odd):
            box: Box = tuple(column[n] for column in corners)
            paint: Paint = tuple(column[n] for column in colours)
            why: Why | None = "gone"
            if n not in gone:
                known = paint if painted[n] else None
                why = self._doubted(texts[n], modes[n], known, box, depth)
            if why:
                self.suspects.append(Suspect(texts[n], box, why))

    def _outside(self, corners: list[Any]) -> set[int]:
        left, bottom, right, top = self._page_box
        wests, souths, easts, norths = corners
        found = {n for n, x in enumerate(wests) if x > right} if max(wests) > right else set()
        found |= {n for n, x in enumerate(easts) if x < left} if min(easts) < left else set()
        found |= {n for n, y in enumerate(souths) if y > top} if max(souths) > top else set()
        return found | (
            {n for n, y in enumerate(norths) if y < bottom} if min(norths) < bottom else set()
        )

    def _doubted(
        self, thing: int, mode: int, paint: Paint | None, box: Box, depth: int
    ) -> Why | None:
        """Why a text object within the page is suspicious, if it is."""
        if mode == _INVISIBLE:
            return "pale"
        if self._layers and (depth or _on_layer(thing)):
            return "layer"
        if mode in _STROKED:
            (known,), (red, green, blue, alpha) = asked([thing], "FPDFPageObj_GetStrokeColor", "I")
            paint = (red[0], green[0], blue[0], alpha[0]) if known else None
        return self._pale(paint, box) if paint else None  # no colour: painted with a pattern

    def _pale(self, paint: Paint, box: Box) -> Why | None:
        doubt = self._doubt(paint)
        return "pale" if doubt is True or _on_ground(doubt, box) else None

    def _doubt(self, paint: Paint) -> list[list[Box]] | Literal[True]:
        """True for a colour that may vanish on white, else the shapes it may vanish on."""
        if paint[3] < _FAINT or min(paint[:3]) >= _LIGHT:
            return True
        return [boxes for ground, boxes in self._grounds.items() if _alike(paint, ground)]

    def _note_grounds(self, paths: list[int], matrix: Matrix) -> None:
        """Remember the filled shapes that are large enough to stand behind text."""
        _, corners = asked(paths, "FPDFPageObj_GetBounds", "f")
        for path, corner in zip(paths, zip(*corners, strict=True), strict=True):
            left, bottom, right, top = box = placed(corner, matrix)
            if right - left < _GROUND or top - bottom < _GROUND or not _is_filled(path):
                continue
            _, ((red,), (green,), (blue,), _) = asked([path], "FPDFPageObj_GetFillColor", "I")
            if min(red, green, blue) < _LIGHT + _FAINT:  # else no darker text is like it
                boxes = self._grounds.setdefault((red, green, blue), [])
                if len(boxes) < _GROUNDS:
                    boxes.append(box)


def _tiny(texts: list[int], corners: list[Any], matrix: Matrix) -> set[int]:
    """Which of the texts, by their place in the list, are drawn too small to be read."""
    wests, souths, easts, norths = corners
    low = [n for n, high in enumerate(map(sub, norths, souths)) if 0 < high < _LOW]
    low += [n for n, wide in enumerate(map(sub, easts, wests)) if 0 < wide < _NARROW]
    handles = [texts[n] for n in low]
    sizes, matrices = (c_float * len(low))(), (c_float * (6 * len(low)))()
    sizes_at, matrices_at = ctypes.addressof(sizes), ctypes.addressof(matrices)
    ends = sizes_at + 4 * len(low), matrices_at + 24 * len(low)
    list(map(function("FPDFTextObj_GetFontSize"), handles, range(sizes_at, ends[0], 4)))
    list(map(function("FPDFPageObj_GetMatrix"), handles, range(matrices_at, ends[1], 24)))
    scale = math.hypot(matrix[2], matrix[3])
    across, up = list(matrices)[2::6], list(matrices)[3::6]
    drawn = (abs(s) * math.hypot(c, d) * scale for s, c, d in zip(sizes, across, up, strict=True))
    return {n for n, size in zip(low, drawn, strict=True) if size < TINY}


def _matrix(thing: int) -> Matrix:
    numbers = (c_float * 6)(1, 0, 0, 1, 0, 0)
    function("FPDFPageObj_GetMatrix")(thing, ctypes.addressof(numbers))
    a, b, c, d, e, f = numbers
    return (a, b, c, d, e, f)


def _is_filled(path: int) -> bool:
    fill, stroke = c_int(0), c_int(0)
    function("FPDFPath_GetDrawMode")(path, ctypes.addressof(fill), ctypes.addressof(stroke))
    return fill.value != 0


def has_words(handle: int, layer: Any) -> bool:
    """Whether the text object says anything but spaces; ``layer`` is the page's text."""
    text_of, text_page = function("FPDFTextObj_GetText"), address(layer)
    size = text_of(handle, text_page, None, 0)
    buffer = (c_ushort * (size // 2 + 1))()
    text_of(handle, text_page, ctypes.addressof(buffer), size)
    return any(not chr(unit).isspace() for unit in buffer if unit)


def _on_layer(thing: int) -> bool:
    """Whether the object is marked as optional content."""
    mark_of, name_of = function("FPDFPageObj_GetMark"), function("FPDFPageObjMark_GetName")
    size, name = c_ulong(), (c_ushort * 8)()
    for number in range(function("FPDFPageObj_CountMarks")(thing)):
        name_of(mark_of(thing, number), ctypes.addressof(name), 16, ctypes.addressof(size))
        if size.value == 6 and name[:2] == [ord("O"), ord("C")]:  # UTF-16, ended by a zero
            return True
    return False


def _alike(paint: Paint, ground: Colour) -> bool:
    return all(abs(a - b) < _FAINT for a, b in zip(paint, ground, strict=False))  # without alpha


def _on_ground(grounds: list[list[Box]], box: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(
        len(boxes) >= _GROUNDS
        or any(left <= x <= right and bottom <= y <= top for left, bottom, right, top in boxes)
        for boxes in grounds
    )


def placed(box: Box, matrix: Matrix) -> Box:
    """The upright box around a box that the matrix has moved."""
    left, bottom, right, top = box
    if matrix == _HERE:
        return box
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return min(xs), min(ys), max(xs), max(ys)


def product(inner: Matrix, outer: Matrix) -> Matrix:
    """First ``inner``, then ``outer``, as the matrices of PDF go."""
    a, b, c, d, e, f = inner
    g, h, i, j, k, l = outer  # noqa: E741 - the letters of the formula
    return (
        a * g + b * i, a * h + b * j,
        c * g + d * i, c * h + d * j,
        e * g + f * i + k, e * h + f * j + l,
    )  # fmt: skip
