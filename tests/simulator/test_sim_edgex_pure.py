from __future__ import annotations

import base64
import json
import random
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.edgex_client import ACCOUNT, PRIVATE, as_subprotocol, v2_headers, v2_path
from trioquotes.errors import MissingExtra
from trioquotes.simulator.book import Book, Order
from trioquotes.simulator.floor import Floor
from trioquotes.simulator.happenings import Side
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.venues.edgex import (
    CONTRACTS,
    Account,
    Contract,
    EdgexSimulator,
    hmac_signature,
    stark_hash,
)
from trioquotes.simulator.venues.edgex.depth import Window
from trioquotes.simulator.venues.edgex.desk import Desk
from trioquotes.simulator.venues.edgex.handshake import (
    INVALID_KEY,
    INVALID_SIGNATURE,
    INVALID_TIMESTAMP,
    Refused,
    Verify,
    admit,
)
from trioquotes.simulator.venues.edgex.keccak import keccak_256
from trioquotes.simulator.venues.edgex.klines import INTERVALS, KEPT, Bars, open_of
from trioquotes.simulator.venues.edgex.ledger import Ledger
from trioquotes.simulator.venues.edgex.listings import contracts_of
from trioquotes.simulator.venues.edgex.positions import Fill, Position
from trioquotes.simulator.venues.edgex.reference import Reference
from trioquotes.simulator.venues.edgex.requests import Ask, Ping, Pong, Refusal, Rules, read_message
from trioquotes.simulator.venues.edgex.style import Chain, Style
from trioquotes.simulator.venues.edgex.texts import fixed, money, order_number, plain, scaled

D = Decimal
NOW_MS = 1_773_302_047_172
BTC = CONTRACTS["v2"]["30000001"]
RULES = Rules(contracts={"30000001"})
PRIVATE_RULES = Rules(contracts=None, private=True)

# Keccak and signatures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            "1705720068228GET/api/v1/private/wsaccountId=543429922991899150",
            "6729f780e6b6d35de28a69b3cb956fba3e5634d4fe781cc2b4abfd2848259eda",
        ),
        (
            (
                "1735542383256GET/api/v1/private/account/getPositionTransactionPage"
                "accountId=543429922991899150&filterTypeList=SETTLE_FUNDING_FEE&size=10"
            ),
            "16dd40a93f29e29331786ab94ec564eac75efab1ce712f031afeda554fadedfb",
        ),
    ],
)
def test_published_keccak_digests_come_out(text: str, digest: str) -> None:
    assert keccak_256(text.encode()).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 134, 135, 136, 137, 271, 272, 273])
def test_the_padding_tells_apart_what_differs_by_one_zero_byte(length: int) -> None:
    assert len({keccak_256(bytes(length)), keccak_256(bytes(length + 1)), keccak_256(b"\x01" * length)}) == (
        3 if length else 2
    )


def test_what_v1_signs_is_reduced_by_the_order_of_the_curve() -> None:
    text = "1705720068228GET/api/v1/private/wsaccountId=543429922991899150"
    assert f"{stark_hash(text):064x}" == "0729f780e6b6d291e28a69b3cb956fbda44957af7b9bc26947dc621422da00a6"


def test_the_published_hmac_vectors_come_out() -> None:
    secret = "your-api-secret"
    rest = "1773302047172GET/api/v2/private/account/getAccountAssetaccountId=724625476626153743&size=10"
    assert hmac_signature(secret, rest) == "4315baa0fd62141d6a7fe7c24daa1c01f346bdc7deef395fc0a36ad168cf166c"
    line = f"{NOW_MS}GET{PRIVATE}accountId=724625476626153743&timestamp={NOW_MS}"
    assert hmac_signature(secret, line) == "cdfb41af6f11da06fcbdad36e84b6e39b4871bce1b955eb9c5160abe3420486b"


# The handshake -------------------------------------------------------------------------------------------


def asked(path: str, headers: dict[str, str]) -> HttpRequest:
    return HttpRequest("GET", path, {name.lower(): value for name, value in headers.items()}, b"")


def v2(path: str, headers: dict[str, str], now_ms: int = NOW_MS, *accounts: Account) -> Account | Refused:
    known = {account.account_id: account for account in accounts or (ACCOUNT,)}
    return admit(asked(path, headers), known, "v2", now_ms, None)


