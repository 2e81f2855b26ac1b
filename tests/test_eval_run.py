"""One evaluation: what is judged and how, what a fault costs, how an interrupted run goes on."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import NOBODY, SAMPLES, Outcome, clean_environment, one_error_line, rag_here
from eval_runs import make_provenance, make_run
from hypothesis import given
from hypothesis import strategies as st

from eval.case import Case
from eval.compare import compare
from eval.corrections import FOLDER, rules_digest
from eval.criteria import marks
from eval.display import run_lines
from eval.expected import agreement
from eval.history import History
from eval.judges import UNSCORED, choose_judges, judged, majority
from eval.ledger import Ledger
from eval.progress import Progress, time_left
from eval.provenance import told_settings
from eval.questions import read_questions, to_line
from eval.ranking import measures
from eval.records import EvaluationRun, Failure, Question
from eval.rubric import load_rubric
from eval.run import evaluate
from eval.standing import kin
from eval.summary import summarise
from ingest import ingest_folder
from prompts import REFUSAL
from rag import _scripted_models
from rag.checking.answers import Checking
from rag.citations import cite
from rag.errors import IndexMissing, ModelUnavailable, UsageError
from rag.records import Answer, Coverage, Passage, Timings
from rag.settings import Settings
from rag.testing import DECISION_MODEL, MODEL, Reply, ScriptedServer

ASKED = [
    Question(
        "runway", "How big was the icy runway the Skyhawk skidded off in Wausau?", answerable=True,
        answer="3078 feet long and 100 feet wide.",
        file="ntsb-20080104X00020-wausau-cessna-172.pdf", page=1,
    ),
    Question(
        "flaps", "How much flap did the student use in Venice?", answerable=True,
        answer="10 degrees.", file="ntsb-20080114X00043-venice-cessna-152.md",
    ),
    Question("lincoln", "What does Lincoln say that the world will never forget?", answerable=True),
    Question("ethanol", "At what temperature does ethanol boil?", answerable=False),
]  # fmt: skip


def settings(index: Path, **changes: object) -> Settings:
    return replace(Settings(), index=str(index), generator="extractive", **changes)


def ask_here(index: Path, folder: Path, *more: str, lines: Sequence[Question] = ASKED) -> Outcome:
    """`rag eval run` in this process, on the questions above, with a history of its own."""
    path = folder / "questions.jsonl"
    path.write_text("".join(to_line(q) + "\n" for q in lines), encoding="utf-8")
    return rag_here(
        "eval", "run", str(path), "--index", str(index), "--history", str(folder / "h.sqlite"),
        *more,
    )  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History(tmp_path / "h.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def twice(samples_index: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluationRun:
    """The questions above asked twice of the sample documents, without a model."""
    with History(tmp_path_factory.mktemp("twice") / "h.sqlite") as history:
        return evaluate(ASKED, settings(samples_index), load_rubric(), history, repeats=2)


def outcomes(run: EvaluationRun, question: str, repeat: int = 0) -> dict[str, str]:
    (reply,) = (r for r in run.replies if (r.question.id, r.repeat) == (question, repeat))
    return {m.criterion: m.outcome for m in reply.marks}


# ------------------------------------------------------------------ a whole run


def test_every_question_is_asked_as_often_as_wanted_and_judged_by_the_whole_rubric(
    twice: EvaluationRun,
) -> None:
    assert twice.state == "done"
    assert [(r.question.id, r.repeat) for r in twice.replies] == [
        (q.id, n) for q in ASKED for n in (0, 1)
    ]
    criteria = {c.key for c in load_rubric().criteria}
    assert all({m.criterion for m in r.marks} == criteria for r in twice.replies)
    assert all(m.reason and "\n" not in m.reason for r in twice.replies for m in r.marks)
    assert [r.cold for r in twice.replies] == [True] + [False] * 7


def test_quotes_of_the_source_meet_form_and_accuracy_and_repeats_agree(
    twice: EvaluationRun,
) -> None:
    found = outcomes(twice, "runway")
    names = ("no_claim_flagged", "agrees_with_answer", "answers_or_refuses_rightly",
             "evidence_found", "evidence_cited", "citations_resolve", "claims_cited",
             "quotes_exist", "same_outcome", "same_verdicts", "same_answer")  # fmt: skip
    assert {n: found[n] for n in names} == dict.fromkeys(names, "MET")


def test_what_has_nothing_to_be_judged_by_is_neither_met_nor_unmet(twice: EvaluationRun) -> None:
    lincoln, ethanol = outcomes(twice, "lincoln"), outcomes(twice, "ethanol")
    assert lincoln["agrees_with_answer"] == lincoln["evidence_found"] == "CANNOT_ASSESS"
    assert ethanol["answers_or_refuses_rightly"] == "MET"
    assert ethanol["no_claim_flagged"] == ethanol["same_answer"] == "CANNOT_ASSESS"
    assert outcomes(twice, "runway", 0)["answered_in_time"] == "CANNOT_ASSESS"  # it was cold
    assert outcomes(twice, "runway", 1)["answered_in_time"] == "MET"


def test_asked_once_there_is_no_consistency_to_judge(samples_index: Path, history: History) -> None:
    run = evaluate(ASKED[:1], settings(samples_index), load_rubric(), history)
    found = outcomes(run, "runway")
    assert {found[k] for k in ("same_outcome", "same_verdicts", "same_answer")} == {"CANNOT_ASSESS"}


def test_retrieval_is_measured_where_a_source_is_named(twice: EvaluationRun) -> None:
    by_id = {r.question.id: r.retrieval for r in twice.replies}
    assert by_id["runway"]["hit@10"] == 1.0
    assert "page_mrr" in by_id["runway"]
    assert not any(name.startswith("page") for name in by_id["flaps"])
    assert by_id["lincoln"] == by_id["ethanol"] == {}


def test_passages_are_kept_short_and_quotes_whole(twice: EvaluationRun) -> None:
    for reply in twice.replies:
        assert all(len(p["text"]) <= 241 for p in reply.answer["passages"])
        for sentence in reply.answer["sentences"]:
            assert sentence["votes"] == {"pipeline": sentence["verdict"]}
            assert all(not e["quote"].endswith("…") for e in sentence["evidence"])


def test_the_same_evaluation_again_gives_the_same_but_for_the_clock(
    samples_index: Path, history: History, twice: EvaluationRun
) -> None:
    again = evaluate(ASKED[:2], settings(samples_index), load_rubric(), history)
    first = [r for r in twice.replies if r.repeat == 0][:2]
    for one, other in zip(first, again.replies, strict=True):
        assert one.answer["sentences"] == other.answer["sentences"]
        assert one.retrieval == other.retrieval
    digest = again.provenance.questions_digest
    assert again.provenance == replace(twice.provenance, questions_digest=digest)
    assert again.run_id != twice.run_id


# ------------------------------------------------------------------ the command


def test_the_json_has_what_the_interface_promises(samples_index: Path, tmp_path: Path) -> None:
    done = ask_here(samples_index, tmp_path, "--json", "--generator", "extractive")
    assert done.code == 0
    found = done.json
    rates = ["groundedness", "no_mismatch", "flagged", "unverified"]
    for name in (*rates, "factual_accuracy", "task_completion", "formatting", "consistency"):
        assert {"value", "low", "high"} <= set(found[name])
    assert sum(found[name]["value"] for name in rates) == pytest.approx(1)
    assert found["questions"] == 4
    assert found["compared_with"] is None
    assert {"p50", "p95"} <= set(found["speed"]["total"])
    assert set(found["abstention"]) == {"false_answers", "false_refusals"}
    assert {"run_id", "claims", "retrieval", "unscored"} <= set(found)


def test_a_second_run_is_compared_with_the_first_unless_told_otherwise(
    samples_index: Path, tmp_path: Path
) -> None:
    first = ask_here(samples_index, tmp_path, "--generator", "extractive")
    assert "No earlier run" in first.out
    (name,) = re.findall(r"rag eval report (\S+)", first.out)
    second = ask_here(samples_index, tmp_path, "--generator", "extractive", "-k", "1")
    assert f"Compared with run {name} on 4 of 4 questions: " in second.out
    assert "settings ask_k: 5 → 1" in second.out
    alone = ask_here(samples_index, tmp_path, "--generator", "extractive", "--baseline", "none")
    assert "No earlier run" in alone.out
    named = ask_here(
        samples_index, tmp_path, "--generator", "extractive", "--baseline", name, "--json"
    )
    assert named.json["compared_with"]["run_id"] == name


def test_what_became_worse_says_of_how_many_questions() -> None:
    """Forty of the fifty can be answered, so that one can tell of so many whether it was flagged;
    of one more the question itself was edited."""
    before = make_run(questions=50)
    bad = make_run(
        questions=50, kinds=dict.fromkeys(range(0, 50, 5), "contradicted"), texts={1: "Is it?"}
    )
    lines = run_lines(bad, summarise(bad), compare(before, bad), "rag eval report")
    (told,) = (line for line in lines if line.startswith("Compared with run "))
    assert " on 49 of 50 questions: " in told
    (worse,) = (line for line in lines if line.startswith("  worse: flagged "))
    assert worse.endswith(", of 39")


def test_two_runs_without_a_question_in_common_are_said_to_share_none() -> None:
    other = make_run(texts={n: f"Another question {n}?" for n in range(20)})
    shown = run_lines(other, summarise(other), compare(make_run(), other), "rag eval report")
    assert any(" on 0 of 20 questions: " in line for line in shown)
    assert not any("more than chance" in line for line in shown)


def test_a_run_that_shows_nothing_is_no_baseline_and_that_is_said_before_anything_is_asked(
    samples_index: Path, tmp_path: Path, twice: EvaluationRun
) -> None:
    more = ("--generator", "extractive", "--baseline")
    with History(tmp_path / "h.sqlite") as history:
        name = history.begin(twice.provenance, repeats=1, questions=4)
        for state in ("interrupted", "failed"):
            history.finish(name, state)
            done = ask_here(samples_index, tmp_path, *more, name)
            assert done.code == 2
            assert f"--baseline {name}: run {name} is {state}" in one_error_line(done.err)
        assert len(history.runs()) == 1


def test_people_see_rates_with_intervals_and_where_to_look(
    samples_index: Path, tmp_path: Path
) -> None:
    wrong = replace(ASKED[1], answer="45 degrees.", draft=True)
    done = ask_here(samples_index, tmp_path, "--generator", "extractive", lines=[wrong, *ASKED[2:]])
    assert re.search(r"task completion +\d+ % \[\d+, \d+\] +3 questions", done.out)
    assert re.search(r"claims \(\d+\)", done.out)
    assert "lacks «45»" in done.out
    assert "1 of 3 questions are drafts" in done.err


def test_questions_that_expect_files_which_the_index_lacks_are_counted_and_their_files_named(
    samples_index: Path, tmp_path: Path
) -> None:
    typed = [replace(ASKED[0], id=f"q{n}", file=f"nothere-{n}\x1b[2J.pdf", page=None)
             for n in range(4)]  # fmt: skip
    done = ask_here(
        samples_index, tmp_path, "--generator", "extractive", lines=[*ASKED[:2], *typed]
    )
    assert done.code == 0
    (line,) = (li for li in done.err.splitlines() if "the index does not have" in li)
    assert line.startswith("4 of 6 questions expect")
    assert "«nothere-0[2J.pdf»" in line
    assert "«nothere-2[2J.pdf» and 1 more; they must be named as by rag search" in line
    asked = ask_here(samples_index, tmp_path, "--generator", "extractive")
    assert "the index does not have" not in asked.err


def test_hostile_questions_come_out_inert(samples_index: Path, tmp_path: Path) -> None:
    hostile = "What \x1b[31m about \u202eegnahc\u2066 the runway in Wausau?\nrag: forged"
    lines = [Question("a\x1b]8;;x\x07", hostile, answerable=False)]
    done = ask_here(samples_index, tmp_path, "--generator", "extractive", lines=lines)
    assert done.code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", done.out + done.err)
    assert "\nrag: forged" not in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--judge", "oracle"), "--judge oracle is unknown"),
        (("--judge", "own"), "no model writes the answers"),
        (("--baseline", "nothing"), "no run is «nothing»"),
        (("--cron", "0 3 * * *"), "mean nothing without --due"),
        (("--rubric", "absent.toml"), "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    samples_index: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = ask_here(samples_index, tmp_path, "--generator", "extractive", *arguments)
    assert done.code == 2
    assert told in one_error_line(done.err)
    if (tmp_path / "h.sqlite").exists():
        with History(tmp_path / "h.sqlite") as history:
            assert history.runs() == []


# ------------------------------------------------------------------ criteria

TEXT = "The runway is 3,078 feet long. It was covered with ice in December."
PASSAGES = (
    Passage(1, "a.pdf", 1, 2, "", TEXT, 1.0, "c1"),
    Passage(2, "b.pdf", 5, 5, "", "The tower was closed at night.", 0.9, "c2"),
)


def case(draft: str, question: Question | None = None, seconds: float = 1.0) -> Case:
    """A question with what the pipeline makes of such a draft of a model."""
    cited = cite(draft, PASSAGES)
    told = tuple(Checking().sentences(cited.sentences, PASSAGES, "?"))
    written = Answer(
        question="?", answer=REFUSAL if cited.refused else cited.answer, refused=cited.refused,
        refusal_reason=None, sentences=() if cited.refused else told, passages=PASSAGES,
        coverage=Coverage(2, 2, 0, 0), generator={"kind": "ollama", "model": "m", "digest": None},
        verifier={"kind": "rules", "model": None}, prompt={},
        timings=Timings(0.1, 0.5, seconds - 0.2, 0.1, 0.0, seconds), notices=cited.notices,
    )  # fmt: skip
    found = judged(written, ())
    asked = question or Question("q", "How long is the runway?", answerable=True)
    return Case(asked, written, replace(written, sentences=found.sentences), found.votes)


def outcome(criterion: str, *cases: Case) -> str:
    (mark,) = (m for m in marks(cases, load_rubric())[0] if m.criterion == criterion)
    return mark.outcome


GOOD = "The runway is 3,078 feet long [1]."
ANSWERED = Question("q", "How long is the runway?", answerable=True, answer="3,078 feet")


@pytest.mark.parametrize(
    ("criterion", "draft", "expected"),
    [
        ("no_claim_flagged", GOOD, "MET"),
        ("no_claim_flagged", "The runway is 5,000 feet long [1].", "UNMET"),
        ("no_claim_flagged", REFUSAL, "CANNOT_ASSESS"),
        ("claims_accepted", GOOD, "MET"),
        ("claims_accepted", f"{GOOD} The moon is made of green cheese and 77 mice [2].", "UNMET"),
        ("agrees_with_answer", GOOD, "MET"),
        ("agrees_with_answer", "The tower was closed at night [2].", "UNMET"),
        ("answers_or_refuses_rightly", GOOD, "MET"),
        ("answers_or_refuses_rightly", REFUSAL, "UNMET"),
        ("answers_in_full", GOOD, "MET"),
        ("answers_in_full", f"{GOOD}\n{REFUSAL}: its width", "UNMET"),
        ("citations_resolve", GOOD, "MET"),
        ("citations_resolve", "The runway is 3,078 feet long [7].", "UNMET"),
        ("citations_resolve", REFUSAL, "CANNOT_ASSESS"),
        ("claims_cited", GOOD, "MET"),
        ("claims_cited", "The runway is 3,078 feet long.", "UNMET"),
        ("quotes_exist", GOOD, "MET"),
        ("quotes_exist", 'The report says "the runway was made of solid gold" [1].', "UNMET"),
        ("refusal_phrase_exact", REFUSAL, "MET"),
        ("refusal_phrase_exact", GOOD, "CANNOT_ASSESS"),
        ("refusal_phrase_exact", f"{GOOD}\n{REFUSAL}: its width", "MET"),
        ("refusal_phrase_exact", "The passages do not say how wide it is.", "UNMET"),
        ("refusal_phrase_exact", "I cannot find that in the documents.", "UNMET"),
    ],
)
def test_each_criterion_tells_good_from_bad_and_from_neither(
    criterion: str, draft: str, expected: str
) -> None:
    assert outcome(criterion, case(draft, ANSWERED)) == expected


@pytest.mark.parametrize(
    ("source", "found", "cited"),
    [
        ({"file": "a.pdf"}, "MET", "MET"),
        ({"file": "b.pdf"}, "MET", "UNMET"),
        ({"file": "c.pdf"}, "UNMET", "UNMET"),
        ({"file": "a.pdf", "page": 2}, "MET", "MET"),
        ({"file": "a.pdf", "page": 3}, "UNMET", "UNMET"),
        ({"file": "a.pdf", "page": 9, "quote": "covered with ice"}, "MET", "MET"),
        ({"file": "b.pdf", "quote": "covered with ice"}, "UNMET", "UNMET"),
        ({"quote": "the tower was repainted in June by five men"}, "UNMET", "UNMET"),
        ({}, "CANNOT_ASSESS", "CANNOT_ASSESS"),
    ],
)
def test_evidence_is_looked_for_by_the_most_exact_of_quote_page_and_file(
    source: dict[str, object], found: str, cited: str
) -> None:
    asked = Question("q", "How long?", answerable=True, **source)
    assert outcome("evidence_found", case(GOOD, asked)) == found
    assert outcome("evidence_cited", case(GOOD, asked)) == cited


def test_an_unanswerable_question_must_be_refused() -> None:
    asked = Question("q", "How wide is it?", answerable=False)
    assert outcome("answers_or_refuses_rightly", case(REFUSAL, asked)) == "MET"
    assert outcome("answers_or_refuses_rightly", case(GOOD, asked)) == "UNMET"
    unknown = replace(asked, answerable=None)
    assert outcome("answers_or_refuses_rightly", case(GOOD, unknown)) == "CANNOT_ASSESS"


def test_a_slow_answer_misses_the_limit_of_the_rubric_and_a_cold_one_is_left_out() -> None:
    assert outcome("answered_in_time", case(GOOD, seconds=59)) == "MET"
    assert outcome("answered_in_time", case(GOOD, seconds=61)) == "UNMET"
    cold = replace(case(GOOD, seconds=61), cold=True)
    assert outcome("answered_in_time", cold) == "CANNOT_ASSESS"


@pytest.mark.parametrize(
    ("second", "outcome_", "verdicts", "answer"),
    [
        (GOOD, "MET", "MET", "MET"),
        (REFUSAL, "UNMET", "UNMET", "CANNOT_ASSESS"),
        ("The runway is 5,000 feet long [1].", "MET", "UNMET", "UNMET"),
        ("It was covered with ice in December [1].", "MET", "MET", "UNMET"),
    ],
)
def test_repeats_are_held_against_each_other(
    second: str, outcome_: str, verdicts: str, answer: str
) -> None:
    both = case(GOOD), case(second)
    assert outcome("same_outcome", *both) == outcome_
    assert outcome("same_verdicts", *both) == verdicts
    assert outcome("same_answer", *both) == answer


@pytest.mark.parametrize(
    ("expected", "reply", "agrees"),
    [
        ("55 minutes.", "He had flown it for approximately 55 minutes before.", True),
        ("55 minutes.", "He had flown it for 15 minutes before.", False),
        ("On June 17, 2019.", "Publish Date: 06/17/2019", True),
        ("Jason T Aguilera.", "Investigator In Charge (IIC): Jason T Aguilera", True),
        ("Jason T Aguilera.", "Investigator In Charge (IIC): Maria Lopez", False),
        ("No, the pilot was not injured.", "The pilot was not injured.", True),
        ("No, the pilot was not injured.", "The pilot was injured.", False),
        (
            "No, they hold no entries.",
            "Entries were not noted in the logbooks; they hold none.",
            True,
        ),
        ("Wood.", "The wooden propeller came apart.", True),
        ("Wood.", "The pilot was not injured.", False),
    ],
)
def test_agreement_with_the_expected_answer_is_a_matter_of_facts_and_not_of_wording(
    expected: str, reply: str, agrees: bool
) -> None:
    found, why = agreement(expected, reply, "What does the report say?")
    assert (found == "MET") is agrees, why


@pytest.mark.parametrize(
    ("expected", "reply", "outcome_"),
    [
        ("No.", "No, it was not.", "MET"),
        ("No", "Yes, it was.", "UNMET"),
        ("Yes", "It was closed at night.", "CANNOT_ASSESS"),
        ("«»", "It was closed at night.", "CANNOT_ASSESS"),
    ],
)
def test_an_expected_answer_without_a_fact_is_held_against_a_yes_or_no_alone(
    expected: str, reply: str, outcome_: str
) -> None:
    assert agreement(expected, reply, "Was it open?")[0] == outcome_


def test_an_expected_fact_behind_a_not_is_denied_and_one_among_several_is_no_answer() -> None:
    for expected, reply, told in (
        ("Houston", "Not Houston but Dallas.", "UNMET"),
        ("Houston", "It was Dallas, not in Houston.", "UNMET"),
        ("Houston", "Not Dallas but Houston.", "MET"),
        ("10 degrees", "The student used 30 degrees, not 10 degrees.", "UNMET"),
        ("10 degrees", "The student used 10 degrees, not 30 degrees.", "MET"),
        ("It was not 10 degrees.", "It was not 10 degrees.", "MET"),
        ("30", "It was not. 30 were there.", "MET"),
        ("30", "runway 30 or 12 or 18 or 25 or 7", "CANNOT_ASSESS"),
        ("30", "runway 12, 18, or 30", "CANNOT_ASSESS"),
        ("30 or 12", "runway 12 or 30", "MET"),
        ("30", "runway 30, 12 of its lamps or so", "MET"),
        ("Houston", "In Austin, Houston or Dallas.", "CANNOT_ASSESS"),
    ):
        assert (agreement(expected, reply, "q?")[0], expected, reply) == (told, expected, reply)


# ------------------------------------------------------------------ ranking


@given(st.lists(st.sampled_from("abcdefgh"), max_size=14))
def test_ranking_measures_follow_their_definitions(files: list[str]) -> None:
    """Several passages of one file count once, at the first; `ir_measures` 0.4.3 gave the same for
    300 rankings without repeats."""
    passages = [Passage(n, f, None, None, "", "", 1.0, str(n)) for n, f in enumerate(files, 1)]
    found = measures(Question("q", "?", file="a"), passages)
    ranks = [n for n, f in enumerate(files[:10], 1) if f == "a"]
    first = min(ranks, default=math.inf)
    assert found["mrr"] == (1 / first if ranks else 0.0)
    assert found["ndcg@10"] == (1 / math.log2(1 + first) if ranks else 0.0)
    assert {k: found[f"hit@{k}"] for k in (1, 3, 5, 10)} == {
        k: float(first <= k) for k in (1, 3, 5, 10)
    }


def test_the_page_counts_by_itself_where_one_is_named() -> None:
    passages = [
        Passage(1, "a", 1, 1, "", "", 1.0, "1"), Passage(2, "b", 4, 4, "", "", 1.0, "2"),
        Passage(3, "a", 3, 5, "", "", 1.0, "3"),
    ]  # fmt: skip
    found = measures(Question("q", "?", file="a", page=4), passages)
    assert (found["mrr"], found["page_mrr"]) == (1.0, pytest.approx(1 / 3))
    assert (found["page_hit@1"], found["page_hit@3"]) == (0.0, 1.0)
    assert found["page_ndcg@10"] == pytest.approx(0.5)


# ------------------------------------------------------------------ judges

VERDICTS = ("supported", "no_mismatch", "unverified", "not_supported", "contradicted")


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        (["supported"], "supported"),
        (["supported", "supported", "contradicted"], "supported"),
        (["supported", "no_mismatch"], "no_mismatch"),
        (["supported", "unverified"], "unverified"),
        (["supported", "supported", "contradicted", "not_supported"], "contradicted"),
        (["not_supported", "not_supported", "contradicted", "supported"], "not_supported"),
        (["supported", "no_mismatch", "unverified"], "unverified"),
    ],
)
def test_the_most_votes_decide_and_in_doubt_the_more_careful_verdict(
    votes: list[str], verdict: str
) -> None:
    assert {majority(order) for order in itertools.permutations(votes)} == {verdict}


@given(st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=7))
def test_a_verdict_that_most_give_is_the_verdict(votes: list[str]) -> None:
    assert majority(votes) in votes
    for verdict in set(votes):
        if 2 * votes.count(verdict) > len(votes):
            assert majority(votes) == verdict


YES = {"supported": 0.97, "contradicted": 0.01, "not_in_source": 0.02}
NO = {"supported": 0.02, "contradicted": 0.95, "not_in_source": 0.03}


def test_a_judge_that_fails_on_a_claim_is_counted_and_has_no_vote(samples_index: Path) -> None:
    with ScriptedServer(models=(DECISION_MODEL,)) as server:
        server.enqueue_decisions({"claim1": YES}, {"claim1": {}}, {"claim1": {}})
        chosen = choose_judges(
            ("rules", "decision"), settings(samples_index, ollama_url=server.url), {"kind": "x"}
        )
        found = judged(case(f"{GOOD} The tower was closed at night [2].").written, chosen)
    assert [v["rules"] for v in found.votes] == ["supported", "supported"]
    assert found.votes[1]["decision"] == UNSCORED
    assert found.sentences[1].verdict == "supported"
    assert found.sentences[1].reasons[0].startswith("rules: ")


def test_a_claim_that_no_judge_could_score_is_unverified_and_says_why(samples_index: Path) -> None:
    with ScriptedServer(models=(DECISION_MODEL,)) as server:
        server.enqueue_decisions({"claim1": YES}, {"claim1": {}})
        chosen = choose_judges(
            ("decision",), settings(samples_index, ollama_url=server.url), {"kind": "x"}
        )
        written = case("The runway is 3,078 feet or so in length [1].").written
        found = judged(written, chosen)
    assert found.votes == ({"decision": UNSCORED},)
    assert found.sentences[0].verdict == "unverified"
    unscored = Case(ANSWERED, written, replace(written, sentences=found.sentences), found.votes)
    assert outcome("no_claim_flagged", unscored) == "CANNOT_ASSESS"


def test_several_judges_stand_in_the_provenance_and_their_votes_in_the_history(
    samples_index: Path, history: History
) -> None:
    with ScriptedServer(models=(DECISION_MODEL,)) as server:
        server.enqueue_decisions({"claim1": YES}, *[{"claim1": NO}] * 8)
        run = evaluate(
            ASKED[:1], settings(samples_index, ollama_url=server.url, verifier="rules"),
            load_rubric(), history, judges=("rules", "decision"),
        )  # fmt: skip
    told = [(j["name"], j["kind"], j["calibrated"]) for j in run.provenance.verifier["judges"]]
    assert told == [("rules", "rules", True), ("decision", "decision", False)]
    sentences = run.replies[0].answer["sentences"]
    assert sentences
    assert all(set(s["votes"]) == {"rules", "decision"} for s in sentences)
    assert run.replies[0].answer["summary"]["supported"] == 0


def written_by(server: ScriptedServer, index: Path) -> Settings:
    """A model of that server writes, rules check."""
    return replace(
        Settings(), index=str(index), generator="ollama", ollama_url=server.url, verifier="rules"
    )


def test_the_model_that_wrote_the_answer_judges_only_when_it_is_named_so(
    samples_index: Path, history: History
) -> None:
    with ScriptedServer() as server:
        asking = written_by(server, samples_index)
        with pytest.raises(UsageError, match="the very model that wrote"):
            evaluate(ASKED[:1], asking, load_rubric(), history, judges=("judge",))
        assert history.runs() == []
        verdict = json.dumps({"verdict": "not_in_source", "quote": ""})
        server.enqueue("The runway was 3078 feet long [1].", verdict)
        run = evaluate(ASKED[:1], asking, load_rubric(), history, judges=("own",))
    (judge,) = run.provenance.verifier["judges"]
    assert (judge["name"], judge["model"], judge["calibrated"]) == ("own", MODEL, False)
    assert run.replies[0].answer["sentences"][0]["votes"] == {"own": "not_supported"}


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted server tells each model's own digest, and its name's beginning as its family."""
    entry = _scripted_models._ollama_entry

    def of_its_own(name: str) -> dict[str, Any]:
        told = entry(name)
        family = {**told["details"], "family": name.partition(":")[0]}
        return {**told, "digest": hashlib.sha256(name.encode()).hexdigest(), "details": family}

    monkeypatch.setattr(_scripted_models, "_ollama_entry", of_its_own)


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("how", ["verifier", "panel"])
def test_a_judge_of_the_writers_family_is_told_in_one_line_when_it_judges_and_when_it_gates(
    samples_index: Path, tmp_path: Path, how: str
) -> None:
    """One of another family is not, nor is one whose server tells none."""
    verdict = json.dumps({"verdict": "not_in_source", "quote": ""})
    judge = ("--verifier", "judge") if how == "verifier" else ("--judge", "judge")
    kept = ("--history", str(tmp_path / "h.sqlite"))
    for model, told in (("qwen3:8b", True), ("gemma3:4b", False)):
        with ScriptedServer(models=(MODEL, model)) as server:
            server.enqueue(WRITTEN, verdict)
            done = ask_here(
                samples_index, tmp_path, "--ollama-url", server.url, *judge,
                "--verifier-model", model, lines=ASKED[:1],
            )  # fmt: skip
        assert done.code == 0, done.err
        line = (
            f"judge {model} is of the same family (qwen3) as {MODEL}, which writes: it may favour"
        )
        assert (line in done.err) is told
        held = rag_here("eval", "gate", "--max-flagged", "1", *kept)
        assert (f"· {line}" in held.out) is told
        assert line not in rag_here("eval", "gate", "--min-completed", "0", *kept).out
    with History(tmp_path / "h.sqlite") as history:
        writer, verifier = (
            getattr(history.runs()[0].provenance, n) for n in ("generator", "verifier")
        )
    assert writer["family"] == "qwen3"
    assert (verifier["judges"][0] if how == "panel" else verifier)["family"] == "gemma3"


