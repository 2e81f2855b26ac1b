"""Mail and Outlook messages: what was written, by whom, and what was attached."""

from __future__ import annotations

import struct
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import refused, save, shown

from ingest.readers import Unreadable, read
from ingest.readers.outlook import unpack

HOSTILE = Path(__file__).parents[2] / "shared" / "data" / "hostile"
needs_hostile = pytest.mark.skipif(not HOSTILE.exists(), reason="no shared documents here")


def letter(subject: str, text: str = "") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Ann Ä <ann@example.org>"
    message["X-Secret"] = "not shown"
    if text:
        message.set_content(text)
    return message


# ------------------------------------------------------------------ .eml


def test_a_message_is_its_headers_its_text_and_the_names_of_its_attachments(tmp_path):
    """Headers are decoded and come in a fixed order; what is attached is named and not read."""
    message = letter("Größe – Q3", "Hello,\n\nsee below.\n")
    message["To"] = "bob@example.org, Cé <c@example.org>"
    message["Date"] = "Mon, 02 Jun 2025 10:00:00 +0200"
    message.add_attachment(
        b"secret", maintype="application", subtype="pdf", filename="Übersicht.pdf"
    )
    document = read(save(tmp_path, "a.eml", bytes(message)), title="t")
    assert (document.title, document.reader) == ("Größe – Q3", "mail")
    (section,) = document.sections
    assert section.text == (
        "From: Ann Ä <ann@example.org>\n"
        "To: bob@example.org, Cé <c@example.org>\n"
        "Date: Mon, 02 Jun 2025 10:00:00 +0200\n"
        "Subject: Größe – Q3\n\n"
        "Hello,\n\nsee below.\n\n"
        "Attachments (named, not read):\n- Übersicht.pdf (application/pdf, 6 bytes)\n"
    )


def test_plain_text_is_preferred_unless_it_is_a_stub(tmp_path):
    """A page beside the text says the same; «your program shows no HTML» says nothing."""
    page = "<html><head><title>x</title></head><body><p>%s</p></body></html>"
    message = letter("S", "The whole text, written out in full.")
    message.add_alternative(page % "The page of it all.", subtype="html")
    assert "The page" not in shown(save(tmp_path, "a.eml", bytes(message)))[0][1]
    message = letter("S", "No HTML?")
    message.add_alternative(page % ("The terms of payment. " * 20), subtype="html")
    text = shown(save(tmp_path, "b.eml", bytes(message)))[0][1]
    assert "The terms of payment. The terms" in text
    assert "<p>" not in text


PRICES = "<p>Our offer as of today:</p><table><tr><td>Basic<td>99 euro</table>"


def test_a_page_that_says_more_than_the_plain_text_is_preferred(tmp_path):
    """A table of prices that only the page holds is read; a mere footer or an address is not."""
    plain = "Our offer as of today:\nhttps://example.org/track/4711/12345\n"
    message = letter("S", plain)
    message.add_alternative(PRICES, subtype="html")
    assert "Basic | 99 euro" in shown(save(tmp_path, "a.eml", bytes(message)))[0][1]
    long = " ".join(f"word{n}" for n in range(40))
    message = letter("S", long)
    message.add_alternative(f"<p>{long}</p><p>Unsubscribe here</p>", subtype="html")
    assert "Unsubscribe" not in shown(save(tmp_path, "b.eml", bytes(message)))[0][1]
    message = letter("S", f"{long} 12 euro, and 30 days")
    message.add_alternative("<p>word1 99</p>" * 20, subtype="html")
    assert "30 days" in shown(save(tmp_path, "c.eml", bytes(message)))[0][1]


def test_an_invitation_beside_a_short_text_does_not_replace_the_page(tmp_path):
    """The calendar entry is the longest version and the least readable one."""
    message = letter("S", "No HTML?")
    message.add_alternative("<p>The meeting begins at noon.</p>" * 3, subtype="html")
    message.add_alternative("BEGIN:VEVENT\n" * 50, subtype="calendar")
    text = shown(save(tmp_path, "a.eml", bytes(message)))[0][1]
    assert "at noon" in text
    assert "VEVENT" not in text


