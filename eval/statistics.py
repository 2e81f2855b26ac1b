"""Rates with intervals that hold.

Questions about one document stand or fall together, so whole documents («clusters») vary, never
single questions. Which interval is used where, and how often it covers the truth (measured by
simulation, 1,000 data sets each, in bench/eval_intervals.md):

| figure | interval |
| --- | --- |
| one rate | Wilson's, on the effective size that the spread between documents leaves |
| independent trials | Wilson's |
| a difference | bootstrap of documents, both runs together, quantiles widened for few documents |
| … where all documents are alike | Wilson's, of the share of documents that may be unlike them |
| a difference, by chance? | McNemar's mid-p, or random swaps of the two runs question by question |

Plain percentile and BCa bootstraps of a rate hold the truth in .82–.95 at six to forty documents;
Wilson's on the effective size in .94–.97, and it has a width where everything succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.records import Rate

Floats = NDArray[np.float64]

_NORMAL = NormalDist()
#: Two-sided 95 %.
Z = _NORMAL.inv_cdf(0.975)
#: Draws of documents and of swaps. 4,000 put the Monte Carlo error of a 2.5 % quantile near .3
#: points; set by hand.
DRAWS = 4000
SEED = 7  # the same figures for the same run, always
BLOCK = 500  # draws held at once: a thousand questions take 4 MB


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a figure is taken from, a row a question: the figure is Σ top ÷ Σ bottom.

    Of a share of claims, ``bottom`` counts claims; of a mean over questions it is 1. Both are
    means over the repeats of the question. Rows without anything to count have no place here.
    """

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    top: Floats
    bottom: Floats

    @property
    def value(self) -> float | None:
        total = float(self.bottom.sum())
        return float(self.top.sum()) / total if total > 0 else None

    def of(self, ids: Sequence[str]) -> Sample:
        """The rows of these questions, in this order."""
        at = {name: i for i, name in enumerate(self.ids)}
        rows = [at[name] for name in ids]
        return Sample(
            tuple(ids), tuple(self.clusters[i] for i in rows), self.top[rows], self.bottom[rows]
        )


def sample(rows: Sequence[tuple[str, str, float, float]]) -> Sample:
    """(id, cluster, top, bottom) a question; rows with nothing to count are left out."""
    kept = [row for row in rows if row[3] > 0]
    return Sample(
        tuple(r[0] for r in kept),
        tuple(r[1] for r in kept),
        np.array([r[2] for r in kept], dtype=np.float64),
        np.array([r[3] for r in kept], dtype=np.float64),
    )


# ---------------------------------------------------------------------- one rate


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``n`` independent trials; n may be an effective size."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    spread = share * (1 - share) / n + Z * Z / (4 * n * n)
    reach = Z * math.sqrt(max(0.0, spread)) / (1 + Z * Z / n)
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return (low if share > 0 else 0.0), (high if share < 1 else 1.0)  # no rounding at the ends


def rate(counted: Sample) -> Rate:
    """A share or a mean of scores in [0, 1], with its interval.

    The spread between documents gives the variance, the variance an effective number of trials,
    and that Wilson's interval, with Student's quantile for as many documents. Where everything
    succeeded or failed, as many trials as documents. With one document its questions take their
    place.
    """
    value = counted.value
    if value is None:
        return Rate(None, None, None, 0)
    low, high = wilson(value, trials(counted))
    return Rate(value, low, high, round(float(counted.bottom.sum())))


def trials(counted: Sample) -> float:
    """How many independent trials a figure is worth, Student's quantile allowed for: never more
    than was counted (claims, or questions), however alike a few documents happen to be."""
    value = counted.value or 0.0
    top, bottom = by_cluster(counted)
    units = len(bottom)
    if units == 1:  # one question
        return 1.0
    residuals = (top - value * bottom) / bottom.mean()
    variance = float((residuals**2).sum()) / (units * (units - 1))
    if not 0 < value < 1:  # nothing varies, and there may be no more trials than documents
        worth = float(units)
    elif variance < 1e-12:  # every document has the same share, so that its questions count
        worth = float(len(counted.ids))
    else:
        worth = value * (1 - value) / variance
    return min(worth, float(counted.bottom.sum())) * (Z / student(units - 1)) ** 2


