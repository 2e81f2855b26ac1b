"""PowerPoint: a section for each slide, as the editor shows it: text, tables, charts, notes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean
from ingest.readers.package import open_package, reference, relations, xml
from ingest.readers.table import number, table_text
from rag.records import Document, Section

#: Says nothing about the slide, and changes of itself.
_LEFT_OUT = frozenset({"dt", "sldNum", "sldImg"})
#: The same on every slide: given with the first.
_REPEATED = frozenset({"ftr", "hdr"})
_TITLES = frozenset({"title", "ctrTitle"})
_HIDDEN = "(hidden slide)"
_WHY = "pictures only, or damaged"

#: Id → (kind, entry), as `package.relations` gives them.
Targets = dict[str, tuple[str, str]]


@dataclass
class Slide:
    """What was found on a slide: blocks of text without empty lines around them."""

    title: str = ""
    blocks: list[str] = field(default_factory=list)
    notes: str = ""
    hidden: bool = False  # not shown in a talk; the editor lists it, so it is given, and marked
    pictures: bool = False  # something is there that may hold text without being text
    unseen: int = 0  # words of shapes that are switched off


def read(path: Path, *, title: str) -> Document:
    """One section for each slide, in the order of the presentation: its title, what stands on it
    in the order it is read aloud, then the speaker's notes.

    Raises Unreadable: ``password``, ``too_large``, ``empty``, ``no_text``, ``unreadable``.
    """
    with open_package(path, "a PowerPoint file", holds="[Content_Types].xml") as package:
        kinds = dict(relations(package, "").values())
        if "officeDocument" not in kinds:
            raise Unreadable("unreadable", "not a PowerPoint file: no presentation in it")
        main = kinds["officeDocument"]
        targets = relations(package, main)
        order = xml(package, main).iterfind("{*}sldIdLst/{*}sldId")
        names = [targets.get(reference(entry), ("", ""))[1] for entry in order]
        given: set[str] = set()
        return assembled((_slide(package, name, given) for name in names), title, "slides")


def assembled(slides: Iterable[Slide | None], title: str, reader: str) -> Document:
    """The document of these slides; None is a slide that cannot be read. Raises Unreadable."""
    sections, lost, pages, unseen = [], [], 0, 0
    for pages, slide in enumerate(slides, 1):
        if slide is None:
            lost.append(pages)
            continue
        unseen += slide.unseen
        notes = [f"Notes: {slide.notes}"] if slide.notes else []
        text = "".join(block + "\n\n" for block in [slide.title, *slide.blocks, *notes] if block)
        name = " ".join(slide.title.split())
        if text:
            heading = f"{name} {_HIDDEN}".strip() if slide.hidden else name
            sections.append(Section(text, page=pages, heading=heading))
        elif slide.pictures:
            lost.append(pages)
    if not sections and lost:
        raise Unreadable("no_text", f"no text on any of {pages} slides: {_WHY}", tuple(lost))
    if not sections:
        raise Unreadable("empty", "a presentation without text")
    detail = f"no text on {len(lost)} of {pages} slides: {_WHY}" if lost else ""
    return Document(title, tuple(sections), reader, pages, tuple(lost), detail, unseen)


# ------------------------------------------------------------------ one slide


def _slide(package: zipfile.ZipFile, name: str, given: set[str]) -> Slide | None:
    """``given`` are the footers and masters that a slide before has given, and is added to."""
    try:
        root = xml(package, name)
        targets = relations(package, name)
    except Unreadable:
        return None
    slide = Slide(hidden=root.get("show") in ("0", "false"))
    for shape in _shapes(root.iterfind("{*}cSld/{*}spTree/*"), slide):
        _take(shape, slide, package, targets, given)
    for kind, target in targets.values():
        if kind == "notesSlide":
            slide.notes = slide.notes or _notes(package, target)
        elif kind == "slideLayout":
            slide.blocks += _master(package, target, given)
    return slide


def _master(package: zipfile.ZipFile, name: str, given: set[str]) -> list[str]:
    """What a layout and its master write on every slide, the first time they are met.

    Their placeholders say only «Click to edit».
    """
    if name in given:
        return []
    given.add(name)
    try:
        root, targets = xml(package, name), relations(package, name)
    except Unreadable:
        return []  # the slide itself can be read; its background cannot
    texts = [
        drawn_text(shape, package, targets)
        for shape in _shapes(root.iterfind("{*}cSld/{*}spTree/*"), Slide())
        if shape.find("./{*}*/{*}nvPr/{*}ph") is None
    ]
    for kind, target in targets.values():
        if kind == "slideMaster":
            texts += _master(package, target, given)
    return [text for text in texts if text]


def _shapes(container: Iterable[Any], slide: Slide) -> Iterator[Any]:
    """Shapes in order, out of groups too; those switched off are only counted."""
    for shape in container:
        kind = _name(shape)
        properties = shape.find("./{*}*/{*}cNvPr")
        if properties is not None and properties.get("hidden") in ("1", "true"):
            slide.unseen += len(_paragraphs(shape).split())
        elif kind == "grpSp":
            yield from _shapes(shape, slide)
        elif kind == "AlternateContent":  # the first form is the new one, the last the picture
            yield from _shapes(next(iter(shape), ()), slide)
        elif kind in ("sp", "cxnSp", "graphicFrame", "pic", "contentPart"):
            yield shape


def _take(
    shape: Any, slide: Slide, package: zipfile.ZipFile, targets: Targets, given: set[str]
) -> None:
    """Put what a shape says where it belongs on the slide."""
    placeholder = shape.find("./{*}*/{*}nvPr/{*}ph")
    role = placeholder.get("type", "") if placeholder is not None else ""
    text = "" if role in _LEFT_OUT else drawn_text(shape, package, targets)
    if role in _REPEATED and text:
        if text in given:
            return
        given.add(text)
    if role in _TITLES and text and not slide.title:
        slide.title = text
    elif text:
        slide.blocks.append(text)
    elif shape.find(".//{*}blip") is not None or _name(shape) in ("graphicFrame", "contentPart"):
        slide.pictures = True


def _notes(package: zipfile.ZipFile, name: str) -> str:
    try:
        root = xml(package, name)
    except Unreadable:
        return ""
    bodies = (
        _paragraphs(shape)
        for shape in root.iter("{*}sp")
        if (role := shape.find("./{*}*/{*}nvPr/{*}ph")) is not None and role.get("type") == "body"
    )
    return "\n".join(filter(None, bodies))


# ------------------------------------------------------------------ text


def _name(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _paragraphs(element: Any) -> str:
    """The paragraphs inside an element, a line each."""
    lines = (_text(paragraph).strip() for paragraph in element.iter("{*}p"))
    return clean("\n".join(filter(None, lines)))


def _text(paragraph: Any) -> str:
    parts = []
    for element in paragraph.iter("{*}t", "{*}br", "{*}tab"):
        sign = {"br": "\n", "tab": "\t"}.get(_name(element))
        parts.append(sign or element.text or "")
    return "".join(parts)


def drawn_text(drawing: Any, package: zipfile.ZipFile, targets: Targets) -> str:
    """What the boxes, tables, charts and diagrams of a drawing say; nothing for a picture."""
    table = drawing.find(".//{*}tbl")
    if table is not None:
        rows = ([_paragraphs(cell) for cell in row.iterfind("{*}tc")]
                for row in table.iterfind("{*}tr"))  # fmt: skip
        return table_text(rows).strip()
    blocks = [_paragraphs(drawing)]
    for element in drawing.iter("{*}chart", "{*}relIds"):
        diagram = _name(element) == "relIds"
        name = targets.get(reference(element, "dm" if diagram else "id"), ("", ""))[1]
        try:
            root = xml(package, name)
        except Unreadable:
            continue  # the drawing is a picture then, and reported as one
        blocks.append(_paragraphs(root) if diagram else _chart(root))
    return "\n".join(filter(None, blocks))


def _chart(root: Any) -> str:
    """A chart's titles, then its numbers as a table: a row for each category."""
    titles = [_paragraphs(title) for title in root.iter("{*}title")]
    names, columns = [""], []
    for series in root.iter("{*}ser"):
        names.append(" ".join(v.text or "" for v in series.iterfind("{*}tx//{*}v")))
        labels = _points(series, "cat") or _points(series, "xVal")
        columns.append((labels, _points(series, "val") or _points(series, "yVal")))
    labels = next((labels for labels, _ in columns if labels), {})
    marks = sorted(set(labels).union(*(values for _, values in columns)))
    rows = [[labels.get(m, ""), *(values.get(m, "") for _, values in columns)] for m in marks]
    return "\n".join(filter(None, [*titles, table_text([names, *rows]).strip()]))


def _points(series: Any, name: str) -> dict[int, str]:
    """Number of the point → what it says, as the chart keeps it."""
    points = {}
    for point in series.iterfind(f"{{*}}{name}//{{*}}pt"):
        text = clean("".join(v.text or "" for v in point.iterfind("{*}v")))
        if name in ("val", "yVal"):
            with suppress(ValueError):  # «#N/A» stays as it is
                text = number(float(text))
        points[int(point.get("idx", 0))] = text
    return points
