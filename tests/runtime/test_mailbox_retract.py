"""What a book's reader is told must still be true when it is read."""

from __future__ import annotations

from decimal import Decimal

import trioquotes as tq
from trioquotes._runtime.mailbox import Mailbox


def test_resynced_goes_with_the_snapshot_that_found_no_room() -> None:
    mailbox = Mailbox("venue", lambda: 0)
    books = mailbox.subscribe(tq.Books("A"), overflow="drop_oldest", buffer=2, buffer_bytes=10**6, kept=True)
    level = (Decimal(1), Decimal(1))
    snapshot = tq.BookSnapshot(venue="venue", instrument="A", received_ns=0, bids=(level,), asks=())
    change = tq.BookChange(venue="venue", instrument="A", received_ns=0, bids=(level,))
    about = {"venue": "venue", "topic": books.topic, "instrument": "A", "received_ns": 0}

    def catch_up() -> None:
        books.notify(tq.Gap(reason="lagged", **about))  # type: ignore[arg-type]
        books.push(snapshot, 1)
        books.notify(tq.Resynced(**about))  # type: ignore[arg-type]

    books.on_drained = catch_up
    catch_up()
    for _ in range(4):  # as a feed does
        if books.lagging:
            books.passed()
        else:
            books.push(change, 1)
    read = []
    while (event := mailbox.pop()) is not None:
        read.append(type(event).__name__)
    assert read == ["Gap", "Lagged", "Gap", "BookSnapshot", "Resynced"]
