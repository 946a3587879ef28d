"""An echo client on our lines, as the suite's fuzzing server wants one.

Two things a line does not do for its user, who deals in text: it does not say whether a message was text or
binary, and it sends text only. So the client reads the opcodes off the stream under the line, by frame headers
alone, and sends binary messages through the private method under the line's ``send``. What is judged, reading,
answering, sending and closing, is the line's own.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import trio

from trioquotes._protocol.effects import Handshake
from trioquotes._runtime.connector import Connector, Line, LineFailed, Network, Target
from trioquotes._runtime.network import TcpNetwork
from trioquotes._runtime.transport import PlainConnector, TapConnector

__all__ = ["TRANSPORTS", "Kinds", "Suite", "Transport"]

PATIENCE_S = 300.0
"""A bound on one case, or one frame, for a machine that is very slow; the suite has bounds of its own."""

TEXT, BINARY = 1, 2


@attrs.frozen
class Transport:
    """What is put to the test.

    Attributes:
        make: the connector on a network.
        options: of ``Target``, where they are not the default.
        unimplemented: sections of which it may leave cases undone, by its first number.
    """

    make: Callable[[Network], Connector]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    unimplemented: frozenset[str] = frozenset()


COMPRESSION = frozenset({"12", "13"})

TRANSPORTS: Mapping[str, Transport] = {
    "tap": Transport(TapConnector, unimplemented=COMPRESSION),
    "tap-deflate": Transport(TapConnector, options={"compression": True}),
    "plain": Transport(PlainConnector, unimplemented=COMPRESSION),
}
"""Every transport that is shipped, the default one first, as it is and with compression offered."""


class Kinds:
    """Reads off a server's bytes of which opcode each data message is.

    Attributes:
        found: the opcodes of the messages that began and were not asked for yet, oldest first.
    """

    def __init__(self) -> None:
        self.found: deque[int] = deque()
        self._head = b""
        self._answered = False
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Take what was read: the answer to the upgrade first, then frames, cut anyhow."""
        self._head += data
        if not self._answered:
            _, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._answered, self._head = True, rest
        at = 0
        while True:
            skipped = min(self._skip, len(self._head) - at)
            at += skipped
            self._skip -= skipped
            if self._skip or (size := self._header(at)) is None:
                break
            if (opcode := self._head[at] & 0x0F) in (TEXT, BINARY):
                self.found.append(opcode)
            self._skip = size
        self._head = self._head[at:]

    def _header(self, at: int) -> int | None:
        """How long the frame that starts there is, header and all; ``None`` while that is not known."""
        left = len(self._head) - at
        if left < 2:
            return None
        short = self._head[at + 1] & 0x7F
        width = {126: 2, 127: 8}.get(short, 0)
        if left < 2 + width:
            return None
        return 2 + width + (int.from_bytes(self._head[at + 2 : at + 2 + width]) if width else short)


class _Overheard(trio.abc.Stream):
    """A stream that somebody else hears too."""

    def __init__(self, stream: trio.abc.Stream, hear: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._hear = hear

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self._hear(data)
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Network:
    """TCP with somebody who listens."""

    def __init__(self, hear: Callable[[bytes], None]) -> None:
        self._hear = hear

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        return _Overheard(await TcpNetwork().open(host, port), self._hear)


class Suite:
    """A running fuzzing server, as one agent meets it.

    Args:
        url: where it listens.
        transport: the name of one of :data:`TRANSPORTS`.
        agent: what its reports are to call us.
    """

    def __init__(self, url: str, transport: str, agent: str) -> None:
        self._url = url
        self._transport = TRANSPORTS[transport]
        self._agent = agent

    async def cases(self) -> dict[str, int]:
        """The suite's cases: what each is called, and its number now."""
        count = await self._ask("getCaseCount")
        return {
            (await self._ask(f"getCaseInfo?case={number}"))["id"]: number for number in range(1, count + 1)
        }

    async def run(self, number: int) -> str:
        """Play one case; what the suite says of our behaviour, its own word for a failure if it says nothing."""
        with trio.move_on_after(PATIENCE_S):
            async with self._line(f"runCase?case={number}&agent={self._agent}") as (line, kinds):
                await _echo(line, kinds)
            told = await self._ask(f"getCaseStatus?case={number}&agent={self._agent}")
            return str(told["behavior"])
        return "FAILED"

    async def update_reports(self) -> None:
        """Have the reports written."""
        async with self._line(f"updateReports?agent={self._agent}") as (line, kinds):
            await _echo(line, kinds)

    async def _ask(self, question: str) -> Any:
        async with self._line(question) as (line, _):
            batch = await line.receive()
            return json.loads(batch.frames[0])

    @asynccontextmanager
    async def _line(self, path: str) -> AsyncIterator[tuple[Line, Kinds]]:
        kinds = Kinds()
        target = Target(
            handshake=Handshake(f"{self._url}/{path}"),
            connect_timeout_s=PATIENCE_S,  # the server does one thing at a time
            stall_timeout_s=PATIENCE_S,  # some cases send a frame in thousands of pieces
            **self._transport.options,
        )
        async with self._transport.make(_Network(kinds.feed)).line(target) as line:
            yield line, kinds


async def _echo(line: Line, kinds: Kinds) -> None:
    """Send everything back as it came, until the line ends."""
    try:
        while True:
            for payload in (await line.receive()).frames:
                if kinds.found.popleft() == TEXT:
                    await line.send(payload)
                else:
                    await cast("Any", line)._write(payload)
    except LineFailed:
        return
