"""Records survive being written and read; what is cut off or damaged costs what comes after it and nothing before."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes._protocol.effects import Failure, WireChannel
from trioquotes.recording import records as kept
from trioquotes.recording.format import (
    MAGIC,
    BlockWriter,
    NotASegment,
    SegmentReader,
    Tear,
    decode_record,
    encode_record,
)

texts = st.text(max_size=20)
channels = st.lists(st.builds(WireChannel, texts, texts, texts), max_size=3).map(tuple)
common = {
    "wall_ns": st.integers(-(2**63), 2**63 - 1),
    "monotonic_s": st.floats(allow_nan=False),
    "lane": texts,
    "connection": st.integers(0, 2**40),
}
failures = st.builds(
    kept.KeptFailure, stage=texts, reason=texts, status=st.none() | st.integers(100, 599),
    headers=st.dictionaries(texts, texts, max_size=2), body=st.binary(max_size=30),
    close_code=st.none() | st.integers(1000, 4999), close_reason=texts, too_large=st.booleans(),
)  # fmt: skip
any_record = st.one_of(
    st.builds(
        kept.FramesReceived, frames=st.lists(st.binary(max_size=200), max_size=5), pongs=st.integers(0, 9),
        round_trip_s=st.none() | st.floats(0, 10), **common,
    ),
    st.builds(kept.LanePlanned, name=texts, shard=st.integers(0, 9), channels=channels, taken=channels, **common),
    st.builds(kept.LineRefused, failure=failures, **common),
    st.builds(kept.FrameSent, frame=st.binary(max_size=50), **common),
    st.builds(
        kept.RequestMade, id=st.integers(0, 2**31), frame=st.binary(max_size=50), method=texts, url=texts,
        asks=channels, withdraws=channels, resyncs=channels, within_s=st.floats(0, 100), **common,
    ),
    st.builds(
        kept.RequestAnswered, id=st.integers(0, 2**31), nonce=st.binary(max_size=16), status=st.none() | st.integers(0, 999),
        headers=st.dictionaries(texts, texts, max_size=2), body=st.binary(max_size=100),
        failure=st.none() | failures, **common,
    ),
    st.builds(kept.TimePassed, nonce=st.binary(max_size=16), **common),
    st.builds(kept.LineClosed, reason=texts, code=st.none() | st.integers(0, 9999), planned=st.booleans(), gap_reason=texts, **common),
    st.builds(kept.NoticeGiven, line=st.binary(max_size=100), **common),
    st.builds(kept.RunEnded, **common),
)  # fmt: skip


def segment(blocks: Sequence[Sequence[kept.Record]]) -> tuple[bytes, list[int]]:
    """A whole segment, and where each of its blocks ends."""
    writer, data, ends = BlockWriter(), MAGIC, []
    for number, records in enumerate(blocks):
        data += writer.block(map(encode_record, records), stored=number % 3 == 2)
        ends.append(len(data))
    return data, ends


def read(data: bytes, step: int = 0) -> tuple[list[kept.Record], Tear | None]:
    """What a reader finds who is fed so many bytes at a time."""
    reader = SegmentReader()
    found: list[kept.Record] = []
    for at in range(0, len(data), step or max(len(data), 1)):
        found += map(decode_record, reader.feed(data[at : at + (step or len(data))]))
    return found, reader.end()


def frames(number: int, *more: bytes) -> kept.FramesReceived:
    return kept.FramesReceived(
        wall_ns=number,
        monotonic_s=float(number),
        lane="public",
        connection=1,
        frames=[b"frame %d" % number, *more],
    )


@given(any_record)
def test_every_record_comes_back_as_it_was(record: kept.Record) -> None:
    assert decode_record(encode_record(record)) == record


@given(st.lists(st.lists(any_record, min_size=1, max_size=4), max_size=5), st.integers(1, 100))
def test_blocks_come_back_however_they_are_fed(blocks: list[list[kept.Record]], step: int) -> None:
    data, _ = segment(blocks)
    flat = [record for block in blocks for record in block]
    assert read(data) == (flat, None)
    assert read(data, step) == (flat, None)


def test_each_kind_of_record_has_a_number_of_its_own() -> None:
    kinds = msgspec.json.schema_components([kept.Record])[0][0]["anyOf"]
    assert len(kinds) == 23
    numbers = [
        vars(kept)[name].__struct_config__.tag for name in kept.__all__ if hasattr(vars(kept)[name], "stamp")
    ]
    assert sorted(numbers) == list(range(1, 24))


def test_a_segment_that_is_cut_anywhere_keeps_every_whole_block() -> None:
    blocks = [[frames(n), frames(n + 100, b"x" * n)] for n in range(6)]
    data, ends = segment(blocks)
    for cut in range(len(data)):
        found, tear = read(data[:cut])
        whole = sum(end <= cut for end in ends)
        assert found == [record for block in blocks[:whole] for record in block], cut
        if cut in {len(MAGIC), *ends}:
            assert tear is None
        else:
            at = 0 if cut < len(MAGIC) else max([len(MAGIC), *(end for end in ends if end <= cut)])
            assert tear == Tear(at, cut - at, "its end is missing")


def test_a_flipped_bit_anywhere_costs_its_block_and_what_follows_and_nothing_else() -> None:
    blocks = [[frames(n, b"some more text to compress" * 3)] for n in range(4)]
    data, ends = segment(blocks)
    for at in range(len(MAGIC), len(data)):
        for bit in (1, 128):
            spoilt = bytearray(data)
            spoilt[at] ^= bit
            found, tear = read(bytes(spoilt))
            before = sum(end <= at for end in ends)
            assert found == [record for block in blocks[:before] for record in block], at
            assert tear is not None
            assert tear.at_bytes == max([len(MAGIC), *ends[:before]])


@given(st.binary(max_size=200))
@example(b"\x00" * 100)  # what a machine's crash leaves of a file that was being written
@example(b"\xff" * 100)
def test_garbage_behind_the_last_block_is_cut_off(garbage: bytes) -> None:
    data, _ = segment([[frames(1)], [frames(2)]])
    found, tear = read(data + garbage)
    assert found == [frames(1), frames(2)]
    assert (tear is None) == (not garbage)


def test_blocks_that_changed_places_are_damage() -> None:
    data, ends = segment([[frames(1)], [frames(2)], [frames(3)]])
    first, second, third = data[: ends[0]], data[ends[0] : ends[1]], data[ends[1] :]
    assert read(first + third + second)[0] == [frames(1)]
    assert read(first + second + second)[0] == [frames(1), frames(2)]


def test_a_block_that_inflates_beyond_its_claim_is_damage() -> None:
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    payload = deflate.compress(bytes(10_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    claim = len(payload).to_bytes(4, "little") + (100).to_bytes(4, "little")
    check = zlib.crc32(payload, zlib.crc32(claim, zlib.crc32(MAGIC))).to_bytes(4, "little")
    reader = SegmentReader()
    assert all(record == b"" for record in reader.feed(MAGIC + claim + check + payload))
    assert reader.is_damaged


def test_a_large_record_among_small_ones_comes_back() -> None:
    large = frames(2, bytes(range(256)) * 40_000, b"y")
    data, _ = segment([[frames(1), large, frames(3)], [frames(4)]])
    assert read(data, 65536) == ([frames(1), large, frames(3), frames(4)], None)


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04 something else", b"x", MAGIC[:-1] + b"\x02", MAGIC[:4] + b"text"]
)
def test_what_is_no_segment_is_refused(data: bytes) -> None:
    with pytest.raises(NotASegment):
        list(SegmentReader().feed(data))


def test_a_later_version_is_named() -> None:
    with pytest.raises(NotASegment, match="version 9"):
        list(SegmentReader().feed(MAGIC[:-1] + b"\x09"))


@pytest.mark.parametrize(
    "data", [b"", b"\x90", b"\xc1", msgspec.msgpack.encode([99, 1]), msgspec.msgpack.encode([8, "x"])]
)
def test_a_record_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(NotASegment, match="cannot read"):
        decode_record(data)


def test_only_harmless_headers_of_a_failure_are_kept() -> None:
    headers = {"retry-after": "3", "set-cookie": "session=secret", "x-token": "secret", "date": "today"}
    failure = Failure("handshake", "refused", status=429, headers=headers, body=b"no")
    record = kept.kept_failure(failure)
    assert record.headers == {"retry-after": "3", "date": "today"}
    assert kept.failure_of(record).status == 429
