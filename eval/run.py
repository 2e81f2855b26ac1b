"""One evaluation: every question asked through one open pipeline, judged, written down at once.

    questions ─▶ Pipeline.ask ─▶ judges ─▶ marks ─▶ history, question by question ─▶ EvaluationRun

A kill loses the question that is being asked; `resume` goes on from the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from eval.asking import OUTAGES, Asking, told
from eval.history import History
from eval.provenance import provenance_unread
from eval.questions import questions_digest
from eval.records import EvaluationRun, Provenance, Question, Reply, Result
from eval.rubric import Rubric
from eval.standing import kin
from rag.errors import RagError, UsageError
from rag.settings import Settings

#: Questions in a row that an outage may cost before the run is given up, to be resumed. Set by
#: hand; each of them may wait for `reply_timeout`.
_PATIENCE = 3


class Watch(Protocol):
    """Hears of an evaluation while it runs."""

    def start(self, total: int, done: int) -> None:
        """``total`` questions, ``done`` of them by the run that is resumed."""
        ...

    def result(self, results: Sequence[Result]) -> None:
        """One more question, with a result for each repeat."""
        ...


def evaluate(
    questions: Sequence[Question], settings: Settings, rubric: Rubric, history: History,
    *,
    repeats: int = 1, judges: tuple[str, ...] = (), due: str | None = None,
    resume: str | None = None, watch: Watch | None = None, questions_file: str = "",
    model_named: bool = False, notice: Callable[[str], None] = lambda _: None,
) -> EvaluationRun:  # fmt: skip
    """Ask every question ``repeats`` times, in a row, and judge the replies.

    ``judges``: names of `eval.judges.JUDGES`, none for the verdicts of the pipeline itself;
    ``due`` the scheduled time this run is for (UTC, ISO 8601); ``resume`` the id of an
    interrupted run, or «last» for the latest of these questions if it was interrupted.
    ``notice`` hears of files that the index lacks, of a judge that is kin of the writer, and where
    the generator «auto» came down to quotes, for want of a model. Where ``model_named`` says that
    one was asked for, where it is another than the default, or where the last run of these
    questions was written by one, that raises ModelUnavailable: quotes would pass for a better one.

    An error of one question is a Failure and the run goes on. What every question would meet ends
    it: the error is raised, and the run recorded as failed, or as interrupted when something was
    answered before. So is KeyboardInterrupt. Raises UsageError for a run that cannot be resumed.
    """
    known = {
        "questions_file": questions_file,
        "questions_digest": questions_digest(questions),
        "rubric_digest": rubric.digest,
    }
    begin = partial(history.begin, repeats=repeats, questions=len(questions), due=due)
    with _failure_kept(history, settings, lambda: begin(provenance_unread(settings, **known))):
        needed = model_named or _model_expected(settings, history, known)
        asking = Asking.open(settings, rubric, judges, model_needed=needed, notice=notice)
    with asking:
        provenance = asking.provenance(**known)
        judges_told = kin(provenance.generator, provenance.verifier)
        for line in filter(None, (asking.unknown_files(questions), *judges_told)):
            notice(line)
        run_id = _gone_on_with(history, resume, provenance, repeats, due) or begin(provenance)
        with _end_kept(history, settings, run_id):
            _ask_all(questions, asking, history, run_id, repeats, watch)
    return history.load(run_id)


@contextmanager
def _failure_kept(history: History, settings: Settings, begin: Callable[[], str]) -> Iterator[None]:
    """An evaluation that could not be opened is a failed run, unless it was a slip of the pen."""
    try:
        yield
    except UsageError:
        raise
    except RagError as error:
        history.finish(begin(), "failed", told(error, settings))
        raise


@contextmanager
def _end_kept(history: History, settings: Settings, run_id: str) -> Iterator[None]:
    """However a run ends, its state says so."""
    try:
        yield
    except BaseException as error:
        ended = isinstance(error, KeyboardInterrupt) or _answered(history, run_id)
        history.finish(run_id, "interrupted" if ended else "failed", told(error, settings))
        raise
    if _answered(history, run_id):
        history.finish(run_id, "done")
    else:
        history.finish(run_id, "failed", "no question was answered")


def _model_expected(settings: Settings, history: History, known: Mapping[str, str]) -> bool:
    """Whether a model is meant to write: another than the default is named, or the last run of
    these questions, or of a file of the same name, was written by one."""
    if settings.model != Settings().model:
        return True
    file, digest = Path(known["questions_file"]).name, known["questions_digest"]
    for run in history.runs():
        asked = run.provenance
        same_file = bool(file) and Path(asked.questions_file).name == file
        if run.state in ("done", "interrupted") and (asked.questions_digest == digest or same_file):
            return bool(asked.generator["kind"] != "extractive")
    return False


def _answered(history: History, run_id: str) -> bool:
    return any(isinstance(r, Reply) for r in history.results(run_id))


def _gone_on_with(
    history: History, wanted: str | None, provenance: Provenance, repeats: int, due: str | None
) -> str | None:
    """The id of the interrupted run that is going on now; None for a new one."""
    run_id = _resumable(history, wanted, provenance, repeats)
    if run_id:
        history.reopen(run_id, due)
    return run_id


def _resumable(
    history: History, wanted: str | None, provenance: Provenance, repeats: int
) -> str | None:
    """The id of the run to go on with. Raises UsageError for one that was asked for by its id and
    is of other questions, settings or models, or not interrupted."""
    if wanted is None:
        return None
    if wanted != "last":
        run = history.find(wanted)
        problem = _unlike(run, provenance, repeats)
        if problem:
            raise UsageError(f"run {run.run_id} cannot be resumed: {problem}", "start a new one")
        return run.run_id
    digest = provenance.questions_digest
    latest = next((r for r in history.runs() if r.provenance.questions_digest == digest), None)
    return latest.run_id if latest and not _unlike(latest, provenance, repeats) else None


def _unlike(run: EvaluationRun, provenance: Provenance, repeats: int) -> str:
    """Why a run is not the beginning of this one; empty when it is."""
    if run.state != "interrupted":
        return f"it is {run.state}"
    if run.repeats != repeats:
        return f"it asks each question {run.repeats} times"
    then, today = (replace(p, questions_file="") for p in (run.provenance, provenance))
    names = [f.name for f in fields(then) if getattr(then, f.name) != getattr(today, f.name)]
    return f"different {', '.join(names)}" if names else ""


def _ask_all(
    questions: Sequence[Question],
    asking: Asking,
    history: History,
    run_id: str,
    repeats: int,
    watch: Watch | None,
) -> None:
    done = history.done(run_id, [kind.__name__ for kind in OUTAGES])
    left = [q for q in questions if done.get(q.id, 0) < repeats]
    if watch:
        watch.start(len(questions), len(questions) - len(left))
    answered, outages = len(left) < len(questions), 0
    for question in left:
        results, outage = asking.results(question, repeats)
        if outage is None:
            outages = 0
        else:
            outages += 1
            if not answered or outages >= _PATIENCE:
                raise outage
        answered = answered or any(isinstance(r, Reply) for r in results)
        history.add(run_id, results)
        if watch:
            watch.result(results)
