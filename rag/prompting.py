"""Passages → prompt within a token budget: whole passages are dropped, and named; none is cut."""

from __future__ import annotations

import re
from collections.abc import Sequence

import prompts
from rag.errors import UsageError
from rag.generators.base import Generator
from rag.records import Passage, Prompt

#: Tokens left for the chat template around two messages; SmolLM2's adds 11 to 16 [measured].
_CHAT_TEMPLATE = 48

_PIECES = re.compile(r"\d|[^\W\d_]+|([^\w\s]|_)\1*|\n+|[ \t]{2,}|[ \t](?=\d)|[^\S \t\n]")

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
        tokens, exact = count(generator, template.rules, material)
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
                exact=exact,
            )
    raise UsageError(
        f"a context of {generator.context} tokens, {generator.answer_tokens} kept for the answer, "
        "holds no passage beside the rules and the question",
        "raise --context or ask a shorter question",
    )


def count(generator: Generator, *texts: str) -> tuple[int, bool]:
    """Tokens of the texts together: exact where the server counts them, else a careful estimate."""
    counted = [generator.count_tokens(text) for text in texts]
    known = [n for n in counted if n is not None]
    if len(known) == len(texts):
        return sum(known), True
    return sum(estimate_tokens(text) for text in texts), False


def estimate_tokens(text: str) -> int:
    """Tokens that a byte-pair tokenizer makes of ``text`` at most, near enough.

    Every digit, sign and line break counts one, and so does the space before a digit; a run of one
    sign counts half, a word one for each four letters begun, a letter outside ASCII two. Never
    under SmolLM2's own count of the texts in tests/test_prompting.py.
    """
    total = _MARGIN
    for match in _PIECES.finditer(text):
        piece = match.group()
        if piece.isascii() and piece[0].isalpha():
            total += -(-len(piece) // 4)
        elif piece.isascii():
            total += 1 if piece.isspace() else -(-len(piece) // 2)
        else:
            total += sum(1 if c.isascii() else 2 for c in piece)
    return total
