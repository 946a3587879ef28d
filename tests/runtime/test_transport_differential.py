"""Whatever a server sends and however it is cut, both connectors say what trio-websocket alone says."""

from __future__ import annotations

from typing import NamedTuple, cast

import pytest
import trio
import trio.testing
import trio_websocket
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.wire_peers import (
    CONNECTORS,
    ConnectorType,
    Peer,
    collect,
    connected_bare,
    frame,
)
from tests.runtime.wire_streams import CLOSE, TEXT, pieces, streams

LIMIT = 1 << 20


class Outcome(NamedTuple):
    """What a reader made of a stream that ends with the server hanging up."""

    messages: list[bytes]
    code: int | None


async def send_pieces(peer: Peer, stream: bytes, cuts: list[int]) -> None:
    for piece in pieces(stream, cuts):
        await peer.send(piece)
    await cast(
        "trio.StapledStream[trio.abc.SendStream, trio.abc.ReceiveStream]", peer.stream
    ).send_stream.aclose()


async def ours(connector_type: ConnectorType, stream: bytes, cuts: list[int]) -> Outcome:
    async def script(peer: Peer) -> None:
        await send_pieces(peer, stream, cuts)

    with trio.fail_after(60):
        async with connected_bare(connector_type, script, max_message_bytes=LIMIT) as line:
            frames, _, failed = await collect(line)
    return Outcome(frames, failed.failure.close_code)


async def theirs(stream: bytes, cuts: list[int]) -> Outcome:
    """trio-websocket as its users use it."""
    messages: list[bytes] = []
    code = None
    client, server = trio.testing.memory_stream_pair()

    async def script() -> None:
        peer = Peer(server)
        await peer.accept()
        await send_pieces(peer, stream, cuts)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(script)
            connection = await trio_websocket.wrap_client_stream(
                nursery, cast("trio.SocketStream", client), "localhost", "/", max_message_size=LIMIT
            )
            try:
                while True:
                    message = await connection.get_message()
                    messages.append(message.encode() if isinstance(message, str) else message)
            except trio_websocket.ConnectionClosed as closed:
                code = closed.reason.code if closed.reason is not None else None
            nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(client)
    return Outcome(messages, code)


def run(connector_type: ConnectorType, stream: bytes, cuts: list[int]) -> tuple[Outcome, Outcome]:
    async def main() -> tuple[Outcome, Outcome]:
        return await ours(connector_type, stream, cuts), await theirs(stream, cuts)

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("connector_type", CONNECTORS)
@settings(max_examples=150)
@given(stream=streams, cuts=st.lists(st.integers(0, 1 << 18), max_size=8))
def test_messages_and_close_code_are_those_of_plain_trio_websocket(
    connector_type: ConnectorType, stream: bytes, cuts: list[int]
) -> None:
    mine, plain = run(connector_type, stream, cuts)
    assert mine == plain


@pytest.mark.parametrize("connector_type", CONNECTORS)
def test_every_cut_of_a_short_session_reads_the_same(connector_type: ConnectorType) -> None:
    stream = frame(9, b"p") + frame(TEXT, b"a" * 130) + frame(2, b"\x00") + frame(CLOSE, b"\x03\xf0bye")
    for cut in range(len(stream)):
        mine, plain = run(connector_type, stream, [cut])
        assert mine == plain == Outcome([b"a" * 130, b"\x00"], 1008)


@pytest.mark.parametrize("connector_type", CONNECTORS)
def test_message_over_the_limit_ends_as_it_does_without_us(connector_type: ConnectorType) -> None:
    stream = frame(TEXT, b"a") + frame(TEXT, b"b" * (LIMIT + 1)) + frame(TEXT, b"c")
    mine, plain = run(connector_type, stream, [])
    assert mine.messages == [b"a"]
    assert mine.code == 1009
    assert plain.code in (1009, 1000)  # it may lose its reason while it closes
