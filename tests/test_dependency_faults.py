"""Servers that fail, met by the whole command: the right exit code, soon, in one line, no key.

The protocols are spoken over real sockets; see `rag.testing` for what each fault is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from conftest import Outcome, one_error_line, rag_here
from test_store_server import Front

from rag.testing import FaultKind, Reply, ScriptedServer, faulty_server

FAULTS: tuple[FaultKind, ...] = ("refused", "timeout", "401", "500", "503", "garbage", "reset")
QUESTION = "How many days of leave are there?"
QDRANT_KEY = "qdrant-sentinel-3f9a"
OPENAI_KEY = "openai-sentinel-77c1"
OLLAMA_PASSWORD = "ollama-sentinel-b20e"  # noqa: S105
SECRETS = (QDRANT_KEY, OPENAI_KEY, OLLAMA_PASSWORD)
TIMEOUT = 1  # seconds, the shortest that qdrant-client takes
KEYS = {
    "RAG_QDRANT_API_KEY": QDRANT_KEY, "RAG_OPENAI_API_KEY": OPENAI_KEY,
    "RAG_COLLECTION": "docs", "RAG_WORKERS": "1",
}  # fmt: skip
SHORT = {
    **KEYS, "RAG_QDRANT_TIMEOUT": str(TIMEOUT), "RAG_CONNECT_TIMEOUT": str(TIMEOUT),
    "RAG_REPLY_TIMEOUT": str(TIMEOUT),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "docs"
    folder.mkdir()
    (folder / "leave.txt").write_text("Employees accrue 21 days of paid leave a year.")
    return folder


@pytest.fixture(scope="module")
def local(folder: Path) -> Path:
    """An index on this machine."""
    index = folder.parent / "index"
    assert rag_here("ingest", str(folder), "--index", str(index)).code == 0
    return index


@pytest.fixture(scope="module")
def filled(folder: Path) -> Iterator[Front]:
    """A Qdrant server that holds an index."""
    front = Front()
    done = rag_here("ingest", str(folder), "--qdrant-url", front.url, env=KEYS)
    assert (done.code, done.out.count("1 new")) == (0, 1)
    yield front
    front.close()


@pytest.fixture
def qdrant(filled: Front) -> Iterator[Front]:
    yield filled
    filled.faults.clear()


def timed(*arguments: str, env: Mapping[str, str] = SHORT) -> Outcome:
    """The command, which must end within its timeout and five seconds and tell no secret."""
    started = time.monotonic()
    done = rag_here("--debug", *arguments, env=env)
    assert time.monotonic() - started < TIMEOUT + 5
    for secret in SECRETS:
        assert secret not in done.out + done.err
    return rag_here(*arguments, env=env) if done.code == 0 else without_traceback(done)


def without_traceback(done: Outcome) -> Outcome:
    """As without ``--debug``, which puts a traceback in front of the line."""
    assert "Traceback" in done.err
    return Outcome(done.code, done.out, done.err.splitlines(keepends=True)[-1])


# ---------------------------------------------------------------------- Qdrant

COMMANDS = {
    "ingest": ("ingest", "{folder}"),
    "search": ("search", QUESTION),
    "ask": ("ask", QUESTION, "--generator", "extractive"),
    "status": ("status",),
}


def qdrant_command(name: str, folder: Path, url: str) -> tuple[str, ...]:
    words = (word.format(folder=folder) for word in COMMANDS[name])
    return (*words, "--qdrant-url", url)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_qdrant_is_exit_13(
    qdrant: Front, folder: Path, fault: FaultKind, command: str
) -> None:
    url = qdrant.url
    if fault == "refused":
        gone = Front()
        gone.close()
        url = gone.url
    else:
        qdrant.fail(fault)
    done = timed(*qdrant_command(command, folder, url))
    line = one_error_line(done.err)
    assert (done.code, done.out) == (13, "")
    assert url in line
    assert ("key refused" in line) == (fault == "401")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("search", "/collections/docs/points/query"),
        ("ask", "/collections/docs/points/query"),
        ("ask", "/collections/docs/points/scroll"),
        ("ingest", "/collections/docs/points/payload"),
    ],
)
@pytest.mark.parametrize("fault", ["timeout", "500", "reset"])
def test_a_qdrant_that_fails_half_way_is_exit_13_too(
    qdrant: Front, folder: Path, fault: FaultKind, command: str, path: str
) -> None:
    qdrant.faults[path] = fault
    done = timed(*qdrant_command(command, folder, qdrant.url))
    assert done.code == 13
    one_error_line(done.err)


def test_after_a_fault_the_same_command_works_again(qdrant: Front, folder: Path) -> None:
    qdrant.fail("503")
    assert timed(*qdrant_command("ask", folder, qdrant.url)).code == 13
    qdrant.faults.clear()
    assert timed(*qdrant_command("ask", folder, qdrant.url)).code == 0


# ---------------------------------------------------------------------- model servers


def with_password(url: str) -> str:
    return url.replace("http://", f"http://me:{OLLAMA_PASSWORD}@")


@pytest.mark.parametrize("kind", ["ollama", "openai"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_model_server_that_was_asked_for_is_exit_14(
    local: Path, fault: FaultKind, kind: str
) -> None:
    with faulty_server(fault) as server:
        url = with_password(server.url) if kind == "ollama" else server.url
        done = timed(
            "ask", QUESTION, "--index", str(local), "--generator", kind, f"--{kind}-url", url
        )
    line = one_error_line(done.err)
    assert done.code == 14
    assert "21 days" not in done.out
    assert server.url in line


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_ollama_that_nobody_asked_for_gives_quotes_and_one_notice(
    local: Path, fault: FaultKind
) -> None:
    with faulty_server(fault) as server:
        done = timed("ask", QUESTION, "--index", str(local), "--ollama-url", server.url)
    assert done.code == 0
    assert "21 days" in done.out
    assert done.err.count("\n") == 1
    assert "so the sources are quoted" in done.err


@pytest.mark.parametrize(
    ("fault", "code"),
    [("timeout", 14), ("401", 14), ("500", 14), ("503", 14), ("garbage", 14), ("reset", 14),
     ("not_json", 15)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_a_model_server_that_fails_when_it_comes_to_the_answer_gives_none(
    local: Path, fault: FaultKind, code: int, kind: str
) -> None:
    path = "/api/chat" if kind == "ollama" else "/v1/chat/completions"
    with faulty_server(fault, path) as server:
        done = timed("ask", QUESTION, "--index", str(local), f"--{kind}-url", server.url)
    assert done.code == code
    assert "21 days" not in done.out
    one_error_line(done.err)


@pytest.mark.parametrize("fault", FAULTS)
def test_ingest_and_search_need_no_model_server(
    local: Path, folder: Path, fault: FaultKind
) -> None:
    """Whatever Ollama does, putting documents in and finding passages goes on."""
    with faulty_server(fault) as server:
        common = ("--index", str(local), "--ollama-url", server.url)
        assert timed("ingest", str(folder), *common).code == 0
        assert timed("search", QUESTION, *common).code == 0
        assert server.requests == []


# ---------------------------------------------------------------------- secrets


def test_keys_are_in_no_output_and_no_record(qdrant: Front, folder: Path, tmp_path: Path) -> None:
    """All goes well here; what was told is searched for the keys that made it so."""
    record = tmp_path / "answer.json"
    with ScriptedServer() as server:
        server.enqueue("There are 21 days of leave [1].")
        servers = ("--qdrant-url", qdrant.url, "--openai-url", server.url)
        told = [
            rag_here(*words, *servers, "--debug", env=KEYS)
            for words in (
                ("ask", QUESTION, "--save", str(record), "--json"), ("search", QUESTION, "--json"),
                ("status", "--json"), ("doctor", "--json"), ("ingest", str(folder), "--json"),
            )
        ]  # fmt: skip
        sent = server.chats()[0].headers["authorization"]
    assert [done.code for done in told] == [0] * 5
    assert sent == f"Bearer {OPENAI_KEY}"
    assert qdrant.requests[-1].headers["api-key"] == QDRANT_KEY
    shown = "".join(done.out + done.err for done in told) + record.read_text()
    assert json.loads(record.read_text())["generator"]["kind"] == "openai"
    for secret in SECRETS:
        assert secret not in shown


@pytest.mark.parametrize("where", ["error", "text"])
def test_a_key_that_a_server_repeats_is_not_repeated(local: Path, where: str) -> None:
    """An error line under HTTP 200, or a line that is no protocol, may hold what was sent."""
    reply = Reply("x", error=f"bad key {OPENAI_KEY}")
    if where == "text":
        reply = Reply(status=400, error=f"context for {OPENAI_KEY} exceeded")
    with ScriptedServer() as server:
        server.enqueue(reply)
        done = timed("ask", QUESTION, "--index", str(local), "--openai-url", server.url)
    assert done.code == 15
    assert "(hidden)" in done.err


def test_an_internal_error_shows_no_key_either(
    local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"header {OPENAI_KEY}") from ValueError(QDRANT_KEY)

    monkeypatch.setattr("rag.retrieval.Retriever.gather", broken)
    done = timed("ask", QUESTION, "--index", str(local))
    assert done.code == 1
    assert "internal error: RuntimeError: header •••" in done.err
