"""Claims checked by a cross-encoder trained on inference or on factual consistency.

Any sentence-transformers CrossEncoder will do whose labels say what they mean: entailment, neutral
and contradiction in any order, entailment and not, or one output alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.checking.base import ModelOpinion
from rag.checking.models import OPTIONS, no_opinion
from rag.errors import UsageError
from rag.sentence_models import PairModel

Pair = tuple[str, Sequence[str]]

#: Tokens kept free for the signs between and around premise and hypothesis; no known model has
#: more than four.
_SIGNS = 4
#: The least premise worth reading, in tokens: one short sentence. Set by hand.
_LEAST_WINDOW = 32
_OTHERWISE = "check without a model: --verifier rules"


class NliChecker:
    """A CrossEncoder from a local folder, or from the hub where a hub name is given.

    ``digest`` is the sha256 of its weights. Loading it costs seconds. Raises ModelUnavailable
    when it cannot be loaded, and UsageError when its labels cannot be told apart.
    """

    kind = "nli"

    def __init__(self, source: str) -> None:
        self.model = source
        self._pairs = PairModel(source, what="NLI model", otherwise=_OTHERWISE)
        self._columns = _columns(source, self._pairs.labels)
        self.digest: str | None = self._pairs.weights_sha256()

    def check(self, pairs: Sequence[Pair]) -> list[ModelOpinion]:
        """One opinion for each (claim, evidence), in order, all scored in one batch.

        Evidence that does not fit the model is read in windows that overlap by half; the window
        that supports the claim best speaks.
        """
        windows = [self._windows(claim, "\n\n".join(evidence)) for claim, evidence in pairs]
        flat = [
            (window, claim)
            for (claim, _), found in zip(pairs, windows, strict=True)
            for window in found
        ]
        probabilities = self._probabilities(flat)
        opinions: list[ModelOpinion] = []
        start = 0
        for (_, evidence), found in zip(pairs, windows, strict=True):
            rows = probabilities[start : start + len(found)]
            start += len(found)
            opinions.append(_opinion(rows, any(text.strip() for text in evidence)))
        return opinions

    def _windows(self, claim: str, text: str) -> list[str]:
        """The text in pieces that fit beside the claim; none where claim or text leave nothing."""
        spans = self._pairs.token_spans(text)
        room = self._pairs.limit - len(self._pairs.token_spans(claim)) - _SIGNS
        if not spans or room < _LEAST_WINDOW:
            return []
        if len(spans) <= room:
            return [text]
        step = room // 2
        starts = range(0, len(spans) - room + step, step)
        return [text[spans[i][0] : spans[min(i + room, len(spans)) - 1][1]] for i in starts]

    def _probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Shape (len(pairs), 3), in the order of OPTIONS; each row adds up to 1."""
        if not pairs:
            return np.zeros((0, len(OPTIONS)))
        logits = self._pairs.logits(pairs)
        if logits.shape[1] == 1:
            yes = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
            outputs = np.hstack([yes, 1 - yes])
        else:
            grown = np.exp(logits - logits.max(axis=1, keepdims=True))
            outputs = grown / grown.sum(axis=1, keepdims=True)
        columns = [outputs[:, n] if n is not None else np.zeros(len(pairs)) for n in self._columns]
        return np.stack(columns, axis=1)


def _columns(source: str, labels: Sequence[str]) -> tuple[int | None, ...]:
    """For each of OPTIONS the output that means it. One output alone is read as «supported»;
    it and two-way models do not tell contradicted from not in source, so that has none."""
    if len(labels) == 1:
        return (0, None, 1)
    found: dict[str, int] = {}
    for n, label in enumerate(labels):
        meaning = _meaning(label.lower())
        if meaning is None or meaning in found:
            break
        found[meaning] = n
    else:
        if "supported" in found and (len(found) == len(OPTIONS) or "not_in_source" in found):
            return tuple(found.get(option) for option in OPTIONS)
    raise UsageError(
        f"NLI model «{source}» has outputs named {', '.join(labels)}",
        "choose one whose config.json names them entailment, neutral and contradiction",
    )


def _meaning(label: str) -> str | None:
    if "contradict" in label:
        return "contradicted"
    if "neutral" in label or ("entail" in label and label.startswith(("not", "non"))):
        return "not_in_source"
    return "supported" if "entail" in label else None


def _opinion(rows: NDArray[np.float64], evidence: bool) -> ModelOpinion:
    if not evidence:
        return no_opinion("there is no evidence to check against")
    if not len(rows):
        return no_opinion("the claim is too long for the NLI model")
    row = rows[int(rows[:, 0].argmax())]
    if not np.isfinite(row).all():
        return no_opinion("the NLI model gave no number")
    best = OPTIONS[int(row.argmax())].replace("_", " ")
    supported, contradicted, not_in_source = (float(p) for p in row)
    return ModelOpinion(supported, contradicted, not_in_source, f"the NLI model says {best}")
