from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import trio_websocket
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.simulator.clients import Client, connected, get, http, wall_ns
from trioquotes.errors import UnknownVenue
from trioquotes.simulator.connection import Buffer, Connection
from trioquotes.simulator.faults import (
    DropLine,
    FailRest,
    Fault,
    GarbageHandshake,
    HangHandshake,
    Maintenance,
    MuteLine,
    RefuseHandshake,
    TrickleLine,
)
from trioquotes.simulator.http_side import HttpRequest, HttpResponse
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.tls import local_tls
from trioquotes.simulator.venues import PLAYBACKS, SIMULATORS, playback_of, simulator_of
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator


class Echo(Simulator[list[str]]):
    """The smallest venue: it sends back what it hears."""

    venue = "echo"

    def new_state(self, request: HttpRequest) -> list[str]:
        return [request.target]

    def received(self, connection: Connection[list[str]], message: str | bytes) -> None:
        text = message if isinstance(message, str) else message.decode()
        connection.state.append(text)
        if text.startswith("close "):
            connection.close(int(text.split()[1]), "as asked")
        elif text == "hang up":
            connection.send("echo", '"last words"')
            connection.hang_up()
        elif text.startswith("flood "):
            for n in range(int(text.split()[1])):
                connection.send("echo", str(n))
        else:
            connection.send("echo", text)


def echo(*faults: Fault, **options: Any) -> Echo:
    return Echo(faults=faults, wall_ns=wall_ns, **options)


async def test_a_message_comes_back_and_everything_is_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = echo()
        async with connected(simulator, peer="10.0.0.1") as client:
            await client.say('"hello"')
            assert await client.hear() == "hello"
            assert list(simulator.connections) == [1]
    assert [(c.connection, c.peer, c.path, c.outcome) for c in simulator.records.connects] == [
        (1, "10.0.0.1", "/", "open")
    ]
    assert [request.frame for request in simulator.records.requests] == ['"hello"']
    assert [frame.frame for frame in simulator.records.sent_to(1, "echo")] == ['"hello"']
    assert simulator.connections == {}


