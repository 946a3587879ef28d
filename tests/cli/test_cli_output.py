"""Standard output as a pipe: nothing is kept back, nothing blocks the event loop, a reader that leaves is noticed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trioquotes.cli.exits import ClosedOutput
from trioquotes.cli.output import Output


@contextmanager
def piped() -> Iterator[tuple[Output, TextIO]]:
    """Standard output is the writing end of a pipe; gives it, and the reading end."""
    read, write = os.pipe()
    before = sys.stdout
    with os.fdopen(read, encoding="utf-8") as reader, os.fdopen(write, "w", encoding="utf-8") as writer:
        sys.stdout = writer  # in the test itself: pytest sets it anew after every fixture
        try:
            yield Output(), reader
        finally:
            sys.stdout = before


def test_what_is_written_has_left() -> None:
    with piped() as (output, reader):
        output.write("a line ä\n")
        assert reader.readline() == "a line ä\n"


def test_a_pipe_is_told_from_a_file_and_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with piped() as (output, _):
        assert output.is_pipe
    for path in (tmp_path / "out", os.devnull):
        with open(path, "w", encoding="utf-8") as file, monkeypatch.context() as patch:  # noqa: PTH123
            patch.setattr("sys.stdout", file)
            assert not Output().is_pipe


def test_a_reader_that_left_is_an_end() -> None:
    with piped() as (output, reader):
        reader.close()
        with pytest.raises(ClosedOutput):
            output.write("nobody reads this\n")


def test_without_a_file_below_the_text_goes_to_who_captures_it(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    assert not output.is_terminal
    assert not output.is_pipe
    output.write("captured\n")
    assert capsys.readouterr().out == "captured\n"


async def test_a_reader_that_stopped_reading_blocks_no_event_loop() -> None:
    with piped() as (output, reader), trio.fail_after(10):
        with trio.move_on_after(0.05) as scope:
            await output.send("x" * 1_000_000)
        assert scope.cancelled_caught
        await trio.to_thread.run_sync(reader.read, 1_000_000)  # lets the thread that was left behind end


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is noticed with the next write")
async def test_a_reader_that_leaves_is_noticed_without_a_write() -> None:
    with piped() as (output, reader), trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(output.wait_closed)
            await wait_all_tasks_blocked()
            reader.close()


async def test_no_pipe_is_never_closed(capsys: pytest.CaptureFixture[str], autojump_clock: MockClock) -> None:
    with trio.move_on_after(3600) as scope:
        await Output().wait_closed()
    assert scope.cancelled_caught
