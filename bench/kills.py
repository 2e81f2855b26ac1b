"""Kill `rag ingest` at random moments and at every failpoint, and see what it costs.

    python bench/kills.py [--moments 200] [--seed N] [--qdrant-url URL]

A folder of some 25 small documents is indexed, then changed: edits, renames, deletions, copies,
new files, a file replaced by a folder, one that breaks. A real `rag ingest` of the change (or a
first one, or a rebuild with another chunk size) is killed with SIGKILL. Then, at once, the index
must be the whole old one or the whole new one, `rag status` and `rag search` must work, no child
may be left, and a second run must end with what an undisturbed run gives: the same set of (file,
sha256, status, chunk id, sha256 of the chunk's text). Prints a Markdown table; ends with 1 when
anything was wrong.

Where a run keeps what it has on the way (a long one does so every minute; here one that does it
after every few chunks), and on a server (``--qdrant-url`` or ``QDRANT_URL``), files change one
after the other: then each file must be the whole old or the whole new one.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import rag.embedder
from ingest import ingest_folder
from rag.cli import cli
from rag.errors import IndexMissing
from rag.failpoints import NAMES
from rag.options import run
from rag.settings import load_settings
from rag.store import open_reader
from rag.store.base import chunk_id
from rag.store.generations import copy_sparse

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from bombs import docx, long_pdf, write_docx

#: One compiled model for all the undisturbed runs of this process; the killed ones have their own.
rag.embedder.openvino_runtime = functools.cache(rag.embedder.openvino_runtime)

#: (file, sha256 of its bytes, status, chunk id, sha256 of the chunk's text); the last two are ""
#: for a file without chunks.
Line = tuple[str, str, str, str, str]
Digest = frozenset[Line]

#: A child that is still there so many seconds after its parent was killed is left over.
_LEFT_OVER = 10.0

#: What the files are about: words that a search can find.
TOPICS = ("orchards", "harvests", "pumps", "audits", "leases", "bridges", "payrolls", "turbines")


# ------------------------------------------------------------------ the folder, before and after


def text(name: str, version: int) -> str:
    """Three paragraphs that say whose and of which version they are."""
    topic = TOPICS[sum(name.encode()) % len(TOPICS)]
    return "\n\n".join(
        f"Paragraph {n} of {name}, version {version}: the report on {topic} counts {n * version} "
        f"of them in {1990 + n}, and the committee for {topic} agrees with the figures."
        for n in range(1, 4)
    )


def put(folder: Path, name: str, version: int = 1) -> None:
    """Write one document in the format of its ending."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text(path.stem, version)
    match path.suffix:
        case ".docx":
            write_docx(path, docx(content))
        case ".pdf":
            long_pdf(path, 2 + version)
        case ".html":
            body = "".join(f"<p>{p}</p>" for p in content.split("\n\n"))
            path.write_text(f"<html><head><title>{path.stem}</title></head><body>{body}</body>")
        case ".md":
            path.write_text(f"# {path.stem}\n\n{content}\n")
        case _:
            path.write_text(content + "\n")


BEFORE = (
    *(f"{n}.txt" for n in "abcdefghi"),
    *(f"notes/{n}.md" for n in "jklmn"),
    *(f"web/{n}.html" for n in "opqr"),
    "s.docx", "t.docx", "u.pdf", "v.pdf",
)  # fmt: skip


def make_before(folder: Path) -> None:
    """State A."""
    for name in BEFORE:
        put(folder, name)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (folder / "empty.txt").touch()
    (folder / "picture.png").write_bytes(b"no text")


def make_after(folder: Path) -> None:
    """State A made into state B."""
    for name in ("a.txt", "notes/j.md", "web/o.html", "s.docx", "u.pdf"):
        put(folder, name, 2)
    (folder / "b.txt").rename(folder / "notes" / "b.txt")
    (folder / "t.docx").rename(folder / "moved.docx")
    (folder / "c.txt").rename(folder / "x")
    (folder / "d.txt").rename(folder / "c.txt")  # two files that exchange their names
    (folder / "x").rename(folder / "d.txt")
    for name in ("e.txt", "web/p.html"):
        (folder / name).unlink()
    shutil.copy(folder / "f.txt", folder / "copy.txt")
    shutil.copy(folder / "notes/k.md", folder / "web" / "copy.md")
    (folder / "g.txt").unlink()
    put(folder, "g.txt/inside.txt", 2)
    (folder / "v.pdf").write_bytes(b"%PDF-1.7\nnothing any more")
    for name in ("new/w.txt", "new/y.md", "new/z.html"):
        put(folder, name)
    put(folder, "empty.txt", 2)


