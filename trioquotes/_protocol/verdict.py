"""What to do after a lost line, where a venue has no words of its own for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from trioquotes._protocol.effects import Failure, Fatal, Reply, Retry, Verdict
from trioquotes.errors import AuthenticationFailed, ConnectFailed

__all__ = ["default_verdict", "patience_s", "retry_after_s"]

_UNAUTHORIZED = frozenset({401, 403})
_OVERLOADED = frozenset({429, 503})

JITTER = 0.1
"""By how much of it a wait that was asked for is lengthened at most: many of us were told the same moment."""
LONGEST_WAIT_S = 86_400.0
"""However long a server asks to wait."""


def default_verdict(failure: Failure, *, authenticated: bool) -> Verdict:
    """The verdict that fits a venue that says nothing else.

    A refused credential and a certificate that was never good are final, since trying again cannot help and
    may lock an account; everything else passes.

    Args:
        failure: what happened.
        authenticated: whether the handshake carried credentials.
    """
    after_s = retry_after_s(failure.headers)
    if failure.status in _UNAUTHORIZED:
        text = f"refused with HTTP {failure.status}: {failure.reason}"
        if authenticated:
            return Fatal(AuthenticationFailed(text))
        return Fatal(
            ConnectFailed(text, status=failure.status, headers=failure.headers, retry_after_s=after_s)
        )
    if failure.stage == "tls" and not failure.established:
        return Fatal(ConnectFailed(failure.reason))
    return Retry(floor_s=after_s or 0.0)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the response asks to wait, or ``None``: said in seconds, or as a time against its ``Date``.

    No more than a day: who asks for more is a broken server, or one that means to keep us out and will say so again.

    *Source:* RFC 9110, section 10.2.3.

    Args:
        headers: of the response, names in lower case.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), LONGEST_WAIT_S)
    until, now = _http_date(text), _http_date(headers.get("date", ""))
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), LONGEST_WAIT_S)


def patience_s(answer: Reply | Failure, uniform: Callable[[], float]) -> float:
    """For how long an answer over REST asks to be left alone: never shorter than it says, and jittered above that.

    Args:
        answer: of any status.
        uniform: gives a number from 0 to 1; called once where there is something to wait for.

    Returns:
        Seconds; 0.0 where nothing is asked.
    """
    after_s = retry_after_s(answer.headers) if answer.status in _OVERLOADED else None
    return 0.0 if not after_s else after_s + uniform() * max(1.0, after_s * JITTER)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the second for a minute of 64 bits and the like
        return None
    return moment if moment.tzinfo is not None else None
