"""Spreadsheets (.xlsx .xlsm .xlsb .xls .ods): rows in groups, each with its sheet's header row.

calamine reads Excel's files. It keeps a sheet as a full rectangle, so that one value in the last
row and column would take 500 GB: the rectangle is measured first. Not so in .xls, where it is at
most 16 million cells, and one as sparse as that ends the process that reads it.
OpenDocument sheets are read by `opendocument`: those files hold every value as a person sees it.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ingest.readers import LARGEST_TEXT, Options, Unreadable, cause, clean
from ingest.readers.opendocument import Sheet, open_sheets
from ingest.readers.outline import SEPARATOR
from ingest.readers.package import open_package, reference, relations, xml
from ingest.readers.slides import drawn_text
from ingest.readers.table import groups, number, rows_named
from rag.records import Ending, Opening, Section

#: Cells of one sheet's rectangle; calamine takes 32 bytes for each: 15 million took 480 MB of
#: the child's 1 GiB [measured].
_MOST_CELLS = 10_000_000
#: XML of a workbook: 2 million numbers are 72 MB of it and take 150 MB to read [measured].
_LARGEST_PACKAGE = 4 * LARGEST_TEXT
_BLOCK = 2**20

_OLE = b"\xd0\xcf\x11\xe0"  # what .xls is wrapped in
_DRAWN = ("xl/media/", "xl/drawings/", "xl/embeddings/")
_ANCIENT = (b"\x09\x00", b"\x09\x02", b"\x09\x04")
_SHAPE = b"\x0f\x00\x04\xf0"  # how a picture, box or chart begins in .xls; it is not read there
_SHEET = re.compile(r"xl/worksheets/[^/]+\.(xml|bin)", re.IGNORECASE)
#: Records of .xlsb that hold a value: BrtCellRk to BrtFmlaError.
_FILLED = range(2, 12)
#: A cell that is not empty; attributes are short, and the bound keeps odd input from costing time.
_CELL = re.compile(
    rb"<(?:\w{1,9}:)?c(?:\s[^<>]{0,100}?)?\sr=[\"']([A-Z]{1,3})([0-9]{1,7})[\"'][^<>]{0,100}(?<!/)>"
)


def stream(path: Path, *, title: str, options: Options) -> Iterator[Opening | Section | Ending]:
    """A section for each group of rows, headed «Sheet › rows 2–40», then what is drawn and noted
    on the sheet. Formulas give the value the file keeps; calamine does not tell number formats,
    hidden rows and error values.

    Hidden sheets are counted and kept out: whoever opens the file does not see them. A sheet that
    cannot be read is lost by its number.
    Raises Unreadable: ``password``, ``too_large``, ``empty``, ``no_text``, ``unreadable``.
    """
    yield Opening(title, "spreadsheet")
    sheets = open_sheets(path) if path.suffix.lower() == ".ods" else _excel_sheets(path)
    lost: dict[int, _Lost] = {}
    unseen, given, drawn = 0, 0, False
    for position, sheet in enumerate(sheets, 1):
        try:
            for section in _sections(sheet):
                if sheet.hidden and not options.hidden_text:
                    unseen += len(section.text.split())
                    continue
                given += len(section.text)
                if given > LARGEST_TEXT:
                    raise Unreadable("too_large", f"more than {LARGEST_TEXT:,} characters of text")
                yield section
        except _Lost as failure:
            lost[position] = failure
        drawn = drawn or sheet.pictures
    if not given:
        raise _nothing(lost, unseen, drawn)
    whys = dict.fromkeys(str(failure) for failure in lost.values())
    detail = f"{len(lost)} of {len(sheets)} sheets cannot be read: {'; '.join(whys)}"
    detail = detail if lost else ""
    yield Ending(tuple(lost), detail, unseen)


def _sections(sheet: Sheet) -> Iterator[Section]:
    for group in groups(sheet.rows):
        yield Section(group.text, heading=f"{sheet.name}{SEPARATOR}{rows_named(group)}")
    if sheet.beside:
        yield Section(sheet.beside + "\n", heading=sheet.name)


def _nothing(lost: dict[int, _Lost], unseen: int, drawn: bool) -> Unreadable:
    """Why a workbook gave no text."""
    for failure in lost.values():
        if failure.too_large:
            return Unreadable("too_large", str(failure), tuple(lost))
    if lost:
        return Unreadable("unreadable", "damaged: no sheet can be read", tuple(lost))
    if unseen:
        return Unreadable("no_text", f"only hidden sheets hold text, {unseen} words")
    if drawn:
        return Unreadable("no_text", "pictures or embedded files, but no text")
    return Unreadable("empty", "no sheet holds a value")


# ------------------------------------------------------------------ calamine


class _Lost(Exception):
    """One sheet cannot be read; ``str()`` says why."""

    def __init__(self, why: str, too_large: bool = False) -> None:
        super().__init__(why)
        self.too_large = too_large


def _excel_sheets(path: Path) -> list[Sheet]:
    from python_calamine import CalamineWorkbook, PasswordError

    beside: dict[str, str] = {}
    vast: dict[str, str] = {}
    drawn = False
    with path.open("rb") as file:
        data = file.read(LARGEST_TEXT)
    if data.startswith(_OLE):
        drawn = _SHAPE in data
    elif data.startswith(_ANCIENT):
        raise Unreadable("unreadable", "written by Excel 4 or older; save it again as .xlsx")
    else:
        with open_package(
            path, "an Excel file", holds="[Content_Types].xml", limit=_LARGEST_PACKAGE
        ) as package:
            vast = _vast(package)
            drawn = any(name.startswith(_DRAWN) for name in package.namelist())
            beside = _beside(package)
    try:
        book = CalamineWorkbook.from_path(str(path))
    except PasswordError:
        raise Unreadable("password", "opens only with a password") from None
    except BaseException as error:  # its panics are no Exception
        raise Unreadable("unreadable", f"no Excel file, or damaged: {_own(error)}") from error
    hidden = {m.name for m in book.sheets_metadata if not str(m.visible).endswith(".Visible")}
    return [
        Sheet(
            clean(name),
            _rows(book, name, vast.get(name, "")),
            name in hidden,
            beside.get(name, ""),
            drawn,
        )
        for name in book.sheet_names
    ]


def _own(error: BaseException) -> str:
    """What calamine says of a file it cannot read; anything that is not its own goes on."""
    if isinstance(error, Exception) or type(error).__name__ == "PanicException":
        return cause(error)
    raise error


def _rows(book: Any, name: str, vast: str) -> Iterator[list[str]]:
    """The rows of a sheet from the first, loaded when the first is asked for.

    Raises _Lost for a damaged sheet and for one that is too ``vast`` to load, which says how.
    """
    if vast:
        raise _Lost(vast, too_large=True)
    try:
        for row in book.get_sheet_by_name(name).iter_rows():
            yield [_shown(value) for value in row]
    except BaseException as error:
        _own(error)
        raise _Lost("damaged") from error


def _shown(value: Any) -> str:
    """A value as the sheet shows it, dates as ISO 8601 writes them."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dt.datetime):
        moment = _rounded(value)
        day = moment.time() == dt.time()
        return moment.date().isoformat() if day else moment.isoformat(" ", "seconds")
    if isinstance(value, dt.time):
        return _rounded(dt.datetime.combine(dt.date(1900, 1, 1), value)).strftime("%H:%M:%S")
    if isinstance(value, dt.timedelta):
        seconds = round(abs(value).total_seconds())
        minus = "-" if seconds and value < dt.timedelta() else ""
        return f"{minus}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(value)


