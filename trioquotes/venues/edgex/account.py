"""The private socket: connecting asks for everything, and its snapshot confirms."""

from __future__ import annotations

import math
from typing import Any, Final

from trioquotes._protocol.codec import BadFrame, builtins
from trioquotes._protocol.contract import LedgerView, Sink
from trioquotes._protocol.effects import (
    Effect,
    Failure,
    Fatal,
    Fetch,
    Handshake,
    Options,
    Replace,
    Send,
    Stamp,
    Verdict,
)
from trioquotes._protocol.verdict import default_verdict
from trioquotes.errors import AuthenticationFailed, MissingCredentials
from trioquotes.venues.edgex.auth import Carrier, Signer, carrier_of
from trioquotes.venues.edgex.channels import TRADE_EVENT
from trioquotes.venues.edgex.line import Line
from trioquotes.venues.edgex.messages import Frame
from trioquotes.venues.edgex.readers import ERROR
from trioquotes.venues.edgex.requests import read_refusal

__all__ = ["SNAPSHOT_WITHIN_S", "PrivateProtocol"]

SNAPSHOT_WITHIN_S: Final = 15.0
"""How long after the line is up the snapshot of the account may take."""
OPEN_WITHIN_S: Final = 60.0
"""How long after the handshake was made the line may take to say anything at all."""

_REFUSED: Final = frozenset({400, 401, 403})
_WORDS_SHOWN: Final = 200


class PrivateProtocol(Line):
    """The contract's ``VenueProtocol`` for one connection to the private socket.

    Nothing may be sent there but pings and pongs.

    Args:
        signer: signs the handshake; ``None`` where frames come from a file.
        options: of the session.

    Raises:
        UsageError: the option ``auth`` means nothing.
    """

    def __init__(self, signer: Signer | None, options: Options) -> None:
        super().__init__()
        self._signer = signer
        self._base = options.endpoint.private or options.endpoint.public
        self._carrier: Carrier = carrier_of(options.extra)
        self._owed_at_s = math.inf
        self._handlers |= {"trade-event": self._event}

    # Requests: none.

    def handshake(self, stamp: Stamp) -> Handshake:
        """The upgrade, signed.

        Raises:
            MissingCredentials: nothing to sign with.
            MissingExtra: what signs for V1 is not installed.
        """
        if self._signer is None:
            raise MissingCredentials("the private socket of edgeX needs credentials")
        self._opening(stamp)
        self._owed_at_s = stamp.monotonic_s + OPEN_WITHIN_S
        return self._signer.handshake(self._base, stamp.wall_ns, self._carrier)

    def reconcile(self, ledger: LedgerView, stamp: Stamp) -> Effect | None:
        """Connecting asked for everything."""
        del stamp
        if ledger.resyncing:
            return Replace("only a new line brings the snapshot of the account again")
        return None

    def sent(self, effect: Send | Fetch, stamp: Stamp) -> None:
        """Nothing is ever sent."""

    # Frames.

    def _connected(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        self._owed_at_s = min(self._owed_at_s, stamp.monotonic_s + SNAPSHOT_WITHIN_S)
        super()._connected(head, frame, stamp, out)

    def _event(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del stamp
        event = self._trade_event(head, frame, out)
        if event is not None and event.is_snapshot:
            self._owed_at_s = math.inf

    def _error(self, head: Frame, frame: bytes, stamp: Stamp, out: Sink) -> None:
        del frame, stamp
        refusal = read_refusal(ERROR.read(bytes(head.content), "$.content"), head.request, head.channel, ())
        out.error(refusal.text)
        if refusal.kind == "authentication":
            out.rejected(TRADE_EVENT, refusal.text, refusal.kind)
        out.ignored("error")

    def _unreadable(self, out: Sink) -> None:
        """The notice says it: nothing is kept of an account that could be wrong now."""

    # Time.

    def tick(self, stamp: Stamp, out: Sink) -> None:
        """Watch the line, and the snapshot that is owed."""
        if stamp.monotonic_s >= self._owed_at_s:
            self._owed_at_s = math.inf
            out.lost(f"no snapshot of the account came within {SNAPSHOT_WITHIN_S:.0f} s")
        super().tick(stamp, out)

    def deadline(self) -> float:
        """When to tick."""
        return min(self._owed_at_s, super().deadline())

    # Endings.

    def classify(self, failure: Failure) -> Verdict:
        """A refused handshake ends what is private, for good; the public line lives on.

        *Source:* client reports of HTTP 400 for accounts without API access; V2 documentation, "Private WebSocket".
        """
        if failure.stage != "handshake" or failure.status not in _REFUSED:
            return default_verdict(failure, authenticated=True)
        words = self._words(failure.body)
        text = f"edgeX refused the private line with HTTP {failure.status}{words}"
        hint = "wrong credentials, a wrong clock, or an account without API access"
        return Fatal(AuthenticationFailed(f"{text} ({hint})"), scope="lane")

    def _words(self, body: bytes) -> str:
        """What the venue says about it, unless it repeats a secret."""
        try:
            said: Any = builtins(body)
        except BadFrame:
            return ""
        if not isinstance(said, dict):
            return ""
        words = ": ".join(part for part in (said.get("code"), said.get("msg")) if isinstance(part, str))
        if not words or (self._signer is not None and self._signer.knows(words)):
            return ""
        return f": {words[:_WORDS_SHOWN]}"
