"""``prometheus(stream)``: every figure, under names as Prometheus wants them, and counters that only rise."""

from __future__ import annotations

import random
import re
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as write_open_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, Ticks, ToyVenue, tick
from trioquotes._protocol.effects import Budget
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.metrics import prometheus
from trioquotes._runtime.metrics.collector import SessionCollector
from trioquotes._runtime.metrics.figures import (
    FIGURES,
    LEFT_OUT,
    Carried,
    Figure,
    Labels,
    entries_of,
    label_names,
    samples_of,
)
from trioquotes._runtime.metrics.page import AT_ONCE, TIMEOUT_S, _serve, address_of
from trioquotes._runtime.stream import Stream

EPOCH_NS = 1_700_000_000_000_000_000
BUDGETS = (
    Budget("requests", 20, 60.0, "connection", frozenset({"send"})),
    Budget("connects", 10, 60.0, "ip", frozenset({"connect"})),
)
STATISTICS = (
    tq.SessionStatistics,
    tq.LaneStatistics,
    tq.ChannelStatistics,
    tq.BudgetStatistics,
    tq.AuditStatistics,
    tq.TallyCount,
)


def now_ns() -> int:
    return EPOCH_NS + round(trio.current_time() * 1e9)


def session(connector: FakeConnector, *topics: tq.Topic[tq.Event], **options: object) -> tq.Session:
    clock = Clock(now_ns, random.Random(1))  # noqa: S311  # jitter, no secret
    return tq.Session(ToyVenue(budgets=BUDGETS), *topics, connector=connector, clock=clock, **options)  # type: ignore[arg-type]


