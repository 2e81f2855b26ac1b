"""``rag doctor`` names what is missing and the command that mends it, on any machine."""

from __future__ import annotations

import json
import socket
import stat
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from rag import doctor as doctor_module
from rag.doctor import Report, examine
from rag.errors import IndexDamaged, ModelUnavailable, StoreUnavailable
from rag.fit import GIB, cpu_speed, memory_needed, predict, recommend
from rag.generators.ollama import OllamaServer
from rag.generators.openai import OpenAIGenerator
from rag.hardware import Gpu, Hardware, inspect, parse_gpus
from rag.model_health import Check
from rag.records import FileRecord
from rag.settings import Settings
from rag.speed import measure_speed
from rag.store import open_writer
from rag.store.base import FileWrite, Fingerprint, IndexMeta
from rag.testing import TINY_MODEL, ScriptedServer, tiny_llama_server

LAPTOP = Hardware(
    ram_total=16 * GIB,
    ram_available=11 * GIB,
    cores=8,
    cpu="Some CPU",
    features=("avx2",),
    gpus=(),
    disk_free=100 * GIB,
)
LIST_OF_WORDS = " ".join(["word"] * 60)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path, closed_port: int) -> Settings:
    """No index, no model prepared, no server."""
    return Settings(
        index=str(tmp_path / "index"),
        cache_dir=str(tmp_path / "cache"),
        ollama_url=f"http://127.0.0.1:{closed_port}",
        connect_timeout=2.0,
        reply_timeout=10.0,
    )


def found(report: Report, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


# ------------------------------------------------------------------ nothing there


def test_with_nothing_reachable_it_is_quick_content_and_says_what_to_start(settings):
    begun = time.monotonic()
    report = examine(settings, hardware=LAPTOP)
    assert time.monotonic() - begun < 30
    text = "\n".join(report.lines())
    assert report.ok
    assert report.exit_code == 0
    assert found(report, "extractive").status == "ok"
    assert "ollama serve" in text
    assert "ollama pull qwen3:4b-instruct" in text
    assert "rag ingest" in text


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_a_generator_that_was_asked_for_and_is_not_there_is_exit_14(settings, kind):
    report = examine(replace(settings, generator=kind), hardware=LAPTOP)
    assert found(report, kind).status == "fail"
    assert report.exit_code == 14
    assert not report.ok


def test_the_extractive_generator_needs_no_server_and_asks_none(settings):
    with ScriptedServer() as server:
        wanted = replace(settings, generator="extractive", ollama_url=server.url)
        report = examine(wanted, measure=True, hardware=LAPTOP)
    assert report.ok
    assert server.requests == []


def test_it_leaves_no_trace(settings, tmp_path):
    examine(settings, hardware=LAPTOP)
    assert list(tmp_path.iterdir()) == []


def test_the_json_document_is_json_and_has_its_fields(settings):
    document = json.loads(json.dumps(examine(settings, hardware=LAPTOP).to_dict()))
    assert document["ok"] is True
    assert document["exit_code"] == 0
    assert document["hardware"]["ram_total"] == 16 * GIB
    assert document["recommended"]["name"] == "qwen3:4b-instruct"
    assert document["prediction"]["measured"] is False
    assert document["versions"].keys() >= {"python", "affidavit", "torch", "qdrant-edge-py"}
    for check in document["checks"]:
        assert check.keys() == {"name", "status", "detail", "remedy"}
        assert check["status"] in ("ok", "warn", "absent", "fail")


def test_each_status_has_its_own_mark_so_that_colour_is_not_needed(settings):
    lines = examine(replace(settings, generator="openai"), hardware=LAPTOP).lines()
    marks = {line[0] for line in lines if line and line[0] in "✓!–✗"}
    assert marks == {"✓", "–", "✗"}


# ------------------------------------------------------------------ the index and the embedder


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(IndexDamaged("segment missing", "rag ingest --reindex"), 17, id="damaged"),
        pytest.param(StoreUnavailable("Qdrant does not answer", "start it"), 13, id="unavailable"),
    ],
)
def test_an_index_that_cannot_be_used_is_shown_in_its_own_words(settings, monkeypatch, error, code):
    def refuse(_: Settings) -> None:
        raise error

    monkeypatch.setattr("rag.store.open_reader", refuse)
    report = examine(settings, hardware=LAPTOP)
    index = found(report, "index")
    assert (index.detail, index.remedy) == (error.problem, error.remedy)
    assert report.exit_code == code


