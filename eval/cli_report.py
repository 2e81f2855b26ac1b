"""``rag eval report``: a run as a page, as a comment, or as test results."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.cli_run import history_option
from rag.errors import DiskFull, UsageError
from rag.options import common_options, say, settings_from

if TYPE_CHECKING:
    from eval.report import Report

#: Format → the file it is written to when none is named.
_FILES = {"html": "report.html", "markdown": "report.md", "junit": "report.xml"}


@click.command()
@click.argument("run_id", metavar="[RUN_ID|last]", default="last")
@click.option(
    "-o", "--output", metavar="FILE",
    help="Where to write (default report.html, .md or .xml); - for standard output.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(list(_FILES)),
    help="A page, a comment, or test results (default: by the ending of FILE, else html).",
)  # fmt: skip
@click.option(
    "--baseline", default="last", show_default=True, metavar="last|RUN_ID|none",
    help="The run to compare with.",
)  # fmt: skip
@history_option
@common_options
@click.pass_context
def report(
    ctx: click.Context,
    /,
    run_id: str,
    output: str | None,
    kind: str | None,
    baseline: str,
    history_file: Path | None,
) -> None:
    """What a run came to, what became worse, and which answers to look at first."""
    from eval.history import History, history_path
    from eval.report import build_report
    from eval.standing import uncorrected

    kind = kind or _kind_of(output)
    path = history_file or history_path(settings_from(ctx))
    if not path.exists():
        raise UsageError(f"no history at {path}", "make the first run: rag eval run QUESTIONS")
    with History(path) as history:
        found = build_report(history, run_id, None if baseline == "none" else baseline)
    if why := uncorrected(found.run.provenance.verifier, path):
        say(why)
    text = _written(kind)(found)
    if output == "-":
        click.echo(text, nl=False)
        return
    target = Path(output or _FILES[kind])
    _write(target, text)
    say(f"{target}: {found.headline}")


def _kind_of(output: str | None) -> str:
    """The format that a file's ending names; html for a stream, or where nothing is named."""
    ending = Path(output or "").suffix.lower()
    if not ending:
        return "html"
    endings = {Path(name).suffix: kind for kind, name in _FILES.items()} | {".htm": "html"}
    if ending not in endings:
        raise UsageError(
            f"{ending} is no ending of a report: {output}",
            f"name a file that ends in {', '.join(endings)}, or give --format",
        )
    return endings[ending]


def _written(kind: str) -> Callable[[Report], str]:
    """The writer of a format."""
    if kind == "markdown":
        from eval.report_markdown import markdown_report as write
    elif kind == "junit":
        from eval.report_junit import junit_report as write
    else:
        from eval.report_html import html_report as write
    return write


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a page that is being looked at is not torn by the next night's. A link
    stays, and what is no file (a pipe, a terminal) is written to and not replaced."""
    part = None
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        target = Path(os.path.realpath(path))
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=".report-", delete=False
        ) as stream:
            part = Path(stream.name)
            stream.write(text)
        part.chmod(0o644)
        part.replace(target)
    except OSError as error:
        if part:
            part.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no room for report {path}", "free some disk, or name another file with -o"
            ) from error
        raise UsageError(
            f"report {path} cannot be written: {error.strerror}", "name another file with -o"
        ) from error
