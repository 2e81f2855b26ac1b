"""Folder → index. ``from ingest import ingest_folder`` is the whole of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.report import IngestReport

__all__ = ["ingest_folder"]


def ingest_folder(
    folder: str | Path | None = None,
    *,
    add: bool = False,
    dry_run: bool = False,
    retry_failed: bool = False,
    reindex: bool = False,
    yes: bool = False,
    **settings: Any,
) -> IngestReport:
    """Make the index equal the folder; without a folder, all the folders it knows.

    ``settings`` are those of `rag.settings.Settings` (``index=".rag"``, ``qdrant_url=…``), before
    the environment and ``rag.toml``. Returns counters, chunks, seconds and the files that failed.
    Raises subclasses of `rag.errors.RagError`.
    """
    from ingest.sync import ingest
    from rag.settings import load_settings

    return ingest(
        folder,
        load_settings(settings),
        add=add,
        dry_run=dry_run,
        retry_failed=retry_failed,
        reindex=reindex,
        yes=yes,
    )
