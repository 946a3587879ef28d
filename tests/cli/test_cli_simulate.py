"""``simulate``: the first line that others script against, and a polite end."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.cli.harness import interrupted, run_here, running, wait_for_line
from trioquotes.cli.output import Output

SUBSCRIBE = json.dumps({"type": "subscribe", "channels": ["status"]})

pytestmark = pytest.mark.tcp

posix = pytest.mark.skipif(os.name == "nt", reason="no such signals")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_line_says_where_and_a_signal_ends_it(tmp_path: Path, number: int) -> None:
    with running("simulate", "coinbase", cwd=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on ws://127.0.0.1:")
        with socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2])), timeout=10):
            pass
        result = interrupted(process, number)
    assert (result.code, result.out) == (128 + number, "")
    assert result.err.startswith("coinbase: 0 of ")


@posix
def test_clients_hear_that_it_ends(tmp_path: Path) -> None:
    with running("simulate", "coinbase", cwd=tmp_path) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        with connect(url) as websocket:
            websocket.send(SUBSCRIBE)
            process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    websocket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert process.wait(timeout=20) == 130


def test_a_port_that_is_taken_is_one_line_and_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run_here(capfd, "simulate", "coinbase", "--port", str(taken.getsockname()[1]))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("trioquotes: cannot listen on 127.0.0.1 port ")
    assert "in use" in result.err
    assert result.err.count("\n") == 1


def test_a_host_that_is_none_is_wrong_usage(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_here(capfd, "simulate", "coinbase", "--host", "256.0.0.1.invalid")
    assert (result.code, result.out) == (2, "")
    assert "--host 256.0.0.1.invalid" in result.err


def test_a_file_that_is_no_capture_is_said_before_it_listens(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "prose.txt"
    path.write_text("# no capture\n")
    result = run_here(capfd, "simulate", "coinbase", "--capture", path)
    assert (result.code, result.out) == (2, "")
    assert f"{path}, line 1" in result.err
    path.write_text('{"raw": "{}"}\n')
    timeless = run_here(capfd, "simulate", "coinbase", "--capture", path)
    assert (timeless.code, timeless.out) == (2, "")
    assert "recv_ts" in timeless.err


@posix
@pytest.mark.parametrize("words", [[], ["--tls"], ["--seed", "5", "--rate", "2.5"]])
def test_a_signal_right_after_the_line_ends_it_cleanly(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    write = Output.write

    def write_and_interrupt(output: Output, text: str) -> None:
        write(output, text)
        if text.startswith("listening"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Output, "write", write_and_interrupt)
    result = run_here(capfd, "simulate", "coinbase", *words)
    assert result.code == 130
    assert result.out.startswith("listening on ws")
    assert result.err == "coinbase: 0 of 0 connections open, 0 messages received, 0 limits passed\n"


@posix
def test_limits_that_a_client_passed_are_told_at_the_end(tmp_path: Path) -> None:
    with running("simulate", "coinbase", cwd=tmp_path) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        with connect(url) as websocket, pytest.raises(ConnectionClosed):
            for _ in range(150):
                websocket.send(SUBSCRIBE)
            while True:
                websocket.recv(timeout=20)
        result = interrupted(process)
    assert "limit passed: messages by connection 1: more than 100 per second" in result.err
