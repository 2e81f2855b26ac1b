"""Question → answer: retrieve, refuse or write, cite. Collaborators are built here alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from prompts import REFUSAL
from rag.citations import Cited, cite
from rag.embedder import Embedder
from rag.errors import ModelUnavailable, UsageError
from rag.fingerprint import must_be_askable
from rag.gate import too_weak
from rag.generators.base import Generator
from rag.generators.extractive import ExtractiveGenerator
from rag.prompting import build_prompt, load_template
from rag.records import Answer, Coverage, Draft, Passage, Prompt, Sentence, Timings
from rag.reranker import Reranker
from rag.retrieval import Retriever
from rag.settings import Settings, load_settings
from rag.store import open_reader
from rag.store.base import Reader

#: Most passages a question may ask for.
MOST_PASSAGES = 1000


class Watcher(Protocol):
    """Hears of an answer while it is made."""

    def passages(self, passages: list[Passage]) -> None: ...
    def notice(self, text: str) -> None: ...
    def text(self, piece: str) -> None: ...


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
    ) -> Answer:
        """Answer from the documents, or refuse. Nothing incomplete is ever returned.

        Raises UsageError, StoreUnavailable, ModelUnavailable or ReplyInvalid.
        """
        watch = watch or _Silent()
        clock = _Clock()
        wanted = self._checked(question, k, self.settings.ask_k)
        passages = self._retriever.gather(question, wanted, files)
        clock.mark("retrieve")
        watch.passages(passages)
        if reason := too_weak(question, passages, self._embedder.identity, self.settings):
            return self._refused(question, passages, reason, files, clock)
        generator, digest = self._choose_generator(watch)
        prompt = build_prompt(question, passages, self._template, generator)
        draft = generator.generate(prompt, watch.text)
        clock.mark("generate")
        return self._answered(prompt, draft, digest, files, clock)

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

    def _checked(self, question: str, k: int | None, usual: int) -> int:
        """How many passages to look for, once all is such that one can."""
        if self._closed:
            raise UsageError("this pipeline is closed", "open another with Pipeline.open()")
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

    # -------------------------------------------------------------- generators

    def _choose_generator(self, watch: Watcher) -> tuple[Generator, str | None]:
        """The generator to use and its model's digest. ``auto`` falls back to quoting, and says
        what to type for a written answer."""
        wanted = self.settings.generator
        if wanted == "auto" and self.settings.openai_url:
            wanted = "openai"
        if wanted in ("auto", "ollama"):
            generator = self._ollama(quick=wanted == "auto")
            try:
                return generator, generator.check()
            except ModelUnavailable as error:
                if wanted == "ollama":
                    raise
                start = "" if "ollama pull" in error.remedy else "ollama serve, then "
                watch.notice(
                    f"{error.problem}, so the sources are quoted; for a written answer: "
                    f"{start}ollama pull {self.settings.model}"
                )
        if wanted == "openai":
            server = self._openai()
            return server, server.check()
        return ExtractiveGenerator(self._embedder), None

    def _ollama(self, *, quick: bool) -> Generator:
        from rag.generators.ollama import OllamaGenerator, OllamaServer

        s = self.settings
        timeout = min(1.5, s.connect_timeout) if quick else s.connect_timeout
        server = OllamaServer(s.ollama_url, connect_timeout=timeout, reply_timeout=s.reply_timeout)
        return OllamaGenerator(
            server, s.model, context=s.context, answer_tokens=s.answer_tokens, seed=s.seed,
            keep_alive=s.keep_alive,
        )  # fmt: skip

    def _openai(self) -> Generator:
        from rag.generators.openai import OpenAIGenerator

        s = self.settings
        if not s.openai_url:
            raise UsageError("no OpenAI-compatible server is named", "give --openai-url URL")
        default = s.model == Settings().model  # Ollama's name; other servers may serve another
        return OpenAIGenerator(
            s.openai_url, s.model, or_first=default, api_key=s.openai_api_key, context=s.context,
            answer_tokens=s.answer_tokens, seed=s.seed, connect_timeout=s.connect_timeout,
            reply_timeout=s.reply_timeout,
        )  # fmt: skip

    # -------------------------------------------------------------- answers

    def _answered(
        self, prompt: Prompt, draft: Draft, digest: str | None, files: str | None, clock: _Clock
    ) -> Answer:
        writer = {"kind": draft.kind, "model": draft.model, "digest": draft.digest or digest}
        cited = cite(draft.text, prompt.passages)
        sentences, verifier = self._check(cited, prompt, writer)
        clock.mark("verify")
        notices = [*cited.notices, *self._outdated(prompt.passages)]
        if prompt.dropped:
            left = ", ".join(f"[{p.rank}]" for p in prompt.dropped)
            notices.append(f"left out for lack of room in the context: {left}")
        return Answer(
            question=prompt.question,
            answer=REFUSAL if cited.refused else cited.answer,
            refused=cited.refused,
            refusal_reason="the passages do not answer the question" if cited.refused else None,
            sentences=sentences,
            passages=prompt.passages,
            coverage=self.coverage(files),
            generator=writer,
            verifier=verifier,
            prompt={
                "name": prompt.name,
                "fingerprint": prompt.fingerprint,
                "tokens": draft.prompt_tokens or prompt.tokens,
                "budget": prompt.budget,
                "dropped": [p.rank for p in prompt.dropped],
            },
            timings=clock.timings(draft),
            notices=tuple(notices),
        )

    def _check(
        self, cited: Cited, prompt: Prompt, writer: dict[str, Any]
    ) -> tuple[tuple[Sentence, ...], dict[str, Any]]:
        """The sentences with their verdicts, and who gave them."""
        if cited.refused or not self.settings.verify:
            return cited.sentences, {"kind": "none", "model": None}
        from rag.checking.answers import Checking
        from rag.checking.calibration import calibration_of
        from rag.checking.models.choose import choose_checker

        model = choose_checker(self.settings, writer)
        checking = Checking(model, calibration_of(model.digest) if model else None)
        told = checking.sentences(cited.sentences, prompt.passages, prompt.question)
        kind = {"kind": model.kind if model else "rules", "model": model.model if model else None}
        return tuple(told), kind

    def _outdated(self, passages: Sequence[Passage]) -> list[str]:
        """A notice for each quoted file whose latest version could not be read."""
        if not self._reader.counts().outdated:
            return []
        shown = {p.file for p in passages}
        return [
            f"{r.file}: its latest version could not be read; the one before it is quoted"
            for r in self._reader.files()
            if r.outdated and r.file in shown
        ]

    def _refused(
        self,
        question: str,
        passages: list[Passage],
        reason: str,
        files: str | None,
        clock: _Clock,
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
            generator={"kind": "none", "model": "", "digest": None},
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


class _Clock:
    """Seconds of each stage, by marks."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._spent: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        now = time.monotonic()
        self._spent[stage] = now - self._last
        self._last = now

    def timings(self, draft: Draft | None) -> Timings:
        def rounded(seconds: float) -> float:
            return round(seconds, 4)

        first = draft.first_token_s if draft else None
        return Timings(
            retrieve_s=rounded(self._spent.get("retrieve", 0.0)),
            first_token_s=None if first is None else rounded(first),
            generate_s=rounded(self._spent.get("generate", 0.0)),
            verify_s=rounded(self._spent.get("verify", 0.0)),
            total_s=rounded(time.monotonic() - self._start),
        )


class _Silent:
    def passages(self, passages: list[Passage]) -> None:
        pass

    def notice(self, text: str) -> None:
        pass

    def text(self, piece: str) -> None:
        pass
