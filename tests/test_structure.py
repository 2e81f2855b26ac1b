"""Who may import whom, who opens the door to which package, and what a cold start loads."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import clean_environment

ROOT = Path(__file__).parents[1]
OURS = ("prompts", "rag", "ingest", "eval")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in OURS
    for path in sorted((ROOT / package).rglob("*.py"))
}

#: Who may see whom: prompts ◀─ rag ◀─ ingest, and prompts ◀─ rag ◀─ eval.
MAY_IMPORT = {
    "prompts": {"prompts"},
    "rag": {"rag", "prompts"},
    "ingest": {"ingest", "rag", "prompts"},
    "eval": {"eval", "rag", "prompts"},
}

#: One door for each package of others: the modules that may import it. click and numpy are a
#: vocabulary and not a service, so their modules are kinds of modules.
DOORS = {
    "charset_normalizer": {"ingest.readers.text"},
    "cronsim": {"eval.cron"},
    "docx": {"ingest.readers.word_file"},
    "httpx": {"rag.generators._http", "rag.hub"},
    "huggingface_hub": {"rag.hub"},
    "llama_index": {"ingest.chunker", "rag.llamaindex"},  # its splitter; an adapter for its users
    "lxml": {
        "ingest.readers.html_tree",
        "ingest.readers.package",
    },  # web pages; XML in zip archives
    "markdown_it": {"ingest.readers.markdown"},
    "olefile": {"ingest.readers.outlook"},
    "ollama": {"rag.generators.ollama"},
    "onnxruntime": {"rag.runtime"},
    "openvino": {"rag.runtime"},
    "platformdirs": {"rag.checking.calibration", "rag.prepared_model"},
    "pandas": {"eval.dataframe", "eval.records"},  # in records its type alone
    "portalocker": {"eval.ledger", "rag.store.generations"},
    "psutil": {"rag.hardware"},
    "pypdf": {"ingest.readers.pdf_pypdf"},
    "pypdfium2": {  # its text, its drawing, what lies on a page
        "ingest.readers.pdf_calls",
        "ingest.readers.pdf_image",
        "ingest.readers.pdf_pdfium",
    },
    "python_calamine": {"ingest.readers.spreadsheet"},
    "qdrant_client": {"rag.store.server_connection", "rag.store.server_points"},
    "qdrant_edge": {
        "rag.store.embedded",
        "rag.store.embedded_reader",
        "rag.store.shard",
        "rag.words",
    },
    "sentence_transformers": {"rag.sentence_models"},
    "sentencex": {"ingest.chunker", "rag.sentences"},
    "tokenizers": {"rag.embedder", "rag.prepared_model"},
    "torch": {"rag.sentence_models"},
    "xllamacpp": {"rag.testing"},
}
VOCABULARY = {
    "click": {m for m in MODULES if "cli" in m.rpartition(".")[2]} | {"rag.options"},
    "numpy": {m for m in MODULES if m.startswith(("rag.", "ingest.spool"))}
    | {f"eval.{name}" for name in ("agreement", "corrections", "paired", "statistics")},
}
HEAVY = {"torch", "llama_index", "sentence_transformers", "qdrant_client", "openvino"}


def imported(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, whether at the top of the file) for each import of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield str(node.module), id(node) in top


@cache
def foreign() -> dict[str, set[str]]:
    """Package of others → our modules that import it."""
    found: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        for name, _ in imported(path):
            package = name.partition(".")[0]
            if package not in OURS and package not in sys.stdlib_module_names:
                found.setdefault(package, set()).add(module)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    seen = {name.partition(".")[0] for name, _ in imported(MODULES[module])} & set(OURS)
    assert seen <= MAY_IMPORT[module.partition(".")[0]]


def test_each_package_of_others_has_one_door() -> None:
    outside = {
        package: modules - DOORS.get(package, VOCABULARY.get(package, set()))
        for package, modules in foreign().items()
    }
    assert {package: modules for package, modules in outside.items() if modules} == {}


def test_the_table_of_doors_names_no_door_that_is_shut() -> None:
    unused = {package: doors - foreign().get(package, set()) for package, doors in DOORS.items()}
    assert {package: doors for package, doors in unused.items() if doors} == {}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_heavy_is_imported_at_the_top_of_a_module(module: str) -> None:
    """But where the module is such a package's own door and is itself imported late."""
    late = {"rag.store.server_connection", "rag.store.server_points", "rag.llamaindex"}
    top = {name.partition(".")[0] for name, at_top in imported(MODULES[module]) if at_top}
    assert module in late or not top & HEAVY


# ---------------------------------------------------------------------- cold starts

TELL = "; import sys, json; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after ``code``; its own output is cut."""
    done = subprocess.run(
        [sys.executable, "-c", code + TELL], env=clean_environment(),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_rag_alone_loads_nothing_of_others() -> None:
    """The installer's own finder module is how an editable install works."""
    new = loaded_by("import rag") - set(sys.stdlib_module_names) - loaded_by("pass")
    assert new == {"rag"}


def test_importing_the_pipeline_loads_nothing_heavy() -> None:
    loaded = loaded_by("from rag import Pipeline, Answer; from ingest import ingest_folder")
    assert not loaded & (HEAVY | {"onnxruntime", "qdrant_edge", "httpx", "ollama", "pypdf"})


@pytest.mark.parametrize(
    ("command", "light"),
    [
        ("['search', 'fence?', '--index', INDEX]", {"httpx", "ollama"}),
        ("['ask', 'fence?', '--index', INDEX, '--generator', 'extractive']", {"httpx", "ollama"}),
        ("['status', '--index', INDEX]", {"httpx", "ollama", "onnxruntime", "tokenizers"}),
        ("['ask', '--help']", {"httpx", "ollama", "onnxruntime", "qdrant_edge", "numpy"}),
    ],
    ids=["search", "ask", "status", "help"],
)
def test_a_cold_command_loads_only_what_it_needs(
    samples_index: Path, command: str, light: set[str]
) -> None:
    call = command.replace("INDEX", repr(str(samples_index)))
    loaded = loaded_by(f"from rag.cli import cli; from rag.options import run; run(cli, {call})")
    assert not loaded & (HEAVY | light)
