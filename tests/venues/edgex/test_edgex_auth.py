"""Signing of the private handshake: every worked vector, both carriers, and no secret in any error."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import sys
import traceback
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.edgex import curve
from tests.venues.edgex.feed import KEY, STARK
from trioquotes._protocol.effects import Endpoint, Options, Stamp
from trioquotes.credentials import ApiKey, BearerToken, Credentials, StarkKey
from trioquotes.errors import MissingExtra, UsageError
from trioquotes.venues.edgex import VENUE, auth, stark
from trioquotes.venues.edgex.account import PrivateProtocol
from trioquotes.venues.edgex.keccak import SHA3, keccak_256

V1, V2 = VENUE.endpoints["v1"], VENUE.endpoints["v2"]
TIME_NS = 1_705_720_068_228_999_999
PUBLIC = (
    0x077A3B314DB07C45076D11F62B6F9E748A39790441823307743CF00D6597EA43,
    0x054D7BEEC5EC728223671C627557EFC5C9A6508425DC6C900B7741BF60AFEC06,
)
CONTENTS = [
    (
        "1705720068228GET/api/v1/private/wsaccountId=543429922991899150",
        "6729f780e6b6d35de28a69b3cb956fba3e5634d4fe781cc2b4abfd2848259eda",
        "0729f780e6b6d291e28a69b3cb956fbda44957af7b9bc26947dc621422da00a6",
        "0265786cd26b26ecbf8dda7254c4a8c489750257e494e91b070447ab1956cdd9",
        "0019a78886267f5ee4b81bb32ddd7f1f589c596fd31bf57dc4e21688da29ac73",
    ),
    (
        (
            "1735542383256GET/api/v1/private/account/getPositionTransactionPageaccountId=543429922991899150"
            "&filterTypeList=SETTLE_FUNDING_FEE&size=10"
        ),
        "16dd40a93f29e29331786ab94ec564eac75efab1ce712f031afeda554fadedfb",
        "06dd40a93f29e27131786ab94ec564eb585cd5d638a1ca9ede3195d1f421539d",
        "0705f17e673ba01b9d1fa43877a19c9b2d1b73847d982544b38376e5b3e403e9",
        "06b6a5299e610b6b32563784096d736399178724d97a8da0a016d8916ef8817c",
    ),
]
OTHER_NONCE = (
    0x032BB13CCDF02B6EA40C6D8003AF53B8E84ED303BE7DFE3C1775E7E7E9E26B98,
    0x0301EB6C2350D5A02BD103FC4B12AB0F25CE0DCCE3A10382AC91E83DC082EF77,
)
WEB_SAMPLE = {
    "X-edgeX-Api-Signature": "00e6b34cf9c3c0ca407cc2fe149fad836206c97201f236137c0e89fd079760470672b5257fa372710b5863d1ec6"
    "e0215e5bd6b2c3a319eda88886250a100524706ea3dd81a7fc864893c8c6f674e4a4510c369f939bdc0259a0980dfde882c2d",
    "X-edgeX-Api-Timestamp": "1705720068228",
}
WEB_ENCODED = (
    "eyJYLWVkZ2VYLUFwaS1TaWduYXR1cmUiOiAiMDBlNmIzNGNmOWMzYzBjYTQwN2NjMmZlMTQ5ZmFkODM2MjA2Yzk3MjAxZjIzNjEzN2MwZTg5ZmQwNzk3"
    "NjA0NzA2NzJiNTI1N2ZhMzcyNzEwYjU4NjNkMWVjNmUwMjE1ZTViZDZiMmMzYTMxOWVkYTg4ODg2MjUwYTEwMDUyNDcwNmVhM2RkODFhN2ZjODY0ODkz"
    "YzhjNmY2NzRlNGE0NTEwYzM2OWY5MzliZGMwMjU5YTA5ODBkZmRlODgyYzJkIiwgIlgtZWRnZVgtQXBpLVRpbWVzdGFtcCI6ICIxNzA1NzIwMDY4MjI4"
    "In0="
)

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("fast_stark_crypto") is None, reason="the extra edgex-v1 is not installed"
)


# Keccak.


@pytest.mark.parametrize(("content", "digest", "reduced", "r", "s"), CONTENTS)
def test_published_hashes(content: str, digest: str, reduced: str, r: str, s: str) -> None:
    assert keccak_256(content.encode()).hex() == digest
    assert f"{stark.message_hash(content):064x}" == reduced


def test_it_is_not_the_hash_of_the_standard() -> None:
    content = CONTENTS[0][0].encode()
    wrong = "f31f379af4207bf4c6bf6db5926225ef2178aa9f61ec3a3596b0332de5605b0a"
    assert hashlib.sha3_256(content).hexdigest() == wrong
    assert keccak_256(content).hex() != wrong


@given(st.binary(max_size=600) | st.integers(130, 140).map(bytes))
def test_with_the_padding_of_the_standard_it_is_its_hash(data: bytes) -> None:
    assert keccak_256(data, padding=SHA3) == hashlib.sha3_256(data).digest()


def test_hash_of_nothing() -> None:
    assert (
        keccak_256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )  # every Ethereum account without code has it


# The curve.


def test_the_public_key_of_the_vectors_belongs_to_their_private_key() -> None:
    assert curve.multiplied(stark.private_key(STARK.private_key.reveal()), curve.GENERATOR) == PUBLIC
    assert (PUBLIC[1] ** 2 - PUBLIC[0] ** 3 - PUBLIC[0] - curve.BETA) % curve.PRIME == 0
    assert stark.ORDER == curve.ORDER


@pytest.mark.parametrize(("content", "digest", "reduced", "r", "s"), CONTENTS)
def test_published_signatures_verify(content: str, digest: str, reduced: str, r: str, s: str) -> None:
    message = int(reduced, 16)
    assert curve.verifies(PUBLIC, message, int(r, 16), int(s, 16))
    assert not curve.verifies(PUBLIC, message + 1, int(r, 16), int(s, 16))
    assert not curve.verifies(PUBLIC, message, int(s, 16), int(r, 16))


def test_published_signature_of_another_nonce_verifies() -> None:
    assert curve.verifies(PUBLIC, int(CONTENTS[0][2], 16), *OTHER_NONCE)


@needs_extra
def test_published_signature_of_one() -> None:
    import fast_stark_crypto  # noqa: PLC0415  # an extra

    key = stark.private_key(STARK.private_key.reveal())
    assert fast_stark_crypto.sign(key, 1) == (
        3162358736122783857144396205516927012128897537504463716197279730251407200037,
        1447067116407676619871126378936374427636662490882969509559888874644844560850,
    )
    assert fast_stark_crypto.get_public_key(key) == PUBLIC[0]


@needs_extra
@pytest.mark.parametrize(("content", "digest", "reduced", "r", "s"), CONTENTS)
def test_signatures_verify(content: str, digest: str, reduced: str, r: str, s: str) -> None:
    made = stark.signature(stark.private_key(STARK.private_key.reveal()), content)
    assert len(made) == 128
    assert made == made.lower()
    assert curve.verifies(PUBLIC, int(reduced, 16), int(made[:64], 16), int(made[64:], 16))


@needs_extra
@given(st.integers(1, stark.ORDER - 1), st.text(max_size=40))
def test_signatures_of_any_key_verify(key: int, content: str) -> None:
    public = curve.multiplied(key, curve.GENERATOR)
    assert public is not None
    made = stark.signature(key, content)
    assert len(made) == 128
    assert curve.verifies(public, stark.message_hash(content), int(made[:64], 16), int(made[64:], 16))


@pytest.mark.parametrize("text", ["1", "0x1", "0X01", " 0x1\n", "0" * 63 + "1"])
def test_a_private_key_is_hex_with_or_without_prefix(text: str) -> None:
    assert stark.private_key(text) == 1


@pytest.mark.parametrize(
    "text", ["", "0x", "0", "HUSH", "1_0", "\u0661", "-1", "1" * 65, f"{stark.ORDER:x}", "0x0x1"]
)
def test_what_is_no_private_key_is_said_without_it(text: str) -> None:
    with pytest.raises(UsageError, match="Stark key in hex") as caught:
        stark.private_key(text)
    assert "HUSH" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_stark_crypto", None)
    with pytest.raises(MissingExtra, match=r"pip install trioquotes\[edgex-v1\]"):
        stark.signature(1, "content")


def test_the_extra_is_not_loaded_before_something_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_stark_crypto", None)
    assert auth.signer_of(STARK, V1).account_id == STARK.account_id


# HMAC.


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "1773302047172GET/api/v2/private/account/getAccountAssetaccountId=724625476626153743&size=10",
            "4315baa0fd62141d6a7fe7c24daa1c01f346bdc7deef395fc0a36ad168cf166c",
        ),
        (
            auth.hmac_content("1773302047172", "724625476626153743"),
            "cdfb41af6f11da06fcbdad36e84b6e39b4871bce1b955eb9c5160abe3420486b",
        ),
    ],
)
def test_published_hmacs(content: str, expected: str) -> None:
    assert auth.hmac_signature("your-api-secret", content) == expected


# Handshakes.


def test_v2_signs_what_it_sends_under_both_spellings() -> None:
    made = auth.signer_of(KEY, V2).handshake("wss://x", TIME_NS, "header")
    parts = urlsplit(made.url)
    assert (parts.netloc, parts.path) == ("x", "/api/v1/private/ws")
    assert parse_qs(parts.query) == {"accountId": [str(KEY.account_id)], "timestamp": ["1705720068228"]}
    content = f"1705720068228GET{parts.path}{parts.query}"
    signature = auth.hmac_signature("HUSH-HUSH-secret", content)
    assert dict(made.headers) == {
        "X-edgeX-Api-Key": "HUSH-HUSH-key",
        "X-edgeX-Passphrase": "HUSH-HUSH-pass",
        "X-edgeX-Signature": signature,
        "X-edgeX-Timestamp": "1705720068228",
        "X-edgeX-Api-Signature": signature,
        "X-edgeX-Api-Timestamp": "1705720068228",
    }
    assert made.subprotocols == ()
    assert "HUSH" not in repr(made)
    assert signature not in repr(made)


@needs_extra
def test_v1_signs_what_it_sends() -> None:
    made = auth.signer_of(STARK, V1).handshake("wss://x", TIME_NS, "header")
    assert made.url == "wss://x/api/v1/private/ws?accountId=543429922991899150"
    signature = "".join(CONTENTS[0][3:])
    assert dict(made.headers) == {
        "X-edgeX-Api-Signature": signature,
        "X-edgeX-Api-Timestamp": "1705720068228",
    }


def test_the_printed_subprotocol_of_the_web() -> None:
    assert auth.subprotocol(WEB_SAMPLE) == WEB_ENCODED


def test_a_subprotocol_carries_the_same_headers() -> None:
    signer = auth.signer_of(KEY, V2)
    (token,) = signer.handshake("wss://x", TIME_NS, "subprotocol").subprotocols
    assert "=" not in token
    padded = token + "=" * (-len(token) % 4)
    assert json.loads(base64.b64decode(padded)) == signer.headers("1705720068228")
    assert signer.handshake("wss://x", TIME_NS, "subprotocol").headers == ()


@pytest.mark.parametrize(("extra", "carried"), [({}, "header"), ({"auth": "subprotocol"}, "subprotocol")])
def test_the_option_says_what_carries_the_signature(extra: dict[str, str], carried: str) -> None:
    protocol = PrivateProtocol(auth.signer_of(KEY, V2), Options(V2, has_credentials=True, extra=extra))
    made = protocol.handshake(Stamp(TIME_NS, 0.0))
    assert bool(made.headers) == (carried == "header")
    assert bool(made.subprotocols) == (carried == "subprotocol")
    assert made.url.startswith("wss://edgex-quote-prod-v2.edgex.exchange/api/v1/private/ws?accountId=")


def test_an_unknown_carrier_is_refused() -> None:
    with pytest.raises(UsageError, match='"header" or "subprotocol", not \'cookie\''):
        auth.carrier_of({"auth": "cookie"})


# Credentials.

OWN = Endpoint("ws://127.0.0.1:1")


@pytest.mark.parametrize(
    ("credentials", "endpoint", "kind"),
    [
        (KEY, V2, auth.ApiKeySigner),
        (KEY, OWN, auth.ApiKeySigner),
        (STARK, V1, auth.StarkSigner),
        (STARK, OWN, auth.StarkSigner),
    ],
)
def test_each_generation_has_its_signer(credentials: Credentials, endpoint: Endpoint, kind: type) -> None:
    assert type(auth.signer_of(credentials, endpoint)) is kind


@pytest.mark.parametrize(
    ("credentials", "endpoint", "words"),
    [
        (KEY, V1, r"takes a StarkKey\(account_id, private_key\), not a ApiKey"),
        (STARK, V2, r"takes an ApiKey\(key, secret, passphrase, account_id\), not a StarkKey"),
        (BearerToken("HUSH"), V1, "not a BearerToken"),
        (BearerToken("HUSH"), OWN, "not a BearerToken"),
        (ApiKey("k", "s", "p"), V2, "has a passphrase and an account"),
        (ApiKey("k", "s", account_id="1"), V2, "has a passphrase and an account"),
        (ApiKey("k HUSH", "s", "p", "1"), V2, "printable ASCII"),
        (ApiKey("k", "s", "HUSH\n", "1"), V2, "printable ASCII"),
        (ApiKey("k", "s", "p", "1&x=2"), V2, "is a number"),
        (StarkKey("one", "1"), V1, "is a number"),
        (StarkKey("1", "HUSH"), V1, "Stark key in hex"),
    ],
)
def test_other_credentials_are_refused_without_showing_them(
    credentials: Credentials, endpoint: Endpoint, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        auth.signer_of(credentials, endpoint)
    assert "HUSH" not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("credentials", [KEY, STARK])
def test_a_signer_knows_its_secrets_and_shows_none(credentials: Credentials) -> None:
    signer = auth.signer_of(credentials, OWN)
    secret = (
        "HUSH-HUSH-secret"
        if credentials is KEY
        else "3C1E9550E66958296D11B60F8E8E7A7AD990D07FA65D5F7652C4A6C87D4E3CC"
    )
    assert signer.knows(f"no such key: {secret}")
    assert not signer.knows("no such key")
    assert secret.lower() not in repr(signer).lower()
    assert "HUSH" not in repr(signer)
