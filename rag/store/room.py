"""Room on the disk of an index: asked for before each step, and its lack told as DiskFull."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from rag.errors import DiskFull

#: What the sparse files of a new shard can grow to without becoming longer: 129 MB, and 163 MB
#: after its first points [measured].
NEW_SHARD = 160 * 2**20

#: Free bytes a step of the engine wants beside the files it works in, for those it makes in it: a
#: new file of 34 MB about every 13,000 chunks, 2.5 MB of data in 30 ms for 1,000 points
#: [measured], perhaps 30 MB where texts are as long as they get. The rest is for what other
#: programs write meanwhile: up to 640 MB/s [measured].
MARGIN = 128 * 2**20

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDY = "free some, or give another with --index DIR"


def free_bytes(index: Path) -> int:
    """What this user may still write to the disk of ``index``."""
    return shutil.disk_usage(index).free


def must_have_room(index: Path, wanted: int) -> None:
    """Raises DiskFull unless ``wanted`` bytes are free on the disk of ``index``."""
    if (free := free_bytes(index)) < wanted:
        raise DiskFull(
            f"the disk of index {index} has {free / 1e6:,.0f} MB free of the "
            f"{wanted / 1e6:,.0f} MB an ingest needs",
            _REMEDY,
        )


@contextlib.contextmanager
def disk_full_told(index: Path) -> Iterator[None]:
    """A full disk, or a used-up quota, as DiskFull; other errors as they are."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(f"the disk of index {index} is full", _REMEDY) from error
