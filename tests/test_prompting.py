"""The prompt fits its budget and names what it dropped; estimates err on the safe side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import load
from rag.embedder import Embedder
from rag.errors import UsageError
from rag.gate import too_weak
from rag.generators.extractive import ExtractiveGenerator
from rag.prepared_model import ModelIdentity
from rag.prompting import build_prompt, estimate_tokens
from rag.quotes import locate
from rag.records import Passage, Prompt
from rag.settings import Settings

SAMPLES = Path(__file__).parents[1] / "data" / "samples"


class Counting:
    """A generator that only counts, exactly: one token a character."""

    kind = model = "counting"

    def __init__(self, context: int, answer_tokens: int = 100) -> None:
        self.context, self.answer_tokens = context, answer_tokens

    def check(self) -> None:
        return None

    def count_tokens(self, text: str) -> int:
        return len(text)

    def generate(self, *_: object) -> None:
        raise AssertionError


def passages(n: int, size: int = 300) -> list[Passage]:
    return [
        Passage(i, f"f{i}.pdf", i, i, "", f"{i} " * (size // 2), 1 / i, str(i), similarity=0.5)
        for i in range(1, n + 1)
    ]


@given(st.integers(1, 9), st.integers(0, 6000))
def test_a_prompt_never_exceeds_its_budget(n: int, context: int) -> None:
    try:
        prompt = build_prompt("What?", passages(n), load(), Counting(context + 1))
    except UsageError:
        return
    assert prompt.tokens == len(prompt.rules) + len(prompt.material) <= prompt.budget
    assert [p.rank for p in (*prompt.passages, *prompt.dropped)] == list(range(1, n + 1))
    assert prompt.passages
    for kept in prompt.passages:
        assert f'n="{kept.rank}"' in prompt.material
        assert kept.text in prompt.material
    for dropped in prompt.dropped:
        assert f'n="{dropped.rank}"' not in prompt.material


def test_a_context_without_room_is_an_error_and_not_a_shorter_prompt() -> None:
    with pytest.raises(UsageError, match="holds no passage"):
        build_prompt("What?", passages(2), load(), Counting(500))


def test_estimates_never_fall_below_a_real_tokenizer(tiny_llama: str) -> None:
    texts = [p.read_text(encoding="utf-8") for p in SAMPLES.glob("*.md")]
    texts += [p.read_text(encoding="utf-8") for p in SAMPLES.glob("*.txt")]
    texts += [load().rules, "| Net income | $ 19,442 | $ 21,744 |\n" * 30, "1,234,567.89 " * 50]
    texts += [
        "def f(x):\n    return {'a': x[0:3]}\n" * 20,
        "naïve café — 東京都 Überprüfung\n" * 20,
    ]
    for text in texts:
        reply = httpx.post(f"{tiny_llama}/tokenize", json={"content": text}, trust_env=False)
        assert estimate_tokens(text) >= len(reply.json()["tokens"]), text[:60]


# ------------------------------------------------------------------ the gate


IDENTITY = ModelIdentity("m", "unknown weights", 384, 256, "", "")


def test_evidence_below_the_gate_is_refused_with_both_figures() -> None:
    weak = [replace(p, similarity=0.2) for p in passages(2)]
    reason = too_weak("What?", weak, IDENTITY, Settings(gate=0.4))
    assert reason == "the closest passage is not close enough (similarity 0.20, gate 0.40)"
    assert too_weak("What?", [*weak, *passages(1)], IDENTITY, Settings(gate=0.4)) is None


def test_no_passage_is_always_too_weak_and_an_unknown_model_has_no_gate() -> None:
    assert too_weak("What?", [], IDENTITY, Settings()) == "no passage matches the question"
    stray = [replace(passages(1)[0], similarity=0.01)]
    assert too_weak("What?", stray, IDENTITY, Settings()) is None


def test_a_passage_with_the_question_s_own_words_passes_whatever_its_cosine() -> None:
    fence = replace(passages(1)[0], text="The Global 5000 struck a fence.", similarity=0.2)
    gate = Settings(gate=0.4)
    assert too_weak("Where did the Global 5000 strike a fence?", [fence], IDENTITY, gate) is None
    assert too_weak("Where did the Global 7500 hit a deer?", [fence], IDENTITY, gate)


# ------------------------------------------------------------------ quoting


def test_quotes_stand_in_their_passage_word_for_word() -> None:
    text = "The sky was clear. Gusts of 18 knots were reported at noon. The pilot was alone."
    found = Passage(1, "a.pdf", 1, 1, "", text, 1.0, "x", similarity=0.5)
    heard: list[str] = []
    prompt = Prompt("How strong were the gusts?", (found,), "", "", "", "", 0, 0)
    draft = ExtractiveGenerator(Embedder(Settings())).generate(prompt, heard.append)
    assert draft.text.splitlines()[0] == "“Gusts of 18 knots were reported at noon.” [1]"
    assert "".join(heard) == draft.text
    assert locate("Gusts of 18 knots were reported at noon.", text)


def quotes(question: str, *texts: str, title: str = "") -> list[str]:
    found = [
        Passage(n, f"{n}.pdf", 1, 1, "", text, 1.0, str(n), title=title, similarity=0.5)
        for n, text in enumerate(texts, 1)
    ]
    prompt = Prompt(question, tuple(found), "", "", "", "", 0, 0)
    return (
        ExtractiveGenerator(Embedder(Settings())).generate(prompt, lambda _: None).text.split("\n")
    )


REPORT = (
    "The pilot of the Skyhawk was interviewed. The Skyhawk left Wausau at 0830 CST. "
    "Age: 61, Male. The pilot of the Skyhawk had 158 hours of flight time. "
    "The temperature in Wausau was -13°C."
)


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("How old was the pilot of the Skyhawk?", "“Age: 61, Male.” [1]"),
        ("What time did the Skyhawk leave Wausau?", "“The Skyhawk left Wausau at 0830 CST.” [1]"),
        ("How cold was it for the Skyhawk?", "“The temperature in Wausau was -13°C.” [1]"),
    ],
)
def test_what_carries_the_kind_asked_for_is_quoted_alone(question: str, quote: str) -> None:
    """Sentences about the subject that give no age, time or temperature neither lead nor follow."""
    assert quotes(question, REPORT) == [quote]


def test_a_sentence_need_not_repeat_what_its_title_says() -> None:
    """«It» is the thing of the title, and answers before a sentence that only names the thing."""
    text = (
        "The Berlin Wall is shown in many films. "
        "It was built of concrete slabs to stop people from leaving."
    )
    first, *_ = quotes("Why was the Berlin Wall built?", text, title="Berlin Wall")
    assert first == "“It was built of concrete slabs to stop people from leaving.” [1]"


def test_sentences_that_answer_alike_are_quoted_together() -> None:
    text = "Gusts of 18 knots were reported at noon. Gusts reached 25 knots in the evening."
    assert len(quotes("How strong were the gusts?", text)) == 2


def test_without_anything_to_quote_it_refuses() -> None:
    prompt = Prompt("What?", (), "", "", "", "", 0, 0)
    draft = ExtractiveGenerator(Embedder(Settings())).generate(prompt, lambda _: None)
    assert draft.text == "not supported in source"