def read(collector: SessionCollector) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The page as Prometheus reads it: by the name of each sample, by its labels without empty ones."""
    page = generate_latest(collector)
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in read_text(page.decode()):
        for sample in family.samples:
            labels = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
            assert labels not in found.setdefault(sample.name, {}), "a series comes once"
            found[sample.name][labels] = sample.value
    return found


def value(collector: SessionCollector, name: str, **labels: str) -> float:
    """The one sample of that name with these labels among others."""
    samples = read(collector).get(name, {})
    (found,) = [number for own, number in samples.items() if set(labels.items()) <= set(own)]
    return found


# The table.


def figures_of(kind: type) -> set[str]:
    own = {name for name, member in vars(kind).items() if isinstance(member, property)}
    return own | {field.name for field in attrs.fields(kind)}


@pytest.mark.parametrize("kind", STATISTICS)
def test_every_figure_has_a_metric_or_a_reason_why_not(kind: type) -> None:
    shown = [figure.field for figure in FIGURES if figure.of is kind]
    assert len(shown) == len(set(shown))
    assert set(shown) & LEFT_OUT[kind].keys() == set()
    assert set(shown) | LEFT_OUT[kind].keys() == figures_of(kind)
    assert all(LEFT_OUT[kind].values())


def test_no_class_of_figures_is_forgotten() -> None:
    reached: set[type] = set()
    waiting: list[Any] = [tq.SessionStatistics]
    while waiting:
        kind = waiting.pop()
        reached.add(kind)
        attrs.resolve_types(kind)
        for field in attrs.fields(kind):
            inner = [field.type, *getattr(field.type, "__args__", ())]
            waiting += [each for each in inner if attrs.has(each) and each not in reached]
    assert reached == set(STATISTICS)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_names_and_units_are_as_prometheus_wants_them(figure: Figure) -> None:
    assert figure.name == figure.name.lower().strip("_")
    assert not figure.name.endswith("_total"), "the library adds it to counters"
    assert not any(word in figure.name.split("_") for word in ("ns", "ms", "s", "milliseconds"))
    if figure.field.endswith(("_ns", "_s")):
        assert figure.unit == "seconds"
    if "bytes" in figure.field:
        assert figure.unit == "bytes"
    if figure.field.endswith("_ns"):
        assert figure.name.endswith("_timestamp_seconds")
    assert figure.help.endswith(".")
    assert figure.kind == "gauge" or figure.merge == "sum"
    assert len({each.name for each in FIGURES}) == len(FIGURES)


# Counters.

CHANNEL = tq.ChannelStatistics(
    topic=tq.Trades("A"), queued=0, buffer=1, queued_bytes=0, buffer_bytes=1, notice_bytes=0, delivered=0, dropped=0,
    replaced=0, oldest_received_ns=None, age_s=0.0, confirmed=True, last_received_ns=None, lag_s=None, max_lag_s=None,
)  # fmt: skip
DELIVERED = next(figure for figure in FIGURES if figure.name == "events_delivered")
SUBJECT = ("trades", "A", "")
NOTHING = tq.SessionStatistics(
    venue="toy", lanes=(), channels=(), budgets=(), audits=(),
    count=tq.TallyCount(frames=0, bytes=0, elements=0, delivered=0, folded=0, ignored={}, malformed=0, gaps=0),
)  # fmt: skip


@given(st.lists(st.sampled_from(["open", "close first", "close last", "deliver", "look"]), max_size=60))
def test_a_counter_only_rises_while_its_topic_has_a_channel_and_misses_nothing(steps: list[str]) -> None:
    carried: Carried[int] = Carried()
    open_: set[int] = set()
    delivered: dict[int, int] = {}
    seen: set[int] = set()  # at a look since the series began
    shown = 0.0
    for number, step in enumerate([*steps, "look"]):
        if step == "open":
            open_.add(number)
            delivered[number] = 0
        elif step.startswith("close") and open_:
            open_.remove((min if step == "close first" else max)(open_))
        elif step == "deliver" and open_:
            delivered[max(open_)] += 7
        elif step == "look":
            channels = {key: attrs.evolve(CHANNEL, delivered=delivered[key]) for key in open_}
            carried.look(channels, lambda key: attrs.evolve(CHANNEL, delivered=delivered[key]))
            statistics = attrs.evolve(NOTHING, channels=tuple(channels.values()))
            samples = samples_of(DELIVERED, entries_of(statistics, ""))
            for subject, counters in carried.closed.items():
                samples["toy", "", *subject] += counters[DELIVERED]
            seen = seen | open_ if open_ else set()
            assert samples.keys() == ({("toy", "", *SUBJECT)} if open_ else set())
            now = samples.get(("toy", "", *SUBJECT), 0.0)
            assert now == sum(delivered[key] for key in seen)
            assert now >= shown or not open_
            shown = now


def test_what_a_closed_channel_delivered_after_the_last_look_counts_too() -> None:
    carried: Carried[str] = Carried()
    carried.look({"a": CHANNEL, "b": CHANNEL}, lambda key: CHANNEL)
    carried.look({"b": CHANNEL}, lambda key: attrs.evolve(CHANNEL, delivered=9))
    assert carried.closed[SUBJECT][DELIVERED] == 9
    carried.look({}, lambda key: CHANNEL)
    assert carried.closed == {}


async def test_counters_go_on_over_a_reconnect(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(connector, tq.Trades("A")) as stream:
            metrics = prometheus(stream)
            line = await connector.accept()
            line.say(tick(1), tick(2))
            await trio.testing.wait_all_tasks_blocked()
            before = read(metrics)
            line.drop()
            await trio.testing.wait_all_tasks_blocked()
            assert value(metrics, "trioquotes_line_connected") == 0
            line = await connector.accept()
            line.say(tick(3))
            await trio.testing.wait_all_tasks_blocked()
            after = read(metrics)
            assert value(metrics, "trioquotes_line_connected") == 1
            assert value(metrics, "trioquotes_connections_total") == 2
            assert value(metrics, "trioquotes_gaps_total") == 1
    for name in (name for name in before if name.endswith("_total")):
        assert all(after[name][labels] >= number for labels, number in before[name].items()), name


async def test_a_channel_that_is_closed_takes_nothing_from_its_topics_counters(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(connector, tq.Trades("A")) as stream:
            metrics = prometheus(stream)
            delivered = partial(value, metrics, "trioquotes_events_delivered_total", topic="trades")
            line = await connector.accept()
            second = await stream.subscribe(tq.Trades("A"))
            line.say(tick(1), tick(2))
            await trio.testing.wait_all_tasks_blocked()
            second.receive_nowait()
            assert delivered() == 1
            second.receive_nowait()
            second.close()
            assert delivered() == 2
            await stream.unsubscribe(tq.Trades("A"))
            assert "trioquotes_events_delivered_total" not in read(metrics)
            await stream.subscribe(tq.Trades("A"))
            assert delivered() == 0


# The page.


async def test_the_page_shows_the_figures_of_statistics(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(connector, tq.Trades("A"), Ticks("B"), buffer=2) as stream:
            line = await connector.accept()
            line.say(*(tick(number, at=now_ns() - 2_000_000_000) for number in range(5)), b"{")
            line.pong(0.25)
            await trio.sleep(3)
            metrics = prometheus(stream)
            found = read(metrics)
            statistics = stream.statistics()
    (lane,) = statistics.lanes
    line_labels = (("lane", lane.lane), ("venue", "toy"))
    assert found["trioquotes_frames_total"] == {line_labels: lane.count.frames}
    assert found["trioquotes_received_bytes_total"] == {line_labels: lane.count.bytes}
    assert found["trioquotes_elements_malformed_total"] == {line_labels: 1}
    assert found["trioquotes_round_trip_seconds"] == {line_labels: 0.25}
    assert found["trioquotes_last_frame_timestamp_seconds"] == {line_labels: EPOCH_NS / 1e9}
    ignored = found["trioquotes_elements_ignored_total"]
    by_reason = {dict(labels)["reason"]: number for labels, number in ignored.items()}
    assert by_reason == lane.count.ignored
    trades = (("instrument", "A"), ("topic", "trades"), ("venue", "toy"))
    assert found["trioquotes_events_dropped_total"][trades] == 3
    assert found["trioquotes_queued_events"][trades] == 2
    assert found["trioquotes_oldest_waiting_age_seconds"][trades] == pytest.approx(3.0)
    assert found["trioquotes_lag_seconds"] == {trades: 2.0}, "what has no figure has no sample"
    limits = {dict(labels)["budget"]: dict(labels) for labels in found["trioquotes_budget_limit"]}
    assert limits["requests"]["lane"] == lane.lane
    assert "lane" not in limits["connects"]


async def test_topics_that_differ_in_what_was_asked_have_series_of_their_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(connector, tq.Depths("A"), tq.Depths("A", levels=3)) as stream:
            found = read(prometheus(stream))["trioquotes_topic_confirmed"]
    assert {dict(labels).get("parameters") for labels in found} == {None, "levels=3"}


async def test_what_was_asked_of_the_own_account_is_no_label() -> None:
    channel = attrs.evolve(CHANNEL, topic=tq.Balances(accounts=("1234",)))
    samples = samples_of(DELIVERED, entries_of(attrs.evolve(NOTHING, channels=(channel,)), ""))
    assert {labels[2:] for labels in samples} == {("balances", "", "")}


async def test_both_formats_can_be_read_back(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(connector, tq.Trades('A"\\\n')) as stream:
            metrics = prometheus(stream)
            text, plain = await metrics.page("text/plain")
            open_, other = await metrics.page("application/openmetrics-text;version=1.0.0")
            assert text == generate_latest(metrics)
            assert open_ == write_open_metrics(metrics)  # type: ignore[no-untyped-call]  # as it is
    assert plain.startswith("text/plain")
    assert other.startswith("application/openmetrics-text")
    first, second = list(read_text(text.decode())), list(read_open_metrics(open_.decode()))  # type: ignore[no-untyped-call]  # as it is
    assert [family.name for family in first] == [family.name for family in second]
    assert [sample.value for family in first for sample in family.samples] == [
        sample.value for family in second for sample in family.samples
    ]
    instruments = {sample.labels.get("instrument") for family in first for sample in family.samples}
    assert 'A"\\\n' in instruments


async def test_two_sessions_of_a_venue_need_names(autojump_clock: trio.testing.MockClock) -> None:
    one, two = FakeConnector(auto_ack=True), FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(one, tq.Trades("A")) as first, session(two, tq.Trades("A")) as second:
            with pytest.raises(tq.UsageError, match=r"a session of toy is shown already: add\(stream, name="):
                prometheus(first, second)
            metrics = prometheus(first)
            metrics.add(second, "other")
            names = {dict(own).get("session") for own in read(metrics)["trioquotes_connections_total"]}
            assert names == {None, "other"}
            metrics.remove(first)
            metrics.remove(first)
            assert value(metrics, "trioquotes_connections_total") == 1
            metrics.add(first)


async def test_a_feed_shows_all_of_its_sessions(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with tq.open_feed(session(connector, tq.Trades("A"))) as feed:
            metrics = prometheus(feed)
            assert value(metrics, "trioquotes_connections_total", venue="toy") == 1
            metrics.remove(feed)
            assert read(metrics) == {}


async def test_a_session_that_is_over_shows_its_last_figures(autojump_clock: trio.testing.MockClock) -> None:
    connector = FakeConnector(auto_ack=True)
    with trio.fail_after(600):
        async with session(connector, tq.Trades("A")) as stream:
            metrics = prometheus(stream)
            (await connector.accept()).say(tick(1))
            await trio.testing.wait_all_tasks_blocked()
        assert value(metrics, "trioquotes_line_connected") == 0
        assert value(metrics, "trioquotes_elements_delivered_total") == 1


async def test_a_registry_notices_names_that_are_taken() -> None:
    registry = CollectorRegistry()
    registry.register(prometheus())
    with pytest.raises(ValueError, match="trioquotes_lag_seconds"):
        Gauge("trioquotes_lag_seconds", "another", registry=registry)


def test_another_thread_may_ask_and_gets_nothing_once_trio_has_ended() -> None:
    pages: list[bytes] = []

    async def main() -> SessionCollector:
        with trio.fail_after(60):
            async with session(FakeConnector(auto_ack=True), tq.Trades("A")) as stream:
                metrics = prometheus(stream)
                pages.append(generate_latest(metrics))
                # A thread of its own, of which trio knows nothing.
                thread = threading.Thread(target=lambda: pages.append(generate_latest(metrics)))
                thread.start()
                await trio.to_thread.run_sync(thread.join)
                return metrics

    metrics = trio.run(main)
    here, there = pages
    assert here.count(b"\n") == there.count(b"\n") > 50
    assert generate_latest(metrics) == b""


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trioquotes._runtime.metrics.collector")
    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(tq.MissingExtra, match=r"prometheus-client: pip install trioquotes\[prometheus\]"):
        prometheus()


def test_labels_have_names() -> None:
    for figure in FIGURES:
        assert label_names(figure)[:2] == ("venue", "session")
    labels: Labels = ("toy", "", "l", "heartbeat")
    ignored = next(figure for figure in FIGURES if figure.name == "elements_ignored")
    assert dict(zip(label_names(ignored), labels, strict=True))["reason"] == "heartbeat"


# Over HTTP.


@asynccontextmanager
async def asked(places: trio.Semaphore | None = None) -> AsyncIterator[trio.abc.HalfCloseableStream]:
    """The client's end of a connection to a page that says what it accepts."""

    async def page(accept: str) -> tuple[bytes, str]:
        await trio.lowlevel.checkpoint()
        return f"for {accept}".encode(), "text/x"

    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_serve, page, places or trio.Semaphore(1), theirs)
        yield ours
        nursery.cancel_scope.cancel()


