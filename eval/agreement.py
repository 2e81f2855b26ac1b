"""How often a judge and people agree: κ, sensitivity, specificity, each with its interval.

A judge says one thing that an evaluation acts on: «flagged» (contradicted or not supported).
Sensitivity is the share of what people call unsupported that it flags, specificity the share of
what they call supported that it leaves alone. What it could not judge is counted apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eval.records import Rate
from eval.statistics import Floats, bootstrap, rate, sample, unseen
from rag.checking.base import ModelChecker, ModelOpinion
from rag.errors import UsageError

Unit = Literal["claim", "answer"]
_SUPPORTED = {"supported": True, "not_supported": False}
#: Claims that a model reads in one batch.
_TOGETHER = 32
_FORMS = (
    'write {"claim": "…", "evidence": "…" or ["…"], "label": "supported" or "not_supported"}'
    ' or {"question": "…", "answer": "…", "evidence": …, "label": …}, one form in a file'
)
#: The least that sensitivity + specificity − 1 must certainly be (97.5 %; chance has 0) for a judge
#: to open a gate, and for rates to be corrected: below, a point of what is seen becomes ten of what
#: is told. Set by hand.
LEAST_POWER = 0.1
_EQUAL = 1e-12  # figures closer than that are the same but for rounding
_FLAGS = ("contradicted", "not_supported")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A claim, or an answer to ``question``, and whether people say its evidence supports it.

    Those of one ``group`` (a document, a question) are not independent of each other.
    """

    unit: Unit
    text: str
    evidence: tuple[str, ...]
    supported: bool
    group: str
    question: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge beside people. ``n`` labels, ``not_judged`` of them apart; ``kappa`` is Cohen's, in
    [−1, 1]; ``flagged`` is the share it flags of all it judged."""

    unit: Unit
    n: int
    not_judged: Rate
    kappa: Rate
    sensitivity: Rate
    specificity: Rate
    flagged: Rate


# ---------------------------------------------------------------------- labels


def read_labels(path: str | Path) -> list[Labelled]:
    """The labels of a JSON Lines file, all claims or all answers. Empty lines do not count.

    Raises UsageError naming file and line for one that cannot be used, and for a file that lacks
    either kind of label: without both there is nothing to agree on.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"labels {path} cannot be read: {reason}", "give a text file") from error
    found: list[Labelled] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            labelled = _labelled(line, number)
            if isinstance(labelled, str):
                raise UsageError(f"{path}, line {number}: {labelled}", _FORMS)
            if found and labelled.unit != found[0].unit:
                raise UsageError(f"{path}, line {number}: claims and answers in one file", _FORMS)
            found.append(labelled)
    if len({label.supported for label in found}) < 2:
        raise UsageError(
            f"{path} has {len(found)} labels, not of both kinds",
            "label some as supported and some as not_supported",
        )
    return found


def _labelled(line: str, number: int) -> Labelled | str:
    """The label of a line, or what is wrong with it."""
    try:
        row: dict[str, Any] = dict(json.loads(line))
    except (ValueError, TypeError):
        return "no JSON object"
    unit: Unit = "claim" if "claim" in row else "answer"
    evidence = [row["evidence"]] if isinstance(row.get("evidence"), str) else row.get("evidence")
    if not isinstance(evidence, list) or not all(isinstance(e, str) for e in evidence):
        return "«evidence» is no text or list of texts"
    texts = [row.get(k) for k in (("claim",) if unit == "claim" else ("answer", "question"))]
    if not all(isinstance(t, str) and t.strip() for t in texts):
        return f"no «{unit}»" + ("" if unit == "claim" else " with its «question»")
    if row.get("label") not in _SUPPORTED:
        return f"the label is {row.get('label')!r}"
    group = str(row.get("group", f"line {number}"))
    question = str(row.get("question", ""))
    label = _SUPPORTED[row["label"]]
    return Labelled(unit, str(texts[0]), tuple(evidence), label, group, question)


# ---------------------------------------------------------------------- the judge


