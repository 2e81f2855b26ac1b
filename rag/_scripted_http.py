"""The sockets behind ``rag.testing.ScriptedServer``, and every way for a server to fail."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, get_args

#: How a whole server can fail. «garbage» is no HTTP at all, «not_json» a web page under HTTP 200.
FaultKind = Literal[
    "refused", "timeout", "401", "404", "500", "503", "garbage", "not_json", "reset"
]  # fmt: skip
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)
_STATUS_TEXT = {
    "401": "unauthorized", "404": "not found", "500": "internal error", "503": "server busy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer to a chat or pull request; by default it arrives whole.

    ``status`` other than 200 sends ``error`` as the body; under 200 ``error`` is a line after
    the text. ``ending``: «stop» and others are the reason given at the end; «cut» ends the
    stream without a last record, «reset» drops the connection, «malformed» sends half a record,
    «stall» says nothing more. ``prompt_tokens`` None is an honest count (4 bytes a token),
    0 leaves it out.
    """

    text: str = ""
    thinking: str = ""
    status: int = 200
    error: str = ""
    ending: str = "stop"
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent: header names in lower case, ``raw`` the body, ``body`` it as JSON."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass(eq=False)
class Script:
    """What the server is to say, and what it was asked. ``models`` are the names it has,
    ``tokenize`` is whose /tokenize it offers, ``slot_context`` what /props tells (0: no /props)."""

    models: list[str]
    tokenize: Literal["llama.cpp", "vllm", ""] = "llama.cpp"
    slot_context: int = 0
    requests: list[Request] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    faults: dict[str, FaultKind] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def fault_for(self, path: str) -> FaultKind | None:
        return next((kind for start, kind in self.faults.items() if path.startswith(start)), None)


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free loopback port that answers through ``handler`` as ``script`` says."""

    daemon_threads = True

    def __init__(self, script: Script, handler: type[FaultyHandler]) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), handler)


class FaultyHandler(BaseHTTPRequestHandler):
    """Records each request and either fails as told or leaves it to ``answer``."""

    protocol_version = "HTTP/1.1"
    server: LoopbackServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a test reads ``requests`` instead."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, raw)
        self.close_connection = True
        script = self.server.script
        script.requests.append(request)
        try:
            fault = script.fault_for(self.path)
            if fault is not None:
                self._fail(fault)
            else:
                self.answer(request)
        except ConnectionError:
            return  # the client hung up, as it may

    def answer(self, request: Request) -> None:
        """Answer as the protocol of the subclass does."""
        raise NotImplementedError

    # ------------------------------------------------------------------ faults

    def _fail(self, kind: FaultKind) -> None:
        if kind == "timeout":
            self.server.script.closing.wait()
        elif kind == "reset":
            self.reset()
        elif kind == "garbage":
            self.wfile.write(b"\x16\x03\x01\x00 this is no HTTP\r\n\r\n")
        elif kind == "not_json":
            self.send_body(
                b"<html><body>Welcome\x1b[31m to this hotel's network</body></html>", 200
            )
        else:
            # Servers repeat what they were sent; a client must not pass a key on from there.
            key = self.headers.get("authorization", "")
            self.send_json({"error": f"{_STATUS_TEXT[kind]} {key}"}, int(kind))

    def reset(self) -> None:
        """Drop the connection with RST instead of FIN, as a crash or a proxy does."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        # The handler's file objects keep the socket open otherwise.
        socket.socket(fileno=self.connection.detach()).close()

    # ------------------------------------------------------------------ bytes

    def send_json(self, record: Any, status: int = 200) -> None:
        self.send_body(json.dumps(record).encode(), status)

    def send_body(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, text: str) -> None:
        data = text.encode(errors="surrogatepass")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
