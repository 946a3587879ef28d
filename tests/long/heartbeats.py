"""What a venue waits for so as to believe that a client lives, and how long each client took; no I/O.

Everything is told from the server's side: bytes that went out and came in, and when. The times of a server that has to
wait for its turn count against the client, never for it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import attrs

__all__ = ["PING_EVERY_S", "RULES", "Ear", "Figures", "Rule", "judge", "summed"]

PING_EVERY_S = 5.0
"""How often each connection is sent a WebSocket ping."""

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
MARK = b"beat"
"""How the payloads of our pings begin: pongs to others are none of ours."""

Kind: TypeAlias = Literal["answer", "rhythm"]


@attrs.frozen
class Rule:
    """Something that must come in time.

    Attributes:
        name: what it is.
        kind: whether it answers something, or comes of itself.
        within_s: the deadline: after what it answers, or after the last one.
        every_s: how often it is due, at the latest.
        why: where the deadline is from.
    """

    name: str
    kind: Kind
    within_s: float
    every_s: float
    why: str


PONGS = Rule(
    "pong", "answer", 5.0, PING_EVERY_S,
    "RFC 6455 says 'as soon as is practical' and no venue more; servers that ping wait for 10 s or longer",
)  # fmt: skip

RULES: Mapping[str, tuple[Rule, ...]] = {
    "coinbase": (PONGS,),
    "upbit": (
        PONGS,
        Rule("keep-alive", "rhythm", 60.0, 20.0, "a line on which the client says nothing is cut after 60 s"),
    ),
    "edgex": (
        PONGS,
        Rule("its pong", "answer", 10.0, 10.0, "the next ping comes after 10 s, and five without a pong end the line"),
    ),
    "zonda": (
        PONGS,
        Rule("its ping", "rhythm", 100.0, 20.0, "the proxy in front of the venue cuts idle lines after about 100 s"),
    ),
    "darwinex": (
        PONGS,
        Rule("its ping", "rhythm", 90.0, 60.0, "the venue waits for none; we promise one a minute, and 90 s are a third more"),
    ),
}  # fmt: skip


@attrs.frozen
class Figures:
    """How it went with one rule.

    Attributes:
        due: how often something was waited for that came, or whose time is over.
        late: how often it came too late, or not at all.
        worst_s: the longest wait; ``mean_s`` the average.
        lives_s: how long all connections together lived; ``lines`` how many there were.
    """

    rule: Rule
    due: int = 0
    late: int = 0
    worst_s: float = 0.0
    sum_s: float = 0.0
    lives_s: float = 0.0
    lines: int = 0

    @property
    def mean_s(self) -> float:
        return self.sum_s / self.due if self.due else 0.0

    def took(self, seconds: float) -> Figures:
        """One more, after so long."""
        return attrs.evolve(
            self,
            due=self.due + 1,
            late=self.late + (seconds > self.rule.within_s),
            worst_s=max(self.worst_s, seconds),
            sum_s=self.sum_s + seconds,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.rule.name, "due": self.due, "late": self.late, "worst_s": self.worst_s, "mean_s": self.mean_s,
            "lives_s": self.lives_s, "lines": self.lines, "within_s": self.rule.within_s,
        }  # fmt: skip


def summed(rules: Sequence[Rule], parts: Sequence[Sequence[Figures]]) -> list[Figures]:
    """The figures of several connections together, rule by rule."""
    out = []
    for place, rule in enumerate(rules):
        mine = [part[place] for part in parts]
        out.append(
            Figures(
                rule,
                due=sum(one.due for one in mine),
                late=sum(one.late for one in mine),
                worst_s=max((one.worst_s for one in mine), default=0.0),
                sum_s=sum(one.sum_s for one in mine),
                lives_s=sum(one.lives_s for one in mine),
                lines=sum(one.lines for one in mine),
            )
        )
    return out


class Ear:
    """Listens to one connection. Times are monotonic seconds.

    Args:
        venue: whose rules hold.
    """

    def __init__(self, venue: str) -> None:
        self._rules = RULES[venue]
        self._figures = {rule.name: Figures(rule) for rule in self._rules}
        self._asked: dict[str, dict[Hashable, float]] = {
            rule.name: {} for rule in self._rules if rule.kind == "answer"
        }
        self._venue = venue
        self._began_s: float | None = None
        self._last_s: dict[str, float] = {}
        self._rest = b""
        self._pings = 0

    @property
    def open(self) -> bool:
        """Whether the WebSocket is open: before, there is plain HTTP."""
        return self._began_s is not None

    def ping(self, now_s: float) -> bytes:
        """A WebSocket ping that goes out now."""
        self._pings += 1
        payload = MARK + self._pings.to_bytes(4)
        self._asked["pong"][payload] = now_s
        return bytes((0x80 | PING, len(payload))) + payload

    def said(self, data: bytes, now_s: float) -> None:
        """The server sends this: one frame, or the answer to a handshake."""
        if not self.open:
            if data.startswith(b"HTTP/1.1 101 "):
                self._began_s = now_s
                self._last_s = {rule.name: now_s for rule in self._rules if rule.kind == "rhythm"}
            return
        if self._venue == "edgex" and data[:1] == bytes((0x80 | TEXT,)) and b'"ping"' in data[:40]:
            fields = _object(_payload(data))
            if fields.get("type") == "ping":
                self._asked["its pong"][_token(fields)] = now_s

    def heard(self, data: bytes, now_s: float) -> None:
        """The client said this; it may be a part of a frame, or several."""
        if not self.open:
            return
        self._rest += data
        for opcode, payload in self._frames():
            self._frame(opcode, payload, now_s)

    def settle(self, now_s: float) -> list[Figures]:
        """The connection is over: the figures, with what is still waited for where its time is over."""
        out = []
        for rule in self._rules:
            found = self._figures[rule.name]
            waits_s = [now_s - at_s for at_s in self._asked.get(rule.name, {}).values()]
            if rule.kind == "rhythm" and rule.name in self._last_s:
                waits_s.append(now_s - self._last_s[rule.name])
            for wait_s in waits_s:
                if wait_s > rule.within_s:
                    found = found.took(wait_s)
            lives_s = 0.0 if self._began_s is None else now_s - self._began_s
            out.append(attrs.evolve(found, lives_s=lives_s, lines=int(self.open)))
        return out

    def _frame(self, opcode: int, payload: bytes, now_s: float) -> None:
        if opcode == PONG:
            self._answered("pong", payload, now_s)
            return
        fields = _object(payload) if opcode in {TEXT, BINARY} else {}
        match self._venue:
            case "edgex" if fields.get("type") == "pong":
                self._answered("its pong", _token(fields), now_s)
            case "upbit" if opcode != CLOSE:
                self._came("keep-alive", now_s)
            case "zonda" if fields.get("action") == "ping":
                self._came("its ping", now_s)
            case "darwinex" if fields.get("op") == "ping":
                self._came("its ping", now_s)

    def _answered(self, name: str, token: Hashable, now_s: float) -> None:
        asked_s = self._asked[name].pop(token, None)
        if asked_s is not None:
            self._figures[name] = self._figures[name].took(now_s - asked_s)

    def _came(self, name: str, now_s: float) -> None:
        self._figures[name] = self._figures[name].took(now_s - self._last_s[name])
        self._last_s[name] = now_s

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The whole frames there are, unmasked (RFC 6455, section 5.2)."""
        while len(self._rest) >= 2:
            start, size = _extent(self._rest)
            if size < 0 or len(self._rest) < start + 4 + size:
                return
            opcode = self._rest[0] & 0x0F
            mask = self._rest[start : start + 4]
            masked = self._rest[start + 4 : start + 4 + size]
            self._rest = self._rest[start + 4 + size :]
            yield opcode, bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))


