"""From a screen's lines to what a terminal must be sent: only the lines that changed."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

__all__ = ["Painter"]

SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}

CLEAR = "\x1b[0m\x1b[2J"
LINE = "\x1b[{};1H\x1b[0m"


class Painter:
    """Remembers what the terminal shows.

    Args:
        without_colour: draw without, as the environment's ``NO_COLOR`` asks for as well.
    """

    def __init__(self, *, without_colour: bool) -> None:
        self._console = Console(
            file=io.StringIO(), force_terminal=True, no_color=without_colour or None, legacy_windows=False
        )
        self._system = SYSTEMS.get(self._console.color_system or "")
        self._shown: list[Text] = []
        self._size = (0, 0)

    def forget(self) -> None:
        """Nobody knows what the terminal shows: all of it is drawn the next time."""
        self._size = (0, 0)

    def paint(self, lines: Sequence[Text], size: tuple[int, int]) -> str:
        """What to write so that a terminal of that size shows these lines; empty where it does already."""
        parts = []
        before: Sequence[Text] = self._shown
        if size != self._size:
            parts.append(CLEAR)
            before = ()
        for index, line in enumerate(lines):
            if index >= len(before) or line != before[index]:
                parts.append(LINE.format(index + 1))
                parts.append(self._drawn(line))
        self._shown, self._size = list(lines), size
        return "".join(parts)

    def _drawn(self, line: Text) -> str:
        # In a text of its own, for the style of a whole text is not among what it renders.
        segments = Text().append_text(line).render(self._console, end="")
        if self._console.no_color:
            segments = Segment.remove_color(segments)
        return "".join(
            style.render(text, color_system=self._system) if style else text for text, style, _ in segments
        )
