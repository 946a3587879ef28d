"""What every venue owes the runtime, whatever its wire looks like."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import combinations, pairwise, permutations
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.venues.bench import Bench, Line, Outbox
from tests.venues.cases import SECRET, SKELETONS, Case, Sample
from tests.venues.coinbase.case import CASE as COINBASE
from tests.venues.darwinex.quotes_feed import CASE as DARWINEX
from tests.venues.edgex.case import CASE as EDGEX
from tests.venues.upbit.case import CASE as UPBIT
from tests.venues.zonda.case import CASE as ZONDA
from trioquotes._protocol.effects import Failure, Fatal, Fetch, Options, Retry, Send, Stage, Verdict
from trioquotes._protocol.offline import Offline
from trioquotes.errors import InvalidInstrument, MissingCredentials, SessionError, UnsupportedTopic
from trioquotes.events import Notice
from trioquotes.topics import UNIFIED_TOPICS

CASES = (*SKELETONS, COINBASE, UPBIT, EDGEX, ZONDA, DARWINEX)
"""Every venue: a real one is one more name here."""

MANY = 130
REASONS = 40
"""More reasons than any venue has to ignore something; each is a key that is kept for ever."""
JUNK = (
    b"",
    b" ",
    b"\x00",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe",
    b"null",
    b"{}",
    b"[]",
    b'""',
    b"-1",
    b"NaN",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"1" * 10_000,
    b'{"type":"\\ud800"}',
    b'{"type":{"type":[]}}',
    b'{"op":"pq","op":"hb"}',
)


def name_of(case: Case) -> str:
    """The venue's name, marked where it is only a skeleton."""
    real = type(case.venue).__module__.startswith("trioquotes.")
    return case.venue.name if real else f"{case.venue.name}-skeleton"


each_venue = pytest.mark.parametrize("case", CASES, ids=name_of)
calm = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def bench(case: Case) -> Bench:
    return Bench(case.venue, credentials=case.credentials)


def served(case: Case) -> tuple[Bench, list[Outbox]]:
    """The venue with all its topics confirmed by its server."""
    play = bench(case)
    boxes = [play.subscribe(topic) for topic in case.topics]
    play.settle(case.server, patience_s=30.0)
    return play, boxes


def at_rest(play: Bench, case: Case) -> None:
    """Nothing is left to be asked, and what was asked is what is wanted."""
    for line in play.lines:
        ledger = line.state.ledger
        assert list(ledger.to_ask) == []
        assert not ledger.resyncing
        if line.protocol is None:
            continue
        assert ledger.confirmed >= ledger.wanted
        assert not case.withdraws or set(ledger.asked) == set(ledger.wanted)
        assert line.writer() == []
    waiting = [str(topic) for topic, feed in play.planner.feeds.items() if feed.awaits_snapshot]
    assert waiting == []


def line_for(play: Bench, sample: Sample) -> Line:
    return play.line(sample.lane)


# Plan.


@each_venue
def test_a_channel_has_one_home_whatever_else_is_wanted(case: Case) -> None:
    options = bench(case).options
    topics = [*case.topics, *(case.more(number) for number in range(60))]
    channels = [c for topic in topics for c in case.venue.serve(topic, options).channels]
    unique = list(dict.fromkeys(channels))
    homes = {
        channel: next(lane for lane, some in case.venue.plan((channel,), options).items() if channel in some)
        for channel in unique
    }
    some = unique[:5]
    sets = [unique, unique[::-1], unique[::2], *combinations(some, 2), *permutations(some, 3)]
    for wanted in sets:
        plan = case.venue.plan(tuple(wanted), options)
        assert plan == case.venue.plan(tuple(wanted), options)
        for channel in wanted:
            assert channel in plan[homes[channel]]


@each_venue
def test_serving_is_stable_and_makes_unifiers_afresh(case: Case) -> None:
    options = bench(case).options
    for topic in case.topics:
        one, other = case.venue.serve(topic, options), case.venue.serve(topic, options)
        assert (one.channels, one.kind, one.only) == (other.channels, other.kind, other.only)
        assert (one.make is None) == (one.kind == "native")
        assert one.channels


# Dialogue.


@each_venue
def test_asked_becomes_what_is_wanted(case: Case) -> None:
    play, boxes = served(case)
    at_rest(play, case)
    assert [box.topic for box in boxes if not box.is_confirmed] == []
    assert [box.topic for box in boxes if box.error is not None] == []


