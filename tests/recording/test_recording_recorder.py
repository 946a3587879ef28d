"""A recorder writes everything down, waits for nothing, and gives up without harm to its session."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.recording.rec_sessions import live, names, replayed
from tests.simulation.places import PLACES
from trioquotes._runtime.connector import Route
from trioquotes._runtime.transport import TapConnector
from trioquotes.recording import Recorder, Recording, TornSegment, record, replay
from trioquotes.recording import records as kept
from trioquotes.recording import writer as writing
from trioquotes.recording.format import MAGIC, encode_record
from trioquotes.recording.writer import Writer, segments_of
from trioquotes.simulator.faults import DropLine, FailRest, RefuseHandshake
from trioquotes.testing import World, open_world

COINBASE, UPBIT = PLACES["coinbase"], PLACES["upbit"]
TRADES = tq.Trades("BTC-USD")


def session(world: World, connector: Recorder, *topics: tq.Topic[Any], **options: Any) -> tq.Session:
    served = world.serve(COINBASE.simulator(seed=3, wall_ns=world.wall_ns))
    return world.session(served, *(topics or (TRADES,)), connector=connector, **options)


def kinds(path: Path) -> list[str]:
    return [type(record).__name__ for record in Recording(path).read()]


def test_everything_is_there_and_said_in_the_summary(tmp_path: Path) -> None:
    faults = (RefuseHandshake(connection=1, status=503), DropLine(connection=2, after_s=10.0))
    run, recorder = live(UPBIT, tmp_path, faults, seed=3, for_s=60.0, keyed=True)
    status, summary = recorder.status(), Recording(tmp_path).summary()
    assert (status.frames, status.segments) == (summary.frames, summary.segments)
    assert status.bytes == summary.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert summary.venue == "upbit"
    assert len(summary.topics) == len({choice.topic for choice in UPBIT.choices(True)})
    assert (summary.runs, summary.unfinished, summary.torn) == (1, 0, ())
    assert summary.duration_s == pytest.approx(60, abs=15)
    lanes = {lane.lane: lane for lane in summary.lanes}
    assert set(lanes) == {"public", "private"}
    assert sum(lane.connections for lane in lanes.values()) == 3
    assert sum(lane.losses for lane in lanes.values()) == 1
    # A notice is written when it is given; those that repeat each other before they are read become one.
    for name in ("Connected", "Disconnected", "Gap"):
        assert summary.notices[name] >= names(run.lines).count(name) > 0
    for name in (
        "LineRefused",
        "LineLost",
        "LineClosed",
        "FrameSent",
        "RequestMade",
        "RequestAnswered",
        "PingSent",
    ):
        assert summary.records[name] > 0, name


async def test_times_and_batches_are_those_of_the_session(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        async with (
            open_world(2) as world,
            session(world, record(tmp_path, connector=TapConnector(world)), raw=True) as stream,
        ):
            events = [await stream.receive() for _ in range(20)]
    trades = [event for event in events if isinstance(event, tq.Trade)]
    batches = [record for record in Recording(tmp_path).read() if isinstance(record, kept.FramesReceived)]
    for trade in trades:
        mine = [batch for batch in batches if trade.raw in batch.frames]
        assert [batch.wall_ns for batch in mine] == [trade.received_ns]
    assert {(batch.lane, batch.connection) for batch in batches} == {("market", 1)}
    assert [batch.monotonic_s for batch in batches] == sorted(batch.monotonic_s for batch in batches)


async def test_what_a_failed_rest_request_was_is_kept(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(6000):
        async with open_world(2) as world:
            simulator = UPBIT.simulator(seed=3, wall_ns=world.wall_ns, faults=(FailRest(nth=1, status=503),))
            recorder = record(tmp_path, connector=TapConnector(world))
            async with world.session(
                world.serve(simulator), tq.Instruments(), connector=recorder, connect_timeout_s=100.0
            ):
                pass
    made = [record for record in Recording(tmp_path).read() if isinstance(record, kept.RequestMade)]
    answered = [record for record in Recording(tmp_path).read() if isinstance(record, kept.RequestAnswered)]
    assert made[0].method == "GET"
    assert made[0].url.endswith("/v1/market/all")
    assert [answer.status for answer in answered] == [503, 200]
    assert [answer.id for answer in answered] == [request.id for request in made]


def test_segments_are_rotated_by_size_and_read_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BLOCK_BYTES", 1000)
    run, recorder = live(
        COINBASE, tmp_path, (), seed=3, for_s=120.0, recorder_options={"segment_bytes": 4000}
    )
    assert recorder.status().segments > 1
    assert len(segments_of(tmp_path)) == recorder.status().segments
    assert kinds(tmp_path).count("RunBegun") == 1
    headers = [header for _, header in Recording(tmp_path).headers()]
    assert [header.segment for header in headers] == [*range(len(headers))]
    assert len({header.run for header in headers}) == 1
    assert [header.records for header in headers] == sorted(header.records for header in headers)
    assert replayed(tmp_path)[0].lines == run.lines


def test_a_missing_segment_is_a_gap_and_not_a_wrong_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "BLOCK_BYTES", 1000)
    run, _ = live(COINBASE, tmp_path, (), seed=3, for_s=120.0, recorder_options={"segment_bytes": 3000})
    paths = segments_of(tmp_path)
    assert len(paths) >= 3
    paths[len(paths) // 2].unlink()
    again, _ = replayed(tmp_path)
    whole = next(
        n for n, (ours, theirs) in enumerate(zip(again.lines, run.lines, strict=False)) if ours != theirs
    )
    assert whole > 20
    assert set(names(again.lines[whole:])) == {"Disconnected", "Gap"}
    assert all(book.startswith("broken") for book in again.books.values())


def writer(path: Path, *, segment_s: float = 1e9) -> Writer:
    def header(segment: int, records: int) -> bytes:
        return encode_record(kept.RunEnded(wall_ns=segment, monotonic_s=float(records)))

    return Writer(path, header, segment_bytes=10**9, segment_s=segment_s, sync="segment")


def until(condition: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.01)


def test_segments_are_rotated_by_time(tmp_path: Path) -> None:
    to = writer(tmp_path, segment_s=0.3)
    to.open()
    for number in range(3):
        to.put(encode_record(kept.RunEnded(wall_ns=number, monotonic_s=0.0)))
        until(lambda: to.progress.written == to.progress.records, "not written")
        time.sleep(0.35)
    to.end()
    assert to.wait_written(30)
    assert to.progress.segments >= 3


def test_what_was_put_is_on_disk_within_a_second_whatever_the_session_does(tmp_path: Path) -> None:
    to = writer(tmp_path)
    to.open()
    to.put(encode_record(kept.RunEnded(wall_ns=7, monotonic_s=0.0)))
    time.sleep(0.9)  # the thread that put it does nothing else
    found = [record for record in Recording(tmp_path).read() if not isinstance(record, TornSegment)]
    assert found[-1].wall_ns == 7
    to.end()
    assert to.wait_written(30)


class Disk:
    """Files on a disk that is full after so many bytes, or that hangs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int = 2**62) -> None:
        self.room = room
        self.hanging = threading.Event()
        self.hanging.set()
        self.files: set[int] = set()
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def open(self, path: Path) -> int:
        file = writing.open_segment(path)
        self.files.add(file)
        return file

    def write(self, file: int, data: Any) -> int:
        if file not in self.files:
            return self._write(file, data)
        assert self.hanging.wait(60)
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size = min(self.room, len(data))
        self.room -= size
        return self._write(file, bytes(data[:size]))


