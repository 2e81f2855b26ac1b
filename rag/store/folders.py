"""Folders of the embedded engine's files: listed, measured, copied without their holes.

The engine keeps sparse files: 32 MB long, and filled as points come. It works in them through
memory, so a hole that cannot be filled because the disk is full is no error but the end of the
process, by SIGBUS. So the files at work in get all their blocks, and give back those that hold
nothing before they are published. Asking for free space alone is not enough: beside a program that
fills the disk, 3 of 70 ingests ended by SIGBUS between the question and the writing [measured].
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

#: Folders in which the engine writes a file before it renames it into place, also when it reads.
PASSING = ".atomicwrite"

_PUNCH = 1 | 2  # FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE of Linux

_STORED_BLOCK = 512  # bytes; what st_blocks counts in, whatever the file system's own blocks are


def sizes(folder: Path) -> dict[str, int]:
    """File → size, for every file the engine keeps in ``folder``.

    Of the engine's own configuration, which each opening reads and writes anew, only that it is
    there counts: its size is given as 1, empty as 0.
    """
    found = {}
    for path, files in _walk(folder):
        for name in files:
            file = path / name
            size = file.stat().st_size
            short = min(size, 1) if file.suffix == ".json" else size
            found[file.relative_to(folder).as_posix()] = short
    return found


def apparent(folder: Path) -> int:
    """Bytes of all files, holes included: what a copy of them can grow to."""
    return sum(path.stat().st_size for path in _files(folder))


def fill_holes(folder: Path) -> None:
    """Make the disk keep blocks for every byte of the files, so that writing cannot fail.

    Raises OSError when it is full. On systems that cannot keep blocks nothing is done.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    for path in _files(folder):
        stat = path.stat()
        if stat.st_blocks * _STORED_BLOCK < stat.st_size:
            with path.open("r+b") as stream:
                os.posix_fallocate(stream.fileno(), 0, stat.st_size)


def punch_holes(folder: Path) -> None:
    """Give back the blocks of the closed files to which nothing was written."""
    if sys.platform != "linux":
        return
    punch = ctypes.CDLL(None, use_errno=True).fallocate
    punch.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    for path in _files(folder):
        with path.open("r+b") as stream:
            end = 0
            size = os.fstat(stream.fileno()).st_size
            for start, stop in [*_stretches(stream.fileno(), size), (size, size)]:
                if start > end and punch(stream.fileno(), _PUNCH, end, start - end):
                    return  # a file system that cannot: its blocks stay, as those of a plain copy
                end = stop


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a folder, leaving out what its files leave out: a small shard of 156 MB is 0.4 MB of
    data, and an ordinary copy writes every zero [measured]."""
    for folder, files in _walk(source):
        into = target / folder.relative_to(source)
        into.mkdir(parents=True)
        for name in files:
            _copy_file(folder / name, into / name)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        for start, end in _stretches(old.fileno(), size):
            old.seek(start)
            new.seek(start)
            while (left := end - old.tell()) > 0 and (block := old.read(min(left, 1 << 20))):
                new.write(block)


def _stretches(file: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, end) of what is really stored of an open file; all of it where nobody can tell."""
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            return
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(PASSING)]
        yield Path(path), files


def _files(folder: Path) -> Iterator[Path]:
    return (path / name for path, files in _walk(folder) for name in files)
