"""``python -m trading_bot coinbase BTC-USD ETH-USD``: the bot on paper. Ctrl-C ends it; its orders are taken away."""

from __future__ import annotations

import argparse
import logging
import sys
from decimal import Decimal

import trio
import trioquotes as tq

from trading_bot.bot import Bot, NothingToTrade
from trading_bot.desk import PaperDesk
from trading_bot.strategy import Maker

__all__ = ["main"]


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="trading_bot", description="A market maker that trades on paper.")
    parser.add_argument("venue")
    parser.add_argument("instruments", nargs="+", metavar="instrument")
    parser.add_argument("--endpoint", metavar="URL")
    parser.add_argument("--margin", type=Decimal, default=Decimal("0.001"), metavar="FRACTION")
    parser.add_argument("--tick", type=Decimal, default=Decimal("0.01"))
    parser.add_argument("--size", type=Decimal, default=Decimal("0.01"))
    args = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    bot = Bot(args.instruments, Maker(args.margin, args.tick, args.size), PaperDesk())
    try:
        session = tq.Session(args.venue, endpoint=args.endpoint)
    except tq.UsageError as error:
        parser.error(str(error))
    code = 0
    try:
        trio.run(bot.run, session)
    except* KeyboardInterrupt:  # inside of nurseries it comes in a group
        print("stopped", file=sys.stderr)
    except* (tq.TrioquotesError, NothingToTrade) as ended:
        print("ended:", *ended.exceptions, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
