"""What happens in a run: drawn from its seed before it begins, so that a script can shrink while the rest stays."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

import trioquotes as tq
from tests.simulation.place import Choice, Place
from trioquotes.simulator import faults as venue
from trioquotes.simulator.faults import Fault
from trioquotes.testing import (
    ChopLink,
    CutLink,
    DelayLink,
    HangLink,
    RefuseLink,
    SilenceLink,
    StallLink,
    StepClock,
    SuspendMachine,
    WorldFault,
)

__all__ = ["Ending", "Look", "Manner", "Plan", "Reader", "Script", "draw_plan", "draw_script"]

Script: TypeAlias = tuple[Fault | WorldFault, ...]
Manner: TypeAlias = Literal["fast", "slow", "stuck", "batches", "cancelled"]
Ending: TypeAlias = Literal["leave", "cancel", "raise"]

SMALL = 0.65
"""Which part of all runs is short and has few readers: what a fault does by itself shows soonest there."""
ORDINALS = (1, 1, 1, 2, 2, 3, 4, 5)
"""Which links and lines of a run scripts befall: most runs have few."""


@attrs.frozen
class Reader:
    """One consumer of a channel of its own.

    Attributes:
        choice: place of its topic in the menu.
        overflow: and ``buffer``: of its channel.
        manner: how it reads.
        pause_s: that it makes, according to its manner.
        start_s: when it subscribes; ``life_s`` for how long, ``None`` until the end.
        returns: whether it subscribes again some time after it closed its channel.
    """

    choice: int
    overflow: tq.Overflow
    buffer: int
    manner: Manner
    pause_s: float
    start_s: float
    life_s: float | None
    returns: bool


@attrs.frozen
class Look:
    """One who keeps a live book and looks at it.

    Attributes:
        choice: place of its topic in the menu.
        start_s: when it begins; ``life_s`` for how long, ``None`` until the end.
    """

    choice: int
    start_s: float
    life_s: float | None


@attrs.frozen
class Plan:
    """One run.

    Attributes:
        keyed: whether there are credentials.
        merged: places of the topics in the menu that the session is opened with.
        readers: the other consumers.
        storm_s: for how long things go wrong; ``calm_s`` how long all must go well afterwards.
        endings: how the session is left, each time before the last, and when.
        audited: whether books are audited.
        rate: actions of traders.
        looks_s: how often the figures are looked at.
        churns: when consumers begin to subscribe to something and give it up again, without a pause, for a while.
        looks: those who look at live books.
        tls: whether the venue is served with TLS.
        provided: whether credentials come from a provider, and expire.
        options: the venue's own, of the session.
        channels_per_line: after how many the session opens a further connection; ``None`` leaves it to the venue.
    """

    keyed: bool
    merged: tuple[int, ...]
    merged_manner: Manner
    readers: tuple[Reader, ...]
    storm_s: float
    calm_s: float
    endings: tuple[tuple[Ending, float], ...]
    audited: bool
    rate: float
    looks_s: float
    churns: tuple[float, ...]
    looks: tuple[Look, ...] = ()
    tls: bool = False
    provided: bool = False
    options: Mapping[str, str] = attrs.field(factory=dict)
    channels_per_line: int | None = None


def draw_plan(place: Place, seed: int, *, hard: bool = False) -> Plan:
    """What the seed says about a run at this venue.

    Args:
        place: the venue.
        seed: decides everything.
        hard: whether it is to be a long run with many readers in any case.
    """
    chance = random.Random(f"plan/{place.name}/{seed}")  # noqa: S311  # decides a simulation, keeps no secret
    keyed = place.always or chance.random() < 0.4
    menu = place.choices(keyed)
    merged = tuple(sorted(chance.sample(range(len(menu)), chance.choice([0, 1, 1, 2, 3]))))
    told_apart = {(type(menu[n].topic), menu[n].topic.subject): n for n in merged if _has_events(menu[n])}
    merged = tuple(told_apart.values())
    small = chance.random() < SMALL and not hard
    storm_s = (
        chance.uniform(2.0, 10.0)
        if small
        else chance.choice([chance.uniform(5.0, 20.0), chance.uniform(20.0, 60.0)])
    )
    fewest, most = 4 if hard else 0 if merged else 1, 2 if small else 4
    readers = tuple(_draw_reader(chance, menu, storm_s) for _ in range(chance.randint(fewest, most)))
    churns = chance.choice([0, 0, 0, 0, 0, 1] if small else [0, 0, 0, 1, 2, 6])
    endings: list[tuple[Ending, float]] = []
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        endings.append((chance.choice(["leave", "cancel", "raise"]), chance.uniform(0.0, storm_s)))
    return Plan(
        keyed=keyed, merged=merged, merged_manner=chance.choice(["fast", "fast", "slow", "batches", "cancelled"]),
        readers=readers, storm_s=storm_s, calm_s=chance.uniform(4.0, 5.0 if small else 10.0), endings=tuple(endings),
        audited=chance.random() < 0.2, rate=place.rate * chance.choice([0.5, 1.0, 2.0]),
        looks_s=chance.uniform(1.0, 10.0), churns=tuple(chance.uniform(0.0, storm_s) for _ in range(churns)),
        looks=_draw_looks(chance, menu, storm_s), tls=chance.random() < 0.1,
        provided=keyed and chance.random() < 0.4,
        options={name: chance.choice(values) for name, values in place.session_options.items()},
        channels_per_line=chance.choice([None, None, None, 1, 2]) if place.spread else None,
    )  # fmt: skip


def _draw_looks(chance: random.Random, menu: list[Choice], storm_s: float) -> tuple[Look, ...]:
    kept = [
        number for number, choice in enumerate(menu) if isinstance(choice.topic, tq.Books | tq.OrderBooks)
    ]
    if not kept:
        return ()
    return tuple(
        Look(
            chance.choice(kept),
            chance.uniform(0.0, storm_s),
            chance.choice([None, chance.uniform(0.0, 40.0)]),
        )
        for _ in range(chance.choice([0, 0, 1, 2]))
    )


def _has_events(choice: Choice) -> bool:
    """Whether its events can be told from those of other topics of a merged stream."""
    return type(choice.topic).__module__ == tq.Trades.__module__


def _draw_reader(chance: random.Random, menu: list[Choice], storm_s: float) -> Reader:
    number = chance.randrange(len(menu))
    topic = menu[number].topic
    overflows: list[tq.Overflow] = ["drop_oldest", "drop_oldest", "fail"]
    if topic.latest:
        overflows.append("latest")
    manner: Manner = chance.choice(["fast", "fast", "slow", "stuck", "batches", "cancelled"])
    return Reader(
        choice=number, overflow=chance.choice(overflows), buffer=chance.choice([1, 2, 5, 20, 1000, 10_000]),
        manner=manner, pause_s=chance.choice([0.01, 0.3, 2.0, 20.0]), start_s=chance.uniform(0.0, storm_s),
        life_s=chance.choice([None, None, chance.uniform(0.0, 40.0)]), returns=chance.random() < 0.5,
    )  # fmt: skip


def draw_script(place: Place, plan: Plan, seed: int, *, hard: bool = False) -> Script:
    """What goes wrong: much, where it is to be hard."""
    chance = random.Random(f"script/{place.name}/{seed}")  # noqa: S311  # as above
    draws = [
        _of_link,
        _of_link,
        _of_line,
        _of_line,
        _of_frame,
        _of_frame,
        _of_frame,
        _of_frame,
        _of_answer,
        _of_rest,
        _of_machine,
    ]
    out: list[Fault | WorldFault] = []
    for _ in range(chance.choice([8, 10, 12] if hard else [0, 1, 2, 4, 6, 8, 12])):
        out += chance.choice(draws)(chance, place, plan)
    return tuple(out)


def _of_link(chance: random.Random, place: Place, plan: Plan) -> list[Fault | WorldFault]:
    del place
    link = chance.choice(ORDINALS)
    when_s = chance.uniform(0.0, plan.storm_s)
    options: list[WorldFault] = [
        RefuseLink(link=link, why=chance.choice(["refused", "unreachable", "unknown"])),
        HangLink(link=link),
        DelayLink(link=link, delay_s=chance.choice([0.001, 0.05, 0.5])),
        ChopLink(link=link, piece_bytes=chance.choice([1, 7, 100]), pause_s=chance.choice([0.0, 0.001, 0.02]), first_bytes=chance.choice([300, 2000])),
        StallLink(link=link, after_s=when_s, for_s=chance.choice([1.0, 8.0, 40.0])),
        CutLink(link=link, after_bytes=int(2 ** chance.uniform(0, 15)), how=chance.choice(["fin", "reset"])),
        CutLink(link=link, after_s=when_s, how=chance.choice(["fin", "reset"])),
        SilenceLink(link=link, after_s=when_s),
    ]  # fmt: skip
    return [chance.choice(options)]


def _of_line(chance: random.Random, place: Place, plan: Plan) -> list[Fault | WorldFault]:
    line = chance.choice(ORDINALS)
    when_s = chance.uniform(0.0, plan.storm_s)
    status = chance.choice([401, 403, 429, 429, 502, 502, 503, 503, 500, 404])
    after = (("Retry-After", str(chance.choice([1, 3, 15]))),) if status in {429, 503} else ()
    code = chance.choice([1000, 1001, 1002, 1006, 1008, 1011, 1012, 1013, 4000])
    options: list[Fault] = [
        venue.RefuseHandshake(connection=line, status=status, headers=after),
        venue.RefuseHandshake(connection=line, status=chance.choice([429, 502, 503]), headers=after),
        venue.HangHandshake(connection=line),
        venue.GarbageHandshake(connection=line),
        venue.DropLine(connection=line, after_s=chance.choice([0.0, 0.2, when_s]), how=chance.choice(["eof", "reset"])),
        venue.DropLine(connection=line, after_s=when_s, how="close", code=1011 if code == 1006 else code, reason="bye"),
        venue.DropLine(connection=line, after_frames=chance.randint(1, 60)),
        venue.MuteLine(connection=line, after_s=when_s ),
        venue.TrickleLine(connection=line, piece_bytes=chance.choice([50, 400]), pause_s=0.001),
        venue.WithholdPongs(connection=chance.choice([line, None])),
        venue.SayOften(connection=line, text=chance.choice(WRONG), after_s=when_s, count=chance.choice([1, 5, 50]), every_s=chance.choice([0.0, 0.5])),
        venue.Maintenance(after_s=when_s, for_s=chance.choice([5.0, 60.0, 3600.0]), status=chance.choice([502, 503])),
    ]  # fmt: skip
    del place
    return [chance.choice(options)]


WRONG = (
    "", "{}", "[]", "null", '"text"', "{" * 2000, '{"type":"error","message":"boom","reason":"no reason"}',
    '{"error":{"name":"SERVER_ERROR","message":"boom"}}', '{"type":"error","content":{"code":"BOOM","msg":"boom"}}',
    '{"action":"error","message":"boom"}', '{"op":"error","opRequest":"","message":"boom","code":"BOOM"}',
    '{"type":"never seen before","product_id":"BTC-USD"}', '{"type":"quote-event","channel":"depth.1.15"}', "not json",
)  # fmt: skip
"""Frames that no venue sends in order, or not now."""


def _of_frame(chance: random.Random, place: Place, plan: Plan) -> list[Fault | WorldFault]:
    line = chance.choice([None, None, chance.choice(ORDINALS)])
    asked_for = sorted(_kinds_of(place, plan))
    kind = chance.choice(asked_for if asked_for and chance.random() < 0.7 else sorted(place.frames))
    letter = chance.choice(place.frames[kind])
    nth = chance.choice([1, 2, chance.randint(1, 8), chance.randint(1, 60)])
    match letter:
        case "c":
            return [
                venue.CorruptFrame(
                    connection=line, kind=kind, nth=nth, text=chance.choice([None, None, "", "{}"])
                )
            ]
        case "d":
            return [venue.DuplicateFrame(connection=line, kind=kind, nth=nth)]
        case "s":
            return [venue.SkipFrame(connection=line, kind=kind, nth=nth, count=chance.choice([1, 1, 3]))]
        case "w":
            return [venue.SwapFrames(connection=line, kind=kind, nth=nth)]
        case "u":
            return [venue.SpoilText(connection=line, kind=kind, nth=nth)]
        case "h":
            return [
                venue.AnnounceHuge(
                    connection=line or 1, kind=kind, nth=nth, size_bytes=chance.choice([2**26, 2**62])
                )
            ]
        case _:
            return [venue.NeverSend(connection=line or 1, kind=kind)]


def _kinds_of(place: Place, plan: Plan) -> set[str]:
    """Kinds of frames of what is read in a run: what befalls others may befall nobody."""
    menu = place.choices(plan.keyed)
    read = (reader.choice for reader in plan.readers)
    chosen = [menu[number] for number in (*plan.merged, *read, *(look.choice for look in plan.looks))]
    kinds = {kind for choice in chosen if choice.flow is not None for kind in choice.flow.kinds}
    if any(choice.book is not None for choice in chosen):
        kinds |= place.book_frames
    return kinds & place.frames.keys()


def _of_answer(chance: random.Random, place: Place, plan: Plan) -> list[Fault | WorldFault]:
    line = chance.choice([None, chance.choice(ORDINALS)])
    nth = chance.choice([1, 1, 2, 3])
    options: list[Fault] = [
        venue.WithholdAck(connection=line, nth=nth, serve=chance.random() < 0.5),
        venue.DelayAck(connection=line, nth=nth, delay_s=chance.choice([0.5, 4.0, 15.0])),
        venue.PartialAck(connection=line, nth=nth, leave_out=(chance.choice(place.instruments),)),
    ]
    if place.answers:
        kind = chance.choice(place.answers)
        options += [
            venue.CorruptFrame(connection=line, kind=kind, nth=nth),
            venue.DuplicateFrame(connection=line, kind=kind, nth=nth),
            venue.AlterFrame(connection=line, kind=kind, nth=nth, find=place.instruments[0], put="NOPE"),
        ]
    del plan
    return [chance.choice(options)]


def _of_rest(chance: random.Random, place: Place, plan: Plan) -> list[Fault | WorldFault]:
    del place, plan
    nth = chance.randint(1, 5)
    if chance.random() < 0.5:
        return [venue.FailRest(nth=nth, status=chance.choice([429, 500, 502, 418]))]
    return [venue.FailRest(nth=nth, delay_s=chance.choice([1.0, 30.0]))]


def _of_machine(chance: random.Random, place: Place, plan: Plan) -> list[Fault | WorldFault]:
    del place
    when_s = chance.uniform(0.0, plan.storm_s)
    if chance.random() < 0.5:
        return [StepClock(at_s=when_s, by_s=chance.choice([-3600.0, -2.0, 0.5, 2.0, 7200.0]))]
    return [SuspendMachine(at_s=when_s, for_s=chance.choice([0.5, 20.0, 600.0]))]
