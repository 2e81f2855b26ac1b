"""`rag verify`: one claim, many pairs, mistakes, a model that is asked and calibrated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import NOBODY, one_error_line, rag_here

from rag import verify
from rag.testing import ScriptedServer

SOURCE = "Employees accrue 21 days of leave a year."


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "handbook.txt"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_a_claim_gets_the_verdict_of_the_function(source: Path) -> None:
    for claim in ("Employees accrue 21 days of leave a year.", "Leave is 25 days."):
        done = rag_here(
            "verify", "--claim", claim, "--evidence", str(source), "--json", "--verifier", "rules"
        )
        assert done.json == verify(claim, [SOURCE]).to_dict()
        assert done.code == 0


def test_pairs_give_a_line_each_in_their_order(tmp_path: Path) -> None:
    pairs = [
        {"claim": f"Leave is {n} days.", "evidence": SOURCE if n % 2 else [SOURCE, "More."]}
        for n in range(15, 55)
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(map(json.dumps, pairs)) + "\n\n", encoding="utf-8")
    done = rag_here("verify", "--pairs", str(file), "--json", "--verifier", "rules")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert len(lines) == 40
    flagged = [line["verdict"] in ("contradicted", "not_supported") for line in lines]
    assert flagged == [n != 21 for n in range(15, 55)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "nothing to check"),
        (("--claim", "x"), "without evidence"),
        (("--claim", "x", "--pairs", "y"), "too much"),
        (("--pairs", ""), "cannot be read"),
        (("--claim", "x", "--evidence", "missing.txt"), "missing.txt"),
        (("--claim", "x", "--evidence", "{source}", "--verifier", "oracle"), "oracle"),
        (("--claim", "x", "--evidence", "{source}", "--verifier", "nli"), "no NLI model"),
        (("--calibrate", "--verifier", "rules"), "no model to calibrate"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], told: str, source: Path
) -> None:
    done = rag_here("verify", *(a.format(source=source) for a in arguments))
    assert done.code == 2
    assert told in one_error_line(done.err)


def test_a_line_that_is_no_pair_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"claim": "a", "evidence": "b c d"}\n{"claim": 1}\n', encoding="utf-8")
    done = rag_here("verify", "--pairs", str(file), "--json", "--verifier", "rules")
    assert done.code == 2
    assert f"{file}, line 2" in one_error_line(done.err)


def test_a_line_separator_inside_a_claim_ends_no_line(tmp_path: Path) -> None:
    """JSON may hold U+2028 as it is; only a newline ends a line of the file."""
    file = tmp_path / "pairs.jsonl"
    pair = {"claim": "Leave is\u2028 25 days.", "evidence": SOURCE}
    file.write_text(json.dumps(pair, ensure_ascii=False) + "\n", encoding="utf-8")
    done = rag_here("verify", "--pairs", str(file), "--json", "--verifier", "rules")
    assert len(done.out.strip().split("\n")) == 1
    assert json.loads(done.out)["verdict"] in ("contradicted", "not_supported")


def test_a_verifier_that_was_asked_for_and_is_not_there_is_exit_code_14(source: Path) -> None:
    done = rag_here(
        "verify", "--claim", "x y z", "--evidence", str(source), "--verifier", "decision",
        "--ollama-url", NOBODY,
    )  # fmt: skip
    assert done.code == 14
    assert NOBODY in one_error_line(done.err)


def test_without_a_decision_model_auto_checks_by_rules(source: Path) -> None:
    with ScriptedServer() as server:
        done = rag_here(
            "verify", "--claim", "Leave is 25 days.", "--evidence", str(source), "--json",
            "--ollama-url", server.url,
        )  # fmt: skip
    assert done.json == verify("Leave is 25 days.", [SOURCE]).to_dict()
