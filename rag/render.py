"""The single exit for text to a terminal, a notebook or a page: everything untrusted is made inert.

Document text, file names, model output and server replies may hold escape codes, HTML or Markdown.
Terminal: control and direction-changing characters become visible. HTML: escaped, no links, no
images, nothing active. Markdown of a model is shown as the characters it is.
"""

from __future__ import annotations

import html
import json
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from rag.quotes import same
from rag.records import Answer, Coverage, Passage, Sentence

#: Shown beside each sentence; different in shape, not only in colour.
MARKS = {
    "supported": "✓",
    "no_mismatch": "○",
    "contradicted": "✗",
    "not_supported": "✗",
    "unverified": "?",
    None: " ",
}
WORDS = {
    "supported": "supported",
    "no_mismatch": "no mismatch found",
    "contradicted": "contradicted",
    "not_supported": "not supported in source",
    "unverified": "not checked",
    None: "",
}


def plain(text: object) -> str:
    """Text that can do nothing to a terminal: no control characters but newline and tab, no
    escape codes, no characters that change the reading direction, no lone surrogates."""
    return "".join(
        c if c in "\n\t" or not _active(c) else ("�" if unicodedata.category(c) == "Cs" else "")
        for c in str(text)
    )


def json_text(document: Mapping[str, Any]) -> str:
    """JSON that can do nothing to a terminal either: what `plain` leaves out is written as
    escapes, so that the strings read back the same."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(json.dumps(c)[1:-1] if c != "\n" and _active(c) else c for c in text)


def _active(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def one_line(text: object) -> str:
    """`plain`, on one line: errors and file names cannot forge a second one."""
    return " ".join(plain(text).split())


def place(passage: Passage) -> str:
    """«report.pdf, page 3–4» or «notes.md › Terms»."""
    if passage.page is not None:
        last = passage.page_end
        pages = f"{passage.page}–{last}" if last and last != passage.page else f"{passage.page}"
        return one_line(f"{passage.file}, page {pages}")
    return one_line(f"{passage.file} › {passage.heading}" if passage.heading else passage.file)


def source_lines(passages: Iterable[Passage]) -> list[str]:
    """One line a source, before the answer."""
    return [f"  [{p.rank}] {place(p)}" for p in passages]


def passage_lines(passages: Iterable[Passage]) -> list[str]:
    """Search results: where, then the text, indented."""
    lines = []
    for p in passages:
        lines.append(f"[{p.rank}] {place(p)}  (score {p.score:.3f})")
        wrapped = textwrap.wrap(one_line(p.text), width() - 4, max_lines=6, placeholder=" …")
        lines += [f"    {line}" for line in wrapped] + [""]
    return lines


def evidence_lines(sentences: Iterable[Sentence], *, whole: bool = False) -> list[str]:
    """Under an answer: each sentence's mark and the quotes it rests on.

    Quotes longer than two lines are shortened unless ``whole``.
    """
    lines = []
    for sentence in sentences:
        if sentence.verdict is None:
            continue
        start = textwrap.shorten(one_line(sentence.text), width() - 24, placeholder=" …")
        lines.append(f"  {MARKS[sentence.verdict]} {start}  ({WORDS[sentence.verdict]})")
        for e in sentence.evidence:
            where = f", page {e.page}" if e.page is not None else ""
            if same(sentence.text.strip("“”"), e.quote):
                lines.append(f"      [{e.passage}] word for word in {one_line(e.file)}{where}")
                continue
            text = f"[{e.passage}] “{one_line(e.quote)}” — {one_line(e.file)}{where}"
            if not whole:
                text = _shortened(text, f"” — {one_line(e.file)}{where}")
            lines += textwrap.wrap(
                text, width() - 6, initial_indent="      ", subsequent_indent="          "
            )
        if sentence.verdict != "supported":
            lines += [f"      ! {one_line(r)}" for r in sentence.reasons]
    return lines


def _shortened(text: str, tail: str) -> str:
    room = 2 * (width() - 10)
    return text if len(text) <= room else f"{text[: room - len(tail) - 2].rstrip()} …{tail}"


def author_line(answer: Answer) -> str:
    """Who wrote the answer: «Written by qwen3:4b-instruct (ollama).»"""
    kind, model = answer.generator["kind"], one_line(answer.generator["model"] or "")
    if kind == "none":
        return "No model was asked."
    return f"Written by {model} ({kind})." if model else "Quoted from the sources, no model."


def coverage_line(coverage: Coverage) -> str:
    """«Searched 412 of 420 files; 8 unreadable (rag status --failed).»"""
    line = f"Searched {coverage.searched:,} of {coverage.files:,} files"
    missing = []
    if coverage.unreadable:
        missing.append(f"{coverage.unreadable:,} unreadable")
    if coverage.partial:
        missing.append(f"{coverage.partial:,} read in part")
    return f"{line}; {', '.join(missing)} (rag status --failed)." if missing else f"{line}."


def width() -> int:
    """Columns to write in: the terminal's, at most 100, for reading."""
    return max(40, min(100, shutil.get_terminal_size((88, 24)).columns))


