"""Question → answer: retrieve, refuse or write, cite. Collaborators are built here alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from prompts import REFUSAL
from rag.citations import cite
from rag.embedder import Embedder
from rag.errors import UsageError
from rag.fingerprint import must_be_askable
from rag.gate import too_weak, unquotable
from rag.generators.base import Generator
from rag.generators.choose import choose_generator, must_name_a_server
from rag.generators.extractive import ExtractiveGenerator
from rag.prompting import build_prompt, load_template
from rag.records import Answer, Coverage, Passage, Prompt, Repair
from rag.repair import attempt, repaired
from rag.reranker import Reranker
from rag.retrieval import Retriever
from rag.settings import Settings, load_settings
from rag.stages import Clock, Silent, Watcher
from rag.store import open_reader
from rag.store.base import Reader

if TYPE_CHECKING:
    from rag.checking.answers import Checking
    from rag.recheck import QuoteNow, Recheck, SentenceNow
    from rag.saved import SavedAnswer

#: Most passages a question may ask for.
MOST_PASSAGES = 1000

_NO_ANSWER = "the passages do not answer the question"


class Pipeline:
    """One open index and what it takes to ask it.

    >>> with Pipeline.open(".rag") as rag:
    ...     rag.search("What changed?", k=10)
    ...     rag.ask("What changed?")

    Synchronous and safe inside a running event loop. An open pipeline keeps seeing the state of
    the index it opened (embedded engine); open another to see what was ingested since.
    """

    def __init__(self, reader: Reader, embedder: Embedder, settings: Settings) -> None:
        self.settings = settings
        self._reader = reader
        self._embedder = embedder
        reranker = Reranker(settings.reranker) if settings.reranker else None
        self._retriever = Retriever(reader, embedder, settings, reranker)
        self._template = load_template(settings.prompt)
        self._closed = False

    @classmethod
    def open(cls, index: str | Path | None = None, **overrides: Any) -> Self:
        """Open an index by its folder, or with ``qdrant_url=…, collection=…``; any setting of
        `rag.settings.Settings` can be given by name.

        Raises IndexMissing, IndexMismatch, IndexDamaged, StoreUnavailable or UsageError.
        """
        flags = dict(overrides)
        if index is not None:
            flags["index"] = str(index)
        return cls.from_settings(load_settings(flags))

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Open the index that resolved settings name."""
        reader = open_reader(settings)
        try:
            embedder = Embedder(settings)
            must_be_askable(reader.meta().fingerprint, embedder, settings)
            return cls(reader, embedder, settings)
        except BaseException:
            reader.close()
            raise

    def search(
        self, question: str, k: int | None = None, files: str | None = None
    ) -> list[Passage]:
        """The ``k`` best passages; ``files`` is a glob over file names.

        Raises UsageError for a question, number or glob that cannot be meant, StoreUnavailable.
        """
        return self._retriever.search(question, self._checked(question, k, self.settings.k), files)

    def ask(
        self,
        question: str,
        k: int | None = None,
        files: str | None = None,
        watch: Watcher | None = None,
        repair: bool | None = None,
    ) -> Answer:
        """Answer from the documents, or refuse. Nothing incomplete is ever returned.

        ``repair`` (else the setting of that name) sends flagged sentences back to the model, once.
        Raises UsageError, StoreUnavailable, ModelUnavailable or ReplyInvalid.
        """
        watch, clock = watch or Silent(), Clock()
        self._must_be_possible()
        repair = self._repairing(repair)
        wanted = self._checked(question, k, self.settings.ask_k)
        passages = self._retriever.gather(question, wanted, files)
        clock.mark("retrieve")
        watch.passages(passages)
        identity = self._embedder.identity
        if reason := too_weak(question, passages, identity, self.settings):
            return self._refused(question, passages, reason, files, clock)
        generator, digest = choose_generator(self.settings, self._embedder, watch.notice)
        if isinstance(generator, ExtractiveGenerator):  # it cannot read what it would quote
            sentences = generator.sentences(question, passages)
            if reason := unquotable(question, passages, sentences, identity, self.settings):
                return self._refused(question, passages, reason, files, clock)
        prompt = build_prompt(question, passages, self._template, generator)
        return self._answered(prompt, generator, digest, files, watch, clock, repair=repair)

    def recheck(
        self, saved: SavedAnswer, heard: Callable[[SentenceNow], None] | None = None
    ) -> Recheck:
        """A saved answer (`rag.saved.read_saved`) against the index as it is now. ``heard`` gets
        each sentence as soon as it is checked.

        Raises UsageError, StoreUnavailable or ModelUnavailable.
        """
        from rag.recheck import Recheck, notices_of, recheck

        k = self._checked(saved.question, None, self.settings.ask_k)
        checking = self.checking(saved.generator)
        sentences = []
        for sentence in recheck(saved, self._retriever, checking, k):
            if heard:
                heard(sentence)
            sentences.append(sentence)
        quotes = [q for s in sentences for q in s.quotes]
        return Recheck(
            question=saved.question,
            refused=saved.refused,
            sentences=tuple(sentences),
            verifier=checking.verifier,
            saved_verifier=saved.verifier,
            coverage=self.coverage(),
            notices=(*notices_of(saved, checking), *self._outdated(quotes)),
        )

    def coverage(self, files: str | None = None) -> Coverage:
        """How much of the folder a question with this filter rests on."""
        counts = self._reader.counts()
        searched = counts.searchable if not files else len(self._retriever.matching(files) or [])
        return Coverage(
            files=counts.searchable + counts.failed - counts.outdated,
            searched=searched,
            unreadable=counts.failed,
            partial=counts.partial,
        )

    def close(self) -> None:
        """Let the index go. A closed pipeline answers nothing more."""
        if not self._closed:
            self._closed = True
            self._reader.close()

    def _must_be_possible(self) -> None:
        """A setting that cannot work is wrong whatever is asked, and before anything is shown."""
        from rag.checking.models.choose import must_name_a_model

        must_name_a_server(self.settings)
        if self.settings.verify:
            must_name_a_model(self.settings)

    def _repairing(self, wanted: bool | None) -> bool:
        repair = self.settings.repair if wanted is None else wanted
        if repair and not self.settings.verify:
            raise UsageError("repair needs the check, which is off", "leave out --no-verify")
        return repair

    def _checked(self, question: str, k: int | None, usual: int) -> int:
        """How many passages to look for, once all is such that one can."""
        if self._closed:
            raise UsageError("this pipeline is closed", "open another with Pipeline.open()")
        if not isinstance(question, str):
            raise UsageError(f"the question is a {type(question).__name__}", "ask with a text")
        if k is not None and not (isinstance(k, int) and 1 <= k <= MOST_PASSAGES):
            raise UsageError(f"k = {k} is no number of passages", f"give 1 to {MOST_PASSAGES}")
        try:
            question.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "the question holds bytes that are no text", "type it in a UTF-8 terminal"
            ) from None
        return usual if k is None else k

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -------------------------------------------------------------- answers

    def checking(self, writer: Mapping[str, Any] | None = None) -> Checking:
        """How the settings want sentences checked; ``writer`` made the answer they are from.

        Raises ModelUnavailable or UsageError for a model that was asked for by name and cannot be
        used.
        """
        from rag.checking.answers import Checking
        from rag.checking.calibration import calibration_of
        from rag.checking.models.choose import choose_checker

        model = choose_checker(self.settings, writer)
        return Checking(model, calibration_of(model.digest) if model else None)

    def _answered(
        self,
        prompt: Prompt,
        generator: Generator,
        digest: str | None,
        files: str | None,
        watch: Watcher,
        clock: Clock,
        *,
        repair: bool,
    ) -> Answer:
        """Write, cite, check, and repair where that is wanted."""
        draft = generator.generate(prompt, watch.text)
        clock.mark("generate")
        writer = {"kind": draft.kind, "model": draft.model, "digest": draft.digest or digest}
        cited = cite(draft.text, prompt.passages)
        checking = self.checking(writer) if self.settings.verify and not cited.refused else None
        standing, told = attempt(prompt, draft, cited, checking, watch), None
        clock.mark("verify")
        if repair:
            standing, told = repaired(standing, self._template, generator, checking, watch)
            clock.mark("repair")
        return Answer(
            question=prompt.question,
            answer=REFUSAL if standing.cited.refused else standing.cited.answer,
            refused=standing.cited.refused,
            refusal_reason=_NO_ANSWER if standing.cited.refused else None,
            sentences=standing.sentences,
            passages=prompt.passages,
            coverage=self.coverage(files),
            generator={**writer, "completion_tokens": draft.completion_tokens},
            verifier=checking.verifier if checking else {"kind": "none", "model": None},
            prompt=standing.prompt_record,
            timings=clock.timings(draft),
            notices=(*standing.notices, *self._outdated(prompt.passages), *_told(told)),
            repair=told,
        )

    def _outdated(self, shown: Iterable[Passage] | Iterable[QuoteNow]) -> list[str]:
        """A notice for each quoted file whose latest version could not be read."""
        if not self._reader.counts().outdated:
            return []
        files = {item.file for item in shown}
        return [
            f"{r.file}: its latest version could not be read; the one before it is quoted"
            for r in self._reader.files()
            if r.outdated and r.file in files
        ]

    def _refused(
        self,
        question: str,
        passages: list[Passage],
        reason: str,
        files: str | None,
        clock: Clock,
    ) -> Answer:
        template = self._template
        return Answer(
            question=question,
            answer=REFUSAL,
            refused=True,
            refusal_reason=reason,
            sentences=(),
            passages=tuple(passages),
            coverage=self.coverage(files),
            generator={"kind": "none", "model": "", "digest": None, "completion_tokens": None},
            verifier={"kind": "none", "model": None},
            prompt={
                "name": template.name,
                "fingerprint": template.fingerprint,
                "tokens": 0,
                "budget": 0,
                "dropped": [],
            },
            timings=clock.timings(None),
        )


def _told(repair: Repair | None) -> list[str]:
    return [f"repair: {repair.detail}"] if repair else []
