"""Plots as inline SVG: no script, no style sheet needed, no picture from anywhere.

Nothing is said by colour alone: marks differ in shape, shades in lightness, and figures stand
beside them, so a plot reads the same in print and to colour-blind eyes. The two colours, blue and
vermilion, are of the palette of Okabe and Ito, chosen to stay apart under every colour blindness.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal

from eval.figures import percent, seconds
from eval.markup import Markup, element, joined

_INK, _GREY, _GRID = "#1a1a1a", "#555555", "#c8c8c8"
_BLUE, _VERMILION = "#0072b2", "#d55e00"


@dataclass(frozen=True, slots=True)
class Point:
    """One run in a trend. ``value`` None leaves a gap; ``edited`` marks that other questions were
    asked than before."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    kind: Literal["earlier", "baseline", "this"] = "earlier"
    edited: bool = False


def interval(value: float | None, low: float | None, high: float | None, name: str) -> Markup:
    """A share on a scale from 0 to 100 %: a bar over its interval, a diamond at its value."""
    if value is None:
        return _svg(200, 18, f"{name}: no figure", _line(4, 9, 196, 9, _GRID))
    at, left, right = (
        4 + 192 * share for share in (value, low or 0.0, 1.0 if high is None else high)
    )
    said = f"{name}: {percent(value)}, interval {percent(low)} to {percent(high)}"
    ticks = [_line(4 + 192 * share, 5, 4 + 192 * share, 13, _GRID) for share in (0, 0.5, 1)]
    bar = _line(left, 9, right, 9, _BLUE, 5) if low is not None else None
    return _svg(200, 18, said, _line(4, 9, 196, 9, _GRID), *ticks, bar, _diamond(at, 9, 5, _INK))


def shares(parts: Sequence[tuple[str, str, float | None]]) -> Markup:
    """Shares that make a whole, as one bar: (mark, name, share) from left to right."""
    pieces: list[Markup] = []
    left = 0.0
    for (mark, _, share), (fill, ink) in zip(parts, _SHADES, strict=True):
        width = 600 * (share or 0.0)
        if width:
            pieces.append(
                element("rect", x=_n(left), y=1, width=_n(width), height=42, fill=fill, stroke=_INK)
            )
        if width > 24:  # room for the mark; the list beside the plot has them all
            pieces.append(_text(left + width / 2, 30, mark, anchor="middle", size=24, fill=ink))
        left += width
    said = ", ".join(f"{name} {percent(share)}" for _, name, share in parts)
    return _svg(600, 44, said, *pieces)


#: (fill, mark on it) for supported, no mismatch, flagged, unverified: far apart in lightness.
_SHADES = (("#0072b2", "#ffffff"), ("#b9dcf2", _INK), ("#8a3400", "#ffffff"), ("#ffffff", _INK))


def swatch(part: int, name: str) -> Markup:
    """The shade of a part of `shares`, to stand beside its name."""
    fill = _SHADES[part][0]
    square = element("rect", x=1, y=1, width=12, height=12, fill=fill, stroke=_INK)
    return _svg(14, 14, f"shade of {name}", square)


def latency(p50: float | None, p95: float | None, top: float, name: str) -> Markup:
    """Seconds on a scale from 0 to ``top``: a bar to the median, a line on to the slow tail."""
    if p50 is None or not top:
        return _svg(200, 18, f"{name}: no figure", _line(4, 9, 196, 9, _GRID))
    middle = 4 + 192 * min(1.0, p50 / top)
    tail = 4 + 192 * min(1.0, (p95 or p50) / top)
    said = f"{name}: median {seconds(p50)}, 95th percentile {seconds(p95)}"
    bar = element("rect", x=4, y=4, width=_n(middle - 4), height=10, fill=_BLUE)
    end = _line(tail, 4, tail, 14, _INK, 2)
    return _svg(200, 18, said, bar, _line(middle, 9, tail, 9, _INK, 2), end)


def trend(title: str, points: Sequence[Point], *, timed: bool = False) -> Markup:
    """A figure over runs with its intervals: rings for runs before, a square for the baseline, a
    diamond for this one, a broken upright where the questions were edited. Evenly spaced, by order
    and not by date."""
    write = seconds if timed else percent
    top = _top([p.high if p.high is not None else p.value for p in points], timed=timed)
    xs = [_spread(i, len(points)) for i in range(len(points))]

    def y(value: float) -> float:
        return 112 - 84 * min(1.0, max(0.0, value / top))

    axis = [
        piece
        for share in (0.0, 0.5, 1.0)
        for piece in (
            _line(52, y(top * share), 292, y(top * share), _GRID),
            _text(48, y(top * share) + 4, write(top * share), anchor="end"),
        )
    ]
    drawn = [
        piece
        for x, p in zip(xs, points, strict=True)
        if p.value is not None
        for piece in (
            _line(x, y(p.low), x, y(p.high), _BLUE, 1.5)
            if p.low is not None and p.high is not None
            else None,
            _MARKS[p.kind](x, y(p.value)),
        )
    ]
    places = [None if p.value is None else (x, y(p.value)) for x, p in zip(xs, points, strict=True)]
    joints = [i for i, p in enumerate(points) if p.edited and i]
    last = points[-1]
    edits = f", questions edited {len(joints)} times" if joints else ""
    said = f"{title} over {len(points)} runs, last {write(last.value)}{edits}"
    return _svg(
        300, 136, said, *axis, *_lines(places, joints), *drawn,
        *(_edit((xs[i - 1] + xs[i]) / 2) for i in joints),
        element("text", title, x=4, y=14, font_size=13, font_weight="bold", fill=_INK),
        _text(292, 14, write(last.value), anchor="end", size=13),
        _text(xs[0], 130, points[0].label, anchor="middle" if len(points) == 1 else "start"),
        _text(292, 130, last.label, anchor="end") if len(points) > 1 else None,
    )  # fmt: skip


