"""A program for ``test_flood``: a million frames to a consumer that never reads; prints figures as JSON.

It is a process of its own so that its memory is its own. The server is written by hand on a TCP stream, so
that it costs little and shares nothing with the client.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path

import trio

import trioquotes as tq

FRAMES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
BLOCK = 500
PING_EVERY = 10_000
MATCH = (
    b'{"type":"match","trade_id":%d,"maker_order_id":"f07e510f-4edf-469d-b844-4f670f1e93f1","taker_order_id":'
    b'"e6f50944-3e2a-439e-ae49-308300ba8296","side":"sell","size":"0.00000001","price":"80691.53","product_id":'
    b'"BTC-USD","sequence":%d,"time":"2026-08-25T03:35:57.198335Z"}'
)
HEARTBEAT = b'{"type":"heartbeat","sequence":%d,"last_trade_id":%d,"product_id":"BTC-USD","time":"2026-08-25T03:35:57Z"}'
ACK = (
    b'{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]},'
    b'{"name":"heartbeat","product_ids":["BTC-USD"]}]}'
)


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked frame."""
    size = len(payload)
    head = (
        bytes([0x80 | opcode, size]) if size < 126 else bytes([0x80 | opcode, 126]) + size.to_bytes(2, "big")
    )
    return head + payload


class Server:
    """Accepts one client, acknowledges, floods; counts pings and pongs."""

    def __init__(self) -> None:
        self.pings = 0
        self.pongs = 0
        self.begin = trio.Event()
        self.answered = trio.Event()
        self.done = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        key = next(
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key + magic).digest())  # noqa: S324  # RFC 6455 says so
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.count_pongs, stream)
            await stream.send_all(frame(1, ACK))
            await self.begin.wait()
            for start in range(1, FRAMES + 1, BLOCK):
                block = [frame(1, MATCH % (number, number)) for number in range(start, start + BLOCK)]
                if start % PING_EVERY == 1:
                    self.pings += 1
                    block.insert(BLOCK // 2, frame(9, b"are you there"))
                    block.insert(0, frame(1, HEARTBEAT % (start, start - 1)))
                await stream.send_all(b"".join(block))
            with trio.move_on_after(30):
                await self.answered.wait()
            self.done.set()

    async def count_pongs(self, stream: trio.SocketStream) -> None:
        buffer = b""
        while data := await stream.receive_some():
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= (end := _frame_end(buffer)):
                self.pongs += buffer[0] & 0x0F == 10
                buffer = buffer[end:]
            if self.pongs >= FRAMES // PING_EVERY:
                self.answered.set()


def _frame_end(buffer: bytes) -> int:
    size = buffer[1] & 0x7F
    if size == 126:
        return 8 + int.from_bytes(buffer[2:4], "big")
    return 6 + size


async def main() -> None:
    """Flood, then drain."""
    server = Server()
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        session = tq.Session("coinbase", tq.Trades("BTC-USD"), endpoint=f"ws://127.0.0.1:{port}")
        async with session as stream:
            start_bytes, start_s = resident_bytes(), trio.current_time()
            server.begin.set()
            await server.done.wait()
            with trio.move_on_after(30):
                while stream.statistics().count.frames < FRAMES + server.pings + 1:  # noqa: ASYNC110  # no event says so
                    await trio.sleep(0.05)
            grown_bytes = resident_bytes() - start_bytes
            channel = stream.statistics().channels[0]
            items = await stream.receive_many()
        figures = {
            "grown_bytes": grown_bytes,
            "pings": server.pings,
            "pongs": server.pongs,
            "dropped": channel.dropped,
            "lagged": sum(item.dropped for item in items if isinstance(item, tq.Lagged)),
            "trades": sum(isinstance(item, tq.Trade) for item in items),
            "last": max(int(item.trade_id or 0) for item in items if isinstance(item, tq.Trade)),
            "frames": stream.statistics().count.frames,
            "seconds": round(trio.current_time() - start_s, 1),
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
