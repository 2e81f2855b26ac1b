"""Settings: flag > environment ``RAG_*`` > ``rag.toml`` > default, frozen once resolved."""

from __future__ import annotations

import difflib
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rag.errors import UsageError

CONFIG_FILE = "rag.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set. Each name is also ``RAG_<NAME>`` and a key of ``rag.toml``."""

    # where the index is
    index: str = ".rag"
    qdrant_url: str = ""
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
    chunk_tokens: int = 200  # bench/retrieval.md
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
    ollama_url: str = "http://127.0.0.1:11434"
    openai_url: str = ""
    openai_api_key: str = field(default="", repr=False)
    context: int = 4096  # tokens shared by prompt and answer
    answer_tokens: int = 512
    seed: int = 7
    keep_alive: str = "10m"
    connect_timeout: float = 5.0  # seconds
    reply_timeout: float = 300.0  # seconds of silence before a model server is given up
    gate: float | None = None  # None: the embedder's own calibrated value; 0 switches it off
    prompt: str = ""  # "": the template shipped in prompts/

    # ingestion
    workers: int = 0  # 0: as many as there are processors

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that may appear in no log, error, record or report."""
        return tuple(s for s in (self.qdrant_api_key, self.openai_api_key) if s)


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
    key or a value of the wrong type, naming the file or variable it came from.
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
            values[name] = _convert(name, raw, f"environment variable RAG_{name.upper()}")
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _convert(name, value, f"--{name.replace('_', '-')}")
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
        if key not in _kinds():
            near = difflib.get_close_matches(key, _kinds(), n=1)
            hint = f"did you mean «{near[0]}»?" if near else "docs/settings.md lists the names"
            raise UsageError(f"settings file {path}: unknown setting «{key}»", hint)
    return {key: _convert(key, value, f"settings file {path}") for key, value in table.items()}


def _convert(name: str, value: Any, source: str) -> Any:
    kind, optional = _kinds()[name]
    if optional and value is None:
        return None
    try:
        if isinstance(value, bool) or (kind is not str and isinstance(value, str) and not value):
            raise ValueError
        converted = kind(value) if not isinstance(value, kind) else value
        if isinstance(converted, int | float) and not 0 <= converted < float("inf"):
            raise ValueError
    except (TypeError, ValueError):
        shown = "(hidden)" if name.endswith("_key") else f"«{value}»"
        raise UsageError(
            f"{source}: {name} = {shown} is not a {_SPOKEN[kind]}", f"give a {_SPOKEN[kind]}"
        ) from None
    return converted


_SPOKEN = {str: "text", int: "whole number of at least 0", float: "number of at least 0"}