def _extent(data: bytes) -> tuple[int, int]:
    """Where mask or payload begin, and the payload's size; -1 where not even that came."""
    size = data[1] & 0x7F
    width = {126: 2, 127: 8}.get(size, 0)
    if len(data) < 2 + width:
        return 2 + width, -1
    return 2 + width, int.from_bytes(data[2 : 2 + width]) if width else size


def _payload(data: bytes) -> bytes:
    start, size = _extent(data)
    return data[start : start + size]


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _token(fields: Mapping[str, Any]) -> Hashable:
    """An edgeX ping's time; its pong must be the same in value and type."""
    return type(fields.get("time")).__name__, str(fields.get("time"))


def judge(venues: Mapping[str, Sequence[Figures]]) -> list[str]:
    """What is wrong, a line each; nothing where every heartbeat came in time, and was really waited for.

    Args:
        venues: what was found of each.
    """
    out = []
    for name, rules in RULES.items():
        found = {one.rule.name: one for one in venues.get(name, ())}
        for rule in rules:
            one = found.get(rule.name, Figures(rule))
            if one.late:
                out.append(
                    f"{name}: {rule.name} was late {one.late} of {one.due} times: {one.worst_s:.2f} s, not {rule.within_s:g} s"
                )
            # Half, for no rhythm is exact; and each connection may end before the next is due.
            if one.due < 0.5 * (one.lives_s / rule.every_s - one.lines) or not one.lines:
                out.append(
                    f"{name}: {rule.name} was seen {one.due} times in {one.lives_s:.0f} s of connections"
                )
    return out
