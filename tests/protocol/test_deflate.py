"""Compressed messages come out as they went in, whatever was agreed on, however they are cut, and never too large."""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib
from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.frames import Opcode
from websockets.headers import parse_extension
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from tests.runtime.wire_streams import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    controls,
    frame,
    pieces,
    streams,
)
from trioquotes._protocol.deflate import (
    CHUNK_BYTES,
    FINALS_A_SLICE,
    OFFER,
    SLICE_BYTES,
    Agreement,
    InflatingSplitter,
    NotAgreed,
    agree,
)
from trioquotes._protocol.frames import End, FrameSplitter

LIMIT = 1 << 20
MIB = 1 << 20
RSV1 = 0x40
TAIL = b"\x00\x00\xff\xff"


class Packing(NamedTuple):
    """How a server compresses."""

    bits: int = 15
    takeover: bool = True
    level: int = -1
    memory: int = 8
    strategy: int = zlib.Z_DEFAULT_STRATEGY

    @property
    def agreement(self) -> Agreement:
        return Agreement(server_no_context_takeover=not self.takeover, server_max_window_bits=self.bits)


USUAL = Packing()
AGREED = USUAL.agreement


class Packer:
    """A server's compressor."""

    def __init__(self, packing: Packing = USUAL) -> None:
        self._packing = packing
        self._packer = self._new()

    def _new(self) -> zlib._Compress:
        how = self._packing
        return zlib.compressobj(how.level, zlib.DEFLATED, -how.bits, how.memory, how.strategy)

    def pack(self, message: bytes) -> bytes:
        if not self._packing.takeover:
            self._packer = self._new()
        packed = self._packer.compress(message) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        assert packed.endswith(TAIL)
        return packed[:-4]


class Sent(NamedTuple):
    """A message, and how it is sent: ``cuts`` make fragments of what goes over the wire."""

    opcode: int
    payload: bytes
    packed: bool = True
    cuts: tuple[int, ...] = ()
    between: bytes = b""


def fragments(
    opcode: int, payload: bytes, *, packed: bool, cuts: tuple[int, ...], between: bytes = b""
) -> bytes:
    places = sorted(cut % (len(payload) + 1) for cut in cuts)
    parts = [payload[a:b] for a, b in zip([0, *places], [*places, len(payload)], strict=True)]
    out = b""
    for place, part in enumerate(parts):
        bits = RSV1 if packed and place == 0 else 0
        out += (
            frame(CONTINUATION if place else opcode, part, fin=place == len(parts) - 1, bits=bits) + between
        )
    return out


def on_the_wire(packing: Packing, session: list[Sent]) -> bytes:
    packer = Packer(packing)
    return b"".join(
        fragments(
            sent.opcode,
            packer.pack(sent.payload) if sent.packed else sent.payload,
            packed=sent.packed,
            cuts=sent.cuts,
            between=sent.between,
        )
        for sent in session
    )


class Outcome(NamedTuple):
    messages: list[bytes]
    code: int | None


def ours(stream: bytes, cuts: list[int], agreement: Agreement = AGREED, limit: int = LIMIT) -> Outcome:
    splitter = InflatingSplitter(limit, agreement)
    messages = []
    for piece in pieces(stream, cuts):
        messages += splitter.feed(piece).frames
    return Outcome(messages, splitter.end and splitter.end.code)


def ended(stream: bytes) -> End | None:
    return InflatingSplitter(LIMIT, AGREED).feed(stream).end


