"""The rows and frames of the private socket, as plain dicts.

*Source:* edgeX documentation, pages private WebSocket (V1 with real examples, V2 abridged), account API, order API.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from trioquotes.simulator.book import ZERO
from trioquotes.simulator.happenings import Side
from trioquotes.simulator.venues.edgex.listings import QUOTE_COIN_ID, Account, Contract
from trioquotes.simulator.venues.edgex.positions import Fill, Moved, Position, Stat
from trioquotes.simulator.venues.edgex.style import Style
from trioquotes.simulator.venues.edgex.texts import fixed, money, ms, plain, scaled

__all__ = [
    "CUMULATED",
    "Ticket",
    "account_row",
    "collateral_row",
    "collateral_transaction_row",
    "fill_row",
    "movement_row",
    "order_row",
    "position_row",
    "position_term_row",
    "position_transaction_row",
    "trade_event",
]

GROUPS = (
    "account", "collateral", "collateralTransaction", "position", "positionTransaction", "deposit", "withdraw",
    "transferIn", "transferOut", "order", "orderFillTransaction",
)  # fmt: skip
V2_GROUPS = ("positionTermList",)

CUMULATED = (
    "cumDepositAmount", "cumWithdrawAmount", "cumTransferInAmount", "cumTransferOutAmount", "cumPositionBuyAmount",
    "cumPositionSellAmount", "cumFillFeeAmount", "cumFundingFeeAmount", "cumFillFeeIncomeAmount",
)  # fmt: skip
"""The sums that make up an account's collateral, in the order in which they are printed."""

NUMERIC_IDS = frozenset(
    {"id", "userId", "accountId", "coinId", "contractId", "orderId", "positionContractId"}
)
"""What the V2 page prints as numbers."""


@attrs.define(kw_only=True)
class Ticket:
    """An order of an account.

    Attributes:
        order_id: the venue's number.
        price: zero for a market order.
        size: zero for a market order that spends ``limit_value``.
        trigger: the price that sets a stop order off, or ``None``.
        filled: how much traded; ``filled_value`` and ``filled_fee`` for how much.
    """

    order_id: str
    contract: Contract
    side: Side
    price: Decimal
    size: Decimal
    client_id: str
    status: str
    created_ns: int
    updated_ns: int
    limit_value: Decimal = ZERO
    trigger: Decimal | None = None
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    filled_fee: Decimal = ZERO


def trade_event(
    event: str,
    groups: Mapping[str, list[dict[str, Any]]],
    *,
    version: int,
    time_ns: int,
    account: Account,
    style: Style,
) -> dict[str, Any]:
    """One frame; groups without news are there and empty, except where the V2 page leaves them out."""
    time_ms = time_ns // 10**6
    content: dict[str, Any]
    if style.as_docs and style.is_v2:
        shown = {name: [_numeric(row) for row in rows] for name, rows in groups.items() if rows}
        content = {"event": event, "version": version, "time": time_ms, "data": shown}
        return {"type": "trade-event", "content": content}
    names = (*GROUPS, *V2_GROUPS) if style.is_v2 else GROUPS
    data = {name: groups.get(name, []) for name in names}
    if style.as_docs:
        content = {"event": event, "version": str(version), "data": data}
    else:
        account_id = int(account.account_id) if style.is_v2 else 0
        content = {
            "event": event,
            "version": version,
            "data": data,
            "time": time_ms,
            "accountId": account_id,
        }
    return {"type": "trade-event", "content": content}


def _numeric(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: int(value) if name in NUMERIC_IDS else value for name, value in row.items()}


def _owner(account: Account) -> dict[str, Any]:
    return {"userId": account.user_id, "accountId": account.account_id, "coinId": QUOTE_COIN_ID}


def account_row(
    account: Account, *, is_liquidating: bool, created_ns: int, updated_ns: int
) -> dict[str, Any]:
    """The account itself."""
    return {
        "id": account.account_id, "userId": account.user_id, "ethAddress": account.eth_address,
        "clientAccountId": account.client_account_id, "status": "NORMAL", "isLiquidating": is_liquidating,
        "createdTime": ms(created_ns), "updatedTime": ms(updated_ns),
    }  # fmt: skip


