"""The offline score: a logistic regression over the features, its coefficients in a file to read.

``coefficients.toml`` is written by bench/fit_checker.py and holds every number that decides: for
each feature its mean, spread and weight, the intercept, the cuts, and the measurement of each.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rag.checking.features import FEATURES


@dataclass(frozen=True, slots=True)
class Coefficients:
    """``weights``: feature → (mean, spread, weight). Cuts are probabilities.

    ``accept``: from here on a claim is accepted; ``reject``: below, it is flagged; ``model``: from
    here on a calibrated model's yes counts.
    """

    weights: Mapping[str, tuple[float, float, float]]
    intercept: float
    accept: float
    reject: float
    model: float


@cache
def coefficients() -> Coefficients:
    """The shipped coefficients; a file that misses a feature is a defect and raises ValueError."""
    text = files(__package__).joinpath("coefficients.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    weights = {k: (v["mean"], v["spread"], v["weight"]) for k, v in raw["features"].items()}
    if set(weights) != set(FEATURES):
        odd = sorted(set(weights) ^ set(FEATURES))
        raise ValueError(f"coefficients.toml and FEATURES differ in {', '.join(odd)}")
    cuts = raw["cuts"]
    return Coefficients(weights, raw["intercept"], cuts["accept"], cuts["reject"], cuts["model"])


def probability(values: Mapping[str, float]) -> float:
    """Probability that a claim with these features is supported, where half of all claims are."""
    known = coefficients()
    total = known.intercept + math.fsum(
        weight * (values[name] - mean) / spread
        for name, (mean, spread, weight) in known.weights.items()
    )
    return 1 / (1 + math.exp(-total))
