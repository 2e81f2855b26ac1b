"""The door to sentence-transformers and torch: load a model, export it, check the export.

Importing either costs seconds (7–9 s cold), so this module is reached only when a model is
used for the first time, when its export disagreed with it, or for reranking.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.errors import ModelUnavailable
from rag.hub import must_be_within_reach

Vectors = NDArray[np.float32]


class SentenceModel:
    """An embedding model as sentence-transformers runs it: the reference for other runtimes."""

    def __init__(self, source: str) -> None:
        self.source = source
        with _quietly():
            self._model = _load(source)
        self.limit = int(self._model.max_seq_length or 512)
        self.dimension = int(self._model.get_embedding_dimension())
        self.prompts = {k: v for k, v in dict(self._model.prompts or {}).items() if v}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimension), float32, of length 1."""
        vectors = self._model.encode(
            list(texts), prompt="", normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def declared_prefixes(self) -> tuple[str, str]:
        """The query and the passage prefix that the model's own configuration names."""
        query = self.prompts.get("query", "")
        passage = next((self.prompts[k] for k in _PASSAGE_NAMES if k in self.prompts), "")
        return query, passage

    def save_tokenizer(self, path: Path) -> None:
        self._model.tokenizer.backend_tokenizer.save(str(path))

    def export_onnx(self, path: Path) -> None:
        """Write the whole model, pooling and normalising included, as one ONNX graph."""
        import torch

        class Whole(torch.nn.Module):  # type: ignore[misc] # torch is not followed
            def __init__(self, model: Any) -> None:
                super().__init__()
                self.model = model

            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                features = {"input_ids": input_ids, "attention_mask": attention_mask}
                for module in self.model:
                    features = module(features)
                vectors = features["sentence_embedding"]
                return torch.nn.functional.normalize(vectors, p=2, dim=1)

        example = torch.ones(2, 16, dtype=torch.long)
        with _quietly(), torch.no_grad():
            torch.onnx.export(
                Whole(self._model.eval()),
                (example, example),
                str(path),
                input_names=["input_ids", "attention_mask"],
                output_names=["embedding"],
                dynamic_axes={
                    "input_ids": {0: "batch", 1: "tokens"},
                    "attention_mask": {0: "batch", 1: "tokens"},
                    "embedding": {0: "batch"},
                },
                opset_version=17,
                dynamo=False,  # 1–2 s instead of a minute, and the same graph
            )

    def weights_sha256(self) -> str:
        """One digest over the model's safetensors files, in the order of their names."""
        return _weights_sha256(self._model, self.source)


_PASSAGE_NAMES = ("passage", "document", "corpus")


#: What to do about an embedding model that is not there.
_WHERE = "give a local folder or, with a network, a hub name that carries safetensors weights"


def _load(source: str) -> Any:
    must_be_within_reach(source, "embedding model", _WHERE)
    from sentence_transformers import SentenceTransformer

    try:
        return SentenceTransformer(
            source,
            device="cpu",
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},  # never a pickle
        )
    except Exception as error:  # the hub client, the loader and torch leak a dozen kinds
        raise ModelUnavailable(
            f"embedding model «{source}» cannot be loaded: {_first_line(error)}", _WHERE
        ) from error


def cross_encoder(
    source: str, what: str = "reranker", otherwise: str = "switch it off with --reranker ''"
) -> Any:
    """A sentence-transformers CrossEncoder; ``predict(pairs)`` scores (question, text) pairs.

    Raises ModelUnavailable, saying ``what`` is missing and what to do ``otherwise``.
    """
    remedy = f"give a local folder or a hub name, or {otherwise}"
    must_be_within_reach(source, what, remedy)
    with _quietly():
        from sentence_transformers import CrossEncoder

        try:
            return CrossEncoder(
                source,
                device="cpu",
                trust_remote_code=False,
                local_files_only=Path(source).is_dir(),
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:
            raise ModelUnavailable(
                f"{what} «{source}» cannot be loaded: {_first_line(error)}", remedy
            ) from error


class PairModel:
    """A CrossEncoder that classifies (premise, hypothesis) pairs, with its own tokenizer.

    ``labels`` are the names of its outputs in order, as its configuration gives them; ``limit``
    is how many tokens it reads of a pair, special ones included. Raises ModelUnavailable.
    """

    def __init__(self, source: str, *, what: str, otherwise: str) -> None:
        self._model = cross_encoder(source, what, otherwise)
        config = self._model.config
        self.labels = tuple(str(config.id2label[n]) for n in range(config.num_labels))
        self.limit = min(int(self._model.max_seq_length or _USUAL_LIMIT), _MOST_TOKENS)
        self._source = source

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Raw outputs of shape (len(pairs), len(labels)), whatever the model does with them."""
        import torch

        with _quietly():
            scores = self._model.predict(
                list(pairs), activation_fn=torch.nn.Identity(), show_progress_bar=False
            )
        return np.asarray(scores, dtype=np.float64).reshape(len(pairs), len(self.labels))

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in ``text`` of each of its tokens, however many there are."""
        with _quietly():
            encoded = self._model.tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, truncation=False
            )
        return [(int(start), int(end)) for start, end in encoded["offset_mapping"]]

    def weights_sha256(self) -> str:
        """As `SentenceModel.weights_sha256`."""
        return _weights_sha256(self._model, self._source)


#: Tokens of a pair where a model names none or an absurd number, as many configurations do.
_USUAL_LIMIT = 512
_MOST_TOKENS = 4096


def _weights_sha256(model: Any, source: str) -> str:
    folder = Path(str(getattr(model[0].auto_model, "name_or_path", "") or source))
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else []
    if files:
        return sha256_of(files)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def sha256_of(files: Sequence[Path]) -> str:
    """One digest of the bytes of the files, in the order given."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Model libraries print bars and warnings of their own; our output is ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
