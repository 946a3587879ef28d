"""Snapshots by REST, to compare kept books with."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.venues.bookcheck import Reader
from tests.venues.edgex.feed import BTC, depth, served
from trioquotes._protocol.audit import Watch
from trioquotes._protocol.bookkeeper import BookFeed
from trioquotes._protocol.codec import BadFrame
from trioquotes._protocol.effects import Endpoint, Options, Receipt
from trioquotes.events import Audited, BookSnapshot
from trioquotes.topics import Books, Depths, Quotes, Topic, Trades
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE
from trioquotes.venues.edgex.audit import book_audit, read_book

# As the venue's page prints it: V1 and V2 documentation, "Quote API", "Query Order Book Depth".
PRINTED = """
{
    "code": "SUCCESS",
    "data": [
        {
            "startVersion": "201223746",
            "endVersion": "201223747",
            "level": 15,
            "contractId": "10000001",
            "contractName": "BTCUSDT",
            "asks": [
                {
                    "price": "101695.9",
                    "size": "0.579"
                },
                {
                    "price": "101696.0",
                    "size": "0.923"
                },
                {
                    "price": "101703.0",
                    "size": "0.129"
                }
            ],
            "bids": [
                {
                    "price": "101695.5",
                    "size": "1.710"
                },
                {
                    "price": "101694.1",
                    "size": "0.189"
                },
                {
                    "price": "101692.9",
                    "size": "0.223"
                }
            ],
            "depthType": "SNAPSHOT"
        }
    ],
    "msg": null,
    "errorParam": null,
    "requestTime": "1734598036434",
    "responseTime": "1734598036435",
    "traceId": "99b69f04bac0df6e37961f249b9545e4"
}
"""
RECEIPT = Receipt(5)


def levels(*texts: tuple[str, str]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(size)) for price, size in texts)


def printed(**changes: Any) -> bytes:
    """The printed answer with other fields of its book."""
    answer = json.loads(PRINTED)
    answer["data"][0] |= changes
    return json.dumps(answer).encode()


def test_the_printed_answer_is_a_book() -> None:
    assert read_book("10000001", 15, PRINTED.encode(), RECEIPT) == BookSnapshot(
        venue="edgex",
        instrument="10000001",
        received_ns=5,
        sequence=201223747,
        bids=levels(("101695.5", "1.710"), ("101694.1", "0.189"), ("101692.9", "0.223")),
        asks=levels(("101695.9", "0.579"), ("101696.0", "0.923"), ("101703.0", "0.129")),
        depth=15,
    )


def test_what_a_page_leaves_out_may_be_left_out() -> None:
    row = json.loads(PRINTED)["data"][0]
    del row["depthType"], row["level"], row["contractName"]
    body = json.dumps({"code": "SUCCESS", "data": [row]}).encode()
    assert read_book("10000001", 15, body, RECEIPT) == read_book("10000001", 15, PRINTED.encode(), RECEIPT)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "truncated"),
        (b"<!DOCTYPE html>", "JSON"),
        (b"[]", "object"),
        (b"{}", "code"),
        (b'{"code":"INVALID_CONTRACT_ID","msg":"invalid contractId:7","data":null}', "_ID: invalid contractId:7"),
        (b'{"code":"SERVER_BUSY"}', "SERVER_BUSY: without a word"),
        (b'{"code":"SUCCESS","data":null}', r"array.*\$.data"),
        (b'{"code":"SUCCESS"}', r"array.*\$.data"),
        (b'{"code":"SUCCESS","data":[]}', "not one book of 10000001"),
        (b'{"code":"SUCCESS","data":[7]}', r"\$.data\[0\]"),
        (PRINTED.replace("101695.9", "NaN").encode(), "asks"),
        (printed(contractId="10000002"), "not one book of 10000001"),
        (printed(depthType="CHANGED"), "of the type 'CHANGED'"),
        (printed(level=200), "a window of 200 levels a side where 15"),
        (printed(startVersion="201223748"), "said to end at 201223747"),
        (printed(bids=[["101695.5", "-1"]]), "negative size"),
        (printed(bids=[["101695.5", "1"], ["101695.50", "2"]]), "a price stands twice"),
        (printed(bids=[[str(price), "1"] for price in range(1, 17)]), "16 bids in a window of 15"),
        (printed(bids=[["101695.9", "1"]]), "bids up to 101695.9 and asks from 101695.9 on"),
        (printed(bids=[["101700", "1"]]), "bids up to 101700 and asks from"),
        (printed(asks=None), "asks"),
    ],
)  # fmt: skip
def test_what_is_no_book_is_refused_with_a_reason(body: bytes, words: str) -> None:
    with pytest.raises(BadFrame, match=words):
        read_book("10000001", 15, body, RECEIPT)


def test_two_books_are_not_one() -> None:
    answer = json.loads(PRINTED)
    answer["data"] *= 2
    with pytest.raises(BadFrame, match="not one book"):
        read_book("10000001", 15, json.dumps(answer).encode(), RECEIPT)


@pytest.mark.parametrize(
    ("name", "topic", "url"),
    [
        ("v1", Books("10000001"), "https://pro.edgex.exchange/api/v1/public/quote/getDepth?contractId=10000001&level=200"),
        ("v1", Depths("10000001"), "https://pro.edgex.exchange/api/v1/public/quote/getDepth?contractId=10000001&level=15"),
        ("v2", Books(BTC, 15), f"https://edgex-prod-v2.edgex.exchange/api/v2/public/quote/getDepth?contractId={BTC}&level=15"),
        ("v2", Depths(BTC, 16), f"https://edgex-prod-v2.edgex.exchange/api/v2/public/quote/getDepth?contractId={BTC}&level=200"),
    ],
    ids=str,
)  # fmt: skip
def test_the_same_window_is_asked_of_the_endpoints_generation(name: str, topic: Topic[Any], url: str) -> None:
    audit = VENUE.serve(topic, Options(VENUE.endpoints[name])).audit
    assert audit is not None
    assert (audit.request.method, audit.request.url, audit.request.headers) == ("GET", url, ())
    assert audit.cost == {"rest": 1}


def test_an_endpoint_without_a_generation_is_asked_as_the_second() -> None:
    audit = book_audit(Endpoint("wss://x", rest="https://y"), BTC, 15)
    assert audit is not None
    assert audit.request.url.startswith("https://y/api/v2/")


def test_without_rest_nothing_is_audited() -> None:
    endpoint = attrs.evolve(VENUE.endpoints["v2"], rest=None)
    assert VENUE.serve(Books(BTC), Options(endpoint)).audit is None


@pytest.mark.parametrize("topic", [Quotes(BTC), Trades(BTC), edgex.Depths(BTC)], ids=str)
def test_what_is_kept_from_no_book_is_not_audited(topic: Topic[Any]) -> None:
    assert VENUE.serve(topic, Options(VENUE.endpoints["v2"])).audit is None


def test_an_audit_that_finds_a_level_wrong_ends_in_a_resync_of_that_book() -> None:
    play, (_,) = served(Books(BTC, 15))
    reader = play.join(Reader(Books(BTC, 15)))
    play.server(depth(110, 120, bids=[("100", "3")], level=15))
    feed = play.planner.feeds[Books(BTC, 15)]
    assert isinstance(feed, BookFeed)
    assert feed.serving.audit is not None
    body = json.loads(PRINTED)
    for size, differing in (("3.00", 0), ("4", 1)):
        row = {
            "startVersion": "115",
            "endVersion": "120",
            "level": 15,
            "contractId": BTC,
            "depthType": "SNAPSHOT",
        }
        row |= {"bids": [["100.5", "1"], ["100", size]], "asks": [["101.0", "2"]]}
        feed.watch = Watch(feed.book)
        fetched = feed.serving.audit.read(json.dumps(body | {"data": [row]}).encode(), RECEIPT)
        assert play.line().state.audit(feed, fetched, play.receipt()) == differing
        assert reader.trusting is not bool(differing)
    (audited,) = (event for event in reader.events if isinstance(event, Audited))
    assert [(d.side, d.price, d.kept, d.fetched) for d in audited.differences] == [
        ("bid", Decimal(100), Decimal(3), Decimal(4))
    ]
    assert [json.loads(frame)["type"] for frame in play.writer()] == ["unsubscribe", "subscribe"]
