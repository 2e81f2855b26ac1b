"""The second PDF engine: pypdf, for the files and pages that pdfium cannot do well."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, cause
from ingest.readers.pdf_text import PageText, page_text

#: Only these of pypdf's limits meet ordinary files: two of twenty quarterly reports have arrays
#: of more than 100,000 elements [measured]. Time and memory are bounded by the process around.
_LIMITS: dict[str, Any] = {
    "array_maximum_element_count": 1_000_000,
    "dictionary_maximum_element_count": 1_000_000,
}
#: pypdf keeps every object it has read; after so many pages it begins anew. Set by hand.
_PAGES_HELD = 200


class PypdfFile:
    """A file opened on first use. The blank password is tried first, then ``passwords``."""

    def __init__(self, path: Path, passwords: tuple[str, ...] = ()) -> None:
        self._path, self._passwords = path, passwords
        self._reader: Any = None
        self._failure: Unreadable | None = None
        self._held = 0

    def __len__(self) -> int:
        """The number of pages. Raises Unreadable: ``password``, ``unreadable``."""
        with _quiet():
            return int(self._whole(lambda reader: len(reader.pages)))

    def page(self, number: int) -> PageText:
        """Page ``number`` (from 1); one that fails is lost. Raises Unreadable as `len` does."""
        with _quiet():
            if self._held >= _PAGES_HELD:
                self.close()
            self._held += 1
            self._whole(lambda reader: reader)
            try:
                page = self._reader.pages[number - 1]
                text = page_text(page.extract_text())
                return PageText(text, lost=not text and page.get_contents() is not None)
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001 - a page that fails is lost, whatever the reason
                return PageText("", lost=True)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._held = None, 0

    def _whole(self, use: Any) -> Any:
        """Something of the whole file. A file that does not open is tried once."""
        if self._failure:
            raise self._failure
        try:
            if self._reader is None:
                self._reader = self._opened()
            return use(self._reader)
        except Unreadable as failure:
            self._failure = failure
            raise
        except MemoryError:
            raise
        except Exception as error:  # it leaks TypeError, AssertionError, RecursionError …
            self._failure = Unreadable("unreadable", f"damaged PDF: {cause(error)}")
            raise self._failure from error

    def _opened(self) -> Any:
        import pypdf

        reader = pypdf.PdfReader(self._path)
        # Half of ordinary business PDFs are encrypted with a blank password.
        if reader.is_encrypted and not any(_fits(reader, p) for p in ("", *self._passwords)):
            reader.close()
            raise Unreadable("password", "opens only with a password")
        return reader


def _fits(reader: Any, password: str) -> bool:
    try:
        return bool(reader.decrypt(password))
    except UnicodeError:  # not a password this kind of file can have; its text names the character
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """With our limits, and without what pypdf logs and warns about when it mends a file: words
    from the file are not for a terminal."""
    import pypdf

    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), pypdf.apply_configuration(**_LIMITS):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
