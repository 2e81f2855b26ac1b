"""Does a nightly evaluation see what is planted, and is it silent when nothing was?

    python bench/eval_regressions.py [--part planted|noise|dice] [--nights 20] [--questions 8]

«planted»: the samples are asked by the extractive generator or a scripted model, then again with
one thing broken; the figures that became worse are listed beside those that should. «noise»: a
real model of 135M parameters answers each question many times at temperature .7; each repeat
counts as one night, and every night is compared with the one before it. Nothing changed, so every
«worse» is a false alarm. Then 500 pairs of nights are put together by drawing each question's
repeats anew. «dice»: the same without a model, 500 pairs of nights of 43 questions each of which
has an outcome of its own probabilities, and every answer is drawn anew every night.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from eval.compare import compare
from eval.flips import outcome
from eval.history import History
from eval.questions import read_questions
from eval.records import (
    Comparison,
    Difference,
    EvaluationRun,
    Failure,
    Mark,
    Provenance,
    Question,
    Reply,
    Result,
)
from eval.rubric import load_rubric
from eval.run import evaluate
from eval.statistics import wilson
from ingest import ingest_folder
from rag.generators.extractive import ExtractiveGenerator
from rag.generators.openai import OpenAIGenerator
from rag.settings import Settings
from rag.testing import MODEL, ScriptedServer, tiny_llama_server

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
#: What each regression should show in; any one of them is enough.
EXPECTED = {
    "retrieval cut to k = 1": {"context_hit", "task_completion"},
    "shuffled index": {"context_hit", "hit@5", "task_completion"},
    "prompt without the rules": {"formatting", "task_completion", "false_answers"},
    "a generator that invents": {"flagged", "factual_accuracy", "groundedness"},
    "a slow generator": {"generate_s", "total_s"},
    "nothing": set(),
}
#: Seconds by which the slow generator is slower.
SLOWER = 4.0
#: Of the real model: short, since its answers count and not their beauty.
ANSWER_TOKENS = 96
#: Pairs of nights put together from the replies of all.
DRAWN = 500


# ---------------------------------------------------------------------- planted


def planted(work: Path) -> None:
    questions = read_questions(SAMPLES / "questions.jsonl")
    index = work / "index"
    ingest_folder(SAMPLES, index=index, workers=1)
    plain = Settings(index=str(index), generator="extractive", verifier="rules")
    with History(work / "history.sqlite") as history:
        ask = _asker(questions, history)
        quoted = ask(plain)
        tell("nothing", compare(quoted, ask(plain)))
        tell("retrieval cut to k = 1", compare(quoted, ask(replace(plain, ask_k=1))))
        shuffled = shuffled_index(work)
        tell("shuffled index", compare(quoted, ask(replace(plain, index=str(shuffled)))))
        with slow(ExtractiveGenerator):
            tell("a slow generator", compare(quoted, ask(plain)))
        with ScriptedServer() as server:
            told = replace(plain, generator="ollama", ollama_url=server.url, model=MODEL)
            # a model is asked also where the reader of quotes would refuse
            said = answers(ask(replace(plain, answerable_cut=0.0)))
            honest = _scripted(ask, server, told, said, str)
            tell("prompt without the rules",
                 compare(honest, _scripted(ask, server, told, said, without_rules)))  # fmt: skip
            tell("a generator that invents",
                 compare(honest, _scripted(ask, server, told, said, invented)))  # fmt: skip


def _asker(questions: Sequence[Question], history: History) -> Callable[[Settings], EvaluationRun]:
    def ask(settings: Settings) -> EvaluationRun:
        return evaluate(questions, settings, load_rubric(), history)

    return ask


def _scripted(
    ask: Callable[[Settings], EvaluationRun],
    server: ScriptedServer,
    settings: Settings,
    said: Sequence[str],
    change: Callable[[str], str],
) -> EvaluationRun:
    server.enqueue(*(change(text) for text in said))
    return ask(settings)


def answers(run: EvaluationRun) -> list[str]:
    """What a careful model would have said: the quotes, one a sentence, with their citations; the
    refusal phrase for what has no answer. Only of questions that come as far as the model."""
    found = []
    for reply in run.replies:
        if reply.answer["generator"]["kind"] == "none":
            continue
        first = reply.answer["sentences"][:1]
        refused = reply.question.answerable is False or not first
        text = "not supported in source" if refused else first[0]["text"].strip("“” ")
        cited = "".join(f"[{n}]" for n in first[0]["citations"]) if not refused else ""
        found.append(f"{text.rstrip('.')} {cited}." if cited else text)
    return found


def without_rules(text: str) -> str:
    """The same model without being told how: no citations, chat instead of the refusal phrase."""
    if text == "not supported in source":
        return "I'm sorry, but the passages do not say anything about that."
    return re.sub(r"\s*\[\d+\]", "", text)


def invented(text: str) -> str:
    """Other figures, and an answer where there is none."""
    if text == "not supported in source":
        return "It was 4711 in 1987, according to Captain Archibald Quince [1]."
    bent = re.sub(r"\d+(?!\])", lambda m: str(int(m[0]) + 17), re.sub(r"\[\d+\]", "", text))
    return f"{bent.rstrip('. ')}, as Archibald Quince found in 1987 [1]."


def shuffled_index(work: Path) -> Path:
    """The samples with the contents of all PDFs under each other's names."""
    folder = work / "shuffled"
    shutil.copytree(SAMPLES, folder)
    names = sorted(p.name for p in folder.glob("*.pdf"))
    for name, other in zip(names, [*names[1:], names[0]], strict=True):
        shutil.copy(SAMPLES / name, folder / other)
    ingest_folder(folder, index=work / "shuffled-index", workers=1)
    return work / "shuffled-index"


