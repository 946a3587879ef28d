from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.clients import KEY, START_S, signature
from trioquotes.simulator.venues.coinbase import DEFAULT_PRODUCTS, account_id, sign
from trioquotes.simulator.venues.coinbase.desk import Desk, acknowledgement, error_frame
from trioquotes.simulator.venues.coinbase.listings import listings_of
from trioquotes.simulator.venues.coinbase.requests import (
    SIGNED_WORDS,
    Refusal,
    Request,
    Rules,
    Violation,
    read_request,
)

USD = account_id(KEY, "USD")
RULES = Rules(products=DEFAULT_PRODUCTS, keys={KEY.key: KEY}, accounts={USD: "main", "other": "someone"})
FAILED = "Failed to subscribe"


def read(
    rules: Rules = RULES, now_s: Decimal | int = START_S, **fields: Any
) -> Request | Refusal | Violation:
    return read_request(json.dumps({"type": "subscribe", **fields}), rules, Decimal(now_s))


def granted(**fields: Any) -> dict[str, tuple[str, ...]]:
    request = read(**fields)
    assert isinstance(request, Request), request
    return {asked.channel: asked.products for asked in request.asked}


@pytest.mark.parametrize(
    ("secret", "timestamp", "signed"),
    [
        (
            "aVGe54dHHYUSudB3sJdcQx4BfQ6K5oVdcYv4eRtDN6fBHEQf5Go6BACew4G0iFjfLKJHmWY5ZEwlqxdslop4CC==",
            "1546384260.0321212",
            "KQq/poDCHjDDRURkQOc+QZi16c6cio9Yo/nF1+kts84=",
        ),
        ("c2hhZG93ZmlsbC10ZXN0LXNlY3JldA==", "1758253500", "RKZfA1tLfY3PCoKZLzVCfp3C2kBCgv3wAjitOqmXZYA="),
    ],
)
def test_published_signatures_pass_and_any_change_fails(secret: str, timestamp: str, signed: str) -> None:
    assert sign(secret, timestamp) == signed
    rules = Rules(products=DEFAULT_PRODUCTS, keys={"k": attrs.evolve(KEY, key="k", secret=secret)})
    fields: dict[str, Any] = {
        "channels": ["level2"], "product_ids": ["BTC-USD"], "key": "k", "passphrase": KEY.passphrase,
        "timestamp": timestamp, "signature": signed,
    }  # fmt: skip
    now_s = Decimal(timestamp)
    assert isinstance(read(rules, now_s, **fields), Request)
    refused = Refusal("Authentication Failed", "invalid signature")
    assert read(rules, now_s, **{**fields, "signature": signed[::-1]}) == refused
    assert read(rules, now_s, **{**fields, "signature": ""}) == refused
    assert read(rules, now_s, **{**fields, "signature": "é"}) == refused
    assert not isinstance(read(rules, now_s, **{**fields, "timestamp": f"{Decimal(timestamp) + 1}"}), Request)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "unknown"}, '{"message":"Invalid API Key"}'),
        ({"key": ""}, '{"message":"Invalid API Key"}'),
        ({"passphrase": "\ud800"}, '{"message":"Invalid Passphrase"}'),
        ({"timestamp": "1e9999999"}, '{"message":"invalid timestamp"}'),
        ({"passphrase": "wrong"}, '{"message":"Invalid Passphrase"}'),
        ({"timestamp": "now"}, '{"message":"invalid timestamp"}'),
        ({"timestamp": "NaN"}, '{"message":"invalid timestamp"}'),
        ({"timestamp": "Infinity"}, '{"message":"request timestamp expired"}'),
        ({"timestamp": ""}, '{"message":"invalid timestamp"}'),
    ],
)
def test_each_part_of_the_credentials_is_checked(change: dict[str, str], words: str) -> None:
    fields: dict[str, Any] = {"channels": ["full"], "product_ids": ["BTC-USD"], **signature(), **change}
    outcome = read(**fields)
    assert outcome == Refusal("Authentication Failed", words)


@pytest.mark.parametrize(("away_s", "good"), [(0, True), (30, True), (-30, True), (31, False), (-31, False)])
def test_the_clock_may_be_thirty_seconds_off(away_s: int, good: bool) -> None:
    outcome = read(now_s=START_S + away_s, channels=["full"], product_ids=["BTC-USD"], **signature())
    assert isinstance(outcome, Request) is good
    if not good:
        assert outcome == Refusal("Authentication Failed", '{"message":"request timestamp expired"}')


