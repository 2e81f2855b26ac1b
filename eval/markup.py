"""HTML and SVG that are inert by construction: whatever is put into an element is escaped on the
way in, so that no caller can forget to."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from rag.render import plain


class Markup(str):
    """A finished piece of HTML. `element` and `joined` make it; everything else is text."""

    __slots__ = ()


Child = Markup | str | int | float | None

#: Elements without content or end tag.
_VOID = {"meta", "br"}


def element(tag: str, /, *children: Child, **attributes: object) -> Markup:
    """``<tag attributes>children</tag>``.

    Children that are not `Markup`, and all attributes, are made inert and escaped; None is left
    out. In attribute names ``_`` stands for ``-``; a final one sets ``class_`` and ``for_`` apart
    from Python's own words.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Markup:
    """The children one after another, without an element around them."""
    return Markup("".join(_child(child) for child in children))


def table(headers: Sequence[str], rows: Sequence[Sequence[Child]], caption: str = "") -> Markup:
    """A table whose cells know their headers, so that a style sheet can make cards of its rows
    where the screen is narrow."""
    head = element("thead", element("tr", *(element("th", h, scope="col") for h in headers)))
    body = [
        element("tr", *(element("td", c, data_label=h) for h, c in zip(headers, row, strict=True)))
        for row in rows
    ]
    told = element("caption", caption) if caption else None
    return element("table", told, head, element("tbody", *body))


def definitions(values: Mapping[str, object]) -> Markup:
    """Names and their values, «–» where there is none."""
    pairs = [
        joined(element("dt", key), element("dd", "–" if value in (None, "") else str(value)))
        for key, value in values.items()
    ]
    return element("dl", *pairs)


def _child(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Markup) else _escaped(child)


def _escaped(value: object) -> str:
    return html.escape(plain(value), quote=True)
