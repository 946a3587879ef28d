"""Requests as texts; pure.

A request is a JSON array: a ticket, what is wanted, and the format. It replaces all that was asked before on
its connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from trioquotes._protocol.effects import WireChannel
from trioquotes.errors import UsageError
from trioquotes.venues.upbit.auth import uuid4_text
from trioquotes.venues.upbit.channels import DEPTHS, book_of, depth_of
from trioquotes.venues.upbit.formats import FORMATS

__all__ = [
    "depths_said",
    "generate_orderbook_codes",
    "generate_payload",
    "list_subscriptions",
    "subscribe",
]

_LIST: Final = "LIST_SUBSCRIPTIONS"
_RAW: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def subscribe(channels: Iterable[WireChannel], ticket: bytes, form: str) -> bytes:
    """The request for exactly these channels.

    *Source:* WebSocket guide, "Request".

    Args:
        channels: one or more; a depth that is wanted goes to the code of its book, the largest wins.
        ticket: 16 random bytes.
        form: one of the four formats.
    """
    depths: dict[WireChannel, int] = {}
    for channel in channels:
        book = book_of(channel)
        depths[book] = max(depths.get(book, 0), depth_of(channel) or 0)
    parts: dict[tuple[str, str], dict[str, Any]] = {}
    for book in sorted(depths):
        part = parts.setdefault((book.name, book.detail), {"type": book.name})
        if book.instrument:
            depth = depths[book] or DEPTHS[-1]
            suffix = f".{depth}" if book.name == "orderbook" else ""
            part.setdefault("codes", []).append(f"{book.instrument}{suffix}")
    wanted = [{**part, **(_RAW.decode(text) if text else {})} for (_, text), part in parts.items()]
    return msgspec.json.encode([{"ticket": uuid4_text(ticket)}, *wanted, {"format": form}])


def list_subscriptions(ticket: bytes, form: str) -> bytes:
    """The request for a list of what is subscribed.

    It names the format, which would be another one afterwards if it did not: also of what is running.

    *Source:* WebSocket reference, "List subscriptions".
    """
    return msgspec.json.encode([{"ticket": uuid4_text(ticket)}, {"method": _LIST}, {"format": form}])


class _Part(msgspec.Struct):
    type: str = ""
    codes: tuple[str, ...] = ()


_PARTS: Final = msgspec.json.Decoder(tuple[_Part, ...])


def depths_said(request: bytes) -> dict[str, int]:
    """How deep each book of a request of ours is asked for, by code."""
    codes = [code for part in _PARTS.decode(request) if part.type == "orderbook" for code in part.codes]
    return {code: int(depth) for code, _, depth in (text.partition(".") for text in codes)}


def generate_payload(
    type: str,  # noqa: A002  # the name that the venue's reference gives it
    codes: Sequence[str],
    *,
    ticket: str | None = None,
    is_only_snapshot: bool | None = None,
    is_only_realtime: bool | None = None,
    format: str = "DEFAULT",  # noqa: A002  # likewise
    **options: object,
) -> str:
    """A request for one type, as the text to send; for those who talk to the socket themselves.

    *Source:* upbit-client, "Payload Generate"; WebSocket guide, "Request".

    Args:
        type: ``ticker``, ``trade``, ``orderbook``, ``candle.1m``, ...
        codes: of markets, quote currency first.
        ticket: any text; without one it is a UUID made of the request, so that equal requests have equal tickets.
        is_only_snapshot: ask for one message a market and no more; ``isOnlySnapshot``, its name of old, is taken too.
        is_only_realtime: leave that first message out; ``isOnlyRealtime`` is taken too.
        format: ``DEFAULT``, ``SIMPLE``, ``JSON_LIST`` or ``SIMPLE_LIST``.
        options: whatever else the venue takes for the type, such as ``level``.

    Returns:
        A JSON array: ticket, type and codes, format.

    Raises:
        UsageError: there is no such format, or ``codes`` is one text.
    """
    if format not in FORMATS:
        raise UsageError(f"Upbit has no format {format!r}; it has {', '.join(FORMATS)}")
    if isinstance(codes, str):
        raise UsageError(f"codes is a list of codes, such as ['KRW-BTC'], not {codes!r}")
    said = {
        "is_only_snapshot": options.pop("isOnlySnapshot", is_only_snapshot),
        "is_only_realtime": options.pop("isOnlyRealtime", is_only_realtime),
        **options,
    }
    part = {"type": type, "codes": list(codes), **{k: v for k, v in said.items() if v is not None}}
    return msgspec.json.encode([{"ticket": ticket or _ticket_for(part)}, part, {"format": format}]).decode()


def _ticket_for(part: Mapping[str, object]) -> str:
    digest = hashlib.sha256(msgspec.json.encode(part, order="deterministic")).digest()
    return str(UUID(bytes=digest[:16], version=4))


def generate_orderbook_codes(currencies: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Codes with the number of levels wanted, for a request of type ``orderbook``.

    *Source:* upbit-client, "Orderbook Codes Generate"; WebSocket reference, "Orderbook".

    Args:
        currencies: codes of markets.
        counts: levels a side for each of them: 1, 5, 15 or 30; the venue takes any other for 30.

    Returns:
        ``"KRW-BTC.5"`` and so on, in the order given.

    Raises:
        UsageError: the two are not equally long, or a number is not positive.
    """
    if len(currencies) != len(counts):
        raise UsageError(f"{len(currencies)} codes and {len(counts)} numbers of levels: give one for each")
    if any(count < 1 for count in counts):
        raise UsageError(f"a number of levels is positive: {list(counts)}")
    return [f"{currency}.{count}" for currency, count in zip(currencies, counts, strict=True)]
