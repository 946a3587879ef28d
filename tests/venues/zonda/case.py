"""The venue for the shared contract test."""

from __future__ import annotations

from tests.venues.cases import Case, Sample
from tests.venues.zonda.feed import (
    KEY,
    Feed,
    answer,
    balance,
    book,
    change,
    confirm,
    history,
    offer,
    push,
    stats,
    stop_offer,
    ticker,
    trades,
)
from trioquotes.topics import Balances, Books, Fills, Instruments, Orders, Quotes, Tickers, Trades
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE

__all__ = ["CASE"]

CASE = Case(
    venue=VENUE,
    server=Feed,
    topics=(
        Books("BTC-PLN", 10),
        Books("BTC-PLN"),
        Trades("BTC-PLN"),
        Quotes("BTC-PLN"),
        Tickers("BTC-PLN"),
        Instruments(),
        Orders("BTC-PLN"),
        Fills("BTC-PLN"),
        Balances(),
        zonda.Tickers(),
        zonda.LimitedOrderBooks("ETH-PLN", 50),
        zonda.Rates("USD-EUR"),
        zonda.Offers(),
    ),
    more=lambda number: Trades(f"A{number}-PLN"),
    samples=(
        Sample('{"action":"pong"}'),
        Sample(confirm("transactions/btc-pln")),
        Sample('{"action":"subscribe-public-error","module":"trading","path":"transactions/x-y"}'),
        Sample('{"action":"json-error"}'),
        Sample('{"action":"novelty"}'),
        Sample('{"topic":"trading/novelty/btc-pln","message":{}}'),
        Sample(answer("78539fe0-e9b0-4e4e-8c86-70b36aa93d4f", book(95486654))),
        Sample(change(101, ("Buy", "99.5", "2"))),
        Sample(change(101, ("Buy", "99.5", None), ("Sell", "101", "0.5")), elements=2),
        Sample(change(101)),
        Sample(change(707, ("Sell", "101", "9"), path="orderbook/btc-pln")),
        Sample(trades(7, "4", "4.5", "5"), elements=3),
        Sample(trades(7)),
        Sample(ticker(1)),
        Sample(ticker(1, path="ticker", highestBid=None, lowestAsk=None, market=None)),
        Sample(stats(1)),
        Sample(push("rates/usd/eur", 9, {"rate": 1.164875, "rateCurrency": "USD"}, module="cantor_service")),
        Sample('{"error":"Authentication failed"}', lane="private"),
        Sample(offer(1), lane="private"),
        Sample(offer(1, "remove", path="offers"), lane="private"),
        Sample(stop_offer(1), lane="private"),
        Sample(history(1, "5", "6"), elements=2, lane="private"),
        Sample(trades(1, "5", path="transactions/btc-pln"), lane="private"),
        Sample(balance(1), lane="private"),
    ),
    credentials=KEY,
    withdraws=False,
)
