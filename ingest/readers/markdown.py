"""Markdown: the structure is parsed, the text stays the source, so that quotes are exact."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.readers import Unreadable, clean, read_bytes
from ingest.readers.outline import Outline
from ingest.readers.text import decode
from rag.records import Document

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def read(path: Path, *, title: str) -> Document:
    """One section for each heading, the source lines unchanged, front matter included.

    The title is the front matter's, else that of a heading of level 1 that comes first.
    Raises Unreadable.
    """
    text = clean(decode(read_bytes(path)))
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    front = _FRONT_MATTER.match(text)
    if front:
        # The parser would take it for a heading; blank lines keep the line numbers right.
        body = "\n" * front[0].count("\n") + text[front.end() :]
        named = _TITLE.search(front[1] or "")
        front_title = named[1].strip("\"'") if named else ""
    else:
        body, front_title = text, ""
    headings = _headings(body)
    outline = Outline()
    lines = text.split("\n")
    source = [line + "\n" for line in lines[:-1]] + [lines[-1]]
    done = 0
    for start, end, level, name in headings:
        outline.add("".join(source[done:start]))
        outline.heading(level, name, "".join(source[start:end]))
        done = end
    outline.add("".join(source[done:]))
    first_title = headings[0][3] if headings and headings[0][2] == 1 else ""
    return Document(front_title or first_title or title, outline.sections(), "markdown")


def _headings(text: str) -> list[tuple[int, int, int, str]]:
    """(first line, line after, level, plain text) of the headings that divide the document.

    Headings inside a quotation or a list belong to it and divide nothing.
    """
    tokens = MarkdownIt("commonmark").parse(text)
    return [
        (token.map[0], token.map[1], int(token.tag[1:]), name)
        for token, inline in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map
        if (name := _plain(inline))
    ]


def _plain(inline: Token) -> str:
    shown = ("text", "code_inline", "softbreak")
    parts = (child.content or " " for child in inline.children or () if child.type in shown)
    return " ".join(clean("".join(parts)).split())
