"""What users of other libraries suffered, line by line: which tests show that it does not happen here.

:data:`PITFALLS` has every line with the tests that hold it. Most of them stand with the part that they are about;
those that needed a test of their own stand here.
"""

from __future__ import annotations

import ast
import enum
import importlib.metadata
import logging
import pickle
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote

import attrs
import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

import trioquotes as tq
from tests.robustness.hostile import COINBASE, UPBIT, each_venue
from tests.test_venues_live import PLACES, Place, next_data, read
from tests.venues.bench import Bench, Outbox
from tests.venues.cases import Case, compact
from trioquotes import events
from trioquotes._runtime.transport import TapConnector
from trioquotes.simulator.faults import (
    DropLine,
    Fault,
    GarbageHandshake,
    HangHandshake,
    MuteLine,
    PartialAck,
    RefuseHandshake,
)
from trioquotes.testing import World, open_world
from trioquotes.venues import VENUES

HOUR_S: Final = 3600.0
TESTS: Final = Path(__file__).parent.parent
HERE: Final = "robustness/test_pitfalls.py"


@attrs.frozen
class Pitfall:
    """One line.

    Attributes:
        suffered: what happened to others, and where it was told.
        instead: what happens here.
        tests: what shows it, as ``file::test`` below the folder of the tests.
    """

    suffered: str
    instead: str
    tests: tuple[str, ...]