@pytest.mark.parametrize("other_names", [False, True])
def test_both_spellings_of_the_headers_are_let_in(other_names: bool) -> None:
    assert v2(v2_path(NOW_MS), v2_headers(NOW_MS, other_names=other_names)) is ACCOUNT


@pytest.mark.parametrize("padded", [False, True])
def test_headers_may_come_as_a_subprotocol(padded: bool) -> None:
    offered = {"Sec-WebSocket-Protocol": as_subprotocol(v2_headers(NOW_MS), padded=padded)}
    assert v2(v2_path(NOW_MS), offered) is ACCOUNT


@pytest.mark.parametrize("offered", ["chat", "!", base64.b64encode(b"[1]").decode(), "é"])
def test_a_subprotocol_that_holds_no_headers_is_not_let_in(offered: str) -> None:
    assert v2(v2_path(NOW_MS), {"Sec-WebSocket-Protocol": offered}) == INVALID_KEY


def test_an_account_id_said_twice_is_signed_once() -> None:
    twice = v2_path(NOW_MS).replace("?", f"?accountId={ACCOUNT.account_id}&")
    assert v2(twice, v2_headers(NOW_MS)) is ACCOUNT


def test_the_querys_pairs_are_signed_in_the_order_of_their_names() -> None:
    turned = f"{PRIVATE}?timestamp={NOW_MS}&accountId={ACCOUNT.account_id}"
    assert v2(turned, v2_headers(NOW_MS)) is ACCOUNT


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"X-edgeX-Api-Key": "key-2"}, INVALID_KEY),
        ({"X-edgeX-Api-Key": ""}, INVALID_KEY),
        ({"X-edgeX-Passphrase": "wrong"}, INVALID_KEY),
        ({"X-edgeX-Timestamp": ""}, INVALID_TIMESTAMP),
        ({"X-edgeX-Timestamp": "now"}, INVALID_TIMESTAMP),
        ({"X-edgeX-Timestamp": "²"}, INVALID_TIMESTAMP),
        ({"X-edgeX-Timestamp": "9" * 30}, INVALID_TIMESTAMP),
        ({"X-edgeX-Timestamp": str(NOW_MS + 1)}, INVALID_TIMESTAMP),
        ({"X-edgeX-Signature": ""}, INVALID_SIGNATURE),
        ({"X-edgeX-Signature": "0" * 64}, INVALID_SIGNATURE),
        ({"X-edgeX-Signature": "é"}, INVALID_SIGNATURE),
    ],
)
def test_each_part_of_the_credentials_is_checked(change: dict[str, str], refusal: Refused) -> None:
    assert v2(v2_path(NOW_MS), {**v2_headers(NOW_MS), **change}) == refusal


def test_missing_credentials_and_unknown_accounts_are_refused() -> None:
    assert v2(v2_path(NOW_MS), {}) == INVALID_KEY
    assert v2(PRIVATE, v2_headers(NOW_MS)) == INVALID_KEY
    assert v2(f"{PRIVATE}?accountId={ACCOUNT.account_id}", v2_headers(NOW_MS)) == INVALID_TIMESTAMP
    keyless = Account(account_id=ACCOUNT.account_id)
    assert v2(v2_path(NOW_MS), {**v2_headers(NOW_MS), "X-edgeX-Api-Key": ""}, NOW_MS, keyless) == INVALID_KEY


@pytest.mark.parametrize(
    ("away_ms", "good"), [(0, True), (60_000, True), (-60_000, True), (60_001, False), (-60_001, False)]
)
def test_the_clock_may_be_a_minute_off(away_ms: int, good: bool) -> None:
    outcome = v2(v2_path(NOW_MS), v2_headers(NOW_MS), NOW_MS + away_ms)
    assert outcome == (ACCOUNT if good else INVALID_TIMESTAMP)


def v1(signature: str, verify: Verify | None, timestamp: str = str(NOW_MS)) -> Account | Refused:
    account = Account(account_id="1", l2_key="0x2a")
    headers = {"X-edgeX-Api-Timestamp": timestamp, "X-edgeX-Api-Signature": signature}
    return admit(asked(f"{PRIVATE}?accountId=1", headers), {"1": account}, "v1", NOW_MS, verify)


