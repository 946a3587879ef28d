"""What a server hears of its clients is measured from its side, and late is late."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.long.heartbeats import PONGS, RULES, Ear, Figures, Rule, judge, summed
from tests.runtime.wire_peers import CLOSE, PING, PONG, TEXT

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def masked(opcode: int, payload: bytes, mask: bytes = b"\x01\x80\xff\x00") -> bytes:
    """A client's frame."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    return (
        bytes([0x80 | opcode]) + length + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    )


def text(fields: Mapping[str, object]) -> bytes:
    return masked(TEXT, json.dumps(fields).encode())


def said(fields: Mapping[str, object]) -> bytes:
    payload = json.dumps(fields).encode()
    return bytes([0x80 | TEXT, len(payload)]) + payload


def opened(venue: str, at_s: float = 0.0) -> Ear:
    ear = Ear(venue)
    ear.said(SWITCH, at_s)
    return ear


def figures(ear: Ear, now_s: float) -> dict[str, Figures]:
    return {one.rule.name: one for one in ear.settle(now_s)}


def payload_of(ping: bytes) -> bytes:
    return ping[2:]


@pytest.mark.parametrize("venue", RULES)
def test_a_pong_is_timed_from_when_its_ping_went_out(venue: str) -> None:
    ear = opened(venue)
    first, second = ear.ping(10.0), ear.ping(15.0)
    ear.heard(masked(PONG, payload_of(first)), 12.0)
    ear.heard(masked(PONG, payload_of(second)), 15.25)
    found = figures(ear, 16.0)["pong"]
    assert (found.due, found.late, found.worst_s, found.mean_s) == (2, 0, 2.0, 1.125)


def test_a_pong_after_the_deadline_is_late_and_one_that_never_comes_too() -> None:
    ear = opened("coinbase")
    first, _, _ = ear.ping(0.0), ear.ping(5.0), ear.ping(100.0)
    ear.heard(masked(PONG, payload_of(first)), 5.5)
    found = figures(ear, 101.0)["pong"]
    assert (found.due, found.late, found.worst_s) == (2, 2, 96.0), "the last one has still time"


@pytest.mark.parametrize("payload", [b"", b"beat\x00\x00\x00\x09", b"other"])
def test_a_pong_to_nothing_answers_nothing(payload: bytes) -> None:
    ear = opened("coinbase")
    ear.ping(0.0)
    ear.heard(masked(PONG, payload), 0.1)
    assert figures(ear, 1.0)["pong"].due == 0


@given(cuts=st.lists(st.integers(0, 400), max_size=8), mask=st.binary(min_size=4, max_size=4))
def test_frames_are_heard_wherever_they_are_cut(cuts: list[int], mask: bytes) -> None:
    ear = opened("zonda")
    stream = b"".join(
        [
            masked(TEXT, b'{"action":"subscribe-public","path":"%s"}' % (b"x" * 200), mask),
            masked(PONG, payload_of(ear.ping(0.0)), mask),
            masked(TEXT, b'{"action":"ping"}', mask),
            masked(CLOSE, b"\x03\xe8", mask),
        ]
    )
    edges = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    for start, stop in itertools.pairwise(edges):
        ear.heard(stream[start:stop], 2.0)
    found = figures(ear, 3.0)
    assert (found["pong"].due, found["its ping"].due, found["its ping"].worst_s) == (1, 1, 2.0)


