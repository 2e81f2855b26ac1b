"""Ollama: which models it has, and answers from its native chat endpoint.

The ``ollama`` package lists, describes and fetches models. Answers are asked for over plain
HTTP, because the package's ``chat`` cannot send ``truncate: false``: without that, a prompt too
long for the context loses about half its window, rules included, under HTTP 200.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from rag.errors import ModelUnavailable, UsageError
from rag.generators._http import ModelServer, Refusal
from rag.generators._ollama_models import InstalledModel, ModelDetails, details, installed
from rag.generators._reply import Reply, messages, prompt_too_long, value_at
from rag.generators.base import OnText
from rag.records import Draft, Prompt

__all__ = ["InstalledModel", "ModelDetails", "OllamaGenerator", "OllamaServer", "OnProgress"]

#: Called with (status, bytes completed, bytes in all; 0 where not yet known).
OnProgress = Callable[[str, int, int], None]

#: What the ollama package and the reading of its records raise for no JSON or another shape.
_MISSHAPEN = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)


class OllamaServer:
    """The server's side of the conversation: version, models, fetching one.

    Every method raises ModelUnavailable, naming the address and the remedy, when the server does
    not answer as Ollama does. Nothing is sent before a method is called.
    """

    def __init__(self, url: str, *, connect_timeout: float, reply_timeout: float) -> None:
        self.http = ModelServer(
            url,
            name="Ollama",
            remedy="start it with: ollama serve, or name its address with --ollama-url",
            access="name its user and password: --ollama-url http://USER:PASSWORD@HOST:PORT",
            connect_timeout=connect_timeout,
            reply_timeout=reply_timeout,
        )
        self.url = self.http.url

    def version(self) -> str:
        """The server's version, like «0.40.1»."""
        try:
            reply = self.http.ask("GET", f"{self.url}/api/version")
        except Refusal as refusal:
            raise self.http.refused(refusal) from refusal
        version = reply.get("version")
        if not isinstance(version, str):
            raise self.http.unavailable("does not tell its version")
        return version

    def models(self) -> list[InstalledModel]:
        """The models on the server's disk, in its order (latest change first)."""
        with self._package(self.http.connect_timeout) as client:
            return [installed(entry) for entry in client.list().models]

    def show(self, name: str) -> ModelDetails:
        """What the model can do. Raises ModelUnavailable with the pull command if it is missing."""
        with self._package(self.http.connect_timeout, model=name) as client:
            shown = client.show(name)
            return details(name, shown.capabilities or (), shown.modelinfo or {})

    def pull(self, name: str, on_progress: OnProgress) -> None:
        """Fetch a model, as ``ollama pull`` does; what was fetched before is not fetched again.

        Raises ModelUnavailable unless the server's last word is «success».
        """
        status = ""
        for step in self._pull_steps(name):
            status = self.http.quoted(step.status or "")
            on_progress(status, step.completed or 0, step.total or 0)
        if status != "success":
            raise self.http.unavailable(
                f"stopped before all of «{name}» was fetched", f"go on with: ollama pull {name}"
            )

    def _pull_steps(self, name: str) -> Iterator[Any]:
        with self._package(self.http.reply_timeout, model=name) as client:
            yield from client.pull(name, stream=True)

    @contextmanager
    def _package(self, silence: float, model: str = "") -> Iterator[Any]:
        """The ollama package's client, with all that it leaks turned into ModelUnavailable."""
        ollama = _ollama_package()
        try:
            with (
                self.http.transport_errors(silence),
                ollama.Client(host=self.url, **self.http.client_options(silence)) as client,
            ):
                yield client
        except ollama.ResponseError as error:
            refusal = Refusal(error.status_code, self.http.quoted(str(error.error)))
            raise self.failure(refusal, model) from error
        except _MISSHAPEN as error:
            raise self.http.unavailable("does not answer as Ollama does") from error

    def failure(self, refusal: Refusal, model: str = "") -> ModelUnavailable:
        """What an error status means when it was asked for, or with, ``model``."""
        if refusal.status == 404 and model:
            return self.missing(model)
        if refusal.status < 0:  # an error line under HTTP 200
            return self.http.unavailable(
                f"could not fetch «{model}»: {refusal.message}", "check the name and try again"
            )
        if "memory" in refusal.message.lower():
            return self.http.unavailable(
                f"cannot load «{model}»: {refusal.message}",
                "choose a smaller --model or a smaller context (RAG_CONTEXT)",
            )
        return self.http.refused(refusal)

    def missing(self, model: str) -> ModelUnavailable:
        """The error for a model that is not on the server, with the command that fetches it."""
        return self.http.unavailable(
            f"has no model «{model}»", f"fetch it with: ollama pull {model}"
        )


