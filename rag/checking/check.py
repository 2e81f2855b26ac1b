"""`verify`: one claim against its evidence, with code alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prompts import MARKER
from rag.checking.base import ModelOpinion, Verdict
from rag.checking.claims import claim_of
from rag.checking.evidence import Embed, choose, word_for_word
from rag.checking.features import examine
from rag.checking.material import material
from rag.checking.reading import read
from rag.checking.retractions import taken_back
from rag.checking.score import probability
from rag.checking.trust import english
from rag.checking.verdict import Offline, combine, unverified
from rag.sentences import sentences

#: A sentence that is one quotation, with its citations.
_QUOTATION = re.compile(rf"\s*“[^“”]+”(?:\s*{MARKER.pattern})*[.\s]*")
#: Characters of the longest claim that is checked: the time grows with their square. Set by hand,
#: at ten times the longest sentence of the labelled sets.
_LONGEST = 5000
_WEAK_ON_TALK = "the source is a conversation, and the offline checker is weak on these"


def verify(
    claim: str,
    evidence: Sequence[str] | str,
    *,
    question: str = "",
    titles: Sequence[str] = (),
    embed: Embed | None = None,
    opinion: ModelOpinion | None = None,
    calibrated: bool = False,
) -> Verdict:
    """Check one claim against the texts it is said to rest on.

    ``question``: what the claim answers, for a claim too short to stand alone. ``titles``: title,
    file name, heading of the evidence; names and dates found there count as found. ``embed``
    (`Embedder.embed_sentences`) helps to choose the sentences shown and changes no verdict.
    ``opinion``: what a model said of the same claim, ``calibrated`` if there is a calibration
    record for it. Loads no model. Never raises for what the texts contain: what cannot be checked
    is ``unverified`` with the reason.
    """
    try:
        return _verify(claim, evidence, question, titles, embed, opinion, calibrated=calibrated)
    except Exception as error:  # noqa: BLE001 - a check that fails may never pass for a check
        return unverified(f"the check failed: {type(error).__name__}: {error}")


def _verify(
    claim: str,
    evidence: Sequence[str] | str,
    question: str,
    titles: Sequence[str],
    embed: Embed | None,
    opinion: ModelOpinion | None,
    *,
    calibrated: bool,
) -> Verdict:
    if len(claim) > _LONGEST:
        return unverified("it is too long to check")
    texts = (evidence,) if isinstance(evidence, str) else tuple(evidence)
    stated = claim_of(claim)
    if stated is None:
        return unverified("it claims nothing that could be checked")
    if not any(c.isalpha() for text in texts for c in text):
        return unverified("there is no evidence to check it against")
    if not english(stated) or not english("\n".join(texts)):
        return unverified("the checker reads English only")
    source = material(texts, tuple(titles))
    if not source.stretches:
        return unverified("the evidence speaks of its own check and of nothing else")
    examined = examine(stated, source, question)
    quotation = _QUOTATION.fullmatch(claim) is not None
    verbatim = word_for_word(stated, source, quotation=quotation)
    # a sentence that is one quotation says that the source says so: nothing to hold against it
    findings = () if verbatim and quotation else examined.findings
    if not verbatim:
        readings = [read(sentence) for sentence in sentences(stated) or [stated]]
        findings += tuple(f for reading in readings for f in taken_back(reading, source))
    offline = Offline(
        probability(examined.values),
        findings,
        verbatim,
        tuple(choose(read(stated), source, embed)),
        weak=_WEAK_ON_TALK if source.talk else "",
    )
    return combine(offline, opinion, calibrated=calibrated)
