"""What happens on the user's own account."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from trioquotes.events.base import MarketEvent, Side

__all__ = ["Balance", "Fill", "OrderUpdate"]


class OrderUpdate(MarketEvent, frozen=True, kw_only=True):
    """One of the user's own orders changed.

    Attributes:
        order_id: the venue's id; ``client_order_id`` the user's own.
        status: ``received``, ``open``, ``changed``, ``filled``, ``canceled``, ``rejected`` or ``triggered``;
            ``None`` where the venue's word, kept in ``venue_status``, is none of these.
        price: limit price; ``None`` for a market order.
        size: original size where the message says it.
        remaining_size: what is still to be filled.
        filled_size: what has been filled so far.
        reason: why it ended, in the venue's words.
    """

    order_id: str
    client_order_id: str | None = None
    status: str | None = None
    venue_status: str | None = None
    side: Side | None = None
    order_type: str | None = None
    price: Decimal | None = None
    size: Decimal | None = None
    remaining_size: Decimal | None = None
    filled_size: Decimal | None = None
    reason: str | None = None


class Fill(MarketEvent, frozen=True, kw_only=True):
    """One of the user's own orders traded.

    Attributes:
        side: the user's side.
        liquidity: whether the user was maker or taker.
        fee: paid, in ``fee_currency``; negative is a rebate.
        fee_rate: a fraction of the notional.
    """

    order_id: str
    price: Decimal
    size: Decimal
    side: Side | None = None
    trade_id: str | None = None
    liquidity: Literal["maker", "taker"] | None = None
    fee: Decimal | None = None
    fee_rate: Decimal | None = None
    fee_currency: str | None = None


class Balance(MarketEvent, frozen=True, kw_only=True):
    """What one account holds in one currency.

    Attributes:
        account_id: the venue's id of the account.
        available: free to use.
        locked: held by orders.
        total: the sum, where the venue says it.
    """

    currency: str
    account_id: str | None = None
    available: Decimal | None = None
    locked: Decimal | None = None
    total: Decimal | None = None
