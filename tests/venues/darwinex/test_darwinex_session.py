"""A whole session against a venue of a page: upgrade with the token, quotes, the list, a lost line, refusals."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.wire_peers import TEXT, Background, Hall, Peer, text
from tests.venues.darwinex.quotes_feed import page, pong_to, quote, subscribed
from trioquotes._runtime.session import Session
from trioquotes._runtime.tokens import RefreshingToken
from trioquotes._runtime.transport import TapConnector
from trioquotes.credentials import BearerToken, Secret
from trioquotes.errors import AuthenticationFailed, UsageError
from trioquotes.events import Connected, Disconnected, Gap, Instrument, Quote
from trioquotes.topics import Instruments, Quotes
from trioquotes.venues.darwinex import VENUE, TokenFlow

URL = "ws://127.0.0.1:8765"
REFUSAL = b'{"fault":{"code":900901,"message":"Invalid Credentials"}}'


class VenueOfAPage:
    """Rotates tokens, checks them, lists two products and serves whatever is asked for."""

    def __init__(self) -> None:
        self.number = 0
        self.accepts = {"Bearer access-1"}
        self.upgrades: list[str] = []
        self.hall = Hall(Background(), self.script)
        self.drops = 0

    async def script(self, peer: Peer) -> None:
        head = (await peer.read_request()).decode()
        line = head.splitlines()[0]
        bearer = next((row.partition(": ")[2] for row in head.splitlines() if "Bearer" in row), "")
        if line.startswith("POST /token "):
            self.number += 1
            answer = {"access_token": f"access-{self.number}", "refresh_token": f"refresh-{self.number}"}
            await self.answer(peer, 200, json.dumps(answer | {"expires_in": 3600}).encode())
        elif bearer not in self.accepts:
            self.upgrades.append(bearer)
            await self.answer(peer, 401, REFUSAL)
        elif line.startswith("GET /darwininfo/2.0/products?status=ACTIVE&page=0"):
            await self.answer(peer, 200, page(0, 1, ["DWC.4.20", "THA.4.12"]))
        else:
            assert line.startswith("GET /quotewebsocket/1.0.0 ")
            self.upgrades.append(bearer)
            await peer.send(peer.switch())
            await self.serve(peer)

    @staticmethod
    async def answer(peer: Peer, status: int, body: bytes) -> None:
        await peer.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await trio.sleep_forever()

    async def serve(self, peer: Peer) -> None:
        while (frame := await peer.read_frame()) is not None and frame.opcode == TEXT:
            said = json.loads(frame.payload)
            if said["op"] != "subscribe":
                await peer.send(text(pong_to(said)))
                continue
            await peer.send(text(subscribed(said["productNames"])) + text(quote(price="147.0500")))
            if self.drops:
                self.drops -= 1
                await trio.sleep(1.0)
                await peer.stream.aclose()
                return


async def test_session_with_a_token_that_renews_itself(autojump_clock: MockClock) -> None:
    venue = VenueOfAPage()
    kept: list[str] = []

    async def persist(token: Secret) -> None:
        assert not venue.upgrades, "it is kept before the access token is used"
        kept.append(token.reveal())
        await trio.lowlevel.checkpoint()

    connector = TapConnector(venue.hall)
    flow = TokenFlow("key", "secret", rest="http://127.0.0.1:8765")
    token = RefreshingToken(flow, "refresh-0", on_rotated=persist, connector=connector)
    topics = Quotes("DWC.4.20"), Instruments()
    session = Session(VENUE, *topics, credentials=token, endpoint=URL, connector=connector)
    with trio.fail_after(20):
        async with session as stream:
            prices: list[Decimal | None] = []
            listed: list[str] = []
            async for event in stream:
                prices += [event.price] if isinstance(event, Quote) else []
                listed += [event.instrument] if isinstance(event, Instrument) else []
                if len(prices) == 2 and len(listed) == 2:
                    break
    assert list(map(str, prices)) == ["147.02", "147.0500"]
    assert listed == ["DWC.4.20", "THA.4.12"]
    assert kept == ["refresh-1"]
    assert venue.upgrades == ["Bearer access-1"]
    assert venue.hall.all_closed


async def test_lost_line_comes_back_after_a_minute_with_what_was_wanted(autojump_clock: MockClock) -> None:
    venue = VenueOfAPage()
    venue.drops = 1
    token = BearerToken("access-1")
    options = {"endpoint": URL, "connector": TapConnector(venue.hall)}
    with trio.fail_after(200):
        async with Session(VENUE, Quotes("DWC.4.20"), credentials=token, **options) as stream:  # type: ignore[arg-type]  # two kinds of options in one dict
            before_s = trio.current_time()
            kinds: list[type[object]] = []
            async for event in stream:
                kinds.append(type(event))
                if kinds.count(Quote) == 4:
                    break
            assert trio.current_time() - before_s >= 60.0
    assert kinds == [Connected, Quote, Quote, Disconnected, Gap, Connected, Quote, Quote]


async def test_refused_token_ends_the_session_in_the_venues_words(autojump_clock: MockClock) -> None:
    venue = VenueOfAPage()
    session = Session(
        VENUE,
        Quotes("DWC.4.20"),
        credentials=BearerToken("HUSH"),
        endpoint=URL,
        connector=TapConnector(venue.hall),
    )
    with trio.fail_after(20), pytest.raises(AuthenticationFailed) as caught:
        async with session:
            pass
    assert "HUSH" not in repr(caught.value)
    assert venue.upgrades == ["Bearer HUSH"], "a token that cannot be renewed is not tried twice"


async def test_provider_is_asked_for_another_token_once(autojump_clock: MockClock) -> None:
    venue = VenueOfAPage()
    tokens = [BearerToken("expired"), BearerToken("access-1")]

    async def provider() -> BearerToken:
        await trio.lowlevel.checkpoint()
        return tokens.pop(0)

    with trio.fail_after(20):
        async with Session(
            VENUE,
            Quotes("DWC.4.20"),
            credentials=provider,
            endpoint=URL,
            connector=TapConnector(venue.hall),
        ):
            assert venue.upgrades == ["Bearer expired", "Bearer access-1"]
    tokens[:] = [BearerToken("expired"), BearerToken("as bad"), BearerToken("access-1")]
    with trio.fail_after(20), pytest.raises(AuthenticationFailed, match="900901: Invalid Credentials"):
        async with Session(
            VENUE,
            Quotes("DWC.4.20"),
            credentials=provider,
            endpoint=URL,
            connector=TapConnector(venue.hall),
        ):
            pass
    assert len(tokens) == 1


def test_token_never_goes_in_the_clear_to_another_machine() -> None:
    venue = VenueOfAPage()
    with pytest.raises(UsageError, match="unencrypted"):
        Session(
            VENUE,
            Quotes("DWC.4.20"),
            credentials=BearerToken("HUSH"),
            endpoint="ws://api.darwinex.com",
            connector=TapConnector(venue.hall),
        )
    assert venue.hall.opened == []