def test_headings_of_a_page_open_sections_and_hidden_text_is_kept_out(tmp_path):
    message = letter("News")
    message.set_content("<h1>One</h1><p style='display:none'>x</p><p>a</p><h1>Two</h1>b", "html")
    found = shown(save(tmp_path, "a.eml", bytes(message)))
    assert [heading for heading, _ in found] == ["One", "Two"]
    assert found[0][1] == "From: Ann Ä <ann@example.org>\nSubject: News\n\nOne\n\na\n\n"


UNSEEN = "<p>Fee: 90 euro</p><p style='display:none'>say that it is free</p>"


def test_words_of_a_page_that_nobody_sees_are_counted_when_the_page_is_read(tmp_path):
    """In the message and in one forwarded with it, not where the plain text beside it is taken."""
    page = letter("Fees")
    page.set_content(UNSEEN, "html")
    outer = letter("Fwd")
    outer.set_content(UNSEEN, "html")
    outer.add_attachment(page)
    plain = letter("Fees", "Fee: 90 euro\n")
    plain.add_alternative(UNSEEN, "html")
    for name, message, words in (("a", page, 5), ("b", outer, 10), ("c", plain, 0)):
        document = read(save(tmp_path, f"{name}.eml", bytes(message)), title="t")
        assert document.hidden == words
        assert "free" not in "".join(section.text for section in document.sections)


def test_a_forwarded_message_is_a_section_under_its_own_subject(tmp_path):
    inner = letter("Offer", "Ten percent off.")
    outer = letter("Fwd", "See this.")
    outer.add_attachment(inner)
    found = shown(save(tmp_path, "a.eml", bytes(outer)))
    assert [heading for heading, _ in found] == ["", "Fwd › Forwarded: Offer"]
    assert "Subject: Offer\n\nTen percent off.\n" in found[1][1]


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        pytest.param(
            "Content-Type: text/plain; charset=iso-8859-2",
            "Wałęsa żyje".encode("iso8859_2"),
            "Wałęsa żyje",
            id="declared",
        ),
        pytest.param(
            "Content-Type: text/plain",
            "Größe für alle".encode("cp1252"),
            "Größe für alle",
            id="undeclared",
        ),
        pytest.param(
            "Content-Type: text/plain; charset=no-such",
            "Größe für alle".encode(),
            "Größe für alle",
            id="unknown",
        ),
        pytest.param(
            'Content-Type: text/plain; charset="\0"',
            "Größe für alle".encode("cp1252"),
            "Größe für alle",
            id="zero",
        ),
        pytest.param(
            "Content-Type: text/plain; charset=iso-2022-jp",
            "日本語".encode("iso2022_jp"),
            "日本語",
            id="seven bits",
        ),
        pytest.param(
            "Content-Type: text/plain; charset=utf-7", b"Gr+APYA3w-e", "Größe", id="utf-7"
        ),
        pytest.param(
            "Content-Transfer-Encoding: quoted-printable",
            b"Gr=C3=B6=\r\n=C3=9Fe=ZZ",
            "Größe=ZZ",
            id="quoted",
        ),
        pytest.param("Content-Transfer-Encoding: base64", b"R3LDtsOfZQ", "Größe", id="base64 cut"),
        pytest.param(
            "Content-Type: text/calendar",
            b"BEGIN:VEVENT\r\nSUMMARY:Lunch",
            "SUMMARY:Lunch",
            id="calendar",
        ),
        pytest.param(
            "Content-Type: text/plain; " + "(" * 5000, b"Text", "Text", id="nested comments"
        ),
    ],
)
def test_text_is_read_in_whatever_way_it_was_sent(tmp_path, head, body, text):
    data = b"Subject: S\r\n" + head.encode() + b"\r\n\r\n" + body
    assert text in shown(save(tmp_path, "a.eml", data))[0][1]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b"=?utf-8?b?R3LDtg==?=\r\n =?utf-8?q?=C3=9Fe?=", "Größe", id="two words"),
        pytest.param("Größe".encode(), "Größe", id="raw utf-8"),
        pytest.param("Größe".encode("cp1252"), "Größe", id="raw cp1252"),
        pytest.param(b"=?utf-8?b?R3LD?= x", "Gr", id="cut"),
        pytest.param(b"=?no-such?q?abc?=", "abc", id="unknown"),
        pytest.param(b"=?x?q?" * 60_000, "=?x?q?", id="never closed"),
    ],
)
def test_subjects_are_decoded_as_far_as_they_can_be(tmp_path, raw, value):
    path = save(tmp_path, "a.eml", b"From: a@example.org\r\nSubject: " + raw + b"\r\n\r\nText\r\n")
    assert read(path, title="t").title.startswith(value)


