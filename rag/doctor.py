"""``rag doctor``: what is installed, reachable and fits this machine, and what mends the rest.

Looks and asks, changes nothing; contacts only the servers named in the settings. Each finding
is one Check: «ok», «warn» (works or is optional, but look), «absent» (not there, not needed
yet) or «fail» (asked for and unusable: decides the exit code).
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from platform import python_version
from shutil import which
from typing import Any

from rag.errors import EXIT_OK, IndexMissing, ModelUnavailable, RagError, StoreUnavailable
from rag.fit import GB, Model, Prediction, cpu_speed, predict, recommend
from rag.hardware import Hardware, inspect
from rag.model_health import Check, Health, failing, ollama_health, openai_health, runs_here
from rag.settings import OCR_TOOLS, Settings

#: Free disk below this is worth a word: an index of 100,000 chunks takes 0.8 GB (measured), and
#: an update works in a copy beside it.
LOW_DISK = 2 * GB

MARKS = {"ok": "✓", "warn": "!", "absent": "–", "fail": "✗"}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found. ``prediction`` is None where the speed here is not known."""

    checks: tuple[Check, ...]
    versions: dict[str, str]
    hardware: Hardware
    recommended: Model | None
    prediction: Prediction | None

    @property
    def exit_code(self) -> int:
        """That of the first failure, 0 when what was asked for is usable."""
        return next((c.exit_code for c in self.checks if c.status == "fail"), EXIT_OK)

    @property
    def ok(self) -> bool:
        return self.exit_code == EXIT_OK

    def to_dict(self) -> dict[str, Any]:
        """The document that ``rag doctor --json`` prints; sizes in bytes, times in seconds."""
        return {
            "ok": self.ok,
            "exit_code": self.exit_code,
            "checks": [
                {"name": c.name, "status": c.status, "detail": c.detail, "remedy": c.remedy}
                for c in self.checks
            ],
            "versions": self.versions,
            "hardware": {
                **asdict(self.hardware),
                "features": list(self.hardware.features),
                "gpus": [asdict(gpu) for gpu in self.hardware.gpus],
            },
            "recommended": asdict(self.recommended) if self.recommended else None,
            "prediction": _prediction_dict(self.prediction) if self.prediction else None,
        }

    def lines(self) -> list[str]:
        """The report for a person; the mark at the start of a line says its status."""
        width = max(len(c.name) for c in self.checks)
        found: list[str] = []
        for check in self.checks:
            found.append(f"{MARKS[check.status]} {check.name:<{width}}  {check.detail}")
            if check.remedy:
                found.append(f"  {'':<{width}}  → {check.remedy}")
        return [*found, "", *self._advice()]

    def _advice(self) -> list[str]:
        model, wait = self.recommended, self.prediction
        known = f"{model.weights / GB:.1f} GB, {model.note}" if model else ""
        advice = [
            f"Model for this machine: {model.name} ({known}) – ollama pull {model.name}"
            if model
            else "Model for this machine: none fits its memory; use --generator extractive"
        ]
        if wait:
            first, whole = _seconds(wait.first_word_s), _seconds(wait.full_answer_s)
            work = f"{wait.prompt_tokens:,} tokens read, {wait.answer_tokens} written"
            basis = "measured" if wait.measured else "an estimate, from laptops without a GPU"
            advice.append(f"An answer: first word in {first}, all in {whole} ({work}; {basis})")
        if not (wait and wait.measured):
            advice.append("How fast it really is here: rag doctor --measure")
        return advice


def examine(
    settings: Settings, *, measure: bool = False, hardware: Hardware | None = None
) -> Report:
    """Look at everything; ``measure`` also has the model write a little. Never raises RagError.

    ``hardware`` stands in for this machine where another one is asked about.
    """
    hardware = hardware or inspect(Path(settings.index))
    versions, missing = _installed()
    healths = _model_servers(settings, hardware, measure)
    speed = next((h.speed for h in healths if h.speed), None)
    if speed is None and not hardware.gpus and runs_here(settings.ollama_url):
        speed = cpu_speed()
    checks = (
        _packages(versions, missing),
        *_embedder(settings),
        *_index(settings),
        *_machine(hardware),
        _ocr(settings),
        *(check for health in healths for check in health.checks),
        Check(
            "extractive", "ok", "answers in the sources' own sentences always work, no model needed"
        ),
        _network(settings),
    )
    return Report(
        checks=checks,
        versions=versions,
        hardware=hardware,
        recommended=recommend(hardware, settings.context),
        prediction=predict(speed, settings.ask_k) if speed else None,
    )


# ------------------------------------------------------------------ this installation


def _ocr(settings: Settings) -> Check:
    """Whether scanned pages are read, by the tool that the settings ask for."""
    there = [tool for tool in OCR_TOOLS[2:] if which(tool)]
    if settings.ocr in there or (settings.ocr == "auto" and there):
        return Check("ocr", "ok", f"scanned pages are read ({', '.join(there)} installed)")
    if settings.ocr in ("", "auto") and not there:
        return Check("ocr", "absent", "scanned pages are named, not read: no OCR program here")
    if not settings.ocr:
        remedy = 'set ocr = "auto", then rag ingest --retry-failed'
        return Check("ocr", "absent", "scanned pages are named, not read: it is off", remedy)
    remedy = f"install {settings.ocr}, or set another"
    return Check("ocr", "fail", f"{settings.ocr} is set and not installed", remedy, 2)


