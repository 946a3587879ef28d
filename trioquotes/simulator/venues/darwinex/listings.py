"""What the venue lists, and who may come in."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_uppercase

import attrs

__all__ = ["DEFAULT_PRODUCTS", "DEMO_ACCOUNT", "Account", "Product", "generated_names", "products_of"]

DEFAULT_PRODUCTS = (
    "AEB.5.4", "AEC.5.8", "DWC.4.20", "DWZ.4.7", "ENH.4.16", "LVS.4.20", "SYO.4.24", "THA.4.12", "YZZ.4.20",
)  # fmt: skip
"""Names that the venue's own clients and recordings mention."""


@attrs.frozen
class Product:
    """A product of the venue.

    Attributes:
        name: in full, such as ``DWC.4.20``; the only one that can be subscribed.
        currency: of the account behind it.
        status: ``ACTIVE``, or anything else for one without quotes.
    """

    name: str
    currency: str = "USD"
    status: str = "ACTIVE"

    @property
    def short_name(self) -> str:
        """The ticker: what comes before the first point."""
        return self.name.partition(".")[0]


@attrs.frozen(kw_only=True)
class Account:
    """A client of the venue, with the application that it registered.

    Attributes:
        name: by which limits are counted.
        consumer_key: of the application.
        consumer_secret: of the application.
        refresh_token: the first one; each use replaces it.
        access_token: one of the long-lived kind, good for the quotes.
    """

    name: str = "main"
    consumer_key: str
    consumer_secret: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    access_token: str = attrs.field(repr=False)


DEMO_ACCOUNT = Account(
    name="demo",
    consumer_key="consumerKey",
    consumer_secret="consumerSecret",  # noqa: S106  # the documentation's example; opens nothing but a simulator
    refresh_token="827c785e-f5ed-33bc-87e5-fb9854fe1f80",  # noqa: S106  # likewise
    access_token="63ca7671-cf30-3e4d-a13e-0ae789183d73",  # noqa: S106  # likewise
)
"""The client that a simulator knows if it is told of none."""


def generated_names(count: int) -> tuple[str, ...]:
    """So many different full names, in the alphabet's order for fewer than 17,576."""
    names: list[str] = []
    for number in range(count):
        letters, rest = "", number
        while rest or len(letters) < 3:
            rest, place = divmod(rest, 26)
            letters = ascii_uppercase[place] + letters
        names.append(f"{letters}.{4 + number % 2}.{1 + number * 7 % 29}")
    return tuple(names)


def products_of(products: Iterable[str | Product] | int | None) -> tuple[Product, ...]:
    """Products from names, from a number of generated ones, or the venue's best known.

    Raises:
        ValueError: for a name that is not a full one, or comes twice.
    """
    if products is None:
        products = DEFAULT_PRODUCTS
    elif isinstance(products, int):
        products = generated_names(products)
    made = [Product(entry) if isinstance(entry, str) else entry for entry in products]
    seen: set[str] = set()
    for product in made:
        if product.name.count(".") != 2 or product.name in seen:
            raise ValueError(f"{product.name!r} is not a full product name of its own, such as DWC.4.20")
        seen.add(product.name)
    return tuple(sorted(made, key=lambda product: product.name))
