"""`rag verify`: one claim, many pairs, saved answers, mistakes, a model that is asked."""

from __future__ import annotations

import copy
import json
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import NOBODY, Outcome, one_error_line, rag_here
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import ingest_folder
from rag import Pipeline, verify
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


@pytest.mark.parametrize(("days", "code"), [(21, 0), (25, 6)])
def test_strict_ends_with_6_where_a_claim_is_flagged(source: Path, days: int, code: int) -> None:
    claim = f"Employees accrue {days} days of leave a year."
    more = ("--evidence", str(source), "--verifier", "rules", "--strict")
    assert rag_here("verify", "--claim", claim, *more).code == code


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
        (("--claim", "x", "--record", "y"), "too much"),
        (("--record", "missing.json"), "cannot be read"),
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


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_a_file_without_a_pair_is_a_mistake_and_passes_nothing(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(content, encoding="utf-8")
    done = rag_here("verify", "--pairs", str(file), "--strict", "--verifier", "rules")
    assert (done.code, done.out) == (2, "")
    assert f"{file}: no claim in it" in one_error_line(done.err)


def test_the_mark_of_an_objection_stands_before_objections_only(tmp_path: Path) -> None:
    files = []
    for n in (25, 21):
        file = tmp_path / f"{n}.txt"
        file.write_text(f"Leave is {n} days.", encoding="utf-8")
        files += ["--evidence", str(file)]
    done = rag_here("verify", "--claim", "Leave is 25 days.", *files, "--verifier", "rules")
    assert done.out.splitlines()[1:3] == [
        "    stands in the source word for word",
        "    ! text 2 of the evidence says otherwise: “Leave is 21 days.”",
    ]


def test_a_line_that_nests_without_end_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text("[" * 50_000, encoding="utf-8")
    done = rag_here("verify", "--pairs", str(file), "--json", "--verifier", "rules")
    assert done.code == 2
    assert f"{file}, line 1" in one_error_line(done.err)


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


# ---------------------------------------------------------------------- saved answers

LEAVE = "Employees accrue 21 days of leave a year. Unused days expire in March."
FEE = "The late fee for invoices is 40 euros. Charities pay no late fee at all."
QUESTION = "How many days of leave do employees accrue, and what is the late fee?"
SAID = (
    "Employees accrue 21 days of leave a year [{leave}]. "
    "The late fee for invoices is 40 euros [{fee}]."
)


class Desk:
    """A folder with two documents, its index, and an answer saved from it."""

    def __init__(self, root: Path) -> None:
        self.folder, self.index, self.record = root / "docs", root / "index", root / "answer.json"
        self.folder.mkdir()
        (self.folder / "leave.txt").write_text(LEAVE, encoding="utf-8")
        (self.folder / "fees.txt").write_text(FEE, encoding="utf-8")
        self.sync()

    def sync(self) -> None:
        ingest_folder(self.folder, index=self.index, workers=1, verifier="rules")

    def save(self, said: str = SAID) -> dict[str, Any]:
        with (
            ScriptedServer() as server,
            Pipeline.open(
                self.index, generator="ollama", ollama_url=server.url, verifier="rules", gate=0.0
            ) as rag,
        ):
            rank = {p.file: p.rank for p in rag.search(QUESTION)}
            server.enqueue(said.format(leave=rank["leave.txt"], fee=rank["fees.txt"]))
            answer = rag.ask(QUESTION).to_dict()
        self.record.write_text(json.dumps(answer), encoding="utf-8")
        return answer

    def recheck(self, *more: str) -> Outcome:
        return rag_here(
            "verify", "--record", str(self.record), "--index", str(self.index),
            "--verifier", "rules", *more,
        )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """For tests that change the documents."""
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def quiet_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """For tests that change the record alone."""
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def kept(quiet_desk: Desk) -> dict[str, Any]:
    """A saved answer. Copy it before you change it."""
    return quiet_desk.save()


def test_a_saved_answer_holds_while_the_documents_stay(desk: Desk) -> None:
    saved = desk.save()
    done = desk.recheck("--json", "--strict")
    assert done.code == 0
    assert done.json["summary"] == {"hold": 2, "do_not_hold": 0}
    for now, then in zip(done.json["sentences"], saved["sentences"], strict=True):
        assert (now["was"], now["verdict"]) == (then["verdict"], then["verdict"])
        assert now["score"] == then["score"]
        assert [q["standing"] for q in now["quotes"]] == ["same"] * len(then["evidence"])
    assert done.json["notices"] == []


def test_sample_answers_hold_to_the_same_verdict_quote_and_page(
    samples_index: Path, tmp_path: Path
) -> None:
    file = tmp_path / "answer.json"
    question = "How far short of the runway was the Global 5000 when it struck the fence?"
    common = ("--index", str(samples_index), "--verifier", "rules", "--json")
    rag_here("ask", question, "--generator", "extractive", "--save", str(file), *common)
    done = rag_here("verify", "--record", str(file), *common)
    assert done.json["summary"]["do_not_hold"] == 0
    for sentence in done.json["sentences"]:
        assert sentence["was"] == sentence["verdict"]
        assert [q["now"] for q in sentence["quotes"]] == [q["was"] for q in sentence["quotes"]]


def edit(desk: Desk) -> None:
    (desk.folder / "fees.txt").write_text(
        "The late fee for invoices is 45 euros. Charities pay no late fee at all.", encoding="utf-8"
    )


def rename(desk: Desk) -> None:
    (desk.folder / "fees.txt").rename(desk.folder / "tariff.txt")


def remove(desk: Desk) -> None:
    (desk.folder / "fees.txt").unlink()


def move_to_another_file(desk: Desk) -> None:
    edit(desk)
    (desk.folder / "appendix.txt").write_text(FEE, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "standing", "holds"),
    [
        pytest.param(edit, "changed", False, id="edited"),
        pytest.param(rename, "renamed", True, id="renamed"),
        pytest.param(remove, "missing", False, id="deleted"),
    ],
)
def test_a_changed_document_changes_what_holds(
    desk: Desk, change: Callable[[Desk], None], standing: str, *, holds: bool
) -> None:
    desk.save()
    change(desk)
    desk.sync()
    done = desk.recheck("--json", "--strict")
    leave, fee = done.json["sentences"]
    assert leave["holds"]
    assert fee["holds"] is holds
    assert [q["standing"] for q in fee["quotes"]] == [standing]
    assert done.code == (0 if holds else 6)
    assert desk.recheck().code == 0
    assert desk.recheck("--json").json == done.json


