"""The venue for the shared contract test."""

from __future__ import annotations

from tests.venues.cases import Case, Sample
from tests.venues.coinbase.feed import (
    ACCOUNT,
    KEY,
    Feed,
    ack,
    auction,
    balance,
    error,
    heartbeat,
    match,
    order,
    rfq,
    snapshot,
    status,
    ticker,
    update,
)
from trioquotes.topics import (
    Balances,
    Books,
    Depths,
    Fills,
    Instruments,
    OrderBooks,
    Orders,
    Quotes,
    Tickers,
    Trades,
)
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

__all__ = ["CASE"]

CASE = Case(
    venue=VENUE,
    server=Feed,
    topics=(
        Trades("BTC-USD"),
        Books("BTC-USD"),
        Quotes("BTC-USD"),
        Depths("BTC-USD", 5),
        OrderBooks("BTC-USD"),
        Tickers("BTC-USD"),
        Instruments(),
        Orders("BTC-USD"),
        Fills("BTC-USD"),
        Balances((ACCOUNT,)),
        coinbase.Heartbeats("BTC-USD"),
        coinbase.Level2Batch("ETH-USD"),
        coinbase.TickerBatches("BTC-USD"),
        coinbase.Full("BTC-USD"),
        coinbase.Level3("BTC-USD"),
        coinbase.RfqMatches("BTC-USD"),
        coinbase.Auctions("BTC-USD"),
    ),
    more=lambda number: Trades(f"A{number}-USD"),
    samples=(
        Sample(ack(level2_50=["ETH-USD"], matches=["BTC-USD"]), lane="market"),
        Sample(error("no words that help"), lane="market"),
        Sample(match(155, "last_match"), lane="market"),
        Sample(match(156), lane="market"),
        Sample(heartbeat(155), lane="market"),
        Sample(ticker(), lane="market"),
        Sample(auction(7), lane="market"),
        Sample(rfq(), lane="market"),
        Sample(status("BTC-USD"), lane="market"),
        Sample(snapshot("ETH-USD"), lane="market"),
        Sample(
            update(("buy", "9", "0.00"), ("sell", "12", "1"), product="ETH-USD"), elements=2, lane="market"
        ),
        Sample('{"type":"news"}', lane="market"),
        Sample(ticker(), lane="batch"),
        Sample(snapshot(), lane="book"),
        Sample(update(("buy", "9", "0.00")), lane="book"),
        Sample('["noop","BTC-USD","5","2023-03-28T23:24:03.185394Z"]', lane="book"),
        Sample(order("open", 7), lane="full"),
        Sample(order("done", 7), lane="user"),
        Sample(match(9, user_id="u", taker_user_id="u"), lane="user"),
        Sample(balance(), lane="user"),
    ),
    credentials=KEY,
)
