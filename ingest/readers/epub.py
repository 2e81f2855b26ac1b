"""Books (.epub): the chapters in reading order, each read as the web page that it is."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ingest.readers import LARGEST_TEXT, Unreadable, clean
from ingest.readers.html import decode_page, page_sections
from ingest.readers.outline import SEPARATOR
from ingest.readers.package import open_package, xml
from rag.records import Document, Section

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
#: Scrambled fonts, which keep nobody from reading; every other method does.
_FONTS = frozenset({
    "http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC",
})  # fmt: skip
_DAMAGE = (zipfile.BadZipFile, zlib.error)


def read(path: Path, *, title: str) -> Document:
    """One section for each heading, «Chapter › Section»; the title is the book's.

    Chapters without headings take their name from the table of contents. Chapters that cannot be
    read are lost by their numbers. Raises Unreadable; ``password`` for a protected book.
    """
    with open_package(path, "an EPUB book", holds=_CONTAINER) as package:
        _check_protection(package)
        opf = _root_file(package)
        book = xml(package, opf)
        chapters, contents = _spine(book, posixpath.dirname(opf))
        labels = _labels(package, contents)
        sections: list[Section] = []
        lost: dict[int, str] = {}
        hidden = 0
        for number, name in enumerate(chapters, 1):
            try:
                found, unseen = _chapter(package, name, labels.get(name, ""))
                sections += found
                hidden += unseen
            except Unreadable as failure:
                if failure.status == "too_large":
                    raise
                lost[number] = failure.detail
    if not sections:
        if lost:
            raise Unreadable("unreadable", f"no chapter can be read: {min(lost.items())[1]}")
        raise Unreadable("no_text", "pictures, but no text" if chapters else "no chapters")
    told = "; ".join(f"{number} ({why})" for number, why in islice(lost.items(), 5))
    detail = f"{len(lost)} of {len(chapters)} chapters unreadable: {told}" if lost else ""
    named = " ".join(clean("".join(book.xpath("string(//*[local-name()='title'])"))).split())
    return Document(named or title, tuple(sections), "epub", None, tuple(lost), detail, hidden)


def _check_protection(package: zipfile.ZipFile) -> None:
    if _ENCRYPTION not in package.NameToInfo:
        return
    methods = xml(package, _ENCRYPTION).iter("{*}EncryptionMethod")
    if any(method.get("Algorithm", "") not in _FONTS for method in methods):
        raise Unreadable("password", "protected by DRM: opens only in the shop's own reader")


def _root_file(package: zipfile.ZipFile) -> str:
    for root in xml(package, _CONTAINER).iter("{*}rootfile"):
        return _resolved("", root.get("full-path", ""))
    raise Unreadable("unreadable", "not an EPUB book: it names no contents")


def _spine(book: Any, folder: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """The entries of the chapters in reading order, and of the tables of contents with whether
    each is a page of the newer kind."""
    items = {item.get("id", ""): item for item in book.iter("{*}item")}
    contents = []
    for item in items.values():
        newer = "nav" in item.get("properties", "").split()
        if newer or item.get("media-type") == "application/x-dtbncx+xml":
            contents.append((_resolved(folder, item.get("href", "")), newer))
    pages = {name for name, newer in contents if newer}
    named = (items.get(ref.get("idref", "")) for ref in book.iter("{*}itemref"))
    chapters = [
        _resolved(folder, item.get("href", ""))
        for item in named
        if item is not None and not item.get("media-type", "").startswith("image/")
    ]
    return [name for name in dict.fromkeys(chapters) if name not in pages], contents


def _labels(package: zipfile.ZipFile, contents: list[tuple[str, bool]]) -> dict[str, str]:
    """Chapter entry → the first name that a table of contents gives it."""
    labels: dict[str, str] = {}
    for name, newer in contents:
        try:
            root = xml(package, name)
        except Unreadable:
            continue  # chapters are then known by their own headings
        for label, target in _links(root, newer):
            entry = _resolved(posixpath.dirname(name), target)
            if label and entry not in labels:
                labels[entry] = label
    return labels


def _links(root: Any, newer: bool) -> Iterator[tuple[str, str]]:
    if newer:
        for link in root.iter("{*}a"):
            yield " ".join(clean("".join(link.itertext())).split()), link.get("href", "")
        return
    for point in root.iter("{*}navPoint"):
        label, target = point.find("{*}navLabel"), point.find("{*}content")
        if label is not None and target is not None:
            yield " ".join(clean("".join(label.itertext())).split()), target.get("src", "")


def _resolved(folder: str, target: str) -> str:
    """The entry that a reference means; one that leads out of the book names no entry."""
    try:
        path = unquote(urlsplit(target).path)
    except ValueError:
        return ""
    return posixpath.normpath(posixpath.join(folder, path)).lstrip("/")


def _chapter(package: zipfile.ZipFile, name: str, label: str) -> tuple[list[Section], int]:
    """The sections of one chapter, under its name in the table of contents where its own
    headings do not tell it, and how many words in it nobody sees."""
    try:
        size = package.getinfo(name).file_size
        if size > LARGEST_TEXT:
            raise Unreadable("too_large", f"«{name}»: {size:,} bytes")
        data = package.read(name)
    except (KeyError, ValueError, OSError, EOFError, NotImplementedError, *_DAMAGE) as error:
        raise Unreadable("unreadable", f"«{clean(name)}» missing or damaged") from error
    _, sections, hidden = page_sections(decode_page(data))
    steps = {step.casefold() for section in sections for step in section.heading.split(SEPARATOR)}
    top = "" if label.casefold() in steps else label
    return [
        Section(s.text, s.page, SEPARATOR.join(filter(None, (top, s.heading)))) for s in sections
    ], hidden
