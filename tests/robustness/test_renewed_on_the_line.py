"""Credentials that a venue refuses on a line that is open: a provider is asked once more, then it is final."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

import trioquotes as tq
from tests.sweeps.sweep_clients import CLIENTS, Client
from trioquotes._protocol.effects import Endpoint
from trioquotes.simulator.faults import CorruptFrame, DropLine, FailRest, Fault, SayOften
from trioquotes.simulator.server import Simulator
from trioquotes.testing import Served, World, run_world

FIXED = [client for client in CLIENTS if client.name != "darwinex, refreshing"]
DEADLINE_S = 3_600.0

each = pytest.mark.parametrize("client", FIXED, ids=lambda client: client.name)
by_name = {client.name: client for client in CLIENTS}


class Vault:
    """Gives the first credentials until it hears that they were refused, then the next ones; the last for ever."""

    def __init__(self, *credentials: tq.Credentials) -> None:
        self.given = 0
        self.refusals: list[tq.Credentials] = []
        self._credentials = list(credentials)

    async def __call__(self) -> tq.Credentials:
        await trio.lowlevel.checkpoint()
        self.given += 1
        return self._credentials[0]

    def refused(self, credentials: tq.Credentials) -> None:
        self.refusals.append(credentials)
        if credentials == self._credentials[0] and len(self._credentials) > 1:
            del self._credentials[0]


async def credentials_of(client: Client, world: World, *, good: bool) -> Any:
    served = Served(client.simulator(world, ()), "ws://127.0.0.1:1")
    found = (client.good if good else client.bad)(world, served)
    return await found() if callable(found) else found


def session(
    client: Client, world: World, simulator: Simulator[Any], credentials: Any, *topics: tq.Topic[Any]
) -> tq.Session:
    served = world.serve(simulator)
    options = dict(client.options)
    if client.generation:
        rest = served.endpoint.replace("ws", "http", 1)
        options["endpoint"] = Endpoint(
            served.endpoint, private=served.endpoint, rest=rest, generation=client.generation
        )
    topics = topics or client.topics
    return world.session(served, *topics, credentials=credentials, connect_timeout_s=200.0, **options)


def opened(simulator: Simulator[Any]) -> int:
    return len(simulator.records.connects)


@each
def test_the_second_credentials_are_taken(client: Client) -> None:
    async def main(world: World) -> None:
        bad, good = [await credentials_of(client, world, good=good) for good in (False, True)]
        vault, simulator = Vault(bad, good), client.simulator(world, ())
        async with session(client, world, simulator, vault) as stream:
            with trio.fail_after(200):
                while not isinstance(await stream.receive(), tq.MarketEvent):
                    pass
        assert set(vault.refusals) == {bad}

    run_world(main, seed=1, deadline_s=DEADLINE_S)


@each
def test_the_second_refusal_is_final(client: Client) -> None:
    async def main(world: World) -> None:
        bad = await credentials_of(client, world, good=False)
        vault, simulator = Vault(bad), client.simulator(world, ())
        with pytest.raises(tq.AuthenticationFailed):
            async with session(client, world, simulator, vault, client.topics[0]):
                pytest.fail("entered")
        assert vault.refusals == [bad]
        assert opened(simulator) == 2

    run_world(main, seed=1, deadline_s=DEADLINE_S)


@each
def test_fixed_credentials_are_refused_at_once(client: Client) -> None:
    async def main(world: World) -> None:
        bad, simulator = await credentials_of(client, world, good=False), client.simulator(world, ())
        with pytest.raises(tq.AuthenticationFailed):
            async with session(client, world, simulator, bad, client.topics[0]):
                pytest.fail("entered")
        assert opened(simulator) == 1

    run_world(main, seed=1, deadline_s=DEADLINE_S)


LATER: dict[str, tuple[tq.Topic[Any], ...]] = {
    "coinbase": (tq.Orders("ETH-USD"), tq.Fills("ETH-EUR")),
    "zonda": (tq.Balances(), tq.Fills()),
}


async def keys(client: Client, world: World, simulator: Any) -> tuple[list[tq.Credentials], dict[str, Any]]:
    """Today's key and those of the next days, and what the venue knows of them."""
    known: dict[str, Any] = simulator._profiles if client.venue == "coinbase" else simulator._accounts
    field = "key" if client.venue == "coinbase" else "public_key"
    today = await credentials_of(client, world, good=True)
    (account,) = known.values()
    later = [f"the-key-of-day-{n}" for n in (1, 2)]
    known |= {key: attrs.evolve(account, **{field: key}) for key in later}
    return [today, *(attrs.evolve(today, key=key) for key in later)], known


