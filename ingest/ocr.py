"""OCR: the text of scanned pages, read off their pictures by a program of the system.

Off unless the setting ``ocr`` names a tool. The tool never meets the file itself, whose author
is unknown: it gets pictures that the bounded child has drawn (`ingest.readers.pdf_image`), one
page a call, and works under limits of its own (`ingest.ocr_tool`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingest.ocr_tool import LONGEST_TEXT, Failed, Tool, private_folder, sweep
from ingest.readers import Unreadable, cause, clean
from rag.errors import UsageError
from rag.settings import Settings

#: Tool → how to install it. The order is that of ``auto``: ocrmypdf straightens crooked pages.
_INSTALL = {
    "ocrmypdf": "apt-get install ocrmypdf, or brew install ocrmypdf",
    "tesseract": "apt-get install tesseract-ocr, or brew install tesseract",
}
#: What tesseract writes through ocrmypdf for a page it has given up.
_GIVEN_UP = "[skipped page]"
#: The tool's text in its private folder, where it cannot give it any other way.
_TEXT = "page.txt"


@dataclass(frozen=True, slots=True)
class Read:
    """What OCR found: page (from 1) → its text, for those with any; and the latest reason why a
    page was not read, «» when there was none."""

    texts: dict[int, str] = field(default_factory=dict)
    problem: str = ""


class Ocr:
    """One tool with its languages and limits; several threads may use it at once."""

    def __init__(self, tool: str, program: str, *, languages: str, timeout: float) -> None:
        self._name = tool
        self._tool = Tool(program, timeout)
        self._languages = languages
        self._timeout = timeout

    @staticmethod
    def of(settings: Settings) -> Ocr | None:
        """The tool that the settings name; None when OCR is off, or ``auto`` and none is there.
        Removes what killed ingests have left.

        Raises UsageError when a named tool is not installed.
        """
        for tool in _INSTALL if settings.ocr == "auto" else filter(None, [settings.ocr]):
            if program := shutil.which(tool):
                sweep()
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

    def pages(self, numbers: Sequence[int], render: Callable[[int], bytes]) -> Read:
        """What is found on the pages ``numbers``.

        ``render`` gives a page as a binary PGM of about 300 dpi, or raises Unreadable. All pages
        together take ``ocr_timeout`` seconds at most; then what was found so far is given.
        Raises nothing of its own.
        """
        found: dict[int, str] = {}
        problem = ""
        until = time.monotonic() + self._timeout
        for number in numbers:
            if self._tool.stopped:
                break
            try:
                text = self._text(render(number), until)
            except Unreadable as failure:
                problem = failure.detail
            except Failed as failure:
                problem = f"{self._name}: {failure}"
            except OSError as failure:
                problem = f"{self._name}: {failure.strerror or cause(failure)}"
            else:
                found |= {number: text} if text else {}
            if time.monotonic() >= until:
                problem = f"{self._name}: longer than ocr_timeout = {self._timeout:g} s"
                break
        return Read(found, problem)

    def stop(self) -> None:
        """End whatever runs, in whichever thread; no page is read any more."""
        self._tool.stop()

    def _text(self, picture: bytes, until: float) -> str:
        """The text on one picture. Raises Failed, OSError."""
        if not picture.startswith(b"P5"):  # tesseract takes anything else for names of files
            raise Failed("no picture to read")
        with private_folder() as folder:
            data = self._tool.run(self._arguments(), picture, folder, until)
            if self._name != "tesseract":
                with (folder / _TEXT).open("rb") as file:
                    data = file.read(LONGEST_TEXT)
            text = clean(data.decode(errors="replace")).strip()
        return "" if text == _GIVEN_UP else text

    def _arguments(self) -> list[str]:
        """Both read the picture from standard input; the text goes to standard output, with
        ocrmypdf into a file in the private folder."""
        if self._name == "tesseract":
            return ["stdin", "stdout", "-l", self._languages]
        return [
            *("--quiet", "--jobs", "1", "--language", self._languages),
            *("--image-dpi", "300", "--deskew", "--tesseract-timeout", str(self._timeout)),
            *("--output-type", "none", "--sidecar", _TEXT, "-", "-"),
        ]
