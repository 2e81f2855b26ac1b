"""PDF: pdfium for speed, pypdf for the files and pages that pdfium cannot do well.

pdfium reads 240 to 370 pages a second and breaks .4 % of words, pypdf 13 to 15 pages and 2.6 %
[measured on 5,639 pages of annual reports; bench/readers.py]. But pdfium splits about one page
in 800 into single glyphs and refuses some files that pypdf mends.

Pages are read in blocks, so that memory follows the page and not the document.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from ingest.readers import Options, Page, Part, Unreadable
from ingest.readers.pdf_pdfium import PdfiumFile
from ingest.readers.pdf_pypdf import PypdfFile
from ingest.readers.pdf_text import Hyphens, PageText, better, glyphs, page_text
from rag.records import Ending, Opening, Section

#: Pages held at a time. The words of a block decide about its broken words, with those before it;
#: most reports of a quarter are one block. Set by hand.
_BLOCK = 64
#: No page takes fewer bytes of a file, also when it is packed with thousands like it. A file of
#: 1 kB that claims 900,000 pages took 26 s to disprove [measured].
_PAGE_BYTES = 4
#: A page more of whose lines than this have at most two characters is read again.
_SPLIT = 0.5


def stream(path: Path, *, title: str, options: Options) -> Iterator[Part]:
    """One section for each page with text. Lost pages are those that show something and gave no
    text; a page on which nothing is drawn is not lost.

    Pages up to ``options.after`` are read, since words, hidden text and losses of the whole file
    count, but not given again; those of ``options.skip`` are never touched. ``options.texts``
    stands in for pages without text.

    Raises Unreadable: ``password``, ``no_text`` (with the pages), ``unreadable``.
    """
    with path.open("rb") as file:
        # The specification's readers accept the mark anywhere in the first kilobyte.
        if b"%PDF-" not in file.read(1024):
            raise Unreadable("unreadable", "not a PDF: the mark %PDF- is missing")
    most = max(1, path.stat().st_size // _PAGE_BYTES)
    hide = not options.hidden_text
    with closing(PypdfFile(path, options.passwords, hide=hide)) as second:
        first = PdfiumFile.opened(path, options.passwords, hide=hide)
        if first is None:
            yield from _Reading(second, None, options).parts(title, "pdf (pypdf)", most)
            return
        with closing(first):
            if _misses_pages(first, second):
                yield from _Reading(second, None, options).parts(title, "pdf (pypdf)", most)
            else:
                yield from _Reading(first, second, options).parts(title, "pdf", most)


def _misses_pages(first: PdfiumFile, second: PypdfFile) -> bool:
    """Whether the file has more pages than its page tree claims, which pdfium believes. Which
    pages pdfium leaves out is not to be known, so pypdf then reads all of them."""
    if not first.misses_pages:
        return False
    try:
        if len(second) > len(first):
            return True
    except Unreadable:  # the first engine has opened the file; the second need not
        return False
    second.close()  # it holds all pages of the file by now
    return False


class _Reading:
    """A file on its way through ``first``; ``second`` rereads the pages that come out badly."""

    def __init__(
        self, first: PdfiumFile | PypdfFile, second: PypdfFile | None, options: Options
    ) -> None:
        self._first, self._second, self._options = first, second, options
        self._skip, self._ocr = frozenset(options.skip), dict(options.texts)
        self._lost: list[int] = []
        self._hidden = self._given = 0

    def parts(self, title: str, reader: str, most: int) -> Iterator[Part]:
        count = min(len(self._first), most)
        if not count:
            raise Unreadable("unreadable", "a PDF without pages")
        yield Opening(title, reader + " + OCR" if self._ocr else reader, count)
        hyphens = Hyphens()
        for start in range(1, count + 1, _BLOCK):
            numbers = range(start, min(start + _BLOCK, count + 1))
            pages = yield from self._block(numbers)
            for number, page in zip(numbers, hyphens.healed(pages), strict=True):
                yield from self._account(number, page)
        yield self._ending(count)

    def _block(self, numbers: range) -> Generator[Part, None, list[PageText]]:
        """The pages of these numbers, with a sign before each one that is read."""
        pages = []
        for number in numbers:
            page = PageText("", lost=True)
            if number not in self._skip:
                yield Page(number)
                page = self._first.page(number)
                if self._second is not None and self._is_weak(number, page):
                    yield Page(number)
                    page = self._reread(number, page, self._second)
            pages.append(page)
        return pages

    def _is_weak(self, number: int, page: PageText) -> bool:
        """Whether the second engine may do better. It tells less well what is hidden, so not where
        there is some; and a page that was given to OCR has had its second reading."""
        if page.hidden or number in self._ocr:
            return False
        return page.lost or glyphs(page.text) > _SPLIT

    def _reread(self, number: int, page: PageText, second: PypdfFile) -> PageText:
        try:
            again = second.page(number)
        except Unreadable:  # the first engine has opened the file; the second need not
            return page
        return again if better(again.text, page.text) else page

    def _account(self, number: int, page: PageText) -> Iterator[Section]:
        self._hidden += page.hidden
        text = page.text or page_text(self._ocr.get(number, ""))
        if text:
            self._given += 1
            if number > self._options.after:
                yield Section(text, page=number)
        elif page.lost:
            self._lost.append(number)

    def _ending(self, count: int) -> Ending:
        lost = tuple(self._lost)
        if not self._given:
            every = tuple(range(1, count + 1))
            raise Unreadable("no_text", f"no text on {_any_of(count)}: {self._why()}", every)
        detail = f"no text on {len(lost)} of {count} pages: {self._why()}" if lost else ""
        return Ending(lost, detail, self._hidden)

    def _why(self) -> str:
        why = "scanned, drawn or damaged"
        if self._hidden:
            why += f"; {self._hidden} words that nobody can see"
            why += "" if self._options.hidden_text else " are kept out"
        return why


def _any_of(count: int) -> str:
    return f"any of {count} pages" if count > 1 else "its only page"
