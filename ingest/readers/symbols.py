"""The signs of symbol fonts, which files hold as codes that mean nothing in any other font."""

from __future__ import annotations

#: What the font Symbol shows for the codes 32 to 126 and 160 to 254, in its own encoding.
_SYMBOL: dict[int, str] = dict(zip((*range(32, 127), *range(160, 255)), (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾"
    "αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓"
    "◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪\ufffd〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
), strict=True))  # fmt: skip
#: Of the fonts of little pictures only what lists and forms are made of.
SYMBOL_FONTS: dict[str, dict[int, str]] = {
    "symbol": _SYMBOL,
    "wingdings": {
        0x20: " ", 0x28: "☎", 0x2A: "✉", 0x46: "☞", 0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6D: "❍",
        0x6E: "■", 0x6F: "□", 0x71: "❑", 0x72: "❒", 0x75: "◆", 0x76: "❖", 0x77: "◆", 0x9F: "•",
        0xA1: "○", 0xA7: "▪", 0xA8: "◻", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓",
        0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
    },
    "wingdings 2": {
        0x20: " ", 0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "◻",
    },
}  # fmt: skip


def symbol(font: str, code: int) -> str:
    """What a code shows in a font that may be one of symbols; «\ufffd» where that is not known,
    because a sign that nobody can name is still there."""
    if code < 0x20:
        return " "
    known = SYMBOL_FONTS.get(font.lower())
    if 0xF020 <= code <= 0xF0FF:  # where such fonts keep their signs in Unicode
        return (known or {}).get(code - 0xF000, "\ufffd")
    if known is not None and code < 0x100:
        return known.get(code, "\ufffd")
    letter = not 0xD800 <= code <= 0xF8FF and code <= 0x10FFFF
    return chr(code) if letter else "\ufffd"