def test_v1_hands_key_hash_and_signature_to_the_curve() -> None:
    seen = []

    def verify(*numbers: int) -> bool:
        seen.append(numbers)
        return True

    assert isinstance(v1(f"{3:064x}{4:064x}", verify), Account)
    assert isinstance(v1(f"{3:064x}{4:064x}{5:064x}", verify), Account)
    hashed = stark_hash(f"{NOW_MS}GET{PRIVATE}accountId=1")
    assert seen == [(42, hashed, 3, 4), (42, hashed, 3, 4)]


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "0" * 128,
        f"{1 << 251:064x}{4:064x}",
        f"{3:064x}" + "f" * 64,
        "A" * 128,
        "0x" + "1" * 126,
        "1" * 130,
    ],
)
def test_v1_refuses_what_cannot_be_a_signature_without_asking_the_curve(signature: str) -> None:
    def verify(*_: int) -> bool:
        raise AssertionError

    assert v1(signature, verify) == INVALID_SIGNATURE


def test_v1_refuses_wrong_signatures_and_old_timestamps() -> None:
    good = f"{3:064x}{4:064x}"
    assert v1(good, lambda *_: False) == INVALID_SIGNATURE
    assert v1(good, lambda *_: True, str(NOW_MS - 60_001)) == INVALID_TIMESTAMP
    assert v1(good, lambda *_: True, "") == INVALID_TIMESTAMP
    assert v1(good, None) == INVALID_KEY


def test_v1_accounts_need_the_curve_and_v1_without_accounts_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fast_stark_crypto", None)
    EdgexSimulator(generation="v1")
    EdgexSimulator(generation="v2", accounts=[ACCOUNT])
    with pytest.raises(MissingExtra, match=r"trioquotes\[edgex-v1\]"):
        EdgexSimulator(generation="v1", accounts=[ACCOUNT])


def test_an_account_shows_no_secret() -> None:
    assert ACCOUNT.secret not in repr(ACCOUNT)
    assert ACCOUNT.passphrase not in repr(ACCOUNT)


# Requests ------------------------------------------------------------------------------------------------


def say(fields: Any, rules: Rules = RULES) -> Any:
    return read_message(json.dumps(fields), rules)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("metadata", {"family": "metadata", "contract_id": None}),
        ("ticker.30000001", {"family": "ticker", "contract_id": "30000001"}),
        ("ticker.all", {"family": "ticker", "contract_id": None, "every_second": False}),
        ("ticker.all.1s", {"family": "ticker", "contract_id": None, "every_second": True}),
        ("bookTicker.30000001", {"family": "bookTicker", "contract_id": "30000001"}),
        ("bookTicker.all", {"contract_id": None, "every_second": False}),
        ("bookTicker.all.1s", {"contract_id": None, "every_second": True}),
        ("fundingRate.all", {"family": "fundingRate", "contract_id": None}),
        ("fundingRate.30000001", {"contract_id": "30000001"}),
        ("trades.30000001", {"family": "trades", "contract_id": "30000001"}),
        ("depth.30000001.15", {"family": "depth", "level": 15}),
        ("depth.30000001.200", {"family": "depth", "level": 200}),
        (
            "kline.INDEX_PRICE.30000001.WEEK_1",
            {"family": "kline", "price_type": "INDEX_PRICE", "interval": "WEEK_1", "contract_id": "30000001"},
        ),
    ],
)
def test_every_channel_is_read(name: str, fields: dict[str, Any]) -> None:
    for kind in ("subscribe", "unsubscribe"):
        outcome = say({"type": kind, "channel": name})
        assert isinstance(outcome, Ask), outcome
        assert (outcome.kind, outcome.channel.name) == (kind, name)
        assert {field: getattr(outcome.channel, field) for field in fields} == fields


