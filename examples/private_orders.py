"""A private stream that is never wrong in silence: the own orders and trades in a market of Zonda, through lost lines.

What it shows: ``Orders`` and ``Fills`` tell what changes while the line is up. After a ``Gap`` nobody knows what happened
meanwhile, so what is known is put in doubt at once, and the venue's REST is asked for the state anew. It is asked only when
the venue has confirmed both topics again: asked sooner, a change between the answer and the confirmation would be lost, and
nothing would tell. Events that came before the answer may be in it already; so trades are told apart by their ids,
none counts twice, and an order that is gone does not come back.

Run it with a key of your own, which needs no more than the right to read::

    ZONDA_API_KEY=... ZONDA_API_SECRET=... python private_orders.py BTC-PLN

or against a simulator (``--endpoint ws://127.0.0.1:8001``) that knows the key. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import sys
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import httpx2
import msgspec
import trio
import trioquotes as tq

REST = "https://api.zondacrypto.exchange/rest"
IDS_KEPT = 100_000
"""How many ids of trades, and of orders that are gone, are remembered: far more than any gap holds."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Between attempts to ask for the state: each is twice as long as the one before."""


# What is known: values in, values out ---------------------------------------------------------------


class Row(NamedTuple):
    """An order that rests, or a trade of one's own, as REST tells of it.

    Attributes:
        id: of the order, or of the trade.
        order_id: the order.
        size: what remains of the order, or what was traded.
    """

    id: str
    order_id: str
    instrument: str
    side: str
    price: Decimal
    size: Decimal


class State(NamedTuple):
    """What the venue says of the account.

    Attributes:
        orders: all that rest.
        fills: the latest, oldest first.
        whole: whether these are all fills that there ever were.
    """

    orders: tuple[Row, ...]
    fills: tuple[Row, ...]
    whole: bool


Ask: TypeAlias = Callable[["OwnOrders"], Awaitable[State]]


class Ids:
    """The last ids of some kind; not all that ever were, or a program that runs for months would grow."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, one: str) -> bool:
        return one in self._kept

    def add(self, one: str) -> bool:
        """Remember one; whether it is new."""
        new = one not in self._kept
        self._kept[one] = None
        if len(self._kept) > IDS_KEPT:
            self._kept.popitem(last=False)
        return new


class OwnOrders:
    """The user's own orders, and which of their trades were told.

    Attributes:
        open: what remains of each order that rests, by id.
        known: whether that is so; in doubt it is what was so last.
        begun: whether it ever was known.
    """

    def __init__(self) -> None:
        self.open: dict[str, Decimal] = {}
        self.known = False
        self._gone = Ids()
        self._told = Ids()
        self.begun = False

    def doubt(self) -> None:
        """Something may have happened that nobody told."""
        self.known = False

    def has_told(self, trade_id: str) -> bool:
        """Whether a trade is known."""
        return trade_id in self._told

    def take(self, event: tq.OrderUpdate | tq.Fill) -> Iterator[str]:
        """Take an event; gives what is new."""
        if isinstance(event, tq.Fill):
            if event.trade_id is None or self._told.add(event.trade_id):
                yield f"fill: {event.instrument} {event.size} at {event.price}"
        elif event.venue_status == "remove":
            yield from self._end(event.order_id)
        elif event.order_id not in self._gone and event.remaining_size is not None:
            yield from self._rest(event.order_id, event.remaining_size, f"{event.side} at {event.price}")

    def restate(self, state: State) -> Iterator[str]:
        """Take the state that was asked for; gives what is new."""
        if self.begun and not state.whole and not any(row.id in self._told for row in state.fills):
            yield "fills: more happened than the venue's latest pages hold; some are not told here"
        for row in state.fills:
            if self._told.add(row.id) and self.begun:  # those before the program began are no news
                yield f"fill: {row.instrument} {row.size} at {row.price} (from REST)"
        resting = {row.id for row in state.orders}
        for order_id in [order_id for order_id in self.open if order_id not in resting]:
            yield from self._end(order_id)
        for row in state.orders:
            if row.id not in self._gone:
                yield from self._rest(row.id, row.size, f"{row.side} at {row.price}")
        self.known = self.begun = True

    def _rest(self, order_id: str, remaining: Decimal, words: str) -> Iterator[str]:
        if self.open.get(order_id) != remaining:
            self.open[order_id] = remaining
            yield f"order {order_id[:8]}: {remaining} to {words}"

    def _end(self, order_id: str) -> Iterator[str]:
        self._gone.add(order_id)
        if self.open.pop(order_id, None) is not None:
            yield f"order {order_id[:8]}: gone"


# Asking the venue's REST ----------------------------------------------------------------------------


class Offer(msgspec.Struct, rename="camel"):
    """An active order, as REST says it."""

    id: str
    market: str
    offer_type: str
    rate: Decimal
    current_amount: Decimal


class Offers(msgspec.Struct):
    """The active orders."""

    status: Literal["Ok"]
    items: tuple[Offer, ...]


class Transaction(msgspec.Struct, rename="camel"):
    """A trade of one's own, as REST says it."""

    id: str
    market: str
    offer_id: str
    user_action: str
    rate: Decimal
    amount: Decimal


