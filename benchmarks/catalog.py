"""Who competes in what, and what is to come of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["CONTESTANTS", "FLOORS", "KEPT", "SCALED", "SCENARIOS", "Contestant", "Floor", "Mode", "Scenario"]

Mode = Literal["bulk", "record", "segment", "paced"]


class Contestant(NamedTuple):
    """A way to get the messages.

    Attributes:
        title: as the report calls it.
        module: in ``benchmarks.contestants``.
        package: what it needs, as pip calls it.
        does: what reaches the user's code, and how.
        variant: which of the module's ways.
        home: which environment it runs in; ``""`` is that of the driver.
        share: messages it is given for every one of the fastest: the slow need fewer to be measured well.
    """

    title: str
    module: str
    package: str
    does: str
    variant: str = ""
    home: str = ""
    share: float = 1.0


class Scenario(NamedTuple):
    """Something to measure.

    Attributes:
        feed: the input.
        mode: how the server writes.
        names: the contestants.
        messages: how many are measured, of the fastest.
        rate: messages a second, where they are.
    """

    title: str
    feed: str
    mode: Mode
    tls: bool
    names: tuple[str, ...]
    messages: int = 60_000
    rate: int = 0


class Floor(NamedTuple):
    """What must hold and what we go for.

    Attributes:
        row: what it is about.
        scenario: where it is measured.
        ours: the contestant.
        theirs: the others; the best of them counts.
        floor: times; what must hold.
        goal: times; what we go for.
        better: ``less``: ours is to be so many times less than theirs; ``within``: at most so many times theirs.
        measure: CPU per message, or the 99th percentile of the latency.
    """

    row: str
    scenario: str
    ours: str
    theirs: tuple[str, ...]
    floor: float
    goal: float
    better: Literal["less", "within"]
    measure: Literal["cpu", "p99"] = "cpu"


TYPED = "typed messages with `Decimal` prices"

CONTESTANTS: dict[str, Contestant] = {
    "native": Contestant(
        "trioquotes, native", "ours", "trioquotes", f"{TYPED}, checked and counted, in `async for`", "native"
    ),
    "unified": Contestant(
        "trioquotes, unified", "ours", "trioquotes",
        "unified events with `Decimal` prices, books kept and checked, in `async for`", "unified",
    ),
    "batches": Contestant(
        "trioquotes, native, in batches", "ours", "trioquotes", f"{TYPED}, checked and counted, from `receive_many()`",
        "batches",
    ),
    "channels": Contestant(
        "trioquotes, native, three channels", "ours", "trioquotes", f"{TYPED}, three tasks, each with its channel",
        "channels",
    ),
    "picows": Contestant("picows + msgspec", "picows_", "picows", f"{TYPED}, in a callback; nothing is checked"),
    "picows-uvloop": Contestant(
        "picows + msgspec on uvloop", "picows_", "picows", f"{TYPED}, in a callback; nothing is checked", "uvloop"
    ),
    "picows-loop": Contestant(
        "picows + msgspec, into a loop", "picows_", "picows", f"{TYPED}, through a deque into a user's loop", "loop"
    ),
    "bare": Contestant(
        "trio alone + msgspec", "bare", "trio", f"{TYPED}, in the one task that reads; nothing is checked, nor handed over"
    ),
    "websockets": Contestant(
        "websockets (asyncio) + msgspec", "websockets_", "websockets", f"{TYPED}, one `recv()` each", share=0.5
    ),
    "websockets-trio": Contestant(
        "websockets (sans-I/O, on trio) + msgspec", "websockets_", "websockets", f"{TYPED}, in `async for`", "trio",
        share=0.5,
    ),
    "aiohttp": Contestant("aiohttp + msgspec", "aiohttp_", "aiohttp", f"{TYPED}, in `async for`"),
    "plain": Contestant(
        "trio-websocket + json + cattrs", "plain", "trio-websocket", f"{TYPED} (attrs), one `get_message()` each",
        share=0.2,
    ),
    "ccxt": Contestant(
        "ccxt pro", "ccxt_", "ccxt",
        "its dictionaries with floats, books kept; the newest of each kind wakes the user's loops", share=0.25,
    ),
    "copra": Contestant("copra", "copra_", "copra", "dictionaries with texts, in a callback", share=0.25),
    "cryptofeed": Contestant(
        "cryptofeed", "cryptofeed_", "cryptofeed",
        "its objects with `Decimal` prices, books kept and not checked, in callbacks on uvloop", home="cryptofeed",
        share=0.4,
    ),
}  # fmt: skip

SCALED: dict[str, Contestant] = {
    name: Contestant(f"trioquotes, many {name}", "scaled", "trioquotes", TYPED, name)
    for name in ("instruments", "channels", "sessions")
}

ALL_TYPED = (
    "native", "batches", "unified", "picows", "picows-uvloop", "picows-loop", "bare", "websockets", "websockets-trio", "aiohttp", "plain",
)  # fmt: skip
FEW = ("native", "unified", "picows", "plain")
PACED = (
    "native",
    "unified",
    "picows",
    "picows-uvloop",
    "picows-loop",
    "bare",
    "websockets",
    "aiohttp",
    "plain",
)

SCENARIOS: dict[str, Scenario] = {
    "bulk": Scenario(
        "bulk, plain", "coinbase-mix", "bulk", False, (*ALL_TYPED, "ccxt", "copra", "cryptofeed")
    ),
    "segment-tls": Scenario(
        "one frame a segment, TLS", "coinbase-mix", "segment", True, (*ALL_TYPED, "ccxt", "copra")
    ),
    "record-tls": Scenario(
        "one frame a record, many records a write, TLS", "coinbase-mix", "record", True, ("native", "picows", "plain")
    ),
    "channels": Scenario("bulk, plain", "coinbase-one", "bulk", False, ("native", "channels")),
    "ticker": Scenario(
        "bulk, plain", "coinbase-ticker", "bulk", False, (*FEW, "ccxt", "copra"), 40_000
    ),
    "upbit": Scenario("bulk, plain", "upbit", "bulk", False, (*FEW, "ccxt"), 15_000),
    "upbit-book": Scenario("bulk, plain", "upbit-simple", "bulk", False, ("unified", "cryptofeed"), 15_000),
    "edgex": Scenario("bulk, plain", "edgex", "bulk", False, FEW, 25_000),
    "zonda": Scenario("bulk, plain", "zonda", "bulk", False, FEW, 20_000),
    "darwinex": Scenario("bulk, plain", "darwinex", "bulk", False, FEW, 60_000),
    "paced-1000": Scenario("1,000 a second, TLS", "coinbase-ticker", "paced", True, PACED, 3_000, 1_000),
    "paced-5000": Scenario("5,000 a second, TLS", "coinbase-ticker", "paced", True, PACED, 15_000, 5_000),
    "paced-20000": Scenario("20,000 a second, TLS", "coinbase-ticker", "paced", True, PACED[:-1], 40_000, 20_000),
}  # fmt: skip

PICOWS = ("picows", "picows-uvloop")

FLOORS: tuple[Floor, ...] = (
    Floor("native, bulk, plain", "bulk", "native", PICOWS, 1.8, 1.25, "within"),
    Floor("native, bulk, plain", "bulk", "native", ("ccxt",), 6, 10, "less"),
    Floor("native, bulk, plain, tickers", "ticker", "native", ("ccxt",), 6, 10, "less"),
    Floor("native, bulk, plain", "bulk", "native", ("copra",), 6, 10, "less"),
    Floor("native, bulk, plain, tickers", "ticker", "native", ("copra",), 6, 10, "less"),
    Floor("native, bulk, plain", "bulk", "native", ("plain",), 10, 20, "less"),
    Floor("one frame a segment, TLS", "segment-tls", "native", PICOWS, 2.5, 1.6, "within"),
    Floor("one frame a segment, TLS", "segment-tls", "native", ("ccxt",), 4, 6, "less"),
    Floor("with a kept book, Upbit", "upbit-book", "unified", ("cryptofeed",), 2, 3, "less"),
    Floor("with a kept book, Coinbase Exchange", "bulk", "unified", ("cryptofeed",), 2, 3, "less"),
    Floor("unified events, bulk, plain, tickers", "ticker", "unified", ("native",), 1.4, 1.2, "within"),
    Floor("unified events and kept books, bulk, plain", "bulk", "unified", ("native",), 1.4, 1.2, "within"),
    Floor("paced 5,000/s, TLS: CPU", "paced-5000", "native", PICOWS, 1.5, 1.1, "within"),
    Floor("paced 5,000/s, TLS: p99 latency", "paced-5000", "native", PICOWS, 2, 1.3, "within", "p99"),
)

KEPT = ("bulk", "segment-tls", "ticker", "upbit", "edgex", "zonda", "darwinex")
"""Where ours is held against the plain stack from run to run."""
