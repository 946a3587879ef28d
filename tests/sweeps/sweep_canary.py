"""Secrets that can be found again, and all the places where one might have been left."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import attrs

__all__ = ["Canary", "Catch", "forms_of", "listening"]


@attrs.frozen
class Canary:
    """A secret text, and what is searched for.

    Attributes:
        name: what it is.
        text: what is given to the session.
    """

    name: str
    text: str

    @property
    def forms(self) -> frozenset[str]:
        """Every way in which it may be written; of a text that is base64 or hex itself also what it means."""
        found = forms_of(self.text.encode())
        with suppress(ValueError):
            found |= forms_of(base64.b64decode(self.text, validate=True))
        with suppress(ValueError):
            found |= forms_of(bytes.fromhex(self.text))
        return found


def forms_of(secret: bytes) -> frozenset[str]:
    """A secret in plain, hex, URL-quoted form, and as part of something longer in base64 of either alphabet."""
    found = {secret.decode("latin-1"), secret.hex(), repr(secret)[2:-1]}
    found.add(urllib.parse.quote(secret, safe=""))
    found.add(urllib.parse.quote_plus(secret))
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + secret).decode()
        # Only digits whose six bits are all the secret's, whatever stands before and behind it.
        core = whole[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        found |= {core, core.replace("+", "-").replace("/", "_"), urllib.parse.quote(core, safe="")}
    return frozenset(found)


class Catch:
    """Collects what was shown, and searches it.

    Args:
        canaries: what must not be in it.
    """

    def __init__(self, *canaries: Canary) -> None:
        self._canaries = canaries
        self._texts: list[tuple[str, str]] = []

    def add(self, canary: Canary) -> None:
        """One more that must not be in it, also not in what was shown before."""
        if canary not in self._canaries:
            self._canaries = (*self._canaries, canary)

    def showed(self, text: str) -> bool:
        """Whether somebody may have read that."""
        return any(text in each for _, each in self._texts)

    def text(self, where: str, text: str) -> None:
        """Something that somebody may read."""
        self._texts.append((where, text))

    def thing(self, where: str, thing: object) -> None:
        """An object that somebody may print, log or pickle."""
        for shown in (repr(thing), str(thing), f"{thing}", repr(getattr(thing, "__dict__", ""))):
            self.text(where, shown)
        try:
            pickled = pickle.dumps(thing, protocol=0) + pickle.dumps(thing)
        except Exception as error:  # noqa: BLE001  # whoever cannot be pickled may say so in any way
            self.text(f"pickling {where}", repr(error))
        else:
            self.text(f"pickle of {where}", pickled.decode("latin-1"))

    def error(self, where: str, error: BaseException | None) -> None:
        """An exception: as Python prints it, and everything that hangs on it."""
        seen: set[int] = set()
        todo = [error]
        while todo:
            one = todo.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            self.thing(f"{where}: {type(one).__name__}", one)
            self.text(where, repr((one.args, getattr(one, "__notes__", []))))
            self.text(where, "".join(traceback.TracebackException.from_exception(one).format()))
            todo += [one.__cause__, one.__context__]
            if isinstance(one, BaseExceptionGroup):
                todo += one.exceptions

    @property
    def found(self) -> list[str]:
        """Where which canary was seen."""
        return [
            f"{canary.name} in {where}: {text[max(0, text.find(form) - 200) :][:500]}"
            for canary in self._canaries
            for form in canary.forms
            for where, text in self._texts
            if form in text
        ]

    @property
    def size(self) -> int:
        """How many characters were searched."""
        return sum(len(text) for _, text in self._texts)


@contextmanager
def listening(catch: Catch) -> Iterator[None]:
    """Collect everything that anybody logs, at every level, with all that hangs on a record."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "trio-websocket" and record.getMessage().startswith("server-"):
                return  # what the venue writes down is its own affair
            catch.text(f"log of {record.name}", f"{record.getMessage()} {vars(record)!r}")
            if record.exc_info:
                catch.error(f"log of {record.name}", record.exc_info[1])

    root, ear = logging.getLogger(), Ear()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
