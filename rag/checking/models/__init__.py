"""Models that check claims, one module for each kind: a decision model, an NLI model, a judge.

Each reads claims against evidence and gives probabilities; none gives a verdict. What a yes is
worth is known only from a calibration record: see `rag.checking.calibration`.
"""

from __future__ import annotations

import hashlib

from rag.checking.base import ModelOpinion

#: What a model may say of a claim, in the order of the fields of `ModelOpinion`.
OPTIONS = ("supported", "contradicted", "not_in_source")


def no_opinion(detail: str) -> ModelOpinion:
    """What is left of a check that failed: never a yes, never a no, and the reason."""
    return ModelOpinion(None, None, None, " ".join(detail.split()))


def digest_of(kind: str, weights: str | None, wording: str) -> str | None:
    """One name for weights and the exact words they are asked with; None without known weights.

    A calibration holds for both together: other words, other probabilities.
    """
    if not weights:
        return None
    return hashlib.sha256(f"{kind}\0{weights}\0{wording}".encode()).hexdigest()
