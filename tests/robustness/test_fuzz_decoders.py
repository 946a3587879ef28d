"""Whatever a server says is taken: every frame has a disposition, nothing absurd is delivered, nothing piles up."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.robustness.hostile import (
    FRAMES,
    VALUES,
    Bytes,
    any_json,
    captured,
    each_venue,
    fields,
    spoil,
)
from tests.robustness.play import FETCHING, Play, check, fetching, judge
from tests.venues.cases import Case
from trioquotes._protocol.effects import Failure, Reply, Stage
from trioquotes._protocol.offline import Offline
from trioquotes.events import Notice

pytestmark = pytest.mark.endurance

CPU_S: Final = 10.0
"""Far more than a frame of 1 MiB takes on any machine, far less than what takes the square of its length."""
SHORT: Final = 1000
"""Characters of what is said about a frame: it is one line for people, not the frame again."""


@contextmanager
def bounded(what: object) -> Iterator[None]:
    """Not more processor time than is thinkable."""
    started_s = time.process_time()
    yield
    assert time.process_time() - started_s < CPU_S, what


# Frames.


@each_venue
def test_a_hostile_frame_is_one_more_frame(case: Case) -> None:
    play = Play(case)
    for line in play.lines:
        for frame in FRAMES:
            before = line.state.tally.count()
            with bounded(frame):
                play.say(play.line(line.lane.name), frame.data)
            after = line.state.tally.count()
            assert after.frames == before.frames + 1
            assert after.delivered == before.delivered, frame
            assert after.elements > before.elements, frame


@each_venue
def test_after_every_hostile_frame_the_stream_goes_on(case: Case) -> None:
    for sample in case.samples:
        play = Play(case)
        for frame in VALUES:
            play.say(play.line(sample.lane), frame.data)
        line = play.line(sample.lane)
        before = line.state.tally.count()
        play.say(line, sample.frame.encode())
        after = line.state.tally.count()
        assert after.malformed == before.malformed, sample.frame
        assert after.elements == before.elements + sample.elements, sample.frame


@each_venue
def test_a_hostile_value_in_any_place_of_any_frame(case: Case) -> None:
    play = Play(case)
    for sample in case.samples:
        frame = sample.frame.encode()
        for place, (start, end) in enumerate(fields(frame)):
            for value in VALUES[
                place % 2 :: 2
            ]:  # the other half in the next place: it is most often a like one
                play.say(play.line(sample.lane), frame[:start] + value.data + frame[end:])


@each_venue
def test_a_million_digits_in_any_place_of_some_frames(case: Case) -> None:
    play = Play(case)
    numbers = [frame.data for frame in FRAMES if len(frame.data) >= 1_000_000 and frame.data[:1] in b"-01"]
    assert len(numbers) >= 4
    for place, sample in enumerate(case.samples):
        frame = sample.frame.encode()
        start, end = fields(frame)[-1]
        number = numbers[place % len(numbers)]
        with bounded(sample.frame):
            play.say(play.line(sample.lane), frame[:start] + number + frame[end:])


@each_venue
@settings(max_examples=25)
@given(frames=st.lists(st.binary(max_size=60) | any_json(), min_size=1, max_size=12), data=st.data())
def test_any_bytes_and_any_json(case: Case, frames: list[bytes], data: st.DataObject) -> None:
    play = Play(case)
    name = data.draw(st.sampled_from(sorted({line.lane.name for line in play.lines})))
    for frame in frames:
        play.say(play.line(name), frame)
    play.bench.advance(1.0)


@each_venue
@settings(max_examples=25)
@given(dice=st.randoms(use_true_random=False))
def test_real_frames_after_an_accident(case: Case, dice: random.Random) -> None:
    play = Play(case)
    for _ in range(12):
        sample, other = dice.choice(case.samples), dice.choice(case.samples)
        play.say(play.line(sample.lane), spoil(sample.frame.encode(), other.frame.encode(), dice))
    play.bench.advance(1.0)


@each_venue
def test_captured_frames_after_an_accident(case: Case) -> None:
    frames = list(captured(case.venue.name))
    if not frames:
        pytest.skip("no captures")
    dice = random.Random(7)  # noqa: S311  # decides what is spoilt, keeps no secret
    run = Offline(case.venue)
    play = Play(case)
    names = sorted({line.lane.name for line in play.lines})
    for channel, frame in frames:
        for _ in range(8):
            spoilt = spoil(frame, dice.choice(frames)[1], dice)
            before = run.count().elements
            for event in run.feed(spoilt, channel):
                judge(event)
            assert run.count().elements > before, spoilt
            play.say(play.line(dice.choice(names)), spoilt)


# Memory.


@each_venue
def test_hostile_frames_leave_nothing_behind(case: Case) -> None:
    play = Play(case)
    large = [frame for frame in FRAMES if len(frame.data) > 100_000]
    assert len(large) > 10

    def once(number: int) -> None:
        line = play.lines[number % len(play.lines)]
        play.say(play.line(line.lane.name), large[number].data)

    for number in range(len(large)):
        once(number)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(len(large)):
            once(number)
        gc.collect()
        kept_bytes, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 3 * len(play.lines) << 20, "more than the last words of each line"
    assert most_bytes < 200 << 20, "two hundred times the frame"


@each_venue
def test_what_is_unknown_is_not_collected(case: Case) -> None:
    play = Play(case)
    tags = ("type", "op", "action", "channel", "topic", "code", "product_id", "ty")

    def flood(count: int, start: int) -> None:
        for number in range(start, start + count):
            for tag in tags:
                for line in play.lines:
                    play.say(play.line(line.lane.name), b'{"%s":"word %d"}' % (tag.encode(), number))

    flood(10, 0)
    gc.collect()
    tracemalloc.start()
    try:
        flood(10, 10)
        gc.collect()
        first_bytes, _ = tracemalloc.get_traced_memory()
        flood(30, 20)
        gc.collect()
        second_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    frames = 30 * len(tags) * len(play.lines)
    assert second_bytes - first_bytes < 30 * frames, "each unknown word leaves something behind"


@each_venue
def test_words_of_a_megabyte_are_not_kept(case: Case) -> None:
    play = Play(case)
    tags = ("type", "action", "topic", "code", "product_id", "channel")
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(10):
            word = b"trading/ticker/%d" % number + b"x" * (1 << 20)
            for tag in tags:
                for line in play.lines:
                    said = b'{"action":"push","type":"ticker","%s":"%s"}' % (tag.encode(), word)
                    play.say(play.line(line.lane.name), said)
        del word, said
        gc.collect()
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 3 * len(play.lines) << 20, "more than the last words of each line"


# What is said of it.


@each_venue
def test_what_is_said_of_a_huge_frame_is_short(case: Case) -> None:
    play = Play(case)
    huge = b'"' + b"x" * 100_000 + b'"'
    longest = 0
    for sample in case.samples:
        frame = sample.frame.encode()
        for start, end in fields(frame):
            line = play.line(sample.lane)
            line.server(frame[:start] + huge + frame[end:])
            for event in (event for box in play.boxes for event in box.take()):
                said = msgspec.structs.asdict(event) if isinstance(event, Notice) else {}
                longest = max([longest, *(len(text) for text in said.values() if isinstance(text, str))])
            longest = max(longest, len(line.state.last_error), len(line.state.lost_reason or ""))
    assert longest <= SHORT


# Answers over HTTP.


def endless(bodies: list[bytes]) -> Iterator[Reply | Failure]:
    """Every body with every kind of status, for ever."""
    while True:
        for body in bodies:
            yield Reply(200, {"content-type": "application/json"}, body)
        yield Reply(200, {}, b"")
        yield Reply(429, {"retry-after": "9" * 5_000}, b"\xff")
        yield Reply(500, {}, bodies[0])
        yield Failure("stream", "the connection is lost", body=bodies[0])


@pytest.mark.parametrize("case", FETCHING, ids=lambda case: case.venue.name)
@pytest.mark.parametrize("part", range(4))
def test_hostile_bodies_of_http_answers(case: Case, part: int) -> None:
    bodies = [frame.data for frame in FRAMES if len(frame.data) < 200_000][part::4]
    bench, boxes, taken = fetching(case, endless(bodies))
    assert taken > 0
    for event in (event for box in boxes for event in box.take()):
        judge(event)
    bench.assert_polite()


# Failures.

BODIES: Final = tuple(frame for frame in FRAMES if len(frame.data) <= 1 << 21)
RETRY_AFTER: Final = (
    "",
    "0",
    "-1",
    "1e9",
    "9" * 5_000,
    "\u0661\u0662",
    "soon",
    "Mon, 01 Jan 99999 00:00:00 GMT",
    "Mon, 01 Jan 2024 00:00:00 +9999",
    "Mon, 32 Feb 2024 25:61:61 GMT",
    "Mon, 01 Jan 0000 00:00:00 GMT",
    "Mon, 01 Jan 2024 00:00:00 -0000",
    format_datetime(datetime(2024, 1, 1, tzinfo=UTC), usegmt=True),
    "\x00",
    ",",
)


@each_venue
@pytest.mark.parametrize("status", [None, 200, 400, 401, 403, 418, 429, 500, 503, 999])
def test_every_body_of_a_refusal_has_a_verdict(case: Case, status: int | None) -> None:
    play = Play(case)
    for line in play.lines:
        for body in BODIES:
            failure = Failure("handshake", "refused", status=status, body=body.data, last_error="x" * 200)
            with bounded(body):
                verdict = line.alive.classify(failure)
            check(verdict, body)


@each_venue
@settings(max_examples=100)
@given(
    header=st.sampled_from(RETRY_AFTER) | st.text(max_size=30),
    date=st.sampled_from(RETRY_AFTER) | st.text(max_size=30),
    body=st.binary(max_size=40) | any_json(),
    stage=st.sampled_from(get_args(Stage)),
    status=st.none() | st.integers(-1, 1000),
    code=st.none() | st.integers(-1, 70_000),
    words=st.text(max_size=40),
)
def test_any_failure_has_a_verdict(
    *,
    case: Case,
    header: str,
    date: str,
    body: bytes,
    stage: Stage,
    status: int | None,
    code: int | None,
    words: str,
) -> None:
    line = _played(case).lines[0]
    failure = Failure(
        stage,
        words or "it ended",
        status=status,
        headers={"retry-after": header, "date": date},
        body=body,
        close_code=code,
        close_reason=words,
        last_error=words,
    )
    check(line.alive.classify(failure), failure)


_PLAYS: Final[dict[str, Play]] = {}


def _played(case: Case) -> Play:
    """One play for all examples: a verdict changes little, and what it changes is part of the test."""
    return _PLAYS.setdefault(case.venue.name, Play(case))


def test_the_hostile_ones_are_what_their_names_say() -> None:
    names = [frame.name for frame in FRAMES]
    assert len(set(names)) == len(names)
    assert all(isinstance(frame, Bytes) for frame in FRAMES)
    assert sum(len(frame.data) >= 1 << 20 for frame in FRAMES) >= 6
