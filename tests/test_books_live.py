"""An hour of every venue's books under faults: at every message the client's book is the server's, or it said so.

A real session reads the simulated venue in a world of virtual time. Nothing here knows how our code keeps books: the
followers apply events to plain dictionaries, and the server's books come from its market, not from its frames.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.venues.bookcheck import Reader
from tests.witnessing import (
    BookFollower,
    ByCounter,
    ByCounterFromTheTop,
    ByPlace,
    ByTime,
    Follower,
    Judge,
    OrderFollower,
    ViewFollower,
)
from trioquotes.lowlevel import Endpoint
from trioquotes.simulator.faults import (
    AlterFrame,
    CorruptFrame,
    DropLine,
    DuplicateFrame,
    FailRest,
    Fault,
    GarbageHandshake,
    HangHandshake,
    Maintenance,
    MuteLine,
    RefuseHandshake,
    SkipFrame,
    SwapFrames,
)
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.simulator.venues.coinbase.listings import Profile
from trioquotes.simulator.venues.edgex import EdgexSimulator
from trioquotes.simulator.venues.upbit import UpbitSimulator
from trioquotes.simulator.venues.zonda import ZondaSimulator
from trioquotes.testing import open_world

HOUR_S = 3600.0
CALM_S = 600.0
"""Longer than any backoff, watchdog and resync takes after the last fault."""
LINES = 120
"""More connections than an hour of these scripts makes."""
REQUESTS = 1000
"""More HTTP requests than that."""
SECRET = base64.b64encode(b"a secret of the test").decode()
PROFILE = Profile(name="me", key="k", secret=SECRET, passphrase="p")
KEY = tq.ApiKey("k", SECRET, "p")


HANDSHAKES: tuple[Fault, ...] = (
    RefuseHandshake(status=502),
    RefuseHandshake(status=503),
    RefuseHandshake(status=429, headers=(("Retry-After", "2"),)),
    HangHandshake(),
    GarbageHandshake(),
)


ENDINGS: tuple[Callable[[float], Fault], ...] = (
    lambda life_s: DropLine(after_s=life_s, how="eof"),
    lambda life_s: MuteLine(after_s=life_s),
    lambda life_s: DropLine(after_s=life_s, how="reset"),
    lambda life_s: DropLine(after_s=life_s, how="close", code=1001),
    lambda life_s: MuteLine(after_s=life_s),
    lambda life_s: DropLine(after_s=life_s, how="close", code=1011),
)
"""How lines end, in turn: half-open ones have to be found out."""


def on_line(fault: Fault, line: int) -> Fault:
    """The same, on one connection only."""
    return msgspec.structs.replace(fault, connection=line)


@attrs.frozen
class Trouble:
    """What befalls the frames of a kind on every line.

    Attributes:
        kind: as the simulator calls them.
        per_minute: how many there are, about.
        faults: one each on every line, at some frame of it.
    """

    kind: str
    per_minute: float
    faults: Sequence[Callable[[str, int], Fault]]


@attrs.frozen
class Script:
    """What goes wrong on a venue in an hour.

    Attributes:
        seed: of all chance.
        troubles: of frames.
    """

    seed: int
    troubles: Sequence[Trouble]

    def faults(self) -> list[Fault]:
        chance = random.Random(self.seed)  # noqa: S311  # decides a simulation, keeps no secret
        out: list[Fault] = [
            Maintenance(after_s=1500.0, for_s=120.0),
            Maintenance(after_s=2700.0, for_s=45.0, status=502, code=1001),
        ]
        out += [FailRest(nth=n, status=chance.choice([500, 502, 429])) for n in range(3, REQUESTS, 5)]
        out += [FailRest(nth=n, delay_s=chance.uniform(1, 5)) for n in range(5, REQUESTS, 9)]
        out += [FailRest(nth=n, stale_s=chance.uniform(0.2, 1.5)) for n in range(1, REQUESTS, 3)]
        endings, handshakes = cycle(ENDINGS), cycle(HANDSHAKES)
        for line in range(1, LINES):
            if line > 1 and chance.random() < 0.35:
                out.append(on_line(next(handshakes), line))
                continue
            life_s = chance.uniform(60.0, 180.0)
            out.append(on_line(next(endings)(life_s), line))
            for trouble in self.troubles:
                frames = max(int(trouble.per_minute * life_s / 60), 1)
                out += [
                    on_line(make(trouble.kind, chance.randint(1, frames)), line) for make in trouble.faults
                ]
        return out


@attrs.frozen(kw_only=True)
class Wish:
    """A topic, and how it is judged: the witness's channel and instrument."""

    topic: tq.Topic[Any]
    judge: type[Judge]
    channel: str
    instrument: str

    def follower(self, simulator: Simulator[Any]) -> Follower:
        judge = self.judge(simulator.witness, self.channel, self.instrument)
        kinds: dict[type[tq.Topic[Any]], type[Follower]] = {
            tq.Books: BookFollower,
            tq.OrderBooks: OrderFollower,
        }
        follower = kinds.get(type(self.topic), ViewFollower)
        return follower(judge)


