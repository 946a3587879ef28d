"""The whole bot, with real sessions against a simulated venue, under virtual time."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trio
from trioquotes.simulator.faults import DropLine, MuteLine, NeverSend, RejectRequest
from trioquotes.testing import RefuseLink

from trading_bot import Bot, Maker, NothingToTrade, Orders

if TYPE_CHECKING:
    from trioquotes.testing import SimulatedVenue, VenueMaker

MAKER = Maker(margin=Decimal("0.001"), tick=Decimal("0.01"), size=Decimal("0.5"))
INSTRUMENT = "BTC-USD"


class Done(NamedTuple):
    """What was asked of the desk, and when."""

    time_s: float
    instrument: str
    orders: Orders | None


class Notebook:
    """A desk that writes everything down."""

    def __init__(self) -> None:
        self.done: list[Done] = []
        self.resting: dict[str, Orders] = {}

    async def place(self, instrument: str, orders: Orders) -> None:
        await trio.lowlevel.checkpoint()
        self.done.append(Done(trio.current_time(), instrument, orders))
        self.resting[instrument] = orders

    async def withdraw(self, instrument: str) -> None:
        await trio.lowlevel.checkpoint()
        self.done.append(Done(trio.current_time(), instrument, None))
        self.resting.pop(instrument, None)

    def withdrawn(self, after_s: float = 0.0) -> float:
        """When orders were taken away first after that time."""
        return next(done.time_s for done in self.done if done.orders is None and done.time_s >= after_s)

    def placed(self, after_s: float = 0.0) -> float:
        """When orders were placed first after that time."""
        return next(done.time_s for done in self.done if done.orders is not None and done.time_s >= after_s)


@asynccontextmanager
async def trading(
    venue: SimulatedVenue, instruments: Sequence[str] = (INSTRUMENT,), patience_s: float = 5.0
) -> AsyncIterator[Notebook]:
    """The bot at work, until the block ends."""
    desk = Notebook()
    bot = Bot(instruments, MAKER, desk, patience_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bot.run, venue.session())
        yield desk
        nursery.cancel_scope.cancel()


async def test_orders_follow_the_market(tq_coinbase: SimulatedVenue) -> None:
    async with trading(tq_coinbase) as desk:
        await trio.sleep(10)
        assert len({done.orders for done in desk.done}) > 3
        orders = desk.resting[INSTRUMENT]
        assert orders.bid < orders.ask


async def test_nothing_is_left_behind_at_the_end(tq_coinbase: SimulatedVenue) -> None:
    async with trading(tq_coinbase) as desk:
        await trio.sleep(10)
        assert desk.resting
    assert not desk.resting


async def test_an_order_that_is_on_its_way_at_the_end_is_taken_away_too(tq_coinbase: SimulatedVenue) -> None:
    class Slow(Notebook):
        async def place(self, instrument: str, orders: Orders) -> None:
            self.resting[instrument] = orders  # the venue has it; we are not told yet
            await trio.sleep_forever()

    desk = Slow()
    with trio.move_on_after(10):
        await Bot([INSTRUMENT], MAKER, desk).run(tq_coinbase.session())
    assert desk.done[-1].orders is None
    assert not desk.resting


@pytest.mark.tq_faults(DropLine(connection=1, after_s=5.0))
async def test_a_lost_line_takes_orders_away_at_once_and_a_new_one_brings_them_back(
    tq_coinbase: SimulatedVenue,
) -> None:
    async with trading(tq_coinbase) as desk:
        await trio.sleep(15)
        assert desk.resting
    lost_s = desk.withdrawn(after_s=4.9)
    assert lost_s == pytest.approx(5.0, abs=0.1)
    assert lost_s < desk.placed(after_s=lost_s) < 15.0
    assert tq_coinbase.simulator.records.faults["DropLine"] == 1


@pytest.mark.tq_faults(DropLine(connection=1, after_s=5.0), *(RefuseLink(link=link) for link in range(2, 6)))
async def test_no_orders_during_an_outage(tq_coinbase: SimulatedVenue) -> None:
    async with trading(tq_coinbase) as desk:
        await trio.sleep(60)
        assert desk.resting  # it came back
    lost_s = desk.withdrawn(after_s=4.9)
    back_s = desk.placed(after_s=lost_s)
    assert back_s - lost_s > 1.0
    assert not [done for done in desk.done if lost_s < done.time_s < back_s]


@pytest.mark.tq_faults(MuteLine(connection=1, after_s=5.0))
async def test_a_feed_gone_silent_takes_orders_away_before_the_line_is_given_up(
    tq_coinbase: SimulatedVenue,
) -> None:
    async with trading(tq_coinbase, patience_s=3.0) as desk:
        await trio.sleep(12)
        assert len(tq_coinbase.simulator.records.connects) == 1  # the session still waits whether it is dead
        assert not desk.resting
        await trio.sleep(25)
        assert len(tq_coinbase.simulator.records.connects) == 2
        assert desk.resting
    assert desk.withdrawn(after_s=3.5) <= 5.0 + 3.0


@pytest.mark.tq_faults(NeverSend(kind="heartbeat"))
async def test_a_market_without_its_heartbeat_is_not_trusted(tq_venue: VenueMaker) -> None:
    """A quiet market is told from a stale one by the venue's sign of life; the bot's own patience is not needed for it."""
    venue = tq_venue("coinbase", products=[INSTRUMENT], rate=0.02)
    async with trading(venue, patience_s=60.0) as desk:
        await trio.sleep(4)
        assert desk.resting
        await trio.sleep(4)
        assert not desk.resting
        assert len(venue.simulator.connections) == 1  # the line is up


async def test_a_refused_instrument_is_left_out_and_the_others_are_traded(
    tq_coinbase: SimulatedVenue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        async with trading(tq_coinbase, ["NOPE-USD", INSTRUMENT]) as desk:
            await trio.sleep(10)
            assert set(desk.resting) == {INSTRUMENT}
    assert "NOPE-USD is not traded" in caplog.text
    assert "not a valid product" in caplog.text  # the venue's own words


@pytest.mark.tq_faults(RejectRequest(message="Failed to subscribe", reason="maintenance"))
async def test_with_every_instrument_refused_the_bot_ends_and_says_so(tq_coinbase: SimulatedVenue) -> None:
    desk = Notebook()
    with pytest.raises(NothingToTrade, match=INSTRUMENT):
        await Bot([INSTRUMENT], MAKER, desk).run(tq_coinbase.session())
    assert not desk.done


@pytest.mark.parametrize("venue", ["upbit", "edgex", "zonda"])
async def test_it_trades_at_any_venue(tq_venue: VenueMaker, venue: str) -> None:
    simulated = tq_venue(venue)
    instrument = simulated.instruments[0]
    async with trading(simulated, [instrument]) as desk:
        await trio.sleep(10)
        assert desk.resting
        assert simulated.drop_lines() == 1
        await trio.sleep(0.1)
        assert not desk.resting
        await trio.sleep(10)
        assert desk.resting
