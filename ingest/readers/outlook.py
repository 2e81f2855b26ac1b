"""Outlook messages (.msg): the same sections as mail, out of the properties Outlook keeps.

olefile opens the container; the few properties needed are read here. python-oxmsg 0.0.2 reads
every attachment into memory and decodes strictly, so that one wrong byte loses the message.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.readers import LARGEST_TEXT, Unreadable, cause, read_bytes
from ingest.readers.html import page_sections
from ingest.readers.mail import Letter, attachment, document_of, parse, says_more, text_section
from ingest.readers.rtf import parse as parse_rtf
from ingest.readers.text import decode
from rag.records import Document, Section

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DEEPEST = 20  # messages within messages
# Property numbers of [MS-OXPROPS].
_CLASS, _SUBJECT, _BODY, _RTF, _HTML = 0x001A, 0x0037, 0x1000, 0x1009, 0x1013
_SENDERS = ((0x0042, 0x5D02, 0x0065), (0x0C1A, 0x5D01, 0x0C1F))  # name, SMTP address, address
_SENT, _DELIVERED = 0x0039, 0x0E06
_NAME, _SMTP, _ADDRESS, _ROLE = 0x3001, 0x39FE, 0x3003, 0x0C15
_LONG_NAME, _SHORT_NAME, _MIME, _DATA = 0x3707, 0x3704, 0x370E, 0x3701
_INTERNET_PAGE, _MESSAGE_PAGE = 0x3FDE, 0x3FFD


def read(path: Path, *, title: str) -> Document:
    """As `ingest.readers.mail.read`; a message saved as RFC 822 text is read as such.

    Raises Unreadable; ``password`` for an encrypted message.
    """
    with path.open("rb") as stream:
        container = stream.read(8) == _OLE
    if not container:
        return document_of(parse(read_bytes(path)), title, "outlook")
    import olefile

    try:
        with olefile.OleFileIO(str(path)) as ole:
            if not any(entry[0].startswith("__") for entry in ole.listdir()):
                raise Unreadable("unreadable", "not an Outlook message: another kind of file")
            letter = _letter(_Storage(ole, [], 32), 0)
    except (OSError, TypeError, ValueError) as error:  # what olefile raises where a file is damaged
        if isinstance(error, FileNotFoundError):
            raise
        raise Unreadable("unreadable", f"a damaged Outlook message: {cause(error)}") from error
    return document_of(letter, title, "outlook")


class _Storage:
    """One folder of the container: a message, a recipient or an attachment."""

    def __init__(self, ole: Any, path: list[str], header: int, codepage: str = "") -> None:
        self._ole = ole
        self._path = path
        self._fixed = self._properties(header)
        page = self.number(_INTERNET_PAGE) or self.number(_MESSAGE_PAGE)
        self.codepage = f"cp{page}" if page and page != 65001 else codepage

    def _properties(self, header: int) -> dict[int, bytes]:
        """Property number → the eight bytes of its value, of those with a fixed size."""
        data = self._stream("__properties_version1.0")
        rows = (data[at : at + 16] for at in range(header, len(data) - 15, 16))
        return {struct.unpack_from("<H", row, 2)[0]: row[8:] for row in rows}

    def _stream(self, name: str) -> bytes:
        path = [*self._path, name]
        if not self._ole.exists(path):
            return b""
        if self._ole.get_size(path) > LARGEST_TEXT:
            raise Unreadable("too_large", f"its text has more than {LARGEST_TEXT:,} bytes")
        with self._ole.openstream(path) as stream:
            return bytes(stream.read())

    def number(self, tag: int) -> int:
        return int(struct.unpack("<I", self._fixed.get(tag, bytes(8))[:4])[0])

    def binary(self, tag: int) -> bytes:
        return self._stream(f"__substg1.0_{tag:04X}0102")

    def text(self, tag: int) -> str:
        if data := self._stream(f"__substg1.0_{tag:04X}001F"):
            return data.decode("utf-16-le", "replace").rstrip("\0")
        data = self._stream(f"__substg1.0_{tag:04X}001E").rstrip(b"\0")
        return decode(data, self.codepage) if data else ""

    def line(self, tag: int) -> str:
        return " ".join(self.text(tag).split())

    def date(self, tag: int) -> str:
        """A date of 100 nanoseconds since 1601, as «2024-05-17 09:30 UTC»."""
        ticks = struct.unpack("<Q", self._fixed.get(tag, bytes(8)))[0]
        try:
            moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        except OverflowError:
            return ""
        return f"{moment:%Y-%m-%d %H:%M} UTC" if ticks else ""

    def size(self, tag: int) -> int:
        path = [*self._path, f"__substg1.0_{tag:04X}0102"]
        return int(self._ole.get_size(path)) if self._ole.exists(path) else 0

    def children(self, prefix: str) -> list[_Storage]:
        depth = len(self._path)
        names = {
            entry[depth]
            for entry in self._ole.listdir(streams=False, storages=True)
            if entry[:depth] == self._path
            and len(entry) > depth
            and entry[depth].startswith(prefix)
        }
        return [_Storage(self._ole, [*self._path, n], 8, self.codepage) for n in sorted(names)]

    def message_inside(self) -> _Storage | None:
        path = [*self._path, f"__substg1.0_{_DATA:04X}000D"]
        if not self._ole.exists([*path, "__properties_version1.0"]):
            return None
        return _Storage(self._ole, path, 24, self.codepage)


def _letter(message: _Storage, depth: int) -> Letter:
    kind = message.line(_CLASS).upper()
    body, hidden = _body(message)
    letter = Letter(_headers(message), body, hidden=hidden)
    for entry in message.children("__attach_version1.0_#"):
        inner = entry.message_inside()
        if inner and depth < _DEEPEST:
            letter.forwarded.append(_letter(inner, depth + 1))
            continue
        name = entry.line(_LONG_NAME) or entry.line(_SHORT_NAME) or entry.line(_NAME)
        size = entry.size(_DATA)
        if kind.startswith("IPM.NOTE.SMIME") and (signed := _signed(entry.binary(_DATA))):
            letter.body += signed.body
            letter.hidden += signed.hidden
            letter.attachments += signed.attachments
            letter.encrypted = letter.encrypted or signed.encrypted
            continue
        letter.encrypted = letter.encrypted or name.lower() in ("message.rpmsg", "smime.p7m")
        mime = entry.line(_MIME) or "application/octet-stream"
        letter.encrypted = letter.encrypted or mime.lower() == "application/pgp-encrypted"
        letter.attachments.append(attachment(name, mime, size))
    return letter


def _signed(data: bytes) -> Letter | None:
    """The message inside a clear-signed one; None when it is encrypted or wrapped."""
    return parse(data) if b"multipart/signed" in data[:4096].lower() else None


def _headers(message: _Storage) -> list[tuple[str, str]]:
    sender = next(filter(None, (_person(message, *tags) for tags in _SENDERS)), "")
    roles: dict[int, list[str]] = {}
    for person in message.children("__recip_version1.0_#"):
        line = _person(person, _NAME, _SMTP, _ADDRESS)
        roles.setdefault(person.number(_ROLE), []).append(line)
    named = (
        ("From", sender),
        ("To", ", ".join(filter(None, roles.get(1, [])))),
        ("Cc", ", ".join(filter(None, roles.get(2, [])))),
        ("Date", message.date(_SENT) or message.date(_DELIVERED)),
        ("Subject", message.line(_SUBJECT)),
    )
    return [(name, value) for name, value in named if value]


def _person(storage: _Storage, name: int, smtp: int, address: int) -> str:
    """«Ann Example <ann@example.org>»; Exchange's internal addresses say nothing to people."""
    shown, mail = storage.line(name), storage.line(smtp)
    if not mail and "@" in storage.line(address):
        mail = storage.line(address)
    if not mail or mail in shown:
        return shown
    return f"{shown} <{mail}>" if shown else mail


