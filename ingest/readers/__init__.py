"""Reading: one file in, its sections out one by one, or the reason why not.

A pure function of the file, run in a process of its own (`ingest.worker`). Each reader is a
module, imported when a file needs it, with ``read(path, *, title) -> Document`` or, where a file
can be larger than memory, ``stream(path, *, title, options)`` that yields as it reads.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rag.records import Document, Ending, FileStatus, Opening, Section

#: Which module reads which file name ending. Log files are left out on purpose: they change all
#: the time and would drown a folder's documents in look-alike lines.
SUFFIXES: dict[str, str] = {
    ".pdf": "pdf",
    ".docx": "word",
    ".docm": "word",
    ".dotx": "word",
    ".pptx": "slides",
    ".pptm": "slides",
    ".xlsx": "spreadsheet",
    ".xlsm": "spreadsheet",
    ".xlsb": "spreadsheet",
    ".xls": "spreadsheet",
    ".ods": "spreadsheet",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".odt": "opendocument",
    ".odp": "opendocument",
    ".rtf": "rtf",
    ".epub": "epub",
    ".eml": "mail",
    ".msg": "outlook",
    ".json": "json",
    ".jsonl": "json",
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

    ``status`` is one of the closed list, ``pages`` (from 1) the pages meant, where known,
    ``seconds`` how long it took to find out.
    """

    def __init__(
        self, status: FileStatus, detail: str, pages: tuple[int, ...] = (), seconds: float = 0.0
    ) -> None:
        super().__init__(status, detail, pages)
        self.status: FileStatus = status
        self.detail = detail
        self.pages = pages
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.status}: {self.detail}"


#: Readers that unpack or page through their file; all others take it into memory.
_IN_PIECES = frozenset({"pdf", "word", "slides", "spreadsheet", "opendocument", "epub"})
_LARGEST_FILE = 2 * 2**30


def largest(file: str) -> int:
    """Bytes that a file of this name may have to be opened at all."""
    reader = SUFFIXES.get(Path(file).suffix.lower())
    return _LARGEST_FILE if reader in _IN_PIECES else LARGEST_TEXT


def supported(file: str) -> bool:
    """True when a file of this name has a reader."""
    return Path(file).suffix.lower() in SUFFIXES


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be read. ``after`` and ``skip`` take up a reading that was cut off."""

    passwords: tuple[str, ...] = field(default=(), repr=False)  # tried after the blank one
    hidden_text: bool = False  # give text that a person cannot see as well
    after: int = 0  # leave out the pages up to this one
    skip: tuple[int, ...] = ()  # pages that killed the process that read them: lost
    texts: tuple[tuple[int, str], ...] = ()  # page → its text by OCR, where it has none itself


@dataclass(frozen=True, slots=True)
class Page:
    """A sign of life: this page (from 1) is about to be read."""

    number: int


#: What comes out of a file while it is read, in this order: Opening, Pages and Sections, Ending.
Part = Opening | Page | Section | Ending


def stream(path: Path, *, title: str, options: Options | None = None) -> Iterator[Part]:
    """Read one file; ``title`` stands in where the document names none (usually the file's stem).

    Section texts end in a newline wherever another section follows; no section is longer than
    about `_LONGEST_SECTION` characters.

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
        module = importlib.import_module(f"ingest.readers.{reader}")
        if hasattr(module, "stream"):
            yield from module.stream(path, title=title, options=options or Options())
        else:
            yield from _parts(module.read(path, title=title))
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable("vanished", "gone before it was read") from None
    except OSError as error:
        raise Unreadable(
            "unreadable", f"cannot be read: {error.strerror or cause(error)}"
        ) from error
    except MemoryError as error:
        raise Unreadable("too_large", "needs more memory than a reader may use") from error
    except Exception as error:  # parsers leak anything: TypeError, RecursionError …
        raise Unreadable("unreadable", f"the {reader} reader failed: {cause(error)}") from error


def read(path: Path, *, title: str, options: Options | None = None) -> Document:
    """The whole of one file at once, in this process. Raises Unreadable."""
    opening, *sections, ending = (
        part for part in stream(path, title=title, options=options) if not isinstance(part, Page)
    )
    assert isinstance(opening, Opening) and isinstance(ending, Ending)  # noqa: S101, PT018
    return Document(
        opening.title,
        tuple(part for part in sections if isinstance(part, Section)),
        opening.reader,
        opening.pages,
        ending.lost_pages,
        ending.detail,
        ending.hidden,
    )


def _parts(document: Document) -> Iterator[Part]:
    yield Opening(document.title, document.reader, document.pages)
    for section in document.sections:
        yield from _cut(section)
    yield Ending(document.lost_pages, document.detail, document.hidden)


#: A section as long as a book would be held in memory whole by everything after the reader.
_LONGEST_SECTION = 2**16
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")


def _cut(section: Section) -> Iterator[Section]:
    """The section in stretches of some 64,000 characters, cut behind empty lines where it has
    them, else behind a line, else anywhere; joined they are the section."""
    text, at = section.text, 0
    while len(text) - at > _LONGEST_SECTION * 5 // 4:
        limit = at + _LONGEST_SECTION
        end = next(
            (m.end() for m in _PARAGRAPH_END.finditer(text, limit, limit + _LONGEST_SECTION // 4)),
            0,
        )
        end = end or text.rfind("\n", at, limit) + 1 or limit
        yield Section(text[at:end], section.page, section.heading)
        at = end
    yield Section(text[at:], section.page, section.heading) if at else section


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
