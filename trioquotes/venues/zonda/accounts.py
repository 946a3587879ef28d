"""What Zonda sends of the user's own account, field for field: orders, stop orders, trades, balances."""

from __future__ import annotations

from decimal import Decimal

from trioquotes.venues.zonda.messages import Answer, Digits, Millis, Part, Push

__all__ = [
    "ActiveOffer",
    "FundsPush",
    "FundsState",
    "Offer",
    "OfferAccounts",
    "OfferPush",
    "OfferState",
    "OffersAnswer",
    "OffersBody",
    "OwnTransaction",
    "OwnTransactionList",
    "OwnTransactionsAnswer",
    "OwnTransactionsBody",
    "OwnTransactionsPush",
    "StopOffer",
    "StopOfferPush",
    "StopOfferState",
]


class OfferAccounts(Part, frozen=True, kw_only=True):
    """Ids of the two balances that an order moves.

    *Source:* Zonda API, active orders.
    """

    first: str | None = None
    second: str | None = None


class _Order(Part, frozen=True, kw_only=True):
    market: str | None = None
    offer_type: str | None = None
    id: str
    current_amount: Decimal | None = None
    locked_amount: Decimal | None = None
    rate: Decimal | None = None
    start_amount: Decimal | None = None
    time: Millis | None = None
    post_only: bool | None = None
    hidden: bool | None = None
    mode: str | None = None
    received_amount: Decimal | None = None


class OfferState(_Order, frozen=True, kw_only=True):
    """One of the user's orders as it is now.

    Attributes:
        offer_type: ``Buy`` or ``Sell``.
        current_amount: what is still to be filled.
        locked_amount: held for it, in the currency that it pays with.
        start_amount: as placed.
        mode: ``Limit``.
        received_amount: what it has brought so far, in the currency that it is paid.

    *Source:* Zonda API, active orders.
    """

    balances: OfferAccounts | None = None


class Offer(Part, frozen=True, kw_only=True):
    """One of the user's orders changed.

    Attributes:
        action: ``update``, with ``state``, or ``remove``, without.

    *Source:* Zonda API, active orders; its printed example has a comma too many.
    """

    entry_type: str | None = None
    rate: Decimal | None = None
    action: str
    offer_id: str
    market: str | None = None
    state: OfferState | None = None
    timestamp: Millis | None = None


class OfferPush(Push, frozen=True, kw_only=True):
    """One of the user's orders changed.

    *Source:* Zonda API, active orders.
    """

    message: Offer


class ActiveOffer(_Order, frozen=True, kw_only=True):
    """One of the user's orders as an answer lists it.

    Attributes:
        mode: ``limit``, in lower case here.
        first_balance_id: in place of the ``balances`` of a push, as ``second_balance_id``.

    *Source:* Zonda API, active orders, "Snapshot".
    """

    first_balance_id: str | None = None
    second_balance_id: str | None = None


class OffersBody(Part, frozen=True, kw_only=True):
    """The user's active orders.

    *Source:* Zonda API, active orders, "Snapshot".
    """

    status: str | None = None
    items: tuple[ActiveOffer, ...]


class OffersAnswer(Answer, frozen=True, kw_only=True):
    """The user's active orders that were asked for.

    *Source:* Zonda API, active orders, "Snapshot".
    """

    body: OffersBody


class StopOfferState(Part, frozen=True, kw_only=True):
    """One of the user's stop orders.

    Attributes:
        rate: limit price; none for ``stop-market``.
        stop_rate: price that releases it.
        mode: ``stop-market`` or ``stop-limit``.

    *Source:* Zonda API, active stop orders.
    """

    id: str
    operation_id: str | None = None
    user_id: str | None = None
    market: str | None = None
    amount: Decimal | None = None
    rate: Decimal | None = None
    stop_rate: Decimal | None = None
    status: str | None = None
    offer_type: str | None = None
    mode: str | None = None
    balances: OfferAccounts | None = None
    created_at: Millis | None = None
    flags: tuple[str, ...] | None = None


class StopOffer(Part, frozen=True, kw_only=True):
    """One of the user's stop orders changed.

    Attributes:
        action: ``accepted``, ``rejected``, ...
        exchange_offer_id: of the order that it became.

    *Source:* Zonda API, active stop orders.
    """

    action: str
    rejection_reason: str | None = None
    exchange_offer_id: str | None = None
    state: StopOfferState


class StopOfferPush(Push, frozen=True, kw_only=True):
    """One of the user's stop orders changed.

    *Source:* Zonda API, active stop orders.
    """

    message: StopOffer


class OwnTransaction(Part, frozen=True, kw_only=True):
    """One of the user's own trades.

    Attributes:
        amount: in the first currency.
        rate: price.
        initialized_by: side of the taker.
        was_taker: whether the user was.
        user_action: side of the user.
        commission_value: what was paid for it; in which currency is not said.

    *Source:* Zonda API, transactions history.
    """

    id: str
    market: str | None = None
    time: Millis | None = None
    amount: Decimal
    rate: Decimal
    initialized_by: str | None = None
    was_taker: bool | None = None
    user_action: str | None = None
    offer_id: str | None = None
    commission_value: Decimal | None = None


class OwnTransactionList(Part, frozen=True, kw_only=True):
    """The user's own trades that are pushed together.

    *Source:* Zonda API, transactions history.
    """

    transactions: tuple[OwnTransaction, ...]


class OwnTransactionsPush(Push, frozen=True, kw_only=True):
    """The user traded, in the layout of the answer; the page shows that of :class:`TransactionsPush`.

    *Source:* Zonda API, transactions history.
    """

    message: OwnTransactionList


class OwnTransactionsBody(Part, frozen=True, kw_only=True):
    """The user's own trades.

    *Source:* Zonda API, transactions history, "Snapshot".
    """

    status: str | None = None
    total_rows: Digits | None = None
    items: tuple[OwnTransaction, ...]


class OwnTransactionsAnswer(Answer, frozen=True, kw_only=True):
    """The user's own trades that were asked for: history.

    *Source:* Zonda API, transactions history, "Snapshot".
    """

    body: OwnTransactionsBody


class FundsState(Part, frozen=True, kw_only=True):
    """One of the user's balances; amounts are JSON numbers, with every digit.

    Attributes:
        type: ``CRYPTO`` or ``FIAT``.
        name: that the user gave it.
        balance_engine: ``BITBAY``.

    *Source:* Zonda API, available funds.
    """

    id: str
    user_id: str | None = None
    available_funds: Decimal | None = None
    total_funds: Decimal | None = None
    locked_funds: Decimal | None = None
    currency: str
    type: str | None = None
    name: str | None = None
    balance_engine: str | None = None


class FundsPush(Push, frozen=True, kw_only=True):
    """One of the user's balances changed.

    *Source:* Zonda API, available funds.
    """

    message: FundsState