def _body(message: _Storage) -> tuple[list[Section], int]:
    """Plain text, unless the page says more, else the page, else the rich text; and how many
    words of it nobody sees."""
    body = text_section(message.text(_BODY))
    page = message.text(_HTML)
    if data := message.binary(_HTML):
        page = decode(data, message.codepage)
    try:
        _, sections, hidden = page_sections(page)
    except Unreadable:  # nested too deeply
        if not body:
            raise
        sections, hidden = (), 0
    if sections and says_more("".join(s.text for s in sections), "".join(s.text for s in body)):
        return list(sections), hidden
    if body:
        return body, 0
    if sections:
        return list(sections), hidden
    if packed := message.binary(_RTF):
        try:
            sections, hidden = parse_rtf(unpack(packed))
            return list(sections), hidden
        except Unreadable as failure:
            if failure.status not in ("empty", "no_text"):
                raise
    return [], hidden


# ------------------------------------------------------------------ compressed RTF

#: What the dictionary holds before the first byte, by [MS-OXRTFCP].
_PRELOADED = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_WINDOW = 4096


def unpack(packed: bytes) -> bytes:
    """Outlook's compressed rich text. Damage ends it early; its length is bounded.

    Raises Unreadable for what is neither compressed nor plain rich text, and ``too_large``.
    """
    kind = packed[8:12]
    if kind == b"MELA":
        return packed[16:]
    if kind != b"LZFu":
        raise Unreadable("unreadable", "rich text packed in an unknown way")
    out = bytearray(_PRELOADED)
    at, end = 16, len(packed)
    while at < end:
        control = packed[at]
        at += 1
        for bit in range(8):
            if not control >> bit & 1:
                out += packed[at : at + 1]
                at += 1
                continue
            if at + 2 > end:
                return bytes(out[len(_PRELOADED) :])
            offset, length = packed[at] << 4 | packed[at + 1] >> 4, (packed[at + 1] & 15) + 2
            at += 2
            back = (len(out) - offset) % _WINDOW
            if back == 0:  # the mark of the end
                return bytes(out[len(_PRELOADED) :])
            for _ in range(length):
                out.append(out[-back] if back <= len(out) else 0x20)
        if len(out) > LARGEST_TEXT:
            raise Unreadable("too_large", f"its rich text has more than {LARGEST_TEXT:,} bytes")
    return bytes(out[len(_PRELOADED) :])
