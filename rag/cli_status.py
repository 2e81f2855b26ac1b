"""``rag status`` and ``rag doctor``: what is in the index, what is on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from rag.options import common_options, print_json, settings_from
from rag.records import HARMLESS, FileRecord
from rag.render import one_line

#: Status of a file → what a person can do about it.
REMEDIES = {
    "partial": "pages without text: if they are scans, run OCR (ocrmypdf), then ingest again",
    "password": "save a copy without the password, then ingest again",
    "no_text": "a scan: run OCR (ocrmypdf in.pdf out.pdf) and ingest again",
    "unreadable": "open it in its own program and save it again",
    "timeout": "split it, or open and save it again",
    "too_large": "split it into smaller files",
    "vanished": "it went away while it was read: ingest again",
    "outside_folder": "copy the file into the folder; links out of it are not followed",
    "unsupported": "convert it to PDF, DOCX, HTML, Markdown or text",
    "empty": "nothing to do: there is no text in it",
}

_PAGES_SHOWN = 12


@click.command()
@click.option(
    "--failed", is_flag=True, help="Only files that are not in as a whole, with remedies."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def status(ctx: click.Context, /, failed: bool, as_json: bool) -> None:
    """Files, chunks, failures and fingerprint of the index."""
    from rag.store import open_reader

    settings = settings_from(ctx)
    reader = open_reader(settings)
    try:
        meta, counts, files = reader.meta(), reader.counts(), reader.files()
    finally:
        reader.close()
    shown = [f for f in files if f.status not in HARMLESS] if failed else files
    if as_json:
        print_json(
            {
                "index": settings.collection if settings.qdrant_url else settings.index,
                "roots": list(meta.roots),
                "fingerprint": asdict(meta.fingerprint),
                "counts": asdict(counts),
                "files": [_file(f) for f in shown],
            }
        )
        return
    for root in meta.roots:
        click.echo(f"folder       {one_line(root)}")
    click.echo(f"files        {counts.files:,} ({_by_status(counts.by_status)})")
    click.echo(f"chunks       {counts.chunks:,}")
    click.echo(f"bytes        {sum(f.bytes for f in files):,}")
    click.echo(
        f"model        {one_line(meta.fingerprint.model)}, {meta.fingerprint.dimension} wide"
    )
    click.echo(f"fingerprint  {meta.fingerprint.digest()}")
    for record in [f for f in files if f.status not in HARMLESS]:
        for line in _problem_lines(record, whole=failed):
            click.echo(line)


def _file(record: FileRecord) -> dict[str, Any]:
    remedy = "" if record.status == "indexed" else REMEDIES[record.status]
    return {**asdict(record), "lost_pages": list(record.lost_pages), "remedy": remedy}


def _by_status(by_status: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(by_status.items(), key=lambda i: -i[1]))


def _problem_lines(record: FileRecord, *, whole: bool) -> list[str]:
    lines = [f"  {record.status:<14} {one_line(record.file)}: {one_line(record.detail)}"]
    if record.lost_pages:
        numbers = ", ".join(map(str, record.lost_pages[:_PAGES_SHOWN]))
        more = "…" if len(record.lost_pages) > _PAGES_SHOWN else ""
        lines[0] += f" (pages {numbers}{more})"
    if whole:
        lines.append(f"  {'':<14} → {REMEDIES[record.status]}")
    return lines


@click.command()
@click.option("--measure", is_flag=True, help="Time the model with one short request.")
@click.option(
    "--generator", metavar="auto|ollama|openai|extractive", help="Who is to write answers."
)
@click.option("--model", metavar="NAME", help="Model of the generator.")
@click.option("--context", type=click.IntRange(256), help="Tokens for prompt and answer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def doctor(ctx: click.Context, /, measure: bool, as_json: bool, **flags: Any) -> int:
    """What is installed, reachable and fits this machine; the command that mends each problem."""
    from rag.doctor import examine

    report = examine(settings_from(ctx, flags), measure=measure)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo("\n".join(report.lines()))
    return report.exit_code
