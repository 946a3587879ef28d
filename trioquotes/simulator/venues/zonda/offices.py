"""What the venue tells its clients of their own orders, stop orders, trades and balances; pure.

*Source:* docs.zondacrypto.exchange/reference, pages active-orders-ws, active-stop-orders-1,
transactions-history-ws and available-funds-ws. An amount that is received or locked is in the first currency of
the market for one side and in the second for the other.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from trioquotes.simulator.accounts import MAKER_FEE, TAKER_FEE
from trioquotes.simulator.book import ZERO, Order, limit_of
from trioquotes.simulator.floor import Listing
from trioquotes.simulator.happenings import (
    Activated,
    BalanceMoved,
    Changed,
    Closed,
    Happening,
    Matched,
    Opened,
    Received,
    Side,
    opposite,
)
from trioquotes.simulator.venues.zonda.frames import NAMES, transaction
from trioquotes.simulator.venues.zonda.listings import FIAT, Account, balance_id
from trioquotes.simulator.venues.zonda.texts import bare, ms, places, plain, trade_uuid

__all__ = ["Offices", "Told"]

HISTORY_KEPT = 10_000
"""How many trades of each client stay readable."""


@attrs.frozen
class Told:
    """A message to a client.

    Attributes:
        owner: the account's name.
        channel: without market.
        market: its code; ``None`` for balances.
        time_ns: of the envelope.
    """

    owner: str
    channel: str
    market: str | None
    message: Any
    time_ns: int


@attrs.define
class _Offer:
    """An order as its owner is told of it; it is active once it rests."""

    order_id: str
    account: Account
    listing: Listing
    side: Side
    rate: Decimal | None
    start: Decimal | None
    time_ns: int
    remaining: Decimal = ZERO
    received: Decimal = ZERO
    active: bool = False

    def fields(self) -> dict[str, Any]:
        """What pushes and snapshots have in common."""
        rate = self.rate or ZERO
        return {
            "market": self.listing.instrument, "offerType": NAMES[self.side], "id": self.order_id,
            "currentAmount": plain(self.remaining), "lockedAmount": self._locked(rate), "rate": plain(rate),
            "startAmount": plain(self.start or self.remaining), "time": ms(self.time_ns), "postOnly": False,
            "hidden": False,
        }  # fmt: skip

    def _locked(self, rate: Decimal) -> str:
        """A buyer's money has at least two decimals, as documented."""
        if self.side == "sell":
            return plain(self.remaining)
        money = self.remaining * rate
        return format(money, f".{max(places(money), 2)}f")

    def received_text(self) -> str:
        return plain(self.received) if self.received else "0.0"


@attrs.frozen
class _Stop:
    """A stop order; it has another id than the order that it becomes."""

    order_id: str
    account: Account
    listing: Listing
    side: Side
    stop_rate: Decimal
    amount: Decimal
    time_ns: int

    @property
    def stop_id(self) -> str:
        return _derived(self.order_id, "stop")

    def state(self, status: str) -> dict[str, Any]:
        return {
            "id": self.stop_id, "operationId": _derived(self.order_id, "operation"),
            "userId": self.account.user_id, "market": self.listing.instrument, "amount": plain(self.amount),
            "rate": None, "stopRate": plain(self.stop_rate), "status": status, "offerType": NAMES[self.side],
            "mode": "stop-market", "balances": _balances(self.account, self.listing),
            "createdAt": ms(self.time_ns), "flags": [],
        }  # fmt: skip