def test_the_writer_as_its_own_judge_is_told_where_no_server_tells_a_family() -> None:
    own = {"name": "own", "kind": "judge", "model": "m"}
    writer = {"kind": "openai", "model": "m", "digest": None, "family": None}
    assert kin(writer, {"kind": "rules", "judges": [own]}) == [
        "judge m is the very model that writes: it may favour its own answers"
    ]
    assert kin(writer, {"kind": "judge", "model": "n", "judges": []}) == []


def test_a_family_that_is_told_since_an_update_makes_no_other_judge() -> None:
    judge = {"kind": "judge", "model": "gemma3:4b", "digest": "aa", "judges": [{"name": "nli"}]}
    told = {**judge, "family": "gemma3", "judges": [{"name": "nli", "family": "bert"}]}
    before, after = (make_run(provenance=make_provenance(verifier=v)) for v in (judge, told))
    assert {d.test for d in compare(before, after).differences if d.metric == "flagged"} != {
        "another judge"
    }
    other = make_run(provenance=make_provenance(verifier={**judge, "model": "gemma3:12b"}))
    assert {d.test for d in compare(before, other).differences if d.metric == "flagged"} == {
        "another judge"
    }


# ------------------------------------------------------------------ faults

WRITTEN = "The runway was 3078 feet long [1]."


