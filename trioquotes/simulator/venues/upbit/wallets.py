"""What the venue tells the owners of orders: every step of an order, and every change of what they have; pure.

*Source:* docs.upbit.com/kr/reference/websocket-myorder and websocket-myasset. A buyer's fee is held beside the
price and paid in the quote currency; a seller's is taken off the proceeds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Any

import attrs

from trioquotes.simulator.book import Book, limit_of
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import (
    Activated,
    Changed,
    Closed,
    Happening,
    Matched,
    Received,
    Side,
)
from trioquotes.simulator.venues.upbit.listings import fee_rate
from trioquotes.simulator.venues.upbit.tape import FRAME_LAG_MS, ZERO
from trioquotes.simulator.venues.upbit.texts import EXACT, plain

__all__ = ["Told", "Wallets"]

START = {
    "KRW": Decimal("9000000000.37231066771348207123"),
    "BTC": Decimal("1000.12345678"),
    "ETH": Decimal("20000.5"),
    "XRP": Decimal(9_000_000),
    "USDT": Decimal("9000000.25"),
}
"""What every owner has at the start; of any other currency ten million."""

AVERAGE_PLACES = Decimal("1E-8")


@attrs.frozen
class Told:
    """A message to an owner.

    Attributes:
        code: of the market; empty for ``myAsset``.
        message: with long names.
    """

    owner: str
    kind: str
    code: str
    message: dict[str, Any]


@attrs.define(kw_only=True)
class _Order:
    """An order as its owner is told of it.

    Attributes:
        price: limit, or what a market buy may spend; ``None`` where there is none.
        volume: ``None`` for a market buy by its cost.
        reserved_fee: what was held for the fee at first.
    """

    uuid: str
    owner: str
    listing: Listing
    side: Side
    kind: str
    price: Decimal | None
    volume: Decimal | None
    time_ms: int
    identifier: str | None = None
    remaining: Decimal | None = None
    funds: Decimal | None = None
    reserved_fee: Decimal = ZERO
    executed_volume: Decimal = ZERO
    executed_funds: Decimal = ZERO
    paid_fee: Decimal = ZERO
    trades: int = 0
    prevented_volume: Decimal = ZERO
    prevented_locked: Decimal = ZERO
    open: bool = True

    @property
    def held_currency(self) -> str:
        return self.listing.quote if self.side == "buy" else self.listing.base

    def cost(self) -> Decimal:
        """What is still to be paid at most, or delivered."""
        if not self.open:
            return ZERO
        if self.side == "sell":
            return self.remaining or ZERO
        if self.kind == "limit" and self.price is not None:
            return self.price * (self.remaining or ZERO)
        return self.funds or ZERO

    def remaining_fee(self) -> Decimal:
        """What is held for the fee."""
        return self.cost() * fee_rate(self.listing) if self.side == "buy" else ZERO

    def locked(self) -> Decimal:
        """What is held altogether."""
        return self.cost() + self.remaining_fee()


class Wallets:
    """The orders and the money of the owners known to the venue.

    Args:
        listings: what is traded.
        owners: whose orders and money are kept.
        start: what each owner has at first, by currency; ``None`` takes plenty.
    """

    def __init__(
        self, listings: Iterable[Listing], owners: Iterable[str], start: Mapping[str, Decimal] | None = None
    ) -> None:
        self._listings = {listing.instrument: listing for listing in listings}
        self._orders: dict[str, _Order] = {}
        self._told: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        self.totals: dict[tuple[str, str], Decimal] = {}
        currencies = sorted({c for listing in self._listings.values() for c in (listing.base, listing.quote)})
        for owner in owners:
            for currency in currencies:
                usual = START.get(currency, Decimal(10_000_000))
                self.totals[owner, currency] = (start or {}).get(currency, usual)

    def adopt(self, code: str, book: Book, now_ms: int) -> None:
        """Take over the orders that were on a book before anybody looked."""
        with localcontext(EXACT):
            for resting in book.orders.values():
                if resting.owner is None:
                    continue
                price, remaining = limit_of(resting)
                order = _Order(
                    uuid=resting.order_id, owner=resting.owner, listing=self._listings[code], side=resting.side,
                    kind="limit", price=price, volume=remaining, remaining=remaining, time_ms=now_ms,
                    identifier=resting.client_id,
                )  # fmt: skip
                order.reserved_fee = order.remaining_fee()
                self._orders[resting.order_id] = order
            for owner, currency in self.totals:
                self._told[owner, currency] = (self.free(owner, currency), self.locked(owner, currency))

    def locked(self, owner: str, currency: str) -> Decimal:
        """What an owner's open orders hold of a currency."""
        mine = (o for o in self._orders.values() if o.owner == owner and o.held_currency == currency)
        with localcontext(EXACT):
            return sum((order.locked() for order in mine), ZERO)

    def free(self, owner: str, currency: str) -> Decimal:
        """What an owner may use of a currency."""
        with localcontext(EXACT):
            return self.totals[owner, currency] - self.locked(owner, currency)

    def follow(self, happening: Happening) -> list[Told]:
        """Take in what happened on the market; say what is to be told."""
        now_ms = happening.time_ns // 10**6
        with localcontext(EXACT):
            out = list(self._steps(happening, now_ms))
            for owner in sorted({told.owner for told in out}):
                moved = self._moved(owner, self._listings[happening.instrument], now_ms)
                out += moved
        return out

    def _steps(self, happening: Happening, now_ms: int) -> Iterable[Told]:
        match happening:
            case Activated(owner=str()):
                kind = "market" if happening.side == "sell" else "best"
                order = self._opened(happening, kind, happening.stop_price, happening.size, now_ms)
                order.remaining = happening.size
                yield self._tell(order, "watch", now_ms)
            case Received(owner=str()):
                order = self._received(happening, now_ms)
                yield self._tell(order, "wait", now_ms)
            case Matched():
                yield from self._filled(happening, now_ms)
            case Changed(owner=str(), cause="modified"):
                yield from self._replaced(happening, now_ms)
            case Changed(owner=str()):
                order = self._orders[happening.order_id]
                before = order.locked()
                if happening.old_size is not None and happening.new_size is not None:
                    order.prevented_volume += happening.old_size - happening.new_size
                    order.remaining = happening.new_size
                order.funds = happening.new_funds
                order.prevented_locked += before - order.locked()
                yield self._tell(order, "prevented", now_ms)
            case Closed(owner=str()):
                yield from self._closed(happening, now_ms)
            case _:
                pass

    def _opened(
        self, happening: Received | Activated, kind: str, price: Decimal | None, volume: Decimal | None,
        now_ms: int,
    ) -> _Order:  # fmt: skip
        order = _Order(
            uuid=happening.order_id, owner=str(happening.owner), listing=self._listings[happening.instrument],
            side=happening.side, kind=kind, price=price, volume=volume, time_ms=now_ms,
            identifier=getattr(happening, "client_id", None),
        )  # fmt: skip
        self._orders[happening.order_id] = order
        return order

    def _received(self, happening: Received, now_ms: int) -> _Order:
        """A limit order, a market sell by volume, a market buy by cost, or by volume at the best price."""
        kind, price = "limit", happening.price
        if happening.kind == "market":
            by_cost = happening.side == "buy" and happening.funds is not None
            kind = "price" if by_cost else "market" if happening.side == "sell" else "best"
            price = happening.funds
        waiting = self._orders.get(happening.order_id)
        order = self._opened(happening, kind, price, happening.size, now_ms)
        if waiting is not None:  # a stop order whose price has come
            order.time_ms = waiting.time_ms
        order.remaining, order.funds = happening.size, happening.funds
        order.reserved_fee = order.remaining_fee()
        return order

    def _filled(self, trade: Matched, now_ms: int) -> Iterable[Told]:
        for order_id, is_maker in ((trade.maker_order_id, True), (trade.taker_order_id, False)):
            order = self._orders.get(order_id)
            if order is None:
                continue
            funds = trade.price * trade.size
            fee = funds * fee_rate(order.listing)
            sign = 1 if order.side == "buy" else -1
            self.totals[order.owner, order.listing.base] += sign * trade.size
            self.totals[order.owner, order.listing.quote] -= sign * funds + fee
            order.executed_volume += trade.size
            order.executed_funds += funds
            order.paid_fee += fee
            order.trades += 1
            if order.remaining is not None:
                order.remaining -= trade.size
            if order.funds is not None:
                order.funds -= funds
            trade_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{trade.instrument}/{trade.trade_id}")
            fill = {
                "trade_uuid": str(trade_id), "price": plain(trade.price), "volume": plain(trade.size),
                "trade_fee": plain(fee), "is_maker": is_maker, "trade_timestamp": now_ms - FRAME_LAG_MS,
            }  # fmt: skip
            yield self._tell(order, "trade", now_ms, fill)

    def _replaced(self, happening: Changed, now_ms: int) -> Iterable[Told]:
        """The venue knows no changing of orders: the old one is cancelled, and a new one waits."""
        old = self._orders[happening.order_id]
        old.open = False
        yield self._tell(old, "cancel", now_ms)
        new = _Order(
            uuid=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{old.uuid}/replaced")), owner=old.owner, listing=old.listing,
            side=old.side, kind="limit", price=happening.new_price, volume=happening.new_size,
            remaining=happening.new_size, time_ms=now_ms,
        )  # fmt: skip
        new.reserved_fee = new.remaining_fee()
        self._orders[happening.order_id] = new
        yield self._tell(new, "wait", now_ms)

    def _closed(self, happening: Closed, now_ms: int) -> Iterable[Told]:
        order = self._orders.pop(happening.order_id)
        if happening.cause == "self_trade":
            order.prevented_volume += order.remaining or ZERO
            order.prevented_locked += order.locked()
            order.open = False
            yield self._tell(order, "prevented", now_ms)
        order.open = False
        yield self._tell(order, "done" if happening.reason == "filled" else "cancel", now_ms)

    def _tell(self, order: _Order, state: str, now_ms: int, fill: Mapping[str, Any] | None = None) -> Told:
        """One ``myOrder`` message; with the figures of the fill in place of the order's where there is one."""
        fill = fill or {}
        average = order.executed_funds / order.executed_volume if order.executed_volume else ZERO
        message: dict[str, Any] = {
            "type": "myOrder", "code": order.listing.instrument, "uuid": order.uuid,
            "ask_bid": "BID" if order.side == "buy" else "ASK", "order_type": order.kind, "state": state,
            "trade_uuid": fill.get("trade_uuid"), "price": fill.get("price", _maybe(order.price)),
            "avg_price": plain(average.quantize(AVERAGE_PLACES)), "volume": fill.get("volume", _maybe(order.volume)),
            "remaining_volume": _maybe(order.remaining), "executed_volume": plain(order.executed_volume),
            "trades_count": order.trades, "reserved_fee": plain(order.reserved_fee),
            "remaining_fee": plain(order.remaining_fee()), "paid_fee": plain(order.paid_fee),
            "locked": plain(order.locked()), "executed_funds": plain(order.executed_funds),
            "time_in_force": "ioc" if order.kind == "best" else None, "trade_fee": fill.get("trade_fee"),
            "is_maker": fill.get("is_maker"),
        }  # fmt: skip
        if order.identifier is not None:
            message["identifier"] = order.identifier
        message |= {
            "smp_type": "reduce", "prevented_volume": plain(order.prevented_volume),
            "prevented_locked": plain(order.prevented_locked), "trade_timestamp": fill.get("trade_timestamp"),
            "order_timestamp": order.time_ms, "timestamp": now_ms, "stream_type": "REALTIME",
        }  # fmt: skip
        return Told(order.owner, "myOrder", order.listing.instrument, message)

    def _moved(self, owner: str, listing: Listing, now_ms: int) -> list[Told]:
        """A ``myAsset`` message with the currencies that changed, if any did."""
        assets = []
        for currency in (listing.quote, listing.base):
            held = self.locked(owner, currency)
            now = (self.totals[owner, currency] - held, held)
            if self._told.get((owner, currency)) != now:
                self._told[owner, currency] = now
                assets.append({"currency": currency, "balance": plain(now[0]), "locked": plain(now[1])})
        if not assets:
            return []
        message = {
            "type": "myAsset", "asset_uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, owner)), "assets": assets,
            "asset_timestamp": now_ms - FRAME_LAG_MS, "timestamp": now_ms, "stream_type": "REALTIME",
        }  # fmt: skip
        return [Told(owner, "myAsset", "", message)]


def _maybe(value: Decimal | None) -> Any:
    return None if value is None else plain(value)
