"""One question asked, judged and made into results, through one open pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from eval.case import Case
from eval.criteria import marks
from eval.judges import Judge, Judged, choose_judges, judged
from eval.provenance import provenance_of
from eval.ranking import DEPTH, measures
from eval.records import Failure, Provenance, Question, Reply, Result
from eval.rubric import Rubric
from rag.checking.base import ModelChecker
from rag.embedder import Embedder
from rag.errors import (
    DiskFull,
    IndexDamaged,
    IndexLocked,
    IndexMismatch,
    IndexMissing,
    ModelUnavailable,
    RagError,
    StoreUnavailable,
)
from rag.fingerprint import must_be_askable
from rag.generators.base import Generator
from rag.generators.choose import choose_generator
from rag.pipeline import Pipeline
from rag.records import Answer
from rag.settings import Settings
from rag.store import open_reader
from rag.store.base import Reader

#: Errors that any other question would meet as well.
_OF_ALL = (IndexMissing, IndexLocked, IndexMismatch, IndexDamaged, DiskFull)
#: Errors that may pass: a server that is started again.
Outage = ModelUnavailable | StoreUnavailable
OUTAGES = (ModelUnavailable, StoreUnavailable)
#: Files named where the index lacks some. Set by hand.
_NAMED = 3
#: Characters kept of each passage in history. The quotes that count are kept whole, with the
#: sentences they belong to.
_KEPT = 240


@dataclass
class Asking:
    """The one open pipeline, and who judges what it says. ``cold`` until something was written."""

    pipeline: Pipeline
    reader: Reader
    settings: Settings
    rubric: Rubric
    writer: dict[str, Any]
    verifier: ModelChecker | None
    judges: tuple[Judge, ...]
    cold: bool = True

    @classmethod
    def open(
        cls,
        settings: Settings,
        rubric: Rubric,
        names: Sequence[str],
        *,
        model_needed: bool = False,
        notice: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Generator and checker are chosen once: «auto» may not become something else when a
        server goes away in the middle. With ``model_needed`` it may not become quotes either, and
        ModelUnavailable is raised; without, ``notice`` hears of it."""
        reader = open_reader(settings)
        try:
            embedder = Embedder(settings)
            must_be_askable(reader.meta().fingerprint, embedder, settings)
            generator, digest = _chosen(settings, embedder, notice, model_needed=model_needed)
            writer = {"kind": generator.kind, "model": generator.model, "digest": digest}
            fixed = replace(settings, generator=generator.kind)
            verifier = _verifier(fixed, writer)
            fixed = replace(fixed, verifier=verifier.kind if verifier else "rules")
            judges = choose_judges(names, settings, writer)
            pipeline = Pipeline(reader, embedder, fixed)
        except BaseException:
            reader.close()
            raise
        return cls(pipeline, reader, settings, rubric, writer, verifier, judges)

    def provenance(self, **known: str) -> Provenance:
        """What produces the answers; ``known``: the names of questions and rubric."""
        return provenance_of(
            self.reader, self.settings, self.writer, self.verifier, self.judges, **known
        )

    def unknown_files(self, questions: Sequence[Question]) -> str:
        """A line where questions expect files that the index does not have, else empty: a slip of
        the pen would look like a search that finds nothing."""
        known = {r.file for r in self.reader.files() if r.searchable}
        lost = [q for q in questions if q.file is not None and q.file not in known]
        if not lost:
            return ""
        names = list(dict.fromkeys(f"«{q.file}»" for q in lost))
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        return (
            f"{len(lost):,} of {len(questions):,} questions expect what the index does not have:"
            f" {', '.join(names[:_NAMED])}{more}; they must be named as by rag search"
        )

    def results(self, question: Question, repeats: int) -> tuple[list[Result], Outage | None]:
        """A result for each repeat, and the outage that a repeat met. Raises what every other
        question would meet as well."""
        cases: list[tuple[int, Case, dict[str, float]]] = []
        failures: list[Result] = []
        outage: Outage | None = None
        for repeat in range(repeats):
            began = time.monotonic()
            try:
                cases.append((repeat, *self._case(question)))
            except _OF_ALL:
                raise
            except RagError as error:
                outage = error if isinstance(error, OUTAGES) else outage
                seconds = round(time.monotonic() - began, 4)
                failures.append(
                    Failure(
                        question, repeat, type(error).__name__, told(error, self.settings), seconds
                    )
                )
        return [*self._replies(cases), *failures], outage

    def _case(self, question: Question) -> tuple[Case, dict[str, float]]:
        cold = self.cold
        written = self.pipeline.ask(question.question)
        self.cold = cold and written.generator["kind"] == "none"  # refused before any model
        found = judged(written, self.judges)
        answer = replace(written, sentences=found.sentences)
        searched = question.file is not None
        passages = self.pipeline.search(question.question, DEPTH) if searched else []
        return Case(question, written, answer, found.votes, cold), measures(question, passages)

    def _replies(self, cases: Sequence[tuple[int, Case, dict[str, float]]]) -> Iterator[Reply]:
        given = marks([case for _, case, _ in cases], self.rubric)
        for (repeat, case, retrieval), own in zip(cases, given, strict=True):
            kept = stored(case.answer, Judged(case.answer.sentences, case.votes))
            yield Reply(case.question, repeat, kept, own, retrieval, case.cold)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pipeline.close()


def _chosen(
    settings: Settings, embedder: Embedder, notice: Callable[[str], None], *, model_needed: bool
) -> tuple[Generator, str | None]:
    if not model_needed or settings.generator != "auto" or settings.openai_url:
        return choose_generator(settings, embedder, notice)  # a server that is named must be there
    try:
        return choose_generator(replace(settings, generator="ollama"), embedder, notice)
    except ModelUnavailable as error:
        remedy = f"{error.remedy}; or --generator extractive, to score quotes instead"
        raise ModelUnavailable(error.problem, remedy) from error


def _verifier(settings: Settings, writer: dict[str, Any]) -> ModelChecker | None:
    from rag.checking.models.choose import choose_checker

    return choose_checker(settings, writer) if settings.verify else None


def stored(answer: Answer, found: Judged) -> dict[str, Any]:
    """The answer as history keeps it: as `rag ask --json` prints it, with votes, and of each
    passage the beginning."""
    kept = answer.to_dict()
    for sentence, votes in zip(kept["sentences"], found.votes, strict=True):
        if votes:
            sentence["votes"] = votes
    for passage in kept["passages"]:
        text = passage["text"]
        passage["text"] = text if len(text) <= _KEPT else text[:_KEPT] + "…"
    return kept


def told(error: BaseException, settings: Settings) -> str:
    """An error's line without the secrets of the settings."""
    text = str(error) if isinstance(error, RagError) else type(error).__name__
    for secret in settings.secrets:
        text = text.replace(secret, "•••")
    return text