def test_a_broken_reply_costs_one_question_and_is_counted_apart(
    samples_index: Path, history: History
) -> None:
    with ScriptedServer() as server:
        server.enqueue(WRITTEN, Reply("The stu", ending="cut"), WRITTEN, WRITTEN)
        run = evaluate(ASKED[:3], written_by(server, samples_index), load_rubric(), history)
    assert run.state == "done"
    assert [r.question.id for r in run.replies] == ["runway", "lincoln"]
    (failure,) = run.failures
    assert (failure.question.id, failure.kind) == ("flaps", "ReplyInvalid")


def test_a_run_without_one_answer_has_failed(samples_index: Path, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.enqueue(*[Reply("The stu", ending="cut")] * 2)
        done = ask_here(
            samples_index, tmp_path, "--generator", "ollama", "--ollama-url", server.url,
            lines=ASKED[:2],
        )  # fmt: skip
    assert done.code == 15
    assert "not one of 2 questions was answered" in done.err
    with History(tmp_path / "h.sqlite") as history:
        assert history.find("last").state == "failed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param(("--index", "absent"), 10, id="no index"),
        pytest.param(("--generator", "ollama", "--ollama-url", NOBODY), 14, id="no model server"),
        pytest.param(
            ("--qdrant-url", NOBODY, "--generator", "extractive"), 13, id="no vector store"
        ),
    ],
)
def test_what_every_question_would_meet_ends_the_run_at_once_and_is_written_down(
    samples_index: Path, tmp_path: Path, changes: tuple[str, ...], code: int
) -> None:
    done = ask_here(samples_index, tmp_path, *changes)
    assert done.code == code
    line = one_error_line(done.err)
    with History(tmp_path / "h.sqlite") as history:
        (run,) = history.runs()
        assert run.state == "failed"
        problem, _, _ = history.reason(run.run_id).partition("; ")
        assert problem
        assert problem in line  # behind it the remedy, here with the options of this call


