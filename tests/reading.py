"""What the tests of readers share: a file made, its sections, why it was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.readers import Unreadable, read


def save(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def shown(path: Path) -> list[tuple[str, str]]:
    """(heading, text) of each section."""
    return [(section.heading, section.text) for section in read(path, title="t").sections]


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(path, title="t")
    assert "\n" not in str(caught.value)
    return caught.value
