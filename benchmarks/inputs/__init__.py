"""What is sent: one class for each input, by name."""

from __future__ import annotations

from benchmarks.inputs import coinbase, darwinex, edgex, upbit, zonda
from benchmarks.inputs.base import Feed

__all__ = ["FEEDS"]

FEEDS: dict[str, type[Feed]] = {
    feed.name: feed
    for feed in (
        coinbase.Mix,
        coinbase.One,
        coinbase.Tickers,
        upbit.Upbit,
        upbit.Short,
        edgex.Edgex,
        zonda.Zonda,
        darwinex.Darwinex,
    )
}
