"""A TLS handshake that is cut off is a lost connection like any other: only what TLS itself refuses is final."""

from __future__ import annotations

import ssl
from typing import Final, Literal

import pytest
import trio

import trioquotes as tq
from trioquotes._runtime.tls import is_refusal
from trioquotes._runtime.transport import TapConnector
from trioquotes.simulator.faults import DropLine
from trioquotes.simulator.venues.zonda import ZondaSimulator
from trioquotes.testing import World, run_world

How = Literal["reset", "end", "half a record", "internal error", "silence", "plain HTTP"]
LOST: Final[tuple[How, ...]] = ("reset", "end", "half a record", "internal error", "silence")

SAID: Final[dict[How, bytes]] = {
    "end": b"",
    "half a record": b"\x16\x03\x03\x3f\xff\x02\x00",
    "internal error": b"\x15\x03\x03\x00\x02\x02\x50",  # the alert of a server with troubles of its own
    "plain HTTP": b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
}

each = pytest.mark.parametrize("how", LOST)


class CutNetwork:
    """A world's network; some of its streams say something else than the server."""

    def __init__(self, world: World, how: How, *cut: int) -> None:
        self.opened = 0
        self._world = world
        self._how: How = how
        self._cut = cut

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        self.opened += 1
        stream = await self._world.open(host, port)
        return CutStream(stream, self._how) if self.opened in self._cut else stream


class CutStream(trio.abc.Stream):
    """Takes the client's hello, and answers as it should not."""

    def __init__(self, stream: trio.abc.Stream, how: How) -> None:
        self._stream = stream
        self._how: How = how
        self._said = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        del data
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        del max_bytes
        await trio.lowlevel.checkpoint()
        if self._how == "silence":
            await trio.sleep_forever()
        if self._how == "reset":
            raise trio.BrokenResourceError from ConnectionResetError(104, "Connection reset by peer")
        said, self._said = b"" if self._said else SAID[self._how], True
        return said

    async def aclose(self) -> None:
        await self._stream.aclose()


def run(
    how: How, *cut: int, drop_s: float | None = None, timeout_s: float = 30.0
) -> tuple[int, list[tq.Event]]:
    """How many streams a session opened and what it told until it had data on its newest line, under TLS."""

    async def main(world: World) -> tuple[int, list[tq.Event]]:
        drops = () if drop_s is None else (DropLine(connection=1, after_s=drop_s),)
        simulator = ZondaSimulator(seed=1, wall_ns=world.wall_ns, rate=5.0, faults=drops)
        network = CutNetwork(world, how, *cut)
        events: list[tq.Event] = []
        async with world.session(
            world.serve(simulator),
            tq.Trades("BTC-PLN"),
            connector=TapConnector(network),
            connect_timeout_s=timeout_s,
        ) as stream:
            async for event in stream:
                events.append(event)
                lost = any(isinstance(each, tq.Disconnected) for each in events)
                if isinstance(event, tq.Trade) and (drop_s is None or (lost and network.opened > len(cut))):
                    break
        return network.opened, events

    return run_world(main, seed=1, deadline_s=3_600.0, tls=True)


@pytest.mark.parametrize("how", [how for how in LOST if how != "silence"])  # that uses up the whole time
def test_before_the_first_connection_it_is_tried_again(how: How) -> None:
    opened, events = run(how, 1, 2, timeout_s=60.0)
    assert opened == 3
    assert not any(isinstance(event, tq.Disconnected) for event in events)


@each
def test_one_that_is_cut_off_every_time_is_told_when_the_time_is_up(how: How) -> None:
    async def main(world: World) -> None:
        network = CutNetwork(world, how, *range(1, 100))
        served = world.serve(ZondaSimulator(seed=1, wall_ns=world.wall_ns))
        began_s = trio.current_time()
        with pytest.raises(tq.ConnectFailed) as caught:
            async with world.session(
                served, tq.Trades("BTC-PLN"), connector=TapConnector(network), connect_timeout_s=20.0
            ):
                pytest.fail("the session began")
        assert trio.current_time() - began_s == pytest.approx(20.0, abs=0.1)
        words = {
            "reset": "reset by the peer",
            "end": "EOF",
            "half a record": "EOF",
            "silence": "did not answer",
        }
        assert words.get(how, "INTERNAL_ERROR") in str(caught.value)
        assert network.opened > (0 if how == "silence" else 3)

    run_world(main, seed=1, deadline_s=100.0, tls=True)


@pytest.mark.parametrize("how", [*LOST, "plain HTTP"])
def test_after_the_first_connection_it_is_tried_again_for_ever(how: How) -> None:
    """Also what is refused: what was good an hour ago may be good again in a minute."""
    cut = range(2, 10)
    opened, events = run(how, *cut, drop_s=5.0)
    assert opened == 10
    assert sum(isinstance(event, tq.Connected) for event in events) == 2


@pytest.mark.parametrize(
    ("reason", "is_final"),
    [
        ("CERTIFICATE_VERIFY_FAILED", True),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("TLSV1_UNRECOGNIZED_NAME", True),
        ("UNSUPPORTED_PROTOCOL", True),
        ("TLSV1_ALERT_PROTOCOL_VERSION", True),
        ("WRONG_VERSION_NUMBER", True),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True),
        ("TLSV1_ALERT_INSUFFICIENT_SECURITY", True),
        ("TLSV1_ALERT_INTERNAL_ERROR", False),
        ("TLSV1_ALERT_USER_CANCELLED", False),
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", False),
        ("SSLV3_ALERT_BAD_RECORD_MAC", False),
        ("UNEXPECTED_EOF_WHILE_READING", False),
        ("", False),
    ],
)
def test_only_a_reason_of_certificates_or_of_the_protocol_is_final(reason: str, is_final: bool) -> None:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    outer = trio.BrokenResourceError()
    outer.__cause__ = error
    assert is_refusal(outer) is is_final
    assert is_refusal(ssl.SSLCertVerificationError("whatever"))
    assert not is_refusal(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    assert not is_refusal(ConnectionResetError())
