"""Rules, score and a model's opinion → one verdict. Careful in every doubt.

| | |
| --- | --- |
| contradicted | a rule found that the evidence says otherwise |
| not supported | a number that is nowhere in the evidence, or a score below the lower cut |
| supported | word for word in the evidence, or a calibrated model's yes; and no rule objects |
| no mismatch | the score at or above the upper cut, names and predicates found; or a model's yes |
| unverified | everything else |

Rules may overrule a model's yes; nothing turns its no into a yes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.checking.base import Finding, Label, ModelOpinion, Quote, Verdict
from rag.checking.score import coefficients

#: The reason given for the one «supported» that code alone may say.
WORD_FOR_WORD = "stands in the source word for word"

#: Score shown for a claim that stands in the evidence word for word. Set by hand: nearly sure, and
#: never quite.
VERBATIM = 0.99

#: Rules whose note leaves too much open for code alone to say «no mismatch». They move the label
#: only: the score weighs absent words by itself.
_OPEN = frozenset(("absent name", "absent predicate"))

#: The most a score may be where a rule objects, so that score and label never disagree.
_OBJECTED = 0.2


@dataclass(frozen=True, slots=True)
class Offline:
    """What rules and score say of one claim, before any model."""

    probability: float
    findings: tuple[Finding, ...]
    verbatim: Quote | None
    quotes: tuple[Quote, ...]
    #: Why «no mismatch» would be too much to say of this kind of text; empty when it may be said.
    weak: str = ""


def unverified(reason: str) -> Verdict:
    """Not checked, and why."""
    return Verdict("unverified", None, accept=False, reasons=(reason,))


def combine(
    offline: Offline, opinion: ModelOpinion | None = None, *, calibrated: bool = False
) -> Verdict:
    """One verdict; ``calibrated``: the opinion's probabilities come from a calibration record."""
    objection = _objection(offline.findings)
    probability, yes = _scored(offline, opinion)
    if objection:
        probability = min(probability, _OBJECTED)
    label, reasons = _label(offline, opinion, objection, calibrated=calibrated)
    accept = objection is None and yes
    quotes = offline.quotes
    if offline.verbatim:
        quotes = (offline.verbatim, *(q for q in quotes if q != offline.verbatim))
    return Verdict(label, round(probability, 4), accept, tuple(dict.fromkeys(reasons)), quotes)


def _objection(findings: Sequence[Finding]) -> Label | None:
    effects = {f.effect for f in findings}
    if "contradicts" in effects:
        return "contradicted"
    return "not_supported" if "unsupported" in effects else None


def _scored(offline: Offline, opinion: ModelOpinion | None) -> tuple[float, bool]:
    """(probability, whether it reaches its cut); a usable opinion takes the score's place."""
    if opinion is not None and opinion.supported is not None:
        return opinion.supported, opinion.supported >= coefficients().model
    if offline.verbatim:
        return VERBATIM, True
    return offline.probability, offline.probability >= coefficients().accept


def _label(
    offline: Offline, opinion: ModelOpinion | None, objection: Label | None, *, calibrated: bool
) -> tuple[Label, list[str]]:
    said = [_reason(f) for f in offline.findings if f.effect != "note"]
    noted = [_reason(f) for f in offline.findings if f.effect == "note"]
    if objection:
        return objection, said + noted
    ambiguous = any(f.effect == "ambiguous" for f in offline.findings)
    if opinion is not None:
        if opinion.supported is None:
            return "unverified", [f"the model's verdict could not be used: {opinion.detail}"]
        return _of_model(offline, opinion, ambiguous=ambiguous, calibrated=calibrated)
    if offline.verbatim and not ambiguous:
        return "supported", [WORD_FOR_WORD]
    if offline.probability < coefficients().reject:
        return "not_supported", [*said, *noted, _low(offline)]
    if ambiguous:
        return "unverified", said + noted
    if offline.probability < coefficients().accept:
        return "unverified", [*noted, "too little of it found in the source to say"]
    if any(f.rule in _OPEN for f in offline.findings):
        return "unverified", noted
    if offline.weak:
        return "unverified", [*noted, offline.weak]
    return "no_mismatch", noted


def _of_model(
    offline: Offline, opinion: ModelOpinion, *, ambiguous: bool, calibrated: bool
) -> tuple[Label, list[str]]:
    supported = opinion.supported or 0.0
    contradicted, absent = opinion.contradicted or 0.0, opinion.not_in_source or 0.0
    if supported < coefficients().model:
        if offline.verbatim:
            return "unverified", ["stands in the source word for word, but the model says no"]
        if max(contradicted, absent) <= supported:
            return "unverified", ["the model is not sure enough"]
        label: Label = "contradicted" if contradicted > absent else "not_supported"
        return label, [f"the model says so (supported {supported:.0%})"]
    if ambiguous:
        return "unverified", [_reason(f) for f in offline.findings if f.effect == "ambiguous"]
    if calibrated or offline.verbatim:
        return "supported", [f"the model says so ({supported:.0%}), and no rule objects"]
    return "no_mismatch", ["the model says yes, but is not calibrated to be believed alone"]


def _low(offline: Offline) -> str:
    return f"little of it is in the source (score {offline.probability:.2f})"


def _reason(finding: Finding) -> str:
    source = f": “{finding.evidence_span}”" if finding.evidence_span else ""
    return finding.reason + source
