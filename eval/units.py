"""What the host's own timers need to call ``rag eval run --due``: systemd units, crontab lines.

Only when to look is left to the host. Whether something is due, and what was missed, is answered by
the ledger, so a timer that fires twice, late or at every boot does no harm.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from eval.cron import Numbers, Schedule, local_timezone, numbers
from rag.errors import UsageError

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


@dataclass(frozen=True, slots=True)
class Call:
    """The command a timer starts: its words, where it is started, as whom, the one folder it
    writes to, the variables it needs, and the names of those that hold a secret."""

    words: tuple[str, ...]
    folder: Path
    user: str
    writes: Path
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()


def systemd(schedule: Schedule, call: Call) -> str:
    """A service and its timer, each under a line that says where it goes.

    Raises UsageError for what a unit cannot say.
    """
    name = f"affidavit-eval-{schedule.id}"
    # the unit has a cache of its own: it may not write to that of a person
    given = [(n, value) for n, value in call.environment if n != "RAG_CACHE_DIR"]
    return _UNITS.format(
        name=name,
        what=_words_of_unit(f"Evaluation of {Path(schedule.questions).name}"),
        user=_words_of_unit(call.user),
        folder=_words_of_unit(str(call.folder)),
        # «:» leaves $ alone
        command=":" + " ".join(map(_quoted, call.words)),
        environment="".join(f"Environment={_quoted(f'{n}={value}')}\n" for n, value in given),
        secrets=f"# to be written there: {', '.join(call.secrets)}\n" if call.secrets else "",
        writes=_quoted(str(call.writes)),
        calendar="\n".join(f"OnCalendar={when}" for when in calendars(schedule)),
    )


def calendars(schedule: Schedule) -> list[str]:
    """The cron expression as ``OnCalendar=`` values: two where cron means «or».

    Raises UsageError for an expression with what systemd does not know, like the last Friday.
    """
    cron = _plain(schedule, "a systemd timer")
    clock = f"{_values(cron.hours, 0, 23)}:{_values(cron.minutes, 0, 59)}:00 {schedule.timezone}"
    months, days = _values(cron.months, 1, 12), _values(cron.days, 1, 31)
    week = ",".join(_DAYS[day] for day in cron.weekdays) + " "
    if len(cron.weekdays) == len(_DAYS):
        week = ""
    if cron.both or days == "*" or not week:
        return [f"{week}*-{months}-{days} {clock}"]
    return [f"*-{months}-{days} {clock}", f"{week}*-{months}-* {clock}"]


def crontab(schedule: Schedule, call: Call) -> str:
    """A line for the due times and one that catches up after a reboot.

    Raises UsageError where the daemon would read them otherwise: it knows the machine's time zone
    only, and neither backslashes nor line breaks in a command.
    """
    here = local_timezone()
    if schedule.timezone != here:
        raise UsageError(
            f"crontab goes by this machine's time zone, {here}, not by {schedule.timezone}",
            f"use --timezone {here}, or --print systemd",
        )
    _plain(schedule, "crontab")
    given = "".join(f"{name}={shlex.quote(value)} " for name, value in call.environment)
    command = f"cd {shlex.quote(str(call.folder))} && {given}{shlex.join(call.words)}"
    if "\\" in command or not command.isprintable():
        raise UsageError(
            f"crontab cannot carry {command!r}: it holds a backslash or a control character",
            "rename the folder or file, or use --print systemd",
        )
    command = command.replace("%", "\\%")  # a bare one ends the command
    return _LINES.format(
        cron=schedule.cron,
        command=command,
        zone=schedule.timezone,
        secrets=_NO_SECRETS.format(", ".join(call.secrets)) if call.secrets else "",
    )


def _plain(schedule: Schedule, whose: str) -> Numbers:
    cron = numbers(schedule)
    if cron is None:
        raise UsageError(
            f"--cron {schedule.cron} has a day that {whose} cannot say",
            "use plain days, or run rag eval schedule without --print",
        )
    return cron


def _values(allowed: tuple[int, ...], low: int, high: int) -> str:
    if allowed == tuple(range(low, high + 1)):
        return "*"
    return ",".join(f"{n:02d}" for n in allowed)


def _words_of_unit(text: str) -> str:
    """A value that is taken to the end of its line. «%» would be a specifier."""
    if not text.isprintable() or text != text.strip() or text.endswith("\\"):
        raise UsageError(f"a systemd unit cannot carry {text!r}", "rename it")
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """One word of a list, quoted as systemd reads it, whatever it holds."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%"}
    text = "".join(escapes.get(c, c) for c in word)
    if not text.isprintable():
        raise UsageError(f"a systemd unit cannot carry {word!r}", "rename it")
    return f'"{text}"'


_UNITS = """\
# /etc/systemd/system/{name}.service
[Unit]
Description={what}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
WorkingDirectory={folder}
ExecStart={command}
# keys and addresses with passwords, as RAG_…=… lines; readable by root alone
{secrets}EnvironmentFile=-/etc/affidavit.env
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writes}
CacheDirectory=affidavit
Environment=RAG_CACHE_DIR=%C/affidavit
{environment}PrivateTmp=yes
PrivateDevices=yes
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
TasksMax=512
UMask=0077

# /etc/systemd/system/{name}.timer
[Unit]
Description={what}, on time

[Timer]
{calendar}
# a time that was missed, or a run that a crash cut off: once, after the next start
Persistent=true
OnBootSec=5min

[Install]
WantedBy=timers.target

# systemctl daemon-reload && systemctl enable --now {name}.timer
"""

_LINES = """\
# Put these lines into «crontab -e». They go by the machine's time zone ({zone}).
{secrets}{cron} {command}
# after a reboot: what was missed, once
@reboot {command}
"""

_NO_SECRETS = """\
# Not in them, because it is secret: {}. cron knows your environment not; write the setting into a
# file that you alone can read, and name that: --config FILE
"""
