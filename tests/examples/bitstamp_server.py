"""A simulated Bitstamp, as far as the example of a custom venue needs one: from the venue's documentation, in plain dicts.

*Source:* www.bitstamp.net/websocket/v2/.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from trioquotes.simulator.connection import Connection
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import Matched, Side
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.market import Market
from trioquotes.simulator.server import Simulator

__all__ = ["MARKET", "BitstampSimulator"]

MARKET = "btcusd"
LISTING = Listing(
    instrument=MARKET, base="BTC", quote="USD", tick=Decimal("0.01"), step=Decimal("0.00000001"),
    reference=Decimal("81222.50"), lot=Decimal("0.05"),
)  # fmt: skip


@attrs.define
class Desk:
    """What a connection is subscribed to."""

    channels: set[str] = attrs.field(factory=set)


class BitstampSimulator(Simulator[Desk]):
    """Trades and whole books of one market."""

    venue: ClassVar[str] = "bitstamp"

    def __init__(
        self, *, seed: int = 0, rate: float = 10.0, faults: Iterable[Fault] = (),
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        super().__init__(faults=faults, wall_ns=wall_ns)
        self._options: dict[str, Any] = {"seed": seed, "rate": rate, "depth": 40}
        self._market: Market | None = None
        self.trades: list[Matched] = []

    @property
    def market(self) -> Market:
        """The market, which begins when it is first looked at."""
        if self._market is None:
            self._market = Market([LISTING], start_ns=self.now_ns(), **self._options)
        return self._market

    def new_state(self, request: HttpRequest) -> Desk:
        return Desk()

    def opened(self, connection: Connection[Desk]) -> None:
        assert self.market.floors
        self.hurry()

    def received(self, connection: Connection[Desk], message: str | bytes) -> None:
        said = json.loads(message)
        kind, channel = said["event"], said.get("data", {}).get("channel", "")
        if kind == "bts:heartbeat":
            self._say(connection, kind, "", {"status": "success"})
            return
        fate = connection.faults.acknowledgement()
        known = channel in {f"live_trades_{MARKET}", f"order_book_{MARKET}"}
        if fate.reject is not None or not known:
            words = "Bad subscription string." if fate.reject is None else fate.reject[0]
            self._say(connection, "bts:error", "", {"code": None, "message": words})
        elif kind == "bts:subscribe":
            connection.state.channels.add(channel)
            self._say(connection, "bts:subscription_succeeded", channel, {})
            if channel.startswith("order_book"):
                self._say(connection, "data", channel, self._book())
        else:
            connection.state.channels.discard(channel)
            self._say(connection, "bts:unsubscription_succeeded", channel, {})

    def ask_to_reconnect(self) -> None:
        """Send every client elsewhere."""
        for connection in self.connections.values():
            self._say(connection, "bts:request_reconnect", "", "")

    def woke(self, now_ns: int) -> None:
        self.market.rest_until(now_ns)

    def next_turn_ns(self) -> int | None:
        return self.market.next_ns

    def turn(self, now_ns: int) -> None:
        happenings = self.market.advance(now_ns)
        trades = [one for one in happenings if isinstance(one, Matched)]
        self.trades += trades
        for connection in tuple(self.connections.values()):
            if f"live_trades_{MARKET}" in connection.state.channels:
                for trade in trades:
                    self._say(connection, "trade", f"live_trades_{MARKET}", self._trade(trade))
            if f"order_book_{MARKET}" in connection.state.channels and happenings:
                self._say(connection, "data", f"order_book_{MARKET}", self._book())

    def _say(self, connection: Connection[Desk], event: str, channel: str, data: object) -> None:
        connection.send(event, json.dumps({"data": data, "channel": channel, "event": event}))

    @staticmethod
    def _trade(trade: Matched) -> dict[str, Any]:
        return {
            "id": trade.trade_id, "timestamp": str(trade.time_ns // 10**9), "amount": float(trade.size),
            "amount_str": format(trade.size, ".8f"), "price": float(trade.price), "price_str": format(trade.price, ".2f"),
            "type": int(trade.taker_side == "sell"), "microtimestamp": str(trade.time_ns // 1000),
            "buy_order_id": 1, "sell_order_id": 2,
        }  # fmt: skip

    def _book(self) -> dict[str, Any]:
        book = self.market.floors[MARKET].book
        now_ns = self.now_ns()
        wanted: tuple[tuple[str, Side], ...] = (("bids", "buy"), ("asks", "sell"))
        sides = {
            name: [[format(price, ".2f"), format(size, ".8f")] for price, size, _ in book.levels(side)[:100]]
            for name, side in wanted
        }
        return {"timestamp": str(now_ns // 10**9), "microtimestamp": str(now_ns // 1000), **sides}
