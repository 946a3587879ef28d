"""The venue's frames on the public socket, as plain dicts whose order and spelling are those of the wire.

*Source:* edgeX documentation, page public WebSocket; recorded frames of V1 (2025) and V2 (2026) where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from trioquotes.simulator.happenings import Standing
from trioquotes.simulator.venues.edgex.depth import WindowChange
from trioquotes.simulator.venues.edgex.klines import Bar
from trioquotes.simulator.venues.edgex.listings import QUOTE_COIN_ID, Contract
from trioquotes.simulator.venues.edgex.reference import IMPACT_NOTIONAL, INTEREST_RATE, Reference
from trioquotes.simulator.venues.edgex.requests import Channel, Refusal
from trioquotes.simulator.venues.edgex.style import Style
from trioquotes.simulator.venues.edgex.tape import Day, Print
from trioquotes.simulator.venues.edgex.texts import fixed, kline_id, ms, plain, scaled, ticket_id

__all__ = [
    "book_ticker_row",
    "connected",
    "depth_row",
    "error",
    "funding_row",
    "kline_row",
    "metadata_row",
    "quote_event",
    "subscribed",
    "ticker_row",
    "trade_row",
    "unsubscribed",
]

ODD_ZERO = 4
"""Every so many deletions the size has decimals; both forms were seen."""


# Control ------------------------------------------------------------------------------------------------


def connected(sid: str, style: Style, *, private: bool, now_ns: int) -> dict[str, Any]:
    """The first frame; the time is on the private socket only, a number on V2."""
    frame: dict[str, Any] = {"sid": sid, "type": "connected"}
    if private:
        return {**frame, "time": now_ns // 10**6 if style.is_v2 else ms(now_ns)}
    if style.as_docs and style.is_v2:
        return {**frame, "channel": None, "request": None, "content": None, "time": None}
    return frame


def subscribed(channel: str, text: str, style: Style) -> dict[str, Any]:
    """The acknowledgement; the documents do not print the request."""
    frame = {"type": "subscribed", "channel": channel}
    return frame if style.as_docs else {**frame, "request": text}


def unsubscribed(channel: str) -> dict[str, Any]:
    """The acknowledgement of the opposite."""
    return {"type": "unsubscribed", "channel": channel}


def error(refusal: Refusal, style: Style, *, private: bool) -> dict[str, Any]:
    """An error with the request that it is about, except where the documents print none."""
    gateway = style.codes == "gateway" and not refusal.code.startswith("GATEWAY_")
    colon = " : " if style.is_v2 else ":"
    content: dict[str, Any] = {
        "code": f"GATEWAY_{refusal.code}" if gateway else refusal.code,
        "msg": refusal.words + (f"{colon}{refusal.subject}" if refusal.subject else ""),
    }
    if private or (style.as_docs and not style.is_v2):
        return {"type": "error", "content": content}
    if style.as_docs:
        content["details"] = None
        return {"type": "error", "channel": None, "request": refusal.text, "content": content}
    return {"type": "error", "request": refusal.text, "content": content}


def quote_event(channel: str, rows: list[dict[str, Any]], style: Style, *, snapshot: bool) -> dict[str, Any]:
    """A push of market data: the first is a ``Snapshot``, the others are ``changed``, in these cases."""
    if style.as_docs:
        kind = "Snapshot" if snapshot else "Changed"
        return {
            "type": "payload",
            "channel": channel,
            "content": {"dataType": kind, "channel": channel, "data": rows},
        }
    kind = "Snapshot" if snapshot else "changed"
    return {
        "type": "quote-event",
        "channel": channel,
        "content": {"channel": channel, "dataType": kind, "data": rows},
    }


# Rows ---------------------------------------------------------------------------------------------------


def ticker_row(
    contract: Contract, day: Day, standing: Standing, reference: Reference, style: Style, *, market_open: bool
) -> dict[str, Any]:
    """One contract's last twenty-four hours and prices."""
    tick, step = contract.tick, contract.step
    change = day.close - day.open
    row = {
        "contractId": contract.contract_id, "contractName": contract.name, "priceChange": fixed(change, tick),
        "priceChangePercent": scaled(change / day.open, 6), "trades": str(day.trades),
        "size": fixed(day.size, step) if day.size else "0", "value": plain(day.value), "high": fixed(day.high, tick),
        "low": fixed(day.low, tick), "open": fixed(day.open, tick), "close": fixed(day.close, tick),
        "highTime": ms(day.high_ns), "lowTime": ms(day.low_ns), "startTime": ms(day.start_ns), "endTime": ms(day.end_ns),
        "lastPrice": fixed(day.close, tick), "indexPrice": plain(reference.index), "oraclePrice": plain(reference.oracle),
    }  # fmt: skip
    if style.is_v2:
        row["markPrice"] = plain(reference.oracle)
    funding = reference.funding
    row |= {
        "openInterest": fixed(reference.open_interest, step), "fundingRate": scaled(funding.rate, 8),
        "fundingTime": ms(funding.time_ns), "nextFundingTime": ms(funding.next_ns),
    }  # fmt: skip
    for name, price in (("bestAskPrice", standing.ask), ("bestBidPrice", standing.bid)):
        if price is not None:
            row[name] = fixed(price, tick)
        elif style.empty_best == "zero":
            row[name] = "0"
    newer: dict[str, Any] = {"marketOpen": market_open} if style.is_v2 else {}
    if contract.liquidity is not None:
        newer["liquidity"] = contract.liquidity
    return {**row, **newer}


