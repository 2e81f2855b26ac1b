"""What a judge's flags are worth: its error rates kept by digest, and rates corrected for them.

The offline rules come with their record (`offline_calibration.json`: the labelled claims of
`rag.checking`, written by hand), so gates work from the first day. ``rag eval calibrate`` keeps
better ones, from a user's own labels, in ``calibrations/`` beside the history.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from eval.agreement import LEAST_POWER, Agreement, Labelled, Unit, tells_apart
from eval.records import EvaluationRun, Rate
from eval.samples import samples
from eval.statistics import Sample, trials, wilson
from rag.checking.base import ModelChecker
from rag.errors import UsageError

FOLDER = "calibrations"
RULES = "rules"
_SHIPPED = "offline_calibration.json"
_RECORD = 1  # version of the stored form
_DRAWS = 20_000
_SEED = 7


@dataclass(frozen=True, slots=True)
class JudgeRecord:
    """A judge's agreement with people. ``digest`` names what judged, ``labels`` the file of labels
    by its name and digest."""

    kind: str
    model: str | None
    digest: str
    made: str
    labels: str
    agreement: Agreement

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def name(self) -> str:
        """«rules, on labels.jsonl (2026-11-22)»."""
        who = f"{self.kind} {self.model}" if self.model else self.kind
        return f"{who}, on {self.labels} ({self.made})"

    @property
    def believed(self) -> bool:
        """Whether it shows that the judge tells supported from unsupported, as a gate asks."""
        a = self.agreement
        return tells_apart(a.sensitivity.low, a.specificity.low)

    def lines(self) -> list[str]:
        """The error rates for a person, one a line."""
        a = self.agreement
        return [
            f"{self.name}: {a.n} {a.unit}s, {a.not_judged.value or 0:.0%} of them not judged",
            f"agreement beyond chance (κ): {told(a.kappa)}",
            f"unsupported ones flagged (sensitivity): {told(a.sensitivity)}",
            f"supported ones left alone (specificity): {told(a.specificity)}",
        ]


def told(rate: Rate) -> str:
    """«.54 [.46, .62] of 165»."""
    if rate.value is None:
        return "unknown"
    return f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}] of {rate.n}"


# ---------------------------------------------------------------------- records


def rules_digest() -> str:
    """Names the numbers and words that the offline rules decide by."""
    folder = files("rag.checking")
    read = [folder.joinpath(n).read_bytes() for n in ("coefficients.toml", "wordlists.toml")]
    return hashlib.sha256(b"\0".join(read)).hexdigest()


def make_record(checker: ModelChecker | None, labels: str, agreement: Agreement) -> JudgeRecord:
    """The record of a judge, None for the offline rules. Raises UsageError for a model whose
    weights nobody names."""
    digest = checker.digest if checker else rules_digest()
    if checker and not digest:
        raise UsageError(
            f"the server of «{checker.model}» tells no digest of its weights, so no record of it"
            " can be kept",
            "use a model on Ollama, or a local NLI model",
        )
    kind, model = (checker.kind, checker.model) if checker else (RULES, None)
    made = datetime.now(UTC).date().isoformat()
    return JudgeRecord(kind, model, str(digest), made, labels, agreement)


def stored(record: JudgeRecord) -> str:
    """The record as text, as it is kept."""
    return json.dumps({"record": _RECORD, **record.to_dict()}, indent=1, ensure_ascii=False) + "\n"


def save_record(record: JudgeRecord, history: Path) -> Path:
    """Keep a record beside the history file. Raises UsageError when it cannot be written."""
    path = _path(history, record.digest)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
        ) as part:
            part.write(stored(record))
        os.replace(part.name, path)
    except OSError as error:
        raise UsageError(
            f"calibration {path} cannot be written: {error.strerror}",
            "name another place with --history FILE",
        ) from error
    return path


def record_for(verifier: Mapping[str, Any], history: Path) -> JudgeRecord | None:
    """The record of the one judge of a run (its ``provenance.verifier``): a user's own, else for
    the offline rules the one that ships. None for a panel, a model without a record, or none, and
    for a record that is damaged: whoever shows a run says so with `eval.standing.uncorrected`.
    """
    known = voices(verifier)
    try:
        return read_record(known[0], history) if len(known) == 1 else None
    except UsageError:
        return None


def voices(verifier: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Who gave the verdicts: the panel where there is one, else the pipeline's own checker."""
    return list(verifier.get("judges") or [verifier])


