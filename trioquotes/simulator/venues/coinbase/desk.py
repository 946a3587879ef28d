"""What one connection is subscribed to, and how the venue acknowledges it; pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from trioquotes.simulator.venues.coinbase.listings import Profile
from trioquotes.simulator.venues.coinbase.requests import EVERY_PRODUCT, WITHOUT_PRODUCTS, Asked, Request

__all__ = ["Desk", "acknowledgement", "error_frame"]


@attrs.define
class Desk:
    """The subscriptions of one connection.

    Attributes:
        views: channel, then product (account for ``balance``, empty for ``status``), then who signed the
            request that opened it; ``None`` is the public view.
        asked: whether a request has come that counts against the time allowed for the first.
        schema_sent: whether the schema of ``level3`` has gone out.
    """

    views: dict[str, dict[str, Profile | None]] = attrs.field(factory=dict)
    asked: bool = False
    schema_sent: bool = False

    def has(self, channel: str, key: str) -> bool:
        """Whether a channel is subscribed for a product or account."""
        return key in self.views.get(channel, {})

    def conflict(self, request: Request) -> str | None:
        """Why a request cannot be served beside what is there: one product of a channel taken whole."""
        for asked in request.asked:
            whole = asked.channel == "rfq_matches" and self.has("rfq_matches", EVERY_PRODUCT)
            if request.kind == "subscribe" and whole and asked.products != (EVERY_PRODUCT,):
                return "Already subscribed to all products for channel rfq_matches"
        return None

    def apply(self, request: Request, leave_out: Collection[str] = ()) -> list[tuple[str, str]]:
        """Carry out a request; returns channel and product of what is newly subscribed, as asked for.

        What is there already keeps its view: who subscribed without a signature stays in the public view.
        """
        added: list[tuple[str, str]] = []
        for asked in request.asked:
            for key in _keys(asked):
                if key in leave_out:
                    continue
                if request.kind == "unsubscribe":
                    self._drop(asked.channel, key)
                elif not self.has(asked.channel, key):
                    self.views.setdefault(asked.channel, {})[key] = request.profile
                    added.append((asked.channel, key))
        return added

    def _drop(self, channel: str, key: str) -> None:
        keys = self.views.get(channel, {})
        if key == EVERY_PRODUCT:
            keys.clear()
        keys.pop(key, None)
        if not keys:
            self.views.pop(channel, None)


def _keys(asked: Asked) -> tuple[str, ...]:
    if asked.channel in WITHOUT_PRODUCTS:
        return asked.accounts or ("",)
    return asked.products


def acknowledgement(desk: Desk) -> dict[str, Any]:
    """The answer to a request: everything that is subscribed now, in an order of the venue's own."""
    if not desk.views:
        return {"type": "subscriptions", "product_ids": [], "channels": []}
    channels: list[dict[str, Any]] = []
    for name in sorted(desk.views, key=_scatter):
        keys = sorted((key for key in desk.views[name] if key), key=_scatter)
        is_balance = name == "balance"
        products, accounts = ([], keys) if is_balance else (keys, None)
        channels.append({"name": name, "product_ids": products, "account_ids": accounts})
    return {"type": "subscriptions", "channels": channels}


def _scatter(text: str) -> tuple[int, str]:
    """An order that is neither that of asking nor the alphabet's, and always the same."""
    return (sum(ord(letter) * (place + 3) for place, letter in enumerate(text)) * 31 % 97, text)


def error_frame(message: str, reason: str | None) -> dict[str, Any]:
    """An error as the venue prints it; ``reason`` may be missing.

    *Source:* docs.cdp.coinbase.com/exchange/websocket-feed/errors.
    """
    frame = {"type": "error", "message": message}
    return frame if reason is None else {**frame, "reason": reason}
