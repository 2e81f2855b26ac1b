"""Names, negation, opposites, quantifiers and roles: what each rule says of one pair."""

from __future__ import annotations

import pytest

from rag import verify
from rag.checking.features import examine
from rag.checking.material import material
from rag.checking.tokens import denies, sides, stem


def objections(claim: str, *evidence: str, titles: tuple[str, ...] = ()) -> set[str]:
    found = examine(claim, material(evidence, titles)).findings
    return {f.rule for f in found if f.effect in ("contradicts", "unsupported")}


def notes(claim: str, *evidence: str) -> set[str]:
    return {f.rule for f in examine(claim, material(evidence)).findings if f.effect == "note"}


@pytest.mark.parametrize(
    ("claim", "source", "rule"),
    [
        ("The drug does not reduce pain.", "The drug reduces pain in adults.", "negation"),
        ("Unused days never expire.", "Unused days expire in March.", "negation"),
        ("Net sales decreased in 2020.", "Net sales increased in 2020.", "opposite"),
        ("The shop opens before noon.", "The shop opens after noon.", "opposite"),
        ("It uses unsupervised learning.", "It uses supervised learning.", "opposite"),
        ("All members voted for the plan.", "Some members voted for the plan.", "quantifier"),
        ("Guests pay at most 50 euros.", "Guests pay at least 50 euros.", "quantifier"),
        ("The bridge weighs exactly 40 tons.", "The bridge weighs about 40 tons.", "quantifier"),
        ("Not only two players may enter.", "Only two players may enter.", "quantifier"),
        ("It is the worst-selling single.", "It is the best-selling single.", "opposite"),
        ("The army met external rebellion.", "The army met internal rebellion.", "opposite"),
        ("Widget bought Acme in May.", "Acme bought Widget in May.", "roles swapped"),
        ("Acme was bought by Widget.", "Widget was bought by Acme.", "roles swapped"),
        ("Jane Miller owns the mill.", "The mill stands by the river.", "absent name"),
        ("The pilot was NOT injured.", "The pilot was injured.", "negation"),
        ("The drug is approved for use.", "The drug is Not approved for use.", "negation"),
        ("Restart the pump.", "DO NOT restart the pump.", "negation"),
        ("Control was maintained.", "(C) CONTROL - NOT MAINTAINED - PILOT", "negation"),
        ("The motor is covered.", "Neither the pump nor the motor is covered.", "negation"),
        ("The chemical is flammable.", "The chemical is non-flammable.", "negation"),
        ("The pilot checked the fuel.", "The pilot neglected to check the fuel.", "negation"),
        ("The cell is rechargeable.", "The cell cannot be recharged.", "negation"),
        ("The tumour was benign.", "The tumour was malignant.", "opposite"),
        ("The contract is void.", "The contract is valid.", "opposite"),
        ("The pilot wasn\u02bct drunk.", "The pilot was drunk.", "negation"),
        ("John Smith was the pilot.", "Robert Smith was the pilot.", "other name"),
        ("Dr. Meier led the trial.", "Dr. Huber led the trial.", "other name"),
        ("The plant stands in Tampa.", "The plant stands in Venice.", "other name"),
        ("Rabbits sing opera daily.", "Quarterly tax filings are due soon.", "off topic"),
        (
            "A young violinist received the silver medal at the Geneva contest.",
            "Anna Berg took silver at the Lisbon contest. She had studied in Geneva for years.",
            "name of something else",
        ),
    ],
)
def test_a_rule_objects(claim: str, source: str, rule: str) -> None:
    assert rule in objections(claim, source)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The drug did not help.", "The drug failed to help."),
        ("Sales did not fall in 2020.", "Sales rose in 2020."),
        ("It is not only cheap.", "It is cheap."),
        ("Widget was bought by Acme.", "Acme bought Widget."),
        ("Acme bought Widget.", "Widget was bought by Acme."),
        ("Café Müller opened in 1990.", "Cafe Muller opened in 1990."),
        ("The U.S. government agreed.", "The US government agreed."),
        ("The WHO agreed.", "The World Health Organization agreed."),
        ("The Australian team won.", "The team from Australia won."),
        ("'Now or Never' was recorded in 1960.", "The song Now or Never was recorded in 1960."),
        ("All members voted.", "Every member voted."),
        ("Deep Neural Networks win.", "The DNNs win."),
        ("More than 50 guests came.", "About 53 guests came."),
        ("The path was not kept clear.", "The failure to keep the path clear caused it."),
        ("Contact was not possible; he had none.", "He lost contact at once."),
        ("The motor is not covered.", "Neither the pump nor the motor is covered."),
        ("The chemical is nonflammable.", "The chemical is non-flammable."),
        ("The chemical is not flammable.", "The chemical is non-flammable."),
        ("He painted No. 5 in May.", "He painted the picture No. 5 in May."),
        ("J. Smith was the pilot.", "John Smith was the pilot."),
        ("Hans Meyer was the pilot.", "Hans Meier was the pilot."),
        ("Mr. Smith was the pilot.", "Smith was the pilot."),
        ("The pilot\u02bcs plane burned.", "The plane of the pilot burned."),
        ("The display was bright.", "The play was bright."),
    ],
)
def test_a_true_paraphrase_meets_no_objection(claim: str, source: str) -> None:
    assert objections(claim, source) == set()