def book_ticker_row(contract: Contract, standing: Standing, time_ns: int, style: Style) -> dict[str, Any]:
    """The best of both sides; zeros for an empty one, and the time on V2 only."""
    tick, step = contract.tick, contract.step
    ask = {
        "bestAskPrice": "0" if standing.ask is None else fixed(standing.ask, tick),
        "bestAskSize": "0" if standing.ask is None else fixed(standing.ask_size, step),
    }
    bid = {
        "bestBidPrice": "0" if standing.bid is None else fixed(standing.bid, tick),
        "bestBidSize": "0" if standing.bid is None else fixed(standing.bid_size, step),
    }
    row = {"contractId": contract.contract_id, "contractName": contract.name}
    return {**row, "time": ms(time_ns), **ask, **bid} if style.is_v2 else {**row, **bid, **ask}


def trade_row(contract: Contract, made: Print, style: Style) -> dict[str, Any]:
    """One trade; V1's pages know no name in it."""
    name = {"contractName": contract.name} if style.is_v2 else {}
    return {
        "ticketId": ticket_id(contract.contract_id, made.number, as_uuid=style.is_v2), "time": ms(made.time_ns),
        "price": fixed(made.price, contract.tick), "size": fixed(made.size, contract.step),
        "value": plain(made.price * made.size), "takerOrderId": made.taker_order, "makerOrderId": made.maker_order,
        "takerAccountId": made.taker_account, "makerAccountId": made.maker_account,
        "contractId": contract.contract_id, **name, "isBestMatch": made.best, "isBuyerMaker": made.buyer_made,
    }  # fmt: skip


def kline_row(contract: Contract, channel: Channel, bar: Bar) -> dict[str, Any]:
    """One bar, which may still be forming; prices that are not traded keep all their digits."""
    traded = channel.price_type == "LAST_PRICE"

    def price(number: Decimal) -> str:
        return fixed(number, contract.tick) if traded else plain(number)

    def size(number: Decimal) -> str:
        return fixed(number, contract.step) if traded else "0"

    return {
        "klineId": kline_id(contract.contract_id, channel.price_type, channel.interval, bar.open_ns),
        "contractId": contract.contract_id, "contractName": contract.name, "klineType": channel.interval,
        "klineTime": ms(bar.open_ns), "priceType": channel.price_type, "trades": str(bar.trades),
        "size": size(bar.size), "value": plain(bar.value), "high": price(bar.high), "low": price(bar.low),
        "open": price(bar.open), "close": price(bar.close), "makerBuySize": size(bar.maker_buy_size),
        "makerBuyValue": plain(bar.maker_buy_value),
    }  # fmt: skip


def depth_row(
    contract: Contract, level: int, change: WindowChange, style: Style, *, snapshot: bool
) -> dict[str, Any]:
    """One book or what changed in it; V1's page spells the type of a snapshot otherwise than the wire."""
    kind = "SNAPSHOT" if snapshot else "CHANGED"
    if snapshot and not style.is_v2:
        kind = "Snapshot"
    return {
        "startVersion": str(change.start), "endVersion": str(change.end), "level": level,
        "contractId": contract.contract_id, "contractName": contract.name,
        "asks": _levels(contract, change.asks, change.end, style), "bids": _levels(contract, change.bids, change.end, style),
        "depthType": kind,
    }  # fmt: skip


