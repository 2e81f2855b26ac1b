"""An optional second look at the best candidates by a cross-encoder, off by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rag.store.base import StoredChunk


class Reranker:
    """Orders chunks by a sentence-transformers CrossEncoder, which reads question and text
    together: slower and sharper than comparing vectors. Loading it costs seconds."""

    def __init__(self, model: str) -> None:
        from rag.sentence_models import cross_encoder

        self._model: Any = cross_encoder(model)

    def rerank(self, question: str, chunks: Sequence[StoredChunk]) -> list[StoredChunk]:
        """The same chunks, best first; equal scores keep the order they came in."""
        if not chunks:
            return []
        pairs = [(question, f"{c.title} {c.heading}\n{c.text}".strip()) for c in chunks]
        scores = self._model.predict(pairs, show_progress_bar=False)
        order = sorted(range(len(chunks)), key=lambda i: -float(scores[i]))
        return [chunks[i] for i in order]
