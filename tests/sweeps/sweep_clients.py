"""Clients of every venue whose credentials are canaries, and everything that a session of theirs shows."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

import trioquotes as tq
from tests.simulation.places import PLACES
from tests.sweeps.sweep_canary import Canary, Catch, listening
from trioquotes._protocol.effects import Endpoint
from trioquotes._runtime.transport import TapConnector
from trioquotes.credentials import Secret
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues import SIMULATORS, darwinex, edgex, upbit, zonda
from trioquotes.simulator.venues.coinbase.listings import Profile
from trioquotes.testing import Served, World, WorldFault, run_world
from trioquotes.venues.darwinex import TokenFlow

__all__ = [
    "ACCESS", "ACCOUNT_ID", "CANARIES", "CLIENTS", "CONSUMER", "CONSUMER_SECRET", "KEY", "PHRASE", "PLAIN_SECRET", "PROOFS",
    "REFRESH", "SECRET", "STARK", "WRONG", "Client", "Give", "OwnError", "provided", "shown",
]  # fmt: skip

PROOFS = (
    "authorization",
    "x-edgex-api-key",
    "x-edgex-passphrase",
    "x-edgex-signature",
    "sec-websocket-protocol",
)
"""Headers of handshakes that prove something."""
CUT = 40
"""Characters of one that a close frame has room for in any case."""


def plain(name: str) -> Canary:
    return Canary(name, f"canary/{name}+of the=test~0123456789".replace(" ", "-"))


def encoded(name: str) -> Canary:
    return Canary(
        name, base64.b64encode(f"canary>>{name}?? of the test, long enough to sign with".encode()).decode()
    )


def in_hex(name: str) -> Canary:
    return Canary(name, "03" + f"canary {name} of the test".encode().hex()[:58])


KEY, SECRET, PHRASE = plain("key"), encoded("secret"), plain("passphrase")
PLAIN_SECRET, STARK = plain("plain-secret"), in_hex("stark")
ACCESS, REFRESH, CONSUMER, CONSUMER_SECRET = map(plain, ("access", "refresh", "consumer", "consumer-secret"))
WRONG = plain("wrong"), encoded("wrong secret"), plain("wrong-phrase"), in_hex("wrong stark")
CANARIES = (KEY, SECRET, PHRASE, PLAIN_SECRET, STARK, ACCESS, REFRESH, CONSUMER, CONSUMER_SECRET, *WRONG)

ACCOUNT_ID = "77"


def _stark_account() -> dict[str, Any]:
    stark = pytest.importorskip("fast_stark_crypto")
    public = hex(stark.get_public_key(int(STARK.text, 16)))
    return {"generation": "v1", **_edgex_account(l2_key=public)}


Give = Callable[[World, Served], Any]


@attrs.frozen(kw_only=True)
class Client:
    """A kind of credentials at a venue that takes it.

    Attributes:
        name: of the kind.
        venue: which place it is for.
        known: what makes the client known to the simulator.
        good: makes the right credentials; ``bad`` wrong ones.
        secrets: what a line's server is told in the good ones, or can know of them.
        options: of the session.
        generation: of the endpoint, where it is not the usual one.
    """

    name: str
    venue: str
    known: Callable[[], dict[str, Any]]
    good: Give
    bad: Give
    secrets: tuple[Canary, ...] = ()
    options: dict[str, Any] = attrs.field(factory=dict)
    generation: str = ""

    @property
    def topics(self) -> tuple[tq.Topic[Any], ...]:
        if self.venue == "darwinex":
            return tq.Quotes("DWC.4.20"), tq.Instruments()
        first = "10000001" if self.generation == "v1" else PLACES[self.venue].instruments[0]
        own: tuple[tq.Topic[Any], ...] = (
            (tq.Orders(first),) if self.venue == "coinbase" else (tq.Orders(), tq.Balances())
        )
        return (*own, tq.Books(first))

    def simulator(self, world: World, faults: tuple[Fault, ...]) -> Simulator[Any]:
        return SIMULATORS[self.venue](
            seed=world.seed, wall_ns=world.wall_ns, rate=2.0, faults=faults, **self.known()
        )


def given(credentials: tq.Credentials) -> Give:
    return lambda _world, _served: credentials


def provided(credentials: tq.Credentials) -> Give:
    async def provide() -> tq.Credentials:
        await trio.lowlevel.checkpoint()
        return credentials

    return lambda _world, _served: provide


def refreshing(consumer: Canary, secret: Canary, refresh: Canary) -> Give:
    async def keep(token: Secret) -> None:
        del token
        await trio.lowlevel.checkpoint()

    def make(world: World, served: Served) -> tq.RefreshingToken:
        flow = TokenFlow(consumer.text, secret.text, rest=served.endpoint.replace("ws", "http", 1))
        return tq.RefreshingToken(flow, refresh.text, on_rotated=keep, connector=TapConnector(world))

    return make


def _application() -> dict[str, Any]:
    account = darwinex.Account(
        consumer_key=CONSUMER.text, consumer_secret=CONSUMER_SECRET.text, refresh_token=REFRESH.text,
        access_token=ACCESS.text,
    )  # fmt: skip
    return {"accounts": [account]}


def _edgex_account(**fields: Any) -> dict[str, Any]:
    return {"accounts": [edgex.Account(account_id=ACCOUNT_ID, **fields)]}


CLIENTS = [
    Client(
        name="coinbase",
        venue="coinbase",
        known=lambda: {"keys": [Profile(key=KEY.text, secret=SECRET.text, passphrase=PHRASE.text)]},
        good=given(tq.ApiKey(KEY.text, SECRET.text, PHRASE.text)),
        bad=given(tq.ApiKey(KEY.text, WRONG[1].text, WRONG[2].text)),
        secrets=(KEY, SECRET, PHRASE),
    ),
    Client(
        name="upbit",
        venue="upbit",
        known=lambda: {"accounts": [upbit.Account(key=KEY.text, secret=PLAIN_SECRET.text)]},
        good=given(tq.ApiKey(KEY.text, PLAIN_SECRET.text)),
        bad=given(tq.ApiKey(WRONG[0].text, WRONG[2].text)),
        secrets=(KEY, PLAIN_SECRET),
    ),
    Client(
        name="upbit, provided",
        venue="upbit",
        known=lambda: {"accounts": [upbit.Account(key=KEY.text, secret=PLAIN_SECRET.text)]},
        good=provided(tq.ApiKey(KEY.text, PLAIN_SECRET.text)),
        bad=provided(tq.ApiKey(KEY.text, WRONG[2].text)),
        secrets=(KEY, PLAIN_SECRET),
    ),
    Client(
        name="edgex v2",
        venue="edgex",
        known=lambda: _edgex_account(key=KEY.text, secret=SECRET.text, passphrase=PHRASE.text),
        good=given(tq.ApiKey(KEY.text, SECRET.text, PHRASE.text, ACCOUNT_ID)),
        bad=given(tq.ApiKey(KEY.text, WRONG[1].text, WRONG[2].text, ACCOUNT_ID)),
        secrets=(KEY, SECRET, PHRASE),
    ),
    Client(
        name="edgex v2, subprotocol",
        venue="edgex",
        known=lambda: _edgex_account(key=KEY.text, secret=SECRET.text, passphrase=PHRASE.text),
        good=given(tq.ApiKey(KEY.text, SECRET.text, PHRASE.text, ACCOUNT_ID)),
        bad=given(tq.ApiKey(WRONG[0].text, WRONG[1].text, WRONG[2].text, ACCOUNT_ID)),
        secrets=(KEY, SECRET, PHRASE),
        options={"options": {"auth": "subprotocol"}},
    ),
    Client(
        name="edgex v1",
        venue="edgex",
        known=_stark_account,
        good=given(tq.StarkKey(ACCOUNT_ID, STARK.text)),
        bad=given(tq.StarkKey(ACCOUNT_ID, WRONG[3].text)),
        secrets=(STARK,),
        generation="v1",
    ),
    Client(
        name="zonda",
        venue="zonda",
        known=lambda: {"accounts": [zonda.Account(public_key=KEY.text, private_key=PLAIN_SECRET.text)]},
        good=given(tq.ApiKey(KEY.text, PLAIN_SECRET.text)),
        bad=given(tq.ApiKey(KEY.text, WRONG[2].text)),
        secrets=(KEY, PLAIN_SECRET),
    ),
    Client(
        name="darwinex",
        venue="darwinex",
        known=_application,
        good=given(tq.BearerToken(ACCESS.text)),
        bad=given(tq.BearerToken(WRONG[0].text)),
        secrets=(ACCESS,),
    ),
    Client(
        name="darwinex, refreshing",
        venue="darwinex",
        known=_application,
        good=refreshing(CONSUMER, CONSUMER_SECRET, REFRESH),
        bad=refreshing(CONSUMER, CONSUMER_SECRET, WRONG[0]),
    ),
]  # fmt: skip


class OwnError(Exception):
    """What the user's own code raises."""