class LiveText:
    """Streams text to a terminal, wrapped by itself, so that it can be struck out afterwards."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._text = ""
        self._shown: list[str] = []

    @property
    def text(self) -> str:
        return self._text

    def write(self, piece: str) -> None:
        """Add a piece; only what changed since the last piece is written."""
        self._text += plain(piece)
        lines = _wrapped(self._text)
        same = 0
        while same < min(len(lines), len(self._shown)) - 1 and lines[same] == self._shown[same]:
            same += 1
        if self._shown:
            up = len(self._shown) - 1 - same
            self._stream.write(f"\x1b[{up}A\r\x1b[J" if up else "\r\x1b[J")
        self._stream.write("\n".join(lines[same:]))
        self._stream.flush()
        self._shown = lines

    def end(self) -> None:
        """Leave the text as it is and go to a new line."""
        if self._shown:
            self._stream.write("\n")
            self._stream.flush()

    def strike(self) -> None:
        """Show that what stands here is void: the same lines, crossed out."""
        if not self._shown:
            return
        up = min(len(self._shown) - 1, shutil.get_terminal_size((88, 24)).lines - 2)
        crossed = [f"\x1b[9;2m{line}\x1b[0m" for line in self._shown[-up - 1 :]]
        self._stream.write(f"\x1b[{up}A\r\x1b[J" if up else "\r\x1b[J")
        self._stream.write("\n".join(crossed) + "\n")
        self._stream.flush()


def _wrapped(text: str) -> list[str]:
    lines = []
    for paragraph in text.split("\n"):
        lines += textwrap.wrap(
            paragraph, width() - 2, initial_indent="  ", subsequent_indent="  "
        ) or [""]
    return lines


# ------------------------------------------------------------------ notebook


_STYLE = (
    "font-family:system-ui,sans-serif;max-width:46em;line-height:1.5;"
    "border:1px solid #8884;border-radius:6px;padding:.8em 1em"
)


def answer_html(answer: Answer) -> str:
    """An answer as inert HTML: sentences with marks, the quote on hover, sources below."""
    sentences = "".join(_sentence_html(s) for s in answer.sentences)
    if not answer.sentences:
        sentences = f"<p>{_safe(answer.answer)}</p>"
    reason = f"<p>{_safe(answer.refusal_reason)}</p>" if answer.refusal_reason else ""
    sources = "".join(f"<li value='{p.rank}'>{_safe(place(p))}</li>" for p in answer.passages)
    return (
        f"<div style='{_STYLE}'><p><b>{_safe(answer.question)}</b></p>{sentences}{reason}"
        f"<ol style='font-size:85%'>{sources}</ol>"
        f"<p style='font-size:85%'>{_safe(coverage_line(answer.coverage))}</p></div>"
    )


def _sentence_html(sentence: Sentence) -> str:
    quotes = "\n".join(
        f"“{e.quote}” — {e.file}" + (f", page {e.page}" if e.page is not None else "")
        for e in sentence.evidence
    )
    title = _safe("\n".join(filter(None, [WORDS[sentence.verdict], quotes, *sentence.reasons])))
    numbers = "".join(f"<sup>[{n}]</sup>" for n in sentence.citations)
    mark = MARKS[sentence.verdict]
    return f"<p title='{title}'>{mark} {_safe(sentence.text)}{numbers}</p>"


def _safe(text: object) -> str:
    return html.escape(plain(text), quote=True)
