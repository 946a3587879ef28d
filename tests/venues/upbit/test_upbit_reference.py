"""What the page of upbit-client, the user's reference, prints, as far as it concerns the wire."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench
from tests.venues.upbit.market import compact
from trioquotes._protocol.offline import Offline
from trioquotes.errors import UsageError
from trioquotes.events import Trade
from trioquotes.topics import Trades
from trioquotes.venues import upbit
from trioquotes.venues.upbit import VENUE, formats, generate_orderbook_codes, generate_payload

CURRENCIES = ["KRW-BTC", "KRW-ETH"]

RESPONSE = {
    "type": "trade", "code": "KRW-BTC", "timestamp": 1611656099678, "trade_date": "2021-01-26",
    "trade_time": "10:14:59", "trade_timestamp": 1611656099000, "trade_price": 35785000.0,
    "trade_volume": 0.00533827, "ask_bid": "ASK", "prev_closing_price": 36054000.0, "change": "FALL",
    "change_price": 269000.0, "sequential_id": 1611656099000000, "stream_type": "SNAPSHOT",
}  # fmt: skip

TICKER = {
    "type": "ty", "code": "cd", "opening_price": "op", "high_price": "hp", "low_price": "lp", "trade_price": "tp",
    "prev_closing_price": "pcp", "change": "c", "change_price": "cp", "signed_change_price": "scp",
    "change_rate": "cr", "signed_change_rate": "scr", "trade_volume": "tv", "acc_trade_volume": "atv",
    "acc_trade_volume_24h": "atv24h", "acc_trade_price": "atp", "acc_trade_price_24h": "atp24h",
    "trade_date": "tdt", "trade_time": "ttm", "trade_timestamp": "ttms", "ask_bid": "ab", "acc_ask_volume": "aav",
    "acc_bid_volume": "abv", "highest_52_week_price": "h52wp", "highest_52_week_date": "h52wdt",
    "lowest_52_week_price": "l52wp", "lowest_52_week_date": "l52wdt", "trade_status": "ts", "market_state": "ms",
    "market_state_for_ios": "msfi", "is_trading_suspended": "its", "delisting_date": "dd", "market_warning": "mw",
    "timestamp": "tms", "stream_type": "st",
}  # fmt: skip
TRADE = {
    "type": "ty", "code": "cd", "trade_price": "tp", "trade_volume": "tv", "ask_bid": "ab",
    "prev_closing_price": "pcp", "change": "c", "change_price": "cp", "trade_date": "td", "trade_time": "ttm",
    "trade_timestamp": "ttms", "timestamp": "tms", "sequential_id": "sid", "stream_type": "st",
}  # fmt: skip
ORDERBOOK = {
    "type": "ty", "code": "cd", "total_ask_size": "tas", "total_bid_size": "tbs", "orderbook_units": "obu",
    "ask_price": "ap", "bid_price": "bp", "ask_size": "as", "bid_size": "bs", "timestamp": "tms",
}  # fmt: skip


def test_address_is_that_of_the_page() -> None:
    assert VENUE.endpoints["production"].public == "wss://api.upbit.com/websocket/v1"


def test_payload_example() -> None:
    made = json.loads(generate_payload(type="trade", codes=CURRENCIES))
    ticket = made[0].pop("ticket")
    assert made == [{}, {"type": "trade", "codes": CURRENCIES}, {"format": "DEFAULT"}]
    assert uuid.UUID(ticket).version == 4
    assert str(uuid.UUID(ticket)) == ticket


def test_orderbook_codes_example() -> None:
    assert generate_orderbook_codes(CURRENCIES, [5, 5]) == ["KRW-BTC.5", "KRW-ETH.5"]


def test_ping_example() -> None:
    run = Offline(VENUE)
    frame = '{"status":"UP"}'
    search = re.search(r'{"\S+":"\S+"}', frame)
    assert search is not None
    assert run.feed(search.group().encode()) == []
    assert run.count().ignored == {"heartbeat": 1}


def test_request_example_brings_a_trade_that_is_history() -> None:
    play = Bench(VENUE)
    native = play.subscribe(upbit.Trades("KRW-BTC"))
    trades = play.subscribe(Trades("KRW-BTC"))
    play.connect()
    play.writer()
    play.server(compact(RESPONSE).encode())
    _, message = native.take()
    assert isinstance(message, upbit.LastTrade)
    assert {name: getattr(message, name) for name in RESPONSE if not name.endswith(("price", "volume"))} == {
        name: value for name, value in RESPONSE.items() if not name.endswith(("price", "volume"))
    }
    assert str(message.trade_price) == "35785000.0"
    assert [event for event in trades.take() if isinstance(event, Trade)] == []


@pytest.mark.parametrize(("kind", "table"), [("Ticker", TICKER), ("Trade", TRADE), ("Orderbook", ORDERBOOK)])
def test_every_field_of_the_tables_has_its_abbreviation(kind: str, table: Mapping[str, str]) -> None:
    known = {**formats.ABBREVIATIONS["Message"], **formats.ABBREVIATIONS[kind]}
    known |= formats.ABBREVIATIONS["OrderbookUnit"] if kind == "Orderbook" else {}
    assert {name: known.get(name) for name in table} == dict(table)


def test_all_parameters_of_the_page_reach_the_wire_under_todays_names() -> None:
    made = generate_payload("trade", CURRENCIES, ticket="mine", isOnlySnapshot=True, format="SIMPLE")
    assert json.loads(made) == [
        {"ticket": "mine"},
        {"type": "trade", "codes": CURRENCIES, "is_only_snapshot": True},
        {"format": "SIMPLE"},
    ]
    assert (
        generate_payload("trade", CURRENCIES, ticket="mine", is_only_snapshot=True, format="SIMPLE") == made
    )
    assert json.loads(generate_payload("orderbook", CURRENCIES, level=10000, isOnlyRealtime=True))[1] == {
        "type": "orderbook",
        "codes": CURRENCIES,
        "is_only_realtime": True,
        "level": 10000,
    }


def test_other_requests_have_other_tickets() -> None:
    made = [
        generate_payload("trade", CURRENCIES),
        generate_payload("trade", CURRENCIES),
        generate_payload("ticker", CURRENCIES),
    ]
    tickets = [json.loads(text)[0]["ticket"] for text in made]
    assert tickets[0] == tickets[1] != tickets[2]


@pytest.mark.parametrize(
    "call",
    [
        lambda: generate_payload("trade", "KRW-BTC"),
        lambda: generate_payload("trade", CURRENCIES, format="simple"),
        lambda: generate_orderbook_codes(CURRENCIES, [5]),
        lambda: generate_orderbook_codes(CURRENCIES, [5, 0]),
    ],
)
def test_what_makes_no_request_is_refused(call: Any) -> None:
    with pytest.raises(UsageError):
        call()


@given(st.lists(st.tuples(st.from_regex(r"[A-Z]{3}-[A-Z0-9]{1,9}", fullmatch=True), st.integers(1, 99))))
def test_codes_and_counts_pair_up(pairs: Sequence[tuple[str, int]]) -> None:
    made = generate_orderbook_codes([code for code, _ in pairs], [count for _, count in pairs])
    assert [tuple(code.split(".")) for code in made] == [(code, str(count)) for code, count in pairs]