async def use(
    client: Client, world: World, catch: Catch, credentials: Any, faults: tuple[Fault, ...], *, read_s: float,
    topics: tuple[tq.Topic[Any], ...] = (),
) -> BaseException | None:  # fmt: skip
    """A session from its making to its end; everything that it shows goes to ``catch``."""
    simulator = client.simulator(world, faults)
    _listen(simulator, catch)
    served = world.serve(simulator)
    options = dict(client.options)
    if client.generation:
        rest = served.endpoint.replace("ws", "http", 1)
        options["endpoint"] = Endpoint(
            served.endpoint, private=served.endpoint, rest=rest, generation=client.generation
        )
    topics = topics or client.topics
    session = world.session(
        served, *topics, credentials=credentials, raw=True, connect_timeout_s=20.0, **options
    )
    catch.thing("session", session)
    catch.thing("credentials", credentials)
    try:
        async with session as stream:
            catch.thing("stream", stream)
            channel = await stream.subscribe(topics[-1])
            catch.thing("channel", channel)
            with trio.move_on_after(read_s):
                async for event in stream:
                    catch.thing(type(event).__name__, event)
            for one in (stream.statistics(), channel.statistics(), session):
                catch.thing(type(one).__name__, one)
            catch.text("tasks", repr([task.name for task in _tasks()]))
            raise OwnError("the user's own")  # noqa: TRY301  # as users do
    except Exception as error:  # noqa: BLE001  # shown is what counts
        catch.error("the end", error)
        return error


