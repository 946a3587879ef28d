"""What the private socket sends, field for field.

Ids are texts, on some pages numbers: both pass as they are. Times are Unix milliseconds. Amounts may be negative.
A transaction's amount that stands there as an empty text, as those of a funding do in every other one, is ``None``.
The fields of each group are those of the REST model of the same name; what is not listed passes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes.events import WireMessage

__all__ = [
    "Account",
    "Collateral",
    "CollateralTransaction",
    "Deposit",
    "Groups",
    "Id",
    "Order",
    "OrderFillTransaction",
    "Position",
    "PositionTerm",
    "PositionTransaction",
    "TradeEvent",
    "TransferIn",
    "TransferOut",
    "Withdraw",
]

Id: TypeAlias = str | int
"""As on the wire: a text, or a number of any size."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    user_id: Id | None = None
    account_id: Id | None = None
    coin_id: Id | None = None
    created_time: Counter | None = None
    updated_time: Counter | None = None


class Account(_Entry, frozen=True, kw_only=True):
    """An account.

    Attributes:
        status: ``NORMAL``, ...

    *Source:* V1 documentation of 2026, example of a Snapshot.
    """

    id: Id
    eth_address: str | None = None
    client_account_id: str | None = None
    status: str | None = None
    is_liquidating: bool | None = None


class Collateral(_Entry, frozen=True, kw_only=True):
    """What an account holds of one coin.

    Attributes:
        amount: held now; the abridged examples of V2 have ``balance`` instead.
        cum_deposit_amount: and the others of its kind: sums since the beginning, signed.

    *Source:* V1 documentation of 2026, example of a Snapshot; V2 documentation, "Private WebSocket".
    """

    coin_id: Id  # pyright: ignore[reportGeneralTypeIssues]  # keyword-only: the order of defaults does not matter
    amount: Decimal | None = None
    balance: Decimal | None = None
    legacy_amount: Decimal | None = None
    cum_deposit_amount: Decimal | None = None
    cum_withdraw_amount: Decimal | None = None
    cum_transfer_in_amount: Decimal | None = None
    cum_transfer_out_amount: Decimal | None = None
    cum_position_buy_amount: Decimal | None = None
    cum_position_sell_amount: Decimal | None = None
    cum_fill_fee_amount: Decimal | None = None
    cum_funding_fee_amount: Decimal | None = None
    cum_fill_fee_income_amount: Decimal | None = None


class _Transaction(_Entry, frozen=True, kw_only=True):
    id: Id
    type: str | None = None
    fill_close_size: Decimal | None = None
    fill_close_value: Decimal | None = None
    fill_close_fee: Decimal | None = None
    fill_open_size: Decimal | None = None
    fill_open_value: Decimal | None = None
    fill_open_fee: Decimal | None = None
    fill_price: Decimal | None = None
    liquidate_fee: Decimal | None = None
    realize_pnl: Decimal | None = None
    is_liquidate: bool | None = None
    is_deleverage: bool | None = None
    funding_time: Counter | None = None
    funding_rate: Decimal | None = None
    funding_index_price: Decimal | None = None
    funding_oracle_price: Decimal | None = None
    funding_position_size: Decimal | None = None
    order_id: Id | None = None
    order_fill_transaction_id: Id | None = None
    censor_status: str | None = None


class CollateralTransaction(_Transaction, frozen=True, kw_only=True):
    """A change of what an account holds.

    Attributes:
        delta_amount: by how much; the abridged examples of V2 have ``amount`` instead.
        before_amount: held before.

    *Source:* V1 documentation of 2026, example of FUNDING_SETTLEMENT; REST, "Account API".
    """

    delta_amount: Decimal | None = None
    amount: Decimal | None = None
    before_amount: Decimal | None = None
    deposit_id: Id | None = None
    withdraw_id: Id | None = None
    transfer_in_id: Id | None = None
    transfer_out_id: Id | None = None
    transfer_reason: str | None = None
    position_contract_id: Id | None = None
    position_transaction_id: Id | None = None