def test_the_title_of_a_passage_counts_as_evidence_for_its_names() -> None:
    claim, source = "Acme Motor Works sold 40 cars.", "The company sold 40 cars."
    assert "absent name" in objections(claim, source)
    assert objections(claim, source, titles=("Acme_Motor_Works_2018.pdf",)) == set()


def test_an_added_only_and_a_lost_may_are_noted() -> None:
    assert "added" in notes("Only members may park here.", "Members may park here.")
    assert "certainty" in notes("The plant closes in June.", "The plant may close in June.")


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ("The airplane was stolen.", "stolen"),
        ("The airplane exploded on the runway.", "exploded"),
        ("The airplane had a deer on the runway.", "deer"),
        ("The pilot was 40 years old and blind.", "blind"),
        ("The pilot of the airplane died in May.", "died"),
    ],
)
def test_a_predicate_that_the_source_never_has_leaves_the_claim_unverified(
    claim: str, word: str
) -> None:
    source = "In May the airplane left the runway. The pilot of the airplane was 40 years old."
    assert "absent predicate" in notes(claim, source)
    verdict = verify(claim, source)
    assert verdict.label != "no_mismatch"
    assert f"nothing in the source says «{word}»" in verdict.reasons


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The airplane departed the runway.", "The airplane left the runway."),
        ("The pump is not broken.", "The pump broke in May."),
        ("The pump was reported as new.", "The pump was new."),
        ("The chemical was nonflammable.", "They wanted a flammable chemical."),
    ],
)
def test_a_predicate_counts_as_said_where_one_of_its_family_stands(claim: str, source: str) -> None:
    assert "absent predicate" not in notes(claim, source)


def test_a_field_of_a_form_that_is_empty_says_nothing() -> None:
    form = "The airplane left the runway.\n\n| Aircraft Explosion: | {} |\n| Total: | 3 |"
    claim = "The airplane exploded on the runway."
    assert "absent predicate" in notes(claim, form.format("None"))
    assert "absent predicate" not in notes(claim, form.format("In flight"))


def test_a_negator_in_a_title_denies_nothing_and_one_in_capitals_does() -> None:
    title = "He played in the film Live and Let Never Be in May."
    assert "negation" not in objections("He played in the film in May.", title)
    assert "negation" in objections("He played in May.", "He NEVER played in May.")


