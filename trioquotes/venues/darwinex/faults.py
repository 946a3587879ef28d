"""What the gateway in front of the venue says when it refuses; pure."""

from __future__ import annotations

import attrs
import msgspec

from trioquotes._protocol.veil import Veil

__all__ = ["Fault", "read_fault"]

_PASSING = frozenset({"temporarily_unavailable", "server_error"})
_TOO_MANY, _SERVER_ERRORS = 429, 500


class _Inner(msgspec.Struct):
    code: int | str | None = None
    message: str | None = None
    description: str | None = None


class _Answer(msgspec.Struct):
    fault: _Inner | None = None
    error: str | None = None
    error_description: str | None = None
    status: str | None = None


@attrs.frozen
class Fault:
    """A refusal in the venue's words.

    Attributes:
        text: the words in one line; empty where there are none.
        throttled: whether too much was asked for, which passes.
        passing: whether it is to be tried again later, for whatever reason.
    """

    text: str
    throttled: bool
    passing: bool


def read_fault(status: int | None, body: bytes, *secrets: str) -> Fault:
    """Read a refusal.

    *Source:* REST answers as recorded in 2020: ``fault``, ``error`` with ``error_description``, or ``status``.

    Args:
        status: of the HTTP answer.
        body: of the HTTP answer, in whatever form.
        secrets: texts that must not show, should the venue repeat them in whatever form.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    inner = answer.fault or _Inner()
    code = None if inner.code is None else str(inner.code)
    parts = (code, inner.message, inner.description, answer.error, answer.error_description, answer.status)
    veil = Veil()
    veil.cover("own", *secrets)
    text = veil.hide(" ".join(": ".join(part for part in parts if part).split()))
    # 9008xx is the gateway's family of throttling, as 9009xx is that of authentication.
    throttled = status == _TOO_MANY or "throttled" in text.lower() or (code or "").startswith("9008")
    server_side = status is not None and status >= _SERVER_ERRORS
    return Fault(text, throttled, throttled or server_side or answer.error in _PASSING)
