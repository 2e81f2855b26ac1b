"""``rag eval run --due``: what a schedule has due, by the ledger that `rag eval schedule` keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from eval.history import History
from eval.questions import questions_digest
from eval.records import EvaluationRun, Question
from rag.errors import UsageError
from rag.options import say

#: Options of `run` that say how it is started and shown, not what is run.
_HOW = ("questions", "due", "cron", "timezone", "as_json", "resume", "baseline", "debug")


def given_options(ctx: click.Context) -> tuple[str, ...]:
    """The options of `run` that were given and decide what is run, written always in the same
    order: a schedule is known by them, whoever starts it."""
    found: list[str] = []
    for option in ctx.command.params:
        source = ctx.get_parameter_source(str(option.name))
        if option.name in _HOW or source is not click.core.ParameterSource.COMMANDLINE:
            continue
        value = ctx.params[str(option.name)]
        flag = max(option.opts, key=len)
        for one in value if isinstance(value, tuple) else (value,):
            found += [flag] if isinstance(one, bool) else [flag, str(one)]
    return tuple(found)


def ask_due(
    ctx: click.Context,
    questions: Path,
    history: Path,
    cron: str | None,
    timezone: str | None,
    ask: Callable[[datetime], EvaluationRun],
) -> str | None:
    """The id of the run that was due, None where none is. What ``ask`` raises is put down as the
    reason why a due time failed."""
    from eval.cron import DEFAULT_CRON, Schedule
    from eval.ledger import Ledger
    from eval.schedule import run_due

    given = given_options(ctx)
    if any(secret in word for word in given for secret in ctx.obj["secrets"]):
        raise UsageError(
            "an option holds a password, and what is due is written down with its options",
            "set RAG_… in the environment instead",
        )
    schedule = Schedule.of(questions, cron or DEFAULT_CRON, timezone, given)

    with Ledger(history) as ledger:
        found = run_due(schedule, ledger, lambda at: ask(at).run_id, say=say)
    if found.state != "done":
        say(f"nothing to run: {found.reason}" if found.reason else "nothing to run")
    return found.run_id if found.state == "done" else None


def stamp(at: datetime) -> str:
    """A due time as a run keeps it."""
    return at.astimezone(UTC).isoformat()


def run_already(
    history: History, at: datetime, questions: Sequence[Question]
) -> EvaluationRun | None:
    """The run of this due time, if it was finished and its process died before the ledger knew."""
    digest = questions_digest(questions)
    found = (
        r for r in history.runs()
        if r.due == stamp(at) and r.state == "done" and r.provenance.questions_digest == digest
    )  # fmt: skip
    return next(found, None)
