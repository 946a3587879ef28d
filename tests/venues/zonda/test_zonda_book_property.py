"""Whatever the venue and the line do: a book that is held for right is right, or its reader was told before.

The exchange and what it remembers is in ``exchange``. What it shows under a number is the truth; a reader who trusts
its book must have the truth of a number that is not older than anything that came over the line. A push that is lost
is known by the number of the next one alone, and a frame that cannot be read at all counts as lost: until the
next push the book is that of a moment ago, and nobody could know better. That is the one thing that a play does
not hold against the client; wrong amounts in well-formed messages, which nothing shows, are in none.
"""

from __future__ import annotations

import json
import random
import re
from collections import deque
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.bookcheck import CASES, Reader, many
from tests.venues.zonda.exchange import BookChannel, Market, State, TickerChannel, top
from tests.venues.zonda.feed import answer, confirm
from trioquotes.events import BookChange, BookSnapshot, Depth, Event, Gap, Notice, Quote
from trioquotes.topics import Books, Depths, Quotes, Topic
from trioquotes.venues import zonda
from trioquotes.venues.zonda import VENUE

STORMY, CALM = "BTC-PLN", "ETH-PLN"
OF_THE_LINE = {"disconnected", "joined late"}
"""Gaps that are no fault of a book."""

PASSING = ("RESPONSE_TIMEOUT", "UNDER_MAINTENANCE", "ACTION_LIMIT_EXCEEDED", "TIMEOUT")


class BookReader(Reader):
    """Also remembers where its book is, and how deep it is said to be."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.number: int | None = None
        self.depth: int | None = None

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        assert isinstance(event, BookSnapshot | BookChange)
        assert isinstance(event, BookSnapshot) or self.number in {None, (event.sequence or 0) - 1}, (
            "not the next"
        )
        self.number = event.sequence
        if isinstance(event, BookSnapshot):
            self.depth = event.depth


class ViewReader(Outbox):
    """Believes the last view or quote until a gap."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.seen: Event | None = None
        self.gaps: list[str] = []

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        self.seen = event

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.seen = None
            self.gaps.append(notice.reason)


def reader_of(topic: Topic[Event]) -> Outbox:
    if isinstance(topic, Books):
        return BookReader(topic)
    return ViewReader(topic) if isinstance(topic, Depths | Quotes) else Outbox(topic)


TOPICS: dict[Topic[Event], str] = {
    Books(STORMY, 10): "orderbook-limited/btc-pln/10",
    Depths(STORMY, 4): "orderbook-limited/btc-pln/10",
    zonda.LimitedOrderBooks(STORMY, 10): "orderbook-limited/btc-pln/10",
    Books(STORMY): "orderbook/btc-pln",
    Depths(STORMY, 120): "orderbook/btc-pln",
    Depths(STORMY, 297): "orderbook/btc-pln",
    Quotes(STORMY): "ticker/btc-pln",
    Books(CALM, 10): "orderbook-limited/eth-pln/10",
    Depths(CALM, 10): "orderbook-limited/eth-pln/10",
}
"""Who may read, and of which channel."""


STEPS = {
    "trade": 12, "arrive": 16, "disturb": 8, "reply": 12, "wait": 3, "join": 2, "leave": 1, "lose": 0.5, "err": 1.5,
    "oblige": 2,
}  # fmt: skip
"""What may happen in a play, and how often."""

FAULTS = ["lose", "twice", "again", "late", "spoil"]
REPLIES = ["now", "queue", "old", "first", "error", "lost", "spoilt"]

DEEP = [topic for topic, path in TOPICS.items() if path == "orderbook/btc-pln"]


