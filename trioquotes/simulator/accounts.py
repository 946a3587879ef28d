"""What the owners known to a venue have and hold, derived from what happens on the market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import attrs

from trioquotes.simulator.book import ZERO
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import (
    BalanceMoved,
    Changed,
    Closed,
    Happening,
    Matched,
    Received,
    Side,
    opposite,
)

__all__ = ["Accounts"]

TAKER_FEE = Decimal("0.005")
MAKER_FEE = Decimal("0.003")
"""Fractions of the notional, paid in the quote currency."""


@attrs.define
class _Hold:
    owner: str
    side: Side
    price: Decimal | None
    remaining: Decimal | None
    funds: Decimal | None

    def amount(self) -> Decimal:
        if self.side == "sell":
            return self.remaining or ZERO
        if self.price is not None:
            return self.price * (self.remaining or ZERO)
        return self.funds or ZERO


class Accounts:
    """Totals per owner and currency, and what each open order holds of them.

    Args:
        listings: the instruments traded, for their two currencies.
        owners: whose accounts are kept.
        start: what every owner has at the start, by currency; other currencies start with nothing.
    """

    def __init__(
        self, listings: Sequence[Listing], owners: Iterable[str], start: Mapping[str, Decimal]
    ) -> None:
        self._pairs = {listing.instrument: (listing.base, listing.quote) for listing in listings}
        currencies = sorted({currency for pair in self._pairs.values() for currency in pair})
        self.totals = {(owner, name): start.get(name, ZERO) for owner in owners for name in currencies}
        self._orders: dict[str, tuple[str, _Hold]] = {}

    def held(self, owner: str, currency: str) -> Decimal:
        """What the owner's open orders hold of a currency."""
        return sum(
            (
                hold.amount()
                for instrument, hold in self._orders.values()
                if hold.owner == owner and self._held_currency(instrument, hold.side) == currency
            ),
            ZERO,
        )

    def available(self, owner: str, currency: str) -> Decimal:
        """What the owner is free to use."""
        return self.totals[owner, currency] - self.held(owner, currency)

    def apply(self, happening: Happening) -> list[BalanceMoved]:
        """Follow one happening; say which accounts it moved."""
        touched = self._follow(happening)
        return [
            BalanceMoved(
                instrument="", time_ns=happening.time_ns, owner=owner, currency=currency,
                available=self.available(owner, currency), held=self.held(owner, currency),
            )
            for owner, currency in touched
        ]  # fmt: skip

    def _follow(self, happening: Happening) -> list[tuple[str, str]]:
        match happening:
            case Received(owner=str() as owner):
                hold = _Hold(owner, happening.side, happening.price, happening.size, happening.funds)
                self._orders[happening.order_id] = (happening.instrument, hold)
                return [(owner, self._held_currency(happening.instrument, happening.side))]
            case Matched():
                return self._settle(happening)
            case Changed(owner=str() as owner):
                _, hold = self._orders[happening.order_id]
                hold.price, hold.remaining = happening.new_price, happening.new_size
                hold.funds = happening.new_funds
                return [(owner, self._held_currency(happening.instrument, happening.side))]
            case Closed(owner=str() as owner):
                del self._orders[happening.order_id]
                return [(owner, self._held_currency(happening.instrument, happening.side))]
            case _:
                return []

    def _settle(self, trade: Matched) -> list[tuple[str, str]]:
        base, quote = self._pairs[trade.instrument]
        touched: list[tuple[str, str]] = []
        parties: tuple[tuple[str | None, str, Side, Decimal], ...] = (
            (trade.maker_owner, trade.maker_order_id, opposite(trade.taker_side), MAKER_FEE),
            (trade.taker_owner, trade.taker_order_id, trade.taker_side, TAKER_FEE),
        )
        notional = trade.price * trade.size
        for owner, order_id, side, fee in parties:
            if owner is None:
                continue
            sign = 1 if side == "buy" else -1
            self.totals[owner, base] += sign * trade.size
            self.totals[owner, quote] -= sign * notional + fee * notional
            _, hold = self._orders[order_id]
            if hold.remaining is not None:
                hold.remaining -= trade.size
            if hold.funds is not None:
                hold.funds -= notional
            touched += [(owner, base), (owner, quote)]
        return touched

    def _held_currency(self, instrument: str, side: Side) -> str:
        base, quote = self._pairs[instrument]
        return quote if side == "buy" else base
