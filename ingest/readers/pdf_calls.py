"""pdfium called in rows: thousands of objects a page, each asked the same thing."""

from __future__ import annotations

import ctypes
from array import array
from ctypes import c_int, c_ulong, c_void_p
from functools import cache
from typing import Any

#: Result, then arguments; a handle is a plain number.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "FPDFFormObj_CountObjects": (c_int, c_void_p),
    "FPDFFormObj_GetObject": (c_void_p, c_void_p, c_ulong),
    "FPDFPageObjMark_GetName": (c_int, c_void_p, c_void_p, c_ulong, c_void_p),
    "FPDFPageObj_CountMarks": (c_int, c_void_p),
    "FPDFPageObj_GetBounds": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "FPDFPageObj_GetFillColor": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "FPDFPageObj_GetMark": (c_void_p, c_void_p, c_ulong),
    "FPDFPageObj_GetMatrix": (c_int, c_void_p, c_void_p),
    "FPDFPageObj_GetStrokeColor": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "FPDFPageObj_GetType": (c_int, c_void_p),
    "FPDFPageObj_SetIsActive": (c_int, c_void_p, c_int),
    "FPDFPage_CountObjects": (c_int, c_void_p),
    "FPDFPage_GetObject": (c_void_p, c_void_p, c_int),
    "FPDFPath_GetDrawMode": (c_int, c_void_p, c_void_p, c_void_p),
    "FPDFTextObj_GetFontSize": (c_int, c_void_p, c_void_p),
    "FPDFTextObj_GetText": (c_ulong, c_void_p, c_void_p, c_void_p, c_ulong),
    "FPDFTextObj_GetTextRenderMode": (c_int, c_void_p),
}


@cache
def function(name: str) -> Any:
    """A function of pdfium that takes and gives numbers. The bindings' own make an object for
    each handle and argument, which takes twice as long [measured on two million objects]. They do
    not let go of Python's lock: no call takes longer than a microsecond or two."""
    from pypdfium2 import raw

    result, *arguments = _SIGNATURES[name]
    pointer = ctypes.cast(getattr(raw, name), c_void_p).value or 0
    return ctypes.PYFUNCTYPE(result, *arguments)(pointer)


def address(thing: Any) -> int:
    """The handle of a pypdfium2 object as a number."""
    return ctypes.cast(thing.raw, c_void_p).value or 0


def asked(things: list[int], name: str, kind: str) -> tuple[list[int], list[Any]]:
    """What the function says of each object: whether it knows, and four columns of numbers.
    ``kind``: «f» for floats, «I» for integers."""
    numbers = array(kind, bytes(16 * len(things)))
    start = numbers.buffer_info()[0]
    places = (range(start + 4 * nth, start + 16 * len(things), 16) for nth in range(4))
    known = list(map(function(name), things, *places))
    return known, [numbers[nth::4] for nth in range(4)]