# ------------------------------------------------------------------ the index


@dataclass(frozen=True, slots=True)
class Place:
    """Where one series of kills happens. ``url``: a Qdrant server, else an index in the folder."""

    base: Path
    url: str = ""

    @property
    def docs(self) -> Path:
        return self.base / "docs"

    @property
    def index(self) -> Path:
        return self.base / "index"

    @property
    def where(self) -> dict[str, Any]:
        """The settings that name the index."""
        if self.url:
            return {"qdrant_url": self.url, "collection": "affidavit-kills"}
        return {"index": str(self.index)}

    @property
    def flags(self) -> list[str]:
        return [f for k, v in self.where.items() for f in (f"--{k.replace('_', '-')}", v)]

    def show(self, state: str) -> None:
        """Put the folder into a state, times of change included."""
        shutil.rmtree(self.docs, ignore_errors=True)
        shutil.copytree(self.base / state, self.docs)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is killed. ``former``: there is an index of state A; ``checkpoints``: the run keeps
    what it has after every few chunks; ``how``: keywords of the ingest."""

    name: str
    former: bool = True
    checkpoints: bool = False
    how: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """`rag ingest`, but for the minute between checkpoints."""
        often = "import ingest.run as run; run._CHECKPOINT_SECONDS, run._EMBED_TOGETHER = 0, 8; "
        code = f"{often * self.checkpoints}from rag.__main__ import main; main()"
        rebuild = ["--reindex"] if self.how.get("reindex") else []
        return [sys.executable, "-c", code, "ingest", *rebuild]

    @property
    def environment(self) -> dict[str, str]:
        return {f"RAG_{k.upper()}": str(v) for k, v in self.how.items() if k != "reindex"}


_REBUILD = {"reindex": True, "chunk_tokens": 64}
SCENARIOS = (
    Scenario("sync"),
    Scenario("rebuild", how=_REBUILD),
    Scenario("first run", former=False),
    Scenario("sync with checkpoints", checkpoints=True),
    Scenario("rebuild with checkpoints", checkpoints=True, how=_REBUILD),
    Scenario("first run with checkpoints", former=False, checkpoints=True),
)


def digest(place: Place) -> Digest | None:
    """Everything the index holds, by way of the engine; None where there is no index."""
    try:
        opened = open_reader(load_settings(place.where))
    except IndexMissing:
        return None
    lines: set[Line] = set()
    with closing(opened) as reader:
        fingerprint = reader.meta().fingerprint
        for r in reader.files():
            ids = [chunk_id(r.file, r.content, n, fingerprint) for n in range(r.chunks)]
            stored = reader.chunks(ids)
            assert len(stored) == r.chunks, f"{r.file}: {len(stored)} of {r.chunks} chunks"
            texts = [hashlib.sha256(c.text.encode()).hexdigest() for c in stored]
            pairs = list(zip(ids, texts, strict=True)) or [("", "")]
            lines |= {(r.file, r.content, r.status, *pair) for pair in pairs}
    return frozenset(lines)


def ingest(place: Place, **how: Any) -> int:
    """A run to its end, in this process; how many chunks it embedded."""
    return ingest_folder(place.docs, yes=True, workers=1, **place.where, **how).embedded


def restore(place: Place, scenario: Scenario) -> None:
    """The index of state A, or none, and the folder in state B."""
    if place.url:
        from rag.store.server import drop_collection

        drop_collection(load_settings(place.where))
        if scenario.former:
            place.show("before")
            ingest(place)
    else:
        shutil.rmtree(place.index, ignore_errors=True)
        if scenario.former:
            copy_sparse(place.base / "former", place.index)
    place.show("after")


def prepare(base: Path, url: str = "") -> Place:
    """Both states of the folder and an index of the first."""
    place = Place(base, url)
    (base / "before").mkdir(parents=True)
    make_before(base / "before")
    shutil.copytree(base / "before", base / "after")
    make_after(base / "after")
    if not url:
        place.show("before")
        ingest(place)
        place.index.rename(base / "former")
    return place


# ------------------------------------------------------------------ killing


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what was found afterwards. ``wrong`` is empty when all was as promised."""

    scenario: str
    moment: str
    hit: bool
    found: str  # «old», «new», «between» (each file the old or the new one) or «mixed»
    again: float  # share of the chunks that the run afterwards had to embed
    wrong: tuple[str, ...]


