"""How what ends a task of ours is read: nurseries wrap errors in groups, and cancel the others."""

from __future__ import annotations

import trio

__all__ = ["sole"]


def sole(error: BaseException) -> BaseException:
    """The one error that counts of what our own nurseries wrapped.

    Our tasks report their errors instead of raising them, so what is left beside cancellations is an interrupt.

    Args:
        error: as it was caught.

    Returns:
        ``Cancelled`` where there is nothing else; else the one other error, or the group of the others.
    """
    while isinstance(error, BaseExceptionGroup):
        others = error.split(trio.Cancelled)[1]
        if others is not None and len(others.exceptions) > 1:
            return others
        error = (others or error).exceptions[0]
    return error
