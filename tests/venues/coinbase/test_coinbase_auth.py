"""Signing: the venue's worked vectors, and no secret in any error."""

from __future__ import annotations

import base64
import traceback

import pytest

from trioquotes.credentials import ApiKey, BearerToken
from trioquotes.errors import UsageError
from trioquotes.venues.coinbase.auth import Signer, signature

VECTORS = [
    (
        "aVGe54dHHYUSudB3sJdcQx4BfQ6K5oVdcYv4eRtDN6fBHEQf5Go6BACew4G0iFjfLKJHmWY5ZEwlqxdslop4CC==",
        "1546384260.0321212",
        "KQq/poDCHjDDRURkQOc+QZi16c6cio9Yo/nF1+kts84=",
    ),
    ("c2hhZG93ZmlsbC10ZXN0LXNlY3JldA==", "1758253500", "RKZfA1tLfY3PCoKZLzVCfp3C2kBCgv3wAjitOqmXZYA="),
]


@pytest.mark.parametrize(("secret", "timestamp", "expected"), VECTORS)
def test_published_vectors(secret: str, timestamp: str, expected: str) -> None:
    assert signature(base64.b64decode(secret), timestamp) == expected


def test_fields_of_a_request() -> None:
    secret, timestamp, expected = VECTORS[1]
    signer = Signer.of(ApiKey("the-key", secret, "the-pass"))
    assert signer.fields(int(timestamp) * 10**9 + 999_999_999) == {
        "signature": expected,
        "key": "the-key",
        "passphrase": "the-pass",
        "timestamp": timestamp,
    }
    assert repr(signer) == "Signer()"


@pytest.mark.parametrize("secret", ["HUSH HUSH", "HUSH-HUSH", "HUSH", "", "äHUSH"])
def test_secret_that_is_not_base64_is_said_without_it(secret: str) -> None:
    if secret == "HUSH":
        assert Signer.of(ApiKey("k", secret, "p")).fields(0)["key"] == "k"
        return
    with pytest.raises(UsageError, match="base64") as caught:
        Signer.of(ApiKey("k", secret, "p"))
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    assert "HUSH" not in str(caught.value)
    assert caught.value.__context__ is None
    assert "binascii" not in shown


def test_other_credentials_are_refused() -> None:
    with pytest.raises(UsageError, match="passphrase"):
        Signer.of(ApiKey("k", "c2hh"))
    with pytest.raises(UsageError, match="not a BearerToken"):
        Signer.of(BearerToken("t"))
