"""What ``rag status`` tells of an index, small or large."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest
from conftest import clean_environment, rag_here

from ingest.discover import discover
from rag.cli_status import REMEDIES, remedy
from rag.records import HARMLESS, FileRecord, FileStatus
from rag.settings import Settings
from rag.store import open_writer
from rag.store.base import FileWrite, Fingerprint, IndexMeta

META = IndexMeta(Fingerprint("tiny", "0" * 64, 8, "", "", "test", "test"), ("/docs",))
STATUSES = get_args(FileStatus)


def line(file: str, status: FileStatus, **more: object) -> FileRecord:
    known = FileRecord(file=file, root="/docs", bytes=10, mtime_ns=1, content="", status=status)
    return replace(known, **more)  # type: ignore[arg-type]


def made(index: Path, lines: list[FileRecord]) -> Path:
    """An index with these lines in its ledger."""
    with closing(open_writer(Settings(index=str(index)))) as writer:
        writer.set_meta(META)
        writer.put([FileWrite(record) for record in lines])
        writer.publish()
    return index


EACH = [
    line("a.pdf", "indexed", reader="pdf", pages=3, seconds=0.25),
    line("b.pdf", "indexed", reader="pdf", pages=1, hidden=1200),
    line("c.docx", "indexed", reader="word", hidden=4),
    line("scan.pdf", "no_text", detail="no text on any of 2 pages", lost_pages=(1, 2)),
    line("locked.pdf", "password", detail="opens only with a password"),
    line("big.xlsx", "too_large", detail="needs more memory than a reader may use"),
    line("film.mp4", "unsupported", detail="no reader for «.mp4»"),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("small") / "index", EACH)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 files, 2,000 of which cannot be read."""
    statuses: list[FileStatus] = ["unreadable", "indexed", "indexed", "indexed", "indexed"]
    lines = [
        line(f"{n:05}.pdf", statuses[n % 5], detail="damaged" if n % 5 == 0 else "", reader="pdf")
        for n in range(10_000)
    ]
    return made(tmp_path_factory.mktemp("large") / "index", lines)


def text(index: Path, *options: str) -> list[str]:
    done = rag_here("status", "--index", str(index), *options)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


# ------------------------------------------------------------------ JSON


def test_every_file_is_there_once_with_all_that_is_known_of_it(large: Path, small: Path) -> None:
    files = rag_here("status", "--index", str(large), "--json").json["files"]
    assert [f["file"] for f in files] == [f"{n:05}.pdf" for n in range(10_000)]
    files = rag_here("status", "--index", str(small), "--json").json["files"]
    told = {f["file"]: f for f in files}
    assert set(told["a.pdf"]) == {f.name for f in fields(FileRecord)} | {"remedy"}
    assert (told["a.pdf"]["pages"], told["a.pdf"]["seconds"]) == (3, 0.25)
    assert told["a.pdf"]["remedy"] == ""
    assert told["b.pdf"]["hidden"] == 1200
    assert told["scan.pdf"]["lost_pages"] == [1, 2]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--failed"], ["big.xlsx", "locked.pdf", "scan.pdf"]),
        (["--hidden"], ["b.pdf", "c.docx"]),
        (["--failed", "--hidden"], ["b.pdf", "big.xlsx", "c.docx", "locked.pdf", "scan.pdf"]),
    ],
)
def test_json_is_restricted_to_the_files_asked_for(
    small: Path, options: list[str], names: list[str]
) -> None:
    files = rag_here("status", "--index", str(small), "--json", *options).json["files"]
    assert sorted(f["file"] for f in files) == names


# ------------------------------------------------------------------ text


KEPT_OUT = "that a person cannot see: rag status --hidden"


def test_the_overview_counts_readers_hidden_words_and_names_problems(small: Path) -> None:
    assert text(small) == [
        "folder       /docs",
        "files        7 (3 indexed, 1 too_large, 1 unsupported, 1 password, 1 no_text)",
        "chunks       0",
        "bytes        70",
        "readers      2 pdf, 1 word",
        f"hidden       1,204 words in 2 files {KEPT_OUT}",
        "model        tiny, 8 wide",
        f"fingerprint  {META.fingerprint.digest()}",
        "  too_large      big.xlsx: needs more memory than a reader may use",
        "  password       locked.pdf: opens only with a password",
        "  no_text        scan.pdf: no text on any of 2 pages (pages 1, 2)",
        f"What to do about each: rag status --index {small} --failed",
    ]


def test_files_with_hidden_text_are_listed_the_most_of_it_first(small: Path) -> None:
    assert text(small, "--hidden")[8:] == [
        "  1,200 words    b.pdf",
        "  4 words        c.docx",
    ]


