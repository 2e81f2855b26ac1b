"""``rag ingest``: the sync, with a display for people and a report for scripts."""

from __future__ import annotations

from typing import Any

import click

from rag.errors import UsageError
from rag.options import as_typed, common_options, print_json, settings_from


@click.command()
@click.argument("folder", required=False)
@click.option("--add", is_flag=True, help="Add this folder to those the index has.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--retry-failed", is_flag=True, help="Read files again that failed before.")
@click.option("--reindex", is_flag=True, help="Build the index again from nothing.")
@click.option("--yes", is_flag=True, help="Go on although most files have vanished.")
@click.option("--workers", type=click.IntRange(0), help="Processes that read files; 0 chooses.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def ingest(
    ctx: click.Context, /, folder: str | None, workers: int | None, as_json: bool, **how: Any
) -> int:
    """Make the index equal FOLDER; without one, all the folders it knows."""
    from ingest import sync
    from ingest.display import summary, watch

    if folder is not None and not folder.strip():
        raise UsageError("the folder's name is empty", "is a shell variable unset?")
    settings = settings_from(ctx, {"workers": workers})
    ctx.obj["interrupted"] = "interrupted; what was published stays, and the next run goes on"
    with watch() as progress:
        report = sync.ingest(folder, settings, progress=progress, **how)
    if as_json:
        print_json(report.to_dict())
    else:
        lines = summary(report, dry_run=how["dry_run"])
        click.echo("\n".join([*lines[:-1], as_typed(lines[-1])]))
    return report.exit_code
