"""Where rows go: tables, safe folders, days."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trioquotes.events import BookChange, Event, FundingRate, Gap, OrderBookSnapshot, Resynced, Trade
from trioquotes.recording.export_layout import Partition, day_of, instrument_of, quoted, table_of
from trioquotes.topics import Fills, Trades
from trioquotes.venues import edgex
from trioquotes.venues.coinbase import LastMatch

names = st.text(st.characters(codec="utf-8"), max_size=20)


@given(names)
@example("..")
@example(".")
@example("BTC/USD")
@example("a\\b:c")
@example("__HIVE_DEFAULT_PARTITION__")
@example("a%2Fb")
@example("")
def test_any_instrument_is_one_safe_folder_and_can_be_read_back(name: str) -> None:
    folder = f"instrument={quoted(name)}"
    assert unquote(quoted(name)) == name
    assert folder.isascii()
    assert PurePosixPath(folder).parts == PureWindowsPath(folder).parts == (folder,)
    assert not folder.endswith((".", " "))
    assert not set(folder.removeprefix("instrument=")) & set('<>:"/\\|?*=')
    assert quoted(name) != "__HIVE_DEFAULT_PARTITION__"


@given(names, names)
def test_two_instruments_never_share_a_folder(one: str, other: str) -> None:
    assert (quoted(one) == quoted(other)) == (one == other)


def test_folders_are_in_the_style_of_hive() -> None:
    partition = Partition("trade", "coinbase", "BTC-USD", "2026-11-22")
    assert "/".join(partition.folders) == "trade/venue=coinbase/instrument=BTC-USD/day=2026-11-22"


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (Trade, "trade"),
        (BookChange, "book_change"),
        (OrderBookSnapshot, "order_book_snapshot"),
        (FundingRate, "funding_rate"),
        (Gap, "notice"),
        (Resynced, "notice"),
        (LastMatch, "coinbase_last_match"),
    ],
)
def test_a_table_is_named_after_the_type(kind: type[Event], table: str) -> None:
    assert table_of(kind, "coinbase") == table


def test_a_notice_is_filed_under_its_instrument_or_that_of_its_topic() -> None:
    gap = Gap(venue="v", received_ns=1, reason="r", topic=Trades("A"), instrument="B")
    assert instrument_of(gap, "C") == "B"
    assert instrument_of(Gap(venue="v", received_ns=1, reason="r", topic=Trades("A")), "C") == "A"
    assert instrument_of(Gap(venue="v", received_ns=1, reason="r", topic=Fills()), "C") == ""
    assert instrument_of(Gap(venue="v", received_ns=1, reason="r"), "C") == ""


def test_a_message_of_the_venues_own_is_filed_under_what_its_topic_asks_for() -> None:
    told = edgex.Metadata()
    assert instrument_of(told, "10000001") == "10000001"


@pytest.mark.parametrize(
    ("at_ns", "day"),
    [
        (0, "1970-01-01"),
        (86_400 * 10**9 - 1, "1970-01-01"),
        (86_400 * 10**9, "1970-01-02"),
        (-1, "1969-12-31"),
        (2**63 - 1, "2262-04-11"),
    ],
)
def test_days_are_those_of_utc(at_ns: int, day: str) -> None:
    assert day_of(at_ns) == day
