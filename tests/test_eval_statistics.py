"""Rates, their intervals and what a run comes to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from eval_runs import make_run
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.paired import (
    deviation_of_one,
    difference_of_shares,
    questions_needed,
    swapped,
    tarone,
)
from eval.records import CHECKS, Failure, Mark
from eval.samples import samples
from eval.statistics import Sample, mcnemar, quantiles, rate, sample, student, trials, wilson
from eval.summary import SHARES, summarise


def singles(values: list[float]) -> Sample:
    """Questions about a document each."""
    return sample([(f"q{i}", f"d{i}", v, 1.0) for i, v in enumerate(values)])


# ---------------------------------------------------------------------- one rate


@pytest.mark.parametrize(
    ("share", "n", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775), (1.0, 20, 0.8389, 1.0)],
)
def test_wilsons_interval_is_the_textbook_one(share, n, low, high):
    """Three values known from tables."""
    assert wilson(share, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("freedom", "known"), [(3, 3.182), (5, 2.571), (10, 2.228), (40, 2.021)])
def test_students_quantile_is_that_of_the_tables(freedom, known):
    """Also at few degrees of freedom, where small folders are."""
    assert student(freedom) == pytest.approx(known, rel=2e-3)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.integers(0, 4).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
        ),
        max_size=30,
    )
)
def test_a_rate_lies_in_its_interval_which_lies_in_0_1(rows):
    """Whatever the counts, and an interval is never a point; of nothing there is no rate."""
    counted = sample([(str(i), c, t, b) for i, (c, (t, b)) in enumerate(rows)])
    found = rate(counted)
    if not sum(b for _, (_, b) in rows):
        assert found.value is None
        assert found.n == 0
    else:
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.high - found.low > 0.001


def test_all_successes_leave_room_for_doubt_by_the_number_of_documents():
    """Twenty questions about two documents say less than about twenty."""
    two = rate(sample([(str(i), str(i % 2), 1.0, 1.0) for i in range(20)]))
    twenty = rate(singles([1.0] * 20))
    assert two.value == twenty.value == 1
    assert two.low < 0.5 < twenty.low < 0.9


def test_questions_of_one_document_alone_are_the_units():
    """With a single document there is no spread between documents to go by."""
    one = rate(sample([(str(i), "only.pdf", float(i % 2), 1.0) for i in range(20)]))
    assert one == rate(singles([float(i % 2) for i in range(20)]))


def test_a_shared_fate_widens_the_interval():
    """The same answers, but wrong ones together in few documents."""
    spread = rate(sample([(str(i), str(i // 5), float(i % 5 > 0), 1.0) for i in range(50)]))
    together = rate(sample([(str(i), str(i // 5), float(i >= 10), 1.0) for i in range(50)]))
    assert spread.value == together.value == 0.8
    assert together.high - together.low > 1.5 * (spread.high - spread.low)


@pytest.mark.parametrize(
    ("documents", "share", "alike"),
    [(10, 0.9, 0.2), (20, 0.05, 0.2), (40, 0.5, 0.3)],
)
def test_intervals_cover_the_truth(documents, share, alike):
    """About 95 of 100 intervals of simulated runs, whose documents differ, hold the true rate."""
    random = np.random.default_rng(documents)
    strength = (1 - alike) / alike
    hits = 0
    for _ in range(400):
        rows = []
        for d, own in enumerate(random.beta(share * strength, (1 - share) * strength, documents)):
            for q in range(random.integers(1, 6)):
                claims = random.integers(1, 4)
                rows.append((f"{d}.{q}", str(d), random.binomial(claims, own), claims))
        found = rate(sample(rows))
        hits += found.low <= share <= found.high
    assert 0.92 <= hits / 400 <= 0.985


def test_p50_and_p95_lie_between_neighbours():
    """Of 1 to 101 they are 51 and 96; of nothing there are none."""
    assert quantiles(range(1, 102)) == (51, 96)
    assert quantiles([]) is None


# ---------------------------------------------------------------------- chance


@pytest.mark.parametrize(
    ("fallen", "risen", "two_sided"), [(0, 0, 1.0), (5, 0, 0.03125), (8, 2, 0.0654), (3, 3, 1.0)]
)
def test_mcnemars_mid_p_is_the_textbook_one(fallen, risen, two_sided):
    """Twice the smaller tail, what is as likely as the seen counted half."""
    chance = mcnemar(fallen, risen)
    assert 2 * min(chance.fall, chance.rise) == pytest.approx(two_sided, abs=5e-5)
    assert chance.fall + chance.rise == pytest.approx(1)


@settings(max_examples=25)
@given(st.lists(st.sampled_from([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]), min_size=4, max_size=25))
def test_swapping_the_runs_at_random_comes_to_mcnemar(pairs):
    """On yes and no both are one test; the dice of swaps leave two points."""
    before, after = (singles([p[i] for p in pairs]) for i in (0, 1))
    exact = mcnemar(sum(b > a for b, a in pairs), sum(b < a for b, a in pairs))
    swaps = swapped(before, after)
    if any(b != a for b, a in pairs):
        assert swaps.fall == pytest.approx(exact.fall, abs=0.03)
        assert swaps.attainable == pytest.approx(exact.attainable, abs=0.015)


def test_a_figure_that_no_swap_moves_could_raise_no_alarm():
    """Shorter answers with nothing flagged in either: the share stays 0 whatever is swapped."""
    before = sample([(f"q{i}", f"d{i}", 0.0, 2.0) for i in range(20)])
    after = sample([(f"q{i}", f"d{i}", 0.0, 1.0) for i in range(20)])
    assert swapped(before, after).attainable == 0.5


def test_figures_that_could_not_matter_do_not_make_others_wait():
    """.03 counts among nine figures of which no question changed, not among nine that moved."""
    assert tarone([0.03] + [1.0] * 9, [0.01] + [1.0] * 9, 0.05) == [True] + [False] * 9
    assert not any(tarone([0.03] + [1.0] * 9, [0.0001] * 10, 0.05))
    assert tarone([0.001, 0.03], [0.0001, 0.0001], 0.05) == [True, True]  # Holm's second step


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_tarones_method_is_holms_where_every_figure_could_matter(probabilities):
    """The same figures as by the book, with nothing attainable ruled out."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    wanted = [False] * len(probabilities)
    for place, i in enumerate(order):
        if probabilities[i] > 0.05 / (len(order) - place):
            break
        wanted[i] = True
    assert tarone(probabilities, [0.0] * len(probabilities), 0.05) == wanted


