"""Plain text: find the encoding, refuse what is not text."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ingest.readers import Unreadable, clean, read_bytes
from rag.records import Document, Section

#: UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What a declaration means in practice: the WHATWG rule for Latin 1; and text in single bytes
#: cannot be UTF-16, whatever it says.
_MEANT = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252",
    "utf-16": "", "utf-16le": "", "utf-16be": "", "ucs-2": "", "utf-32": "",
}  # fmt: skip
_JUNK = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def read(path: Path, *, title: str) -> Document:
    """One section holding the whole file. Raises Unreadable (``empty``, ``unreadable`` …)."""
    text = clean(decode(read_bytes(path)))
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    return Document(title, (Section(text),), "text")


def decode(data: bytes, declared: str = "") -> str:
    """Bytes as text: byte order mark, then UTF-8, then ``declared``, then the likeliest guess.

    UTF-8 goes before the declaration because text that decodes as UTF-8 hardly ever is
    anything else, and declarations are often left over from a template.
    Raises Unreadable for binary content.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if b"\0" in data:
        return _unmarked_utf16(data)
    for encoding in ("utf-8", _MEANT.get(declared.lower(), declared)):
        try:
            text = data.decode(encoding)
        except (LookupError, UnicodeError):
            continue
        break
    else:
        text = _guess(data)
    # ESC and form feed occur in terminal logs and old reports; other control codes do not. One in
    # twenty is far from both text (0) and random bytes (one in ten).
    if len(_JUNK.findall(text)) > len(text) / 20:
        raise Unreadable("unreadable", "binary content, not text")
    return text


def _unmarked_utf16(data: bytes) -> str:
    """Western text in UTF-16 has a zero in every second place; anything else is binary."""
    for encoding, zeros, letters in (
        ("utf-16-le", data[1::2], data[::2]),
        ("utf-16-be", data[::2], data[1::2]),
    ):
        if zeros.count(0) > len(zeros) / 2 and 0 not in letters:
            return data.decode(encoding, "replace")
    raise Unreadable("unreadable", "binary content, not text")


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise Unreadable("unreadable", "binary content, or text in no known encoding")
    return str(best)
