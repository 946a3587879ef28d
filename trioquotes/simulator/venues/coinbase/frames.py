"""The venue's messages, built as plain dictionaries from what happened.

*Source:* docs.cdp.coinbase.com/exchange/websocket-feed/channels, and recordings where the wire differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from trioquotes.simulator.floor import Floor, Listing
from trioquotes.simulator.happenings import (
    Activated,
    AuctionIndicated,
    BalanceMoved,
    BlockTraded,
    Changed,
    Closed,
    Happening,
    LevelSet,
    Matched,
    Opened,
    Received,
    Side,
    opposite,
)
from trioquotes.simulator.venues.coinbase.listings import Profile, account_id
from trioquotes.simulator.venues.coinbase.texts import fixed, level_texts, plain, time_text

__all__ = [
    "VOLUME_STEP",
    "auction",
    "balance",
    "change_rows",
    "full",
    "heartbeat",
    "l2update",
    "match",
    "rfq_match",
    "snapshot",
    "ticker",
]

VOLUME_STEP = Decimal("0.00000001")

CAUSES = {
    "self_trade": "102:Self Trade Prevention",
    "no_liquidity": "106:Insufficient Liquidity",
    "user": "101:Time In Force",
}
TAKER_FEE_RATE = "0.005"
MAKER_FEE_RATE = "0.003"


def full(happening: Happening, listing: Listing, view: Profile | None) -> dict[str, Any] | None:
    """A message of the full channel, or ``None`` for what the channel does not carry.

    Args:
        happening: what happened.
        listing: where, for its steps.
        view: who sees it; the owner of the order sees more.
    """
    match happening:
        case Received():
            frame = _received(happening, view)
        case Opened():
            frame = {
                "price": plain(happening.price), "order_id": happening.order_id,
                "remaining_size": plain(happening.remaining), "type": "open", "side": happening.side,
            }  # fmt: skip
        case Closed():
            frame = _done(happening, view)
        case Changed():
            frame = _change(happening)
        case Matched():
            return match(happening, view)
        case Activated():
            return _activate(happening, view)
        case _:
            return None
    frame |= {
        "product_id": listing.instrument,
        "time": time_text(happening.time_ns),
        "sequence": happening.sequence,
    }
    return frame | (_ids(view) if view and getattr(happening, "owner", None) == view.name else {})


def _ids(view: Profile) -> dict[str, str]:
    return {"user_id": view.user_id, "profile_id": view.profile_id}


def _received(happening: Received, view: Profile | None) -> dict[str, Any]:
    frame: dict[str, Any] = {"order_id": happening.order_id, "order_type": happening.kind}
    for name, value in (("size", happening.size), ("funds", happening.funds), ("price", happening.price)):
        if value is not None:
            frame[name] = plain(value)
    if happening.client_id is not None and view and happening.owner == view.name:
        frame["client_oid"] = happening.client_id
    return frame | {"type": "received", "side": happening.side}


def _done(happening: Closed, view: Profile | None) -> dict[str, Any]:
    frame: dict[str, Any] = {"order_id": happening.order_id, "reason": happening.reason}
    if happening.price is not None:
        frame["price"] = plain(happening.price)
    if happening.remaining is not None:
        frame["remaining_size"] = plain(happening.remaining)
    if happening.cause and happening.cause != "user" and view and happening.owner == view.name:
        frame["cancel_reason"] = CAUSES[happening.cause]
    return frame | {"type": "done", "side": happening.side}


def _change(happening: Changed) -> dict[str, Any]:
    frame: dict[str, Any] = {}
    modified = happening.cause == "modified"
    if modified:
        pairs = [("old_price", happening.old_price), ("new_price", happening.new_price)]
    else:
        pairs = [("price", happening.new_price)]
        pairs += [("old_funds", happening.old_funds), ("new_funds", happening.new_funds)]
    pairs += [("old_size", happening.old_size), ("new_size", happening.new_size)]
    for name, value in pairs:
        if value is not None:
            frame[name] = plain(value)
    reason = "modify_order" if modified else "STP"
    return frame | {
        "order_id": happening.order_id,
        "reason": reason,
        "type": "change",
        "side": happening.side,
    }


def _activate(happening: Activated, view: Profile | None) -> dict[str, Any] | None:
    """Only the owner hears of a stop order; the time is in epoch seconds, and there is no sequence."""
    if view is None or happening.owner != view.name:
        return None
    seconds, rest_ns = divmod(happening.time_ns, 10**9)
    return {
        "type": "activate", "product_id": happening.instrument,
        "timestamp": f"{seconds}.{rest_ns // 1000:06d}", **_ids(view), "order_id": happening.order_id,
        "stop_type": happening.stop, "side": happening.side, "stop_price": plain(happening.stop_price),
        "size": plain(happening.size), "funds": plain(happening.size * happening.stop_price),
        "taker_fee_rate": TAKER_FEE_RATE, "private": True,
    }  # fmt: skip


def match(trade: Matched, view: Profile | None = None, kind: str = "match") -> dict[str, Any]:
    """A trade; ``side`` is the maker's."""
    frame: dict[str, Any] = {
        "type": kind, "trade_id": trade.trade_id, "maker_order_id": trade.maker_order_id,
        "taker_order_id": trade.taker_order_id, "side": opposite(trade.taker_side), "size": plain(trade.size),
        "price": plain(trade.price), "product_id": trade.instrument, "sequence": trade.sequence,
        "time": time_text(trade.time_ns),
    }  # fmt: skip
    if view is None:
        return frame
    roles = (("taker", trade.taker_owner, TAKER_FEE_RATE), ("maker", trade.maker_owner, MAKER_FEE_RATE))
    for role, owner, fee in roles:
        if owner == view.name:
            frame[f"{role}_user_id"] = view.user_id
            frame["user_id"] = view.user_id
            frame[f"{role}_profile_id"] = view.profile_id
            frame["profile_id"] = view.profile_id
            frame[f"{role}_fee_rate"] = fee
    return frame


