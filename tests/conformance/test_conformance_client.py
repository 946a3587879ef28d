"""The echo client answers with the kind that came, and the program's end tells whether a case failed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.__main__ import main, run
from tests.conformance.client import TRANSPORTS, Kinds
from tests.conformance.test_conformance_report import write_report
from tests.runtime.wire_peers import BINARY, CLOSE, PING, TEXT, ClientFrame, Peer, close, frame
from tests.runtime.wire_streams import pieces

messages = st.tuples(
    st.sampled_from([TEXT, BINARY]), st.sampled_from([0, 1, 125, 126, 65535, 65536]), st.integers(1, 3)
)


@given(sent=st.lists(messages, max_size=5), cuts=st.lists(st.integers(0, 1 << 18), max_size=8))
def test_kinds_of_messages_are_read_however_the_stream_is_cut(
    sent: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    for opcode, size, parts in sent:
        for part in range(parts):
            stream += frame(0 if part else opcode, b"\x02" * size, fin=part == parts - 1) + frame(PING, b"p")
    kinds = Kinds()
    for piece in pieces(stream, cuts):
        kinds.feed(piece)
    assert list(kinds.found) == [opcode for opcode, _, _ in sent]


CASES = {"1": "1.1.1", "2": "1.2.1", "3": "12.1.1"}


async def fuzzing(heard: list[ClientFrame], stream: trio.abc.Stream) -> None:
    """A fuzzing server with three cases, whose reports were written before."""
    peer = Peer(stream)
    await peer.accept()
    question = peer.request.split()[1].decode()
    number = question.partition("case=")[2].partition("&")[0]
    answers = {
        "/getCaseCount": frame(TEXT, b"3"),
        "/getCaseInfo": frame(TEXT, json.dumps({"id": CASES.get(number)}).encode()),
        "/getCaseStatus": frame(TEXT, b'{"behavior": "OK"}'),
        "/runCase": frame(BINARY, b"\xff") + frame(TEXT, "ü".encode()),
    }
    await peer.send(answers.get(question.partition("?")[0], b""))
    if question.startswith("/runCase"):
        heard += [each for _ in range(2) if (each := await peer.read_frame()) is not None]
    await peer.send(close(1000))
    await peer.read_all()


@pytest.mark.tcp
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("behavior", "code"), [("OK", 0), ("FAILED", 1)])
async def test_program_plays_every_case_and_fails_with_one_of_them(
    transport: str, behavior: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[ClientFrame] = []
    compressed = "UNIMPLEMENTED" if TRANSPORTS[transport].unimplemented else "OK"
    write_report(
        tmp_path,
        f"trioquotes-{transport}",
        {"1.1.1": ("OK", "OK"), "1.2.1": (behavior, "OK"), "12.1.1": (compressed, "OK")},
    )
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, partial(fuzzing, heard), 0, host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
            given = ["--url", url, "--reports", str(tmp_path), "--transport", transport]
            assert await run(given) == code
            nursery.cancel_scope.cancel()
    assert heard == [ClientFrame(BINARY, b"\xff"), ClientFrame(TEXT, "ü".encode())] * 3
    assert ("FAILED 1.2.1" in capsys.readouterr().out) is bool(code)


@pytest.mark.tcp
async def test_case_of_compression_may_be_left_out_only_where_none_is_offered(tmp_path: Path) -> None:
    ends = {}
    for transport in TRANSPORTS:
        cases = {"1.1.1": ("OK", "OK"), "1.2.1": ("OK", "OK"), "12.1.1": ("UNIMPLEMENTED", "OK")}
        write_report(tmp_path, f"trioquotes-{transport}", cases)
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                serve = partial(trio.serve_tcp, partial(fuzzing, []), 0, host="127.0.0.1")
                (listener,) = await nursery.start(serve)
                url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
                given = ["--url", url, "--reports", str(tmp_path), "--transport", transport]
                ends[transport] = await run(given)
                nursery.cancel_scope.cancel()
    assert ends == {"tap": 0, "tap-deflate": 1, "plain": 0}


def test_server_that_is_not_there_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "ws://127.0.0.1:9"]) == 2
    assert "NOTHING WAS JUDGED" in capsys.readouterr().out


def test_interpreter_without_the_suite_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = tmp_path / "python2"
    silent.write_text("#!/bin/sh\necho no module named twisted\n")
    silent.chmod(0o755)
    assert main(["--python2", str(silent), "--reports", str(tmp_path)]) == 2
    assert "no module named twisted" in capsys.readouterr().out


def test_closing_opcode_is_no_message() -> None:
    kinds = Kinds()
    kinds.feed(b"HTTP/1.1 101\r\n\r\n" + frame(CLOSE, b"\x03\xe8") + frame(TEXT))
    assert list(kinds.found) == [TEXT]