def test_a_name_that_begins_the_claim_and_stands_nowhere_leaves_it_unverified() -> None:
    verdict = verify("Brazil won the cup.", "Argentina won the cup.")
    assert (verdict.label, verdict.accept) == ("unverified", True)
    assert "«Brazil» is not named in the source" in verdict.reasons
    assert "absent name" not in notes("Quickly the team won.", "The team won.")


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        pytest.param(
            "Smith retired on 24 January 1957.",
            "Marion Smith taught at the school in Toronto. The town honoured Smith later. "
            "Marion retired on 24 January 1957, aged 66.",
            id="the other half of the whole name",
        ),
        pytest.param(
            "The Court of Appeals of the Philippines reviews the decisions of trial courts.",
            "The Court of Appeals of the Philippines is the second-highest court. It sits in "
            "Manila. The Court of Appeals (CA) reviews the decisions of trial courts.",
            id="initials of another name of the claim",
        ),
        pytest.param(
            "Fitzpatrick holds a Bachelor of Arts degree in journalism.",
            "Fitzpatrick holds an Oxford degree in journalism. He was a bachelor. He loved arts.",
            id="words that are nobody's name",
        ),
        pytest.param(
            "The runway at Shoals is 6,693 feet long and 150 feet wide.",
            "Airport: Shoals, in the state of Alabama. Runway Length/Width: 6,693 ft / 150 ft",
            id="the label of a field",
        ),
    ],
)
def test_what_is_no_other_name_does_not_stand_in_a_names_place(claim: str, source: str) -> None:
    assert "name of something else" not in objections(claim, source)


def test_a_headline_in_capitals_makes_no_one_name_of_all_it_names() -> None:
    headline = "Rock Band Velvet Revolver Joins Alice\n\n"
    body = "In June Velvet Revolver played at the old theatre. Alice went to Boston with Miller."
    assert "name of something else" in objections(
        "In June Alice played at the old theatre.", headline + body
    )


def test_the_same_quantifier_of_the_same_thing_outweighs_another_that_stands_nearer() -> None:
    source = (
        "The find disproves a late date for any book now in the Testament. "
        "So some of the books of the Testament must have been in circulation."
    )
    claim = "Some of the books of the Testament must have been in circulation."
    assert objections(claim, source) == set()
    assert "quantifier" in objections(claim.replace("Some", "All"), source.split(". ")[1])


def test_every_finding_shows_the_words_of_both_sides() -> None:
    found = examine("Sales fell.", material(("Sales rose.",))).findings
    assert [(f.claim_span, f.evidence_span) for f in found] == [("fell", "Sales rose.")]


@pytest.mark.parametrize(
    ("one", "other"),
    [("increased", "increase"), ("bought", "buying"), ("companies", "company"), ("Died", "death"),
     ("operation", "operates"), ("happily", "happy"), ("agreement", "agreed")],
)  # fmt: skip
def test_forms_of_one_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one.lower()) == stem(other.lower())


def test_opposites_are_known_from_either_side_and_no_word_is_its_own_opposite() -> None:
    rise, fall = stem("rose"), stem("fell")
    assert fall in sides(rise)[1]
    assert rise in sides(fall)[1]
    assert not sides(rise)[0] & sides(rise)[1]
    assert denies("supervised", "unsupervised")
    assert not denies("side", "inside")
    assert not denies(stem("take"), stem("mistake"))


def test_the_previous_day_contradicts_the_next_one_and_not_what_comes_after() -> None:
    opposites = sides(stem("previous"))[1]
    assert stem("next") in opposites
    assert stem("after") not in opposites
    assert stem("after") in sides(stem("before"))[1]


def test_few_of_what_the_source_says_of_all_is_left_unverified() -> None:
    source = "Employees accrue 21 days of leave a year."
    verdict = verify("Few employees accrue 21 days of leave a year.", source)
    assert verdict.label == "unverified"
    assert "without a limit" in verdict.reasons[0]
    same = "Few of the employees accrue 21 days of leave a year."
    assert verify("Few employees accrue 21 days of leave a year.", same).label == "no_mismatch"


def test_left_and_right_are_opposites_and_to_leave_is_no_side() -> None:
    claim = "Staff may leave right away on Fridays."
    assert objections(claim, "Staff may leave early on Fridays.") == set()
    assert "opposite" in objections("The left engine failed.", "The right engine failed.")
    assert "opposite" in objections("He lost the right eye.", "He lost the left eye.")


def test_the_month_of_may_puts_nothing_as_possible() -> None:
    claim = "The contract runs from 1 March 2020."
    assert notes(claim, f"{claim[:-1]} to 31 May 2021.") == set()
    assert "certainty" in notes(claim, "The contract may run from 1 March 2020.")


def test_at_most_is_no_most() -> None:
    claim = "The review takes at most 5 business days."
    assert notes(claim, "The review takes 3-5 business days.") == set()
    assert "added" in notes("Most members may park here.", "Members may park here.")
