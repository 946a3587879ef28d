"""Every example runs, ends at Ctrl-C without a traceback, and does what it says when things go wrong."""

from __future__ import annotations

import ast
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pyarrow.parquet as pq
import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.examples.plugged import REGISTERED
from tests.examples.reading import EXAMPLES, interrupted_after, load
from trioquotes import recording
from trioquotes._runtime.transport import TapConnector
from trioquotes.simulator.faults import DelayAck, DropLine, Fault, RefuseHandshake
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.testing import World, WorldFault, run_world
from trioquotes.testing.loopback import LoopbackMaker, open_loopback
from trioquotes.testing.simulated import SimulatedVenue, VenueMaker

SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def run(
    program: Callable[[VenueMaker], Any], *faults: WorldFault, seed: int = 1, deadline_s: float = 2000.0
) -> Any:
    """Run a program in a world."""

    async def main(world: World) -> Any:
        return await program(VenueMaker(world))

    return run_world(main, seed=seed, deadline_s=deadline_s, faults=faults)


@pytest.fixture(scope="module")
def serve() -> Iterator[LoopbackMaker]:
    with open_loopback(seed=1) as maker:
        yield maker


# Every example --------------------------------------------------------------------------------------


def test_the_list_of_examples_is_whole() -> None:
    listed = re.findall(r"^\| \[`([\w./]+)`\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted([*(f"{name}.py" for name in SCRIPTS), "trading_bot/"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_says_what_it_shows_and_how_to_run_it(name: str) -> None:
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text())) or ""
    assert "What it shows:" in text
    assert f"python {name}.py" in text
    assert "Ctrl-C ends it" in text


@pytest.mark.tcp
@pytest.mark.endurance
def test_several_venues_as_a_program(serve: LoopbackMaker) -> None:
    coinbase, upbit = serve("coinbase", rate=50.0), serve("upbit", rate=50.0)
    ended = interrupted_after(
        "upbit KRW-BTC", "several_venues.py", "coinbase:BTC-USD", "upbit:KRW-BTC",
        "--endpoint", f"coinbase={coinbase.endpoint}", "--endpoint", f"upbit={upbit.endpoint}",
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "stopped\n")


@pytest.mark.tcp
@pytest.mark.endurance
def test_spread_monitor_as_a_program(serve: LoopbackMaker) -> None:
    coinbase, edgex = serve("coinbase", rate=50.0), serve("edgex", rate=50.0)
    ended = interrupted_after(
        "ALERT", "spread_monitor.py", "coinbase:BTC-USD", "edgex:30000001",
        "--endpoint", f"coinbase={coinbase.endpoint}", "--endpoint", f"edgex={edgex.endpoint}",
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "stopped\n")


@pytest.mark.tcp
@pytest.mark.endurance
def test_private_orders_as_a_program(serve: LoopbackMaker) -> None:
    zonda = serve("zonda", rate=100.0)
    assert isinstance(zonda.credentials, tq.ApiKey)
    key = {
        "ZONDA_API_KEY": zonda.credentials.key.reveal(), "ZONDA_API_SECRET": zonda.credentials.secret.reveal()
    }  # fmt: skip
    ended = interrupted_after("known: ", "private_orders.py", MARKET, "--endpoint", zonda.endpoint, env=key)
    assert (ended.code, ended.err) == (0, "stopped\n")


