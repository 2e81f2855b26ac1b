"""Gates, and what a judge is worth: agreement with people, records, corrected rates, commands."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from conftest import one_error_line, rag_here
from eval_runs import make_provenance, make_run, put
from hypothesis import given
from hypothesis import strategies as st

from eval.agreement import Agreement, Labelled, agreement, judge, read_labels
from eval.compare import compare
from eval.corrections import (
    FOLDER,
    JudgeRecord,
    make_record,
    record_for,
    rules_digest,
    save_record,
    shipped_labels,
    shipped_record,
)
from eval.gate import Limits, hold
from eval.history import History
from eval.records import EvaluationRun, Rate
from eval.standing import damaged, uncalibrated, uncorrected
from eval.statistics import wilson
from eval.summary import summarise
from rag.checking.base import ModelOpinion
from rag.checking.calibration import calibrate, save_calibration, shipped_claims
from rag.errors import UsageError

SAID = "The runway was 3078 feet long."
OTHER = "The runway was 5120 feet long."
EVIDENCE = "He switched to runway 04. The runway was 3078 feet long and 100 feet wide."


def breaches(run=None, comparison=None, uncalibrated=(), **limits) -> dict[str, str]:
    held = hold(
        summarise(run or make_run()), Limits(**limits), comparison=comparison,
        uncalibrated=uncalibrated,
    )  # fmt: skip
    return {b.limit: b.reason for b in held.breaches}


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("limits", "kinds", "seconds"),
    [
        ({"max_flagged": 0.05}, {0: "contradicted"}, 1),
        ({"min_groundedness": 0.95}, {0: "no_mismatch"}, 1),
        ({"min_completed": 0.99}, {0: "refused"}, 1),
        ({"min_factual": 0.95}, {0: "contradicted", 1: "contradicted"}, 1),
        ({"min_hit": ((1, 0.8),)}, {}, 1),
        ({"max_p95": 2.0}, {}, 2),
        ({"max_unscored": 0.04}, {0: "failed"}, 1),
    ],
    ids=["flagged", "groundedness", "completed", "factual", "hit", "p95", "unscored"],
)
def test_each_limit_is_broken_by_what_it_limits(limits, kinds, seconds):
    """One breach, of that limit, with its figure, its interval and the option in one line."""
    found = breaches(make_run(kinds=kinds, seconds=seconds), **limits)
    (limit,) = found
    name = next(iter(limits))
    assert limit.startswith(name)
    assert f"--{name.replace('_', '-')}" in found[limit]
    assert "\n" not in found[limit]


def test_a_good_run_keeps_every_limit():
    """All that were asked for are named as kept, and max-unscored, which always is."""
    limits = Limits(max_flagged=0, min_groundedness=1, min_completed=1, min_formatting=1,
                    min_factual=1, max_p95=60, min_hit=((5, 1.0),))  # fmt: skip
    held = hold(summarise(make_run()), limits)
    assert held.passed
    assert set(held.kept) == {
        "max_flagged", "min_groundedness", "min_completed", "min_formatting", "min_factual",
        "max_p95", "min_hit 5", "max_unscored",
    }  # fmt: skip


def test_the_figure_decides_and_a_note_tells_of_too_few_questions():
    """One flagged claim of sixteen is above .05; that so few do not settle it is said besides."""
    held = hold(summarise(make_run(kinds={0: "contradicted"})), Limits(max_flagged=0.05))
    assert [b.limit for b in held.breaches] == ["max_flagged"]
    assert any("do not settle --max-flagged 0.05" in note for note in held.notes)
    assert hold(summarise(make_run()), Limits(max_flagged=0.5)).notes == ()


def test_what_cannot_be_measured_opens_no_gate():
    """Consistency without repeats is no consistency; the line says what to do."""
    found = breaches(min_consistency=0.9)
    assert "--repeats 3" in found["min_consistency"]
    assert breaches(make_run(repeats=2), min_consistency=0.9) == {}
    assert set(breaches(min_hit=((3, 0.1),))) == {"min_hit 3"}


def test_lost_questions_fail_a_gate_that_asked_for_nothing():
    """Three of twenty without an answer are more than a tenth."""
    lost = {0: "failed", 1: "failed", 2: "failed"}
    assert set(breaches(make_run(kinds=lost))) == {"max_unscored"}
    assert breaches(make_run(kinds=lost), max_unscored=0.2) == {}


@pytest.mark.parametrize("state", ["interrupted", "failed", "running"])
def test_a_run_that_was_not_done_opens_no_gate(state):
    """However good what there is of it."""
    assert set(breaches(replace(make_run(), state=state))) == {"state"}


def test_no_worse_than_looks_at_the_paired_comparison():
    """What became worse beyond chance is a breach each; one flip is none."""
    before = make_run(questions=50)
    bad = make_run(questions=50, kinds=dict.fromkeys(range(0, 50, 5), "contradicted"))
    held = hold(summarise(bad), Limits(), comparison=compare(before, bad))
    reasons = [b.reason for b in held.breaches]
    assert {b.limit for b in held.breaches} == {"no_worse_than"}
    assert any(r.startswith("flagged is worse than in") and "40 questions" in r for r in reasons)
    one = make_run(questions=50, kinds={0: "contradicted"})
    assert breaches(one, comparison=compare(before, one)) == {}


def test_a_slow_night_is_a_breach_of_no_worse_than():
    """Told in seconds and percent."""
    slow = make_run(seconds=3)
    found = hold(summarise(slow), Limits(), comparison=compare(make_run(), slow)).breaches
    assert any("total s is worse" in b.reason and "+200%" in b.reason for b in found)


def test_a_comparison_of_nothing_opens_no_gate():
    """Two runs that share no question are no reason to pass."""
    other = make_run(texts={n: f"Another question {n}?" for n in range(20)})
    assert "nothing is comparable" in breaches(comparison=compare(other, make_run()))[
        "no_worse_than"
    ]  # fmt: skip


def unlabelled(run: EvaluationRun) -> EvaluationRun:
    bare = {"answerable": None, "answer": None, "page": None, "quote": None}
    return replace(
        run, results=tuple(replace(r, question=replace(r.question, **bare)) for r in run.results)
    )


def test_a_pipeline_that_refuses_everything_is_no_better_for_having_nothing_to_flag():
    """Without labels too: what the run before had and this one lost is a breach each."""
    before, after = (unlabelled(make_run(questions=50, usual=u)) for u in ("supported", "refused"))
    held = hold(summarise(after), Limits(), comparison=compare(before, after))
    reasons = [b.reason for b in held.breaches]
    assert any(r.startswith("refused is worse than in") for r in reasons)
    assert any("groundedness was 1.000 in" in r and "cannot be measured" in r for r in reasons)
    assert any("consistency" in r and "--repeats 3" in r for r in breaches(
        comparison=compare(make_run(repeats=2), make_run())).values())  # fmt: skip


def test_another_kind_of_writer_opens_no_gate():
    """A model server that is down makes a better figure of quoted sources."""
    quoting = make_provenance(generator={"kind": "extractive", "model": None, "digest": None})
    after = make_run(provenance=quoting)
    found = breaches(after, comparison=compare(make_run(), after))
    assert "generator kind: ollama → extractive" in found["no_worse_than"]
    other = make_provenance(generator={"kind": "ollama", "model": "llama3.2", "digest": "bb"})
    after = make_run(provenance=other)
    assert breaches(after, comparison=compare(make_run(), after)) == {}


def test_figures_of_too_few_questions_are_told_and_open_no_gate_alone():
    """Five questions can show no time to be worse, three show nothing at all."""
    held = [
        hold(summarise(run), Limits(), comparison=compare(run, run))
        for run in (make_run(questions=n) for n in (5, 3))
    ]
    assert [h.passed for h in held] == [True, False]
    assert any("on too few questions" in n and "total_s (4)" in n for n in held[0].notes)
    assert "too few to call anything worse" in held[1].breaches[0].reason


# ---------------------------------------------------------------------- calibration before gates


def not_judged(run: EvaluationRun, lost: int) -> EvaluationRun:
    """The judge failed on the first so many claims."""
    for reply in run.replies[:lost]:
        for sentence in reply.answer["sentences"]:
            sentence |= {"reasons": ["the model's verdict could not be used: no JSON"]}
    return run


def test_a_judge_that_judged_nothing_opens_no_gate():
    """Nothing was flagged, because nothing was looked at; code's own figures are held as ever."""
    silent = not_judged(make_run(usual="unverified"), 20)
    found = breaches(silent, max_flagged=0.05)
    assert "failed on 1.000 of 16 claims" in found["judge"]
    assert "judge" in breaches(silent, comparison=compare(silent, silent))
    assert breaches(silent, min_formatting=0.5) == {}
    one = not_judged(make_run(kinds={0: "unverified"}), 1)
    assert breaches(one, max_flagged=0.05) == {}


