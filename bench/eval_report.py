"""How long a person waits for a report, with a month of nights in the history.

    python bench/eval_report.py --runs 30 --questions 1000

The questions of data/samples are asked once, without a model; their results, written down again
under other names and with other dice, make the nights. Then the commands are run as processes:
with the figures of no run kept (as after an update), and again.
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eval.history import History
from eval.questions import read_questions
from eval.records import EvaluationRun, Reply, Result
from eval.rubric import load_rubric
from eval.run import evaluate
from ingest import ingest_folder
from rag.settings import load_settings

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
#: Spread of a night's seconds (of their logarithm), and the share of answers that a dice flags.
SPREAD, FLAGGED = 0.15, 0.04


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--questions", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        write(path, asked(Path(folder)), arguments.runs, arguments.questions)
        print(f"{arguments.runs} runs of {arguments.questions:,} questions,", end=" ")
        print(f"{path.stat().st_size / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}\n")
        print("| command | seconds | processor seconds |")
        print("| --- | ---: | ---: |")
        page = ["report", "-o", str(Path(folder) / "report.html")]
        history = ["history", "-n", str(arguments.runs)]
        for name, options in (
            ("report, nothing kept", page), ("report", page), ("history", history),
        ):  # fmt: skip
            print(f"| {name} | {timed([*options, '--history', str(path)])} |")


def asked(folder: Path) -> EvaluationRun:
    """The questions of the samples, asked once."""
    index = str(folder / "index")
    ingest_folder(SAMPLES, index=index)
    settings = load_settings({"index": index, "generator": "extractive"})
    questions = read_questions(SAMPLES / "questions.jsonl")
    with History(folder / "asked.sqlite") as history:
        return evaluate(questions, settings, load_rubric(None), history, questions_file="samples")


def write(path: Path, run: EvaluationRun, runs: int, questions: int) -> None:
    with History(path) as history:
        for night in range(runs):
            run_id = history.begin(run.provenance, repeats=1, questions=questions)
            history.add(run_id, list(results(run, questions, random.Random(night))))
            history.finish(run_id, "done")


def results(run: EvaluationRun, questions: int, dice: random.Random) -> Iterator[Result]:
    for number in range(questions):
        found = run.results[number % len(run.results)]
        place = number // len(run.results)  # other documents for each copy of a question
        file = found.question.file and f"{place}/{found.question.file}"
        question = replace(found.question, id=f"{found.question.id}-{place}", file=file)
        if not isinstance(found, Reply):
            yield replace(found, question=question)
            continue
        answer, slower = copy.deepcopy(found.answer), dice.lognormvariate(0, SPREAD)
        answer["timings"] = {k: v and v * slower for k, v in answer["timings"].items()}
        counts = answer["summary"]
        if dice.random() < FLAGGED and counts["supported"]:
            counts["supported"], counts["flagged"] = counts["supported"] - 1, counts["flagged"] + 1
        yield replace(found, question=question, answer=answer, cold=found.cold and not place)


def timed(arguments: list[str]) -> str:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "rag", "eval", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    spent, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{spent:.1f} | {worked:.1f}"


if __name__ == "__main__":
    main()
