"""The vocabulary: one frozen record for each stage a document and a question pass through.

    file ─▶ Opening, Sections, Ending ─▶ Chunk ─▶ stored point   (ingest)
    question ─▶ Passage ─▶ Prompt ─▶ Draft ─▶ Sentence ─▶ Answer   (rag)

Nothing here is filled in later: a stage makes a new record from the one before it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FileStatus = Literal[
    "indexed",
    "partial",
    "empty",
    "password",
    "no_text",
    "unreadable",
    "timeout",
    "too_large",
    "vanished",
    "outside_folder",
    "unsupported",
]
#: Statuses that leave the exit code at 0.
HARMLESS: frozenset[str] = frozenset({"indexed", "empty", "unsupported"})

Verdict = Literal["supported", "no_mismatch", "contradicted", "not_supported", "unverified"]


# ------------------------------------------------------------------ documents


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document with one place: a PDF page, or the text under one heading.

    ``page`` counts from 1 and is None where the format has none; ``heading`` is the path
    from the top («Terms › Payment»), empty above the first heading.
    """

    text: str
    page: int | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader got out of one file. ``title`` is the document's own, or its file name."""

    title: str
    sections: tuple[Section, ...]
    reader: str
    pages: int | None = None
    #: Pages (from 1) that gave no text or failed, with the reason for the whole file in ``detail``.
    lost_pages: tuple[int, ...] = ()
    detail: str = ""
    #: Words that a person cannot see, kept out of the sections unless a setting asks for them.
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """The first of what a file gives while it is read: Opening, then its Sections, then Ending."""

    title: str
    reader: str
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The last of what a file gives; the fields are those of Document, and the seconds that its
    reader took."""

    lost_pages: tuple[int, ...] = ()
    detail: str = ""
    hidden: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of one section, small enough that the embedder reads every token of it.

    Chunks tile their section: joining the ``text`` of a section's chunks in order gives the
    section back, character for character. ``start`` is the offset of the text in the
    document, whose sections are joined without a separator.
    """

    ordinal: int
    section: int
    start: int
    text: str
    page: int | None
    heading: str
    #: What the embedder and the word index read in front of the text.
    prefix: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One line of the ledger: a file of the folder and what became of it."""

    file: str  # relative to the ingested folder, with «/»
    root: str  # absolute path of the ingested folder
    bytes: int
    mtime_ns: int
    content: str  # sha256 of the bytes, "" when they could not be read
    status: FileStatus
    detail: str = ""
    title: str = ""
    reader: str = ""
    pages: int | None = None
    lost_pages: tuple[int, ...] = ()
    chunks: int = 0
    seconds: float = 0.0
    hidden: int = 0  # words that a person cannot see; in the chunks only if a setting asks

    @property
    def searchable(self) -> bool:
        """Whether questions reach it: also by a former version, when its latest failed."""
        return self.status in ("indexed", "partial") or self.chunks > 0

    @property
    def outdated(self) -> bool:
        """Its latest version could not be read, and the one before it answers."""
        return self.chunks > 0 and self.status not in ("indexed", "partial")


# ------------------------------------------------------------------ questions


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a stored document offered as evidence.

    ``score`` orders passages of one search and means nothing across searches; ``similarity``
    is the cosine of question and passage, None where it was not computed. ``page_starts``
    gives (offset in ``text``, page) for each page the passage touches, so that the page of a
    quote follows from the quote's own position.
    """

    rank: int
    file: str
    page: int | None
    page_end: int | None
    heading: str
    text: str
    score: float
    chunk_id: str
    title: str = ""
    similarity: float | None = None
    page_starts: tuple[tuple[int, int | None], ...] = ()

    def page_at(self, offset: int) -> int | None:
        """The page on which the character at ``offset`` of ``text`` stands."""
        page = self.page
        for start, number in self.page_starts:
            if start > offset:
                break
            page = number
        return page

    def to_dict(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "file": self.file,
            "page": self.page,
            "page_end": self.page_end,
            "heading": self.heading,
            "text": self.text,
            "score": self.score,
            "chunk_id": self.chunk_id,
        }


@dataclass(frozen=True, slots=True)
class Prompt:
    """A filled template and what it was filled with.

    ``rules`` is byte-stable from question to question, so a model server's prefix cache holds
    it; ``material`` is the fenced passages, then the question. ``tokens`` is the size of both
    as counted or estimated before sending, ``budget`` what it had to fit in; ``dropped`` are
    the passages that did not fit.
    """

    question: str
    passages: tuple[Passage, ...]
    rules: str
    material: str
    name: str
    fingerprint: str
    tokens: int
    budget: int
    dropped: tuple[Passage, ...] = ()
    #: Whether ``tokens`` was counted by the server's own tokenizer; else it errs on the high side.
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator wrote, complete: an incomplete reply is an error, never a Draft."""

    text: str
    kind: str
    model: str
    digest: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_s: float | None = None
    generate_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote that stands in the stored text: ``passage`` is the number shown as ``[n]``."""

    passage: int
    quote: str
    file: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer. ``verdict`` is None when it claims nothing."""

    text: str
    citations: tuple[int, ...] = ()
    verdict: Verdict | None = "unverified"
    score: float | None = None
    reasons: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the folder an answer could rest on."""

    files: int
    searched: int
    unreadable: int
    partial: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of each stage; ``repair_s`` holds the writing and the checking of a revision."""

    retrieve_s: float = 0.0
    first_token_s: float | None = None
    generate_s: float = 0.0
    verify_s: float = 0.0
    repair_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of the one revision that was asked for.

    ``tried``: whether a model was asked; ``kept``: which answer stands; ``flagged_after`` is None
    where there is no whole revision; ``detail`` says why it came out so.
    """

    tried: bool
    kept: Literal["first", "revision"]
    flagged_before: int
    flagged_after: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A question's answer with everything needed to check it by hand."""

    question: str
    answer: str
    refused: bool
    refusal_reason: str | None
    sentences: tuple[Sentence, ...]
    passages: tuple[Passage, ...]
    coverage: Coverage
    generator: dict[str, Any]
    verifier: dict[str, Any]
    prompt: dict[str, Any]
    timings: Timings
    notices: tuple[str, ...] = field(default=())
    #: None where no repair was asked for, or no model was asked at all.
    repair: Repair | None = None

    @property
    def summary(self) -> dict[str, int]:
        counts = {"supported": 0, "no_mismatch": 0, "flagged": 0, "unverified": 0}
        for sentence in self.sentences:
            if sentence.verdict in ("contradicted", "not_supported"):
                counts["flagged"] += 1
            elif sentence.verdict is not None:
                counts[sentence.verdict] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """The document that ``rag ask --json`` prints."""
        return {
            "question": self.question,
            "answer": self.answer,
            "refused": self.refused,
            "refusal_reason": self.refusal_reason,
            "sentences": [_listed(asdict(s)) for s in self.sentences],
            "passages": [p.to_dict() for p in self.passages],
            "summary": self.summary,
            "coverage": asdict(self.coverage),
            "generator": self.generator,
            "verifier": self.verifier,
            "prompt": self.prompt,
            "timings": asdict(self.timings),
            "notices": list(self.notices),
            "repair": asdict(self.repair) if self.repair else None,
        }

    def _repr_html_(self) -> str:
        from rag.notebook import answer_html

        return answer_html(self)


def _listed(value: Any) -> Any:
    """Tuples as lists, so that the dictionary equals its own JSON read back."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    return value
