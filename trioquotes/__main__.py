"""``python -m trioquotes`` is the command ``trioquotes``."""

from __future__ import annotations

from trioquotes.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
