"""Which generator writes: what the settings name, else the best there is, else quotes."""

from __future__ import annotations

from collections.abc import Callable

from rag.errors import ModelUnavailable, UsageError
from rag.generators.base import Generator
from rag.generators.extractive import ExtractiveGenerator
from rag.quotable import SentenceVectors
from rag.settings import Settings

#: Seconds that looking for Ollama may take where nobody asked for it.
_GLANCE = 1.5


def choose_generator(
    settings: Settings, vectors: SentenceVectors, notice: Callable[[str], None]
) -> tuple[Generator, str | None]:
    """The generator to use and its model's digest, None where the server does not tell.

    ``auto``: an OpenAI-compatible server where one is named, else Ollama where it has the model,
    else quotes, and ``notice`` hears what to type for a written answer. Raises ModelUnavailable or
    UsageError for a generator that was asked for by name and cannot be used.
    """
    wanted = settings.generator
    if wanted == "auto" and settings.openai_url:
        wanted = "openai"
    if wanted in ("auto", "ollama"):
        generator = _ollama(settings, glance=wanted == "auto")
        try:
            return generator, generator.check()
        except ModelUnavailable as error:
            if wanted == "ollama":
                raise
            start = "" if "ollama pull" in error.remedy else "ollama serve, then "
            notice(
                f"{error.problem}, so the sources are quoted; for a written answer: "
                f"{start}ollama pull {settings.model}"
            )
    if wanted == "openai":
        must_name_a_server(settings)
        server = _openai(settings)
        return server, server.check()
    return ExtractiveGenerator(vectors), None


def must_name_a_server(settings: Settings) -> None:
    """Raises UsageError for the generator «openai» without an address."""
    if settings.generator == "openai" and not settings.openai_url:
        raise UsageError("no OpenAI-compatible server is named", "give --openai-url URL")


def _ollama(settings: Settings, *, glance: bool) -> Generator:
    from rag.generators.ollama import OllamaGenerator, OllamaServer

    s = settings
    timeout = min(_GLANCE, s.connect_timeout) if glance else s.connect_timeout
    server = OllamaServer(s.ollama_url, connect_timeout=timeout, reply_timeout=s.reply_timeout)
    return OllamaGenerator(
        server, s.model, context=s.context, answer_tokens=s.answer_tokens, seed=s.seed,
        keep_alive=s.keep_alive,
    )  # fmt: skip


def _openai(settings: Settings) -> Generator:
    from rag.generators.openai import OpenAIGenerator

    s = settings
    default = s.model == Settings().model  # Ollama's name; other servers may serve another
    return OpenAIGenerator(
        s.openai_url, s.model, or_first=default, api_key=s.openai_api_key, context=s.context,
        answer_tokens=s.answer_tokens, seed=s.seed, connect_timeout=s.connect_timeout,
        reply_timeout=s.reply_timeout,
    )  # fmt: skip
