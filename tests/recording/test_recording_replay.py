"""A replay gives what the recorded session gave, to the byte: events, notices, times of receipt, books."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.recording.rec_sessions import Run, lines_of, live, names, replayed
from tests.simulation.places import PLACES
from tests.simulation.plans import draw_plan, draw_script
from trioquotes._protocol.effects import Options
from trioquotes._protocol.planner import Planner
from trioquotes._runtime.transport import TapConnector
from trioquotes.recording import Recording, Replayer, record, replay
from trioquotes.recording.stage import Repertoire
from trioquotes.simulator.faults import CorruptFrame, DropLine, MuteLine, SkipFrame
from trioquotes.testing import CutLink, StepClock, SuspendMachine, open_world
from trioquotes.venues import coinbase, upbit

COINBASE, UPBIT, EDGEX, ZONDA = (PLACES[name] for name in ("coinbase", "upbit", "edgex", "zonda"))
OPTIONS = Options(coinbase.VENUE.endpoints["production"])
STORM = (
    DropLine(connection=1, after_s=5.0),
    MuteLine(connection=2, after_s=5.0),
    CutLink(link=3, after_s=10.0, how="reset"),
)


def same(run: Run, again: Run) -> None:
    assert again.error is None
    assert again.lines == run.lines
    assert again.books == run.books


@pytest.mark.parametrize("venue", PLACES)
@pytest.mark.parametrize("keyed", [False, True], ids=["public", "private"])
def test_every_topic_of_every_venue_comes_back_to_the_byte(venue: str, keyed: bool, tmp_path: Path) -> None:
    place = PLACES[venue]
    keyed = keyed or place.always
    for_s = 200.0 if venue == "darwinex" else 60.0  # it connects once a minute
    run, recorder = live(place, tmp_path, STORM, seed=5, for_s=for_s, keyed=keyed)
    assert run.error is None
    assert {"Connected", "Disconnected", "Gap"} <= set(names(run.lines))
    assert recorder.status().error is None
    assert recorder.status().written == recorder.status().records
    same(run, replayed(tmp_path)[0])


@pytest.mark.parametrize(
    ("venue", "seed"),
    [("coinbase", 2), ("upbit", 8), ("edgex", 18), ("zonda", 8), ("darwinex", 11), ("upbit", 77)],
)
def test_whatever_goes_wrong_comes_back_to_the_byte(venue: str, seed: int, tmp_path: Path) -> None:
    place = PLACES[venue]
    plan = draw_plan(place, seed, hard=True)
    script = draw_script(place, plan, seed, hard=True)
    run, _ = live(
        place, tmp_path, script, seed=seed, for_s=60.0, keyed=seed % 2 == 0 or place.always, options=plan.options,
        channels_per_line=plan.channels_per_line,
    )  # fmt: skip
    assert len(run.lines) > 30
    same(run, replayed(tmp_path)[0])


def test_clocks_that_step_and_machines_that_sleep_come_back(tmp_path: Path) -> None:
    faults = (StepClock(at_s=20.0, by_s=-30.0), SuspendMachine(at_s=40.0, for_s=60.0))
    run, _ = live(COINBASE, tmp_path, faults, seed=2, for_s=150.0)
    assert any("the machine" in line for line in run.lines)
    same(run, replayed(tmp_path)[0])


def test_audits_that_find_a_book_wrong_come_back(tmp_path: Path) -> None:
    # What skips a change of a batched book goes unnoticed, but for the audit.
    faults = [SkipFrame(kind="l2update", nth=nth) for nth in range(20, 200, 3)]
    run, _ = live(COINBASE, tmp_path, faults, seed=4, for_s=120.0, audit=tq.AuditPlan(every_s=5.0))
    assert "Audited" in names(run.lines)
    same(run, replayed(tmp_path)[0])


@pytest.mark.parametrize("speed", [1.0, 0.25, 60])
def test_a_replay_keeps_the_recorded_pace(tmp_path: Path, speed: float) -> None:
    run, _ = live(UPBIT, tmp_path, STORM, seed=5, for_s=60.0)
    took_s: list[float] = []

    async def main() -> None:
        replayer = replay(tmp_path, speed=speed)
        async with tq.Session(replayer.venue, *replayer.topics, connector=replayer) as stream:
            began_s = trio.current_time()
            lines: list[str] = []
            async for event in stream:
                lines += lines_of([event])
                done_s = trio.current_time() - began_s
                assert replayer.progress.share == pytest.approx(done_s * speed / 60.0, abs=0.05)
            assert lines == run.lines
            took_s.append(trio.current_time() - began_s)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert took_s[0] == pytest.approx(60.0 / speed, rel=0.02)


async def test_the_stream_ends_and_so_does_what_is_subscribed_later(
    kept: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        replayer = kept.replay()
        async with tq.Session("coinbase", tq.Trades("BTC-USD"), connector=replayer) as stream:
            events = [event async for event in stream]
            assert events
            assert replayer.progress.ended
            assert replayer.progress.share == 1.0
            late = await stream.subscribe(tq.Trades("ETH-USD"))
            assert [event async for event in late] == []
            with pytest.raises(trio.EndOfChannel):
                await stream.receive()


@attrs.frozen
class Kept:
    """A short session of everything at Coinbase, with one reconnect."""

    folder: Path
    lines: list[str]

    def replay(self, **options: Any) -> Replayer:
        return replay(self.folder, **({"speed": "max"} | options))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("recording")
    run, _ = live(COINBASE, folder, (DropLine(connection=1, after_s=20.0),), seed=7, for_s=60.0)
    return Kept(folder, run.lines)


def of_topic(topic: tq.Topic[Any], kinds: type | tuple[type, ...], lines: Sequence[str]) -> list[str]:
    """The events of one topic among those of all."""
    wanted = {kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))}
    return [line for line in lines if line[10 : line.find('"', 10)] in wanted and topic.subject in line]


async def test_fewer_topics_give_their_part(kept: Kept, autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(600):
        topic = tq.Trades("ETH-USD")
        async with tq.Session("coinbase", topic, connector=kept.replay()) as stream:
            events = [event async for event in stream]
            count = stream.statistics().count
    found = lines_of(event for event in events if isinstance(event, tq.MarketEvent))
    assert found == of_topic(topic, tq.Trade, kept.lines)
    assert names(lines_of(e for e in events if isinstance(e, tq.Notice))) == [
        "Connected", "Disconnected", "Gap", "Connected",
    ]  # fmt: skip
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values()) + count.malformed


async def test_a_unified_topic_is_made_of_what_was_recorded_as_the_venues_own(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        await record_some(tmp_path / "r", coinbase.Matches("BTC-USD"), coinbase.Level2Batch("BTC-USD"))
        replayer = replay(tmp_path / "r", speed="max")
        assert replayer.topics == (coinbase.Matches("BTC-USD"), coinbase.Level2Batch("BTC-USD"))
        unified = tq.Trades("BTC-USD"), tq.Books("BTC-USD"), tq.Quotes("BTC-USD")
        async with tq.Session("coinbase", *unified, connector=replayer) as stream:
            kinds = {type(event) async for event in stream}
    assert {tq.Trade, tq.BookSnapshot, tq.BookChange, tq.Quote} <= kinds


async def record_some(
    path: Path, *topics: tq.Topic[Any], venue: str = "coinbase", for_s: float = 30.0, **options: Any
) -> list[tq.Event]:
    """A short session without faults."""
    events: list[tq.Event] = []
    async with open_world(3) as world:
        served = world.serve(PLACES[venue].simulator(seed=3, wall_ns=world.wall_ns))
        connector = record(path, connector=TapConnector(world))
        async with world.session(served, *topics, connector=connector, **options) as stream:
            with trio.move_on_after(for_s):
                async for event in stream:
                    events.append(event)
    return events


async def test_a_narrower_book_is_made_of_a_wider_one_and_not_the_other_way_round(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        await record_some(tmp_path / "r", tq.Books("KRW-BTC", depth=15), venue="upbit")
        replayer = replay(tmp_path / "r", speed="max")
        async with tq.Session("upbit", tq.Quotes("KRW-BTC"), connector=replayer) as stream:
            quotes = [event async for event in stream]
        assert any(isinstance(event, tq.Quote) for event in quotes)
        with pytest.raises(tq.UnsupportedTopic, match="the recording has no channel orderbook:KRW-BTC"):
            tq.Session("upbit", tq.Books("KRW-BTC", depth=30), connector=replayer)
        with pytest.raises(tq.UnsupportedTopic, match="what was recorded is books KRW-BTC"):
            tq.Session("upbit", upbit.Trades("KRW-BTC"), connector=replayer)


def test_a_recording_that_ends_at_once_says_so() -> None:
    topic, planner = tq.Trades("BTC-USD"), Planner(coinbase.VENUE, OPTIONS)
    repertoire = Repertoire(frozenset(), (topic,))
    with pytest.raises(
        tq.UnsupportedTopic, match="trades BTC-USD: the recording ends before anything was asked for"
    ):
        repertoire.check(topic, planner.serve(topic), planner.serve)


def test_another_venue_is_refused(kept: Kept) -> None:
    with pytest.raises(tq.UsageError, match="is a recording of coinbase, not of upbit"):
        tq.Session("upbit", tq.Trades("KRW-BTC"), connector=kept.replay())


@pytest.mark.parametrize("options", [{"speed": 0.0}, {"speed": -1}, {"ahead": -1}, {"speed": float("nan")}])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(tq.UsageError):
        replay(tmp_path, **options)


def test_a_folder_without_a_recording_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(tq.RecordingError, match="there is no recording"):
            _ = replay(folder).venue


async def test_nobody_loses_anything_because_a_replay_is_fast(
    kept: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    """With buffers of a few events, a slow reader, and one channel that is read late."""
    with trio.fail_after(1e6):
        replayer = kept.replay()
        async with tq.Session("coinbase", *replayer.topics, connector=replayer, buffer=20) as stream:
            lines: list[str] = []
            async for event in stream:
                lines += lines_of([event])
                await trio.sleep(0.5)
            dropped = sum(channel.dropped for channel in stream.statistics().channels)
    assert dropped == 0
    assert lines == kept.lines


async def test_channels_of_their_own_are_waited_for_each(
    kept: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(1e6):
        replayer = kept.replay()
        seen: dict[str, list[str]] = {}

        async def read(channel: Any, pause_s: float) -> None:
            async for event in channel:
                if isinstance(event, tq.MarketEvent):
                    seen.setdefault(event.instrument, []).extend(lines_of([event]))
                await trio.sleep(pause_s)

        async with tq.Session("coinbase", connector=replayer) as stream, trio.open_nursery() as nursery:
            for name, pause_s in (("BTC-USD", 0.0), ("ETH-USD", 3.0)):
                channel = await stream.subscribe(tq.Trades(name), buffer=5)
                nursery.start_soon(read, channel, pause_s)
    for name in ("BTC-USD", "ETH-USD"):
        whole = of_topic(tq.Trades(name), tq.Trade, kept.lines)
        assert seen[name] == whole[-len(seen[name]) :]  # what was played before it was there is gone
    assert len(seen["BTC-USD"]) > 5


async def test_wait_is_an_overflow_of_replays_alone(
    kept: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    overflow: Any = "wait"
    with pytest.raises(tq.UsageError, match="overflow is"):
        tq.Session("coinbase", tq.Trades("BTC-USD"), overflow=overflow)
    with trio.fail_after(1e6):
        replayer = kept.replay()
        session = tq.Session(
            "coinbase", *replayer.topics, connector=replayer, overflow=overflow, buffer=1, buffer_bytes=1
        )
        async with session as stream:
            assert lines_of([event async for event in stream]) == kept.lines


async def test_a_live_book_is_never_ahead_of_the_events_that_are_read(
    kept: Kept, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(1e6):
        replayer = kept.replay()
        async with tq.Session("coinbase", tq.Books("BTC-USD"), connector=replayer) as stream:
            own = tq.OrderBook("BTC-USD")
            async with stream.book("BTC-USD") as book:
                async for event in stream:
                    if isinstance(event, tq.BookSnapshot | tq.BookChange):
                        own.apply(event)
                        if book.state == "live":
                            assert book.best_bid == own.best_bid


async def test_the_clock_is_the_recorded_one(kept: Kept, autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(1e6):
        replayer = kept.replay()
        async with tq.Session("coinbase", tq.Trades("BTC-USD"), connector=replayer) as stream:
            async for event in stream:
                lane = stream.statistics().lanes[0]
                if isinstance(event, tq.Trade):
                    assert lane.last_frame_ns is not None
                    assert event.received_ns <= lane.last_frame_ns
                    assert stream.statistics().channels[0].age_s < 60
            lane = stream.statistics().lanes[0]
            assert (lane.attempts, lane.connections, lane.connected) == (2, 2, True)
            assert lane.failure
            assert lane.budgets == ()


def test_one_replayer_serves_several_sessions(kept: Kept) -> None:
    replayer = kept.replay()

    async def main() -> None:
        for _ in range(2):
            async with tq.Session("coinbase", *replayer.topics, connector=replayer) as stream:
                assert lines_of([event async for event in stream]) == kept.lines

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_leaving_early_ends_the_replay(kept: Kept, autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        replayer = kept.replay(speed=1.0)
        async with tq.Session("coinbase", *replayer.topics, connector=replayer) as stream:
            await stream.receive()
        assert trio.current_time() < 1.0
        assert not replayer.progress.ended


def test_a_second_run_in_the_folder_follows_the_first_with_a_gap(tmp_path: Path) -> None:
    first, _ = live(EDGEX, tmp_path, (), seed=1, for_s=20.0)
    second, _ = live(EDGEX, tmp_path, (CorruptFrame(kind="depth", nth=3),), seed=2, for_s=20.0)
    again, replayer = replayed(tmp_path)
    assert again.lines[: len(first.lines)] == first.lines
    # Books that the gap between the two broke say that they are right again.
    rest, wanted = (
        [line for line in lines if '"event":"Resynced"' not in line]
        for lines in (again.lines[len(first.lines) :], second.lines)
    )
    assert rest[-len(wanted) :] == wanted
    between = names(rest[: -len(wanted)])
    assert (between[0], set(between[1:])) == ("Disconnected", {"Gap"})
    summary = Recording(tmp_path).summary()
    assert (summary.runs, summary.unfinished, summary.segments) == (2, 0, 2)
    assert replayer.progress.torn == []
