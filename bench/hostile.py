"""Ingest folders that nobody curated, and account for every file, second and megabyte.

    python bench/hostile.py [FOLDER ...] [--no-references]

Without a folder: ../shared/data/hostile, and the bombs of tests/bombs.py. Prints, for each folder,
a table of statuses by file type, files without a status (must be 0), seconds, how far the memory
of the ingesting process grew beyond that with the model loaded (and one file of one line ingested,
so that all modules are), and the largest of its reading processes. Then, of the files from which a
reference gets any text, the share from which we do, and how many of its words: pypdf and pdfium
for PDFs, LibreOffice for office files where it is installed, the format's plain library for mail,
web pages, books and text.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ingest.readers import SUFFIXES
from rag.records import FileRecord
from rag.store.base import chunk_id
from rag.store.embedded import EmbeddedReader

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from bombs import make_bombs

HOSTILE = Path(__file__).parents[2] / "shared" / "data" / "hostile"
_SAMPLED_EVERY = 0.05  # seconds; a peak between two samples is seen where the system keeps one
_REFERENCE_SECONDS = 30.0  # for one file; a reference has no limits of its own

# ------------------------------------------------------------------ the run and its memory

#: argv: folder, index. Everything that an ingest needs is in memory before «loaded».
INGEST = """
import functools, json, sys, tempfile
from pathlib import Path
import rag.embedder
from ingest import ingest_folder
from rag.settings import load_settings
rag.embedder.openvino_runtime = functools.cache(rag.embedder.openvino_runtime)
rag.embedder.Embedder(load_settings()).embed_passages(["word " * n for n in range(40, 250)])
with tempfile.TemporaryDirectory() as base:
    (Path(base) / "docs").mkdir()
    (Path(base) / "docs" / "one.txt").write_text("One line.")
    ingest_folder(Path(base) / "docs", index=str(Path(base) / "index"))
try:
    open("/proc/self/clear_refs", "w").write("5")  # the peak so far is not the run's
except OSError:
    pass
print("loaded", flush=True)
sys.stdin.readline()
report = ingest_folder(sys.argv[1], index=sys.argv[2], yes=True)
print(json.dumps(report.to_dict()))
"""


@dataclass
class Memory:
    """Megabytes: of the parent with the model loaded and at its peak (``own``: without mapped
    files, such as those of the index), of the largest child at its peak."""

    loaded: float = 0.0
    peak: float = 0.0
    own_loaded: float = 0.0
    own_peak: float = 0.0
    child: float = 0.0
    children: set[int] = field(default_factory=set)


def resident(pid: int) -> tuple[float, float, float]:
    """Megabytes resident now, at the peak as far as the system tells, and without files."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        found = dict(re.findall(r"^(VmRSS|VmHWM|RssAnon):\s+(\d+) kB", status, re.MULTILINE))
        if len(found) == 3:
            now, peak, own = (int(found[n]) / 1024 for n in ("VmRSS", "VmHWM", "RssAnon"))
            return now, peak, own
    with contextlib.suppress(psutil.Error):
        now = psutil.Process(pid).memory_info().rss / 2**20
        return now, now, now
    return 0.0, 0.0, 0.0


def watch(pid: int, memory: Memory, stop: threading.Event) -> None:
    """Sample the process and its children until told to stop."""
    while not stop.wait(_SAMPLED_EVERY):
        _, peak, own = resident(pid)
        memory.peak, memory.own_peak = max(memory.peak, peak), max(memory.own_peak, own)
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(pid).children(recursive=True):
                memory.children.add(child.pid)
                memory.child = max(memory.child, resident(child.pid)[1])


