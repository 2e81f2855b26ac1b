"""Every way a model server can fail, met by everything that talks to one.

The right error, in one line that names the server and the remedy, soon, and with no secret in it.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable

import pytest

from rag._scripted_http import FaultyHandler, LoopbackServer, Request, Script
from rag.errors import ModelUnavailable, RagError, ReplyInvalid
from rag.generators._http import SHOWN_CHARACTERS, ModelServer
from rag.generators.ollama import OllamaGenerator, OllamaServer
from rag.generators.openai import OpenAIGenerator
from rag.records import Prompt
from rag.testing import FAULTS, MODEL, FaultKind, Reply, ScriptedServer, faulty_server

PATIENCE = 20.0  # seconds, for calls that are not about time
TIMEOUT = 0.5  # seconds, for those that are
KEY = "sk-very-secret-key-of-this-test"
PROMPT = Prompt("q", (), "rules", "material", "answer", "f", 5, 3500)


def _ollama(url: str, timeout: float = PATIENCE) -> OllamaServer:
    address = url.replace("http://", f"http://me:{KEY}@")
    return OllamaServer(address, connect_timeout=timeout, reply_timeout=timeout)


def _ollama_generator(url: str, timeout: float = PATIENCE) -> OllamaGenerator:
    return OllamaGenerator(
        _ollama(url, timeout), MODEL, context=4096, answer_tokens=512, seed=7, keep_alive="10m"
    )


def _openai(url: str, timeout: float = PATIENCE) -> OpenAIGenerator:
    return OpenAIGenerator(
        url, MODEL, api_key=KEY, context=4096, answer_tokens=512, seed=7,
        connect_timeout=timeout, reply_timeout=timeout,
    )  # fmt: skip


def _ignore(*_: object) -> None:
    """For calls whose pieces do not matter."""


CALLS: dict[str, Callable[..., object]] = {
    "ollama version": lambda url, *wait: _ollama(url, *wait).version(),
    "ollama models": lambda url, *wait: _ollama(url, *wait).models(),
    "ollama show": lambda url, *wait: _ollama(url, *wait).show(MODEL),
    "ollama pull": lambda url, *wait: _ollama(url, *wait).pull("llama3.2:1b", _ignore),
    "ollama check": lambda url, *wait: _ollama_generator(url, *wait).check(),
    "ollama generate": lambda url, *wait: _ollama_generator(url, *wait).generate(
        PROMPT, lambda _: None
    ),
    "openai check": lambda url, *wait: _openai(url, *wait).check(),
    "openai generate": lambda url, *wait: _openai(url, *wait).generate(PROMPT, _ignore),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_ends_soon_in_one_clear_line(fault: FaultKind, call: str):
    with faulty_server(fault) as server:
        started = time.monotonic()
        with pytest.raises(RagError) as caught:
            CALLS[call](server.url, TIMEOUT if fault == "timeout" else PATIENCE)
        assert time.monotonic() - started < TIMEOUT + 5
    # A web page under HTTP 200 has begun as a reply, and is none.
    begun = fault == "not_json" and call.endswith("generate")
    assert type(caught.value) is (ReplyInvalid if begun else ModelUnavailable)
    line = str(caught.value)
    assert server.url in line
    assert caught.value.remedy
    assert "\n" not in line
    assert line.isprintable()
    assert KEY not in line
    assert base64.b64encode(f"me:{KEY}".encode()).decode() not in line


@pytest.mark.parametrize("fault", ["500", "503", "timeout", "reset"])
def test_a_failing_token_counter_is_an_error_and_not_a_guess(fault: FaultKind):
    with faulty_server(fault) as server, pytest.raises(ModelUnavailable):
        _openai(server.url, 2.0).count_tokens("text")


@pytest.mark.parametrize("fault", ["401", "404", "not_json"])
def test_a_server_that_offers_no_token_counter_has_none(fault: FaultKind):
    with faulty_server(fault) as server:
        assert _openai(server.url).count_tokens("text") is None


def test_a_server_that_does_not_answer_says_how_to_start_it():
    with faulty_server("refused") as server:
        with pytest.raises(ModelUnavailable, match="start it with: ollama serve"):
            _ollama_generator(server.url).check()
        with pytest.raises(ModelUnavailable, match="--openai-url"):
            _openai(server.url).check()


def test_a_busy_server_is_to_be_asked_again():
    with faulty_server("503") as server:
        with pytest.raises(ModelUnavailable, match=r"busy.*try again"):
            _ollama_generator(server.url).generate(PROMPT, _ignore)
        with pytest.raises(ModelUnavailable, match=r"busy.*try again"):
            _ollama(server.url).models()


@pytest.mark.parametrize("make", [_ollama_generator, _openai])
def test_a_redirect_is_refused_so_that_a_question_goes_only_where_it_was_sent(make):
    with ScriptedServer() as server:
        server.enqueue(Reply(status=307, error="over there"))
        with pytest.raises(ModelUnavailable, match="sends elsewhere"):
            make(server.url).generate(PROMPT, _ignore)
        assert len(server.requests) == 1


@pytest.mark.parametrize("make", [_ollama_generator, _openai])
def test_a_cut_answer_is_void_although_its_pieces_were_shown(make):
    """What was streamed cannot be unsaid; that it raises is what keeps it from being an answer."""
    with ScriptedServer() as server:
        server.enqueue(Reply("The limit is 40", ending="reset"))
        pieces: list[str] = []
        with pytest.raises(ReplyInvalid):
            make(server.url).generate(PROMPT, pieces.append)
        assert "".join(pieces) in ("The limit is 40", "The limit is", "The limit", "The", "")


@pytest.mark.parametrize("make", [_ollama_generator, _openai])
def test_a_display_that_fails_hangs_up_and_is_not_blamed_on_the_server(make):
    def broken(_text: str) -> None:
        raise BrokenPipeError

    with ScriptedServer() as server:
        server.enqueue("one two three")
        with pytest.raises(BrokenPipeError):
            make(server.url).generate(PROMPT, broken)


@pytest.mark.parametrize("make", [_ollama_generator, _openai])
def test_after_a_fault_is_mended_the_same_generator_answers(make):
    with ScriptedServer() as server:
        writer = make(server.url)
        server.fail("reset")
        with pytest.raises(ModelUnavailable):
            writer.check()
        server.fail(None)
        server.enqueue("Fine.")
        writer.check()
        assert writer.generate(PROMPT, _ignore).text == "Fine."


def test_a_hostile_error_text_is_shortened_and_defused():
    """A server's words go to a terminal: no escape codes, no line breaks, no flood, no key."""
    server = ModelServer(
        "http://127.0.0.1:1",
        name="it",
        remedy="",
        access="",
        connect_timeout=1,
        reply_timeout=1,
        api_key=KEY,
    )
    hostile = f"\x1b[2J\r\n\u202eevil\x00 {KEY} " + "flood " * 1000
    shown = server.quoted(hostile)
    assert len(shown) == SHOWN_CHARACTERS
    assert shown.isprintable()
    assert KEY not in shown
    assert "evil (hidden) flood" in shown


