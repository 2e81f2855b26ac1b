"""OCR: the text of scanned pages, read off their pictures by a program of the system.

Off unless the setting ``ocr`` names a tool. The tool never meets the file itself, whose author
is unknown: it gets pictures that the bounded child has drawn (`ingest.readers.pdf_image`), one
page a call, and works under limits of its own.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest.readers import Unreadable, cause, clean
from rag.errors import UsageError
from rag.render import one_line
from rag.settings import Settings

#: Tool → how to install it. The order is that of ``auto``: ocrmypdf straightens crooked pages.
_INSTALL = {
    "ocrmypdf": "apt-get install ocrmypdf, or brew install ocrmypdf",
    "tesseract": "apt-get install tesseract-ocr, or brew install tesseract",
}
#: Address space of the tool, bytes. A plain page of 40 million pixels is read within 256 MiB by
#: tesseract 5.3 and within 512 MiB by ocrmypdf 14 and 17 [measured]; crowded ones need more.
_MEMORY = 2 * 2**30
#: Longest file the tool may write, bytes: its intermediate pictures; set by hand.
_LONGEST_FILE = 2**29
#: Text kept of one page, bytes. A page full of small print has 10,000; set by hand.
_LONGEST_TEXT = 2**18
#: What tesseract writes through ocrmypdf for a page it has given up.
_GIVEN_UP = "[skipped page]"

#: A start in between sets the limits: between fork and exec of a process with threads no Python
#: may run. The limit on processor time ends a tool whose ingest was killed.
_LIMITED = """
import os, resource, sys
for name, value in zip(("AS", "FSIZE", "CPU"), sys.argv[1:4]):
    limit = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(limit)[1]
    value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    resource.setrlimit(limit, (value, value))
try:
    os.execv(sys.argv[4], sys.argv[4:])
except OSError as error:
    sys.exit(str(error))
"""


class _Failed(Exception):
    """Why the tool gave no text, in a few words."""


class Ocr:
    """One tool with its languages and limits; several threads may use it at once.

    ``problem`` is the latest reason why a page was not read, «» when there was none.
    """

    def __init__(self, tool: str, program: str, *, languages: str, timeout: float) -> None:
        self.problem = ""
        self._tool = tool
        self._program = program
        self._languages = languages
        self._timeout = timeout
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    @staticmethod
    def of(settings: Settings) -> Ocr | None:
        """The tool that the settings name; None when OCR is off, or ``auto`` and none is there.

        Raises UsageError when a named tool is not installed.
        """
        for tool in _INSTALL if settings.ocr == "auto" else filter(None, [settings.ocr]):
            if program := shutil.which(tool):
                return Ocr(
                    tool,
                    program,
                    languages=settings.ocr_languages,
                    timeout=settings.ocr_timeout,
                )
        if settings.ocr in ("", "auto"):
            return None
        raise UsageError(
            f"ocr = {settings.ocr}, but {settings.ocr} is not installed", _INSTALL[settings.ocr]
        )

    def pages(self, numbers: Sequence[int], render: Callable[[int], bytes]) -> dict[int, str]:
        """Page (from 1) → its text, for those of ``numbers`` on which any was found.

        ``render`` gives a page as a binary PGM of about 300 dpi, or raises Unreadable. All pages
        together take ``ocr_timeout`` seconds at most; then what was found so far is given.
        Raises nothing of its own: ``problem`` says what went wrong.
        """
        found: dict[int, str] = {}
        until = time.monotonic() + self._timeout
        for number in numbers:
            if self._stopped:
                break
            try:
                text = self._text(render(number), until)
            except Unreadable as failure:
                self.problem = failure.detail
            except _Failed as failure:
                self.problem = f"{self._tool}: {failure}"
            except OSError as failure:
                self.problem = f"{self._tool}: {failure.strerror or cause(failure)}"
            else:
                found |= {number: text} if text else {}
            if time.monotonic() >= until:
                self.problem = f"{self._tool}: longer than ocr_timeout = {self._timeout:g} s"
                break
        return found

    def stop(self) -> None:
        """End whatever runs, in whichever thread; no page is read any more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)

    def _text(self, picture: bytes, until: float) -> str:
        """The text on one picture. Raises _Failed, OSError."""
        if not picture.startswith(b"P5"):  # tesseract takes anything else for names of files
            raise _Failed("no picture to read")
        with tempfile.TemporaryDirectory(prefix="rag-ocr-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "page.pgm").write_bytes(picture)
            self._run(folder, until)
            with (folder / "page.txt").open("rb") as file:
                text = file.read(_LONGEST_TEXT).decode(errors="replace")
        text = clean(text).strip()
        return "" if text == _GIVEN_UP else text

    def _run(self, folder: Path, until: float) -> None:
        with (folder / "page.pgm").open("rb") as picture, (folder / "errors").open("w+b") as errors:
            process = self._start(folder, picture.fileno(), errors.fileno())
            try:
                code = process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise _Failed("stopped, its time was up") from None
            finally:
                with self._lock:
                    self._running.discard(process)
                    if process.poll() is None:
                        _kill(process)
                process.wait()
            if self._stopped:
                raise _Failed("stopped")
            if code:
                errors.seek(0)
                told = one_line(errors.read(2000).decode(errors="replace"))
                told = told if len(told) <= 200 else f"{told[:120]} … {told[-80:]}"
                raise _Failed(told or f"ended with status {code}")

    def _start(self, folder: Path, picture: int, errors: int) -> subprocess.Popen[bytes]:
        # Keys in our settings are none of the tool's business; what it leaves goes with the folder.
        own = {k: v for k, v in os.environ.items() if not k.startswith("RAG_")}
        with self._lock:
            if self._stopped:
                raise _Failed("stopped")
            process = subprocess.Popen(  # noqa: S603 - a program found on the user's own path
                [*self._limits(), self._program, *self._arguments(folder / "page.txt")],
                stdin=picture,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=folder,
                env={**own, "OMP_THREAD_LIMIT": "1", "TMPDIR": str(folder)},
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def _limits(self) -> list[str]:
        if sys.platform == "win32":  # has no such limits
            return []
        seconds = math.ceil(self._timeout) + 1
        limits = [str(n) for n in (_MEMORY, _LONGEST_FILE, seconds)]
        return [sys.executable, "-I", "-S", "-c", _LIMITED, *limits]

    def _arguments(self, text: Path) -> list[str]:
        """Both read the picture from standard input and write ``text``."""
        if self._tool == "tesseract":  # adds «.txt» itself
            return ["stdin", str(text.with_suffix("")), "-l", self._languages]
        return [
            *("--quiet", "--jobs", "1", "--language", self._languages),
            *("--image-dpi", "300", "--deskew", "--tesseract-timeout", str(self._timeout)),
            *("--output-type", "none", "--sidecar", str(text), "-", "-"),
        ]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it has started."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
