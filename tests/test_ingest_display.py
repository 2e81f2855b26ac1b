"""What people see of an ingest, on a screen that is understood and in logs."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import clean_environment, rag_here, run_rag
from hypothesis import given
from hypothesis import strategies as st
from test_inert import ATTACKS, active

from ingest import display
from ingest.display import Bar, Lines, summary
from ingest.pace import Pace, duration
from ingest.report import IngestReport, Problem
from ingest.terminal import columns, middle

MANY = 10_000


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal: understands what the display writes, wraps like a real one, can be resized."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.rows = [""]
        self.at = 0
        self.scrolled = 0

    def write(self, text: str) -> int:
        wraps = True
        for part in re.findall(r"\x1b\[\??\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                self.at += 1
                self.rows += [""] * (self.at + 1 - len(self.rows))
                self.scrolled = max(self.scrolled, len(self.rows) - self.height)
            elif part.endswith("A"):
                self.at = max(self.scrolled, self.at - int(part[2:-1]))
            elif part == "\x1b[J":
                self.rows[self.at :] = [""]
            elif part in ("\x1b[?7l", "\x1b[?7h"):
                wraps = part.endswith("h")
            elif part != "\r":
                assert part[0] != "\x1b", ascii(part)
                assert not wraps, "text is written only while nothing can wrap"
                assert columns(part) < self.width, "the last column stays free"
                self.rows[self.at] = part
        return len(text)

    def resize(self, width: int, height: int = 24) -> None:
        """As terminals do it: rows that have become too long go on in the next."""
        above, below = self.rows[: self.at], self.rows[self.at :]
        wrapped = [row[i : i + width] for row in above for i in range(0, max(1, len(row)), width)]
        self.rows, self.at = wrapped + below, len(wrapped)
        self.width, self.height = width, height
        self.scrolled = max(0, len(self.rows) - height)

    @property
    def shown(self) -> list[str]:
        return [row for row in self.rows if row]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen()
    monkeypatch.setattr(display, "terminal_size", lambda stream: (stream.width, stream.height))
    return made


def bar_on(screen: Screen) -> tuple[Bar, Clock]:
    clock = Clock()
    bar = Bar(screen, clock)
    clock.now += 1
    bar.start(MANY, MANY * 1000)
    return bar, clock


def go_on(bar: Bar | Lines, clock: Clock, files: int, *, seconds: float = 0.25) -> None:
    """So many files of 1,000 bytes and two chunks each."""
    for number in range(files):
        clock.now += seconds
        bar.file(f"reports/2019/annual report {number}.pdf")
        bar.advance(1000, 2)


def failure(number: int, detail: str = "damaged PDF") -> Problem:
    return Problem(f"scans/{number}.pdf", "unreadable", detail)


# ------------------------------------------------------------------ a terminal


def test_the_display_says_how_far_how_fast_how_long_and_where(screen: Screen) -> None:
    bar, clock = bar_on(screen)
    go_on(bar, clock, 2000)
    assert screen.shown == [
        "[########--------------------------------] 19 %, about 35 min left",
        "1,999 of 10,000 files, 4.0 files/s, 8.0 chunks/s",
        "reports/2019/annual report 1999.pdf",
    ]


def test_a_file_counts_when_it_is_read_not_when_it_begins(
    screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the last of 13 is read, 12 are done: on a terminal and in a log."""
    clock = Clock()
    watchers = (Bar(screen, clock), Lines(clock))
    for watcher in watchers:
        clock.now += 1
        watcher.start(13, 13_000)
        go_on(watcher, clock, 12, seconds=2)
        clock.now += 10
        watcher.file("the last.pdf")
    assert screen.shown[1].startswith("12 of 13 files, ")
    assert screen.shown[2] == "the last.pdf"
    assert capsys.readouterr().err.splitlines()[-1].startswith("12 of 13 files, ")


