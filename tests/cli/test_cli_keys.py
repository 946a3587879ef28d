"""Credentials from the environment."""

from __future__ import annotations

import pytest

from trioquotes.cli.keys import explained, from_environment
from trioquotes.credentials import ApiKey, BearerToken, StarkKey
from trioquotes.errors import MissingCredentials


def test_nothing_set_is_no_credentials() -> None:
    assert from_environment("coinbase", {"UPBIT_API_KEY": "k", "COINBASE_API_KEY": ""}) is None


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"V_API_KEY": "k", "V_API_SECRET": "s", "V_API_PASSPHRASE": "p"},
            ApiKey("k", "s", "p"),
        ),
        ({"V_API_KEY": "k", "V_API_SECRET": "s"}, ApiKey("k", "s")),
        ({"V_STARK_KEY": "0x1", "V_ACCOUNT_ID": "7"}, StarkKey("7", "0x1")),
        ({"V_ACCESS_TOKEN": "t"}, BearerToken("t")),
    ],
)
def test_each_kind_is_found_by_its_variables(env: dict[str, str], expected: object) -> None:
    assert from_environment("v", env) == expected


def test_a_part_alone_is_refused() -> None:
    with pytest.raises(MissingCredentials, match="V_API_KEY is not set"):
        from_environment("v", {"V_API_SECRET": "s"})


def test_what_is_missing_is_named() -> None:
    text = str(explained(MissingCredentials("orders: private"), "upbit"))
    assert text.startswith("orders: private; ")
    assert text.endswith(": set UPBIT_API_KEY and UPBIT_API_SECRET")


def test_a_venue_with_other_credentials_names_theirs() -> None:
    missing = MissingCredentials("private")
    assert str(explained(missing, "darwinex")).endswith(" set DARWINEX_ACCESS_TOKEN")
    assert str(explained(missing, "edgex")).endswith(
        ", EDGEX_API_PASSPHRASE and EDGEX_ACCOUNT_ID, or EDGEX_ACCOUNT_ID and EDGEX_STARK_KEY"
    )
