"""Promise 18: every due time has one final record, and runs never overlap."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from conftest import NOBODY, clean_environment, one_error_line, rag_here
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bench import script

from eval.cli_schedule import _given
from eval.cli_schedule import schedule as schedule_command
from eval.cron import Schedule, dues_between, latest_due, local_timezone
from eval.history import History
from eval.ledger import Ledger, Line
from eval.schedule import MAX_DEATHS, run_due, run_forever
from eval.testing import FakeClock
from eval.units import Call, calendars, crontab, systemd
from rag.errors import ModelUnavailable, UsageError
from rag.testing import ScriptedServer

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def nightly(cron: str = "0 3 * * *", zone: str = "UTC") -> Schedule:
    return Schedule.of(Path("/q/questions.jsonl"), cron, zone)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "history.sqlite") as opened:
        yield opened


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC)


def states(ledger: Ledger, schedule: Schedule) -> list[tuple[datetime, str]]:
    return [(line.due, line.state) for line in ledger.lines(schedule)]


def run_id(due: datetime) -> str:
    return f"run of {due:%d %H:%M}"


# ------------------------------------------------------------------ when it is due


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["00:30"]),
        ("15,45 2 * * *", "America/New_York", "2026-03-08", ["07:00"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["05:30"]),
        ("0 3 * * *", "Europe/Berlin", "2026-03-29", ["01:00"]),
        ("0 2-4 * * *", "Europe/Berlin", "2026-03-29", ["01:00", "02:00"]),
        ("0 12 * * *", "Asia/Tokyo", "2026-03-29", ["03:00"]),
    ],
    ids=["gap", "repeated", "two in the gap", "repeated elsewhere", "at its end",
         "in it and at its end", "no changes there"],
)  # fmt: skip
def test_a_job_at_a_fixed_time_is_due_once_a_day_whatever_the_clocks_do(cron, zone, day, expected):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    found = dues_between(nightly(cron, zone), start, start + 20 * HOUR)
    assert [f"{due:%H:%M}" for due in found] == expected


def test_a_job_of_every_hour_goes_by_elapsed_time():
    """The day with 25 hours has 25, the one with 23 has 23."""
    for day, hours in (("2026-10-24T22:00", 25), ("2026-03-28T23:00", 23)):
        start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(seconds=1)
        assert (
            len(dues_between(nightly("0 * * * *", "Europe/Berlin"), start, start + hours * HOUR))
            == hours
        )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["0 3 * * *", "30 2 * * *", "*/20 1-3 * * *", "15 */4 * * *", "0 7 * * 1-5"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"]),
    st.integers(0, 365 * 24 * 3600),
    st.integers(1, 90_000),
)
def test_due_times_are_the_same_from_wherever_they_are_counted(cron, zone, start, seconds):
    schedule = nightly(cron, zone)
    begun = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=start)
    whole = dues_between(schedule, begun - DAY, begun + 3 * DAY)
    later = begun - DAY + timedelta(seconds=seconds)
    assert dues_between(schedule, later, begun + 3 * DAY) == [due for due in whole if due > later]
    assert whole == sorted(set(whole))
    assert latest_due(schedule, begun) == max(
        dues_between(schedule, begun - 4 * DAY, begun), default=None
    )


@pytest.mark.parametrize(
    ("cron", "zone", "problem"),
    [
        ("0 3 * *", "UTC", "has 4 fields, not five"),
        ("0 0 3 * * *", "UTC", "has 6 fields, not five"),
        ("61 3 * * *", "UTC", "is not understood: Bad minute"),
        ("@daily", "UTC", "has 1 fields, not five"),
        ("0 3 31 2 *", "UTC", "is not understood"),
        ("0 3 * * *", "Mars/Olympus", "--timezone Mars/Olympus is unknown here"),
        ("0 3 * * *", "../../etc/passwd", "is unknown here"),
        ("0 3 * * *", "", "is unknown here"),
    ],
)
def test_what_is_no_schedule_is_refused_with_an_example(cron, zone, problem):
    with pytest.raises(UsageError, match="(?s)" + problem.replace("(", r"\(")) as caught:
        nightly(cron, zone)
    assert caught.value.remedy


def test_a_schedule_is_known_by_what_it_runs_and_when():
    """The same words make the same one; another option, time or zone another."""
    one = Schedule.of(Path("/q.jsonl"), "0  3 * * *", "UTC", ("--k", "3"))
    assert one.id == Schedule.of(Path("/q.jsonl"), "0 3 * * *", "UTC", ("--k", "3")).id
    others = {
        Schedule.of(Path("/q.jsonl"), "0 3 * * *", "UTC", ("--k", "4")).id,
        Schedule.of(Path("/q.jsonl"), "0 4 * * *", "UTC", ("--k", "3")).id,
        Schedule.of(Path("/q.jsonl"), "0 3 * * *", "Europe/Berlin", ("--k", "3")).id,
        Schedule.of(Path("/r.jsonl"), "0 3 * * *", "UTC", ("--k", "3")).id,
    }
    assert len({one.id, *others}) == 5


@pytest.mark.parametrize("name", ["Europe/Berlin", ":America/New_York"])
def test_the_time_zone_is_the_machines_own(monkeypatch, name):
    monkeypatch.setenv("TZ", name)
    assert local_timezone() == name.removeprefix(":")
    monkeypatch.setenv("TZ", "no such zone")
    assert local_timezone() == "UTC"


# ------------------------------------------------------------------ one due time after the other


def test_a_due_time_is_run_once_and_recorded(ledger):
    clock, schedule = FakeClock(at(1, 3, 1)), nightly()
    told = run_due(schedule, ledger, run_id, clock)
    assert (told.state, told.due, told.run_id) == ("done", at(1, 3), "run of 01 03:00")
    again = run_due(schedule, ledger, never, clock)
    assert (again.state, again.reason) == ("nothing", "it is settled")
    (line,) = ledger.lines(schedule)
    assert (line.state, line.run_id, line.attempts) == ("done", "run of 01 03:00", 1)


def test_a_new_schedule_that_stays_begins_now(ledger):
    """Started at noon it does not run at once: nothing was missed before it was there."""
    clock, schedule, ran = FakeClock(NOON), nightly(), []

    def look() -> None:
        run_due(schedule, ledger, lambda due: ran.append(due) or "x", clock)
        if clock.now() > NOON + 2 * DAY:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_forever(schedule, ledger, look, clock)
    assert ran == [at(2, 3), at(3, 3), at(4, 3)]


def test_what_was_missed_is_caught_up_once(ledger):
    """Down for a week: the latest is run, the others have a line that says by which run."""
    clock, schedule = FakeClock(at(1, 3, 1)), nightly()
    run_due(schedule, ledger, run_id, clock)
    clock.advance(5 * DAY)
    told = run_due(schedule, ledger, run_id, clock)
    assert told.due == at(6, 3)
    assert states(ledger, schedule) == [
        (at(1, 3), "done"), *((at(day, 3), "skipped") for day in (2, 3, 4, 5)), (at(6, 3), "done"),
    ]  # fmt: skip
    reason = "missed while nothing ran; caught up by the run of 2026-06-06T03:00+00:00"
    assert {line.reason for line in ledger.lines(schedule)[1:5]} == {reason}


def test_a_run_that_fails_is_recorded_with_its_reason_and_told(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly()

    def fail(_: datetime) -> str:
        raise ModelUnavailable("no model server at 127.0.0.1", "start it")

    with pytest.raises(ModelUnavailable):
        run_due(schedule, ledger, fail, clock)
    (line,) = ledger.lines(schedule)
    assert (line.state, line.reason) == ("failed", "no model server at 127.0.0.1; start it")
    assert run_due(schedule, ledger, never, clock).state == "nothing"


def test_an_error_of_others_leaves_its_name_and_not_its_text(ledger):
    """Its text may hold an address with a password."""
    with pytest.raises(ConnectionError):
        run_due(
            nightly(), ledger, raising(ConnectionError("https://me:secret@host")), FakeClock(NOON)
        )
    (line,) = ledger.lines(nightly())
    assert (line.state, line.reason) == ("failed", "ConnectionError")


def never(due: datetime) -> str:
    raise AssertionError(due)


def raising(error: BaseException) -> Callable[[datetime], str]:
    def start(_: datetime) -> str:
        raise error

    return start


def test_an_interrupted_run_is_taken_up_by_the_next_start(ledger):
    """However often a person stops it: only deaths are counted."""
    clock, schedule = FakeClock(at(1, 3)), nightly()
    for _ in range(MAX_DEATHS + 2):
        with pytest.raises(KeyboardInterrupt):
            run_due(schedule, ledger, raising(KeyboardInterrupt()), clock)
        assert states(ledger, schedule) == [(at(1, 3), "interrupted")]
    assert run_due(schedule, ledger, run_id, clock).due == at(1, 3)


def test_a_run_that_kills_its_machine_is_given_up(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly()
    dead = Line(at(1, 3), "running", attempts=MAX_DEATHS)
    ledger.write(schedule, dead, clock.now())
    assert run_due(schedule, ledger, never, clock).state == "nothing"
    (line,) = ledger.lines(schedule)
    assert line.state == "failed"
    assert "cut off 3 times" in line.reason


def test_a_run_longer_than_its_interval_costs_the_times_it_covers(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly("0 * * * *")

    def long(due: datetime) -> str:
        clock.advance(timedelta(hours=2, minutes=30))
        return run_id(due)

    run_due(schedule, ledger, long, clock)
    assert states(ledger, schedule) == [
        (at(1, 3), "done"), (at(1, 4), "skipped"), (at(1, 5), "skipped"),
    ]  # fmt: skip
    assert {line.reason for line in ledger.lines(schedule)[1:]} == {
        "the run before was still going"
    }


def test_a_timer_that_fires_into_a_run_starts_none(ledger):
    """It puts its own due time down as skipped, and one that fires twice puts nothing down."""
    clock, schedule, told = FakeClock(at(1, 3)), nightly("0 * * * *"), []

    def long(due: datetime) -> str:
        with Ledger(ledger.path) as other:
            told.append(run_due(schedule, other, never, clock))
            clock.advance(HOUR)
            told.append(run_due(schedule, other, never, clock))
        return run_id(due)

    run_due(schedule, ledger, long, clock)
    assert [(t.state, t.reason) for t in told] == [
        ("nothing", "another process runs it"),
        ("skipped", "the run before was still going"),
    ]
    assert states(ledger, schedule) == [(at(1, 3), "done"), (at(1, 4), "skipped")]


# ------------------------------------------------------------------ clocks that are set


def test_a_clock_that_is_set_back_runs_nothing_twice(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly()
    run_due(schedule, ledger, run_id, clock)
    clock.set(at(1, 1))
    run_due(schedule, ledger, never, clock)
    clock.sleep_until(at(1, 3))
    run_due(schedule, ledger, never, clock)
    assert states(ledger, schedule) == [(at(1, 3), "done")]


def test_days_skipped_by_a_clock_that_ran_ahead_are_run_when_they_come(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly()
    run_due(schedule, ledger, run_id, clock)
    clock.set(at(20, 12))
    run_due(schedule, ledger, run_id, clock)
    assert dict(states(ledger, schedule))[at(2, 3)] == "skipped"
    clock.set(at(1, 12))
    clock.sleep_until(at(2, 3))
    run_due(schedule, ledger, run_id, clock)
    assert dict(states(ledger, schedule))[at(2, 3)] == "done"


def test_a_machine_that_starts_in_1970_neither_runs_nor_records_the_years_since(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly()
    run_due(schedule, ledger, run_id, clock)
    clock.set(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    assert run_due(schedule, ledger, never, clock).state == "nothing"
    clock.set(at(1, 4))
    assert run_due(schedule, ledger, never, clock).state == "nothing"
    assert states(ledger, schedule) == [(at(1, 3), "done")]


def test_a_clock_that_is_put_right_during_a_run_leaves_no_record_of_the_years_between(ledger):
    clock, schedule = FakeClock(at(1, 3)), nightly()
    run_due(schedule, ledger, run_id, clock)
    clock.set(datetime(1970, 1, 1, 2, tzinfo=UTC))
    run_due(schedule, ledger, never, clock)
    clock.sleep_until(datetime(1970, 1, 1, 3, tzinfo=UTC))

    def corrected(due: datetime) -> str:
        clock.set(at(3, 4))
        return run_id(due)

    run_due(schedule, ledger, corrected, clock)
    assert [(line.due, line.state) for line in ledger.lines(schedule)] == [
        (datetime(1970, 1, 1, 3, tzinfo=UTC), "done"),
        (at(1, 3), "done"), (at(2, 3), "skipped"), (at(3, 3), "skipped"),
    ]  # fmt: skip


def test_the_real_clock_waits_and_wakes_early_when_it_is_set_back(monkeypatch):
    import eval.schedule as module

    clock = module._WallClock()
    clock.sleep_until(clock.now() + timedelta(milliseconds=20))
    times = iter([NOON, NOON + timedelta(seconds=5), NOON - HOUR])
    slept: list[float] = []
    monkeypatch.setattr(module._WallClock, "now", lambda _: next(times))
    monkeypatch.setattr(time, "sleep", slept.append)
    clock.sleep_until(NOON + DAY)
    assert slept == [5.0, 5.0], "a person who sets the clock is noticed within seconds"


# ------------------------------------------------------------------ sixty days


@pytest.fixture(scope="module")
def days() -> ModuleType:
    return script("schedule_days")


@pytest.mark.parametrize("plan", range(8))
def test_sixty_days_of_accidents_leave_one_final_record_for_each_due_time(days, plan, tmp_path):
    """Any seed: kills, reboots, set clocks, both clock changes, runs longer than their interval."""
    seed = random.randrange(10**6)
    span = 60 if days.PLANS[plan].hours != days.ALL else 36  # over its change of clocks
    counts = days.history(days.PLANS[plan], span, seed, tmp_path)
    assert {name: counts[name] for name in days.WRONG if counts[name]} == {}, f"seed {seed}"
    assert counts["due"] >= 36
    assert counts["done"] > counts["due"] / 3, f"seed {seed}"


def test_the_simulation_notices_a_ledger_that_loses_and_runs_that_overlap(
    days, tmp_path, monkeypatch
):
    """Faults planted into the scheduler are found, so finding none means something."""
    import eval.schedule as module

    def wrong(seed: int) -> set[str]:
        counts = days.history(days.PLANS[4], 40, seed, tmp_path)
        for path in tmp_path.glob("*.sqlite*"):
            path.unlink()
        return {name for name in days.WRONG if counts[name]}

    with monkeypatch.context() as patch:  # what became due during a run is forgotten
        patch.setattr(module, "_skip_since", lambda *_: None)
        patch.setattr(module, "MISSED", module.STILL_GOING)
        patch.setattr(module, "dues_between", lambda *_: [])
        assert "without a record" in wrong(3)
    with monkeypatch.context() as patch:  # nobody is kept out
        patch.setattr(Ledger, "lock", lambda self, _: (self.path.parent / "x").open("ab"))
        patch.setattr(Ledger, "only_run", lambda _: contextlib.nullcontext())
        assert "overlaps" in wrong(3)


def test_the_bench_prints_its_table_and_ends_well_only_when_nothing_was_wrong(
    days, monkeypatch, capsys
):
    monkeypatch.setattr(days, "PLANS", days.PLANS[:1])
    assert days.main(["--histories", "1", "--days", "10"]) == 0
    head, _, row, total, *_ = capsys.readouterr().out.splitlines()
    assert head.count("|") == row.count("|") == total.count("|")
    assert row.startswith("| 03:00, spring, Europe/Berlin | 10 |")
    monkeypatch.setattr(days, "history", lambda *_: Counter({"overlaps": 1}))
    assert days.main(["--histories", "1"]) == 1


# ------------------------------------------------------------------ real processes


def child(path: str, marks: str, seconds: float, start: float) -> None:
    """A scheduler as a process: looks once, its run writes when it begins and ends."""
    time.sleep(max(0.0, start - time.time()))

    def evaluate(due: datetime) -> str:
        for mark in ("begin", "end"):
            with open(marks, "a", encoding="utf-8") as stream:
                stream.write(f"{mark} {os.getpid()}\n")
            if mark == "begin":
                time.sleep(seconds)
        return run_id(due)

    with Ledger(Path(path)) as ledger:
        run_due(nightly(), ledger, evaluate, FakeClock(at(1, 3)))


def start(
    path: Path, marks: Path, seconds: float = 0.0, when: float = 0.0
) -> multiprocessing.Process:
    process = multiprocessing.get_context("spawn").Process(
        target=child, args=(str(path), str(marks), seconds, when)
    )
    process.start()
    return process


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_scheduler_blocks_nobody_and_its_run_is_taken_up(tmp_path):
    """SIGKILL in the middle of a run; the next process runs that due time at once."""
    path, marks = tmp_path / "history.sqlite", tmp_path / "marks"
    victim = start(path, marks, seconds=60)
    until(marks.exists)
    with Ledger(path) as ledger:
        assert states(ledger, nightly()) == [(at(1, 3), "running")]
        victim.kill()
        victim.join()
        told = run_due(nightly(), ledger, run_id, FakeClock(at(1, 3, 5)))
        assert (told.state, told.due) == ("done", at(1, 3))
        assert states(ledger, nightly()) == [(at(1, 3), "done")]


def test_of_schedulers_that_start_at_once_one_runs(tmp_path):
    path, marks = tmp_path / "history.sqlite", tmp_path / "marks"
    Ledger(path).close()
    when = time.time() + 4  # when all of them have been imported
    processes = [start(path, marks, 0.3, when) for _ in range(4)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(marks.read_text().splitlines()) == 2, "one begin and one end"
    with Ledger(path) as ledger:
        assert states(ledger, nightly()) == [(at(1, 3), "done")]


def test_two_schedules_of_one_history_wait_for_each_other(ledger, tmp_path):
    """Both due at three: the second is not skipped, it runs when the first is done."""
    marks = tmp_path / "marks"
    first = start(ledger.path, marks, seconds=1.0)
    until(marks.exists)
    other = Schedule.of(Path("/q/other.jsonl"), "0 3 * * *", "UTC")

    def evaluate(due: datetime) -> str:
        assert "end" in marks.read_text()
        return run_id(due)

    assert run_due(other, ledger, evaluate, FakeClock(at(1, 3))).state == "done"
    first.join()
    assert first.exitcode == 0


def test_a_kill_between_any_two_statements_is_made_good(days, tmp_path):
    """Every statement of a look that catches up, runs and records, one after the other."""
    plan = days.PLANS[0]
    schedule = nightly()
    for fuse in range(1, 40):
        path = tmp_path / f"{fuse}.sqlite"
        world = days.World(at(4, 3), 1, random.Random(0))
        world._events.clear()
        with Ledger(path) as ledger:
            ledger.begin(schedule, at(1, 12))
        ledger = days.MortalLedger(path, world)
        world.fuse = fuse
        killed = False
        try:
            run_due(schedule, ledger, run_id, world)
        except days.Killed:
            killed = True
        ledger.close()
        with Ledger(path) as ledger:
            run_due(schedule, ledger, run_id, FakeClock(at(4, 3, 10)))
            assert [s for _, s in states(ledger, schedule)] == ["skipped", "skipped", "done"], fuse
        if not killed:
            break
    assert fuse > 10
    assert not killed
    assert plan.cron == schedule.cron


# ------------------------------------------------------------------ the file


def test_a_history_that_is_none_is_named(tmp_path):
    path = tmp_path / "history.sqlite"
    path.write_text("no database, and long enough to be taken for one" * 30)
    with pytest.raises(UsageError, match="cannot be used: file is not a database; name another"):
        Ledger(path)
    with pytest.raises(UsageError, match="cannot be used: File exists; name another"):
        Ledger(path / "history.sqlite")


def test_a_ledger_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "history.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE schedule_version SET version = 99")
    db.close()
    with pytest.raises(UsageError, match="newer version"):
        Ledger(path)


def test_the_ledger_lies_in_the_file_of_the_history(tmp_path):
    """Both open it, whoever comes first, and neither disturbs the other's version."""
    for name in ("ledger first", "history first"):
        path = tmp_path / name / "history.sqlite"
        kinds = [Ledger, History] if name == "ledger first" else [History, Ledger]
        for kind in (*kinds, *kinds):
            kind(path).close()
        with Ledger(path) as ledger, History(path) as history:
            run_due(nightly(), ledger, run_id, FakeClock(NOON))
            assert history.runs() == []
            assert ledger.schedules() == [nightly()]


