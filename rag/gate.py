"""Refuse weak evidence in code, before any model is called."""

from __future__ import annotations

from collections.abc import Sequence

from rag.prepared_model import BUNDLED_SHA256, ModelIdentity
from rag.records import Passage
from rag.settings import Settings
from rag.words import document_words, query_words

#: Lowest cosine of question and best passage, by the embedder's weights. Cosines of one model say
#: nothing about another's, so a model without a figure here has no gate unless the setting gives
#: one. Measured with bench/answers.py.
CALIBRATED = {BUNDLED_SHA256: 0.3}

#: A passage that holds this share of the question's words, stop words aside, passes whatever its
#: cosine: short questions with names and numbers have low cosines to the very sentence they mean.
WORDS_ENOUGH = 0.6


def too_weak(
    question: str, passages: Sequence[Passage], identity: ModelIdentity, settings: Settings
) -> str | None:
    """Why these passages cannot hold an answer, None when they may.

    Scores know «this is not in the folder»; only something that reads the passage knows «nearly».
    """
    if not passages:
        return "no passage matches the question"
    gate = CALIBRATED.get(identity.weights, 0.0) if settings.gate is None else settings.gate
    similarity = max((p.similarity or 0.0 for p in passages), default=0.0)
    if similarity >= gate or words_share(question, passages) >= WORDS_ENOUGH:
        return None
    return f"the closest passage is not close enough (similarity {similarity:.2f}, gate {gate:.2f})"


def words_share(question: str, passages: Sequence[Passage]) -> float:
    """The largest share of the question's words that one passage holds, 0…1."""
    wanted = set(query_words(question).indices)
    if not wanted:
        return 0.0
    return max(len(wanted & set(document_words(p.text).indices)) / len(wanted) for p in passages)
