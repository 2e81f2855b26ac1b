"""Refuse weak evidence in code, before any model is called."""

from __future__ import annotations

from collections.abc import Sequence

from rag.prepared_model import BUNDLED_SHA256, ModelIdentity
from rag.records import Passage
from rag.settings import Settings

#: Lowest cosine of question and best passage, by the embedder's weights. Cosines of one model say
#: nothing about another's, so a model without a figure here has no gate unless the setting gives
#: one. Measured with bench/gate.py.
CALIBRATED = {BUNDLED_SHA256: 0.3}


def too_weak(
    passages: Sequence[Passage], identity: ModelIdentity, settings: Settings
) -> str | None:
    """Why these passages cannot hold an answer, None when they may.

    Scores know «this is not in the folder»; only something that reads the passage knows «nearly».
    """
    if not passages:
        return "no passage matches the question"
    gate = CALIBRATED.get(identity.weights, 0.0) if settings.gate is None else settings.gate
    known = [p.similarity for p in passages if p.similarity is not None]
    best = max(known, default=0.0)
    if best < gate:
        return f"the closest passage is not close enough (similarity {best:.2f}, gate {gate:.2f})"
    return None