def test_a_server_that_goes_away_interrupts_the_run_and_resume_asks_only_the_rest(
    samples_index: Path, history: History
) -> None:
    questions = [replace(ASKED[0], id=f"q{n}") for n in range(6)]
    with ScriptedServer() as server:
        asking = written_by(server, samples_index)
        server.enqueue(WRITTEN, WRITTEN, *[Reply(status=503, error="queue full")] * 3)
        with pytest.raises(ModelUnavailable):
            evaluate(questions, asking, load_rubric(), history)
        broken = history.load("last")
        assert broken.state == "interrupted"
        assert [r.question.id for r in broken.replies] == ["q0", "q1"]
        server.enqueue(*[WRITTEN] * 4)
        run = evaluate(questions, asking, load_rubric(), history, resume="last")
        assert len(server.chats()) == 2 + 3 + 4
    assert run.run_id == broken.run_id
    assert run.state == "done"
    assert sorted(r.question.id for r in run.replies) == [q.id for q in questions]
    assert run.failures == []


def test_where_a_model_was_named_its_absence_is_exit_14_and_not_a_run_of_quotes(
    samples_index: Path, tmp_path: Path
) -> None:
    for more in (("--model", "qwen3:8b"), ("--model", Settings().model)):
        done = ask_here(samples_index, tmp_path, *more, "--ollama-url", NOBODY, lines=ASKED[:1])
        assert done.code == 14
        assert "--generator extractive" in one_error_line(done.err)
    with History(tmp_path / "h.sqlite") as history:
        assert [r.state for r in history.runs()] == ["failed", "failed"]


