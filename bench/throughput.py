"""Where the time of an ingest goes, and what more reading processes change.

    python bench/throughput.py ../shared/data/sec-10-q/pdfs [--full]

Reads every PDF of the folder in this process (as a script would) and through the pool with 1 and 2
children; with ``--full`` also ingests it with 1 and 2, and prints each stage's share.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ingest import ingest_folder
from ingest.chunker import Cutter
from ingest.pool import Pool
from ingest.readers import Unreadable, stream
from ingest.run import Run
from ingest.sandbox import Limits, Request
from rag.embedder import Embedder
from rag.records import Section
from rag.store.embedded import EmbeddedWriter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    files = sorted(f for f in arguments.folder.rglob("*.pdf"))
    print(f"{len(files)} files\n\n| reading | seconds | pages a second | ratio |")
    print("| --- | ---: | ---: | ---: |")
    alone, pages = timed(lambda: in_process(files))
    print(f"| in this process | {alone:.1f} | {pages / alone:,.0f} | 1 |")
    for workers in (1, 2):
        seconds, pages = timed(lambda w=workers: in_children(files, w))
        row = f"{workers} child{'ren' * (workers > 1)}"
        print(f"| {row} | {seconds:.1f} | {pages / seconds:,.0f} | {seconds / alone:.2f} |")
    if arguments.full:
        whole(arguments.folder)


def timed(work: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    pages = work()
    return time.perf_counter() - started, pages


def in_process(files: list[Path]) -> int:
    return sum(pages_of(stream(f, title=f.stem)) for f in files)


def in_children(files: list[Path], workers: int) -> int:
    with closing(Pool(Limits(60, 1 << 30), workers)) as pool:
        requests = [Request(f, f.stem) for f in files]
        return sum(map(pages_of, pool.read_all(requests)))


def pages_of(parts: Iterator[Any]) -> int:
    try:
        return sum(isinstance(part, Section) for part in parts)
    except Unreadable:
        return 0


def whole(folder: Path) -> None:
    """An ingest with 1 and with 2 readers, and the seconds of the parent's stages."""
    print("\n| whole ingest | seconds | waiting for readers | chunking | embedding | storing |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for workers in (1, 2):
        spent: dict[str, float] = defaultdict(float)
        with watched(spent), tempfile.TemporaryDirectory() as index:
            started = time.perf_counter()
            report = ingest_folder(folder, index=Path(index) / "index", workers=workers)
            seconds = time.perf_counter() - started
        shares = " | ".join(
            f"{spent[stage] / seconds:.0%}" for stage in ("wait", "chunk", "embed", "store")
        )
        print(f"| {workers} reading, {report.chunks:,} chunks | {seconds:.1f} | {shares} |")


@contextmanager
def watched(spent: dict[str, float]) -> Iterator[None]:
    """Adds up the seconds of each stage; all of them run in this thread, one after another."""
    patched = [
        (Cutter, "cut", "chunk"),
        (Embedder, "embed_passages", "embed"),
        *((EmbeddedWriter, name, "store") for name in ("put", "remove", "checkpoint", "publish")),
    ]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in patched]
    for (owner, name, stage), (_, _, original) in zip(patched, originals, strict=True):
        setattr(owner, name, counting(original, spent, stage))
    take = Run._take  # noqa: SLF001 - the loop over one file's parts is what waits

    def waiting(run: Run, task: Any, parts: Iterator[Any]) -> None:
        take(run, task, counted(parts, spent))

    Run._take = waiting  # type: ignore[method-assign]  # noqa: SLF001
    try:
        yield
    finally:
        Run._take = take  # type: ignore[method-assign]  # noqa: SLF001
        for owner, name, original in originals:
            setattr(owner, name, original)


def counting(original: Callable[..., Any], spent: dict[str, float], stage: str) -> Any:
    def measured(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[stage] += time.perf_counter() - started

    return measured


def counted(parts: Iterator[Any], spent: dict[str, float]) -> Iterator[Any]:
    while True:
        started = time.perf_counter()
        part = next(parts, None)
        spent["wait"] += time.perf_counter() - started
        if part is None:
            return
        yield part


if __name__ == "__main__":
    main()
