"""Every exception that trioquotes raises.

If the stream goes on, the user sees a notice (``trioquotes.events``); if it ends, one of these::

    TrioquotesError
    ├── UsageError (also ValueError)      the call was wrong; nothing was sent
    │   ├── UnknownVenue
    │   ├── UnknownEndpoint
    │   ├── UnsupportedTopic
    │   ├── InvalidInstrument
    │   ├── MissingCredentials
    │   ├── MissingExtra
    │   └── CaptureError                  a file is not a capture
    ├── SessionError                      the session ended
    │   ├── ConnectFailed
    │   ├── AuthenticationFailed
    │   ├── ProtocolViolation
    │   └── MessageTooLarge
    ├── SubscriptionRejected              one channel was refused; the session lives on
    ├── SlowConsumer                      one channel overflowed with ``overflow="fail"``
    ├── RecordingError
    ├── BookError (also ValueError)       in ``books``: what was applied cannot be part of the book
    └── InternalError                     a bug in trioquotes: please report it
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AuthenticationFailed",
    "CaptureError",
    "ConnectFailed",
    "InternalError",
    "InvalidInstrument",
    "MessageTooLarge",
    "MissingCredentials",
    "MissingExtra",
    "ProtocolViolation",
    "RecordingError",
    "SessionError",
    "SlowConsumer",
    "SubscriptionRejected",
    "TrioquotesError",
    "UnknownEndpoint",
    "UnknownVenue",
    "UnsupportedTopic",
    "UsageError",
]


class TrioquotesError(Exception):
    """Base of every exception that trioquotes raises on purpose."""


class UsageError(TrioquotesError, ValueError):
    """The call cannot mean anything; it was refused before any I/O."""


class UnknownVenue(UsageError):
    """No venue has the given name."""


class UnknownEndpoint(UsageError):
    """The venue has no endpoint of that name, or the URL is not one a session may use."""


class UnsupportedTopic(UsageError):
    """The venue cannot serve this topic; the message names what it can serve."""


class InvalidInstrument(UsageError):
    """The text cannot be the name of an instrument of that venue."""


class MissingCredentials(UsageError):
    """The topic is private, or the endpoint signs every line, and no credentials were given."""


class MissingExtra(UsageError):
    """An optional dependency is not installed; the message holds the command that installs it."""


class CaptureError(UsageError):
    """A file given as a capture is not one; the message names the line and what is wrong with it."""


class SessionError(TrioquotesError):
    """The session ended; nothing more will come from it."""


class ConnectFailed(SessionError):
    """No connection could be made, or none whose topics were confirmed in time.

    Attributes:
        status: the HTTP status of a refused handshake, or ``None``.
        headers: the response headers of a refused handshake, names in lower case.
        retry_after_s: seconds the server asked to wait (``Retry-After``), or ``None``.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.retry_after_s = retry_after_s


class AuthenticationFailed(SessionError):
    """The venue refused the credentials; the message holds the venue's words, never a secret."""


class ProtocolViolation(SessionError):
    """The venue broke its own protocol so that nothing after it can be trusted.

    Attributes:
        frame: the offending frame as received.
    """

    def __init__(self, message: str, *, frame: bytes = b"") -> None:
        super().__init__(message)
        self.frame = frame


class MessageTooLarge(SessionError):
    """Three messages in a row passed the size limit.

    Attributes:
        limit_bytes: the limit that was passed; raise it with ``Session(max_message_bytes=...)``.
    """

    def __init__(self, message: str, *, limit_bytes: int) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes


class SubscriptionRejected(TrioquotesError):
    """The venue refused one topic; the session and its other channels live on.

    Attributes:
        topic: the topic that was refused.
        reason: the venue's own words, or ours where it gave none.
    """

    def __init__(self, topic: object, reason: str) -> None:
        super().__init__(f"{topic}: {reason}")
        self.topic = topic
        self.reason = reason


class SlowConsumer(TrioquotesError):
    """A channel opened with ``overflow="fail"`` was full when an event arrived.

    Attributes:
        topic: the topic of the channel that ended.
    """

    def __init__(self, topic: object, limit: str) -> None:
        super().__init__(f"{topic}: the consumer fell behind ({limit}) and overflow is 'fail'")
        self.topic = topic


class RecordingError(TrioquotesError):
    """A recording cannot be written or read; the message names the file and the place in it."""


class InternalError(TrioquotesError):
    """A bug in trioquotes ended the session: please report it with the traceback."""
