"""Runs whose process is gone: they were interrupted, and nobody was left to write it down."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta

from rag.store.owner import is_dead, this_process

#: A run of another machine or container, whose process cannot be looked at, counts as interrupted
#: when it wrote nothing for so long. Set by hand: longer than any question takes.
_SILENT = timedelta(hours=2)


def bury(db: sqlite3.Connection) -> None:
    """Mark each run that is «running» in no process any more as interrupted."""
    silent = (datetime.now(UTC) - _SILENT).isoformat(timespec="milliseconds")
    rows = db.execute("SELECT run_id, process, seen FROM runs WHERE state = 'running'").fetchall()
    for run_id, process, seen in rows:
        if _gone(json.loads(process)) or seen < silent:
            db.execute(
                "UPDATE runs SET state = 'interrupted', finished = seen,"
                " reason = 'its process ended without a word'"
                " WHERE run_id = ? AND state = 'running' AND process = ?",
                (run_id, process),
            )


def _gone(process: dict[str, str]) -> bool:
    """Whether the process has certainly ended, be it that the machine was started anew since."""
    here = this_process()
    rebooted = bool(here and process) and process.get("host") == here["host"]
    return is_dead(process) or (rebooted and process.get("boot") != here["boot"])
