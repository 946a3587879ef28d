"""What a venue says of a limit, in whatever words, and how long it is then left alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.patience import CALM_S, CAP_S, LIMITED_S, Quiet, asked_wait_s


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("Failed to subscribe: Too many requests", 0.0),
        ("Public rate limit exceeded", 0.0),
        ("TOO_MANY_REQUESTS: try again in 30 seconds", 30.0),
        ("too_many_requests: Too many API requests.", 0.0),
        ("temporarily_blocked: 요청이 일시적으로 차단되었습니다. 20초 후에 다시 시도해 주세요.", 20.0),
        ("ACTION_LIMIT_EXCEEDED", 0.0),
        ("900800: Message throttled out: You have exceeded your quota, wait 2 minutes", 120.0),
        ("rate limit of 8 a 1 s, retry in 1500ms", 1.5),
        ("429: busy", 0.0),
        ("book of BTC-USD: HTTP 429", 0.0),
        ("rate-limited for 0.2 s", 1.0),
        ("rate limited for 999999 min", 86_400.0),
        ("too frequent", 0.0),
        ("too many subscriptions", None),
        ("You are not allowed to subscribe to more than 10.000 products.", None),
        ("429 is not a valid product", None),
        ("BTC-429 is not a valid product", None),
        ("limit of connections", None),
        ("invalid signature", None),
        ("", None),
    ],
)
def test_words_about_a_rate_ask_to_wait_and_others_do_not(text: str, wait_s: float | None) -> None:
    assert asked_wait_s(text) == wait_s


@given(st.text(max_size=200))
def test_any_words_can_be_read(text: str) -> None:
    wait_s = asked_wait_s(text)
    assert wait_s is None or 0.0 <= wait_s <= 86_400.0


def test_the_wait_grows_while_a_limit_is_met_again_and_again() -> None:
    quiet, now_s, waits = Quiet(), 100.0, []
    for _ in range(6):
        quiet.heard("too many requests", now_s)
        quiet.heard("too many requests", now_s + 1.0)  # of the same burst
        waits.append(quiet.until_s - now_s - 1.0)
        now_s = quiet.until_s + 1.0
    assert waits == [LIMITED_S, 2 * LIMITED_S, 4 * LIMITED_S, CAP_S, CAP_S, CAP_S]
    now_s += CALM_S
    quiet.heard("too many requests", now_s)
    assert quiet.until_s - now_s == LIMITED_S


def test_a_time_that_is_said_is_kept_and_never_shortened() -> None:
    quiet = Quiet()
    quiet.heard("not a valid product", 0.0)
    assert quiet.until_s == -math.inf
    quiet.heard("too many requests, wait 100 s", 0.0)
    quiet.heard("too many requests", 1.0)
    assert quiet.until_s == 100.0
