"""A model by its name: a folder here, the hub's cache, or a hub that answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import NOBODY, Outside
from huggingface_hub import constants

from rag.errors import ModelUnavailable
from rag.hub import must_be_within_reach
from rag.testing import ScriptedServer


def look(source: str) -> None:
    must_be_within_reach(source, "reranker", "give another")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Sets the address of the hub; its cache is empty."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return lambda url: monkeypatch.setattr(constants, "ENDPOINT", url)


@pytest.mark.parametrize("source", ["/nowhere/at/all", "./nowhere", "../nowhere", "~/nowhere"])
def test_a_path_is_a_folder_or_nothing(source: str) -> None:
    with pytest.raises(ModelUnavailable) as failure:
        look(source)
    assert str(failure.value) == f"reranker «{source}»: there is no such folder; give another"


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    look(str(tmp_path))


def test_a_hub_that_does_not_answer_is_asked_once(hub: Callable[[str], None]) -> None:
    hub(NOBODY)
    with pytest.raises(ModelUnavailable, match="«some/model» is no folder here, and the model hub"):
        look("some/model")


def test_a_machine_without_a_network_is_told_at_once(
    hub: Callable[[str], None], outside: Outside
) -> None:
    hub("https://hub.example")
    with pytest.raises(ModelUnavailable, match="does not answer"):
        look("some/model")
    assert outside.attempts == [("look up", "hub.example")]


def test_a_hub_that_answers_is_left_to_its_own_client(hub: Callable[[str], None]) -> None:
    with ScriptedServer() as server:
        hub(server.url)
        look("some/model")


def test_a_model_in_the_cache_needs_no_hub(hub: Callable[[str], None], tmp_path: Path) -> None:
    hub(NOBODY)
    cached = tmp_path / "cache" / "models--some--model"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "snapshots" / "abc" / "config.json").write_text("{}")
    look("some/model")


def test_without_leave_to_ask_the_hub_it_is_not_asked(
    hub: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(NOBODY)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    look("some/model")
