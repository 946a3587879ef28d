"""What bytes from outside can reach, each as a function of bytes: it returns, or the bytes found something.

A function raises for what must not be: an exception that nobody documented, or a promise that does not hold. The
same bytes always do the same, so that what is found can be replayed.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import attrs
import msgspec

from tests.robustness.hostile import CASES, captured, fields, spoil
from tests.robustness.play import FETCHING, Play, check, fetching, judge
from tests.runtime.wire_streams import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from tests.venues.cases import Case
from trioquotes._protocol.codec import (
    BadFrame,
    BlankDecimal,
    Counter,
    Moment,
    Reader,
    builtins,
    check_numbers,
    from_json_line,
    to_json_line,
)
from trioquotes._protocol.deflate import Agreement, InflatingSplitter
from trioquotes._protocol.effects import Failure, Reply
from trioquotes._protocol.frames import FrameSplitter
from trioquotes._protocol.oddities import MAX_ADJUSTED, suspicious
from trioquotes._protocol.offline import Offline
from trioquotes._runtime.upgrade import BODY_BYTES, UpgradeAnswer
from trioquotes.events import Malformed

__all__ = ["TARGETS", "Target", "spoilt", "words_of"]

LINES = 24
"""Frames of one input at most, so that none takes for ever."""
CAPTURED = 60
"""Captured frames that seed a target, evenly out of all."""
MESSAGE_BYTES = 300


@attrs.frozen(repr=False)
class Target:
    """Something to be tried with bytes.

    Attributes:
        run: tries it.
        seeds: bytes to begin with.
        lines: whether the bytes are lines, each a frame.
        weight: how much of the time it is worth.
        venue: which venue's it is; empty for none.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    lines: bool = True
    weight: float = 1.0
    venue: str = ""


# A venue on the stage -------------------------------------------------------------------------------


def receive(case: Case, data: bytes) -> None:
    """Lines that the server says; the first byte says on which connection, or that time passes or a line drops."""
    play = Play(case)
    names = [line.lane.name for line in play.lines]
    for said in data.split(b"\n")[:LINES]:
        if not said:
            continue
        if said[0] == ord("~"):
            play.bench.advance(float(len(said)) ** 2)
            play.look()
            continue
        line = play.line(names[said[0] % len(names)])
        if said[0] == ord("!"):
            line.drop()
            play.bench.advance(60.0)
            continue
        play.say(line, said[1:])
    play.bench.advance(1.0)
    play.look()


def receive_seeds(case: Case) -> Iterator[bytes]:
    """Every sample on its line, all together, and what was captured."""
    names = [line.lane.name for line in Play(case).lines]
    marks = {
        name: next(b for b in b"abcdefghijklmnop" if b % len(names) == n) for n, name in enumerate(names)
    }
    samples = [bytes([marks[sample.lane]]) + sample.frame.encode() for sample in case.samples]
    yield from samples
    for start in range(0, len(samples), 6):
        yield b"\n".join([*samples[start : start + 6], b"~~~", b"!", *samples[start : start + 6]])
    for _, said in taken(case):
        yield from (bytes([mark]) + said for mark in list(marks.values())[:1])


def decode(case: Case, data: bytes) -> None:
    """Captured frames: the first line is the channel, each other one a frame."""
    channel, *frames = data.split(b"\n")[:LINES]
    for native in (False, True):
        run = Offline(case.venue, native=native)
        for said in frames:
            before = run.count().elements
            for event in run.feed(said, channel.decode("latin-1")):
                judge(event)
            assert run.count().elements > before, f"a frame without a disposition: {said!r}"


def decode_seeds(case: Case) -> Iterator[bytes]:
    """All samples as if captured of every channel, each by itself, and what was captured, with its channel."""
    for name in ("", *sorted(case.venue.topics)):
        for start in range(0, len(case.samples), LINES - 1):
            some = case.samples[start : start + LINES - 1]
            yield b"\n".join([name.encode(), *(sample.frame.encode() for sample in some)])
    for sample in case.samples:
        yield b"\n" + sample.frame.encode()
    for channel, said in taken(case):
        yield channel.encode() + b"\n" + said.replace(b"\n", b" ")