# ------------------------------------------------------------------ units of the host

ODD = '/srv/my docs/100% "sure" $HOME ; it\'s'


def call(folder: str = "/srv/affidavit") -> Call:
    words = ("/opt/rag", "eval", "run", f"{folder}/q.jsonl", "--due", "--cron", "0 3 * * *")
    return Call(words, Path(folder), "rag", Path(folder) / ".rag-eval")


def test_every_word_of_a_unit_reads_back_as_it_was_given():
    text = systemd(nightly(), call(ODD))
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    words = shlex.split(command.removeprefix("ExecStart=:"))
    assert [word.replace("%%", "%") for word in words] == list(call(ODD).words)
    assert f"WorkingDirectory={ODD.replace('%', '%%')}\n" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("folder", ["/tmp", ODD], ids=["plain", "odd"])
def test_systemd_accepts_both_units(tmp_path, folder):
    wanted = Call((sys.executable, "-V", f"{folder}/q"), Path(folder), "root", Path(folder))
    service, _, timer = systemd(nightly("15,45 2 1 * 1-5", "Europe/Berlin"), wanted).partition(
        "\n# /etc"
    )
    name = service.splitlines()[0].rpartition("/")[2]
    (tmp_path / name).write_text(service)
    (tmp_path / name.replace(".service", ".timer")).write_text("#" + timer)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 3 * * *", ["*-*-* 03:00:00 UTC"]),
        ("*/20 * * * *", ["*-*-* *:00,20,40:00 UTC"]),
        ("30 7 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 07:30:00 UTC"]),
        ("0 3 1,15 * 7", ["*-*-01,15 03:00:00 UTC", "Sun *-*-* 03:00:00 UTC"]),
        (
            "0 3 */2 * SUN",
            ["Sun *-*-" + ",".join(f"{d:02d}" for d in range(1, 32, 2)) + " 03:00:00 UTC"],
        ),
        ("0 3 1 JAN,JUL *", ["*-01,07-01 03:00:00 UTC"]),
    ],
)
def test_a_cron_expression_becomes_the_same_times_for_systemd(cron, expected):
    assert calendars(nightly(cron)) == expected


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("cron", ["0 3 * * *", "*/20 1,2 * * *", "0 3 1,15 * 7", "5 4 */3 * MON"])
def test_systemd_counts_the_same_due_times(cron):
    schedule = nightly(cron, "Europe/Berlin")
    base = datetime(2026, 3, 27, 12, tzinfo=UTC)
    found: set[str] = set()
    for calendar in calendars(schedule):
        command = ["systemd-analyze", "calendar", "--iterations=9"]
        done = subprocess.run(
            [*command, f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", calendar],
            capture_output=True, text=True, timeout=60, check=True, env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        found |= set(re.findall(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout))
    ours = {f"{due:%Y-%m-%d %H:%M:%S}" for due in dues_between(schedule, base, base + 2 * DAY)}
    changed = {moment for moment in ours if moment.startswith("2026-03-29 0")}
    assert ours - found <= changed, "but for the night of the change, where it may look later"


@pytest.mark.parametrize("cron", ["0 3 L * *", "0 3 * * MON#1", "0 3 * * 5L"])
def test_days_that_the_host_cannot_say_are_refused(cron, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    for make in (systemd, crontab):
        with pytest.raises(UsageError, match="cannot say"):
            make(nightly(cron), call())


def test_a_crontab_line_gives_the_shell_the_very_words(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    text = crontab(nightly(), call(ODD))
    line, again = (ln for ln in text.splitlines() if not ln.startswith("#"))
    assert line.startswith("0 3 * * * cd ")
    assert again == line.replace("0 3 * * *", "@reboot", 1)
    command = line.removeprefix("0 3 * * * ")
    assert "%" not in command.replace("\\%", ""), "a bare one would end the command"
    words = shlex.split(command.replace("\\%", "%"))
    assert words == ["cd", ODD, "&&", *call(ODD).words]


def test_crontab_and_units_refuse_what_they_would_read_otherwise(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    with pytest.raises(
        UsageError, match="goes by this machine's time zone, UTC, not by Asia/Tokyo"
    ):
        crontab(nightly(zone="Asia/Tokyo"), call())
    for folder in ("/srv/a\\b", "/srv/a\nb", "/srv/a\x1bb"):
        with pytest.raises(UsageError, match="cannot carry"):
            crontab(nightly(), call(folder))
    for folder in ("/srv/a\x1bb", "/srv/a\nb", "/srv/ends "):
        with pytest.raises(UsageError, match="cannot carry"):
            systemd(nightly(), call(folder))


# ------------------------------------------------------------------ the command


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "What is a fence?"}\n')
    return path


def test_what_is_printed_and_what_stays_keep_the_same_ledger(questions, monkeypatch):
    """Options before and after the subcommand, in any order, make the same schedule."""
    monkeypatch.setenv("TZ", "UTC")
    ways = [
        ["--index", "here", "eval", "schedule", "questions.jsonl", "--model", "m", "-k", "3"],
        ["eval", "schedule", str(questions), "-k", "3", "--index", "here", "--model", "m"],
    ]
    printed = [rag_here(*way, "--print", "systemd", cwd=questions.parent) for way in ways]
    assert [p.code for p in printed] == [0, 0], printed[0].err
    assert printed[0].out == printed[1].out
    assert 'eval" "run"' in printed[0].out
    assert '"--due" "--cron" "0 3 * * *" "--timezone" "UTC"' in printed[0].out
    assert (questions.parent / "here-eval").is_dir(), "the unit may write to nothing else"


def test_the_folder_that_a_unit_may_write_to_is_named_without_detours(questions):
    """systemd ignores a path with «..» in it, and the history would be out of reach."""
    index = f"../{questions.parent.name}/here"
    call = ("eval", "schedule", "questions.jsonl", "--index", index, "--print", "systemd")
    done = rag_here(*call, cwd=questions.parent)
    assert done.code == 0, done.err
    wanted = questions.parent.resolve() / "here-eval"
    assert f'ReadWritePaths="{wanted}"' in done.out.splitlines()
    assert wanted.is_dir()


@pytest.mark.parametrize("unit", ["systemd", "crontab"])
def test_what_is_printed_has_the_settings_of_the_environment_but_no_secret(
    questions, unit, monkeypatch
):
    """A timer has no environment of a person's."""
    monkeypatch.setenv("TZ", "UTC")
    given = {
        "RAG_INDEX": "my 100% index", "RAG_SEED": "11", "RAG_OPENAI_API_KEY": "sentinel",
        "RAG_QDRANT_URL": "http://me:sentinel@host:6333", "RAG_OLLAMA_URL": "http://gpu:11434",
        "RAG_OPENAI_URL": "https://sentinel@host/v1", "TZ": "UTC",
    }  # fmt: skip
    call = ("eval", "schedule", "questions.jsonl", "--print", unit)
    done = rag_here(*call, env=given, cwd=questions.parent)
    assert done.code == 0, done.err
    assert "sentinel" not in done.out + done.err
    if unit == "systemd":
        lines = [ln for ln in done.out.splitlines() if ln.startswith('Environment="')]
        found = [shlex.split(ln.removeprefix("Environment="))[0] for ln in lines]
        found = [word.replace("%%", "%") for word in found]
    else:
        (line,) = (ln for ln in done.out.splitlines() if ln.startswith("0 3 * * *"))
        words = shlex.split(line.replace("\\%", "%"))
        found = [word for word in words[words.index("&&") :] if word.startswith("RAG_")]
    assert sorted(found) == [
        "RAG_INDEX=my 100% index", "RAG_OLLAMA_URL=http://gpu:11434", "RAG_SEED=11",
    ]  # fmt: skip
    comments = " ".join(ln for ln in done.out.splitlines() if ln.startswith("#"))
    for name in ("RAG_OPENAI_API_KEY", "RAG_QDRANT_URL", "RAG_OPENAI_URL"):
        assert name in comments
    assert ("--config FILE" in comments) is (unit == "crontab")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--cron", "0 3 * *"], "has 4 fields, not five"),
        (["--timezone", "Nowhere"], "--timezone Nowhere is unknown here"),
        (["--ollama-url", "http://me:pass-word@host:1"], "holds a password, and the schedule"),
        (["--ollama-url", "http://me:pass-word@host:1"], "write the setting into a file: --config"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused_at_once(questions, options, problem):
    done = rag_here("eval", "schedule", str(questions), *options, cwd=questions.parent)
    assert done.code == 2
    line = one_error_line(done.err)
    assert problem in line
    assert "pass-word" not in line
    assert not list(questions.parent.glob("*-eval"))


def test_questions_that_cannot_be_read_are_told_now_and_not_every_night(tmp_path):
    done = rag_here("eval", "schedule", "none.jsonl", cwd=tmp_path)
    assert done.code == 2
    assert "none.jsonl" in one_error_line(done.err)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_schedule_that_stays_says_when_it_is_next_and_ends_when_asked(questions, number):
    with staying(questions, []) as process:
        told = told_until_next(process)
        process.send_signal(number)
        assert process.wait(30) == 130, told
    assert any("«0 3 * * *» UTC" in line for line in told)
    assert told[-1].startswith("next at 20")


def missed_yesterday(questions: Path, options: list[str]) -> Schedule:
    """A history whose schedule began two days ago and has not been looked at since; the schedule
    as the command makes it of these options, is returned."""
    with schedule_command.make_context("schedule", [str(questions), *options], obj={}) as context:
        made = Schedule.of(questions, timezone="UTC", options=_given(context, questions))
    with Ledger(kept(questions)) as ledger:
        ledger.begin(made, datetime.now(UTC) - 2 * DAY)
    return made


def kept(questions: Path) -> Path:
    return questions.parent / "kept" / "history.sqlite"


def with_a_model(questions: Path, index: Path, url: str) -> list[str]:
    """The options of a run that the model server of that address writes."""
    return ["--generator", "ollama", "--history", str(kept(questions)),
            "--index", str(index), "--ollama-url", url]  # fmt: skip


def staying(
    questions: Path, options: list[str], stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """``rag eval schedule`` in a process of its own, which stays."""
    call = [sys.executable, "-m", "rag", "eval", "schedule", str(questions), "--timezone", "UTC"]
    return subprocess.Popen(
        [*call, *options],
        env=clean_environment(), cwd=questions.parent, stderr=stderr, text=True,
    )  # fmt: skip


def told_until_next(process: subprocess.Popen[str]) -> list[str]:
    """Its lines up to the one that says when it is next due."""
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("next at "):
            break
    return told


def test_a_run_that_is_due_is_run_once_by_the_command_and_kept(questions, samples_index):
    """With a real index: the ledger names the history's run, and a second call runs nothing."""
    path = kept(questions)
    options = ["--generator", "extractive", "--history", str(path), "--index", str(samples_index)]
    made = missed_yesterday(questions, options)
    call = ["eval", "run", str(questions), "--due", "--timezone", "UTC", *options]
    first = rag_here(*call)
    assert first.code == 0, first.err
    with Ledger(path) as ledger, History(path) as history:
        *skipped, last = ledger.lines(made)
        assert {line.state for line in skipped} == {"skipped"}
        (run,) = history.runs()
        assert (last.state, last.run_id) == ("done", run.run_id)
        assert run.due == last.due.isoformat()
        again = rag_here(*call)
        assert (again.code, "nothing to run" in again.err) == (0, True)
        assert len(history.runs()) == 1
    shown = rag_here("eval", "schedule", str(questions), "--record", "--history", str(path))
    heading, *lines = shown.out.splitlines()
    assert heading.startswith("«0 3 * * *» UTC --generator extractive")
    assert len(lines) == len(skipped) + 1
    assert lines[-1].split() == [f"{last.due:%Y-%m-%d}", "03:00", "UTC", "done", run.run_id]


def test_the_record_of_no_schedule_is_told(questions):
    call = ["eval", "schedule", str(questions), "--record"]
    done = rag_here(*call, cwd=questions.parent)
    assert (done.code, "no history at " in one_error_line(done.err)) == (2, True)
    Ledger(questions.parent / "kept").close()
    done = rag_here(*call, "--history", str(questions.parent / "kept"))
    assert (done.code, "no schedule of " in one_error_line(done.err)) == (2, True)


def test_the_record_is_inert_and_shows_what_was_skipped(questions):
    """An option may hold what a terminal obeys."""
    made = Schedule.of(questions, "0 3 * * *", "UTC", ("--model", "a\x1b[31m\u202eb"))
    path = questions.parent / "kept"
    with Ledger(path) as ledger:
        ledger.begin(made, at(1, 3))
        ledger.write(made, Line(at(2, 3), "skipped", reason="its run\x1b]0;was cut off"), NOON)
    done = rag_here("eval", "schedule", str(questions), "--record", "--history", str(path))
    heading, line = done.out.splitlines()
    assert heading.isprintable()
    assert line.isprintable()
    assert "2026-06-02 03:00 UTC  skipped" in line


def test_a_stop_in_the_middle_of_a_run_leaves_it_interrupted_and_ends(questions, samples_index):
    """The model server stalls; SIGTERM to the scheduler reaches the run, and both say so."""
    with ScriptedServer() as server:
        server.fail("timeout", "/api/chat")
        options = with_a_model(questions, samples_index, server.url)
        made = missed_yesterday(questions, options)
        with staying(questions, options) as process:
            until(lambda: bool(server.chats()) or process.poll() is not None)
            process.terminate()
            told = process.stderr.read()
        assert process.returncode == 130, told
    with Ledger(kept(questions)) as ledger, History(kept(questions)) as history:
        assert ledger.lines(made)[-1].state == "interrupted", told
        assert [run.state for run in history.runs()] == ["interrupted"]


def test_a_killed_scheduler_leaves_its_run_going_and_a_killed_run_is_taken_up(
    questions, samples_index
):
    """SIGKILL to the command in the middle of a run, then to the run itself."""
    path = kept(questions)
    with ScriptedServer() as server:
        server.fail("timeout", "/api/chat")
        options = with_a_model(questions, samples_index, server.url)
        made = missed_yesterday(questions, options)
        with staying(questions, options, stderr=subprocess.DEVNULL) as process:
            until(lambda: bool(server.chats()) or process.poll() is not None)
            process.kill()
        with Ledger(path) as ledger, History(path) as history:
            told = run_due(made, ledger, never)
            assert (told.state, told.reason) == ("nothing", "another process runs it")
            (run,) = history.runs()
            with contextlib.closing(sqlite3.connect(path)) as db:
                (owner,) = db.execute("SELECT process FROM runs").fetchone()
            os.kill(int(json.loads(owner)["pid"]), signal.SIGKILL)
            until(lambda: run_due(made, ledger, run_id).state == "done")
            assert ledger.lines(made)[-1].due.isoformat() == run.due
            assert {line.state for line in ledger.lines(made)} == {"skipped", "done"}


def test_a_run_that_fails_does_not_end_the_schedule(questions, samples_index):
    """No model server: the due time is put down as failed, and the schedule waits for the next."""
    options = with_a_model(questions, samples_index, NOBODY)
    made = missed_yesterday(questions, options)
    with staying(questions, options) as process:
        told = told_until_next(process)
        process.terminate()
    assert "that run ended with exit code 14; the schedule goes on\n" in told, told
    with Ledger(kept(questions)) as ledger:
        line = ledger.lines(made)[-1]
    assert line.state == "failed"
    assert NOBODY in line.reason