class Transactions(msgspec.Struct, rename="camel"):
    """One page of them, newest first."""

    status: Literal["Ok"]
    items: tuple[Transaction, ...]
    total_rows: int
    next_page_cursor: str | None = None


class NoState(Exception):
    """The venue did not say what was asked."""


def signed(key: tq.ApiKey, now_s: int, operation: str) -> dict[str, str]:
    """The headers of a private request that has no body.

    *Source:* docs.zondacrypto.exchange/reference, page authentication.
    """
    public = key.key.reveal()
    text = f"{public}{now_s}".encode()
    return {
        "API-Key": public,
        "API-Hash": hmac.digest(key.secret.reveal().encode(), text, hashlib.sha512).hex(),
        "Request-Timestamp": str(now_s),
        "operation-id": operation,
        "Content-Type": "application/json",
    }


def read_offers(body: bytes) -> tuple[Row, ...]:
    """The active orders of an answer.

    Raises:
        NoState: it is a refusal, or none.
    """
    try:
        offers = msgspec.json.decode(body, type=Offers, strict=False).items
    except msgspec.DecodeError:
        raise NoState(f"no list of orders: {body[:200]!r}") from None
    return tuple(
        Row(one.id, one.id, one.market, one.offer_type.lower(), one.rate, one.current_amount)
        for one in offers
    )


def read_transactions(body: bytes) -> Transactions:
    """One page of trades.

    Raises:
        NoState: it is a refusal, or none.
    """
    try:
        return msgspec.json.decode(body, type=Transactions, strict=False)
    except msgspec.DecodeError:
        raise NoState(f"no list of trades: {body[:200]!r}") from None


def row_of(one: Transaction) -> Row:
    """A trade as the program keeps it."""
    return Row(one.id, one.offer_id, one.market, one.user_action.lower(), one.rate, one.amount)


Get: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[bytes]]
"""Makes a signed GET: a path and the fields of its query, to the body of the answer. Raises ``NoState``."""


async def ask_venue(get: Get, market: str, own: OwnOrders) -> State:
    """Ask for the latest trades, back to one that is known, and for the active orders.

    What happens between the answers is told by the stream as well, which is read after them.

    Raises:
        NoState: the venue does not say.
    """
    fills: list[Row] = []
    rows = 0
    cursor: str | None = "start"
    whole = False
    while cursor is not None:
        query = msgspec.json.encode({"markets": [market], "nextPageCursor": cursor}).decode()
        page = read_transactions(await get("/trading/history/transactions", {"query": query}))
        rows += len(page.items)
        fills += [row_of(one) for one in page.items if one.market == market]
        whole = rows >= page.total_rows
        done = whole or not own.begun or any(own.has_told(row.id) for row in fills)
        cursor = None if done or page.next_page_cursor == cursor else page.next_page_cursor
    return State(read_offers(await get(f"/trading/offer/{market}", {})), tuple(reversed(fills)), whole)


