"""Which sentences of the evidence a claim is shown with, and whether it stands there as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from rag.checking.base import Quote
from rag.checking.material import Material
from rag.checking.reading import Reading
from rag.quotes import locate

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

#: Words around a claim's own words that take them back or attribute them.
_TAKES_BACK = re.compile(
    r"\b(?:not|n[o’']t|never|no|none|false|untrue|wrong|incorrect|myth|mistaken(?:ly)?|den(?:y|ies|ied)"
    r"|if|unless|whether|claims?|claimed|alleg\w+|suppos\w+|rumou?r\w*|believ\w+|suggest\w*"
    r"|would|could|might|may|hypothe\w+|pretend\w*|imagin\w+|fail\w*|without|instead|former\w*"
    r"|no longer|until|draft|proposed?|example|statement|assert\w*|says?|said|argu\w+)\b",
    re.IGNORECASE,
)


def word_for_word(claim: str, material: Material) -> Quote | None:
    """The claim's own words in the evidence, if nothing in their sentence takes them back.

    «It is false that leave is 21 days» does not say that leave is 21 days.
    """
    unquoted = claim.strip(" \"“”«»'")
    bare = unquoted.rstrip(".")
    for index, text in enumerate(material.texts):
        place = locate(claim, text) or locate(unquoted, text) or locate(bare, text)
        if place is None or len(bare.split()) < _SHORTEST:
            continue
        around = [
            (s.start, s.start + len(s.text)) for s in material.stretches
            if s.index == index and s.start < place[1] and s.start + len(s.text) > place[0]
        ]  # fmt: skip
        if not around:
            continue  # it stands in a sentence that is addressed to the checker
        beside = text[around[0][0] : place[0]] + " " + text[place[1] : around[-1][1]]
        if not _TAKES_BACK.search(beside):
            return Quote(text[place[0] : place[1]], index)
    return None


#: Fewer words than this are a fragment, and stand in many a text that means something else.
_SHORTEST = 3


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
