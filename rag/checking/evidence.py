"""Which sentences of the evidence a claim is shown with, and whether it stands there as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from prompts import MARKER
from rag.checking.base import Quote
from rag.checking.claims import BULLET, BULLET_SIGN
from rag.checking.material import Material, Stretch
from rag.checking.neighbours import beside
from rag.checking.reading import Reading
from rag.checking.trust import without_marks
from rag.quotes import places

#: Texts → vectors of length 1, one row a text: `rag.embedder.Embedder.embed_sentences`.
Embed = Callable[[Sequence[str]], Any]

#: Sentences shown at most; docs/verification.md has how often they hold the support.
MOST = 5

#: A further sentence must cover this share of the claim's words that no earlier one covers.
#: Set by hand: about one content word of a claim of twelve.
_NEW_SHARE = 0.08

#: Sentences that are embedded for one claim, those that share most words with it first. It bounds
#: the time of a check whose sentences have no stored vectors. Set by hand.
_EMBEDDED = 12

#: Words beside a quotation, in its own sentence, that take it back or attribute it.
_TAKES_BACK = re.compile(
    r"\b(?:not|n[o’']t|never|no|none|false|untrue|wrong|incorrect|myth|mistaken(?:ly)?|den(?:y|ies|ied)"
    r"|if|unless|whether|claims?|claimed|alleg\w+|suppos\w+|rumou?r\w*|believ\w+|suggest\w*"
    r"|would|could|might|may|hypothe\w+|pretend\w*|imagin\w+|fail\w*|without|instead|former\w*"
    r"|no longer|until|draft|proposed?|example|statement|assert\w*|says?|said|argu\w+)\b",
    re.IGNORECASE,
)
#: Fewer words than this are a fragment, and stand in many a text that means something else.
_SHORTEST = 3

#: Places looked at in one text, so that one that repeats itself costs no more. Set by hand.
_PLACES = 20

_EMPHASIS = r"[*_]{0,2}"
#: All that may stand before and behind the claim's words in their sentence.
_BEFORE = re.compile(rf"\s*(?:{BULLET_SIGN})?{_EMPHASIS}")
_BEHIND = re.compile(rf"{_EMPHASIS}\s*[.!]?[\s.]*{_EMPHASIS}")
_ENDED = re.compile(r"[.!?:…\]\"”][*_]{0,2}\Z")
#: A mark of a footnote, which may limit what the sentence says.
_NOTED = re.compile(r"[.!]?[*†‡⁰¹²³⁴-⁹]")
_BLANK_LINE = re.compile(r"\n\s*\n")


def word_for_word(claim: str, material: Material, *, quotation: bool = False) -> Quote | None:
    """The claim as one or more whole sentences of the evidence that nothing beside takes back.

    «Claims are covered» does not stand in «Claims are covered except old ones», nor under «Common
    misconceptions», nor before «This was withdrawn». A ``quotation`` says only that the source has
    these words: whole lines of a sentence will do, unless the rest of it takes them back.
    """
    unquoted = claim.strip(" \"“”«»'")
    bare = unquoted.rstrip(".")
    if len(bare.split()) < _SHORTEST:
        return None
    for index, original in enumerate(material.texts):
        text = without_marks(original, keep_places=True)
        for start, end in islice(places(bare, text), _PLACES):
            own = [s for s in material.stretches if s.index == index]
            touched = [
                n for n, s in enumerate(own) if s.start < end and s.start + len(s.text) > start
            ]
            if not touched:
                continue  # it stands in a sentence that is addressed to the checker
            first, last = own[touched[0]].start, _end(own[touched[-1]])
            stands = _lines_of if quotation else _sentence_of
            alone = stands(text, start, end, first, last) and not _noted(text, start, end)
            if alone and not beside(material, own, touched[0], touched[-1]):
                stop = end + (unquoted.endswith(".") and text[end : end + 1] == ".")
                return Quote(original[start:stop], index)
    return None


def _end(stretch: Stretch) -> int:
    return stretch.start + len(stretch.text)


def _noted(text: str, start: int, end: int) -> bool:
    """Whether a footnote's mark is glued to the words; the star of an emphasis is none."""
    return bool(_NOTED.match(text, end)) and text[max(0, start - 1) : start] != "*"


def _lines_of(text: str, start: int, end: int, first: int, last: int) -> bool:
    """Whether the words begin and end where a sentence or a line does, nothing against them."""
    newline = text.find("\n", end)
    begins = max(first, text.rfind("\n", 0, start) + 1)
    ends = min(last, newline if newline >= 0 else last)
    beside = text[first:start] + " " + text[end:last]
    whole = _BEFORE.fullmatch(text[begins:start]) and _behind(text[end:ends])
    return bool(whole) and not _TAKES_BACK.search(beside)


def _sentence_of(text: str, start: int, end: int, first: int, last: int) -> bool:
    """Whether the words are all of a sentence, and the segmenter did not cut it out of a longer
    one: a line of a paragraph may go on in the next."""
    before, behind = text[first:start], text[end:last]
    if not _BEFORE.fullmatch(before) or not _behind(behind):
        return False
    earlier, later = text[:first].rstrip(), text[last:].lstrip()
    apart = text[len(earlier) : first]
    begins = not earlier or before.strip() or _ENDED.search(earlier) or _BLANK_LINE.search(apart)
    if not begins or later[:1].islower():
        return False
    after = text[last : len(text) - len(later)]
    stopped = any(c in ".!" for c in MARKER.sub("", text[end - 1 : last]))
    return bool(stopped or not later or _BLANK_LINE.search(after) or BULLET.match(later))


def _behind(text: str) -> bool:
    return _BEHIND.fullmatch(MARKER.sub("", text)) is not None


def choose(claim: Reading, material: Material, embed: Embed | None = None) -> list[Quote]:
    """Up to `MOST` sentences, the most telling first; none if nothing is shared.

    Half shared words weighed by rarity, half cosine where ``embed`` is given, each next sentence
    chosen for the words that are not covered yet.
    """
    stems = {claim.tokens[i].stem for i in claim.content} | {m for _, m in claim.marks}
    weight = {s: material.rarity(s) for s in stems}
    total = sum(weight.values()) or 1.0
    held = [stems & s.reading.places.keys() for s in material.stretches]
    shares = [sum(weight[s] for s in h) / total for h in held]
    order = sorted(range(len(shares)), key=lambda i: (-shares[i], i))[:_EMBEDDED]
    cosines = _cosines(claim.text, [material.stretches[i].text for i in order], embed)
    close = dict(zip(order, cosines, strict=True))
    chosen: list[int] = []
    covered: set[str] = set()
    while len(chosen) < MOST:
        best, most = None, 0.0
        for i in order:
            new = sum(weight[s] for s in held[i] - covered) / total
            if i in chosen or (new < _NEW_SHARE and chosen):
                continue
            value = new + close[i]
            if value > most and (new > 0 or close[i] > 0):
                best, most = i, value
        if best is None:
            break
        chosen.append(best)
        covered |= held[best]
    return [material.quote(i) for i in chosen]


def _cosines(claim: str, sentences: Sequence[str], embed: Embed | None) -> list[float]:
    if embed is None or not sentences:
        return [0.0] * len(sentences)
    vectors = embed([claim, *sentences])
    return [float(v) for v in vectors[1:] @ vectors[0]]
