"""PDF: pdfium for speed, pypdf for the files and pages that pdfium cannot do well.

pdfium reads 240 to 370 pages a second and breaks .4 % of words, pypdf 13 to 15 pages and 2.6 %
[measured on 5,639 pages of annual reports; bench/readers.py]. But pdfium splits about one page
in 800 into single glyphs and refuses some files that pypdf mends.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, cause, clean
from rag.records import Document, Section

#: Only these of pypdf's limits meet ordinary files: two of twenty quarterly reports have arrays
#: of more than 100,000 elements [measured]. Time and memory are bounded by the process around.
_PYPDF_LIMITS: dict[str, Any] = {
    "array_maximum_element_count": 1_000_000,
    "dictionary_maximum_element_count": 1_000_000,
}
#: Lines and boxes alone are rulings or a frame; letters drawn as outlines take far more. The two
#: blank pages of twenty quarterly reports hold one shape each [measured].
_BLANK_SHAPES = 50
_WHY = "scanned, drawn or damaged"
#: pdfium's sign for a hyphen at the end of a line; the line break after it is gone.
_BROKEN_WORD = re.compile("([^\\W\\d_]+)\ufffe([^\\W\\d_]+)")


@dataclass(frozen=True, slots=True)
class _Page:
    """``lost``: the page shows something, but no text came out of it, or it failed."""

    text: str
    lost: bool


def read(path: Path, *, title: str) -> Document:
    """One section for each page with text. ``lost_pages`` are those that show something and gave
    no text; a page on which nothing is drawn is not lost.

    Raises Unreadable: ``password``, ``no_text`` (with the pages), ``unreadable``.
    """
    with path.open("rb") as file:
        # The specification's readers accept the mark anywhere in the first kilobyte.
        if b"%PDF-" not in file.read(1024):
            raise Unreadable("unreadable", "not a PDF: the mark %PDF- is missing")
    with _quiet():
        pages = _by_pdfium(path)
        reader = "pdf"
        if pages is None:
            pages, reader = _by_pypdf(path), "pdf (pypdf)"
    sections = tuple(
        Section(page.text, page=number) for number, page in enumerate(pages, 1) if page.text
    )
    lost = tuple(number for number, page in enumerate(pages, 1) if page.lost)
    if not pages:
        raise Unreadable("unreadable", "a PDF without pages")
    if not sections:
        every = tuple(range(1, len(pages) + 1))
        raise Unreadable("no_text", f"no text on any of {len(pages)} pages: {_WHY}", every)
    detail = f"no text on {len(lost)} of {len(pages)} pages: {_WHY}" if lost else ""
    return Document(title, sections, reader, len(pages), lost, detail)


# ------------------------------------------------------------------ pdfium


def _by_pdfium(path: Path) -> list[_Page] | None:
    """All pages, or None when pdfium cannot open the file."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError:
        return None
    with closing(document):
        pages = [_pdfium_page(document, index) for index in range(len(document))]
    weak = [n for n, page in enumerate(pages) if page.lost or _glyphs(page.text) > 0.5]
    return _reread(path, _healed(pages), weak)


def _pdfium_page(document: Any, index: int) -> _Page:
    try:
        with closing(document[index]) as page, closing(page.get_textpage()) as layer:
            text = _page_text(layer.get_text_range(), keep="\ufffe")
            if _annotated(page):
                text = _filled_in(document, index, text)
            return _Page(text, lost=not text and _drawn(page))
    except Exception:  # noqa: BLE001 - a page that fails is named as lost, whatever the reason
        return _Page("", lost=True)


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


def _filled_in(document: Any, index: int, text: str) -> str:
    """The page's text with its form fields and notes merged in (in memory, never on disk).

    Merging two fonts of one name garbles a page now and then (1 in 60 pages with forms of the
    hostile set); a text that misses words it had before is not taken.
    """
    from pypdfium2 import raw

    with closing(document[index]) as page:
        raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
    with closing(document[index]) as page, closing(page.get_textpage()) as layer:
        merged = _page_text(layer.get_text_range(), keep="\ufffe")
    return text if Counter(text.split()) - Counter(merged.split()) else merged


