"""The words of RTF that matter to a reader of text."""

from __future__ import annotations

#: What is not shown in the text itself, or shown a second time for old programs.
LEFT_OUT = frozenset(b"""
    annotation atnauthor atnid colortbl datafield dptxbxtext falt filetbl fldinst footer footerf
    footerl footerr ftncn ftnsep ftnsepc aftncn aftnsep aftnsepc generator header headerf headerl
    headerr info list listoverride listoverridetable listtable mmathpr nonshppict objalias
    objclass objdata objname objsect panose pict private revtbl rsidtbl rxe shprslt sn sp
    stylesheet fonttbl sv tc template
    themedata txe xe xmlnstbl nonesttables
""".split())  # fmt: skip
#: Marked as «skip me if you do not know me», and known here.
KNOWN = frozenset({b"shpinst", b"ud", b"nesttableprops", b"fonttbl", b"stylesheet"})
SIGNS = {
    b"tab": "\t", b"line": "\n", b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’",
    b"ldblquote": "“", b"rdblquote": "”", b"bullet": "•", b"emspace": " ", b"enspace": " ",
    b"qmspace": " ", b"~": "\u00a0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\",
}  # fmt: skip
PARAGRAPH_ENDS = frozenset({b"par", b"sect", b"page", b"column", b"\n", b"\r"})
#: Font character sets, as Windows numbers them, where the code page is not that of the file.
CHARSETS = {
    0: "cp1252", 2: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab",
    134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437",
    255: "cp850",
}  # fmt: skip
CODE_PAGES = {936: "gb18030", 10000: "mac_roman", 65001: "utf-8", 1361: "johab"}
