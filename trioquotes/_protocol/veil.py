"""Keeps secrets out of words of others: a peer may repeat in an error what it was sent. No I/O."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import attrs

from trioquotes._protocol.effects import Failure, Handshake, HttpRequest

__all__ = ["HIDDEN", "Veil", "carried"]

HIDDEN: Final = "***"
"""Stands where a secret stood."""
LEAST: Final = 4
"""A shorter secret is not looked for: it could not be told from the words around it."""
TELLING: Final = 8
"""From this length on a secret is found inside of other words, in every form, and where its end is cut off."""
WORDS: Final = 500
"""Characters of what a venue says that are passed on in a line for people; the frame itself stays whole."""
LOOKED_AT: Final = 8 * WORDS
"""Characters of it that are searched before it is cut: a venue may speak of megabytes."""
CARRIED: Final = 16
"""What is shorter in a handshake's headers or query is a time, a number or a scheme."""
_HEX: Final = re.compile(r"(?:0[xX])?0*([0-9a-fA-F]+)")


class Veil:
    """Hides the secrets that it was told of.

    A secret is found as it is, quoted for a URL, for JSON or for HTML, in hex, in Base64 of either alphabet, also as a
    part of something longer; and, if its own text is Base64 or hex, so is what that means. The beginning of one at
    the very end of a text counts too, since whoever repeats it may have cut it off there.
    """

    def __init__(self) -> None:
        self._covered: dict[Hashable, tuple[str, ...]] = {}
        self._forms: tuple[str, ...] = ()
        self._words: re.Pattern[str] | None = None  # short ones, which are found only where they stand alone
        self._heads: frozenset[str] = frozenset()  # without one of these in it no text holds any of them
        self._raw_heads: frozenset[bytes] = frozenset()

    def cover(self, owner: Hashable, *secrets: str) -> None:
        """Hide these from now on, in place of those covered before for the same owner."""
        if self._covered.get(owner, ()) == secrets:
            return
        self._covered[owner] = secrets
        known = {secret for each in self._covered.values() for secret in each if secret not in HIDDEN}
        forms = {form for secret in known if len(secret) >= TELLING for form in _forms(secret)}
        # Longest first: what is part of another must not break it up.
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        words = sorted((secret for secret in known if LEAST <= len(secret) < TELLING), key=len, reverse=True)
        either = "|".join(map(re.escape, words))
        self._words = re.compile(rf"(?<![0-9A-Za-z])(?:{either})(?![0-9A-Za-z])") if words else None
        self._heads = frozenset(form[:TELLING] for form in (*self._forms, *words))
        self._raw_heads = frozenset(map(_raw, self._heads))

    def hide(self, text: str) -> str:
        """The text with a mark in place of each secret."""
        if not any(head in text for head in self._heads):
            return text
        # What is cut off goes first: within it there may be the whole of another.
        cuts = [at for at in (_cut_off(text, form) for form in self._forms) if at >= 0]
        if cuts:
            text = text[: min(cuts)] + HIDDEN
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text if self._words is None else self._words.sub(HIDDEN, text)

    def words(self, text: str) -> str:
        """The same for what a venue says, in a line for people."""
        text = self.hide(text[:LOOKED_AT])
        return text if len(text) <= WORDS else f"{text[:WORDS]}..."

    def hide_bytes(self, data: bytes) -> bytes:
        """The same for a frame or a body, whatever its encoding."""
        if not any(head in data for head in self._raw_heads):
            return data
        return self.hide(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    def hide_failure(self, failure: Failure) -> Failure:
        """The same for all that a peer says in a failure."""
        if not self._heads:
            return failure
        return attrs.evolve(
            failure,
            reason=self.hide(failure.reason),
            headers=self.hide_headers(failure.headers),
            body=self.hide_bytes(failure.body),
            close_reason=self.hide(failure.close_reason),
            last_error=self.hide(failure.last_error),
        )

    def hide_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The same for the values of headers."""
        return {name: self.hide(value) for name, value in headers.items()}


def carried(request: Handshake | HttpRequest) -> tuple[str, ...]:
    """What a request carries that may prove who we are: tokens and signatures, as they are made for it alone."""
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    values = [value for _, value in (*request.headers, *query)]
    if isinstance(request, Handshake):
        values += request.subprotocols
    return tuple(word for value in values for word in value.split() if len(word) >= CARRIED)


def _cut_off(text: str, form: str) -> int:
    """Where the beginning of the form stands at the end of the text; -1 where it does not."""
    head = form[:TELLING]
    at = text.find(head, max(0, len(text) - len(form)))
    while at >= 0 and not form.startswith(text[at:]):
        at = text.find(head, at + 1)
    return at


def _forms(secret: str) -> Iterator[str]:
    """Every way in which a secret may be written."""
    for text in (secret, *_digits(secret)):
        yield from _quoted(text)
    for meaning in _meanings(secret):
        yield from _encoded(meaning)


def _digits(secret: str) -> Iterable[str]:
    """Other ways to write a number in hex: without what stands before it, in either case."""
    found = _HEX.fullmatch(secret)
    if found is None or len(found[1]) < 2 * TELLING:
        return ()
    return found[1].lower(), found[1].upper()


def _quoted(text: str) -> Iterator[str]:
    as_json = json.dumps(text)[1:-1]
    yield from (text, as_json, as_json.replace("/", "\\/"), repr(text)[1:-1], html.escape(text))
    raw = _raw(text)
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda escape: escape[0].lower(), quoted)


def _meanings(secret: str) -> Iterator[bytes]:
    """The bytes of a secret, and those that its text stands for."""
    yield _raw(secret)
    for read in (_read_base64, _read_hex):
        meaning = read(secret)
        if len(meaning) >= TELLING:
            yield meaning


def _raw(text: str) -> bytes:
    """A text's bytes; what the environment held that is no UTF-8 becomes what it was."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _read_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _read_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return b""


def _encoded(meaning: bytes) -> Iterator[str]:
    """Bytes as texts."""
    yield from (meaning.hex(), meaning.hex().upper(), repr(meaning)[2:-1], meaning.decode("latin-1"))
    yield meaning.decode(errors="surrogateescape")
    for whole in (base64.b64encode(meaning).decode(), *_cores(meaning)):
        for text in (whole, whole.replace("+", "-").replace("/", "_")):
            yield from (text, text.rstrip("="), quote(text, safe=""), text.replace("/", "\\/"))


def _cores(meaning: bytes) -> Iterator[str]:
    """The Base64 of bytes inside of something longer: only digits whose six bits are all theirs."""
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + meaning).decode()
        yield whole[-(-shift * 8 // 6) : (shift + len(meaning)) * 8 // 6]