def test_a_broken_secret_is_an_invalid_signature() -> None:
    rules = Rules(products=DEFAULT_PRODUCTS, keys={KEY.key: attrs.evolve(KEY, secret="not base64!")})
    outcome = read(rules, channels=["full"], product_ids=["BTC-USD"], **signature())
    assert outcome == Refusal("Authentication Failed", "invalid signature")


def test_a_profile_shows_no_secret() -> None:
    assert KEY.secret not in repr(KEY)
    assert KEY.passphrase not in repr(KEY)


def test_root_and_own_product_ids_are_added_together() -> None:
    both = granted(
        product_ids=["BTC-USD", "ETH-USD"],
        channels=["heartbeat", {"name": "ticker", "product_ids": ["ETH-EUR", "ETH-USD"]}, "status"],
    )
    assert both == {
        "heartbeat": ("BTC-USD", "ETH-USD"),
        "ticker": ("BTC-USD", "ETH-USD", "ETH-EUR"),
        "status": (),
    }


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("level2_batch", "level2_50"),
        ("level2_50", "level2_50"),
        ("ticker_batch", "ticker_1000"),
        ("matches", "matches"),
    ],
)
def test_names_become_canonical(name: str, canonical: str) -> None:
    assert granted(product_ids=["BTC-USD"], channels=[name]) == {canonical: ("BTC-USD",)}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "No channels provided"),
        ({"channels": []}, "No channels provided"),
        ({"channels": ["ticker"]}, "You need to specify at least one product ID for channel ticker"),
        ({"channels": ["ticker"], "product_ids": ["FOO-BAR"]}, "FOO-BAR is not a valid product"),
        ({"channels": ["ticker"], "product_ids": ["btc-usd"]}, "btc-usd is not a valid product"),
        ({"channels": ["ticker"], "product_ids": [""]}, " is not a valid product"),
        ({"channels": ["level4"], "product_ids": ["BTC-USD"]}, "level4 is not a valid channel"),
        (
            {"channels": [{"name": "ticker", "product_ids": []}], "product_ids": ["BTC-USD"]},
            " is not a valid product",
        ),
        ({"channels": ["ticker", "level2"], "product_ids": ["BTC-USD"]}, SIGNED_WORDS),
        ({"channels": ["level3"], "product_ids": ["BTC-USD"]}, SIGNED_WORDS),
        ({"channels": ["full"], "product_ids": ["BTC-USD"]}, SIGNED_WORDS),
        ({"channels": ["user"], "product_ids": ["BTC-USD"]}, "user channel requires authentication"),
        ({"channels": ["balance"], "account_ids": [USD]}, "balance channel requires authentication"),
        (
            {"channels": ["balance"], **signature()},
            "You need to specify at least one account ID for channel balance",
        ),
        ({"channels": ["balance"], "account_ids": ["other"], **signature()}, "other is not a valid account"),
        ({"type": "ask", "channels": ["ticker"]}, "Type has to be either subscribe or unsubscribe"),
    ],
)
def test_a_refusal_has_the_venues_words(fields: dict[str, Any], reason: str) -> None:
    assert read(**fields) == Refusal(FAILED, reason)


def test_a_refused_unsubscribe_says_so() -> None:
    assert read(type="unsubscribe") == Refusal("Failed to unsubscribe", "No channels provided")
    assert read(type="unsubscribe", channels=["heartbeat"]) == Refusal(
        "Failed to unsubscribe", "You need to specify at least one product ID for channel heartbeat"
    )
    generous = attrs.evolve(RULES, unsubscribe_without_ids="all")
    outcome = read(generous, type="unsubscribe", channels=["heartbeat", "level2"])
    assert isinstance(outcome, Request)
    assert [asked.products for asked in outcome.asked] == [("ALL",), ("ALL",)]


def test_what_is_not_json_is_refused() -> None:
    for text in ("{", "", "[" * 60_000):
        assert read_request(text, RULES, Decimal(0)) == Refusal("Malformed JSON", None)
    assert error_frame("Malformed JSON", None) == {"type": "error", "message": "Malformed JSON"}