def ticker(floor: Floor, trade: Matched | None) -> dict[str, Any]:
    """The ticker after a trade; where nothing ever traded it lacks what only a trade has.

    ``side`` is the taker's. How many decimals a number has depends on the field.
    """
    listing = floor.listing
    standing = trade.standing if trade else floor.standing()
    frame: dict[str, Any] = {
        "type": "ticker", "sequence": trade.sequence if trade else floor.sequence,
        "product_id": listing.instrument, "price": plain(trade.price if trade else listing.reference),
        "open_24h": plain(standing.open_24h), "volume_24h": fixed(standing.volume_24h, VOLUME_STEP),
        "low_24h": plain(standing.low_24h), "high_24h": plain(standing.high_24h),
        "volume_30d": fixed(standing.volume_30d, VOLUME_STEP),
        "best_bid": fixed(standing.bid or Decimal(0), listing.tick),
        "best_bid_size": fixed(standing.bid_size, VOLUME_STEP),
        "best_ask": fixed(standing.ask or Decimal(0), listing.tick),
        "best_ask_size": fixed(standing.ask_size, VOLUME_STEP),
    }  # fmt: skip
    if trade is not None:
        frame |= {
            "side": trade.taker_side, "time": time_text(trade.time_ns), "trade_id": trade.trade_id,
            "last_size": plain(trade.size),
        }  # fmt: skip
    return frame


def heartbeat(floor: Floor, now_ns: int) -> dict[str, Any]:
    """One a second; ``last_trade_id`` is 0 where nothing ever traded."""
    return {
        "type": "heartbeat", "last_trade_id": floor.trade_id, "product_id": floor.listing.instrument,
        "sequence": floor.sequence, "time": time_text(now_ns),
    }  # fmt: skip


def snapshot(floor: Floor, now_ns: int | None = None) -> dict[str, Any]:
    """The whole book by price, bids descending and asks ascending; newer ones carry the time."""
    listing = floor.listing
    frame: dict[str, Any] = {"type": "snapshot", "product_id": listing.instrument}
    sides: tuple[tuple[Side, str], ...] = (("sell", "asks"), ("buy", "bids"))
    for side, name in sides:
        frame[name] = [
            [fixed(price, listing.tick), fixed(size, listing.step)]
            for price, size, _ in floor.book.levels(side)
        ]
    return frame if now_ns is None else {**frame, "time": time_text(now_ns)}


def change_rows(listing: Listing, levels: Iterable[LevelSet], ordinal: int) -> list[list[str]]:
    """``[side, price, size]`` of each level; the size is absolute, some form of zero removes."""
    return [[level.side, *level_texts(listing, level, ordinal + place)] for place, level in enumerate(levels)]


def l2update(product: str, rows: list[list[str]], time: str) -> dict[str, Any]:
    """A change of the book by price; there is no sequence."""
    return {"type": "l2update", "product_id": product, "changes": rows, "time": time}


def auction(state: AuctionIndicated, listing: Listing) -> dict[str, Any]:
    """Where an auction stands; its time is called ``timestamp``."""

    def price(value: Decimal | None) -> str:
        return fixed(value or Decimal(0), listing.tick)

    return {
        "type": "auction", "product_id": state.instrument, "sequence": state.sequence,
        "auction_state": state.state, "best_bid_price": price(state.bid),
        "best_bid_size": plain(state.bid_size or Decimal(0)), "best_ask_price": price(state.ask),
        "best_ask_size": plain(state.ask_size or Decimal(0)), "open_price": price(state.open_price),
        "open_size": plain(state.open_size or Decimal(0)), "can_open": "yes" if state.open_size else "no",
        "timestamp": time_text(state.time_ns),
    }  # fmt: skip


def rfq_match(trade: BlockTraded) -> dict[str, Any]:
    """A trade away from the book, without a sequence; its side is upper case on the wire."""
    return {
        "type": "rfq_match", "maker_order_id": trade.maker_order_id, "taker_order_id": trade.taker_order_id,
        "time": time_text(trade.time_ns), "trade_id": trade.trade_id, "product_id": trade.instrument,
        "size": plain(trade.size), "price": plain(trade.price), "side": opposite(trade.taker_side).upper(),
    }  # fmt: skip


def balance(moved: BalanceMoved, profile: Profile, now_ns: int) -> dict[str, Any]:
    """What an account holds; all of it text."""
    return {
        "type": "balance", "account_id": account_id(profile, moved.currency), "currency": moved.currency,
        "holds": plain(moved.held), "available": plain(moved.available), "updated": time_text(moved.time_ns),
        "timestamp": time_text(now_ns),
    }  # fmt: skip
