"""The connection to a model server, shared by both protocols; httpx stays behind this door.

Until the first line of a reply has come, whatever goes wrong is ModelUnavailable; from then on
it is ReplyInvalid, because half an answer has been seen and must not pass for a whole one.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import httpx

from rag.errors import ModelUnavailable, ReplyInvalid, UsageError
from rag.settings import shown_address

SHOWN_CHARACTERS = 200  # of a server's own words: enough for the cause, still one readable line


class Refusal(Exception):
    """The server answered, but not with what was asked: an error status, or a 200 that is no JSON.

    Never leaves this package: the protocol modules say what it means.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class ModelServer:
    """Where a model server is, how long to wait for it, and what to say when it fails.

    ``url`` is safe to show: a user and password given in it are sent, never printed. ``remedy``
    says what to do when nothing answers there, ``access`` when it wants a key.
    ``connect_timeout`` (seconds) bounds connecting and every answer that needs no model,
    ``reply_timeout`` the silence of a model at work. Raises UsageError for an unusable address
    or key.
    """

    def __init__(
        self, url: str, *, name: str, remedy: str, access: str,
        connect_timeout: float, reply_timeout: float, api_key: str = "",
    ) -> None:  # fmt: skip
        self.name = name
        self.remedy = remedy
        self._access = access
        self.connect_timeout = connect_timeout
        self.reply_timeout = reply_timeout
        parsed = _parsed(name, url)
        self.url = str(parsed.copy_with(userinfo=b"")).rstrip("/")
        self._loopback = _is_loopback(parsed.host)
        self._authorization = _authorization(name, parsed, api_key)
        credentials = self._authorization.partition(" ")[2]
        self._secrets = tuple(s for s in (credentials, parsed.password) if s)

    def under(self, suffix: str) -> str:
        """The address without ``suffix``, for servers named with or without «/v1»."""
        return self.url.removesuffix(suffix).rstrip("/")

    # ------------------------------------------------------------------ requests

    def client_options(self, silence: float) -> dict[str, Any]:
        """Keyword arguments for an httpx client, also one that another package builds.

        Redirects are refused and proxies ignored for loopback hosts: a question meant for this
        machine must not leave it because of HTTP_PROXY.
        """
        wait = self.connect_timeout
        return {
            "timeout": httpx.Timeout(connect=wait, read=silence, write=silence, pool=wait),
            "trust_env": not self._loopback,
            "follow_redirects": False,
            "auth": self._authorize,
            # A kept connection may have died since the last question.
            "limits": httpx.Limits(max_keepalive_connections=0),
        }

    def ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that ``url`` answers with, within ``connect_timeout`` of silence.

        Raises Refusal for an error status or anything but a JSON object, ModelUnavailable when
        there is no HTTP answer.
        """
        with self.transport_errors(self.connect_timeout):
            response = self._client.request(
                method, url, content=_encoded(body), headers=_JSON, timeout=self.connect_timeout
            )
            self._accept(response)
        reply = read_json(response.content)
        if not isinstance(reply, dict):
            raise Refusal(response.status_code, self.quoted(response.text))
        return reply

    def lines(self, url: str, body: dict[str, Any]) -> Generator[bytes, None, None]:
        """POST ``body`` and yield the lines of the reply that are not blank, as they come.

        Raises Refusal for an error status, ModelUnavailable before the first line, ReplyInvalid
        after it. Close the iterator to hang up: the server then stops writing.
        """
        begun = False
        try:
            with (
                self.transport_errors(self.reply_timeout),
                self._client.stream("POST", url, content=_encoded(body), headers=_JSON) as response,
            ):
                self._accept(response)
                for line in _split_lines(response.iter_bytes()):
                    begun = True
                    yield line
        except ModelUnavailable as error:
            if not begun:
                raise
            raise ReplyInvalid(f"the answer was cut off: {error.problem}", "ask again") from error

    @cached_property
    def _client(self) -> httpx.Client:
        try:
            return httpx.Client(**self.client_options(self.reply_timeout))
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"the proxy set in the environment cannot be used for {self.url}",
                "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or list the host in NO_PROXY",
            ) from error

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        # The ollama package adds OLLAMA_API_KEY by itself; a key goes only where it was meant to.
        request.headers.pop("authorization", None)
        if self._authorization:
            request.headers["authorization"] = self._authorization
        return request

    def _accept(self, response: httpx.Response) -> None:
        if response.status_code >= 300:
            response.read()
            raise Refusal(response.status_code, self.quoted(_error_text(response.text)))

    # ------------------------------------------------------------------ errors

    def quoted(self, text: str) -> str:
        """A server's own words, fit for an error: one short line, no secrets, nothing active."""
        visible = "".join(c if c.isprintable() else " " for c in text)
        line = " ".join(visible.split())
        for secret in self._secrets:
            line = line.replace(secret, "(hidden)")
        return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"

    def unavailable(self, problem: str, remedy: str = "") -> ModelUnavailable:
        return ModelUnavailable(f"{self.name} at {self.url} {problem}", remedy or self.remedy)

    def invalid(self, problem: str, remedy: str = "ask again") -> ReplyInvalid:
        return ReplyInvalid(f"the reply of {self.name} at {self.url} {problem}", remedy)

    def refused(self, refusal: Refusal) -> ModelUnavailable:
        """What an error status means wherever the protocol knows nothing better."""
        status = refusal.status
        told = f" (HTTP {status}{': ' if refusal.message else ''}{refusal.message})"
        if status in (401, 403):
            return self.unavailable(f"refuses access{told}", self._access)
        if status in (429, 503):
            return self.unavailable(f"is busy{told}", "try again in a moment")
        if status < 300 or status in (404, 405):
            return self.unavailable(f"does not speak this protocol{told}")
        if status < 400:
            return self.unavailable(f"sends elsewhere{told}", "name the final address instead")
        return self.unavailable(f"failed{told}", "look into its log")

    @contextmanager
    def transport_errors(self, silence: float) -> Iterator[None]:
        """Turn whatever httpx raises into ModelUnavailable, whichever package called it."""
        try:
            yield
        except httpx.ConnectTimeout as error:
            raise self.unavailable(f"took no call within {self.connect_timeout:g} s") from error
        except httpx.TimeoutException as error:
            raise self.unavailable(
                f"was silent for {silence:g} s",
                "see whether it is overloaded, or wait longer (RAG_REPLY_TIMEOUT,"
                " and RAG_CONNECT_TIMEOUT for all but answers)",
            ) from error
        except httpx.HTTPError as error:
            cause = self.quoted(str(error)) or type(error).__name__
            raise self.unavailable(f"does not answer: {cause}") from error
        except ConnectionError as error:  # the ollama package's own, a paragraph of advice
            raise self.unavailable("cannot be reached") from error


