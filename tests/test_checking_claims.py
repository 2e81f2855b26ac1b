"""Which sentences of an answer claim something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompts import REFUSAL
from rag.checking.claims import claim_of, is_refusal, marked


@pytest.mark.parametrize(
    ("sentence", "claim"),
    [
        pytest.param("Leave is 21 days [1].", "Leave is 21 days.", id="marker"),
        pytest.param("Leave is 21 days. [1][2]", "Leave is 21 days.", id="markers behind the stop"),
        pytest.param("- Leave is **21 days** [1-3]", "Leave is 21 days", id="bullet and emphasis"),
        pytest.param("2) Sales rose to 5 million", "Sales rose to 5 million", id="numbered item"),
        pytest.param("3.5 million people live there.", "3.5 million people live there.",
                     id="a decimal is no list number"),
        pytest.param("Net sales: 5,363", "Net sales: 5,363", id="a figure makes a line a claim"),
        pytest.param("Not supported in source code, the flag is ignored.",
                     "Not supported in source code, the flag is ignored.", id="no refusal"),
        pytest.param("No.  The term began in 1990.", "No. The term began in 1990.", id="answer"),
        pytest.param("Le\u200bave is 2\u200b1 days.", "Leave is 21 days.", id="invisible signs"),
    ],
)  # fmt: skip
def test_a_claim_is_the_sentence_without_its_marks(sentence: str, claim: str) -> None:
    assert claim_of(sentence) == claim


@pytest.mark.parametrize(
    "sentence",
    [
        "What changed in 2020?", "Hello!", "Thank you very much.", REFUSAL, f"{REFUSAL}.",
        f"**{REFUSAL}**: the price.", "## Results 2020", "Key findings", "The main points are:",
        "[1]", "…", "Sure!", "Let me know if you need anything else.",
    ],
)  # fmt: skip
def test_questions_greetings_headings_and_the_refusal_claim_nothing(sentence: str) -> None:
    assert claim_of(sentence) is None


def test_only_what_opens_a_sentence_is_a_bullet() -> None:
    """«(s)» and «2.» further on belong to the words and figures before them."""
    for claim in (
        "The probable cause(s) of it are two.",
        "It rose - by a third - to 2. 5 percent.",
    ):
        assert claim_of(claim) == claim
    assert claim_of("a) The fee is 40 euros.") == "The fee is 40 euros."


def test_our_paraphrases_of_the_samples_name_their_document_and_copy_no_run_of_six_words() -> None:
    root = Path(__file__).parents[1]
    passages: dict[str, str] = {}
    for line in (root / "rag/checking/calibration_claims.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        passages[row["document"]] = passages.get(row["document"], "") + " ".join(row["evidence"])
    rows = (root / "bench/sample_paraphrases.jsonl").read_text("utf-8").splitlines()
    assert 40 <= len(rows) <= 60
    for row in map(json.loads, rows):
        assert (root / "data/samples" / row["document"]).is_file()
        words = row["claim"].lower().split()
        source = " ".join(passages[row["document"]].lower().split())
        runs = [" ".join(words[i : i + 6]) for i in range(len(words) - 5)]
        assert not [run for run in runs if run in source]


@pytest.mark.parametrize(
    "sentence",
    [
        "# The pilot was drunk [1].", "# The pilot was 45 years old", "## Cost 45 dollars",
        "Here is the answer: the pilot was drunk.", "Let me know, and note that the pilot drank.",
        "Let me know that the pilot was drunk.", "Cause: pilot intoxication",
        "the pilot flew into the ocean [1]", "the captain spoke no English", "The left engine",
        "Paris", "Never", "Key findings [1]", "Cause: drink:",
        "The pilot was found to be drunk, as these facts show:",
        "Is that so? The pilot was drunk. Right?",
        "# The pilot flew into the ocean", "# Cause pilot flew drunk", "The pilot flew drunk:",
        "# He drank vodka", "# The pilot drinks vodka", "# Pilots drink vodka", "# Pilot drank",
        "# The captain hates the job", "The pilot drank ten beers and the reasons are:",
        f"{REFUSAL}: the pilot was drunk", f"{REFUSAL}: the CEO stole nine million",
        f"{REFUSAL}; the CEO stole nine million", f"{REFUSAL}. The pilot was drunk",
        f"{REFUSAL}: who approves it, and the pilot had been drinking",
        f"{REFUSAL}: the fee, but the pilot flew drunk",
    ],
)  # fmt: skip
def test_no_form_of_words_keeps_a_claim_from_being_checked(sentence: str) -> None:
    assert claim_of(sentence) is not None


@pytest.mark.parametrize(
    "sentence",
    [
        "## 3.1 Results", "## Probable cause", "Main points:", "Summary", "Here is the answer:",
        "Here are the key points:", "The findings include the following:",
        "Please let me know if you have any other questions!", "Is it 3.5 percent?",
        "## Leave policy", "## Annual leave and sick pay", "## Number of days of leave",
        "Based on the provided passages:", "Known issues:", "## Travel expenses and reimbursement",
    ],
)  # fmt: skip
def test_what_leads_to_the_answer_or_offers_help_claims_nothing(sentence: str) -> None:
    assert claim_of(sentence) is None


@pytest.mark.parametrize(
    "missing",
    [
        "who approves it", "the price.", "the second part", "the fee charged to charities",
        "the date on which the lease was signed", "whether the pilot was drunk",
        "how much was paid, and when it lapses", "the name of the CEO who resigned in 2019",
        "the amount paid in May", "what happens when the lease ends", "the notice period; the fee",
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", [":", " —", "."])
def test_a_refusal_that_names_what_is_missing_claims_nothing(missing: str, sign: str) -> None:
    assert is_refusal(f"{REFUSAL}{sign} {missing}")
    assert claim_of(f"**{REFUSAL}**{sign} {missing}") is None


def test_a_sentence_with_its_citations_claims_what_it_says() -> None:
    assert marked("Results", (1, 3)) == "Results [1] [3]"
    assert claim_of(marked("Results", (1, 3))) == "Results"
    assert claim_of(marked("Results", ())) is None
