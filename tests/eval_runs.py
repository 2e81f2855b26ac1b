"""Evaluations made by hand, for tests of how they are shown: plausible figures, hostile texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

from eval.history import History
from eval.records import (
    EvaluationRun,
    Failure,
    Mark,
    Outcome,
    Provenance,
    Question,
    Reply,
    Result,
)
from prompts import REFUSAL

#: Texts that would act if anything showed them as they are.
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\u202egnp.exe\u202c \u2066hidden\u2069",
    "]]>&lt;/failure><testcase/>",
    "`code` ``more`` | cell | [link](https://evil.example) ![i](https://evil.example/i.png)",
    "' onmouseover='alert(1)' x='",
    "javascript:alert(1) https://evil.example www.evil.example @everyone #1",
    "\x00\x08\x0b\ufffe\uffff\ud800 lone",
    "one\n\n# heading\n<details open>\r\n---",
)

#: A question number for each of them, and one with a text of 10,000 characters.
HOSTILE_TEXTS = dict(enumerate((*HOSTILE, "<b>long</b> " * 834)))

KINDS = ("supported", "no_mismatch", "contradicted", "unverified", "refused", "failed")


def question(number: int, *, text: str | None = None, answerable: bool | None = None) -> Question:
    """Three questions a document; every fifth one cannot be answered."""
    answerable = number % 5 != 4 if answerable is None else answerable
    return Question(
        id=f"q{number:02}",
        question=text or f"How long was runway {number} at the time of the accident?",
        answerable=answerable,
        answer=f"{1000 + number} feet." if answerable else None,
        file=f"report-{number // 3}.pdf",
        page=1 + number % 4 if answerable else None,
        quote=f"runway {number} ({1000 + number} feet long)" if answerable else None,
        tags=("number",),
    )


def answer(asked: Question, kind: str, *, text: str = "", seconds: float = 1.0) -> dict[str, Any]:
    """What ``rag ask --json`` prints, with one sentence of that verdict or a refusal."""
    number = int(asked.id[1:])
    file, page = asked.file or "none.pdf", asked.page
    said = text or f"Runway {number} was {1000 + number} feet long."
    refused = kind == "refused"
    sentence = {
        "text": said,
        "citations": [1],
        "verdict": kind,
        "score": 0.93 if kind == "supported" else 0.31,
        "reasons": [f"the figure {number} is not in the passage"] if kind == "contradicted" else [],
        "evidence": [
            {"passage": 1, "quote": text or asked.quote or said, "file": file, "page": page}
        ],
    }
    counts = dict.fromkeys(("supported", "no_mismatch", "flagged", "unverified"), 0)
    if not refused:
        counts["flagged" if kind == "contradicted" else kind] += 1
    passage = {
        "rank": 1, "file": file, "page": page, "page_end": page, "heading": "", "text": said,
        "score": 0.7, "chunk_id": f"c{number}",
    }  # fmt: skip
    return {
        "question": asked.question,
        "answer": REFUSAL if refused else said,
        "refused": refused,
        "refusal_reason": "the passages do not answer the question" if refused else None,
        "sentences": [] if refused else [sentence],
        "passages": [passage],
        "summary": counts,
        "coverage": {"files": 10, "searched": 10, "unreadable": 0, "partial": 0},
        "generator": {"kind": "ollama", "model": "qwen3:4b-instruct", "digest": "sha256:aa"},
        "verifier": {"kind": "rules", "model": None},
        "prompt": {"name": "answer.md", "fingerprint": "f00d", "tokens": 900, "budget": 3584},
        "timings": {
            "retrieve_s": 0.05 * seconds,
            "first_token_s": 0.3 * seconds,
            "generate_s": 0.8 * seconds,
            "verify_s": 0.02 * seconds,
            "total_s": seconds,
        },
        "notices": [],
    }


def marks(asked: Question, kind: str, *, reason: str = "", repeats: int = 1) -> tuple[Mark, ...]:
    """A mark for each of some criteria, as a rubric of all five checks would give."""
    refused = kind == "refused"
    right = refused != bool(asked.answerable)
    clean: Outcome = "UNMET" if kind == "contradicted" else "MET"
    why = reason or f"{kind} on {asked.id}"
    return (
        Mark("no_flag", "factual_accuracy", "CANNOT_ASSESS" if refused else clean, why, 2.0),
        Mark("agrees", "factual_accuracy", clean if asked.answer else "CANNOT_ASSESS", why),
        Mark("answered", "task_completion", "MET" if right else "UNMET", why, 2.0),
        Mark("evidence_found", "task_completion", "MET" if asked.page else "CANNOT_ASSESS", why),
        Mark("citations_resolve", "formatting", "MET", "every citation is a passage"),
        Mark("in_time", "speed", "CANNOT_ASSESS", "the rubric names no limit"),
        Mark("same_answer", "consistency", "MET" if repeats > 1 else "CANNOT_ASSESS", why),
    )


def make_provenance(**changes: Any) -> Provenance:
    base = Provenance(
        corpus="c0ffee",
        index="1dea",
        files=10,
        chunks=97,
        generator={"kind": "ollama", "model": "qwen3:4b-instruct", "digest": "sha256:aa",
                   "quantisation": "Q4_K_M"},
        verifier={"kind": "rules", "model": None, "digest": None},
        prompt={"name": "answer.md", "fingerprint": "f00d"},
        questions_file="questions.jsonl",
        questions_digest="9e57",
        rubric_digest="2b",
        settings={"ask_k": 5, "k": 10, "seed": 7},
        machine={"cpu": "two cores", "memory_gib": 8},
        versions={"affidavit": "0.1.0", "python": "3.11"},
    )  # fmt: skip
    return replace(base, **changes)


def make_run(
    run_id: str = "20261101T030000-aaaa",
    *,
    questions: int = 20,
    kinds: Mapping[int, str] | None = None,
    usual: str = "supported",
    texts: Mapping[int, str] | None = None,
    repeats: int = 1,
    seconds: float = 1.0,
    started: str = "2026-11-01T03:00:00+00:00",
    provenance: Provenance | None = None,
) -> EvaluationRun:
    """A run whose question n ended as ``kinds[n]``; unanswerable ones are refused otherwise, the
    others ``usual``. ``texts[n]`` stands for everything said by or about question n."""
    results: list[Result] = []
    for n in range(questions):
        text = (texts or {}).get(n, "")
        asked = question(n, text=text or None)
        if text:
            asked = replace(asked, file=text, quote=text, tags=(text,))
        kind = (kinds or {}).get(n) or (usual if asked.answerable else "refused")
        for repeat in range(repeats):
            spent = seconds * (1 + n % 7 / 10)
            if kind == "failed":
                problem = text or "the model server closed the connection"
                results.append(Failure(asked, repeat, "ReplyInvalid", problem, spent))
                continue
            told = answer(asked, kind, text=text, seconds=spent)
            retrieval = {"hit@1": float(n % 2), "hit@5": 1.0, "mrr": 0.7, "ndcg@10": 0.8}
            marked = marks(asked, kind, reason=text, repeats=repeats)
            cold = n == repeat == 0
            results.append(Reply(asked, repeat, told, marked, retrieval, cold=cold))
    return EvaluationRun(
        run_id=run_id,
        started=started,
        finished=started.replace("03:00", "03:07"),
        state="done",
        due=started,
        repeats=repeats,
        questions=questions,
        provenance=provenance or make_provenance(),
        results=tuple(results),
    )


def hostile_run(run_id: str = "20261102T030000-bbbb", **more: Any) -> EvaluationRun:
    """A run in which every text of every question is hostile, one of them 10,000 characters."""
    kinds = {n: KINDS[n % len(KINDS)] for n in HOSTILE_TEXTS}
    return make_run(
        run_id, texts=HOSTILE_TEXTS, kinds=kinds, started="2026-11-02T03:00:00+00:00", **more
    )


def put(history: History, run: EvaluationRun) -> str:
    """Write a run down as if it had just been made; gives its id."""
    run_id = history.begin(run.provenance, repeats=run.repeats, questions=run.questions)
    history.add(run_id, run.results)
    history.finish(run_id, run.state)
    return run_id


#: All that a page may be made of.
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "section", "article", "div", "p",
    "span", "h1", "h2", "h3", "h4", "a", "ol", "ul", "li", "table", "caption", "thead", "tbody",
    "tr", "th", "td", "dl", "dt", "dd", "details", "summary", "blockquote", "svg", "line", "rect",
    "circle", "polygon", "polyline", "text", "strong",
}  # fmt: skip
ATTRIBUTES = {
    "class", "id", "href", "lang", "charset", "content", "http-equiv", "name", "scope",
    "data-label", "role", "viewBox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "cx",
    "cy", "r", "points", "fill", "stroke", "stroke-width", "font-size", "font-weight",
    "text-anchor",
}  # fmt: skip


def must_be_inert(found: ET.Element) -> None:
    """Only elements and attributes that show something, and links within the page."""
    for node in found.iter():
        assert node.tag.rpartition("}")[2] in TAGS, node.tag
        assert set(node.attrib) <= ATTRIBUTES, node.attrib
        assert node.get("href", "#").startswith("#")
    active = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert not {c for c in "".join(found.itertext()) if unicodedata.category(c) in active} - set(
        "\n\t"
    )