_JSON = {"content-type": "application/json"}


def _encoded(body: dict[str, Any] | None) -> bytes | None:
    # PDF text can hold lone surrogates, which no server takes.
    return None if body is None else json.dumps(body, ensure_ascii=False).encode(errors="replace")


def read_json(text: str | bytes) -> Any:
    """The JSON in a server's ``text``, or None if it is none or nested without end."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _split_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines end at a line feed only: httpx's own splitter also cuts at U+0085 or U+2028, which
    may stand unescaped inside a JSON string."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


def _error_text(body: str) -> str:
    """The message inside the error shapes of Ollama, llama.cpp, vLLM and OpenAI, else the body."""
    found = read_json(body)
    if found is None:
        return body
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return found if isinstance(found, str) else json.dumps(found)


def _parsed(name: str, url: str) -> httpx.URL:
    problem = f"the address of {name}, «{shown_address(url)}», is not a usable one"
    remedy = "write it like http://127.0.0.1:11434, without a ? or #"
    try:
        parsed = httpx.URL(url if "://" in url else f"http://{url}")
    except httpx.InvalidURL:
        raise UsageError(problem, remedy) from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise UsageError(problem, remedy)
    return parsed


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _authorization(name: str, parsed: httpx.URL, api_key: str) -> str:
    if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise UsageError(f"the key for {name} holds characters that no key has", "copy it again")
    if api_key:
        return f"Bearer {api_key}"
    if parsed.username or parsed.password:
        pair = f"{parsed.username}:{parsed.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return ""
