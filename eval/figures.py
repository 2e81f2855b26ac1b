"""How figures are written in reports and tables: percentages, points, seconds, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from eval.compare import is_time
from eval.records import Difference

#: Stands where there is no figure: not a zero, and not left out.
NOTHING = "–"


def percent(value: float | None) -> str:
    """«85 %», below ten «2.4 %»; «–» for None."""
    return NOTHING if value is None else f"{_hundredths(value)} %"


def _hundredths(value: float) -> str:
    """Hundredths as text: a decimal only where it says something, and never a rounded 0 or 100
    for what is neither."""
    shown = value * 100
    if shown == round(shown) or not (shown < 10 or shown > 99):
        return f"{shown:.0f}"
    return f"{min(max(shown, 0.1), 99.9) if 0 < shown < 100 else shown:.1f}"


def rate(figure: Mapping[str, Any] | None) -> str:
    """A rate as the summary has it: «85 % [78, 91]»."""
    if figure is None or figure.get("value") is None:
        return NOTHING
    return f"{percent(figure['value'])}{_interval(figure)}"


def _interval(figure: Mapping[str, Any]) -> str:
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return ""
    return f" [{_hundredths(low)}, {_hundredths(high)}]"


def seconds(value: float | None) -> str:
    """«0.3 ms», «0.08 s», «3.4 s», «75 s»; «–» for None."""
    if value is None:
        return NOTHING
    if 0 < value < 0.01:
        return f"{value * 1000:.1f} ms"
    digits = 0 if value >= 20 or not value else 1 if value >= 1 else 2
    return f"{value:.{digits}f} s"


def signed(value: float) -> str:
    """Hundredths with their sign: «+4», «−12», «0», below ten in size with one decimal; the minus
    is a real one. What has no bound is «∞»."""
    shown = value * 100
    if math.isinf(shown):
        return "∞" if shown > 0 else "−∞"
    text = f"{abs(shown):.0f}" if abs(shown) >= 10 else f"{abs(shown):.1f}".removesuffix(".0")
    if text == "0":
        return "0"
    return ("+" if shown > 0 else "−") + text


def change(difference: Difference) -> str:
    """«−12 points [−20, −4]» for a share, «+38 % [+20, +60]» for a time, which is a ratio."""
    if difference.change is None:
        return NOTHING
    text = f"{signed(difference.change)} {'%' if is_time(difference.metric) else 'points'}"
    if difference.low is None or difference.high is None:
        return text
    return f"{text} [{signed(difference.low)}, {signed(difference.high)}]"


def before_after(difference: Difference) -> tuple[str, str]:
    """Both figures in their own unit."""
    write = seconds if is_time(difference.metric) else percent
    return write(difference.before), write(difference.after)
