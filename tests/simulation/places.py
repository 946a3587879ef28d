"""The five venues as places to be tried: how each is simulated, who its client is, and what can be asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeAlias

import attrs

import trioquotes as tq
from tests.simulation.bookwatch import BookPlace
from tests.simulation.flows import Flow, by_frame, by_number
from trioquotes import venues
from trioquotes.simulator.server import Simulator
from trioquotes.simulator.venues import SIMULATORS, darwinex, edgex, upbit, zonda
from trioquotes.simulator.venues.coinbase.listings import Profile

__all__ = ["CANARY", "PLACES", "Choice", "Place"]

CANARY = base64.b64encode(b"a canary that nobody must ever see, long enough to sign with it").decode()
"""The secret in every credential of a simulation."""


def by_sequence(event: tq.MarketEvent) -> int | None:
    """Books known by the venue's counter."""
    return event.sequence


def by_time(event: tq.MarketEvent) -> int | None:
    """Books known by the venue's time."""
    return event.venue_time_ns


@attrs.frozen(kw_only=True)
class Choice:
    """A topic, and what its events are held against.

    Attributes:
        topic: what is asked for.
        flow: how its events relate to frames, where they do one by one.
        book: where the server's books are, where its events tell one.
        private: whether it concerns the client's own account.
        lively: whether something of it comes within some seconds.
    """

    topic: tq.Topic[Any]
    flow: Flow | None = None
    book: BookPlace | None = None
    private: bool = False
    lively: bool = True

    def takes(self, event: tq.Event) -> bool:
        """Whether an event of a merged stream is of this topic."""
        if isinstance(event, tq.Notice):
            return event.topic is None or event.topic == self.topic
        kinds = EVENTS.get(type(self.topic))
        if kinds is None or not isinstance(event, kinds):
            return False
        wanted = getattr(self.topic, "instrument", None)
        return wanted is None or getattr(event, "instrument", None) == wanted


EVENTS: Mapping[type[tq.Topic[Any]], type[tq.Event] | tuple[type[tq.Event], ...]] = {
    tq.Trades: tq.Trade,
    tq.Tickers: tq.Ticker,
    tq.Quotes: tq.Quote,
    tq.Depths: tq.Depth,
    tq.Books: (tq.BookSnapshot, tq.BookChange),
    tq.OrderBooks: (tq.OrderBookSnapshot, tq.OrderBookChange),
    tq.Candles: tq.Candle,
    tq.FundingRates: tq.FundingRate,
    tq.Instruments: tq.Instrument,
    tq.Orders: tq.OrderUpdate,
    tq.Fills: tq.Fill,
    tq.Balances: tq.Balance,
}


@attrs.frozen(kw_only=True)
class Place:
    """One venue.

    Attributes:
        name: of the venue.
        instruments: two that it trades.
        options: of the simulator; ``client`` those that make the client known.
        key: the client's credentials; ``always`` whether nothing goes without them.
        choices: what can be asked for, given whether there are credentials.
        frames: kinds of frames that scripts befall, with what may befall them.
        answers: kinds of frames that acknowledge.
        silence_s: how long a dead line may go unnoticed.
        settle_s: how long everything may take to be right again once nothing goes wrong any more.
        rate: actions of traders per second and instrument.
    """

    name: str
    instruments: tuple[str, str]
    options: Mapping[str, Any]
    client: Mapping[str, Any]
    key: tq.Credentials
    always: bool = False
    choices: Callable[[bool], list[Choice]]
    frames: Mapping[str, str]
    answers: tuple[str, ...] = ()
    silence_s: float
    settle_s: float = 240.0
    rate: float = 1.0

    def simulator(self, **options: Any) -> Simulator[Any]:
        """The venue, simulated."""
        return SIMULATORS[self.name](**{**self.options, **self.client, "rate": self.rate, **options})


# What befalls frames: c corrupted, d duplicated, s skipped, w swapped, u spoilt text, h a huge one, n never sent.

# Coinbase -------------------------------------------------------------------------------------------

PROFILE = Profile(name="me", key="k", secret=CANARY, passphrase=CANARY)
PRODUCTS = ("BTC-USD", "ETH-USD")

Read: TypeAlias = Callable[[Any, bytes], Iterable[tuple[Hashable, bool]]]


def _of_product(product: str, field: str) -> Read:
    return lambda fields, _raw: [(fields[field], False)] if fields["product_id"] == product else []


def _whole_frame(
    is_meant: Callable[[Any], bool], is_history: Callable[[Any], bool] = lambda _fields: False
) -> Read:
    return lambda fields, raw: [(raw, is_history(fields))] if is_meant(fields) else []


