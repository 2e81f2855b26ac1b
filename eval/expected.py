"""Does a reply say what the expected answer says? By code: figures, dates, names, words, denial."""

from __future__ import annotations

import re

from eval.case import Judgement
from rag.checking.check import verify
from rag.checking.numbers import agree
from rag.checking.polarity import negated
from rag.checking.reading import Reading, read

#: Share of what the expected answer says beyond its question that the reply must say too. Measured
#: on the sample questions: with their own quotes as replies 28 of 29 agree, with those of other
#: questions 7 of 812.
LEAST_SAID = 0.5
_SHORTEST_BEGINNING = 4
_LONE = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)
_BEGINNING = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
#: «No, the pilot was not injured»: what follows says it as well.
_YES_NO = re.compile(r"\A\s*(?:yes|no)\s*[,;:.–—-]\s+(?=\S+\s+\S)", re.IGNORECASE)


def agreement(expected: str, reply: str, question: str) -> Judgement:
    """The outcome, and why; CANNOT_ASSESS for an expected answer that says too little by itself,
    such as a lone «no» where the reply begins with neither yes nor no.

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
