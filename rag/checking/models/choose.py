"""Which model checks claims: what the settings name, else the best there is, else none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag.checking.base import ModelChecker
from rag.errors import ModelUnavailable, UsageError
from rag.settings import Settings

#: Seconds that looking for a decision model may take where nobody asked for one.
_GLANCE = 1.5


def choose_checker(
    settings: Settings, writer: Mapping[str, Any] | None = None
) -> ModelChecker | None:
    """The model that the setting ``verifier`` asks for; None for code alone.

    ``auto``: a decision model where one is pulled, else the NLI model that ``verifier_model``
    names, else none; never a chat model. ``writer``: the ``generator`` entry of the answer to be
    checked; its own model is refused as judge. Raises ModelUnavailable or UsageError for a model
    that was asked for by name and cannot be used.
    """
    wanted = settings.verifier
    if wanted == "auto":
        near = writer is None or writer["kind"] == "ollama"  # else nobody has called on Ollama
        found = _decision(settings, glance=True) if near else None
        return found or (_nli(settings) if _is_nli(settings) else None)
    if wanted == "decision":
        return _decision(settings, glance=False)
    if wanted == "nli":
        return _nli(settings)
    return _judge(settings, writer) if wanted == "judge" else None


def must_name_a_model(settings: Settings) -> None:
    """Raises UsageError for the verifier «nli» without a model."""
    if settings.verifier == "nli" and not settings.verifier_model:
        raise UsageError("no NLI model is named", "give --verifier-model FOLDER or a hub name")


def _is_nli(settings: Settings) -> bool:
    """Names of Ollama's models have a tag; folders and hub names have none."""
    return bool(settings.verifier_model) and ":" not in settings.verifier_model


def _decision(settings: Settings, *, glance: bool) -> ModelChecker | None:
    from rag.checking.models.decision import DecisionChecker, find_decision_model
    from rag.generators.ollama import OllamaServer

    timeout = min(_GLANCE, settings.connect_timeout) if glance else settings.connect_timeout
    server = OllamaServer(
        settings.ollama_url, connect_timeout=timeout, reply_timeout=settings.reply_timeout
    )
    try:
        found = find_decision_model(server)
    except ModelUnavailable:
        if glance:
            return None
        raise
    if found is None:
        if glance:
            return None
        raise ModelUnavailable(
            f"Ollama at {server.url} has no decision model", "pull one: ollama pull d1-omni"
        )
    checker = DecisionChecker(server.http, found.name, weights=found.digest)
    if not glance:
        checker.check_ready()
    return checker


def _nli(settings: Settings) -> ModelChecker:
    from rag.checking.models.nli import NliChecker

    must_name_a_model(settings)
    return NliChecker(settings.verifier_model)


def _judge(settings: Settings, writer: Mapping[str, Any] | None) -> ModelChecker:
    from rag.checking.models.judge import JUDGE_TOKENS, JudgeChecker, OllamaJudge, OpenAIJudge
    from rag.generators.ollama import OllamaServer

    s = settings
    if s.openai_url:
        judge: OllamaJudge | OpenAIJudge = OpenAIJudge(
            s.openai_url, s.verifier_model, or_first=not s.verifier_model,
            api_key=s.openai_api_key, context=s.context, answer_tokens=JUDGE_TOKENS, seed=s.seed,
            connect_timeout=s.connect_timeout, reply_timeout=s.reply_timeout,
        )  # fmt: skip
    else:
        server = OllamaServer(
            s.ollama_url, connect_timeout=s.connect_timeout, reply_timeout=s.reply_timeout
        )
        judge = OllamaJudge(
            server, s.verifier_model or s.model, context=s.context, answer_tokens=JUDGE_TOKENS,
            seed=s.seed, keep_alive=s.keep_alive,
        )  # fmt: skip
    checker = JudgeChecker(judge, writer=writer)
    checker.check_ready()
    return checker
