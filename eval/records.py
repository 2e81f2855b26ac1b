"""The vocabulary of evaluation: one frozen record for each stage, none filled in later.

    Question ─▶ Reply or Failure ─▶ EvaluationRun ─▶ Rate, Comparison ─▶ report, gate

A crash is no score: a question that got an answer is a `Reply` with its marks, one that got none
is a `Failure`, and no rate counts the second as the first.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

#: How one criterion went for one reply. What could not be judged is neither met nor unmet.
Outcome = Literal["MET", "UNMET", "CANNOT_ASSESS"]

#: The five checks of the rubric.
Check = Literal["factual_accuracy", "task_completion", "formatting", "speed", "consistency"]
CHECKS: tuple[Check, ...] = (
    "factual_accuracy",
    "task_completion",
    "formatting",
    "speed",
    "consistency",
)

#: How a run ended: `running` until it did, `interrupted` by a kill or a person, `failed` when not
#: one question was answered.
RunState = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Question:
    """A line of ``questions.jsonl``; only ``question`` is required there.

    ``file`` is relative to the ingested folder, ``page`` counts from 1. ``answerable`` None means
    that nobody said. ``draft`` marks a question that no person has looked at.
    """

    id: str
    question: str
    answerable: bool | None = None
    answer: str | None = None
    file: str | None = None
    page: int | None = None
    quote: str | None = None
    tags: tuple[str, ...] = ()
    draft: bool = False

    @property
    def cluster(self) -> str:
        """What questions are not independent of: those about one document stand or fall together.
        Intervals resample whole clusters."""
        return self.file or self.id


@dataclass(frozen=True, slots=True)
class Mark:
    """One criterion of the rubric, judged for one reply."""

    criterion: str
    check: Check
    outcome: Outcome
    reason: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A question asked once and answered or refused.

    ``answer`` is what ``rag ask --json`` prints, its passages' text cut short. Each sentence that
    claims something has ``votes`` besides, {judge: verdict or «unscored»}, the pipeline's own
    checker being «pipeline»; ``verdict`` is what most of them say. ``marks``: one for each
    criterion of the rubric. ``retrieval``: what `eval.ranking.measures` gives, empty where the
    question names no source. ``cold`` is the first question after the pipeline was opened.
    """

    question: Question
    repeat: int
    answer: dict[str, Any]
    marks: tuple[Mark, ...]
    retrieval: dict[str, float] = field(default_factory=dict)
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A question asked once that got no answer: the error's class, its line, the seconds spent."""

    question: Question
    repeat: int
    kind: str
    problem: str
    seconds: float


Result = Reply | Failure


@dataclass(frozen=True, slots=True)
class Provenance:
    """What produced a run. Two runs may be compared when they share questions; what
    else differs between them is what the comparison is about.

    ``corpus`` is a digest over (file, content hash) of the index, ``index`` its settings'
    fingerprint; ``settings`` holds no secrets.
    """

    corpus: str
    index: str
    files: int
    chunks: int
    generator: dict[str, Any]  # kind, model, digest, quantisation, family
    verifier: dict[str, Any]  # kind, model, digest, calibrated; judges: [name, and the same];
    # family besides, of a model where its server tells one
    prompt: dict[str, str]  # name, fingerprint
    questions_file: str
    questions_digest: str
    rubric_digest: str
    settings: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """One evaluation: every question asked ``repeats`` times. Times are UTC, ISO 8601.

    ``due`` is the scheduled time it belongs to, None when a person started it.
    """

    run_id: str
    started: str
    finished: str | None
    state: RunState
    due: str | None
    repeats: int
    questions: int
    provenance: Provenance
    results: tuple[Result, ...] = ()

    @property
    def replies(self) -> list[Reply]:
        return [r for r in self.results if isinstance(r, Reply)]

    @property
    def failures(self) -> list[Failure]:
        return [r for r in self.results if isinstance(r, Failure)]

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each question and repeat: question, answer, counts of verdicts, outcome of
        each criterion, retrieval, seconds. Needs pandas; raises UsageError without it."""
        from eval.dataframe import to_dataframe

        return to_dataframe(self)


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure with its 95 % interval; ``n`` is what it was taken over. None: nothing to take it
    over."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure before and after, on the questions that both runs answered.

    ``change`` is after − before with its 95 % interval, paired by question; ``verdict`` is
    ``worse`` or ``better`` only where the interval excludes zero.
    """

    metric: str
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None
    pairs: int
    verdict: Literal["better", "worse", "no difference seen", "not comparable"]
    test: str


@dataclass(frozen=True, slots=True)
class Flip:
    """A question whose outcome differs between two runs. ``before`` and ``after`` are answers as
    ``rag ask --json`` prints them; ``what`` says what changed, in words."""

    question: Question
    before: dict[str, Any]
    after: dict[str, Any]
    what: str
    worse: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside the one before it. ``changed`` names what of the provenance differs."""

    run_id: str
    baseline_id: str
    changed: tuple[str, ...]
    differences: tuple[Difference, ...]
    flips: tuple[Flip, ...]
