"""What an ingest tells: to a watcher while it runs, and as a report when it is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from rag.errors import EXIT_FILES_FAILED, EXIT_OK
from rag.records import FileRecord


class Progress(Protocol):
    """Hears how an ingest goes."""

    def start(self, files: int, total_bytes: int) -> None: ...
    def file(self, name: str) -> None: ...
    def advance(self, done_bytes: float, chunks: int) -> None: ...
    def problem(self, problem: Problem) -> None: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that is not in the index as a whole."""

    file: str
    status: str
    detail: str
    pages: tuple[int, ...] = ()

    @staticmethod
    def of(record: FileRecord) -> Problem:
        return Problem(record.file, record.status, record.detail, record.lost_pages)


@dataclass(slots=True)
class IngestReport:
    """What an ingest did; ``files`` holds the counters of the interface, disjoint."""

    files: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("found", "new", "updated", "renamed", "unchanged", "partial", "failed", "unsupported",
             "removed"), 0)
    )  # fmt: skip
    chunks: int = 0
    embedded: int = 0
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    #: What a person should know besides; of a dry run, why the real one would stop.
    notices: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """3 when any file is not in the index as a whole, apart from unsupported ones."""
        failed = self.files["failed"] or self.files["partial"]
        return EXIT_FILES_FAILED if failed else EXIT_OK

    def to_dict(self) -> dict[str, Any]:
        problems = [{**asdict(p), "pages": list(p.pages)} for p in self.problems]
        return {
            "files": dict(self.files),
            "chunks": self.chunks,
            "embedded": self.embedded,
            "seconds": round(self.seconds, 3),
            "problems": problems,
            "notices": list(self.notices),
        }


class Silent:
    """Progress that nobody watches."""

    def start(self, files: int, total_bytes: int) -> None:
        pass

    def file(self, name: str) -> None:
        pass

    def advance(self, done_bytes: float, chunks: int) -> None:
        pass

    def problem(self, problem: Problem) -> None:
        pass
