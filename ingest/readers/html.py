"""Web pages: the text a visitor reads, with headings, lists and tables; nothing is fetched."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean, read_bytes
from ingest.readers.html_page import Page
from ingest.readers.html_tree import parse, tag
from ingest.readers.text import decode
from rag.records import Document, Section

#: Where less than this share of a page's words is left without its menus and footers, they are its
#: content and are given, as in a page whose nav nobody closed [set by hand].
_LEAST_LEFT = 0.1
#: What may hold text that is not in the file as text.
_FOREIGN = frozenset({
    "script", "iframe", "object", "embed", "img", "canvas", "svg", "video", "audio",
})  # fmt: skip
_CHARSET = re.compile(
    rb"<(?:meta\b[^>]*?charset|\?xml\b[^>]*?encoding)\s*=\s*[\"']?\s*([\w.:-]+)",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;)[A-Za-z][A-Za-z0-9]{1,31};")


def read(path: Path, *, title: str) -> Document:
    """One section for each heading; the title is that of the page. Raises Unreadable."""
    text = decode_page(read_bytes(path))
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    root = parse(text)
    own, sections, hidden = _walk(root)
    if not sections:
        if hidden:
            raise Unreadable("no_text", f"only text that nobody sees, {hidden} words")
        if any(tag(element) in _FOREIGN for element in root.iter()):
            raise Unreadable("no_text", "no text in the page itself, only scripts or pictures")
        raise Unreadable("empty", "a page without text")
    return Document(own or title, sections, "html", hidden=hidden)


def page_sections(text: str) -> tuple[str, tuple[Section, ...], int]:
    """(title, sections, hidden words) of a web page inside another file, already decoded; title
    and sections may be empty.

    Raises Unreadable when it is nested too deeply.
    """
    text = _named(clean(text))
    if not text.strip():
        return "", (), 0
    try:
        return _walk(parse(text))
    except Unreadable as failure:
        if failure.status == "empty":
            return "", (), 0
        raise


def decode_page(data: bytes) -> str:
    """The bytes of a web page as clean text, by what it declares where that is not plain."""
    declared = _CHARSET.search(data[:4096])
    return _named(clean(decode(data, declared[1].decode("ascii") if declared else "")))


def _named(text: str) -> str:
    """Text with its named characters («&eacute;») written out: XML knows only five of them.

    Those that are part of the markup («&LT;») stay escaped, or they would open a tag.
    """
    return _ENTITY.sub(lambda entity: html.escape(clean(html.unescape(entity[0]))), text)


def _walk(root: Any) -> tuple[str, tuple[Section, ...], int]:
    """(title, sections, hidden words) of the tree."""
    page = Page(with_repeated=False)
    page.walk(root)
    sections = page.outline.sections()
    shown = sum(len(section.text.split()) for section in sections)
    if page.repeated and shown < _LEAST_LEFT * (shown + page.repeated):
        page = Page(with_repeated=True)
        page.walk(root)
        sections = page.outline.sections()
    named = root.find(".//{*}head/{*}title")
    own = " ".join(clean(named.text or "").split()) if named is not None else ""
    return own, sections, page.hidden
