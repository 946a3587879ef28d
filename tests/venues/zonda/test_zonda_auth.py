"""Signatures: the worked vectors, and that what is signed is in its very digits what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes.credentials import ApiKey, BearerToken
from trioquotes.errors import UsageError
from trioquotes.venues.zonda.auth import Signer, signature, timestamp_divisor

PUBLIC = "12345f6f-1b1d-1234-a973-a10b1bdba1a1"
ON_THE_SOCKET = (
    "e787e095737fa7d43960ed040316ec112b3ce5c2f835aed0ae82bb11360819f5"
    "c3eab505ac8113878eb4539f5362dbd8e0099ad6a2c6257a2d31f5c3d60e36e4"
)
OF_REST = (
    "2651ad427d40f02fcf6e94c7187fd70a5b13916e60bb7c2d67f9d9356e125786"
    "bbe1c2d901aa0c76a992ee0a4a65a112b289a9f8f1a90e5d73f98fd56abb40fb"
)


def test_worked_vector_of_the_socket() -> None:
    assert signature(PUBLIC, "secret", "1529897422") == ON_THE_SOCKET


def test_worked_vector_of_rest_has_the_body_at_the_end() -> None:
    assert signature("public", "secret", "1700000000000", '{"offerType":"BUY"}') == OF_REST


def test_seconds_are_signed_unless_milliseconds_are_asked_for() -> None:
    fields = Signer.of(ApiKey(PUBLIC, "secret"), {}).fields(1_529_897_422_999_999_999)
    assert fields == {
        "hashSignature": ON_THE_SOCKET,
        "publicKey": PUBLIC,
        "requestTimestamp": 1529897422,
    }


def test_milliseconds_by_option() -> None:
    signer = Signer.of(ApiKey("public", "secret"), {"request_timestamp": "ms"})
    fields = signer.fields(1_700_000_000_000_999_999)
    assert fields["requestTimestamp"] == 1_700_000_000_000
    assert fields["hashSignature"] == signature("public", "secret", "1700000000000")


@given(st.integers(0, 2**62), st.sampled_from(["s", "ms"]))
def test_what_is_signed_is_what_is_sent(wall_ns: int, unit: str) -> None:
    fields = Signer.of(ApiKey(PUBLIC, "secret"), {"request_timestamp": unit}).fields(wall_ns)
    assert fields["hashSignature"] == signature(PUBLIC, "secret", str(fields["requestTimestamp"]))


def test_other_units_and_other_credentials_are_refused() -> None:
    with pytest.raises(UsageError, match="is 's' or 'ms', not 'ns'"):
        timestamp_divisor({"request_timestamp": "ns"})
    with pytest.raises(UsageError, match="not a BearerToken"):
        Signer.of(BearerToken("HUSH"), {})


def test_repr_shows_nothing_of_the_key() -> None:
    assert "secret" not in repr(Signer.of(ApiKey(PUBLIC, "secret"), {}))
    assert PUBLIC not in repr(Signer.of(ApiKey(PUBLIC, "secret"), {}))
