"""The venue for the shared contract test."""

from __future__ import annotations

from tests.venues.cases import Case, Sample
from tests.venues.edgex.feed import (
    BTC,
    CONNECTED,
    ETH,
    KEY,
    Feed,
    best,
    compact,
    depth,
    error,
    event,
    funding,
    kline,
    metadata,
    order,
    quote,
    ticker,
    trades,
)
from trioquotes.topics import (
    Balances,
    Books,
    Candles,
    Fills,
    FundingRates,
    Instruments,
    Orders,
    Quotes,
    Tickers,
    Trades,
)
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE

__all__ = ["CASE"]

FILL = {
    "id": "7",
    "orderId": "9",
    "contractId": BTC,
    "fillSize": "1",
    "fillPrice": "10",
    "direction": "MAKER",
}
BALANCE = {"coinId": "1000", "accountId": "645046721134460943", "amount": "105.444919"}

CASE = Case(
    venue=VENUE,
    server=Feed,
    topics=(
        Trades(BTC),
        Books(BTC),
        Books(BTC, 15),
        Quotes(BTC),
        Quotes(ETH),
        Tickers(BTC),
        Candles(BTC, "HOUR_1"),
        FundingRates(BTC),
        Instruments(),
        Orders(),
        Orders(BTC),
        Fills(),
        Balances(),
        edgex.Depths(BTC),
        edgex.Depths(ETH, 15),
        edgex.Klines(BTC, "DAY_1", "MARK_PRICE"),
        edgex.AllTickersEachSecond(),
        edgex.AllBookTickersEachSecond(),
        edgex.AllFundingRates(),
        edgex.BookTickers(BTC),
        edgex.Pongs(),
        edgex.TradeEvents(),
    ),
    more=lambda number: Trades(str(40000000 + number)),
    samples=(
        Sample(CONNECTED),
        Sample('{"type":"ping","time":"1789136310001"}'),
        Sample('{"type":"pong","time":"1600000000000"}'),
        Sample('{"type":"subscribed","channel":"depth.30000001.200","request":"{}"}'),
        Sample('{"type":"unsubscribed","channel":"depth.30000001.200"}'),
        Sample(error("depth.99999999.15")),
        Sample(error(None)),
        Sample(depth(100, 110, bids=[("100.5", "1")], asks=[("101", "2")], whole=True)),
        Sample(depth(110, 120, bids=[("100.5", "0.00")])),
        Sample(depth(990, 999, asks=[("103", "1")])),
        Sample(depth(990, 999, asks=[("103", "1")], level=15)),
        Sample(trades("a", "b", "c", history=True), 3),
        Sample(trades("d", "e"), 2),
        Sample(quote(f"trades.{BTC}", [])),
        Sample(quote("bookTicker.all.1s", [best(f"3000000{number}") for number in range(1, 6)]), 5),
        Sample(quote(f"bookTicker.{BTC}", [best()], "Snapshot")),
        Sample(quote(f"ticker.{BTC}", [ticker()], "Changed")),
        Sample(quote("ticker.all.1s", [ticker(), ticker(ETH)], "Snapshot"), 2),
        Sample(quote(f"kline.LAST_PRICE.{BTC}.HOUR_1", [kline(interval="HOUR_1")] * 3, "Snapshot"), 3),
        Sample(quote(f"kline.MARK_PRICE.{BTC}.DAY_1", [kline(interval="DAY_1")], kind="payload")),
        Sample(quote(f"fundingRate.{BTC}", [funding()], "Snapshot")),
        Sample(quote("fundingRate.all", [funding(), funding(ETH, None)]), 2),
        Sample(metadata(BTC, ETH)),
        Sample('{"type":"novelty"}'),
        Sample(compact({"sid": "b146", "type": "connected", "time": "1775699229526"}), lane="private"),
        Sample('{"type":"ping","time":1693208170000}', lane="private"),
        Sample(event(), lane="private"),
        Sample(event("ORDER_UPDATE", order=[order()], orderFillTransaction=[FILL]), 2, lane="private"),
        Sample(event("ACCOUNT_UPDATE", collateral=[BALANCE], novelty=[{"a": 1}, {}]), 3, lane="private"),
        Sample(error(None, "GATEWAY_UNRECOGNIZED_MESSAGE", "unsupported"), lane="private"),
    ),
    credentials=KEY,
)
