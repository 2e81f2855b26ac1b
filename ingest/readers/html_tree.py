"""The tree of a web page, and what its elements say of themselves."""

from __future__ import annotations

import re
from typing import Any

from ingest.readers import Unreadable

#: Not content.
NO_CONTENT = frozenset({
    "script", "style", "template", "noscript", "head", "iframe", "object", "embed", "audio",
    "video", "canvas", "select", "button", "svg", "datalist",
})  # fmt: skip
HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def parse(text: str) -> Any:
    """The root; as XML where the page says it is XML and keeps its rules.

    Raises Unreadable: ``empty``, or ``unreadable`` where it is nested too deeply.
    """
    from lxml import etree

    data = re.sub(r"\A\s*<\?xml[^>]*\?>", "", text).encode()
    if "<?xml" in text[:100]:
        parser = etree.XMLParser(
            encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False,
            remove_comments=True, remove_pis=True,
        )  # fmt: skip
        try:
            return etree.fromstring(data, parser)
        except etree.XMLSyntaxError:
            pass  # most pages that claim to be XML are not
    loose = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(data, loose)
    if root is None:
        raise Unreadable("empty", "a page without text")
    # libxml2 stops reading here; without this the rest of the page would be lost in silence.
    for entry in loose.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            raise Unreadable("unreadable", f"line {entry.line}: nested too deeply")
    return root


def tag(element: Any) -> str:
    """The tag without its namespace; "" for what is no element (an unresolved entity)."""
    name = element.tag
    return name.rpartition("}")[2].lower() if isinstance(name, str) else ""


def is_hidden(element: Any) -> bool:
    return (
        element.get("hidden") is not None
        or _HIDDEN_STYLE.search(element.get("style", "")) is not None
    )


def walk(root: Any) -> Any:
    """(«start» or «end», element) in document order; its ``skip_subtree()`` leaves out what is in
    the element just started. Not recursive: pages nest up to 2,048 deep."""
    from lxml import etree

    return etree.iterwalk(root, events=("start", "end"))


def words(element: Any) -> int:
    """How many words an element holds, scripts aside."""
    texts = (part.text for part in element.iter() if tag(part) not in NO_CONTENT)
    tails = (part.tail for part in element.iterdescendants())
    return sum(len(text.split()) for text in (*texts, *tails) if text)


def is_layout(table: Any) -> bool:
    """True for a table that only arranges the page: it holds headings or other tables."""
    inside = table.iterdescendants()
    return any(tag(element) == "table" or tag(element) in HEADINGS for element in inside)


def span(cell: Any, name: str) -> int:
    """How many columns or rows a cell covers; a hundred are more than a person can follow."""
    value = cell.get(name, "1").strip()
    return min(max(int(value), 1), 100) if value.isdecimal() and len(value) < 10 else 1
