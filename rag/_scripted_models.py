"""What ``rag.testing.ScriptedServer`` says: Ollama's, OpenAI's and System One's protocol, as
spoken for real."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from rag._scripted_http import FaultyHandler, Reply, Request


class ModelHandler(FaultyHandler):
    """Answers as Ollama does under /api and as an OpenAI-style server does under /v1."""

    def answer(self, request: Request) -> None:
        script = self.server.script
        replies = {
            "/api/chat": self._ollama_chat,
            "/v1/chat/completions": self._openai_chat,
            "/v1/systemone": self._systemone,
        }
        if reply := replies.get(request.path):
            reply(request.body)
            return
        match request.path:
            case "/api/version":
                self.send_json({"version": "0.40.0"})
            case "/api/tags":
                self.send_json({"models": [_ollama_entry(name) for name in script.models]})
            case "/api/show" if request.body["model"] in script.models:
                self.send_json(_DECISION_SHOWN if _decides(request.body["model"]) else _SHOWN)
            case "/api/pull":
                self._ollama_pull(request.body["model"])
            case "/v1/models":
                self.send_json({"object": "list", "data": [{"id": name} for name in script.models]})
            case "/props" if script.slot_context:
                self.send_json({"default_generation_settings": {"n_ctx": script.slot_context}})
            case "/tokenize" if script.tokenize:
                tokens = list(range(_tokens(request.body["content"])))
                counted = {"tokens": tokens} if script.tokenize == "llama.cpp" else {}
                self.send_json(counted or {"count": len(tokens)})
            case _:
                self.send_json({"error": "not found"}, 404)

    # ------------------------------------------------------------------ Ollama

    def _ollama_chat(self, body: dict[str, Any]) -> None:
        reply = self._next_reply(body)
        if reply is None:
            return
        options = body.get("options", {})
        limit = options.get("num_ctx", 4096)
        count = _told_count(reply, body)
        if reply.prompt_tokens is None and count > limit:
            if body.get("truncate") is False:
                self.send_json({"error": "the input length exceeds the context length"}, 400)
                return
            count = limit // 2  # Ollama's silent cut
        pieces = _pieces(reply.text)
        written = pieces[: options.get("num_predict")]
        ending = "length" if len(written) < len(pieces) else reply.ending
        self.begin("application/x-ndjson")
        stamp = {"model": body["model"], "created_at": "2026-11-20T10:00:00.000000Z"}
        for part, text in (("thinking", reply.thinking), *(("content", p) for p in written)):
            if text:
                message = {"role": "assistant", "content": "", part: text}
                self._line({**stamp, "message": message, "done": False})
        last: dict[str, Any] = {
            **stamp, "message": {"role": "assistant", "content": ""}, "done": True,
            "done_reason": ending, "total_duration": 9_000_000, "load_duration": 1_000_000,
            "prompt_eval_duration": 3_000_000,
            "eval_count": len(written), "eval_duration": 5_000_000,
        }  # fmt: skip
        if count:
            last["prompt_eval_count"] = count
        self._end(reply, ending, [last], _ndjson)

    def _ollama_pull(self, model: str) -> None:
        script = self.server.script
        reply = script.replies.popleft() if script.replies else Reply()
        self.begin("application/x-ndjson")
        self._line({"status": "pulling manifest"})
        layer = {"status": "pulling 0a1b2c3d4e5f", "digest": "sha256:0a1b2c3d4e5f", "total": 100}
        self._line({**layer, "completed": 40})
        if not reply.error and reply.ending == "stop":
            script.models.append(model)
        records = [{**layer, "completed": 100}, {"status": "success"}]
        self._end(reply, reply.ending, records, _ndjson)

    # ------------------------------------------------------------------ OpenAI

    def _openai_chat(self, body: dict[str, Any]) -> None:
        reply = self._next_reply(body)
        if reply is None:
            return
        pieces = _pieces(reply.text)
        written = pieces[: body.get("max_tokens")]
        ending = "length" if len(written) < len(pieces) else reply.ending
        self.begin("text/event-stream")
        self._event({"delta": {"role": "assistant", "content": None}, "finish_reason": None})
        for piece in written:
            self._event({"delta": {"content": piece}, "finish_reason": None})
        usage = {"completion_tokens": len(written)}
        if count := _told_count(reply, body):
            usage["prompt_tokens"] = count
        records: list[Any] = [
            {"choices": [{"index": 0, "delta": {}, "finish_reason": ending}]},
            {"choices": [], "usage": usage},
            "[DONE]",
        ]
        self._end(reply, ending, records, _sse)

    def _event(self, choice: dict[str, Any]) -> None:
        self.chunk(_sse({"object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]}))

    # ------------------------------------------------------------------ System One

    def _systemone(self, body: dict[str, Any]) -> None:
        """Answers with the probabilities of the next reply, whose text is {question: {option:
        probability}} as JSON; any other text is sent as it is."""
        model = body["model"]
        if model in self.server.script.models and not _decides(model):
            told = "This model is not a decision model"  # as llama.cpp says it
            error = {"code": 501, "message": told, "type": "not_supported_error"}
            self.send_json({"error": error}, 501)
            return
        reply = self._next_reply(body)
        if reply is None:
            return
        try:
            scripted = dict(json.loads(reply.text))
        except (ValueError, TypeError):
            self.send_body(reply.text.encode(), 200)
            return
        answers = {question: _choice(found) for question, found in scripted.items()}
        usage = {"input_tokens": _tokens(json.dumps(body)), "output_tokens": 0}
        self.send_json({"model": model, "answers": answers, "usage": usage})

    # ------------------------------------------------------------------ replies

    def _next_reply(self, body: dict[str, Any]) -> Reply | None:
        """The next scripted reply or None once an error was sent."""
        script = self.server.script
        if body["model"] not in script.models:
            self.send_json({"error": f"model '{body['model']}' not found"}, 404)
            return None
        reply = script.replies.popleft() if script.replies else Reply(status=500, error="no script")
        if reply.status != 200:
            self.send_json({"error": reply.error}, reply.status)
            return None
        return reply

    def _end(
        self, reply: Reply, ending: str, records: list[Any], frame: Callable[[Any], str]
    ) -> None:
        if reply.error:
            records = [{"error": reply.error}]
        elif ending == "malformed":
            self.chunk(frame(records[0])[:20] + "\n")
        elif ending == "stall":
            self.server.script.closing.wait()
        elif ending == "reset":
            self.reset()
            return
        if ending not in ("cut", "malformed", "stall"):
            for record in records:
                self.chunk(frame(record))
        self.wfile.write(b"0\r\n\r\n")

    def _line(self, record: dict[str, Any]) -> None:
        self.chunk(_ndjson(record))


def _ndjson(record: Any) -> str:
    # As Go writes it: U+0085 and the like stand unescaped inside a string.
    return json.dumps(record, ensure_ascii=False) + "\n"


def _sse(record: Any) -> str:
    data = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    return f"data: {data}\n\n"


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+", text)


def _tokens(text: str) -> int:
    return len(text.encode()) // 4 + 1


def _told_count(reply: Reply, body: dict[str, Any]) -> int:
    if reply.prompt_tokens is not None:
        return reply.prompt_tokens
    return sum(_tokens(message["content"]) for message in body["messages"])


def _decides(model: str) -> bool:
    return model.startswith("d1-")


def _choice(probabilities: Any) -> dict[str, Any]:
    """One answer to a «choice»; what is no set of probabilities is left out of it."""
    if not isinstance(probabilities, dict) or not probabilities:
        return {"type": "choice"}
    numbers = {k: v for k, v in probabilities.items() if isinstance(v, int | float)}
    best = max(numbers, key=numbers.__getitem__, default="")
    return {
        "type": "choice", "choice": best, "probabilities": probabilities,
        "confidence": numbers.get(best, 0.0),
    }  # fmt: skip


def _ollama_entry(name: str) -> dict[str, Any]:
    return {
        "name": name, "model": name, "modified_at": "2026-11-01T09:00:00Z", "size": 2_497_293_931,
        "digest": "0edcdef34593a7acb78f3b1b1a0f8a1e0e1b7f2f5a7e8f6d5c4b3a2918171615",
        "details": _SHOWN["details"],
    }  # fmt: skip


#: What Ollama tells of qwen3:4b-instruct, shortened.
_SHOWN: dict[str, Any] = {
    "modified_at": "2026-11-01T09:00:00Z",
    "details": {
        "parent_model": "", "format": "gguf", "family": "qwen3", "families": ["qwen3"],
        "parameter_size": "4.0B", "quantization_level": "Q4_K_M",
    },
    "model_info": {
        "general.architecture": "qwen3", "qwen3.block_count": 36, "qwen3.context_length": 262144,
        "qwen3.embedding_length": 2560, "qwen3.attention.head_count": 32,
        "qwen3.attention.head_count_kv": 8, "qwen3.attention.key_length": 128,
        "qwen3.attention.value_length": 128,
    },
    "capabilities": ["completion", "tools"],
}  # fmt: skip

#: The same of a decision model.
_DECISION_SHOWN: dict[str, Any] = {
    "modified_at": "2026-11-01T09:00:00Z",
    "details": {
        "parent_model": "",
        "format": "safetensors",
        "family": "lfm2",
        "families": ["lfm2"],
        "parameter_size": "600M",
        "quantization_level": "BF16",
    },
    "model_info": {"general.architecture": "lfm2", "lfm2.context_length": 128000},
    "capabilities": ["decision", "vision", "audio"],
}