@pytest.mark.parametrize(
    ("name", "code", "subject"),
    [
        ("ticker.99999999", "INVALID_CONTRACT_ID", "99999999"),
        ("ticker", "INVALID_CONTRACT_ID", ""),
        ("trades.all", "INVALID_CONTRACT_ID", "all"),
        ("depth.99999999.15", "INVALID_CONTRACT_ID", "99999999"),
        ("kline.LAST_PRICE.1.MINUTE_1", "INVALID_CONTRACT_ID", "1"),
        ("depth.30000001", "GATEWAY_ERROR", "depth.30000001"),
        ("depth.30000001.20", "GATEWAY_ERROR", "depth.30000001.20"),
        ("kline.30000001.MINUTE_1", "GATEWAY_ERROR", "kline.30000001.MINUTE_1"),
        ("kline.LAST_PRICE.30000001.MINUTE_2", "GATEWAY_ERROR", "kline.LAST_PRICE.30000001.MINUTE_2"),
        ("kline.ASK1_PRICE.30000001.MINUTE_1", "GATEWAY_ERROR", "kline.ASK1_PRICE.30000001.MINUTE_1"),
        ("fundingRate.all.1s", "GATEWAY_ERROR", "fundingRate.all.1s"),
        ("metadata.", "GATEWAY_ERROR", "metadata."),
        ("invalid.channel", "GATEWAY_ERROR", "invalid.channel"),
        ("", "GATEWAY_ERROR", ""),
    ],
)
def test_a_channel_that_is_none_is_refused(name: str, code: str, subject: str) -> None:
    outcome = say({"type": "subscribe", "channel": name})
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.subject) == (code, subject)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "UNRECOGNIZED_MESSAGE"),
        ("[" * 60_000, "UNRECOGNIZED_MESSAGE"),
        ("[]", "UNRECOGNIZED_MESSAGE"),
        ('{"channel":"metadata"}', "UNRECOGNIZED_MESSAGE"),
        ('{"type":1}', "UNRECOGNIZED_MESSAGE"),
        ('{"type":"subscribe"}', "UNRECOGNIZED_MESSAGE"),
        ('{"type":"subscribe","channel":["metadata"]}', "UNRECOGNIZED_MESSAGE"),
        ('{"type":"login"}', "INVALID_MESSAGE_TYPE"),
    ],
)
def test_a_message_that_is_none_is_refused_with_its_own_text(text: str, code: str) -> None:
    outcome = read_message(text, RULES)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.text) == (code, text)


def test_the_private_socket_takes_pings_and_pongs_only() -> None:
    assert say({"type": "ping", "time": 1}, PRIVATE_RULES) == Ping(1)
    assert say({"type": "pong", "time": "1"}, PRIVATE_RULES) == Pong("1")
    others: tuple[Any, ...] = ({"type": "subscribe", "channel": "metadata"}, {"type": "login"}, [])
    for fields in others:
        outcome = say(fields, PRIVATE_RULES)
        assert (outcome.code, outcome.words) == ("UNRECOGNIZED_MESSAGE", "unsupported private ws message")


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["subscribe", "ticker.all"])
)
LISTS = st.lists(LEAVES, max_size=3)
ANY_JSON = (
    LEAVES
    | LISTS
    | st.dictionaries(st.sampled_from(["type", "channel", "time"]), LEAVES | LISTS | st.lists(LISTS))
)


@given(ANY_JSON, st.booleans())
def test_every_message_has_an_outcome(message: Any, private: bool) -> None:
    outcome = read_message(json.dumps(message), PRIVATE_RULES if private else RULES)
    assert isinstance(outcome, Ask | Ping | Pong | Refusal)


def test_a_pong_settles_its_ping_and_those_before_it_by_value_and_type() -> None:
    desk = Desk(unanswered=["1", "2", 3, "4"])
    assert not desk.answered("5")
    assert not desk.answered(2)
    assert desk.answered("2")
    assert desk.unanswered == [3, "4"]
    assert not desk.answered(True)
    assert desk.answered("4")
    assert desk.unanswered == []


# Contracts and texts -------------------------------------------------------------------------------------


def test_contracts_are_of_their_generation() -> None:
    assert [c.name for c in contracts_of("v2", None)] == ["BTCUSDC", "ETHUSDC", "NVDAUSDC", "ZETAUSDC"]
    assert [c.name for c in contracts_of("v1", ["10000001", "10000099"])] == ["BTCUSD", "C99USD"]
    own = Contract(contract_id="30000777", base="X", quote="USDC")
    assert contracts_of("v2", [own]) == [own]
    for wrong in ("10000001", "3000001", "3000000x", ""):
        with pytest.raises(ValueError, match="is not a contract id of v2 such as '30000001'"):
            contracts_of("v2", [wrong])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (plain(D("8616.524800")), "8616.5248"),
        (plain(D("1E+3")), "1000"),
        (plain(D(0)), "0"),
        (plain(D("119850.178086198866367340087890625")), "119850.178086198866367340087890625"),
        (fixed(D("76883"), D("0.1")), "76883.0"),
        (fixed(D("0.72"), D("0.001")), "0.720"),
        (fixed(D(5), D(1)), "5"),
        (fixed(D(50), D(10)), "50"),
        (scaled(D("-0.0000575449"), 8), "-0.00005754"),
        (money(D(0)), "0"),
        (money(D("-3")), "-3.000000"),
        (order_number("00000000-0000-4000-8000-000000000001")[:1], "7"),
    ],
)
def test_numbers_are_printed_as_recorded(text: str, expected: str) -> None:
    assert text == expected


