"""A saved answer, read back as what it is: a file that anybody may have changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rag.errors import UsageError
from rag.records import Evidence, Sentence, Verdict
from rag.retrieval import LONGEST_QUESTION

#: Bounds of what is read, set by hand well above any answer: one of 100 passages takes 1 MB.
_MOST_BYTES = 16 * 2**20
_MOST_SENTENCES = 500
_MOST_QUOTES = 50
_MOST_PASSAGES = 1000
_VERDICTS = (*get_args(Verdict), None)


@dataclass(frozen=True, slots=True)
class SavedPassage:
    """A passage that a record names by its number in the answer."""

    rank: int
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """What a record says was asked, answered and found; nothing of it is believed."""

    question: str
    refused: bool
    sentences: tuple[Sentence, ...]
    passages: tuple[SavedPassage, ...]
    generator: dict[str, Any]
    verifier: dict[str, Any]


def read_saved(path: Path) -> SavedAnswer:
    """The record that ``rag ask --save`` or ``--json`` wrote. Raises UsageError for anything else,
    naming the first thing that is wrong with it."""
    try:
        return _saved(json.loads(_text(path)))
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Foreign) else "it is no JSON document"
        raise UsageError(
            f"{path} is not a saved answer: {reason}", "name a file that rag ask --save wrote"
        ) from error


class _Foreign(ValueError):
    """What is wrong with a record."""


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise _Foreign("it is no file")
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"record {path} cannot be read: {error.strerror}",
            "name a file that rag ask --save wrote",
        ) from error
    if len(content) > _MOST_BYTES:
        raise _Foreign(f"it is larger than {_MOST_BYTES // 2**20} MiB")
    return content.decode("utf-8-sig")


def _saved(record: Any) -> SavedAnswer:
    question = _at(record, "question", _is_text, "a text")
    if not question.strip() or len(question) > LONGEST_QUESTION:
        raise _Foreign("its question is empty or too long")
    return SavedAnswer(
        question=question,
        refused=_at(record, "refused", lambda v: isinstance(v, bool), "true or false"),
        sentences=tuple(_sentence(s) for s in _list(record, "sentences", _MOST_SENTENCES)),
        passages=tuple(_passage(p) for p in _list(record, "passages", _MOST_PASSAGES)),
        generator=_names(record, "generator", ("kind", "model", "digest")),
        verifier=_names(record, "verifier", ("kind", "model")),
    )


def _list(record: Any, key: str, most: int) -> list[Any]:
    found: list[Any] = _at(record, key, lambda v: isinstance(v, list), "a list")
    if len(found) > most:
        raise _Foreign(f"«{key}» has {len(found):,} entries, and {most:,} is the limit")
    return found


def _names(record: Any, key: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    names = _at(record, key, lambda v: isinstance(v, dict), "an object")
    return {
        name: _at(names, name, lambda v: v is None or _is_text(v), "a text or null")
        for name in wanted
    }


def _sentence(record: Any) -> Sentence:
    citations = _list(record, "citations", _MOST_PASSAGES)
    if not all(_is_number(n) for n in citations):
        raise _Foreign("«citations» are not numbers")
    return Sentence(
        text=_at(record, "text", _is_text, "a text"),
        citations=tuple(citations),
        verdict=_at(record, "verdict", lambda v: v in _VERDICTS, "a verdict"),
        evidence=tuple(_quote(e) for e in _list(record, "evidence", _MOST_QUOTES)),
    )


def _passage(record: Any) -> SavedPassage:
    return SavedPassage(
        rank=_at(record, "rank", _is_number, "a number"),
        file=_at(record, "file", _is_text, "a text"),
        text=_at(record, "text", _is_text, "a text"),
    )


def _quote(record: Any) -> Evidence:
    return Evidence(
        passage=_at(record, "passage", _is_number, "a number"),
        quote=_at(record, "quote", _is_text, "a text"),
        file=_at(record, "file", _is_text, "a text"),
        page=_at(record, "page", lambda v: v is None or _is_number(v), "a number or null"),
    )


def _at(record: Any, key: str, fits: Callable[[Any], bool], wanted: str) -> Any:
    """``record[key]``. Raises _Foreign where there is none, or none that fits."""
    if not isinstance(record, dict) or key not in record:
        raise _Foreign(f"«{key}» is missing")
    value = record[key]
    try:
        good = fits(value)
    except TypeError:  # a list is in no set of verdicts
        good = False
    if not good:
        raise _Foreign(f"«{key}» is not {wanted}")
    return value


def _is_text(value: Any) -> bool:
    """Text that can be stored and shown: a lone half of a character cannot."""
    return isinstance(value, str) and value == value.encode(errors="replace").decode()


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
