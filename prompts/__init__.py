"""Prompt templates as files: load, check, fence what is untrusted, fill, fingerprint.

A template has two headed parts. «# rules» is sent as it stands, byte for byte the same with every
question, so that a model server's prefix cache holds it. «# material» is filled with the fenced
passages and the question; in the judge's template, with the claim to be judged. The template of a
revision has one part, «# request»: it follows the filled material of the first answer, which the
server has read already.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

#: The one phrase for «the documents do not say», shared by prompt, code and tests.
REFUSAL = "not supported in source"

#: What counts as a citation marker in an answer, and so may stand in no document text: [1], [2, 3],
#: [1-3], 【1】, [passage 1]. Group 1 holds the numbers.
MARKER = re.compile(
    r"[\[【]\s*(?:passages?|sources?)?\s*(\d{1,18}(?:\s*[,;–-]\s*\d{1,18})*)\s*[\]】]",
    re.IGNORECASE,
)

_FOLDER = Path(__file__).parent
_PARTS = re.compile(
    r"\A\s*# rules\n(?P<rules>.*)^# material\n(?P<material>.*)\Z", re.DOTALL | re.MULTILINE
)


class TemplateError(ValueError):
    """A template that cannot be used; the message names the file and what it lacks."""


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template: ``rules`` is sent as it is, ``material`` has both fields.

    ``asks`` names the field beside the passages: «question», or «claim» for the judge. ``request``
    asks for a revision, behind the material, and ``sentences`` are the fenced ones it is about.
    """

    name: str
    rules: str
    material: str
    asks: Literal["question", "claim"] = "question"
    request: str = ""
    sentences: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Names the exact text that was used, in records and history."""
        parts = [self.rules, self.material, *filter(None, [self.request])]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def fill(self, asked: str, passages: Iterable[str]) -> str:
        """The material with fenced passages and the question or claim, which opens no fence."""
        fields = {
            "passages": "\n".join(passages),
            self.asks: _one_line(asked),
        }
        filled = re.sub(
            rf"\{{(passages|{self.asks})\}}", lambda m: fields[m.group(1)], self.material
        )
        return filled + self.request.replace("{sentences}", "\n".join(self.sentences))


def load(name: str = "answer") -> Template:
    """A template shipped here by its name, or any file by its path. Raises TemplateError."""
    given = name.endswith(".md") or "/" in name or Path(name).is_file()
    path = Path(name) if given else _FOLDER / f"{name}.md"
    template = _read(path, "question")
    if REFUSAL not in template.rules:
        raise TemplateError(f"prompt template {path}: its rules do not teach «{REFUSAL}»")
    return template


def load_judge() -> Template:
    """The template by which a chat model judges a claim; only the one shipped here."""
    return _read(_FOLDER / "judge.md", "claim")


def for_revision(template: Template, sentences: Iterable[str]) -> Template:
    """The template of an answer, asking for its revision: the same rules and passages, and behind
    them what became of each sentence (`fence_sentence`)."""
    _, _, request = (_FOLDER / "repair.md").read_text(encoding="utf-8").partition("# request\n")
    return replace(
        template, name=f"{template.name}+repair", request=request, sentences=tuple(sentences)
    )


def _read(path: Path, asks: Literal["question", "claim"]) -> Template:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(_missing(path)) from error
    parts = _PARTS.match(text.replace("\r\n", "\n"))
    if not parts:
        raise TemplateError(f"prompt template {path} lacks its «# rules» or «# material» part")
    fields = ("{passages}", f"{{{asks}}}")
    missing = [field for field in fields if field not in parts["material"]]
    if missing:
        raise TemplateError(f"prompt template {path} lacks {' and '.join(missing)} in its material")
    rules, material = parts["rules"].strip() + "\n", parts["material"].strip() + "\n"
    return Template(path.stem, rules, material, asks)


def _missing(path: Path) -> str:
    if path.parent == _FOLDER:  # where a bare name is looked for, which nobody has typed
        return f"«{path.stem}» is no file here, and no prompt template of that name ships"
    return f"prompt template {path} cannot be read"


def fence(number: int, text: str, *, file: str, page: int | None = None) -> str:
    """One passage between marks that its own text cannot forge or close."""
    place = f' page="{page}"' if page is not None else ""
    name = re.sub(r'[<>"\x00-\x1f]', "_", file)
    return f'<passage n="{number}" file="{name}"{place}>\n{inert(text)}\n</passage>'


def fence_sentence(
    number: int, text: str, *, citations: Iterable[int], check: str, reasons: Iterable[str] = ()
) -> str:
    """One sentence of an answer, what its check came to and why, between marks that neither the
    sentence nor a source quoted in a reason can forge or close."""
    marks = "".join(f"[{n}]" for n in citations)
    lines = [f"{_one_line(text)} {marks}".rstrip(), *(f"reason: {_one_line(r)}" for r in reasons)]
    inside = "\n".join(lines)
    return f'<sentence n="{number}" check="{check}">\n{inside}\n</sentence>'


def _one_line(text: str) -> str:
    return inert(" ".join(text.split()))


def inert(text: str) -> str:
    """Untrusted text that can open no fence, close none, and forge no citation marker.

    Odd white space (no-break, thin, ideographic) becomes plain: it says nothing and costs tokens.
    Invisible characters go: a fence may not be hidden behind one.
    """
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = re.sub(r"[^\S\n]", " ", text)
    text = re.sub(r"<(?=\s*/?\s*(?:passage|sentence))", "‹", text, flags=re.IGNORECASE)
    return MARKER.sub(r"(\1)", text)