@pytest.mark.parametrize("name", LATER)
def test_a_key_that_was_good_for_hours_is_renewed_where_the_next_topic_is_refused(name: str) -> None:
    """As often as it takes: each new key proves good. What else is on the line goes on with it."""
    client = by_name[name]

    async def main(world: World) -> None:
        simulator = client.simulator(world, ())
        days, known = await keys(client, world, simulator)
        vault = Vault(*days)
        market = getattr(client.topics[-1], "instrument", "")
        first = client.topics[0], tq.Trades(market)
        async with session(client, world, simulator, vault, *first) as stream:
            for topic in LATER[name]:
                await trio.sleep(200.0)
                del known[next(iter(known))]
                await stream.subscribe(topic)
            before = opened(simulator)
            await trio.sleep(120.0)
            assert opened(simulator) == before
        assert vault.refusals == days[:2]

    run_world(main, seed=1, deadline_s=DEADLINE_S)


@pytest.mark.parametrize("name", LATER)
def test_a_topic_that_is_refused_with_the_new_key_too_ends_alone(name: str) -> None:
    client = by_name[name]

    async def main(world: World) -> None:
        simulator = client.simulator(world, ())
        days, known = await keys(client, world, simulator)
        vault = Vault(*days)
        market = getattr(client.topics[-1], "instrument", "")
        async with session(client, world, simulator, vault, tq.Trades(market)) as stream:
            known.clear()
            for topic in (client.topics[0], *LATER[name]):
                with pytest.raises(tq.AuthenticationFailed):
                    await stream.subscribe(topic)
            before = opened(simulator)
            await trio.sleep(60.0)
            assert opened(simulator) == before, "what is public lives on"
        assert vault.refusals == days[:1], "once, not once a topic"

    run_world(main, seed=1, deadline_s=DEADLINE_S)


INVALID = json.dumps({"error": {"name": "INVALID_AUTH", "message": "no"}})
REVOKED = json.dumps({"type": "error", "content": {"code": "INVALID_API_KEY", "msg": "Invalid API Key"}})
IN_WORDS: dict[str, Callable[[int], Fault]] = {
    "upbit": lambda connection: SayOften(connection=connection, text=INVALID, after_s=0.0, count=1),
    # In place of the snapshot, which would prove the key good.
    "edgex v2": lambda connection: CorruptFrame(connection=connection, kind="Snapshot", text=REVOKED),
}


@pytest.mark.parametrize("name", IN_WORDS)
@pytest.mark.parametrize("times", [1, 2])
def test_words_on_a_private_line_that_was_let_in_renew_once(name: str, times: int) -> None:
    client = by_name[name]

    async def main(world: World) -> None:
        simulator = client.simulator(world, tuple(map(IN_WORDS[name], range(1, times + 1))))
        good = await credentials_of(client, world, good=True)
        vault = Vault(good)
        private = session(client, world, simulator, vault, *client.topics[:2])
        if times == 1:
            async with private:
                await trio.sleep(60.0)
        else:
            with pytest.raises(tq.AuthenticationFailed, match="INVALID"):
                async with private:
                    pytest.fail("entered")
        assert vault.refusals == [good]
        assert opened(simulator) == 2

    run_world(main, seed=1, deadline_s=DEADLINE_S)


def test_a_token_that_expired_on_a_line_is_renewed_for_rest() -> None:
    client = by_name["darwinex"]

    async def main(world: World) -> None:
        simulator = client.simulator(world, (FailRest(nth=1, status=401, body="{}"),))
        good = await credentials_of(client, world, good=True)
        vault = Vault(good)
        async with session(client, world, simulator, vault, client.topics[0]) as stream:
            instruments = await stream.subscribe(tq.Instruments())
            assert isinstance(await instruments.receive(), tq.Event)
        assert vault.refusals == [good]

    run_world(main, seed=1, deadline_s=DEADLINE_S)


def test_lines_that_flap_with_public_data_are_no_proof() -> None:
    client = by_name["coinbase"]

    async def main(world: World) -> None:
        bad = await credentials_of(client, world, good=False)
        vault, simulator = Vault(bad), client.simulator(world, (DropLine(connection=2, after_frames=4),))
        market = client.topics[-1].instrument  # type: ignore[attr-defined]  # books have one
        with pytest.raises(tq.AuthenticationFailed):
            async with session(client, world, simulator, vault, client.topics[0], tq.Trades(market)):
                pytest.fail("entered")
        assert vault.refusals == [bad]

    run_world(main, seed=1, deadline_s=DEADLINE_S)
