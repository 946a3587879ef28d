"""What happens to an account that neither its orders nor funding bring about.

*Source:* edgeX documentation, page private WebSocket, the events of ``trade-event``.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from trioquotes.simulator.venues.edgex.listings import Account

__all__ = ["BY_HAND", "MOVES", "AccountEvent", "party_of"]

AccountEvent: TypeAlias = Literal[
    "ACCOUNT_UPDATE", "DEPOSIT_UPDATE", "WITHDRAW_UPDATE", "TRANSFER_IN_UPDATE", "TRANSFER_OUT_UPDATE",
    "FORCE_WITHDRAW_UPDATE", "FORCE_TRADE_UPDATE", "ORDER_FILL_FEE_INCOME", "START_LIQUIDATING",
    "FINISH_LIQUIDATING", "UNRECOGNIZED",
]  # fmt: skip

MOVES: dict[str, tuple[str, str, str, int]] = {
    "DEPOSIT_UPDATE": ("DEPOSIT", "cumDepositAmount", "deposit", 1),
    "WITHDRAW_UPDATE": ("WITHDRAW", "cumWithdrawAmount", "withdraw", -1),
    "TRANSFER_IN_UPDATE": ("TRANSFER_IN", "cumTransferInAmount", "transferIn", 1),
    "TRANSFER_OUT_UPDATE": ("TRANSFER_OUT", "cumTransferOutAmount", "transferOut", -1),
    "FORCE_WITHDRAW_UPDATE": ("FORCE_WITHDRAW", "cumWithdrawAmount", "", -1),
    "ORDER_FILL_FEE_INCOME": ("FILL_FEE_INCOME", "cumFillFeeIncomeAmount", "", 1),
}
"""Type of the transaction, the sum that it moves, the group that tells of it, and the sign."""

BY_HAND: tuple[AccountEvent, ...] = (
    "DEPOSIT_UPDATE", "TRANSFER_IN_UPDATE", "ACCOUNT_UPDATE", "ORDER_FILL_FEE_INCOME", "TRANSFER_OUT_UPDATE",
    "WITHDRAW_UPDATE", "START_LIQUIDATING", "FORCE_TRADE_UPDATE", "FINISH_LIQUIDATING", "FORCE_WITHDRAW_UPDATE",
    "UNRECOGNIZED",
)  # fmt: skip
"""What does not come from orders or funding, in an order that makes sense."""

OTHER_ACCOUNT_ID = "543429922991899150"
"""The account on the other side of transfers."""


def party_of(group: str, account: Account, row_id: str) -> dict[str, str]:
    """What the row of a group says of where the money came from or went to."""
    if group == "deposit":
        return {"ethAddress": account.eth_address}
    if group == "withdraw":
        return {"ethAddress": account.eth_address, "clientWithdrawId": row_id}
    who = "senderAccountId" if group == "transferIn" else "receiverAccountId"
    return {who: OTHER_ACCOUNT_ID, "transferReason": "USER_TRANSFER"}
