"""Ways to break each promise of the house on purpose, as data: a simulation that misses one is worth nothing."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ["HOUSE", "MUTATIONS", "HousePromise", "Mutation"]

HousePromise: TypeAlias = Literal[
    "no silent loss", "exact", "a book is right or says not", "bounded", "polite", "alive", "one ending", "nothing secret"
]  # fmt: skip

HOUSE: tuple[HousePromise, ...] = (
    "no silent loss", "exact", "a book is right or says not", "bounded", "polite", "alive", "one ending", "nothing secret",
)  # fmt: skip
"""The promises that the package makes, in the order in which they are made."""


@attrs.frozen
class Mutation:
    """One change of the source.

    Attributes:
        name: what is broken, as one would say it.
        promise: that it breaks.
        module: path below the package's folder.
        old: text that stands there exactly once; ``new`` what is put in its place.
        venues: whose seeds are to catch it.
    """

    name: str
    promise: HousePromise
    module: str
    old: str
    new: str
    venues: tuple[str, ...]


FEEDS, SHARE, BUDGET = "_protocol/feeds.py", "_runtime/subscription.py", "_protocol/budget.py"
KEEPER, LANE, SUPERVISOR = "_protocol/bookkeeper.py", "_protocol/lane.py", "_runtime/supervisor.py"

MUTATIONS: tuple[Mutation, ...] = (
    # 1
    Mutation(
        "a lost line leaves no gap", "no silent loss", FEEDS,
        "            self.gap(gap_reason, notice.received_ns)\n", "            pass\n", ("upbit",),
    ),
    Mutation(
        "what a slow reader missed is not said", "no silent loss", SHARE,
        "        self.dropped += 1\n        self.unreported += 1\n", "        self.dropped += 1\n", ("coinbase",),
    ),
    Mutation(
        "one too many is said to be dropped", "no silent loss", SHARE,
        "            dropped=dropped,\n", "            dropped=dropped + 1,\n", ("coinbase",),
    ),
    Mutation(
        "a hole in the trade ids is passed over", "no silent loss", "_protocol/sequence.py",
        "        missed = 0 if last is None else trade_id - 1 - max(last, self._announced)\n", "        missed = 0\n",
        ("coinbase",),
    ),
    Mutation(
        "a frame that does not decode is swallowed", "no silent loss", LANE,
        "        self.tally.malformed += elements\n        self.say(\n",
        "        self.tally.malformed += elements\n        (lambda *_: None)(\n", ("upbit",),
    ),
    Mutation(
        "what makes no event is not counted", "no silent loss", LANE,
        '        """Elements that make no event."""\n        self.tally.ignored[reason] += elements\n',
        '        """Elements that make no event."""\n', ("coinbase",),
    ),
    Mutation(
        "the short way takes any later trade", "no silent loss", "_protocol/sequence.py",
        "        if self.last is None or trade_id != self.last + 1:\n",
        "        if self.last is None or trade_id <= self.last:\n", ("coinbase",),
    ),
    Mutation(
        "a trade that comes twice is handed over twice", "no silent loss", "_protocol/sequence.py",
        "                return DUPLICATE\n            return self._take(trade_id, sequence, RESTARTED)\n",
        "                return OK\n            return self._take(trade_id, sequence, RESTARTED)\n", ("coinbase",),
    ),
    # 2
    Mutation(
        "a price passes through a float", "exact", "venues/coinbase/unify.py",
        "            price=message.price,\n            size=message.size,\n",
        "            price=type(message.price)(float(message.price)),\n            size=message.size,\n", ("coinbase",),
    ),
    Mutation(
        "a size loses its last digits", "exact", "venues/upbit/unify.py",
        "            size=message.trade_volume,\n", "            size=round(message.trade_volume, 4),\n", ("upbit",),
    ),
    # 3
    Mutation(
        "changes go on after a gap", "a book is right or says not", KEEPER,
        "        self.book.invalidate(reason)\n        super().gap(", "        super().gap(", ("coinbase", "edgex"),
    ),
    Mutation(
        "the short way of a book takes any later push", "a book is right or says not", "venues/zonda/sync.py",
        "        if last is None or number != last + 1 or self._keeping:\n",
        "        if last is None or number <= last or self._keeping:\n", ("zonda",),
    ),
    Mutation(
        "a hole in the versions is passed over", "a book is right or says not", "venues/edgex/chain.py",
        "        if ahead > 1:\n            return True\n", "        if ahead > 1:\n            return False\n", ("edgex",),
    ),
    # 4
    Mutation(
        "a queue takes one more than its bound", "bounded", SHARE,
        "        if len(self.queue) >= self.buffer:\n", "        if len(self.queue) > self.buffer:\n", ("zonda",),
    ),
    Mutation(
        "an attempt to connect may take for ever", "bounded", "_runtime/dialling.py",
        "        with trio.CancelScope(deadline=deadline):\n", "        with trio.CancelScope():\n", ("upbit",),
    ),
    # 5
    Mutation(
        "the window is shorter than the venue's", "polite", BUDGET,
        "        self._span_s = budget.window_s + slack_s(budget.window_s)\n", "        self._span_s = budget.window_s * 0.6\n",
        ("upbit",),
    ),
    Mutation(
        "the count is off by one", "polite", BUDGET,
        "        surplus = self.used(now_s) + number - limit\n", "        surplus = self.used(now_s) + number - limit - 3\n",
        ("upbit",),
    ),
    Mutation(
        "connects are not charged", "polite", SUPERVISOR,
        '        charge = await charged(allowance, {"connect": 1})\n', "        charge = await charged(allowance, {})\n",
        ("darwinex",),
    ),
    Mutation(
        "nobody waits for as long as the venue asks to", "polite", "_protocol/verdict.py",
        "        return min(float(text), LONGEST_WAIT_S)\n", "        return 0.0 * LONGEST_WAIT_S\n", ("upbit", "zonda"),
    ),
    # 6
    Mutation(
        "the venue's pings are not answered", "alive", LANE,
        "        self.replies.append(frame)\n", "        del frame\n", ("edgex",),
    ),
    Mutation(
        "a line that is dead is never found so", "alive", "_protocol/liveness.py",
        "        if now_s >= self._asked_s + self._answer_s:\n", "        if now_s >= self._asked_s + 1000 * self._answer_s:\n",
        ("edgex", "darwinex"),
    ),
    # 7
    Mutation(
        "leaving waits for as long as the peer likes", "one ending", "_runtime/transport.py",
        "trio.current_time() + self._target.close_timeout_s\n", "trio.current_time() + 60.0\n", ("upbit", "coinbase"),
    ),
    Mutation(
        "cancelling loses what was taken out of the queue", "one ending", "_runtime/channel.py",
        "            entries.popleft()\n",
        "            entries.popleft()\n            await trio.lowlevel.checkpoint()\n", ("coinbase", "upbit"),
    ),
    Mutation(
        "the user's own exception is replaced", "one ending", "_runtime/session.py",
        "        raise body_error\n", "        raise RuntimeError from body_error\n", ("zonda",),
    ),
    # 8
    Mutation(
        "a secret shows in its repr", "nothing secret", "credentials.py",
        "        return \"Secret('***')\"\n", '        return f"Secret({self._text!r})"\n', ("upbit",),
    ),
)  # fmt: skip
"""All of them; see ``mutants`` for how they are tried."""
