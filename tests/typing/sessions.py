"""What type checkers must say about sessions and channels; never run, only checked by mypy and pyright."""

from __future__ import annotations

from typing import assert_type

import trio

import trioquotes as tq
from trioquotes.lowlevel import Endpoint


async def merged() -> None:
    """A session's stream hands over events."""
    session = tq.Session("coinbase", tq.Trades("BTC-USD"), tq.Books("BTC-USD"))
    async with session as stream:
        assert_type(stream, tq.Stream)
        async for event in stream:
            assert_type(event, tq.Event)
        assert_type(await stream.receive(), tq.Event)
        assert_type(await stream.receive_many(), list[tq.Event])
        assert_type(stream.statistics(), tq.SessionStatistics)


async def channels(stream: tq.Stream) -> None:
    """A channel is typed by its topic, and carries notices as well."""
    trades = await stream.subscribe(tq.Trades("BTC-USD"))
    assert_type(trades, tq.Channel[tq.Trade | tq.Notice])
    quotes = await stream.subscribe(tq.Quotes("BTC-USD"), overflow="latest")
    assert_type(await quotes.receive(), tq.Quote | tq.Notice)
    books = await stream.subscribe(tq.Books("BTC-USD"))
    assert_type(books.receive_nowait(), tq.BookSnapshot | tq.BookChange | tq.Notice)
    async for item in trades.clone():
        assert_type(item, tq.Trade | tq.Notice)
        if not isinstance(item, tq.Notice):
            assert_type(item, tq.Trade)
    takes_any_receive_channel(trades)
    assert_type(trades.statistics(), tq.ChannelStatistics)
    await stream.subscribe(tq.Trades("BTC-USD"), overflow="wait")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def takes_any_receive_channel(channel: trio.abc.ReceiveChannel[tq.Trade | tq.Notice]) -> None:
    """Whatever reads trio's channels reads these."""


async def several() -> None:
    """A feed merges sessions."""
    budgets = tq.Budgets()
    first = tq.Session("coinbase", tq.Trades("BTC-USD"), budgets=budgets)
    second = tq.Session("coinbase", endpoint=Endpoint(public="ws://127.0.0.1:8765"), budgets=budgets)
    async with tq.open_feed(first, second) as feed:
        async for event in feed:
            assert_type(event, tq.Event)


async def fresh_key() -> tq.ApiKey:
    """Asked for before every connect."""
    return tq.ApiKey("key", "secret", passphrase="phrase")


tq.Session("coinbase", tq.Balances(("account",)), credentials=fresh_key)
tq.Session("coinbase", tq.Orders(), credentials=tq.ApiKey.from_env("COINBASE"))
tq.Session("coinbase", "BTC-USD")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