def start(place: Place, scenario: Scenario, failpoint: str = "") -> subprocess.Popen[bytes]:
    """A real `rag ingest`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAG_")}
    told = {"RAG_FAILPOINT": failpoint} if failpoint else {}
    return subprocess.Popen(
        [*scenario.command, str(place.docs), *place.flags],
        env={**kept, **scenario.environment, **told, "RAG_WORKERS": "2"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill(process: subprocess.Popen[Any], seconds: float) -> set[psutil.Process]:
    """Let it run so long, then SIGKILL it, unless it ends itself; the children it had."""
    children: set[psutil.Process] = set()
    deadline = time.monotonic() + seconds
    parent = psutil.Process(process.pid)
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            children.update(parent.children(recursive=True))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(0.05, max(0.0, deadline - time.monotonic())))
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)  # so that no child is born while we look
        with contextlib.suppress(psutil.NoSuchProcess):
            children.update(parent.children(recursive=True))
        process.kill()
        process.wait()
    return children


def left_over(children: set[psutil.Process]) -> int:
    """How many of them outlive their parent. One that nobody has buried is dead."""
    deadline = time.monotonic() + _LEFT_OVER
    while alive := [c for c in children if _lives(c)]:
        if time.monotonic() > deadline:
            return len(alive)
        time.sleep(0.02)
    return 0


def _lives(child: psutil.Process) -> bool:
    try:
        return bool(child.is_running() and child.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def here(*arguments: str) -> tuple[int, str]:
    """A command in this process: its exit code and what it said."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(cli, list(arguments))
    out.flush()
    return code, out.buffer.getvalue().decode()  # type: ignore[attr-defined]


def found(state: Digest | None, old: Digest | None, new: Digest) -> str:
    """Which state the index is in."""
    if state == old:
        return "old"
    if state == new:
        return "new"
    if state is None:
        return "mixed"
    by_file = [_by_file(digest or frozenset()) for digest in (old, new)]
    whole = all(lines in (d.get(f) for d in by_file) for f, lines in _by_file(state).items())
    kept = set(by_file[0]) & set(by_file[1]) <= set(_by_file(state))
    return "between" if whole and kept else "mixed"


def _by_file(state: Digest) -> dict[str, set[Line]]:
    files: dict[str, set[Line]] = {}
    for line in state:
        files.setdefault(line[0], set()).add(line)
    return files


class Series:
    """One scenario at one place, killed again and again."""

    def __init__(self, place: Place, scenario: Scenario) -> None:
        self.place, self.scenario = place, scenario
        restore(place, scenario)
        self.old = digest(place)
        self.embedded = ingest(place, **scenario.how)
        undisturbed = digest(place)
        assert undisturbed
        self.new: Digest = undisturbed
        assert self.new != self.old
        restore(place, scenario)
        started = time.monotonic()
        code = start(place, scenario).wait()
        #: Seconds that an undisturbed process takes.
        self.usual = time.monotonic() - started
        assert code == 3, f"{scenario.name}: exit code {code}, and two files are broken"
        assert digest(place) == self.new, f"{scenario.name}: no run gives what another gave"

    def kill_at(self, seconds: float) -> Kill:
        """Kill it at this moment of its life."""
        return self._kill(f"{seconds:.2f} s", seconds)

    def kill_in(self, failpoint: str) -> Kill:
        """Let it kill itself where the failpoint says."""
        return self._kill(failpoint, float("inf"), failpoint)

    def _kill(self, moment: str, seconds: float, failpoint: str = "") -> Kill:
        restore(self.place, self.scenario)
        process = start(self.place, self.scenario, failpoint)
        children = kill(process, seconds)
        hit = process.returncode == -signal.SIGKILL
        wrong = [f"exit code {process.returncode}"] * (not hit and process.returncode != 3)
        if many := left_over(children):
            wrong.append(f"{many} children left")
        state = digest(self.place)
        which = found(state, self.old, self.new)
        stepwise = self.scenario.checkpoints or self.place.url
        if which == "mixed" or (which == "between" and not stepwise):
            wrong.append("the index is neither the old nor the new one")
        wrong += self._asked(exists=state is not None)
        again = ingest(self.place, **self.scenario.how) / self.embedded
        ended = digest(self.place) or frozenset()
        if ended != self.new:
            wrong.append(f"run again: {len(ended ^ self.new)} lines differ")
        return Kill(self.scenario.name, moment, hit, which, again, (*wrong, *self._litter()))

    def _asked(self, *, exists: bool) -> Iterator[str]:
        """What is wrong with `rag status` and `rag search`."""
        for command in (("status", "--json"), ("search", "the committee for audits", "--json")):
            code, said = here(*command, *self.place.flags)
            if code != (0 if exists else 10):
                yield f"rag {command[0]}: exit code {code}: {said.strip()[:200]}"

    def _litter(self) -> Iterator[str]:
        """What the run afterwards did not tidy away."""
        if not self.place.url:
            current = (self.place.index / "CURRENT").read_text().strip()
            kept = {p.name for p in (self.place.index / "generations").iterdir()}
            if kept != {current}:
                yield f"left in the index: {sorted(kept - {current})}"


