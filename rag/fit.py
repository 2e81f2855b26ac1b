"""Which model fits a machine, and how long it makes a person wait. Arithmetic only.

Memory of a model = weights + KV cache (bytes a token × context) + working buffers.
Seconds to the first word = prompt tokens ÷ prefill speed; to the whole answer, plus answer
tokens ÷ decode speed.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.hardware import Hardware

GB = 1e9
GIB = 2**30

#: Tokens the prompt's rules take, and those of one passage with its heading: 200 of text by the
#: embedder's tokenizer (``chunk_tokens``) are about 250 by the answering models'.
RULES_TOKENS = 700
PASSAGE_TOKENS = 250
ANSWER_TOKENS = 150

#: A processor without a graphics card, models of 4–8B at four bits, published laptop figures:
#: tokens a second read (prefill) and written (decode), slowest and fastest.
CPU_PREFILL = (56.0, 170.0)
CPU_DECODE = (9.0, 13.0)

#: Logits of one batch: 512 tokens × 151,936 words × 4 bytes, Ollama's defaults and Qwen 3's
#: vocabulary, the largest in the table below.
BUFFER_BYTES = 512 * 151_936 * 4

#: Bytes a token of KV cache when the server does not describe the model: qwen3 4b and 8b have
#: 36 layers × 8 KV heads × (128 + 128) values of 2 bytes.
KV_BYTES = 36 * 8 * (128 + 128) * 2


@dataclass(frozen=True, slots=True)
class Model:
    """A model worth recommending; ``weights`` in bytes as Ollama lists it."""

    name: str
    weights: float
    kv_bytes: int  # a token
    note: str


# Weights as the model library lists them at Q4_K_M; the share of summaries with an invention as
# published by November 2026 (Phi-4-mini is left out for its 23.5 %, Gemma-3-4B because it answers
# only 67 % of the time).
LARGE = Model("qwen3:8b", 5.2 * GB, KV_BYTES, "invents in 4.8 % of summaries")
MIDDLE = Model("qwen3:4b-instruct", 2.5 * GB, KV_BYTES, "invents in 5.7 % of summaries")
SMALL = Model("llama3.2:3b", 2.0 * GB, 28 * 8 * (128 + 128) * 2, "the smallest worth using")


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second, slowest and fastest; both the same where they were measured here."""

    prefill: tuple[float, float]
    decode: tuple[float, float]
    measured: bool


@dataclass(frozen=True, slots=True)
class Prediction:
    """Seconds a person waits, shortest and longest."""

    prompt_tokens: int
    answer_tokens: int
    first_word_s: tuple[float, float]
    full_answer_s: tuple[float, float]
    measured: bool


def memory_needed(weights: float, kv_bytes: int, context: int) -> float:
    """Bytes of memory to run a model with room for ``context`` tokens."""
    return weights + kv_bytes * context + BUFFER_BYTES


def recommend(hardware: Hardware, context: int) -> Model | None:
    """The best model of the table for this machine, None when it can run none of them.

    A graphics card of 8 GB carries the 8B model; without one it would make a person wait twice
    as long. In main memory a model may take half: the rest is the system's and the reader's.
    """
    card, room = hardware.gpu_memory, hardware.ram_total / 2
    if card >= 7.5 * GIB and memory_needed(LARGE.weights, LARGE.kv_bytes, context) < card:
        return LARGE
    for model in (MIDDLE, SMALL):
        if memory_needed(model.weights, model.kv_bytes, context) < max(card, room):
            return model
    return None


def cpu_speed() -> Speed:
    """What laptops without a graphics card were seen to do; an estimate for this one."""
    return Speed(CPU_PREFILL, CPU_DECODE, measured=False)


def predict(speed: Speed, passages: int) -> Prediction:
    """How long an answer from that many passages takes, model loaded and nothing cached."""
    prompt = RULES_TOKENS + passages * PASSAGE_TOKENS
    slow, fast = prompt / speed.prefill[0], prompt / speed.prefill[1]
    return Prediction(
        prompt_tokens=prompt,
        answer_tokens=ANSWER_TOKENS,
        first_word_s=(fast, slow),
        full_answer_s=(
            fast + ANSWER_TOKENS / speed.decode[1],
            slow + ANSWER_TOKENS / speed.decode[0],
        ),
        measured=speed.measured,
    )
