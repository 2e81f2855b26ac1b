"""``rag eval run --due``: what a schedule has due, by the ledger that `rag eval schedule` keeps.

And what the runs of a history, due or not, have in common: one at a time, how they are typed, and
whether a model is meant to write.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tomllib
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from eval.history import History
from eval.questions import questions_digest
from eval.records import EvaluationRun, Question
from rag.errors import IndexLocked, UsageError
from rag.options import say
from rag.render import one_line
from rag.settings import CONFIG_FILE

if TYPE_CHECKING:
    from eval.schedule import Due

#: Options of `run` that say how it is started and shown, not what is run.
_HOW = ("questions", "due", "cron", "timezone", "as_json", "resume", "baseline", "debug")


def given_options(ctx: click.Context) -> tuple[str, ...]:
    """The options of `run` that were given and decide what is run, written always in the same
    order: a schedule is known by them, whoever starts it."""
    found: list[str] = []
    for option in ctx.command.params:
        name = str(option.name)
        if name not in _HOW and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            found += _written(option, ctx.params[name])
    return tuple(found)


def repeated(
    ctx: click.Context, command: click.Command, without: Container[str] = ()
) -> tuple[str, ...]:
    """The options of ``command`` that this call was given, those before the subcommand included."""
    words: list[str] = []
    before = ctx.ensure_object(dict)
    for option in command.params:
        name = str(option.name)
        if name in without or name == "debug" or isinstance(option, click.Argument):
            continue
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += _written(option, ctx.params[name])
        elif name in before:
            words += _written(option, str(before[name]))
    return tuple(words)


def _written(option: click.Parameter, value: object) -> list[str]:
    flag = max(option.opts, key=len)
    values = value if isinstance(value, tuple) else (value,)
    return [w for v in values for w in ([flag] if isinstance(v, bool) else [flag, str(v)])]


def typed(ctx: click.Context, *words: str) -> str:
    """A command as a person types it. A password in it is covered."""
    line = shlex.join(words)
    for secret in ctx.ensure_object(dict).get("secrets", ()):
        line = line.replace(secret, "•••")
    return one_line(line)


def model_named(ctx: click.Context, flag: object) -> bool:
    """Whether a model was asked for, by ``flag``, environment or settings file: also where it is
    the default, which settings once resolved no longer tell from nobody's wish. Call it after
    `settings_from`, which refuses a file that cannot be read."""
    if flag or "RAG_MODEL" in os.environ:
        return True
    file = ctx.ensure_object(dict).get("config") or os.environ.get("RAG_CONFIG") or CONFIG_FILE
    path = Path(file)
    return path.exists() and "model" in tomllib.loads(path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def alone(history: Path) -> Iterator[None]:
    """The right to evaluate with this history, which runs that are due wait for: two at once would
    spoil each other's times. Raises IndexLocked naming the run that has it."""
    from eval.ledger import Ledger

    with Ledger(history) as ledger:
        held = ledger.try_run()
        if held is None:
            raise IndexLocked(
                f"history {history} is in use by {_going(history)}",
                "wait for it to end, or name another: --history FILE",
            )
        with held:
            yield


def _going(path: Path) -> str:
    with History(path) as history:
        going = next((r for r in history.runs() if r.state == "running"), None)
    if going is None:
        return "another evaluation, which is about to begin or to end"
    return f"run {going.run_id} of {going.provenance.questions_file}, which is going on"


def ask_due(
    ctx: click.Context,
    questions: Path,
    history: Path,
    cron: str | None,
    timezone: str | None,
    ask: Callable[[datetime], EvaluationRun],
) -> Due:
    """What was due, and its run; or why there is none, which is said. What ``ask`` raises is put
    down as the reason why a due time failed."""
    from eval.cron import DEFAULT_CRON, Schedule
    from eval.ledger import Ledger
    from eval.schedule import run_due

    given = given_options(ctx)
    if any(secret in word for word in given for secret in ctx.obj["secrets"]):
        raise UsageError(
            "an option holds a password, and what is due is written down with its options",
            "write the setting into a file: --config FILE",
        )
    schedule = Schedule.of(questions, cron or DEFAULT_CRON, timezone, given)

    with Ledger(history) as ledger:
        found = run_due(schedule, ledger, lambda at: ask(at).run_id, say=say)
    if found.state != "done":
        say(f"nothing to run: {found.reason}")
    return found


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
