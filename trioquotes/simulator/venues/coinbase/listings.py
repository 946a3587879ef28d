"""What the simulated venue trades, and who its known clients are."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from decimal import Decimal

import attrs

from trioquotes.simulator.floor import Listing

__all__ = ["DEFAULT_PRODUCTS", "Profile", "account_id", "listings_of"]


@attrs.frozen(kw_only=True)
class Profile:
    """A client of the venue: an API key and the profile that it belongs to.

    Attributes:
        name: how the simulated market knows the owner of its orders.
        secret: base64, as the venue hands it out.
    """

    name: str = "main"
    key: str
    secret: str = attrs.field(repr=False)
    passphrase: str = attrs.field(repr=False)
    user_id: str = "5844eceecf7e803e259d0365"
    profile_id: str = "765d1549-9660-4be2-97d4-fa2d65fa3352"


def _listing(
    product: str, *, reference: str, lot: str, tick: str = "0.01", step: str = "0.00000001"
) -> Listing:
    base, _, quote = product.partition("-")
    return Listing(
        instrument=product, base=base, quote=quote, tick=Decimal(tick), step=Decimal(step),
        reference=Decimal(reference), lot=Decimal(lot),
    )  # fmt: skip


DEFAULT_PRODUCTS = {
    listing.instrument: listing
    for listing in (
        _listing("BTC-USD", reference="81222.50", lot="0.05"),
        _listing("ETH-USD", reference="2510.30", lot="0.8"),
        _listing("ETH-EUR", reference="2188.64", lot="0.4", step="0.00000100"),
        _listing("LTC-USD", reference="93.10", lot="12", step="0.0001"),
    )
}
"""The products of a simulator that is not told otherwise."""


def listings_of(products: Iterable[str | Listing] | None) -> list[Listing]:
    """Listings for product ids; one that is not among the defaults gets plain steps and a price of 100.

    Raises:
        ValueError: for a text that is not two currencies with a hyphen.
    """
    found: list[Listing] = []
    for product in DEFAULT_PRODUCTS if products is None else products:
        if isinstance(product, Listing):
            found.append(product)
            continue
        base, hyphen, quote = product.partition("-")
        if not (base and hyphen and quote and product == product.upper()):
            raise ValueError(f"{product!r} is not a product id such as 'BTC-USD'")
        found.append(DEFAULT_PRODUCTS.get(product) or _listing(product, reference="100", lot="5"))
    return found


def account_id(profile: Profile, currency: str) -> str:
    """The id of a profile's account in a currency."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{profile.profile_id}/{currency}"))
