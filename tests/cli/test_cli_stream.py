"""``stream`` against simulators: what it prints, how it ends, and that its sockets hear a goodbye."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import cast

import attrs
import pytest
import trio
import trio_websocket

from tests.cli.harness import (
    COMMAND,
    PATIENCE_S,
    Ended,
    ended,
    interrupted,
    json_lines,
    run_here,
    running,
    wait_for_line,
)
from trioquotes._protocol.effects import Failure, Handshake
from trioquotes._runtime.connector import Connector, Line, LineFailed, Target
from trioquotes._runtime.session import Session
from trioquotes._runtime.stream import Stream
from trioquotes._runtime.transport import TapConnector
from trioquotes.cli import stream as command
from trioquotes.cli.stopping import stoppable
from trioquotes.cli.streaming import LivePrinter, WatchedConnector
from trioquotes.credentials import ApiKey
from trioquotes.events import Event, Gap, Trade

pytestmark = pytest.mark.tcp

posix = pytest.mark.skipif(os.name == "nt", reason="no such signals")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("simulator")
    with running("simulate", "coinbase", "--seed", "3", "--rate", "200", cwd=folder) as process:
        yield wait_for_line(process, "listening on ").removeprefix("listening on ")


def stream(capfd: pytest.CaptureFixture[str], *words: str | Path) -> Ended:
    return run_here(capfd, "stream", "coinbase", *words)


def names(result: Ended) -> list[str]:
    return [event["event"] for event in result.events]


def test_count_counts_events_and_prints_the_notices_before(
    capfd: pytest.CaptureFixture[str], url: str
) -> None:
    result = stream(capfd, "trades", "BTC-USD", "ETH/USD", "--endpoint", url, "--count", "5")
    assert result.code == 0
    assert names(result) == ["Connected", *["Trade"] * 5]
    assert {event["instrument"] for event in result.events[1:]} <= {"BTC-USD", "ETH-USD"}
    assert all(isinstance(event["price"], str) for event in result.events[1:])
    assert result.err.startswith("coinbase trades BTC-USD ETH/USD: 5 events and 1 notice in ")
    assert result.err.count("\n") == 1


async def test_count_ends_in_the_middle_of_a_burst(capsys: pytest.CaptureFixture[str]) -> None:
    class Burst:
        async def receive_many(self, most: int) -> list[Event]:
            await trio.lowlevel.checkpoint()
            trade = Trade(venue="v", instrument="A-B", received_ns=0, price=Decimal(1), size=Decimal(1))
            return [
                Gap(venue="v", received_ns=0, reason="r"),
                *[trade] * 7,
                Gap(venue="v", received_ns=0, reason="r"),
            ]

    printer = LivePrinter("v", "v trades A-B", WatchedConnector(TapConnector(), None), 10)
    with trio.fail_after(10):
        async with stoppable() as stop:
            await printer.print(cast("Stream", Burst()), stop)
    found = [event["event"] for event in json_lines(capsys.readouterr().out)]
    assert found == ["Gap", *["Trade"] * 7, "Gap", "Gap", *["Trade"] * 3]
    assert (printer.events, printer.notices) == (10, 3)


def test_native_prints_the_venues_own_messages(capfd: pytest.CaptureFixture[str], url: str) -> None:
    result = stream(capfd, "ticker", "BTC-USD", "--endpoint", url, "--count", "2", "--native")
    assert names(result) == ["Connected", "coinbase.Ticker", "coinbase.Ticker"]
    assert result.events[1]["product_id"] == "BTC-USD"


def test_a_topic_without_instrument(capfd: pytest.CaptureFixture[str], url: str) -> None:
    result = stream(capfd, "instruments", "--endpoint", url, "--count", "1")
    assert (result.code, names(result)) == (0, ["Connected", "Instrument"])


def test_seconds_end_it_and_summary_is_a_ledger(capfd: pytest.CaptureFixture[str], url: str) -> None:
    result = stream(capfd, "books", "BTC-USD", "--endpoint", url, "--seconds", "1", "--summary")
    assert result.code == 0
    assert names(result)[:2] == ["Connected", "BookSnapshot"]
    found = json.loads(result.err)
    parts = found["delivered"] + found["folded"] + sum(found["ignored"].values()) + found["malformed"]
    assert found["elements"] == parts > 0


def test_what_the_venue_refuses_is_one_line_and_code_1(capfd: pytest.CaptureFixture[str], url: str) -> None:
    result = stream(capfd, "trades", "NOPE-USD", "--endpoint", url)
    assert (result.code, result.out) == (1, "")
    assert result.err == "trioquotes: trades NOPE-USD: Failed to subscribe: NOPE-USD is not a valid product\n"


def test_nobody_there_is_one_line_and_code_1(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "Session", partial(Session, connect_timeout_s=0.8))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = stream(capfd, "trades", "BTC-USD", "--endpoint", f"ws://127.0.0.1:{port}")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("trioquotes: coinbase: trades BTC-USD not confirmed within 0.8 s: ")
    assert "nothing listens there" in result.err
    assert result.err.count("\n") == 1
    debugged = stream(capfd, "trades", "BTC-USD", "--endpoint", f"ws://127.0.0.1:{port}", "--debug")
    assert debugged.code == 1
    assert "ConnectFailed" in debugged.err


def test_a_capture_from_end_to_end(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    frames = [
        {"type": "snapshot", "product_id": "A-B", "bids": [["1", "2"]], "asks": [["2", "1.50"]]},
        {
            "type": "l2update",
            "product_id": "A-B",
            "changes": [["buy", "1.0", "0"]],
            "time": "2022-08-04T15:25:05Z",
        },
        {
            "type": "l2update",
            "product_id": "C-D",
            "changes": [["buy", "1.0", "0"]],
            "time": "2022-08-04T15:25:05Z",
        },
    ]
    capture = tmp_path / "capture.jsonl"
    capture.write_text("".join(json.dumps({"raw": json.dumps(frame)}) + "\n" for frame in frames))
    with running("simulate", "coinbase", "--capture", capture, "--speed", "max", cwd=tmp_path) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        result = stream(capfd, "books", "A-B", "--endpoint", url, "--seconds", "1", "--summary")
    assert names(result) == ["Connected", "BookSnapshot", "BookChange"]
    ledger = json.loads(result.err)
    assert (ledger["delivered"], ledger["malformed"], ledger["ignored"]["not subscribed"]) == (2, 0, 1)


def test_tls_with_the_simulators_authority(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with running("simulate", "coinbase", "--tls", cwd=tmp_path) as process:
        url = wait_for_line(process, "listening on wss://").removeprefix("listening on ")
        authority = Path(wait_for_line(process, "trust it with --ca ").removeprefix("trust it with --ca "))
        trusted = stream(capfd, "books", "BTC-USD", "--endpoint", url, "--count", "1", "--ca", authority)
        assert (trusted.code, names(trusted)) == (0, ["Connected", "BookSnapshot"])
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(command, "Session", partial(Session, connect_timeout_s=0.8))
            stranger = stream(capfd, "books", "BTC-USD", "--endpoint", url, "--count", "1")
        assert (stranger.code, stranger.out) == (1, "")
        assert "certificate" in stranger.err
        assert interrupted(process).code == 130
    assert not authority.exists()


@posix
def test_each_line_leaves_at_once(url: str, tmp_path: Path) -> None:
    with running(
        "stream", "coinbase", "heartbeat", "BTC-USD", "--native", "--endpoint", url, cwd=tmp_path
    ) as process:
        wait_for_line(process, '{"event":"Connected"')
        wait_for_line(process, '{"event":"coinbase.Heartbeat"')
        assert process.poll() is None
        assert interrupted(process).code == 130


@posix
@pytest.mark.parametrize("topic", ["trades", "status"])
def test_a_reader_that_leaves_ends_it_quietly(url: str, tmp_path: Path, topic: str) -> None:
    """Whether the next line finds it closed (trades), or no next line comes at all (status)."""
    words = [
        "stream",
        "coinbase",
        topic,
        *(["--native"] if topic == "status" else ["BTC-USD"]),
        "--endpoint",
        url,
    ]
    with running(*words, cwd=tmp_path) as process:
        wait_for_line(process, '{"event":"Connected"')
        wait_for_line(process, '{"event":')
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert ended(process) == Ended(0, "", "")


@posix
def test_a_reader_that_stopped_reading_does_not_hold_it_up(url: str, tmp_path: Path) -> None:
    with running("stream", "coinbase", "books", "BTC-USD", "--endpoint", url, cwd=tmp_path) as process:
        wait_for_line(process, '{"event":"Connected"')
        trio.run(trio.sleep, 1.5)  # more than a pipe holds
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 130


@posix
def test_sigterm_ends_it_politely_too(url: str, tmp_path: Path) -> None:
    with running("stream", "coinbase", "trades", "BTC-USD", "--endpoint", url, cwd=tmp_path) as process:
        wait_for_line(process, '{"event":"Connected"')
        result = interrupted(process, signal.SIGTERM)
    assert result.code == 143
    assert result.err.startswith("coinbase trades BTC-USD: ")


@posix
@pytest.mark.parametrize("output", ["the screen", "a file"])
def test_a_terminal_shows_the_progress(url: str, tmp_path: Path, output: str) -> None:
    import pty  # noqa: PLC0415  # not everywhere

    ours, theirs = pty.openpty()
    words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", url, "--seconds", "1.2"]
    with open(tmp_path / "out", "w+", encoding="utf-8") as file:  # noqa: PTH123
        stdout = theirs if output == "the screen" else file
        with running(*words, cwd=tmp_path, stdout=stdout, stderr=theirs, env={"TERM": "xterm"}):
            os.close(theirs)
            shown = _read_all(ours)
        out = shown if output == "the screen" else Path(file.name).read_text(encoding="utf-8")
    assert "coinbase trades BTC-USD | " in shown
    assert " events | " in shown
    assert "last 0." in shown
    assert "and 1 notice in " in shown
    assert '"event":"Trade"' in out
    lines = [line.rpartition("\x1b[K")[2] for line in out.splitlines() if '"event"' in line]
    assert all(line.startswith("{") for line in lines), "an event never shares its line with the progress"


@posix
def test_who_reads_a_pipe_has_the_terminal_for_itself(url: str, tmp_path: Path) -> None:
    import pty  # noqa: PLC0415  # not everywhere

    ours, theirs = pty.openpty()
    words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", url, "--seconds", "0.8"]
    with running(*words, cwd=tmp_path, stderr=theirs, env={"TERM": "xterm"}):
        os.close(theirs)
        shown = _read_all(ours)
    assert shown.startswith("coinbase trades BTC-USD: "), "a pager would be drawn over"
    assert shown.count("\n") == 1
    assert "\x1b" not in shown


@posix
def test_a_terminal_shows_why_it_does_not_connect(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415  # not everywhere

    ours, theirs = pty.openpty()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", f"ws://127.0.0.1:{port}"]
    env = {"TERM": "xterm"}
    with running(*words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs, env=env) as process:
        os.close(theirs)
        shown = ""
        while "attempt 1 failed" not in shown:
            shown += os.read(ours, 65536).decode()
        process.send_signal(signal.SIGINT)
        shown += _read_all(ours)
        assert process.wait(PATIENCE_S) == 130
    assert shown.index("trades BTC-USD | connecting, 0.") < shown.index(
        "trades BTC-USD | attempt 1 failed: 127."
    )
    assert shown.endswith("\r\x1b[K"), "the line is taken away"


def _read_all(fd: int) -> str:
    shown = b""
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:  # Linux says so where the other side of a terminal is gone
            data = b""
        if not data:
            os.close(fd)
            return shown.decode()
        shown += data


@attrs.define
class _Venue:
    """A server that does as little as it is told, and remembers how its client left."""

    acknowledges: bool
    streams: bool
    asked: trio.Event = attrs.field(factory=trio.Event)
    left: trio.Event = attrs.field(factory=trio.Event)
    close_code: int | None = None

    async def serve(self, request: trio_websocket.WebSocketRequest) -> None:
        websocket = await request.accept()
        try:
            message = json.loads(await websocket.get_message())
            self.asked.set()
            if self.acknowledges:
                await websocket.send_message(
                    json.dumps({"type": "subscriptions", "channels": message["channels"]})
                )
            async with trio.open_nursery() as nursery:
                if self.streams:
                    nursery.start_soon(self._stream, websocket)
                while True:
                    await websocket.get_message()
        except* trio_websocket.ConnectionClosed as group:
            closed = group.exceptions[0]
            assert isinstance(closed, trio_websocket.ConnectionClosed)
            self.close_code = None if closed.reason is None else closed.reason.code
            self.left.set()

    @staticmethod
    async def _stream(websocket: trio_websocket.WebSocketConnection) -> None:
        for number in range(1, 1_000_000):
            trade = {
                "type": "match", "trade_id": number, "sequence": number, "product_id": "BTC-USD", "size": "1",
                "price": "2", "side": "sell", "time": "2014-11-07T08:19:27.028459Z",
                "maker_order_id": "a", "taker_order_id": "b",
            }  # fmt: skip
            await websocket.send_message(json.dumps(trade))
            await trio.sleep(0.001)


@posix
@pytest.mark.parametrize("stage", ["not confirmed", "quiet", "streaming"])
async def test_ctrl_c_says_goodbye_at_every_stage(tmp_path: Path, stage: str) -> None:
    venue = _Venue(acknowledges=stage != "not confirmed", streams=stage == "streaming")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            server = await nursery.start(trio_websocket.serve_websocket, venue.serve, "127.0.0.1", 0, None)
            words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", f"ws://127.0.0.1:{server.port}"]
            process = await trio.lowlevel.open_process(
                [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
            )
            assert process.stdout is not None
            assert process.stderr is not None
            await venue.asked.wait()
            if venue.acknowledges:
                assert b"Connected" in await process.stdout.receive_some()
            if venue.streams:
                assert b"Trade" in await process.stdout.receive_some()
            process.send_signal(signal.SIGINT)
            nursery.start_soon(_drain, process.stdout)
            said = await _drain(process.stderr)
            code = await process.wait()
            await venue.left.wait()
            nursery.cancel_scope.cancel()
    assert (code, venue.close_code) == (130, 1000)
    assert b"Traceback" not in said


@posix
async def test_ctrl_c_while_nobody_answers(tmp_path: Path) -> None:
    accepted = trio.Event()

    async def silence(stream: trio.SocketStream) -> None:
        accepted.set()
        await _drain(stream)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, silence, 0, host="127.0.0.1"))
            port = listeners[0].socket.getsockname()[1]
            words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", f"ws://127.0.0.1:{port}"]
            process = await trio.lowlevel.open_process(
                [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
            )
            assert process.stderr is not None
            await accepted.wait()
            process.send_signal(signal.SIGINT)
            said = await _drain(process.stderr)
            code = await process.wait()
            nursery.cancel_scope.cancel()
    assert (code, said) == (130, b"")


async def _drain(stream: trio.abc.ReceiveStream) -> bytes:
    data = b""
    async for part in stream:
        data += part
    return data


@pytest.mark.skipif("TRIOQUOTES_CAPTURES" not in os.environ, reason="no captures")
def test_a_recorded_session_through_the_whole_stack(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = Path(os.environ["TRIOQUOTES_CAPTURES"], "coinbase-session-2021.jsonl").resolve()
    products = [
        "BAND-GBP",
        "BAND-BTC",
        "YFI-BTC",
        "NU-GBP",
        "CRV-EUR",
        "SKL-GBP",
        "SKL-USD",
        "SKL-BTC",
        "NMR-EUR",
        "DASH-BTC",
    ]
    with running("simulate", "coinbase", "--capture", path, "--speed", "max", cwd=tmp_path) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        result = stream(capfd, "books", *products, "--endpoint", url, "--count", "2935", "--summary")
    assert result.code == 0
    found = names(result)
    assert (found.count("BookSnapshot"), found.count("BookChange")) == (10, 2925)
    ledger = json.loads(result.err)
    assert (ledger["malformed"], ledger["gaps"]) == (0, 0)
    parts = ledger["delivered"] + ledger["folded"] + sum(ledger["ignored"].values())
    assert ledger["elements"] == parts


async def test_the_status_line_hides_what_a_peer_repeats_of_the_key() -> None:
    class Refusing:
        def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
            @asynccontextmanager
            async def refused() -> AsyncIterator[Line]:
                await trio.lowlevel.checkpoint()
                token = target.handshake.headers[0][1]
                raise LineFailed(Failure("handshake", f"no entry with {token} for mysecretkey"))
                yield

            return refused()

    watched = WatchedConnector(cast("Connector", Refusing()), ApiKey("k", "mysecretkey"))
    target = Target(
        handshake=Handshake("wss://peer", headers=(("Authorization", "Bearer signed.for.this.one"),)),
        ssl_context=None,
        connect_timeout_s=1.0,
        close_timeout_s=1.0,
        max_message_bytes=1,
        stall_timeout_s=1.0,
    )
    with pytest.raises(LineFailed):
        async with watched.line(target):
            raise AssertionError
    assert watched.failure == "no entry with Bearer *** for ***"
