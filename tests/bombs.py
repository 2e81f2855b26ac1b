"""Files that try to kill, blind or stall whoever reads a folder, made from nothing on the spot.

    python tests/bombs.py FOLDER        # all of them, about 15 MB and two sparse files of 4 GB

Each is small on disk; what it would take to read it carelessly stands beside its maker. `BOMBS`
says of each the statuses that are a fitting end.
"""

from __future__ import annotations

import os
import random
import stat
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

GB = 2**30
MB = 2**20

# ------------------------------------------------------------------ raw deflate, zip and PDF


def _deflated(block: bytes, times: int) -> bytes:
    """Raw deflate of ``block`` repeated; the block is compressed once, behind a full flush."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return one * times + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def flate(block: bytes, times: int = 1) -> bytes:
    """A zlib stream of ``block`` repeated ``times``, without ever holding what it stands for."""
    check = 1
    for _ in range(times):
        check = zlib.adler32(block, check)
    return b"\x78\xda" + _deflated(block, times) + struct.pack(">I", check)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a zip: ``block`` repeated ``times``; ``told``: the size its header claims."""

    name: str
    block: bytes
    times: int = 1
    told: int | None = None


def write_zip(path: Path, *entries: Entry) -> None:
    """A zip whose entries may unpack to anything, and say so or not."""
    directory = b""
    with path.open("wb") as out:
        for entry in entries:
            check = 0
            for _ in range(entry.times):
                check = zlib.crc32(entry.block, check)
            data = _deflated(entry.block, entry.times)
            size = len(entry.block) * entry.times if entry.told is None else entry.told
            name = entry.name.encode()
            common = struct.pack(
                "<HHHHHIIIHH", 20, 0, 8, 0, 0x5C21, check, len(data), size, len(name), 0
            )
            directory += (
                b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, out.tell())
            ) + name
            out.write(b"PK\x03\x04" + common + name + data)
        start = out.tell()
        count = len(entries)
        out.write(directory)
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
        out.write(b"PK\x05\x06" + end)


def write_pdf(path: Path, objects: Iterator[bytes] | list[bytes], root: int = 1) -> None:
    """A PDF of these objects, numbered from 1 in their order, with its cross-reference table."""
    places = []
    with path.open("wb") as out:
        out.write(b"%PDF-1.7\n")
        for number, body in enumerate(objects, 1):
            places.append(out.tell())
            out.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
        table = out.tell()
        size = len(places) + 1
        out.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
        out.writelines(b"%010d 00000 n \n" % place for place in places)
        out.write(b"trailer\n<< /Size %d /Root %d 0 R >>\n" % (size, root))
        out.write(b"startxref\n%d\n%%%%EOF\n" % table)


_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
_CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def _page(parent: int, contents: int, font: int = 3) -> bytes:
    return (
        b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
        b"/Resources << /Font << /F %d 0 R >> >> >>" % (parent, contents, font)
    )


