"""Reading in a child process with limits: whatever a file does to its reader, the run goes on.

The child reads one file after another and is replaced when it dies. What it finds comes back
through a pipe as lines of JSON, so nothing of the child's can run here.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.readers import Options, Page, Part, Unreadable
from ingest.worker import KINDS, NEARLY_ALL, OUT_OF_MEMORY
from rag.hardware import address_space
from rag.records import Ending, FileStatus, Opening, Section

#: A whole file may take this many times the silence allowed between two of its parts.
_WHOLE = 10
#: A page that kills its reader is skipped and the next one tried; so often in one file.
_DEATHS = 3
#: What of our environment a child is given: how to write, which time, where libraries are.
_ENVIRONMENT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
#: Bytes in the unit in which the system counts memory.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
#: Share of its memory above which a child is replaced between two files [set by hand].
_FULL = 0.75
#: No part is longer: sections are cut at 64,000 characters, a page's picture has 40 million
#: pixels at most. More is not our reader talking.
_LONGEST_LINE = 80 * 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take: seconds of silence between two parts, bytes of memory; and
    the folders that may be read at all, none for any."""

    silence: float
    memory: int
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A file to read; ``title`` stands in where it has none of its own. What ``path`` leads to
    must lie in the folder ``root`` (None: anywhere): it may have become a link since it was
    listed. One that becomes a link while it is being opened meets `Limits.roots`."""

    path: Path
    title: str
    root: Path | None = None
    options: Options = field(default_factory=Options)

    def line(self, **more: Any) -> bytes:
        names = {"path": self.path, "root": self.root or os.sep}
        coded = {k: base64.b64encode(os.fsencode(v)).decode("ascii") for k, v in names.items()}
        line = {**coded, "title": self.title, **asdict(self.options), **more}
        return json.dumps(line).encode() + b"\n"


class Died(Exception):
    """The child is gone; ``status`` and ``detail`` say what becomes of the file."""

    def __init__(self, status: FileStatus, detail: str) -> None:
        super().__init__(status, detail)
        self.status: FileStatus = status
        self.detail = detail


def _command(limits: Limits) -> tuple[str, ...]:
    """Python on `ingest.worker`, isolated: a file of the folder we stand in, named like a module,
    must not run. The package and a user's own site-packages are found behind the system's."""
    root = str(Path(__file__).parents[1])
    packages = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    program = (
        f"import sys; sys.path += {[root, *packages]!r}; "
        f"from ingest.worker import main; main({limits.memory}, {limits.roots!r})"
    )
    return sys.executable, "-I", "-c", program


class Child:
    """One reading process, started when it is first needed. Asked by one thread at a time;
    `stop` may come from another.

    ``command`` is for tests: another program that speaks the protocol of `ingest.worker`.
    """

    def __init__(self, limits: Limits, command: Sequence[str] = ()) -> None:
        self.limits = limits
        self._command = command or _command(limits)
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._left = 0.0
        self._stopped = False

    def begin_file(self) -> None:
        """A new file, with all the time there is for one."""
        self._left = self.limits.silence * _WHOLE

    @property
    def spent(self) -> float:
        """Seconds that the current file has taken so far."""
        return self.limits.silence * _WHOLE - self._left

    def ask(self, line: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
        """The reply's (kind, value) as they come, up to the one that ends it. Raises Died."""
        process = self._running()
        assert process.stdin  # noqa: S101 - Popen was given a pipe
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError:
            raise self._dead() from None
        kind = ""
        while kind not in ("ending", "unreadable", "image"):
            started = time.monotonic()
            reply = self._line()
            self._left -= time.monotonic() - started  # no time runs while nobody takes the parts
            try:
                kind, value = json.loads(reply)
            except (ValueError, TypeError):
                raise self._killed("unreadable", "its reader answered nonsense") from None
            yield kind, value
        self._retire()

    def stop(self) -> None:
        """End the process for good, whatever it is doing."""
        self._stopped = True
        if process := self._process:
            process.kill()

    def close(self) -> None:
        self.stop()
        self._forget()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._stopped:
            raise Died("unreadable", "the run was stopped")
        if self._process and self._process.poll() is not None:
            self._forget()  # ended between two files: no fault of the next one
        if self._process is None:
            environment = {k: os.environ[k] for k in _ENVIRONMENT if k in os.environ}
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,  # keys of servers are none of a reader's business
                start_new_session=True,  # Ctrl-C is for the parent, which ends its children
            )
        return self._process

    def _line(self) -> bytes:
        """The next line. Raises Died."""
        assert self._process and self._process.stdout  # noqa: S101, PT018 - it is running
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + min(self._left, self.limits.silence)
        parts, size = [self._rest], len(self._rest)
        while b"\n" not in parts[-1]:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise self._late()
            data = os.read(pipe, 1 << 16)
            if not data:
                raise self._dead()
            parts.append(data)
            size += len(data)
            if size > _LONGEST_LINE:
                raise self._killed("too_large", "one part of it is larger than any page")
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _late(self) -> Died:
        whole = self._left < self.limits.silence
        what = "not read in" if whole else "nothing came out of it in"
        seconds = self.limits.silence * (_WHOLE if whole else 1)
        return self._killed("timeout", f"{what} {seconds:,g} s")

    def _killed(self, status: FileStatus, detail: str) -> Died:
        self._forget()
        return Died(status, detail)

    def _dead(self) -> Died:
        assert self._process  # noqa: S101 - it was asked something
        code, peak = _end_of(self._process)
        self._forget()
        if code == OUT_OF_MEMORY or peak > self.limits.memory * NEARLY_ALL:
            return Died("too_large", f"needs more than {self.limits.memory >> 20:,} MiB to read")
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Died("unreadable", f"its reader crashed ({how})")

    def _retire(self) -> None:
        """Replace a child that has grown: the next file would meet the limit before its time."""
        assert self._process  # noqa: S101 - it has just answered
        if address_space(self._process.pid) > self.limits.memory * _FULL:
            self._forget()

    def _forget(self) -> None:
        process, self._process, self._rest = self._process, None, b""
        if process:
            process.kill()
            process.communicate()


