"""``stream --metrics``: where it serves, what it says, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.harness import ended, run_here, running, wait_for_line
from trioquotes.cli.metrics import MetricsAddress, metrics_address
from trioquotes.errors import UsageError


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("simulator")
    with running("simulate", "coinbase", "--seed", "3", cwd=folder) as process:
        yield wait_for_line(process, "listening on ").removeprefix("listening on ")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        ("0", "127.0.0.1", 0),
        ("0.0.0.0:9464", "0.0.0.0", 9464),  # noqa: S104  # what somebody may write
        ("[::1]:9464", "::1", 9464),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_a_port_is_on_loopback_unless_a_host_is_named(text: str, host: str, port: int) -> None:
    assert metrics_address(text) == MetricsAddress(host, port)


@pytest.mark.parametrize("text", ["", "x", "65536", "-1", ":9464", "::1:9464", "[::1]", "http://x:1", "1.5"])
def test_what_is_no_address_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--metrics takes a port from 0 to 65535, or HOST:PORT"):
        metrics_address(text)


def test_without_it_nothing_is_served_and_nothing_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert metrics_address(None) is None


def test_a_missing_extra_is_said_before_anything_is_started(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "trioquotes._runtime.metrics.collector", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    result = run_here(capfd, "stream", "coinbase", "trades", "BTC-USD", "--metrics", "0")
    assert (result.code, result.out) == (2, "")
    assert result.err == "trioquotes: metrics need prometheus-client: pip install trioquotes[prometheus]\n"


@pytest.mark.tcp
@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_a_stream_serves_its_figures_until_it_ends(url: str, tmp_path: Path) -> None:
    words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", url, "--metrics", "0"]
    with running(*words, cwd=tmp_path) as process:
        assert process.stderr is not None
        page = process.stderr.readline().strip().removeprefix("metrics at ")
        assert page.startswith("http://127.0.0.1:")
        wait_for_line(process, '{"event":"Trade"')
        with urllib.request.urlopen(page, timeout=30) as answer:  # noqa: S310  # our own
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            families = {each.name: each for each in text_string_to_metric_families(answer.read().decode())}
        (sample,) = families["trioquotes_events_delivered"].samples
        assert sample.labels["topic"] == "trades"
        assert sample.value >= 1
        process.send_signal(signal.SIGINT)
        result = ended(process)
    assert result.code == 130
    assert result.err.startswith("coinbase trades BTC-USD: ")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(page, timeout=30)  # noqa: S310  # our own


@pytest.mark.tcp
def test_an_address_that_cannot_be_had_is_one_line(capfd: pytest.CaptureFixture[str], url: str) -> None:
    words = ["stream", "coinbase", "trades", "BTC-USD", "--endpoint", url, "--metrics"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_here(capfd, *words, str(port))
    assert (result.code, result.out) == (1, "")
    where = f"127.0.0.1 port {port}"
    assert result.err == (
        f"trioquotes: cannot serve metrics on {where}: Address already in use; port 0 takes a free one\n"
    )
    result = run_here(capfd, *words, "no-such-host.invalid:0")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("trioquotes: --metrics no-such-host.invalid: ")
