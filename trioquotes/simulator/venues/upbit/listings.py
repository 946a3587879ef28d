"""What the simulated venue trades, what it charges, and who its known clients are."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs

from trioquotes.simulator.floor import Listing

__all__ = ["DEFAULT_MARKETS", "Account", "fee_rate", "listings_of", "names_of", "supported_levels"]

DEEPEST_LEVEL = 5
"""The coarsest grouping of an order book is the tick times ten to this power."""


@attrs.frozen(kw_only=True)
class Account:
    """A client of the venue and one API key of theirs.

    Attributes:
        name: how the simulated market knows the owner of its orders; several keys may share it.
        secret: signs tokens as it stands, not decoded.
        scopes: what the key may see; announcements and indicators need none.
        addresses: from which the key may be used; ``None`` allows every one.
    """

    name: str = "main"
    key: str
    secret: str = attrs.field(repr=False)
    scopes: frozenset[str] = frozenset({"orders", "assets"})
    addresses: frozenset[str] | None = None


def _listing(code: str, *, reference: str, lot: str, tick: str, step: str = "0.00000001") -> Listing:
    quote, _, base = code.partition("-")
    return Listing(
        instrument=code, base=base, quote=quote, tick=Decimal(tick), step=Decimal(step),
        reference=Decimal(reference), lot=Decimal(lot),
    )  # fmt: skip


DEFAULT_MARKETS = {
    listing.instrument: listing
    for listing in (
        _listing("KRW-BTC", reference="116539000", tick="1000", lot="0.02"),
        _listing("KRW-ETH", reference="2715000", tick="1000", lot="0.7"),
        _listing("KRW-XRP", reference="2891", tick="1", lot="600"),
        _listing("BTC-ETH", reference="0.02329740", tick="0.00000001", lot="0.3"),
        _listing("USDT-BTC", reference="81222.50", tick="0.01", lot="0.004"),
    )
}
"""The markets of a simulator that is not told otherwise; the quote currency comes first."""

NAMES = {"BTC": ("비트코인", "Bitcoin"), "ETH": ("이더리움", "Ethereum"), "XRP": ("엑스알피(리플)", "XRP")}


def names_of(listing: Listing) -> tuple[str, str]:
    """The Korean and the English name of what is traded."""
    return NAMES.get(listing.base, (listing.base, listing.base))


def fee_rate(listing: Listing) -> Decimal:
    """The fee as a fraction of the notional: 0.05 % in KRW markets, 0.25 % in the others."""
    return Decimal("0.0005") if listing.quote == "KRW" else Decimal("0.0025")


def supported_levels(listing: Listing) -> tuple[Decimal, ...]:
    """The groupings of prices that the order book of a market can be asked for; 0 is none.

    *Source:* docs.upbit.com/kr/reference/websocket-orderbook: KRW markets only.
    """
    if listing.quote != "KRW":
        return (Decimal(0),)
    steps = [listing.tick * 10**power for power in range(1, DEEPEST_LEVEL + 1)]
    return (Decimal(0), *(step for step in steps if step <= listing.reference))


def listings_of(markets: Iterable[str | Listing] | None) -> list[Listing]:
    """Listings for market codes; one that is not among the defaults gets plain steps and a price of 100.

    Raises:
        ValueError: for a text that is not quote and base currency with a hyphen.
    """
    found: list[Listing] = []
    for market in DEFAULT_MARKETS if markets is None else markets:
        if isinstance(market, Listing):
            found.append(market)
            continue
        quote, hyphen, base = market.partition("-")
        if not (base and hyphen and quote and market == market.upper()):
            raise ValueError(f"{market!r} is not a market code such as 'KRW-BTC'")
        found.append(DEFAULT_MARKETS.get(market) or _listing(market, reference="100", tick="0.01", lot="5"))
    return found
