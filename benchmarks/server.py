"""The server: a process of its own that sends what was made before, as fast as sockets take it.

It reads one order a line from standard input, ``{"feed": ..., "mode": ..., ...}``, says where it listens, serves one
client and says what it did. Frames are made, and with TLS encrypted, before the first of them goes out, so that sending
costs system calls alone. Modes:

* ``bulk``: as many frames a write as fit into 64 KiB; with TLS in records of 16 KiB.
* ``record``: with TLS every frame is a record of its own, and the records are written as in ``bulk``.
* ``segment``: a write for every frame, with ``TCP_NODELAY``; with TLS a record each.
* ``paced``: as ``segment``, so many a second; the monotonic time before each write is kept.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.cores import SERVER, stay_on
from benchmarks.inputs import FEEDS
from benchmarks.inputs.base import Feed, Stock
from benchmarks.wire import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, accepted, chunks, encoded

__all__ = ["main"]

WRITE_BYTES = 65536
QUIET_S = 0.25
"""So long nothing more must be asked for before the frames begin."""
PAUSE_S = 0.3
"""Between warm-up and measured frames, and more for each of them: the client is done with them by then."""
PAUSE_EACH_S = 0.0001
SPIN_NS = 300_000
"""Shorter waits are spun: a sleep wakes late."""
PATIENCE_S = 60.0
KEPT_STOCKS = 12


class Wire:
    """One client's socket, plain or with TLS on memory, so that records can be made ahead."""

    def __init__(self, peer: socket.socket, context: ssl.SSLContext | None) -> None:
        self.socket = peer
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.settimeout(PATIENCE_S)
        self._tls: ssl.SSLObject | None = None
        if context is not None:
            self._inward, self._outward = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._inward, self._outward, server_side=True)
            self._step(self._tls.do_handshake)

    def _step(self, call: Any, *arguments: Any) -> Any:
        while True:
            try:
                done = call(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(WRITE_BYTES)
                if not data:
                    return b""
                self._inward.write(data)
            except ssl.SSLZeroReturnError:
                return b""
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if self._outward.pending:
            self.socket.sendall(self._outward.read())

    def recv(self) -> bytes:
        if self._tls is None:
            return self.socket.recv(WRITE_BYTES)
        return bytes(self._step(self._tls.read, WRITE_BYTES))

    def send(self, data: bytes) -> None:
        self.socket.sendall(self.sealed([data])[0])

    def sealed(self, pieces: Iterable[bytes]) -> list[bytes]:
        """What goes over the socket for each of these; with TLS in this order alone."""
        if self._tls is None:
            return list(pieces)
        made = []
        for piece in pieces:
            self._tls.write(piece)
            made.append(self._outward.read())
        return made


class Service:
    """One order: its listening socket, its clients, and the one of them that gets the frames."""

    def __init__(
        self, order: dict[str, Any], feed: Feed, stock: Stock, context: ssl.SSLContext | None
    ) -> None:
        self._order = order
        self._feed = feed
        self._stock = stock
        self._context = context
        self._opcode = BINARY if feed.binary else TEXT
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._together = threading.Barrier(order["sessions"])
        self._left = order["sessions"]
        self._lock = threading.Lock()
        self._done = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.began_ns = 0
        self.cpu_ns = 0
        self.stamps = array("q")

    def run(self) -> None:
        """Serve until the frames are out and the client is gone."""
        threading.Thread(target=self._accept, daemon=True).start()
        if not self._done.wait(PATIENCE_S * 5):
            raise TimeoutError("no client took all frames")
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer:
                wire = Wire(peer, self._context)
                while (request := self._request(wire)) is not None:
                    line, headers = request
                    if headers.get("upgrade", "").lower() == "websocket":
                        wire.send(accepted(headers))
                        self._converse(wire)
                        return
                    self._answer(wire, line)
        except (OSError, ssl.SSLError):
            pass  # a client that leaves in the middle is seen by what the client says

    def _request(self, wire: Wire) -> tuple[str, dict[str, str]] | None:
        text = b""
        while b"\r\n\r\n" not in text:
            data = wire.recv()
            if not data:
                return None
            text += data
        line, *fields = text.split(b"\r\n\r\n")[0].decode().split("\r\n")
        named = (field.partition(":") for field in fields)
        return line, {name.lower(): value.strip() for name, _, value in named}

    def _answer(self, wire: Wire, line: str) -> None:
        method, target, _ = line.split(" ")
        body = self._feed.script().fetched(method, target)
        status = "200 OK" if body is not None else "404 Not Found"
        body = body or b"{}"
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        wire.send(head.encode() + body)

    def _converse(self, wire: Wire) -> None:
        script = self._feed.script()
        for payload in script.opened():
            wire.send(encoded(payload, self._opcode))
        reader = FrameReader()
        while True:
            wire.socket.settimeout(QUIET_S if script.ready() else PATIENCE_S)
            try:
                data = wire.recv()
            except TimeoutError:
                if not script.ready():
                    raise
                self._stream(wire)
                return
            if not data:
                return
            for opcode, payload in reader.feed(data):
                if opcode == CLOSE:
                    return
                if opcode in {TEXT, BINARY}:
                    for answer in script.asked(payload.decode()):
                        wire.send(encoded(answer, self._opcode))

    def _stream(self, wire: Wire) -> None:
        stock = self._stock
        warm, measured = (
            self._pieces(wire, [encoded(payload, self._opcode) for payload in payloads])
            for payloads in (stock.warm, stock.measured)
        )
        send = self._paced if self._order["mode"] == "paced" else self._out
        wire.socket.settimeout(None)
        try:
            self._together.wait(PATIENCE_S)
            send(wire, warm)
            time.sleep(PAUSE_S + PAUSE_EACH_S * len(stock.warm) * self._order["sessions"])
            self._together.wait(PATIENCE_S)
            self.began_ns, began = time.monotonic_ns(), time.process_time_ns()
            send(wire, measured)
            self.cpu_ns = time.process_time_ns() - began
            self._part(wire)
        finally:
            with self._lock:
                self._left -= 1
                if not self._left:
                    self._done.set()

    @staticmethod
    def _part(wire: Wire) -> None:
        """Let the client say goodbye, or hang up."""
        reader = FrameReader()
        while data := wire.recv():
            for opcode, payload in reader.feed(data):
                if opcode == CLOSE:
                    wire.send(encoded(payload, CLOSE))
                    return
                if opcode == PING:
                    wire.send(encoded(payload, PONG))

    def _pieces(self, wire: Wire, frames: list[bytes]) -> list[bytes]:
        """What to write, one after the other."""
        match self._order["mode"]:
            case "bulk":
                return wire.sealed(chunks(frames, WRITE_BYTES))
            case "record":
                return list(chunks(wire.sealed(frames), WRITE_BYTES))
            case _:
                return wire.sealed(frames)

    @staticmethod
    def _out(wire: Wire, pieces: list[bytes]) -> None:
        send = wire.socket.sendall
        for piece in pieces:
            send(piece)

    def _paced(self, wire: Wire, pieces: list[bytes]) -> None:
        every_ns = 1_000_000_000 // int(self._order["rate"])
        send, now = wire.socket.sendall, time.monotonic_ns
        stamps = array("q", bytes(8 * len(pieces)))
        due = now()
        for at, data in enumerate(pieces):
            due += every_ns
            left = due - now()
            if left > SPIN_NS:
                time.sleep((left - SPIN_NS) / 1e9)
            while now() < due:
                pass
            stamps[at] = now()
            send(data)
        self.stamps = stamps


def certificate(folder: Path) -> ssl.SSLContext:
    """A context for ``localhost``; whom to trust for it is put into the folder."""
    import trustme  # noqa: PLC0415  # without TLS nobody needs it

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def main() -> None:
    stay_on(SERVER)
    made: dict[tuple[str, int, int, int], tuple[Feed, Stock]] = {}
    with tempfile.TemporaryDirectory(prefix="feeds-") as name:
        folder = Path(name)
        context: ssl.SSLContext | None = None
        for line in sys.stdin:
            order = json.loads(line)
            key = (order["feed"], order["warm"], order["count"], order["instruments"])
            if key not in made:
                if len(made) == KEPT_STOCKS:
                    made.clear()
                kind = FEEDS[order["feed"]]
                feed = kind.wide(order["instruments"]) if order["instruments"] else kind()
                made[key] = (feed, feed.stock(order["warm"], order["count"]))
            feed, stock = made[key]
            if order["tls"] and context is None:
                context = certificate(folder)
            service = Service(order, feed, stock, context if order["tls"] else None)
            say(
                port=service.port, authority=str(folder / "ca.pem"), source=feed.source, kinds=stock.kinds,
                instruments=feed.instruments,
                expected=[stock.expected[0] * order["sessions"], str(stock.expected[1] * order["sessions"])],
            )  # fmt: skip
            service.run()
            stamps = folder / "stamps"
            stamps.write_bytes(service.stamps.tobytes())
            say(began_ns=service.began_ns, cpu_ns=service.cpu_ns, stamps=str(stamps))


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
