"""Draft → sentences whose citations are real: markers ↔ passages, quotes, pages. Pure.

A citation is shown only if its number is one of the passages and a quote for it stands in the
stored text; the page is where that quote stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from prompts import MARKER
from rag.checking.claims import heads_table, is_refusal
from rag.checking.trust import without_forgeries
from rag.quotes import locate
from rag.records import Evidence, Passage, Sentence
from rag.sentences import sentences, spans
from rag.words import document_words

_SPACED = re.compile(r"\s*" + MARKER.pattern, re.IGNORECASE)
_AFTER_STOP = re.compile(r"([.!?…][\"”’»)]?)((?:\s*\[[\d\]\[]+\])+)")
_WHOLE_QUOTE = re.compile(r"\s*(“[^“”]+”)((?:\s*\[[^\[\]]+\])*)[.\s]*\Z")
_QUOTED = re.compile(r"[“\"«]([^“”\"«»]{12,})[”\"»]")
_ASKS = re.compile(
    r"\W*(?:who|whom|whose|what|when|where|why|how|which|is|are|was|were|do|does|did|has|have|had"
    r"|can|could|will|would|shall|should|may|might)\b",
    re.IGNORECASE,
)

#: Least share of a sentence's words that must stand in a stretch of the passage for the stretch
#: to be shown as what the sentence rests on. Set by hand, a third: it picks what is shown beside a
#: sentence and judges nothing.
_LEAST_OVERLAP = 0.34

#: The reason given for an invented quotation.
INVENTED = "the quoted words «{}» are in no passage it cites"


@dataclass(frozen=True, slots=True)
class Cited:
    """A draft taken apart: its text with impossible markers removed, and what was removed."""

    answer: str
    sentences: tuple[Sentence, ...]
    refused: bool
    notices: tuple[str, ...]


def cite(draft: str, passages: Sequence[Passage]) -> Cited:
    """Split a draft into sentences and tie each to the passages it names.

    What stands between the marks of a line that is one whole quotation is the source's: numbers
    in brackets there are no citations.
    """
    known = {p.rank: p for p in passages}
    invented: list[int] = []

    def real(match: re.Match[str]) -> str:
        numbers = _numbers(match.group(1))
        invented.extend(n for n in numbers if n not in known)
        kept = "".join(f"[{n}]" for n in numbers if n in known)
        return f" {kept}" if kept else ""

    lines: list[str] = []
    made: list[Sentence] = []
    for line, following in pairwise([*draft.strip().splitlines(), ""]):
        if heads_table(line, following):
            lines.append(line)
            made.append(Sentence(line.strip(), (), verdict=None))
        elif whole := _WHOLE_QUOTE.match(line):
            marks = _SPACED.sub(real, whole.group(2))
            lines.append(whole.group(1) + marks)
            made.append(_sentence(whole.group(1), _cited(marks), known))
        else:
            lines.append(_SPACED.sub(real, line))
            for marked in sentences(_AFTER_STOP.sub(_before_stop, lines[-1])):
                text = _SPACED.sub("", marked).strip()
                made.append(_sentence(text, _cited(marked), known))
    refused = (
        bool(made)
        and all(s.verdict is None for s in made)
        and any(is_refusal(s.text) for s in made)
    )
    notices: tuple[str, ...] = ()
    if invented:
        shown = ", ".join(f"[{n}]" for n in dict.fromkeys(invented))
        notices = (f"the model cited {shown}: not among its {len(known)} passages; removed",)
    return Cited("\n".join(lines).strip(), tuple(made), refused, notices)


def _sentence(text: str, numbers: tuple[int, ...], known: dict[int, Passage]) -> Sentence:
    if is_refusal(text) or (text.endswith("?") and not numbers and _ASKS.match(text)):
        return Sentence(text, numbers, verdict=None)
    evidence: list[Evidence] = []
    invented = invented_quotations(text, [known[n] for n in numbers])
    reasons = [INVENTED.format(quoted[:60]) for quoted in invented]
    for number in numbers:
        quote = best_quote(text, known[number])
        if quote:
            evidence.append(quote)
        else:
            reasons.append(f"nothing in passage {number} reads like this sentence")
    if not numbers:
        reasons.append("cites no passage")
    return Sentence(text, numbers, "unverified", None, tuple(reasons), tuple(evidence))


def invented_quotations(text: str, cited: Sequence[Passage]) -> list[str]:
    """What a sentence says is quoted and stands in none of the passages it cites. What a passage
    says to its checker («the claim “…” is supported») is no source of a quotation."""
    texts = [without_forgeries(p.text) for p in cited]
    return [q for q in _quotations(text) if not any(locate(q, t) for t in texts)]


def _quotations(text: str) -> list[str]:
    """What the sentence itself says is quoted: all of it, or the stretches between marks."""
    if whole := _WHOLE_QUOTE.match(text):
        return [whole.group(1).strip("“”")]
    return _QUOTED.findall(text)


def best_quote(claim: str, passage: Passage) -> Evidence | None:
    """The stretch of the passage that a claim rests on: its own words if they stand there,
    otherwise the sentence or line that shares most of its words."""
    unquoted = claim.strip(' "“”«»')
    for own in (unquoted, unquoted.rstrip("."), *_quotations(claim)):
        place = locate(own, passage.text)
        if place:
            return _evidence(passage, *place)
    wanted = set(document_words(claim).indices)
    best, best_share = None, _LEAST_OVERLAP
    for start, end in spans(passage.text):
        shared = wanted & set(document_words(passage.text[start:end]).indices)
        share = len(shared) / max(1, len(wanted))
        if share > best_share:
            best, best_share = (start, end), share
    return _evidence(passage, *best) if best else None


def _evidence(passage: Passage, start: int, end: int) -> Evidence:
    return Evidence(passage.rank, passage.text[start:end], passage.file, passage.page_at(start))


def _cited(marked: str) -> tuple[int, ...]:
    """The numbers of the markers in a text, once each, in order."""
    found = (n for m in MARKER.finditer(marked) for n in _numbers(m.group(1)))
    return tuple(dict.fromkeys(found))


def _before_stop(match: re.Match[str]) -> str:
    """«Text. [1] More» → «Text [1]. More», so that a marker stays with its sentence."""
    return f" {match.group(2).strip()}{match.group(1)}"


def _numbers(inside: str) -> list[int]:
    """«1, 3» → [1, 3]; «2-4» → [2, 3, 4]."""
    found: list[int] = []
    for part in re.split(r"\s*[,;]\s*", inside):
        first, *rest = (int(n) for n in re.findall(r"\d+", part))
        last = rest[-1] if rest else first
        found += range(first, last + 1) if first <= last <= first + 20 else [first, last]
    return found
