"""Help that helps, and wrong usage: one clear line, exit code 2, nothing half done."""

from __future__ import annotations

import json
import os
import signal
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.harness import Ended, ended, run_here, started
from trioquotes.cli import COMMANDS, main


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COINBASE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(capfd: pytest.CaptureFixture[str], words: list[str]) -> None:
    result = run_here(capfd, *words)
    assert (result.code, result.err) == (0, "")
    assert all(f" {name} " in result.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_says_its_words_and_examples(capfd: pytest.CaptureFixture[str], name: str) -> None:
    result = run_here(capfd, name, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Usage: trioquotes {name}" in result.out
    assert f"\n  trioquotes {name}" in result.out
    assert "--debug" in result.out


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "--version")
    assert (result.code, result.out.strip()) == (0, version("trioquotes"))


WRONG = {
    "an unknown command": (["nope"], 'Unknown command "nope": there are demo, stream, record, replay, export, '),
    "a mistyped command": (["strem"], " doctor and venues; did you mean 'stream'?"),
    "a mistyped option": (["--verison"], "Unknown option: --verison; did you mean '--version'?"),
    "a mistyped venue": (["doctor", "coinbsae"], "; did you mean 'coinbase'?"),
    "a venue in capitals": (["venues", "Upbit"], "; did you mean 'upbit'?"),
    "a mistyped simulator": (["simulate", "zond"], "; did you mean 'zonda'?"),
    "a mistyped topic": (["stream", "coinbase", "trade", "BTC-USD"], "; did you mean 'trades'?"),
    "a mistyped channel": (["stream", "coinbase", "matchs", "BTC-USD", "--native"], "; did you mean 'matches'?"),
    "a channel for a topic": (["stream", "coinbase", "matches", "BTC-USD"], "own: add --native"),
    "a topic for a channel": (["stream", "coinbase", "quotes", "BTC-USD", "--native"], "topic: leave out --native"),
    "a mistyped endpoint": (["doctor", "coinbase", "--endpoint", "sandbx"], "; did you mean 'sandbox'?"),
    "words too many": (["venues", "coinbase", "upbit"], "venues has no use for 'upbit': trioquotes venues [VENUE]"),
    "an option without its value": (["record", "coinbase", "trades", "BTC-USD", "-o"], "-o needs a value: trioquotes record"),
    "an option that is missing": (["export", "r"], "export needs --output: trioquotes export DIR -o OUT"),
    "a fraction of an event": (["stream", "coinbase", "trades", "BTC-USD", "--count", "1.5"], "--count must be a whole number, not '1.5'"),
    "a fraction of a port": (["simulate", "coinbase", "--port", "80.5"], "trioquotes: --port must be a whole number"),
    "a fraction of a seed": (["simulate", "coinbase", "--seed", "1.5"], "--seed must be a whole number"),
    "no speed": (["replay", ".", "--speed", "0"], "--speed must be a number above 0, not 0"),
    "no folder for a recording": (["record", "coinbase", "trades", "BTC-USD", "-o", ""], "trioquotes: -o must not be empty"),
    "no folder of a recording": (["replay", ""], "DIR must not be empty"),
    "an unknown option": (["venues", "--nope"], "--nope"),
    "a missing venue": (["stream"], "stream needs VENUE: trioquotes stream VENUE TOPIC INSTRUMENT..."),
    "a missing file": (["decode", "coinbase"], "FILE"),
    "no number": (["demo", "--seconds", "soon"], "trioquotes: --seconds must be a number, not 'soon'"),
    "no time": (["demo", "--seconds", "0"], "--seconds must be a number above 0, not 0"),
    "an endless time": (["demo", "--seconds", "inf"], "not inf"),
    "no real time": (["stream", "coinbase", "trades", "BTC-USD", "--seconds", "nan"], "not nan"),
    "no count": (["stream", "coinbase", "trades", "BTC-USD", "--count", "0"], "--count must be at least 1, not 0"),
    "a venue to stream": (["stream", "nope", "trades", "BTC-USD"], "'nope'"),
    "a venue to simulate": (["simulate", "nope"], "'nope'"),
    "a venue to decode": (["decode", "nope", "-"], "'nope'"),
    "a venue to show": (["venues", "nope"], "'nope'"),
    "a topic": (["stream", "coinbase", "candles", "BTC-USD"], "'candles'"),
    "a native word without --native": (["stream", "coinbase", "matches", "BTC-USD"], "'matches'"),
    "a channel": (["stream", "coinbase", "trades", "BTC-USD", "--native"], "'trades'"),
    "an instrument's form": (["stream", "coinbase", "trades", "btc-usd"], "did you mean 'BTC-USD'"),
    "an empty instrument": (["stream", "coinbase", "trades", ""], "must not be empty"),
    "an instrument that is missing": (["stream", "coinbase", "trades"], "needs an instrument"),
    "an instrument too many": (["stream", "coinbase", "instruments", "BTC-USD"], "takes no instrument"),
    "an endpoint's name": (["stream", "coinbase", "trades", "BTC-USD", "--endpoint", "moon"], "'moon'"),
    "an endpoint's URL": (["stream", "coinbase", "trades", "BTC-USD", "--endpoint", "http://x"], "'http://x'"),
    "a key": (["stream", "coinbase", "orders", "BTC-USD"], "set COINBASE_API_KEY, COINBASE_API_SECRET and COINBASE_API_PASSPHRASE"),
    "a key for an endpoint": (["stream", "coinbase", "trades", "BTC-USD", "--endpoint", "direct"], "COINBASE_API_KEY"),
    "an authority": (["stream", "coinbase", "trades", "BTC-USD", "--ca", "/nowhere.pem"], "trioquotes: --ca /nowhere.pem: "),
    "a port": (["simulate", "coinbase", "--port", "65536"], "--port must be from 0 to 65535, not 65536"),
    "a host": (["simulate", "coinbase", "--host", ""], "--host must not be empty"),
    "a rate": (["simulate", "coinbase", "--rate", "-1"], "--rate must be a number above 0, not -1"),
    "a rate that the venue cannot have": (["simulate", "darwinex", "--rate", "1000000"], "darwinex: "),
    "a speed": (["simulate", "coinbase", "--capture", "x", "--speed", "warp"], "warp"),
    "a speed of no capture": (["simulate", "coinbase", "--speed", "max"], "--speed is for a --capture"),
    "a seed for a capture": (["simulate", "coinbase", "--capture", "x", "--seed", "1"], "--seed"),
    "a capture to play": (["simulate", "coinbase", "--capture", "/nowhere.jsonl"], "/nowhere.jsonl"),
    "a capture to decode": (["decode", "coinbase", "/nowhere.jsonl"], "/nowhere.jsonl: No such file"),
    "books of native messages": (["decode", "coinbase", "x", "--books", "--native"], "--books and --native"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_is_one_line_and_code_2(capfd: pytest.CaptureFixture[str], what: str) -> None:
    words, said = WRONG[what]
    result = run_here(capfd, *words)
    assert result.code == 2, result.err
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert result.err.startswith("trioquotes: ")
    assert said in result.err


@pytest.mark.parametrize("words", [["--debug", "venues", "nope"], ["venues", "nope", "--debug"]])
def test_debug_adds_the_traceback_before_and_after_the_command(
    capfd: pytest.CaptureFixture[str], words: list[str]
) -> None:
    result = run_here(capfd, *words)
    assert result.code == 2
    assert result.err.startswith("Traceback")
    assert result.err.splitlines()[-1].startswith("trioquotes: no venue")


def test_after_two_hyphens_debug_is_a_word_like_any_other(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "stream", "coinbase", "trades", "--", "--debug")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "'--debug' is not a Coinbase product id" in result.err


def test_half_of_the_credentials_name_the_other_half(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINBASE_API_KEY", "k")
    result = run_here(capfd, "stream", "coinbase", "trades", "BTC-USD")
    assert (result.code, result.err) == (
        2,
        "trioquotes: environment variable COINBASE_API_SECRET is not set\n",
    )


def test_a_file_without_a_certificate_is_no_authority(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    result = run_here(capfd, "stream", "coinbase", "trades", "BTC-USD", "--ca", path)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"trioquotes: --ca {path} holds no certificate in PEM form\n"


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    process = started("venues", "nope", cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("words", [["--help"], ["venues", "--json"], ["venues"]])
def test_a_closed_standard_output_ends_quietly(tmp_path: Path, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    process = started(*words, cwd=tmp_path, stdout=write)
    os.close(write)
    assert ended(process) == Ended(0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="no such way to start a process")
def test_nothing_to_read_from_and_nobody_to_tell_are_no_bugs(tmp_path: Path) -> None:
    result = ended(
        started("decode", "coinbase", "-", cwd=tmp_path, stdin=None, preexec_fn=lambda: os.close(0))
    )
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("trioquotes: standard input, line 1: the file is empty")
    process = started("venues", "zonda", "--json", cwd=tmp_path, stderr=None, preexec_fn=lambda: os.close(2))
    result = ended(process)
    assert (result.code, json.loads(result.out)["name"]) == (0, "zonda")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is full on demand")
@pytest.mark.parametrize("words", [["venues", "zonda", "--json"], ["venues"], ["--help"], ["--version"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_full_is_named(tmp_path: Path, words: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        result = ended(started(*words, cwd=tmp_path, stdout=full, env={"PYTHONUNBUFFERED": unbuffered}))
    said = "trioquotes: standard output: No space left on device: make room there, or choose another place\n"
    assert (result.code, result.err) == (1, said)


def test_after_the_work_one_more_ctrl_c_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("sys.argv", ["trioquotes", "venues", "nope"])
    try:
        with pytest.raises(SystemExit):
            main()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="no such way to start a process")
def test_no_standard_output_at_all_ends_quietly(tmp_path: Path) -> None:
    process = started("venues", cwd=tmp_path, stdout=None, preexec_fn=lambda: os.close(1))
    assert ended(process) == Ended(0, "", "")
