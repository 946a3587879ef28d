"""Every venue's real session against its simulator, which was written from the same documents by another hand."""

from __future__ import annotations

import base64
import ssl
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trustme

import trioquotes as tq
from trioquotes.simulator.faults import DropLine, Fault, RefuseHandshake, RejectRequest
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues import SIMULATORS, darwinex, edgex, upbit, zonda
from trioquotes.simulator.venues.coinbase.listings import Profile
from trioquotes.testing import open_world
from trioquotes.venues import VENUES

HOUR_S = 3600.0
SECRET = base64.b64encode(b"a secret of the test").decode()
TOKEN = "access-1"
CANARY = base64.b64encode(b"a secret that is not the right one, and long enough to sign with").decode()


@attrs.frozen
class Place:
    """One venue: how to simulate it with one client, and who that client is."""

    name: str
    instruments: tuple[str, str]
    client: dict[str, Any]
    good: tq.Credentials
    bad: tq.Credentials
    data: tq.Topic[tq.Event]
    private: tuple[tq.Topic[tq.Event], ...]
    private_events: frozenset[str]
    public_needs_key: bool = False

    def simulator(self, *faults: Fault, **options: Any) -> Simulator[Any]:
        return SIMULATORS[self.name](seed=5, faults=faults, **self.client, **options)

    @property
    def topics(self) -> list[tq.Topic[tq.Event]]:
        kinds = [t for t in VENUES[self.name].unified if not t.private and t is not tq.OrderBooks]
        return [
            t(self.instruments[0]) if t.__struct_fields__ else t()
            for t in sorted(kinds, key=lambda t: t.__name__)
        ]

    @property
    def key(self) -> dict[str, tq.Credentials]:
        return {"credentials": self.good} if self.public_needs_key else {}


PLACES = [
    Place(
        "coinbase",
        ("BTC-USD", "ETH-USD"),
        {"keys": [Profile(name="me", key="k", secret=SECRET, passphrase="p")]},
        tq.ApiKey("k", SECRET, "p"),
        tq.ApiKey("k", CANARY, "p"),
        tq.Trades("BTC-USD"),
        (tq.Orders("BTC-USD"), tq.Fills("BTC-USD")),
        frozenset({"OrderUpdate", "Fill"}),
    ),
    Place(
        "upbit",
        ("KRW-BTC", "KRW-ETH"),
        {"accounts": [upbit.Account(key="k", secret=SECRET * 3)]},
        tq.ApiKey("k", SECRET * 3),
        tq.ApiKey("k", CANARY),
        tq.Trades("KRW-BTC"),
        (tq.Orders(), tq.Fills(), tq.Balances()),
        frozenset({"OrderUpdate", "Fill", "Balance"}),
    ),
    Place(
        "edgex",
        ("30000001", "30000020"),
        {"accounts": [edgex.Account(account_id="77", key="k", secret=SECRET, passphrase="p")]},
        tq.ApiKey("k", SECRET, "p", "77"),
        tq.ApiKey("k", CANARY, "p", "77"),
        tq.Trades("30000001"),
        (tq.Orders(), tq.Fills(), tq.Balances()),
        frozenset({"OrderUpdate", "Fill", "Balance"}),
    ),
    Place(
        "zonda",
        ("BTC-PLN", "ETH-PLN"),
        {"accounts": [zonda.Account(public_key="k", private_key=SECRET)]},
        tq.ApiKey("k", SECRET),
        tq.ApiKey("k", CANARY),
        tq.Trades("BTC-PLN"),
        (tq.Orders(), tq.Fills(), tq.Balances()),
        frozenset({"OrderUpdate", "Fill", "Balance"}),
    ),
    Place(
        "darwinex",
        ("DWC.4.20", "DWZ.4.7"),
        {
            "accounts": [
                darwinex.Account(
                    consumer_key="c", consumer_secret=SECRET, refresh_token="refresh-1", access_token=TOKEN
                )
            ]
        },
        tq.BearerToken(TOKEN),
        tq.BearerToken(CANARY),
        tq.Quotes("DWC.4.20"),
        (tq.Quotes("DWC.4.20"),),
        frozenset({"Quote"}),
        public_needs_key=True,
    ),
]

each = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)


def test_every_venue_and_simulator_is_here() -> None:
    names = {place.name for place in PLACES}
    assert names == set(VENUES) == set(SIMULATORS)


async def read(
    stream: tq.Stream, seconds: float, until: Callable[[list[tq.Event]], bool] | None = None
) -> list[tq.Event]:
    """What comes within that time, or until it is enough."""
    events: list[tq.Event] = []
    with trio.move_on_after(seconds):
        async for event in stream:
            events.append(event)
            if until is not None and until(events):
                break
    return events


async def next_data(receive: Callable[[], Any]) -> tq.Event:
    """The next event that is no notice."""
    while True:
        event: tq.Event = await receive()
        if not isinstance(event, tq.Notice):
            return event


def names(events: Sequence[tq.Event]) -> set[str]:
    return {type(event).__name__ for event in events}


@each
async def test_all_public_topics_flow_and_the_ledger_adds_up(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(1) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            async with world.session(served, *place.topics, connect_timeout_s=60.0, **place.key) as stream:
                events = await read(stream, 70)
                statistics = stream.statistics()
    assert {
        topic for channel in statistics.channels if channel.delivered for topic in [channel.topic]
    } == set(place.topics)
    assert not names(events) & {"Malformed", "Unknown", "Gap", "Rejected", "Disconnected"}
    count = statistics.count
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values()) + count.malformed
    assert not list(served.simulator.records.breaches)


def back_with_data(events: list[tq.Event]) -> bool:
    """Whether the newest event is data of the second connection."""
    if isinstance(events[-1], tq.Notice):
        return False
    return sum(isinstance(event, tq.Connected) for event in events) == 2


