"""copra: a callback that gets dictionaries with texts, which is all that it makes of a message."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from typing import Any

from copra.websocket import Channel, Client

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.tally import Tally

__all__ = ["main"]


def value(message: Any) -> Decimal | None:
    """The sum of its prices."""
    match message["type"]:
        case "l2update":
            return sum((Decimal(price) for _, price, _ in message["changes"]), Decimal(0))
        case "ticker" | "match":
            return Decimal(message["price"])
    return None


def run(meter: Meter) -> None:
    task = meter.task
    os.environ["SSL_CERT_FILE"] = task.authority  # it takes no context
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    tally = Tally(meter, value, loop.stop)

    class Counting(Client):  # type: ignore[misc]
        def on_message(self, message: Any) -> None:
            tally.take(message)

    names = ["ticker"] if task.feed == "coinbase-ticker" else ["level2", "ticker", "matches"]
    client = Counting(loop, [Channel(name, task.instruments) for name in names], feed_url=task.url)
    loop.run_forever()
    loop.run_until_complete(client.close())
    loop.close()


def main() -> None:
    meter = begin("copra")
    run(meter)
    meter.say()


if __name__ == "__main__":
    main()
