"""The client cases of the Autobahn test suite, sections 1 to 10, as data: what the server sends, what must come back.

Names are the suite's. Where it sends in one go, a step is one read of the client's; where it sends frame by frame
or in chops, each is a read of its own. Reduced, so that all take seconds: messages of 9.1 and 9.2 are 64 times
smaller, those of 9.3 and 9.4 are of 64 KiB in at most 4,096 fragments, those of 9.5 and 9.6 of 16 KiB, and 9.7 and
9.8 make 20 round trips instead of 1,000. Unlike the suite, which counts bytes there, their content is compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import attrs

from tests.runtime.wire_peers import BINARY, CLOSE, PING, PONG, TEXT, ClientFrame
from tests.runtime.wire_streams import CONTINUATION, frame

__all__ = ["CASES", "COUNTS", "Case"]

COUNTS = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1}
"""How many cases the suite has in each section; the other 216 of its 517, in 12 and 13, are about compression."""

PROTOCOL_ERROR, INVALID_PAYLOAD, NORMAL, NO_CODE = 1002, 1007, 1000, 1005


@attrs.frozen
class Case:
    """One case.

    Attributes:
        name: as the suite has it.
        steps: pieces to send, each for one read, and seconds to wait.
        answers: what the client sends, oldest first, before any close frame; its messages are what it received.
        code: what the line ends with.
        reason: the peer's words at its end.
        closes: the steps hold the server's close frame; otherwise it closes normally when they are done.
        found_wrong: the client has to fail the line; no step says goodbye.
        lenient: the suite takes fewer answers too, for what is wrong, or over, is known by the time of answering.
        ends_s: when the line ends.
        late_s: when it may end too, as the suite has it.
    """

    name: str
    steps: tuple[bytes | float, ...]
    answers: tuple[ClientFrame, ...] = ()
    code: int = NORMAL
    reason: str = ""
    closes: bool = False
    found_wrong: bool = False
    lenient: bool = False
    ends_s: float = 0.0
    late_s: float | None = None


def chops(data: bytes, size: int = 1) -> tuple[bytes, ...]:
    return tuple(data[start : start + size] for start in range(0, len(data), size))


def fragments(opcode: int, parts: Iterable[bytes]) -> list[bytes]:
    parts = list(parts)
    return [
        frame(opcode if not place else CONTINUATION, part, fin=place == len(parts) - 1)
        for place, part in enumerate(parts)
    ]


def by_octet(payload: bytes) -> list[bytes]:
    """A text of fragments of one byte, and one of none at its end."""
    return fragments(TEXT, (*chops(payload), b""))


def echoed(name: str, payload: bytes, *steps: bytes, opcode: int = TEXT) -> Case:
    """The message comes back; it goes out in one frame unless the steps say otherwise."""
    return Case(name, steps or (frame(opcode, payload),), (ClientFrame(opcode, payload),))


def refused(name: str, *steps: bytes, first: bytes | None = None, code: int = PROTOCOL_ERROR) -> Case:
    """The client fails the line, maybe after it received a message."""
    answers = () if first is None else (ClientFrame(TEXT, first),)
    return Case(name, steps, answers, code, found_wrong=True, lenient=bool(answers))


def closed(name: str, stream: bytes, code: int = NORMAL, reason: str = "") -> Case:
    """The server says goodbye first."""
    return Case(name, (stream,), code=code, reason=reason, closes=True)


def numbered(section: str, cases: Iterable[tuple[bytes, tuple[bytes, ...]]], opcode: int) -> Iterable[Case]:
    for number, (payload, steps) in enumerate(cases, 1):
        yield echoed(f"{section}.{number}", payload, *steps, opcode=opcode)


# --- 1: framing


def _framing() -> Iterable[Case]:
    for section, opcode, byte in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
        sizes = (0, 125, 126, 127, 128, 65535, 65536)
        yield from numbered(section, ((byte * size, ()) for size in sizes), opcode)
        yield echoed(f"{section}.8", byte * 65536, *chops(frame(opcode, byte * 65536), 997), opcode=opcode)


# --- 2: pings and pongs

TEN = [b"payload-%d" % number for number in range(10)]
UNASKED = frame(PONG, b"unsolicited pong payload")


def _pinged(name: str, *payloads: bytes, steps: tuple[bytes, ...] = ()) -> Case:
    pongs = tuple(ClientFrame(PONG, payload) for payload in payloads)
    return Case(name, steps or (b"".join(frame(PING, payload) for payload in payloads),), pongs)


PINGS = (
    _pinged("2.1", b""),
    _pinged("2.2", b"Hello, world!"),
    _pinged("2.3", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
    _pinged("2.4", b"\xfe" * 125),
    refused("2.5", frame(PING, b"\xfe" * 126)),
    _pinged("2.6", b"\xfe" * 125, steps=chops(frame(PING, b"\xfe" * 125))),
    closed("2.7", frame(PONG) + frame(CLOSE, b"\x03\xe8")),
    closed("2.8", UNASKED + frame(CLOSE, b"\x03\xe8")),
    _pinged("2.9", b"ping payload", steps=(UNASKED + frame(PING, b"ping payload"),)),
    _pinged("2.10", *TEN),
    _pinged("2.11", *TEN, steps=chops(b"".join(frame(PING, payload) for payload in TEN))),
)


# --- 3 and 4: reserved bits and opcodes

HELLO = b"Hello, world!"


def _after_hello(name: str, bad: bytes, way: str) -> Case:
    """A good text, what is wrong, and a ping that nobody may answer."""
    frames = (frame(TEXT, HELLO), bad, frame(PING))
    joined = b"".join(frames)
    steps = {"at once": (joined,), "by frame": frames, "by octet": chops(joined)}[way]
    return refused(name, *steps, first=HELLO)


RESERVED_BITS = (
    refused("3.1", frame(TEXT, HELLO, bits=0x10)),
    _after_hello("3.2", frame(TEXT, HELLO, bits=0x20), "at once"),
    _after_hello("3.3", frame(TEXT, HELLO, bits=0x30), "by frame"),
    _after_hello("3.4", frame(TEXT, HELLO, bits=0x40), "by octet"),
    refused("3.5", frame(BINARY, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", bits=0x50)),
    refused("3.6", frame(BINARY, HELLO, bits=0x60)),
    refused("3.7", frame(CLOSE, bits=0x70)),
)


def _opcodes() -> Iterable[Case]:
    for section, first in (("4.1", 3), ("4.2", 11)):
        yield refused(f"{section}.1", frame(first))
        yield refused(f"{section}.2", frame(first + 1, b"reserved opcode payload"))
        yield _after_hello(f"{section}.3", frame(first + 2), "at once")
        yield _after_hello(f"{section}.4", frame(first + 3, HELLO), "at once")
        yield _after_hello(f"{section}.5", frame(first + 4, HELLO), "by octet")


# --- 5: fragmentation

PARTS = [b"fragment1", b"fragment2"]
NOTHING_BEFORE = b"non-continuation payload"


def _three_ways(names: Iterable[str], frames: list[bytes]) -> Iterable[tuple[str, tuple[bytes, ...]]]:
    joined = b"".join(frames)
    return zip(names, ((joined,), tuple(frames), chops(joined)), strict=True)


def _fragmentation() -> Iterable[Case]:
    yield refused("5.1", frame(PING, b"fragment1", fin=False) + frame(CONTINUATION, b"fragment2"))
    yield refused("5.2", frame(PONG, b"fragment1", fin=False) + frame(CONTINUATION, b"fragment2"))
    whole = fragments(TEXT, PARTS)
    for name, steps in _three_ways(("5.3", "5.4", "5.5"), whole):
        yield echoed(name, b"".join(PARTS), *steps)
    between = [whole[0], frame(PING, b"ping payload"), whole[1]]
    for name, steps in _three_ways(("5.6", "5.7", "5.8"), between):
        yield Case(name, steps, (ClientFrame(PONG, b"ping payload"), ClientFrame(TEXT, b"".join(PARTS))))
    for start, fin in ((9, True), (12, False)):
        names = [f"5.{start + place}" for place in range(3)]
        for name, steps in _three_ways(
            names, [frame(CONTINUATION, NOTHING_BEFORE, fin=fin), frame(TEXT, HELLO)]
        ):
            yield refused(name, *steps)
    lost = frame(CONTINUATION, b"fragment3", fin=False) + frame(TEXT, b"fragment4")
    yield refused("5.15", b"".join(whole) + lost, first=b"".join(PARTS))
    for name, fin in (("5.16", False), ("5.17", True)):
        behind = b"".join(fragments(TEXT, [b"fragment2", b"fragment3"]))
        yield refused(name, (frame(CONTINUATION, b"fragment1", fin=fin) + behind) * 2)
    yield refused("5.18", frame(TEXT, b"fragment1", fin=False) + frame(TEXT, b"fragment2"))
    five = fragments(TEXT, [b"fragment%d" % number for number in range(1, 6)])
    early = (five[0], five[1], frame(PING, b"pongme 1!"))
    late = (five[2], five[3], frame(PING, b"pongme 2!"), five[4])
    answers = (
        ClientFrame(PONG, b"pongme 1!"),
        ClientFrame(PONG, b"pongme 2!"),
        ClientFrame(TEXT, b"fragment1fragment2fragment3fragment4fragment5"),
    )
    yield Case("5.19", (b"".join(early), 1.0, b"".join(late)), answers, ends_s=1.0)
    yield Case("5.20", (*early, 1.0, *late), answers, ends_s=1.0)


# --- 6: UTF-8

GREEK = bytes.fromhex("ceba e1bdb9 cf83 cebc ceb5")
UMLAUTS = ("Hello-µ@ßöä".encode(), "üàá-UTF-8!!".encode())
TAIL = b"edited"


def _split_points(name: str, first: bytes, second: bytes, third: bytes, *, one_frame: bool) -> Case:
    """It is wrong with the second part, a second later; within one frame the suite also takes its end."""
    pieces = fragments(TEXT, (first, second, third))
    if one_frame:
        whole, end = fragments(TEXT, (first + second + third, b""))
        head = whole[: -len(first + second + third)]
        pieces = [head + first, second, third + end]
    steps = (pieces[0], 1.0, pieces[1], 1.0, pieces[2])
    return Case(
        name, steps, code=INVALID_PAYLOAD, found_wrong=True, ends_s=1.0, late_s=2.0 if one_frame else 1.0
    )


def _utf8() -> Iterable[Case]:
    yield echoed("6.1.1", b"")
    yield echoed("6.1.2", b"", b"".join(fragments(TEXT, [b"", b"", b""])))
    middle = b"middle frame payload"
    yield echoed("6.1.3", middle, b"".join(fragments(TEXT, [b"", middle, b""])))
    both = b"".join(UMLAUTS)
    yield echoed("6.2.1", both)
    yield echoed("6.2.2", both, b"".join(fragments(TEXT, UMLAUTS)))
    yield echoed("6.2.3", both, b"".join(by_octet(both)))
    yield echoed("6.2.4", GREEK, b"".join(by_octet(GREEK)))
    surrogate = GREEK + b"\xed\xa0\x80" + TAIL
    yield refused("6.3.1", frame(TEXT, surrogate), code=INVALID_PAYLOAD)
    yield refused("6.3.2", b"".join(by_octet(surrogate)), code=INVALID_PAYLOAD)
    beyond = b"\xf4\x90\x80\x80"
    yield _split_points("6.4.1", GREEK, beyond, TAIL, one_frame=False)
    yield _split_points("6.4.2", GREEK + beyond[:1], beyond[1:2], beyond[2:] + TAIL, one_frame=False)
    yield _split_points("6.4.3", GREEK, beyond, TAIL, one_frame=True)
    yield _split_points("6.4.4", GREEK + beyond[:1], beyond[1:2], beyond[2:] + TAIL, one_frame=True)
    for section, words in SEQUENCES.items():
        for number, word in enumerate(words.split(), 1):
            payload = bytes.fromhex(word.removeprefix("!"))
            name = f"{section}.{number}"
            yield (
                refused(name, frame(TEXT, payload), code=INVALID_PAYLOAD)
                if word[0] == "!"
                else echoed(name, payload)
            )


def _hello_world(*middle: str) -> str:
    return " ".join(b"hello".hex() + each + b"world".hex() for each in middle)


def _lonely(first: int, last: int) -> str:
    """Every start byte of a length, each with a space behind it."""
    return "!" + b"".join(bytes([byte, 0x20]) for byte in range(first, last)).hex()


def _non_characters() -> str:
    """The last two code points of each plane's last rows, which are valid UTF-8."""
    rows = [f"{first}{second}bf{last}" for first, second, last in itertools.product(
        ("f0", "f1", "f2", "f3", "f4"), ("8f", "9f", "af", "bf"), ("be", "bf")
    ) if not (first == "f4" and second != "8f") and not (first == "f0" and second == "8f")]  # fmt: skip
    return " ".join(["efbfbe", "efbfbf", *rows])


