"""``doctor`` against simulators and against servers that fail at every step: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
import trio_websocket
import trustme

from tests.cli.harness import (
    COMMAND,
    PATIENCE_S,
    Ended,
    ended,
    interrupted,
    run_here,
    running,
    wait_for_line,
)
from trioquotes._protocol.effects import HttpRequest, Reply
from trioquotes._runtime.transport import TapConnector
from trioquotes.cli import doctor_session
from trioquotes.cli.doctor import examine, patient_for
from trioquotes.cli.doctor_report import STEPS
from trioquotes.simulator.tls import local_tls
from trioquotes.simulator.venues import SIMULATORS
from trioquotes.simulator.venues.darwinex import DEMO_ACCOUNT

pytestmark = pytest.mark.tcp

posix = pytest.mark.skipif(os.name == "nt", reason="no such signals")

VENUES = ("coinbase", "upbit", "edgex", "zonda", "darwinex")
BRIEF_S = 0.3
"""For steps that wait in vain."""

Serve = Callable[[trio.abc.Stream], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("COINBASE_", "DARWINEX_"))]:
        monkeypatch.delenv(name)


def steps(result: Ended) -> dict[str, str]:
    """Each step with its status, of what was printed for people."""
    found = {}
    for line in result.out.splitlines()[1:-1]:
        status, rest = line[:9].strip(), line[9:]
        if status:
            found[next(step for step in STEPS if rest.startswith(step))] = status
    return found


async def examined(
    capfd: pytest.CaptureFixture[str], *words: str, venue: str = "coinbase", within_s: float = BRIEF_S
) -> Ended:
    """Examine a venue in this process, beside the server that it meets."""
    given = dict(zip(words[::2], words[1::2], strict=True))
    authority = given.get("--ca")
    patient = patient_for(
        venue, endpoint=given.get("--endpoint"), instrument=None, timeout_s=within_s,
        ca=None if authority is None else Path(authority),
    )  # fmt: skip
    capfd.readouterr()
    with trio.fail_after(PATIENCE_S):
        code = await examine(patient, machine=False)
    out, err = capfd.readouterr()
    assert err == ""
    return Ended(code, out, err)


# Simulators.


@pytest.mark.parametrize(("venue", "tls"), [*((venue, False) for venue in VENUES), ("coinbase", True)])
async def test_all_is_well_with_a_simulator(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venue: str, tls: bool
) -> None:
    monkeypatch.setattr(doctor_session, "PAUSE_S", 0.01)
    if venue == "darwinex":
        monkeypatch.setenv("DARWINEX_ACCESS_TOKEN", DEMO_ACCOUNT.access_token)
    made = local_tls() if tls else None
    words = []
    if made is not None:
        (tmp_path / "ca.pem").write_bytes(made.authority_pem)
        words = ["--ca", str(tmp_path / "ca.pem")]
    simulator = SIMULATORS[venue]()
    async with simulator.open_server(ssl_context=None if made is None else made.server) as url:
        result = await examined(capfd, "--endpoint", url, *words, venue=venue, within_s=5.0)
        with trio.fail_after(PATIENCE_S):
            while simulator.connections:  # noqa: ASYNC110  # a simulator has no event for it
                await trio.sleep(0.01)
    assert result.code == 0, result.out
    found = steps(result)
    assert list(found) == list(STEPS)
    assert found.pop("tls") == ("ok" if tls else "-")
    assert found.pop("clock") == ("-" if venue == "edgex" else "ok")
    assert set(found.values()) == {"ok"}
    assert result.out.splitlines()[-1].startswith("all is well; ")
    assert [connect.outcome for connect in simulator.records.connects] == ["open"]
    assert not simulator.records.breaches


REST: dict[str, tuple[int, float, dict[str, str], str, str]] = {
    "a right clock": (200, 0.0, {}, "clock        ", "agree as far as can be told"),
    "a clock ahead": (200, -100.0, {}, "WARNING  clock", "ahead of the venue's, give or take"),
    "a clock behind": (200, 100.0, {}, "WARNING  clock", "signed requests may be refused"),
    "a blocked address": (403, 0.0, {}, "WARNING  clock", "REST at 127.0.0.1"),
    "nothing left": (200, 0.0, {"x-ratelimit-remaining": "0"}, "WARNING  limits", "x-ratelimit-remaining: 0"),
}  # fmt: skip
"""Status, by how much the venue's clock is ahead, other headers of its REST; what is warned of, in which words."""


