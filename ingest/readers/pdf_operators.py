"""What a page that pypdf reads shows of its text, told from the operators of its content.

pypdf draws nothing, so this is coarser than `ingest.readers.pdf_hidden` and leaves text in when in
doubt. Found is text in the invisible mode, without alpha, in white, smaller than 2 points or off
the page. White text stays where a shape or picture was painted before it or a picture lies behind
it, invisible text where a picture lies: the text layer of a scan.

Not noticed: layers, and text in the colour of the shape beneath it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.readers.pdf_objects import TINY, Box, Matrix, placed, product

#: Red, green and blue of text as pale as this (of 1) are less than a sixteenth off white, the
#: difference that counts as seen when a page is drawn. This and what follows is set by hand.
_WHITE = 1 - 16 / 255
#: Less alpha than this is no paint.
_FAINT = 16 / 255
#: After so many shapes or pictures every place is taken to have one, which is quicker.
_MOST = 1_000
_EVERYWHERE: Box = (-math.inf, -math.inf, math.inf, math.inf)

Colour = tuple[float, float, float] | None  # None: a pattern, or a space that is not looked into
_BLACK: Colour = (0, 0, 0)
_SHOWING = frozenset((b"Tj", b"TJ", b"'", b'"'))
_FILLING = frozenset((b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"))
_PATH_ENDS = _FILLING | {b"S", b"s", b"n"}
_POINTS = {b"m": 2, b"l": 2, b"c": 6, b"v": 4, b"y": 4}
_INVISIBLE, _STROKED = 3, (1, 5)


@dataclass(frozen=True, slots=True)
class _State:
    """The part of the graphics state that decides what is seen."""

    matrix: Matrix = (1, 0, 0, 1, 0, 0)
    fill: Colour = _BLACK
    stroke: Colour = _BLACK
    fill_known: bool = True  # whether sc and scn give grey, red-green-blue or inks
    stroke_known: bool = True
    alpha: float = 1
    width: float = 1
    size: float = 1
    mode: int = 0
    resources: Any = field(default_factory=dict)


class Seen:
    """Two passes of pypdf over one page's operators: the first, with ``before`` and ``after`` as
    visitors, finds the ``unseen`` pieces by their order, the second, with ``blank``, empties them.
    """

    def __init__(self, page_box: Box, resources: Any) -> None:
        self._page_box = page_box
        self._state, self._saved = _State(resources=resources), list[_State]()
        self._forms: list[int] = []
        self._path: list[tuple[float, float]] = []
        self._grounds: list[Box] = []
        self._pictures: list[Box] = []
        #: Pieces that are seen only if a picture lies behind the point.
        self._doubtful: list[tuple[int, tuple[float, float]]] = []
        self._gone: list[int] = []
        self._shown = self._again = 0

    @property
    def unseen(self) -> frozenset[int]:
        """Which of the pieces of text shown, counted from 0, a person cannot see."""
        pale = (n for n, point in self._doubtful if not _within(self._pictures, point))
        return frozenset((*self._gone, *pale))

    def blank(self) -> Callable[[bytes, list[Any], Any, Any], None]:
        """A visitor that takes the unseen pieces out of the operators before pypdf reads them."""
        unseen = self.unseen

        def visit(operator: bytes, operands: list[Any], _cm: Any, _tm: Any) -> None:
            if operator in _SHOWING:
                if self._again in unseen:
                    operands[-1] = type(operands[-1])()
                self._again += 1

        return visit

    def before(self, operator: bytes, operands: list[Any], _cm: Any, text_matrix: Any) -> None:
        """Visitor before an operator: text and forms. What cannot be read changes nothing."""
        if operator in _SHOWING:
            self._shown += 1
            if operands and isinstance(operands[-1], str | bytes | list):
                self._judge(operands[-1], text_matrix)
        elif operator == b"Do":
            self._forms.append(len(self._saved))
            self._saved.append(self._state)
            self._enter(operands)

    def after(self, operator: bytes, operands: list[Any], _cm: Any, _tm: Any) -> None:
        """Visitor behind an operator: what it has changed."""
        if operator == b"Do":  # also closes what the form has left open
            depth = self._forms.pop()
            self._state = self._saved[depth]
            del self._saved[depth:]
        elif operator == b"q":
            self._saved.append(self._state)
        elif operator == b"Q":
            if len(self._saved) > (self._forms[-1] + 1 if self._forms else 0):
                self._state = self._saved.pop()
        elif operator == b"sh":
            _note(self._grounds, _EVERYWHERE)
        elif operator == b"INLINE IMAGE":
            _note(self._pictures, placed((0, 0, 1, 1), self._state.matrix))
        elif operator in _PATH_ENDS:
            self._paint(operator)
        else:
            try:
                self._set(operator, operands)
            except (TypeError, ValueError, IndexError, KeyError, AttributeError):
                return  # not the operands of this operator: viewers skip it too

    def _set(self, operator: bytes, operands: list[Any]) -> None:
        state = self._state
        if operator == b"re":
            x, y, width, height = map(float, operands)
            self._path += [(x, y), (x + width, y + height), (x, y + height), (x + width, y)]
        elif operator in _POINTS:
            numbers = [float(n) for n in operands[: _POINTS[operator]]]
            self._path += zip(numbers[::2], numbers[1::2], strict=True)
        elif operator == b"cm":
            a, b, c, d, e, f = map(float, operands)
            self._state = replace(state, matrix=product((a, b, c, d, e, f), state.matrix))
        elif operator == b"Tf":
            self._state = replace(state, size=float(operands[1]) * _unit(state, operands[0]))
        elif operator == b"Tr":
            self._state = replace(state, mode=int(operands[0]))
        elif operator == b"w":
            self._state = replace(state, width=float(operands[0]))
        elif operator == b"gs":
            wanted = state.resources["/ExtGState"][operands[0]]
            self._state = replace(state, alpha=float(wanted.get("/ca", state.alpha)))
        else:
            self._state = _coloured(state, operator, operands)

    def _enter(self, operands: list[Any]) -> None:
        """A picture is noted; a form is drawn with its own matrix and resources."""
        state = self._state
        try:
            thing = state.resources["/XObject"][operands[0]]
            if thing["/Subtype"] == "/Image":
                _note(self._pictures, placed((0, 0, 1, 1), state.matrix))
                return
            a, b, c, d, e, f = map(float, thing.get("/Matrix", (1, 0, 0, 1, 0, 0)))
            own = thing.get("/Resources", state.resources)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError):
            return  # not there or not a form: nothing of it is drawn
        inner = product((a, b, c, d, e, f), state.matrix)
        self._state = replace(state, matrix=inner, resources=own)

    def _paint(self, operator: bytes) -> None:
        """Remember where a path paints anything but white, then begin the next path."""
        path, self._path, state = self._path, [], self._state
        filled = operator in _FILLING
        colour = state.fill if filled else state.stroke
        if not path or operator == b"n" or _is_white(colour):
            return
        margin = 0 if filled else state.width / 2
        xs, ys = [x for x, _ in path], [y for _, y in path]
        box = (min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)
        _note(self._grounds, placed(box, state.matrix))

    def _judge(self, said: Any, text_matrix: Matrix) -> None:
        state, number = self._state, self._shown - 1
        a, b, c, d, e, f = product(text_matrix, state.matrix)
        size = abs(state.size)
        if size * math.hypot(c, d) < TINY or self._is_outside(
            placed((0, -size, _length(said) * size, size), (a, b, c, d, e, f))
        ):
            self._gone.append(number)
            return
        point = e + size * (a + c) / 3, f + size * (b + d) / 3  # within the first letter
        colour = state.stroke if state.mode in _STROKED else state.fill
        white = state.alpha < _FAINT or _is_white(colour)
        if state.mode == _INVISIBLE or (white and not _within(self._grounds, point)):
            self._doubtful.append((number, point))

    def _is_outside(self, box: Box) -> bool:
        left, bottom, right, top = self._page_box
        return box[2] < left or box[0] > right or box[3] < bottom or box[1] > top


def _unit(state: _State, font: Any) -> float:
    """What a font's sizes are multiples of: points, but for fonts that are drawn like pages."""
    try:
        matrix = state.resources["/Font"][font]["/FontMatrix"]
        return max(abs(float(n)) for n in matrix[:4]) * 1000
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        return 1  # no font of that kind