@pytest.mark.parametrize("named", ["rag.toml", "--config", "RAG_CONFIG", "RAG_MODEL"])
def test_a_default_model_that_settings_name_is_meant_and_its_absence_is_exit_14(
    samples_index: Path, tmp_path: Path, named: str
) -> None:
    """It is the model that nobody has to name; a file that names none means none."""
    questions = tmp_path / "q.jsonl"
    questions.write_text(to_line(ASKED[0]) + "\n", encoding="utf-8")
    file = tmp_path / ("rag.toml" if named == "rag.toml" else "other.toml")
    env = {"RAG_CONFIG": str(file)} if named == "RAG_CONFIG" else {}
    more = ("--config", str(file)) if named == "--config" else ()
    lines = f'ollama_url = "{NOBODY}"\nindex = "{samples_index}"\n'

    def asked(*command: str) -> Outcome:
        return rag_here("eval", *command, str(questions), *more, cwd=tmp_path, env=env)

    file.write_text(lines, encoding="utf-8")
    if named != "RAG_MODEL":
        quoted = asked("run", "--history", "h.sqlite")
        assert (quoted.code, "so the sources are quoted" in quoted.err) == (0, True)
        file.write_text(f'{lines}model = "{Settings().model}"\n', encoding="utf-8")
    else:
        (tmp_path / "rag.toml").write_text(lines, encoding="utf-8")
        env["RAG_MODEL"] = Settings().model
    for command in (("run", "--history", "h.sqlite"), ("compare", "-k", "1", "-k", "2")):
        done = asked(*command)
        assert done.code == 14, done.err
        assert "--generator extractive" in one_error_line(done.err)


