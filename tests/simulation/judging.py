"""The judgement at the end of a run: what was handed over and shown, against the venue's own records."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterable, Sequence

from tests.simulation.consumers import Watched
from tests.simulation.flows import Item, items_of
from tests.simulation.limits import impatient, inexcusable, waits_of
from tests.simulation.losses import judge_delivery
from tests.simulation.place import CANARY, Place
from tests.simulation.promises import Tally
from trioquotes.simulator.records import Breach, Records

__all__ = ["judge_deliveries", "judge_limits", "judge_patience", "judge_secrets", "judge_wrong_frames"]


def judge_deliveries(everything: Iterable[Watched], records: Records, tally: Tally) -> None:
    """What every channel handed over, against what was sent.

    Raises:
        Broken: a promise was.
    """
    found: dict[tuple[int, float], list[Item]] = {}
    for watched in everything:
        flow = watched.choice.flow
        if flow is None or watched.delivery is None:
            continue
        key = id(flow), watched.delivery.since_s
        if key not in found:
            found[key] = items_of(flow, records, watched.delivery.since_s)
        judge_delivery(watched.delivery, found[key], tally, drained=watched.drained)


def judge_limits(place: Place, records: Records, script: Sequence[object], tally: Tally) -> None:
    """No limit of the venue was passed.

    Raises:
        Broken: one was.
    """
    found = [
        one
        for one in inexcusable(place.limits, records, script)
        if not (isinstance(one, Breach) and one.limit in place.known)
    ]
    tally.check("no limit passed", not found, found[:3])


def judge_patience(
    since_s: float,
    until_s: float,
    records: Records,
    script: Sequence[object],
    tally: Tally,
    *,
    one_line: bool,
) -> None:
    """A session stayed away for as long as it had been asked to.

    Raises:
        Broken: it came back earlier.
    """
    waits = waits_of(script, one_line=one_line)
    for refused in records.connects:
        if (
            refused.connection in waits
            and refused.outcome == "RefuseHandshake"
            and since_s <= refused.time_s <= until_s
        ):
            found = impatient(waits, since_s, until_s, records, one_line=one_line)
            tally.check("waits when told to", not found, found[:3])


def judge_wrong_frames(everything: Iterable[Watched], records: Records, tally: Tally) -> None:
    """What was called malformed or unknown had been spoilt.

    Raises:
        Broken: it had not.
    """
    spoilt = {text for lost in records.lost for text in lost.sent if text != lost.frame}
    said = {
        _bytes(sent.frame)
        for sent in records.frames
        if sent.kind != "script" and _text(sent.frame) not in spoilt
    }
    for watched in everything:
        for reason, frame in watched.wrong_frames:
            tally.check("only wrong is called wrong", frame not in said, f"{reason}: {frame!r:.600}")


def judge_secrets(shown: Iterable[str], tally: Tally) -> None:
    """Search everything that was shown for the canary, in the forms that it may take.

    Raises:
        Broken: it is there.
    """
    forms = (CANARY, base64.b64encode(CANARY.encode()).decode(), urllib.parse.quote(CANARY, safe=""))
    text = "\n".join(shown)
    for form in forms:
        at = text.find(form)
        tally.check("no secret shown", at < 0, text[max(at - 300, 0) :][:600] if at >= 0 else "")


def _bytes(frame: str | bytes) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode(errors="surrogateescape")


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="surrogateescape")