def test_a_qdrant_server_that_does_not_answer_is_named_as_such(settings, monkeypatch):
    def refuse(_: Settings) -> None:
        raise StoreUnavailable("Qdrant at http://127.0.0.1:1 does not answer", "start it")

    monkeypatch.setattr("rag.store.open_reader", refuse)
    report = examine(replace(settings, qdrant_url="http://127.0.0.1:1"), hardware=LAPTOP)
    assert found(report, "qdrant").status == "fail"
    assert report.exit_code == 13


def test_a_real_index_is_counted_and_its_failed_files_are_pointed_out(settings):
    fingerprint = Fingerprint(
        model="m", weights="w", dimension=4, query_prefix="", passage_prefix="",
        chunker="c", words="v",
    )  # fmt: skip
    bad = FileRecord(
        file="a.pdf", root="/r", bytes=1, mtime_ns=1, content="00", status="unreadable"
    )
    with closing(open_writer(settings)) as writer:
        writer.set_meta(IndexMeta(fingerprint=fingerprint, roots=("/r",)))
        writer.put([FileWrite(record=bad)])
        writer.publish()
    index = found(examine(settings, hardware=LAPTOP), "index")
    assert index.status == "warn"
    assert "0 of 1 files searchable" in index.detail
    assert index.remedy == "rag status --failed"


def test_a_missing_embedding_model_is_a_failure_that_names_the_install(settings, monkeypatch):
    def refuse(_: Settings) -> None:
        raise ModelUnavailable("the bundled model is not installed", "pip install it")

    monkeypatch.setattr("rag.prepared_model.describe", refuse)
    report = examine(settings, hardware=LAPTOP)
    assert found(report, "embedder").status == "fail"
    assert report.exit_code == 14


def test_a_package_that_is_not_installed_is_named(settings, monkeypatch):
    monkeypatch.setattr("rag.doctor.metadata.requires", lambda _: ["no-such-package>=1"])
    report = examine(settings, hardware=LAPTOP)
    assert found(report, "packages").status == "fail"
    assert "no-such-package" in found(report, "packages").detail


def test_a_nearly_full_disk_is_pointed_out(settings):
    report = examine(settings, hardware=replace(LAPTOP, disk_free=10**9))
    assert found(report, "disk").status == "warn"
    assert report.ok


# ------------------------------------------------------------------ Ollama


def test_a_model_that_is_there_and_fits_is_all_ticks(settings):
    with ScriptedServer() as server:
        report = examine(replace(settings, ollama_url=server.url), hardware=LAPTOP)
    assert [found(report, n).status for n in ("ollama", "model", "memory")] == ["ok"] * 3
    # 2.5 GB of weights, 144 KiB × 4,096 tokens, 0.3 GB of buffers
    assert "3.4 GB with 4,096 tokens" in found(report, "memory").detail


def test_an_ollama_with_the_known_flaw_is_pointed_out(settings, monkeypatch):
    monkeypatch.setattr(OllamaServer, "version", lambda _: "0.34.9")
    with ScriptedServer() as server:
        report = examine(replace(settings, ollama_url=server.url), hardware=LAPTOP)
    check = found(report, "ollama")
    assert check.status == "warn"
    assert "path-traversal" in check.detail
    assert found(report, "model").status == "ok", "it still works"


def test_a_model_that_is_not_installed_comes_with_its_pull_command(settings):
    with ScriptedServer(models=("llama3.2:3b",)) as server:
        wanted = replace(settings, ollama_url=server.url)
        model = found(examine(wanted, hardware=LAPTOP), "model")
        asked_for = examine(replace(wanted, generator="ollama"), hardware=LAPTOP)
    assert model.status == "warn"
    assert "llama3.2:3b" in model.detail
    assert "ollama pull qwen3:4b-instruct" in model.remedy
    assert asked_for.exit_code == 14


