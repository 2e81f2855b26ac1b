"""Two ingests at once, again and again, with kills; and questions while every file is rewritten.

    python bench/races.py [--rounds 100] [--rewrites 20] [--seed N]

**Race.** Every round changes the folder and starts two `rag ingest` a moment apart; in half of
the rounds one of them is killed on the way. Whoever is not killed ends with 0, or with 11 within
2 seconds of its start naming the other; a third run at once is never held up by a dead owner,
and the index it leaves is that of an undisturbed run.

**Rewrite.** Two loops of `rag ask` (a process a question) and an open `Pipeline`, as in a
notebook, ask while every file is rewritten and ingested again and again. Every paragraph says
which version of its file it is of: no answer mixes two versions of a file, none misses a file,
none fails, the open pipeline keeps what it opened. Nobody waits for the ingest: a question takes
no longer than beside an ingest of another index, which costs the same processors.

Ends with 1 when anything was wrong. Needs no network; the embedded engine only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kills import Place, digest, ingest, kill, left_over

#: A refused run has to say so within this many seconds of its start [promise 12].
_REFUSED_WITHIN = 2.0

#: How much longer than beside another index's ingest a question may take: the spread of
#: repeated measurements on two busy cores, set by hand.
_NO_WAIT = 1.5

#: Only a hang takes so long.
_HANG = 120.0

#: Files and what only they are about: passages that say the same in other files are left out.
FILES = {
    "apples.md": "orchards, cider, grafting, blossom and harvest",
    "bridges.txt": "girders, pylons, traffic, rust and paint",
    "leases.html": "tenants, rents, deposits, notices and keys",
    "pumps.txt": "valves, pressure, gaskets, wells and floods",
    "turbines.md": "blades, wind, bearings, towers and grids",
}
QUESTION = "What does the committee report in this version?"


def write_version(folder: Path, version: int) -> None:
    """Every file, whole at once as editors do it, each paragraph with the version it is of."""
    folder.mkdir(exist_ok=True)
    for name, topics in FILES.items():
        stem = name.partition(".")[0]
        paragraphs = [
            f"The committee on {stem} reports version {version} in part {part}: the count is "
            f"{version * part}, with a word on {topics}."
            for part in range(1, 13)
        ]
        if name.endswith(".html"):
            paragraphs = [f"<p>{p}</p>" for p in paragraphs]
        (folder / "new").write_text("\n\n".join(paragraphs) + "\n")
        (folder / "new").replace(folder / name)


def start(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    """A real command."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAG_")}
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=kept, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **more,
    )  # fmt: skip


# ------------------------------------------------------------------ two ingests at once


@dataclass(frozen=True, slots=True)
class Race:
    """One round: how both ended («done», «refused», «killed») and what was wrong."""

    ends: tuple[str, ...]
    refused_after: float  # seconds; 0 when nobody was refused
    wrong: tuple[str, ...]


def finish(process: subprocess.Popen[str]) -> tuple[int, str, float]:
    """Exit code, what it said, and for how many seconds it lived."""
    started = time.monotonic()
    try:
        _, err = process.communicate(timeout=_HANG)
    except subprocess.TimeoutExpired:
        process.kill()
        return 0, "hangs", _HANG
    return process.returncode, err, time.monotonic() - started