def _stream(data: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    return b"<< /Length %d /Filter %s >>\nstream\n" % (len(data), filters) + data + b"\nendstream"


def _one_page(path: Path, contents: bytes) -> None:
    kids = b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>"
    write_pdf(path, [_CATALOG, kids, _FONT, _page(2, 5), contents])


# ------------------------------------------------------------------ PDFs


def flate_pdf(path: Path) -> None:
    """A page whose content is one gigabyte of spaces."""
    _one_page(path, _stream(flate(b" " * MB, GB // MB)))


def nested_pdf(path: Path) -> None:
    """A page whose content is deflated three times over: 8 GB in the end."""
    twice = flate(flate(b" " * MB, 8 * GB // MB))
    _one_page(path, _stream(flate(twice), b"[/FlateDecode /FlateDecode /FlateDecode]"))


def operators_pdf(path: Path) -> None:
    """A page of eight million text operators."""
    block = b"BT /F 9 Tf 9 9 Td (a flood) Tj ET\n" * 20_000
    _one_page(path, _stream(flate(block, 100)))


def letters_pdf(path: Path) -> None:
    """A page that shows a hundred million letters."""
    block = b"BT /F 9 Tf 9 9 Td (" + b"flood of letters " * 60_000 + b") Tj ET\n"
    _one_page(path, _stream(flate(block, 100)))


def deep_tree_pdf(path: Path, depth: int = 50_000) -> None:
    """A page tree fifty thousand nodes deep, each with one child."""

    def objects() -> Iterator[bytes]:
        yield b"<< /Type /Catalog /Pages 4 0 R >>"
        yield _FONT
        yield _stream(flate(b"BT /F 9 Tf 72 720 Td (At the bottom of the tree.) Tj ET"))
        for number in range(4, 4 + depth):
            parent = b"/Parent %d 0 R " % (number - 1) if number > 4 else b""
            yield b"<< /Type /Pages %s/Kids [%d 0 R] /Count 1 >>" % (parent, number + 1)
        yield _page(3 + depth, 3, font=2)

    write_pdf(path, objects())


def loop_tree_pdf(path: Path) -> None:
    """A page tree that is its own grandchild."""
    write_pdf(
        path,
        [
            _CATALOG,
            b"<< /Type /Pages /Kids [3 0 R] /Count 9 >>",
            b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 9 >>",
        ],
    )


def long_pdf(path: Path, pages: int = 5000) -> None:
    """Five thousand pages with a paragraph each: large, and nothing wrong with it."""

    def objects() -> Iterator[bytes]:
        yield _CATALOG
        kids = b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(pages))
        yield b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages)
        yield _FONT
        for number in range(1, pages + 1):
            lines = b"".join(
                b"(Page %d, line %d: the audit of plant %d found %d litres.) Tj T*\n"
                % (number, line, number % 97, number * line)
                for line in range(1, 9)
            )
            yield _page(2, 3 + 2 * number)
            yield _stream(flate(b"BT /F 11 Tf 14 TL 72 720 Td\n" + lines + b"ET"))

    write_pdf(path, objects())


def random_pdf(path: Path) -> None:
    """A valid head and three megabytes of noise."""
    path.write_bytes(b"%PDF-1.7\n" + random.Random(7).randbytes(3 * MB))


def cut_pdf(path: Path) -> None:
    """A good PDF of which the second half, with its table, is missing."""
    long_pdf(path, 40)
    os.truncate(path, path.stat().st_size // 2)


# ------------------------------------------------------------------ packages

_XML = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument"


def _open_xml(part: str, kind: str) -> tuple[Entry, Entry]:
    """The two entries with which an Office package begins."""
    types = (
        f'<Types xmlns="{_TYPES}"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{part}" ContentType="{_MAIN}.{kind}.main+xml"/></Types>'
    )
    relations = (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="{part}"/></Relationships>'
    )
    return (
        Entry("[Content_Types].xml", _XML + types.encode()),
        Entry("_rels/.rels", _XML + relations.encode()),
    )


def write_docx(path: Path, body: bytes, *, times: int = 1, told: int | None = None) -> None:
    """A Word file whose main part is ``body`` repeated, of a size it may lie about."""
    start = _open_xml("word/document.xml", "wordprocessingml.document")
    write_zip(path, *start, Entry("word/document.xml", body, times, told))


def docx(text: str) -> bytes:
    """The main part of a Word file with one paragraph a line."""
    paragraphs = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in text.splitlines())
    return _XML + b"<w:document " + _W + b"><w:body>" + paragraphs.encode() + (
        b"</w:body></w:document>"
    )  # fmt: skip


def zip_docx(path: Path) -> None:
    """A Word file whose main part is two gigabytes of zeros."""
    write_docx(path, bytes(MB), times=2 * GB // MB)


def lying_docx(path: Path) -> None:
    """The same, which says that it unpacks to a thousand bytes."""
    write_docx(path, bytes(MB), times=2 * GB // MB, told=1000)


def _laughs(root: bytes, inside: bytes) -> bytes:
    """XML in which ten lines of entities stand for three gigabytes of «lol»."""
    steps = b"".join(b'<!ENTITY l%d "%s">\n' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    head = b'<?xml version="1.0"?>\n<!DOCTYPE %s [\n<!ENTITY l0 "lol">\n' % root
    return head + steps + b"]>\n" + inside.replace(b"HERE", b"&l9;")


def laughs_docx(path: Path) -> None:
    """A Word file that laughs a billion times."""
    inside = docx("HERE").removeprefix(_XML)
    write_docx(path, _laughs(b"w:document", inside))


def laughs_odt(path: Path) -> None:
    """An OpenDocument text that laughs a billion times."""
    content = _content(b"text", b"<text:p>HERE</text:p>")
    _write_open_document(path, "text", _laughs(b"office:document-content", content))


def laughs_xhtml(path: Path) -> None:
    """A web page that laughs a billion times."""
    page = b'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>HERE</p></body></html>'
    path.write_bytes(_laughs(b"html", page))


def laughs_epub(path: Path) -> None:
    """A book whose only chapter is a picture that laughs a billion times."""
    picture = b'<svg xmlns="http://www.w3.org/2000/svg"><text>HERE</text></svg>'
    container = (
        b'<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        b'<rootfiles><rootfile full-path="book.opf" '
        b'media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    book = (
        b'<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/><manifest>'
        b'<item id="a" href="a.svg" media-type="image/svg+xml"/></manifest>'
        b'<spine><itemref idref="a"/></spine></package>'
    )
    write_zip(
        path,
        Entry("mimetype", b"application/epub+zip"),
        Entry("META-INF/container.xml", _XML + container),
        Entry("book.opf", _XML + book),
        Entry("a.svg", _laughs(b"svg", picture)),
    )


_ODF = b"urn:oasis:names:tc:opendocument:xmlns"


def _content(kind: bytes, inside: bytes) -> bytes:
    return (
        b'<office:document-content xmlns:office="%s:office:1.0" xmlns:text="%s:text:1.0" '
        b'xmlns:table="%s:table:1.0" office:version="1.3"><office:body><office:%s>%s'
        b"</office:%s></office:body></office:document-content>"
        % (_ODF, _ODF, _ODF, kind, inside, kind)
    )


def _write_open_document(path: Path, kind: str, content: bytes) -> None:
    mime = f"application/vnd.oasis.opendocument.{kind}"
    manifest = (
        f'<manifest:manifest xmlns:manifest="{_ODF.decode()}:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
        f'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
        f"</manifest:manifest>"
    )
    write_zip(
        path,
        Entry("mimetype", mime.encode()),
        Entry("content.xml", content),
        Entry("META-INF/manifest.xml", _XML + manifest.encode()),
    )


def repeated_ods(path: Path) -> None:
    """A sheet of one row of sixteen thousand equal cells, repeated a million times."""
    cell = (
        b'<table:table-cell table:number-columns-repeated="16384" office:value-type="string">'
        b"<text:p>again</text:p></table:table-cell>"
    )
    row = b'<table:table-row table:number-rows-repeated="1048576">' + cell + b"</table:table-row>"
    table = b'<table:table table:name="Sheet">' + row + b"</table:table>"
    content = _XML + _content(b"spreadsheet", table)
    _write_open_document(path, "spreadsheet", content)


def corner_xlsx(path: Path) -> None:
    """A workbook with a word in its first cell and one in its very last, XFD1048576."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    workbook = (
        f'<workbook xmlns="{main}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name="Sheet" sheetId="1" r:id="r1"/></sheets></workbook>'
    )
    relations = (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/worksheet" Target="sheet.xml"/></Relationships>'
    )
    cell = '<row r="{0}"><c r="{1}{0}" t="inlineStr"><is><t>{2}</t></is></c></row>'
    sheet = (
        f'<worksheet xmlns="{main}"><sheetData>{cell.format(1, "A", "first")}'
        f"{cell.format(1048576, 'XFD', 'last')}</sheetData></worksheet>"
    )
    write_zip(
        path,
        *_open_xml("xl/workbook.xml", "spreadsheetml.sheet"),
        Entry("xl/workbook.xml", _XML + workbook.encode()),
        Entry("xl/_rels/workbook.xml.rels", _XML + relations.encode()),
        Entry("xl/sheet.xml", _XML + sheet.encode()),
    )


# ------------------------------------------------------------------ nesting


def nested_json(path: Path) -> None:
    """A million lists within each other."""
    path.write_text("[" * 1_000_000 + "]" * 1_000_000)


def nested_html(path: Path) -> None:
    """Three hundred thousand boxes within each other, and a word."""
    path.write_text("<div>" * 300_000 + "deep" + "</div>" * 300_000)


def nested_rtf(path: Path) -> None:
    """A million groups within each other, and a word."""
    path.write_text(r"{\rtf1\ansi " + "{" * 1_000_000 + "deep" + "}" * 1_000_001)


def nested_eml(path: Path) -> None:
    """A message in a message in a message, five thousand deep."""
    head = "From: a@example.org\nSubject: again\nMIME-Version: 1.0\n"
    path.write_text(f"{head}Content-Type: message/rfc822\n\n" * 5000 + f"{head}\ndeep\n")


def parts_eml(path: Path) -> None:
    """A multipart in a multipart, three thousand deep, each with its own boundary."""
    head = "From: a@example.org\nSubject: parts\nMIME-Version: 1.0\n"
    open_parts = "".join(
        f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3000)
    )
    path.write_text(head + open_parts + "Content-Type: text/plain\n\ndeep\n")


def quotes_md(path: Path) -> None:
    """Two hundred thousand quotes within each other."""
    path.write_text(">" * 200_000 + " deep\n" + "- " * 100_000 + "deep\n")


# ------------------------------------------------------------------ not ordinary files


def sparse(path: Path) -> None:
    """Four gigabytes of nothing, which take no room on disk."""
    path.touch()
    os.truncate(path, 4 * GB)


def sparse_pdf(path: Path) -> None:
    """Four gigabytes that begin like a PDF."""
    path.write_bytes(b"%PDF-1.7\n")
    os.truncate(path, 4 * GB)


def link_out(path: Path) -> None:
    """A link to a file outside the folder."""
    outside = path.parent.parent / "outside.txt"
    outside.write_text("The secret of the house is zanzibar.\n")
    path.symlink_to(outside)


def link_loop(path: Path) -> None:
    """Two links that lead to each other."""
    (path.parent / f"other-{path.name}").symlink_to(path)
    path.symlink_to(path.parent / f"other-{path.name}")


def folder_loop(path: Path) -> None:
    """A link to the folder it lies in."""
    path.symlink_to(path.parent, target_is_directory=True)


def fifo(path: Path) -> None:
    """A pipe that nobody writes to: opening it waits for ever."""
    os.mkfifo(path)


def device(path: Path) -> None:
    """A device that gives zeros for ever; only root may make one."""
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))


# ------------------------------------------------------------------ the list


@dataclass(frozen=True, slots=True)
class Bomb:
    """How one is made and how it may end; ``slow``: reading it may take until the time limit."""

    make: Callable[[Path], None]
    statuses: tuple[str, ...]
    slow: bool = False

    @property
    def what(self) -> str:
        return (self.make.__doc__ or "").strip()


_REFUSED = ("unreadable", "too_large", "timeout")
_ANYHOW = (*_REFUSED, "indexed", "partial", "no_text", "empty")

BOMBS: dict[str, Bomb] = {
    "flate.pdf": Bomb(flate_pdf, (*_REFUSED, "no_text")),
    "nested-filters.pdf": Bomb(nested_pdf, (*_REFUSED, "no_text")),
    "operators.pdf": Bomb(operators_pdf, (*_REFUSED, "indexed", "partial"), slow=True),
    "letters.pdf": Bomb(letters_pdf, (*_REFUSED, "indexed", "partial"), slow=True),
    "deep-tree.pdf": Bomb(deep_tree_pdf, (*_REFUSED, "indexed", "no_text")),
    "loop-tree.pdf": Bomb(loop_tree_pdf, (*_REFUSED, "no_text")),
    "5000-pages.pdf": Bomb(long_pdf, ("indexed",), slow=True),
    "noise.pdf": Bomb(random_pdf, ("unreadable",)),
    "cut.pdf": Bomb(cut_pdf, ("indexed", "partial", "unreadable", "no_text")),
    "zip.docx": Bomb(zip_docx, ("too_large", "unreadable")),
    "lying.docx": Bomb(lying_docx, ("too_large", "unreadable")),
    "laughs.docx": Bomb(laughs_docx, (*_REFUSED, "no_text", "empty")),
    "laughs.odt": Bomb(laughs_odt, (*_REFUSED, "no_text", "empty")),
    "laughs.xhtml": Bomb(laughs_xhtml, _ANYHOW),
    "laughs.epub": Bomb(laughs_epub, _ANYHOW),
    "corner.xlsx": Bomb(corner_xlsx, ("indexed", "partial", "too_large", "unreadable")),
    "repeated.ods": Bomb(repeated_ods, ("indexed", "partial", "too_large", "timeout")),
    "nested.json": Bomb(nested_json, ("unreadable", "too_large", "no_text")),
    "nested.html": Bomb(nested_html, _ANYHOW),
    "nested.rtf": Bomb(nested_rtf, _ANYHOW),
    "nested.eml": Bomb(nested_eml, _ANYHOW),
    "parts.eml": Bomb(parts_eml, _ANYHOW),
    "quotes.md": Bomb(quotes_md, _ANYHOW),
    "sparse.txt": Bomb(sparse, ("too_large",), slow=True),
    "sparse.pdf": Bomb(sparse_pdf, _REFUSED, slow=True),
    "link-out.txt": Bomb(link_out, ("outside_folder",)),
    "loop.txt": Bomb(link_loop, ("vanished",)),
    "folder-loop": Bomb(folder_loop, ("unsupported",)),
    "pipe.txt": Bomb(fifo, ("unsupported",)),
    "device.txt": Bomb(device, ("unsupported",)),
}


def make_bombs(folder: Path, *, slow: bool = True) -> list[str]:
    """Fill ``folder`` and return the names of what could be made there (devices need root)."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, bomb in BOMBS.items():
        if bomb.slow and not slow:
            continue
        try:
            bomb.make(folder / name)
        except (PermissionError, NotImplementedError) as error:
            print(f"{name} cannot be made here: {error}", file=sys.stderr)  # noqa: T201
            continue
        made.append(name)
    return made


if __name__ == "__main__":
    make_bombs(Path(sys.argv[1]))
