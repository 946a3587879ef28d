"""What the quotes socket carries as topics, each of the messages that it carries.

A topic's name is the venue's word: ``pq`` is :class:`ProductQuotes`.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues.darwinex.messages import Heartbeat, Pong, ProductPage, ProductQuote

__all__ = ["TOPICS", "ChannelTopic", "Heartbeats", "Pongs", "ProductQuotes", "Products"]

E_co = TypeVar("E_co", bound=Event, covariant=True)


class ChannelTopic(Topic[E_co], frozen=True):
    """Root of the venue's own topics; each needs a token, since every line does."""

    channel: ClassVar[str] = ""
    """The venue's word."""

    @property
    def name(self) -> str:
        """The venue's word."""
        return self.channel


class ProductQuotes(ChannelTopic[ProductQuote], frozen=True):
    """The quotes of a product; the present one comes first, from the acknowledgement."""

    channel: ClassVar[str] = "pq"
    latest: ClassVar[bool] = True
    instrument: str

    def latest_key(self, event: Event) -> object:
        """The product."""
        return event.product_name if isinstance(event, ProductQuote) else None


class Heartbeats(ChannelTopic[Heartbeat], frozen=True):
    """The venue's heartbeats; they come by themselves, and are confirmed by the answer to a ping."""

    channel: ClassVar[str] = "hb"
    latest: ClassVar[bool] = True


class Pongs(ChannelTopic[Pong], frozen=True):
    """The answer to a ping a minute, for as long as somebody listens.

    ``received_ns - int(msg)`` is how long it took, in nanoseconds: the text of our pings is their time.
    """

    channel: ClassVar[str] = "pong"
    latest: ClassVar[bool] = True


class Products(ChannelTopic[ProductPage], frozen=True):
    """The REST list of active products, page by page, once after each connect."""

    channel: ClassVar[str] = "products"


TOPICS: dict[str, type[Topic[Event]]] = {
    topic.channel: topic for topic in (ProductQuotes, Heartbeats, Pongs, Products)
}
"""By the venue's words."""
