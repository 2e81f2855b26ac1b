"""``questions.jsonl`` → questions: every error of the file at once, each with its line.

A field that nobody knows is refused: «anwser» would otherwise pass for a question without an
expected answer, and nothing would say so.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from eval.records import Question
from rag.errors import UsageError
from rag.retrieval import LONGEST_QUESTION

FIELDS = tuple(f.name for f in fields(Question))
#: Errors that are told at once; the rest is counted.
_TOLD = 20
#: What decides how a reply is scored. Tags and the mark of a draft do not.
_SCORED = ("id", "question", "answerable", "answer", "file", "page", "quote")


def read_questions(path: str | Path) -> list[Question]:
    """The questions of a JSON Lines file, in their order; empty lines and a BOM do not count.

    A question without an id gets one made of its words. Raises UsageError naming the file and each
    line that cannot be used.
    """
    path = Path(path)
    found: list[Question] = []
    wrong: list[str] = []
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        try:
            question = _question(line)
            if first := lines.get(question.id):
                raise ValueError(f"id «{question.id}» is that of line {first} as well")
            lines[question.id] = number
            found.append(question)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = f"; and {len(wrong) - _TOLD:,} more" if len(wrong) > _TOLD else ""
        raise UsageError(
            f"questions {path}: {'; '.join(wrong[:_TOLD])}{more}",
            "mend these lines; docs/evaluation.md lists the fields",
        )
    if not found:
        raise UsageError(f"questions {path}: no question in it", _START)
    return found


def questions_digest(questions: Sequence[Question]) -> str:
    """One name for a set of questions: equal for equal ids, questions and expectations, in
    whatever order, with whatever tags."""
    rows = sorted(
        json.dumps([getattr(q, name) for name in _SCORED], ensure_ascii=True) for q in questions
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def to_line(question: Question) -> str:
    """The question as a line of the file; fields that say nothing are left out."""
    told = {k: v for k, v in asdict(question).items() if v not in (None, (), False) or _no(k, v)}
    return json.dumps(told, ensure_ascii=False)


def _no(name: str, value: Any) -> bool:
    return name == "answerable" and value is False


_START = "draft a set to edit: rag eval init"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"questions {path} cannot be read: {reason}", _START) from error
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line


def _question(line: bytes) -> Question:
    """Raises ValueError with what is wrong."""
    row = _row(line)
    for name in row:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean «{near[0]}»?" if near else "remarks of your own go into «tags»"
            raise ValueError(f"unknown field «{name}», {hint}")
    values = {k: _READ[k](k, v) for k, v in row.items() if v is not None}
    text = values.get("question")
    if text is None:
        raise ValueError("«question» is missing")
    values.setdefault("id", "q-" + hashlib.sha256(text.encode()).hexdigest()[:8])
    question = Question(**values)
    if question.page is not None and question.file is None:
        raise ValueError("«page» without «file»")
    if question.answerable is False and (question.answer or question.quote):
        raise ValueError("«answerable» is false, but an answer or a quote is given")
    return question


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode(), object_pairs_hook=_once_each)
    except _GivenTwice:
        raise
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError('not an object like {"question": "…"}')
    return row


class _GivenTwice(ValueError):
    """A field of which JSON would keep the last value unseen."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises _GivenTwice for a name that is there twice."""
    found = dict(pairs)
    for name, _ in pairs if len(found) < len(pairs) else ():
        if sum(other == name for other, _ in pairs) > 1:
            raise _GivenTwice(f"field «{name}» is given twice")
    return found


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"«{name}» is {_shown(value)}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"«{name}» holds half a character (a lone surrogate)") from None
    return value


def _asked(name: str, value: Any) -> str:
    text = _text(name, value)
    if len(text) > LONGEST_QUESTION:
        raise ValueError(f"«{name}» has {len(text):,} characters, the limit is {LONGEST_QUESTION}")
    return text


def _id(name: str, value: Any) -> str:
    plain = isinstance(value, int) and not isinstance(value, bool)
    return _text(name, str(value) if plain else value)


def _page(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"«{name}» is {_shown(value)}, not a whole number from 1")
    return value


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"«{name}» is {_shown(value)}, not true or false")
    return value


def _tags(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"«{name}» is {_shown(value)}, not a list of texts")
    return tuple(_text(name, tag) for tag in value)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else text[:40] + "…"


_READ: dict[str, Callable[[str, Any], Any]] = {
    "id": _id,
    "question": _asked,
    "answerable": _switch,
    "answer": _text,
    "file": _text,
    "page": _page,
    "quote": _text,
    "tags": _tags,
    "draft": _switch,
}
