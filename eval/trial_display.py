"""A trial for a terminal, a notebook and a script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from eval.compare import is_time
from eval.figures import before_after, change, seconds
from eval.markup import element, table
from eval.records import Difference
from eval.report_charts import forest
from eval.report_words import name
from eval.trials import Trial, Tried

#: Quality beside latency; what a trial is decided by.
_SHOWN = (
    "task_completion", "factual_accuracy", "groundedness", "flagged", "false_answers",
    "false_refusals", "refused", "context_hit", "formatting", "consistency", "unscored",
    "first_token_s", "total_s",
)  # fmt: skip


def trial_lines(trial: Trial) -> list[str]:
    """Every further variant beside the first, the conclusion last."""
    first, *others = trial.tried
    lines: list[str] = []
    for other in others:
        lines += [f"{first.name}  →  {other.name}", *_rows(first, other), ""]
    return [*lines, trial.conclusion]


def _rows(first: Tried, other: Tried) -> Iterator[str]:
    for d in _shown(other):
        before, after = before_after(d)
        told = change(d) if d.change is not None else d.test
        mark = f"  {d.verdict}" if d.verdict in ("better", "worse") else ""
        yield f"  {name(d.metric):38}{before:>8} {after:>8}  {told}{mark}"
    for label, then, now in _latency(first, other):
        yield f"  {label:38}{then:>8} {now:>8}"


def _shown(other: Tried) -> list[Difference]:
    found = {d.metric: d for d in other.comparison.differences} if other.comparison else {}
    return [found[m] for m in _SHOWN if m in found and (found[m].pairs or found[m].before)]


def _latency(first: Tried, other: Tried) -> Iterator[tuple[str, str, str]]:
    """Median and tail of a warm answer, as people wait for it."""
    for key, label in (("p50", "whole answer, median"), ("p95", "whole answer, 95th percentile")):
        both = [t.summary["speed"].get("total", {}).get(key) for t in (first, other)]
        yield label, seconds(both[0]), seconds(both[1])


def trial_html(trial: Trial) -> str:
    """The same with a plot of the differences, for a notebook; inert, and without a style sheet."""
    first, *others = trial.tried
    pieces = []
    for other in others:
        rows = [
            [name(d.metric), *before_after(d), change(d), d.verdict, f"{d.pairs}"]
            for d in _shown(other)
        ]
        rows += [[*told, "", "", ""] for told in _latency(first, other)]
        headers = ["Figure", first.name, other.name, "Difference", "Verdict", "Questions"]
        pieces += [table(headers, rows), _plot(_shown(other), f"{first.name} → {other.name}")]
    said = element("p", element("strong", trial.conclusion))
    return element("div", said, *pieces, style="font-family:system-ui,sans-serif")


def _plot(differences: Sequence[Difference], title: str) -> Any:
    rows = [
        (name(d.metric), d.change, d.low, d.high, change(d))
        for d in differences
        if d.change is not None and d.low is not None and d.high is not None
        and not is_time(d.metric)
    ]  # fmt: skip
    return forest(f"Difference in points, {title}", rows)


def trial_json(trial: Trial) -> dict[str, Any]:
    """The document of ``rag eval compare --json``. A bound that is infinite is null."""
    return {
        "questions": trial.tried[0].run.questions,
        "variants": [
            {
                "name": t.name,
                "run_id": t.run.run_id,
                "summary": t.summary,
                "differences": [_finite(asdict(d)) for d in t.comparison.differences]
                if t.comparison
                else [],
                "questions_needed": t.needed,
            }
            for t in trial.tried
        ],
        "conclusion": trial.conclusion,
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
