"""permessage-deflate (RFC 7692) for a client that takes compressed messages and sends none.

What is agreed on in the handshake is judged here, and what comes afterwards is inflated, in pieces: a message that
inflates past the size limit is refused where it passes it, however small it came. No I/O, no time.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

import attrs

from trioquotes._protocol.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    FINAL_TEXT,
    OPCODE_BITS,
    RESERVED_BITS,
    TEXT,
    TWO_BYTE_LENGTH,
    FrameSplitter,
    check_text,
    too_large,
    violation,
)

__all__ = ["NAME", "OFFER", "Agreement", "Inflater", "InflatingSplitter", "NotAgreed", "agree"]

NAME = "permessage-deflate"

OFFER = f"{NAME}; client_max_window_bits"
"""What is offered, as browsers do: the server chooses its window, and may restrict ours, of which nothing is used."""

LEAST_BITS, MOST_BITS = 8, 15
COMPRESSED = 0x40
PACKED_TEXT = FINAL_TEXT | COMPRESSED

TAIL = b"\x00\x00\xff\xff"
"""What a sender takes off the end of each message (RFC 7692, section 7.2.1)."""

CHUNK_BYTES = 64 * 1024
"""What is inflated at once: what is held beyond the limit when a message is found too large."""

SLICE_BYTES = 16 * 1024
"""What is given to zlib at once: where the output is full it hands back the rest, as a copy."""

FINALS_A_SLICE = 256
"""Final blocks in a slice, each of which makes a new stream: senders end a stream once a message, if they do at all."""


class NotAgreed(Exception):
    """The server's answer to the offer, or to none, cannot be meant."""


@attrs.frozen
class Agreement:
    """What the server may do. How it restricts us does not matter: nothing that we send is compressed.

    Attributes:
        server_no_context_takeover: each message is compressed on its own.
        server_max_window_bits: how far back it refers: 2 to the power of it, in bytes.
    """

    server_no_context_takeover: bool = False
    server_max_window_bits: int = MOST_BITS


WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
PARAMETER = rf'[ \t]*;[ \t]*({WORD})(?:[ \t]*=[ \t]*(?:({WORD})|"((?:[^"\\]|\\.)*)"))?'
EXTENSION = re.compile(rf"[ \t]*(?:(?P<name>{WORD})(?P<parameters>(?:{PARAMETER})*)[ \t]*)?(?:,|\Z)")
"""An element of the header, which may be empty (RFC 6455, section 9.1)."""

FLAGS = frozenset({"server_no_context_takeover", "client_no_context_takeover"})
WINDOWS = frozenset({"server_max_window_bits", "client_max_window_bits"})
BITS = frozenset(str(bits) for bits in range(LEAST_BITS, MOST_BITS + 1))


def agree(answer: str, *, offered: bool) -> Agreement:
    """What a server's ``Sec-WebSocket-Extensions`` settles.

    Args:
        answer: the header's value, several of them joined by commas.
        offered: whether the request had :data:`OFFER`; otherwise it offered nothing.

    Raises:
        NotAgreed: it is not an answer to that; says why.
    """
    extensions = _parsed(answer)
    for name, _ in extensions:
        if name != NAME or not offered:
            raise NotAgreed(f"it chose the extension {name:.40}, which was not offered")
    if len(extensions) != 1:
        raise NotAgreed(f"it chose {NAME} {len(extensions)} times")
    ((_, parameters),) = extensions
    chosen: dict[str, str | None] = {}
    for name, value in parameters:
        if name not in FLAGS | WINDOWS:
            raise NotAgreed(f"{NAME} has no parameter {name:.40}")
        if name in chosen:
            raise NotAgreed(f"it gave {name} twice")
        if name in FLAGS and value is not None:
            raise NotAgreed(f"{name} takes no value")
        if name in WINDOWS and value not in BITS:
            raise NotAgreed(f"{name} must be {LEAST_BITS} to {MOST_BITS}")
        chosen[name] = value
    bits = chosen.get("server_max_window_bits") or MOST_BITS
    return Agreement("server_no_context_takeover" in chosen, int(bits))