def test_an_uncalibrated_judge_opens_no_gate_that_rests_on_it():
    """Its figures are a breach however good; what code alone decides is held all the same."""
    found = breaches(uncalibrated=["gemma"], max_flagged=0.5, min_formatting=0.5)
    assert set(found) == {"judge"}
    assert "rag eval calibrate" in found["judge"]
    assert breaches(uncalibrated=["gemma"], min_formatting=0.5, max_p95=9) == {}


def test_unchecked_answers_are_told_from_uncalibrated_judges():
    """With --no-verify there is nothing to calibrate."""
    assert "--no-verify" in breaches(uncalibrated=["none"], max_flagged=0.5)["judge"]


def test_the_offline_rules_come_calibrated(tmp_path):
    """Their record is what the shipped labels give today. When rules, words or coefficients
    change, make it anew: python bench/human_verdicts.py --ship."""
    labels = shipped_labels()
    today = agreement(labels, list(judge(labels, None)))
    kept = asdict(shipped_record().agreement)
    for name, found in asdict(today).items():
        assert kept[name] == (pytest.approx(found) if isinstance(found, dict) else found)
    assert shipped_record().digest == rules_digest()
    assert uncalibrated({"kind": "rules", "judges": []}, tmp_path / "h.sqlite") == []
    assert record_for({"kind": "rules"}, tmp_path / "h.sqlite") == shipped_record()