def ingest(folder: Path, index: Path) -> tuple[dict[str, Any], float, Memory]:
    """The report, the seconds and the memory of one ingest, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", INGEST, str(folder), str(index)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "loaded\n"
    memory, stop = Memory(), threading.Event()
    memory.loaded, _, memory.own_loaded = resident(process.pid)
    watcher = threading.Thread(target=watch, args=(process.pid, memory, stop))
    watcher.start()
    started = time.monotonic()
    out, _ = process.communicate("go\n")
    stop.set()
    watcher.join()
    assert process.returncode == 0, f"the ingest ended with {process.returncode}"
    return json.loads(out), time.monotonic() - started, memory


# ------------------------------------------------------------------ what became of the files


def entries(folder: Path) -> set[str]:
    """Every name below the folder that is no folder itself; links are not followed."""
    names = set()
    for path, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(path) / name).is_symlink()]
        for name in (*files, *links):
            names.add((Path(path) / name).relative_to(folder).as_posix())
        folders[:] = [name for name in folders if not name.startswith(".")]
    return names


def stored(index: Path) -> tuple[dict[str, FileRecord], dict[str, str]]:
    """The ledger, and file → all its text."""
    with closing(EmbeddedReader(index)) as reader:
        fingerprint = reader.meta().fingerprint
        ledger = {record.file: record for record in reader.files()}
        texts = {}
        for r in ledger.values():
            ids = [chunk_id(r.file, r.content, n, fingerprint) for n in range(r.chunks)]
            texts[r.file] = "".join(chunk.text for chunk in reader.chunks(ids))
    return ledger, texts


def ending(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return suffix if suffix in SUFFIXES else "others"


def statuses(ledger: dict[str, FileRecord]) -> Iterator[str]:
    """Markdown: file types down, statuses across."""
    names = [s for s, _ in Counter(r.status for r in ledger.values()).most_common()]
    yield "| type | files | " + " | ".join(names) + " | slowest, s |"
    yield "| --- |" + " ---: |" * (len(names) + 2)
    by_type: dict[str, list[FileRecord]] = {}
    for record in ledger.values():
        by_type.setdefault(ending(record.file), []).append(record)
    for kind, records in sorted(by_type.items(), key=lambda item: -len(item[1])):
        counts = Counter(r.status for r in records)
        cells = [str(counts[name] or "") for name in names]
        slowest = max(r.seconds for r in records)
        yield f"| {kind} | {len(records)} | " + " | ".join(cells) + f" | {slowest:.1f} |"
    whole = Counter(r.status for r in ledger.values())
    cells = [str(whole[name]) for name in names]
    yield f"| all | {len(ledger)} | " + " | ".join(cells) + " | |"


# ------------------------------------------------------------------ references

#: Reads (how, path) lines, answers with the words found, one JSON list a line.
REFERENCE = r"""
import email, email.policy, json, re, sys, zipfile
def pdfium(path):
    import pypdfium2
    document = pypdfium2.PdfDocument(path)
    return " ".join(page.get_textpage().get_text_range() for page in document)
def pypdf(path):
    import logging, pypdf
    logging.disable(logging.CRITICAL)
    return " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
def markup(data):
    import lxml.html
    root = lxml.html.fromstring(data)
    for hidden in root.xpath("//script|//style|//template|//noscript"):
        hidden.drop_tree()
    return root.text_content()
def web(path):
    return markup(open(path, "rb").read())
def book(path):
    with zipfile.ZipFile(path) as z:
        return " ".join(markup(z.read(n)) for n in z.namelist() if n.endswith(("html", "htm")))
def mail(path):
    message = email.message_from_binary_file(open(path, "rb"), policy=email.policy.compat32)
    texts = [str(message["Subject"] or "")]
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            texts.append((part.get_payload(decode=True) or b"").decode("latin-1"))
    return " ".join(texts)
def outlook(path):
    import olefile
    with olefile.OleFileIO(path) as container:
        streams = {s[-1]: container.openstream(s).read() for s in container.listdir()[::-1]}
    wide = streams.get("__substg1.0_1000001F", b"").decode("utf-16-le", "replace")
    return wide or streams.get("__substg1.0_1000001E", b"").decode("latin-1")
def text(path):
    import charset_normalizer
    return str(charset_normalizer.from_path(path).best() or "")
for line in sys.stdin:
    how, path = json.loads(line)
    try:
        found = globals()[how](path)
    except BaseException:
        found = ""
    words = sorted({w.lower() for w in re.findall(r"[^\W_]{3,}", found)})
    print(json.dumps(words[:20000]), flush=True)
