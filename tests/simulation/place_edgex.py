"""edgeX as a place to be tried."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import trioquotes as tq
from tests.simulation.bookwatch import BookPlace
from tests.simulation.flows import Flow, by_frame
from tests.simulation.place import CANARY, Choice, Place, Read, by_sequence, to_owner, whole_frame
from trioquotes.simulator.venues import edgex

__all__ = ["EDGEX"]

CONTRACTS = ("30000001", "30000020")


def _bars(contract: str) -> Read:
    def read(fields: Any, raw: bytes) -> list[tuple[Hashable, bool]]:
        content = fields["content"]
        mine = content["channel"] == f"kline.LAST_PRICE.{contract}.MINUTE_1"
        history = content["dataType"] == "Snapshot"
        return [((raw, int(row["klineTime"]) * 10**6), history) for row in content["data"] if mine]

    return read


def _best_of(contract: str) -> Read:
    def read(fields: Any, raw: bytes) -> list[tuple[Hashable, bool]]:
        content = fields["content"]
        rows = content["data"] if content["channel"].startswith("bookTicker.") else []
        mine = any(row["contractId"] == contract for row in rows)
        return [(raw, content["dataType"] == "Snapshot")] if mine else []

    return read


TOLD_OWNERS = (
    "Snapshot", "ACCOUNT_UPDATE", "DEPOSIT_UPDATE", "WITHDRAW_UPDATE", "TRANSFER_IN_UPDATE", "TRANSFER_OUT_UPDATE",
    "ORDER_UPDATE", "FORCE_WITHDRAW_UPDATE", "FORCE_TRADE_UPDATE", "FUNDING_SETTLEMENT", "ORDER_FILL_FEE_INCOME",
    "START_LIQUIDATING", "FINISH_LIQUIDATING",
)  # fmt: skip


def _edgex(keyed: bool) -> list[Choice]:
    out = []
    for contract in CONTRACTS:

        def trade(fields: Any, _raw: bytes, contract: str = contract) -> list[tuple[Hashable, bool]]:
            content = fields["content"]
            rows = content["data"] if content["channel"] == f"trades.{contract}" else []
            return [(row["ticketId"], content["dataType"] == "Snapshot") for row in rows]

        def of(name: str, contract: str = contract) -> Read:
            return whole_frame(
                lambda fields: fields["channel"] == f"{name}.{contract}",
                lambda fields: fields["content"]["dataType"] == "Snapshot",
            )

        trades = Flow(
            kinds=("trades",), read=trade, key=lambda event: getattr(event, "trade_id", None), repeats=True
        )
        tickers = Flow(kinds=("ticker",), read=of("ticker"), key=by_frame, repeats=True)
        candles = Flow(
            kinds=("kline",), read=_bars(contract), repeats=True,
            key=lambda event: (event.raw, event.open_time_ns) if isinstance(event, tq.Candle) else None,
        )  # fmt: skip
        quotes = Flow(kinds=("bookTicker",), read=_best_of(contract), key=by_frame, repeats=True)
        rates = Flow(kinds=("fundingRate",), read=of("fundingRate"), key=by_frame, repeats=True)
        out += [
            Choice(topic=tq.Trades(contract), flow=trades),
            Choice(topic=tq.Tickers(contract), flow=tickers),
            Choice(topic=tq.FundingRates(contract), flow=rates, lively=False),
            Choice(topic=tq.Candles(contract), flow=candles),
            Choice(topic=tq.Quotes(contract), flow=quotes),
            Choice(topic=tq.Books(contract, depth=200), book=BookPlace("depth.200", contract, by_sequence)),
            Choice(topic=tq.Books(contract, depth=15), book=BookPlace("depth.15", contract, by_sequence)),
            Choice(topic=tq.Depths(contract, 5), book=BookPlace("depth.15", contract, by_sequence)),
        ]
    if keyed:
        out += [
            Choice(topic=tq.Orders(), flow=to_owner(*TOLD_OWNERS), private=True),
            Choice(topic=tq.Fills(), flow=to_owner(*TOLD_OWNERS), private=True),
            Choice(topic=tq.Balances(), flow=to_owner(*TOLD_OWNERS), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


EDGEX = Place(
    name="edgex",
    instruments=CONTRACTS,
    # As recorded, updates span many versions. The loss of a single one cannot be seen before a line has shown its rule.
    options={"contracts": CONTRACTS, "depth": 20, "version_step": 3},
    client={"accounts": [edgex.Account(account_id="77", key="k", secret=CANARY, passphrase=CANARY)]},
    key=tq.ApiKey("k", CANARY, CANARY, "77"),
    choices=_edgex,
    frames={
        "depth": "cdswuh", "trades": "cdswuh", "ticker": "cdswu", "kline": "cs", "bookTicker": "cs", "ping": "ns",
        "connected": "sc", "ORDER_UPDATE": "cds", "ACCOUNT_UPDATE": "cds", "Snapshot": "cs",
    },
    book_frames=frozenset({"depth"}),
    answers=("subscribed", "unsubscribed"),
    silence_s=60.0,
)  # fmt: skip