@pytest.mark.parametrize("what", REST)
async def test_what_rest_says_of_the_time_and_of_limits(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    status, ahead_s, headers, line, said = REST[what]

    async def fetch(self: TapConnector, request: HttpRequest, **options: object) -> Reply:
        await trio.lowlevel.checkpoint()
        date = formatdate(time.time() + ahead_s, usegmt=True)
        return Reply(status, {"date": date, **headers}, b"{}")

    monkeypatch.setattr(TapConnector, "fetch", fetch)
    monkeypatch.setattr(doctor_session, "PAUSE_S", 0.01)
    async with SIMULATORS["upbit"]().open_server() as url:
        result = await examined(capfd, "--endpoint", url, venue="upbit", within_s=5.0)
    assert result.code == (1 if "WARNING" in line else 0), result.out
    assert line in result.out
    assert said in result.out


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("simulator")
    with running("simulate", "coinbase", "--seed", "3", cwd=folder) as process:
        yield wait_for_line(process, "listening on ").removeprefix("listening on ")


def test_json_says_the_same_to_programs(capfd: pytest.CaptureFixture[str], url: str) -> None:
    result = run_here(capfd, "doctor", "coinbase", "--endpoint", url, "--json", "--instrument", "ETH/USD")
    found = json.loads(result.out)
    assert (result.code, found["exit_code"], found["ok"]) == (0, 0, True)
    assert (found["venue"], found["url"], found["topic"]) == ("coinbase", url, "tickers ETH-USD")
    assert [step["step"] for step in found["steps"]] == list(STEPS)
    assert all(isinstance(step["seconds"], float) for step in found["steps"] if step["status"] == "ok")
    by_step = {step["step"]: step for step in found["steps"]}
    assert by_step["resolve"]["facts"] == {"addresses": ["127.0.0.1"]}
    assert [each["name"] for each in by_step["limits"]["facts"]["budgets"]][:2] == ["connections", "messages"]


def test_an_instrument_that_is_not_there_is_the_venues_word(
    capfd: pytest.CaptureFixture[str], url: str
) -> None:
    result = run_here(capfd, "doctor", "coinbase", "--endpoint", url, "--instrument", "NOPE-USD")
    assert result.code == 1
    assert steps(result)["subscribe"] == "FAILED"
    assert steps(result)["data"] == "skipped"
    assert "NOPE-USD is not a valid product" in result.out
    assert "Is NOPE-USD traded there?" in result.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["coinbase", "--timeout", "0"], "--timeout must be a number above 0, not 0"),
        (["coinbase", "--instrument", "nope"], "'nope' is not a Coinbase product id"),
        (["coinbase", "--instrument", ""], "--instrument must not be empty"),
        (["coinbase", "--endpoint", "moon"], "'moon'"),
        (["coinbase", "--ca", "/nowhere.pem"], "/nowhere.pem"),
        (["nope"], "'nope'"),
        (["darwinex"], "DARWINEX_ACCESS_TOKEN"),
    ],
)
def test_wrong_usage_starts_nothing(capfd: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    result = run_here(capfd, "doctor", *words)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert said in result.err


# Servers that fail.


def answers(status: int, body: str = "", *headers: str) -> Serve:
    """Answers every request so."""

    async def serve(stream: trio.abc.Stream) -> None:
        await stream.receive_some(4096)
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", body]
        await stream.send_all("\r\n".join(lines).encode())

    return serve


async def says_nothing(stream: trio.abc.Stream) -> None:
    await trio.sleep_forever()


async def hangs_up(stream: trio.abc.Stream) -> None:
    await trio.lowlevel.checkpoint()


async def greets(stream: trio.abc.Stream) -> None:
    await stream.send_all(b"SSH-2.0-OpenSSH_9\r\n")
    await stream.receive_some(4096)


@asynccontextmanager
async def served(
    serve: Serve, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Serve on loopback; gives the port."""

    async def handle(tcp: trio.SocketStream) -> None:
        stream: trio.abc.Stream = tcp
        try:
            if context is not None:
                stream = trio.SSLStream(tcp, context, server_side=True)
                await stream.do_handshake()
            await serve(stream)
            await stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host=host))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def check(result: Ended, step: str, said: str, advice: str) -> None:
    """It failed at that step alone, in these words, with that advice; what comes after is skipped."""
    found = steps(result)
    at = STEPS.index(step)
    assert result.code == 1
    assert [found[each] for each in STEPS[at:]] == ["FAILED", *["skipped"] * (len(STEPS) - at - 1)], (
        result.out
    )
    assert not set(list(found.values())[:at]) & {"FAILED", "skipped"}
    lines = result.out.splitlines()
    (failed,) = [number for number, line in enumerate(lines) if line.startswith("FAILED")]
    assert said in lines[failed]
    assert lines[failed + 1].strip().startswith("-> ")
    assert advice in lines[failed + 1]
    assert lines[-1].startswith(f"{step} failed after ")


HANDSHAKES: dict[str, tuple[Serve, str, str]] = {
    "a web page": (answers(200, "<html>hi</html>"), "answered 200 instead", "does not switch to WebSocket"),
    "a login page": (answers(302, "", "Location: https://hotel.example/"), "302", "(https://hotel.example/)"),
    "a bad request": (answers(400, "what?"), "400 instead of switching to WebSocket: what?", "which it says why"),
    "no credentials": (answers(401), "401", "COINBASE_API_KEY"),
    "a closed country": (answers(403, "not in your country"), "not in your country", "some countries"),
    "a missing path": (answers(404), "404", "nothing at this path"),
    "too many connects": (answers(429, "slow down", "Retry-After: 17"), "slow down", "wait 17 s"),
    "too many, no time": (answers(429), "429", "wait a minute"),
    "the law": (answers(451), "451", "legal reasons"),
    "an outage": (answers(503, "maintenance"), "503", "status page"),
    "another refusal": (answers(409, "busy"), "409", "The words say why"),
    "a false switch": (
        answers(101, "", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"),
        "the switch to WebSocket is not valid",
        "breaks the standard",
    ),
    "silence": (says_nothing, f"no answer within {BRIEF_S} s", f"did not answer within {BRIEF_S} s"),
    "a hang-up": (hangs_up, "the peer hung up", "no WebSocket server"),
    "another protocol": (greets, "does not speak HTTP", "no WebSocket server"),
}  # fmt: skip


@pytest.mark.parametrize("what", HANDSHAKES)
async def test_a_refused_handshake_is_explained(capfd: pytest.CaptureFixture[str], what: str) -> None:
    serve, said, advice = HANDSHAKES[what]
    async with served(serve) as port:
        result = await examined(capfd, "--endpoint", f"ws://127.0.0.1:{port}")
    check(result, "handshake", said, advice)


@pytest.mark.parametrize("where", ["handshake", "subscription"])
async def test_a_key_that_the_server_repeats_is_hidden(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    secrets = {
        "KEY": "k3y-0123456789abcdef",
        "SECRET": "c2VjcmV0LW9mLW1hbnktd29yZHM=",
        "PASSPHRASE": "pass phrase 42",
    }
    for name, secret in secrets.items():
        monkeypatch.setenv(f"COINBASE_API_{name}", secret)
    words = " ".join(secrets.values())
    if where == "handshake":
        async with served(answers(403, f"who is {words}?")) as port:
            result = await examined(capfd, "--endpoint", f"ws://127.0.0.1:{port}")
    else:
        refusal = {"type": "error", "message": "Failed to subscribe", "reason": f"who is {words}?"}
        async with websocket(_Venue(confirms=False, frames=(refusal,))) as url:
            result = await examined(capfd, "--endpoint", url)
    assert "who is ***" in result.out
    assert not [secret for secret in secrets.values() if secret in result.out]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


DAY = timedelta(days=1)

CERTIFICATES: dict[str, tuple[tuple[int, int], str, bool, str, str]] = {
    "expired": ((-90, -2), "127.0.0.1", True, "certificate has expired", "check this machine's clock"),
    "not yet valid": ((2, 90), "127.0.0.1", True, "not yet valid", "clock is behind"),
    "of another host": ((-1, 90), "example.org", True, "not valid for '127.0.0.1'", "another name than 127.0.0.1"),
    "of a stranger": ((-1, 90), "127.0.0.1", False, "unable to get local issuer certificate", "--ca FILE"),
}  # fmt: skip
"""Valid from and to in days from now, for which host, whether its authority is trusted; what is said."""


@pytest.mark.parametrize("what", CERTIFICATES)
async def test_a_bad_certificate_is_explained(
    capfd: pytest.CaptureFixture[str], authority: trustme.CA, tmp_path: Path, what: str
) -> None:
    (since, until), host, trusted, said, advice = CERTIFICATES[what]
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made = authority.issue_cert(host, not_before=now + since * DAY, not_after=now + until * DAY)
    made.configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    async with served(says_nothing, context) as port:
        words = ["--endpoint", f"wss://127.0.0.1:{port}", *(["--ca", str(path)] if trusted else [])]
        result = await examined(capfd, *words)
    check(result, "tls", said, advice)


async def test_a_certificate_that_ends_soon_is_a_warning(
    capfd: pytest.CaptureFixture[str], authority: trustme.CA, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=now + 3.5 * DAY).configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    async with served(hangs_up, context) as port:
        result = await examined(capfd, "--endpoint", f"wss://127.0.0.1:{port}", "--ca", str(path))
    assert steps(result)["tls"] == "WARNING"
    assert "good for 3 days" in result.out
    assert "Its owner should renew it" in result.out


@pytest.mark.parametrize(
    ("serve", "said", "advice"),
    [
        (answers(200), "does not speak TLS", "its URL begins with ws://"),
        (says_nothing, f"nothing came within {BRIEF_S} s", "swallows TLS"),
        (hangs_up, "ended the connection in mid-handshake", "Try later"),
    ],
)
async def test_no_tls_where_there_should_be_is_explained(
    capfd: pytest.CaptureFixture[str], serve: Serve, said: str, advice: str
) -> None:
    async with served(serve) as port:
        result = await examined(capfd, "--endpoint", f"wss://127.0.0.1:{port}")
    check(result, "tls", said, advice)


async def test_a_closed_port_is_explained(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = await examined(capfd, "--endpoint", f"ws://127.0.0.1:{port}")
    check(result, "connect", "nothing listens there", f"Nothing listens on port {port} of 127.0.0.1")


class _Names(trio.abc.HostnameResolver):
    """A name service of a test's own."""

    def __init__(self, answer: int | list[str]) -> None:
        self._answer = answer

    async def getaddrinfo(  # noqa: PLR0917  # trio's signature
        self, host: bytes | None, port: bytes | str | int | None, family: int = 0, type: int = 0,  # noqa: A002
        proto: int = 0, flags: int = 0,
    ) -> Any:  # fmt: skip
        await trio.lowlevel.checkpoint()
        if not isinstance(self._answer, list):
            raise socket.gaierror(self._answer, "as the test says")
        if not self._answer:
            await trio.sleep_forever()
        kinds = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in self._answer]
        return [
            (kind, socket.SOCK_STREAM, 6, "", (each, port, 0, 0) if kind == socket.AF_INET6 else (each, port))
            for kind, each in zip(kinds, self._answer, strict=True)
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "said", "advice"),
    [
        (socket.EAI_NONAME, "host.test: no such host", "Check the spelling of host.test"),
        (socket.EAI_AGAIN, "the name server does not answer", "/etc/resolv.conf"),
        (socket.EAI_FAMILY, "host.test: the host's name cannot be looked up", "Ask whoever"),
        ([], f"nothing came within {BRIEF_S} s", f"does not answer within {BRIEF_S} s"),
    ],
)
async def test_a_name_that_leads_nowhere_is_explained(
    capfd: pytest.CaptureFixture[str], answer: int | list[str], said: str, advice: str
) -> None:
    trio.socket.set_custom_hostname_resolver(_Names(answer))
    result = await examined(capfd, "--endpoint", "wss://host.test")
    check(result, "resolve", said, advice)


