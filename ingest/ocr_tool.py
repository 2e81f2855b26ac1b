"""A program for OCR run on one picture: its limits, its end, its private folder.

It ends with this process, however that ends, and the picture comes through a pipe. What the
program itself writes lies in a private folder; one that a killed ingest has left is removed by the
next.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.render import one_line

#: Address space of the tool, bytes. A plain page of 40 million pixels is read within 256 MiB by
#: tesseract 5.3 and within 512 MiB by ocrmypdf 14 and 17 [measured]; crowded ones need more.
_MEMORY = 2 * 2**30
#: Longest file the tool may write, bytes: its intermediate pictures; set by hand.
_LONGEST_FILE = 2**29
#: Text kept of one page, bytes. A page full of small print has 10,000; set by hand.
LONGEST_TEXT = 2**18

#: Begins the name of every private folder.
_PREFIX = "rag-ocr-"

#: A process in between sets the limits, since no Python may run between fork and exec of a process
#: with threads, and stays: when the ingest dies, it ends the tool and all that the tool started.
#: The tool ends with it in turn. Where the system cannot tell of a parent's death, the limit on
#: processor time ends the tool.
_LAUNCHER = """
import ctypes, os, resource, signal, sys

def end(*_):
    os.killpg(0, signal.SIGKILL)

def end_with(parent, number):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        end()

for name, value in zip(("AS", "FSIZE", "CPU", "CORE"), sys.argv[2:6]):
    limit = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(limit)[1]
    value = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
    resource.setrlimit(limit, (value, value))
signal.signal(signal.SIGTERM, end)
end_with(int(sys.argv[1]), signal.SIGTERM)
launcher, tool = os.getpid(), os.fork()
if not tool:
    end_with(launcher, signal.SIGKILL)
    try:
        os.execv(sys.argv[6], sys.argv[6:])
    except OSError as error:
        os.write(2, str(error).encode())
        os._exit(1)
os.close(0)  # else nobody learns when the tool no longer reads the picture
code = os.waitstatus_to_exitcode(os.waitpid(tool, 0)[1])
if code < 0:  # a signal ended it: end likewise
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(launcher, -code)
os._exit(code)
"""


class Failed(Exception):
    """Why the tool gave no text, in a few words."""


class Tool:
    """One program, allowed ``timeout`` seconds of processor time a run; several threads may run it
    at once."""

    def __init__(self, program: str, timeout: float) -> None:
        self._program = program
        self._timeout = timeout
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def run(self, arguments: Sequence[str], picture: bytes, folder: Path, until: float) -> bytes:
        """What it writes to standard output, given the picture on standard input and ``folder``
        to work in. ``until`` is a time of the monotonic clock. Raises Failed, OSError."""
        # Files without a name: they are gone with whoever has them open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = self._start(arguments, folder, output.fileno(), errors.fileno())
            try:
                process.communicate(picture, max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise Failed("stopped, its time was up") from None
            finally:
                self._end(process)
            if self.stopped:
                raise Failed("stopped")
            if code := process.returncode:
                errors.seek(0)
                told = one_line(errors.read(2000).decode(errors="replace"))
                told = told if len(told) <= 200 else f"{told[:120]} … {told[-80:]}"
                raise Failed(told or f"ended with status {code}")
            output.seek(0)
            return output.read(LONGEST_TEXT)

    def stop(self) -> None:
        """End whatever runs, in whichever thread; nothing is started any more."""
        with self._lock:
            self.stopped = True
            for process in self._running:
                _kill(process)

    def _start(
        self, arguments: Sequence[str], folder: Path, output: int, errors: int
    ) -> subprocess.Popen[bytes]:
        # Keys in our settings are none of the tool's business; what it leaves goes with the folder.
        own = {k: v for k, v in os.environ.items() if not k.startswith("RAG_")}
        with self._lock:
            if self.stopped:
                raise Failed("stopped")
            process = subprocess.Popen(  # noqa: S603 - a program found on the user's own path
                [*self._launcher(), self._program, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                cwd=folder,
                env={**own, "OMP_THREAD_LIMIT": "1", "TMPDIR": str(folder)},
                start_new_session=True,
            )
            self._running.add(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Nothing of it is left when this returns."""
        with self._lock:
            self._running.discard(process)
            if process.poll() is None:
                _kill(process)
        process.wait()
        assert process.stdin  # noqa: S101 - Popen was given a pipe
        with contextlib.suppress(BrokenPipeError):  # part of the picture was never read
            process.stdin.close()

    def _launcher(self) -> list[str]:
        if sys.platform == "win32":  # has no such limits
            return []
        limits = (_MEMORY, _LONGEST_FILE, math.ceil(self._timeout) + 1, 0)  # 0: no core dump
        told = [str(n) for n in (os.getpid(), *limits)]
        return [sys.executable, "-I", "-S", "-c", _LAUNCHER, *told]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it has started."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


# ------------------------------------------------------------------ private folders


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for one page, locked as long as it is in use. The lock is the kernel's: it ends
    with this process, and it tells the living from the dead across containers and restarts."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # It may be swept between making and locking.
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            held = _locked(folder)
            if folder.exists():
                break
            os.close(held)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what resists is left to the next ingest
        os.close(held)


def sweep() -> None:
    """Remove the private folders of this user whose process is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, in use, or gone meanwhile
            held = _locked(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _locked(folder: Path) -> int:
    """The folder, open and locked. Raises OSError when it is another user's, in use or gone."""
    import fcntl

    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(held).st_uid != os.getuid():
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(folder))
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
