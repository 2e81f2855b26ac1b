"""The quickstart notebook runs from top to bottom, with a model that writes and without one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from test_notebook import run_cell

from rag.testing import ScriptedServer

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"
CELLS: list[dict[str, Any]] = [
    cell
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NOTEBOOK.parent)


def run_all() -> tuple[dict[str, Any], list[str]]:
    """What the cells leave behind, and what each shows."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = [
        run_cell("".join(cell["source"]), f"cell {n}", namespace) for n, cell in enumerate(CELLS, 1)
    ]
    return namespace, shown


def test_without_a_model_it_compares_numbers_of_passages_on_twenty_questions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_GENERATOR", "extractive")
    left, shown = run_all()
    assert "56 feet" in left["answer"].answer
    assert [t.name for t in left["trial"].tried] == ["k = 1", "k = 5"]
    assert [len(t.run.results) for t in left["trial"].tried] == [20, 20]
    assert any("<svg" in text and "task completion" in text for text in shown)
    printed = capsys.readouterr().out
    assert left["trial"].conclusion in printed
    assert "15 answerable, 5 not" in printed
    assert not Path(left["index"]).exists()


def test_with_a_model_it_compares_two_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second prompt asks for one sentence, and is what the model was sent."""
    with ScriptedServer() as server:
        server.enqueue("It was about 56 feet before the threshold [1].")
        server.enqueue(*["The runway was 3078 feet long [1]."] * 40)
        monkeypatch.setenv("RAG_GENERATOR", "ollama")
        monkeypatch.setenv("RAG_OLLAMA_URL", server.url)
        left, _ = run_all()
        sent = [json.dumps(request.body) for request in server.chats()]
    first, second = left["trial"].tried
    assert first.name == "prompt = answer"
    assert second.name.endswith("terse.md")
    asked = {reply.question.question for reply in second.run.replies}
    terse = [text for text in sent if "one short sentence" in text]
    assert 0 < len(terse) <= len(asked) == 20


def test_its_outputs_are_committed_in_order_small_and_without_places_of_a_machine() -> None:
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    assert sum(bool(cell["outputs"]) for cell in CELLS) >= 7
    kinds = {output["output_type"] for cell in CELLS for output in cell["outputs"]}
    assert kinds == {"stream", "execute_result"}
    assert NOTEBOOK.stat().st_size < 60_000
    assert not re.search(r"/(tmp|home|root|Users)/", NOTEBOOK.read_text(encoding="utf-8"))
