"""Recorded frames of the venue, served with its acknowledgements and heartbeats of today."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar, TypeAlias

import attrs

from trioquotes.simulator.connection import Connection
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.playback import PlaybackSimulator
from trioquotes.simulator.venues.coinbase.desk import Desk, acknowledgement, error_frame
from trioquotes.simulator.venues.coinbase.requests import Refusal, Rules, Violation, read_request
from trioquotes.simulator.venues.coinbase.texts import time_text

__all__ = ["CoinbasePlayback", "PlaybackDesk"]

_Line: TypeAlias = Connection["PlaybackDesk"]


@attrs.define
class PlaybackDesk(Desk):
    """A connection's subscriptions, and the counters of what it was played.

    Attributes:
        counters: the last sequence and trade id by product, as far as the recording says them.
    """

    counters: dict[str, tuple[int, int]] = attrs.field(factory=dict)


class CoinbasePlayback(PlaybackSimulator[PlaybackDesk]):
    """Plays a capture; every product and key is welcome."""

    venue: ClassVar[str] = "coinbase"
    rules: ClassVar[Rules] = Rules(products=None, keys=None, unsubscribe_without_ids="all")

    def new_state(self, request: HttpRequest) -> PlaybackDesk:  # noqa: ARG002  # the feed has no paths
        """No subscription yet."""
        return PlaybackDesk()

    def received(self, connection: _Line, message: str | bytes) -> None:
        """Acknowledge what is asked, in the venue's form of today; the first subscribe starts the recording."""
        text = message if isinstance(message, str) else message.decode(errors="replace")
        outcome = read_request(text, self.rules, Decimal(self.wall_ns()) / 10**9)
        if isinstance(outcome, Violation):
            connection.close(outcome.code, outcome.reason)
            return
        fate = connection.faults.acknowledgement()
        if fate.reject is not None:
            outcome = Refusal(*fate.reject)
        if isinstance(outcome, Refusal):
            self._send(connection, error_frame(outcome.message, outcome.reason))
            return
        if not fate.serve:
            return
        connection.state.apply(outcome, fate.leave_out)
        if fate.acknowledge and fate.delay_s:
            connection.later(fate.delay_s, lambda: self._acknowledge(connection))
        elif fate.acknowledge:
            self._acknowledge(connection)
        if outcome.kind == "subscribe":
            self.begin(connection)

    def _acknowledge(self, connection: _Line) -> None:
        self._send(connection, acknowledgement(connection.state))

    @staticmethod
    def _send(connection: _Line, frame: dict[str, Any]) -> None:
        connection.send(frame["type"], json.dumps(frame, separators=(",", ":")))

    def kind_of(self, raw: str) -> str:
        """The frame's type; ``level3`` for its arrays, ``broken`` for what is not JSON."""
        frame = _parsed(raw)
        if isinstance(frame, dict):
            return str(frame.get("type", ""))
        return "level3" if isinstance(frame, list) else "broken"

    def is_answer(self, kind: str) -> bool:
        """Acknowledgements are left out; recorded errors are played."""
        return kind == "subscriptions"

    def played(self, connection: _Line, raw: str) -> None:
        """Remember the counters, for heartbeats."""
        if "heartbeat" not in connection.state.views:
            return
        frame = _parsed(raw)
        if isinstance(frame, dict) and isinstance(frame.get("sequence"), int):
            product = str(frame.get("product_id", ""))
            _, trade_id = connection.state.counters.get(product, (0, 0))
            said = frame.get("trade_id", frame.get("last_trade_id"))
            trade_id = said if isinstance(said, int) else trade_id
            connection.state.counters[product] = (frame["sequence"], trade_id)

    def beat(self, connection: _Line) -> None:
        """One heartbeat per product that subscribed them; zeros where the recording gave no counters."""
        for product in connection.state.views.get("heartbeat", {}):
            sequence, trade_id = connection.state.counters.get(product, (0, 0))
            frame = {
                "type": "heartbeat", "last_trade_id": trade_id, "product_id": product, "sequence": sequence,
                "time": time_text(self.now_ns()),
            }  # fmt: skip
            self._send(connection, frame)


def _parsed(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
