"""Keccak-256 as Ethereum uses it: the sponge before NIST changed its padding, so ``hashlib`` has none.

*Source:* The Keccak reference, version 3.0, keccak.team: the permutation, and multi-rate padding at rate 1088.
"""

from __future__ import annotations

__all__ = ["keccak_256"]

RATE_BYTES = 136
ROUNDS = 24
WORD = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    """The constants of the iota step, from their shift register."""
    constants: list[int] = []
    register = 1
    for _ in range(ROUNDS):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


def _rotations() -> dict[tuple[int, int], int]:
    """How far the rho step turns each lane."""
    turns = {(0, 0): 0}
    x, y = 1, 0
    for step in range(24):
        turns[x, y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return turns


CONSTANTS = _round_constants()
TURNS = _rotations()
PLACES = tuple((x, y) for x in range(5) for y in range(5))


def _turn(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & WORD


def _permute(lanes: dict[tuple[int, int], int]) -> None:
    for constant in CONSTANTS:
        column = [lanes[x, 0] ^ lanes[x, 1] ^ lanes[x, 2] ^ lanes[x, 3] ^ lanes[x, 4] for x in range(5)]
        mixed = [column[(x - 1) % 5] ^ _turn(column[(x + 1) % 5], 1) for x in range(5)]
        moved = {(y, (2 * x + 3 * y) % 5): _turn(lanes[x, y] ^ mixed[x], TURNS[x, y]) for x, y in PLACES}
        for x, y in PLACES:
            lanes[x, y] = moved[x, y] ^ (~moved[(x + 1) % 5, y] & moved[(x + 2) % 5, y])
        lanes[0, 0] ^= constant


def keccak_256(data: bytes) -> bytes:
    """The 32 bytes of the digest."""
    padded = bytearray(data + bytes(RATE_BYTES - len(data) % RATE_BYTES))
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = dict.fromkeys(PLACES, 0)
    for start in range(0, len(padded), RATE_BYTES):
        for word in range(RATE_BYTES // 8):
            at = start + 8 * word
            lanes[word % 5, word // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        _permute(lanes)
    return b"".join(lanes[word, 0].to_bytes(8, "little") for word in range(4))
