"""``rag eval compare``: prompts, models or numbers of passages side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.cli_run import history_option
from rag.errors import UsageError
from rag.options import common_options, print_json, say, settings_from

if TYPE_CHECKING:
    from eval.run import Watch

#: Option → the setting that it varies when it is given twice or more.
_VARIED = {"prompts": "prompt", "models": "model", "ks": "ask_k"}


@click.command()
@click.argument("questions", type=click.Path(path_type=Path))
@click.option("--prompt", "prompts", multiple=True, metavar="FILE", help="Prompt template.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Model of the generator.")
@click.option(
    "-k", "--k", "ks", multiple=True, type=click.IntRange(1, 100), help="How many passages."
)
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=1, show_default=True,
    help="Ask each question so often.",
)  # fmt: skip
@click.option("--rubric", type=click.Path(path_type=Path), metavar="FILE", help="Your own rubric.")
@click.option("--generator", metavar="auto|ollama|openai|extractive", help="Who writes the answer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@history_option
@common_options
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    questions: Path,
    repeats: int,
    rubric: Path | None,
    generator: str | None,
    as_json: bool,
    history_file: Path | None,
    **given: tuple[Any, ...],
) -> None:
    """Ask variants the same QUESTIONS: which answers better, and which is quicker?

    Give one of --prompt, --model and -k twice or more: that is varied, the first being what the
    others are compared with. Given once, an option holds for all variants. The runs are kept in
    trials.sqlite beside the history, so that no nightly run is compared with them.
    """
    from eval.cli_due import alone, model_named
    from eval.history import history_path
    from eval.questions import read_questions
    from eval.rubric import load_rubric
    from eval.trial_display import trial_json, trial_lines
    from eval.trials import FILE, run_trial, variants

    varied = [option for option, values in given.items() if len(values) > 1]
    if len(varied) != 1:
        raise UsageError(
            f"{len(varied) or 'nothing'} to be varied, and one thing can be",
            "give one of --prompt, --model and -k twice or more",
        )
    same = {_VARIED[o]: v[0] for o, v in given.items() if len(v) == 1}
    settings = settings_from(ctx, {"generator": generator, **same})
    setting: Any = _VARIED[varied[0]]
    asked = read_questions(questions)
    tried = variants(settings, setting, given[varied[0]])
    criteria = load_rubric(rubric)
    path = history_file or history_path(settings).with_name(FILE)
    with alone(path):
        trial = run_trial(
            asked, tried, path, rubric=criteria, repeats=repeats, questions_file=str(questions),
            watching=_watching, model_named=model_named(ctx, given["models"]), notice=say,
        )  # fmt: skip
    if as_json:
        print_json(trial_json(trial))
    else:
        click.echo("\n".join(trial_lines(trial)))


@contextmanager
def _watching(variant: str) -> Iterator[Watch]:
    from eval.progress import Progress

    say(variant)
    with Progress() as progress:
        yield progress