# Books ---------------------------------------------------------------------------------------------------


class Hand:
    """A floor whose orders are placed by hand."""

    def __init__(self) -> None:
        self.ids = iter(range(10**6))
        self.floor = Floor(
            BTC.listing, sequence=1000, trade_id=0, new_id=lambda: str(uuid.UUID(int=next(self.ids)))
        )

    def place(self, side: Side, price: Decimal, size: Decimal) -> str:
        made = self.floor.place(0, side=side, trader=f"t{next(self.ids)}", price=price, size=size)
        return str(made[0].order_id)  # type: ignore[attr-defined]  # the first is the receipt


STEPS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell", "cancel", "look"]), st.integers(1, 40), st.integers(1, 9)),
    max_size=80,
)


@settings(max_examples=60)
@given(STEPS, st.sampled_from(["same", "next"]), st.integers(1, 6))
def test_a_client_that_applies_the_updates_has_the_window_exactly(
    steps: list[tuple[str, int, int]], chain: Chain, level: int
) -> None:
    hand = Hand()
    window = Window(hand.floor, level, chain)
    first = window.snapshot()
    mine = {"sell": dict(first.asks), "buy": dict(first.bids)}
    last = first.end
    for what, number, size in [*steps, ("look", 1, 1)]:
        if what in {"buy", "sell"}:
            side: Side = "buy" if what == "buy" else "sell"
            hand.place(side, D(number) / 10 + 100, D(size) / 1000)
        elif what == "cancel" and hand.floor.book.orders:
            names = list(hand.floor.book.orders)
            hand.floor.cancel(0, names[number % len(names)])
        elif what == "look":
            change = window.update()
            if change is None:
                assert last == hand.floor.sequence
                continue
            assert change.start == last + (1 if chain == "next" else 0)
            assert change.end == hand.floor.sequence > last
            last = change.end
            for mark, rows in (("sell", change.asks), ("buy", change.bids)):
                assert [p for p, _ in rows] == sorted((p for p, _ in rows), reverse=mark == "buy")
                for price, left in rows:
                    if left:
                        mine[mark][price] = left
                    else:
                        del mine[mark][price]
            sides: tuple[Side, Side] = ("sell", "buy")
            for mark in sides:
                best = hand.floor.book.levels(mark)[:level]
                assert mine[mark] == {price: total for price, total, _ in best}
            again = window.snapshot()
            assert (dict(again.asks), dict(again.bids)) == (mine["sell"], mine["buy"])
            assert again.end == last


def test_what_happens_beyond_the_window_is_an_update_without_levels() -> None:
    hand = Hand()
    hand.place("sell", D(100), D(1))
    window = Window(hand.floor, 1, "same")
    assert window.update() is None
    hand.place("sell", D(101), D(1))
    change = window.update()
    assert change is not None
    assert (change.asks, change.bids, change.end - change.start) == ([], [], 2)


# Bars ----------------------------------------------------------------------------------------------------

MINUTE_NS = 60 * 10**9


@pytest.mark.parametrize(
    ("interval", "opened_s"),
    [
        ("MINUTE_1", 1758253500), ("MINUTE_30", 1758252600), ("HOUR_1", 1758250800), ("HOUR_6", 1758240000),
        ("DAY_1", 1758240000), ("WEEK_1", 1757894400), ("MONTH_1", 1756684800),
    ],
)  # fmt: skip
def test_bars_open_on_the_calendar(interval: str, opened_s: int) -> None:
    assert open_of(interval, 1758253559 * 10**9) == opened_s * 10**9