def test_a_model_judge_is_calibrated_by_its_digest(tmp_path):
    """A record of other weights does not count; of a panel every judge must have one."""
    history, digest = tmp_path / "history.sqlite", "a" * 64
    mine = {"kind": "nli", "model": "x", "digest": digest}
    other = {"kind": "nli", "model": "y", "digest": "b" * 64}
    assert uncalibrated(mine, history) == ["x"]
    save_record(replace(shipped_record(), kind="nli", model="x", digest=digest), history)
    assert uncalibrated(mine, history) == []
    assert uncalibrated({"kind": "rules", "judges": [mine, other]}, history) == ["y"]
    assert record_for(mine, history).model == "x"
    assert record_for({"kind": "rules", "judges": [mine, other]}, history) is None


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([(True, False), (False, True)], False),
        ([(True, False)] * 60 + [(False, True)] * 60, True),
        ([(True, True)] * 60 + [(False, False)] * 60, False),
        ([(True, None), (False, True)] * 60, False),
    ],
    ids=["two labels", "always right", "always wrong", "never judged the supported"],
)
def test_a_record_opens_a_gate_only_if_it_shows_a_judge_that_can_tell(tmp_path, rows, shown):
    """By the low ends of sensitivity and specificity; of the rules too, whose own record stands
    before the one that ships."""
    history, digest = tmp_path / "history.sqlite", "a" * 64
    record = replace(shipped_record(), agreement=labelled(*rows))
    save_record(replace(record, kind="nli", model="x", digest=digest), history)
    save_record(replace(record, digest=rules_digest()), history)
    model = {"kind": "nli", "model": "x", "digest": digest}
    assert uncalibrated(model, history) == ([] if shown else ["x"])
    assert uncalibrated({"kind": "rules"}, history) == ([] if shown else ["rules"])


