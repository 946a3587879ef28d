"""What a server may send: streams of frames, good and bad, for tests that compare readers of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import strategies as st

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, form: int = 0, bits: int = 0) -> bytes:
    """A server's frame; ``form`` chooses a length encoding that may be too long for the length."""
    size = len(payload)
    shortest = 0 if size < 126 else 2 if size < 1 << 16 else 8
    form = max(form, shortest)
    length = {
        0: bytes([size & 0x7F]),
        2: b"\x7e" + (size & 0xFFFF).to_bytes(2),
        8: b"\x7f" + size.to_bytes(8),
    }[form]
    return bytes([opcode | bits | (0x80 if fin else 0)]) + length + payload


def pieces(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for start, stop in itertools.pairwise(places):
        yield stream[start:stop]


payloads = st.one_of(
    st.text(max_size=12).map(str.encode),
    st.sampled_from(
        [b"", b"x" * 125, b"y" * 126, b"z" * 127, b"w" * 65535, b"v" * 65536, "ü€😀".encode() * 60]
    ),
)
controls = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125))


@st.composite
def whole_messages(draw: st.DrawFn) -> bytes:
    """A message in one to four fragments, with control frames between them."""
    opcode, payload = draw(st.sampled_from([TEXT, BINARY])), draw(payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    out = b""
    for place, part in enumerate(parts):
        out += frame(opcode if place == 0 else CONTINUATION, part, fin=place == len(parts) - 1)
        out += draw(st.one_of(st.just(b""), controls))
    return out


closes = st.one_of(
    st.just(frame(CLOSE)),
    st.builds(
        lambda code, reason: frame(CLOSE, code.to_bytes(2) + reason[:120]),
        st.one_of(
            st.integers(0, 65535), st.integers(995, 1020), st.sampled_from([2999, 3000, 3999, 4999, 5000])
        ),
        st.one_of(st.text(max_size=30).map(str.encode), st.binary(max_size=20)),
    ),
    st.binary(min_size=1, max_size=1).map(lambda byte: frame(CLOSE, byte)),
)

violations = st.one_of(
    st.builds(lambda bits, op: frame(op, b"a", bits=bits), st.sampled_from([0x10, 0x20, 0x40]), st.sampled_from([1, 9])),
    st.sampled_from([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]).map(lambda opcode: frame(opcode, b"a")),
    st.builds(lambda op, key: bytes([0x80 | op, 0x81]) + key + b"a", st.sampled_from([1, 9]), st.binary(min_size=4, max_size=4)),
    st.sampled_from([PING, PONG, CLOSE]).map(lambda opcode: frame(opcode, b"", fin=False)),
    st.sampled_from([PING, PONG, CLOSE]).map(lambda opcode: frame(opcode, b"p" * 126)),
    st.sampled_from([PING, PONG]).map(lambda opcode: frame(opcode, b"p", form=2)),
    st.builds(lambda size, form: frame(TEXT, b"t" * size, form=form), st.sampled_from([0, 1, 125]), st.sampled_from([2, 8])),
    st.just(frame(BINARY, b"t" * 65535, form=8)),
    st.just(b"\x82\x7f\x80" + bytes(7) + b"a"),
    st.just(frame(CONTINUATION, b"a")),
    st.just(frame(TEXT, b"a", fin=False) + frame(BINARY, b"b")),
    st.just(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b", fin=False)),
    st.just(frame(TEXT, b"a", fin=False) + frame(TEXT, b"inside")),
    st.sampled_from([b"\xff", b"ab\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"]).map(lambda bad: frame(TEXT, bad)),
    st.just(frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"\x28")),
    st.just(frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"")),
)  # fmt: skip

streams = st.builds(
    lambda good, end, tail: b"".join(good) + end + b"".join(tail),
    st.lists(st.one_of(whole_messages(), controls), max_size=6),
    st.one_of(st.just(b""), closes, violations),
    st.lists(whole_messages(), max_size=2),
)
