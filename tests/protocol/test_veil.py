"""Secrets in the words of others: found however they are written, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes._protocol.effects import Failure, Handshake, HttpRequest
from trioquotes._protocol.veil import HIDDEN, LEAST, TELLING, Veil, carried

KEY = "canary/key+of the=test~1"
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=TELLING, max_size=40)
WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "for a URL": lambda secret: quote(secret, safe=""),
    "for a path": quote,
    "for a form": quote_plus,
    "for a URL, in small letters": lambda secret: (
        quote(secret, safe="").lower() if secret.islower() else secret
    ),
    "for JSON": lambda secret: json.dumps(secret)[1:-1],
    "in Base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in Base64 for a URL": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "in hex": lambda secret: secret.encode().hex(),
    "in capital hex": lambda secret: secret.encode().hex().upper(),
}

each_form = pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN.keys())


def veil(*secrets: str) -> Veil:
    made = Veil()
    made.cover("own", *secrets)
    return made


@each_form
@given(SECRETS, st.text(max_size=5), st.text(max_size=5))
@example(KEY, "key ", " is bad")
def test_a_secret_is_hidden_however_it_is_written(
    write: Callable[[str], str], secret: str, before: str, after: str
) -> None:
    if secret in HIDDEN:
        return
    found = veil(secret).hide(f"{before}{write(secret)}{after}")
    assert write(secret) not in found
    assert HIDDEN in found


@each_form
@given(SECRETS, st.integers(TELLING, 40))
def test_one_that_is_cut_off_at_the_end_is_hidden_too(
    write: Callable[[str], str], secret: str, length: int
) -> None:
    cut = write(secret)[:length]
    assert veil(secret).hide(f"no such key: {cut}").removeprefix("no such key: ").count(cut) == 0


@given(SECRETS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_secret_inside_of_a_longer_text_in_base64_is_hidden(
    secret: str, before: bytes, after: bytes
) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + secret.encode() + after).decode()
        shown = veil(secret).hide(f"Basic {text}")
        assert HIDDEN in shown
        assert text not in shown


@given(st.binary(min_size=12, max_size=40))
def test_so_is_what_a_secret_in_base64_or_hex_means(meaning: bytes) -> None:
    for secret in (base64.b64encode(meaning).decode(), f"0x{meaning.hex()}"):
        for text in (meaning.hex(), repr(meaning)[2:-1], base64.b64encode(meaning).decode()):
            assert text not in veil(secret).hide(f"signed with {text}!")


def test_a_number_in_hex_is_hidden_in_every_spelling() -> None:
    key = "0x03c1e9550e66958296d11b60f8e8e7a7"
    for text in (key, key[2:], key[3:], key[3:].upper()):
        assert veil(key).hide(f"signed with {text}.") == f"signed with {HIDDEN}."


@given(SECRETS, st.text(max_size=60))
def test_a_text_without_it_stays_as_it_is(secret: str, text: str) -> None:
    if not any(secret[at : at + 2] in text for at in range(len(secret))):
        assert veil(secret).hide(f"~{text}~") == f"~{text}~"


def test_what_knows_no_secret_changes_nothing() -> None:
    failure = Failure("handshake", "no", 401, {"a": "b"}, b"\xff", close_reason="c", last_error="d")
    assert Veil().hide_failure(failure) is failure
    assert Veil().hide("text") == "text"


def test_hiding_twice_is_hiding_once() -> None:
    made = veil(KEY, "word", "***", "*")
    text = f"{KEY} word {quote(KEY)}"
    assert made.hide(made.hide(text)) == made.hide(text) == f"{HIDDEN} {HIDDEN} {HIDDEN}"


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    made = veil("pass")
    assert made.hide("wrong pass, or pass=pass: passphrase; compass") == (
        f"wrong {HIDDEN}, or {HIDDEN}={HIDDEN}: passphrase; compass"
    )
    assert veil("s" * (LEAST - 1)).hide("within 5 s, sss") == "within 5 s, sss"
    assert veil("").hide("nothing") == "nothing"


def test_covering_again_replaces_what_was_covered_for_the_same_owner() -> None:
    made = veil("the first secret")
    made.cover("another", "the second secret")
    made.cover("own", "the third secret")
    assert made.hide("the first secret, the second secret, the third secret") == (
        f"the first secret, {HIDDEN}, {HIDDEN}"
    )


def test_every_word_of_a_peer_in_a_failure_is_looked_at() -> None:
    said = f"no {KEY}!"
    failure = Failure(
        "handshake", said, 401, {"x": said, "retry-after": "7"}, b"\xff" + said.encode(), 1008, said, said
    )
    found = veil(KEY).hide_failure(failure)
    assert KEY not in repr(found)
    assert found.headers == {"x": f"no {HIDDEN}!", "retry-after": "7"}
    assert found.body == b"\xff" + f"no {HIDDEN}!".encode()
    assert (found.close_code, found.status) == (1008, 401)


@given(st.binary(max_size=300))
def test_bytes_without_it_are_the_same_object(data: bytes) -> None:
    if KEY[:TELLING].encode() not in data:
        assert veil(KEY).hide_bytes(data) is data


def test_a_request_carries_tokens_and_signatures_and_no_times() -> None:
    handshake = Handshake(
        "wss://x/path?timestamp=1700000000000&listenKey=0123456789abcdef",
        headers=(("Authorization", "Bearer eyJhbGciOiJIUzUxMiJ9.x"), ("X-Time", "1700000000000")),
        subprotocols=("eyJhIjoiYiIsImMiOiJkIn0",),
    )
    assert carried(handshake) == (
        "eyJhbGciOiJIUzUxMiJ9.x", "0123456789abcdef", "eyJhIjoiYiIsImMiOiJkIn0",
    )  # fmt: skip
    assert carried(HttpRequest("https://x", headers=(("A", "Basic eyJhIjoiYiIsImMiOiJkIn0"),))) == (
        "eyJhIjoiYiIsImMiOiJkIn0",
    )


def test_a_token_with_a_key_in_it_is_hidden_as_a_whole_also_where_it_is_cut_off() -> None:
    token = base64.b64encode(f'{{"key":"{KEY}","nonce":"0123456789"}}'.encode()).decode()
    made = veil(KEY)
    made.cover("handshake", token)
    for length in range(TELLING, len(token) + 1):
        assert made.hide(f"no {token[:length]}") == f"no {HIDDEN}"


def test_what_the_environment_held_that_is_no_utf8_is_no_error() -> None:
    for secret in ("abc\udcffdefgh", "abc\ud800defgh"):
        assert secret not in veil(secret).hide(f"no {secret}")
    assert veil("abc\udcffdefgh").hide_bytes(b"no abc\xffdefgh") == b"no " + HIDDEN.encode()
