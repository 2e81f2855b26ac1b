"""The first PDF engine: pdfium, fast, and able to tell what a page shows."""

from __future__ import annotations

import mmap
import re
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from ingest.readers.pdf_hidden import conceal
from ingest.readers.pdf_text import HYPHEN, PageText, page_text

#: Lines and boxes alone are rulings or a frame; letters drawn as outlines take far more. The two
#: blank pages of twenty quarterly reports hold one shape each [measured].
_BLANK_SHAPES = 50
#: An object stream holds some hundred objects; what is behind so many bytes is not looked at.
_OBJECTS = 4 * 2**20
_OBJECT_STREAM = re.compile(rb"/ObjStm.{0,400}?stream\r?\n", re.DOTALL)


class PdfiumFile:
    """An open file; close it when done."""

    def __init__(self, document: Any, *, hide: bool, layers: bool) -> None:
        self._document, self._hide, self._layers = document, hide, layers

    @classmethod
    def opened(cls, path: Path, passwords: tuple[str, ...], *, hide: bool) -> PdfiumFile | None:
        """None when pdfium cannot open the file, for whatever reason. The blank password is
        tried first, then ``passwords``. ``hide``: keep out text that a person cannot see."""
        import pypdfium2

        for password in ("", *passwords):
            try:
                document = pypdfium2.PdfDocument(path, password=password)
            except pypdfium2.PdfiumError as error:
                if error.err_code != pypdfium2.raw.FPDF_ERR_PASSWORD:
                    return None
            else:
                return cls(document, hide=hide, layers=hide and _may_have_layers(path))
        return None

    def __len__(self) -> int:
        return len(self._document)

    def close(self) -> None:
        self._document.close()

    def page(self, number: int) -> PageText:
        """Page ``number`` (from 1), with `HYPHEN` where a word is broken; lost if it fails."""
        try:
            with closing(self._document[number - 1]) as page:
                return self._text(page, number)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a page that fails is lost, whatever the reason
            return PageText("", lost=True)

    def _text(self, page: Any, number: int) -> PageText:
        from pypdfium2 import raw

        things = raw.FPDFPage_CountObjects(page)
        text, hidden = self._seen(page)
        if _annotated(page):
            text = self._filled_in(number, text, things)
        return PageText(text, lost=not text and _drawn(page), hidden=hidden)

    def _seen(self, page: Any, things: int | None = None) -> tuple[str, int]:
        """The text a person can see, and how many words nobody can. Only the first ``things``
        of the page are suspected."""
        with closing(page.get_textpage()) as layer:
            raw_text = layer.get_text_range()
            looked_for = self._hide and bool(raw_text.strip())
            if looked_for and conceal(page, layer, layers=self._layers, things=things):
                with closing(page.get_textpage()) as rest:
                    left = rest.get_text_range()
                hidden = max(len(raw_text.split()) - len(left.split()), int(left != raw_text))
                return page_text(left, keep=HYPHEN), hidden
        return page_text(raw_text, keep=HYPHEN), 0

    def _filled_in(self, number: int, text: str, things: int) -> str:
        """The page's text with its form fields and notes merged in (in memory, never on disk).

        Merging two fonts of one name garbles a page now and then (1 in 60 pages with forms of the
        hostile set); a text that misses words it had before is not taken.
        """
        from pypdfium2 import raw

        with closing(self._document[number - 1]) as page:
            raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
        with closing(self._document[number - 1]) as page:
            merged, _ = self._seen(page, things)  # fields and notes come behind the page's own
        return text if Counter(text.split()) - Counter(merged.split()) else merged


def _annotated(page: Any) -> bool:
    """True when the page has form fields, typed-in notes or stamps: text outside its content."""
    from pypdfium2 import raw

    kinds = {raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_STAMP}
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        if annotation:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            raw.FPDFPage_CloseAnnot(annotation)
            if kind in kinds:
                return True
    return False


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


def _may_have_layers(path: Path) -> bool:
    """Whether the file could have layers that are switched off: only then are marks looked at.

    pdfium does not tell, and pypdf takes up to .3 s to open a file [measured on 10-Q filings], so
    the bytes are searched for the name, packed objects too; what cannot be unpacked may have it.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(b"/OCProperties") >= 0:
            return True
        for found in _OBJECT_STREAM.finditer(data):
            try:
                objects = zlib.decompressobj().decompress(
                    data[found.end() : found.end() + _OBJECTS], _OBJECTS
                )
            except zlib.error:
                return True
            if b"/OCProperties" in objects:
                return True
    return False
