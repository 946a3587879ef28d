"""One page over HTTP/1.1: as much of a server as a scraper needs, on trio and bounded."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Final, TypeAlias

import h11
import trio

from trioquotes._runtime.network import close_now

__all__ = ["LOOPBACK", "Page", "address_of", "open_listeners", "serve_page"]

LOOPBACK: Final = "127.0.0.1"
PATH: Final = "/metrics"
TIMEOUT_S: Final = 10.0
"""For one request and its answer, as long as Prometheus waits for one."""
AT_ONCE: Final = 8
"""How many requests are served at the same time; who comes on top of that is turned away."""
READ_BYTES: Final = 4096

Page: TypeAlias = Callable[[str], Awaitable[tuple[bytes, str]]]
"""From the ``Accept`` header to a body and its content type."""

_PLAIN = "text/plain; charset=utf-8"


async def open_listeners(port: int, host: str) -> list[trio.SocketListener]:
    """Listen, so that the address is taken.

    Raises:
        OSError: it cannot be had.
    """
    return await trio.open_tcp_listeners(port, host=host)


async def serve_page(
    page: Page,
    listeners: list[trio.SocketListener],
    *,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; the listeners are closed at the end. What a client does wrong never raises here."""
    places = trio.Semaphore(AT_ONCE)
    await trio.serve_listeners(partial(_serve, page, places), listeners, task_status=task_status)


def address_of(listener: trio.SocketListener) -> str:
    """The URL of the page."""
    host, port = listener.socket.getsockname()[:2]
    shown = f"[{host}]" if isinstance(ipaddress.ip_address(host), ipaddress.IPv6Address) else host
    return f"http://{shown}:{port}{PATH}"


async def _serve(page: Page, places: trio.Semaphore, stream: trio.abc.HalfCloseableStream) -> None:
    """One request; the connection is closed behind its answer, which costs a scraper nothing worth saving."""
    try:
        places.acquire_nowait()
    except trio.WouldBlock:
        await trio.aclose_forcefully(stream)
        return
    try:
        with trio.move_on_after(TIMEOUT_S):
            await _answer(page, stream)
            await stream.send_eof()
            while await stream.receive_some(READ_BYTES):  # what is left unread would take our answer with it
                pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # whoever asked has gone
    finally:
        places.release()
        await close_now(stream)  # noqa: ASYNC102  # it shields itself


async def _answer(page: Page, stream: trio.abc.HalfCloseableStream) -> None:
    connection = h11.Connection(h11.SERVER)
    try:
        request = await _request(connection, stream)
        status, body, headers = await _judge(page, request) if request is not None else (0, b"", [])
    except h11.RemoteProtocolError as error:
        request, status = None, error.error_status_hint
        body, headers = b"this is not an HTTP request\n", [("Content-Type", _PLAIN)]
    if not status:
        return  # it hung up without a question
    headers += [("Content-Length", str(len(body))), ("Connection", "close")]
    head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase)
    data = connection.send(head) or b""
    if request is None or request.method != b"HEAD":
        data += connection.send(h11.Data(data=body)) or b""
    await stream.send_all(data)


async def _request(connection: h11.Connection, stream: trio.abc.HalfCloseableStream) -> h11.Request | None:
    """The head of the request; a body is nothing that a page could use. ``None`` where none came."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(bytes(await stream.receive_some(READ_BYTES)))


async def _judge(page: Page, request: h11.Request) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Status, body and headers of the answer."""
    path = request.target.decode("latin-1").partition("?")[0]
    if request.method not in {b"GET", b"HEAD"}:
        return 405, b"only GET and HEAD\n", [("Content-Type", _PLAIN), ("Allow", "GET, HEAD")]
    if path != PATH:
        return 404, f"the metrics are at {PATH}\n".encode(), [("Content-Type", _PLAIN)]
    accept = b",".join(value for name, value in request.headers if name == b"accept").decode("latin-1")
    body, content_type = await page(accept)
    return 200, body, [("Content-Type", content_type)]
