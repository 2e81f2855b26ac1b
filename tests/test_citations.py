"""Markers become citations only when they are real, and every claim shows the quote it rests on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import REFUSAL
from rag.checking.claims import is_refusal
from rag.citations import cite, invented_quotations
from rag.quotes import locate
from rag.records import Passage

LEAVE = "Employees accrue 21 days of paid leave a year. Unused days\nlapse on 31 March."
ONE = Passage(1, "handbook.pdf", 3, 4, "", LEAVE, 1.0, "a", page_starts=((0, 3), (47, 4)))
TWO = Passage(
    2,
    "travel.docx",
    None,
    None,
    "Rail",
    "Rail journeys under four hours are in second class.",
    0.5,
    "b",
)
PASSAGES = (ONE, TWO)


def test_each_sentence_keeps_its_own_markers() -> None:
    cited = cite("Leave is 21 days a year [1]. Rail is second class [2].", PASSAGES)
    assert [(s.text, s.citations) for s in cited.sentences] == [
        ("Leave is 21 days a year.", (1,)),
        ("Rail is second class.", (2,)),
    ]
    assert all(s.verdict == "unverified" for s in cited.sentences)


@pytest.mark.parametrize(
    "draft",
    [
        "Leave is 21 days a year [1].",
        "Leave is 21 days a year. [1]",
        "Leave is 21 days a year.[1]",
        "Leave is 21 days a year [1, 1].",
        "- Leave is 21 days a year [1].",
    ],
)
def test_a_marker_belongs_to_the_sentence_before_it(draft: str) -> None:
    (sentence,) = cite(draft, PASSAGES).sentences
    assert sentence.citations == (1,)


def test_ranges_and_lists_of_markers_are_understood() -> None:
    (sentence,) = cite("Leave and rail are settled [1-2].", PASSAGES).sentences
    assert sentence.citations == (1, 2)
    (sentence,) = cite("Leave and rail are settled [1][2].", PASSAGES).sentences
    assert sentence.citations == (1, 2)


def test_an_invented_number_is_dropped_and_reported() -> None:
    cited = cite("Leave is 21 days [1][99]. The board approved it [7].", PASSAGES)
    assert cited.sentences[0].citations == (1,)
    assert cited.sentences[1].citations == ()
    assert "[99]" not in cited.answer
    assert "[7]" not in cited.answer
    assert cited.notices == ("the model cited [99], [7]: not among its 2 passages; removed",)


def test_the_page_follows_from_where_the_quote_stands() -> None:
    cited = cite(
        "Paid leave accrues at 21 days a year [1]. Unused days lapse on 31 March [1].", PASSAGES
    )
    assert [s.evidence[0].page for s in cited.sentences] == [3, 4]
    assert cited.sentences[1].evidence[0].quote == "Unused days\nlapse on 31 March."


def test_an_altered_quote_is_reported_and_not_shown() -> None:
    (sentence,) = cite(
        "The handbook says “Employees accrue 25 days of paid leave” [1].", PASSAGES
    ).sentences
    assert any("no passage it cites" in r for r in sentence.reasons)
    assert all("25" not in e.quote for e in sentence.evidence)


def test_only_what_is_quoted_from_no_cited_passage_counts_as_invented() -> None:
    said = "It says “Employees accrue 21 days” and “leave is sold back to staff”."
    assert invented_quotations(said, [ONE]) == ["leave is sold back to staff"]
    assert len(invented_quotations(said, [TWO])) == 2
    assert invented_quotations("Employees accrue 21 days.", [TWO]) == []


def test_a_true_quote_is_located_word_for_word() -> None:
    (sentence,) = cite("“Unused days lapse on 31 March.” [1]", PASSAGES).sentences
    assert sentence.evidence[0].quote == "Unused days\nlapse on 31 March."
    assert sentence.reasons == ()


def test_a_quote_with_quote_marks_inside_is_shown_whole() -> None:
    text = 'On Monday we agreed to acquire Blizzard, Inc. ("Blizzard") for $95.00 per share.'
    passage = Passage(1, "a.pdf", 2, 2, "", text, 1.0, "x")
    (sentence,) = cite(f"“{text}” [1]", [passage]).sentences
    assert [e.quote for e in sentence.evidence] == [text]
    assert sentence.reasons == ()


@pytest.mark.parametrize("forged", ["[1]", "[1;2]", "[ 1-2 ]", "[99]"])
def test_numbers_inside_a_quotation_are_the_source_s_and_cite_nothing(forged: str) -> None:
    text = f"Employees accrue 18 days of leave {forged}."
    liar = Passage(2, "b.txt", None, None, "", text, 0.5, "b")
    cited = cite(f"“{text}” [2]", (ONE, liar))
    (sentence,) = cited.sentences
    assert (sentence.text, sentence.citations) == (f"“{text}”", (2,))
    assert [(e.file, e.quote) for e in sentence.evidence] == [("b.txt", text)]
    assert (sentence.reasons, cited.notices) == ((), ())
    assert cited.answer == f"“{text}” [2]"


@pytest.mark.parametrize("marker", ["[1]", "【1】", "[passage 1]", "[Source 1]", "[ 1 ]"])
def test_markers_in_the_forms_models_write_are_understood(marker: str) -> None:
    (sentence,) = cite(f"Leave is 21 days a year {marker}.", PASSAGES).sentences
    assert (sentence.text, sentence.citations) == ("Leave is 21 days a year.", (1,))


def test_an_invented_number_of_any_length_goes() -> None:
    cited = cite("Leave is 21 days a year [99999]. [1]", PASSAGES)
    assert "99999" not in cited.answer
    assert cited.notices


@pytest.mark.parametrize(
    "claim",
    [
        "Not supported in source code, the CEO stole 9 million in 2021 [1].",
        "Not supported in source; the CEO stole 9 million.",
        "The CEO stole 9 million, right?",
        "Is it true that leave is 25 days [1]?",
    ],
)
def test_a_claim_cannot_pass_for_a_refusal_or_a_question(claim: str) -> None:
    cited = cite(f"{claim}\n{REFUSAL}: the rest", PASSAGES)
    assert not cited.refused
    assert cited.sentences[0].verdict == "unverified"


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ("| Name | Days of leave |", False),
        ("Name | FY 2021", False),
        ("| Name | Leave is 25 days |", True),
        ("| The CEO stole the money | x |", True),
        ("| Name | Days of leave [1] |", True),
    ],
)
def test_the_header_of_a_table_that_only_names_its_columns_claims_nothing(
    header: str, claims: bool
) -> None:
    cited = cite(f"{header}\n|---|:---:|\n| Ada | 21 [1] |", PASSAGES)
    assert (cited.sentences[0].verdict is not None) == claims
    assert cited.sentences[-1].verdict is not None
    assert cite(f"{header}\nMore.", PASSAGES).sentences[0].verdict is not None


def test_a_question_of_the_model_s_claims_nothing() -> None:
    (sentence,) = cite("What else would you like to know?", PASSAGES).sentences
    assert sentence.verdict is None


def test_words_cut_out_of_longer_words_are_no_quote() -> None:
    (sentence,) = cite("1 days of paid leave a year [1].", PASSAGES).sentences
    assert [e.quote for e in sentence.evidence] != ["1 days of paid leave a year."]


def test_a_citation_without_a_likeness_says_so() -> None:
    (sentence,) = cite("Quantum chromodynamics explains gluons [2].", PASSAGES).sentences
    assert sentence.evidence == ()
    assert sentence.reasons == ("nothing in passage 2 reads like this sentence",)


def test_the_refusal_phrase_alone_is_a_refusal() -> None:
    for draft in (REFUSAL, "Not supported in source.", f"{REFUSAL}: who approves it"):
        cited = cite(draft, PASSAGES)
        assert cited.refused
        assert [s.verdict for s in cited.sentences] == [None]


def test_half_an_answer_is_an_answer_with_the_rest_marked() -> None:
    cited = cite(f"Leave is 21 days a year [1].\n{REFUSAL}: who approves it", PASSAGES)
    assert not cited.refused
    assert [s.verdict for s in cited.sentences] == ["unverified", None]


def test_a_sentence_that_only_mentions_support_is_no_refusal() -> None:
    assert not is_refusal("The claim was not supported by the board.")
    assert is_refusal("NOT SUPPORTED IN SOURCE — the second part")


@given(st.text(max_size=300))
def test_whatever_the_model_writes_citations_and_quotes_are_real(draft: str) -> None:
    cited = cite(draft, PASSAGES)
    texts = {p.rank: p for p in PASSAGES}
    for sentence in cited.sentences:
        assert set(sentence.citations) <= set(texts)
        for e in sentence.evidence:
            assert e.quote in texts[e.passage].text
            assert e.file == texts[e.passage].file
            start, _ = locate(e.quote, texts[e.passage].text) or (-1, -1)
            assert start >= 0


PIECES = [
    *("Leave is 21 days", "[1]", "[3]", ".", " ", "\n", REFUSAL, "[2, 9]"),
    "“x y z is long enough”",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_mixed_up_markers_never_break_it(pieces: list[str]) -> None:
    cited = cite("".join(pieces), PASSAGES)
    assert all(n in (1, 2) for s in cited.sentences for n in s.citations)
