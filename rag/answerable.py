"""Can these passages answer the question? Read without a model, for a writer that cannot read.

Five signals and a logistic regression; ``answerable.toml`` holds every number that decides, written
by bench/abstention.py, whose table says what they reach. Scores alone know «this is not in the
folder»; the other signals read the closest passage, for what «nearly» is made of: another name or
year, a denial, the reverse of a word, no date where a date is asked for.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rag.asked import Thing, asked
from rag.checking.material import Material, material
from rag.checking.reading import read
from rag.checking.trust import english
from rag.quotable import Quotable
from rag.records import Passage

#: The signals in the order of the coefficients.
SIGNALS = ("likeness", "unfound", "denial", "denied word", "wrong kind")

#: A question that names things by name, all found in one passage, is about that passage: its
#: likeness counts as at least this. Among such questions the cosine says next to nothing (AUC .59
#: SQuAD, .46 samples). From .55 to .70 it decides the same; at .5 two thirds of the answerable
#: questions of the samples are refused.
NAMED = 0.6

#: Passages, closest first, that are looked through for a thing of the kind asked for. Set by hand.
_LOOKED_THROUGH = 2

#: Names, and characters of each, that a reason repeats from a question of any length. Set by hand.
_SHOWN, _LONGEST = 3, 60


@dataclass(frozen=True, slots=True)
class Coefficients:
    """``weights``: signal → (mean, spread, weight); ``cut``: probability from which to answer."""

    weights: Mapping[str, tuple[float, float, float]]
    intercept: float
    cut: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """``probability`` in [0, 1] that the passages hold an answer, where half of all questions have
    one; ``doubt``: what speaks most against it, for a person."""

    probability: float
    doubt: str


@dataclass(frozen=True, slots=True)
class Signals:
    """One question and its passages as numbers; ``doubts``: what a raised one says to a person."""

    values: Mapping[str, float]
    doubts: Mapping[str, str]


@cache
def coefficients() -> Coefficients:
    """The shipped coefficients; a file that misses a signal is a defect and raises ValueError."""
    text = files(__package__).joinpath("answerable.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    weights = {k: (v["mean"], v["spread"], v["weight"]) for k, v in raw["signals"].items()}
    if set(weights) != set(SIGNALS):
        odd = sorted(set(weights) ^ set(SIGNALS))
        raise ValueError(f"answerable.toml and SIGNALS differ in {', '.join(odd)}")
    return Coefficients(weights, raw["intercept"], raw["cut"])


def assess(
    question: str, passages: Sequence[Passage], sentences: Sequence[Quotable]
) -> Assessment | None:
    """How likely the passages hold an answer; ``sentences`` are theirs, with their cosines.

    None where the signals mean nothing: without a sentence, or in a language other than English.
    """
    signals = read_signals(question, passages, sentences)
    if signals is None:
        return None
    known = coefficients()
    parts = {
        name: weight * (signals.values[name] - mean) / spread
        for name, (mean, spread, weight) in known.weights.items()
    }
    # what was read tells a person more than how alike things are
    told = [name for name in signals.doubts if name != "likeness"] or ["likeness"]
    worst = min(told, key=parts.__getitem__)
    probability = 1 / (1 + math.exp(-known.intercept - math.fsum(parts.values())))
    return Assessment(probability, signals.doubts[worst])


def read_signals(
    question: str, passages: Sequence[Passage], sentences: Sequence[Quotable]
) -> Signals | None:
    """The signals of one question, None where they mean nothing."""
    best = _best_sentences(sentences)
    if not best or not english(question):
        return None
    order = sorted(best, key=lambda p: -_likeness(p, best[p]))
    closest = order[0]
    if not english(closest.text):
        return None
    told = asked(question)
    missing = min((told.missing(reading_of(p)) for p in passages), key=len)
    named = told.by_name and not missing
    looked = [s.reading for p in order[:_LOOKED_THROUGH] for s in reading_of(p).stretches]
    denied = told.denied_word(reading_of(closest))
    likeness = _likeness(closest, best[closest])
    values = {
        "likeness": max(likeness, NAMED) if named else likeness,
        "unfound": float(bool(missing)),
        "denial": float(told.denies_alone(read(best[closest].text), reading_of(closest))),
        "denied word": float(bool(denied)),
        "wrong kind": float(told.unanswered_kind(looked)),
    }
    doubts = {
        "likeness": "no passage is close enough to the question to hold its answer",
        "unfound": _unfound(missing, passages),
        "denial": f"the question says «{told.denial}», the closest passage denies nothing",
        "denied word": f"«{_short(denied)}» stands only reversed in the closest passage",
        "wrong kind": f"the closest passages give no {told.kind} for this",
    }
    raised = {k: v for k, v in doubts.items() if values[k] or k == "likeness"}
    return Signals(values, raised)


def reading_of(passage: Passage) -> Material:
    """A passage as the rules read it, its title, heading and file name over it."""
    return material((passage.text,), (passage.title, passage.file, passage.heading))


def _best_sentences(sentences: Sequence[Quotable]) -> dict[Passage, Quotable]:
    best: dict[Passage, Quotable] = {}
    for sentence in sentences:
        known = best.get(sentence.passage)
        if known is None or sentence.similarity > known.similarity:
            best[sentence.passage] = sentence
    return best


def _likeness(passage: Passage, sentence: Quotable) -> float:
    """Mean of two cosines with the question: of the passage, and of its best sentence."""
    return ((passage.similarity or 0.0) + sentence.similarity) / 2


def _unfound(missing: Sequence[Thing], passages: Sequence[Passage]) -> str:
    if not missing:
        return ""
    nowhere = [t for t in missing if all(t.missing(reading_of(p)) for p in passages)]
    names = ", ".join(f"«{_short(thing.text)}»" for thing in (nowhere or missing)[:_SHOWN])
    return f"no passage names {names}" if nowhere else f"no passage names {names} with the rest"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
