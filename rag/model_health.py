"""Whether the model server is there, has the model, can hold it in memory, and how fast it is."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from rag.errors import EXIT_OK, ModelUnavailable, RagError
from rag.fit import GB, KV_BYTES, Speed, memory_needed, recommend
from rag.generators.base import Generator
from rag.generators.ollama import ModelDetails, OllamaGenerator, OllamaServer
from rag.generators.openai import OpenAIGenerator
from rag.hardware import Hardware
from rag.settings import Settings
from rag.speed import measure_speed

Status = Literal["ok", "warn", "absent", "fail"]

#: Ollama before this version lets a crafted model file write outside its folder and run code.
SAFE_OLLAMA = (0, 35)

#: Servers whose memory is this machine's; the last two are names docker-compose.yml uses.
HERE = ("127.0.0.1", "localhost", "::1", "host.docker.internal", "ollama")

SHOWN_CHARACTERS = 300  # of one detail; a server can list hundreds of models


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. ``remedy`` is the command or setting that mends it; ``exit_code`` is that of
    the error a command would end with, 0 unless the status is «fail»."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    exit_code: int = EXIT_OK

    def __post_init__(self) -> None:
        # names and messages come from servers and files: nothing active may reach a terminal
        for field in ("detail", "remedy"):
            object.__setattr__(self, field, _visible(getattr(self, field)))


@dataclass(frozen=True, slots=True)
class Health:
    """What was found out about one server; ``speed`` only where it was measured."""

    checks: tuple[Check, ...]
    speed: Speed | None = None


def _visible(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"


def failing(name: str, error: RagError) -> Check:
    return Check(name, "fail", error.problem, error.remedy, error.exit_code)


def _trouble(settings: Settings, kind: str, name: str, error: RagError) -> Check:
    """A failure if this kind of generator was asked for; otherwise only worth a look."""
    if settings.generator == kind:
        return failing(name, error)
    return Check(name, "warn", error.problem, error.remedy)


# ------------------------------------------------------------------ Ollama


def ollama_health(settings: Settings, hardware: Hardware, *, measure: bool) -> Health:
    """Version, model, memory and, if asked for, speed; ends at the first thing missing."""
    checks: list[Check] = []
    try:
        server = OllamaServer(
            settings.ollama_url,
            connect_timeout=settings.connect_timeout,
            reply_timeout=settings.reply_timeout,
        )
        checks.append(_version(server))
    except RagError as error:
        pull = f"{error.remedy}; then: ollama pull {shlex.quote(settings.model)}"
        told = ModelUnavailable(error.problem, pull)
        return Health((_trouble(settings, "ollama", "ollama", told),))
    generator = OllamaGenerator(
        server,
        settings.model,
        context=settings.context,
        answer_tokens=settings.answer_tokens,
        seed=settings.seed,
        keep_alive=settings.keep_alive,
    )
    try:
        checks += _ollama_model(settings, hardware, server, generator)
    except RagError as error:
        checks.append(_trouble(settings, "ollama", "model", error))
        return Health(tuple(checks))
    return _timed(settings, generator, checks, measure)


def _version(server: OllamaServer) -> Check:
    version = server.version()
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    detail = f"Ollama {version} at {server.url}"
    if numbers < SAFE_OLLAMA:
        flaw = "older than 0.35, which closed a path-traversal flaw that ran foreign code"
        return Check("ollama", "warn", f"{detail} is {flaw}", "update Ollama, then: ollama serve")
    return Check("ollama", "ok", detail)


def _ollama_model(
    settings: Settings, hardware: Hardware, server: OllamaServer, generator: OllamaGenerator
) -> list[Check]:
    """Raises ModelUnavailable when the model is not there or is not one that writes."""
    installed = server.models()
    try:
        digest = generator.check()
    except ModelUnavailable as error:
        names = ", ".join(m.name for m in installed) or "none"
        problem = f"{error.problem}; installed: {names}"
        raise ModelUnavailable(problem, error.remedy) from error
    details = server.show(settings.model)
    if details.capabilities and "completion" not in details.capabilities:
        can = ", ".join(details.capabilities)
        raise ModelUnavailable(
            f"«{settings.model}» does not write text, it can: {can}", "choose another --model"
        )
    weights = next((m.bytes for m in installed if m.digest == digest), 0)
    size = f"«{settings.model}» ({weights / GB:.1f} GB) is installed"
    trained = details.context_length
    if trained is not None and trained < settings.context:
        problem = f"{size} but reads at most {trained:,} tokens, not {settings.context:,}"
        return [Check("model", "warn", problem, f"RAG_CONTEXT={trained}")]
    return [Check("model", "ok", size), _memory(settings, hardware, weights, details)]


def _memory(settings: Settings, hardware: Hardware, weights: int, details: ModelDetails) -> Check:
    needed = memory_needed(weights, details.kv_bytes_per_token or KV_BYTES, settings.context)
    need = f"needs about {needed / GB:.1f} GB with {settings.context:,} tokens of context"
    host = urlsplit(settings.ollama_url).hostname
    if not runs_here(settings.ollama_url):
        return Check("memory", "ok", f"{need}; the memory of {host} cannot be seen from here")
    if needed < hardware.gpu_memory:
        return Check("memory", "ok", f"{need}; the graphics card has room")
    have = f"{hardware.ram_total / GB:.1f} GB of memory, {hardware.ram_available / GB:.1f} free"
    if needed > hardware.ram_total:
        smaller = recommend(hardware, settings.context)
        remedy = "lower RAG_CONTEXT or use --generator extractive"
        if smaller and smaller.name != settings.model:
            remedy = f"ollama pull {smaller.name}, then ask with --model {smaller.name}"
        error = ModelUnavailable(f"{need}; this machine has {have}", remedy)
        return _trouble(settings, "ollama", "memory", error)
    if needed > hardware.ram_available:
        remedy = "close other programs, unless the model is what fills it: ollama ps"
        return Check("memory", "warn", f"{need}; {have}", remedy)
    return Check("memory", "ok", f"{need}; {have}")


def runs_here(url: str) -> bool:
    return urlsplit(url if "://" in url else f"http://{url}").hostname in HERE


# ------------------------------------------------------------------ OpenAI's protocol


def openai_health(settings: Settings, *, measure: bool) -> Health:
    """Whether the server answers, serves the model, and, if asked for, how fast."""
    if not settings.openai_url:
        missing = ModelUnavailable(
            "no address of an OpenAI-compatible server is set", "--openai-url http://HOST:PORT/v1"
        )
        return Health((failing("openai", missing),))
    try:
        generator = OpenAIGenerator(
            settings.openai_url,
            settings.model,
            # the default is Ollama's name for a model; other servers serve what they were given
            or_first=settings.model == Settings().model,
            api_key=settings.openai_api_key,
            context=settings.context,
            answer_tokens=settings.answer_tokens,
            seed=settings.seed,
            connect_timeout=settings.connect_timeout,
            reply_timeout=settings.reply_timeout,
        )
        generator.check()
    except RagError as error:
        return Health((_trouble(settings, "openai", "openai", error),))
    detail = f"the server serves «{generator.model}» with {generator.context:,} tokens of context"
    return _timed(settings, generator, [Check("openai", "ok", detail)], measure)


def _timed(settings: Settings, generator: Generator, checks: list[Check], measure: bool) -> Health:
    if not measure:
        return Health(tuple(checks))
    try:
        speed = measure_speed(generator)
    except RagError as error:
        return Health((*checks, _trouble(settings, generator.kind, "speed", error)))
    detail = f"reads {speed.prefill[0]:,.0f} tokens a second, writes {speed.decode[0]:,.1f}"
    return Health((*checks, Check("speed", "ok", f"{detail} (measured just now)")), speed)