@pytest.mark.parametrize(("right", "shown"), [(True, True), (False, False)])
def test_what_rag_verify_calibrates_counts_where_it_shows_as_much(
    tmp_path, monkeypatch, right, shown
):
    """A model that was always right on the claims that ship, and one that was always wrong."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    class Scores:
        kind, model, digest = "nli", "x", "d" * 64

        def check(self, pairs):
            known = {(c.claim, c.evidence): c.label == "supported" for c in shipped_claims()}
            scores = [0.95 if known[c, tuple(e)] is right else 0.05 for c, e in pairs]
            return [ModelOpinion(s, 0.0, 1 - s) for s in scores]

    path, history = save_calibration(calibrate(Scores(), shipped_claims())), tmp_path / "h.sqlite"
    verifier = {"kind": "nli", "model": "x", "digest": Scores.digest}
    assert uncalibrated(verifier, history) == ([] if shown else ["x"])
    path.write_text("{", encoding="utf-8")
    assert uncalibrated(verifier, history) == ["x"]
    (line,) = damaged(verifier, history)
    assert str(path) in line
    assert "rag verify --calibrate" in line
    assert uncorrected(verifier, history) == ""  # rates are corrected by the other kind of record


@pytest.mark.parametrize("text", [b"{}", b'{"record": 1', b"\xff", b'{"record": 9}', None])
def test_a_damaged_record_is_one_line_and_shows_nothing(tmp_path, text):
    """It names the file and how to make it anew; nobody goes by the record that ships instead."""
    history = tmp_path / "history.sqlite"
    path = save_record(replace(shipped_record(), digest=rules_digest()), history)
    assert damaged({"kind": "rules"}, history) == []
    path.unlink()
    path.mkdir() if text is None else path.write_bytes(text)
    (line,) = damaged({"kind": "rules"}, history)
    assert line.startswith(f"calibration {path} is damaged or of another version; make it anew")
    assert uncalibrated({"kind": "rules"}, history) == ["rules"]
    assert record_for({"kind": "rules"}, history) is None


# ---------------------------------------------------------------------- agreement


def labelled(*rows: tuple[bool, bool | None]) -> Agreement:
    """(supported, flagged) pairs, each a group of its own."""
    labels = [Labelled("claim", "x", ("y",), s, str(i)) for i, (s, _) in enumerate(rows)]
    return agreement(labels, [f for _, f in rows])


def test_kappa_sensitivity_and_specificity_are_those_of_the_textbook():
    """Of 50 supported 5 flagged, of 50 unsupported 40: .9, .8, κ .7."""
    rows = [(True, i < 5) for i in range(50)] + [(False, i < 40) for i in range(50)]
    found = labelled(*rows)
    assert found.specificity.value == 0.9
    assert found.sensitivity.value == 0.8
    assert found.kappa.value == pytest.approx(0.7)
    assert 0.5 < found.kappa.low < 0.7 < found.kappa.high < 0.85
    assert (found.sensitivity.low, found.sensitivity.high) == pytest.approx(
        wilson(0.8, 50), abs=0.02
    )


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), min_size=1))
def test_agreement_is_counted_whatever_the_verdicts(rows):
    """κ lies in [−1, 1], shares in [0, 1], and what was not judged is counted apart."""
    found = labelled(*rows)
    lost = sum(f is None for _, f in rows)
    assert found.not_judged.value == pytest.approx(lost / len(rows))
    assert found.flagged.n == len(rows) - lost
    for r in (found.kappa, found.sensitivity, found.specificity):
        assert r.value is None or -1 <= r.low <= r.value <= r.high <= 1


def test_a_judge_that_always_says_the_same_agrees_by_chance_alone():
    """κ is 0, whatever the share it happens to be right about."""
    assert labelled((True, False), (True, False), (False, False)).kappa.value == pytest.approx(0)


def test_labels_in_few_groups_are_worth_less():
    """The same labels from three documents leave wider intervals than from sixty."""
    rows = [(i % 2 == 0, (i % 2 == 1) != (i % 12 == 0)) for i in range(60)]
    labels = [Labelled("claim", "x", ("y",), s, str(i)) for i, (s, _) in enumerate(rows)]
    few = [replace(label, group=str(i // 20)) for i, label in enumerate(labels)]
    flags = [f for _, f in rows]
    wide, narrow = agreement(few, flags).kappa, agreement(labels, flags).kappa
    assert wide.value == narrow.value
    assert wide.high - wide.low != narrow.high - narrow.low


@pytest.mark.parametrize(("labels", "least"), [(2, 1.3), (20, 0.3)])
def test_kappa_is_never_known_for_certain(labels, least):
    """A judge was always right, so that no draw differs from another; the next label may tell."""
    found = labelled(*[(n % 2 == 0, n % 2 == 1) for n in range(labels)]).kappa
    assert found.value == found.high == 1
    assert least < found.high - found.low < least + 0.1


class Model:
    """A checker that says the same of every claim, or fails."""

    kind, model, digest = "nli", "double", "c" * 64

    def __init__(self, supported: float | None) -> None:
        self.supported = supported

    def check(self, pairs):
        if self.supported is None:
            return [ModelOpinion(None, None, None, "no JSON")] * len(pairs)
        return [ModelOpinion(self.supported, 0.0, 1 - self.supported)] * len(pairs)


def claim(text: str) -> Labelled:
    return Labelled("claim", text, (EVIDENCE,), supported=text == SAID, group=text)


def written(text: str) -> Labelled:
    return Labelled("answer", text, (EVIDENCE,), supported=text == SAID, group=text,
                    question="How long was the runway?")  # fmt: skip


def test_a_judge_flags_what_it_flags_in_an_answer():
    """The rules see another figure; of several claims the worst decides."""
    one = claim(OTHER)
    both, right, empty = map(written, (f"{SAID} {OTHER}", SAID, "not supported in source"))
    assert list(judge([one, both, right, empty], None)) == [True, True, False, None]


def test_a_judge_that_fails_gives_no_verdict():
    """Neither a yes nor a no: it is counted apart. A rule's own objection stands."""
    assert list(judge([claim(SAID), claim(OTHER)], Model(None))) == [None, True]
    assert list(judge([claim(SAID)], Model(0.99))) == [False]


