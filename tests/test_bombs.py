"""Bombs in a folder: each is named with a fitting status, and the good file beside them answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bombs import BOMBS, make_bombs
from conftest import run_rag

#: Seconds of silence and MiB that reading one file may take here: enough for any honest file.
LIMITS = {"RAG_READ_TIMEOUT": "8", "RAG_READ_MEMORY": "512", "RAG_WORKERS": "2"}
QUICK = [name for name, bomb in BOMBS.items() if not bomb.slow]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """What `rag ingest` said of a folder of bombs and one good file, and the index."""
    base = tmp_path_factory.mktemp("bombs")
    made = make_bombs(base / "docs", slow=False)
    (base / "docs" / "good.txt").write_text("The lighthouse keeper retired in May.\n")
    index = base / "index"
    done = run_rag(
        "ingest", str(base / "docs"), "--index", str(index), "--json", env=LIMITS, timeout=280
    )
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["files"]["found"] >= len(made) + 1
    return report, index


@pytest.fixture(scope="module")
def told(ingested: tuple[Any, Path]) -> dict[str, Any]:
    """File → its line in `rag status --json`, in which no file stands twice."""
    status = json.loads(run_rag("status", "--index", str(ingested[1]), "--json").stdout)
    lines = {line["file"]: line for line in status["files"]}
    assert len(lines) == len(status["files"]) == ingested[0]["files"]["found"]
    return lines


@pytest.mark.parametrize("name", QUICK)
def test_a_bomb_is_named_with_a_fitting_status(told: dict[str, Any], name: str) -> None:
    """It is refused, or read within its limits; a status other than «indexed» says why."""
    if name == "device.txt" and name not in told:
        pytest.skip("only root may make a device")
    line = told[name]
    assert line["status"] in BOMBS[name].statuses, (BOMBS[name].what, line)
    assert line["status"] == "indexed" or line["detail"]


def test_every_entry_of_the_folder_is_accounted_for(told: dict[str, Any]) -> None:
    """Bombs, the second half of a loop of links, the good file: nothing else, nothing less."""
    assert set(told) - {"device.txt"} == {*QUICK, "other-loop.txt", "good.txt"} - {"device.txt"}


def test_the_good_file_beside_them_answers(ingested: tuple[Any, Path]) -> None:
    """It is found; what a link out of the folder leads to is not."""
    for question in ("Who retired in May?", "What is the secret of the house?"):
        done = run_rag("search", question, "--index", str(ingested[1]), "--json")
        files = {passage["file"] for passage in json.loads(done.stdout)["passages"]}
        assert "good.txt" in files
        assert "zanzibar" not in done.stdout
