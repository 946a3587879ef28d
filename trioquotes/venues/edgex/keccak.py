"""Keccak-256 as Ethereum knows it: SHA3-256 before the standard changed its padding.

The standard library has only the standard's SHA3, and the package that signs has no hash. One signature
a connection needs one hash of a hundred bytes, so these lines replace a second compiled dependency.
"""

from __future__ import annotations

from typing import Final

__all__ = ["KECCAK", "SHA3", "keccak_256"]

KECCAK: Final = 0x01
"""First byte of the original padding."""
SHA3: Final = 0x06
"""First byte of the standard's padding, with which the result is that of ``hashlib.sha3_256``."""

_RATE_BYTES: Final = 136
_DIGEST_LANES: Final = 4
_ROUNDS: Final = 24
_MASK: Final = 2**64 - 1


def _rotated(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _MASK if by else lane


def _round_constants() -> tuple[int, ...]:
    """What iota adds in each round, from its shift register.

    *Source:* FIPS 202, section 3.2.5.
    """
    constants = []
    register = 1
    for _ in range(_ROUNDS):
        constant = 0
        for place in range(7):
            constant |= (register & 1) << (2**place - 1)
            register <<= 1
            register ^= 0x171 if register & 0x100 else 0
        constants.append(constant)
    return tuple(constants)


_CONSTANTS: Final = _round_constants()


def _permute(state: list[int]) -> list[int]:
    """Keccak-f[1600]; the lane of column x and row y stands at ``x + 5 * y``.

    *Source:* FIPS 202, sections 3.2 and 3.3.
    """
    for constant in _CONSTANTS:
        sums = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
        theta = [sums[x - 1] ^ _rotated(sums[(x + 1) % 5], 1) for x in range(5)]
        moved = [state[0] ^ theta[0]] * 25
        x, y = 1, 0
        for step in range(24):
            lane = state[x + 5 * y] ^ theta[x]
            x, y = y, (2 * x + 3 * y) % 5
            moved[x + 5 * y] = _rotated(lane, (step + 1) * (step + 2) // 2 % 64)
        state = [
            moved[i] ^ (~moved[i // 5 * 5 + (i + 1) % 5] & moved[i // 5 * 5 + (i + 2) % 5]) for i in range(25)
        ]
        state[0] ^= constant
    return state


def keccak_256(data: bytes, *, padding: int = KECCAK) -> bytes:
    """The hash of the data.

    Args:
        data: of any length.
        padding: :data:`KECCAK` or :data:`SHA3`.

    Returns:
        32 bytes.
    """
    padded = bytearray(data) + bytes(_RATE_BYTES - len(data) % _RATE_BYTES)
    padded[len(data)] |= padding
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            at = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:_DIGEST_LANES])
