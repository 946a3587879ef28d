"""HTTP/1.1 as a small server needs it: heads in, responses out; the WebSocket handshake starts here too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

__all__ = ["BadRequest", "HttpRequest", "HttpResponse", "Inbox", "json_response", "parse_head"]

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 1_048_576

REASONS = {
    200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 413: "Payload Too Large", 418: "I'm a teapot", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


class BadRequest(Exception):
    """The bytes are not an HTTP request that this server reads.

    Attributes:
        status: the HTTP status to answer with.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@attrs.frozen
class HttpRequest:
    """A request.

    Attributes:
        target: path and query as sent.
        headers: names in lower case; of a repeated one the last.
        raw_head: the head's bytes as received, with the empty line.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    raw_head: bytes
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of a repeated one the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks for the upgrade."""
        return "websocket" in self.headers.get("upgrade", "").lower()

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to ask again on this connection."""
        return self.headers.get("connection", "").lower() != "close"


@attrs.frozen
class HttpResponse:
    """An answer; ``Content-Length`` is added when it is sent."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, close: bool) -> bytes:
        """The bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}", f"Connection: {'close' if close else 'keep-alive'}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def json_response(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> HttpResponse:
    """A JSON answer; floats never occur in it, numbers are written by whoever builds the value."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return HttpResponse(status, body, (("Content-Type", "application/json; charset=utf-8"), *headers))


class Inbox:
    """Reads requests off a stream and keeps what came too early.

    Attributes:
        leftover: bytes read beyond the last request.
    """

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self.leftover = b""

    async def next_request(self) -> HttpRequest | None:
        """The next request with its body, or ``None`` where the client hung up.

        Raises:
            BadRequest: for what is not HTTP/1.1, or too large, or chunked.
        """
        end = await self._fill(b"\r\n\r\n", MAX_HEAD_BYTES)
        if end is None:
            return None
        raw, self.leftover = self.leftover[:end], self.leftover[end:]
        request = parse_head(raw)
        if request.headers.get("transfer-encoding"):
            raise BadRequest("bodies are read by Content-Length only", 411)
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            raise BadRequest("Content-Length", 413)
        while len(self.leftover) < int(length):
            data = await self._stream.receive_some()
            if not data:
                return None
            self.leftover += data
        body, self.leftover = self.leftover[: int(length)], self.leftover[int(length) :]
        return attrs.evolve(request, body=body)

    async def _fill(self, mark: bytes, limit_bytes: int) -> int | None:
        """Read until the mark is there; where it ends, or ``None`` at the end of the stream."""
        while (at := self.leftover.find(mark)) < 0:
            if len(self.leftover) > limit_bytes:
                raise BadRequest("the head is too large", 431)
            data = await self._stream.receive_some()
            if not data:
                return None
            self.leftover += data
        return at + len(mark)


def parse_head(raw: bytes) -> HttpRequest:
    """Read a request line and headers.

    Raises:
        BadRequest: for anything else.
    """
    request_line, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    parts = request_line.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # method, target, version
        raise BadRequest("not an HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise BadRequest("not a header line")
        headers[name.strip().lower()] = value.strip()
    return HttpRequest(parts[0], parts[1], headers, raw)
