"""OpenAI's protocol: scripted to the byte, and spoken with a real llama.cpp server."""

from __future__ import annotations

import pytest

from rag.errors import ModelUnavailable, ReplyInvalid, UsageError
from rag.generators.ollama import OllamaGenerator, OllamaServer
from rag.generators.openai import OpenAIGenerator
from rag.records import Prompt
from rag.testing import MODEL, TINY_MODEL, Reply, ScriptedServer

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
KEY = "sk-very-secret-key-of-this-test"


@pytest.fixture
def server():
    with ScriptedServer() as scripted:
        yield scripted


def generator(url: str, model: str = MODEL, **changes) -> OpenAIGenerator:
    kept = {
        "api_key": KEY, "context": 4096, "answer_tokens": 512, "seed": 7,
        "connect_timeout": 20.0, "reply_timeout": 2.0,
    } | changes  # fmt: skip
    return OpenAIGenerator(url, model, **kept)


def ignore(_text: str) -> None:
    """For tests that look at the Draft alone."""


# ---------------------------------------------------------------- the real server


def test_a_real_server_streams_an_answer_and_counts_its_prompt(tiny_llama):
    writer = generator(tiny_llama, TINY_MODEL, answer_tokens=400, reply_timeout=60)
    writer.check()
    rules, material = "You answer in one short sentence.", "What is the capital of France?"
    counted = writer.count_tokens(rules) + writer.count_tokens(material)
    pieces = []
    draft = writer.generate(
        Prompt("q", (), rules, material, "a", "f", counted, 3000), pieces.append
    )
    assert draft.text.strip()
    assert "".join(pieces) == draft.text
    assert len(pieces) == pytest.approx(draft.completion_tokens, abs=3)
    # The chat template adds its own few tokens to the two texts.
    assert counted <= draft.prompt_tokens <= counted + 16
    assert (draft.kind, draft.model, draft.digest) == ("openai", TINY_MODEL, None)


def test_a_real_server_counts_tokens_exactly(tiny_llama):
    writer = generator(tiny_llama, TINY_MODEL)
    assert writer.count_tokens("Hello world") == 2
    assert writer.count_tokens("") == 0
    long = writer.count_tokens("The leave policy grants days.\n" * 100)
    assert 500 <= long <= 1000


def test_a_real_server_cuts_a_long_answer_and_it_is_refused(tiny_llama):
    writer = generator(tiny_llama, TINY_MODEL, answer_tokens=4, reply_timeout=60)
    prompt = Prompt("q", (), "You are thorough.", "Tell a story.", "a", "f", 8, 3000)
    with pytest.raises(ReplyInvalid, match="cut at 4 tokens"):
        writer.generate(prompt, ignore)


def test_a_real_server_refuses_a_prompt_beyond_its_context(tiny_llama):
    writer = generator(tiny_llama, TINY_MODEL, reply_timeout=60)
    prompt = Prompt("q", (), "rules", "word " * 6000, "a", "f", 6000, 6000)
    with pytest.raises(ReplyInvalid, match=r"does not fit.*4096 tokens.*fewer passages"):
        writer.generate(prompt, ignore)


def test_the_only_model_of_a_real_server_needs_no_name_and_lends_its_context(tiny_llama):
    writer = generator(tiny_llama, "", context=100_000)
    assert writer.check() is None
    assert (writer.model, writer.context) == (TINY_MODEL, 4096)


def test_a_real_server_says_which_model_it_serves_instead(tiny_llama):
    with pytest.raises(ModelUnavailable, match=TINY_MODEL):
        generator(tiny_llama, "qwen3:4b-instruct").check()


# ---------------------------------------------------------------- the protocol, scripted


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_address_may_end_in_v1_or_not(server, suffix):
    server.enqueue("Fine.")
    writer = generator(server.url + suffix)
    writer.check()
    writer.generate(PROMPT, ignore)
    paths = [r.path for r in server.requests]
    assert paths == ["/v1/models", "/props", "/v1/chat/completions"]


