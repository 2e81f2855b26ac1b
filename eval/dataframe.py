"""A run as a pandas DataFrame, for people who look further in a notebook. The door to pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eval.records import EvaluationRun, Failure, Reply, Result
from rag.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("supported", "no_mismatch", "flagged", "unverified")


def to_dataframe(run: EvaluationRun) -> pd.DataFrame:
    """A row for each question and repeat, in the order they were asked.

    Columns: the question with what was expected of it, ``refused``, ``answer``, ``error`` (None
    where there was an answer), the counts of verdicts, ``retrieval.*``, ``*_s`` in seconds, and a
    column for each criterion named ``check.criterion`` with MET, UNMET or CANNOT_ASSESS. What a
    question without an answer cannot have is missing there (NaN or None), never a zero.

    Raises UsageError when pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError(
            "pandas is not installed, so there is no DataFrame",
            'pip install "affidavit[notebook]"',
        ) from error
    return pd.DataFrame([{**_asked(r), **_came_of_it(r)} for r in run.results])


def _asked(result: Result) -> dict[str, Any]:
    question = result.question
    return {
        "id": question.id,
        "repeat": result.repeat,
        "question": question.question,
        "answerable": question.answerable,
        "expected": question.answer,
        "file": question.file,
        "page": question.page,
        "tags": ", ".join(question.tags),
    }


def _came_of_it(result: Result) -> dict[str, Any]:
    if isinstance(result, Failure):
        error = f"{result.kind}: {result.problem}"
        return {"refused": None, "answer": None, "error": error, "total_s": result.seconds}
    return _answered(result)


def _answered(reply: Reply) -> dict[str, Any]:
    answer = reply.answer
    return {
        "refused": answer["refused"],
        "answer": answer["answer"],
        "error": None,
        **{name: answer["summary"][name] for name in _COUNTS},
        **{f"retrieval.{name}": value for name, value in reply.retrieval.items()},
        **answer["timings"],
        "cold": reply.cold,
        **{f"{mark.check}.{mark.criterion}": mark.outcome for mark in reply.marks},
    }