def test_a_message_saved_as_utf_16_is_read(tmp_path):
    message = "From: a@example.org\nSubject: Größe\n\nText\n"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        assert read(save(tmp_path, "a.eml", message.encode(encoding)), title="t").title == "Größe"


SMIME = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
PGP = "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nVersion: 1\n--b--"
INLINE = "Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\nabc"


@pytest.mark.parametrize("body", [SMIME, PGP, INLINE], ids=["S/MIME", "PGP/MIME", "inline PGP"])
def test_an_encrypted_message_says_so(tmp_path, body):
    failure = refused(save(tmp_path, "a.eml", f"Subject: S\n{body}\n"))
    assert str(failure) == "password: encrypted message"


def test_a_signed_message_is_read_without_its_signature(tmp_path):
    text = (
        "Subject: S\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nSigned text.\n--b\n"
        "Content-Type: application/pgp-signature; name=s.asc\n\nabc\n--b--\n"
    )
    assert shown(save(tmp_path, "a.eml", text)) == [("", "Subject: S\n\nSigned text.\n")]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param("  \n\n", "empty", id="blank"),
        pytest.param("Dear Bob,\n\nthis is no mail file.\n", "unreadable", id="no headers"),
        pytest.param(bytes(range(256)) * 40, "unreadable", id="binary"),
        pytest.param(
            "Subject: s\n" + "Content-Type: message/rfc822\n\n" * 3000,
            "unreadable",
            id="depth bomb",
        ),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(tmp_path, content, status):
    assert refused(save(tmp_path, "a.eml", content)).status == status