def race(place: Place, expected: Place, version: int, dice: random.Random) -> Race:
    """Two ingests of a changed folder. ``expected`` is an index that nobody disturbs."""
    write_version(place.docs, version)
    command = ("-m", "rag", "ingest", str(place.docs), "--index", str(place.index), "--json")
    wrong: list[str] = []
    with ThreadPoolExecutor(2) as both:
        first = start(*command)
        ends = [both.submit(finish, first)]
        time.sleep(dice.choice((0, 0, dice.uniform(0, 2))))
        second = start(*command)
        ends.append(both.submit(finish, second))
        victim = dice.choice((first, second, None, None))
        if victim:
            children = kill(victim, dice.uniform(0, 2.5))
            wrong += ["children left"] * (left_over(children) > 0)
    names, refused_after = [], 0.0
    for end, process, other in ((ends[0], first, second), (ends[1], second, first)):
        code, err, seconds = end.result()
        names.append({0: "done", 11: "refused", -signal.SIGKILL: "killed"}.get(code, str(code)))
        if code == 11:
            refused_after = max(refused_after, seconds)
            if f"process {other.pid} on " not in err:
                wrong.append(f"refused without the owner's name: {err.strip()}")
        elif code not in (0, -signal.SIGKILL) or (code and process is not victim) or seconds > 60:
            wrong.append(f"exit code {code} after {seconds:.1f} s: {err.strip()}")
    if names == ["refused", "refused"]:
        wrong.append("both were refused")
    third = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    if third.returncode:
        wrong.append(f"the run afterwards: exit code {third.returncode}: {third.stderr.strip()}")
    ingest(expected)
    if digest(place) != digest(expected):
        wrong.append("the index differs from that of an undisturbed run")
    return Race(tuple(sorted(names)), refused_after, tuple(wrong))


# ------------------------------------------------------------------ questions meanwhile

#: Asks again and again until «stop» appears: argv = index, stop file, how («ask» or «open»).
ASKING = """
import json, subprocess, sys, time
from pathlib import Path
index, stop, how = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
question, files = sys.argv[4], set(sys.argv[5].split(","))
sys.path.append(sys.argv[6])
from races import versions
answers, wrong, seconds, seen = 0, [], [], set()
def check(passages):
    found = versions(passages)
    if set(found) != files:
        wrong.append(f"missing: {sorted(files - set(found))}")
    if any(len(v) > 1 for v in found.values()):
        wrong.append(f"mixed: {found}")
    seen.update(*found.values())
if how == "open":
    from rag import Pipeline
    with Pipeline.open(index, generator="extractive", gate=0) as pipeline:  # no question refused
        pipeline.search(question, k=50)  # the model is loaded
        print("ready", flush=True)
        while not stop.exists():
            begun = time.monotonic()
            answer = pipeline.ask(question, k=40).to_dict()
            seconds.append(time.monotonic() - begun)
            answers += 1
            check(answer["passages"])
            check([p.to_dict() for p in pipeline.search(question, k=50)])
            time.sleep(0.1)
    if len(seen) != 1:
        wrong.append(f"an open pipeline saw versions {sorted(seen)}")
else:
    print("ready", flush=True)
    while not stop.exists():
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "rag", "ask", question, "--index", index, "-k", "40",
             "--generator", "extractive", "--gate", "0", "--json"], capture_output=True, text=True)
        seconds.append(time.monotonic() - begun)
        answers += 1
        if done.returncode:
            wrong.append(f"exit code {done.returncode}: {done.stderr.strip()}")
        else:
            check(json.loads(done.stdout)["passages"])
print(json.dumps({"answers": answers, "wrong": wrong, "seconds": seconds, "seen": sorted(seen)}))
"""


