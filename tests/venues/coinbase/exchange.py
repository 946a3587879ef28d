"""A naive Coinbase: one matching engine a product, and what each channel and REST say of it, as plain dicts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from tests.venues.coinbase.feed import TIME, compact

__all__ = ["Product", "State", "Told"]

ZEROS = ("0", "0.00", "0.00000000")

Resting = tuple[Decimal, Decimal, str]


class State(NamedTuple):
    """The book after a message.

    Attributes:
        orders: side, price and size by order id.
        bids: every order, best first, then in the order in which they trade.
        asks: the same.
        bid_levels: the size at each price, kept by adding and taking away.
        ask_levels: the same.
    """

    orders: dict[str, tuple[str, Decimal, Decimal]]
    bids: list[Resting]
    asks: list[Resting]
    bid_levels: dict[Decimal, Decimal]
    ask_levels: dict[Decimal, Decimal]


class Told(NamedTuple):
    """One message about orders: as ``full`` tells it and as ``level3`` does."""

    sequence: int | None
    full: dict[str, Any]
    level3: tuple[str, ...] | None


class Product:
    """One product: orders match by price, then by time."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self._rng = rng
        self.sequence = rng.randrange(10, 1000)
        self.orders: dict[
            str, tuple[str, Decimal, Decimal]
        ] = {}  # at one price in the order in which they trade
        self.levels: dict[str, dict[Decimal, Decimal]] = {"buy": {}, "sell": {}}
        self.states: dict[int, State] = {}
        self._made = 0
        self._trades = 0
        self._touched: dict[tuple[str, Decimal], None] = {}
        self._note()
        for _ in range(rng.randrange(6)):
            self._place()
        self._touched.clear()

    # What may happen.

    def act(self) -> list[Told]:
        """Something happens; the messages that tell of it."""
        acts = [
            self._place,
            self._place,
            self._place,
            self._take,
            self._cancel,
            self._stp,
            self._modify,
            self._ghost,
        ]
        return self._rng.choice(acts)()

    def _place(self) -> list[Told]:
        side = self._rng.choice(("buy", "sell"))
        price, size = self._price(side), self._size()
        own = self._id()
        return [self._received(own, side, price, size), self._open(own, side, price, size)]

    def _take(self) -> list[Told]:
        """A market order, or a limit order of which the rest is put on the book."""
        side, other = self._rng.choice((("buy", "sell"), ("sell", "buy")))
        own, left = self._id(), self._size() * 2
        told = [self._received(own, side, None, left)]
        limit = self._rng.random() < 0.5
        worst: Decimal | None = None
        while left and (best := self._best(other)) is not None:
            maker, price, resting = best
            if limit and worst is not None and price != worst:
                break
            worst = price
            size = min(left, resting)
            left -= size
            told.append(self._match(maker, own, other, price, size))
            if size == resting:
                told.append(self._done(maker, other, price, "filled"))
        if limit and left and worst is not None and self._best(other) is not None:
            told.append(self._open(own, side, worst, left))
        else:
            told.append(self._done(own, side, None, "canceled" if left else "filled"))
        return told

    def _cancel(self) -> list[Told]:
        own = self._any()
        if own is None:
            return self._ghost()
        side, price, _ = self.orders[own]
        return [self._done(own, side, price, "canceled")]

    def _stp(self) -> list[Told]:
        """Self-trade prevention takes a part of an order."""
        own = self._any()
        if own is None or self.orders[own][2] <= Decimal("0.5"):
            return self._ghost()
        side, price, size = self.orders[own]
        less = size - Decimal("0.5")
        fields = {"reason": "STP", "price": self._text(price), "old_size": str(size), "new_size": str(less)}
        if self._rng.random() < 0.3:
            del fields["reason"]
        return [self._change(own, side, price, less, fields)]

    def _modify(self) -> list[Told]:
        """Its owner gives an order another size, or another price, or both."""
        own = self._any()
        if own is None:
            return self._ghost()
        side, price, size = self.orders[own]
        new_price = price if self._rng.random() < 0.4 else self._price(side)
        new_size = self._rng.choice((size, self._size()))
        fields = {
            "reason": "modify_order",
            "old_price": self._text(price),
            "new_price": self._text(new_price),
            "old_size": str(size),
            "new_size": str(new_size),
        }
        return [self._change(own, side, new_price, new_size, fields)]

    def _ghost(self) -> list[Told]:
        """Something of an order that is not on the book."""
        own, side, what = self._id(), self._rng.choice(("buy", "sell")), self._rng.randrange(5)
        if what == 0:
            return [self._received(own, side, None, Decimal(1))]
        if what == 1:
            return [self._done(own, side, None, "canceled")]
        if what == 2:
            return [self._done(own, side, self._price(side), "filled")]
        if what == 3:
            fields: dict[str, Any] = {"reason": "STP", "price": None, "old_funds": "9", "new_funds": "8.5"}
            return [self._say("change", {"order_id": own, "side": side} | fields, None)]
        return [self._change(own, side, self._price(side), Decimal(1), {"old_size": "2", "new_size": "1"})]

    def activate(self) -> Told:
        """A stop order, which has no number and is not told in ``level3``."""
        fields = {"type": "activate", "product_id": self.name, "timestamp": "1483736448.299000"}
        return Told(None, fields | {"order_id": self._id(), "side": "buy", "stop_type": "entry"}, None)

    # What is told.

    def _received(self, own: str, side: str, price: Decimal | None, size: Decimal) -> Told:
        limit = {"order_type": "market"} if price is None else {"order_type": "limit", "price": str(price)}
        return self._say("received", {"order_id": own, "side": side, "size": str(size)} | limit, None)

    def _open(self, own: str, side: str, price: Decimal, size: Decimal) -> Told:
        self.orders[own] = (side, price, size)
        self._add(side, price, size)
        text = self._text(price)
        fields = {"order_id": own, "side": side, "price": text, "remaining_size": str(size)}
        return self._say("open", fields, (own, side, text, str(size)))

    def _match(self, maker: str, taker: str, side: str, price: Decimal, size: Decimal) -> Told:
        left = self.orders[maker][2] - size
        if left:
            self.orders[maker] = (side, price, left)
        else:
            del self.orders[maker]
        self._add(side, price, -size)
        self._trades += 1
        text = self._text(price)
        fields = {"trade_id": self._trades, "maker_order_id": maker, "taker_order_id": taker, "side": side}
        return self._say(
            "match", fields | {"size": str(size), "price": text}, (maker, taker, text, str(size))
        )

    def _done(self, own: str, side: str, price: Decimal | None, reason: str) -> Told:
        gone = self.orders.pop(own, None)
        if gone is not None:
            self._add(gone[0], gone[1], -gone[2])
        fields = {"order_id": own, "side": side, "reason": reason}
        said = {} if price is None else {"price": self._text(price), "remaining_size": "0"}
        return self._say("done", fields | said, (own,))

    def _change(self, own: str, side: str, price: Decimal, size: Decimal, fields: dict[str, Any]) -> Told:
        before = self.orders.get(own)
        if before is not None:
            self._add(side, before[1], -before[2])
            self._add(side, price, size)
            if price != before[1] or size > before[2]:
                del self.orders[own]  # it waits anew, behind the others
            self.orders[own] = (side, price, size)
        array = (own, self._text(price), str(size))
        return self._say("change", {"order_id": own, "side": side} | fields, array)

    def _say(self, kind: str, fields: dict[str, Any], array: Sequence[str] | None) -> Told:
        self.sequence += 1
        self._note()
        head = {"type": kind, "product_id": self.name, "sequence": self.sequence, "time": TIME}
        named = ("noop",) if array is None else (kind,)
        level3 = (*named, self.name, str(self.sequence), *(array or ()), TIME)
        return Told(self.sequence, head | fields, level3)

    # What REST and the channels by price say.

    def book(self, sequence: int, level: int = 3) -> bytes:
        """The answer of REST as of that number."""
        state = self.states[sequence]
        if level == 3:
            sides: dict[str, Any] = {
                "bids": [[str(price), str(size), own] for price, size, own in state.bids],
                "asks": [[str(price), str(size), own] for price, size, own in state.asks],
            }
        else:
            sides = {
                "bids": [[str(p), str(s), 1] for p, s in sorted(state.bid_levels.items(), reverse=True)],
                "asks": [[str(p), str(s), 1] for p, s in sorted(state.ask_levels.items())],
            }
        return compact(
            {"sequence": sequence, "time": TIME, "auction_mode": False, "auction": None} | sides
        ).encode()

    def snapshot(self) -> dict[str, Any]:
        """The whole book by price; whatever was to be told of it is in it."""
        self._touched.clear()
        sides = {
            name: [
                [self._text(price), str(size)]
                for price, size in sorted(levels.items(), reverse=name == "bids")
            ]
            for name, levels in (("bids", self.levels["buy"]), ("asks", self.levels["sell"]))
        }
        return {"type": "snapshot", "product_id": self.name} | sides

    def update(self) -> dict[str, Any] | None:
        """What changed since it was told last, by price."""
        changes = [
            [
                side,
                self._text(price),
                str(size) if (size := self.levels[side].get(price)) else self._rng.choice(ZEROS),
            ]
            for side, price in self._touched
        ]
        self._touched.clear()
        return (
            {"type": "l2update", "product_id": self.name, "changes": changes, "time": TIME}
            if changes
            else None
        )

    @property
    def state(self) -> State:
        """The book now."""
        return self.states[self.sequence]

    # Bookkeeping.

    def _add(self, side: str, price: Decimal, size: Decimal) -> None:
        levels = self.levels[side]
        total = levels.get(price, Decimal(0)) + size
        if total:
            levels[price] = total
        else:
            del levels[price]
        self._touched[side, price] = None

    def _note(self) -> None:
        sides: dict[str, list[Resting]] = {"buy": [], "sell": []}
        for own, (side, price, size) in self.orders.items():
            sides[side].append((price, size, own))
        self.states[self.sequence] = State(
            {
                own: ("bid" if side == "buy" else "ask", price, size)
                for own, (side, price, size) in self.orders.items()
            },
            sorted(sides["buy"], key=lambda order: -order[0]),
            sorted(sides["sell"], key=lambda order: order[0]),
            dict(self.levels["buy"]),
            dict(self.levels["sell"]),
        )

    def _best(self, side: str) -> tuple[str, Decimal, Decimal] | None:
        listed = self.state.bids if side == "buy" else self.state.asks
        if not listed:
            return None
        price, size, own = listed[0]
        return own, price, size

    def _price(self, side: str) -> Decimal:
        """One at which the order does not trade."""
        if side == "buy":
            top = min(self.levels["sell"], default=Decimal(105)) - 1
            return top - self._rng.randrange(5)
        return max(self.levels["buy"], default=Decimal(95)) + 1 + self._rng.randrange(5)

    def _size(self) -> Decimal:
        return Decimal(self._rng.randrange(1, 7)) / 2

    def _any(self) -> str | None:
        return self._rng.choice([*self.orders]) if self.orders else None

    def _id(self) -> str:
        self._made += 1
        return f"{self.name}-{self._made}"

    def _text(self, price: Decimal) -> str:
        """The venue spells one price with more or fewer digits."""
        return self._rng.choice((str(price), f"{price}.00"))
