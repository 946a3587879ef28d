from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioquotes.simulator.faults import (
    AckFate,
    AlterFrame,
    CorruptFrame,
    DelayAck,
    DropLine,
    DuplicateFrame,
    Fault,
    GarbageHandshake,
    HangHandshake,
    LineFaults,
    NeverSend,
    PartialAck,
    RefuseHandshake,
    RejectRequest,
    SkipFrame,
    SwapFrames,
    WithholdAck,
    faults_from_json,
    faults_to_json,
    handshake_fault,
)
from trioquotes.simulator.limits import RollingLimit, TokenBucket

SCRIPT: tuple[Fault, ...] = (
    RefuseHandshake(status=429, headers=(("Retry-After", "2"),), connection=1),
    DropLine(after_s=3.5, how="reset"),
    CorruptFrame(kind="match", nth=2, text="{"),
    PartialAck(leave_out=("BTC-USD",), nth=1),
)


def test_a_script_survives_json() -> None:
    assert faults_from_json(faults_to_json(SCRIPT)) == SCRIPT


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        (SkipFrame(kind="m", nth=2), ["m1", "m3", "m4"]),
        (SkipFrame(kind="m", nth=2, count=2), ["m1", "m4"]),
        (NeverSend(kind="m"), []),
        (DuplicateFrame(kind="m", nth=3), ["m1", "m2", "m3", "m3", "m4"]),
        (SwapFrames(kind="m", nth=2), ["m1", "m3", "m2", "m4"]),
        (DuplicateFrame(kind="m", nth=2, later=2), ["m1", "m2", "m3", "m4", "m2"]),
        (CorruptFrame(kind="m", nth=1), ["m", "m2", "m3", "m4"]),
        (CorruptFrame(kind="m", nth=1, text="?"), ["?", "m2", "m3", "m4"]),
        (AlterFrame(kind="m", nth=2, find=r"m(\d)", put=r"-\g<1>"), ["m1", "-2", "m3", "m4"]),
        (AlterFrame(kind="m", nth=2, find="x", put="y"), ["m1", "m2", "m3", "m4"]),
        (SkipFrame(kind="other", nth=1), ["m1", "m2", "m3", "m4"]),
        (SkipFrame(kind="m", nth=1, connection=2), ["m1", "m2", "m3", "m4"]),
    ],
)
def test_a_fault_changes_just_the_frame_that_it_names(fault: Fault, sent: list[str]) -> None:
    line = LineFaults([fault], 1)
    out: list[str] = []
    for n in range(1, 5):
        assert line.outgoing("untouched", "u") == ["u"]
        out += line.outgoing("m", f"m{n}")
    assert out == sent


def test_what_befell_frames_is_counted_until_the_script_is_ended() -> None:
    done: Counter[str] = Counter()
    script: list[Fault] = [
        SwapFrames(kind="m", nth=1),
        DuplicateFrame(kind="m", nth=3),
        AlterFrame(kind="m", nth=4, find="x", put="y"),
    ]
    line = LineFaults(script, 1, done)
    for n in range(1, 5):
        line.outgoing("m", f"m{n}")
    assert done == {"SwapFrames": 1, "DuplicateFrame": 1}
    line = LineFaults(script, 1, done)
    line.mend()
    assert [line.outgoing("m", f"m{n}") for n in range(1, 4)] == [["m1"], ["m2"], ["m3"]]


@given(st.lists(st.sampled_from("ab"), max_size=30), st.integers(1, 5))
def test_swapping_loses_at_most_the_frame_that_waits(kinds: list[str], nth: int) -> None:
    line = LineFaults([SwapFrames(kind="a", nth=nth)], 1)
    frames = [f"{kind}{place}" for place, kind in enumerate(kinds)]
    out = [text for kind, frame in zip(kinds, frames, strict=True) for text in line.outgoing(kind, frame)]
    missing = set(frames) - set(out)
    assert len(missing) == (1 if kinds.count("a") == nth else 0)
    assert len(out) + len(missing) == len(frames)


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        (RejectRequest(message="no", reason="because", nth=2), AckFate(reject=("no", "because"))),
        (WithholdAck(nth=2), AckFate(acknowledge=False)),
        (WithholdAck(nth=2, serve=False), AckFate(acknowledge=False, serve=False)),
        (DelayAck(delay_s=0.5, nth=2), AckFate(delay_s=0.5)),
        (PartialAck(leave_out=("X",), nth=2), AckFate(leave_out=frozenset({"X"}))),
    ],
)
def test_a_fault_of_the_second_request_spares_the_others(fault: Fault, fate: AckFate) -> None:
    line = LineFaults([fault, NeverSend(kind="x")], 1)
    assert [line.acknowledgement() for _ in range(3)] == [AckFate(), fate, AckFate()]


def test_the_handshakes_fault_is_the_first_of_its_connection() -> None:
    script = (
        DropLine(),
        HangHandshake(connection=2),
        GarbageHandshake(connection=2),
        RefuseHandshake(connection=3),
    )
    assert handshake_fault(script, 1) is None
    assert handshake_fault(script, 2) == HangHandshake(connection=2)
    assert handshake_fault(script, 3) == RefuseHandshake(connection=3)


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5), bucket.take(10), bucket.take(10)] == [True, False, True, True]


@given(st.lists(st.floats(0, 5, allow_nan=False), max_size=50))
def test_a_rolling_limit_never_lets_more_through_in_any_window(times: list[float]) -> None:
    limit = RollingLimit(3, 1.0)
    passed = [now for now in sorted(times) if limit.take(now)]
    assert all(late - early >= 1.0 for early, late in zip(passed, passed[3:], strict=False))
    assert len(passed) >= min(3, len(times))