@each_venue
def test_a_second_subscriber_sends_nothing(case: Case) -> None:
    play, _ = served(case)
    more = [play.subscribe(topic) for topic in case.topics]
    assert all(box.is_confirmed for box in more)
    assert [line.writer() for line in play.lines] == [[] for _ in play.lines]


@each_venue
def test_after_a_drop_everything_is_asked_again(case: Case) -> None:
    play, boxes = served(case)
    before = {line.lane: set(line.state.ledger.asked) for line in play.lines}
    for line in play.lines:
        verdict = line.drop(1006)
        assert isinstance(verdict, Retry)
        assert not line.state.ledger.asked
    for box in boxes:
        assert {"Disconnected", "Gap"} <= set(box.kinds())
    play.settle(case.server, patience_s=120.0)
    at_rest(play, case)
    assert before == {line.lane: set(line.state.ledger.asked) for line in play.lines}
    assert all("Connected" in box.kinds() for box in boxes)


@each_venue
def test_unsubscribing_converges_one_by_one(case: Case) -> None:
    play, boxes = served(case)
    for box in boxes:
        play.unsubscribe(box)
        play.settle(case.server, patience_s=120.0)
        at_rest(play, case)
    assert not any(line.state.ledger.wanted for line in play.lines)


@each_venue
def test_a_wish_withdrawn_and_renewed_before_anything_was_sent_is_served(case: Case) -> None:
    play, boxes = served(case)
    for box in boxes:
        play.unsubscribe(box)
    again = [play.subscribe(topic) for topic in case.topics]
    play.settle(case.server, patience_s=120.0)
    at_rest(play, case)
    assert all(box.is_confirmed for box in again)


@each_venue
def test_subscribing_in_every_order_ends_the_same(case: Case) -> None:
    ends = []
    for topics in (case.topics, case.topics[::-1]):
        play = bench(case)
        for topic in topics:
            play.subscribe(topic)
            play.settle(case.server, patience_s=60.0)
        ends.append({line.lane: set(line.state.ledger.confirmed) for line in play.lines})
    assert ends[0] == ends[1]


@each_venue
def test_no_answer_is_no_end_and_no_flood(case: Case) -> None:
    play = bench(case)
    boxes = [play.subscribe(topic) for topic in case.topics]
    for line in play.lines:
        line.connect()
    for _ in range(100):
        for line in play.lines:
            line.writer()
        play.advance(1.0)
    play.assert_polite()
    assert play.spent()["send"] <= 12 * len(case.topics)  # growing delays: 0, 11, 23, 37, 55, 81 s
    assert [box.topic for box in boxes if box.error is not None] == []


# Budgets.


@each_venue
def test_many_topics_stay_within_every_budget(case: Case) -> None:
    play = bench(case)
    boxes = [play.subscribe(case.more(number)) for number in range(MANY)]
    play.settle(case.server, patience_s=MANY)
    assert all(box.is_confirmed for box in boxes)
    for line in play.lines:
        line.drop()
    play.settle(case.server, patience_s=MANY)
    for box in boxes[::2]:
        play.unsubscribe(box)
    play.settle(case.server, patience_s=MANY)
    at_rest(play, case)
    play.assert_polite()


@each_venue
def test_a_single_request_fits_every_budget(case: Case) -> None:
    play, _ = served(case)
    for line in play.lines:
        for effect in line.effects:
            assert isinstance(effect, Send | Fetch)
            for budget in case.venue.budgets:
                cost = sum(number for kind, number in effect.cost.items() if kind in budget.counts)
                assert cost <= budget.count - budget.reserve


# Time.


@each_venue
def test_deadlines_never_run_backwards_in_silence(case: Case) -> None:
    play, _ = served(case)
    for line in play.lines:
        if line.protocol is None:
            continue
        seen = [line.protocol.deadline()]
        for _ in range(60):
            if math.isinf(seen[-1]):
                break
            play.now_s = max(play.now_s, seen[-1])
            line.tick()
            line.writer()
            seen.append(line.protocol.deadline())
        assert all(earlier <= later for earlier, later in pairwise(seen))
        assert line.state.lost_reason is not None, "a line that is silent for ever is lost"
    play.assert_polite()


