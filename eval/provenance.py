"""What produces a run, written down before its first question: corpus, models, prompt, settings,
machine, versions. No secret is among it: settings that may hold one are left out, and addresses
keep host and port alone."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eval.judges import Judge
from eval.records import Provenance
from rag.checking.base import ModelChecker
from rag.checking.calibration import calibration_of
from rag.errors import ModelUnavailable
from rag.hardware import inspect
from rag.prompting import load_template
from rag.settings import Settings
from rag.store.base import Reader

#: Settings that say nothing about a question's answer: how files were read, or where a secret is.
_OF_INGESTION = (
    "workers", "read_timeout", "read_memory", "passwords", "hidden_text", "ocr", "ocr_languages",
    "ocr_timeout", "cache_dir", "shards", "replicas", "write_consistency",
)  # fmt: skip
_ADDRESSES = ("qdrant_url", "ollama_url", "openai_url")
#: Packages whose version can change an answer.
_PACKAGES = (
    "affidavit", "numpy", "onnxruntime", "openvino", "qdrant-client", "qdrant-edge-py",
    "sentence-transformers", "sentencex", "tokenizers", "torch",
)  # fmt: skip


def provenance_of(
    reader: Reader,
    settings: Settings,
    writer: Mapping[str, Any],
    verifier: ModelChecker | None,
    judges: Sequence[Judge],
    *,
    questions_file: str,
    questions_digest: str,
    rubric_digest: str,
) -> Provenance:
    """``writer``: kind, model and digest of who answers; ``verifier`` None for code alone."""
    counts, meta = reader.counts(), reader.meta()
    template = load_template(settings.prompt)
    own = _verifier(settings, verifier)
    panel = [j.to_dict() for j in judges]
    known = _models(settings, writer, [own, *panel])
    return Provenance(
        corpus=corpus_digest(reader),
        index=meta.fingerprint.digest(),
        files=counts.searchable,
        chunks=counts.chunks,
        generator={**writer, **_make(writer, known)},
        verifier={
            **_with_family(settings, writer, own, known),
            "judges": [_with_family(settings, writer, judge, known) for judge in panel],
        },
        prompt={"name": template.name, "fingerprint": template.fingerprint},
        questions_file=questions_file,
        questions_digest=questions_digest,
        rubric_digest=rubric_digest,
        settings=told_settings(settings),
        machine=_machine(),
        versions=_versions(settings, writer),
    )


def provenance_unread(
    settings: Settings, *, questions_file: str, questions_digest: str, rubric_digest: str
) -> Provenance:
    """Of a run that ended before index and models were open: what was asked for."""
    return Provenance(
        corpus="",
        index="",
        files=0,
        chunks=0,
        generator={"kind": settings.generator, "model": settings.model, "digest": None},
        verifier={"kind": settings.verifier, "model": None, "digest": None, "judges": []},
        prompt={"name": settings.prompt, "fingerprint": ""},
        questions_file=questions_file,
        questions_digest=questions_digest,
        rubric_digest=rubric_digest,
        settings=told_settings(settings),
        machine=_machine(),
        versions=_versions(settings, {"kind": "unknown"}),
    )


def corpus_digest(reader: Reader) -> str:
    """Names the searchable files and their content, wherever they lie."""
    lines = sorted(f"{r.file}\0{r.content}" for r in reader.files() if r.searchable)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def told_settings(settings: Settings) -> dict[str, Any]:
    """The settings that bear on an answer, without those that may hold a secret."""
    told = {
        f.name: getattr(settings, f.name)
        for f in fields(Settings)
        if f.repr and f.name not in _OF_INGESTION
    }
    hosts = {name: _host(getattr(settings, name)) for name in _ADDRESSES}
    return {**told, **hosts}


def _host(address: str) -> str:
    """«127.0.0.1:11434»: no user, password, path or query."""
    if not address:
        return ""
    parts = urlsplit(address if "://" in address else f"//{address}")
    return f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""


def _verifier(settings: Settings, model: ModelChecker | None) -> dict[str, Any]:
    if not settings.verify:
        return {"kind": "none", "model": None, "digest": None, "calibrated": False}
    if model is None:
        return {"kind": "rules", "model": None, "digest": None, "calibrated": True}
    calibrated = calibration_of(model.digest) is not None
    named = {"kind": model.kind, "model": model.model, "digest": model.digest}
    return {**named, "calibrated": calibrated}


def _models(
    settings: Settings, writer: Mapping[str, Any], voices: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """What Ollama tells of its models, where one of them writes or judges."""
    if writer["kind"] != "ollama" and not any(_by_ollama(settings, writer, v) for v in voices):
        return []
    try:
        found: list[Any] = _ollama(settings).models()
    except ModelUnavailable:  # it was there a moment ago: the first question will tell
        return []
    return found


def _make(writer: Mapping[str, Any], models: Sequence[Any]) -> dict[str, str | None]:
    """Quantisation and family of who writes, None where nobody tells."""
    found = next((m for m in models if m.digest == writer["digest"]), None)
    return {
        "quantisation": found.quantization or None if found else None,
        "family": found.family or None if found else None,
    }


def _with_family(
    settings: Settings, writer: Mapping[str, Any], voice: dict[str, Any], models: Sequence[Any]
) -> dict[str, Any]:
    """A judge with the family of its model, where Ollama tells one."""
    if not _by_ollama(settings, writer, voice):
        return voice
    found = next((m for m in models if _short(m.name) == _short(voice["model"])), None)
    return {**voice, "family": found.family} if found and found.family else voice


def _by_ollama(settings: Settings, writer: Mapping[str, Any], voice: Mapping[str, Any]) -> bool:
    """Whether Ollama runs this judge, as `rag.checking.models.choose` and `eval.judges` choose."""
    if voice.get("name") == "own":
        return bool(writer["kind"] == "ollama")
    return voice["kind"] == "decision" or (voice["kind"] == "judge" and not settings.openai_url)


def _short(model: str) -> str:
    """«llama3.2» is what «llama3.2:latest» is called."""
    return model.removesuffix(":latest")


def _machine() -> dict[str, Any]:
    """What times depend on; nothing that names the machine or its owner."""
    found = inspect(Path())
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": found.cpu,
        "cores": found.cores,
        "features": list(found.features),
        "memory": found.ram_total,
        "gpus": [asdict(gpu) for gpu in found.gpus],
    }


def _versions(settings: Settings, writer: Mapping[str, Any]) -> dict[str, str]:
    known = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            known[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            known[package] = "absent"
    if writer["kind"] == "ollama":
        try:
            known["ollama"] = _ollama(settings).version()
        except ModelUnavailable:  # it wrote before: some servers that speak like it tell none
            known["ollama"] = "not told"
    return known


def _ollama(settings: Settings) -> Any:
    from rag.generators.ollama import OllamaServer

    return OllamaServer(
        settings.ollama_url,
        connect_timeout=settings.connect_timeout,
        reply_timeout=settings.reply_timeout,
    )
