"""trioquotes, in the ways of the task's variant.

* ``native``: the venue's own messages, merged into one stream.
* ``unified``: the unified events, merged into one stream; the session keeps the books that it hands over.
* ``batches``: as ``native``, with ``receive_many``.
* ``channels``: the venue's own messages, a channel and a task for each topic.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import trio

import trioquotes as tq
from benchmarks.contestants.meter import Meter, Task, begin
from trioquotes.venues import coinbase, darwinex, edgex, upbit, zonda

__all__ = ["main"]

PATIENCE_S = 60


def native_topics(feed: str, instruments: list[str]) -> list[tq.Topic[tq.Event]]:
    """The venue's own topics, in the order of the kinds of the input."""
    kinds: Any = {
        "coinbase-ticker": [coinbase.Tickers],
        "coinbase-mix": [coinbase.Level2Batch, coinbase.Tickers, coinbase.Matches],
        "coinbase-one": [coinbase.Level2Batch, coinbase.Tickers, coinbase.Matches],
        "upbit": [upbit.Orderbooks, upbit.Trades],
        "upbit-simple": [upbit.Orderbooks, upbit.Trades],
        "edgex": [edgex.Depths],
        "zonda": [zonda.OrderBooks],
        "darwinex": [darwinex.ProductQuotes],
    }[feed]
    return [kind(one) for kind in kinds for one in instruments]


def unified_topics(feed: str, instruments: list[str]) -> list[tq.Topic[tq.Event]]:
    """The unified topics of an input."""
    kinds: Any = {
        "coinbase-ticker": [tq.Tickers],
        "coinbase-mix": [tq.Books, tq.Tickers, tq.Trades],
        "coinbase-one": [tq.Books, tq.Tickers, tq.Trades],
        "upbit": [tq.Books, tq.Trades],
        "upbit-simple": [tq.Books, tq.Trades],
        "edgex": [tq.Books],
        "zonda": [tq.Books],
        "darwinex": [tq.Quotes],
    }[feed]
    return [kind(one) for kind in kinds for one in instruments]


def of_book(event: Any) -> Decimal:
    """The sum of the prices of all levels that an event names; of edgeX that of the sizes."""
    which = 1 if isinstance(event, edgex.Depth) or event.venue == "edgex" else 0
    return sum((level[which] for level in (*event.bids, *event.asks)), Decimal(0))


VALUES: dict[type, Callable[[Any], Decimal | None]] = {
    coinbase.L2Update: lambda event: sum((price for _, price, _ in event.changes), Decimal(0)),
    coinbase.Ticker: lambda event: event.price,
    coinbase.Match: lambda event: event.price,
    upbit.Trade: lambda event: event.trade_price,
    upbit.Orderbook: lambda event: (
        event.orderbook_units[0].bid_price if event.stream_type == "REALTIME" else None
    ),
    edgex.Depth: lambda event: of_book(event) if event.depth_type == "CHANGED" else None,
    zonda.OrderBookPush: lambda event: sum((change.rate for change in event.message.changes), Decimal(0)),
    darwinex.ProductQuote: lambda event: event.quote,
    tq.Trade: lambda event: event.price,
    tq.Ticker: lambda event: event.last,
    tq.Quote: lambda event: event.price,
    tq.BookChange: of_book,
    tq.BookSnapshot: lambda event: event.bids[0][0] if event.venue == "upbit" else None,
}
"""The sum of the prices of an event, of Upbit's books the best bid; what is not here is not measured."""


def value(event: Any) -> Decimal | None:
    """What the sums are made of; ``None`` for what is not measured."""
    of = VALUES.get(type(event))
    return None if of is None else of(event)


async def read(events: AsyncIterator[Any], meter: Meter, kinds: int, count: int) -> None:
    """A user's loop: until the marks with a look at every event, then only counting, or noting the time."""
    gate = meter.gate(kinds)
    async for event in events:
        if gate(value(event)):
            break
    meter.begin()
    if meter.task.paced:
        noted, now = meter.times.append, time.monotonic_ns
        async for event in events:  # noqa: B007  # the last one is looked at
            noted(now())
            if len(meter.times) == count:
                break
    else:
        seen = 0
        async for event in events:  # noqa: B007  # the last one is looked at
            seen += 1
            if seen == count:
                break
    meter.end(value(event))


async def read_batches(stream: tq.Stream, meter: Meter, kinds: int, count: int) -> None:
    """As :func:`read`, taking all that is there at a time."""
    gate, warm = meter.gate(kinds), True
    while warm:
        for event in await stream.receive_many():
            warm &= not gate(value(event))
    meter.begin()
    seen, noted, now = 0, meter.times.append, time.monotonic_ns
    while seen < count:
        for event in await stream.receive_many():  # noqa: B007  # the last one is looked at
            seen += 1
            if meter.task.paced:
                noted(now())
    meter.end(value(event))


def recipe(task: Task, *topics: tq.Topic[tq.Event], **more: Any) -> tq.Session:
    """A session with the server, with more of its options; it drops nothing.

    No venue sends without end as this server does: its flood is to be measured.
    """
    return tq.Session(
        task.venue,
        *topics,
        endpoint=task.url,
        ssl_context=task.trust(),
        credentials=tq.BearerToken("token") if task.venue == "darwinex" else None,
        options={"format": "SIMPLE"} if task.feed == "upbit-simple" else None,
        buffer=10 * task.count,
        buffer_bytes=2**40,
        connect_timeout_s=PATIENCE_S,
        **more,
    )


async def merged(meter: Meter) -> int:
    """All topics in one stream; returns how many events were dropped."""
    task = meter.task
    topics = unified_topics if task.variant == "unified" else native_topics
    reader = read_batches if task.variant == "batches" else read
    async with recipe(task, *topics(task.feed, task.instruments)) as stream:
        await reader(stream, meter, len(task.kinds), task.count)
        return sum(channel.dropped for channel in stream.statistics().channels)


async def channels(meter: Meter) -> int:
    """A channel for each topic, and a task that reads it; one instrument, so that there is one of each kind."""
    task = meter.task
    async with recipe(task) as stream, trio.open_nursery() as nursery:
        for topic, count in zip(native_topics(task.feed, task.instruments), task.kinds.values(), strict=True):
            channel = await stream.subscribe(topic, buffer=10 * task.count, buffer_bytes=2**40)
            nursery.start_soon(read, channel, meter, 1, count)
    return sum(channel.dropped for channel in stream.statistics().channels)


async def run(meter: Meter) -> None:
    dropped = -1
    with trio.move_on_after(PATIENCE_S):
        dropped = await (channels if meter.task.variant == "channels" else merged)(meter)
    meter.say(dropped=dropped)


def main() -> None:
    meter = begin("trioquotes")
    trio.run(run, meter)


if __name__ == "__main__":
    main()
