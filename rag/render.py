"""The single exit for text to a terminal, a notebook or a page: everything untrusted is made inert.

Document text, file names, model output and server replies may hold escape codes, HTML or Markdown.
Terminal: control and direction-changing characters become visible. HTML: escaped, no links, no
images, nothing active (`rag.notebook`). Markdown of a model is shown as the characters it is.
"""

from __future__ import annotations

import json
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rag.quotes import same
from rag.records import Answer, Coverage, Passage, Sentence

if TYPE_CHECKING:
    from rag.recheck import SentenceNow

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
    "unverified": "unverified",
    None: "",
}


#: Fewest columns to write in, and fewest that a sentence needs beside its mark and word to stand on
#: one line with them. Set by hand.
_NARROWEST = 24
_LEAST_CLAIM = 32

#: Below so many columns a file name would fill the line. Set by hand.
_NARROW = 60


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
        lines += claim_lines(MARKS[sentence.verdict], sentence.text, WORDS[sentence.verdict])
        for e in sentence.evidence:
            if same(sentence.text.strip("“”"), e.quote):
                where = _where(e.file, e.page)
                lines += _indented(
                    f"[{e.passage}] word for word" + (f" in {where}" if where else "")
                )
            else:
                lines += quote_lines(e.quote, e.file, e.page, f"[{e.passage}] ", whole=whole)
        lines += reason_lines(shown_reasons(sentence))
    return lines


def claim_lines(mark: str, text: str, word: str) -> list[str]:
    """«✓ The fence was struck …  (supported)», on one line where there is room for that."""
    room = width() - len(word) - 8
    if room < _LEAST_CLAIM:
        start = textwrap.shorten(one_line(text), 2 * (width() - 6), placeholder=" …")
        return [*_indented(f"{mark} {start}", "  ", "    "), f"    ({word})"]
    start = textwrap.shorten(one_line(text), room, placeholder=" …")
    return [f"  {mark} {start}  ({word})"]


def quote_lines(
    quote: str, file: str, page: int | None, label: str = "", *, whole: bool = False
) -> list[str]:
    """«[1] “…” — report.pdf, page 3»; a quote longer than two lines is shortened unless whole."""
    words, where = one_line(quote), _where(file, page)
    if not whole:
        room = 2 * (width() - 8) - len(label) - len(where) - 5
        words = textwrap.shorten(words, max(room, _LEAST_CLAIM), placeholder=" …")
    return _indented(f"{label}“{words}” — {where}" if where else f"{label}“{words}”")


#: What has become of a saved quote, and of the file it stood in.
_STANDINGS = {
    "same": "quote unchanged in {was}",
    "moved": "quote moved: {was} → {now}",
    "renamed": "file gone, quote now in {now} (was {was})",
    "elsewhere": "file changed, quote now in {now} (was {was})",
    "changed": "quote gone: {was} has changed",
    "missing": "quote gone, and so is its file: {was}",
}


def rechecked_lines(sentence: SentenceNow, *, whole: bool = False) -> list[str]:
    """A saved sentence: its mark now, whether it holds, what became of its quotes."""
    was, now = WORDS[sentence.saved.verdict] or "unchecked", WORDS[sentence.now.verdict]
    if sentence.holds is None:
        return []
    word = f"{now}, as saved" if was == now else f"{now}; was {was}"
    holds = "holds" if sentence.holds else "does not hold"
    lines = claim_lines(MARKS[sentence.now.verdict], sentence.saved.text, f"{holds}: {word}")
    for q in sentence.quotes:
        place = {
            "was": full_place(q.saved.file, q.saved.page),
            "now": full_place(q.file or "", q.page),
        }
        lines += _indented(_STANDINGS[q.standing].format_map(place))
    if not sentence.holds or whole:
        for e in sentence.now.evidence:
            lines += quote_lines(e.quote, e.file, e.page, "now: ", whole=whole)
    return lines + reason_lines(shown_reasons(sentence.now))


def full_place(file: str, page: int | None) -> str:
    """«report.pdf, page 3»"""
    return one_line(file) + (f", page {page}" if page is not None else "")


def split_reasons(
    verdict: str | None, reasons: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(why a claim is supported, what else a person should know): of a supported one the first
    reason is no objection."""
    first = 1 if verdict == "supported" else 0
    return reasons[:first], reasons[first:]


def shown_reasons(sentence: Sentence) -> tuple[str, ...]:
    """What a person should know of it: of a supported one not why it is, but that a citation was
    attached or that another source says otherwise."""
    return split_reasons(sentence.verdict, sentence.reasons)[1]


def reason_lines(reasons: Iterable[str]) -> list[str]:
    """What is wrong with a sentence, or why nothing can be said of it."""
    return [line for reason in reasons for line in _indented(f"! {one_line(reason)}")]


def _where(file: str, page: int | None) -> str:
    """«report.pdf, page 3»; where there is little room the page alone, for the sources name the
    file."""
    if width() < _NARROW:
        return "" if page is None else f"page {page}"
    return full_place(file, page)


def _indented(text: str, first: str = "      ", then: str = "        ") -> list[str]:
    return textwrap.wrap(
        text, width() - 2, initial_indent=first, subsequent_indent=then, break_on_hyphens=False
    )


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
    return max(_NARROWEST, min(100, shutil.get_terminal_size((88, 24)).columns))
