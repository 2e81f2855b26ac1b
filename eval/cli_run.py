"""``rag eval init`` and ``run``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.history import History, as_baseline, history_path, now
from eval.records import Comparison, EvaluationRun, Question
from rag.errors import RagError, UsageError
from rag.options import answer_options, common_options, print_json, say, settings_from

if TYPE_CHECKING:
    from eval.rubric import Rubric

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
    from eval.cli_due import repeated, typed
    from eval.draft import draft
    from eval.new_file import must_be_new, write_new
    from eval.questions import to_line
    from eval.rubric import shipped

    if rubric:
        given = ctx.get_parameter_source("output") is click.core.ParameterSource.COMMANDLINE
        output = output if given else Path("rubric.toml")
        write_new(output, shipped())
        say(f"{output}: the rubric that ships; edit it, and give it with --rubric {output}")
        return
    must_be_new(output)
    found = draft(settings_from(ctx), count)
    write_new(output, "".join(to_line(q) + "\n" for q in found))
    unanswerable = sum(q.answerable is False for q in found)
    say(f"{output}: {len(found)} drafts, {unanswerable} of them without an answer in the documents")
    say("These are drafts, made by cutting facts out of sentences. Read each one: ask as you would")
    say("ask, mend or delete what reads badly, then take «draft» out of the line.")
    say(f"Then: {typed(ctx, 'rag', 'eval', 'run', str(output), *repeated(ctx, run))}")


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
@answer_options
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
    from eval.cli_due import alone, ask_due, model_named, run_already, stamp
    from eval.progress import Progress
    from eval.run import evaluate

    if (cron or timezone) and not due:
        raise UsageError("--cron and --timezone mean nothing without --due", "add --due")
    settings = settings_from(ctx, flags)
    # a file that broke since yesterday is the reason why tonight's due time fails, and is put down
    prepared = None if due else _prepared(questions, rubric)
    path = history_file or history_path(settings)
    with History(path) as history:
        if baseline not in ("last", "none"):  # say so before an hour of asking
            as_baseline(history.find(baseline), f"--baseline {baseline}")

        def ask(at: datetime | None) -> EvaluationRun:
            asked, criteria = prepared or _prepared(questions, rubric)
            if at and (found := run_already(history, at, asked)):
                return found
            with _going_on(ctx, history, questions), Progress() as progress:
                made = evaluate(
                    asked, settings, criteria, history, repeats=repeats, judges=judges,
                    due=stamp(at) if at else None, resume="last" if resume or at else None,
                    watch=progress, questions_file=str(questions), notice=say,
                    model_named=model_named(ctx, flags["model"]),
                )  # fmt: skip
            if at:
                _must_be_answered(made)  # else its due time would count as done
            return made

        if due:
            found = ask_due(ctx, questions, path, cron, timezone, ask)
            if found.run_id is None:
                if as_json:
                    print_json({"state": found.state, "reason": found.reason})
                return
            made = history.load(found.run_id)
        else:
            with alone(path):
                made = ask(None)
        _show(ctx, made, history, baseline, as_json=as_json)
    _must_be_answered(made)


def _prepared(questions: Path, rubric: Path | None) -> tuple[list[Question], Rubric]:
    """What is asked and what it is held against. Raises UsageError with file and line."""
    from eval.questions import read_questions
    from eval.rubric import load_rubric

    asked = read_questions(questions)
    drafts = sum(q.draft for q in asked)
    if drafts:
        say(f"{drafts} of {len(asked)} questions are drafts that nobody has edited")
    return asked, load_rubric(rubric)


@contextlib.contextmanager
def _going_on(ctx: click.Context, history: History, questions: Path) -> Iterator[None]:
    """Where a run is cut off with answers in hand, say how it goes on."""
    from eval.cli_due import repeated, typed

    begun = now()
    try:
        yield
    except (KeyboardInterrupt, RagError):
        latest = next(iter(history.runs(limit=1)), None)
        ended = latest is not None and (latest.finished or "") >= begun
        if latest and ended and latest.state == "interrupted":
            options = repeated(ctx, run, ("resume", "due", "cron", "timezone"))
            again = typed(ctx, "rag", "eval", "run", str(questions), *options, "--resume")
            say(f"what was answered is kept; go on with: {again}")
        raise


def _show(
    ctx: click.Context, run: EvaluationRun, history: History, baseline: str, *, as_json: bool
) -> None:
    """Print the run beside its baseline."""
    from eval.cli_due import repeated, typed
    from eval.cli_report import report
    from eval.compare import compare
    from eval.corrections import record_for
    from eval.display import run_lines
    from eval.standing import uncorrected
    from eval.summary import complete, kept_figures

    before = history.baseline(run, baseline, "--baseline")
    comparison: Comparison | None = compare(before, run) if before else None
    verifier = run.provenance.verifier
    if why := uncorrected(verifier, history.path):
        say(why)
    record = record_for(verifier, history.path)
    summary = complete(kept_figures(history, run), run, record, comparison)
    if as_json:
        print_json(summary)
    else:
        all_of_it = typed(ctx, "rag", "eval", "report", run.run_id, *repeated(ctx, report))
        click.echo("\n".join(run_lines(run, summary, comparison, all_of_it)))


def _must_be_answered(run: EvaluationRun) -> None:
    """Raise what the first question met, where none was answered."""
    if run.state != "failed":
        return
    first = run.failures[0]
    kind = next(k for k in _errors(RagError) if k.__name__ == first.kind)
    raise kind(f"not one of {run.questions} questions was answered: {first.problem}")


def _errors(kind: type[RagError]) -> list[type[RagError]]:
    return [kind, *(further for sub in kind.__subclasses__() for further in _errors(sub))]
