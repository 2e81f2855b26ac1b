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


def outline_level(number: int | None) -> int:
    """The heading level of an outline level; 9 means body text."""
    return number + 1 if number is not None and 0 <= number < 9 else 0