def read_record(voice: Mapping[str, Any], history: Path) -> JudgeRecord | None:
    """The record of one judge; None where there is none. Raises UsageError for a damaged one."""
    rules = voice["kind"] == RULES
    digest = rules_digest() if rules else voice.get("digest")
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    path = _path(history, digest)
    if path.exists():
        return _read(path)
    return shipped_record() if rules else None


def shipped_record() -> JudgeRecord:
    """The offline rules on the labelled claims that ship."""
    return _read(files("eval").joinpath(_SHIPPED))


def shipped_labels() -> list[Labelled]:
    """Those claims, as labels; claims of one document are one group."""
    from rag.checking.calibration import shipped_claims

    return [
        Labelled("claim", c.claim, c.evidence, c.label == "supported", c.document)
        for c in shipped_claims()
    ]


def _path(history: Path, digest: str) -> Path:
    return history.parent / FOLDER / f"{digest}.json"


def _read(path: Traversable) -> JudgeRecord:
    try:
        found = json.loads(path.read_bytes())
        if found.pop("record") != _RECORD:
            raise ValueError
        parts: dict[str, Any] = {
            k: Rate(**v) if isinstance(v, dict) else v for k, v in found.pop("agreement").items()
        }
        return JudgeRecord(**found, agreement=Agreement(**parts))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"calibration {path} is damaged or of another version",
            "make it anew with: rag eval calibrate LABELS",
        ) from error


# ---------------------------------------------------------------------- corrected rates


def corrected(run: EvaluationRun, record: JudgeRecord) -> dict[str, Any]:
    """The share that is truly unsupported, by Rogan and Gladen: (flagged + specificity − 1) ÷
    (sensitivity + specificity − 1), clipped to [0, 1].

    Of claims, or where the labels were whole answers of answers with a flagged claim. What was not
    judged is left out, as it was when the judge was calibrated. The interval draws all three rates
    from what is known of each. ``why_not`` says why there is no figure.
    """
    seen = _flagged(run, record.agreement.unit)
    known = {
        "judge": record.name,
        "unit": record.agreement.unit,
        "sensitivity": record.agreement.sensitivity.to_dict(),
        "specificity": record.agreement.specificity.to_dict(),
        "kappa": record.agreement.kappa.to_dict(),
    }
    found = _corrected(seen, record.agreement)
    shown, why_not = (None, found) if isinstance(found, str) else (found.to_dict(), None)
    return {**known, "unsupported": shown, "why_not": why_not}


def _flagged(run: EvaluationRun, unit: Unit) -> Sample:
    """The flagged share of what was judged: of claims, or of answers."""
    figures = samples(run)
    if unit == "answer":
        return figures["answers_flagged"]
    return figures["flagged_of_judged"]


def _corrected(seen: Sample, agreement: Agreement) -> Rate | str:
    """The corrected rate, or why there is none."""
    sensitivity, specificity = agreement.sensitivity, agreement.specificity
    if seen.value is None:
        return "nothing was judged"
    if sensitivity.value is None or specificity.value is None:
        return "the judge's error rates are not known"
    random = np.random.default_rng(_SEED)

    def draw(value: float, n: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        return random.beta(value * n + 0.5, (1 - value) * n + 0.5, size=_DRAWS)

    sens = draw(sensitivity.value, _worth(sensitivity))
    spec = draw(specificity.value, _worth(specificity))
    power = sens + spec - 1
    if np.quantile(power, 0.025) < LEAST_POWER:
        return (
            f"the judge hardly tells them apart: sensitivity {told(sensitivity)},"
            f" specificity {told(specificity)}"
        )
    value = (seen.value + specificity.value - 1) / (sensitivity.value + specificity.value - 1)
    drawn = (draw(seen.value, trials(seen)) + spec - 1) / power
    low, high = np.clip(np.quantile(drawn, [0.025, 0.975]), 0, 1)
    n = round(float(seen.bottom.sum()))
    return Rate(min(1.0, max(0.0, value)), float(low), float(high), n)


def _worth(rate: Rate) -> float:
    """The effective size behind a rate: what makes its Wilson interval as wide as it is."""
    low, high = 1.0, max(1.0, float(rate.n))
    width = (rate.high or 0.0) - (rate.low or 0.0)
    for _ in range(50):  # the width falls with the size: halve
        middle = (low + high) / 2
        a, b = wilson(rate.value or 0.0, middle)
        low, high = (middle, high) if b - a > width else (low, middle)
    return (low + high) / 2
