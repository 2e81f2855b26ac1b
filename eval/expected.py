"""Does a reply say what the expected answer says? By code: figures, dates, names, words, denial."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eval.case import Judgement
from rag.checking.agreement import agree
from rag.checking.check import verify
from rag.checking.polarity import negated
from rag.checking.quantity import Quantity
from rag.checking.reading import Name, Reading, read
from rag.checking.tokens import words

#: Share of what the expected answer says beyond its question that the reply must say too. Measured
#: on the sample questions: with their own quotes as replies 27 of 29 agree, with those of other
#: questions 4 of 812.
LEAST_SAID = 0.5
_SHORTEST_BEGINNING = 4  # letters that make two words one, of those that begin alike. Set by hand
_LONE = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)
_BEGINNING = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
#: «No, the pilot was not injured»: what follows says it as well.
_YES_NO = re.compile(r"\A\s*(?:yes|no)\s*[,;:.–—-]\s+(?=\S+\s+\S)", re.IGNORECASE)

_NOT = words("not n't n’t")
#: Words that may stand between a denial and what it denies: «not in Houston».
_BETWEEN = words("a an the in on at of to by with for from")
#: What stands between alternatives: «30 or 12», «10 degrees, 12 degrees or 15». A list needs an
#: «or» somewhere, else it is no choice.
_JOINED = re.compile(r"\s*(?:[^\W\d]+\s*)?(?:,\s*or\b|,|\bor\b)\s*", re.IGNORECASE)
_OR = re.compile(r"\bor\b", re.IGNORECASE)


def agreement(expected: str, reply: str, question: str) -> Judgement:
    """The outcome, and why; CANNOT_ASSESS for an expected answer that says too little by itself,
    such as a lone «no» where the reply begins with neither yes nor no, and for a reply that leaves
    the choice («30 or 12»).

    Every figure, date and name of the expected answer must stand in the reply, most of its other
    words, and nothing in the reply may deny it. Order and wording do not count, nor does what the
    reply says besides.
    """
    if lone := _LONE.fullmatch(expected):
        return _same_word(lone.group(1), reply)
    stated = _YES_NO.sub("", expected, count=1) or expected
    wanted, said = read(stated), read(reply)
    if not (wanted.quantities or wanted.content):
        return "CANNOT_ASSESS", "the expected answer has no fact to hold the reply against"
    if missing := _figures(wanted, said) or _names(wanted, said, read(question)):
        return "UNMET", f"the reply lacks «{missing}» of the expected answer"
    if denied := _denied(wanted, said):
        return "UNMET", f"the reply says that it is not «{denied}»"
    if left_open := _left_open(wanted, said):
        return "CANNOT_ASSESS", f"the reply gives «{left_open}» as one of several, with «or»"
    both_deny = negated(wanted) and negated(said)  # «no entries» in «entries were not noted»
    verdict = verify(stated, [reply], question=question)
    if verdict.label == "contradicted" and not both_deny:
        return "UNMET", f"the reply denies the expected answer: {verdict.reasons[0]}"
    share = _said(wanted, said, read(question))
    if share < LEAST_SAID:
        return "UNMET", f"the reply has {share:.0%} of the words of the expected answer"
    return "MET", "figures, names and words of the expected answer are in the reply"


def _same_word(word: str, reply: str) -> Judgement:
    said = _BEGINNING.match(reply)
    if said is None:
        return "CANNOT_ASSESS", f"a lone «{word}» says too little to hold the reply against"
    same = said.group(1).lower() == word.lower()
    return "MET" if same else "UNMET", f"the reply begins with «{said.group(1)}»"


def _figures(wanted: Reading, said: Reading) -> str:
    """The first figure that the reply lacks, as it is written."""
    for figure in wanted.quantities:
        if not any(agree(figure, other) for other in said.quantities):
            return wanted.text[figure.start : figure.end]
    return ""


def _names(wanted: Reading, said: Reading, question: Reading) -> str:
    """The first name that the reply lacks and the question does not have."""
    known = _stems(said) | _stems(question)
    for name in wanted.names:
        if not name.doubtful and not known.issuperset(name.stems):
            return name.text
    return ""


def _denied(wanted: Reading, said: Reading) -> str:
    """The first figure or name that the reply has only behind a «not», as it is written."""
    for figure, at in zip(wanted.quantities, wanted.quantity_places, strict=True):
        there = [said.quantity_places[i] for i in _homes(figure, said)]
        if not _behind_not(wanted, at) and there and all(_behind_not(said, i) for i in there):
            return wanted.text[figure.start : figure.end]
    for name in wanted.names:
        stems = [token.stem for token in said.tokens]
        there = [
            i for i, stem in enumerate(stems)
            if stem in name.stems and (i == 0 or stems[i - 1] not in name.stems)
        ]  # fmt: skip
        if not there or _behind_not(wanted, name.first):
            continue
        if all(_behind_not(said, i) for i in there):
            return name.text
    return ""


def _behind_not(reading: Reading, at: int) -> bool:
    """Whether a «not» stands directly before a token, in the same clause."""
    before = at - 1
    while before >= 0 and reading.lower[before] in _BETWEEN:
        before -= 1
    if before < 0 or reading.lower[before] not in _NOT:
        return False
    gap = reading.text[reading.tokens[before].end : reading.tokens[at].start]
    return not any(sign in gap for sign in ".,;:!?")


def _left_open(wanted: Reading, said: Reading) -> str:
    """The first figure or name that the reply has only as one of several alternatives, of which
    the expected answer does not have the others."""
    figures = [(q.start, q.end, q.kind) for q in said.quantities]
    own = [any(agree(q, other) for q in wanted.quantities) for other in said.quantities]
    for figure in wanted.quantities:
        there = _homes(figure, said)
        if there and all(_has_rival(said.text, figures, own, i) for i in there):
            return wanted.text[figure.start : figure.end]
    names = [(*_span(said, n), "name") for n in said.names]
    own = [not _stems(wanted).isdisjoint(n.stems) for n in said.names]
    for name in wanted.names:
        there = [i for i, n in enumerate(said.names) if set(name.stems) <= set(n.stems)]
        if there and all(_has_rival(said.text, names, own, i) for i in there):
            return name.text
    return ""


def _has_rival(text: str, spans: Sequence[tuple[int, int, str]], own: list[bool], at: int) -> bool:
    """Whether a span stands in a row of alternatives with one that is not the expected answer's."""
    row, gaps = [at], ""
    for step in (-1, 1):
        i = at
        while 0 <= i + step < len(spans) and spans[i + step][2] == spans[at][2]:
            left, right = sorted((i, i + step))
            gap = text[spans[left][1] : spans[right][0]]
            if not _JOINED.fullmatch(gap):
                break
            gaps += gap
            i += step
            row.append(i)
    return bool(_OR.search(gaps)) and not all(own[i] for i in row)


def _homes(figure: Quantity, said: Reading) -> list[int]:
    """Which figures of the reply say it."""
    return [i for i, other in enumerate(said.quantities) if agree(figure, other)]


def _span(reading: Reading, name: Name) -> tuple[int, int]:
    return reading.tokens[name.first].start, reading.tokens[name.last].end


def _said(wanted: Reading, said: Reading, question: Reading) -> float:
    """Share of the words that the expected answer adds to its question, of all its words where it
    adds none; 1 where figures or names say it."""
    if wanted.quantities:
        return 1.0
    all_words = {wanted.tokens[i].stem for i in wanted.content}
    new = all_words - _stems(question) or all_words
    new -= {stem for name in wanted.names if not name.doubtful for stem in name.stems}
    if not new:
        return 1.0
    known = _stems(said)
    return sum(any(_alike(word, other) for other in known) for word in new) / len(new)


def _alike(one: str, other: str) -> bool:
    """«wood», «wooden»: the same beginning counts, from four letters on."""
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= _SHORTEST_BEGINNING and long.startswith(short))


def _stems(reading: Reading) -> set[str]:
    return {token.stem for token in reading.tokens}
