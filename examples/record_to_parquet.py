r"""From the line to a Parquet file: records trades as they come, then replays the recording into a table.

What it shows: ``recording.record`` takes part in a session as its connector and keeps everything that decides what you get,
so that the table can be made afterwards, made again with other columns, and made by the same code that would read a live
session. Prices stay exact: a decimal that does not fit the column is an error, not a rounded number. What may be missing is
part of the data: ``missing_before`` is true of a trade before which others may have been lost.

It needs ``pip install trioquotes[parquet]``. Run it against the venue itself::

    python record_to_parquet.py coinbase BTC-USD ETH-USD -o today --seconds 60

or against a simulator (``trioquotes simulate coinbase --port 8765``)::

    python record_to_parquet.py coinbase BTC-USD -o today --endpoint ws://127.0.0.1:8765

The recording is the folder ``today``, the table ``today/trades.parquet``. Ctrl-C ends it: once while it records, and the table
is made of what came until then.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import trio
import trioquotes as tq
from trioquotes import recording

DECIMAL = pa.decimal128(38, 18)

SCHEMA = pa.schema(
    [
        ("venue", pa.string()),
        ("instrument", pa.string()),
        ("venue_time_ns", pa.int64()),
        ("received_ns", pa.int64()),
        ("price", DECIMAL),
        ("size", DECIMAL),
        ("taker_side", pa.string()),
        ("trade_id", pa.string()),
        ("missing_before", pa.bool_()),
    ]
)

ROWS = 1_000
"""How many rows are handed to pyarrow at once: it holds the interpreter for a few milliseconds then."""


async def record(session: tq.Session, seconds: float) -> int:
    """Let a session run, for so long or until Ctrl-C; its connector is what records it.

    Args:
        session: with the topics that are wanted.
        seconds: how long; ``inf`` for no end.

    Returns:
        How many events came.

    Raises:
        SessionError, SubscriptionRejected, RecordingError: as the session.
    """
    events = 0
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_at_signal, signals, nursery.cancel_scope)
            with trio.move_on_after(seconds):
                async with session as stream:
                    async for _ in stream:
                        events += 1
            nursery.cancel_scope.cancel()
    return events


async def cancel_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Cancel at the first signal."""
    async for _ in signals:
        scope.cancel()
        return


async def tabulate(folder: Path, table: Path) -> tuple[int, int]:
    """Replay a recording, as fast as it goes, into a Parquet file.

    Args:
        folder: with the recording.
        table: the file.

    Returns:
        How many trades there are, and before how many of them others may be missing.

    Raises:
        RecordingError: the folder holds no recording, or it cannot be read.
        pyarrow.ArrowInvalid: a number does not fit its column.
    """
    replayed = recording.replay(folder, speed="max")
    missing: set[str] = set()
    rows: list[dict[str, Any]] = []
    trades = holes = 0
    with pq.ParquetWriter(table, SCHEMA) as writer:
        async with tq.Session(replayed.venue, *replayed.topics, connector=replayed) as stream:
            async for event in stream:
                match event:
                    case tq.Trade():
                        trades += 1
                        holes += event.instrument in missing
                        rows.append(row(event, missing_before=event.instrument in missing))
                        missing.discard(event.instrument)
                    case tq.Gap() | tq.Lagged() | tq.Malformed() if event.topic is not None:
                        missing.add(event.topic.subject)
                if len(rows) >= ROWS:
                    await trio.to_thread.run_sync(write, writer, rows)
                    rows = []
        await trio.to_thread.run_sync(write, writer, rows)
    return trades, holes


def row(trade: tq.Trade, *, missing_before: bool) -> dict[str, Any]:
    """A trade as a row of the table."""
    return {
        "venue": trade.venue,
        "instrument": trade.instrument,
        "venue_time_ns": trade.venue_time_ns,
        "received_ns": trade.received_ns,
        "price": trade.price,
        "size": trade.size,
        "taker_side": trade.taker_side,
        "trade_id": trade.trade_id,
        "missing_before": missing_before,
    }


def write(writer: pq.ParquetWriter, rows: list[dict[str, Any]]) -> None:
    """Add rows to the file."""
    if rows:
        writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))


async def run(session: tq.Session, recorder: recording.Recorder, folder: Path, seconds: float) -> int:
    """Record, then make the table.

    Returns:
        The exit code.
    """
    await record(session, seconds)
    status = recorder.status()
    print(f"{folder}: {status.frames} frames, {status.bytes} bytes", flush=True)
    if status.error is not None:  # the disk was full, say: the session went on, and what was written is good
        print(f"recorded until this: {status.error}", file=sys.stderr)
    table = folder / "trades.parquet"
    trades, holes = await tabulate(folder, table)
    print(f"{table}: {trades} trades, {holes} of them with a hole before", flush=True)
    return int(status.error is not None)


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Trades into a Parquet file.")
    parser.add_argument("venue")
    parser.add_argument("instruments", nargs="+", metavar="instrument")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--endpoint", metavar="URL")
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="S")
    args = parser.parse_args()
    recorder = recording.record(args.output)
    topics = [tq.Trades(instrument) for instrument in args.instruments]
    try:
        session = tq.Session(args.venue, *topics, endpoint=args.endpoint, connector=recorder)
    except tq.UsageError as error:
        parser.error(str(error))
    code = 0
    try:
        print(f"recording since {datetime.now(UTC):%H:%M:%S} UTC; Ctrl-C ends it", flush=True)
        code = trio.run(run, session, recorder, args.output, args.seconds)
    except* KeyboardInterrupt:  # while the table is made
        print("stopped", file=sys.stderr)
        code = 130
    except* tq.TrioquotesError as ended:
        print("ended:", *ended.exceptions, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