def _drawn(page: Any) -> bool:
    """True when the page shows more than a few lines or boxes."""
    from pypdfium2.raw import FPDF_PAGEOBJ_FORM, FPDF_PAGEOBJ_PATH

    shapes = 0
    for thing in page.get_objects():
        if thing.type == FPDF_PAGEOBJ_PATH:
            shapes += 1
        elif thing.type != FPDF_PAGEOBJ_FORM:  # what a form holds follows on its own
            return True
        if shapes > _BLANK_SHAPES:
            return True
    return False


def _glyphs(text: str) -> float:
    """The share of lines of at most two characters: high where words fell into glyphs."""
    lines = [line.strip() for line in text.split("\n")]
    short = [line for line in lines if len(line) <= 2]
    return len(short) / len(lines) if len(lines) >= 20 else 0.0


def _healed(pages: list[_Page]) -> list[_Page]:
    """Words broken at a line end joined again: with a hyphen or without, as the file does it.

    pdfium gives the same sign for «for-ward» and «forward-looking». The file's own other words
    decide; without any, its majority; without that, the hyphen, which loses nothing. On 20
    quarterly and 20 annual reports the words known either way were 273 : 3 for the hyphen, on
    typeset papers 4 : 19 against it.
    """
    texts = [page.text.lower() for page in pages]
    broken = [match for text in texts for match in _BROKEN_WORD.findall(text)]
    if not any("\ufffe" in text for text in texts):
        return pages
    words = Counter(w for text in texts for w in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text))
    surplus = {(a, b): words[a + b] - words[f"{a}-{b}"] for a, b in set(broken)}
    trend = sum((surplus[pair] > 0) - (surplus[pair] < 0) for pair in broken)

    def mend(match: re.Match[str]) -> str:
        joined = (surplus.get((match[1].lower(), match[2].lower())) or trend) > 0
        return match[1] + ("" if joined else "-") + match[2]

    return [
        replace(page, text=_BROKEN_WORD.sub(mend, page.text).replace("\ufffe", "-"))
        for page in pages
    ]


# ------------------------------------------------------------------ pypdf


def _reread(path: Path, pages: list[_Page], weak: list[int]) -> list[_Page]:
    """The same pages with pypdf's text where it is better than pdfium's."""
    if not weak:
        return pages
    try:
        again = dict(zip(weak, _by_pypdf(path, weak), strict=True))
    except Unreadable:
        return pages
    return [
        again[n] if n in again and _better(again[n].text, page.text) else page
        for n, page in enumerate(pages)
    ]


def _better(new: str, old: str) -> bool:
    return bool(new) and (not old or _glyphs(new) < _glyphs(old))


def _by_pypdf(path: Path, only: Iterable[int] | None = None) -> list[_Page]:
    """All pages, or those of the given indices. Raises Unreadable."""
    import pypdf

    try:
        with pypdf.apply_configuration(**_PYPDF_LIMITS):
            reader = pypdf.PdfReader(path)
            with closing(reader):
                # Half of ordinary business PDFs are encrypted with a blank password.
                if reader.is_encrypted and not reader.decrypt(""):
                    raise Unreadable("password", "opens only with a password")
                numbers = range(len(reader.pages)) if only is None else only
                return [_pypdf_page(reader, number) for number in numbers]
    except Unreadable:
        raise
    except Exception as error:  # it leaks TypeError, AssertionError, RecursionError …
        raise Unreadable("unreadable", f"damaged PDF: {cause(error)}") from error


def _pypdf_page(reader: Any, index: int) -> _Page:
    try:
        page = reader.pages[index]
        text = _page_text(page.extract_text())
        return _Page(text, lost=not text and page.get_contents() is not None)
    except Exception:  # noqa: BLE001 - a page that fails is named as lost, whatever the reason
        return _Page("", lost=True)


# ------------------------------------------------------------------ both


def _page_text(raw: str, keep: str = "") -> str:
    """Cleaned text that ends in a newline, or nothing. ``keep`` is a sign still needed."""
    text = keep.join(clean(part) for part in raw.split(keep)) if keep else clean(raw)
    text = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return text + "\n" if text else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """pypdf logs and warns about what it mends, in words from the file: not for a terminal."""
    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
