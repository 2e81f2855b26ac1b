"""A LlamaIndex user can plug our index into a query engine of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import Pipeline


@pytest.fixture(scope="module")
def pipeline(samples_index: Path):
    with Pipeline.open(samples_index) as opened:
        yield opened


def test_nodes_carry_text_score_file_and_page(pipeline: Pipeline) -> None:
    from rag.llamaindex import AffidavitRetriever

    question = "How cold was it in Wausau when the Cessna nosed over?"
    nodes = AffidavitRetriever(pipeline, k=4).retrieve(question)
    passages = pipeline.search(question, k=4)
    assert [n.node.get_content() for n in nodes] == [p.text for p in passages]
    assert [n.score for n in nodes] == [p.score for p in passages]
    assert [n.node.metadata["file_name"] for n in nodes] == [p.file for p in passages]
    assert nodes[0].node.metadata["page_label"] == str(passages[0].page)
    assert nodes[0].node.node_id == passages[0].chunk_id


def test_their_query_engine_answers_from_our_passages(pipeline: Pipeline) -> None:
    from llama_index.core.llms import MockLLM
    from llama_index.core.query_engine import RetrieverQueryEngine

    from rag.llamaindex import AffidavitRetriever

    engine = RetrieverQueryEngine.from_args(
        AffidavitRetriever(pipeline, k=3, files="*wausau*"), llm=MockLLM()
    )
    reply = engine.query("What happened in Wausau?")
    assert len(reply.source_nodes) == 3
    assert all("wausau" in n.node.metadata["file_name"] for n in reply.source_nodes)
    # the mock repeats its prompt: our passages are what their engine put into it
    assert reply.source_nodes[0].node.get_content()[:80] in str(reply)
