"""True claims made false on purpose, each in one way, with the kind of falsehood as its name.

Used to fit the offline score (on some documents) and to measure it (on others). The words changed
here come from a list of its own, not from the checker's.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.checking.agreement import agree
from rag.checking.quantities import quantities
from rag.checking.quantity import Quantity
from rag.checking.reading import read
from rag.sentences import sentences


@dataclass(frozen=True, slots=True)
class Case:
    """A claim, its evidence texts and whether they support it."""

    claim: str
    evidence: tuple[str, ...]
    supported: bool
    document: str
    source: str
    flip: str = ""
    needed: tuple[str, ...] = ()  # sentences known to support it
    question: str = ""
    titles: tuple[str, ...] = ()


Maker = Callable[[Case, random.Random], str | None]

_OPPOSITES = """
increased/decreased increase/decrease increases/decreases rose/fell higher/lower more/less
before/after above/below won/lost largest/smallest first/last early/late old/new older/younger
north/south east/west northern/southern eastern/western upper/lower left/right open/closed
accepted/rejected approved/rejected began/ended begin/end started/stopped opened/closed
included/excluded includes/excludes supported/opposed strong/weak stronger/weaker better/worse
best/worst positive/negative success/failure successful/unsuccessful improved/worsened
improve/worsen improves/degrades improving/worsening growth/decline bought/sold acquired/sold
public/private internal/external male/female men/women  brother/sister
father/mother husband/wife son/daughter king/queen born/died founded/dissolved long/short
longer/shorter large/small larger/smaller high/low major/minor local/national common/rare
easy/difficult easily/hardly fast/slow faster/slower hot/cold light/dark joined/left
arrived/departed gained/lost gain/loss profit/loss agrees/refuses agree/refuse agreed/refused
likes/dislikes loves/hates love/hate happy/sad good/bad previously/subsequently
minimum/maximum many/few often/rarely always/never allowed/forbidden allows/prevents
allow/prevent enables/prevents created/destroyed built/demolished with/without top/bottom
inside/outside simple/complex simpler/harder supervised/unsupervised similar/different
same/different directly/indirectly efficient/inefficient outperforms/underperforms
strengthened/weakened expanded/reduced raised/cut encourages/discourages known/unknown
"""
_OPPOSITE = {
    a: b for pair in _OPPOSITES.split() for a, b in (pair.split("/"), reversed(pair.split("/")))
}
_QUANTIFIERS = {
    "all": "some", "some": "all", "most": "few", "many": "few", "several": "all", "every": "no",
    "each": "only one", "both": "neither", "either": "both", "more than": "less than",
    "less than": "more than", "at least": "at most", "at most": "at least", "up to": "at least",
    "over": "under", "nearly": "more than", "almost": "more than", "about": "exactly",
    "approximately": "exactly", "only": "not only", "usually": "always", "often": "always",
    "sometimes": "always", "always": "sometimes", "mostly": "entirely", "mainly": "only",
    "primarily": "only", "generally": "always", "any": "no", "no": "any", "exactly": "about",
    "one of": "the only one of", "a few": "most", "few": "most",
}  # fmt: skip
_AUXILIARY = re.compile(
    r"\b(?P<aux>is|are|was|were|will|would|can|could|may|might|must|should"
    r"|(?:has|have|had)(?= \w+(?:ed|en|been)\b))\b(?! not|n't)"
)
_PAST = re.compile(
    r"(?:(?<=\bhe )|(?<=\bthey )|(?<=\bit )|(?<=\bcompany )|(?<=\bwho )|(?<=[A-Z][a-z]{5} )"
    r"|(?<=[A-Z][a-z]{3} ))(?P<verb>[a-z]{3,}ed)\b"
)
_THIRD = re.compile(
    r"(?<=[a-z] )(?P<verb>(?!this|its|his|was|has|is|as|us|yes|plus|thus|less)[a-z]{3,}[^s]s)\b"
    r"(?= (?:the|a|an|to|that|and|in|for|on|his|her|their|it))"
)


def number_moved(case: Case, rng: random.Random) -> str | None:
    """A number becomes another one of the same kind from the same evidence."""
    return _renumbered(case, rng, _numbers, moved=True)


def number_changed(case: Case, rng: random.Random) -> str | None:
    """A digit of a number changes."""
    return _renumbered(case, rng, _numbers, moved=False)


def date(case: Case, rng: random.Random) -> str | None:
    """A date or year moves: half of the time to another one of the evidence."""
    return _renumbered(case, rng, _dates, moved=rng.random() < 0.5)


def _numbers(q: Quantity) -> bool:
    return q.kind in ("number", "percent", "money") and q.unit != "fraction"


def _dates(q: Quantity) -> bool:
    return q.kind == "date"


def _renumbered(
    case: Case, rng: random.Random, kind: Callable[[Quantity], bool], *, moved: bool
) -> str | None:
    mine = quantities(case.claim)
    picked = [q for q in mine if kind(q)]
    if not picked:
        return None
    old = rng.choice(picked)
    text = case.claim[old.start : old.end]
    if moved:
        others = {
            e[q.start : q.end] for e in case.evidence for q in quantities(e)
            if q.kind == old.kind and not any(agree(m, q) or agree(q, m) for m in mine)
            and len(q.parts) == len(old.parts)
            and sum(p is not None for p in q.parts) == sum(p is not None for p in old.parts)
            and bool(re.match(r"\d", e[q.start:q.end])) == bool(re.match(r"\d", text))
        }  # fmt: skip
        if not others:
            return None
        new = rng.choice(sorted(others))
    else:
        digits = [i for i, c in enumerate(text) if c.isdigit()]
        if not digits:
            return None
        at = digits[-1] if kind is _dates else rng.choice(digits)
        new = text[:at] + str((int(text[at]) + rng.randint(1, 8)) % 9 + 1) + text[at + 1 :]
        new_quantities = quantities(new)
        if new == text or not new_quantities or agree(old, new_quantities[0]):
            return None
    return case.claim[: old.start] + new + case.claim[old.end :]


def unit(case: Case, rng: random.Random) -> str | None:
    """Millions become billions, kilometres miles, dollars euros, months years."""
    table = {
        "million": "billion", "billion": "million", "thousand": "million", "kilometers": "miles",
        "kilometres": "miles", "km": "miles", "miles": "kilometres", "meters": "feet",
        "metres": "feet", "feet": "metres", "months": "years", "years": "months", "year": "month",
        "days": "weeks", "weeks": "days", "hours": "minutes", "minutes": "hours", "$": "€",
        "£": "$", "€": "$", "kg": "tonnes", "pounds": "tons", "%": " million", "percent": "million",
        "week": "year", "month": "week", "day": "week", "hour": "day",
    }  # fmt: skip
    after = (
        r"(?:(?<=\d)|(?<=\d[ -])|(?<=two )|(?<=three )|(?<=four )|(?<=five )|(?<=six )|(?<=ten ))"
    )
    spots = [
        m
        for old in table
        for m in re.finditer(
            rf"{re.escape(old)}(?=\s?\d)" if old in "$£€" else rf"{after}{re.escape(old)}(?!\w)",
            case.claim,
        )
    ]
    if not spots:
        return None
    m = rng.choice(spots)
    return case.claim[: m.start()] + table[m.group()] + case.claim[m.end() :]


def negation(case: Case, rng: random.Random) -> str | None:
    """A «not» comes in, or goes."""
    claim = case.claim
    if removed := re.search(r"(?: not|(?<=o)n['’]t| never)\b(?! only)", claim):
        return claim[: removed.start()] + claim[removed.end() :]
    found = list(_AUXILIARY.finditer(claim))
    if found:
        m = rng.choice(found)
        return f"{claim[: m.end()]} not{claim[m.end() :]}"
    if past := _PAST.search(claim):
        verb = past["verb"]
        base = verb[:-1] if verb.endswith(("sed", "ved", "ted", "ced", "ged")) else verb[:-2]
        return f"{claim[: past.start()]}did not {base}{claim[past.end() :]}"
    if third := _THIRD.search(claim):
        return f"{claim[: third.start()]}does not {third['verb'][:-1]}{claim[third.end() :]}"
    return None


def antonym(case: Case, rng: random.Random) -> str | None:
    """One word becomes its opposite."""
    spots = [m for m in re.finditer(r"\b[a-z]+\b", case.claim) if m.group() in _OPPOSITE]
    if not spots:
        return None
    m = rng.choice(spots)
    return case.claim[: m.start()] + _OPPOSITE[m.group()] + case.claim[m.end() :]


def quantifier(case: Case, rng: random.Random) -> str | None:
    """All becomes some, at least at most, usually always."""
    spots = [
        m
        for old in _QUANTIFIERS
        for m in re.finditer(rf"\b{old}\b", case.claim, re.IGNORECASE)
        if _counts(old, case.claim[: m.start()], case.claim[m.end() :])
    ]
    if not spots:
        return None
    m = rng.choice(spots)
    return case.claim[: m.start()] + _QUANTIFIERS[m.group().lower()] + case.claim[m.end() :]


def _counts(word: str, before: str, after: str) -> bool:
    """Whether a word is a quantifier where it stands: not in «at all», «a few», «the most»."""
    if re.search(r"\b(?:not|n[’']t|without|at|a|an|the|its|as)\s$", before, re.IGNORECASE):
        return word in ("exactly", "up to", "over", "more than", "less than")
    if word in ("over", "up to"):
        return bool(re.match(r"\s[\d$]", after))
    if word in ("about", "no", "most", "any", "all"):
        return bool(re.match(r"\s(?:\d|\$|of\b|the\b|[a-z]+s\b)", after))
    return not after.startswith("-")


def name_moved(case: Case, rng: random.Random) -> str | None:
    """A name becomes another one from the same evidence."""
    claim = read(case.claim)
    mine = {s for n in claim.names for s in n.stems}
    solid = [n for n in claim.names if not n.doubtful]
    others = sorted(
        {
            n.text
            for e in case.evidence for s in sentences(e) for n in read(s).names
            if not n.doubtful and not set(n.stems) & mine and 2 < len(n.text) < 40
        }
    )  # fmt: skip
    if not solid or not others:
        return None
    old = rng.choice(solid)
    alike = [o for o in others if len(o.split()) == len(old.text.split())] or others
    start, end = claim.tokens[old.first].start, claim.tokens[old.last].end
    return case.claim[:start] + rng.choice(alike) + case.claim[end:]


def roles(case: Case, rng: random.Random) -> str | None:
    """Two names of the claim change places."""
    claim = read(case.claim)
    pairs = [
        (a, b)
        for i, a in enumerate(claim.names) for b in claim.names[i + 1 :]
        if not set(a.stems) & set(b.stems) and not (a.doubtful and len(a.text) < 4)
        and not any(w in ("and", "or") for w in claim.lower[a.last + 1 : b.first])
    ]  # fmt: skip
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    c, t = case.claim, claim.tokens
    return (
        c[: t[a.first].start] + b.text + c[t[a.last].end : t[b.first].start] + a.text
        + c[t[b.last].end :]
    )  # fmt: skip


def answer_moved(case: Case, rng: random.Random) -> str | None:
    """The last words of the claim become others of the evidence that end a phrase there."""
    claim = read(case.claim)
    tail = [i for i in claim.content if not claim.tokens[i].capital][-2:]
    if len(tail) < 2 or tail[1] - tail[0] > 1 or tail[0] < 3:
        return None
    mine = set(claim.places)
    pairs = set()
    for e in case.evidence:
        for s in sentences(e):
            r = read(s)
            for i, j in zip(r.content, r.content[1:], strict=False):
                words = r.tokens[i], r.tokens[j]
                ends = re.match(r"\s?[.,;)]", s[words[1].end :])
                if j == i + 1 and ends and not any(w.stem in mine or w.capital for w in words):
                    pairs.add(s[words[0].start : words[1].end])
    if not pairs:
        return None
    start, end = claim.tokens[tail[0]].start, claim.tokens[tail[1]].end
    return case.claim[:start] + rng.choice(sorted(pairs)) + case.claim[end:]


MAKERS: dict[str, Maker] = {
    "number, same passage": number_moved,
    "number, other": number_changed,
    "date": date,
    "unit": unit,
    "negation": negation,
    "antonym": antonym,
    "quantifier": quantifier,
    "name, same passage": name_moved,
    "answer, same passage": answer_moved,
    "roles swapped": roles,
}


def flips(cases: Sequence[Case], seed: int) -> Iterator[Case]:
    """Each true case once in each way that it can be made false, then with its evidence changed."""
    rng = random.Random(seed)
    for case in cases:
        for name, make in MAKERS.items():
            claim = make(case, rng)
            if claim and claim != case.claim:
                yield replace(case, claim=claim, supported=False, flip=name)
        if without := _deleted(case):
            yield replace(case, evidence=without, supported=False, flip="needed sentence deleted")
        other = rng.choice(cases)
        if other.document != case.document:
            yield replace(case, evidence=other.evidence, supported=False, flip="other passage")


def _deleted(case: Case) -> tuple[str, ...] | None:
    """The evidence without the sentences that support the claim, or without the closest one."""
    wanted = set(read(case.claim).places)
    stretches = [s for e in case.evidence for s in sentences(e)]
    if len(stretches) < 3:
        return None
    gone = set(case.needed) or {max(stretches, key=lambda s: len(wanted & set(read(s).places)))}
    kept = []
    for e in case.evidence:
        for sentence in gone:
            e = e.replace(sentence, " ")
        kept.append(e)
    left = tuple(k for k in kept if k.strip())
    return left if left != case.evidence and left else None
