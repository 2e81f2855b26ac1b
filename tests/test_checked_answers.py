"""Sentences of an answer with verdicts: what is cited, what stands elsewhere, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rag.checking.answers import Checking
from rag.checking.base import ModelOpinion
from rag.citations import cite
from rag.errors import ModelUnavailable
from rag.records import Passage, Sentence
from rag.render import evidence_lines

LEAVE = "Employees accrue 21 days of leave a year. Unused days expire in March."
FEE = "The late fee is 40 euros for each invoice. It is waived for charities."


def passage(rank: int, text: str, file: str = "handbook.pdf") -> Passage:
    return Passage(rank, file, rank, rank, "", text, 1.0, f"chunk-{rank}")


PASSAGES = [passage(1, LEAVE), passage(2, FEE, "fees.pdf")]


def checked(draft: str, checking: Checking | None = None) -> list[Sentence]:
    cited = cite(draft, PASSAGES)
    return list((checking or Checking()).sentences(cited.sentences, PASSAGES, "How much?"))


def test_the_sources_own_words_are_supported_with_file_and_page() -> None:
    (sentence,) = checked("Employees accrue 21 days of leave a year [1].")
    assert sentence.verdict == "supported"
    assert [(e.file, e.page, e.passage) for e in sentence.evidence] == [("handbook.pdf", 1, 1)]
    assert sentence.evidence[0].quote in LEAVE


@pytest.mark.parametrize(
    "claim", ["Employees accrue 25 days of leave a year [1].", "The late fee is 50 euros [2]."]
)
def test_one_changed_number_is_flagged(claim: str) -> None:
    (sentence,) = checked(claim)
    assert sentence.verdict in ("contradicted", "not_supported")
    assert sentence.reasons


def test_a_sentence_without_a_citation_gets_that_of_the_passage_that_says_it() -> None:
    (sentence,) = checked("The late fee is 40 euros for each invoice.")
    assert sentence.verdict == "supported"
    assert sentence.citations == (2,)
    assert "[2] attached by the check" in sentence.reasons[-1]


def test_a_wrong_citation_is_told_and_not_replaced() -> None:
    (sentence,) = checked("The late fee is 40 euros for each invoice [1].")
    assert sentence.citations == (1,)
    assert "stands in [2], which it does not cite" in sentence.reasons[-1]


def test_words_in_quote_marks_that_stand_nowhere_are_not_supported() -> None:
    (sentence,) = checked('The handbook says "leave may be sold back to the company" [1].')
    assert sentence.verdict == "not_supported"


@pytest.mark.parametrize("reason", ["", "the quoted words are fine", "supported by all passages"])
def test_an_invented_quotation_is_found_whatever_the_sentence_was_told_before(reason: str) -> None:
    """The check looks for the words itself: no text of an earlier stage decides."""
    told = Sentence('It says "leave may be sold back to the company".', (1,), reasons=(reason,))
    true = Sentence("It says “Employees accrue 21 days of leave a year”.", (1,), reasons=(reason,))
    lied, meant = Checking().sentences([told, true], PASSAGES, "How much?")
    assert lied.verdict == "not_supported"
    assert meant.verdict == "supported" or not any("quoted words" in r for r in meant.reasons)


def test_questions_and_the_refusal_phrase_claim_nothing() -> None:
    sentences = checked("What is the fee?\nThe late fee is 40 euros for each invoice [2].")
    assert [s.verdict for s in sentences] == [None, "supported"]


class Model:
    """A checker that says what it is told to."""

    kind, model = "nli", "told"
    digest: str | None = None

    def __init__(self, opinion: ModelOpinion | Exception) -> None:
        self._opinion = opinion
        self.asked: list[int] = []

    def check(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[ModelOpinion]:
        self.asked.append(len(pairs))
        if isinstance(self._opinion, Exception):
            raise self._opinion
        return [self._opinion] * len(pairs)


def test_a_models_yes_without_a_calibration_is_no_more_than_no_mismatch() -> None:
    sure = Checking(Model(ModelOpinion(0.99, 0.005, 0.005)))
    (sentence,) = checked("Staff get 21 days off a year [1].", sure)
    assert sentence.verdict == "no_mismatch"


def test_a_rule_overrules_a_models_yes() -> None:
    sure = Checking(Model(ModelOpinion(0.99, 0.005, 0.005)))
    (sentence,) = checked("Employees accrue 25 days of leave a year [1].", sure)
    assert sentence.verdict in ("contradicted", "not_supported")


def test_a_model_that_is_gone_leaves_sentences_unverified_with_the_reason() -> None:
    gone = Checking(Model(ModelUnavailable("Ollama is gone", "ollama serve")))
    (sentence,) = checked("Staff get 21 days off a year [1].", gone)
    assert sentence.verdict == "unverified"
    assert "Ollama is gone" in sentence.reasons[0]


THREE = (
    "Employees accrue 21 days of leave a year [1]. Unused days expire in March [1]. "
    "The late fee is 40 euros for each invoice [2]."
)


def test_a_sentence_is_told_before_the_model_is_asked_about_the_next() -> None:
    model = Model(ModelOpinion(0.99, 0.005, 0.005))
    cited = cite(THREE, PASSAGES)
    told = Checking(model).sentences(cited.sentences, PASSAGES, "How much?")
    assert model.asked == []
    for n in range(1, 4):
        assert next(told).verdict == "supported"
        assert model.asked == [1] * n


@pytest.mark.parametrize(
    "opinion",
    [ModelOpinion(None, None, None, "gone"), ModelUnavailable("gone", "ollama serve")],
    ids=["an opinion of nothing", "an error"],
)
def test_a_model_that_fails_is_asked_about_all_others_at_once(
    opinion: ModelOpinion | Exception,
) -> None:
    """A checker gives a silent server up once a call, and each try may take minutes."""
    model = Model(opinion)
    sentences = checked(THREE, Checking(model))
    assert [s.verdict for s in sentences] == ["unverified"] * 3
    assert all("gone" in s.reasons[0] for s in sentences)
    assert model.asked == [1, 2]


def conflicting(other: str, *, file: str = "b.md") -> Sentence:
    """The sentence of 21 days, beside what another passage says."""
    texts = {"a.md": "Employees accrue 21 days of paid leave a year.", file: other}
    passages = [
        Passage(n, name, None, None, "", text, score=0.0, chunk_id=str(n))
        for n, (name, text) in enumerate(texts.items(), 1)
    ]
    claim = Sentence("Employees accrue 21 days of paid leave a year.", (1,))
    return next(iter(Checking().sentences([claim], passages, "How much leave is there?")))


@pytest.mark.parametrize(
    "other",
    [
        "Employees accrue 27 days of paid leave a year.",
        "Since 2024, employees accrue 30 days of paid leave each year.",
    ],
)
def test_a_source_that_says_otherwise_is_shown_beside_a_sentence_that_stands(other: str) -> None:
    told = conflicting(other)
    assert told.verdict == "supported"
    assert f"[2] says otherwise: “{other}”" in told.reasons
    assert any("says otherwise" in line for line in evidence_lines([told]))


@pytest.mark.parametrize(
    "other",
    [
        "Employees accrue 21 days of paid leave a year, and a day more after ten years.",
        "Contractors have no paid leave.",
        "The late fee is 40 euros for each invoice.",
    ],
)
def test_a_source_that_agrees_or_speaks_of_something_else_is_no_conflict(other: str) -> None:
    assert not [r for r in conflicting(other).reasons if "otherwise" in r]


def test_a_cited_heading_is_checked_and_one_without_a_citation_claims_nothing() -> None:
    """The markers are cut off before the check; that a sentence had one still counts."""
    flagged, heading = Checking().sentences(
        [Sentence("# Late fee of 99 euros", (2,)), Sentence("# Late fee of 2019", ())],
        PASSAGES,
        "How much?",
    )
    assert flagged.verdict in ("contradicted", "not_supported")
    assert heading.verdict is None


def test_a_conflict_is_seen_across_units() -> None:
    told = conflicting("Employees accrue three weeks of paid leave a year.")
    assert not [r for r in told.reasons if "otherwise" in r]  # three weeks are 21 days
    told = conflicting("Employees accrue nine weeks of paid leave a year.")
    assert [r for r in told.reasons if "otherwise" in r]


def test_figures_of_other_years_are_no_conflict_and_another_date_of_one_thing_is() -> None:
    texts = {
        "one.txt": "The budget of the library was 180,000 euros in 2021.",
        "two.txt": "The budget of the library was 120,000 euros in 2020.",
        "three.txt": "The budget of the library was 120,000 euros in 2021.",
    }

    def told(claim: str, *files: str) -> list[str]:
        passages = [passage(n, texts[file], file) for n, file in enumerate(files, 1)]
        (checked,) = Checking().sentences([Sentence(claim, (1,))], passages, "What was it?")
        return [r for r in checked.reasons if "otherwise" in r]

    assert not told(texts["one.txt"], "one.txt", "two.txt")
    assert told(texts["one.txt"], "one.txt", "three.txt")
    assert told(texts["two.txt"], "two.txt", "three.txt")


def test_an_invented_quotation_is_shown_beside_what_the_source_says() -> None:
    said = Sentence("The handbook says “Employees accrue 99 days of leave a year”.", (1,))
    source = [passage(1, "Employees accrue 21 days of leave a year.")]
    (told,) = Checking().sentences([said], source, "How much leave?")
    assert told.verdict == "not_supported"
    assert [e.quote for e in told.evidence] == ["Employees accrue 21 days of leave a year."]
