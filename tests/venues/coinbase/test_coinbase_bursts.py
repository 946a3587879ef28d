"""Frames of one socket read taken together are what each of them is alone."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.venues.bench import Bench
from tests.venues.coinbase.feed import heartbeat, match, served, snapshot, ticker, update
from trioquotes.topics import Books, Tickers, Trades
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE

P, Q = "BTC-USD", "ETH-USD"
USUAL = (
    (snapshot(P), snapshot(Q), match(1, "last_match"), *(update(("buy", f"9.{n}", "1.5")) for n in range(4))),
    1,
)

changes = st.builds(
    lambda side, price, size, product: update((side, price, size), product=product),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["9", "9.5", "10", "11.25", "12", "NaN", "1e3", "1_0", "1" * 70, "-"]),
    st.sampled_from(["0", "0.00", "1.5", "2", "Infinity", "x"]),
    st.sampled_from([P, P, Q, "C-D"]),
)
frames = st.one_of(
    changes,
    changes,
    st.builds(match, st.integers(1, 9)),
    st.builds(ticker, st.integers(1, 9)),
    st.builds(heartbeat, st.integers(0, 9)),
    st.sampled_from([snapshot(P), snapshot(Q), snapshot(P, bids=[["12", "1"]])]),
    st.sampled_from(
        ["{", '{"type":"l2update"}', '{"type":"new"}', "5", "[1]", "{}\n{}", '{"type":"l2update",', "}"]
    ),
)
calm = st.one_of(
    st.builds(
        lambda price, size: update(("buy", price, size)),
        st.sampled_from(["9", "9.5"]),
        st.sampled_from(["0", "2"]),
    ),
    st.builds(match, st.integers(1, 9)),
    st.builds(ticker, st.integers(1, 9)),
)
bursts = st.one_of(*(st.lists(kind, min_size=1, max_size=24).map(tuple) for kind in (calm, calm, frames)))
reads = st.lists(st.tuples(bursts, st.integers(1, 3)), max_size=6).map(lambda said: [USUAL, *said])


def play(said: list[tuple[tuple[str, ...], int]], *, together: bool) -> tuple[list[list[Any]], Any]:
    bench = Bench(VENUE, raw=False)
    boxes = [
        bench.subscribe(topic)
        for topic in (
            Books(P),
            Trades(P),
            Tickers(P),
            coinbase.Level2Batch(P),
            coinbase.Level2Batch(Q),
            coinbase.Matches(P),
        )
    ]
    served(bench, *boxes)
    (line,) = bench.lines
    for texts, times in said:
        for _ in range(times):
            raw = [text.encode() for text in texts]
            if together:
                line.state.read(raw, bench.receipt(), line.alive)
            else:
                stamp = bench.receipt()
                for frame in raw:
                    line.state.read([frame], stamp, line.alive)
            line.state.settle()
            bench.now_s += 0.1
    return [box.take() for box in boxes], line.state.tally.count()


@given(reads)
@example([USUAL, USUAL, (USUAL[0] * 3, 3)])
def test_frames_of_one_read_say_what_each_says_alone(said: list[tuple[tuple[str, ...], int]]) -> None:
    assert play(said, together=True) == play(said, together=False)
