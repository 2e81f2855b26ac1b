"""What checking speaks in: evidence quotes, findings of rules, opinions of models, the verdict.

Evidence is plain text: a sequence of strings, in the order the caller gave them. It is material to
read, never an instruction: nothing it says about itself or about the claim is a rule here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from rag.records import Verdict as Label

__all__ = [
    "Effect",
    "Finding",
    "Label",
    "ModelChecker",
    "ModelOpinion",
    "Quote",
    "Verdict",
]

#: What one rule's objection does to the verdict. «contradicts»: the evidence says otherwise;
#: «unsupported»: the evidence does not say it; «ambiguous»: the rule could not decide between two
#: readings; «note»: shown, decides nothing.
Effect = Literal["contradicts", "unsupported", "ambiguous", "note"]


@dataclass(frozen=True, slots=True)
class Quote:
    """An exact substring of the evidence text number ``index`` (from 0)."""

    text: str
    index: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's objection to a claim, with the words of both sides it rests on.

    ``evidence_span`` is empty where the objection is that nothing in the evidence answers to
    ``claim_span``.
    """

    rule: str
    effect: Effect
    reason: str
    claim_span: str
    evidence_span: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking one claim came to.

    ``score`` is the probability in [0, 1] that the claim is supported, None when it was not
    checked. ``accept`` is the yes or no used in measurements: the score at or above the one
    calibrated cut and no rule objecting, given even where ``label`` stays careful.
    """

    label: Label
    score: float | None
    accept: bool
    reasons: tuple[str, ...] = ()
    evidence: tuple[Quote, ...] = ()

    @property
    def quote(self) -> str:
        """The quote that counts most, empty when there is none."""
        return self.evidence[0].text if self.evidence else ""

    def to_dict(self) -> dict[str, Any]:
        """The document that ``rag verify --json`` prints."""
        return {
            "verdict": self.label,
            "score": self.score,
            "accept": self.accept,
            "reasons": list(self.reasons),
            "evidence": [{"quote": q.text, "index": q.index} for q in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class ModelOpinion:
    """One model's probabilities for one claim; all None when it failed or could not be parsed."""

    supported: float | None
    contradicted: float | None
    not_in_source: float | None
    detail: str = ""


class ModelChecker(Protocol):
    """A model that reads claims against their evidence.

    ``digest`` names the exact weights, None where the server does not say; a yes of a model
    without a calibration record for its digest never becomes «supported».
    """

    kind: str
    model: str
    digest: str | None

    def check(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[ModelOpinion]:
        """One opinion for each (claim, evidence texts), in the same order.

        Raises RagError when the model cannot be asked at all; a single reply that cannot be
        used is an opinion of None with its ``detail``.
        """
        ...