# ---------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "no JSON object"),
        ('["claim"]', "no JSON object"),
        ('{"claim": "x", "label": "supported"}', "«evidence» is no text"),
        ('{"claim": " ", "evidence": "y", "label": "supported"}', "no «claim»"),
        ('{"answer": "x", "evidence": "y", "label": "supported"}', "no «answer» with its"),
        ('{"claim": "x", "evidence": "y", "label": "yes"}', "the label is 'yes'"),
        (
            '{"question": "q", "answer": "x", "evidence": "y", "label": "supported"}',
            "claims and answers in one file",
        ),
    ],
)
def test_a_label_that_cannot_be_used_is_told_by_file_and_line(tmp_path, line, problem):
    """The first wrong line, and both forms that are right."""
    path = tmp_path / "labels.jsonl"
    good = '{"claim": "x", "evidence": "y", "label": "supported"}'
    path.write_text(f"{good}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_labels(path)
    assert f"{path}, line 3: {problem}" in caught.value.problem
    assert '"claim"' in caught.value.remedy


def test_labels_of_one_kind_are_no_calibration(tmp_path):
    """Nor is an empty file, one that is not there, or one that is no text."""
    path = tmp_path / "labels.jsonl"
    for text in (b"", b'{"claim": "x", "evidence": "y", "label": "supported"}\n' * 3, b"\xff\xfe"):
        path.write_bytes(text)
        with pytest.raises(UsageError, match=r"not of both kinds|not UTF-8"):
            read_labels(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path / "absent.jsonl")


# ---------------------------------------------------------------------- corrected rates


def record(sensitivity: float, specificity: float, n: int = 500, unit="claim") -> JudgeRecord:
    def known(value: float) -> Rate:
        return Rate(value, *wilson(value, n), n)

    found = Agreement(unit, 2 * n, Rate(0.0, 0.0, 0.1, n), known(0.5), known(sensitivity),
                      known(specificity), known(0.5))  # fmt: skip
    return JudgeRecord("rules", None, rules_digest(), "2026-11-22", "labels.jsonl", found)


def test_a_corrected_rate_undoes_the_judges_errors():
    """8 of 32 claims flagged by a judge who finds 80 % and flags 10 % of the good: (.25 − .1) ÷
    .7 are unsupported; the interval is wider than that of what was seen."""
    run = make_run(questions=40, kinds=dict.fromkeys(range(0, 40, 5), "contradicted"))
    found = summarise(run, record(0.8, 0.9))["corrected"]
    shown, seen = found["unsupported"], summarise(run)["flagged"]
    assert shown["value"] == pytest.approx((seen["value"] - 0.1) / 0.7)
    assert shown["low"] < shown["value"] < shown["high"]
    assert shown["high"] - shown["low"] > seen["high"] - seen["low"]
    assert found["why_not"] is None
    assert found["judge"] == "rules, on labels.jsonl (2026-11-22)"


def test_a_corrected_rate_stays_a_rate():
    """Less flagged than the judge flags by mistake: none, and no negative share."""
    shown = summarise(make_run(), record(0.8, 0.9))["corrected"]["unsupported"]
    assert shown["value"] == shown["low"] == 0


@pytest.mark.parametrize(("sensitivity", "specificity", "n"), [(0.95, 0.1, 500), (0.6, 0.6, 20)])
def test_a_judge_that_can_hardly_tell_corrects_nothing(sensitivity, specificity, n):
    """As on the FinanceBench verdicts, or with twenty labels: no figure, and the reason."""
    found = summarise(make_run(), record(sensitivity, specificity, n))["corrected"]
    assert found["unsupported"] is None
    assert "hardly tells them apart" in found["why_not"]


def test_labels_of_answers_correct_the_share_of_answers():
    """Its unit is told; an answer with one flagged claim counts once."""
    run = make_run(kinds={0: "contradicted"})
    found = summarise(run, record(1.0, 1.0, 5000, "answer"))["corrected"]
    assert found["unit"] == "answer"
    assert found["unsupported"]["value"] == pytest.approx(1 / 16)


# ---------------------------------------------------------------------- the command


@pytest.fixture
def nights(tmp_path) -> tuple[Path, list[str]]:
    """A history of a good night and a bad one, after one of other questions."""
    path = tmp_path / "history.sqlite"
    bad = dict.fromkeys(range(0, 50, 5), "contradicted")
    other = make_provenance(questions_digest="0dd")
    with History(path) as history:
        ids = [
            put(history, run)
            for run in (make_run(provenance=other), make_run(questions=50),
                        make_run(questions=50, kinds=bad))
        ]  # fmt: skip
    return path, ids


def test_the_gate_exits_18_with_a_line_a_breach(nights):
    """Each breach on standard output, one error line with the first of them and a remedy."""
    path, (_, good, bad) = nights
    done = rag_here("eval", "gate", "--max-flagged", "0.05", "--min-completed", "0.1",
                    "--no-worse-than", "last", "--history", str(path))  # fmt: skip
    assert done.code == 18
    lines = done.out.splitlines()
    assert "✓ --min-completed" in lines
    assert any(x.startswith("✗ flagged 0.250 [") and "--max-flagged 0.05" in x for x in lines)
    assert any(x.startswith(f"✗ flagged is worse than in {good}") for x in lines)
    assert f"run {bad} does not pass: flagged 0.250" in one_error_line(done.err)


def test_a_damaged_record_shuts_the_gate_and_leaves_the_report_without_corrected_rates(nights):
    """Exit 18 where something rests on the judge, and not where code alone decides; the report is
    written all the same, and one line says what it lacks."""
    path, _ = nights
    broken = path.parent / FOLDER / f"{rules_digest()}.json"
    broken.parent.mkdir()
    broken.write_text("{", encoding="utf-8")
    kept = ("--history", str(path))
    for limit in (("--max-flagged", "1"), ("--no-worse-than", "last")):
        shut = rag_here("eval", "gate", *limit, *kept)
        assert shut.code == 18
        assert f"judge rules opens no gate: calibration {broken} is damaged" in shut.out
    assert rag_here("eval", "gate", "--min-formatting", "0.5", *kept).code == 0
    shown = rag_here("eval", "report", "-o", "-", "--format", "markdown", *kept)
    assert (shown.code, "flagged" in shown.out) == (0, True)
    (line,) = (x for x in shown.err.splitlines() if "damaged" in x)
    assert line.startswith(f"no rate is corrected for the judge's errors: calibration {broken}")
    assert "rag eval calibrate LABELS" in line


def test_the_gate_lets_a_good_run_pass(nights):
    """By its id, compared with the run before it; with nothing before it that is said."""
    path, (first, good, _) = nights
    done = rag_here("eval", "gate", good, "--max-flagged", "0.05", "--history", str(path))
    assert (done.code, done.err) == (0, "")
    alone = rag_here("eval", "gate", first, "--no-worse-than", "last", "--history", str(path))
    assert alone.code == 0
    assert "nothing to compare with" in alone.out


def asked_again(run: EvaluationRun, digest: str, number: int, file: str) -> EvaluationRun:
    """The same file, or another, with the wording of one question changed."""
    first = run.results[number]
    moved = replace(first, question=replace(first.question, question="Is it?"))
    results = (*run.results[:number], moved, *run.results[number + 1 :])
    known = make_provenance(questions_digest=digest, questions_file=file)
    return replace(run, provenance=known, results=results)


def test_an_edited_question_does_not_open_the_gate_to_all_others(nights):
    """The run is held against the newest one that shares questions with it, which is said."""
    path, (_, good, bad) = nights
    with History(path) as history:
        history.finish(bad, "failed")
        worse = make_run(questions=50, kinds=dict.fromkeys(range(0, 50, 5), "contradicted"))
        put(history, asked_again(worse, "ed17", 1, "/elsewhere/questions.jsonl"))
    done = rag_here("eval", "gate", "--no-worse-than", "last", "--history", str(path))
    assert done.code == 18
    assert f"flagged is worse than in {good}" in done.out
    assert f"other questions than in {good}: compared on the 49 that both asked" in done.out


def test_a_run_that_shares_no_question_with_its_file_is_held_against_nothing_and_shut(nights):
    """Only the first run of a file may pass without one to compare with."""
    path, _ = nights
    new = make_run(texts={n: f"Another question {n}?" for n in range(20)})
    strange = tuple(replace(r, question=replace(r.question, id=f"x{r.question.id}"))
                    for r in new.results)  # fmt: skip
    for file, code in (("questions.jsonl", 18), ("first.jsonl", 0)):
        known = make_provenance(questions_digest=file, questions_file=file)
        with History(path) as history:
            put(history, replace(new, provenance=known, results=strange))
        done = rag_here("eval", "gate", "--no-worse-than", "last", "--history", str(path))
        assert done.code == code
        assert "nothing to compare with" in done.out


@pytest.mark.parametrize("state", ["interrupted", "failed"])
def test_a_baseline_that_shows_nothing_is_a_usage_error(nights, state):
    """A run that was not done, or the very run that is held; exit 2 and one line."""
    path, (_, good, bad) = nights
    itself = rag_here("eval", "gate", "--no-worse-than", bad, "--history", str(path))
    assert itself.code == 2
    assert "is the run that is held against it" in one_error_line(itself.err)
    with History(path) as history:
        history.finish(good, state)
    done = rag_here("eval", "gate", "--no-worse-than", good, "--history", str(path))
    assert done.code == 2
    assert f"run {good} is {state} and not done" in one_error_line(done.err)


def test_the_gate_prints_one_json_document(nights):
    """Passed or not, what was kept, and why not."""
    path, (_, good, bad) = nights
    done = rag_here("eval", "gate", bad, "--no-worse-than", good, "--json", "--history", str(path))
    assert done.code == 18
    assert done.json["run_id"] == bad
    assert done.json["passed"] is False
    assert {b["limit"] for b in done.json["breaches"]} == {"no_worse_than"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--min-hit", "5"], "--min-hit 5 is not understood"),
        (["--min-hit", "7=0.5"], "K is of 1, 3, 5, 10"),
        (["--max-flagged", "5"], "'--max-flagged'"),
        (["nobody"], "no run is «nobody»"),
        (["--history", "absent.sqlite"], "no history at absent.sqlite"),
    ],
)
def test_a_wrong_gate_is_a_usage_error(nights, arguments, problem):
    """Exit 2 and one line; nothing is made."""
    path, _ = nights
    named = [] if "--history" in arguments else ["--history", str(path)]
    done = rag_here("eval", "gate", *arguments, *named, cwd=path.parent)
    assert done.code == 2
    assert problem in one_error_line(done.err)
    assert not (path.parent / "absent.sqlite").exists()


