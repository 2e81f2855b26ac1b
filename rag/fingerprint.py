"""Does this index belong to these settings? Vector spaces never mix."""

from __future__ import annotations

from dataclasses import asdict

from rag.embedder import Embedder
from rag.errors import IndexMismatch
from rag.settings import Settings
from rag.store.base import Fingerprint
from rag.words import WORDS_VERSION


def fingerprint_of(embedder: Embedder, chunker: str) -> Fingerprint:
    """What the chunks and vectors of an index depend on."""
    identity = embedder.identity
    return Fingerprint(
        model=identity.model,
        weights=identity.weights,
        dimension=identity.dimension,
        query_prefix=identity.query_prefix,
        passage_prefix=identity.passage_prefix,
        chunker=chunker,
        words=WORDS_VERSION,
    )


def must_match(stored: Fingerprint, wanted: Fingerprint, settings: Settings) -> None:
    """Raise IndexMismatch naming each setting that differs."""
    differing = [
        f"{name} is «{theirs}», here «{asdict(wanted)[name]}»"
        for name, theirs in asdict(stored).items()
        if theirs != asdict(wanted)[name]
    ]
    if differing:
        where = settings.collection if settings.qdrant_url else settings.index
        raise IndexMismatch(
            f"index {where} was built with other settings: {'; '.join(differing)}",
            "use those settings, another --index, or rebuild: rag ingest FOLDER --reindex",
        )


def must_be_askable(stored: Fingerprint, embedder: Embedder, settings: Settings) -> None:
    """As `must_match`; how the text was cut does not matter to a question."""
    must_match(stored, fingerprint_of(embedder, stored.chunker), settings)
