"""Passages → prompt within a token budget: whole passages are dropped, and named; none is cut."""

from __future__ import annotations

import re
from collections.abc import Sequence

import prompts
from rag.errors import UsageError
from rag.generators.base import Generator
from rag.records import Passage, Prompt

#: Tokens that a chat template adds around two messages (ChatML: 13–25, Llama 3: 20–30).
_CHAT_TEMPLATE = 48

_PIECES = re.compile(r"\d|[^\W\d_]+|[^\w\s]|_|\n+|[ \t]{2,}|[ \t](?=\d)|[^\S \t\n]")

#: Added to an estimate: what joins of pieces and the marks around a text may cost.
_MARGIN = 8


def load_template(name: str) -> prompts.Template:
    """A shipped template or a file of the user's. Raises UsageError naming what is wrong."""
    try:
        return prompts.load(name or "answer")
    except prompts.TemplateError as error:
        raise UsageError(str(error), "docs/prompts.md shows the form") from error


def build_prompt(
    question: str, passages: Sequence[Passage], template: prompts.Template, generator: Generator
) -> Prompt:
    """Fill the template with as many passages, best first, as the generator's context holds.

    Raises UsageError when not even the first passage fits.
    """
    budget = generator.context - generator.answer_tokens - _CHAT_TEMPLATE
    for kept in range(len(passages), 0, -1):
        fenced = [prompts.fence(p.rank, p.text, file=p.file, page=p.page) for p in passages[:kept]]
        material = template.fill(question, fenced)
        tokens = count(generator, template.rules) + count(generator, material)
        if generator.context == 0 or tokens <= budget:
            return Prompt(
                question=question,
                passages=tuple(passages[:kept]),
                rules=template.rules,
                material=material,
                name=template.name,
                fingerprint=template.fingerprint,
                tokens=tokens,
                budget=max(0, budget),
                dropped=tuple(passages[kept:]),
            )
    raise UsageError(
        f"a context of {generator.context} tokens, {generator.answer_tokens} kept for the answer, "
        "holds no passage beside the rules and the question",
        "raise --context or ask a shorter question",
    )


def count(generator: Generator, text: str) -> int:
    """Exact tokens where the server counts them, else a careful estimate."""
    exact = generator.count_tokens(text)
    return estimate_tokens(text) if exact is None else exact


def estimate_tokens(text: str) -> int:
    """Tokens that a byte-pair tokenizer makes of ``text`` at most, near enough.

    Every digit, sign and line break counts one, and so does the space before a digit; a word counts
    one for each four letters begun, a letter outside ASCII two. Never under SmolLM2's own count
    of the texts in tests/test_prompting.py.
    """
    total = _MARGIN
    for piece in _PIECES.findall(text):
        if piece.isascii():
            total += 1 if len(piece) <= 4 or not piece[0].isalpha() else -(-len(piece) // 4)
        else:
            total += sum(1 if c.isascii() else 2 for c in piece)
    return total
