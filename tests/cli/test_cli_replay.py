"""``replay``: it prints what the session had, as ``stream`` prints it."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

import trioquotes as tq
from tests.cli.harness import Ended, run_here, running, wait_for_line
from trioquotes.cli.lines import event_lines
from trioquotes.venues import coinbase

pytestmark = pytest.mark.tcp

TOPICS = tq.Books("BTC-USD"), tq.Trades("ETH-USD"), coinbase.Tickers("BTC-USD")


@attrs.frozen
class Kept:
    """A real session over loopback, in real time.

    Attributes:
        folder: of its recording.
        text: what ``stream`` would have printed.
    """

    folder: Path
    text: str


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    home = tmp_path_factory.mktemp("recording")
    events: list[tq.Event] = []

    async def live(url: str) -> None:
        connector = tq.record(home / "r")
        async with tq.Session("coinbase", *TOPICS, endpoint=url, connector=connector) as stream:
            with trio.move_on_after(1.5):
                async for event in stream:
                    events.append(event)

    with running("simulate", "coinbase", "--seed", "3", "--rate", "200", cwd=home) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        trio.run(live, url)
    return Kept(home / "r", event_lines(events, "coinbase"))


def replay(capfd: pytest.CaptureFixture[str], kept: Kept, *words: str) -> Ended:
    return run_here(capfd, "replay", kept.folder, *words)


@pytest.mark.parametrize("speed", ["max", "20"])
def test_everything_is_printed_as_it_was(capfd: pytest.CaptureFixture[str], kept: Kept, speed: str) -> None:
    result = replay(capfd, kept, "--speed", speed)
    assert result.code == 0
    assert kept.text.count("\n") > 30
    # What came while the session was being left was recorded, and read by nobody.
    assert result.out.startswith(kept.text)
    assert result.out.count("\n") - kept.text.count("\n") < 20
    assert result.err.startswith(f"{kept.folder}: ")
    assert " 0 malformed; 0 gaps" in result.err
    assert result.err.count("\n") == 1


def test_other_topics_can_be_asked_for(capfd: pytest.CaptureFixture[str], kept: Kept) -> None:
    result = replay(capfd, kept, "quotes", "BTC/USD", "--speed", "max", "--count", "3")
    assert result.code == 0
    assert [event["event"] for event in result.events] == ["Connected", *["Quote"] * 3]
    native = replay(capfd, kept, "matches", "ETH-USD", "--speed", "max", "--native", "--count", "1")
    assert native.events[-1]["event"] in {"coinbase.Match", "coinbase.LastMatch"}


def test_what_was_not_recorded_is_named(capfd: pytest.CaptureFixture[str], kept: Kept) -> None:
    result = replay(capfd, kept, "trades", "BTC-USD")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("trioquotes: trades BTC-USD: the recording has no channel matches:BTC-USD;")


def test_seconds_end_it_and_summary_is_a_ledger(capfd: pytest.CaptureFixture[str], kept: Kept) -> None:
    result = replay(capfd, kept, "--seconds", "0.5", "--summary", "--speed", "0.5")
    assert result.code == 0
    assert 0 < result.out.count("\n") < kept.text.count("\n")
    assert result.err.startswith('{"frames": ')


def test_a_torn_end_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], kept: Kept, tmp_path: Path
) -> None:
    data = (kept.folder / "000001.tqr").read_bytes()
    (tmp_path / "000001.tqr").write_bytes(data[:-10])
    result = run_here(capfd, "replay", tmp_path, "--speed", "max")
    assert result.code == 0
    torn, _total = result.err.splitlines()
    assert torn.startswith(f"trioquotes: {tmp_path}/000001.tqr: its end is missing after ")
    assert kept.text.startswith(result.out) or result.out.startswith(kept.text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["replay"], (2, "DIR")),
        (["replay", "nothing"], (1, "nothing: there is no recording: there is no such folder")),
        (["replay", "nothing", "--speed", "fast"], (2, "--speed is a number or max, not 'fast'")),
        (["replay", "nothing", "--native"], (2, "--native needs a channel")),
    ],
)
def test_what_goes_wrong_is_one_line(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    expected: tuple[int, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run_here(capfd, *words)
    code, said = expected
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert result.err.count("\n") == 1
