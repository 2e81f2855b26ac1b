"""Answers from any server that speaks OpenAI's chat protocol: llama.cpp, vLLM and others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rag.generators._http import ModelServer, Refusal
from rag.generators._reply import Reply, messages, prompt_too_long, value_at
from rag.generators.base import OnText
from rag.records import Draft, Prompt

_SHOWN_MODELS = 5  # in the error for a missing model; a server can list hundreds


class OpenAIGenerator:
    """Answers from a model behind ``url``, which may end in «/v1» or not.

    With ``model`` "" the first model served is used, with ``or_first`` also when ``model`` is not
    among them. ``context`` is the window in tokens for
    prompt and answer together; ``check`` lowers it to the server's own where that is smaller.
    The key goes into the request and nowhere else.
    """

    kind = "openai"

    def __init__(
        self, url: str, model: str, *, or_first: bool = False,
        api_key: str, context: int, answer_tokens: int, seed: int,
        connect_timeout: float, reply_timeout: float,
    ) -> None:  # fmt: skip
        self._http = ModelServer(
            url,
            name="the model server",
            remedy="start it, or name its address with --openai-url",
            access="give its key in RAG_OPENAI_API_KEY",
            connect_timeout=connect_timeout,
            reply_timeout=reply_timeout,
            api_key=api_key,
        )
        self._root = self._http.under("/v1")
        self.model = model
        self._or_first = or_first
        self.context = context
        self.answer_tokens = answer_tokens
        self._seed = seed
        self._tokenizes = True

    def check(self) -> str | None:
        """Find the model on the server; the protocol has no digests, so the result is None.

        Raises ModelUnavailable, naming what is served when the model is not.
        """
        served = self._served()
        if not served:
            raise self._http.unavailable("serves no model", "load one into it")
        entry = next((e for e in served if self.model in _names(e)), None)
        if entry is None and (self._or_first or not self.model):
            entry, self.model = served[0], ""
        if entry is None:
            names = ", ".join(self._http.quoted(str(e["id"])) for e in served[:_SHOWN_MODELS])
            raise self._http.unavailable(
                f"has no model «{self.model}»", f"choose one it serves with --model: {names}"
            )
        self.model = self.model or entry["id"]
        told = entry.get("max_model_len") or self._slot_context()
        if isinstance(told, int) and told > 0:
            self.context = min(self.context or told, told)
        return None

    def count_tokens(self, text: str) -> int | None:
        """The tokens of ``text`` as the server splits it, or None if it has no /tokenize.

        Raises ModelUnavailable when the server does not answer.
        """
        if not self._tokenizes:
            return None
        # llama.cpp reads the first two fields, vLLM the others; each passes over the rest.
        body = {
            "content": text, "add_special": False,
            "model": self.model, "prompt": text, "add_special_tokens": False,
        }  # fmt: skip
        try:
            reply = self._http.ask("POST", f"{self._root}/tokenize", body)
        except Refusal as refusal:
            if refusal.status >= 500:
                raise self._http.refused(refusal) from refusal
            reply = {}
        if isinstance(reply.get("count"), int):
            return int(reply["count"])
        if isinstance(reply.get("tokens"), list):
            return len(reply["tokens"])
        self._tokenizes = False
        return None

    def generate(self, prompt: Prompt, on_text: OnText) -> Draft:
        """Write the answer, calling ``on_text`` with each piece as it comes.

        Raises ModelUnavailable before the answer has begun, and ReplyInvalid for an answer that
        is cut, broken or empty, or that was written from a prompt cut short.
        """
        if not self.model:
            self.check()
        reply = Reply(self._http, prompt, on_text)
        url = f"{self._root}/v1/chat/completions"
        try:
            with closing(self._http.lines(url, self._request(prompt))) as lines:
                reason, usage = _read_to_done(lines, reply)
        except Refusal as refusal:
            raise self._chat_error(refusal, prompt) from refusal
        reply.check_finish(reason, self.answer_tokens)
        return reply.draft(
            kind=self.kind, model=self.model, digest=None,
            context=self.context, answer_tokens=self.answer_tokens,
            prompt_tokens=value_at(usage, "prompt_tokens"),
            completion_tokens=value_at(usage, "completion_tokens"),
        )  # fmt: skip

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": messages(prompt),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "seed": self._seed,
            "max_tokens": self.answer_tokens,
        }

    def _served(self) -> list[dict[str, Any]]:
        try:
            listed = self._http.ask("GET", f"{self._root}/v1/models").get("data")
        except Refusal as refusal:
            raise self._http.refused(refusal) from refusal
        if not isinstance(listed, list):
            raise self._http.unavailable("does not list its models")
        return [e for e in listed if isinstance(e, dict) and isinstance(e.get("id"), str)]

    def _slot_context(self) -> Any:
        """What llama.cpp gives to one request, in tokens; None from a server that does not say."""
        try:
            props = self._http.ask("GET", f"{self._root}/props")
        except Refusal:
            return None
        return value_at(props, "default_generation_settings", "n_ctx")

    def _chat_error(self, refusal: Refusal, prompt: Prompt) -> Exception:
        if refusal.status in (400, 413) and "context" in refusal.message.lower():
            return prompt_too_long(self._http, prompt, self.context, refusal.message)
        if refusal.status == 404:
            return self._http.unavailable(
                f"does not serve «{self._http.quoted(self.model)}» ({refusal.message})",
                "choose another --model, or correct --openai-url",
            )
        return self._http.refused(refusal)


def _names(entry: dict[str, Any]) -> list[Any]:
    aliases = entry.get("aliases")
    return [entry["id"], *(aliases if isinstance(aliases, list) else ())]


def _read_to_done(lines: Iterator[bytes], reply: Reply) -> tuple[Any, Any]:
    """(finish reason, usage) of a server-sent event stream read up to «[DONE]»."""
    reason: Any = None
    usage: Any = None
    for line in lines:
        field, _, data = line.strip().partition(b":")
        if field in (b"", b"event", b"id", b"retry"):  # comments keep the line open
            continue
        data = data.strip() if field in (b"data", b"error") else line
        if data == b"[DONE]":
            return reason, usage
        record = reply.record(data)
        usage = record.get("usage") or usage
        choices = record.get("choices") or [{}]
        choice = choices[0] if isinstance(choices, list) else None
        reply.add(value_at(choice, "delta", "content"))
        reason = value_at(choice, "finish_reason") or reason
    raise reply.unfinished()