async def test_an_address_that_does_not_answer_beside_one_that_does_is_a_warning(
    capfd: pytest.CaptureFixture[str],
) -> None:
    trio.socket.set_custom_hostname_resolver(_Names(["127.0.0.2", "127.0.0.1"]))
    async with served(hangs_up) as port:
        result = await examined(capfd, "--endpoint", f"ws://host.test:{port}")
    assert steps(result)["connect"] == "WARNING"
    assert "127.0.0.1 in " in result.out
    assert "127.0.0.2: nothing listens there" in result.out
    assert "A session uses the addresses that answer" in result.out


async def test_every_address_is_tried_and_let_go(capfd: pytest.CaptureFixture[str]) -> None:
    ended_: list[str] = []

    async def listens(stream: trio.abc.Stream) -> None:
        assert isinstance(stream, trio.SocketStream)
        to = stream.socket.getsockname()[0]
        while data := await stream.receive_some(4096):
            if data.startswith(b"GET"):
                await stream.send_all(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
        ended_.append(to)

    trio.socket.set_custom_hostname_resolver(_Names(["127.0.0.1", "127.0.0.2"]))
    async with served(listens, host="0.0.0.0") as port:  # noqa: S104  # all of loopback
        result = await examined(capfd, "--endpoint", f"ws://host.test:{port}")
        with trio.fail_after(PATIENCE_S):
            while len(ended_) < 3:  # noqa: ASYNC110  # both addresses, and the handshake
                await trio.sleep(0.01)
    assert steps(result)["connect"] == "ok"
    assert "127.0.0.1 in " in result.out
    assert "127.0.0.2 in " in result.out
    assert sorted(set(ended_)) == ["127.0.0.1", "127.0.0.2"]


async def test_a_proxy_of_the_environment_is_used_and_named(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{port}")
    result = await examined(capfd)
    assert steps(result)["resolve"] == "-"
    check(result, "connect", f"the proxy http://127.0.0.1:{port} cannot be reached", "no_proxy")
    assert "secret" not in result.out


@attrs.define
class _Venue:
    """A WebSocket server that goes so far and no further, and remembers how its client left."""

    confirms: bool = True
    frames: tuple[dict[str, Any], ...] = ()
    then_ends: bool = False
    asked: trio.Event = attrs.field(factory=trio.Event)
    left: trio.Event = attrs.field(factory=trio.Event)

    async def serve(self, request: trio_websocket.WebSocketRequest) -> None:
        websocket = await request.accept()
        try:
            message = json.loads(await websocket.get_message())
            self.asked.set()
            if self.confirms:
                await websocket.send_message(
                    json.dumps({"type": "subscriptions", "channels": message["channels"]})
                )
            for frame in self.frames:
                await websocket.send_message(json.dumps(frame))
            if self.then_ends:
                await websocket.aclose(1011, "a bad day")
            while True:
                await websocket.get_message()
        except trio_websocket.ConnectionClosed:
            self.left.set()


@asynccontextmanager
async def websocket(venue: _Venue) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, venue.serve, "127.0.0.1", 0, None)
        yield f"ws://127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()


TICKER = {
    "type": "ticker", "sequence": 1, "product_id": "BTC-USD", "price": "7.5", "open_24h": "7", "volume_24h": "1",
    "low_24h": "7", "high_24h": "8", "volume_30d": "1", "best_bid": "7.4", "best_bid_size": "1", "best_ask": "7.6",
    "best_ask_size": "1", "side": "buy", "time": "2022-10-19T23:28:22.061769Z", "trade_id": 1, "last_size": "1",
}  # fmt: skip

LINES: dict[str, tuple[_Venue, str, str, str]] = {
    "never confirms": (_Venue(confirms=False), "subscribe", "nothing came", "the venue does not confirm"),
    "ends instead of confirming": (
        _Venue(confirms=False, then_ends=True), "subscribe", "1011: a bad day", "ended the line",
    ),
    "never sends": (_Venue(), "data", f"nothing came within {BRIEF_S} s", "nobody trades BTC-USD now"),
    "ends before the data": (_Venue(then_ends=True), "data", "1011: a bad day", "before the first data"),
    "sends what nobody can read": (
        _Venue(frames=({**TICKER, "price": "much"},)), "data", "price", "update trioquotes",
    ),
    "has no heartbeat": (_Venue(frames=(TICKER,)), "heartbeat", "nothing came", "swallow pings"),
}  # fmt: skip


@pytest.mark.parametrize("what", LINES)
async def test_a_line_that_goes_so_far_and_no_further_is_explained(
    capfd: pytest.CaptureFixture[str], what: str
) -> None:
    venue, step, said, advice = LINES[what]
    venue = attrs.evolve(venue, asked=trio.Event(), left=trio.Event())
    async with websocket(venue) as url:
        result = await examined(capfd, "--endpoint", url)
        with trio.fail_after(PATIENCE_S):
            await venue.left.wait()
    check(result, step, said, advice)


# Endings.


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["resolve", "tls", "handshake", "subscribe", "data"])
async def test_a_signal_ends_it_at_every_stage(
    capfd: pytest.CaptureFixture[str], step: str, number: signal.Signals
) -> None:
    venue = _Venue(confirms=step == "data")
    reached = trio.Event()

    async def silence(stream: trio.abc.Stream) -> None:
        reached.set()
        await trio.sleep_forever()

    async def interrupt() -> None:
        if step == "resolve":
            await trio.testing.wait_all_tasks_blocked(0.05)
        elif step in {"tls", "handshake"}:
            await reached.wait()
        else:
            await venue.asked.wait()
            await trio.sleep(0.05)
        signal.raise_signal(number)

    if step == "resolve":
        trio.socket.set_custom_hostname_resolver(_Names([]))
    async with websocket(venue) as url, served(silence) as port:
        scheme, host = ("wss" if step == "tls" else "ws"), ("host.test" if step == "resolve" else "127.0.0.1")
        endpoint = url if step in {"subscribe", "data"} else f"{scheme}://{host}:{port}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            result = await examined(capfd, "--endpoint", endpoint, within_s=60.0)
        if step in {"subscribe", "data"}:
            with trio.fail_after(PATIENCE_S):
                await venue.left.wait()
    assert result.code == 128 + number
    found = steps(result)
    assert found[step] == "stopped"
    assert set(list(found.values())[STEPS.index(step) + 1 :]) == {"skipped"}
    assert result.out.splitlines()[-1].startswith("stopped after ")