def _end_of(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Exit status (a signal's is negative) and most memory in bytes, 0 where nobody can tell."""
    if not hasattr(os, "wait4"):
        return process.wait(), 0
    import resource

    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # On Linux a child's figure begins with ours: it says nothing before it is above that.
    told = used.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return process.returncode, used.ru_maxrss * _RSS_UNIT if told else 0


def read(child: Child, request: Request) -> Iterator[Part]:
    """The parts of a file. A page that kills the reader is lost, the rest is read.

    Raises Unreadable.
    """
    child.begin_file()
    so_far = _SoFar(request.options)
    for attempt in range(1, _DEATHS + 1):
        try:
            for part in _parts(child, replace(request, options=so_far.options)):
                if isinstance(part, Ending):
                    yield so_far.ended(part, child.spent)
                elif so_far.is_news(part):
                    yield part
            return
        except Unreadable as failure:
            failure.seconds = child.spent
            raise
        except Died as death:
            so_far.die(death, child.spent)
            if attempt == _DEATHS:
                yield so_far.cut_off(child.spent)


class _SoFar:
    """How far a file has been read, to take it up behind a page that killed its reader."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._opening: Opening | None = None
        self._page = self._given = 0
        self._deaths: list[str] = []
        self._status: FileStatus = "unreadable"

    def is_news(self, part: Part) -> bool:
        """Note a part; False for an opening given before."""
        if isinstance(part, Opening):
            known, self._opening = self._opening, part
            return known is None
        if isinstance(part, Page):
            self._page = part.number
        elif isinstance(part, Section):
            self._given = max(self._given, part.page or 0)
        return True

    def die(self, death: Died, seconds: float) -> None:
        """Leave out the page being read. Raises Unreadable where there are no pages."""
        if not self._page:
            raise Unreadable(death.status, death.detail, seconds=seconds) from None
        self._status = death.status
        self._deaths.append(f"page {self._page}: {death.detail}")
        skip = (*self.options.skip, self._page)
        self.options = replace(self.options, after=self._given, skip=skip)
        self._page = 0  # dying again before any page is another matter

    def ended(self, ending: Ending, seconds: float) -> Ending:
        """The reader's own end, with what it did not live to tell."""
        detail = "; ".join(filter(None, (*self._deaths, ending.detail)))
        return replace(ending, detail=detail, seconds=seconds)

    def cut_off(self, seconds: float) -> Ending:
        """How a file ends whose reader died too often: what was not given is lost. Raises
        Unreadable when nothing was."""
        pages = (self._opening.pages if self._opening else None) or max(self.options.skip)
        lost = tuple(sorted({*self.options.skip, *range(self._given + 1, pages + 1)}))
        if not self._given:
            raise Unreadable(self._status, "; ".join(self._deaths), lost, seconds)
        return Ending(lost, "; ".join(self._deaths), seconds=seconds)


def _parts(child: Child, request: Request) -> Iterator[Part]:
    for kind, value in child.ask(request.line()):
        if kind == "unreadable":
            raise Unreadable(value["status"], value["detail"], tuple(value["pages"]))
        if kind == "ending":
            value["lost_pages"] = tuple(value["lost_pages"])
        yield KINDS[kind](**value)


def render(child: Child, request: Request, page: int) -> bytes:
    """A page as a picture (PGM), for OCR. Raises Unreadable."""
    try:
        for kind, value in child.ask(request.line(render=page)):
            if kind == "image":
                return base64.b64decode(value["data"])
    except Died as death:
        raise Unreadable(death.status, death.detail) from None
    raise Unreadable("unreadable", f"page {page} cannot be drawn")
