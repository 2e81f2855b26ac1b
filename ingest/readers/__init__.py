"""Reading: one file in, one Document out, or the reason why not.

A pure function of the file, so that many processes may read many files at once. Each reader
is a module with ``read(path, *, title) -> Document``; it is imported when a file needs it.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import cast

from rag.records import Document, FileStatus

#: Which module reads which file name ending. Log files are left out on purpose: they change all
#: the time and would drown a folder's documents in look-alike lines.
SUFFIXES: dict[str, str] = {
    ".pdf": "pdf",
    ".docx": "word",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
}

#: Largest text, web page or unpacked Word file, in bytes. Tables of tags are the worst: 60 MiB of
#: them took 19 s and 1.5 GB [measured, one core], and 32 MiB of prose is some 50 long novels.
LARGEST_TEXT = 32 * 2**20

#: Everything Unicode calls a control character but tab and newline, and what has no meaning
#: outside the program that wrote it: soft hyphens with the line end after them, lone
#: surrogates, byte order marks and the two non-characters at the end of the plane.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]|\u00ad\n?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")


class Unreadable(Exception):
    """Why a file gave no Document. Internal to ``ingest``: it ends as a line of the ledger.

    ``status`` is one of the closed list, ``pages`` (from 1) the pages meant, where known.
    """

    def __init__(self, status: FileStatus, detail: str, pages: tuple[int, ...] = ()) -> None:
        super().__init__(status, detail, pages)
        self.status: FileStatus = status
        self.detail = detail
        self.pages = pages

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}"


def supported(file: str) -> bool:
    """True when a file of this name has a reader."""
    return Path(file).suffix.lower() in SUFFIXES


def read(path: Path, *, title: str) -> Document:
    """Read one file; ``title`` stands in where the document names none (usually the file's stem).

    Section texts end in a newline wherever another section follows.

    Raises Unreadable and nothing else, with the status

    - ``unsupported``: no reader for this ending; the content is never guessed at
    - ``empty``: no bytes, or nothing but white space
    - ``no_text``: there is something, but no text in it (scans, pictures, scripts)
    - ``password``, ``too_large``, ``vanished``
    - ``unreadable``: the content is not what the ending says, is damaged, or broke the library
    """
    reader = SUFFIXES.get(path.suffix.lower())
    if reader is None:
        raise Unreadable("unsupported", f"no reader for «{path.suffix or 'no ending'}»")
    try:
        if path.stat().st_size == 0:
            raise Unreadable("empty", "the file has no bytes")
        return cast(
            Document, importlib.import_module(f"ingest.readers.{reader}").read(path, title=title)
        )
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable("vanished", "gone before it was read") from None
    except OSError as error:
        raise Unreadable(
            "unreadable", f"cannot be read: {error.strerror or cause(error)}"
        ) from error
    except Exception as error:  # parsers leak anything: TypeError, RecursionError …
        raise Unreadable("unreadable", f"the {reader} reader failed: {cause(error)}") from error


def read_bytes(path: Path) -> bytes:
    """The content of a file that is read whole. Raises Unreadable when it is too large."""
    if (size := path.stat().st_size) > LARGEST_TEXT:
        raise Unreadable("too_large", f"{size:,} bytes, the limit is {LARGEST_TEXT:,}")
    return path.read_bytes()


def clean(text: str) -> str:
    """Text with «\\n» line ends, without control characters, soft hyphens or lone surrogates."""
    text = _NEWLINE.sub("\n", text)
    return _CONTROL.sub("", _SURROGATE.sub("\ufffd", text))


def cause(error: BaseException) -> str:
    """An error of a library in at most 120 visible characters."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    shown = "".join(c for c in words if c.isprintable())
    return shown.rstrip(": ") if len(shown) <= 120 else shown[:119] + "…"
