"""What a venue is as a place to be tried: how it is simulated, who its client is, and what can be asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeAlias

import attrs

import trioquotes as tq
from tests.simulation.bookwatch import BookPlace
from tests.simulation.flows import Flow, by_frame
from tests.simulation.limits import Limit
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues import SIMULATORS

__all__ = ["CANARY", "Choice", "Place", "Read", "by_sequence", "by_time", "to_owner", "whole_frame"]

CANARY = base64.b64encode(b"a canary that nobody must ever see, long enough to sign with it").decode()
"""The secret in every credential of a simulation."""


def by_sequence(event: tq.MarketEvent) -> int | None:
    """Books known by the venue's counter."""
    return event.sequence


def by_time(event: tq.MarketEvent) -> int | None:
    """Books known by the venue's time."""
    return event.venue_time_ns


@attrs.frozen(kw_only=True)
class Choice:
    """A topic, and what its events are held against.

    Attributes:
        topic: what is asked for.
        flow: how its events relate to frames, where they do one by one.
        book: where the server's books are, where its events tell one.
        private: whether it concerns the client's own account.
        lively: whether something of it comes within some seconds.
    """

    topic: tq.Topic[Any]
    flow: Flow | None = None
    book: BookPlace | None = None
    private: bool = False
    lively: bool = True

    def takes(self, event: tq.Event) -> bool:
        """Whether an event of a merged stream is of this topic."""
        if isinstance(event, tq.Notice):
            return event.topic is None or event.topic == self.topic
        kinds = EVENTS.get(type(self.topic))
        if kinds is None or not isinstance(event, kinds):
            return False
        wanted = getattr(self.topic, "instrument", None)
        return wanted is None or getattr(event, "instrument", None) == wanted


EVENTS: Mapping[type[tq.Topic[Any]], type[tq.Event] | tuple[type[tq.Event], ...]] = {
    tq.Trades: tq.Trade,
    tq.Tickers: tq.Ticker,
    tq.Quotes: tq.Quote,
    tq.Depths: tq.Depth,
    tq.Books: (tq.BookSnapshot, tq.BookChange),
    tq.OrderBooks: (tq.OrderBookSnapshot, tq.OrderBookChange),
    tq.Candles: tq.Candle,
    tq.FundingRates: tq.FundingRate,
    tq.Instruments: tq.Instrument,
    tq.Orders: tq.OrderUpdate,
    tq.Fills: tq.Fill,
    tq.Balances: tq.Balance,
}


@attrs.frozen(kw_only=True)
class Place:
    """One venue.

    Attributes:
        name: of the venue.
        instruments: two that it trades.
        options: of the simulator; ``client`` those that make the client known.
        key: the client's credentials; ``always`` whether nothing goes without them.
        choices: what can be asked for, given whether there are credentials.
        frames: kinds of frames that scripts befall, with what may befall them: ``c`` corrupted, ``d`` duplicated, ``s``
            skipped, ``w`` swapped, ``u`` spoilt text, ``h`` a huge one, ``n`` never sent.
        book_frames: those of them that make books.
        answers: kinds of frames that acknowledge.
        silence_s: how long a dead line may go unnoticed.
        settle_s: how long everything may take to be right again once nothing goes wrong any more.
        rate: actions of traders per second and instrument.
        limits: that the venue's pages state, or that we keep where it only advises.
        patience_s: how long after the faults a session may still fail to open, where few connects are allowed.
        elements_in_all: whether every frame, and every answer over HTTP, has an element or more.
        session_options: the venue's own options of a session, with what each may be.
        spread: whether a session may be told to have more lines than it needs: not where two connects a minute are all.
        known: breaches that the simulator notes of what the venue only advises; ``limits`` has what we promise instead.
    """

    name: str
    instruments: tuple[str, str]
    options: Mapping[str, Any]
    client: Mapping[str, Any]
    key: tq.Credentials
    always: bool = False
    choices: Callable[[bool], list[Choice]]
    frames: Mapping[str, str]
    book_frames: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()
    silence_s: float
    settle_s: float = 240.0
    rate: float = 1.0
    limits: tuple[Limit, ...] = ()
    patience_s: float = 0.0
    elements_in_all: bool = False
    spread: bool = True
    session_options: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    known: frozenset[str] = frozenset()

    def simulator(self, **options: Any) -> Simulator[Any]:
        """The venue, simulated."""
        return SIMULATORS[self.name](**{**self.options, **self.client, "rate": self.rate, **options})


Read: TypeAlias = Callable[[Any, bytes], Iterable[tuple[Hashable, bool]]]


def whole_frame(
    is_meant: Callable[[Any], bool], is_history: Callable[[Any], bool] = lambda _fields: False
) -> Read:
    return lambda fields, raw: [(raw, is_history(fields))] if is_meant(fields) else []


def to_owner(*kinds: str) -> Flow:
    """Of what concerns the client's own account: several events may come of one message, or none."""
    return Flow(
        kinds=kinds,
        read=whole_frame(lambda _fields: True),
        key=by_frame,
        repeats=True,
        partial=True,
        times=1000,
    )
