"""Ollama over HTTP: what is sent, what counts as an answer, and what a machine needs to know."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.errors import ModelUnavailable, ReplyInvalid, UsageError
from rag.generators.ollama import OllamaGenerator, OllamaServer
from rag.records import Prompt
from rag.testing import MODEL, Reply, ScriptedServer

PROMPT = Prompt(
    question="How many days?",
    passages=(),
    rules="Answer only from the passages. " * 10,
    material="<passage 1>Employees accrue 21 days.</passage>\nHow many days?",
    name="answer",
    fingerprint="f",
    tokens=150,
    budget=3500,
)


@pytest.fixture
def server():
    with ScriptedServer() as scripted:
        yield scripted


def generator(server: ScriptedServer, model: str = MODEL, **changes) -> OllamaGenerator:
    kept = {"context": 4096, "answer_tokens": 512, "seed": 7, "keep_alive": "10m"} | changes
    return OllamaGenerator(ollama(server), model, **kept)


def ollama(server: ScriptedServer) -> OllamaServer:
    return OllamaServer(server.url, connect_timeout=20.0, reply_timeout=2.0)


def ignore(_text: str) -> None:
    """For tests that look at the Draft alone."""


def test_an_answer_arrives_piece_by_piece_and_whole(server):
    server.enqueue(Reply("Employees accrue 21 days [1].", prompt_tokens=120))
    writer = generator(server)
    digest = writer.check()
    pieces = []
    draft = writer.generate(PROMPT, pieces.append)
    assert len(pieces) > 1
    assert "".join(pieces) == draft.text == "Employees accrue 21 days [1]."
    assert (draft.kind, draft.model, draft.digest) == ("ollama", MODEL, digest)
    assert (draft.prompt_tokens, draft.completion_tokens) == (120, 5)
    assert 0 <= draft.first_token_s <= draft.generate_s


def test_the_request_says_all_that_keeps_the_prompt_whole(server):
    server.enqueue("Yes.")
    generator(server).generate(PROMPT, ignore)
    assert server.chats()[0].body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": PROMPT.rules},
            {"role": "user", "content": PROMPT.material},
        ],
        "stream": True,
        "truncate": False,
        "think": False,
        "keep_alive": "10m",
        "options": {"num_ctx": 4096, "num_predict": 512, "temperature": 0, "seed": 7},
    }


def test_every_request_of_a_generator_begins_with_the_same_bytes(server):
    server.enqueue("One.", "Two.")
    writer = generator(server)
    for material in ("first question", "second question"):
        writer.generate(Prompt("q", (), PROMPT.rules, material, "a", "f", 90, 3500), ignore)
    first, second = server.chats()
    assert first.body["options"] == second.body["options"]
    assert first.raw.split(b"first")[0] == second.raw.split(b"second")[0]
    assert first.raw.split(b"question")[1] == second.raw.split(b"question")[1]


def test_thoughts_are_no_part_of_the_answer(server):
    server.enqueue(Reply("21 days.", thinking="The user asks about leave."))
    pieces = []
    assert generator(server).generate(PROMPT, pieces.append).text == "21 days."
    assert "user asks" not in "".join(pieces)


def test_a_model_that_refuses_the_think_field_is_asked_without_it(server):
    server.enqueue(Reply(status=400, error=f'"{MODEL}" does not support thinking'), "21 days.")
    assert generator(server).generate(PROMPT, ignore).text == "21 days."
    first, second = (chat.body for chat in server.chats())
    assert first.pop("think") is False
    assert first == second


def test_unusual_line_ends_inside_a_text_do_not_break_the_stream(server):
    text = "Leave\u0085is\u202821\u2029days\x0b in\x1c all."
    server.enqueue(text)
    assert generator(server).generate(PROMPT, ignore).text == text


def test_half_a_character_in_a_document_does_not_stop_the_question(server):
    server.enqueue("Fine.")
    broken = Prompt("q", (), "rules", "half of an emoji: \ud83d", "a", "f", 8, 3500)
    assert generator(server).generate(broken, ignore).text == "Fine."


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), max_size=80).filter(str.strip))
def test_any_text_comes_through_unchanged(server, text):
    server.enqueue(text)
    pieces = []
    draft = generator(server).generate(PROMPT, pieces.append)
    assert draft.text == text == "".join(pieces)


# ---------------------------------------------------------------- replies that are no answers


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(Reply("Half an", ending="cut"), "ended before", id="no-done"),
        pytest.param(Reply("", ending="cut"), "ended before", id="nothing-at-all"),
        pytest.param(Reply("Half an", ending="length"), "cut at 512 tokens", id="length"),
        pytest.param(Reply("Half an", ending="load"), "«load»", id="unknown-reason"),
        pytest.param(Reply("Half an", error="llama runner died"), "llama runner died", id="error"),
        pytest.param(Reply("Half an", ending="malformed"), "not its protocol", id="malformed"),
        pytest.param(Reply("Half an", ending="reset"), "cut off", id="reset"),
        pytest.param(Reply("Half an", ending="stall"), "silent for 2 s", id="stall"),
        pytest.param(Reply(" \n"), "is empty", id="blank"),
        pytest.param(Reply("Fine.", prompt_tokens=60), "prompt was cut", id="prompt-cut"),
        pytest.param(Reply("Fine.", prompt_tokens=3600), "3600 tokens where 3584", id="overfull"),
        pytest.param(
            Reply(status=400, error="the input length exceeds the context length"),
            "does not fit the context of 4096 tokens", id="too-long",
        ),
    ],
)  # fmt: skip
def test_an_incomplete_reply_is_an_error_and_never_a_draft(server, reply, told):
    server.enqueue(reply)
    with pytest.raises(ReplyInvalid) as caught:
        generator(server).generate(PROMPT, ignore)
    line = str(caught.value)
    assert told in line
    assert server.url in line
    assert "\n" not in line
    assert caught.value.remedy


def test_an_answer_longer_than_its_room_is_cut_by_the_server_and_refused_here(server):
    server.enqueue("one two three four five")
    with pytest.raises(ReplyInvalid, match=r"cut at 3 tokens.*RAG_ANSWER_TOKENS"):
        generator(server, answer_tokens=3).generate(PROMPT, ignore)


def test_a_prompt_beyond_the_context_is_refused_by_the_server_not_shortened(server):
    server.enqueue("Fine.")
    with pytest.raises(ReplyInvalid, match=r"fewer passages \(-k\)"):
        generator(server, context=64).generate(PROMPT, ignore)


@pytest.mark.parametrize("factor", [1.0, 1.4, 1.8])
def test_a_careful_estimate_is_not_taken_for_a_cut_prompt(server, factor):
    """Estimates before sending run up to 1.8 times the true count."""
    server.enqueue(Reply("Fine.", prompt_tokens=1000))
    estimated = Prompt("q", (), "r", "m", "a", "f", int(1000 * factor), 3500)
    assert generator(server).generate(estimated, ignore).prompt_tokens == 1000


def test_a_server_that_tells_no_count_is_believed(server):
    """Older servers leave the count out; truncate:false still holds the prompt together."""
    server.enqueue(Reply("Fine.", prompt_tokens=0))
    assert generator(server).generate(PROMPT, ignore).prompt_tokens is None


# ---------------------------------------------------------------- models


@pytest.mark.parametrize(
    ("installed", "asked", "found"),
    [
        ("qwen3:4b-instruct", "qwen3:4b-instruct", True),
        ("qwen3:4b-instruct-q4_K_M", "qwen3:4b-instruct", False),
        ("qwen3:latest", "qwen3:4b-instruct", False),
        ("llama3.2:latest", "llama3.2", True),
        ("llama3.2:latest", "llama3.2:latest", True),
        ("llama3.2:1b", "llama3.2", False),
        ("host:5000/me/small:latest", "host:5000/me/small", True),
    ],
)
def test_a_model_is_found_by_its_full_name_or_as_latest(installed, asked, found):
    with ScriptedServer(models=(installed,)) as server:
        if found:
            assert len(generator(server, asked).check()) == 64
        else:
            with pytest.raises(ModelUnavailable) as caught:
                generator(server, asked).check()
            assert caught.value.remedy == f"fetch it with: ollama pull {asked}"


def test_a_model_removed_after_the_check_is_named_with_its_pull_command(server):
    with pytest.raises(ModelUnavailable, match="ollama pull mistral"):
        generator(server, "mistral").generate(PROMPT, ignore)


def test_ollama_cannot_count_tokens(server):
    assert generator(server).count_tokens("one two") is None
    assert server.requests == []


def test_version_and_models_are_read_as_records(server):
    assert ollama(server).version() == "0.40.0"
    (model,) = ollama(server).models()
    assert (model.name, model.parameters, model.quantization) == (MODEL, "4.0B", "Q4_K_M")
    assert (model.family, model.bytes, len(model.digest)) == ("qwen3", 2_497_293_931, 64)


def test_a_models_cache_size_follows_from_its_file(server):
    """qwen3 4b: 36 layers x 8 heads x (128 + 128) numbers x 2 bytes = 144 KiB a token."""
    details = ollama(server).show(MODEL)
    assert details.kv_bytes_per_token == 144 * 1024
    assert details.context_length == 262144
    assert details.capabilities == ("completion", "tools")


def test_details_of_a_missing_model_name_the_pull_command(server):
    with pytest.raises(ModelUnavailable, match="ollama pull mistral"):
        ollama(server).show("mistral")


def test_a_pull_reports_its_progress_and_ends_with_the_model_there(server):
    steps = []
    ollama(server).pull("llama3.2:1b", lambda *step: steps.append(step))
    assert steps[0] == ("pulling manifest", 0, 0)
    assert ("pulling 0a1b2c3d4e5f", 40, 100) in steps
    assert steps[-1] == ("success", 0, 0)
    assert generator(server, "llama3.2:1b").check()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(Reply(ending="cut"), "stopped before all of", id="no-success"),
        pytest.param(Reply(error="file does not exist"), "file does not exist", id="error-line"),
        pytest.param(Reply(ending="malformed"), "as Ollama does", id="malformed"),
        pytest.param(Reply(ending="reset"), "does not answer", id="reset"),
        pytest.param(Reply(ending="stall"), "silent for 2 s", id="stall"),
    ],
)
def test_a_pull_that_stops_early_is_an_error(server, reply, told):
    server.enqueue(reply)
    with pytest.raises(ModelUnavailable, match=told) as caught:
        ollama(server).pull("llama3.2:1b", lambda *_: None)
    assert server.url in str(caught.value)
    assert server.models == [MODEL]


def test_an_error_in_the_callers_own_progress_display_is_left_alone(server):
    def broken(*_step):
        raise ValueError("terminal too narrow")

    with pytest.raises(ValueError, match="too narrow"):
        ollama(server).pull("llama3.2:1b", broken)


def test_a_model_too_large_for_the_machine_is_said_so(server):
    told = "model requires more system memory (5.6 GiB) than is available (3.0 GiB)"
    server.enqueue(Reply(status=500, error=told))
    with pytest.raises(ModelUnavailable, match=r"5\.6 GiB.*smaller --model"):
        generator(server).generate(PROMPT, ignore)


# ---------------------------------------------------------------- addresses, proxies, keys


@pytest.mark.parametrize(
    "url", ["", "http://", "ftp://127.0.0.1", "http://127.0.0.1:port", "http://h/?key=1", "http://[::1"]
)  # fmt: skip
def test_an_unusable_address_is_a_usage_error(url):
    with pytest.raises(UsageError, match="address of Ollama"):
        OllamaServer(url, connect_timeout=1, reply_timeout=1)


def test_an_address_without_a_scheme_or_with_a_slash_works(server):
    for url in (server.url.removeprefix("http://"), server.url + "/"):
        assert OllamaServer(url, connect_timeout=20, reply_timeout=2).version() == "0.40.0"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
def test_a_proxy_never_sees_a_question_meant_for_this_machine(server, monkeypatch, name):
    with ScriptedServer() as proxy:
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        server.enqueue("Fine.")
        writer = generator(server)
        writer.check()
        assert writer.generate(PROMPT, ignore).text == "Fine."
        assert proxy.requests == []


def test_the_environment_of_the_ollama_command_changes_nothing(server, monkeypatch):
    """OLLAMA_HOST would point elsewhere, and OLLAMA_API_KEY is meant for another server."""
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("OLLAMA_API_KEY", "key-of-another-server")
    assert generator(server).check()
    assert "authorization" not in server.requests[0].headers


def test_a_password_in_the_address_is_sent_but_never_shown(server):
    address = server.url.replace("http://", "http://me:hush-hush@")
    remote = OllamaServer(address, connect_timeout=20, reply_timeout=2)
    remote.version()
    remote.models()
    sent = httpx.BasicAuth("me", "hush-hush")._auth_header
    assert [r.headers["authorization"] for r in server.requests] == [sent, sent]
    server.fail("500")
    with pytest.raises(ModelUnavailable) as caught:
        remote.version()
    assert "hush" not in str(caught.value) + remote.url


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False, capture_output=True, text=True, timeout=60, env=os.environ | environment,
    )  # fmt: skip


def test_importing_the_module_leaves_the_ollama_package_alone():
    code = "import sys, rag.generators.ollama; sys.exit('ollama' in sys.modules)"
    assert run_python(code).returncode == 0


def test_an_environment_that_the_ollama_package_cannot_use_is_a_usage_error():
    """The package reads OLLAMA_HOST and the proxies while it is imported, and raises then."""
    code = """if True:
        from rag.errors import UsageError
        from rag.generators.ollama import OllamaServer
        try:
            OllamaServer("127.0.0.1:1", connect_timeout=1, reply_timeout=1).models()
        except UsageError as error:
            print(error)
    """
    assert "unset ALL_PROXY" in run_python(code, OLLAMA_HOST="http://a:b:c").stdout