def test_a_slow_file_is_told_with_its_seconds_though_nothing_is_heard_of_it(
    screen: Screen,
) -> None:
    bar, clock = bar_on(screen)
    screen.resize(40)
    clock.now += 1
    bar.file("reports/2019/annual report of the whole group.pdf")
    clock.now += 4
    bar.redraw()
    assert screen.shown[2].endswith("group.pdf")
    clock.now += 3600
    bar.redraw()
    assert screen.shown[2].endswith("group.pdf · 3,604 s")
    assert columns(screen.shown[2]) == 39


def test_the_display_lives_while_whoever_reports_to_it_is_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is drawn by a thread, which has ended when the display is gone."""
    before = threading.enumerate()
    primary, secondary = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(display, "_ALIVE", 0.15)
    with os.fdopen(primary, "rb", buffering=0) as seen, os.fdopen(secondary, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with display.watch() as progress:
            progress.start(1, 1000)
            progress.file("slow.pdf")
            shown = b""
            while shown.count(b"0 of 1 files") < 3:
                assert select.select([seen], [], [], 30)[0], shown
                shown += seen.read(65536)
    assert threading.enumerate() == before


def test_before_the_plan_is_made_the_display_says_that_something_happens(screen: Screen) -> None:
    Bar(screen)
    assert screen.shown == ["preparing"]


def test_three_thousand_problems_do_not_scroll_the_terminal_away(screen: Screen) -> None:
    """They are counted; the last three are named below."""
    bar, clock = bar_on(screen)
    for number in range(3000):
        go_on(bar, clock, 1)
        bar.problem(failure(number))
    go_on(bar, clock, 1)
    assert screen.scrolled == 0
    assert "3,000 problems" in screen.shown[1]
    assert screen.shown[3:] == [f"  unreadable: scans/{n}.pdf" for n in (2997, 2998, 2999)]


def test_the_display_leaves_nothing_behind(screen: Screen) -> None:
    """What is written next begins where the display began."""
    bar, clock = bar_on(screen)
    go_on(bar, clock, 50)
    bar.problem(failure(1))
    bar.erase()
    assert (screen.shown, screen.at) == ([], 0)


def test_it_is_drawn_ten_times_a_second_at_most(screen: Screen) -> None:
    bar, clock = bar_on(screen)
    before = screen.shown
    go_on(bar, clock, 50, seconds=0.001)
    assert screen.shown == before
    go_on(bar, clock, 50, seconds=0.01)
    assert screen.shown != before


@given(
    widths=st.lists(st.integers(2, 130), min_size=1, max_size=8),
    names=st.lists(st.text(max_size=200) | st.sampled_from(ATTACKS), min_size=8, max_size=8),
)
def test_no_width_of_the_terminal_and_no_name_breaks_the_display(
    widths: list[int], names: list[str]
) -> None:
    """However it is resized on the way, the screen shows one display and nothing that is left of
    former ones (as long as the terminal has not scrolled them out of reach)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display, "terminal_size", lambda stream: (stream.width, stream.height))
        screen = Screen(80, 1000)
        bar, clock = bar_on(screen)
        for width, name in zip(widths, names, strict=False):
            screen.resize(width, 1000)
            clock.now += 1
            bar.file(name)
            clock.now += 1
            bar.problem(Problem(name, "unreadable", name))
            assert screen.at == len(bar._shown) <= 6
            assert [row for row in screen.rows if row] == [row for row in bar._shown if row]
            assert not [row for row in screen.shown if active(row)]
        bar.erase()
        assert screen.shown == []


@pytest.mark.parametrize("height", [1, 2, 4])
def test_a_low_terminal_shows_the_upper_lines(screen: Screen, height: int) -> None:
    screen.resize(80, height)
    bar, clock = bar_on(screen)
    bar.problem(failure(1))
    go_on(bar, clock, 100)
    assert len(screen.shown) == height - 1
    assert screen.scrolled == 0
    assert height == 1 or screen.shown[0].startswith("[")


