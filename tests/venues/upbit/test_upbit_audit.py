"""Kept books against the venue's REST side, both of the simulator that was written by another hand."""

from __future__ import annotations

import trio
import trio.testing

import trioquotes as tq
from trioquotes.simulator.venues.upbit import UpbitSimulator
from trioquotes.testing import open_world

PLAN = tq.AuditPlan(every_s=10.0, lead_s=1.0, settle_s=0.5)
TOPICS = (tq.Books("KRW-BTC"), tq.Books("KRW-ETH", 7), tq.Depths("KRW-ETH"), tq.Quotes("BTC-ETH"))


async def test_right_books_pass_their_audits(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(3600):
        async with open_world(4) as world:
            place = world.serve(UpbitSimulator(seed=4, rate=5.0, wall_ns=world.wall_ns))
            async with world.session(place, *TOPICS, audit=PLAN) as stream:
                await trio.sleep(60)
                statistics = stream.statistics()
    assert {figures.topic for figures in statistics.audits} == set(TOPICS)
    for figures in statistics.audits:
        assert figures.audits >= 3, figures
        assert (figures.differing, figures.failed, figures.void) == (0, 0, 0), figures
    assert not statistics.count.gaps
