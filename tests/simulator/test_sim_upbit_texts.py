from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.upbit_client import ACCOUNT, OTHER
from trioquotes.simulator.venues.upbit import DEFAULT_MARKETS, make_token
from trioquotes.simulator.venues.upbit.door import BAN_S, Door, Turned
from trioquotes.simulator.venues.upbit.listings import fee_rate, listings_of, names_of, supported_levels
from trioquotes.simulator.venues.upbit.texts import (
    bare,
    basic_date,
    basic_time,
    date_text,
    double,
    iso_text,
    kst_text,
    padded,
    plain,
    pointed,
    time_text,
)
from trioquotes.simulator.venues.upbit.tokens import NONCES_KEPT, TokenDesk, claimed_key

D = Decimal


def text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


@pytest.mark.parametrize(
    ("spell", "value", "seen"),
    [
        (double, "116539000", "1.16539E8"),
        (double, "41840", "41840.0"),
        (double, "9999999", "9999999.0"),
        (double, "10000000", "1.0E7"),
        (double, "0.00079276", "7.9276E-4"),
        (double, "0.00050000", "5.0E-4"),
        (double, "0.001", "0.001"),
        (double, "-0.0000120", "-1.2E-5"),
        (double, "0", "0.0"),
        (bare, "116606000", "116606000"),
        (bare, "0.06288509", "0.06288509"),
        (bare, "0.00079276", "7.9276E-4"),
        (pointed, "148500000", "148500000.0"),
        (pointed, "0.0602652", "0.0602652"),
        (plain, "1E+3", "1000"),
        (plain, "1386929.37231066771348207123", "1386929.37231066771348207123"),
    ],
)
def test_numbers_are_spelled_as_recorded(
    spell: Callable[[Decimal], msgspec.Raw], value: str, seen: str
) -> None:
    assert text(spell(D(value))) == seen


@pytest.mark.parametrize(
    ("value", "decimals", "seen"),
    [
        ("106691000", 8, "106691000.00000000"),
        ("0.0007772", 8, "0.00077720"),
        ("200367990.14018", 12, "200367990.140180000000"),
        ("0.123456789", 4, "0.123456789"),
    ],
)
def test_padding_adds_zeros_and_takes_nothing_away(value: str, decimals: int, seen: str) -> None:
    assert text(padded(D(value), decimals)) == seen


@given(st.decimals(min_value=0, max_value=10**13, places=8, allow_nan=False))
def test_every_spelling_is_json_of_the_same_value(value: Decimal) -> None:
    for spell in (double, bare, pointed, plain, lambda number: padded(number, 8)):
        read = json.loads(text(spell(value)), parse_float=Decimal)
        assert read == value


def test_times_are_written_in_each_messages_own_way() -> None:
    time_ms = 1_788_335_180_377
    assert (date_text(time_ms), time_text(time_ms)) == ("2026-09-02", "07:46:20")
    assert (basic_date(time_ms), basic_time(time_ms)) == ("20260902", "074620")
    assert (iso_text(time_ms), kst_text(time_ms)) == ("2026-09-02T07:46:20", "2026-09-02T16:46:20")


def test_markets_name_the_quote_currency_first() -> None:
    bitcoin = DEFAULT_MARKETS["KRW-BTC"]
    assert (bitcoin.base, bitcoin.quote) == ("BTC", "KRW")
    assert [listing.instrument for listing in listings_of(None)] == list(DEFAULT_MARKETS)
    sand, same = listings_of(["KRW-SAND", bitcoin])
    assert (sand.base, sand.quote, sand.reference, same) == ("SAND", "KRW", D(100), bitcoin)
    assert names_of(bitcoin) == ("비트코인", "Bitcoin")
    assert names_of(sand) == ("SAND", "SAND")
    for wrong in ("KRW", "krw-btc", "-BTC", "KRW-"):
        with pytest.raises(ValueError, match="not a market code"):
            listings_of([wrong])


def test_levels_and_fees_differ_between_markets() -> None:
    bitcoin, cross = DEFAULT_MARKETS["KRW-BTC"], DEFAULT_MARKETS["BTC-ETH"]
    assert [int(level) for level in supported_levels(bitcoin)] == [
        0,
        10_000,
        100_000,
        1_000_000,
        10_000_000,
        100_000_000,
    ]
    assert supported_levels(cross) == (D(0),)
    assert (fee_rate(bitcoin), fee_rate(cross)) == (D("0.0005"), D("0.0025"))


# Tokens ---------------------------------------------------------------------------------------------

KEY, SECRET, NONCE = "example-access-key", "example-secret-key", "123e4567-e89b-42d3-a456-426614174000"
SIGNED = {
    "HS256": "e_evjKa1WLvh6cEvg10CAseeJAS9t4snxRRk2r_y1vE",
    "HS512": "1lUMhKXZZkScAior0NmJwMvr6S0PsuDkB8NLgyXmaZVMRtdY9uj8qye8InL5hNrl_m0eioA-Q6aak4qTpgqmog",
}
HEADS = {
    "HS256": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "HS512": "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
}  # fmt: skip
PAYLOAD = "eyJhY2Nlc3Nfa2V5IjoiZXhhbXBsZS1hY2Nlc3Mta2V5Iiwibm9uY2UiOiIxMjNlNDU2Ny1lODliLTQyZDMtYTQ1Ni00MjY2MTQxNzQwMDAifQ"