def test_forty_columns_are_enough_for_what_matters(screen: Screen) -> None:
    screen.resize(40)
    bar, clock = bar_on(screen)
    bar.problem(failure(1))
    go_on(bar, clock, 3000)
    assert screen.shown == [
        "[####---------] 29 %, about 30 min left",
        "2,999 of 10,000 files, 1 problem",
        "reports/2019/annual report 2999.pdf",
        "  unreadable: scans/1.pdf",
    ]


@given(st.text(), st.integers(1, 60))
def test_a_shortened_name_fits_and_keeps_both_ends(name: str, width: int) -> None:
    short = middle(name, width)
    assert columns(short) <= width or short == "…"
    if short != name:
        head, _, tail = short.partition("…") if name.count("…") == 0 else ("", "", "")
        assert name.startswith(head)
        assert name.endswith(tail)


# ------------------------------------------------------------------ time left


@given(st.lists(st.floats(0, 5_000_000), min_size=20, max_size=60))
def test_the_time_left_never_drops(sizes: list[float]) -> None:
    """In a second it falls by that second and a twentieth at most, however unlike the files are."""
    pace = Pace()
    pace.start(len(sizes) * 10, int(sum(sizes) * 10), 0.0)
    last = None
    for second, size in enumerate(sizes, 1):
        pace.count(second, files=1, chunks=3, size=size)
        left = pace.left(second)
        assert (left is None) == (second < 5)
        assert left is None or last is None or left >= 0.95 * (last - 1) >= -1
        last = left


def test_a_huge_file_that_fails_at_once_hardly_moves_the_time_left() -> None:
    """A third of all bytes, gone in a second, takes away less than a tenth of what was shown."""
    pace = Pace()
    pace.start(1000, 1_500_000, 0.0)
    before = None
    for second in range(1, 101):
        pace.count(second, files=1, chunks=2, size=1000)
        before = pace.left(second)
    pace.count(101, files=1, size=500_000)
    after = pace.left(101)
    assert before is not None
    assert after is not None
    assert 0.9 * before < after < before


def test_a_steady_run_is_estimated_right() -> None:
    pace = Pace()
    pace.start(1000, 1_000_000, 0.0)
    for second in range(1, 301):
        pace.count(second, files=1, chunks=5, size=1000)
        left = pace.left(second)
        assert left is None or left == pytest.approx(1000 - second, rel=0.02)
    assert pace.rates == pytest.approx((1.0, 5.0, 1000.0), rel=0.02)


def test_the_seconds_in_which_the_model_loads_promise_nothing() -> None:
    pace = Pace()
    pace.start(12, 12_000, 0.0)
    for second in range(1, 31):
        assert pace.left(second) is None
    for second in range(31, 37):
        pace.count(second, files=1, chunks=5, size=1000)
        left = pace.left(second)
    assert left == pytest.approx(6, abs=1.5)