def taken(case: Case) -> list[tuple[str, bytes]]:
    """Some of the captured frames."""
    frames = list(captured(case.venue.name))
    return [one for one in frames[:: max(1, len(frames) // CAPTURED)] if len(one[1]) < 20_000]


STATUSES = (200, 200, 200, 204, 301, 400, 401, 404, 429, 500, 503)


def fetched(case: Case, data: bytes) -> None:
    """Bodies that the venue's HTTP side answers with, over and over; the first byte of each says the status."""
    parts = data.split(b"\n")[:LINES]

    def replies() -> Iterator[Reply | Failure]:
        for part in itertools.cycle(parts or [b""]):
            status = STATUSES[(part or b"\0")[0] % len(STATUSES)]
            if part[:1] == b"!":
                yield Failure("stream", "the connection is lost", body=part[1:])
            else:
                yield Reply(
                    status,
                    {"content-type": "application/json", "retry-after": part[1:9].decode("latin-1")},
                    part[1:],
                )

    bench, boxes, _ = fetching(case, replies())
    for box in boxes:
        for event in box.take():
            judge(event)
    bench.assert_polite()


def fetched_seeds(case: Case) -> Iterator[bytes]:
    """What a good server answers, as far as it is asked."""
    said: list[bytes] = []

    class Listening:
        def __init__(self, lane: Any) -> None:
            self._good = case.server(lane)
            self.connected, self.receive = self._good.connected, self._good.receive

        def fetch(self, request: Any) -> Reply:
            reply = self._good.fetch(request)
            said.append(reply.body.replace(b"\n", b" "))
            return reply

    play = Play(attrs.evolve(case, server=Listening))
    play.look()
    zero = bytes([len(STATUSES) * 5])
    yield from (zero + body for body in said)
    yield b"!\n" + zero + b"{}\n" + zero + b"[]"
    for sample in case.samples:
        yield zero + sample.frame.encode()


def verdict(plays: dict[str, Play], case: Case, data: bytes) -> None:
    """A refusal: status, Retry-After, date and body, a line each."""
    first, header, date, *body = data.split(b"\n", 3)[:4] + [b""] * 3
    play = plays.setdefault(case.venue.name, Play(case))
    status = int.from_bytes(first[:2])
    headers = {"retry-after": header.decode("latin-1"), "date": date.decode("latin-1")}
    failure = Failure(
        "handshake", "refused", status=status % 1000 or None, headers=headers, body=body[0], close_code=status,
        last_error=body[0][:80].decode("latin-1"),
    )  # fmt: skip
    for line in play.lines:
        check(line.alive.classify(failure), failure)


def verdict_seeds(case: Case) -> Iterator[bytes]:
    """What is documented, roughly."""
    for status in (400, 401, 403, 418, 429, 500, 503):
        yield (
            status.to_bytes(2) + b'\n3\nWed, 21 Oct 2015 07:28:00 GMT\n{"message":"no","error":{"name":"x"}}'
        )
    for sample in case.samples[:4]:
        yield (400).to_bytes(2) + b"\n\n\n" + sample.frame.encode()


# The transport --------------------------------------------------------------------------------------


def cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The input in pieces, and whole: its first byte seeds where it is cut."""
    body = data[1:]
    dice = random.Random(data[:1])  # noqa: S311  # decides where to cut, keeps no secret
    places = sorted({dice.randrange(len(body) + 1) for _ in range(dice.randrange(12))})
    if dice.random() < 0.1:
        places = list(range(1, len(body)))
    edges = [0, *places, len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges) if end > start], body


def frames(data: bytes, make: Callable[[], FrameSplitter] = lambda: FrameSplitter(MESSAGE_BYTES)) -> None:
    """What a server sends: the same messages wherever it is cut, and never more held than may be."""
    pieces, body = cut(data)
    whole = make()
    found = whole.feed(body)
    splitter, parts = make(), []
    for piece in pieces:
        parts.append(splitter.feed(piece))
        held = sum(map(len, splitter._held)) + len(splitter._message or b"")
        assert held <= 2 * MESSAGE_BYTES + len(piece) + 14, "more is held than a message"
    together = (
        [message for part in parts for message in part.frames],
        [control for part in parts for control in part.controls],
        next((part.end for part in parts if part.end is not None), None),
    )
    assert together == (found.frames, found.controls, found.end), together
    assert (splitter.end, splitter.midway) == (whole.end, whole.midway)
    for message in found.frames:
        assert len(message) <= MESSAGE_BYTES


def packed_frames(data: bytes) -> None:
    """The same of a server that compresses, as the second byte says."""
    how = data[1] if len(data) > 1 else 0
    agreement = Agreement(server_no_context_takeover=bool(how & 1), server_max_window_bits=9 + how // 2 % 7)
    frames(data[:1] + data[2:], lambda: InflatingSplitter(MESSAGE_BYTES, agreement))


def packed_seeds() -> Iterator[bytes]:
    """Messages that are compressed, in one frame and in several, one that is not, and one that is far too large."""
    pack = zlib.compressobj(wbits=-15)
    text, more, bomb = (
        pack.compress(content) + pack.flush(zlib.Z_SYNC_FLUSH)[:-4]
        for content in (b'{"type":"ticker"}', b'{"type":"ticker","price":"1.5"}', bytes(100_000))
    )
    yield b"\x01\x0c" + packed(text) + frame(TEXT, b"plain") + packed(more)
    yield b"\x02\x0c" + packed(text, fin=False) + frame(PING, b"x") + frame(CONTINUATION, more)
    yield b"\x03\x0d" + packed(text) + packed(text)
    yield b"\x04\x0c" + packed(text) + packed(more) + packed(bomb)


def packed(payload: bytes, *, fin: bool = True) -> bytes:
    """A text frame that is marked as compressed."""
    first, *rest = frame(TEXT, payload, fin=fin)
    return bytes([first | 0x40, *rest])


def frames_seeds() -> Iterator[bytes]:
    """Every kind of frame."""
    yield b"\x01" + frame(TEXT, b'{"type":"ticker"}') * 3
    yield (
        b"\x02"
        + frame(TEXT, "\u20ac".encode(), fin=False)
        + frame(PING, b"x")
        + frame(CONTINUATION, b"\xe2\x82\xac")
    )
    yield b"\x03" + frame(BINARY, bytes(200)) + frame(PONG, b"") + frame(CLOSE, (1001).to_bytes(2) + b"bye")
    yield b"\x04" + frame(TEXT, b"x" * 299) + frame(TEXT, b"x" * 301)
    yield b"\x05" + frame(TEXT, b"\xff") + b"\x81\x7f" + (1 << 62).to_bytes(8)


def upgrade(data: bytes) -> None:
    """The answer to the upgrade: the same wherever it is cut, and little of it kept."""
    pieces, body = cut(data)
    whole, answer = UpgradeAnswer(), UpgradeAnswer()
    whole.feed(body)
    for piece in pieces:
        if answer.complete or answer.wrong:
            break
        answer.feed(piece)
    if not whole.complete and not whole.wrong:
        whole.feed(b"")
    if not answer.complete and not answer.wrong:
        answer.feed(b"")
    assert whole.complete or whole.wrong, "the end of the stream is no end"
    assert (answer.status, answer.headers, answer.head) == (whole.status, whole.headers, whole.head)
    assert len(whole.body) <= BODY_BYTES
    if whole.head:  # early hints may stand before it
        assert body.endswith(whole.head + whole.rest), "bytes between head and frames are lost"
        assert whole.rest.startswith(answer.rest)
    assert len(whole.wrong) < MESSAGE_BYTES


def upgrade_seeds() -> Iterator[bytes]:
    """Answers that servers give."""
    yield b"\x01HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x02{}"
    yield b"\x02HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nslow"
    yield b"\x03HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    yield b"\x04HTTP/1.0 200 OK\r\nA: b\r\nA: c\r\n\r\nhello"
    yield b"\x05\x15\x03\x03\x00\x02\x02\x28"


# The codec ------------------------------------------------------------------------------------------


class Inner(msgspec.Struct, array_like=True):
    price: Decimal
    size: BlankDecimal
    side: str = ""


class Shape(msgspec.Struct):
    """Everything that venues' messages are made of."""

    price: Decimal | None = None
    spaced: BlankDecimal | None = None
    sequence: Counter | None = None
    time: Moment | None = None
    rows: tuple[tuple[Decimal, Decimal], ...] = ()
    inner: list[Inner] = []
    named: dict[str, Decimal] = {}
    size: Annotated[Decimal, msgspec.Meta(description="a second one")] | None = None
    note: Any = None


READERS: tuple[tuple[Reader[Any], bool], ...] = (
    (Reader(Shape), False), (Reader(Shape, literals=True), True), (Reader(list[Inner]), False),
    (Reader(dict[str, Decimal], literals=True), True),
)  # fmt: skip
"""With whether decimals may stand without quotes; one that does not expect them does not judge them."""


def readers(data: bytes) -> None:
    """A frame is read or refused; a number that is read is one, and no frame is called plain that is not."""
    text = data[1:]
    reader, literals = READERS[(data or b"\0")[0] % len(READERS)]
    try:
        value = reader.read(text)
    except BadFrame:
        return
    if not suspicious(text, literals=True):
        check_numbers(value, builtins(text))
    if literals:
        for found in _decimals(value):
            assert found.is_finite(), text
            assert abs(found.adjusted()) <= MAX_ADJUSTED, text


def _decimals(value: Any) -> Iterator[Decimal]:
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name != "note":
                yield from _decimals(getattr(value, name))
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _decimals(item)


def readers_seeds() -> Iterator[bytes]:
    """Values of every kind."""
    whole = {
        "price": "1.5", "spaced": " 1.5 ", "sequence": 7, "time": "2026-08-25T03:35:57.198335Z",
        "rows": [["1", "2"], ["3e2", "4"]], "inner": [["1", " 2", "buy"]], "named": {"a": "1"}, "size": "0.1",
    }  # fmt: skip
    yield b"\0" + json.dumps(whole).encode()
    yield b'\1{"price":1.5e3,"size":-0.0,"rows":[[1,2]],"note":NaN}'
    yield b'\2[["1_000"," 2","\\u0661"],["NaN","1e999"]]'
    yield b'\3{"a":1E+400,"b":"Infinity","c":"1"}'


def json_lines(data: bytes) -> None:
    """A line of ours is read or refused; what was read is written and read again as it was."""
    try:
        event = from_json_line(data)
    except BadFrame:
        return
    line = to_json_line(event)
    assert from_json_line(line) == event, line


def json_lines_seeds() -> Iterator[bytes]:
    """Events of every venue's samples."""
    for case in CASES:
        run = Offline(case.venue)
        for sample in case.samples:
            for event in run.feed(sample.frame.encode(), received_ns=1):
                if type(event).__module__.startswith("trioquotes.events"):
                    yield to_json_line(event).encode()
    yield to_json_line(Malformed(venue="x", received_ns=1, reason="no", frame=b"\xff")).encode()


# All of them ----------------------------------------------------------------------------------------


def _targets() -> Iterator[tuple[str, Target]]:
    plays: dict[str, Play] = {}
    for case in CASES:
        name = case.venue.name
        yield (
            f"receive-{name}",
            Target(partial(receive, case), partial(receive_seeds, case), weight=3.0, venue=name),
        )
        yield (
            f"decode-{name}",
            Target(partial(decode, case), partial(decode_seeds, case), weight=2.0, venue=name),
        )
        yield (
            f"verdict-{name}",
            Target(partial(verdict, plays, case), partial(verdict_seeds, case), weight=0.5, venue=name),
        )
    for case in FETCHING:
        name = case.venue.name
        yield f"fetched-{name}", Target(partial(fetched, case), partial(fetched_seeds, case), venue=name)
    yield "frames", Target(frames, frames_seeds, lines=False, weight=2.0)
    yield "packed-frames", Target(packed_frames, packed_seeds, lines=False, weight=2.0)
    yield "upgrade", Target(upgrade, upgrade_seeds, lines=False, weight=2.0)
    yield "readers", Target(readers, readers_seeds, weight=2.0)
    yield "json-lines", Target(json_lines, json_lines_seeds)


TARGETS: Mapping[str, Target] = dict(_targets())

_WORD = re.compile(rb'"[A-Za-z][^"\\]{0,30}"|-?\d[\d.]{0,20}')
_AROUND = (
    b'{"',
    b'":',
    b'"}',
    b"[[",
    b"]]",
    b"null",
    b"true",
    b"1e400",
    b'"NaN"',
    b"\\u0000",
    b"-1",
    b"\r\n\r\n",
)


def words_of(target: Target) -> list[bytes]:
    """Words that the seeds are made of: whoever spoils bytes blindly does not find them."""
    found = {word for seed in target.seeds() for word in _WORD.findall(seed)}
    return [*_AROUND, *sorted(found)[:500]]


def spoilt(target: Target, data: bytes, seed: int) -> bytes:
    """An input after an accident of the kind that knows what JSON is."""
    dice = random.Random(seed)  # noqa: S311  # decides what is spoilt, keeps no secret
    if not target.lines:
        return spoil(data, data, dice)
    lines = data.split(b"\n")
    at = dice.randrange(len(lines))
    match dice.randrange(8):
        case 0:
            lines.insert(at, dice.choice(lines))
        case 1:
            lines.insert(at, dice.choice([b"~~", b"!", b"~" * 12]))
        case 2 if len(lines) > 1:
            del lines[at]
        case 3:
            lines[at] = lines[at][:1] + spoil(lines[at][1:], dice.choice(lines)[1:], dice)
        case _:  # lines are tried one by one, so that each of them may be twisted
            lines = [_twisted(line, dice) if dice.random() < 0.7 else line for line in lines]
    return b"\n".join(lines)


_TEXTS = (
    b"",
    b"other",
    b"0",
    b"-1",
    b"1e9",
    b"0.00000001",
    b"9223372036854775808",
    b"\\u00e9",
    b"null",
    b" 1 ",
    b"NaN",
)
_BARE = (
    b"0",
    b"-1",
    b"1",
    b"1.5",
    b"9223372036854775807",
    b"18446744073709551616",
    b"1e30",
    b"true",
    b"null",
)


def _twisted(line: bytes, dice: random.Random) -> bytes:
    """A frame with one value in the place of another of its kind: it still decodes, and may mean something new."""
    places = fields(line)
    if not places:
        return line
    (start, end), (first, last) = dice.choice(places), dice.choice(places)
    quoted = line[start : start + 1] == b'"'
    if quoted == (line[first : first + 1] == b'"') and dice.random() < 0.4:
        value = line[first:last]
    elif quoted:
        value = b'"' + dice.choice(_TEXTS) + b'"'
    else:
        value = dice.choice(_BARE)
    return line[:start] + value + line[end:]
