"""Web pages: the text a visitor reads, with headings, lists and tables; nothing is fetched.

Also how every reader writes raised and lowered text (`written`), as HTML's sup and sub.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean, read_bytes
from ingest.readers.outline import Outline
from ingest.readers.table import table_text
from ingest.readers.text import decode
from rag.records import Document, Section

#: Not content.
_LEFT_OUT = frozenset({
    "script", "style", "template", "noscript", "head", "iframe", "object", "embed", "audio",
    "video", "canvas", "select", "button", "svg", "datalist",
})  # fmt: skip
#: The same on every page of a site. An aside is not: it holds warnings and notes.
_REPEATED = frozenset({"nav", "footer"})
#: Where less than this share of a page's words is left without `_REPEATED`, they are its content
#: and are given, as in a page whose nav nobody closed [set by hand].
_LEAST_LEFT = 0.1
#: What may hold text that is not in the file as text.
_FOREIGN = frozenset({
    "script", "iframe", "object", "embed", "img", "canvas", "svg", "video", "audio",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
#: Blocks with an empty line around them, and blocks that only begin a line.
_APART = frozenset({
    "p", "table", "pre", "blockquote", "figure", "form", "fieldset", "hr",
})  # fmt: skip
_LINE = frozenset({
    "address", "article", "aside", "body", "caption", "dd", "details", "dialog", "div", "dt",
    "fieldset", "figcaption", "footer", "form", "header", "hgroup", "li", "main", "menu", "nav",
    "ol", "section", "summary", "td", "th", "tr", "ul", "dl", "br",
})  # fmt: skip
_CHARSET = re.compile(
    rb"<(?:meta\b[^>]*?charset|\?xml\b[^>]*?encoding)\s*=\s*[\"']?\s*([\w.:-]+)",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;)[A-Za-z][A-Za-z0-9]{1,31};")
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
#: Around raised and around lowered text while a line is collected; `written` takes them out. No
#: text may hold these characters: Unicode keeps them for use inside a program.
RAISED, LOWERED = ("\ufdd0", "\ufdd1"), ("\ufdd2", "\ufdd3")
_SCRIPTS = {"sup": RAISED, "sub": LOWERED}
_MARK = re.compile("[\ufdd0-\ufdd3]")
_MARKED = re.compile("([\ufdd0\ufdd2])([^\ufdd0-\ufdd3]*)(?:[\ufdd1\ufdd3]|\\Z)")


def read(path: Path, *, title: str) -> Document:
    """One section for each heading; the title is that of the page. Raises Unreadable."""
    text = decode_page(read_bytes(path))
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    root = _parse(text)
    own, sections, hidden = _walk(root)
    if not sections:
        if hidden:
            raise Unreadable("no_text", f"only text that nobody sees, {hidden} words")
        if any(_name(element) in _FOREIGN for element in root.iter()):
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
        return _walk(_parse(text))
    except Unreadable as failure:
        if failure.status == "empty":
            return "", (), 0
        raise


def decode_page(data: bytes) -> str:
    """The bytes of a web page as clean text, by what it declares where that is not plain."""
    declared = _CHARSET.search(data[:4096])
    return _named(clean(decode(data, declared[1].decode("ascii") if declared else "")))


def written(line: str) -> str:
    """A clean line whose raised and lowered text, between the marks of RAISED and LOWERED, cannot
    be read as part of the number or word before it.

    Raised text follows «^», and brackets where it is not one number or word: «10^6», «1,234^1»,
    «10^(-6)». After a letter lowered text stays as it is («H2O»), else it follows «_» («101_2»).
    Ordinals («21st»), signs («®»), what has brackets of its own («[1]») and what opens a line stay
    too. Unicode's own «⁶» and «₂» would not do: whoever normalises a text (NFKC) makes them the
    next digit of the number again.
    """
    for start, end in (RAISED, LOWERED):
        line = line.replace(end + start, "")
    return clean(_MARK.sub("", _MARKED.sub(_set_off, line)))


def _set_off(found: re.Match[str]) -> str:
    """One stretch of raised or lowered text, as `written` says."""
    raised, text, line = found[1] == RAISED[0], found[2], found.string
    # More spaces than this before it, and it reads as the beginning of a line.
    before = line[max(found.start() - 20, 0) : found.start()]
    after = line[found.end() : found.end() + 1]
    if not text.strip() or not any(map(str.isalnum, text)):
        return text
    if not before.strip() or (not raised and before[-1].isspace()):
        return text + " " * after.isalnum()
    ordinal = raised and before[-1].isdigit() and text in ("st", "nd", "rd", "th")
    index = not raised and before[-1].isalpha() and not (text[-1].isdigit() and after.isdigit())
    if ordinal or index or text[0] in "([{" or text[0].isspace():
        return text
    if len(text.split()) > 1:
        return f" {text} "
    text = text.strip()
    plain = text.isalnum() and not after.isalnum()
    return ("^" if raised else "_") + (text if plain else f"({text})")


def _named(text: str) -> str:
    """Text with its named characters («&eacute;») written out: XML knows only five of them.

    Those that are part of the markup («&LT;») stay escaped, or they would open a tag.
    """
    return _ENTITY.sub(lambda entity: html.escape(clean(html.unescape(entity[0]))), text)


def _walk(root: Any) -> tuple[str, tuple[Section, ...], int]:
    """(title, sections, hidden words) of the tree."""
    page = _Page(_LEFT_OUT | _REPEATED)
    page.walk(root)
    sections = page.outline.sections()
    shown = sum(len(section.text.split()) for section in sections)
    if page.repeated and shown < _LEAST_LEFT * (shown + page.repeated):
        page = _Page(_LEFT_OUT)
        page.walk(root)
        sections = page.outline.sections()
    named = root.find(".//{*}head/{*}title")
    own = " ".join(clean(named.text or "").split()) if named is not None else ""
    return own, sections, page.hidden


def _parse(text: str) -> Any:
    """The tree; as XML where the page says it is XML and keeps its rules."""
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


def _name(element: Any) -> str:
    """The tag without its namespace; "" for what is no element (an unresolved entity)."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _hidden(element: Any) -> bool:
    return (
        element.get("hidden") is not None
        or _HIDDEN_STYLE.search(element.get("style", "")) is not None
    )


