"""Darwinex as a place to be tried."""

from __future__ import annotations

from typing import Any

import trioquotes as tq
from tests.simulation.flows import Flow, by_frame
from tests.simulation.limits import Limit
from tests.simulation.place import CANARY, Choice, Place, whole_frame
from trioquotes import venues
from trioquotes.simulator.venues import darwinex

__all__ = ["DARWINEX"]

DARWINS = ("DWC.4.20", "DWZ.4.7")


def _darwinex(keyed: bool) -> list[Choice]:
    del keyed
    out = []
    for name in DARWINS:

        def own(fields: Any, name: str = name) -> bool:
            shown = fields["products"] if fields["op"] == "subscribed" else [fields]
            return any(product["productName"] == name for product in shown)

        quotes = Flow(
            kinds=("pq", "subscribed"),
            answers=("subscribed",),
            read=whole_frame(own),
            key=by_frame,
            repeats=True,
        )
        out += [
            Choice(topic=tq.Quotes(name), flow=quotes),
            Choice(topic=venues.darwinex.ProductQuotes(name), flow=quotes),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


DARWINEX = Place(
    name="darwinex",
    instruments=DARWINS,
    options={"products": DARWINS},
    client={
        "accounts": [
            darwinex.Account(
                consumer_key="c",
                consumer_secret=CANARY,
                refresh_token=f"r{CANARY}",
                access_token=f"a{CANARY}",
            )
        ]
    },
    key=tq.BearerToken(f"a{CANARY}"),
    always=True,
    spread=False,
    choices=_darwinex,
    frames={"pq": "cdswuh", "hb": "ncs", "pong": "n"},
    answers=("subscribed", "unsubscribed"),
    silence_s=190.0,  # a minute of which may be taken for one in which the venue holds quotes back
    settle_s=420.0,
    rate=0.5,
    limits=(Limit("connects", 2, 60.0), Limit("requests", 50, 60.0)),
    patience_s=180.0,
    known=frozenset({"connects"}),
)