def desk() -> TokenDesk:
    known = [ACCOUNT, OTHER, attrs.evolve(ACCOUNT, key=KEY, secret=SECRET)]
    return TokenDesk({account.key: account for account in known})


def header(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"authorization": f"{scheme} {token}"}


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_the_worked_tokens_pass_once(algorithm: Any) -> None:
    token = f"{HEADS[algorithm]}.{PAYLOAD}.{SIGNED[algorithm]}"
    assert make_token(KEY, SECRET, NONCE, algorithm) == token
    checks = desk()
    account = checks.check(header(token), "memory")
    assert account is not None
    assert account.key == KEY
    assert checks.check(header(token), "memory") is None, "a nonce is good for one connection"
    assert checks.check(header(make_token(KEY, SECRET, "another", algorithm), "bearer"), "memory") == account


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


GOOD = make_token(ACCOUNT.key, ACCOUNT.secret, "n")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        header(GOOD, "Basic"),
        header(GOOD[:-2]),
        header(GOOD[:-2] + "é"),
        header(make_token(ACCOUNT.key, OTHER.secret, "n")),
        header(make_token("unknown", ACCOUNT.secret, "n")),
        header(make_token(ACCOUNT.key, ACCOUNT.secret, "")),
        header(GOOD.replace(".", "")),
        header(f"{GOOD}.x"),
        header("a.b.c"),
        header(f"{part([1])}.{GOOD.split('.', 1)[1]}"),
        header(f"{part({'alg': 'none'})}.{GOOD.split('.', 1)[1]}"),
        header(f"{part({'alg': 5})}.{GOOD.split('.', 1)[1]}"),
        header(f"{part({'alg': 'HS256'})}.{part({'access_key': ACCOUNT.key})}.x"),
        header(f"{base64.urlsafe_b64encode(b'[' * 60_000).decode()}.{GOOD.split('.', 1)[1]}"),
    ],
)
def test_any_other_token_does_not(headers: dict[str, str]) -> None:
    assert desk().check(headers, "memory") is None


def test_a_key_may_be_bound_to_addresses() -> None:
    bound = attrs.evolve(ACCOUNT, addresses=frozenset({"10.0.0.1"}))
    checks = TokenDesk({bound.key: bound})
    assert checks.check(header(GOOD), "10.0.0.2") is None
    assert checks.check(header(GOOD), "10.0.0.1") == bound


def test_old_nonces_are_forgotten_in_the_end() -> None:
    checks = desk()
    for count in range(NONCES_KEPT + 1):
        assert checks.check(header(make_token(ACCOUNT.key, ACCOUNT.secret, f"n{count}")), "memory")
    assert checks.check(header(make_token(ACCOUNT.key, ACCOUNT.secret, "n1")), "memory") is None
    assert checks.check(header(make_token(ACCOUNT.key, ACCOUNT.secret, "n0")), "memory") == ACCOUNT


def test_a_handshake_says_whose_key_it_means() -> None:
    assert claimed_key(header(GOOD)) == ACCOUNT.key
    for nothing in ({}, header("x"), header(f"a.{part({'access_key': 1})}.c")):
        assert claimed_key(nothing) is None


def test_an_account_shows_no_secret() -> None:
    assert ACCOUNT.secret not in repr(ACCOUNT)


# The door -------------------------------------------------------------------------------------------


def test_five_connects_fit_into_any_second() -> None:
    door = Door()
    assert [door.knock("a", 0.1 * n) for n in range(5)] == [None] * 5
    assert door.left("a", 0.4) == 0
    assert door.knock("a", 0.99) == Turned(429, "connects")
    assert door.knock("b", 0.99) is None
    assert door.left("a", 1.05) == 1
    assert door.knock("a", 1.05) is None
    assert door.knock("a", 1.06) == Turned(429, "connects")


def test_who_goes_on_is_banned_and_longer_each_time() -> None:
    door, now_s = Door(), 0.0
    for length_s in (BAN_S, 2 * BAN_S):
        statuses = [turned.status for _ in range(10) if (turned := door.knock("a", now_s))]
        assert statuses == [429, 429, 429, 429, 418]
        assert door.knock("a", now_s + length_s - 0.5) == Turned(418, "banned", 1)
        now_s += length_s
        assert door.knock("a", now_s) is None
        now_s += 1.5


def test_with_an_origin_it_is_one_in_ten_seconds() -> None:
    door = Door()
    assert door.knock("a", 0.0, origin=True) is None
    assert door.knock("a", 5.0, origin=True) == Turned(429, "connects with Origin")
    assert door.knock("a", 5.0) is None
    assert door.knock("a", 10.0, origin=True) is None
