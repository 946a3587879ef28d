"""Ctrl-C, SIGTERM and the clock as requests to end."""

from __future__ import annotations

import signal

import pytest
import trio
from trio.testing import MockClock

from trioquotes.cli.stopping import GRACE_S, Stop, run, stoppable

ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
if hasattr(signal, "SIGHUP"):
    ENDS.append((signal.SIGHUP, 129))


@pytest.mark.parametrize(("number", "code"), ENDS)
async def test_a_signal_ends_the_waiting_and_says_why(
    autojump_clock: MockClock, number: int, code: int
) -> None:
    with trio.fail_after(10):
        async with stoppable() as stop:
            with stop.ending() as scope:
                signal.raise_signal(number)
                await trio.sleep_forever()
            assert scope.cancelled_caught
    assert (stop.requested, stop.exit_code) == (True, code)


async def test_the_clock_ends_it_as_a_success(autojump_clock: MockClock) -> None:
    started_s = trio.current_time()
    async with stoppable(3.0) as stop:
        with stop.ending():
            await trio.sleep_forever()
    assert (trio.current_time() - started_s, stop.exit_code) == (3.0, 0)


async def test_a_grace_lets_what_is_quick_be_finished(autojump_clock: MockClock) -> None:
    with trio.fail_after(10):
        async with stoppable(1.0) as stop:
            with stop.ending(GRACE_S) as quick:
                await stop.wait()
                await trio.sleep(GRACE_S / 2)
            with stop.ending(GRACE_S) as slow:
                await trio.sleep(GRACE_S * 2)
    assert (quick.cancelled_caught, slow.cancelled_caught) == (False, True)


async def test_after_the_request_a_block_that_may_not_wait_ends_at_its_first_checkpoint(
    autojump_clock: MockClock,
) -> None:
    stop = Stop()
    stop.request(130)
    stop.request(0)
    with stop.ending() as scope:
        await trio.sleep_forever()
    assert scope.cancelled_caught
    assert stop.exit_code == 130, "the first request says why"


async def test_the_default_handler_is_back_after_the_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    async with stoppable():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal")
async def test_a_hangup_that_nohup_made_mean_nothing_means_nothing(autojump_clock: MockClock) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with stoppable() as stop:
            with trio.move_on_after(5), stop.ending():
                signal.raise_signal(signal.SIGHUP)
                await trio.sleep_forever()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not stop.requested


@pytest.mark.parametrize(("number", "code"), ENDS[1:])
def test_before_the_block_other_signals_cancel_the_work(number: int, code: int) -> None:
    cleaned = []

    async def work() -> int:
        with trio.fail_after(30):
            try:
                signal.raise_signal(number)
                await trio.sleep_forever()
            finally:
                cleaned.append(True)
        return 0

    assert run(work) == code
    assert cleaned == [True]


def test_what_the_work_raises_comes_as_it_is() -> None:
    async def work() -> int:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(work)


def test_before_the_block_ctrl_c_is_an_exception_of_the_main_task() -> None:
    ended = []

    async def work() -> int:
        try:
            signal.raise_signal(signal.SIGINT)
            ended.append("not in the middle of the code")
            await trio.sleep_forever()
        except KeyboardInterrupt:
            ended.append("at a checkpoint")
            raise

    with pytest.raises(KeyboardInterrupt):
        run(work)
    assert ended == ["not in the middle of the code", "at a checkpoint"]