def test_an_uncalibrated_model_is_told_by_the_command(tmp_path):
    """The gate stays shut with exit 18, and the line says how to open it."""
    path = tmp_path / "history.sqlite"
    judged = make_provenance(
        verifier={"kind": "judge", "model": "gemma\x1b[2J", "digest": None, "judges": []}
    )
    with History(path) as history:
        put(history, make_run(provenance=judged))
    done = rag_here("eval", "gate", "--max-flagged", "0.5", "--history", str(path))
    assert done.code == 18
    line = one_error_line(done.err)
    assert "judge gemma[2J opens no gate: no labels of people show" in line
    assert "rag eval calibrate" in line


def write_labels(path: Path) -> Path:
    rows = [{"claim": SAID, "evidence": EVIDENCE, "label": "supported"}] * 12
    rows += [{"claim": OTHER, "evidence": [EVIDENCE], "label": "not_supported", "group": "b"}] * 12
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_calibrate_keeps_what_it_measured_beside_the_history(tmp_path):
    """The rules by default; reports and gates find the record from then on, with its labels."""
    history = tmp_path / "eval" / "history.sqlite"
    labels = write_labels(tmp_path / "labels.jsonl")
    done = rag_here("eval", "calibrate", str(labels), "--history", str(history), "--json")
    assert done.code == 0
    assert done.json["agreement"]["sensitivity"]["value"] == 1
    assert done.json["agreement"]["kappa"]["value"] == 1
    kept = record_for({"kind": "rules"}, history)
    assert kept.to_dict() == done.json
    assert kept.labels.startswith("labels.jsonl ")
    shown = rag_here("eval", "calibrate", str(labels), "--history", str(history))
    assert "agreement beyond chance (κ): 1.00" in shown.out


