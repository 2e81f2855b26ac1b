"""Settings: flag > environment ``RAG_*`` > ``rag.toml`` > default, frozen once resolved."""

from __future__ import annotations

import difflib
import os
import re
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rag.errors import UsageError

CONFIG_FILE = "rag.toml"
OCR_TOOLS = ("", "auto", "tesseract", "ocrmypdf")
VERIFIERS = ("auto", "rules", "decision", "nli", "judge")
GENERATORS = ("auto", "ollama", "openai", "extractive")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set. Each name is also ``RAG_<NAME>`` and a key of ``rag.toml``."""

    # where the index is
    index: str = ".rag"
    qdrant_url: str = field(default="", repr=False)  # may hold a password, as may the others
    qdrant_api_key: str = field(default="", repr=False)
    collection: str = "affidavit"
    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    qdrant_timeout: float = 10.0

    # embedding and chunking; a change of these needs another index
    embedder: str = "bundled"
    query_prefix: str | None = None  # None: what the model itself declares
    passage_prefix: str | None = None
    chunk_tokens: int = 200  # with a prefix within the 256 the bundled model reads
    cache_dir: str = ""  # "": the user's cache folder

    # retrieval; defaults measured in bench/retrieval.md
    k: int = 10
    candidates: int = 200
    document_prior: float = 0.6
    reranker: str = ""
    rerank_top: int = 30
    max_per_file: int = 0  # 0: no cap
    neighbours: int = 0  # chunks read before and after each passage of an answer

    # asking
    ask_k: int = 5
    generator: str = "auto"
    model: str = "qwen3:4b-instruct"
    ollama_url: str = field(default="http://127.0.0.1:11434", repr=False)
    openai_url: str = field(default="", repr=False)
    openai_api_key: str = field(default="", repr=False)
    context: int = 4096  # tokens shared by prompt and answer
    answer_tokens: int = 512
    seed: int = 7
    keep_alive: str = "10m"
    connect_timeout: float = 5.0  # seconds
    reply_timeout: float = 300.0  # seconds of silence before a model server is given up
    gate: float | None = None  # None: the embedder's own calibrated value; 0 switches it off
    answerable_cut: float | None = None  # for quotes without a model; None: calibrated, 0: off
    prompt: str = ""  # "": the template shipped in prompts/

    # checking
    verify: bool = True  # check each sentence of an answer
    verifier: str = "auto"
    verifier_model: str = ""  # NLI model's folder or hub name, or the judge's name
    repair: bool = False  # send flagged sentences back to the model, once

    # ingestion
    workers: int = 0  # processes that read files; 0: half of the cores, at most 4
    read_timeout: float = 60.0  # seconds a reader may be silent; ten times that for a whole file
    read_memory: int = 1024  # MiB that reading one file may take
    passwords: str = ""  # file with a password a line, tried on encrypted PDFs after the blank one
    hidden_text: bool = False  # index text that a person cannot see
    ocr: str = ""  # read scanned pages with this tool; "": not
    ocr_languages: str = "eng"
    ocr_timeout: float = 300.0  # seconds for one file

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that may appear in no log, error, record or report."""
        addresses = (self.qdrant_url, self.ollama_url, self.openai_url)
        passwords = [urlsplit(address).password for address in addresses]
        return tuple(s for s in (self.qdrant_api_key, self.openai_api_key, *passwords) if s)


_KINDS: dict[str, tuple[type, bool]] = {}


