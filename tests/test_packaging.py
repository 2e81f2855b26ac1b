"""The wheel holds all that is needed and nothing else, and answers from another folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import SAMPLES, clean_environment

ROOT = Path(__file__).parents[1]
PACKAGES = ("rag", "ingest", "prompts", "eval")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")


def call(*command: str, cwd: Path, path: Path | None = None) -> str:
    """Run a command that must succeed; ``path`` is where Python looks for modules first."""
    env = clean_environment({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no build folder is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    leave_out = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=leave_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    call(*PIP, "wheel", *offline, "--wheel-dir", "dist", "./source", cwd=folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def copy(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as installed, away from the checkout."""
    target = tmp_path_factory.mktemp("installed") / "site"
    install = ("install", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    call(*PIP, *install, cwd=wheel.parent)
    return target


def test_the_wheel_holds_every_module_template_and_marker_and_nothing_else(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".md", ".toml", ".jsonl", ".json", ".css")
        or path.name == "py.typed"
    }
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == expected
    assert "prompts/answer.md" in inside


def test_the_installed_copy_ingests_and_answers_from_another_folder(
    copy: Path, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for sample in {path.suffix: path for path in SAMPLES.glob("ntsb-*")}.values():
        shutil.copy(sample, docs)
    where = "import rag, ingest, prompts; print(rag.__file__, ingest.__file__, prompts.__file__)"
    used = call(sys.executable, "-c", where, cwd=tmp_path, path=copy).split()
    assert all(Path(file).is_relative_to(copy) for file in used)

    rag = (sys.executable, "-m", "rag")
    report = json.loads(call(*rag, "ingest", "docs", "--json", cwd=tmp_path, path=copy))
    assert (report["files"]["new"], report["problems"]) == (4, [])
    question = "How much flap did the student use in Venice, and how much should it have been?"
    answer = json.loads(call(*rag, "ask", question, "--json", cwd=tmp_path, path=copy))
    assert "10-degrees of flaps" in answer["answer"]
    assert answer["prompt"]["name"] == "answer"


def test_the_command_is_installed_with_it(copy: Path, tmp_path: Path) -> None:
    shown = call(str(copy / "bin" / "rag"), "--help", cwd=tmp_path, path=copy)
    assert "rag ingest reports/" in shown
