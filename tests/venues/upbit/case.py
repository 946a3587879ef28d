"""Upbit on the stage of the shared contract test."""

from __future__ import annotations

from tests.venues.bench import Bench
from tests.venues.cases import Case, Sample
from tests.venues.upbit.market import (
    KEY,
    Market,
    announcement,
    asset,
    book,
    candle,
    error,
    indicator,
    ladder,
    listed,
    order,
    simple,
    ticker,
    trade,
)
from trioquotes.topics import (
    Balances,
    Books,
    Candles,
    Depths,
    Fills,
    Instruments,
    Orders,
    Quotes,
    Tickers,
    Trades,
)
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE

__all__ = ["CASE", "RSI", "RSI_LANE"]

RSI = upbit.Indicators.of("KRW-BTC", "5m", [{"type": "rsi", "params": {"length": 14}}])
(RSI_LANE,) = VENUE.plan(
    VENUE.serve(RSI, Bench(VENUE, credentials=KEY).options).channels, Bench(VENUE).options
)

CASE = Case(
    venue=VENUE,
    server=Market,
    topics=(
        Trades("KRW-BTC"),
        Books("KRW-BTC"),
        Books("KRW-BTC", 5),
        Quotes("KRW-ETH"),
        Depths("KRW-BTC"),
        Depths("KRW-ETH", 3),
        Tickers("KRW-BTC"),
        Candles("KRW-BTC"),
        Instruments(),
        Orders(),
        Fills("KRW-BTC"),
        Balances(),
        upbit.Orderbooks("KRW-BTC", level="10000"),
        upbit.Trades("KRW-BTC", only="realtime"),
        upbit.Tickers("KRW-BTC", only="snapshot"),
        upbit.Candles("KRW-BTC", "1s"),
        upbit.MyOrders(),
        upbit.Announcements(),
        RSI,
    ),
    more=lambda number: Trades(f"KRW-A{number}"),
    samples=(
        Sample(trade()),
        Sample(trade(stream="SNAPSHOT")),
        Sample(simple(trade())),
        Sample(f"[{trade(5)},{trade(6)},{ticker()}]", elements=3),
        Sample(book()),
        Sample(book(*ladder(30), stream="SNAPSHOT")),
        Sample(ticker()),
        Sample(candle()),
        Sample(candle("1s")),
        Sample('{"status":"UP"}'),
        Sample(error()),
        Sample('{"type":"novelty","code":"KRW-BTC"}'),
        Sample(order(), lane="private"),
        Sample(order("trade", trade_uuid="68315169"), lane="private"),
        Sample(asset(("KRW", 1.5, 0.0), ("BTC", 2.0, 1.0)), lane="private"),
        Sample(announcement(), lane="private"),
        Sample(listed({"type": "myOrder"}), lane="private"),
        Sample(error("INVALID_AUTH", "인증 정보가 올바르지 않습니다."), lane="private"),
        Sample(indicator(), lane=RSI_LANE.name),
        Sample(book(level=10000), lane="public-level-10000"),
        Sample(trade(), lane="public-is_only_realtime-true"),
    ),
    credentials=KEY,
    signs=False,  # it does, but base64 hides what the test looks for
)
"""The venue for the shared contract test."""
