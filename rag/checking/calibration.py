"""What a model's yes is worth: measured on labelled claims, written down, asked before it counts.

A model may call a claim supported only with a record for its digest, and only where its calibrated
probability is above the record's cut. The claims that ship were written by hand from the sample
documents: true paraphrases, and the same with one thing changed.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rag.checking.base import ModelChecker, ModelOpinion
from rag.checking.curve import Curve, Share, auroc, fit, held_out, lowest_cut, share
from rag.errors import UsageError

#: What «supported» promises: of the claims above the cut at least this share is. Set by hand.
PRECISION = 0.95
#: Claims that must stand above the cut, so that no lucky handful makes one. A model that ranks the
#: shipped claims (28 % supported) by chance meets 19 of 20 less than once in 10^8. Set by hand.
LEAST_ABOVE = 20
_RECORD = 1  # version of the stored form


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim with its evidence and what is true of it: one of `rag.checking.models.OPTIONS`.

    ``kind`` is «paraphrase» or what was changed; claims of one ``document`` are never on both
    sides of a cross-validation.
    """

    id: str
    document: str
    kind: str
    claim: str
    evidence: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """A model's error rates, and how its probability of «supported» is to be read.

    ``supported_flagged``: supported claims whose likeliest option is another one;
    ``flips_accepted``: all other claims whose likeliest option is «supported», also by kind in
    ``accepted_by_kind``. ``unscored`` claims got no opinion and count in neither. ``cut`` is None
    where no probability reaches PRECISION: such a model never says supported. ``found`` is the
    share of the supported claims above the cut, ``precision`` what share of the claims there is
    supported; both, like the cut, from documents the curve was not fitted on.
    """

    kind: str
    model: str
    digest: str | None
    made: str
    claims: int
    unscored: int
    supported_flagged: Share
    flips_accepted: Share
    accepted_by_kind: dict[str, Share]
    auroc: Share
    slope: float
    intercept: float
    cut: float | None
    precision: Share
    found: Share

    def probability(self, opinion: ModelOpinion) -> float | None:
        """The calibrated probability that the claim is supported; None without an opinion."""
        if opinion.supported is None:
            return None
        curve = Curve(self.slope, self.intercept)
        return float(curve.at(np.array([opinion.supported]))[0])

    def says_supported(self, opinion: ModelOpinion) -> bool:
        """Whether this opinion may be shown as «supported», as long as no rule objects."""
        probability = self.probability(opinion)
        return probability is not None and self.cut is not None and probability >= self.cut

    def lines(self) -> list[str]:
        """The error rates for a person, one a line."""
        above = "it never says supported: at no cut are 95 % of its yes right"
        if self.cut is not None:
            above = f"it says supported from {self.cut:.2f} on: right {self.precision}"
            above += f", finding {self.found} of what is supported"
        return [
            f"{self.kind} {self.model}: {self.claims} claims, {self.unscored} without an opinion",
            f"supported claims flagged: {self.supported_flagged}",
            f"changed claims accepted: {self.flips_accepted}",
            *(f"  {kind.replace('_', ' ')}: {s}" for kind, s in self.accepted_by_kind.items()),
            f"AUROC: {self.auroc}",
            above,
        ]


