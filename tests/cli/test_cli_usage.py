"""Help that helps, and wrong usage: one clear line, exit code 2, nothing half done."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.harness import Ended, ended, run_here, started
from trioquotes.cli import COMMANDS


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
    "an unknown command": (["nope"], 'Unknown command "nope"'),
    "an unknown option": (["venues", "--nope"], "--nope"),
    "a missing venue": (["stream"], "VENUE"),
    "a missing file": (["decode", "coinbase"], "FILE"),
    "no number": (["demo", "--seconds", "soon"], '"soon"'),
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
    "a key": (["stream", "coinbase", "orders", "BTC-USD"], "COINBASE_API_KEY, COINBASE_API_SECRET"),
    "a key for an endpoint": (["stream", "coinbase", "trades", "BTC-USD", "--endpoint", "direct"], "COINBASE_API_KEY"),
    "an authority": (["stream", "coinbase", "trades", "BTC-USD", "--ca", "/nowhere.pem"], "/nowhere.pem"),
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
    assert result.err == f"trioquotes: {path} holds no certificate in PEM form\n"


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
def test_no_standard_output_at_all_ends_quietly(tmp_path: Path) -> None:
    process = started("venues", cwd=tmp_path, stdout=None, preexec_fn=lambda: os.close(1))
    assert ended(process) == Ended(0, "", "")
