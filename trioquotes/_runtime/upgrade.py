"""The answer to the upgrade request, read apart so that no refusal loses its status, headers or words.

No I/O: bytes in, a judgement out. trio-websocket is given only a complete ``101`` head, and decides
whether that one is valid. What it says of extensions is settled here and taken out of it.
"""

from __future__ import annotations

from http import HTTPStatus

import h11

from trioquotes._protocol.deflate import Agreement, NotAgreed, agree

__all__ = ["BODY_BYTES", "UpgradeAnswer"]

BODY_BYTES = 4 * 1024
"""How much of a refusal's body is kept: enough for a venue's error message."""

EXTENSIONS = "sec-websocket-extensions"

FIRST_BYTES = b"HTTP/1."
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How a TLS server begins, whether it complains or says hello (RFC 8446, section 5.1)."""
HEAD_BYTES = 64 * 1024
"""The longest head waited for; longer ones are no answer."""


class UpgradeAnswer:
    """Reads one HTTP answer piece by piece.

    Args:
        offered: whether the request offers compression.

    Attributes:
        status: once the head is complete.
        headers: names in lower case, repeated ones joined by a comma.
        body: of a refusal, cut to ``BODY_BYTES``.
        head: of ``101``, as it came but for extensions; for the WebSocket library, which is told of none.
        agreement: on compression, if that was offered and taken.
        rest: what came behind that head: the first frames.
        length_known: whether the head says where a refusal's body ends.
        complete: nothing more is needed.
        wrong: what is wrong with it, if it is not HTTP, or not an answer to what was offered.
    """

    def __init__(self, *, offered: bool = False) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.head = b""
        self.rest = b""
        self.length_known = False
        self.complete = False
        self.wrong = ""
        self.agreement: Agreement | None = None
        self._offered = offered
        self._begin = b""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        # h11 judges an answer by its request: this one only has to ask for the same switch.
        asked = [("Host", "-"), ("Connection", "Upgrade"), ("Upgrade", "websocket")]
        self._http.send(h11.Request(method="GET", target="/", headers=asked))
        self._http.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> None:
        """Take the next bytes; empty ones are the end of the stream."""
        if len(self._begin) < len(FIRST_BYTES):
            self._begin += data[: len(FIRST_BYTES)]
            if not self._begin.startswith(FIRST_BYTES[: len(self._begin)]):
                speaks_tls = self._begin.startswith(TLS_RECORDS)
                hint = (
                    "speaks TLS, not HTTP: its URL begins with wss://"
                    if speaks_tls
                    else "does not speak HTTP"
                )
                self.wrong = f"the peer {hint}"
                return
        unread = self._http.trailing_data[0] + data
        try:
            self._http.receive_data(data)
            while not self.complete:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    return
                trailing = self._http.trailing_data[0]
                self._take(event, unread[: len(unread) - len(trailing)], trailing)
                unread = trailing
        except h11.RemoteProtocolError as error:
            if self.status is None:
                self.wrong = f"the peer's answer is not HTTP: {error!s:.120}" if data else "the peer hung up"
            self.complete = self.status is not None  # a refusal counts, however its body ends

    def _take(self, event: object, raw: bytes, trailing: bytes) -> None:
        if isinstance(event, h11.InformationalResponse):
            if event.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
                return  # early hints and the like come before the answer
            self._take_head(event)
            self.head, self.rest, self.complete = raw, trailing, True
            if EXTENSIONS in self.headers:
                self._take_extensions(event)
        elif isinstance(event, h11.Response):
            self._take_head(event)
            self.length_known = bool({"content-length", "transfer-encoding"} & self.headers.keys())
        elif isinstance(event, h11.Data):
            self.body = (self.body + bytes(event.data))[:BODY_BYTES]
            self.complete = len(self.body) == BODY_BYTES
        else:  # EndOfMessage; or ConnectionClosed before any answer
            self.complete = self.status is not None
            self.wrong = "" if self.complete else "the peer hung up"

    def _take_head(self, event: h11.InformationalResponse | h11.Response) -> None:
        self.status = event.status_code
        for name, value in event.headers:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def _take_extensions(self, event: h11.InformationalResponse) -> None:
        try:
            self.agreement = agree(self.headers[EXTENSIONS], offered=self._offered)
        except NotAgreed as error:
            self.wrong = str(error)
        lines = [b"HTTP/%b %d %b" % (event.http_version, event.status_code, event.reason)]
        lines += [b"%b: %b" % (name, value) for name, value in event.headers if name != EXTENSIONS.encode()]
        self.head = b"".join(line + b"\r\n" for line in [*lines, b""])
