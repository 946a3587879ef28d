# ruff: noqa: INP001  # no package: Sphinx loads it as a file
"""The directives that show what venues cover, made of the code when the site is built.

``{coverage}``, with a venue's name, shows its topics with the wire channels that they are made of, then its channels with
their messages; ``{coverage-matrix}`` shows all venues beside each other; ``{limits}`` shows a venue's limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from venue_tables import coverage, limits, matrix

from trioquotes.lowlevel import Venue
from trioquotes.venues import VENUES

__all__ = ["setup"]


class _Table(SphinxDirective):
    """A directive that is Markdown which the code says."""

    def lines(self) -> Iterable[str]:
        """The Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse it where the directive stands."""
        self.env.note_reread()  # it depends on code, which Sphinx does not look at
        section = nodes.Element()
        source, line = self.get_source_info()
        self.state.nested_parse(StringList(list(self.lines()), f"{source}:{line}"), 0, section)
        return section.children


def _of_venue(make: Callable[[Venue], Iterable[str]]) -> type[_Table]:
    class Table(_Table):
        required_arguments: ClassVar[int] = 1

        def lines(self) -> Iterable[str]:
            try:
                venue = VENUES[self.arguments[0]]
            except KeyError:
                raise self.error(f"no venue is called {self.arguments[0]!r}") from None
            return make(venue)

    return Table


class _Matrix(_Table):
    def lines(self) -> Iterable[str]:
        return matrix()


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("coverage", _of_venue(coverage))
    app.add_directive("limits", _of_venue(limits))
    app.add_directive("coverage-matrix", _Matrix)
    return {"parallel_read_safe": True}
