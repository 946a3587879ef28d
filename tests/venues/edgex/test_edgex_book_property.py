"""Whatever the line does, a book of edgeX is right or says that it is not.

What the plays leave out, since nothing on the wire tells it: a loss of exactly one version before the line has shown
that its changes join (see ``Rule``), a loss that nothing follows yet, and a snapshot behind a frame that could not
be read. The plays do lose single versions where that was shown.
"""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Bench, Outbox
from tests.venues.bookcheck import Levels, Reader, many
from tests.venues.edgex.book_server import GARBAGE, VALUES, BookServer, Frame, Market, Style
from tests.venues.edgex.feed import BTC, CONNECTED, ETH, best, quote
from trioquotes.events import Depth, Event, Gap, Notice, Quote
from trioquotes.topics import Books, Depths, Quotes, Topic
from trioquotes.venues import edgex
from trioquotes.venues.edgex import VENUE

STEPS = 30
OLD = 3
"""Snapshots behind what was seen that come in a row: with more of them the counter would have started again."""

BAD = (
    (r'"size":"[^"]*"', '"size":"-1"'),
    (r'"price":"[^"]*"', '"price":"1O1.5"'),
    (r'\["[^"]*","[^"]*"\]', '["101.5"]'),
    (r'\["([^"]*)","[^"]*"\]', r'["\1","-0.01"]'),
    (r'"endVersion":"', '"endVersion":"v'),
    (r'"level":[0-9]+', '"level":20'),
    (r'"bids":\[', '"mids":['),
    (r'"contractId":"[0-9]+"', '"contractId":"30000009"'),
    (r'"data":\[\{.*\}\]', '"data":null'),
    (r'"data":\[', '"data":[7,'),
)
"""What may be wrong with a frame of a book, as it is found and as it is written instead."""


