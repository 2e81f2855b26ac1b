"""An OpenDocument file opened: the one tree that its text stands in."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable
from ingest.readers.package import open_package, xml

BASE = "{urn:oasis:names:tc:opendocument:xmlns:"
TEXT = BASE + "text:1.0}"
TABLE = BASE + "table:1.0}"
DRAW = BASE + "drawing:1.0}"
OFFICE = BASE + "office:1.0}"
STYLE = BASE + "style:1.0}"
SHOW = BASE + "presentation:1.0}"


def content_of(path: Path, kind: str) -> Any:
    """The root of content.xml. Raises Unreadable, ``password`` for an encrypted file."""
    with open_package(path, kind, holds="META-INF/manifest.xml") as package:
        if _encrypted(package):
            raise Unreadable("password", "opens only with a password")
        return xml(package, "content.xml")


def _encrypted(package: zipfile.ZipFile) -> bool:
    """Older files encrypt each entry, newer ones the whole as one entry; the manifest tells."""
    return any(
        entry.get(entry.tag.partition("}")[0] + "}full-path")
        in ("content.xml", "encrypted-package")
        for data in xml(package, "META-INF/manifest.xml").iter("{*}encryption-data")
        if (entry := data.getparent()) is not None
    )
