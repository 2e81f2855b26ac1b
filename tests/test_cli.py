"""The command as people and scripts meet it: documents, options, answers, refusals, void drafts."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import NOBODY, Outcome, clean_environment, one_error_line, rag_here, run_rag
from test_samples import ANSWERABLE, normalised, pages

from prompts import REFUSAL
from rag import Pipeline
from rag.cli import cli
from rag.options import run
from rag.testing import MODEL, Reply, ScriptedServer

JET = "ntsb-20080117X00064-charlestown-global-5000.pdf"
FENCE = "How far short of the runway was the Global 5000 when it struck the fence?"
BIPLANE = "ntsb-20080124X00100-white-plains-fisher-celebrity.pdf"
TWO_PARTS = "What was the propeller of the Fisher Celebrity made of, and which company made it?"
NOWHERE = "What is the boiling point of tungsten?"
ROOT = Path(__file__).parents[1]

NUMBER = (int, float)
PASSAGE = {
    "rank": int, "file": str, "page": (int, None), "page_end": (int, None), "heading": str,
    "text": str, "score": NUMBER, "chunk_id": str,
}  # fmt: skip
ANSWER = {
    "question": str, "answer": str, "refused": bool, "refusal_reason": (str, None),
    "sentences": [{
        "text": str, "citations": [int], "verdict": (str, None), "score": (float, None),
        "reasons": [str],
        "evidence": [{"passage": int, "quote": str, "file": str, "page": (int, None)}],
    }],
    "passages": [PASSAGE],
    "summary": dict.fromkeys(("supported", "no_mismatch", "flagged", "unverified"), int),
    "coverage": dict.fromkeys(("files", "searched", "unreadable", "partial"), int),
    "generator": {
        "kind": str, "model": str, "digest": (str, None), "completion_tokens": (int, None),
    },
    "verifier": {"kind": str, "model": (str, None)},
    "prompt": {"name": str, "fingerprint": str, "tokens": int, "budget": int, "dropped": [int]},
    "timings": {
        "retrieve_s": NUMBER, "first_token_s": (*NUMBER, None), "generate_s": NUMBER,
        "verify_s": NUMBER, "repair_s": NUMBER, "total_s": NUMBER,
    },
    "notices": [str],
    "repair": (None,),
}  # fmt: skip
REPAIR = {
    "tried": bool, "kept": str, "flagged_before": int, "flagged_after": (int, None), "detail": str,
}  # fmt: skip


def differences(value: Any, shape: Any, where: str = "$") -> Iterator[str]:
    """Where ``value`` is not of the shape: a type, several, [of each item] or {key: shape}."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or list(value) != list(shape):
            yield f"{where}: {value if not isinstance(value, dict) else list(value)}"
            return
        for key, inner in shape.items():
            yield from differences(value[key], inner, f"{where}.{key}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where}: {value!r}"
            return
        for i, item in enumerate(value):
            yield from differences(item, shape[0], f"{where}[{i}]")
    else:
        allowed = shape if isinstance(shape, tuple) else (shape,)
        if type(value) not in [type(None) if kind is None else kind for kind in allowed]:
            yield f"{where}: {value!r} is not {shape}"


def has_shape(value: Any, shape: Any) -> None:
    assert not list(differences(value, shape))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted


def ask(index: Path, question: str, *more: str, **options: Any) -> Outcome:
    return rag_here("ask", question, "--index", str(index), *more, **options)


def ask_model(index: Path, server: ScriptedServer, question: str, *more: str) -> Outcome:
    return ask(index, question, "--ollama-url", server.url, *more)


def quoted(index: Path, question: str, *more: str) -> Outcome:
    return ask(index, question, "--generator", "extractive", *more)


def rank_of(index: Path, question: str, words: str) -> int:
    """The number of the passage that holds ``words``."""
    found = quoted(index, question, "--json").json["passages"]
    return int(next(p["rank"] for p in found if words in normalised(p["text"])))


# ---------------------------------------------------------------------- documents


def test_search_prints_one_document_of_the_contracts_shape(samples_index: Path) -> None:
    done = rag_here("search", FENCE, "--index", str(samples_index), "-k", "4", "--json")
    assert done.code == 0
    assert done.err == ""
    has_shape(done.json, {"question": str, "passages": [PASSAGE]})
    assert [p["rank"] for p in done.json["passages"]] == [1, 2, 3, 4]
    assert done.json["passages"][0]["file"] == JET


@pytest.mark.parametrize("question", [FENCE, NOWHERE], ids=["answered", "refused"])
def test_an_answer_has_the_contracts_shape_in_json_and_in_python(
    samples_index: Path, question: str
) -> None:
    done = quoted(samples_index, question, "--json")
    has_shape(done.json, ANSWER)
    with Pipeline.open(samples_index, generator="extractive") as rag:
        same = rag.ask(question).to_dict()
    assert {**done.json, "timings": None} == {**same, "timings": None}


def test_ingest_prints_disjoint_counters_and_every_problem(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "good.txt").write_text("Leave is 21 days a year.")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    (folder / "empty.md").write_text("")
    (folder / "tool.exe").write_bytes(b"MZ")
    done = rag_here("ingest", str(folder), "--index", str(tmp_path / "index"), "--json")
    assert done.code == 3
    has_shape(
        done.json,
        {
            "files": dict.fromkeys(
                ("found", "new", "updated", "renamed", "unchanged", "partial", "failed",
                 "unsupported", "removed"), int),
            "chunks": int, "embedded": int, "seconds": NUMBER,
            "problems": [{"file": str, "status": str, "detail": str, "pages": [int]}],
            "notices": [],
        },
    )  # fmt: skip
    counts = dict(done.json["files"])
    assert counts.pop("removed") == 0
    assert counts.pop("found") == sum(counts.values()) == 4
    assert [p["file"] for p in done.json["problems"]] == ["broken.pdf"]


def test_status_and_doctor_print_one_document_each(samples_index: Path) -> None:
    status = rag_here("status", "--index", str(samples_index), "--json")
    assert list(status.json) == ["index", "roots", "fingerprint", "counts", "files"]
    assert status.json["counts"]["searchable"] == 11
    assert {f["status"] for f in status.json["files"]} == {"indexed", "unsupported"}
    doctor = rag_here("doctor", "--index", str(samples_index), "--ollama-url", NOBODY, "--json")
    assert doctor.code == 0
    assert list(doctor.json) == [
        "ok", "exit_code", "checks", "versions", "hardware", "recommended", "prediction",
    ]  # fmt: skip
    assert doctor.json["ok"] is True


def test_models_lists_what_ollama_has(server: ScriptedServer) -> None:
    done = rag_here("models", "--ollama-url", server.url, "--json")
    assert [m["name"] for m in done.json["models"]] == [MODEL]
    assert MODEL in rag_here("models", "--ollama-url", server.url).out


def test_pull_fetches_a_model(server: ScriptedServer) -> None:
    server.enqueue(Reply())
    done = rag_here("pull", "llama3.2:1b", "--ollama-url", server.url)
    assert done.code == 0
    assert "llama3.2:1b is ready" in done.out
    assert "llama3.2:1b" in server.models


def test_json_stays_whole_in_a_terminal_that_knows_no_unicode(samples_index: Path) -> None:
    narrow = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    arguments = ("search", "Was ist der Preis für ein Flugzeug – «jet»?", "--json")
    done = run_rag(*arguments, "--index", str(samples_index), env=narrow)
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert json.loads(done.stdout)["question"] == arguments[1]


def test_the_same_question_twice_gives_the_same_bytes_but_for_the_timings(
    samples_index: Path,
) -> None:
    first, second = (
        run_rag("ask", FENCE, "--generator", "extractive", "--json", "--index", str(samples_index))
        for _ in range(2)
    )
    cut = re.compile(r'"timings": \{.*?\}', re.DOTALL)
    assert cut.sub("", first.stdout) == cut.sub("", second.stdout)
    assert len(cut.findall(first.stdout)) == 1


# ---------------------------------------------------------------------- options


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_common_options_may_stand_before_or_after_the_subcommand(
    samples_index: Path, server: ScriptedServer, *, before: bool
) -> None:
    common = ("--index", str(samples_index), "--ollama-url", server.url)
    server.enqueue("The fence was struck 56 feet short [1].")
    words = (*common, "ask", FENCE) if before else ("ask", FENCE, *common)
    done = rag_here(*words, "--json")
    assert done.code == 0
    assert done.json["generator"]["kind"] == "ollama"


def test_the_option_nearest_to_the_subcommand_wins(samples_index: Path) -> None:
    done = rag_here("--index", "nowhere", "status", "--index", str(samples_index), "--json")
    assert done.json["index"] == str(samples_index)


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(
    samples_index: Path, tmp_path: Path
) -> None:
    def found(*flags: str, env: Mapping[str, str] | None = None) -> int:
        done = rag_here("search", FENCE, "--json", *flags, env=env, cwd=tmp_path)
        return len(done.json["passages"])

    base = {"RAG_INDEX": str(samples_index)}
    assert found(env=base) == 10
    (tmp_path / "rag.toml").write_text("k = 2\n")
    assert found(env=base) == 2
    assert found(env={**base, "RAG_K": "3"}) == 3
    assert found("-k", "4", env={**base, "RAG_K": "3"}) == 4
    other = tmp_path / "other.toml"
    other.write_text("k = 5\n")
    assert found("--config", str(other), env=base) == 5
    assert found(env={**base, "RAG_CONFIG": str(other)}) == 5


def subcommands() -> list[str]:
    return cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("command", subcommands())
def test_every_command_has_help_in_words(command: str) -> None:
    done = rag_here(command, "--help")
    assert done.code == 0
    assert f"Usage: rag {command}" in done.out
    described = done.out.split("\n\n")[1].strip()
    assert described.endswith(".")
    options = done.out[done.out.index("Options:") :]
    assert not re.search(r"^  --?[\w-]+(?: [\w|=]+)?\n(?!\s{10})", options, re.MULTILINE)


@pytest.mark.parametrize("command", subcommands())
def test_every_command_is_in_the_command_table(command: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"rag {command}" in page


# ---------------------------------------------------------------------- answers


def test_an_answer_shows_sources_quotes_pages_and_coverage(samples_index: Path) -> None:
    done = quoted(samples_index, FENCE)
    assert done.code == 0
    sources, answer, evidence = re.split(r"\n\n(?=  “|Evidence)", done.out)
    assert sources.startswith(f"Sources\n  [1] {JET}, page 1\n")
    assert "56 feet" in answer
    assert f"in {JET}, page 1\n" in evidence
    assert done.out.endswith("Searched 11 of 11 files.\n")


TEN = [q for q in ANSWERABLE if q["file"].endswith(".pdf")][::2][:10]


def test_every_citation_is_a_quote_that_stands_on_that_page_of_the_file(
    samples_index: Path,
) -> None:
    cited = 0
    with Pipeline.open(samples_index, generator="extractive") as rag:
        for item in TEN:
            for sentence in rag.ask(item["question"]).sentences:
                for evidence in sentence.evidence:
                    if evidence.page is not None:
                        page = pages(evidence.file)[evidence.page]
                        assert normalised(evidence.quote) in normalised(page)
                        cited += 1
    assert len(TEN) == 10
    assert cited >= 10


def test_a_question_the_folder_knows_nothing_of_is_refused_in_one_phrase(
    samples_index: Path,
) -> None:
    done = ask(samples_index, NOWHERE, "--ollama-url", NOBODY)
    assert done.code == 4
    assert f"\n  {REFUSAL}\n" in done.out
    assert done.err == ""  # no model was looked for
    document = quoted(samples_index, NOWHERE, "--json").json
    assert (document["answer"], document["refused"]) == (REFUSAL, True)
    assert document["sentences"] == []


def test_a_filter_keeps_to_the_files_it_names(samples_index: Path) -> None:
    done = quoted(samples_index, FENCE, "--filter", "file=*.MD", "--gate", "0", "--json")
    assert {p["file"] for p in done.json["passages"]} <= {
        "README.md", "ntsb-20080114X00043-venice-cessna-152.md",
    }  # fmt: skip
    assert done.json["coverage"]["searched"] == 2


def test_save_keeps_the_record_that_json_prints(samples_index: Path, tmp_path: Path) -> None:
    kept = tmp_path / "answer.json"
    done = quoted(samples_index, FENCE, "--save", str(kept), "--json")
    assert json.loads(kept.read_text(encoding="utf-8")) == done.json
    assert os.listdir(tmp_path) == ["answer.json"]


def test_strict_leaves_an_answer_without_flags_at_zero(samples_index: Path) -> None:
    done = quoted(samples_index, FENCE, "--strict", "--json")
    assert done.code == (6 if done.json["summary"]["flagged"] else 0)


# ---------------------------------------------------------------------- answers of a model


def test_a_running_ollama_is_used_and_named(samples_index: Path, server: ScriptedServer) -> None:
    server.enqueue("The airplane struck a fence about 56 feet before the runway threshold [1].")
    done = ask_model(samples_index, server, FENCE, "--json")
    assert done.code == 0
    assert done.json["generator"]["kind"] == "ollama"
    assert done.json["generator"]["model"] == MODEL
    assert len(done.json["generator"]["digest"]) == 64
    (sentence,) = done.json["sentences"]
    assert sentence["evidence"][0]["file"] == JET
    assert sentence["evidence"][0]["page"] == 1
    assert "56 feet" in sentence["evidence"][0]["quote"]


def test_half_a_question_is_answered_and_the_other_half_marked(
    samples_index: Path, server: ScriptedServer
) -> None:
    number = rank_of(samples_index, TWO_PARTS, "the wooden propeller came apart")
    server.enqueue(
        f"The propeller that came apart was wooden [{number}].\n{REFUSAL}: which company made it"
    )
    done = ask_model(samples_index, server, TWO_PARTS, "--json")
    assert done.code == 0
    claim, missing = done.json["sentences"]
    assert not done.json["refused"]
    assert claim["evidence"][0]["file"] == BIPLANE
    assert claim["evidence"][0]["page"] == 1
    assert "wooden propeller" in claim["evidence"][0]["quote"]
    assert missing["verdict"] is None
    assert missing["text"].startswith(REFUSAL)
    assert sum(done.json["summary"].values()) == 1


def test_a_model_that_refuses_is_exit_4(samples_index: Path, server: ScriptedServer) -> None:
    server.enqueue("Not supported in source.")
    done = ask_model(samples_index, server, FENCE, "--json")
    assert (done.code, done.json["refused"]) == (4, True)


def test_an_invented_passage_number_is_dropped_and_reported(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue("The airplane struck a fence about 56 feet before the threshold [99][1].")
    done = ask_model(samples_index, server, FENCE, "--json")
    assert "99" not in done.json["answer"]
    assert done.json["sentences"][0]["citations"] == [1]
    assert any("[99]" in notice for notice in done.json["notices"])


def test_words_put_between_quote_marks_that_stand_nowhere_are_reported(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue("It “struck approach lights and a fence about 65 feet prior” to it [1].")
    done = ask_model(samples_index, server, FENCE)
    assert done.code == 0
    assert "! the quoted words «struck approach lights and a fence about 65 feet prior»" in done.out


def test_a_small_context_drops_whole_passages_and_says_which(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue("It struck a fence about 56 feet before the threshold [1].")
    small = ("--context", "1500", "--answer-tokens", "64")
    done = ask_model(samples_index, server, FENCE, "--json", *small)
    dropped = done.json["prompt"]["dropped"]
    assert dropped
    assert dropped[-1] == dropped[0] + len(dropped) - 1
    assert [p["rank"] for p in done.json["passages"]] == list(range(1, dropped[0]))
    told = f"left out for lack of room in the context: {', '.join(f'[{n}]' for n in dropped)}"
    assert told in done.json["notices"]
    sent = server.chats()[0].body["messages"][1]["content"]
    for passage in done.json["passages"]:
        assert passage["text"].split("\n")[-1] in sent
    assert f'<passage n="{dropped[0]}"' not in sent


def test_without_ollama_the_sources_are_quoted_and_the_command_for_more_is_named(
    samples_index: Path,
) -> None:
    done = ask(samples_index, FENCE, "--ollama-url", NOBODY)
    assert done.code == 0
    assert "56 feet" in done.out
    assert done.err.count("\n") == 1
    assert f"ollama serve, then ollama pull {MODEL}" in done.err


def test_asking_for_ollama_where_there_is_none_is_exit_14(samples_index: Path) -> None:
    done = ask(samples_index, FENCE, "--ollama-url", NOBODY, "--generator", "ollama", "--json")
    assert (done.code, done.out) == (14, "")
    assert "ollama serve" in one_error_line(done.err)


def test_a_real_model_gives_a_whole_answer_with_real_citations(
    samples_index: Path, tiny_llama: str
) -> None:
    """It writes whatever it likes; what is cited still stands in the file."""
    small = ("--answer-tokens", "400", "-k", "1", "--json")
    done = ask(samples_index, FENCE, "--openai-url", tiny_llama, *small)
    if done.code == 15:  # it talked until it was cut, and that is no answer
        assert done.out == ""
        assert "was cut at 400 tokens" in one_error_line(done.err)
        return
    assert done.code in (0, 4)
    assert done.json["answer"].strip()
    assert done.json["generator"]["kind"] == "openai"
    for sentence in done.json["sentences"]:
        for evidence in sentence["evidence"]:
            page = pages(evidence["file"])[evidence["page"]]
            assert normalised(evidence["quote"]) in normalised(page)


# ---------------------------------------------------------------------- void drafts

VOID = {
    "no last record": Reply("The fence was 56", ending="cut"),
    "cut at the limit": Reply("The fence was 56", ending="length"),
    "an error line": Reply("The fence was 56", error="CUDA out of memory"),
    "connection reset": Reply("The fence was 56", ending="reset"),
    "half a record": Reply("The fence was 56", ending="malformed"),
    "silence": Reply("The fence was 56", ending="stall"),
    "nothing": Reply(""),
    "prompt cut": Reply("The fence was 56 feet [1].", prompt_tokens=40),
}


@pytest.mark.parametrize("reply", VOID.values(), ids=VOID)
def test_an_incomplete_reply_is_exit_15_and_neither_shown_nor_saved(
    samples_index: Path, server: ScriptedServer, tmp_path: Path, reply: Reply
) -> None:
    kept = tmp_path / "answer.json"
    for form in ([], ["--json"]):
        server.enqueue(reply)
        done = ask(
            samples_index, FENCE, "--ollama-url", server.url, "--save", str(kept), *form,
            env={"RAG_REPLY_TIMEOUT": "1"},
        )  # fmt: skip
        assert done.code == 15
        one_error_line(done.err)
        assert "56" not in done.out
        assert done.out == "" or (done.out.startswith("Sources\n") and not form)
        assert os.listdir(tmp_path) == []


def on_a_terminal(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The command on a pseudo-terminal of 80 columns: its exit code and all it wrote there."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", *arguments],
        stdout=secondary, stderr=secondary, stdin=subprocess.DEVNULL,
        env={**clean_environment(env), "COLUMNS": "80", "TERM": "xterm"},
    )  # fmt: skip
    os.close(secondary)
    shown = b""
    try:
        while block := os.read(primary, 65536):
            shown += block
    except OSError:
        pass  # Linux's way to say that the other side has hung up
    os.close(primary)
    return process.wait(60), shown.decode()


def test_on_a_terminal_a_draft_that_turns_out_void_is_struck_out(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue(Reply("The fence was struck about 56", ending="cut"))
    code, shown = on_a_terminal(
        "ask", FENCE, "--index", str(samples_index), "--ollama-url", server.url
    )
    assert code == 15
    last = shown[shown.rindex("56") - 60 :]
    assert "\x1b[9;2m  The fence was struck about 56\x1b[0m" in last
    assert "ended before the answer was complete" in last


def test_on_a_terminal_a_whole_answer_is_left_standing(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue("The fence was struck about 56 feet short [1].")
    code, shown = on_a_terminal(
        "ask", FENCE, "--index", str(samples_index), "--ollama-url", server.url
    )
    assert code == 0
    assert "\x1b[9" not in shown
    assert "Searched 11 of 11 files." in shown


def test_on_a_terminal_each_sentence_gets_its_mark_before_the_next_is_checked(
    samples_index: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by the watcher that a screen is: written, then sentence by sentence."""
    from rag.checking.answers import Checking
    from rag.cli_screen import Screen

    heard: list[str] = []
    monkeypatch.setattr(Screen, "written", lambda _, text: heard.append(f"written {text[:4]}"))
    monkeypatch.setattr(Screen, "checked", lambda _, s: heard.append(f"shown {s.text[:4]}"))
    check = Checking._checked

    def told(self: Checking, sentence: Any, *rest: Any) -> Any:
        heard.append(f"check {sentence.text[:4]}")
        return check(self, sentence, *rest)

    monkeypatch.setattr(Checking, "_checked", told)
    server.enqueue("One fence was struck [1]. Two fences were struck [1].")
    ask_model(samples_index, server, FENCE)
    assert heard == ["written One ", "check One ", "shown One ", "check Two ", "shown Two "]


def test_on_a_terminal_an_answer_that_is_revised_is_struck_out_with_its_marks(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue(
        "The airplane struck a fence about 750 feet before the runway threshold [1].",
        "The airplane struck a fence about 56 feet before the runway threshold [1].",
    )
    code, shown = on_a_terminal(
        "ask", FENCE, "--index", str(samples_index), "--ollama-url", server.url, "--repair",
        "--verifier", "rules",
    )  # fmt: skip
    assert code == 0
    struck = re.findall(r"\x1b\[9;2m(.*?)\x1b\[0m", shown)
    assert "750 feet" in " ".join(struck)
    assert "56 feet" not in " ".join(struck)
    first, _, revised = shown.partition("asked for one revision")
    assert "✗" in first
    assert "✗" not in revised
    assert revised.count("Evidence") == 1
    assert "revised once: flagged 1, then 0" in revised


def test_repair_with_json_prints_one_document_and_notices_apart(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue(
        "The airplane struck a fence about 750 feet before the runway threshold [1].",
        Reply("The airplane", ending="cut"),
    )
    more = ("--json", "--repair", "--strict", "--verifier", "rules")
    done = ask_model(samples_index, server, FENCE, *more)
    assert done.code == 6
    has_shape(done.json, {**ANSWER, "repair": REPAIR})
    assert done.json["repair"]["kept"] == "first"
    assert "750 feet" in done.json["answer"]


def test_a_store_lost_after_the_draft_makes_the_draft_void(
    samples_index: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the command after the first word, the words on the screen are struck out."""
    from rag.cli_screen import Screen
    from rag.errors import StoreUnavailable

    def lost(self: Pipeline, files: str | None = None) -> None:
        raise StoreUnavailable("Qdrant at http://127.0.0.1:9 is gone", "start it")

    struck: list[bool] = []
    monkeypatch.setattr(Pipeline, "coverage", lost)
    monkeypatch.setattr(Screen, "void", lambda _: struck.append(True))
    server.enqueue("The fence was struck about 56 feet short [1].")
    assert ask_model(samples_index, server, FENCE).code == 13
    assert struck == [True]


# ---------------------------------------------------------------------- the shell around it


def test_a_reader_who_has_had_enough_ends_it_quietly(samples_index: Path) -> None:
    shell = shutil.which("bash")
    assert shell
    line = f'"{sys.executable}" -m rag search fence --index "{samples_index}" | head -0; '
    done = subprocess.run(
        [shell, "-c", line + 'exit "${PIPESTATUS[0]}"'],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_without_a_stream_to_write_to_it_ends_as_with_one(samples_index: Path, closed: str) -> None:
    """And no file that is opened later takes the stream's place."""
    words = [sys.executable, "-m", "rag", "search", "fence", "--index", str(samples_index)]
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(words)} {closed}"], env=clean_environment(), check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert "error" not in done.stderr
    assert bool(done.stdout) == (" >&-" not in f" {closed}")


def test_output_on_a_full_disk_is_exit_16(samples_index: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rag", "status", "--index", str(samples_index)],
            stdout=full, stderr=subprocess.PIPE, text=True, env=clean_environment(),
            timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 16
    assert "no space left" in one_error_line(done.stderr)


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([signal.SIGINT], id="Ctrl-C"),
        pytest.param([signal.SIGTERM], id="docker stop"),
        pytest.param([signal.SIGTERM, signal.SIGTERM], id="timeout"),
    ],
)
def test_whoever_interrupts_while_the_model_is_silent_gets_exit_130(
    samples_index: Path, server: ScriptedServer, numbers: list[signal.Signals]
) -> None:
    server.enqueue(Reply("The fence was", ending="stall"))
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "ask", FENCE, "--index", str(samples_index),
         "--ollama-url", server.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment(),
    )  # fmt: skip
    patience = time.monotonic() + 60
    while not server.chats() and time.monotonic() < patience:
        time.sleep(0.05)
    for number in numbers:
        process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "The fence was" not in out
    assert one_error_line(err.lstrip("\n")) == "rag: interrupted"


def test_a_second_sigterm_cuts_no_cleaning_up_short(capsys: pytest.CaptureFixture[str]) -> None:
    """`timeout` sends it to the command and then to its group."""
    cleaned = []

    @click.command()
    def slow() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            cleaned.append(True)

    former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert run(slow, []) == 130
    finally:
        signal.signal(signal.SIGTERM, former)
    assert cleaned == [True]
    assert "interrupted" in capsys.readouterr().err


def test_a_run_that_was_not_interrupted_leaves_sigterm_as_it_was() -> None:
    """And one that somebody else handles is left to them."""
    before = signal.getsignal(signal.SIGTERM)
    rag_here("--version")
    assert signal.getsignal(signal.SIGTERM) is before
    seen: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        run(click.Command("other", callback=lambda: signal.raise_signal(signal.SIGTERM)), [])
    finally:
        signal.signal(signal.SIGTERM, former)
    assert seen == [signal.SIGTERM]
