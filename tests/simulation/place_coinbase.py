"""Coinbase as a place to be tried."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import attrs

import trioquotes as tq
from tests.simulation.bookwatch import BookPlace
from tests.simulation.flows import Flow, by_number
from tests.simulation.limits import Limit
from tests.simulation.place import CANARY, Choice, Place, Read, by_sequence, by_time, to_owner
from trioquotes import venues
from trioquotes.simulator.venues.coinbase.listings import Profile

__all__ = ["COINBASE"]

PROFILE = Profile(name="me", key="k", secret=CANARY, passphrase=CANARY)
PRODUCTS = ("BTC-USD", "ETH-USD")


def _of_product(product: str, field: str) -> Read:
    return lambda fields, _raw: [(fields[field], False)] if fields["product_id"] == product else []


def _messages_of(product: str) -> Read:
    """Matches, and as history in the places before them what a subscription begins with: it may be dropped as well."""

    def read(fields: Any, _raw: bytes) -> list[tuple[Hashable, bool]]:
        is_last = fields["type"] == "last_match"
        return [(2 * fields["trade_id"] + (not is_last), is_last)] if fields["product_id"] == product else []

    return read


def _coinbase(keyed: bool) -> list[Choice]:
    out = []
    for product in PRODUCTS:
        trades = Flow(
            kinds=("match",), read=_of_product(product, "trade_id"), key=by_number("trade_id"), counted=True,
            numbered=True,
        )  # fmt: skip
        messages = attrs.evolve(
            trades,
            kinds=("match", "last_match"),
            read=_messages_of(product),
            key=lambda event: 2 * event.trade_id + 1 if type(event) is venues.coinbase.Match else None,
        )
        tickers = Flow(
            kinds=("ticker",), read=_of_product(product, "sequence"), key=by_number("sequence"), numbered=True,
            restated=True,
        )  # fmt: skip
        book = BookPlace("level2" if keyed else "level2_50", product, by_time)
        out += [
            Choice(topic=tq.Trades(product), flow=trades),
            Choice(topic=venues.coinbase.Matches(product), flow=messages),
            Choice(topic=tq.Tickers(product), flow=tickers),
            Choice(topic=tq.Books(product), book=book),
            Choice(topic=tq.Quotes(product), book=book),
            Choice(topic=tq.Depths(product, 5), book=book),
        ]
    if keyed:
        mine = to_owner("received", "open", "match", "change", "done", "activate")
        mine = attrs.evolve(mine, asked="user")  # `full` has them too, for whom it knows
        out += [
            Choice(topic=tq.Orders("BTC-USD"), flow=mine, private=True),
            Choice(topic=tq.Fills("ETH-USD"), flow=mine, private=True),
            *(
                Choice(topic=tq.OrderBooks(product), book=BookPlace("full", product, by_sequence))
                for product in PRODUCTS
            ),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


COINBASE = Place(
    name="coinbase",
    instruments=PRODUCTS,
    options={"products": PRODUCTS, "depth": 12},
    client={"keys": [PROFILE]},
    key=tq.ApiKey("k", CANARY, CANARY),
    choices=_coinbase,
    frames={
        "l2update": "cdu", "match": "cdswuh", "ticker": "cdswu", "heartbeat": "nsc", "snapshot": "cuh",
        "last_match": "sc", "status": "c", "open": "cdswu", "done": "cdsw", "change": "cds",
    },
    book_frames=frozenset({"l2update", "snapshot", "open", "done", "change"}),
    answers=("subscriptions",),
    silence_s=15.0,
    elements_in_all=True,
    limits=(Limit("connects", 8, 1.0), Limit("requests", 10, 1.0), Limit("rest", 10, 1.0)),
    session_options={"by_order": ("full", "level3")},
)  # fmt: skip
