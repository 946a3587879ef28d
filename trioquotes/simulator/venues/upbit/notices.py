"""Announcements of the venue: what a client is sent of one, and some to publish when nobody writes any; pure.

*Source:* docs.upbit.com/kr/reference/websocket-announcement; the venue's own SDK, release 1.1.0, for the fields.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from trioquotes.simulator.venues.upbit.texts import kst_text

__all__ = ["LARGEST_BODY", "Announcement", "usual"]

LARGEST_BODY = 20_000
"""A longer body is sent as ``null``; how long is too long is not documented."""

USUAL = (
    ("trade", "KRW 마켓 거래지원 안내", "거래지원 일정을 안내드립니다."),
    ("maintenance", "서버 점검 안내", "점검 시간 동안 서비스 이용이 제한됩니다."),
    ("wallet", "입출금 일시 중단 안내", "네트워크 업그레이드로 입출금이 중단됩니다."),
)


@attrs.frozen(kw_only=True)
class Announcement:
    """An announcement, published or changed.

    Attributes:
        number: tells it from others; a change has its number.
        first_ms: when it was published first, Unix milliseconds.
        listed_ms: when this version was.
    """

    number: int
    event: Literal["CREATED", "UPDATED"]
    category: str
    title: str
    body: str
    first_ms: int
    listed_ms: int

    def message(self, fields: Mapping[str, Any], now_ms: int) -> dict[str, Any] | None:
        """What a subscriber gets, or ``None`` for who asked for other categories.

        Args:
            fields: of the subscriber's request.
            now_ms: the time of the frame.
        """
        categories = fields.get("categories")
        if categories and self.category not in categories:
            return None
        message: dict[str, Any] = {
            "type": "announcement", "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"announcement/{self.number}")),
            "event_type": self.event, "category": self.category, "title": self.title,
        }  # fmt: skip
        if fields.get("include_body"):
            message["body"] = self.body if len(self.body) <= LARGEST_BODY else None
        return {
            **message, "url": f"https://upbit.com/service_center/notice?id={self.number}",
            "first_listed_at": f"{kst_text(self.first_ms)}+09:00", "listed_at": f"{kst_text(self.listed_ms)}+09:00",
            "timestamp": now_ms, "stream_type": "REALTIME",
        }  # fmt: skip


def usual(number: int, now_ms: int) -> Announcement:
    """The next of a few that come round; every fourth changes the one before."""
    changed = number % 4 == 0
    category, title, body = USUAL[(number - changed) % len(USUAL)]
    return Announcement(
        number=number - changed, event="UPDATED" if changed else "CREATED", category=category, title=title,
        body=f"{body} (수정)" if changed else body, first_ms=now_ms - 60_000 * changed, listed_ms=now_ms,
    )  # fmt: skip