class Play:
    """One play: the exchange, the line with what is on its way, and the readers."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        deep = rng.random() > 0.9
        stormy = Market(STORMY, rng, rng.randint(295, 330) if deep else rng.choice([0, 3, 12, 25]))
        calm = Market(CALM, rng, rng.choice([0, 3, 15]))
        start = rng.choice([0, rng.randint(1, 3000), rng.randint(10**7, 10**8)])
        wanted = DEEP if deep else rng.sample(sorted(TOPICS, key=repr), rng.randint(2, 6))
        self.books = {
            book.path: book
            for book in (
                BookChannel(stormy, 10, start),
                BookChannel(stormy, None, start + rng.randint(0, 99)),
                BookChannel(calm, 10, rng.randint(0, 10**6)),
            )
        }
        self.ticker = TickerChannel(stormy, rng.randint(0, 10**6))
        self.markets = {STORMY: stormy, CALM: calm}
        self.deep = deep
        # Each play has a temper of its own: what is rare in one is all there is in another.
        self.chances = [weight * rng.choice([0.1, 0.3, 1, 1, 4]) for weight in STEPS.values()]
        self.faults = rng.sample(FAULTS, rng.randint(1, len(FAULTS)))
        self.replies = rng.sample(REPLIES, rng.randint(1, 4))
        self.bench = Bench(VENUE)
        self.readers: list[Outbox] = []
        for topic in dict.fromkeys(wanted):
            self.join(topic)
        self.line = self.bench.line()
        self.open()

    # The readers.

    def join(self, topic: Topic[Event]) -> None:
        self.readers.append(self.bench.join(reader_of(topic)))

    def leave(self, reader: Outbox) -> None:
        self.readers.remove(reader)
        self.bench.unsubscribe(reader)

    # The line.

    def open(self) -> None:
        self.line.connect()
        self.served: set[str] = set()
        self.begun: dict[str, int] = {}  # the number at which the pushes of each book began
        self.flight: deque[tuple[str, str]] = deque()  # paths and frames, on their way to the client
        self.asked: list[
            tuple[str, str]
        ] = []  # paths and numbers of proxy requests that wait for their answers
        self.newest: dict[
            str, str
        ] = {}  # the last request for each path: answers to earlier ones are passed over
        self.reached: dict[str, int] = {}  # the newest number of each book that came over this line
        self.quote: tuple[Decimal | None, Decimal | None] | None = None  # the last best prices that came
        self.told_quote = False  # whether a push of the ticker came

    def lose(self) -> None:
        self.line.drop()
        self.open()

    def write(self) -> None:
        """The client writes, and the server does what it is asked."""
        for frame in self.line.writer():
            said = json.loads(frame)
            if said["action"] == "ping":
                self.line.server('{"action":"pong"}')
            elif said["action"] == "proxy":
                self.asked.append((said["path"], said["requestId"]))
                self.newest[said["path"]] = said["requestId"]
            else:
                assert said["action"] == "subscribe-public"
                self.served.add(said["path"])
                if said["path"] in self.books:
                    self.begun.setdefault(said["path"], self.books[said["path"]].number)
                self.flight.append((said["path"], confirm(said["path"])))
        if self.line.protocol is None:
            self.open()  # it was replaced

    def deliver(self, path: str, frame: str) -> None:
        """One frame comes, and everybody is judged."""
        self.line.server(frame)
        number = re.search(r'"seqNo":(\d+)}$', frame)
        if number is not None and path in self.books:
            self.reached[path] = max(self.reached.get(path, 0), int(number[1]))
        elif number is not None:
            found = re.search(r'"highestBid":(\S+?),"lowestAsk":(\S+?),', frame)
            assert found is not None
            bid, ask = (None if text == "null" else Decimal(text.strip('"')) for text in found.groups())
            self.quote, self.told_quote = (bid, ask), True
        self.judge()

    # The judgement.

    def judge(self) -> None:
        for reader in self.readers:
            assert reader.error is None
            book = self.books.get(TOPICS[reader.topic])
            if isinstance(reader, BookReader):
                assert book is not None
                self.judge_book(reader, book)
            elif isinstance(reader, ViewReader) and reader.seen is not None:
                self.judge_view(reader.seen, book)
            gaps = set(reader.gaps) if isinstance(reader, BookReader | ViewReader) else set()
            assert reader.topic.subject == STORMY or gaps <= OF_THE_LINE, f"a calm book was disturbed: {gaps}"
            reader.take()

    def judge_book(self, reader: BookReader, book: BookChannel) -> None:
        if not reader.trusting:
            return
        assert not reader.told, "a book that is held for right without Resynced"
        reached = self.reached.get(book.path, 0)
        if reader.number is None:  # it started from the book of another topic, which has no number of its own
            assert any(self.equals(reader, book, book.history[number]) for number in self.numbers(book))
            return
        assert reader.number >= reached, f"held for right at {reader.number}, but {reached} came"
        self.reached[book.path] = reader.number
        assert self.equals(reader, book, book.history[reader.number])

    def equals(self, reader: BookReader, book: BookChannel, state: State) -> bool:
        bids, asks = state
        if not possible(state, book.limit):
            return False
        if reader.depth is None or reader.depth == book.limit:
            return reader.agrees(bids, asks)
        assert reader.depth == 300
        known = len(reader.bids), len(reader.asks)
        assert max(known) <= reader.depth
        assert min(known) > 0 or not (bids and asks)
        return reader.agrees(top(bids, known[0], bids=True), top(asks, known[1], bids=False))

    def numbers(self, book: BookChannel) -> range:
        first = self.reached.get(book.path, min(book.history))
        return range(first, book.number + 1)

    def judge_view(self, seen: Event, book: BookChannel | None) -> None:
        if isinstance(seen, Quote):
            assert (seen.bid, seen.ask) == self.quote
            return
        assert isinstance(seen, Depth)
        assert book is not None
        shown = dict(seen.bids), dict(seen.asks)
        for number in self.numbers(book):
            bids, asks = book.history[number]
            if (top(bids, seen.levels, bids=True), top(asks, seen.levels, bids=False)) == shown:
                assert seen.bids == tuple(sorted(seen.bids, reverse=True))
                assert seen.asks == tuple(sorted(seen.asks))
                return
        raise AssertionError(f"a view of the best {seen.levels} that is of no moment: {seen}")

    # What happens at the exchange.

    def trade(self) -> None:
        """The markets move, and their channels tell it."""
        rng = self.rng
        for market in self.markets.values():
            market.move(rng.randint(1, 4))
        if self.deep:
            self.markets[STORMY].stir()
            if rng.random() < 0.4:
                self.markets[STORMY].swing(rng.choice([4, 20, 120, 330]))
        for book in self.books.values():
            if book.limit is None or rng.random() < 0.6:
                self.send(book.path, book.publish())
        self.send(self.ticker.path, self.ticker.publish())

    def send(self, path: str, frame: str | None) -> None:
        if frame is not None and path in self.served:
            self.flight.append((path, frame))

    def err(self) -> None:
        """The server shows what cannot be: a book that is crossed or locked, or more prices than its window has."""
        book = self.rng.choice([book for book in self.books.values() if book.market.code == STORMY])
        if book.limit is None or self.rng.random() < 0.5:
            self.send(book.path, book.cross())
        else:
            book.market.move(3)
            self.send(book.path, book.publish(forget=True))

    # What happens on the line.

    def arrive(self) -> None:
        for _ in range(min(len(self.flight), self.rng.randint(1, 4))):
            self.deliver(*self.flight.popleft())

    def disturb(self) -> None:
        """The next frame of the stormy market is lost, comes twice, too late, or spoilt."""
        place = next((n for n, (path, _) in enumerate(self.flight) if "btc" in path), None)
        if place is None:
            return
        path, frame = self.flight[place]
        match self.rng.choice(self.faults):
            case "lose":
                del self.flight[place]
            case "twice":
                self.flight.insert(place, (path, frame))
            case "again":
                self.flight.append((path, frame))
            case "late":
                del self.flight[place]
                self.flight.insert(place + self.rng.randint(1, 4), (path, frame))
            case "spoil" if path in self.books and "push" in frame:
                del self.flight[place]
                while self.flight and place:  # what is before it comes first
                    place -= 1
                    self.deliver(*self.flight.popleft())
                self.spoil(path, frame)

    def spoil(self, path: str, frame: str) -> None:
        """A push comes that cannot be read, or not be applied: nobody may trust the book after it."""
        spoilt = self.rng.choice(SPOILERS)(frame)
        if spoilt == frame:
            return
        self.deliver(path, spoilt)
        if f'"topic":"trading/{path}"' in spoilt and self.is_json(spoilt):
            for reader in self.readers:
                if TOPICS[reader.topic] == path:
                    assert not isinstance(reader, BookReader) or not reader.trusting
                    assert not isinstance(reader, ViewReader) or reader.seen is None

    @staticmethod
    def is_json(text: str) -> bool:
        try:
            json.loads(text)
        except ValueError:
            return False
        return True

    def reply(self) -> None:
        """One of the requests is answered: as it should be, late, with an old book, an error, nonsense, or not."""
        if not self.asked:
            return
        rng = self.rng
        path, number = self.asked.pop(rng.randrange(len(self.asked)))
        how = rng.choice(self.replies)
        if path not in self.books:
            self.answer_ticker(number)
            return
        book = self.books[path]
        if book.market.code == CALM:
            how = rng.choice(["now", "queue"])
        match how:
            case "now":
                self.deliver(path, answered(number, book.snapshot(book.number)))
            case "queue":
                self.flight.append((path, answered(number, book.snapshot(book.number))))
            case "old":
                oldest = max(min(book.history), book.number - 9)
                self.deliver(path, answered(number, book.snapshot(rng.randint(oldest, book.number))))
            case "first":  # the book of the moment at which its pushes began
                self.deliver(path, answered(number, book.snapshot(self.begun[path])))
            case "error":
                body = {"status": "Fail", "errors": [rng.choice(PASSING)]}
                self.deliver(path, answer(number, body, status=rng.choice([200, 503])))
            case "spoilt":
                self.deliver(path, answered(number, self.spoilt_body(book)))

    def answer_ticker(self, number: str) -> None:
        expected = self.newest[self.ticker.path] == number
        if not self.told_quote and self.ticker.path in self.served and expected:
            self.quote = self.ticker.best
        self.deliver(self.ticker.path, answered(number, f'{{"status":"Ok","ticker":{self.ticker.ticker()}}}'))

    def spoilt_body(self, book: BookChannel) -> str:
        """A snapshot that is none."""
        bids, asks = book.shown
        match self.rng.choice(["short", "number", "negative", "large", "twice", "crossed"]):
            case "short":
                return '{"status":"Ok","sell":[]}'
            case "number":
                return book.body(book.number, bids, asks).replace('"seqNo":"', '"seqNo":"-')
            case "negative":
                return book.body(book.number, {**bids, Decimal(1): Decimal(-1)}, asks)
            case "large":
                more = {Decimal(n).scaleb(-3): Decimal(1) for n in range(1, (book.limit or 300) + 2)}
                return book.body(book.number, more, asks)
            case "twice":
                body = book.body(book.number, {Decimal(1): Decimal(1)}, asks)
                return body.replace('"buy":[', '"buy":[{"ra":"1.000","ca":"2"},')
            case _:
                return book.body(book.number, {Decimal(5): Decimal(1)}, {Decimal(4): Decimal(1)})

    # Time.

    def wait(self, seconds: float) -> None:
        self.bench.advance(seconds)
        if self.line.state.lost_reason is not None:
            self.lose()

    def step(self) -> None:
        rng = self.rng
        match rng.choices([*STEPS], self.chances)[0]:
            case "trade":
                self.trade()
            case "arrive":
                self.arrive()
            case "disturb":
                self.disturb()
            case "reply":
                self.reply()
            case "wait":
                self.wait(rng.choices([0.1, 0.5, 2.0, 5.0, 11.0, 45.0], [4, 4, 6, 4, 4, 1])[0])
            case "join":
                self.join(rng.choice(sorted(TOPICS, key=repr)))
            case "leave" if len(self.readers) > 1:
                self.leave(rng.choice(self.readers))
            case "lose":
                self.lose()
            case "err":
                self.err()
            case "oblige":
                self.oblige()
        self.write()
        self.judge()

    def oblige(self) -> None:
        """Everything that is asked is done, and everything that is on its way comes."""
        self.write()
        while self.flight:
            self.deliver(*self.flight.popleft())
        self.write()
        while self.asked:
            path, number = self.asked.pop(0)
            if path in self.books:
                self.deliver(path, answered(number, self.books[path].snapshot(self.books[path].number)))
            else:
                self.answer_ticker(number)
        self.write()

    def settle(self) -> None:
        """From now on everything is as it should be: in the end every book is right again."""
        for _ in range(40):
            self.trade()
            self.oblige()
            if not self.flight and not self.asked and all(self.is_right(reader) for reader in self.readers):
                break
            self.wait(3.0)
        for reader in self.readers:
            assert self.is_right(reader), f"{reader.topic} is not right again"
        self.bench.assert_polite()

    def is_right(self, reader: Outbox) -> bool:
        book = self.books.get(TOPICS[reader.topic])
        if isinstance(reader, BookReader):
            assert book is not None
            return reader.trusting and self.equals(reader, book, book.shown)
        if isinstance(reader, ViewReader) and isinstance(reader.topic, Depths):
            assert book is not None
            if reader.seen is None and reader.topic.levels > 150 and self.deep:
                return True  # of a book that is cut so much is known for a moment alone
            return reader.seen is not None
        return reader.is_confirmed


def possible(state: State, limit: int | None) -> bool:
    """Whether a market can be so: what the server shows by mistake nobody may trust."""
    bids, asks = state
    crossed = bool(bids and asks) and max(bids) >= min(asks)
    return not crossed and (limit is None or max(len(bids), len(asks)) <= limit)


def answered(number: str, body: str) -> str:
    return f'{{"action":"proxy-response","requestId":"{number}","statusCode":200,"body":{body}}}'


SPOILERS: list[Callable[[str], str]] = [
    lambda frame: frame[: len(frame) // 2],
    lambda frame: frame.replace('"entryType":"Buy"', '"entryType":"Both"', 1),
    lambda frame: frame.replace('"action":"remove"', '"action":"replace"', 1),
    lambda frame: frame.replace('"ca":"', '"ca":"-', 1),
    lambda frame: frame.replace('"ca":"', '"ca":"1x', 1),
    lambda frame: re.sub(r'"rate":"([^"]+","action":"update")', r'"rate":"7\1', frame, count=1),
    lambda frame: frame.replace('"changes":[', '"changes":[{},', 1),
    lambda frame: re.sub(r'"seqNo":\d+}$', '"seqNo":"next"}', frame),
    lambda frame: re.sub(r',"seqNo":\d+}$', "}", frame),
    lambda frame: frame.replace(STORMY, CALM, 1),
]
"""Each makes something of a push that is none, if the push has what it spoils."""


def play(rng: random.Random) -> None:
    one = Play(rng)
    if one.deep or rng.random() > 0.4:
        one.oblige()
    for _ in range(rng.randint(5, 35)):
        one.step()
    one.settle()


@given(st.randoms(use_true_random=False))
def test_book_is_right_or_says_so_whatever_comes(rng: random.Random) -> None:
    play(rng)


@pytest.mark.timeout(60 + CASES // 10)
def test_very_many_books_are_right_or_say_so() -> None:
    many(play)
