"""From the wire's text to typed values and from values to JSON lines; nothing in between guesses.

:class:`Reader` decodes a frame with msgspec and turns whatever can go wrong into :class:`BadFrame`, which
says what and where. msgspec hands the text of a decimal to ``Decimal``, which also takes ``"NaN"``,
``"1_000"``, ``" 1"`` and Arabic digits, and takes ``"1e999999999"`` for a price; :func:`suspicious` finds
frames that may hold such a text in one pass at C speed, and only those are compared value by value with
their text.

:func:`to_json_line` and :func:`from_json_line` are the JSON form of events, through a cattrs converter.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import le
from typing import Annotated, Any, Generic, TypeAlias, TypeVar, get_args, get_type_hints

import msgspec
from cattrs.preconf.msgspec import MsgspecJsonConverter, make_converter

from trioquotes import events
from trioquotes._protocol.oddities import MAX_ADJUSTED, ORDINARY, RUNS, has_long_number, suspicious
from trioquotes.events import Event, MarketEvent, Notice
from trioquotes.topics import UNIFIED_TOPICS, Topic

__all__ = [
    "BadFrame",
    "BlankDecimal",
    "Counter",
    "Moment",
    "Reader",
    "builtins",
    "check_numbers",
    "epoch_ns",
    "exact",
    "explain",
    "from_json_line",
    "json_converter",
    "seconds_ns",
    "to_json_line",
]

T = TypeVar("T")

Counter: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A sequence number or a numeric id: a JSON integer that fits 63 bits."""
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; one without would have to be guessed. Kept to the microsecond."""
BlankDecimal: TypeAlias = Annotated[Decimal, msgspec.Meta(extra={"blanks": True})]
"""A decimal that the venue itself writes with blanks around it."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 60


class BadFrame(ValueError):
    """A frame does not decode.

    Attributes:
        reason: what is wrong and where, as one line.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_SHAPES_KEPT = 1024
_SHAPE_BYTES = 512  # of a longer one the second look costs less than to keep it
_LENGTH_SLACK = 16  # by how much the numbers and names of a frame may be longer than those of one looked at


class Reader(Generic[T]):
    """Decodes frames to one type, or to one of a tagged union.

    Args:
        kind: what msgspec is to decode to.
        literals: whether decimals may also stand as JSON numbers, without quotes; where the venue never does that, it
            is still what keeps an absurd one out.

    Attributes:
        read: from a frame to the typed value. Raises ``BadFrame`` where the frame is not JSON, not of the type, or
            holds a text that is not a plain number. A number of absurd length is found by the length that it gives
            its frame: one passes that other texts of the same frame make room for, each of them shorter than that.
        read_many: the same for several frames at once, in order, where all of them are like some that were read before;
            ``None`` where they are to be read one by one.
    """

    __slots__ = ("_lengths", "_literals", "read", "read_many")

    def __init__(self, kind: type[T] | Any, *, literals: bool = False) -> None:
        self._literals = literals
        # How long frames without odd numbers are, by their shape: a venue's frames have few.
        self._lengths: dict[bytes, int] = {}
        decoder = msgspec.json.Decoder(kind)
        self.read: Callable[[bytes], T] = self._reading(decoder.decode)
        self.read_many: Callable[[Sequence[bytes]], list[T] | None] = self._reading_many(decoder.decode_lines)

    def _reading_many(
        self, decode_lines: Callable[[bytes], list[T]]
    ) -> Callable[[Sequence[bytes]], list[T] | None]:
        """Every step takes all frames at C speed; none of them begins or ends in another, or its shape were not known."""
        length_of = self._lengths.__getitem__
        ordinary = ORDINARY

        def read_many(frames: Sequence[bytes]) -> list[T] | None:
            lines = b"\n".join(frames)
            shapes = lines.translate(None, ordinary).split(b"\n")
            if len(shapes) != len(frames):
                return None
            try:
                if not all(map(le, map(len, frames), map(length_of, shapes))):
                    return None
                values = decode_lines(lines)
            except (KeyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return None
            return values if len(values) == len(frames) else None

        return read_many

    def _reading(self, decode: Callable[[bytes], T]) -> Callable[[bytes], T]:
        """A function rather than a method, whose names are found at once: it runs for every frame there is."""
        known = self._lengths.get
        ordinary = ORDINARY

        def read(frame: bytes) -> T:
            try:
                value = decode(frame)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise BadFrame(explain(error, frame)) from error
            if len(frame) > known(shape := frame.translate(None, ordinary), 0):
                self._look_twice(frame, shape, value)
            return value

        return read

    def _look_twice(self, frame: bytes, shape: bytes, value: T) -> None:
        """Compare the numbers with their text where it may be odd; a shape that holds none is remembered."""
        lengths = self._lengths
        odd = shape not in lengths or has_long_number(frame)
        if odd and suspicious(frame, literals=self._literals):
            check_numbers(value, builtins(frame))
        elif len(shape) <= _SHAPE_BYTES:
            # Where a text is that long, a number as long could take its place and leave the length as it is.
            longest = max(map(len, RUNS.findall(frame)), default=0)
            if longest < MAX_ADJUSTED:
                if len(lengths) >= _SHAPES_KEPT:
                    lengths.clear()
                lengths[shape] = len(frame) + min(MAX_ADJUSTED - 1 - longest, _LENGTH_SLACK)


def builtins(frame: bytes) -> Any:
    """The frame as plain Python values, texts as they are; only to look at, never to take numbers from.

    Raises:
        BadFrame: it is not JSON.
    """
    try:
        return msgspec.json.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadFrame(explain(error)) from error


def exact(literal: str) -> Decimal:
    """A JSON number of a field that has no type of its own; what msgspec's ``float_hook`` is to be.

    Raises:
        ValueError: its exponent is beyond what ``Decimal`` holds; msgspec makes a ``ValidationError`` of it, as it
            does not of what ``Decimal`` itself raises.
    """
    try:
        return Decimal(literal)
    except InvalidOperation:
        raise ValueError("Number out of range") from None


def explain(error: Exception, frame: bytes = b"") -> str:
    """What a failure of msgspec says, in one line: what, where, and the value that stands there."""
    match error:
        case RecursionError():
            return "JSON is nested too deeply"
        case UnicodeDecodeError():
            return f"not UTF-8: {error.reason}"
        case msgspec.ValidationError():
            text, _, path = str(error).partition(" - at ")
            path = path.strip("`") or "$"
            return f"{text} at {path}{_value_at(frame, path)}"
        case _:
            return str(error)


def _value_at(frame: bytes, path: str) -> str:
    """What stands at the path; empty where that cannot be said."""
    try:
        value = msgspec.json.decode(frame)
        for key, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
            value = value[key] if key else value[int(index)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return ""
    return "" if isinstance(value, dict | list) else f": {_shown(value)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


@lru_cache(maxsize=1024)
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, bool], ...]:
    """Attribute name, name on the wire, and whether blanks are allowed, of each field."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        (name, wire, _allows_blanks(hints[name]))
        for name, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    )