def _in(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::{name}" for name in names)


PITFALLS: Final[dict[int, Pitfall]] = {
    # Reconnecting.
    1: Pitfall(
        "an error in the user's own code was treated as a disconnect (cryptofeed#545)",
        "the body's exception leaves `async with` bare and never causes a reconnect",
        _in(
            "runtime/test_session.py",
            "test_the_bodys_exception_leaves_bare_and_nothing_reconnects",
            "test_a_group_from_the_bodys_nursery_stays_that_group",
        ),
    ),
    2: Pitfall(
        "reconnects wedge until the process restarts (tardis-machine#27)",
        "every step of an attempt has a deadline; each attempt starts from clean state",
        _in(HERE, "test_attempts_that_fail_in_every_way_are_given_up_in_time_and_the_last_one_serves")
        + _in(
            "runtime/test_transport_handshake.py",
            "test_silent_peer_ends_the_attempt_at_the_connect_timeout",
            "test_network_that_does_not_answer_is_a_connect_failure",
        )
        + _in("runtime/test_tokens.py", "test_callback_that_hangs_is_given_up_in_bounded_time"),
    ),
    3: Pitfall(
        "after a reconnect part of the subscriptions came back (xchange-stream#502)",
        "wanted and confirmed sets are compared after every connect, and the difference is sent again",
        _in(HERE, "test_what_a_reconnect_brings_back_in_part_is_asked_for_again")
        + _in("venues/test_contract.py", "test_after_a_drop_everything_is_asked_again"),
    ),
    4: Pitfall(
        "backoff resets on connect: accept-then-close becomes a connect a second (cryptofeed)",
        "backoff resets after data and a healthy time, has a cap, a floor and jitter",
        _in(
            "protocol/test_backoff.py",
            "test_data_for_a_healthy_time_starts_anew",
            "test_connection_without_data_never_starts_anew",
            "test_least_and_most_waits_grow_to_floor_and_cap",
            "test_jitter_is_full",
            "test_flapping_server_sees_at_most_twenty_connects_in_any_minute",
        )
        + _in("runtime/test_session.py", "test_a_server_that_accepts_and_closes_is_not_stormed"),
    ),
    5: Pitfall(
        "a venue that never sends a first message is never noticed (cryptofeed)",
        "the watchdog starts at connect",
        _in(HERE, "test_a_line_that_never_says_anything_is_given_up")
        + _in("protocol/test_liveness.py", "test_line_that_never_says_anything_is_noticed_from_its_opening"),
    ),
    # Silent stalls.
    6: Pitfall(
        "a book is stale for seconds while connected (nautilus_trader#4298)",
        "staleness is watched per subscription where the venue gives a beat to watch",
        _in(
            "venues/coinbase/test_coinbase_data.py",
            "test_product_whose_heartbeat_stays_away_is_stale_alone",
        )
        + _in("protocol/test_liveness.py", "test_each_beat_is_watched_by_itself"),
    ),
    7: Pitfall(
        "a fixed idle limit kills quiet markets (tardis-node#48)",
        "quiet is told from dead by the venue's own heartbeat or a ping that is answered",
        _in("protocol/test_liveness.py", "test_quiet_line_that_answers_is_alive")
        + _in("venues/upbit/test_upbit_data.py", "test_a_quiet_line_lives_by_its_pongs_alone")
        + _in("venues/edgex/test_edgex_public.py", "test_three_pings_of_the_server_keep_a_quiet_line_alive")
        + _in("venues/darwinex/test_darwinex_life.py", "test_pong_keeps_a_quiet_line_alive_for_hours")
        + _in(
            "venues/coinbase/test_coinbase_data.py",
            "test_quiet_line_is_asked_for_a_pong_and_a_dead_one_is_given_up",
        ),
    ),
    8: Pitfall(
        "a snapshot larger than the receive limit fails silently, then loops (ccxt#23597)",
        "the limit is per venue, large, and passing it raises a typed error that names it",
        _in(HERE, "test_the_limit_of_each_venue_takes_its_largest_book")
        + _in("runtime/test_session.py", "test_three_messages_too_large_in_a_row_end_the_session")
        + _in(
            "runtime/test_transport_faults.py",
            "test_message_over_the_limit_closes_with_1009_at_its_header",
        ),
    ),
    9: Pitfall(
        "Darwinex goes quiet until the next minute when its budget is spent",
        "that is reported as `Throttled`, and is no reason to reconnect",
        _in(
            "venues/darwinex/test_darwinex_life.py",
            "test_silence_after_the_limit_is_throttling_and_no_death",
        ),
    ),
    # Gaps and wrong books.
    10: Pitfall(
        "only older sequence numbers were dropped, holes passed (cryptofeed#20)",
        "the test is `== last + 1` where the venue counts so",
        _in(
            "protocol/test_sequence.py",
            "test_contiguous_counts_what_lies_between",
            "test_hole_between_trades_is_counted",
        )
        + _in("venues/coinbase/test_coinbase_data.py", "test_gap_is_announced_before_the_next_trade")
        + _in("venues/edgex/test_edgex_wire.py", "test_a_hole_is_always_seen")
        + _in("venues/zonda/test_zonda_data.py", "test_hole_in_the_count_is_said_before_the_next_trade"),
    ),
    11: Pitfall(
        "one product's gap reset all products (cryptofeed#291)",
        "resync is per book",
        _in(
            "venues/coinbase/test_coinbase_data.py",
            "test_book_of_another_product_is_untouched_by_one_that_breaks",
        )
        + _in(
            "venues/edgex/test_edgex_public.py",
            "test_a_part_of_a_book_that_cannot_be_used_breaks_that_book_alone",
        )
        + _in("protocol/test_lane.py", "test_a_gap_of_a_channel_breaks_its_book_and_nothing_else"),
    ),
    12: Pitfall(
        'a snapshot was filtered on side "ask" while the wire says "offer": a book without asks (cryptofeed)',
        "both sides are filled and never crossed, against the venue's own numbers",
        _in(
            HERE,
            "test_both_sides_of_every_kept_book_are_filled_and_never_cross",
            "test_a_side_in_other_words_breaks_the_book_instead_of_emptying_it",
        )
        + _in("test_world.py", "test_the_book_equals_the_servers_at_the_end"),
    ),
    13: Pitfall(
        "only the first trade of a batched frame was read, 22 of 79 trades vanished (hummingbot)",
        "every element of every frame becomes an event or is counted as ignored, by reason",
        _in("venues/test_contract.py", "test_every_element_of_every_sample_has_one_disposition")
        + _in("protocol/test_lane.py", "test_the_dispositions_add_up")
        + _in("test_venues_live.py", "test_all_public_topics_flow_and_the_ledger_adds_up"),
    ),
    14: Pitfall(
        'zero is written "0", "0.0", "0.00000000", one price with different digits',
        "keys and zero tests are by value",
        _in("books/test_book_by_price.py", "test_every_spelling_of_zero_removes_every_spelling_of_a_price")
        + _in("venues/zonda/test_zonda_books.py", "test_a_price_is_one_price_however_it_is_spelt"),
    ),
    15: Pitfall(
        "`match.side` is the maker's side at Coinbase, `ticker.side` the taker's",
        "the unified event has one field, `taker_side`",
        _in("venues/coinbase/test_coinbase_unify.py", "test_trade_has_the_takers_side")
        + _in(
            "venues/coinbase/test_coinbase_captures.py",
            "test_taker_side_of_trades_and_tickers_agrees_in_the_recorded_session",
        )
        + _in("venues/upbit/test_upbit_unify.py", "test_side_is_that_of_the_word")
        + _in("venues/edgex/test_edgex_public.py", "test_the_aggressor_sold_where_the_buyer_was_the_maker")
        + _in("venues/zonda/test_zonda_data.py", "test_transactions_are_trades_of_the_taker"),
    ),
    16: Pitfall(
        "the first `last_match`, the first edgeX trades snapshot, are history",
        "they are not published as new trades",
        _in(
            "venues/coinbase/test_coinbase_unify.py",
            "test_last_match_is_history_and_other_messages_make_no_trade",
        )
        + _in("venues/edgex/test_edgex_public.py", "test_the_snapshot_of_trades_is_history")
        + _in("venues/upbit/test_upbit_data.py", "test_the_last_trade_of_a_subscription_is_history"),
    ),
    # Slow consumers and memory.
    17: Pitfall(
        "unbounded queues: memory grew, data aged, timestamps looked fresh (cryptofeed#426)",
        "bounded everywhere; receipt is stamped at the socket read; queue age is in the statistics",
        _in(HERE, "test_what_waits_keeps_its_time_of_receipt_and_its_age_is_in_the_statistics")
        + _in("runtime/test_mailbox.py", "test_a_reader_that_never_reads_costs_no_more_than_the_buffer")
        + _in("runtime/test_flood.py", "test_a_million_frames_to_a_consumer_that_never_reads"),
    ),
    18: Pitfall(
        "a queue of 100 that ends the stream when full (python-binance#1016, #1295, #1559, #1647)",
        "the channel's policy decides, and says so in-band",
        _in(
            "runtime/test_mailbox.py",
            "test_overflow_drops_the_oldest_and_says_so_in_their_place",
            "test_latest_keeps_one_event_a_key_in_its_first_place",
            "test_fail_ends_the_channel_after_what_was_queued",
            "test_what_was_dropped_equals_what_was_reported",
        ),
    ),
    19: Pitfall(
        "a failed resync kept buffering forever (ccxt#26753)",
        "buffers die with the attempt",
        _in("venues/zonda/test_zonda_sync.py", "test_what_is_kept_is_bounded")
        + _in(
            "venues/zonda/test_zonda_books.py",
            "test_after_a_reconnect_everything_is_new",
            "test_unanswered_request_is_made_again_and_its_late_answer_is_not_taken",
        ),
    ),
    20: Pitfall(
        "a slow consumer looked like a dead socket because the timeout covered the hand-off too (piker)",
        "liveness is measured at the socket",
        _in(HERE, "test_a_consumer_that_sleeps_for_minutes_keeps_its_line")
        + _in("runtime/test_transport_faults.py", "test_time_in_which_nobody_receives_is_no_stall"),
    ),
    # Rate limits.
    21: Pitfall(
        "a token bucket broke a rolling-window limit, a reconnect storm followed (nautilus_trader#5012)",
        "budgets are rolling windows, shared by subscribe, unsubscribe, resubscribe and connect",
        _in(
            "protocol/test_budget.py",
            "test_full_bucket_and_refill_never_meet_in_one_window",
            "test_cost_is_charged_to_every_budget_that_counts_its_kind",
            "test_ip_budget_is_shared_by_all_handles_of_the_venue_and_by_no_other_venue",
            "test_greedy_lines_with_blocking_writes_stay_within_the_venues_window",
        )
        + _in("venues/test_contract.py", "test_many_topics_stay_within_every_budget")
        + _in("runtime/test_session.py", "test_the_venues_budget_spaces_requests_and_connects"),
    ),
    22: Pitfall(
        "a hundred unsubscribes in 10 ms were dropped by the venue (nautilus_trader#4093)",
        "unsubscribes are budgeted too",
        _in(HERE, "test_a_hundred_unsubscribes_at_once_keep_every_budget"),
    ),
    23: Pitfall(
        "Upbit: a new subscribe message replaces the whole old set (ccxt#27193)",
        "the full set is sent each time",
        _in(
            "venues/upbit/test_upbit_subscriptions.py",
            "test_adding_and_leaving_restate_the_whole_set",
            "test_after_a_lost_line_the_whole_set_is_one_request",
        ),
    ),
    # Shutdown and cancellation.
    24: Pitfall(
        "a timeout around a read poisons the stream (ccxt#11598, #21331, #20659)",
        "`trio.move_on_after` around a receive at any checkpoint loses no event and breaks nothing",
        _in("runtime/test_mailbox.py", "test_cancelling_a_receive_loses_nothing")
        + _in("runtime/test_cancel_sweep.py", "test_a_consumer_cancelled_at_any_step_loses_no_event")
        + _in("runtime/test_transport_cancel.py", "test_receive_cancelled_at_any_step_loses_nothing"),
    ),
    25: Pitfall(
        "`stop()` fails inside a running loop (cryptofeed#554, #581)",
        "there is no stop: leaving the block is the stop",
        _in(HERE, "test_leaving_the_block_is_the_only_stop")
        + _in("runtime/test_session.py", "test_leaving_says_goodbye"),
    ),
    # Numbers, types, authentication.
    26: Pitfall(
        "floats break checksums and prices (ccxt#522, #10784)",
        "`Decimal` from the text, always",
        _in(HERE, "test_no_field_of_any_event_or_message_is_a_float")
        + _in("protocol/test_codec.py", "test_plain_number_keeps_every_digit")
        + _in("venues/zonda/test_zonda_data.py", "test_every_digit_of_a_number_is_kept")
        + _in("venues/upbit/test_upbit_formats.py", "test_numbers_keep_every_digit_in_every_spelling"),
    ),
    27: Pitfall(
        "a strict enum killed real frames (nautilus_trader#1184)",
        "unknown values pass as they are",
        _in(
            HERE,
            "test_no_message_has_a_closed_list_of_words",
            "test_a_word_that_nobody_knows_passes_as_it_is",
        )
        + _in("venues/edgex/test_edgex_account.py", "test_the_venues_word_of_a_status_is_kept"),
    ),
    28: Pitfall(
        "years of asking for strict types (ccxt#12255, #15481)",
        "`py.typed`, and the public API is itself type-checked by tests",
        _in(HERE, "test_the_package_says_that_it_is_typed_and_its_types_are_tested"),
    ),
    29: Pitfall(
        "public data needed keys (cryptofeed#990, #1044)",
        "without keys the public equivalent is used and a missing key is said before connecting",
        _in(
            "venues/coinbase/test_coinbase_venue.py",
            "test_without_credentials_books_and_quotes_are_the_public_ones",
            "test_missing_key_is_said_before_connecting",
        )
        + _in("test_venues_live.py", "test_private_topics_without_credentials_are_refused_before_any_io"),
    ),
    30: Pitfall(
        "expired tokens on reconnect (Darwinex, Coinbase Advanced)",
        "credentials are asked for anew at each connect",
        _in("runtime/test_session.py", "test_credentials_are_asked_for_anew_at_each_connect")
        + _in("venues/darwinex/test_darwinex_session.py", "test_session_with_a_token_that_renews_itself"),
    ),
    31: Pitfall(
        "secrets in logs and tracebacks",
        "a credential's repr shows none of it, and no log line or kept frame does",
        _in(HERE, "test_no_secret_is_logged_kept_or_shown")
        + _in("test_venues_live.py", "test_the_wrong_key_is_refused_once_and_shown_nowhere")
        + _in("venues/test_contract.py", "test_no_secret_shows"),
    ),
    # Deployment.
    32: Pitfall(
        "no wheels, no Windows users (cryptofeed#720, #735)",
        "pure Python, one wheel",
        _in(HERE, "test_the_package_is_pure_python"),
    ),
    33: Pitfall(
        "no WebSocket proxy, unusable in some countries (cryptofeed#1002)",
        "HTTP CONNECT and SOCKS5 proxies, also from the environment",
        _in(HERE, "test_a_session_goes_through_an_http_proxy")
        + _in(
            "runtime/test_proxies_session.py",
            "test_session_and_its_rest_go_through_a_real_proxy",
            "test_the_environments_proxy_is_used",
            "test_user_and_password_of_a_proxy_show_nowhere",
        )
        + _in(
            "runtime/test_proxies.py",
            "test_line_goes_through_and_the_proxy_is_told_where_to",
            "test_line_cancelled_at_any_step_leaves_nothing_open",
        ),
    ),
    34: Pitfall(
        "a feed cannot be added or removed while running (cryptofeed#418, #964)",
        "`subscribe` and `unsubscribe` work at any time",
        _in("test_venues_live.py", "test_subscribe_and_unsubscribe_while_running")
        + _in(
            "runtime/test_session.py",
            "test_subscribe_returns_a_typed_channel_and_closing_it_withdraws",
            "test_unsubscribing_ends_the_channels_of_that_topic",
        ),
    ),
}


@cache
def _tests_in(path: Path) -> frozenset[str]:
    """Names of the tests of a file, read without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(n.name for n in tree.body if isinstance(n, kinds) and n.name.startswith("test_"))


def test_every_line_has_a_test_that_is_there() -> None:
    assert list(PITFALLS) == list(range(1, 35))
    missing = []
    for number, pitfall in PITFALLS.items():
        assert pitfall.tests, number
        for node in pitfall.tests:
            file, _, name = node.partition("::")
            path = TESTS / file
            if not path.is_file() or name not in _tests_in(path):
                missing.append(f"{number}: {node}")
    assert missing == []


def test_every_test_here_belongs_to_a_line() -> None:
    about_the_table = {"test_every_line_has_a_test_that_is_there", "test_every_test_here_belongs_to_a_line"}
    used = {node.partition("::")[2] for pitfall in PITFALLS.values() for node in pitfall.tests}
    assert _tests_in(Path(__file__)) - about_the_table <= used


each_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)


# 2, 3, 5: reconnecting.


class Wedging:
    """A world whose network does not answer one of the attempts."""

    def __init__(self, world: World, attempt: int) -> None:
        self._world = world
        self._attempt = attempt
        self._attempts = 0

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        self._attempts += 1
        if self._attempts == self._attempt:
            await trio.sleep_forever()
        return await self._world.open(host, port)


@each_place
async def test_attempts_that_fail_in_every_way_are_given_up_in_time_and_the_last_one_serves(
    place: Place, autojump_clock: MockClock
) -> None:
    faults: list[Fault] = [
        DropLine(connection=1, after_s=20.0, how="reset"),
        HangHandshake(connection=2),
        GarbageHandshake(connection=3),
        RefuseHandshake(connection=4, status=502),
        DropLine(connection=5, after_s=0.0),
        MuteLine(connection=6, after_s=0.0),
        DropLine(connection=7, after_s=0.0, how="close", code=1012),
    ]
    with trio.fail_after(2 * HOUR_S):
        async with open_world(1) as world:
            served = world.serve(place.simulator(*faults, wall_ns=world.wall_ns, rate=1.0))
            connector = TapConnector(Wedging(world, 4))  # the fourth does not even reach the venue
            session = world.session(
                served, place.data, connect_timeout_s=30.0, connector=connector, **place.key
            )
            async with session as stream:
                began_s = trio.current_time()
                seen = await read(stream, HOUR_S, lambda events: served_again(stream, events))
                assert served_again(stream, seen)
                assert trio.current_time() - began_s < 0.5 * HOUR_S
    assert [type(event) for event in seen].count(tq.Disconnected) == 4, "those lines that were up"


def served_again(stream: tq.Stream, seen: list[tq.Event]) -> bool:
    """Whether the newest event is data of the ninth attempt."""
    return stream.statistics().lanes[0].attempts == 9 and not isinstance(seen[-1], tq.Notice)


async def test_what_a_reconnect_brings_back_in_part_is_asked_for_again(autojump_clock: MockClock) -> None:
    place = PLACES[0]
    faults = DropLine(connection=1, after_s=20.0), PartialAck(connection=2, nth=1, leave_out=("ETH-USD",))
    with trio.fail_after(HOUR_S):
        async with open_world(2) as world:
            served = world.serve(place.simulator(*faults, wall_ns=world.wall_ns, rate=1.0))
            topics = [tq.Trades("BTC-USD"), tq.Trades("ETH-USD")]
            async with world.session(served, *topics) as stream:
                seen = await read(stream, 120)
    kinds = [type(event) for event in seen]
    again = seen[len(kinds) - kinds[::-1].index(tq.Connected) :]
    said = [event for event in again if isinstance(event, tq.Rejected)]
    assert [(notice.instrument, notice.final) for notice in said] == [("ETH-USD", False)]
    after = again[again.index(said[0]) :]
    assert {event.instrument for event in after if isinstance(event, tq.Trade)} == {"BTC-USD", "ETH-USD"}


@each_venue
def test_a_line_that_never_says_anything_is_given_up(case: Case) -> None:
    play = Bench(case.venue, credentials=case.credentials)
    play.subscribe(case.more(1))
    play.connect()
    for _ in range(180):
        play.writer()
        play.advance(1.0)
        if play.line().state.lost_reason is not None:
            return
    pytest.fail("three minutes of silence from the beginning, and nobody noticed")


# 8, 12: books.


def test_the_limit_of_each_venue_takes_its_largest_book() -> None:
    levels = [[f"{number}.12345678", "0.12345678"] for number in range(50_000)]
    largest = {
        "coinbase": compact({"type": "snapshot", "product_id": "BTC-USD", "bids": levels, "asks": levels}),
        "edgex": compact({"content": {"data": [{"asks": levels[:200], "bids": levels[:200]}]}}),
        "zonda": compact({"body": {"sell": [{"ra": p, "ca": s, "co": 99} for p, s in levels[:300]] * 2}}),
        "upbit": compact([{"code": "KRW-BTC", "orderbook_units": levels[:30] * 4}] * 300),
        "darwinex": compact({"products": [{"productName": "ABCDE.5.99", "quote": 123.45}] * 100}),
    }
    assert set(largest) == set(VENUES)
    for name, message in largest.items():
        assert len(message) * 2 < VENUES[name].limits.max_message_bytes, name


@pytest.mark.parametrize("place", PLACES[:4], ids=lambda place: place.name)
async def test_both_sides_of_every_kept_book_are_filled_and_never_cross(
    place: Place, autojump_clock: MockClock
) -> None:
    book = tq.OrderBook(place.instruments[0])
    looks = 0
    with trio.fail_after(HOUR_S):
        async with open_world(3) as world:
            fault = DropLine(connection=1, after_s=25.0)
            served = world.serve(place.simulator(fault, wall_ns=world.wall_ns, rate=2.0))
            async with world.session(served, tq.Books(place.instruments[0])) as stream:
                for event in await read(stream, 60):
                    if isinstance(event, tq.Gap):
                        book = tq.OrderBook(place.instruments[0])
                    if not isinstance(event, tq.BookSnapshot | tq.BookChange):
                        continue
                    book.apply(event)
                    assert book.best_bid is not None
                    assert book.best_ask is not None
                    assert book.best_bid[0] < book.best_ask[0]
                    looks += 1
    assert looks > 50
    assert min(len(book.levels("bid")), len(book.levels("ask"))) >= 5


@pytest.mark.parametrize("word", ["offer", "ask", "BUY", ""])
def test_a_side_in_other_words_breaks_the_book_instead_of_emptying_it(word: str) -> None:
    play = Bench(COINBASE.venue, credentials=COINBASE.credentials)
    box = play.subscribe(tq.Books("BTC-USD"))
    play.settle(COINBASE.server)
    assert box.kinds()[-1] == "BookSnapshot"
    change = compact({"type": "l2update", "product_id": "BTC-USD", "changes": [[word, "11.5", "1"]]})
    play.line("book").server(change)
    assert box.kinds()[:2] == ["Malformed", "Gap"]
    play.settle(COINBASE.server, patience_s=60.0)
    assert box.kinds()[-2:] == ["BookSnapshot", "Resynced"]


# 17, 20: slow consumers.


async def test_what_waits_keeps_its_time_of_receipt_and_its_age_is_in_the_statistics(
    autojump_clock: MockClock,
) -> None:
    place = PLACES[0]
    with trio.fail_after(HOUR_S):
        async with open_world(4) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns, rate=1.0))
            async with world.session(served, tq.Trades("BTC-USD"), buffer=10_000) as stream:
                began_ns = world.wall_ns()
                await trio.sleep(120)
                (channel,) = stream.statistics().channels
                oldest_ns = channel.oldest_received_ns
                assert oldest_ns is not None
                assert 60e9 < world.wall_ns() - oldest_ns <= 121e9
                first = await next_data(stream.receive)
                waiting = [first, *(await stream.receive_many())]
    received = [event.received_ns for event in waiting if isinstance(event, tq.Trade)]
    assert received[0] == oldest_ns
    assert received == sorted(received)
    assert received[-1] - received[0] > 60e9, (
        "each has the time at which it came, not that at which it was read"
    )
    assert received[0] - began_ns < 60e9


@each_place
async def test_a_consumer_that_sleeps_for_minutes_keeps_its_line(
    place: Place, autojump_clock: MockClock
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(5) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns, rate=1.0))
            async with world.session(
                served, place.data, connect_timeout_s=60.0, buffer=10, **place.key
            ) as stream:
                await trio.sleep(180)
                seen = [event for _ in range(20) for event in [await stream.receive()]]
                statistics = stream.statistics()
    assert [lane.connections for lane in statistics.lanes] == [1]
    said = Counter(type(event) for event in seen if isinstance(event, tq.Notice))
    assert said == {tq.Connected: 1, tq.Lagged: 1}
    assert not list(served.simulator.records.breaches)


# 22: limits.


@each_venue
def test_a_hundred_unsubscribes_at_once_keep_every_budget(case: Case) -> None:
    play = Bench(case.venue, credentials=case.credentials)
    boxes: list[Outbox] = [play.subscribe(case.more(number)) for number in range(101)]
    play.settle(case.server, patience_s=300.0)
    assert all(box.is_confirmed for box in boxes)
    before = play.spent()
    for box in boxes[1:]:
        play.unsubscribe(box)
    play.settle(case.server, patience_s=300.0)
    play.assert_polite()
    asked = [len(line.state.ledger.asked) for line in play.lines if line.protocol is not None]
    if case.withdraws:
        assert play.spent()["send"] > before["send"], "they were said to the venue"
        assert sum(asked) <= 2, "the one that is left, with its heartbeat"


# 25: the end.


async def test_leaving_the_block_is_the_only_stop(autojump_clock: MockClock) -> None:
    stoppers = {"stop", "close", "aclose", "shutdown", "disconnect", "run_forever", "loop"}
    assert not stoppers & set(dir(tq.Session))
    assert not stoppers & set(dir(tq.Stream))
    place = PLACES[0]
    with trio.fail_after(HOUR_S):
        async with open_world(6) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            tasks = trio.lowlevel.current_statistics().tasks_living
            for way in ("break", "return", "raise"):
                await _leave(world.session(served, place.data), way)
                await trio.testing.wait_all_tasks_blocked()
                await trio.sleep(5)
                assert trio.lowlevel.current_statistics().tasks_living == tasks, way
            assert not served.simulator.connections


async def _leave(session: tq.Session, way: str) -> None:
    try:
        async with session as stream:
            async for _ in stream:
                if way == "break":
                    break
                if way == "return":
                    return
                _fail(way)
    except KeyError:
        assert way == "raise"


# 26, 27, 28: types.


def structs() -> Iterator[type[msgspec.Struct]]:
    """Every event and every message of every venue, with what they are made of."""
    waiting: list[Any] = [kind for kind in vars(events).values() if isinstance(kind, type)]
    for venue in VENUES.values():
        package = type(venue).__module__.rpartition(".")[0]
        waiting += [kind for kind in _subclasses(events.WireMessage) if kind.__module__.startswith(package)]
    seen: set[object] = set()
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind
            waiting += [
                part for hint in _hints(kind).values() for part in parts(hint) if isinstance(part, type)
            ]


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {name: hints[name] for name in kind.__struct_fields__}


def parts(hint: object) -> Iterator[object]:
    """Everything that a type hint is made of."""
    yield hint
    if get_origin(hint) is Annotated:
        yield from parts(get_args(hint)[0])
    elif get_origin(hint) is not Literal and (
        get_origin(hint) is not None or isinstance(hint, types.UnionType)
    ):
        for part in get_args(hint):
            yield from parts(part)


def test_no_field_of_any_event_or_message_is_a_float() -> None:
    found = list(structs())
    assert len(found) > 80
    assert {Decimal, Union} & {
        part for kind in found for hint in _hints(kind).values() for part in parts(hint)
    }
    floats = {
        f"{kind.__module__}.{kind.__qualname__}.{name}"
        for kind in found
        for name, hint in _hints(kind).items()
        if float in parts(hint) and not name.endswith("_s")
    }
    assert floats == set(), "only durations, whose names say seconds, are floats"


def test_no_message_has_a_closed_list_of_words() -> None:
    closed = {
        f"{kind.__module__}.{kind.__qualname__}.{name}"
        for kind in structs()
        if issubclass(kind, events.WireMessage)
        for name, hint in _hints(kind).items()
        for part in parts(hint)
        if get_origin(part) is Literal or (isinstance(part, type) and issubclass(part, enum.Enum))
    }
    assert {name.rpartition(".")[2] for name in closed} <= {"changes"}, "a side of a book, see line 12"


@pytest.mark.parametrize(
    ("name", "lane", "topic", "frame"),
    [
        (
            "coinbase",
            "user",
            tq.Orders("BTC-USD"),
            '{"type":"done","product_id":"BTC-USD","order_id":"o","side":"buy","reason":"WORD","sequence":7,"time":"2023-03-28T23:24:03.185394Z"}',
        ),
        (
            "upbit",
            "private",
            tq.Orders(),
            '{"type":"myOrder","code":"KRW-BTC","uuid":"u","ask_bid":"BID","state":"WORD","timestamp":1}',
        ),
    ],
    ids=["coinbase", "upbit"],
)
def test_a_word_that_nobody_knows_passes_as_it_is(
    name: str, lane: str, topic: tq.Topic[tq.Event], frame: str
) -> None:
    case = next(case for case in (COINBASE, UPBIT) if case.venue.name == name)
    play = Bench(case.venue, credentials=case.credentials)
    box = play.subscribe(topic)
    play.settle(case.server, patience_s=60.0)
    box.take()
    play.line(lane).server(frame.replace("WORD", "never heard of"))
    (event,) = box.take()
    assert isinstance(event, tq.OrderUpdate)
    assert "never heard of" in {event.venue_status, event.reason, event.order_type}


def test_the_package_says_that_it_is_typed_and_its_types_are_tested() -> None:
    assert (Path(tq.__file__).parent / "py.typed").is_file()
    checked = {
        node.func.id
        for path in (TESTS / "typing").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "assert_type" in checked


# 31: secrets.


@each_place
async def test_no_secret_is_logged_kept_or_shown(
    place: Place, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = [text for text in _texts(place.good) if len(text) > 6]
    assert secrets
    caplog.set_level(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)
    with trio.fail_after(2 * HOUR_S):
        async with open_world(7) as world:
            fault = DropLine(connection=1, after_s=20.0)
            served = world.serve(place.simulator(fault, wall_ns=world.wall_ns))
            session = world.session(
                served, *place.private, credentials=place.good, connect_timeout_s=60.0, raw=True
            )
            shown: list[object] = [session, place.good, repr(vars(session))]
            async with session as stream:
                seen = await read(stream, 900, lambda found: place.private_events <= set(map(_name, found)))
                shown += [stream, stream.statistics(), repr(vars(stream)), seen]
    text = repr(shown) + str(shown) + caplog.text
    kept = [event.raw or b"" for event in seen if isinstance(event, tq.MarketEvent)]
    assert any(kept)
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), repr(secret.encode())[2:-1]):
            assert form not in text
        assert all(secret.encode() not in frame for frame in kept)
    with pytest.raises(TypeError):
        pickle.dumps(place.good)


def _fail(way: str) -> None:
    raise KeyError(way)


def _name(event: tq.Event) -> str:
    return type(event).__name__


def _texts(credentials: tq.Credentials) -> list[str]:
    found = [getattr(credentials, field.name) for field in attrs.fields(type(credentials))]
    return [value.reveal() for value in found if isinstance(value, tq.Secret)]


# 32, 33: deployment.


def test_the_package_is_pure_python() -> None:
    folder = Path(tq.__file__).parent
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert kinds <= {".py", ".typed", ".json", ".jsonl", ".md", ""}
    wheel = importlib.metadata.distribution("trioquotes").read_text("WHEEL") or ""
    assert "Root-Is-Purelib: true" in wheel
    assert "Tag: py3-none-any" in wheel


async def test_a_session_goes_through_an_http_proxy(autojump_clock: MockClock) -> None:
    place = PLACES[0]
    asked: list[bytes] = []

    class Proxied:
        """A network on which there is nothing but a proxy."""

        def __init__(self, world: World) -> None:
            self.world = world

        async def open(self, host: str, port: int) -> trio.abc.Stream:
            assert (host, port) == ("proxy.example", 3128)
            ours, theirs = trio.testing.memory_stream_pair()
            trio.lowlevel.spawn_system_task(self.serve, theirs)
            return ours

        async def serve(self, client: trio.StapledStream[Any, Any]) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await client.receive_some(1)
            asked.append(head)
            server = await self.world.open("127.0.0.1", 1)
            await client.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            trio.lowlevel.spawn_system_task(pump, client, server)
            trio.lowlevel.spawn_system_task(pump, server, client)

    async def pump(source: trio.abc.ReceiveStream, to: trio.abc.SendStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await to.send_all(data)

    with trio.fail_after(HOUR_S):
        async with open_world(8) as world:
            served = world.serve(place.simulator(wall_ns=world.wall_ns))
            session = world.session(
                served, place.data, connector=TapConnector(Proxied(world)), proxy="http://proxy.example:3128"
            )
            async with session as stream:
                await next_data(stream.receive)
    assert asked[0].startswith(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n")
