"""Criteria of form, speed and consistency: by code alone, whatever the documents say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from eval.case import Case, Judgement, counted, met
from eval.rubric import Criterion
from prompts import REFUSAL
from rag.checking.claims import is_refusal
from rag.checking.quantities import quantities
from rag.citations import INVENTED
from rag.quotes import locate
from rag.words import document_words

#: Refusals in other words than the agreed phrase. Set by hand after reading what small models
#: write; what a source itself says word for word is none.
_OTHER_REFUSAL = re.compile(
    r"\b(?:can(?:no|['’])t|cannot|could not|unable to|not able to) (?:be )?(?:find|found|answer"
    r"|determine|say|tell|provide)|\bI (?:do not|don['’]t) (?:know|have)\b|\bno (?:information"
    r"|mention|answer) (?:is |about |on |of |in )|\b(?:passages?|sources?|documents?|context|text)"
    r" (?:do(?:es)? not|don['’]t|doesn['’]t|provides? no|contains? no|has no|have no)\b"
    r"|\bnot (?:mentioned|stated|specified|provided|given|found) in the (?:passages?|sources?"
    r"|documents?|context|text)|\bnot supported (?:in|by) the\b",
    re.IGNORECASE,
)
_OWN_CITATION = "cites no passage"
_INVENTED_QUOTE = INVENTED.partition("«")[0]
_INVENTED_NUMBER = "the model cited ["

_ONCE: Judgement = ("CANNOT_ASSESS", "fewer than two replies; ask with --repeats 2 or more")


def citations_resolve(case: Case, _: Criterion) -> Judgement:
    invented = [n for n in case.written.notices if n.startswith(_INVENTED_NUMBER)]
    known = {p.rank for p in case.written.passages}
    used = {n for s in case.written.sentences for n in s.citations}
    if invented or used - known:
        return "UNMET", invented[0] if invented else f"no passage {min(used - known)}"
    if not used:
        return "CANNOT_ASSESS", "nothing is cited"
    return "MET", f"{counted(len(used), 'cited passage')}, all among those given"


def claims_cited(case: Case, _: Criterion) -> Judgement:
    claims = [s for s in case.written.sentences if s.verdict is not None]
    if not claims:
        return "CANNOT_ASSESS", "the answer claims nothing"
    bare = [
        s for s in claims if not s.citations or any(r.startswith(_OWN_CITATION) for r in s.reasons)
    ]
    told = f"{len(claims) - len(bare)} of {counted(len(claims), 'claim')} cite a passage themselves"
    return met(not bare), told


def quotes_exist(case: Case, _: Criterion) -> Judgement:
    passages = {p.rank: p.text for p in case.written.passages}
    quotes = [(e.passage, e.quote) for s in case.written.sentences for e in s.evidence]
    for sentence in case.written.sentences:
        for reason in sentence.reasons:
            if reason.startswith(_INVENTED_QUOTE):
                return "UNMET", reason
    for number, quote in quotes:
        if not locate(quote, passages.get(number, "")):
            return "UNMET", f"a quote is not in passage {number}: «{quote[:60]}»"
    if not quotes:
        return "CANNOT_ASSESS", "nothing is quoted"
    return "MET", f"{counted(len(quotes), 'quote')}, each in its passage"


def refusal_phrase_exact(case: Case, _: Criterion) -> Judgement:
    if case.written.refused:
        return met(case.written.answer == REFUSAL), f"«{case.written.answer[:60]}»"
    for sentence in case.written.sentences:
        own = sentence.verdict not in ("supported", "no_mismatch") and sentence.text[:1] != "“"
        if own and not is_refusal(sentence.text) and _OTHER_REFUSAL.search(sentence.text):
            return "UNMET", f"refuses in other words: «{sentence.text[:60]}»"
    if case.partial:
        return "MET", "the part refused is refused in the agreed words"
    return "CANNOT_ASSESS", "nothing was refused"


# ------------------------------------------------------------------ speed


def answered_in_time(case: Case, criterion: Criterion) -> Judgement:
    return _in_time(case, criterion, case.written.timings.total_s)


def first_word_in_time(case: Case, criterion: Criterion) -> Judgement:
    timings = case.written.timings
    first = timings.first_token_s
    return _in_time(case, criterion, None if first is None else timings.retrieve_s + first)


def _in_time(case: Case, criterion: Criterion, seconds: float | None) -> Judgement:
    if criterion.seconds is None:
        return "CANNOT_ASSESS", "the rubric names no limit"
    if case.cold:
        return "CANNOT_ASSESS", "the first question also loads the models"
    if seconds is None:
        return "CANNOT_ASSESS", "no model wrote"
    return met(seconds <= criterion.seconds), f"{seconds:.2f} s of {criterion.seconds:g} s"


# ------------------------------------------------------------------ consistency


def same_outcome(cases: Sequence[Case], _: Criterion) -> Judgement:
    if len(cases) < 2:
        return _ONCE
    refused = sum(c.answer.refused for c in cases)
    return met(refused in (0, len(cases))), f"refused {refused} of {len(cases)} times"


def same_verdicts(cases: Sequence[Case], _: Criterion) -> Judgement:
    if len(cases) < 2:
        return _ONCE
    different = {tuple(sorted(Counter(c.claims).items())) for c in cases}
    if different == {()}:
        return "CANNOT_ASSESS", "no claim in any of the answers"
    return met(len(different) == 1), f"{counted(len(different), 'different set')} of verdicts"


def same_answer(cases: Sequence[Case], criterion: Criterion) -> Judgement:
    if len(cases) < 2:
        return _ONCE
    said = [c.answer.answer for c in cases if not c.answer.refused]
    if len(said) < 2:
        return "CANNOT_ASSESS", "answered less than twice"
    figures = {frozenset((q.kind, q.values, q.parts) for q in quantities(text)) for text in said}
    if len(figures) > 1:
        return "UNMET", "the answers have different figures"
    words = [set(document_words(text).indices) for text in said]
    shared = min(_overlap(a, b) for i, a in enumerate(words) for b in words[i + 1 :])
    return met(shared >= (criterion.at_least or 0)), f"at least {shared:.0%} of the words shared"


def _overlap(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
