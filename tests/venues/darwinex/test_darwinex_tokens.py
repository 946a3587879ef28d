"""The refresh-token flow without I/O: requests, answers, and which refusal passes."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes._protocol.effects import Reply
from trioquotes.credentials import Secret
from trioquotes.errors import AuthenticationFailed, ConnectFailed
from trioquotes.venues.darwinex import TokenFlow, Tokens
from trioquotes.venues.darwinex.auth import basic
from trioquotes.venues.darwinex.faults import read_fault
from trioquotes.venues.darwinex.tokens import _Answer

OLD = Secret("HUSH-refresh")
FLOW = TokenFlow("HUSH-key", "HUSH-secret")
ANSWER = (
    b'{"access_token":"HUSH-access","expires_in":3600,"id_token":"HUSH-id",'
    b'"refresh_token":"HUSH-new","scope":"openid","token_type":"Bearer"}'
)


def test_basic_header_is_the_worked_vector() -> None:
    assert basic(Secret("consumerKey"), Secret("consumerSecret")) == (
        "Authorization",
        "Basic Y29uc3VtZXJLZXk6Y29uc3VtZXJTZWNyZXQ=",
    )


def test_request_spends_the_refresh_token_and_shows_nothing() -> None:
    request = FLOW.request(Secret("a+b/c="))
    assert (request.method, request.url) == ("POST", "https://api.darwinex.com/token")
    headers = dict(request.headers)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert headers["Authorization"].startswith("Basic ")
    assert parse_qs(request.body.decode()) == {"grant_type": ["refresh_token"], "refresh_token": ["a+b/c="]}
    assert "a+b" not in repr(request)
    assert "HUSH" not in repr((FLOW, request))
    assert TokenFlow("k", "s", rest="http://127.0.0.1:1").request(OLD).url == "http://127.0.0.1:1/token"


def test_answer_brings_both_tokens() -> None:
    tokens = FLOW.read(Reply(200, body=ANSWER), OLD)
    assert tokens == Tokens(
        Secret("HUSH-access"), Secret("HUSH-new"), Secret("HUSH-id"), 3600, "openid", "Bearer"
    )
    assert tokens.renew_after_s == 3300.0
    assert "HUSH" not in repr(tokens)


def test_answer_without_a_new_refresh_token_leaves_the_old_one() -> None:
    tokens = FLOW.read(Reply(200, body=b'{"access_token":"a"}'), OLD)
    assert (tokens.refresh_token, tokens.id_token, tokens.expires_in_s) == (OLD, None, None)
    assert tokens.renew_after_s == 0.0


def test_answer_shows_nothing_while_it_is_read() -> None:
    assert "HUSH" not in repr(_Answer("HUSH", refresh_token="HUSH"))


@given(st.integers(0, 10**9))
def test_token_is_renewed_before_its_end_and_not_at_once(expires_in_s: int) -> None:
    tokens = Tokens(OLD, OLD, expires_in_s=expires_in_s)
    assert 0 <= tokens.renew_after_s <= expires_in_s
    assert tokens.renew_after_s >= expires_in_s - 300
    assert tokens.renew_after_s > 0 or expires_in_s == 0


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b'{"error":"invalid_grant","error_description":"Persisted token HUSH-refresh is gone"}', "invalid_grant: Persisted token *** is gone"),
        (401, b'{"error":"invalid_client"}', "invalid_client"),
        (401, b'{"fault":{"code":900901,"message":"Invalid Credentials","description":"Access failure"}}', "900901: Invalid Credentials: Access failure"),
        (403, b'{"status":"blocked"}', "blocked"),
        (401, b"<html>HUSH-secret</html>", "HTTP 401"),
        (200, b'{"fault":{"message":"Invalid Credentials"}}', "Invalid Credentials"),
        (200, b'{"status":"Unauthorized"}', "Unauthorized"),
    ],
)  # fmt: skip
def test_refusal_is_final_in_the_venues_words(status: int, body: bytes, words: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        FLOW.read(Reply(status, body=body), OLD)
    assert words in str(caught.value)
    assert "HUSH" not in repr(caught.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>"),
        (429, b""),
        (401, b'{"fault":{"message":"Message throttled out","description":"HUSH-secret"}}'),
        (403, b'{"fault":{"code":900804,"message":"x"}}'),
        (200, b'{"fault":{"code":900804,"message":"x"}}'),
        (400, b'{"error":"temporarily_unavailable"}'),
        (302, b""),
        (404, b""),
        (200, b""),
        (200, b"[]"),
        (200, b"\xff"),
        (200, b"[" * 100_000),
        (200, b'{"access_token":{"HUSH-access":1}}'),
        (200, b'{"access_token":"HUSH-access","expires_in":"HUSH-soon"}'),
    ],
)
def test_what_may_pass_is_no_verdict_on_the_token(status: int, body: bytes) -> None:
    with pytest.raises(ConnectFailed) as caught:
        FLOW.read(Reply(status, {"retry-after": "7"}, body), OLD)
    assert caught.value.status == status
    assert f"HTTP {status}" in str(caught.value)
    assert caught.value.__context__ is None
    assert "HUSH" not in repr((caught.value, caught.value.__dict__))


def test_server_that_asks_to_wait_is_heard() -> None:
    with pytest.raises(ConnectFailed) as caught:
        FLOW.read(Reply(503, {"retry-after": "7"}), OLD)
    assert caught.value.retry_after_s == 7.0


@given(st.binary(max_size=200), st.sampled_from([None, 200, 400, 401, 502]))
def test_any_body_is_read_without_an_error(body: bytes, status: int | None) -> None:
    fault = read_fault(status, body, "")
    assert "\n" not in fault.text
