"""A user who sleeps: pings are answered all the same, and what was dropped is what is reported."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import trioquotes as tq
from tests.runtime.fakes import ToyVenue, ack, tick
from tests.runtime.wire_peers import PING, PONG, TEXT, Hall, Peer, frame, text
from trioquotes._runtime.transport import TapConnector

MINUTE_S = 60
PER_SECOND = 200
BUFFER = 100


class Flood:
    """A server that sends trades and pings, and measures how long each pong takes."""

    def __init__(self) -> None:
        self.answers_s: list[float] = []
        self.sent = 0
        self._pinged_s: dict[bytes, float] = {}

    async def serve(self, peer: Peer) -> None:
        await peer.accept()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, peer, nursery.cancel_scope)
            await peer.send(text(ack("A")))
            for second in range(MINUTE_S):
                payload = str(second).encode()
                self._pinged_s[payload] = trio.current_time()
                trades = [text(tick(self.sent + number)) for number in range(PER_SECOND)]
                half = PER_SECOND // 2
                await peer.send(b"".join([*trades[:half], frame(PING, payload), *trades[half:]]))
                self.sent += PER_SECOND
                await trio.sleep(1)

    async def _listen(self, peer: Peer, scope: trio.CancelScope) -> None:
        while (found := await peer.read_frame()) is not None:
            if found.opcode == PONG:
                self.answers_s.append(trio.current_time() - self._pinged_s.pop(found.payload))
            elif found.opcode != TEXT:
                break
        scope.cancel()


async def test_pongs_come_within_50_ms_while_the_user_sleeps_a_minute(autojump_clock: MockClock) -> None:
    flood = Flood()
    with trio.fail_after(3600):
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, flood.serve)
            session = tq.Session(
                ToyVenue(),
                tq.Trades("A"),
                connector=TapConnector(hall),
                buffer=BUFFER,
            )
            async with session as stream:
                await trio.sleep(MINUTE_S - 0.5)
                (channel,) = stream.statistics().channels
                (lane,) = stream.statistics().lanes
                seen: list[tq.Event] = []
                with pytest.raises(trio.WouldBlock):
                    while True:
                        seen.append(stream.receive_nowait())
            nursery.cancel_scope.cancel()
    assert len(flood.answers_s) == MINUTE_S
    assert max(flood.answers_s) <= 0.05
    assert lane.connections == 1
    trades = [event for event in seen if isinstance(event, tq.Trade)]
    prices = [int(trade.price) for trade in trades]
    reported = sum(event.dropped for event in seen if isinstance(event, tq.Lagged))
    assert (channel.events, channel.queued) == (flood.sent, BUFFER)
    assert reported == channel.dropped == flood.sent - BUFFER
    assert prices == list(range(flood.sent - BUFFER, flood.sent)), "the newest, in order"
    kinds = [type(event) for event in seen]
    assert kinds.index(tq.Lagged) < kinds.index(tq.Trade), "said where they are missing"
