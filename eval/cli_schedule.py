"""``rag eval schedule``: evaluate at fixed times, here or by the host's own timer."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import click

from eval.cli_due import given_options, repeated
from eval.cli_run import run as run_command
from eval.cron import DEFAULT_CRON, Schedule
from rag.errors import UsageError
from rag.options import common_options, say, settings_from
from rag.render import one_line
from rag.settings import Settings

#: Of `rag eval run` what the schedule itself decides.
_OWN = {"questions", "due", "cron", "timezone", "resume", "as_json"}
#: Seconds a run has to put down that it was interrupted; `docker stop` waits ten. Set by hand.
_GRACE = 8.0
_LINES = 30  # a month of nights, as much as --record shows


@click.command()
@click.argument("questions", type=click.Path(path_type=Path))
@click.option(
    "--cron", default=DEFAULT_CRON, show_default=True, metavar="CRON",
    help="When: minute, hour, day, month, weekday.",
)  # fmt: skip
@click.option("--timezone", metavar="NAME", help="Zone of --cron (default: this machine's).")
@click.option(
    "--print", "unit", type=click.Choice(["systemd", "crontab"]),
    help="Print what the host's own timer needs, and leave.",
)  # fmt: skip
@click.option("--record", is_flag=True, help="Show what became of the due times, and leave.")
@common_options
@click.pass_context
def schedule(
    ctx: click.Context,
    /,
    questions: Path,
    cron: str,
    timezone: str | None,
    unit: str | None,
    record: bool,
    **options: Any,
) -> None:
    """Run QUESTIONS when they are due, with the options of `rag eval run`, until interrupted.

    What was missed is caught up once at the next start; every due time has its line in the history.
    """
    from eval.history import history_path
    from eval.questions import read_questions
    from eval.rubric import load_rubric

    known = {f.name for f in fields(Settings)}
    settings = settings_from(ctx, {k: v for k, v in options.items() if k in known})
    history = options["history_file"] or history_path(settings)
    if record:
        _show(questions, history)
        return
    read_questions(questions)  # what is wrong now would be wrong every night
    load_rubric(options["rubric"])
    given = _given(ctx, questions)
    if any(secret in word for word in given for secret in settings.secrets):
        raise UsageError(
            "an option of the schedule holds a password, and the schedule would be written down",
            "write the setting into a file: --config FILE",
        )
    due = Schedule.of(questions, cron, timezone, given)
    words = _words(due, ctx)
    if unit:
        _print(unit, due, words, history, settings)
    else:
        _stay(due, words, history)


schedule.params += [
    option
    for option in run_command.params
    if option.name not in _OWN | {known.name for known in schedule.params}
]


def _given(ctx: click.Context, questions: Path) -> tuple[str, ...]:
    """The options as `rag eval run` itself will see them, those before the subcommand included."""
    words = repeated(ctx, run_command, _OWN)
    with run_command.make_context("run", [str(questions), *words], obj={}) as seen:
        return given_options(seen)


def _words(due: Schedule, ctx: click.Context) -> tuple[str, ...]:
    """The command that does what is due, in full."""
    rag = Path(sys.executable).with_name("rag")
    start = [str(rag)] if rag.exists() else [sys.executable, "-P", "-m", "rag"]
    when = ["--due", "--cron", due.cron, "--timezone", due.timezone]
    beside = ["--baseline", ctx.params["baseline"]] if ctx.params["baseline"] != "last" else []
    if ctx.ensure_object(dict).get("debug"):
        beside.append("--debug")
    return (*start, "eval", "run", due.questions, *when, *due.options, *beside)


def _show(questions: Path, history: Path) -> None:
    """The newest lines of each schedule of these questions, whatever its options."""
    from eval.ledger import Ledger
    from eval.schedule import shown

    if not history.exists():
        raise UsageError(f"no history at {history}", "name another: --history FILE")
    with Ledger(history) as ledger:
        found = [s for s in ledger.schedules() if s.questions == str(questions.absolute())]
        if not found:
            raise UsageError(f"no schedule of {questions} in {history}", "start one first")
        for one in found:
            click.echo(one_line(f"«{one.cron}» {one.timezone} {shlex.join(one.options)}"))
            for line in ledger.lines(one)[-_LINES:]:
                what = line.run_id if line.state == "done" else line.reason
                click.echo(f"  {shown(line.due, one)}  {line.state:<11}  {one_line(what or '')}")


def _print(
    unit: str, due: Schedule, words: tuple[str, ...], history: Path, settings: Settings
) -> None:
    from eval.units import Call, crontab, systemd

    folder = history.parent.resolve()  # systemd ignores a path with «..» in it
    folder.mkdir(parents=True, exist_ok=True)  # a unit may write only to what exists
    here = _environment()
    hidden = tuple(name for name, value in here.items() if _secret(name, value, settings))
    shown = tuple((name, value) for name, value in here.items() if name not in hidden)
    call = Call(words, Path.cwd(), getpass.getuser(), folder, shown, hidden)
    click.echo(systemd(due, call) if unit == "systemd" else crontab(due, call), nl=False)


def _environment() -> dict[str, str]:
    """The settings that came from the environment, which no timer of the host would have."""
    names = ("RAG_CONFIG", *(f"RAG_{f.name.upper()}" for f in fields(Settings)))
    return {name: os.environ[name] for name in names if name in os.environ}


def _secret(name: str, value: str, settings: Settings) -> bool:
    """Whether a value may not be printed; of an address, whether it may hold a user or a key."""
    odd_address = name.endswith("_URL") and not {"@", "?", "#"}.isdisjoint(value)
    return odd_address or name.endswith("_KEY") or any(s in value for s in settings.secrets)


def _stay(due: Schedule, words: tuple[str, ...], history: Path) -> None:
    from eval.ledger import Ledger
    from eval.schedule import run_forever

    with Ledger(history) as ledger:
        say(f"schedule {due.id}: «{due.cron}» {due.timezone}, kept in {history}")
        run_forever(due, ledger, partial(_look, words), say=say)


def _look(words: tuple[str, ...]) -> None:
    """`rag eval run --due` in a process of its own: whatever becomes of it, the schedule lives."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True) as process:  # noqa: S603 - our own command
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        say(f"that run ended with exit code {code}; the schedule goes on")
