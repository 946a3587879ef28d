"""The STARK curve in plain Python, so that signatures are checked by what made none of them."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["BETA", "GENERATOR", "ORDER", "PRIME", "multiplied", "verifies"]

PRIME = 2**251 + 17 * 2**192 + 1
BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
Point: TypeAlias = tuple[int, int]
GENERATOR: Point = (
    0x1EF15C18599971B7BECED415A40F0C7DEACFD9B0D1819E03D723D8BC943CFCA,
    0x5668060AA49730B7BE4801DF46EC62DE53ECD11ABE43A32873000C36E8DC1F,
)


def added(one: Point | None, other: Point | None) -> Point | None:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % PRIME == 0:
            return None
        slope = (3 * one[0] ** 2 + 1) * pow(2 * one[1], -1, PRIME)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, PRIME)
    x = (slope**2 - one[0] - other[0]) % PRIME
    return x, (slope * (one[0] - x) - one[1]) % PRIME


def multiplied(factor: int, point: Point | None) -> Point | None:
    total: Point | None = None
    while factor:
        if factor & 1:
            total = added(total, point)
        point = added(point, point)
        factor >>= 1
    return total


def verifies(public: Point, message: int, r: int, s: int) -> bool:
    """Whether r and s sign the message for the owner of the public point; r is not reduced on this curve."""
    if not (1 <= r < 2**251 and 1 <= s < ORDER):
        return False
    w = pow(s, -1, ORDER)
    if not 1 <= w < 2**251:
        return False
    found = added(multiplied(message * w % ORDER, GENERATOR), multiplied(r * w % ORDER, public))
    return found is not None and found[0] == r