class Offices:
    """The orders, trades and wallets of the known clients.

    Args:
        accounts: by name on the market.
        listings: by market code.
    """

    def __init__(self, accounts: Mapping[str, Account], listings: Mapping[str, Listing]) -> None:
        self._accounts = accounts
        self._listings = listings
        self._offers: dict[str, _Offer] = {}
        self._stops: dict[str, _Stop] = {}
        self._history: dict[str, deque[dict[str, Any]]] = {
            name: deque(maxlen=HISTORY_KEPT) for name in accounts
        }

    def adopt(self, order: Order, market: str, now_ns: int) -> None:
        """Take note of an order that rests since before the venue opened."""
        if order.owner is None:
            return
        rate, remaining = limit_of(order)
        filled = (order.size or remaining) - remaining
        self._offers[order.order_id] = _Offer(
            order.order_id, self._accounts[order.owner], self._listings[market], order.side, rate, order.size,
            now_ns, remaining, filled if order.side == "buy" else filled * rate, active=True,
        )  # fmt: skip

    # Pushes -----------------------------------------------------------------------------------------

    def follow(self, happening: Happening) -> list[Told]:
        """Take note of what happened; returns what is told to whom."""
        match happening:
            case Received(owner=str() as owner):
                return self._received(happening, self._accounts[owner])
            case Opened(owner=str()):
                offer = self._offers[happening.order_id]
                offer.active, offer.remaining = True, happening.remaining
                return [self._updated(offer, happening.time_ns)]
            case Matched():
                return self._matched(happening)
            case Changed(owner=str()):
                return self._changed(happening)
            case Closed(owner=str()):
                return self._closed(happening)
            case Activated(owner=str() as owner):
                self._stops[happening.order_id] = _Stop(
                    happening.order_id, self._accounts[owner], self._listings[happening.instrument],
                    happening.side, happening.stop_price, happening.size, happening.time_ns,
                )  # fmt: skip
                return []
            case BalanceMoved():
                account = self._accounts[happening.owner]
                message = _funds(account, happening.currency, happening.available, happening.held)
                return [Told(account.name, "updatefunds", None, message, happening.time_ns)]
            case _:
                return []

    def _received(self, order: Received, account: Account) -> list[Told]:
        self._offers[order.order_id] = _Offer(
            order.order_id, account, self._listings[order.instrument], order.side, order.price, order.size,
            order.time_ns, order.size or ZERO,
        )  # fmt: skip
        stop = self._stops.pop(order.order_id, None)
        if stop is None:
            return []
        message = {
            "action": "accepted", "exchangeOfferId": order.order_id, "state": stop.state("accepted"),
        }  # fmt: skip
        return [Told(account.name, "stop/offers", order.instrument, message, order.time_ns)]

    def _updated(self, offer: _Offer, time_ns: int) -> Told:
        state = {
            **offer.fields(), "mode": "Limit", "receivedAmount": offer.received_text(),
            "balances": _balances(offer.account, offer.listing),
        }  # fmt: skip
        return self._told(offer, "update", time_ns, {"state": state})

    @staticmethod
    def _told(offer: _Offer, action: str, time_ns: int, state: Mapping[str, Any]) -> Told:
        market = offer.listing.instrument
        message = {
            "entryType": NAMES[offer.side], "rate": plain(offer.rate or ZERO), "action": action,
            "offerId": offer.order_id, "market": market, **state, "timestamp": ms(time_ns),
        }  # fmt: skip
        return Told(offer.account.name, "offers", market, message, time_ns)

    def _matched(self, trade: Matched) -> list[Told]:
        out: list[Told] = []
        parties: tuple[tuple[str | None, str, Side, Decimal], ...] = (
            (trade.maker_owner, trade.maker_order_id, opposite(trade.taker_side), MAKER_FEE),
            (trade.taker_owner, trade.taker_order_id, trade.taker_side, TAKER_FEE),
        )
        for owner, order_id, side, fee in parties:
            if owner is None:
                continue
            offer = self._offers[order_id]
            notional = trade.price * trade.size
            offer.remaining = max(offer.remaining - trade.size, ZERO)
            offer.received += trade.size if side == "buy" else notional
            if offer.active and offer.remaining:
                out.append(self._updated(offer, trade.time_ns))
            self._history[owner].append(
                {
                    "id": trade_uuid(trade.instrument, trade.trade_id, trade.time_ns), "market": trade.instrument,
                    "time": ms(trade.time_ns), "amount": plain(trade.size), "rate": plain(trade.price),
                    "initializedBy": NAMES[trade.taker_side], "wasTaker": side == trade.taker_side,
                    "userAction": NAMES[side], "offerId": order_id, "commissionValue": plain(fee * notional),
                }
            )  # fmt: skip
            message = {"transactions": [transaction(trade)]}
            out.append(Told(owner, "history/transactions", trade.instrument, message, trade.time_ns))
        return out

    def _changed(self, change: Changed) -> list[Told]:
        offer = self._offers[change.order_id]
        offer.remaining = change.new_size or ZERO
        offer.rate = change.new_price
        if change.cause == "modified":
            offer.start = change.new_size
        return [self._updated(offer, change.time_ns)] if offer.active and offer.remaining else []

    def _closed(self, closed: Closed) -> list[Told]:
        offer = self._offers.pop(closed.order_id)
        return [self._told(offer, "remove", closed.time_ns, {})] if offer.active else []

    def reject_stop(
        self, owner: str, market: str, *, side: Side, stop_rate: Decimal, amount: Decimal, now_ns: int
    ) -> Told:
        """A stop order whose order was refused for want of funds."""
        order_id = _derived(f"{owner}/{market}/{now_ns}", "refused")
        account, listing = self._accounts[owner], self._listings[market]
        stop = _Stop(order_id, account, listing, side, stop_rate, amount, now_ns)
        message = {
            "action": "rejected", "rejectionReason": "InsufficientFunds", "exchangeOfferId": order_id,
            "state": stop.state("rejected"),
        }  # fmt: skip
        return Told(owner, "stop/offers", market, message, now_ns)

    # Snapshots --------------------------------------------------------------------------------------

    def offers(self, owner: str, market: str | None) -> list[dict[str, Any]]:
        """A client's active orders."""
        found: list[dict[str, Any]] = []
        for offer in self._offers.values():
            if offer.active and offer.account.name == owner and market in {None, offer.listing.instrument}:
                ids = _balances(offer.account, offer.listing)
                found.append(
                    {
                        **offer.fields(), "mode": "limit", "receivedAmount": offer.received_text(),
                        "firstBalanceId": ids["first"], "secondBalanceId": ids["second"],
                    }
                )  # fmt: skip
        return found

    def stops(self, owner: str, market: str | None) -> list[dict[str, Any]]:
        """A client's waiting stop orders."""
        return [
            stop.state("active")
            for stop in self._stops.values()
            if stop.account.name == owner and market in {None, stop.listing.instrument}
        ]

    def history(self, owner: str, market: str | None) -> list[dict[str, Any]]:
        """A client's trades, newest first."""
        return [item for item in reversed(self._history[owner]) if market in {None, item["market"]}]

    def balances(self, owner: str, funds: Iterable[tuple[str, Decimal, Decimal]]) -> list[dict[str, Any]]:
        """A client's wallets, of currency, what is free and what is held."""
        account = self._accounts[owner]
        return [_funds(account, currency, available, held) for currency, available, held in funds]


def _funds(account: Account, currency: str, available: Decimal, held: Decimal) -> dict[str, Any]:
    """A wallet: bare numbers, as documented."""
    return {
        "id": balance_id(account, currency), "userId": account.user_id, "availableFunds": bare(available),
        "totalFunds": bare(available + held), "lockedFunds": bare(held), "currency": currency,
        "type": "FIAT" if currency in FIAT else "CRYPTO", "name": currency, "balanceEngine": "BITBAY",
    }  # fmt: skip


def _balances(account: Account, listing: Listing) -> dict[str, str]:
    return {"first": balance_id(account, listing.base), "second": balance_id(account, listing.quote)}


def _derived(text: str, purpose: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{text}/{purpose}"))