async def answer(stream: trio.abc.HalfCloseableStream, request: str) -> tuple[str, str]:
    """Head and body."""
    await stream.send_all(request.replace("\n", "\r\n").encode())
    data = b"".join([part async for part in stream])
    head, _, body = data.decode().partition("\r\n\r\n")
    return head, body


async def test_the_page_is_served_with_its_type_and_length(autojump_clock: trio.testing.MockClock) -> None:
    async with asked() as stream:
        head, body = await answer(stream, "GET /metrics?x=1 HTTP/1.1\nHost: x\nAccept: a\nAccept: b\n\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Type: text/x" in head
    assert "Content-Length: 7" in head
    assert body == "for a,b"


async def test_head_gets_the_head_alone(autojump_clock: trio.testing.MockClock) -> None:
    async with asked() as stream:
        head, body = await answer(stream, "HEAD /metrics HTTP/1.1\nHost: x\n\n")
    assert "Content-Length: 4" in head
    assert body == ""


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ("GET / HTTP/1.1\nHost: x\n\n", "404 Not Found", "/metrics"),
        ("POST /metrics HTTP/1.1\nHost: x\nContent-Length: 2\n\nhi", "405 Method Not Allowed", "GET"),
        ("nonsense\n\n", "400 Bad Request", "not an HTTP request"),
        ("GET /" + "x" * 40_000 + " HTTP/1.1\nHost: x\n\n", "431 Request Header Fields Too Large", "not an"),
    ],
)
async def test_what_is_not_served_is_said(
    autojump_clock: trio.testing.MockClock, request_: str, status: str, said: str
) -> None:
    async with asked() as stream:
        head, body = await answer(stream, request_)
    assert head.startswith(f"HTTP/1.1 {status}\r\n")
    assert said in body


