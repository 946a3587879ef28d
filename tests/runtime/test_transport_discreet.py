"""What a peer says when it closes, trio-websocket is not told: it would write it into its log."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.wire_peers import Background, Hall, Peer, collect, target, text
from tests.runtime.wire_streams import CLOSE, frame
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.transport import TapConnector

REASON = b"\x03\xf0no such key: HUSH"


@pytest.mark.parametrize("goodbye_by", ["the peer", "us"])
async def test_the_reason_of_a_close_frame_is_known_to_us_alone(
    goodbye_by: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    answers: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a"))
        if goodbye_by == "us":
            answers.append(bytes(await peer.stream.receive_some(1000)))
        await peer.send(frame(CLOSE, REASON))
        if goodbye_by == "the peer":
            answers.append(bytes(await peer.stream.receive_some(1000)))

    hall = Hall(Background(), script)
    with trio.fail_after(20), caplog.at_level(logging.DEBUG):
        async with TapConnector(hall).line(target()) as line:
            assert (await line.receive()).frames == [b"a"]
            if goodbye_by == "the peer":
                _, _, failed = await collect(line)
                assert isinstance(failed, LineFailed)
                assert failed.failure.close_reason == "no such key: HUSH"
    (answer,) = answers
    assert len(answer) == 2 + 4 + 2, "a mask and a code, and nothing repeated"
    assert "HUSH" not in caplog.text
