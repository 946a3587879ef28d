"""Unique tokens in every credential of every venue: nothing that is shown, logged, raised or pickled holds one."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

import trioquotes as tq
from tests.simulation.places import PLACES
from tests.sweeps.sweep_canary import Canary, Catch, forms_of, listening
from trioquotes._protocol.effects import Endpoint
from trioquotes._runtime.transport import TapConnector
from trioquotes.credentials import Secret
from trioquotes.simulator.faults import DropLine, Fault, GarbageHandshake, RefuseHandshake
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues import SIMULATORS, darwinex, edgex, upbit, zonda
from trioquotes.simulator.venues.coinbase.listings import Profile
from trioquotes.testing import RefuseLink, Served, World, WorldFault, run_world
from trioquotes.venues.darwinex import TokenFlow


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
        options: of the session.
        generation: of the endpoint, where it is not the usual one.
    """

    name: str
    venue: str
    known: Callable[[], dict[str, Any]]
    good: Give
    bad: Give
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
    ),
    Client(
        name="upbit",
        venue="upbit",
        known=lambda: {"accounts": [upbit.Account(key=KEY.text, secret=PLAIN_SECRET.text)]},
        good=given(tq.ApiKey(KEY.text, PLAIN_SECRET.text)),
        bad=given(tq.ApiKey(WRONG[0].text, WRONG[2].text)),
    ),
    Client(
        name="upbit, provided",
        venue="upbit",
        known=lambda: {"accounts": [upbit.Account(key=KEY.text, secret=PLAIN_SECRET.text)]},
        good=provided(tq.ApiKey(KEY.text, PLAIN_SECRET.text)),
        bad=provided(tq.ApiKey(KEY.text, WRONG[2].text)),
    ),
    Client(
        name="edgex v2",
        venue="edgex",
        known=lambda: _edgex_account(key=KEY.text, secret=SECRET.text, passphrase=PHRASE.text),
        good=given(tq.ApiKey(KEY.text, SECRET.text, PHRASE.text, ACCOUNT_ID)),
        bad=given(tq.ApiKey(KEY.text, WRONG[1].text, WRONG[2].text, ACCOUNT_ID)),
    ),
    Client(
        name="edgex v2, subprotocol",
        venue="edgex",
        known=lambda: _edgex_account(key=KEY.text, secret=SECRET.text, passphrase=PHRASE.text),
        good=given(tq.ApiKey(KEY.text, SECRET.text, PHRASE.text, ACCOUNT_ID)),
        bad=given(tq.ApiKey(WRONG[0].text, WRONG[1].text, WRONG[2].text, ACCOUNT_ID)),
        options={"options": {"auth": "subprotocol"}},
    ),
    Client(
        name="edgex v1",
        venue="edgex",
        known=_stark_account,
        good=given(tq.StarkKey(ACCOUNT_ID, STARK.text)),
        bad=given(tq.StarkKey(ACCOUNT_ID, WRONG[3].text)),
        generation="v1",
    ),
    Client(
        name="zonda",
        venue="zonda",
        known=lambda: {"accounts": [zonda.Account(public_key=KEY.text, private_key=PLAIN_SECRET.text)]},
        good=given(tq.ApiKey(KEY.text, PLAIN_SECRET.text)),
        bad=given(tq.ApiKey(KEY.text, WRONG[2].text)),
    ),
    Client(
        name="darwinex",
        venue="darwinex",
        known=_application,
        good=given(tq.BearerToken(ACCESS.text)),
        bad=given(tq.BearerToken(WRONG[0].text)),
    ),
    Client(
        name="darwinex, refreshing",
        venue="darwinex",
        known=_application,
        good=refreshing(CONSUMER, CONSUMER_SECRET, REFRESH),
        bad=refreshing(CONSUMER, CONSUMER_SECRET, WRONG[0]),
    ),
]  # fmt: skip

each = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


class OwnError(Exception):
    """What the user's own code raises."""


async def use(
    client: Client, world: World, catch: Catch, credentials: Any, faults: tuple[Fault, ...], *, read_s: float
) -> BaseException | None:
    """A session from its making to its end; everything that it shows goes to ``catch``."""
    served = world.serve(client.simulator(world, faults))
    options = dict(client.options)
    if client.generation:
        rest = served.endpoint.replace("ws", "http", 1)
        options["endpoint"] = Endpoint(
            served.endpoint, private=served.endpoint, rest=rest, generation=client.generation
        )
    session = world.session(
        served, *client.topics, credentials=credentials, raw=True, connect_timeout_s=20.0, **options
    )
    catch.thing("session", session)
    catch.thing("credentials", credentials)
    try:
        async with session as stream:
            catch.thing("stream", stream)
            channel = await stream.subscribe(client.topics[-1])
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


def shown(
    client: Client, give: Give, *faults: Fault, world_faults: tuple[WorldFault, ...] = (), read_s: float = 20.0,
    canaries: tuple[Canary, ...] = CANARIES,
) -> tuple[Catch, BaseException | None]:  # fmt: skip
    """What a session shows, and how it ended."""
    catch = Catch(*canaries)

    async def main(world: World) -> BaseException | None:
        credentials = give(world, Served(client.simulator(world, ()), "ws://127.0.0.1:1"))
        return await use(client, world, catch, credentials, faults, read_s=read_s)

    with listening(catch):
        error = run_world(main, seed=2, deadline_s=3600.0, faults=world_faults)
    catch.error("after the end", error)
    return catch, error


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
