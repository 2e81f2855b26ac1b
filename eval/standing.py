"""How the judges of a run stand: shown to tell right from wrong, of the writer's family, damaged.

Everything here is told of a run by what produced it, its ``provenance.generator`` and
``provenance.verifier``, and by the records kept beside the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from eval.agreement import tells_apart
from eval.corrections import read_record, voices
from rag.checking.calibration import calibration_of
from rag.errors import UsageError


def uncalibrated(verifier: Mapping[str, Any], history: Path) -> list[str]:
    """The judges of a run that no labels show to tell supported from unsupported; a gate believes
    none of them. ``rag eval calibrate`` decides, else ``rag verify --calibrate``. A judge whose
    record is damaged is among them, and `damaged` tells why."""
    return [
        str(voice.get("model") or voice["kind"])
        for voice in voices(verifier)
        if not _believed(voice, history)
    ]


def _believed(voice: Mapping[str, Any], history: Path) -> bool:
    if any(_damages(voice, history)):
        return False
    record = read_record(voice, history)
    if record:
        return record.believed
    known = calibration_of(voice.get("digest"))
    if known is None or known.flips_accepted.high is None or known.supported_flagged.high is None:
        return False
    return tells_apart(1 - known.flips_accepted.high, 1 - known.supported_flagged.high)


# ---------------------------------------------------------------------- damaged records


def damaged(verifier: Mapping[str, Any], history: Path) -> list[str]:
    """A line for each record of these judges that is there and cannot be used: which, and what
    mends it."""
    return [line for v in voices(verifier) for line in _damages(v, history) if line]


def uncorrected(verifier: Mapping[str, Any], history: Path) -> str:
    """Why no rate is corrected for the errors of the one judge of a run though there is a record
    of them: a line, empty where nothing is damaged."""
    known = voices(verifier)
    why = _damage(partial(read_record, known[0], history)) if len(known) == 1 else ""
    return f"no rate is corrected for the judge's errors: {why}" if why else ""


def _damages(voice: Mapping[str, Any], history: Path) -> list[str]:
    """What is wrong with either record of a judge; empty texts where nothing is."""
    return [
        _damage(partial(read_record, voice, history)),
        _damage(partial(calibration_of, voice.get("digest"))),
    ]


def _damage(read: Callable[[], object]) -> str:
    try:
        read()
    except UsageError as error:
        return str(error)
    return ""


# ---------------------------------------------------------------------- kin of the writer


def kin(writer: Mapping[str, Any], verifier: Mapping[str, Any]) -> list[str]:
    """A line for each judge that is the model that writes, or of its family as far as the servers
    tell: models favour what they, or their like, have written."""
    return [line for voice in voices(verifier) if (line := _kin(writer, voice))]


def _kin(writer: Mapping[str, Any], voice: Mapping[str, Any]) -> str:
    judge, author = voice.get("model"), writer.get("model")
    if voice.get("name") == "own":
        return f"judge {judge} is the very model that writes: it may favour its own answers"
    family = voice.get("family")
    if not family or family != writer.get("family"):
        return ""
    return (
        f"judge {judge} is of the same family ({family}) as {author}, which writes: it may favour"
        " such answers"
    )
