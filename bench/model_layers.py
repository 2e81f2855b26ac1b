"""Model layers beside code alone: the same claims, the same passages, verdicts as answers get them.

    python bench/model_layers.py [--data ../shared/data] [--claims 60]
    python bench/model_layers.py --nli FOLDER            # an NLI cross-encoder
    python bench/model_layers.py --decision d1-omni      # a decision model on Ollama
    python bench/model_layers.py --judge URL --model M   # a chat model, OpenAI's protocol

Without a model of yours the judge is SmolLM2-135M on a llama.cpp server in this process: the one
chat model that can be had without a hub, and about the worst there is. Claims are drawn from WiCE
dev and from each SummEdits domain, one a document, as many supported as not. A claim is checked as
a sentence of an answer is: against the passages that share most of its words. No model here is
calibrated, so none can make a claim «supported». 95 % bootstrap intervals over claims.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fit_checker import EDITS
from flips import Case
from verification import balanced_of, interval, share
from verification_sets import summedits, wice

from rag.checking.answers import Checking
from rag.checking.base import ModelChecker, ModelOpinion
from rag.checking.claims import claim_of
from rag.checking.models.choose import choose_checker
from rag.records import Passage, Sentence
from rag.settings import load_settings
from rag.testing import TINY_MODEL, tiny_llama_server

#: Characters of a passage: that of a chunk of the bundled embedder's 256 tokens, about.
_PASSAGE = 1000
_FLAGGED = ("contradicted", "not_supported")


@dataclass
class Watched:
    """A checker, and what it said: its opinions and seconds, a claim each."""

    inner: ModelChecker
    opinions: list[ModelOpinion] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kind, self.model, self.digest = self.inner.kind, self.inner.model, self.inner.digest

    def check(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[ModelOpinion]:
        started = time.monotonic()
        found = self.inner.check(pairs)
        self.seconds += [(time.monotonic() - started) / len(pairs)] * len(pairs)
        self.opinions += found
        return found


def drawn(cases: Sequence[Case], number: int) -> list[Case]:
    """As many supported as not, one a document, the same at every call."""
    rng, documents = random.Random(11), set[str]()
    picked: dict[bool, list[Case]] = {True: [], False: []}
    for case in rng.sample(cases, len(cases)):
        here = picked[case.supported]
        room = case.document not in documents and len(here) < number // 2
        if room and claim_of(case.claim):
            here.append(case)
            documents.add(case.document)
    return picked[True] + picked[False]


def passages(case: Case) -> list[Passage]:
    """The evidence in stretches of about a chunk, lines kept whole."""
    texts, held = [], ""
    for line in (line for text in case.evidence for line in text.splitlines()):
        if held and len(held) + len(line) > _PASSAGE:
            texts.append(held)
            held = ""
        held += line + "\n"
    return [
        Passage(n, "evidence", None, None, "", text, score=0.0, chunk_id="")
        for n, text in enumerate([*texts, held], 1)
    ]


def checked(cases: Sequence[Case], checking: Checking) -> list[Sentence]:
    return [
        next(checking.sentences([Sentence(case.claim)], passages(case), case.question))
        for case in cases
    ]


def of_opinion(watched: Watched, cut: float = 0.5) -> list[bool]:
    """Whether the model alone says yes; an opinion that cannot be used is none."""
    return [(o.supported or 0.0) >= cut for o in watched.opinions]


def row(name: str, cases: Sequence[Case], accepted: Sequence[bool], unsure: int) -> str:
    true = np.array([case.supported for case in cases])
    said = np.array(accepted)
    groups = [str(n) for n in range(len(cases))]
    measures: list[Callable[..., float]] = [balanced_of(true, said), share(~said, ~true)]
    figures = " | ".join(interval(groups, measure) for measure in measures)
    return f"| {name} | {figures} | {unsure} |"


def examine(name: str, cases: Sequence[Case], model: ModelChecker) -> Watched:
    """The rows of one set; what the model said, with its times."""
    alone = checked(cases, Checking())
    watched = Watched(model)
    both = checked(cases, Checking(watched))
    if len(watched.opinions) != len(cases):
        sys.exit(f"{name}: {len(watched.opinions)} opinions for {len(cases)} claims")
    unusable = sum(o.supported is None for o in watched.opinions)
    label = f"{name}, {len(cases)}"
    print(row(f"{label} | rules alone", cases, [s.verdict not in _FLAGGED for s in alone], 0))
    for system, sentences in (("offline default", alone), (f"with {model.kind}", both)):
        unsure = sum(s.verdict == "unverified" for s in sentences)
        good = [s.verdict in ("supported", "no_mismatch") for s in sentences]
        print(row(f"{label} | {system}", cases, good, unsure))
    print(row(f"{label} | {model.kind} alone", cases, of_opinion(watched), unusable))
    return watched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--claims", type=int, default=60, help="of each set")
    parser.add_argument("--nli")
    parser.add_argument("--decision")
    parser.add_argument("--judge")
    parser.add_argument("--model", default="")
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.nli or options.decision:
            kind = "nli" if options.nli else "decision"
            given = {"verifier": kind, "verifier_model": options.nli or options.decision}
        else:
            address = options.judge or stack.enter_context(tiny_llama_server())
            model = options.model or ("" if options.judge else TINY_MODEL)
            given = {"verifier": "judge", "verifier_model": model, "openai_url": address}
        checker = choose_checker(load_settings(given))
        if checker is None:
            sys.exit("no model to measure")
        print(f"{checker.kind}: {checker.model}\n")
        print("| set, claims | system | balanced accuracy | recall on unsupported | unsure |")
        print("| --- | --- | --- | --- | --- |")
        seconds: list[float] = []
        sets = {"WiCE dev": wice(options.data / "wice" / "dev.jsonl")}
        for name, cases in sets.items():
            seconds += examine(name, drawn(cases, options.claims), checker).seconds
        for name in EDITS:
            cases = summedits(options.data / "summedits" / f"{name}.jsonl")
            seconds += examine(name, drawn(cases, options.claims), checker).seconds
    p50, p95 = np.percentile(1000 * np.array(seconds), [50, 95])
    print(f"\n{checker.kind}, milliseconds a claim: p50 {p50:.0f}, p95 {p95:.0f}")


if __name__ == "__main__":
    main()
