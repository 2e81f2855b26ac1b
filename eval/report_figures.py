"""The part of the HTML report that shows figures: checks, differences, claims, trend, speed,
criteria. Tables say the numbers, plots beside them the size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from eval.compare import is_time
from eval.figures import before_after, change, rate, seconds
from eval.markup import Child, Markup, element, joined, table
from eval.records import CHECKS, Comparison, Difference
from eval.report import Past, Report, reasons
from eval.report_charts import Point, interval, latency, legend, shares, swatch, trend
from eval.report_words import counted, cut, name
from eval.summary import SHARES, STAGES
from rag.render import MARKS

#: Figures whose trend is drawn.
_TRENDS = ("task_completion", "groundedness", "flagged", "factual_accuracy", "formatting", "hit@5")
_STAGES = {
    "retrieve": "search",
    "first_token": "first word of the answer",
    "generate": "write",
    "verify": "check",
    "total": "whole answer",
}
#: Characters of a reason that are shown.
_LONGEST_REASON = 200


def _number(text: str) -> Markup:
    return element("span", text, class_="number")


def _bar(figure: dict[str, Any], called: str) -> Markup:
    return interval(figure["value"], figure["low"], figure["high"], called)


def checks(report: Report) -> Markup:
    s = report.summary
    moved = {d.metric: d for d in report.comparison.differences} if report.comparison else {}
    rows = []
    for check in CHECKS:
        figure = s["speed_check"] if check == "speed" else s[check]
        row: list[Child] = [name(check), _number(rate(figure)), _bar(figure, name(check))]
        row.append(counted(figure["n"], "question") if figure["n"] else "nothing to judge it by")
        if report.comparison:
            d = moved.get("total_s" if check == "speed" else check)
            row.append(_number(("time " if is_time(d.metric) else "") + change(d)) if d else "–")
        rows.append(row)
    headers = ["Check", "Met", "0 to 100 %", "Taken over"]
    since = ["Since the run before"] if report.comparison else []
    caption = (
        "Share of criteria met, by weight, with its 95 % interval. What could not be assessed is in"
        " no share; it is counted under «Criteria»."
    )
    return table([*headers, *since], rows, caption)


def differences(comparison: Comparison, since: str) -> Iterator[Markup]:
    """What is better or worse; folded away, the figures of which nothing can be said."""
    told = [d for d in comparison.differences if d.verdict in ("worse", "better")]
    untold = [d for d in comparison.differences if d.verdict not in ("worse", "better")]
    yield element(
        "p",
        f"Against run {comparison.baseline_id} of {since}, on the questions that both scored."
        " «Worse» and «better» only where the 95 % interval leaves out zero and chance is ruled out"
        " for all figures together.",
        class_="soft",
    )
    yield _compared(told) if told else element("p", "No figure is told to be worse or better.")
    if untold:
        count = f"{len(untold)} figures without a difference that can be told"
        yield element("details", element("summary", count), _compared(untold))


def _compared(differences: Sequence[Difference]) -> Markup:
    rows: list[list[Child]] = [
        [
            name(d.metric),
            *map(_number, before_after(d)),
            _number(change(d)),
            element("span", d.verdict, class_="number alarm" if d.verdict == "worse" else "number"),
            element(
                "span",
                f"{counted(d.pairs, 'question')}; {d.test}" if d.pairs else d.test,
                class_="soft",
            ),
        ]
        for d in differences
    ]
    return table(["Figure", "Before", "Now", "Change", "Verdict", "By"], rows)


def claims(s: dict[str, Any]) -> Markup:
    marks = dict(
        zip(SHARES, ("supported", "no_mismatch", "contradicted", "unverified"), strict=True)
    )
    parts = [(MARKS[marks[n]], name(n), s[n]["value"]) for n in SHARES]
    listed = [
        element(
            "li",
            swatch(i, called),
            " ",
            element("span", mark, class_="mark"),
            f" {called} ",
            _number(rate(s[key])),
        )
        for i, (key, (mark, called, _)) in enumerate(zip(SHARES, parts, strict=True))
    ]
    if not s["claims"]:
        return element("p", "No answer of this run claims anything.")
    lost = s["not_judged"]["claims_not_judged"]
    return joined(
        element("p", f"{counted(s['claims'], 'claim')}, each in one of four shares."),
        shares(parts),
        element("ul", *listed, class_="shares"),
        element("p", f"The judge failed or could not be read on {rate(lost)} of them: these stand"
                " under «not checked».", class_="soft"),
        *_needed(s),
    )  # fmt: skip


def _needed(s: dict[str, Any]) -> Iterator[Markup]:
    known = [
        f"{name(metric)}: "
        + ", ".join(f"{n:,} for {p.rstrip('%')} points" for p, n in sizes.items())
        for metric, sizes in s["questions_needed"].items()
    ]
    if known:
        yield element("h3", "How many questions it takes, at most, to see a difference")
        yield element("ul", *(element("li", line) for line in known))


def trends(report: Report) -> Markup:
    """Each figure over the last runs."""
    past = report.trend
    base = report.comparison.baseline_id if report.comparison else None
    plots = []
    for metric in _TRENDS:
        points = [
            _point(p, p.summary["retrieval"].get(metric) or p.summary.get(metric), report, base)
            for p in past
        ]
        if any(point.value is not None for point in points):
            plots.append(element("div", trend(name(metric), points)))
    totals = [p.summary["speed"].get("total") for p in past]
    times = [
        _point(p, t and {"value": t["p50"], "low": t["p50"], "high": t["p95"]}, report, base)
        for p, t in zip(past, totals, strict=True)
    ]
    if any(time.value is not None for time in times):
        plots.append(element("div", trend("whole answer, warm", times, timed=True)))
    edited = any(p.edited for p in past)
    file = Path(report.run.provenance.questions_file).name or "these questions"
    told = f"The last {len(past)} runs of {file}." if len(past) > 1 else "The first run."
    if edited:
        told += " A broken line stands where its questions were edited: its sides are of different"
        told += " ones."
    told += " Lines are 95 % intervals; of seconds, from the median to the 95th percentile."
    return joined(
        element("p", told, class_="soft"),
        element("p", legend(edited=edited), class_="soft"),
        element("div", *plots, class_="trends"),
    )


def _point(past: Past, figure: dict[str, Any] | None, report: Report, base: str | None) -> Point:
    """A run's figure, under its day; under its time where all runs are of one day."""
    days = {p.started[:10] for p in report.trend}
    label = past.started[5:10] if len(days) > 1 else past.started[11:16]
    kind: Literal["earlier", "baseline", "this"] = "earlier"
    if past.run_id == report.run.run_id:
        kind = "this"
    elif past.run_id == base:
        kind = "baseline"
    f = figure or dict.fromkeys(("value", "low", "high"))
    return Point(label, f["value"], f["low"], f["high"], kind, past.edited)