def _words(element: Any) -> int:
    """How many words an element holds, scripts aside."""
    texts = (part.text for part in element.iter() if _name(part) not in _LEFT_OUT)
    tails = (part.tail for part in element.iterdescendants())
    return sum(len(text.split()) for text in (*texts, *tails) if text)


def _layout(table: Any) -> bool:
    """True for a table that only arranges the page: it holds headings or other tables."""
    inside = table.iterdescendants()
    return any(_name(element) == "table" or _name(element) in _HEADINGS for element in inside)


def _span(cell: Any, name: str) -> int:
    """How many columns or rows a cell covers; a hundred are more than a person can follow."""
    value = cell.get(name, "1").strip()
    return min(max(int(value), 1), 100) if value.isdecimal() and len(value) < 10 else 1


class _Page:
    """Turns the tree into lines. Not recursive: pages nest up to 2,048 deep."""

    def __init__(self, left_out: frozenset[str]) -> None:
        self.outline = Outline()
        self.hidden = 0  # words that nobody sees
        self.repeated = 0  # words left out because every page of a site has them
        self._left_out = left_out
        self._script = 0  # how many sup and sub are open
        self._line: list[str] = []
        self._blank = True  # the line before is empty, or there is none
        self._bullet = False
        self._heading = ""
        self._pre = 0
        self._in_data = False
        self._rows: list[list[str]] = []  # of the open data table
        self._row: list[str] | None = None  # the open row of it
        self._at = 0  # the column of the open cell, whose text is still the line
        self._spans: dict[int, int] = {}  # column → rows that a cell from above still covers

    def walk(self, root: Any) -> None:
        from lxml import etree

        data_tables = {table for table in root.iter("{*}table") if not _layout(table)}
        steps = etree.iterwalk(root, events=("start", "end"))
        for event, element in steps:
            name = _name(element)
            shown = bool(name) and name not in self._left_out and not _hidden(element)
            if event == "start" and not shown:
                self._leave_out(name, element)
                steps.skip_subtree()
            elif event == "start":
                self._in_data = self._in_data or element in data_tables
                self._start(name, element)
                self._add(element.text)
            else:
                if shown:
                    if element in data_tables:
                        self._end_table()
                    self._end(name)
                if element is not root:
                    self._add(element.tail)
        self._flush()

    def _leave_out(self, name: str, element: Any) -> None:
        """Count the words of what is not given."""
        if name in self._left_out:
            self.repeated += _words(element) if name in _REPEATED else 0
        elif name:
            self.hidden += _words(element)

    def _start(self, name: str, element: Any) -> None:
        if name in _SCRIPTS:
            self._script += 1
            self._line.append(_SCRIPTS[name][0] if self._script == 1 else "")
        elif name in _HEADINGS:
            self._break(apart=True)
            self._heading = name
        elif self._in_data and name == "tr":
            self._end_row()
            self._flush()
            self._row = []
        elif self._row is not None and name in ("td", "th"):
            self._cell(self._row, element)
        elif name in _APART or name in _LINE:
            self._break(apart=name in _APART)
            self._pre += name == "pre"
            self._bullet = self._bullet or (name == "li" and self._row is None)

    def _cell(self, row: list[str], element: Any) -> None:
        """Begin a cell, behind the columns that cells from above cover."""
        self._end_cell(row)
        while self._spans.get(len(row), 0):
            self._spans[len(row)] -= 1
            row.append("")
        self._at = len(row)
        row += [""] * _span(element, "colspan")
        below = _span(element, "rowspan") - 1
        self._spans.update(dict.fromkeys(range(self._at, len(row)), below))

    def _end_cell(self, row: list[str]) -> None:
        text = " ".join(written("".join(self._line)).split())
        self._line = []
        if text and not row:  # text before the first cell
            row.append("")
        if text:
            row[self._at] = f"{row[self._at]} {text}".strip()

    def _end_row(self) -> None:
        if self._row is not None:
            self._end_cell(self._row)
            for column in range(len(self._row), max(self._spans, default=-1) + 1):
                self._spans[column] = max(self._spans.get(column, 0) - 1, 0)
            self._rows.append(self._row)
        self._row, self._at = None, 0

    def _end_table(self) -> None:
        self._end_row()
        self._flush()  # a caption
        if text := table_text(self._rows):
            self.outline.add(text)
            self._blank = False
        self._rows, self._spans, self._in_data = [], {}, False

    def _end(self, name: str) -> None:
        if name in _SCRIPTS:
            self._script -= 1
            self._line.append(_SCRIPTS[name][1] if self._script == 0 else "")
        elif name == self._heading:
            self._flush()
            self._heading = ""
        elif self._in_data and name == "tr":
            self._end_row()
        elif self._row is not None and name in ("td", "th"):
            return
        elif name in _APART or name in _LINE:
            self._break(apart=name in _APART)
            self._pre -= name == "pre"
            self._bullet = self._bullet and name != "li"

    def _break(self, *, apart: bool = False) -> None:
        """End the line, or write a space where a line may not end: in a cell or a heading."""
        if self._row is not None or self._heading:
            self._line.append(" ")
            return
        self._flush()
        if apart and not self._blank:
            self.outline.add("\n")
            self._blank = True

    def _add(self, text: str | None) -> None:
        if text:
            keep = self._pre and self._row is None and not self._heading
            self._line.append(text if keep else re.sub(r"\s+", " ", text))

    def _flush(self) -> None:
        raw = written("".join(self._line))  # character references can name anything
        self._line = []
        line = raw.strip("\n") if self._pre else " ".join(raw.split())
        if not line.strip():
            return
        if self._heading:
            line = " ".join(line.split())
            self.outline.heading(_HEADINGS[self._heading], line, line + "\n\n")
        else:
            self.outline.add(("- " if self._bullet else "") + line + "\n")
        self._bullet = False
        self._blank = bool(self._heading)