@each_venue
def test_an_early_tick_does_no_harm(case: Case) -> None:
    play, _ = served(case)
    for line in play.lines:
        before = line.alive.deadline()
        for _ in range(3):
            line.tick()
        assert line.alive.deadline() == before
        assert line.writer() == []
        assert line.state.lost_reason is None


# Frames.


@each_venue
@pytest.mark.parametrize("subscribers", [0, 1, 2])
def test_every_element_of_every_sample_has_one_disposition(case: Case, subscribers: int) -> None:
    for sample in case.samples:
        play = bench(case)
        for topic in case.topics * subscribers:
            play.subscribe(topic)
        if subscribers:
            play.settle(case.server, patience_s=30.0)
        else:
            idle = play.subscribe(case.topics[0])
            for other in case.topics[1:]:
                play.unsubscribe(play.subscribe(other))
            play.unsubscribe(idle)
            line_for(play, sample).connect()
        line = line_for(play, sample)
        before = line.state.tally.count()
        line.server(sample.frame)
        after = line.state.tally.count()
        assert after.elements - before.elements == sample.elements, sample.frame
        assert after.frames - before.frames == 1
        assert after.malformed == before.malformed, sample.frame


@each_venue
def test_nothing_is_confirmed_or_delivered_that_nobody_wants(case: Case) -> None:
    play, boxes = served(case)
    for box in boxes:
        play.unsubscribe(box)
    for line in play.lines:
        line.drop()
        line.connect()
    before = [line.state.tally.delivered for line in play.lines]
    for sample in case.samples:
        line_for(play, sample).server(sample.frame)
    assert before == [line.state.tally.delivered for line in play.lines]
    for line in play.lines:
        assert not line.state.ledger.asked
        assert list(line.state.ledger.to_ask) == []


@each_venue
@pytest.mark.parametrize("frame", JUNK, ids=lambda frame: repr(frame[:20]))
def test_junk_is_said_and_counted_as_one_element(case: Case, frame: bytes) -> None:
    play, _ = served(case)
    for line in play.lines:
        before = line.state.tally.count()
        line.server(frame)
        after = line.state.tally.count()
        assert after.elements - before.elements == 1


@each_venue
@calm
@given(data=st.data())
def test_no_bytes_make_receive_raise(case: Case, data: st.DataObject) -> None:
    play, boxes = served(case)
    frames = data.draw(st.lists(st.binary(max_size=80) | spoilt(case), min_size=1, max_size=6))
    lane = data.draw(st.sampled_from(play.lines))
    for frame in frames:
        lane.server(frame)
        lane.writer()
    assert len(lane.state.tally.ignored) < REASONS
    for box in boxes:
        assert all(number.is_finite() for event in box.events for number in decimals(event))


@each_venue
@calm
@given(data=st.data())
def test_broken_values_are_malformed_never_delivered(case: Case, data: st.DataObject) -> None:
    play, boxes = served(case)
    sample = data.draw(st.sampled_from(case.samples))
    line = line_for(play, sample)
    line.server(data.draw(mutated(sample)))
    for box in boxes:
        numbers = [number for event in box.events for number in decimals(event)]
        assert all(number.is_finite() for number in numbers)
    assert len(line.state.tally.ignored) < REASONS


def spoilt(case: Case) -> st.SearchStrategy[bytes]:
    """A sample with bytes cut out or put in."""
    frames = st.sampled_from([sample.frame.encode() for sample in case.samples])

    def spoil(frame: bytes, place: int, cut: int, junk: bytes) -> bytes:
        at = place % (len(frame) + 1)
        return frame[:at] + junk + frame[at + cut :]

    return st.builds(spoil, frames, st.integers(0, 2000), st.integers(0, 5), st.binary(max_size=3))


LEAVES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "NaN",
        "-1",
        "Infinity",
        "1e400",
        -1,
        0,
        10**30,
        1.5e300,
        True,
        [],
        {},
        [[]],
        {"a": None},
        "x" * 300,
    ]
)


@st.composite
def mutated(draw: st.DrawFn, sample: Sample) -> bytes:
    """A sample in which one value is another, or is missing."""
    value = json.loads(sample.frame)
    places = list(paths(value))
    where = draw(st.sampled_from(places))
    holder: Any = value
    for key in where[:-1]:
        holder = holder[key]
    if draw(st.booleans()):
        holder[where[-1]] = draw(LEAVES)
    else:
        del holder[where[-1]]
    return json.dumps(value).encode()


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in it something stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*prefix, key)
        yield from paths(inner, (*prefix, key))


