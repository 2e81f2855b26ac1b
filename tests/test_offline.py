"""Once installed, everything runs with the network blocked, the first run included."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES, clean_environment

QUESTION = "What was the propeller of the Fisher Celebrity made of?"
FILE = "ntsb-20080124X00100-white-plains-fisher-celebrity.pdf"

#: Used where no network namespace can be made: every way out of Python is closed.
BLOCKER = """
import socket

def closed(*_, **__):
    raise OSError(101, "Network is unreachable")

socket.getaddrinfo = socket.create_connection = closed
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = closed
"""
PROBE = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"


class Island:
    """Runs Python with no network at all, not even the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._env = clean_environment({"RAG_CACHE_DIR": str(folder / "cache"), "HOME": str(folder)})
        unshare = shutil.which("unshare")
        tried = unshare and subprocess.run(
            [unshare, "-rn", "true"], capture_output=True, check=False
        )
        if tried and tried.returncode == 0:
            self._prefix = [str(unshare), "-rn"]
        else:
            (folder / "sitecustomize.py").write_text(BLOCKER)
            self._prefix = []
            self._env["PYTHONPATH"] = str(folder)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._prefix, sys.executable, *arguments], cwd=self.folder, env=self._env,
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip

    def rag(self, *arguments: str) -> Any:
        done = self.python("-m", "rag", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def island(tmp_path_factory: pytest.TempPathFactory) -> Island:
    return Island(tmp_path_factory.mktemp("island"))


def test_the_island_is_one(island: Island) -> None:
    """Else what follows would show nothing."""
    done = island.python("-c", PROBE)
    assert "Network is unreachable" in done.stderr


def test_everything_runs_without_a_network_from_an_empty_model_cache(island: Island) -> None:
    docs = island.folder / "docs"
    docs.mkdir()
    shutil.copy(SAMPLES / FILE, docs)
    shutil.copy(SAMPLES / "gettysburg-address.txt", docs)
    assert not (island.folder / "cache").exists()
    assert island.rag("ingest", str(docs), "--workers", "1")["files"]["new"] == 2
    assert len(list((island.folder / "cache").rglob("manifest.json"))) == 1
    assert island.rag("search", QUESTION)["passages"][0]["file"] == FILE
    answer = island.rag("ask", QUESTION)
    assert answer["generator"]["kind"] == "extractive"
    assert "wooden propeller" in answer["answer"]
    assert island.rag("status")["counts"]["searchable"] == 2
    assert island.rag("doctor")["ok"] is True
