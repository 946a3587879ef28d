"""From the wire's text to typed rows, one bad row at a time.

Numbers and times are texts on this wire, and on a few pages numbers: msgspec's lax mode takes both for an
integer. What it takes for a price is compared with the text as everywhere (see ``codec``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar, get_type_hints

import attrs
import msgspec

from trioquotes._protocol.codec import BadFrame, Counter, check_numbers, exact, explain
from trioquotes._protocol.oddities import suspicious
from trioquotes.events import Level
from trioquotes.venues.edgex import private
from trioquotes.venues.edgex.messages import (
    BookTicker,
    Content,
    Depth,
    ErrorContent,
    Frame,
    FundingRate,
    Kline,
    Metadata,
    PriceLevel,
    Ticker,
    Trade,
    WireDepth,
)

__all__ = [
    "CONTENT",
    "ERROR",
    "FRAME",
    "ROWS",
    "EventRead",
    "Reader",
    "RowsRead",
    "levels_of",
    "read_trade_event",
    "to_depth",
]

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)

REASONS_SHOWN: Final = 10
_NOTHING: Final = Decimal(0)

_plain: Final = msgspec.json.Decoder(float_hook=exact).decode


class Reader(Generic[T]):
    """Decodes a text to one type; an integer may be a text.

    Args:
        kind: what msgspec is to decode to.
        numbers: whether it holds decimals.
    """

    __slots__ = ("_decode", "_numbers")

    def __init__(self, kind: type[T] | Any, *, numbers: bool = True) -> None:
        self._decode = msgspec.json.Decoder(kind, strict=False, float_hook=exact).decode
        self._numbers = numbers

    def read(self, text: bytes, at: str = "$") -> T:
        """The typed value.

        Args:
            text: JSON.
            at: where it stands in its frame, for the error.

        Raises:
            BadFrame: the text is not JSON, not of the type, or holds a text that is not a plain number.
        """
        try:
            value: T = self._decode(text)
            # What a typed decoder passes over, an unknown field, may yet be no text, or too deep.
            plain = _plain(text) if self._numbers and suspicious(text, literals=True) else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadFrame(explain(error, text).replace(" at $", f" at {at}", 1)) from error
        if plain is not None:
            check_numbers(value, plain, at)
        return value


FRAME: Final[Reader[Frame]] = Reader(Frame, numbers=False)
CONTENT: Final[Reader[Content]] = Reader(Content, numbers=False)
ERROR: Final[Reader[ErrorContent]] = Reader(ErrorContent, numbers=False)
_RAWS: Final[Reader[list[msgspec.Raw]]] = Reader(list[msgspec.Raw], numbers=False)
_ANYTHING: Final[Reader[Any]] = Reader(Any)


@attrs.frozen
class RowsRead(Generic[T]):
    """The rows that decode, and what is wrong with each of the others."""

    rows: tuple[T, ...]
    reasons: tuple[str, ...] = ()

    @property
    def complaint(self) -> str:
        """What is wrong, in one line."""
        return "; ".join(self.reasons[:REASONS_SHOWN])


_FIELDS: Final[Reader[dict[str, msgspec.Raw]]] = Reader(dict[str, msgspec.Raw], numbers=False)
_UNSET: Final = b'""'


class _RowsReader(Generic[T]):
    """Decodes an array; a row that does not decode costs no other.

    Args:
        row: the type of its rows.
        unset: fields that the venue writes as an empty text where there is nothing to say.
    """

    def __init__(self, row: type[T], unset: frozenset[str] = frozenset()) -> None:
        self._all: Reader[tuple[T, ...]] = Reader(tuple[row, ...])  # type: ignore[valid-type]
        self._one: Reader[T] = Reader(row)
        self._unset = unset

    def read(self, text: bytes, at: str) -> RowsRead[T]:
        """The rows.

        Raises:
            BadFrame: it is no array.
        """
        try:
            return RowsRead(self._all.read(text, at))
        except BadFrame:
            pass
        rows: list[T] = []
        reasons: list[str] = []
        for index, raw in enumerate(_RAWS.read(text, at)):
            try:
                rows.append(self._one.read(self._without_unset(bytes(raw)), f"{at}[{index}]"))
            except BadFrame as bad:
                reasons.append(bad.reason)
        return RowsRead(tuple(rows), tuple(reasons))

    def _without_unset(self, row: bytes) -> bytes:
        """The row without the fields that say nothing; every other byte of a value stays as it was."""
        if not self._unset or _UNSET not in row:
            return row
        try:
            fields = _FIELDS.read(row)
        except BadFrame:
            return row  # the typed reader says what is wrong
        return msgspec.json.encode(
            {name: raw for name, raw in fields.items() if name not in self._unset or bytes(raw) != _UNSET}
        )


def _numbers_of(row: type[msgspec.Struct]) -> frozenset[str]:
    """The optional decimals of a row, by their names on the wire."""
    kinds = get_type_hints(row)
    names = zip(row.__struct_fields__, row.__struct_encode_fields__, strict=True)
    return frozenset(wire for name, wire in names if kinds[name] == Decimal | None)


_TICKERS: Final[_RowsReader[Any]] = _RowsReader(Ticker)
_FUNDING_RATES: Final[_RowsReader[Any]] = _RowsReader(FundingRate)
_BOOK_TICKERS: Final[_RowsReader[Any]] = _RowsReader(BookTicker)

ROWS: Final[Mapping[str, _RowsReader[Any]]] = {
    "metadata": _RowsReader(Metadata),
    "ticker": _TICKERS,
    "ticker.all": _TICKERS,
    "ticker.all.1s": _TICKERS,
    "kline": _RowsReader(Kline),
    "depth": _RowsReader(WireDepth),
    "trades": _RowsReader(Trade),
    "fundingRate": _FUNDING_RATES,
    "fundingRate.all": _FUNDING_RATES,
    "bookTicker": _BOOK_TICKERS,
    "bookTicker.all": _BOOK_TICKERS,
    "bookTicker.all.1s": _BOOK_TICKERS,
}
"""By channel name."""


def to_depth(row: WireDepth, window: int) -> Depth:
    """The same with its levels in one form.

    Args:
        row: as decoded; its ``data_type`` is set.
        window: levels a side that its channel promises.

    Raises:
        BadFrame: its versions run backwards; it is of another window, or a snapshot with more levels than its own; a
            size is negative, a price is not positive, or stands twice on one side of a snapshot.
    """
    if row.end_version < row.start_version:
        raise BadFrame(f"version {row.start_version} is said to end at {row.end_version}")
    if row.level not in {0, window}:
        raise BadFrame(f"a window of {row.level} levels a side where {window} were promised")
    depth = Depth(
        contract_id=row.contract_id,
        contract_name=row.contract_name,
        data_type=row.data_type,
        start_version=row.start_version,
        end_version=row.end_version,
        level=row.level,
        depth_type=row.depth_type,
        asks=levels_of(row.asks, "asks"),
        bids=levels_of(row.bids, "bids"),
    )
    if depth.is_snapshot:
        _check_whole(depth.asks, "asks", window)
        _check_whole(depth.bids, "bids", window)
    return depth


def levels_of(side: tuple[PriceLevel | Level, ...], name: str) -> tuple[Level, ...]:
    """The levels of one side in one form.

    Raises:
        BadFrame: a size is negative, or a price is not positive.
    """
    levels = tuple([o if isinstance(o, tuple) else (o.price, o.size) for o in side])
    for price, size in levels:
        if size < _NOTHING:
            raise BadFrame(f"negative size {size} at price {price} of the {name}: sizes are absolute")
        if price <= _NOTHING:
            raise BadFrame(f"size {size} at price {price} of the {name}: no contract has such a price")
    return levels


def _check_whole(side: tuple[Level, ...], name: str, window: int) -> None:
    """Raise ``BadFrame`` for what no side of a snapshot can be."""
    resting = sum(1 for _, size in side if size)
    if resting > window:
        raise BadFrame(f"{resting} {name} in a window of {window}")
    if len({price for price, _ in side}) < len(side):
        raise BadFrame(f"a price stands twice among the {name} of a snapshot")


class _Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    event: str
    version: Counter | None = None
    time: Counter | None = None
    account_id: private.Id | None = None
    data: dict[str, msgspec.Raw] | None = None


def _transactions(row: type[R]) -> _RowsReader[R]:
    """Every transaction has the fields of a funding, empty where it is none."""
    return _RowsReader(row, _numbers_of(row))


_EVENT: Final[Reader[_Event]] = Reader(_Event, numbers=False)
_GROUPS: Final[Mapping[str, tuple[str, _RowsReader[Any]]]] = {
    "account": ("account", _RowsReader(private.Account)),
    "collateral": ("collateral", _RowsReader(private.Collateral)),
    "collateralTransaction": ("collateral_transaction", _transactions(private.CollateralTransaction)),
    "position": ("position", _RowsReader(private.Position)),
    "positionTransaction": ("position_transaction", _transactions(private.PositionTransaction)),
    "deposit": ("deposit", _RowsReader(private.Deposit)),
    "withdraw": ("withdraw", _RowsReader(private.Withdraw)),
    "transferIn": ("transfer_in", _RowsReader(private.TransferIn)),
    "transferOut": ("transfer_out", _RowsReader(private.TransferOut)),
    "order": ("order", _RowsReader(private.Order)),
    "orderFillTransaction": ("order_fill_transaction", _RowsReader(private.OrderFillTransaction)),
    "positionTermList": ("position_term_list", _RowsReader(private.PositionTerm)),
}


@attrs.frozen
class EventRead:
    """A ``trade-event`` with the entries that decode.

    Attributes:
        entries: how many of them there are.
        reasons: what is wrong with each of the others.
    """

    message: private.TradeEvent
    entries: int
    reasons: tuple[str, ...]

    @property
    def complaint(self) -> str:
        """What is wrong, in one line."""
        return "; ".join(self.reasons[:REASONS_SHOWN])


def read_trade_event(content: bytes) -> EventRead:
    """Decode the content of a ``trade-event``, entry by entry.

    Raises:
        BadFrame: more is wrong than entries.
    """
    event = _EVENT.read(content, "$.content")
    groups: dict[str, Any] = {}
    others: dict[str, Any] = {}
    reasons: list[str] = []
    entries = 0
    for name, raw in (event.data or {}).items():
        text, at = bytes(raw), f"$.content.data.{name}"
        if text == b"null":
            continue
        if name not in _GROUPS:
            others[name] = _ANYTHING.read(text, at)
            entries += len(others[name]) if isinstance(others[name], list) else 1
            continue
        attribute, reader = _GROUPS[name]
        try:
            found = reader.read(text, at)
        except BadFrame as bad:
            reasons.append(bad.reason)
            continue
        groups[attribute] = found.rows
        reasons += found.reasons
        entries += len(found.rows)
    message = private.TradeEvent(
        event=event.event,
        version=event.version,
        time=event.time,
        account_id=event.account_id,
        data=private.Groups(**groups, others=others),
    )
    return EventRead(message, entries, tuple(reasons))
