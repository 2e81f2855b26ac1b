"""JSON and JSON Lines as text: «path: value» lines, tables of alike records, groups of records.

Every value is kept as it is written, so that 1.10 and 12345678901234567890 can be quoted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest.readers import Unreadable, clean, read_bytes
from ingest.readers.outline import SEPARATOR
from ingest.readers.table import groups
from ingest.readers.text import decode
from rag.records import Document, Section

#: Characters of a group of entries: with its prefix about a chunk [set by hand].
_GROUP = 500
#: An entry up to this long is not divided: its parts explain each other [set by hand].
_WHOLE = 2000
#: Columns of a table; records with more different keys than that are not alike [set by hand].
_COLUMNS = 50
#: Plain values of a list that are written on one line [set by hand].
_LISTED = 100
#: Characters of a path that are shown: deep nesting would repeat a long one on every line
#: [set by hand].
_LONGEST_PATH = 200
_QUESTION_KEYS = frozenset({"id", "question", "answer", "file", "page", "quote", "tags", "draft"})
_ANSWER_KEYS = frozenset({"question", "answer", "sentences", "passages", "summary"})


def read(path: Path, *, title: str) -> Document:
    """Sections by top-level entries («orders › 3»), or by records («records 1–12», from 1).

    Whether a file is one value or a sequence of them is told by its content, not by its name; a
    damaged line among JSON Lines stays as it stands. Raises Unreadable; ``unsupported`` for
    evaluation questions and saved answers, which would be found in place of the documents.
    """
    text = decode(read_bytes(path))
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    try:
        values = _values(text)
        records = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        _refuse(records)
        if len(values) == 1:
            sections = tuple(_entries(values[0], ""))
        else:
            sections = tuple(_records(values, ""))
    except RecursionError:
        raise Unreadable("unreadable", "nested too deeply") from None
    if not sections:
        raise Unreadable("empty", "no values")
    return Document(title, sections, "json")


# ------------------------------------------------------------------ text → values


def _values(text: str) -> list[Any]:
    """The values of the file: one, or several one after the other.

    Numbers come as text; so do lines of JSON Lines that cannot be read.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str, strict=False
    )
    try:
        return [decoder.decode(text)]
    except json.JSONDecodeError as error:
        problem = error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    values, damaged = [], 0
    for line in lines:
        try:
            values.append(decoder.decode(line))
        except json.JSONDecodeError:
            values.append(line)
            damaged += 1
    # Lines of one value spread over many hold little that is JSON: «}», «"a": 1,» or a number.
    whole = sum(isinstance(value, dict | list) for value in values)
    if len(lines) > 1 and whole > damaged:
        return values
    if problem.msg == "Extra data" and (several := _concatenated(decoder, text)):
        return several
    where = f"line {problem.lineno}, column {problem.colno}"
    raise Unreadable("unreadable", f"not valid JSON: {where}: {problem.msg}")


def _concatenated(decoder: json.JSONDecoder, text: str) -> list[Any]:
    """Values over several lines each; none when anything is left over."""
    values, at = [], 0
    while at < len(text):
        if text[at].isspace() or text[at] == "\x1e":  # the separator of RFC 7464
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return []
        values.append(value)
    return values


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; the second value under the same name gets the name «name (2)»."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    found = {}
    times: dict[str, int] = {}
    for name, value in pairs:
        times[name] = times.get(name, 0) + 1
        found[name if times[name] == 1 else f"{name} ({times[name]})"] = value
    return found


def _refuse(records: list[Any]) -> None:
    """Questions and answers of this program are no evidence for an answer."""
    if not records or not all(isinstance(record, dict) for record in records):
        return
    if all("question" in record for record in records) and _are_to_be_asked(records):
        raise Unreadable("unsupported", "evaluation questions, not a document")
    if all(record.keys() >= _ANSWER_KEYS for record in records):
        raise Unreadable("unsupported", "a saved answer, not a document")


def _are_to_be_asked(records: list[dict[str, Any]]) -> bool:
    """A list of frequent questions has «question» and «answer» too. Whether there is an answer, and
    where, ours alone say; and questions without any answer are evidence of nothing."""
    if any(isinstance(record.get("answerable"), bool) for record in records):
        return True
    if not all(record.keys() <= _QUESTION_KEYS for record in records):
        return False
    names = {name for record in records for name in record}
    return bool(names & {"page", "quote", "draft"}) or "answer" not in names


# ------------------------------------------------------------------ values → sections


