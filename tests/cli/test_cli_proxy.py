"""``--proxy`` of the commands that connect: all of their connections go through it, and no password is shown."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import trio

from tests.cli.harness import ended, run_here, running, started, wait_for_line
from tests.cli.terminals import on_terminal
from tests.runtime.proxy_peers import ProxyServer, open_proxy
from trioquotes.recording import Recording

pytestmark = pytest.mark.tcp

LOGIN = "user:s3cret-word"
NAME = "venue.example"
CONNECTING = {
    "stream": ["stream", "coinbase", "trades", "BTC-USD", "--count", "3"],
    "record": ["record", "coinbase", "trades", "BTC-USD", "--count", "3", "-o", "r"],
    "doctor": ["doctor", "coinbase"],
}


@attrs.frozen
class Behind:
    """A simulated venue that only a proxy knows the way to.

    Attributes:
        endpoint: of the venue.
        port: of the proxy.
        proxy: that remembers what it was asked for.
    """

    endpoint: str
    port: int
    proxy: ProxyServer

    def words(self, login: str = LOGIN, scheme: str = "http") -> list[str]:
        return ["--endpoint", self.endpoint, "--proxy", f"{scheme}://{login}@127.0.0.1:{self.port}"]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    opened: queue.SimpleQueue[tuple[int, trio.lowlevel.TrioToken, trio.CancelScope]] = queue.SimpleQueue()

    async def serve() -> None:
        with trio.CancelScope() as scope:
            async with open_proxy(proxy) as port:
                opened.put((port, trio.lowlevel.current_trio_token(), scope))
                await trio.sleep_forever()

    with running(
        "simulate", "coinbase", "--rate", "200", cwd=tmp_path_factory.mktemp("simulator")
    ) as process:
        url = wait_for_line(process, "listening on ").removeprefix("listening on ")
        inside = int(url.rpartition(":")[2])
        proxy = ProxyServer({NAME: ("127.0.0.1", inside)}, login=LOGIN)
        thread = threading.Thread(target=trio.run, args=(serve,))
        thread.start()
        port, token, scope = opened.get(timeout=30)
        yield Behind(f"ws://{NAME}:{inside}", port, proxy)
        token.run_sync_soon(scope.cancel)
        thread.join(30)


@pytest.mark.parametrize(("name", "scheme"), [("stream", "http"), ("record", "socks5h"), ("doctor", "http")])
def test_all_connections_go_through_it(behind: Behind, tmp_path: Path, name: str, scheme: str) -> None:
    behind.proxy.asked.clear()
    result = ended(started(*CONNECTING[name], *behind.words(scheme=scheme), cwd=tmp_path))
    assert result.code == 0, result
    assert {asked.host for asked in behind.proxy.asked} == {NAME}
    assert "s3cret" not in result.out + result.err
    if name == "record":
        assert Recording(tmp_path / "r").summary().frames >= 3
    if name == "doctor":
        assert f"the proxy {scheme}://127.0.0.1:{behind.port}" in result.out


@pytest.mark.skipif(os.name == "nt", reason="no such terminals")
def test_watch_goes_through_it(behind: Behind, tmp_path: Path) -> None:
    with on_terminal("watch", "coinbase", "BTC-USD", *behind.words(), cwd=tmp_path) as tty:
        tty.wait_for(r"81,\d\d\d\.")
        tty.press("q")
        assert tty.ended() == 0


@pytest.mark.parametrize("name", ["stream", "doctor"])
def test_a_proxy_that_refuses_is_named_without_its_password(
    capfd: pytest.CaptureFixture[str], behind: Behind, name: str
) -> None:
    result = run_here(capfd, *CONNECTING[name], *behind.words("user:wrong-s3cret"))
    assert result.code == 1
    assert f"the proxy http://127.0.0.1:{behind.port}" in result.out + result.err
    assert "s3cret" not in result.out + result.err


def test_none_is_for_no_proxy_whatever_the_environment_says(
    capfd: pytest.CaptureFixture[str], behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind.proxy.asked.clear()
    monkeypatch.setenv("all_proxy", f"http://{LOGIN}@127.0.0.1:{behind.port}")
    words = "doctor", "coinbase", "--endpoint", "ws://nowhere.invalid", "--timeout", "2"
    assert "the proxy " in run_here(capfd, *words).out
    assert behind.proxy.asked
    behind.proxy.asked.clear()
    assert "the proxy " not in run_here(capfd, *words, "--proxy", "none").out
    assert behind.proxy.asked == []


@pytest.mark.parametrize("name", [*CONNECTING, "watch"])
@pytest.mark.parametrize(
    ("proxy", "said"),
    [("", "--proxy is not the URL of a proxy"), ("socks4://x", "--proxy: no proxy socks4://")],
)
def test_what_is_no_proxy_is_wrong_usage(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, name: str, proxy: str, said: str
) -> None:
    words = CONNECTING.get(name, ["watch", "coinbase", "BTC-USD"])
    result = run_here(capfd, *words, "--proxy", proxy)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"trioquotes: {said}")


@pytest.mark.parametrize("name", [*CONNECTING, "watch"])
def test_credentials_go_through_no_proxy_in_the_clear(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for part in ("KEY", "SECRET", "PASSPHRASE"):
        monkeypatch.setenv(f"COINBASE_API_{part}", "c2VjcmV0")
    words = CONNECTING.get(name, ["watch", "coinbase", "BTC-USD"])
    result = run_here(capfd, *words, "--endpoint", "ws://127.0.0.1:9", "--proxy", "http://proxy.example:3128")
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