@pytest.mark.parametrize("request_", ["", "GET /met"])
async def test_who_says_nothing_is_let_go(autojump_clock: trio.testing.MockClock, request_: str) -> None:
    started_s = trio.current_time()
    async with asked() as stream:
        assert await answer(stream, request_) == ("", "")
    assert trio.current_time() - started_s == TIMEOUT_S


async def test_who_hangs_up_early_harms_nobody(autojump_clock: trio.testing.MockClock) -> None:
    async with asked() as stream:
        await stream.send_all(b"GET /metrics HTTP/1.1\r\n")
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()


async def test_no_more_are_served_at_once_than_there_are_places(
    autojump_clock: trio.testing.MockClock,
) -> None:
    places = trio.Semaphore(0)
    async with asked(places) as stream:
        assert await stream.receive_some() == b""
    assert places.value == 0
    async with asked(trio.Semaphore(AT_ONCE)) as stream:
        assert (await answer(stream, "GET /metrics HTTP/1.1\nHost: x\n\n"))[1] == "for "
    places = trio.Semaphore(1)
    for _ in range(2):
        async with asked(places) as stream:
            assert (await answer(stream, "GET /metrics HTTP/1.1\nHost: x\n\n"))[1] == "for "
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
    assert places.value == 1


def parts_of(url: str) -> Iterator[str]:
    yield from url.removeprefix("http://").removesuffix("/metrics").rsplit(":", 1)


