"""Unifiers pass over what is none of theirs, and say so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trioquotes._protocol.effects import Receipt, Skip, Unify
from trioquotes.venues import zonda
from trioquotes.venues.zonda import books, unify

FOREIGN = zonda.RatePush(topic="cantor_service/rates/usd/eur", message=zonda.Rate(rate=Decimal(1)))
ALL = (
    unify.trades, unify.quotes(), unify.tickers(), books.books, books.deep_books, unify.instruments, unify.orders, unify.fills,
    unify.balances,
)  # fmt: skip


@pytest.mark.parametrize("make", ALL)
def test_message_of_another_channel_makes_no_event(make: Unify) -> None:
    assert make(FOREIGN, Receipt(0)) == Skip("other message of the channel")


@pytest.mark.parametrize(("make", "kind"), [(unify.trades, "transactions"), (unify.fills, "own")])
def test_history_makes_no_event(make: Unify, kind: str) -> None:
    messages = {
        "transactions": zonda.TransactionsAnswer(request_id="1", body=zonda.TransactionsBody(items=())),
        "own": zonda.OwnTransactionsAnswer(request_id="1", body=zonda.OwnTransactionsBody(items=())),
    }
    assert make(messages[kind], Receipt(0)) == Skip("history")


def test_answer_for_all_markets_makes_no_event_of_one() -> None:
    answer = zonda.TickerAnswer(request_id="1", body=zonda.TickerBody(items={}), topic="trading/ticker")
    assert isinstance(unify.quotes()(answer, Receipt(0)), Skip)
    assert isinstance(unify.tickers()(answer, Receipt(0)), Skip)
