"""What every writer of answers does: take a prompt, stream text, return a complete Draft."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rag.records import Draft, Prompt

#: Called with each piece of text as it arrives.
OnText = Callable[[str], None]


class Generator(Protocol):
    """Reads ``prompt.rules`` and ``prompt.material`` (or question and passages), writes an answer.

    ``context`` is the number of tokens prompt and answer share, 0 for «no limit»;
    ``answer_tokens`` the part of it kept for the answer.
    """

    kind: str
    model: str
    context: int
    answer_tokens: int

    def check(self) -> str | None:
        """Prove that the server answers and has the model; return the model's digest if known.

        Raises ModelUnavailable, with the exact command that mends it.
        """
        ...

    def count_tokens(self, text: str) -> int | None:
        """The exact number of tokens of ``text`` where the server can tell, else None."""
        ...

    def generate(self, prompt: Prompt, on_text: OnText) -> Draft:
        """Write the answer. Raises ModelUnavailable or, for an incomplete reply, ReplyInvalid."""
        ...
