"""trio-websocket, json and cattrs: what one writes on trio without us.

The classes are attrs classes with the fields of those in ``shapes``, so that all contestants carry the same.
"""

from __future__ import annotations

import json
import time
import types
import typing
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import attrs
import cattrs
import msgspec
import trio
from cattrs.gen import make_dict_structure_fn, override
from trio_websocket import open_websocket_url

from benchmarks.contestants import shapes
from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.requests import PATHS, requests

__all__ = ["main"]

KINDS: dict[str, tuple[str, tuple[type[msgspec.Struct], ...]]] = {
    "coinbase": (
        "type",
        (
            shapes.Ticker,
            shapes.Snapshot,
            shapes.L2Update,
            shapes.Match,
            shapes.LastMatch,
            shapes.Subscriptions,
        ),
    ),
    "upbit": ("type", (shapes.UpbitTrade, shapes.UpbitBook)),
    "edgex": ("type", (shapes.QuoteEvent, shapes.Connected, shapes.Subscribed)),
    "zonda": ("action", (shapes.ZondaPush, shapes.ZondaAnswer, shapes.ZondaConfirm)),
    "darwinex": ("op", (shapes.ProductQuote, shapes.Acknowledged)),
}
LITERAL_NUMBERS = frozenset({"upbit", "darwinex"})

CONVERTER = cattrs.Converter()
CONVERTER.register_structure_hook(Decimal, lambda given, _: Decimal(given))
CONVERTER.register_structure_hook(datetime, lambda given, _: datetime.fromisoformat(given))


@cache
def mirrored(kind: Any) -> Any:
    """The attrs class for a Struct, and the type for a type that holds some."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        made = attrs.make_class(
            kind.__name__,
            {
                one.name: attrs.field(
                    type=mirrored(one.type),
                    default=attrs.NOTHING if one.required else one.default,
                    kw_only=True,
                )
                for one in fields
            },
            frozen=True,
            slots=True,
        )
        names: Any = {one.name: override(rename=one.encode_name) for one in fields}
        CONVERTER.register_structure_hook(made, make_dict_structure_fn(made, CONVERTER, **names))
        return made
    arguments = tuple(one if one is ... else mirrored(one) for one in typing.get_args(kind))
    match typing.get_origin(kind):
        case types.UnionType | typing.Union:
            return typing.Union[arguments]  # noqa: UP007  # there is no other way to spell it for any number
        case builtin if builtin is tuple:
            return tuple.__class_getitem__(arguments)
        case _:
            return kind


def make_reader(venue: str) -> Callable[[str | bytes], Any]:
    """A function from a frame's text to a message."""
    tag, kinds = KINDS[venue]
    classes = {kind.__struct_config__.tag: mirrored(kind) for kind in kinds}
    hooks = {name: (CONVERTER.get_structure_hook(made), made) for name, made in classes.items()}
    loads, numbers = json.loads, Decimal if venue in LITERAL_NUMBERS else None

    def read(text: str | bytes) -> Any:
        message = loads(text) if numbers is None else loads(text, parse_float=numbers)
        hook, made = hooks[message[tag]]
        return hook(message, made)

    return read


def value(message: Any) -> Decimal | None:
    """As :func:`shapes.value`."""
    match type(message).__name__:
        case "L2Update":
            return sum((price for _, price, _ in message.changes), Decimal(0))
        case "Ticker" | "Match":
            return typing.cast("Decimal", message.price)
        case "UpbitTrade" if message.stream_type == "REALTIME":
            return typing.cast("Decimal", message.trade_price)
        case "UpbitBook" if message.stream_type == "REALTIME":
            return typing.cast("Decimal", message.orderbook_units[0].bid_price)
        case "QuoteEvent" if message.content.data_type == "changed":
            levels = (level for row in message.content.data for level in (*row.asks, *row.bids))
            return sum((level.size for level in levels), Decimal(0))
        case "ZondaPush":
            return sum((change.rate for change in message.message.changes), Decimal(0))
        case "ProductQuote":
            return typing.cast("Decimal", message.quote)
    return None


async def run(meter: Meter) -> None:
    task = meter.task
    read = make_reader(task.venue)
    gate = meter.gate(len(task.kinds))
    url = task.url + PATHS[task.venue]
    async with open_websocket_url(url, ssl_context=task.trust(), max_message_size=2**25) as socket:
        for text in requests(task.feed, task.instruments):
            await socket.send_message(text)
        while not gate(value(read(await socket.get_message()))):
            pass
        meter.begin()
        seen, noted, now = 0, meter.times.append, time.monotonic_ns
        while True:
            message = read(await socket.get_message())
            seen += 1
            if task.paced:
                noted(now())
            if seen == task.count:
                break
        meter.end(value(message))


def main() -> None:
    meter = begin("trio-websocket")
    trio.run(run, meter)
    meter.say()


if __name__ == "__main__":
    main()