def test_before_the_handshake_nothing_is_waited_for() -> None:
    ear = Ear("upbit")
    ear.said(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", 0.0)
    ear.heard(b"GET /v1/market/all HTTP/1.1\r\nHost: x\r\n\r\n", 1.0)
    assert not ear.open
    assert all(one == Figures(one.rule) for one in ear.settle(1_000.0))


def test_edgex_waits_for_a_pong_of_the_same_time_and_type() -> None:
    ear = opened("edgex")
    ear.said(said({"type": "ping", "time": "1700"}), 10.0)
    ear.said(said({"type": "ping", "time": 1800}), 20.0)
    ear.said(said({"type": "payload", "channel": "ping"}), 21.0)
    ear.heard(text({"type": "pong", "time": 1700}), 10.1)
    ear.heard(text({"type": "pong", "time": "1800"}), 20.1)
    ear.heard(text({"type": "pong", "time": 1800}), 20.5)
    found = figures(ear, 26.0)["its pong"]
    assert (found.due, found.late, found.worst_s) == (2, 1, 16.0)


@pytest.mark.parametrize(
    ("venue", "name", "frame"),
    [
        ("upbit", "keep-alive", masked(PING, b"")),
        ("upbit", "keep-alive", masked(TEXT, b"PING")),
        ("zonda", "its ping", text({"action": "ping"})),
        ("darwinex", "its ping", text({"op": "ping", "msg": "1"})),
    ],
)
def test_what_a_client_says_of_itself_must_come_again_in_time(venue: str, name: str, frame: bytes) -> None:
    ear = opened(venue, at_s=100.0)
    ear.heard(frame, 110.0)
    ear.heard(frame, 131.0)
    found = figures(ear, 135.0)[name]
    assert (found.due, found.late, found.worst_s, found.lives_s) == (2, 0, 21.0, 35.0)
    silent = figures(ear, 400.0)[name]
    assert (silent.due, silent.late, silent.worst_s) == (3, 1, 269.0)


def test_our_own_pings_keep_no_upbit_line_alive() -> None:
    ear = opened("upbit")
    for at_s in range(5, 100, 5):
        ear.heard(masked(PONG, payload_of(ear.ping(at_s))), at_s + 0.1)
    assert figures(ear, 100.0)["keep-alive"].late == 1


def test_connections_are_added_up() -> None:
    rules = RULES["coinbase"]
    parts = [[Figures(PONGS, 2, 1, 6.0, 7.0, 10.0, 1)], [Figures(PONGS, 3, 0, 1.0, 2.0, 15.0, 1)]]
    assert summed(rules, parts) == [Figures(PONGS, 5, 1, 6.0, 9.0, 25.0, 2)]
    assert summed(rules, []) == [Figures(PONGS)]


def well(rule: Rule) -> Figures:
    lives_s = 10 * rule.every_s
    return Figures(rule, due=10, late=0, worst_s=0.1, sum_s=0.5, lives_s=lives_s, lines=1)


def all_well() -> dict[str, Sequence[Figures]]:
    return {name: [well(rule) for rule in rules] for name, rules in RULES.items()}


def test_a_run_in_which_everything_came_in_time_is_well() -> None:
    assert judge(all_well()) == []


@pytest.mark.parametrize("venue", RULES)
def test_one_late_heartbeat_of_any_venue_is_told(venue: str) -> None:
    for place, rule in enumerate(RULES[venue]):
        found = all_well()
        late = list(found[venue])
        late[place] = attrs.evolve(late[place], late=1, worst_s=rule.within_s + 1)
        (told,) = judge({**found, venue: late})
        assert told.startswith(f"{venue}: {rule.name} was late 1 of 10 times")


def test_a_heartbeat_that_nobody_waited_for_is_told_and_not_taken_for_one_in_time() -> None:
    none = {name: [Figures(rule) for rule in rules] for name, rules in RULES.items()}
    assert len(judge(none)) == len(judge({})) == sum(map(len, RULES.values()))
    assert (
        judge(
            {
                name: [attrs.evolve(well(rule), due=0, lives_s=0.9 * rule.every_s) for rule in rules]
                for name, rules in RULES.items()
            }
        )
        == []
    )
    seldom = {name: [attrs.evolve(well(rule), due=3) for rule in rules] for name, rules in RULES.items()}
    assert len(judge(seldom)) == sum(map(len, RULES.values()))
