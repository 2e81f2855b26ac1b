"""RTF: paragraphs, headings, tables and notes in the order in which they are shown.

The tokenizer is our own. striprtf 0.0.35, the one library that is kept up, needs 50 s for 64 kB
of unclosed hyperlinks [measured], shows what is formatted as hidden and drops footnotes.
"""

from __future__ import annotations

import re
from pathlib import Path

from ingest.readers import Unreadable, read_bytes
from ingest.readers.raised import LOWERED, RAISED
from ingest.readers.rtf_fonts import Fonts
from ingest.readers.rtf_lines import Lines
from ingest.readers.rtf_tokens import Group, tokens
from ingest.readers.rtf_words import KNOWN, LEFT_OUT, PARAGRAPH_ENDS, SIGNS, outline_level
from rag.records import Document, Section

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
    sections = reader.lines.outline.sections()
    if not sections:
        if reader.pictures:
            raise Unreadable("no_text", "pictures or embedded files, but no text")
        raise Unreadable("empty", "a document without text")
    return sections, reader.lines.hidden


class _Reader:
    """Tokens in, text into ``lines``. Bytes wait in ``_bytes`` until their encoding changes,
    because a letter may be spread over several escapes."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.pictures = False
        self._group = Group()
        self._open: list[tuple[Group, int]] = []
        self._first = False  # right behind an opening brace
        self._starred = False
        self._fallback = 1  # how many characters after \u stand in for it
        self._to_skip = 0
        self._fonts = Fonts()
        self._defined = -1  # the font or style whose entry is being read
        self._bytes: list[bytes] = []
        self._name: list[str] = []

    def run(self, data: bytes, start: int) -> None:
        for word, number, byte, sign, brace, text in tokens(data, start):
            if text is not None:
                self._first = False
                self._add_bytes(text)
            elif byte is not None:
                self._add_bytes(bytes.fromhex(byte.decode()))
            elif word is not None:
                self._word(word, int(number) if number else None)
            elif brace == b"{":
                self._begin()
            elif brace is not None:
                self._end()
                if not self._open:
                    break  # what follows the outermost group is not part of the document
            elif sign is not None:
                self._word(sign, None)
        self._decode()
        self.lines.finish()

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
            self._add(self._fonts.letter((number or 0) & 0xFFFF, self._group.font))
            self._to_skip = self._fallback
        elif word == b"uc":
            self._fallback = max(0, min(number or 0, 100))
        elif word in (b"f", b"plain"):
            usual = {"hidden": False, "script": None} if word == b"plain" else {}
            number = self._fonts.default if word == b"plain" else number
            self._change(font=-1 if number is None else number, **usual)
        elif word in _SCRIPTS:
            self._change(script=_SCRIPTS[word] if on else None)
        elif word == b"v":
            self._change(hidden=on)
        elif word == b"deleted":
            self._change(deleted=on)
        elif word == b"deff":
            self._fonts.default = number if number is not None else -1
            self._change(font=self._fonts.default)
        elif word == b"ansicpg" and number:
            self._fonts.file_code_page(number)
        elif word in (b"mac", b"pc", b"pca"):
            self._fonts.file_encoding({b"mac": "mac_roman", b"pc": "cp437", b"pca": "cp850"}[word])
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
            self.lines.reset()
        elif word == b"s":
            self.lines.style(number or 0)
        elif word == b"outlinelevel":
            self.lines.level(outline_level(number))
        else:
            self._lines(word)

    def _lines(self, word: bytes) -> None:
        """Words that end lines, cells and rows."""
        if word == b"intbl":
            self.lines.in_table()
        elif word in (b"cell", b"nestcell"):
            self._decode()
            self.lines.cell()
        elif word in (b"row", b"nestrow"):
            self.lines.row()
        elif word in PARAGRAPH_ENDS:
            self._decode()
            self.lines.end()

    def _define(self, word: bytes, number: int | None) -> None:
        """Inside the tables of fonts and of styles."""
        if self._group.destination == b"fonttbl":
            if word == b"f":
                self._decode()
                self._define_font()
                self._defined = number or 0
            elif word == b"fcharset":
                self._fonts.charset(self._defined, number)
            elif word == b"cpg" and number:
                self._fonts.code_page(self._defined, number)
        elif word == b"s":
            self._defined = number or 0
        elif word == b"outlinelevel":
            self.lines.levels[self._defined] = outline_level(number)

    def _define_font(self) -> None:
        self._fonts.name(self._defined, "".join(self._name).strip(" ;").lower())
        self._name = []

    def _define_style(self) -> None:
        found = _HEADING.match("".join(self._name).strip())
        if found:
            self.lines.levels[self._defined] = int(found[1])
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
            self.lines.hide(text)
        else:
            self.lines.add(text, group.script, note=group.note)

    def _decode(self) -> None:
        if self._bytes:
            data, self._bytes = b"".join(self._bytes), []
            self._add(self._fonts.decoded(data, self._group.font))
