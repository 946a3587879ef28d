"""Signatures of the first generation: ECDSA on the STARK curve over the Keccak of a text.

The scalar arithmetic that a private key is used in is left to ``fast-stark-crypto`` (the extra
``edgex-v1``), imported only when something is to be signed.

*Source:* edgeX V1 documentation, "Authentication"; StarkWare, "STARK curve".
"""

from __future__ import annotations

import importlib
import re
from typing import Final

from trioquotes.errors import MissingExtra, UsageError
from trioquotes.venues.edgex.keccak import keccak_256

__all__ = ["ORDER", "message_hash", "private_key", "signature"]

ORDER: Final = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
"""The order of the curve's generator, to which the hash is reduced."""

_HEX: Final = re.compile(r"[0-9a-f]{1,64}")


def private_key(text: str) -> int:
    """The key of a text in hex, with or without ``0x`` and leading zeros.

    Raises:
        UsageError: it is no such key; the message shows nothing of it.
    """
    digits = text.strip().lower().removeprefix("0x")
    key = int(digits, 16) if _HEX.fullmatch(digits) else 0
    if not 0 < key < ORDER:
        raise UsageError("the private key of an edgeX V1 account is a Stark key in hex, and this one is not")
    return key


def message_hash(content: str) -> int:
    """What is signed of a text: its Keccak-256, reduced to the curve's order."""
    return int.from_bytes(keccak_256(content.encode())) % ORDER


def signature(key: int, content: str) -> str:
    """``r`` and ``s`` as 64 hex digits each.

    The server's documentation also prints a form with the public key's y behind them; live clients send
    these 128 digits.

    Args:
        key: the private key.
        content: the text to be signed.

    Raises:
        MissingExtra: the extra ``edgex-v1`` is not installed.
    """
    try:
        curve = importlib.import_module("fast_stark_crypto")
    except ImportError:
        raise MissingExtra(
            "signing for edgeX V1 needs fast-stark-crypto: pip install trioquotes[edgex-v1]"
        ) from None
    r, s = curve.sign(key, message_hash(content))
    return f"{r:064x}{s:064x}"