def test_where_a_model_wrote_the_last_run_its_absence_is_exit_14_until_quotes_are_asked_for(
    samples_index: Path, tmp_path: Path
) -> None:
    gone = ("--ollama-url", NOBODY)
    first = ask_here(samples_index, tmp_path, *gone, lines=ASKED[:1])
    assert (first.code, "so the sources are quoted" in first.err) == (0, True)
    with ScriptedServer() as server:
        server.enqueue(WRITTEN)
        done = ask_here(samples_index, tmp_path, "--ollama-url", server.url, lines=ASKED[:1])
        assert done.code == 0, done.err
    edited = [replace(ASKED[0], answer="3078 feet.")]
    for lines in (ASKED[:1], edited):
        assert ask_here(samples_index, tmp_path, *gone, lines=lines).code == 14
    asked = ask_here(samples_index, tmp_path, "--generator", "extractive", lines=ASKED[:1])
    assert asked.code == 0
    assert ask_here(samples_index, tmp_path, *gone, lines=ASKED[:1]).code == 0


def test_a_second_evaluation_of_one_history_is_refused_naming_the_one_that_runs(
    samples_index: Path, tmp_path: Path, twice: EvaluationRun
) -> None:
    kept = tmp_path / "h.sqlite"
    with Ledger(kept) as ledger, History(kept) as history, closing(ledger.try_run()):
        begun = history.begin(twice.provenance, repeats=1, questions=1)
        for more in ((), ("--resume",)):
            done = ask_here(samples_index, tmp_path, "--generator", "extractive", *more)
            assert done.code == 11
            assert f"in use by run {begun}" in one_error_line(done.err)
        trial = rag_here(
            "eval", "compare", str(tmp_path / "questions.jsonl"), "-k", "1", "-k", "2",
            "--index", str(samples_index), "--history", str(kept), "--generator", "extractive",
        )  # fmt: skip
        assert (trial.code, f"in use by run {begun}" in one_error_line(trial.err)) == (11, True)
        assert [r.run_id for r in history.runs()] == [begun]
    with History(kept) as history:
        history.finish(begun, "done")
    assert ask_here(samples_index, tmp_path, "--generator", "extractive", lines=ASKED[:1]).code == 0


def test_a_damaged_calibration_record_costs_the_corrected_rates_and_not_the_run(
    samples_index: Path, tmp_path: Path
) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / f"{rules_digest()}.json").write_text('{"record": 1')
    more = ("--generator", "extractive", "--verifier", "rules")
    done = ask_here(samples_index, tmp_path, *more, lines=ASKED[:1])
    assert done.code == 0, done.err
    assert "task completion" in done.out
    assert "no rate is corrected for the judge's errors: calibration " in done.err


def test_a_command_that_is_told_to_be_typed_has_the_options_that_were_given(
    samples_index: Path, tmp_path: Path
) -> None:
    given = ("--index", str(samples_index), "--history", str(tmp_path / "my h.sqlite"))
    address = "http://me:sentinel@127.0.0.1:9"
    drafted = rag_here(
        "--index", str(samples_index), "eval", "init", "-n", "2", "--ollama-url", address,
        "-o", "my q.jsonl", cwd=tmp_path,
    )  # fmt: skip
    assert "sentinel" not in drafted.err
    (then,) = re.findall("Then: rag (.*)", drafted.err)
    assert sorted(shlex.split(then)) == sorted([
        "eval", "run", "my q.jsonl", "--ollama-url", address.replace("sentinel", "•••"),
        "--index", str(samples_index),
    ])  # fmt: skip
    done = rag_here("eval", "run", "my q.jsonl", "--generator", "extractive", *given, cwd=tmp_path)
    (report,) = re.findall("All of it: rag (.*)", done.out)
    assert rag_here(*shlex.split(report), cwd=tmp_path).code == 0


def test_a_run_of_other_questions_or_settings_is_not_gone_on_with(
    samples_index: Path, history: History
) -> None:
    asking, rubric = settings(samples_index), load_rubric()
    first = evaluate(ASKED[:1], asking, rubric, history)
    history.finish(first.run_id, "interrupted")
    other = evaluate(ASKED[:2], asking, rubric, history, resume="last")
    assert other.run_id != first.run_id
    with pytest.raises(UsageError, match=r"cannot be resumed: different settings"):
        evaluate(ASKED[:1], replace(asking, ask_k=2), rubric, history, resume=first.run_id)
    with pytest.raises(UsageError, match="cannot be resumed: it asks each question 1 times"):
        evaluate(ASKED[:1], asking, rubric, history, resume=first.run_id, repeats=2)
    with pytest.raises(UsageError, match="cannot be resumed: it is done"):
        evaluate(ASKED[:2], asking, rubric, history, resume=other.run_id)


