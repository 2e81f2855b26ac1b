"""When a streamed reply may count as an answer, whichever protocol brought it."""

from __future__ import annotations

import time
from typing import Any

from rag.errors import ReplyInvalid
from rag.generators._http import ModelServer, read_json
from rag.generators.base import OnText
from rag.records import Draft, Prompt

#: An estimated prompt came through whole if the server counts at least this share of
#: ``prompt.tokens``. The estimate is 1.1 to 1.8 times the true count, so a whole prompt comes back
#: as .55 or more. A server that cuts to half its window is caught; one that cuts less is caught
#: only where the count before sending was exact. Ollama is told not to cut at all.
WHOLE_PROMPT_SHARE = 0.45


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """The prompt as chat messages: rules first and byte-stable, for the server's prefix cache."""
    return [
        {"role": "system", "content": prompt.rules},
        {"role": "user", "content": prompt.material},
    ]


def value_at(record: Any, *path: str) -> Any:
    """``record[path[0]][path[1]]…``, or None where that does not exist."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return record


class Reply:
    """One streamed reply: hands each piece on, and makes a Draft of it only if it is whole."""

    def __init__(self, server: ModelServer, prompt: Prompt, on_text: OnText) -> None:
        self._server = server
        self._prompt = prompt
        self._on_text = on_text
        self._pieces: list[str] = []
        self._sent = time.perf_counter()
        self._first_token_s: float | None = None

    def record(self, line: bytes) -> dict[str, Any]:
        """One line of the stream as a JSON object. Raises ReplyInvalid for an error or noise."""
        record = read_json(line)
        if not isinstance(record, dict):
            shown = self._server.quoted(line.decode(errors="replace"))
            raise self._server.invalid(f"holds a line that is not its protocol: «{shown}»")
        error = record.get("error")
        if error:
            told = value_at(error, "message") or error
            raise self._server.invalid(f"broke off with an error: {self._server.quoted(str(told))}")
        return record

    def add(self, piece: Any) -> None:
        """Take a piece of the answer; None and "" are pauses, anything else must be text."""
        if not piece:
            return
        if not isinstance(piece, str):
            raise self._server.invalid("holds an answer that is not text")
        if self._first_token_s is None:
            self._first_token_s = time.perf_counter() - self._sent
        # A lone surrogate from a JSON escape could be neither printed nor stored.
        piece = piece.encode(errors="replace").decode()
        self._pieces.append(piece)
        self._on_text(piece)

    def unfinished(self) -> ReplyInvalid:
        return self._server.invalid("ended before the answer was complete")

    def check_finish(self, reason: Any, answer_tokens: int) -> None:
        """Only a model that stopped of its own accord has said all it meant to say."""
        if reason == "length":
            raise self._server.invalid(
                f"was cut at {answer_tokens} tokens",
                "raise answer_tokens (RAG_ANSWER_TOKENS) or ask for less at once",
            )
        if reason != "stop":
            shown = self._server.quoted(str(reason))
            raise self._server.invalid(f"did not end by itself (it says «{shown}»)")

    def draft(
        self, *, kind: str, model: str, digest: str | None,
        context: int, answer_tokens: int, prompt_tokens: Any, completion_tokens: Any,
    ) -> Draft:  # fmt: skip
        """The finished answer. Raises ReplyInvalid if it is empty or the prompt was cut."""
        sent = prompt_tokens if isinstance(prompt_tokens, int) else None
        written = completion_tokens if isinstance(completion_tokens, int) else None
        if sent is not None:
            self._check_prompt_count(sent, max(self._prompt.budget, context - answer_tokens))
        text = "".join(self._pieces)
        if not text.strip():
            raise self._server.invalid("is empty", "ask again, or choose another --model")
        return Draft(
            text=text, kind=kind, model=model, digest=digest,
            prompt_tokens=sent, completion_tokens=written,
            first_token_s=self._first_token_s,
            generate_s=time.perf_counter() - self._sent,
        )  # fmt: skip

    def _check_prompt_count(self, count: int, room: int) -> None:
        """Compare what the server says it read with what was sent.

        ``room`` is the budget, or the whole context less the answer where that is more: the
        chat template adds some tokens that the budget may not have counted.
        """
        if count > room:
            raise self._server.invalid(
                f"is void: the prompt took {count} tokens where {room} fit",
                "send fewer passages (-k) or raise context (RAG_CONTEXT)",
            )
        least = self._prompt.tokens * (1 if self._prompt.exact else WHOLE_PROMPT_SHARE)
        if count < least:
            about = "" if self._prompt.exact else "about "
            raise self._server.invalid(
                f"is void: it read only {count} of {about}{self._prompt.tokens} prompt tokens,"
                " so the prompt was cut",
                "give the server a larger context, or send fewer passages (-k)",
            )


def prompt_too_long(server: ModelServer, prompt: Prompt, context: int, told: str) -> ReplyInvalid:
    """The error for a server that refuses a prompt because of its length, as it should."""
    return ReplyInvalid(
        f"the prompt of about {prompt.tokens} tokens does not fit the context of {context} tokens"
        f" of {server.name} at {server.url} (it says: {told})",
        "send fewer passages (-k) or raise context (RAG_CONTEXT)",
    )
