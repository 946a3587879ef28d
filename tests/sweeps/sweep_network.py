"""A network that keeps account of every stream and every call, and lets one call fail."""

from __future__ import annotations

from collections.abc import Callable

import trio

from trioquotes._runtime.connector import Network

__all__ = ["SweepNetwork", "Trouble"]

PAUSE_S = 0.002
"""How long the second half of a write takes to follow the first: long enough to be cancelled in between."""


class Trouble:
    """What goes wrong: the nth call of the network and its streams raises.

    Args:
        nth: which call, from 1; 0 for none.
        error: makes what it raises.

    Attributes:
        calls: the names of all calls so far.
        struck: the name of the call that raised; empty if none did.
        raised: what it raised.
        struck_s: when.
    """

    def __init__(self, nth: int = 0, error: Callable[[], BaseException] = OSError) -> None:
        self.calls: list[str] = []
        self.struck = ""
        self.raised: BaseException | None = None
        self.struck_s = 0.0
        self._nth = nth
        self._error = error

    def step(self, name: str) -> None:
        """A call begins."""
        self.calls.append(name)
        if len(self.calls) == self._nth:
            self.struck, self.struck_s = name, trio.current_time()
            self.raised = self._error()
            raise self.raised


class SweepNetwork:
    """Streams of another network, watched.

    Args:
        network: makes them.
        trouble: what goes wrong.

    Attributes:
        streams: all that were opened.
    """

    def __init__(self, network: Network, trouble: Trouble) -> None:
        self.streams: list[SweepStream] = []
        self._network = network
        self._trouble = trouble

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """A stream to that host and port."""
        self._trouble.step("open")
        stream = SweepStream(await self._network.open(host, port), self._trouble)
        self.streams.append(stream)
        return stream

    @property
    def left_open(self) -> list[int]:
        """Which streams nobody closed, by ordinal."""
        return [number for number, stream in enumerate(self.streams, 1) if not stream.closed]


class SweepStream(trio.abc.Stream):
    """One stream; a write of several bytes goes out in two halves, so that it can be cancelled in the middle."""

    def __init__(self, stream: trio.abc.Stream, trouble: Trouble) -> None:
        self.closed = False
        self._stream = stream
        self._trouble = trouble

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write the one half, and a little later the other."""
        self._trouble.step("send_all")
        half = (len(data) + 1) // 2
        await self._stream.send_all(data[:half])
        await trio.sleep(PAUSE_S)
        self._trouble.step("send_all, second half")
        await self._stream.send_all(data[half:])

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream says."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read."""
        self._trouble.step("receive_some")
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close; where that fails, it is closed nevertheless, as with every stream of trio's."""
        self.closed = True
        with trio.CancelScope(shield=True):
            await self._stream.aclose()
        self._trouble.step("aclose")
        await trio.lowlevel.checkpoint()
