"""What a client sends that speaks to the venues by itself."""

from __future__ import annotations

import json
import uuid

__all__ = ["PATHS", "requests"]

PATHS = {
    "coinbase": "/",
    "upbit": "/websocket/v1",
    "edgex": "/api/v1/public/ws",
    "zonda": "/websocket/",
    "darwinex": "/quotewebsocket/1.0.0",
}


def requests(feed: str, instruments: list[str]) -> list[str]:
    """The requests of an input, as texts."""
    match feed.partition("-")[0]:
        case "coinbase":
            channels = ["ticker"] if feed == "coinbase-ticker" else ["ticker", "matches", "level2_batch"]
            asked: list[object] = [{"type": "subscribe", "product_ids": instruments, "channels": channels}]
        case "upbit":
            parts = [{"type": kind, "codes": instruments} for kind in ("orderbook", "trade")]
            asked = [[{"ticket": str(uuid.uuid4())}, *parts, {"format": "DEFAULT"}]]
        case "edgex":
            asked = [{"type": "subscribe", "channel": f"depth.{one}.200"} for one in instruments]
        case "zonda":
            paths = [f"orderbook/{one.lower()}" for one in instruments]
            asked = [{"action": "subscribe-public", "module": "trading", "path": path} for path in paths]
            asked += [
                {"requestId": str(uuid.uuid4()), "action": "proxy", "module": "trading", "path": path}
                for path in paths
            ]
        case "darwinex":
            asked = [{"op": "subscribe", "productNames": instruments}]
        case _:
            raise ValueError(feed)
    return [json.dumps(one) for one in asked]
