"""Where the expected source stands among the passages of a search: hit@k, reciprocal rank, nDCG.

Own code and not `ir_measures`: with one expected source each measure is a line, and there it takes
a C extension and SciPy. Besides it counts by document id, while here several passages of one page
count once. For rankings without such repeats both give the same (tests/test_eval_run.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from eval.records import Question
from rag.records import Passage

#: Depth of the search that is measured, and the ranks at which hits are told.
DEPTH = 10
HITS = (1, 3, 5, 10)


def measures(question: Question, passages: Sequence[Passage]) -> dict[str, float]:
    """Each in [0, 1], by the file, and where a page is expected by the page as well:

    ``hit@1``, ``hit@3``, ``hit@5``, ``hit@10`` (is the file among the first k passages),
    ``mrr`` (1 ÷ rank of its first passage, 0 when absent), ``ndcg@10``; ``page_hit@1`` …
    ``page_mrr``, ``page_ndcg@10`` likewise. Empty where the question names no source.
    """
    if question.file is None:
        return {}
    by_file = [p.file == question.file for p in passages]
    found = dict(_measured(_first(by_file), ""))
    if question.page is not None:
        page = question.page
        on_page = [hit and covers(p, page) for hit, p in zip(by_file, passages, strict=True)]
        found |= _measured(_first(on_page), "page_")
    return found


def covers(passage: Passage, page: int) -> bool:
    """Whether the passage stands, in part at least, on that page."""
    first = passage.page
    return first is not None and first <= page <= (passage.page_end or first)


def _first(relevant: Sequence[bool]) -> int | None:
    """Rank, from 1, of the first hit among the first DEPTH. One source is expected, so further
    passages of it add nothing."""
    return next((rank for rank, hit in enumerate(relevant[:DEPTH], 1) if hit), None)


def _measured(rank: int | None, prefix: str) -> Iterator[tuple[str, float]]:
    for k in HITS:
        yield f"{prefix}hit@{k}", float(rank is not None and rank <= k)
    yield f"{prefix}mrr", 1 / rank if rank else 0.0
    # With one relevant thing the ideal gain is 1, and nDCG the discount of its rank.
    yield f"{prefix}ndcg@{DEPTH}", 1 / math.log2(rank + 1) if rank else 0.0
