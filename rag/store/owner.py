"""Which process holds a lease, and whether it is still there.

A lease on a server outlives a killed process by its term. The next one need not wait for that
when both run on the same machine: there it can look.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

#: What has to be equal before a number of a process means the same one: the machine, since when
#: it runs, and, because a container counts its own processes, the space of their numbers.
_PLACE = ("host", "boot", "space")

_GONE = ("Z", "X")  # ended, and only not yet reaped


def this_process() -> dict[str, str]:
    """What names this process among all that ever ran; empty where the system does not tell."""
    try:
        return {
            "host": socket.gethostname(),
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
            "space": os.readlink("/proc/self/ns/pid"),
            "pid": str(os.getpid()),
            "started": _state(os.getpid())[1],
        }
    except OSError:  # not Linux, or it is hidden: then leases run out, as between machines
        return {}


def is_dead(process: dict[str, str]) -> bool:
    """True when the process named so (by `this_process`) has certainly ended."""
    here = this_process()
    if not here or any(process.get(key) != here[key] for key in _PLACE):
        return False
    try:
        number = int(process["pid"])
        os.kill(number, 0)  # sends nothing; also finds processes whose entry is hidden from us
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, and alive
    except (KeyError, ValueError, OverflowError):
        return False
    try:
        state, started = _state(number)
    except OSError:
        return False
    return state in _GONE or started != process.get("started")


def _state(number: int) -> tuple[str, str]:
    """(state, start in clock ticks since boot) of a process; fields 3 and 22 of its ``stat``."""
    line = Path(f"/proc/{number}/stat").read_bytes().decode(errors="replace")
    fields = line.rpartition(")")[2].split()  # a name may hold blanks and parentheses
    return fields[0], fields[19]