def test_smaller_differences_need_more_questions():
    """Half the difference takes four times as many; five points of one flip in four, 785."""
    assert questions_needed(0.05, 0.5) == 785
    assert questions_needed(0.025, 0.5) == pytest.approx(4 * 785, rel=0.01)
    assert deviation_of_one(singles([0.0, 1.0] * 20)) == pytest.approx(math.sqrt(0.5), rel=0.03)


def test_an_effective_size_is_no_larger_than_independent_trials_are():
    """A hundred independent yes and no are worth about a hundred, as pairs about fifty."""
    assert trials(singles([0.0, 1.0] * 50)) == pytest.approx(97, abs=4)
    pairs = sample([(str(i), str(i // 2), float(i % 4 > 1), 1.0) for i in range(100)])
    assert trials(pairs) == pytest.approx(48, abs=3)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(1, 4), st.floats(0, 1)),
        min_size=2,
    )
)
def test_a_figure_is_worth_no_more_trials_than_were_counted(rows):
    """Questions or claims, also where documents happen to be more alike than chance has them."""
    counted = sample([(str(i), c, round(hit * n), n) for i, (c, n, hit) in enumerate(rows)])
    assert trials(counted) <= sum(n for _, n, _ in rows)


def test_documents_more_alike_than_chance_do_not_narrow_an_interval():
    """Four documents of ten questions each, of which 5, 5, 5 and 6 are hits: forty trials at
    most, and not a hundred and fifty."""
    rows = [(f"{d}.{q}", str(d), float(q < hits), 1.0)
            for d, hits in enumerate((5, 5, 5, 6)) for q in range(10)]  # fmt: skip
    found, alone = rate(sample(rows)), wilson(21 / 40, 40)
    assert found.high - found.low >= alone[1] - alone[0]


# ---------------------------------------------------------------------- differences of nothing


@pytest.mark.parametrize("documents", [2, 3, 6, 20])
@pytest.mark.parametrize(("before", "after"), [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)])
def test_a_difference_without_spread_still_leaves_room_for_doubt(documents, before, after):
    """No document differed from another; more of them might. Six that all moved show a change,
    two do not."""
    change, low, high = difference_of_shares(
        singles([before] * documents), singles([after] * documents)
    )
    assert change == after - before
    assert -1 <= low <= change <= high <= 1
    assert high - low > 0.1
    assert (low > 0 or high < 0) is (change != 0 and documents > 3)


def test_intervals_of_rare_changes_cover_the_truth():
    """One document in twenty changes, so that most sets of ten show none that did: about 95 of
    100 intervals hold the true difference all the same."""
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        fell = (random.random(10) < 0.05).astype(float)
        _, low, high = difference_of_shares(singles([1.0] * 10), singles(list(1 - fell)))
        hits += low <= -0.05 <= high
    assert hits / 300 >= 0.92


# ---------------------------------------------------------------------- a run

MIXED = {0: "contradicted", 1: "unverified", 2: "no_mismatch", 3: "failed", 9: "supported"}


def test_the_four_shares_of_claims_sum_to_one():
    """Each claim is in exactly one of them, and refused questions have none."""
    found = summarise(make_run(kinds=MIXED))
    assert sum(found[name]["value"] for name in SHARES) == pytest.approx(1)
    assert found["claims"] == 16
    assert found["flagged"]["value"] == 1 / 16


