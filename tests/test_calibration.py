"""A model's yes counts for what it was measured to be worth, and for nothing unmeasured."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import SAMPLES
from hypothesis import given
from hypothesis import strategies as st
from test_model_checkers import LABELS, decision, make_cross_encoder, openai_judge

from ingest.readers import read
from rag.checking.base import ModelOpinion
from rag.checking.calibration import (
    LEAST_ABOVE,
    PRECISION,
    Calibration,
    LabelledClaim,
    calibrate,
    calibration_of,
    save_calibration,
    shipped_claims,
)
from rag.checking.curve import auroc, fit, held_out, lowest_cut, share
from rag.checking.models import OPTIONS, no_opinion
from rag.checking.models.decision import _groups
from rag.checking.models.nli import NliChecker
from rag.errors import UsageError
from rag.quotes import locate
from rag.testing import DECISION_MODEL, TINY_MODEL, ScriptedServer

CLAIMS = shipped_claims()
SURE = ModelOpinion(1.0, 0.0, 0.0)


class Scores:
    """A checker that gives each claim the probability a test chose; None is no opinion."""

    kind, model, digest = "nli", "scores", "ab" * 32

    def __init__(self, scores: Sequence[float | None]) -> None:
        self._scores = scores

    def check(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[ModelOpinion]:
        assert len(pairs) == len(self._scores)
        return [
            no_opinion("it broke") if p is None else ModelOpinion(p, 0.0, 1 - p)
            for p in self._scores
        ]


def truths(claims: Sequence[LabelledClaim]) -> list[bool]:
    return [c.label == "supported" for c in claims]


# ---------------------------------------------------------------------- the shipped claims


def test_the_shipped_claims_cover_every_kind_of_flip_and_every_sample_document():
    kinds = Counter(c.kind for c in CLAIMS)
    assert len(CLAIMS) >= 120
    assert kinds["paraphrase"] == sum(truths(CLAIMS)) >= 60
    changed = {"number", "name", "negation", "antonym", "quantifier", "other_passage"}
    assert set(kinds) == {"paraphrase", *changed}
    assert min(kinds.values()) >= 10
    assert len({c.id for c in CLAIMS}) == len(CLAIMS)
    assert {c.label for c in CLAIMS} == set(OPTIONS)
    samples = {p.name for p in SAMPLES.iterdir() if p.name.startswith(("ntsb", "getty"))}
    assert {c.document for c in CLAIMS} == samples


def test_the_evidence_of_each_shipped_claim_stands_in_its_document():
    texts = {
        name: " ".join(s.text for s in read(SAMPLES / name, title=name).sections)
        for name in {c.document for c in CLAIMS}
    }
    assert [c.id for c in CLAIMS if not all(locate(e, texts[c.document]) for e in c.evidence)] == []


def test_no_shipped_claim_repeats_its_evidence_word_for_word():
    assert [c.id for c in CLAIMS if locate(c.claim.rstrip("."), " ".join(c.evidence))] == []


def test_a_claim_on_another_passage_is_true_of_its_own():
    own = {c.claim: c.document for c in CLAIMS if c.label == "supported"}
    others = [c for c in CLAIMS if c.kind == "other_passage"]
    assert all(own[c.claim] != c.document and c.label == "not_in_source" for c in others)


# ---------------------------------------------------------------------- models


def test_a_model_that_is_right_may_say_supported_once_its_record_is_kept(tmp_path: Path):
    with ScriptedServer(models=(DECISION_MODEL,)) as server:
        label = {(c.claim, c.evidence): c.label for c in CLAIMS}
        for group in _groups([(c.claim, c.evidence) for c in CLAIMS]):
            right = [label[claim, tuple(evidence)] for claim, evidence in group]
            server.enqueue_decisions(
                {
                    f"claim{n}": {o: 0.94 if o == told else 0.03 for o in OPTIONS}
                    for n, told in enumerate(right, 1)
                }
            )
        checker = decision(server)
        record = calibrate(checker, CLAIMS)
    assert record.unscored == 0
    assert record.supported_flagged.value == record.flips_accepted.value == 0.0
    assert record.auroc.value == 1.0
    assert record.precision.value == record.found.value == 1.0
    assert record.says_supported(ModelOpinion(0.94, 0.03, 0.03))
    assert not record.says_supported(ModelOpinion(0.03, 0.94, 0.03))
    assert not record.says_supported(no_opinion("it broke"))
    assert calibration_of(checker.digest, tmp_path) is None
    path = save_calibration(record, tmp_path)
    assert path.parent == tmp_path
    assert calibration_of(checker.digest, tmp_path) == record


def test_an_untrained_nli_model_is_no_better_than_chance_and_never_says_supported(
    tmp_path: Path,
):
    checker = NliChecker(str(make_cross_encoder(tmp_path, LABELS)))
    record = calibrate(checker, CLAIMS)
    assert record.unscored == 0
    assert record.auroc.value == pytest.approx(0.5, abs=0.1)
    assert record.cut is None
    assert not record.says_supported(SURE)
    assert record.found == share(np.zeros(sum(truths(CLAIMS)), dtype=bool))
    assert record.precision.n == 0
    assert any("never says supported" in line for line in record.lines())


def test_a_real_tiny_judge_gets_a_record_of_its_errors_that_cannot_be_kept(tiny_llama: str):
    """llama.cpp's server tells no digest, so its model's yes stays «no mismatch found»."""
    few = [next(c for c in CLAIMS if c.kind == kind) for kind in ("paraphrase", "number", "name")]
    record = calibrate(openai_judge(tiny_llama, 120.0, model=TINY_MODEL), few)
    assert (record.claims, record.model) == (3, TINY_MODEL)
    assert record.supported_flagged.n + record.flips_accepted.n + record.unscored == 3
    assert record.cut is None
    assert not record.says_supported(SURE)
    with pytest.raises(UsageError, match="no digest"):
        save_calibration(record)


def test_a_model_that_guesses_never_says_supported():
    for seed in range(20):
        guess = random.Random(seed)
        record = calibrate(Scores([guess.random() for _ in CLAIMS]), CLAIMS)
        assert record.cut is None


def test_a_model_that_is_always_wrong_is_not_turned_round():
    record = calibrate(Scores([0.05 if true else 0.95 for true in truths(CLAIMS)]), CLAIMS)
    assert record.auroc.value == 0.0
    assert record.slope == 0.0
    assert record.supported_flagged.value == record.flips_accepted.value == 1.0
    assert not record.says_supported(ModelOpinion(0.0, 1.0, 0.0))
    assert not record.says_supported(SURE)


def test_a_model_that_says_yes_to_everything_never_says_supported():
    record = calibrate(Scores([1.0] * len(CLAIMS)), CLAIMS)
    assert record.auroc.value == 0.5
    assert record.flips_accepted.value == 1.0
    base = sum(truths(CLAIMS)) / len(CLAIMS)
    assert record.probability(SURE) == pytest.approx(base, abs=0.02)
    assert record.cut is None


def test_a_model_as_sure_of_supported_as_of_another_option_has_not_said_yes():
    record = calibrate(Scores([0.5] * len(CLAIMS)), CLAIMS)
    assert record.flips_accepted.value == 0.0
    assert record.supported_flagged.value == 1.0


def test_a_model_that_errs_a_little_has_a_cut_that_keeps_its_promise():
    noise = random.Random(3)
    scores = [
        min(1.0, max(0.0, noise.gauss(0.85 if true else 0.3, 0.12))) for true in truths(CLAIMS)
    ]
    record = calibrate(Scores(scores), CLAIMS)
    assert record.cut is not None
    assert record.cut >= 0.5
    assert record.precision.value is not None
    assert record.precision.value >= PRECISION
    assert record.precision.n >= LEAST_ABOVE
    assert record.says_supported(SURE)
    assert sum(1 for line in record.lines() if line.startswith("  ")) == 6


def test_claims_without_an_opinion_are_counted_and_are_neither_errors_nor_successes():
    scores = [None if n % 2 else (0.9 if c.label == "supported" else 0.1)
              for n, c in enumerate(CLAIMS)]  # fmt: skip
    record = calibrate(Scores(scores), CLAIMS)
    assert record.unscored == len(CLAIMS) // 2
    assert record.supported_flagged.n + record.flips_accepted.n == len(CLAIMS) - record.unscored
    assert record.flips_accepted.value == 0.0


def test_a_model_that_never_answers_gets_a_record_that_says_so():
    record = calibrate(Scores([None] * len(CLAIMS)), CLAIMS)
    assert record.unscored == len(CLAIMS)
    assert record.auroc.value is record.flips_accepted.value is None
    assert not record.says_supported(SURE)
    assert "unknown (no claims to count)" in "\n".join(record.lines())


# ---------------------------------------------------------------------- records


@pytest.fixture
def record() -> Calibration:
    return calibrate(Scores([0.95 if true else 0.05 for true in truths(CLAIMS)]), CLAIMS)


def test_without_a_folder_named_records_lie_in_the_users_data_folder(
    record: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert calibration_of(record.digest) is None
    path = save_calibration(record)
    assert path.is_relative_to(tmp_path)
    assert calibration_of(record.digest) == record
    assert [p.name for p in path.parent.iterdir()] == [f"{record.digest}.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "[]",
        lambda text: text.replace('"record": 1', '"record": 2'),
        lambda text: text.replace("ab" * 32, "cd" * 32),
        lambda text: json.dumps({**json.loads(text), "slope": "steep"}),
        lambda text: json.dumps({**json.loads(text), "cut": math.nan}),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "cut"}),
    ],
    ids=["half", "list", "version", "digest", "text", "nan", "missing"],
)
def test_a_damaged_record_is_named_and_never_used(record: Calibration, tmp_path: Path, damage):
    path = save_calibration(record, tmp_path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(UsageError, match=r"damaged.*rag verify --calibrate") as caught:
        calibration_of(record.digest, tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("digest", [None, "", "../../etc/passwd", "AB" * 32, "ab" * 31])
def test_what_is_no_digest_has_no_record_and_gets_none(
    record: Calibration, tmp_path: Path, digest: str | None
):
    assert calibration_of(digest, tmp_path) is None
    with pytest.raises(UsageError, match="no digest"):
        save_calibration(dataclasses.replace(record, digest=digest), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(record: Calibration, tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=r"file.*cannot be written.*XDG_DATA_HOME"):
        save_calibration(record, tmp_path / "file")


# ---------------------------------------------------------------------- figures


def test_wilson_intervals_are_the_published_ones():
    eight_of_ten = share(np.array([True] * 8 + [False] * 2))
    assert eight_of_ten.value == 0.8
    assert (eight_of_ten.low, eight_of_ten.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    none_of_ten = share(np.zeros(10, dtype=bool))
    assert (none_of_ten.low, none_of_ten.high) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert share(np.zeros(0, dtype=bool)).value is None


def test_the_area_under_the_curve_counts_pairs_and_halves_ties():
    scores = np.array([0.9, 0.4, 0.4, 0.1])
    yes = np.array([True, True, False, False])
    assert auroc(scores, yes, np.array(["a", "b", "a", "b"])).value == 3.5 / 4


def test_the_cut_is_the_lowest_that_keeps_precision_over_enough_claims():
    p = np.array([0.4, 0.55, 0.6, 0.7, 0.8, 0.9])
    yes = np.array([True, False, True, True, True, True])
    assert lowest_cut(p, yes, precision=0.95, least=3) == 0.6
    assert lowest_cut(p, yes, precision=0.8, least=3) == 0.55
    assert lowest_cut(p, yes, precision=0.95, least=5) is None


def test_a_claims_own_document_has_no_part_in_its_held_out_probability():
    p = np.array([0.9, 0.8, 0.2, 0.1, 0.9, 0.1])
    yes = np.array([True, True, False, False, True, False])
    documents = np.array(["a", "a", "a", "a", "b", "b"])
    turned = np.where(documents == "b", ~yes, yes)
    same = held_out(p, yes, documents)[4:], held_out(p, turned, documents)[4:]
    assert same[0].tolist() == same[1].tolist()
    assert held_out(p, yes, documents)[:4].tolist() != held_out(p, turned, documents)[:4].tolist()


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=0, max_size=60),
)
def test_every_curve_is_finite_and_never_falls(points: list[tuple[float, bool]]):
    p = np.array([x for x, _ in points], dtype=np.float64)
    curve = fit(p, np.array([y for _, y in points], dtype=bool))
    assert math.isfinite(curve.slope)
    assert math.isfinite(curve.intercept)
    along = curve.at(np.linspace(0, 1, 21))
    assert np.all(np.diff(along) >= -1e-12)
    assert np.all((along >= 0) & (along <= 1))