@attrs.define
class Hour:
    """What an hour showed.

    Attributes:
        followers: by topic.
        faults: how often which fault befell the session.
        looks: how often the session's own books were looked at.
        live: how many of these times they were right.
        audits: and ``failed_audits``: of all books.
    """

    followers: dict[tq.Topic[Any], Follower]
    faults: Mapping[str, int]
    looks: int = 0
    live: int = 0
    audits: int = 0
    failed_audits: int = 0

    def compared(self, *kinds: type[tq.Topic[Any]]) -> int:
        """Comparisons with the server's book."""
        return sum(f.figures.compared for topic, f in self.followers.items() if isinstance(topic, kinds))

    @property
    def gaps(self) -> int:
        """How often a book's reader was told not to trust it."""
        return sum(follower.figures.gaps for follower in self.followers.values())

    def reader_of(self, instrument: str) -> Reader | None:
        """Who keeps that book by price, if anybody does."""
        books = [f.reader for f in self.followers.values() if isinstance(f, BookFollower)]
        return next((reader for reader in books if reader.topic.subject == instrument), None)

    def is_old(self, instrument: str) -> bool:
        """Whether a reader of the book has not the server's newest."""
        books = [f for topic, f in self.followers.items() if topic.subject == instrument]
        return not any(f.is_right() for f in books if isinstance(f, BookFollower | OrderFollower))

    def __str__(self) -> str:
        reasons = sorted({reason for f in self.followers.values() for reason in f.figures.reasons}, key=len)[
            :8
        ]
        compared = {str(topic): follower.figures.compared for topic, follower in self.followers.items()}
        return (
            f"compared {compared}, looks {self.live}/{self.looks}, gaps {self.gaps} {reasons},"
            f" audits {self.audits} (failed {self.failed_audits}), faults {dict(self.faults)}"
        )


async def an_hour(
    make: Callable[..., Simulator[Any]],
    script: Script,
    wishes: Sequence[Wish],
    *,
    seed: int = 1,
    generation: str = "",
    **options: Any,
) -> Hour:
    """An hour under the script, some minutes without faults, and then everything has to be right."""
    with trio.fail_after(HOUR_S + 2 * CALM_S):
        async with open_world(seed) as world:
            simulator = make(
                seed=seed, wall_ns=world.wall_ns, faults=script.faults(), frames_kept=0, books_kept=2_000
            )
            audit = tq.AuditPlan(every_s=60.0)
            served = world.serve(simulator)
            if generation:
                url = served.endpoint
                options["endpoint"] = Endpoint(
                    url, url, "http" + url.removeprefix("ws"), generation=generation
                )
            session = world.session(served, audit=audit, **options)
            async with session as stream, trio.open_nursery() as nursery:
                hour = Hour(
                    {wish.topic: wish.follower(simulator) for wish in wishes}, simulator.records.faults
                )
                for wish in wishes:
                    hour.followers[wish.topic].is_old = partial(hour.is_old, wish.instrument)
                books: dict[tq.Topic[Any], tq.LiveBook] = {}
                for topic, follower in hour.followers.items():
                    nursery.start_soon(follower.run, await stream.subscribe(topic))
                    if isinstance(topic, tq.Books | tq.OrderBooks):
                        books[topic] = stream.book(topic)
                nursery.start_soon(look_at, simulator, books, hour, random.Random(seed))  # noqa: S311  # as above
                await trio.sleep(HOUR_S)
                simulator.mend()
                await trio.sleep(CALM_S)
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
                judge_the_end(hour, books, stream.statistics())
    return hour


