"""Where chunks, vectors and the ledger live: one protocol, two engines.

The engines are imported when they are opened: `embedded` brings Qdrant Edge, `server` brings
qdrant-client, which costs a second.
"""

from __future__ import annotations

from pathlib import Path

from rag.settings import Settings
from rag.store.base import Reader, Writer


def open_reader(settings: Settings) -> Reader:
    """The index as last published. Raises IndexMissing, IndexDamaged or StoreUnavailable."""
    if settings.qdrant_url:
        from rag.store.server import ServerReader

        return ServerReader.connect(settings)
    from rag.store.embedded import EmbeddedReader

    return EmbeddedReader(Path(settings.index))


def open_writer(settings: Settings) -> Writer:
    """The one writer. Raises IndexLocked when another run is writing, or StoreUnavailable."""
    if settings.qdrant_url:
        from rag.store.server import ServerWriter

        return ServerWriter.connect(settings)
    from rag.store.embedded import EmbeddedWriter

    return EmbeddedWriter(Path(settings.index))
