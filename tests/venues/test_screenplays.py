"""What is peculiar to each venue, played scene by scene through the contract."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tests.venues.bench import Bench, Line
from tests.venues.cases import (
    COINBASE,
    DARWINEX,
    EDGEX,
    KEY,
    UPBIT,
    ZONDA,
    coinbase_listed,
    coinbase_match,
    coinbase_snapshot,
    coinbase_update,
    compact,
    darwinex_subscribed,
    edgex_best,
    edgex_depth,
    edgex_orders,
    edgex_rows,
    edgex_trade,
    upbit_frame,
    zonda_change,
    zonda_push,
    zonda_snapshot,
)
from tests.venues.skeletons import coinbase, edgex, upbit
from trioquotes._protocol.effects import Fatal, Retry, WireChannel
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected
from trioquotes.events import (
    BookChange,
    BookSnapshot,
    Gap,
    Quote,
    Rejected,
    Resynced,
    Throttled,
    Ticker,
    Trade,
)
from trioquotes.topics import Books, Orders, Quotes, Tickers, Trades

DEPTH = "depth.30000001.200"
BOOK_PATH = "orderbook-limited/btc-pln/10"


def said(line: Bench | Line) -> list[Any]:
    """What it writes now, as JSON."""
    return [json.loads(frame) for frame in line.writer()]


# Upbit.


def upbit_codes(frame: Any) -> dict[str, list[str]]:
    return {part["type"]: part.get("codes", []) for part in frame if "type" in part}


def test_upbit_restates_the_whole_set_with_every_request() -> None:
    play = Bench(UPBIT.venue)
    play.subscribe(Trades("KRW-BTC"))
    play.connect()
    (first,) = said(play)
    assert upbit_codes(first) == {"trade": ["KRW-BTC"]}
    play.server(compact(upbit_frame("trade", "KRW-BTC", "SNAPSHOT")))
    ether = play.subscribe(Trades("KRW-ETH"))
    play.subscribe(Books("KRW-BTC", 5))
    (second,) = said(play)
    assert upbit_codes(second) == {"orderbook": ["KRW-BTC.30"], "trade": ["KRW-BTC", "KRW-ETH"]}
    play.unsubscribe(ether)
    (third,) = said(play)
    assert upbit_codes(third) == {"orderbook": ["KRW-BTC.30"], "trade": ["KRW-BTC"]}
    assert set(play.line().state.ledger.asked) == {
        WireChannel("trade", "KRW-BTC"),
        WireChannel("orderbook", "KRW-BTC"),
    }


def test_upbit_data_confirms_and_one_orderbook_serves_every_depth() -> None:
    play = Bench(UPBIT.venue)
    deep, shallow = play.subscribe(Books("KRW-BTC")), play.subscribe(Books("KRW-BTC", 5))
    play.connect()
    (request,) = said(play)
    assert upbit_codes(request) == {"orderbook": ["KRW-BTC.30"]}
    assert not deep.is_confirmed
    play.server(compact(upbit_frame("orderbook", "KRW-BTC", "SNAPSHOT")))  # without the suffix
    assert deep.is_confirmed
    assert shallow.is_confirmed
    assert [type(event) for event in deep.take()[1:]] == [BookSnapshot]
    assert [type(event) for event in shallow.take()[1:]] == [BookSnapshot]


def test_upbit_last_trade_is_history_unless_it_was_missed() -> None:
    play = Bench(UPBIT.venue)
    trades = play.subscribe(Trades("KRW-BTC"))
    for numbers in ([1], [1, 2], [7]):
        play.connect()
        play.writer()
        play.server(compact(upbit_frame("trade", "KRW-BTC", "SNAPSHOT", numbers[0])))
        play.server(*(compact(upbit_frame("trade", "KRW-BTC", number=number)) for number in numbers[1:]))
        play.drop()
    ids = [event.trade_id for event in trades.take() if isinstance(event, Trade)]
    assert ids == ["2", "7"]
    assert play.line().state.tally.ignored["history"] == 2


def test_upbit_silence_is_tried_again_with_growing_delays() -> None:
    play = Bench(UPBIT.venue)
    wrong = play.subscribe(Trades("KRW-NOPE"))
    play.connect()
    asked_at = []
    for second in range(100):
        if any("KRW-NOPE" in frame for frame in play.writer()):
            asked_at.append(second)
        play.server('{"status":"UP"}')
        play.advance(1.0)
    assert asked_at == [0, 11, 23, 37, 55, 81]
    notices = [event for event in wrong.take() if isinstance(event, Rejected)]
    assert [notice.final for notice in notices] == [False] * 6
    assert wrong.error is None
    play.server(compact(upbit_frame("trade", "KRW-NOPE", "SNAPSHOT")))  # it was only quiet
    assert wrong.is_confirmed


def test_upbit_the_bad_type_is_found_by_asking_suspects_alone() -> None:
    play = Bench(UPBIT.venue)
    good = play.subscribe(Trades("KRW-BTC"))
    play.connect()
    play.writer()
    play.server(compact(upbit_frame("trade", "KRW-BTC", "SNAPSHOT")))
    bad, innocent = play.subscribe(Trades("KRW-BAD")), play.subscribe(Books("KRW-BTC"))
    assert len(play.writer()) == 1
    error = '{"error":{"name":"INVALID_PARAM","message":"nope"}}'
    play.server(error)
    assert isinstance(play.drop(1000), Retry)
    assert bad.error is None

    play.connect()
    (first,) = said(play)
    assert upbit_codes(first) == {"trade": ["KRW-BTC"]}  # what was never in doubt comes first
    play.server(compact(upbit_frame("trade", "KRW-BTC", "SNAPSHOT")))
    (second,) = said(play)
    assert upbit_codes(second) == {"trade": ["KRW-BAD", "KRW-BTC"]}
    play.server(error)
    assert isinstance(bad.error, SubscriptionRejected)
    assert "INVALID_PARAM" in bad.error.reason
    play.drop(1000)

    play.connect()
    play.writer()
    play.server(compact(upbit_frame("trade", "KRW-BTC", "SNAPSHOT")))
    (third,) = said(play)
    assert upbit_codes(third) == {"trade": ["KRW-BTC"], "orderbook": ["KRW-BTC.30"]}
    play.server(compact(upbit_frame("orderbook", "KRW-BTC", "SNAPSHOT")))
    assert innocent.is_confirmed
    assert good.error is None


def test_upbit_the_empty_set_is_a_new_line() -> None:
    play = Bench(UPBIT.venue)
    trades = play.subscribe(Trades("KRW-BTC"))
    play.connect()
    play.writer()
    play.unsubscribe(trades)
    assert play.writer() == []
    assert play.line().replaced == ["the empty set cannot be said"]
    assert not play.line().state.ledger.wanted_any


def test_upbit_has_three_lanes_and_signs_two() -> None:
    play = Bench(UPBIT.venue, credentials=KEY)
    play.subscribe(Trades("KRW-BTC"))
    orders = play.subscribe(Orders())
    play.subscribe(upbit.Indicators("KRW-BTC"))
    urls = {line.lane.name: line.connect() for line in play.lines}
    assert {name: shake.url.rpartition("/")[2] for name, shake in urls.items()} == {
        "public": "v1",
        "private": "private",
        "info": "info",
    }
    assert [name for name, shake in urls.items() if not shake.headers] == ["public"]
    private = play.line("private")
    (request,) = said(private)
    assert upbit_codes(request) == {"myOrder": []}
    private.server('{"error":{"name":"INVALID_AUTH","message":"no"}}')
    assert isinstance(orders.error, AuthenticationFailed)


def test_upbit_pings_and_gives_up_a_dead_line() -> None:
    play = Bench(UPBIT.venue)
    play.subscribe(Trades("KRW-BTC"))
    play.connect()
    play.writer()
    play.advance(20.0)
    assert "PING" in play.writer()
    play.server('{"status":"UP"}')
    play.advance(44.0)
    assert play.line().state.lost_reason is None
    play.advance(1.0)
    assert play.line().state.lost_reason is not None


# edgeX.


def edgex_public(*topics: Any) -> tuple[Bench, list[Any]]:
    """A public line that is up, with what was asked confirmed."""
    play = Bench(EDGEX.venue)
    boxes = [play.subscribe(topic) for topic in topics]
    play.settle(EDGEX.server)
    return play, boxes


def test_edgex_the_private_snapshot_confirms_what_no_request_asked() -> None:
    play = Bench(EDGEX.venue, credentials=KEY)
    orders = play.subscribe(Orders())
    play.connect()
    assert play.writer() == []
    assert not orders.is_confirmed
    play.server('{"sid":"b146","type":"connected"}', compact(edgex_orders("Snapshot", [])))
    assert orders.is_confirmed
    row = {"id": "9", "contractId": "30000001", "status": "OPEN"}
    play.server(compact(edgex_orders("ORDER_UPDATE", [row, row])))
    assert orders.kinds() == ["Connected", "OrderUpdate", "OrderUpdate"]
    assert play.spent() == {"connect": 1}


def test_edgex_a_private_snapshot_that_never_comes_is_noticed() -> None:
    play = Bench(EDGEX.venue, credentials=KEY)
    orders = play.subscribe(Orders())
    play.connect()
    play.server('{"sid":"b146","type":"connected"}')
    play.advance(14.9)
    assert play.line().state.lost_reason is None
    play.advance(0.1)
    assert play.line().state.lost_reason == "no snapshot of the account within 15.0 s"
    assert not orders.is_confirmed


def test_edgex_a_refused_private_line_ends_its_topics_alone() -> None:
    play = Bench(EDGEX.venue, credentials=KEY)
    trades, orders = play.subscribe(Trades("30000001")), play.subscribe(Orders())
    public, private = play.line("public"), play.line("private")
    verdict = private.refused(400)
    assert isinstance(verdict, Fatal)
    assert verdict.scope == "lane"
    assert isinstance(verdict.error, AuthenticationFailed)
    private.state.end(verdict.error)
    assert orders.error is verdict.error
    public.connect()
    public.writer()
    public.server('{"type":"subscribed","channel":"trades.30000001"}')
    public.server(compact(edgex_rows("trades.30000001", "changed", [edgex_trade("30000001")])))
    assert trades.kinds() == ["Connected", "Trade"]
    assert isinstance(public.drop(), Retry)


def test_edgex_one_channel_serves_every_instrument_and_the_unwanted_are_ignored() -> None:
    play, (one, two) = edgex_public(Quotes("30000001"), Quotes("30000002"))
    line = play.line()
    assert {channel.name for channel in line.state.ledger.asked} == {"bookTicker.all.1s"}
    rows = [edgex_best(f"3000000{number}", bid=f"{number}.5") for number in (1, 2, 3, 4)]
    play.server(compact(edgex_rows("bookTicker.all.1s", "changed", rows)))
    for box, instrument, bid in ((one, "30000001", "1.5"), (two, "30000002", "2.5")):
        (quote,) = [event for event in box.take() if isinstance(event, Quote)]
        assert (quote.instrument, quote.bid, quote.ask) == (instrument, Decimal(bid), None)
    count = line.state.tally.count()
    assert (count.delivered, count.ignored["not subscribed"]) == (2, 2)
    rest = play.subscribe(edgex.BookTickers())
    play.server(compact(edgex_rows("bookTicker.all.1s", "changed", rows)))
    assert rest.kinds() == ["BookTicker"] * 4
    assert line.state.tally.count().delivered == 6


def test_edgex_a_gap_is_resynced_by_two_sends_and_nothing_old_passes() -> None:
    play, (book, native) = edgex_public(Books("30000001"), edgex.Depths("30000001"))
    book.take()
    native.take()
    play.server(compact(edgex_depth(DEPTH, "changed", 104, 110, bid="100.7")))
    assert (book.kinds(), native.kinds()) == (["BookChange"], ["Depth"])
    play.server(compact(edgex_depth(DEPTH, "changed", 200, 210)))
    assert [type(event) for event in book.take()] == [Gap]
    assert [type(event) for event in native.take()] == [Gap]
    line = play.line()
    assert dict(line.state.ledger.resyncing) == {WireChannel("depth", "30000001", "200"): 1}
    sends = said(line)
    assert [(send["type"], send["channel"]) for send in sends] == [
        ("unsubscribe", DEPTH),
        ("subscribe", DEPTH),
    ]
    play.server(compact(edgex_depth(DEPTH, "changed", 210, 220)))  # of the old subscription
    play.server(compact({"type": "unsubscribed", "channel": DEPTH}))
    play.server(compact({"type": "subscribed", "channel": DEPTH}))
    play.server(compact(edgex_depth(DEPTH, "changed", 220, 230)))
    assert book.kinds() == []
    play.server(compact(edgex_depth(DEPTH, "Snapshot", 240, 240)))
    play.server(compact(edgex_depth(DEPTH, "changed", 240, 250)))
    assert book.kinds() == ["BookSnapshot", "Resynced", "BookChange"]
    assert "Depth" in native.kinds()
    assert not line.state.ledger.resyncing
    assert said(line) == []


def test_edgex_a_snapshot_that_never_comes_is_asked_for_again() -> None:
    play = Bench(EDGEX.venue)
    play.subscribe(Books("30000001"))
    play.connect()
    assert [send["type"] for send in said(play)] == ["subscribe"]
    play.server(compact({"type": "subscribed", "channel": DEPTH}))
    play.advance(11.0)
    assert [send["type"] for send in said(play)] == ["unsubscribe", "subscribe"]


def test_edgex_echoes_the_time_of_a_ping_in_its_own_type() -> None:
    play, _ = edgex_public(Trades("30000001"))
    play.server('{"type":"ping","time":"1789136310001"}', '{"type":"ping","time":1693208170000}')
    assert play.writer() == [
        '{"type":"pong","time":"1789136310001"}',
        '{"type":"pong","time":1693208170000}',
    ]


def test_edgex_an_error_is_attributed_by_the_request_it_repeats() -> None:
    play = Bench(EDGEX.venue)
    good, bad = play.subscribe(Trades("30000001")), play.subscribe(Trades("99999999"))
    play.connect()
    play.writer()
    request = compact({"type": "subscribe", "channel": "trades.99999999"})
    content = {"code": "GATEWAY_INVALID_CONTRACT_ID", "msg": "invalid contractId:99999999"}
    play.server(compact({"type": "error", "request": request, "content": content}))
    assert isinstance(bad.error, SubscriptionRejected)
    assert bad.error.reason == "invalid contractId:99999999"
    assert good.error is None
    assert play.line().state.last_error == "GATEWAY_INVALID_CONTRACT_ID: invalid contractId:99999999"


# Zonda.


def zonda_book() -> tuple[Bench, Any, str]:
    """A book line that is confirmed and has asked for its snapshot; with the number of that request."""
    play = Bench(ZONDA.venue)
    book = play.subscribe(Books("BTC-PLN", 10))
    play.connect()
    assert [send["action"] for send in said(play)] == ["subscribe-public"]
    play.server(compact({"action": "subscribe-public-confirm", "module": "trading", "path": BOOK_PATH}))
    assert book.is_confirmed
    (proxy,) = said(play)
    assert (proxy["action"], proxy["path"]) == ("proxy", BOOK_PATH)
    book.take()
    return play, book, proxy["requestId"]


def test_zonda_a_snapshot_is_known_by_its_number_alone() -> None:
    play, book, number = zonda_book()
    play.server(compact(zonda_push(BOOK_PATH, 101, zonda_change("100.5"))))
    play.server(compact(zonda_snapshot("00000000-0000-0000-0000-00000000dead", 100)))
    assert book.kinds() == []
    play.server(compact(zonda_snapshot(number, 100)))
    (whole,) = book.take()
    assert isinstance(whole, BookSnapshot)
    assert whole.bids[0] == (Decimal("100.5"), Decimal(2))  # the push that came before is in it
    assert whole.asks[0] == (Decimal("101.0"), Decimal(1))
    play.server(compact(zonda_push(BOOK_PATH, 102, zonda_change("100.5", None))))
    (changed,) = book.take()
    assert isinstance(changed, BookChange)
    assert changed.bids == ((Decimal("100.5"), Decimal(0)),)
    assert said(play) == []
    assert play.line().state.tally.ignored["unknown answer"] == 1


def test_zonda_an_old_snapshot_is_asked_for_again_later() -> None:
    play, book, number = zonda_book()
    play.server(compact(zonda_push(BOOK_PATH, 105, zonda_change("100.5"))))
    play.server(compact(zonda_snapshot(number, 100)))
    (again,) = said(play)
    play.server(compact(zonda_snapshot(again["requestId"], 101)))
    assert said(play) == []  # the second resync waits
    play.advance(1.0)
    (third,) = said(play)
    play.server(compact(zonda_snapshot(third["requestId"], 104)))
    assert book.kinds() == ["BookSnapshot"]


def test_zonda_a_gap_needs_a_snapshot_and_no_new_subscription() -> None:
    play, book, number = zonda_book()
    play.server(compact(zonda_snapshot(number, 100)))
    book.take()
    play.server(compact(zonda_push(BOOK_PATH, 103, zonda_change("100.5"))))
    play.server(compact(zonda_push(BOOK_PATH, 104, zonda_change("100.6"))))
    assert book.kinds() == ["Gap"]
    (proxy,) = said(play)
    play.server(compact(zonda_snapshot(proxy["requestId"], 102)))
    whole, resynced = book.take()
    assert isinstance(whole, BookSnapshot)
    assert whole.bids[0][0] == Decimal("100.6")
    assert isinstance(resynced, Resynced)


def test_zonda_a_snapshot_for_a_late_book_does_not_turn_back_time() -> None:
    play, book, number = zonda_book()
    play.server(compact(zonda_snapshot(number, 100)))
    play.server(compact(zonda_push(BOOK_PATH, 101, zonda_change("100.1"))))
    play.unsubscribe(book)
    late = play.subscribe(Books("BTC-PLN", 10))
    (proxy,) = said(play)
    play.server(compact(zonda_push(BOOK_PATH, 102, zonda_change("100.2"))))
    play.server(compact(zonda_push(BOOK_PATH, 103, zonda_change("100.3"))))
    play.server(compact(zonda_snapshot(proxy["requestId"], 102)))
    (whole,) = late.take()
    assert isinstance(whole, BookSnapshot)
    assert whole.bids[0][0] == Decimal("100.3")
    play.server(compact(zonda_push(BOOK_PATH, 104, zonda_change("100.4"))))
    assert late.kinds() == ["BookChange"]


def test_zonda_unsubscribing_is_local_until_the_next_line() -> None:
    play = Bench(ZONDA.venue)
    kept, gone = play.subscribe(Trades("BTC-PLN")), play.subscribe(Trades("ETH-PLN"))
    play.settle(ZONDA.server)
    play.unsubscribe(gone)
    assert play.writer() == []
    one = {"transactions": [{"id": "1", "t": "1", "a": "1", "r": "2", "ty": "Buy"}]}
    play.server(compact(zonda_push("transactions/eth-pln", 1, one)))
    assert play.line().state.tally.ignored["withdrawn"] == 1
    play.drop()
    play.connect()
    assert [send["path"] for send in said(play)] == ["transactions/btc-pln"]
    assert kept.error is None


def test_zonda_tickers_fold_two_channels() -> None:
    play = Bench(ZONDA.venue)
    box = play.subscribe(Tickers("BTC-PLN"))
    play.connect()
    assert [send["path"] for send in said(play)] == ["ticker/btc-pln", "stats/btc-pln"]
    play.server('{"action":"subscribe-public-confirm","module":"trading","path":"ticker/btc-pln"}')
    assert not box.is_confirmed
    play.server('{"action":"subscribe-public-confirm","module":"trading","path":"stats/btc-pln"}')
    assert box.is_confirmed
    box.take()
    ticker = {"highestBid": "1", "lowestAsk": "3", "rate": "2"}
    stats = [{"m": "BTC-PLN", "h": 28094.15, "l": 27381.8, "v": 12.5}]
    play.server(compact(zonda_push("ticker/btc-pln", 1, ticker)))
    play.server(compact(zonda_push("stats/btc-pln", 1, stats)))
    half, full = box.take()
    assert isinstance(half, Ticker)
    assert isinstance(full, Ticker)
    assert (half.last, half.high_24h) == (Decimal(2), None)
    assert (full.last, full.high_24h) == (Decimal(2), Decimal("28094.15"))
    play.drop()
    play.connect()
    play.server(compact(zonda_push("stats/btc-pln", 9, stats)))
    last = box.take()[-1]
    assert isinstance(last, Ticker)
    assert last.last is None  # what the old line said is forgotten


def test_zonda_signs_private_requests_one_at_a_time() -> None:
    play = Bench(ZONDA.venue, credentials=KEY)
    first, second = play.subscribe(Orders("BTC-PLN")), play.subscribe(Orders("ETH-PLN"))
    play.connect()
    (one,) = said(play)
    assert one["action"] == "subscribe-private"
    assert {"hashSignature", "publicKey", "requestTimestamp"} <= one.keys()
    play.server('{"error":"Authentication failed"}')
    assert isinstance(first.error, AuthenticationFailed)
    assert second.error is None
    (two,) = said(play)
    assert two["path"] == "offers/eth-pln"


# Darwinex.


def darwinex_line(*names: str) -> tuple[Bench, list[Any]]:
    play = Bench(DARWINEX.venue, credentials=DARWINEX.credentials)
    boxes = [play.subscribe(Quotes(name)) for name in names]
    play.connect()
    return play, boxes


def test_darwinex_one_frame_accepts_some_and_refuses_others() -> None:
    play, (good, bad, fine) = darwinex_line("DWC.4.20", "BAD.4.20", "THA.4.12")
    assert len(play.writer()) == 1
    play.server(compact(darwinex_subscribed(["DWC.4.20", "THA.4.12"], "WARN")))
    assert good.is_confirmed
    assert fine.is_confirmed
    assert isinstance(bad.error, SubscriptionRejected)
    (quote,) = [event for event in good.take() if isinstance(event, Quote)]
    assert (quote.price, quote.venue_time_ns) == (Decimal("147.05"), 1587838905842000000)
    assert play.line().state.tally.count().elements == 2


def test_darwinex_an_error_that_names_a_product_spares_the_others() -> None:
    play, (good, bad) = darwinex_line("DWC.4.20", "BAD.4.20")
    play.writer()
    words = "No active product found with the name BAD.4.20"
    error = {"op": "error", "opRequest": "subscribe", "msg": words, "code": "PRODUCT_NOT_VALID"}
    play.server(compact(error))
    assert isinstance(bad.error, SubscriptionRejected)
    assert [send["productNames"] for send in said(play)] == [["DWC.4.20"]]
    assert good.error is None


def test_darwinex_asks_for_at_most_a_hundred_names_at_a_time() -> None:
    play, _ = darwinex_line(*(f"AAA.4.{number}" for number in range(230)))
    sizes = []
    while frames := said(play):
        sizes += [len(frame["productNames"]) for frame in frames]
        play.server(*(compact(darwinex_subscribed(frame["productNames"])) for frame in frames))
    assert sizes == [100, 100, 30]


def test_darwinex_throttling_is_said_and_silence_then_is_no_death() -> None:
    play, (box,) = darwinex_line("DWC.4.20")
    play.writer()
    play.server(compact(darwinex_subscribed(["DWC.4.20"])))
    minute_ns = 60_000_000_000
    play.now_s += (minute_ns - play.receipt().wall_ns % minute_ns) / 1e9  # a minute begins
    tick = '{"op":"pq","productName":"DWC.4.20","quote":1.5,"timestamp":1}'
    for _ in range(50):
        play.server(tick)
    (notice,) = [event for event in box.take() if isinstance(event, Throttled)]
    assert notice.until_ns == play.receipt().wall_ns + minute_ns
    assert play.line().deadline() >= play.now_s + 60.0 + 90.0
    play.advance(149.0)
    assert play.writer() == []
    play.advance(1.0)
    assert [send["op"] for send in said(play)] == ["ping"]
    play.advance(30.0)
    assert play.line().state.lost_reason == "no pong"


def test_darwinex_forty_nine_frames_are_no_throttling() -> None:
    play, (box,) = darwinex_line("DWC.4.20")
    tick = '{"op":"pq","productName":"DWC.4.20","quote":1.5,"timestamp":1}'
    for _ in range(3):
        for _ in range(49):
            play.server(tick)
        play.now_s += 60.0
    assert not [event for event in box.take() if isinstance(event, Throttled)]


def test_darwinex_renews_the_token_once() -> None:
    play, _ = darwinex_line("DWC.4.20")
    line = play.line()
    assert play.drop() == Retry(floor_s=60.0)
    assert line.refused(401) == Retry(floor_s=60.0, renew_secrets=True)
    verdict = line.refused(401)
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, AuthenticationFailed)
    line.connect()
    line.server('{"op":"hb","timestamp":1}')
    line.drop()
    assert line.refused(401) == Retry(floor_s=60.0, renew_secrets=True)  # it worked meanwhile


def test_darwinex_keeps_budget_back_for_pings() -> None:
    play, (box,) = darwinex_line("DWC.4.20")
    for _ in range(60):  # a user who cannot decide
        for request in said(play):
            names = request["productNames"]
            gone = {"op": "unsubscribed", "status": "OK", "productNames": names}
            play.server(compact(gone if request["op"] == "unsubscribe" else darwinex_subscribed(names)))
        if play.line().state.ledger.wanted:
            play.unsubscribe(box)
        else:
            box = play.subscribe(Quotes("DWC.4.20"))
    spent = play.spent()
    assert spent["send"] + spent["connect"] == 45
    for _ in range(6):
        play.line().state.reply(b'{"op":"ping","msg":"x"}')
    assert len(play.writer()) == 5
    play.assert_polite()


# Coinbase.


def test_coinbase_one_request_is_in_flight_and_its_answer_may_come_late() -> None:
    play = Bench(COINBASE.venue)
    first = play.subscribe(Trades("BTC-USD"))
    play.connect()
    (request,) = said(play)
    assert request["channels"] == [
        {"name": "matches", "product_ids": ["BTC-USD"]},
        {"name": "heartbeat", "product_ids": ["BTC-USD"]},
    ]
    second = play.subscribe(Trades("ETH-USD"))
    assert said(play) == []
    play.server(compact(coinbase_match("BTC-USD", 1, "last_match")), compact(coinbase_match("BTC-USD", 2)))
    assert first.kinds() == ["Connected", "Trade"]
    assert not first.is_confirmed  # data is no answer here
    there = {"matches": ["BTC-USD"], "heartbeat": ["BTC-USD"]}
    play.server(compact(coinbase_listed(there)))
    assert first.is_confirmed
    assert not second.is_confirmed
    assert len(said(play)) == 1
    both = {name: ["BTC-USD", "ETH-USD"] for name in there}
    play.server(compact(coinbase_listed(both)))
    assert second.is_confirmed


def test_coinbase_a_channel_is_acknowledged_under_another_name() -> None:
    play = Bench(COINBASE.venue)
    book = play.subscribe(Books("BTC-USD"))
    play.connect()
    play.writer()
    play.server(compact(coinbase_listed({"level2_50": ["BTC-USD"], "heartbeat": ["BTC-USD"]})))
    assert book.is_confirmed
    assert "level2_batch" in {channel.name for channel in play.line().state.ledger.confirmed}


def test_coinbase_an_answer_after_its_time_still_counts() -> None:
    play = Bench(COINBASE.venue)
    trades = play.subscribe(Trades("BTC-USD"))
    play.connect()
    play.writer()
    play.line().state.ledger.expire(play.now_s + 10.5)
    assert not play.line().state.ledger.asked
    play.server(compact(coinbase_listed({"matches": ["BTC-USD"], "heartbeat": ["BTC-USD"]})))
    assert trades.is_confirmed
    assert said(play) == []


def test_coinbase_heartbeats_are_implied_counted_and_watched() -> None:
    play = Bench(COINBASE.venue)
    trades = play.subscribe(Trades("BTC-USD"))
    play.settle(COINBASE.server)
    trades.take()
    play.server('{"type":"heartbeat","product_id":"BTC-USD","last_trade_id":0}')
    assert play.line().state.tally.ignored["heartbeat"] == 1
    assert trades.take() == []
    play.advance(9.0)
    assert play.line().state.lost_reason is None
    play.advance(1.0)
    assert play.line().state.lost_reason is not None


def test_coinbase_a_heartbeat_on_two_lanes_is_delivered_once() -> None:
    play = Bench(COINBASE.venue)
    beats = play.subscribe(coinbase.Heartbeats("BTC-USD"))
    play.subscribe(Trades("BTC-USD"))
    play.subscribe(Books("BTC-USD"))
    play.settle(COINBASE.server)
    beats.take()
    for line in play.lines:
        line.server('{"type":"heartbeat","product_id":"BTC-USD","last_trade_id":0}')
    assert beats.kinds() == ["Heartbeat"]


def test_coinbase_an_error_names_one_product_and_the_others_are_asked_again() -> None:
    play = Bench(COINBASE.venue)
    good, bad = play.subscribe(Trades("BTC-USD")), play.subscribe(Trades("XX-USD"))
    play.connect()
    play.writer()
    play.server('{"type":"error","message":"Failed to subscribe","reason":"XX-USD is not a valid product"}')
    assert isinstance(bad.error, SubscriptionRejected)
    assert "XX-USD is not a valid product" in bad.error.reason
    assert good.error is None
    play.subscribe(Trades("ETH-USD"))  # the plan without the one that ended
    (again,) = said(play)
    asked = {product for channel in again["channels"] for product in channel["product_ids"]}
    assert asked == {"BTC-USD", "ETH-USD"}


def test_coinbase_an_error_that_names_nobody_is_pinned_down_one_by_one() -> None:
    play = Bench(COINBASE.venue)
    first, second = play.subscribe(Trades("BTC-USD")), play.subscribe(Trades("ETH-USD"))
    play.connect()
    play.writer()
    play.server('{"type":"error","message":"Failed to subscribe"}')
    assert (first.error, second.error) == (None, None)
    (alone,) = said(play)
    assert alone["channels"] == [{"name": "matches", "product_ids": ["BTC-USD"]}]
    play.server('{"type":"error","message":"Failed to subscribe"}')
    assert isinstance(first.error, SubscriptionRejected)
    assert second.error is None


def test_coinbase_the_signed_view_needs_a_new_line() -> None:
    play = Bench(COINBASE.venue, credentials=KEY)
    trades = play.subscribe(Trades("BTC-USD"))
    play.settle(COINBASE.server)
    trades.take()
    signed = play.subscribe(coinbase.SignedMatches("BTC-USD"))
    assert said(play) == []
    assert play.line().replaced == ["the signed view needs a new line"]
    first, second = trades.take()
    assert (type(first).__name__, getattr(first, "planned", None)) == ("Disconnected", True)
    assert isinstance(second, Gap)
    frames = play.settle(COINBASE.server)
    assert "signature" in str(frames)
    assert signed.is_confirmed
    play.server(compact(coinbase_match("BTC-USD", 5)))
    assert signed.kinds()[-1:] == ["Match"]
    assert trades.kinds()[-1:] == ["Trade"]
    play.unsubscribe(signed)
    assert said(play) == []  # nothing to say: the view stays as it is
    assert play.line().protocol is not None


def test_coinbase_a_skipped_trade_is_a_gap_of_known_size_in_its_place() -> None:
    play = Bench(COINBASE.venue)
    trades = play.subscribe(Trades("BTC-USD"))
    play.settle(COINBASE.server)
    trades.take()
    play.server(*(compact(coinbase_match("BTC-USD", number)) for number in (7, 8, 12)))
    *_, gap, last = trades.take()
    assert isinstance(gap, Gap)
    assert gap.missed == 3
    assert isinstance(last, Trade)
    assert last.trade_id == "12"


def test_coinbase_quotes_start_from_the_book_that_is_kept_already() -> None:
    play = Bench(COINBASE.venue)
    book = play.subscribe(Books("BTC-USD"))
    play.settle(COINBASE.server)
    book.take()
    quotes = play.subscribe(Quotes("BTC-USD"))
    assert quotes.is_confirmed
    (quote,) = quotes.take()
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask) == (Decimal(10), Decimal(11))
    play.server(compact(coinbase_update("BTC-USD", ["buy", "10.5", "1"])))
    assert (book.kinds(), quotes.kinds()) == (["BookChange"], ["Quote"])
    assert said(play) == []


def test_coinbase_a_book_of_another_width_starts_from_the_one_that_is_kept() -> None:
    play = Bench(COINBASE.venue)
    book = play.subscribe(Books("BTC-USD"))
    play.settle(COINBASE.server)
    book.take()
    narrow = play.subscribe(Books("BTC-USD", 5))
    assert narrow.is_confirmed  # the channel is served, but its snapshot is long gone
    assert narrow.kinds() == ["Gap", "BookSnapshot", "Resynced"]  # the venue has books of one width only
    play.settle(COINBASE.server)
    assert narrow.kinds() == book.kinds() == []


def test_coinbase_a_book_wished_for_again_before_it_was_withdrawn_gets_a_snapshot() -> None:
    play = Bench(COINBASE.venue)
    book = play.subscribe(Books("BTC-USD"))
    play.settle(COINBASE.server)
    play.unsubscribe(book)
    again = play.subscribe(Books("BTC-USD"))
    assert again.is_confirmed
    play.settle(COINBASE.server)
    assert again.kinds() == ["BookSnapshot"]


def test_coinbase_a_crossed_book_is_withdrawn_and_asked_for_again() -> None:
    play = Bench(COINBASE.venue)
    book = play.subscribe(Books("BTC-USD"))
    play.settle(COINBASE.server)
    book.take()
    play.server(compact(coinbase_update("BTC-USD", ["buy", "12", "1"])))
    assert book.kinds() == ["Gap"]
    (gone,) = said(play)
    assert gone["type"] == "unsubscribe"
    play.server(compact(coinbase_update("BTC-USD", ["buy", "9", "1"])))
    play.server(compact(coinbase_listed({"heartbeat": ["BTC-USD"]})))
    (again,) = said(play)
    assert (again["type"], again["channels"][0]["name"]) == ("subscribe", "level2_batch")
    play.server(compact(coinbase_update("BTC-USD", ["buy", "9", "1"])))
    assert book.kinds() == []
    play.server(compact(coinbase_snapshot("BTC-USD")))
    assert book.kinds() == ["BookSnapshot", "Resynced"]
