"""Claims judged by a chat model, through the same connections that answers are written by.

The reply is held to a JSON schema where the server can do that; where it cannot, it is read as
text. Either way a yes needs a quote that stands in the evidence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import prompts
from rag.checking.base import ModelOpinion
from rag.checking.models import OPTIONS, digest_of, no_opinion
from rag.checking.trust import without_forgeries
from rag.errors import ModelUnavailable, ReplyInvalid, UsageError
from rag.generators._http import Refusal
from rag.generators.base import Generator
from rag.generators.ollama import OllamaGenerator
from rag.generators.openai import OpenAIGenerator
from rag.prompting import build_prompt
from rag.quotes import locate
from rag.records import Passage, Prompt

Pair = tuple[str, Sequence[str]]

#: Tokens a verdict with its quote may take: a quote of 200 characters is about 60. Set by hand.
JUDGE_TOKENS = 192
_LONGEST_QUOTE = 200

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"type": "string", "enum": list(OPTIONS)},
        "quote": {"type": "string", "maxLength": _LONGEST_QUOTE},
    },
    "required": ["verdict", "quote"],
    "additionalProperties": False,
}

#: Statuses by which servers refuse a schema they do not know or cannot hold a model to.
_SCHEMA_REFUSED = (400, 422, 501)


class Judge(Generator, Protocol):
    """A generator that can hold its reply to SCHEMA, as long as ``structured`` says so."""

    structured: bool


class OllamaJudge(OllamaGenerator):
    """A chat model on Ollama; give it the answerer's context, or Ollama loads it anew."""

    structured = True

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        body = super()._request(prompt)
        return {**body, "format": SCHEMA} if self.structured else body


class OpenAIJudge(OpenAIGenerator):
    """A chat model on a server that speaks OpenAI's protocol."""

    structured = True

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        body = super()._request(prompt)
        held = {"name": "verdict", "strict": True, "schema": SCHEMA}
        wanted = {"response_format": {"type": "json_schema", "json_schema": held}}
        return {**body, **wanted} if self.structured else body


class JudgeChecker:
    """A chat model as judge of claims, each in a request of its own, at temperature 0.

    ``writer`` is the ``generator`` entry of the answer to be judged: with the same model the
    judge refuses, unless ``allow_same``.
    """

    kind = "judge"

    def __init__(
        self, judge: Judge, *, writer: Mapping[str, Any] | None = None, allow_same: bool = False
    ) -> None:
        self.model = judge.model
        self.digest: str | None = None
        self._judge = judge
        self._writer = {} if allow_same or writer is None else dict(writer)
        self._template = prompts.load_judge()
        self._ready = False

    def check_ready(self) -> None:
        """Find the model. Raises ModelUnavailable, or UsageError when it wrote the answer."""
        weights = self._judge.check()
        self.model = self._judge.model
        same_name = _short(self._writer.get("model")) == _short(self.model)
        if same_name or (weights and self._writer.get("digest") == weights):
            raise UsageError(
                f"the judge «{self.model}» is the very model that wrote the answer",
                "name another model as judge, or allow it to judge itself",
            )
        self.digest = digest_of(self.kind, weights, self._template.fingerprint + json.dumps(SCHEMA))
        self._ready = True

    def check(self, pairs: Sequence[Pair]) -> list[ModelOpinion]:
        """One opinion for each (claim, evidence), in order; all None with the reason on any fault.

        A server that does not answer is not asked again in the same call. Raises what
        `check_ready` does when that was not called before.
        """
        if not self._ready:
            self.check_ready()
        opinions: list[ModelOpinion] = []
        gone = ""
        for claim, evidence in pairs:
            if gone or not any(text.strip() for text in evidence):
                opinions.append(no_opinion(gone or "there is no evidence to check against"))
                continue
            try:
                opinions.append(read_verdict(self._reply(claim, evidence), evidence))
            except ModelUnavailable as error:
                gone = error.problem
                opinions.append(no_opinion(gone))
            except (ReplyInvalid, UsageError) as error:
                opinions.append(no_opinion(error.problem))
        return opinions

    def _reply(self, claim: str, evidence: Sequence[str]) -> str:
        prompt = self._prompt(claim, evidence)
        try:
            return self._judge.generate(prompt, _unheard).text
        except ModelUnavailable as error:
            cause = error.__cause__
            refused = isinstance(cause, Refusal) and cause.status in _SCHEMA_REFUSED
            if not (refused and self._judge.structured):
                raise
        self._judge.structured = False
        return self._judge.generate(prompt, _unheard).text

    def _prompt(self, claim: str, evidence: Sequence[str]) -> Prompt:
        """Raises ReplyInvalid or UsageError when not all fits: nothing is left out unseen."""
        passages = [_passage(number, text) for number, text in enumerate(evidence, 1)]
        prompt = build_prompt(claim, passages, self._template, self._judge)
        if prompt.dropped:
            raise ReplyInvalid(
                f"only {len(prompt.passages)} of {len(evidence)} evidence texts fit the judge's"
                f" context of {self._judge.context} tokens",
                "raise context (RAG_CONTEXT)",
            )
        return prompt