async def get_signed(
    client: httpx2.AsyncClient, base: str, key: tq.ApiKey, path: str, query: Mapping[str, str]
) -> bytes:
    """A signed GET over HTTP.

    Raises:
        NoState: the venue cannot be reached.
    """
    headers = signed(key, int(time.time()), str(uuid.uuid4()))
    try:
        return (await client.get(base + path, params=dict(query), headers=headers)).content
    except httpx2.HTTPError as error:
        raise NoState(f"{path}: {error}") from None


# The program ----------------------------------------------------------------------------------------


def topics_of(market: str) -> tuple[tq.Topic[tq.Event], ...]:
    """What is followed."""
    return tq.Orders(market), tq.Fills(market)


async def follow(session: tq.Session, market: str, ask: Ask, tell: Callable[[str], None]) -> None:
    """Tell what happens in a market of the account, until cancelled.

    While the venue is asked nothing is read here: what comes meanwhile waits in the session's buffer, in order.

    Args:
        session: with the topics of the market.
        market: which one.
        ask: for the state.
        tell: is given one line a time.

    Raises:
        SessionError, SubscriptionRejected: as the session.
    """
    own = OwnOrders()
    async with session as stream:
        await _know(stream, market, ask, own, tell)
        while True:
            for (
                event
            ) in await stream.receive_many():  # all that is there: both topics have their Gap before we ask
                match event:
                    case tq.OrderUpdate() | tq.Fill():
                        for text in own.take(event):
                            tell(text)
                    case tq.Gap() | tq.Lagged():
                        own.doubt()
                        tell(f"in doubt, {event.topic}: something may have happened that nobody told")
                    case tq.Notice():
                        tell(f"({type(event).__name__})")
            if not own.known:
                await _know(stream, market, ask, own, tell)


async def _know(
    stream: tq.Stream, market: str, ask: Ask, own: OwnOrders, tell: Callable[[str], None]
) -> None:
    """Ask until the state is known."""
    pause_s = FIRST_PAUSE_S
    while not own.known:
        for topic in topics_of(market):
            # A second subscriber sends nothing: it waits until the venue has confirmed what the first one asked for.
            await (await stream.subscribe(topic)).aclose()
        try:
            state = await ask(own)
        except NoState as error:
            tell(f"asked in vain, again in {pause_s:g} s: {error}")
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            continue
        for text in own.restate(state):
            tell(text)
        tell(f"known: {len(own.open)} orders rest")


async def run(session: tq.Session, market: str, base: str, key: tq.ApiKey) -> None:
    """Follow the market over HTTP, and print it."""
    async with httpx2.AsyncClient(timeout=10.0) as client:
        ask = partial(ask_venue, partial(get_signed, client, base, key), market)
        await follow(session, market, ask, partial(print, flush=True))


def rest_of(endpoint: str) -> str:
    """Where a simulator that serves this WebSocket has its REST; encrypted where the socket is."""
    url = urlsplit(endpoint)
    return f"{'https' if url.scheme == 'wss' else 'http'}://{url.netloc}/rest"


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="The own orders and trades in a market of Zonda.")
    parser.add_argument("market", help="such as BTC-PLN")
    parser.add_argument("--endpoint", metavar="URL", help="of a simulator, such as ws://127.0.0.1:8001")
    args = parser.parse_args()
    base = REST if args.endpoint is None else rest_of(args.endpoint)
    try:
        key = tq.ApiKey.from_env("ZONDA")
        session = tq.Session("zonda", *topics_of(args.market), credentials=key, endpoint=args.endpoint)
    except tq.UsageError as error:
        parser.error(str(error))
    code = 0
    try:
        trio.run(run, session, args.market, base, key)
    except* KeyboardInterrupt:  # inside of nurseries it comes in a group
        print("stopped", file=sys.stderr)
    except* (tq.SessionError, tq.SubscriptionRejected) as ended:
        print("ended:", *ended.exceptions, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
