"""The tour notebook runs from top to bottom, as a reader would run it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "tour.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def run_cell(source: str, name: str, namespace: dict[str, Any]) -> str:
    """Run a cell and return what a notebook would show for its last expression, or ""."""
    tree = ast.parse(source, name)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, name, "exec"), namespace)  # noqa: S102  the notebook is our own
        return ""
    del tree.body[-1]
    exec(compile(tree, name, "exec"), namespace)  # noqa: S102
    value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307
    if value is None:
        return ""
    rich = getattr(value, "_repr_html_", None)
    return str(rich()) if rich else repr(value)


def test_the_notebook_ships_without_outputs() -> None:
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}


def test_every_cell_of_the_notebook_runs_in_order_and_the_answer_shows_itself(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run in its own folder without a model server, it finds the right file and page."""
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setenv("RAG_GENERATOR", "extractive")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = [run_cell(source, f"cell {n}", namespace) for n, source in enumerate(CODE, 1)]

    printed = capsys.readouterr().out
    file = "ntsb-20080117X00064-charlestown-global-5000.pdf"
    answer = namespace["answer"]
    assert not answer.refused
    assert "56 feet" in answer.answer
    assert f"{file}, page 1)" in printed
    (html,) = [text for text in shown if "56 feet" in text and "<" in text]
    assert "✓" in html
    assert "title='supported\n“" in html  # on hover
    assert "<details" in html  # and without a mouse
    assert f"{file}, page 1</li>" in html
    assert namespace["unknown"].refused
    assert not Path(namespace["index"]).exists()
