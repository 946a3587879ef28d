"""Refused credentials are renewed once, until they proved good."""

from __future__ import annotations

import pytest

from trioquotes._protocol.effects import WireChannel
from trioquotes._protocol.renewal import AGAIN_S, Renewal

A, B = WireChannel("user", "A"), WireChannel("user", "B")


def renewal() -> Renewal:
    made = Renewal()
    made.possible = True
    return made


def test_without_anybody_to_ask_a_refusal_counts_at_once() -> None:
    made = Renewal()
    assert not made.refused(A, 0.0)
    assert not made.due


def test_the_second_refusal_in_a_row_counts_whatever_channel_it_is_about() -> None:
    made = renewal()
    assert made.refused(A, 0.0)
    assert made.refused(B, 0.0), "one refusal may be said of several channels"
    assert made.due
    made.renewing(1.0)
    assert (made.due, made.spent) == (False, True)
    assert not made.refused(B, 2.0)
    assert not made.refused(A, 3.0)


@pytest.mark.parametrize("proof", ["confirmed", "time"])
def test_credentials_that_proved_good_may_be_renewed_again(proof: str) -> None:
    made = renewal()
    made.refused(A, 0.0)
    made.renewing(1.0)
    made.confirmed(B)
    made.served()
    assert not made.refused(B, 2.0), "neither another channel nor its data prove anything"
    if proof == "confirmed":
        made.confirmed(A)
    assert made.refused(A, 3.0 if proof == "confirmed" else 1.0 + AGAIN_S)


def test_a_line_that_served_proves_what_its_handshake_carried() -> None:
    made = renewal()
    made.renewing(0.0)
    assert made.spent
    made.served()
    assert not made.spent


def test_what_was_confirmed_before_the_refusal_proves_nothing() -> None:
    made = renewal()
    made.refused(A, 0.0)
    made.confirmed(A)
    made.renewing(1.0)
    assert not made.refused(A, 2.0)