def test_auto_is_settled_once_and_does_not_become_quotes_in_the_middle(
    samples_index: Path, history: History
) -> None:
    class GoesAway:
        def start(self, total: int, done: int) -> None:
            pass

        def result(self, results: Sequence[object]) -> None:  # noqa: ARG002 - the protocol's
            server.fail("refused")

    with ScriptedServer() as server:
        server.enqueue(WRITTEN)
        asking = replace(written_by(server, samples_index), generator="auto")
        many = [replace(ASKED[0], id=f"q{n}") for n in range(5)]
        with pytest.raises(ModelUnavailable):
            evaluate(many, asking, load_rubric(), history, watch=GoesAway())
    broken = history.load("last")
    assert broken.provenance.generator["kind"] == "ollama"
    assert {r.kind for r in broken.results if isinstance(r, Failure)} == {"ModelUnavailable"}


# ------------------------------------------------------------------ secrets

SECRETS = {
    "RAG_OPENAI_API_KEY": "sentinel-openai-key",
    "RAG_QDRANT_API_KEY": "sentinel-qdrant-key",
}


def test_no_secret_reaches_history_terminal_or_json(samples_index: Path, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.enqueue(WRITTEN, Reply(status=500, error="bad key sentinel-openai-key"), WRITTEN)
        address = server.url.replace("http://", "http://user:sentinel-password@")
        path = tmp_path / "q.jsonl"
        path.write_text("".join(f'{{"id": "{n}", "question": "Runway?"}}\n' for n in range(3)))
        arguments = (
            "eval", "run", str(path), "--generator", "openai", "--openai-url", address,
            "--index", str(samples_index), "--history", str(tmp_path / "h.sqlite"),
        )  # fmt: skip
        for more in ((), ("--json",)):
            server.enqueue(WRITTEN, WRITTEN, WRITTEN)
            done = rag_here(*arguments, *more, env=SECRETS)
            assert done.code == 0, done.err
            assert "sentinel" not in done.out + done.err
    kept = b"".join(p.read_bytes() for p in tmp_path.glob("h.sqlite*"))
    assert b"sentinel" not in kept
    assert b"127.0.0.1" in kept


@pytest.mark.parametrize("name", ["ollama", "openai", "qdrant"])
@pytest.mark.parametrize(
    "address",
    [
        "http://host:1/sentinel?key=sentinel",
        "http://host:1/?mail=a@b&key=sentinel",
        "ftp://me:sentinel@host:1/sentinel",
        "http://host:99999/sentinel#sentinel",
        "http://me:sen/tinel@host:1/x",
    ],
)
def test_an_address_that_cannot_be_used_is_shown_without_user_path_and_query(
    samples_index: Path, tmp_path: Path, name: str, address: str
) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "Runway?"}\n')
    generator = "extractive" if name == "qdrant" else name
    done = rag_here(
        "eval", "run", "q.jsonl", "--index", str(samples_index), "--generator", generator,
        env={f"RAG_{name.upper()}_URL": address}, cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 2
    line = one_error_line(done.err)
    assert re.search("«(http|ftp)://(host:|…)", line)
    assert "sen" not in line
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("history.sqlite*"))
    assert b"sentinel" not in kept


# ------------------------------------------------------------------ kills


