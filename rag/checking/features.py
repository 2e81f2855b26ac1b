"""One claim against its evidence as numbers for the offline score, and what the rules object.

Every feature grows with suspicion, so a claim of several sentences takes the largest of each; of
shares of words it takes the mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.checking import names, numbers, polarity, roles, wording
from rag.checking.base import Finding
from rag.checking.material import Material, coverage
from rag.checking.reading import Reading, read
from rag.checking.tokens import sides, tokens
from rag.sentences import sentences

#: The features in the order of the coefficients.
FEATURES = (
    "missing words", "missing words, log", "missing from best sentence", "missing from best three",
    "pairs apart",
    "numbers absent", "small number absent", "number margin", "number instead", "has numbers",
    "names absent", "name words absent", "name margin",
    "negation added", "negation dropped", "denial", "opposite", "opposite, margin", "gender",
    "polar words absent", "quantifier", "added word", "roles swapped", "length, log",
)  # fmt: skip


#: Shares of words: of several sentences their mean, by length, and not the largest.
_AVERAGED = frozenset(
    ("missing words", "missing from best sentence", "missing from best three", "pairs apart")
)

#: Share of the claim's words, by rarity, that the three best sentences together lack, from which on
#: the evidence is about something else. Set on WiCE dev, SummEdits and CLAPNQ: see the figures of
#: «other passage» and of the alarm «off topic» in docs/verification.md.
OFF_TOPIC = 0.88


#: Up to this share of a sentence's words may be missing from the three best sentences for the claim
#: to count as found but for a name. Between .2 and .4 the false alarms moved by .01.
REST_FOUND = 0.3


@dataclass(frozen=True, slots=True)
class Examined:
    """Feature values by name and the rules' findings, in the order of the claim's sentences."""

    values: dict[str, float]
    findings: tuple[Finding, ...]


def examine(claim: str, material: Material, question: str = "") -> Examined:
    """Run every rule over each sentence of a claim."""
    extra = [t.stem for t in tokens(question) if t.content]
    values = dict.fromkeys((*FEATURES, "figure found"), 0.0)
    found: list[Finding] = []
    readings = [read(sentence) for sentence in sentences(claim) or [claim]]
    words = sum(len(r.content) for r in readings) or 1
    for reading in readings:
        own, objections = _examine(reading, material, extra)
        for name, value in own.items():
            if name in _AVERAGED:
                values[name] += value * len(reading.content) / words
            else:
                values[name] = max(values[name], value)
        found += objections
    if values["missing from best three"] >= OFF_TOPIC and not values["figure found"]:
        found.append(
            Finding("off topic", "unsupported", "the source speaks of something else", claim)
        )
    return Examined(values, tuple(dict.fromkeys(found)))


def _examine(
    claim: Reading, material: Material, extra: Sequence[str]
) -> tuple[dict[str, float], list[Finding]]:
    figures = numbers.check_numbers(claim, material, extra)
    named = names.check_names(claim, material, extra)
    reversed_ = polarity.reversals(claim, material)
    worded = wording.mismatches(claim, material)
    swapped = roles.exchanges(claim, material, extra)
    values = _wording_values(claim, material)
    values |= _figure_values(figures) | {
        "names absent": min(
            3.0, float(sum(bool(c.missing) and not c.name.doubtful for c in named))
        ),
        "name words absent": min(4.0, float(sum(len(c.missing) for c in named))),
        "name margin": _largest(c.contest.margin for c in named if not c.missing),
        "negation added": _largest(r.margin for r in reversed_ if r.kind == "added"),
        "negation dropped": _largest(r.margin for r in reversed_ if r.kind == "dropped"),
        "denial": _largest(r.weight for r in reversed_ if r.kind == "denial"),
        "opposite": _largest(r.weight for r in reversed_ if r.kind == "opposite"),
        "opposite, margin": _largest(r.margin for r in reversed_ if r.kind == "opposite"),
        "gender": _largest(r.weight for r in reversed_ if r.kind == "gender"),
        "quantifier": _largest(m.weight for m in worded if m.kind in ("quantifier", "bound")),
        "added word": _largest(m.weight for m in worded if m.kind == "added"),
        "roles swapped": _largest(e.margin for e in swapped),
    }
    rest_found = values.get("missing from best three", 1.0) <= REST_FOUND
    found = [
        *numbers.findings(figures, material, rest_found=rest_found),
        *names.findings(named, material),
        *polarity.findings(reversed_, material),
        *wording.findings(worded, material, rest_found=rest_found),
        *roles.findings(swapped, material, rest_found=rest_found),
        *roles.unsaid(claim, material, extra),
    ]  # fmt: skip
    return values, found


def _figure_values(figures: Sequence[numbers.Checked]) -> dict[str, float]:
    solid = [c for c in figures if c.state == "found"]
    return {
        "numbers absent": min(3.0, math.fsum(c.state != "found" and not c.small for c in figures)),
        "small number absent": float(any(c.state != "found" and c.small for c in figures)),
        "number margin": _largest(c.contest.margin for c in solid),
        "number instead": _largest(c.contest.rival for c in figures if c.state != "found"),
        "has numbers": float(bool(figures)),
        "figure found": float(any(not c.small for c in solid)),
    }


def _wording_values(claim: Reading, material: Material) -> dict[str, float]:
    """Words the evidence lacks, and words it has in different places."""
    stems = list(dict.fromkeys(claim.tokens[i].stem for i in claim.content))
    held = {s for s in stems if s in material.stems or names.known(s, material)}
    if not stems or not material.stretches:
        return {}
    rarity = {s: material.rarity(s) for s in stems}
    total = sum(rarity.values())
    shares = [
        sum(rarity[s] for s in stems if s in st.reading.places) / total for st in material.stretches
    ]
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    three = frozenset(s for i in order[:3] for s in material.stretches[i].reading.places)
    pairs = [
        (claim.tokens[a].stem, claim.tokens[b].stem)
        for a, b in zip(claim.content, claim.content[1:], strict=False)
    ]
    together = sum(
        any(a in st.reading.places and b in st.reading.places for st in material.stretches)
        for a, b in pairs
    )
    return {
        "missing words": 1 - sum(rarity[s] for s in held) / total,
        "missing words, log": math.log1p(len(stems) - len(held)),
        "missing from best sentence": 1 - shares[order[0]],
        "missing from best three": 1 - coverage(stems, three | material.title_stems, material),
        "pairs apart": 1 - together / len(pairs) if pairs else 0.0,
        "polar words absent": float(sum(_polar_absent(s, material) for s in stems)),
        "length, log": math.log1p(len(stems)),
    }


def _polar_absent(stem: str, material: Material) -> bool:
    """A word that has opposites, where the evidence has neither it nor one of its side."""
    same, opposite = sides(stem)
    return bool(opposite) and not same & material.stems and stem not in material.stems


def _largest(values: Iterable[float]) -> float:
    return max(0.0, max(values, default=0.0))
