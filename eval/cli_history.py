"""``rag eval history``."""

from __future__ import annotations

from pathlib import Path

import click

from eval.cli_run import history_option
from eval.history import History, history_path
from rag.errors import UsageError
from rag.options import common_options, print_json, say, settings_from


@click.command()
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, metavar="N",
              help="How many runs, the newest first.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@history_option
@common_options
@click.pass_context
def history(ctx: click.Context, /, count: int, as_json: bool, history_file: Path | None) -> None:
    """Every run: when, what it came to, and what was changed since the one before."""
    from eval.display import history_entry, history_lines
    from eval.summary import kept_figures

    path = history_file or history_path(settings_from(ctx))
    if not path.exists():
        raise UsageError(f"no history at {path}", "make the first run: rag eval run QUESTIONS")
    entries = []
    with History(path) as kept:
        for run in kept.runs(limit=count):
            figures = kept_figures(kept, run) if run.state == "done" else None
            before = kept.before(run.run_id)
            entry = history_entry(run, figures, before, kept.reason(run.run_id))
            entries.append(entry)
            if not as_json:
                click.echo("\n".join(history_lines(entry)))
    if as_json:
        print_json({"history": str(path), "runs": entries})
    elif not entries:
        say(f"no run in {path} yet")
