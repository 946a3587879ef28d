"""WebSocket frames out of a byte stream: all whole frames of one socket read in one pass.

The splitter reads what a server sends to a client without extensions (RFC 6455, section 5); for one that agreed on
compression there is ``deflate``. It keeps messages apart from control frames, checks announced lengths before a byte
of the payload came, and judges what breaks the protocol; it sends nothing and knows no time.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

__all__ = ["End", "Ended", "FrameSplitter", "Split", "check_text", "too_large", "violation"]

FIN, RESERVED_BITS, OPCODE_BITS, MASK_BIT = 0x80, 0x70, 0x0F, 0x80
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL_TEXT = FIN | TEXT
OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})

TWO_BYTE_LENGTH, EIGHT_BYTE_LENGTH = 126, 127
LONGEST_CONTROL = 125

NO_CODE = 1005
KNOWN_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1014), *range(3000, 5000)})
"""What a close frame may carry: RFC 6455 section 7.4, with 1012 and 1013 of the IANA registry."""


class End(NamedTuple):
    """Why nothing after it is read.

    Attributes:
        code: the peer's close code (1005 where its close frame has none), or the code to close with.
        reason: the peer's words, or what was wrong, in words that fit a close frame.
        by_peer: whether it was a valid close frame; otherwise the verdict is ours.
        too_large: whether a message passed the size limit (1009).
    """

    code: int
    reason: str
    by_peer: bool = False
    too_large: bool = False


class Split(NamedTuple):
    """What one piece of input completed.

    Attributes:
        frames: payloads of whole data messages, oldest first; text is valid UTF-8.
        pongs: payloads of the pongs that came, oldest first.
        controls: the pings and the close frame as they came, oldest first: they call for an answer.
        end: set once, with the piece of input that ended the reading.
    """

    frames: list[bytes]
    pongs: list[bytes]
    controls: list[bytes]
    end: End | None


class Ended(Exception):
    """Leaves the parsing of a frame with its verdict."""

    def __init__(self, end: End) -> None:
        super().__init__(end.reason)
        self.end = end


def violation(reason: str, code: int = 1002) -> Ended:
    """The verdict on a peer that broke the rules."""
    return Ended(End(code, reason))


def too_large(limit_bytes: int) -> Ended:
    """The verdict on a message over the size limit."""
    return Ended(End(1009, f"message over {limit_bytes} bytes", too_large=True))


class FrameSplitter:
    """Splits the bytes from a server into messages and control frames.

    Attributes:
        advanced: whether the last :meth:`feed` completed a frame: the sign of life that counts.
        end: why the reading ended; whatever is fed afterwards is dropped.
        limit: the largest message taken, in bytes.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self.advanced = False
        self.end: End | None = None
        self.limit = max_message_bytes
        self._longest = max_message_bytes  # that a data frame may be
        self._reserved = RESERVED_BITS  # those that no frame may have
        self._held: list[bytes] = []  # an incomplete frame, in the pieces it came in
        self._held_bytes = 0
        self._needed = 2  # how many bytes from its start on are needed to go on
        self._message: bytearray | None = None  # the fragments so far
        self._decoder: codecs.IncrementalDecoder | None = None  # of a fragmented text
        self._frames: list[bytes] = []  # what the current feed completed
        self._controls: list[bytes] = []
        self._pongs: list[bytes] = []

    @property
    def midway(self) -> bool:
        """Whether a frame began and is not complete."""
        return bool(self._held)

    def feed(self, data: bytes) -> Split:
        """Take the next bytes from the socket.

        An incomplete frame is kept, at most ``max_message_bytes`` and one piece of input.
        """
        self._frames, self._controls, self._pongs = [], [], []
        if self._held:
            self._held.append(data)
            self._held_bytes += len(data)
            short = self._held_bytes < self._needed
            data = b"" if short else b"".join(self._held)
        else:
            short = False
        if short or self.end is not None:
            self.advanced = False
            return Split([], [], [], None)
        self._held, self._needed = [], 2
        position: int | None = 0
        rest = 0  # where the incomplete frame starts
        try:
            while position is not None:
                rest = self._texts(data, position)
                position = self._frame(data, rest)
        except Ended as verdict:
            self.end = verdict.end
            self.advanced = True
        else:
            self.advanced = rest > 0
            if rest < len(data):
                self._held, self._held_bytes = [data[rest:]], len(data) - rest
        return Split(self._frames, self._pongs, self._controls, self.end)

    def _texts(self, data: bytes, position: int) -> int:
        """Take whole texts of less than 64 KiB, nearly all there is, without a call for each; the rest's start."""
        if self._message is not None:
            return position
        total, limit, append = len(data), self.limit, self._frames.append
        while total - position >= 4 and data[position] == FINAL_TEXT:
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
            if not payload.isascii():
                check_text(payload)
            append(payload)
            position = stop
        return position

    def _frame(self, data: bytes, position: int) -> int | None:
        """Take one frame of any kind; the next one's start, or ``None`` where this one is incomplete."""
        header = self._header(data, position)
        if header is None:
            return None
        start, stop = header
        if stop > len(data):
            self._needed = stop - position
            return None
        opcode = data[position] & OPCODE_BITS
        if opcode == PONG:
            self._pongs.append(data[start:stop])
        elif opcode == PING:
            self._controls.append(data[position:stop])
        elif opcode == CLOSE:
            end = _closing(data[start:stop])
            self._controls.append(data[position:stop])
            raise Ended(end)
        else:
            self._data(data[position], data[start:stop])
        return stop

    def _header(self, data: bytes, position: int) -> tuple[int, int] | None:
        """Where the payload starts and stops; ``None`` while the header is incomplete."""
        if len(data) - position < 2:
            return None
        first, size = data[position], data[position + 1]
        opcode = first & OPCODE_BITS
        start = position + 2
        _check_start(first, size, self._reserved)
        if opcode >= CLOSE:
            return start, start + size
        if size >= TWO_BYTE_LENGTH:
            width = 2 if size == TWO_BYTE_LENGTH else 8
            if len(data) < start + width:
                self._needed = 2 + width
                return None
            size = int.from_bytes(data[start : start + width])
            start += width
            if size < TWO_BYTE_LENGTH or (width == 8 and size < 1 << 16):
                raise violation("length not in its shortest form")
            if size >= 1 << 63:
                raise violation("length over 63 bits")
        if (opcode == CONTINUATION) is (self._message is None):
            raise violation(
                "continuation of nothing" if self._message is None else "message inside a message"
            )
        if size + len(self._message or b"") > self._longest:
            raise too_large(self.limit)
        return start, start + size

    def _data(self, first: int, payload: bytes) -> None:
        """Take a data frame: a whole message, or a part of one."""
        opcode, final = first & OPCODE_BITS, bool(first & FIN)
        if final and opcode != CONTINUATION:
            if opcode == TEXT:
                check_text(payload)
            self._frames.append(payload)
            return
        if self._message is None:
            self._message = bytearray()
            self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode == TEXT else None
        self._message += payload
        if self._decoder is not None:
            try:
                self._decoder.decode(payload, final)
            except UnicodeDecodeError:
                raise violation("text is not UTF-8", 1007) from None
        if final:
            self._frames.append(bytes(self._message))
            self._message = None


