"""What an answer's stages tell while they run: to whoever watches, and to the clock."""

from __future__ import annotations

import time
from typing import Protocol

from rag.records import Draft, Passage, Sentence, Timings


class Watcher(Protocol):
    """Hears of an answer while it is made, in this order; notices may come at any time.

    Nothing is final before the whole answer is returned: an error makes all of it void.
    """

    def passages(self, passages: list[Passage]) -> None:
        """The sources, before a word is written."""
        ...

    def notice(self, text: str) -> None: ...

    def text(self, piece: str) -> None:
        """The next piece of what the model writes."""
        ...

    def written(self, answer: str) -> None:
        """The text is whole, and this is it without the markers that name no passage."""
        ...

    def checked(self, sentence: Sentence) -> None:
        """The next sentence of it, as soon as it is checked."""
        ...

    def revising(self, flagged: int) -> None:
        """So many sentences were flagged; what was written is withdrawn, its revision follows."""
        ...


class Silent:
    """Watches and says nothing."""

    def passages(self, passages: list[Passage]) -> None:
        pass

    def notice(self, text: str) -> None:
        pass

    def text(self, piece: str) -> None:
        pass

    def written(self, answer: str) -> None:
        pass

    def checked(self, sentence: Sentence) -> None:
        pass

    def revising(self, flagged: int) -> None:
        pass


class Clock:
    """Seconds of each stage, by marks."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._spent: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """``stage`` took the time since the last mark."""
        now = time.monotonic()
        self._spent[stage] = now - self._last
        self._last = now

    def timings(self, draft: Draft | None) -> Timings:
        """All marks so far; ``draft`` knows when its first word came."""
        first = draft.first_token_s if draft else None
        return Timings(
            retrieve_s=self._of("retrieve"),
            first_token_s=None if first is None else round(first, 4),
            generate_s=self._of("generate"),
            verify_s=self._of("verify"),
            repair_s=self._of("repair"),
            total_s=round(time.monotonic() - self._start, 4),
        )

    def _of(self, stage: str) -> float:
        return round(self._spent.get(stage, 0.0), 4)
