"""Platt's curve from a model's probability to a calibrated one, its cut, and shares with intervals.

Pure: arrays in, numbers out. «yes» is what is true of each claim, «documents» where it is from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]
Names = NDArray[np.str_]

#: Probabilities of exactly 0 and 1 (a judge's) are read as this far off: their logit is finite.
_EDGE = 1e-4
_RIDGE = 1e-3  # keeps the slope finite where claims are told apart without error; set by hand
_DRAWS = 500  # of documents, for the interval of the AUROC


@dataclass(frozen=True, slots=True)
class Share:
    """A figure over ``n`` claims with its 95 % interval; all None where it cannot be counted."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.value is None:
            return "unknown (no claims to count)"
        if self.low is None:
            return f"{self.value:.2f} of {self.n}"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] of {self.n}"


@dataclass(frozen=True, slots=True)
class Curve:
    """Calibrated probability = logistic(slope × logit(model's probability) + intercept).

    ``slope`` is never negative: a falling curve would turn a model's no into a yes.
    """

    slope: float
    intercept: float

    def at(self, probabilities: Numbers) -> Numbers:
        return _logistic(self.slope * _logits(probabilities) + self.intercept)


def fit(probabilities: Numbers, yes: Truths) -> Curve:
    """The curve of greatest likelihood, its targets softened as Platt does."""
    x = _logits(probabilities)
    hits, n = int(yes.sum()), len(yes)
    target = np.where(yes, (hits + 1) / (hits + 2), 1 / (n - hits + 2))
    columns = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.zeros(2)
    for _ in range(100):
        p = _logistic(columns @ weights)
        gradient = columns.T @ (p - target) + _RIDGE * weights
        hessian = (columns.T * (p * (1 - p))) @ columns + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    if weights[0] <= 0:
        return Curve(0.0, math.log((hits + 1) / (n - hits + 1)))
    return Curve(float(weights[0]), float(weights[1]))


def held_out(probabilities: Numbers, yes: Truths, documents: Names) -> Numbers:
    """The calibrated probability of each claim by a curve that never saw its document."""
    found = np.zeros(len(yes))
    for document in np.unique(documents):
        here = documents == document
        found[here] = fit(probabilities[~here], yes[~here]).at(probabilities[here])
    return found


def lowest_cut(
    probabilities: Numbers, yes: Truths, *, precision: float, least: int
) -> float | None:
    """The lowest probability such that at and above it are ``least`` claims or more, at least the
    share ``precision`` of them true; None if there is none. Never under .5: nothing is called
    true that is likelier not."""
    for cut in np.unique(probabilities[probabilities >= 0.5]):
        above = yes[probabilities >= cut]
        if len(above) >= least and above.mean() >= precision:
            return float(cut)
    return None


def share(hits: Truths) -> Share:
    """The share of hits, with Wilson's interval."""
    n = len(hits)
    if n == 0:
        return Share(None, None, None, 0)
    z, p = 1.96, float(hits.mean())
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Share(p, max(0.0, middle - reach), min(1.0, middle + reach), n)


def auroc(scores: Numbers, yes: Truths, documents: Names) -> Share:
    """How often a true claim scores above another, ties half; the interval by drawing documents."""

    def area(rows: NDArray[np.intp]) -> float | None:
        pairs = scores[rows][yes[rows]][:, None] - scores[rows][~yes[rows]][None, :]
        return float((np.sign(pairs).mean() + 1) / 2) if pairs.size else None

    value = area(np.arange(len(yes)))
    if value is None:
        return Share(None, None, None, len(yes))
    rows = [np.flatnonzero(documents == document) for document in np.unique(documents)]
    random = np.random.default_rng(7)
    drawn = [
        area(np.concatenate([rows[i] for i in random.integers(len(rows), size=len(rows))]))
        for _ in range(_DRAWS)
    ]
    low, high = np.percentile([a for a in drawn if a is not None] or [value], [2.5, 97.5])
    return Share(value, float(low), float(high), len(yes))


def _logits(probabilities: Numbers) -> Numbers:
    p = np.clip(probabilities, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(p / (1 - p)))


def _logistic(x: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))