def _check_start(first: int, size: int, reserved: int) -> None:
    """Judge a frame by its first two bytes."""
    opcode = first & OPCODE_BITS
    if first & reserved:
        raise violation("reserved bit set")
    if opcode not in OPCODES:
        raise violation(f"unknown opcode {opcode:#x}")
    if size & MASK_BIT:
        raise violation("masked frame from a server")
    if opcode >= CLOSE and not first & FIN:
        raise violation("fragmented control frame")
    if opcode >= CLOSE and size > LONGEST_CONTROL:
        raise violation("control frame over 125 bytes")


def check_text(payload: bytes) -> None:
    """Refuse a text message that is not UTF-8.

    Raises:
        Ended: with 1007.
    """
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise violation("text is not UTF-8", 1007) from None


def _closing(payload: bytes) -> End:
    """What a close frame's payload says."""
    if not payload:
        return End(NO_CODE, "", by_peer=True)
    if len(payload) == 1:
        raise violation("close frame of one byte")
    code = int.from_bytes(payload[:2])
    if code not in KNOWN_CLOSE_CODES:
        raise violation(f"close frame with the reserved code {code}")
    try:
        return End(code, payload[2:].decode(), by_peer=True)
    except UnicodeDecodeError:
        raise violation("close reason is not UTF-8", 1007) from None
