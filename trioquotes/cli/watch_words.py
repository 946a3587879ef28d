"""Notices in a few words, as a screen has room for."""

from __future__ import annotations

from trioquotes.cli.exits import one_line
from trioquotes.cli.numbers import many
from trioquotes.events import (
    Audited,
    Connected,
    Disconnected,
    Gap,
    Lagged,
    Notice,
    Rejected,
    Resynced,
    Stale,
    Unknown,
)

__all__ = ["words"]


def words(notice: Notice) -> str:
    """What a notice says, beside its name and whom it concerns; on one line."""
    text = one_line(_said(notice))
    return text if notice.count == 1 else f"{text} ({notice.count:,} times)"


def _said(notice: Notice) -> str:
    match notice:
        case Connected(lane=lane, connection=connection):
            return f"{lane} line, connection {connection}"
        case Disconnected(lane=lane, reason=reason, planned=planned):
            return f"{lane} line: {reason}" + (" (planned)" if planned else "")
        case Gap(reason=reason, missed=int(missed)):
            return f"{reason}, {missed:,} missed"
        case Resynced():
            return "right again"
        case Lagged(dropped=dropped):
            return f"{many(dropped, 'event')} dropped here"
        case Stale(silent_s=silent_s):
            return f"silent for {silent_s:g} s"
        case Rejected(reason=reason, final=final):
            return reason if final else f"{reason}; asked again"
        case Audited(compared=compared, differing=differing):
            return f"{differing:,} of {many(compared, 'level')} differ from a fresh snapshot"
        case Unknown(kind=kind):
            return f"unknown message {kind}"
        case _:
            return str(getattr(notice, "reason", ""))