def on(disk: Disk, path: Path, connector: Any) -> Recorder:
    def make(*arguments: Any, **options: Any) -> Writer:
        return Writer(*arguments, open_file=disk.open, **options)

    return Recorder(path, connector, segment_bytes=10**9, segment_s=1e9, sync="segment", make_writer=make)


async def test_a_full_disk_ends_the_recording_and_not_the_session(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: trio.testing.MockClock,
) -> None:
    disk = Disk(monkeypatch, room=3000)
    monkeypatch.setattr(writing, "BLOCK_BYTES", 500)
    with trio.fail_after(1e6):
        async with open_world(2) as world:
            recorder = on(disk, tmp_path, TapConnector(world))
            async with session(world, recorder, TRADES, tq.Books("BTC-USD")) as stream:
                while recorder.status().error is None:
                    await stream.receive()
                for _ in range(50):
                    await stream.receive()
    error = recorder.status().error
    assert isinstance(error, tq.RecordingError)
    assert str(error) == (
        f"{tmp_path}: the recording ended: {os.strerror(errno.ENOSPC)}: make room there, or choose another place"
    )
    assert [entry.getMessage() for entry in caplog.records if entry.levelno == logging.ERROR] == [str(error)]
    # What was written before can be read, and ends where a block does.
    summary = Recording(tmp_path).summary()
    assert (summary.torn, summary.unfinished) == ((), 1)
    assert sum(summary.records.values()) - 1 == recorder.status().written > 0


