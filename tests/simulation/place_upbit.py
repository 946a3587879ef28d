"""Upbit as a place to be tried."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import attrs

import trioquotes as tq
from tests.simulation.bookwatch import BookPlace
from tests.simulation.flows import Flow, by_frame, by_number
from tests.simulation.limits import Limit
from tests.simulation.place import CANARY, Choice, Place, by_time, to_owner, whole_frame
from trioquotes import venues
from trioquotes.simulator.venues import upbit

__all__ = ["UPBIT"]

CODES = ("KRW-BTC", "KRW-ETH")


def _snapshot(fields: Any) -> bool:
    return bool(fields["stream_type"] == "SNAPSHOT")


def _upbit(keyed: bool) -> list[Choice]:
    out = []
    for code in CODES:

        def own(fields: Any, code: str = code) -> bool:
            return bool(fields["code"] == code)

        def trade(fields: Any, _raw: bytes, code: str = code) -> list[tuple[Hashable, bool]]:
            return [(fields["sequential_id"], _snapshot(fields))] if fields["code"] == code else []

        trades = Flow(kinds=("trade",), read=trade, key=by_number("trade_id"), repeats=True)
        messages = attrs.evolve(trades, key=by_number("sequential_id"))
        tickers = Flow(kinds=("ticker",), read=whole_frame(own, _snapshot), key=by_frame, repeats=True)
        candles = attrs.evolve(tickers, kinds=("candle.1m",))
        books = attrs.evolve(tickers, kinds=("orderbook",))
        book = BookPlace("orderbook", code, by_time)
        out += [
            Choice(topic=tq.Trades(code), flow=trades),
            Choice(topic=venues.upbit.Trades(code), flow=messages),
            Choice(topic=tq.Tickers(code), flow=tickers),
            Choice(topic=tq.Candles(code), flow=candles),
            Choice(topic=tq.Books(code), book=book),
            Choice(topic=tq.Quotes(code), book=book),
            Choice(topic=tq.Depths(code, 5), book=book),
            Choice(topic=venues.upbit.Orderbooks(code), flow=books),
        ]
    if keyed:
        orders = Flow(kinds=("myOrder",), read=whole_frame(lambda _fields: True), key=by_frame, repeats=True)
        out += [
            Choice(topic=tq.Orders(), flow=orders, private=True),
            Choice(topic=tq.Fills(), flow=to_owner("myOrder"), private=True),
            Choice(topic=tq.Balances(), flow=to_owner("myAsset"), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


UPBIT = Place(
    name="upbit",
    instruments=CODES,
    options={"markets": CODES, "depth": 32},
    client={"accounts": [upbit.Account(key="k", secret=CANARY)]},
    key=tq.ApiKey("k", CANARY),
    choices=_upbit,
    frames={
        "trade": "cdswuh", "ticker": "cdswu", "orderbook": "cdsuh", "candle.1m": "cs", "myOrder": "cdsw",
        "myAsset": "cd", "status": "ns", "LIST_SUBSCRIPTIONS": "csn",
    },
    book_frames=frozenset({"orderbook"}),
    silence_s=75.0,
    limits=(
        Limit("connects", 5, 1.0), Limit("requests", 5, 1.0, by_line=True), Limit("requests", 100, 60.0, by_line=True),
        Limit("rest", 10, 1.0),
    ),
)  # fmt: skip
