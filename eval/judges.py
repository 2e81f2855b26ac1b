"""Who judges the claims: the pipeline's own checker, or a panel of others that vote.

A judge that fails on a claim, or whose reply cannot be read, gives no vote; that is an outcome of
its own, «unscored», and never a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from rag.checking.answers import Checking
from rag.errors import UsageError
from rag.records import Answer, Sentence, Verdict
from rag.settings import Settings

#: What ``--judge`` takes: code alone, a decision model, an NLI model, a chat model of its own, and
#: the very model that wrote the answer, which judges only when named so.
JUDGES = ("rules", "decision", "nli", "judge", "own")
UNSCORED = "unscored"
PIPELINE = "pipeline"

#: How a verdict's reason begins where the check itself failed (`rag.checking`).
_FAILED = ("the model's verdict could not be used", "the check failed")
#: Most careful first.
_CAREFUL: tuple[Verdict, ...] = (
    "contradicted", "not_supported", "unverified", "no_mismatch", "supported",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judge:
    """One voice of a panel. ``digest`` names its weights and wording; ``calibrated``: there is a
    record of what its yes is worth."""

    name: str
    checking: Checking

    def to_dict(self) -> dict[str, Any]:
        model = self.checking.model
        return {
            "name": self.name,
            "kind": model.kind if model else "rules",
            "model": model.model if model else None,
            "digest": model.digest if model else None,
            "calibrated": model is None or self.checking.calibration is not None,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer's sentences as judged, and for each of them who voted how; no votes for one that
    claims nothing."""

    sentences: tuple[Sentence, ...]
    votes: tuple[dict[str, str], ...]


def choose_judges(
    names: Sequence[str], settings: Settings, writer: Mapping[str, Any]
) -> tuple[Judge, ...]:
    """The judges of these names, ready to be asked. ``writer``: who writes the answers.

    Raises UsageError for an unknown name, for a model that would judge its own answers without
    having been named «own», and for «own» where no model writes; ModelUnavailable for one that is
    not there.
    """
    for name in names:
        if name not in JUDGES:
            raise UsageError(f"--judge {name} is unknown", f"give {', '.join(JUDGES)}")
    return tuple(_judge(name, settings, writer) for name in dict.fromkeys(names))


def judged(answer: Answer, judges: Sequence[Judge]) -> Judged:
    """The verdicts of the judges, or without any those that the answer came with."""
    if not judges:
        votes = [{PIPELINE: _vote(s)} if s.verdict is not None else {} for s in answer.sentences]
        return Judged(answer.sentences, tuple(votes))
    if not answer.sentences:
        return Judged((), ())
    told = [
        list(j.checking.sentences(answer.sentences, answer.passages, answer.question))
        for j in judges
    ]
    names = [j.name for j in judges]
    pairs = [_agreed(names, versions) for versions in zip(*told, strict=True)]
    return Judged(tuple(s for s, _ in pairs), tuple(v for _, v in pairs))


def _judge(name: str, settings: Settings, writer: Mapping[str, Any]) -> Judge:
    from rag.checking.calibration import calibration_of
    from rag.checking.models.choose import choose_checker

    wanted, asked = settings, writer if name != "own" else None
    if name == "own":
        if writer["kind"] not in ("ollama", "openai"):
            raise UsageError("--judge own: no model writes the answers", "name another judge")
        wanted = replace(settings, verifier_model=writer["model"])
        if writer["kind"] == "ollama":
            wanted = replace(wanted, openai_url="")
    model = choose_checker(replace(wanted, verifier="judge" if name == "own" else name), asked)
    return Judge(name, Checking(model, calibration_of(model.digest) if model else None))


def _agreed(names: Sequence[str], versions: Sequence[Sentence]) -> tuple[Sentence, dict[str, str]]:
    """One sentence as the most of its judges see it, with the reasons of those who do."""
    if versions[0].verdict is None:
        return versions[0], {}
    votes = {name: _vote(s) for name, s in zip(names, versions, strict=True)}
    scored = [cast(Verdict, v) for v in votes.values() if v != UNSCORED]
    if not scored:
        failed = tuple(dict.fromkeys(reason for s in versions for reason in s.reasons))
        return replace(versions[0], verdict="unverified", reasons=failed), votes
    verdict = majority(scored)
    of_it = next(s for s in versions if _vote(s) == verdict)
    return replace(of_it, reasons=tuple(_reasons(names, versions, verdict))), votes


def _reasons(names: Sequence[str], versions: Sequence[Sentence], verdict: Verdict) -> Iterator[str]:
    """The reasons of those who say so; of several judges, with the judge's name."""
    for name, sentence in zip(names, versions, strict=True):
        if _vote(sentence) == verdict:
            who = f"{name}: " if len(names) > 1 else ""
            yield from (f"{who}{reason}" for reason in sentence.reasons)


def _vote(sentence: Sentence) -> str:
    failed = sentence.verdict == "unverified" and any(
        reason.startswith(_FAILED) for reason in sentence.reasons
    )
    return UNSCORED if failed else str(sentence.verdict)


def majority(votes: Sequence[Verdict]) -> Verdict:
    """What most say; where as many say something else, the more careful of both.

    The two ways to flag a claim count together: «contradicted» and «not supported» differ over
    the reason only.
    """
    flags = [v for v in votes if v in ("contradicted", "not_supported")]
    counts = Counter("flagged" if v in flags else v for v in votes)
    most = max(counts.values())
    best = {v for v, n in counts.items() if n == most}
    if "flagged" in best:
        own = Counter(flags)
        return max(own, key=lambda v: (own[v], -_CAREFUL.index(v)))
    return next(v for v in _CAREFUL if v in best)
