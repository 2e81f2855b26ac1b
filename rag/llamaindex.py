"""Our index as a LlamaIndex retriever: plug it into a query engine of theirs.

>>> from llama_index.core.query_engine import RetrieverQueryEngine
>>> with Pipeline.open(".rag") as rag:
...     engine = RetrieverQueryEngine.from_args(AffidavitRetriever(rag, k=5), llm=...)
"""

from __future__ import annotations

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.pipeline import Pipeline
from rag.records import Passage


class AffidavitRetriever(BaseRetriever):  # type: ignore[misc] # llama_index is not followed
    """Searches an open `Pipeline`; each node carries file, page and heading as metadata."""

    def __init__(self, pipeline: Pipeline, k: int = 5, files: str | None = None) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._k = k
        self._files = files

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        passages = self._pipeline.search(query_bundle.query_str, k=self._k, files=self._files)
        return [_node(passage) for passage in passages]


def _node(passage: Passage) -> NodeWithScore:
    node = TextNode(
        id_=passage.chunk_id,
        text=passage.text,
        metadata={
            "file_name": passage.file,  # the names their own readers use
            "page_label": "" if passage.page is None else str(passage.page),
            "heading": passage.heading,
        },
    )
    return NodeWithScore(node=node, score=passage.score)