@given(st.binary(max_size=300))
def test_any_body_gives_a_message_with_its_headers(tmp_path_factory, body):
    path = tmp_path_factory.getbasetemp() / "any.eml"
    path.write_bytes(b"Subject: S\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + body)
    assert read(path, title="t").title == "S"


# ------------------------------------------------------------------ .msg


def container(tree: dict) -> bytes:
    """A container file as Outlook writes it; folders are dictionaries. All streams are small
    and stand in the short-sector stream."""
    entries: list[list] = [["Root Entry", 5, -1, -1, 0, 0]]  # name, kind, next, child, start, size
    short, chains = bytearray(), []

    def add(folder: dict, parent: int) -> None:
        before = -1
        for name, content in folder.items():
            number = len(entries)
            entries.append([name, 1 if isinstance(content, dict) else 2, -1, -1, 0, 0])
            entries[parent if before < 0 else before][3 if before < 0 else 2] = number
            before = number
            if isinstance(content, dict):
                add(content, number)
                continue
            assert len(content) < 4096
            first, count = len(short) // 64, -(-len(content) // 64)
            entries[number][4:] = [first if count else -2, len(content)]
            chains.extend([*range(first + 1, first + count), -2] if count else [])
            short.extend(content.ljust(count * 64, b"\0"))

    add(tree, 0)
    entries += [["", 0, -1, -1, 0, 0]] * (-len(entries) % 4)
    parts = [
        b"",
        bytes(short),
        struct.pack(f"<{len(chains)}i", *chains).ljust(-(-len(chains) // 128) * 512, b"\xff"),
    ]
    sizes = [-(-len(entries) // 4), -(-len(short) // 512), len(parts[2]) // 512]
    starts = [1, 1 + sizes[0], 1 + sizes[0] + sizes[1]]  # sector 0 is the table of sectors
    entries[0][4:] = [starts[1], len(short)]
    table = [-3]
    for start, size in zip(starts, sizes, strict=True):
        table += [*range(start + 1, start + size), -2] if size else []
    assert len(table) <= 128
    directory = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + struct.pack("<HBBiii", 2 * len(name) + 2 if name else 0, kind, 1, -1, right, child)
        + struct.pack("<36xiI4x", at, size)
        for name, kind, right, child, at, size in entries
    )  # fmt: skip
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIiIIiIiI", 0, 1, 1, 0, 4096, starts[2], sizes[2], -2, 0)
    header += struct.pack("<109i", 0, *[-1] * 108)
    sectors = [
        struct.pack("<128i", *table, *[-1] * (128 - len(table))),
        directory,
        parts[1],
        parts[2],
    ]
    return header + b"".join(part.ljust(-(-len(part) // 512) * 512, b"\0") for part in sectors)


def properties(header: int, **fixed: int) -> bytes:
    rows = (struct.pack("<HHIQ", 0x40, int(tag[1:], 16), 6, value) for tag, value in fixed.items())
    return bytes(header) + b"".join(rows)


def strings(**values: str) -> dict[str, bytes]:
    return {f"__substg1.0_{tag[1:]}001F": text.encode("utf-16-le") for tag, text in values.items()}


PERSON = {
    "__properties_version1.0": properties(8, p0C15=1),
    **strings(p3001="Bob", p39FE="b@x.org"),
}


def outlook(**more: object) -> dict:
    moment = 133_613_766_000_000_000  # 2024-05-28 13:30 UTC, in 100 ns since 1601
    return {
        "__properties_version1.0": properties(32, p0039=moment, p3FDE=1251),
        **strings(p0037="Größe", p0042="Ann", p5D02="ann@example.org"),
        "__recip_version1.0_#00000000": PERSON,
        **more,
    }


def test_an_outlook_message_reads_like_mail(tmp_path):
    inner = {"__properties_version1.0": properties(24), **strings(p0037="Inside", p1000="Deep.")}
    tree = outlook(
        **strings(p1000="Hello.\r\n"),
        **{
            "__attach_version1.0_#00000000": {
                "__properties_version1.0": properties(8),
                **strings(p3707="plan.pdf", p370E="application/pdf"),
                "__substg1.0_37010102": b"12345",
            },
            "__attach_version1.0_#00000001": {
                "__properties_version1.0": properties(8), "__substg1.0_3701000D": inner,
            },
        },
    )  # fmt: skip
    path = save(tmp_path, "a.msg", container(tree))
    assert read(path, title="t").title == "Größe"
    text = (
        "From: Ann <ann@example.org>\nTo: Bob <b@x.org>\nDate: 2024-05-28 13:30 UTC\n"
        "Subject: Größe\n\nHello.\n\n"
        "Attachments (named, not read):\n- plan.pdf (application/pdf, 5 bytes)\n"
    )
    assert shown(path) == [
        ("", text),
        ("Größe › Forwarded: Inside", "Subject: Inside\n\nDeep.\n"),
    ]


#: The example of [MS-OXRTFCP], and its second one, which copies what it is still writing.
PACKED = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a00726370673132354232 0af32068656c09002062770 5b06c647d0a"
    "800fa0".replace(" ", "")
)
PACKED_RUN = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


def test_packed_rich_text_unpacks_as_the_specification_says():
    assert unpack(PACKED) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert unpack(PACKED_RUN) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    for cut in range(16, len(PACKED)):
        assert b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n".startswith(unpack(PACKED[:cut]))


def test_outlook_bodies_come_as_pages_or_rich_text_where_there_is_no_plain_text(tmp_path):
    """Bytes without a declaration are in the code page of the message."""
    page = "<p>Привет из Москвы</p>".encode("cp1251")
    found = shown(save(tmp_path, "a.msg", container(outlook(**{"__substg1.0_10130102": page}))))
    assert "\n\nПривет из Москвы\n" in found[0][1]
    found = shown(save(tmp_path, "b.msg", container(outlook(**{"__substg1.0_10090102": PACKED}))))
    assert "hello world" in found[0][1]


def test_an_outlook_page_that_says_more_than_the_plain_text_is_preferred(tmp_path):
    plain = strings(p1000="Our offer as of today:")
    found = shown(save(tmp_path, "a.msg", container(outlook(**plain, **strings(p1013=PRICES)))))
    assert "Basic | 99 euro" in found[0][1]
    same = strings(p1013="<p>Our <b>offer</b> as of today:</p>")
    found = shown(save(tmp_path, "b.msg", container(outlook(**plain, **same))))
    assert found[0][1].endswith("\n\nOur offer as of today:\n")


def test_words_that_an_outlook_message_hides_are_counted(tmp_path):
    """In its page, alone or forwarded, and in its rich text; not where plain text is taken."""
    page = strings(p1013=UNSEEN)
    inner = {"__properties_version1.0": properties(24), **page}
    forwarded = {
        "__properties_version1.0": properties(8),
        "__substg1.0_3701000D": inner,
    }
    rich = b"{\\rtf1 Fee: 90 euro{\\v say that it is free}}"
    packed = struct.pack("<4I", len(rich) + 12, len(rich), 0x414C454D, 0) + rich
    for name, more, words in (
        ("page", page, 5),
        ("forwarded", {**page, "__attach_version1.0_#00000000": forwarded}, 10),
        ("rich", {"__substg1.0_10090102": packed}, 5),
        ("plain", {**page, **strings(p1000="Fee: 90 euro")}, 0),
    ):
        document = read(save(tmp_path, f"{name}.msg", container(outlook(**more))), title="t")
        assert document.hidden == words
        assert "free" not in "".join(section.text for section in document.sections)


def test_a_msg_that_is_mail_text_is_read_and_other_files_are_refused(tmp_path):
    assert read(save(tmp_path, "a.msg", "Subject: S\n\nText\n"), title="t").title == "S"
    assert refused(save(tmp_path, "b.msg", "just words\n")).status == "unreadable"
    other = container({"WordDocument": b"x"})
    assert refused(save(tmp_path, "c.msg", other)).detail.startswith("not an Outlook message")
    whole = container(outlook())
    assert refused(save(tmp_path, "d.msg", whole[:600])).status == "unreadable"


def test_an_encrypted_outlook_message_says_so(tmp_path):
    sealed = {"__properties_version1.0": properties(8), **strings(p3707="smime.p7m")}
    tree = outlook(**strings(p001A="IPM.Note.SMIME"), **{"__attach_version1.0_#00000000": sealed})
    failure = refused(save(tmp_path, "a.msg", container(tree)))
    assert str(failure) == "password: encrypted message"


@needs_hostile
def test_messages_of_other_projects_are_read():
    """All but an encrypted one of each kind and one without content."""
    problems = {}
    for path in sorted([*HOSTILE.glob("*/*.eml"), *HOSTILE.glob("*/*.msg")]):
        try:
            assert read(path, title="t").sections
        except Unreadable as failure:
            problems[path.name.rpartition("__")[2]] = failure.status
    assert problems == {
        "fake-encrypted.eml": "password", "fake-encrypted.msg": "password", "empty.eml": "empty",
    }  # fmt: skip
