"""Tokens and the handshake that carries them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench
from tests.venues.upbit.market import KEY
from trioquotes.credentials import ApiKey, BearerToken, Credentials
from trioquotes.errors import UsageError
from trioquotes.topics import Orders, Trades
from trioquotes.venues.upbit import VENUE
from trioquotes.venues.upbit.auth import ALGORITHMS, Algorithm, Signer, token, uuid4_text

HS256 = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhY2Nlc3Nfa2V5IjoiZXhhbXBsZS1hY2Nlc3Mta2V5Iiwibm9uY2UiOiIxMjNlNDU2Ny1l"
    "ODliLTQyZDMtYTQ1Ni00MjY2MTQxNzQwMDAifQ.e_evjKa1WLvh6cEvg10CAseeJAS9t4snxRRk2r_y1vE"
)
HS512 = (
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJhY2Nlc3Nfa2V5IjoiZXhhbXBsZS1hY2Nlc3Mta2V5Iiwibm9uY2UiOiIxMjNlNDU2Ny1l"
    "ODliLTQyZDMtYTQ1Ni00MjY2MTQxNzQwMDAifQ.1lUMhKXZZkScAior0NmJwMvr6S0PsuDkB8NLgyXmaZVMRtdY9uj8qye8InL5hNrl_m0eioA-"
    "Q6aak4qTpgqmog"
)


@pytest.mark.parametrize(("algorithm", "expected"), [("HS256", HS256), ("HS512", HS512)])
def test_worked_example_of_each_algorithm(algorithm: Algorithm, expected: str) -> None:
    made = token(
        "example-access-key", "example-secret-key", "123e4567-e89b-42d3-a456-426614174000", algorithm
    )
    assert made == expected


def test_nonce_is_a_random_uuid_whatever_the_bytes() -> None:
    assert uuid4_text(bytes(16)) == "00000000-0000-4000-8000-000000000000"
    assert uuid4_text(b"\xff" * 16) == "ffffffff-ffff-4fff-bfff-ffffffffffff"


@given(st.binary(min_size=16, max_size=16), st.sampled_from(ALGORITHMS))
def test_header_holds_the_key_and_a_nonce_and_no_hash_of_a_query(nonce: bytes, algorithm: Algorithm) -> None:
    name, value = Signer.of(KEY, algorithm).header(nonce)
    scheme, _, text = value.partition(" ")
    head, payload, _ = (base64.urlsafe_b64decode(part + "==") for part in text.split("."))
    assert (name, scheme) == ("Authorization", "Bearer")
    assert json.loads(head) == {"alg": algorithm, "typ": "JWT"}
    assert json.loads(payload) == {"access_key": "HUSH-HUSH-key", "nonce": uuid4_text(nonce)}


def test_private_line_is_signed_afresh_and_no_line_has_an_origin() -> None:
    play = Bench(VENUE, credentials=KEY)
    play.subscribe(Trades("KRW-BTC"))
    play.subscribe(Orders())
    private, public = play.line("private"), play.line("public")
    first = private.connect()
    private.drop()
    second = private.connect()
    assert first.url == second.url == "wss://api.upbit.com/websocket/v1/private"
    assert [name for name, _ in first.headers] == ["Authorization"]
    assert first.headers != second.headers
    shake = public.connect()
    assert (shake.url, shake.headers) == ("wss://api.upbit.com/websocket/v1", ())


def test_algorithm_is_an_option_of_the_session() -> None:
    play = Bench(VENUE, credentials=KEY, extra={"jwt_algorithm": "HS256"})
    play.subscribe(Orders())
    ((_, value),) = play.connect().headers
    assert value.startswith("Bearer eyJhbGciOiJIUzI1NiIs")


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (BearerToken("HUSH"), "takes an ApiKey, not a BearerToken"),
        (ApiKey("", "HUSH"), "one of them is empty"),
        (ApiKey("HUSH", ""), "one of them is empty"),
        (ApiKey("HUSH", "-----BEGIN PUBLIC KEY-----HUSH"), "a line of letters and digits"),
        (ApiKey("HUSH", "HUSHé"), "a line of letters and digits"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(credentials: Credentials, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Signer.of(credentials, "HS512")
    assert "HUSH" not in str(caught.value)
    assert "HUSH" not in repr(Signer.of(KEY, "HS512"))
