"""``rag eval init`` and ``run``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from eval.history import History, history_path, now
from eval.records import Comparison, EvaluationRun
from rag.errors import RagError, UsageError
from rag.options import common_options, print_json, say, settings_from

history_option = click.option(
    "--history",
    "history_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="History of all runs (default <index>-eval/history.sqlite).",
)


@click.command()
@click.option(
    "-o", "--output", default="questions.jsonl", show_default=True, metavar="FILE",
    type=click.Path(path_type=Path), help="Where to write; never over a file that exists.",
)  # fmt: skip
@click.option(
    "-n", "--questions", "count", type=click.IntRange(1, 1000), default=20, show_default=True,
    help="How many to draft.",
)  # fmt: skip
@click.option("--rubric", is_flag=True, help="Write the rubric that ships instead, to edit it.")
@common_options
@click.pass_context
def init(ctx: click.Context, /, output: Path, count: int, rubric: bool) -> None:
    """Draft questions from the index, for a person to edit. No model is asked."""
    from eval.draft import draft, write_new
    from eval.questions import to_line
    from eval.rubric import shipped

    if rubric:
        given = ctx.get_parameter_source("output") is click.core.ParameterSource.COMMANDLINE
        output = output if given else Path("rubric.toml")
        write_new(output, shipped())
        say(f"{output}: the rubric that ships; edit it, and give it with --rubric {output}")
        return
    found = draft(settings_from(ctx), count)
    write_new(output, "".join(to_line(q) + "\n" for q in found))
    unanswerable = sum(q.answerable is False for q in found)
    say(f"{output}: {len(found)} drafts, {unanswerable} of them without an answer in the documents")
    say("These are drafts, made by cutting facts out of sentences. Read each one: ask as you would")
    say("ask, mend or delete what reads badly, then take «draft» out of the line.")
    say(f"Then: rag eval run {output}")


@click.command()
@click.argument("questions", type=click.Path(path_type=Path))
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=1, show_default=True,
    help="Ask each question so often; consistency needs 2.",
)  # fmt: skip
@click.option(
    "--judge", "judges", multiple=True, metavar="rules|decision|nli|judge|own",
    help="Who judges the claims instead of the pipeline's own checker; several vote.",
)  # fmt: skip
@click.option("--rubric", type=click.Path(path_type=Path), metavar="FILE", help="Your own rubric.")
@click.option(
    "--baseline", default="last", show_default=True, metavar="last|RUN_ID|none",
    help="The run to compare with.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the last run, if it was interrupted.")
@click.option("--due", is_flag=True, help="Run only what a schedule has due; for timers.")
@click.option("--cron", metavar="CRON", help='With --due, when it is (default "0 3 * * *").')
@click.option("--timezone", metavar="NAME", help="With --due, the zone of --cron.")
@click.option("--generator", metavar="auto|ollama|openai|extractive", help="Who writes the answer.")
@click.option("--model", metavar="NAME", help="Model of the generator.")
@click.option("-k", "ask_k", type=click.IntRange(1, 100), help="How many passages (default 5).")
@click.option("--prompt", metavar="FILE", help="Another prompt template.")
@click.option("--context", type=click.IntRange(256), help="Tokens for prompt and answer.")
@click.option("--answer-tokens", type=click.IntRange(16), help="Tokens kept for the answer.")
@click.option("--gate", type=click.FloatRange(0, 1), help="Lowest similarity that may answer.")
@click.option("--reranker", metavar="MODEL", help="Cross-encoder for a second look.")
@click.option(
    "--verifier", metavar="auto|rules|decision|nli|judge", help="Which model checks, if any."
)
@click.option("--verifier-model", metavar="NAME", help="NLI model's folder or hub name, or judge.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@history_option
@common_options
@click.pass_context
def run(
    ctx: click.Context,
    /,
    questions: Path,
    repeats: int,
    judges: tuple[str, ...],
    rubric: Path | None,
    baseline: str,
    resume: bool,
    due: bool,
    cron: str | None,
    timezone: str | None,
    as_json: bool,
    history_file: Path | None,
    **flags: Any,
) -> None:
    """Ask all QUESTIONS, score the answers by the rubric, and compare with the run before."""
    from eval.progress import Progress
    from eval.questions import read_questions
    from eval.rubric import load_rubric
    from eval.run import evaluate

    if (cron or timezone) and not due:
        raise UsageError("--cron and --timezone mean nothing without --due", "add --due")
    settings = settings_from(ctx, flags)
    asked, criteria = read_questions(questions), load_rubric(rubric)
    drafts = sum(q.draft for q in asked)
    if drafts:
        say(f"{drafts} of {len(asked)} questions are drafts that nobody has edited")
    path = history_file or history_path(settings)
    with History(path) as history:
        if baseline not in ("last", "none"):
            history.find(baseline)  # say so before an hour of asking

        def ask(at: datetime | None) -> EvaluationRun:
            with _going_on(history, questions), Progress() as progress:
                return evaluate(
                    asked, settings, criteria, history, repeats=repeats, judges=judges,
                    due=at.astimezone(UTC).isoformat() if at else None,
                    resume="last" if resume or at else None,
                    watch=progress, questions_file=str(questions),
                )  # fmt: skip

        if due:
            run_id = _ask_due(ctx, questions, path, cron, timezone, ask)
            if run_id is None:
                return
            made = history.load(run_id)
        else:
            made = ask(None)
        _show(made, history, baseline, as_json=as_json)
    _must_be_answered(made)


@contextlib.contextmanager
def _going_on(history: History, questions: Path) -> Iterator[None]:
    """Where a run is cut off with answers in hand, say how it goes on."""
    begun = now()
    try:
        yield
    except (KeyboardInterrupt, RagError):
        latest = next(iter(history.runs(limit=1)), None)
        ended = latest is not None and (latest.finished or "") >= begun
        if latest and ended and latest.state == "interrupted":
            say(f"what was answered is kept; go on with: rag eval run {questions} --resume")
        raise


def _show(run: EvaluationRun, history: History, baseline: str, *, as_json: bool) -> None:
    """Print the run beside its baseline."""
    from eval.compare import compare
    from eval.corrections import record_for
    from eval.display import run_lines
    from eval.summary import summarise

    before = _baseline(run, history, baseline)
    comparison: Comparison | None = compare(before, run) if before else None
    summary = summarise(run, record_for(run.provenance.verifier, history.path), comparison)
    if as_json:
        print_json(summary)
    else:
        click.echo("\n".join(run_lines(run, summary, comparison)))


def _must_be_answered(run: EvaluationRun) -> None:
    """Raise what the first question met, where none was answered."""
    if run.state != "failed":
        return
    first = run.failures[0]
    kind = next(k for k in _errors(RagError) if k.__name__ == first.kind)
    raise kind(f"not one of {run.questions} questions was answered: {first.problem}")


def _baseline(run: EvaluationRun, history: History, name: str) -> EvaluationRun | None:
    if name == "none":
        return None
    if name == "last":
        return history.last(run.provenance.questions_digest, before=run.run_id)
    return history.load(name)


def _errors(kind: type[RagError]) -> list[type[RagError]]:
    return [kind, *(further for sub in kind.__subclasses__() for further in _errors(sub))]


# ------------------------------------------------------------------ on a schedule


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


def _ask_due(
    ctx: click.Context,
    questions: Path,
    history: Path,
    cron: str | None,
    timezone: str | None,
    ask: Callable[[datetime], EvaluationRun],
) -> str | None:
    """The id of the run that was due, None where none is; the same ledger as
    `rag eval schedule`."""
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

    def start(at: datetime) -> str:
        made = ask(at)
        _must_be_answered(made)  # else its due time would count as done
        return made.run_id

    with Ledger(history) as ledger:
        found = run_due(schedule, ledger, start, say=say)
    if found.state != "done":
        say(f"nothing to run: {found.reason}" if found.reason else "nothing to run")
    return found.run_id if found.state == "done" else None