def decimals(value: Any) -> Iterator[Decimal]:
    """Every number of an event."""
    if isinstance(value, Decimal):
        yield value
    elif isinstance(value, msgspec.Struct) and not isinstance(value, Notice):
        for name in value.__struct_fields__:
            yield from decimals(getattr(value, name))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from decimals(inner)


@each_venue
@pytest.mark.parametrize("native", [False, True])
def test_captured_frames_count_the_same_offline(case: Case, native: bool) -> None:
    for sample in case.samples:
        run = Offline(case.venue, native=native)
        run.feed(sample.frame.encode(), "private" if sample.lane == "private" else "")
        count = run.count()
        assert (count.frames, count.elements) == (1, sample.elements), sample.frame
        assert not count.ignored.get("not subscribed")


# Failures.


@each_venue
@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("status", [None, 400, 401, 403, 418, 429, 500, 502, 503])
def test_every_failure_has_a_verdict(case: Case, stage: Stage, status: int | None) -> None:
    play, _ = served(case)
    for line in play.lines:
        for code in (None, 1000, 1001, 1006, 1009, 1012):
            failure = Failure(stage, "it ended", status=status, close_code=code, body=b"\xff")
            verdict: Verdict = line.alive.classify(failure)
            if isinstance(verdict, Retry):
                assert 0.0 <= verdict.floor_s <= 3600.0
            else:
                assert isinstance(verdict, Fatal)
                assert isinstance(verdict.error, SessionError)
                assert status is not None or stage == "tls", "a line that broke is tried again"


# Words.

WORDS = st.text(max_size=12) | st.sampled_from(
    ["BTC-USD", "KRW-BTC", "30000001", "DWC.4.20", "ABC", "A/B", ""]
)


@each_venue
@calm
@given(word=WORDS, instrument=WORDS, native=st.booleans())
def test_words_are_understood_or_refused_as_documented(
    case: Case, word: str, instrument: str, native: bool
) -> None:
    words = [word, *(case.venue.topics if native else UNIFIED_TOPICS)]
    for name in words:
        with suppress(UnsupportedTopic, InvalidInstrument):
            topic = case.venue.topic(name, instrument, native)
            assert case.venue.serve(topic, bench(case).options).channels


@each_venue
@calm
@given(instrument=WORDS, has_credentials=st.booleans())
def test_serve_refuses_as_documented(case: Case, instrument: str, has_credentials: bool) -> None:
    options = Options(next(iter(case.venue.endpoints.values())), has_credentials=has_credentials)
    for kind in (*UNIFIED_TOPICS.values(), *case.venue.topics.values()):
        topic = kind(instrument) if "instrument" in kind.__struct_fields__ else kind()
        with suppress(UnsupportedTopic, InvalidInstrument, MissingCredentials):
            assert case.venue.serve(topic, options).channels


@each_venue
def test_what_it_calls_unified_is_what_it_serves(case: Case) -> None:
    options = bench(case).options
    known = {type(topic): topic for topic in (*case.topics, case.more(1))}
    for kind in UNIFIED_TOPICS.values():
        if kind in case.venue.unified:
            assert case.venue.serve(known[kind], options).channels if kind in known else True
        else:
            subject = getattr(case.topics[0], "instrument", "")
            topic = kind(subject) if "instrument" in kind.__struct_fields__ else kind()
            with pytest.raises(UnsupportedTopic):
                case.venue.serve(topic, options)


# Secrets.


@each_venue
def test_no_secret_shows(case: Case) -> None:
    play, boxes = served(case)
    shown: list[object] = [play.options, case.credentials, [box.events for box in boxes]]
    for line in play.lines:
        shown += [line.handshake, line.effects, line.alive, line.state.tally.count(), line.state.last_error]
        shown += [
            line.alive.classify(Failure("handshake", "no", status=status)) for status in (400, 401, 403)
        ]
    shown += [verdict.error.args for verdict in shown if isinstance(verdict, Fatal)]
    assert SECRET not in repr(shown)
    sent = [effect.frame for line in play.lines for effect in line.effects if isinstance(effect, Send)]
    opened = [line.handshake.headers for line in play.lines if line.handshake is not None]
    assert (SECRET in f"{sent}{opened}") == case.signs, "the test looks for secrets that were not used"