class PositionTransaction(_Transaction, frozen=True, kw_only=True):
    """A change of a position.

    *Source:* V1 documentation of 2026, example of FUNDING_SETTLEMENT; REST, "Account API".
    """

    contract_id: Id | None = None
    delta_open_size: Decimal | None = None
    delta_open_value: Decimal | None = None
    delta_open_fee: Decimal | None = None
    delta_funding_fee: Decimal | None = None
    before_open_size: Decimal | None = None
    before_open_value: Decimal | None = None
    before_open_fee: Decimal | None = None
    before_funding_fee: Decimal | None = None
    collateral_transaction_id: Id | None = None


class Position(_Entry, frozen=True, kw_only=True):
    """A position.

    Attributes:
        open_size: signed: a short position is negative; the abridged examples of V2 have ``size`` instead.
        open_value: signed likewise.

    *Source:* REST, "Account API"; V2 documentation, "Private WebSocket".
    """

    contract_id: Id
    open_size: Decimal | None = None
    size: Decimal | None = None
    open_value: Decimal | None = None
    open_fee: Decimal | None = None
    funding_fee: Decimal | None = None
    long_term_count: int | None = None
    short_term_count: int | None = None


class PositionTerm(_Entry, frozen=True, kw_only=True):
    """The life of a position, from flat to flat; V2 only.

    *Source:* V2 documentation, "Private WebSocket"; REST, "Account API".
    """

    contract_id: Id | None = None
    term_count: int | None = None
    cum_open_size: Decimal | None = None
    cum_open_value: Decimal | None = None
    cum_open_fee: Decimal | None = None
    cum_close_size: Decimal | None = None
    cum_close_value: Decimal | None = None
    cum_close_fee: Decimal | None = None
    cum_funding_fee: Decimal | None = None
    cum_liquidate_fee: Decimal | None = None
    current_leverage: Decimal | None = None


class _Movement(_Entry, frozen=True, kw_only=True):
    id: Id
    amount: Decimal | None = None
    status: str | None = None


class Deposit(_Movement, frozen=True, kw_only=True):
    """A deposit.

    *Source:* reference page, "Payload"; REST, "Asset API".
    """

    eth_address: str | None = None
    erc20_address: str | None = None


class Withdraw(_Movement, frozen=True, kw_only=True):
    """A withdrawal.

    *Source:* reference page, "Payload"; REST, "Withdraw API".
    """

    eth_address: str | None = None
    erc20_address: str | None = None
    client_withdraw_id: str | None = None


class TransferIn(_Movement, frozen=True, kw_only=True):
    """A transfer from another account.

    *Source:* reference page, "Payload"; REST, "Transfer API".
    """

    sender_account_id: Id | None = None
    transfer_reason: str | None = None


class TransferOut(_Movement, frozen=True, kw_only=True):
    """A transfer to another account.

    *Source:* reference page, "Payload"; REST, "Transfer API".
    """

    receiver_account_id: Id | None = None
    client_transfer_id: str | None = None
    transfer_reason: str | None = None


class Order(_Entry, frozen=True, kw_only=True):
    """An order as it is now.

    Attributes:
        side: ``BUY`` or ``SELL``.
        price: limit; 0 for a market order.
        type: ``LIMIT``, ``MARKET``, ``STOP_LIMIT``, ...
        status: ``PENDING``, ``OPEN``, ``FILLED``, ``CANCELING``, ``CANCELED``, ``UNTRIGGERED``.
        cum_match_size: matched so far; ``cum_fill_size`` of it settled.

    *Source:* V1 documentation of 2026, example of ORDER_UPDATE; REST, "Order API".
    """

    id: Id
    contract_id: Id | None = None
    side: str | None = None
    price: Decimal | None = None
    size: Decimal | None = None
    client_order_id: Id | None = None
    type: str | None = None
    time_in_force: str | None = None
    reduce_only: bool | None = None
    trigger_price: Decimal | None = None
    trigger_price_type: str | None = None
    expire_time: Counter | None = None
    is_position_tpsl: bool | None = None
    is_liquidate: bool | None = None
    is_deleverage: bool | None = None
    status: str | None = None
    cancel_reason: str | None = None
    max_leverage: Decimal | None = None
    taker_fee_rate: Decimal | None = None
    maker_fee_rate: Decimal | None = None
    liquidate_fee_rate: Decimal | None = None
    market_limit_price: Decimal | None = None
    market_limit_value: Decimal | None = None
    l2_nonce: Id | None = None
    trigger_time: Counter | None = None
    cum_fill_size: Decimal | None = None
    cum_fill_value: Decimal | None = None
    cum_fill_fee: Decimal | None = None
    max_fill_price: Decimal | None = None
    min_fill_price: Decimal | None = None
    cum_liquidate_fee: Decimal | None = None
    cum_realize_pnl: Decimal | None = None
    cum_match_size: Decimal | None = None
    cum_match_value: Decimal | None = None
    cum_match_fee: Decimal | None = None
    cum_fail_size: Decimal | None = None
    cum_approved_size: Decimal | None = None