def _installed() -> tuple[dict[str, str], list[str]]:
    """(version of each package this one requires, those that are not there)."""
    versions, missing = {"python": python_version()}, []
    try:
        requirements = metadata.requires("affidavit") or []
    except metadata.PackageNotFoundError:  # run from a source folder that was never installed
        requirements = []
    for requirement in ("affidavit", *requirements):
        found = re.match(r"[A-Za-z0-9._-]+", requirement)
        if found is None or ";" in requirement:  # extras, and packages of other platforms
            continue
        try:
            versions[found[0]] = metadata.version(found[0])
        except metadata.PackageNotFoundError:
            missing.append(found[0])
    return versions, missing


def _packages(versions: dict[str, str], missing: list[str]) -> Check:
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "pip install .", 1)
    core = ("python", "affidavit", "qdrant-edge-py", "qdrant-client", "onnxruntime", "torch")
    shown = ", ".join(f"{name} {versions[name]}" for name in core if name in versions)
    return Check("packages", "ok", f"{shown}; all {len(versions) - 2} required packages are there")


def _embedder(settings: Settings) -> list[Check]:
    try:
        from rag.prepared_model import describe

        about = describe(settings)
    except ImportError as error:
        told = ModelUnavailable(f"the embedding model cannot run: {error}", "pip install .")
        return [failing("embedder", told)]
    except RagError as error:
        return [failing("embedder", error)]
    if not about["prepared"]:
        detail = f"{about['name']} is not prepared yet: the first run does it, once"
        return [Check("embedder", "absent", detail)]
    shape = f"{about['dimension']} dimensions, {about['limit']} tokens a text"
    return [Check("embedder", "ok", f"{about['name']}, {shape}, by {about['runtime']}")]


def _index(settings: Settings) -> list[Check]:
    from rag.store import open_reader

    server = [Check("qdrant", "ok", "the Qdrant server answers")] if settings.qdrant_url else []
    try:
        with closing(open_reader(settings)) as reader:
            counts = reader.counts()
    except IndexMissing as error:
        return [*server, Check("index", "absent", error.problem, error.remedy)]
    except StoreUnavailable as error:
        return [failing("qdrant" if server else "index", error)]
    except RagError as error:
        return [*server, failing("index", error)]
    detail = f"{counts.searchable} of {counts.files} files searchable, {counts.chunks} chunks"
    if counts.failed:
        detail += f"; {counts.failed} could not be read whole"
        return [*server, Check("index", "warn", detail, "rag status --failed")]
    return [*server, Check("index", "ok", detail)]


def _machine(hardware: Hardware) -> list[Check]:
    total, free = hardware.ram_total / GB, hardware.ram_available / GB
    memory = f"{total:.1f} GB of memory, {free:.1f} free"
    fast = f" with {', '.join(hardware.features)}" if hardware.features else ""
    found = [Check("machine", "ok", f"{memory}; {hardware.cores} cores, {hardware.cpu}{fast}")]
    found += [Check("gpu", "ok", f"{g.name}, {g.memory / GB:.1f} GB") for g in hardware.gpus]
    if hardware.gpu_problem:
        found.append(Check("gpu", "warn", hardware.gpu_problem, "nvidia-smi"))
    elif not hardware.gpus:
        found.append(Check("gpu", "absent", "no NVIDIA graphics card: models run on the processor"))
    disk = f"{hardware.disk_free / GB:.1f} GB free where the index is"
    low = hardware.disk_free < LOW_DISK
    remedy = "free some space or name another place with --index" if low else ""
    return [*found, Check("disk", "warn" if low else "ok", disk, remedy)]


# ------------------------------------------------------------------ servers


def _model_servers(settings: Settings, hardware: Hardware, measure: bool) -> list[Health]:
    healths = []
    if settings.openai_url or settings.generator == "openai":
        healths.append(openai_health(settings, measure=measure))
    if settings.generator in ("auto", "ollama"):
        healths.append(ollama_health(settings, hardware, measure=measure))
    return healths


def _network(settings: Settings) -> Check:
    named = {"Ollama": settings.ollama_url, "Qdrant": settings.qdrant_url}
    named["an OpenAI-compatible server"] = settings.openai_url
    servers = ", ".join(name for name, url in named.items() if url and not runs_here(url))
    beyond = f"text goes to {servers} elsewhere" if servers else "nothing leaves this machine"
    return Check("network", "ok", f"{beyond}; no telemetry, no downloads without being asked")


# ------------------------------------------------------------------ words and numbers


def _prediction_dict(prediction: Prediction) -> dict[str, Any]:
    pairs = ("first_word_s", "full_answer_s")
    return {k: list(v) if k in pairs else v for k, v in asdict(prediction).items()}


def _seconds(span: tuple[float, float]) -> str:
    low, high = (f"{s:.1f}" if s < 10 else f"{s:.0f}" for s in span)
    return f"{low} s" if low == high else f"{low} to {high} s"
