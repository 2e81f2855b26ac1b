"""How the bytes of an RTF file become text: by their font, or the code page of the file."""

from __future__ import annotations

import codecs

from ingest.readers.symbols import SYMBOL_FONTS, symbol

#: Font character sets, as Windows numbers them, where the code page is not that of the file.
_CHARSETS = {
    0: "cp1252", 2: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab",
    134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437",
    255: "cp850",
}  # fmt: skip
_CODE_PAGES = {936: "gb18030", 10000: "mac_roman", 65001: "utf-8", 1361: "johab"}


def _encoding(code_page: int) -> str:
    """Python's name for a code page of Windows; cp1252 for one that is not known."""
    try:
        return codecs.lookup(_CODE_PAGES.get(code_page, f"cp{code_page}")).name
    except LookupError:
        return "cp1252"


class Fonts:
    """The fonts that a file has defined so far, by their numbers."""

    def __init__(self) -> None:
        self.default = -1
        self._file = "cp1252"  # where a font says nothing
        self._encodings: dict[int, str] = {}
        self._symbols: dict[int, str] = {}  # font of symbols → its name

    def file_encoding(self, name: str) -> None:
        """What the file says of itself; in force from here on."""
        self._file = name

    def file_code_page(self, number: int) -> None:
        self._file = _encoding(number)

    def charset(self, font: int, number: int | None) -> None:
        if number in _CHARSETS:
            self._encodings[font] = _CHARSETS[number]

    def code_page(self, font: int, number: int) -> None:
        self._encodings[font] = _encoding(number)

    def name(self, font: int, name: str) -> None:
        if name in SYMBOL_FONTS:
            self._symbols[font] = name

    def decoded(self, data: bytes, font: int) -> str:
        """Bytes as text; what cannot be decoded as «\ufffd»."""
        if name := self._symbols.get(font):
            return "".join(symbol(name, code) for code in data)
        return data.decode(self._encodings.get(font, self._file), "replace")

    def letter(self, code: int, font: int) -> str:
        """A letter given by its number in Unicode, which may be half of one."""
        name = self._symbols.get(font)
        return symbol(name, code) if name and code >> 8 == 0xF0 else chr(code)