class OllamaGenerator:
    """Answers from a model on an Ollama server.

    ``context`` is the window in tokens for prompt and answer together, ``answer_tokens`` the
    part an answer may take, ``keep_alive`` how long the model stays loaded («10m»). These and
    ``seed`` go unchanged into every request, because Ollama reloads the model for a change.
    """

    kind = "ollama"

    def __init__(
        self, server: OllamaServer, model: str, *,
        context: int, answer_tokens: int, seed: int, keep_alive: str,
    ) -> None:  # fmt: skip
        self.server = server
        self.model = model
        self.context = context
        self.answer_tokens = answer_tokens
        self._seed = seed
        self._keep_alive = keep_alive
        self._digest: str | None = None

    def check(self) -> str | None:
        """Find the model on the server; return its digest.

        Raises ModelUnavailable, naming ``ollama pull MODEL`` when the model is not there.
        """
        for found in self.server.models():
            if _full_name(found.name) == _full_name(self.model):
                self._digest = found.digest
                return found.digest
        raise self.server.missing(self.model)

    def count_tokens(self, text: str) -> int | None:  # noqa: ARG002
        """Always None: Ollama has no endpoint that counts tokens."""
        return None

    def generate(self, prompt: Prompt, on_text: OnText) -> Draft:
        """Write the answer, calling ``on_text`` with each piece as it comes.

        Raises ModelUnavailable before the answer has begun, and ReplyInvalid for an answer that
        is cut, broken or empty, or that was written from a prompt cut short.
        """
        body = self._request(prompt)
        try:
            return self._generate(body, prompt, on_text)
        except Refusal as refusal:
            if refusal.status != 400 or "think" not in refusal.message.lower():
                raise self._chat_error(refusal, prompt) from refusal
        # Some models refuse the field itself, even to say no.
        del body["think"]
        try:
            return self._generate(body, prompt, on_text)
        except Refusal as refusal:
            raise self._chat_error(refusal, prompt) from refusal

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": messages(prompt),
            "stream": True,
            "truncate": False,
            "think": False,  # unset means on, for every model that can
            "keep_alive": self._keep_alive,
            "options": {
                "num_ctx": self.context,
                "num_predict": self.answer_tokens,
                "temperature": 0,
                "seed": self._seed,
            },
        }

    def _generate(self, body: dict[str, Any], prompt: Prompt, on_text: OnText) -> Draft:
        reply = Reply(self.server.http, prompt, on_text)
        with closing(self.server.http.lines(f"{self.server.url}/api/chat", body)) as lines:
            last = _read_to_done(lines, reply)
        # Servers before 0.1.38 give no reason; those that do must say «stop».
        reply.check_finish(last.get("done_reason", "stop"), self.answer_tokens)
        return reply.draft(
            kind=self.kind, model=self.model, digest=self._digest,
            context=self.context, answer_tokens=self.answer_tokens,
            prompt_tokens=last.get("prompt_eval_count"),  # the cached part included
            completion_tokens=last.get("eval_count"),
        )  # fmt: skip

    def _chat_error(self, refusal: Refusal, prompt: Prompt) -> Exception:
        if refusal.status in (400, 413) and "context" in refusal.message.lower():
            return prompt_too_long(self.server.http, prompt, self.context, refusal.message)
        return self.server.failure(refusal, self.model)


def _ollama_package() -> Any:
    try:
        import ollama  # takes .3 s, so not before it is needed
    except (ImportError, ValueError) as error:
        # It builds a client from the environment while it is imported.
        raise UsageError(
            "the ollama package cannot start: it is missing, or a proxy or OLLAMA_HOST set in the"
            " environment is one it cannot use",
            "correct or unset ALL_PROXY, HTTP_PROXY and OLLAMA_HOST",
        ) from error
    return ollama


def _read_to_done(lines: Iterator[bytes], reply: Reply) -> dict[str, Any]:
    for line in lines:
        record = reply.record(line)
        # What the model thinks comes in another field, and is no part of its answer.
        reply.add(value_at(record, "message", "content"))
        if record.get("done") is True:
            return record
    raise reply.unfinished()


def _full_name(model: str) -> str:
    """«llama3.2» is short for «llama3.2:latest»; a colon before a slash belongs to a host."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