def student(freedom: int, probability: float = 0.975) -> float:
    """Student's quantile by its expansion around the normal one (Abramowitz & Stegun 26.7.5);
    within .1 % from three degrees of freedom on, 1 % below the truth at two, 11 % at one."""
    z, n = _NORMAL.inv_cdf(probability), freedom
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / n**power for power, term in enumerate(terms, 1)))


def quantiles(values: Sequence[float]) -> tuple[float, float] | None:
    """(p50, p95) of seconds, linear between neighbours; None of nothing."""
    if not values:
        return None
    p50, p95 = np.percentile(np.array(values, dtype=np.float64), [50, 95])
    return float(p50), float(p95)


def unseen(units: int) -> float:
    """The share of units that may be unlike all of so many that were alike: Wilson's bound. A
    bootstrap of them knows no other, and its interval is a point."""
    return wilson(0.0, units)[1]


def bootstrap(parts: Floats, figure: Callable[[Floats], Floats]) -> tuple[float, float]:
    """95 % interval of a figure of the column sums of ``parts`` (units × m), units drawn.

    ``figure`` takes (draws, m) sums; draws of which it makes no number are left out. With a single
    unit anything is possible.
    """
    units = len(parts)
    if units == 1:
        return -math.inf, math.inf
    times = _times_drawn(units)
    drawn = np.concatenate(
        [figure(times[at : at + BLOCK] @ parts) for at in range(0, DRAWS, BLOCK)]
    )
    tail = _NORMAL.cdf(-math.sqrt(units / (units - 1)) * student(units - 1))
    low, high = np.quantile(drawn[np.isfinite(drawn)], [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _times_drawn(units: int) -> NDArray[np.unsignedinteger[Any]]:
    """How often each unit is drawn, a row a draw: (DRAWS, units). Most figures of a comparison are
    taken over the same number of units, and drawing takes longer than all that is done with it; a
    thousand units are kept in 8 MB."""
    random = np.random.default_rng(SEED)
    even = np.full(units, 1 / units)
    blocks = [
        random.multinomial(units, even, size=BLOCK).astype(np.min_scalar_type(units))
        for _ in range(DRAWS // BLOCK)
    ]
    return np.concatenate(blocks)


def by_cluster(counted: Sample) -> tuple[Floats, Floats]:
    """Sums of top and bottom for each document; with one document, for each question."""
    _, where = np.unique(np.array(counted.clusters), return_inverse=True)
    if int(where.max()) == 0:
        return counted.top, counted.bottom
    tops, bottoms = (np.bincount(where, weights=w) for w in (counted.top, counted.bottom))
    return tops.astype(np.float64), bottoms.astype(np.float64)


# ---------------------------------------------------------------------- counted changes


@dataclass(frozen=True, slots=True)
class Chance:
    """How likely two runs of the same system differ so: probability of a fall as deep, of a rise
    as high, and the least that either could have been with so many questions changed. Mid-p:
    what is as likely as the seen counts half."""

    fall: float
    rise: float
    attainable: float


def mcnemar(fallen: int, risen: int) -> Chance:
    """McNemar's test of questions that changed between yes and no: is one direction too frequent?
    With mid-p: the exact test is too careful, χ² too bold."""
    changed = fallen + risen
    ways = [math.comb(changed, k) for k in range(risen + 1)]
    fall = float((sum(ways) - ways[-1] / 2) / 2**changed)  # so few rises
    return Chance(fall, 1 - fall, 0.5 ** (changed + 1) if changed else 1.0)