def test_a_model_too_big_for_the_machine_comes_with_a_smaller_one(settings):
    small = replace(LAPTOP, ram_total=8 * GIB, ram_available=6 * GIB)
    with ScriptedServer() as server:
        wanted = replace(settings, ollama_url=server.url, context=65_536, generator="ollama")
        report = examine(wanted, hardware=small)
        moderate = examine(replace(wanted, context=4096), hardware=small)
    assert found(report, "memory").status == "fail"
    assert report.exit_code == 14
    assert found(moderate, "memory").status == "ok"


def test_a_model_that_fits_only_when_other_programs_close_is_a_warning(settings):
    busy = replace(LAPTOP, ram_available=2 * GIB)
    with ScriptedServer() as server:
        report = examine(replace(settings, ollama_url=server.url), hardware=busy)
    assert found(report, "memory").status == "warn"


def test_a_graphics_card_with_room_counts_before_main_memory(settings):
    hardware = replace(LAPTOP, ram_total=2 * GIB, gpus=(Gpu("card", 8 * GIB),))
    with ScriptedServer() as server:
        report = examine(replace(settings, ollama_url=server.url), hardware=hardware)
    assert found(report, "memory").status == "ok"


def test_a_server_elsewhere_is_not_judged_by_the_memory_here(settings, monkeypatch):
    monkeypatch.setattr("rag.model_health.HERE", ())
    with ScriptedServer() as server:
        tiny = replace(LAPTOP, ram_total=GIB, ram_available=GIB)
        report = examine(replace(settings, ollama_url=server.url), hardware=tiny)
    assert found(report, "memory").status == "ok"
    assert "cannot be seen from here" in found(report, "memory").detail
    assert report.prediction is None, "nor by the processor here"


def test_what_a_server_says_cannot_drive_the_terminal(settings):
    hostile = "evil\x1b[2J\x07\u202egnp.exe\u2028name"
    with ScriptedServer(models=(hostile,)) as server:
        report = examine(replace(settings, ollama_url=server.url), hardware=LAPTOP)
    for line in report.lines():
        assert line.isprintable(), line


def test_no_key_reaches_the_report(settings):
    with ScriptedServer() as server:
        server.fail("401")
        wanted = replace(settings, openai_url=server.url, openai_api_key="sk-very-secret")
        report = examine(wanted, hardware=LAPTOP)
    assert found(report, "openai").status == "warn"
    assert "sk-very-secret" not in json.dumps(report.to_dict())
    assert "sk-very-secret" not in "\n".join(report.lines())


@pytest.mark.parametrize("fault", ["timeout", "garbage", "not_json", "reset", "500"])
def test_a_broken_server_is_a_finding_and_not_a_crash(settings, fault):
    with ScriptedServer() as server:
        server.fail(fault)
        wanted = replace(settings, ollama_url=server.url, connect_timeout=1.0)
        report = examine(wanted, measure=True, hardware=LAPTOP)
    assert found(report, "ollama").status == "warn"
    assert report.ok


# ------------------------------------------------------------------ speed


def test_measuring_sends_the_options_of_a_real_question(settings):
    """Ollama reloads the model for any other options, and would time the wrong thing."""
    with ScriptedServer() as server:
        server.enqueue(LIST_OF_WORDS, LIST_OF_WORDS)
        report = examine(replace(settings, ollama_url=server.url), measure=True, hardware=LAPTOP)
        bodies = [request.body for request in server.chats()]
    assert found(report, "speed").status == "ok"
    assert report.prediction is not None
    assert report.prediction.measured
    assert [body["options"] for body in bodies] == [
        {"num_ctx": 4096, "num_predict": 512, "temperature": 0, "seed": 7}
    ] * 2
    assert {body["keep_alive"] for body in bodies} == {"10m"}
    first, second = (body["messages"][0]["content"] for body in bodies)
    assert first[:40] != second[:40], "a cached prefix would cost nothing and prove nothing"


def test_a_model_that_fails_while_it_is_timed_is_a_finding(settings):
    with ScriptedServer() as server:
        server.enqueue("ok", "ok")
        wanted = replace(settings, ollama_url=server.url)
        report = examine(wanted, measure=True, hardware=LAPTOP)
        asked_for = examine(replace(wanted, generator="ollama"), measure=True, hardware=LAPTOP)
    assert found(report, "speed").status == "warn"
    assert report.ok
    assert not asked_for.ok