def _levels(
    contract: Contract, rows: Iterable[tuple[Decimal, Decimal]], version: int, style: Style
) -> list[Any]:
    gone = fixed(Decimal(0), contract.step) if version % ODD_ZERO == 0 else "0"
    texts = [
        (fixed(price, contract.tick), fixed(size, contract.step) if size else gone) for price, size in rows
    ]
    if style.levels == "pairs":
        return [[price, size] for price, size in texts]
    return [{"price": price, "size": size} for price, size in texts]


def funding_row(contract: Contract, reference: Reference) -> dict[str, Any]:
    """One contract's funding; every number is a string, the settlement mark a boolean."""
    funding = reference.funding
    oracle, minutes = plain(reference.oracle), (funding.next_ns - funding.time_ns) // (60 * 10**9)
    return {
        "contractId": contract.contract_id, "fundingTime": ms(funding.time_ns), "fundingTimestamp": ms(funding.stamp_ns),
        "oraclePrice": oracle, "markPrice": oracle, "indexPrice": plain(reference.index),
        "fundingRate": scaled(funding.rate, 8), "isSettlement": funding.settled,
        "previousFundingRate": scaled(funding.previous_rate, 8),
        "previousFundingTimestamp": ms(funding.previous_stamp_ns), "premiumIndex": scaled(funding.premium, 8),
        "avgPremiumIndex": scaled(funding.average_premium, 8), "premiumIndexTimestamp": ms(funding.stamp_ns),
        "impactMarginNotional": plain(IMPACT_NOTIONAL), "impactAskPrice": plain(funding.impact_ask),
        "impactBidPrice": plain(funding.impact_bid), "interestRate": plain(INTEREST_RATE),
        "predictedFundingRate": scaled(funding.predicted, 8), "fundingRateIntervalMin": str(minutes),
        "fundingIndex": oracle,
    }  # fmt: skip


def metadata_row(
    contracts: Iterable[Contract],
    open_by_id: Mapping[str, bool],
    style: Style,
    interval_min: int,
    now_ns: int,
) -> dict[str, Any]:
    """Everything that is listed; under V1's documented names where those are asked for."""
    listed = list(contracts)
    coins = {QUOTE_COIN_ID: listed[0].quote} if listed else {}
    coins |= {contract.base_coin_id: contract.base for contract in listed}
    coin_rows = [
        {
            "coinId": coin_id, "coinName": name, "coinFullName": name, "displayName": name,
            "displayPrecision": "2" if coin_id == QUOTE_COIN_ID else "4",
        }
        for coin_id, name in coins.items()
    ]  # fmt: skip
    contract_rows = [_contract_row(each, open_by_id[each.contract_id], interval_min) for each in listed]
    if style.as_docs and not style.is_v2:
        return {"coin": coin_rows, "contract": contract_rows}
    return {
        "global": {"timeZone": "UTC", "serverTime": ms(now_ns)},
        "coinList": coin_rows,
        "contractList": contract_rows,
        "multiChain": {"chains": []},
    }


def _contract_row(contract: Contract, is_open: bool, interval_min: int) -> dict[str, Any]:
    return {
        "contractId": contract.contract_id, "contractName": contract.name, "baseCoinId": contract.base_coin_id,
        "quoteCoinId": QUOTE_COIN_ID, "pricePrecision": _places(contract.tick), "sizePrecision": _places(contract.step),
        "contractType": "PERPETUAL", "contractStatus": "TRADING" if is_open else "SUSPENDED",
        "tickSize": plain(contract.tick), "stepSize": plain(contract.step), "minOrderSize": plain(contract.step),
        "defaultTakerFeeRate": "0.00038", "defaultMakerFeeRate": "0.00015", "enableTrade": is_open,
        "enableDisplay": True, "fundingInterestRate": plain(INTEREST_RATE),
        "fundingImpactMarginNotional": plain(IMPACT_NOTIONAL), "fundingRateIntervalMin": str(interval_min),
    }  # fmt: skip


def _places(step: Decimal) -> str:
    return str(max(-int(step.normalize().as_tuple().exponent), 0))
