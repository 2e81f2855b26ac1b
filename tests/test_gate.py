"""When it refuses: the gate before any model, and the reader for the writer that cannot read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import rag_here
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_samples import ANSWERABLE

from prompts import REFUSAL
from rag import Pipeline
from rag.answerable import SIGNALS, Assessment, assess, coefficients, read_signals
from rag.asked import asked
from rag.checking.reading import Reading
from rag.embedder import Embedder
from rag.gate import too_weak, unquotable
from rag.generators.extractive import ExtractiveGenerator
from rag.prepared_model import BUNDLED_SHA256, ModelIdentity
from rag.quotable import Quotable, quotable
from rag.records import Passage
from rag.settings import Settings
from rag.testing import MODEL, ScriptedServer

BUNDLED = ModelIdentity("bundled", BUNDLED_SHA256, 384, 256, "", "")
UNKNOWN = ModelIdentity("m", "unknown weights", 384, 256, "", "")

REPORT = (
    "The Cessna 172 hit a tree near Elyria on 15 January 2008. The pilot, Ann Weber, was not hurt. "
    "The repair was complete within six weeks. The wind was calm and the sky was clear."
)
CHANGED_NAME = "What damage did the Cessna 182 suffer when it hit a tree near Elyria?"


def passage(text: str = REPORT, similarity: float = 0.6, rank: int = 1) -> Passage:
    return Passage(rank, "a.pdf", 1, 1, "", text, 1.0, str(rank), similarity=similarity)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(Settings())


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def seen(
    embedder: Embedder, question: str, *passages: Passage
) -> tuple[Sequence[Passage], list[Quotable]]:
    """What there is to answer from, the report where nothing else is given, and its sentences
    beside the question."""
    shown = passages or (passage(),)
    return shown, quotable(question, shown, embedder)


def read(embedder: Embedder, question: str, *passages: Passage) -> Assessment | None:
    return assess(question, *seen(embedder, question, *passages))


def raised(embedder: Embedder, question: str, *passages: Passage) -> set[str]:
    """The signals that speak against an answer, likeness left out."""
    signals = read_signals(question, *seen(embedder, question, *passages))
    assert signals is not None
    return {name for name, value in signals.values.items() if value and name != "likeness"}


# ------------------------------------------------------------------ reading a question


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many passengers were aboard?", "number"),
        ("when did the repair begin", "date"),
        ("In which year was the biplane built?", "date"),
        ("Who flew the Cessna?", "name"),
        ("Where did it land?", "name"),
        ("How old was the pilot?", "age"),
        ("At what time did it land?", "time of day"),
        ("At what time of year does it snow?", "date"),
        ("How long ago was it built?", "date"),
        ("How long was the flight?", "duration"),
        ("What was the lowest temperature on the day?", "temperature"),
        ("What percentage was lost?", "percentage"),
        ("What did it cost to repair the wing?", "sum of money"),
        ("what was the speed of the wind", "speed"),
        ("What was the speed limit?", ""),
        ("When deciding on a runway, what counts?", ""),
        ("Why did it turn, and how old was the pilot?", ""),
        ("Why did it turn?", ""),
    ],
)
def test_a_question_says_what_kind_of_thing_would_answer_it(question: str, kind: str) -> None:
    assert asked(question).kind == kind


@pytest.mark.parametrize(
    ("question", "carrying", "lacking"),
    [
        ("How old was she?", "Certificate: Private Age: 61, Male", "She had flown for 61 years."),
        ("What time was it?", "It was 0830 CST.", "It was 28 December 2007."),
        ("When was it?", "It was on 28 December 2007.", "It was 28 years later."),
        ("How many were aboard?", "Two passengers were aboard.", "It was on 2 May 2007."),
        ("How cold was it?", "It was -13°C in Wausau.", "Runway 13 was icy."),
        ("How fast was it?", "It flew at 90 knots.", "It flew 90 miles."),
        ("How far was it?", "It flew 90 miles.", "It flew at 90 knots."),
        ("How heavy was it?", "It weighed 1100 lbs.", "It had 1100 seats."),
        ("What percentage was it?", "The margin was 43.3 %.", "The margin was 43.3."),
        ("What did it cost?", "It was sold for $366 million.", "It was sold in 2011."),
        ("Who flew it?", "The pilot, Ann Weber, was alone.", "The pilot was alone."),
    ],
)
def test_a_sentence_carries_the_kind_asked_for_or_lacks_it(
    question: str, carrying: str, lacking: str
) -> None:
    told = asked(question)
    assert not told.unanswered_kind([Reading(carrying)])
    assert told.unanswered_kind([Reading(lacking)])
    assert not told.unanswered_kind([Reading(lacking), Reading(carrying)])


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("What did it cost to repair the Skyhawk N2151J?", {"Skyhawk", "N2151J"}),
        ("Where did the Cessna 182 land?", {"Cessna", "Cessna 182"}),
        ("What happened in Dallas on 28 December 2007?", {"Dallas", "28 December 2007"}),
        ("What are two examples of reductions?", set()),
        ("What is the days payable outstanding (DPO)?", set()),
        ("Answer shortly. Round it to two places.", set()),
        ("Which aircraft finished third?", set()),
    ],
)
def test_names_and_figures_count_but_not_what_counts_or_explains(
    question: str, things: set[str]
) -> None:
    assert {thing.text for thing in asked(question).things} == things


@pytest.mark.parametrize(
    ("question", "denial"),
    [
        ("What is not contained in NP?", "not"),
        ("Which class doesn't hold it?", "n't"),
        ("What can it do not only on Sundays?", ""),
        ("What did the pilot fail to do?", ""),
    ],
)
def test_only_words_that_deny_and_do_nothing_else_are_denials(question: str, denial: str) -> None:
    assert asked(question).denial == denial


# ------------------------------------------------------------------ reading the passages


@pytest.mark.parametrize(
    ("question", "signal", "reason"),
    [
        pytest.param(
            "When did the Cessna 172 hit a tree near Dallas?", "unfound",
            "no passage names «Dallas»", id="another name",
        ),
        pytest.param(
            "What did the Cessna 172 hit in 2011?", "unfound",
            "no passage names «2011»", id="another year",
        ),
        pytest.param(
            "Which sky was not clear near Elyria?", "denial",
            "the question says «not», the closest passage denies nothing", id="denial",
        ),
        pytest.param(
            "Why was the repair near Elyria incomplete within six weeks?", "denied word",
            "«incomplete» stands only reversed in the closest passage", id="reversed word",
        ),
        pytest.param(
            "When was the sky clear?", "wrong kind",
            "the closest passages give no date for this", id="no date",
        ),
    ],
)  # fmt: skip
def test_what_the_passage_lacks_counts_against_an_answer_and_is_told(
    embedder: Embedder, question: str, signal: str, reason: str
) -> None:
    text = {
        "denial": "The sky was clear near Elyria. The wind was calm all day.",
        "wrong kind": "The sky was clear over the field. The wind was calm all day.",
    }.get(signal, REPORT)
    shown = (passage(text),)
    assert signal in raised(embedder, question, *shown)
    found = read(embedder, question, *shown)
    assert found is not None
    assert found.doubt == reason


def test_names_that_no_single_passage_has_together_are_told_apart_from_absent_ones(
    embedder: Embedder,
) -> None:
    one = passage("The Cessna landed on runway 4 in calm wind that day.")
    other = passage("A tree was struck near Elyria in calm wind that day.", rank=2)
    found = read(embedder, "Did the Cessna strike a tree near Elyria?", one, other)
    assert found is not None
    assert found.doubt.startswith("no passage names «")
    assert found.doubt.endswith("» with the rest")


def test_a_question_answered_by_the_passage_raises_no_signal(embedder: Embedder) -> None:
    assert raised(embedder, "When did the Cessna 172 hit a tree near Elyria?") == set()
    assert raised(embedder, "Who was the pilot of the Cessna 172?") == set()
    assert raised(embedder, "Who was not hurt near Elyria?") == set()


def test_one_passage_with_every_name_makes_up_for_a_low_cosine(embedder: Embedder) -> None:
    strange = passage(similarity=0.1)
    named = read(embedder, "What of Elyria and Ann Weber?", strange)
    unnamed = read(embedder, "What of the town and the woman?", strange)
    assert named is not None
    assert unnamed is not None
    assert unnamed.probability < coefficients().cut <= named.probability


WORDS = ("tree", "pilot", "Elyria", "Dallas", "2008", "2011", "not", "when", "who", "incomplete")


@settings(max_examples=30, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), similarity=st.floats(0, 1))
def test_a_name_that_stands_nowhere_never_makes_an_answer_likelier(
    words: list[str], similarity: float
) -> None:
    shown = (passage(similarity=similarity),)
    sentences = [Quotable(shown[0], REPORT.split(". ")[0], frozenset(), similarity)]
    question = " ".join(words)
    plain = assess(f"and {question}", shown, sentences)
    with_name = assess(f"and {question} of Kinshasa", shown, sentences)
    assert plain is not None
    assert with_name is not None
    assert 0 <= with_name.probability <= plain.probability <= 1


@pytest.mark.parametrize(
    "question",
    ["パイロットは誰でしたか", "Кто был пилотом самолёта?", "الطيار من كان",
     "Wer war der Pilot und wann ist das Flugzeug in den Baum geflogen?"],
)  # fmt: skip
def test_a_question_it_cannot_read_is_left_to_the_gate(embedder: Embedder, question: str) -> None:
    shown, sentences = seen(embedder, question, passage(similarity=0.36))
    assert unquotable(question, shown, sentences, BUNDLED, Settings()) is None
    assert too_weak(question, shown, BUNDLED, Settings()) is None


def test_passages_it_cannot_read_are_left_to_the_gate(embedder: Embedder) -> None:
    foreign = passage("Das Flugzeug ist in den Baum geflogen und der Pilot war nicht verletzt.")
    assert read(embedder, "Was the pilot not hurt in Dallas?", foreign) is None


def test_a_reason_is_one_short_line_whatever_the_question_says(embedder: Embedder) -> None:
    long = "Near Aaa" + "a" * 400 + " and New\nYork, Rome, Oslo and Lima, was the sky clear?"
    found = read(embedder, long, passage("The sky was clear over the field that day."))
    assert found is not None
    assert found.doubt.isprintable()
    assert len(found.doubt) < 250


# ------------------------------------------------------------------ the two thresholds


def test_the_shipped_numbers_weigh_every_signal_and_in_the_sane_direction() -> None:
    weights = {name: weight for name, (_, _, weight) in coefficients().weights.items()}
    assert tuple(weights) == SIGNALS
    assert weights.pop("likeness") > 0
    assert max(weights.values()) < 0
    assert 0 < coefficients().cut < 1


def test_the_cut_is_the_bundled_embedder_s_and_a_setting_moves_it(embedder: Embedder) -> None:
    question = "Why did the Cessna 182 not leave the runway in Dallas?"
    shown, sentences = seen(embedder, question)

    def refused(identity: ModelIdentity, **chosen: float) -> bool:
        wanted = Settings(**chosen)  # type: ignore[arg-type]
        return unquotable(question, shown, sentences, identity, wanted) is not None

    assert refused(BUNDLED)
    assert not refused(UNKNOWN)
    assert refused(UNKNOWN, answerable_cut=1.0)
    assert not refused(BUNDLED, answerable_cut=0.0)
    assert not refused(BUNDLED, gate=0.0)
    assert refused(BUNDLED, gate=0.0, answerable_cut=1.0)


def test_the_gate_lets_a_question_pass_whose_names_all_stand_in_one_passage() -> None:
    strange = [passage(similarity=0.1)]
    assert too_weak("What became of Ann Weber afterwards?", strange, BUNDLED, Settings()) is None
    assert too_weak("What became of Ann Miller afterwards?", strange, BUNDLED, Settings())
    apart = [replace(strange[0], text="Ann was here."), replace(strange[0], text="So was Weber.")]
    assert too_weak("What became of Ann Weber afterwards?", apart, BUNDLED, Settings())


class Counting:
    """A real embedder that counts the sentences it is given."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.sentences = 0

    def embed_query(self, question: str) -> NDArray[np.float32]:
        return self._embedder.embed_query(question)

    def embed_sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.sentences += len(texts)
        return self._embedder.embed_sentences(texts)


