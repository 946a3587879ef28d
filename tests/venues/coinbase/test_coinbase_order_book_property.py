"""Books by order equal a naive model of the server's, or it was said before that they may not.

``full`` and ``level3`` count their messages, so whatever happens to one is seen when a later one comes. The last
message of all could be lost without a trace: no play ends with that.
"""

from __future__ import annotations

import json
import random
from collections import deque
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Line, Outbox
from tests.venues.bookcheck import OrderReader, many
from tests.venues.coinbase.exchange import Product, Told
from tests.venues.coinbase.feed import KEY, RENAMED, ack, compact, heartbeat
from trioquotes._protocol.effects import Failure, Fetch, Reply
from trioquotes._protocol.ordering import OrderFeed
from trioquotes.events import Event, Gap, Notice, WireMessage
from trioquotes.topics import OrderBooks, Topic
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

PRODUCTS = ("A-B", "C-D")


class Native(Outbox):
    """Takes the venue's own messages, each once, and is told of every hole."""

    def __init__(self, topic: Topic[Any]) -> None:
        super().__init__(topic)
        self.sequence: int | None = None
        self.told = False
        self.gaps: list[str] = []
        self.latest: int | None = (
            None  # which message may come next at the latest, after a book that made up for a hole
        )

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        assert isinstance(event, WireMessage)
        if isinstance(event, coinbase.Level3Book):
            if self.told:
                self.latest = event.sequence + 1
            return
        if isinstance(event, coinbase.Activate):
            return
        sequence = getattr(event, "sequence")  # noqa: B009  # of every message that is left
        if self.told:
            assert self.latest is None or sequence <= self.latest, (
                "a hole after the book, and nothing was said"
            )
        elif self.sequence is not None:
            assert sequence == self.sequence + 1, "a hole, and nothing was said"
        self.sequence, self.told, self.latest = sequence, False, None

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.told, self.latest = True, None
            self.gaps.append(notice.reason)


class Frame(NamedTuple):
    """A frame on its way.

    Attributes:
        product: whose, or empty if that cannot be read.
        sequence: of a message that can be read.
        lost: of a message that cannot.
        is_numbered: whether the number of such a message can.
    """

    text: str
    product: str = ""
    sequence: int | None = None
    lost: int | None = None
    is_numbered: bool = False