def test_a_sentence_that_the_document_has_narrowed_since_does_not_hold(desk: Desk) -> None:
    desk.save()
    assert [s["was"] for s in desk.recheck("--json").json["sentences"]] == ["supported"] * 2
    narrowed = FEE.replace("40 euros.", "40 euros except in Europe, Asia and America.")
    (desk.folder / "fees.txt").write_text(narrowed, encoding="utf-8")
    desk.sync()
    done = desk.recheck("--json", "--strict")
    fee = done.json["sentences"][1]
    assert (fee["holds"], fee["verdict"] != "supported", done.code) == (False, True, 6)


def test_a_heading_of_a_saved_answer_still_claims_nothing(desk: Desk) -> None:
    desk.save(f"Key findings\n{SAID}")
    heading, *_ = desk.recheck("--json").json["sentences"]
    assert (heading["holds"], heading["verdict"]) == (None, None)


def test_a_sentence_of_a_record_that_has_no_end_is_told_to_be_too_long(desk: Desk) -> None:
    record = desk.save()
    record["sentences"][0]["text"] = "The late fee for invoices is 40 euros and " * 2000
    desk.record.write_text(json.dumps(record), encoding="utf-8")
    long, _ = desk.recheck("--json").json["sentences"]
    assert (long["holds"], long["verdict"]) == (False, "unverified")
    assert "too long" in long["reasons"][0]


def test_a_quote_that_left_its_file_is_found_where_it_went(desk: Desk) -> None:
    desk.save()
    move_to_another_file(desk)
    desk.sync()
    fee = desk.recheck("--json").json["sentences"][1]
    (quote,) = fee["quotes"]
    assert (quote["standing"], quote["now"]["file"]) == ("elsewhere", "appendix.txt")