def test_a_real_server_is_timed():
    """llama.cpp with a 135M model, however busy this machine is: two positive, finite speeds."""
    with tiny_llama_server() as url:
        generator = OpenAIGenerator(
            url, TINY_MODEL, api_key="", context=4096, answer_tokens=256, seed=7,
            connect_timeout=5.0, reply_timeout=60.0,
        )  # fmt: skip
        speed = measure_speed(generator)
    assert speed.measured
    assert 0 < speed.decode[0] < 100_000
    assert 0 < speed.prefill[0] < 100_000


def test_the_prediction_is_prompt_over_prefill_plus_answer_over_decode():
    """5 passages × 250 + 700 = 1,950 tokens; ÷ 170 and ÷ 56; then 150 ÷ 13 and ÷ 9."""
    wait = predict(cpu_speed(), passages=5)
    assert wait.prompt_tokens == 1950
    assert wait.first_word_s == pytest.approx((11.47, 34.82), abs=0.01)
    assert wait.full_answer_s == pytest.approx((23.01, 51.49), abs=0.01)


# ------------------------------------------------------------------ machine and model


@pytest.mark.parametrize(
    ("ram", "card", "name"),
    [
        pytest.param(16, 0, "qwen3:4b-instruct", id="16 GB laptop"),
        pytest.param(7.7, 0, "qwen3:4b-instruct", id="8 GB laptop"),
        pytest.param(5.8, 0, "llama3.2:3b", id="6 GB"),
        pytest.param(2, 0, None, id="2 GB"),
        pytest.param(16, 8, "qwen3:8b", id="8 GB card"),
        pytest.param(4, 6, "qwen3:4b-instruct", id="6 GB card"),
    ],
)
def test_the_recommended_model_follows_the_memory(ram, card, name):
    gpus = (Gpu("card", int(card * GIB)),) if card else ()
    hardware = replace(LAPTOP, ram_total=int(ram * GIB), gpus=gpus)
    model = recommend(hardware, context=4096)
    assert (model.name if model else None) == name
    if model:
        room = max(card, ram) * GIB
        assert memory_needed(model.weights, model.kv_bytes, 4096) < room


def test_looking_at_this_machine_gives_sane_numbers(tmp_path):
    """A folder that does not exist yet is measured by the disk it will be on."""
    here = inspect(tmp_path / "not" / "yet")
    assert 0 < here.ram_available <= here.ram_total
    assert here.cores >= 1
    assert here.cpu
    assert here.disk_free > 0


def test_graphics_cards_are_read_from_nvidia_smi():
    listing = "NVIDIA GeForce RTX 4060, 8188\nNVIDIA GB10, [N/A]\n"
    assert parse_gpus(listing) == (
        Gpu("NVIDIA GeForce RTX 4060", 8188 * 2**20),
        Gpu("NVIDIA GB10", 0),
    )


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param("exit 9", "nvidia-smi failed", id="broken driver"),
        pytest.param("exec sleep 60", "no answer within", id="hanging driver"),
    ],
)
def test_a_broken_graphics_driver_is_said_and_waited_for_briefly(
    tmp_path, monkeypatch, script, told
):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("rag.hardware.GPU_TIMEOUT", 0.5)
    here = inspect(tmp_path)
    assert here.gpus == ()
    assert told in here.gpu_problem


@pytest.mark.parametrize(
    ("wanted", "installed", "status", "exit_code"),
    [
        ("", (), "absent", 0),
        ("", ("tesseract",), "absent", 0),
        ("auto", (), "absent", 0),
        ("auto", ("ocrmypdf",), "ok", 0),
        ("tesseract", ("tesseract",), "ok", 0),
        ("tesseract", ("ocrmypdf",), "fail", 2),
    ],
)
def test_it_says_whether_scanned_pages_are_read(
    wanted: str, installed: tuple[str, ...], status: str, exit_code: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(doctor_module, "which", lambda tool: tool if tool in installed else None)
    check = doctor_module._ocr(Settings(ocr=wanted))
    assert (check.status, check.exit_code) == (status, exit_code)
    assert bool(check.remedy) == (status == "fail" or (not wanted and bool(installed)))
