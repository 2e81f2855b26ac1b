"""`verify`: one claim against its evidence, with code alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from prompts import MARKER
from rag.checking.base import ModelOpinion, Verdict
from rag.checking.claims import claim_of
from rag.checking.conflicts import conflict
from rag.checking.evidence import Embed, choose, word_for_word
from rag.checking.features import examine
from rag.checking.material import Material, material
from rag.checking.numbers import check_numbers
from rag.checking.numbers import findings as number_findings
from rag.checking.reading import read
from rag.checking.retractions import taken_back
from rag.checking.score import probability
from rag.checking.trust import english, foreign
from rag.checking.verdict import Offline, combine, unverified
from rag.errors import UsageError
from rag.sentences import sentences

#: A sentence that is one quotation, with its citations.
_QUOTATION = re.compile(rf"\s*“[^“”]+”(?:\s*{MARKER.pattern})*[.\s]*")
#: Characters of the longest claim that is checked: the time grows with their square. Set by hand,
#: at ten times the longest sentence of the labelled sets.
_LONGEST = 5000
_ENGLISH_ONLY = "the checker reads English only"
_WANTED = "give a claim, and evidence that is a text or a list of texts"
_CONFLICT = "text {} of the evidence says otherwise: “{}”"
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
    record for it. Loads no model. What cannot be checked is ``unverified`` with the reason; that a
    second text says otherwise than the one the claim rests on stands among the reasons.

    Raises UsageError for a claim or evidence that is no text, and nothing for what texts contain.
    """
    texts = [evidence] if isinstance(evidence, str) else evidence
    if not isinstance(claim, str):
        raise UsageError(f"the claim is {type(claim).__name__}, not text", _WANTED)
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"the evidence is {_kinds(texts)}, not text", _WANTED)
    verdict = checked(
        claim, texts, question=question, titles=titles, embed=embed, opinion=opinion,
        calibrated=calibrated,
    )  # fmt: skip
    if verdict.label not in ("supported", "no_mismatch") or not verdict.evidence:
        return verdict
    own, title = verdict.evidence[0].index, " · ".join(titles)
    against = (
        (n, conflict(claim, text, question=question, title=title))
        for n, text in enumerate(texts)
        if n != own
    )
    told = tuple(_CONFLICT.format(n + 1, quote.text) for n, quote in against if quote)
    return replace(verdict, reasons=(*verdict.reasons, *told))


def _kinds(evidence: object) -> str:
    if not isinstance(evidence, list | tuple):
        return type(evidence).__name__
    odd = next(text for text in evidence if not isinstance(text, str))
    return f"a list with {type(odd).__name__} in it"


def checked(
    claim: str,
    evidence: Sequence[str],
    *,
    question: str = "",
    titles: Sequence[str] = (),
    embed: Embed | None = None,
    opinion: ModelOpinion | None = None,
    calibrated: bool = False,
) -> Verdict:
    """`verify` without a look at what the other texts say against the one that was found."""
    try:
        return _verify(claim, evidence, question, titles, embed, opinion, calibrated=calibrated)
    except Exception as error:  # noqa: BLE001 - a check that fails may never pass for a check
        return unverified(f"the check failed: {type(error).__name__}: {error}")


def _verify(
    claim: str,
    texts: Sequence[str],
    question: str,
    titles: Sequence[str],
    embed: Embed | None,
    opinion: ModelOpinion | None,
    *,
    calibrated: bool,
) -> Verdict:
    if len(claim) > _LONGEST:
        return unverified("it is too long to check")
    stated = claim_of(claim)
    if stated is None:
        return unverified("it claims nothing that could be checked")
    if not any(c.isalpha() for text in texts for c in text):
        return unverified("there is no evidence to check it against")
    together = "\n".join(texts)
    if not english(together):
        return unverified(_ENGLISH_ONLY)
    source = material(tuple(texts), tuple(titles))
    if not source.stretches:
        return unverified("the evidence speaks of its own check and of nothing else")
    if foreign(stated, together):
        return _of_figures(stated, source)
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


def _of_figures(claim: str, source: Material) -> Verdict:
    """The verdict of a claim in another language: all that can be compared is its figures."""
    figures = check_numbers(read(claim), source)
    found = number_findings(figures, source, rest_found=False)
    objections = tuple(f for f in found if f.effect in ("contradicts", "unsupported"))
    if not objections:
        return unverified(_ENGLISH_ONLY)
    quotes = tuple(choose(read(claim), source))
    return combine(Offline(0.0, objections, None, quotes))
