"""Sources that contradict each other: a passage that says otherwise than the one a claim rests on.

A claim may stand word for word in one document and be denied by the next. The verdict is about
the source it rests on; that another disagrees is said beside it.
"""

from __future__ import annotations

from rag.checking.base import Quote
from rag.checking.claims import claim_of
from rag.checking.features import examine
from rag.checking.material import coverage, material
from rag.checking.reading import read
from rag.checking.trust import english

#: Least share of a claim's words, the rare ones weighing more, that the other passage's sentence
#: holds. Of 963 pairs of a true CLAPNQ sentence and a passage found for its question in another
#: article, rules contradict 13; with this share none is left.
_ALIKE = 0.6
#: Fewest such words for «the same thing» to mean anything. Set by hand.
_FEWEST = 2


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
        if len(stems) >= _FEWEST and coverage(stems, frozenset(s.reading.places), source) >= _ALIKE
    }
    if not alike:
        return None
    findings = examine(stated, source, question).findings
    if any(f.effect == "unsupported" for f in findings):
        return None
    spans = [f.evidence_span for f in findings if f.effect == "contradicts" and f.evidence_span]
    found = (n for n, sentence in alike.items() if any(span in sentence for span in spans))
    return next((source.quote(n) for n in found), None)