async def look_at(
    simulator: Simulator[Any], books: Mapping[tq.Topic[Any], tq.LiveBook], hour: Hour, chance: random.Random
) -> None:
    """Look at the session's own books at random moments."""
    while True:
        await trio.sleep(chance.uniform(0.1, 5.0))
        await trio.testing.wait_all_tasks_blocked()  # until the followers have read what there is
        for topic, book in books.items():
            follower = hour.followers[topic]
            assert isinstance(follower, BookFollower | OrderFollower)
            assert follower.agrees_with(book), f"{book!r} is not what its events say"
            assert simulator.connections or not follower.reader.trusting, f"{book!r}: there is no line"
            hour.looks += 1
            hour.live += book.state == "live"
        for topic, view in hour.followers.items():
            read = hour.reader_of(topic.subject)
            if isinstance(view, ViewFollower) and read is not None:
                assert view.agrees_with(read), f"{topic}: a view was left out, the last is {view.last}"


def judge_the_end(
    hour: Hour, books: Mapping[tq.Topic[Any], tq.LiveBook], statistics: tq.SessionStatistics
) -> None:
    """After the faults everything is right again, and no audit ever was in error."""
    for topic, follower in hour.followers.items():
        assert isinstance(follower, BookFollower | OrderFollower | ViewFollower)
        assert follower.is_right(), f"{topic}: not the server's book in the end"
    for topic, book in books.items():
        kept = hour.followers[topic]
        assert isinstance(kept, BookFollower | OrderFollower)
        assert book.state == "live"
        assert kept.agrees_with(book)
    hour.audits = sum(one.audits for one in statistics.audits)
    hour.failed_audits = sum(one.failed for one in statistics.audits)
    alarms = sum(follower.figures.alarms for follower in hour.followers.values())
    assert sum(one.differing for one in statistics.audits) == alarms
    print(hour)  # noqa: T201  # the figures, for who asks with -s or sees it fail


def wishes(
    instruments: Sequence[str], judge: type[Judge], channel: str, *kinds: type[tq.Topic[Any]], depth: int | None = None,
    levels: int = 10,
) -> list[Wish]:  # fmt: skip
    """Each of these topics of each instrument."""
    fields: dict[type[tq.Topic[Any]], dict[str, Any]] = {
        tq.Books: {"depth": depth},
        tq.Depths: {"levels": levels},
    }
    return [
        Wish(
            topic=kind(instrument, **fields.get(kind, {})),
            judge=judge,
            channel=channel,
            instrument=instrument,
        )
        for instrument in instruments
        for kind in kinds
    ]


def corrupted(kind: str, nth: int) -> Fault:
    """Half of a frame."""
    return CorruptFrame(kind=kind, nth=nth)


def twice(kind: str, nth: int) -> Fault:
    """A frame that comes again."""
    return DuplicateFrame(kind=kind, nth=nth)


def twice_later(kind: str, nth: int) -> Fault:
    """A frame that comes again after newer ones."""
    return DuplicateFrame(kind=kind, nth=nth, later=1 + nth % 5)


def skipped(kind: str, nth: int) -> Fault:
    """A frame, or a few, that do not come."""
    return SkipFrame(kind=kind, nth=nth, count=1 + nth % 3)


def swapped(kind: str, nth: int) -> Fault:
    """Two frames in the wrong order."""
    return SwapFrames(kind=kind, nth=nth)


def altered(find: str, put: str) -> Callable[[str, int], Fault]:
    """A frame that says something else."""
    return lambda kind, nth: AlterFrame(kind=kind, nth=nth, find=find, put=put)


