"""Refuse weak evidence in code, before any model is called.

Two thresholds, set together (bench/abstention.md). The gate stands so low that it refuses at most
one answerable question in a hundred of any set measured: a model reads the passages itself, and its
own «not supported in source» decides the rest. The writer that quotes cannot read, so for it the
reader of `rag.answerable` decides, at the cut of the best balanced accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.prepared_model import BUNDLED_SHA256, ModelIdentity
from rag.quotable import Quotable
from rag.records import Passage
from rag.settings import Settings
from rag.words import document_words, query_words

#: Lowest cosine of question and best passage, by the embedder's weights. Cosines of one model say
#: nothing about another's, so a model without a figure here has no gate unless the setting gives
#: one. Measured with bench/answers.py.
CALIBRATED = {BUNDLED_SHA256: 0.35}

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
    if all_named(question, passages):
        return None
    return f"the closest passage is not close enough (similarity {similarity:.2f}, gate {gate:.2f})"


def unquotable(
    question: str,
    passages: Sequence[Passage],
    sentences: Sequence[Quotable],
    identity: ModelIdentity,
    settings: Settings,
) -> str | None:
    """Why these sentences of the passages should not be quoted as an answer, None when they may be.

    For the writer that cannot read; ``sentences`` are those it chooses from.
    """
    cut = _quoting_cut(identity, settings)
    if not cut:
        return None
    from rag.answerable import assess

    found = assess(question, passages, sentences)
    if found is None or found.probability >= cut:
        return None
    return f"{found.doubt} (answerable {found.probability:.2f}, cut {cut:.2f})"


def _quoting_cut(identity: ModelIdentity, settings: Settings) -> float:
    """The shipped cut goes with the bundled embedder; ``gate = 0`` switches it off as well."""
    if settings.answerable_cut is not None:
        return settings.answerable_cut
    if settings.gate == 0 or identity.weights not in CALIBRATED:
        return 0.0
    from rag.answerable import coefficients

    return coefficients().cut


def words_share(question: str, passages: Sequence[Passage]) -> float:
    """The largest share of the question's words that one passage holds, 0…1."""
    wanted = set(query_words(question).indices)
    if not wanted:
        return 0.0
    return max(len(wanted & set(document_words(p.text).indices)) / len(wanted) for p in passages)


def all_named(question: str, passages: Sequence[Passage]) -> bool:
    """Whether one passage has every name and figure of a question that names something by name."""
    from rag.answerable import reading_of
    from rag.asked import asked

    return any(asked(question).found(reading_of(p)) for p in passages)
