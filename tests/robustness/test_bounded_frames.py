"""However large a frame says it is, however far it would unpack: memory and time stay in proportion to what is allowed."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

import trioquotes as tq
from tests.robustness.hostile import each_venue
from tests.runtime.fakes import ToyVenue, ack
from tests.runtime.wire_peers import CLOSE, Hall, Peer, Script, text
from tests.runtime.wire_streams import BINARY, CONTINUATION, TEXT, frame
from tests.venues.cases import Case
from trioquotes._protocol.effects import HttpRequest
from trioquotes._protocol.frames import FrameSplitter
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.transport import TapConnector

MIB = 1 << 20
HUGE = 100 * MIB
LIMIT = 32 * MIB
PIECE = 16 * 1024
"""What one TLS record brings."""
LITTLE = 1 * MIB
SOME = 8 * MIB
"""Where modules may be loaded meanwhile."""
CPU_S = 10.0
RSV1 = 0x40


@contextmanager
def costing(most_bytes: int) -> Iterator[None]:
    """No more memory at any moment, and no more processor time than is thinkable."""
    tracemalloc.start()
    started_s = time.process_time()
    try:
        yield
        taken_s = time.process_time() - started_s
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < most_bytes
    assert taken_s < CPU_S


def head(size: int, opcode: int = TEXT) -> bytes:
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8)


# Size.


@each_venue
def test_a_frame_of_100_mib_is_refused_at_its_head_by_every_venues_limit(case: Case) -> None:
    splitter = FrameSplitter(case.venue.limits.max_message_bytes)
    piece = b"x" * PIECE
    with costing(LITTLE):
        end = splitter.feed(head(HUGE)).end
        for _ in range(HUGE // PIECE):
            assert splitter.feed(piece).frames == []
    assert end is not None
    assert (end.code, end.too_large) == (1009, True)
    assert not splitter.midway


def test_100_mib_in_fragments_end_where_the_limit_is() -> None:
    splitter = FrameSplitter(LIMIT)
    part = b"x" * MIB
    fed = 0
    with costing(2 * LIMIT):
        end = splitter.feed(frame(BINARY, part, fin=False)).end
        while end is None and fed < HUGE:
            fed += MIB
            end = splitter.feed(frame(CONTINUATION, part, fin=False)).end
    assert end is not None
    assert end.too_large
    assert fed == LIMIT


def test_the_largest_frame_that_is_allowed_costs_three_times_its_size_and_no_more() -> None:
    splitter = FrameSplitter(LIMIT)
    piece = b"x" * PIECE
    found: list[bytes] = []
    with costing(int(3.2 * LIMIT)):
        splitter.feed(head(LIMIT))
        for _ in range(LIMIT // PIECE):
            found += splitter.feed(piece).frames
    assert [len(one) for one in found] == [LIMIT]


def test_a_session_says_that_something_is_missing_and_takes_nothing_of_a_frame_of_100_mib() -> None:
    codes: list[int] = []
    reasons: list[str] = []
    sent = 0

    async def pour(peer: Peer) -> None:
        nonlocal sent
        piece = b"x" * PIECE
        try:
            await peer.send(head(HUGE))
            while sent < HUGE:
                await peer.send(piece)
                sent += PIECE
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def serve(peer: Peer) -> None:
        await peer.accept(then=text(ack("A")))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour, peer)
            while (heard := await peer.read_frame()) is not None:
                if heard.opcode == CLOSE:
                    codes.append(heard.code)
                    break
            nursery.cancel_scope.cancel()

    async def play() -> None:
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                hall = Hall(nursery, serve)
                session = tq.Session(ToyVenue(), tq.Trades("A"), connector=TapConnector(hall))
                with pytest.raises(tq.MessageTooLarge):
                    async with session as stream:
                        async for event in stream:
                            if isinstance(event, tq.Gap):
                                reasons.append(event.reason)
                nursery.cancel_scope.cancel()

    with costing(SOME):
        trio.run(play, clock=MockClock(autojump_threshold=0))
    assert codes == [1009] * 3
    assert set(reasons) == {"message too large"}
    assert sent < 3 * MIB


# What would unpack to far more.


def bomb() -> bytes:
    """64 KiB that permessage-deflate unpacks to 64 MiB (RFC 7692)."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(bytes(64 * MIB)) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed[:-4]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False], ids=["whole", "first fragment"])
def test_a_packed_frame_is_refused_unread_since_packing_was_never_agreed(opcode: int, fin: bool) -> None:
    packed = bomb()
    assert len(packed) < 80 * 1024
    splitter = FrameSplitter(LIMIT)
    stream = frame(TEXT, b"{}") + frame(opcode, packed, fin=fin, bits=RSV1) + frame(TEXT, b"{}")
    with costing(LITTLE):
        found = splitter.feed(stream)
    assert found.frames == [b"{}"], "what came before it is taken"
    assert found.end is not None
    assert (found.end.code, found.end.reason) == (1002, "reserved bit set")


def packing(body: bytes, *headers: bytes) -> Script:
    async def answer(peer: Peer) -> None:
        await peer.read_request()
        lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
        await peer.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    return answer


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP"])
async def test_a_packed_answer_over_http_is_refused_unread(encoding: str, autojump_clock: MockClock) -> None:
    packed = gzip.compress(bytes(64 * MIB))
    reason = "none"
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, packing(packed, b"Content-Encoding: " + encoding.encode()))
        with costing(SOME), pytest.raises(LineFailed) as caught:
            await TapConnector(hall).fetch(HttpRequest("http://127.0.0.1/"), timeout_s=5, ssl_context=None)
        reason = caught.value.failure.reason
        nursery.cancel_scope.cancel()
    assert "packed" in reason
