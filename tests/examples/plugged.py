"""How pytest is told of the plugin, whether or not the installed package says so by itself."""

from __future__ import annotations

from importlib.metadata import entry_points

__all__ = ["PLUGIN", "REGISTERED"]

PLUGIN = "trioquotes.testing.plugin"
REGISTERED = next((entry.name for entry in entry_points(group="pytest11") if entry.value == PLUGIN), PLUGIN)
"""The name for ``-p``."""
