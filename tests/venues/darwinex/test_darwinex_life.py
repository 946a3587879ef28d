"""Whether the line is alive, whether quotes are held back, and what follows from each way to end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench
from tests.venues.darwinex.quotes_feed import (
    MINUTE_NS,
    TOKEN,
    Feed,
    line,
    names,
    pong_to,
    quote,
    said,
    subscribed,
)
from trioquotes._protocol.effects import Failure, Fatal, Retry
from trioquotes.errors import AuthenticationFailed, ConnectFailed
from trioquotes.events import Throttled
from trioquotes.topics import Quotes
from trioquotes.venues.darwinex import VENUE
from trioquotes.venues.darwinex.throttle import FRAMES_A_MINUTE, HUSH_S, Throttle

HEARTBEAT = '{"op":"hb","timestamp":1}'


def served(*products: str) -> tuple[Bench, list[Any]]:
    play, boxes = line(*products)
    play.writer()
    play.server(subscribed(products))
    for box in boxes:
        box.take()
    return play, boxes


def throttles(box: Any) -> list[Throttled]:
    return [event for event in box.take() if isinstance(event, Throttled)]


def at_a_minutes_start(play: Bench, after_s: float = 0.0) -> None:
    into_ns = play.receipt().wall_ns % MINUTE_NS
    play.now_s += (MINUTE_NS - into_ns) / 1e9 + after_s


# Silence.


def test_silence_brings_one_ping_and_then_the_end() -> None:
    play, _ = served("DWC.4.20")
    play.advance(89.9)
    assert said(play) == []
    play.advance(0.1)
    assert [frame["op"] for frame in said(play)] == ["ping"]
    play.advance(29.9)
    assert play.line().state.lost_reason is None
    play.advance(0.1)
    assert play.line().state.lost_reason == "nothing came for 120 s, and nothing answered a ping"
    assert play.spent()["ping"] == 1


def test_pong_keeps_a_quiet_line_alive_for_hours() -> None:
    play, _ = served("DWC.4.20")
    pings = 0
    for _ in range(4 * 3600 // 30):
        play.advance(30.0)
        for ping in said(play):
            pings += 1
            play.server(pong_to(ping))
    assert play.line().state.lost_reason is None
    assert 120 <= pings <= 160
    play.assert_polite()


@pytest.mark.parametrize(("interval_s", "limit_s"), [(5.0, 60.0), (25.0, 75.0), (40.0, 90.0), (80.0, 90.0)])
def test_healthy_silence_is_learnt_from_heartbeats(interval_s: float, limit_s: float) -> None:
    play, _ = served("DWC.4.20")
    for _ in range(5):
        play.advance(interval_s)
        play.server(HEARTBEAT)
    play.advance(limit_s - 0.1)
    assert said(play) == []
    play.advance(0.1)
    assert [frame["op"] for frame in said(play)] == ["ping"]


def test_websocket_pong_counts_as_life() -> None:
    play, _ = served("DWC.4.20")
    play.advance(80.0)
    play.line().pong()
    play.advance(80.0)
    assert said(play) == []


def test_watch_starts_with_the_connect() -> None:
    play, _ = line("DWC.4.20")
    play.advance(121.0)
    assert play.line().state.lost_reason is not None


# Quotes held back.


def flood(play: Bench, number: int, gap_s: float = 0.0) -> None:
    for _ in range(number):
        play.server(quote())
        play.now_s += gap_s


def test_silence_after_the_limit_is_throttling_and_no_death() -> None:
    play, (box,) = served("DWC.4.20")
    at_a_minutes_start(play)
    flood(play, FRAMES_A_MINUTE)
    began_ns = play.receipt().wall_ns
    play.advance(HUSH_S - 0.1)
    assert not throttles(box)
    play.advance(0.1)
    (notice,) = throttles(box)
    assert notice.until_ns == began_ns + MINUTE_NS
    assert "50 frames" in notice.reason
    play.advance(60.0 + 89.9)
    assert said(play) == []
    assert not throttles(box), "said once"
    play.advance(0.1)
    assert [frame["op"] for frame in said(play)] == ["ping"]


def test_heartbeats_do_not_shorten_a_hold() -> None:
    play, _ = served("DWC.4.20")
    at_a_minutes_start(play)
    flood(play, FRAMES_A_MINUTE)
    play.advance(HUSH_S)
    play.server(HEARTBEAT)
    play.advance(55.0 + 90.0)
    assert said(play) == []


def test_heartbeats_are_not_counted() -> None:
    play, (box,) = served("DWC.4.20")
    for _ in range(100):
        play.server(HEARTBEAT)
    play.server(quote())
    play.advance(30.0)
    assert not throttles(box)


def test_requests_are_counted_with_the_quotes() -> None:
    play, (box,) = served("DWC.4.20")
    flood(play, FRAMES_A_MINUTE - 2)  # and a connect, and a subscribe
    play.advance(HUSH_S)
    assert len(throttles(box)) == 1


def test_fewer_frames_are_no_throttling() -> None:
    play, (box,) = served("DWC.4.20")
    for _ in range(3):
        at_a_minutes_start(play)
        flood(play, FRAMES_A_MINUTE - 3)  # and a connect, and a subscribe
        play.advance(59.0)
    assert not throttles(box)


def test_short_hold_that_ends_with_the_minute_is_said_before_the_next_quote() -> None:
    play, (box,) = served("DWC.4.20")
    at_a_minutes_start(play, after_s=57.0)
    flood(play, FRAMES_A_MINUTE)
    play.advance(3.0)
    play.server(quote())
    kinds = box.kinds()
    assert kinds[-2:] == ["Throttled", "Quote"]
    assert kinds.count("Throttled") == 1


def test_limit_that_is_evidently_not_kept_is_not_claimed() -> None:
    play, (box,) = served("DWC.4.20")
    at_a_minutes_start(play)
    flood(play, 400, gap_s=0.5)  # 120 a minute, for over three minutes
    assert not throttles(box)


@given(st.lists(st.floats(0.0, 30.0), max_size=300), st.integers(0, 59))
def test_hold_is_claimed_only_after_a_full_minute(gaps: list[float], second: int) -> None:
    throttle, now_s = Throttle(), 100.0
    times: list[float] = []
    for gap_s in gaps:
        now_s += gap_s
        silent = bool(times) and now_s - times[-1] >= HUSH_S
        full = len(times) >= FRAMES_A_MINUTE and times[-1] - times[-FRAMES_A_MINUTE] < 60.0
        told = throttle.check(now_s)
        assert told == (silent and full)
        held = throttle.quote(now_s, int((now_s + second) * 1e9))
        assert full or not held
        assert not (told and held)
        times.append(now_s)


# Ends.


def test_first_reconnect_after_a_line_that_lasted_is_quick_and_others_wait_a_minute() -> None:
    play, _ = served("DWC.4.20")
    assert play.drop() == Retry(floor_s=60.0)
    play.line().connect()
    play.advance(61.0)
    play.server(HEARTBEAT)
    assert play.drop() == Retry(floor_s=0.0)
    assert play.line().refused(502) == Retry(floor_s=60.0)
    assert play.line().refused(502) == Retry(floor_s=60.0)


def test_no_lane_comes_back_more_than_once_a_minute() -> None:
    """Whatever ends a line, and whenever: its connects are a minute apart, but for the one after it lasted."""
    play, _ = line("DWC.4.20")
    connects = [play.now_s]
    for life_s in (0.0, 10.0, 59.0, 61.0, 0.0, 300.0, 1.0):
        play.server(HEARTBEAT)
        play.advance(life_s)
        play.server(HEARTBEAT)
        verdict = play.drop()
        assert isinstance(verdict, Retry)
        play.advance(verdict.floor_s)
        play.connect()
        connects.append(play.now_s)
    assert min(later - earlier for earlier, later in pairwise(connects)) >= 60.0


def test_refused_token_is_renewed_once_and_then_fatal() -> None:
    play, _ = served("DWC.4.20")
    play.drop()
    body = b'{"fault":{"code":900901,"message":"Invalid Credentials","description":"HUSH-HUSH-token is bad"}}'
    assert play.line().refused(401, body) == Retry(floor_s=0.0, renew_secrets=True)
    verdict = play.line().refused(401, body)
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, AuthenticationFailed)
    assert str(verdict.error) == ("darwinex refused with HTTP 401: 900901: Invalid Credentials: *** is bad")
    play.line().connect()
    play.server(HEARTBEAT)
    play.drop()
    assert play.line().refused(401) == Retry(floor_s=0.0, renew_secrets=True), "it worked meanwhile"


def test_forbidden_is_fatal_at_once() -> None:
    play, _ = served("DWC.4.20")
    play.drop()
    verdict = play.line().refused(403, b"<xml/>")
    assert isinstance(verdict, Fatal)
    assert "HTTP 403" in str(verdict.error)


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_throttled_handshake_is_tried_again(status: int) -> None:
    play, _ = served("DWC.4.20")
    play.drop()
    body = b'{"fault":{"code":"900803","message":"Message throttled out"}}'
    assert play.line().refused(status, body) == Retry(floor_s=60.0)


def test_retry_after_is_kept() -> None:
    play, _ = served("DWC.4.20")
    failure = Failure("handshake", "HTTP 503", status=503, headers={"retry-after": "120"})
    assert play.line().alive.classify(failure) == Retry(floor_s=120.0)


def test_certificate_that_was_never_good_is_fatal() -> None:
    play, _ = served("DWC.4.20")
    verdict = play.line().alive.classify(Failure("tls", "certificate verify failed"))
    assert isinstance(verdict, Fatal)
    assert isinstance(verdict.error, ConnectFailed)


# Budgets.


@pytest.mark.endurance
def test_a_thousand_products_take_ten_requests_and_a_reconnect_ten_more() -> None:
    play = Bench(VENUE, credentials=TOKEN)
    boxes = [play.subscribe(Quotes(name)) for name in names(1000)]
    play.settle(Feed)
    assert all(box.is_confirmed for box in boxes)
    assert play.spent() == {"connect": 1, "send": 10}
    play.drop()
    play.settle(Feed)
    assert play.spent() == {"connect": 2, "send": 20}
    play.assert_polite()


def test_pings_keep_their_share_of_the_budget() -> None:
    play, boxes = line("AAA.4.1")
    server = Feed(play.line().lane)
    for number in range(60):  # a user who cannot decide
        for request in play.writer():
            play.server(*server.receive(request))
        play.unsubscribe(boxes.pop())
        boxes.append(play.subscribe(Quotes(f"AAA.4.{number % 2}")))
    spent = play.spent()
    assert spent["send"] + spent["connect"] == 45
    play.line().state.reply(b'{"op":"ping","msg":"x"}')
    assert [frame["op"] for frame in said(play)] == ["ping"]
    play.assert_polite()