@contextmanager
def slow(kind: type[Any]) -> Iterator[None]:
    """Every answer of this generator takes SLOWER seconds more."""
    generate = kind.generate

    def late(*arguments: Any) -> Any:
        time.sleep(SLOWER)
        return generate(*arguments)

    with mock.patch.object(kind, "generate", late):
        yield


def tell(name: str, comparison: Comparison) -> None:
    worse = [d for d in comparison.differences if d.verdict == "worse"]
    better = [d.metric for d in comparison.differences if d.verdict == "better"]
    wanted = EXPECTED[name]
    found = [f"{d.metric} {d.before:.2f} → {d.after:.2f}{_chance(d)}" for d in worse]
    right = bool({d.metric for d in worse} & wanted) if wanted else not worse
    print(
        f"| {name} | {', '.join(sorted(wanted)) or '–'} | {'; '.join(found) or '–'} "
        f"| {', '.join(better) or '–'} | {sum(f.worse for f in comparison.flips)} "
        f"| {'yes' if right else '**no**'} |",
        flush=True,
    )


def _chance(found: Difference) -> str:
    """« (p = 0.016)» of a share; times go by a margin."""
    known = re.search(r"p = \S+", found.test)
    return f" ({known[0]})" if known else ""


# ---------------------------------------------------------------------- noise


