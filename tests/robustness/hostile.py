"""Frames that no sane venue sends, values to put into the frames that it does send, and ways to spoil those."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import strategies as st

from tests.venues.coinbase.case import CASE as COINBASE
from tests.venues.darwinex.quotes_feed import CASE as DARWINEX
from tests.venues.edgex.case import CASE as EDGEX
from tests.venues.upbit.case import CASE as UPBIT
from tests.venues.zonda.case import CASE as ZONDA

__all__ = [
    "CASES",
    "COINBASE",
    "FRAMES",
    "UPBIT",
    "VALUES",
    "any_json",
    "captured",
    "each_venue",
    "fields",
    "spoil",
]

CASES: Final = (COINBASE, UPBIT, EDGEX, ZONDA, DARWINEX)

each_venue = pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue.name)

MILLION: Final = 1_000_000
DEEP: Final = 10_000
MIB: Final = 1 << 20


@attrs.frozen(repr=False)
class Bytes:
    """Some bytes under a name that fits a line."""

    name: str
    data: bytes

    def __repr__(self) -> str:
        return self.name


def _keys(count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":%d' % (number, number) for number in range(count)) + b"}"


VALUES: Final = (
    Bytes("arrays nested deep", b"[" * DEEP + b"]" * DEEP),
    Bytes("objects nested deep", b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    Bytes("a number of 5,000 digits", b"1" * 5_000),
    Bytes("a negative number of 5,000 digits", b"-" + b"1" * 5_000),
    Bytes("5,000 digits behind the point", b"0." + b"1" * 5_000),
    Bytes("5,000 digits as a text", b'"0.' + b"1" * 5_000 + b'"'),
    Bytes("an exponent beyond all sense", b"1E+999999999"),
    Bytes("an exponent below all sense", b"1e-999999999"),
    Bytes("an exponent beyond any machine", b"1E+" + b"9" * 40),
    Bytes("an exponent beyond any machine as a text", b'"-1E+' + b"9" * 40 + b'"'),
    Bytes("a power of ten beyond a float", b"1e400"),
    Bytes("NaN as a text", b'"NaN"'),
    Bytes("infinity as a text", b'"-Infinity"'),
    Bytes("digits of another script", '"\u0661\u0662"'.encode()),
    Bytes("a long text", b'"' + b"x" * 20_000 + b'"'),
    Bytes("a long text of escapes", b'"' + b"\\u0041" * 5_000 + b'"'),
    Bytes("half of a surrogate pair", b'"\\ud800"'),
    Bytes("bytes that are no UTF-8", b'"\xff\xfe"'),
    Bytes("half of a surrogate pair as UTF-8", b'"\xed\xa0\x80"'),
    Bytes("control characters", b'"\\u0000\\u001b[2J\\r\\n"'),
    Bytes("a key twice", b'{"a":1,"a":2}'),
    Bytes("many keys", _keys(500)),
    Bytes("an array of many", b"[" + b",".join([b"{}"] * 300) + b"]"),
    Bytes("an array of null", b"[null]"),
    Bytes("null", b"null"),
    Bytes("true", b"true"),
    Bytes("no value", b""),
)
"""What may stand where a frame has a value."""

FRAMES: Final = (
    *VALUES,
    Bytes("nothing but a blank", b" "),
    Bytes("zeros", b"\x00" * 100),
    Bytes("a mark of byte order", b"\xef\xbb\xbf{}"),
    Bytes("UTF-16", '{"type":"ping"}'.encode("utf-16")),
    Bytes("1 MiB of opening brackets", b"[" * MIB),
    Bytes("objects that never end", b'{"a":' * (MIB // 5)),
    Bytes("a million digits", b"1" * MILLION),
    Bytes("minus a million digits", b"-" + b"1" * MILLION),
    Bytes("a million digits behind the point", b"0." + b"1" * MILLION),
    Bytes("an exponent of a million digits", b"1E+" + b"9" * MILLION),
    Bytes("an object with a million digits", b'{"a":' + b"1" * MILLION + b"}"),
    Bytes("an object with an exponent of a million digits", b'{"a":1E+' + b"9" * MILLION + b"}"),
    Bytes("a text of 1 MiB", b'"' + b"x" * MIB + b'"'),
    Bytes("1 MiB of escapes", b'"' + b"\\u0041" * (MIB // 6) + b'"'),
    Bytes("a hundred thousand keys", _keys(100_000)),
    Bytes("an array of five thousand", b"[" + b",".join([b"0"] * 5_000) + b"]"),
    Bytes("an array of a hundred thousand objects", b"[" + b",".join([b"{}"] * 100_000) + b"]"),
    Bytes(
        "an array of a hundred thousand trades without figures",
        b"[" + b",".join([b'{"type":"trade","code":"KRW-BTC"}'] * 100_000) + b"]",
    ),
    Bytes(
        "an array of a hundred thousand unknown types",
        b"[" + b",".join(b'{"type":"t%d"}' % number for number in range(100_000)) + b"]",
    ),
    Bytes("1 MiB of a type", b'{"type":"%s"}' % (b"x" * MIB)),
    Bytes("1 MiB of an op", b'{"op":"%s"}' % (b"x" * MIB)),
    Bytes("1 MiB of an action", b'{"action":"%s"}' % (b"x" * MIB)),
    Bytes("1 MiB of an error", b'{"error":{"name":"%s","message":"no"}}' % (b"x" * MIB)),
    Bytes(
        "two types", b'{"type":"match","type":"ticker","op":"hb","op":"pq","action":"pong","action":"push"}'
    ),
)
"""Whole frames, or bodies."""

_VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|null|true|false')


def fields(frame: bytes) -> list[tuple[int, int]]:
    """Where in the text of a frame a name or a value stands, without those inside of arrays and objects."""
    return [found.span() for found in _VALUE.finditer(frame)]


def any_json() -> st.SearchStrategy[bytes]:
    """Any JSON, often with the names that venues use."""
    names = st.sampled_from(
        ("type", "op", "action", "channel", "content", "code", "data", "dataType", "product_id", "topic",
         "message", "error", "status", "name", "changes", "bids", "asks", "seqNo", "values", "body")
    )  # fmt: skip
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=12)
        | names
        | st.sampled_from(
            ["match", "push", "pq", "trade", "quote-event", "snapshot", "l2update", "1.5", "-0"]
        )
    )
    value = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=6), inner, max_size=5)
        ),
        max_leaves=12,
    )
    return value.map(lambda found: json.dumps(found).encode("utf-8", "surrogatepass"))


def spoil(frame: bytes, other: bytes, dice: random.Random) -> bytes:
    """A real frame after an accident: cut, spliced, doubled, with a value or some bytes of something else."""
    at = dice.randrange(len(frame) + 1)
    places = fields(frame)
    match dice.randrange(8):
        case 0:
            return frame[:at]
        case 1:
            return frame[:at] + other[dice.randrange(len(other) + 1) :]
        case 2:
            return frame[:at] + dice.randbytes(dice.randrange(1, 4)) + frame[at + dice.randrange(4) :]
        case 3:
            end = dice.randrange(at, len(frame) + 1)
            return frame[:end] + frame[at:end] + frame[end:]
        case 4 if places:  # one value in the place of another
            (start, end), (first, last) = dice.choice(places), dice.choice(places)
            return frame[:start] + frame[first:last] + frame[end:]
        case 5 if places:
            start, end = dice.choice(places)
            return frame[:start] + dice.choice(VALUES).data + frame[end:]
        case 6 if frame.startswith(b"{"):  # what another frame says, said first
            return b"{" + other.strip(b"{}[]") + b"," + frame[1:]
        case _:
            start, end = dice.choice(places or [(0, len(frame))])
            digits = frame[start:end].replace(b"0", b"9").replace(b"1", b"-").replace(b".", b"e")
            return frame[:start] + digits + frame[end:]


def captured(venue: str) -> Iterator[tuple[str, bytes]]:
    """The recorded messages of a venue with their channels, where there are any."""
    folder = os.environ.get("TRIOQUOTES_CAPTURES")
    if folder is None:
        return
    for line in Path(folder, f"{venue}-messages.jsonl").read_text().splitlines():
        said: dict[str, Any] = json.loads(line)
        if not said.get("channel", "").startswith("client:"):
            yield said.get("channel", ""), said["raw"].encode()
