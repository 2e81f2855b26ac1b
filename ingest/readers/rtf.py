"""RTF: paragraphs, headings, tables and notes in the order in which they are shown.

The tokenizer is our own. striprtf 0.0.35, the one library that is kept up, needs 50 s for 64 kB
of unclosed hyperlinks [measured], shows what is formatted as hidden and drops footnotes.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ingest.readers import Unreadable, read_bytes
from ingest.readers.html import LOWERED, RAISED, written
from ingest.readers.outline import Outline
from ingest.readers.rtf_words import (
    CHARSETS,
    CODE_PAGES,
    KNOWN,
    LEFT_OUT,
    PARAGRAPH_ENDS,
    SIGNS,
    SYMBOL_FONTS,
    symbol,
)
from ingest.readers.table import table_text
from rag.records import Document, Section

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?"  # a control word with its number
    rb"|\\'([0-9a-fA-F]{2})"  # a byte
    rb"|\\([^a-zA-Z])"  # a control sign
    rb"|([{}])"
    rb"|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_SCRIPTS = {b"super": RAISED, b"sub": LOWERED, b"up": RAISED, b"dn": LOWERED, b"nosupersub": None}
#: Real files stay under a hundred [set by hand]; each open group costs memory.
_DEEPEST = 10_000


def read(path: Path, *, title: str) -> Document:
    """One section for each heading; table rows are lines of «cell | cell», notes follow their
    paragraph, page headers and footers are left out. Raises Unreadable."""
    sections, hidden = parse(read_bytes(path))
    return Document(title, sections, "rtf", hidden=hidden)


def parse(data: bytes) -> tuple[tuple[Section, ...], int]:
    """The sections, and how many words were left out because nobody sees them.

    Raises Unreadable: ``unreadable``, ``empty``, ``no_text``.
    """
    start = data.find(b"{\\rtf", 0, 1024)
    if start < 0:
        raise Unreadable("unreadable", "not an RTF file")
    reader = _Reader()
    reader.run(data, start)
    sections = reader.outline.sections()
    if not sections:
        if reader.pictures:
            raise Unreadable("no_text", "pictures or embedded files, but no text")
        raise Unreadable("empty", "a document without text")
    return sections, reader.hidden


class _Group:
    """What a pair of braces limits; a copy is made when a word changes it."""

    __slots__ = ("deleted", "destination", "font", "hidden", "note", "script", "skipped")

    def __init__(self) -> None:
        self.destination = b""  # fonttbl or stylesheet: text that names things
        self.skipped = b""  # the word that made this group invisible
        self.note = False
        self.hidden = False
        self.deleted = False
        self.font = -1
        self.script: tuple[str, str] | None = None  # the marks around raised or lowered text

    def but(self, **changes: object) -> _Group:
        other = _Group()
        for name in _Group.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other


class _Reader:
    """Tokens in, lines out. Bytes wait in ``_bytes`` until their encoding changes, because a
    letter may be spread over several escapes."""

    def __init__(self) -> None:
        self.outline = Outline()
        self.hidden = 0
        self.pictures = False
        self._group = _Group()
        self._open: list[tuple[_Group, int]] = []
        self._first = False  # right behind an opening brace
        self._starred = False
        self._fallback = 1  # how many characters after \u stand in for it
        self._to_skip = 0
        self._encoding = "cp1252"
        self._default_font = -1
        self._fonts: dict[int, str] = {}
        self._pictures: dict[int, str] = {}  # font of symbols → its name
        self._levels: dict[int, int] = {}  # style → heading level
        self._defined = -1  # the font or style whose entry is being read
        self._bytes: list[bytes] = []
        self._now: list[str] = []  # the text being collected, of the paragraph or cell
        self._unseen: list[str] = []
        self._note: list[str] = []
        self._name: list[str] = []
        self._level = self._style = 0
        self._in_table = False
        self._cells: list[str] = []
        self._rows: list[list[str]] = []

    def run(self, data: bytes, at: int) -> None:
        match = _TOKEN.match
        while at < len(data):
            token = match(data, at)
            if token is None:  # a line end, a zero, or a backslash at the end
                at += 1
                continue
            at = token.end()
            word, number, byte, sign, brace, text = token.groups()
            if text is not None:
                self._first = False
                self._add_bytes(text)
            elif byte is not None:
                self._add_bytes(bytes.fromhex(byte.decode()))
            elif word == b"bin":
                at += max(0, int(number or 0))
            elif word is not None:
                self._word(word, int(number) if number else None)
            elif brace == b"{":
                self._begin()
            elif brace is not None:
                self._end()
                if not self._open:
                    break  # what follows the outermost group is not part of the document
            else:
                self._word(sign, None)
        self._decode()
        self._paragraph()
        self._table()
        self.hidden = len("".join(self._unseen).split())

    # -------------------------------------------------------------- groups

    def _begin(self) -> None:
        if len(self._open) >= _DEEPEST:
            raise Unreadable("unreadable", "groups nested too deeply")
        self._to_skip = 0
        self._open.append((self._group, self._fallback))
        self._first = True

    def _end(self) -> None:
        self._decode()
        self._to_skip = 0
        if self._group.destination == b"stylesheet":
            self._define_style()
        elif self._group.destination == b"fonttbl":
            self._define_font()
        if self._open:
            self._group, self._fallback = self._open.pop()

    def _change(self, **changes: object) -> None:
        if any(getattr(self._group, name) != value for name, value in changes.items()):
            self._decode()
            self._group = self._group.but(**changes)

    # -------------------------------------------------------------- words

    def _word(self, word: bytes, number: int | None) -> None:
        """One control word or sign."""
        starred, self._starred = self._starred, word == b"*" and self._first
        self._first = False
        if self._to_skip and word not in PARAGRAPH_ENDS:
            self._to_skip -= 1
            return
        if word in (b"pict", b"object", b"objdata"):
            self.pictures = True
        if word == b"ud" and self._group.skipped == b"upr":
            self._change(skipped=b"")
        elif word in (b"fonttbl", b"stylesheet"):
            self._change(skipped=word, destination=word)
        elif word == b"upr" or word in LEFT_OUT or (starred and word not in KNOWN):
            self._change(skipped=self._group.skipped or word, destination=b"")
        elif self._group.destination:
            self._define(word, number)
        elif word == b"footnote":
            self._change(note=True)
        else:
            self._format(word, number)

    def _format(self, word: bytes, number: int | None) -> None:
        """Words that change how text is read or shown."""
        on = number != 0
        if word == b"u":
            code = (number or 0) & 0xFFFF
            font = self._pictures.get(self._group.font)
            self._add(symbol(font, code) if font and code >> 8 == 0xF0 else chr(code))
            self._to_skip = self._fallback
        elif word == b"uc":
            self._fallback = max(0, min(number or 0, 100))
        elif word in (b"f", b"plain"):
            usual = {"hidden": False, "script": None} if word == b"plain" else {}
            number = self._default_font if word == b"plain" else number
            self._change(font=-1 if number is None else number, **usual)
        elif word in _SCRIPTS:
            self._change(script=_SCRIPTS[word] if on else None)
        elif word == b"v":
            self._change(hidden=on)
        elif word == b"deleted":
            self._change(deleted=on)
        elif word == b"deff":
            self._default_font = number if number is not None else -1
            self._change(font=self._default_font)
        elif word == b"ansicpg" and number:
            self._encoding = _known(CODE_PAGES.get(number, f"cp{number}"))
        elif word in (b"mac", b"pc", b"pca"):
            self._encoding = {b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}[word]
        else:
            self._layout(word, number)

    def _layout(self, word: bytes, number: int | None) -> None:
        """Words that stand for a sign, end a line or belong to a paragraph."""
        if word in SIGNS:
            self._add(SIGNS[word])
        elif self._group.skipped or self._group.note:
            if word in PARAGRAPH_ENDS:
                self._add(" ")
        elif word == b"pard":
            self._in_table, self._level, self._style = False, 0, 0
        elif word == b"s":
            self._style = number or 0
        elif word == b"outlinelevel":
            self._level = _outline(number)
        else:
            self._lines(word)

    def _lines(self, word: bytes) -> None:
        """Words that end lines, cells and rows."""
        if word == b"intbl":
            self._in_table = True
        elif word in (b"cell", b"nestcell"):
            self._decode()
            self._cells.append(_line(self._now))
            self._now = []
        elif word in (b"row", b"nestrow"):
            self._row()
        elif word in PARAGRAPH_ENDS:
            self._decode()
            if self._in_table:
                self._now.append(" ")
            else:
                self._paragraph()

    def _define(self, word: bytes, number: int | None) -> None:
        """Inside the tables of fonts and of styles."""
        if self._group.destination == b"fonttbl":
            if word == b"f":
                self._decode()
                self._define_font()
                self._defined = number or 0
            elif word == b"fcharset" and number in CHARSETS:
                self._fonts[self._defined] = CHARSETS[number]
            elif word == b"cpg" and number:
                self._fonts[self._defined] = _known(CODE_PAGES.get(number, f"cp{number}"))
        elif word == b"s":
            self._defined = number or 0
        elif word == b"outlinelevel":
            self._levels[self._defined] = _outline(number)

    def _define_font(self) -> None:
        name = "".join(self._name).strip(" ;").lower()
        if name in SYMBOL_FONTS:
            self._pictures[self._defined] = name
        self._name = []

    def _define_style(self) -> None:
        found = _HEADING.match("".join(self._name).strip())
        if found:
            self._levels[self._defined] = int(found[1])
        self._name, self._defined = [], -1

    # -------------------------------------------------------------- text

    def _add_bytes(self, data: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(data))
            self._to_skip -= skipped
            data = data[skipped:]
        if data and (not self._group.skipped or self._group.destination):
            self._bytes.append(data)

    def _add(self, text: str) -> None:
        self._decode()
        group = self._group
        if group.destination:
            self._name.append(text)
        elif group.skipped or group.deleted:
            return
        elif group.hidden:
            self._unseen.append(text)
        else:
            into = self._note if group.note else self._now
            if group.script is None:
                into.append(text)
            elif into[-1:] == [group.script[1]]:
                into[-1:] = [text, group.script[1]]  # no mark between the halves of a letter
            else:
                into += [group.script[0], text, group.script[1]]

    def _decode(self) -> None:
        if self._bytes:
            data, self._bytes = b"".join(self._bytes), []
            font = self._pictures.get(self._group.font)
            encoding = self._fonts.get(self._group.font, self._encoding)
            text = data.decode(encoding, "replace")
            self._add("".join(symbol(font, code) for code in data) if font else text)

    def _paragraph(self) -> None:
        text = _line(self._now)
        self._now = []
        if self._cells:  # a row that nothing ended
            self._cells.append(text)
            self._row()
            text = ""
        if text:
            self._table()
        level = self._level or self._levels.get(self._style, 0)
        if text and level:
            self.outline.heading(level, " ".join(text.split()), text + "\n\n")
        elif text:
            self.outline.add(text + "\n\n")
        self._notes()

    def _notes(self) -> None:
        if note := _line(self._note):
            self.outline.add(note + "\n\n")
        self._note = []

    def _row(self) -> None:
        if any(self._cells):
            self._rows.append(self._cells)
        self._cells = []

    def _table(self) -> None:
        """Write the rows met so far, which no text has parted."""
        if self._rows:
            self.outline.add(table_text(self._rows) + "\n")
            self._rows = []
            self._notes()


def _line(parts: list[str]) -> str:
    """Joined text; letters outside the basic plane came as two halves."""
    halves = "".join(parts).encode("utf-16-le", "surrogatepass")
    return written(halves.decode("utf-16-le", "replace")).strip()


def _outline(number: int | None) -> int:
    """The heading level of an outline level; 9 means body text."""
    return number + 1 if number is not None and 0 <= number < 9 else 0


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return "cp1252"