def collateral_row(
    account: Account, sums: Mapping[str, Decimal], open_value: Decimal, *, created_ns: int, updated_ns: int
) -> dict[str, Any]:
    """What the account has in the quote coin: the sum of all that ever moved it."""
    amount = sum(sums.values(), ZERO)
    return {
        **_owner(account), "amount": money(amount), "legacyAmount": money(amount + open_value),
        **{name: money(sums[name]) for name in CUMULATED},
        "createdTime": ms(created_ns), "updatedTime": ms(updated_ns),
    }  # fmt: skip


def collateral_transaction_row(
    account: Account, row_id: str, kind: str, *, delta: Decimal, before: Decimal, contract_id: str, time_ns: int,
    funding: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One movement of the collateral; what is said of a funding is there, and empty, in all of them."""
    nothing = {
        "fundingTime": "0", "fundingRate": "", "fundingIndexPrice": "", "fundingOraclePrice": "", "fundingPositionSize": "",
    }  # fmt: skip
    return {
        "id": row_id, **_owner(account), "type": kind, "deltaAmount": scaled(delta, 6), "beforeAmount": scaled(before, 6),
        **nothing, **(funding or {}), "positionContractId": contract_id, "createdTime": ms(time_ns),
        "updatedTime": ms(time_ns),
    }  # fmt: skip


def _stat(stat: Stat, step: Decimal) -> dict[str, Any]:
    return {
        "cumOpenSize": _size(stat.open_size, step), "cumOpenValue": money(stat.open_value), "cumOpenFee": money(stat.open_fee),
        "cumCloseSize": _size(stat.close_size, step), "cumCloseValue": money(stat.close_value),
        "cumCloseFee": money(stat.close_fee), "cumFundingFee": money(stat.funding_fee), "cumLiquidateFee": "0",
    }  # fmt: skip


def _size(size: Decimal, step: Decimal) -> str:
    return fixed(size, step) if size else "0"


def position_row(account: Account, contract: Contract, position: Position) -> dict[str, Any]:
    """A position, with the sums of its present holding and of all before."""
    step = contract.step
    row = {
        **_owner(account), "contractId": contract.contract_id, "openSize": _size(position.size, step),
        "openValue": money(position.value), "openFee": money(position.open_fee), "fundingFee": money(position.funding_fee),
    }  # fmt: skip
    for name, held in (("long", position.long), ("short", position.short)):
        row[f"{name}TermCount"] = held.count
        row[f"{name}TermStat"] = _stat(held.term, step)
        row[f"{name}TermCreatedTime"] = ms(held.created_ns)
        row[f"{name}TermUpdatedTime"] = ms(held.updated_ns)
    return {
        **row, "longTotalStat": _stat(position.long.total, step), "shortTotalStat": _stat(position.short.total, step),
        "createdTime": ms(position.created_ns), "updatedTime": ms(position.updated_ns),
    }  # fmt: skip


def position_term_row(account: Account, contract: Contract, position: Position) -> dict[str, Any]:
    """The holding that was touched last."""
    long, short = position.long, position.short
    held = long if (long.updated_ns, position.size) >= (short.updated_ns, ZERO) else short
    return {
        **_owner(account), "contractId": contract.contract_id, "termCount": held.count, **_stat(held.term, contract.step),
        "createdTime": ms(held.created_ns), "updatedTime": ms(held.updated_ns), "currentLeverage": "10",
    }  # fmt: skip


def position_transaction_row(
    account: Account, contract: Contract, row_id: str, kind: str, *, before_size: Decimal, time_ns: int,
    delta_funding: Decimal = ZERO, funding: Mapping[str, str] | None = None, fill: Fill | None = None,
    moved: Moved | None = None, ids: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One movement of a position: by a fill, or by a funding."""
    row: dict[str, Any] = {
        "id": row_id, **_owner(account), "contractId": contract.contract_id, "type": kind,
        "deltaFundingFee": scaled(delta_funding, 6), "beforeOpenSize": _size(before_size, contract.step),
        "fundingTime": "0", "fundingRate": "", **(funding or {}),
    }  # fmt: skip
    if fill is not None and moved is not None:
        step = contract.step
        row |= {
            "deltaOpenSize": _size(moved.opened_size + moved.closed_size, step),
            "deltaOpenValue": scaled(moved.delta_value, 6), "beforeOpenValue": money(moved.before_value),
            "fillCloseSize": fixed(moved.closed_size, step), "fillCloseValue": scaled(moved.closed_value, 6),
            "fillOpenSize": fixed(moved.opened_size, step), "fillOpenValue": scaled(moved.opened_value, 6),
            "fillPrice": fixed(fill.price, contract.tick), "liquidateFee": "0", "realizePnl": scaled(moved.realized, 6),
            "isLiquidate": False, "isDeleverage": False,
        }  # fmt: skip
    return {**row, **(ids or {}), "createdTime": ms(time_ns), "updatedTime": ms(time_ns)}


def order_row(account: Account, ticket: Ticket) -> dict[str, Any]:
    """An order as it stands."""
    contract = ticket.contract
    tick, step = contract.tick, contract.step
    market = not ticket.price
    kind = "MARKET" if market else "LIMIT"
    trigger = ticket.trigger
    return {
        "id": ticket.order_id, **_owner(account), "contractId": contract.contract_id,
        "side": "BUY" if ticket.side == "buy" else "SELL", "price": fixed(ticket.price, tick),
        "size": fixed(ticket.size, step), "clientOrderId": ticket.client_id,
        "type": f"STOP_{kind}" if trigger is not None else kind,
        "timeInForce": "IMMEDIATE_OR_CANCEL" if market else "GOOD_TIL_CANCEL", "reduceOnly": False,
        "triggerPrice": "0" if trigger is None else fixed(trigger, tick),
        "triggerPriceType": "UNKNOWN_PRICE_TYPE" if trigger is None else "LAST_PRICE",
        "expireTime": ms(ticket.created_ns + 21 * 86_400 * 10**9), "status": ticket.status, "maxLeverage": "10",
        "takerFeeRate": "0.000380", "makerFeeRate": "0.000150", "marketLimitValue": money(ticket.limit_value),
        "l2Nonce": str(int(ticket.order_id) % 2**32), "cumFillSize": _size(ticket.filled, step),
        "cumFillValue": plain(ticket.filled_value), "cumFillFee": money(ticket.filled_fee),
        "cumMatchSize": _size(ticket.filled, step), "createdTime": ms(ticket.created_ns),
        "updatedTime": ms(ticket.updated_ns),
    }  # fmt: skip


def fill_row(
    account: Account,
    ticket: Ticket,
    fill: Fill,
    moved: Moved,
    row_id: str,
    *,
    is_maker: bool,
    ids: Mapping[str, str],
) -> dict[str, Any]:
    """One trade as its owner sees it; the fee is above zero where it was paid."""
    contract = ticket.contract
    return {
        "id": row_id, **_owner(account), "contractId": contract.contract_id, "orderId": ticket.order_id,
        "orderSide": "BUY" if ticket.side == "buy" else "SELL", "fillSize": fixed(fill.size, contract.step),
        "fillValue": plain(fill.value), "fillFee": scaled(fill.fee, 6), "fillPrice": fixed(fill.price, contract.tick),
        "liquidateFee": "0", "realizePnl": scaled(moved.realized, 6), "isLiquidate": False, "isDeleverage": False,
        "direction": "MAKER" if is_maker else "TAKER", "matchTime": ms(fill.time_ns), **ids,
        "createdTime": ms(fill.time_ns), "updatedTime": ms(fill.time_ns),
    }  # fmt: skip


def movement_row(
    account: Account,
    row_id: str,
    *,
    amount: Decimal,
    transaction_id: str,
    time_ns: int,
    party: Mapping[str, str],
) -> dict[str, Any]:
    """A deposit, withdrawal or transfer; the amount is above zero in all of them."""
    return {
        "id": row_id, **_owner(account), "amount": scaled(amount, 6), **party, "status": "SUCCESS_L2_APPROVED",
        "collateralTransactionId": transaction_id, "createdTime": ms(time_ns), "updatedTime": ms(time_ns),
    }  # fmt: skip