def _lines(places: Sequence[tuple[float, float] | None], joints: Sequence[int]) -> Iterator[Markup]:
    """A line through the places, interrupted where there is no figure and at each joint: figures
    of different questions are no course of one thing."""
    ends = [0, *joints, len(places)]
    for start, end in pairwise(ends):
        for known, run in groupby(places[start:end], key=lambda place: place is not None):
            if known:
                path = " ".join(f"{_n(x)},{_n(y)}" for x, y in filter(None, run))
                yield element("polyline", points=path, fill="none", stroke=_BLUE, stroke_width=1.5)


def _edit(x: float, top: int = 24, bottom: int = 112) -> Markup:
    """A broken upright line."""
    return joined(*(_line(x, y, x, y + 5, _INK) for y in range(top, bottom, 9)))


def _spread(i: int, n: int) -> float:
    return 172.0 if n == 1 else 60 + 224 * i / (n - 1)


def _top(values: Sequence[float | None], *, timed: bool) -> float:
    """The end of the scale: a round number at or above all values, 100 % for most shares."""
    most = max((v for v in values if v is not None), default=0.0)
    steps = [0.05, 0.1, 0.2, 0.4, 1.0]
    if timed:
        steps = [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 4)]
    return next((step for step in steps if most <= step), steps[-1])


# ------------------------------------------------------------------ shapes


def _svg(width: int, height: int, said: str, *pieces: Markup | None) -> Markup:
    """A picture with what it says in words, for who cannot see it."""
    return element(
        "svg", element("title", said), *pieces,
        viewBox=f"0 0 {width} {height}", width=width, height=height, role="img",
    )  # fmt: skip


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1) -> Markup:
    ends = {"x1": _n(x1), "y1": _n(y1), "x2": _n(x2), "y2": _n(y2)}
    return element("line", **ends, stroke=stroke, stroke_width=width)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 11, fill: str = _GREY
) -> Markup:
    return element("text", text, x=_n(x), y=_n(y), font_size=size, text_anchor=anchor, fill=fill)


def _diamond(x: float, y: float, r: float, fill: str) -> Markup:
    corners = ((x, y - r), (x + r, y), (x, y + r), (x - r, y))
    points = " ".join(f"{_n(a)},{_n(b)}" for a, b in corners)
    return element("polygon", points=points, fill=fill, stroke="#ffffff", stroke_width=0.8)


def _ring(x: float, y: float) -> Markup:
    return element(
        "circle", cx=_n(x), cy=_n(y), r=3.5, fill="#ffffff", stroke=_BLUE, stroke_width=1.5
    )


def _square(x: float, y: float) -> Markup:
    return element("rect", x=_n(x - 4), y=_n(y - 4), width=8, height=8, fill="#ffffff", stroke=_INK)


def _now(x: float, y: float) -> Markup:
    return _diamond(x, y, 6, _VERMILION)


_MARKS = {"earlier": _ring, "baseline": _square, "this": _now}


def _n(number: float) -> str:
    """A coordinate with at most two decimals."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def legend(*, edited: bool) -> Markup:
    """The marks of `trend`, beside their meaning."""
    keys = [
        ("a run before", _ring(7, 7)),
        ("compared with", _square(7, 7)),
        ("this run", _now(7, 7)),
    ]
    if edited:
        keys.append(("questions edited", _edit(7, 0, 14)))
    return joined(
        *(
            element("span", _svg(14, 14, name, mark), " ", name, class_="key")
            for name, mark in keys
        )
    )  # fmt: skip


def forest(title: str, rows: Sequence[tuple[str, float, float, float, str]]) -> Markup:
    """Differences around zero: (name, change, low, high, the same in words) a row. The interval is
    a line, thick where it leaves out zero."""
    reach = max([0.05, *(min(1.0, abs(bound)) for row in rows for bound in row[1:4])])
    height = 24 * len(rows) + 48

    def x(value: float) -> float:
        return 400 + 130 * max(-1.0, min(1.0, value / reach))

    drawn: list[Markup] = []
    for i, (called, moved, low, high, said) in enumerate(rows):
        y = 42 + 24 * i
        apart = low > 0 or high < 0
        drawn += [
            _text(4, y + 4, called, size=12, fill=_INK),
            _line(x(low), y, x(high), y, _BLUE, 5 if apart else 1.5),
            _diamond(x(moved), y, 5, _INK),
            _text(544, y + 4, said, size=12, fill=_INK),
        ]
    zero = _line(400, 26, 400, height - 14, _GREY)
    ends = [
        _text(x(edge), height - 2, f"{edge * 100:+.0f}".replace("-", "−"), anchor="middle")
        for edge in (-reach, reach)
    ]
    head = _text(4, 16, title, size=13, fill=_INK)
    return _svg(720, height, f"{title}: " + "; ".join(f"{r[0]} {r[4]}" for r in rows),
                head, zero, *drawn, *ends)  # fmt: skip
