"""A small market maker that takes its orders away when it cannot trust what it knows."""

from __future__ import annotations

from trading_bot.bot import Bot, NothingToTrade
from trading_bot.desk import Desk, PaperDesk
from trading_bot.strategy import Maker, Orders

__all__ = ["Bot", "Desk", "Maker", "NothingToTrade", "Orders", "PaperDesk"]