def judge(labels: Sequence[Labelled], checker: ModelChecker | None) -> Iterator[bool | None]:
    """Whether the judge flags each, in order; None where it could not judge. Of several claims in
    an answer the worst decides. Raises what ``checker.check`` raises."""
    from rag.checking.calibration import calibration_of
    from rag.checking.check import verify

    record = calibration_of(checker.digest) if checker else None
    for start in range(0, len(labels), _TOGETHER):
        batch = [(label, claim) for label in labels[start : start + _TOGETHER]
                 for claim in _claims(label)]  # fmt: skip
        opinions: Sequence[ModelOpinion | None] = [None] * len(batch)
        if checker and batch:
            opinions = checker.check([(claim, label.evidence) for label, claim in batch])
        told: dict[int, list[bool | None]] = {}
        for (label, claim), opinion in zip(batch, opinions, strict=True):
            yes = bool(opinion and record and record.says_supported(opinion))
            found = verify(
                claim, label.evidence, question=label.question, opinion=opinion, calibrated=yes
            )
            failed = found.score is None or (opinion is not None and opinion.supported is None)
            flags = found.label in _FLAGS
            told.setdefault(id(label), []).append(None if failed and not flags else flags)
        for label in labels[start : start + _TOGETHER]:
            yield _worst(told.get(id(label), []))


def _claims(label: Labelled) -> list[str]:
    if label.unit == "claim":
        return [label.text]
    from rag.checking.claims import claim_of
    from rag.sentences import sentences

    return [claim for s in sentences(label.text) if (claim := claim_of(s))]


def _worst(flags: Sequence[bool | None]) -> bool | None:
    """An answer is flagged if a claim is; not judged if none could be."""
    known = [f for f in flags if f is not None]
    return any(known) if known else None


# ---------------------------------------------------------------------- agreement


def agreement(labels: Sequence[Labelled], flagged: Sequence[bool | None]) -> Agreement:
    """How a judge's flags agree with the labels. Intervals draw groups; those of rates are
    Wilson's on the effective size (see `eval.statistics`)."""
    rows = [(label, said) for label, said in zip(labels, flagged, strict=True) if said is not None]
    return Agreement(
        unit=labels[0].unit,
        n=len(labels),
        not_judged=_share([(label.group, said is None)
                           for label, said in zip(labels, flagged, strict=True)]),
        kappa=_kappa(rows),
        sensitivity=_share([(label.group, said) for label, said in rows if not label.supported]),
        specificity=_share([(label.group, not said) for label, said in rows if label.supported]),
        flagged=_share([(label.group, said) for label, said in rows]),
    )  # fmt: skip


def tells_apart(sensitivity: float | None, specificity: float | None) -> bool:
    """Whether a judge with these low ends of both tells supported from unsupported; None is
    unknown."""
    if sensitivity is None or specificity is None:
        return False
    return sensitivity + specificity - 1 >= LEAST_POWER


def _share(rows: Sequence[tuple[str, bool]]) -> Rate:
    return rate(sample([(str(i), group, float(hit), 1.0) for i, (group, hit) in enumerate(rows)]))


def _kappa(rows: Sequence[tuple[Labelled, bool]]) -> Rate:
    """Cohen's κ: agreement beyond what chance gives judges with these habits."""
    if not rows:
        return Rate(None, None, None, 0)
    groups, where = np.unique(np.array([label.group for label, _ in rows]), return_inverse=True)
    if len(groups) == 1:  # then each row is drawn by itself
        where = np.arange(len(rows))
    cells = np.zeros((int(where.max()) + 1, 4))
    for unit, (label, said) in zip(where, rows, strict=True):
        cells[unit, 2 * (not label.supported) + said] += 1
    counts = cells.sum(axis=0)
    value = float(_kappas(counts))
    if not np.isfinite(value):
        return Rate(None, None, None, len(rows))
    low, high = bootstrap(cells, _kappas)
    if high - low < _EQUAL:  # so many groups as nobody saw may agree, or disagree, throughout
        reach = unseen(len(cells)) / (1 - float(_by_chance(counts)))
        low, high = value - reach, value + reach
    return Rate(value, max(-1.0, low), min(1.0, high), len(rows))


def _kappas(cells: Floats) -> Floats:
    """κ of (…, 4) counts: supported and left alone, supported and flagged, unsupported and left
    alone, unsupported and flagged. Not a number where both always say the same."""
    agreed = (cells[..., 0] + cells[..., 3]) / cells.sum(axis=-1)
    by_chance = _by_chance(cells)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((agreed - by_chance) / (1 - by_chance))


def _by_chance(cells: Floats) -> Floats:
    """How often judges with these habits agree by chance, of the same counts."""
    n = cells.sum(axis=-1)
    unsupported = (cells[..., 2] + cells[..., 3]) / n
    said = (cells[..., 1] + cells[..., 3]) / n
    return np.asarray(unsupported * said + (1 - unsupported) * (1 - said))
