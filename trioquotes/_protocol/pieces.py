"""Frames that are put together of pieces that were seen before: lists of levels, as books send them.

A list of objects makes for so many shapes of frames that few come twice, while the objects have a shape or two. So a
frame is taken apart between its objects, and the shape of each piece is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from trioquotes._protocol.oddities import MAX_ADJUSTED, ORDINARY, RUN_DIGITS, has_long_number, suspicious

__all__ = ["EAGER", "PIECES_KEPT", "PIECE_BYTES", "RARE", "Pieces"]

PIECES_KEPT: Final = 1024
"""Shapes remembered: a few for each market."""
PIECE_BYTES: Final = 512
"""A longer one is of no level, and not remembered."""
EAGER: Final = 256
"""So many frames with something new in them are looked at one after the other."""
RARE: Final = 64
"""Of those after them one in so many is: what has something new in every frame would be looked at for nothing."""

_BETWEEN: Final = b"},{"
_STEP: Final = 8
_SAMPLE: Final = b"0" * (MAX_ADJUSTED // _STEP)


class Pieces:
    """Remembers what frames are made of, of which it was seen that they hold no odd number.

    Attributes:
        knows: whether each piece of a frame is, but for what is ordinary, one of a frame that was learned, and no number
            is absurdly long. Then every text that is read as a decimal is a plain number of a usable magnitude. All else
            is still to be looked at: whether the pieces fit together, and what the words in them are.
        knows_each: the same of several frames, in order.
    """

    __slots__ = ("_known", "_seen", "knows", "knows_each")

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self._seen = 0
        self.knows: Callable[[bytes], bool] = self._knowing()
        self.knows_each: Callable[[Sequence[bytes]], list[bool]] = self._knowing_each()

    def _knowing(self) -> Callable[[bytes], bool]:
        """A function rather than a method, whose names are found at once: it runs for every frame there is."""
        all_known = self._known.issuperset
        ordinary, between, step, runs, sample = ORDINARY, _BETWEEN, _STEP, RUN_DIGITS, _SAMPLE

        def knows(frame: bytes) -> bool:
            if not all_known(frame.translate(None, ordinary).split(between)):
                return False
            # Of a long number every eighth character is a digit, too: without such ones there is none.
            return sample not in frame[::step].translate(runs) or not has_long_number(frame)

        return knows

    def _knowing_each(self) -> Callable[[Sequence[bytes]], list[bool]]:
        """As :meth:`_knowing`, with the longest steps taken for all frames at once."""
        all_known, knows = self._known.issuperset, self.knows
        ordinary, between, step, runs, sample = ORDINARY, _BETWEEN, _STEP, RUN_DIGITS, _SAMPLE

        def knows_each(frames: Sequence[bytes]) -> list[bool]:
            lines = b"\n".join(frames)
            shapes = lines.translate(None, ordinary).split(b"\n")
            if len(shapes) != len(frames) or sample in lines[::step].translate(runs):
                return [*map(knows, frames)]
            return [all_known(shape.split(between)) for shape in shapes]

        return knows_each

    def learn(self, frame: bytes) -> None:
        """A frame with something new in it turned out to be right: remember its pieces, if there is nothing odd in it."""
        self._seen += 1
        if (self._seen > EAGER and self._seen % RARE) or suspicious(frame, literals=True):
            return
        pieces = frame.translate(None, ORDINARY).split(_BETWEEN)
        # An odd number of quotes: it was taken apart within a text.
        if any(len(piece) > PIECE_BYTES or piece.count(b'"') % 2 for piece in pieces):
            return
        if len(self._known) + len(pieces) > PIECES_KEPT:
            self._known.clear()
        self._known.update(pieces[:PIECES_KEPT])