BROKEN_OFF = "!c0 !e080 !f08080 !f8808080 !fc80808080 !df !efbf !f7bfbf !fbbfbfbf !fdbfbfbfbf"

SEQUENCES = {
    "6.5": f"{_hello_world('24', 'c2a2', 'e282ac', 'f0a4ada2')} {GREEK.hex()}",
    "6.6": " ".join(
        ("" if size in (2, 5, 7, 9, 11) else "!") + GREEK[:size].hex() for size in range(1, len(GREEK) + 1)
    ),
    "6.7": "00 c280 e0a080 f0908080",
    "6.8": "!f888808080 !fc8480808080",
    "6.9": "7f dfbf efbfbf f48fbfbf",
    "6.10": "!f7bfbfbf !fbbfbfbfbf !fdbfbfbfbfbf",
    "6.11": "ed9fbf ee8080 efbfbd f48fbfbf !f4908080",
    "6.12": "!80 !bf !80bf !80bf80 !80bf80bf !80bf80bf80 !80bf80bf80bf !" + bytes(range(0x80, 0xBF)).hex(),
    "6.13": " ".join(
        _lonely(first, last)
        for first, last in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
    ),
    "6.14": BROKEN_OFF,
    "6.15": "!" + BROKEN_OFF.replace(" ", "").replace("!", ""),
    "6.16": "!fe !ff !fefeffff",
    "6.17": "!c0af !e080af !f08080af !f8808080af !fc80808080af",
    "6.18": "!c1bf !e09fbf !f08fbfbf !f887bfbfbf !fc83bfbfbfbf",
    "6.19": "!c080 !e08080 !f0808080 !f880808080 !fc8080808080",
    "6.20": "!eda080 !edadbf !edae80 !edafbf !edb080 !edbe80 !edbfbf",
    "6.21": "!eda080edb080 !eda080edbfbf !edadbfedb080 !edadbfedbfbf "
    "!edae80edb080 !edae80edbfbf !edafbfedb080 !edafbfedbfbf",
    "6.22": _non_characters(),
    "6.23": "efbfb9 efbfba efbfbb efbfbc efbfbd efbfbe efbfbf",
}
"""Payloads in hexadecimal; with a ``!`` those that are no UTF-8, after Markus Kuhn's decoder stress test."""


