"""Zonda as a place to be tried."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import attrs

import trioquotes as tq
from tests.simulation.bookwatch import BookPlace
from tests.simulation.flows import Flow, by_frame
from tests.simulation.limits import Limit
from tests.simulation.place import CANARY, Choice, Place, Read, by_sequence, to_owner
from trioquotes.simulator.venues import zonda

__all__ = ["ZONDA"]

MARKETS = ("BTC-PLN", "ETH-PLN")


def _of_market(market: str) -> Read:
    """Pushes of a market's ticker and figures; answers are how things were when they were asked for."""

    def read(fields: Any, raw: bytes) -> list[tuple[Hashable, bool]]:
        if fields["action"] == "proxy-response":
            return [(raw, True)]
        names = {f"trading/{name}/{market.lower()}" for name in ("ticker", "stats")}
        return [(raw, False)] if fields["topic"] in names else []

    return read


def _zonda(keyed: bool) -> list[Choice]:
    out = []
    for market in MARKETS:

        def trade(fields: Any, _raw: bytes, market: str = market) -> list[tuple[Hashable, bool]]:
            mine = fields["topic"] == f"trading/transactions/{market.lower()}"
            return [(one["id"], False) for one in fields["message"]["transactions"]] if mine else []

        trades = Flow(
            kinds=("transactions",),
            read=trade,
            key=lambda event: getattr(event, "trade_id", None),
            counted=True,
        )
        tickers = Flow(
            kinds=("ticker", "stats", "proxy-response"), read=_of_market(market), key=by_frame, repeats=True
        )
        quotes = attrs.evolve(tickers, partial=True)
        out += [
            Choice(topic=tq.Trades(market), flow=trades),
            Choice(topic=tq.Tickers(market), flow=tickers),
            Choice(topic=tq.Quotes(market), flow=quotes),
            Choice(topic=tq.Books(market), book=BookPlace("orderbook", market, by_sequence)),
            Choice(
                topic=tq.Books(market, depth=10), book=BookPlace("orderbook-limited/10", market, by_sequence)
            ),
            Choice(topic=tq.Depths(market, 5), book=BookPlace("orderbook-limited/10", market, by_sequence)),
        ]
    if keyed:
        out += [
            Choice(topic=tq.Orders(), flow=to_owner("offers", "stop/offers"), private=True),
            Choice(topic=tq.Fills(), flow=to_owner("history/transactions"), private=True),
            Choice(topic=tq.Balances(), flow=to_owner("updatefunds"), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


ZONDA = Place(
    name="zonda",
    instruments=MARKETS,
    options={"markets": MARKETS, "depth": 20},
    client={"accounts": [zonda.Account(public_key="k", private_key=CANARY)]},
    key=tq.ApiKey("k", CANARY),
    choices=_zonda,
    frames={
        "orderbook": "cdswuh", "orderbook-limited": "cdswu", "transactions": "cdswu", "ticker": "cdsw",
        "stats": "cs", "pong": "ns", "proxy-response": "csd", "offers": "cds", "updatefunds": "cds",
    },
    book_frames=frozenset({"orderbook", "orderbook-limited", "proxy-response"}),
    answers=("subscribe-public-confirm",),
    silence_s=60.0,
    limits=(Limit("rest", 60, 60.0),),
)  # fmt: skip
