"""Which connection carries which channel where one may not carry all: a lane's channels spread over shards of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Lane, Options, WireChannel

__all__ = ["Shards"]


class Shards:
    """Places each channel when it is first wished for; there it stays until nobody wishes for it any more.

    Channels that are wished for together go together: a topic made of two has them in the order of arrival, and in a
    pair that tells one thing twice nothing comes twice. Else a channel goes where its instrument is already, or to
    the first shard with room: what is withdrawn leaves room that the next wish takes, and no line is opened or closed
    for the sake of balance.

    Args:
        venue: says which lane a channel belongs to, and what it implies there.
        options: of the session.
        room: how many channels that somebody wishes for one connection may carry, but for those that belong together;
            ``None`` for any number. What a channel implies, such as a heartbeat, goes with it and is not counted.
    """

    def __init__(self, venue: Venue, options: Options, room: int | None) -> None:
        self._venue = venue
        self._options = options
        self._room = room
        self._homes: dict[WireChannel, Lane] = {}

    def plan(self, wishes: Iterable[tuple[WireChannel, ...]]) -> Mapping[Lane, Sequence[WireChannel]]:
        """Which lane carries what, implied channels included.

        Args:
            wishes: the channels that belong together, once for every topic.
        """
        wishes = tuple(wishes)
        wished = tuple(dict.fromkeys(chain.from_iterable(wishes)))
        if not wished:
            return {}
        if self._room is None:
            return self._venue.plan(wished, self._options)
        self._settle(wishes, wished, self._room)
        shards: dict[int, list[WireChannel]] = {}
        for channel in wished:
            shards.setdefault(self._homes[channel].shard, []).append(channel)
        return {
            Lane(lane.name, shard): carried
            for shard, share in sorted(shards.items())
            for lane, carried in self._venue.plan(share, self._options).items()
        }

    def home(self, channel: WireChannel, carriers: Sequence[Lane]) -> Lane:
        """Which of these lanes carries a wished channel for its own sake; on the others something else implies it."""
        if len(carriers) == 1:
            return carriers[0]
        home = self._homes.get(channel) or self._lane(channel)
        return home if home in carriers else carriers[0]

    def _lane(self, channel: WireChannel) -> Lane:
        alone = self._venue.plan((channel,), self._options)
        return next(lane for lane, carried in alone.items() if channel in carried)

    def _settle(
        self, wishes: Iterable[tuple[WireChannel, ...]], wished: Sequence[WireChannel], room: int
    ) -> None:
        """Forget who left, and place who came."""
        self._homes = {channel: home for channel in wished if (home := self._homes.get(channel)) is not None}
        if len(self._homes) == len(wished):
            return
        load = Counter(self._homes.values())
        beside = {(home.name, channel.instrument): home for channel, home in self._homes.items()}
        for together in wishes:
            mates = {
                home.name: home for channel in together if (home := self._homes.get(channel)) is not None
            }
            new = [channel for channel in together if channel not in self._homes]
            for channel in new:
                name = self._lane(channel).name
                home = mates.get(name) or beside.get((name, channel.instrument))
                if home is None or (name not in mates and load[home] + len(new) > room):
                    home = _first_with_room(name, load, len(new), room)
                load[home] += 1
                self._homes[channel] = mates[name] = beside[name, channel.instrument] = home


def _first_with_room(name: str, load: Counter[Lane], needed: int, room: int) -> Lane:
    shard = 0
    while load[Lane(name, shard)] and load[Lane(name, shard)] + needed > room:
        shard += 1
    return Lane(name, shard)