@each
async def test_a_line_lost_is_said_reconnected_and_resubscribed(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(HOUR_S * 2):
        async with open_world(2) as world:
            fault = DropLine(connection=1, after_s=20.0, how="close", code=1001)
            served = world.serve(place.simulator(fault, wall_ns=world.wall_ns))
            async with world.session(served, place.data, connect_timeout_s=60.0, **place.key) as stream:
                events = await read(stream, 300, back_with_data)
    order = [type(event).__name__ for event in events]
    lost = order.index("Disconnected")
    assert order[lost + 1] == "Gap"
    again = order.index("Connected", lost)
    assert any(not isinstance(event, tq.Notice) for event in events[again:])


@each
async def test_subscribe_and_unsubscribe_while_running(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    first, second = (type(place.data)(name) for name in place.instruments)
    with trio.fail_after(HOUR_S):
        async with open_world(3) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            async with world.session(served, **place.key) as stream:
                one = await stream.subscribe(first)
                two = await stream.subscribe(second)
                await next_data(one.receive)
                assert getattr(await next_data(two.receive), "instrument", "") == place.instruments[1]
                await one.aclose()
                await trio.sleep(5)
                for _ in range(5):
                    await next_data(two.receive)
    assert not list(served.simulator.records.breaches)


@each
async def test_private_events_come_with_the_right_key(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(HOUR_S * 2):
        async with open_world(4) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            async with world.session(
                served, *place.private, credentials=place.good, connect_timeout_s=60.0
            ) as stream:
                events = await read(stream, 900, lambda seen: place.private_events <= names(seen))
    assert place.private_events <= names(events)


@each
async def test_the_wrong_key_is_refused_once_and_shown_nowhere(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(5) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            with pytest.raises((tq.AuthenticationFailed, tq.SubscriptionRejected)) as caught:
                async with world.session(
                    served, *place.private, credentials=place.bad, connect_timeout_s=60.0
                ):
                    raise AssertionError("entered")
    assert isinstance(caught.value, tq.AuthenticationFailed)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@each
async def test_private_topics_without_credentials_are_refused_before_any_io(place: Place) -> None:
    for topic in place.private:
        with pytest.raises(tq.MissingCredentials):
            tq.Session(place.name, topic)


UNKNOWN = {
    "coinbase": ("NOPE-USD", "not a valid product"),
    "upbit": ("KRW-NOPE", "not confirmed|not acknowledged"),  # the venue says nothing, so we do
    "edgex": ("39999999", "contract"),
    "zonda": ("NOPE-PLN", "no market"),
    "darwinex": ("XXX.1.1", "No active product"),
}


@each
async def test_an_instrument_that_the_venue_does_not_know_is_refused_and_the_others_live_on(
    place: Place, autojump_clock: trio.testing.MockClock
) -> None:
    name, words = UNKNOWN[place.name]
    wrong = type(place.data)(name)
    with trio.fail_after(HOUR_S):
        async with open_world(9) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            with pytest.raises((tq.SubscriptionRejected, tq.ConnectFailed), match=words):
                async with world.session(served, wrong, **place.key):
                    raise AssertionError("entered")
        async with open_world(10) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            async with world.session(served, place.data, connect_timeout_s=60.0, **place.key) as stream:
                with trio.move_on_after(60), pytest.raises(tq.SubscriptionRejected, match=words):
                    await stream.subscribe(wrong)
                await next_data(stream.receive)


# Message and reason, or message and code, as each simulator puts them into the venue's form of an error.
DOCUMENTED_ERRORS = [
    ("coinbase", "Failed to subscribe", "level2, level3, and full channels now require authentication."),
    ("coinbase", "Failed to subscribe", "No channels provided"),
    ("coinbase", "Failed to subscribe", "You need to specify at least one product ID for channel matches"),
    ("coinbase", "Failed to subscribe", " is not a valid product"),
    ("coinbase", "Authentication Failed", '{"message":"Invalid API Key"}'),
    ("coinbase", "Authentication Failed", "invalid signature"),
    ("coinbase", "Sorry, you could not be authenticated: Bad Request", "invalid signature"),
    ("upbit", "NO_TICKET", "no ticket"),
    ("upbit", "NO_TYPE", "no type"),
    ("upbit", "NO_CODES", "no codes"),
    ("upbit", "INVALID_PARAM", "nope is not supported"),
    ("upbit", "WRONG_FORMAT", "the format is wrong"),
    ("upbit", "INVALID_AUTH", "who are you"),
    ("edgex", "invalid contractId:99", "INVALID_CONTRACT_ID"),
    ("edgex", "invalid contractId : 99", "GATEWAY_INVALID_CONTRACT_ID"),
    ("edgex", "what type is that", "INVALID_MESSAGE_TYPE"),
    ("edgex", "not recognized", "UNRECOGNIZED_MESSAGE"),
    ("edgex", "gateway trouble", "GATEWAY_ERROR"),
    ("zonda", "no such path", None),
    ("darwinex", "Empty message received.", "EMPTY_MESSAGE_RECEIVED"),
    ("darwinex", "Message {} is not recognized.", "MESSAGE_NOT_RECOGNIZED"),
    ("darwinex", "No active product found with the name DWC.4.20", "PRODUCT_NOT_VALID"),
    (
        "darwinex",
        "Not allowed to subscribe to more than 10.000 products.",
        "MAX_PRODUCT_SUBSCRIPTIONS_REACHED",
    ),
]


@pytest.mark.parametrize(("name", "message", "reason"), DOCUMENTED_ERRORS)
async def test_every_documented_error_ends_the_topic_with_the_venues_words(
    name: str, message: str, reason: str | None, autojump_clock: trio.testing.MockClock
) -> None:
    place = next(place for place in PLACES if place.name == name)
    rejection = RejectRequest(message=message, reason=reason)
    with trio.fail_after(HOUR_S):
        async with open_world(12) as world:
            served = world.serve(place.simulator(rejection, wall_ns=world.wall_ns))
            with pytest.raises(
                (tq.SubscriptionRejected, tq.AuthenticationFailed, tq.ConnectFailed)
            ) as caught:
                async with world.session(served, place.data, connect_timeout_s=120.0, **place.key):
                    raise AssertionError("entered")
    words = str(caught.value)
    assert message in words or (reason is not None and reason.strip() in words), words
    if "uthenticat" in message:
        assert isinstance(caught.value, tq.AuthenticationFailed)


@each
@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_refused_handshake_is_tried_again(
    place: Place, status: int, autojump_clock: trio.testing.MockClock
) -> None:
    refusal = RefuseHandshake(connection=1, status=status, headers=(("Retry-After", "3"),))
    with trio.fail_after(HOUR_S):
        async with open_world(11) as world:
            served = world.serve(place.simulator(refusal, wall_ns=world.wall_ns))
            async with world.session(served, place.data, connect_timeout_s=300.0, **place.key) as stream:
                assert trio.current_time() >= 3.0 or status != 429
                await next_data(stream.receive)


@each
@pytest.mark.tcp
async def test_the_same_over_tcp_with_tls(place: Place) -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    with trio.fail_after(60):
        async with place.simulator().open_server(ssl_context=theirs) as url:
            session = tq.Session(place.name, place.data, endpoint=url, ssl_context=ours, **place.key)  # type: ignore[arg-type]
            async with session as stream:
                await next_data(stream.receive)


# What only one venue does.


@pytest.mark.endurance
async def test_edgex_holds_an_hour_because_its_pings_are_answered(
    autojump_clock: trio.testing.MockClock,
) -> None:
    place = PLACES[2]
    with trio.fail_after(HOUR_S * 2):
        async with open_world(6) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns, rate=0.2))
            async with world.session(served, tq.Trades("30000001")) as stream:
                events = await read(stream, HOUR_S)
    assert [type(event) for event in events if isinstance(event, tq.Notice)] == [tq.Connected]


async def test_edgex_ends_a_line_whose_pings_nobody_answers(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = PLACES[2]
    monkeypatch.setattr("trioquotes._protocol.lane.LaneState.reply", lambda _self, _frame: None)
    with trio.fail_after(HOUR_S):
        async with open_world(7) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns, rate=0.2))
            async with world.session(served, tq.Trades("30000001")) as stream:
                start_ns = world.wall_ns()
                events = await read(stream, 120)
    lost = next(event for event in events if isinstance(event, tq.Disconnected))
    assert 45e9 <= lost.received_ns - start_ns <= 65e9


@pytest.mark.endurance
async def test_darwinex_takes_a_thousand_products_within_its_limit_for_a_day(
    autojump_clock: trio.testing.MockClock,
) -> None:
    place = PLACES[4]
    products = darwinex.generated_names(1000)
    drops = [DropLine(connection=n, after_s=6 * HOUR_S) for n in range(1, 5)]
    with trio.fail_after(48 * HOUR_S):
        async with open_world(8) as world:
            simulator = place.simulator(
                *drops, wall_ns=world.wall_ns, products=list(products), rate=0.0005, frames_kept=0
            )
            served = world.serve(simulator)
            topics = [tq.Quotes(name) for name in products]
            async with world.session(served, *topics, connect_timeout_s=600.0, **place.key) as stream:
                with trio.move_on_after(24 * HOUR_S):
                    while True:
                        await stream.receive_many()
                statistics = stream.statistics()
    assert all(channel.confirmed for channel in statistics.channels)
    assert statistics.lanes[0].connections >= 4
    assert not list(simulator.records.breaches)
    sent_s = sorted(
        [seen.time_s for seen in simulator.records.requests]
        + [seen.time_s for seen in simulator.records.connects]
    )
    assert len(sent_s) >= 4 * 10
    assert max(sum(1 for other_s in sent_s if start_s <= other_s <= start_s + 60) for start_s in sent_s) <= 50
