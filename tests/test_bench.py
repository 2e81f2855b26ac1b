"""The benchmark scripts: their arithmetic, one small real run, and how they fail."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rag.hardware import Hardware

BENCH = Path(__file__).parents[1] / "bench"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


compare = script("compare")
search_100k = script("search_100k")

MACHINE = Hardware(2**34, 2**33, 2, "CPU", ("avx2",), (), 2**40)
ENVIRONMENT = dict(os.environ)


def side(seconds: float, text: int, *cold: float):
    return compare.Side(seconds, 500.0, 10, 40, text, text + 100, 9000, 250, cold)


# ------------------------------------------------------------------ compare


@pytest.mark.parametrize(
    ("features", "target"),
    [(("avx2", "avx512_bf16"), 0.40), (("avx_vnni",), 0.40), (("avx2",), 0.65), ((), 0.65)],
)
def test_ingest_target_follows_the_processor(features, target):
    """A processor with bf16 or VNNI is held to the harder target."""
    assert compare.ingest_target(features) == target


def test_report_says_which_targets_are_met():
    """Each ratio stands beside its target, the median of the cold runs counts."""
    text = compare.verdict(side(5.0, 1000, 0.9, 0.1, 0.2), side(10.0, 1000, 1.0, 1.0, 1.0), MACHINE)
    assert "Ingest: ratio 0.50, target at most 0.65, **met**" in text
    assert "First passage: ratio 0.20, target at most 0.25, **met**, median of 3" in text
    slow = compare.verdict(side(9.0, 1000, 0.5), side(10.0, 1000, 1.0), MACHINE)
    assert slow.count("**missed**") == 2


def test_report_refuses_to_compare_different_texts():
    """Two sides that embedded different amounts of text are called not comparable."""
    text = compare.verdict(side(1.0, 1000, 0.1), side(9.0, 1100, 1.0), MACHINE)
    assert "differs by 9.1%: **not comparable**" in text
    assert "0.0%: comparable" in compare.verdict(side(1.0, 99, 0.1), side(9.0, 99, 1.0), MACHINE)


def test_table_has_one_ratio_a_row():
    """Every row of the table has ours, theirs and ours divided by theirs."""
    rows = compare.table(side(5.0, 1000, 0.2), side(10.0, 2000, 1.0)).splitlines()[2:]
    assert rows[0] == "| **ingest** (s) | 5.0 | 10.0 | 0.50 |"
    assert all(row.count("|") == 5 for row in rows)


def test_a_failing_command_is_reported_by_its_last_line():
    """What a side complained about reaches the person, as one line."""
    command = [sys.executable, "-c", "raise SystemExit('first\\nno model here')"]
    with pytest.raises(compare.BenchError, match="ended with 1: no model here"):
        compare.run(command, ENVIRONMENT)
    with pytest.raises(compare.BenchError, match="no passage: no model here"):
        compare.first_output(command, ENVIRONMENT)


def test_first_output_does_not_wait_for_the_end():
    """The clock stops at the first passage and not when the process has tidied up."""
    code = "import time; print('passage', flush=True); time.sleep(3)"
    started = time.perf_counter()
    seconds = compare.first_output([sys.executable, "-c", code], ENVIRONMENT)
    assert seconds < time.perf_counter() - started - 1


def test_memory_is_that_of_the_process_and_its_children():
    """A child that takes 60 MiB is seen in its parent's peak."""
    child = "import time; block = bytes(60 << 20); block = b'x' * (60 << 20); time.sleep(1)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    _, peak = compare.timed([sys.executable, "-c", code], ENVIRONMENT)
    assert 60 < peak < 400


def test_a_folder_without_pdfs_is_one_line(tmp_path, capsys):
    """No PDF to compare on ends with a line and no traceback."""
    assert compare.main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"compare: no *.pdf in {tmp_path}\n"


def test_an_interpreter_without_the_framework_is_one_line(tmp_path, capsys):
    """A framework that is not there is named instead of being compared with."""
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    assert compare.main([str(tmp_path), "--plain-python", "/no/python"]) == 1
    assert "--plain-python /no/python does not exist" in capsys.readouterr().err
    bare = tmp_path / "python"  # it starts like an interpreter and has no packages
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    assert compare.main([str(tmp_path), "--plain-python", str(bare)]) == 1
    assert "No module named 'llama_index'" in capsys.readouterr().err.splitlines()[-1]


def test_framework_versions_are_pinned():
    """The other side is the same everywhere, and comes from wherever pip looks."""
    lines = (BENCH / "requirements.txt").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert packages
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", package) for package in packages)


# ------------------------------------------------------------------ search_100k


def test_percentile_is_the_nearest_rank():
    """Of 300 values the 285th is the 95th percentile; of one value, that one."""
    assert search_100k.percentile([float(n) for n in range(300, 0, -1)], 0.95) == 285
    assert search_100k.percentile([7.0], 0.95) == 7
    assert search_100k.percentile([1.0, 2.0], 0.5) == 1


def test_words_are_drawn_in_zipfs_proportions():
    """The shares fall with the rank and sum to one; half of all text is a few hundred words."""
    shares = search_100k.zipf(20_000)
    assert shares.sum() == pytest.approx(1)
    assert (np.diff(shares) < 0).all()
    assert 100 < np.searchsorted(shares.cumsum(), 0.5) < 1000


def test_synthetic_files_are_repeatable_and_sane(monkeypatch):
    """All chunks asked for are made, the same ones each time, with vectors of length one."""
    monkeypatch.setattr(search_100k, "vocabulary", lambda: [f"word{n}" for n in range(700)])
    size = search_100k.Size(chunks=23, files=4, queries=3)
    once, again = (list(search_100k.file_writes(size)) for _ in range(2))
    assert [len(w.chunks) for w in once] == [5, 6, 6, 6]
    assert [w.chunks for w in once] == [w.chunks for w in again]
    for written in once:
        assert written.record.chunks == len(written.chunks)
        assert np.linalg.norm(written.vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_a_small_run_reports_every_stage(tmp_path):
    """Writing, publishing and searching a small index gives the whole report on stdout."""
    command = [sys.executable, str(BENCH / "search_100k.py")]
    sizes = ["--chunks", "60", "--files", "12", "--queries", "6"]
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command + sizes, env=environment, capture_output=True, text=True, timeout=240, check=True
    )
    assert done.stdout.startswith("# Searching 60 chunks of 12 files\n")
    for stage in ("by_vector", "by_words", "by_card", "chunks", "fusion, repeats, glue"):
        assert re.search(rf"^\| – {stage} \| \d+\.\d \| \d+\.\d \|$", done.stdout, re.MULTILINE)
    assert not list(tmp_path.iterdir()), "the index is cleared away"


def test_impossible_sizes_are_refused(capsys):
    """More files than chunks is a wrong argument, exit 2."""
    with pytest.raises(SystemExit) as caught:
        search_100k.main(["--chunks", "3", "--files", "4"])
    assert caught.value.code == 2
    assert "every file needs a chunk" in capsys.readouterr().err