def test_no_key_shows_in_a_traceback_either():
    import traceback

    with faulty_server("401") as server:
        for make in (_openai, _ollama_generator):
            with pytest.raises(ModelUnavailable) as caught:
                make(server.url).check()
            assert KEY not in "".join(traceback.format_exception(caught.value))


# ---------------------------------------------------------------- replies of any shape


class _AnyBody(FaultyHandler):
    """Answers every request with the same bytes under HTTP 200."""

    body = b""

    def answer(self, request: Request) -> None:  # noqa: ARG002
        self.send_body(self.body, 200)


@pytest.fixture(scope="module")
def any_body():
    server = LoopbackServer(Script(models=[]), _AnyBody)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


_ARCHITECTURE = {"general.architecture": "q", "q.block_count": 2}
ODD_REPLIES = [
    None, 5, "text", [], {}, {"error": {"a": 1}}, {"error": ["x"]},
    {"models": None}, {"models": [None]}, {"models": [{"model": MODEL, "size": "large"}]},
    {"models": [{"model": MODEL, "details": {"parameter_size": 5}}]},
    {"model_info": {"general.architecture": ["q"]}, "capabilities": [1]},
    {"model_info": {**_ARCHITECTURE, "q.attention.head_count_kv": [1, None]}},
    {"model_info": {**_ARCHITECTURE, "q.context_length": float("inf")}},
    {"status": 5}, {"status": "success", "completed": "x"}, {"version": 40},
    {"data": [5, {"id": 5}]}, {"data": [{"id": MODEL, "max_model_len": "x", "aliases": 5}]},
    {"message": "x", "done": 1}, {"message": {"content": ["x"]}, "done": True},
    {"message": {"content": "x"}, "done": True, "prompt_eval_count": "x"},
    {"choices": "x"}, {"choices": {"a": 1}}, {"choices": [5]}, {"usage": 5},
    {"choices": [{"delta": 5, "finish_reason": {"a": 1}}]},
]  # fmt: skip
ODD_BYTES = [b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 5_000, b"9" * 5_000, b"data:\n" * 3]


@pytest.mark.parametrize("call", CALLS)
def test_no_shape_of_reply_gets_out_as_a_foreign_exception(any_body: str, call: str):
    bodies = [json.dumps(reply).encode() for reply in ODD_REPLIES] + ODD_BYTES
    errors = []
    for body in [*bodies, *(b"data: " + b for b in bodies)]:
        _AnyBody.body = body
        try:
            CALLS[call](any_body)
        except RagError as error:
            errors.append(str(error))
    assert errors
    assert all(any_body in line and len(line) < 600 for line in errors)


@pytest.mark.parametrize(
    ("host", "environment"),
    [
        ("127.0.0.1", False), ("127.9.9.9", False), ("localhost", False), ("[::1]", False),
        ("0.0.0.0", False), ("gpu.example.org", True), ("10.0.0.5", True),  # noqa: S104
    ],
)  # fmt: skip
def test_proxies_count_only_for_other_machines(host: str, environment: bool):
    server = ModelServer(
        f"http://{host}:8080", name="it", remedy="", access="", connect_timeout=1, reply_timeout=1
    )
    assert server.client_options(1)["trust_env"] is environment
