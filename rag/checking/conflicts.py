"""Sources that contradict each other: a passage that says otherwise than the one a claim rests on.

A claim may stand word for word in one document and be denied by the next. The verdict is about
the source it rests on; that another disagrees is said beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.checking.agreement import agree
from rag.checking.base import Finding, Quote
from rag.checking.claims import claim_of
from rag.checking.features import examine
from rag.checking.material import Material, coverage, material
from rag.checking.reading import Reading, read
from rag.checking.trust import english

#: Least share of a claim's words, the rare ones weighing more, that the other passage's sentence
#: holds. Of 963 pairs of a true CLAPNQ sentence and a passage found for its question in another
#: article, rules contradict 13; with this share none is left.
_ALIKE = 0.6
#: Fewest such words for «the same thing» to mean anything. Set by hand.
_FEWEST = 2
#: Kinds of quantities that say when.
_TIMES = ("date", "quarter")


def conflict(claim: str, text: str, *, question: str = "", title: str = "") -> Quote | None:
    """The sentence of ``text`` that says otherwise than ``claim``, about the same thing; None if
    there is none. A passage that lacks a name or the subject of the claim speaks of another."""
    stated = claim_of(claim)
    if stated is None or not english(stated) or not english(text):
        return None
    source = material((text,), (title,))
    reading = read(stated)
    stems = [reading.tokens[i].stem for i in reading.content]  # figures left out: they differ
    alike = {
        n: s.text
        for n, s in enumerate(source.stretches)
        if _enough(stems, s.reading)
        and coverage(stems, frozenset(s.reading.places), source) >= _ALIKE
    }
    if not alike:
        return None
    findings = examine(stated, source, question).findings
    if any(f.effect == "unsupported" for f in findings):
        return None
    against = [f for f in findings if f.effect == "contradicts" and f.evidence_span]
    for n, sentence in alike.items():
        held = [f for f in against if f.evidence_span in sentence]
        if held and not _of_other_times(reading, source.stretches[n].reading, source, held):
            return source.quote(n)
    return None


def _enough(stems: Sequence[str], sentence: Reading) -> bool:
    """Whether so few words can mean the same thing: one can where the sentence has no other."""
    own = {sentence.tokens[i].stem for i in sentence.content}
    return len(stems) >= _FEWEST or own == set(stems)


def _of_other_times(
    claim: Reading, sentence: Reading, source: Material, findings: Sequence[Finding]
) -> bool:
    """Whether each side is dated, of times apart, and more than the date differs: the budget of
    2021 is not contradicted by that of 2020."""
    mine = [q for q in claim.quantities if q.kind in _TIMES]
    theirs = [q for q in sentence.quantities if q.kind in _TIMES]
    theirs = theirs or [q for q in source.title_quantities if q.kind in _TIMES]
    if not mine or not theirs or any(agree(q, p) or agree(p, q) for q in mine for p in theirs):
        return False
    dates = {claim.text[q.start : q.end] for q in mine}
    return any(f.claim_span not in dates for f in findings)
