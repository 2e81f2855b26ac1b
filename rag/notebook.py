"""An answer as a notebook shows it: inert HTML, all that is untrusted escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

from rag.records import Answer, Sentence
from rag.render import (
    MARKS,
    WORDS,
    author_line,
    coverage_line,
    full_place,
    one_line,
    place,
    plain,
    shown_reasons,
)

_STYLE = (
    "font-family:system-ui,sans-serif;max-width:46em;line-height:1.5;overflow-wrap:anywhere;"
    "border:1px solid #8884;border-radius:6px;padding:.8em 1em"
)
_SMALL = "font-size:85%;margin:.4em 0"
_QUOTE = "margin:.2em 0 .2em 1.7em;padding-left:.6em;border-left:3px solid #8886"
_SENTENCE = "margin:.5em 0;padding-left:1.7em;text-indent:-1.7em"
#: A mark's colour on light and dark grounds alike; its sign and its word say the same.
_COLOURS = {
    "supported": "#2a8a3e",
    "no_mismatch": "#3b78b5",
    "contradicted": "#c4382d",
    "not_supported": "#c4382d",
    "unverified": "#8a6d1a",
}


def answer_html(answer: Answer) -> str:
    """An answer as inert HTML: sentences with marks, quotes on hover and below, the sources.

    No script, no link, no picture. What a mouse shows on hover opens by touch and keyboard under
    «Evidence».
    """
    sentences = "".join(_sentence_html(s) for s in answer.sentences)
    if not answer.sentences:
        sentences = f"<p>{_safe(answer.answer)}</p>"
    reason = f"<p>{_safe(answer.refusal_reason)}</p>" if answer.refusal_reason else ""
    sources = "".join(f"<li value='{p.rank}'>{_safe(place(p))}</li>" for p in answer.passages)
    last = f"{author_line(answer)} {coverage_line(answer.coverage)}"
    notices = "".join(f"<p style='{_SMALL}'>{_safe(one_line(n))}</p>" for n in answer.notices)
    return (
        f"<div style='{_STYLE}'><p><b>{_safe(answer.question)}</b></p>{sentences}{reason}"
        f"{_evidence_html(answer.sentences)}"
        f"<ol style='{_SMALL};padding-left:1.7em'>{sources}</ol>{notices}"
        f"<p style='{_SMALL}'>{_safe(last)}</p></div>"
    )


def _sentence_html(sentence: Sentence) -> str:
    quotes = [f"“{one_line(e.quote)}” — {full_place(e.file, e.page)}" for e in sentence.evidence]
    told = [WORDS[sentence.verdict], *quotes, *(one_line(r) for r in shown_reasons(sentence))]
    numbers = "".join(f"<sup>[{n}]</sup>" for n in sentence.citations)
    return (
        f"<p style='{_SENTENCE}' title='{_safe(chr(10).join(filter(None, told)))}'>"
        f"{_mark_html(sentence)}{_safe(sentence.text)}{numbers}</p>"
    )


def _mark_html(sentence: Sentence) -> str:
    colour = _COLOURS.get(sentence.verdict or "", "inherit")
    return (
        "<span style='display:inline-block;width:1.7em;text-indent:0;font-weight:bold;"
        f"color:{colour}'>{MARKS[sentence.verdict]}</span>"
    )


def _evidence_html(sentences: Iterable[Sentence]) -> str:
    """Each claim's mark in words, its quotes in full, and what is wrong with it; folded up."""
    parts = []
    for sentence in sentences:
        if sentence.verdict is None:
            continue
        quotes = "".join(
            f"<p style='{_QUOTE}'>“{_safe(one_line(e.quote))}” — [{e.passage}] "
            f"{_safe(full_place(e.file, e.page))}</p>"
            for e in sentence.evidence
        )
        reasons = "".join(
            f"<p style='{_QUOTE}'>! {_safe(one_line(r))}</p>" for r in shown_reasons(sentence)
        )
        head = f"{_mark_html(sentence)}<b>{WORDS[sentence.verdict]}</b>: {_safe(sentence.text)}"
        parts.append(f"<p style='{_SENTENCE}'>{head}</p>{quotes}{reasons}")
    if not parts:
        return ""
    return f"<details style='{_SMALL}'><summary>Evidence</summary>{''.join(parts)}</details>"


def _safe(text: object) -> str:
    return html.escape(plain(text), quote=True)
