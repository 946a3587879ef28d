"""Feeds: from a venue's messages to what the subscribers of one topic receive."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from tests.protocol.stage import TRADES, Note, Up, maker, trade, unify
from tests.venues.bench import Outbox
from trioquotes._protocol.effects import Receipt, Serving, Skip, WireChannel
from trioquotes._protocol.feeds import EventFeed, Feed, NativeFeed
from trioquotes.errors import SubscriptionRejected
from trioquotes.events import Connected, Disconnected, Gap
from trioquotes.topics import Trades

TOPIC = Trades("X")
OTHER = WireChannel("more", "X")


def events(*channels: WireChannel) -> EventFeed:
    return EventFeed("v", TOPIC, Serving(channels or (TRADES,), "events", maker))


def native() -> NativeFeed:
    return NativeFeed("v", TOPIC, Serving((TRADES,), "native"))


def joined(feed: Feed) -> Outbox:
    box = Outbox(TOPIC)
    feed.join(box, 0)
    return box


def gone(planned: bool = False) -> Disconnected:
    return Disconnected(venue="v", received_ns=9, lane="a", connection=1, reason="r", planned=planned)


def test_every_subscriber_gets_the_one_event() -> None:
    feed, made = events(), trade()
    boxes = [joined(feed), joined(feed)]
    assert feed.take(Note(makes=made), Up()) is None
    assert all(box.events == [made] and box.events[0] is made for box in boxes)


def test_a_message_may_make_several_events_or_none() -> None:
    feed = events()
    box = joined(feed)
    assert feed.take(Note(makes=(trade("1"), trade("2"))), Up()) is None
    assert feed.take(Note(makes=()), Up()) == "empty"
    assert feed.take(Note(makes=Skip("not mine")), Up()) == "not mine"
    assert box.kinds() == ["Trade", "Trade"]


def test_native_messages_are_stamped_and_keep_their_frame_if_asked() -> None:
    feed, up = native(), Up()
    box = joined(feed)
    feed.take(Note(), up)
    up.receipt = Receipt(8, b"frame")
    feed.take(Note(), up)
    stamps = [(event.received_ns, event.raw) for event in box.events if isinstance(event, Note)]
    assert stamps == [(7, None), (8, b"frame")]


def test_a_unified_topic_needs_a_unifier() -> None:
    with pytest.raises(TypeError, match="needs a unifier"):
        EventFeed("v", TOPIC, Serving((TRADES,), "events"))


def test_confirmed_when_all_channels_are() -> None:
    feed = events(TRADES, OTHER)
    box = joined(feed)
    feed.confirm(TRADES)
    feed.confirm(TRADES)
    assert not box.is_confirmed
    assert not feed.served
    feed.confirm(OTHER)
    assert box.is_confirmed
    assert feed.served
    assert joined(feed).is_confirmed


def test_a_lost_line_leaves_a_gap_where_something_was_served() -> None:
    feed = events()
    box = joined(feed)
    feed.disconnected(gone(), "disconnected", [TRADES])
    assert box.kinds() == ["Disconnected"]
    feed.confirm(TRADES)
    feed.disconnected(gone(), "message too large", [TRADES])
    _, gap = box.take()
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.topic, gap.instrument, gap.received_ns) == ("message too large", TOPIC, "X", 9)
    late = joined(feed)
    assert not late.is_confirmed
    feed.confirm(TRADES)
    assert late.is_confirmed


def test_what_another_line_serves_stays_confirmed() -> None:
    feed = events(TRADES, OTHER)
    feed.confirm(TRADES)
    feed.confirm(OTHER)
    feed.disconnected(gone(), "disconnected", [OTHER])
    assert feed.unconfirmed == {OTHER}


def test_an_interruption_is_a_gap_for_who_was_served() -> None:
    feed = events()
    box = joined(feed)
    assert not feed.interrupted("asked for again", 5)
    feed.confirm(TRADES)
    assert feed.interrupted("asked for again", 5)
    assert box.kinds() == ["Gap"]
    assert not feed.awaits_snapshot


def test_a_new_line_brings_a_new_unifier() -> None:
    made: Counter[str] = Counter()

    def count() -> object:
        made["unifiers"] += 1
        return unify

    feed = EventFeed("v", TOPIC, Serving((TRADES,), "events", count))  # type: ignore[arg-type]  # a maker that counts
    box = joined(feed)
    feed.connected(Connected(venue="v", received_ns=1, lane="a", connection=1))
    assert made["unifiers"] == 2
    assert box.kinds() == ["Connected"]


def test_the_end_reaches_everybody_once_and_nothing_comes_after_it() -> None:
    feed, error = events(), SubscriptionRejected(TOPIC, "no")
    box = joined(feed)
    feed.end(error)
    feed.end(SubscriptionRejected(TOPIC, "again"))
    feed.confirm(TRADES)
    feed.gap("late", 1)
    feed.take(Note(makes=trade()), Up())
    feed.leave(box)
    assert box.error is error
    assert box.events == []
    assert joined(feed).error is error
    assert not box.is_confirmed


def test_who_left_gets_nothing_more() -> None:
    feed = events()
    box = joined(feed)
    feed.leave(box)
    feed.take(Note(makes=trade()), Up())
    assert box.events == []


def test_the_wire_cannot_fill_our_own_fields() -> None:
    raw = msgspec.json.decode(b'{"received_ns":5,"raw":"x","makes":1}', type=Note)
    assert (raw.received_ns, raw.raw) == (0, None)
