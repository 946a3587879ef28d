"""Unique tokens in every credential of every venue: nothing that is shown, logged, raised or pickled holds one."""

from __future__ import annotations

import base64
import copy

import pytest

import trioquotes as tq
from tests.sweeps.sweep_canary import Catch, forms_of
from tests.sweeps.sweep_clients import (
    ACCESS,
    ACCOUNT_ID,
    CANARIES,
    CLIENTS,
    KEY,
    PHRASE,
    PLAIN_SECRET,
    SECRET,
    STARK,
    Client,
    OwnError,
    shown,
)
from trioquotes.credentials import Secret
from trioquotes.simulator.faults import DropLine, Fault, GarbageHandshake, RefuseHandshake
from trioquotes.testing import RefuseLink

each = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@each
def test_right_credentials_show_nowhere_while_lines_come_and_go(client: Client) -> None:
    catch, error = shown(client, client.good, DropLine(after_s=4.0, connection=1), read_s=80.0)
    assert type(error) is OwnError, repr(error)
    assert catch.size > 10_000
    assert catch.found == []


@each
def test_wrong_credentials_show_nowhere_when_they_are_refused(client: Client) -> None:
    catch, error = shown(client, client.bad)
    assert isinstance(error, tq.AuthenticationFailed), repr(error)
    assert catch.found == []


@each
@pytest.mark.parametrize(
    "fault",
    [RefuseHandshake(status=401, body="no"), RefuseHandshake(status=503), GarbageHandshake()],
    ids=["401", "503", "garbage"],
)
def test_they_show_nowhere_when_the_handshake_fails(client: Client, fault: Fault) -> None:
    catch, error = shown(client, client.good, fault, read_s=1.0)
    assert isinstance(error, tq.SessionError), repr(error)
    assert catch.found == []


@each
def test_they_show_nowhere_when_nobody_is_there(client: Client) -> None:
    catch, error = shown(client, client.good, world_faults=(RefuseLink(),), read_s=1.0)
    assert isinstance(error, tq.SessionError), repr(error)
    assert catch.found == []


@pytest.mark.parametrize(
    "credentials",
    [
        tq.ApiKey(KEY.text, SECRET.text, PHRASE.text, ACCOUNT_ID),
        tq.BearerToken(ACCESS.text),
        tq.StarkKey(ACCOUNT_ID, STARK.text),
        Secret(PLAIN_SECRET.text),
    ],
    ids=lambda credentials: type(credentials).__name__,
)
def test_credentials_keep_to_themselves(credentials: object) -> None:
    catch = Catch(*CANARIES)
    catch.thing("credentials", credentials)
    catch.thing("in a container", [{"x": (credentials,)}])
    catch.text("as format", f"{credentials!s} {credentials!r} {credentials!a}")
    assert catch.found == []
    for duplicate in (copy.deepcopy, copy.copy):
        try:
            catch.thing("copy", duplicate(credentials))
        except TypeError as error:
            catch.error("copy", error)
    assert catch.found == []


@pytest.mark.parametrize("before", ["", "k", "ke", "key", "user:"])
def test_the_search_finds_what_is_hidden_in_something_longer(before: str) -> None:
    for canary in CANARIES:
        hidden = f"{before}{canary.text}:more".encode()
        for text in (
            hidden.decode(), base64.b64encode(hidden).decode(), base64.urlsafe_b64encode(hidden).decode(), hidden.hex(),
        ):  # fmt: skip
            catch = Catch(canary)
            catch.text("somewhere", f"<{text}>")
            assert catch.found, (canary, text)
        catch = Catch(canary)
        catch.error("an error", ValueError(hidden))
        assert catch.found
    assert forms_of(b"a/b c") >= {"a%2Fb%20c", "a%2Fb+c"}