@pytest.mark.tcp
@pytest.mark.endurance
def test_the_trading_bot_as_a_program(serve: LoopbackMaker) -> None:
    ended = interrupted_after(
        " at ", "-m", "trading_bot", "coinbase", "BTC-USD", "--endpoint", serve("coinbase", rate=50.0).endpoint,
        cwd=EXAMPLES / "trading_bot",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.err.endswith("stopped\n")
    assert "Traceback" not in ended.err
    assert ended.out.endswith("BTC-USD: no orders\n")


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["several_venues.py", "coinbase"], "'coinbase' is not VENUE:INSTRUMENT"),
        (["several_venues.py", "nowhere:BTC-USD"], "no venue is called 'nowhere'"),
        (["spread_monitor.py", "zonda:what"], "what"),
        (["private_orders.py", "BTC-PLN"], "ZONDA_API_KEY"),
        (["custom_venue.py", "BTC-USD"], "no market of bitstamp"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_wrong_command_line_is_said(words: list[str], complaint: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ZONDA")}
    told = subprocess.run(
        [sys.executable, *words],
        cwd=EXAMPLES,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 2
    assert complaint in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.endurance
def test_the_trading_bots_own_tests_pass(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", REGISTERED, "-p", "no:cacheprovider", f"--basetemp={tmp_path}"],
        cwd=EXAMPLES / "trading_bot", capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout
    assert re.search(r"\b2\d passed", told.stdout), told.stdout


# Several venues -------------------------------------------------------------------------------------


def test_one_venues_troubles_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("several_venues")

    async def program(venue: VenueMaker) -> int:
        well = venue("coinbase", faults=[DropLine(connection=1, after_s=5.0)])
        ill = venue("upbit", faults=[RefuseHandshake(status=403)])
        sessions = [
            ("upbit", ill.session(tq.Trades("KRW-BTC"))), ("coinbase", well.session(tq.Trades("BTC-USD")))
        ]  # fmt: skip
        trades: int = await example.follow_all(sessions, 200)
        return trades

    assert run(program) == 200
    out, err = capsys.readouterr()
    assert "upbit: given up: " in err
    lines = [line for line in out.splitlines() if " at " not in line]
    assert [line.partition(" (")[0] for line in lines] == [
        "coinbase: line market is up", "coinbase: line market is lost",
        "coinbase trades BTC-USD: some trades may be missing here: disconnected", "coinbase: line market is up",
    ]  # fmt: skip


# The spread monitor ---------------------------------------------------------------------------------


def quote(venue: str, bid: str | None, ask: str | None) -> tq.Quote:
    return tq.Quote(
        venue=venue, instrument="X", received_ns=0, bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
    )  # fmt: skip


def test_a_spread_is_said_only_of_quotes_that_can_be_trusted() -> None:
    example = load("spread_monitor")
    markets = [example.Market("a", "X"), example.Market("b", "X")]
    monitor = example.Monitor(markets, Decimal(10))

    def said(event: tq.Event) -> list[str]:
        return list(monitor.take(event))

    assert said(quote("a", "99", "101")) == ["a X: 99 101, 200.00 bp"]
    assert said(quote("b", "102", "103")) == [
        "b X: 102 103, 97.56 bp", "ALERT: 98.52 bp between 101 at a X and 102 at b X"
    ]  # fmt: skip
    gap = tq.Gap(venue="a", topic=tq.Quotes("X"), instrument="X", received_ns=0, reason="disconnected")
    assert said(gap) == ["a X: unknown: disconnected"]
    assert said(quote("b", "102", "103")) == ["b X: 102 103, 97.56 bp"]  # and no alert from an old quote
    assert said(quote("a", None, "101"))[0] == "a X: one side of the book is empty"
    assert len(said(quote("a", "99", "101"))) == 2
    stale = tq.Stale(venue="b", topic=tq.Quotes("X"), instrument="X", received_ns=0, silent_s=5.0)
    assert said(stale) == ["b X: unknown: silent for 5 s"]
    assert said(quote("a", "99", "101")) == ["a X: 99 101, 200.00 bp"]


def test_the_monitor_goes_on_after_a_lost_line(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("spread_monitor")

    async def program(venue: VenueMaker) -> int:
        one, other = venue("coinbase", faults=[DropLine(connection=1, after_s=3.0)]), venue("edgex")
        markets = [example.Market("coinbase", "BTC-USD"), example.Market("edgex", "30000001")]
        sessions = [
            place.session(tq.Quotes(market.instrument), overflow="latest")
            for place, market in zip((one, other), markets, strict=True)
        ]
        quotes: int = await example.watch(sessions, example.Monitor(markets, Decimal(10)), 100)
        return quotes

    assert run(program) == 100
    lines = capsys.readouterr().out.splitlines()
    lost = lines.index("coinbase BTC-USD: unknown: disconnected")
    back = next(at for at, line in enumerate(lines) if at > lost and line.startswith("coinbase BTC-USD: "))
    assert not [line for line in lines[lost:back] if "ALERT" in line]
    assert [line for line in lines[back:] if "ALERT" in line]


# Private orders -------------------------------------------------------------------------------------

MARKET = "BTC-PLN"
FILL = re.compile(rf"fill: {MARKET} (\S+) at (\S+)")


@attrs.frozen
class Rest:
    """What HTTP would bring of a simulated venue, a moment later.

    Attributes:
        trades: how many there were, each time that something was asked.
    """

    simulator: Any
    key: tq.ApiKey
    world: World
    trades: list[int] = attrs.field(factory=list)

    @classmethod
    def of(cls, venue: SimulatedVenue, world: World) -> Rest:
        assert isinstance(venue.credentials, tq.ApiKey)
        return cls(venue.simulator, venue.credentials, world)

    @property
    def offices(self) -> Any:
        """What the venue knows of its client."""
        return self.simulator._published().offices

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        await trio.sleep(0.05)
        headers = load("private_orders").signed(self.key, self.world.wall_ns() // 10**9, "operation")
        fields = "&".join(f"{name}={value}" for name, value in {**query, "limit": "300"}.items())
        lower = {name.lower(): value for name, value in headers.items()}
        answer = self.simulator.rest(HttpRequest("GET", f"/rest{path}?{fields}", lower, b""))
        self.trades.append(len(self.offices.history("main", MARKET)))
        await trio.sleep(0.05)
        assert isinstance(answer.body, bytes)
        return answer.body


@pytest.mark.endurance
@pytest.mark.parametrize("seed", range(3))
def test_own_trades_are_told_once_each_whatever_happens_to_the_line(seed: int) -> None:
    example = load("private_orders")
    chance = random.Random(seed)  # noqa: S311  # decides a simulation, keeps no secret
    # The first line is that of somebody else, for whom the market goes on while we are away.
    faults: list[Fault] = [
        DropLine(connection=line, after_s=chance.uniform(3.0, 15.0)) for line in range(2, 14)
    ]
    faults += [DelayAck(connection=line, delay_s=chance.uniform(0.1, 2.0), nth=1) for line in (3, 5)]
    faults += [RefuseHandshake(connection=line, status=502) for line in (4, 8, 9)]

    async def program(venue: VenueMaker) -> None:
        zonda = venue("zonda", rate=20.0, faults=faults, limits=False, markets=[MARKET])
        rest = Rest.of(zonda, venue.world)
        said: list[str] = []
        session = zonda.session(*example.topics_of(MARKET), credentials=zonda.credentials)
        async with zonda.session(tq.Quotes(MARKET), overflow="latest"), trio.open_nursery() as nursery:
            nursery.start_soon(
                example.follow, session, MARKET, partial(example.ask_venue, rest.get, MARKET), said.append
            )
            await trio.sleep(150.0)
            zonda.simulator.mend()
            await trio.sleep(100.0)  # the pause before the last connect may be long
            await trio.testing.wait_all_tasks_blocked()  # all that was sent is read
            offers = rest.offices.offers("main", MARKET)
            happened = rest.offices.history("main", MARKET)[::-1][rest.trades[0] :]
            nursery.cancel_scope.cancel()
        expected = Counter((Decimal(one["amount"]), Decimal(one["rate"])) for one in happened)
        found = filter(None, map(FILL.match, said))
        told = Counter((Decimal(match[1]), Decimal(match[2])) for match in found)
        assert told == expected
        assert sum(told.values()) > 50
        assert sum(line.startswith("in doubt") for line in said) >= 10
        assert [line for line in said if line.endswith("(from REST)")]  # some came only so
        assert open_at_the_end(said) == {one["id"][:8]: Decimal(one["currentAmount"]) for one in offers}

    run(program, seed=seed)


def test_an_order_that_is_gone_does_not_come_back() -> None:
    example = load("private_orders")

    def update(order_id: str, action: str, remaining: str | None) -> tq.OrderUpdate:
        return tq.OrderUpdate(
            venue="zonda", instrument=MARKET, received_ns=0, order_id=order_id, venue_status=action, side="buy",
            price=Decimal(100), remaining_size=None if remaining is None else Decimal(remaining),
        )  # fmt: skip

    def state(*orders: str) -> Any:
        rows = (example.Row(name, name, MARKET, "buy", Decimal(100), Decimal(5)) for name in orders)
        return example.State(tuple(rows), (), whole=True)

    own = example.OwnOrders()
    assert list(own.restate(state("a", "b", "c"))) == [f"order {name}: 5 to buy at 100" for name in "abc"]
    assert list(own.take(update("a", "update", "4"))) == ["order a: 4 to buy at 100"]
    assert list(own.take(update("a", "remove", None))) == ["order a: gone"]
    own.doubt()
    assert list(own.restate(state("a", "b"))) == ["order c: gone"]  # REST is behind, as to a
    assert list(own.take(update("c", "update", "3"))) == []  # what waited while REST was asked
    assert list(own.take(update("b", "update", "5"))) == []  # no news
    assert list(own.take(update("d", "update", "1"))) == ["order d: 1 to buy at 100"]
    assert own.open == {"b": Decimal(5), "d": Decimal(1)}


def test_what_the_latest_pages_do_not_hold_is_said_to_be_missing() -> None:
    example = load("private_orders")

    def fills(*names: str, whole: bool) -> Any:
        rows = (example.Row(name, "o", MARKET, "buy", Decimal(100), Decimal(5)) for name in names)
        return example.State((), tuple(rows), whole)

    own = example.OwnOrders()
    assert list(own.restate(fills("1", "2", whole=False))) == []  # before the program began
    assert list(own.restate(fills("2", "3", whole=False))) == [f"fill: {MARKET} 5 at 100 (from REST)"]
    missing, *_ = own.restate(fills("8", "9", whole=False))
    assert "some are not told" in missing


def open_at_the_end(said: list[str]) -> dict[str, Decimal]:
    """Which orders rest, as far as was told."""
    resting: dict[str, Decimal] = {}
    for line in said:
        if match := re.match(r"order (\w+): (?:gone|(\S+) to )", line):
            if match[2] is None:
                del resting[match[1]]
            else:
                resting[match[1]] = Decimal(match[2])
    return resting


def test_a_state_that_cannot_be_had_is_asked_for_again() -> None:
    example = load("private_orders")

    async def program(venue: VenueMaker) -> list[str]:
        zonda = venue("zonda")
        rest = Rest.of(zonda, venue.world)
        answers = iter([b'{"status":"Fail","errors":["ACTION_LIMIT_EXCEEDED"]}', b"<html>"])

        async def get(path: str, query: Mapping[str, str]) -> bytes:
            broken = next(answers, None)
            if broken is not None:
                return broken
            return await rest.get(path, query)

        said: list[str] = []
        session = zonda.session(*example.topics_of(MARKET), credentials=zonda.credentials)
        with trio.move_on_after(10):
            await example.follow(session, MARKET, partial(example.ask_venue, get, MARKET), said.append)
        return said

    said = run(program)
    assert "again in 1 s" in said[0]
    assert "ACTION_LIMIT_EXCEEDED" in said[0]
    assert "again in 2 s" in said[1]
    assert any(line.startswith("known: ") for line in said)


# Recording ------------------------------------------------------------------------------------------


def test_the_table_holds_trades_exactly_and_says_where_one_may_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("record_to_parquet")
    topics = tq.Trades("BTC-USD"), tq.Trades("ETH-USD")

    async def program(venue: VenueMaker) -> dict[tuple[str, str], tuple[Decimal, Decimal, str]]:
        coinbase = venue("coinbase", faults=[DropLine(connection=2, after_s=10.0)])
        recorder = recording.record(tmp_path, connector=TapConnector(venue.world))
        async with coinbase.session(tq.Quotes("BTC-USD"), overflow="latest"):  # the market goes on meanwhile
            assert (
                await example.run(coinbase.session(*topics, connector=recorder), recorder, tmp_path, 30.0)
                == 0
            )
        simulator: Any = coinbase.simulator
        return {
            (name, str(one.trade_id)): (one.price, one.size, one.taker_side)
            for name, floor in simulator.market.floors.items()
            for one in floor.trades
        }

    happened = run(program)
    rows = pq.read_table(tmp_path / "trades.parquet").to_pylist()
    assert len(rows) > 100
    for row in rows:
        told = row["price"], row["size"], row["taker_side"]
        assert told == happened[row["instrument"], row["trade_id"]]
    for name in ("BTC-USD", "ETH-USD"):
        mine = [row for row in rows if row["instrument"] == name]
        ids = [int(row["trade_id"]) for row in mine]
        jumps = [now - before > 1 for before, now in pairwise(ids)]
        said = [row["missing_before"] for row in mine[1:]]
        assert any(jumps)
        assert all(told or not jump for jump, told in zip(jumps, said, strict=True))
        assert sum(said) == 1
    assert f"{len(rows)} trades, 2 of them with a hole before" in capsys.readouterr().out


@pytest.mark.tcp
@pytest.mark.endurance
def test_recording_as_a_program(serve: LoopbackMaker, tmp_path: Path) -> None:
    venue = serve("coinbase", rate=100.0)
    command = [sys.executable, "record_to_parquet.py", "coinbase", "BTC-USD", "-o", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--endpoint", venue.endpoint], cwd=EXAMPLES, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    try:
        while not venue.simulator.records.sent_to(1, "match"):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (0, "")
    assert " trades, 0 of them with a hole before\n" in out
    assert pq.read_table(tmp_path / "trades.parquet").num_rows > 0
