"""One account's position in one contract, as fills and fundings move it; pure.

Signs are the venue's: what is sold has a negative size and value, what is paid is negative.
*Source:* edgeX documentation, account API, getPositionByContractId and getPositionTransactionPage.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from trioquotes.simulator.book import ZERO
from trioquotes.simulator.happenings import Matched, Side, opposite

__all__ = ["Fill", "Moved", "Position", "Stat"]

TAKER_FEE = Decimal("0.00038")
MAKER_FEE = Decimal("0.00015")
"""Fractions of what is traded."""

CENT = Decimal("1e-6")
"""Values are kept to six decimals."""


@attrs.define
class Stat:
    """Sums over one holding, or over all holdings of a direction."""

    open_size: Decimal = ZERO
    open_value: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_size: Decimal = ZERO
    close_value: Decimal = ZERO
    close_fee: Decimal = ZERO
    funding_fee: Decimal = ZERO


@attrs.define
class _Direction:
    count: int = 0
    term: Stat = attrs.field(factory=Stat)
    total: Stat = attrs.field(factory=Stat)
    created_ns: int = 0
    updated_ns: int = 0


@attrs.frozen(kw_only=True)
class Fill:
    """A part of an order that traded; ``size``, ``value`` and ``fee`` are above zero."""

    time_ns: int
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal

    @classmethod
    def of(cls, trade: Matched, *, is_maker: bool) -> Fill:
        """One of the two sides of a trade."""
        side = opposite(trade.taker_side) if is_maker else trade.taker_side
        fee = (trade.price * trade.size * (MAKER_FEE if is_maker else TAKER_FEE)).quantize(CENT)
        return cls(time_ns=trade.time_ns, side=side, price=trade.price, size=trade.size, fee=fee)

    @property
    def value(self) -> Decimal:
        """What was paid or received, without the fee."""
        return (self.price * self.size).quantize(CENT)


@attrs.frozen(kw_only=True)
class Moved:
    """What a fill did to a position; sizes and values are signed.

    Attributes:
        before_size: and ``before_value``: of the position before it.
        realized: profit of what was closed, less the fee.
    """

    before_size: Decimal
    before_value: Decimal
    closed_size: Decimal
    closed_value: Decimal
    opened_size: Decimal
    opened_value: Decimal
    delta_value: Decimal
    realized: Decimal


@attrs.define(kw_only=True)
class Position:
    """What an account holds of one contract.

    Attributes:
        size: above zero for a long position, below for a short one.
        value: at which it was opened, with the sign of the size.
        open_fee: paid for opening it; ``funding_fee`` received (or, negative, paid) since.
    """

    contract_id: str
    size: Decimal = ZERO
    value: Decimal = ZERO
    open_fee: Decimal = ZERO
    funding_fee: Decimal = ZERO
    long: _Direction = attrs.field(factory=_Direction)
    short: _Direction = attrs.field(factory=_Direction)
    created_ns: int = 0
    updated_ns: int = 0

    def fill(self, fill: Fill) -> Moved:
        """Close first, then open with what is left."""
        sign = 1 if fill.side == "buy" else -1
        before_size, before_value = self.size, self.value
        closing = min(fill.size, abs(self.size)) if self.size * sign < 0 else ZERO
        closed_value = (fill.value * closing / fill.size).quantize(CENT)
        close_fee = (fill.fee * closing / fill.size).quantize(CENT)
        profit = ZERO
        self.created_ns = self.created_ns or fill.time_ns
        self.updated_ns = fill.time_ns
        if closing:
            released = self._close(closing, sign * closing, sign * closed_value, close_fee, fill.time_ns)
            profit = released - sign * closed_value
        opening = fill.size - closing
        opened_value = fill.value - closed_value
        if opening:
            self._open(sign * opening, sign * opened_value, fill.fee - close_fee, fill.time_ns)
        return Moved(
            before_size=before_size, before_value=before_value, closed_size=sign * closing,
            closed_value=sign * closed_value, opened_size=sign * opening, opened_value=sign * opened_value,
            delta_value=self.value - before_value, realized=profit - fill.fee,
        )  # fmt: skip

    def fund(self, amount: Decimal, time_ns: int) -> None:
        """Receive a funding, or pay it where negative."""
        self.funding_fee += amount
        direction = self._direction(self.size)
        for stat in (direction.term, direction.total):
            stat.funding_fee += amount
        direction.updated_ns = self.updated_ns = time_ns

    def _direction(self, size: Decimal) -> _Direction:
        return self.long if size > 0 else self.short

    def _close(
        self, closing: Decimal, signed: Decimal, value: Decimal, fee: Decimal, time_ns: int
    ) -> Decimal:
        """Take some off; returns what it changes the opening value by."""
        direction = self._direction(self.size)
        share = closing / abs(self.size)
        released = -self.value if share == 1 else -(self.value * share).quantize(CENT)
        self.open_fee -= self.open_fee if share == 1 else (self.open_fee * share).quantize(CENT)
        self.size += signed
        self.value += released
        for stat in (direction.term, direction.total):
            stat.close_size += signed
            stat.close_value += value
            stat.close_fee -= fee
        direction.updated_ns = time_ns
        if not self.size:
            self.funding_fee = ZERO
        return released

    def _open(self, size: Decimal, value: Decimal, fee: Decimal, time_ns: int) -> None:
        """Add some; from nothing it is a new holding."""
        direction = self._direction(size)
        if not self.size:
            direction.count += 1
            direction.term = Stat()
            direction.created_ns = time_ns
        self.size += size
        self.value += value
        self.open_fee -= fee
        for stat in (direction.term, direction.total):
            stat.open_size += size
            stat.open_value += value
            stat.open_fee -= fee
        direction.updated_ns = time_ns
