"""`verify`: one claim, its evidence, one careful verdict."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import clean_environment
from hypothesis import given, settings
from hypothesis import strategies as st

import rag
from rag import Verdict, verify
from rag.checking.base import ModelOpinion
from rag.checking.score import coefficients
from rag.errors import UsageError
from rag.sentences import spans

LEAVE = ["Employees accrue 21 days of leave a year. Unused days expire in March."]
LABELS = {"supported", "no_mismatch", "contradicted", "not_supported", "unverified"}
SURE, UNSURE = ModelOpinion(0.95, 0.02, 0.03), ModelOpinion(0.1, 0.7, 0.2)


@pytest.mark.parametrize(
    ("claim", "label", "accept"),
    [
        ("Employees accrue 21 days of leave a year.", "supported", True),
        ("Unused days expire in March", "supported", True),
        ("Leave is 21 days.", "no_mismatch", True),
        ("Employees accrue 12 days of leave a year.", "contradicted", False),
        ("Unused days never expire.", "contradicted", False),
        ("Unused days expire in April.", "contradicted", False),
        ("Rabbits sing opera on Tuesdays.", "not_supported", False),
    ],
)
def test_the_verdict_of_a_claim(claim: str, label: str, accept: bool) -> None:
    verdict = verify(claim, LEAVE)
    assert (verdict.label, verdict.accept) == (label, accept), verdict


def test_a_verdict_is_the_document_that_the_command_prints() -> None:
    verdict = verify("Leave is 21 days [1].", LEAVE)
    document = verdict.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert set(document) == {"verdict", "score", "accept", "reasons", "evidence"}
    assert document["evidence"][0] == {
        "quote": "Employees accrue 21 days of leave a year.", "index": 0
    }  # fmt: skip
    assert verdict.quote == document["evidence"][0]["quote"]
    assert isinstance(verdict, Verdict)


@pytest.mark.parametrize(
    ("claim", "evidence", "reason"),
    [
        ("Leave is 21 days.", [], "no evidence"),
        ("Leave is 21 days.", "12 34 –", "no evidence"),
        ("Is leave 21 days?", LEAVE, "claims nothing"),
        ("休暇は21日です。", LEAVE, "English"),
        ("Leave is 21 days.", "Der Urlaub ist auf 21 Tage und nicht mehr begrenzt.", "English"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_unverified_with_the_reason(
    claim: str, evidence: list[str] | str, reason: str
) -> None:
    verdict = verify(claim, evidence)
    assert (verdict.label, verdict.score, verdict.accept) == ("unverified", None, False)
    assert reason in verdict.reasons[0]


def test_a_failure_inside_the_check_is_unverified_and_names_itself() -> None:
    def broken(texts: object) -> object:
        raise OSError("no such model")

    verdict = verify("Leave is 21 days.", LEAVE, embed=broken)  # type: ignore[arg-type]
    assert verdict.label == "unverified"
    assert verdict.reasons == ("the check failed: OSError: no such model",)


def test_words_that_the_source_takes_back_are_not_word_for_word() -> None:
    for text in (
        "It is false that leave is 21 days a year.",
        "If leave is 21 days a year, the form changes.",
        "The claim that leave is 21 days a year was withdrawn.",
    ):
        assert verify("Leave is 21 days a year.", text).label != "supported", text


def test_an_ambiguous_number_leaves_the_claim_unverified() -> None:
    verdict = verify("The fee is 1.250 dollars a year.", "The fee is 1,250 dollars a year.")
    assert verdict.label == "unverified"
    assert "two ways" in verdict.reasons[0]


@pytest.mark.parametrize("space", ["\u00a0", "\u2009", "\u202f", "\u3000"])
def test_spaces_of_other_widths_hide_no_figure(space: str) -> None:
    source = "We purchased shares for $349 million in the fourth quarter of fiscal 2019 in all."
    wide = source.replace(" ", space)
    assert verify(source, [wide]).label == "supported"
    assert verify(wide, [source]).label == "supported"
    changed = verify(source.replace("fourth quarter of fiscal 2019", "second half of 2018"), [wide])
    assert changed.label in ("contradicted", "not_supported")


@pytest.mark.parametrize(
    "after", ["He then used reverse thrust.", "It turned in the opposite direction."]
)
def test_what_stands_beside_it_must_speak_of_it_to_take_it_back(after: str) -> None:
    claim = "The pilot applied the brakes."
    assert verify(claim, [f"{claim} {after}"]).label == "supported"
    assert verify(claim, [f"{claim} The board found the opposite."]).label == "unverified"


def test_a_conversation_is_never_said_to_match() -> None:
    talk = "Ann: Buy some butter.\nMike: Ok.\nMike: Do we have milk?\nAnn: Yes, in the fridge."
    verdict = verify("Ann has milk in the fridge.", talk)
    assert verdict.label == "unverified"
    assert "conversation" in verdict.reasons[-1]


def test_the_question_gives_a_short_answer_its_surroundings() -> None:
    source = "Net sales were $441 million in the quarter. Rental costs were $437 million."
    answer = "It was $437 million."
    assert verify(answer, source).label != "contradicted"
    asked = verify(answer, source, question="What were net sales in the quarter?")
    assert asked.label == "contradicted"


def test_vectors_choose_the_sentences_shown_and_change_no_verdict() -> None:
    seen: list[str] = []

    def embed(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return np.eye(len(texts), 8, dtype=np.float32)

    with_vectors = verify("Leave is 21 days.", LEAVE, embed=embed)  # type: ignore[arg-type]
    assert seen
    assert with_vectors.score == verify("Leave is 21 days.", LEAVE).score


def test_only_a_calibrated_yes_becomes_supported() -> None:
    claim = "Leave is 21 days."
    assert verify(claim, LEAVE, opinion=SURE).label == "no_mismatch"
    assert verify(claim, LEAVE, opinion=SURE, calibrated=True).label == "supported"


def test_a_rule_overrules_a_models_yes_and_nothing_overrules_its_no() -> None:
    wrong = verify("Unused days expire in April.", LEAVE, opinion=SURE, calibrated=True)
    assert (wrong.label, wrong.accept) == ("contradicted", False)
    for claim in ("Leave is 21 days.", "Employees accrue 21 days of leave a year."):
        denied = verify(claim, LEAVE, opinion=UNSURE, calibrated=True)
        assert denied.label not in ("supported", "no_mismatch")
        assert not denied.accept


def test_an_unusable_opinion_is_unverified() -> None:
    opinion = ModelOpinion(None, None, None, "no JSON in the reply")
    verdict = verify("Leave is 21 days.", LEAVE, opinion=opinion)
    assert verdict.label == "unverified"
    assert "no JSON in the reply" in verdict.reasons[0]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80), st.lists(st.text(max_size=120), max_size=3))
def test_no_text_breaks_the_check(claim: str, evidence: list[str]) -> None:
    verdict = verify(claim, evidence)
    assert verdict.label in LABELS
    assert not any("the check failed" in r for r in verdict.reasons)
    assert all(q.text in evidence[q.index] for q in verdict.evidence)
    assert not verdict.accept or (verdict.score or 0.0) >= coefficients().accept


WORDS = st.lists(
    st.sampled_from(("red", "barn", "holds", "nine", "horses", "near", "Salem", "1990", "oak")),
    min_size=4, max_size=9, unique=True,
)  # fmt: skip


@given(WORDS)
def test_a_sentence_of_the_source_is_always_supported_by_it(words: list[str]) -> None:
    sentence = f"The {' '.join(words)} is here."
    verdict = verify(sentence, [f"Before it. {sentence} Afterwards it rained."])
    assert verdict.label == "supported", verdict


def test_verify_loads_no_model_and_import_rag_loads_nothing() -> None:
    script = (
        "import sys, rag\n"
        "assert 'rag.checking.check' not in sys.modules\n"
        "rag.verify('Leave is 21 days.', 'Leave is 21 days a year.')\n"
        "heavy = {'torch', 'sentence_transformers', 'llama_index', 'onnxruntime', 'tokenizers'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {"verify", "Verdict"} <= set(rag.__all__)


def test_words_that_run_over_a_line_end_are_word_for_word_whatever_they_say() -> None:
    """«failure» within the quoted words takes nothing back; beside them it would."""
    source = "Probable Cause and Findings\n\nThe cause is the pilot's failure to\nstop."
    claim = "Probable Cause and Findings The cause is the pilot's failure to stop."
    assert verify(claim, source).label == "supported"
    taken_back = verify("Leave is 21 days a year.", "It is false that leave is 21 days a year.")
    assert taken_back.label != "supported"


def test_a_conversation_on_one_line_is_one_as_well() -> None:
    talk = "Ann: Buy some butter. Mike: Ok. Mike: Do we have milk? Ann: Yes, in the fridge."
    assert verify("Ann has milk in the fridge.", talk).label == "unverified"


def test_a_form_is_no_conversation() -> None:
    """The labels of a form stand once each; speakers come again."""
    form = "Operator: Jones Flying\nOwner: US Bancorp\nDate: May 3\nPilot: Ann Jones\nSeat: left"
    assert verify("The operator was Jones Flying.", form).label == "no_mismatch"


def test_a_sentence_that_is_one_quotation_says_only_that_the_source_says_so() -> None:
    """What the question asks about somebody else is no objection to words that stand there."""
    report = (
        "5000), N50DS, sustained damage.\n\nFactual Report of the Accident\n\nRegistration: N50DS"
    )
    asked = "Did the crew of N50DS say anything was wrong with the jet?"
    quoted = verify("“Factual Report of the Accident”", [report], question=asked)
    assert quoted.label == "supported"
    assert verify("“Factual Report of the Incident”", [report], question=asked).label != "supported"


@pytest.mark.parametrize(
    ("claim", "label"),
    [
        ("The jet N50DS sustained damage.", "no_mismatch"),
        ("The jet N50DX sustained damage.", "not_supported"),
        ("The jet N51DS sustained damage.", "not_supported"),
    ],
)
def test_letters_and_digits_in_one_are_a_name(claim: str, label: str) -> None:
    assert verify(claim, ["5000), N50DS, sustained damage."]).label == label


def test_a_hyphen_makes_no_other_name_of_letters_and_digits() -> None:
    assert verify("An A320 left the runway.", ["An Airbus A-320 left the runway."]).accept


BRIBES = "Acme paid bribes."


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("All claims are covered.", "All claims are covered except those older than 30 days."),
        ("All claims are covered.", "All claims are covered\nexcept those older than 30 days."),
        ("Revenue was $1.2 billion.", "Revenue was $1.2 billion lower than planned."),
        ("The drug cures cancer.", "The drug cures cancer in mice."),
        ("Smith was killed.", "The wife of Smith was killed."),
        ("Smith was drunk.", "Investigators ruled out that\nSmith was drunk."),
        (BRIBES, "It is a lie that Acme paid bribes."),
        ("Acme acquired Beta.", "Had the regulator agreed, Acme acquired Beta."),
        ("“Smith was drunk.”", "Investigators ruled out that Smith was drunk."),
        ("He had re-signed.", "He had resigned."),
    ],
)
def test_a_part_of_a_sentence_is_not_word_for_word(claim: str, source: str) -> None:
    assert verify(claim, source).label != "supported"


@pytest.mark.parametrize(
    "source",
    [
        f"{BRIBES[:-1]}? The court found that it did not.",
        f"Do you think {BRIBES[:-1]}? Nobody knows.",
        f"Common misconceptions:\n- Acme sold arms.\n- {BRIBES}",
        f"Which statement is right?\na) {BRIBES}\nb) Acme sold arms.",
        f"{BRIBES} This accusation was withdrawn the next day.",
        f"{BRIBES} The court found the opposite.",
        f"The following sentence is false. {BRIBES}",
        f"Myths about Acme\n\nAcme is old. {BRIBES}",
        f"{BRIBES} Not.",
        f"{BRIBES} Or so the newspapers said.",
        f"The prosecution argued as follows. {BRIBES} It was fined.",
        f"It was fined. {BRIBES} The jury disagreed.",
        f"{BRIBES[:-1]}.† It was fined.",
        f"{BRIBES}*\n* Until 1990 only.",
    ],
)
def test_a_sentence_that_the_text_beside_takes_back_is_not_word_for_word(source: str) -> None:
    assert verify(BRIBES, source).label != "supported"


@pytest.mark.parametrize(
    "source",
    [
        f"It was founded in 1990. {BRIBES[:-1]} [3]. It was fined in 1999.",
        f"Findings:\n- {BRIBES}\n- Acme sold arms.",
        f"1. **{BRIBES}**",
        f"{BRIBES[:-1]}? So it was asked. The court answered. {BRIBES}",
        f"Findings\n\n{BRIBES[:-1]}\n\nThe court was told.",
    ],
)
def test_a_whole_sentence_is_word_for_word_in_a_list_and_beside_a_question(source: str) -> None:
    assert verify(BRIBES, source).label == "supported"


@pytest.mark.parametrize(
    "source",
    [
        "It is a lie that {}.",
        "The newspaper falsely reported that {}.",
        "The court dismissed the accusation that {}.",
        "Investigators ruled out that {}.",
        "Prosecutors alleged that {}.",
        "The claim that {} was withdrawn.",
        "That {} is untrue.",
        "Some papers wrote that {}, which was a lie.",
        "Many say that {}, but they do not.",
        "It was wrong to say that {}.",
        "It was falsely claimed, {}.",
        "Myth: {}.",
        "In the papers {} (false).",
        "{}. None of it is true.",
        "{}. This accusation was withdrawn the next day.",
        "The following sentence is false. {}.",
        "Common misconceptions:\n- Acme sold arms.\n- {}.",
        "Myths about Acme\n\nAcme is old. {}.",
        "{}. Not so.",
        "Q: {}.\nA: False.",
        "Is it true that {}? No.",
        "{}. No, that is what people say.",
        "{} (draft, never adopted).",
        "The following rule was repealed in 2020: {}.",
        "Nobody believes this sentence: {}.",
        "The prosecution argued as follows. {}. The jury disagreed.",
    ],
)
@pytest.mark.parametrize(
    ("claim", "said"),
    [(BRIBES, BRIBES[:-1]), ("Acme paid many bribes.", "in 1999 Acme paid bribes"),
     ("Leave is 21 days.", "leave is 21 days a year")],
)  # fmt: skip
def test_what_the_source_tells_only_to_take_it_back_is_left_unverified(
    claim: str, said: str, source: str
) -> None:
    """It raises no alarm either: what is denied here may be a fact elsewhere."""
    verdict = verify(claim, source.format(said))
    assert verdict.label == "unverified", verdict
    assert any("untrue" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        (BRIBES, "It is a lie that Acme paid bribes. In the end Acme paid its bribes."),
        (BRIBES, "Acme paid its bribes, which the court found shocking."),
        (BRIBES, "Contrary to rumours, Acme paid its bribes."),
        ("The pump failed.", "Error: the pump failed twice."),
        ("Smith was born in Leeds.", "Smith, born in Leeds, denied the claim that he drank."),
        ("The lake lies in Zambia.", "The lake is large. It lies in Zambia and is deep."),
        ("The board rejected the plan.", "The board rejected the plan that cost five million."),
        ("Acme denied that it paid bribes.", "Acme denied in court that it paid bribes."),
        ("It is a myth that Acme paid bribes.", "It is a common myth that Acme paid bribes."),
        (BRIBES, "The rumours are indeed true: Acme paid its bribes."),
        (BRIBES, "Acme paid its bribes. No. 5 in the list is Widget."),
        (BRIBES, "Acme paid its bribes. No-one else did."),
        (BRIBES, "Acme argued that sales were below plan. Acme paid its bribes."),
    ],
)
def test_what_the_source_tells_as_a_fact_is_not_held_for_taken_back(
    claim: str, source: str
) -> None:
    assert verify(claim, source).label == "no_mismatch"


def test_anti_before_a_hyphen_denies_the_one_word_behind_it() -> None:
    treaty = "The treaty is an anti-war treaty of 1928."
    assert verify("The treaty is a war treaty of 1928.", treaty).label == "contradicted"
    assert verify("The anti-war treaty is of 1928.", treaty).label == "no_mismatch"


def test_an_accusation_is_no_fact_and_who_denies_a_denial_takes_nothing_back() -> None:
    reasons = verify(BRIBES, "Nobody disputes that Acme paid its bribes.").reasons
    assert not any("untrue" in reason for reason in reasons)
    for told in (
        "disputes that it paid", "allegedly paid", "was accused of paying", "was cleared of paying"
    ):  # fmt: skip
        reasons = verify(BRIBES, f"Acme {told} bribes.").reasons
        assert any("untrue" in reason for reason in reasons), told


def test_a_model_s_yes_does_not_bring_back_what_the_source_takes_back() -> None:
    verdict = verify(BRIBES, "It is a lie that Acme paid bribes.", opinion=SURE, calibrated=True)
    assert verdict.label == "unverified"


def test_a_title_that_speaks_of_myths_makes_nothing_under_it_word_for_word() -> None:
    assert verify(BRIBES, BRIBES, titles=["Acme: the report"]).label == "supported"
    assert verify(BRIBES, BRIBES, titles=["Acme: the myths"]).label != "supported"


def test_a_quotation_may_be_a_line_of_a_wrapped_sentence() -> None:
    source = "The cause was\nthe pilot's choice of a wet runway\nduring the approach."
    assert verify("“the pilot's choice of a wet runway”", source).label == "supported"
    assert verify("“the pilot's choice of a wet”", source).label != "supported"


def test_states_and_codes_in_capitals_are_no_foreign_words() -> None:
    line = "Location: White Plains, AL Accident Number: NYC08CA058"
    assert verify(f"“{line}”", line).label == "supported"
    german = "DER URLAUB IST AUF 21 TAGE UND NICHT MEHR BEGRENZT"
    assert "English" in verify("Leave is 21 days.", german).reasons[0]


def test_a_claim_without_end_is_unverified_and_says_that_it_is_too_long() -> None:
    verdict = verify("The unit cost 5 dollars and " * 400, "The unit cost 5 dollars.")
    assert (verdict.label, verdict.accept) == ("unverified", False)
    assert "too long" in verdict.reasons[0]


def test_what_has_neither_sentences_nor_lines_is_read_in_pieces_that_support_nothing() -> None:
    """A piece begins and ends where it was cut, and so is no sentence of the source."""
    text = "the barn holds nine horses and " * 400
    pieces = spans(text)
    assert max(end - start for start, end in pieces) <= 2000
    assert "".join(text[a:b] for a, b in pieces).replace(" ", "") == text.replace(" ", "")
    start, end = pieces[1]
    assert verify(text[start:end], text).label != "supported"


@pytest.mark.parametrize("quoted", ["“{}”", "“{}” [1]", '"{}"', "{}"])
def test_a_quotation_meets_the_same_look_at_what_stands_beside_it(quoted: str) -> None:
    claim = quoted.format(BRIBES)
    assert verify(claim, f"{BRIBES} It was fined.").label == "supported"
    verdict = verify(claim, f"{BRIBES} This is wrong and was withdrawn in 2020.")
    assert verdict.label == "unverified"
    assert "takes it back" in verdict.reasons[0]


@pytest.mark.parametrize(
    "source",
    [
        "Leave is 25 days. This is wrong and was withdrawn in 2020.\n\n{}",
        "Leave is 25 days. This is wrong and was withdrawn in 2020. {}",
        "{}\n\nThis is wrong and was withdrawn in 2020: leave is 25 days.",
        "{} The following is wrong. Leave is 25 days.",
    ],
)
def test_a_retraction_looks_back_or_forward_and_never_across_a_blank_line(source: str) -> None:
    assert verify(BRIBES, source.format(BRIBES)).label == "supported"


@pytest.mark.parametrize("struck", ["~~{}~~", "<del>{}</del>", "<s>{}</s>"])
def test_what_is_struck_through_is_no_text(struck: str) -> None:
    source = f"{struck.format('Leave is 25 days.')} Leave is 21 days."
    assert verify("Leave is 25 days.", source).label == "contradicted"
    assert verify("Leave is 21 days.", source).label == "supported"
    assert verify(struck.format("Leave is 25 days.") + " Leave is 21 days.", source).accept


def test_escape_codes_hide_no_figure_on_either_side() -> None:
    plain = "Leave is 25 days."
    for code in ("\x1b[31m", "\x9b1;31m", "\x1b]0;title\x07", "\x1b]8;;x\x1b\\"):
        coloured = f"Leave is {code}25 days."
        assert verify(coloured, "Leave is 21 days.") == verify(plain, "Leave is 21 days.")
        assert verify("Leave is 21 days.", coloured).label == "contradicted"
        assert verify(plain, coloured).label == "supported"


def test_a_second_text_that_says_otherwise_is_named() -> None:
    texts = ["Leave is 25 days.", "Leave is 21 days."]
    verdict = verify("Leave is 25 days.", texts)
    assert verdict.label == "supported"
    assert verdict.reasons[1:] == ("text 2 of the evidence says otherwise: “Leave is 21 days.”",)
    assert verify("Leave is 21 days.", texts).reasons[1].startswith("text 1 of")
    for other in ("Leave is 25 days a year.", "The fee is 21 euros."):
        assert len(verify("Leave is 25 days.", [texts[0], other]).reasons) == 1


@pytest.mark.parametrize(
    ("claim", "label"),
    [
        ("Die Mitarbeiter erhalten 21 Tage Urlaub pro Jahr [1].", "unverified"),
        ("Los empleados reciben 21 días de vacaciones al año.", "unverified"),
        (
            "Die Mitarbeiter erhalten im Jahr bis zu 21 Tage Urlaub, wie es im Vertrag steht.",
            "unverified",
        ),
        ("Die Mitarbeiter erhalten 25 Tage Urlaub pro Jahr [1].", "not_supported"),
        ("Los empleados reciben 25 días de vacaciones al año.", "not_supported"),
        ("Unused La Paz days expire in March.", "no_mismatch"),
    ],
)
def test_of_a_claim_in_another_language_only_the_figures_are_compared(
    claim: str, label: str
) -> None:
    source = [*LEAVE, "In La Paz the same is true."]
    assert verify(claim, source).label == label


@pytest.mark.parametrize(
    ("claim", "evidence", "told"),
    [
        (None, LEAVE, "the claim is NoneType"),
        (21, LEAVE, "the claim is int"),
        ("Leave is 21 days.", None, "the evidence is NoneType"),
        ("Leave is 21 days.", 21, "the evidence is int"),
        ("Leave is 21 days.", ["Leave.", None], "a list with NoneType in it"),
        ("Leave is 21 days.", b"Leave", "the evidence is bytes"),
    ],
)
def test_a_claim_or_evidence_that_is_no_text_is_the_callers_mistake(
    claim: object, evidence: object, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        verify(claim, evidence)  # type: ignore[arg-type]
