"""An export holds what the session's loop got: everything, in order, exactly, or nothing at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

import trioquotes as tq
from tests.recording.exported import expected, plain
from tests.recording.rec_sessions import live
from tests.recording.test_recording_replay import STORM
from tests.simulation.places import PLACES
from trioquotes._protocol.codec import to_json_line
from trioquotes.errors import MissingExtra, RecordingError, UsageError
from trioquotes.events import WireMessage
from trioquotes.recording import export_files
from trioquotes.recording.export import Exporter, ExportSummary
from trioquotes.recording.export_columns import columns_of
from trioquotes.recording.export_files import Format, Sink
from trioquotes.recording.export_layout import table_of
from trioquotes.recording.export_text import cell_text
from trioquotes.venues import coinbase

pytest.importorskip("pyarrow")


@attrs.frozen
class Kept:
    """A recording, and what its session's loop got.

    Attributes:
        venue: name of the venue.
        path: of the recording.
        events: in order.
    """

    venue: str
    path: Path
    events: list[tq.Event]


def export(source: Path, output: Path, **options: Any) -> ExportSummary:
    async def main() -> ExportSummary:
        with trio.fail_after(60):
            return await Exporter(source, output, **options).run()

    return trio.run(main)


def events_of(source: Path) -> list[tq.Event]:
    async def main() -> list[tq.Event]:
        replayer = tq.replay(source, speed="max")
        async with tq.Session(replayer.venue, *replayer.topics, connector=replayer) as stream:
            return [event async for event in stream]

    return trio.run(main)


@pytest.fixture(scope="module", params=list(PLACES))
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A recording of every topic of a venue, private ones too, while things go wrong."""
    venue: str = request.param
    path = tmp_path_factory.mktemp(venue)
    live(PLACES[venue], path, STORM, seed=5, for_s=200.0 if venue == "darwinex" else 60.0, keyed=True)
    return Kept(venue, path, events_of(path))


@pytest.fixture(scope="module")
def coins(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    path = tmp_path_factory.mktemp("coins")
    live(PLACES["coinbase"], path, STORM, seed=5, for_s=30.0)
    return Kept("coinbase", path, events_of(path))


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def text_lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1]


def lines_in(folder: Path) -> list[dict[str, Any]]:
    """Everything that was exported as JSON lines, in the order of the session."""
    found = [json.loads(line) for path in folder.rglob("*.ndjson") for line in text_lines(path)]
    return sorted(found, key=lambda line: int(line["position"]))


def test_json_lines_are_what_the_loop_got_in_order(kept: Kept, tmp_path: Path) -> None:
    summary = export(kept.path, tmp_path / "out", format="ndjson")
    found = lines_in(tmp_path / "out")
    assert [line.pop("position") for line in found] == list(range(len(kept.events)))
    for line, event in zip(found, kept.events, strict=True):
        name = f"{kept.venue}.{type(event).__name__}" if isinstance(event, WireMessage) else None
        assert line == json.loads(to_json_line(event, name))
    assert summary.rows == len(kept.events)
    assert summary.gaps == sum(event.count for event in kept.events if isinstance(event, tq.Gap)) > 0
    assert sum(table.rows for table in summary.tables if table.name == "notice") == sum(
        isinstance(event, tq.Notice) for event in kept.events
    )


