"""Simulated venues as a test wants them: with a client that the venue knows, ready to be opened, in a world or on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, TypeVar, cast

import attrs

from trioquotes._runtime.session import Session
from trioquotes.credentials import ApiKey, BearerToken, Credentials
from trioquotes.events import Event
from trioquotes.simulator.faults import Fault
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues import coinbase, darwinex, edgex, simulator_of, upbit, zonda
from trioquotes.testing.world import World
from trioquotes.topics import Topic

__all__ = ["SimulatedVenue", "VenueMaker", "listed", "make_simulator"]

T = TypeVar("T")

KEY = "key-of-the-tests"
SECRET = "".join(("c2VjcmV0IG9mIHRoZSB0ZXN0cy4g",) * 4)
"""In base64, as Coinbase hands secrets out, and long enough for Upbit's signatures; it opens nothing but a simulator."""
PASSPHRASE = "passphrase-of-the-tests"  # noqa: S105  # likewise
EDGEX_ACCOUNT = "543429922991899150"


@attrs.frozen
class _Client:
    """A client whom a simulator knows.

    Attributes:
        option: under which option the simulator is told of its clients.
        account: what it is told.
        credentials: with which a session is that client.
        needed: whether the venue lets nobody in without.
    """

    option: str
    account: object
    credentials: Credentials
    needed: bool = False


CLIENTS = {
    "coinbase": _Client(
        "keys",
        coinbase.Profile(key=KEY, secret=SECRET, passphrase=PASSPHRASE),
        ApiKey(KEY, SECRET, PASSPHRASE),
    ),
    "upbit": _Client("accounts", upbit.Account(key=KEY, secret=SECRET), ApiKey(KEY, SECRET)),
    "edgex": _Client(
        "accounts",
        edgex.Account(account_id=EDGEX_ACCOUNT, key=KEY, secret=SECRET, passphrase=PASSPHRASE),
        ApiKey(KEY, SECRET, PASSPHRASE, account_id=EDGEX_ACCOUNT),
    ),
    "zonda": _Client("accounts", zonda.Account(public_key=KEY, private_key=SECRET), ApiKey(KEY, SECRET)),
    "darwinex": _Client(
        "accounts", darwinex.DEMO_ACCOUNT, BearerToken(darwinex.DEMO_ACCOUNT.access_token), needed=True
    ),
}


class _HasMarket(Protocol):
    """A simulator with a market."""

    @property
    def market(self) -> Any:
        """The market, with its ``floors`` by instrument."""


@attrs.frozen(kw_only=True)
class SimulatedVenue:
    """A simulated venue, and what leads to it.

    Attributes:
        simulator: the server itself, for its records and its market; on loopback it lives in a thread of its own.
        endpoint: the URL that leads to it; inside of a world only that world's sessions find it.
        instruments: what it lists, in the venue's own names.
        credentials: those of a client whom it knows, for private topics; ``None`` where the test told the simulator of
            clients of its own.
    """

    simulator: Simulator[Any]
    endpoint: str
    instruments: tuple[str, ...]
    credentials: Credentials | None
    _session: Callable[..., Session] = attrs.field(alias="session")
    _call: Callable[[Callable[[], int]], int] = attrs.field(default=lambda ask: ask(), alias="call")

    @property
    def name(self) -> str:
        """The venue's name."""
        return self.simulator.venue

    def session(self, *topics: Topic[Event], **options: Any) -> Session:
        """A real session with this venue.

        Credentials are passed on only if they are among the options, such as ``credentials=venue.credentials``, or
        where the venue lets nobody in without (Darwinex).

        Args:
            topics: as those of ``Session``.
            options: likewise.

        Raises:
            UsageError: as ``Session``.
        """
        if CLIENTS[self.name].needed and self.credentials is not None:
            options.setdefault("credentials", self.credentials)
        return self._session(*topics, **options)

    def drop_lines(self, how: Literal["eof", "reset"] = "eof") -> int:
        """End every line that is open, now and without a word; for faults at their own times see the fault scripts.

        Args:
            how: by the stream's end, or by a reset where the transport has one.

        Returns:
            How many lines there were.
        """
        return self._call(lambda: _drop(self.simulator, reset=how == "reset"))


class VenueMaker:
    """Makes simulated venues in a world: ``venue("coinbase", rate=5.0)``.

    Args:
        world: where they are.
        faults: what goes wrong at every venue that is not told otherwise.

    Attributes:
        world: where they are.
    """

    def __init__(self, world: World, faults: Iterable[Fault] = ()) -> None:
        self.world = world
        self._faults = tuple(faults)

    def __call__(self, name: str, *, faults: Iterable[Fault] | None = None, **options: Any) -> SimulatedVenue:
        """Put a venue into the world.

        Args:
            name: the venue's name.
            faults: what goes wrong there; ``None`` takes those of the maker.
            options: further ones of its simulator, such as ``rate`` and ``products``.

        Raises:
            UnknownVenue: there is no simulator of that name.
            ValueError: the simulator cannot be made so.
        """
        world = self.world
        simulator, credentials = make_simulator(
            name, seed=world.seed, wall_ns=world.wall_ns, faults=self._faults if faults is None else faults,
            **options,
        )  # fmt: skip
        served = world.serve(simulator)
        return SimulatedVenue(
            simulator=simulator, endpoint=served.endpoint, instruments=listed(simulator), credentials=credentials,
            session=lambda *topics, **settings: world.session(served, *topics, **settings),
        )  # fmt: skip


def make_simulator(
    name: str, *, seed: int = 0, wall_ns: Callable[[], int] = time.time_ns, faults: Iterable[Fault] = (),
    **options: Any,
) -> tuple[Simulator[Any], Credentials | None]:  # fmt: skip
    """A venue's simulator that knows a client, and the client's credentials.

    Args:
        name: the venue's name.
        seed: of its market.
        wall_ns: the wall clock, Unix nanoseconds.
        faults: what goes wrong.
        options: further ones of the simulator.

    Returns:
        The simulator, and credentials that it accepts: ``None`` where the options name its clients already, and for
        edgeX V1, whose keys take an extra to sign with.

    Raises:
        UnknownVenue: there is no simulator of that name.
        ValueError: the simulator cannot be made so.
    """
    makes = simulator_of(name)
    client = CLIENTS[name]
    knows = client.option not in options and options.get("generation") != "v1"
    if knows:
        options = {**options, client.option: [client.account]}
    simulator = makes(seed=seed, wall_ns=wall_ns, faults=faults, **options)
    return simulator, client.credentials if knows else None


def listed(simulator: Simulator[Any]) -> tuple[str, ...]:
    """The instruments of a simulated venue; asked inside of ``trio.run``."""
    if isinstance(simulator, darwinex.DarwinexSimulator):
        return tuple(product.name for product in simulator.products)
    return tuple(cast("_HasMarket", simulator).market.floors)


def _drop(simulator: Simulator[Any], *, reset: bool) -> int:
    lines = tuple(simulator.connections.values())
    for line in lines:
        line.cut(reset=reset)
    return len(lines)
