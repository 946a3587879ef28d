"""Captured answers of the REST side through the same readings, for ``decode`` and replay."""

from __future__ import annotations

from typing import Final

from trioquotes._protocol.contract import Sink
from trioquotes._protocol.effects import Options, Reply, Stamp
from trioquotes.credentials import Secret
from trioquotes.errors import SessionError
from trioquotes.venues.darwinex.listing import deliver_page
from trioquotes.venues.darwinex.protocol import DarwinexProtocol
from trioquotes.venues.darwinex.tokens import TokenFlow

__all__ = ["CapturedPages", "CapturedTokens"]

_NOBODY: Final = Secret("")


class CapturedPages(DarwinexProtocol):
    """Pages of the list of products."""

    def __init__(self, options: Options) -> None:
        super().__init__(None, {}, options, captured=True)

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One page."""
        del stamp
        deliver_page(frame, out)


class CapturedTokens(DarwinexProtocol):
    """Answers of the token endpoint: they are read and counted, and nothing of them is shown."""

    def __init__(self, options: Options) -> None:
        super().__init__(None, {}, options, captured=True)

    def receive(self, frame: bytes, stamp: Stamp, out: Sink) -> None:
        """One answer; a notice about one that cannot be read comes without it."""
        del stamp
        try:
            TokenFlow(_NOBODY, _NOBODY).read(Reply(200, body=frame), _NOBODY)
        except SessionError as error:
            out.malformed(b"", str(error))
        else:
            out.ignored("tokens")
