"""What a lost line means where the venue says nothing."""

from __future__ import annotations

import pytest

from trioquotes._protocol.effects import Failure, Fatal, Retry
from trioquotes._protocol.verdict import default_verdict, retry_after_s
from trioquotes.errors import AuthenticationFailed, ConnectFailed

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_final(status: int) -> None:
    failure = Failure("handshake", "no", status=status, headers={"retry-after": "7"})
    signed = default_verdict(failure, authenticated=True)
    assert isinstance(signed, Fatal)
    assert isinstance(signed.error, AuthenticationFailed)
    public = default_verdict(failure, authenticated=False)
    assert isinstance(public, Fatal)
    assert isinstance(public.error, ConnectFailed)
    assert (public.error.status, public.error.retry_after_s) == (status, 7.0)
    assert public.error.headers == {"retry-after": "7"}


def test_certificate_that_was_never_good_is_final_and_one_that_was_is_not() -> None:
    never = default_verdict(Failure("tls", "certificate is not trusted"), authenticated=False)
    assert isinstance(never, Fatal)
    assert str(never.error) == "certificate is not trusted"
    assert default_verdict(Failure("tls", "reset", established=True), authenticated=False) == Retry()


@pytest.mark.parametrize("status", [None, 400, 404, 418, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert default_verdict(Failure("handshake", "no", status=status), authenticated=True) == Retry()


def test_server_that_asks_for_patience_gets_it() -> None:
    failure = Failure("handshake", "no", status=429, headers={"retry-after": "30"})
    assert default_verdict(failure, authenticated=False) == Retry(floor_s=30.0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 120 "}, 120.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:30 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30", "date": NOW}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "3", "date": "Wed, 21 Oct 2015 07:9223372036854775807:00 GMT"}, 3.0),
        ({"retry-after": "soon", "date": "Wed, 21 Oct 2015 07:9223372036854775807:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 07 07:00:18446744073709551616 GMT", "date": NOW}, None),
    ],
)
def test_retry_after_is_read_in_both_forms_or_not_at_all(
    headers: dict[str, str], expected: float | None
) -> None:
    assert retry_after_s(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "999999999"},
        {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT", "date": "Fri, 01 Jan 2027 00:00:00 GMT"},
    ],
)
def test_no_server_keeps_us_waiting_for_more_than_a_day(headers: dict[str, str]) -> None:
    assert retry_after_s(headers) == 86_400.0
