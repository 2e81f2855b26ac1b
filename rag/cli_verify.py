"""``rag verify``: claims against the texts they are said to rest on, saved answers against the
index as it is now."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.errors import EXIT_FLAGGED, EXIT_OK, UsageError
from rag.options import common_options, print_json, say, settings_from
from rag.render import MARKS, WORDS, coverage_line, one_line, rechecked_lines, split_reasons
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.recheck import SentenceNow

#: Pairs that a model reads in one batch.
_TOGETHER = 32
_WANTED = 'write {"claim": "…", "evidence": "…" or ["…", "…"]}, a line each'


@click.command()
@click.option("--claim", metavar="TEXT", help="One claim.")
@click.option(
    "--evidence", "files", multiple=True, metavar="FILE", help="Text it rests on; - for stdin."
)
@click.option("--pairs", metavar="FILE", help="Many, a JSON line each: claim, evidence.")
@click.option("--record", metavar="FILE", help="A saved answer, against the index as it is now.")
@click.option(
    "--strict", is_flag=True, help="Exit 6 when a claim is flagged, or a sentence does not hold."
)
@click.option("--calibrate", is_flag=True, help="Measure the verifier's errors, and keep them.")
@click.option(
    "--verifier", metavar="auto|rules|decision|nli|judge", help="Which model checks, if any."
)
@click.option("--verifier-model", metavar="NAME", help="NLI model's folder or hub name, or judge.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; of many, a line each.")
@common_options
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    claim: str | None,
    files: tuple[str, ...],
    pairs: str | None,
    record: str | None,
    strict: bool,
    calibrate: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Check a claim against texts, by rules, the offline score, and a model where there is one; or
    a saved answer against the documents."""
    from rag.checking.models.choose import choose_checker

    settings = settings_from(ctx, flags)
    if sum((claim is not None, pairs is not None, record is not None, calibrate)) != 1:
        raise UsageError(
            "nothing to check, or too much",
            "give --claim TEXT --evidence FILE, or --pairs FILE, or --record FILE",
        )
    if record is not None:
        return _recheck(settings, Path(record), as_json=as_json, strict=strict)
    if claim is not None:
        if not files:
            raise UsageError("a claim without evidence", "give --evidence FILE")
        wanted: Iterator[tuple[str, list[str]]] = iter([(claim, [_text(file) for file in files])])
    elif pairs is not None:
        wanted = _pairs(Path(pairs))
    checker = choose_checker(settings)
    if calibrate:
        _calibrate(checker, as_json=as_json)
        return EXIT_OK
    flagged = False
    for verdict in _checked(wanted, checker):
        flagged |= verdict.label in ("contradicted", "not_supported")
        if not as_json:
            _show(verdict)
        elif pairs is not None:
            click.echo(json.dumps(verdict.to_dict(), ensure_ascii=False))
        else:
            print_json(verdict.to_dict())
    return EXIT_FLAGGED if strict and flagged else EXIT_OK


def _recheck(settings: Settings, path: Path, *, as_json: bool, strict: bool) -> int:
    """Each sentence as soon as it is checked, then how many hold."""
    from rag.pipeline import Pipeline
    from rag.saved import read_saved

    def show(sentence: SentenceNow) -> None:
        if not as_json and (lines := rechecked_lines(sentence)):
            click.echo("\n".join(lines))

    saved = read_saved(path)
    if not as_json:
        click.echo(f"{one_line(saved.question)}\n")
    with Pipeline.from_settings(settings) as pipeline:
        outcome = pipeline.recheck(saved, show)
    hold, fail = outcome.summary["hold"], outcome.summary["do_not_hold"]
    if as_json:
        print_json(outcome.to_dict())
    else:
        held = (
            f"{hold} of {hold + fail} sentences hold." if hold + fail else "No sentence to check."
        )
        click.echo(f"\n{held} {coverage_line(outcome.coverage)}")
    for notice in outcome.notices:
        say(notice)
    return EXIT_FLAGGED if strict and fail else EXIT_OK


def _checked(pairs: Iterator[tuple[str, list[str]]], checker: Any) -> Iterator[Any]:
    """Verdicts in order, a model asked in batches."""
    from rag.checking.calibration import calibration_of
    from rag.checking.check import verify as check

    record = calibration_of(checker.digest) if checker else None
    while batch := [pair for _, pair in zip(range(_TOGETHER), pairs, strict=False)]:
        opinions = checker.check(batch) if checker else [None] * len(batch)
        for (claim, evidence), opinion in zip(batch, opinions, strict=True):
            yes = bool(opinion and record and record.says_supported(opinion))
            yield check(claim, evidence, opinion=opinion, calibrated=yes)


def _calibrate(checker: Any, *, as_json: bool) -> None:
    """Asks about the labelled claims that come with the product, and keeps the error rates."""
    from dataclasses import asdict

    from rag.checking.calibration import calibrate, save_calibration, shipped_claims

    if checker is None:
        raise UsageError(
            "no model to calibrate: the offline checker comes calibrated",
            "name one with --verifier decision, nli or judge",
        )
    claims = shipped_claims()
    say(f"asking {checker.kind} {checker.model} about {len(claims)} labelled claims")
    record = calibrate(checker, claims)
    if as_json:
        print_json(asdict(record))
    else:
        click.echo("\n".join(one_line(line) for line in record.lines()))
    say(f"kept in {save_calibration(record)}")


def _show(verdict: Any) -> None:
    score = "" if verdict.score is None else f", score {verdict.score:.2f}"
    click.echo(f"{MARKS[verdict.label]} {WORDS[verdict.label]}{score}")
    # what makes it supported is no objection, and «!» is the mark of one
    why, objections = split_reasons(verdict.label, verdict.reasons)
    for mark, reasons in (("", why), ("! ", objections)):
        for reason in reasons:
            click.echo(f"    {mark}{one_line(reason)}")
    for quote in verdict.evidence:
        click.echo(f"    “{one_line(quote.text)}”")


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"evidence {file} cannot be read: {reason}", "give a text file") from error


def _pairs(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The claims and evidence of a JSON Lines file. Raises UsageError naming file and line."""
    any_line = False
    for number, line in enumerate(_text(str(path)).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            claim, evidence = row["claim"], row["evidence"]
        except (ValueError, KeyError, TypeError, RecursionError):
            claim = evidence = None
        texts = [evidence] if isinstance(evidence, str) else evidence
        if not isinstance(claim, str) or not _all_text(texts):
            raise UsageError(
                f"{path}, line {number}: not a claim with its evidence",
                _WANTED,
            )
        any_line = True
        yield claim, list(texts)
    if not any_line:
        raise UsageError(f"{path}: no claim in it", _WANTED)


def _all_text(texts: Sequence[object] | None) -> bool:
    return isinstance(texts, list) and all(isinstance(text, str) for text in texts)
