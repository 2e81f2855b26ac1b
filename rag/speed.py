"""How fast a model reads and writes on its server, measured through the generator itself."""

from __future__ import annotations

import random
import time
from contextlib import suppress

from rag.errors import ReplyInvalid
from rag.fit import Speed
from rag.generators.base import Generator
from rag.records import Prompt

#: Words of the prompt that is timed, and pieces of the answer waited for: about ten seconds at
#: the slowest speeds seen on a processor (56 tokens read, 9 written a second).
MEASURED_WORDS = 300
MEASURED_PIECES = 32

#: Each is one token after a space in the vocabularies of Qwen 3, Llama 3 and SmolLM2, so that
#: their number is the prompt's size: Ollama cannot count tokens.
WORDS = (
    "water", "house", "river", "stone", "paper", "light", "table", "green", "horse", "field",
    "music", "glass", "winter", "summer", "bread", "story", "market", "window", "garden", "letter",
)  # fmt: skip

#: Tokens around the words: the instruction and a chat template's marks.
FRAME_TOKENS = 40


class _Enough(Exception):
    pass


def measure_speed(generator: Generator) -> Speed:
    """Time one short answer, warm, by the wall clock.

    The requests are those of a real question to the last option, because Ollama reloads a model
    for a change of options; the answer is ended by hanging up. Against llama.cpp's own counters
    for SmolLM2-135M on two cores: 320–350 tokens read a second where it says 378, 86–100 written
    where it says 88. Raises ModelUnavailable or ReplyInvalid.
    """
    _times(generator, pieces=1)  # loads the model; the next run finds it warm
    tokens, sent, times = _times(generator, pieces=MEASURED_PIECES)
    if len(times) < MEASURED_PIECES / 4:
        raise ReplyInvalid(f"«{generator.model}» wrote too little to be timed", "measure again")
    prefill = tokens / max(times[0] - sent, 1e-6)
    decode = (len(times) - 1) / max(times[-1] - times[0], 1e-6)
    return Speed((prefill, prefill), (decode, decode), measured=True)


def _times(generator: Generator, *, pieces: int) -> tuple[int, float, list[float]]:
    """(tokens of the prompt, when it was sent, when each piece came), in seconds of one clock."""
    prompt = _timing_prompt()
    times: list[float] = []

    def on_text(_: str) -> None:
        times.append(time.perf_counter())
        if len(times) >= pieces:
            raise _Enough

    tokens = generator.count_tokens(f"{prompt.rules}\n{prompt.material}") or prompt.tokens
    sent = time.perf_counter()
    with suppress(_Enough):
        generator.generate(prompt, on_text)
    return tokens, sent, times


def _timing_prompt() -> Prompt:
    """Words in an order not sent before: what a server has cached it does not read again."""
    rules = " ".join(random.choices(WORDS, k=MEASURED_WORDS))
    material = "Write down the list above, all of it, and go on with more words of that kind."
    tokens = MEASURED_WORDS + FRAME_TOKENS
    return Prompt(
        question=material, passages=(), rules=rules, material=material,
        name="speed", fingerprint="", tokens=tokens, budget=tokens,
    )  # fmt: skip