async def test_records_of_frames_can_be_switched_off(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = echo(frames_kept=0)
        async with connected(simulator) as client:
            await client.say("1")
            await client.hear()
    assert not simulator.records.frames


async def test_a_binary_venue_sends_binary_frames(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = echo()
        simulator.binary = True  # type: ignore[misc]
        async with connected(simulator) as client:
            await client.websocket.send_message(b"[1]")
            assert await client.websocket.get_message() == b"[1]"


async def test_a_close_frame_carries_code_and_reason(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        async with connected(echo()) as client:
            await client.say("close 1008")
            reason = await client.hear_end()
    assert reason is not None
    assert (reason.code, reason.reason) == (1008, "as asked")


async def test_hanging_up_sends_what_is_queued_and_no_close_frame(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        async with connected(echo()) as client:
            await client.say("hang up")
            assert await client.hear() == "last words"
            reason = await client.hear_end()
    assert reason is not None
    assert reason.code == 1006


async def test_a_client_that_never_reads_is_dropped_and_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = echo(buffer=Buffer(frames=100))
        async with connected(simulator) as client:
            await client.say("flood 101")
            await client.hear_end()
    assert [breach.limit for breach in simulator.records.breached("slow consumer")] == ["slow consumer"]


async def test_what_is_said_to_a_line_that_is_over_goes_nowhere(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = echo(buffer=Buffer(frames=0))
        async with connected(simulator):
            await trio.sleep(0.1)
            line = simulator.connections[1]
        line.send("echo", "1")
        line.close(1000)
        line.hang_up()
        line.later(0, lambda: pytest.fail("it is over"))
        line.cut()
        await trio.sleep(1)
    assert line.ending
    assert not simulator.records.breaches


async def test_the_buffer_is_bounded_in_bytes_too(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(30):
        simulator = echo(buffer=Buffer(size_bytes=1000))
        async with connected(simulator) as client:
            await client.say(json.dumps("x" * 1000))
            await client.hear_end()
    assert len(simulator.records.breached()) == 1


async def test_a_message_that_is_too_big_closes_with_1009_and_is_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = echo(max_message_bytes=100)
        async with connected(simulator) as client:
            await client.say("x" * 101)
            reason = await client.hear_end()
            await trio.sleep(0.1)
    assert reason is not None
    assert reason.code == 1009
    assert [breach.limit for breach in simulator.records.breaches] == ["message size"]


async def test_a_client_that_closes_with_1009_passes_no_limit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = echo(max_message_bytes=100)
        async with connected(simulator) as client:
            await client.say("1")
            await client.hear()
            await client.websocket.aclose(1009, "what you sent is too large for me")
            await trio.sleep(0.1)
    assert not simulator.connections
    assert not simulator.records.breaches


async def test_a_venue_that_closes_with_1009_of_its_own_accord_blames_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        simulator = echo()
        async with connected(simulator) as client:
            await client.say("close 1009")
            reason = await client.hear_end()
            await trio.sleep(0.1)
    assert reason is not None
    assert reason.code == 1009
    assert not simulator.records.breaches


@pytest.mark.parametrize(
    ("drop", "frames", "code"),
    [
        (DropLine(after_frames=2), 2, 1006),
        (DropLine(after_frames=3, how="reset"), 3, 1006),
        (DropLine(after_frames=2, how="close", code=1012, reason="deploy"), 2, 1012),
        (DropLine(after_s=0.35), 4, 1006),
    ],
)
async def test_a_line_drops_as_the_script_says(
    autojump_clock: trio.testing.MockClock, drop: DropLine, frames: int, code: int
) -> None:
    with trio.fail_after(30):
        async with connected(echo(drop)) as client:
            heard = 0
            with pytest.raises(trio_websocket.ConnectionClosed) as ended:
                while True:
                    await client.say("1")
                    await client.hear()
                    heard += 1
                    await trio.sleep(0.1)
    assert ended.value.reason is not None
    assert ended.value.reason.code == code
    assert heard == frames


async def test_a_mute_line_loses_what_is_sent_and_even_pongs(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        simulator = echo(MuteLine(after_s=1, for_s=5))
        async with connected(simulator) as client:
            await client.websocket.ping()
            await trio.sleep(2)
            await client.say("1")
            with trio.move_on_after(3) as waiting:
                await client.websocket.ping()
            assert waiting.cancelled_caught
            await trio.sleep(2)
            await client.say("2")
            assert await client.hear() == 2
            await client.websocket.ping()


async def test_a_mute_line_stays_mute_without_an_end(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(2000):
        async with connected(echo(MuteLine())) as client:
            await trio.sleep(0.1)
            await client.say("1")
            assert await client.hear_for(1000) == []


async def test_a_trickling_line_takes_its_time(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(60):
        async with connected(echo(TrickleLine(piece_bytes=2, pause_s=1.0))) as client:
            started = trio.current_time()
            await client.say('"12345678"')
            assert await client.hear() == "12345678"
            assert trio.current_time() - started >= 5


async def test_a_refused_handshake_shows_status_headers_and_body(
    autojump_clock: trio.testing.MockClock,
) -> None:
    fault = RefuseHandshake(status=429, headers=(("Retry-After", "7"),), body="slow down", connection=1)
    simulator = echo(fault)
    with trio.fail_after(30):
        with pytest.RaisesGroup(trio_websocket.ConnectionRejected) as refused:
            async with connected(simulator):
                pytest.fail("it was refused")
        async with connected(simulator) as client:
            await client.say("1")
            assert await client.hear() == 1
    rejected = refused.value.exceptions[0]
    assert isinstance(rejected, trio_websocket.ConnectionRejected)
    assert rejected.status_code == 429
    assert (b"retry-after", b"7") in rejected.headers
    assert rejected.body == b"slow down"
    assert [seen.outcome for seen in simulator.records.connects] == ["RefuseHandshake", "open"]


async def test_maintenance_ends_lines_and_lets_nobody_in_until_it_is_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = echo(Maintenance(after_s=10.0, for_s=20.0, status=502, code=1012))
    with trio.fail_after(60):
        async with connected(simulator) as client:
            ended = await client.hear_end()
        assert ended is not None
        assert ended.code == 1012
        assert 10.0 <= trio.current_time() < 10.1
        with pytest.RaisesGroup(trio_websocket.ConnectionRejected):
            async with connected(simulator):
                pytest.fail("it was refused")
        assert (await get(simulator, "/anything"))[0] == 502
        await trio.sleep(20.0)
        assert (await get(simulator, "/anything"))[0] == 404
        async with connected(simulator) as client:
            await client.say("1")
            assert await client.hear() == 1
    assert [seen.outcome for seen in simulator.records.connects] == ["open", "Maintenance", "open"]
    assert simulator.records.faults == {"Maintenance": 3}


async def test_a_script_that_is_ended_does_nothing_any_more(autojump_clock: trio.testing.MockClock) -> None:
    simulator = echo(
        DropLine(after_s=5.0),
        MuteLine(after_s=5.0),
        Maintenance(after_s=5.0, for_s=5.0),
        FailRest(status=500),
    )
    with trio.fail_after(60):
        async with connected(simulator) as client:
            await trio.sleep(1.0)
            simulator.mend()
            await trio.sleep(6.0)
            await client.say("1")
            assert await client.hear() == 1
        assert (await get(simulator, "/anything"))[0] == 404
    assert not simulator.records.faults


UPGRADE = (
    b"GET /feed HTTP/1.1\r\nHost: feed.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def test_a_handshake_may_get_garbage_or_nothing(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(200):
        heard = await http(echo(GarbageHandshake(text="nonsense")), UPGRADE)
        assert heard == b"nonsense"
        with trio.move_on_after(100) as waiting:
            await http(echo(HangHandshake()), UPGRADE)
        assert waiting.cancelled_caught


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Connection: Upgrade", b"Connection: close", b"400"),
        (b"Version: 13", b"Version: 8", b"400"),
        (b"Sec-WebSocket-Key", b"X-Key", b"400"),
        (b"GET /feed", b"POST /feed", b"400"),
    ],
)
async def test_an_upgrade_that_is_none_gets_400(
    autojump_clock: trio.testing.MockClock, old: bytes, new: bytes, status: bytes
) -> None:
    with trio.fail_after(30):
        simulator = echo()
        heard = await http(simulator, UPGRADE.replace(old, new))
    assert heard.split(b" ")[1] == status
    assert [seen.outcome for seen in simulator.records.connects] == ["refused 400"]


async def test_a_handshake_that_the_library_refuses_ends_the_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(30):
        heard = await http(echo(), UPGRADE.replace(b"Host: feed.test", b"Host: a\r\nHost: b"))
    assert heard.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"hello\r\n\r\n", b"400"),
        (b"GET / SPDY/3\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
    ],
)
async def test_what_is_not_http_is_answered_and_closed(
    autojump_clock: trio.testing.MockClock, request_bytes: bytes, status: bytes
) -> None:
    with trio.fail_after(60):
        heard = await http(echo(), request_bytes)
    assert heard.split(b" ")[1] == status


async def test_half_a_request_is_waited_for_and_then_given_up(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(100):
        assert await http(echo(), b"GET / HTT") == b""
        assert await http(echo(), b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab") == b""


class Shop(Echo):
    def rest(self, request: HttpRequest) -> HttpResponse:
        told = f"{request.method} {request.path} {sorted(request.query.items())} {request.body.decode()}"
        return HttpResponse(201, told.encode())


async def test_requests_follow_each_other_on_one_line_and_are_recorded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    simulator = Shop(wall_ns=wall_ns)
    first = b"POST /a?x=1&y= HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
    with trio.fail_after(30):
        heard = await http(simulator, first + b"GET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert heard.count(b"HTTP/1.1 201 Created") == 2
    assert b"POST /a [('x', '1'), ('y', '')] body" in heard
    assert [(seen.method, seen.target, seen.status) for seen in simulator.records.rest] == [
        ("POST", "/a?x=1&y=", 201), ("GET", "/b", 201),
    ]  # fmt: skip


async def test_plain_requests_fail_or_wait_as_the_script_says(autojump_clock: trio.testing.MockClock) -> None:
    simulator = echo(FailRest(nth=1, status=503), FailRest(nth=2, delay_s=4))
    with trio.fail_after(30):
        assert (await get(simulator, "/x"))[0] == 503
        started = trio.current_time()
        assert (await get(simulator, "/x"))[0] == 404
        assert trio.current_time() - started == 4


async def test_a_body_that_raises_leaves_the_server_bare() -> None:
    class Mine(Exception):
        pass

    with pytest.raises(Mine):
        async with echo().open_server():
            raise Mine


@pytest.mark.tcp
async def test_one_port_serves_frames_and_plain_http() -> None:
    with trio.fail_after(20):
        async with echo().open_server() as url:
            assert url.startswith("ws://127.0.0.1:")
            async with trio_websocket.open_websocket_url(url + "/feed?x=1") as websocket:
                client = Client(websocket)
                await client.say("[1]")
                assert await client.hear() == [1]
            tcp = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            async with tcp:
                await tcp.send_all(b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert (await tcp.receive_some()).startswith(b"HTTP/1.1 404 Not Found")


@pytest.mark.tcp
async def test_a_reset_reaches_the_client_as_one() -> None:
    with trio.fail_after(20):
        async with echo(DropLine(after_frames=1, how="reset")).open_server() as url:
            tcp = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            async with trio.open_nursery() as nursery, tcp:
                websocket = await trio_websocket.wrap_client_stream(nursery, tcp, "feed.test", "/")
                await websocket.send_message("1")
                with pytest.raises(trio_websocket.ConnectionClosed):
                    while True:
                        await websocket.get_message()


@pytest.mark.tcp
async def test_tls_is_served_to_who_trusts_it_and_refused_by_who_does_not() -> None:
    tls = local_tls()
    with trio.fail_after(20):
        async with echo().open_server(ssl_context=tls.server) as url:
            assert url.startswith("wss://")
            async with trio_websocket.open_websocket_url(url, tls.client_context()) as websocket:
                client = Client(websocket)
                await client.say("1")
                assert await client.hear() == 1
            tcp = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
            stranger = trio.SSLStream(tcp, ssl.create_default_context(), server_hostname="127.0.0.1")
            with pytest.raises(trio.BrokenResourceError):
                await stranger.do_handshake()
            await trio.aclose_forcefully(stranger)
            async with trio_websocket.open_websocket_url(url, tls.client_context()) as websocket:
                await websocket.send_message("hang up")
                assert await websocket.get_message() == '"last words"'


async def test_compression_is_accepted_where_it_is_offered(autojump_clock: trio.testing.MockClock) -> None:
    """Played by another library's protocol core, as trio-websocket's client offers none."""
    with trio.fail_after(30):
        for accepted in (True, False):
            simulator = echo(compression=accepted)
            near, far = trio.testing.memory_stream_pair()
            core = ClientProtocol(
                parse_uri("ws://feed.test/"), extensions=[ClientPerMessageDeflateFactory()], max_size=None
            )
            core.send_request(core.connect())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(simulator.serve_stream, far)
                await near.send_all(b"".join(core.data_to_send()))
                core.receive_data(bytes(await near.receive_some()))
                text = json.dumps("compress me " * 200)
                core.send_text(text.encode())
                await near.send_all(b"".join(core.data_to_send()))
                heard, size = "", 0
                while not heard:
                    data = bytes(await near.receive_some())
                    size += len(data)
                    core.receive_data(data)
                    for event in core.events_received():
                        if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                            heard = bytes(event.data).decode()
                nursery.cancel_scope.cancel()
            assert heard == text
            assert (size < 200) is accepted


async def test_a_client_that_speaks_after_its_goodbye_does_no_harm(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ping, close = b"\x89\x80\x00\x00\x00\x00", b"\x88\x80\x00\x00\x00\x00"
    say_close = b"\x81\x8a\x00\x00\x00\x00close 1000"
    with trio.fail_after(30):
        for frames in (ping + close + ping + b"\xff\xff\xff", say_close + ping * 3 + close, b"\xff" * 20):
            near, far = trio.testing.memory_stream_pair()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(echo().serve_stream, far)
                await near.send_all(UPGRADE)
                assert (await near.receive_some()).startswith(b"HTTP/1.1 101")
                await near.send_all(frames)
                while await near.receive_some():
                    pass


async def test_registries_know_the_venues_and_refuse_others() -> None:
    assert simulator_of("coinbase") is SIMULATORS["coinbase"] is CoinbaseSimulator
    assert playback_of("coinbase") is PLAYBACKS["coinbase"]
    with pytest.raises(UnknownVenue, match="no simulator of 'nyse'; there are coinbase"):
        simulator_of("nyse")
    with pytest.raises(UnknownVenue):
        playback_of("nyse")


def test_a_simulator_needs_no_time_zone_file_and_no_running_loop_to_be_made(tmp_path: Path) -> None:
    assert CoinbaseSimulator(seed=1).venue == "coinbase"