def _parsed(header: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """The extensions in a header's value, each with its parameters, both in order.

    Raises:
        NotAgreed: it is not such a list.
    """
    extensions = []
    at = 0
    while at < len(header):
        found = EXTENSION.match(header, at)
        if found is None:
            raise NotAgreed("its extensions cannot be read")
        at = found.end()
        if found["name"]:
            parameters = [
                (one[1], one[2] if one[3] is None else re.sub(r"\\(.)", r"\1", one[3]))
                for one in re.finditer(PARAMETER, found["parameters"])
            ]
            extensions.append((found["name"], parameters))
    return extensions


class Inflater:
    """The server's compressed messages, one after the other.

    Args:
        agreement: what the server may do.
        max_message_bytes: the most that a message may inflate to.
    """

    def __init__(self, agreement: Agreement, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._bits = -agreement.server_max_window_bits
        self._forgets = agreement.server_no_context_takeover
        self._stream = zlib.decompressobj(self._bits)
        self._midway = False  # in a message of which something came

    def inflate(self, payload: bytes, begun_bytes: int, *, final: bool) -> bytes:
        """What a frame's payload inflates to.

        Args:
            payload: of a message's only frame, or of one of them.
            begun_bytes: what the message inflated to so far.
            final: whether it ends the message.

        Raises:
            Ended: it is not compressed data, or too much; then at most one chunk over the limit was held.
        """
        if final:
            if not payload and not self._midway:
                return b""  # some compressors give nothing for nothing, though the RFC wants a byte of them
            payload += TAIL
            self._midway = False
        elif payload:
            self._midway = True
        try:
            if len(payload) <= SLICE_BYTES:
                inflated = self._stream.decompress(payload, CHUNK_BYTES)
                if len(inflated) == CHUNK_BYTES or self._stream.eof:
                    inflated = self._joined(self._rest(inflated), begun_bytes)
            else:
                inflated = self._joined(self._slices(payload), begun_bytes)
        except zlib.error:
            raise violation("message is not compressed data", 1007) from None
        if final and self._forgets:
            self._stream = zlib.decompressobj(self._bits)
        if begun_bytes + len(inflated) > self._limit:
            raise too_large(self._limit)
        return inflated

    def _slices(self, payload: bytes) -> Iterator[bytes]:
        for start in range(0, len(payload), SLICE_BYTES):
            piece = payload[start : start + SLICE_BYTES]
            yield from self._rest(self._stream.decompress(piece, CHUNK_BYTES))

    def _rest(self, inflated: bytes) -> Iterator[bytes]:
        """What a slice inflated to so far, and what else it does."""
        finals = 0
        while True:
            yield inflated
            if self._stream.eof:
                # A final block (RFC 7692, section 7.2.3.4): what follows is a stream of its own, as browsers take it.
                finals += 1
                if finals > FINALS_A_SLICE:
                    raise violation(f"over {FINALS_A_SLICE} final blocks in {SLICE_BYTES} bytes", 1007)
                rest = self._stream.unused_data
                self._stream = zlib.decompressobj(self._bits)
            elif len(inflated) == CHUNK_BYTES:
                rest = self._stream.unconsumed_tail  # may be empty, with output still held back
            else:
                return
            inflated = self._stream.decompress(rest, CHUNK_BYTES)

    def _joined(self, pieces: Iterator[bytes], held_bytes: int) -> bytes:
        taken = []
        for piece in pieces:
            held_bytes += len(piece)
            if held_bytes > self._limit:
                raise too_large(self._limit)
            taken.append(piece)
        return b"".join(taken)


class InflatingSplitter(FrameSplitter):
    """A splitter for a line on which compression was agreed: its frames hold what the messages were.

    The size limit is on what a message inflates to. What it comes as may be as much longer as a bad compressor makes
    it, which is decided at the frame header.
    """

    def __init__(self, max_message_bytes: int, agreement: Agreement) -> None:
        super().__init__(max_message_bytes)
        # What zlib's compressors may make of so many bytes, with any settings.
        self._longest += max_message_bytes // 8 + max_message_bytes // 64 + 64
        self._reserved = RESERVED_BITS & ~COMPRESSED
        self._inflater = Inflater(agreement, max_message_bytes)
        self._packed = False  # of the message that the last fragment belongs to

    def _texts(self, data: bytes, position: int) -> int:
        """As without compression, for texts of both kinds."""
        if self._message is not None:
            return position
        total, limit, append = len(data), self.limit, self._frames.append
        inflate = self._inflater.inflate
        while total - position >= 4 and data[position] | COMPRESSED == PACKED_TEXT:
            size = data[position + 1]
            start = position + 2
            if size == TWO_BYTE_LENGTH:
                size = data[start] << 8 | data[start + 1]
                start = position + 4
                if size < TWO_BYTE_LENGTH:
                    return position
            elif size > TWO_BYTE_LENGTH:
                return position
            stop = start + size
            if stop > total or size > limit:
                return position
            payload = data[start:stop]
            if data[position] == PACKED_TEXT:
                payload = inflate(payload, 0, final=True)
            if not payload.isascii():
                check_text(payload)
            append(payload)
            position = stop
        return position

    def _header(self, data: bytes, position: int) -> tuple[int, int] | None:
        found = super()._header(data, position)
        if found is None:
            return None
        first = data[position]
        opcode = first & OPCODE_BITS
        packed = bool(first & COMPRESSED)
        if packed and opcode not in (TEXT, BINARY):
            raise violation("frame that cannot begin a message is marked as compressed")
        if opcode == CONTINUATION:
            packed = self._packed
        if not packed and opcode < CLOSE and found[1] - found[0] + len(self._message or b"") > self.limit:
            raise too_large(self.limit)
        return found

    def _data(self, first: int, payload: bytes) -> None:
        """Inflate what has to be, then go on as without."""
        if first & OPCODE_BITS != CONTINUATION:
            self._packed = bool(first & COMPRESSED)
        if self._packed:
            begun_bytes = len(self._message or b"")
            payload = self._inflater.inflate(payload, begun_bytes, final=bool(first & FIN))
        super()._data(first, payload)
