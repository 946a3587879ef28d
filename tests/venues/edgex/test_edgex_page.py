"""The examples of the venue's reference page, as far as they concern the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.venues.bench import Bench
from tests.venues.edgex.feed import KEY, compact
from trioquotes._protocol.offline import Offline
from trioquotes.errors import SubscriptionRejected
from trioquotes.events import Malformed
from trioquotes.topics import Orders, Topic
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE

CONTRACT = "10000001"
KLINE = f"kline.LAST_PRICE.{CONTRACT}.MINUTE_1"
LEVELS = {
    "bids": [["26092", "0.9014"], ["26091", "0.9667"]],
    "asks": [["26093", "0.964"], ["26094", "1.0213"]],
}
BAR = {
    "klineId": "1", "contractId": CONTRACT, "klineType": "MINUTE_1", "klineTime": "1688365544504", "trades": "5",
    "size": "10.1", "value": "100000", "high": "31200", "low": "31000", "open": "3150", "close": "31010",
    "makerBuySize": "5", "makerBuyValue": "150000",
}  # fmt: skip
TRADE = {
    "ticketId": "1", "time": "1688365544504", "price": "30065.12", "size": "0.01", "value": "300.6512",
    "takerOrderId": "10", "makerOrderId": "11", "takerAccountId": "3001", "makerAccountId": "3002",
    "contractId": CONTRACT, "isBestMatch": True, "isBuyerMaker": False,
}  # fmt: skip
BOOK = {
    "startVersion": "7",
    "endVersion": "9",
    "level": 15,
    "contractId": CONTRACT,
    "depthType": "Snapshot",
    **LEVELS,
}

EXAMPLES: list[tuple[Topic[Any], str, str, str, Any]] = [
    (edgex.MetadataUpdates(), "metadata", "quote-event", "Snapshot", {"coin": [], "contract": []}),
    (
        edgex.Tickers(CONTRACT),
        f"ticker.{CONTRACT}",
        "payload",
        "Snapshot",
        {"contractId": CONTRACT, "lastPrice": "7.5"},
    ),
    (edgex.Klines(CONTRACT), KLINE, "payload", "Changed", BAR),
    (edgex.Depths(CONTRACT, 15), f"depth.{CONTRACT}.15", "payload", "Snapshot", BOOK),
    (edgex.Trades(CONTRACT), f"trades.{CONTRACT}", "payload", "Changed", TRADE),
]


@pytest.mark.parametrize(
    ("topic", "channel", "kind", "data_type", "row"), EXAMPLES, ids=lambda value: str(value)[:30]
)
def test_request_response_and_payload(
    topic: Topic[Any], channel: str, kind: str, data_type: str, row: dict[str, Any]
) -> None:
    play = Bench(VENUE, endpoint="v1")
    box = play.subscribe(topic)
    play.connect()
    (request,) = play.writer()
    assert json.loads(request) == {"type": "subscribe", "channel": channel}
    play.server(compact({"type": "subscribed", "channel": channel}))
    assert box.is_confirmed
    content = {"dataType": data_type, "channel": channel, "data": [row]}
    play.server(compact({"type": kind, "channel": channel, "content": content}))
    _, message = box.take()
    assert isinstance(message, edgex.Row | edgex.Metadata)
    assert message.data_type == data_type
    assert_same(message, row)


def assert_same(message: Any, row: dict[str, Any]) -> None:
    """Every value of the row is in the message, digit for digit."""
    fields = dict(zip(message.__struct_encode_fields__, message.__struct_fields__, strict=True))
    for name, text in row.items():
        value = getattr(message, fields[name])
        if isinstance(text, list):
            assert [[str(part) for part in level] for level in value] == text
        elif isinstance(text, bool | int):
            assert value == text
        else:
            assert str(value) == text


def test_the_printed_error_lacks_a_comma_and_is_refused() -> None:
    printed = b'{"type":"error","content":{"code":"INVALID_CONTRACT_ID""msg":"invalid contractId:100000001"}}'
    (malformed,) = Offline(VENUE).feed(printed)
    assert isinstance(malformed, Malformed)
    assert malformed.frame == printed
    assert malformed.reason == "JSON is malformed: expected ',' or '}' (byte 55)"


def test_the_error_as_it_was_meant() -> None:
    play = Bench(VENUE, endpoint="v1")
    box = play.subscribe(edgex.Tickers("100000001"))
    play.connect()
    play.writer()
    play.server(
        '{"type":"error","content":{"code":"INVALID_CONTRACT_ID","msg":"invalid contractId:100000001"}}'
    )
    assert isinstance(box.error, SubscriptionRejected)
    assert box.error.reason == "INVALID_CONTRACT_ID: invalid contractId:100000001"


def test_the_heartbeat() -> None:
    play = Bench(VENUE, endpoint="v1")
    play.subscribe(edgex.AllTickers())
    play.connect()
    play.writer()
    play.server('{"type":"ping","time":"1693208170000"}')
    assert play.writer() == ['{"type":"pong","time":"1693208170000"}']


def test_the_private_payload() -> None:
    groups = (
        "account", "collateral", "collateralTransaction", "position", "positionTransaction", "deposit", "withdraw",
        "transferIn", "transferOut", "order", "orderFillTransaction",
    )  # fmt: skip
    content = {"event": "ACCOUNT_UPDATE", "version": "1000", "data": {group: [] for group in groups}}
    play = Bench(VENUE, credentials=KEY)
    box, orders = play.subscribe(edgex.TradeEvents()), play.subscribe(Orders())
    play.connect()
    play.server(compact({"type": "trade-event", "content": content}))
    assert orders.is_confirmed
    _, event = box.take()
    assert isinstance(event, edgex.TradeEvent)
    assert (event.event, event.version, event.data) == ("ACCOUNT_UPDATE", 1000, edgex.Groups())


@pytest.mark.parametrize(
    "name",
    [
        "Snapshot", "ACCOUNT_UPDATE", "DEPOSIT_UPDATE", "WITHDRAW_UPDATE", "TRANSFER_IN_UPDATE", "TRANSFER_OUT_UPDATE",
        "ORDER_UPDATE", "FORCE_WITHDRAW_UPDATE", "FORCE_TRADE_UPDATE", "FUNDING_SETTLEMENT", "ORDER_FILL_FEE_INCOME",
        "START_LIQUIDATING", "FINISH_LIQUIDATING", "UNRECOGNIZED", "NOVELTY",
    ],
)  # fmt: skip
def test_every_event_passes(name: str) -> None:
    frame = compact({"type": "trade-event", "content": {"event": name, "version": 1, "data": {}}})
    (event,) = Offline(VENUE, native=True).feed(frame.encode())
    assert isinstance(event, edgex.TradeEvent)
    assert (event.event, event.is_snapshot) == (name, name == "Snapshot")
