"""Named moments at which a test kills this process, to show that a kill costs nothing.

``RAG_FAILPOINT=name`` (or ``name:3`` for the third time it is passed) in the environment makes
`failpoint` end the process there as ``kill -9`` does. Nothing else reads it.
"""

from __future__ import annotations

import os
import signal

#: Every failpoint there is, in the order in which an ingest passes them.
NAMES = (
    "ingest.planned",  # the plan is made, nothing is changed
    "ingest.read",  # a file is read and chunked
    "ingest.embedded",  # a group of chunks is embedded, not written
    "embedded.copied",  # the private copy of the newest generation is made
    "embedded.dropped",  # a former version is out of the private copy
    "embedded.upserted",  # the new version is in, its ledger line is not
    "embedded.noted",  # the ledger line is in, not committed
    "embedded.flushed",  # the engine has written everything, the ledger is not committed
    "embedded.committed",  # the ledger is committed, the copy is not in place
    "embedded.renamed",  # the copy is in place, CURRENT names the one before
    "embedded.switched",  # CURRENT names the new one, old ones are not swept
    "embedded.parked",  # an unfinished rebuild is put aside, to be taken up again
    "server.arrived",  # new points are on the server, hidden
    "server.marked",  # outgoing points are marked
    "server.turned",  # the new epoch shows, outgoing points are not deleted
)

_passed = 0


def failpoint(name: str) -> None:
    """Die here if the environment says so."""
    wanted = os.environ.get("RAG_FAILPOINT")
    if not wanted:
        return
    assert name in NAMES, name  # noqa: S101 - a misspelt failpoint would never be tested
    target, _, times = wanted.partition(":")
    if target == name:
        global _passed
        _passed += 1
        if _passed == int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)