def test_failed_says_what_to_do_about_each(small: Path) -> None:
    assert text(small, "--failed")[8:] == [
        "  too_large      big.xlsx: needs more memory than a reader may use",
        f"                 → {remedy(EACH[5])}",
        "  password       locked.pdf: opens only with a password",
        f"                 → {REMEDIES['password']}",
        "  no_text        scan.pdf: no text on any of 2 pages (pages 1, 2)",
        f"                 → {REMEDIES['no_text']}",
    ]


def test_two_thousand_failures_leave_the_overview_readable(large: Path) -> None:
    """The first twenty are named, the rest counted; with --failed all are there."""
    shown = text(large)
    assert len(shown) == 7 + 20 + 1
    assert shown[-1] == f"  … and 1,980 more: rag status --index {large} --failed"
    assert len(text(large, "--failed")) == 7 + 2 * 2000


@pytest.mark.parametrize("before", [True, False])
def test_what_to_type_next_names_the_index_that_was_given(small: Path, before: bool) -> None:
    given = ("--index", str(small))
    done = rag_here(*given, "status") if before else rag_here("status", *given)
    assert f"rag status --index {small} --failed" in done.out


def test_an_evaluation_that_is_still_to_come_is_named_with_the_index(tmp_path: Path) -> None:
    done = rag_here("eval", "history", "--index", str(tmp_path / "x"))
    assert f"make the first run: rag eval run --index {tmp_path / 'x'} QUESTIONS" in done.err


def test_what_to_type_next_tells_no_password() -> None:
    done = rag_here("status", "--qdrant-url", "http://:s3cret@127.0.0.1:9", "--collection", "a b")
    assert "s3cret" not in done.out + done.err


def test_many_lost_pages_are_cut_short(tmp_path: Path) -> None:
    pages = tuple(range(1, 500))
    index = made(tmp_path / "index", [line("scan.pdf", "partial", detail="lost", lost_pages=pages)])
    assert text(index)[-2].endswith("(pages 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12…)")


@pytest.mark.parametrize("options", [[], ["--failed"], ["--json"]], ids=" ".join)
def test_a_reader_of_the_output_who_has_had_enough_ends_it_quietly(
    large: Path, options: list[str]
) -> None:
    shell = shutil.which("bash")
    assert shell
    call = f'"{sys.executable}" -m rag status --index "{large}" {" ".join(options)} | head -n 1'
    done = subprocess.run(
        [shell, "-c", f'{call}; exit "${{PIPESTATUS[0]}}"'],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout in ("folder       /docs\n", "{\n")


# ------------------------------------------------------------------ remedies


def settings_named(shown: str) -> Iterator[str]:
    names = {f.name for f in fields(Settings)}
    yield from (word for word in shown.replace(",", " ").replace(";", " ").split() if word in names)


def test_every_status_but_indexed_has_a_remedy() -> None:
    assert set(REMEDIES) == set(STATUSES) - {"indexed"}
    assert remedy(line("a.txt", "indexed")) == ""
    assert set(STATUSES) > HARMLESS


@pytest.mark.parametrize(
    ("status", "detail", "setting"),
    [
        ("password", "", "passwords"),
        ("no_text", "", "ocr"),
        ("partial", "", "ocr"),
        ("timeout", "", "read_timeout"),
        ("too_large", "needs more memory than a reader may use", "read_memory"),
    ],
)
def test_a_remedy_names_the_setting_that_helps(
    status: FileStatus, detail: str, setting: str
) -> None:
    assert setting in settings_named(remedy(line("a.pdf", status, detail=detail)))


@pytest.mark.parametrize("status", ["password", "no_text", "partial"])
def test_passwords_and_ocr_are_offered_for_pdfs_alone(status: FileStatus) -> None:
    """Neither does anything for other files, and a remedy that does nothing costs an evening."""
    for_pdf, for_word = remedy(line("a.PDF", status)), remedy(line("a.docx", status))
    assert set(settings_named(for_pdf)) & {"passwords", "ocr"}
    assert not set(settings_named(for_word))
    assert "retry-failed" not in for_word


def test_text_left_out_because_nobody_sees_it_can_be_asked_for() -> None:
    shown = remedy(line("a.docx", "no_text", detail="only text that nobody sees, 12 words"))
    assert "hidden_text" in settings_named(shown)


def test_a_file_that_is_large_itself_needs_no_memory_but_a_split() -> None:
    shown = remedy(line("a.txt", "too_large", detail="40,000,000 bytes, the limit is 33,554,432"))
    assert shown == "split it into smaller files"


def test_a_link_that_leads_nowhere_is_to_be_mended_and_not_only_read_again(tmp_path: Path) -> None:
    """The next run would find the same link; a file that went away is found or forgotten."""
    (tmp_path / "lost.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    problems = [found.problem for found in discover(tmp_path)]
    for status, detail in filter(None, problems):
        shown = remedy(line("a.txt", status, detail=detail))
        assert shown == "remove the link or mend its target, then rag ingest"
    assert len(problems) == 2
    assert "ingest again" in remedy(line("a.txt", "vanished", detail="gone before it was read"))