class OrderFillTransaction(_Entry, frozen=True, kw_only=True):
    """A trade of one of the user's orders.

    Attributes:
        order_side: ``BUY`` or ``SELL``.
        fill_fee: of this fill; no page says whether a fee paid is positive.
        direction: ``MAKER`` or ``TAKER``.

    *Source:* V2 documentation, "Private WebSocket"; REST, "Order API".
    """

    id: Id
    order_id: Id
    contract_id: Id | None = None
    order_side: str | None = None
    fill_size: Decimal | None = None
    fill_value: Decimal | None = None
    fill_fee: Decimal | None = None
    fill_price: Decimal | None = None
    liquidate_fee: Decimal | None = None
    realize_pnl: Decimal | None = None
    direction: str | None = None
    is_position_tpsl: bool | None = None
    is_liquidate: bool | None = None
    is_deleverage: bool | None = None
    match_sequence_id: Id | None = None
    match_index: int | None = None
    match_time: Counter | None = None
    match_account_id: Id | None = None
    match_order_id: Id | None = None
    match_fill_id: Id | None = None
    position_transaction_id: Id | None = None
    collateral_transaction_id: Id | None = None
    censor_status: str | None = None


class Groups(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The entries of a ``trade-event`` by group; a group that is empty, or not there, was not updated.

    Attributes:
        others: groups that this version does not know, as they are.

    *Source:* reference page, "Payload"; V2 documentation, "Private WebSocket".
    """

    account: tuple[Account, ...] = ()
    collateral: tuple[Collateral, ...] = ()
    collateral_transaction: tuple[CollateralTransaction, ...] = ()
    position: tuple[Position, ...] = ()
    position_transaction: tuple[PositionTransaction, ...] = ()
    deposit: tuple[Deposit, ...] = ()
    withdraw: tuple[Withdraw, ...] = ()
    transfer_in: tuple[TransferIn, ...] = ()
    transfer_out: tuple[TransferOut, ...] = ()
    order: tuple[Order, ...] = ()
    order_fill_transaction: tuple[OrderFillTransaction, ...] = ()
    position_term_list: tuple[PositionTerm, ...] = ()
    others: dict[str, Any] = msgspec.field(default_factory=dict)


class TradeEvent(WireMessage, frozen=True, kw_only=True, rename="camel"):
    """What happened to the user's account.

    Attributes:
        event: ``Snapshot`` first and after each connect, in which an empty ``order`` means that there is none; then
            ``ACCOUNT_UPDATE``, ``DEPOSIT_UPDATE``, ``WITHDRAW_UPDATE``, ``TRANSFER_IN_UPDATE``, ``TRANSFER_OUT_UPDATE``,
            ``ORDER_UPDATE``, ``FORCE_WITHDRAW_UPDATE``, ``FORCE_TRADE_UPDATE``, ``FUNDING_SETTLEMENT``,
            ``ORDER_FILL_FEE_INCOME``, ``START_LIQUIDATING``, ``FINISH_LIQUIDATING``, ``UNRECOGNIZED``.
        version: goes up; a jump is no loss.
        time: Unix milliseconds.
        data: the entries.

    *Source:* reference page, "Private WebSocket"; V2 documentation, "Private WebSocket".
    """

    event: str
    version: Counter | None = None
    time: Counter | None = None
    account_id: Id | None = None
    data: Groups

    @property
    def is_snapshot(self) -> bool:
        """Whether it is the state as of now, and no news."""
        return self.event.lower() == "snapshot"
