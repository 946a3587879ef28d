"""The example of a venue from outside of the package: it keeps the contract, and its sessions keep the promises."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.examples.bitstamp_server import MARKET, BitstampSimulator
from tests.examples.reading import interrupted_after, load
from tests.venues import test_contract as contract
from tests.venues.cases import Case, Obliging, Sample, compact
from trioquotes.simulator.faults import AlterFrame, CorruptFrame, DropLine, Fault, MuteLine
from trioquotes.testing import World, open_world

example = load("custom_venue")


# The contract that every venue keeps ----------------------------------------------------------------


class Server(Obliging):
    def answers(self, said: Any) -> list[Any]:
        if said["event"] == "bts:heartbeat":
            return [{"event": "bts:heartbeat", "channel": "", "data": {"status": "success"}}]
        done = {
            "bts:subscribe": "bts:subscription_succeeded",
            "bts:unsubscribe": "bts:unsubscription_succeeded",
        }
        channel = said["data"]["channel"]
        book = {"event": "data", "channel": channel, "data": BOOK}
        first = [book] if said["event"] == "bts:subscribe" and channel.startswith("order_book") else []
        return [{"event": done[said["event"]], "channel": channel, "data": {}}, *first]


TRADE = {
    "id": 1, "timestamp": "1700000000", "amount": 0.5, "amount_str": "0.50000000", "price": 81222.5,
    "price_str": "81222.50", "type": 0, "microtimestamp": "1700000000000000", "buy_order_id": 1, "sell_order_id": 2,
}  # fmt: skip
BOOK = {
    "timestamp": "1700000000", "microtimestamp": "1700000000000000", "bids": [["81222.49", "0.5"]],
    "asks": [["81222.50", "0.25"]],
}  # fmt: skip


def said(event: str, channel: str = "", data: object = None) -> Sample:
    return Sample(compact({"event": event, "channel": channel, "data": {} if data is None else data}))


CASE = Case(
    venue=example.VENUE,
    server=Server,
    topics=(tq.Trades("btcusd"), tq.Books("btcusd"), tq.Quotes("ethusd"), example.LiveTrades("ethusd")),
    more=lambda number: tq.Trades(f"a{number}usd"),
    samples=(
        said("bts:subscription_succeeded", "live_trades_btcusd"),
        said("bts:unsubscription_succeeded", "live_trades_btcusd"),
        said("trade", "live_trades_btcusd", TRADE),
        said("trade", "live_trades_ethusd", TRADE),
        said("data", "order_book_btcusd", BOOK),
        said("data", "order_book_ethusd", BOOK),
        said("bts:heartbeat", data={"status": "success"}),
        said("bts:error", data={"code": None, "message": "Bad subscription string."}),
        said("novelty"),
        said("novelty", "live_trades_btcusd"),
    ),
    signs=False,
)


def plays() -> Iterator[Any]:
    """Every test of the contract, with each of its further arguments."""
    for name, test in vars(contract).items():
        if not name.startswith("test_") or "case" not in inspect.signature(test).parameters:
            continue
        marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
        others = {mark.args[0]: mark.args[1] for mark in marks if mark.args[0] != "case"}
        for number, values in enumerate(product(*others.values())):
            arguments = dict(zip(others, values, strict=True))
            yield pytest.param(test, arguments, id=f"{name.removeprefix('test_')}-{number}")


@pytest.mark.endurance
@pytest.mark.parametrize(("test", "arguments"), [*plays()])
def test_it_keeps_the_contract(test: Callable[..., None], arguments: dict[str, Any]) -> None:
    test(case=CASE, **arguments)


# Sessions -------------------------------------------------------------------------------------------


class Stage:
    """A world with the venue in it."""

    def __init__(self, world: World, *faults: Fault) -> None:
        self.simulator = BitstampSimulator(seed=1, wall_ns=world.wall_ns, faults=faults)
        self._world = world
        self._served = world.serve(self.simulator)

    def session(self, *topics: tq.Topic[tq.Event], **options: Any) -> tq.Session:
        return tq.Session(
            example.VENUE,
            *topics,
            endpoint=self._served.endpoint,
            connector=self._world._connector,
            **options,
        )


async def read(stream: tq.Stream, seconds: float) -> list[tq.Event]:
    events: list[tq.Event] = []
    with trio.move_on_after(seconds):
        async for event in stream:
            events.append(event)
    return events


def notices(events: Sequence[tq.Event]) -> list[str]:
    return [type(event).__name__ for event in events if isinstance(event, tq.Notice)]


async def test_trades_books_and_quotes_are_the_venues(autojump_clock: trio.testing.MockClock) -> None:
    book = tq.OrderBook(MARKET)
    async with open_world(1) as world:
        stage = Stage(world)
        async with stage.session(tq.Trades(MARKET), tq.Books("BTC/USD"), tq.Quotes(MARKET)) as stream:
            events = await read(stream, 30)
            levels = stage.simulator._book()
            assert stream.statistics().count.malformed == 0
    assert notices(events) == ["Connected"]
    trades = [event for event in events if isinstance(event, tq.Trade)]
    assert [(trade.trade_id, trade.price, trade.size, trade.taker_side) for trade in trades] == [
        (str(one.trade_id), one.price, one.size, one.taker_side) for one in stage.simulator.trades
    ]
    for event in events:
        if isinstance(event, tq.BookSnapshot | tq.BookChange):
            book.apply(event)
    resting = [(level[0], level[1]) for level in book.levels("bid")]
    assert resting == [(Decimal(price), Decimal(size)) for price, size in levels["bids"]]
    quote = [event for event in events if isinstance(event, tq.Quote)][-1]
    assert (quote.bid, quote.ask) == (Decimal(levels["bids"][0][0]), Decimal(levels["asks"][0][0]))


async def test_a_lost_line_and_a_dead_one_are_said_and_mended(autojump_clock: trio.testing.MockClock) -> None:
    async with open_world(1) as world:
        stage = Stage(world, DropLine(connection=1, after_s=5.0), MuteLine(connection=2, after_s=5.0))
        async with stage.session(tq.Trades(MARKET)) as stream:
            events = await read(stream, 90)
    assert notices(events) == ["Connected", *["Disconnected", "Gap", "Connected"] * 2]
    assert isinstance(events[-1], tq.Trade)


async def test_a_request_to_reconnect_is_followed(autojump_clock: trio.testing.MockClock) -> None:
    async with open_world(1) as world:
        stage = Stage(world)
        async with stage.session(tq.Trades(MARKET)) as stream:
            before = await read(stream, 5)
            stage.simulator.ask_to_reconnect()
            after = await read(stream, 10)
    assert notices(before) == ["Connected"]
    lost = next(event for event in after if isinstance(event, tq.Disconnected))
    assert lost.planned
    assert notices(after) == ["Disconnected", "Gap", "Connected"]
    assert isinstance(after[-1], tq.Trade)


async def test_an_unknown_market_is_refused_with_the_venues_words(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_world(1) as world:
        stage = Stage(world)
        async with stage.session(tq.Trades(MARKET)) as stream:
            with pytest.raises(tq.SubscriptionRejected, match="Bad subscription string"):
                await stream.subscribe(tq.Trades("nopeusd"))
            await stream.unsubscribe(tq.Trades(MARKET))
            channel = await stream.subscribe(tq.Quotes(MARKET))
            while not isinstance(await channel.receive(), tq.Quote):
                pass


@pytest.mark.parametrize("kind", [tq.Trades, example.LiveTrades])
async def test_what_cannot_be_read_is_said_and_never_delivered(
    autojump_clock: trio.testing.MockClock, kind: Callable[[str], tq.Topic[tq.Event]]
) -> None:
    async with open_world(1) as world:
        stage = Stage(
            world,
            CorruptFrame(kind="trade", nth=2),
            AlterFrame(kind="trade", find=r'"price_str": "[^"]*"', put='"price_str": "NaN"', nth=4),
        )
        async with stage.session(kind(MARKET)) as stream:
            events = await read(stream, 10)
    found = {str(getattr(event, "id", None) or getattr(event, "trade_id", None)) for event in events}
    missing = [
        number for number, one in enumerate(stage.simulator.trades, 1) if str(one.trade_id) not in found
    ]
    assert missing == [2, 4]
    reasons = [event.reason for event in events if isinstance(event, tq.Malformed)]
    assert len(reasons) == 2
    assert reasons[1] == "'NaN' is no price or size"


@pytest.mark.tcp
@pytest.mark.endurance
def test_it_runs_as_a_program_and_ends_at_ctrl_c() -> None:
    ended: list[Any] = []

    async def main() -> None:
        async with BitstampSimulator(rate=50.0).open_server() as url:
            command = ("custom_venue.py", MARKET, "--endpoint", url)
            ended.append(await trio.to_thread.run_sync(interrupted_after, " at ", *command))

    trio.run(main)
    assert (ended[0].code, ended[0].err) == (0, "stopped\n")