# --- 7: close handshake

NORMALLY = frame(CLOSE, NORMAL.to_bytes(2))
BIG = b"BAsd7&jh23" * 26215
VALID_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
INVALID_CODES = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)


def _close_handshake() -> Iterable[Case]:
    yield echoed("7.1.1", b"Hello World!")
    yield closed("7.1.2", NORMALLY + frame(CLOSE))
    yield closed("7.1.3", NORMALLY + frame(PING))
    yield closed("7.1.4", NORMALLY + frame(TEXT, b"Hello World!"))
    yield closed("7.1.5", frame(TEXT, PARTS[0], fin=False) + NORMALLY + frame(CONTINUATION, PARTS[1]))
    stream = frame(TEXT, BIG[: 256 * 1024]) + frame(TEXT, b"Hello World!") + NORMALLY + frame(PING)
    messages = (ClientFrame(TEXT, BIG[: 256 * 1024]), ClientFrame(TEXT, b"Hello World!"))
    yield Case("7.1.6", (stream,), messages, closes=True, lenient=True)
    yield closed("7.3.1", frame(CLOSE), NO_CODE)
    yield refused("7.3.2", frame(CLOSE, b"a"))
    yield closed("7.3.3", NORMALLY)
    yield closed("7.3.4", frame(CLOSE, b"\x03\xe8Hello World!"), reason="Hello World!")
    yield closed("7.3.5", frame(CLOSE, b"\x03\xe8" + b"*" * 123), reason="*" * 123)
    yield refused("7.3.6", frame(CLOSE, b"\x03\xe8" + b"*" * 124))
    words = GREEK + b"\xed\xa0\x80" + TAIL
    yield refused("7.5.1", frame(CLOSE, b"\x03\xe8" + words), code=INVALID_PAYLOAD)
    for number, code in enumerate(VALID_CODES, 1):
        yield closed(f"7.7.{number}", frame(CLOSE, code.to_bytes(2)), code)
    for number, code in enumerate(INVALID_CODES, 1):
        yield refused(f"7.9.{number}", frame(CLOSE, code.to_bytes(2)))
    for number, code in enumerate((5000, 65535), 1):  # the suite demands nothing there
        yield refused(f"7.13.{number}", frame(CLOSE, code.to_bytes(2)))


