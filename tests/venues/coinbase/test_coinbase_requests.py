"""Requests as they are written, and what their answers say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.effects import WireChannel
from trioquotes.venues.coinbase.messages import Error, SubscribedChannel, Subscriptions
from trioquotes.venues.coinbase.requests import (
    MAX_REQUEST_BYTES,
    Listed,
    canonical,
    encode,
    fitting,
    read_refusal,
)

A, B = WireChannel("matches", "A-B"), WireChannel("ticker", "A-B")
C = WireChannel("matches", "C-D")
STATUS, ACCOUNT, RFQ = WireChannel("status"), WireChannel("balance", "", "acc"), WireChannel("rfq_matches")


def test_request_names_every_id_with_its_channel() -> None:
    frame = encode("subscribe", [A, B, C, STATUS, ACCOUNT], {"key": "k"})
    assert json.loads(frame) == {
        "type": "subscribe",
        "channels": [
            {"name": "matches", "product_ids": ["A-B", "C-D"]},
            {"name": "ticker", "product_ids": ["A-B"]},
            {"name": "status"},
            {"name": "balance", "account_ids": ["acc"]},
        ],
        "key": "k",
    }
    assert b"[]" not in frame


channels = st.lists(
    st.builds(
        WireChannel, st.sampled_from(["matches", "heartbeat", "ticker_batch"]), st.text("ABC-", min_size=1)
    ),
    min_size=1,
    max_size=50,
    unique=True,
)


@given(channels, st.integers(1, 400))
def test_no_request_is_too_large_and_none_is_empty(some: list[WireChannel], times: int) -> None:
    many = [c._replace(instrument=f"{c.instrument}{number}") for number in range(times) for c in some]
    taken = fitting(many)
    assert taken == many[: len(taken)]
    assert taken
    assert len(encode("subscribe", taken, {"signature": "s" * 44, "key": "k" * 40})) <= MAX_REQUEST_BYTES


def test_one_channel_that_is_too_large_alone_goes_out_all_the_same() -> None:
    huge = WireChannel("matches", "X" * 20_000)
    assert fitting([huge, A]) == [huge]


def listed(*channels: Any) -> Listed:
    return Listed(Subscriptions(channels=channels))


def test_acknowledgement_is_read_by_both_names() -> None:
    there = listed(
        SubscribedChannel(name="level2_50", product_ids=("A-B",), account_ids=None),
        SubscribedChannel(name="ticker_1000", product_ids=("A-B",)),
        SubscribedChannel(name="balance", product_ids=None, account_ids=("acc",)),
        SubscribedChannel(name="status"),
        SubscribedChannel(name="rfq_matches", product_ids=("ALL",)),
    )
    assert WireChannel("level2_batch", "A-B") in there
    assert WireChannel("ticker_batch", "A-B") in there
    assert ACCOUNT in there
    assert STATUS in there
    assert RFQ in there
    assert WireChannel("ticker", "A-B") not in there
    assert WireChannel("level2_batch", "C-D") not in there
    assert STATUS not in listed()
    assert canonical("level2_50") == "level2_batch"


@pytest.mark.parametrize(
    ("message", "reason", "kind", "blamed", "unsigned"),
    [
        ("Failed to subscribe", "C-D is not a valid product", "refused", {C}, False),
        ("Failed to subscribe", "A-B is not a valid product", "refused", {A, B}, False),
        ("Failed to subscribe", " is not a valid product", "refused", set(), False),
        ("Failed to subscribe", "acc is not a valid account", "refused", {ACCOUNT}, False),
        ("Failed to subscribe", "ticker is not a valid channel", "refused", {B}, False),
        ("Failed to subscribe", "No channels provided", "refused", set(), False),
        ("Failed to subscribe", None, "refused", set(), False),
        ("Failed to subscribe", "too many subscriptions to C-D", "limit", {C}, False),
        ("Rate limit exceeded", "", "timeout", set(), False),
        (
            "Failed to subscribe",
            "matches, level3, and full channels now require authentication. https://docs/exchange",
            "authentication",
            {A, C},
            True,
        ),
        ("Failed to subscribe", "rfq_matches channel requires authentication", "authentication", {RFQ}, True),
        ("Authentication Failed", '{"message":"Invalid API Key"}', "authentication", set(), False),
        ("Authentication Failed", "invalid signature", "authentication", set(), False),
        (
            "Sorry, you could not be authenticated: Bad Request",
            "invalid signature",
            "authentication",
            set(),
            False,
        ),
    ],
)
def test_refusal_names_who_is_to_blame(
    message: str, reason: str | None, kind: str, blamed: set[WireChannel], unsigned: bool
) -> None:
    refusal = read_refusal(Error(message=message, reason=reason), [A, B, C, ACCOUNT, STATUS, RFQ])
    assert (str(refusal.kind), set(refusal.blamed), refusal.unsigned) == (kind, blamed, unsigned)
    assert refusal.text == (f"{message}: {reason}" if reason else message)
