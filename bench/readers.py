"""Our PDF reader, pdfium alone and pypdf alone, side by side on the same files.

    python bench/readers.py FOLDER_OR_PDF ...

Prints a Markdown table: pages read, pages a second, files that raised an error, pages without
text, and pages whose words fell into single letters. One process; a file that fails counts no
pages, but its time counts.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pypdf
import pypdfium2

from ingest.readers import read
from ingest.readers.pdf import _glyphs

Reader = Callable[[Path], list[str]]


def ours(path: Path) -> list[str]:
    document = read(path, title=path.stem)
    texts = {section.page: section.text for section in document.sections}
    return [texts.get(number, "") for number in range(1, (document.pages or 0) + 1)]


def pdfium(path: Path) -> list[str]:
    with closing(pypdfium2.PdfDocument(path)) as document:
        texts = []
        for number in range(len(document)):
            with closing(document[number]) as page, closing(page.get_textpage()) as layer:
                texts.append(layer.get_text_range())
        return texts


def plain_pypdf(path: Path) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(path).pages]


def row(name: str, reader: Reader, paths: list[Path]) -> str:
    pages: list[str] = []
    failed = 0
    started = time.perf_counter()
    for path in paths:
        try:
            pages += reader(path)
        except Exception:
            failed += 1
    seconds = time.perf_counter() - started
    silent = sum(not text.strip() for text in pages)
    split = sum(_glyphs(text) > 0.5 for text in pages)
    cells = [name, len(pages), f"{len(pages) / seconds:.0f}", failed, silent, split]
    return "| " + " | ".join(map(str, cells)) + " |"


def main(arguments: list[str]) -> int:
    given = [Path(argument) for argument in arguments]
    paths = [p for g in given for p in (sorted(g.rglob("*.pdf")) if g.is_dir() else [g])]
    if not paths:
        print(__doc__)
        return 2
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    print(f"{len(paths)} files\n")
    print("| reader | pages | pages/s | failed files | pages without text | pages in letters |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    readers: dict[str, Reader] = {"ours": ours, "pdfium": pdfium, "pypdf": plain_pypdf}
    for name, reader in readers.items():
        print(row(name, reader, paths), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