def rates(s: dict[str, Any]) -> Markup:
    figures = {
        **s["retrieval"],
        "answered though unanswerable": s["abstention"]["false_answers"],
        "refused though answerable": s["abstention"]["false_refusals"],
        "questions without an answer": s["unscored"],
        "claims the judge failed on": s["not_judged"]["claims_not_judged"],
        "criteria that could not be assessed": s["not_judged"]["criteria_not_assessed"],
    }
    rows = [
        [name(key), _number(rate(f)), _bar(f, name(key)), f"{f['n']:,}"]
        for key, f in figures.items()
    ]
    kinds = [f"{kind} {count} times" for kind, count in s["unscored"]["kinds"].items()]
    return joined(
        table(["Figure", "Rate", "0 to 100 %", "Taken over"], rows),
        element("p", f"Without an answer: {', '.join(kinds)}.", class_="soft") if kinds else None,
    )


def speed(s: dict[str, Any]) -> Markup:
    warm, cold = s["speed"], s["speed_cold"]
    top = max((v["p95"] for v in warm.values()), default=0.0)
    rows = []
    for stage in STAGES:
        if stage in warm or stage in cold:
            w, c = warm.get(stage, {}), cold.get(stage, {})
            p50, p95 = w.get("p50"), w.get("p95")
            rows.append([
                _STAGES[stage], _number(seconds(p50)), _number(seconds(p95)),
                latency(p50, p95, top, _STAGES[stage]), _number(seconds(c.get("p50"))),
                f"{w.get('n', 0)} + {c.get('n', 0)}",
            ])  # fmt: skip
    tokens = s["tokens_per_second"]
    told = f"{tokens['p50']:.0f} tokens a second (median)." if tokens else ""
    headers = ["Stage", "Median", "95th percentile", f"0 to {seconds(top)}", "Cold", "Warm + cold"]
    caption = "Seconds of warm answers; «cold» is the first question after the pipeline opened."
    return joined(table(headers, rows, caption), element("p", told) if told else None)


def criteria(report: Report) -> Markup:
    rows = []
    for key, c in report.summary["criteria"].items():
        told = [
            element("li", f"{count}\u00a0× {cut(reason, _LONGEST_REASON)}")
            for reason, count in reasons(report.run, key)
        ]
        rows.append([
            key.replace("_", " "), name(c["check"]), f"{c['met']}",
            element("span", f"{c['unmet']}", class_="alarm" if c["unmet"] else None),
            f"{c['cannot_assess']}", _number(rate(c["rate"])),
            element("ul", *told) if told else None,
        ])  # fmt: skip
    headers = ["Criterion", "Check", "Met", "Unmet", "Not assessed", "Share met", "Unmet because"]
    return table(headers, rows)
