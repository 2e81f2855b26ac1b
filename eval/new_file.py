"""A file that is written once, whole, and never over another: drafts, and the rubric to edit."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from rag.errors import DiskFull, RagError, UsageError

#: What disks without links say, such as FAT and some shares.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def must_be_new(path: Path) -> None:
    """Raises UsageError for a file that exists: to be asked before the work that would fill it."""
    if os.path.lexists(path):
        raise UsageError(f"{path} exists and stays as it is", "name another with -o FILE")


def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet, whole or not at all: a kill in the middle leaves
    nothing under its name. Raises UsageError where it does exist, or cannot be made, and DiskFull.
    """
    part = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        try:
            with part.open("x", encoding="utf-8") as stream:
                stream.write(text)
            _give_name(part, path)
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError:
        raise UsageError(f"{path} exists and stays as it is", "name another with -o FILE") from None
    except OSError as error:
        raise _unwritten(path, error) from error


def _give_name(part: Path, path: Path) -> None:
    """Put a finished file under its name. Raises FileExistsError or UsageError where something
    has it."""
    try:
        os.link(part, path)  # unlike a rename it replaces nothing
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        must_be_new(path)
        part.rename(path)


def _unwritten(path: Path, error: OSError) -> RagError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no room for {path}", "free some disk, or name another with -o FILE")
    return UsageError(f"{path} cannot be written: {error.strerror}", "name another with -o FILE")
