"""Text → vectors, by a model prepared once (`prepared_model`) and then run without torch.

Questions are embedded by ONNX Runtime, which starts quickly, documents by OpenVINO, which is
quicker once it runs and is used only if it reproduces the model's reference vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rag.prepared_model import AGREEMENT, PROBES, identity_of, prepare, read_manifest
from rag.runtime import Run, onnx_runtime, openvino_runtime
from rag.settings import Settings

Vectors = NDArray[np.float32]

BATCH = 16  # texts a call; under OpenVINO on two cores 8 was no quicker and 32 was 30 % slower


#: Batches are padded to a multiple of this many tokens.
_TOKENS_STEP = 16


def _shape(rows: int, tokens: int, limit: int) -> tuple[int, int]:
    """The shape of a padded batch: one of a few. OpenVINO keeps 1 to 2 MB for each new one, which
    came to 400 MB over 1,000 odd files, and to 26 MB like this [measured, bench/hostile.md]."""
    return 1 << (rows - 1).bit_length(), min(limit, -(-tokens // _TOKENS_STEP) * _TOKENS_STEP)


class Embedder:
    """Embeds questions and passages; never cuts a text unseen."""

    def __init__(self, settings: Settings) -> None:
        self._folder = prepare(settings)
        manifest = read_manifest(self._folder)
        self._exported = bool(manifest["exported"])
        self._source = str(manifest["source"])
        self.identity = identity_of(manifest, settings)
        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._specials = tokenizer.num_special_tokens_to_add(is_pair=False)

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
            shape = _shape(len(picked), int(lengths[picked].max()), self.identity.limit)
            ids = np.zeros(shape, dtype=np.int64)
            mask = np.zeros_like(ids)
            mask[len(picked) :, 0] = 1  # a row without any token has no mean
            for row, index in enumerate(picked):
                ids[row, : lengths[index]] = encodings[index].ids
                mask[row, : lengths[index]] = 1
            vectors[picked] = run(ids, mask)[: len(picked)]
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