def assert_eventful(hour: Hour, script: Script, *, compared: float, gaps: int, live: float) -> None:
    """The hour was one: every fault befell the session, it noticed, and its books were compared all the time.

    Args:
        hour: what it showed.
        script: every kind of fault of which must have befallen it.
        compared: how often its books were compared at least.
        gaps: how often their readers were told not to trust them at least.
        live: for which share of the time they were right at least.
    """
    planned = {type(fault).__name__ for fault in script.faults()} - {
        type(fault).__name__ for fault in HANDSHAKES
    }
    rare = {name for name in planned if hour.faults[name] < 5}
    assert not rare, f"hardly ever befell: {rare}, {hour}"
    assert sum(hour.faults[type(fault).__name__] for fault in HANDSHAKES) >= 3, f"no refused connects: {hour}"
    assert hour.gaps >= gaps, f"nearly nothing was noticed: {hour}"
    assert hour.compared(tq.Books, tq.OrderBooks) >= compared, f"too few comparisons: {hour}"
    views = [topic for topic in hour.followers if not isinstance(topic, tq.Books | tq.OrderBooks)]
    assert all(hour.followers[topic].figures.compared >= compared / 50 for topic in views), (
        f"no views: {hour}"
    )
    assert hour.looks >= 2000, f"too few looks: {hour}"
    assert hour.live >= hour.looks * live, f"wrong for most of the time: {hour}"
    assert hour.audits >= 40, f"too few audits: {hour}"
    assert hour.failed_audits >= 5, f"no audit failed: {hour}"


endurance, thorough = pytest.mark.endurance, pytest.mark.thorough
rates = pytest.mark.parametrize(
    "rate", [pytest.param(0.8, id="calm"), pytest.param(3.0, id="brisk", marks=thorough)]
)
"""Actions of traders a second and instrument."""

PRODUCTS = ["BTC-USD", "ETH-USD"]


@rates
@pytest.mark.parametrize(
    "channel", [pytest.param("level2_50", marks=endurance), pytest.param("level2", marks=thorough)]
)
async def test_coinbase_books_by_price(
    channel: str, rate: float, autojump_clock: trio.testing.MockClock
) -> None:
    """``level2`` and ``level2_batch`` have neither counter nor checksum: a frame that was skipped, or changed places with
    another, shows only where it crosses the book, so neither is in the script. A frame that came twice says the same
    twice. Without keys the public channel is read, with keys the one that tells every change."""
    negative = altered(r'("sell","[\d.]+",")', r"\g<1>-")
    trouble = [corrupted, twice, *3 * [altered('"buy"', '"bay"'), negative]]
    script = Script(1, [Trouble("l2update", 60 * rate, trouble)])

    def coinbase(**options: Any) -> CoinbaseSimulator:
        return CoinbaseSimulator(products=PRODUCTS, rate=rate, depth=25, keys=[PROFILE], **options)

    keys: dict[str, Any] = {"credentials": KEY} if channel == "level2" else {}
    topics = wishes(PRODUCTS, ByPlace, channel, tq.Books, tq.Quotes, tq.Depths)
    hour = await an_hour(coinbase, script, topics, **keys)
    assert_eventful(hour, script, compared=5000 * rate, gaps=100, live=0.7)


@endurance
@rates
async def test_upbit_books(rate: float, autojump_clock: trio.testing.MockClock) -> None:
    """Every frame is the whole of the best thirty levels, with a time and without a counter: nothing tells of a frame that
    was skipped, and the next one makes good for it, so that is not in the script."""
    negative = altered('("ask_size":)', r"\g<1>-")
    script = Script(2, [Trouble("orderbook", 60 * rate, [corrupted, twice, twice_later, swapped, negative])])
    codes = ["KRW-BTC", "USDT-BTC"]

    def upbit(**options: Any) -> UpbitSimulator:
        return UpbitSimulator(markets=codes, rate=rate, **options)

    hour = await an_hour(upbit, script, wishes(codes, ByTime, "orderbook", tq.Books, tq.Quotes, tq.Depths))
    assert_eventful(hour, script, compared=4000 * rate, gaps=100, live=0.7)