def started(index: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    path = folder / "many.jsonl"
    lines = [replace(ASKED[n % 3], id=f"q{n:02}") for n in range(12)]
    path.write_text("".join(to_line(q) + "\n" for q in lines), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "rag", "eval", "run", str(path), "--index", str(index),
         "--history", str(folder / "h.sqlite"), "--generator", "extractive", *more],
        env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a shell that runs the tests in the background has Ctrl-C ignored, and children inherit it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for_results(path: Path, count: int) -> None:
    """Until so many results are written down."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if path.exists():
            db = sqlite3.connect(path, timeout=30)
            try:
                if db.execute("SELECT COUNT(*) FROM results").fetchone()[0] >= count:
                    return
            except sqlite3.OperationalError:  # the tables are being made
                continue
            finally:
                db.close()
        time.sleep(0.02)
    raise AssertionError("no result was written")


def test_a_kill_loses_the_question_being_asked_and_resume_asks_the_rest(
    samples_index: Path, tmp_path: Path
) -> None:
    with started(samples_index, tmp_path) as process:
        wait_for_results(tmp_path / "h.sqlite", 3)
        process.kill()
    with History(tmp_path / "h.sqlite") as history:
        killed = history.load("last")
    assert killed.state == "interrupted"
    assert 3 <= len(killed.results) < 12
    with started(samples_index, tmp_path, "--resume", "--json") as process:
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert f"{len(killed.results)} of them already" in err
    assert json.loads(out)["run_id"] == killed.run_id
    with History(tmp_path / "h.sqlite") as history:
        (run,) = history.runs()
        whole = history.load(run.run_id)
    assert whole.results[: len(killed.results)] == killed.results
    assert [r.question.id for r in whole.results] == [f"q{n:02}" for n in range(12)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_says_so_and_can_be_gone_on_with(
    samples_index: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with started(samples_index, tmp_path) as process:
        wait_for_results(tmp_path / "h.sqlite", 1)
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    (again,) = re.findall("go on with: rag (.*)", err)
    assert sorted(shlex.split(again)) == sorted([*process.args[3:], "--resume"])
    with History(tmp_path / "h.sqlite") as history:
        run = history.load("last")
        assert (run.state, history.reason(run.run_id)) == ("interrupted", "KeyboardInterrupt")
        assert run.results


# ------------------------------------------------------------------ progress


class Screen:
    """A stream that is a terminal or is not."""

    def __init__(self, *, terminal: bool) -> None:
        self.text, self._terminal = "", terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_a_terminal_shows_one_line_with_the_time_left_and_keeps_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen, now = Screen(terminal=True), iter(range(0, 1000, 10))
    with Progress(screen, lambda: float(next(now))) as progress:
        progress.start(20, 0)
        for n in range(3):
            progress.result([Failure(ASKED[0], n, "ReplyInvalid", "x", 1.0)])
    assert "3 of 20 questions, 3 without an answer, about 3 min left" in screen.text
    assert screen.text.endswith("\r\x1b[K")
    assert "\n" not in screen.text


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 10_000, 10))
    with Progress(Screen(terminal=False), lambda: float(next(now))) as progress:
        progress.start(100, 40)
        for _ in range(7):
            progress.result([])
    assert capsys.readouterr().err.splitlines() == [
        "asking 100 questions, 40 of them already",
        "43 of 100 questions, about 10 min left",
        "46 of 100 questions, about 9 min left",
    ]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "less than a minute left"), (200, "about 3 min left"), (9000, "about 2.5 h left")],
)
def test_the_time_left_is_told_coarsely(seconds: float, told: str) -> None:
    assert time_left(seconds) == told


# ------------------------------------------------------------------ a real model


def test_a_real_tiny_model_is_evaluated_end_to_end(
    samples_index: Path, history: History, tiny_llama: str
) -> None:
    asking = replace(
        Settings(), index=str(samples_index), generator="openai", openai_url=tiny_llama,
        verifier="rules", answer_tokens=32, ask_k=1,
    )  # fmt: skip
    run = evaluate(ASKED[:1], asking, load_rubric(), history)
    assert len(run.results) == 1
    assert run.provenance.generator["kind"] == "openai"
    for reply in run.replies:
        assert {m.check for m in reply.marks} == {c.check for c in load_rubric().criteria}


def test_an_index_that_is_missing_raises_and_asks_nothing(history: History, tmp_path: Path) -> None:
    with pytest.raises(IndexMissing):
        evaluate(ASKED, settings(tmp_path / "absent"), load_rubric(), history)
    assert history.load("last").results == ()


def test_the_questions_of_the_samples_name_sources_that_exist() -> None:
    for question in read_questions(SAMPLES / "questions.jsonl"):
        assert question.file is None or (SAMPLES / question.file).exists()


# ------------------------------------------------------------------ what is due


def test_what_is_due_is_run_once_and_stands_in_the_history(
    samples_index: Path, tmp_path: Path
) -> None:
    due = ("--generator", "extractive", "--due", "--cron", "0 3 * * *", "--timezone", "UTC")
    first = ask_here(samples_index, tmp_path, *due, lines=ASKED[:1])
    again = ask_here(samples_index, tmp_path, *due, lines=ASKED[:1])
    assert (first.code, again.code) == (0, 0)
    assert again.out == ""
    assert "nothing to run" in again.err
    third = ask_here(samples_index, tmp_path, *due, "--json", lines=ASKED[:1])
    assert third.json == {"state": "nothing", "reason": "it is settled"}
    with History(tmp_path / "h.sqlite") as history:
        (run,) = history.runs()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT03:00:00\+00:00", run.due)


def test_a_due_run_without_an_answer_is_put_down_as_failed(
    samples_index: Path, tmp_path: Path
) -> None:
    with ScriptedServer() as server:
        server.enqueue(Reply("The stu", ending="cut"))
        done = ask_here(
            samples_index, tmp_path, "--generator", "ollama", "--ollama-url", server.url,
            "--due", "--timezone", "UTC", lines=ASKED[:1],
        )  # fmt: skip
    assert done.code == 15
    assert "not one of 1 questions was answered" in done.err
    db = sqlite3.connect(tmp_path / "h.sqlite")
    states = [state for (state,) in db.execute("SELECT state FROM schedule_lines")]
    db.close()
    assert states == ["failed"]


def test_a_run_whose_process_died_before_the_ledger_knew_is_not_run_again(
    samples_index: Path, tmp_path: Path
) -> None:
    due = ("--generator", "extractive", "--due", "--timezone", "UTC")
    ask_here(samples_index, tmp_path, *due, lines=ASKED[:1])
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as db, db:
        db.execute("UPDATE schedule_lines SET state = 'running', run_id = NULL")
    with History(tmp_path / "h.sqlite") as history:
        (run,) = history.runs()
    itself = ask_here(samples_index, tmp_path, *due, "--baseline", run.run_id, lines=ASKED[:1])
    assert itself.code == 2
    assert "is the run that is held against it" in itself.err
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as db, db:
        db.execute("UPDATE schedule_lines SET state = 'running', run_id = NULL")
    assert ask_here(samples_index, tmp_path, *due, lines=ASKED[:1]).code == 0
    with History(tmp_path / "h.sqlite") as history:
        assert [r.run_id for r in history.runs()] == [run.run_id]
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as db:
        assert db.execute("SELECT state, run_id FROM schedule_lines").fetchall() == [
            ("done", run.run_id)
        ]


def test_questions_that_broke_since_yesterday_are_why_the_due_time_failed(
    samples_index: Path, tmp_path: Path
) -> None:
    due = ("--generator", "extractive", "--due", "--timezone", "UTC")
    path, history = tmp_path / "questions.jsonl", tmp_path / "h.sqlite"
    path.write_text('{"question": "Who?", "anwser": "no"}\n', encoding="utf-8")
    done = rag_here(
        "eval", "run", str(path), "--index", str(samples_index), "--history", str(history), *due
    )
    assert done.code == 2
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as db:
        ((state, reason),) = db.execute("SELECT state, reason FROM schedule_lines")
    assert state == "failed"
    assert "anwser" in reason


def test_a_password_among_the_options_of_what_is_due_is_refused(
    samples_index: Path, tmp_path: Path
) -> None:
    address = "http://user:sentinel@127.0.0.1:9"
    done = ask_here(
        samples_index, tmp_path, "--ollama-url", address, "--due", "--generator", "ollama"
    )
    assert done.code == 2
    assert "holds a password" in done.err
    assert "sentinel" not in done.err


# ------------------------------------------------------------------ provenance


def test_provenance_names_writer_checker_prompt_and_versions(
    samples_index: Path, history: History
) -> None:
    with ScriptedServer() as server:
        server.enqueue(WRITTEN)
        run = evaluate(ASKED[:1], written_by(server, samples_index), load_rubric(), history)
    told = run.provenance
    assert (told.generator["kind"], told.generator["model"]) == ("ollama", MODEL)
    assert told.generator["digest"]
    assert told.generator["quantisation"]
    assert told.verifier["kind"] == "rules"
    assert told.prompt["fingerprint"] == run.replies[0].answer["prompt"]["fingerprint"]
    assert {"affidavit", "python", "ollama"} <= set(told.versions)
    assert told.settings["ollama_url"] == server.url.removeprefix("http://")
    assert (told.files, told.rubric_digest) == (11, load_rubric().digest)


def test_the_corpus_has_another_digest_when_a_file_changes_and_the_same_when_none_does(
    tmp_path: Path, history: History
) -> None:
    folder, index = tmp_path / "folder", tmp_path / "index"
    folder.mkdir()
    digests = []
    for text in ("The fee is 40 euros.", "The fee is 40 euros.", "The fee is 50 euros."):
        (folder / "fees.txt").write_text(text)
        ingest_folder(folder, index=index, workers=1)
        asked = [Question("fee", "What is the fee?")]
        run = evaluate(asked, settings(index), load_rubric(), history)
        digests.append(run.provenance.corpus)
    assert digests[0] == digests[1] != digests[2]


def test_settings_are_told_without_keys_and_addresses_without_all_but_host_and_port() -> None:
    address = "https://sentinel:sentinel@models.example:8443/sentinel?key=sentinel#sentinel"
    told = told_settings(
        Settings(
            qdrant_url=address, ollama_url=address, openai_url=address, passwords="sentinel",
            qdrant_api_key="sentinel", openai_api_key="sentinel",
        )
    )  # fmt: skip
    assert "sentinel" not in json.dumps(told)
    assert told["openai_url"] == "models.example:8443"
    assert told["ask_k"] == 5
