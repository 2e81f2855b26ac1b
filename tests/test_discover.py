"""Walking a folder: everything named once, nothing outside it touched."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.discover import Found, discover, utf8_name
from rag.errors import UsageError


def found(folder: Path, **options) -> dict[str, Found]:
    entries = list(discover(folder, **options))
    named = {entry.file: entry for entry in entries}
    assert len(named) == len(entries)
    return named


def status(entry: Found) -> str | None:
    return entry.problem[0] if entry.problem else None


def test_files_come_in_the_same_order_with_size_and_time(tmp_path):
    """Files come sorted by name, folder by folder, with their size and time."""
    for name in ["b.txt", "a/z.txt", "a/b/c.txt", "B.txt", ".hidden", "c.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    entries = list(discover(tmp_path))
    assert [e.file for e in entries] == [
        ".hidden",
        "B.txt",
        "a/b/c.txt",
        "a/z.txt",
        "b.txt",
        "c.txt",
    ]
    assert entries == list(discover(tmp_path))
    last = entries[-1]
    assert (last.bytes, last.problem) == (5, None)
    assert last.mtime_ns == (tmp_path / "c.txt").stat().st_mtime_ns
    assert last.path.read_text() == "c.txt"


def test_dot_folders_and_skipped_folders_are_not_entered(tmp_path):
    """Folders with a dot in front and folders to skip, also through a link, are not entered."""
    for name in [".git/config", ".rag/ledger", "index/data", "docs/index/kept.txt", "kept.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    other = tmp_path / ".way"
    other.symlink_to(tmp_path)
    named = found(tmp_path, skip=[other / "index"])
    assert [f for f, e in named.items() if not e.problem] == ["docs/index/kept.txt", "kept.txt"]


def test_links_never_lead_out_of_the_folder(tmp_path):
    """A link is read when it points at a file inside, and named with the reason if not."""
    inside, outside = tmp_path / "in", tmp_path / "in-secret"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "s.txt").write_text("secret")
    (inside / "real.txt").write_text("real")
    links = {
        "file": inside / "real.txt",
        "out_file": outside / "s.txt",
        "out_folder": outside,
        "in_folder": inside / "sub",
        "loop": inside,
        "parent": tmp_path,
        "broken": inside / "nothing",
        "self": inside / "self",
    }
    for name, target in links.items():
        (inside / name).symlink_to(target)
    named = found(inside)
    assert {f: status(e) for f, e in named.items()} == {
        "broken": "vanished",
        "file": None,
        "in_folder": "unsupported",
        "loop": "unsupported",
        "out_file": "outside_folder",
        "out_folder": "outside_folder",
        "parent": "outside_folder",
        "real.txt": None,
        "self": "vanished",
    }
    assert named["file"].bytes == 4
    assert named["loop"].problem == ("unsupported", "link to a folder already walked")


def test_a_folder_given_through_a_link_is_walked(tmp_path):
    """The folder itself may be given as a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.txt").write_text("a")
    (tmp_path / "link").symlink_to("real")
    assert found(tmp_path / "link")["a.txt"].problem is None


def test_what_is_no_regular_file_is_named_and_never_opened(tmp_path):
    """Pipes and sockets are named as unsupported; opening the pipe would block for ever."""
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "to_pipe").symlink_to(tmp_path / "pipe.txt")
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/s")  # socket paths have a length limit
        os.link(f"{short}/s", tmp_path / "socket")
        named = found(tmp_path)
    problem = ("unsupported", "not a regular file")
    assert {f: e.problem for f, e in named.items()} == dict.fromkeys(
        ["pipe.txt", "socket", "to_pipe"], problem
    )


def test_odd_names_survive_as_distinct_utf8(tmp_path):
    """Names with broken UTF-8, newlines, escape codes or other case stay apart and open."""
    raw = [b"\xff.txt", rb"\xff.txt", b"a\nb.txt", b"\x1b[31mred.txt", b"A.txt", b"a.txt",
           "é.txt".encode(), "e\u0301.txt".encode(), b"back\\slash.txt"]  # fmt: skip
    for number, name in enumerate(raw):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_text(str(number))
    named = found(tmp_path)
    assert len(named) == len(raw)
    for file, entry in named.items():
        file.encode("utf-8")
        assert os.fsencode(entry.path.name) == raw[int(entry.path.read_text())]
    assert {"a\nb.txt", "é.txt", "back\\slash.txt", r"\xff.txt", r"\\xff.txt"} <= set(named)


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=2, max_size=2, unique=True))
def test_two_names_never_become_one(names):
    """Different file names, valid UTF-8 or not, never get the same text."""
    first, second = (utf8_name(os.fsdecode(name)) for name in names)
    assert first != second
    first.encode("utf-8")


@given(st.text(alphabet="\\xf0é", min_size=1, max_size=6), st.binary(min_size=1, max_size=4))
def test_escapes_and_names_that_look_like_escapes_stay_apart(text, raw):
    """A name that reads like the escape of another one is told apart from it."""
    if text.encode() != raw:
        assert utf8_name(text) != utf8_name(os.fsdecode(raw))


def test_a_deep_folder_does_not_end_the_walk():
    """Folders nested deeper than Python recurses are walked."""
    folder = tempfile.mkdtemp()  # pytest clears its own folders by recursion
    try:
        inner, depth = os.open(folder, os.O_RDONLY), 1200
        for _ in range(depth):
            os.mkdir("d", dir_fd=inner)
            outer, inner = inner, os.open("d", os.O_RDONLY, dir_fd=inner)
            os.close(outer)
        os.close(os.open("deep.txt", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(inner)
        assert [e.file for e in discover(Path(folder))] == ["d/" * depth + "deep.txt"]
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    """A folder without permission is named with a slash at its end, and the walk goes on."""
    (tmp_path / "locked").mkdir()
    (tmp_path / "z.txt").write_text("z")
    listing = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    named = found(tmp_path)
    assert named["locked/"].problem == (
        "unreadable",
        "folder cannot be listed: Permission denied",
    )
    assert named["z.txt"].problem is None


def test_a_file_removed_during_the_walk_is_named_as_vanished(tmp_path):
    """A file that goes during the walk is named as vanished; a folder that goes is not."""
    for name in ["a.txt", "b.txt", "c/d.txt"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    walk = discover(tmp_path)
    assert next(walk).file == "a.txt"
    (tmp_path / "b.txt").unlink()
    (tmp_path / "c/d.txt").unlink()
    (tmp_path / "c").rmdir()
    assert [(e.file, status(e)) for e in walk] == [("b.txt", "vanished")]


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_a_wrong_folder_is_a_usage_error_at_once(tmp_path, name):
    """A missing folder, or a file in its place, is a usage error before anything is walked."""
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(UsageError, match=name):
        discover(tmp_path / name)
