"""The venue's list of products and currencies, as the feed and the REST side print it.

*Source:* docs.cdp.coinbase.com/exchange/websocket-feed/channels, section Status channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trioquotes.simulator.floor import Floor, Listing
from trioquotes.simulator.venues.coinbase.texts import plain

__all__ = ["rest_product", "status"]

NAMES = {"USD": "United States Dollar", "EUR": "Euro", "BTC": "Bitcoin", "ETH": "Ether", "LTC": "Litecoin"}
FIAT = {"USD", "EUR"}


def status(floors: Iterable[Floor]) -> dict[str, Any]:
    """Everything that is traded."""
    floors = list(floors)
    currencies = sorted({name for floor in floors for name in (floor.listing.base, floor.listing.quote)})
    return {
        "type": "status",
        "products": [_product(floor.listing) for floor in floors],
        "currencies": [_currency(name) for name in currencies],
    }


def _product(listing: Listing) -> dict[str, Any]:
    """One product."""
    return {
        "id": listing.instrument, "base_currency": listing.base, "quote_currency": listing.quote,
        "base_increment": plain(listing.step), "quote_increment": plain(listing.tick),
        "display_name": listing.instrument, "status": "online", "status_message": "",
        "min_market_funds": "1", "post_only": False, "limit_only": False, "cancel_only": False,
        "fx_stablecoin": False,
    }  # fmt: skip


def rest_product(floor: Floor) -> dict[str, Any]:
    """One product with the fields that only the REST side shows."""
    return _product(floor.listing) | {
        "margin_enabled": False, "max_slippage_percentage": "0.02000000",
        "trading_disabled": False, "auction_mode": floor.collecting, "high_bid_limit_percentage": "",
    }  # fmt: skip


def _currency(name: str) -> dict[str, Any]:
    fiat = name in FIAT
    network = name.lower()
    smallest = "0.01" if fiat else "0.00000001"
    return {
        "id": name, "name": NAMES.get(name, name), "min_size": smallest if fiat else f" {smallest}",
        "status": "online", "status_message": None, "max_precision": smallest, "convertible_to": [],
        "details": {}, "display_name": name, "default_network": "" if fiat else network,
        "supported_networks": [] if fiat else [
            {
                "id": network, "name": NAMES.get(name, name), "status": "online", "contract_address": "",
                "crypto_address_link": f"https://explorer.example/{network}/address/{{{{address}}}}",
                "crypto_transaction_link": f"https://explorer.example/{network}/tx/{{{{txId}}}}",
                "min_withdrawal_amount": 0.0001, "max_withdrawal_amount": 2400, "network_confirmations": 3,
                "processing_time_seconds": 0, "destination_tag_regex": "",
            }
        ],
    }  # fmt: skip
