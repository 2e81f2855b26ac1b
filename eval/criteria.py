"""The criteria of the rubric, each judged by code for one reply: MET, UNMET or CANNOT_ASSESS.

What cannot be assessed has nothing to be judged by: no expected answer, no claim, no repeat. It is
neither a success nor a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from eval import criteria_form as form
from eval.case import Case, Judgement, counted, met
from eval.expected import agreement
from eval.ranking import covers
from eval.records import Mark, Question
from eval.rubric import Criterion, Rubric
from rag.quotes import locate
from rag.records import Passage
from rag.words import document_words

#: Share of an expected quote's words that a passage must have where the quote is not in it as a
#: whole: a chunk may end in its middle. Set by hand.
_MOST_OF_QUOTE = 0.8


def marks(cases: Sequence[Case], rubric: Rubric) -> list[tuple[Mark, ...]]:
    """For each repeat of one question its marks. Consistency is a matter of all repeats together
    and comes out the same for each of them."""
    shared = [
        Mark(c.key, c.check, *BY_QUESTION[c.key](cases, c), c.weight)
        for c in rubric.of("consistency")
    ]
    return [(*_own(case, rubric), *shared) for case in cases]


def _own(case: Case, rubric: Rubric) -> Iterator[Mark]:
    for c in rubric.criteria:
        if c.key in BY_REPLY:
            outcome, reason = BY_REPLY[c.key](case, c)
            yield Mark(c.key, c.check, outcome, reason, c.weight)


# ------------------------------------------------------------------ factual accuracy


def _no_claim_flagged(case: Case, _: Criterion) -> Judgement:
    if not case.claims:
        return "CANNOT_ASSESS", _why_no_claim(case)
    flagged = [s for s in case.answer.sentences if s.verdict in ("contradicted", "not_supported")]
    if not flagged:
        return "MET", f"none of {counted(len(case.claims), 'claim')} is flagged"
    why = f": {flagged[0].reasons[0]}" if flagged[0].reasons else ""
    return "UNMET", f"{len(flagged)} of {counted(len(case.claims), 'claim')} flagged{why}"


def _claims_accepted(case: Case, criterion: Criterion) -> Judgement:
    if not case.claims:
        return "CANNOT_ASSESS", _why_no_claim(case)
    accepted = sum(v in criterion.verdicts for v in case.claims)
    enough = accepted / len(case.claims) >= (criterion.at_least or 0)
    words = " or ".join(criterion.verdicts).replace("_", " ")
    return met(enough), f"{accepted} of {counted(len(case.claims), 'claim')}: {words}"


def _agrees_with_answer(case: Case, _: Criterion) -> Judgement:
    expected = case.question.answer
    if not expected:
        return "CANNOT_ASSESS", "the question names no expected answer"
    if case.answer.refused:
        return "CANNOT_ASSESS", "it was refused"
    said = "\n".join(s.text for s in case.answer.sentences)
    return agreement(expected, said, case.question.question)


def _why_no_claim(case: Case) -> str:
    if case.answer.refused:
        return "it was refused"
    return "no judge could score a claim" if any(case.votes) else "the answer claims nothing"


# ------------------------------------------------------------------ task completion


def _answers_or_refuses_rightly(case: Case, _: Criterion) -> Judgement:
    wanted, refused = case.question.answerable, case.answer.refused
    if wanted is None:
        return "CANNOT_ASSESS", "nobody said whether the documents answer it"
    if wanted:
        return ("UNMET", "refused, though answerable") if refused else ("MET", "answered")
    if refused:
        return "MET", "refused, as it should be"
    part = " in part" if case.partial else ""
    return "UNMET", f"answered{part}, though the documents do not answer it"


def _answers_in_full(case: Case, _: Criterion) -> Judgement:
    if not case.question.answerable:
        return "CANNOT_ASSESS", "not known to be answerable"
    if case.answer.refused:
        return "UNMET", "refused as a whole"
    return ("UNMET", "a part was refused") if case.partial else ("MET", "no part was refused")


def _evidence_found(case: Case, _: Criterion) -> Judgement:
    return _holds(case.question, case.answer.passages, "passages")


def _evidence_cited(case: Case, _: Criterion) -> Judgement:
    if case.answer.refused:
        return "CANNOT_ASSESS", "it was refused"
    cited = {n for s in case.answer.sentences for n in s.citations}
    return _holds(case.question, [p for p in case.answer.passages if p.rank in cited], "citations")


def _holds(question: Question, passages: Sequence[Passage], what: str) -> Judgement:
    """The most exact of what the question names decides: its quote, else its page, else its file.
    Where only a quote is named, it may stand in any file."""
    if question.file is None and question.quote is None:
        return "CANNOT_ASSESS", "the question names no source"
    of_file = [p for p in passages if question.file in (None, p.file)]
    if not of_file:
        return "UNMET", f"«{question.file}» is not among the {what}"
    quote, page = question.quote, question.page
    if quote is not None:
        found = any(_has_quote(p, quote) for p in of_file)
        return met(found), f"the quote is {'' if found else 'not '}among the {what}"
    if page is not None:
        found = any(covers(p, page) for p in of_file)
        return met(found), f"page {page} is {'' if found else 'not '}among the {what}"
    return "MET", f"the file is among the {what}"


def _has_quote(passage: Passage, quote: str) -> bool:
    if locate(quote, passage.text):
        return True
    wanted = set(document_words(quote).indices)
    shared = wanted & set(document_words(passage.text).indices)
    return bool(wanted) and len(shared) >= _MOST_OF_QUOTE * len(wanted)


# ------------------------------------------------------------------ all of them

BY_REPLY: dict[str, Callable[[Case, Criterion], Judgement]] = {
    "no_claim_flagged": _no_claim_flagged,
    "claims_accepted": _claims_accepted,
    "agrees_with_answer": _agrees_with_answer,
    "answers_or_refuses_rightly": _answers_or_refuses_rightly,
    "answers_in_full": _answers_in_full,
    "evidence_found": _evidence_found,
    "evidence_cited": _evidence_cited,
    "citations_resolve": form.citations_resolve,
    "claims_cited": form.claims_cited,
    "quotes_exist": form.quotes_exist,
    "refusal_phrase_exact": form.refusal_phrase_exact,
    "answered_in_time": form.answered_in_time,
    "first_word_in_time": form.first_word_in_time,
}
BY_QUESTION: dict[str, Callable[[Sequence[Case], Criterion], Judgement]] = {
    "same_outcome": form.same_outcome,
    "same_verdicts": form.same_verdicts,
    "same_answer": form.same_answer,
}
