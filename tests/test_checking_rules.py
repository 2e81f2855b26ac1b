"""Names, negation, opposites, quantifiers and roles: what each rule says of one pair."""

from __future__ import annotations

import pytest

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
        ("Rabbits sing opera daily.", "Quarterly tax filings are due soon.", "off topic"),
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
