"""What the styles of an OpenDocument file say: hidden, raised, the document's title."""

from __future__ import annotations

from typing import Any

from ingest.readers.opendocument_file import OFFICE, STYLE, TEXT
from ingest.readers.raised import LOWERED, RAISED


def styles_with(content: Any, name: str, value: str) -> set[str]:
    """Names of the automatic styles one of whose properties has this value."""
    return {
        style.get(f"{STYLE}name", "")
        for style in content.iterfind(f"{OFFICE}automatic-styles/{STYLE}style")
        if any(properties.get(name) == value for properties in style)
    }


def prepare(content: Any, root: Any) -> int:
    """Empty everything in the tree that is not shown, mark raised and lowered text, and return how
    many words nobody sees: of hidden styles, sections, paragraphs and fields."""
    unseen = styles_with(content, f"{TEXT}display", "none")
    scripts = _scripts(content)
    hidden, waiting = 0, [root]
    while waiting:
        element = waiting.pop()
        if _marked_hidden(element) or element.get(f"{TEXT}style-name") in unseen:
            texts = (*element.itertext(), element.get(f"{TEXT}string-value", ""))
            hidden += len(" ".join(texts).split())
            tail = element.tail
            element.clear()
            element.tail = tail
            continue
        if marks := element.tag == f"{TEXT}span" and scripts.get(element.get(f"{TEXT}style-name")):
            element.text = marks[0] + (element.text or "")
            if len(element):
                element[-1].tail = (element[-1].tail or "") + marks[1]
            else:
                element.text += marks[1]
        waiting.extend(reversed(element))
    return hidden


def _marked_hidden(element: Any) -> bool:
    """True for what says of itself that it is hidden, and a paragraph one of whose fields does."""
    field = f"{TEXT}hidden-paragraph"
    return (
        element.get(f"{TEXT}display") == "none"
        or (element.get(f"{TEXT}is-hidden") == "true" and element.tag != field)
        or any(child.get(f"{TEXT}is-hidden") == "true" for child in element.iterchildren(field))
    )


def _scripts(content: Any) -> dict[str, tuple[str, str]]:
    """Style name → the marks around what it raises («super 58%», «33% 58%») or lowers («sub»)."""
    found = {}
    for style in content.iterfind(f"{OFFICE}automatic-styles/{STYLE}style"):
        for properties in style:
            place = properties.get(f"{STYLE}text-position", "0%").split()[:1] or ["0%"]
            if place[0] not in ("0", "0%"):
                lowered = place[0] == "sub" or place[0].startswith("-")
                found[style.get(f"{STYLE}name", "")] = LOWERED if lowered else RAISED
    return found


def title_styles(content: Any) -> set[str]:
    """Styles of the document's title: «Title» and what is derived from it on the spot."""
    styles = content.iterfind(f"{OFFICE}automatic-styles/{STYLE}style")
    derived = {s.get(f"{STYLE}name", "") for s in styles
               if s.get(f"{STYLE}parent-style-name") == "Title"}  # fmt: skip
    return derived | {"Title"}