def _coinbase(keyed: bool) -> list[Choice]:
    out = []
    for product in PRODUCTS:
        trades = Flow(
            kinds=("match",), read=_of_product(product, "trade_id"), key=by_number("trade_id"), counted=True,
            numbered=True,
        )  # fmt: skip
        messages = attrs.evolve(
            trades,
            key=lambda event: (
                getattr(event, "trade_id", None) if type(event) is venues.coinbase.Match else None
            ),
        )
        tickers = Flow(
            kinds=("ticker",), read=_of_product(product, "sequence"), key=by_number("sequence"), numbered=True,
            restated=True,
        )  # fmt: skip
        book = BookPlace("level2" if keyed else "level2_50", product, by_time)
        out += [
            Choice(topic=tq.Trades(product), flow=trades),
            Choice(topic=venues.coinbase.Matches(product), flow=messages),
            Choice(topic=tq.Tickers(product), flow=tickers),
            Choice(topic=tq.Books(product), book=book),
            Choice(topic=tq.Quotes(product), book=book),
            Choice(topic=tq.Depths(product, 5), book=book),
        ]
    if keyed:
        out += [
            Choice(topic=tq.Orders("BTC-USD"), private=True),
            Choice(topic=tq.Fills("ETH-USD"), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


COINBASE = Place(
    name="coinbase",
    instruments=PRODUCTS,
    options={"products": PRODUCTS, "depth": 12},
    client={"keys": [PROFILE]},
    key=tq.ApiKey("k", CANARY, CANARY),
    choices=_coinbase,
    frames={
        "l2update": "cdu", "match": "cdswuh", "ticker": "cdswu", "heartbeat": "nsc", "snapshot": "cuh",
        "last_match": "sc", "status": "c",
    },
    answers=("subscriptions",),
    silence_s=15.0,
)  # fmt: skip

# Upbit ----------------------------------------------------------------------------------------------

CODES = ("KRW-BTC", "KRW-ETH")


def _snapshot(fields: Any) -> bool:
    return bool(fields["stream_type"] == "SNAPSHOT")


def _upbit(keyed: bool) -> list[Choice]:
    out = []
    for code in CODES:

        def own(fields: Any, code: str = code) -> bool:
            return bool(fields["code"] == code)

        def trade(fields: Any, _raw: bytes, code: str = code) -> list[tuple[Hashable, bool]]:
            return [(fields["sequential_id"], _snapshot(fields))] if fields["code"] == code else []

        trades = Flow(kinds=("trade",), read=trade, key=by_number("trade_id"), repeats=True)
        messages = attrs.evolve(trades, key=by_number("sequential_id"))
        tickers = Flow(kinds=("ticker",), read=_whole_frame(own, _snapshot), key=by_frame, repeats=True)
        candles = attrs.evolve(tickers, kinds=("candle.1m",))
        books = attrs.evolve(tickers, kinds=("orderbook",))
        book = BookPlace("orderbook", code, by_time)
        out += [
            Choice(topic=tq.Trades(code), flow=trades),
            Choice(topic=venues.upbit.Trades(code), flow=messages),
            Choice(topic=tq.Tickers(code), flow=tickers),
            Choice(topic=tq.Candles(code), flow=candles),
            Choice(topic=tq.Books(code), book=book),
            Choice(topic=tq.Quotes(code), book=book),
            Choice(topic=tq.Depths(code, 5), book=book),
            Choice(topic=venues.upbit.Orderbooks(code), flow=books),
        ]
    if keyed:
        orders = Flow(kinds=("myOrder",), read=_whole_frame(lambda _fields: True), key=by_frame, repeats=True)
        out += [
            Choice(topic=tq.Orders(), flow=orders, private=True),
            Choice(topic=tq.Fills(), private=True),
            Choice(topic=tq.Balances(), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


UPBIT = Place(
    name="upbit",
    instruments=CODES,
    options={"markets": CODES, "depth": 32},
    client={"accounts": [upbit.Account(key="k", secret=CANARY)]},
    key=tq.ApiKey("k", CANARY),
    choices=_upbit,
    frames={
        "trade": "cdswuh", "ticker": "cdswu", "orderbook": "cdsuh", "candle.1m": "cs", "myOrder": "cdsw",
        "myAsset": "cd", "status": "ns", "LIST_SUBSCRIPTIONS": "csn",
    },
    silence_s=75.0,
)  # fmt: skip

# edgeX ----------------------------------------------------------------------------------------------

CONTRACTS = ("30000001", "30000020")


def _edgex(keyed: bool) -> list[Choice]:
    out = []
    for contract in CONTRACTS:

        def trade(fields: Any, _raw: bytes, contract: str = contract) -> list[tuple[Hashable, bool]]:
            content = fields["content"]
            rows = content["data"] if content["channel"] == f"trades.{contract}" else []
            return [(row["ticketId"], content["dataType"] == "Snapshot") for row in rows]

        def of(name: str, contract: str = contract) -> Read:
            return _whole_frame(
                lambda fields: fields["channel"] == f"{name}.{contract}",
                lambda fields: fields["content"]["dataType"] == "Snapshot",
            )

        trades = Flow(
            kinds=("trades",), read=trade, key=lambda event: getattr(event, "trade_id", None), repeats=True
        )
        tickers = Flow(kinds=("ticker",), read=of("ticker"), key=by_frame, repeats=True)
        rates = Flow(kinds=("fundingRate",), read=of("fundingRate"), key=by_frame, repeats=True)
        out += [
            Choice(topic=tq.Trades(contract), flow=trades),
            Choice(topic=tq.Tickers(contract), flow=tickers),
            Choice(topic=tq.FundingRates(contract), flow=rates, lively=False),
            Choice(topic=tq.Candles(contract)),
            Choice(topic=tq.Quotes(contract)),
            Choice(topic=tq.Books(contract, depth=200), book=BookPlace("depth.200", contract, by_sequence)),
            Choice(topic=tq.Books(contract, depth=15), book=BookPlace("depth.15", contract, by_sequence)),
            Choice(topic=tq.Depths(contract, 5), book=BookPlace("depth.15", contract, by_sequence)),
        ]
    if keyed:
        out += [
            Choice(topic=tq.Orders(), private=True),
            Choice(topic=tq.Fills(), private=True),
            Choice(topic=tq.Balances(), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


EDGEX = Place(
    name="edgex",
    instruments=CONTRACTS,
    options={"contracts": CONTRACTS, "depth": 20},
    client={"accounts": [edgex.Account(account_id="77", key="k", secret=CANARY, passphrase=CANARY)]},
    key=tq.ApiKey("k", CANARY, CANARY, "77"),
    choices=_edgex,
    frames={
        "depth": "cdswuh", "trades": "cdswuh", "ticker": "cdswu", "kline": "cs", "bookTicker": "cs", "ping": "ns",
        "connected": "sc", "ORDER_UPDATE": "cds",
    },
    answers=("subscribed", "unsubscribed"),
    silence_s=60.0,
)  # fmt: skip

# Zonda ----------------------------------------------------------------------------------------------

MARKETS = ("BTC-PLN", "ETH-PLN")


def _zonda(keyed: bool) -> list[Choice]:
    out = []
    for market in MARKETS:

        def trade(fields: Any, _raw: bytes, market: str = market) -> list[tuple[Hashable, bool]]:
            mine = fields["topic"] == f"trading/transactions/{market.lower()}"
            return [(one["id"], False) for one in fields["message"]["transactions"]] if mine else []

        trades = Flow(
            kinds=("transactions",),
            read=trade,
            key=lambda event: getattr(event, "trade_id", None),
            counted=True,
        )
        out += [
            Choice(topic=tq.Trades(market), flow=trades),
            Choice(topic=tq.Tickers(market)),
            Choice(topic=tq.Quotes(market)),
            Choice(topic=tq.Books(market), book=BookPlace("orderbook", market, by_sequence)),
            Choice(
                topic=tq.Books(market, depth=10), book=BookPlace("orderbook-limited/10", market, by_sequence)
            ),
            Choice(topic=tq.Depths(market, 5), book=BookPlace("orderbook-limited/10", market, by_sequence)),
        ]
    if keyed:
        out += [
            Choice(topic=tq.Orders(), private=True),
            Choice(topic=tq.Fills(), private=True),
            Choice(topic=tq.Balances(), private=True),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


ZONDA = Place(
    name="zonda",
    instruments=MARKETS,
    options={"markets": MARKETS, "depth": 20},
    client={"accounts": [zonda.Account(public_key="k", private_key=CANARY)]},
    key=tq.ApiKey("k", CANARY),
    choices=_zonda,
    frames={
        "orderbook": "cdswuh", "orderbook-limited": "cdswu", "transactions": "cdswu", "ticker": "cdsw",
        "stats": "cs", "pong": "ns", "proxy-response": "csd", "offers": "cds",
    },
    answers=("subscribe-public-confirm",),
    silence_s=60.0,
)  # fmt: skip

# Darwinex -------------------------------------------------------------------------------------------

DARWINS = ("DWC.4.20", "DWZ.4.7")


def _darwinex(keyed: bool) -> list[Choice]:
    del keyed
    out = []
    for name in DARWINS:

        def own(fields: Any, name: str = name) -> bool:
            return bool(fields["productName"] == name)

        quotes = Flow(kinds=("pq",), read=_whole_frame(own), key=_pushed, repeats=True)
        out += [
            Choice(topic=tq.Quotes(name), flow=quotes),
            Choice(topic=venues.darwinex.ProductQuotes(name), flow=quotes),
        ]
    out.append(Choice(topic=tq.Instruments(), lively=False))
    return out


def _pushed(event: tq.Event) -> bytes | None:
    """Quotes that were pushed; those inside an acknowledgement are not the subject."""
    raw = by_frame(event)
    return raw if raw is not None and raw.startswith(b'{"op":"pq"') else None


DARWINEX = Place(
    name="darwinex",
    instruments=DARWINS,
    options={"products": DARWINS},
    client={
        "accounts": [
            darwinex.Account(
                consumer_key="c",
                consumer_secret=CANARY,
                refresh_token=f"r{CANARY}",
                access_token=f"a{CANARY}",
            )
        ]
    },
    key=tq.BearerToken(f"a{CANARY}"),
    always=True,
    choices=_darwinex,
    frames={"pq": "cdswuh", "hb": "ncs", "pong": "n"},
    answers=("subscribed", "unsubscribed"),
    silence_s=130.0,
    settle_s=420.0,
    rate=0.5,
)

PLACES = {place.name: place for place in (COINBASE, UPBIT, EDGEX, ZONDA, DARWINEX)}
