"""From an address to a stream: TCP, and TLS where it is asked for, with the reason why not."""

from __future__ import annotations

import ssl

import trio

from trioquotes._protocol.effects import Failure
from trioquotes._runtime.connector import LineFailed, Network, ProxyFailed
from trioquotes._runtime.network import Address, close_now, describe
from trioquotes._runtime.proxies import TunnelNetwork
from trioquotes._runtime.tls import is_refusal, start_tls

__all__ = ["connect"]


async def connect(
    network: Network, address: Address, context: ssl.SSLContext | None, deadline: float
) -> trio.abc.Stream:
    """A stream to that address, TLS finished.

    Raises:
        ProxyFailed: the network lies behind a proxy, which did not let us through.
        LineFailed: at the stage ``tls`` where TLS was refused, else ``connect``, also for what was lost under TLS.
    """
    stream: trio.abc.Stream | None = None
    done = False
    try:
        with trio.CancelScope(deadline=deadline):
            stream = await network.open(address.host, address.port)
            if context is not None:
                stream = await start_tls(stream, context, address.host)
            done = True
            return stream
        if not isinstance(network, TunnelNetwork):
            raise LineFailed(Failure("connect", "no answer in time"))
        if stream is None:
            raise ProxyFailed(Failure("connect", network.late))
        raise LineFailed(Failure("connect", f"no answer in time ({network.through})"))
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        reason = describe(error, address if stream is None else None)
        if isinstance(network, TunnelNetwork) and stream is not None:
            reason = f"{reason} ({network.through})"
        raise LineFailed(Failure("tls" if is_refusal(error) else "connect", reason)) from error
    finally:
        if not done and stream is not None:
            await close_now(stream)  # noqa: ASYNC102  # it shields itself
