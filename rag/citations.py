"""Draft → sentences whose citations are real: markers ↔ passages, quotes, pages. Pure.

A citation is shown only if its number is one of the passages and a quote for it stands in the
stored text; the page is where that quote stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prompts import REFUSAL
from rag.quotes import locate
from rag.records import Evidence, Passage, Sentence
from rag.sentences import sentences, spans
from rag.words import document_words

_MARKER = re.compile(r"\s*\[\s*(\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*)\s*\]")
_AFTER_STOP = re.compile(r"([.!?…][\"”’»)]?)((?:\s*\[\s*\d[\d\s,;–-]*\])+)")
_WHOLE_QUOTE = re.compile(r"\s*“[^“”]+”(?:\s*\[[\d\s,;–-]+\])*[.\s]*\Z")
_QUOTED = re.compile(r"[“\"«]([^“”\"«»]{12,})[”\"»]")

#: Least share of a sentence's words that must stand in a stretch of the passage for the stretch
#: to be shown as what the sentence rests on.
_LEAST_OVERLAP = 0.34


@dataclass(frozen=True, slots=True)
class Cited:
    """A draft taken apart: its text with impossible markers removed, and what was removed."""

    answer: str
    sentences: tuple[Sentence, ...]
    refused: bool
    notices: tuple[str, ...]


def cite(draft: str, passages: Sequence[Passage]) -> Cited:
    """Split a draft into sentences and tie each to the passages it names."""
    known = {p.rank: p for p in passages}
    invented: list[int] = []

    def keep_known(match: re.Match[str]) -> str:
        numbers = _numbers(match.group(1))
        invented.extend(n for n in numbers if n not in known)
        kept = "".join(f"[{n}]" for n in numbers if n in known)
        return f" {kept}" if kept else ""

    answer = _MARKER.sub(keep_known, draft).strip()
    made = tuple(_sentence(text, known) for line in answer.splitlines() for text in _units(line))
    claims = [s for s in made if s.verdict is not None]
    notices: tuple[str, ...] = ()
    if invented:
        shown = ", ".join(f"[{n}]" for n in dict.fromkeys(invented))
        notices = (f"the model cited {shown}: not among its {len(known)} passages; removed",)
    refused = not claims and any(is_refusal(s.text) for s in made)
    return Cited(answer, made, refused, notices)


def is_refusal(text: str) -> bool:
    """Whether a sentence is the fixed phrase, alone or naming the part that is missing."""
    plain = " ".join(re.findall(r"[a-z]+", text.casefold()))
    return plain.startswith(REFUSAL)


def _sentence(marked: str, known: dict[int, Passage]) -> Sentence:
    numbers = tuple(
        dict.fromkeys(n for m in _MARKER.finditer(marked) for n in _numbers(m.group(1)))
    )
    text = _MARKER.sub("", marked).strip()
    if is_refusal(text) or text.endswith("?"):
        return Sentence(text, numbers, verdict=None)
    evidence: list[Evidence] = []
    reasons = [
        f"the quoted words «{quoted[:60]}» are in no passage it cites"
        for quoted in _QUOTED.findall(text)
        if not any(locate(quoted, known[n].text) for n in numbers)
    ]
    for number in numbers:
        quote = best_quote(text, known[number])
        if quote:
            evidence.append(quote)
        else:
            reasons.append(f"nothing in passage {number} reads like this sentence")
    if not numbers:
        reasons.append("cites no passage")
    return Sentence(text, numbers, "unverified", None, tuple(reasons), tuple(evidence))


def best_quote(claim: str, passage: Passage) -> Evidence | None:
    """The stretch of the passage that a claim rests on: its own words if they stand there,
    otherwise the sentence or line that shares most of its words."""
    unquoted = claim.strip(' "“”«»')
    for own in (unquoted, unquoted.rstrip("."), *_QUOTED.findall(claim)):
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


def _units(line: str) -> list[str]:
    """The sentences of a line; a line that is one whole quotation is one unit."""
    if _WHOLE_QUOTE.match(line):
        return [line]
    return sentences(_AFTER_STOP.sub(_before_stop, line))


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
