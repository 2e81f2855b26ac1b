"""``rag ingest``: the sync, with a bar for people and a report for scripts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from rag.errors import UsageError
from rag.options import common_options, print_json, say, settings_from
from rag.render import one_line


@click.command()
@click.argument("folder", required=False)
@click.option("--add", is_flag=True, help="Add this folder to those the index has.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--retry-failed", is_flag=True, help="Read files again that failed before.")
@click.option("--reindex", is_flag=True, help="Build the index again from nothing.")
@click.option("--yes", is_flag=True, help="Go on although most files have vanished.")
@click.option(
    "--workers", type=click.IntRange(0), help="Accepted, not used yet: one process reads."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def ingest(
    ctx: click.Context, /, folder: str | None, workers: int | None, as_json: bool, **how: Any
) -> int:
    """Make the index equal FOLDER; without one, all the folders it knows."""
    from ingest import sync

    if folder is not None and not folder.strip():
        raise UsageError("the folder's name is empty", "is a shell variable unset?")
    settings = settings_from(ctx, {"workers": workers})
    with _progress() as progress:
        report = sync.ingest(folder, settings, progress=progress, **how)
    if as_json:
        print_json(report.to_dict())
    else:
        _summary(report, dry_run=how["dry_run"])
    return report.exit_code


def _summary(report: Any, *, dry_run: bool) -> None:
    counts = report.files
    names = (
        "new",
        "updated",
        "renamed",
        "unchanged",
        "partial",
        "failed",
        "unsupported",
        "removed",
    )
    told = ", ".join(f"{counts[n]:,} {n}" for n in names if counts[n]) or "no files"
    if dry_run:
        click.echo(f"Would sync {counts['found']:,} files: {told}. Nothing was changed.")
        return
    rate = f" ({report.embedded / report.seconds:,.0f} a second)" if report.embedded else ""
    click.echo(f"{counts['found']:,} files: {told}.")
    click.echo(
        f"{report.chunks:,} chunks, {report.embedded:,} embedded in {report.seconds:,.1f} s{rate}."
    )
    for problem in report.problems[:20]:
        click.echo(f"  {problem.status:<14} {one_line(problem.file)}: {one_line(problem.detail)}")
    if len(report.problems) > 20:
        click.echo(f"  … and {len(report.problems) - 20:,} more: rag status --failed")
    elif report.problems:
        click.echo("What to do about each: rag status --failed")


@contextlib.contextmanager
def _progress() -> Iterator[Any]:
    """A bar with rate and time left on a terminal; elsewhere only the problems, a line each."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.fields[done]:>5,}/{task.fields[files]:,} files"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]:>7}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)


class _Lines:
    """Progress for logs: what failed, nothing else."""

    def start(self, files: int, total_bytes: int) -> None:
        if files:
            say(f"reading {files:,} files, {total_bytes / 1e6:,.1f} MB")

    def file(self, name: str) -> None:
        pass

    def advance(self, done_bytes: float, chunks: int) -> None:
        pass

    def problem(self, problem: Any) -> None:
        say(f"{problem.status}: {problem.file}: {problem.detail}")


class _Bar:
    """Progress for a person: share of the bytes, chunks a second, time left, current file."""

    def __init__(self, bar: Any) -> None:
        import time

        self._bar = bar
        self._clock = time.monotonic
        self._started = self._clock()
        self._chunks = 0
        self._done = 0
        self._task = bar.add_task("preparing", total=None, files=0, done=0, rate="")

    def start(self, files: int, total_bytes: int) -> None:
        self._started = self._clock()
        self._bar.update(self._task, total=max(1, total_bytes), files=files, description="")

    def file(self, name: str) -> None:
        self._done += 1
        self._bar.update(self._task, done=self._done, description=one_line(name)[-40:])

    def advance(self, done_bytes: float, chunks: int) -> None:
        self._chunks += chunks
        rate = self._chunks / max(0.1, self._clock() - self._started)
        self._bar.update(self._task, advance=done_bytes, rate=f"{rate:,.0f}/s")

    def problem(self, problem: Any) -> None:
        self._bar.console.print(
            f"{problem.status}: {one_line(problem.file)}: {one_line(problem.detail)}", markup=False
        )
