"""The page about exports: its code runs, and what it reads is what the session got, to the digit."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

import trioquotes as tq
from tests.recording.rec_sessions import live
from tests.simulation.places import PLACES
from trioquotes.recording.export import Exporter
from trioquotes.recording.export_files import FORMATS
from trioquotes.simulator.faults import DropLine

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "exporting.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
READERS = "duckdb", "polars", "pandas"

pytest.importorskip("pyarrow")


def blocks_with(*texts: str) -> list[str]:
    return [block for block in BLOCKS if all(text in block for text in texts)]


@attrs.frozen
class Kept:
    """A folder with the exports that the page speaks of.

    Attributes:
        folder: that holds them.
        trades: that the session got, by position.
        books: how many snapshots it got.
        gaps: the instruments of gaps in trades, by position.
    """

    folder: Path
    trades: dict[int, tq.Trade]
    books: int
    gaps: dict[int, str]


@pytest.fixture(scope="module", params=["coinbase", "edgex"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """One venue whose instruments are words, and one where they look like numbers."""
    folder = tmp_path_factory.mktemp(request.param)
    live(
        PLACES[request.param],
        folder / "recordings" / "btc",
        (DropLine(connection=1, after_s=9.0),),
        seed=5,
        for_s=60,
    )

    async def main() -> list[tq.Event]:
        for suffix in FORMATS:
            name = "ticks" if suffix == "parquet" else f"ticks-{suffix}"
            await Exporter(folder / "recordings" / "btc", folder / name, format=suffix).run()
        replayer = tq.replay(folder / "recordings" / "btc", speed="max")
        async with tq.Session(replayer.venue, *replayer.topics, connector=replayer) as stream:
            return [event async for event in stream]

    events = trio.run(main)
    return Kept(
        folder,
        {position: event for position, event in enumerate(events) if isinstance(event, tq.Trade)},
        sum(isinstance(event, tq.BookSnapshot) for event in events),
        {
            position: event.topic.instrument
            for position, event in enumerate(events)
            if isinstance(event, tq.Gap) and isinstance(event.topic, tq.Trades)
        },
    )


@pytest.fixture
def run(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a block where the exports are, and gives its names."""
    monkeypatch.chdir(kept.folder)

    def run(block: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        exec(block, names)  # noqa: S102  # the page's own code
        return names

    return run


def rows_of(table: Any) -> list[dict[str, Any]]:
    """The rows of whatever a reader gives."""
    if hasattr(table, "fetchall"):
        return [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    rows: list[dict[str, Any]] = table.to_dicts() if hasattr(table, "to_dicts") else table.to_dict("records")
    return rows


def test_every_block_is_run_by_a_test() -> None:
    chosen = [*blocks_with("Exporter("), *blocks_with("missing_before")]
    for reader in READERS:
        chosen += [
            *blocks_with(f"import {reader}", "ticks/trade"),
            *blocks_with(f"import {reader}", "ticks-csv"),
        ]
    assert len(BLOCKS) == 8
    assert set(chosen) == set(BLOCKS)


@pytest.mark.parametrize("reader", READERS)
def test_parquet_is_read_in_one_line(kept: Kept, run: Any, reader: str) -> None:
    pytest.importorskip(reader)
    (block,) = (one for one in blocks_with(f"import {reader}", "ticks/trade") if "missing" not in one)
    names = run(block)
    rows = rows_of(names["trades"])
    assert len(rows) == len(kept.trades) > 10
    for row in rows:
        trade = kept.trades[row["position"]]
        assert (row["venue"], row["instrument"]) == (trade.venue, trade.instrument)
        assert isinstance(row["price"], Decimal)
        assert isinstance(row["sequence"], int) or trade.sequence is None
        assert trade.sequence is None or row["sequence"] == trade.sequence
        assert (row["price"], row["size"]) == (trade.price, trade.size)
    if reader == "pandas":
        at_ns = names["trades"].received.astype("int64")
        assert list(at_ns) == [kept.trades[row["position"]].received_ns for row in rows]
    elif reader == "polars":
        at_ns = names["trades"]["received"].to_physical()
        assert at_ns.to_list() == [kept.trades[row["position"]].received_ns for row in rows]
    else:
        found = dict(names["vwap"].fetchall())
        assert found.keys() == {trade.instrument for trade in kept.trades.values()}


@pytest.mark.parametrize("reader", READERS)
def test_texts_are_read_as_they_are(kept: Kept, run: Any, reader: str) -> None:
    pytest.importorskip(reader)
    (block,) = blocks_with(f"import {reader}", "ticks-csv")
    names = run(block)
    rows = rows_of(names["trades"])
    assert len(rows) == len(kept.trades)
    for row in rows:
        trade = kept.trades[int(row["position"])]
        assert (row["instrument"], row["received_ns"]) == (trade.instrument, str(trade.received_ns))
        assert (row["price"], row["size"]) == (format(trade.price, "f"), format(trade.size, "f"))
    books = rows_of(names["books"])
    assert len(books) == kept.books > 0
    assert all(row["event"] == "BookSnapshot" and isinstance(row["bids"][0][0], str) for row in books)


def test_gaps_stand_before_the_trades_that_they_are_about(kept: Kept, run: Any) -> None:
    pytest.importorskip("duckdb")
    (block,) = blocks_with("missing_before")
    found = {gap: trade for gap, _, trade in run(block)["missing_before"].fetchall()}
    wanted = {}
    for gap, instrument in kept.gaps.items():
        later = [at for at, trade in kept.trades.items() if at > gap and trade.instrument == instrument]
        if later:
            wanted[gap] = min(later)
    assert found == wanted != {}


def test_the_exporter_of_the_page_runs(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recordings").symlink_to(kept.folder / "recordings")
    monkeypatch.chdir(tmp_path)
    (block,) = blocks_with("Exporter(")
    exec(block, {})  # noqa: S102  # the page's own code
    assert f"trade {len(kept.trades)}\n" in capsys.readouterr().out
    assert any((tmp_path / "ticks").rglob("*.parquet"))