def versions(passages: list[dict[str, Any]]) -> dict[str, set[int]]:
    """File → the versions its passages are of."""
    found: dict[str, set[int]] = {}
    for passage in passages:
        told = re.findall(r"version (\d+) in part", passage["text"])
        found.setdefault(passage["file"], set()).update(map(int, told))
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What the two loops (``asks``) and the open pipeline found while something else went on."""

    answers: int
    versions: int  # different ones that the loops saw
    ask_seconds: tuple[float, ...]
    open_seconds: tuple[float, ...]
    wrong: tuple[str, ...]


def ask_during(place: Place, work: Any) -> Asked:
    """Two loops of `rag ask` and an open pipeline while ``work()`` runs here."""
    stop = place.base / "stop"
    stop.unlink(missing_ok=True)
    more = (QUESTION, ",".join(FILES), str(Path(__file__).parent))
    with ExitStack() as ended:
        processes = []
        for how in ("ask", "ask", "open"):
            process = start("-c", ASKING, str(place.index), str(stop), how, *more)
            ended.callback(process.kill)
            processes.append(process)
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        try:
            work()
        finally:
            stop.touch()
        told = []
        for process in processes:
            out, err = process.communicate(timeout=_HANG)
            assert process.returncode == 0, err
            told.append(json.loads(out.splitlines()[-1]))
    return Asked(
        answers=sum(t["answers"] for t in told),
        versions=len({v for t in told[:2] for v in t["seen"]}),
        ask_seconds=tuple(s for t in told[:2] for s in t["seconds"]),
        open_seconds=tuple(told[2]["seconds"]),
        wrong=tuple(w for t in told for w in t["wrong"]),
    )


def rewriting(place: Place, rewrites: int, first: int) -> None:
    """Every file rewritten and ingested by a real process, so many times."""
    for version in range(first, first + rewrites):
        write_version(place.docs, version)
        done = start("-m", "rag", "ingest", str(place.docs), "--index", str(place.index))
        _, err = done.communicate(timeout=_HANG)
        assert done.returncode == 0, err


def new_place(base: Path) -> Place:
    """The first version, ingested."""
    base.mkdir()
    place = Place(base)
    write_version(place.docs, 1)
    ingest(place)
    return place


# ------------------------------------------------------------------ the report


def races(base: Path, rounds: int, dice: random.Random) -> int:
    """Run and print the races; how many were wrong."""
    place = new_place(base / "race")
    (base / "expected").mkdir()
    (base / "expected" / "docs").symlink_to(place.docs)
    expected = Place(base / "expected")
    done = [race(place, expected, version, dice) for version in range(2, 2 + rounds)]
    for number, one in enumerate(done):
        for wrong in one.wrong:
            print(f"round {number}: {wrong}")
    print(f"## {rounds} races of two ingests\n\n| how both ended | rounds |\n| --- | ---: |")
    for ends in sorted({one.ends for one in done}):
        print(f"| {' and '.join(ends)} | {sum(one.ends == ends for one in done)} |")
    slowest = max((one.refused_after for one in done), default=0.0)
    print(f"\nThe slowest refusal came {slowest:.2f} s after its start, start-up included.")
    late = slowest > _REFUSED_WITHIN
    return sum(bool(one.wrong) for one in done) + late


def rewrites(base: Path, times: int) -> int:
    """Run and print the questions during a rewrite; how many answers were wrong."""
    place, other = new_place(base / "rewrite"), new_place(base / "other")
    seconds = max(5.0, times / 2)
    alone = ask_during(place, lambda: time.sleep(seconds))
    beside = ask_during(place, lambda: rewriting(other, times, 2))
    during = ask_during(place, lambda: rewriting(place, times, 2))
    print(f"\n## Two loops of `rag ask` and an open pipeline, {times} rewrites of every file\n")
    print("| meanwhile | answers | versions seen | `rag ask`, median s | open pipeline, median s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    rows = {"nothing": alone, "ingest of another index": beside, "ingest of this one": during}
    for name, asked in rows.items():
        medians = [statistics.median(s) for s in (asked.ask_seconds, asked.open_seconds)]
        print(f"| {name} | {asked.answers} | {asked.versions} | " + " | ".join(
            f"{m:.2f}" for m in medians) + " |")  # fmt: skip
    for wrong in (*alone.wrong, *beside.wrong, *during.wrong):
        print(wrong)
    factors = [
        statistics.median(d) / statistics.median(b)
        for d, b in (
            (during.ask_seconds, beside.ask_seconds),
            (during.open_seconds, beside.open_seconds),
        )
    ]
    slow = max(factors) > _NO_WAIT
    print(
        f"\n{len(during.wrong)} wrong answers. Beside the ingest of its own index a question took "
        f"{factors[0]:.2f} times as long as beside another's, in an open pipeline "
        f"{factors[1]:.2f} times (allowed: {_NO_WAIT})."
    )
    return sum(len(asked.wrong) for asked in rows.values()) + slow


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--rewrites", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="affidavit-races-") as base:
        wrong = races(Path(base), given.rounds, random.Random(given.seed))
        wrong += rewrites(Path(base), given.rewrites)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
