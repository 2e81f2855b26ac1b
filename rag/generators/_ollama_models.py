"""What Ollama tells of its models, as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_CACHE_BYTES = 2  # a key or value number in the cache is fp16 unless the server says otherwise


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on the server's disk; ``parameters`` is like «4.0B», ``bytes`` its file size."""

    name: str
    digest: str
    bytes: int
    parameters: str
    quantization: str
    family: str


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What a model can do and how its memory grows; None where the model file does not say.

    ``context_length`` is in tokens; ``kv_bytes_per_token`` is the key-value cache in bytes for
    each token of context at fp16, an upper bound for models with sliding windows.
    """

    name: str
    capabilities: tuple[str, ...]
    context_length: int | None
    kv_bytes_per_token: int | None


def installed(entry: Any) -> InstalledModel:
    """One entry of the ollama package's list."""
    told = entry.details
    return InstalledModel(
        name=entry.model or "",
        digest=entry.digest or "",
        bytes=int(entry.size or 0),
        parameters=(told and told.parameter_size) or "",
        quantization=(told and told.quantization_level) or "",
        family=(told and told.family) or "",
    )


def details(name: str, capabilities: Iterable[str], info: Mapping[str, Any]) -> ModelDetails:
    """Read ``info``, the metadata of a model file, whose keys begin with its architecture."""
    architecture = info.get("general.architecture", "")

    def number(key: str) -> int:
        value = info.get(f"{architecture}.{key}")
        if isinstance(value, list):  # one entry a layer, in models that mix kinds of layer
            return sum(int(v) for v in value)
        return int(value) if isinstance(value, int | float) else 0

    heads = number("attention.head_count_kv")
    if not isinstance(info.get(f"{architecture}.attention.head_count_kv"), list):
        heads *= number("block_count")
    key = number("attention.key_length")
    if not key and number("attention.head_count"):
        key = number("embedding_length") // number("attention.head_count")
    value = number("attention.value_length") or key
    return ModelDetails(
        name=name,
        capabilities=tuple(capabilities),
        context_length=number("context_length") or None,
        kv_bytes_per_token=heads * (key + value) * _CACHE_BYTES or None,
    )