def _kinds() -> dict[str, tuple[type, bool]]:
    """Name → (type, may be None), read from the dataclass itself."""
    if not _KINDS:
        hints = typing.get_type_hints(Settings)
        for f in fields(Settings):
            hint = hints[f.name]
            options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
            kind = next(o for o in options if o is not type(None))
            _KINDS[f.name] = (kind, type(None) in options)
    return _KINDS


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    config: str | os.PathLike[str] | None = None,
) -> Settings:
    """Resolve the settings; ``config`` names the file, otherwise ``rag.toml`` here if it exists.

    Flags that are None count as not given. Raises UsageError for an unreadable file, an unknown
    name or a value of the wrong type or out of range, naming the file or variable it came from.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    named = config or environ.get("RAG_CONFIG")
    path = Path(named or CONFIG_FILE)
    if named or path.exists():
        values.update(_from_file(path))
    for name in _kinds():
        raw = environ.get("RAG_" + name.upper())
        if raw is not None:
            values[name] = _convert(name, raw, f"environment variable RAG_{name.upper()}: ")
    for name, value in (flags or {}).items():
        _must_be_known(name, "")
        if value is not None:
            values[name] = _convert(name, value, "")
    return Settings(**values)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(
            f"settings file {path} cannot be read: {reason}", "mend it or pass --config FILE"
        ) from error
    for key in table:
        _must_be_known(key, f"settings file {path}: ")
    return {key: _convert(key, value, f"settings file {path}: ", typed=True)
            for key, value in table.items()}  # fmt: skip


def _must_be_known(name: str, source: str) -> None:
    if name not in _kinds():
        near = difflib.get_close_matches(name, _kinds(), n=1)
        hint = f"did you mean «{near[0]}»?" if near else "docs/settings.md lists the names"
        raise UsageError(f"{source}unknown setting «{name}»", hint)


def _convert(name: str, value: Any, source: str, *, typed: bool = False) -> Any:
    """``typed``: where the value comes from tells texts from numbers and switches."""
    kind, optional = _kinds()[name]
    if optional and value is None:
        return None
    try:
        if typed and isinstance(value, str) and kind is not str:
            raise TypeError
        converted = _AS[kind](name, value)
    except (TypeError, ValueError, KeyError, OverflowError):
        shown = shown_address(str(value)) if name.endswith("_url") else str(value)
        shown = "(hidden)" if name.endswith("_key") else f"«{shown}»"
        raise UsageError(
            f"{source}{name} = {shown} cannot be used", f"give {_wanted(name, kind)}"
        ) from None
    return converted


def _as_text(name: str, value: Any) -> str:
    text = os.fspath(value)  # a folder may come as a Path
    if not isinstance(text, str) or "\0" in text or (name in _NEEDED and not text):
        raise ValueError
    if text not in _CHOICES.get(name, (text,)):
        raise ValueError
    if name.endswith("_url") and (not text.isprintable() or " " in text or _port(text) == 0):
        raise ValueError
    return text


def _port(url: str) -> int | None:
    """Raises ValueError for one that no machine has."""
    return urlsplit(url if "://" in url else f"//{url}").port


def shown_address(url: str) -> str:
    """Scheme, host and port, for an error. A password stands before an @, a key in path or query;
    where the @ comes so late that a password may hold the rest, only the scheme is shown."""
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    host = "…" if "@" in rest[len(host) :] else host.rpartition("@")[2]
    return f"{scheme}{mark}{host}"


def _as_switch(_name: str, value: Any) -> bool:
    if isinstance(value, str):
        return _SWITCH[value.lower()]
    if not isinstance(value, bool):
        raise ValueError
    return value


def _as_number(kind: type, name: str, value: Any) -> int | float:
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        raise ValueError
    number: int | float = kind(value)
    if not _LEAST.get(name, 0) <= number <= _MOST.get(name, sys.float_info.max):
        raise ValueError
    return number


def _wanted(name: str, kind: type) -> str:
    if name.endswith("_url"):
        return "an address like http://127.0.0.1:8080"
    if kind is str:
        choices = _CHOICES.get(name)
        return f"one of {', '.join(filter(None, choices))}" if choices else "a text"
    if kind is bool:
        return "true or false"
    most = f" to {_MOST[name]}" if name in _MOST else " or more"
    return f"a {_SPOKEN[kind]} of {_LEAST.get(name, 0)}{most}"


_SPOKEN = {int: "whole number", float: "number"}
_SWITCH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_AS: dict[type, Callable[[str, Any], Any]] = {
    str: _as_text,
    bool: _as_switch,
    int: partial(_as_number, int),
    float: partial(_as_number, float),
}

#: Bounds where 0 or anything is not good enough; they are the command line's too.
_LEAST = {
    "k": 1, "ask_k": 1, "candidates": 1, "context": 256, "answer_tokens": 16,
    "shards": 1, "replicas": 1, "write_consistency": 1, "read_timeout": 1, "read_memory": 256,
    "ocr_timeout": 1,
}  # fmt: skip
_MOST = {"gate": 1, "answerable_cut": 1}
_CHOICES = {"generator": GENERATORS, "verifier": VERIFIERS, "ocr": OCR_TOOLS}
_NEEDED = ("index", "collection", "embedder")