def _rounded(moment: dt.datetime) -> dt.datetime:
    """To whole seconds: a time is a part of a day, and 9:30 may be kept as 9:29:59.9999."""
    try:
        return (moment + dt.timedelta(microseconds=500_000)).replace(microsecond=0)
    except OverflowError:  # the last moment of the year 9999
        return moment.replace(microsecond=0)


# ------------------------------------------------------------------ before calamine


def _vast(package: zipfile.ZipFile) -> dict[str, str]:
    """Sheet → its extent, for each whose rectangle calamine could not hold.

    Raises Unreadable ``too_large`` where the sheet cannot be told: .xlsb names them in a binary
    entry.
    """
    found = {}
    names = {entry.lower(): name for name, entry in _sheet_names(package).items()}
    for entry in package.infolist():
        kind = _SHEET.fullmatch(entry.filename)
        if not kind:
            continue
        if entry.file_size > _LARGEST_PACKAGE:
            raise Unreadable("too_large", f"a sheet of {entry.file_size:,} bytes")
        with package.open(entry) as stream:
            rows, columns = (_xml_extent if kind[1] == "xml" else _binary_extent)(stream)
        if rows * columns <= _MOST_CELLS:
            continue
        limit = f"the limit is {_MOST_CELLS:,} cells"
        extent = f"a sheet of {rows:,} × {columns:,} cells, {limit}"
        if entry.filename.lower() not in names:
            raise Unreadable("too_large", extent)
        found[names[entry.filename.lower()]] = extent
    return found