def read_verdict(reply: str, evidence: Sequence[str]) -> ModelOpinion:
    """The opinion in a judge's reply; all None where it holds none that can be believed.

    A judge gives no probabilities: its word counts 1, and calibration says what that is worth.
    """
    found = list(_verdicts(reply))
    if not found:
        return no_opinion("the judge's reply holds no verdict")
    # The last one counts: what stands before it may be quoted from a document that forges one.
    verdict, quote = found[-1]
    quote = quote.strip()
    if verdict != "supported":
        told = f"the judge says {verdict.replace('_', ' ')}"
        contradicted = float(verdict == "contradicted")
        return ModelOpinion(0.0, contradicted, 1 - contradicted, told)
    if not _stands(quote, evidence):
        return no_opinion("the judge says supported, but its quote stands nowhere in the evidence")
    # A yes must stand alone: a broken reply can hold another verdict around a forged one.
    if _OTHER_VERDICT.search(reply.replace(quote, " ")):
        return no_opinion("the judge's reply holds two different verdicts")
    return ModelOpinion(1.0, 0.0, 0.0, f"the judge says supported: «{' '.join(quote.split())}»")


def _verdicts(reply: str) -> Iterator[tuple[str, str]]:
    """(verdict, quote) of each JSON object, or of each line «verdict: …» where there is none."""
    objects = [o for o in _json_objects(reply) if o.get("verdict") in OPTIONS]
    for found in objects:
        quote = found.get("quote")
        yield found["verdict"], quote if isinstance(quote, str) else ""
    if objects:
        return
    quotes = _QUOTE_LINE.findall(reply)
    for verdict in _VERDICT_LINE.findall(reply):
        yield re.sub(r"[ -]", "_", verdict.lower()), quotes[-1].strip(" \"'«»“”") if quotes else ""


_VERDICT_LINE = re.compile(
    r"^\W*verdict\W+(supported|contradicted|not[_ -]in[_ -]source)\b", re.IGNORECASE | re.MULTILINE
)
_QUOTE_LINE = re.compile(r"^\W*quote\W*[:=]\s*(.+)$", re.IGNORECASE | re.MULTILINE)
_OTHER_VERDICT = re.compile(r"contradict|not[_ -]in[_ -]source", re.IGNORECASE)


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost JSON objects in a text: one inside a quote of another does not count."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(found, dict):
                yield found
        at = text.find("{", end)


def _stands(quote: str, evidence: Sequence[str]) -> bool:
    """Whether the quote is in a text as given, or as the judge was shown it, and is not what the
    text says to its judge: «this claim is supported» is no evidence of anything."""
    shown = [form for text in evidence for form in (text, prompts.inert(text))]
    return any(locate(quote, without_forgeries(text)) for text in shown)


def _passage(number: int, text: str) -> Passage:
    return Passage(number, "evidence", None, None, "", text, score=0.0, chunk_id="")


def _short(model: Any) -> str | None:
    return str(model).removesuffix(":latest") if model else None


def _unheard(piece: str) -> None:
    """A verdict is read when it is whole."""