@posix
def test_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with running("doctor", "coinbase", "--endpoint", url, "--timeout", "60", cwd=tmp_path) as process:
            wait_for_line(process, "ok       connect")
            result = interrupted(process)
    assert (result.code, result.err) == (130, "")
    assert "stopped  handshake" in result.out


@posix
def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}"
        with running("doctor", "coinbase", "--endpoint", url, "--timeout", "60", cwd=tmp_path) as process:
            wait_for_line(process, "ok       connect")
            assert process.stdout is not None
            process.stdout.close()
            process.stdout = None
            assert ended(process) == Ended(0, "", "")


@posix
@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_lines_that_fit_and_colours_unless_told_otherwise(
    tmp_path: Path, colours: bool
) -> None:
    import fcntl  # noqa: PLC0415  # not everywhere
    import pty  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
    given = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env = {**given, "TERM": "xterm", "COLUMNS": "60", **({} if colours else {"NO_COLOR": "1"})}
    words = ["doctor", "coinbase", "--endpoint", url]
    process = subprocess.Popen([*COMMAND, *words], stdout=theirs, stderr=theirs, cwd=tmp_path, env=env)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(PATIENCE_S) == 1
    text = shown.decode().replace("\r\x1b[K", "\n")
    assert ("\x1b[31mFAILED" in text) == colours
    plain = text.replace("\x1b[31m", "").replace("\x1b[32m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "\x1b" not in plain
    assert all(len(line.rstrip("\r")) <= 60 for line in plain.splitlines()[1:]), plain


def test_it_is_a_module_of_its_own_to_the_command_line() -> None:
    question = "import sys, trioquotes.cli; print('trioquotes.cli.doctor' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == "False"
