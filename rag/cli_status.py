"""``rag status`` and ``rag doctor``: what is in the index, what is on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from rag.options import as_typed, common_options, print_json, settings_from
from rag.records import HARMLESS, FileRecord
from rag.render import one_line

#: Status of a file → what a person can do about it.
REMEDIES = {
    "partial": "pages without text: if they are scans, install ocrmypdf or tesseract, set ocr to "
    "auto, then rag ingest --retry-failed",
    "password": "save a copy without it; or put it into a file named by the setting passwords, "
    "then rag ingest --retry-failed",
    "no_text": "if it is a scan, install ocrmypdf or tesseract, set ocr to auto, then "
    "rag ingest --retry-failed",
    "unreadable": "open it in its own program and save it again",
    "timeout": "raise read_timeout, then rag ingest --retry-failed; or split it",
    "too_large": "split it into smaller files",
    "vanished": "it went away while it was read: ingest again",
    "outside_folder": "copy the file into the folder; links out of it are not followed",
    "unsupported": "convert it to PDF, Word, PowerPoint, Excel, OpenDocument, RTF, EPUB, mail, "
    "CSV, JSON, HTML, Markdown or text",
    "empty": "nothing to do: there is no text in it",
}
#: The same where the file is no PDF: passwords and OCR are for those alone.
_NOT_PDF = {
    "partial": "if what is missing stands in pictures, save it as PDF, then OCR can read it",
    "password": "save a copy that opens without it",
    "no_text": "if its text stands in pictures, save it as PDF, then OCR can read it",
}
#: For a file whose text was left out because nobody sees it.
_UNSEEN = "if that text is meant, set hidden_text = true, then rag ingest --retry-failed"
#: For a link whose target is gone or is the link itself: it will not come back on its own.
_MEND_LINK = "remove the link or mend its target, then rag ingest"
#: For a file that needs more memory than a reader has.
_MORE_MEMORY = "raise read_memory, then rag ingest --retry-failed; or split it into smaller files"

_PAGES_SHOWN = 12
#: Problems that the overview names; `--failed` names all of them.
_NAMED = 20


@click.command()
@click.option(
    "--failed", is_flag=True, help="Only files that are not in as a whole, with remedies."
)
@click.option("--hidden", is_flag=True, help="Only files with text that a person cannot see.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def status(ctx: click.Context, /, failed: bool, hidden: bool, as_json: bool) -> None:
    """Files, chunks, failures and fingerprint of the index."""
    from rag.store import open_reader

    settings = settings_from(ctx)
    reader = open_reader(settings)
    try:
        meta, counts, files = reader.meta(), reader.counts(), reader.files()
    finally:
        reader.close()
    if as_json:
        chosen = [
            f for f in files if (failed and f.status not in HARMLESS) or (hidden and f.hidden)
        ]
        print_json(
            {
                "index": settings.collection if settings.qdrant_url else settings.index,
                "roots": list(meta.roots),
                "fingerprint": asdict(meta.fingerprint),
                "counts": asdict(counts),
                "files": [_file(f) for f in (chosen if failed or hidden else files)],
            }
        )
        return
    lines = [f"folder       {one_line(root)}" for root in meta.roots]
    lines += [
        f"files        {counts.files:,} ({_listed(counts.by_status)})",
        f"chunks       {counts.chunks:,}",
        f"bytes        {sum(f.bytes for f in files):,}",
        *_reading_lines(files),
        f"model        {one_line(meta.fingerprint.model)}, {meta.fingerprint.dimension} wide",
        f"fingerprint  {meta.fingerprint.digest()}",
    ]
    if hidden:
        lines += _hidden_lines(files)
    if failed or not hidden:
        lines += _problem_lines(files, whole=failed)
    click.echo("\n".join(lines))


def remedy(record: FileRecord) -> str:
    """What a person can do about a file, «» when nothing is wrong with it."""
    if record.status == "too_large" and "memory" in record.detail:
        return _MORE_MEMORY
    if record.status == "vanished" and "leads nowhere" in record.detail:
        return _MEND_LINK
    if record.status == "no_text" and "nobody sees" in record.detail:
        return _UNSEEN
    if record.status in _NOT_PDF and not record.file.lower().endswith(".pdf"):
        return _NOT_PDF[record.status]
    return REMEDIES.get(record.status, "")


def _file(record: FileRecord) -> dict[str, Any]:
    return {**asdict(record), "lost_pages": list(record.lost_pages), "remedy": remedy(record)}


def _listed(counts: dict[str, int]) -> str:
    """«7,998 indexed, 2 empty», the most frequent first."""
    return ", ".join(f"{n:,} {one_line(k)}" for k, n in sorted(counts.items(), key=lambda i: -i[1]))


def _reading_lines(files: list[FileRecord]) -> Iterator[str]:
    """Which readers read how many files, and how many words in them nobody sees."""
    readers = Counter(f.reader for f in files if f.reader)
    if readers:
        yield f"readers      {_listed(readers)}"
    words, within = sum(f.hidden for f in files), sum(f.hidden > 0 for f in files)
    if words:
        yield (
            f"hidden       {_counted(words, 'word')} in {_counted(within, 'file')} that a person "
            "cannot see: rag status --hidden"
        )


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _hidden_lines(files: list[FileRecord]) -> Iterator[str]:
    """Files with hidden text, the most of it first."""
    for record in sorted(files, key=lambda f: -f.hidden):
        if record.hidden:
            yield f"  {_counted(record.hidden, 'word'):<14} {one_line(record.file)}"


def _problem_lines(files: list[FileRecord], *, whole: bool) -> Iterator[str]:
    """Files that are not in as a whole: the first of them, or all with what to do about each."""
    bad = [f for f in files if f.status not in HARMLESS]
    for record in bad if whole else bad[:_NAMED]:
        why = f"{one_line(record.detail)}{_pages(record)}"
        yield f"  {record.status:<14} {one_line(record.file)}: {why}"
        if whole:
            yield f"  {'':<14} → {remedy(record)}"
    if len(bad) > _NAMED and not whole:
        yield as_typed(f"  … and {len(bad) - _NAMED:,} more: rag status --failed")
    elif bad and not whole:
        yield as_typed("What to do about each: rag status --failed")


def _pages(record: FileRecord) -> str:
    """« (pages 3, 7)», or nothing."""
    numbers = ", ".join(map(str, record.lost_pages[:_PAGES_SHOWN]))
    more = "…" if len(record.lost_pages) > _PAGES_SHOWN else ""
    return f" (pages {numbers}{more})" if numbers else ""


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
