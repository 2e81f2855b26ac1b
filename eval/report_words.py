"""What a report calls things, and how it writes times and long texts."""

from __future__ import annotations

import re

from eval.ranking import HITS

#: Figure → how a person would call it.
NAMES = {
    "groundedness": "groundedness",
    "no_mismatch": "no mismatch found",
    "flagged": "claims flagged",
    "unverified": "claims not checked",
    "factual_accuracy": "factual accuracy",
    "task_completion": "task completion",
    "formatting": "formatting",
    "speed": "speed",
    "consistency": "consistency",
    "context_hit": "source among the passages answered from",
    **{f"hit@{k}": f"right file among the first {k}" for k in HITS},
    **{f"page_hit@{k}": f"right page among the first {k}" for k in HITS},
    "mrr": "reciprocal rank of the file (MRR)",
    "page_mrr": "reciprocal rank of the page (MRR)",
    "ndcg@10": "ranking of the file (nDCG@10)",
    "page_ndcg@10": "ranking of the page (nDCG@10)",
    "false_answers": "answered though unanswerable",
    "false_refusals": "refused though answerable",
    "refused": "refused, of questions without «answerable»",
    "unscored": "questions without an answer",
    "retrieve_s": "time to search",
    "first_token_s": "time to the first word",
    "generate_s": "time to write",
    "verify_s": "time to check",
    "total_s": "time for a whole answer",
}
#: What changed → why it counts; by the first word of a line of `Comparison.changed`.
WHY = {
    "generator": "another writer: every figure may move",
    "verifier": "another judge: shares of claims cannot be compared with those before",
    "prompt": "the model was told something else: answers, refusals and citations may move",
    "corpus": "other documents: other passages are found, expected answers may be out of date",
    "index": "cut or embedded otherwise: other passages are found",
    "settings": "searched or written otherwise",
    "machine": "times cannot be compared with those before",
    "versions": "other software: any figure may move",
    "questions": "only questions that stand in both sets are compared",
    "rubric": "the five checks cannot be compared with those before",
}


#: Blanks within a figure: before its «%», and after the comma of its interval.
_WITHIN = re.compile(r"(?<=\d) (?=%)|(?<=,) (?=[^ ,\]]+\])")


def name(metric: str) -> str:
    return NAMES.get(metric, metric)


def moment(time: str) -> str:
    """«2026-11-02 03:00 UTC» of an ISO 8601 time in UTC."""
    return f"{time[:10]} {time[11:16]} UTC"


def counted(number: int, what: str) -> str:
    """«1 answer», «1,204 answers»."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def unbroken(text: str) -> str:
    """The text with its figures whole: no line ends within «85 %» or «[78, 91]»."""
    return _WITHIN.sub("\u00a0", text)


def why(changed: str) -> str:
    """Why a line of `Comparison.changed` counts."""
    return WHY.get(changed.partition(" ")[0].rstrip(":"), "")


def cut(text: str, most: int) -> str:
    """The beginning of a long text, with how much of it is left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} more characters)"