def test_a_segment_that_cannot_even_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, room=5)
    to = Writer(tmp_path, lambda *_: b"x", segment_bytes=1, segment_s=1.0, sync="block", open_file=disk.open)
    with pytest.raises(tq.RecordingError, match="cannot record there: No space left on device: make room"):
        to.open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"", MAGIC, MAGIC + b"torn"])
async def test_a_crash_before_the_first_record_leaves_a_folder_to_go_on_with(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, left: bytes
) -> None:
    (tmp_path / "000001.tqr").write_bytes(left)
    with trio.fail_after(600):
        async with (
            open_world(2) as world,
            session(world, record(tmp_path, connector=TapConnector(world))) as stream,
        ):
            await stream.receive()
    assert [path.name for path in segments_of(tmp_path)] == ["000001.tqr", "000002.tqr"]
    assert (Recording(tmp_path).venue, Recording(tmp_path).summary().runs) == ("coinbase", 1)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_in_the_way_of_the_folder_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "r"
    if kind == "link":
        path.symlink_to("nowhere")
        said = "it is there and is no folder"
    else:
        path.write_text("")
        said = "it is a file, not a folder"
    with pytest.raises(tq.RecordingError, match=f"r: cannot record there: {said}"):
        writer(path).open()


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    assert segments_of(tmp_path / "nothing") == []
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(tq.RecordingError, match="Permission denied: give this user the permission"):
        Recording(tmp_path).summary()


async def test_a_disk_that_hangs_holds_up_nothing_and_memory_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(writing, "MAX_WAITING_BYTES", 20_000)
    monkeypatch.setattr(writing, "BLOCK_BYTES", 500)
    with trio.fail_after(1e6):
        async with open_world(2) as world:
            recorder = on(disk, tmp_path, TapConnector(world))
            async with session(world, recorder, TRADES, tq.Books("BTC-USD")) as stream:
                await stream.receive()
                disk.hanging.clear()
                while recorder.status().error is None:
                    await stream.receive()
                for _ in range(50):
                    await stream.receive()
                disk.hanging.set()
    assert "the disk takes less than comes" in str(recorder.status().error)


