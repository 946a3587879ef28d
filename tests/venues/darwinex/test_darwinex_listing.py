"""The REST list of products: paged, accounted for product by product, and mended where it broke."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.venues.bench import Bench
from tests.venues.darwinex.quotes_feed import TOKEN, Feed, line, page, pong_to, product, said, subscribed
from trioquotes._protocol.effects import Failure, Reply
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected
from trioquotes.events import Instrument, Malformed, Rejected
from trioquotes.topics import Instruments
from trioquotes.venues import darwinex
from trioquotes.venues.darwinex import VENUE
from trioquotes.venues.darwinex.listing import MAX_PAGES, PRODUCTS, deliver_page

URL = "https://api.darwinex.com/darwininfo/2.0/products?status=ACTIVE&page={}&per_page=100"


def listing() -> tuple[Bench, Any]:
    play, (box,) = line(extra=[Instruments()])
    play.writer()
    return play, box


def urls(play: Bench) -> list[str]:
    return [fetch.request.url for fetch in play.line().fetches]


def instruments(box: Any) -> list[Instrument]:
    return [event for event in box.take() if isinstance(event, Instrument)]


def test_pages_are_fetched_one_by_one_with_the_token_until_the_last() -> None:
    play, box = listing()
    assert urls(play) == [URL.format(0)]
    assert ("Authorization", "Bearer HUSH-HUSH-token") in play.line().fetches[0].request.headers
    assert "HUSH" not in repr(play.line().fetches)
    play.line().answer(Reply(200, body=page(0, 2, ["AEB.5.4", "AEC.5.8"])))
    assert box.is_confirmed
    play.writer()
    assert urls(play) == [URL.format(1)]
    play.line().answer(Reply(200, body=page(1, 2, ["DWC.4.20"])))
    play.writer()
    assert urls(play) == []
    found = instruments(box)
    assert [event.instrument for event in found] == ["AEB.5.4", "AEC.5.8", "DWC.4.20"]
    assert found[0].status == "ACTIVE"
    assert (found[0].base, found[0].quote, found[0].venue_time_ns) == (None, None, None)
    count = play.line().state.tally.count()
    assert (count.delivered, count.folded, count.elements) == (2, 1, 3)


def test_native_topic_has_whole_pages() -> None:
    play, (box,) = line(extra=[darwinex.Products()])
    play.writer()
    play.line().answer(Reply(200, body=page(0, 1, ["AEB.5.4"])))
    (event,) = [event for event in box.take() if isinstance(event, darwinex.ProductPage)]
    assert event.content[0].short_name == "AEB"
    assert event.received_ns == play.receipt().wall_ns


def test_quotes_are_asked_for_before_pages() -> None:
    play, _ = line("DWC.4.20", extra=[Instruments()])
    frames = said(play)
    assert [frame["op"] for frame in frames] == ["subscribe"]
    assert [type(effect).__name__ for effect in play.line().effects] == ["Send", "Fetch"]


def test_list_comes_again_with_a_new_line_and_with_a_new_wish() -> None:
    play, box = listing()
    play.line().answer(Reply(200, body=page(0, 1, ["AEB.5.4"])))
    keeps = play.subscribe(darwinex.ProductQuotes("DWC.4.20"))
    play.unsubscribe(box)
    frames = said(play)
    assert [frame["op"] for frame in frames] == ["subscribe", "ping"]
    play.server(subscribed(["DWC.4.20"]), pong_to(frames[1]))
    again = play.subscribe(Instruments())
    play.writer()
    assert urls(play) == [URL.format(0)]
    play.line().answer(Reply(200, body=page(0, 1, ["AEB.5.4"])))
    assert len(instruments(again)) == 1
    play.drop()
    play.connect()
    play.writer()
    assert urls(play) == [URL.format(0)]
    assert keeps.is_confirmed


def test_page_that_comes_after_the_wish_is_gone_is_ignored() -> None:
    play, box = listing()
    play.subscribe(darwinex.Heartbeats())
    play.unsubscribe(box)
    play.writer()
    play.line().answer(Reply(200, body=page(0, 1, ["AEB.5.4", "AEC.5.8"])))
    count = play.line().state.tally.count()
    assert (count.delivered, count.ignored) == (0, {"withdrawn": 1})
    play.line().alive.fetched(99, Failure("stream", "x"), play.receipt(), play.line().state)
    assert play.line().state.tally.count() == count


@pytest.mark.parametrize(
    "answer",
    [
        Failure("stream", "no whole answer within 20 s"),
        Reply(502),
        Reply(429, body=b'{"fault":{"message":"Message throttled out"}}'),
        Reply(200, body=b"<html>"),
        Reply(200, body=b'{"content":3}'),
        Reply(200, body=b'{"content":[],"totalElements":"many"}'),
    ],
)
def test_page_that_fails_is_asked_for_again_where_it_stopped(answer: Reply | Failure) -> None:
    play, box = listing()
    play.line().answer(Reply(200, body=page(0, 2, ["AEB.5.4"])))
    play.writer()
    play.line().answer(answer)
    (rejected,) = [event for event in box.take() if isinstance(event, Rejected)]
    assert not rejected.final
    play.writer()
    assert urls(play) == []
    play.advance(1.0)
    play.writer()
    assert urls(play) == [URL.format(1)]
    play.line().answer(Reply(200, body=page(1, 2, ["AEC.5.8"])))
    assert [event.instrument for event in instruments(box)] == ["AEC.5.8"]
    assert box.error is None


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (
            Reply(401, body=b'{"fault":{"message":"Invalid Credentials"}}'),
            AuthenticationFailed,
            "Invalid Cred",
        ),
        (Reply(403), AuthenticationFailed, "HTTP 403"),
        (
            Reply(400, body=b'{"status":"bad page of HUSH-HUSH-token"}'),
            SubscriptionRejected,
            "bad page of ***",
        ),
    ],
)
def test_refused_list_ends_its_topic_alone(reply: Reply, kind: type[Exception], words: str) -> None:
    play, (quotes, box) = line("DWC.4.20", extra=[Instruments()])
    play.writer()
    play.server(subscribed(["DWC.4.20"]))
    play.line().answer(reply)
    assert isinstance(box.error, kind)
    assert words in str(box.error)
    assert quotes.error is None
    assert play.line().state.tally.count().ignored == {"refused": 1}


def test_product_that_does_not_decode_spares_the_others() -> None:
    play, box = listing()
    wrong = json.dumps({"content": [product("AEB.5.4"), {"shortName": 3}, product("AEC.5.8")], "last": True})
    play.line().answer(Reply(200, body=wrong.encode()))
    events = box.take()
    (malformed,) = [event for event in events if isinstance(event, Malformed)]
    assert "$.content[1]" in malformed.reason
    assert [event.instrument for event in events if isinstance(event, Instrument)] == ["AEB.5.4", "AEC.5.8"]
    count = play.line().state.tally.count()
    assert (count.malformed, count.delivered, count.folded) == (1, 1, 1)
    play.writer()
    assert urls(play) == []


def test_page_of_nothing_but_rubbish_is_malformed_product_by_product() -> None:
    play, _ = listing()
    play.line().answer(Reply(200, body=b'{"content":[{},[]],"last":true}'))
    count = play.line().state.tally.count()
    assert (count.malformed, count.delivered, count.elements) == (2, 0, 2)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({"content": []}, False),
        ({"content": [product("AEB.5.4")]}, False),
        ({"content": [product("AEB.5.4")] * 100}, True),
        ({"content": [product("AEB.5.4")], "last": False}, True),
        ({"content": [product("AEB.5.4")], "totalPages": 2}, True),
        ({"content": [product("AEB.5.4")], "totalPages": 1}, False),
        ({"content": [product("AEB.5.4")], "last": True, "totalPages": 9}, False),
    ],
)
def test_end_of_the_list_is_found_with_whatever_the_page_says(body: Any, more: bool) -> None:
    play, box = listing()
    play.line().answer(Reply(200, body=json.dumps(body).encode()))
    assert box.is_confirmed
    play.writer()
    assert bool(urls(play)) == more


def test_list_that_never_ends_is_given_up() -> None:
    play, _ = listing()
    pages = 0
    while play.line().fetches:
        play.line().answer(Reply(200, body=b'{"content":[{"productName":"AEB.5.4"}],"last":false}'))
        pages += 1
        play.advance(3.0)
        play.writer()
    assert pages == MAX_PAGES
    play.assert_polite()


def test_list_leaves_room_for_requests_on_the_socket() -> None:
    play = Bench(VENUE, credentials=TOKEN)
    play.subscribe(Instruments())
    play.connect()
    play.writer()
    while play.line().fetches:
        play.line().answer(Reply(200, body=b'{"content":[{"productName":"AEB.5.4"}],"last":false}'))
        play.writer()
    assert play.spent()["rest"] == 25
    quotes = play.subscribe(darwinex.ProductQuotes("DWC.4.20"))
    assert [frame["op"] for frame in said(play)] == ["subscribe"]
    play.server(subscribed(["DWC.4.20"]))
    assert quotes.is_confirmed


def test_pages_read_alone_are_handed_over_too() -> None:
    play, _ = listing()
    play.line().state.begin(b"", play.receipt())
    read = deliver_page(page(0, 1, ["AEB.5.4"]), play.line().state)
    assert read is not None
    assert PRODUCTS in play.line().state.ledger.asked
    assert Feed(play.line().lane).fetch(play.line().fetches[0].request).status == 200
