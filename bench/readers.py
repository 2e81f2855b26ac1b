"""Our PDF reader, pdfium alone and pypdf alone, side by side on the same files.

    python bench/readers.py FOLDER_OR_PDF ... [--questions FILE.jsonl] [--pypdf-every 10]

Prints a Markdown table: pages read, pages a second, files that raised an error, pages without
text, pages whose words fell into single letters, words kept out because nobody sees them. With
``--questions`` (lines with ``evidence``: file, page, text) also how many of those texts have at
least 90 % of their words on the stated page. ``--pypdf-every``: pypdf, some twenty times slower,
reads every tenth page and those of the questions. One process; a file that fails counts no pages,
but its time counts.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pypdf
import pypdfium2

from ingest.readers import Options, stream
from ingest.readers.pdf_text import glyphs
from rag.records import Ending, Opening, Section

Wanted = Callable[[int], bool]
_WORD = re.compile(r"\w+")


@dataclass
class Tally:
    """What one reader made of the files."""

    pages: int = 0
    failed: list[str] = field(default_factory=list)
    silent: int = 0
    split: int = 0
    hidden: int = 0
    seconds: float = 0.0
    texts: dict[tuple[str, int], str] = field(default_factory=dict)


def ours(path: Path, wanted: Wanted, tally: Tally) -> Iterator[tuple[int, str]]:
    texts: dict[int, str] = {}
    pages = 0
    for part in stream(path, title=path.stem, options=Options()):
        if isinstance(part, Opening):
            pages = part.pages or 0
        elif isinstance(part, Section):
            texts[part.page or 0] = part.text
        elif isinstance(part, Ending):
            tally.hidden += part.hidden
    yield from ((number, texts.get(number, "")) for number in range(1, pages + 1))


def pdfium(path: Path, wanted: Wanted, tally: Tally) -> Iterator[tuple[int, str]]:
    with closing(pypdfium2.PdfDocument(path)) as document:
        for number in range(1, len(document) + 1):
            with closing(document[number - 1]) as page, closing(page.get_textpage()) as layer:
                yield number, layer.get_text_range()


def plain_pypdf(path: Path, wanted: Wanted, tally: Tally) -> Iterator[tuple[int, str]]:
    for number, page in enumerate(pypdf.PdfReader(path).pages, 1):
        if wanted(number):
            yield number, page.extract_text()


READERS = {"ours": ours, "pdfium": pdfium, "pypdf": plain_pypdf}


def tallied(name: str, paths: Iterable[Path], asked: dict[str, set[int]], every: int) -> Tally:
    """Read all files with one reader; texts of the pages in ``asked`` are kept."""
    tally = Tally()
    started = time.perf_counter()
    for path in paths:
        kept = asked.get(path.name, set())
        step = every if name == "pypdf" else 1

        def wanted(number: int, kept: set[int] = kept, step: int = step) -> bool:
            return number % step == 0 or number in kept

        read: list[tuple[int, str]] = []
        try:
            read = list(READERS[name](path, wanted, tally))
        except Exception as error:
            tally.failed.append(f"{path.name} ({name}: {type(error).__name__})")
        tally.pages += len(read)
        tally.silent += sum(not text.strip() for _, text in read)
        tally.split += sum(glyphs(text) > 0.5 for _, text in read)
        tally.texts |= {(path.name, number): text for number, text in read if number in kept}
    tally.seconds = time.perf_counter() - started
    return tally


def recovered(evidence: str, page: str) -> float:
    """The share of the evidence's words that stand on the page, each as often as it is there."""
    words = Counter(_WORD.findall(evidence.lower()))
    missing = words - Counter(_WORD.findall(page.lower()))
    return 1 - missing.total() / max(words.total(), 1)


def questioned(file: Path | None, names: set[str]) -> list[tuple[str, int, str]]:
    """(file, page, text) of each piece of evidence in the files that are read."""
    if file is None:
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [piece for line in lines for piece in json.loads(line)["evidence"]]
    return [(p["file"], p["page"], p["text"]) for p in found if p["file"] in names]


def row(name: str, tally: Tally, evidence: list[tuple[str, int, str]]) -> str:
    good = sum(recovered(t, tally.texts.get((f, p), "")) >= 0.9 for f, p, t in evidence)
    cells = [
        name, f"{tally.pages:,}", f"{tally.pages / max(tally.seconds, 1e-9):.0f}",
        len(tally.failed), tally.silent, tally.split, tally.hidden if name == "ours" else "–",
    ]  # fmt: skip
    if evidence:
        cells.append(f"{good} of {len(evidence)}")
    return "| " + " | ".join(map(str, cells)) + " |"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="PDF readers side by side")
    parser.add_argument("pdfs", nargs="+", type=Path)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--pypdf-every", type=int, default=1)
    given = parser.parse_args(arguments)
    paths = [p for g in given.pdfs for p in (sorted(g.rglob("*.pdf")) if g.is_dir() else [g])]
    if not paths:
        print("readers: no *.pdf there", file=sys.stderr)
        return 1
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    evidence = questioned(given.questions, {path.name for path in paths})
    asked: dict[str, set[int]] = defaultdict(set)
    for file, page, _ in evidence:
        asked[file].add(page)
    sample = f"; pypdf reads every {given.pypdf_every}th page" if given.pypdf_every > 1 else ""
    print(f"{len(paths)} files, load before the run {os.getloadavg()[0]:.1f}{sample}\n")
    more = (" evidence on its page |", " ---: |") if evidence else ("", "")
    print("| reader | pages | pages/s | failed files | without text | in letters | hidden words |"
          + more[0])  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |" + more[1])
    failed: list[str] = []
    for name in READERS:
        tally = tallied(name, paths, asked, given.pypdf_every)
        failed += tally.failed
        print(row(name, tally, evidence), flush=True)
    print(f"\nFailed: {', '.join(failed) or 'none'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