def test_repeats_are_averaged_before_questions_are():
    """Asked ten times over, a run has the same figures with the same uncertainty."""
    once, often = (summarise(make_run(kinds=MIXED, repeats=n)) for n in (1, 10))
    for name in (*SHARES, "task_completion", "formatting"):
        assert often[name] == pytest.approx(once[name])
    assert often["unscored"]["high"] == pytest.approx(once["unscored"]["high"])
    assert often["claims"] == 10 * once["claims"]


def test_what_got_no_answer_has_a_rate_of_its_own_and_enters_no_other():
    """One failed question of twenty is 5 % unscored, by kind, and takes nothing from the rest."""
    run = make_run(kinds={0: "failed"})
    without = replace(run, results=tuple(r for r in run.results if not isinstance(r, Failure)))
    found, other = summarise(run), summarise(without)
    assert found["unscored"]["value"] == 0.05
    assert found["unscored"]["kinds"] == {"ReplyInvalid": 1}
    for name in (*SHARES, "task_completion", "formatting"):
        assert found[name] == other[name]


def test_what_could_not_be_assessed_is_neither_met_nor_unmet():
    """It is counted for its criterion, and the check's rate is taken over the rest by weight."""
    run = make_run(questions=1)
    marked = (
        Mark("a", "formatting", "MET", "", 3.0),
        Mark("b", "formatting", "UNMET", "", 1.0),
        Mark("c", "formatting", "CANNOT_ASSESS", "", 9.0),
    )
    found = summarise(replace(run, results=(replace(run.replies[0], marks=marked),)))
    assert found["formatting"]["value"] == 0.75
    assert found["criteria"]["c"]["cannot_assess"] == 1
    assert found["criteria"]["c"]["rate"]["value"] is None
    assert found["not_judged"]["criteria_not_assessed"]["value"] == pytest.approx(1 / 3)
    assert found["task_completion"] == {"value": None, "low": None, "high": None, "n": 0}


@pytest.mark.parametrize(
    ("reason", "score"),
    [("the model's verdict could not be used: no JSON", 0.4), ("not checked", None)],
)
def test_a_judgement_that_failed_is_counted_apart(reason, score):
    """It stays among the unverified, and beside that has its own rate."""
    run = make_run(questions=2, kinds={0: "unverified"})
    told = run.replies[0].answer["sentences"][0]
    told |= {"reasons": [reason], "score": score}
    found = summarise(run)
    assert found["unverified"]["value"] == 0.5
    assert found["not_judged"]["claims_not_judged"]["value"] == 0.5


def test_false_answers_and_false_refusals_look_at_their_own_questions():
    """Of four unanswerable questions one is answered, of sixteen answerable two are refused."""
    found = summarise(make_run(kinds={4: "supported", 0: "refused", 1: "refused"}))["abstention"]
    assert (found["false_answers"]["value"], found["false_answers"]["n"]) == (0.25, 4)
    assert (found["false_refusals"]["value"], found["false_refusals"]["n"]) == (0.125, 16)


def test_the_cold_question_is_kept_out_of_the_speed():
    """The first reply, which loads the models, stands apart; refusals generate nothing."""
    run = make_run(seconds=1.0)
    run.replies[0].answer["timings"]["total_s"] = 99.0
    found = summarise(run)
    assert found["speed_cold"]["total"] == {"p50": 99.0, "p95": 99.0, "n": 1}
    assert found["speed"]["total"]["n"] == 19
    assert found["speed"]["total"]["p95"] < 2


def test_tokens_per_second_are_told_where_the_generator_told_its_tokens():
    """80 tokens in .8 s are 100 a second; without a count there is no figure."""
    run = make_run(questions=3)
    assert summarise(run)["tokens_per_second"] is None
    for reply in run.replies:
        reply.answer["generator"] = {
            **reply.answer["generator"],
            "completion_tokens": round(100 * reply.answer["timings"]["generate_s"]),
        }
    assert summarise(run)["tokens_per_second"]["p50"] == pytest.approx(100, rel=0.02)


def test_retrieval_is_averaged_over_questions_that_name_a_source():
    """Each measure of the replies, and whether the answer had the expected page before it."""
    run = make_run()
    run.replies[0].answer["passages"][0]["page"] = 40
    run.replies[0].answer["passages"][0]["page_end"] = 41
    found = summarise(run)["retrieval"]
    assert found["hit@1"]["value"] == 0.5
    assert found["context_hit"]["value"] == 1 - 1 / 20


def test_a_run_of_nothing_has_figures_of_nothing():
    """Every rate is None and none of them an error."""
    found = summarise(replace(make_run(), results=()))
    assert all(found[name]["value"] is None for name in (*SHARES, "task_completion", "unscored"))
    assert found["speed"] == {}


def test_every_check_is_among_the_samples():
    """Nothing of the rubric can get lost on the way."""
    assert set(CHECKS) < set(samples(make_run()))