@rates
@pytest.mark.parametrize(
    ("generation", "level"),
    [pytest.param("v1", 15, marks=endurance), pytest.param("v2", 200, marks=thorough)],
)
async def test_edgex_books(
    generation: Any, level: int, rate: float, autojump_clock: trio.testing.MockClock
) -> None:
    """On V2 a change begins where the one before ended, so that a loss of one single version is not to be told from the
    rule of V1 before the line has shown its own; in this market, as in recordings, nothing takes a single version."""
    trouble = [corrupted, twice, twice_later, skipped, swapped, *3 * [altered('("size":")', r"\g<1>-")]]
    script = Script(3, [Trouble("depth", 80 * rate, trouble)])
    depth = 230 if rate > 1 and level == 200 else 40  # of the market: more than the window where time allows
    contracts = ["10000001", "10000002"] if generation == "v1" else ["30000001", "30000002"]

    def edgex(**options: Any) -> EdgexSimulator:
        return EdgexSimulator(
            generation=generation, contracts=contracts, rate=rate, depth=depth, version_step=5, **options
        )

    topics = wishes(
        contracts, ByCounter, f"depth.{level}", tq.Books, tq.Depths, depth=level, levels=level // 2
    )
    hour = await an_hour(edgex, script, topics, generation=generation)
    assert_eventful(hour, script, compared=4000 * rate, gaps=150, live=0.6)


@rates
@pytest.mark.parametrize("limit", [pytest.param(None, marks=endurance), pytest.param(10, marks=thorough)])
async def test_zonda_books(limit: int | None, rate: float, autojump_clock: trio.testing.MockClock) -> None:
    """Pushes have a counter of each channel, and the snapshot comes by a request of its own, which is lost at times; a
    book that broke often is asked for again ever more slowly, so that it is right for less of the time than others."""
    kind = "orderbook" if limit is None else "orderbook-limited"
    negative = altered('("ca":")', r"\g<1>-")
    trouble = [corrupted, twice, twice_later, skipped, swapped, negative]
    script = Script(4, [Trouble(kind, 40 * rate, trouble), Trouble("proxy-response", 4, [skipped, negative])])
    markets = ["BTC-PLN", "ETH-PLN"]

    def zonda(**options: Any) -> ZondaSimulator:
        return ZondaSimulator(markets=markets, rate=rate, **options)

    channel = kind if limit is None else f"{kind}/{limit}"
    topics = wishes(
        markets, ByCounter, channel, tq.Books, *([tq.Depths] if limit else []), depth=limit, levels=5
    )
    hour = await an_hour(zonda, script, topics)
    assert_eventful(hour, script, compared=(1200 if limit else 3500) * rate, gaps=60, live=0.5)


@thorough
async def test_zonda_books_deeper_than_their_snapshot(autojump_clock: trio.testing.MockClock) -> None:
    """The snapshot has 300 levels a side at most, and the server's book more: those behind are not known, and none of
    those before may be missing, however far the prices have gone since."""
    negative = altered('("ca":")', r"\g<1>-")
    script = Script(6, [Trouble("orderbook", 30, [corrupted, skipped, negative])])
    markets = ["BTC-PLN", "ETH-PLN"]

    def zonda(**options: Any) -> ZondaSimulator:
        return ZondaSimulator(markets=markets, rate=0.8, depth=330, **options)

    hour = await an_hour(zonda, script, wishes(markets, ByCounterFromTheTop, "orderbook", tq.Books))
    assert_eventful(hour, script, compared=2500, gaps=60, live=0.5)


@rates
@pytest.mark.parametrize(
    "channel", [pytest.param("full", marks=endurance), pytest.param("level3", marks=thorough)]
)
async def test_coinbase_books_by_order(
    channel: str, rate: float, autojump_clock: trio.testing.MockClock
) -> None:
    """Every message has the next number of the product's sequence, and the snapshot comes over HTTP, which fails at
    times. At each number the book is the server's order by order, and added up it is the server's book by price."""
    trouble = {"open": [skipped, swapped], "done": [corrupted, twice], "match": [twice_later]}
    script = Script(5, [Trouble(kind, 20 * rate, faults) for kind, faults in trouble.items()])

    def coinbase(**options: Any) -> CoinbaseSimulator:
        return CoinbaseSimulator(products=PRODUCTS, rate=rate, depth=25, keys=[PROFILE], **options)

    hour = await an_hour(
        coinbase, script, wishes(PRODUCTS, ByCounter, "full", tq.OrderBooks), credentials=KEY,
        options={"by_order": channel},
    )  # fmt: skip
    assert_eventful(hour, script, compared=4000 * rate, gaps=80, live=0.4)
