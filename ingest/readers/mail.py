"""Mail (.eml): who wrote what to whom and when, the text, and the names of what was attached.

The standard library parses the structure, under its older policy: the newer one parses every
header on access and leaks RecursionError from a Content-Type of nested comments [measured].
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from pathlib import Path

from ingest.readers import Unreadable, clean, read_bytes
from ingest.readers.html import page_sections
from ingest.readers.outline import SEPARATOR
from ingest.readers.text import decode
from rag.records import Document, Section

SHOWN = ("From", "To", "Cc", "Date", "Subject")
#: A file with none of these before its first empty line is no message.
_KNOWN = frozenset({
    "from", "to", "cc", "bcc", "date", "subject", "sender", "received", "message-id", "reply-to",
    "mime-version", "content-type", "return-path", "delivered-to",
})  # fmt: skip
#: Characters of a header that are decoded: its regular expression takes time by the square of
#: them, .3 s at this length [set by hand].
_LONGEST_HEADER = 2**15
#: Messages within messages that are followed; the parser itself gives up at some 300.
_DEEPEST = 20
#: A plain text so much shorter than the page beside it says only «your program shows no HTML».
_STUB = 4  # times [set by hand]
#: So many words more, for each of the plain text's own, and the page is taken [set by hand]: a
#: footer («Unsubscribe») is less. One number more is enough: tables of prices go missing first.
_MORE = 0.1
_ADDRESS = re.compile(r"(?:https?://|www\.|mailto:)\S+")  # pages keep it out of their text
_WORD = re.compile(r"\w+(?:[.,]\w+)*")
_PGP = re.compile(r"\A\s*-----BEGIN PGP MESSAGE-----")


@dataclass
class Letter:
    """What a message says, whichever program wrote the file."""

    headers: list[tuple[str, str]] = field(default_factory=list)  # (name, decoded value)
    body: list[Section] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)  # «name (type, 1,234 bytes)»
    forwarded: list[Letter] = field(default_factory=list)
    encrypted: bool = False
    hidden: int = 0  # words of its pages that nobody sees

    @property
    def subject(self) -> str:
        return " ".join(value for name, value in self.headers if name == "Subject")


def read(path: Path, *, title: str) -> Document:
    """One section for the message, more where its page has headings, and one for each message
    forwarded in it. The title is the subject. Attachments are named and not read.

    Raises Unreadable; ``password`` for an encrypted message.
    """
    return document_of(parse(read_bytes(path)), title, "mail")


def parse(data: bytes) -> Letter:
    """The bytes of an RFC 822 message. Raises Unreadable when they are none."""
    if b"\0" in data[:2] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = decode(data).encode()  # saved as UTF-16
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t")
    if not data:
        raise Unreadable("empty", "nothing but white space")
    try:
        message = email.message_from_bytes(data, policy=compat32)
    except RecursionError:
        raise Unreadable("unreadable", "messages nested too deeply") from None
    if not _KNOWN & {name.lower() for name in message.keys()}:  # noqa: SIM118 - not a dictionary
        raise Unreadable("unreadable", "not a mail message: no headers")
    return _letter(message, 0)


def document_of(letter: Letter, title: str, reader: str) -> Document:
    """A letter as a document. Raises Unreadable when it is encrypted or says nothing."""
    if letter.encrypted and not letter.body:
        raise Unreadable("password", "encrypted message")
    sections = tuple(_sections(letter, ""))
    if not sections:
        raise Unreadable("empty", "a message without headers and text")
    return Document(letter.subject or title, sections, reader, hidden=_hidden(letter))


def text_section(text: str) -> list[Section]:
    """Plain text as a body."""
    text = clean(text).strip("\n")
    return [Section(text + "\n")] if text.strip() else []


def attachment(name: str, kind: str, size: int | None) -> str:
    """How an attachment is named."""
    about = kind if size is None else f"{kind}, {size:,} bytes"
    return f"{' '.join(clean(name).split()) or 'without a name'} ({about})"


# ------------------------------------------------------------------ letter → sections


def _sections(letter: Letter, heading: str) -> Iterator[Section]:
    top = "".join(f"{name}: {value}\n" for name, value in letter.headers)
    first, *others = letter.body or [Section("")]
    parts = [top, first.text]
    end = _end(letter)
    if not others:
        parts.append(end)
    text = "\n".join(part for part in parts if part)
    if text.strip():
        yield Section(text, heading=_under(heading, first.heading))
    for section in others:
        last = section is others[-1] and end
        text = f"{section.text}\n{end}" if last else section.text
        yield Section(text, heading=_under(heading, section.heading))
    for inner in letter.forwarded:
        name = f"Forwarded: {inner.subject or 'without a subject'}"
        yield from _sections(inner, _under(heading or letter.subject, name))


def _end(letter: Letter) -> str:
    lines = []
    if letter.encrypted:
        lines.append("A part of this message is encrypted and was not read.\n")
    if letter.attachments:
        lines.append("Attachments (named, not read):\n")
        lines += [f"- {line}\n" for line in letter.attachments]
    return "".join(lines)


def _under(heading: str, name: str) -> str:
    return SEPARATOR.join(filter(None, (heading, name)))


def _hidden(letter: Letter) -> int:
    return letter.hidden + sum(map(_hidden, letter.forwarded))


# ------------------------------------------------------------------ message → letter


def _letter(message: Message, depth: int) -> Letter:
    letter = Letter(headers(message))
    _collect(message, letter, depth)
    return letter


def headers(message: Message) -> list[tuple[str, str]]:
    """The headers people read, decoded, in a fixed order."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), []).append(_decoded(str(value)))
    named = ((name, ", ".join(filter(None, found.get(name.lower(), [])))) for name in SHOWN)
    return [(name, value) for name, value in named if value]