# --- 9: limits, reduced


def _limits() -> Iterable[Case]:
    kinds = ((TEXT, b"BAsd7&jh23"), (BINARY, b"\x00\xfe\x23\xfa\xf0"))
    for place, (opcode, pattern) in enumerate(kinds):
        data = (pattern * 65536)[: 256 * 1024]
        sizes = (64, 256, 1024, 4096, 8192, 16384)
        yield from numbered(f"9.{1 + place}", ((data[: size * 16], ()) for size in sizes), opcode)
        message = data[: 64 * 1024]
        parts = ((message, (b"".join(fragments(opcode, chops(message, size))),)) for size in FRAGMENTS)
        yield from numbered(f"9.{3 + place}", parts, opcode)
        chopped = frame(opcode, data[: 16 * 1024])
        pieces = ((data[: 16 * 1024], chops(chopped, size)) for size in (64, 128, 256, 512, 1024, 2048))
        yield from numbered(f"9.{5 + place}", pieces, opcode)
        for number, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            turns = (frame(opcode, data[:size]),) * 20
            yield Case(f"9.{7 + place}.{number}", turns, (ClientFrame(opcode, data[:size]),) * 20)


FRAGMENTS = (16, 32, 64, 128, 256, 1024, 4096, 16384, 65536)

FRAGMENTED = echoed("10.1.1", b"*" * 65536, b"".join(fragments(TEXT, chops(b"*" * 65536, 1300))))

CASES: tuple[Case, ...] = (
    *_framing(),
    *PINGS,
    *RESERVED_BITS,
    *_opcodes(),
    *_fragmentation(),
    *_utf8(),
    *_close_handshake(),
    *_limits(),
    FRAGMENTED,
)
