"""The second PDF engine: pypdf, for the files and pages that pdfium cannot do well."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, cause
from ingest.readers.pdf_objects import Box
from ingest.readers.pdf_operators import Seen
from ingest.readers.pdf_text import PageText, page_text, taken_out

#: Only these of pypdf's limits meet ordinary files: two of twenty quarterly reports have arrays
#: of more than 100,000 elements [measured]. Time and memory are bounded by the process around.
_LIMITS: dict[str, Any] = {
    "array_maximum_element_count": 1_000_000,
    "dictionary_maximum_element_count": 1_000_000,
}
#: The page that viewers show where a file tells no size.
_LETTER: Box = (0, 0, 612, 792)
#: pypdf keeps every object it has read; after so many pages it begins anew. Set by hand.
_PAGES_HELD = 200


class PypdfFile:
    """A file opened on first use. The blank password is tried first, then ``passwords``.
    ``hide``: keep out text that a person cannot see; it is counted either way."""

    def __init__(self, path: Path, passwords: tuple[str, ...] = (), *, hide: bool = True) -> None:
        self._path, self._passwords, self._hide = path, passwords, hide
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
                return self._text(self._reader.pages[number - 1])
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001 - a page that fails is lost, whatever the reason
                return PageText("", lost=True)

    def _text(self, page: Any) -> PageText:
        seen = Seen(_box(page), page.get("/Resources", {}))
        whole = page.extract_text(
            visitor_operand_before=seen.before, visitor_operand_after=seen.after
        )
        left, hidden = whole, 0
        if seen.unseen:
            left = page.extract_text(visitor_operand_before=seen.blank())
            hidden = taken_out(whole, left)
        text = page_text(left if self._hide else whole)
        lost = not text and not hidden and page.get_contents() is not None
        return PageText(text, lost, hidden)

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


def _box(page: Any) -> Box:
    """What of the page is shown: its crop box within its media box, which it is when they do not
    meet, as viewers do."""
    media, crop = ([*map(float, box)] for box in (page.mediabox, page.cropbox))
    left, bottom = (max(min(m, n), min(c, d)) for m, n, c, d in _sides(media, crop))
    right, top = (min(max(m, n), max(c, d)) for m, n, c, d in _sides(media, crop))
    if left < right and bottom < top:
        return left, bottom, right, top
    left, bottom, right, top = media
    if left < right and bottom < top:
        return left, bottom, right, top
    return _LETTER


def _sides(media: list[float], crop: list[float]) -> Iterator[tuple[float, ...]]:
    """Both ends of both boxes, across and then upwards."""
    return ((media[n], media[n + 2], crop[n], crop[n + 2]) for n in (0, 1))


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
