"""What produced two runs, held side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eval.records import Provenance
from rag.render import one_line


def changed(before: Provenance, after: Provenance) -> Iterator[str]:
    """What produced one run and not the other, a line each, inert."""
    for name in ("generator", "verifier", "prompt", "settings", "machine", "versions"):
        yield from _changed_in(name, getattr(before, name), getattr(after, name))
    plain = {
        "corpus": f"corpus: {before.files} files, {before.chunks} passages → "
        f"{after.files} files, {after.chunks} passages",
        "index": f"index settings: {before.index} → {after.index}",
        "questions_digest": "questions: not the same set",
        "rubric_digest": "rubric: not the same criteria",
    }
    for name, line in plain.items():
        if getattr(before, name) != getattr(after, name):
            yield one_line(line)


#: Where an index lies says nothing about an answer; its digests above do.
_PLACES = (("settings", "index"),)


def _changed_in(group: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old != new and (group, key) not in _PLACES:
            yield one_line(f"{group} {key}: {_short(old)} → {_short(new)}")


def _short(value: Any) -> str:
    text = "none" if value in (None, "") else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
