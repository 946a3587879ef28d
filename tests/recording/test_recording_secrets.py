"""Unique tokens in every credential, repeated by venues wherever they have words: no recording holds one in any form."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recording.rec_sessions import replayed
from tests.sweeps.sweep_canary import Catch
from tests.sweeps.sweep_clients import ACCOUNT_ID, CLIENTS, Client, OwnError, shown
from tests.sweeps.test_sweep_echoes import body, echo, words
from trioquotes._protocol.effects import Endpoint, HttpRequest, Reply
from trioquotes._protocol.veil import Veil
from trioquotes._runtime.connector import Connector, Line, Target
from trioquotes._runtime.transport import TapConnector
from trioquotes.recording import Recording, record
from trioquotes.recording import records as kept
from trioquotes.recording.curtain import Curtain, masked, plain_url
from trioquotes.recording.format import SegmentReader, encode_record
from trioquotes.simulator.faults import DropLine, FailRest, RefuseHandshake, SayOften


class Late:
    """A connector that is told later which world it is for."""

    inner: Connector

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        return self.inner.line(target)

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        return await self.inner.fetch(request, timeout_s=timeout_s, ssl_context=ssl_context)


def inflated(folder: Path) -> Iterator[bytes]:
    """Every byte of every record, as it is behind the compression."""
    for path in sorted(folder.iterdir()):
        yield from SegmentReader().feed(path.read_bytes())


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_no_recording_holds_a_secret(client: Client, tmp_path: Path) -> None:
    late = Late()
    said = words(client)
    texts = [
        body(said),
        f"no JSON: {said}",
        f'{{"type": "ticker", "op": "pq", "topic": "trading/ticker/btc-pln", "price": "{said}"}}',
        f'{{"type": "error", "message": "{said}"}}',
    ]
    faults = (
        RefuseHandshake(
            connection=2, status=503, headers=(("X-Echo", said), ("Retry-After", "1")), body=body(said)
        ),
        *(SayOften(text=text, after_s=1.0 + at, count=1) for at, text in enumerate(texts)),
        *(() if client.venue == "darwinex" else (FailRest(nth=1, status=503, body=body(said)),)),
        DropLine(connection=1, after_s=8.0, how="close", code=1008, reason=echo(*client.secrets)[:100]),
    )

    def good(world: Any, served: Any) -> Any:
        late.inner = TapConnector(world)
        return client.good(world, served)

    recorder = record(tmp_path, connector=late)
    options = {**client.options, "connector": recorder}
    recorded = attrs.evolve(client, good=good, options=options)
    catch, error = shown(recorded, recorded.good, *faults, read_s=90.0)
    assert isinstance(error, OwnError), repr(error)
    assert recorder.status().error is None
    data = b"\n".join(inflated(tmp_path)).decode("latin-1")
    catch.text("the recording", data)
    for path in tmp_path.iterdir():
        catch.text("the file", path.read_bytes().decode("latin-1"))
    catch.thing("the recorder", recorder)
    catch.thing("its status", recorder.status())
    catch.thing("the summary", Recording(tmp_path).summary())
    assert catch.found == []
    if client.secrets:
        assert "echo of ***" in data
    # It replays without them, also where they came from a provider and were renewed.
    assert len(replayed(tmp_path)[0].lines) > 10
    assert {"FramesReceived", "FrameSent", "LineRefused", "LineLost"} <= set(
        Recording(tmp_path).summary().records
    )
    if client.venue in {"coinbase", "zonda"}:  # where signatures travel in requests
        sent = [entry.frame for entry in Recording(tmp_path).read() if isinstance(entry, kept.FrameSent)]
        assert any(b"***" in frame for frame in sent)


SECRET = "a secret + of the / test, long enough"
PLACES = (
    "key",
    "signature",
    "passphrase",
    "hashSignature",
    "publicKey",
    "unheard of",
    "args",
    "params",
    "token",
)


@given(st.sampled_from(PLACES), st.sampled_from(["{}", "[{}]", '{{"more": {}}}', '[1, {{"x": [{}]}}]']))
def test_nothing_is_kept_of_a_request_under_a_key_that_is_not_known(key: str, form: str) -> None:
    value = msgspec.json.decode(form.format(msgspec.json.encode(SECRET).decode()))
    frame = msgspec.json.encode({"type": "subscribe", key: value, "channels": [{"name": "user", key: value}]})
    found = masked(frame)
    assert SECRET.encode() not in found
    assert msgspec.json.decode(found)["type"] == "subscribe"
    assert msgspec.json.decode(found)["channels"][0]["name"] == "user"


@pytest.mark.parametrize(
    "frame", [SECRET.encode(), b"\xff\xfe", b"[" * 100_000, b'"%s"' % SECRET.encode(), b"12345678"]
)
def test_a_frame_that_is_no_object_is_masked_as_a_whole(frame: bytes) -> None:
    assert SECRET.encode() not in masked(frame)
    assert frame not in masked(frame)


def test_what_is_asked_for_stays_readable() -> None:
    frame = b'{"type":"subscribe","channels":[{"name":"matches","product_ids":["BTC-USD"]}],"key":"k","timestamp":1}'
    assert masked(frame) == (
        b'{"type":"subscribe","channels":[{"name":"matches","product_ids":["BTC-USD"]}],"key":"***","timestamp":"***"}'
    )
    assert masked(b"PING") == b"PING"


@given(
    st.text("abcdefghijXYZ0123456789+/=.", min_size=8, max_size=40), st.binary(max_size=40), st.binary(max_size=40),
    st.integers(1, 4),
)  # fmt: skip
def test_the_quick_look_finds_what_the_veil_finds(
    secret: str, before: bytes, after: bytes, times: int
) -> None:
    veil = Veil()
    veil.cover("me", secret)
    curtain = Curtain(veil, has_credentials=True)
    frame = b'{"price":"1.5","text":"' + before + secret.encode() + after + b'"}'
    plain = b'{"price":"1.5","text":"plain"}'
    for _ in range(times):  # what was found to be clean is remembered
        assert curtain.received([plain, frame, plain]) == [plain, veil.hide_bytes(frame), plain]
    veil.cover("me", secret, "another secret of the session")
    frame = b'{"text":"another secret of the session"}'
    assert curtain.received([frame]) == [b'{"text":"***"}']


def test_without_secrets_frames_pass_as_they_are() -> None:
    curtain = Curtain(Veil(), has_credentials=False)
    assert curtain.received([b"one", b"two"]) == [b"one", b"two"]
    assert curtain.sent(b'{"key":"of nobody"}') == b'{"key":"of nobody"}'


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("wss://user:secret@host:1/path?token=secret#secret", "wss://host:1/path"),
        ("https://host/path", "https://host/path"),
        ("ws://[::1]:8/", "ws://[::1]:8/"),
    ],
)
def test_of_a_url_neither_user_nor_query_is_kept(url: str, plain: str) -> None:
    assert plain_url(url) == plain
    curtain = Curtain(Veil(), has_credentials=True)
    assert curtain.endpoint(Endpoint(url, rest=url))["public"] == plain


def test_account_numbers_are_no_secrets() -> None:
    """They are part of what is received; this is to see that the search above would find them."""
    catch = Catch()
    catch.text(
        "a record",
        encode_record(kept.FrameSent(wall_ns=0, monotonic_s=0.0, frame=ACCOUNT_ID.encode())).decode(
            "latin-1"
        ),
    )
    assert catch.showed(ACCOUNT_ID)
