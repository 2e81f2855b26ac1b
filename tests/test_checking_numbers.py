"""Numbers, dates and units as they are written, compared by what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import verify
from rag.checking.agreement import agree
from rag.checking.material import material
from rag.checking.numbers import check_numbers, findings
from rag.checking.quantities import quantities
from rag.checking.reading import read


def states(claim: str, *evidence: str) -> list[str]:
    return [c.state for c in check_numbers(read(claim), material(evidence))]


def rules(claim: str, *evidence: str) -> list[str]:
    source = material(evidence)
    return [f.rule for f in findings(check_numbers(read(claim), source), source, rest_found=False)]


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("$56.1 billion", "56,100 million"),
        ("$56.1 billion", "$56,123,456,000"),
        ("Q3 FY22", "the third quarter of fiscal 2022"),
        ("3Q20", "third quarter of 2020"),
        ("twelve percent", "12%"),
        ("1.5 percentage points", "150 basis points"),
        ("1 250 000 units", "1,250,000 units"),
        ("1.250.000 units", "1,250,000 units"),
        ("1.250,50 euros", "€1,250.50"),
        ("27 July 2018", "July 27, 2018"),
        ("2018-07-27", "27th of July 2018"),
        ("July 2018", "27 July 2018"),
        ("2018", "27 July 2018"),
        ("FY18", "fiscal year 2018"),
        ("the 1970s", "in 1974"),
        ("two hundred and five people", "205 people"),
        ("half a million people", "500,000 people"),
        ("half of them", "50% of them"),
        ("about 260,000 volumes", "263,412 volumes"),
        ("5 km", "5,000 metres"),
        ("5:30 pm", "17:30"),
        ("14:30", "1430 EST"),
        ("three months", "90 days"),
        ("9,000 pounds", "9000 lbs"),
        ("5 million dollars", "5 mln bucks"),
        ("18 October", "Thursday 18 October 15:30"),
        ("17 October 2018", "2018-10-17T20:00:00"),
        ("21st", "twenty-first, the 21st"),
        ("$1,577", "1577"),
        ("50 milligrams", "50 mg"),
        ("5 m", "5 metres"),
        ("$5 m", "$5 million"),
        ("2,000 MB", "2 GB"),
        ("24 °C", "75 °F"),
        ("5% a year", "5% annually"),
        ("100,000 hectares", "10⁵ hectares"),
        ("3 × 10⁵ hectares", "300,000 hectares"),
        ("½ percent", "0.5 percent"),
        ("a loss of $12 million", "income of ($12 million)"),
        ("10 to 15 degrees", "10-15 degrees"),
        ("more than 100 people", "105 people"),
        ("at least 50 people", "50 people"),
        ("over three years", "three years"),
        ("two times as many", "2 times as many"),
        ("twice the wage", "2 times the wage"),
        ("double the wage", "200 percent of the wage"),
        ("150% of the wage", "1.5 times the wage"),
        ("one and a half times the wage", "1.5x the wage"),
        ("half the wage", "0.5 times the wage"),
        ("1,500 times the dose", "1500 times the dose"),
        ("45 € per day", "a daily 45 euros, EUR 45 a day"),
        ("21 days of paid leave a year", "21 days annually"),
        ("Each year, 21 days", "21 days of leave per year"),
        ("a loss of $3.2 million", "income $(3.2) million"),
    ],
)
def test_two_writings_of_one_quantity_agree(claim: str, source: str) -> None:
    mine, theirs = quantities(claim), quantities(source)
    assert mine
    assert all(any(agree(m, t) for t in theirs) for m in mine), (mine, theirs)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("$56.2 billion", "56,100 million"),
        ("$56.12 billion", "$56.1 billion"),  # finer than the source says
        ("$5 million", "€5 million"),
        ("5 miles", "5 km"),
        ("5 months", "5 years"),
        ("5%", "$5"),
        ("Q3 FY22", "second quarter of fiscal 2022"),
        ("27 July 2018", "28 July 2018"),
        ("27 July 2018", "July 2018"),
        ("in April", "in March"),
        ("on Monday", "on Tuesday"),
        ("300 people", "296 people"),
        ("1974", "the 1970s"),
        ("$12 million", "was -$12 million"),
        ("$12 million", "income was ($12 million)"),
        ("5 degrees", "minus 5 degrees"),
        ("p < 0.05", "p > 0.05"),
        ("more than 105 people", "100 people"),
        ("less than 95 people", "100 people"),
        ("less than 10 miles", "10 miles"),
        ("about 57 feet", "about 56 feet"),
        ("5 g", "5 mg"),
        ("5 m", "5 km"),
        ("10 mg/kg", "10 ug/kg"),
        ("24 °F", "24 °C"),
        ("12 statute miles", "12 nautical miles"),
        ("13 m/s", "13 knots"),
        ("20 mAh", "20 mWh"),
        ("20 litres per second", "20 litres per hour"),
        ("5% per month", "5% per year"),
        ("30 business days", "30 calendar days"),
        ("1140 PST", "1140 EST"),
        ("500 pesos", "500 pounds"),
        ("within 30 days", "after 30 days"),
        ("5%", "5 employees"),
        ("$50 million", "50 million users"),
        ("version 3.2.1", "version 3.2.4"),
        ("doubled", "tripled"),
        ("twice the wage", "1.5 times the wage"),
        ("half the wage", "1.5 times the wage"),
        ("200% of the wage", "one and a half times the wage"),
        ("45 € per day", "45 € per week"),
        ("45 €", "$45"),
        ("21 days of leave a month", "21 days of leave a year"),
        ("monthly 21 days", "21 days every week"),
        ("the weekly fee is 5 euros", "the monthly fee is 5 euros"),
        ("income of $3.2 million", "income of $(3.2) million"),
        ("10⁵ hectares", "10⁷ hectares"),
        ("½ percent", "¼ percent"),
    ],
)
def test_different_quantities_do_not_agree(claim: str, source: str) -> None:
    (mine, *_), theirs = quantities(claim), quantities(source)
    assert not any(agree(mine, t) for t in theirs), (mine, theirs)


def test_what_is_glued_to_letters_is_a_name_and_no_number() -> None:
    assert quantities("COVID-19, the F-16 and B2B") == ()


def test_a_form_that_may_be_thousands_or_a_decimal_is_reported_and_not_guessed() -> None:
    assert states("The fee is 1.250 dollars.", "The fee is 1,250 dollars.") == ["ambiguous"]
    assert states("The fee is 1.250 dollars.", "The fee is 1.250 dollars.") == ["found"]
    assert rules("The fee is 1.250 dollars.", "The fee is 1,250 dollars.") == ["ambiguous number"]


def test_a_table_in_millions_answers_for_a_figure_in_billions() -> None:
    table = "(In millions)\nPurchases of property 1,577\nNet income 5,363"
    assert states("Net income was $5.363 billion.", table) == ["found"]


def test_a_number_that_is_nowhere_leaves_the_claim_unsupported() -> None:
    assert rules("The mayor owns 47 goats.", "The town lies by the sea.") == ["absent number"]


def test_a_number_in_place_of_another_contradicts() -> None:
    source = "Employees accrue 21 days of leave a year."
    assert rules("Employees accrue 12 days of leave a year.", source) == ["other number"]


def test_a_number_that_belongs_to_something_else_contradicts() -> None:
    source = "Net sales were $441 million in the quarter. Rental costs were $437 million."
    assert rules("Net sales were $437 million in the quarter.", source) == [
        "number of something else"
    ]
    assert rules("Rental costs were $437 million.", source) == []


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The rate fell from 5% to 3%.", "The rate fell from 3% to 5%."),
        ("The score was 2-1.", "The score was 1-2."),
        ("The ratio was 3:1.", "The ratio was 1:3."),
    ],
)
def test_two_figures_that_have_changed_places_contradict(claim: str, source: str) -> None:
    assert rules(claim, source) == ["order of numbers"]
    assert rules(source, source) == []


def test_an_order_told_the_other_way_round_is_the_same_order() -> None:
    assert rules("The rate fell from 5% to 3%.", "The rate fell to 3% from 5%.") == []


def test_an_absent_figure_has_a_rival_in_any_unit_of_its_dimension() -> None:
    source = "The Acme warranty lasts 24 months."
    assert rules("The Acme warranty lasts 99 years.", source) == ["other number"]


def test_a_sentence_without_end_is_cut_and_loses_no_figure() -> None:
    text = "the unit cost 5 dollars and " * 300
    source = material((text,))
    assert max(len(s.text) for s in source.stretches) <= 2_000
    assert len(source.quantities) == 300
    assert all(text[s.start :].startswith(s.text) for s in source.stretches)


def test_a_date_that_the_source_says_in_two_places_is_found() -> None:
    assert states("It opened on 27 July 2018.", "Report of 2018", "It opened on 27 July.") == [
        "found"
    ]


@given(st.integers(10_000, 10**12))
def test_separators_never_change_a_number(value: int) -> None:
    (plain,), (grouped,) = quantities(f"{value} units"), quantities(f"{value:,} units")
    assert plain.values == grouped.values == (float(value),)


@given(st.text(alphabet="0123456789.,$%/-– QFY'ndmillionpcto", max_size=40))
def test_quantities_lie_in_their_text_in_order_and_never_overlap(text: str) -> None:
    end = 0
    for q in quantities(text):
        assert end <= q.start < q.end <= len(text)
        end = q.end


@pytest.mark.parametrize(
    ("claim", "source", "found"),
    [
        ("Acme sold 500 widgets.", "Acme sold 500 gadgets.", ["other noun"]),
        ("Acme sold 500 red widgets.", "Acme sold about 500 large gadgets.", ["other noun"]),
        ("Acme sold 500 widgets.", "Acme sold 500 gadgets, and no widgets.", []),
        ("Acme sold 500 widgets.", "Acme sold 500 large widgets.", []),
        ("Acme sold 500 widgets.", "Widgets sold: 500", []),
        ("Acme has 500 pigments.", "Acme has 500 types of colour.", []),
        ("Acme has 500 workers.", "Acme has a staff of 500 and more.", []),
        ("Acme sold 500 widgets.", "Acme sold 500 gadgets at 500 dollars.", ["other noun"]),
    ],
)
def test_a_figure_that_counts_something_else_in_the_source_is_not_said_by_it(
    claim: str, source: str, found: list[str]
) -> None:
    assert rules(claim, source) == found


def test_what_counts_something_else_is_left_unverified_and_raises_no_alarm() -> None:
    verdict = verify("Acme sold 500 widgets.", "Acme sold 500 gadgets.")
    assert verdict.label == "unverified"
    assert "«500» counts «gadgets» in the source" in verdict.reasons[0]


@pytest.mark.parametrize(
    "claim",
    [
        "Employees accrue 21 days of leave a month.",
        "Employees accrue 21 days of leave every week.",
        "Employees accrue 21 days of leave monthly.",
        "Each month employees accrue 21 days of leave.",
    ],
)
def test_the_figure_of_another_period_contradicts_and_that_of_none_is_unverified(
    claim: str,
) -> None:
    assert verify(claim, "Employees accrue 21 days of leave a year.").label == "contradicted"
    bare = verify(claim, "Employees accrue 21 days of leave.")
    assert bare.label == "unverified"
    assert any("for what period" in reason for reason in bare.reasons)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Employees accrue 21 days of leave annually.", "They accrue 21 days of leave a year."),
        ("Sales were 5 million euros a year.", "Annual sales were 5 million euros."),
        ("Sales were 5 million euros a year.", "In 2020, sales were 5 million euros."),
        ("Employees accrue 21 days of leave.", "Employees accrue 21 days of leave a year."),
        ("The fee was 5 euros a year ago.", "The fee was 5 euros a year ago, and 6 a month later."),
        ("The fee is 50 percent of the monthly wage.", "The fee is half the monthly wage."),
    ],
)
def test_a_rate_that_the_source_has_in_other_words_meets_no_objection(
    claim: str, source: str
) -> None:
    assert rules(claim, source) == []


@pytest.mark.parametrize("times", ["twice", "double", "triple", "half", "200 percent of"])
def test_another_multiple_of_the_same_thing_contradicts(times: str) -> None:
    source = "Overtime is paid at 1.5 times the hourly wage."
    verdict = verify(f"Overtime is paid at {times} the hourly wage.", source)
    assert verdict.label == "contradicted"
    assert verify("Overtime is paid at 150 percent of the hourly wage.", source).accept
    assert verify("The play was staged three times.", "It was staged three times.").accept