def _coloured(state: _State, operator: bytes, operands: list[Any]) -> _State:
    """The state after an operator that sets a colour, or the same state."""
    name = operator.lower()
    if name not in (b"g", b"rg", b"k", b"cs", b"sc", b"scn"):
        return state
    fill = operator == name
    if name == b"cs":  # every space begins with black, or what nobody knows
        known = _is_plain(state.resources, operands[0])
        colour: Colour = _BLACK if known else None
    else:
        known = name in (b"g", b"rg", b"k") or (state.fill_known if fill else state.stroke_known)
        colour = _mixed([float(n) for n in operands]) if known else None
    if fill:
        return replace(state, fill=colour, fill_known=known)
    return replace(state, stroke=colour, stroke_known=known)


def _is_plain(resources: Any, name: Any) -> bool:
    """Whether a colour of the space is grey, red-green-blue or four inks."""
    if name in ("/DeviceGray", "/DeviceRGB", "/DeviceCMYK"):
        return True
    try:
        space = resources["/ColorSpace"][name]
        family = str(space if isinstance(space, str) else space[0])
    except (TypeError, IndexError, KeyError, AttributeError):
        return False  # a pattern, or a space that the page does not have
    return family in (
        "/DeviceGray", "/DeviceRGB", "/DeviceCMYK", "/ICCBased", "/CalGray", "/CalRGB",
    )  # fmt: skip


def _mixed(numbers: list[float]) -> Colour:
    if len(numbers) == 1:
        return numbers[0], numbers[0], numbers[0]
    if len(numbers) == 3:
        return numbers[0], numbers[1], numbers[2]
    if len(numbers) == 4:
        cyan, magenta, yellow, black = numbers
        return 1 - cyan - black, 1 - magenta - black, 1 - yellow - black
    return None


def _is_white(colour: Colour) -> bool:
    return colour is not None and min(colour) > _WHITE


def _length(said: str | bytes | list[Any]) -> float:
    """How far a string or a row of strings and shifts reaches at most, in font sizes: no letter is
    taken to be wider than high."""
    if isinstance(said, str | bytes):
        return len(said)
    reach = 0.0
    for part in said:
        if isinstance(part, str | bytes):
            reach += len(part)
        elif isinstance(part, int | float):  # thousandths, against the direction of writing
            reach += max(0.0, -part / 1000)
    return reach


def _note(boxes: list[Box], box: Box) -> None:
    if len(boxes) < _MOST:
        boxes.append(box if len(boxes) + 1 < _MOST else _EVERYWHERE)


def _within(boxes: list[Box], point: tuple[float, float]) -> bool:
    x, y = point
    return any(w <= x <= e and s <= y <= n for w, s, e, n in boxes)