def noise(work: Path, nights: int, count: int) -> None:
    questions = read_questions(SAMPLES / "questions.jsonl")
    step = max(1, len(questions) // count)
    ingest_folder(SAMPLES, index=work / "index", workers=1)
    with tiny_llama_server() as url, History(work / "noise.sqlite") as history, sampled():
        settings = Settings(
            index=str(work / "index"), generator="openai", openai_url=url, verifier="rules",
            answer_tokens=ANSWER_TOKENS, ask_k=2, gate=0.0,
        )  # fmt: skip
        began = time.monotonic()
        run = evaluate(questions[::step][:count], settings, load_rubric(), history, repeats=nights)
        spent = time.monotonic() - began
    print(f"{len(run.replies)} replies, {len(run.failures)} failures, {spent:.0f} s.")
    print("Outcomes:", dict(Counter(outcome(r) for r in run.results)))
    print("Kinds of failure:", dict(Counter(f.kind for f in run.failures)), flush=True)
    found = [night(run, lambda _, n=n: n) for n in range(nights)]
    told = [worse_in(compare(a, b)) for a, b in itertools.pairwise(found)]
    report("nights, each against the one before", told)
    throws = random.Random(7)
    pairs = (
        tuple(night(run, lambda _: throws.randrange(nights)) for _ in range(2))
        for _ in range(DRAWN)
    )
    report("pairs of nights drawn from the same replies", [worse_in(compare(*p)) for p in pairs])


@contextmanager
def sampled() -> Iterator[None]:
    """Answers at temperature .7, each with dice of its own; the product asks at 0."""
    throws = random.Random(7)
    asked = OpenAIGenerator._request  # noqa: SLF001 - the one place where it is said

    def hot(self: Any, prompt: Any) -> dict[str, Any]:
        return {**asked(self, prompt), "temperature": 0.7, "seed": throws.randrange(2**31)}

    with mock.patch.object(OpenAIGenerator, "_request", hot):
        yield


def night(run: EvaluationRun, pick: Callable[[str], int]) -> EvaluationRun:
    """One repeat of each question as a run of its own. Consistency was judged over all repeats
    and is left out."""
    by_question: dict[str, dict[int, Any]] = {}
    for result in run.results:
        by_question.setdefault(result.question.id, {})[result.repeat] = result
    chosen = []
    for name, repeats in by_question.items():
        one = replace(repeats[pick(name)], repeat=0)
        if isinstance(one, Reply):
            kept = tuple(m for m in one.marks if m.check != "consistency")
            one = replace(one, marks=kept)
        chosen.append(one)
    return replace(run, results=tuple(chosen), repeats=1)


# ---------------------------------------------------------------------- dice

OUTCOMES = ("supported", "no_mismatch", "unverified", "flagged", "refused", "failed")


def dice(pairs: int, count: int) -> None:
    """Each question leans to outcomes of its own; how much it leans, from hardly to nearly always,
    is drawn as well."""
    nature, throws = random.Random(1), random.Random(2)
    leanings = [[nature.gammavariate(0.5, 1) + 1e-6 for _ in OUTCOMES] for _ in range(count)]

    def one() -> EvaluationRun:
        told = [throws.choices(OUTCOMES, weights)[0] for weights in leanings]
        return _run([_result(n, what) for n, what in enumerate(told)])

    compared = [compare(one(), one()) for _ in range(pairs)]
    moved = sum(any(d.change for d in c.differences) for c in compared)
    print(f"{moved} of {pairs} pairs differ in some figure.")
    report("pairs of drawn nights", [worse_in(c) for c in compared])


def _result(number: int, what: str) -> Result:
    """Question ``number`` come out so; four a document, every fourth without an answer."""
    asked = Question(f"q{number}", f"{number}?", number % 4 > 0, file=f"{number // 4}.pdf", page=1)
    if what == "failed":
        return Failure(asked, 0, "ReplyInvalid", "cut", 1.0)
    refused = what == "refused"
    summary = {k: int(k == what) for k in ("supported", "no_mismatch", "flagged", "unverified")}
    found = number % 3 > 0 or what == "supported"
    marks = (
        Mark("clean", "factual_accuracy", "UNMET" if what == "flagged" else "MET", ""),
        Mark("rightly", "task_completion", "MET" if refused != asked.answerable else "UNMET", "",
             2.0),
        Mark("evidence", "task_completion", "MET" if found else "UNMET", ""),
        Mark("cited", "formatting", "UNMET" if what == "unverified" else "MET", ""),
    )  # fmt: skip
    sentence = {"verdict": what, "score": 0.5, "reasons": []}
    answer = {
        "refused": refused, "summary": summary, "sentences": [] if refused else [sentence],
        "passages": [{"file": asked.file if found else "", "page": 1, "page_end": 1}],
        "timings": {}, "generator": {},
    }  # fmt: skip
    return Reply(asked, 0, answer, marks, {"hit@5": float(found), "ndcg@10": float(found)})


def _run(results: Sequence[Result]) -> EvaluationRun:
    made = Provenance("", "", 0, 0, {}, {}, {}, "", "", "", {}, {}, {})
    return EvaluationRun("", "", None, "done", None, 1, len(results), made, tuple(results))


def worse_in(comparison: Comparison) -> list[str]:
    return [d.metric for d in comparison.differences if d.verdict == "worse"]


def report(name: str, told: Sequence[Sequence[str]]) -> None:
    quality = sum(any(not m.endswith("_s") for m in metrics) for metrics in told)
    either = sum(bool(metrics) for metrics in told)
    kinds = dict(Counter(m for metrics in told for m in metrics))
    for what, hits in (("a figure worse", quality), ("a figure or a time worse", either)):
        low, high = wilson(hits / len(told), len(told))
        print(
            f"| {len(told)} {name} | {what} | {hits} | {hits / len(told):.3f} "
            f"[{low:.3f}, {high:.3f}] | {kinds} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("planted", "noise", "dice"))
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--questions", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.part in (None, "planted"):
            print("| planted | should show in | became worse | better | worse answers | caught |")
            print("| --- | --- | --- | --- | --- | --- |", flush=True)
            planted(Path(folder))
        if options.part in (None, "noise"):
            noise(Path(folder), options.nights, options.questions)
        if options.part in (None, "dice"):
            dice(DRAWN, 43)


if __name__ == "__main__":
    main()
