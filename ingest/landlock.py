"""Landlock: a process of Linux gives up, for good, what it need not do with files and network.

The kernel's own interface, called directly: no package wraps it. Where the kernel has none (Linux
before 5.13, other systems) nothing is given up here; see `ingest.worker` for what holds there.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every processor
_VERSION = 1  # flag of the first: tell the version
_PATH_BENEATH = 1  # kind of rule
_PR_SET_NO_NEW_PRIVS = 38

_READ = 1 << 2 | 1 << 3  # files, folders
#: Every right over files of the first version: run, write, read, remove, make. Later ones added
#: moving between folders (2), cutting short (3), device controls (5); 4 brought the network.
_FILES = (1 << 13) - 1
_SINCE = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NETWORK = 1 << 0 | 1 << 1  # bind, connect (TCP)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def restrict(readable: Iterable[str | Path] | None) -> bool:
    """From now on this process can write, make, remove and run nothing, connect to nothing, and
    read only what lies in the folders (or is one of the files) ``readable``; None: anything.

    Returns False where the system cannot do it.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if version < 1:
        return False
    files = _FILES
    for since, right in _SINCE.items():
        files |= right if version >= since else 0
    if readable is None:
        files &= ~_READ
    rules = _Ruleset(files, _NETWORK if version >= 4 else 0)
    size = ctypes.sizeof(rules) if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for place in readable or ():
            _allow_reading(libc, ruleset, place)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, place: str | Path) -> None:
    try:
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there: nothing to read in it
    try:
        allowed = _READ if os.path.isdir(place) else 1 << 2
        rule = _Beneath(allowed, opened)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(opened)