def _decoded(raw: str) -> str:
    """A header's value with its encoded words read; as it stands where they are broken."""
    cut = raw[:_LONGEST_HEADER]
    cut = decode(cut.encode("utf-8", "surrogateescape"))
    try:
        parts = decode_header(cut) if "=?" in cut else [(cut, None)]
    except HeaderParseError:
        parts = [(cut, None)]
    text = "".join(
        part if isinstance(part, str) else decode(part, charset or "") for part, charset in parts
    )
    return " ".join(clean(text).split()) + ("…" if len(raw) > _LONGEST_HEADER else "")


def _collect(part: Message, letter: Letter, depth: int) -> None:
    """Put what a part of a message holds where it belongs in the letter."""
    kind = part.get_content_type()
    if _encrypted(part, kind):
        letter.encrypted = True
    elif kind in ("message/rfc822", "message/news") and part.is_multipart() and depth < _DEEPEST:
        letter.forwarded.append(_letter(_children(part)[0], depth + 1))
    elif kind == "message/delivery-status":
        for child in _children(part):
            lines = (f"{name}: {_decoded(str(value))}" for name, value in child.raw_items())
            letter.body += text_section("\n".join(lines))
    elif kind == "multipart/alternative":
        _collect_best(_children(part), letter, depth)
    elif part.is_multipart():
        # Of a signed message the second part is the signature.
        for child in _children(part)[: 1 if kind == "multipart/signed" else None]:
            _collect(child, letter, depth)
    elif not _collect_text(part, kind, letter):
        letter.attachments.append(attachment(_file_name(part), kind, len(_payload(part))))


def _collect_text(part: Message, kind: str, letter: Letter) -> bool:
    """True when the part is text that a mail program shows."""
    if not kind.startswith("text/") or part.get_content_disposition() == "attachment":
        return False
    try:
        body, hidden = _body(part, kind)
    except Unreadable:
        return False  # binary under a false name
    if body and _PGP.match(body[0].text):
        letter.encrypted = True
    else:
        letter.body += body
        letter.hidden += hidden
    return True


def _collect_best(versions: list[Message], letter: Letter, depth: int) -> None:
    """One of several versions of the same text: plain text, unless it is empty or a stub, or a
    page says more."""
    letters = []
    for version in versions:
        letters.append(Letter())
        _collect(version, letters[-1], depth)
    kinds = [version.get_content_type() for version in versions]
    pages = [k == "text/html" or k.startswith("multipart/") for k in kinds]
    texts = ["".join(section.text for section in one.body) for one in letters]
    longest = max(map(len, texts), default=0)

    def rank(n: int) -> tuple[bool, bool, int]:
        whole = kinds[n] == "text/plain" and _STUB * len(texts[n]) >= longest
        more = any(pages[m] and says_more(texts[m], texts[n]) for m in range(len(texts)))
        return whole and not more, pages[n] and bool(texts[n]), len(texts[n])

    for n in sorted(range(len(letters)), key=rank, reverse=True)[:1]:
        letter.body += letters[n].body
        letter.hidden += letters[n].hidden
    for one in letters:
        letter.attachments += one.attachments
        letter.forwarded += one.forwarded
        letter.encrypted = letter.encrypted or one.encrypted


def says_more(page: str, plain: str) -> bool:
    """Whether a page holds numbers, or many words, that the plain text beside it lacks, and more
    of them than the plain text holds that it lacks itself."""
    ours, theirs = (
        set(_WORD.findall(_ADDRESS.sub(" ", text.casefold()))) for text in (page, plain)
    )
    gained, given_up = ours - theirs, theirs - ours
    number = any(character.isdigit() for word in gained for character in word)
    enough = number or len(gained) > _MORE * len(theirs)
    return enough and len(gained) > len(given_up)


def _encrypted(part: Message, kind: str) -> bool:
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        return "signed" not in str(part.get_param("smime-type", "")).lower()
    return kind == "multipart/encrypted"


def _body(part: Message, kind: str) -> tuple[list[Section], int]:
    """What a mail program shows of a text, and how many words it does not show."""
    text = decode(_payload(part), _charset(part))
    if kind in ("text/html", "application/xhtml+xml"):
        _, sections, hidden = page_sections(text)
        return list(sections), hidden
    return text_section(text), 0


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [p for p in payload if isinstance(p, Message)] if isinstance(payload, list) else []


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _charset(part: Message) -> str:
    value = part.get_param("charset", "")
    return str(value[2] if isinstance(value, tuple) else value).strip("\"' ")


def _file_name(part: Message) -> str:
    return _decoded(part.get_filename("") or "")
