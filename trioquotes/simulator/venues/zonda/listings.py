"""What the simulated venue trades, how it configures its markets, and who its known clients are."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs

from trioquotes.simulator.floor import Listing
from trioquotes.simulator.venues.zonda.texts import places, plain

__all__ = ["DEFAULT_MARKETS", "FIAT", "Account", "balance_id", "listings_of", "market_config"]

FIAT = ("EUR", "GBP", "PLN", "USD")
"""Currencies that the cantor exchanges, and whose balances are of type FIAT."""

SCALES = {"USDT": 6, "USDC": 6}
"""Decimals of a currency that is neither fiat (2) nor an ordinary coin (8)."""

SMALLEST = {"BTC": "0.0000028", "ETH": "0.00045", "PLN": "5", "EUR": "1.1", "USD": "1.2", "USDT": "0.108"}
"""Least amounts of an order, as recorded or documented; other currencies take one in ten thousand."""


@attrs.frozen(kw_only=True)
class Account:
    """A client of the venue and one of its API keys.

    Attributes:
        name: how the simulated market knows the owner of its orders.
        public_key: sent with every private message.
        private_key: signs it.
        may_read: whether the key is permitted to read anything private.
    """

    name: str = "main"
    public_key: str
    private_key: str = attrs.field(repr=False)
    user_id: str = "eb8ab48c-723c-44a6-9830-cb2b2f9fa352"
    may_read: bool = True


def _listing(market: str, *, reference: str, lot: str, tick: str = "0.01") -> Listing:
    first, _, second = market.partition("-")
    return Listing(
        instrument=market, base=first, quote=second, tick=Decimal(tick), step=Decimal("0.00000001"),
        reference=Decimal(reference), lot=Decimal(lot),
    )  # fmt: skip


DEFAULT_MARKETS = {
    listing.instrument: listing
    for listing in (
        _listing("BTC-PLN", reference="175728.60", lot="0.35"),
        _listing("ETH-PLN", reference="12294.50", lot="1.5"),
        _listing("USDT-PLN", reference="4.0012", lot="900", tick="0.0001"),
        _listing("BTC-USDT", reference="40102.350", lot="0.2", tick="0.001"),
    )
}
"""The markets of a simulator that is not told otherwise."""


def listings_of(markets: Iterable[str | Listing] | None) -> list[Listing]:
    """Listings for market codes; one that is not among the defaults gets plain steps and a price of 100.

    Raises:
        ValueError: for a text that is not two currencies with a hyphen.
    """
    found: list[Listing] = []
    for market in DEFAULT_MARKETS if markets is None else markets:
        if isinstance(market, Listing):
            found.append(market)
            continue
        first, hyphen, second = market.partition("-")
        if not (first and hyphen and second and market == market.upper()):
            raise ValueError(f"{market!r} is not a market code such as 'BTC-PLN'")
        found.append(DEFAULT_MARKETS.get(market) or _listing(market, reference="100", lot="5"))
    return found


def market_config(listing: Listing) -> dict[str, Any]:
    """The ``market`` object of a ticker."""
    price_precision = _scale(listing.quote)
    return {
        "code": listing.instrument,
        "first": _currency(listing.base),
        "second": _currency(listing.quote),
        "amountPrecision": _scale(listing.base),
        "pricePrecision": price_precision,
        "ratePrecision": max(places(listing.tick), price_precision),
    }


def _currency(name: str) -> dict[str, Any]:
    return {
        "currency": name,
        "minOffer": plain(Decimal(SMALLEST.get(name, "0.0001"))),
        "scale": _scale(name),
    }


def _scale(currency: str) -> int:
    return 2 if currency in FIAT else SCALES.get(currency, 8)


def balance_id(account: Account, currency: str) -> str:
    """The id of a client's wallet in a currency."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{account.user_id}/{account.name}/{currency}"))
