"""Text of scanned pages: read by the real tools where they are installed, faults by small ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, NumberObject

from ingest.ocr import Ocr, Read
from ingest.readers import Unreadable, read
from ingest.readers.pdf_image import _PIXELS, _SIDE, _scale, render_page
from rag.errors import UsageError
from rag.settings import Settings

TOOLS = ("tesseract", "ocrmypdf")
FENCE = ("The northern fence was mended in October.", "It had been struck by a lorry.")
POND = ("The pond was drained in May.",)


def named(**names: str) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{k}"): NameObject(f"/{v}") for k, v in names.items()})


def typed(path: Path, *pages: tuple[str, ...], size: tuple[float, float] = (612, 792)) -> Path:
    """A PDF with the given lines on its pages."""
    writer = pypdf.PdfWriter()
    font = writer._add_object(named(Type="Font", Subtype="Type1", BaseFont="Helvetica"))
    fonts = DictionaryObject({NameObject("/F"): font})
    for lines in pages:
        page = writer.add_blank_page(*size)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        shown = (f"BT /F 14 Tf 72 {700 - 30 * n} Td ({li}) Tj ET" for n, li in enumerate(lines))
        page[NameObject("/Contents")] = writer._add_object(stream("\n".join(shown).encode()))
    writer.write(path)
    return path


def stream(data: bytes) -> DecodedStreamObject:
    made = DecodedStreamObject()
    made.set_data(data)
    return made


def picture_of(pgm: bytes) -> tuple[int, int, bytes]:
    """Width, height and pixels of a binary PGM."""
    mark, sides, most, pixels = pgm.split(b"\n", 3)
    assert (mark, most) == (b"P5", b"255")
    width, height = map(int, sides.split())
    assert len(pixels) == width * height
    return width, height, pixels


def scanned(path: Path, *pages: tuple[str, ...], password: str = "") -> Path:
    """A PDF that holds nothing but pictures of pages with the given lines."""
    source = typed(path.with_suffix(".typed.pdf"), *pages)
    writer = pypdf.PdfWriter()
    for number in range(1, len(pages) + 1):
        width, height, pixels = picture_of(render_page(source, number, dpi=200))
        image = stream(pixels)
        image.update(named(Type="XObject", Subtype="Image", ColorSpace="DeviceGray"))
        for key, value in (("Width", width), ("Height", height), ("BitsPerComponent", 8)):
            image[NameObject(f"/{key}")] = NumberObject(value)
        page = writer.add_blank_page(612, 792)
        images = DictionaryObject({NameObject("/I"): writer._add_object(image.flate_encode())})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): images})
        content = stream(b"q 612 0 0 792 0 0 cm /I Do Q")
        page[NameObject("/Contents")] = writer._add_object(content)
    if password:
        writer.encrypt(password, algorithm="AES-256")
    writer.write(path)
    return path


def words(text: str) -> list[str]:
    return text.split()


@pytest.fixture(params=TOOLS)
def tool(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


# ------------------------------------------------------------------ with the real tools


def test_scanned_pages_are_read_by_their_numbers(tool: str, tmp_path: Path) -> None:
    """What no reader gets out of a scan, OCR does; a page without text is left out."""
    path = scanned(tmp_path / "scan.pdf", FENCE, (), POND)
    with pytest.raises(Unreadable, match="no text on any of 3 pages"):
        read(path, title="t")
    ocr = Ocr.of(Settings(ocr=tool))
    assert ocr is not None
    found = ocr.pages([1, 2, 3], lambda page: render_page(path, page))
    assert {page: words(text) for page, text in found.texts.items()} == {
        1: words(" ".join(FENCE)),
        3: words(" ".join(POND)),
    }
    assert found.problem == ""


def test_a_missing_language_is_named_and_stops_nothing(tool: str, tmp_path: Path) -> None:
    """A language that is not installed gives no text and says which it is."""
    path = typed(tmp_path / "a.pdf", FENCE)
    ocr = Ocr.of(Settings(ocr=tool, ocr_languages="qqq"))
    assert ocr is not None
    found = ocr.pages([1], lambda page: render_page(path, page))
    assert found.texts == {}
    assert found.problem.startswith(f"{tool}: ")
    assert "qqq" in found.problem
    assert found.problem.isprintable()


def test_a_picture_that_is_none_never_reaches_the_tool(tool: str) -> None:
    """tesseract takes what is no picture for a list of files to read."""
    ocr = Ocr.of(Settings(ocr=tool))
    assert ocr is not None
    assert ocr.pages([1], lambda _: b"/etc/passwd\n") == Read({}, f"{tool}: no picture to read")


# ------------------------------------------------------------------ which tool


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Programs that are the only ones installed: name = shell script."""

    def install(**scripts: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return install


PAGE = b"P5\n2 2\n255\n\xff\xff\xff\xff"
LARGE = b"P5\n1000 1000\n255\n" + b"\xff" * 1_000_000


def test_ocr_is_off_unless_asked_for(only: Callable[..., Path]) -> None:
    only(tesseract="echo found", ocrmypdf="echo found")
    assert Ocr.of(Settings()) is None


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_is_not_installed_is_named_with_the_command_that_installs_it(
    only: Callable[..., Path], tool: str
) -> None:
    only()
    with pytest.raises(UsageError, match=f"{tool} is not installed; apt-get install "):
        Ocr.of(Settings(ocr=tool))


@pytest.mark.parametrize(
    ("installed", "used"), [(TOOLS, "ocrmypdf"), (TOOLS[:1], "tesseract"), ((), None)]
)
def test_auto_takes_ocrmypdf_else_tesseract_else_nothing(
    only: Callable[..., Path], installed: tuple[str, ...], used: str | None
) -> None:
    only(**{name: f"echo I am {name} >&2; exit 1" for name in installed})
    ocr = Ocr.of(Settings(ocr="auto"))
    if used is None:
        assert ocr is None
        return
    assert ocr is not None
    assert ocr.pages([1], lambda _: PAGE) == Read({}, f"{used}: I am {used}")


# ------------------------------------------------------------------ whatever the tool does


def tesseract(seconds: float = 60, tool: str = "tesseract") -> Ocr:
    ocr = Ocr.of(Settings(ocr=tool, ocr_timeout=seconds))
    assert ocr is not None
    return ocr


def gone(pid_file: Path) -> bool:
    """Whether the process whose number stands in the file has ended; waits a little for it."""
    pid = int(pid_file.read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":  # dead, and nobody has asked after it
            return True
        time.sleep(0.05)
    return False


HANGS = "sleep 600 & echo $! > {0}/child; echo $$ > {0}/itself; wait"


def test_a_tool_that_hangs_is_killed_with_its_children_and_the_pages_before_it_are_kept(
    only: Callable[..., Path], tmp_path: Path
) -> None:
    """The limit is for the whole file; later pages are not tried."""
    hangs = f"[ -e {tmp_path}/first ] && {{ {HANGS.format(tmp_path)}; }}"
    only(tesseract=f"{hangs}; : > {tmp_path}/first; echo yes")
    asked: list[int] = []
    found = tesseract(3).pages([4, 5, 6], lambda page: asked.append(page) or PAGE)
    assert found == Read({4: "yes"}, "tesseract: longer than ocr_timeout = 3 s")
    assert asked == [4, 5]
    assert gone(tmp_path / "child")
    assert gone(tmp_path / "itself")


def test_stopping_ends_what_runs_in_another_thread(
    only: Callable[..., Path], tmp_path: Path
) -> None:
    """An interrupted ingest does not wait for OCR."""
    only(tesseract=HANGS.format(tmp_path))
    ocr = tesseract()
    found: list[Read] = []
    thread = threading.Thread(target=lambda: found.append(ocr.pages([1, 2], lambda _: PAGE)))
    thread.start()
    while not ((started := tmp_path / "itself").exists() and started.read_text()):
        time.sleep(0.02)
    ocr.stop()
    thread.join(30)
    assert [read.texts for read in found] == [{}]
    assert gone(tmp_path / "child")
    assert ocr.pages([3], lambda _: PAGE) == Read()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param("kill -SEGV $$", "tesseract: ended with status -11", id="crash"),
        pytest.param("exit 3", "tesseract: ended with status 3", id="silent failure"),
        pytest.param(r"printf '\033[2Jbad\nluck\007' >&2; exit 1", ": [2Jbad luck", id="codes"),
        pytest.param("yes oh | head -c 900000 >&2; exit 1", "oh oh  … oh", id="floods its errors"),
        pytest.param("/no/such/program", "tesseract: ", id="no such program"),
    ],
)  # fmt: skip
def test_a_failing_tool_costs_its_page_and_leaves_a_short_inert_reason(
    only: Callable[..., Path], script: str, problem: str
) -> None:
    only(tesseract=script)
    found = tesseract().pages([1], lambda _: PAGE)
    assert found.texts == {}
    assert problem in found.problem
    assert found.problem.isprintable()
    assert len(found.problem) <= 250


