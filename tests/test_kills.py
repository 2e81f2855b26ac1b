"""A killed ingest costs nothing, and neither do two at once, or questions meanwhile."""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from test_bench import script

import rag.embedder
from rag.failpoints import NAMES

#: Runs that keep what they have after every few chunks.
CHECKPOINTED = ("first run with checkpoints", "rebuild with checkpoints")


@pytest.fixture(scope="module")
def kills() -> Iterator[ModuleType]:
    """bench/kills.py, which has its model compiled once; nobody else shall have it so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rag.embedder, "openvino_runtime", rag.embedder.openvino_runtime)
        yield script("kills")


@pytest.fixture(scope="module")
def series(kills: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    """A scenario by its name, prepared once."""
    place = kills.prepare(tmp_path_factory.mktemp("kills") / "place")
    scenarios = {scenario.name: scenario for scenario in kills.SCENARIOS}
    return functools.cache(lambda name: kills.Series(place, scenarios[name]))


@pytest.mark.parametrize("scenario", ["sync", *CHECKPOINTED])
@pytest.mark.parametrize("part", [0, 0.5])
def test_a_kill_at_a_random_moment_costs_nothing(series, scenario: str, part: float) -> None:
    """Whatever the moment: the index is a whole one, can be asked, and a second run ends like an
    undisturbed one, without a child or a file left behind."""
    one = series(scenario)
    moment = random.uniform(part, part + 0.5) * one.usual
    outcome = one.kill_at(moment)
    assert not outcome.wrong, f"killed after {moment:.3f} s of {one.usual:.3f} s"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("server.")])
def test_a_kill_at_a_failpoint_costs_nothing(series, name: str) -> None:
    """Each named moment is really passed, and a kill in it leaves a whole index."""
    scenario = "rebuild with checkpoints" if name == "embedded.parked" else "sync"
    outcome = series(scenario).kill_in(name)
    assert outcome.hit, f"nothing passes {name}"
    assert not outcome.wrong


def test_a_rebuild_that_was_killed_is_taken_up_again(series) -> None:
    """What it had put aside before the kill is not embedded a second time."""
    outcome = series("rebuild with checkpoints").kill_in("embedded.parked:2")
    assert outcome.hit
    assert not outcome.wrong
    assert 0 < outcome.again < 1


def test_half_a_file_or_a_missing_one_is_told_from_a_whole_state(kills: ModuleType) -> None:
    """What the kills are judged by: the old state, the new one, whole files of either, nothing
    else."""
    a1, a2 = ("a", "1", "indexed", "x", "t"), ("a", "1", "indexed", "y", "t")
    b1, b2 = ("b", "1", "indexed", "z", "t"), ("b", "2", "indexed", "w", "u")
    old, new = frozenset([a1, a2, b1]), frozenset([a1, a2, b2])
    assert kills.found(old, old, new) == "old"
    assert kills.found(new, old, new) == "new"
    assert kills.found(None, None, new) == "old"
    added = ("c", "1", "indexed", "v", "t")
    assert kills.found(old | {added}, old, new | {added}) == "between"
    for torn in ({a1, b1}, {a1, a2}, {a1, a2, b1, b2}, {("a", "1", "partial", "x", "t"), b1}):
        assert kills.found(frozenset(torn), old, new) == "mixed"
    assert kills.found(None, old, new) == "mixed"


# ------------------------------------------------------------------ races


@pytest.fixture(scope="module")
def races(kills: ModuleType) -> Iterator[ModuleType]:
    """bench/races.py, which imports its sister by her plain name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "kills", kills)
        yield script("races")


def test_of_two_ingests_at_once_one_gives_way_and_a_dead_one_blocks_nobody(
    races: ModuleType, tmp_path: Path
) -> None:
    """Both end in order or one is refused naming the other; killed or not, the index is whole."""
    place = races.new_place(tmp_path / "race")
    (tmp_path / "expected").mkdir()
    (tmp_path / "expected" / "docs").symlink_to(place.docs)
    expected = races.Place(tmp_path / "expected")
    outcomes = [races.race(place, expected, n, random.Random(n)) for n in range(2, 6)]
    assert [outcome.wrong for outcome in outcomes] == [()] * 4


def test_questions_during_a_rewrite_of_every_file_see_whole_versions(
    races: ModuleType, tmp_path: Path
) -> None:
    """Two loops of `rag ask` and an open pipeline: no answer mixes versions or misses a file."""
    place = races.new_place(tmp_path / "rewrite")
    asked = races.ask_during(place, lambda: races.rewriting(place, 2, 2))
    assert asked.wrong == ()
    assert asked.versions > 1
