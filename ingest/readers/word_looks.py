"""What a run of a Word file looks like: hidden, raised, in a font of symbols."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ingest.readers.raised import LOWERED, RAISED
from ingest.readers.symbols import SYMBOL_FONTS, symbol
from ingest.readers.word_file import AROUND, COMPATIBLE, MATH_TEXT, W

_SYMBOLS = re.compile("[\uf020-\uf0ff]")
_SCRIPTS = {"superscript": RAISED, "subscript": LOWERED}


class Look(NamedTuple):
    """How a run of text is shown; None where that is left to something farther out."""

    hidden: bool | None = None
    script: str | None = None

    def over(self, outer: Look) -> Look:
        hidden = outer.hidden if self.hidden is None else self.hidden
        return Look(hidden, outer.script if self.script is None else self.script)


def _look(element: Any) -> Look:
    """What a run or a style itself says."""
    vanish = element.find(f"{W}rPr/{W}vanish")
    align = element.find(f"{W}rPr/{W}vertAlign")
    return Look(
        None if vanish is None else vanish.get(f"{W}val", "1") not in ("0", "false", "off"),
        None if align is None else align.get(f"{W}val", ""),
    )


def looks_of(styles: Any) -> dict[str, Look]:
    """Style id → how it shows text, with what it inherits."""
    looks = {}
    for style in styles:
        step, seen, look = style, set(), Look()
        while step is not None and step.style_id not in seen:
            seen.add(step.style_id)
            look = look.over(_look(step.element))
            step = getattr(step, "base_style", None)
        looks[style.style_id] = look
    return looks


def prepare(root: Any, looks: dict[str, Look]) -> int:
    """Leave in the tree what is seen, with the marks of raised and lowered text in its runs, and
    count the words of the rest: hidden runs, and all but one form of what is there twice."""
    for element in list(root.iter(f"{COMPATIBLE}AlternateContent")):
        forms = [f for f in element if f.tag in AROUND]
        shown = [f for f in forms if next(f.iter(f"{W}t", f"{W}sym", MATH_TEXT), None) is not None]
        for form in forms:
            if form is not (shown or forms)[0]:
                element.remove(form)
    hidden, gone = 0, set()
    for run in list(root.iter(f"{W}r")):
        if run in gone:  # in a box that is anchored in a hidden run
            continue
        look = _run_look(run, looks)
        texts = list(run.iter(f"{W}t"))
        if look.hidden:
            hidden += len("".join(text.text or "" for text in texts).split())
            gone.update(run.iter(f"{W}r"))
            run.getparent().remove(run)
            continue
        start, end = _SCRIPTS.get(look.script or "", ("", ""))
        fonts = run.find(f"{W}rPr/{W}rFonts")
        font = "Symbol" if fonts is None else fonts.get(f"{W}ascii", "Symbol")
        for text in run.iterchildren(f"{W}t"):
            text.text = start + _letters(text.text or "", font) + end
    return hidden


def _letters(text: str, font: str) -> str:
    """Text in which the codes of a symbol font are what they show."""
    if font.lower() not in SYMBOL_FONTS:
        return text
    return _SYMBOLS.sub(lambda found: symbol(font, ord(found[0])), text)


def _run_look(run: Any, looks: dict[str, Look]) -> Look:
    """A run's own look over that of its style over that of its paragraph's style."""
    named = run.find(f"{W}rPr/{W}rStyle")
    own = looks.get("" if named is None else named.get(f"{W}val", ""), Look())
    paragraph = next(run.iterancestors(f"{W}p"), None)
    outer = Look() if paragraph is None else looks.get(style_of(paragraph), Look())
    return _look(run).over(own).over(outer)


def style_of(paragraph: Any) -> str:
    """The id of a paragraph's style; "" where it names none."""
    found = paragraph.find(f"{W}pPr/{W}pStyle")
    return str(found.get(f"{W}val", "")) if found is not None else ""
