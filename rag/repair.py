"""One revision of an answer whose sentences failed the check; never a second.

The model that wrote the answer gets the same rules and passages again, and behind them each
sentence with what its check came to. The revision is cited and checked like any answer, and then
the better of the two stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import prompts
from prompts import REFUSAL
from rag.citations import Cited, cite
from rag.errors import RagError
from rag.generators.base import Generator
from rag.prompting import build_prompt
from rag.records import Draft, Prompt, Repair, Sentence
from rag.stages import Watcher

if TYPE_CHECKING:
    from rag.checking.answers import Checking

_FLAGGED = ("contradicted", "not_supported")
_HOLDS = ("supported", "no_mismatch")


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer as it was written, cited and checked; ``prompt`` is what it was written from."""

    prompt: Prompt
    draft: Draft
    cited: Cited
    sentences: tuple[Sentence, ...]

    @property
    def flagged(self) -> int:
        """Sentences that the check says are wrong or stand nowhere."""
        return sum(s.verdict in _FLAGGED for s in self.sentences)

    @property
    def holding(self) -> int:
        """Sentences that are supported, or against which nothing was found."""
        return sum(s.verdict in _HOLDS for s in self.sentences)

    @property
    def invents(self) -> bool:
        """Whether it cited passages that it was not offered; `cite` says so in its notices."""
        return bool(self.cited.notices)

    @property
    def prompt_record(self) -> dict[str, Any]:
        """The ``prompt`` entry of the answer."""
        return {
            "name": self.prompt.name,
            "fingerprint": self.prompt.fingerprint,
            "tokens": self.draft.prompt_tokens or self.prompt.tokens,
            "budget": self.prompt.budget,
            "dropped": [p.rank for p in self.prompt.dropped],
        }

    @property
    def notices(self) -> list[str]:
        """What a person should know of it: markers removed, passages left out."""
        left = ", ".join(f"[{p.rank}]" for p in self.prompt.dropped)
        room = [f"left out for lack of room in the context: {left}"] if left else []
        return [*self.cited.notices, *room]

    def better_than(self, other: Attempt) -> bool:
        """Fewer flagged sentences, and no fewer that hold: silence mends nothing, an answer that
        claims nothing is better only where it is a refusal, and one that cites passages that do not
        exist is no better at all."""
        claims = any(s.verdict is not None for s in self.sentences)
        fewer = self.flagged < other.flagged and self.holding >= other.holding
        return fewer and (claims or self.cited.refused) and not self.invents


def attempt(
    prompt: Prompt, draft: Draft, cited: Cited, checking: Checking | None, watch: Watcher
) -> Attempt:
    """Check what was written, sentence by sentence; not where ``checking`` is None."""
    watch.written(REFUSAL if cited.refused else cited.answer)
    sentences: Iterable[Sentence] = cited.sentences
    if checking and not cited.refused:
        sentences = checking.sentences(cited.sentences, prompt.passages, prompt.question)
    checked = []
    for sentence in sentences:
        watch.checked(sentence)
        checked.append(sentence)
    return Attempt(prompt, draft, cited, tuple(checked))


def repaired(
    first: Attempt,
    template: prompts.Template,
    generator: Generator,
    checking: Checking | None,
    watch: Watcher,
) -> tuple[Attempt, Repair]:
    """The answer that stands after at most one revision, and how that came.

    Sentences left unverified ask for no revision: a doubt of the checker is no fault of the
    answer. Never raises for a revision that fails: the first answer stands.
    """
    before = first.flagged
    stands = partial(Repair, kept="first", flagged_before=before, flagged_after=None)
    if not before:
        return first, stands(tried=False, detail="nothing to revise: no sentence was flagged")
    if generator.kind == "extractive":
        told = "nothing to revise: the sources are quoted, and no model wrote this"
        return first, stands(tried=False, detail=told)
    try:
        prompt = revision_prompt(first, template, generator)
        watch.revising(before)
        draft = generator.generate(prompt, watch.text)
    except RagError as error:
        told = f"the revision failed, and the first answer stands: {error.problem}"
        return first, stands(tried=True, detail=told)
    # What the first prompt offered may be cited: the revision keeps sentences from there.
    offered = first.prompt.passages
    revision = attempt(
        replace(prompt, passages=offered), draft, cite(draft.text, offered), checking, watch
    )
    after = revision.flagged
    counts = f"flagged {before}, then {after}"
    if revision.better_than(first):
        told = f"revised once: {counts}"
        return revision, stands(tried=True, kept="revision", flagged_after=after, detail=told)
    told = (
        f"the revision was no better, and the first answer stands: {counts}; "
        f"sentences that hold {first.holding}, then {revision.holding}"
        f"{'; it cited passages that do not exist' if revision.invents else ''}"
    )
    return first, stands(tried=True, flagged_after=after, detail=told)


def revision_prompt(first: Attempt, template: prompts.Template, generator: Generator) -> Prompt:
    """The first prompt, and behind it each sentence with its check and what is wrong with it.

    Raises UsageError when not even one passage fits beside that.
    """
    sentences = [
        prompts.fence_sentence(
            number,
            s.text,
            citations=s.citations,
            check="failed" if s.verdict in _FLAGGED else "passed" if _fine(s) else "undecided",
            reasons=s.reasons if s.verdict in _FLAGGED else (),
        )
        for number, s in enumerate(first.sentences, 1)
    ]
    asking = prompts.for_revision(template, sentences)
    passages = (*first.prompt.passages, *first.prompt.dropped)
    return build_prompt(first.prompt.question, passages, asking, generator)


def _fine(sentence: Sentence) -> bool:
    return sentence.verdict is None or sentence.verdict in _HOLDS