def test_a_tool_that_writes_no_text_where_it_should_is_told(only: Callable[..., Path]) -> None:
    only(ocrmypdf="exit 0")
    found = tesseract(tool="ocrmypdf").pages([1], lambda _: PAGE)
    assert found == Read({}, "ocrmypdf: No such file or directory")


def test_a_tool_that_reads_nothing_of_its_picture_stops_nothing(only: Callable[..., Path]) -> None:
    """The picture is larger than what waits in a pipe."""
    only(tesseract="echo text")
    assert tesseract().pages([1, 2], lambda _: LARGE) == Read({1: "text", 2: "text"})


def test_one_files_problem_is_never_told_of_another(only: Callable[..., Path]) -> None:
    """Two files at once, one of them blank: the problem of the other is none of its own."""
    only(tesseract="exit 0")
    ocr = tesseract()
    failed = threading.Event()
    found: dict[str, Read] = {}

    def broken(_: int) -> bytes:
        raise Unreadable("unreadable", "page 1 cannot be drawn")

    def blank(_: int) -> bytes:
        assert failed.wait(30)
        return PAGE

    def begin(name: str, draw: Callable[[int], bytes]) -> None:
        found[name] = ocr.pages([1], draw)
        failed.set()

    files = (("a.pdf", broken), ("b.pdf", blank))
    threads = [threading.Thread(target=begin, args=file) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {"a.pdf": Read({}, "page 1 cannot be drawn"), "b.pdf": Read()}


def test_a_flood_of_text_is_cut(only: Callable[..., Path]) -> None:
    only(tesseract="yes word | head -c 3000000")
    text = tesseract().pages([1], lambda _: PAGE).texts[1]
    assert 200_000 < len(text) < 300_000


def test_the_tool_may_not_take_all_memory(only: Callable[..., Path]) -> None:
    """The limit is set on the process itself, where the system has one."""
    pytest.importorskip("resource")
    only(tesseract="ulimit -v; ulimit -t; ulimit -c")
    assert tesseract(30).pages([1], lambda _: PAGE) == Read({1: f"{2 * 2**20}\n31\n0"})


def test_the_tool_sees_no_keys_of_ours_and_leaves_nothing_behind(
    only: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_OPENAI_API_KEY", "sk-secret")
    only(tesseract=f'env; : > "$TMPDIR/left"; echo "$TMPDIR" > {tmp_path}/where')
    seen = tesseract().pages([1], lambda _: PAGE).texts[1]
    assert "sk-secret" not in seen
    assert "OMP_THREAD_LIMIT=1" in seen
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_a_page_that_cannot_be_drawn_is_left_out_with_its_reason(
    only: Callable[..., Path],
) -> None:
    only(tesseract="echo text")

    def draw(page: int) -> bytes:
        if page == 1:
            raise Unreadable("unreadable", "page 1 cannot be drawn")
        return PAGE

    assert tesseract().pages([1, 2], draw) == Read({2: "text"}, "page 1 cannot be drawn")


# ------------------------------------------------------------------ whatever ends the ingest

#: Reads one page, for ever, in a thread like the ingest does; SIGTERM stops it as the pool does.
INGEST = """
import os, signal, sys, threading
import click
from ingest.ocr import Ocr
from rag.options import run
from rag.settings import Settings

@click.command()
def read() -> None:
    ocr = Ocr.of(Settings(ocr=sys.argv[1]))
    page = b"P5\\n1000 1000\\n255\\n" + b"SECRET  " * 125_000
    thread = threading.Thread(target=ocr.pages, args=[[1], lambda _: page])
    thread.start()
    try:
        threading.Event().wait()
    finally:
        ocr.stop()
        thread.join()

sys.exit(run(read, []))
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this process and of those it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def ended(tool: str, tmp_path: Path, number: signal.Signals) -> int:
    """The exit status of an ingest that the signal ended while its tool ran."""
    process = subprocess.Popen([sys.executable, "-c", INGEST, tool], stderr=subprocess.DEVNULL)
    while not ((started := tmp_path / "itself").exists() and started.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    return process.wait(60)


ENDS = [pytest.param(signal.SIGKILL, -9, id="killed"), pytest.param(signal.SIGTERM, 130, id="term")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
@pytest.mark.parametrize(("number", "status"), ENDS)
def test_the_tool_and_what_it_has_started_end_with_the_ingest(
    only: Callable[..., Path], tmp_path: Path, temporary: Path, number: signal.Signals, status: int
) -> None:
    only(tesseract=HANGS.format(tmp_path))
    assert ended("tesseract", tmp_path, number) == status
    assert gone(tmp_path / "itself")
    assert gone(tmp_path / "child")


@pytest.mark.parametrize(("number", "status"), ENDS)
def test_no_picture_of_a_page_is_left_in_the_file_system(
    only: Callable[..., Path], tmp_path: Path, temporary: Path, number: signal.Signals, status: int
) -> None:
    """Neither while the tool reads it nor after the ingest was ended."""
    seen = f"cat > {tmp_path}/picture; find {temporary} -type f > {tmp_path}/seen"
    only(tesseract=f"{seen}; {HANGS.format(tmp_path)}")
    assert ended("tesseract", tmp_path, number) == status
    assert b"SECRET" in (tmp_path / "picture").read_bytes()
    assert (tmp_path / "seen").read_text() == ""
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def test_the_next_start_removes_what_a_killed_ingest_has_left(
    only: Callable[..., Path], tmp_path: Path, temporary: Path
) -> None:
    """ocrmypdf makes pictures of its own; they lie in the private folder until then."""
    only(ocrmypdf=f'cat > "$TMPDIR/picture"; {HANGS.format(tmp_path)}')
    assert ended("ocrmypdf", tmp_path, signal.SIGKILL) == -9
    assert [path.name for path in temporary.glob("rag-ocr-*/*")] == ["picture"]
    assert Ocr.of(Settings(ocr="ocrmypdf")) is not None
    assert list(temporary.iterdir()) == []


def test_a_start_spares_what_is_in_use_and_what_is_not_a_folder_of_ours(
    only: Callable[..., Path], tmp_path: Path, temporary: Path
) -> None:
    """Two ingests may run at once; and a planted link leads nowhere."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "letter").write_text("dear")
    (temporary / "rag-ocr-link").symlink_to(kept)
    (temporary / "rag-ocr-file").write_text("not a folder")
    only(tesseract=f"{HANGS.format(tmp_path)}")
    ocr = tesseract()
    thread = threading.Thread(target=lambda: ocr.pages([1], lambda _: PAGE))
    thread.start()
    while not ((started := tmp_path / "itself").exists() and started.read_text()):
        time.sleep(0.02)
    tesseract()
    left = sorted(path.name for path in temporary.iterdir())
    ocr.stop()
    thread.join(30)
    assert len(left) == 3
    assert {"rag-ocr-file", "rag-ocr-link"} < set(left)
    assert (kept / "letter").read_text() == "dear"
    assert len(list(temporary.iterdir())) == 2


def test_another_users_folder_is_left_alone(
    only: Callable[..., Path], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(tesseract="echo text")
    (temporary / "rag-ocr-theirs").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    tesseract()
    assert (temporary / "rag-ocr-theirs").is_dir()


# ------------------------------------------------------------------ pictures of pages


def test_a_page_is_drawn_in_grey_at_the_resolution_asked_for(tmp_path: Path) -> None:
    path = typed(tmp_path / "a.pdf", FENCE)
    assert picture_of(render_page(path, 1))[:2] in ((2550, 3300), (2550, 3301))  # rounded up
    width, height, pixels = picture_of(render_page(path, 1, dpi=72))
    assert (width, height) == (612, 792)
    assert pixels[0] == 255
    assert min(pixels) < 100


@pytest.mark.parametrize("size", [(14_400, 14_400), (14_400, 3), (3, 14_400), (0.001, 14_400)])
def test_a_huge_page_is_drawn_smaller(tmp_path: Path, size: tuple[float, float]) -> None:
    path = typed(tmp_path / "a.pdf", FENCE, size=size)
    width, height, _ = picture_of(render_page(path, 1))
    assert width * height <= _PIXELS
    assert max(width, height) <= _SIDE


@given(st.floats(0, 1e9, allow_nan=False), st.floats(0, 1e9, allow_nan=False), st.floats(1, 10_000))
def test_no_page_size_makes_a_picture_beyond_the_limits(
    width: float, height: float, dpi: float
) -> None:
    scale = _scale(width, height, dpi)
    sides = [-int(-side * scale // 1) for side in (width, height)]  # rounded up, as pdfium does
    assert 0 < scale <= dpi / 72
    assert sides[0] * sides[1] <= _PIXELS
    assert max(sides) <= _SIDE


WORD = "heron"


def test_an_encrypted_page_is_drawn_with_the_password_that_opens_it(tmp_path: Path) -> None:
    path = scanned(tmp_path / "a.pdf", POND, password=WORD)
    with pytest.raises(Unreadable) as failure:
        render_page(path, 1, passwords=("stork",))
    assert failure.value.status == "password"
    assert "stork" not in str(failure.value)
    assert min(picture_of(render_page(path, 1, passwords=("stork", WORD)))[2]) < 100


@pytest.mark.parametrize(("page", "detail"), [(0, "no page 0 among 1"), (2, "no page 2 among 1")])
def test_a_page_that_is_not_there_is_named(tmp_path: Path, page: int, detail: str) -> None:
    path = typed(tmp_path / "a.pdf", POND)
    with pytest.raises(Unreadable, match=detail) as failure:
        render_page(path, page)
    assert failure.value.status == "unreadable"


def test_what_is_no_pdf_cannot_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 no more")
    with pytest.raises(Unreadable, match="damaged PDF") as failure:
        render_page(tmp_path / "a.pdf", 1)
    assert failure.value.status == "unreadable"