def test_files_without_bytes_and_too_many_bytes_divide_by_nothing() -> None:
    pace = Pace()
    pace.start(0, 0, 0.0)
    pace.count(0.0, files=3, size=10)
    assert (pace.share, pace.rates, pace.left(100.0)) == (0.0, (0.0, 0.0, 0.0), 0.0)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""), (0, "less than a minute left"), (59.9, "less than a minute left"),
        (61, "about 1 min left"), (500, "about 8 min left"), (2300, "about 40 min left"),
        (5399, "about 90 min left"), (5400, "about 1.5 h left"), (36_000, "about 10 h left"),
    ],
)  # fmt: skip
def test_the_time_left_is_told_in_coarse_steps(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


# ------------------------------------------------------------------ a log


def test_a_log_gets_a_line_each_half_minute_and_the_first_twenty_problems(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    lines = Lines(clock)
    lines.start(MANY, MANY * 1000)
    for number in range(1000):
        lines.problem(failure(number))
    go_on(lines, clock, 400)  # 100 seconds
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "reading 10,000 files, 10.0 MB",
        *(f"unreadable: scans/{n}.pdf: damaged PDF" for n in range(20)),
        "more problems: only counted from here, all of them in rag status --failed",
        *(
            f"{done} chunks/s, about 40 min left"
            for done in (
                "119 of 10,000 files, 1,000 problems, 4.0 files/s, 8.0",
                "239 of 10,000 files, 1,000 problems, 4.0 files/s, 8.0",
                "359 of 10,000 files, 1,000 problems, 4.0 files/s, 8.0",
            )
        ),
    ]


def test_a_log_says_nothing_of_a_run_that_reads_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Lines().start(0, 0)
    assert capsys.readouterr() == ("", "")


def test_a_log_holds_no_control_codes(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.start(1, 1)
    for attack in ATTACKS:
        lines.problem(Problem(attack, "unreadable", attack))
    assert not active(capsys.readouterr().err)


def test_the_summary_names_twenty_problems_and_counts_the_rest() -> None:
    report = IngestReport(problems=[failure(n) for n in range(3000)], seconds=1.0)
    out = summary(report, dry_run=False)
    assert len(out) == 2 + 20 + 1
    assert out[-1] == "  … and 2,980 more: rag status --failed"


# ------------------------------------------------------------------ the command itself


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    made.mkdir()
    for number in range(30):
        (made / f"note {number}.txt").write_text(f"Meeting {number} was held.", encoding="utf-8")
        (made / f"broken {number}.pdf").write_text("no PDF", encoding="utf-8")
    return made


def test_json_goes_to_standard_output_alone_and_nothing_else_does(
    folder: Path, tmp_path: Path
) -> None:
    done = run_rag("ingest", str(folder), "--index", str(tmp_path / "index"), "--json")
    assert done.returncode == 3
    assert done.stdout.startswith("{\n")
    assert not active(done.stdout + done.stderr)
    assert done.stderr.splitlines()[0].startswith("reading 60 files, ")
    assert done.stderr.count("unreadable: broken") == 20


def test_a_dumb_terminal_gets_lines(folder: Path, tmp_path: Path) -> None:
    shown = b"".join(on_terminal(folder, tmp_path / "index", term="dumb"))
    assert b"\x1b" not in shown
    assert b"reading 60 files" in shown


def test_ctrl_c_leaves_a_clean_line(folder: Path, tmp_path: Path) -> None:
    """The display is gone, and the last thing on the terminal is one line that says so."""
    shown = b""
    for block in on_terminal(folder, tmp_path / "index", interrupt=b"preparing"):
        shown += block
    after = shown.rpartition(b"\x1b[J")[2].decode()
    told = "rag: interrupted; what was published stays, and the next run goes on"
    assert after.strip() == told


def on_terminal(
    folder: Path, index: Path, *, term: str = "xterm", interrupt: bytes = b""
) -> Iterator[bytes]:
    """What an ingest writes on a terminal; interrupted once ``interrupt`` has been seen."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rag", "ingest", str(folder), "--index", str(index)],
        stdout=secondary, stderr=secondary, stdin=subprocess.DEVNULL,
        env=clean_environment({"TERM": term}),
    )  # fmt: skip
    os.close(secondary)
    try:
        while block := os.read(primary, 65536):
            yield block
            if interrupt and interrupt in block:
                time.sleep(0.2)  # into the run, wherever that is
                process.send_signal(signal.SIGINT)
    except OSError:
        pass  # Linux's way to say that the other side has hung up
    finally:
        os.close(primary)
        process.wait(60)


def test_workers_is_a_number_of_processes() -> None:
    assert "Processes that read files; 0 chooses." in rag_here("ingest", "--help").out
    assert rag_here("ingest", "--workers", "-1").code == 2