class Stage:
    """A session, the server's side of its one line, its REST, and what was published on the line."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.channel, self.lane = rng.choice((("full", "full"), ("level3", "book")))
        self.play = Bench(VENUE, credentials=KEY, extra={"by_order": self.channel})
        self.products = {name: Product(name, rng) for name in PRODUCTS}
        self.boxes: list[OrderReader | Native] = []
        self.wire: deque[Frame] = deque()
        self.there: dict[str, list[str]] = {}
        self.asked: set[str] = set()
        self.front: dict[str, int] = {}  # the newest message of what is asked that reached the client
        self.faults = rng.random() < 0.8
        self.come()

    @property
    def line(self) -> Line:
        return self.play.line(self.lane)

    # The users.

    def come(self) -> None:
        """A subscriber comes."""
        name = self.rng.choice(PRODUCTS)
        box: OrderReader | Native
        if self.rng.random() < 0.3:
            box = Native(coinbase.Full(name) if self.channel == "full" else coinbase.Level3(name))
        else:
            box = OrderReader(OrderBooks(name))
        self.boxes.append(box)
        self.play.join(box)
        self.check()

    def go(self) -> None:
        """One goes."""
        if len(self.boxes) > 1:
            self.play.unsubscribe(self.boxes.pop(self.rng.randrange(len(self.boxes))))

    # The client's side of the line.

    def write(self) -> None:
        """What the client has to say reaches the server, and the server answers."""
        line = self.line
        if line.protocol is None:
            if not line.state.ledger.wanted_any:
                return
            self.wire.clear()
            self.there, self.asked, self.front = {}, set(), {}
            line.connect()
        for frame in line.writer():
            said = json.loads(frame)
            for channel in said["channels"]:
                for name in channel["product_ids"]:
                    self._serve(said["type"], channel["name"], name)
            listed = {RENAMED.get(name, name): ids for name, ids in self.there.items() if ids}
            if not self.faults or self.rng.random() < 0.9:
                self.wire.append(Frame(ack(**listed)))
        coming = [name for e in line.state.ledger.in_flight if isinstance(e, Fetch) for name in e.resyncs]
        assert len(set(coming)) == len(coming), "two books of one product are on their way"

    def _serve(self, kind: str, channel: str, name: str) -> None:
        held = self.there.setdefault(channel, [])
        if kind == "subscribe" and name not in held:
            held.append(name)
        elif kind == "unsubscribe" and name in held:
            held.remove(name)
        if channel == self.channel:
            self.front.pop(name, None)
            (self.asked.add if kind == "subscribe" else self.asked.discard)(name)

    def lose_line(self) -> None:
        if self.line.protocol is not None:
            self.line.drop()
            self.check()

    # The server's.

    def happen(self) -> None:
        """Something happens, and is told."""
        product = self.products[self.rng.choice(PRODUCTS)]
        told = product.act()
        if self.rng.random() < 0.05:
            told.append(product.activate())
        if product.name in self.there.get(self.channel, ()):
            self.wire.extend(frame for one in told if (frame := self._frame(product.name, one)) is not None)

    def _frame(self, name: str, told: Told) -> Frame | None:
        said = told.full if self.channel == "full" else told.level3
        return None if said is None else Frame(compact(said), name, told.sequence)

    def lose(self) -> None:
        if len(self.wire) > 1:
            del self.wire[self.rng.randrange(len(self.wire) - 1)]

    def repeat(self) -> None:
        if self.wire:
            self.wire.insert(self.rng.randrange(len(self.wire) + 1), self.rng.choice(self.wire))

    def swap(self) -> None:
        if len(self.wire) > 1:
            at = self.rng.randrange(len(self.wire) - 1)
            self.wire[at], self.wire[at + 1] = self.wire[at + 1], self.wire[at]

    def spoil(self) -> None:
        """A message cannot be read, or is none at all."""
        at = [i for i, frame in enumerate(self.wire) if frame.sequence is not None]
        if not at:
            return
        chosen = self.rng.choice(at)
        frame = self.wire[chosen]
        number = f'"sequence":{frame.sequence}' if self.channel == "full" else f'"{frame.sequence}"'
        spoilt = number + ".5" if self.channel == "full" else number.replace('"', '"x', 1)
        old, new = self.rng.choice(((number, spoilt), ("2026-08-25", "soon")))
        self.wire[chosen] = Frame(
            frame.text.replace(old, new), frame.product, lost=frame.sequence, is_numbered=new == "soon"
        )

    def garbage(self) -> None:
        """A frame of nobody."""
        self.wire.append(
            Frame(self.rng.choice(("", "{", "[", "[]", "null", '{"type":5}', '{"type":"news"}')))
        )

    def answer(self) -> None:
        """REST answers the oldest question, well or badly."""
        line = self.line
        if line.protocol is None or not line.fetches:
            return
        product = self.products[line.fetches[0].request.url.split("/")[-2]]
        chance, newest = self.rng.random(), product.sequence
        reply: Reply | Failure
        if chance < 0.45 or not self.faults:
            reply = Reply(200, body=product.book(newest))
        elif chance < 0.75:
            oldest = min(product.states)
            reply = Reply(200, body=product.book(max(oldest, newest - self.rng.randrange(12))))
        elif chance < 0.85:
            reply = Failure("stream", "reset")
        elif chance < 0.95:
            reply = Reply(self.rng.choice((404, 429, 500)), body=b'{"message":"no"}')
        elif chance < 0.97:
            reply = Reply(200, body=b'{"sequence":5,"bids":[["1","x","o"]],"asks":[]}')
        else:
            crossed = {"sequence": newest, "bids": [["9", "1", "o"]], "asks": [["8", "1", "p"]]}
            reply = Reply(200, body=compact(crossed).encode())
        line.answer(reply)
        self.check()

    # Reading.

    def read(self) -> None:
        """The next frame reaches the client."""
        line = self.line
        if line.protocol is None or not self.wire:
            return
        frame = self.wire.popleft()
        name, sequence = frame.product, frame.sequence
        is_news = name in self.asked and sequence is not None and sequence > self.front.get(name, -1)
        if is_news and sequence is not None:
            self.front[name] = sequence
        others = [box for box in self.boxes if box.topic.subject != name and self.trusts(box)]
        line.server(frame.text)
        if is_news:
            for box in self.boxes:
                if isinstance(box, Native) and box.topic.subject == name:
                    assert box.sequence == sequence, "a message was kept from a native subscriber"
        if frame.lost is not None and name in self.asked and frame.lost > self.front.get(name, -1):
            readers = [box for box in self.boxes if box.topic.subject == name]
            assert not any(self.trusts(box) for box in readers), "a message that cannot be read broke nothing"
            if frame.is_numbered:
                self.front[name] = frame.lost
        self.check()
        assert all(self.trusts(box) for box in others), "the book of another product was disturbed"

    @staticmethod
    def trusts(box: Outbox) -> bool:
        return isinstance(box, OrderReader) and box.trusting

    def check(self) -> None:
        """Who trusts its book is right, as of the newest message that came or as of a book that is newer."""
        for box in self.boxes:
            if not isinstance(box, OrderReader) or not box.trusting:
                continue
            name = box.topic.subject
            assert self.line.protocol is not None, "trusted without a line"
            assert box.sequence is not None
            state = self.products[name].states[max(box.sequence, self.front.get(name, 0))]
            assert box.orders == state.orders, f"{box.topic}: wrong"
            feed = self.play.planner.feeds[box.topic]
            assert isinstance(feed, OrderFeed)
            assert (*feed.book.orders("bid"),) == (*state.bids,)
            assert (*feed.book.orders("ask"),) == (*state.asks,)
            by_price: tuple[dict[Decimal, Decimal], ...] = dict(feed.book.bids), dict(feed.book.asks)
            assert by_price == (state.bid_levels, state.ask_levels), "L3 added up is not L2"

    def wait(self) -> None:
        self.play.advance(self.rng.choice((0.2, 1.0, 5.0, 31.0)))
        line = self.line
        if line.state.lost_reason is not None and line.protocol is not None:
            self.lose_line()

    def converge(self) -> None:
        """Nothing goes wrong any more: soon every book is right."""
        for _ in range(60):
            self.write()
            self.happen()
            while self.wire:
                self.read()
            self.write()
            line = self.line
            while line.fetches:
                product = self.products[line.fetches[0].request.url.split("/")[-2]]
                line.answer(Reply(200, body=product.book(product.sequence)))
                self.check()
            self.write()
            readers = [box for box in self.boxes if isinstance(box, OrderReader)]
            if not self.wire and all(box.trusting for box in readers):
                return
            self.wire.extend(Frame(heartbeat(product=name)) for name in PRODUCTS)
            self.play.advance(4.0)
            if line.state.lost_reason is not None:
                self.lose_line()
        raise AssertionError("a book never became right again")


def play(rng: random.Random) -> None:
    """One session with everything that can go wrong."""
    stage = Stage(rng)
    steps = [
        *[stage.happen] * 7, *[stage.read] * 14, *[stage.write] * 4, *[stage.answer] * 4, stage.come, stage.go,
    ]  # fmt: skip
    if stage.faults:
        steps += [
            stage.lose, stage.repeat, stage.swap, stage.spoil, stage.garbage, stage.come, stage.wait, stage.lose_line,
        ]  # fmt: skip
    for _ in range(rng.randrange(20, 80)):
        rng.choice(steps)()
    stage.converge()
    if not stage.faults:
        said = {reason for box in stage.boxes for reason in box.gaps}
        assert said <= {"joined late"}, "a gap, and nothing was lost"
    stage.play.assert_polite()


@given(st.randoms(use_true_random=False))
def test_book_by_order_is_right_or_says_that_it_is_not(rng: random.Random) -> None:
    play(rng)


def test_book_by_order_is_right_or_says_that_it_is_not_in_many_sessions() -> None:
    many(play)