"""

_OFFICE = (
    ".docx", ".docm", ".dotx", ".odt", ".rtf", ".pptx", ".pptm", ".xlsx", ".xlsm", ".xlsb",
    ".xls", ".ods", ".odp",
)  # fmt: skip
_HOW = {
    ".pdf": ("pdfium", "pypdf"), ".html": ("web",), ".htm": ("web",), ".xhtml": ("web",),
    ".epub": ("book",), ".eml": ("mail",), ".msg": ("outlook",), ".txt": ("text",),
    ".text": ("text",), ".rst": ("text",), ".md": ("text",), ".markdown": ("text",),
    ".csv": ("text",), ".tsv": ("text",), ".json": ("text",), ".jsonl": ("text",),
}  # fmt: skip


class Reference:
    """A process that reads with plain libraries; killed and started again where they hang."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def words(self, how: str, path: Path) -> set[str]:
        """Distinct words of three letters or more; none where the library fails or hangs."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", REFERENCE], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([how, str(path)]) + "\n")
        process.stdin.flush()
        if select.select([process.stdout], [], [], _REFERENCE_SECONDS)[0] and (
            line := process.stdout.readline()
        ):
            return set(json.loads(line))
        self.close()
        return set()

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


def converted(paths: list[Path], into: Path) -> dict[Path, Path]:
    """Office file → the PDF that LibreOffice makes of it; those it cannot open are missing."""
    program = shutil.which("soffice")
    made: dict[Path, Path] = {}
    for number, path in enumerate(paths if program else []):
        folder = into / str(number)  # names repeat across folders
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [str(program), f"-env:UserInstallation=file://{into}/profile", "--headless",
                 "--convert-to", "pdf", "--outdir", str(folder), str(path)],
                capture_output=True, timeout=_REFERENCE_SECONDS * 2, check=False,
            )  # fmt: skip
        for pdf in folder.glob("*.pdf"):
            made[path] = pdf
    return made


def references(folder: Path, ledger: dict[str, FileRecord], into: Path) -> dict[str, set[str]]:
    """File → the words that a reference gets from it, for files of which it gets any."""
    found: dict[str, set[str]] = {}
    office = [folder / f for f in ledger if Path(f).suffix.lower() in _OFFICE]
    pdfs = converted(office, into)
    with closing(Reference()) as reference:
        for name in ledger:
            path = folder / name
            if not path.is_file() or path.is_symlink():
                continue
            ways = _HOW.get(path.suffix.lower(), ())
            words = set().union(*(reference.words(how, path) for how in ways))
            if path in pdfs:
                words = reference.words("pdfium", pdfs[path])
            if words:
                found[name] = words
    return found


def recovered(
    reference: dict[str, set[str]], ledger: dict[str, FileRecord], texts: dict[str, str]
) -> Iterator[str]:
    """Markdown: by type, from how many of the reference's files we have text, and its words."""
    yield "| type | reference has text | we have text | | of its words, median | under half |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    missed = []
    by_type: dict[str, list[str]] = {}
    for name in reference:
        by_type.setdefault(ending(name), []).append(name)
        if not texts[name]:
            missed.append(f"- {name}: {ledger[name].status}: {ledger[name].detail}")
    groups = {".pdf": by_type.pop(".pdf", []), **by_type}
    groups["all but PDF"] = [name for names in by_type.values() for name in names]
    for kind, names in groups.items():
        if names:
            ours = [name for name in names if texts[name]]
            shares = [_share(reference[name], texts[name]) for name in ours] or [0.0]
            low = sum(share < 0.5 for share in shares)
            yield (
                f"| {kind} | {len(names)} | {len(ours)} | {len(ours) / len(names):.1%} | "
                f"{statistics.median(shares):.0%} | {low} |"
            )
    yield ""
    yield from sorted(missed)


def _share(words: set[str], text: str) -> float:
    own = {w.lower() for w in re.findall(r"[^\W_]{3,}", text)}
    return len(words & own) / len(words)


# ------------------------------------------------------------------ the report


def examine(folder: Path, base: Path, *, compare: bool) -> int:
    """Ingest one folder and print all about it; how many files are unaccounted for."""
    index = base / "index"
    report, seconds, memory = ingest(folder, index)
    ledger, texts = stored(index)
    here = entries(folder)
    lost = sorted(here - set(ledger)) + sorted(set(ledger) - here)
    print(f"\n## {folder.name}\n")
    print("\n".join(statuses(ledger)))
    growth, own = memory.peak - memory.loaded, memory.own_peak - memory.own_loaded
    print(
        f"\n{len(ledger)} files in {seconds:.0f} s, {report['chunks']} chunks; unaccounted for: "
        f"{len(lost)} {lost[:9] or ''}\n\nMemory: {memory.loaded:.0f} MB with the model loaded, at "
        f"most {growth:+.0f} MB beyond that ({own:+.0f} MB without mapped files); the largest of "
        f"{len(memory.children)} reading processes {memory.child:.0f} MB."
    )
    if compare:
        found = references(folder, ledger, base / "converted")
        print("\n" + "\n".join(recovered(found, ledger, texts)), flush=True)
    return len(lost)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--no-references", action="store_true")
    given = parser.parse_args(arguments)
    lost = 0
    with tempfile.TemporaryDirectory(prefix="affidavit-hostile-") as base:
        folders = given.folders or [f for f in (HOSTILE,) if f.is_dir()]
        for number, folder in enumerate(folders):
            lost += examine(folder, Path(base) / str(number), compare=not given.no_references)
        if not given.folders:
            make_bombs(Path(base) / "bombs")
            lost += examine(Path(base) / "bombs", Path(base) / "last", compare=False)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
