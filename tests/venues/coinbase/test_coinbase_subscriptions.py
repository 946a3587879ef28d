"""The talk about subscriptions: what is asked, and what every kind of answer leads to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.venues.bench import Bench, Outbox
from tests.venues.coinbase import feed
from tests.venues.coinbase.feed import KEY, Feed, ack, error, requests, served
from trioquotes._protocol.effects import Lane, Send
from trioquotes.errors import AuthenticationFailed, SubscriptionRejected
from trioquotes.topics import Books, Instruments, Orders, Tickers, Trades
from trioquotes.venues import coinbase
from trioquotes.venues.coinbase import VENUE


def asked(frames: list[str]) -> list[dict[str, list[str]]]:
    """Channels by name with their ids, one dict a request."""
    return [
        {c["name"]: [*c.get("product_ids", ()), *c.get("account_ids", ())] for c in said["channels"]}
        for said in requests(frames)
    ]


def test_first_request_asks_for_everything_of_one_kind_at_once() -> None:
    play = Bench(VENUE)
    for topic in (Trades("A-B"), Tickers("A-B"), Trades("C-D"), Instruments()):
        play.subscribe(topic)
    play.connect()
    frames = play.writer()
    assert asked(frames) == [
        {"matches": ["A-B", "C-D"], "heartbeat": ["A-B", "C-D"], "ticker": ["A-B"], "status": []}
    ]
    assert set(requests(frames)[0]) == {"type", "channels"}


def test_acknowledgement_with_other_names_and_order_confirms() -> None:
    play = Bench(VENUE)
    book, batch = play.subscribe(Books("A-B")), play.subscribe(coinbase.TickerBatches("A-B"))
    for line in play.lines:
        line.connect()
        line.writer()
    play.line("market").server(ack(heartbeat=["A-B"], level2_50=["C-D", "A-B"]))
    play.line("batch").server(ack(heartbeat=["A-B"], ticker_1000=["A-B"]))
    assert book.is_confirmed
    assert batch.is_confirmed


def test_one_request_is_in_flight_until_its_answer_comes() -> None:
    play = Bench(VENUE)
    play.subscribe(Trades("A-B"))
    play.connect()
    play.writer()
    late = play.subscribe(Trades("C-D"))
    assert play.writer() == []
    play.server(feed.match(1, product="A-B"), feed.heartbeat(product="A-B"))
    assert play.writer() == [], "data confirms, and is no answer"
    play.server(ack(matches=["A-B"], heartbeat=["A-B"]))
    assert asked(play.writer()) == [{"matches": ["C-D"], "heartbeat": ["C-D"]}]
    play.server(ack(matches=["C-D", "A-B"], heartbeat=["A-B", "C-D"]))
    assert late.is_confirmed
    assert play.writer() == []


def test_first_data_confirms() -> None:
    play = Bench(VENUE)
    trades, beats = play.subscribe(Trades("A-B")), play.subscribe(coinbase.Heartbeats("A-B"))
    play.connect()
    play.writer()
    play.server(feed.match(1, "last_match", product="A-B"))
    assert trades.is_confirmed
    assert not beats.is_confirmed
    play.server(feed.heartbeat(1, product="A-B"))
    assert beats.is_confirmed


def test_what_an_acknowledgement_leaves_out_is_said_and_asked_for_again() -> None:
    play = Bench(VENUE)
    there, missing = play.subscribe(Trades("A-B")), play.subscribe(Trades("C-D"))
    play.connect()
    play.writer()
    play.server(ack(matches=["A-B"], heartbeat=["A-B", "C-D"]))
    assert there.is_confirmed
    assert missing.kinds() == ["Connected", "Rejected"]
    assert missing.error is None
    play.advance(1.5)
    assert asked(play.writer()) == [{"matches": ["C-D"]}]
    play.server(ack(matches=["A-B", "C-D"], heartbeat=["A-B", "C-D"]))
    assert missing.is_confirmed


def test_request_without_an_answer_is_given_up_and_repeated() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Trades("A-B"))
    play.connect()
    assert len(play.writer()) == 1
    play.advance(9.0)
    assert play.writer() == []
    play.advance(3.0)
    assert asked(play.writer()) == [{"matches": ["A-B"], "heartbeat": ["A-B"]}]
    assert "Rejected" in box.kinds()
    play.server(ack(matches=["A-B"], heartbeat=["A-B"]))
    assert box.is_confirmed


def test_confirmed_request_without_an_acknowledgement_does_not_block_for_ever() -> None:
    play = Bench(VENUE)
    play.subscribe(Trades("A-B"))
    play.connect()
    play.writer()
    play.server(feed.match(1, product="A-B"), feed.heartbeat(product="A-B"))
    play.subscribe(Trades("C-D"))
    for _ in range(11):
        play.server(feed.heartbeat(product="A-B"))
        play.advance(1.0)
    assert asked(play.writer()) == [{"matches": ["C-D"], "heartbeat": ["C-D"]}]


def test_unsubscribing_names_every_id_and_takes_the_heartbeat_along() -> None:
    play = Bench(VENUE)
    one, other = play.subscribe(Trades("A-B")), play.subscribe(Trades("C-D"))
    served(play, one, other)
    play.unsubscribe(one)
    frames = play.writer()
    assert requests(frames)[0]["type"] == "unsubscribe"
    assert asked(frames) == [{"matches": ["A-B"], "heartbeat": ["A-B"]}]
    play.subscribe(Tickers("C-D"))
    assert play.writer() == []
    play.server(ack(matches=["A-B", "C-D"], heartbeat=["C-D"]))
    assert play.writer() == [], "what was withdrawn is still listed: that answer is older"
    play.server(ack(matches=["C-D"], heartbeat=["C-D"]))
    assert asked(play.writer()) == [{"ticker": ["C-D"]}]


def test_last_one_that_leaves_gets_the_empty_answer() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Trades("A-B"))
    served(play, box)
    play.unsubscribe(box)
    play.writer()
    again = play.subscribe(Trades("A-B"))
    play.server('{"type":"subscriptions","product_ids":[],"channels":[]}')
    assert asked(play.writer()) == [{"matches": ["A-B"], "heartbeat": ["A-B"]}]
    assert not again.is_confirmed


def test_many_products_are_split_by_size_only() -> None:
    play = Bench(VENUE)
    boxes = [play.subscribe(Trades(f"LONGNAME{number}-USD")) for number in range(500)]
    said = play.settle(Feed)
    frames = said[Lane("market")]
    assert len(frames) == 2
    assert all(len(frame) <= 16 * 1024 for frame in frames)
    assert all(box.is_confirmed for box in boxes)


# Refusals.


def refused(play: Bench, reason: str | None, message: str = "Failed to subscribe") -> list[str]:
    play.server(error(reason, message))
    return play.writer()


def test_refused_product_ends_only_what_has_it_and_the_rest_is_asked_for_again() -> None:
    play = Bench(VENUE)
    bad, worse, good = (
        play.subscribe(Trades("X-Y")),
        play.subscribe(Tickers("X-Y")),
        play.subscribe(Trades("A-B")),
    )
    play.connect()
    play.writer()
    again = refused(play, "X-Y is not a valid product")
    assert asked(again) == [{"matches": ["A-B"], "heartbeat": ["A-B"]}]
    for box in (bad, worse):
        assert isinstance(box.error, SubscriptionRejected)
        assert box.error.reason == "Failed to subscribe: X-Y is not a valid product"
    assert good.error is None
    play.server(ack(matches=["A-B"], heartbeat=["A-B"]))
    assert good.is_confirmed
    assert play.line().state.last_error == "Failed to subscribe: X-Y is not a valid product"


def test_error_that_names_nobody_makes_each_be_tried_alone() -> None:
    play = Bench(VENUE)
    good, bad = play.subscribe(Trades("A-B")), play.subscribe(Tickers("A-B"))
    play.connect()
    play.writer()
    seen: list[Any] = []
    frames = refused(play, " is not a valid product")
    while frames:
        (names,) = asked(frames)
        seen.append(names)
        assert len(names) == 1
        if "ticker" in names:
            frames = refused(play, " is not a valid product")
        else:
            play.server(ack(**{name: ids for one in seen for name, ids in one.items() if name != "ticker"}))
            frames = play.writer()
    assert seen == [{"matches": ["A-B"]}, {"heartbeat": ["A-B"]}, {"ticker": ["A-B"]}] or len(seen) == 3
    assert good.is_confirmed
    assert isinstance(bad.error, SubscriptionRejected)


def test_new_wishes_go_before_suspects() -> None:
    play = Bench(VENUE)
    play.subscribe(Trades("A-B"))
    play.subscribe(Tickers("A-B"))
    play.connect()
    play.writer()
    play.server(error(None))
    play.subscribe(Trades("C-D"))
    assert asked(play.writer()) == [{"matches": ["C-D"], "heartbeat": ["C-D"]}]


def test_single_refused_channel_is_to_blame_whatever_the_words() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Instruments())
    play.connect()
    play.writer()
    assert refused(play, None) == []
    assert isinstance(box.error, SubscriptionRejected)
    assert box.error.reason == "Failed to subscribe"


def test_limit_of_the_account_is_said() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Instruments())
    play.connect()
    play.writer()
    refused(play, "subscription limit reached")
    assert isinstance(box.error, SubscriptionRejected)


def test_error_without_a_request_is_only_kept() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Trades("A-B"))
    served(play, box)
    play.server(error("ErrSlowConsume", "slow"))
    assert box.error is None
    assert play.line().state.last_error == "slow: ErrSlowConsume"
    assert play.writer() == []


def test_error_about_another_kind_of_request_is_no_answer() -> None:
    play = Bench(VENUE)
    box = play.subscribe(Trades("A-B"))
    play.connect()
    play.writer()
    assert refused(play, "No channels provided", "Failed to unsubscribe") == []
    assert not box.is_confirmed
    play.server(ack(matches=["A-B"], heartbeat=["A-B"]))
    assert box.is_confirmed
    play.unsubscribe(box)
    play.writer()
    play.subscribe(Tickers("A-B"))
    assert refused(play, "late", "Failed to subscribe") == []
    assert asked(refused(play, "why", "Failed to unsubscribe")) == [{"ticker": ["A-B"], "heartbeat": ["A-B"]}]


def test_error_for_what_data_already_confirmed_rejects_nothing() -> None:
    play = Bench(VENUE)
    box = play.subscribe(coinbase.RfqMatches())
    play.connect()
    play.writer()
    play.server(feed.rfq())
    assert box.is_confirmed
    refused(play, "something else")
    assert box.error is None


# Signatures.


def signed(frame: str) -> bool:
    said = requests([frame])[0]
    fields = {"signature", "key", "passphrase", "timestamp"}
    assert fields <= set(said) or not fields & set(said)
    return "signature" in said


def test_signed_and_public_channels_never_share_a_request_and_signed_ones_go_first() -> None:
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(coinbase.Full("A-B"))
    line = play.line("full")
    line.connect()
    (first,) = line.writer()
    assert signed(first)
    assert asked([first]) == [{"full": ["A-B"]}]
    assert requests([first])[0]["timestamp"] == "1600000000"
    line.server(ack(full=["A-B"]))
    (second,) = line.writer()
    assert not signed(second)
    assert asked([second]) == [{"heartbeat": ["A-B"]}]
    assert box.is_confirmed


def test_signature_is_made_when_it_is_sent() -> None:
    play = Bench(VENUE, credentials=KEY)
    play.subscribe(coinbase.Full("A-B"))
    play.connect()
    play.now_s += 100.0
    assert requests(play.writer())[0]["timestamp"] == "1600000100"


@pytest.mark.parametrize("endpoint", ["direct", "sandbox-direct"])
def test_every_request_of_a_direct_line_is_signed(endpoint: str) -> None:
    play = Bench(VENUE, credentials=KEY, endpoint=endpoint)
    boxes = [play.subscribe(topic) for topic in (Trades("A-B"), Instruments(), Orders("A-B"))]
    said = play.settle(Feed)
    assert all(signed(frame) for frames in said.values() for frame in frames)
    assert sum(len(frames) for frames in said.values()) == 2
    assert all(box.is_confirmed for box in boxes)


def test_refused_credentials_end_the_channels_that_needed_them() -> None:
    play = Bench(VENUE, credentials=KEY)
    private, public = play.subscribe(Orders("A-B")), play.subscribe(Trades("A-B"))
    play.line("user").connect()
    play.line("user").writer()
    play.line("user").server(error('{"message":"Invalid API Key"}', "Authentication Failed"))
    assert isinstance(private.error, AuthenticationFailed)
    assert "Invalid API Key" in str(private.error)
    assert public.error is None
    assert asked(play.line("user").writer()) == [{"heartbeat": ["A-B"]}]


NEEDS = "rfq_matches channel requires authentication"


def test_channel_found_to_need_a_signature_gets_a_new_line_and_is_signed_there() -> None:
    play = Bench(VENUE, credentials=KEY)
    rfq, trades = play.subscribe(coinbase.RfqMatches()), play.subscribe(Trades("A-B"))
    line = play.line("market")
    line.connect()
    (first,) = line.writer()
    assert not signed(first)
    line.server(error(NEEDS))
    assert line.writer() == []
    assert line.replaced == ["rfq_matches was first asked for without a signature"]
    assert line.protocol is None
    line.connect()
    (second,) = line.writer()
    assert signed(second)
    assert asked([second]) == [{"rfq_matches": []}]
    line.server(ack(rfq_matches=["ALL"]))
    (third,) = line.writer()
    assert not signed(third)
    line.server(ack(rfq_matches=["ALL"], matches=["A-B"], heartbeat=["A-B"]))
    assert rfq.is_confirmed
    assert trades.is_confirmed
    assert rfq.error is trades.error is None


def test_channel_that_is_refused_even_when_signed_ends() -> None:
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(coinbase.RfqMatches())
    line = play.line("market")
    for _ in range(2):
        line.connect()
        line.writer()
        line.server(error(NEEDS))
        line.writer()
    assert isinstance(box.error, AuthenticationFailed)


def test_channel_that_needs_a_signature_ends_where_there_is_no_key() -> None:
    play = Bench(VENUE)
    rfq, trades = play.subscribe(coinbase.RfqMatches()), play.subscribe(Trades("A-B"))
    play.connect()
    play.writer()
    assert asked(refused(play, NEEDS)) == [{"matches": ["A-B"], "heartbeat": ["A-B"]}]
    assert isinstance(rfq.error, AuthenticationFailed)
    assert trades.error is None


def test_line_that_demands_a_signature_for_all_of_a_request_signs_all_of_it() -> None:
    play = Bench(VENUE, credentials=KEY)
    box = play.subscribe(Trades("A-B"))
    line = play.line("market")
    line.connect()
    line.writer()
    line.server(error("authentication required"))
    line.writer()
    line.connect()
    (frame,) = line.writer()
    assert signed(frame)
    assert asked([frame]) == [{"matches": ["A-B"], "heartbeat": ["A-B"]}]
    assert box.error is None


def test_request_shows_no_secret() -> None:
    play = Bench(VENUE, credentials=KEY)
    play.subscribe(Orders("A-B"))
    play.settle(Feed)
    effects = [effect for line in play.lines for effect in line.effects]
    assert any(isinstance(effect, Send) and b"HUSH-HUSH-key" in effect.frame for effect in effects)
    assert "HUSH" not in repr(effects)


def test_reconnecting_asks_for_all_of_it_again() -> None:
    play = Bench(VENUE)
    boxes: list[Outbox] = [play.subscribe(Trades("A-B")), play.subscribe(Books("A-B"))]
    served(play, *boxes)
    play.drop()
    play.connect()
    assert asked(play.writer()) == [{"matches": ["A-B"], "heartbeat": ["A-B"], "level2_batch": ["A-B"]}]