def test_a_new_document_that_says_otherwise_is_read_as_well(desk: Desk) -> None:
    """The old words may stand; whether the sentence holds is asked of all that is there now."""
    desk.save()
    (desk.folder / "leave.txt").write_text(
        "Employees accrue 25 days of leave a year. Unused days expire in March.", encoding="utf-8"
    )
    desk.sync()
    leave = desk.recheck("--json").json["sentences"][0]
    assert (leave["verdict"], leave["holds"]) == ("contradicted", False)
    assert any("25" in e["quote"] for e in leave["evidence"])


def test_a_quote_on_another_page_is_told_with_both_pages(
    samples_index: Path, tmp_path: Path
) -> None:
    file = tmp_path / "answer.json"
    question = "How far short of the runway was the Global 5000 when it struck the fence?"
    common = ("--index", str(samples_index), "--verifier", "rules")
    rag_here("ask", question, "--generator", "extractive", "--save", str(file), *common)
    record = json.loads(file.read_text(encoding="utf-8"))
    record["sentences"][0]["evidence"][0]["page"] = 3
    file.write_text(json.dumps(record), encoding="utf-8")
    done = rag_here("verify", "--record", str(file), *common)
    assert "quote moved: " in done.out
    assert re.search(r"page 3 →\s.*page 1", done.out, re.DOTALL)


def test_a_sentence_that_was_flagged_does_not_hold(desk: Desk) -> None:
    desk.save("Employees accrue 99 days of leave a year [{leave}]. Is it [{fee}] much?")
    done = desk.recheck("--strict")
    assert done.code == 6
    assert "✗ Employees accrue 99 days" in done.out
    assert "does not hold: contradicted, as saved" in done.out


def test_for_people_each_sentence_has_a_line_and_the_last_counts(desk: Desk) -> None:
    desk.save()
    edit(desk)
    desk.sync()
    out = desk.recheck().out
    assert out.startswith(f"{QUESTION}\n\n  ✓ Employees accrue 21 days")
    assert "(holds: supported, as saved)" in out
    assert "quote gone: fees.txt has changed" in out
    assert "now: “The late fee for invoices is 45 euros.” — fees.txt" in out
    assert out.endswith("1 of 2 sentences hold. Searched 2 of 2 files.\n")


def test_a_quotation_that_the_document_no_longer_has_is_shown_with_what_it_has_now(
    desk: Desk,
) -> None:
    desk.save("“The late fee for invoices is 40 euros.” [{fee}]")
    edit(desk)
    desk.sync()
    out = desk.recheck().out
    assert "in no passage it" in out
    assert "now: “The late fee for invoices is 45 euros.” — fees.txt" in out


def test_a_refusal_claims_nothing_and_says_so(desk: Desk) -> None:
    desk.save("not supported in source")
    done = desk.recheck("--strict")
    assert done.code == 0
    assert "is a refusal and claims nothing" in done.err


def test_another_verifier_than_the_saved_one_is_told(desk: Desk) -> None:
    record = desk.save()
    record["verifier"] = {"kind": "judge", "model": "big:70b"}
    desk.record.write_text(json.dumps(record), encoding="utf-8")
    assert "checked by judge big:70b when saved, by rules now" in desk.recheck().err


# ---------------------------------------------------------------------- hostile records

