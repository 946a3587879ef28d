"""Numbers, times and ids as the venue prints them: all as strings."""

from __future__ import annotations

import hashlib
import uuid
from decimal import Context, Decimal

__all__ = ["EXACT", "fixed", "kline_id", "money", "ms", "order_number", "plain", "scaled", "ticket_id"]

EXACT = Context(prec=60)
"""For the prices of the oracle, which have more digits than the default context keeps."""

ORDER_NUMBERS_FROM = 700_000_000_000_000_000
"""Recorded order ids have eighteen digits."""


def plain(number: Decimal) -> str:
    """Without trailing zeros and without an exponent: ``8616.5248``, ``20``."""
    return format(EXACT.normalize(number), "f")


def fixed(number: Decimal, step: Decimal) -> str:
    """With as many decimals as the step has: ``76883.0``, ``0.720``."""
    places = max(-int(step.normalize().as_tuple().exponent), 0)
    return scaled(number, places)


def scaled(number: Decimal, places: int) -> str:
    """With so many decimals, rounded half to even."""
    return format(EXACT.quantize(number, Decimal(1).scaleb(-places)), "f")


def money(amount: Decimal) -> str:
    """Six decimals, or a bare ``0`` for nothing, as the account pages print amounts."""
    return scaled(amount, 6) if amount else "0"


def ms(time_ns: int) -> str:
    """Unix milliseconds."""
    return str(time_ns // 10**6)


def order_number(order_id: str) -> str:
    """The venue's number for an order of the market, which has a UUID there."""
    return str(ORDER_NUMBERS_FROM + uuid.UUID(order_id).int % 10**17)


def ticket_id(contract_id: str, trade: int, *, as_uuid: bool) -> str:
    """The id of a trade: a random-looking UUID (recorded on V2), or a number (documented on V1)."""
    digest = hashlib.sha256(f"{contract_id}/{trade}".encode()).digest()
    if as_uuid:
        return str(uuid.UUID(bytes=digest[:16], version=4))
    return str(int.from_bytes(digest[:7], "big"))


def kline_id(*parts: object) -> str:
    """The id of a bar: opaque digits, the same for every push of the bar."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return str(int.from_bytes(digest[:8], "big") >> 2)
