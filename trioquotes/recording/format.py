"""Records to bytes and back: blocks of one compressed stream, each of which says whether it is whole. No I/O.

A segment is ``MAGIC`` and then blocks. A block is a header (how many bytes follow, how many they are when they are
inflated, a checksum of both and of the bytes, chained from block to block) and so much of one deflate stream, flushed so
that everything before its end can be read; or its bytes as they are. What is inflated is records, each after its length. A
block holds whole records; so whatever is cut off or damaged is cut where the last whole block ends, and nothing before it
is lost.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs
import msgspec

from trioquotes._protocol.codec import explain
from trioquotes.recording.records import FORMAT, Record

__all__ = ["BlockWriter", "NotASegment", "SegmentReader", "Tear", "decode_record", "encode_record"]

MAGIC: Final = b"\x89TQREC\r\n" + bytes([FORMAT])
"""Like that of PNG it does not survive a transfer as text; its last byte is the version of the format."""

LEVEL: Final = 1
"""Of zlib: what compresses better takes twice the time for a tenth of the size."""
MEMORY: Final = 7
"""Of zlib: less than usual, since it shares the processor's caches with the session."""
PIECE_BYTES: Final = 128 * 1024
"""Inflated at a time: half a millisecond's work."""
STORED: Final = 1 << 31
"""Added to the second number of a block's header where its bytes are not deflated."""
MAX_BLOCK_BYTES: Final = 1 << 30
"""What a block may claim to be when inflated: far more than the largest message, far less than what a bomb would be."""

_HEADER: Final = struct.Struct("<III")
_CLAIM: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")

encode_record: Final = msgspec.msgpack.Encoder(order="deterministic").encode
"""A record as bytes."""
_decode: Final = msgspec.msgpack.Decoder(Record).decode


class NotASegment(ValueError):
    """The file is no segment of a recording, or one of a later version of the format."""


@attrs.frozen
class Tear:
    """Where a segment ends before its time.

    Attributes:
        at_bytes: bytes of the file before it; all of those are whole.
        lost_bytes: bytes of the file after it.
        reason: in words.
    """

    at_bytes: int
    lost_bytes: int
    reason: str


def decode_record(data: bytes) -> Record:
    """The record that :func:`encode_record` wrote.

    Raises:
        NotASegment: it is none that this version knows.
    """
    try:
        record: Record = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotASegment(f"a record that this version cannot read: {explain(error)}") from error
    return record


class BlockWriter:
    """Makes the blocks of one segment."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, MEMORY)
        self._check = zlib.crc32(MAGIC)

    def block(self, records: Iterable[bytes], *, stored: bool = False) -> bytes:
        """The next block of the segment; the very first one goes behind ``MAGIC``.

        Args:
            records: what it holds, encoded.
            stored: whether it is not worth its time to deflate them.
        """
        raw = b"".join([piece for record in records for piece in (_LENGTH.pack(len(record)), record)])
        if stored:
            payload, claim = raw, _CLAIM.pack(len(raw), len(raw) | STORED)
        else:
            payload = self._deflate.compress(raw) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            claim = _CLAIM.pack(len(payload), len(raw))
        self._check = zlib.crc32(payload, zlib.crc32(claim, self._check))
        return claim + _LENGTH.pack(self._check) + payload


class SegmentReader:
    """Reads the bytes of one segment as they come, whole blocks only.

    Raises:
        NotASegment: from :meth:`feed`: the first bytes are not those of a segment that this version can read.
    """

    def __init__(self) -> None:
        self._inflate: Any = zlib.decompressobj(-zlib.MAX_WBITS)
        self._check = zlib.crc32(MAGIC)
        self._buffer = bytearray()
        self._begun = False
        self._whole_bytes = 0
        self._damage = ""

    @property
    def is_damaged(self) -> bool:
        """Whether no further block can be read, whatever comes."""
        return bool(self._damage)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The encoded records of the blocks that these bytes complete; to be exhausted before more is fed.

        A block is inflated piece by piece, so that no piece takes long.
        """
        self._buffer += data
        if not self._begun and not self._begin():
            return
        while not self._damage and (block := self._next()) is not None:
            yield from self._records(*block)

    def end(self) -> Tear | None:
        """What is wrong with the segment's end, once everything was fed; ``None`` for nothing."""
        if not self._buffer and self._begun:
            return None
        reason = self._damage or "its end is missing"
        return Tear(self._whole_bytes, len(self._buffer), reason)

    def _begin(self) -> bool:
        head = bytes(self._buffer[: len(MAGIC)])
        if head[:-1] != MAGIC[: len(head[:-1])] or (len(head) < len(MAGIC) and head != MAGIC[: len(head)]):
            raise NotASegment("this is no segment of a recording")
        if len(head) < len(MAGIC):
            return False
        if head != MAGIC:
            raise NotASegment(f"a recording of version {head[-1]}: this program reads version {FORMAT}")
        del self._buffer[: len(MAGIC)]
        self._whole_bytes = len(MAGIC)
        self._begun = True
        return True

    def _next(self) -> tuple[bytes, int] | None:
        """The block at the front of the buffer, if it is there as a whole, and how large it is when inflated."""
        buffer = self._buffer
        if len(buffer) < _HEADER.size:
            return None
        length, raw_length, check = _HEADER.unpack_from(buffer)
        sound = 0 < length <= MAX_BLOCK_BYTES and 0 < raw_length & ~STORED <= MAX_BLOCK_BYTES
        if not sound or (raw_length & STORED and raw_length & ~STORED != length):
            self._damage = "a block is damaged"
            return None
        size = _HEADER.size + length
        if len(buffer) < size:
            return None
        payload = bytes(buffer[_HEADER.size : size])
        chained = zlib.crc32(payload, zlib.crc32(_CLAIM.pack(length, raw_length), self._check))
        if chained != check:
            self._damage = "a block is damaged"
            return None
        self._check = chained
        del buffer[:size]
        self._whole_bytes += size
        return payload, raw_length

    def _records(self, payload: bytes, length: int) -> Iterator[bytes]:
        """What a block holds, of which the checksum is right."""
        take = self._stored if length & STORED else self._inflated
        length &= ~STORED
        rest, missing = b"", 0  # the beginning of a record, and how much of it is still to come
        while length:
            piece, payload = take(payload, min(max(PIECE_BYTES, missing), length))
            if not piece:
                break
            length -= len(piece)
            raw, at, missing = rest + piece, 0, 0
            while at + _LENGTH.size <= len(raw):
                end = at + _LENGTH.size + int(_LENGTH.unpack_from(raw, at)[0])
                if end > len(raw):
                    missing = end - len(raw)
                    break
                yield raw[at + _LENGTH.size : end]
                at = end
            rest = raw[at:]
        # Of what was inflated the mark of the flush is left.
        if length or rest or take(payload, 1) != (b"", b""):
            self._damage = "a block is not what its checksum says"

    @staticmethod
    def _stored(payload: bytes, most: int) -> tuple[bytes, bytes]:
        """All of it: there is no work to be cut in pieces."""
        del most
        return payload, b""

    def _inflated(self, payload: bytes, most: int) -> tuple[bytes, bytes]:
        """So much more, and what is left of the payload; nothing where it cannot be inflated."""
        try:
            piece: bytes = self._inflate.decompress(payload, most)
        except zlib.error:
            return b"", payload
        return piece, self._inflate.unconsumed_tail
