"""Simulated venues: servers an independent client could not tell from the real ones.

They are written from the venues' documentation and know nothing of this package's own decoding, so that one
misread field cannot pass on both sides.
"""

from __future__ import annotations

__all__: list[str] = []
