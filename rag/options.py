"""What every command shares: the common options, before and after the subcommand, and errors."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

import click

from rag.errors import EXIT_INTERRUPTED, EXIT_OK, DiskFull, RagError, UsageError
from rag.render import json_text, one_line, plain
from rag.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

#: Name → (help, metavar). Each is a setting; see `rag.settings.Settings`.
_COMMON = {
    "index": ("Folder of the embedded index (default .rag).", "DIR"),
    "qdrant_url": ("Use a Qdrant server or cluster instead.", "URL"),
    "collection": ("Collection on that server (default affidavit).", "NAME"),
    "ollama_url": ("Ollama's address (default http://127.0.0.1:11434).", "URL"),
    "openai_url": ("Address of an OpenAI-compatible server.", "URL"),
    "embedder": ("Embedding model: bundled, a folder or a hub name.", "MODEL"),
}


class LazyGroup(click.Group):
    """Subcommands found by name when they are called. ``lazy``: name → «module:function»."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._lazy:
            return None
        module, _, name = self._lazy[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


def common_options(command: F) -> F:
    """Add the common options; their values are kept for `settings_from`, the innermost wins."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        kept = click.get_current_context().ensure_object(dict)
        for name in (*_COMMON, "config", "debug"):
            value = kwargs.pop(name)
            if value not in (None, False):
                kept[name] = value
        return command(*args, **kwargs)

    decorated: Any = wrapped
    for name, (text, metavar) in reversed(_COMMON.items()):
        decorated = click.option(_flag(name), name, metavar=metavar, help=text)(decorated)
    decorated = click.option("--config", metavar="FILE", help="Settings file (default rag.toml).")(
        decorated
    )
    result: F = click.option("--debug", is_flag=True, help="Add the traceback to an error.")(
        decorated
    )
    return result


#: How a question is answered. Each is a setting; see `rag.settings.Settings`.
_ANSWER = (
    click.option(
        "--generator", metavar="auto|ollama|openai|extractive", help="Who writes the answer."
    ),
    click.option("--model", metavar="NAME", help="Model of the generator."),
    click.option("-k", "ask_k", type=click.IntRange(1, 100), help="How many passages (default 5)."),
    click.option("--prompt", metavar="FILE", help="Another prompt template."),
    click.option("--context", type=click.IntRange(256), help="Tokens for prompt and answer."),
    click.option("--answer-tokens", type=click.IntRange(16), help="Tokens kept for the answer."),
    click.option("--gate", type=click.FloatRange(0, 1), help="Lowest similarity that may answer."),
    click.option("--reranker", metavar="MODEL", help="Cross-encoder for a second look."),
    click.option(
        "--verifier", metavar="auto|rules|decision|nli|judge", help="Which model checks, if any."
    ),
    click.option(
        "--verifier-model", metavar="NAME", help="NLI model's folder or hub name, or judge."
    ),
)


def answer_options(command: F) -> F:
    """Add the options on how a question is answered, the same for one question and for many."""
    for option in reversed(_ANSWER):
        command = option(command)
    return command


def settings_from(context: click.Context, flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings of this call: its own flags and the common ones, over environment and file."""
    kept = context.ensure_object(dict)
    common = {name: kept[name] for name in _COMMON if name in kept}
    settings = load_settings({**common, **(flags or {})}, config=kept.get("config"))
    kept["secrets"] = settings.secrets
    return settings


def file_filter(values: tuple[str, ...]) -> str | None:
    """The glob of ``--filter file=GLOB``. Raises UsageError for any other form."""
    for value in values:
        key, _, glob = value.partition("=")
        if key != "file" or not glob:
            raise UsageError(f"--filter {value} is not understood", "write --filter file=GLOB")
    if len(values) > 1:
        raise UsageError("--filter file= is given twice", "give one glob")
    return values[0].partition("=")[2] if values else None


def print_json(document: Mapping[str, Any]) -> None:
    """Exactly one JSON document on standard output, whatever its encoding."""
    text = json_text(document)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=2)
    click.echo(text)


