"""A page of a PDF as a picture, for OCR. Drawn where the file is read: in the bounded child."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, cause

#: Most pixels of a picture: A3 at 300 dpi has 17 million. One byte each; set by hand.
_PIXELS = 40_000_000
#: Most pixels of a side: tesseract refuses pictures of more than 32,767.
_SIDE = 32_000
_POINTS_PER_INCH = 72


def render_page(
    path: Path, page: int, *, dpi: float = 300, passwords: tuple[str, ...] = ()
) -> bytes:
    """Page ``page`` (from 1) as a binary PGM: grey, 8 bit, white ground, the page upright.

    ``dpi`` dots an inch, fewer where the picture would have more than 40 million of them. The
    blank password is tried first, then ``passwords``. Raises Unreadable: ``password``,
    ``unreadable`` (no PDF, damaged, no such page).
    """
    import pypdfium2

    with closing(_opened(path, passwords)) as document:
        if not 1 <= page <= len(document):
            raise Unreadable("unreadable", f"no page {page} among {len(document)}", (page,))
        try:
            with closing(document[page - 1]) as drawn:
                width, height = drawn.get_size()
                scale = _scale(width, height, dpi)
                with closing(drawn.render(scale=scale, grayscale=True)) as bitmap:
                    return _pgm(bitmap)
        except pypdfium2.PdfiumError as error:
            detail = f"page {page} cannot be drawn: {cause(error)}"
            raise Unreadable("unreadable", detail, (page,)) from error


def _opened(path: Path, passwords: tuple[str, ...]) -> Any:
    import pypdfium2
    from pypdfium2.raw import FPDF_ERR_PASSWORD

    for password in ("", *passwords):
        try:
            return pypdfium2.PdfDocument(path, password=password)
        except pypdfium2.PdfiumError as error:
            if error.err_code != FPDF_ERR_PASSWORD:
                raise Unreadable("unreadable", f"damaged PDF: {cause(error)}") from error
    raise Unreadable("password", "opens only with a password")


def _scale(width: float, height: float, dpi: float) -> float:
    """Pixels a point, so that neither the picture nor a side of it grows beyond its limit.

    Sides are rounded up to whole pixels, hence a pixel less for each before they are multiplied.
    """
    wide, high = max(width, 1e-3), max(height, 1e-3)
    room = _PIXELS - 2 * _SIDE - 1
    return min(
        dpi / _POINTS_PER_INCH, math.sqrt(room / (wide * high)), (_SIDE - 1) / max(wide, high)
    )


def _pgm(bitmap: Any) -> bytes:
    """The bitmap's rows without the bytes that pad them."""
    rows = memoryview(bitmap.buffer)
    header = b"P5\n%d %d\n255\n" % (bitmap.width, bitmap.height)
    starts = range(0, bitmap.height * bitmap.stride, bitmap.stride)
    return header + b"".join(rows[start : start + bitmap.width] for start in starts)