PRINTS = st.lists(
    st.tuples(st.integers(0, 40 * 60), st.integers(1, 99), st.integers(1, 9), st.booleans()),
    min_size=1,
    max_size=60,
)


@given(PRINTS)
def test_the_bars_of_every_interval_say_the_same_of_the_same_trades(
    prints: list[tuple[int, int, int, bool]],
) -> None:
    bars = Bars()
    prints = sorted(prints, key=lambda print_: print_[0])
    for second, price, size, buyer_made in prints:
        bars.add(second * 10**9 + 1758240000 * 10**9, D(price), D(size), buyer_made=buyer_made)
    for interval in INTERVALS:
        found = bars.latest(interval, KEPT)
        assert sum(bar.trades for bar in found) == len(prints)
        assert sum(bar.size for bar in found) == sum(size for _, _, size, _ in prints)
        assert sum(bar.value for bar in found) == sum(price * size for _, price, size, _ in prints)
        assert sum(bar.maker_buy_size for bar in found) == sum(size for _, _, size, made in prints if made)
        assert max(bar.high for bar in found) == max(price for _, price, _, _ in prints)
        assert min(bar.low for bar in found) == min(price for _, price, _, _ in prints)
        assert (found[0].open, found[-1].close) == (D(prints[0][1]), D(prints[-1][1]))
        assert [bar.open_ns for bar in found] == sorted({bar.open_ns for bar in found})
        assert bars.take_touched(interval) == found
        assert bars.take_touched(interval) == []


# Positions -----------------------------------------------------------------------------------------------


def fill(side: Side, price: str, size: str, fee: str = "0") -> Fill:
    return Fill(time_ns=1, side=side, price=D(price), size=D(size), fee=D(fee))


def test_the_documented_round_trip_comes_out() -> None:
    position = Position(contract_id="10000001")
    position.fill(fill("buy", "96813.2", "0.001", "0.048406"))
    assert (position.size, position.value, position.open_fee) == (D("0.001"), D("96.813200"), D("-0.048406"))
    moved = position.fill(fill("sell", "96857.1", "0.001", "0.048428"))
    assert (moved.before_size, moved.before_value) == (D("0.001"), D("96.8132"))
    assert (moved.closed_size, moved.closed_value) == (D("-0.001"), D("-96.8571"))
    assert (moved.delta_value, moved.realized) == (D("-96.8132"), D("-0.004528"))
    assert moved.opened_size == 0
    assert (position.size, position.value, position.open_fee) == (D(0), D(0), D(0))
    assert (position.long.term.close_fee, position.long.count) == (D("-0.048428"), 1)


def test_a_fill_through_zero_closes_one_direction_and_opens_the_other() -> None:
    position = Position(contract_id="1")
    position.fill(fill("sell", "100", "2"))
    position.fund(D("0.5"), 2)
    moved = position.fill(fill("buy", "90", "3"))
    assert (moved.closed_size, moved.opened_size, moved.realized) == (D(2), D(1), D(20))
    assert (position.size, position.value, position.funding_fee) == (D(1), D(90), D(0))
    assert (position.short.count, position.long.count) == (1, 1)
    assert position.short.total.funding_fee == D("0.5")
    assert (position.short.total.open_size, position.short.total.close_size) == (D(-2), D(2))


FILLS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(90, 110), st.integers(1, 5), st.integers(0, 9)),
    max_size=30,
)


@given(FILLS)
def test_a_position_is_the_sum_of_its_fills_and_its_profit_that_of_the_cash(
    fills: list[tuple[Side, int, int, int]],
) -> None:
    position, cash, realized = Position(contract_id="1"), D(0), D(0)
    for side, price, size, fee in fills:
        sign = 1 if side == "buy" else -1
        moved = position.fill(fill(side, str(price), str(size), str(fee)))
        cash -= sign * price * size + fee
        realized += moved.realized
    assert position.size == sum(size if side == "buy" else -size for side, _, size, _ in fills)
    assert abs(cash - (realized - position.value)) < D("0.001")


# Prices that are not traded ------------------------------------------------------------------------------


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> Book:
    made = Book()
    sides: tuple[tuple[Side, list[tuple[str, str]]], ...] = (("buy", bids), ("sell", asks))
    for side, rows in sides:
        for price, size in rows:
            made.add(
                Order(
                    order_id=f"{side}{price}", trader="t", side=side, kind="limit", price=D(price),
                    size=D(size), remaining=D(size),
                )
            )  # fmt: skip
    return made


