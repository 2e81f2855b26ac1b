"""The history of evaluations: what is written is read back, whatever happens in between."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import clean_environment, one_error_line, rag_here
from eval_runs import answer, make_provenance, marks, question

from eval.history import History, history_path
from eval.records import Failure, Reply, Result
from rag.errors import DiskFull, IndexLocked, UsageError
from rag.settings import Settings


def results(number: int, repeats: int = 1) -> list[Result]:
    asked = question(number)
    return [
        Reply(asked, n, answer(asked, "supported"), marks(asked, "supported"), {"hit@1": 1.0})
        for n in range(repeats)
    ]


def begun(history: History, **changes: object) -> str:
    return history.begin(make_provenance(**changes), repeats=1, questions=3)


@pytest.fixture
def history(tmp_path: Path):
    with History(tmp_path / "eval" / "history.sqlite") as opened:
        yield opened


def test_a_run_reads_back_as_it_was_written(history: History) -> None:
    run_id = history.begin(make_provenance(), repeats=2, questions=2, due="2026-11-22T03:00:00Z")
    written = [*results(0, 2), Failure(question(1), 0, "ReplyInvalid", "it broke off", 1.5)]
    history.add(run_id, written[:2])
    history.add(run_id, written[2:])
    history.finish(run_id, "done")
    run = history.load(run_id)
    assert list(run.results) == written
    assert run.provenance == make_provenance()
    assert (run.state, run.due, run.repeats, run.questions) == (
        "done",
        "2026-11-22T03:00:00Z",
        2,
        2,
    )
    assert run.started < run.finished


def test_another_opening_of_the_file_sees_the_same(history: History) -> None:
    run_id = begun(history)
    history.add(run_id, results(0))
    with History(history.path) as other:
        assert other.load(run_id) == history.load(run_id)


def test_half_characters_in_an_answer_are_kept(history: History) -> None:
    asked = question(0)
    run_id = begun(history)
    odd = Reply(asked, 0, answer(asked, "supported", text="\ud800 \x00 \u202e"), ())
    history.add(run_id, [odd])
    assert history.load(run_id).results == (odd,)


def test_results_are_written_all_or_none(history: History) -> None:
    run_id = begun(history)
    first, second = results(0, 2)
    with pytest.raises(UsageError, match="cannot be used"):
        history.add(run_id, [first, replace(second, repeat=None)])
    assert history.load(run_id).results == ()


def test_a_result_written_again_takes_the_place_of_the_first(history: History) -> None:
    run_id = begun(history)
    failure = Failure(question(0), 0, "ModelUnavailable", "gone", 5.0)
    history.add(run_id, [failure])
    assert history.done(run_id, ["ModelUnavailable"]) == {failure.question.id: 0}
    assert history.done(run_id) == {failure.question.id: 1}
    history.add(run_id, results(0))
    assert history.load(run_id).results == tuple(results(0))


def test_of_two_that_go_on_with_one_run_the_second_is_told_that_it_is_taken(
    history: History,
) -> None:
    run_id = begun(history)
    history.finish(run_id, "interrupted")
    with History(history.path) as other:
        history.reopen(run_id)
        with pytest.raises(IndexLocked, match=f"run {run_id} is not interrupted any more"):
            other.reopen(run_id)


# ------------------------------------------------------------------ finding


def test_runs_are_listed_newest_first_without_their_results(history: History) -> None:
    ids = [begun(history) for _ in range(3)]
    history.add(ids[0], results(0))
    assert [r.run_id for r in history.runs()] == ids[::-1]
    assert [r.run_id for r in history.runs(limit=1)] == ids[-1:]
    assert all(r.results == () for r in history.runs())


def test_a_run_is_found_by_the_beginning_of_its_id_and_by_last(history: History) -> None:
    first, second = begun(history), begun(history)
    assert history.find(second).run_id == history.find("last").run_id == second
    assert history.load(first[:-1]).run_id == first
    with pytest.raises(UsageError, match="several runs begin with"):
        history.find(first[:8])


@pytest.mark.parametrize("name", ["", "nothing", "%", "last'; DROP TABLE runs; --"])
def test_a_run_that_is_not_there_is_a_usage_error(history: History, name: str) -> None:
    begun(history)
    with pytest.raises(UsageError, match=r"no run is «.*» in .*rag eval history"):
        history.load(name)
    assert len(history.runs()) == 1


def test_the_last_run_is_of_the_same_questions_done_and_before(history: History) -> None:
    ids = [begun(history) for _ in range(4)]
    for name, state in zip(ids, ("done", "done", "interrupted", "done"), strict=True):
        history.finish(name, state)
    other = begun(history, questions_digest="others")
    history.finish(other, "done")
    assert history.before(ids[3]).run_id == ids[1]
    assert history.before(ids[0]) is None
    assert history.before(other) is None


def test_the_run_before_one_of_an_edited_file_is_that_of_the_file_before_the_edit(
    history: History,
) -> None:
    old = [begun(history), begun(history, questions_file="others.jsonl")]
    new = [begun(history, questions_digest="edited"), begun(history)]
    for run_id in (*old, *new):
        history.add(run_id, results(0))
        history.finish(run_id, "done")
    stranger = begun(history, questions_digest="strange")  # of the same name, with other questions
    history.add(stranger, results(1))
    assert [r.run_id for r in history.earlier(new[0])] == [old[0]]  # others.jsonl is another file
    assert history.before(new[0]).run_id == old[0]
    assert [r.run_id for r in history.earlier(new[1])] == [new[0], *old[::-1]]
    assert history.before(new[1]).run_id == old[1]  # the same questions, taken back
    assert list(history.earlier(stranger)) == []


def test_a_reason_is_kept_and_goes_when_the_run_goes_on(history: History) -> None:
    run_id = begun(history)
    history.finish(run_id, "interrupted", "KeyboardInterrupt")
    assert history.reason(run_id) == "KeyboardInterrupt"
    history.reopen(run_id, due="2026-11-23T03:00:00Z")
    run = history.find(run_id)
    assert (run.state, run.finished, run.due) == ("running", None, "2026-11-23T03:00:00Z")
    assert history.reason(run_id) == ""


# ------------------------------------------------------------------ faults

DIES = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_eval_history import begun, results
from eval.history import History
history = History(Path(sys.argv[1]))
run_id = begun(history)
history.add(run_id, results(0))
print(run_id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_run_whose_process_was_killed_counts_as_interrupted_and_keeps_its_results(
    tmp_path: Path,
) -> None:
    path = tmp_path / "history.sqlite"
    died = subprocess.run(
        [sys.executable, "-c", DIES, path, Path(__file__).parent], env=clean_environment(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert died.returncode == -9, died.stderr
    with History(path) as history:
        (run,) = history.runs()
        assert (run.run_id, run.state) == (died.stdout.strip(), "interrupted")
        assert "without a word" in history.reason(run.run_id)
        assert history.load(run.run_id).results == tuple(results(0))


def test_a_run_that_goes_on_in_a_living_process_is_left_alone(history: History) -> None:
    run_id = begun(history)
    with History(history.path) as other:
        assert other.find(run_id).state == "running"


@pytest.mark.parametrize(
    ("change", "state"),
    [
        pytest.param({"boot": "another"}, "interrupted", id="started anew"),
        pytest.param({"host": "elsewhere"}, "running", id="another machine, lately"),
    ],
)
def test_a_reboot_ends_a_run_and_another_machine_is_given_time(
    history: History, change: dict[str, str], state: str
) -> None:
    run_id = begun(history)
    db = sqlite3.connect(history.path)
    process = json.loads(db.execute("SELECT process FROM runs").fetchone()[0])
    with db:
        db.execute("UPDATE runs SET process = ?", (json.dumps({**process, **change}),))
    db.close()
    with History(history.path) as other:
        assert other.find(run_id).state == state


def test_a_silent_run_of_another_machine_ends_at_last(history: History) -> None:
    run_id = begun(history)
    db = sqlite3.connect(history.path)
    with db:
        db.execute("UPDATE runs SET process = '{}', seen = '2026-01-01T00:00:00.000+00:00'")
    db.close()
    with History(history.path) as other:
        assert other.find(run_id).state == "interrupted"


def test_several_may_open_and_write_a_new_history_at_once(tmp_path: Path) -> None:
    path, failed = tmp_path / "history.sqlite", []

    def write() -> None:
        try:
            with History(path) as history:
                run_id = begun(history)
                for n in range(5):
                    history.add(run_id, results(n))
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with History(path) as history:
        assert [len(history.load(r.run_id).results) for r in history.runs()] == [5] * 6


def test_a_full_disk_is_told_and_what_was_written_stays(history: History) -> None:
    run_id = begun(history)
    history.add(run_id, results(0))
    pages = history._db.execute("PRAGMA page_count").fetchone()[0]
    history._db.execute(
        f"PRAGMA max_page_count = {pages}"
    )  # SQLite's own «database or disk is full»
    with pytest.raises(DiskFull, match="no room for history"):
        history.add(run_id, [r for n in range(1, 100) for r in results(n)])
    assert history.load(run_id).results == tuple(results(0))


def test_a_history_of_a_newer_version_is_refused_and_left_as_it_is(history: History) -> None:
    history._db.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageError, match=r"newer version \(99\)"):
        History(history.path)
    assert history._db.execute("PRAGMA user_version").fetchone()[0] == 99


def test_a_history_of_an_older_version_is_brought_up_to_this_one(history: History) -> None:
    run_id = begun(history)
    history.add(run_id, results(0))
    history.finish(run_id, "done")
    history._db.execute("DROP TABLE summaries")
    history._db.execute("PRAGMA user_version = 1")
    with History(history.path) as other:
        assert other.summary(run_id, "me") is None
        other.keep_summary(run_id, "me", {"claims": 1})
        assert other.summary(run_id, "me") == {"claims": 1}
        assert other.summary(run_id, "somebody else") is None
        assert other.load(run_id).results == tuple(results(0))


def test_what_is_no_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and no database, whatever they are called. " * 40)
    with pytest.raises(UsageError, match="cannot be used"):
        History(path)
    assert path.read_text().startswith("These are notes")


def test_a_damaged_row_is_told(history: History) -> None:
    run_id = begun(history)
    history._db.execute("UPDATE runs SET provenance = '{\"corpus\": 1}'")
    with pytest.raises(UsageError, match="cannot be used"):
        history.load(run_id)


# ------------------------------------------------------------------ the command


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, ".rag-eval/history.sqlite"),
        ({"index": "stores/reports"}, "stores/reports-eval/history.sqlite"),
        ({"qdrant_url": "http://127.0.0.1:6333"}, ".rag-eval/history.sqlite"),
    ],
)
def test_the_history_lies_beside_its_index(settings: dict[str, str], path: str) -> None:
    assert history_path(Settings(**settings)) == Path(path)


def test_rag_eval_history_tells_each_run_and_what_was_changed(history: History) -> None:
    first = begun(history)
    history.add(first, results(0))
    history.finish(first, "done")
    hostile = {**make_provenance().generator, "model": "\x1b[31mred\u202e"}
    second = begun(history, generator=hostile, questions_digest="edited")
    history.add(second, results(0))
    history.finish(second, "failed", "the model is gone\nrag: forged")
    done = rag_here("eval", "history", "--history", str(history.path))
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    newest, why, changed, oldest = done.out.splitlines()
    assert newest.startswith(second)
    assert "failed" in newest
    assert why.strip() == "the model is gone rag: forged"
    assert "generator model" in changed
    assert "questions: not the same set" in changed
    assert oldest.startswith(first)
    assert "grounded 100 %" in oldest


def test_rag_eval_history_as_json_has_the_same(history: History) -> None:
    run_id = begun(history)
    history.add(run_id, results(0))
    history.finish(run_id, "done")
    found = rag_here("eval", "history", "--json", "--history", str(history.path)).json
    (entry,) = found["runs"]
    assert (entry["run_id"], entry["state"], entry["changed"]) == (run_id, "done", None)
    assert entry["figures"]["groundedness"]["value"] == 1.0
    assert entry["figures"]["p50_s"] == 1.0


def test_no_history_yet_is_said_and_no_file_is_made(tmp_path: Path) -> None:
    done = rag_here("eval", "history", cwd=tmp_path)
    assert done.code == 2
    assert "rag eval run" in one_error_line(done.err)
    assert list(tmp_path.iterdir()) == []
