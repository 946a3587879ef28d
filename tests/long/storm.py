"""A script of what goes wrong at a venue for as long as a soak takes; one seed, one script."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.simulation.place import Place
from tests.simulation.plans import WRONG
from trioquotes.simulator import faults as venue
from trioquotes.simulator.faults import Fault

__all__ = ["draw_storm"]

SPARED = 3
"""The first connections live undisturbed for a while, so that every session gets to begin."""
CONNECTIONS_A_MINUTE = 60
"""More than the reconnecting lines of all sessions with one venue make."""
LIFE_S = 45.0
"""How long a line lives on average before something ends it."""
MAINTENANCE_EVERY_S = 480.0
MAINTENANCE_S = 60.0


def draw_storm(place: Place, seed: int, minutes: float) -> tuple[Fault, ...]:
    """What goes wrong at the venue within so many minutes, and somewhat longer."""
    chance = random.Random(f"storm/{place.name}/{seed}")  # noqa: S311  # decides a simulation, keeps no secret
    out: list[Fault] = list(_maintenances(chance, minutes * 60.0))
    out += [_ending(chance, ordinal, after_s=LIFE_S / 2) for ordinal in range(1, SPARED + 1)]
    for ordinal in range(SPARED + 1, SPARED + 1 + int(CONNECTIONS_A_MINUTE * (minutes + 5.0))):
        refusal = _refusal(chance, ordinal)
        if refusal is not None:
            out.append(refusal)
            continue
        out.append(_ending(chance, ordinal))
        out += [_of_frame(chance, place, ordinal) for _ in range(chance.choice([0, 1, 2, 4]))]
        if chance.random() < 0.15:
            out.append(_of_speech(chance, ordinal))
    for nth in range(4, int(30 * (minutes + 5.0)), 4):
        status = chance.choice([None, 429, 500, 502])
        out.append(
            venue.FailRest(nth=nth, status=status, delay_s=0.0 if status else chance.choice([0.5, 5.0]))
        )
    return tuple(out)


def _maintenances(chance: random.Random, whole_s: float) -> Iterator[Fault]:
    """A minute every eight; in a short run, a twelfth of it once."""
    if whole_s < MAINTENANCE_EVERY_S:
        yield venue.Maintenance(after_s=whole_s * chance.uniform(0.3, 0.7), for_s=whole_s / 12)
        return
    begins_s = chance.uniform(0.3, 1.0) * MAINTENANCE_EVERY_S
    while begins_s < whole_s:
        yield venue.Maintenance(after_s=begins_s, for_s=MAINTENANCE_S, status=chance.choice([502, 503]))
        begins_s += MAINTENANCE_EVERY_S


def _refusal(chance: random.Random, ordinal: int) -> Fault | None:
    """Now and then a handshake goes wrong in a way that waiting mends."""
    match chance.randrange(40):
        case 0:
            after = (("Retry-After", str(chance.choice([1, 3]))),)
            return venue.RefuseHandshake(connection=ordinal, status=429, headers=after)
        case 1 | 2:
            return venue.RefuseHandshake(connection=ordinal, status=chance.choice([500, 502, 503, 504]))
        case 3:
            return venue.HangHandshake(connection=ordinal)
        case 4:
            return venue.GarbageHandshake(connection=ordinal)
        case _:
            return None


def _ending(chance: random.Random, ordinal: int, after_s: float = 0.0) -> Fault:
    when_s = after_s + chance.expovariate(1 / LIFE_S)
    match chance.randrange(10):
        case 0:
            return venue.MuteLine(connection=ordinal, after_s=when_s, for_s=chance.choice([None, None, 5.0]))
        case 1 if not after_s:
            return venue.DropLine(connection=ordinal, after_frames=chance.randint(1, 200))
        case 2 | 3 | 4:
            code = chance.choice([1000, 1001, 1008, 1011, 1012, 1013, 4000])
            return venue.DropLine(connection=ordinal, after_s=when_s, how="close", code=code, reason="bye")
        case 5 | 6:
            return venue.DropLine(connection=ordinal, after_s=when_s, how="eof")
        case _:
            return venue.DropLine(connection=ordinal, after_s=when_s, how="reset")


def _of_frame(chance: random.Random, place: Place, ordinal: int) -> Fault:
    """Something befalls one frame; which letter means what is said in ``places``."""
    kind = chance.choice(sorted(place.frames))
    nth = chance.randint(1, 80)
    match chance.choice(place.frames[kind]):
        case "c":
            return venue.CorruptFrame(
                connection=ordinal, kind=kind, nth=nth, text=chance.choice([None, "", "{}"])
            )
        case "d":
            return venue.DuplicateFrame(
                connection=ordinal, kind=kind, nth=nth, later=chance.choice([0, 0, 3])
            )
        case "w":
            return venue.SwapFrames(connection=ordinal, kind=kind, nth=nth)
        case "u":
            return venue.SpoilText(connection=ordinal, kind=kind, nth=nth)
        case "h" if ordinal % 5 == 0:  # the third in a row of one line ends its session, as documented
            return venue.AnnounceHuge(
                connection=ordinal, kind=kind, nth=nth, size_bytes=chance.choice([2**26, 2**62])
            )
        case _:
            return venue.SkipFrame(connection=ordinal, kind=kind, nth=nth, count=chance.choice([1, 1, 3]))


def _of_speech(chance: random.Random, ordinal: int) -> Fault:
    """The server answers late or not at all, speaks slowly, or says what it should not."""
    nth = chance.choice([None, 1, 2])
    match chance.randrange(5):
        case 0:
            return venue.WithholdAck(connection=ordinal, nth=nth or 1, serve=chance.random() < 0.5)
        case 1:
            return venue.DelayAck(connection=ordinal, nth=nth, delay_s=chance.choice([0.5, 4.0]))
        case 2:
            return venue.TrickleLine(connection=ordinal, piece_bytes=chance.choice([100, 700]), pause_s=0.001)
        case 3:
            return venue.WithholdPongs(connection=ordinal)
        case _:
            text, every_s = chance.choice(WRONG), chance.choice([0.0, 0.5])
            return venue.SayOften(
                connection=ordinal, text=text, after_s=chance.uniform(1.0, 30.0), every_s=every_s, count=5
            )
