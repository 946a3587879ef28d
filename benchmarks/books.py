"""Our order book beside ``sortedcontainers`` and the ``order_book`` package, in one run.

Every contender takes the same updates of the same book in rounds that follow each other, so that a busy
machine disturbs all of them; what is shown are medians of CPU time over the rounds. At the end of every round the
contenders must hold the same book. The numbers are ``Decimal`` objects made afresh from text for every
contender and every round, outside of the timed part, because that is what a wire brings: an object that was
hashed once keeps its hash, and the second time would be cheaper than it ever is in use.

Our book gets ``BookChange`` events and checks them; the others get a side, a price and a size, and check nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from order_book import OrderBook as CompiledBook
from sortedcontainers import SortedDict

from trioquotes.books import OrderBook
from trioquotes.events import BookChange, BookSnapshot

__all__ = ["main"]

SIZES = (10, 1_000, 12_500)
TOP = 10
PER_ROUND = 4_000
MIDDLE = 5_000_000  # in ticks of 0.01

Text = tuple[bool, str, str]
"""Whether it is a bid, the price, the size."""
Task = Callable[[Any, Sequence[Any]], None]
Top = tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]


class Flow(NamedTuple):
    """A book to start from and what happens to it, as text."""

    start: list[Text]
    updates: list[Text]


class Contender(NamedTuple):
    """One kind of book: how to make it, how to hand it updates, what to do with it, how to read it whole."""

    make: Callable[[list[Text]], Any]
    prepare: Callable[[list[Text]], Sequence[Any]]
    tasks: dict[str, Task]
    whole: Callable[[Any], Top]


# What happens


def position(chance: random.Random, levels: int, mix: str) -> int:
    """How far from the best price a change is: half within 6, 99 % within 206, as recorded, or anywhere."""
    where = chance.random()
    if mix == "uniform" or where >= 0.99:
        return chance.randrange(levels)
    return chance.randrange(min(levels, 6 if where < 0.5 else 206))


def flow(levels: int, mix: str, updates: int, seed: int) -> Flow:
    """Half of the updates resize a level; the others add one or remove one, so that the book keeps its depth."""
    chance = random.Random(seed)
    # Keys count ticks away from the middle, the same for both sides; three of four ticks are empty at first.
    sides = {bid: sorted(chance.sample(range(1, 4 * levels + 8), levels)) for bid in (True, False)}

    def text(bid: bool, ticks: int, size: str) -> Text:
        price = MIDDLE - ticks if bid else MIDDLE + ticks
        return bid, f"{price / 100:.2f}", size

    def some_size() -> str:
        return f"{chance.uniform(0.0001, 9):.8f}"

    start = [text(bid, ticks, some_size()) for bid, side in sides.items() for ticks in side]
    happened = []
    for _ in range(updates):
        bid = chance.random() < 0.5
        side = sides[bid]
        at = position(chance, len(side), mix)
        if chance.random() < 0.5:
            happened.append(text(bid, side[at], some_size()))
        elif len(side) >= levels:
            happened.append(text(bid, side.pop(at), "0.00000000"))
        else:
            ticks = side[at] + chance.choice((-1, 1))
            while ticks < 1 or ((known := bisect_left(side, ticks)) < len(side) and side[known] == ticks):
                ticks += 1
            insort(side, ticks)
            happened.append(text(bid, ticks, some_size()))
    return Flow(start, happened)


def fresh(texts: list[Text]) -> list[tuple[bool, Decimal, Decimal]]:
    return [(bid, Decimal(price), Decimal(size)) for bid, price, size in texts]


# Ours


def our_book(start: list[Text]) -> OrderBook:
    levels = fresh(start)
    book = OrderBook("X")
    bids = tuple((price, size) for bid, price, size in levels if bid)
    asks = tuple((price, size) for bid, price, size in levels if not bid)
    book.apply(BookSnapshot(venue="x", instrument="X", received_ns=0, bids=bids, asks=asks))
    return book


def our_changes(texts: list[Text]) -> list[BookChange]:
    return [
        BookChange(
            venue="x",
            instrument="X",
            received_ns=0,
            bids=((price, size),) if bid else (),
            asks=() if bid else ((price, size),),
        )
        for bid, price, size in fresh(texts)
    ]


def our_updates(book: OrderBook, changes: Sequence[BookChange]) -> None:
    for change in changes:
        book.apply(change)


def our_best(book: OrderBook, changes: Sequence[BookChange]) -> None:
    for change in changes:
        book.apply(change)
        book.best_bid, book.best_ask  # noqa: B018  # reading is what is measured


def our_top(book: OrderBook, changes: Sequence[BookChange]) -> None:
    for change in changes:
        book.apply(change)
        book.depth(TOP)


def our_reads(book: OrderBook, changes: Sequence[BookChange]) -> None:
    for _ in changes:
        book.depth(TOP)


def our_whole(book: OrderBook) -> Top:
    bids, asks = book.depth()
    return list(bids), list(asks)


# sortedcontainers: the price in hand is looked up as it is, so both sides ascend


class Sorted:
    def __init__(self, start: list[Text]) -> None:
        levels = fresh(start)
        self.bids = SortedDict({price: size for bid, price, size in levels if bid})
        self.asks = SortedDict({price: size for bid, price, size in levels if not bid})


def sorted_updates(book: Sorted, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for bid, price, size in changes:
        side = bids if bid else asks
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def sorted_best(book: Sorted, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for bid, price, size in changes:
        side = bids if bid else asks
        if size:
            side[price] = size
        else:
            side.pop(price, None)
        bids.peekitem(-1), asks.peekitem(0)


def sorted_top(book: Sorted, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for bid, price, size in changes:
        side = bids if bid else asks
        if size:
            side[price] = size
        else:
            side.pop(price, None)
        [(price, bids[price]) for price in islice(reversed(bids), TOP)]
        [(price, asks[price]) for price in islice(asks, TOP)]


def sorted_reads(book: Sorted, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for _ in changes:
        [(price, bids[price]) for price in islice(reversed(bids), TOP)]
        [(price, asks[price]) for price in islice(asks, TOP)]


def sorted_whole(book: Sorted) -> Top:
    return list(book.bids.items())[::-1], list(book.asks.items())


# order_book


def compiled_book(start: list[Text]) -> CompiledBook:
    levels = fresh(start)
    book = CompiledBook()
    book.bids = {price: size for bid, price, size in levels if bid}
    book.asks = {price: size for bid, price, size in levels if not bid}
    return book


def compiled_updates(book: CompiledBook, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for bid, price, size in changes:
        side = bids if bid else asks
        if size:
            side[price] = size
        elif price in side:
            del side[price]


def compiled_best(book: CompiledBook, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for bid, price, size in changes:
        side = bids if bid else asks
        if size:
            side[price] = size
        elif price in side:
            del side[price]
        bids.index(0), asks.index(0)


def compiled_top(book: CompiledBook, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for bid, price, size in changes:
        side = bids if bid else asks
        if size:
            side[price] = size
        elif price in side:
            del side[price]
        [bids.index(at) for at in range(min(TOP, len(bids)))]
        [asks.index(at) for at in range(min(TOP, len(asks)))]


def compiled_reads(book: CompiledBook, changes: Sequence[tuple[bool, Decimal, Decimal]]) -> None:
    bids, asks = book.bids, book.asks
    for _ in changes:
        [bids.index(at) for at in range(min(TOP, len(bids)))]
        [asks.index(at) for at in range(min(TOP, len(asks)))]


def compiled_whole(book: CompiledBook) -> Top:
    return list(book.bids.to_list()), list(book.asks.to_list())


# Measuring

BEST, TOPS, READS, UPDATES = "update + best bid and ask", f"update + top {TOP}", f"top {TOP} alone", "update"
OURS = "trioquotes"
CONTENDERS = {
    OURS: Contender(
        our_book,
        our_changes,
        {BEST: our_best, TOPS: our_top, READS: our_reads, UPDATES: our_updates},
        our_whole,
    ),
    "sortedcontainers": Contender(
        Sorted,
        fresh,
        {BEST: sorted_best, TOPS: sorted_top, READS: sorted_reads, UPDATES: sorted_updates},
        sorted_whole,
    ),
    "order_book": Contender(
        compiled_book,
        fresh,
        {BEST: compiled_best, TOPS: compiled_top, READS: compiled_reads, UPDATES: compiled_updates},
        compiled_whole,
    ),
}


class Figure(NamedTuple):
    """One line of the result: the median nanoseconds of one operation for each contender."""

    levels: int
    mix: str
    task: str
    rounds: int
    ns: dict[str, float]

    @property
    def ratio(self) -> float:
        """How many times as long as ours the fastest other one takes."""
        return min(ns for name, ns in self.ns.items() if name != OURS) / self.ns[OURS]


def one_round(contender: Contender, task: str, happening: Flow) -> tuple[float, Top]:
    """Nanoseconds an operation, and the book afterwards."""
    book, changes = contender.make(happening.start), contender.prepare(happening.updates)
    run = contender.tasks[task]
    gc.collect()
    gc.disable()
    try:
        began = time.process_time_ns()
        run(book, changes)
        took = time.process_time_ns() - began
    finally:
        gc.enable()
    return took / len(changes), contender.whole(book)


def measure(levels: int, mix: str, seconds: float) -> list[Figure]:
    """All tasks on one kind of book; every contender has the same turns, in changing order."""
    happening = flow(levels, mix, PER_ROUND, seed=levels)
    names = list(CONTENDERS)
    figures = []
    for task in CONTENDERS[OURS].tasks:
        times: dict[str, list[float]] = {name: [] for name in names}
        until = time.monotonic() + seconds
        rounds = 0
        while rounds < 3 or time.monotonic() < until:
            books = []
            for name in names[rounds % 3 :] + names[: rounds % 3]:
                took, book = one_round(CONTENDERS[name], task, happening)
                times[name].append(took)
                books.append(book)
            if any(book != books[0] for book in books):
                sys.exit(f"the contenders do not hold the same book: {levels} levels, {mix}, {task}")
            rounds += 1
        medians = {name: statistics.median(taken) for name, taken in times.items()}
        figures.append(Figure(levels, mix, task, rounds, medians))
    return figures


def show(figures: list[Figure]) -> None:
    names = list(CONTENDERS)
    print("| levels a side | changes | task | " + " | ".join(f"{name}, ns" for name in names) + " | ratio |")
    print("|---:|---|---|" + "---:|" * (len(names) + 1))
    for figure in figures:
        times = " | ".join(f"{figure.ns[name]:,.0f}" for name in names)
        print(f"| {figure.levels:,} | {figure.mix} | {figure.task} | {times} | {figure.ratio:.2f} |")
    print("\nratio: time of the fastest other one over ours; above 1 ours is faster")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="for the whole run, about (default: 60)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, no table")
    parser.add_argument(
        "--check", action="store_true", help=f"fail where '{BEST}' is slower than another one"
    )
    arguments = parser.parse_args()
    cases = [(levels, mix) for levels in SIZES for mix in ("near the top", "uniform")]
    each = arguments.seconds / (len(cases) * len(CONTENDERS[OURS].tasks))
    figures = [figure for levels, mix in cases for figure in measure(levels, mix, each)]
    if arguments.json:
        print(json.dumps([figure._asdict() | {"ratio": figure.ratio} for figure in figures], indent=1))
    else:
        show(figures)
    if arguments.check and any(figure.task == BEST and figure.ratio < 1 for figure in figures):
        sys.exit("another one is faster")


if __name__ == "__main__":
    main()
