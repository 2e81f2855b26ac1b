"""The command ``rag``. Subcommands are found by name when they are called, so each starts with
only what it needs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from rag.cli_screen import Screen
from rag.errors import EXIT_FLAGGED, EXIT_REFUSED, UsageError
from rag.options import (
    LazyGroup,
    answer_options,
    common_options,
    file_filter,
    print_json,
    say,
    settings_from,
)
from rag.records import Answer
from rag.render import coverage_line, json_text, passage_lines

#: Subcommand → where it lives.
_COMMANDS = {
    "ingest": "ingest.cli:ingest",
    "status": "rag.cli_status:status",
    "search": "rag.cli:search",
    "ask": "rag.cli:ask",
    "verify": "rag.cli_verify:verify",
    "eval": "eval.cli:eval_",
    "doctor": "rag.cli_status:doctor",
    "models": "rag.cli_models:models",
    "pull": "rag.cli_models:pull",
}


@click.command(
    cls=LazyGroup, lazy=_COMMANDS, no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
@click.version_option(package_name="affidavit")
@common_options
def cli() -> None:
    """Answers from a folder of documents, each sentence tied to its source.

    \b
    rag ingest reports/                 index a folder
    rag ask "What changed in 2022?"     ask it
    """


@click.command()
@click.argument("question")
@click.option("-k", type=click.IntRange(1, 100), help="How many passages (default 10).")
@click.option("--filter", "filters", multiple=True, metavar="file=GLOB", help="Only these files.")
@click.option("--reranker", metavar="MODEL", help="Cross-encoder for a second look.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def search(
    ctx: click.Context,
    /,
    question: str,
    k: int | None,
    filters: tuple[str, ...],
    reranker: str | None,
    as_json: bool,
) -> None:
    """Passages that may answer QUESTION, without writing an answer."""
    from rag.pipeline import Pipeline

    settings = settings_from(ctx, {"k": k, "reranker": reranker})
    with Pipeline.from_settings(settings) as pipeline:
        passages = pipeline.search(question, files=file_filter(filters))
        coverage = pipeline.coverage(file_filter(filters))
    if as_json:
        print_json({"question": question, "passages": [p.to_dict() for p in passages]})
        return
    click.echo("\n".join(passage_lines(passages)))
    say(coverage_line(coverage))


@click.command()
@click.argument("question")
@answer_options
@click.option("--filter", "filters", multiple=True, metavar="file=GLOB", help="Only these files.")
@click.option("--no-verify", "verify", flag_value=False, default=None, help="Check no sentence.")
@click.option(
    "--repair", is_flag=True, default=None, help="Send flagged sentences back to the model, once."
)
@click.option("--evidence", is_flag=True, help="Show every quote in full.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, at the end.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Keep the answer record."
)
@click.option("--strict", is_flag=True, help="Exit 6 when a sentence is flagged.")
@common_options
@click.pass_context
def ask(
    ctx: click.Context,
    /,
    question: str,
    filters: tuple[str, ...],
    evidence: bool,
    as_json: bool,
    save: Path | None,
    strict: bool,
    **flags: Any,
) -> int:
    """Answer QUESTION from the documents, with quotes and pages, or refuse."""
    from rag.pipeline import Pipeline

    settings = settings_from(ctx, flags)
    if strict and not settings.verify:
        raise UsageError("--strict has nothing to go by without the check", "leave out --no-verify")
    if save:
        _must_be_savable(save)
    live = not as_json and sys.stdout.isatty()
    screen = Screen(live=live, silent=as_json, whole=evidence)
    with Pipeline.from_settings(settings) as pipeline:
        try:
            answer = pipeline.ask(question, files=file_filter(filters), watch=screen)
        except BaseException:  # whatever it was, what has been shown is no answer
            screen.void()
            raise
    if as_json:
        print_json(answer.to_dict())
    else:
        screen.finish(answer)
    if save:
        _save(answer, save)
    if answer.refused:
        return EXIT_REFUSED
    return EXIT_FLAGGED if strict and answer.summary["flagged"] else 0


def _must_be_savable(path: Path) -> None:
    """Say so before a minute of model time is spent."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        reason = "it is a folder" if path.is_dir() else "its folder does not exist"
        raise UsageError(f"--save {path} cannot be written: {reason}", "name a file that can")


def _save(answer: Answer, path: Path) -> None:
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.absolute().parent, prefix=".answer-", delete=False
        ) as stream:
            temporary = Path(stream.name)
            stream.write(json_text(answer.to_dict()) + "\n")
        temporary.replace(path)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        raise UsageError(
            f"--save {path} cannot be written: {error.strerror}", "name a file that can"
        ) from error
