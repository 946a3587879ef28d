"""What of a topic a simulator sent: frames read as plain dictionaries, with none of our own decoding."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from math import inf
from typing import Any, NamedTuple

import attrs

import trioquotes as tq
from trioquotes.simulator.faults import NOT_UTF8
from trioquotes.simulator.records import Records

__all__ = ["Flow", "Item", "by_frame", "by_number", "items_of"]

BESIDE_S = 3.0
"""How long after it was opened a line of its own may have its first message of a flow."""


class Item(NamedTuple):
    """Something that a subscriber of a topic is owed.

    Attributes:
        time_s: when it was sent, or was to be.
        key: what it is known by.
        history: whether the venue marked it as of before the subscription.
        spoilt: what the fault script sent instead: ``"nothing"``, or ``"something"`` else; empty where it let it be.
        connection: that it went over.
        abandoned: whether the client had another connection for the same by then; a server may not know that for long.
    """

    time_s: float
    key: Hashable
    history: bool
    spoilt: str
    connection: int
    abandoned: bool = False


@attrs.frozen(kw_only=True)
class Flow:
    """How the events of a topic relate to frames.

    Attributes:
        kinds: of the frames.
        read: from a frame's fields, the keys that are in it, and whether each is history.
        key: of an event; ``None`` for one that cannot be known by any.
        counted: whether the venue gives something to detect a loss by.
        numbered: whether keys are numbers that go up: what comes out of order is then late, and may be left out.
        repeats: whether a message that is sent twice may come twice: the venue gives nothing to tell by.
        restated: whether the newest may come again after a ``Gap``: it says how things are now.
        partial: whether a message may make no event, so that one that is missing proves nothing.
        times: how many events that cannot be told apart one message may make.
        answers: those of ``kinds`` that answer a request: altered, one may be a good answer about something else.
        asked: the channel that a connection must have been asked for, where other channels bring the same messages.
    """

    kinds: tuple[str, ...]
    read: Callable[[Any, bytes], Iterable[tuple[Hashable, bool]]]
    key: Callable[[tq.Event], Hashable | None]
    counted: bool = False
    numbered: bool = False
    repeats: bool = False
    restated: bool = False
    partial: bool = False
    times: int = 1
    answers: tuple[str, ...] = ()
    asked: str = ""


def items_of(flow: Flow, records: Records, since_s: float = -inf) -> list[Item]:
    """Everything of the flow over connections since then, in the order in which it was sent or was to be sent.

    What was left out or held back is there only where its loss shows: in a counted flow.
    """
    meant: defaultdict[tuple[int, str, str], deque[str]] = defaultdict(deque)
    held: set[tuple[int, str]] = set()
    found: list[tuple[float, int, Item]] = []
    other = _other_lines(flow, records, since_s)
    for lost in records.lost:
        if lost.kind not in flow.kinds or lost.connection in other:
            continue
        held.add((lost.connection, lost.frame))
        if lost.frame in lost.sent:
            continue  # it only came more than once
        if lost.sent and (lost.connection, lost.sent[0]) not in held:
            meant[lost.connection, lost.kind, lost.sent[0]].append(lost.frame)
        elif flow.counted:
            for key, history in _read(flow, lost.frame):
                found.append((lost.time_s, 0, Item(lost.time_s, key, history, "nothing", lost.connection)))
    for sent in records.frames:
        if sent.kind not in flow.kinds or sent.connection in other:
            continue
        text = sent.frame if isinstance(sent.frame, str) else sent.frame.decode(errors="surrogateescape")
        known = meant.get((sent.connection, sent.kind, text))
        frame, spoilt = (known.popleft(), "something") if known else (sent.frame, "")
        meant_keys = _read(flow, frame)
        for key, history in meant_keys:
            untold = history or (bool(spoilt) and sent.kind in flow.answers)
            found.append((sent.time_s, 1, Item(sent.time_s, key, untold, spoilt, sent.connection)))
        if spoilt:  # altered in a part, it may say something all the same, which nobody owes
            for key, _ in _read(flow, sent.frame):
                if all(key != one for one, _ in meant_keys):
                    found.append((sent.time_s, 1, Item(sent.time_s, key, True, "", sent.connection)))
    found.sort(key=lambda entry: entry[:2])
    items = _abandoned([item for _, _, item in found], records)
    return items if flow.numbered else _between(items)


def _other_lines(flow: Flow, records: Records, since_s: float) -> set[int]:
    """The connections that are older, or were never asked for the flow's channel."""
    older = {seen.connection for seen in records.connects if seen.time_s < since_s}
    if not flow.asked:
        return older
    named = f'"{flow.asked}"'
    asked = {seen.connection for seen in records.requests if named in str(seen.frame)}
    return older | {seen.connection for seen in records.connects} - asked


def _abandoned(items: list[Item], records: Records) -> list[Item]:
    """With those marked that went over a connection when a newer one was open, which had messages of the flow as well.

    Where the newer one had the same, they are left out.
    """
    first_s: dict[int, float] = {}
    for item in items:
        first_s.setdefault(item.connection, item.time_s)
    begins = sorted(
        # One that has been open for a while when it is first used stood beside the others, for other channels.
        (
            seen.time_s if first_s[seen.connection] < seen.time_s + BESIDE_S else first_s[seen.connection],
            seen.connection,
        )
        for seen in records.connects
        if seen.outcome == "open" and seen.connection in first_s
    )
    ends_s = {old: time_s for (_, old), (time_s, _) in itertools.pairwise(begins)}
    items = [item._replace(abandoned=item.time_s >= ends_s.get(item.connection, inf)) for item in items]
    current = {item.key for item in items if not item.abandoned}
    return [item for item in items if not item.abandoned or item.key not in current]


def _between(items: list[Item]) -> list[Item]:
    """Without what was held back only, and what was left out before a connection's first message or after its last.

    No counter tells of those.
    """
    came = {item.key for item in items if not item.spoilt}
    ends: dict[int, list[int]] = {}
    for place, item in enumerate(items):
        if not item.spoilt:
            ends.setdefault(item.connection, [place, place])[1] = place
    return [
        item
        for place, item in enumerate(items)
        if item.spoilt != "nothing"
        or (
            item.key not in came
            and (item.connection in ends and ends[item.connection][0] < place < ends[item.connection][1])
        )
    ]


def _read(flow: Flow, frame: str | bytes) -> list[tuple[Hashable, bool]]:
    raw = frame if isinstance(frame, bytes) else frame.encode(errors="surrogateescape")
    if isinstance(frame, str) and NOT_UTF8 in frame:
        return []
    try:
        fields = json.loads(raw)
    except ValueError:
        return []  # the fault script spoilt it: it is among the lost ones as it was meant
    try:
        return list(flow.read(fields, raw))
    except (KeyError, TypeError, AttributeError):
        return []  # altered so that it says nothing


def by_number(name: str) -> Callable[[tq.Event], int | None]:
    """Events known by a number in a field of theirs."""

    def key(event: tq.Event) -> int | None:
        value = getattr(event, name, None)
        return None if value is None else int(value)

    return key


def by_frame(event: tq.Event) -> bytes | None:
    """Events known by the frame that brought them; for sessions with ``raw=True``."""
    return getattr(event, "raw", None)
