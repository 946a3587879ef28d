"""One account of the venue: its orders, positions and collateral, and the events that tell of them; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from trioquotes.simulator.book import ZERO
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import (
    Activated,
    Changed,
    Closed,
    Happening,
    Matched,
    Opened,
    Received,
    Side,
)
from trioquotes.simulator.venues.edgex import private
from trioquotes.simulator.venues.edgex.listings import Account, Contract
from trioquotes.simulator.venues.edgex.movements import MOVES, AccountEvent, party_of
from trioquotes.simulator.venues.edgex.positions import Fill, Moved, Position
from trioquotes.simulator.venues.edgex.private import CUMULATED, Ticket
from trioquotes.simulator.venues.edgex.reference import Reference
from trioquotes.simulator.venues.edgex.style import Style
from trioquotes.simulator.venues.edgex.texts import ms, order_number, plain, scaled, ticket_id

__all__ = ["Frame", "Ledger"]

DAY_NS = 86_400 * 10**9
FIRST_VERSION = 17_873
ODD_VERSION = 5
"""After a version that is a multiple of this the next is three further; the documented examples jump too."""

CROWD_CLIENT_ID = re.compile("[0-9a-f]{16}")
"""How the market's own traders name their orders; the venue's clients use numbers."""

FIRST_ID, ID_STEP = 736_936_291_735_699_983, 1_024

Frame: TypeAlias = tuple[str, dict[str, Any]]
"""An event's name and its frame."""

_Groups: TypeAlias = dict[str, list[dict[str, Any]]]


