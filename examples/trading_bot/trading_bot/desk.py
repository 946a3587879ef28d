"""Who sends the bot's orders: what the bot asks of them, and one who trades on paper."""

from __future__ import annotations

from typing import Protocol

import trio

from trading_bot.strategy import Orders

__all__ = ["Desk", "PaperDesk"]


class Desk(Protocol):
    """Where orders go."""

    async def place(self, instrument: str, orders: Orders) -> None:
        """Let these be the orders of an instrument, in place of those that there are."""

    async def withdraw(self, instrument: str) -> None:
        """Let there be none."""


class PaperDesk:
    """Prints what it would send."""

    async def place(self, instrument: str, orders: Orders) -> None:
        """Print them."""
        print(f"{instrument}: {orders.size} at {orders.bid} and {orders.ask}", flush=True)
        await trio.lowlevel.checkpoint()

    async def withdraw(self, instrument: str) -> None:
        """Print that there are none."""
        print(f"{instrument}: no orders", flush=True)
        await trio.lowlevel.checkpoint()