def failpoints(url: str) -> list[str]:
    """Those that an ingest of this engine passes."""
    own = ("ingest.", "server." if url else "embedded.")
    return [name for name in NAMES if name.startswith(own)]


# ------------------------------------------------------------------ the report


def table(kills: list[Kill]) -> str:
    """Markdown: one row for the moments of each scenario, one for its failpoints; «anew» is the
    mean share of the chunks that the run after the kill had to embed."""
    rows = [
        "| what was killed | kills | that hit | found old | between | new | anew | wrong |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    groups: dict[str, list[Kill]] = {}
    for one in kills:
        kind = "moments" if one.moment.endswith(" s") else "failpoints"
        groups.setdefault(f"{one.scenario}, {kind}", []).append(one)
    for name, own in groups.items():
        hits = [k for k in own if k.hit]
        states = [sum(k.found == state for k in hits) for state in ("old", "between", "new")]
        again = sum(k.again for k in hits) / max(1, len(hits))
        cells = [
            name,
            len(own),
            len(hits),
            *states,
            f"{again:.0%}",
            sum(bool(k.wrong) for k in own),
        ]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def run_all(place: Place, moments: int, dice: random.Random) -> list[Kill]:
    """So many random moments, spread over the scenarios, and every failpoint in each of them,
    at the first, second and seventh time it is passed."""
    series = [Series(place, scenario) for scenario in SCENARIOS]
    kills = []
    for number in range(moments):
        one = series[number % len(series)]
        kills.append(_told(one.kill_at(dice.uniform(0, one.usual))))
    for name in failpoints(place.url):
        before = len(kills)
        for one in series:
            for times in (1, 2, 7):
                outcome = _told(one.kill_in(f"{name}:{times}"))
                if not outcome.hit:  # it is not passed so often
                    break
                kills.append(outcome)
        if len(kills) == before:
            print(f"{name} was never reached")
    return kills


def _told(outcome: Kill) -> Kill:
    if outcome.wrong:
        print(f"{outcome.scenario} at {outcome.moment}: {'; '.join(outcome.wrong)}", flush=True)
    return outcome


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--qdrant-url", default=os.environ.get("QDRANT_URL", ""))
    given = parser.parse_args(arguments)
    engines = {"the embedded engine": ""}
    if given.qdrant_url:
        engines["a Qdrant server"] = given.qdrant_url
    wrong = 0
    for engine, url in engines.items():
        with tempfile.TemporaryDirectory(prefix="affidavit-kills-") as base:
            kills = run_all(prepare(Path(base), url), given.moments, random.Random(given.seed))
        differing = sum(bool(k.wrong) for k in kills)
        hit = sum(k.hit for k in kills)
        print(f"\n## {engine}, seed {given.seed}\n\n{table(kills)}")
        print(f"\n{len(kills)} kills, {hit} hit, {differing} with something wrong", flush=True)
        wrong += differing
    if not given.qdrant_url:
        print("\nNot shown: a Qdrant server (give --qdrant-url or QDRANT_URL).")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
