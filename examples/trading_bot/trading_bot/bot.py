"""The bot's tasks: one session, and one task for each instrument."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import trio
import trioquotes as tq

from trading_bot.desk import Desk
from trading_bot.strategy import Maker, Orders

__all__ = ["Bot", "NothingToTrade"]

log = logging.getLogger(__name__)

LAST_WORDS_S = 5.0
"""How long taking the orders away may take when the bot ends."""


class NothingToTrade(Exception):
    """The venue refused every instrument."""


@dataclass(frozen=True)
class Bot:
    """A market maker for some instruments of one venue.

    Attributes:
        instruments: in the venue's own names.
        maker: what orders there should be.
        desk: where they go.
        patience_s: how long a quote is good for. A market may be quiet for longer, but no order should rest on a quote
            that is older; the session tells a quiet line from a dead one, and takes longer for it.
    """

    instruments: Sequence[str]
    maker: Maker
    desk: Desk
    patience_s: float = 5.0

    async def run(self, session: tq.Session) -> None:
        """Trade until cancelled, or until there is nothing to trade.

        Args:
            session: one without topics.

        Raises:
            NothingToTrade: the venue refused every instrument.
            SessionError: the session ended.
        """
        async with session as stream, trio.open_nursery() as nursery:
            for instrument in self.instruments:
                nursery.start_soon(self._trade, stream, instrument, name=instrument)
        raise NothingToTrade(f"the venue refused {', '.join(self.instruments)}")

    async def _trade(self, stream: tq.Stream, instrument: str) -> None:
        """Trade one instrument, until the venue refuses it."""
        try:
            async with await stream.subscribe(tq.Quotes(instrument), overflow="latest") as quotes:
                await self._follow(quotes, instrument)
        except tq.SubscriptionRejected as error:
            log.error("%s is not traded: %s", instrument, error)  # noqa: TRY400  # a traceback says no more

    async def _follow(self, quotes: tq.Channel[tq.Quote | tq.Notice], instrument: str) -> None:
        """Keep the orders where they should be; none are left behind, however this ends."""
        present: Orders | None = None
        try:
            while True:
                event: tq.Event | None = None
                with trio.move_on_after(self.patience_s if present is not None else float("inf")):
                    event = await quotes.receive()
                wanted = None if event is None else self.maker.wanted(event, present)
                if isinstance(event, tq.Notice):
                    log.warning("%s: %s", instrument, type(event).__name__)
                if wanted == present:
                    continue
                if wanted is None:
                    await self.desk.withdraw(instrument)
                    present = None
                else:
                    present = wanted  # from now on: a call that is cancelled may have been heard
                    await self.desk.place(instrument, wanted)
        finally:
            if present is not None:
                with trio.move_on_after(LAST_WORDS_S, shield=True):
                    await self.desk.withdraw(instrument)