@pytest.mark.tcp
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_collector_serves_itself(host: str) -> None:
    metrics = prometheus()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            try:
                listeners = await nursery.start(metrics.serve, 0, host)
            except OSError:
                pytest.skip(f"nothing can listen on {host} here")
            shown, port = parts_of(address_of(listeners[0]))
            assert shown == (f"[{host}]" if ":" in host else host)
            stream = await trio.open_tcp_stream(host, int(port))
            async with stream:
                head, body = await answer(stream, "GET /metrics HTTP/1.1\nHost: x\n\n")
            assert head.startswith("HTTP/1.1 200 OK")
            assert body == ""
            nursery.cancel_scope.cancel()


async def unused(stream: Stream) -> None:
    """For the type checker: what ``async with`` gives is taken."""
    prometheus(stream).add(stream)


HOWTO = Path(__file__).parent.parent.parent / "docs" / "howto" / "metrics.md"


def test_the_page_for_users_lists_every_metric_and_no_other() -> None:
    named = re.findall(r"^\| `(trioquotes_\w+)` \| (.*) \|$", HOWTO.read_text(), re.MULTILINE)
    ours = {
        f"trioquotes_{figure.name}{'_total' if figure.kind == 'counter' else ''}": figure.help
        for figure in FIGURES
    }
    assert {name: words.removesuffix(" Label `reason`.") for name, words in named} == ours
    mentioned = set(re.findall(r"trioquotes_\w+", HOWTO.read_text()))
    assert mentioned == ours.keys()