DAMAGE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "other: a list": lambda _: [],
    "other: a number": lambda _: 7,
    "other: a search": lambda _: {"question": "What?", "passages": []},
    "no question": lambda r: r.pop("question"),
    "empty question": lambda r: r.update(question="  "),
    "long question": lambda r: r.update(question="why " * 5000),
    "half a character": lambda r: r.update(question="\ud83d?"),
    "sentences are text": lambda r: r.update(sentences="all fine"),
    "a sentence is a list": lambda r: r["sentences"].append([]),
    "an invented verdict": lambda r: r["sentences"][0].update(verdict="verified"),
    "a verdict is a list": lambda r: r["sentences"][0].update(verdict=["supported"]),
    "a verdict is an object": lambda r: r["sentences"][0].update(verdict={}),
    "a page is a text": lambda r: r["sentences"][0]["evidence"][0].update(page="1"),
    "a page is true": lambda r: r["sentences"][0]["evidence"][0].update(page=True),
    "a quote is missing": lambda r: r["sentences"][0]["evidence"][0].pop("quote"),
    "a citation is a text": lambda r: r["sentences"][0].update(citations=["1"]),
    "too many sentences": lambda r: r.update(sentences=r["sentences"] * 1000),
    "too many quotes": lambda r: r["sentences"][0].update(
        evidence=r["sentences"][0]["evidence"] * 1000
    ),
    "no passages": lambda r: r.pop("passages"),
    "a writer is a text": lambda r: r.update(generator="me"),
    "refused is a text": lambda r: r.update(refused="no"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_or_foreign_record_is_one_line_and_exit_code_2(
    kept: dict[str, Any], tmp_path: Path, name: str
) -> None:
    record = copy.deepcopy(kept)
    other = DAMAGE[name](record)
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(other if name.startswith("other") else record), encoding="utf-8")
    done = rag_here("verify", "--record", str(file), "--index", "nowhere")
    assert (done.code, done.out) == (2, "")
    assert "is not a saved answer" in one_error_line(done.err)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"%PDF-1.7", b"1" * 10_000, b"{}" * 9_000_000],
    ids=["empty", "cut", "no text", "deep", "pdf", "long number", "large"],
)
def test_a_file_that_is_no_json_is_one_line_and_exit_code_2(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "answer.json").write_bytes(content)
    done = rag_here("verify", "--record", str(tmp_path / "answer.json"), "--json")
    assert (done.code, done.out) == (2, "")
    assert "is not a saved answer" in one_error_line(done.err)


def test_a_folder_or_a_pipe_is_no_record_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path, tmp_path / "pipe"):
        done = rag_here("verify", "--record", str(file))
        assert done.code == 2
        assert "it is no file" in one_error_line(done.err)


def test_a_record_makes_nothing_true_that_the_documents_do_not_say(
    quiet_desk: Desk, kept: dict[str, Any]
) -> None:
    """Forged: the sentence, its verdict, a quote, and the passage that is said to hold it."""
    record = copy.deepcopy(kept)
    lie = "Employees accrue 99 days of leave a year."
    forged = record["sentences"][0]
    forged.update(text=lie, verdict="supported", score=1.0, reasons=["stands word for word"])
    forged["evidence"][0]["quote"] = lie
    for passage in record["passages"]:
        passage["text"] = lie
    quiet_desk.record.write_text(json.dumps(record), encoding="utf-8")
    first = quiet_desk.recheck("--json").json["sentences"][0]
    assert (first["verdict"], first["holds"]) == ("contradicted", False)
    assert [q["standing"] for q in first["quotes"]] == ["changed"]
    assert all("99" not in e["quote"] for e in first["evidence"])


HOSTILE = st.lists(
    st.sampled_from(
        ["\x1b[2J", "\x9b31m", "\r  ✓ all holds", "\u202egnp", "<script>",
         "\n\n9 of 9 sentences hold.", "[1]", "../../etc/passwd", "*", "{was}", "%s", "\u2028"]
    ) | st.text(max_size=12),
    max_size=4,
).map("".join)  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(text=HOSTILE)
def test_whatever_a_record_says_the_output_is_inert(
    quiet_desk: Desk, kept: dict[str, Any], text: str
) -> None:
    record = copy.deepcopy(kept)
    record["question"] = f"leave {text}"
    record["generator"]["model"] = record["verifier"]["model"] = text
    for sentence in record["sentences"]:
        sentence["text"] = f"Leave {text}"
        for evidence in sentence["evidence"]:
            evidence.update(quote=text, file=text)
    quiet_desk.record.write_text(json.dumps(record), encoding="utf-8")
    done = quiet_desk.recheck()
    assert done.code in (0, 2)
    shown = (done.out + done.err).replace("\n", "")
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not re.search(r"^9 of 9", done.out, re.MULTILINE)


def test_the_documented_record_has_the_fields_that_are_printed(
    quiet_desk: Desk, kept: dict[str, Any]
) -> None:
    page = (Path(__file__).parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")
    block = re.search(r"```text record\n(.*?)```", page, re.DOTALL)
    assert block
    quiet_desk.record.write_text(json.dumps(kept), encoding="utf-8")
    shown, real = json.loads(block[1]), quiet_desk.recheck("--json").json

    def keys(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: keys(inner) for key, inner in value.items()}
        return keys(value[0]) if isinstance(value, list) and value else None

    assert keys(shown) == keys(real)
