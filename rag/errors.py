"""Every error a person can meet, as one drawn tree; each class carries its exit code.

RagError ............................ 1   internal error
├── UsageError ...................... 2   bad or missing argument, folder, settings file, question
├── ConfirmationNeeded .............. 5   stopped, needs --yes
├── IndexMissing .................... 10  no index here
├── IndexLocked ..................... 11  another run is writing
├── IndexMismatch ................... 12  built with other settings
├── StoreUnavailable ................ 13  the vector store does not answer
├── ModelUnavailable ................ 14  the model server or the model is not there
├── ReplyInvalid .................... 15  the model's reply is incomplete or unusable
├── DiskFull ........................ 16
├── IndexDamaged .................... 17
└── GateFailed ...................... 18  an evaluation below its gate

Exit codes that are outcomes and not errors: 0 done, 3 some files failed, 4 refused,
6 answered with flagged sentences (``--strict``), 130 interrupted.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FILES_FAILED = 3
EXIT_REFUSED = 4
EXIT_FLAGGED = 6
EXIT_INTERRUPTED = 130


class RagError(Exception):
    """A failure stated for the person who meets it.

    ``problem`` names the thing and its value, ``remedy`` says what to do next; ``str()``
    joins both into the single line the command prints.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        line = f"{self.problem}; {self.remedy}" if self.remedy else self.problem
        return " ".join(line.split())


class UsageError(RagError):
    exit_code = 2


class ConfirmationNeeded(RagError):
    exit_code = 5


class IndexMissing(RagError):
    exit_code = 10


class IndexLocked(RagError):
    exit_code = 11


class IndexMismatch(RagError):
    exit_code = 12


class StoreUnavailable(RagError):
    exit_code = 13


class ModelUnavailable(RagError):
    exit_code = 14


class ReplyInvalid(RagError):
    exit_code = 15


class DiskFull(RagError):
    exit_code = 16


class IndexDamaged(RagError):
    exit_code = 17


class GateFailed(RagError):
    exit_code = 18