def _allows_blanks(hint: Any) -> bool:
    if isinstance(hint, msgspec.Meta):
        return bool(hint.extra and hint.extra.get("blanks"))
    return any(_allows_blanks(part) for part in get_args(hint))


def check_numbers(value: object, wire: object, path: str = "$", *, blanks: bool = False) -> None:
    """Compare every decimal of a decoded value with the text that it was made of.

    Args:
        value: what msgspec made.
        wire: the same as plain Python values.
        path: where both stand, for the error.
        blanks: whether a text may have blanks around it.

    Raises:
        BadFrame: a text is not a plain ASCII number, or it is beyond ``10 ** MAX_ADJUSTED``.
    """
    match value, wire:
        case Decimal(), _:
            _check_decimal(value, wire, path, blanks=blanks)
        case msgspec.Struct(), dict():
            for name, key, spaced in _fields(type(value)):
                if key in wire:
                    check_numbers(getattr(value, name), wire[key], f"{path}.{key}", blanks=spaced)
        case dict(), dict():
            for key, item in value.items():
                check_numbers(item, wire.get(key), f"{path}.{key}", blanks=blanks)
        case ((tuple() | list() | msgspec.Struct()), list()):
            _check_items(value, wire, path, blanks=blanks)


def _check_items(
    value: tuple[Any, ...] | list[Any] | msgspec.Struct, wire: list[Any], path: str, *, blanks: bool
) -> None:
    if isinstance(value, msgspec.Struct):
        first = 0 if value.__struct_config__.tag is None else 1
        items = [(getattr(value, name), spaced) for name, _, spaced in _fields(type(value))]
    else:
        first = 0
        items = [(item, blanks) for item in value]
    for index, ((item, spaced), text) in enumerate(zip(items, wire[first:], strict=False), first):
        check_numbers(item, text, f"{path}[{index}]", blanks=spaced)


def _check_decimal(value: Decimal, wire: object, path: str, *, blanks: bool) -> None:
    if isinstance(wire, str) and _NUMBER.fullmatch(wire.strip(" ") if blanks else wire) is None:
        raise BadFrame(f"not a plain number at {path}: {_shown(wire)}")
    if not value.is_finite() or abs(value.adjusted()) > MAX_ADJUSTED:
        raise BadFrame(f"number out of range at {path}: {_shown(wire)}")


def epoch_ns(moment: datetime | None) -> int | None:
    """Unix nanoseconds of a time, without a float on the way; ``None`` for no time and for the year 1.

    The year 1 is how a time that was never set is written.
    """
    if moment is None or moment.year == 1:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def seconds_ns(seconds: Decimal) -> int:
    """Unix nanoseconds of a time written as decimal seconds; what is finer than a nanosecond is cut."""
    whole = int(seconds)
    return whole * 1_000_000_000 + int((seconds - whole).scaleb(9))


