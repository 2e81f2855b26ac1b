"""Walk a folder and name everything in it: what can be read, and what must not be and why.

The walk is our own because the usual framework's follows links out of the folder and skips
what it cannot read without a word.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import UsageError
from rag.records import FileStatus

Problem = tuple[FileStatus, str]


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the folder that is not itself a folder.

    ``file`` is the path relative to the folder with «/», always valid UTF-8 and different for
    different names; ``path`` opens the real thing. ``problem`` is the (status, detail) of what
    must not be read, None for an ordinary file. A folder that cannot be listed is the one
    exception: it is named with a trailing «/», and nothing is known about what lies below it.
    """

    file: str
    path: Path
    bytes: int = 0
    mtime_ns: int = 0
    problem: Problem | None = None


def discover(folder: Path, *, skip: Collection[Path] = ()) -> Iterator[Found]:
    """Yield every file below ``folder``, in the order of the names' bytes, folder by folder.

    Folders whose name starts with a dot (.git, .venv, .rag) and the folders in ``skip`` are not
    entered; files whose name starts with a dot are ordinary files. Links to folders are named,
    never entered, so the walk ends whatever the links say. Nothing is opened.

    Raises UsageError, before the first file, when ``folder`` is missing or is not a folder.
    """
    if not folder.exists():
        raise UsageError(f"folder «{_printable(folder)}» does not exist", "name an existing folder")
    if not folder.is_dir():
        raise UsageError(f"«{_printable(folder)}» is not a folder", "name the folder it lies in")
    root = os.path.realpath(folder)
    try:
        first = _entries(root)
    except OSError as error:
        raise UsageError(
            f"folder «{_printable(folder)}» cannot be listed: {error.strerror}",
            "check its permissions",
        ) from error
    return _walk(root, first, {os.path.realpath(path) for path in skip})


def _walk(root: str, first: list[os.DirEntry[str]], skip: set[str]) -> Iterator[Found]:
    # A stack and not recursion: folders nest deeper than Python's recursion limit.
    waiting = [(entry, utf8_name(entry.name)) for entry in first]
    while waiting:
        entry, file = waiting.pop()
        if not entry.is_dir(follow_symlinks=False):
            yield _examine(entry, file, root)
        elif not entry.name.startswith(".") and entry.path not in skip:
            try:
                below = _entries(entry.path)
            except OSError as error:
                if error.errno != errno.ENOENT:  # a folder removed meanwhile holds nothing
                    problem: Problem = ("unreadable", f"folder cannot be listed: {error.strerror}")
                    yield Found(file + "/", Path(entry.path), problem=problem)
                continue
            waiting.extend((child, f"{file}/{utf8_name(child.name)}") for child in below)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """The entries of a folder, last name first: the walk takes them from the end."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name), reverse=True)


def _examine(entry: os.DirEntry[str], file: str, root: str) -> Found:
    path = Path(entry.path)
    problem: Problem
    try:
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path, strict=True))
            if not target.is_relative_to(root):
                return Found(file, path, problem=("outside_folder", "link to outside the folder"))
            if target.is_dir():
                return Found(file, path, problem=("unsupported", "link to a folder already walked"))
        found = os.stat(entry.path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            where = "link that leads nowhere" if entry.is_symlink() else "gone since it was listed"
            problem = ("vanished", where)
        else:
            problem = ("unreadable", f"cannot be examined: {error.strerror}")
        return Found(file, path, problem=problem)
    if not stat.S_ISREG(found.st_mode):
        return Found(file, path, problem=("unsupported", "not a regular file"))
    return Found(file, path, found.st_size, found.st_mtime_ns)


def utf8_name(name: str) -> str:
    r"""A file name as text that UTF-8 can hold, different for every different name.

    Bytes that are not UTF-8 become «\xNN». A name that already reads like that has its
    backslashes doubled, so that it cannot be taken for the other. All other names stay as
    they are.
    """
    raw = os.fsencode(name)
    text = raw.decode("utf-8", "replace")
    if r"\x" not in text and text == name:
        return name
    return raw.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _printable(path: Path) -> str:
    """A path as one line of visible characters, for an error."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
