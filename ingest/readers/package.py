"""Zip archives that are documents: opened only when they are what they claim and no bomb.

Nothing is fetched, no entity is expanded, and no entry is unpacked beyond what a reader takes.
"""

from __future__ import annotations

import posixpath
import zipfile
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from ingest.readers import LARGEST_TEXT, Unreadable

_OLE = b"\xd0\xcf\x11\xe0"  # Office's container before zip, and around what it encrypts
_TEXT = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")


def open_package(
    path: Path, kind: str, *, holds: str, limit: int = LARGEST_TEXT
) -> zipfile.ZipFile:
    """The archive, with the text in it no larger than ``limit`` bytes; the caller closes it.

    ``kind`` is the word for messages («a Word file»), ``holds`` an entry every such file has.
    Raises Unreadable: ``password``, ``unreadable``, ``too_large``.
    """
    try:
        package = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        _refuse(path, kind)
    entries = package.infolist()
    problem = _problem(entries, kind, holds, limit)
    if problem:
        package.close()
        raise problem
    return package


def xml(package: zipfile.ZipFile, name: str) -> Any:
    """The root of an XML entry; comments and processing instructions are left out.

    Raises Unreadable: ``unreadable`` where the entry is missing or damaged, ``too_large``.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        size = package.getinfo(name).file_size
        if size > LARGEST_TEXT:
            raise Unreadable("too_large", f"{name}: {size:,} bytes, the limit is {LARGEST_TEXT:,}")
        return etree.fromstring(package.read(name), parser)
    except KeyError:
        raise Unreadable("unreadable", f"damaged: «{name}» is missing") from None
    except (etree.XMLSyntaxError, zipfile.BadZipFile) as error:
        raise Unreadable("unreadable", f"damaged: «{name}» cannot be read") from error


def relations(package: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """Id → (kind, entry) of what an entry of an Office file refers to inside the file.

    ``name`` is "" for the file itself; ``kind`` is the last word of the relation's type («slide»).
    """
    folder, file = posixpath.split(name)
    rels = posixpath.join(folder, "_rels", file + ".rels")
    if rels not in package.NameToInfo:
        return {}
    found = {}
    for relation in xml(package, rels):
        target = relation.get("Target", "")
        if target and relation.get("TargetMode") != "External":
            entry = posixpath.normpath(posixpath.join("/" + folder, unquote(target))).lstrip("/")
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], entry)
    return found


def reference(element: Any, name: str = "id") -> str:
    """The value of an element's attribute ``r:id`` (or ``r:dm`` …), whatever Office wrote it."""
    for key, value in element.attrib.items():
        if "relationships}" in key and key.endswith("}" + name):
            return str(value)
    return ""


def _problem(
    entries: list[zipfile.ZipInfo], kind: str, holds: str, limit: int
) -> Unreadable | None:
    if holds not in {entry.filename for entry in entries}:
        return Unreadable("unreadable", f"not {kind}: another kind of zip archive")
    if any(entry.flag_bits & 0x1 for entry in entries):
        return Unreadable("password", "opens only with a password")
    # zipfile never unpacks more than an entry declares, so the sum can be trusted.
    size = sum(e.file_size for e in entries if e.filename.lower().endswith(_TEXT))
    if size > limit:
        return Unreadable("too_large", f"{size:,} bytes unpacked, the limit is {limit:,}")
    return None


def _refuse(path: Path, kind: str) -> NoReturn:
    """Say what a file is that is no zip archive."""
    with path.open("rb") as stream:
        data = stream.read(LARGEST_TEXT)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise Unreadable("password", "opens only with a password") from None
        raise Unreadable("unreadable", f"not {kind}: an old Office file under another name")
    raise Unreadable("unreadable", f"not {kind}: no zip archive") from None