def _sheet_names(package: zipfile.ZipFile) -> dict[str, str]:
    """Sheet → the entry that holds its cells; none for .xlsb."""
    kinds = dict(relations(package, "").values())
    main = kinds.get("officeDocument", "")
    if not main.endswith(".xml"):
        return {}
    targets = relations(package, main)
    return {
        sheet.get("name", ""): targets.get(reference(sheet), ("", ""))[1]
        for sheet in xml(package, main).iterfind("{*}sheets/{*}sheet")
    }


def _xml_extent(stream: IO[bytes]) -> tuple[int, int]:
    """The last row and column of a sheet that hold something."""
    rows, columns, rest = 0, {b""}, b""
    while block := stream.read(_BLOCK):
        whole, mark, rest = (rest + block).rpartition(b"<")
        rest = mark + rest
        for column, row in _CELL.findall(whole):
            rows = max(rows, int(row))
            columns.add(column)
    return rows, max(map(_column, columns))


def _column(letters: bytes) -> int:
    """«A» is 1, «XFD» 16,384."""
    total = 0
    for letter in letters:
        total = total * 26 + letter - 64
    return total


def _binary_extent(stream: IO[bytes]) -> tuple[int, int]:
    """The same for .xlsb, whose records are kind, length (both in sevens of bits) and content."""
    data = stream.read()
    at = row = rows = columns = 0
    while at + 2 <= len(data):
        kind, at = _sevens(data, at, 2)
        length, at = _sevens(data, at, 4)
        place = int.from_bytes(data[at : at + 4], "little")
        if kind == 0:  # BrtRowHdr
            row = place + 1
        elif kind in _FILLED:
            rows, columns = max(rows, row), max(columns, place + 1)
        at += length
    return rows, columns


def _sevens(data: bytes, at: int, most: int) -> tuple[int, int]:
    """A number of at most ``most`` bytes, lowest first, and where it ends."""
    value = 0
    for position, byte in enumerate(data[at : at + most]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:
            return value, at + position + 1
    return value, at + most


# ------------------------------------------------------------------ beside the cells


def _beside(package: zipfile.ZipFile) -> dict[str, str]:
    """Sheet → what its boxes, charts and notes say."""
    return {name: _drawn(package, entry) for name, entry in _sheet_names(package).items()}


def _drawn(package: zipfile.ZipFile, sheet: str) -> str:
    texts = []
    for kind, name in relations(package, sheet).values() if sheet else ():
        if kind not in ("drawing", "comments"):
            continue
        try:
            root, targets = xml(package, name), relations(package, name)
        except Unreadable:
            continue  # the cells can be read, and calamine says so if not
        if kind == "drawing":
            texts += [drawn_text(item, package, targets) for item in root]
        else:
            texts += ["Note: " + _note(comment) for comment in root.iter("{*}comment")]
    return "\n\n".join(filter(None, texts))


def _note(comment: Any) -> str:
    return " ".join(clean("".join(t.text or "" for t in comment.iter("{*}t"))).split())