def _exact_text(number: Decimal) -> str:
    """Every digit, without an exponent where the number can be written so without inventing zeros."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -2 * MAX_ADJUSTED <= exponent <= 0:
        return format(number, "f")
    return str(number)


def _bytes_text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _text_bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict) or not isinstance(value.get("base64"), str):
        raise TypeError(f'bytes are a text or {{"base64": ...}}, not {_shown(value)}')
    return base64.b64decode(value["base64"], validate=True)


def json_converter() -> MsgspecJsonConverter:
    """A converter from events, messages and topics to JSON-ready builtins, open to further hooks.

    Prices and sizes become their exact text, times RFC 3339 or integers as they are, bytes their text (an
    object ``{"base64": ...}`` where they are not UTF-8); fields that are ``None`` are left out.
    """
    converter = make_converter()

    def all_of(values: Iterable[Any]) -> list[Any]:
        return [converter.unstructure(value) for value in values]

    def fields_of(struct: msgspec.Struct) -> dict[str, Any]:
        config = struct.__struct_config__
        made = {} if config.tag_field is None else {config.tag_field: config.tag}
        for name, wire in zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True):
            value = getattr(struct, name)
            if value is not None:
                made[wire.removeprefix("~")] = converter.unstructure(value)
        return made

    converter.register_unstructure_hook(Decimal, _exact_text)
    converter.register_unstructure_hook(datetime, lambda moment: moment.isoformat().replace("+00:00", "Z"))
    converter.register_unstructure_hook(bytes, _bytes_text)
    converter.register_unstructure_hook(tuple, all_of)
    converter.register_unstructure_hook(list, all_of)
    converter.register_unstructure_hook(
        dict, lambda pairs: {str(key): converter.unstructure(value) for key, value in pairs.items()}
    )
    converter.register_unstructure_hook(msgspec.Struct, fields_of)
    converter.register_unstructure_hook(
        Topic, lambda topic: {"name": type(topic).__name__} | fields_of(topic)
    )
    converter.register_structure_hook(bytes, lambda value, _: _text_bytes(value))
    return converter


_CONVERTER = json_converter()
_EVENTS: dict[str, type[MarketEvent | Notice]] = {
    name: kind
    for name, kind in vars(events).items()
    if isinstance(kind, type) and issubclass(kind, MarketEvent | Notice)
}


def to_json_line(
    event: Event, native_name: str | None = None, *, converter: MsgspecJsonConverter = _CONVERTER
) -> str:
    """One JSON object without a line break; its first key, ``event``, is the name of the class.

    Args:
        event: a unified event, a notice or a venue's message.
        native_name: what to call a venue's message, ``coinbase.Match``; by default its class alone.
        converter: one made by :func:`json_converter`.
    """
    name = native_name or type(event).__name__
    return msgspec.json.encode({"event": name} | converter.unstructure(event)).decode()


def from_json_line(
    line: str | bytes,
    topics: Mapping[str, type[Topic[Event]]] | None = None,
    *,
    converter: MsgspecJsonConverter = _CONVERTER,
) -> MarketEvent | Notice:
    """The unified event or notice that :func:`to_json_line` wrote, equal in every digit.

    Args:
        line: one JSON object.
        topics: classes of topics beside the unified ones, by their names: those of a venue, for its notices.
        converter: one made by :func:`json_converter`.

    Raises:
        BadFrame: the line is not such an object; the message says what is wrong and where.
    """
    text = line.encode() if isinstance(line, str) else line
    data = builtins(text)
    if not isinstance(data, dict):
        raise BadFrame(f"an event is a JSON object, not {_shown(data)}")
    kind = _EVENTS.get(str(data.pop("event", None)))
    if kind is None:
        raise BadFrame("no unified event or notice is named at $.event")
    try:
        for key in ("raw", "frame"):
            if key in data:
                data[key] = converter.structure(data[key], bytes)
        if isinstance(data.get("topic"), dict):
            data["topic"] = _topic(data["topic"], topics or {})
        event = msgspec.convert(data, kind, builtin_types=(bytes,))
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise BadFrame(explain(error)) from error
    check_numbers(event, data)
    return event


def _topic(data: dict[str, Any], topics: Mapping[str, type[Topic[Event]]]) -> Topic[Event]:
    kinds = {kind.__name__: kind for kind in (*UNIFIED_TOPICS.values(), *topics.values())}
    name = data.get("name")
    if name not in kinds:
        raise BadFrame(f"unknown topic at $.topic.name: {_shown(name)}")
    return msgspec.convert({key: value for key, value in data.items() if key != "name"}, kinds[name])
