"""Captured frames of things that no session can ask for: they are ignored with a reason, and end nothing."""

from __future__ import annotations

import pytest

from trioquotes._protocol.offline import Offline
from trioquotes.venues import VENUES

NOOP = '["noop","","5","2023-03-28T23:24:03.185394Z"]'
TICKER = '{"type":"ticker","code":"","trade_price":1.0,"timestamp":1,"stream_type":"REALTIME"}'
INDICATOR = '{"type":"indicator","code":"KR:-BTC","timestamp":1788335180423,"values":{"rsi":70.1}}'
MATCH = (
    '{"type":"match","trade_id":156,"maker_order_id":"m-1","taker_order_id":"t-1","side":"sell","size":"0.10",'
    '"price":"10.50","product_id":"","sequence":15600,"time":"2026-08-25T03:35:57.198335Z"}'
)
ELEVEN = (
    '{"action":"push","topic":"trading/orderbook-limited/btc-pln/11","message":{"changes":[],"timestamp":"1"},'
    '"timestamp":"1","seqNo":5}'
)
FOUND = [("coinbase", NOOP), ("coinbase", MATCH), ("upbit", INDICATOR), ("upbit", TICKER), ("zonda", ELEVEN)]
"""Each was found by the fuzzing of captured frames."""


@pytest.mark.parametrize(("venue", "frame"), FOUND)
def test_what_no_session_can_ask_for_is_ignored_with_a_reason(venue: str, frame: str) -> None:
    offline = Offline(VENUES[venue], native=True)
    assert offline.feed(frame.encode()) == []
    assert offline.count().ignored == {"no such instrument": 1}


@pytest.mark.parametrize(("venue", "frame"), FOUND)
def test_its_unified_form_ends_nothing_either(venue: str, frame: str) -> None:
    offline = Offline(VENUES[venue])
    offline.feed(frame.encode())
    assert offline.count().elements == 1