def _entries(value: Any, path: str) -> Iterator[Section]:
    """The sections of one value: small entries together, large ones by themselves."""
    if isinstance(value, list):
        yield from _records(value, path)
        return
    if not isinstance(value, dict):
        if text := "".join(_lines(value, path)):
            yield Section(text, heading=path)
        return
    waiting: list[str] = []
    waits = 0  # characters
    for name, child in value.items():
        below = _below(path, name)
        lines = _short(child, below)
        size = sum(map(len, lines or ()))
        nested = isinstance(child, dict | list)
        # The plain values of one record stay together, a long one too: they explain each other.
        if lines is None or waits > _WHOLE or (nested and waits + size > _GROUP):
            yield from _grouped(waiting, path)
            waiting, waits = [], 0
        if lines is None:
            yield from _entries(child, below)
        elif nested and size > _GROUP:
            yield from _grouped(lines, below)
        else:
            waiting += lines
            waits += size
    yield from _grouped(waiting, path)


def _records(values: list[Any], path: str) -> Iterator[Section]:
    """The sections of a list: a table where its records are flat and alike, else whole records
    in groups, else, for a record too long, its own sections."""
    if columns := _columns(values):
        rows = ([_shown(value.get(name, "")) for name in columns] for value in values)
        for group in groups([columns, *rows]):
            first, last = max(1, group.first - 1), max(1, group.last - 1)
            yield Section(group.text, heading=_range(path, first, last))
        return
    waiting: list[str] = []
    waits, first = 0, 1
    for number, value in enumerate(values, 1):
        nested = path and isinstance(value, dict | list)
        below = _below(path, str(number)) if nested else ""
        lines = _short(value, below)
        size = sum(map(len, lines or ()))
        if lines is None or waits + size > _GROUP:
            yield from _grouped(waiting, _range(path, first, number - 1))
            waiting, waits, first = [], 0, number
        if lines is None:
            yield from _entries(value, below or f"record {number}")
            first = number + 1
        elif lines:
            waiting += ["\n", *lines] if waiting and not path else lines
            waits += size
    yield from _grouped(waiting, _range(path, first, len(values)))


def _grouped(lines: list[str], heading: str) -> Iterator[Section]:
    if lines:
        yield Section("".join(lines), heading=heading)


def _columns(values: list[Any]) -> list[str]:
    """The names of the columns where a list is a table: flat records of short values, most of
    which have most of the names; else none."""
    names: dict[str, None] = {}
    filled = size = 0
    for value in values:
        if not isinstance(value, dict) or not value:
            return []
        for cell in value.values():
            if isinstance(cell, dict | list) or (isinstance(cell, str) and "\n" in cell.strip()):
                return []
            size += len(cell) if isinstance(cell, str) else 4
        names.update(dict.fromkeys(value))
        filled += len(value)
        if len(names) > _COLUMNS:
            return []
    alike = len(values) > 1 and 2 * filled >= len(names) * len(values)
    return list(names) if alike and size <= _GROUP * len(values) else []


def _short(value: Any, path: str) -> list[str] | None:
    """The lines of a value that is not divided; None where it is."""
    if not isinstance(value, dict | list):
        return list(_lines(value, path))
    lines, size = [], 0
    for line in _lines(value, path):
        lines.append(line)
        size += len(line)
        if size > _WHOLE:
            return None
    return lines


def _lines(value: Any, path: str) -> Iterator[str]:
    """«path: value» for each value inside."""
    children: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        if 0 < len(value) <= _LISTED and not any(isinstance(v, dict | list) for v in value):
            yield _line(path, ", ".join(_shown(child) for child in value))
            return
        children = enumerate(value, 1)
    else:
        if shown := _shown(value):
            yield _line(path, shown)
        return
    for name, child in children:
        yield from _lines(child, _below(path, str(name)))


def _line(path: str, text: str) -> str:
    return f"{path}: {text}\n" if path else f"{text}\n"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(str(value)).strip()


def _below(path: str, name: str) -> str:
    whole = SEPARATOR.join(filter(None, (path, " ".join(clean(name).split()))))
    return whole if len(whole) <= _LONGEST_PATH else "…" + whole[1 - _LONGEST_PATH :]


def _range(path: str, first: int, last: int) -> str:
    numbers = str(first) if first == last else f"{first}–{last}"
    if path:
        return _below(path, numbers)
    return f"record {numbers}" if first == last else f"records {numbers}"
