"""Frames are split as RFC 6455 says, wherever the stream is cut."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage

from tests.runtime.wire_streams import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    closes,
    controls,
    frame,
    pieces,
    streams,
    violations,
    whole_messages,
)
from trioquotes._protocol.frames import End, FrameSplitter

LIMIT = 1 << 20


class Outcome(NamedTuple):
    messages: list[bytes]
    code: int | None


def ours(stream: bytes, cuts: list[int], limit: int = LIMIT) -> Outcome:
    splitter = FrameSplitter(limit)
    messages = []
    for piece in pieces(stream, cuts):
        messages += splitter.feed(piece).frames
    return Outcome(messages, splitter.end and splitter.end.code)


def theirs(stream: bytes, cuts: list[int]) -> Outcome:
    """What wsproto makes of it: the engine of trio-websocket."""
    connection = Connection(ConnectionType.CLIENT)
    messages: list[bytes] = []
    parts: list[bytes] = []
    for piece in pieces(stream, cuts):
        connection.receive_data(piece)
        for event in connection.events():
            if isinstance(event, CloseConnection):
                return Outcome(messages, int(event.code))
            if isinstance(event, TextMessage | BytesMessage):
                parts.append(event.data.encode() if isinstance(event, TextMessage) else bytes(event.data))
                if event.message_finished:
                    messages.append(b"".join(parts))
                    parts = []
    return Outcome(messages, None)


@settings(max_examples=1000, deadline=None)
@given(streams, st.lists(st.integers(0, 1 << 18), max_size=12))
@example(b"\x81\x7e\x00\x00", [])
@example(b"\x81\x7e\x00\x00" + b"x" * 4, [])
def test_splitter_and_wsproto_agree(stream: bytes, cuts: list[int]) -> None:
    assert ours(stream, cuts) == theirs(stream, cuts)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(whole_messages(), controls, closes, violations), min_size=1, max_size=4).map(b"".join)
)
def test_cutting_at_every_byte_changes_nothing(stream: bytes) -> None:
    if len(stream) <= 2000:
        assert ours(stream, list(range(len(stream)))) == ours(stream, [])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(whole_messages(), controls), max_size=6).map(b"".join),
    st.lists(st.integers(0, 1 << 18), max_size=8),
)
def test_splitter_and_websockets_agree_on_messages(stream: bytes, cuts: list[int]) -> None:
    websockets = pytest.importorskip("websockets.client")
    uri = pytest.importorskip("websockets.uri")
    frames = pytest.importorskip("websockets.frames")
    protocol = websockets.ClientProtocol(uri.parse_uri("ws://localhost/"), max_size=LIMIT)
    protocol.state = pytest.importorskip("websockets.protocol").OPEN
    protocol.parser = protocol.parse()  # behind the handshake, which reading would begin with
    next(protocol.parser)
    messages: list[bytes] = []
    for piece in pieces(stream, cuts):
        protocol.receive_data(piece)
    parts = b""
    for event in protocol.events_received():
        if event.opcode in (frames.Opcode.TEXT, frames.Opcode.BINARY, frames.Opcode.CONT):
            parts += event.data
            if event.fin:
                messages.append(parts)
                parts = b""
    assert ours(stream, cuts) == Outcome(messages, None)


@given(st.lists(controls, max_size=8).map(b"".join), st.lists(st.integers(0, 2000), max_size=8))
def test_pings_are_handed_on_whole_and_pongs_counted(stream: bytes, cuts: list[int]) -> None:
    splitter = FrameSplitter(LIMIT)
    pings, pongs = b"", 0
    for piece in pieces(stream, cuts):
        found = splitter.feed(piece)
        pings += b"".join(found.controls)
        pongs += len(found.pongs)
        assert not found.frames
    kept, at = b"", 0
    expected_pongs = 0
    while at < len(stream):
        stop = at + 2 + stream[at + 1]
        if stream[at] & 0xF == PING:
            kept += stream[at:stop]
        else:
            expected_pongs += 1
        at = stop
    assert (pings, pongs) == (kept, expected_pongs)


@pytest.mark.parametrize(
    "header",
    [
        b"\x82\x7f" + (1 << 62).to_bytes(8),
        b"\x81\x7e" + (1001).to_bytes(2),
        b"\x02\x7f" + (1 << 16).to_bytes(8),
        frame(BINARY, b"a" * 600, fin=False) + b"\x80\x7e" + (401).to_bytes(2),
    ],
)
def test_announced_length_over_the_limit_ends_the_reading_at_the_header(header: bytes) -> None:
    splitter = FrameSplitter(1000)
    found = splitter.feed(header)
    assert found.end == End(1009, "message over 1000 bytes", too_large=True)
    assert not splitter.midway


@pytest.mark.parametrize("fin", [True, False])
def test_message_of_exactly_the_limit_passes(fin: bool) -> None:
    stream = frame(TEXT, b"a" * 1000) if fin else frame(TEXT, b"a" * 600, fin=False) + frame(0, b"a" * 400)
    assert ours(stream, [], limit=1000) == Outcome([b"a" * 1000], None)
    assert ours(stream, [], limit=999) == Outcome([], 1009)


def test_many_empty_fragments_take_no_memory() -> None:
    splitter = FrameSplitter(10)
    splitter.feed(frame(BINARY, b"ab", fin=False))
    for _ in range(100):
        assert splitter.feed(frame(CONTINUATION, b"", fin=False) * 100).frames == []
    assert len(splitter._message or b"") == 2
    assert splitter.feed(frame(CONTINUATION, b"c")).frames == [b"abc"]


def test_nothing_counts_behind_a_close_frame() -> None:
    splitter = FrameSplitter(LIMIT)
    found = splitter.feed(frame(TEXT, b"a") + frame(CLOSE, b"\x03\xe9bye") + frame(TEXT, b"b") + b"\xff")
    assert (found.frames, found.end) == ([b"a"], End(1001, "bye", by_peer=True))
    assert found.controls == [frame(CLOSE, b"\x03\xe9bye")]
    later = splitter.feed(frame(TEXT, b"c"))
    assert (later.frames, later.end, splitter.advanced, splitter.midway) == ([], None, False, False)


def test_what_came_before_a_violation_is_delivered() -> None:
    splitter = FrameSplitter(LIMIT)
    found = splitter.feed(frame(TEXT, b"a") + frame(BINARY, b"b") + frame(TEXT, b"\xff") + frame(TEXT, b"c"))
    assert (found.frames, found.end) == ([b"a", b"b"], End(1007, "text is not UTF-8"))


def test_only_a_whole_frame_is_progress() -> None:
    splitter = FrameSplitter(LIMIT)
    whole = frame(TEXT, b"x" * 300)
    for place in range(len(whole) - 1):
        splitter.feed(whole[place : place + 1])
        assert (splitter.advanced, splitter.midway) == (False, True)
    splitter.feed(whole[-1:])
    assert (splitter.advanced, splitter.midway) == (True, False)
    splitter.feed(frame(PONG) + whole[:5])
    assert (splitter.advanced, splitter.midway) == (True, True)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", 1005),
        (b"\x03\xe8", 1000),
        (b"\x03\xe8" + "ü".encode(), 1000),
        (b"\x03\xe8\xff", 1007),
        (b"\x03", 1002),
        (b"\x03\xec", 1002),
        (b"\x03\xf6", 1002),
        (b"\x0b\xb8", 3000),
        (b"\x13\x88", 1002),
    ],
)
def test_close_frame_means_what_wsproto_takes_it_for(payload: bytes, code: int) -> None:
    assert ours(frame(CLOSE, payload), []) == theirs(frame(CLOSE, payload), []) == Outcome([], code)


def test_every_reason_fits_a_close_frame() -> None:
    for stream in (
        b"\xc1\x00",
        b"\x83\x00",
        b"\x81\x80",
        b"\x09\x00",
        b"\x89\x7e",
        frame(CLOSE, b"\x00\x00"),
    ):
        end = FrameSplitter(1 << 62).feed(stream).end
        assert end is not None
        assert 0 < len(end.reason.encode()) <= 123
    end = FrameSplitter((1 << 62) - 1).feed(b"\x82\x7f" + (1 << 62).to_bytes(8)).end
    assert end is not None
    assert len(end.reason) <= 123