class Ledger:
    """An account and what happens to it.

    Args:
        account: whose.
        contracts: by id.
        style: how frames are written.
        now_ns: the time at the start.
    """

    def __init__(
        self, account: Account, contracts: Mapping[str, Contract], style: Style, now_ns: int
    ) -> None:
        self.account = account
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, Ticket] = {}
        self.sums: dict[str, Decimal] = dict.fromkeys(CUMULATED, ZERO)
        self.sums["cumDepositAmount"] = account.balance
        self._contracts = contracts
        self._style = style
        self._created_ns = now_ns - 30 * DAY_NS
        self._account_ns = self._collateral_ns = self._created_ns
        self._liquidating = False
        self._version = FIRST_VERSION
        self._ids = 0

    @property
    def amount(self) -> Decimal:
        """The collateral: the sum of all that ever moved it."""
        return sum(self.sums.values(), ZERO)

    def snapshot(self, now_ns: int) -> Frame:
        """Everything there is; it carries the version from which updates go on."""
        groups: _Groups = {
            "account": [self._account_row()],
            "collateral": [self._collateral_row()],
            "position": [
                private.position_row(self.account, self._contracts[name], held)
                for name, held in self.positions.items()
                if held.size
            ],
            "order": [private.order_row(self.account, ticket) for ticket in self.orders.values()],
        }
        return self._frame("Snapshot", groups, now_ns)

    def adopt(self, floor: Floor, now_ns: int) -> None:
        """Take over what the account has on a market that has just begun."""
        mine = self.account.account_id
        contract = self._contracts[floor.listing.instrument]
        for order in floor.book.orders.values():
            if order.owner == mine and order.price is not None and order.size is not None:
                self.orders[order.order_id] = Ticket(
                    order_id=order_number(order.order_id), contract=contract, side=order.side, price=order.price,
                    size=order.size, client_id=_client_number(order.client_id), status="OPEN", created_ns=now_ns,
                    updated_ns=now_ns,
                )  # fmt: skip
        for trade in floor.trades:
            if trade.maker_owner == mine:
                fill = Fill.of(trade, is_maker=True)
                self._settle_fill(contract.contract_id, fill)
                if (ticket := self.orders.get(trade.maker_order_id)) is not None:
                    _count(ticket, fill)

    # Orders -----------------------------------------------------------------------------------------

    def follow(self, happening: Happening) -> list[Frame]:
        """What this account is told of a happening on the market."""
        mine = self.account.account_id
        match happening:
            case Matched():
                frames: list[Frame] = []
                for is_maker in (True, False):
                    owner = happening.maker_owner if is_maker else happening.taker_owner
                    if owner == mine:
                        frames += self._matched(happening, is_maker=is_maker)
                return frames
            case Activated(owner=owner) if owner == mine:
                return self._activated(happening)
            case Received(owner=owner) if owner == mine:
                return self._received(happening)
            case Opened() | Changed() | Closed() if happening.owner == mine:
                return self._went_on(happening)
            case _:
                return []

    def _activated(self, happening: Activated) -> list[Frame]:
        ticket = self._ticket(
            happening, price=ZERO, size=happening.size, status="UNTRIGGERED", trigger=happening.stop_price
        )
        self.orders[happening.order_id] = ticket
        return [self._told(ticket, happening.time_ns)]

    def _received(self, happening: Received) -> list[Frame]:
        waiting = self.orders.get(happening.order_id)
        if waiting is not None:  # a stop order whose price has traded
            waiting.status = "PENDING"
            return [self._told(waiting, happening.time_ns)]
        ticket = self._ticket(
            happening, price=happening.price or ZERO, size=happening.size or ZERO, status="PENDING",
            client_id=happening.client_id, limit_value=happening.funds or ZERO,
        )  # fmt: skip
        self.orders[happening.order_id] = ticket
        return [self._told(ticket, happening.time_ns)]

    def _ticket(
        self, happening: Activated | Received, *, price: Decimal, size: Decimal, status: str,
        client_id: str | None = None, limit_value: Decimal = ZERO, trigger: Decimal | None = None,
    ) -> Ticket:  # fmt: skip
        number = order_number(happening.order_id)
        return Ticket(
            order_id=number, contract=self._contracts[happening.instrument], side=happening.side, price=price,
            size=size, client_id=_client_number(client_id), status=status, created_ns=happening.time_ns,
            updated_ns=happening.time_ns, limit_value=limit_value, trigger=trigger,
        )  # fmt: skip

    def _went_on(self, happening: Opened | Changed | Closed) -> list[Frame]:
        ticket = self.orders.get(happening.order_id)
        if ticket is None:  # its last fill has told already that it is over
            return []
        if isinstance(happening, Opened):
            ticket.status = "OPEN"
        elif isinstance(happening, Changed):
            ticket.size = ticket.filled + (happening.new_size or ZERO)
            ticket.price = happening.new_price or ZERO
            ticket.limit_value = happening.new_funds or ZERO
        else:
            ticket.status = "FILLED" if happening.reason == "filled" else "CANCELED"
            del self.orders[happening.order_id]
        return [self._told(ticket, happening.time_ns)]

    def _told(self, ticket: Ticket, now_ns: int) -> Frame:
        ticket.updated_ns = now_ns
        return self._event("ORDER_UPDATE", {"order": [private.order_row(self.account, ticket)]}, now_ns)

    # Fills ------------------------------------------------------------------------------------------

    def _matched(self, trade: Matched, *, is_maker: bool) -> list[Frame]:
        """A fill: the order with the position it made, then the collateral that it moved."""
        order_id = trade.maker_order_id if is_maker else trade.taker_order_id
        ticket = self.orders[order_id]
        fill = Fill.of(trade, is_maker=is_maker)
        _count(ticket, fill)
        if ticket.size and ticket.filled == ticket.size:
            ticket.status = "FILLED"
            del self.orders[order_id]
        return self._filled(ticket, fill, trade, is_maker=is_maker)

    def _settle_fill(self, contract_id: str, fill: Fill) -> tuple[Moved, Decimal]:
        """Move position and collateral by a fill; returns what it did, and what it paid or, negative, cost."""
        moved = self._position(contract_id).fill(fill)
        delta = fill.value if fill.side == "sell" else -fill.value
        self.sums["cumPositionSellAmount" if fill.side == "sell" else "cumPositionBuyAmount"] += delta
        self.sums["cumFillFeeAmount"] -= fill.fee
        self._collateral_ns = fill.time_ns
        return moved, delta

    def _filled(self, ticket: Ticket, fill: Fill, trade: Matched, *, is_maker: bool) -> list[Frame]:
        account, contract, now_ns = self.account, ticket.contract, fill.time_ns
        before = self.amount
        moved, delta = self._settle_fill(contract.contract_id, fill)
        position = self.positions[contract.contract_id]
        kind = _kind(fill.side)
        fill_id, position_id, collateral_id = self._new_id(), self._new_id(), self._new_id()
        match_id = ticket_id(contract.contract_id, trade.trade_id, as_uuid=self._style.is_v2)
        row = private.fill_row(
            account, ticket, fill, moved, fill_id, is_maker=is_maker,
            ids={
                "matchFillId": match_id, "positionTransactionId": position_id, "collateralTransactionId": collateral_id,
            },
        )  # fmt: skip
        collateral = private.collateral_transaction_row(
            account, collateral_id, kind, delta=delta - fill.fee, before=before, contract_id=contract.contract_id,
            time_ns=now_ns,
        )  # fmt: skip
        transaction = private.position_transaction_row(
            account, contract, position_id, kind, before_size=moved.before_size, time_ns=now_ns, fill=fill, moved=moved,
            ids={
                "orderId": ticket.order_id, "orderFillTransactionId": fill_id, "collateralTransactionId": collateral_id,
            },
        )  # fmt: skip
        order: _Groups = {
            "order": [private.order_row(account, ticket)], "orderFillTransaction": [row],
            "position": [private.position_row(account, contract, position)],
        }  # fmt: skip
        money_moved: _Groups = {
            "collateral": [self._collateral_row()], "collateralTransaction": [collateral],
            "positionTransaction": [transaction],
            "positionTermList": [private.position_term_row(account, contract, position)],
        }  # fmt: skip
        return [
            self._event("ORDER_UPDATE", order, now_ns),
            self._event("ACCOUNT_UPDATE", money_moved, now_ns),
        ]

    # Money ------------------------------------------------------------------------------------------

    def settle(self, references: Mapping[str, Reference], now_ns: int) -> list[Frame]:
        """Pay or receive the funding of every position; one event for all of them."""
        groups: _Groups = {"collateralTransaction": [], "position": [], "positionTransaction": []}
        for contract_id, position in self.positions.items():
            if not position.size:
                continue
            contract, reference = self._contracts[contract_id], references[contract_id]
            rate, time_ns = reference.funding.rate, reference.funding.time_ns
            paid = (-position.size * reference.oracle * rate).quantize(Decimal("1e-6"))
            said = {"fundingTime": ms(time_ns), "fundingRate": scaled(rate, 8)}
            said_more = {
                **said, "fundingIndexPrice": plain(reference.index), "fundingOraclePrice": plain(reference.oracle),
                "fundingPositionSize": plain(position.size),
            }  # fmt: skip
            before = self.amount
            self.sums["cumFundingFeeAmount"] += paid
            position.fund(paid, now_ns)
            groups["collateralTransaction"].append(
                private.collateral_transaction_row(
                    self.account, self._new_id(), "POSITION_FUNDING", delta=paid, before=before,
                    contract_id=contract_id, time_ns=now_ns, funding=said_more,
                )
            )  # fmt: skip
            groups["position"].append(private.position_row(self.account, contract, position))
            groups["positionTransaction"].append(
                private.position_transaction_row(
                    self.account, contract, self._new_id(), "SETTLE_FUNDING_FEE", before_size=position.size,
                    time_ns=now_ns, delta_funding=paid, funding=said,
                )
            )  # fmt: skip
        if not groups["position"]:
            return []
        self._collateral_ns = now_ns
        groups["collateral"] = [self._collateral_row()]
        return [self._event("FUNDING_SETTLEMENT", groups, now_ns)]

    def happen(self, event: AccountEvent, amount: Decimal, now_ns: int) -> list[Frame]:
        """Let something happen that neither orders nor funding bring about.

        Args:
            event: what.
            amount: how much moves, above zero; for those that move money.
            now_ns: when.
        """
        if event in MOVES:
            return [self._event(event, self._move(event, amount, now_ns), now_ns)]
        if event == "FORCE_TRADE_UPDATE":
            return [self._event(event, self._force_trade(now_ns), now_ns)]
        if event == "UNRECOGNIZED":
            return [self._event(event, {}, now_ns)]
        if event != "ACCOUNT_UPDATE":
            self._liquidating = event == "START_LIQUIDATING"
        self._account_ns = now_ns
        return [self._event(event, {"account": [self._account_row()]}, now_ns)]

    def _move(self, event: AccountEvent, amount: Decimal, now_ns: int) -> _Groups:
        kind, cumulated, group, sign = MOVES[event]
        row_id, transaction_id, before = self._new_id(), self._new_id(), self.amount
        self.sums[cumulated] += sign * amount
        self._collateral_ns = now_ns
        transaction = private.collateral_transaction_row(
            self.account,
            transaction_id,
            kind,
            delta=sign * amount,
            before=before,
            contract_id="0",
            time_ns=now_ns,
        )
        groups: _Groups = {"collateral": [self._collateral_row()], "collateralTransaction": [transaction]}
        if group:
            party = party_of(group, self.account, row_id)
            row = private.movement_row(
                self.account,
                row_id,
                amount=amount,
                transaction_id=transaction_id,
                time_ns=now_ns,
                party=party,
            )
            groups[group] = [row]
        return groups

    def _force_trade(self, now_ns: int) -> _Groups:
        """The venue closes the smallest part of every position, at the price of its opening and free of charge."""
        names = ("position", "positionTransaction", "collateral", "collateralTransaction")
        groups: _Groups = {name: [] for name in names}
        for contract_id, position in self.positions.items():
            if not position.size:
                continue
            contract, before = self._contracts[contract_id], self.amount
            side: Side = "sell" if position.size > 0 else "buy"
            price = abs(position.value / position.size).quantize(contract.tick)
            fill = Fill(time_ns=now_ns, side=side, price=price, size=contract.step, fee=ZERO)
            moved, delta = self._settle_fill(contract_id, fill)
            kind, ids = (
                _kind(side),
                {"forceTradeId": self._new_id(), "collateralTransactionId": self._new_id()},
            )
            groups["position"].append(private.position_row(self.account, contract, position))
            groups["positionTransaction"].append(
                private.position_transaction_row(
                    self.account, contract, self._new_id(), kind, before_size=moved.before_size, time_ns=now_ns,
                    fill=fill, moved=moved, ids=ids,
                )
            )  # fmt: skip
            groups["collateralTransaction"].append(
                private.collateral_transaction_row(
                    self.account, ids["collateralTransactionId"], kind, delta=delta, before=before,
                    contract_id=contract_id, time_ns=now_ns,
                )
            )  # fmt: skip
        groups["collateral"] = [self._collateral_row()]
        return groups

    # Rows -------------------------------------------------------------------------------------------

    def _position(self, contract_id: str) -> Position:
        return self.positions.setdefault(contract_id, Position(contract_id=contract_id))

    def _account_row(self) -> dict[str, Any]:
        return private.account_row(
            self.account,
            is_liquidating=self._liquidating,
            created_ns=self._created_ns,
            updated_ns=self._account_ns,
        )

    def _collateral_row(self) -> dict[str, Any]:
        held = sum((position.value for position in self.positions.values()), ZERO)
        return private.collateral_row(
            self.account, self.sums, held, created_ns=self._created_ns, updated_ns=self._collateral_ns
        )

    def _new_id(self) -> str:
        self._ids += 1
        return str(FIRST_ID + self._ids * ID_STEP)

    def _event(self, event: str, groups: _Groups, now_ns: int) -> Frame:
        self._version += 1 if self._version % ODD_VERSION else 3
        return self._frame(event, groups, now_ns)

    def _frame(self, event: str, groups: _Groups, now_ns: int) -> Frame:
        return event, private.trade_event(
            event, groups, version=self._version, time_ns=now_ns, account=self.account, style=self._style
        )


def _count(ticket: Ticket, fill: Fill) -> None:
    ticket.filled += fill.size
    ticket.filled_value += fill.value
    ticket.filled_fee += fill.fee
    ticket.updated_ns = fill.time_ns


def _kind(side: Side) -> str:
    return "SELL_POSITION" if side == "sell" else "BUY_POSITION"


def _client_number(client_id: str | None) -> str:
    if client_id is None:
        return ""
    return str(int(client_id, 16)) if CROWD_CLIENT_ID.fullmatch(client_id) else client_id
