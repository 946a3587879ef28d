"""The matching engine of one instrument: orders in, happenings out; no clock, no randomness."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Literal

import attrs

from trioquotes.simulator.book import ZERO, Book, Order, limit_of
from trioquotes.simulator.figures import Figures
from trioquotes.simulator.happenings import (
    Activated,
    Changed,
    Closed,
    Happening,
    LevelSet,
    Matched,
    Opened,
    OrderKind,
    Received,
    Side,
    Standing,
    opposite,
)

__all__ = ["Floor", "Listing", "floor_to"]

TRADES_KEPT = 10_000
"""How many trades of an instrument stay readable; a venue's REST side serves at most that far back."""


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``, exactly."""
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


@attrs.frozen(kw_only=True)
class Listing:
    """An instrument that a market trades.

    Attributes:
        tick: price step.
        step: size step.
        reference: price around which the market starts.
        lot: a usual order's size, in base units.
        traded: whether it has ever traded when the market starts.
    """

    instrument: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    reference: Decimal
    lot: Decimal
    traded: bool = True


@attrs.frozen(kw_only=True)
class _Stop:
    order_id: str
    trader: str
    side: Side
    stop: Literal["entry", "loss"]
    stop_price: Decimal
    size: Decimal
    owner: str | None


class Floor:
    """One instrument's orders, counters and past trades.

    Args:
        listing: what is traded here.
        sequence: the counter before the first happening.
        trade_id: the id before the first trade; zero where it never traded.
        new_id: gives the ids of orders.

    Attributes:
        book: the resting orders.
        collecting: whether an opening auction collects orders, so that nothing matches.
        trades: the latest trades, oldest first.
        watcher: is told of everything that is counted, while the book is as that left it.
    """

    def __init__(self, listing: Listing, *, sequence: int, trade_id: int, new_id: Callable[[], str]) -> None:
        self.listing = listing
        self.sequence = sequence
        self.trade_id = trade_id
        self.book = Book()
        self.figures = Figures()
        self.collecting = False
        self.trades: deque[Matched] = deque(maxlen=TRADES_KEPT)
        self.watcher: Callable[[Happening], None] | None = None
        self.new_id = new_id
        self._stops: list[_Stop] = []
        self._arrivals = 0

    @property
    def last_trade(self) -> Matched | None:
        """The latest trade, or ``None`` where there was none."""
        return self.trades[-1] if self.trades else None

    def standing(self) -> Standing:
        """Best prices and rolling figures as they are."""
        bid, ask = self.book.best("buy"), self.book.best("sell")
        day = self.figures.day
        return Standing(
            bid=bid,
            bid_size=ZERO if bid is None else self.book.size_at("buy", bid),
            ask=ask,
            ask_size=ZERO if ask is None else self.book.size_at("sell", ask),
            open_24h=day.open,
            high_24h=day.high,
            low_24h=day.low,
            volume_24h=day.volume,
            volume_30d=self.figures.month.volume,
        )

    @property
    def waiting_stops(self) -> int:
        """How many stop orders wait for their price."""
        return len(self._stops)

    def place(
        self,
        now_ns: int,
        *,
        side: Side,
        trader: str,
        price: Decimal | None = None,
        size: Decimal | None = None,
        funds: Decimal | None = None,
        owner: str | None = None,
        client_id: str | None = None,
    ) -> list[Happening]:
        """Take in an order: a limit order with ``price`` and ``size``, else a market order with size and/or funds.

        Raises:
            ValueError: for a price or size off its step, or not above zero, or a market order in an auction.
        """
        kind: OrderKind = "market" if price is None else "limit"
        self._check(price=price, size=size, funds=funds)
        if kind == "market" and self.collecting:
            raise ValueError("an auction takes limit orders only")
        self._arrivals += 1
        order = Order(
            order_id=self.new_id(), trader=trader, side=side, kind=kind, price=price, size=size,
            remaining=size, funds=funds, owner=owner, client_id=client_id, arrival=self._arrivals,
        )  # fmt: skip
        out: list[Happening] = []
        self._take(now_ns, order, out)
        self._trigger_stops(now_ns, out)
        return out

    def cancel(self, now_ns: int, order_id: str) -> list[Happening]:
        """Take a resting order off the book at its owner's wish."""
        order = self.book.orders[order_id]
        out: list[Happening] = []
        level = self.book.remove(order)
        self._close(now_ns, order, out, reason="canceled", cause="user", levels=(level,))
        return out

    def modify(self, now_ns: int, order_id: str, *, price: Decimal, size: Decimal) -> list[Happening]:
        """Give a resting order a new price and remaining size; it keeps its place only where it just shrinks.

        Raises:
            ValueError: for a price that would trade, or a price or size off its step.
        """
        order = self.book.orders[order_id]
        old_price, old_size = limit_of(order)
        self._check(price=price, size=size, funds=None)
        against = self.book.best(opposite(order.side))
        if against is not None and not self.collecting and _crosses(order.side, price, against):
            raise ValueError(f"an order moved to {price} would trade at once")
        if price == old_price and size <= old_size:
            levels = [self.book.reduce(order, old_size - size)] if size < old_size else []
        else:
            levels = [self.book.remove(order)]
            order.price, order.remaining = price, size
            levels.append(self.book.add(order))
        out: list[Happening] = []
        self._emit(
            out, Changed, now_ns, levels=_final(levels), order_id=order_id, side=order.side, cause="modified",
            old_size=old_size, new_size=size, old_price=old_price, new_price=price, owner=order.owner,
        )  # fmt: skip
        return out

    def place_stop(
        self, now_ns: int, *, side: Side, trader: str, stop_price: Decimal, size: Decimal, owner: str | None
    ) -> list[Happening]:
        """Take in a stop order; a buy waits for the price to rise, a sell for it to fall."""
        self._check(price=stop_price, size=size, funds=None)
        stop = _Stop(
            order_id=self.new_id(), trader=trader, side=side, stop="entry" if side == "buy" else "loss",
            stop_price=stop_price, size=size, owner=owner,
        )  # fmt: skip
        self._stops.append(stop)
        return [
            Activated(
                instrument=self.listing.instrument, time_ns=now_ns, order_id=stop.order_id, side=side,
                stop=stop.stop, stop_price=stop_price, size=size, owner=owner,
            )
        ]  # fmt: skip

    def trade(
        self, now_ns: int, out: list[Happening], *, maker: Order, taker: Order, price: Decimal, size: Decimal,
        levels: tuple[LevelSet, ...],
    ) -> None:  # fmt: skip
        """Record a trade that was made on the book."""
        self.trade_id += 1
        self.figures.add(now_ns, price, size)
        self._emit(
            out, Matched, now_ns, levels=levels, trade_id=self.trade_id, maker_order_id=maker.order_id,
            taker_order_id=taker.order_id, taker_side=taker.side, price=price, size=size, standing=self.standing(),
            maker_owner=maker.owner, taker_owner=taker.owner,
        )  # fmt: skip
        matched = out[-1]
        assert isinstance(matched, Matched)  # noqa: S101  # narrows for the type checker
        self.trades.append(matched)

    def close_filled(self, now_ns: int, order: Order, out: list[Happening], *, resting: bool = True) -> None:
        """Say that nothing remains of an order."""
        self._close(now_ns, order, out, reason="filled", resting=resting)

    def _take(self, now_ns: int, order: Order, out: list[Happening]) -> None:
        self._emit(
            out, Received, now_ns, order_id=order.order_id, side=order.side, kind=order.kind, price=order.price,
            size=order.size, funds=order.funds, client_id=order.client_id, owner=order.owner,
        )  # fmt: skip
        stopped = False if self.collecting else self._match(now_ns, order, out)
        if stopped:
            self._close(now_ns, order, out, reason="canceled", cause="self_trade", resting=False)
        elif order.kind == "limit" and order.remaining:
            level = self.book.add(order)
            price, remaining = limit_of(order)
            self._emit(
                out, Opened, now_ns, levels=(level,), order_id=order.order_id, side=order.side, price=price,
                remaining=remaining, owner=order.owner,
            )  # fmt: skip
        elif order.kind == "market" and self._wants(order, self.book.first(opposite(order.side))):
            self._close(now_ns, order, out, reason="canceled", cause="no_liquidity", resting=False)
        else:
            self.close_filled(now_ns, order, out, resting=False)

    def _wants(self, order: Order, maker: Order | None) -> bool:
        """Whether a market order could not be served: something is left and the other side is empty."""
        return maker is None and bool(order.remaining or (order.size is None and order.funds))

    def _match(self, now_ns: int, order: Order, out: list[Happening]) -> bool:
        """Trade an incoming order as far as it goes; true where self-trade prevention ended it."""
        while (maker := self.book.first(opposite(order.side))) is not None:
            price, maker_size = limit_of(maker)
            if order.price is not None and not _crosses(order.side, order.price, price):
                return False
            wanted = self._lot(order, price)
            if not wanted:
                return False
            if maker.trader == order.trader:
                if self._prevent_self_trade(now_ns, order, maker, wanted, out):
                    return True
                continue
            size = min(wanted, maker_size)
            level = self.book.reduce(maker, size)
            self._spend(order, size, price)
            self.trade(now_ns, out, maker=maker, taker=order, price=price, size=size, levels=(level,))
            if not maker.remaining:
                self.close_filled(now_ns, maker, out)
        return False

    def _lot(self, order: Order, price: Decimal) -> Decimal:
        """How much an incoming order still wants at this price."""
        if order.funds is None:
            return order.remaining or ZERO
        affordable = floor_to(order.funds / price, self.listing.step)
        return affordable if order.remaining is None else min(affordable, order.remaining)

    @staticmethod
    def _spend(order: Order, size: Decimal, price: Decimal) -> None:
        if order.remaining is not None:
            order.remaining -= size
        if order.funds is not None:
            order.funds -= size * price

    def _prevent_self_trade(
        self, now_ns: int, order: Order, maker: Order, wanted: Decimal, out: list[Happening]
    ) -> bool:
        """Decrease the larger of a trader's two orders by the smaller and cancel that; true ends the incoming."""
        price, maker_size = limit_of(maker)
        if wanted < maker_size:
            level = self.book.reduce(maker, wanted)
            self._emit(
                out, Changed, now_ns, levels=(level,), order_id=maker.order_id, side=maker.side,
                cause="self_trade", old_size=maker_size, new_size=maker.remaining, old_price=price,
                new_price=price, owner=maker.owner,
            )  # fmt: skip
            return True
        level = self.book.remove(maker)
        self._close(now_ns, maker, out, reason="canceled", cause="self_trade", levels=(level,))
        if wanted == maker_size:
            return True
        old_size, old_funds = order.remaining, order.funds
        self._spend(order, maker_size, price)
        by_funds = old_size is None
        self._emit(
            out, Changed, now_ns, order_id=order.order_id, side=order.side, cause="self_trade", resting=False,
            old_size=old_size, new_size=order.remaining, old_funds=old_funds if by_funds else None,
            new_funds=order.funds if by_funds else None, old_price=order.price, new_price=order.price,
            owner=order.owner,
        )  # fmt: skip
        return False

    def _trigger_stops(self, now_ns: int, out: list[Happening]) -> None:
        """Send in the stop orders whose price has traded, until none is left that has."""
        while (last := self.last_trade) is not None:
            due = [stop for stop in self._stops if _reached(stop.stop, stop.stop_price, last.price)]
            if not due or self.collecting:
                return
            stop = due[0]
            self._stops.remove(stop)
            self._arrivals += 1
            order = Order(
                order_id=stop.order_id, trader=stop.trader, side=stop.side, kind="market", size=stop.size,
                remaining=stop.size, owner=stop.owner, arrival=self._arrivals,
            )  # fmt: skip
            self._take(now_ns, order, out)

    def _close(
        self, now_ns: int, order: Order, out: list[Happening], *, reason: Literal["filled", "canceled"],
        cause: Literal["", "user", "self_trade", "no_liquidity"] = "", resting: bool = True,
        levels: tuple[LevelSet, ...] = (),
    ) -> None:  # fmt: skip
        says_remaining = order.kind == "limit" or (order.size is not None and order.funds is not None)
        self._emit(
            out, Closed, now_ns, levels=levels, order_id=order.order_id, side=order.side, reason=reason,
            price=order.price, remaining=order.remaining if says_remaining else None, resting=resting,
            cause=cause, owner=order.owner,
        )  # fmt: skip

    def _emit(self, out: list[Happening], form: type[Happening], now_ns: int, /, **fields: Any) -> None:
        self.sequence += 1
        out.append(form(instrument=self.listing.instrument, time_ns=now_ns, sequence=self.sequence, **fields))
        if self.watcher is not None:
            self.watcher(out[-1])

    def _check(self, *, price: Decimal | None, size: Decimal | None, funds: Decimal | None) -> None:
        for name, value, step in (("price", price, self.listing.tick), ("size", size, self.listing.step)):
            if value is not None and (value <= 0 or value % step):
                raise ValueError(f"{name} {value} is not a positive multiple of {step}")
        if size is None and funds is None:
            raise ValueError("an order has a size or funds")
        if funds is not None and (funds <= 0 or price is not None):
            raise ValueError("funds are positive and belong to market orders")


def _crosses(side: Side, price: Decimal, against: Decimal) -> bool:
    """Whether an order of this side and limit trades with a resting price."""
    return price >= against if side == "buy" else price <= against


def _reached(stop: Literal["entry", "loss"], stop_price: Decimal, last: Decimal) -> bool:
    """Whether the last price sets off a stop."""
    return last >= stop_price if stop == "entry" else last <= stop_price


def _final(levels: list[LevelSet]) -> tuple[LevelSet, ...]:
    """One entry per level, the last one said of it."""
    return tuple({(level.side, level.price): level for level in levels}.values())
