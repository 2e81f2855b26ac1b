"""Compacting a shard and building its graphs, in a process of its own.

The engine writes new files for seconds or minutes then, and when the disk fills meanwhile it ends
with SIGBUS: two of 25 ingests beside a program that filled the disk ended so [measured]. In a
child this is an exit status.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from rag.errors import DiskFull, IndexDamaged
from rag.store.ledger import REBUILD
from rag.store.room import MARGIN, free_bytes

#: Above this many kilobytes of vectors a segment gets an HNSW graph. Brute force answers in 4 ms
#: at 100,000 chunks (150 MB) and the graph takes 3 minutes to build, so it starts at four times
#: that.
GRAPH_FROM_KB = 600_000

#: Share of deleted points at which a generation is compacted before it is published.
COMPACT_AT = 0.2

_VECTOR_BYTES = 2  # a dimension, see `rag.store.shard.create_shard`

#: Only Linux ends a child with its parent (1 is PR_SET_PDEATHSIG); elsewhere an orphan goes on to
#: its end, and holds the writer's lock so long.
_CHILD = """
import ctypes, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
import qdrant_edge
shard = qdrant_edge.EdgeShard.load(sys.argv[1])
shard.optimize()
shard.flush()
shard.close()
"""


def is_due(shard: Any, dimension: int) -> bool:
    """Whether the open shard holds enough that is deleted, or enough vectors for a graph."""
    info = shard.info()
    # what the engine calls indexed vectors counts deleted points too [measured]
    deleted = info.indexed_vectors_count - info.points_count
    large = info.points_count * dimension * _VECTOR_BYTES > GRAPH_FROM_KB * 1000
    return bool(large or deleted > info.indexed_vectors_count * COMPACT_AT)


def compact(folder: Path, index: Path, lock: IO[bytes]) -> None:
    """Compact the closed shard in ``folder``. Raises DiskFull or IndexDamaged, and then the shard
    is good for nothing."""
    done = subprocess.run(  # noqa: S603 - this Python, our own code, a path
        [sys.executable, "-I", "-c", _CHILD, str(folder)],
        stdin=subprocess.DEVNULL, capture_output=True, pass_fds=[lock.fileno()], check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return
    told = done.stderr.decode(errors="replace").strip()
    if done.returncode == -signal.SIGBUS or "No space left" in told or free_bytes(index) < MARGIN:
        raise DiskFull(f"no room to compact index {index}", "free some disk")
    reason = told.splitlines()[-1][:160] if told else f"its process ended with {done.returncode}"
    raise IndexDamaged(f"index {index} cannot be compacted ({reason})", REBUILD)