def theirs(stream: bytes, cuts: list[int], agreement: Agreement, limit: int = LIMIT) -> Outcome:
    """What ``websockets`` makes of it."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=limit)
    protocol.extensions = [
        PerMessageDeflate(agreement.server_no_context_takeover, False, agreement.server_max_window_bits, 15)
    ]
    protocol.state = OPEN
    protocol.parser = protocol.parse()  # behind the handshake, which reading would begin with
    next(protocol.parser)
    for piece in pieces(stream, cuts):
        protocol.receive_data(piece)
    messages, parts = [], b""
    for event in protocol.events_received():
        if getattr(event, "opcode", None) in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts += bytes(event.data)  # type: ignore[union-attr]
            if event.fin:  # type: ignore[union-attr]
                messages.append(parts)
                parts = b""
    said = protocol.close_rcvd or protocol.close_sent
    code = None if said is None else said.code
    if protocol.parser_exc is not None and "decompression failed" in str(protocol.parser_exc):
        code = 1007  # they say 1002: the RFC leaves it open, and wsproto says what we say
    return Outcome(messages, code)


NOISE = random.Random(7).randbytes(70_000)  # noqa: S311  # made up, and the same every time
payloads = st.one_of(
    st.text(max_size=30).map(str.encode),
    st.sampled_from(
        [
            b"",
            b'{"type":"ticker","price":"1"}',
            "ü€😀".encode() * 60,
            b"a" * 126,
            b"b" * (CHUNK_BYTES - 1),
            b"c" * CHUNK_BYTES,
            b"d" * (3 * CHUNK_BYTES + 5),
            NOISE.hex().encode()[: 2 * SLICE_BYTES],
        ]
    ),
)
packings = st.builds(
    Packing,
    bits=st.integers(9, 15),
    takeover=st.booleans(),
    level=st.integers(-1, 9),
    memory=st.sampled_from([1, 4, 8, 9]),
    strategy=st.sampled_from(
        [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]
    ),
)
messages = st.builds(
    Sent,
    opcode=st.sampled_from([TEXT, TEXT, BINARY]),
    payload=st.one_of(payloads, payloads, st.just(NOISE).filter(bool)).map(bytes),
    packed=st.sampled_from([True, True, True, False]),
    cuts=st.lists(st.integers(0, 1 << 18), max_size=3).map(tuple),
    between=st.one_of(st.just(b""), controls),
).map(lambda sent: sent._replace(opcode=BINARY) if sent.payload is NOISE else sent)
sessions = st.lists(messages, max_size=6)
many_cuts = st.lists(st.integers(0, 1 << 18), max_size=10)


# What is agreed on.


def test_offer_is_that_of_browsers() -> None:
    assert OFFER == "permessage-deflate; client_max_window_bits"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("permessage-deflate", Agreement(False, 15)),
        ("permessage-deflate; server_no_context_takeover", Agreement(True, 15)),
        ("permessage-deflate; client_no_context_takeover", Agreement(False, 15)),
        ("permessage-deflate;server_max_window_bits=9;client_max_window_bits=8", Agreement(False, 9)),
        ('permessage-deflate; server_max_window_bits="10"', Agreement(False, 10)),
        (r'permessage-deflate; server_max_window_bits="1\0"', Agreement(False, 10)),
        (" permessage-deflate\t;  server_max_window_bits = 8 , ", Agreement(False, 8)),
        (
            ", permessage-deflate; client_no_context_takeover; server_no_context_takeover; server_max_window_bits=15",
            Agreement(True, 15),
        ),
    ],
)
def test_answers_that_settle_something(answer: str, expected: Agreement) -> None:
    assert agree(answer, offered=True) == expected


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "0 times"),
        (" , ,", "0 times"),
        ("permessage-deflate, permessage-deflate; server_no_context_takeover", "2 times"),
        ("x-webkit-deflate-frame", "x-webkit-deflate-frame, which was not offered"),
        ("permessage-deflate, permessage-bzip2", "permessage-bzip2, which was not offered"),
        ("permessage-deflate; level=9", "no parameter level"),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", "twice"),
        ("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", "twice"),
        ("permessage-deflate; server_no_context_takeover=1", "takes no value"),
        ('permessage-deflate; server_no_context_takeover=""', "takes no value"),
        ("permessage-deflate; client_no_context_takeover=true", "takes no value"),
        ("permessage-deflate; client_max_window_bits", "must be 8 to 15"),
        ("permessage-deflate; server_max_window_bits", "must be 8 to 15"),
        ("permessage-deflate; server_max_window_bits=7", "must be 8 to 15"),
        ("permessage-deflate; server_max_window_bits=16", "must be 8 to 15"),
        ("permessage-deflate; server_max_window_bits=08", "must be 8 to 15"),
        ("permessage-deflate; server_max_window_bits=-9", "must be 8 to 15"),
        ("permessage-deflate; client_max_window_bits=1e1", "must be 8 to 15"),
        ("permessage-deflate;", "cannot be read"),
        ("permessage-deflate=1", "cannot be read"),
        ("permessage-deflate; server_max_window_bits=", "cannot be read"),
        ('permessage-deflate; server_max_window_bits="9', "cannot be read"),
        ("permessage-deflate server_max_window_bits=9", "cannot be read"),
        ("permessage-deflate; =9", "cannot be read"),
        ("ü", "cannot be read"),
    ],
)
def test_answers_that_cannot_be_meant(answer: str, words: str) -> None:
    with pytest.raises(NotAgreed, match=words):
        agree(answer, offered=True)


@pytest.mark.parametrize("answer", ["permessage-deflate", "x-foo; a=1"])
def test_answer_to_no_offer_cannot_be_meant(answer: str) -> None:
    with pytest.raises(NotAgreed, match="which was not offered"):
        agree(answer, offered=False)


names = st.sampled_from(
    [
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        "x",
    ]
)
# No 8: they refuse it where they would have to compress with it.
values = st.sampled_from(["", "", "=9", "=15", "=16", '="12"', " = 10", "=", '="1'])
answers = st.builds(
    lambda name, parameters, space: name + "".join(f"{space};{space}{a}{b}" for a, b in parameters),
    st.sampled_from(
        ["permessage-deflate", "permessage-deflate", "permessage-deflate", "permessage-bzip2", ""]
    ),
    st.lists(st.tuples(names, values), max_size=4),
    st.sampled_from(["", " ", "\t"]),
)


@settings(max_examples=500)
@given(st.lists(answers, min_size=1, max_size=2).map(", ".join))
def test_same_answers_settle_the_same_for_websockets(answer: str) -> None:
    factory = ClientPerMessageDeflateFactory(client_max_window_bits=True)
    found: Agreement | None = None
    try:
        accepted: list[PerMessageDeflate] = []
        extensions = parse_extension(answer)
        for _, parameters in extensions:
            accepted.append(factory.process_response_params(parameters, accepted))
        if all(name == factory.name for name, _ in extensions):
            (extension,) = accepted
            found = Agreement(extension.remote_no_context_takeover, extension.remote_max_window_bits)
    except (NegotiationError, InvalidHeader):
        pass
    mine: Agreement | None = None
    with suppress(NotAgreed):
        mine = agree(answer, offered=True)
    assert mine == found


@given(st.text(alphabet='permsag-dflt;,=" \\\t9', max_size=40))
def test_any_answer_is_agreed_on_or_refused_and_nothing_else(answer: str) -> None:
    with suppress(NotAgreed):
        assert agree(answer, offered=True).server_max_window_bits in range(8, 16)
    with pytest.raises(NotAgreed):
        agree(answer, offered=False)


# What comes out.


@settings(max_examples=150, deadline=None)
@given(packings, sessions, many_cuts)
def test_messages_come_out_as_they_went_in(packing: Packing, session: list[Sent], cuts: list[int]) -> None:
    stream = on_the_wire(packing, session)
    assert ours(stream, cuts, packing.agreement) == Outcome([sent.payload for sent in session], None)


@settings(max_examples=150, deadline=None)
@given(
    packings,
    sessions,
    many_cuts,
    st.sampled_from([b"", frame(CLOSE, b"\x03\xe8"), frame(TEXT, b"x", bits=0x20)]),
)
def test_websockets_takes_the_same_messages(
    packing: Packing, session: list[Sent], cuts: list[int], end: bytes
) -> None:
    stream = on_the_wire(packing, session) + end
    assert ours(stream, cuts, packing.agreement) == theirs(stream, cuts, packing.agreement)


@settings(max_examples=300, deadline=None)
@given(streams, many_cuts, st.sampled_from([LIMIT, 126, 65535]))
@example(frame(TEXT, b"a", fin=False) + frame(TEXT, b"inside"), [], LIMIT)
@example(frame(TEXT, b"a" * 127), [], 126)
@example(b"\x81\x7e\x00\x00" + b"x" * 4, [], LIMIT)
def test_what_is_not_compressed_is_read_and_refused_as_without(
    stream: bytes, cuts: list[int], limit: int
) -> None:
    plain = FrameSplitter(limit)
    frames: list[bytes] = []
    for piece in pieces(stream, cuts):
        frames += plain.feed(piece).frames
    found = ours(stream, cuts, limit=limit)
    if plain.end is not None and plain.end.reason == "reserved bit set":  # which may have a meaning now
        assert found.messages[: len(frames)] == frames
    else:
        assert found == Outcome(frames, plain.end and plain.end.code)


@pytest.mark.parametrize("bits", range(9, 16))
@pytest.mark.parametrize("takeover", [True, False])
def test_every_cut_of_a_session_reads_the_same(bits: int, takeover: bool) -> None:
    packing = Packing(bits, takeover)
    session = [
        Sent(TEXT, "{ü}".encode()),
        Sent(TEXT, b"{}" * 70, cuts=(2, 5), between=frame(PING, b"p")),
        Sent(BINARY, b"", cuts=(0,)),
        Sent(TEXT, b"plain", packed=False, cuts=(2,)),
        Sent(TEXT, b"{}" * 400),
    ]
    stream = on_the_wire(packing, session)
    expected = Outcome([sent.payload for sent in session], None)
    for cut in range(len(stream)):
        assert ours(stream, [cut], packing.agreement) == expected
    assert ours(stream, list(range(len(stream))), packing.agreement) == expected


HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"\xc1\x07" + HELLO, [b"Hello"]),
        (b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", [b"Hello"]),
        (b"\xc1\x07" + HELLO + b"\xc1\x05\xf2\x00\x11\x00\x00", [b"Hello", b"Hello"]),
        (b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", [b"Hello"]),
        (b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", [b"Hello"]),
        (b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", [b"Hello"]),
        (b"\xc1\x01\x00", [b""]),
    ],
    ids=["one block", "fragments", "shared window", "stored", "final block", "two blocks", "empty"],
)
def test_examples_of_the_rfc(stream: bytes, expected: list[bytes]) -> None:
    assert ours(stream, []) == Outcome(expected, None)
    assert ours(stream, list(range(len(stream)))) == Outcome(expected, None)


@pytest.mark.parametrize("takeover", [True, False])
def test_final_blocks_swallow_no_later_message(takeover: bool) -> None:
    def finished(message: bytes) -> bytes:
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(message) + packer.flush(zlib.Z_FINISH)

    one, two = finished(b"one" * 100), finished(b"two" * 30_000)
    session = [one + b"\x00", two + b"\x00", one + two + one + b"\x00", HELLO]
    expected = [b"one" * 100, b"two" * 30_000, b"one" * 100 + b"two" * 30_000 + b"one" * 100, b"Hello"]
    agreement = Packing(takeover=takeover).agreement
    whole = b"".join(frame(TEXT, each, bits=RSV1) for each in session)
    assert ours(whole, [], agreement) == Outcome(expected, None)
    for cut in (1, len(one) - 1, len(one), len(one) + 1):  # where the stream ends is where the fragment does
        split = b"".join(fragments(TEXT, each, packed=True, cuts=(cut,)) for each in session)
        assert ours(split, [], agreement) == Outcome(expected, None)


@pytest.mark.parametrize("takeover", [True, False])
def test_message_compressed_to_nothing_is_empty_and_spoils_no_later_one(takeover: bool) -> None:
    packing = Packing(takeover=takeover)
    packer = Packer(packing)
    nothing = frame(TEXT, b"", bits=RSV1)
    in_parts = frame(TEXT, b"", bits=RSV1, fin=False) + frame(CONTINUATION, b"")
    stream = nothing + frame(TEXT, packer.pack(b"a" * 50), bits=RSV1) + in_parts
    stream += fragments(TEXT, packer.pack(b"a" * 50), packed=True, cuts=(2,))
    stream += nothing + frame(TEXT, packer.pack(b"a" * 50), bits=RSV1)
    expected = [b"", b"a" * 50, b"", b"a" * 50, b"", b"a" * 50]
    assert ours(stream, [], packing.agreement) == Outcome(expected, None)


def test_uncompressed_messages_leave_the_window_as_it_is() -> None:
    packer = Packer()
    stream = frame(TEXT, packer.pack(b"abc" * 20), bits=RSV1)
    stream += frame(TEXT, b"xyz" * 20) + frame(TEXT, b"xy", fin=False) + frame(CONTINUATION, b"z")
    stream += frame(TEXT, packer.pack(b"abc" * 20), bits=RSV1)
    assert ours(stream, []) == Outcome([b"abc" * 20, b"xyz" * 20, b"xyz", b"abc" * 20], None)


def test_smallest_window_reaches_256_bytes_back() -> None:
    near = on_the_wire(USUAL, [Sent(BINARY, NOISE[:200]), Sent(BINARY, NOISE[:200])])
    assert ours(near, [], Agreement(server_max_window_bits=8)) == Outcome([NOISE[:200]] * 2, None)
    far = on_the_wire(USUAL, [Sent(BINARY, NOISE[:300]), Sent(BINARY, NOISE[:300])])
    assert ours(far, [], Agreement(server_max_window_bits=8)) == Outcome([NOISE[:300]], 1007)


# What is refused.


@pytest.mark.parametrize(
    "stream",
    [
        frame(PING, b"", bits=RSV1),
        frame(PONG, HELLO, bits=RSV1),
        frame(CLOSE, b"\x03\xe8", bits=RSV1),
        frame(CONTINUATION, HELLO, bits=RSV1),
        frame(TEXT, HELLO[:3], fin=False, bits=RSV1) + frame(CONTINUATION, HELLO[3:], bits=RSV1),
        frame(TEXT, b"a", fin=False) + frame(CONTINUATION, HELLO, bits=RSV1),
        frame(TEXT, HELLO, bits=RSV1 | 0x20),
        frame(BINARY, HELLO, bits=0x10),
        frame(3, HELLO, bits=RSV1),
    ],
)
def test_compression_bit_belongs_to_the_first_frame_of_a_message(stream: bytes) -> None:
    assert ours(frame(TEXT, HELLO, bits=RSV1) + stream, []) == Outcome([b"Hello"], 1002)
    assert theirs(frame(TEXT, HELLO, bits=RSV1) + stream, [], Agreement()) == Outcome([b"Hello"], 1002)


@pytest.mark.parametrize("fin", [True, False])
def test_text_that_inflates_to_no_utf8_is_refused(fin: bool) -> None:
    packed = Packer().pack(b"ok\xff")
    stream = frame(TEXT, packed, bits=RSV1, fin=fin)
    assert ended(stream) == End(1007, "text is not UTF-8")
    assert ended(frame(BINARY, packed, bits=RSV1, fin=fin)) is None


@pytest.mark.parametrize(
    "packed", [b"\x07", b"\x00\x05\x00\x00\x00", b"\xff" * 40, b"\x00" * SLICE_BYTES + b"\x07"]
)
@pytest.mark.parametrize("fin", [True, False])
def test_what_is_not_compressed_data_is_refused(packed: bytes, fin: bool) -> None:
    stream = frame(TEXT, b"a") + frame(TEXT, packed, bits=RSV1, fin=fin)
    assert ours(stream, []) == Outcome([b"a"], 1007)
    assert ended(stream) == End(1007, "message is not compressed data")


def test_reference_beyond_the_agreed_window_is_refused() -> None:
    stream = on_the_wire(USUAL, [Sent(BINARY, NOISE[:600])] * 2)
    assert ours(stream, [], Agreement(server_max_window_bits=9)) == Outcome([NOISE[:600]], 1007)
    assert ours(stream, [], Agreement(server_max_window_bits=10)) == Outcome([NOISE[:600]] * 2, None)


def test_reference_into_an_earlier_message_is_refused_where_that_was_to_be_forgotten() -> None:
    packer = Packer()
    stream = b"".join(frame(BINARY, packer.pack(NOISE[:600]), bits=RSV1) for _ in range(2))
    assert ours(stream, [], Agreement(server_no_context_takeover=True)) == Outcome([NOISE[:600]], 1007)


garbage = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda tail: HELLO[:-1] + tail),
    st.tuples(st.integers(0, 10_000), st.integers(1, 255)).map(
        lambda spot: _spoilt(Packer().pack(NOISE.hex().encode()[:3000]), *spot)
    ),
    st.tuples(st.integers(0, 10_000), st.integers(1, 255)).map(
        lambda spot: _spoilt(Packer().pack(b"{}" * 9000), *spot)
    ),
)


def _spoilt(packed: bytes, place: int, change: int) -> bytes:
    place %= len(packed)
    return packed[:place] + bytes([packed[place] ^ change]) + packed[place + 1 :]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([TEXT, BINARY]), garbage, st.lists(st.integers(0, 100), max_size=2).map(tuple)
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
    st.sampled_from([9, 15]),
    many_cuts,
)
def test_garbage_is_inflated_or_refused_and_nothing_else(
    said: list[tuple[int, bytes, tuple[int, ...]]], takeover: bool, bits: int, cuts: list[int]
) -> None:
    agreement = Agreement(not takeover, bits)
    stream = b"".join(
        fragments(opcode, payload, packed=True, cuts=places) for opcode, payload, places in said
    )
    found = ours(stream, cuts, agreement, limit=5000)
    assert found.code in (None, 1007, 1009)
    assert all(len(message) <= 5000 for message in found.messages)
    assert ours(stream, [], agreement, limit=5000) == found


@settings(max_examples=300, deadline=None)
@given(st.lists(garbage.filter(bool), min_size=1, max_size=3), st.booleans(), many_cuts)
@example([b"\x07"], True, [])
def test_websockets_refuses_the_same_garbage(said: list[bytes], takeover: bool, cuts: list[int]) -> None:
    agreement = Agreement(server_no_context_takeover=not takeover)
    stream = b"".join(frame(BINARY, payload, bits=RSV1) for payload in said)
    mine, other = ours(stream, cuts, agreement), theirs(stream, cuts, agreement)
    if not _has_final_block(said, takeover):  # they take nothing any more behind one
        assert mine == other


def _has_final_block(said: list[bytes], takeover: bool) -> bool:
    """Whether zlib finds the end of a stream in what can be read of it."""
    reader = zlib.decompressobj(-15)
    with suppress(zlib.error):
        for payload in said:
            if not takeover:
                reader = zlib.decompressobj(-15)
            reader.decompress(payload + TAIL)
            if reader.eof:
                return True
    return reader.eof


# How much it takes.


def bomb(size: int = 64 * MIB) -> bytes:
    return Packer().pack(bytes(size))


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("cuts", [(), (100, 5000, 40_000)], ids=["whole", "fragments"])
def test_bomb_stops_at_the_limit_and_takes_no_more_than_a_chunk_beyond(
    opcode: int, cuts: tuple[int, ...]
) -> None:
    packed = bomb()
    assert len(packed) < 80 * 1024
    splitter = InflatingSplitter(4 * MIB, Agreement())
    stream = frame(TEXT, b"{}") + fragments(opcode, packed, packed=True, cuts=cuts)
    tracemalloc.start()
    try:
        found = splitter.feed(stream)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.frames == [b"{}"]
    assert found.end == End(1009, f"message over {4 * MIB} bytes", too_large=True)
    came = 3 * len(packed)  # the frame, its payload, the payload with its tail
    growth = MIB if cuts else 0  # of the buffer that fragments are gathered in, while it is enlarged
    assert peak_bytes < 4 * MIB + 3 * CHUNK_BYTES + came + growth


@pytest.mark.parametrize("size", [1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
@pytest.mark.parametrize("content", [bytes(3 * CHUNK_BYTES), NOISE * 3], ids=["dense", "noise"])
@pytest.mark.parametrize("cuts", [(), (700,)])
def test_message_of_exactly_the_limit_passes_and_one_more_byte_does_not(
    size: int, content: bytes, cuts: tuple[int, ...]
) -> None:
    stream = on_the_wire(Packing(), [Sent(BINARY, content[:size], cuts=cuts), Sent(TEXT, b"next")])
    assert ours(stream, [], limit=size) == Outcome([content[:size], b"next"], None)
    assert ours(stream, [], limit=size - 1) == Outcome([], 1009)


@pytest.mark.parametrize("memory", [1, 8])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_message_that_grows_by_compression_passes_all_the_same(level: int, memory: int) -> None:
    for size in (1, 10, 100, 1000, 70_000):
        packing = Packing(level=level, memory=memory)
        stream = on_the_wire(packing, [Sent(BINARY, NOISE[:size])])
        assert ours(stream, [], limit=size) == Outcome([NOISE[:size]], None)


@pytest.mark.parametrize(
    "header",
    [
        b"\xc2\x7f" + (1 << 62).to_bytes(8),
        b"\xc1\x7e" + (1300).to_bytes(2),
        b"\x42\x7f" + (1 << 16).to_bytes(8),
        b"\x82\x7e" + (1001).to_bytes(2),
        frame(BINARY, b"a" * 600, fin=False) + b"\x80\x7e" + (401).to_bytes(2),
        frame(BINARY, Packer().pack(bytes(600)), fin=False, bits=RSV1) + b"\x80\x7e" + (700).to_bytes(2),
    ],
)
def test_announced_length_that_cannot_be_allowed_ends_the_reading_at_the_header(header: bytes) -> None:
    splitter = InflatingSplitter(1000, Agreement())
    assert splitter.feed(header).end == End(1009, "message over 1000 bytes", too_large=True)
    assert not splitter.midway


@pytest.mark.parametrize("block", [b"\x03\x00", b"\x01\x00\x00\xff\xff"])
def test_storm_of_final_blocks_is_refused_soon(block: bytes) -> None:
    few = frame(BINARY, block * FINALS_A_SLICE + b"\x00", bits=RSV1)
    assert ours(few, []) == Outcome([b""], None)
    stream = frame(BINARY, block * (8 * MIB // len(block)), bits=RSV1)
    started = time.process_time()
    assert ours(stream, [], limit=16 * MIB) == Outcome([], 1007)
    assert time.process_time() - started < 5.0


def test_time_to_inflate_is_in_proportion_to_the_message() -> None:
    """Noise is handed back by zlib again and again: all of it, it would take minutes."""
    noise = NOISE * (16 * MIB // len(NOISE))
    stream = on_the_wire(Packing(level=0), [Sent(BINARY, noise)])
    started = time.process_time()
    assert ours(stream, [], limit=16 * MIB).messages == [noise]
    assert time.process_time() - started < 5.0