def shipped_claims() -> list[LabelledClaim]:
    """The labelled claims of this package, in the order of their documents and evidence."""
    text = Path(__file__).with_name("calibration_claims.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return [LabelledClaim(**{**row, "evidence": tuple(row["evidence"])}) for row in rows]


def calibrate(checker: ModelChecker, claims: Sequence[LabelledClaim]) -> Calibration:
    """Ask a model about claims whose answers are known.

    The curve is Platt's (two parameters; isotonic steps would follow every claim of so few). Its
    cut is the lowest probability above which PRECISION holds and LEAST_ABOVE claims stand, counted
    on each document with a curve fitted on all others. Raises what ``checker.check`` raises.
    """
    opinions = checker.check([(c.claim, c.evidence) for c in claims])
    scored = [(c, o) for c, o in zip(claims, opinions, strict=True) if o.supported is not None]
    raw = np.array([o.supported for _, o in scored], dtype=np.float64)
    yes = np.array([c.label == "supported" for c, _ in scored], dtype=bool)
    documents = np.array([c.document for c, _ in scored], dtype=str)
    kinds = np.array([c.kind for c, _ in scored], dtype=str)
    accepted = np.array([_likeliest(o) == "supported" for _, o in scored], dtype=bool)
    curve = fit(raw, yes)
    honest = held_out(raw, yes, documents)
    cut = lowest_cut(honest, yes, precision=PRECISION, least=LEAST_ABOVE)
    above = honest >= (math.inf if cut is None else cut)
    return Calibration(
        kind=checker.kind,
        model=checker.model,
        digest=checker.digest,
        made=datetime.now(UTC).date().isoformat(),
        claims=len(claims),
        unscored=len(claims) - len(scored),
        supported_flagged=share(~accepted[yes]),
        flips_accepted=share(accepted[~yes]),
        accepted_by_kind={
            str(k): share(accepted[~yes & (kinds == k)]) for k in np.unique(kinds[~yes])
        },
        auroc=auroc(raw, yes, documents),
        slope=curve.slope,
        intercept=curve.intercept,
        cut=cut,
        precision=share(yes[above]),
        found=share(above[yes]),
    )


# ---------------------------------------------------------------------- records


def save_calibration(calibration: Calibration, folder: Path | None = None) -> Path:
    """Keep the record under its digest in the user's data folder, or in ``folder``.

    Raises UsageError when the model has no digest, so that no one could tell to which weights
    the record belongs, and when the folder cannot be written.
    """
    path = _path(calibration.digest, folder)
    if path is None:
        raise UsageError(
            f"the server of «{calibration.model}» tells no digest of its weights, so its yes stays"
            " «no mismatch found»",
            "use a model on Ollama, or a local NLI model",
        )
    text = json.dumps({"record": _RECORD, **asdict(calibration)}, indent=1, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
        ) as part:
            part.write(text + "\n")
        os.replace(part.name, path)
    except OSError as error:
        raise UsageError(
            f"calibration folder {path.parent} cannot be written: {error.strerror}",
            "make it writable, or set XDG_DATA_HOME to a folder that is",
        ) from error
    return path


def calibration_of(digest: str | None, folder: Path | None = None) -> Calibration | None:
    """The record kept for these weights, None if there is none. Raises UsageError when damaged."""
    path = _path(digest, folder)
    if path is None or not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        version = stored.pop("record")
        shares = {k: Share(**v) for k, v in stored.items() if k in _SHARES}
        by_kind = {k: Share(**v) for k, v in stored["accepted_by_kind"].items()}
        found = Calibration(**{**stored, **shares, "accepted_by_kind": by_kind})
        numbers = [found.slope, found.intercept, *([] if found.cut is None else [found.cut])]
        sound = all(isinstance(x, int | float) and math.isfinite(x) for x in numbers)
        if not sound or found.digest != digest or version != _RECORD:
            raise ValueError
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"calibration record {path} is damaged or of another version",
            "make it anew with: rag verify --calibrate",
        ) from error
    return found


_SHARES = ("supported_flagged", "flips_accepted", "auroc", "precision", "found")


def _path(digest: str | None, folder: Path | None) -> Path | None:
    if not digest or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    if folder is None:
        from platformdirs import user_data_path

        folder = user_data_path("affidavit") / "calibrations"
    return folder / f"{digest}.json"


def _likeliest(opinion: ModelOpinion) -> str:
    options = {
        "supported": opinion.supported or 0.0,
        "contradicted": opinion.contradicted or 0.0,
        "not_in_source": opinion.not_in_source or 0.0,
    }
    return max(reversed(options), key=lambda option: options[option])  # a tie is no yes
