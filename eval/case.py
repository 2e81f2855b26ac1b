"""What a criterion looks at: a question, its reply, the verdicts of those who judge."""

from __future__ import annotations

from dataclasses import dataclass

from eval.judges import UNSCORED
from eval.records import Outcome, Question
from rag.checking.claims import is_refusal
from rag.records import Answer

#: An outcome and its reason, one line.
Judgement = tuple[Outcome, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A question, what the pipeline said, and the same with the verdicts it is judged by.

    ``votes`` belong to the sentences of ``answer``; ``cold``: the models were loaded meanwhile.
    """

    question: Question
    written: Answer
    answer: Answer
    votes: tuple[dict[str, str], ...]
    cold: bool = False

    @property
    def claims(self) -> list[str]:
        """The verdicts of all claims that somebody judged."""
        pairs = zip(self.answer.sentences, self.votes, strict=True)
        return [str(s.verdict) for s, v in pairs if set(v.values()) - {UNSCORED}]

    @property
    def partial(self) -> bool:
        """Answered, and a part of it refused."""
        said = self.answer.sentences
        return not self.answer.refused and any(is_refusal(s.text) for s in said)


def met(condition: bool) -> Outcome:
    return "MET" if condition else "UNMET"


def counted(count: int, thing: str) -> str:
    """«1 claim», «3 claims»."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
