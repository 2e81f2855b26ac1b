"""Two runs on the same questions: the difference, how likely by chance, how many it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.statistics import (
    BLOCK,
    DRAWS,
    SEED,
    Chance,
    Floats,
    Sample,
    Z,
    bootstrap,
    by_cluster,
    unseen,
)

#: The least power that `questions_needed` plans for: a real difference is seen four times in five.
POWER = 0.8
_FEW = 12  # questions whose swaps are all tried: as many as DRAWS
_EQUAL = 1e-12  # figures closer than that are the same but for rounding


def difference(before: Sample, after: Sample) -> tuple[float, float, float]:
    """(after − before, low, high), 95 %, by drawing documents; both hold the same questions.

    Quantiles as Hesterberg's expanded percentile interval takes them: a bootstrap of n documents
    is too narrow by √(n/(n − 1)) and by the normal in Student's place.
    """
    parts = np.column_stack([*by_cluster(before), *by_cluster(after)])
    point = float(_contrast(parts.sum(axis=0)))
    return point, *bootstrap(parts, _contrast)


def difference_of_shares(before: Sample, after: Sample) -> tuple[float, float, float]:
    """The same of figures in [0, 1]. Where no draw differs from another, so many documents as
    Wilson's bound allows may have changed otherwise, by anything."""
    change, low, high = difference(before, after)
    if high - low < _EQUAL:
        other = unseen(len(by_cluster(before)[0]))
        low, high = change - other * (1 + change), change + other * (1 - change)
    return change, max(-1.0, low), min(1.0, high)


def swapped(before: Sample, after: Sample) -> Chance:
    """The runs swapped at random, question by question: how often is the difference as large?

    Exchangeability holds question by question whatever the documents are, so the questions are
    the units here, and a few documents do not stand in the way.
    """
    parts = np.column_stack([before.top, before.bottom, after.top, after.bottom])
    moved = parts[(before.top != after.top) | (before.bottom != after.bottom)]
    total = parts.sum(axis=0)
    if len(moved) == 0:
        return Chance(1.0, 1.0, 1.0)
    seen = float(_contrast(total))
    shift = np.column_stack([moved[:, 2:] - moved[:, :2], moved[:, :2] - moved[:, 2:]])
    drawn = np.concatenate([_contrast(total + s @ shift) for s in _swaps(len(moved))])
    tied = float((np.abs(drawn - seen) < _EQUAL).mean()) / 2
    fall = float((drawn < seen - _EQUAL).mean()) + tied
    lowest = float((drawn < drawn.min() + _EQUAL).mean())
    highest = float((drawn > drawn.max() - _EQUAL).mean())
    least = 1 / (DRAWS + 1)
    return Chance(max(fall, least), max(1 - fall, least), max(min(lowest, highest) / 2, least))


def _swaps(moved: int) -> Iterator[NDArray[np.int64]]:
    """Which of the questions that moved are swapped, a row a draw: all ways there are where they
    are few, else at random."""
    if moved <= _FEW:
        yield np.arange(2**moved)[:, None] >> np.arange(moved) & 1
        return
    random = np.random.default_rng(SEED)
    for _ in range(DRAWS // BLOCK):
        yield random.integers(0, 2, size=(BLOCK, moved))


def tarone(probabilities: Sequence[float], attainable: Sequence[float], level: float) -> list[bool]:
    """Which of many figures changed, by Tarone's and Holm's method: the chance that any unchanged
    figure is among them is ``level`` at most.

    ``attainable``: the least probability that each test could have come to. Where too few
    questions changed for that to matter, the figure could not raise a false alarm, and does not
    make the others wait for it.
    """
    told = [False] * len(probabilities)
    while left := [i for i, known in enumerate(told) if not known]:
        bar = next(
            k for k in range(1, len(left) + 1)
            if sum(attainable[i] <= level / k for i in left) <= k
        )  # fmt: skip
        new = [i for i in left if probabilities[i] <= level / bar]
        if not new:
            break
        for i in new:
            told[i] = True
    return told


# ---------------------------------------------------------------------- planning


def questions_needed(points: float, deviation: float) -> int:
    """How many questions it takes to see a difference of ``points`` (.05: five points) with 80 %
    power at 95 %, if paired differences have the standard deviation ``deviation``."""
    return max(1, math.ceil(((Z + NormalDist().inv_cdf(POWER)) * deviation / points) ** 2))


def deviation_of_pairs(before: Sample, after: Sample) -> float | None:
    """The standard deviation, for each question, of what it adds to the difference, spread between
    documents included; None with fewer than two questions."""
    units = len(before.ids)
    if units < 2:
        return None
    variance = _variance(_added(after) - _added(before), before.clusters)
    return math.sqrt(units * variance)


def deviation_of_one(counted: Sample) -> float | None:
    """The same before there is a second run: as if it were independent of this one, which it is
    not, so the number of questions that follows is an upper bound."""
    units = len(counted.ids)
    if units < 2:
        return None
    return math.sqrt(2 * units * _variance(_added(counted), counted.clusters))


def _added(counted: Sample) -> Floats:
    """What each question adds to the figure, to first order."""
    added = (counted.top - (counted.value or 0.0) * counted.bottom) / counted.bottom.mean()
    return np.asarray(added, dtype=np.float64)


def _variance(added: Floats, clusters: Sequence[str]) -> float:
    """Variance of the mean of ``added``, whole documents drawn."""
    _, where = np.unique(np.array(clusters), return_inverse=True)
    units = int(where.max()) + 1
    if units == 1:
        where, units = np.arange(len(added)), len(added)
    sums = np.bincount(where, weights=added)
    return float((sums**2).sum()) / len(added) ** 2 * units / (units - 1)


def _contrast(parts: NDArray[Any]) -> Floats:
    """after − before, of (…, 4) sums: top and bottom before, top and bottom after."""
    return np.asarray(parts[..., 2] / parts[..., 3] - parts[..., 0] / parts[..., 1])
