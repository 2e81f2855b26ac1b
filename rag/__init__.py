"""Affidavit: answers from a folder of documents, each sentence tied to its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.checking.base import Verdict
    from rag.checking.check import verify
    from rag.pipeline import Pipeline
    from rag.records import Answer, Passage, Sentence

__all__ = ["Answer", "Passage", "Pipeline", "Sentence", "Verdict", "verify"]

_HOMES = {
    "Pipeline": "rag.pipeline",
    "Answer": "rag.records",
    "Passage": "rag.records",
    "Sentence": "rag.records",
    "Verdict": "rag.checking.base",
    "verify": "rag.checking.check",
}


def __getattr__(name: str) -> Any:
    """Load on first use: ``import rag`` alone opens no file and loads no model."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
