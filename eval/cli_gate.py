"""``rag eval gate`` and ``calibrate``: whether a run will do, and what its judge is worth."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.errors import GateFailed, UsageError
from rag.options import common_options, print_json, say, settings_from
from rag.render import one_line

if TYPE_CHECKING:
    from eval.gate import Gate
    from eval.history import History
    from eval.records import EvaluationRun
    from rag.settings import Settings

_SHARE = click.FloatRange(0, 1)


@click.command()
@click.argument("run_id", default="last")
@click.option("--max-flagged", type=_SHARE, help="Most claims that may be flagged.")
@click.option("--min-completed", type=_SHARE, help="Least task completion.")
@click.option("--min-groundedness", type=_SHARE, help="Least share of claims supported.")
@click.option("--min-factual", type=_SHARE, help="Least factual accuracy.")
@click.option("--min-formatting", type=_SHARE, help="Least formatting.")
@click.option("--min-consistency", type=_SHARE, help="Least consistency (needs repeats).")
@click.option("--max-p95", type=click.FloatRange(0), help="Seconds that 19 of 20 answers may take.")
@click.option("--min-hit", "hits", multiple=True, metavar="K=SHARE", help="Least hit@K: 5=0.8.")
@click.option(
    "--max-unscored", type=_SHARE, default=0.1, show_default=True,
    help="Most questions that may have got no answer.",
)  # fmt: skip
@click.option("--no-worse-than", metavar="last|RUN_ID", help="Nothing worse than in that run.")
@click.option("--history", "history_file", type=click.Path(path_type=Path), metavar="FILE",
              help="History to read (default: beside the index).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def gate(
    ctx: click.Context,
    /,
    run_id: str,
    hits: tuple[str, ...],
    no_worse_than: str | None,
    history_file: Path | None,
    as_json: bool,
    **limits: Any,
) -> None:
    """Hold a run (the last one) against limits; exit 18 when one is not kept.

    \b
    rag eval gate --max-flagged 0.05 --min-completed 0.8 --no-worse-than last
    """
    from eval.gate import Limits

    asked = Limits(**limits, min_hit=tuple(_hit(h) for h in hits))
    settings = settings_from(ctx)
    with _history(history_file, settings) as history:
        held = _hold(history, history.load(run_id), asked, no_worse_than)
    if as_json:
        print_json(held.to_dict())
    else:
        _show(held)
    if not held.passed:
        first, count = held.breaches[0], len(held.breaches)
        more = f", and {count - 1} more" if count > 1 else ""
        raise GateFailed(
            f"run {held.run_id} does not pass: {first.reason}{more}",
            "rag eval report shows the answers behind it",
        )


@click.command()
@click.argument("labels", type=click.Path(path_type=Path))
@click.option(
    "--verifier", metavar="auto|rules|decision|nli|judge", help="Whom to calibrate (default rules)."
)
@click.option("--verifier-model", metavar="NAME", help="NLI model's folder or hub name, or judge.")
@click.option("--history", "history_file", type=click.Path(path_type=Path), metavar="FILE",
              help="History to keep it beside (default: beside the index).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@common_options
@click.pass_context
def calibrate(
    ctx: click.Context, /, labels: Path, history_file: Path | None, as_json: bool, **flags: Any
) -> None:
    """Hold a judge against people's LABELS and keep its error rates for reports and gates.

    \b
    A JSON line each, of one form:
    {"claim": "…", "evidence": "…", "label": "supported" or "not_supported", "group": "…"}
    {"question": "…", "answer": "…", "evidence": ["…"], "label": "…", "group": "…"}
    """
    from eval.agreement import LEAST_POWER, agreement, judge, read_labels
    from eval.corrections import make_record, save_record
    from eval.history import history_path
    from rag.checking.models.choose import choose_checker

    settings = settings_from(ctx, {**flags, "verifier": flags["verifier"] or "rules"})
    known = read_labels(labels)
    checker = choose_checker(settings)
    say(f"asking {_named(checker)} about {len(known)} labelled {known[0].unit}s")
    found = agreement(known, list(judge(known, checker)))
    name = f"{labels.name} {hashlib.sha256(labels.read_bytes()).hexdigest()[:8]}"
    record = make_record(checker, name, found)
    path = save_record(record, history_file or history_path(settings))
    if as_json:
        print_json(record.to_dict())
    else:
        click.echo("\n".join(one_line(line) for line in record.lines()))
    say(f"kept in {path}")
    if not record.believed:
        say(
            "it opens no gate: at the low ends of both intervals, sensitivity and specificity must"
            f" add up to {1 + LEAST_POWER:g}; more labels may show that they do."
            " Without the file, gates go by what was known before"
        )


def _hold(history: History, run: EvaluationRun, limits: Any, baseline: str | None) -> Gate:
    from dataclasses import replace

    from eval.compare import compare
    from eval.gate import Breach, hold
    from eval.standing import damaged, kin, uncalibrated
    from eval.summary import summarise

    notes: tuple[str, ...] = ()
    alone: tuple[Breach, ...] = ()
    before = history.baseline(run, baseline, "--no-worse-than")
    if baseline and before is None:
        if _is_first(run, history):
            notes = ("no run of these questions before it: nothing to compare with",)
        else:
            alone = (Breach("no_worse_than", _unlike(run)),)
    writer, verifier = run.provenance.generator, run.provenance.verifier
    comparison = compare(before, run) if before else None
    held = hold(
        summarise(run), limits, comparison=comparison,
        uncalibrated=uncalibrated(verifier, history.path), damaged=damaged(verifier, history.path),
    )  # fmt: skip
    if limits.judged or comparison:
        notes = (*notes, *kin(writer, verifier))
    return replace(held, breaches=(*held.breaches, *alone), notes=(*held.notes, *notes))


def _is_first(run: EvaluationRun, history: History) -> bool:
    """Whether no run of a file of this name was done before it."""
    file = Path(run.provenance.questions_file).name
    return not any(
        r.state == "done"
        and r.started < run.started
        and Path(r.provenance.questions_file).name == file
        for r in history.runs()
    )


def _unlike(run: EvaluationRun) -> str:
    file = Path(run.provenance.questions_file).name or "these questions"
    return (
        f"nothing to compare with: no earlier run of {file} that was done has a question of this"
        " one; name a run with --no-worse-than RUN_ID"
    )


def _history(file: Path | None, settings: Settings) -> History:
    from eval.history import History, history_path

    path = file or history_path(settings)
    if not path.exists():
        raise UsageError(f"no history at {path}", "make the first run: rag eval run QUESTIONS")
    return History(path)


def _hit(text: str) -> tuple[int, float]:
    """«5=0.8» as (5, .8)."""
    from eval.ranking import HITS

    k, _, share = text.partition("=")
    try:
        wanted = int(k), float(share)
    except ValueError:
        wanted = 0, 0.0
    if wanted[0] not in HITS or not 0 <= wanted[1] <= 1:
        known = ", ".join(map(str, HITS))
        raise UsageError(f"--min-hit {text} is not understood", f"write 5=0.8; K is of {known}")
    return wanted


def _show(held: Gate) -> None:
    from eval.gate import option

    for limit in held.kept:
        click.echo(f"✓ {one_line(option(limit))}")
    for breach in held.breaches:
        click.echo(f"✗ {one_line(breach.reason)}")
    for note in held.notes:
        click.echo(f"· {one_line(note)}")


def _named(checker: Any) -> str:
    return f"{checker.kind} {checker.model}" if checker else "the offline rules"
