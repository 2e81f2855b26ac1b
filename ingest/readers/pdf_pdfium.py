"""The first PDF engine: pdfium, fast, and able to tell what a page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.readers.pdf_bytes import Survey, survey
from ingest.readers.pdf_hidden import conceal
from ingest.readers.pdf_text import HYPHEN, PageText, page_text, taken_out

#: Lines and boxes alone are rulings or a frame; letters drawn as outlines take far more. The two
#: blank pages of twenty quarterly reports hold one shape each [measured].
_BLANK_SHAPES = 50
#: Larger than any page: pdfium cuts a crop box down to the media box.
_VAST = 1e6
#: The flags of an annotation that is not shown on a screen, by the specification's numbers.
_HIDDEN, _NO_VIEW = 2, 32


class PdfiumFile:
    """An open file; close it when done."""

    def __init__(self, document: Any, found: Survey, *, hide: bool) -> None:
        self._document, self._hide, self._layers = document, hide, found.layers
        #: Whether the file seems to have pages that its page tree, as pdfium reads it, leaves out.
        self.misses_pages = found.pages > len(document)

    @classmethod
    def opened(cls, path: Path, passwords: tuple[str, ...], *, hide: bool) -> PdfiumFile | None:
        """None when pdfium cannot open the file, for whatever reason. The blank password is
        tried first, then ``passwords``. ``hide``: keep out text that a person cannot see; it
        is counted either way."""
        import pypdfium2

        for password in ("", *passwords):
            try:
                document = pypdfium2.PdfDocument(path, password=password)
            except pypdfium2.PdfiumError as error:
                if error.err_code != pypdfium2.raw.FPDF_ERR_PASSWORD:
                    return None
            else:
                return cls(document, survey(path), hide=hide)
        return None

    def __len__(self) -> int:
        return len(self._document)

    def close(self) -> None:
        self._document.close()

    def page(self, number: int) -> PageText:
        """Page ``number`` (from 1), with `HYPHEN` where a word is broken; lost if it fails."""
        try:
            return self._text(number)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a page that fails is lost, whatever the reason
            return PageText("", lost=True)

    def _text(self, number: int) -> PageText:
        with self._opened(number) as page:
            text = self._words(page)
            if _annotated(page):
                text = self._filled_in(number, text)
            shown = text.seen if self._hide else text.whole
            return PageText(shown, lost=not shown and _drawn(page), hidden=text.hidden)

    @contextmanager
    def _opened(self, number: int) -> Iterator[Any]:
        """The page; where its boxes do not meet it has no size for pdfium, while viewers show the
        media box."""
        page = self._document[number - 1]
        try:
            if not all(page.get_size()):
                page.set_cropbox(-_VAST, -_VAST, _VAST, _VAST)
                page.close()
                page = self._document[number - 1]
            yield page
        finally:
            page.close()

    def _words(self, page: Any) -> _Words:
        """All text of the page, and what of it a person can see."""
        with closing(page.get_textpage()) as layer:
            whole = left = layer.get_text_range()
            if whole.strip() and conceal(page, layer, layers=self._layers):
                with closing(page.get_textpage()) as rest:
                    left = rest.get_text_range()
        shown = page_text(left, keep=HYPHEN)
        text = shown if left == whole else page_text(whole, keep=HYPHEN)
        return _Words(text, shown, taken_out(whole, left))

    def _filled_in(self, number: int, text: _Words) -> _Words:
        """The page's words with its form fields and notes merged in (in memory, never on disk).

        Merging two fonts of one name garbles a page now and then (1 in 60 pages with forms of the
        hostile set); a text that misses words it had before is not taken.
        """
        from pypdfium2 import raw

        unshown = self._unshown(number)
        with self._opened(number) as page:
            raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
        with self._opened(number) as page:
            merged = self._words(page)
        kept = text if Counter(text.seen.split()) - Counter(merged.seen.split()) else merged
        return _Words(kept.whole + unshown, kept.seen, kept.hidden + len(unshown.split()))

    def _unshown(self, number: int) -> str:
        """The text of fields and notes that are not shown, which are then never merged in. They
        are merged into a copy, on which nothing else is left."""
        import pypdfium2
        from pypdfium2 import raw

        with self._opened(number) as page:
            if not _flag_unshown(page):
                return ""
            own = raw.FPDFPage_CountObjects(page)
        with closing(pypdfium2.PdfDocument.new()) as copy:
            copy.import_pages(self._document, [number - 1])
            with closing(copy[0]) as page:
                _swap_shown(page)
                raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
            with closing(copy[0]) as page:
                for nth in range(own):
                    raw.FPDFPageObj_SetIsActive(raw.FPDFPage_GetObject(page, nth), 0)
                with closing(page.get_textpage()) as layer:
                    return page_text(layer.get_text_range(), keep=HYPHEN)


@dataclass(frozen=True, slots=True)
class _Words:
    """A page's text, whole and as far as a person can see it, and the words between them."""

    whole: str
    seen: str
    hidden: int


def _annotations(page: Any) -> Iterator[Any]:
    """The page's annotations, each closed when the next is asked for or nobody asks on."""
    from pypdfium2 import raw

    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        if annotation:
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def _annotated(page: Any) -> bool:
    """True when the page has form fields, typed-in notes or stamps: text outside its content."""
    from pypdfium2 import raw

    kinds = {raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_STAMP}
    return any(raw.FPDFAnnot_GetSubtype(annotation) in kinds for annotation in _annotations(page))


def _flag_unshown(page: Any) -> bool:
    """Mark as hidden what a screen does not show, since pdfium would merge in half of it; True
    when there is any."""
    from pypdfium2 import raw

    found = False
    for annotation in _annotations(page):
        flags = raw.FPDFAnnot_GetFlags(annotation)
        if flags & (_HIDDEN | _NO_VIEW):
            raw.FPDFAnnot_SetFlags(annotation, flags | _HIDDEN)
            found = True
    return found


def _swap_shown(page: Any) -> None:
    """Show what is marked as hidden and hide the rest."""
    from pypdfium2 import raw

    for annotation in _annotations(page):
        flags = raw.FPDFAnnot_GetFlags(annotation)
        raw.FPDFAnnot_SetFlags(annotation, 0 if flags & _HIDDEN else _HIDDEN)


def _drawn(page: Any) -> bool:
    """True when the page shows more than a few lines or boxes, and text that nobody sees."""
    from pypdfium2 import raw

    shapes = 0
    for thing in page.get_objects():
        if thing.type == raw.FPDF_PAGEOBJ_PATH:
            shapes += 1
        elif thing.type != raw.FPDF_PAGEOBJ_FORM and _active(thing):
            return True  # what a form holds follows on its own
        if shapes > _BLANK_SHAPES:
            return True
    return False


def _active(thing: Any) -> bool:
    from ctypes import byref, c_int

    from pypdfium2 import raw

    active = c_int(1)
    raw.FPDFPageObj_GetIsActive(thing, byref(active))
    return bool(active)