def reference(interval_min: int = 240) -> Reference:
    rng = random.Random(1)  # noqa: S311  # a simulation, no secret
    return Reference(BTC, rng, oracle_digits=27, interval_min=interval_min, now_ns=1758253500 * 10**9)


def test_the_index_follows_the_traded_price_and_the_oracle_has_its_digits() -> None:
    there = reference()
    for _ in range(100):
        there.move(D(83000))
    assert abs(there.index - 83000) < 1
    assert there.oracle.as_tuple().exponent == -27
    assert there.index <= there.oracle < there.index + BTC.tick


def test_a_rate_is_settled_at_its_time_and_begins_anew() -> None:
    there = reference(interval_min=10)
    start_ns = there.funding.next_ns - 3 * MINUTE_NS
    rich = book([("83000.0", "0.001"), ("82999.0", "9")], [("83001.0", "9")])
    there.index = D(82000)
    assert [there.work_out(rich, start_ns + n * MINUTE_NS) for n in range(5)] == [False] * 3 + [True, False]
    last = there.funding
    assert (last.time_ns, last.next_ns) == (start_ns + 3 * MINUTE_NS, start_ns + 13 * MINUTE_NS)
    assert not last.settled
    assert last.previous_stamp_ns == last.stamp_ns - MINUTE_NS
    assert last.premium == last.average_premium > 0
    assert last.rate == last.predicted == ((last.premium - D("0.0005")) / 48).quantize(D("1e-8"))
    assert D("82999.0") < last.impact_bid < D("83000.0")
    assert last.impact_ask == D("83001.0")


def test_an_empty_side_makes_no_premium() -> None:
    there = reference()
    there.work_out(book([], []), there.funding.stamp_ns + MINUTE_NS)
    assert there.funding.premium == 0
    assert there.funding.impact_bid == there.index


# Ledgers -------------------------------------------------------------------------------------------------


def test_an_account_takes_over_what_the_opening_of_the_market_left_it() -> None:
    hand = Hand()
    mine: dict[str, Any] = {"trader": "me", "owner": ACCOUNT.account_id}
    floor = hand.floor
    for price, size in (("100", "0.001"), ("101", "0.005"), ("102", "0.007")):
        floor.place(0, side="sell", price=D(price), size=D(size), **mine)
    floor.place(0, side="buy", trader="first", size=D("0.003"))
    ledger = Ledger(ACCOUNT, {BTC.contract_id: BTC}, Style.of("v2"), 0)
    ledger.adopt(floor, 0)
    event, frame = ledger.snapshot(0)
    data = frame["content"]["data"]
    assert event == "Snapshot"
    assert [(row["price"], row["size"], row["cumFillSize"]) for row in data["order"]] == [
        ("101.0", "0.005", "0.002"), ("102.0", "0.007", "0"),
    ]  # fmt: skip
    (position,), (collateral,) = data["position"], data["collateral"]
    assert (position["openSize"], position["openValue"]) == ("-0.003", "-0.302000")
    assert (collateral["cumPositionSellAmount"], collateral["legacyAmount"]) == ("0.302000", "999999.999955")


def test_a_closed_position_is_neither_funded_nor_forced() -> None:
    hand = Hand()
    ledger = Ledger(ACCOUNT, {BTC.contract_id: BTC}, Style.of("v2"), 0)
    sides: tuple[Side, Side] = ("buy", "sell")
    for side in sides:
        against: Side = "sell" if side == "buy" else "buy"
        hand.place(against, D(100), D(1))
        made = hand.floor.place(0, side=side, trader="me", owner=ACCOUNT.account_id, size=D(1))
        events = [event for happening in made for event, _ in ledger.follow(happening)]
        assert events == ["ORDER_UPDATE", "ORDER_UPDATE", "ACCOUNT_UPDATE"]
    assert ledger.settle({BTC.contract_id: reference()}, 1) == []
    ((_, forced),) = ledger.happen("FORCE_TRADE_UPDATE", D(1), 1)
    assert forced["content"]["data"]["position"] == []
    (_, snapshot) = ledger.snapshot(1)
    assert snapshot["content"]["data"]["position"] == []