def _tasks() -> list[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    found: list[trio.lowlevel.Task] = [] if root is None else [root]
    for task in found:
        for nursery in task.child_nurseries:
            found += nursery.child_tasks
    return found


def _listen(simulator: Simulator[Any], catch: Catch) -> None:
    """What proves in a handshake who it is from is searched for too, also where it is cut off."""
    admit = simulator.new_state

    def listen(request: HttpRequest) -> Any:
        for name in PROOFS:
            for word in request.headers.get(name, "").split():
                if len(word) > CUT:
                    catch.add(Canary(f"the header {name}", word[:CUT]))
        return admit(request)

    simulator.new_state = listen  # type: ignore[method-assign]  # for this one


def _overheard(provider: tq.RefreshingToken, catch: Catch) -> Callable[[], Awaitable[tq.BearerToken]]:
    """The provider; what it gives is searched for too."""

    async def provide() -> tq.BearerToken:
        token = await provider()
        catch.add(Canary("a token of the provider's", token.token.reveal()))
        return token

    return provide


def shown(
    client: Client, give: Give, *faults: Fault, world_faults: tuple[WorldFault, ...] = (), read_s: float = 20.0,
    canaries: tuple[Canary, ...] = CANARIES, topics: tuple[tq.Topic[Any], ...] = (),
) -> tuple[Catch, BaseException | None]:  # fmt: skip
    """What a session shows, and how it ended."""
    catch = Catch(*canaries)

    async def main(world: World) -> BaseException | None:
        credentials = give(world, Served(client.simulator(world, ()), "ws://127.0.0.1:1"))
        minted = credentials
        if isinstance(credentials, tq.RefreshingToken):
            minted = _overheard(credentials, catch)
        return await use(client, world, catch, minted, faults, read_s=read_s, topics=topics)

    with listening(catch):
        error = run_world(main, seed=2, deadline_s=3600.0, faults=world_faults)
    catch.error("after the end", error)
    return catch, error