class DepthReader(Outbox):
    """Believes the last view it was given until it hears of a gap."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.view: Depth | None = None

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        assert isinstance(event, Depth)
        self.view = event

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.view = None


class NativeReader(Outbox):
    """Keeps a book of the venue's own messages, as the venue's pages say, and no window."""

    def __init__(self, topic: Topic[Event]) -> None:
        super().__init__(topic)
        self.trusting = False
        self.told = False
        self.bids: Levels = {}
        self.asks: Levels = {}

    def push(self, event: Event, weight_bytes: int) -> None:
        super().push(event, weight_bytes)
        assert isinstance(event, edgex.Depth)
        if event.is_snapshot:
            self.bids, self.asks = {}, {}
            self.trusting, self.told = True, False
        assert not self.told, "a change between a gap and the next snapshot"
        for side, levels in ((self.bids, event.bids), (self.asks, event.asks)):
            side.update(levels)
            for price in [price for price, size in side.items() if not size]:
                del side[price]

    def notify(self, notice: Notice) -> None:
        super().notify(notice)
        if isinstance(notice, Gap):
            self.trusting, self.told = False, True


class Play:
    """A session, its server, and what may happen between them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.style = Style.any(rng)
        levels = rng.choice((3, 5, 17))
        self.markets = {contract: Market(rng, levels) for contract in (BTC, ETH)}
        self.bench = Bench(VENUE, endpoint=rng.choice(("v1", "v2")))
        self.readers: list[Reader] = []
        self.views: list[DepthReader] = []
        self.quotes = self.bench.subscribe(Quotes(BTC))
        self.native = self.bench.join(NativeReader(edgex.Depths(BTC, 15)))
        for contract in (BTC, ETH):
            self.come(Books(contract, 15))
        self.open()

    # The line.

    def open(self) -> None:
        self.server = BookServer(self.rng, self.markets, self.style)
        self.requests: list[str] = []
        self.wire: list[Frame] = []
        self.echoes: list[Frame] = []  # to come once more
        self.newest: dict[str, int] = {}  # by channel: up to which version frames came
        self.seen: dict[str, int] = {}  # the same of those that could be read, since it was last asked for
        self.old: dict[str, int] = {}
        self.bench.connect()
        self.bench.server(CONNECTED)

    def lose_line(self) -> None:
        self.bench.drop()
        for reader in self.readers:
            assert not reader.trusting
        for market in self.markets.values():
            market.happen(self.rng, 5)
            if self.rng.random() < 0.3:
                market.version = self.rng.randrange(100, 10**6)  # it was restarted
        self.open()

    def write(self, *, all_of_it: bool = True) -> None:
        one = None if all_of_it else self.bench.line()._write_one()
        for request in self.bench.writer() if all_of_it else [one] if one else []:
            if '"subscribe"' in request:
                self.seen.pop(re.findall(r'"channel":"([^"]*)"', request)[0], None)
            if '"pong"' not in request:
                self.requests.append(request)

    def serve(self, *, faults: bool = True) -> None:
        """The server reads one request, or all of them."""
        rng = self.rng
        count = 1 if faults and rng.random() < 0.5 else len(self.requests)
        for request in self.requests[:count]:
            fault = rng.choice(("", "", "", "", "", "lost", "trouble", "both")) if faults else ""
            frames = self.server.answer(request, snapshot=fault != "lost", trouble=fault == "trouble")
            if fault == "both":  # it says that it could not, and could
                frames[rng.randint(0, len(frames)) : 0] = self.server.answer(request, trouble=True)
            self.wire += frames
        del self.requests[:count]

    def flush(self) -> None:
        while self.wire:
            self.deliver(self.wire.pop(0))

    def deliver(self, frame: Frame) -> None:
        """A frame comes: from then on whoever holds a book of its channel for right has to have it."""
        channel = frame.channel
        if frame.whole and frame.version < self.seen.get(channel, -1):
            self.old[channel] = self.old.get(channel, 0) + 1
            if self.old[channel] > OLD:
                return
        elif frame.whole:
            self.old[channel] = 0
        if channel:
            self.newest[channel] = max(self.newest.get(channel, -1), frame.version)
        if channel and frame.readable:
            self.seen[channel] = max(self.seen.get(channel, -1), frame.version)
        others = [(reader, len(reader.gaps)) for reader in self.readers if channel_of(reader) != channel]
        self.bench.server(frame.text)
        if channel and frame.said:
            for reader, gaps in others:
                assert len(reader.gaps) == gaps, f"{channel} disturbed {reader.topic}: {reader.gaps[gaps:]}"
        self.check()

    def check(self) -> None:
        for reader in self.readers:
            if reader.trusting:
                bids, asks = self.right(reader)
                assert reader.agrees(bids, asks), (
                    f"{reader.topic}: {reader.bids} {reader.asks}, not {bids} {asks}"
                )
                assert not bids or not asks or max(bids) < min(asks), "crossed"
        if self.native.trusting and self.style.says_gone:
            assert (self.native.bids, self.native.asks) == self.right(self.native)
        for view in self.views:
            if view.view is not None:
                bids, asks = self.right(view)
                levels = view.view.levels
                assert view.view.bids == tuple(sorted(bids.items(), reverse=True)[:levels])
                assert view.view.asks == tuple(sorted(asks.items())[:levels])

    def right(self, reader: Outbox) -> tuple[Levels, Levels]:
        channel = channel_of(reader)
        return self.server.right[channel][self.newest[channel]]

    # What happens.

    def come(self, topic: Topic[Event]) -> None:
        if isinstance(topic, Books):
            self.readers.append(self.bench.join(Reader(topic)))
        else:
            self.views.append(self.bench.join(DepthReader(topic)))

    def go(self) -> None:
        leaving: Outbox
        if self.views and self.rng.random() < 0.3:
            leaving = self.views.pop(self.rng.randrange(len(self.views)))
        elif self.readers:
            leaving = self.readers.pop(self.rng.randrange(len(self.readers)))
        else:
            return
        self.bench.unsubscribe(leaving)
        if self.rng.random() < 0.5:
            self.come(leaving.topic)  # perhaps before anybody has told the server

    def happen(self) -> None:
        """Something happens to a market, and is published, or not quite."""
        rng = self.rng
        contract = rng.choice((BTC, ETH))
        fault = rng.choice(("", "", "", "", "lost", "twice", "late", "bad", "garbage", "crossed", "large"))
        if fault == "crossed":
            self.markets[contract].cross(locked=rng.random() < 0.5)
        else:
            self.markets[contract].happen(rng, rng.randint(2 if self.style.joins else 1, 5))
        for frame in self.server.changes(contract):
            self.publish(frame, fault)
        if self.echoes and rng.random() < 0.5:
            self.wire.append(self.echoes.pop(rng.randrange(len(self.echoes))))

    def publish(self, frame: Frame, fault: str) -> None:
        rng = self.rng
        match fault:
            case "lost":
                return
            case "twice":
                self.wire.append(frame)
                self.echoes.append(frame)
            case "late":
                self.wire.insert(rng.randint(0, len(self.wire)), frame)
            case "bad":
                self.spoil(frame)
            case "garbage":
                text = rng.choice(GARBAGE)
                self.wire.append(Frame(text, frame.channel, frame.version, readable=False, said=False))
                self.flush()
            case "large":
                self.wire.append(frame)
                self.enlarge(frame.channel)
            case _:
                self.wire.append(frame)

    def spoil(self, frame: Frame) -> None:
        """It comes, and cannot be read: from here on only a frame behind it can be told from it."""
        found, instead = self.rng.choice(BAD)
        text = re.sub(found, instead, frame.text, count=1)
        if text == frame.text:
            text = text.replace('"data":[', '"data":[7,', 1)
        self.flush()
        self.deliver(Frame(text, frame.channel, frame.version, readable=False))

    def enlarge(self, channel: str) -> None:
        """A snapshot of more levels than were promised."""
        level = int(channel.split(".")[2])
        if level == 15:
            side = dict.fromkeys(range(16), 100)
            (_, asks), version = self.server.there[channel]
            text = self.server.text(channel, version, version, (side, asks), whole=True)
            self.wire.append(Frame(text, channel, version))

    def repeat(self) -> None:
        """A snapshot that nobody asked for: of now, or of a while ago."""
        if not self.server.there:
            return
        channel = self.rng.choice(list(self.server.there))
        if self.rng.random() < 0.5:
            self.wire.append(self.server.snapshot(channel))
            return
        self.flush()
        past = [
            version for version in self.server.past.get(channel, ()) if version < self.seen.get(channel, -1)
        ]
        if past:
            version = self.rng.choice(past)
            book = self.server.past[channel][version]
            text = self.server.text(channel, version - 1, version, book, whole=True)
            self.deliver(Frame(text, channel, version, whole=True))

    def lose_one(self) -> None:
        """A single version may be lost where changes were seen to join."""
        self.flush()
        contract = self.rng.choice((BTC, ETH))
        for number in range(14):
            self.markets[contract].happen(self.rng, 1)
            for frame in self.server.changes(contract):
                if number != 12:
                    self.deliver(frame)

    def push_quotes(self) -> None:
        """The best prices of all contracts come by a channel of their own, once a second."""
        market = self.markets[BTC]
        if market.bids and market.asks and max(market.bids) < min(market.asks):
            bid, ask = VALUES[max(market.bids)], VALUES[min(market.asks)]
            self.bench.server(quote("bookTicker.all.1s", [best(ETH), best(BTC, str(bid), str(ask))]))
            said = self.quotes.events[-1]
            assert isinstance(said, Quote)
            assert (said.bid, said.ask) == (bid, ask)

    def step(self) -> None:
        rng = self.rng
        match rng.choices(range(11), (34, 20, 14, 12, 5, 5, 4, 4, 1, 2, 2))[0]:
            case 0:
                self.happen()
            case 1:
                self.write(all_of_it=rng.random() < 0.6)
                self.serve()
            case 2:
                self.flush()
            case 3:
                if self.wire:
                    self.deliver(self.wire.pop(0))
            case 4:
                self.repeat()
            case 5:
                self.come(
                    rng.choice((Books(BTC, 15), Books(ETH, 15), Books(BTC), Depths(BTC, 2), Depths(BTC, 100)))
                )
            case 6:
                self.go()
            case 7:
                self.bench.advance(rng.choice((0.1, 1.0, 11.0)))
            case 8:
                self.lose_one()
            case 9:
                self.push_quotes()
            case _:
                self.lose_line()
        self.check()

    def converge(self) -> None:
        """No more faults: every book comes right by itself."""
        self.flush()
        for market in self.markets.values():
            market.happen(self.rng, 5)
        for _ in range(40):
            self.write()
            self.serve(faults=False)
            for contract in self.markets:
                self.wire += self.server.changes(contract)
            self.flush()
            if self.settled() and not self.requests:
                break
            self.bench.advance(5.0)
        for contract, market in self.markets.items():
            market.happen(self.rng, 2)
            self.wire += self.server.changes(contract)
        self.flush()
        for reader in self.readers:
            assert reader.trusting, f"{reader.topic}: {reader.gaps}"
            assert not reader.told
        for view in self.views:
            assert view.view is not None
        assert self.native.trusting
        self.bench.assert_polite()

    def settled(self) -> bool:
        books = self.native.trusting and all(reader.trusting for reader in self.readers)
        return books and all(view.view for view in self.views)


def channel_of(reader: Outbox) -> str:
    topic = reader.topic
    wanted = next(
        (getattr(topic, name) for name in ("depth", "levels", "level") if hasattr(topic, name)), None
    )
    return f"depth.{topic.subject}.{15 if wanted is not None and wanted <= 15 else 200}"


def play(rng: random.Random) -> Play:
    """One session."""
    stage = Play(rng)
    for _ in range(STEPS):
        stage.step()
    stage.converge()
    return stage


@given(st.randoms(use_true_random=False))
def test_a_book_is_right_or_says_that_it_is_not(rng: random.Random) -> None:
    play(rng)


def test_a_book_is_right_or_says_that_it_is_not_in_many_sessions() -> None:
    many(play)
