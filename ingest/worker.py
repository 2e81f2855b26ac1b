"""The child process that reads files: one request a line in, the parts of a file as lines out.

Started by `ingest.sandbox`. Before the first request it gives up, for good, whatever a reader has
no reason to do: writing, running programs, the network, reading elsewhere than in the ingested
folders and this program's own files, and more memory than its limit. What the system cannot take
from it (Landlock and networks of one's own are Linux's) Python's audit hook takes from Python code.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ingest.landlock import restrict
from ingest.readers import Options, Page, Part, Unreadable, stream
from rag.records import Ending, Opening, Section

#: Name on the wire → what it stands for.
KINDS: dict[str, type[Part]] = {
    "opening": Opening, "page": Page, "section": Section, "ending": Ending,
}  # fmt: skip
_NAMES = {kind: name for name, kind in KINDS.items()}

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

#: What Python and its libraries read besides the packages: themselves, shared libraries, time
#: zones, random numbers, their own state.
_OWN_FILES = (
    sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache",
    "/etc/localtime", "/proc/self", "/dev/null", "/dev/urandom",
)  # fmt: skip

#: What no reader has a reason to do. Names of Python's audit events.
_FORBIDDEN = (
    "socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system",
    "os.kill", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink",
    "os.truncate", "os.chmod", "os.chown", "os.utime", "os.setxattr", "os.putenv", "shutil.",
    "ftplib.", "http.", "urllib.",
    "smtplib.", "pickle.find_class", "webbrowser.", "pty.spawn",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

#: Exit status of a child that met its memory limit.
OUT_OF_MEMORY = 86
#: Share of its memory at which a failure is taken for a want of more [set by hand].
NEARLY_ALL = 0.8


def main(memory: int, roots: Sequence[str] = ()) -> None:
    """Answer requests until standard input ends. ``memory``: bytes of address space; ``roots``:
    the folders that may be read, none for any."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    lock_in(memory, roots)
    for line in requests:
        request = json.loads(line)
        try:
            for kind, value in _answer(request):
                if kind == "unreadable" and _peak() > memory * NEARLY_ALL:
                    os._exit(OUT_OF_MEMORY)  # libraries give it other names: lxml «unknown error»
                replies.write(encode(kind, value))
                if kind in ("page", "opening"):
                    replies.flush()  # signs of life are no use in a buffer
        except MemoryError:
            os._exit(OUT_OF_MEMORY)  # what a reader holds cannot be let go of for certain
        replies.flush()


def _answer(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    path, root = (Path(os.fsdecode(base64.b64decode(request[name]))) for name in ("path", "root"))
    options = Options(
        passwords=tuple(request["passwords"]),
        hidden_text=request["hidden_text"],
        after=request["after"],
        skip=tuple(request["skip"]),
        texts=tuple((page, text) for page, text in request["texts"]),
    )
    try:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise Unreadable("outside_folder", "link to outside the folder")
        if "render" in request:
            from ingest.readers.pdf_image import render_page

            image = render_page(path, request["render"], passwords=options.passwords)
            yield "image", {"data": base64.b64encode(image).decode("ascii")}
            return
        for part in stream(path, title=request["title"], options=options):
            yield _NAMES[type(part)], asdict(part)
    except Unreadable as failure:
        if isinstance(failure.__cause__, MemoryError):
            raise MemoryError from failure
        yield (
            "unreadable",
            {"status": failure.status, "detail": failure.detail, "pages": failure.pages},
        )


def _peak() -> int:
    """The most address space this process has had, in bytes; 0 where nobody can tell. Not what
    `getrusage` says: on Linux that begins with the memory of the process it was forked from."""
    try:
        found = re.search(r"VmPeak:\s*(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


def encode(kind: str, value: dict[str, Any]) -> bytes:
    """One line of the reply."""
    return (
        json.dumps([kind, value], ensure_ascii=False, separators=(",", ":")).encode(
            errors="replace"
        )
        + b"\n"
    )


# ------------------------------------------------------------------ limits


def lock_in(memory: int, roots: Sequence[str] = ()) -> None:
    """Give up, for good, all that a reader does not need."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream_of_libraries in (1, 2):  # whatever a library prints is not for anybody
        os.dup2(quiet, stream_of_libraries)
    sys.dont_write_bytecode = True
    _die_with_the_parent()
    _leave_the_network()
    restrict([*roots, *_OWN_FILES, *filter(None, sys.path)] if roots else None)
    _limit_resources(memory)
    sys.addaudithook(_refuse)


def _die_with_the_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _leave_the_network() -> None:
    """Into a network of our own with nothing in it, where the system lets us; native code is
    held by this alone, Python code by `_refuse` too."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET):
            libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _limit_resources(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    for limit, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails, and says so


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"a reader may not do this: {event}")
    if event == "open" and arguments[2] & _WRITING:
        raise PermissionError("a reader may not write files")