def test_every_row_is_in_the_folder_of_its_type_instrument_and_day(kept: Kept, tmp_path: Path) -> None:
    export(kept.path, tmp_path / "out", format="ndjson")
    for path in (tmp_path / "out").rglob("*.ndjson"):
        table, venue, instrument, day, part = path.relative_to(tmp_path / "out").parts
        assert (venue, day, part) == (f"venue={kept.venue}", "day=2023-11-14", "part-0.ndjson")
        for line in map(json.loads, text_lines(path)):
            event = kept.events[line["position"]]
            kind: type[tq.Event] = type(event)
            assert table == table_of(kind, kept.venue)
            if isinstance(event, tq.MarketEvent):
                assert instrument == f"instrument={event.instrument}"
            elif isinstance(event, coinbase.Match):
                assert instrument == f"instrument={event.product_id}"


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa  # noqa: PLC0415  # an extra
    from pyarrow import parquet  # noqa: PLC0415

    table = parquet.ParquetFile(path).read()
    for place, field in enumerate(table.schema):
        if field.type == pa.timestamp("ns", "UTC"):
            table = table.set_column(place, f"{field.name}_ns", table.column(place).cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_parquet_holds_every_value_of_every_event(kept: Kept, tmp_path: Path) -> None:
    summary = export(kept.path, tmp_path / "out", format="parquet")
    rows = [row for path in (tmp_path / "out").rglob("*.parquet") for row in parquet_rows(path)]
    rows.sort(key=lambda row: int(row["position"]))
    assert [row["position"] for row in rows] == list(range(len(kept.events)))
    for row, event in zip(rows, kept.events, strict=True):
        assert row["venue"] == kept.venue
        for column in columns_of(type(event))[3 + isinstance(event, tq.Notice) :]:
            was = expected(getattr(event, column.name, None), column.kind)
            assert plain(row[column.name], was) == was
    assert [table.texts for table in summary.tables] == [()] * len(summary.tables)


def test_csv_holds_every_value_of_every_event(kept: Kept, tmp_path: Path) -> None:
    export(kept.path, tmp_path / "out", format="csv")
    seen = []
    for path in (tmp_path / "out").rglob("*.csv"):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                event = kept.events[int(row["position"])]
                seen.append(int(row["position"]))
                for column in columns_of(type(event))[3 + isinstance(event, tq.Notice) :]:
                    cell = cell_text(column.kind, getattr(event, column.name, None))
                    assert row[column.name] == (cell or "")
    assert sorted(seen) == list(range(len(kept.events)))


def test_all_files_of_a_table_have_one_schema(kept: Kept, tmp_path: Path) -> None:
    from pyarrow import parquet  # noqa: PLC0415

    export(kept.path, tmp_path / "out")
    for table in (path for path in (tmp_path / "out").iterdir() if path.is_dir()):
        assert len({str(parquet.read_schema(path)) for path in table.rglob("*.parquet")}) == 1


# Bounds ---------------------------------------------------------------------------------------------


def test_little_memory_and_few_files_make_the_same_rows(
    coins: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(coins.path, tmp_path / "usual")
    monkeypatch.setattr(export_files, "MAX_WEIGHT", 40)
    monkeypatch.setattr(export_files, "MAX_OPEN", 2)
    open_files = []
    make = export_files.Sink._file

    def counted(sink: Sink, *arguments: Any) -> Any:
        file = make(sink, *arguments)
        open_files.append(len(sink._open))
        assert sum(len(share.rows) for share in sink._shares.values()) < 40
        return file

    monkeypatch.setattr(Sink, "_file", counted)
    for suffix in ("parquet", "csv", "ndjson"):
        summary = export(coins.path, tmp_path / suffix, format=suffix)
        assert summary.rows == len(coins.events)
        assert max(open_files) == 2
    rows = [row for path in (tmp_path / "parquet").rglob("*.parquet") for row in parquet_rows(path)]
    usual = [row for path in (tmp_path / "usual").rglob("*.parquet") for row in parquet_rows(path)]
    assert sorted(rows, key=lambda row: int(row["position"])) == sorted(
        usual, key=lambda row: int(row["position"])
    )
    assert any(path.endswith("part-1.parquet") for path in files_of(tmp_path / "parquet"))
    assert not any(path.endswith("part-1.csv") for path in files_of(tmp_path / "csv"))
    for path in (tmp_path / "csv").rglob("*.csv"):
        assert [line.startswith("position,") for line in text_lines(path)].count(True) == 1


def test_days_have_folders_of_their_own(tmp_path: Path) -> None:
    sink = Sink(tmp_path, "csv", "v")
    day_ns = 86_400 * 10**9
    for number, at_ns in enumerate([day_ns - 1, day_ns, day_ns - 1]):
        sink.add(trade(str(number), at_ns), "")
    sink.close()
    first, second = (
        (tmp_path / f"trade/venue=v/instrument=A/day=1970-01-0{day}/part-0.csv") for day in (1, 2)
    )
    assert [line.split(",")[0] for line in text_lines(first)] == ["position", "0", "2"]
    assert [line.split(",")[0] for line in text_lines(second)] == ["position", "1"]


# Numbers that are not usual -------------------------------------------------------------------------


def trade(price: str, at_ns: int = 1, size: str = "1") -> tq.Trade:
    return tq.Trade(venue="v", instrument="A", received_ns=at_ns, price=Decimal(price), size=Decimal(size))


@pytest.mark.parametrize(
    ("prices", "kind", "texts"),
    [
        (["1.5", "1E-9"], "decimal128(38, 18)", ()),
        (["1.5", "1E-20"], "decimal128(38, 20)", ()),
        (["1E-20", "1E+30"], "string", ("price",)),
    ],
)
def test_a_table_is_made_again_for_numbers_that_need_another_column(
    prices: list[str], kind: str, texts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet  # noqa: PLC0415

    monkeypatch.setattr(
        export_files, "MAX_WEIGHT", 4
    )  # a batch for each row: the first one is written already
    gap = tq.Gap(venue="v", received_ns=1, reason="r")
    sink = Sink(tmp_path, "parquet", "v")

    def fill(sink: Sink) -> None:
        for price in prices:
            sink.add(trade(price), "")
            sink.add(gap, "")
            if sink.is_full:
                sink.flush(down_to=0)
        sink.close()

    fill(sink)
    again = sink.irregular()
    assert list(again) == ["trade"]
    assert [path.split("/")[0] for path in files_of(tmp_path)] == ["notice"]
    assert [(table.name, table.rows) for table in sink.summaries()] == [("notice", len(prices))]
    second = Sink(tmp_path, "parquet", "v", again)
    fill(second)
    assert second.irregular() == {}
    assert [(table.name, table.rows, table.texts) for table in second.summaries()] == [("trade", 2, texts)]
    (path,) = (tmp_path / "trade").rglob("*.parquet")
    table = parquet.ParquetFile(path).read()
    assert str(table.schema.field("price").type) == kind
    assert [Decimal(price) for price in table.column("price").to_pylist()] == list(map(Decimal, prices))
    assert table.column("position").to_pylist() == [0, 2]


def test_an_export_goes_over_the_recording_again_where_it_must(
    coins: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing that the simulators send needs wider columns, so what is usual is made narrower.
    for module in ("export_columns", "export_arrow"):
        monkeypatch.setattr(f"trioquotes.recording.{module}.SCALE", 1)
    summary = export(coins.path, tmp_path / "out")
    assert summary.rows == len(coins.events)
    rows = [row for path in (tmp_path / "out").rglob("*.parquet") for row in parquet_rows(path)]
    for row in rows:
        event = coins.events[row["position"]]
        if isinstance(event, tq.Trade):
            assert (row["price"], row["size"]) == (event.price, event.size)
    assert sorted(row["position"] for row in rows) == list(range(len(coins.events)))


# Whole or not at all --------------------------------------------------------------------------------


def test_what_is_there_is_not_replaced_unless_it_is_an_export_and_that_is_wanted(
    coins: Kept, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    first = export(coins.path, out, format="csv")
    assert first.path == out
    before = files_of(out)
    with pytest.raises(UsageError, match="holds an export already"):
        export(coins.path, out, format="csv")
    assert files_of(out) == before
    export(coins.path, out, format="ndjson", topics=[tq.Trades("BTC-USD")], overwrite=True)
    assert {path.split("/")[0] for path in files_of(out)} == {"export.json", "notice", "trade"}
    assert os.listdir(tmp_path) == ["out"]  # noqa: PTH208  # hidden ones too


def test_what_of_the_old_export_could_not_be_removed_is_named(
    coins: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert export(coins.path, out, format="csv").left_over is None
    assert export(coins.path, out, format="csv", overwrite=True).left_over is None
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    left = export(coins.path, out, format="ndjson", overwrite=True).left_over
    assert left is not None
    assert left.parent == tmp_path
    assert list(left.rglob("*.csv"))
    assert not list(out.rglob("*.csv"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_export_is_never_replaced(coins: Kept, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letters.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    with pytest.raises(UsageError, match="holds no export"):
        export(coins.path, tmp_path / "out", overwrite=overwrite)
    with pytest.raises(UsageError, match="is no folder"):
        export(coins.path, tmp_path / "file", overwrite=overwrite)
    with pytest.raises(UsageError, match="holds no export"):
        export(coins.path, coins.path, overwrite=overwrite)
    with pytest.raises(UsageError, match="name a folder"):
        export(coins.path, Path("/"), overwrite=overwrite)
    assert files_of(tmp_path) == ["file", "out/letters.txt"]


def test_an_export_that_holds_its_recording_is_not_replaced(coins: Kept, tmp_path: Path) -> None:
    export(coins.path, tmp_path / "out", format="csv")
    shutil.copytree(coins.path, tmp_path / "out" / "recording")
    with pytest.raises(UsageError, match="holds the recording itself"):
        export(tmp_path / "out" / "recording", tmp_path / "out", format="csv", overwrite=True)


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """A block after which the folder holds what it held before, and no file of it is open."""
    before = files_of(folder)
    yield
    assert files_of(folder) == before
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
    assert [link for link in Path("/proc/self/fd").glob("*") if str(folder) in os.path.realpath(link)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_cancelled_export_leaves_nothing(
    coins: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: Format
) -> None:
    monkeypatch.setattr(export_files, "MAX_WEIGHT", 40)

    async def main(after: int) -> bool:
        exporter = Exporter(coins.path, tmp_path / "out", format=suffix)
        flush = Sink.flush
        calls = 0

        def counted(sink: Sink, **options: Any) -> None:
            nonlocal calls
            calls += 1
            flush(sink, **options)
            if calls == after:
                trio.from_thread.run_sync(scope.cancel)

        monkeypatch.setattr(Sink, "flush", counted)
        with trio.fail_after(60), trio.CancelScope() as scope:
            await exporter.run()
        monkeypatch.setattr(Sink, "flush", flush)
        return scope.cancelled_caught

    for after in (1, 3, 10):
        with nothing_left(tmp_path):
            assert trio.run(main, after)


LIMITED = """
    import resource, sys
    import trio
    from trioquotes.recording.export import Exporter

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    exporter = Exporter(sys.argv[1], sys.argv[2], format=sys.argv[3])
    try:
        trio.run(exporter.run)
    except Exception as error:
        print(type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)  # whoever measures coverage writes at the end
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
@pytest.mark.parametrize("suffix", ["parquet", "csv", "ndjson"])
def test_a_disk_that_is_full_is_an_error_that_names_the_file(
    coins: Kept, tmp_path: Path, suffix: str
) -> None:
    with nothing_left(tmp_path):
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(LIMITED), coins.path, tmp_path / "out", suffix],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    assert ended.stdout.startswith(f"RecordingError {tmp_path / 'out'}{os.sep}"), (
        "not where it was in the making"
    )
    assert f"part-0.{suffix}: File too large" in ended.stdout
    assert ended.stderr == ""


def test_a_folder_that_cannot_be_made_is_named(coins: Kept, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="file/out: Not a directory"):
        export(coins.path, tmp_path / "file" / "out", format="csv")


def test_a_torn_recording_is_exported_up_to_the_tear(tmp_path: Path) -> None:
    source = tmp_path / "torn"
    for seed in (5, 6):
        live(PLACES["coinbase"], source, (), seed=seed, for_s=30.0)
    whole = events_of(source)
    segment = source / "000002.tqr"
    segment.write_bytes(segment.read_bytes()[:-10])
    summary = export(source, tmp_path / "out", format="ndjson")
    assert [torn.path.name for torn in summary.torn] == [segment.name]
    assert 10 < summary.rows < len(whole)
    for line, event in zip(lines_in(tmp_path / "out"), whole, strict=False):
        assert line["event"].rpartition(".")[2] == type(event).__name__
        assert line["received_ns"] == event.received_ns  # type: ignore[attr-defined]  # all have one
    assert json.loads((tmp_path / "out" / "export.json").read_text())["torn"]


def test_the_manifest_says_what_there_is(coins: Kept, tmp_path: Path) -> None:
    summary = export(coins.path, tmp_path / "out", topics=[tq.Trades("BTC-USD")])
    manifest = json.loads((tmp_path / "out" / "export.json").read_text())
    assert manifest["venue"] == "coinbase"
    assert manifest["topics"] == ["trades BTC-USD"]
    assert manifest["format"] == "parquet"
    assert {name: table["rows"] for name, table in manifest["tables"].items()} == {
        table.name: table.rows for table in summary.tables
    }
    assert summary.files == len(list((tmp_path / "out").rglob("*.parquet")))
    assert summary.bytes == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.parquet"))


def test_what_cannot_be_meant_is_refused(coins: Kept, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'xlsx': it is one of parquet, csv, ndjson"):
        export(coins.path, tmp_path / "out", format="xlsx")
    with pytest.raises(UsageError, match="the recording has no channel"):
        export(coins.path, tmp_path / "out", topics=[tq.Trades("DOGE-USD")])
    with pytest.raises(UsageError, match="nothing was subscribed"):
        export(coins.path, tmp_path / "out", topics=[])
    with pytest.raises(RecordingError, match="there is no recording"):
        export(tmp_path / "nothing", tmp_path / "out")
    assert files_of(tmp_path) == []


def test_without_pyarrow_parquet_names_the_extra_and_the_others_work(
    coins: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install trioquotes\[parquet\]"):
        export(coins.path, tmp_path / "out")
    assert export(coins.path, tmp_path / "out", format="csv").rows == len(coins.events)