def test_calibrate_says_when_its_record_opens_no_gate(tmp_path):
    """Two labels show nothing of a judge, whichever way they went; many do, and no word is said."""
    history = tmp_path / "history.sqlite"
    labels = write_labels(tmp_path / "labels.jsonl")
    few = tmp_path / "few.jsonl"
    lines = labels.read_text(encoding="utf-8").splitlines()
    few.write_text("\n".join((lines[0], lines[-1])), encoding="utf-8")
    many = tmp_path / "many.jsonl"
    rows = [{**json.loads(line), "group": str(n)} for n, line in enumerate(lines)]
    many.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = rag_here("eval", "calibrate", str(few), "--history", str(history))
    assert said.code == 0
    assert "it opens no gate" in said.err
    assert uncalibrated({"kind": "rules"}, history) == ["rules"]
    enough = rag_here("eval", "calibrate", str(many), "--history", str(history))
    assert "it opens no gate" not in enough.err
    assert uncalibrated({"kind": "rules"}, history) == []


def test_a_judge_without_a_digest_cannot_be_calibrated():
    """Nobody could tell later whether the record is of the same weights."""
    nameless = Model(0.9)
    nameless.digest = None
    with pytest.raises(UsageError, match="tells no digest"):
        make_record(nameless, "labels.jsonl", shipped_record().agreement)


def test_wrong_labels_end_the_command_with_file_and_line(tmp_path):
    """Exit 2, one line, before any judge is asked."""
    path = tmp_path / "labels.jsonl"
    path.write_text('{"claim": 3}\n', encoding="utf-8")
    done = rag_here("eval", "calibrate", str(path), "--history", str(tmp_path / "h.sqlite"))
    assert done.code == 2
    assert f"{path}, line 1:" in one_error_line(done.err)
