"""A connection to a Qdrant server, and what each of its failures means for the user.

Nothing is tried twice, so a failure shows within one ``qdrant_timeout``.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import math
import threading
import warnings
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from rag.errors import (
    DiskFull,
    IndexLocked,
    IndexMissing,
    RagError,
    StoreUnavailable,
    UsageError,
)
from rag.settings import Settings, shown_address

MEMORY = "memory://"

#: What qdrant-client lets through. An answer that is not Qdrant's ends in it as ValueError,
#: AssertionError or RecursionError, depending on where it stops making sense.
_FAILURES = (ApiException, QdrantException, ValueError, AssertionError, RecursionError)

_SHOWN = 160  # characters of the server's own words in an error

_START = "start it (docker compose up --detach qdrant) or correct --qdrant-url"
_CHECK_ADDRESS = "check that --qdrant-url is the HTTP address of a Qdrant server, usually port 6333"


class Connection:
    """One Qdrant server. ``url`` is safe to show.

    ``memory://NAME`` as address is a store in this process, for tests: the same one for the same
    name. ``silent`` tells whether the last call waited in vain. Raises UsageError for an address
    or key that cannot be one.
    """

    def __init__(self, settings: Settings) -> None:
        self.timeout = max(1, math.ceil(settings.qdrant_timeout))  # the client takes whole seconds
        self.silent = False
        self.in_memory = settings.qdrant_url.startswith(MEMORY)
        self._collection = settings.collection
        self._key = settings.qdrant_api_key
        self._secrets = settings.secrets
        self._lock: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self.in_memory:
            self.url = settings.qdrant_url
            self.client, self._lock = _memory_client(self.url)
        else:
            address = _address(settings.qdrant_url)
            self.url = address.geturl().rstrip("/")
            self.client = _client(self.url, address.hostname or "", self._key, self.timeout)

    def close(self) -> None:
        if not self.in_memory:
            self.client.close()

    def unavailable(self, problem: str, remedy: str) -> StoreUnavailable:
        return StoreUnavailable(f"Qdrant at {self.url} {problem}", remedy)

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Around every use of ``client``: what it raises becomes one of our errors."""
        try:
            with self._lock:
                yield
        except _FAILURES as error:
            self.silent = _timed_out(error)
            told = any(secret in str(error) for secret in self._secrets)
            raise self._translated(error) from (None if told else error)
        self.silent = False

    def _translated(self, error: Exception) -> RagError:
        if isinstance(error, UnexpectedResponse):
            return self._answered(error.status_code or 0, error.content)
        if isinstance(error, QdrantException):  # HTTP 429 with a time to wait
            return self._answered(429, b"")
        cause = error.source if isinstance(error, ResponseHandlingException) else error
        if _timed_out(error):
            return self.unavailable(
                f"did not answer within {self.timeout} s", "check it, or raise RAG_QDRANT_TIMEOUT"
            )
        if isinstance(cause, (ValueError, AssertionError, RecursionError)):
            return self.unavailable("answered with something that is not Qdrant's", _CHECK_ADDRESS)
        name = type(cause).__name__
        problem = "cannot be reached" if name == "ConnectError" else "gave no whole answer"
        return self.unavailable(f"{problem} ({self._quoted(str(cause)) or name})", _START)

    def _answered(self, status: int, body: bytes) -> RagError:
        """What an error status means. Only Qdrant's own 404 says that a collection is missing."""
        said = self._quoted(_error_text(body))
        told = f"(HTTP {status}: {said})" if said else f"(HTTP {status})"
        if status in (401, 403):
            given = "" if self._key else ", none was given"
            return self.unavailable(
                f"said: key refused{given} (HTTP {status})", "set RAG_QDRANT_API_KEY to its key"
            )
        if status == 404 and said:
            return IndexMissing(
                f"no collection {self._collection} at {self.url}", "make it: rag ingest FOLDER"
            )
        if status == 409 or "already exists" in said:
            return IndexLocked(
                f"collection {self._collection} at {self.url} is being made by another run",
                "try again in a moment",
            )
        if "no space left" in said.lower():  # Qdrant refuses writes before its disk is full
            return DiskFull(f"the disk of Qdrant at {self.url} is full", "free some of it")
        if status in (429, 503):
            return self.unavailable(f"is busy {told}", "try again in a moment")
        if status >= 500:
            return self.unavailable(f"failed {told}", "its log says more")
        return self.unavailable(f"refused the request {told}", _CHECK_ADDRESS)

    def _quoted(self, text: str) -> str:
        """The server's own words in one short line, without secrets or control characters."""
        for secret in self._secrets:
            text = text.replace(secret, "(hidden)")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _timed_out(error: Exception) -> bool:
    # httpx raised the source; known by name here, because its door is another module
    return isinstance(error, ResponseHandlingException) and "Timeout" in type(error.source).__name__


def _error_text(body: bytes) -> str:
    """The message in ``{"status": {"error": …}}``, empty when the body is not Qdrant's."""
    try:
        return str(json.loads(body)["status"]["error"])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""


_memories: dict[str, tuple[QdrantClient, threading.RLock]] = {}


def _memory_client(url: str) -> tuple[QdrantClient, threading.RLock]:
    """The process-wide store of that name; its lock, because that client knows no threads."""
    if url not in _memories:
        _memories[url] = (QdrantClient(":memory:"), threading.RLock())
    return _memories[url]


def _client(url: str, host: str, key: str, timeout: int) -> QdrantClient:
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError("the key for Qdrant holds characters that no key has", "copy it again")
    with warnings.catch_warnings():
        # plain http is right on loopback and inside a container network
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(
            url=url,
            api_key=key or None,
            timeout=timeout,
            prefer_grpc=False,
            check_compatibility=False,  # it would ask, and warn, from a thread of its own
            # documents meant for this machine must not leave it because of HTTP_PROXY
            trust_env=not _is_loopback(host),
        )


def _address(url: str) -> SplitResult:
    error = UsageError(
        f"the address of Qdrant, «{shown_address(url)}», is not a usable one",
        "write it like http://127.0.0.1:6333, without a ? or #, and the key in RAG_QDRANT_API_KEY",
    )
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise error from None
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise error
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
