"""A Word file opened: its body, its page headers and footers, its foot- and endnotes."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable
from ingest.readers.package import open_package

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
COMPATIBLE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
#: What stands around blocks, rows and cells and changes nothing about them.
AROUND = {
    *(W + name for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")),
    *(COMPATIBLE + name for name in ("AlternateContent", "Choice", "Fallback")),
}
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
#: The main part of files with macros and of templates. python-docx takes only a plain document's,
#: though they are built alike; macros are a part that nothing here opens.
_OTHER_MAIN = (
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
)
#: Names of the strict form of the format, which differ in nothing else from those of the usual one.
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")


def open_word(path: Path) -> Any:
    """python-docx's document. Raises Unreadable for what is none, and a bomb before unpacking."""
    with open_package(path, "a Word file", holds="[Content_Types].xml") as package:
        root = "_rels/.rels"
        strict = root in package.NameToInfo and _STRICT.search(package.read(root)) is not None
        source: Any = _usual(package) if strict else str(path)
    from docx.opc.part import PartFactory
    from docx.package import Package
    from docx.parts.document import DocumentPart

    PartFactory.part_type_for.update(dict.fromkeys(_OTHER_MAIN, DocumentPart))
    opened = Package.open(source)
    try:
        main = opened.main_document_part
    except KeyError:
        raise Unreadable("unreadable", "damaged: the file does not say where its text is") from None
    if not isinstance(main, DocumentPart):
        raise Unreadable("unreadable", "not a Word file: another kind of Office file")
    return main.document


def _usual(package: zipfile.ZipFile) -> io.BytesIO:
    """A strict file as the usual form, the only one python-docx knows; without its pictures, which
    nothing here reads."""
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as usual:
        for name in package.NameToInfo:
            data = package.read(name) if name.lower().endswith((".xml", ".rels")) else b""
            usual.writestr(
                name, _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", data)
            )
    copy.seek(0)
    return copy


def margins_of(part: Any) -> list[Any]:
    """The page headers and footers that any section refers to, each once."""
    wanted = (f"{W}headerReference", f"{W}footerReference")
    parts = part.related_parts
    found = [
        parts.get(next((v for k, v in ref.attrib.items() if k.endswith("}id")), ""))
        for ref in part.element.body.iter(*wanted)
    ]
    return [margin.element for margin in dict.fromkeys(found) if hasattr(margin, "element")]


def notes_of(part: Any) -> Iterator[tuple[str, Any]]:
    """(«footnote2», its element) for each foot- and endnote."""
    from docx.oxml.parser import parse_xml

    for relation in part.rels.values():
        kind = str(relation.reltype).removeprefix(_RELATIONS).removesuffix("s")
        if kind in ("footnote", "endnote") and not relation.is_external:
            for note in parse_xml(relation.target_part.blob):
                yield kind + str(note.get(f"{W}id")), note