def say(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(one_line(as_typed(text)), err=True)


def as_typed(text: str) -> str:
    """``text`` with its hints such as «rag status --failed» made ready to be typed: with the index
    that this call was given, unless naming that would tell a password."""
    context = click.get_current_context(silent=True)
    return _with_place(text, context.ensure_object(dict)) if context else text


def _with_place(text: str, kept: Mapping[str, Any]) -> str:
    words = [w for name in _PLACE if name in kept for w in (_flag(name), str(kept[name]))]
    if not words or any(secret in word for word in words for secret in kept.get("secrets", ())):
        return text
    if any(f"{_flag(name)} " in text for name in _PLACE):
        return text  # whoever wrote it knew the place
    place = one_line(shlex.join(words))
    return _HINT.sub(lambda found: f"{found[0]} {place}", text)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


#: What says where the index is, and the commands that go there.
_PLACE = ("config", "index", "qdrant_url", "collection")
_HINT = re.compile(r"(?<![\w./-])rag (?:ingest|status|search|ask|verify|doctor|eval [a-z]+)\b")


def run(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command; every failure becomes one line on standard error and its exit code.

    SIGTERM (`timeout`, `docker stop`) interrupts it like Ctrl-C, with the same exit code.
    """
    kept: dict[str, Any] = {}
    _open_closed_streams()
    _speak_utf8()
    try:
        with _interrupted_by_sigterm():
            result = command.main(arguments, prog_name="rag", standalone_mode=False, obj=kept)
        return result if isinstance(result, int) else 0
    except RagError as error:
        return _fail(str(error), error.exit_code, kept)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "rag"
        return _fail(f"{error.format_message()} See: {where} --help", 2, kept)
    except click.ClickException as error:
        return _fail(error.format_message(), 2, kept)
    except (KeyboardInterrupt, click.Abort):
        return _fail(kept.get("interrupted", "interrupted"), EXIT_INTERRUPTED, kept)
    except SystemExit:  # click's, and only when whoever reads our output has had enough
        return EXIT_OK
    except OSError as error:
        return _fail(*_foreseen(error), kept)
    except Exception as error:  # noqa: BLE001 - the last line of defence: nobody gets a traceback
        text = (
            f"internal error: {type(error).__name__}: {error}; run again with --debug and report it"
        )
        return _fail(text, 1, kept)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, where nobody else has a say in what it does. Once it came,
    more of them go unheard: `timeout` sends two, and the second would cut the cleaning up short."""

    def interrupt(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is interrupt:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _foreseen(error: OSError) -> tuple[str, int]:
    """What the system refuses and a person can mend, wherever it strikes; its exit code."""
    what = error.filename or "the output"
    if error.errno == errno.ENOSPC:
        return f"no space left on the disk to write {what}; free some of it", DiskFull.exit_code
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        reason = f"no permission for {what}; run as its owner, or name another place"
        return reason, UsageError.exit_code
    return f"{what}: {error.strerror or error}; run again with --debug", RagError.exit_code


def _fail(text: str, code: int, kept: dict[str, Any]) -> int:
    for secret in kept.get("secrets", ()):
        text = text.replace(secret, "•••")
    if kept.get("debug"):
        import traceback

        details = traceback.format_exc()
        for secret in kept.get("secrets", ()):
            details = details.replace(secret, "•••")
        click.echo(plain(details), err=True)
    click.echo(f"rag: {one_line(_with_place(text, kept))}", err=True)
    return code


def _open_closed_streams() -> None:
    """`rag … >&-` leaves no stream to write to, and its number to the first file that is opened,
    which a library's careless word would then go into."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
            stream = os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)


def _speak_utf8() -> None:
    """Marks and quotes are not ASCII; a C locale would turn them into a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