def test_reading_and_quoting_share_the_vectors_of_one_question(embedder: Embedder) -> None:
    counting = Counting(embedder)
    writer = ExtractiveGenerator(counting)
    shown = [passage()]
    once = writer.sentences("Who was the pilot?", shown)
    assert writer.sentences("Who was the pilot?", shown) is once
    assert counting.sentences == len(once) == 4
    assert writer.sentences("Who else was hurt?", shown) is not once


# ------------------------------------------------------------------ the product


def test_a_near_miss_is_refused_in_one_phrase_with_its_reason_and_exit_4(
    samples_index: Path,
) -> None:
    done = rag_here(
        "ask", CHANGED_NAME, "--index", str(samples_index), "--generator", "extractive", "--json"
    )
    assert done.code == 4
    assert (done.json["answer"], done.json["refused"]) == (REFUSAL, True)
    assert done.json["refusal_reason"].startswith("no passage names «")
    assert "Cessna 182" in done.json["refusal_reason"]
    assert done.json["sentences"] == []


def test_a_model_reads_for_itself_what_the_quoting_writer_refuses(
    samples_index: Path, server: ScriptedServer
) -> None:
    server.enqueue(REFUSAL)
    with Pipeline.open(
        samples_index, generator="ollama", ollama_url=server.url, model=MODEL
    ) as rag:
        answer = rag.ask(CHANGED_NAME)
    assert len(server.chats()) == 1
    assert answer.refused
    assert answer.generator["kind"] == "ollama"


def test_of_the_samples_answerable_questions_at_most_one_in_six_is_refused(
    samples_index: Path,
) -> None:
    """4 of 29 when it was measured (bench/abstention.md); 1 more is let pass, no collapse is."""
    with Pipeline.open(samples_index, generator="extractive", verify=False) as rag:
        refused = [q["id"] for q in ANSWERABLE if rag.ask(q["question"]).refused]
    assert len(ANSWERABLE) == 29
    assert len(refused) <= 5, refused


def test_instructions_around_a_question_name_and_deny_nothing() -> None:
    whole = asked(
        "What drove the margin of Acme in 2022? If margin is not a useful metric for a company "
        "like this, then state that and explain why. Answer in USD."
    )
    assert whole.denial == ""
    assert "USD" not in [thing.text for thing in whole.things]
    assert "Acme" in [thing.text for thing in whole.things]
    assert asked("Why did the flaps not extend?").denial == "not"