def test_the_request_is_repeatable_and_carries_the_key(server):
    server.enqueue("21 days.")
    draft = generator(server.url).generate(PROMPT, ignore)
    assert draft.text == "21 days."
    (chat,) = server.chats()
    assert chat.headers["authorization"] == f"Bearer {KEY}"
    assert chat.body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": PROMPT.rules},
            {"role": "user", "content": PROMPT.material},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "seed": 7,
        "max_tokens": 512,
    }


def test_both_protocols_send_the_model_the_same_text(server):
    server.enqueue("One.", "Two.")
    generator(server.url).generate(PROMPT, ignore)
    ollama = OllamaServer(server.url, connect_timeout=20, reply_timeout=2)
    OllamaGenerator(
        ollama, MODEL, context=4096, answer_tokens=512, seed=7, keep_alive="10m"
    ).generate(PROMPT, ignore)
    first, second = server.chats()
    assert first.body["messages"] == second.body["messages"]


def test_the_first_model_served_is_used_when_none_is_named():
    with ScriptedServer(models=("first", "second")) as server:
        server.enqueue("Fine.")
        assert generator(server.url, "").generate(PROMPT, ignore).model == "first"


def test_a_server_without_a_model_is_said_so():
    with ScriptedServer(models=()) as server, pytest.raises(ModelUnavailable, match="no model"):
        generator(server.url, "").check()


@pytest.mark.parametrize(
    ("told", "configured", "used"), [(2048, 4096, 2048), (8192, 4096, 4096), (2048, 0, 2048)]
)
def test_the_smaller_of_both_contexts_counts(told, configured, used):
    with ScriptedServer(slot_context=told) as server:
        writer = generator(server.url, context=configured)
        writer.check()
        assert writer.context == used


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
def test_tokens_are_counted_by_either_kind_of_server(kind):
    with ScriptedServer(tokenize=kind) as server:
        assert generator(server.url).count_tokens("x" * 40) == 11
        assert server.requests[0].path == "/tokenize"


def test_a_server_that_cannot_count_is_asked_only_once():
    with ScriptedServer(tokenize="") as server:
        writer = generator(server.url)
        assert [writer.count_tokens("some text") for _ in range(3)] == [None] * 3
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(Reply("Half an", ending="cut"), "ended before", id="no-done"),
        pytest.param(Reply("Half an", ending="length"), "cut at 512 tokens", id="length"),
        pytest.param(Reply("Half", ending="content_filter"), "«content_filter»", id="filter"),
        pytest.param(Reply("Half", ending=""), "did not end by itself", id="no-reason"),
        pytest.param(Reply("Half an", error="out of cache"), "out of cache", id="error"),
        pytest.param(Reply("Half an", ending="malformed"), "not its protocol", id="malformed"),
        pytest.param(Reply("Half an", ending="reset"), "cut off", id="reset"),
        pytest.param(Reply("Half an", ending="stall"), "silent for 2 s", id="stall"),
        pytest.param(Reply(""), "is empty", id="empty"),
        pytest.param(Reply("Fine.", prompt_tokens=60), "prompt was cut", id="prompt-cut"),
        pytest.param(Reply("Fine.", prompt_tokens=3600), "3600 tokens where 3584", id="overfull"),
        pytest.param(
            Reply(status=400, error="This model's maximum context length is 4096 tokens."),
            "does not fit the context of 4096 tokens", id="too-long",
        ),
    ],
)  # fmt: skip
def test_an_incomplete_reply_is_an_error_and_never_a_draft(server, reply, told):
    server.enqueue(reply)
    with pytest.raises(ReplyInvalid) as caught:
        generator(server.url).generate(PROMPT, ignore)
    line = str(caught.value)
    assert told in line
    assert server.url in line
    assert "\n" not in line
    assert caught.value.remedy


def test_a_model_the_server_does_not_know_is_named(server):
    with pytest.raises(ModelUnavailable, match="«mistral»"):
        generator(server.url, "mistral").generate(PROMPT, ignore)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_showing_it(key):
    with pytest.raises(UsageError) as caught:
        generator("http://127.0.0.1:1", api_key=key)
    assert key not in str(caught.value)


def test_a_lone_surrogate_in_a_reply_can_still_be_printed(server):
    """JSON can spell half an emoji, which no terminal or file takes."""
    server.enqueue("half \ud83d")
    assert generator(server.url).generate(PROMPT, ignore).text == "half ?"
