"""The private line, scene by scene."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.venues.bench import Bench
from tests.venues.edgex.case import BALANCE, FILL
from tests.venues.edgex.feed import (
    BTC,
    CONNECTED,
    ETH,
    KEY,
    compact,
    error,
    event,
    order,
    said,
    served,
    trades,
)
from trioquotes import events
from trioquotes._protocol.effects import Failure, Fatal, Lane, Options, Retry, Stamp, WireChannel
from trioquotes.errors import AuthenticationFailed, MissingCredentials
from trioquotes.topics import Balances, Fills, Orders, Trades
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE
from trioquotes.venues.edgex.account import SNAPSHOT_WITHIN_S

PRIVATE = Lane("private")


def stage() -> Bench:
    return Bench(VENUE, credentials=KEY)


def test_the_snapshot_confirms_what_no_request_asked() -> None:
    play = stage()
    boxes = [play.subscribe(topic) for topic in (Orders(), Fills(), Balances(), edgex.TradeEvents())]
    play.connect()
    assert play.writer() == []
    play.server(CONNECTED)
    assert not any(box.is_confirmed for box in boxes)
    play.server(event(order=[order()], collateral=[BALANCE], orderFillTransaction=[FILL]))
    assert all(box.is_confirmed for box in boxes)
    assert [box.kinds() for box in boxes] == [
        ["Connected", "OrderUpdate"],
        ["Connected"],
        ["Connected", "Balance"],
        ["Connected", "TradeEvent"],
    ]
    assert play.spent() == {"connect": 1}
    assert said(play) == []


def test_the_upgrade_is_signed_and_the_line_is_its_own() -> None:
    play = stage()
    play.subscribe(Orders())
    play.subscribe(Trades(BTC))
    private, public = play.line("private"), play.line("public")
    assert public.connect().headers == ()
    assert "X-edgeX-Signature" in dict(private.connect().headers)
    assert said(public) == [("subscribe", f"trades.{BTC}")]
    assert said(private) == []


def test_orders_fills_and_balances() -> None:
    play, (orders, fills, balances) = served(Orders(), Fills(), Balances(), play=stage())
    done = order(
        status="FILLED", clientOrderId="38704677398287624", cumMatchSize="0.10", updatedTime="1775699301177"
    )
    fill = FILL | {"orderSide": "SELL", "fillFee": "-0.1", "coinId": "1000", "matchTime": "1775699301170"}
    play.server(event("ORDER_UPDATE", 17874, order=[done], orderFillTransaction=[fill], collateral=[BALANCE]))
    (update,) = orders.take()
    assert update == events.OrderUpdate(
        venue="edgex", instrument=BTC, venue_time_ns=1775699301177 * 1_000_000, received_ns=play.receipt().wall_ns,
        sequence=17874, raw=update.raw, order_id="736936291735699983", client_order_id="38704677398287624",  # type: ignore[attr-defined]
        status="filled", venue_status="FILLED", side="buy", order_type="LIMIT", price=Decimal("60000.10"),
        size=Decimal("0.10"), filled_size=Decimal("0.10"),
    )  # fmt: skip
    (own,) = fills.take()
    assert own == events.Fill(
        venue="edgex", instrument=BTC, venue_time_ns=1775699301170 * 1_000_000, received_ns=play.receipt().wall_ns,
        sequence=17874, raw=own.raw, order_id="9", price=Decimal(10), size=Decimal(1), side="sell",  # type: ignore[attr-defined]
        trade_id="7", liquidity="maker", fee_currency="1000",
    )  # fmt: skip
    (balance,) = balances.take()
    assert isinstance(balance, events.Balance)
    assert (balance.currency, balance.account_id, str(balance.total)) == (
        "1000",
        "645046721134460943",
        "105.444919",
    )
    assert (balance.available, balance.locked) == (None, None)
    count = play.line().state.tally.count()
    assert (count.delivered, count.folded) == (1, 2)


@pytest.mark.parametrize(
    ("status", "unified"),
    [
        ("PENDING", "received"), ("OPEN", "open"), ("FILLED", "filled"), ("CANCELED", "canceled"), ("CANCELING", None),
        ("UNTRIGGERED", None), ("NOVELTY", None),
    ],
)  # fmt: skip
def test_the_venues_word_of_a_status_is_kept(status: str, unified: str | None) -> None:
    play, (box,) = served(Orders(), play=stage())
    play.server(event("ORDER_UPDATE", order=[order(status=status)]))
    (update,) = box.take()
    assert isinstance(update, events.OrderUpdate)
    assert (update.status, update.venue_status) == (unified, status)


def test_a_market_order_has_no_price_and_numbers_are_as_good_as_texts() -> None:
    play, (box,) = served(Orders(), play=stage())
    play.server(
        event("ORDER_UPDATE", order=[order(type="MARKET", price="0.00", cumFillSize="0.05"), {"id": 900001}])
    )
    first, second = box.take()
    assert isinstance(first, events.OrderUpdate)
    assert (first.price, first.filled_size) == (None, Decimal("0.05"))
    assert isinstance(second, events.OrderUpdate)
    assert (second.order_id, second.instrument, second.side, second.client_order_id) == (
        "900001",
        "",
        None,
        None,
    )
    assert second.venue_time_ns == 1775699229529 * 1_000_000


def test_one_contract_of_the_account() -> None:
    play, (orders, fills, everything) = served(Orders(BTC), Fills(ETH), Orders(), play=stage())
    play.server(event("ORDER_UPDATE", order=[order(), order("8", contract=ETH)], orderFillTransaction=[FILL]))
    assert [update.order_id for update in orders.take()] == ["736936291735699983"]  # type: ignore[attr-defined]
    assert fills.kinds() == []
    assert everything.kinds() == ["OrderUpdate", "OrderUpdate"]


def test_fills_of_a_snapshot_are_history_and_incomplete_ones_make_none() -> None:
    play, (box,) = served(Fills(), play=stage())
    play.server(event(orderFillTransaction=[FILL]))
    play.server(event("ORDER_UPDATE", orderFillTransaction=[{"id": 1, "orderId": 2, "fillSize": "1"}, FILL]))
    assert box.kinds() == ["Fill"]
    assert play.line().state.tally.ignored["history"] == 1
    play.server(event("ACCOUNT_UPDATE"))
    assert play.line().state.tally.ignored["not a fill"] == 2


def test_the_abridged_fields_of_the_second_generation() -> None:
    play, (box,) = served(Balances(), play=stage())
    play.server(event("TRANSFER_OUT_UPDATE", 1005, collateral=[{"coinId": 1, "balance": "1130"}]))
    (balance,) = box.take()
    assert isinstance(balance, events.Balance)
    assert (balance.currency, str(balance.total), balance.account_id) == ("1", "1130", None)


def test_a_jump_of_the_version_is_no_gap() -> None:
    play, (box,) = served(edgex.TradeEvents(), play=stage())
    play.server(event("ORDER_UPDATE", 17874), event("FUNDING_SETTLEMENT", 17877), event("ACCOUNT_UPDATE", 3))
    assert box.kinds() == ["TradeEvent"] * 3


def test_a_bad_entry_is_said_and_the_rest_is_delivered() -> None:
    play, (box,) = served(edgex.TradeEvents(), play=stage())
    play.server(event("ORDER_UPDATE", order=[{"status": "OPEN"}, order()]))
    assert box.kinds() == ["Malformed", "TradeEvent"]
    play.server(event("ORDER_UPDATE", order=[{"status": "OPEN"}]))
    assert box.kinds() == ["Malformed"]
    play.server('{"type":"trade-event","content":7}')
    assert box.kinds() == ["Malformed"]
    count = play.line().state.tally.count()
    assert (count.malformed, count.delivered) == (3, 2)  # the first snapshot was one


def test_a_ping_with_a_number_is_answered_with_a_number() -> None:
    play, _ = served(Orders(), play=stage())
    play.server('{"type":"ping","time":1693208170000}', '{"type":"pong","time":1693208170000}')
    assert play.writer() == ['{"type":"pong","time":1693208170000}']


def test_a_frame_that_cannot_be_read_is_said() -> None:
    play, (box,) = served(Orders(), play=stage())
    play.server("noise", '{"type":"novelty"}')
    assert box.kinds() == ["Malformed", "Unknown"]


def test_a_snapshot_that_never_comes_ends_the_line() -> None:
    play = stage()
    play.subscribe(Orders())
    play.connect()
    play.advance(20.0)
    play.server(CONNECTED)
    play.advance(SNAPSHOT_WITHIN_S - 0.1)
    play.server('{"type":"ping","time":1}', event("ACCOUNT_UPDATE"))
    assert play.line().state.lost_reason is None
    play.advance(0.1)
    assert play.line().state.lost_reason == "no snapshot of the account came within 15 s"


def test_an_account_to_which_nothing_happens_keeps_its_line() -> None:
    play, _ = served(Orders(), play=stage())
    for _ in range(360):
        play.advance(10.0)
        play.server('{"type":"ping","time":1693208170000}')
        assert play.writer() == ['{"type":"pong","time":1693208170000}']
    assert play.line().state.lost_reason is None


def test_after_a_reconnect_the_account_is_told_anew() -> None:
    play, (box,) = served(Orders(), play=stage())
    assert isinstance(play.drop(), Retry)
    play.connect()
    play.server(CONNECTED, event(order=[order()]))
    assert box.kinds() == ["Disconnected", "Gap", "Connected", "OrderUpdate"]


def test_a_snapshot_can_only_come_with_a_new_line() -> None:
    play, _ = served(Orders(), play=stage())
    line = play.line()
    line.state.resync(WireChannel("trade-event"))
    assert play.writer() == []
    assert line.replaced == ["only a new line brings the snapshot of the account again"]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_private_line_ends_its_topics_alone(status: int) -> None:
    play = stage()
    public, private = play.subscribe(Trades(BTC)), play.subscribe(Orders())
    verdict = play.line("private").refused(status)
    assert isinstance(verdict, Fatal)
    assert verdict.scope == "lane"
    assert isinstance(verdict.error, AuthenticationFailed)
    assert f"HTTP {status}" in str(verdict.error)
    play.line("private").state.end(verdict.error)
    assert private.error is verdict.error
    line = play.line("public")
    line.connect()
    line.writer()
    line.server(trades("a"))
    assert public.kinds() == ["Connected", "Trade"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"code":"INVALID_SIGNATURE","msg":"signature expired"}',
            ": INVALID_SIGNATURE: signature expired (",
        ),
        (b'{"code":"INVALID_API_KEY","msg":"HUSH-HUSH-key is unknown"}', "HTTP 400 ("),
        (b'{"code":7}', "HTTP 400 ("),
        (b'{"msg":"%s"}' % (b"x" * 500), "x" * 200 + " ("),
        (b"<html>", "HTTP 400 ("),
        (b"[]", "HTTP 400 ("),
        (b"\xff", "HTTP 400 ("),
    ],
)
def test_the_venues_words_are_said_unless_they_hold_a_secret(body: bytes, words: str) -> None:
    play = stage()
    play.subscribe(Orders())
    verdict = play.line().refused(400, body)
    assert isinstance(verdict, Fatal)
    assert words in str(verdict.error)
    assert "HUSH" not in str(verdict.error)
    assert "x" * 201 not in str(verdict.error)


@pytest.mark.parametrize("status", [429, 500, 503, None])
def test_other_failures_of_the_private_line_pass(status: int | None) -> None:
    play, _ = served(Orders(), play=stage())
    protocol = play.line().alive
    assert protocol.classify(
        Failure("handshake", "no", status=status, headers={"retry-after": "3"})
    ) == Retry(3.0)
    assert protocol.classify(Failure("stream", "no", close_code=1006)) == Retry()


def test_credentials_refused_in_band_end_the_topics() -> None:
    play = stage()
    box = play.subscribe(Orders())
    play.connect()
    play.server(CONNECTED, error(None, "GATEWAY_AUTH", "Invalid Signature"))
    assert isinstance(box.error, AuthenticationFailed)
    assert "Invalid Signature" in str(box.error)


def test_other_errors_end_nothing() -> None:
    play, (box,) = served(Orders(), play=stage())
    play.server(
        compact({"type": "error", "content": {"code": "GATEWAY_UNRECOGNIZED_MESSAGE", "msg": "unsupported"}})
    )
    assert box.error is None
    assert play.line().state.last_error == "GATEWAY_UNRECOGNIZED_MESSAGE: unsupported"


def test_without_credentials_nothing_is_connected() -> None:
    protocol = VENUE.protocol(PRIVATE, None, {}, Options(VENUE.endpoints["v2"]))
    with pytest.raises(MissingCredentials, match="needs credentials"):
        protocol.handshake(Stamp(0, 0.0))
    verdict = protocol.classify(Failure("handshake", "no", status=400, body=b'{"msg":"no"}'))
    assert isinstance(verdict, Fatal)
    assert ": no (" in str(verdict.error)
