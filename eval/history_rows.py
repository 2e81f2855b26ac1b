"""Runs and results as rows of the history, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from eval.records import EvaluationRun, Failure, Mark, Provenance, Question, Reply, Result

#: Of the table of runs, in the order of `run_of`.
COLUMNS = "run_id, started, finished, state, due, repeats, questions, provenance"


def result_row(run_id: str, result: Result) -> tuple[str, str, int, str, str]:
    """A result as the table has it."""
    kind = "reply" if isinstance(result, Reply) else "failure"
    return run_id, result.question.id, result.repeat, kind, to_json(asdict(result))


def run_of(row: Sequence[Any]) -> EvaluationRun:
    """A run without its results."""
    run_id, started, finished, state, due, repeats, questions, provenance = row
    return EvaluationRun(
        run_id=run_id,
        started=started,
        finished=finished,
        state=state,
        due=due,
        repeats=repeats,
        questions=questions,
        provenance=Provenance(**json.loads(provenance)),
    )


def result_of(kind: str, data: dict[str, Any]) -> Result:
    """A result from its kind and what `result_row` made of it."""
    asked = data.pop("question")
    question = Question(**{**asked, "tags": tuple(asked["tags"])})
    if kind == "failure":
        return Failure(question=question, **data)
    marks = tuple(Mark(**mark) for mark in data.pop("marks"))
    return Reply(question=question, marks=marks, **data)


def to_json(value: Any) -> str:
    """ASCII alone: SQLite takes no half characters, and what a model writes may hold one."""
    return json.dumps(value)