@pytest.mark.parametrize(
    "message",
    [
        "[]", '"subscribe"', '{"type":1}', '{"type":"subscribe","timestamp":1758253500.5}',
        '{"type":"subscribe","channels":"ticker"}', '{"type":"subscribe","channels":[1]}',
        '{"type":"subscribe","channels":[{"product_ids":["BTC-USD"]}]}',
        '{"type":"subscribe","channels":[{"name":"ticker","product_ids":"BTC-USD"}]}',
        '{"type":"subscribe","product_ids":[1],"channels":["ticker"]}',
    ],
)  # fmt: skip
def test_json_of_the_wrong_types_closes_the_line(message: str) -> None:
    assert read_request(message, RULES, Decimal(0)) == Violation(1008, "invalid (un)subscribe msg")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["BTC-USD", "ticker", "subscribe"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "channels", "product_ids", "name", "key", "timestamp", "signature", "account_ids"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_every_message_has_an_outcome(message: Any) -> None:
    outcome = read_request(json.dumps(message), RULES, Decimal(START_S))
    assert isinstance(outcome, Request | Refusal | Violation)


def test_the_direct_endpoint_wants_every_request_signed() -> None:
    direct = attrs.evolve(RULES, direct=True)
    fields: dict[str, Any] = {"channels": ["ticker"], "product_ids": ["BTC-USD"]}
    assert read(direct, **fields) == Refusal("Authentication Failed", '{"message":"Invalid API Key"}')
    assert isinstance(read(direct, **fields, **signature()), Request)


@pytest.mark.parametrize("ids", [[], [""], ["ALL"], ["BTC-USD", "ALL"]])
def test_rfq_matches_may_be_taken_whole_and_then_not_in_parts(ids: list[str]) -> None:
    whole = read(channels=["rfq_matches"], product_ids=ids)
    part = read(channels=["rfq_matches"], product_ids=["BTC-USD"])
    assert isinstance(whole, Request)
    assert isinstance(part, Request)
    desk = Desk()
    assert desk.conflict(part) is None
    desk.apply(whole)
    assert desk.conflict(whole) is None
    assert desk.conflict(part) == "Already subscribed to all products for channel rfq_matches"


def test_rfq_matches_may_be_for_signed_requests_only() -> None:
    strict = attrs.evolve(RULES, rfq_needs_signature=True)
    assert read(strict, channels=["rfq_matches"]) == Refusal(
        FAILED, "rfq_matches channel requires authentication"
    )


def request(**fields: Any) -> Request:
    outcome = read(**fields)
    assert isinstance(outcome, Request), outcome
    return outcome


def test_the_acknowledgement_lists_everything_not_in_the_order_of_asking() -> None:
    desk = Desk()
    products = ["ETH-USD", "BTC-USD", "LTC-USD", "ETH-EUR"]
    desk.apply(request(channels=["level2_batch", "status"], product_ids=products))
    desk.apply(request(channels=["balance"], account_ids=[USD], **signature()))
    ack = acknowledgement(desk)
    found = {channel["name"]: channel for channel in ack["channels"]}
    assert set(found) == {"level2_50", "status", "balance"}
    assert sorted(found["level2_50"]["product_ids"]) == sorted(products)
    assert found["level2_50"]["product_ids"] not in (products, sorted(products))
    assert found["status"] == {"name": "status", "product_ids": [], "account_ids": None}
    assert found["balance"] == {"name": "balance", "product_ids": [], "account_ids": [USD]}
    assert acknowledgement(desk) == ack


def test_after_unsubscribing_everything_the_acknowledgement_has_a_root_list() -> None:
    desk = Desk()
    ask = {"channels": ["ticker", "matches"], "product_ids": ["BTC-USD"]}
    desk.apply(request(**ask))
    desk.apply(request(type="unsubscribe", **ask))
    desk.apply(request(type="unsubscribe", **ask))
    assert acknowledgement(desk) == {"type": "subscriptions", "product_ids": [], "channels": []}


def test_who_subscribed_anonymously_stays_in_the_public_view() -> None:
    desk = Desk()
    ask = {"channels": ["matches"], "product_ids": ["BTC-USD"]}
    assert desk.apply(request(**ask)) == [("matches", "BTC-USD")]
    assert desk.apply(request(**ask, **signature())) == []
    assert desk.views["matches"]["BTC-USD"] is None
    assert desk.apply(request(channels=["matches"], product_ids=["ETH-USD"], **signature()), ["X"]) != []
    assert desk.views["matches"]["ETH-USD"] == KEY
    assert desk.apply(request(channels=["matches"], product_ids=["ETH-EUR"]), ["ETH-EUR"]) == []


def test_products_may_be_any_pair_in_capitals() -> None:
    assert [listing.instrument for listing in listings_of(None)] == [
        "BTC-USD",
        "ETH-USD",
        "ETH-EUR",
        "LTC-USD",
    ]
    doge, btc = listings_of(["DOGE-USDT", DEFAULT_PRODUCTS["BTC-USD"]])
    assert (doge.base, doge.quote, doge.reference) == ("DOGE", "USDT", Decimal(100))
    assert btc.instrument == "BTC-USD"
    for wrong in ("DOGE", "doge-usd", "-USD", "BTC-"):
        with pytest.raises(ValueError, match="not a product id"):
            listings_of([wrong])