async def test_a_folder_that_cannot_be_made_is_said_on_entering(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    (tmp_path / "file").write_text("no folder")
    with trio.fail_after(600):
        async with open_world(2) as world:
            recorder = record(tmp_path / "file" / "below", connector=TapConnector(world))
            with pytest.raises(tq.RecordingError, match="cannot record there"):
                async with session(world, recorder):
                    raise AssertionError
            assert world.links == 0


async def test_the_recording_of_another_venue_is_not_continued(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    live_one(tmp_path)
    with trio.fail_after(600):
        async with open_world(2) as world:
            served = world.serve(UPBIT.simulator(seed=3, wall_ns=world.wall_ns))
            recorder = record(tmp_path, connector=TapConnector(world))
            with pytest.raises(tq.RecordingError, match="is a recording of coinbase, not of upbit"):
                async with world.session(served, tq.Trades("KRW-BTC"), connector=recorder):
                    raise AssertionError


def live_one(path: Path) -> None:
    """A segment that says that it is of Coinbase."""
    header = kept.RunBegun(
        wall_ns=0, monotonic_s=0.0, format=1, software="0", venue="coinbase", run="r", segment=0, records=0,
        endpoint={"public": "ws://there", "private": None, "rest": None, "signed": False, "generation": ""},
        options={}, has_credentials=False, renewable=False,
    )  # fmt: skip
    to = Writer(path, lambda *_: encode_record(header), segment_bytes=10**9, segment_s=1e9, sync="block")
    to.open()
    to.end()
    assert to.wait_written(30)


async def test_two_sessions_do_not_share_a_recorder_or_a_folder(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        async with open_world(2) as world:
            recorder = record(tmp_path, connector=TapConnector(world))
            async with session(world, recorder):
                with pytest.raises(tq.UsageError, match="records a session already"):
                    async with session(world, recorder):
                        raise AssertionError
                with pytest.raises(tq.RecordingError, match="another session is being recorded there"):
                    async with session(world, record(tmp_path, connector=TapConnector(world))):
                        raise AssertionError
            async with session(world, recorder):  # one after the other is fine
                pass
    assert Recording(tmp_path).summary().runs == 2


@pytest.mark.parametrize("options", [{"segment_bytes": 0}, {"segment_s": 0.0}, {"sync": "always"}])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(tq.UsageError):
        record(tmp_path, **options)


def test_a_replay_is_not_recorded(tmp_path: Path) -> None:
    with pytest.raises(tq.UsageError, match="cannot be recorded"):
        record(tmp_path, connector=replay(tmp_path))


async def test_leaving_writes_what_is_left_and_says_that_it_is_the_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        async with open_world(2) as world:
            recorder = record(tmp_path, connector=TapConnector(world))
            async with session(world, recorder) as stream:
                await stream.receive()
    assert kinds(tmp_path)[-1] == "RunEnded"
    status = recorder.status()
    assert status.written == status.records == len(kinds(tmp_path)) - 1  # but for the header


async def test_a_cancelled_session_is_recorded_to_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        async with open_world(2) as world:
            recorder = record(tmp_path, connector=TapConnector(world))
            with trio.move_on_after(20) as scope:
                async with session(world, recorder) as stream:
                    async for _ in stream:
                        pass
            assert scope.cancelled_caught
    assert kinds(tmp_path)[-1] == "RunEnded"
    assert recorder.status().written == recorder.status().records > 10


async def test_a_recorder_goes_the_way_that_the_session_chooses(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A session with a local address or a proxy has a copy of the connector; what it records is told by both."""

    class Routed(TapConnector):
        ways: ClassVar[list[Route]] = []

        def through(self, route: Route) -> Routed:
            self.ways.append(route)
            return self

    with trio.fail_after(600):
        async with open_world(2) as world:
            recorder = record(tmp_path, connector=Routed(world))
            async with session(world, recorder, happy_eyeballs_delay_s=0.1) as stream:
                await stream.receive()
    assert {route.happy_eyeballs_delay_s for route in Routed.ways} == {0.1}
    assert recorder.status().written == recorder.status().records > 5


async def test_a_session_that_dies_is_recorded_to_its_end(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.fail_after(600):
        async with open_world(2) as world:
            served = world.serve(COINBASE.simulator(seed=3, wall_ns=world.wall_ns))
            recorder = record(tmp_path, connector=TapConnector(world))
            with pytest.raises(tq.MessageTooLarge):
                async with world.session(
                    served, TRADES, connector=recorder, max_message_bytes=150, connect_timeout_s=60.0
                ) as stream:
                    async for _ in stream:
                        pass
    found = [entry for entry in Recording(tmp_path).read() if isinstance(entry, kept.SessionDied)]
    assert [entry.error for entry in found] == ["MessageTooLarge"]


def test_a_file_that_is_no_segment_is_named(tmp_path: Path) -> None:
    (tmp_path / "000001.tqr").write_bytes(b"something else")
    with pytest.raises(tq.RecordingError, match=r"000001\.tqr: this is no segment of a recording"):
        Recording(tmp_path).summary()
    (tmp_path / "000001.tqr").write_bytes(MAGIC[:-1] + b"\x63")
    with pytest.raises(tq.RecordingError, match="version 99: this program reads version 1"):
        list(Recording(tmp_path).read())
