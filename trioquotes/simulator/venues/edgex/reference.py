"""The prices that are not traded: index, oracle and mark, and the funding rate that follows from them; pure.

*Source:* edgeX documentation, pages funding fee and funding API, for what a rate is made of.
"""

from __future__ import annotations

import random
from decimal import Decimal

import attrs

from trioquotes.simulator.book import ZERO, Book
from trioquotes.simulator.happenings import Side
from trioquotes.simulator.venues.edgex.listings import Contract
from trioquotes.simulator.venues.edgex.texts import EXACT

__all__ = ["Funding", "Reference"]

MINUTE_NS = 60 * 10**9

INTEREST_RATE = Decimal("0.0003")
RATE_BAND = Decimal("0.0005")
"""The rate is the average premium plus the interest's distance to it, held within this band."""

IMPACT_NOTIONAL = Decimal(500)
FULL_INTERVAL_MIN = 480
"""The interest rate is for eight hours."""


@attrs.frozen(kw_only=True)
class Funding:
    """The funding of a contract at one moment; times are Unix nanoseconds.

    Attributes:
        time_ns: of the last settlement; ``next_ns`` of the coming one.
        stamp_ns: when this was worked out.
        rate: per settlement, a fraction of the position's value; longs pay a positive one.
    """

    time_ns: int
    next_ns: int
    stamp_ns: int
    rate: Decimal
    previous_rate: Decimal
    previous_stamp_ns: int
    premium: Decimal
    average_premium: Decimal
    impact_bid: Decimal
    impact_ask: Decimal
    predicted: Decimal
    settled: bool = False


class Reference:
    """The index and what follows from it.

    Args:
        contract: of which.
        rng: the source of chance.
        oracle_digits: decimals of the oracle's price.
        interval_min: minutes between settlements.
        now_ns: the time at the start.

    Attributes:
        index: price on other venues.
        oracle: the same as the oracles see it; also the mark price, as recorded.
        open_interest: in base coin.
        funding: as last worked out.
    """

    def __init__(
        self, contract: Contract, rng: random.Random, *, oracle_digits: int, interval_min: int, now_ns: int
    ) -> None:
        self._contract = contract
        self._rng = rng
        self._digits = oracle_digits
        self._interval_min = interval_min
        self._premiums: list[Decimal] = []
        self.index = contract.reference
        self.oracle = contract.reference
        self.open_interest = contract.lot * rng.randint(10_000, 20_000)
        self.move(None)
        rate = Decimal(rng.randint(-6000, 6000)).scaleb(-8)
        last_ns = now_ns - now_ns % (interval_min * MINUTE_NS)
        self.funding = Funding(
            time_ns=last_ns, next_ns=last_ns + interval_min * MINUTE_NS, stamp_ns=now_ns - now_ns % MINUTE_NS,
            rate=rate, previous_rate=rate, previous_stamp_ns=last_ns - MINUTE_NS, premium=ZERO, average_premium=ZERO,
            impact_bid=self.index, impact_ask=self.index, predicted=rate,
        )  # fmt: skip

    def move(self, mid: Decimal | None) -> None:
        """A second passes; the index follows the contract's own price where it has one."""
        noise = self._contract.tick * self._rng.randint(-(10**6), 10**6) / 10**6
        pull = ZERO if mid is None else (mid - self.index) / 8
        moved = max(self.index + pull + noise, self._contract.tick)
        self.index = EXACT.quantize(moved, Decimal("1e-10"))
        fraction = Decimal(self._rng.randrange(10**self._digits)).scaleb(-self._digits)
        tail = EXACT.multiply(fraction, self._contract.tick)
        self.oracle = EXACT.quantize(EXACT.add(self.index, tail), Decimal(1).scaleb(-self._digits))

    def work_out(self, book: Book, now_ns: int) -> bool:
        """A minute passes: take the premium and work out the rate; true where a settlement is due."""
        last = self.funding
        bid, ask = self._impact(book, "buy"), self._impact(book, "sell")
        premium = (max(ZERO, bid - self.index) - max(ZERO, self.index - ask)) / self.index
        self._premiums.append(premium)
        average = sum(self._premiums, ZERO) / len(self._premiums)
        predicted = average + min(max(INTEREST_RATE - average, -RATE_BAND), RATE_BAND)
        predicted = (predicted * self._interval_min / FULL_INTERVAL_MIN).quantize(Decimal("1e-8"))
        settled = now_ns >= last.next_ns
        time_ns = now_ns - now_ns % (self._interval_min * MINUTE_NS) if settled else last.time_ns
        if settled:
            self._premiums.clear()
        self.funding = Funding(
            time_ns=time_ns, next_ns=time_ns + self._interval_min * MINUTE_NS, stamp_ns=now_ns,
            rate=predicted if settled else last.rate, previous_rate=last.rate, previous_stamp_ns=last.stamp_ns,
            premium=premium, average_premium=average, impact_bid=bid, impact_ask=ask, predicted=predicted,
            settled=settled,
        )  # fmt: skip
        return settled

    def _impact(self, book: Book, side: Side) -> Decimal:
        """The mean price at which the impact notional would trade; the index where the side is empty."""
        left, size_taken, paid = IMPACT_NOTIONAL, ZERO, ZERO
        for price, size, _ in book.levels(side)[:10]:
            taken = min(size, left / price)
            size_taken, paid, left = size_taken + taken, paid + taken * price, left - taken * price
            if left <= 0:
                break
        return (paid / size_taken).quantize(self._contract.tick) if size_taken else self.index
