"""Venues that repeat our credentials in every place where they have words: none of it shows anywhere."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import attrs
import pytest
import trio

import trioquotes as tq
from tests.sweeps.sweep_canary import Canary, Catch
from tests.sweeps.sweep_clients import (
    CANARIES,
    CLIENTS,
    CONSUMER,
    CONSUMER_SECRET,
    KEY,
    PHRASE,
    PROOFS,
    REFRESH,
    SECRET,
    Client,
    OwnError,
    shown,
)
from trioquotes.simulator.faults import DropLine, FailRest, Fault, RefuseHandshake, RejectRequest, SayOften
from trioquotes.simulator.venues.coinbase.listings import Profile

MARK = "echo of ***"
"""What is left of an echo; where it was a whole header, its first word stays."""

SENT = " ".join(f"{{sent {name}}}" for name in PROOFS)

each = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def forms(secret: str) -> list[str]:
    """How a venue may write it."""
    pair = base64.b64encode(f"user:{secret}:more".encode()).decode()
    return [
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        pair,
        pair.rstrip("=")[1:],
    ]


def echo(*secrets: Canary) -> str:
    """Words that hold them in every form."""
    return "; ".join(f"echo of {form}" for secret in secrets for form in forms(secret.text))


def words(client: Client) -> str:
    """What the venue repeats to that client: what it was sent last, so that its header is the first thing said."""
    return f"{echo(*client.secrets)}; echo of {SENT}" if client.secrets else f"echo of {SENT}"


def body(said: str) -> str:
    """A refusal in the form of every venue at once."""
    fields: dict[str, Any] = {"code": "NO", "msg": said, "fault": {"code": 900901, "message": said}}
    return json.dumps(fields)


def hidden(
    client: Client, *faults: Fault, echoes: bool = True, **options: Any
) -> tuple[Catch, BaseException | None]:
    """Nothing of it shows, though the venue said it."""
    catch, error = shown(client, client.good, *faults, **options)
    assert catch.found == []
    assert catch.showed(MARK) or catch.showed("Bearer ***") or not echoes
    return catch, error


@each
@pytest.mark.parametrize("status", [401, 403, 503])
def test_in_a_refused_handshake(client: Client, status: int) -> None:
    said = words(client)
    fault = RefuseHandshake(
        status=status, headers=(("X-Echo", said), ("WWW-Authenticate", said)), body=body(said)
    )
    _, error = hidden(client, fault, echoes=False, read_s=1.0)
    assert isinstance(error, tq.SessionError), repr(error)
    if status == 403 and client.venue in {"coinbase", "zonda"}:
        assert isinstance(error, tq.ConnectFailed)
        assert MARK in error.headers["x-echo"]
    elif client.venue == "edgex" and status == 401:
        assert MARK in str(error)


@each
def test_in_the_reason_of_a_close_frame(client: Client) -> None:
    # One form of each, and what the handshake carried, as far as a close frame holds it.
    said = [f"echo of {forms(secret.text)[nth]}" for nth, secret in enumerate(client.secrets)]
    drops = [
        DropLine(connection=ordinal, after_s=1.0, how="close", code=1008, reason=reason)
        for ordinal, reason in enumerate([*said, f"echo of {SENT}"], 1)
    ]
    _, error = hidden(client, *drops, read_s=300.0 if client.venue == "darwinex" else 60.0)
    assert isinstance(error, OwnError | tq.SessionError), repr(error)


@each
@pytest.mark.parametrize(
    "refusal", ["Authentication failed", "INVALID_AUTH", "no such market", "too many requests"]
)
def test_in_a_refused_request(client: Client, refusal: str) -> None:
    said = echo(*client.secrets or CANARIES[:1])
    fault = RejectRequest(message=f"{refusal}: {said}", reason=said)
    catch, error = shown(client, client.good, fault, read_s=5.0)
    assert isinstance(error, tq.TrioquotesError | OwnError), repr(error)
    if client.secrets:
        assert catch.found == []
        assert catch.showed(MARK)


@each
def test_in_frames_that_nobody_asked_for(client: Client) -> None:
    said = echo(*client.secrets)
    texts = [
        json.dumps({"type": "error", "message": said, "content": {"code": "INVALID_API_KEY", "msg": said}}),
        json.dumps({"type": "nobody knows", "op": "nobody knows", "action": "nobody knows", "echo": said}),
        json.dumps({"error": said, "op": "error", "msg": said}),
        json.dumps({"type": said, "op": said, "action": said}),
        f"no JSON: {said}",
        f'{{"type": "ticker", "op": "pq", "topic": "trading/ticker/btc-pln", "price": "{said}"}}',
    ]
    often = [SayOften(text=text, after_s=1.0 + at, count=1) for at, text in enumerate(texts)]
    _, error = hidden(client, *often, echoes=bool(client.secrets), read_s=20.0)
    assert isinstance(error, tq.AuthenticationFailed | OwnError), repr(error)


OVER_REST = {
    "coinbase": tq.OrderBooks("BTC-USD"),
    "upbit": tq.Instruments(),
    "zonda": tq.Instruments(),
    "darwinex": tq.Instruments(),
}


@each
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_in_an_answer_over_rest(client: Client, status: int) -> None:
    topic = OVER_REST.get(client.venue)
    if topic is None:
        pytest.skip("it has no REST")
    said = words(client) + "; echo of {sent body}"
    nth = 2 if client.name == "darwinex, refreshing" else None  # the first is for the token
    fault = FailRest(nth=nth, status=status, headers=(("X-Echo", said),), body=body(said))
    _, error = hidden(client, fault, echoes=False, topics=(topic,), read_s=5.0)
    assert isinstance(error, tq.TrioquotesError | OwnError), repr(error)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_at_the_token_endpoint(status: int) -> None:
    (client,) = (each for each in CLIENTS if each.name == "darwinex, refreshing")
    said = f"echo of {{sent authorization}} {{sent body}}; {echo(CONSUMER, CONSUMER_SECRET, REFRESH)}"
    fault = FailRest(status=status, headers=(("X-Echo", said),), body=body(said))
    _, error = hidden(client, fault, read_s=5.0)
    assert isinstance(error, tq.SessionError), repr(error)
    assert MARK in str(error)


def test_of_credentials_that_a_provider_gave_before() -> None:
    keys = [tq.ApiKey(f"{KEY.text}-{n}", SECRET.text, PHRASE.text) for n in range(4)]
    first = Canary("the first key", keys[0].key.reveal())
    (client,) = (each for each in CLIENTS if each.name == "coinbase")
    profiles = [Profile(key=key.key.reveal(), secret=SECRET.text, passphrase=PHRASE.text) for key in keys]
    turns = iter(keys)

    async def provide() -> tq.ApiKey:
        await trio.lowlevel.checkpoint()
        return next(turns)

    said = f"echo of {first.text}"
    drops = [DropLine(connection=n, after_s=1.0, how="close", code=1008, reason=said) for n in (1, 2, 3)]
    known = attrs.evolve(client, known=lambda: {"keys": profiles})
    catch, error = shown(known, lambda _world, _served: provide, *drops, canaries=(first,))
    assert type(error) is OwnError, repr(error)
    assert catch.found == []
    assert catch.showed(MARK)
