"""The labelled sets as cases: WiCE, SummEdits, CLAPNQ gold answers, FinanceBench human verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flips import Case

from rag.quotes import locate

#: Paraphrases written by hand of sentences of data/samples, whose passages ship with the package.
SAMPLES = Path(__file__).with_name("sample_paraphrases.jsonl")
CALIBRATION = Path(__file__).parents[1] / "rag" / "checking" / "calibration_claims.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def wice(path: Path) -> list[Case]:
    """Claims of Wikipedia against their cited articles; partly supported counts as unsupported."""
    cases = []
    for row in rows(path):
        lines = row["evidence"]
        groups = row.get("supporting_sentences") or []
        needed = tuple(dict.fromkeys(lines[i] for g in groups for i in g if i < len(lines)))
        document = next((x for x in lines if "TITLE" in x), lines[0] if lines else "")
        cases.append(
            Case(row["claim"], tuple(lines), row["label"] == "supported", document, "WiCE",
                 needed=needed)
        )  # fmt: skip
    return cases


def summedits(path: Path) -> list[Case]:
    """Summaries with small edits against their documents."""
    return [
        Case(r["claim"], (r["document"],), r["supported"], r["document"], path.stem)
        for r in rows(path)
    ]


def clapnq(folder: Path) -> list[Case]:
    """Gold answers that are no copies of the passage, all true."""
    passages = {r["id"]: r for r in rows(folder / "passages.jsonl")}
    cases = []
    for row in rows(folder / "questions.jsonl"):
        if not row["answerable"]:
            continue
        texts = tuple(f"# {passages[p]['title']}\n{passages[p]['text']}" for p in row["passages"])
        if any(locate(row["answer"], t) for t in texts):
            continue
        cases.append(
            Case(row["answer"], texts, True, row["passages"][0], "CLAPNQ",
                 needed=tuple(row["selected_sentences"]), question=row["question"])
        )  # fmt: skip
    return cases


def financebench(folder: Path) -> list[tuple[Case, str]]:
    """(answer of some system against the evidence pages, people's label)."""
    questions = {r["id"]: r for r in rows(folder / "questions.jsonl")}
    return [
        (
            Case(v["answer"], tuple(e["text"] for e in questions[v["id"]]["evidence"]),
                 v["human_label"] == "Correct Answer", v["id"], v["system"],
                 question=questions[v["id"]]["question"],
                 titles=tuple(e["file"] for e in questions[v["id"]]["evidence"])),
            v["human_label"],
        )
        for v in rows(folder / "human_verdicts.jsonl")
    ]  # fmt: skip


def samples(claims: Path = SAMPLES) -> list[Case]:
    """Our own paraphrases of sentences of data/samples against those documents' passages."""
    passages: dict[str, dict[str, None]] = {}
    for row in rows(CALIBRATION):
        if row["kind"] == "paraphrase":
            passages.setdefault(row["document"], {}).update(dict.fromkeys(row["evidence"]))
    return [
        Case(row["claim"], tuple(passages[row["document"]]), True, row["document"], "samples")
        for row in rows(claims)
    ]


def everything(data: Path) -> dict[str, list[Case]]:
    """Every labelled set by name."""
    sets = {"WiCE": wice(data / "wice" / "dev.jsonl")}
    for path in sorted((data / "summedits").glob("*.jsonl")):
        sets[path.stem] = summedits(path)
    sets["CLAPNQ"] = clapnq(data / "clapnq")
    sets["samples"] = samples()
    return sets
